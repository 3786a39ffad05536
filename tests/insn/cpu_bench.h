/* A CPU with an engine, an mmu and flat RAM, and nothing else: what the instruction tests run snippets
 * on.
 *
 * Every interrupt vector leads to a HLT of its own, so that a snippet ends where it faults and the test can
 * ask which vector was taken and what was pushed. The layout below is used by cpu_bench_enter_*(); a test
 * that sets up its own state only needs cpu_bench_create(). Failing to build the bench is fatal. */
#ifndef DOPPEL_TESTS_CPU_BENCH_H
#define DOPPEL_TESTS_CPU_BENCH_H

#include "bus/memory_bus.h"
#include "cpu/cpu.h"
#include "cpu/engine.h"
#include "cpu/engine_config.h"
#include "host/host_memory.h"
#include "mmu/mmu.h"

/* Physical (and, before a test maps otherwise, linear) addresses; all below 64 KiB for real mode. */
enum cpu_bench_layout {
    BENCH_GDT = 0x0800,
    BENCH_TSS = 0x0c00,
    BENCH_IDT = 0x1000,
    BENCH_HANDLERS = 0x2000, /* vector n: HLT at BENCH_HANDLERS + 8 * n */
    BENCH_STACK0 = 0x5000,   /* top of the stack a change to CPL 0 switches to */
    BENCH_STACK = 0x7000,    /* top of the stack at the start */
    BENCH_CODE = 0x8000,
    BENCH_DATA = 0xa000,
    BENCH_DIRECTORY = 0x10000, /* page directory, then one page table for the first 4 MiB */
    BENCH_TABLE = 0x11000
};

enum cpu_bench_selector {
    BENCH_CODE0 = 0x08,
    BENCH_DATA0 = 0x10,
    BENCH_CODE3 = 0x1b,
    BENCH_DATA3 = 0x23,
    BENCH_TASK = 0x28
};

enum cpu_bench_page {
    PAGE_PRESENT = 1,
    PAGE_WRITABLE = 2,
    PAGE_USER = 4,
    PAGE_ALL = 7,
    PAGE_ACCESSED = 32,
    PAGE_DIRTY = 64
};

struct cpu_bench {
    struct cpu_state cpu;
    struct memory_bus *bus;
    struct mmu *mmu;
    struct cpu_engine *engine;
    struct host_memory memory;
    uint8_t *ram; /* its bytes */
    uint64_t ram_size;
    struct log log;
    struct counters counters;
    uint8_t interrupt_vector; /* what the interrupt controller answers; it drops INTR then */
    unsigned interrupts_taken;
    uint32_t port_value;        /* what a port read gives */
    uint32_t last_port_written; /* port number << 16 | value */
    /* Told of port writes; NULL: nobody is. */
    void (*port_written)(void *opaque, uint16_t port, uint32_t value);
    void *port_written_opaque;
};

/* What an interrupt or exception pushed (and the vector that was taken). */
struct cpu_bench_frame {
    int vector; /* -1: none */
    uint32_t error_code;
    uint32_t rip;
    uint32_t eflags;
};

/* The engine that `words` name ("dbt,walk,trap,unchained"; NULL or empty: the interpreter), with the
 * strategies of the environment's DOPPEL_TEST_STRATEGIES instead of those. Code is never left to be cold. A
 * word that means nothing is fatal. */
struct engine_config cpu_bench_engine(const char *words);

/* A bench of `ram_size` bytes of RAM from address 0, the CPU freshly reset, on the given engine, or on what
 * the environment's DOPPEL_TEST_ENGINE names. Destroy with cpu_bench_destroy(). */
struct cpu_bench *cpu_bench_create(const struct cpu_model *model, uint64_t ram_size);
struct cpu_bench *cpu_bench_create_with(const struct cpu_model *model, uint64_t ram_size,
                                        const struct engine_config *engine);
void cpu_bench_destroy(struct cpu_bench *bench);

/* Resets the CPU and stands before BENCH_CODE in real mode with all segments at 0. */
void cpu_bench_enter_real(struct cpu_bench *bench);

/* Resets the CPU and stands before BENCH_CODE in protected mode with flat segments at privilege `cpl` (0, 3);
 * code_size 2 or 4. */
void cpu_bench_enter_flat(struct cpu_bench *bench, unsigned code_size, unsigned cpl);

/* Turns paging on, CR0.WP included, with the first 4 MiB mapped one to one, user-accessible and writable. */
void cpu_bench_enable_paging(struct cpu_bench *bench);

/* Maps one page of the first 4 MiB; flags: enum cpu_bench_page, 0 for not present. */
void cpu_bench_map(struct cpu_bench *bench, uint32_t linear, uint32_t phys, uint32_t flags);
uint32_t cpu_bench_page_entry(const struct cpu_bench *bench, uint32_t linear);

/* Stores bytes as DMA would. */
void cpu_bench_load(struct cpu_bench *bench, uint64_t phys, const uint8_t *bytes, size_t count);

uint32_t cpu_bench_read(const struct cpu_bench *bench, uint64_t phys, unsigned width);
void cpu_bench_write(struct cpu_bench *bench, uint64_t phys, unsigned width, uint32_t value);

enum stop_reason cpu_bench_run(struct cpu_bench *bench, uint64_t budget);

/* Which handler's HLT the CPU stands behind, and its frame. */
struct cpu_bench_frame cpu_bench_frame(const struct cpu_bench *bench);

/* Bytes in place, for cpu_bench_load(). */
#define BENCH_BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

#endif
