/* x87 operations that are exact or round to an integer, and so need no second implementation: loads,
 * integers, decimals, comparisons, FXTRACT, constants. */
#include "cpu/soft_x87.h"

/* The value of a number with `fraction` bits behind the point in the wider format. */
static unsigned widen(uint64_t bits, unsigned fraction, int32_t bias, bool sign, struct float80 *result)
{
    uint64_t significand = bits & bits_mask(fraction);
    int32_t exponent = (int32_t)(bits >> fraction) & (2 * bias + 1);
    uint16_t sign_bit = sign ? FLOAT80_SIGN : 0;
    if (exponent == 2 * bias + 1) {
        *result = (struct float80){.significand = FLOAT80_INTEGER | significand << (63 - fraction),
                                   .sign_exponent = (uint16_t)(sign_bit | FLOAT80_EXPONENT)};
        return 0;
    }
    if (exponent != 0) {
        *result = (struct float80){.significand = FLOAT80_INTEGER | significand << (63 - fraction),
                                   .sign_exponent = (uint16_t)(sign_bit | (exponent - bias + FLOAT80_BIAS))};
        return 0;
    }
    if (significand == 0) {
        *result = float80_zero(sign);
        return 0;
    }
    unsigned shift = wide_leading_zeros(significand);
    exponent = 1 - bias + (63 - (int32_t)fraction) - (int32_t)shift;
    *result = (struct float80){.significand = significand << shift,
                               .sign_exponent = (uint16_t)(sign_bit | (exponent + FLOAT80_BIAS))};
    return X87_DE;
}

unsigned x87_widen_float32(uint32_t bits, struct float80 *result)
{
    return widen(bits, FLOAT32_FRACTION, FLOAT32_BIAS, bits >> 31, result);
}

unsigned x87_widen_float64(uint64_t bits, struct float80 *result)
{
    return widen(bits, FLOAT64_FRACTION, FLOAT64_BIAS, bits >> 63, result);
}

static unsigned quiet(unsigned flags, struct float80 *result)
{
    if (float80_classify(*result) == FLOAT_SIGNALLING_NAN) {
        result->significand |= FLOAT80_QUIET;
        return X87_IE;
    }
    return flags;
}

unsigned x87_from_float32(uint32_t bits, struct float80 *result)
{
    return quiet(x87_widen_float32(bits, result), result);
}

unsigned x87_from_float64(uint64_t bits, struct float80 *result)
{
    return quiet(x87_widen_float64(bits, result), result);
}

/* ---- integers
 * ------------------------------------------------------------------------------------------------------------------
 */

static struct float80 from_magnitude(bool sign, uint64_t magnitude)
{
    if (magnitude == 0) {
        return float80_zero(sign);
    }
    unsigned shift = wide_leading_zeros(magnitude);
    return (struct float80){.significand = magnitude << shift,
                            .sign_exponent =
                                (uint16_t)((sign ? FLOAT80_SIGN : 0u) | (FLOAT80_BIAS + 63 - shift))};
}

struct float80 x87_from_integer(int64_t value)
{
    bool sign = value < 0;
    return from_magnitude(sign, sign ? -(uint64_t)value : (uint64_t)value);
}

/* |a| as an integer; false when it is not a number or too large for 64 bits. */
static bool to_magnitude(const struct x87_state *x87, struct float80 a, bool truncate, uint64_t *magnitude,
                         unsigned *flags)
{
    enum float_class class = float80_classify(a);
    enum x87_rounding mode = (enum x87_rounding)(x87->control >> X87_ROUNDING_SHIFT & 3);
    *flags = 0;
    *magnitude = 0;
    if (class == FLOAT_ZERO) {
        return true;
    }
    if (class != FLOAT_NORMAL && class != FLOAT_DENORMAL) {
        return false;
    }
    struct number x = number_from_float80(a);
    if (x.exponent >= 64) {
        return false;
    }
    bool inexact, up;
    bool nonzero = number_round_to_integer(&x, truncate ? ROUND_ZERO : mode, magnitude, &inexact, &up);
    *flags = (inexact ? X87_PE : 0u) | (up ? X87_C1 : 0u);
    return nonzero || x.exponent < 63;
}

unsigned x87_to_integer(const struct x87_state *x87, struct float80 a, unsigned width, bool truncate,
                        int64_t *result)
{
    uint64_t magnitude;
    unsigned flags;
    bool sign = float80_sign(a);
    uint64_t limit = (uint64_t)1 << (width * 8 - 1);
    if (!to_magnitude(x87, a, truncate, &magnitude, &flags) || magnitude > limit - !sign) {
        *result = (int64_t)-limit;
        return X87_IE;
    }
    *result = (int64_t)(sign ? -magnitude : magnitude);
    return flags;
}

/* ---- packed decimal (SDM 1 §4.7): nine bytes of two digits, then the sign
 * ------------------------------------------------------ */

#define DECIMAL_BYTES 9
#define DECIMAL_LIMIT UINT64_C(999999999999999999)

struct float80 x87_from_decimal(const uint8_t *bytes)
{
    uint64_t magnitude = 0;
    for (unsigned i = DECIMAL_BYTES; i-- > 0;) {
        magnitude = magnitude * 100 + (bytes[i] >> 4) * 10u + (bytes[i] & 15u);
    }
    return from_magnitude(bytes[DECIMAL_BYTES] >> 7, magnitude);
}

unsigned x87_to_decimal(const struct x87_state *x87, struct float80 a, uint8_t *bytes)
{
    uint64_t magnitude;
    unsigned flags;
    if (!to_magnitude(x87, a, false, &magnitude, &flags) || magnitude > DECIMAL_LIMIT) {
        memset(bytes, 0, 7);
        bytes[7] = 0xc0;
        bytes[8] = bytes[9] = 0xff;
        return X87_IE;
    }
    for (unsigned i = 0; i < DECIMAL_BYTES; i++) {
        bytes[i] = (uint8_t)(magnitude % 10 | (magnitude / 10 % 10) << 4);
        magnitude /= 100;
    }
    bytes[DECIMAL_BYTES] = float80_sign(a) ? 0x80 : 0;
    return flags;
}

/* ---- comparison, FXTRACT
 * ------------------------------------------------------------------------------------------------------- */

/* -1, 0 or 1 for numbers and infinities. */
static int compare(struct float80 a, struct float80 b)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    if (class_a == FLOAT_ZERO && class_b == FLOAT_ZERO) {
        return 0;
    }
    int sign_a = class_a == FLOAT_ZERO ? 0 : float80_sign(a) ? -1 : 1;
    int sign_b = class_b == FLOAT_ZERO ? 0 : float80_sign(b) ? -1 : 1;
    if (sign_a != sign_b) {
        return sign_a < sign_b ? -1 : 1;
    }
    unsigned exponent_a = a.sign_exponent & FLOAT80_EXPONENT;
    unsigned exponent_b = b.sign_exponent & FLOAT80_EXPONENT;
    exponent_a += exponent_a == 0; /* pseudo-denormals */
    exponent_b += exponent_b == 0;
    if (exponent_a != exponent_b) {
        return exponent_a < exponent_b ? -sign_a : sign_a;
    }
    if (a.significand != b.significand) {
        return a.significand < b.significand ? -sign_a : sign_a;
    }
    return 0;
}

unsigned x87_compare(struct float80 a, struct float80 b, bool is_quiet)
{
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    bool unsupported = class_a == FLOAT_UNSUPPORTED || class_b == FLOAT_UNSUPPORTED;
    if (unsupported || float_class_is_nan(class_a) || float_class_is_nan(class_b)) {
        bool signalling = class_a == FLOAT_SIGNALLING_NAN || class_b == FLOAT_SIGNALLING_NAN;
        return X87_C0 | X87_C2 | X87_C3 | (unsupported || signalling || !is_quiet ? X87_IE : 0u);
    }
    unsigned flags = class_a == FLOAT_DENORMAL || class_b == FLOAT_DENORMAL ? X87_DE : 0;
    int order = compare(a, b);
    return flags | (order < 0 ? X87_C0 : order == 0 ? X87_C3 : 0u);
}

unsigned x87_extract(struct float80 a, struct float80 *exponent, struct float80 *significand)
{
    unsigned flags;
    if (soft_x87_special_unary(a, significand, &flags)) {
        *exponent = *significand;
        return flags;
    }
    *significand = a;
    switch (float80_classify(a)) {
    case FLOAT_ZERO: *exponent = float80_infinity(true); return X87_ZE;
    case FLOAT_INFINITY: *exponent = float80_infinity(false); return 0;
    default: break;
    }
    struct number x = number_from_float80(a);
    *exponent = x87_from_integer(x.exponent);
    *significand = (struct float80){.significand = x.high,
                                    .sign_exponent = (uint16_t)((x.sign ? FLOAT80_SIGN : 0u) | FLOAT80_BIAS)};
    return flags;
}

/* ---- constants
 * ------------------------------------------------------------------------------------------------------------------
 */

struct float80 x87_constant(const struct x87_state *x87, enum x87_constant constant)
{
    static const struct number values[] = {
        [X87_LOG2_10] = {UINT64_C(0xd49a784bcd1b8afe), UINT64_C(0x492bf6ff4dafdb4c), 1, false},
        [X87_LOG2_E] = {UINT64_C(0xb8aa3b295c17f0bb), UINT64_C(0xbe87fed0691d3e88), 0, false},
        [X87_PI] = {UINT64_C(0xc90fdaa22168c234), UINT64_C(0xc4c6628b80dc1cd1), 1, false},
        [X87_LOG10_2] = {UINT64_C(0x9a209a84fbcff798), UINT64_C(0x8f8959ac0b7c9178), -2, false},
        [X87_LN_2] = {UINT64_C(0xb17217f7d1cf79ab), UINT64_C(0xc9e3b39803f2f6af), -1, false},
    };
    struct float80 result;
    soft_x87_store(x87, &values[constant], &result);
    return result;
}
