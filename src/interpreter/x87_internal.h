/* What the x87, MMX and SSE handlers share: the checks in front of every instruction, the register stack,
 * exceptions.
 *
 * Order of events in an x87 instruction: #NM, errors pending from an earlier instruction, the memory operand
 * (which may fault), the operation, then state changes. */
#ifndef DOPPEL_INTERPRETER_X87_INTERNAL_H
#define DOPPEL_INTERPRETER_X87_INTERNAL_H

#include "cpu/x87_arithmetic.h"
#include "interpreter/operand.h"

/* An error is pending at a waiting instruction: #MF, or without CR0.NE the coprocessor stops until the
 * interrupt that FERR# asks for has been served. Returns whether the instruction may go on (IGNNE#);
 * otherwise it has left the block in front of itself. */
bool x87_pending_error(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in);

/* Folds `flags` into the status word and sets ES; reports to FERR#. */
void x87_unmasked_error(struct cpu_state *cpu);

static inline void x87_require(struct cpu_state *cpu, struct interpreter *in)
{
    if (UNLIKELY(cpu->cr0 & (CR0_EM | CR0_TS))) {
        uop_sync(cpu, in);
        cpu_raise(cpu, VECTOR_NM);
    }
}

/* Starts a waiting instruction; on false the handler returns. */
static inline bool x87_enter(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    return !UNLIKELY(cpu->x87.status & X87_ES) || x87_pending_error(cpu, uop, in);
}

/* Records the instruction for FSTENV; after the last point that can fault. */
static inline void x87_note(struct cpu_state *cpu, const struct uop *uop, const struct interpreter *in)
{
    struct x87_state *x87 = &cpu->x87;
    if (UNLIKELY(cpu->ignores_x87_pointers)) {
        return;
    }
    x87->opcode = (uint16_t)uop->immediate;
    x87->instruction_offset = (uint32_t)(in->block_rip + uop->offset);
    x87->instruction_selector = cpu->segment[CPU_CS].selector;
}

static inline void x87_note_memory(struct cpu_state *cpu, const struct uop *uop, const struct interpreter *in)
{
    x87_note(cpu, uop, in);
    if (!UNLIKELY(cpu->ignores_x87_pointers)) {
        cpu->x87.data_offset = effective_address(cpu, uop);
        cpu->x87.data_selector = cpu->segment[uop->segment].selector;
    }
}

/* Takes over C1 and the exceptions from `flags`. False when one of `blocking` is unmasked. */
static inline bool x87_signal(struct cpu_state *cpu, unsigned flags, unsigned blocking)
{
    struct x87_state *x87 = &cpu->x87;
    unsigned unmasked = flags & ~(unsigned)x87->control & X87_EXCEPTIONS;
    x87->status =
        (uint16_t)((x87->status & ~(unsigned)X87_C1) | (flags & (X87_EXCEPTIONS | X87_SF | X87_C1)));
    if (UNLIKELY(unmasked)) {
        x87_unmasked_error(cpu);
        return !(unmasked & blocking);
    }
    return true;
}

/* Stack faults; true when masked. */
static inline bool x87_underflow(struct cpu_state *cpu)
{
    return x87_signal(cpu, X87_IE | X87_SF, X87_BEFORE);
}

static inline bool x87_overflow(struct cpu_state *cpu)
{
    return x87_signal(cpu, X87_IE | X87_SF | X87_C1, X87_BEFORE);
}

static inline bool x87_is_full(const struct x87_state *x87, unsigned i)
{
    return x87->full >> x87_register(x87, i) & 1;
}

static inline struct float80 x87_get(const struct x87_state *x87, unsigned i)
{
    return x87->reg[x87_register(x87, i)];
}

static inline void x87_put(struct x87_state *x87, unsigned i, struct float80 value)
{
    unsigned n = x87_register(x87, i);
    x87->reg[n] = value;
    x87->full |= (uint8_t)(1u << n);
}

static inline void x87_set_codes(struct x87_state *x87, unsigned mask, unsigned codes)
{
    x87->status = (uint16_t)((x87->status & ~mask) | (codes & mask));
}

static inline void x87_move_top(struct x87_state *x87, unsigned by)
{
    unsigned top = (x87_top(x87) + by) & 7;
    x87->status = (uint16_t)((x87->status & ~(unsigned)X87_TOP) | top << X87_TOP_SHIFT);
}

static inline void x87_pop(struct x87_state *x87)
{
    x87->full &= (uint8_t) ~(1u << x87_top(x87));
    x87_move_top(x87, 1);
}

/* Pushes what a load found, with its exceptions; a full stack gives the indefinite. */
static inline void x87_push(struct cpu_state *cpu, struct float80 value, unsigned flags)
{
    struct x87_state *x87 = &cpu->x87;
    if (UNLIKELY(x87_is_full(x87, 7))) {
        if (!x87_overflow(cpu)) {
            return;
        }
        value = float80_indefinite();
    } else if (!x87_signal(cpu, flags, X87_IE)) { /* an unmasked #D does not hold a load up */
        return;
    }
    x87_move_top(x87, 7);
    x87_put(x87, 0, value);
}

#endif
