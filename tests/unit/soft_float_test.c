/* The software x87 and SSE give the same bits and flags on every host, whatever its byte order and word size.
 *
 * Where there is an x87, x87_test proves them right; here a digest of what they answer to the same random
 * operands is compared with the one written down there. A change of an operation's results, or of what
 * fpu_values.c draws, changes digests: then those this test prints are the new ones, provided that x87_test
 * agrees. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu/sse_arithmetic.h"
#include "cpu/x87_arithmetic.h"
#include "fpu_values.h"

#define SEED  UINT64_C(0x9e3779b97f4a7c15)
#define CASES 3000u

/* FNV-1a over values, least significant byte first. */
static void digest_add(uint64_t *digest, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        *digest = (*digest ^ (value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    }
}

static uint64_t digest_start(void)
{
    return UINT64_C(0xcbf29ce484222325);
}

static void digest_add_float80(uint64_t *digest, struct float80 value)
{
    digest_add(digest, value.significand);
    digest_add(digest, value.sign_exponent);
}

struct x87_row {
    const char *name;
    x87_unary *unary;
    x87_binary *binary;
    x87_pair *pair;
};

#define X87_UNARY(name)  {#name, x87_soft_##name, NULL, NULL},
#define X87_BINARY(name) {#name, NULL, x87_soft_##name, NULL},
#define X87_PAIR(name)   {#name, NULL, NULL, x87_soft_##name},
static const struct x87_row x87_rows[] = {
#include "cpu/x87_operation.def"
};
#undef X87_UNARY
#undef X87_BINARY
#undef X87_PAIR

/* In the order of x87_operation.def. */
static const uint64_t x87_digests[] = {
    // clang-format off
    UINT64_C(0x278c1cabc8c2e420), /* add */
    UINT64_C(0x20e49b3a450684e4), /* subtract */
    UINT64_C(0x629f37aad30fbf6c), /* multiply */
    UINT64_C(0x4190e17b7537bfb5), /* divide */
    UINT64_C(0x34bcb03de9b55f4f), /* square_root */
    UINT64_C(0x24c2c7de0338c8ca), /* round_to_integer */
    UINT64_C(0x88849423e51dae91), /* scale */
    UINT64_C(0x59c1dc51d7e8295d), /* remainder_truncated */
    UINT64_C(0x6915f2829d519d50), /* remainder_nearest */
    UINT64_C(0xedb2fe201cbd0d18), /* exponential */
    UINT64_C(0x3ff0b34a3873058a), /* logarithm */
    UINT64_C(0x8e53e7fb01ba2ba3), /* logarithm_plus_one */
    UINT64_C(0x0cfa58f127ae86a6), /* arc_tangent */
    UINT64_C(0x9b09ac3b2c2c9f71), /* sine */
    UINT64_C(0xe39d08cff44fddc8), /* cosine */
    UINT64_C(0xb6a1c98e2d938224), /* sine_cosine */
    UINT64_C(0xd0cd110136b06d9e), /* tangent */
    // clang-format on
};

static const uint64_t conversions_digest = UINT64_C(0xe8bca0c9fe0f96de);
static const uint64_t sse_digests[SSE_OPERATIONS] = {
    UINT64_C(0x562160f5fd95774a), UINT64_C(0x8bbe654ad33a521f), UINT64_C(0x727227c9a10fced9),
    UINT64_C(0xd7e8c7a1cc2c2278), UINT64_C(0xf24e2a17365f26af), UINT64_C(0xc4a9c4f7be3b368c),
    UINT64_C(0x0f26894699e49684),
};
static const uint64_t sse_conversions_digest = UINT64_C(0x5b4233079a4c3a52);

static uint64_t x87_digest(const struct x87_row *row)
{
    struct fpu_random random = {.state = SEED};
    uint64_t digest = digest_start();
    for (unsigned i = 0; i < CASES; i++) {
        struct x87_state x87 = {.control = fpu_random_control(&random)};
        struct float80 a = fpu_random_float80(&random);
        struct float80 b = fpu_random_float80(&random);
        struct float80 result = {0};
        struct float80 pushed = {0};
        unsigned flags;
        if (row->unary != NULL) {
            flags = row->unary(&x87, a, &result);
        } else if (row->binary != NULL) {
            flags = row->binary(&x87, a, b, &result);
        } else {
            flags = row->pair(&x87, a, &result, &pushed);
        }
        digest_add(&digest, flags);
        if (!x87_is_blocked(flags, x87.control)) {
            digest_add_float80(&digest, result);
            digest_add_float80(&digest, pushed);
        }
    }
    return digest;
}

/* Compares, and shows what the table would have to say. */
static unsigned check(const char *name, uint64_t found, uint64_t expected)
{
    if (found == expected) {
        return 0;
    }
    print_error("%s: digest is UINT64_C(0x%016" PRIx64 "), expected 0x%016" PRIx64 "\n", name, found,
                expected);
    return 1;
}

static void x87_operations_give_the_bits_they_give_on_x86(void **state)
{
    (void)state;
    unsigned failures = 0;
    assert_int_equal(ARRAY_COUNT(x87_digests), ARRAY_COUNT(x87_rows));
    for (unsigned i = 0; i < ARRAY_COUNT(x87_rows); i++) {
        failures += check(x87_rows[i].name, x87_digest(&x87_rows[i]), x87_digests[i]);
    }
    assert_int_equal(failures, 0);
}

static void x87_conversions_give_the_bits_they_give_on_x86(void **state)
{
    (void)state;
    struct fpu_random random = {.state = SEED};
    uint64_t digest = digest_start();
    for (unsigned i = 0; i < CASES; i++) {
        struct x87_state x87 = {.control = fpu_random_control(&random)};
        struct float80 a = fpu_random_float80(&random);
        struct float80 b = fpu_random_float80(&random);
        struct float80 exponent = {0};
        struct float80 widened = {0};
        uint32_t bits32 = 0;
        uint64_t bits64 = 0;
        uint8_t decimal[10] = {0};
        digest_add(&digest, x87_soft_to_float32(&x87, a, &bits32));
        digest_add(&digest, x87_soft_to_float64(&x87, a, &bits64));
        digest_add(&digest, bits32);
        digest_add(&digest, bits64);
        for (unsigned width = 2; width <= 8; width *= 2) {
            int64_t integer = 0;
            digest_add(&digest, x87_to_integer(&x87, a, width, i % 2, &integer));
            digest_add(&digest, (uint64_t)integer);
        }
        digest_add(&digest, x87_to_decimal(&x87, a, decimal));
        digest_add(&digest, load_le64(decimal));
        digest_add(&digest, load_le16(decimal + 8));
        digest_add_float80(&digest, x87_from_decimal(decimal));
        digest_add(&digest, x87_compare(a, b, i % 2));
        digest_add(&digest, x87_extract(a, &exponent, &widened));
        digest_add_float80(&digest, exponent);
        digest_add_float80(&digest, widened);
        digest_add(&digest, x87_from_float32(fpu_random_float32(&random), &widened));
        digest_add_float80(&digest, widened);
        digest_add(&digest, x87_from_float64(fpu_random_float64(&random), &widened));
        digest_add_float80(&digest, widened);
        digest_add_float80(&digest, x87_from_integer((int64_t)fpu_random(&random)));
    }
    assert_int_equal(check("x87 conversions", digest, conversions_digest), 0);
}

static void random_vector(struct fpu_random *random, struct xmm_register *to)
{
    store_le64(to->b, fpu_random_vector(random));
    store_le64(to->b + 8, fpu_random_vector(random));
}

static void digest_add_vector(uint64_t *digest, const struct xmm_register *value)
{
    digest_add(digest, load_le64(value->b));
    digest_add(digest, load_le64(value->b + 8));
}

static void sse_operations_give_the_bits_they_give_on_x86(void **state)
{
    (void)state;
    static const char *const names[SSE_OPERATIONS] = {"add",     "subtract", "multiply",   "divide",
                                                      "minimum", "maximum",  "square root"};
    unsigned failures = 0;
    for (unsigned operation = 0; operation < SSE_OPERATIONS; operation++) {
        struct fpu_random random = {.state = SEED};
        uint64_t digest = digest_start();
        for (unsigned i = 0; i < CASES; i++) {
            uint32_t mxcsr = fpu_random_mxcsr(&random);
            struct xmm_register a, b, result = {{0}};
            random_vector(&random, &a);
            random_vector(&random, &b);
            unsigned flags = sse_soft_operate(mxcsr, (enum sse_operation)operation, (enum sse_format)(i % 4),
                                              &a, &b, &result);
            digest_add(&digest, flags);
            if ((flags & ~(mxcsr >> MXCSR_MASK_SHIFT)) == 0) {
                digest_add_vector(&digest, &result);
            }
        }
        failures += check(names[operation], digest, sse_digests[operation]);
    }
    assert_int_equal(failures, 0);
}

static void sse_comparisons_and_conversions_give_the_bits_they_give_on_x86(void **state)
{
    (void)state;
    struct fpu_random random = {.state = SEED};
    uint64_t digest = digest_start();
    for (unsigned i = 0; i < CASES; i++) {
        uint32_t mxcsr = fpu_random_mxcsr(&random);
        struct xmm_register a, b, result = {{0}};
        uint32_t bits32 = 0;
        uint64_t bits64 = 0;
        random_vector(&random, &a);
        random_vector(&random, &b);
        digest_add(&digest, sse_compare(mxcsr, i % 8, (enum sse_format)(i / 8 % 4), &a, &b, &result));
        digest_add_vector(&digest, &result);
        digest_add(&digest, sse_compare_scalar(mxcsr, i % 2, i % 4 < 2 ? 4 : 8, load_le64(a.b),
                                               load_le64(b.b), &bits32));
        digest_add(&digest, bits32);
        digest_add(&digest, sse_float32_to_float64(mxcsr, load_le32(a.b), &bits64));
        digest_add(&digest, bits64);
        digest_add(&digest, sse_float64_to_float32(mxcsr, load_le64(a.b), &bits32));
        digest_add(&digest, bits32);
        digest_add(&digest, sse_float_to_int32(mxcsr, load_le64(a.b), i % 2 ? 4 : 8, i % 4 < 2, &bits32));
        digest_add(&digest, bits32);
        digest_add(&digest, sse_int32_to_float32(mxcsr, load_le32(b.b), &bits32));
        digest_add(&digest, bits32);
        digest_add(&digest, sse_int32_to_float64(load_le32(b.b)));
        digest_add(&digest, sse_soft_reciprocal(load_le32(a.b)));
        digest_add(&digest, sse_soft_reciprocal_root(load_le32(a.b)));
    }
    assert_int_equal(check("sse comparisons and conversions", digest, sse_conversions_digest), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x87_operations_give_the_bits_they_give_on_x86),
        cmocka_unit_test(x87_conversions_give_the_bits_they_give_on_x86),
        cmocka_unit_test(sse_operations_give_the_bits_they_give_on_x86),
        cmocka_unit_test(sse_comparisons_and_conversions_give_the_bits_they_give_on_x86),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
