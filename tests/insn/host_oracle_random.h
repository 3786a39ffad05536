/* The oracle's random numbers: xorshift64*, the same sequence on every host. */
#ifndef DOPPEL_TESTS_HOST_ORACLE_RANDOM_H
#define DOPPEL_TESTS_HOST_ORACLE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_draw64(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static inline uint32_t random_draw(uint64_t *state, uint32_t below)
{
    return (uint32_t)((random_draw64(state) >> 32) * below >> 32);
}

static inline bool random_chance(uint64_t *state, unsigned percent)
{
    return random_draw(state, 100) < percent;
}

#endif
