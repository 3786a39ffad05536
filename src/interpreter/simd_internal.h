/* What the MMX and SSE handlers share: the checks in front, operands, exceptions.
 *
 * A vector is held as 16 bytes in guest order; MMX operands use the first 8. uop->source is the second
 * operand's register as an offset in cpu_state, and 0 stands for memory: no MMX or XMM register is there. */
#ifndef DOPPEL_INTERPRETER_SIMD_INTERNAL_H
#define DOPPEL_INTERPRETER_SIMD_INTERNAL_H

#include "cpu/sse_arithmetic.h"
#include "interpreter/x87_internal.h"

#define MMX_SIZE 8u
#define XMM_SIZE 16u

/* Raises what keeps an SSE instruction from starting: #UD, #NM (SDM 3A §13.1). */
_Noreturn void simd_raise_unavailable(struct cpu_state *cpu, struct interpreter *in);
/* #XM, or #UD without CR4.OSXMMEXCPT. */
_Noreturn void simd_raise_exception(struct cpu_state *cpu, struct interpreter *in);
_Noreturn void simd_raise_misaligned(struct cpu_state *cpu, struct interpreter *in);

static inline void sse_enter(struct cpu_state *cpu, struct interpreter *in)
{
    if (UNLIKELY((cpu->cr0 & (CR0_EM | CR0_TS)) || !(cpu->cr4 & CR4_OSFXSR))) {
        simd_raise_unavailable(cpu, in);
    }
}

/* On false the handler returns, as after x87_enter(). */
static inline bool mmx_enter(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (UNLIKELY(cpu->cr0 & CR0_EM)) {
        uop_sync(cpu, in);
        cpu_raise(cpu, VECTOR_UD);
    }
    return x87_enter(cpu, uop, in);
}

/* What every MMX instruction but EMMS does to the x87's stack, once it can no longer fault. */
/* An MMX instruction that may fault yet when it stores: processors have cleared TOP by then. */
static inline void mmx_begin_store(struct cpu_state *cpu)
{
    cpu->x87.status &= (uint16_t) ~(unsigned)X87_TOP;
}

static inline void mmx_commit(struct cpu_state *cpu)
{
    cpu->x87.status &= (uint16_t) ~(unsigned)X87_TOP;
    cpu->x87.full = 0xff;
}

static inline struct xmm_register *xmm_at(struct cpu_state *cpu, unsigned offset)
{
    return (struct xmm_register *)(void *)((char *)cpu + offset);
}

static inline struct float80 *mmx_at(struct cpu_state *cpu, unsigned offset)
{
    return (struct float80 *)(void *)((char *)cpu + offset);
}

static inline uint64_t mmx_read(struct cpu_state *cpu, unsigned offset)
{
    return mmx_at(cpu, offset)->significand;
}

static inline void mmx_write(struct cpu_state *cpu, unsigned offset, uint64_t value)
{
    *mmx_at(cpu, offset) = (struct float80){.significand = value, .sign_exponent = 0xffff};
}

static inline void simd_require_aligned(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (UNLIKELY((cpu->segment[uop->segment].base + effective_address(cpu, uop)) & (XMM_SIZE - 1))) {
        simd_raise_misaligned(cpu, in);
    }
}

/* The second operand: an XMM register whole, or `size` bytes of memory with zeros behind; 16 must be aligned.
 */
static inline struct xmm_register xmm_source(struct cpu_state *cpu, const struct uop *uop,
                                             struct interpreter *in, unsigned size)
{
    struct xmm_register value = {{0}};
    if (uop->source != 0) {
        return *xmm_at(cpu, uop->source);
    }
    if (size == XMM_SIZE) {
        simd_require_aligned(cpu, uop, in);
        operand_load_block(cpu, uop, in, value.b, XMM_SIZE);
    } else {
        store_le(value.b, size, memory_load(cpu, uop, in, size));
    }
    return value;
}

static inline uint64_t mmx_source(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    return uop->source != 0 ? mmx_read(cpu, uop->source) : memory_load(cpu, uop, in, MMX_SIZE);
}

/* Takes exception flags into MXCSR; raises when one is not masked. */
static inline void sse_signal(struct cpu_state *cpu, struct interpreter *in, unsigned flags)
{
    cpu->mxcsr |= flags;
    if (UNLIKELY(flags & ~(cpu->mxcsr >> MXCSR_MASK_SHIFT))) {
        simd_raise_exception(cpu, in);
    }
}

#endif
