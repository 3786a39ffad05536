/* Arithmetic and rounding of numbers held as integers; see soft_number.h. */
#include "cpu/soft_number.h"

const struct float_format soft_format_float32 = {
    .precision = 24, .minimum = -126, .maximum = 127, .wrap = 192};
const struct float_format soft_format_float64 = {
    .precision = 53, .minimum = -1022, .maximum = 1023, .wrap = 1536};
const struct float_format soft_format_float80 = {
    .precision = 64, .minimum = -16382, .maximum = 16383, .wrap = 24576};

/* Whether significand `high` with `precision` bits kept is to be raised, and whether anything is dropped. */
static bool rounds_up(uint64_t high, uint64_t low, unsigned precision, bool sign, enum x87_rounding mode,
                      bool *inexact)
{
    uint64_t dropped = high & bits_mask(64 - precision);
    uint64_t half = precision == 64 ? 0 : (uint64_t)1 << (63 - precision);
    uint64_t half_low = precision == 64 ? (uint64_t)1 << 63 : 0;
    bool odd = high >> (64 - precision) & 1;
    *inexact = (dropped | low) != 0;
    switch (mode) {
    case ROUND_NEAREST:
        if (dropped != half) {
            return dropped > half;
        }
        return low > half_low || (low == half_low && odd);
    case ROUND_DOWN: return *inexact && sign;
    case ROUND_UP: return *inexact && !sign;
    default: return false;
    }
}

/* Drops what the precision cannot hold; a carry out of the top bit goes into the exponent. */
static unsigned round_significand(struct number *a, unsigned precision, enum x87_rounding mode)
{
    bool inexact;
    bool up = rounds_up(a->high, a->low, precision, a->sign, mode, &inexact);
    a->high &= ~bits_mask(64 - precision);
    a->low = 0;
    if (up) {
        uint64_t unit = (uint64_t)1 << (64 - precision);
        bool was_normal = a->high >> 63;
        a->high += unit;
        if (was_normal && !(a->high >> 63)) {
            a->high = (uint64_t)1 << 63;
            a->exponent++;
        }
    }
    return (inexact ? X87_PE : 0u) | (up ? X87_C1 : 0u);
}

/* A number below the format's normal range is tiny unless rounding with an unlimited exponent lifts it there.
 */
static bool is_tiny(const struct number *a, const struct float_format *format, enum x87_rounding mode)
{
    struct number unlimited = *a;
    round_significand(&unlimited, format->precision, mode);
    return unlimited.exponent < format->minimum;
}

static struct rounded overflow(const struct number *a, const struct float_format *format,
                               enum x87_rounding mode)
{
    bool to_infinity =
        mode == ROUND_NEAREST || (mode == ROUND_DOWN && a->sign) || (mode == ROUND_UP && !a->sign);
    return (struct rounded){.significand =
                                to_infinity ? (uint64_t)1 << 63 : ~bits_mask(64 - format->precision),
                            .exponent = to_infinity ? format->maximum + 1 : format->maximum,
                            .flags = X87_OE | X87_PE | (to_infinity ? X87_C1 : 0u),
                            .infinity = to_infinity};
}

static struct rounded finish(const struct number *a, unsigned flags)
{
    return (struct rounded){.significand = a->high, .exponent = a->exponent, .flags = flags};
}

static struct rounded round_tiny(const struct number *a, const struct float_format *format,
                                 struct rounding rounding)
{
    struct number value = *a;
    bool tiny = is_tiny(a, format, rounding.mode);
    if (tiny && !(rounding.masks & X87_UE)) {
        value.exponent += format->wrap;
        unsigned flags = round_significand(&value, format->precision, rounding.mode) | X87_UE;
        if (value.exponent < format->minimum) {
            return (struct rounded){.exponent = format->minimum, .flags = flags};
        }
        return finish(&value, flags);
    }
    if (tiny && rounding.flush) {
        return (struct rounded){.exponent = format->minimum, .flags = X87_UE | X87_PE};
    }
    int32_t distance = format->minimum - value.exponent;
    struct wide shifted = wide_shift_right_sticky((struct wide){value.high, value.low},
                                                  distance > 128 ? 128u : (unsigned)distance);
    value.high = shifted.high;
    value.low = shifted.low;
    value.exponent = format->minimum;
    unsigned flags = round_significand(&value, format->precision, rounding.mode);
    return finish(&value, flags | (tiny && (flags & X87_PE) ? X87_UE : 0u));
}

struct rounded number_round(const struct number *a, const struct float_format *format,
                            struct rounding rounding)
{
    if (a->exponent < format->minimum) {
        return round_tiny(a, format, rounding);
    }
    struct number value = *a;
    unsigned flags = round_significand(&value, format->precision, rounding.mode);
    if (value.exponent <= format->maximum) {
        return finish(&value, flags);
    }
    if (rounding.masks & X87_OE) {
        return overflow(a, format, rounding.mode);
    }
    value.exponent -= format->wrap;
    if (value.exponent > format->maximum) {
        struct rounded result = overflow(a, format, ROUND_NEAREST);
        result.flags = flags | X87_OE;
        return result;
    }
    return finish(&value, flags | X87_OE);
}

bool number_add(const struct number *a, const struct number *b, struct number *sum)
{
    if (a->exponent < b->exponent) {
        const struct number *other = a;
        a = b;
        b = other;
    }
    int32_t distance = a->exponent - b->exponent;
    struct wide x = {a->high, a->low};
    struct wide y =
        wide_shift_right_sticky((struct wide){b->high, b->low}, distance > 128 ? 128u : (unsigned)distance);
    *sum = *a;
    if (a->sign == b->sign) {
        bool carry;
        struct wide total = wide_add(x, y, &carry);
        if (carry) {
            total = wide_shift_right_sticky(total, 1);
            total.high |= (uint64_t)1 << 63;
            sum->exponent++;
        }
        sum->high = total.high;
        sum->low = total.low;
        return true;
    }
    struct wide difference;
    if (wide_is_less(x, y)) {
        difference = wide_subtract(y, x);
        sum->sign = b->sign;
    } else {
        difference = wide_subtract(x, y);
    }
    if ((difference.high | difference.low) == 0) {
        return false;
    }
    unsigned shift =
        difference.high != 0 ? wide_leading_zeros(difference.high) : 64 + wide_leading_zeros(difference.low);
    difference = wide_shift_left(difference, shift);
    sum->high = difference.high;
    sum->low = difference.low;
    sum->exponent -= (int32_t)shift;
    return true;
}

/* The operands' low words are taken as zero: they come from a format. */
struct number number_multiply(const struct number *a, const struct number *b)
{
    struct wide product = wide_multiply(a->high, b->high);
    struct number result = {.exponent = a->exponent + b->exponent + 1, .sign = a->sign != b->sign};
    if (!(product.high >> 63)) {
        product = wide_shift_left(product, 1);
        result.exponent--;
    }
    result.high = product.high;
    result.low = product.low;
    return result;
}

struct number number_divide(const struct number *a, const struct number *b)
{
    struct number result = {.exponent = a->exponent - b->exponent, .sign = a->sign != b->sign};
    uint64_t high = a->high;
    uint64_t low = 0;
    uint64_t remainder;
    if (high >= b->high) {
        low = high << 63;
        high >>= 1;
    } else {
        result.exponent--;
    }
    result.high = wide_divide(high, low, b->high, &remainder);
    result.low = wide_divide(remainder, 0, b->high, &remainder);
    result.low |= remainder != 0;
    return result;
}

struct number number_square_root(const struct number *a)
{
    bool odd = a->exponent & 1;
    struct number result = {.exponent = (a->exponent - odd) / 2};
    struct wide rest = wide_shift_left((struct wide){0, a->high}, odd ? 64 : 63);
    uint64_t root = 0;
    for (unsigned i = 64; i-- > 0;) {
        /* (root + bit)^2 - root^2 = (2 * root + bit) * bit */
        uint64_t bit = (uint64_t)1 << i;
        struct wide step = wide_shift_left((struct wide){root >> 63, root << 1}, i);
        bool carry;
        step = wide_add(step, wide_shift_left((struct wide){0, 1}, 2 * i), &carry);
        if (!wide_is_less(rest, step)) {
            rest = wide_subtract(rest, step);
            root |= bit;
        }
    }
    result.high = root;
    bool above_half = rest.high != 0 || rest.low > root;
    result.low = (above_half ? (uint64_t)1 << 63 : 0) | ((rest.high | rest.low) != 0);
    return result;
}

bool number_round_to_integer(const struct number *a, enum x87_rounding mode, uint64_t *integer, bool *inexact,
                             bool *rounded_up)
{
    int32_t shift = 63 - a->exponent;
    struct wide value =
        wide_shift_right_sticky((struct wide){a->high, a->low}, shift > 128 ? 128u : (unsigned)shift);
    *rounded_up = rounds_up(value.high, value.low, 64, a->sign, mode, inexact);
    *integer = value.high + *rounded_up;
    return *integer != 0;
}
