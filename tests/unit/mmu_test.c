/* Linear to physical: the walk of both page-table formats with its rights, accessed and dirty bits and error
 * codes (SDM 3A chapter 4), and that the software TLB in front of it cannot be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "bus/memory_bus.h"
#include "cpu/cpu.h"
#include "cpu/probe.h"
#include "mmu/mmu.h"
#include "mmu/plain_walk.h"
#include "recording_region.h"

#define RAM_SIZE ((uint64_t)0x800000)

/* Where the tests put their tables, and the two neighbouring linear pages that most of them use. */
enum layout {
    DIRECTORY = 0x10000, /* 32-bit: page directory; PAE: page-directory pointers */
    TABLE = 0x11000,     /* 32-bit: page table of LINEAR */
    PAE_DIRECTORY = 0x12000,
    PAE_TABLE = 0x13000,
    FRAME_A = 0x200000, /* behind LINEAR */
    FRAME_B = 0x300000  /* behind the page after it: not adjacent, so that crossing shows */
};
#define LINEAR ((uint64_t)0x40000000)

enum entry_bit {
    P = 1u << 0,
    W = 1u << 1,
    U = 1u << 2,
    A = 1u << 5,
    D = 1u << 6,
    LARGE = 1u << 7,
    GLOBAL = 1u << 8,
    PWU = P | W | U
};
#define NX ((uint64_t)1 << 63)

enum error_code { CODE_P = 1, CODE_W = 2, CODE_U = 4, CODE_RESERVED = 8, CODE_FETCH = 16 };

struct rig {
    struct cpu_state cpu;
    struct log log;
    struct counters counters;
    struct memory_bus *bus;
    struct mmu *mmu;
    uint8_t *ram;
    uint8_t rom[PAGE_SIZE];
    struct recording device;
    char told[256];
    jmp_buf unwind;
};

static void note_code_written(void *opaque, uint64_t phys, unsigned length)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "%llx+%x ", (unsigned long long)phys, length);
}

static void flush_mmu(void *opaque)
{
    struct rig *rig = opaque;
    mmu_flush(rig->mmu);
}

static struct rig *rig_create(const char *model)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->ram = calloc(1, RAM_SIZE);
    rig->cpu.log = &rig->log;
    rig->cpu.counters = &rig->counters;
    cpu_init(&rig->cpu, cpu_model_find(model));
    rig->bus = memory_bus_create(rig->ram, RAM_SIZE, rig->cpu.model->address_bits, &rig->log, &rig->counters);
    assert_non_null(rig->bus);
    memory_bus_map_ram(rig->bus, 0, RAM_SIZE, 0);
    rig->mmu = mmu_create(&rig->cpu, rig->bus);
    assert_non_null(rig->mmu);
    struct memory_listener listener = {
        .code_written = note_code_written, .map_changed = flush_mmu, .opaque = rig};
    memory_bus_set_listener(rig->bus, &listener);
    rig->cpu.unwind = &rig->unwind;
    return rig;
}

static void rig_destroy(struct rig *rig)
{
    mmu_destroy(rig->mmu);
    memory_bus_destroy(rig->bus);
    free(rig->ram);
    free(rig);
}

static void put32(struct rig *rig, uint64_t address, uint32_t entry)
{
    store_le32(rig->ram + address, entry);
}

static void put64(struct rig *rig, uint64_t address, uint64_t entry)
{
    store_le64(rig->ram + address, entry);
}

static uint32_t get32(const struct rig *rig, uint64_t address)
{
    return load_le32(rig->ram + address);
}

static const uint64_t directory_entry = DIRECTORY + (LINEAR >> 22) * 4;

/* 32-bit paging with LINEAR and the page after it mapped, everything allowed. */
static void enter_paging(struct rig *rig)
{
    put32(rig, directory_entry, TABLE | PWU);
    put32(rig, TABLE, FRAME_A | PWU);
    put32(rig, TABLE + 4, FRAME_B | PWU);
    rig->cpu.cr3 = DIRECTORY;
    rig->cpu.cr0 |= CR0_PE | CR0_PG;
    mmu_flush(rig->mmu);
}

/* The same with PAE. */
static void enter_pae(struct rig *rig)
{
    put64(rig, DIRECTORY + (LINEAR >> 30) * 8, PAE_DIRECTORY | P);
    put64(rig, PAE_DIRECTORY, PAE_TABLE | PWU);
    put64(rig, PAE_TABLE, FRAME_A | PWU);
    put64(rig, PAE_TABLE + 8, FRAME_B | PWU);
    cpu_write_control(&rig->cpu, 4, CR4_PAE);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG);
}

static int set_up(void **state)
{
    struct rig *rig = rig_create("pentium3");
    enter_paging(rig);
    *state = rig;
    return 0;
}

static int set_up_pae(void **state)
{
    struct rig *rig = rig_create("pentium3");
    enter_pae(rig);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

#define NO_FAULT (-1)

/* One access; the page fault's error code, or NO_FAULT. */
static int try_access(struct rig *rig, uint64_t linear, unsigned width, enum mmu_access access, bool user,
                      uint64_t *value)
{
    rig->cpu.cr2 = 0;
    if (setjmp(rig->unwind) != 0) {
        assert_int_equal(rig->cpu.exception.vector, VECTOR_PF);
        assert_true(rig->cpu.exception.has_error_code);
        return (int)rig->cpu.exception.error_code;
    }
    switch (access) {
    case MMU_LOAD: *value = mmu_load(rig->mmu, linear, width, user); break;
    case MMU_STORE: mmu_store(rig->mmu, linear, width, *value, user); break;
    case MMU_FETCH: *value = mmu_fetch_address(rig->mmu, linear, user); break;
    }
    return NO_FAULT;
}

static uint64_t load(struct rig *rig, uint64_t linear, unsigned width)
{
    uint64_t value = 0;
    assert_int_equal(try_access(rig, linear, width, MMU_LOAD, false, &value), NO_FAULT);
    return value;
}

static void store(struct rig *rig, uint64_t linear, unsigned width, uint64_t value)
{
    assert_int_equal(try_access(rig, linear, width, MMU_STORE, false, &value), NO_FAULT);
}

static void expect_fault(struct rig *rig, uint64_t linear, unsigned width, enum mmu_access access, bool user,
                         int code, uint64_t cr2)
{
    uint64_t value = 0;
    assert_int_equal(try_access(rig, linear, width, access, user, &value), code);
    assert_int_equal(rig->cpu.cr2, cr2);
}

static uint64_t translate(struct rig *rig, uint64_t linear)
{
    if (setjmp(rig->unwind) != 0) {
        fail_msg("page fault, error code %u", rig->cpu.exception.error_code);
    }
    return mmu_translate(rig->mmu, linear, MMU_LOAD, false);
}

static void without_paging_linear_is_physical(void **state)
{
    (void)state;
    struct rig *rig = rig_create("pentium3");
    store(rig, 0x1234, 4, 0x11223344);
    assert_int_equal(get32(rig, 0x1234), 0x11223344);
    assert_int_equal(load(rig, 0x1235, 2), 0x2233);
    store(rig, 0xffffffff, 2, 0x5566); /* linear addresses wrap at 4 GiB */
    assert_int_equal(rig->ram[0], 0x55);
    assert_int_equal(load(rig, 0xffffffff, 2), 0x55ff);
    rig_destroy(rig);
}

static void two_levels_translate(void **state)
{
    struct rig *rig = *state;
    store(rig, LINEAR + 0x123, 4, 0xcafe1234);
    assert_int_equal(get32(rig, FRAME_A + 0x123), 0xcafe1234);
    assert_int_equal(load(rig, LINEAR + 0x123, 4), 0xcafe1234);
    assert_int_equal(translate(rig, LINEAR + PAGE_SIZE + 0xfff), FRAME_B + 0xfff);
    uint64_t phys = 0;
    assert_int_equal(try_access(rig, LINEAR + 0x77, 1, MMU_FETCH, true, &phys), NO_FAULT);
    assert_int_equal(phys, FRAME_A + 0x77);
}

static void absent_entries_fault_at_either_level(void **state)
{
    struct rig *rig = *state;
    put32(rig, TABLE + 4, (FRAME_B | PWU) & ~(uint32_t)P);
    static const uint64_t absent[] = {LINEAR + PAGE_SIZE + 0x10, LINEAR + 0x400000, 0};
    for (size_t i = 0; i < ARRAY_COUNT(absent); i++) {
        expect_fault(rig, absent[i], 4, MMU_LOAD, false, 0, absent[i]);
        expect_fault(rig, absent[i], 4, MMU_LOAD, true, CODE_U, absent[i]);
        expect_fault(rig, absent[i], 4, MMU_STORE, false, CODE_W, absent[i]);
        expect_fault(rig, absent[i], 4, MMU_STORE, true, CODE_W | CODE_U, absent[i]);
        expect_fault(rig, absent[i], 1, MMU_FETCH, false, 0, absent[i]);
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
        put32(rig, directory_entry, TABLE | directory);
        put32(rig, TABLE, FRAME_A | table);
        rig->cpu.cr0 = (rig->cpu.cr0 & ~(uint64_t)CR0_WP) | (protect ? CR0_WP : 0);
        mmu_flush(rig->mmu);
        uint64_t value = 0;
        if (warm) {
            try_access(rig, LINEAR, 4, MMU_LOAD, !user, &value);
            try_access(rig, LINEAR, 4, MMU_LOAD, user, &value);
        }
        bool user_page = directory & table & U;
        bool writable = directory & table & W;
        bool allowed = user ? user_page && (!write || writable) : !write || writable || !protect;
        int expected = allowed ? NO_FAULT : CODE_P | (write ? CODE_W : 0) | (user ? CODE_U : 0);
        int found = try_access(rig, LINEAR, 4, write ? MMU_STORE : MMU_LOAD, user, &value);
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
    load(rig, LINEAR, 4);
    assert_int_equal(get32(rig, directory_entry), TABLE | PWU | A);
    assert_int_equal(get32(rig, TABLE), FRAME_A | PWU | A);
    assert_int_equal(get32(rig, TABLE + 4), FRAME_B | PWU);
    store(rig, LINEAR, 4, 1); /* after the load has put the page into the TLB */
    assert_int_equal(get32(rig, directory_entry), TABLE | PWU | A);
    assert_int_equal(get32(rig, TABLE), FRAME_A | PWU | A | D);
    store(rig, LINEAR + PAGE_SIZE, 4, 1);
    assert_int_equal(get32(rig, TABLE + 4), FRAME_B | PWU | A | D);
}

static void refused_accesses_leave_the_leaf_alone(void **state)
{
    struct rig *rig = *state;
    put32(rig, TABLE, FRAME_A | P | U);
    expect_fault(rig, LINEAR, 4, MMU_STORE, true, CODE_P | CODE_W | CODE_U, LINEAR);
    assert_int_equal(get32(rig, TABLE), FRAME_A | P | U);
    put32(rig, TABLE, FRAME_A | P | W);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, true, CODE_P | CODE_U, LINEAR);
    assert_int_equal(get32(rig, TABLE), FRAME_A | P | W);
}

static void large_pages_cover_4_mib_when_enabled(void **state)
{
    struct rig *rig = *state;
    put32(rig, directory_entry, 0x400000 | LARGE | PWU);
    rig->cpu.cr4 |= CR4_PSE;
    mmu_flush(rig->mmu);
    store(rig, LINEAR + 0x3ffffc, 4, 0x11223344);
    assert_int_equal(get32(rig, 0x7ffffc), 0x11223344);
    assert_int_equal(get32(rig, directory_entry), 0x400000 | LARGE | PWU | A | D);
    assert_int_equal(translate(rig, LINEAR + 0x3fffff), 0x7fffff);
    put32(rig, directory_entry, 0x400000 | LARGE | P);
    mmu_flush(rig->mmu);
    expect_fault(rig, LINEAR, 4, MMU_STORE, true, CODE_P | CODE_W | CODE_U, LINEAR);
}

static void the_large_bit_is_ignored_without_pse(void **state)
{
    struct rig *rig = *state;
    put32(rig, directory_entry, TABLE | LARGE | PWU);
    assert_int_equal(translate(rig, LINEAR + 0x10), FRAME_A + 0x10);
}

static void pse36_reaches_above_4_gib(void **state)
{
    struct rig *rig = *state;
    rig->cpu.cr4 |= CR4_PSE;
    put32(rig, directory_entry, 0x00400000 | 0xa << 13 | LARGE | PWU);
    assert_true(translate(rig, LINEAR + 0x1234) == 0xa00401234);
    put32(rig, directory_entry, 0x00400000 | 1 << 17 | LARGE | PWU);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    put32(rig, directory_entry, 0x00400000 | 1 << 21 | LARGE | PWU);
    expect_fault(rig, LINEAR, 4, MMU_STORE, true, CODE_P | CODE_RESERVED | CODE_W | CODE_U, LINEAR);
}

static void pse36_bits_are_reserved_on_processors_without_it(void **state)
{
    (void)state;
    struct rig *rig = rig_create("pentium");
    enter_paging(rig);
    rig->cpu.cr4 |= CR4_PSE;
    put32(rig, directory_entry, 0x00400000 | 1 << 13 | LARGE | PWU);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    put32(rig, directory_entry, 0x00400000 | 1 << 21 | LARGE | PWU);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    put32(rig, directory_entry, 0x00400000 | LARGE | PWU);
    assert_int_equal(translate(rig, LINEAR + 0x1234), 0x401234);
    rig_destroy(rig);
}

static void pae_translates_by_three_levels(void **state)
{
    struct rig *rig = *state;
    store(rig, LINEAR + 0x123, 4, 0xcafe1234);
    assert_int_equal(get32(rig, FRAME_A + 0x123), 0xcafe1234);
    assert_true(load_le64(rig->ram + PAE_DIRECTORY) == (PAE_TABLE | PWU | A));
    assert_true(load_le64(rig->ram + PAE_TABLE) == (FRAME_A | PWU | A | D));
    assert_true(load_le64(rig->ram + DIRECTORY + 8) == (PAE_DIRECTORY | P));
    expect_fault(rig, LINEAR + 0x40000000, 4, MMU_LOAD, false, 0, LINEAR + 0x40000000);
    expect_fault(rig, LINEAR + 0x200000, 4, MMU_STORE, true, CODE_W | CODE_U, LINEAR + 0x200000);
    expect_fault(rig, LINEAR + 0x2000, 4, MMU_LOAD, true, CODE_U, LINEAR + 0x2000);
}

static void walks_of_translated_code_know_pae_and_watches(void **state)
{
    struct rig *rig = *state;
    const uint32_t access = plain_walk_access(4, 0);
    assert_null(mmu_plain_load(rig->mmu, LINEAR + 0x123, access)); /* no A bit is set */
    store(rig, LINEAR + 0x123, 4, 0xcafe1234);
    assert_ptr_equal(mmu_plain_load(rig->mmu, LINEAR + 0x123, access), rig->ram + FRAME_A + 0x123);
    assert_ptr_equal(mmu_plain_store(rig->mmu, LINEAR + 0x123, access), rig->ram + FRAME_A + 0x123);
    assert_ptr_equal(mmu_plain_user_load(rig->mmu, LINEAR, access), rig->ram + FRAME_A);
    assert_ptr_equal(mmu_plain_user_store(rig->mmu, LINEAR, access), rig->ram + FRAME_A);
    assert_null(mmu_plain_load(rig->mmu, LINEAR + PAGE_SIZE, access));
    const struct cpu_probe probe = {.watch_count = 1};
    rig->cpu.probe = &probe;
    assert_null(mmu_plain_load(rig->mmu, LINEAR, access));
    rig->cpu.probe = NULL;
    put64(rig, PAE_TABLE, FRAME_A | P | A);
    assert_null(mmu_plain_user_load(rig->mmu, LINEAR, access));
    assert_null(mmu_plain_user_store(rig->mmu, LINEAR, access));
    assert_null(mmu_plain_store(rig->mmu, LINEAR, access)); /* no D bit */
    put64(rig, PAE_DIRECTORY, LARGE | PWU | A);
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
    put32(rig, DIRECTORY, TABLE | PWU);
    put32(rig, DIRECTORY + 4092, TABLE | PWU);
    put32(rig, TABLE + 4092, FRAME_A | PWU);
    rig->cpu.probe = &probe;
    mmu_flush(rig->mmu);
    store(rig, 0xfffffffe, 4, 0x11223344);
    (void)load(rig, 0xfffffffd, 4);
    store(rig, 0xfffffffc, 4, 0);
    store(rig, 2, 4, 0);
    (void)load(rig, 1, 1);
    assert_string_equal(rig->told, "wfffffffe+4 rfffffffd+4 r1+1 ");
    rig->cpu.probe = NULL;
}

static void pae_reaches_above_4_gib(void **state)
{
    struct rig *rig = *state;
    put64(rig, PAE_TABLE, 0xf12345000 | PWU);
    assert_true(translate(rig, LINEAR + 0x678) == 0xf12345678);
    assert_true(load_le64(rig->ram + PAE_TABLE) == (0xf12345000 | PWU | A));
    put64(rig, PAE_DIRECTORY, 0xf12200000 | LARGE | PWU);
    assert_true(translate(rig, LINEAR + 0x1fffff) == 0xf123fffff);
}

static void pae_large_pages_cover_2_mib_without_pse(void **state)
{
    struct rig *rig = *state;
    put64(rig, PAE_DIRECTORY, 0x200000 | LARGE | PWU);
    store(rig, LINEAR + 0x1ffffc, 4, 0x55667788);
    assert_int_equal(get32(rig, 0x3ffffc), 0x55667788);
    assert_true(load_le64(rig->ram + PAE_DIRECTORY) == (0x200000 | LARGE | PWU | A | D));
    put64(rig, PAE_DIRECTORY, 0x200000 | 1 << 13 | LARGE | PWU);
    mmu_flush(rig->mmu);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
}

static void pae_refuses_reserved_bits(void **state)
{
    struct rig *rig = *state;
    put64(rig, PAE_TABLE, FRAME_A | PWU | (uint64_t)1 << 36); /* beyond the physical address */
    expect_fault(rig, LINEAR, 4, MMU_LOAD, true, CODE_P | CODE_RESERVED | CODE_U, LINEAR);
    put64(rig, PAE_TABLE, FRAME_A | PWU | NX); /* NX is reserved while EFER.NXE is off */
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
    put64(rig, PAE_TABLE, FRAME_A | PWU);
    put64(rig, PAE_DIRECTORY, PAE_TABLE | PWU | (uint64_t)1 << 62);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, CODE_P | CODE_RESERVED, LINEAR);
}

static void no_execute_stops_fetches_only(void **state)
{
    struct rig *rig = *state;
    rig->cpu.efer |= EFER_NXE;
    for (unsigned level = 0; level < 2; level++) {
        put64(rig, PAE_DIRECTORY, PAE_TABLE | PWU | (level == 0 ? NX : 0));
        put64(rig, PAE_TABLE, FRAME_A | PWU | (level == 1 ? NX : 0));
        mmu_flush(rig->mmu);
        expect_fault(rig, LINEAR, 1, MMU_FETCH, false, CODE_P | CODE_FETCH, LINEAR);
        store(rig, LINEAR, 4, 7); /* fills the TLB */
        assert_int_equal(load(rig, LINEAR, 4), 7);
        expect_fault(rig, LINEAR, 1, MMU_FETCH, true, CODE_P | CODE_FETCH | CODE_U, LINEAR);
    }
    expect_fault(rig, LINEAR + 0x2000, 1, MMU_FETCH, false, CODE_FETCH, LINEAR + 0x2000);
    uint64_t phys = 0;
    put64(rig, PAE_TABLE, FRAME_A | PWU);
    mmu_flush(rig->mmu);
    assert_int_equal(try_access(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_int_equal(phys, FRAME_A);
}

/* Engines may ask whether there is code, without a fault, and get what a fetch would. */
static void a_fetch_can_be_tried(void **state)
{
    struct rig *rig = *state;
    uint64_t phys = 0;
    rig->cpu.unwind = NULL;
    rig->cpu.efer |= EFER_NXE;
    put64(rig, PAE_TABLE + 8, FRAME_B | PWU | NX);
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
    expect_fault(rig, LINEAR + 0x2000, 1, MMU_FETCH, true, CODE_U, LINEAR + 0x2000);
}

static void the_tlb_spares_walks(void **state)
{
    struct rig *rig = *state;
    for (unsigned paging = 0; paging < 2; paging++) {
        rig->cpu.cr0 = paging != 0 ? rig->cpu.cr0 | CR0_PG : rig->cpu.cr0 & ~(uint64_t)CR0_PG;
        uint64_t first = paging != 0 ? LINEAR : FRAME_A;
        mmu_flush(rig->mmu);
        uint64_t fills = rig->counters.value[COUNTER_TLB_FILLS];
        store(rig, first, 4, 1);
        load(rig, first + PAGE_SIZE, 4);
        assert_int_equal(rig->counters.value[COUNTER_TLB_FILLS], fills + 2);
        for (unsigned i = 0; i < 100; i++) {
            store(rig, first + i * 4, 4, i);
            load(rig, first + PAGE_SIZE + i * 8, 8);
            uint64_t phys = 0;
            assert_int_equal(try_access(rig, first + i, 1, MMU_FETCH, false, &phys), NO_FAULT);
        }
        assert_int_equal(rig->counters.value[COUNTER_TLB_FILLS], fills + 2);
    }
}

static void invalidation_shows_new_entries(void **state)
{
    struct rig *rig = *state;
    put32(rig, FRAME_A, 0xa);
    put32(rig, FRAME_B, 0xb);
    for (unsigned how = 0; how < 3; how++) {
        put32(rig, TABLE, FRAME_A | PWU);
        mmu_flush(rig->mmu);
        assert_int_equal(load(rig, LINEAR, 4), 0xa);
        put32(rig, TABLE, FRAME_B | PWU);
        switch (how) {
        case 0: rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + 0x800); break;
        case 1: rig->cpu.memory_ops->flush_tlb(&rig->cpu, false); break;
        default: rig->cpu.memory_ops->flush_tlb(&rig->cpu, true); break;
        }
        assert_int_equal(load(rig, LINEAR, 4), 0xb);
    }
}

/* A flush must reach every entry, however many were filled since the last one. */
static void a_flush_forgets_every_page(void **state)
{
    struct rig *rig = *state;
    static const unsigned counts[] = {1, 100, 128, 129, 130, 1024};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        for (unsigned page = 0; page < 1024; page++) {
            put32(rig, TABLE + page * 4, FRAME_A | PWU);
        }
        mmu_flush(rig->mmu);
        for (unsigned page = 0; page < counts[i]; page++) {
            store(rig, LINEAR + page * PAGE_SIZE, 4, 0xa);
            uint64_t value = 0;
            assert_int_equal(try_access(rig, LINEAR + page * PAGE_SIZE, 4, MMU_LOAD, true, &value), NO_FAULT);
        }
        memset(rig->ram + TABLE, 0, PAGE_SIZE);
        mmu_flush(rig->mmu);
        for (unsigned page = 0; page < 1024; page++) {
            uint64_t linear = LINEAR + page * PAGE_SIZE;
            expect_fault(rig, linear, 4, MMU_LOAD, false, 0, linear);
            expect_fault(rig, linear, 4, MMU_STORE, true, CODE_W | CODE_U, linear);
            expect_fault(rig, linear, 4, MMU_FETCH, true, CODE_U, linear);
        }
    }
}

static void pages_that_share_a_tlb_slot_do_not_mix(void **state)
{
    struct rig *rig = *state;
    put32(rig, directory_entry + 4, TABLE + 0x4000 + PWU); /* 4 MiB on: the same slot */
    put32(rig, TABLE + 0x4000, FRAME_B | PWU);
    put32(rig, FRAME_A, 0xa);
    put32(rig, FRAME_B, 0xb);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(load(rig, LINEAR, 4), 0xa);
        assert_int_equal(load(rig, LINEAR + 0x400000, 4), 0xb);
    }
}

static void accesses_across_pages_take_both_translations(void **state)
{
    struct rig *rig = *state;
    for (unsigned pass = 0; pass < 2; pass++) { /* cold, then warm */
        store(rig, LINEAR + 0xffd, 8, 0x8876665444322210);
        assert_memory_equal(rig->ram + FRAME_A + 0xffd, "\x10\x22\x32", 3);
        assert_memory_equal(rig->ram + FRAME_B, "\x44\x54\x66\x76\x88", 5);
        assert_true(load(rig, LINEAR + 0xffd, 8) == 0x8876665444322210);
        assert_int_equal(load(rig, LINEAR + 0xfff, 2), 0x4432);
    }
    assert_int_equal(load_le32(rig->ram + FRAME_A + PAGE_SIZE), 0);
}

static void a_store_across_pages_happens_whole_or_not_at_all(void **state)
{
    struct rig *rig = *state;
    static const uint32_t second[] = {FRAME_B | W | U, FRAME_B | P | U, FRAME_B | P | W};
    static const int codes[] = {CODE_W | CODE_U, CODE_P | CODE_W | CODE_U, CODE_P | CODE_W | CODE_U};
    for (size_t i = 0; i < ARRAY_COUNT(second); i++) {
        put32(rig, TABLE + 4, second[i]);
        mmu_flush(rig->mmu);
        put32(rig, FRAME_A + 0xffc, 0x99999999);
        expect_fault(rig, LINEAR + 0xffe, 4, MMU_STORE, true, codes[i], LINEAR + PAGE_SIZE);
        assert_int_equal(get32(rig, FRAME_A + 0xffc), 0x99999999);
        assert_int_equal(get32(rig, TABLE + 4), second[i]);
    }
    expect_fault(rig, LINEAR + 0xffe, 4, MMU_LOAD, true, CODE_P | CODE_U, LINEAR + PAGE_SIZE);
    put32(rig, TABLE + 4, FRAME_B | PWU);
    put32(rig, TABLE, FRAME_A | W | U);
    mmu_flush(rig->mmu);
    expect_fault(rig, LINEAR + 0xffe, 4, MMU_STORE, true, CODE_W | CODE_U, LINEAR + 0xffe);
    assert_int_equal(get32(rig, FRAME_B), 0);
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
    assert_int_equal(get32(rig, FRAME_A + 0xff0), 0x77777777);
    put32(rig, TABLE + 4, FRAME_B | P | U);
    mmu_flush(rig->mmu);
    uint64_t value = 0;
    assert_int_equal(try_access(rig, LINEAR + PAGE_SIZE, 4, MMU_LOAD, true, &value), NO_FAULT);
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
        store(rig, LINEAR + 8, 4, 0);
        assert_int_equal(load(rig, LINEAR + 8, 4), 0x5a5a5a5a);
    }
    assert_int_equal(rig->rom[8], 0x5a);
    assert_int_equal(get32(rig, TABLE), FRAME_A | PWU | A | D); /* dirty all the same: the CPU cannot know */
}

static void every_access_to_a_device_reaches_it(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->device, "device", FRAME_A, PAGE_SIZE, 4);
    struct status status = memory_bus_claim(rig->bus, &region);
    assert_true(status_is_ok(&status));
    store(rig, LINEAR + 0x10, 4, 0x12);
    store(rig, LINEAR + 0x10, 4, 0x12);
    load(rig, LINEAR + 0x14, 2);
    load(rig, LINEAR + 0x14, 2);
    recording_expect(&rig->device, "w10/4=12 w10/4=12 r14/2 r14/2 ");
}

static void stores_to_code_are_seen_after_the_page_is_protected(void **state)
{
    struct rig *rig = *state;
    store(rig, LINEAR + 0x40, 4, 1); /* the TLB now has a direct way to the page */
    uint64_t value = 1;
    assert_int_equal(try_access(rig, LINEAR + 0x40, 4, MMU_STORE, true, &value), NO_FAULT);
    memory_bus_mark_code(rig->bus, FRAME_A + 0x40, 8);
    mmu_protect_page(rig->mmu, FRAME_A);
    store(rig, LINEAR + 0x800, 4, 2); /* beside the code: not told, nor does it open the way again */
    assert_string_equal(rig->told, "");
    assert_int_equal(try_access(rig, LINEAR + 0x42, 1, MMU_STORE, true, &value), NO_FAULT);
    assert_string_equal(rig->told, "200042+1 ");
    memory_bus_mark_code(rig->bus, FRAME_A + 0x40, 8);
    mmu_protect_page(rig->mmu, FRAME_A);
    store(rig, LINEAR + 0x44, 4, 3);
    assert_string_equal(rig->told, "200042+1 200044+4 ");
    assert_int_equal(get32(rig, FRAME_A + 0x44), 3);
}

static void code_is_protected_under_each_of_its_addresses(void **state)
{
    struct rig *rig = *state;
    put32(rig, TABLE + 4, FRAME_A | PWU);
    mmu_flush(rig->mmu);
    store(rig, LINEAR, 4, 1);
    store(rig, LINEAR + PAGE_SIZE, 4, 1);
    memory_bus_mark_code(rig->bus, FRAME_A, 4);
    mmu_protect_page(rig->mmu, FRAME_A);
    store(rig, LINEAR + PAGE_SIZE, 4, 2);
    assert_string_equal(rig->told, "200000+4 ");
}

static void probing_has_no_side_effects(void **state)
{
    struct rig *rig = *state;
    rig->cpu.unwind = NULL;
    uint64_t phys = 0;
    assert_true(mmu_probe(rig->mmu, LINEAR + PAGE_SIZE + 5, &phys));
    assert_int_equal(phys, FRAME_B + 5);
    assert_int_equal(get32(rig, TABLE + 4), FRAME_B | PWU);
    assert_false(mmu_probe(rig->mmu, LINEAR + 0x400000, &phys));
    assert_int_equal(rig->cpu.cr2, 0);
    rig->cpu.cr0 &= ~(uint64_t)CR0_PG;
    assert_true(mmu_probe(rig->mmu, LINEAR, &phys));
    assert_int_equal(phys, LINEAR);
}

static void a20_applies_after_paging(void **state)
{
    struct rig *rig = *state;
    put32(rig, TABLE + 4, (FRAME_B | 0x100000) | PWU);
    assert_int_equal(FRAME_B & 0x100000, 0x100000);
    put32(rig, FRAME_B, 0xb);
    put32(rig, FRAME_B - 0x100000, 0xa);
    assert_int_equal(load(rig, LINEAR + PAGE_SIZE, 4), 0xb);
    memory_bus_set_a20(rig->bus, false);
    assert_int_equal(load(rig, LINEAR + PAGE_SIZE, 4), 0xa);
    memory_bus_set_a20(rig->bus, true);
    assert_int_equal(load(rig, LINEAR + PAGE_SIZE, 4), 0xb);
}

static void a_new_map_is_seen_at_once(void **state)
{
    struct rig *rig = *state;
    put32(rig, FRAME_A, 0xa);
    assert_int_equal(load(rig, LINEAR, 4), 0xa);
    memset(rig->rom, 0x5a, sizeof rig->rom);
    memory_bus_map_rom(rig->bus, FRAME_A, PAGE_SIZE, rig->rom);
    assert_int_equal(load(rig, LINEAR, 4), 0x5a5a5a5a);
}

/* CR3 may hold anything: tables in a hole read as ones, and nothing of the host is touched. */
static void tables_outside_memory_read_as_ones(void **state)
{
    struct rig *rig = *state;
    rig->cpu.cr3 = 0xfffff000;
    mmu_flush(rig->mmu);
    assert_int_equal(load(rig, LINEAR, 4), 0xffffffff);
    store(rig, LINEAR, 4, 0);
    assert_int_equal(translate(rig, LINEAR + 0x123), 0xfffff123);
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
    put64(rig, DIRECTORY + (LINEAR >> 30) * 8, 0);
    mmu_flush(rig->mmu);
    assert_int_equal(translate(rig, LINEAR), FRAME_A);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    expect_fault(rig, LINEAR, 4, MMU_LOAD, false, 0, LINEAR);
}

/* INVLPG takes away its page, all parts of a large one, and nothing else. */
static void invlpg_drops_one_page(void **state)
{
    struct rig *rig = *state;
    put32(rig, FRAME_A, 0xa);
    put32(rig, FRAME_B, 0xb);
    assert_int_equal(load(rig, LINEAR, 4), 0xa);
    assert_int_equal(load(rig, LINEAR + PAGE_SIZE, 4), 0xb);
    uint64_t generation = rig->mmu->generation;
    put32(rig, TABLE, FRAME_B | PWU);
    put32(rig, TABLE + 4, FRAME_A | PWU);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + 0x123);
    assert_int_equal(load(rig, LINEAR, 4), 0xb);
    assert_int_equal(load(rig, LINEAR + PAGE_SIZE, 4), 0xb); /* still the old translation */
    assert_int_equal(rig->mmu->generation, generation);
}

static void invlpg_drops_pages_without_execution(void **state)
{
    struct rig *rig = *state;
    rig->cpu.efer |= EFER_NXE;
    put64(rig, PAE_TABLE, FRAME_A | PWU | NX);
    put32(rig, FRAME_B, 0xb);
    assert_int_equal(load(rig, LINEAR, 4), 0);
    put64(rig, PAE_TABLE, FRAME_B | PWU | NX);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_equal(load(rig, LINEAR, 4), 0xb);
}

static void invlpg_drops_all_of_a_large_page(void **state)
{
    struct rig *rig = *state;
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    put32(rig, directory_entry, PWU | LARGE);
    put32(rig, FRAME_A, 0xa);
    assert_int_equal(load(rig, LINEAR + FRAME_A, 4), 0xa);
    put32(rig, directory_entry, 0);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    expect_fault(rig, LINEAR + FRAME_A, 4, MMU_LOAD, false, 0, LINEAR + FRAME_A);
}

static void invlpg_of_a_page_with_code_changes_the_generation(void **state)
{
    struct rig *rig = *state;
    uint64_t phys = 0;
    assert_int_equal(try_access(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
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
    put32(rig, TABLE, FRAME_A | PWU | GLOBAL);
    assert_int_equal(try_access(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_int_equal(try_access(rig, LINEAR + PAGE_SIZE, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_true(mmu_is_global(rig->mmu, LINEAR, false));
    assert_false(mmu_is_global(rig->mmu, LINEAR + PAGE_SIZE, false));
    uint64_t generation = rig->mmu->generation;
    uint64_t global = rig->mmu->global_generation;
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + PAGE_SIZE);
    assert_int_not_equal(rig->mmu->generation, generation);
    generation = rig->mmu->generation;
    cpu_write_control(&rig->cpu, 3, rig->cpu.cr3);
    assert_int_not_equal(rig->mmu->generation, generation);
    assert_int_equal(rig->mmu->global_generation, global);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_not_equal(rig->mmu->global_generation, global);
    assert_int_equal(rig->mmu->global_generation, rig->mmu->generation);
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

#define WITH_PAGING(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_PAE(test)    cmocka_unit_test_setup_teardown(test, set_up_pae, tear_down)

static void walks_flushes_and_control_registers_are_logged(void **state)
{
    struct rig *rig = *state;
    char *text = NULL;
    size_t size = 0;
    rig->log = (struct log){.enabled = 1u << LOG_MMU, .sink = open_memstream(&text, &size)};
    load(rig, LINEAR + 4, 4);
    load(rig, LINEAR + 8, 4); /* by the TLB */
    put32(rig, TABLE + 4, FRAME_B | P);
    expect_fault(rig, LINEAR + PAGE_SIZE, 4, MMU_STORE, true, CODE_P | CODE_W | CODE_U, LINEAR + PAGE_SIZE);
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
        WITH_PAGING(a20_applies_after_paging),
        WITH_PAGING(a_new_map_is_seen_at_once),
        WITH_PAGING(tables_outside_memory_read_as_ones),
        WITH_PAGING(the_cpus_own_accesses_go_the_same_way),
        WITH_PAGING(walks_flushes_and_control_registers_are_logged),
    };
    return cmocka_run_group_tests_name("mmu", tests, NULL, NULL);
}
