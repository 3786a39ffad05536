/* An engine with a fault of our choice, to prove that checks find it: it runs another one instruction by
 * instruction, and spoils what chosen ones leave behind. */
#ifndef DOPPEL_TESTS_BROKEN_ENGINE_H
#define DOPPEL_TESTS_BROKEN_ENGINE_H

#include "cpu/cpu_state.h"
#include "cpu/engine.h"
#include "decoder/insn.h"
#include "mmu/mmu.h"

enum breakage {
    BREAK_REGISTER, /* bit 5 of a general register is flipped */
    BREAK_STORE,    /* the last doubleword on the stack becomes another: a store that went wrong */
    BREAK_BUDGET    /* one instruction too many is run */
};

struct broken_engine_config {
    enum breakage breakage;
    enum cpu_register reg;
    enum insn_id after; /* this instruction, each time; INSN_INVALID: any, once */
    uint64_t retired;   /* not before cpu->retired has reached this */
};

/* Wraps `engine` (owned from now on). NULL when out of memory. */
struct cpu_engine *broken_engine_create(struct cpu_engine *engine, struct cpu_state *cpu, struct mmu *mmu,
                                        const struct broken_engine_config *config);

#endif
