/* How far the bench is: one line that is rewritten on a terminal, plain lines elsewhere. */
#ifndef DOPPEL_BENCH_HARNESS_PROGRESS_H
#define DOPPEL_BENCH_HARNESS_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "harness/runner.h"

struct progress {
    FILE *out;
    bool terminal;
    bool line_is_open;     /* there is a line to be rewritten */
    const char *last_name; /* elsewhere, a line for each workload is enough */
};

void progress_open(struct progress *progress, FILE *out);

/* For struct runner_listener; `opaque` is the struct progress. */
void progress_show(void *opaque, const struct runner_progress *at);
void progress_show_trouble(void *opaque, const struct results *results, size_t workload,
                           size_t configuration);

/* Takes the line away. */
void progress_close(struct progress *progress);

#endif
