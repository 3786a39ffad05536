/* The x87's basic arithmetic in integers: add, subtract, multiply, divide, square root, scale, round,
 * remainders and the conversions to shorter formats, equal to the processor to the last bit and flag (SDM 1
 * chapters 4 and 8; NaNs: SDM 1 table 4-7). */
#include "cpu/soft_x87.h"

static struct rounding control_rounding(const struct x87_state *x87)
{
    return (struct rounding){.mode = (enum x87_rounding)(x87->control >> X87_ROUNDING_SHIFT & 3),
                             .masks = x87->control & X87_EXCEPTIONS};
}

/* The 80-bit format with the significand that precision control allows; its reserved value is full precision.
 */
static struct float_format control_format(const struct x87_state *x87)
{
    static const uint8_t precisions[4] = {24, 64, 53, 64};
    struct float_format format = soft_format_float80;
    format.precision = precisions[x87->control >> X87_PRECISION_SHIFT & 3];
    return format;
}

static struct float80 pack(const struct rounded *a, bool sign)
{
    if (a->infinity) {
        return float80_infinity(sign);
    }
    int32_t exponent = a->significand >> 63 ? a->exponent + FLOAT80_BIAS : 0;
    return (struct float80){.significand = a->significand,
                            .sign_exponent = (uint16_t)((unsigned)exponent | (sign ? FLOAT80_SIGN : 0u))};
}

static unsigned store(const struct x87_state *x87, const struct number *a, const struct float_format *format,
                      struct float80 *result)
{
    struct rounded rounded = number_round(a, format, control_rounding(x87));
    *result = pack(&rounded, a->sign);
    return rounded.flags;
}

unsigned soft_x87_store(const struct x87_state *x87, const struct number *a, struct float80 *result)
{
    return store(x87, a, &soft_format_float80, result);
}

unsigned soft_x87_invalid(struct float80 *result)
{
    *result = float80_indefinite();
    return X87_IE;
}

static struct float80 quieted(struct float80 a)
{
    a.significand |= FLOAT80_QUIET;
    return a;
}

static struct float80 larger_nan(struct float80 a, struct float80 b)
{
    if (a.significand != b.significand) {
        return a.significand > b.significand ? a : b;
    }
    return a.sign_exponent < b.sign_exponent ? a : b;
}

bool soft_x87_special_unary(struct float80 a, struct float80 *result, unsigned *flags)
{
    enum float_class class = float80_classify(a);
    *flags = class == FLOAT_DENORMAL ? X87_DE : 0;
    if (class == FLOAT_UNSUPPORTED) {
        *flags = soft_x87_invalid(result);
        return true;
    }
    if (float_class_is_nan(class)) {
        *flags = class == FLOAT_SIGNALLING_NAN ? X87_IE : 0;
        *result = quieted(a);
        return true;
    }
    return false;
}

bool soft_x87_special_binary(struct float80 a, struct float80 b, struct float80 *result, unsigned *flags)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    if (class_a == FLOAT_UNSUPPORTED || class_b == FLOAT_UNSUPPORTED) {
        *flags = soft_x87_invalid(result);
        return true;
    }
    if (!float_class_is_nan(class_a) && !float_class_is_nan(class_b)) {
        *flags = class_a == FLOAT_DENORMAL || class_b == FLOAT_DENORMAL ? X87_DE : 0;
        return false;
    }
    bool signalling_a = class_a == FLOAT_SIGNALLING_NAN;
    bool signalling_b = class_b == FLOAT_SIGNALLING_NAN;
    *flags = signalling_a || signalling_b ? X87_IE : 0;
    if (!float_class_is_nan(class_b) || (float_class_is_nan(class_a) && signalling_b && !signalling_a)) {
        *result = quieted(a);
    } else if (!float_class_is_nan(class_a) || (signalling_a && !signalling_b)) {
        *result = quieted(b);
    } else {
        *result = quieted(larger_nan(a, b));
    }
    return true;
}

/* ---- add, subtract
 * -------------------------------------------------------------------------------------------------------------
 */

static unsigned add_signed(const struct x87_state *x87, struct float80 a, struct float80 b,
                           struct float80 *result)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    bool signs_differ = float80_sign(a) != float80_sign(b);
    if (class_a == FLOAT_INFINITY || class_b == FLOAT_INFINITY) {
        if (class_a == class_b && signs_differ) {
            return soft_x87_invalid(result);
        }
        *result = class_a == FLOAT_INFINITY ? a : b;
        return 0;
    }
    bool round_down = control_rounding(x87).mode == ROUND_DOWN;
    if (class_a == FLOAT_ZERO && class_b == FLOAT_ZERO) {
        *result = float80_zero(signs_differ ? round_down : float80_sign(a));
        return 0;
    }
    struct float_format format = control_format(x87);
    struct number sum;
    if (class_a == FLOAT_ZERO || class_b == FLOAT_ZERO) {
        sum = number_from_float80(class_a == FLOAT_ZERO ? b : a);
    } else {
        struct number x = number_from_float80(a);
        struct number y = number_from_float80(b);
        if (!number_add(&x, &y, &sum)) {
            *result = float80_zero(round_down);
            return 0;
        }
    }
    return store(x87, &sum, &format, result);
}

unsigned x87_soft_add(const struct x87_state *x87, struct float80 a, struct float80 b, struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, add_signed(x87, a, b, result));
}

unsigned x87_soft_subtract(const struct x87_state *x87, struct float80 a, struct float80 b,
                           struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    b.sign_exponent ^= FLOAT80_SIGN;
    return soft_x87_combine(x87, flags, add_signed(x87, a, b, result));
}

/* ---- multiply, divide, square root
 * --------------------------------------------------------------------------------------------- */

static unsigned multiply(const struct x87_state *x87, struct float80 a, struct float80 b,
                         struct float80 *result)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    bool sign = float80_sign(a) != float80_sign(b);
    bool zero = class_a == FLOAT_ZERO || class_b == FLOAT_ZERO;
    if (class_a == FLOAT_INFINITY || class_b == FLOAT_INFINITY) {
        *result = float80_infinity(sign);
        return zero ? soft_x87_invalid(result) : 0;
    }
    if (zero) {
        *result = float80_zero(sign);
        return 0;
    }
    struct float_format format = control_format(x87);
    struct number x = number_from_float80(a);
    struct number y = number_from_float80(b);
    struct number product = number_multiply(&x, &y);
    return store(x87, &product, &format, result);
}

unsigned x87_soft_multiply(const struct x87_state *x87, struct float80 a, struct float80 b,
                           struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, multiply(x87, a, b, result));
}

static unsigned divide(const struct x87_state *x87, struct float80 a, struct float80 b,
                       struct float80 *result)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    bool sign = float80_sign(a) != float80_sign(b);
    if (class_a == class_b && (class_a == FLOAT_INFINITY || class_a == FLOAT_ZERO)) {
        return soft_x87_invalid(result);
    }
    if (class_a == FLOAT_INFINITY || class_b == FLOAT_ZERO) {
        *result = float80_infinity(sign);
        return class_a == FLOAT_INFINITY ? 0 : X87_ZE;
    }
    if (class_a == FLOAT_ZERO || class_b == FLOAT_INFINITY) {
        *result = float80_zero(sign);
        return 0;
    }
    struct float_format format = control_format(x87);
    struct number x = number_from_float80(a);
    struct number y = number_from_float80(b);
    struct number quotient = number_divide(&x, &y);
    return store(x87, &quotient, &format, result);
}

unsigned x87_soft_divide(const struct x87_state *x87, struct float80 a, struct float80 b,
                         struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, divide(x87, a, b, result));
}

unsigned x87_soft_square_root(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_unary(a, result, &flags)) {
        return flags;
    }
    enum float_class class = float80_classify(a);
    *result = a;
    if (class == FLOAT_ZERO) {
        return 0;
    }
    if (float80_sign(a)) {
        return soft_x87_invalid(result);
    }
    if (class == FLOAT_INFINITY) {
        return 0;
    }
    struct float_format format = control_format(x87);
    struct number x = number_from_float80(a);
    struct number root = number_square_root(&x);
    return soft_x87_combine(x87, flags, store(x87, &root, &format, result));
}

/* ---- FRNDINT, FSCALE
 * -----------------------------------------------------------------------------------------------------------
 */

unsigned x87_soft_round_to_integer(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_unary(a, result, &flags)) {
        return flags;
    }
    enum float_class class = float80_classify(a);
    *result = a;
    if (class == FLOAT_ZERO || class == FLOAT_INFINITY) {
        return 0;
    }
    struct number x = number_from_float80(a);
    if (x.exponent >= 63) {
        return 0;
    }
    uint64_t integer;
    bool inexact, up;
    if (number_round_to_integer(&x, control_rounding(x87).mode, &integer, &inexact, &up)) {
        struct number value = number_make(x.sign, 63, integer);
        soft_x87_store(x87, &value, result);
    } else {
        *result = float80_zero(x.sign);
    }
    return soft_x87_combine(x87, flags, (inexact ? X87_PE : 0u) | (up ? X87_C1 : 0u));
}

/* A pseudo-denormal as the normal number that it is. */
static struct float80 normalized(struct float80 a)
{
    bool pseudo = (a.sign_exponent & FLOAT80_EXPONENT) == 0 && (a.significand & FLOAT80_INTEGER);
    a.sign_exponent = (uint16_t)(a.sign_exponent | (pseudo ? 1u : 0u));
    return a;
}

/* Far outside any exponent, so that scaling by it overflows or underflows whatever it meets. */
#define SCALE_LIMIT 0x10000

static int32_t scale_exponent(struct float80 b)
{
    struct number x = number_from_float80(b);
    if (x.exponent < 0) {
        return 0;
    }
    int32_t magnitude = x.exponent > 16 ? SCALE_LIMIT : (int32_t)(x.high >> (63 - x.exponent));
    magnitude = magnitude > SCALE_LIMIT ? SCALE_LIMIT : magnitude;
    return x.sign ? -magnitude : magnitude;
}

static unsigned scale(const struct x87_state *x87, struct float80 a, struct float80 b, struct float80 *result)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    *result = a;
    if (class_b == FLOAT_INFINITY) {
        if (float80_sign(b)) {
            *result = float80_zero(float80_sign(a));
            return class_a == FLOAT_INFINITY ? soft_x87_invalid(result) : 0;
        }
        *result = float80_infinity(float80_sign(a));
        return class_a == FLOAT_ZERO ? soft_x87_invalid(result) : 0;
    }
    if (class_a == FLOAT_ZERO || class_a == FLOAT_INFINITY) {
        return 0;
    }
    if (class_b == FLOAT_ZERO) {
        *result = normalized(a);
        return 0;
    }
    struct number x = number_from_float80(a);
    x.exponent += scale_exponent(b);
    unsigned flags = soft_x87_store(x87, &x, result);
    unsigned unmasked = flags & ~(unsigned)x87->control;
    if ((unmasked & X87_OE) && float80_classify(*result) == FLOAT_INFINITY) {
        return X87_OE | X87_PE |
               X87_C1; /* too much for the wrapped exponent: the masked response after all */
    }
    if ((unmasked & X87_UE) && float80_classify(*result) == FLOAT_ZERO) {
        return X87_UE | X87_PE;
    }
    return flags;
}

unsigned x87_soft_scale(const struct x87_state *x87, struct float80 a, struct float80 b,
                        struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, scale(x87, a, b, result));
}

/* ---- FPREM, FPREM1
 * -------------------------------------------------------------------------------------------------------------
 */

/* x * 2^count mod y for significands x < y; *quotient gets the low bits of the quotient. */
static uint64_t reduce(uint64_t x, uint64_t y, unsigned count, uint64_t *quotient)
{
    while (count-- > 0) {
        bool carry = x >> 63;
        x <<= 1;
        *quotient <<= 1;
        if (carry || x >= y) {
            x -= y;
            *quotient |= 1;
        }
    }
    return x;
}

static unsigned quotient_codes(uint64_t quotient)
{
    return (quotient & 1 ? X87_C1 : 0u) | (quotient & 2 ? X87_C3 : 0u) | (quotient & 4 ? X87_C0 : 0u);
}

/* Whether the remainder `rest` (in units of 2^(y.exponent - 63), less than y) is to be taken from y: FPREM1
 * rounds the quotient to nearest. */
static bool nearer_above(uint64_t rest, uint64_t y, uint64_t quotient)
{
    uint64_t complement = y - rest;
    return rest > complement || (rest == complement && (quotient & 1));
}

static unsigned remainder_of(const struct x87_state *x87, struct float80 a, struct float80 b, bool nearest,
                             struct float80 *result)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    if (class_a == FLOAT_INFINITY || class_b == FLOAT_ZERO) {
        return soft_x87_invalid(result);
    }
    *result = a;
    if (class_a == FLOAT_ZERO || class_b == FLOAT_INFINITY) {
        *result = normalized(a);
        return 0;
    }
    struct number x = number_from_float80(a);
    struct number y = number_from_float80(b);
    int32_t distance = x.exponent - y.exponent;
    uint64_t quotient = 0;
    if (distance < -1 || (distance == -1 && !nearest)) {
        return soft_x87_store(x87, &x, result);
    }
    if (distance == -1) {
        /* |x| < |y|; half of y may be less */
        bool above = x.high > y.high;
        if (!above) {
            return soft_x87_store(x87, &x, result);
        }
        struct number negated = y;
        struct number difference;
        negated.sign = !x.sign;
        number_add(&x, &negated, &difference);
        return quotient_codes(1) | (soft_x87_store(x87, &difference, result) & ~(unsigned)X87_C1);
    }
    unsigned partial = 0;
    if (distance >= 64) {
        unsigned steps = ((unsigned)distance & 31) | 32;
        partial = X87_C2;
        y.exponent += distance - (int32_t)steps;
        distance = (int32_t)steps;
    }
    if (x.high >= y.high) {
        x.high -= y.high;
        quotient = 1;
    }
    uint64_t rest = reduce(x.high, y.high, (unsigned)distance, &quotient);
    bool sign = x.sign;
    if (!partial && nearest && nearer_above(rest, y.high, quotient)) {
        rest = y.high - rest;
        sign = !sign;
        quotient++;
    }
    unsigned codes = partial ? partial : quotient_codes(quotient);
    if (rest == 0) {
        *result = float80_zero(x.sign);
        return codes;
    }
    struct number value = number_make(sign, y.exponent, rest);
    return codes | (soft_x87_store(x87, &value, result) & ~(unsigned)X87_C1);
}

unsigned x87_soft_remainder_truncated(const struct x87_state *x87, struct float80 a, struct float80 b,
                                      struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, remainder_of(x87, a, b, false, result));
}

unsigned x87_soft_remainder_nearest(const struct x87_state *x87, struct float80 a, struct float80 b,
                                    struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, remainder_of(x87, a, b, true, result));
}

/* ---- conversions to shorter formats
 * -------------------------------------------------------------------------------------------- */

/* The bits of `a` in a format with `fraction` bits behind the point. */
static unsigned narrow(const struct x87_state *x87, struct float80 a, const struct float_format *format,
                       unsigned fraction, int32_t bias, uint64_t *bits)
{
    unsigned width = fraction == FLOAT32_FRACTION ? 32 : 64;
    uint64_t ones = bits_mask(width - 1 - fraction) << fraction;
    uint64_t sign = (uint64_t)float80_sign(a) << (width - 1);
    uint64_t quiet = (uint64_t)1 << (fraction - 1);
    switch (float80_classify(a)) {
    case FLOAT_UNSUPPORTED: *bits = (uint64_t)1 << (width - 1) | ones | quiet; return X87_IE;
    case FLOAT_ZERO: *bits = sign; return 0;
    case FLOAT_INFINITY: *bits = sign | ones; return 0;
    case FLOAT_QUIET_NAN:
    case FLOAT_SIGNALLING_NAN:
        *bits = sign | ones | quiet | (a.significand << 1 >> (64 - fraction));
        return float80_classify(a) == FLOAT_SIGNALLING_NAN ? X87_IE : 0;
    default: break;
    }
    struct number x = number_from_float80(a);
    struct rounded rounded = number_round(&x, format, control_rounding(x87));
    *bits = rounded_pack(&rounded, x.sign, fraction, bias);
    unsigned unmasked = rounded.flags & (X87_OE | X87_UE) & ~(unsigned)x87->control;
    return unmasked != 0 ? unmasked : rounded.flags; /* nothing is stored then */
}

unsigned x87_soft_to_float32(const struct x87_state *x87, struct float80 a, uint32_t *bits)
{
    uint64_t wide;
    unsigned flags = narrow(x87, a, &soft_format_float32, FLOAT32_FRACTION, FLOAT32_BIAS, &wide);
    *bits = (uint32_t)wide;
    return flags;
}

unsigned x87_soft_to_float64(const struct x87_state *x87, struct float80 a, uint64_t *bits)
{
    return narrow(x87, a, &soft_format_float64, FLOAT64_FRACTION, FLOAT64_BIAS, bits);
}
