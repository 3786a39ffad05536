/* Random floating-point operands that meet the corner cases: every class of number in every format, exponents
 * at the edges, significands of few bits, values close to each other. A seed reproduces. */
#ifndef DOPPEL_TESTS_FPU_VALUES_H
#define DOPPEL_TESTS_FPU_VALUES_H

#include "cpu/x87.h"

struct fpu_random {
    uint64_t state;
};

uint64_t fpu_random(struct fpu_random *random);
struct float80 fpu_random_float80(struct fpu_random *random);
uint32_t fpu_random_float32(struct fpu_random *random);
uint64_t fpu_random_float64(struct fpu_random *random);
/* Eight bytes that are floats, doubles, small integers or anything. */
uint64_t fpu_random_vector(struct fpu_random *random);
/* A control word: any rounding and precision; all exceptions masked, mostly. */
uint16_t fpu_random_control(struct fpu_random *random);
uint32_t fpu_random_mxcsr(struct fpu_random *random);

/* The test's seed: its first argument, or a fixed one; printed. The number of cases: the second argument. */
uint64_t fpu_seed(int argc, char **argv);
uint64_t fpu_cases(int argc, char **argv, uint64_t usual);

#endif
