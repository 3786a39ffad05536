/* Copies of blocks with REP MOVSD and with a loop of loads and stores, forth and back between two buffers.
 * The workloads copy_*.c differ in the size of the blocks. */
#ifndef DOPPEL_BENCH_COPY_H
#define DOPPEL_BENCH_COPY_H

#include "workload.h"

static inline void copy_by_string(uint32_t *to, const uint32_t *from, uint32_t words)
{
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

/* The empty asm keeps compilers from making it a call of memcpy(). */
static inline void copy_by_loop(uint32_t *to, const uint32_t *from, uint32_t words)
{
    for (uint32_t i = 0; i < words; i += 4) {
        uint32_t a = from[i];
        uint32_t b = from[i + 1];
        uint32_t c = from[i + 2];
        uint32_t d = from[i + 3];
        to[i] = a;
        to[i + 1] = b;
        to[i + 2] = c;
        to[i + 3] = d;
        __asm__ volatile("" : : : "memory");
    }
}

struct copy {
    uint32_t *one, *other;
    uint32_t words;
};

/* Two buffers of `bytes` each, a multiple of 16. */
static inline struct copy copy_make(uint32_t bytes)
{
    struct copy copy = {workload_memory(bytes), workload_memory(bytes), bytes / 4};
    return copy;
}

/* Fills the first buffer, and copies it `rounds` times forth and back, in either way; one word is changed
 * before each copy, so that the checksum sees whether it took place. */
static inline uint32_t copy_run(const struct copy *copy, uint32_t rounds)
{
    uint32_t random = 0x1f123bb5;
    for (uint32_t i = 0; i < copy->words; i++) {
        copy->one[i] = i;
    }
    for (uint32_t i = 0; i < rounds; i++) {
        copy->one[workload_random(&random) % copy->words] += i;
        copy_by_string(copy->other, copy->one, copy->words);
        copy->other[workload_random(&random) % copy->words] ^= i;
        copy_by_loop(copy->one, copy->other, copy->words);
    }
    uint32_t hash = WORKLOAD_HASH_START;
    uint32_t step = copy->words < 4096 ? 1 : copy->words / 4096;
    for (uint32_t i = 0; i < copy->words; i += step) {
        hash = workload_hash(hash, copy->one[i]);
    }
    return hash;
}

#endif
