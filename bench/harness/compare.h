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

/* What else than a change of the program may be behind a change of its times; logarithms of ratios. */
struct compare_limits {
    double noise;          /* the standard deviation of a single time */
    double slower, faster; /* changes of the host in either direction, both positive */
};

/* What one cell's old and new times say. *ratio is new / old (valid for SAME, FASTER, SLOWER), of the fastest
 * times. A change counts when the two ranges of times do not touch and the ratio is beyond 5 %, the limits'
 * changes of the host, and three standard deviations, up to six with fewer than four times on a side. */
enum compare_verdict compare_cells(const struct results_cell *old, const struct results_cell *new,
                                   const struct compare_limits *limits, double *ratio);

/* The standard deviation of a single time's logarithm, learnt from all cells with several times and from how
 * much the programs that are no doppel differ between the two. */
double compare_noise(const struct results *old, const struct results *new);

/* How much slower the host is on the programs that are no doppel (1: as fast), by the geometric mean over the
 * cells that are in both; NaN when there are none. */
double compare_host(const struct results *old, const struct results *new);

/* Prints every difference and a summary. Returns whether anything of doppel's became slower or broke: the
 * peers only show whether the host is the same. */
bool compare_print(const struct results *old, const struct results *new, FILE *out);

#endif
