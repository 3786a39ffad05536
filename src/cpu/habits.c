/* Which habits a model has: those of the host's processor where its code can be translated, and what is known
 * of the model itself. */
#include "cpu/habits.h"

#include "base/crc32.h"
#include "cpu/flags.h"
#include "cpu/model.h"
#include "cpu/sse_arithmetic.h"
#include "cpu/x87_arithmetic.h"

#define SAMPLES      64u               /* of each function: processors differ in more than one of them */
#define SAMPLE_BYTES (6u * 10 + 2 * 4) /* six functions of the x87, two of SSE */

_Static_assert((unsigned)HABIT_SHIFT_SETS_AF == LAZY_AF, "shifts add the one to the other");

uint32_t cpu_habits_of(const struct cpu_model *model)
{
    uint32_t habits = model->generation >= CPU_80386 ? cpu_habits_of_host() : 0;
    return model->shift_overflow_of_last_step ? habits | HABIT_SHIFT_OVERFLOW_OF_LAST_STEP : habits;
}

/* ---- results that are not defined to the last bit */

static uint8_t *put_float80(uint8_t *to, struct float80 value)
{
    store_le64(to, value.significand);
    store_le16(to + 8, value.sign_exponent);
    return to + 10;
}

/* What the functions make of a number from [2^-8, 1), where all of them are defined. */
static uint8_t *put_x87(uint8_t *to, unsigned n)
{
    static x87_unary *const unary[] = {x87_exponential, x87_sine, x87_cosine};
    static x87_binary *const binary[] = {x87_logarithm, x87_arc_tangent};
    const struct x87_state x87 = {.control = X87_CONTROL_INIT};
    const struct float80 one = {.significand = FLOAT80_INTEGER, .sign_exponent = FLOAT80_BIAS};
    const struct float80 a = {.significand = FLOAT80_INTEGER | (n + 1) * UINT64_C(0x9e3779b97f4a7c15),
                              .sign_exponent = (uint16_t)(FLOAT80_BIAS - 1 - n % 8)};
    struct float80 result, pushed;
    for (unsigned i = 0; i < ARRAY_COUNT(unary); i++) {
        unary[i](&x87, a, &result);
        to = put_float80(to, result);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(binary); i++) {
        binary[i](&x87, a, one, &result);
        to = put_float80(to, result);
    }
    x87_tangent(&x87, a, &result, &pushed);
    return put_float80(to, result);
}

/* Approximations repeat themselves from 4 on. */
static uint8_t *put_sse(uint8_t *to, unsigned n)
{
    uint32_t a = 0x3f800000 + n * (0x1000000 / SAMPLES + 1);
    store_le32(to, sse_reciprocal(a));
    store_le32(to + 4, sse_reciprocal_root(a));
    return to + 8;
}

uint32_t cpu_habits_crc(const struct cpu_model *model)
{
    uint8_t bytes[4 + SAMPLES * SAMPLE_BYTES];
    uint8_t *to = bytes + 4;
    store_le32(bytes, cpu_habits_of(model));
    for (unsigned n = 0; n < SAMPLES; n++) {
        to = cpu_model_has(model, FEATURE_FPU) ? put_x87(to, n) : to;
        to = cpu_model_has(model, FEATURE_SSE) ? put_sse(to, n) : to;
    }
    return crc32_append(0, bytes, (size_t)(to - bytes));
}
