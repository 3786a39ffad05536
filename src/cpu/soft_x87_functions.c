/* The x87's transcendental functions in integers: F2XM1, FYL2X, FYL2XP1, FPATAN, FPTAN, FSIN, FCOS, FSINCOS
 * (SDM 2; SDM 1 §8.3.10).
 *
 * Numbers have 128 significant bits here (struct number with all of `low` in use), series are summed until
 * their terms no longer matter, and the result is rounded once: it is the exact value's rounding in all but
 * about one of 2^50 cases. Arguments of the trigonometric functions are reduced by the 66-bit approximation
 * of pi that Intel's processors use (SDM 1 §8.3.8), so that results agree with theirs for large arguments
 * too.
 *
 * Outside the ranges the SDM defines (|x| > 1 for F2XM1, x <= -1 for FYL2XP1) the result is ST(0), as
 * processors have it. */
#include "cpu/soft_x87.h"

/* ---- arithmetic with 128 bits; high == 0 is zero
 * -------------------------------------------------------------------------------- */

static const struct number big_one = {.high = (uint64_t)1 << 63};
static const struct number big_pi = {UINT64_C(0xc90fdaa22168c234), UINT64_C(0xc4c6628b80dc1cd1), 1, false};
static const struct number big_ln_2 = {UINT64_C(0xb17217f7d1cf79ab), UINT64_C(0xc9e3b39803f2f6af), -1, false};
static const struct number big_log2_e = {UINT64_C(0xb8aa3b295c17f0bb), UINT64_C(0xbe87fed0691d3e88), 0,
                                         false};

static bool big_is_zero(const struct number *a)
{
    return a->high == 0;
}

static struct number big_add(const struct number *a, const struct number *b)
{
    struct number sum;
    if (big_is_zero(a) || big_is_zero(b)) {
        return big_is_zero(a) ? *b : *a;
    }
    return number_add(a, b, &sum) ? sum : (struct number){0};
}

static struct number big_negate(struct number a)
{
    a.sign = !a.sign;
    return a;
}

static struct number big_subtract(const struct number *a, const struct number *b)
{
    struct number negated = big_negate(*b);
    return big_add(a, &negated);
}

static struct number big_multiply(const struct number *a, const struct number *b)
{
    if (big_is_zero(a) || big_is_zero(b)) {
        return (struct number){0};
    }
    bool carry, other;
    struct wide high = wide_multiply(a->high, b->high);
    struct wide low = wide_multiply(a->low, b->low);
    struct wide middle = wide_add(wide_multiply(a->high, b->low), wide_multiply(a->low, b->high), &carry);
    high.high += carry;
    middle = wide_add(middle, (struct wide){0, low.high}, &carry);
    high.high += carry;
    high = wide_add(high, (struct wide){0, middle.high}, &other);
    struct number product = {.exponent = a->exponent + b->exponent + 1, .sign = a->sign != b->sign};
    uint64_t rest = middle.low;
    if (!(high.high >> 63)) {
        high = wide_shift_left(high, 1);
        high.low |= rest >> 63;
        rest <<= 1;
        product.exponent--;
    }
    product.high = high.high;
    product.low = high.low | ((rest | low.low) != 0);
    return product;
}

static struct number big_divide(const struct number *a, const struct number *b)
{
    if (big_is_zero(a)) {
        return *a;
    }
    struct wide rest = {a->high, a->low};
    struct wide divisor = {b->high, b->low};
    struct wide quotient = {0, 0};
    struct number result = {.exponent = a->exponent - b->exponent, .sign = a->sign != b->sign};
    bool started = false;
    for (unsigned bit = 0; bit < 128;) {
        bool carry = false;
        if (started) {
            carry = rest.high >> 63;
            rest = wide_shift_left(rest, 1);
        }
        bool one = carry || !wide_is_less(rest, divisor);
        if (one) {
            rest = wide_subtract(rest, divisor);
        }
        quotient = wide_shift_left(quotient, 1);
        quotient.low |= one;
        if (quotient.low == 0 && quotient.high == 0) {
            result.exponent--; /* the first bit is a zero */
        } else {
            bit++;
        }
        started = true;
    }
    result.high = quotient.high;
    result.low = quotient.low | ((rest.high | rest.low) != 0);
    return result;
}

/* a / n for a small positive integer. */
static struct number big_divide_small(const struct number *a, unsigned n)
{
    if (big_is_zero(a)) {
        return *a;
    }
    struct number divisor = number_make(false, 63, n);
    struct number result = {.exponent = a->exponent - divisor.exponent, .sign = a->sign};
    uint64_t high = a->high;
    uint64_t low = a->low;
    uint64_t last = 0;
    uint64_t remainder;
    if (high >= divisor.high) {
        last = low << 63;
        low = low >> 1 | high << 63;
        high >>= 1;
    } else {
        result.exponent--;
    }
    result.high = wide_divide(high, low, divisor.high, &remainder);
    result.low = wide_divide(remainder, last, divisor.high, &remainder) | (remainder != 0);
    return result;
}

/* x ± x^3 / 3 + x^5 / 5 ± …: atan (alternating) and atanh. */
static struct number odd_series(const struct number *x, bool alternating)
{
    struct number square = big_multiply(x, x);
    struct number term = *x;
    struct number sum = *x;
    square.sign = alternating;
    for (unsigned n = 3; !big_is_zero(&term); n += 2) {
        term = big_multiply(&term, &square);
        struct number part = big_divide_small(&term, n);
        if (big_is_zero(&part) || part.exponent < sum.exponent - 130) {
            if (!big_is_zero(&part)) {
                sum = big_add(&sum, &part);
            }
            break;
        }
        sum = big_add(&sum, &part);
    }
    return sum;
}

/* first + first * s / (n1 * (n1 + 1)) + …: a series whose terms grow by `factor` over consecutive integers.
 */
static struct number factorial_series(const struct number *first, const struct number *factor, unsigned n,
                                      unsigned step)
{
    struct number term = *first;
    struct number sum = *first;
    while (!big_is_zero(&term) && term.exponent >= sum.exponent - 130) {
        term = big_multiply(&term, factor);
        for (unsigned i = 0; i < step; i++) {
            term = big_divide_small(&term, n++);
        }
        sum = big_add(&sum, &term);
    }
    return sum;
}

/* ---- F2XM1
 * ---------------------------------------------------------------------------------------------------------------------
 */

unsigned x87_soft_exponential(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_unary(a, result, &flags)) {
        return flags;
    }
    enum float_class class = float80_classify(a);
    *result = a;
    if (class == FLOAT_INFINITY && float80_sign(a)) {
        *result = float80_one();
        result->sign_exponent |= FLOAT80_SIGN;
    }
    if (class == FLOAT_ZERO || class == FLOAT_INFINITY) {
        return 0;
    }
    struct number x = number_from_float80(a);
    if (x.exponent > 0 || (x.exponent == 0 && x.high != FLOAT80_INTEGER)) {
        return soft_x87_combine(x87, flags, X87_PE);
    }
    struct number y = big_multiply(&x, &big_ln_2);
    struct number value = factorial_series(&y, &y, 2, 1);
    return soft_x87_combine(x87, flags, soft_x87_store(x87, &value, result));
}

/* ---- FYL2X, FYL2XP1
 * ------------------------------------------------------------------------------------------------------------
 */

/* log2 of the ratio (1 + z) / (1 - z): 2 * atanh(z) / ln 2. */
static struct number log2_ratio(const struct number *z)
{
    struct number sum = odd_series(z, false);
    sum.exponent += !big_is_zero(&sum);
    return big_multiply(&sum, &big_log2_e);
}

static struct number big_log2(const struct number *x)
{
    static const uint64_t root_of_2 = UINT64_C(0xb504f333f9de6484);
    int32_t exponent = x->exponent;
    struct number mantissa = *x;
    mantissa.exponent = 0;
    if (mantissa.high > root_of_2) {
        mantissa.exponent = -1;
        exponent++;
    }
    struct number above = big_subtract(&mantissa, &big_one);
    struct number below = big_add(&mantissa, &big_one);
    struct number z = big_divide(&above, &below);
    struct number fraction = log2_ratio(&z);
    if (exponent == 0) {
        return fraction;
    }
    struct number whole = number_make(exponent < 0, 63, (uint64_t)(exponent < 0 ? -exponent : exponent));
    return big_add(&whole, &fraction);
}

static unsigned store_product(const struct x87_state *x87, unsigned flags, const struct number *logarithm,
                              struct float80 factor, struct float80 *result)
{
    struct number y = number_from_float80(factor);
    struct number value = big_multiply(logarithm, &y);
    return soft_x87_combine(x87, flags, soft_x87_store(x87, &value, result));
}

/* y * log2(x) where the logarithm is infinite (`negative`: minus infinity), by a pole or because x is. */
static unsigned infinite_logarithm(bool negative, bool pole, struct float80 y, struct float80 *result)
{
    enum float_class class = float80_classify(y);
    if (class == FLOAT_ZERO) {
        return soft_x87_invalid(result);
    }
    *result = float80_infinity(float80_sign(y) != negative);
    return pole && class != FLOAT_INFINITY ? X87_ZE : 0;
}

unsigned x87_soft_logarithm(const struct x87_state *x87, struct float80 a, struct float80 b,
                            struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    if (class_a == FLOAT_ZERO) {
        return soft_x87_combine(x87, flags, infinite_logarithm(true, true, b, result));
    }
    if (float80_sign(a)) {
        return soft_x87_invalid(result);
    }
    if (class_a == FLOAT_INFINITY) {
        return soft_x87_combine(x87, flags, infinite_logarithm(false, false, b, result));
    }
    struct number x = number_from_float80(a);
    bool is_one = x.exponent == 0 && x.high == FLOAT80_INTEGER;
    bool negative = x.exponent < 0;
    if (class_b == FLOAT_INFINITY) {
        *result = float80_infinity(float80_sign(b) != negative);
        return soft_x87_combine(x87, flags, is_one ? soft_x87_invalid(result) : 0);
    }
    if (is_one || class_b == FLOAT_ZERO) {
        *result = float80_zero(float80_sign(b) != negative);
        return soft_x87_combine(x87, flags, 0);
    }
    struct number logarithm = big_log2(&x);
    return store_product(x87, flags, &logarithm, b, result);
}

unsigned x87_soft_logarithm_plus_one(const struct x87_state *x87, struct float80 a, struct float80 b,
                                     struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    enum float_class class_a = float80_classify(a);
    enum float_class class_b = float80_classify(b);
    bool sign = float80_sign(a) != float80_sign(b);
    if (class_a == FLOAT_INFINITY) {
        if (float80_sign(a)) {
            return soft_x87_invalid(result);
        }
        return soft_x87_combine(x87, flags, infinite_logarithm(false, false, b, result));
    }
    if (class_b == FLOAT_INFINITY) {
        *result = float80_infinity(sign);
        return soft_x87_combine(x87, flags, class_a == FLOAT_ZERO ? soft_x87_invalid(result) : 0);
    }
    if (class_a == FLOAT_ZERO || class_b == FLOAT_ZERO) {
        *result = float80_zero(sign);
        return soft_x87_combine(x87, flags, 0);
    }
    struct number x = number_from_float80(a);
    if (x.sign && x.exponent >= 0) {
        *result = a;
        return soft_x87_combine(x87, flags, X87_PE);
    }
    struct number logarithm;
    if (x.exponent < -1) {
        struct number two = {.high = big_one.high, .exponent = 1};
        struct number below = big_add(&x, &two);
        struct number z = big_divide(&x, &below);
        logarithm = log2_ratio(&z);
    } else {
        struct number sum = big_add(&x, &big_one);
        logarithm = big_log2(&sum);
    }
    return store_product(x87, flags, &logarithm, b, result);
}

/* ---- FPATAN
 * --------------------------------------------------------------------------------------------------------------------
 */

#define ARC_STEPS 16

/* atan(k / 16) for k = 1…16. */
static const struct number arcs[ARC_STEPS] = {
    {UINT64_C(0xffaaddb967ef4e36), UINT64_C(0xcb2792dc0e2e0d51), -5, false},
    {UINT64_C(0xfeadd4d5617b6e32), UINT64_C(0xc897989f3e888ef7), -4, false},
    {UINT64_C(0xbdcbda5e72d81134), UINT64_C(0x7b0b4f881c9c7487), -3, false},
    {UINT64_C(0xfadbafc96406eb15), UINT64_C(0x6dc79ef5f7a217e5), -3, false},
    {UINT64_C(0x9b13b9b83f5e5e69), UINT64_C(0xc5abb498d27af328), -2, false},
    {UINT64_C(0xb7b0ca0f26f78473), UINT64_C(0x8aa32122dcfe4483), -2, false},
    {UINT64_C(0xd327761e611fe5b6), UINT64_C(0x427c95e9001e7136), -2, false},
    {UINT64_C(0xed63382b0dda7b45), UINT64_C(0x6fe445ecbc3a8d03), -2, false},
    {UINT64_C(0x832bf4a6d9867e2a), UINT64_C(0x4b6a09cb61a515c0), -1, false},
    {UINT64_C(0x8f005d5ef7f59f9b), UINT64_C(0x5c835e1665c43747), -1, false},
    {UINT64_C(0x9a2f80e671bdda20), UINT64_C(0x4226f8e2204ff3bc), -1, false},
    {UINT64_C(0xa4bc7d1934f70924), UINT64_C(0x19a87f2a457dac9e), -1, false},
    {UINT64_C(0xaeac4c38b4d8c080), UINT64_C(0x14725e2f3e52070a), -1, false},
    {UINT64_C(0xb8053e2bc2319e73), UINT64_C(0xcb2da55210a4443d), -1, false},
    {UINT64_C(0xc0ce85b8ac526640), UINT64_C(0x89dd62c46e92fa24), -1, false},
    {UINT64_C(0xc90fdaa22168c234), UINT64_C(0xc4c6628b80dc1cd1), -1, false},
};

/* atan(y / x) for 0 < y <= x: the nearest arc of the table and a short series. */
static struct number big_arc_tangent(const struct number *y, const struct number *x)
{
    struct number ratio = big_divide(y, x);
    unsigned k = 0;
    if (ratio.exponent >= -6) {
        k = (unsigned)((ratio.high >> (57 - ratio.exponent)) + 2) >> 2;
    }
    if (k == 0) {
        return odd_series(&ratio, true);
    }
    k = k > ARC_STEPS ? ARC_STEPS : k;
    struct number step = number_make(false, 63 - 4, k);
    struct number step_x = big_multiply(&step, x);
    struct number step_y = big_multiply(&step, y);
    struct number above = big_subtract(y, &step_x);
    struct number below = big_add(x, &step_y);
    struct number rest = big_divide(&above, &below);
    struct number small = big_is_zero(&rest) ? rest : odd_series(&rest, true);
    return big_add(&arcs[k - 1], &small);
}

/* A multiple of pi with a sign: pi * quarters / 4. */
static unsigned store_quarters(const struct x87_state *x87, unsigned quarters, bool sign,
                               struct float80 *result)
{
    struct number factor = number_make(sign, 63 - 2, quarters);
    struct number value = big_multiply(&factor, &big_pi);
    return soft_x87_store(x87, &value, result);
}

static unsigned arc_tangent(const struct x87_state *x87, struct float80 a, struct float80 b,
                            struct float80 *result)
{
    enum float_class class_x = float80_classify(a);
    enum float_class class_y = float80_classify(b);
    bool left = float80_sign(a);
    bool sign = float80_sign(b);
    if (class_y == FLOAT_ZERO || (class_x == FLOAT_INFINITY && class_y != FLOAT_INFINITY)) {
        *result = float80_zero(sign);
        return left ? store_quarters(x87, 4, sign, result) : 0;
    }
    if (class_y == FLOAT_INFINITY) {
        return store_quarters(x87, class_x != FLOAT_INFINITY ? 2 : left ? 3 : 1, sign, result);
    }
    if (class_x == FLOAT_ZERO) {
        return store_quarters(x87, 2, sign, result);
    }
    struct number x = number_from_float80(a);
    struct number y = number_from_float80(b);
    x.sign = y.sign = false;
    bool steep = y.exponent > x.exponent || (y.exponent == x.exponent && y.high > x.high);
    struct number angle = steep ? big_arc_tangent(&x, &y) : big_arc_tangent(&y, &x);
    if (steep) {
        struct number right_angle = big_pi;
        right_angle.exponent--;
        angle = left ? big_add(&right_angle, &angle) : big_subtract(&right_angle, &angle);
    } else if (left) {
        angle = big_subtract(&big_pi, &angle);
    }
    angle.sign = sign;
    return soft_x87_store(x87, &angle, result);
}

unsigned x87_soft_arc_tangent(const struct x87_state *x87, struct float80 a, struct float80 b,
                              struct float80 *result)
{
    unsigned flags;
    if (soft_x87_special_binary(a, b, result, &flags)) {
        return flags;
    }
    return soft_x87_combine(x87, flags, arc_tangent(x87, a, b, result));
}

/* ---- FSIN, FCOS, FSINCOS, FPTAN
 * ----------------------------------------------------------------------------------------------- */

/* pi / 2 in units of 2^-65, as the processors have it. */
static const struct wide half_pi = {0x3, UINT64_C(0x243f6a8885a308d3)};

struct angle {
    struct number rest; /* |rest| <= pi / 4 */
    unsigned quadrant;  /* x = quadrant * pi / 2 + rest, modulo 2 pi; for |x| */
};

static struct angle reduce_angle(const struct number *x)
{
    struct angle angle = {.rest = *x, .quadrant = 0};
    angle.rest.sign = false;
    if (x->exponent < -2) {
        return angle;
    }
    struct wide rest = {0, x->high};
    for (int32_t shift = x->exponent + 2; shift > 0; shift--) {
        rest = wide_shift_left(rest, 1);
        bool over = !wide_is_less(rest, half_pi);
        rest = over ? wide_subtract(rest, half_pi) : rest;
        angle.quadrant = (angle.quadrant << 1 | over) & 3;
    }
    struct wide complement = wide_subtract(half_pi, rest);
    bool nearer = wide_is_less(complement, rest);
    if (nearer) {
        rest = complement;
        angle.quadrant = (angle.quadrant + 1) & 3;
    }
    if ((rest.high | rest.low) == 0) {
        angle.rest = (struct number){0};
        return angle;
    }
    unsigned zeros = rest.high != 0 ? wide_leading_zeros(rest.high) : 64 + wide_leading_zeros(rest.low);
    rest = wide_shift_left(rest, zeros);
    angle.rest =
        (struct number){.high = rest.high, .low = rest.low, .exponent = 62 - (int32_t)zeros, .sign = nearer};
    return angle;
}

static struct number series_sine(const struct number *x)
{
    struct number square = big_multiply(x, x);
    square.sign = true;
    return big_is_zero(x) ? *x : factorial_series(x, &square, 2, 2);
}

static struct number series_cosine(const struct number *x)
{
    struct number square = big_multiply(x, x);
    square.sign = true;
    return factorial_series(&big_one, &square, 1, 2);
}

static struct number angle_sine(const struct angle *angle, bool negative)
{
    struct number value = angle->quadrant & 1 ? series_cosine(&angle->rest) : series_sine(&angle->rest);
    value.sign = value.sign != (negative != (angle->quadrant >> 1 & 1));
    return value;
}

static struct number angle_cosine(const struct angle *angle)
{
    struct number value = angle->quadrant & 1 ? series_sine(&angle->rest) : series_cosine(&angle->rest);
    value.sign = value.sign != ((angle->quadrant + 1) >> 1 & 1);
    return value;
}

static unsigned store_or_zero(const struct x87_state *x87, const struct number *value, struct float80 *result)
{
    if (big_is_zero(value)) {
        *result = float80_zero(value->sign);
        return 0;
    }
    return soft_x87_store(x87, value, result);
}

/* Operands that need no series: true, with *result and *flags set; C2 for those out of range. `at_zero`: the
 * value of an even function there. */
static bool trigonometric_special(struct float80 a, bool even, struct float80 *result, unsigned *flags)
{
    if (soft_x87_special_unary(a, result, flags)) {
        return true;
    }
    switch (float80_classify(a)) {
    case FLOAT_INFINITY: *flags = soft_x87_invalid(result); return true;
    case FLOAT_ZERO: *result = even ? float80_one() : a; return true;
    default: break;
    }
    if (number_from_float80(a).exponent >= 63) {
        *result = a;
        *flags = X87_C2;
        return true;
    }
    return false;
}

unsigned x87_soft_sine(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    unsigned flags;
    if (trigonometric_special(a, false, result, &flags)) {
        return flags;
    }
    struct number x = number_from_float80(a);
    struct angle angle = reduce_angle(&x);
    struct number value = angle_sine(&angle, x.sign);
    return soft_x87_combine(x87, flags, store_or_zero(x87, &value, result));
}

unsigned x87_soft_cosine(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    unsigned flags;
    if (trigonometric_special(a, true, result, &flags)) {
        return flags;
    }
    struct number x = number_from_float80(a);
    struct angle angle = reduce_angle(&x);
    struct number value = angle_cosine(&angle);
    return soft_x87_combine(x87, flags, store_or_zero(x87, &value, result));
}

unsigned x87_soft_sine_cosine(const struct x87_state *x87, struct float80 a, struct float80 *result,
                              struct float80 *pushed)
{
    unsigned flags = x87_soft_sine(x87, a, result);
    if (flags & X87_C2) {
        return flags;
    }
    return flags | x87_soft_cosine(x87, a, pushed);
}

unsigned x87_soft_tangent(const struct x87_state *x87, struct float80 a, struct float80 *result,
                          struct float80 *pushed)
{
    unsigned flags;
    if (trigonometric_special(a, false, result, &flags)) {
        *pushed = float_class_is_nan(float80_classify(*result)) ? *result : float80_one();
        return flags;
    }
    struct number x = number_from_float80(a);
    struct angle angle = reduce_angle(&x);
    struct number sine = angle_sine(&angle, x.sign);
    struct number cosine = angle_cosine(&angle);
    struct number value = big_divide(&sine, &cosine);
    *pushed = float80_one();
    return soft_x87_combine(x87, flags, store_or_zero(x87, &value, result));
}
