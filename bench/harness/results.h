/* What a run of the bench found out: a matrix of workloads (rows) and configurations (columns), with every
 * single time kept. The terminal table, the JSON file, the HTML report and `compare` are views of this.
 *
 * A cell is the place where a row and a column meet. Its state says whether it has times, and if not, why; a
 * cell without times never counts in a mean. All strings are owned by the results; none is NULL. */
#ifndef DOPPEL_BENCH_HARNESS_RESULTS_H
#define DOPPEL_BENCH_HARNESS_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/statistics.h"

#define RESULTS_SCHEMA 1

enum cell_state {
#define CELL_STATE(symbol, name, label, text) CELL_##symbol,
#include "harness/cell_state.def"
#undef CELL_STATE
    CELL_STATE_COUNT
};

/* As in the JSON file, as in a table, as a sentence. */
const char *cell_state_name(enum cell_state state);
const char *cell_state_label(enum cell_state state);
const char *cell_state_text(enum cell_state state);
bool cell_state_from_name(const char *name, enum cell_state *state);

enum configuration_kind {
    CONFIGURATION_NATIVE,
    CONFIGURATION_QEMU,
    CONFIGURATION_BOCHS,
    CONFIGURATION_DOPPEL
};

/* A column. */
struct results_configuration {
    char *id; /* "native", "qemu", "bochs", or doppel's engine and strategies: "interp" */
    enum configuration_kind kind;
    char *program; /* its path; empty for native */
    char *version; /* as the program prints it */
    bool available;
    char *note; /* why it is not available */
};

/* A row. */
struct results_workload {
    char *group, *name, *text;
    bool has_checksum; /* boots and images of users have none */
    uint32_t checksum;
};

/* One run of one program. */
struct results_sample {
    double seconds;       /* between the marks, for all rounds; host time */
    uint64_t rounds;      /* how often the unit of work was done in them */
    double start_seconds; /* from the program's start to the start mark: firmware, loading, warm-up */
    double cpu_seconds;   /* user and system time of the program, from start to end */
    uint64_t peak_rss_kib;
};

/* One of doppel's counters over a whole run, and per round. The boot is not in the latter: it is the
 * difference of two runs that have different numbers of rounds, and NaN while there are not two. */
struct results_counter {
    char *name;
    uint64_t total;
    double per_round;
};

struct results_cell {
    enum cell_state state;
    char *note; /* what went wrong, for the reader */
    struct results_sample *samples;
    size_t sample_count;
    struct results_counter *counters;
    size_t counter_count;
    struct statistics seconds; /* per round, over the samples; valid when state is CELL_OK */
    bool noisy;                /* the times differ so much that small differences mean nothing */
};

struct results_host {
    char *cpu, *kernel, *system; /* "AMD EPYC …", "Linux 6.1.0 x86_64", "Debian GNU/Linux 12" */
    unsigned cores;
    uint64_t memory_kib;
    double load_before, load_after; /* one-minute load averages; negative where the host tells none */
    char *date;                     /* ISO 8601, UTC: when the run began */
    char *commit;                   /* of doppel's sources when doppel-bench was built; may be empty */
    char *version;                  /* of doppel-bench */
};

struct results_settings {
    bool quick;
    unsigned repeat;  /* wanted runs of each cell */
    char *filter;     /* the pattern, or empty */
    char *selections; /* the other options that chose rows and columns, as they were given: "--mmu=walk …" */
};

struct results {
    struct results_host host;
    struct results_settings settings;
    bool complete; /* false: interrupted, or out of time; --resume goes on */
    double elapsed_seconds;
    struct results_configuration *configurations;
    size_t configuration_count;
    struct results_workload *workloads; /* those of one group are neighbours */
    size_t workload_count;
    struct results_cell *cells; /* workload_count rows of configuration_count each */
};

/* Empty results, to which columns and rows are added. Ends the program where there is no memory. */
struct results *results_create(void);
void results_destroy(struct results *results);

/* Strings are copied. All columns come before the first row. */
struct results_configuration *results_add_configuration(struct results *results, const char *id,
                                                        enum configuration_kind kind);
struct results_workload *results_add_workload(struct results *results, const char *group, const char *name,
                                              const char *text);

struct results_cell *results_cell(const struct results *results, size_t workload, size_t configuration);

/* Indices, or SIZE_MAX. */
size_t results_find_configuration(const struct results *results, const char *id);
size_t results_find_workload(const struct results *results, const char *group, const char *name);
size_t results_find_kind(const struct results *results, enum configuration_kind kind); /* the first */

/* Whether the workload was timed there; false for SIZE_MAX. */
bool results_has_time(const struct results *results, size_t workload, size_t configuration);

/* How many times as long the workload takes on `configuration` as on `baseline`, by the fastest run of each:
 * what disturbs a run makes it slower, never faster. Both have times. */
double results_ratio(const struct results *results, size_t workload, size_t configuration, size_t baseline);

/* What a workload's times are compared with: native, or where that has no time, QEMU, which may have none
 * either. An index or SIZE_MAX. */
size_t results_row_baseline(const struct results *results, size_t workload);

void results_add_sample(struct results_cell *cell, const struct results_sample *sample);

/* Takes what the cell's times say out of its samples: statistics and noise. */
void results_summarize_cell(struct results_cell *cell);

/* Replaces a string of the results; `text` is copied, NULL is the empty string. */
void results_set(char **string, const char *text);

/* A geometric mean of ratios or rates, and how many workloads are in it. */
struct results_mean {
    double ratio; /* NaN when count is 0 */
    size_t count;
};

/* The geometric mean of (time on `configuration`) / (time on `baseline`): how many times slower it is. Over
 * the workloads of `group` (NULL: of all) that every compared column completed: the baseline and all columns
 * that completed any workload there; native, which many workloads cannot run on, only when it is the
 * baseline or the configuration itself. */
struct results_mean results_geometric_mean(const struct results *results, size_t configuration,
                                           size_t baseline, const char *group);

/* Guest instructions per second, by doppel's counters; NaN for cells without them. */
double results_instruction_rate(const struct results_cell *cell);

/* The geometric mean of that over the workloads of `group` (NULL: of all) that have it. */
struct results_mean results_mean_instruction_rate(const struct results *results, size_t configuration,
                                                  const char *group);

#endif
