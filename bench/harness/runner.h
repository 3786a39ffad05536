/* Fills the matrix: calibrates every cell, then repeats the measured runs, interleaved.
 *
 * Method. First every cell is run once with one unit of work: that shows whether it works, how long a unit
 * takes and what starting costs, and it warms the host's caches. From that follow the rounds that make a run
 * take about the wanted time; doppel's configurations get the same number when none needs four times as long
 * for it. Then come passes: each runs every workload on every configuration once, A B C, C A B, in an order
 * that is drawn anew for each, so that whatever disturbs the host for a while, or from one run to the next,
 * disturbs all of them. When the budget does not suffice, the most expensive configurations, and the boots,
 * are repeated less often; where it suffices for nothing more, the calibration counts as the one measurement.
 * A cell that fails is not run again; the others go on. */
#ifndef DOPPEL_BENCH_HARNESS_RUNNER_H
#define DOPPEL_BENCH_HARNESS_RUNNER_H

#include <stdbool.h>

#include "harness/configuration.h"
#include "harness/measure.h"
#include "harness/results.h"
#include "harness/workload.h"

struct runner_settings {
    struct measure_setup setup;
    unsigned repeat;             /* wanted measured runs of each cell, at least 1 */
    double wanted_seconds;       /* between the marks of a measured run */
    double timeout_seconds;      /* of a single run */
    double boot_timeout_seconds; /* the same for boots */
    double budget_seconds;       /* for everything, from the call on; 0: as long as it takes */
};

struct runner_progress {
    const char *workload_group, *workload, *configuration;
    const char *phase;        /* "calibration", "pass 1 of 3" */
    size_t done, total;       /* runs of this phase */
    double remaining_seconds; /* an estimate for everything; negative: no idea yet */
};

/* What is told while the bench runs; any of them may be NULL. */
struct runner_listener {
    /* Before each run. */
    void (*progress)(void *opaque, const struct runner_progress *progress);
    /* A cell that turned out not to be CELL_OK. */
    void (*trouble)(void *opaque, const struct results *results, size_t workload, size_t configuration);
    /* After runs, but not after each: a good moment to save the results. */
    void (*checkpoint)(void *opaque, const struct results *results);
    void *opaque;
};

/* `results` has a column for each configuration and a row for each workload, in the same order; cells that
 * have enough samples already are left alone. Returns false when a signal ended it early: results are those
 * until then. results->complete says whether no cell is left to be run. */
bool runner_run(struct results *results, const struct workload_list *workloads,
                const struct configuration_list *configurations, const struct runner_settings *settings,
                const struct runner_listener *listener);

/* Rounds that make a run take `wanted_seconds` when one takes `round_seconds`: at least 1, at most what the
 * parameter block of an image holds. */
uint64_t runner_rounds(double round_seconds, double wanted_seconds);

/* Of columns that would do `rounds` in the same time (0: not one of them), gives those within a factor of
 * four of the fastest as many as it: what happens once in a run, such as making a view, would otherwise weigh
 * more in some than in others. */
void runner_share_rounds(uint64_t *rounds, size_t count);

/* What a repetition of each cell of a part of the matrix costs, and how often it is wanted. */
struct runner_part {
    double cost;     /* seconds for one pass over its cells */
    unsigned repeat; /* passes */
};

/* Takes passes away from the most expensive parts until all fit into `budget_seconds`; down to none. */
void runner_fit_budget(struct runner_part *parts, size_t count, double budget_seconds);

/* Puts the numbers below `count` into `order`, each once, in an order that `*random` (not 0) decides; it
 * becomes another one. */
void runner_shuffle(size_t *order, size_t count, uint32_t *random);

#endif
