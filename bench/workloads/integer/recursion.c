/* Calls and returns: Fibonacci's numbers and Ackermann's function by their definitions, the queens that do
 * not attack each other, and Hanoi's towers with the discs kept in an array. */
#include "workload.h"

/* Called by itself only: neither inlined, nor made a loop, because keep() comes behind its inner calls. */
#define RECURSIVE __attribute__((noinline))

static uint32_t keep(uint32_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

RECURSIVE static uint32_t fibonacci(uint32_t n)
{
    if (n < 2) {
        return n;
    }
    uint32_t one = fibonacci(n - 1);
    uint32_t two = fibonacci(n - 2);
    return keep(one + two);
}

RECURSIVE static uint32_t ackermann(uint32_t m, uint32_t n)
{
    if (m == 0) {
        return n + 1;
    }
    return keep(ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1)));
}

RECURSIVE static uint32_t queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
    if (columns == all) {
        return 1;
    }
    uint32_t count = 0;
    for (uint32_t free = all & ~(columns | left | right); free != 0; free &= free - 1) {
        uint32_t queen = free & (0u - free);
        count += queens(all, columns | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return keep(count);
}

struct towers {
    uint8_t discs[3][32];
    uint32_t height[3];
    uint32_t hash;
};

RECURSIVE static uint32_t move_discs(struct towers *towers, uint32_t count, uint32_t from, uint32_t to)
{
    if (count == 0) {
        return 0;
    }
    uint32_t over = 3 - from - to;
    uint32_t moves = move_discs(towers, count - 1, from, over);
    uint8_t disc = towers->discs[from][--towers->height[from]];
    towers->discs[to][towers->height[to]++] = disc;
    towers->hash = (towers->hash ^ disc) * 31 + to;
    return keep(moves + 1 + move_discs(towers, count - 1, over, to));
}

uint32_t workload_run(void)
{
    uint32_t hash = workload_hash(WORKLOAD_HASH_START, fibonacci(keep(30)));
    hash = workload_hash(hash, ackermann(keep(3), 7));
    hash = workload_hash(hash, queens(keep(0x3ff), 0, 0, 0));
    struct towers towers = {.height = {16}};
    for (uint32_t i = 0; i < 16; i++) {
        towers.discs[0][i] = (uint8_t)(16 - i);
    }
    hash = workload_hash(hash, move_discs(&towers, keep(16), 0, 2));
    return workload_hash(hash, towers.hash);
}
