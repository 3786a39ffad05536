/* Shadow page tables: that a view never allows more than the guest's tables do after each of the events that
 * tell the mmu of a change, that what it does allow is the right page, and that it comes back from every
 * limit. What the host's MMU allows is asked of the host's kernel: a system call with an address that may not
 * be accessed fails with EFAULT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "cpu/cpu.h"
#include "host/host_memory.h"
#include "mmu/paging.h"
#include "mmu/view.h"

#define RAM_SIZE    ((uint64_t)64 << 20)
#define DIRECTORIES 2u
#define TABLES      0x100000u /* of each directory: 4 tables for its first 16 MiB */
#define FRAMES      0x200000u /* those that random tests map */
#define FRAME_COUNT 24u
#define DEVICE      0x3000000u

enum entry_bit { P = 1u << 0, W = 1u << 1, U = 1u << 2, A = 1u << 5, D = 1u << 6, PWU = P | W | U };

struct rig {
    struct cpu_state cpu;
    struct log log;
    struct counters counters;
    struct host_memory ram;
    struct memory_bus *bus;
    struct mmu *mmu;
    jmp_buf unwind;
    uint64_t random;
    int pipe[2];
};

static void flush_mmu(void *opaque)
{
    struct rig *rig = opaque;
    mmu_flush(rig->mmu);
}

static uint32_t directory(unsigned space)
{
    return TABLES + space * 0x10000u;
}

static uint8_t *entry_of(struct rig *rig, unsigned space, uint32_t linear)
{
    return rig->ram.bytes + directory(space) + 0x1000 + (linear >> 12) * 4;
}

static void set_entry(struct rig *rig, unsigned space, uint32_t linear, uint32_t entry)
{
    store_le32(entry_of(rig, space, linear), entry);
}

static void load_cr3(struct rig *rig, unsigned space)
{
    cpu_write_control(&rig->cpu, 3, directory(space));
}

static void invlpg(struct rig *rig, uint32_t linear)
{
    rig->cpu.memory_ops->flush_page(&rig->cpu, linear);
}

static struct rig *create(enum mmu_strategy strategy)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct status status = host_memory_allocate(RAM_SIZE, &rig->ram);
    assert_true(status_is_ok(&status));
    rig->random = 7;
    rig->cpu.log = &rig->log;
    rig->cpu.counters = &rig->counters;
    cpu_init(&rig->cpu, cpu_model_find("pentium3"));
    rig->bus = memory_bus_create(rig->ram.bytes, RAM_SIZE, 36, &rig->log, &rig->counters);
    assert_non_null(rig->bus);
    memory_bus_map_ram(rig->bus, 0, RAM_SIZE, 0);
    struct io_region device = {.name = "device", .base = DEVICE, .length = PAGE_SIZE};
    status = memory_bus_claim(rig->bus, &device);
    assert_true(status_is_ok(&status));
    rig->mmu = mmu_create(&rig->cpu, rig->bus);
    assert_non_null(rig->mmu);
    mmu_set_strategy(rig->mmu, strategy);
    status = mmu_enable_views(rig->mmu, rig->ram.fd);
    if (!status_is_ok(&status)) {
        print_message("SKIPPED: %s\n", status.message);
        skip();
    }
    struct memory_listener listener = {.map_changed = flush_mmu, .opaque = rig};
    memory_bus_set_listener(rig->bus, &listener);
    rig->cpu.unwind = &rig->unwind;
    for (unsigned space = 0; space < DIRECTORIES; space++) {
        for (uint32_t table = 0; table < 4; table++) {
            store_le32(rig->ram.bytes + directory(space) + table * 4,
                       (directory(space) + 0x1000 + table * 0x1000) | PWU | A);
        }
    }
    assert_int_equal(pipe(rig->pipe), 0);
    return rig;
}

static int set_up(void **state)
{
    *state = create(MMU_SHADOW);
    return 0;
}

static int set_up_adaptive(void **state)
{
    *state = create(MMU_ADAPTIVE);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    mmu_destroy(rig->mmu);
    memory_bus_destroy(rig->bus);
    host_memory_release(&rig->ram);
    close(rig->pipe[0]);
    close(rig->pipe[1]);
    free(rig);
    return 0;
}

static void turn_paging_on(struct rig *rig)
{
    load_cr3(rig, 0);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
}

static unsigned pick(struct rig *rig, unsigned count)
{
    rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rig->random >> 33) % count;
}

/* ---- what the host allows */

static bool may_load(struct rig *rig, uint32_t linear, uint8_t *value)
{
    const uint8_t *window = mmu_window(rig->mmu, false);
    if (window == NULL || write(rig->pipe[1], window + linear, 1) != 1) {
        return false;
    }
    assert_int_equal(read(rig->pipe[0], value, 1), 1);
    return true;
}

/* Whether a store goes through; it changes nothing, but for the page's first byte being 5Ah meanwhile. */
static bool may_store(struct rig *rig, uint32_t linear)
{
    uint8_t *window = mmu_window(rig->mmu, false);
    uint8_t before;
    uint8_t value = 0x5a;
    if (!may_load(rig, linear, &before)) {
        return false;
    }
    assert_int_equal(write(rig->pipe[1], &value, 1), 1);
    if (read(rig->pipe[0], window + linear, 1) != 1) {
        assert_int_equal(errno, EFAULT);
        assert_int_equal(read(rig->pipe[0], &value, 1), 1);
        return false;
    }
    window[linear] = before;
    return true;
}

static enum mmu_view_result fill(struct rig *rig, uint32_t linear, unsigned width, bool store)
{
    if (setjmp(rig->unwind) != 0) {
        fail_msg("filling raised exception %u", rig->cpu.exception.vector);
    }
    assert_non_null(mmu_window(rig->mmu, false));
    return mmu_view_fill(rig->mmu, linear, width, store, false);
}

static void assert_shows(struct rig *rig, uint32_t linear, uint64_t phys)
{
    uint8_t value = 0;
    rig->ram.bytes[phys]++;
    assert_true(may_load(rig, linear, &value));
    assert_int_equal(value, rig->ram.bytes[phys]);
}

static void assert_absent(struct rig *rig, uint32_t linear)
{
    uint8_t value;
    assert_false(may_load(rig, linear, &value));
}

/* ---- one thing at a time */

static void without_paging_linear_is_physical(void **state)
{
    struct rig *rig = *state;
    assert_absent(rig, 0x5123);
    assert_int_equal(fill(rig, 0x5123, 4, false), MMU_VIEW_FILLED);
    assert_shows(rig, 0x5123, 0x5123);
    assert_true(may_store(rig, 0x5123));
    assert_int_equal(fill(rig, DEVICE, 1, false), MMU_VIEW_NOT);
    assert_int_equal(fill(rig, (uint32_t)RAM_SIZE, 1, true), MMU_VIEW_NOT);
    assert_absent(rig, DEVICE);
}

static void an_access_across_pages_fills_both(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    set_entry(rig, 0, 0x5000, (FRAMES + 0x7000) | PWU);
    assert_int_equal(fill(rig, 0x4ffe, 4, false), MMU_VIEW_FILLED);
    assert_shows(rig, 0x4fff, FRAMES + 0xfff);
    assert_shows(rig, 0x5000, FRAMES + 0x7000);
    assert_int_equal(fill(rig, 0xfffffffe, 4, false), MMU_VIEW_NOT);
}

static void a_page_is_writable_only_when_it_is_dirty(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    assert_int_equal(fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    assert_int_equal(load_le32(entry_of(rig, 0, 0x4000)), FRAMES | PWU | A);
    assert_shows(rig, 0x4000, FRAMES);
    assert_false(may_store(rig, 0x4000));
    assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_int_equal(load_le32(entry_of(rig, 0, 0x4000)), FRAMES | PWU | A | D);
    assert_true(may_store(rig, 0x4000));
}

static void faults_of_the_guest_are_told_from_what_a_view_cannot_do(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    assert_int_equal(fill(rig, 0x4000, 1, false), MMU_VIEW_FAULT);
    set_entry(rig, 0, 0x4000, FRAMES | P | U);
    assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_FAULT);
    assert_int_equal(fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    set_entry(rig, 0, 0x5000, DEVICE | PWU);
    assert_int_equal(fill(rig, 0x5000, 1, false), MMU_VIEW_NOT);
    assert_int_equal(fill(rig, 0x4fff, 2, false), MMU_VIEW_NOT);
}

static void code_is_not_written(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    set_entry(rig, 0, 0x9000, FRAMES | PWU);
    assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_int_equal(fill(rig, 0x9000, 1, true), MMU_VIEW_FILLED);
    memory_bus_mark_code(rig->bus, FRAMES + 0x10, 4);
    mmu_protect_page(rig->mmu, FRAMES);
    assert_false(may_store(rig, 0x4000));
    assert_false(may_store(rig, 0x9000));
    assert_shows(rig, 0x9000, FRAMES);
    assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_NOT);
    memory_bus_note_write(rig->bus, FRAMES + 0x10, 4);
    assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_true(may_store(rig, 0x4000));
}

static void invlpg_drops_a_page(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    set_entry(rig, 0, 0x8000, (FRAMES + 0x4000) | PWU);
    fill(rig, 0x4000, 1, false);
    fill(rig, 0x8000, 1, false);
    set_entry(rig, 0, 0x4000, (FRAMES + 0x1000) | PWU);
    invlpg(rig, 0x4000);
    assert_absent(rig, 0x4000);
    assert_shows(rig, 0x8000, FRAMES + 0x4000);
    assert_int_equal(fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    assert_shows(rig, 0x4000, FRAMES + 0x1000);
}

static void a_load_of_cr3_drops_what_has_changed_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    for (uint32_t page = 0; page < 5; page++) {
        set_entry(rig, 0, 0x4000 + page * 0x2000, (FRAMES + page * 0x3000) | PWU);
        assert_int_equal(fill(rig, 0x4000 + page * 0x2000, 1, true), MMU_VIEW_FILLED);
    }
    uint64_t fills = rig->counters.value[COUNTER_VIEW_FILLS];
    set_entry(rig, 0, 0x4000, 0);
    *entry_of(rig, 0, 0x6000) &= (uint8_t)~A;
    *entry_of(rig, 0, 0x8000) &= (uint8_t)~D;
    *entry_of(rig, 0, 0xa000) &= (uint8_t)~W;
    load_cr3(rig, 0);
    assert_absent(rig, 0x4000);
    assert_absent(rig, 0x6000);
    assert_false(may_store(rig, 0x8000));
    assert_false(may_store(rig, 0xa000));
    assert_shows(rig, 0xc000, FRAMES + 4 * 0x3000);
    assert_true(may_store(rig, 0xc000));
    assert_int_equal(rig->counters.value[COUNTER_VIEW_FILLS], fills);
}

/* A page that was mapped after the tables were first copied, and whose entry is then again as in that copy.
 */
static void a_change_that_was_undone_is_seen(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    fill(rig, 0x4000, 1, false);
    set_entry(rig, 0, 0x6000, (FRAMES + 0x1000) | PWU);
    fill(rig, 0x6000, 1, false);
    assert_shows(rig, 0x6000, FRAMES + 0x1000);
    set_entry(rig, 0, 0x6000, 0);
    load_cr3(rig, 0);
    assert_absent(rig, 0x6000);
}

static void views_of_other_spaces_are_kept_and_compared(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    set_entry(rig, 0, 0x6000, (FRAMES + 0x1000) | PWU);
    set_entry(rig, 1, 0x4000, (FRAMES + 0x2000) | PWU);
    fill(rig, 0x4000, 1, true);
    fill(rig, 0x6000, 1, true);
    load_cr3(rig, 1);
    assert_absent(rig, 0x4000);
    fill(rig, 0x4000, 1, true);
    assert_shows(rig, 0x4000, FRAMES + 0x2000);
    set_entry(rig, 0, 0x6000, (FRAMES + 0x5000) | PWU | A | D);
    load_cr3(rig, 0);
    assert_shows(rig, 0x4000, FRAMES);
    assert_absent(rig, 0x6000);
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_CREATED], 2);
}

static void a_directory_entry_counts_as_well(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, FRAMES | PWU);
    set_entry(rig, 1, 0x4000, (FRAMES + 0x1000) | PWU | A);
    fill(rig, 0x4000, 1, false);
    store_le32(rig->ram.bytes + directory(0), (directory(1) + 0x1000) | PWU | A);
    load_cr3(rig, 0);
    assert_absent(rig, 0x4000);
    fill(rig, 0x4000, 1, false);
    assert_shows(rig, 0x4000, FRAMES + 0x1000);
}

static void a_new_physical_map_drops_everything(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    set_entry(rig, 0, 0x4000, 0x300000u | PWU);
    fill(rig, 0x4000, 1, false);
    memory_bus_set_a20(rig->bus, false);
    assert_absent(rig, 0x4000);
    load_cr3(rig, 0);
}

static void more_views_than_there_may_be_replace_each_other(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    for (unsigned round = 0; round < 3 * VIEWS_MAX; round++) {
        uint32_t root = 0x400000u + round * 0x1000;
        store_le32(rig->ram.bytes + root, (directory(0) + 0x1000) | PWU | A);
        set_entry(rig, 0, 0x4000, (FRAMES + (round & 7) * 0x1000) | PWU);
        cpu_write_control(&rig->cpu, 3, root);
        assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
        assert_shows(rig, 0x4000, FRAMES + (round & 7) * 0x1000);
    }
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_EVICTED], 2 * VIEWS_MAX);
}

/* Every other page of 128 MiB, onto a few frames: no two of them make one mapping of the host's kernel. */
static void beyond_the_budget_of_mappings_views_begin_anew(void **state)
{
    struct rig *rig = *state;
    enum { TABLE_COUNT = 32 };
    uint32_t tables = 0x800000;
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        store_le32(rig->ram.bytes + directory(0) + i * 4, (tables + i * 0x1000) | PWU | A);
    }
    turn_paging_on(rig);
    for (uint32_t page = 0; page < TABLE_COUNT * 1024; page += 2) {
        store_le32(rig->ram.bytes + tables + page * 4, (FRAMES + (page & 14) * 0x1000) | PWU | A);
        assert_int_equal(fill(rig, page << 12, 1, true), MMU_VIEW_FILLED);
        assert_shows(rig, page << 12, FRAMES + (page & 14) * 0x1000);
    }
    assert_true(rig->counters.value[COUNTER_VIEWS_EVICTED] > 0);
}

/* ---- policy */

static void an_address_space_gets_a_view_when_it_has_run_long(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION_SUPERVISOR - 1);
    assert_null(mmu_window(rig->mmu, false));
    load_cr3(rig, 1);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, 1);
    assert_null(mmu_window(rig->mmu, false));
    load_cr3(rig, 0);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, 1);
    assert_non_null(mmu_window(rig->mmu, false));
}

static void a_view_that_costs_too_much_goes(void **state)
{
    struct rig *rig = *state;
    turn_paging_on(rig);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION_SUPERVISOR);
    for (uint64_t debt = 0; debt < VIEW_DEBT_MAX; debt += VIEW_FILL_COST) {
        assert_non_null(mmu_window(rig->mmu, false));
        set_entry(rig, 0, 0x4000, FRAMES | PWU);
        assert_int_equal(fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
        invlpg(rig, 0x4000);
    }
    mmu_note_executed(rig->mmu, false, 0);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION_SUPERVISOR);
    assert_null(mmu_window(rig->mmu, false));
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_DEMOTED], 1);
}

/* ---- everything at random */

/* What the present tables allow, without changing anything. */
static bool tables_allow(struct rig *rig, uint32_t linear, bool store, uint64_t *phys)
{
    struct paging_result result;
    uint32_t error_code;
    if (!paging_walk(rig->mmu, linear, store ? MMU_STORE : MMU_LOAD, false, false, &result, &error_code)) {
        return false;
    }
    *phys = result.phys;
    uint32_t entry = load_le32(entry_of(rig, (uint32_t)rig->cpu.cr3 == directory(1), linear));
    return (entry & A) && (!store || (entry & D));
}

static void guests_that_do_anything_see_no_stale_page(void **state)
{
    enum { PAGES = 40, ROUNDS = 60000 };
    struct rig *rig = *state;
    unsigned shown = 0;
    bool told[DIRECTORIES][PAGES]; /* no entry was changed that the CPU was not told of */
    memset(told, true, sizeof told);
    turn_paging_on(rig);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned space = (uint32_t)rig->cpu.cr3 == directory(1);
        unsigned page = pick(rig, PAGES);
        uint32_t linear = page << 12;
        unsigned other = pick(rig, DIRECTORIES);
        switch (pick(rig, 8)) {
        case 0:
        case 1: {
            uint32_t frame = pick(rig, 16) ? FRAMES + pick(rig, FRAME_COUNT) * 0x1000 : DEVICE;
            uint32_t bits = pick(rig, 5) ? PWU : pick(rig, 128);
            set_entry(rig, other, linear, frame | bits);
            told[other][page] = false;
            break;
        }
        case 2:
            *entry_of(rig, other, linear) &= (uint8_t)(pick(rig, 2) ? ~A : ~D);
            told[other][page] = false;
            break;
        case 3:
            invlpg(rig, linear);
            told[space][page] = true;
            break;
        case 4:
            load_cr3(rig, other);
            memset(told[other], true, sizeof told[other]);
            break;
        case 5: {
            uint32_t frame = FRAMES + pick(rig, FRAME_COUNT) * 0x1000;
            if (pick(rig, 2)) {
                memory_bus_mark_code(rig->bus, frame + 8, 1);
                mmu_protect_page(rig->mmu, frame);
            } else {
                memory_bus_note_write(rig->bus, frame + 8, 1);
            }
            break;
        }
        default: {
            bool store = pick(rig, 2);
            enum mmu_view_result result = fill(rig, linear, 1, store);
            uint64_t phys = 0;
            if (result == MMU_VIEW_FILLED && told[space][page]) {
                assert_true(tables_allow(rig, linear, store, &phys));
                assert_shows(rig, linear, phys);
                assert_true(!store || may_store(rig, linear));
                shown++;
            }
            break;
        }
        }
        space = (uint32_t)rig->cpu.cr3 == directory(1);
        page = pick(rig, PAGES);
        uint8_t value;
        uint64_t phys = 0;
        if (told[space][page] && may_load(rig, page << 12, &value)) {
            assert_true(tables_allow(rig, page << 12, false, &phys));
            assert_shows(rig, page << 12, phys);
            if (may_store(rig, page << 12)) {
                assert_true(tables_allow(rig, page << 12, true, &phys));
                assert_int_equal(memory_bus_page(rig->bus, phys)->code_lines, 0);
            }
        }
    }
    assert_true(shown > ROUNDS / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_paging_linear_is_physical, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_access_across_pages_fills_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_is_writable_only_when_it_is_dirty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_of_the_guest_are_told_from_what_a_view_cannot_do, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(code_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(invlpg_drops_a_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_load_of_cr3_drops_what_has_changed_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_change_that_was_undone_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(views_of_other_spaces_are_kept_and_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_entry_counts_as_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_physical_map_drops_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_views_than_there_may_be_replace_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beyond_the_budget_of_mappings_views_begin_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_space_gets_a_view_when_it_has_run_long, set_up_adaptive,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_view_that_costs_too_much_goes, set_up_adaptive, tear_down),
        cmocka_unit_test_setup_teardown(guests_that_do_anything_see_no_stale_page, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
