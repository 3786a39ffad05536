/* One measured run of a workload on a configuration: what bench/README.md calls the protocol, read from the
 * program's output, with the times at which its marks arrived. */
#ifndef DOPPEL_BENCH_HARNESS_MEASURE_H
#define DOPPEL_BENCH_HARNESS_MEASURE_H

#include "harness/configuration.h"
#include "harness/results.h"
#include "harness/workload.h"

struct measure_setup {
    const char *programs; /* directory of images and native programs */
    const char *work;     /* an empty directory for files of the run */
};

struct measure_counter {
    char name[40];
    uint64_t value;
};

/* What a guest's line "TIME NAME ..." told; seconds since the emulator's start. */
struct measure_result {
    char name[40];
    double start, end;
};

struct measurement {
    enum cell_state state;
    char note[240];               /* why it is not CELL_OK */
    bool interrupted;             /* somebody wants this program to end: the rest means nothing */
    struct results_sample sample; /* when CELL_OK */
    struct measure_counter *counters;
    size_t counter_count;
    struct measure_result *results; /* of guests that have several */
    size_t result_count;
};

/* What `workload` is of the measurement of its guest, into *sample. False: the guest did not tell. */
bool measurement_sample(const struct measurement *measurement, const struct workload *workload,
                        struct results_sample *sample);

/* Runs it once, `rounds` units of work (a boot is always one), for at most `timeout_seconds`. Free what it
 * returns with measurement_free(). */
void measure_run(const struct measure_setup *setup, const struct workload *workload,
                 const struct configuration *configuration, uint64_t rounds, double timeout_seconds,
                 struct measurement *measurement);

void measurement_free(struct measurement *measurement);

#endif
