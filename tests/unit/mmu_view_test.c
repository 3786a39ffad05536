/* Shadow page tables: that a view never allows more than the guest's tables do after each of the events that
 * tell the mmu of a change, that what it does allow is the right page, and that it comes back from every
 * limit. Other paging than that of 4 KiB pages is in mmu_view_paging_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bits.h"
#include "view_rig.h"

#define FRAME_COUNT 24u /* of RIG_FRAMES */

static int set_up(void **state)
{
    *state = view_rig_create(MMU_SHADOW);
    return 0;
}

static int set_up_adaptive(void **state)
{
    *state = view_rig_create(MMU_ADAPTIVE);
    return 0;
}

/* ---- one thing at a time */

static void without_paging_linear_is_physical(void **state)
{
    struct view_rig *rig = *state;
    view_rig_assert_absent(rig, 0x5123);
    assert_int_equal(view_rig_fill(rig, 0x5123, 4, false), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x5123, 0x5123);
    assert_true(view_rig_may_store(rig, 0x5123));
    assert_int_equal(view_rig_fill(rig, RIG_DEVICE, 1, false), MMU_VIEW_NOT);
    assert_int_equal(view_rig_fill(rig, (uint32_t)RIG_RAM_SIZE, 1, true), MMU_VIEW_NOT);
    view_rig_assert_absent(rig, RIG_DEVICE);
}

static void an_access_across_pages_fills_both(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 0, 0x5000, (RIG_FRAMES + 0x7000) | PWU);
    assert_int_equal(view_rig_fill(rig, 0x4ffe, 4, false), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4fff, RIG_FRAMES + 0xfff);
    view_rig_assert_shows(rig, 0x5000, RIG_FRAMES + 0x7000);
    assert_int_equal(view_rig_fill(rig, 0xfffffffe, 4, false), MMU_VIEW_NOT);
}

static void a_page_is_writable_only_when_it_is_dirty(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    assert_int_equal(load_le32(view_rig_entry(rig, 0, 0x4000)), RIG_FRAMES | PWU | A);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    assert_false(view_rig_may_store(rig, 0x4000));
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_int_equal(load_le32(view_rig_entry(rig, 0, 0x4000)), RIG_FRAMES | PWU | A | D);
    assert_true(view_rig_may_store(rig, 0x4000));
}

static void faults_of_the_guest_are_told_from_what_a_view_cannot_do(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FAULT);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | P | U);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FAULT);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    view_rig_set_entry(rig, 0, 0x5000, RIG_DEVICE | PWU);
    assert_int_equal(view_rig_fill(rig, 0x5000, 1, false), MMU_VIEW_NOT);
    assert_int_equal(view_rig_fill(rig, 0x4fff, 2, false), MMU_VIEW_NOT);
}

static void code_is_not_written(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 0, 0x9000, RIG_FRAMES | PWU);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_int_equal(view_rig_fill(rig, 0x9000, 1, true), MMU_VIEW_FILLED);
    memory_bus_mark_code(rig->bus, RIG_FRAMES + 0x10, 4);
    mmu_protect_page(rig->mmu, RIG_FRAMES);
    assert_false(view_rig_may_store(rig, 0x4000));
    assert_false(view_rig_may_store(rig, 0x9000));
    view_rig_assert_shows(rig, 0x9000, RIG_FRAMES);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_NOT);
    memory_bus_note_write(rig->bus, RIG_FRAMES + 0x10, 4);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_true(view_rig_may_store(rig, 0x4000));
}

static void invlpg_drops_a_page(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 0, 0x8000, (RIG_FRAMES + 0x4000) | PWU);
    view_rig_fill(rig, 0x4000, 1, false);
    view_rig_fill(rig, 0x8000, 1, false);
    view_rig_set_entry(rig, 0, 0x4000, (RIG_FRAMES + 0x1000) | PWU);
    view_rig_invlpg(rig, 0x4000);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_assert_shows(rig, 0x8000, RIG_FRAMES + 0x4000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + 0x1000);
}

static void a_load_of_cr3_drops_what_has_changed_and_nothing_else(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    for (uint32_t page = 0; page < 5; page++) {
        view_rig_set_entry(rig, 0, 0x4000 + page * 0x2000, (RIG_FRAMES + page * 0x3000) | PWU);
        assert_int_equal(view_rig_fill(rig, 0x4000 + page * 0x2000, 1, true), MMU_VIEW_FILLED);
    }
    uint64_t fills = rig->counters.value[COUNTER_VIEW_FILLS];
    view_rig_set_entry(rig, 0, 0x4000, 0);
    *view_rig_entry(rig, 0, 0x6000) &= (uint8_t)~A;
    *view_rig_entry(rig, 0, 0x8000) &= (uint8_t)~D;
    *view_rig_entry(rig, 0, 0xa000) &= (uint8_t)~W;
    view_rig_load_cr3(rig, 0);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_assert_absent(rig, 0x6000);
    assert_false(view_rig_may_store(rig, 0x8000));
    assert_false(view_rig_may_store(rig, 0xa000));
    view_rig_assert_shows(rig, 0xc000, RIG_FRAMES + 4 * 0x3000);
    assert_true(view_rig_may_store(rig, 0xc000));
    assert_int_equal(rig->counters.value[COUNTER_VIEW_FILLS], fills);
}

/* A page that was mapped after the tables were first copied, and whose entry is then again as in that copy.
 */
static void a_change_that_was_undone_is_seen(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_fill(rig, 0x4000, 1, false);
    view_rig_set_entry(rig, 0, 0x6000, (RIG_FRAMES + 0x1000) | PWU);
    view_rig_fill(rig, 0x6000, 1, false);
    view_rig_assert_shows(rig, 0x6000, RIG_FRAMES + 0x1000);
    view_rig_set_entry(rig, 0, 0x6000, 0);
    view_rig_load_cr3(rig, 0);
    view_rig_assert_absent(rig, 0x6000);
}

static void views_of_other_spaces_are_kept_and_compared(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 0, 0x6000, (RIG_FRAMES + 0x1000) | PWU);
    view_rig_set_entry(rig, 1, 0x4000, (RIG_FRAMES + 0x2000) | PWU);
    view_rig_fill(rig, 0x4000, 1, true);
    view_rig_fill(rig, 0x6000, 1, true);
    view_rig_load_cr3(rig, 1);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_fill(rig, 0x4000, 1, true);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + 0x2000);
    view_rig_set_entry(rig, 0, 0x6000, (RIG_FRAMES + 0x5000) | PWU | A | D);
    view_rig_load_cr3(rig, 0);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    view_rig_assert_absent(rig, 0x6000);
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_CREATED], 2);
}

static void a_directory_entry_counts_as_well(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 1, 0x4000, (RIG_FRAMES + 0x1000) | PWU | A);
    view_rig_fill(rig, 0x4000, 1, false);
    store_le32(rig->ram.bytes + view_rig_directory(0), (view_rig_directory(1) + 0x1000) | PWU | A);
    view_rig_load_cr3(rig, 0);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_fill(rig, 0x4000, 1, false);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + 0x1000);
}

static void a_new_physical_map_drops_everything(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, 0x300000u | PWU);
    view_rig_fill(rig, 0x4000, 1, false);
    memory_bus_set_a20(rig->bus, false);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_load_cr3(rig, 0);
}

static void more_views_than_there_may_be_replace_each_other(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    for (unsigned round = 0; round < 3 * VIEWS_MAX; round++) {
        uint32_t root = 0x400000u + round * 0x1000;
        store_le32(rig->ram.bytes + root, (view_rig_directory(0) + 0x1000) | PWU | A);
        view_rig_set_entry(rig, 0, 0x4000, (RIG_FRAMES + (round & 7) * 0x1000) | PWU);
        cpu_write_control(&rig->cpu, 3, root);
        assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
        view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + (round & 7) * 0x1000);
    }
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_EVICTED], 2 * VIEWS_MAX);
}

/* Every other page of 128 MiB, onto a few frames: no two of them make one mapping of the host's kernel. */
static void beyond_the_budget_of_mappings_views_begin_anew(void **state)
{
    struct view_rig *rig = *state;
    enum { TABLE_COUNT = 32 };
    uint32_t tables = 0x800000;
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        store_le32(rig->ram.bytes + view_rig_directory(0) + i * 4, (tables + i * 0x1000) | PWU | A);
    }
    view_rig_turn_paging_on(rig);
    for (uint32_t page = 0; page < TABLE_COUNT * 1024; page += 2) {
        store_le32(rig->ram.bytes + tables + page * 4, (RIG_FRAMES + (page & 14) * 0x1000) | PWU | A);
        assert_int_equal(view_rig_fill(rig, page << 12, 1, true), MMU_VIEW_FILLED);
        view_rig_assert_shows(rig, page << 12, RIG_FRAMES + (page & 14) * 0x1000);
    }
    assert_true(rig->counters.value[COUNTER_VIEWS_EVICTED] > 0);
}

/* ---- policy */

static void an_address_space_gets_a_view_when_it_has_run_long(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION - 1);
    assert_null(mmu_window(rig->mmu, false));
    view_rig_load_cr3(rig, 1);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, 1);
    assert_null(mmu_window(rig->mmu, false));
    view_rig_load_cr3(rig, 0);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, 1);
    assert_non_null(mmu_window(rig->mmu, false));
}

static void an_address_space_that_uses_more_pages_gets_its_view_later(void **state)
{
    struct view_rig *rig = *state;
    const uint64_t pages = 100;
    view_rig_turn_paging_on(rig);
    assert_null(mmu_window(rig->mmu, false));
    for (uint32_t i = 0; i < pages; i++) {
        views_note_page(rig->mmu, i << 12, false, false);
        views_note_page(rig->mmu, i << 12, false, true); /* one region, in which the first page is */
        views_note_page(rig->mmu, i << 12, true, false); /* the other privilege's */
    }
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION + pages * VIEW_PAGE_COST - 1);
    assert_null(mmu_window(rig->mmu, false));
    views_note_page(rig->mmu, 0x1000, false, false); /* again */
    mmu_note_executed(rig->mmu, false, 1);
    assert_non_null(mmu_window(rig->mmu, false));
}

static void the_software_tlb_notes_pages(void **state)
{
    struct view_rig *rig = *state;
    uint64_t phys;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    assert_null(mmu_window(rig->mmu, false));
    assert_true(mmu_try_fetch(rig->mmu, 0x4000, false, &phys));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PAGE_COST);
    assert_non_null(mmu_window(rig->mmu, false));
}

static void without_paging_both_privileges_get_one_view(void **state)
{
    struct view_rig *rig = *state;
    assert_null(mmu_window(rig->mmu, false));
    assert_null(mmu_window(rig->mmu, true));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION_UNPAGED - 1);
    assert_null(mmu_window(rig->mmu, false));
    assert_null(mmu_window(rig->mmu, true));
    mmu_note_executed(rig->mmu, true, 1);
    assert_non_null(mmu_window(rig->mmu, true));
    assert_ptr_equal(mmu_window(rig->mmu, false), mmu_window(rig->mmu, true));
}

static void a_view_that_costs_too_much_goes(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION);
    for (uint64_t debt = 0; debt < VIEW_DEBT_MAX; debt += VIEW_FILL_COST) {
        assert_non_null(mmu_window(rig->mmu, false));
        view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
        assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
        view_rig_invlpg(rig, 0x4000);
    }
    mmu_note_executed(rig->mmu, false, 0);
    assert_null(mmu_window(rig->mmu, false));
    mmu_note_executed(rig->mmu, false, VIEW_PROMOTION);
    assert_null(mmu_window(rig->mmu, false));
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_DEMOTED], 1);
}

/* ---- everything at random */

/* What the present tables allow, without changing anything. */
static bool tables_allow(struct view_rig *rig, uint32_t linear, bool store, uint64_t *phys)
{
    struct paging_result result;
    uint32_t error_code;
    if (!paging_walk(rig->mmu, linear, store ? MMU_STORE : MMU_LOAD, false, false, &result, &error_code)) {
        return false;
    }
    *phys = result.phys;
    uint32_t entry = load_le32(view_rig_entry(rig, (uint32_t)rig->cpu.cr3 == view_rig_directory(1), linear));
    return (entry & A) && (!store || (entry & D));
}

static void guests_that_do_anything_see_no_stale_page(void **state)
{
    enum { PAGES = 40, ROUNDS = 60000 };
    struct view_rig *rig = *state;
    unsigned shown = 0;
    bool told[RIG_DIRECTORIES][PAGES]; /* no entry was changed that the CPU was not told of */
    memset(told, true, sizeof told);
    view_rig_turn_paging_on(rig);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned space = (uint32_t)rig->cpu.cr3 == view_rig_directory(1);
        unsigned page = view_rig_pick(rig, PAGES);
        uint32_t linear = page << 12;
        unsigned other = view_rig_pick(rig, RIG_DIRECTORIES);
        switch (view_rig_pick(rig, 8)) {
        case 0:
        case 1: {
            uint32_t frame =
                view_rig_pick(rig, 16) ? RIG_FRAMES + view_rig_pick(rig, FRAME_COUNT) * 0x1000 : RIG_DEVICE;
            uint32_t bits = view_rig_pick(rig, 5) ? PWU : view_rig_pick(rig, 128);
            view_rig_set_entry(rig, other, linear, frame | bits);
            told[other][page] = false;
            break;
        }
        case 2:
            *view_rig_entry(rig, other, linear) &= (uint8_t)(view_rig_pick(rig, 2) ? ~A : ~D);
            told[other][page] = false;
            break;
        case 3:
            view_rig_invlpg(rig, linear);
            told[space][page] = true;
            break;
        case 4:
            view_rig_load_cr3(rig, other);
            memset(told[other], true, sizeof told[other]);
            break;
        case 5: {
            uint32_t frame = RIG_FRAMES + view_rig_pick(rig, FRAME_COUNT) * 0x1000;
            if (view_rig_pick(rig, 2)) {
                memory_bus_mark_code(rig->bus, frame + 8, 1);
                mmu_protect_page(rig->mmu, frame);
            } else {
                memory_bus_note_write(rig->bus, frame + 8, 1);
            }
            break;
        }
        default: {
            bool store = view_rig_pick(rig, 2);
            enum mmu_view_result result = view_rig_fill(rig, linear, 1, store);
            uint64_t phys = 0;
            if (result == MMU_VIEW_FILLED && told[space][page]) {
                assert_true(tables_allow(rig, linear, store, &phys));
                view_rig_assert_shows(rig, linear, phys);
                assert_true(!store || view_rig_may_store(rig, linear));
                shown++;
            }
            break;
        }
        }
        space = (uint32_t)rig->cpu.cr3 == view_rig_directory(1);
        page = view_rig_pick(rig, PAGES);
        uint8_t value;
        uint64_t phys = 0;
        if (told[space][page] && view_rig_may_load(rig, page << 12, &value)) {
            assert_true(tables_allow(rig, page << 12, false, &phys));
            view_rig_assert_shows(rig, page << 12, phys);
            if (view_rig_may_store(rig, page << 12)) {
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
        cmocka_unit_test_setup_teardown(without_paging_linear_is_physical, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(an_access_across_pages_fills_both, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(a_page_is_writable_only_when_it_is_dirty, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(faults_of_the_guest_are_told_from_what_a_view_cannot_do, set_up,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(code_is_not_written, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(invlpg_drops_a_page, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(a_load_of_cr3_drops_what_has_changed_and_nothing_else, set_up,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(a_change_that_was_undone_is_seen, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(views_of_other_spaces_are_kept_and_compared, set_up,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(a_directory_entry_counts_as_well, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(a_new_physical_map_drops_everything, set_up, view_rig_destroy),
        cmocka_unit_test_setup_teardown(more_views_than_there_may_be_replace_each_other, set_up,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(beyond_the_budget_of_mappings_views_begin_anew, set_up,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(an_address_space_gets_a_view_when_it_has_run_long, set_up_adaptive,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(an_address_space_that_uses_more_pages_gets_its_view_later,
                                        set_up_adaptive, view_rig_destroy),
        cmocka_unit_test_setup_teardown(the_software_tlb_notes_pages, set_up_adaptive, view_rig_destroy),
        cmocka_unit_test_setup_teardown(without_paging_both_privileges_get_one_view, set_up_adaptive,
                                        view_rig_destroy),
        cmocka_unit_test_setup_teardown(a_view_that_costs_too_much_goes, set_up_adaptive, view_rig_destroy),
        cmocka_unit_test_setup_teardown(guests_that_do_anything_see_no_stale_page, set_up, view_rig_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
