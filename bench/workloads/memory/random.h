/* Reads and writes of words at random addresses of 64 MiB: hardly any two go to the same page, so that every
 * one needs a translation that no TLB has. The workloads random_*.c differ in how the guest pages its memory.
 */
#ifndef DOPPEL_BENCH_RANDOM_H
#define DOPPEL_BENCH_RANDOM_H

#include "workload.h"

#define RANDOM_WORDS    (16u << 20)
#define RANDOM_ACCESSES 300000u

static inline uint32_t *random_make(void)
{
    uint32_t *words = workload_memory(4 * RANDOM_WORDS);
    for (uint32_t i = 0; i < RANDOM_WORDS; i += 1024) {
        words[i] = i;
    }
    return words;
}

/* The words' old contents do not matter: each is written in a first pass and read in a second, at the same
 * addresses. */
static inline uint32_t random_run(uint32_t *words)
{
    uint32_t random = 0x6c078965;
    for (uint32_t i = 0; i < RANDOM_ACCESSES; i++) {
        uint32_t value = workload_random(&random);
        words[value % RANDOM_WORDS] = value + i;
    }
    uint32_t hash = WORKLOAD_HASH_START;
    random = 0x6c078965;
    for (uint32_t i = 0; i < RANDOM_ACCESSES; i++) {
        hash = (hash ^ words[workload_random(&random) % RANDOM_WORDS]) * 0x01000193u;
    }
    return hash;
}

#endif
