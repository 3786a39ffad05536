/* What every execution engine offers: interpreter now, the translator and others beside it.
 *
 * An engine belongs to one cpu_state and one mmu. It runs on the machine's thread; devices are called back on
 * that thread from within run(). */
#ifndef DOPPEL_CPU_ENGINE_H
#define DOPPEL_CPU_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

enum stop_reason {
    STOP_BUDGET,  /* `budget` instructions were retired */
    STOP_HALTED,  /* the CPU waits for an interrupt: the host thread may sleep */
    STOP_REQUEST, /* CPU_PENDING_STOP was set (and is cleared now) */
    STOP_RESET,   /* CPU_PENDING_RESET was set (and is cleared now): the machine resets */
    STOP_SHUTDOWN /* triple fault */
};

struct cpu_engine;
struct engine_block;

/* False: that was enough. */
typedef bool engine_block_visitor(void *opaque, const struct engine_block *block);

/* Bytes of guest-physical memory, within one page. */
struct engine_range {
    uint64_t phys, length;
};

/* From the first byte of either to the last. */
static inline struct engine_range engine_range_around(struct engine_range a, struct engine_range b)
{
    uint64_t first = a.phys < b.phys ? a.phys : b.phys;
    uint64_t a_end = a.phys + a.length;
    uint64_t b_end = b.phys + b.length;
    return (struct engine_range){.phys = first, .length = (a_end > b_end ? a_end : b_end) - first};
}

/* How instructions were executed that an engine does not leave to its host's processor as they are. */
enum engine_count {
    ENGINE_COUNT_FALLBACK, /* by the engine that it falls back on */
    ENGINE_COUNT_EMULATED, /* by a function called from host code, or when host code trapped */
    ENGINE_COUNT_INLINED   /* places, not executions: where other host code stands for the instruction */
};

struct cpu_engine_ops {
    /* Runs until `budget` instructions were retired, exactly, or something else stops it. Each iteration
     * of a repeated string instruction counts as one, and so does a fault. What is due behind the last one (a
     * trap, an interrupt that is not held off) is delivered before it returns, also with a budget of 0: so
     * it makes no difference to the guest how a run is divided into budgets, nor which engine runs them. */
    enum stop_reason (*run)(struct cpu_engine *engine, uint64_t budget);
    /* Executes the instruction at CS:RIP, or delivers the fault it raises, whatever is pending. A repeated
     * string instruction does `budget` iterations at most. */
    void (*step)(struct cpu_engine *engine, uint64_t budget);
    /* For code that is not worth translating, of engines that others fall back on: executes, as step() does,
     * the instructions up to the next transfer of control, a *visit* of this code, and then visits what
     * follows while it was visited before but less often than `warm` times. Ends with `budget`, a fault,
     * or something pending. */
    void (*run_cold)(struct cpu_engine *engine, uint64_t budget, unsigned warm);
    /* How often the code at a physical address, as of the CPU's present mode, was visited, as far as is
     * remembered: 255 or more are 255. */
    unsigned (*cold_visits)(struct cpu_engine *engine, uint64_t phys);
    /* These bytes are about to change: drops the code made from them, and that made from any byte that
     * dropped code was made from. Returns the bytes of all of it on the page, and `range`: no code is made
     * from any of them now. */
    struct engine_range (*invalidate)(struct cpu_engine *engine, struct engine_range range);
    /* The physical map changed: drop everything derived from it. */
    void (*flush)(struct cpu_engine *engine);
    /* An offset has come to cpu->probe (cpu/probe.h): drops code that goes on across it on any page, or
     * begins there. CPU_PROBE_PAGE: so many have come that all code is dropped. Between runs. */
    void (*cut)(struct cpu_engine *engine, unsigned page_offset);
    void (*destroy)(struct cpu_engine *engine);
    /* Shows every block of host code there is (cpu/engine_block.h), between runs. The visitor may not keep
     * the block. NULL: the engine makes no host code. */
    void (*for_each_block)(struct cpu_engine *engine, engine_block_visitor *visit, void *opaque);
    /* How many since the start, by enum insn_id. NULL: the engine does not count. */
    const uint64_t *(*insn_counts)(struct cpu_engine *engine, enum engine_count what);
};

struct cpu_engine {
    const struct cpu_engine_ops *ops;
};

#endif
