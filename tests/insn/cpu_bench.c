/* The bench the instruction tests run on; see cpu_bench.h. */
#include "cpu_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/model.h"
#include "machine/engine_factory.h"

#define OPCODE_HLT 0xf4

static uint32_t read_port(void *opaque, uint16_t port, unsigned width)
{
    const struct cpu_bench *bench = opaque;
    (void)port;
    (void)width;
    return bench->port_value;
}

static void write_port(void *opaque, uint16_t port, unsigned width, uint32_t value)
{
    struct cpu_bench *bench = opaque;
    (void)width;
    bench->last_port_written = (uint32_t)port << 16 | (value & 0xffff);
    if (bench->port_written != NULL) {
        bench->port_written(bench->port_written_opaque, port, value);
    }
}

static int acknowledge_interrupt(void *opaque)
{
    struct cpu_bench *bench = opaque;
    bench->cpu.pending &= ~(uint32_t)CPU_PENDING_INTERRUPT;
    bench->interrupts_taken++;
    return bench->interrupt_vector;
}

static void code_written(void *opaque, uint64_t phys, unsigned length)
{
    struct cpu_bench *bench = opaque;
    if (bench->engine != NULL) {
        const struct engine_range written = {.phys = phys, .length = length};
        struct engine_range dropped = bench->engine->ops->invalidate(bench->engine, written);
        memory_bus_unmark_code(bench->bus, dropped.phys, (unsigned)dropped.length);
    }
}

static void map_changed(void *opaque)
{
    struct cpu_bench *bench = opaque;
    mmu_flush(bench->mmu);
    bench->engine->ops->flush(bench->engine);
}

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "cannot build the test bench: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* The word of one axis that stands for itself, such as "dbt" or "walk". */
static bool choose(struct engine_config *config, const char *word)
{
    unsigned choice;
    if (engine_choice_find(ENGINE_AXIS_ENGINE, word, &choice)) {
        config->kind = (enum engine_kind)choice;
    } else if (engine_choice_find(ENGINE_AXIS_MMU, word, &choice)) {
        config->mmu = (enum mmu_strategy)choice;
    } else if (engine_choice_find(ENGINE_AXIS_SENSITIVE, word, &choice)) {
        config->sensitive = (enum sensitive_strategy)choice;
    } else if (strcmp(word, "unchained") == 0) {
        config->unchained = true;
    } else {
        return false;
    }
    return true;
}

static void choose_all(struct engine_config *config, const char *words)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", words != NULL ? words : "");
    for (char *word = strtok(copy, ","); word != NULL; word = strtok(NULL, ",")) {
        if (!choose(config, word)) {
            fprintf(stderr, "\"%s\" is no engine and no strategy\n", word);
            exit(EXIT_FAILURE);
        }
    }
}

struct engine_config cpu_bench_engine(const char *words)
{
    struct engine_config config = {.kind = ENGINE_INTERP};
    choose_all(&config, words);
    choose_all(&config, getenv("DOPPEL_TEST_STRATEGIES"));
    return config;
}

struct cpu_bench *cpu_bench_create(const struct cpu_model *model, uint64_t ram_size)
{
    const struct engine_config config = cpu_bench_engine(getenv("DOPPEL_TEST_ENGINE"));
    return cpu_bench_create_with(model, ram_size, &config);
}

struct cpu_bench *cpu_bench_create_with(const struct cpu_model *model, uint64_t ram_size,
                                        const struct engine_config *engine)
{
    require(model != NULL, "unknown CPU model");
    struct cpu_bench *bench = calloc(1, sizeof *bench);
    require(bench != NULL, "out of memory");
    struct status status = host_memory_allocate(ram_size, &bench->memory);
    require(status_is_ok(&status), status.message);
    bench->ram = bench->memory.bytes;
    bench->ram_size = ram_size;
    bench->port_value = UINT32_MAX; /* nothing answers */
    bench->bus = memory_bus_create(bench->ram, ram_size, model->address_bits, &bench->log, &bench->counters);
    require(bench->bus != NULL, "out of memory");
    memory_bus_map_ram(bench->bus, 0, ram_size, 0);
    bench->cpu.log = &bench->log;
    bench->cpu.counters = &bench->counters;
    bench->cpu.pins = (struct cpu_pins){.port_read = read_port,
                                        .port_write = write_port,
                                        .interrupt_acknowledge = acknowledge_interrupt,
                                        .opaque = bench};
    bench->mmu = mmu_create(&bench->cpu, bench->bus);
    require(bench->mmu != NULL, "out of memory");
    bench->mmu->ram_fd = bench->memory.fd;
    cpu_init(&bench->cpu, model);
    status = machine_engine_create(engine, &bench->cpu, bench->mmu, &bench->engine);
    require(status_is_ok(&status), status.message);
    memory_bus_set_listener(
        bench->bus,
        &(struct memory_listener){.code_written = code_written, .map_changed = map_changed, .opaque = bench});
    return bench;
}

void cpu_bench_destroy(struct cpu_bench *bench)
{
    bench->engine->ops->destroy(bench->engine);
    mmu_destroy(bench->mmu);
    memory_bus_destroy(bench->bus);
    host_memory_release(&bench->memory);
    free(bench);
}

static void write_handlers(struct cpu_bench *bench)
{
    for (uint32_t vector = 0; vector < 256; vector++) {
        cpu_bench_write(bench, BENCH_HANDLERS + 8 * vector, 1, OPCODE_HLT);
    }
}

void cpu_bench_enter_real(struct cpu_bench *bench)
{
    struct cpu_state *cpu = &bench->cpu;
    cpu_reset(cpu);
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        cpu->segment[i].selector = 0;
        cpu->segment[i].base = 0;
    }
    for (uint32_t vector = 0; vector < 256; vector++) {
        cpu_bench_write(bench, 4 * vector, 4, BENCH_HANDLERS + 8 * vector);
    }
    write_handlers(bench);
    cpu->rip = BENCH_CODE;
    cpu->gpr[CPU_SP].q = BENCH_STACK;
}

static void install_flat(struct segment *segment, uint16_t selector, bool code, unsigned size)
{
    unsigned access = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED |
                      (code ? SEGMENT_CODE : 0u) | (selector & 3u) << SEGMENT_DPL_SHIFT;
    *segment = (struct segment){
        .selector = selector,
        .attributes = (uint16_t)(access | SEGMENT_GRANULARITY | (size == 4 ? (unsigned)SEGMENT_BIG : 0u)),
        .limit = UINT32_MAX};
    segment_update_bounds(segment);
}

static void write_descriptor(struct cpu_bench *bench, uint16_t selector, const struct segment *segment)
{
    uint32_t attributes = segment->attributes;
    uint32_t at = BENCH_GDT + (selector & 0xfff8u);
    cpu_bench_write(bench, at, 4, 0x0000ffff);
    cpu_bench_write(bench, at + 4, 4, (attributes << 8 & 0xf0ff00u) | 0xf0000u);
}

static void write_tables(struct cpu_bench *bench)
{
    static const struct segment task = {.attributes = SEGMENT_PRESENT | 9, .limit = 0x67};
    for (uint32_t vector = 0; vector < 256; vector++) {
        uint32_t handler = BENCH_HANDLERS + 8 * vector;
        cpu_bench_write(bench, BENCH_IDT + 8 * vector, 4, (uint32_t)BENCH_CODE0 << 16 | handler);
        cpu_bench_write(bench, BENCH_IDT + 8 * vector + 4, 4, 0xee00); /* a 32-bit interrupt gate, DPL 3 */
    }
    cpu_bench_write(bench, BENCH_GDT + BENCH_TASK, 4, (uint32_t)BENCH_TSS << 16 | task.limit);
    cpu_bench_write(bench, BENCH_GDT + BENCH_TASK + 4, 4, 0x8b00);
    cpu_bench_write(bench, BENCH_TSS + 4, 4, BENCH_STACK0);
    cpu_bench_write(bench, BENCH_TSS + 8, 4, BENCH_DATA0);
    cpu_bench_write(bench, BENCH_TSS + 0x66, 2, task.limit + 1); /* no I/O permission bitmap */
    bench->cpu.tr = (struct segment){
        .selector = BENCH_TASK, .attributes = SEGMENT_PRESENT | 11, .limit = task.limit, .base = BENCH_TSS};
    bench->cpu.gdtr = (struct descriptor_table){.base = BENCH_GDT, .limit = 0xff};
    bench->cpu.idtr = (struct descriptor_table){.base = BENCH_IDT, .limit = 0x7ff};
}

void cpu_bench_enter_flat(struct cpu_bench *bench, unsigned code_size, unsigned cpl)
{
    struct cpu_state *cpu = &bench->cpu;
    cpu_reset(cpu);
    cpu->cr0 |= CR0_PE;
    write_tables(bench);
    write_handlers(bench);
    for (uint16_t dpl = 0; dpl <= 3; dpl = (uint16_t)(dpl + 3)) {
        uint16_t code = dpl == 0 ? BENCH_CODE0 : BENCH_CODE3;
        uint16_t data = dpl == 0 ? BENCH_DATA0 : BENCH_DATA3;
        struct segment segment;
        install_flat(&segment, code, true, 4);
        write_descriptor(bench, code, &segment);
        install_flat(&segment, data, false, 4);
        write_descriptor(bench, data, &segment);
    }
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        install_flat(&cpu->segment[i], cpl == 0 ? BENCH_DATA0 : BENCH_DATA3, false, code_size);
    }
    install_flat(&cpu->segment[CPU_CS], cpl == 0 ? BENCH_CODE0 : BENCH_CODE3, true, code_size);
    cpu_update_mode(cpu);
    cpu->rip = BENCH_CODE;
    cpu->gpr[CPU_SP].q = BENCH_STACK;
}

void cpu_bench_enable_paging(struct cpu_bench *bench)
{
    struct cpu_state *cpu = &bench->cpu;
    cpu_bench_write(bench, BENCH_DIRECTORY, 4, BENCH_TABLE | PAGE_ALL);
    for (uint32_t page = 0; page < 1024; page++) {
        cpu_bench_write(bench, BENCH_TABLE + 4 * page, 4, page << PAGE_SHIFT | PAGE_ALL);
    }
    cpu->cr3 = BENCH_DIRECTORY;
    cpu->cr0 |= (uint64_t)CR0_PG | CR0_WP;
    cpu->memory_ops->flush_tlb(cpu, true);
}

void cpu_bench_map(struct cpu_bench *bench, uint32_t linear, uint32_t phys, uint32_t flags)
{
    cpu_bench_write(bench, BENCH_TABLE + 4 * (linear >> PAGE_SHIFT), 4, phys | flags);
    bench->cpu.memory_ops->flush_page(&bench->cpu, linear);
}

uint32_t cpu_bench_page_entry(const struct cpu_bench *bench, uint32_t linear)
{
    return cpu_bench_read(bench, BENCH_TABLE + 4 * (linear >> PAGE_SHIFT), 4);
}

void cpu_bench_load(struct cpu_bench *bench, uint64_t phys, const uint8_t *bytes, size_t count)
{
    memory_bus_write_block(bench->bus, phys, bytes, count);
}

uint32_t cpu_bench_read(const struct cpu_bench *bench, uint64_t phys, unsigned width)
{
    return (uint32_t)memory_bus_read(bench->bus, phys, width);
}

void cpu_bench_write(struct cpu_bench *bench, uint64_t phys, unsigned width, uint32_t value)
{
    memory_bus_write(bench->bus, phys, width, value);
}

enum stop_reason cpu_bench_run(struct cpu_bench *bench, uint64_t budget)
{
    return bench->engine->ops->run(bench->engine, budget);
}

static bool pushes_error_code(int vector)
{
    return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

struct cpu_bench_frame cpu_bench_frame(const struct cpu_bench *bench)
{
    const struct cpu_state *cpu = &bench->cpu;
    struct cpu_bench_frame frame = {.vector = -1};
    uint64_t offset = cpu->rip - 1 - BENCH_HANDLERS;
    if (cpu->segment[CPU_CS].base != 0 || !cpu->halted || offset >= 8 * 256 || offset % 8 != 0) {
        return frame;
    }
    frame.vector = (int)(offset / 8);
    bool real = cpu->mode == CPU_MODE_REAL;
    unsigned width = real ? 2 : 4;
    uint64_t sp = cpu->gpr[CPU_SP].d & cpu->stack_mask;
    if (!real && pushes_error_code(frame.vector)) {
        frame.error_code = cpu_bench_read(bench, sp, 4);
        sp += 4;
    }
    frame.rip = cpu_bench_read(bench, sp, width);
    frame.eflags = cpu_bench_read(bench, sp + 2 * width, width);
    return frame;
}
