/* Frames of several words that are pushed all or not at all: interrupts, call gates, task switches.
 *
 * Internal to this module. A cursor names a stack that need not be the current one; stack_reserve() makes
 * every check the following pushes could fail, so that state changes only afterwards. */
#ifndef DOPPEL_CPU_STACK_H
#define DOPPEL_CPU_STACK_H

#include "cpu/cpu.h"

struct stack_cursor {
    struct segment segment;
    uint64_t sp; /* the whole register; accesses use the part under `mask` */
    uint64_t mask;
    uint32_t error_code; /* of #SS when there is no room */
    bool user;           /* access rights of the level that owns the stack */
};

/* The current SS:SP; `ext` is the error code of #SS. */
void stack_cursor_current(const struct cpu_state *cpu, struct stack_cursor *stack, uint32_t ext);

/* The stack of privilege level `cpl` that the current TSS names, checked as SDM 3A §5.8.5 and SDM 2 CALL, INT
 * say: #TS, #SS with the EXT bit `ext`. stack->segment is what SS becomes. */
void stack_cursor_inner(struct cpu_state *cpu, struct stack_cursor *stack, unsigned cpl, uint32_t ext);

/* #SS or #PF unless `count` items of `width` bytes can be pushed. */
void stack_reserve(struct cpu_state *cpu, const struct stack_cursor *stack, unsigned count, unsigned width);

/* Pushes onto reserved room. */
void stack_push(struct cpu_state *cpu, struct stack_cursor *stack, uint64_t value, unsigned width);

/* Makes the cursor the current stack: SS (when `switched`) and SP. */
void stack_commit(struct cpu_state *cpu, const struct stack_cursor *stack, bool switched);

/* Checks SS of a return to the outer level `cpl` (SDM 2 RET, IRET: #GP, #SS) and fetches its descriptor. */
struct descriptor;
void stack_fetch_outer(struct cpu_state *cpu, uint16_t selector, unsigned cpl, struct descriptor *descriptor);

#endif
