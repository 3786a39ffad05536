/* The random numbers of RDRAND: the key stream of ChaCha20 (RFC 8439 §2.3) with the seed as its key and a
 * nonce of zero, word by word.
 *
 * All of its state is in `struct cpu_state`, so that numbers are the same in every run from the same seed, on
 * both sides of a comparison, and after going back in time; without the seed nobody can tell the next number
 * from those before. */
#include "base/bits.h"
#include "cpu/cpu.h"

#define ROUNDS 20

static uint32_t rotate_left(uint32_t value, unsigned count)
{
    return value << count | value >> (32 - count);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate_left(*d ^ *a, 16);
    *c += *d;
    *b = rotate_left(*b ^ *c, 12);
    *a += *b;
    *d = rotate_left(*d ^ *a, 8);
    *c += *d;
    *b = rotate_left(*b ^ *c, 7);
}

/* The counter has 64 bits, of which RFC 8439 makes the upper ones a part of the nonce. */
static void make_block(const uint32_t seed[8], uint64_t counter, uint32_t block[16])
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(start + 4, seed, 8 * sizeof start[0]);
    start[12] = (uint32_t)counter;
    start[13] = (uint32_t)(counter >> 32);
    memcpy(block, start, sizeof start);
    for (unsigned round = 0; round < ROUNDS; round += 2) {
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(&block[i], &block[4 + i], &block[8 + i], &block[12 + i]);
        }
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(&block[i], &block[4 + (i + 1) % 4], &block[8 + (i + 2) % 4],
                          &block[12 + (i + 3) % 4]);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        block[i] += start[i];
    }
}

void cpu_seed_random(struct cpu_state *cpu, const uint8_t seed[CPU_RANDOM_SEED])
{
    cpu->random = (struct cpu_random){.drawn = 0};
    for (unsigned i = 0; i < 8; i++) {
        cpu->random.seed[i] = load_le32(seed + 4 * (size_t)i);
    }
}

uint32_t cpu_draw_random(struct cpu_state *cpu)
{
    struct cpu_random *random = &cpu->random;
    unsigned index = random->drawn % ARRAY_COUNT(random->block);
    if (index == 0) {
        make_block(random->seed, random->drawn / ARRAY_COUNT(random->block), random->block);
    }
    random->drawn++;
    return random->block[index];
}
