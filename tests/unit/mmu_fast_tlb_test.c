/* The TLB that translated code looks at: that its check hits exactly the accesses within a page, that a hit
 * is never stale whatever the guest changes, and that filling it shows nothing to the guest but what the
 * access itself would. Likewise the walk that takes its place under MMU_WALK. */
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
#include "mmu/mmu.h"
#include "mmu/plain_walk.h"
#include "page_entry.h"

#define RAM_SIZE ((uint64_t)0x800000)

/* The pages of the random tests: neighbours, one that shares a slot of the fast TLB with the first, one that
 * shares a slot of the software TLB, the last of all, and three of a large page. */
static const uint32_t pool[] = {0x40000000, 0x40001000, 0x40002000, 0x50000000, 0x40400000,
                                0xfffff000, 0x40800000, 0x40801000, 0x40bff000};
#define SMALL_PAGES      6u
#define LARGE_REGION     0x40800000u
#define DIRECTORY        0x10000u
#define FIRST_TABLE      0x11000u /* one for each 4 MiB region of the pool */
#define LARGE_FRAME      0x400000u
#define SWITCHABLE_FRAME 0x202000u /* RAM or ROM */
#define DEVICE_FRAME     0x203000u
#define A20              0x100000u

/* Two are the same with A20 off, and one is the first of the large page. */
static const uint32_t frames[] = {0x200000,    0x201000,         0x200000 | A20,
                                  LARGE_FRAME, SWITCHABLE_FRAME, DEVICE_FRAME};

struct rig {
    struct cpu_state cpu;
    struct log log;
    struct counters counters;
    struct memory_bus *bus;
    struct mmu *mmu;
    uint8_t *ram;
    uint8_t rom[PAGE_SIZE];
    jmp_buf unwind;
    uint64_t random;
    unsigned hits, mixed; /* seen by check_hits() */
    unsigned walked;      /* accesses that check_plain_walk() found */
};

static void flush_mmu(void *opaque)
{
    struct rig *rig = opaque;
    mmu_flush(rig->mmu);
}

static struct rig *rig_create(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->ram = calloc(1, RAM_SIZE);
    rig->random = 1;
    rig->cpu.log = &rig->log;
    rig->cpu.counters = &rig->counters;
    cpu_init(&rig->cpu, cpu_model_find("pentium3"));
    rig->bus = memory_bus_create(rig->ram, RAM_SIZE, rig->cpu.model->address_bits, &rig->log, &rig->counters);
    assert_non_null(rig->bus);
    memory_bus_map_ram(rig->bus, 0, RAM_SIZE, 0);
    rig->mmu = mmu_create(&rig->cpu, rig->bus);
    assert_non_null(rig->mmu);
    struct status status = mmu_enable_fast_tlb(rig->mmu);
    assert_true(status_is_ok(&status));
    struct memory_listener listener = {.map_changed = flush_mmu, .opaque = rig};
    memory_bus_set_listener(rig->bus, &listener);
    rig->cpu.unwind = &rig->unwind;
    return rig;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    mmu_destroy(rig->mmu);
    memory_bus_destroy(rig->bus);
    free(rig->ram);
    free(rig);
    return 0;
}

static int set_up(void **state)
{
    *state = rig_create();
    return 0;
}

static unsigned pick(struct rig *rig, unsigned count)
{
    rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rig->random >> 32) % count;
}

static uint8_t *directory_entry(struct rig *rig, uint32_t linear)
{
    return rig->ram + DIRECTORY + (linear >> 22) * 4;
}

/* The entry that maps one of the pool's pages. */
static uint8_t *leaf_entry(struct rig *rig, uint32_t linear)
{
    uint8_t *directory = directory_entry(rig, linear);
    bool large = load_le32(directory) & LARGE;
    return large ? directory
                 : rig->ram + (load_le32(directory) & ~(uint32_t)PAGE_MASK) + ((linear >> 12) & 0x3ff) * 4;
}

/* Tables for the pool: every small page is mapped, with all rights, onto the first frame. */
static int set_up_paging(void **state)
{
    struct rig *rig = rig_create();
    struct io_region device = {.name = "device", .base = DEVICE_FRAME, .length = PAGE_SIZE};
    struct status status = memory_bus_claim(rig->bus, &device);
    assert_true(status_is_ok(&status));
    uint32_t table = FIRST_TABLE;
    for (size_t i = 0; i < SMALL_PAGES; i++) {
        if (load_le32(directory_entry(rig, pool[i])) == 0) {
            store_le32(directory_entry(rig, pool[i]), table | PWU | A);
            table += PAGE_SIZE;
        }
        store_le32(leaf_entry(rig, pool[i]), frames[0] | PWU);
    }
    store_le32(directory_entry(rig, LARGE_REGION), LARGE_FRAME | PWU | LARGE);
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_AM);
    *state = rig;
    return 0;
}

static bool hits(const struct rig *rig, uint32_t linear, unsigned width, bool store, bool user)
{
    const struct fast_tlb *fast = rig->mmu->fast[user];
    return fast_tlb_hits(store ? fast->store : fast->load, linear, width);
}

static enum mmu_fast_result fill(struct rig *rig, uint32_t linear, unsigned width, bool store, bool user,
                                 uint8_t **host)
{
    *host = NULL;
    if (setjmp(rig->unwind) != 0) {
        fail_msg("filling raised exception %u", rig->cpu.exception.vector);
    }
    return mmu_fast_fill(rig->mmu, linear, width, store, user, host);
}

/* An access as the interpreter makes it; whether it went through. */
static bool interpreted_access(struct rig *rig, uint32_t linear, unsigned width, enum mmu_access access,
                               bool user)
{
    if (setjmp(rig->unwind) != 0) {
        return false;
    }
    switch (access) {
    case MMU_LOAD: mmu_load(rig->mmu, linear, width, user); break;
    case MMU_STORE: mmu_store(rig->mmu, linear, width, 0, user); break;
    case MMU_FETCH: mmu_fetch_address(rig->mmu, linear, user); break;
    }
    return true;
}

/* ---- the check */

static const unsigned widths[] = {1, 2, 4, 8, 10, 16, 64};

static bool access_is_within(uint32_t linear, unsigned width, uint32_t page)
{
    return (linear & ~(uint32_t)PAGE_MASK) == page && (linear & PAGE_MASK) + width <= PAGE_SIZE;
}

static void a_tag_hits_exactly_the_accesses_within_its_page(void **state)
{
    struct rig *rig = *state;
    uint32_t *tags = rig->mmu->fast[0]->load;
    static const uint32_t edges[] = {0, 0x1000, 0x7ffff000, 0x80000000, 0xfffff000, 0x0ffff000, 0x10000000};
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t page = round < ARRAY_COUNT(edges) ? edges[round] : pick(rig, 1u << 20) << 12;
        tags[fast_tlb_slot(page)] = -page;
        for (unsigned i = 0; i < 200; i++) {
            /* Some near the page, some in the pages that share its slot, some anywhere. */
            uint32_t offset = pick(rig, 2) ? pick(rig, 3 * PAGE_SIZE) - PAGE_SIZE : pick(rig, 32) - 16;
            uint32_t other = pick(rig, 4) ? page : (page & 0x0fffffff) | pick(rig, 16) << 28;
            uint32_t linear = pick(rig, 16) ? other + offset : pick(rig, UINT32_MAX);
            unsigned width = widths[pick(rig, ARRAY_COUNT(widths))];
            if (fast_tlb_hits(tags, linear, width) != access_is_within(linear, width, page)) {
                fail_msg("tag of %08x: %u bytes at %08x", page, width, linear);
            }
        }
        tags[fast_tlb_slot(page)] = fast_tlb_empty_tag(fast_tlb_slot(page));
    }
}

static void an_empty_slot_hits_nothing(void **state)
{
    struct rig *rig = *state;
    static const unsigned offsets[] = {0, 1, 2047, 4080, 4088, 4092, 4094, 4095};
    for (unsigned number = 0; number < 1u << 20; number++) {
        for (size_t i = 0; i < ARRAY_COUNT(offsets); i++) {
            uint32_t linear = number << 12 | offsets[i];
            if (hits(rig, linear, 1, false, false) || hits(rig, linear, 8, true, true) ||
                hits(rig, linear, 64, false, true)) {
                fail_msg("an access at %08x hits", linear);
            }
        }
    }
}

/* ---- never stale */

/* What an access would find by a fresh walk, all rules applied. */
struct truth {
    bool plain; /* memory that may be accessed, apart from marks and the D bit */
    bool dirty;
    bool accessed;
    uint8_t *host;
    const struct memory_page *page;
};

static struct truth look_up(struct rig *rig, uint32_t linear, bool store, bool user)
{
    uint32_t directory = load_le32(directory_entry(rig, linear));
    uint32_t leaf = load_le32(leaf_entry(rig, linear));
    uint32_t rights = directory & leaf;
    bool writable = (rights & W) || (!user && !(rig->cpu.cr0 & CR0_WP));
    if (!(rights & P) || (user && !(rights & U)) || (store && !writable) ||
        (user && rig->cpu.alignment_checks) ||
        ((rig->cpu.dr[7] & 1) && (rig->cpu.dr[0] ^ linear) <= (uint32_t)PAGE_MASK)) {
        return (struct truth){.plain = false};
    }
    uint32_t inside = leaf & LARGE ? 0x3fffff : (uint32_t)PAGE_MASK;
    uint32_t phys = (leaf & ~inside & ~(uint32_t)PAGE_MASK) | (linear & inside);
    const struct memory_page *page = memory_bus_page(rig->bus, phys);
    phys &= memory_bus_a20(rig->bus) ? UINT32_MAX : ~A20;
    if (page->region != NULL || (store && page->write == NULL)) {
        return (struct truth){.plain = false};
    }
    uint8_t *host = page->write == NULL ? rig->rom + (phys & PAGE_MASK) : rig->ram + phys;
    return (struct truth){.plain = true, .dirty = leaf & D, .accessed = leaf & A, .host = host, .page = page};
}

/* A mixed page must be plain memory that stores may go to, and its marks its own. */
static void check_mixed(struct rig *rig, uint32_t page, bool user)
{
    const struct fast_tlb *fast = rig->mmu->fast[user];
    const struct mixed_page *mixed = &fast->mixed[page / PAGE_SIZE % MIXED_PAGES];
    if (mixed->tag != -page) {
        return;
    }
    struct truth truth = look_up(rig, page, true, user);
    rig->mixed++;
    if (!truth.plain || !truth.dirty || mixed->addend + page != (uintptr_t)truth.host ||
        mixed->marks + page / 8 != (uintptr_t)truth.page->code_bytes) {
        fail_msg("stale: %08x is a mixed page", page);
    }
}

/* Every access that hits now, in either TLB, must be right. */
static void check_hits(struct rig *rig)
{
    for (size_t i = 0; i < ARRAY_COUNT(pool); i++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            bool user = kind & 1;
            bool store = kind & 2;
            check_mixed(rig, pool[i], user);
            uint32_t linear = pool[i] + pick(rig, PAGE_SIZE - 3);
            bool fast_hits = hits(rig, linear, 4, store, user);
            const struct tlb_entry *entry = mmu_entry(rig->mmu, linear, user);
            bool soft_hits = (store ? entry->store_tag : entry->load_tag) == pool[i];
            if (!fast_hits && !soft_hits) {
                continue;
            }
            struct truth truth = look_up(rig, linear, store, user);
            uint64_t host = (uintptr_t)truth.host;
            bool right =
                truth.plain && truth.accessed && (!store || (truth.dirty && truth.page->code_lines == 0));
            right &= !fast_hits || rig->mmu->fast[user]->addend[fast_tlb_slot(linear)] + linear == host;
            right &= !soft_hits || (uintptr_t)entry->host + (linear & PAGE_MASK) == host;
            rig->hits += fast_hits;
            if (!right) {
                fail_msg("stale: a %s %s at %08x hits the %s TLB", user ? "user" : "supervisor",
                         store ? "store" : "load", linear, fast_hits ? "fast" : "software");
            }
        }
    }
}

static bool has_code(const struct memory_page *page, uint32_t linear, unsigned width)
{
    unsigned offset = linear & PAGE_MASK;
    for (unsigned i = 0; i < width; i++) {
        if (page->code_bytes[(offset + i) / 64] >> ((offset + i) % 64) & 1) {
            return true;
        }
    }
    return false;
}

/* What mmu_fast_fill() must answer. */
static enum mmu_fast_result expected_result(const struct rig *rig, const struct truth *truth, uint32_t linear,
                                            unsigned width, bool store)
{
    if (!truth->plain || (linear & PAGE_MASK) + width > PAGE_SIZE) {
        return MMU_FAST_NOT;
    }
    if (store && truth->page->code_lines != 0) {
        return has_code(truth->page, linear, width) ? MMU_FAST_NOT : MMU_FAST_DIRECT;
    }
    return rig->mmu->strategy == MMU_WALK ? MMU_FAST_DIRECT : MMU_FAST_FILLED;
}

/* The walk of translated code finds the memory exactly where no bit has to be set and nobody be told, and
 * changes nothing. */
static void check_plain_walk(struct rig *rig, uint32_t linear, unsigned width, bool store, bool user)
{
    mmu_plain_walk *const functions[2][2] = {{mmu_plain_load, mmu_plain_store},
                                             {mmu_plain_user_load, mmu_plain_user_store}};
    struct truth truth = look_up(rig, linear, store, user);
    uint32_t directory = load_le32(directory_entry(rig, linear));
    uint32_t leaf = load_le32(leaf_entry(rig, linear));
    unsigned alignment_bits = pick(rig, 4) == 0 ? 15 : 0;
    bool expected = truth.plain && truth.accessed && (directory & A) && (truth.dirty || !store) &&
                    (linear & PAGE_MASK) + width <= PAGE_SIZE && !(linear & alignment_bits) &&
                    !(store && truth.page->code_lines != 0 && has_code(truth.page, linear, width)) &&
                    !(rig->cpu.pending & CPU_PENDING_DEBUG);
    uint64_t walks = rig->counters.value[COUNTER_PAGE_WALKS];
    uint8_t *host = functions[user][store](rig->mmu, linear, plain_walk_access(width, alignment_bits));
    assert_ptr_equal(host, expected ? truth.host : NULL);
    assert_true(rig->counters.value[COUNTER_PAGE_WALKS] - walks == 1 || host == NULL);
    assert_int_equal(load_le32(directory_entry(rig, linear)), directory);
    assert_int_equal(load_le32(leaf_entry(rig, linear)), leaf);
    rig->walked += host != NULL;
}

static void check_fill(struct rig *rig)
{
    bool user = pick(rig, 2);
    bool store = pick(rig, 2);
    unsigned width = widths[pick(rig, ARRAY_COUNT(widths))];
    uint32_t linear = pool[pick(rig, ARRAY_COUNT(pool))];
    linear += pick(rig, 4) ? pick(rig, PAGE_SIZE) : (uint32_t)PAGE_SIZE - width + pick(rig, 2);
    struct truth truth = look_up(rig, linear, store, user);
    uint8_t *host = NULL;
    check_plain_walk(rig, linear, width, store, user);
    enum mmu_fast_result result = fill(rig, linear, width, store, user, &host);
    enum mmu_fast_result expected = expected_result(rig, &truth, linear, width, store);
    if (result != expected) {
        fail_msg("%u bytes at %08x (%s %s): expected %d, got %d", width, linear, user ? "user" : "supervisor",
                 store ? "store" : "load", expected, result);
    }
    if (result != MMU_FAST_NOT) {
        struct truth after = look_up(rig, linear, store, user);
        assert_true(after.accessed && (after.dirty || !store));
        assert_true(result == MMU_FAST_FILLED || host == truth.host);
    }
    assert_int_equal(hits(rig, linear, width, store, user), result == MMU_FAST_FILLED);
    check_plain_walk(rig, linear, width, store, user);
}

static uint32_t random_entry(struct rig *rig)
{
    static const uint32_t flags[] = {PWU,           PWU | A | D, PWU | A, P | U,
                                     P | U | A | D, P | W,       P,       W | U | A | D};
    return frames[pick(rig, ARRAY_COUNT(frames))] | flags[pick(rig, ARRAY_COUNT(flags))] |
           (pick(rig, 3) ? 0 : GLOBAL);
}

static void invalidate(struct rig *rig, uint32_t linear)
{
    rig->cpu.memory_ops->flush_page(&rig->cpu, linear);
}

static void change_pages(struct rig *rig)
{
    if (pick(rig, 4) != 0) {
        uint32_t linear = pool[pick(rig, SMALL_PAGES)];
        store_le32(leaf_entry(rig, linear), random_entry(rig));
        invalidate(rig, linear + pick(rig, PAGE_SIZE));
        return;
    }
    for (unsigned i = 0; i < SMALL_PAGES; i++) {
        uint32_t old = load_le32(leaf_entry(rig, pool[i]));
        store_le32(leaf_entry(rig, pool[i]), random_entry(rig));
        if (old & GLOBAL) {
            invalidate(rig, pool[i]);
        }
    }
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
}

static void change_large_page(struct rig *rig)
{
    static const uint32_t flags[] = {PWU, P | U, P | W | A | D, 0, PWU | GLOBAL, P | GLOBAL};
    store_le32(directory_entry(rig, LARGE_REGION),
               (pick(rig, 2) ? LARGE_FRAME : 0) | LARGE | flags[pick(rig, ARRAY_COUNT(flags))]);
    invalidate(rig, LARGE_REGION + pick(rig, 0x400000));
}

static void mark_code(struct rig *rig)
{
    uint64_t phys = memory_bus_effective(rig->bus, frames[pick(rig, ARRAY_COUNT(frames) - 1)]);
    bool first = memory_bus_page(rig->bus, phys)->code_lines == 0;
    memory_bus_mark_code(rig->bus, phys + pick(rig, 0x800), 1 + pick(rig, 0x800));
    if (first) {
        mmu_protect_page(rig->mmu, phys);
    }
}

/* A device writes over it. */
static void overwrite_code(struct rig *rig)
{
    uint8_t bytes[PAGE_SIZE] = {0};
    memory_bus_write_block(rig->bus, frames[pick(rig, ARRAY_COUNT(frames) - 1)], bytes, sizeof bytes);
}

static void change_map(struct rig *rig)
{
    if (pick(rig, 2)) {
        memory_bus_map_rom(rig->bus, SWITCHABLE_FRAME, PAGE_SIZE, rig->rom);
    } else {
        memory_bus_map_ram(rig->bus, SWITCHABLE_FRAME, PAGE_SIZE, SWITCHABLE_FRAME);
    }
}

static void change_a20(struct rig *rig)
{
    memory_bus_set_a20(rig->bus, !memory_bus_a20(rig->bus));
}

static void change_watch(struct rig *rig)
{
    cpu_write_debug(&rig->cpu, 7, 0);
    if (pick(rig, 2)) {
        uint32_t linear = pool[pick(rig, ARRAY_COUNT(pool))] + (pick(rig, PAGE_SIZE) & ~3u);
        cpu_write_debug(&rig->cpu, 0, linear);
        cpu_write_debug(&rig->cpu, 7, 1u | (pick(rig, 2) ? 0xdu : 0xfu) << 16); /* four bytes */
    }
}

static void change_alignment_checks(struct rig *rig)
{
    rig->cpu.eflags_other ^= EFLAGS_AC;
    cpu_update_alignment_checks(&rig->cpu);
}

static void change_write_protection(struct rig *rig)
{
    cpu_write_control(&rig->cpu, 0, rig->cpu.cr0 ^ CR0_WP);
}

static void change_global_pages(struct rig *rig)
{
    cpu_write_control(&rig->cpu, 4, rig->cpu.cr4 ^ CR4_PGE);
}

static void change_strategy(struct rig *rig)
{
    mmu_set_strategy(rig->mmu, pick(rig, 4) == 0 ? MMU_WALK : MMU_SOFTTLB);
}

static void interpret(struct rig *rig)
{
    static const enum mmu_access accesses[] = {MMU_LOAD, MMU_STORE, MMU_FETCH};
    for (unsigned i = 0; i < 8; i++) {
        uint32_t linear = pool[pick(rig, ARRAY_COUNT(pool))] + pick(rig, PAGE_SIZE - 3);
        interpreted_access(rig, linear, 4, accesses[pick(rig, 3)], pick(rig, 2));
    }
}

static void a_hit_is_never_stale(void **state)
{
    struct rig *rig = *state;
    static void (*const changes[])(struct rig *) = {change_pages,
                                                    change_pages,
                                                    change_pages,
                                                    change_large_page,
                                                    mark_code,
                                                    mark_code,
                                                    overwrite_code,
                                                    interpret,
                                                    change_map,
                                                    change_a20,
                                                    change_watch,
                                                    change_strategy,
                                                    interpret,
                                                    change_alignment_checks,
                                                    change_write_protection,
                                                    overwrite_code,
                                                    change_global_pages};
    for (unsigned round = 0; round < 100000; round++) {
        for (unsigned fills = pick(rig, 24); fills > 0; fills--) {
            check_fill(rig);
        }
        changes[pick(rig, ARRAY_COUNT(changes))](rig);
        check_hits(rig);
    }
    assert_true(rig->hits > 100000 && rig->mixed > 1000 && rig->walked > 100000);
}

/* Pages whose slots are spread over the whole TLB, twice as many as it has ways to note them in words. */
static void a_flush_forgets_every_page(void **state)
{
    struct rig *rig = *state;
    uint8_t *host = NULL;
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t linear = 0; linear < RAM_SIZE; linear += PAGE_SIZE) {
            assert_int_equal(fill(rig, linear, 4, true, round & 1, &host), MMU_FAST_FILLED);
            assert_true(hits(rig, linear, 4, true, round & 1) && hits(rig, linear, 4, false, round & 1));
        }
        mmu_flush(rig->mmu);
        an_empty_slot_hits_nothing(state);
    }
}

/* Which of two pages, the first of them global, is still known. */
static void expect_known(struct rig *rig, bool first, bool second)
{
    uint8_t *host = NULL;
    assert_int_equal(hits(rig, pool[0], 4, true, true), first);
    assert_int_equal(hits(rig, pool[1], 4, true, true), second);
    uint64_t walks = rig->counters.value[COUNTER_PAGE_WALKS];
    assert_int_equal(fill(rig, pool[0], 4, true, true, &host), MMU_FAST_FILLED);
    assert_int_equal(fill(rig, pool[1], 4, true, true, &host), MMU_FAST_FILLED);
    assert_int_equal(rig->counters.value[COUNTER_PAGE_WALKS] - walks, !first + !second);
}

static void global_pages_stay_when_cr3_is_loaded(void **state)
{
    struct rig *rig = *state;
    store_le32(leaf_entry(rig, pool[0]), frames[0] | PWU | GLOBAL);
    expect_known(rig, false, false);
    store_le32(leaf_entry(rig, pool[0]), frames[0] | PWU | GLOBAL); /* what has not changed would come back */
    store_le32(leaf_entry(rig, pool[1]), frames[0] | PWU);
    cpu_write_control(&rig->cpu, 3, DIRECTORY); /* they are not enabled yet */
    expect_known(rig, false, false);
    cpu_write_control(&rig->cpu, 4, CR4_PSE | CR4_PGE);
    expect_known(rig, false, false);
    for (unsigned i = 0; i < 3; i++) {
        store_le32(leaf_entry(rig, pool[1]), frames[i] | PWU);
        cpu_write_control(&rig->cpu, 3, DIRECTORY);
        expect_known(rig, true, false);
    }
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    expect_known(rig, true, true);
    invalidate(rig, pool[0]);
    expect_known(rig, false, true);
    cpu_write_control(&rig->cpu, 4, CR4_PSE);
    expect_known(rig, false, false);
}

/* More pages than the mmu keeps a list of were met since the last flush. */
static void a_load_of_cr3_forgets_other_pages_however_many(void **state)
{
    struct rig *rig = *state;
    store_le32(leaf_entry(rig, pool[0]), frames[0] | PWU | GLOBAL);
    cpu_write_control(&rig->cpu, 4, CR4_PSE | CR4_PGE);
    expect_known(rig, false, false);
    for (unsigned i = 0; i < 2 * TLB_FILLED; i++) {
        assert_true(interpreted_access(rig, pool[2], 4, MMU_LOAD, false));
        invalidate(rig, pool[2]);
    }
    assert_true(interpreted_access(rig, pool[1], 4, MMU_LOAD, false));
    store_le32(leaf_entry(rig, pool[1]), 0);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    assert_false(interpreted_access(rig, pool[1], 4, MMU_LOAD, false));
}

/* ---- what the guest sees */

/* Every combination of rights, privilege, kind and state of the leaf, on two machines: one fills, the other
 * accesses. The tables end up the same, and nothing was raised. */
static void filling_changes_the_tables_as_the_access_does(void **state)
{
    struct rig *rig = *state;
    void *other_state = NULL;
    set_up_paging(&other_state);
    struct rig *other = other_state;
    for (unsigned bits = 0; bits < 1024; bits++) {
        uint32_t directory = FIRST_TABLE | (bits & 1 ? W : 0) | (bits & 2 ? U : 0) | P;
        uint32_t leaf = frames[bits & 4 ? 5 : 0] | (bits & 8 ? W : 0) | (bits & 16 ? U : 0) |
                        (bits & 32 ? P : 0) | (bits & 64 ? A : 0) | (bits & 128 ? D : 0);
        bool user = bits & 256;
        bool store = bits & 512;
        struct rig *both[] = {rig, other};
        for (unsigned i = 0; i < 2; i++) {
            store_le32(directory_entry(both[i], pool[0]), directory);
            store_le32(leaf_entry(both[i], pool[0]), leaf);
            cpu_write_control(&both[i]->cpu, 0, both[i]->cpu.cr0 | CR0_WP);
            mmu_flush(both[i]->mmu);
        }
        uint8_t *host = NULL;
        enum mmu_fast_result result = fill(rig, pool[0] + 8, 4, store, user, &host);
        bool allowed = interpreted_access(other, pool[0] + 8, 4, store ? MMU_STORE : MMU_LOAD, user);
        bool device = bits & 4;
        assert_int_equal(result, allowed && !device ? MMU_FAST_FILLED : MMU_FAST_NOT);
        assert_memory_equal(rig->ram + DIRECTORY, other->ram + DIRECTORY, PAGE_SIZE);
        assert_memory_equal(rig->ram + FIRST_TABLE, other->ram + FIRST_TABLE, PAGE_SIZE);
    }
    assert_int_equal(rig->cpu.cr2, 0);
    tear_down(&other_state);
}

static void a_load_does_not_open_a_clean_page_for_stores(void **state)
{
    struct rig *rig = *state;
    uint8_t *host = NULL;
    assert_int_equal(fill(rig, pool[0], 4, false, true, &host), MMU_FAST_FILLED);
    assert_false(hits(rig, pool[0], 4, true, true));
    assert_int_equal(load_le32(leaf_entry(rig, pool[0])), frames[0] | PWU | A);
    assert_int_equal(fill(rig, pool[0], 4, true, true, &host), MMU_FAST_FILLED);
    assert_int_equal(load_le32(leaf_entry(rig, pool[0])), frames[0] | PWU | A | D);
    assert_true(hits(rig, pool[0], 4, false, true)); /* a store opens the page for loads too */
}

static void what_the_software_tlb_knows_is_not_walked_for(void **state)
{
    struct rig *rig = *state;
    uint8_t *host = NULL;
    assert_true(interpreted_access(rig, pool[0], 4, MMU_STORE, false));
    assert_true(interpreted_access(rig, pool[0], 4, MMU_STORE, false)); /* dirty: the way is open now */
    uint64_t walks = rig->counters.value[COUNTER_PAGE_WALKS];
    assert_int_equal(fill(rig, pool[0], 4, true, false, &host), MMU_FAST_FILLED);
    assert_int_equal(fill(rig, pool[0], 4, false, false, &host), MMU_FAST_FILLED);
    assert_int_equal(rig->counters.value[COUNTER_PAGE_WALKS], walks);
}

/* ---- walking at every access */

static void walking_leaves_no_tags(void **state)
{
    struct rig *rig = *state;
    mmu_set_strategy(rig->mmu, MMU_WALK);
    for (unsigned i = 0; i < 200; i++) {
        check_fill(rig);
        interpret(rig);
    }
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            const struct tlb_entry *entry = &rig->mmu->tlb[user][i];
            assert_true((entry->load_tag & entry->store_tag & entry->fetch_tag & entry->direct_tag) ==
                        TLB_INVALID);
        }
    }
    an_empty_slot_hits_nothing(state);
    assert_int_equal(rig->counters.value[COUNTER_FAST_TLB_FILLS], 0);
}

static void walking_sees_new_entries_without_being_told(void **state)
{
    struct rig *rig = *state;
    uint8_t *host = NULL;
    mmu_set_strategy(rig->mmu, MMU_WALK);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t frame = frames[i % 2];
        store_le32(leaf_entry(rig, pool[0]), frame | PWU);
        store_le32(rig->ram + frame + 4, 0x100 + i);
        assert_int_equal(fill(rig, pool[0] + 4, 4, i & 2, true, &host), MMU_FAST_DIRECT);
        assert_ptr_equal(host, rig->ram + frame + 4);
        assert_int_equal(load_le32(leaf_entry(rig, pool[0])), frame | PWU | A | (i & 2 ? D : 0));
        assert_int_equal(mmu_load(rig->mmu, pool[0] + 4, 4, false), 0x100 + i);
        assert_int_equal(mmu_fetch_address(rig->mmu, pool[0] + 4, false), frame + 4);
        store_le32(leaf_entry(rig, pool[0]), frame | P | U);
        assert_int_equal(fill(rig, pool[0] + 4, 4, true, true, &host), MMU_FAST_NOT);
        assert_false(interpreted_access(rig, pool[0] + 4, 4, MMU_STORE, true));
    }
}

#define PLAIN(test)       cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_PAGING(test) cmocka_unit_test_setup_teardown(test, set_up_paging, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_tag_hits_exactly_the_accesses_within_its_page),
        PLAIN(an_empty_slot_hits_nothing),
        WITH_PAGING(a_hit_is_never_stale),
        PLAIN(a_flush_forgets_every_page),
        WITH_PAGING(global_pages_stay_when_cr3_is_loaded),
        WITH_PAGING(a_load_of_cr3_forgets_other_pages_however_many),
        WITH_PAGING(filling_changes_the_tables_as_the_access_does),
        WITH_PAGING(a_load_does_not_open_a_clean_page_for_stores),
        WITH_PAGING(what_the_software_tlb_knows_is_not_walked_for),
        WITH_PAGING(walking_leaves_no_tags),
        WITH_PAGING(walking_sees_new_entries_without_being_told),
    };
    return cmocka_run_group_tests_name("fast TLB", tests, NULL, NULL);
}
