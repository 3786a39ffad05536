/* Probes see the same on every engine and strategy, and change nothing of what the guest does.
 *
 * The guest is the firmware with the demo disk (argv[1]), in counted mode. What a probe is told is a journal;
 * the interpreter's is what the others' must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/machine_probe.h"

#define INSTRUCTIONS   12000000u
#define SLICE_NS       1000000u
#define BREAK_EVERY    5000u /* entries of the journal */
#define CODE_OFFSETS   160u
#define PROBED_PORTS   4u
#define JOURNAL_MOST   400000u
#define BIOS_DATA      0x400u
#define FIRMWARE_DATA  0xf0000u
#define BOOT_SECTOR    0x7c00u /* DMA writes it */
#define FIRMWARE_STACK 0x6c00u
#define FW_CFG_BLOCK   16u /* bytes that its DMA reads, which the firmware's code never does at once */
#define PLACES         48u

enum entry_kind { ENTRY_CODE, ENTRY_DATA, ENTRY_LOAD, ENTRY_STORE, ENTRY_PORT, ENTRY_EVENT };

struct entry {
    uint64_t retired;
    uint32_t place, value;
    uint8_t kind, detail;
};

struct places {
    uint32_t linear[PLACES];
    unsigned count;
};

struct journal {
    struct machine *machine;
    const struct places *places; /* whose instructions count; NULL: those at CODE_OFFSETS offsets do */
    struct entry *entries;
    size_t count;
    size_t kinds[ENTRY_EVENT + 1];
    size_t breaks;
    size_t block_loads;  /* by a device */
    uint64_t stopped_at; /* value of retired at the last stop in front of an instruction */
    bool is_stopped;
};

static void note(struct journal *journal, enum entry_kind kind, unsigned detail, uint32_t place,
                 uint32_t value)
{
    const struct cpu_state *cpu = machine_cpu(journal->machine);
    if (journal->count < JOURNAL_MOST) {
        journal->entries[journal->count] = (struct entry){.retired = cpu->retired,
                                                          .place = place,
                                                          .value = value,
                                                          .kind = (uint8_t)kind,
                                                          .detail = (uint8_t)detail};
    }
    journal->count++;
    journal->kinds[kind]++;
    if (kind != ENTRY_CODE && journal->count % BREAK_EVERY == 0) {
        machine_request_break(journal->machine);
    }
}

/* Repeated instructions are asked about as often as an engine comes back to them. */
static bool is_repeated(struct machine *machine, uint64_t linear)
{
    uint64_t phys = 0;
    uint64_t byte = mmu_probe(machine_mmu(machine), linear, &phys)
                        ? memory_bus_read(machine_memory(machine), phys, 1)
                        : 0;
    return byte == 0xf2 || byte == 0xf3 || byte == 0x66 || byte == 0x67 || byte == 0x26 || byte == 0x2e;
}

static bool is_wanted(const struct journal *journal, uint32_t linear)
{
    const struct places *places = journal->places;
    unsigned i = 0;
    while (places != NULL && i < places->count && places->linear[i] != linear) {
        i++;
    }
    return places == NULL || i < places->count;
}

static bool at_code(void *opaque)
{
    struct journal *journal = opaque;
    const struct cpu_state *cpu = machine_cpu(journal->machine);
    uint64_t linear = (cpu->segment[CPU_CS].base + cpu->rip) & UINT32_MAX;
    if (!is_wanted(journal, (uint32_t)linear)) {
        return false;
    }
    bool resumes = journal->is_stopped && journal->stopped_at == cpu->retired;
    journal->is_stopped = false;
    if (resumes || is_repeated(journal->machine, linear)) {
        return false;
    }
    note(journal, ENTRY_CODE, 0, (uint32_t)linear, cpu->gpr[CPU_AX].d);
    journal->is_stopped = journal->count % BREAK_EVERY == 0;
    journal->stopped_at = cpu->retired;
    if (journal->is_stopped) {
        machine_request_break(journal->machine);
    }
    return journal->is_stopped;
}

static void at_data(void *opaque, uint32_t linear, unsigned width, bool write)
{
    note(opaque, ENTRY_DATA, width | (write ? 0x80u : 0), linear, 0);
}

static void at_load(void *opaque, uint32_t phys, unsigned length)
{
    struct journal *journal = opaque;
    journal->block_loads += length == FW_CFG_BLOCK;
    note(journal, ENTRY_LOAD, 0, phys, length);
}

static void at_store(void *opaque, uint32_t phys, unsigned length)
{
    note(opaque, ENTRY_STORE, 0, phys, length);
}

static void at_event(void *opaque, const struct cpu_event_info *info)
{
    note(opaque, ENTRY_EVENT, info->event, info->number, info->error_code);
}

static void at_port(void *opaque, uint16_t port, unsigned width, bool write, uint32_t value)
{
    note(opaque, ENTRY_PORT, width | (write ? 0x80u : 0), port, value);
}

/* With the first so many places, if the journal is of places. */
static struct machine_probe probe_for(struct journal *journal, unsigned place_count)
{
    struct machine_probe probe = {
        .cpu = {.at_code = at_code,
                .at_data = at_data,
                .at_load = at_load,
                .at_event = at_event,
                .opaque = journal,
                .events = UINT32_MAX,
                .watch = {{BIOS_DATA, BIOS_DATA + 0xff}, {FIRMWARE_DATA + 0x6000, FIRMWARE_DATA + 0x6fff}},
                .watch_count = 2,
                .loads = {{BIOS_DATA + 0x60, BIOS_DATA + 0x7f}, {FIRMWARE_STACK, FIRMWARE_STACK + 0x3ff}},
                .load_count = 2},
        .stores = {{BOOT_SECTOR, BOOT_SECTOR + 0x1ff}, {BIOS_DATA + 0x6c, BIOS_DATA + 0x6f}},
        .store_count = 2,
        .at_store = at_store,
        .at_port = at_port,
        .opaque = journal};
    const uint16_t ports[PROBED_PORTS] = {0x20, 0x61, 0x64, 0x3d5};
    for (unsigned i = 0; i < CODE_OFFSETS && journal->places == NULL; i++) {
        cpu_probe_add_offset(&probe.cpu, i * 0x155 % CPU_PROBE_PAGE);
    }
    for (unsigned i = 0; i < place_count; i++) {
        cpu_probe_add_place(&probe.cpu, journal->places->linear[i]);
    }
    for (unsigned i = 0; i < PROBED_PORTS; i++) {
        probe.ports[ports[i] / 64] |= (uint64_t)1 << ports[i] % 64;
    }
    return probe;
}

static struct machine *create(const char *disk, struct engine_config engine)
{
    struct machine_config config = {.ram_size = 8 * MIB,
                                    .engine = engine,
                                    .floppy[0] = {.path = disk, .read_only = true},
                                    .counted = true,
                                    .ns_per_instruction = 8,
                                    .rtc_epoch = 946684800};
    struct machine *machine = NULL;
    struct status status = machine_create(&config, &machine);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
    machine_set_instruction_limit(machine, INSTRUCTIONS);
    return machine;
}

static uint64_t fingerprint(struct machine *machine)
{
    const struct memory_bus *memory = machine_memory(machine);
    const struct cpu_state *cpu = machine_cpu(machine);
    const uint8_t *ram = memory_bus_ram(memory);
    uint64_t hash = cpu->rip ^ cpu->retired << 20 ^ machine_now(machine);
    for (uint64_t i = 0; i < memory_bus_ram_size(memory); i += 8) {
        hash = (hash ^ load_le64(ram + i)) * 0x100000001B3u;
    }
    return hash;
}

static void run_to(struct machine *machine, uint64_t retired, struct journal *journal)
{
    while (machine_retired(machine) < retired) {
        if (machine_run(machine, SLICE_NS) == MACHINE_BREAK && journal != NULL) {
            journal->breaks++;
        }
    }
}

/* `places`: half of them at first, later all; NULL: see probe_for(). */
static uint64_t run_probed(const char *disk, struct engine_config engine, const struct places *places,
                           struct journal *journal)
{
    const unsigned place_count = places != NULL ? places->count : 0;
    struct machine *machine = create(disk, engine);
    *journal = (struct journal){
        .machine = machine, .places = places, .entries = malloc(JOURNAL_MOST * sizeof *journal->entries)};
    assert_non_null(journal->entries);
    /* Code that was made before has to go, and what a page was mapped as. */
    machine_set_instruction_limit(machine, INSTRUCTIONS / 4);
    while (machine_run(machine, SLICE_NS) != MACHINE_BREAK) {
    }
    struct machine_probe probe = probe_for(journal, place_count / 2);
    machine_set_probe(machine, &probe);
    machine_set_instruction_limit(machine, INSTRUCTIONS / 2);
    run_to(machine, INSTRUCTIONS / 2, journal);
    probe = probe_for(journal, place_count);
    machine_set_probe(machine, &probe);
    machine_set_instruction_limit(machine, INSTRUCTIONS);
    run_to(machine, INSTRUCTIONS, journal);
    machine_set_probe(machine, NULL);
    uint64_t hash = fingerprint(machine);
    machine_destroy(machine);
    return hash;
}

static void compare(const struct journal *journal, const struct journal *expected)
{
    size_t count = journal->count < expected->count ? journal->count : expected->count;
    for (size_t i = 0; i < count && i < JOURNAL_MOST; i++) {
        const struct entry *a = &journal->entries[i];
        const struct entry *b = &expected->entries[i];
        if (a->retired != b->retired || a->place != b->place || a->value != b->value || a->kind != b->kind ||
            a->detail != b->detail) {
            fail_msg("entry %zu: kind %u.%02x at %08x (%x) after %llu, wanted kind %u.%02x at %08x (%x) "
                     "after %llu",
                     i, a->kind, a->detail, a->place, a->value, (unsigned long long)a->retired, b->kind,
                     b->detail, b->place, b->value, (unsigned long long)b->retired);
        }
    }
    assert_int_equal(journal->count, expected->count);
    assert_int_equal(journal->breaks, expected->breaks);
}

/* Every engine and strategy writes `expected`, and ends where nobody asks. */
static void compare_engines(const char *disk, const struct places *places, uint64_t hash,
                            const struct journal *expected)
{
    const struct engine_config interpreter = {.kind = ENGINE_INTERP, .ignores_x87_pointers = true};
    struct journal again;
    assert_true(run_probed(disk, interpreter, places, &again) == hash);
    compare(&again, expected);
    free(again.entries);
#if DOPPEL_HAVE_TRANSLATOR
    for (unsigned mmu = 0; mmu < MMU_STRATEGY_COUNT; mmu++) {
        /* Places are the business of nothing but the way from block to block. */
        unsigned count = places == NULL ? SENSITIVE_STRATEGY_COUNT : 1;
        for (unsigned sensitive = 0; sensitive < count; sensitive++) {
            struct journal journal;
            const struct engine_config engine = {.kind = ENGINE_DBT,
                                                 .mmu = (enum mmu_strategy)mmu,
                                                 .sensitive = (enum sensitive_strategy)sensitive,
                                                 .tb_warm = 1};
            print_message("-mmu %u -sensitive %u\n", mmu, sensitive);
            assert_true(run_probed(disk, engine, places, &journal) == hash);
            compare(&journal, expected);
            free(journal.entries);
        }
    }
#endif
}

/* Some of the instructions that were asked about, not one after the other. */
static struct places places_of(const struct journal *journal)
{
    struct places places = {.count = 0};
    const struct journal found = {.places = &places};
    for (size_t i = 0; i < journal->count && i < JOURNAL_MOST && places.count < PLACES; i += 97) {
        const struct entry *entry = &journal->entries[i];
        if (entry->kind == ENTRY_CODE && !is_wanted(&found, entry->place)) {
            places.linear[places.count++] = entry->place;
        }
    }
    return places;
}

static void every_engine_stops_at_the_same_places(void **state)
{
    const char *disk = *state;
    const struct engine_config interpreter = {.kind = ENGINE_INTERP, .ignores_x87_pointers = true};
    struct journal expected;
    struct machine *plain = create(disk, interpreter);
    run_to(plain, INSTRUCTIONS, NULL);
    uint64_t hash = fingerprint(plain);
    machine_destroy(plain);
    uint64_t probed = run_probed(disk, interpreter, NULL, &expected);
    print_message(
        "%zu code, %zu data, %zu load (%zu by a device), %zu store, %zu port, %zu event; %zu breaks\n",
        expected.kinds[ENTRY_CODE], expected.kinds[ENTRY_DATA], expected.kinds[ENTRY_LOAD],
        expected.block_loads, expected.kinds[ENTRY_STORE], expected.kinds[ENTRY_PORT],
        expected.kinds[ENTRY_EVENT], expected.breaks);
    assert_true(probed == hash);
    for (unsigned kind = 0; kind <= ENTRY_EVENT; kind++) {
        assert_true(expected.kinds[kind] > 50);
    }
    assert_true(expected.breaks > 5 && expected.block_loads > 0);
    compare_engines(disk, NULL, hash, &expected);

    const struct places places = places_of(&expected);
    struct journal at_places;
    assert_true(run_probed(disk, interpreter, &places, &at_places) == hash);
    print_message("%zu times at %u places\n", at_places.kinds[ENTRY_CODE], places.count);
    assert_true(places.count > PLACES / 2 && at_places.kinds[ENTRY_CODE] > 500);
    compare_engines(disk, &places, hash, &at_places);
    free(at_places.entries);
    free(expected.entries);
}

/* Who is asked about every instruction. */
struct walk {
    struct machine *machine;
    uint64_t last;
    bool last_may_repeat; /* what was asked about last may be retired several times */
    uint64_t asked, missed;
};

static bool walk_on(void *opaque)
{
    struct walk *walk = opaque;
    const struct cpu_state *cpu = machine_cpu(walk->machine);
    if (walk->asked > 0 && !walk->last_may_repeat && cpu->retired > walk->last + 1) {
        walk->missed++;
    }
    walk->asked++;
    walk->last = cpu->retired;
    walk->last_may_repeat = is_repeated(walk->machine, (cpu->segment[CPU_CS].base + cpu->rip) & UINT32_MAX);
    return false;
}

/* Code that was made before has to go, wherever it is. */
static void walk_with(const char *disk, struct engine_config engine)
{
    struct machine *machine = create(disk, engine);
    struct walk walk = {.machine = machine};
    struct machine_probe probe = {.cpu = {.at_code = walk_on, .opaque = &walk}};
    memset(probe.cpu.offsets, 0xff, sizeof probe.cpu.offsets);
    for (unsigned part = 1; part <= 6; part++) { /* with the probe every other time */
        machine_set_instruction_limit(machine, 1000000u * part);
        walk.asked = part % 2 == 0 ? 0 : walk.asked;
        machine_set_probe(machine, part % 2 == 0 ? &probe : NULL);
        while (machine_run(machine, SLICE_NS) != MACHINE_BREAK) {
        }
        assert_true(part % 2 != 0 || walk.asked > 100000);
    }
    assert_true(walk.missed == 0);
    machine_destroy(machine);
}

static void a_probe_at_all_offsets_is_asked_about_every_instruction(void **state)
{
    const char *disk = *state;
    walk_with(disk, (struct engine_config){.kind = ENGINE_INTERP, .ignores_x87_pointers = true});
#if DOPPEL_HAVE_TRANSLATOR
    for (unsigned mmu = 0; mmu < MMU_STRATEGY_COUNT; mmu++) {
        walk_with(disk,
                  (struct engine_config){.kind = ENGINE_DBT, .mmu = (enum mmu_strategy)mmu, .tb_warm = 1});
    }
#endif
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_probe_at_all_offsets_is_asked_about_every_instruction,
                                  argc > 1 ? argv[1] : NULL),
        cmocka_unit_test_prestate(every_engine_stops_at_the_same_places, argc > 1 ? argv[1] : NULL),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
