/* Where a workload runs: as a process of the host, on a peer, or on doppel with one combination of engine and
 * strategies. */
#ifndef DOPPEL_BENCH_HARNESS_CONFIGURATION_H
#define DOPPEL_BENCH_HARNESS_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "harness/results.h"

enum strategy_axis { STRATEGY_ENGINE, STRATEGY_MMU, STRATEGY_SENSITIVE, STRATEGY_CHAIN, STRATEGY_AXIS_COUNT };

struct strategy {
    enum strategy_axis axis;
    const char *name;
    const char *text;
};

#define CONFIGURATION_ID_SIZE 64

struct configuration {
    char id[CONFIGURATION_ID_SIZE];
    enum configuration_kind kind;
    const struct strategy *strategies[STRATEGY_AXIS_COUNT]; /* doppel's; NULL: its default */
    char *program;                                          /* full path; NULL: not found */
    char *version;
    bool built; /* doppel has these strategies */
    bool available;
    char *note; /* why it is not */
};

struct configuration_list {
    struct configuration *items;
    size_t count;
    bool *built; /* for each strategy of strategy_table(), whether doppel has it */
};

/* What the user chose; NULL: the default. Lists are separated by commas. */
struct configuration_choice {
    const char *axes[STRATEGY_AXIS_COUNT];
    const char *peers;    /* of native, qemu, bochs; "none"; default: all */
    const char *doppel;   /* path */
    const char *programs; /* where images and native programs are */
};

/* "engine", "mmu", "sensitive", "chain". */
const char *strategy_axis_name(enum strategy_axis axis);

/* All rows of strategy.def; *count of them. */
const struct strategy *strategy_table(size_t *count);

/* The columns of a run: the peers, then doppel's combinations. Looks for the programs and asks them for their
 * versions. A word that is no name is an error; what is not built, or not found, is a configuration that is
 * not available. */
struct status configuration_list_create(const struct configuration_choice *choice,
                                        struct configuration_list *list) STATUS_MUST_CHECK;
void configuration_list_destroy(struct configuration_list *list);

#endif
