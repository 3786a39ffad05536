/* Shadow page tables under every kind of paging: PAE with NX and 2 MiB pages, 4 MiB pages, global pages,
 * CR0.WP, both privileges; and under what else moves memory: A20, ROM and PAM, devices, DMA. The last test
 * does it all at random, with the walk of the guest's tables as the oracle (SDM 3A §4.3, §4.4, §4.6, §4.10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bits.h"
#include "view_rig.h"

#define PAE_TABLES   0x640000u /* of each PAE space: pointers, a directory, 8 tables */
#define LARGE_FRAMES 0x1000000u
#define NX           ((uint64_t)1 << 63)

static int set_up(void **state)
{
    *state = view_rig_create(MMU_SHADOW);
    return 0;
}

static uint32_t pae_root(unsigned space)
{
    return PAE_TABLES + space * 0x20000u;
}

static uint8_t *pae_directory_entry(struct view_rig *rig, unsigned space, uint32_t linear)
{
    return rig->ram.bytes + pae_root(space) + 0x1000 + (linear >> 21) * 8;
}

static uint8_t *pae_entry(struct view_rig *rig, unsigned space, uint32_t linear)
{
    return rig->ram.bytes + pae_root(space) + 0x2000 + (linear >> 12) * 8;
}

static void make_pae_tables(struct view_rig *rig)
{
    for (unsigned space = 0; space < RIG_DIRECTORIES; space++) {
        store_le64(rig->ram.bytes + pae_root(space), (pae_root(space) + 0x1000) | P);
        for (uint32_t table = 0; table < 8; table++) {
            store_le64(pae_directory_entry(rig, space, table << 21),
                       (pae_root(space) + 0x2000 + table * 0x1000) | PWU | A);
        }
    }
}

static void turn_pae_on(struct view_rig *rig)
{
    make_pae_tables(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PAE);
    cpu_write_control(&rig->cpu, 3, pae_root(0));
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
}

static void set_nxe(struct view_rig *rig, bool on)
{
    rig->cpu.efer = on ? EFER_NXE : 0;
    rig->cpu.memory_ops->flush_tlb(&rig->cpu, true); /* as WRMSR does */
}

/* ---- PAE */

static void pae_pages_are_shown(void **state)
{
    struct view_rig *rig = *state;
    turn_pae_on(rig);
    store_le64(pae_entry(rig, 0, 0x4000), RIG_FRAMES | PWU);
    store_le64(pae_entry(rig, 0, 0x5000), ((uint64_t)1 << 36) | RIG_FRAMES | PWU);
    assert_int_equal(view_rig_fill(rig, 0x4000, 4, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    assert_true(view_rig_may_store(rig, 0x4000));
    assert_int_equal(view_rig_fill(rig, 0x5000, 1, false), MMU_VIEW_FAULT); /* a reserved bit */
}

static void no_execute_is_no_matter_for_data_but_a_reserved_bit_without_nxe(void **state)
{
    struct view_rig *rig = *state;
    turn_pae_on(rig);
    set_nxe(rig, true);
    store_le64(pae_entry(rig, 0, 0x4000), RIG_FRAMES | PWU | NX);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    set_nxe(rig, false);
    view_rig_assert_absent(rig, 0x4000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FAULT);
    set_nxe(rig, true);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
}

static void directory_pointers_are_those_loaded_with_cr3(void **state)
{
    struct view_rig *rig = *state;
    turn_pae_on(rig);
    store_le64(pae_entry(rig, 0, 0x4000), RIG_FRAMES | PWU);
    store_le64(pae_entry(rig, 1, 0x4000), (RIG_FRAMES + 0x1000) | PWU | A);
    view_rig_fill(rig, 0x4000, 1, true);
    store_le64(rig->ram.bytes + pae_root(0), (pae_root(1) + 0x1000) | P);
    view_rig_invlpg(rig, 0x4000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    cpu_write_control(&rig->cpu, 3, pae_root(0));
    view_rig_assert_absent(rig, 0x4000);
    view_rig_fill(rig, 0x4000, 1, false);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + 0x1000);
    store_le64(rig->ram.bytes + pae_root(0), 0);
    cpu_write_control(&rig->cpu, 3, pae_root(0));
    view_rig_assert_absent(rig, 0x4000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FAULT);
}

/* ---- large pages */

/* One page of `size` bytes at `linear` with its entry at `entry` is filled, dirtied, moved and split. */
static void check_large_page(struct view_rig *rig, uint8_t *entry, uint32_t linear, uint32_t size)
{
    uint32_t regions = size / 0x200000;
    store_le32(entry, LARGE_FRAMES | PWU | LARGE);
    for (uint32_t at = 0; at < size; at += 0x200000) {
        assert_int_equal(view_rig_fill(rig, linear + at + 0x5000, 4, false), MMU_VIEW_FILLED);
    }
    assert_int_equal(rig->counters.value[COUNTER_VIEW_FILLS], regions);
    for (uint32_t at = 0; at < size; at += 0x1f000) {
        view_rig_assert_shows(rig, linear + at, LARGE_FRAMES + at);
        assert_false(view_rig_may_store(rig, linear + at));
    }
    assert_int_equal(view_rig_fill(rig, linear + 0x7000, 4, true), MMU_VIEW_FILLED);
    assert_int_equal(load_le32(entry), LARGE_FRAMES | PWU | LARGE | A | D);
    assert_true(view_rig_may_store(rig, linear + 0x7000));
    assert_true(view_rig_may_store(rig, linear));
    assert_true(view_rig_may_store(rig, linear + 0x1ff000));
    store_le32(entry, (LARGE_FRAMES + size) | PWU | LARGE | A | D);
    view_rig_invlpg(rig, linear + size - 1);
    for (uint32_t at = 0; at < size; at += 0x3d000) {
        view_rig_assert_absent(rig, linear + at);
    }
    view_rig_fill(rig, linear + 0x9000, 4, true);
    view_rig_assert_shows(rig, linear + 0x9000, LARGE_FRAMES + size + 0x9000);
    view_rig_assert_shows(rig, linear + 0x1ff000, LARGE_FRAMES + size + 0x1ff000);
    store_le32(entry, (LARGE_FRAMES + size) | P | U | LARGE | A | D);
    view_rig_invlpg(rig, linear);
    assert_false(view_rig_may_store(rig, linear + 0x9000));
}

static void pages_of_2_mib_come_as_a_whole(void **state)
{
    struct view_rig *rig = *state;
    turn_pae_on(rig);
    check_large_page(rig, pae_directory_entry(rig, 0, 0x400000), 0x400000, 0x200000);
}

static void pages_of_4_mib_come_in_halves(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    check_large_page(rig, rig->ram.bytes + view_rig_directory(0) + 4, 0x400000, 0x400000);
}

static void code_in_a_large_page_is_left_out(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    store_le32(rig->ram.bytes + view_rig_directory(0) + 4, LARGE_FRAMES | PWU | LARGE);
    memory_bus_mark_code(rig->bus, LARGE_FRAMES + 0x3100, 4);
    assert_int_equal(view_rig_fill(rig, 0x405000, 4, true), MMU_VIEW_FILLED);
    assert_true(view_rig_may_store(rig, 0x404000));
    assert_true(view_rig_may_store(rig, 0x5ff000));
    view_rig_assert_absent(rig, 0x403000);
    assert_int_equal(view_rig_fill(rig, 0x403000, 4, true), MMU_VIEW_NOT);
    assert_int_equal(view_rig_fill(rig, 0x403000, 4, false), MMU_VIEW_FILLED);
    assert_false(view_rig_may_store(rig, 0x403000));
    assert_int_equal(view_rig_fill(rig, 0x400000, 4, true), MMU_VIEW_FILLED);
    assert_true(view_rig_may_store(rig, 0x402000));
}

static void an_entry_means_something_else_without_pse(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    store_le32(rig->ram.bytes + view_rig_directory(0) + 4, LARGE_FRAMES | PWU | LARGE);
    store_le32(rig->ram.bytes + LARGE_FRAMES + 4 * 4, RIG_FRAMES | PWU);
    view_rig_fill(rig, 0x404000, 1, false);
    view_rig_assert_shows(rig, 0x404000, LARGE_FRAMES + 0x4000);
    cpu_write_control(&rig->cpu, 4, 0);
    view_rig_assert_absent(rig, 0x404000);
    view_rig_fill(rig, 0x404000, 1, false);
    view_rig_assert_shows(rig, 0x404000, RIG_FRAMES);
}

/* A table that is made of a device's registers cannot be kept a copy of. */
static void a_page_table_in_a_device_is_never_trusted(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    memory_bus_release(rig->bus, RIG_DEVICE, NULL);
    store_le32(rig->ram.bytes + RIG_DEVICE, RIG_FRAMES | PWU | A);
    store_le32(rig->ram.bytes + view_rig_directory(0) + 4, RIG_DEVICE | PWU | A);
    view_rig_fill(rig, 0x400000, 1, false);
    view_rig_assert_shows(rig, 0x400000, RIG_FRAMES);
    struct io_region device = {.name = "device", .base = RIG_DEVICE, .length = PAGE_SIZE};
    struct status status = memory_bus_claim(rig->bus, &device); /* reads as ones */
    assert_true(status_is_ok(&status));
    view_rig_assert_absent(rig, 0x400000);
    assert_int_equal(view_rig_fill(rig, 0x400000, 1, false), MMU_VIEW_NOT);
}

/* ---- rights */

static void global_pages_stay_in_every_address_space_until_invlpg(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU | GLOBAL);
    view_rig_set_entry(rig, 0, 0x6000, (RIG_FRAMES + 0x1000) | PWU | GLOBAL);
    view_rig_set_entry(rig, 1, 0x4000, (RIG_FRAMES + 0x3000) | PWU | GLOBAL);
    view_rig_set_entry(rig, 1, 0x6000, (RIG_FRAMES + 0x1000) | PWU | GLOBAL);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_int_equal(view_rig_fill(rig, 0x6000, 1, true), MMU_VIEW_FILLED);
    uint64_t compared = rig->counters.value[COUNTER_VIEWS_COMPARED];
    view_rig_load_cr3(rig, 1);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    assert_int_equal(rig->counters.value[COUNTER_VIEWS_COMPARED], compared);
    view_rig_invlpg(rig, 0x4000);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_assert_shows(rig, 0x6000, RIG_FRAMES + 0x1000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + 0x3000);
}

static void users_pages_that_are_not_global_have_no_place_among_those_that_are(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_NOT);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU | A | D | GLOBAL);
    view_rig_set_entry(rig, 0, 0x5000, (RIG_FRAMES + 0x1000) | PWU | A | D);
    view_rig_invlpg(rig, 0x4000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_assert_absent(rig, 0x5000);
    rig->user = true;
    assert_int_equal(view_rig_fill(rig, 0x5000, 1, true), MMU_VIEW_FILLED);
}

static void the_supervisors_pages_that_are_not_global_follow_cr3(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    for (unsigned space = 0; space < 2; space++) {
        view_rig_set_entry(rig, space, 0x4000, (RIG_FRAMES + space * 0x3000) | P | W | A | D);
        view_rig_set_entry(rig, space, 0x6000, (RIG_FRAMES + 0x1000) | P | W | A | D);
        view_rig_set_entry(rig, space, 0x400000, (RIG_FRAMES + 0x8000) | P | W | A | D | GLOBAL);
    }
    view_rig_set_entry(rig, 0, 0x8000, (RIG_FRAMES + 0x2000) | P | W | A | D);
    view_rig_set_entry(rig, 1, 0x8000, (RIG_FRAMES + 0x2000) | PWU | A | D);
    static const uint32_t pages[] = {0x4000, 0x6000, 0x8000, 0x400000};
    for (unsigned i = 0; i < ARRAY_COUNT(pages); i++) {
        assert_int_equal(view_rig_fill(rig, pages[i], 1, true), MMU_VIEW_FILLED);
    }
    view_rig_load_cr3(rig, 1);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_assert_shows(rig, 0x6000, RIG_FRAMES + 0x1000);
    view_rig_assert_absent(rig, 0x8000);
    view_rig_assert_shows(rig, 0x400000, RIG_FRAMES + 0x8000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES + 0x3000);
    assert_int_equal(view_rig_fill(rig, 0x8000, 1, true), MMU_VIEW_NOT);
    view_rig_set_entry(rig, 0, 0x6000, 0);
    view_rig_load_cr3(rig, 0);
    view_rig_assert_absent(rig, 0x6000);
}

static void pages_that_are_global_no_longer_follow_cr3(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | P | W | A | D | GLOBAL);
    view_rig_set_entry(rig, 1, 0x4000, (RIG_FRAMES + 0x3000) | P | W | A | D);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | P | W | A | D);
    view_rig_load_cr3(rig, 1);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    view_rig_load_cr3(rig, 0);
    cpu_write_control(&rig->cpu, 4, CR4_PGE | CR4_PSE);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
    view_rig_load_cr3(rig, 1);
    view_rig_assert_absent(rig, 0x4000);
}

static void global_pages_are_compared_when_they_are_no_longer(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU | GLOBAL);
    view_rig_set_entry(rig, 0, 0x6000, (RIG_FRAMES + 0x1000) | PWU | GLOBAL);
    view_rig_fill(rig, 0x4000, 1, true);
    view_rig_fill(rig, 0x6000, 1, true);
    uint64_t fills = rig->counters.value[COUNTER_VIEW_FILLS];
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU | A | D);
    cpu_write_control(&rig->cpu, 4, CR4_PGE | CR4_PSE);
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    view_rig_assert_absent(rig, 0x4000);
    view_rig_assert_shows(rig, 0x6000, RIG_FRAMES + 0x1000);
    assert_int_equal(rig->counters.value[COUNTER_VIEW_FILLS], fills);
}

static void write_protection_of_the_supervisor_follows_cr0(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | P | U);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    assert_true(view_rig_may_store(rig, 0x4000));
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
    assert_false(view_rig_may_store(rig, 0x4000));
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    assert_false(view_rig_may_store(rig, 0x4000));
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FAULT);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG);
    assert_true(view_rig_may_store(rig, 0x4000));
    rig->user = true;
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FAULT);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    assert_false(view_rig_may_store(rig, 0x4000));
}

static void the_user_sees_no_page_of_the_supervisor(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 0, 0x5000, (RIG_FRAMES + 0x1000) | P | W | A | D);
    assert_int_equal(view_rig_fill(rig, 0x5000, 1, true), MMU_VIEW_FILLED);
    rig->user = true;
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    view_rig_assert_absent(rig, 0x5000);
    assert_int_equal(view_rig_fill(rig, 0x5000, 1, false), MMU_VIEW_FAULT);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | P | W | A | D);
    view_rig_invlpg(rig, 0x4000);
    view_rig_assert_absent(rig, 0x4000);
}

static void accesses_to_be_checked_for_alignment_have_no_view(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    assert_non_null(mmu_window(rig->mmu, true));
    rig->cpu.eflags_other |= EFLAGS_AC;
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP | CR0_AM);
    assert_null(mmu_window(rig->mmu, true));
    assert_non_null(mmu_window(rig->mmu, false));
}

/* ---- memory that moves */

static void a20_moves_pages(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, 0x300000u | PWU);
    view_rig_fill(rig, 0x4000, 1, true);
    view_rig_assert_shows(rig, 0x4000, 0x300000);
    memory_bus_set_a20(rig->bus, false);
    view_rig_fill(rig, 0x4000, 1, true);
    rig->ram.bytes[0x200000] = 0x77;
    uint8_t value = 0;
    assert_true(view_rig_may_load(rig, 0x4000, &value));
    assert_int_equal(value, 0x77);
    memory_bus_set_a20(rig->bus, true);
    view_rig_assert_absent(rig, 0x4000);
}

static void a20_counts_without_paging_too(void **state)
{
    struct view_rig *rig = *state;
    memory_bus_set_a20(rig->bus, false);
    assert_int_equal(view_rig_fill(rig, 0x0ff000, 1, true), MMU_VIEW_FILLED);
    assert_int_equal(view_rig_fill(rig, 0x1ff000, 1, true), MMU_VIEW_FILLED);
    rig->ram.bytes[0xff000] = 0x66;
    uint8_t value = 0;
    assert_true(view_rig_may_load(rig, 0x1ff000, &value));
    assert_int_equal(value, 0x66);
}

static void rom_and_its_shadow_take_turns(void **state)
{
    static uint8_t rom[PAGE_SIZE] = {0x55, 0xaa};
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, 0xc0000u | PWU);
    memory_bus_map_rom(rig->bus, 0xc0000, PAGE_SIZE, rom);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_NOT);
    memory_bus_map_split(rig->bus, 0xc0000, PAGE_SIZE, rom, rig->ram.bytes + 0xc0000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_NOT);
    memory_bus_map_split(rig->bus, 0xc0000, PAGE_SIZE, rig->ram.bytes + 0xc0000, NULL);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, 0xc0000);
    assert_false(view_rig_may_store(rig, 0x4000));
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_NOT);
    memory_bus_map_ram(rig->bus, 0xc0000, PAGE_SIZE, 0xd0000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, 0xc0000);
    assert_true(view_rig_may_store(rig, 0x4000));
}

/* As memory of the system management mode appears and goes. */
static void a_device_in_front_of_memory_takes_it_away(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, 0xa0000u | PWU);
    view_rig_fill(rig, 0x4000, 1, true);
    struct io_region device = {.name = "window", .base = 0xa0000, .length = PAGE_SIZE};
    struct status status = memory_bus_claim(rig->bus, &device);
    assert_true(status_is_ok(&status));
    view_rig_assert_absent(rig, 0x4000);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_NOT);
    memory_bus_release(rig->bus, 0xa0000, NULL);
    assert_int_equal(view_rig_fill(rig, 0x4000, 1, false), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x4000, 0xa0000);
}

static void dma_and_other_views_write_the_same_memory(void **state)
{
    struct view_rig *rig = *state;
    uint8_t value = 0;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_set_entry(rig, 0, 0x9000, RIG_FRAMES | PWU);
    view_rig_fill(rig, 0x4000, 1, true);
    memory_bus_write_block(rig->bus, RIG_FRAMES, "\x31", 1);
    assert_true(view_rig_may_load(rig, 0x4000, &value));
    assert_int_equal(value, 0x31);
    rig->user = true;
    view_rig_fill(rig, 0x9000, 1, true);
    mmu_window(rig->mmu, true)[0x9000] = 0x32;
    assert_int_equal(memory_bus_read(rig->bus, RIG_FRAMES, 1), 0x32);
    rig->user = false;
    assert_true(view_rig_may_load(rig, 0x4000, &value));
    assert_int_equal(value, 0x32);
}

/* DMA to page tables is a change like any other. */
static void dma_to_page_tables_is_seen_with_the_next_cr3(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_fill(rig, 0x4000, 1, true);
    uint64_t table = (uint64_t)(view_rig_entry(rig, 0, 0x4000) - rig->ram.bytes);
    memory_bus_write(rig->bus, table, 4, (RIG_FRAMES + 0x2000) | PWU | A | D);
    view_rig_load_cr3(rig, 0);
    view_rig_assert_absent(rig, 0x4000);
}

static void code_is_written_in_no_view(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    view_rig_set_entry(rig, 0, 0x4000, RIG_FRAMES | PWU);
    view_rig_fill(rig, 0x4000, 1, true);
    rig->user = true;
    view_rig_fill(rig, 0x4000, 1, true);
    view_rig_set_entry(rig, 1, 0x7000, RIG_FRAMES | PWU);
    view_rig_load_cr3(rig, 1);
    view_rig_fill(rig, 0x7000, 1, true);
    memory_bus_mark_code(rig->bus, RIG_FRAMES + 0x800, 1);
    mmu_protect_page(rig->mmu, RIG_FRAMES);
    assert_false(view_rig_may_store(rig, 0x7000));
    view_rig_load_cr3(rig, 0);
    assert_false(view_rig_may_store(rig, 0x4000));
    rig->user = false;
    assert_false(view_rig_may_store(rig, 0x4000));
    view_rig_assert_shows(rig, 0x4000, RIG_FRAMES);
}

static void display_memory_is_mapped_and_watched(void **state)
{
    struct view_rig *rig = *state;
    view_rig_turn_paging_on(rig);
    for (uint32_t at = 0; at < 0x8000; at += 0x1000) {
        view_rig_set_entry(rig, 0, 0x4000 + at, (RIG_DISPLAY + at) | PWU | A | D);
        view_rig_set_entry(rig, 1, 0x24000 + at, (RIG_DISPLAY + at) | PWU | A | D);
    }
    assert_int_equal(view_rig_fill(rig, 0x4000, 4, true), MMU_VIEW_FILLED);
    view_rig_assert_shows(rig, 0x5008, RIG_DISPLAY + 0x1008);
    assert_true(view_rig_may_store(rig, 0x7000));
    view_rig_load_cr3(rig, 1);
    assert_int_equal(view_rig_fill(rig, 0x24000, 4, true), MMU_VIEW_FILLED);
    memory_bus_watch(rig->bus, RIG_DISPLAY, 0x6000);
    for (uint32_t at = 0; at < 0x6000; at += 0x1000) {
        assert_false(view_rig_may_store(rig, 0x24000 + at));
    }
    assert_true(view_rig_may_store(rig, 0x2a000));
    assert_int_equal(rig->stored, 0);
    assert_int_equal(view_rig_fill(rig, 0x26010, 4, true), MMU_VIEW_FILLED);
    assert_int_equal(rig->stored, 1);
    assert_true(view_rig_may_store(rig, 0x26000));
    assert_false(view_rig_may_store(rig, 0x27000));
    view_rig_load_cr3(rig, 0);
    assert_false(view_rig_may_store(rig, 0x5000));
    memory_bus_unwatch(rig->bus, RIG_DISPLAY, 0x6000);
    assert_int_equal(view_rig_fill(rig, 0x5000, 4, true), MMU_VIEW_FILLED);
    assert_true(view_rig_may_store(rig, 0x9000));
    assert_int_equal(rig->stored, 1);
}

/* The TLB of translated code, and the interpreter's. */
static void tlbs_tell_of_the_first_store_too(void **state)
{
    struct view_rig *rig = *state;
    struct status status = mmu_enable_fast_tlb(rig->mmu);
    uint8_t *host;
    assert_true(status_is_ok(&status));
    assert_int_equal(mmu_fast_fill(rig->mmu, RIG_DISPLAY, 4, true, false, &host), MMU_FAST_FILLED);
    assert_true(fast_tlb_hits(rig->mmu->fast[false]->store, RIG_DISPLAY, 4));
    memory_bus_watch(rig->bus, RIG_DISPLAY, 2 * PAGE_SIZE);
    assert_false(fast_tlb_hits(rig->mmu->fast[false]->store, RIG_DISPLAY, 4));
    assert_true(fast_tlb_hits(rig->mmu->fast[false]->load, RIG_DISPLAY, 4));
    assert_int_equal(mmu_fast_fill(rig->mmu, RIG_DISPLAY, 4, true, false, &host), MMU_FAST_FILLED);
    assert_true(fast_tlb_hits(rig->mmu->fast[false]->store, RIG_DISPLAY, 4));
    assert_int_equal(rig->stored, 1);
    memory_bus_watch(rig->bus, RIG_DISPLAY, 2 * PAGE_SIZE);
    mmu_store(rig->mmu, RIG_DISPLAY + 0x1234, 4, 77, false);
    assert_int_equal(rig->stored, 2);
    mmu_store(rig->mmu, RIG_DISPLAY + 0x1234, 4, 78, false);
    mmu_store(rig->mmu, RIG_DISPLAY + 8, 4, 79, false);
    assert_int_equal(rig->stored, 3);
    assert_int_equal(memory_bus_read(rig->bus, RIG_DISPLAY + 0x1234, 4), 78);
}

/* ---- everything at random */

#define SPACES      4u /* two of 32-bit paging, two of PAE */
#define FRAME_COUNT 24u

static const uint32_t random_pages[] = {0x000000, 0x001000, 0x002000, 0x1ff000, 0x200000, 0x201000, 0x3ff000,
                                        0x400000, 0x401000, 0x402000, 0x403000, 0x5ff000, 0x600000, 0x604000,
                                        0x7ff000, 0x800000, 0x801000, 0x9ff000, 0xa00000, 0xbff000};

struct chaos {
    struct view_rig *rig;
    unsigned space;
    bool told[SPACES][ARRAY_COUNT(random_pages)]; /* no entry was changed that the CPU was not told of */
    bool global[ARRAY_COUNT(random_pages)];       /* the CPU may have met a global page there, and keep it */
    unsigned shown, writable;
};

static bool is_pae(unsigned space)
{
    return space >= 2;
}

static uint8_t *leaf(struct chaos *chaos, unsigned space, uint32_t linear)
{
    return is_pae(space) ? pae_entry(chaos->rig, space - 2, linear)
                         : view_rig_entry(chaos->rig, space, linear);
}

static uint8_t *directory_entry(struct chaos *chaos, unsigned space, uint32_t linear)
{
    return is_pae(space) ? pae_directory_entry(chaos->rig, space - 2, linear)
                         : chaos->rig->ram.bytes + view_rig_directory(space) + (linear >> 22) * 4;
}

static void note_global_pages(struct chaos *chaos)
{
    for (unsigned i = 0; i < ARRAY_COUNT(random_pages); i++) {
        for (unsigned space = 0; space < SPACES; space++) {
            chaos->global[i] |= (load_le32(leaf(chaos, space, random_pages[i])) & GLOBAL) != 0;
            chaos->global[i] |= (load_le32(directory_entry(chaos, space, random_pages[i])) & GLOBAL) != 0;
        }
    }
}

static void go_to(struct chaos *chaos, unsigned space)
{
    struct view_rig *rig = chaos->rig;
    uint64_t cr4 = rig->cpu.cr4 & ~(uint64_t)CR4_PAE;
    uint64_t cr0 = rig->cpu.cr0;
    uint64_t root = is_pae(space) ? pae_root(space - 2) : view_rig_directory(space);
    if (is_pae(space) != is_pae(chaos->space) || !(cr0 & CR0_PG)) {
        cpu_write_control(&rig->cpu, 0, cr0 & ~(uint64_t)CR0_PG);
        cpu_write_control(&rig->cpu, 4, cr4 | (is_pae(space) ? CR4_PAE : 0));
        cpu_write_control(&rig->cpu, 3, root);
        cpu_write_control(&rig->cpu, 0, cr0 | CR0_PG);
    } else {
        cpu_write_control(&rig->cpu, 3, root);
    }
    chaos->space = space;
    for (unsigned i = 0; i < ARRAY_COUNT(random_pages); i++) { /* global pages stay */
        chaos->told[space][i] = !(cr4 & CR4_PGE) || !chaos->global[i];
    }
}

static void change_page(struct chaos *chaos, unsigned space, unsigned page)
{
    struct view_rig *rig = chaos->rig;
    uint64_t frame =
        view_rig_pick(rig, 16) ? RIG_FRAMES + view_rig_pick(rig, FRAME_COUNT) * 0x1000 : RIG_DEVICE;
    uint64_t entry = frame | (view_rig_pick(rig, 4) ? PWU : view_rig_pick(rig, 512) & ~(unsigned)LARGE);
    uint8_t *at = leaf(chaos, space, random_pages[page]);
    chaos->told[space][page] = false;
    if (is_pae(space)) {
        store_le64(at, entry | (view_rig_pick(rig, 8) ? 0 : NX));
    } else {
        store_le32(at, (uint32_t)entry);
    }
    note_global_pages(chaos);
}

/* A directory's entry becomes a large page, or the table that is always there, with random rights. */
static void change_directory(struct chaos *chaos, unsigned space, unsigned page)
{
    struct view_rig *rig = chaos->rig;
    unsigned shift = is_pae(space) ? 21 : 22;
    uint32_t linear = random_pages[page];
    uint64_t rights =
        view_rig_pick(rig, 2) ? PWU | A : view_rig_pick(rig, 128) | (view_rig_pick(rig, 8) != 0);
    uint64_t entry = ((uint64_t)view_rig_pick(rig, 3) * 0x1000000 + LARGE_FRAMES) | rights | LARGE;
    if (view_rig_pick(rig, 2)) {
        uint32_t tables = is_pae(space) ? pae_root(space - 2) + 0x2000 : view_rig_directory(space) + 0x1000;
        entry = (tables + (linear >> shift) * 0x1000) | rights;
    }
    if (is_pae(space)) {
        store_le64(directory_entry(chaos, space, linear), entry);
    } else {
        store_le32(directory_entry(chaos, space, linear), (uint32_t)entry);
    }
    note_global_pages(chaos);
    for (unsigned i = 0; i < ARRAY_COUNT(random_pages); i++) {
        chaos->told[space][i] &= (random_pages[i] ^ linear) >> shift != 0;
    }
}

/* A or D in a page's entry, or A in the directory's. */
static void clear_bit(struct chaos *chaos, unsigned space, unsigned page)
{
    uint32_t linear = random_pages[page];
    unsigned shift = is_pae(space) ? 21 : 22;
    switch (view_rig_pick(chaos->rig, 3)) {
    case 0: leaf(chaos, space, linear)[0] &= (uint8_t)~A; break;
    case 1: leaf(chaos, space, linear)[0] &= (uint8_t)~D; break;
    default:
        directory_entry(chaos, space, linear)[0] &= (uint8_t)~A;
        for (unsigned i = 0; i < ARRAY_COUNT(random_pages); i++) {
            chaos->told[space][i] &= (random_pages[i] ^ linear) >> shift != 0;
        }
        break;
    }
    chaos->told[space][page] = false;
}

static void change_control(struct chaos *chaos)
{
    struct view_rig *rig = chaos->rig;
    switch (view_rig_pick(rig, 4)) {
    case 0: cpu_write_control(&rig->cpu, 0, rig->cpu.cr0 ^ CR0_WP); break;
    case 1: cpu_write_control(&rig->cpu, 4, rig->cpu.cr4 ^ CR4_PSE); break;
    case 2: cpu_write_control(&rig->cpu, 4, rig->cpu.cr4 ^ CR4_PGE); break;
    default: set_nxe(rig, !rig->cpu.efer); break;
    }
    memset(chaos->told[chaos->space], true, sizeof chaos->told[0]);
    memset(chaos->global, false, sizeof chaos->global);
    note_global_pages(chaos);
}

static void change_memory(struct chaos *chaos)
{
    struct view_rig *rig = chaos->rig;
    uint32_t frame = RIG_FRAMES + view_rig_pick(rig, FRAME_COUNT) * 0x1000;
    switch (view_rig_pick(rig, 16)) {
    case 0:
        memory_bus_set_a20(rig->bus, !memory_bus_a20(rig->bus));
        memset(chaos->told, true, sizeof chaos->told);
        break;
    case 1:
        memory_bus_map_ram(rig->bus, frame, PAGE_SIZE, RIG_FRAMES + view_rig_pick(rig, FRAME_COUNT) * 0x1000);
        memset(chaos->told, true, sizeof chaos->told);
        break;
    case 2: memory_bus_write(rig->bus, frame + 8, 1, view_rig_pick(rig, 256)); break;
    case 3:
    case 4:
    case 5:
    case 6:
        frame = view_rig_pick(rig, 2) ? frame : LARGE_FRAMES + (frame & 0x3000);
        memory_bus_mark_code(rig->bus, frame + 8, 1);
        mmu_protect_page(rig->mmu, memory_bus_effective(rig->bus, frame));
        break;
    default: memory_bus_note_write(rig->bus, frame + 8, 1); break;
    }
}

/* Whether the present tables allow a load, or what a view may take for a right to store. */
static bool tables_allow(struct view_rig *rig, uint32_t linear, bool store, uint64_t *phys)
{
    struct paging_result result;
    uint32_t error_code;
    if (!paging_walk(rig->mmu, linear, MMU_LOAD, rig->user, false, &result, &error_code)) {
        return false;
    }
    *phys = result.phys;
    struct paging_path path;
    paging_find_path(rig->mmu, linear, &path);
    const struct memory_page *page = memory_bus_page(rig->bus, result.phys);
    return result.accessed && (path.directory & A) && page->read != NULL &&
           (!store ||
            (result.writable && result.dirty && page->write == page->read && page->code_lines == 0));
}

static void check_page(struct chaos *chaos, uint32_t linear)
{
    struct view_rig *rig = chaos->rig;
    uint8_t value;
    uint64_t phys = 0;
    if (view_rig_may_load(rig, linear, &value)) {
        assert_true(tables_allow(rig, linear, false, &phys));
        view_rig_assert_shows(rig, linear, phys);
        chaos->shown++;
        if (view_rig_may_store(rig, linear)) {
            assert_true(tables_allow(rig, linear, true, &phys));
            chaos->writable++;
        }
    }
}

static void do_anything(struct chaos *chaos)
{
    struct view_rig *rig = chaos->rig;
    unsigned page = view_rig_pick(rig, ARRAY_COUNT(random_pages));
    uint32_t linear = random_pages[page];
    unsigned other = view_rig_pick(rig, SPACES);
    unsigned event = view_rig_pick(rig, 32);
    if (event < 5) {
        change_page(chaos, other, page);
    } else if (event < 7) {
        change_directory(chaos, other, page);
    } else if (event < 9) {
        clear_bit(chaos, other, page);
    } else if (event < 12) {
        view_rig_invlpg(rig, linear);
        chaos->told[chaos->space][page] = true;
    } else if (event < 15) {
        go_to(chaos, other);
    } else if (event < 16) {
        change_control(chaos);
    } else if (event < 18) {
        change_memory(chaos);
    } else if (event < 19) {
        rig->user = !rig->user;
    } else {
        bool store = view_rig_pick(rig, 2);
        uint64_t phys = 0;
        if (view_rig_fill(rig, linear, 1, store) == MMU_VIEW_FILLED && chaos->told[chaos->space][page]) {
            assert_true(tables_allow(rig, linear, store, &phys));
            view_rig_assert_shows(rig, linear, phys);
            assert_true(!store || view_rig_may_store(rig, linear));
        }
    }
}

static void guests_that_do_anything_see_no_stale_page(void **state)
{
    enum { ROUNDS = 100000 };
    struct view_rig *rig = *state;
    struct chaos chaos = {.rig = rig};
    memset(chaos.told, true, sizeof chaos.told);
    make_pae_tables(rig);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_WP);
    go_to(&chaos, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        do_anything(&chaos);
        unsigned page = view_rig_pick(rig, ARRAY_COUNT(random_pages));
        if (chaos.told[chaos.space][page]) {
            check_page(&chaos, random_pages[page]);
        }
    }
    assert_true(chaos.shown > ROUNDS / 100);
    assert_true(chaos.writable > ROUNDS / 200);
}

int main(void)
{
#define VIEW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, view_rig_destroy)
    const struct CMUnitTest tests[] = {
        VIEW_TEST(pae_pages_are_shown),
        VIEW_TEST(no_execute_is_no_matter_for_data_but_a_reserved_bit_without_nxe),
        VIEW_TEST(directory_pointers_are_those_loaded_with_cr3),
        VIEW_TEST(pages_of_2_mib_come_as_a_whole),
        VIEW_TEST(pages_of_4_mib_come_in_halves),
        VIEW_TEST(code_in_a_large_page_is_left_out),
        VIEW_TEST(an_entry_means_something_else_without_pse),
        VIEW_TEST(a_page_table_in_a_device_is_never_trusted),
        VIEW_TEST(global_pages_stay_in_every_address_space_until_invlpg),
        VIEW_TEST(users_pages_that_are_not_global_have_no_place_among_those_that_are),
        VIEW_TEST(the_supervisors_pages_that_are_not_global_follow_cr3),
        VIEW_TEST(pages_that_are_global_no_longer_follow_cr3),
        VIEW_TEST(global_pages_are_compared_when_they_are_no_longer),
        VIEW_TEST(write_protection_of_the_supervisor_follows_cr0),
        VIEW_TEST(the_user_sees_no_page_of_the_supervisor),
        VIEW_TEST(accesses_to_be_checked_for_alignment_have_no_view),
        VIEW_TEST(a20_moves_pages),
        VIEW_TEST(a20_counts_without_paging_too),
        VIEW_TEST(rom_and_its_shadow_take_turns),
        VIEW_TEST(a_device_in_front_of_memory_takes_it_away),
        VIEW_TEST(dma_and_other_views_write_the_same_memory),
        VIEW_TEST(dma_to_page_tables_is_seen_with_the_next_cr3),
        VIEW_TEST(code_is_written_in_no_view),
        VIEW_TEST(display_memory_is_mapped_and_watched),
        VIEW_TEST(tlbs_tell_of_the_first_store_too),
        VIEW_TEST(guests_that_do_anything_see_no_stale_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
