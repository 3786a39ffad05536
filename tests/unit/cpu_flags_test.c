/* flags.h: the lazy representation holds every combination of flags and agrees with bit-by-bit arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/flags.h"

/* Sum of two numbers and a carry, one bit at a time, with the flags of SDM 1 appendix A. */
static uint64_t add_bits(uint64_t a, uint64_t b, unsigned carry, unsigned bits, uint32_t *eflags)
{
    uint64_t sum = 0;
    unsigned into_top = 0;
    unsigned ones = 0;
    *eflags = 0;
    for (unsigned i = 0; i < bits; i++) {
        unsigned x = (a >> i) & 1;
        unsigned y = (b >> i) & 1;
        into_top = carry;
        sum |= (uint64_t)(x ^ y ^ carry) << i;
        ones += i < 8 && (x ^ y ^ carry);
        carry = x + y + carry >= 2;
        if (i == 3 && carry) {
            *eflags |= EFLAGS_AF;
        }
    }
    *eflags |= (carry ? EFLAGS_CF : 0u) | (carry != into_top ? EFLAGS_OF : 0u) | (sum == 0 ? EFLAGS_ZF : 0u) |
               ((sum >> (bits - 1)) & 1 ? EFLAGS_SF : 0u) | (ones % 2 == 0 ? EFLAGS_PF : 0u);
    return sum;
}

/* a - b - borrow is a + ~b + !borrow with carries inverted. */
static uint64_t subtract_bits(uint64_t a, uint64_t b, unsigned borrow, unsigned bits, uint32_t *eflags)
{
    uint64_t difference = add_bits(a, ~b, !borrow, bits, eflags);
    *eflags ^= EFLAGS_CF | EFLAGS_AF;
    return difference;
}

static void check_arithmetic(uint64_t a, uint64_t b, unsigned carry, unsigned bits)
{
    struct lazy_flags flags;
    uint32_t expected;
    uint64_t sum = add_bits(a, b, carry, bits, &expected);
    flags_set_add(&flags, a, b, a + b + carry, bits);
    if (flags_to_eflags(&flags) != expected || (flags.result & bits_mask(bits)) != sum) {
        fail_msg("%llx + %llx + %u (%u bits): flags %x, expected %x", (unsigned long long)a,
                 (unsigned long long)b, carry, bits, flags_to_eflags(&flags), expected);
    }
    uint64_t difference = subtract_bits(a, b, carry, bits, &expected);
    flags_set_sub(&flags, a, b, a - b - carry, bits);
    if (flags_to_eflags(&flags) != expected || (flags.result & bits_mask(bits)) != difference) {
        fail_msg("%llx - %llx - %u (%u bits): flags %x, expected %x", (unsigned long long)a,
                 (unsigned long long)b, carry, bits, flags_to_eflags(&flags), expected);
    }
}

static void byte_arithmetic_agrees_with_the_reference_for_all_operands(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            check_arithmetic(a, b, 0, 8);
            check_arithmetic(a, b, 1, 8);
        }
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void wide_arithmetic_agrees_with_the_reference(void **state)
{
    static const unsigned widths[] = {8, 16, 32, 64};
    static const uint64_t edges[] = {0,
                                     1,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000u,
                                     0xffffffffu,
                                     INT64_MAX,
                                     (uint64_t)1 << 63,
                                     UINT64_MAX};
    uint64_t seed = 0x9e3779b97f4a7c15;
    (void)state;
    for (size_t w = 0; w < ARRAY_COUNT(widths); w++) {
        for (size_t i = 0; i < ARRAY_COUNT(edges); i++) {
            for (size_t j = 0; j < ARRAY_COUNT(edges); j++) {
                check_arithmetic(edges[i], edges[j], 0, widths[w]);
                check_arithmetic(edges[i], edges[j], 1, widths[w]);
            }
        }
        for (unsigned n = 0; n < 50000; n++) {
            uint64_t a = next_random(&seed);
            uint64_t b = next_random(&seed);
            check_arithmetic(a, b, (unsigned)(next_random(&seed) >> 63), widths[w]);
        }
    }
}

/* The low six bits of n as CF PF AF ZF SF OF. */
static uint32_t combination(unsigned n)
{
    static const uint32_t bit[] = {EFLAGS_CF, EFLAGS_PF, EFLAGS_AF, EFLAGS_ZF, EFLAGS_SF, EFLAGS_OF};
    uint32_t eflags = 0;
    for (unsigned i = 0; i < 6; i++) {
        eflags |= (n >> i) & 1 ? bit[i] : 0;
    }
    return eflags;
}

static void every_combination_of_flags_survives_loading(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 64; n++) {
        struct lazy_flags flags;
        flags_from_eflags(&flags, combination(n) | ~EFLAGS_ARITHMETIC);
        assert_int_equal(flags_to_eflags(&flags), combination(n));
    }
}

static void replacing_cf_and_of_leaves_the_others(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 64; n++) {
        for (unsigned change = 0; change < 4; change++) {
            struct lazy_flags flags;
            bool cf = change & 1;
            bool of = change & 2;
            uint32_t eflags = combination(n);
            flags_from_eflags(&flags, eflags);
            flags_put_cf(&flags, cf);
            assert_int_equal(flags_to_eflags(&flags), (eflags & ~(uint32_t)EFLAGS_CF) | (cf ? EFLAGS_CF : 0));
            flags_from_eflags(&flags, eflags);
            flags_put_cf_of(&flags, cf, of);
            assert_int_equal(flags_to_eflags(&flags), (eflags & ~((uint32_t)EFLAGS_CF | EFLAGS_OF)) |
                                                          (cf ? EFLAGS_CF : 0) | (of ? EFLAGS_OF : 0));
        }
    }
}

static void logic_clears_carry_and_overflow(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        struct lazy_flags flags;
        uint32_t expected;
        add_bits(value, 0, 0, 8, &expected);
        flags_set_logic(&flags, value, 8);
        assert_int_equal(flags_to_eflags(&flags), expected);
    }
}

static void conditions_match_their_definition(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 64; n++) {
        struct lazy_flags flags;
        uint32_t eflags = combination(n);
        bool cf = eflags & EFLAGS_CF, zf = eflags & EFLAGS_ZF, sf = eflags & EFLAGS_SF,
             of = eflags & EFLAGS_OF, pf = eflags & EFLAGS_PF;
        bool expected[] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
        flags_from_eflags(&flags, eflags);
        for (unsigned condition = 0; condition < 16; condition++) {
            bool holds = expected[condition / 2] != (condition & 1);
            assert_int_equal(flags_condition(&flags, condition), holds);
        }
    }
}

static void system_flags_are_kept_beside_the_arithmetic_ones(void **state)
{
    struct cpu_state cpu = {0};
    uint32_t eflags = EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_VM | EFLAGS_ID | EFLAGS_CF | EFLAGS_ZF;
    (void)state;
    cpu_set_eflags(&cpu, eflags);
    assert_int_equal(cpu_eflags(&cpu), eflags | EFLAGS_FIXED);
    assert_int_equal(cpu_iopl(&cpu), 3);
    assert_int_equal(cpu.eflags_other & EFLAGS_ARITHMETIC, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_arithmetic_agrees_with_the_reference_for_all_operands),
        cmocka_unit_test(wide_arithmetic_agrees_with_the_reference),
        cmocka_unit_test(every_combination_of_flags_survives_loading),
        cmocka_unit_test(replacing_cf_and_of_leaves_the_others),
        cmocka_unit_test(logic_clears_carry_and_overflow),
        cmocka_unit_test(conditions_match_their_definition),
        cmocka_unit_test(system_flags_are_kept_beside_the_arithmetic_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
