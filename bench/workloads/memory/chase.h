/* Pointer chases: every load gives the next one's address, so that nothing but the latency of memory is
 * measured. The workloads chase_*.c differ in the memory that they go through. */
#ifndef DOPPEL_BENCH_CHASE_H
#define DOPPEL_BENCH_CHASE_H

#include "workload.h"

#define CHASE_LINE 128u /* bytes between two pointers: processors fetch lines of 64 bytes in pairs */

struct chase {
    struct chase *next;
    uint32_t number;
    uint8_t unused[CHASE_LINE - sizeof(struct chase *) - sizeof(uint32_t)];
};

/* One ring through all the lines of `bytes` of memory, in random order (Sattolo's shuffle); returns where it
 * starts. */
static inline struct chase *chase_make(uint32_t bytes)
{
    struct chase *lines = workload_memory(bytes);
    uint32_t count = bytes / CHASE_LINE;
    uint32_t random = 0x9d2c5681;
    for (uint32_t i = 0; i < count; i++) {
        lines[i].next = &lines[i];
        lines[i].number = i;
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = workload_random(&random) % i;
        struct chase *next = lines[i].next;
        lines[i].next = lines[other].next;
        lines[other].next = next;
    }
    return lines;
}

/* Follows `steps` pointers; the checksum is of some of the lines seen on the way. */
static inline uint32_t chase_run(const struct chase *line, uint32_t steps)
{
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t i = 0; i < steps; i += 64) {
        for (uint32_t j = 0; j < 64; j++) {
            line = line->next;
        }
        hash = (hash ^ line->number) * 0x01000193u;
    }
    return hash;
}

#endif
