/* The string instructions with REP, REPE and REPNE: moves, fills, searches and comparisons of bytes, words
 * and doublewords; of 3 bytes to 16 KiB, aligned and not, forwards and backwards. */
#include "workload.h"

#define ROUNDS 100u
#define BYTES  (16u << 10)

static uint8_t source[BYTES + 64] __attribute__((aligned(64)));
static uint8_t target[BYTES + 64] __attribute__((aligned(64)));

static void move_bytes(void *to, const void *from, uint32_t count)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void move_words(void *to, const void *from, uint32_t count)
{
    __asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void move_doublewords(void *to, const void *from, uint32_t count)
{
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void move_doublewords_down(void *to, const void *from, uint32_t count)
{
    __asm__ volatile("std; rep movsl; cld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void fill_bytes(void *to, uint32_t value, uint32_t count)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

static void fill_doublewords(void *to, uint32_t value, uint32_t count)
{
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

/* How many elements are left behind the one that was found (0: it is the last, or there is none). */
static uint32_t find_byte(const void *in, uint32_t value, uint32_t count)
{
    __asm__ volatile("repne scasb" : "+D"(in), "+c"(count) : "a"(value) : "memory", "cc");
    return count;
}

static uint32_t skip_doublewords(const void *in, uint32_t value, uint32_t count)
{
    __asm__ volatile("repe scasl" : "+D"(in), "+c"(count) : "a"(value) : "memory", "cc");
    return count;
}

/* How many elements are left behind the first that differs. */
static uint32_t compare_bytes(const void *one, const void *other, uint32_t count)
{
    __asm__ volatile("repe cmpsb" : "+S"(one), "+D"(other), "+c"(count) : : "memory", "cc");
    return count;
}

static uint32_t compare_doublewords(const void *one, const void *other, uint32_t count)
{
    __asm__ volatile("repe cmpsl" : "+S"(one), "+D"(other), "+c"(count) : : "memory", "cc");
    return count;
}

static uint32_t hash_bytes(const uint8_t *bytes, uint32_t count, uint32_t step, uint32_t hash)
{
    for (uint32_t i = 0; i < count; i += step) {
        hash = (hash ^ bytes[i]) * 0x01000193u;
    }
    return hash;
}

/* Every operation once, on `size` bytes (a multiple of 4) that begin `offset` bytes from where they would be
 * aligned. */
static uint32_t run_size(uint32_t size, uint32_t offset, uint32_t hash)
{
    uint8_t *to = target + offset;
    const uint8_t *from = source + (offset ^ 2);
    uint32_t last = size - 4;

    fill_bytes(to, size, size);
    move_bytes(to + 1, from, size - 1);
    hash ^= compare_bytes(to + 1, from, size);
    move_words(to, from + 1, size / 2);
    hash += find_byte(to, 0xff, size);
    move_doublewords(to, from, size / 4);
    to[last] ^= 0x55;
    hash ^= compare_doublewords(to, from, size / 4) << 8 | compare_bytes(to, from, size);
    move_doublewords_down(to + last, from + last + 1, size / 4);
    hash = hash_bytes(to, size, size / 4, hash);
    fill_doublewords(to, hash, size / 4);
    to[last / 2] ^= 0x55;
    return hash + skip_doublewords(to, hash, size / 4);
}

void workload_prepare(void)
{
    uint32_t random = 4711;
    for (uint32_t i = 0; i < sizeof source; i++) {
        source[i] = (uint8_t)(workload_random(&random) % 255); /* FFh is not found */
    }
}

uint32_t workload_run(void)
{
    uint32_t hash = WORKLOAD_HASH_START;
    memset(target, 0, sizeof target);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t size = 4; size <= BYTES; size *= 2) {
            /* The short ones more often: a REP's start counts there, and its steps do in the long ones. */
            for (uint32_t i = 0; i < 1 + 512 / size; i++) {
                hash = run_size(size, (i + round) & 31, hash);
            }
        }
        hash = hash_bytes(target, sizeof target, 67, hash);
    }
    return hash;
}
