/* Two results side by side: what became slower, beyond what noise explains. */
#ifndef DOPPEL_BENCH_HARNESS_COMPARE_H
#define DOPPEL_BENCH_HARNESS_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "harness/results.h"

enum compare_verdict {
    COMPARE_SAME,
    COMPARE_FASTER,
    COMPARE_SLOWER,
    COMPARE_BROKEN, /* had times and has none now */
    COMPARE_MENDED, /* the other way round */
    COMPARE_NOTHING /* no times on either side, or it was not tried on one */
};

/* What one cell's old and new times say. *ratio is new / old (valid for SAME, FASTER, SLOWER); `drift` is how
 * much the host itself is known to have changed, as a fraction. A change counts when it is larger than 5 %,
 * than the spread of the times on either side and than the drift, and the two ranges of times do not touch;
 * with fewer than three times on a side, when it is larger than 15 %. */
enum compare_verdict compare_cells(const struct results_cell *old, const struct results_cell *new,
                                   double drift, double *ratio);

/* How much slower the host is on the programs that are no doppel (1: as fast), by the geometric mean over the
 * cells that are in both; NaN when there are none. */
double compare_host(const struct results *old, const struct results *new);

/* Prints every difference and a summary. Returns whether anything of doppel's became slower or broke: the
 * peers only show whether the host is the same. */
bool compare_print(const struct results *old, const struct results *new, FILE *out);

#endif
