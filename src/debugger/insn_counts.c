/* `info sensitive` and `info callouts`: what an engine did with instructions that its host cannot run for it.
 *
 * What was emulated or left to the fallback is counted by execution. What became other host code is counted
 * by place, since counting executions would cost more than the instruction; `info blocks` has samples. */
#include <inttypes.h>
#include <stdlib.h>

#include "debugger/monitor_internal.h"
#include "decoder/insn.h"

struct insn_counts {
    const uint64_t *fallback, *emulated, *inlined; /* NULL: the engine does not count */
};

static struct insn_counts get_counts(struct monitor *monitor)
{
    const struct machine *machine = monitor->machine;
    return (struct insn_counts){.fallback = machine_insn_counts(machine, ENGINE_COUNT_FALLBACK),
                                .emulated = machine_insn_counts(machine, ENGINE_COUNT_EMULATED),
                                .inlined = machine_insn_counts(machine, ENGINE_COUNT_INLINED)};
}

/* Instructions by their names in insn.def, since some mnemonics are shared. */
static const char *insn_name(unsigned id)
{
    static const char *const names[] = {
#define INSN(id, ...) #id,
#include "decoder/insn.def"
#undef INSN
    };
    return names[id];
}

static void print_nothing(FILE *out)
{
    fprintf(out, "the engine counts no instructions (-engine dbt does)\n");
}

void monitor_print_sensitive(struct monitor *monitor, FILE *out)
{
    struct insn_counts counts = get_counts(monitor);
    if (counts.fallback == NULL) {
        print_nothing(out);
        return;
    }
    const struct engine_config *config = machine_engine_config(monitor->machine);
    const char *way = config->sensitive == SENSITIVE_TRAP ? "trapped" : "called out";
    fprintf(out, "strategy: %s\n%-12s %14s %14s %14s\n",
            engine_choice_name(ENGINE_AXIS_SENSITIVE, config->sensitive), "", "inline places", way,
            "fallback");
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        bool sensitive = (insn_info((enum insn_id)id)->properties & INSN_SENSITIVE) != 0;
        if (sensitive && (counts.inlined[id] | counts.emulated[id] | counts.fallback[id]) != 0) {
            fprintf(out, "%-12s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n", insn_name(id),
                    counts.inlined[id], counts.emulated[id], counts.fallback[id]);
        }
    }
}

struct callout {
    uint64_t emulated, fallback;
    unsigned id;
};

static int compare_callouts(const void *first, const void *second)
{
    const struct callout *a = first;
    const struct callout *b = second;
    uint64_t all_a = a->emulated + a->fallback;
    uint64_t all_b = b->emulated + b->fallback;
    return all_a != all_b ? (all_a < all_b ? 1 : -1) : (a->id > b->id) - (a->id < b->id);
}

void monitor_print_callouts(struct monitor *monitor, FILE *out)
{
    struct insn_counts counts = get_counts(monitor);
    struct callout callouts[INSN_COUNT];
    if (counts.fallback == NULL) {
        print_nothing(out);
        return;
    }
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        callouts[id] =
            (struct callout){.emulated = counts.emulated[id], .fallback = counts.fallback[id], .id = id};
    }
    qsort(callouts, INSN_COUNT, sizeof callouts[0], compare_callouts);
    fprintf(out, "%-12s %14s %14s\n", "", "emulated", "fallback");
    for (unsigned i = 0; i < INSN_COUNT && (callouts[i].emulated | callouts[i].fallback) != 0; i++) {
        fprintf(out, "%-12s %14" PRIu64 " %14" PRIu64 "\n", insn_name(callouts[i].id), callouts[i].emulated,
                callouts[i].fallback);
    }
}
