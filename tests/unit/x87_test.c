/* The software x87 and SSE against the host's, operation by operation: basic arithmetic to the last bit and
 * flag, transcendental functions to one unit in the last place, approximations to what the manual allows.
 *
 * usage: x87_test [SEED [CASES]]. Without host x87 in the build (DOPPEL_HOST_X87=OFF) the test is skipped
 * (77). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu/sse_arithmetic.h"
#include "cpu/x87_arithmetic.h"
#include "fpu_values.h"

#if DOPPEL_HOST_X87

#define USUAL_CASES    2000000u
#define UNDERFLOW_WRAP 24576u /* added to the exponent of an unmasked underflow's result (SDM 1 §8.5.5) */

struct comparison {
    struct fpu_random random;
    unsigned failures;
    uint64_t largest;            /* difference in units in the last place */
    bool unchanged_is_underflow; /* of the host: see expect_underflow() */
};

struct outcome {
    struct float80 result, pushed;
    unsigned flags;
};

static bool is_same(struct float80 a, struct float80 b)
{
    return a.significand == b.significand && a.sign_exponent == b.sign_exponent;
}

/* How many units in the last place lie between two finite results of the same sign; UINT64_MAX: too many. */
static uint64_t distance(struct float80 a, struct float80 b)
{
    int exponents = (int)a.sign_exponent - (int)b.sign_exponent;
    if (exponents == 0) {
        return a.significand > b.significand ? a.significand - b.significand : b.significand - a.significand;
    }
    if (exponents == 1) {
        return a.significand - FLOAT80_INTEGER + (UINT64_MAX - b.significand) + 1;
    }
    if (exponents == -1) {
        return b.significand - FLOAT80_INTEGER + (UINT64_MAX - a.significand) + 1;
    }
    return UINT64_MAX;
}

static void report(const char *name, const struct x87_state *x87, struct float80 a, struct float80 b,
                   const struct outcome *soft, const struct outcome *host)
{
    printf("%s control %04x a %04x:%016" PRIx64 " b %04x:%016" PRIx64 "\n", name, x87->control,
           a.sign_exponent, a.significand, b.sign_exponent, b.significand);
    printf("  soft %04x:%016" PRIx64 " %04x:%016" PRIx64 " flags %04x\n", soft->result.sign_exponent,
           soft->result.significand, soft->pushed.sign_exponent, soft->pushed.significand, soft->flags);
    printf("  host %04x:%016" PRIx64 " %04x:%016" PRIx64 " flags %04x\n", host->result.sign_exponent,
           host->result.significand, host->pushed.sign_exponent, host->pushed.significand, host->flags);
}

/* Exact in everything; `codes`: the condition codes that the operation defines. */
static bool is_exact(const struct x87_state *x87, const struct outcome *soft, const struct outcome *host,
                     unsigned codes)
{
    unsigned mask = X87_EXCEPTIONS | codes;
    if ((soft->flags & mask) != (host->flags & mask)) {
        return false;
    }
    return x87_is_blocked(soft->flags, x87->control) ||
           (is_same(soft->result, host->result) && is_same(soft->pushed, host->pushed));
}

/* One unit in the last place; #P, C1 and, at the edge of the range, #U and #O may follow the last bit. */
static bool is_close(struct comparison *comparison, const struct x87_state *x87, const struct outcome *soft,
                     const struct outcome *host)
{
    const unsigned mask = X87_BEFORE | X87_C2;
    if ((soft->flags & mask) != (host->flags & mask)) {
        return false;
    }
    if (x87_is_blocked(soft->flags, x87->control)) {
        return true;
    }
    uint64_t first = distance(soft->result, host->result);
    uint64_t second = distance(soft->pushed, host->pushed);
    uint64_t larger = first > second ? first : second;
    comparison->largest = larger <= 1 && larger > comparison->largest ? larger : comparison->largest;
    return larger <= 1;
}

struct operation {
    const char *name;
    x87_unary *soft_unary, *host_unary;
    x87_binary *soft_binary, *host_binary;
    x87_pair *soft_pair, *host_pair;
};

#define X87_UNARY(name)  {#name, x87_soft_##name, x87_host_##name, NULL, NULL, NULL, NULL},
#define X87_BINARY(name) {#name, NULL, NULL, x87_soft_##name, x87_host_##name, NULL, NULL},
#define X87_PAIR(name)   {#name, NULL, NULL, NULL, NULL, x87_soft_##name, x87_host_##name},
static const struct operation operations[] = {
#include "cpu/x87_operation.def"
};
#undef X87_UNARY
#undef X87_BINARY
#undef X87_PAIR
#define BASIC_OPERATIONS 9u /* the first ones of the list */

static void run(const struct operation *operation, const struct x87_state *x87, struct float80 a,
                struct float80 b, struct outcome *soft, struct outcome *host)
{
    *soft = *host = (struct outcome){0};
    if (operation->soft_unary != NULL) {
        soft->flags = operation->soft_unary(x87, a, &soft->result);
        host->flags = operation->host_unary(x87, a, &host->result);
    } else if (operation->soft_binary != NULL) {
        soft->flags = operation->soft_binary(x87, a, b, &soft->result);
        host->flags = operation->host_binary(x87, a, b, &host->result);
    } else {
        soft->flags = operation->soft_pair(x87, a, &soft->result, &soft->pushed);
        host->flags = operation->host_pair(x87, a, &host->result, &host->pushed);
        if (host->flags & X87_C2) {
            soft->pushed = host->pushed;
        }
    }
}

/* FSCALE by 0 and remainders by infinity give their operand back. When that is denormal and #U unmasked,
 * Intel's processors and the software do so without a word; to AMD's it is an underflow like any other. */
static bool unchanged_is_underflow_on_host(void)
{
    const struct x87_state x87 = {.control = X87_CONTROL_INIT & ~(unsigned)X87_UE};
    const struct float80 denormal = {.significand = 1};
    struct float80 result;
    return x87_host_scale(&x87, denormal, (struct float80){0}, &result) & X87_UE;
}

/* Makes of an outcome that is the denormal `a` itself the one of such hosts. */
static void expect_underflow(const struct x87_state *x87, struct float80 a, struct outcome *soft)
{
    bool is_denormal = (a.sign_exponent & ~(unsigned)FLOAT80_SIGN) == 0 && a.significand != 0 &&
                       !(a.significand & FLOAT80_INTEGER);
    if (is_denormal && is_same(soft->result, a) && !(x87->control & X87_UE) &&
        !x87_is_blocked(soft->flags, x87->control)) {
        unsigned shift = (unsigned)__builtin_clzll(a.significand);
        soft->flags |= X87_UE;
        soft->result.significand <<= shift;
        soft->result.sign_exponent |= (uint16_t)(1 - shift + UNDERFLOW_WRAP);
    }
}

/* Operands where the functions do something: around 1, small, large. */
static struct float80 transcendental_operand(struct fpu_random *random)
{
    struct float80 value = fpu_random_float80(random);
    if (fpu_random(random) >> 62 != 0) {
        uint64_t r = fpu_random(random);
        value.significand = r | FLOAT80_INTEGER;
        value.sign_exponent =
            (uint16_t)((r >> 8 & FLOAT80_SIGN) | (FLOAT80_BIAS - 12 + fpu_random(random) % 20));
    }
    return value;
}

static void compare_operation(struct comparison *comparison, unsigned n, uint64_t cases)
{
    const struct operation *operation = &operations[n];
    bool basic = n < BASIC_OPERATIONS;
    bool remainder = operation->soft_binary == x87_soft_remainder_truncated ||
                     operation->soft_binary == x87_soft_remainder_nearest;
    bool may_be_unchanged = remainder || operation->soft_binary == x87_soft_scale;
    unsigned failures = 0;
    comparison->largest = 0;
    for (uint64_t i = 0; i < cases; i++) {
        struct x87_state x87 = {.control = fpu_random_control(&comparison->random)};
        struct fpu_random *random = &comparison->random;
        struct float80 a = basic ? fpu_random_float80(random) : transcendental_operand(random);
        struct float80 b = basic ? fpu_random_float80(random) : transcendental_operand(random);
        struct outcome soft, host;
        if (!basic) {
            x87.control =
                X87_CONTROL_INIT; /* results of other rounding modes are not defined to the last bit */
        }
        run(operation, &x87, a, b, &soft, &host);
        if (may_be_unchanged && comparison->unchanged_is_underflow) {
            expect_underflow(&x87, a, &soft);
        }
        unsigned codes = remainder && !(soft.flags & X87_IE) &&
                                 !float_class_is_nan(float80_classify(soft.result)) &&
                                 !x87_is_blocked(soft.flags, x87.control)
                             ? X87_CODES
                             : X87_C1;
        bool agree = basic ? is_exact(&x87, &soft, &host, codes) : is_close(comparison, &x87, &soft, &host);
        if (!agree && failures++ < 3) {
            report(operation->name, &x87, a, b, &soft, &host);
        }
    }
    printf("%-20s %u of %" PRIu64 " differ; largest accepted difference %" PRIu64 " ulp\n", operation->name,
           failures, cases, comparison->largest);
    comparison->failures += failures;
}

static void compare_stores(struct comparison *comparison, uint64_t cases)
{
    unsigned failures = 0;
    for (uint64_t i = 0; i < cases; i++) {
        struct x87_state x87 = {.control = fpu_random_control(&comparison->random)};
        struct float80 a = fpu_random_float80(&comparison->random);
        uint32_t soft32, host32;
        uint64_t soft64, host64;
        unsigned soft_flags = x87_soft_to_float32(&x87, a, &soft32);
        unsigned host_flags = x87_host_to_float32(&x87, a, &host32);
        unsigned soft_flags64 = x87_soft_to_float64(&x87, a, &soft64);
        unsigned host_flags64 = x87_host_to_float64(&x87, a, &host64);
        const unsigned mask = X87_EXCEPTIONS | X87_C1;
        if (soft32 != host32 || soft64 != host64 || ((soft_flags ^ host_flags) & mask) ||
            ((soft_flags64 ^ host_flags64) & mask)) {
            if (failures++ < 3) {
                printf("store control %04x a %04x:%016" PRIx64 ": soft %08x %04x %016" PRIx64
                       " %04x host %08x %04x %016" PRIx64 " %04x\n",
                       x87.control, a.sign_exponent, a.significand, soft32, soft_flags & mask, soft64,
                       soft_flags64 & mask, host32, host_flags & mask, host64, host_flags64 & mask);
            }
        }
    }
    printf("%-20s %u of %" PRIu64 " differ\n", "stores", failures, cases);
    comparison->failures += failures;
}

static void random_vector(struct fpu_random *random, struct xmm_register *to)
{
    store_le64(to->b, fpu_random_vector(random));
    store_le64(to->b + 8, fpu_random_vector(random));
}

static void compare_sse(struct comparison *comparison, uint64_t cases)
{
    unsigned failures = 0;
    for (uint64_t i = 0; i < cases; i++) {
        struct fpu_random *random = &comparison->random;
        enum sse_operation operation = (enum sse_operation)((fpu_random(random) >> 32) % SSE_OPERATIONS);
        enum sse_format format = (enum sse_format)(fpu_random(random) >> 62);
        uint32_t mxcsr = fpu_random_mxcsr(random);
        struct xmm_register a, b, soft = {{0}}, host = {{0}};
        random_vector(random, &a);
        random_vector(random, &b);
        unsigned soft_flags = sse_soft_operate(mxcsr, operation, format, &a, &b, &soft);
        unsigned host_flags = sse_host_operate(mxcsr, operation, format, &a, &b, &host);
        if (soft_flags != host_flags || memcmp(&soft, &host, sizeof soft) != 0) {
            if (failures++ < 3) {
                printf("sse operation %d format %d mxcsr %04x a %016" PRIx64 "%016" PRIx64 " b %016" PRIx64
                       "%016" PRIx64 "\n  soft %016" PRIx64 "%016" PRIx64 " %02x host %016" PRIx64
                       "%016" PRIx64 " %02x\n",
                       operation, format, mxcsr, load_le64(a.b + 8), load_le64(a.b), load_le64(b.b + 8),
                       load_le64(b.b), load_le64(soft.b + 8), load_le64(soft.b), soft_flags,
                       load_le64(host.b + 8), load_le64(host.b), host_flags);
            }
        }
    }
    printf("%-20s %u of %" PRIu64 " differ\n", "sse", failures, cases);
    comparison->failures += failures;
}

static bool approximations_agree(uint32_t soft_bits, uint32_t host_bits)
{
    float soft, host;
    memcpy(&soft, &soft_bits, sizeof soft);
    memcpy(&host, &host_bits, sizeof host);
    return soft_bits == host_bits || fabsf(soft - host) <= fmaxf(fabsf(host) * 0x1.8p-11f, 0x1p-126f);
}

static void compare_approximations(struct comparison *comparison, uint64_t cases)
{
    unsigned failures = 0;
    for (uint64_t i = 0; i < cases; i++) {
        uint32_t a = fpu_random_float32(&comparison->random);
        if (!approximations_agree(sse_soft_reciprocal(a), sse_host_reciprocal(a)) ||
            !approximations_agree(sse_soft_reciprocal_root(a), sse_host_reciprocal_root(a))) {
            if (failures++ < 3) {
                printf("approximations of %08x: soft %08x %08x host %08x %08x\n", a, sse_soft_reciprocal(a),
                       sse_soft_reciprocal_root(a), sse_host_reciprocal(a), sse_host_reciprocal_root(a));
            }
        }
    }
    printf("%-20s %u of %" PRIu64 " differ\n", "approximations", failures, cases);
    comparison->failures += failures;
}

int main(int argc, char **argv)
{
    struct comparison comparison = {.random.state = fpu_seed(argc, argv),
                                    .unchanged_is_underflow = unchanged_is_underflow_on_host()};
    uint64_t cases = fpu_cases(argc, argv, USUAL_CASES);
    for (unsigned n = 0; n < ARRAY_COUNT(operations); n++) {
        compare_operation(&comparison, n, n < BASIC_OPERATIONS ? cases / 4 : cases / 16);
    }
    compare_stores(&comparison, cases / 4);
    compare_sse(&comparison, cases / 2);
    compare_approximations(&comparison, cases / 8);
    return comparison.failures != 0;
}

#else

int main(void)
{
    printf("SKIPPED: the build does not use the host's x87\n");
    return 77;
}

#endif
