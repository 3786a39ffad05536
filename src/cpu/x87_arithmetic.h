/* Arithmetic on 80-bit numbers as the x87 does it, apart from its register stack.
 *
 * Every operation takes the precision, rounding and masks of x87->control, and returns the exception flags it
 * raises (enum x87_exception) and condition codes (C1: rounded up) at their places in the status word. It
 * stores the masked response, or for an unmasked overflow or underflow the result with its exponent wrapped
 * (SDM 1 §8.5); after an unmasked #I, #D or #Z (x87_is_blocked()) the result means nothing. Operations may
 * report #P when x87->status has it already.
 *
 * Most operations exist twice: x87_soft_*() in integer arithmetic on any host, x87_host_*() on the x87 of an
 * x86 host (DOPPEL_HOST_X87). Those without a prefix are the ones the build prefers. Basic operations are
 * equal to the last bit and flag; transcendental functions may differ by one unit in the last place.
 * References: SDM 1 chapters 4 and 8, SDM 2 (the instruction in each comment).
 *
 * The operands of two-operand functions are ST(0) and ST(1) in this order: logarithm is ST(1) * log2(ST(0)).
 */
#ifndef DOPPEL_CPU_X87_ARITHMETIC_H
#define DOPPEL_CPU_X87_ARITHMETIC_H

#include "cpu/x87.h"

typedef unsigned x87_unary(const struct x87_state *x87, struct float80 a, struct float80 *result);
typedef unsigned x87_binary(const struct x87_state *x87, struct float80 a, struct float80 b,
                            struct float80 *result);
typedef unsigned x87_pair(const struct x87_state *x87, struct float80 a, struct float80 *result,
                          struct float80 *pushed);

#define X87_UNARY(name)  x87_unary x87_soft_##name, x87_host_##name;
#define X87_BINARY(name) x87_binary x87_soft_##name, x87_host_##name;
#define X87_PAIR(name)   x87_pair x87_soft_##name, x87_host_##name;
#include "cpu/x87_operation.def"
#undef X87_UNARY
#undef X87_BINARY
#undef X87_PAIR

unsigned x87_soft_to_float32(const struct x87_state *x87, struct float80 a, uint32_t *bits); /* FST m32 */
unsigned x87_host_to_float32(const struct x87_state *x87, struct float80 a, uint32_t *bits);
unsigned x87_soft_to_float64(const struct x87_state *x87, struct float80 a, uint64_t *bits); /* FST m64 */
unsigned x87_host_to_float64(const struct x87_state *x87, struct float80 a, uint64_t *bits);

#if DOPPEL_HOST_X87
#define X87_PREFERRED(name) x87_host_##name
#else
#define X87_PREFERRED(name) x87_soft_##name
#endif

#define X87_UNARY(name)                                                                                      \
    static inline unsigned x87_##name(const struct x87_state *x87, struct float80 a, struct float80 *result) \
    {                                                                                                        \
        return X87_PREFERRED(name)(x87, a, result);                                                          \
    }
#define X87_BINARY(name)                                                                                     \
    static inline unsigned x87_##name(const struct x87_state *x87, struct float80 a, struct float80 b,       \
                                      struct float80 *result)                                                \
    {                                                                                                        \
        return X87_PREFERRED(name)(x87, a, b, result);                                                       \
    }
#define X87_PAIR(name)                                                                                       \
    static inline unsigned x87_##name(const struct x87_state *x87, struct float80 a, struct float80 *result, \
                                      struct float80 *pushed)                                                \
    {                                                                                                        \
        return X87_PREFERRED(name)(x87, a, result, pushed);                                                  \
    }
#include "cpu/x87_operation.def"
#undef X87_UNARY
#undef X87_BINARY
#undef X87_PAIR

static inline unsigned x87_to_float32(const struct x87_state *x87, struct float80 a, uint32_t *bits)
{
    return X87_PREFERRED(to_float32)(x87, a, bits);
}

static inline unsigned x87_to_float64(const struct x87_state *x87, struct float80 a, uint64_t *bits)
{
    return X87_PREFERRED(to_float64)(x87, a, bits);
}

/* ---- operations that are exact or simple enough to exist once (x87_convert.c) ---- */

/* FLD m32, m64: quiets signalling NaNs (#I), reports denormals (#D). */
unsigned x87_from_float32(uint32_t bits, struct float80 *result);
unsigned x87_from_float64(uint64_t bits, struct float80 *result);
/* The same value as an operand of arithmetic: NaNs are left alone; returns #D for a denormal. */
unsigned x87_widen_float32(uint32_t bits, struct float80 *result);
unsigned x87_widen_float64(uint64_t bits, struct float80 *result);
/* FILD. */
struct float80 x87_from_integer(int64_t value);
/* FIST, FISTTP: `width` 2, 4 or 8 bytes; out of range is #I and the integer indefinite. */
unsigned x87_to_integer(const struct x87_state *x87, struct float80 a, unsigned width, bool truncate,
                        int64_t *result);
/* FBLD, FBSTP: ten bytes of packed decimal. */
struct float80 x87_from_decimal(const uint8_t *bytes);
unsigned x87_to_decimal(const struct x87_state *x87, struct float80 a, uint8_t *bytes);
/* FCOM (`quiet`: FUCOM): C3 C2 C0 and exceptions. */
unsigned x87_compare(struct float80 a, struct float80 b, bool quiet);
/* FXTRACT: the exponent as a number, and the significand. */
unsigned x87_extract(struct float80 a, struct float80 *exponent, struct float80 *significand);

/* FLDPI and friends: rounded as x87->control says. */
enum x87_constant { X87_LOG2_10, X87_LOG2_E, X87_PI, X87_LOG10_2, X87_LN_2 };
struct float80 x87_constant(const struct x87_state *x87, enum x87_constant constant);

#endif
