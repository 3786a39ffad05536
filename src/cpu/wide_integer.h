/* 128-bit unsigned integers in two 64-bit halves, for the software floating-point arithmetic, on hosts with
 * and without a 128-bit type. */
#ifndef DOPPEL_CPU_WIDE_INTEGER_H
#define DOPPEL_CPU_WIDE_INTEGER_H

#include <stdbool.h>
#include <stdint.h>

struct wide {
    uint64_t high, low;
};

static inline unsigned wide_leading_zeros(uint64_t value)
{
    return value == 0 ? 64 : (unsigned)__builtin_clzll(value);
}

static inline bool wide_is_less(struct wide a, struct wide b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* a + b; *carry gets the carry out. */
static inline struct wide wide_add(struct wide a, struct wide b, bool *carry)
{
    struct wide sum = {.low = a.low + b.low};
    uint64_t carry_in = sum.low < a.low;
    uint64_t high = a.high + b.high;
    sum.high = high + carry_in;
    *carry = high < a.high || sum.high < high;
    return sum;
}

static inline struct wide wide_subtract(struct wide a, struct wide b)
{
    return (struct wide){.high = a.high - b.high - (a.low < b.low), .low = a.low - b.low};
}

static inline struct wide wide_shift_left(struct wide a, unsigned count)
{
    if (count == 0) {
        return a;
    }
    if (count >= 128) {
        return (struct wide){0, 0};
    }
    if (count >= 64) {
        return (struct wide){.high = a.low << (count - 64), .low = 0};
    }
    return (struct wide){.high = a.high << count | a.low >> (64 - count), .low = a.low << count};
}

static inline struct wide wide_shift_right(struct wide a, unsigned count)
{
    if (count == 0) {
        return a;
    }
    if (count >= 128) {
        return (struct wide){0, 0};
    }
    if (count >= 64) {
        return (struct wide){.high = 0, .low = a.high >> (count - 64)};
    }
    return (struct wide){.high = a.high >> count, .low = a.low >> count | a.high << (64 - count)};
}

/* Shifts right and keeps in bit 0 whether any bit was lost ("sticky"). */
static inline struct wide wide_shift_right_sticky(struct wide a, unsigned count)
{
    struct wide shifted = wide_shift_right(a, count);
    struct wide back = wide_shift_left(shifted, count);
    bool lost = count >= 128 ? (a.high | a.low) != 0 : back.high != a.high || back.low != a.low;
    shifted.low |= lost;
    return shifted;
}

static inline struct wide wide_multiply(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (struct wide){.high = (uint64_t)(product >> 64), .low = (uint64_t)product};
#else
    uint64_t a0 = a & 0xffffffffu, a1 = a >> 32;
    uint64_t b0 = b & 0xffffffffu, b1 = b >> 32;
    uint64_t low = a0 * b0;
    uint64_t middle = a1 * b0 + (low >> 32);
    uint64_t other = a0 * b1 + (middle & 0xffffffffu);
    return (struct wide){.high = a1 * b1 + (middle >> 32) + (other >> 32),
                         .low = other << 32 | (low & 0xffffffffu)};
#endif
}

/* (a * 2^64 + low) / divisor for a < divisor and a divisor with its top bit set (Knuth, TAOCP 4.3.1 algorithm
 * D with 32-bit digits). */
static inline uint64_t wide_divide(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *remainder)
{
    uint64_t d1 = divisor >> 32;
    uint64_t d0 = divisor & 0xffffffffu;
    uint64_t quotient = 0;
    for (unsigned step = 0; step < 2; step++) {
        uint64_t next = step == 0 ? low >> 32 : low & 0xffffffffu;
        uint64_t digit = high / d1;
        uint64_t rest = high % d1;
        while (digit >> 32 != 0 || digit * d0 > (rest << 32 | next)) {
            digit--;
            rest += d1;
            if (rest >> 32 != 0) {
                break;
            }
        }
        high = (high << 32 | next) - digit * divisor;
        quotient = quotient << 32 | digit;
    }
    *remainder = high;
    return quotient;
}

#endif
