/* Linear to physical: the walk of both page-table formats with its rights, accessed and dirty bits and error
 * codes (SDM 3A chapter 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cpu/probe.h"
#include "mmu/plain_walk.h"
#include "mmu_rig.h"

static void without_paging_linear_is_physical(void **state)
{
    (void)state;
    struct rig *rig = rig_create("pentium3");
    rig_store(rig, 0x1234, 4, 0x11223344);
    assert_int_equal(rig_get32(rig, 0x1234), 0x11223344);
    assert_int_equal(rig_load(rig, 0x1235, 2), 0x2233);
    rig_store(rig, 0xffffffff, 2, 0x5566); /* linear addresses wrap at 4 GiB */
    assert_int_equal(rig->ram[0], 0x55);
    assert_int_equal(rig_load(rig, 0xffffffff, 2), 0x55ff);
    rig_destroy(rig);
}

static void two_levels_translate(void **state)
{
    struct rig *rig = *state;
    rig_store(rig, LINEAR + 0x123, 4, 0xcafe1234);
    assert_int_equal(rig_get32(rig, FRAME_A + 0x123), 0xcafe1234);
    assert_int_equal(rig_load(rig, LINEAR + 0x123, 4), 0xcafe1234);
    assert_int_equal(rig_translate(rig, LINEAR + PAGE_SIZE + 0xfff), FRAME_B + 0xfff);
    uint64_t phys = 0;
    assert_int_equal(rig_try(rig, LINEAR + 0x77, 1, MMU_FETCH, true, &phys), NO_FAULT);
    assert_int_equal(phys, FRAME_A + 0x77);
}

static void absent_entries_fault_at_either_level(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, TABLE + 4, (FRAME_B | PWU) & ~(uint32_t)P);
    static const uint64_t absent[] = {LINEAR + PAGE_SIZE + 0x10, LINEAR + 0x400000, 0};
    for (size_t i = 0; i < ARRAY_COUNT(absent); i++) {
        rig_expect_fault(rig, absent[i], 4, MMU_LOAD, false, 0, absent[i]);
        rig_expect_fault(rig, absent[i], 4, MMU_LOAD, true, CODE_U, absent[i]);
        rig_expect_fault(rig, absent[i], 4, MMU_STORE, false, CODE_W, absent[i]);
        rig_expect_fault(rig, absent[i], 4, MMU_STORE, true, CODE_W | CODE_U, absent[i]);
        rig_expect_fault(rig, absent[i], 1, MMU_FETCH, false, 0, absent[i]);
    }
}

/* Every combination of the two levels' rights, privilege, CR0.WP and kind of access, on a cold TLB and on one
 * that the opposite privilege has just filled. */
static void rights_are_the_and_of_both_levels(void **state)
{
    struct rig *rig = *state;
    for (unsigned bits = 0; bits < 256; bits++) {
        uint32_t directory = P | (bits & 1 ? W : 0) | (bits & 2 ? U : 0);
        uint32_t table = P | (bits & 4 ? W : 0) | (bits & 8 ? U : 0);
        bool user = bits & 16;
        bool write = bits & 32;
        bool protect = bits & 64;
        bool warm = bits & 128;
        rig_put32(rig, DIRECTORY_ENTRY, TABLE | directory);
        rig_put32(rig, TABLE, FRAME_A | table);
        rig->cpu.cr0 = (rig->cpu.cr0 & ~(uint64_t)CR0_WP) | (protect ? CR0_WP : 0);
        mmu_flush(rig->mmu);
        uint64_t value = 0;
        if (warm) {
            rig_try(rig, LINEAR, 4, MMU_LOAD, !user, &value);
            rig_try(rig, LINEAR, 4, MMU_LOAD, user, &value);
        }
        bool user_page = directory & table & U;
        bool writable = directory & table & W;
        bool allowed = user ? user_page && (!write || writable) : !write || writable || !protect;
        int expected = allowed ? NO_FAULT : CODE_P | (write ? CODE_W : 0) | (user ? CODE_U : 0);
        int found = rig_try(rig, LINEAR, 4, write ? MMU_STORE : MMU_LOAD, user, &value);
        if (found != expected) {
            fail_msg("directory %x, table %x, %s %s, WP %d, TLB %s: expected %d, got %d", directory, table,
                     user ? "user" : "supervisor", write ? "store" : "load", protect, warm ? "warm" : "cold",
                     expected, found);
        }
    }
}

static void accesses_set_accessed_and_stores_dirty(void **state)
{
    struct rig *rig = *state;
    rig_load(rig, LINEAR, 4);
    assert_int_equal(rig_get32(rig, DIRECTORY_ENTRY), TABLE | PWU | A);
    assert_int_equal(rig_get32(rig, TABLE), FRAME_A | PWU | A);
    assert_int_equal(rig_get32(rig, TABLE + 4), FRAME_B | PWU);
    rig_store(rig, LINEAR, 4, 1); /* after the load has put the page into the TLB */
    assert_int_equal(rig_get32(rig, DIRECTORY_ENTRY), TABLE | PWU | A);
    assert_int_equal(rig_get32(rig, TABLE), FRAME_A | PWU | A | D);
    rig_store(rig, LINEAR + PAGE_SIZE, 4, 1);
    assert_int_equal(rig_get32(rig, TABLE + 4), FRAME_B | PWU | A | D);
}

static void refused_accesses_leave_the_leaf_alone(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, TABLE, FRAME_A | P | U);
    rig_expect_fault(rig, LINEAR, 4, MMU_STORE, true, CODE_P | CODE_W | CODE_U, LINEAR);
    assert_int_equal(rig_get32(rig, TABLE), FRAME_A | P | U);
    rig_put32(rig, TABLE, FRAME_A | P | W);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, true, CODE_P | CODE_U, LINEAR);
    assert_int_equal(rig_get32(rig, TABLE), FRAME_A | P | W);
}

static void large_pages_cover_4_mib_when_enabled(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, DIRECTORY_ENTRY, 0x400000 | LARGE | PWU);
    rig->cpu.cr4 |= CR4_PSE;
    mmu_flush(rig->mmu);
    rig_store(rig, LINEAR + 0x3ffffc, 4, 0x11223344);
    assert_int_equal(rig_get32(rig, 0x7ffffc), 0x11223344);
    assert_int_equal(rig_get32(rig, DIRECTORY_ENTRY), 0x400000 | LARGE | PWU | A | D);
    assert_int_equal(rig_translate(rig, LINEAR + 0x3fffff), 0x7fffff);
    rig_put32(rig, DIRECTORY_ENTRY, 0x400000 | LARGE | P);
    mmu_flush(rig->mmu);
    rig_expect_fault(rig, LINEAR, 4, MMU_STORE, true, CODE_P | CODE_W | CODE_U, LINEAR);
}

static void the_large_bit_is_ignored_without_pse(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, DIRECTORY_ENTRY, TABLE | LARGE | PWU);
    assert_int_equal(rig_translate(rig, LINEAR + 0x10), FRAME_A + 0x10);
}

static void pse36_reaches_above_4_gib(void **state)
{
    struct rig *rig = *state;
    rig->cpu.cr4 |= CR4_PSE;
    rig_put32(rig, DIRECTORY_ENTRY, 0x00400000 | 0xa << 13 | LARGE | PWU);
    assert_true(rig_translate(rig, LINEAR + 0x1234) == 0xa00401234);
    rig_put32(rig, DIRECTORY_ENTRY, 0x00400000 | 1 << 17 | LARGE | PWU);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    rig_put32(rig, DIRECTORY_ENTRY, 0x00400000 | 1 << 21 | LARGE | PWU);
    rig_expect_fault(rig, LINEAR, 4, MMU_STORE, true, CODE_P | CODE_RESERVED | CODE_W | CODE_U, LINEAR);
}

static void pse36_bits_are_reserved_on_processors_without_it(void **state)
{
    (void)state;
    struct rig *rig = rig_create("pentium");
    rig_enter_paging(rig);
    rig->cpu.cr4 |= CR4_PSE;
    rig_put32(rig, DIRECTORY_ENTRY, 0x00400000 | 1 << 13 | LARGE | PWU);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    rig_put32(rig, DIRECTORY_ENTRY, 0x00400000 | 1 << 21 | LARGE | PWU);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    rig_put32(rig, DIRECTORY_ENTRY, 0x00400000 | LARGE | PWU);
    assert_int_equal(rig_translate(rig, LINEAR + 0x1234), 0x401234);
    rig_destroy(rig);
}

static void pae_translates_by_three_levels(void **state)
{
    struct rig *rig = *state;
    rig_store(rig, LINEAR + 0x123, 4, 0xcafe1234);
    assert_int_equal(rig_get32(rig, FRAME_A + 0x123), 0xcafe1234);
    assert_true(load_le64(rig->ram + PAE_DIRECTORY) == (PAE_TABLE | PWU | A));
    assert_true(load_le64(rig->ram + PAE_TABLE) == (FRAME_A | PWU | A | D));
    assert_true(load_le64(rig->ram + DIRECTORY + 8) == (PAE_DIRECTORY | P));
    rig_expect_fault(rig, LINEAR + 0x40000000, 4, MMU_LOAD, false, 0, LINEAR + 0x40000000);
    rig_expect_fault(rig, LINEAR + 0x200000, 4, MMU_STORE, true, CODE_W | CODE_U, LINEAR + 0x200000);
    rig_expect_fault(rig, LINEAR + 0x2000, 4, MMU_LOAD, true, CODE_U, LINEAR + 0x2000);
}

static void walks_of_translated_code_know_pae_and_watches(void **state)
{
    struct rig *rig = *state;
    const uint32_t access = plain_walk_access(4, 0);
    assert_null(mmu_plain_load(rig->mmu, LINEAR + 0x123, access)); /* no A bit is set */
    rig_store(rig, LINEAR + 0x123, 4, 0xcafe1234);
    assert_ptr_equal(mmu_plain_load(rig->mmu, LINEAR + 0x123, access), rig->ram + FRAME_A + 0x123);
    assert_ptr_equal(mmu_plain_store(rig->mmu, LINEAR + 0x123, access), rig->ram + FRAME_A + 0x123);
    assert_ptr_equal(mmu_plain_user_load(rig->mmu, LINEAR, access), rig->ram + FRAME_A);
    assert_ptr_equal(mmu_plain_user_store(rig->mmu, LINEAR, access), rig->ram + FRAME_A);
    assert_null(mmu_plain_load(rig->mmu, LINEAR + PAGE_SIZE, access));
    const struct cpu_probe probe = {.watch_count = 1};
    rig->cpu.probe = &probe;
    assert_null(mmu_plain_load(rig->mmu, LINEAR, access));
    rig->cpu.probe = NULL;
    rig_put64(rig, PAE_TABLE, FRAME_A | P | A);
    assert_null(mmu_plain_user_load(rig->mmu, LINEAR, access));
    assert_null(mmu_plain_user_store(rig->mmu, LINEAR, access));
    assert_null(mmu_plain_store(rig->mmu, LINEAR, access)); /* no D bit */
    rig_put64(rig, PAE_DIRECTORY, LARGE | PWU | A);
    assert_ptr_equal(mmu_plain_user_load(rig->mmu, LINEAR + 0x54321, access), rig->ram + 0x54321);
    assert_null(mmu_plain_user_store(rig->mmu, LINEAR + 0x54321, access));
}

static void note_data(void *opaque, uint32_t linear, unsigned width, bool write)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "%c%x+%u ", write ? 'w' : 'r', (unsigned)linear,
             width);
}

static void an_access_that_wraps_at_4_gib_meets_a_watch_at_0(void **state)
{
    struct rig *rig = *state;
    const struct cpu_probe probe = {.watch = {{0, 1}}, .watch_count = 1, .at_data = note_data, .opaque = rig};
    rig_put32(rig, DIRECTORY, TABLE | PWU);
    rig_put32(rig, DIRECTORY + 4092, TABLE | PWU);
    rig_put32(rig, TABLE + 4092, FRAME_A | PWU);
    rig->cpu.probe = &probe;
    mmu_flush(rig->mmu);
    rig_store(rig, 0xfffffffe, 4, 0x11223344);
    (void)rig_load(rig, 0xfffffffd, 4);
    rig_store(rig, 0xfffffffc, 4, 0);
    rig_store(rig, 2, 4, 0);
    (void)rig_load(rig, 1, 1);
    assert_string_equal(rig->told, "wfffffffe+4 rfffffffd+4 r1+1 ");
    rig->cpu.probe = NULL;
}

static void pae_reaches_above_4_gib(void **state)
{
    struct rig *rig = *state;
    rig_put64(rig, PAE_TABLE, 0xf12345000 | PWU);
    assert_true(rig_translate(rig, LINEAR + 0x678) == 0xf12345678);
    assert_true(load_le64(rig->ram + PAE_TABLE) == (0xf12345000 | PWU | A));
    rig_put64(rig, PAE_DIRECTORY, 0xf12200000 | LARGE | PWU);
    assert_true(rig_translate(rig, LINEAR + 0x1fffff) == 0xf123fffff);
}

static void pae_large_pages_cover_2_mib_without_pse(void **state)
{
    struct rig *rig = *state;
    rig_put64(rig, PAE_DIRECTORY, 0x200000 | LARGE | PWU);
    rig_store(rig, LINEAR + 0x1ffffc, 4, 0x55667788);
    assert_int_equal(rig_get32(rig, 0x3ffffc), 0x55667788);
    assert_true(load_le64(rig->ram + PAE_DIRECTORY) == (0x200000 | LARGE | PWU | A | D));
    rig_put64(rig, PAE_DIRECTORY, 0x200000 | 1 << 13 | LARGE | PWU);
    mmu_flush(rig->mmu);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
}

static void pae_refuses_reserved_bits(void **state)
{
    struct rig *rig = *state;
    rig_put64(rig, PAE_TABLE, FRAME_A | PWU | (uint64_t)1 << 36); /* beyond the physical address */
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, true, CODE_P | CODE_RESERVED | CODE_U, LINEAR);
    rig_put64(rig, PAE_TABLE, FRAME_A | PWU | NX); /* NX is reserved while EFER.NXE is off */
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    rig_put64(rig, PAE_TABLE, FRAME_A | PWU);
    rig_put64(rig, PAE_DIRECTORY, PAE_TABLE | PWU | (uint64_t)1 << 62);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
}

static void no_execute_stops_fetches_only(void **state)
{
    struct rig *rig = *state;
    rig->cpu.efer |= EFER_NXE;
    for (unsigned level = 0; level < 2; level++) {
        rig_put64(rig, PAE_DIRECTORY, PAE_TABLE | PWU | (level == 0 ? NX : 0));
        rig_put64(rig, PAE_TABLE, FRAME_A | PWU | (level == 1 ? NX : 0));
        mmu_flush(rig->mmu);
        rig_expect_fault(rig, LINEAR, 1, MMU_FETCH, false, CODE_P | CODE_FETCH, LINEAR);
        rig_store(rig, LINEAR, 4, 7); /* fills the TLB */
        assert_int_equal(rig_load(rig, LINEAR, 4), 7);
        rig_expect_fault(rig, LINEAR, 1, MMU_FETCH, true, CODE_P | CODE_FETCH | CODE_U, LINEAR);
    }
    rig_expect_fault(rig, LINEAR + 0x2000, 1, MMU_FETCH, false, CODE_FETCH, LINEAR + 0x2000);
    uint64_t phys = 0;
    rig_put64(rig, PAE_TABLE, FRAME_A | PWU);
    mmu_flush(rig->mmu);
    assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_int_equal(phys, FRAME_A);
}

/* Engines may ask whether there is code, without a fault, and get what a fetch would. */
static void a_fetch_can_be_tried(void **state)
{
    struct rig *rig = *state;
    uint64_t phys = 0;
    rig->cpu.unwind = NULL;
    rig->cpu.efer |= EFER_NXE;
    rig_put64(rig, PAE_TABLE + 8, FRAME_B | PWU | NX);
    assert_false(mmu_try_fetch(rig->mmu, LINEAR + PAGE_SIZE, false, &phys));
    assert_false(mmu_try_fetch(rig->mmu, LINEAR + 2 * PAGE_SIZE, false, &phys));
    assert_int_equal(rig->cpu.cr2, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(mmu_try_fetch(rig->mmu, LINEAR + 0x77, true, &phys));
        assert_int_equal(phys, FRAME_A + 0x77);
    }
    assert_true(load_le64(rig->ram + PAE_TABLE) == (FRAME_A | PWU | A));
    assert_int_equal(rig->counters.value[COUNTER_PAGE_WALKS], 3);
}

static void fetches_are_told_apart_only_with_no_execute(void **state)
{
    struct rig *rig = *state;
    rig_expect_fault(rig, LINEAR + 0x2000, 1, MMU_FETCH, true, CODE_U, LINEAR + 0x2000);
}

static void a20_applies_after_paging(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, TABLE + 4, (FRAME_B | 0x100000) | PWU);
    assert_int_equal(FRAME_B & 0x100000, 0x100000);
    rig_put32(rig, FRAME_B, 0xb);
    rig_put32(rig, FRAME_B - 0x100000, 0xa);
    assert_int_equal(rig_load(rig, LINEAR + PAGE_SIZE, 4), 0xb);
    memory_bus_set_a20(rig->bus, false);
    assert_int_equal(rig_load(rig, LINEAR + PAGE_SIZE, 4), 0xa);
    memory_bus_set_a20(rig->bus, true);
    assert_int_equal(rig_load(rig, LINEAR + PAGE_SIZE, 4), 0xb);
}

/* CR3 may hold anything: tables in a hole read as ones, and nothing of the host is touched. */
static void tables_outside_memory_read_as_ones(void **state)
{
    struct rig *rig = *state;
    rig->cpu.cr3 = 0xfffff000;
    mmu_flush(rig->mmu);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xffffffff);
    rig_store(rig, LINEAR, 4, 0);
    assert_int_equal(rig_translate(rig, LINEAR + 0x123), 0xfffff123);
    if (setjmp(rig->unwind) == 0) {
        cpu_write_control(&rig->cpu, 4, CR4_PAE);
        fail_msg("page-directory pointers of all ones were accepted");
    }
    assert_int_equal(rig->cpu.exception.vector, VECTOR_GP);
    assert_int_equal(rig->cpu.cr4, 0);
}

/* The four pointers are read when CR3 is loaded, and only then. */
static void pae_pointers_are_those_that_cr3_found(void **state)
{
    struct rig *rig = *state;
    rig_put64(rig, DIRECTORY + (LINEAR >> 30) * 8, 0);
    mmu_flush(rig->mmu);
    assert_int_equal(rig_translate(rig, LINEAR), FRAME_A);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    rig_expect_fault(rig, LINEAR, 4, MMU_LOAD, false, 0, LINEAR);
}

static void the_cpus_own_accesses_go_the_same_way(void **state)
{
    struct rig *rig = *state;
    const struct cpu_memory_ops *ops = rig->cpu.memory_ops;
    if (setjmp(rig->unwind) != 0) {
        fail_msg("page fault, error code %u", rig->cpu.exception.error_code);
    }
    ops->write(&rig->cpu, LINEAR + 0xffe, 4, 0x44332211, false);
    assert_int_equal(load_le16(rig->ram + FRAME_A + 0xffe), 0x2211);
    assert_int_equal(ops->read(&rig->cpu, LINEAR + 0xffe, 4, true), 0x44332211);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_paging_linear_is_physical),
        WITH_PAGING(two_levels_translate),
        WITH_PAGING(absent_entries_fault_at_either_level),
        WITH_PAGING(rights_are_the_and_of_both_levels),
        WITH_PAGING(accesses_set_accessed_and_stores_dirty),
        WITH_PAGING(refused_accesses_leave_the_leaf_alone),
        WITH_PAGING(large_pages_cover_4_mib_when_enabled),
        WITH_PAGING(the_large_bit_is_ignored_without_pse),
        WITH_PAGING(pse36_reaches_above_4_gib),
        cmocka_unit_test(pse36_bits_are_reserved_on_processors_without_it),
        WITH_PAGING(an_access_that_wraps_at_4_gib_meets_a_watch_at_0),
        WITH_PAE(pae_translates_by_three_levels),
        WITH_PAE(walks_of_translated_code_know_pae_and_watches),
        WITH_PAE(pae_reaches_above_4_gib),
        WITH_PAE(pae_large_pages_cover_2_mib_without_pse),
        WITH_PAE(pae_refuses_reserved_bits),
        WITH_PAE(pae_pointers_are_those_that_cr3_found),
        WITH_PAE(no_execute_stops_fetches_only),
        WITH_PAE(a_fetch_can_be_tried),
        WITH_PAE(fetches_are_told_apart_only_with_no_execute),
        WITH_PAGING(a20_applies_after_paging),
        WITH_PAGING(tables_outside_memory_read_as_ones),
        WITH_PAGING(the_cpus_own_accesses_go_the_same_way),
    };
    return cmocka_run_group_tests_name("mmu walk", tests, NULL, NULL);
}
