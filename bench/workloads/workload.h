/* What a workload is, and what it may use.
 *
 * A workload is one C file that defines workload_run(). The same file becomes a bootable image, with the
 * runtime of bench/guest, and (unless it needs ring 0) a 32-bit Linux program, with that of bench/native.
 * There is no C library: memcpy, memset, memmove and memcmp are all there is. */
#ifndef DOPPEL_BENCH_WORKLOAD_H
#define DOPPEL_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One unit of work, some 10 to 60 ms on a host of today: the same work at every call. Returns a checksum of
 * what it computed. */
uint32_t workload_run(void);

/* Called once, before the first run. Need not be defined. */
void workload_prepare(void);

/* The program's name, for the main program; WORKLOAD_NAME is defined for the workload's own file only. */
extern const char workload_name[];
#ifdef WORKLOAD_NAME
const char workload_name[] = WORKLOAD_NAME;
#endif

/* `bytes` of memory, page-aligned, for as long as the program runs; up to WORKLOAD_MEMORY in all. Its
 * contents are undefined. */
#define WORKLOAD_MEMORY (160u << 20)
void *workload_memory(uint32_t bytes);

/* Ends the program: the workload cannot run here, or found an error. The text becomes the reason in the
 * report. */
_Noreturn void workload_fail(const char *text);

/* What CPUID says of the processor in EDX (leaf 1): the bits that workloads ask for. */
#define WORKLOAD_CPU_MMX  (1u << 23)
#define WORKLOAD_CPU_SSE2 (1u << 26)
static inline uint32_t workload_cpu_features(void)
{
    uint32_t eax = 1;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    return edx;
}

/* FNV-1a, for checksums. */
#define WORKLOAD_HASH_START 0x811c9dc5u
static inline uint32_t workload_hash(uint32_t hash, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        hash = (hash ^ (value >> (8 * i) & 0xff)) * 0x01000193u;
    }
    return hash;
}

/* Pseudo-random numbers, the same everywhere (xorshift32; *state must not be 0). */
static inline uint32_t workload_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);

#endif
