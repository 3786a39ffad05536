/* SSE's floating-point arithmetic on vectors (SDM 1 chapters 10 and 11).
 *
 * Every operation obeys rounding, DAZ, FZ and masks of `mxcsr` and returns the exception flags it raises
 * (enum x87_exception); bits of MXCSR that are already set do not matter. When an exception found before the
 * operation (#I, #D, #Z) is unmasked in any element, only such flags are reported. The result is that of the
 * masked response and means nothing when a flag is unmasked.
 *
 * Arithmetic exists twice: sse_soft_*() in integers, sse_host_*() on an x86 host's own SSE, equal to the last
 * bit and flag except for the approximations RCPPS and RSQRTPS, whose bits differ between processors too
 * (relative error at most 1.5 * 2^-12). */
#ifndef DOPPEL_CPU_SSE_ARITHMETIC_H
#define DOPPEL_CPU_SSE_ARITHMETIC_H

#include "cpu/x87.h"

enum sse_operation {
    SSE_ADD,
    SSE_SUBTRACT,
    SSE_MULTIPLY,
    SSE_DIVIDE,
    SSE_MINIMUM,
    SSE_MAXIMUM,
    SSE_SQUARE_ROOT
};
#define SSE_OPERATIONS 7

/* PS, PD, SS, SD. Scalar operations leave the rest of *result alone. */
enum sse_format { SSE_PACKED_32, SSE_PACKED_64, SSE_SCALAR_32, SSE_SCALAR_64 };

static inline unsigned sse_element_size(enum sse_format format)
{
    return format == SSE_PACKED_32 || format == SSE_SCALAR_32 ? 4 : 8;
}

static inline unsigned sse_vector_size(enum sse_format format)
{
    return format == SSE_PACKED_32 || format == SSE_PACKED_64 ? 16 : sse_element_size(format);
}

unsigned sse_soft_operate(uint32_t mxcsr, enum sse_operation operation, enum sse_format format,
                          const struct xmm_register *a, const struct xmm_register *b,
                          struct xmm_register *result);
unsigned sse_host_operate(uint32_t mxcsr, enum sse_operation operation, enum sse_format format,
                          const struct xmm_register *a, const struct xmm_register *b,
                          struct xmm_register *result);

/* One element of RCPPS and RSQRTPS; no exceptions. */
uint32_t sse_soft_reciprocal(uint32_t a);
uint32_t sse_soft_reciprocal_root(uint32_t a);
uint32_t sse_host_reciprocal(uint32_t a);
uint32_t sse_host_reciprocal_root(uint32_t a);

#if DOPPEL_HOST_X87 && defined(__SSE2__)
#define SSE_PREFERRED(name) sse_host_##name
#else
#define SSE_PREFERRED(name) sse_soft_##name
#endif

static inline unsigned sse_operate(uint32_t mxcsr, enum sse_operation operation, enum sse_format format,
                                   const struct xmm_register *a, const struct xmm_register *b,
                                   struct xmm_register *result)
{
    return SSE_PREFERRED(operate)(mxcsr, operation, format, a, b, result);
}

static inline uint32_t sse_reciprocal(uint32_t a)
{
    return SSE_PREFERRED(reciprocal)(a);
}

static inline uint32_t sse_reciprocal_root(uint32_t a)
{
    return SSE_PREFERRED(reciprocal_root)(a);
}

/* ---- comparisons and conversions: exact or rounded once, one implementation ---- */

/* Predicate 0..7 of CMPPS and so on: all ones or zeros in each element. */
unsigned sse_compare(uint32_t mxcsr, unsigned predicate, enum sse_format format, const struct xmm_register *a,
                     const struct xmm_register *b, struct xmm_register *result);
/* COMISS, COMISD (`quiet`: UCOMIS): ZF PF CF as in EFLAGS. */
unsigned sse_compare_scalar(uint32_t mxcsr, bool quiet, unsigned size, uint64_t a, uint64_t b,
                            uint32_t *eflags);
unsigned sse_float32_to_float64(uint32_t mxcsr, uint32_t a, uint64_t *result);
unsigned sse_float64_to_float32(uint32_t mxcsr, uint64_t a, uint32_t *result);
/* `size`: 4 or 8 bytes of float. */
unsigned sse_float_to_int32(uint32_t mxcsr, uint64_t a, unsigned size, bool truncate, uint32_t *result);
unsigned sse_int32_to_float32(uint32_t mxcsr, uint32_t a, uint32_t *result);
uint64_t sse_int32_to_float64(uint32_t a);

#endif
