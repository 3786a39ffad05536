/* See fpu_values.h. */
#include "fpu_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* xorshift64*. */
uint64_t fpu_random(struct fpu_random *random)
{
    uint64_t x = random->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * UINT64_C(2685821657736338717);
}

static unsigned pick(struct fpu_random *random, unsigned count)
{
    return (unsigned)((fpu_random(random) >> 32) % count);
}

/* `bits` bits: anything, few ones at the top or bottom, runs of ones. */
static uint64_t random_fraction(struct fpu_random *random, unsigned bits)
{
    uint64_t value = fpu_random(random);
    switch (pick(random, 8)) {
    case 0: value = 0; break;
    case 1: value = UINT64_MAX; break;
    case 2: value = (uint64_t)1 << pick(random, 64); break;
    case 3: value = UINT64_MAX << pick(random, 64); break;
    case 4: value = bits_mask(pick(random, 64)); break;
    case 5: value &= UINT64_MAX << pick(random, 64); break;
    default: break;
    }
    return value & bits_mask(bits);
}

struct float80 fpu_random_float80(struct fpu_random *random)
{
    uint16_t sign = fpu_random(random) & 1 ? FLOAT80_SIGN : 0;
    uint64_t fraction = random_fraction(random, 63);
    unsigned exponent = (unsigned)fpu_random(random) & FLOAT80_EXPONENT;
    bool integer = true;
    switch (pick(random, 16)) {
    case 0:
        exponent = 0;
        fraction = 0;
        integer = false;
        break;
    case 1:
        exponent = 0;
        integer = pick(random, 4) == 0;
        break;
    case 2:
        exponent = FLOAT80_EXPONENT;
        fraction = pick(random, 2) ? 0 : fraction;
        integer = pick(random, 8) != 0;
        break;
    case 3: integer = pick(random, 4) != 0; break;
    case 4: exponent = 1 + pick(random, 70); break;
    case 5: exponent = FLOAT80_EXPONENT - 1 - pick(random, 70); break;
    case 6: exponent = FLOAT80_BIAS - 1022 - 60 + pick(random, 70); break;
    case 7: exponent = FLOAT80_BIAS - 126 - 30 + pick(random, 40); break;
    case 8: exponent = FLOAT80_BIAS + 1020 + pick(random, 8); break;
    case 9: exponent = FLOAT80_BIAS + 124 + pick(random, 8); break;
    case 10: exponent = FLOAT80_BIAS - 4 + pick(random, 72); break;
    default: exponent = FLOAT80_BIAS - 70 + pick(random, 140); break;
    }
    return (struct float80){.significand = fraction | (integer ? FLOAT80_INTEGER : 0),
                            .sign_exponent = (uint16_t)(sign | exponent)};
}

uint32_t fpu_random_float32(struct fpu_random *random)
{
    uint32_t fraction = (uint32_t)random_fraction(random, 23);
    uint32_t exponent = (uint32_t)fpu_random(random) & 255;
    uint32_t sign = (uint32_t)(fpu_random(random) & 1) << 31;
    switch (pick(random, 8)) {
    case 0: exponent = 0; break;
    case 1: exponent = 255; break;
    case 2: return sign;
    case 3: exponent = 127 + pick(random, 34); break;
    case 4: exponent = 120 + pick(random, 14); break;
    default: break;
    }
    return sign | exponent << 23 | fraction;
}

uint64_t fpu_random_float64(struct fpu_random *random)
{
    uint64_t fraction = random_fraction(random, 52);
    uint64_t exponent = fpu_random(random) & 2047;
    uint64_t sign = (fpu_random(random) & 1) << 63;
    switch (pick(random, 10)) {
    case 0: exponent = 0; break;
    case 1: exponent = 2047; break;
    case 2: return sign;
    case 3: exponent = 1023 + pick(random, 34); break;
    case 4: exponent = 1015 + pick(random, 14); break;
    case 5: exponent = 1023 - 150 + pick(random, 30); break;
    case 6: exponent = 1023 + 120 + pick(random, 10); break;
    default: break;
    }
    return sign | exponent << 52 | fraction;
}

uint64_t fpu_random_vector(struct fpu_random *random)
{
    switch (pick(random, 6)) {
    case 0:
    case 1: {
        uint64_t high = fpu_random_float32(random); /* in this order with every compiler */
        return high << 32 | fpu_random_float32(random);
    }
    case 2:
    case 3: return fpu_random_float64(random);
    case 4: return pick(random, 70);
    default: return fpu_random(random);
    }
}

uint16_t fpu_random_control(struct fpu_random *random)
{
    unsigned masks = pick(random, 4) == 0 ? (unsigned)fpu_random(random) : X87_EXCEPTIONS;
    unsigned rest = pick(random, 2) ? 0x300 : (unsigned)fpu_random(random);
    return (uint16_t)(((rest & 0xf00) | (masks & X87_EXCEPTIONS)) | X87_CONTROL_ONE);
}

uint32_t fpu_random_mxcsr(struct fpu_random *random)
{
    uint32_t masks = pick(random, 8) == 0 ? (uint32_t)fpu_random(random) & MXCSR_MASKS : MXCSR_MASKS;
    uint32_t modes = (uint32_t)fpu_random(random) & (MXCSR_FZ | MXCSR_DAZ | 3u << MXCSR_ROUNDING_SHIFT);
    modes &= pick(random, 2) ? 3u << MXCSR_ROUNDING_SHIFT : UINT32_MAX;
    return masks | modes;
}

uint64_t fpu_seed(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    printf("seed: %" PRIu64 "\n", seed);
    return seed == 0 ? 1 : seed * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t fpu_cases(int argc, char **argv, uint64_t usual)
{
    return argc > 2 ? strtoull(argv[2], NULL, 0) : usual;
}
