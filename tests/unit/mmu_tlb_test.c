/* That the software TLB in front of the walk of page tables cannot be seen (SDM 3A §4.10), however accesses
 * lie on pages and whatever is behind them; and what of it is logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mmu_rig.h"

static void the_tlb_spares_walks(void **state)
{
    struct rig *rig = *state;
    for (unsigned paging = 0; paging < 2; paging++) {
        rig->cpu.cr0 = paging != 0 ? rig->cpu.cr0 | CR0_PG : rig->cpu.cr0 & ~(uint64_t)CR0_PG;
        uint64_t first = paging != 0 ? LINEAR : FRAME_A;
        mmu_flush(rig->mmu);
        uint64_t fills = rig->counters.value[COUNTER_TLB_FILLS];
        rig_store(rig, first, 4, 1);
        rig_load(rig, first + PAGE_SIZE, 4);
        assert_int_equal(rig->counters.value[COUNTER_TLB_FILLS], fills + 2);
        for (unsigned i = 0; i < 100; i++) {
            rig_store(rig, first + i * 4, 4, i);
            rig_load(rig, first + PAGE_SIZE + i * 8, 8);
            uint64_t phys = 0;
            assert_int_equal(rig_try(rig, first + i, 1, MMU_FETCH, false, &phys), NO_FAULT);
        }
        assert_int_equal(rig->counters.value[COUNTER_TLB_FILLS], fills + 2);
    }
}

static void invalidation_shows_new_entries(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, FRAME_A, 0xa);
    rig_put32(rig, FRAME_B, 0xb);
    for (unsigned how = 0; how < 3; how++) {
        rig_put32(rig, TABLE, FRAME_A | PWU);
        mmu_flush(rig->mmu);
        assert_int_equal(rig_load(rig, LINEAR, 4), 0xa);
        rig_put32(rig, TABLE, FRAME_B | PWU);
        switch (how) {
        case 0: rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + 0x800); break;
        case 1: rig->cpu.memory_ops->flush_tlb(&rig->cpu, false); break;
        default: rig->cpu.memory_ops->flush_tlb(&rig->cpu, true); break;
        }
        assert_int_equal(rig_load(rig, LINEAR, 4), 0xb);
    }
}

/* A flush must reach every entry, however many were filled since the last one. */
static void a_flush_forgets_every_page(void **state)
{
    struct rig *rig = *state;
    static const unsigned counts[] = {1, 100, 128, 129, 130, 1024};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        for (unsigned page = 0; page < 1024; page++) {
            rig_put32(rig, TABLE + page * 4, FRAME_A | PWU);
        }
        mmu_flush(rig->mmu);
        for (unsigned page = 0; page < counts[i]; page++) {
            rig_store(rig, LINEAR + page * PAGE_SIZE, 4, 0xa);
            uint64_t value = 0;
            assert_int_equal(rig_try(rig, LINEAR + page * PAGE_SIZE, 4, MMU_LOAD, true, &value), NO_FAULT);
        }
        memset(rig->ram + TABLE, 0, PAGE_SIZE);
        mmu_flush(rig->mmu);
        for (unsigned page = 0; page < 1024; page++) {
            uint64_t linear = LINEAR + page * PAGE_SIZE;
            rig_expect_fault(rig, linear, 4, MMU_LOAD, false, 0, linear);
            rig_expect_fault(rig, linear, 4, MMU_STORE, true, CODE_W | CODE_U, linear);
            rig_expect_fault(rig, linear, 4, MMU_FETCH, true, CODE_U, linear);
        }
    }
}

static void pages_that_share_a_tlb_slot_do_not_mix(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, DIRECTORY_ENTRY + 4, TABLE + 0x4000 + PWU); /* 4 MiB on: the same slot */
    rig_put32(rig, TABLE + 0x4000, FRAME_B | PWU);
    rig_put32(rig, FRAME_A, 0xa);
    rig_put32(rig, FRAME_B, 0xb);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig_load(rig, LINEAR, 4), 0xa);
        assert_int_equal(rig_load(rig, LINEAR + 0x400000, 4), 0xb);
    }
}

static void accesses_across_pages_take_both_translations(void **state)
{
    struct rig *rig = *state;
    for (unsigned pass = 0; pass < 2; pass++) { /* cold, then warm */
        rig_store(rig, LINEAR + 0xffd, 8, 0x8876665444322210);
        assert_memory_equal(rig->ram + FRAME_A + 0xffd, "\x10\x22\x32", 3);
        assert_memory_equal(rig->ram + FRAME_B, "\x44\x54\x66\x76\x88", 5);
        assert_true(rig_load(rig, LINEAR + 0xffd, 8) == 0x8876665444322210);
        assert_int_equal(rig_load(rig, LINEAR + 0xfff, 2), 0x4432);
    }
    assert_int_equal(load_le32(rig->ram + FRAME_A + PAGE_SIZE), 0);
}

static void a_store_across_pages_happens_whole_or_not_at_all(void **state)
{
    struct rig *rig = *state;
    static const uint32_t second[] = {FRAME_B | W | U, FRAME_B | P | U, FRAME_B | P | W};
    static const int codes[] = {CODE_W | CODE_U, CODE_P | CODE_W | CODE_U, CODE_P | CODE_W | CODE_U};
    for (size_t i = 0; i < ARRAY_COUNT(second); i++) {
        rig_put32(rig, TABLE + 4, second[i]);
        mmu_flush(rig->mmu);
        rig_put32(rig, FRAME_A + 0xffc, 0x99999999);
        rig_expect_fault(rig, LINEAR + 0xffe, 4, MMU_STORE, true, codes[i], LINEAR + PAGE_SIZE);
        assert_int_equal(rig_get32(rig, FRAME_A + 0xffc), 0x99999999);
        assert_int_equal(rig_get32(rig, TABLE + 4), second[i]);
    }
    rig_expect_fault(rig, LINEAR + 0xffe, 4, MMU_LOAD, true, CODE_P | CODE_U, LINEAR + PAGE_SIZE);
    rig_put32(rig, TABLE + 4, FRAME_B | PWU);
    rig_put32(rig, TABLE, FRAME_A | W | U);
    mmu_flush(rig->mmu);
    rig_expect_fault(rig, LINEAR + 0xffe, 4, MMU_STORE, true, CODE_W | CODE_U, LINEAR + 0xffe);
    assert_int_equal(rig_get32(rig, FRAME_B), 0);
}

/* The error code of the page fault that probing raises, or NO_FAULT. */
static int probe(struct rig *rig, uint64_t linear, unsigned length)
{
    if (setjmp(rig->unwind) != 0) {
        return (int)rig->cpu.exception.error_code;
    }
    rig->cpu.memory_ops->probe_write(&rig->cpu, linear, length, true);
    return NO_FAULT;
}

static void a_range_is_probed_for_writing_without_writing(void **state)
{
    struct rig *rig = *state;
    memset(rig->ram + FRAME_A, 0x77, PAGE_SIZE);
    assert_int_equal(probe(rig, LINEAR + 0xff0, 0x20), NO_FAULT);
    assert_int_equal(rig_get32(rig, FRAME_A + 0xff0), 0x77777777);
    rig_put32(rig, TABLE + 4, FRAME_B | P | U);
    mmu_flush(rig->mmu);
    uint64_t value = 0;
    assert_int_equal(rig_try(rig, LINEAR + PAGE_SIZE, 4, MMU_LOAD, true, &value), NO_FAULT);
    assert_int_equal(probe(rig, LINEAR + 0xff0, 0x10), NO_FAULT); /* up to the page's last byte */
    assert_int_equal(probe(rig, LINEAR + 0xff0, 0x11), CODE_P | CODE_W | CODE_U);
    assert_int_equal(rig->cpu.cr2, LINEAR + PAGE_SIZE);
}

static void stores_to_rom_are_ignored(void **state)
{
    struct rig *rig = *state;
    memset(rig->rom, 0x5a, sizeof rig->rom);
    memory_bus_map_rom(rig->bus, FRAME_A, PAGE_SIZE, rig->rom);
    for (unsigned i = 0; i < 3; i++) {
        rig_store(rig, LINEAR + 8, 4, 0);
        assert_int_equal(rig_load(rig, LINEAR + 8, 4), 0x5a5a5a5a);
    }
    assert_int_equal(rig->rom[8], 0x5a);
    assert_int_equal(rig_get32(rig, TABLE),
                     FRAME_A | PWU | A | D); /* dirty all the same: the CPU cannot know */
}

static void every_access_to_a_device_reaches_it(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->device, "device", FRAME_A, PAGE_SIZE, 4);
    struct status status = memory_bus_claim(rig->bus, &region);
    assert_true(status_is_ok(&status));
    rig_store(rig, LINEAR + 0x10, 4, 0x12);
    rig_store(rig, LINEAR + 0x10, 4, 0x12);
    rig_load(rig, LINEAR + 0x14, 2);
    rig_load(rig, LINEAR + 0x14, 2);
    recording_expect(&rig->device, "w10/4=12 w10/4=12 r14/2 r14/2 ");
}

static void stores_to_code_are_seen_after_the_page_is_protected(void **state)
{
    struct rig *rig = *state;
    rig_store(rig, LINEAR + 0x40, 4, 1); /* the TLB now has a direct way to the page */
    uint64_t value = 1;
    assert_int_equal(rig_try(rig, LINEAR + 0x40, 4, MMU_STORE, true, &value), NO_FAULT);
    memory_bus_mark_code(rig->bus, FRAME_A + 0x40, 8);
    mmu_protect_page(rig->mmu, FRAME_A);
    rig_store(rig, LINEAR + 0x800, 4, 2); /* beside the code: not told, nor does it open the way again */
    assert_string_equal(rig->told, "");
    assert_int_equal(rig_try(rig, LINEAR + 0x42, 1, MMU_STORE, true, &value), NO_FAULT);
    assert_string_equal(rig->told, "200042+1 ");
    memory_bus_mark_code(rig->bus, FRAME_A + 0x40, 8);
    mmu_protect_page(rig->mmu, FRAME_A);
    rig_store(rig, LINEAR + 0x44, 4, 3);
    assert_string_equal(rig->told, "200042+1 200044+4 ");
    assert_int_equal(rig_get32(rig, FRAME_A + 0x44), 3);
}

static void code_is_protected_under_each_of_its_addresses(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, TABLE + 4, FRAME_A | PWU);
    mmu_flush(rig->mmu);
    rig_store(rig, LINEAR, 4, 1);
    rig_store(rig, LINEAR + PAGE_SIZE, 4, 1);
    memory_bus_mark_code(rig->bus, FRAME_A, 4);
    mmu_protect_page(rig->mmu, FRAME_A);
    rig_store(rig, LINEAR + PAGE_SIZE, 4, 2);
    assert_string_equal(rig->told, "200000+4 ");
}

static void probing_has_no_side_effects(void **state)
{
    struct rig *rig = *state;
    rig->cpu.unwind = NULL;
    uint64_t phys = 0;
    assert_true(mmu_probe(rig->mmu, LINEAR + PAGE_SIZE + 5, &phys));
    assert_int_equal(phys, FRAME_B + 5);
    assert_int_equal(rig_get32(rig, TABLE + 4), FRAME_B | PWU);
    assert_false(mmu_probe(rig->mmu, LINEAR + 0x400000, &phys));
    assert_int_equal(rig->cpu.cr2, 0);
    rig->cpu.cr0 &= ~(uint64_t)CR0_PG;
    assert_true(mmu_probe(rig->mmu, LINEAR, &phys));
    assert_int_equal(phys, LINEAR);
}

static void a_new_map_is_seen_at_once(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, FRAME_A, 0xa);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xa);
    memset(rig->rom, 0x5a, sizeof rig->rom);
    memory_bus_map_rom(rig->bus, FRAME_A, PAGE_SIZE, rig->rom);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0x5a5a5a5a);
}

/* INVLPG takes away its page, all parts of a large one, and nothing else. */
static void invlpg_drops_one_page(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, FRAME_A, 0xa);
    rig_put32(rig, FRAME_B, 0xb);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xa);
    assert_int_equal(rig_load(rig, LINEAR + PAGE_SIZE, 4), 0xb);
    uint64_t generation = rig->mmu->generation;
    rig_put32(rig, TABLE, FRAME_B | PWU);
    rig_put32(rig, TABLE + 4, FRAME_A | PWU);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + 0x123);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xb);
    assert_int_equal(rig_load(rig, LINEAR + PAGE_SIZE, 4), 0xb); /* still the old translation */
    assert_int_equal(rig->mmu->generation, generation);
}

static void invlpg_drops_pages_without_execution(void **state)
{
    struct rig *rig = *state;
    rig->cpu.efer |= EFER_NXE;
    rig_put64(rig, PAE_TABLE, FRAME_A | PWU | NX);
    rig_put32(rig, FRAME_B, 0xb);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0);
    rig_put64(rig, PAE_TABLE, FRAME_B | PWU | NX);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xb);
}

static void invlpg_drops_all_of_a_large_page(void **state)
{
    struct rig *rig = *state;
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    rig_put32(rig, DIRECTORY_ENTRY, PWU | LARGE);
    rig_put32(rig, FRAME_A, 0xa);
    assert_int_equal(rig_load(rig, LINEAR + FRAME_A, 4), 0xa);
    rig_put32(rig, DIRECTORY_ENTRY, 0);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    rig_expect_fault(rig, LINEAR + FRAME_A, 4, MMU_LOAD, false, 0, LINEAR + FRAME_A);
}

static void invlpg_of_a_page_with_code_changes_the_generation(void **state)
{
    struct rig *rig = *state;
    uint64_t phys = 0;
    assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    uint64_t generation = rig->mmu->generation;
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + PAGE_SIZE);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + 128 * MIB);
    assert_int_equal(rig->mmu->generation, generation);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_not_equal(rig->mmu->generation, generation);
    generation = rig->mmu->generation;
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_equal(rig->mmu->generation, generation);
}

/* Code on a global page is where it was after a load of CR3, and not after INVLPG, however long ago it was
 * fetched. */
static void the_generation_of_global_pages_outlasts_a_load_of_cr3(void **state)
{
    struct rig *rig = *state;
    uint64_t phys = 0;
    cpu_write_control(&rig->cpu, 4, CR4_PGE);
    rig_put32(rig, TABLE, FRAME_A | PWU | GLOBAL);
    assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_int_equal(rig_try(rig, LINEAR + PAGE_SIZE, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_true(mmu_is_global(rig->mmu, LINEAR, false));
    assert_false(mmu_is_global(rig->mmu, LINEAR + PAGE_SIZE, false));
    uint64_t generation = rig->mmu->generation;
    uint64_t global = rig->mmu->global_generation;
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + PAGE_SIZE);
    assert_int_not_equal(rig->mmu->generation, generation);
    generation = rig->mmu->generation;
    assert_int_equal(rig_try(rig, LINEAR + PAGE_SIZE, 1, MMU_FETCH, false, &phys), NO_FAULT);
    rig_put32(rig, TABLE + 4, 0);
    cpu_write_control(&rig->cpu, 3, rig->cpu.cr3);
    assert_int_not_equal(rig->mmu->generation, generation);
    assert_int_equal(rig->mmu->global_generation, global);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_not_equal(rig->mmu->global_generation, global);
    assert_int_equal(rig->mmu->global_generation, rig->mmu->generation);
}

static void walks_flushes_and_control_registers_are_logged(void **state)
{
    struct rig *rig = *state;
    char *text = NULL;
    size_t size = 0;
    rig->log = (struct log){.enabled = 1u << LOG_MMU, .sink = open_memstream(&text, &size)};
    rig_load(rig, LINEAR + 4, 4);
    rig_load(rig, LINEAR + 8, 4); /* by the TLB */
    rig_put32(rig, TABLE + 4, FRAME_B | P);
    rig_expect_fault(rig, LINEAR + PAGE_SIZE, 4, MMU_STORE, true, CODE_P | CODE_W | CODE_U,
                     LINEAR + PAGE_SIZE);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    fclose(rig->log.sink);
    char expected[512];
    snprintf(expected, sizeof expected,
             "mmu: walk 40000004 for a supervisor load: %08x writable\n"
             "mmu: walk 40001000 for a user store: page fault, error code 0007\n"
             "mmu: TLB flush of page 40000000\n"
             "CR3 update: CR3=%08x\n"
             "mmu: TLB flush\n"
             "CR4 update: CR4=0x00000010\n"
             "mmu: TLB flush\n",
             (unsigned)FRAME_A + 4, (unsigned)DIRECTORY);
    assert_string_equal(text, expected);
    free(text);
    rig->log = (struct log){0};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAGING(the_tlb_spares_walks),
        WITH_PAGING(invalidation_shows_new_entries),
        WITH_PAGING(invlpg_drops_one_page),
        WITH_PAE(invlpg_drops_pages_without_execution),
        WITH_PAGING(invlpg_drops_all_of_a_large_page),
        WITH_PAGING(invlpg_of_a_page_with_code_changes_the_generation),
        WITH_PAGING(the_generation_of_global_pages_outlasts_a_load_of_cr3),
        WITH_PAGING(a_flush_forgets_every_page),
        WITH_PAGING(pages_that_share_a_tlb_slot_do_not_mix),
        WITH_PAGING(accesses_across_pages_take_both_translations),
        WITH_PAGING(a_store_across_pages_happens_whole_or_not_at_all),
        WITH_PAGING(a_range_is_probed_for_writing_without_writing),
        WITH_PAGING(stores_to_rom_are_ignored),
        WITH_PAGING(every_access_to_a_device_reaches_it),
        WITH_PAGING(stores_to_code_are_seen_after_the_page_is_protected),
        WITH_PAGING(code_is_protected_under_each_of_its_addresses),
        WITH_PAGING(probing_has_no_side_effects),
        WITH_PAGING(a_new_map_is_seen_at_once),
        WITH_PAGING(walks_flushes_and_control_registers_are_logged),
    };
    return cmocka_run_group_tests_name("mmu tlb", tests, NULL, NULL);
}
