/* Two guests that run the same stream, the interpreter and the engine under test, and are compared again and
 * again: after budgets of instructions that are drawn at random, with interrupts between them. */
#ifndef DOPPEL_TESTS_STREAM_PAIR_H
#define DOPPEL_TESTS_STREAM_PAIR_H

#include <stdio.h>

#include "broken_engine.h"
#include "stream_guest.h"

struct stream_pair_config {
    const struct cpu_model *model;
    struct engine_config engine;              /* under test */
    bool events;                              /* as in struct stream_choice */
    const struct broken_engine_config *fault; /* NULL: as it is */
};

struct stream_pair {
    struct stream_guest *reference, *tested;
};

/* How a stream is run. The same plan gives the same run. */
struct stream_plan {
    uint64_t limit;      /* instructions */
    uint32_t budget;     /* of every step; 0: drawn at random */
    bool compare_memory; /* after every step, rather than after every few */
    /* The step number `last_step` is the last one, with a budget of `last_budget`; UINT64_MAX: none is. */
    uint64_t last_step;
    uint32_t last_budget;
};

/* Where the two were found to differ. */
struct stream_divergence {
    int signal; /* that the engine under test died of; 0: it did not */
    uint64_t step;
    uint64_t before; /* instructions before this step */
    uint32_t budget; /* of this step */
    int memory;      /* address of the first byte of RAM that differs; -1: none */
    enum stop_reason reasons[2];
};

struct stream_pair stream_pair_create(const struct stream_pair_config *config);
void stream_pair_destroy(struct stream_pair *pair);

/* False: the stream has lost its page tables (struct stream_guest), which ends it; the two may differ. */
bool stream_pair_is_defined(const struct stream_pair *pair);

/* Runs the stream on both. True: no difference; *retired is how many instructions each ran. False:
 * *divergence says where, and the guests stand behind it. During the run *divergence holds the step. */
bool stream_pair_run(struct stream_pair *pair, const struct stream *stream, const struct stream_plan *plan,
                     uint64_t *retired, struct stream_divergence *divergence);

/* Runs the stream on new pairs, in processes that may die: drops items as long as the two still differ, then
 * prints what is left, the last instructions before the difference, and both states. `plan` is the one that
 * failed. False: nothing is printed, because a new pair does not differ. */
bool stream_pair_explain(const struct stream_pair_config *config, struct stream *stream,
                         const struct stream_plan *plan, FILE *out);

#endif
