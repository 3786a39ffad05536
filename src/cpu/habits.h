/* What instructions do where the SDM leaves it undefined, as far as processors differ in it.
 *
 * Translated code is executed by the host's processor and has its habits, so the interpreter takes them over:
 * then engines differ in nothing (ARCHITECTURE.md, "Two engines, one guest"). No bit set is what Intel's
 * processors do, which hosts of other instruction sets do as well; all of them is AMD's Zen 5 (measured).
 * Models older than the 80386 are never translated and have habits of their own. */
#ifndef DOPPEL_CPU_HABITS_H
#define DOPPEL_CPU_HABITS_H

#include <stdint.h>

struct cpu_model;

enum cpu_habit {
    /* MUL and IMUL leave SF, ZF, AF and PF alone; otherwise SF and PF are the lower half's, ZF and AF 0. */
    HABIT_MULTIPLY_KEEPS_FLAGS = 1u << 0,
    /* DIV and IDIV set AF and clear SF, ZF and PF; otherwise they leave all flags alone. */
    HABIT_DIVIDE_SETS_FLAGS = 1u << 1,
    /* SHL, SHR, SAR, SHLD and SHRD set AF, and not clear it. The place is that of LAZY_AF. */
    HABIT_SHIFT_SETS_AF = 1u << 3,
    /* OF of shifts and rotates by more than 1 is that of the last of so many steps by 1, and not of the first
     * one, if any. */
    HABIT_SHIFT_OVERFLOW_OF_LAST_STEP = 1u << 4,
    /* The same for SHLD and SHRD, where the last step shifts what is left of the first operand. */
    HABIT_DOUBLE_SHIFT_OVERFLOW_OF_LAST_STEP = 1u << 5,
    /* SHLD and SHRD of 16 bits by more than 16 repeat the second operand, and not the first; CF is that of a
     * shift of the first operand alone. */
    HABIT_DOUBLE_SHIFT_REPEATS_SOURCE = 1u << 6
};

/* The bits of enum cpu_habit that hold for `model` on this host. */
uint32_t cpu_habits_of(const struct cpu_model *model);

/* A CRC-32 of what results of `model` depend on the host's processor for: its habits, and the last bits of
 * transcendental functions and of SSE's approximations, where the model has them. Two hosts on which it
 * differs are not good for the same run. */
uint32_t cpu_habits_crc(const struct cpu_model *model);

/* The host processor's own habits; none on a host of another instruction set. */
uint32_t cpu_habits_of_host(void);

#endif
