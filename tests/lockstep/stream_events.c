/* See stream_events.h. */
#include "stream_events.h"

#include <string.h>

#include "host_oracle_random.h"

#define SHADOWED     (STREAM_DATA + 0x10000u - STREAM_CODE) /* bytes */
#define SHADOW_HIGH  0x80000u                               /* in RAM: what is at STREAM_HIGH, */
#define SHADOW_SPARE 0xa0000u                               /* and what pages may get behind them */
#define CODE_PAGES   3u
#define TABLE_PAGES  512u /* of a space: 2 MiB */

#define TABLES (SHADOW_SPARE + SHADOWED) /* what is at STREAM_SPACES */

_Static_assert(TABLES + 2 * STREAM_SPACE_BYTES == STREAM_EVENTS_RAM_BYTES, "that is what RAM is for");

/* Pages that change, by linear and by physical address. */
static const uint32_t pages[] = {STREAM_CODE,
                                 STREAM_CODE + STREAM_PAGE,
                                 STREAM_CODE + 2 * STREAM_PAGE,
                                 STREAM_SCRATCH,
                                 STREAM_SCRATCH + STREAM_PAGE,
                                 STREAM_SCRATCH + 2 * STREAM_PAGE,
                                 STREAM_SCRATCH + 3 * STREAM_PAGE,
                                 STREAM_MISSING_PAGE,
                                 STREAM_READ_ONLY_PAGE,
                                 STREAM_ALIAS};

enum { ACCESSED_DIRTY = PAGE_ACCESSED | PAGE_DIRTY, PAGE_LARGE = 0x80, PAGE_GLOBAL = 0x100 };

/* ---- memory */

static void map_memory(struct memory_bus *bus)
{
    memory_bus_map_ram(bus, STREAM_CODE, SHADOWED, STREAM_CODE);
    memory_bus_map_split(bus, SHADOW_HIGH, STREAM_EVENTS_RAM_BYTES - SHADOW_HIGH, NULL, NULL);
    memory_bus_map_ram(bus, STREAM_HIGH, SHADOWED, SHADOW_HIGH);
    memory_bus_map_ram(bus, STREAM_SPACES, (uint64_t)2 * STREAM_SPACE_BYTES, TABLES);
}

void stream_events_reset(struct stream_guest *guest)
{
    guest->pae = false;
    memory_bus_set_a20(guest->bench->bus, true);
    if (guest->memory_has_changed) {
        map_memory(guest->bench->bus);
        guest->memory_has_changed = false;
    }
}

/* Like what is there, but for a byte here and there. */
static void draw_shadow(const struct stream_guest *guest, uint64_t *random, uint8_t *shadow)
{
    memcpy(shadow, guest->bench->ram + STREAM_CODE, SHADOWED);
    for (uint32_t at = random_draw(random, 40); at < SHADOWED; at += 1 + random_draw(random, 40)) {
        shadow[at] = (uint8_t)random_draw64(random);
    }
}

void stream_events_write_shadows(struct stream_guest *guest, const struct stream *stream)
{
    static const uint16_t periods[] = {40, 200, 1000, 5000};
    static uint8_t shadow[SHADOWED];
    uint64_t random = stream->state_seed ^ SHADOWED;
    guest->event_period = periods[random_draw(&random, ARRAY_COUNT(periods))];
    draw_shadow(guest, &random, shadow);
    cpu_bench_load(guest->bench, STREAM_HIGH, shadow, sizeof shadow);
    draw_shadow(guest, &random, guest->bench->ram + SHADOW_SPARE);
}

/* A page becomes what it was, ROM, other memory, or loads from one and stores to the other. */
static void change_memory(struct stream_guest *guest)
{
    struct cpu_bench *bench = guest->bench;
    uint32_t page = pages[random_draw(&guest->random, ARRAY_COUNT(pages))];
    uint8_t *own = bench->ram + page;
    uint8_t *other = bench->ram + SHADOW_SPARE + (page - STREAM_CODE);
    uint8_t *reads = random_chance(&guest->random, 50) ? own : other;
    uint8_t *writes = random_chance(&guest->random, 50) ? own : other;
    memory_bus_map_split(bench->bus, page, PAGE_SIZE, reads,
                         random_chance(&guest->random, 25) ? NULL : writes);
    guest->memory_has_changed = true;
}

static void write_by_dma(struct stream_guest *guest, uint32_t page, uint32_t most)
{
    uint8_t bytes[64];
    uint32_t count = 1 + random_draw(&guest->random, most);
    uint32_t to = page + random_draw(&guest->random, STREAM_PAGE - count);
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)random_draw64(&guest->random);
    }
    cpu_bench_load(guest->bench, to + (random_chance(&guest->random, 25) ? STREAM_HIGH - STREAM_CODE : 0),
                   bytes, count);
}

/* ---- tables */

static uint32_t root_of(unsigned space)
{
    return STREAM_SPACES + space * STREAM_SPACE_BYTES;
}

static uint32_t directory_entry_at(const struct stream_guest *guest, unsigned space)
{
    return root_of(space) + (guest->pae ? STREAM_PAGE : 0);
}

static uint32_t entry_at(const struct stream_guest *guest, unsigned space, uint32_t linear)
{
    uint32_t page = linear >> PAGE_SHIFT;
    return root_of(space) + STREAM_PAGE + (guest->pae ? STREAM_PAGE + 8 * page : 4 * page);
}

static void write_entry(const struct stream_guest *guest, uint32_t at, uint64_t entry)
{
    memory_bus_write(guest->bench->bus, at, guest->pae ? 8 : 4, entry);
}

static uint64_t read_entry(const struct stream_guest *guest, uint32_t at)
{
    return memory_bus_read(guest->bench->bus, at, guest->pae ? 8 : 4);
}

static uint64_t directory_entry_of(const struct stream_guest *guest, unsigned space)
{
    return entry_at(guest, space, 0) | PAGE_ALL | PAGE_ACCESSED;
}

/* What handlers and stacks use is global, and has its bits. */
static bool is_everyones(uint32_t linear)
{
    return linear < STREAM_CODE || (linear >= STREAM_STACK - STREAM_PAGE && linear < STREAM_DATA + 0x10000);
}

static bool is_code(uint32_t linear)
{
    return linear >= STREAM_CODE && linear < STREAM_CODE + CODE_PAGES * STREAM_PAGE;
}

/* The page of code at an alias, by its first address; other pages are their own. */
static uint32_t without_alias(uint32_t linear)
{
    uint32_t distance = linear - STREAM_ALIASES;
    bool is_alias = distance < STREAM_ALIAS_COUNT * STREAM_ALIAS_BYTES;
    return is_alias ? STREAM_CODE + distance % STREAM_ALIAS_BYTES : linear;
}

static uint64_t first_entry(const struct stream_guest *guest, const struct stream *stream, unsigned space,
                            uint32_t linear)
{
    uint32_t rights = guest->page_rights;
    uint32_t phys = without_alias(linear);
    if (linear == STREAM_MISSING_PAGE) {
        rights = 0;
    } else if (linear == STREAM_READ_ONLY_PAGE) {
        rights = PAGE_PRESENT | PAGE_USER;
    } else if (linear == STREAM_ALIAS) {
        phys = STREAM_CODE + STREAM_PAGE;
    } else if (is_code(without_alias(linear))) {
        phys = stream_guest_page(stream, without_alias(linear));
        phys += space == 1 && !guest->code_is_global ? STREAM_HIGH - STREAM_CODE : 0;
    } else if (linear >= STREAM_SCRATCH && linear < STREAM_SCRATCH + STREAM_SCRATCH_BYTES) {
        phys += space == 1                               ? STREAM_HIGH - STREAM_CODE
                : linear == STREAM_SCRATCH + STREAM_PAGE ? STREAM_PAGE
                                                         : 0;
    }
    bool is_global = is_everyones(linear) || (guest->code_is_global && is_code(without_alias(linear)));
    return phys | rights | (is_global ? PAGE_GLOBAL | ACCESSED_DIRTY : 0);
}

void stream_events_enable_paging(struct stream_guest *guest, const struct stream *stream)
{
    struct cpu_state *cpu = &guest->bench->cpu;
    guest->pae = stream->pae;
    guest->code_is_global = stream->state_seed >> 33 & 1;
    /* What is the supervisor's alone is treated otherwise by views. */
    guest->page_rights =
        stream->kind->cpl == 0 && (stream->state_seed >> 35 & 1) ? PAGE_ALL - PAGE_USER : PAGE_ALL;
    for (unsigned space = 0; space < 2; space++) {
        for (uint32_t page = 0; page < TABLE_PAGES; page++) {
            uint32_t linear = page << PAGE_SHIFT;
            write_entry(guest, entry_at(guest, space, linear), first_entry(guest, stream, space, linear));
        }
        write_entry(guest, directory_entry_at(guest, space), directory_entry_of(guest, space));
        if (guest->pae) {
            write_entry(guest, root_of(space), directory_entry_at(guest, space) | PAGE_PRESENT);
        }
    }
    cpu_write_control(cpu, 4,
                      cpu->cr4 | CR4_PSE | (guest->pae ? CR4_PAE : 0) |
                          (stream->state_seed >> 34 & 1 ? CR4_PGE : 0));
    cpu_write_control(cpu, 3, root_of(0));
    cpu_write_control(cpu, 0, cpu->cr0 | CR0_PG | CR0_WP);
}

void stream_events_set_up(struct cpu_state *cpu, const struct stream *stream)
{
    const uint32_t bits = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE;
    bool rare = stream->state_seed >> 36 & 1;
    cpu_write_control(cpu, 4, cpu->cr4 | (rare ? stream->state_seed >> 37 & bits : 0));
    cpu_write_control(cpu, 0, cpu->cr0 | (stream->state_seed >> 41 & 1 ? CR0_AM : 0));
}

static void flush(struct stream_guest *guest)
{
    struct cpu_state *cpu = &guest->bench->cpu;
    cpu->memory_ops->flush_tlb(cpu, true);
}

static uint32_t draw_page(uint64_t *random)
{
    uint32_t linear = pages[random_draw(random, ARRAY_COUNT(pages))];
    bool is_alias = is_code(linear) && random_chance(random, 60);
    return is_alias ? linear - STREAM_CODE + STREAM_ALIASES +
                          random_draw(random, STREAM_ALIAS_COUNT) * STREAM_ALIAS_BYTES
                    : linear;
}

static void change_page(struct stream_guest *guest)
{
    struct cpu_state *cpu = &guest->bench->cpu;
    uint64_t *random = &guest->random;
    uint32_t linear = draw_page(random);
    uint32_t phys =
        random_chance(random, 70) ? without_alias(linear) : pages[random_draw(random, ARRAY_COUNT(pages))];
    uint32_t rights = random_chance(random, 80) ? guest->page_rights : random_draw(random, PAGE_ALL + 1);
    uint32_t bits = random_chance(random, 50)   ? 0
                    : random_chance(random, 50) ? PAGE_ACCESSED
                                                : ACCESSED_DIRTY;
    unsigned space = random_draw(random, 2);
    phys += random_chance(random, 40) ? STREAM_HIGH - STREAM_CODE : 0;
    if (guest->code_is_global && is_code(without_alias(linear))) { /* the same in both */
        bits = PAGE_GLOBAL | ACCESSED_DIRTY;
        write_entry(guest, entry_at(guest, !space, linear), phys | rights | bits);
    }
    write_entry(guest, entry_at(guest, space, linear), phys | rights | bits);
    cpu->memory_ops->flush_page(cpu, linear);
}

/* A table becomes a large page, or is one again. It is not global, and so may not differ from what is. */
static void change_directory(struct stream_guest *guest)
{
    unsigned space = random_draw(&guest->random, 2);
    uint32_t at = directory_entry_at(guest, space);
    bool is_large = read_entry(guest, at) & PAGE_LARGE;
    if (!guest->code_is_global) {
        write_entry(guest, at,
                    is_large ? directory_entry_of(guest, space) : PAGE_ALL | PAGE_LARGE | ACCESSED_DIRTY);
    }
    flush(guest);
}

/* In the present space, where the next instruction's fetch sets it again. */
static void clear_directory_bit(struct stream_guest *guest)
{
    uint32_t at = directory_entry_at(guest, guest->bench->cpu.cr3 == root_of(1));
    write_entry(guest, at, read_entry(guest, at) & ~(uint64_t)PAGE_ACCESSED);
    flush(guest);
}

/* ---- events */

static bool has_root(const struct cpu_state *cpu)
{
    return cpu->cr3 == root_of(0) || cpu->cr3 == root_of(1);
}

static void port_written(void *opaque, uint16_t port, uint32_t value)
{
    stream_events_happen(opaque, (uint32_t)port << 16 ^ value);
}

/* Called for each change of what the tables are. */
static void flush_tlb(struct cpu_state *cpu, bool including_global)
{
    struct stream_guest *guest = CONTAINER_OF(cpu, struct cpu_bench, cpu)->port_written_opaque;
    bool is_pae = (cpu->cr4 & CR4_PAE) != 0;
    guest->tables_are_lost |= (cpu->cr0 & CR0_PG) && !(has_root(cpu) && is_pae == guest->pae);
    guest->real_ops->flush_tlb(cpu, including_global);
}

void stream_events_begin(struct stream_guest *guest)
{
    struct cpu_bench *bench = guest->bench;
    bench->port_written = port_written;
    bench->port_written_opaque = guest;
    guest->real_ops = bench->cpu.memory_ops;
    guest->ops = *guest->real_ops;
    guest->ops.flush_tlb = flush_tlb;
    bench->cpu.memory_ops = &guest->ops;
    guest->has_events = guest->memory_has_changed = true;
}

void stream_events_happen(struct stream_guest *guest, uint32_t value)
{
    struct cpu_state *cpu = &guest->bench->cpu;
    guest->random ^= value;
    guest->random |= guest->random == 0;
    uint32_t event = random_draw(&guest->random, guest->event_period);
    bool has_tables = has_root(cpu);
    if (event < 2) {
        write_by_dma(guest, STREAM_CODE + random_draw(&guest->random, CODE_PAGES) * STREAM_PAGE, 4);
    } else if (event < 4) {
        write_by_dma(guest, STREAM_SCRATCH + random_draw(&guest->random, 4) * STREAM_PAGE, 64);
    } else if (event < 6) {
        change_memory(guest);
    } else if (event < 8) {
        memory_bus_set_a20(guest->bench->bus, !memory_bus_a20(guest->bench->bus));
    } else if (event < 9) {
        cpu->pending |= CPU_PENDING_INTERRUPT;
    } else if (has_tables && event < 16) {
        change_page(guest);
    } else if (has_tables && event < 17) {
        change_directory(guest);
    } else if (has_tables && event < 18) {
        clear_directory_bit(guest);
    } else if (event < 19) {
        flush(guest);
    }
}
