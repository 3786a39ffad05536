/* Floating-point numbers as integers, and their rounding to the formats of x87 and SSE: what the software
 * implementations of both share.
 *
 * A number is finite and not zero: the value is (high + low / 2^64) * 2^(exponent - 63), bit 63 of `high`
 * set. Bit 0 of `low` is sticky: it stands for anything nonzero below. Flags are those of enum x87_exception,
 * X87_C1 included. Rules: SDM 1 §4.8.4 and §4.9.1, §8.5. */
#ifndef DOPPEL_CPU_SOFT_NUMBER_H
#define DOPPEL_CPU_SOFT_NUMBER_H

#include "cpu/wide_integer.h"
#include "cpu/x87.h"

struct number {
    uint64_t high, low;
    int32_t exponent;
    bool sign;
};

struct float_format {
    unsigned precision;       /* bits of the significand */
    int32_t minimum, maximum; /* exponents of normal numbers */
    int32_t wrap;             /* what unmasked overflow and underflow take off the exponent or add to it */
};

extern const struct float_format soft_format_float32, soft_format_float64, soft_format_float80;

struct rounding {
    enum x87_rounding mode;
    unsigned masks; /* X87_OE, X87_UE set: masked */
    bool flush;     /* MXCSR.FZ, with underflow masked: tiny results become zero */
};

/* A rounded number: bit 63 of the significand is the format's integer bit, clear for denormals and zero. */
struct rounded {
    uint64_t significand;
    int32_t exponent;
    unsigned flags;
    bool infinity;
};

struct rounded number_round(const struct number *a, const struct float_format *format,
                            struct rounding rounding);

/* Sum of two numbers; false when it is exactly zero. */
bool number_add(const struct number *a, const struct number *b, struct number *sum);
struct number number_multiply(const struct number *a, const struct number *b);
struct number number_divide(const struct number *a, const struct number *b);
/* For positive numbers. */
struct number number_square_root(const struct number *a);
/* The magnitude of a, rounded to an integer; false when that is zero. The exponent is at most 63; a carry out
 * of the top leaves zero with *rounded_up set. */
bool number_round_to_integer(const struct number *a, enum x87_rounding mode, uint64_t *integer, bool *inexact,
                             bool *rounded_up);

/* The number `significand` * 2^(exponent - 63), significand not zero. */
static inline struct number number_make(bool sign, int32_t exponent, uint64_t significand)
{
    unsigned shift = wide_leading_zeros(significand);
    return (struct number){.high = significand << shift, .exponent = exponent - (int32_t)shift, .sign = sign};
}

/* A float80 that is FLOAT_NORMAL or FLOAT_DENORMAL. */
static inline struct number number_from_float80(struct float80 a)
{
    int32_t exponent = a.sign_exponent & FLOAT80_EXPONENT;
    return number_make(float80_sign(a), (exponent == 0 ? 1 : exponent) - FLOAT80_BIAS, a.significand);
}

/* Bits 0-23 or 0-52 of the IEEE formats. */
enum float32_bits { FLOAT32_FRACTION = 23, FLOAT32_BIAS = 127 };
enum float64_bits { FLOAT64_FRACTION = 52, FLOAT64_BIAS = 1023 };

/* The bits of a rounded number in a format with `fraction` bits behind an implied integer bit. */
static inline uint64_t rounded_pack(const struct rounded *a, bool sign, unsigned fraction, int32_t bias)
{
    unsigned width = fraction == FLOAT32_FRACTION ? 32 : 64;
    uint64_t exponent_ones = bits_mask(width - 1 - fraction);
    uint64_t bits;
    if (a->infinity) {
        bits = exponent_ones << fraction;
    } else {
        uint64_t exponent = a->significand >> 63 ? (uint64_t)(a->exponent + bias) : 0;
        bits = exponent << fraction | (a->significand >> (63 - fraction) & bits_mask(fraction));
    }
    return bits | (uint64_t)sign << (width - 1);
}

#endif
