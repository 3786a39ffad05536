/* SSE's arithmetic in integers; see sse_arithmetic.h. Rules for NaNs: SDM 1 table 4-7; MIN, MAX and
 * comparisons: SDM 2; denormals: SDM 1 §10.2.3.3 and §10.2.3.4. */
#include "cpu/soft_number.h"
#include "cpu/sse_arithmetic.h"

/* A format's shape. */
struct shape {
    const struct float_format *format;
    unsigned fraction;
    int32_t bias;
    unsigned width; /* in bits */
};

static const struct shape shape_32 = {&soft_format_float32, FLOAT32_FRACTION, FLOAT32_BIAS, 32};
static const struct shape shape_64 = {&soft_format_float64, FLOAT64_FRACTION, FLOAT64_BIAS, 64};

struct element {
    enum float_class class;
    bool sign;
    struct number number; /* normal and denormal ones */
};

static uint64_t infinity_bits(const struct shape *shape, bool sign)
{
    uint64_t ones = bits_mask(shape->width - 1 - shape->fraction) << shape->fraction;
    return ones | (uint64_t)sign << (shape->width - 1);
}

static uint64_t indefinite_bits(const struct shape *shape)
{
    return infinity_bits(shape, true) | (uint64_t)1 << (shape->fraction - 1);
}

static uint64_t zero_bits(const struct shape *shape, bool sign)
{
    return (uint64_t)sign << (shape->width - 1);
}

static struct element unpack(const struct shape *shape, uint64_t bits, uint32_t mxcsr)
{
    uint64_t fraction = bits & bits_mask(shape->fraction);
    int32_t ones = 2 * shape->bias + 1;
    int32_t exponent = (int32_t)(bits >> shape->fraction) & ones;
    struct element element = {.class = FLOAT_NORMAL, .sign = bits >> (shape->width - 1) & 1};
    if (exponent == ones) {
        bool quiet = fraction >> (shape->fraction - 1);
        element.class = fraction == 0 ? FLOAT_INFINITY : quiet ? FLOAT_QUIET_NAN : FLOAT_SIGNALLING_NAN;
    } else if (exponent != 0) {
        element.number = (struct number){.high = (uint64_t)1 << 63 | fraction << (63 - shape->fraction),
                                         .exponent = exponent - shape->bias,
                                         .sign = element.sign};
    } else if (fraction == 0 || (mxcsr & MXCSR_DAZ)) {
        element.class = FLOAT_ZERO;
    } else {
        element.class = FLOAT_DENORMAL;
        element.number = number_make(element.sign, 1 - shape->bias, fraction << (63 - shape->fraction));
    }
    return element;
}

static struct rounding mxcsr_rounding(uint32_t mxcsr)
{
    unsigned masks = mxcsr >> MXCSR_MASK_SHIFT & X87_EXCEPTIONS;
    return (struct rounding){.mode = (enum x87_rounding)(mxcsr >> MXCSR_ROUNDING_SHIFT & 3),
                             .masks = masks,
                             .flush = (mxcsr & MXCSR_FZ) && (masks & X87_UE)};
}

static unsigned store(const struct shape *shape, uint32_t mxcsr, const struct number *a, uint64_t *bits)
{
    struct rounded rounded = number_round(a, shape->format, mxcsr_rounding(mxcsr));
    *bits = rounded_pack(&rounded, a->sign, shape->fraction, shape->bias);
    return rounded.flags & X87_EXCEPTIONS;
}

static bool is_denormal(const struct element *a)
{
    return a->class == FLOAT_DENORMAL;
}

/* NaN operands: the first one, quieted. */
static bool propagate_nan(const struct shape *shape, const struct element *a, const struct element *b,
                          uint64_t a_bits, uint64_t b_bits, uint64_t *result, unsigned *flags)
{
    uint64_t quiet = (uint64_t)1 << (shape->fraction - 1);
    if (!float_class_is_nan(a->class) && !float_class_is_nan(b->class)) {
        return false;
    }
    *result = (float_class_is_nan(a->class) ? a_bits : b_bits) | quiet;
    *flags = a->class == FLOAT_SIGNALLING_NAN || b->class == FLOAT_SIGNALLING_NAN ? X87_IE : 0;
    return true;
}

/* ---- the operations on numbers, zeros and infinities
 * --------------------------------------------------------------------------- */

static unsigned add(const struct shape *shape, uint32_t mxcsr, const struct element *a,
                    const struct element *b, uint64_t *result)
{
    bool round_down = mxcsr_rounding(mxcsr).mode == ROUND_DOWN;
    if (a->class == FLOAT_INFINITY || b->class == FLOAT_INFINITY) {
        if (a->class == b->class && a->sign != b->sign) {
            *result = indefinite_bits(shape);
            return X87_IE;
        }
        *result = infinity_bits(shape, a->class == FLOAT_INFINITY ? a->sign : b->sign);
        return 0;
    }
    if (a->class == FLOAT_ZERO && b->class == FLOAT_ZERO) {
        *result = zero_bits(shape, a->sign == b->sign ? a->sign : round_down);
        return 0;
    }
    if (a->class == FLOAT_ZERO || b->class == FLOAT_ZERO) {
        struct number only = a->class == FLOAT_ZERO ? b->number : a->number;
        only.sign = a->class == FLOAT_ZERO ? b->sign : a->sign;
        return store(shape, mxcsr, &only, result);
    }
    struct number x = a->number;
    struct number y = b->number;
    struct number sum;
    x.sign = a->sign;
    y.sign = b->sign;
    if (!number_add(&x, &y, &sum)) {
        *result = zero_bits(shape, round_down);
        return 0;
    }
    return store(shape, mxcsr, &sum, result);
}

static unsigned multiply(const struct shape *shape, uint32_t mxcsr, const struct element *a,
                         const struct element *b, uint64_t *result)
{
    bool sign = a->sign != b->sign;
    bool zero = a->class == FLOAT_ZERO || b->class == FLOAT_ZERO;
    if (a->class == FLOAT_INFINITY || b->class == FLOAT_INFINITY) {
        *result = zero ? indefinite_bits(shape) : infinity_bits(shape, sign);
        return zero ? X87_IE : 0;
    }
    if (zero) {
        *result = zero_bits(shape, sign);
        return 0;
    }
    struct number product = number_multiply(&a->number, &b->number);
    return store(shape, mxcsr, &product, result);
}

static unsigned divide(const struct shape *shape, uint32_t mxcsr, const struct element *a,
                       const struct element *b, uint64_t *result)
{
    bool sign = a->sign != b->sign;
    if (a->class == b->class && (a->class == FLOAT_INFINITY || a->class == FLOAT_ZERO)) {
        *result = indefinite_bits(shape);
        return X87_IE;
    }
    if (a->class == FLOAT_INFINITY || b->class == FLOAT_ZERO) {
        *result = infinity_bits(shape, sign);
        return a->class == FLOAT_INFINITY ? 0 : X87_ZE;
    }
    if (a->class == FLOAT_ZERO || b->class == FLOAT_INFINITY) {
        *result = zero_bits(shape, sign);
        return 0;
    }
    struct number quotient = number_divide(&a->number, &b->number);
    return store(shape, mxcsr, &quotient, result);
}

static unsigned square_root(const struct shape *shape, uint32_t mxcsr, const struct element *a,
                            uint64_t *result)
{
    if (a->class == FLOAT_ZERO) {
        *result = zero_bits(shape, a->sign);
        return 0;
    }
    if (a->sign) {
        *result = indefinite_bits(shape);
        return X87_IE;
    }
    if (a->class == FLOAT_INFINITY) {
        *result = infinity_bits(shape, false);
        return 0;
    }
    struct number root = number_square_root(&a->number);
    return store(shape, mxcsr, &root, result);
}

/* -1, 0, 1; no NaNs. */
static int compare(const struct element *a, const struct element *b)
{
    int sign_a = a->class == FLOAT_ZERO ? 0 : a->sign ? -1 : 1;
    int sign_b = b->class == FLOAT_ZERO ? 0 : b->sign ? -1 : 1;
    if (sign_a != sign_b) {
        return sign_a < sign_b ? -1 : 1;
    }
    if (sign_a == 0) {
        return 0;
    }
    if (a->class == FLOAT_INFINITY || b->class == FLOAT_INFINITY) {
        return a->class == b->class ? 0 : a->class == FLOAT_INFINITY ? sign_a : -sign_a;
    }
    if (a->number.exponent != b->number.exponent) {
        return a->number.exponent < b->number.exponent ? -sign_a : sign_a;
    }
    if (a->number.high != b->number.high) {
        return a->number.high < b->number.high ? -sign_a : sign_a;
    }
    return 0;
}

/* What reaches a MIN, MAX: DAZ turns denormals into zeros. */
static uint64_t flushed(const struct shape *shape, const struct element *a, uint64_t bits)
{
    return a->class == FLOAT_ZERO ? zero_bits(shape, a->sign) : bits;
}

/* The second operand unless the first is strictly beyond it. */
static unsigned select_extreme(const struct shape *shape, const struct element *a, const struct element *b,
                               uint64_t a_bits, uint64_t b_bits, int order, uint64_t *result)
{
    *result = flushed(shape, b, b_bits);
    if (float_class_is_nan(a->class) || float_class_is_nan(b->class)) {
        return X87_IE;
    }
    if (compare(a, b) == order) {
        *result = flushed(shape, a, a_bits);
    }
    return is_denormal(a) || is_denormal(b) ? X87_DE : 0;
}

static unsigned operate(const struct shape *shape, uint32_t mxcsr, enum sse_operation operation,
                        uint64_t a_bits, uint64_t b_bits, uint64_t *result)
{
    struct element a = unpack(shape, operation == SSE_SQUARE_ROOT ? b_bits : a_bits, mxcsr);
    struct element b = unpack(shape, b_bits, mxcsr);
    unsigned flags;
    if (operation == SSE_MINIMUM || operation == SSE_MAXIMUM) {
        return select_extreme(shape, &a, &b, a_bits, b_bits, operation == SSE_MINIMUM ? -1 : 1, result);
    }
    if (propagate_nan(shape, &a, &b, operation == SSE_SQUARE_ROOT ? b_bits : a_bits, b_bits, result,
                      &flags)) {
        return flags;
    }
    switch (operation) {
    case SSE_ADD: flags = add(shape, mxcsr, &a, &b, result); break;
    case SSE_SUBTRACT:
        b.sign = !b.sign;
        flags = add(shape, mxcsr, &a, &b, result);
        break;
    case SSE_MULTIPLY: flags = multiply(shape, mxcsr, &a, &b, result); break;
    case SSE_DIVIDE: flags = divide(shape, mxcsr, &a, &b, result); break;
    default: flags = square_root(shape, mxcsr, &a, result); break;
    }
    return flags & (X87_IE | X87_ZE) ? flags : flags | (is_denormal(&a) || is_denormal(&b) ? X87_DE : 0u);
}

/* Flags of a whole vector: unmasked ones found before the operation hide those of its results. */
static unsigned settle(uint32_t mxcsr, unsigned flags)
{
    unsigned masks = mxcsr >> MXCSR_MASK_SHIFT;
    return x87_is_blocked(flags, masks) ? flags & X87_BEFORE : flags;
}

unsigned sse_soft_operate(uint32_t mxcsr, enum sse_operation operation, enum sse_format format,
                          const struct xmm_register *a, const struct xmm_register *b,
                          struct xmm_register *result)
{
    unsigned step = sse_element_size(format);
    const struct shape *shape = step == 4 ? &shape_32 : &shape_64;
    unsigned flags = 0;
    for (unsigned i = 0; i < sse_vector_size(format); i += step) {
        uint64_t bits;
        flags |= operate(shape, mxcsr, operation, load_le(a->b + i, step), load_le(b->b + i, step), &bits);
        store_le(result->b + i, step, bits);
    }
    return settle(mxcsr, flags);
}

/* ---- approximations
 * ------------------------------------------------------------------------------------------------------------
 */

#define APPROXIMATION_BITS 12

/* Denormal operands count as zeros, tiny results become zero. */
static uint32_t approximate(uint32_t bits, bool root)
{
    struct element a = unpack(&shape_32, bits, MXCSR_DAZ);
    struct number one = {.high = (uint64_t)1 << 63};
    uint64_t result;
    unsigned flags;
    if (propagate_nan(&shape_32, &a, &a, bits, bits, &result, &flags)) {
        return (uint32_t)result;
    }
    if (a.class == FLOAT_ZERO) {
        return (uint32_t)infinity_bits(&shape_32, a.sign);
    }
    if (root && a.sign) {
        return (uint32_t)indefinite_bits(&shape_32);
    }
    if (a.class == FLOAT_INFINITY) {
        return (uint32_t)zero_bits(&shape_32, a.sign);
    }
    struct number divisor = a.number;
    if (root) {
        divisor = number_square_root(&a.number);
        divisor.low = 0;
    }
    struct number quotient = number_divide(&one, &divisor);
    quotient.high =
        (quotient.high + ((uint64_t)1 << (63 - APPROXIMATION_BITS))) & ~bits_mask(64 - APPROXIMATION_BITS);
    if (!(quotient.high >> 63)) {
        quotient.high = (uint64_t)1 << 63;
        quotient.exponent++;
    }
    quotient.low = 0;
    store(&shape_32, MXCSR_INIT | MXCSR_FZ, &quotient, &result);
    return (uint32_t)result;
}

uint32_t sse_soft_reciprocal(uint32_t a)
{
    return approximate(a, false);
}

uint32_t sse_soft_reciprocal_root(uint32_t a)
{
    return approximate(a, true);
}

/* ---- comparisons
 * ---------------------------------------------------------------------------------------------------------------
 */

enum predicate { PREDICATE_EQ, PREDICATE_LT, PREDICATE_LE, PREDICATE_UNORD };

static bool holds(unsigned predicate, bool unordered, int order)
{
    bool result;
    switch (predicate & 3) {
    case PREDICATE_EQ: result = !unordered && order == 0; break;
    case PREDICATE_LT: result = !unordered && order < 0; break;
    case PREDICATE_LE: result = !unordered && order <= 0; break;
    default: result = unordered; break;
    }
    return result != (predicate >> 2 & 1);
}

static unsigned compare_flags(const struct element *a, const struct element *b, bool quiet, bool *unordered)
{
    bool signalling = a->class == FLOAT_SIGNALLING_NAN || b->class == FLOAT_SIGNALLING_NAN;
    *unordered = float_class_is_nan(a->class) || float_class_is_nan(b->class);
    if (*unordered) {
        return signalling || !quiet ? X87_IE : 0;
    }
    return is_denormal(a) || is_denormal(b) ? X87_DE : 0;
}

unsigned sse_compare(uint32_t mxcsr, unsigned predicate, enum sse_format format, const struct xmm_register *a,
                     const struct xmm_register *b, struct xmm_register *result)
{
    unsigned step = sse_element_size(format);
    const struct shape *shape = step == 4 ? &shape_32 : &shape_64;
    bool quiet = (predicate & 3) == PREDICATE_EQ || (predicate & 3) == PREDICATE_UNORD;
    unsigned flags = 0;
    for (unsigned i = 0; i < sse_vector_size(format); i += step) {
        struct element x = unpack(shape, load_le(a->b + i, step), mxcsr);
        struct element y = unpack(shape, load_le(b->b + i, step), mxcsr);
        bool unordered;
        flags |= compare_flags(&x, &y, quiet, &unordered);
        int order = unordered ? 0 : compare(&x, &y);
        store_le(result->b + i, step, holds(predicate & 7, unordered, order) ? UINT64_MAX : 0);
    }
    return settle(mxcsr, flags);
}

unsigned sse_compare_scalar(uint32_t mxcsr, bool quiet, unsigned size, uint64_t a, uint64_t b,
                            uint32_t *eflags)
{
    const struct shape *shape = size == 4 ? &shape_32 : &shape_64;
    struct element x = unpack(shape, a, mxcsr);
    struct element y = unpack(shape, b, mxcsr);
    bool unordered;
    unsigned flags = compare_flags(&x, &y, quiet, &unordered);
    if (unordered) {
        *eflags = EFLAGS_ZF | EFLAGS_PF | EFLAGS_CF;
    } else {
        int order = compare(&x, &y);
        *eflags = order < 0 ? EFLAGS_CF : order == 0 ? EFLAGS_ZF : 0u;
    }
    return flags;
}

/* ---- conversions
 * ---------------------------------------------------------------------------------------------------------------
 */

static unsigned convert(const struct shape *from, const struct shape *to, uint32_t mxcsr, uint64_t bits,
                        uint64_t *result)
{
    struct element a = unpack(from, bits, mxcsr);
    uint64_t fraction = bits & bits_mask(from->fraction);
    switch (a.class) {
    case FLOAT_ZERO: *result = zero_bits(to, a.sign); return 0;
    case FLOAT_INFINITY: *result = infinity_bits(to, a.sign); return 0;
    case FLOAT_QUIET_NAN:
    case FLOAT_SIGNALLING_NAN:
        fraction = to->fraction > from->fraction ? fraction << (to->fraction - from->fraction)
                                                 : fraction >> (from->fraction - to->fraction);
        *result = infinity_bits(to, a.sign) | fraction | (uint64_t)1 << (to->fraction - 1);
        return a.class == FLOAT_SIGNALLING_NAN ? X87_IE : 0;
    default: break;
    }
    unsigned flags = store(to, mxcsr, &a.number, result);
    return settle(mxcsr, flags | (is_denormal(&a) ? X87_DE : 0u));
}

unsigned sse_float32_to_float64(uint32_t mxcsr, uint32_t a, uint64_t *result)
{
    return convert(&shape_32, &shape_64, mxcsr, a, result);
}

unsigned sse_float64_to_float32(uint32_t mxcsr, uint64_t a, uint32_t *result)
{
    uint64_t bits;
    unsigned flags = convert(&shape_64, &shape_32, mxcsr, a, &bits);
    *result = (uint32_t)bits;
    return flags;
}

unsigned sse_float_to_int32(uint32_t mxcsr, uint64_t bits, unsigned size, bool truncate, uint32_t *result)
{
    struct element a = unpack(size == 4 ? &shape_32 : &shape_64, bits, mxcsr);
    enum x87_rounding mode = truncate ? ROUND_ZERO : mxcsr_rounding(mxcsr).mode;
    uint64_t magnitude = 0;
    bool inexact = false;
    bool up;
    bool valid = a.class == FLOAT_ZERO;
    if ((a.class == FLOAT_NORMAL || a.class == FLOAT_DENORMAL) && a.number.exponent < 33) {
        number_round_to_integer(&a.number, mode, &magnitude, &inexact, &up);
        valid = magnitude <= (a.sign ? 0x80000000u : 0x7fffffffu);
    }
    *result = !valid ? 0x80000000u : (uint32_t)(a.sign ? -magnitude : magnitude);
    return !valid ? X87_IE : inexact ? X87_PE : 0u;
}

static unsigned from_int32(const struct shape *shape, uint32_t mxcsr, uint32_t a, uint64_t *result)
{
    bool sign = a >> 31;
    if (a == 0) {
        *result = 0;
        return 0;
    }
    struct number value = number_make(sign, 63, sign ? (uint32_t)-a : a);
    return store(shape, mxcsr, &value, result);
}

unsigned sse_int32_to_float32(uint32_t mxcsr, uint32_t a, uint32_t *result)
{
    uint64_t bits;
    unsigned flags = from_int32(&shape_32, mxcsr, a, &bits);
    *result = (uint32_t)bits;
    return flags;
}

uint64_t sse_int32_to_float64(uint32_t a)
{
    uint64_t bits;
    from_int32(&shape_64, MXCSR_INIT, a, &bits);
    return bits;
}
