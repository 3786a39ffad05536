/* What a run consists of, from the options: rows, columns and how to measure. */
#ifndef DOPPEL_BENCH_HARNESS_SELECTION_H
#define DOPPEL_BENCH_HARNESS_SELECTION_H

#include "base/status.h"
#include "harness/configuration.h"
#include "harness/options.h"
#include "harness/results.h"
#include "harness/runner.h"
#include "harness/workload.h"

struct selection {
    struct workload_list workloads;
    struct configuration_list configurations;
    struct runner_settings settings; /* without the work directory */
    char *doppel, *programs;         /* what settings and configurations were made from */
    char *words;                     /* what resumed options point into */
};

/* On an error too, the selection has to be destroyed. */
struct status selection_create(const struct options *options, struct selection *selection) STATUS_MUST_CHECK;

/* The selection and results of the interrupted run that wrote options->resume. *options gets that run's
 * options, and its file as --json unless another is given. An error when rows, columns or versions are not
 * what they were. The results are the caller's. */
struct status selection_resume(struct options *options, struct selection *selection,
                               struct results **results) STATUS_MUST_CHECK;

/* Empty results for the selection, on this host; `words` as of options_selections(). */
struct results *selection_results(const struct selection *selection, const struct options *options,
                                  const char *words);

void selection_destroy(struct selection *selection);

#endif
