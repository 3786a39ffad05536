/* The emulated side of the host-CPU oracle; see host_oracle_guest.h.
 *
 * The bench's tables and handlers are mapped for the supervisor at SYSTEM. PAE page tables with
 * execute-disable say what the host's say: code is read-only, data is not executable. Snippets end at a page
 * of HLTs, which is a #GP for user code. */
#include "host_oracle_guest.h"

#include <string.h>

#include "cpu/x87.h"

#define RAM_SIZE   (4 * MIB)
#define RUN_BUDGET 100000u

enum physical_layout {
    POINTERS = 0x20000,    /* four page directory pointers */
    DIRECTORIES = 0x21000, /* four page directories */
    TABLES = 0x25000,      /* page tables, as many as there are 2 MiB regions in use */
    END_PAGE = 0x30000,
    CODE_PAGES = 0x100000,
    DATA_PAGES = 0x200000
};

#define SYSTEM 0xe0000000u /* linear address of physical 0 */

#define ENTRY_BITS  ((uint64_t)PAGE_PRESENT | PAGE_ACCESSED | PAGE_DIRTY)
#define NO_EXECUTE  ((uint64_t)1 << 63)
#define OPCODE_HALT 0xf4

/* Maps pages, making the tables they need. */
static void map_pages(struct cpu_bench *bench, uint32_t linear, uint32_t phys, uint32_t bytes,
                      uint64_t rights)
{
    for (uint32_t offset = 0; offset < bytes; offset += PAGE_SIZE) {
        uint32_t at = linear + offset;
        uint64_t directory_entry = DIRECTORIES + (at >> 21) * 8u;
        uint32_t table = cpu_bench_read(bench, directory_entry, 4) & ~(uint32_t)PAGE_MASK;
        if (table == 0) {
            table = TABLES;
            while (memory_bus_read(bench->bus, table + PAGE_SIZE - 8, 8) != 0) {
                table += PAGE_SIZE;
            }
            /* marks the table as taken: the last entry of each is never used */
            memory_bus_write(bench->bus, table + PAGE_SIZE - 8, 8, (uint64_t)1 << 62);
            memory_bus_write(bench->bus, directory_entry, 8,
                             table | (uint64_t)PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER | PAGE_ACCESSED);
        }
        memory_bus_write(bench->bus, table + (at >> PAGE_SHIFT & 511) * 8u, 8,
                         (phys + offset) | ENTRY_BITS | rights);
    }
}

static void map_everything(struct cpu_bench *bench, const struct oracle_header *header)
{
    const uint32_t writable = (ORACLE_DATA_PAGES - 1) * ORACLE_PAGE;
    const uint64_t data = PAGE_USER | NO_EXECUTE;
    for (uint32_t i = 0; i < 4; i++) {
        memory_bus_write(bench->bus, POINTERS + 8 * i, 8,
                         (DIRECTORIES + i * PAGE_SIZE) | (uint64_t)PAGE_PRESENT);
    }
    map_pages(bench, ORACLE_CODE, CODE_PAGES, ORACLE_SLOTS * ORACLE_CODE_BYTES, PAGE_USER);
    map_pages(bench, header->end_address, END_PAGE, PAGE_SIZE, PAGE_USER);
    map_pages(bench, SYSTEM, 0, TABLES, PAGE_WRITABLE);
    const uint32_t at[2] = {ORACLE_DATA, ORACLE_LOW};
    for (unsigned i = 0; i < (header->low_pages ? 2u : 1u); i++) {
        map_pages(bench, at[i], DATA_PAGES, writable, data | PAGE_WRITABLE);
        map_pages(bench, at[i] + writable, DATA_PAGES + writable, ORACLE_PAGE, data);
    }
}

/* Moves the bench's tables up to SYSTEM and makes the gates those that Linux lets user code use. */
static void move_tables(struct cpu_bench *bench)
{
    struct cpu_state *cpu = &bench->cpu;
    for (uint32_t vector = 0; vector < 256; vector++) {
        bool open = vector == VECTOR_BP || vector == VECTOR_OF;
        cpu_bench_write(bench, BENCH_IDT + 8 * vector + 4, 4, SYSTEM | (open ? 0xee00u : 0x8e00u));
    }
    cpu_bench_write(bench, BENCH_TSS + 4, 4, SYSTEM + BENCH_STACK0);
    cpu->gdtr.base = SYSTEM + BENCH_GDT;
    cpu->idtr.base = SYSTEM + BENCH_IDT;
    cpu->tr.base = SYSTEM + BENCH_TSS;
}

static void prepare_segments(struct oracle_guest *guest)
{
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        struct segment *segment = &guest->segment[i];
        *segment = guest->bench->cpu.segment[i];
        segment->selector = i == CPU_CS ? ORACLE_CODE_SELECTOR : ORACLE_DATA_SELECTOR;
        if (i == CPU_FS || i == CPU_GS) {
            *segment = (struct segment){0};
            segment_update_bounds(segment);
        }
    }
}

struct oracle_guest oracle_guest_create(const struct oracle_header *header,
                                        const struct engine_config *engine)
{
    struct oracle_guest guest = {.bench = cpu_bench_create_with(cpu_model_find("max"), RAM_SIZE, engine),
                                 .end_address = header->end_address};
    struct cpu_state *cpu = &guest.bench->cpu;
    cpu_bench_enter_flat(guest.bench, 4, 3);
    move_tables(guest.bench);
    prepare_segments(&guest);
    map_everything(guest.bench, header);
    memset(guest.bench->ram + END_PAGE, OPCODE_HALT, PAGE_SIZE);
    cpu->efer |= EFER_NXE;
    cpu_write_control(cpu, 3, POINTERS);
    cpu_write_control(cpu, 4, cpu->cr4 | CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    cpu_write_control(cpu, 0, cpu->cr0 | CR0_PG | CR0_WP | CR0_NE | CR0_MP);
    return guest;
}

void oracle_guest_destroy(struct oracle_guest *guest)
{
    cpu_bench_destroy(guest->bench);
}

void oracle_guest_load_code(struct oracle_guest *guest, const uint8_t *code)
{
    cpu_bench_load(guest->bench, CODE_PAGES, code, ORACLE_SLOTS * ORACLE_CODE_BYTES);
}

uint8_t *oracle_guest_data(struct oracle_guest *guest)
{
    return guest->bench->ram + DATA_PAGES;
}

static void load_state(struct oracle_guest *guest, const struct oracle_slot *slot)
{
    struct cpu_state *cpu = &guest->bench->cpu;
    const struct oracle_registers *before = &slot->before;
    cpu_load_fxsave(cpu, true, slot->float_before);
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i].q = before->gpr[i];
    }
    memcpy(cpu->segment, guest->segment, sizeof cpu->segment);
    cpu->rip = before->eip;
    cpu_set_eflags(cpu, before->eflags);
    cpu->halted = false;
    cpu_update_mode(cpu);
}

static void save_state(const struct oracle_guest *guest, struct oracle_registers *after)
{
    static const uint32_t with_error_code = 1u << VECTOR_DF | 1u << VECTOR_TS | 1u << VECTOR_NP |
                                            1u << VECTOR_SS | 1u << VECTOR_GP | 1u << VECTOR_PF |
                                            1u << VECTOR_AC;
    const struct cpu_state *cpu = &guest->bench->cpu;
    *after = (struct oracle_registers){.vector = 255, .eip = (uint32_t)cpu->rip};
    for (unsigned i = 0; i < 8; i++) {
        after->gpr[i] = cpu->gpr[i].d;
    }
    if (!cpu->halted || cpu->cpl != 0) {
        return; /* it did not end */
    }
    after->vector = ((uint32_t)cpu->rip - SYSTEM - BENCH_HANDLERS) / 8;
    uint32_t frame = cpu->gpr[CPU_SP].d - SYSTEM;
    if (with_error_code >> (after->vector & 31) & 1) {
        after->error_code = cpu_bench_read(guest->bench, frame, 4);
        frame += 4;
    }
    after->cr2 = after->vector == VECTOR_PF ? (uint32_t)cpu->cr2 : 0;
    after->eip = cpu_bench_read(guest->bench, frame, 4);
    after->eflags = cpu_bench_read(guest->bench, frame + 8, 4);
    after->gpr[CPU_SP] = cpu_bench_read(guest->bench, frame + 12, 4);
    if (after->vector == VECTOR_GP && after->eip == guest->end_address) {
        after->vector = ORACLE_NO_VECTOR;
        after->error_code = 0;
    }
}

void oracle_guest_run(struct oracle_guest *guest, const struct oracle_slot *slot,
                      struct oracle_registers *after, uint8_t *float_after, uint8_t *window_after)
{
    uint8_t *data = oracle_guest_data(guest);
    memcpy(data + ORACLE_WINDOW1, slot->window_before, ORACLE_WINDOW1_BYTES);
    memcpy(data + ORACLE_WINDOW2, slot->window_before + ORACLE_WINDOW1_BYTES, ORACLE_WINDOW2_BYTES);
    load_state(guest, slot);
    cpu_bench_run(guest->bench, RUN_BUDGET);
    save_state(guest, after);
    memset(float_after, 0, ORACLE_FXSAVE_BYTES);
    cpu_store_fxsave(&guest->bench->cpu, true, float_after);
    memcpy(window_after, data + ORACLE_WINDOW1, ORACLE_WINDOW1_BYTES);
    memcpy(window_after + ORACLE_WINDOW1_BYTES, data + ORACLE_WINDOW2, ORACLE_WINDOW2_BYTES);
}
