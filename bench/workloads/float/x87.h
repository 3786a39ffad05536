/* What the x87 workloads share: the precision of calculations, and instructions that C has no operator for.
 *
 * Compilers keep intermediate results in registers or spill them to memory as they like. With the precision
 * of calculations set to that of the type (SDM 1 §8.1.5.2) this makes no difference, and all compilers and
 * processors get the same bits. */
#ifndef DOPPEL_BENCH_X87_H
#define DOPPEL_BENCH_X87_H

#include "workload.h"

/* Control words: all exceptions masked, to nearest. */
#define X87_DOUBLE   0x027fu
#define X87_EXTENDED 0x037fu

static inline void x87_set_control(uint16_t word)
{
    __asm__ volatile("fldcw %0" : : "m"(word));
}

static inline long double x87_sqrt(long double x)
{
    __asm__("fsqrt" : "+t"(x));
    return x;
}

static inline uint32_t x87_hash_double(uint32_t hash, double x)
{
    uint32_t words[2];
    memcpy(words, &x, sizeof words);
    return workload_hash(workload_hash(hash, words[0]), words[1]);
}

/* The significand, and the sign with the exponent. */
static inline uint32_t x87_hash_extended(uint32_t hash, long double x)
{
    uint32_t words[3] = {0};
    memcpy(words, &x, 10);
    return workload_hash(workload_hash(workload_hash(hash, words[0]), words[1]), words[2]);
}

#endif
