/* The software TLB and its slow paths; see mmu.h. */
#include "mmu/mmu.h"

#include <stdlib.h>

#include "cpu/cpu.h"
#include "cpu/debug_registers.h"
#include "cpu/probe.h"
#include "mmu/spaces.h"
#include "mmu/tlb_fill.h"
#include "mmu/view.h"

static const struct tlb_entry empty_entry = {.load_tag = TLB_INVALID,
                                             .store_tag = TLB_INVALID,
                                             .direct_tag = TLB_INVALID,
                                             .fetch_tag = TLB_INVALID,
                                             .phys = TLB_INVALID};

static bool paging_is_on(const struct mmu *mmu)
{
    return (mmu->cpu->cr0 & CR0_PG) != 0;
}

/* -d mmu: `walk` NULL is a fault with this error code. */
static void log_walk(const struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user,
                     const struct paging_result *walk, uint32_t error_code)
{
    static const char *const accesses[] = {[MMU_LOAD] = "load", [MMU_STORE] = "store", [MMU_FETCH] = "fetch"};
    if (!log_is_enabled(mmu->cpu->log, LOG_MMU)) {
        return;
    }
    char text[64];
    if (walk != NULL) {
        snprintf(text, sizeof text, "%08llx %s%s%s", (unsigned long long)walk->phys,
                 walk->writable ? "writable" : "read-only", walk->executable ? "" : " no-execute",
                 walk->dirty ? " dirty" : "");
    } else {
        snprintf(text, sizeof text, "page fault, error code %04x", error_code);
    }
    log_printf(mmu->cpu->log, LOG_MMU, "walk %08x for a %s %s: %s", (unsigned)linear,
               user ? "user" : "supervisor", accesses[access], text);
}

bool mmu_try_translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user,
                       struct paging_result *result, uint32_t *error_code)
{
    if (!paging_is_on(mmu)) {
        *result = (struct paging_result){
            .phys = linear & 0xffffffffu, .writable = true, .executable = true, .dirty = true};
        return true;
    }
    counter_add(mmu->cpu->counters, COUNTER_PAGE_WALKS, 1);
    bool found = paging_walk(mmu, linear, access, user, true, result, error_code);
    if (found) {
        log_walk(mmu, linear, access, user, result, 0);
    }
    return found;
}

static struct paging_result translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user)
{
    struct paging_result result;
    uint32_t error_code;
    if (!mmu_try_translate(mmu, linear, access, user, &result, &error_code)) {
        log_walk(mmu, linear, access, user, NULL, error_code);
        cpu_raise_page_fault(mmu->cpu, linear & 0xffffffffu, error_code);
    }
    return result;
}

static void set_bit(uint64_t *set, uint64_t bit)
{
    set[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static bool bit_is_set(const uint64_t *set, uint64_t bit)
{
    return set[bit / 64] >> (bit % 64) & 1;
}

/* Keeps a list of used slots, so that a flush need not sweep the whole TLB. */
static void remember_slot(struct tlb_fills *fills, uint64_t slot)
{
    if (fills->count < TLB_FILLED) {
        fills->slot[fills->count] = (uint16_t)slot;
    }
    fills->count += fills->count <= TLB_FILLED;
}

static uint64_t stored_page(uint64_t phys)
{
    return (phys >> PAGE_SHIFT) % STORED_PAGES;
}

void mmu_open_for_stores(struct mmu *mmu, struct tlb_entry *entry)
{
    entry->store_tag = entry->direct_tag;
    set_bit(mmu->stored_pages, stored_page(entry->phys));
}

bool mmu_page_needs_care(const struct mmu *mmu, uint64_t linear, bool user)
{
    return (user && mmu->cpu->alignment_checks) ||
           ((mmu->cpu->pending & CPU_PENDING_DEBUG) && cpu_page_is_watched(mmu->cpu, linear & ~PAGE_MASK)) ||
           (cpu_probe_has_watches(mmu->cpu) && cpu_probe_watches_page(mmu->cpu, linear));
}

bool mmu_frame_needs_care(const struct mmu *mmu, uint64_t phys)
{
    return cpu_probe_has_loads(mmu->cpu) && cpu_probe_watches_frame(mmu->cpu, phys);
}

static struct tlb_entry *enter_page(struct mmu *mmu, uint64_t linear, bool user,
                                    const struct paging_result *result)
{
    uint64_t phys = memory_bus_effective(mmu->bus, result->phys);
    const struct memory_page *page = memory_bus_page(mmu->bus, phys);
    uint64_t tag = linear & 0xffffffffu & ~PAGE_MASK;
    struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    if (mmu->strategy == MMU_WALK) {
        *entry = empty_entry;
        entry->phys = phys & ~PAGE_MASK;
        return entry;
    }
    struct tlb_fills *fills = &mmu->fills[result->global];
    remember_slot(fills, (unsigned)user << TLB_BITS | ((linear >> PAGE_SHIFT) & (TLB_ENTRIES - 1)));
    if (result->large) {
        set_bit(fills->large_regions, tag >> LARGE_REGION_SHIFT);
    }
    bool careful = mmu_page_needs_care(mmu, tag, user) || mmu_frame_needs_care(mmu, phys);
    bool store_direct =
        !careful && page->write != NULL && page->write == page->read && result->writable && result->dirty;
    *entry = (struct tlb_entry){
        .load_tag = page->read != NULL && !careful ? tag : TLB_INVALID,
        .store_tag = TLB_INVALID,
        .direct_tag = store_direct ? tag : TLB_INVALID,
        .page = page,
        .fetch_tag = result->executable ? tag : TLB_INVALID,
        .host = page->read,
        .phys = phys & ~PAGE_MASK,
        .global = result->global,
    };
    if (store_direct && page->code_lines == 0) {
        mmu_open_for_stores(mmu, entry);
    }
    return entry;
}

struct tlb_entry *mmu_remember(struct mmu *mmu, uint64_t linear, bool user,
                               const struct paging_result *result)
{
    uint32_t page = (uint32_t)(linear & ~PAGE_MASK);
    if (mmu->strategy != MMU_WALK) {
        counter_add(mmu->cpu->counters, COUNTER_TLB_FILLS, 1);
        views_note_page(mmu, page, user, result->large || !paging_is_on(mmu));
        if (!result->global && paging_is_on(mmu)) {
            spaces_note_page(mmu, page, user, result);
        }
    }
    return enter_page(mmu, linear, user, result);
}

void mmu_put_back(struct mmu *mmu, uint32_t linear, bool user, const struct paging_result *result)
{
    const struct tlb_entry *entry = enter_page(mmu, linear, user, result);
    if (mmu->fast[user] != NULL && entry->load_tag == linear) {
        fast_tlb_set(mmu, entry, linear, user);
    }
}

static struct tlb_entry *fill(struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user)
{
    struct paging_result result = translate(mmu, linear, access, user);
    return mmu_remember(mmu, linear, user, &result);
}

uint64_t mmu_translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user)
{
    return translate(mmu, linear, access, user).phys;
}

bool mmu_probe(const struct mmu *mmu, uint64_t linear, uint64_t *phys)
{
    struct paging_result result = {.phys = linear & 0xffffffffu};
    uint32_t error_code = 0;
    if (paging_is_on(mmu) && !paging_walk(mmu, linear, MMU_LOAD, false, false, &result, &error_code)) {
        return false;
    }
    *phys = result.phys;
    return true;
}

static uint64_t generation_of(const struct mmu *mmu, bool global)
{
    return global ? mmu->global_generation : mmu->generation;
}

static struct mmu_fetches *fetches_around(struct mmu *mmu, uint64_t linear, bool global)
{
    return &mmu->fetches[global][(uint32_t)linear >> PAGE_SHIFT >> 6];
}

/* Returns whether it was not known. */
static bool mark_fetch(struct mmu *mmu, uint64_t linear, bool global, uint64_t generation)
{
    struct mmu_fetches *fetches = fetches_around(mmu, linear, global);
    uint64_t bit = (uint64_t)1 << (linear >> PAGE_SHIFT) % 64;
    if (fetches->generation != generation) {
        *fetches = (struct mmu_fetches){.generation = generation};
    }
    bool is_new = !(fetches->pages & bit);
    fetches->pages |= bit;
    return is_new;
}

/* Engines remember where a page's code is as long as the generation lasts. */
static void remember_fetch(struct mmu *mmu, uint64_t linear, bool user, const struct tlb_entry *entry)
{
    bool global = entry->global;
    if (mark_fetch(mmu, linear, global, generation_of(mmu, global)) && !global && paging_is_on(mmu)) {
        spaces_note_fetch(mmu, (uint32_t)(linear & ~PAGE_MASK), user, entry->phys);
    }
}

void mmu_put_back_fetch(struct mmu *mmu, uint32_t linear, uint64_t generation)
{
    (void)mark_fetch(mmu, linear, false, generation);
}

static bool was_fetched_from(struct mmu *mmu, uint64_t linear, bool global)
{
    const struct mmu_fetches *fetches = fetches_around(mmu, linear, global);
    return fetches->generation == generation_of(mmu, global) &&
           (fetches->pages >> (linear >> PAGE_SHIFT) % 64 & 1);
}

bool mmu_is_global(struct mmu *mmu, uint64_t linear, bool user)
{
    const struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    return entry->fetch_tag == (linear & ~PAGE_MASK) && entry->global;
}

bool mmu_load_is_global(struct mmu *mmu, uint64_t linear)
{
    const struct tlb_entry *entry = mmu_entry(mmu, linear, false);
    return entry->load_tag == (linear & 0xffffffffu & ~PAGE_MASK) && entry->global;
}

uint64_t mmu_fetch_address(struct mmu *mmu, uint64_t linear, bool user)
{
    const struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    if (entry->fetch_tag != (linear & ~PAGE_MASK)) {
        fill(mmu, linear, MMU_FETCH, user);
    }
    remember_fetch(mmu, linear, user, entry);
    return entry->phys | (linear & PAGE_MASK);
}

bool mmu_try_fetch(struct mmu *mmu, uint64_t linear, bool user, uint64_t *phys)
{
    const struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    if (entry->fetch_tag != (linear & ~PAGE_MASK)) {
        struct paging_result result;
        uint32_t error_code;
        if (!mmu_try_translate(mmu, linear, MMU_FETCH, user, &result, &error_code)) {
            return false;
        }
        mmu_remember(mmu, linear, user, &result);
    }
    remember_fetch(mmu, linear, user, entry);
    *phys = entry->phys | (linear & PAGE_MASK);
    return true;
}

/* Every access that a data breakpoint or a watch could meet comes by here, when nothing can stop it any more.
 */
static inline void note_access(struct mmu *mmu, uint64_t linear, unsigned width, bool write)
{
    if (mmu->cpu->pending & CPU_PENDING_DEBUG) {
        cpu_note_access(mmu->cpu, linear, width, write);
    }
    if (cpu_probe_has_watches(mmu->cpu)) {
        cpu_probe_note_access(mmu->cpu, linear, width, write);
    }
}

/* A load that comes by here as well, or the part of it that is in one page. */
static inline void note_load(struct mmu *mmu, uint64_t phys, unsigned length)
{
    if (cpu_probe_has_loads(mmu->cpu)) {
        cpu_probe_note_load(mmu->cpu, phys, length);
    }
}

/* Bytes of an access that lie in the page of `linear`. */
static unsigned bytes_in_page(uint64_t linear, unsigned width)
{
    unsigned room = (unsigned)(PAGE_SIZE - (linear & PAGE_MASK));
    return width < room ? width : room;
}

uint64_t mmu_load_slow(struct mmu *mmu, uint64_t linear, unsigned width, bool user)
{
    linear &= 0xffffffffu;
    unsigned first = bytes_in_page(linear, width);
    const struct tlb_entry *entry = fill(mmu, linear, MMU_LOAD, user);
    uint64_t phys = entry->phys | (linear & PAGE_MASK);
    if (first == width) {
        note_access(mmu, linear, width, false);
        note_load(mmu, phys, width);
        return entry->load_tag == (linear & ~PAGE_MASK) ? load_le(entry->host + (linear & PAGE_MASK), width)
                                                        : memory_bus_read(mmu->bus, phys, width);
    }
    uint64_t next = fill(mmu, (linear + first) & 0xffffffffu, MMU_LOAD, user)->phys;
    note_access(mmu, linear, width, false);
    note_load(mmu, phys, first);
    note_load(mmu, next, width - first);
    uint64_t low = 0;
    uint64_t high = 0;
    for (unsigned i = 0; i < first; i++) {
        low |= memory_bus_read(mmu->bus, phys + i, 1) << (8 * i);
    }
    for (unsigned i = first; i < width; i++) {
        high |= memory_bus_read(mmu->bus, next + i - first, 1) << (8 * i);
    }
    return low | high;
}

/* A store to a page whose translation is known, but which holds code. */
static void store_beside_code(struct mmu *mmu, struct tlb_entry *entry, uint64_t linear, unsigned width,
                              uint64_t value, bool user)
{
    uint64_t phys = entry->phys | (linear & PAGE_MASK);
    memory_bus_note_write(mmu->bus, phys, width);
    store_le(entry->host + (linear & PAGE_MASK), width, value);
    if (memory_bus_page(mmu->bus, phys)->code_lines == 0) {
        mmu_open_for_stores(mmu, entry);
        if (mmu->fast[user] != NULL) {
            fast_tlb_drop_page(mmu->fast[user], (uint32_t)linear);
        }
    }
}

void mmu_store_slow(struct mmu *mmu, uint64_t linear, unsigned width, uint64_t value, bool user)
{
    linear &= 0xffffffffu;
    unsigned first = bytes_in_page(linear, width);
    struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    if (first == width && entry->direct_tag == (linear & ~PAGE_MASK)) {
        store_beside_code(mmu, entry, linear, width, value, user);
        return;
    }
    entry = fill(mmu, linear, MMU_STORE, user);
    uint64_t phys = entry->phys | (linear & PAGE_MASK);
    if (first == width) {
        note_access(mmu, linear, width, true);
        if (entry->store_tag == (linear & ~PAGE_MASK)) {
            store_le(entry->host + (linear & PAGE_MASK), width, value);
        } else {
            memory_bus_write(mmu->bus, phys, width, value);
        }
        return;
    }
    uint64_t next = fill(mmu, (linear + first) & 0xffffffffu, MMU_STORE, user)->phys;
    note_access(mmu, linear, width, true);
    for (unsigned i = 0; i < width; i++) {
        memory_bus_write(mmu->bus, i < first ? phys + i : next + i - first, 1, value >> (8 * i));
    }
}

/* Those from `phys` on that follow each other on the host, too; how many bytes they are. */
static uint64_t refuse_like_pages(struct mmu *mmu, struct fast_tlb *fast, uint64_t phys, uint64_t length)
{
    const uint8_t *host = memory_bus_page(mmu->bus, phys)->write;
    uint64_t done = PAGE_SIZE;
    while (host != NULL && done < length && memory_bus_page(mmu->bus, phys + done)->write == host + done) {
        done += PAGE_SIZE;
    }
    fast_tlb_refuse_stores(fast, host, done);
    return done;
}

static bool may_be_stored_to(const struct mmu *mmu, uint64_t phys, uint64_t length)
{
    uint64_t pages = length >> PAGE_SHIFT;
    bool found = pages >= STORED_PAGES;
    for (uint64_t i = 0; i < pages && !found; i++) {
        found = bit_is_set(mmu->stored_pages, stored_page(phys + (i << PAGE_SHIFT)));
    }
    return found;
}

void mmu_protect_pages(struct mmu *mmu, uint64_t phys, uint64_t length)
{
    views_refuse_stores(mmu, phys, length);
    if (!may_be_stored_to(mmu, phys, length)) {
        return;
    }
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            if (mmu->tlb[user][i].phys - phys < length) {
                mmu->tlb[user][i].store_tag = TLB_INVALID;
            }
        }
        for (uint64_t at = phys; mmu->fast[user] != NULL && at < phys + length;) {
            at += refuse_like_pages(mmu, mmu->fast[user], at, phys + length - at);
        }
    }
}

void mmu_protect_page(struct mmu *mmu, uint64_t phys)
{
    mmu_protect_pages(mmu, phys & ~PAGE_MASK, PAGE_SIZE);
}

static void set_generation(struct mmu *mmu, uint64_t generation)
{
    mmu->generation = generation;
    mmu->cpu->pending |= CPU_PENDING_ENGINE;
}

static void begin_generation_of_space(struct mmu *mmu)
{
    set_generation(mmu, ++mmu->generations);
    spaces_begin_generation(mmu);
}

void mmu_begin_generation(struct mmu *mmu)
{
    spaces_end_generations(mmu);
    begin_generation_of_space(mmu);
    mmu->global_generation = mmu->generation;
}

static void drop_fills(struct mmu *mmu, struct tlb_fills *fills)
{
    for (unsigned i = 0; i < fills->count; i++) {
        mmu->tlb[fills->slot[i] >> TLB_BITS][fills->slot[i] & (TLB_ENTRIES - 1)] = empty_entry;
    }
    fills->count = 0;
    memset(fills->large_regions, 0, sizeof fills->large_regions);
}

static void flush_tlbs(struct mmu *mmu)
{
    if (mmu->fills[false].count > TLB_FILLED || mmu->fills[true].count > TLB_FILLED) {
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            mmu->tlb[0][i] = mmu->tlb[1][i] = empty_entry;
        }
        mmu->fills[false].count = mmu->fills[true].count = 0;
    }
    drop_fills(mmu, &mmu->fills[false]);
    drop_fills(mmu, &mmu->fills[true]);
    for (unsigned user = 0; user < 2; user++) {
        if (mmu->fast[user] != NULL) {
            fast_tlb_drop_all(mmu->fast[user]);
        }
    }
    memset(mmu->stored_pages, 0, sizeof mmu->stored_pages);
}

/* Forgets the translations that a load of CR3 leaves alone, too. */
static void flush_all(struct mmu *mmu)
{
    counter_add(mmu->cpu->counters, COUNTER_TLB_FLUSHES, 1);
    views_expire(mmu);
    spaces_forget(mmu);
    mmu_begin_generation(mmu);
    flush_tlbs(mmu);
}

void mmu_flush(struct mmu *mmu)
{
    views_clear(mmu);
    flush_all(mmu);
}

/* Slots that were used for global pages and others are in both lists, and go. */
static void drop_space(struct mmu *mmu)
{
    if (mmu->fills[false].count > TLB_FILLED || mmu->fills[true].count == 0) {
        flush_tlbs(mmu);
        return;
    }
    drop_fills(mmu, &mmu->fills[false]);
    for (unsigned user = 0; user < 2; user++) {
        if (mmu->fast[user] != NULL) {
            fast_tlb_drop_space(mmu->fast[user]);
        }
    }
}

/* CR3 was loaded. */
static void flush_space(struct mmu *mmu)
{
    counter_add(mmu->cpu->counters, COUNTER_TLB_FLUSHES, 1);
    views_expire_space(mmu);
    drop_space(mmu);
    uint64_t generation = spaces_enter(mmu);
    if (generation != 0) {
        mmu->generations++;
        set_generation(mmu, generation);
    } else {
        begin_generation_of_space(mmu);
    }
}

void mmu_set_strategy(struct mmu *mmu, enum mmu_strategy strategy)
{
    mmu->strategy = strategy;
    mmu_flush(mmu);
}

static void drop_page(struct tlb_entry *entry, uint64_t tag)
{
    if (entry->load_tag == tag || entry->fetch_tag == tag || entry->direct_tag == tag) {
        *entry = empty_entry;
    }
}

/* INVLPG. Where a large page was met, its 4 KiB parts are all over the TLB: everything goes. */
static void flush_page(struct mmu *mmu, uint64_t linear)
{
    uint64_t tag = linear & ~PAGE_MASK;
    uint64_t region = tag >> LARGE_REGION_SHIFT;
    if (bit_is_set(mmu->fills[false].large_regions, region) ||
        bit_is_set(mmu->fills[true].large_regions, region)) {
        flush_all(mmu);
        return;
    }
    views_drop_page(mmu, (uint32_t)tag);
    for (unsigned user = 0; user < 2; user++) {
        drop_page(mmu_entry(mmu, tag, user), tag);
        if (mmu->fast[user] != NULL) {
            fast_tlb_drop_page(mmu->fast[user], (uint32_t)tag);
        }
    }
    if (was_fetched_from(mmu, tag, true)) {
        mmu_begin_generation(mmu);
    } else if (was_fetched_from(mmu, tag, false)) {
        begin_generation_of_space(mmu);
    }
}

static uint64_t read_for_cpu(struct cpu_state *cpu, uint64_t linear, unsigned width, bool user)
{
    return mmu_load(cpu->memory, linear & 0xffffffffu, width, user);
}

static void write_for_cpu(struct cpu_state *cpu, uint64_t linear, unsigned width, uint64_t value, bool user)
{
    mmu_store(cpu->memory, linear & 0xffffffffu, width, value, user);
}

static void probe_write_for_cpu(struct cpu_state *cpu, uint64_t linear, unsigned length, bool user)
{
    struct mmu *mmu = cpu->memory;
    uint64_t last = linear + length - 1;
    for (uint64_t page = linear & ~PAGE_MASK; page <= last; page += PAGE_SIZE) {
        if (mmu_entry(mmu, page, user)->direct_tag != (page & 0xffffffffu)) {
            translate(mmu, page > linear ? page : linear, MMU_STORE, user);
        }
    }
}

static void flush_for_cpu(struct cpu_state *cpu, bool including_global)
{
    log_printf(cpu->log, LOG_MMU, "TLB flush");
    if (including_global) {
        flush_all(cpu->memory);
    } else {
        flush_space(cpu->memory);
    }
}

static void flush_page_for_cpu(struct cpu_state *cpu, uint64_t linear)
{
    log_printf(cpu->log, LOG_MMU, "TLB flush of page %08x", (unsigned)linear);
    flush_page(cpu->memory, linear & 0xffffffffu);
}

static uint64_t read_physical_for_cpu(struct cpu_state *cpu, uint64_t phys)
{
    const struct mmu *mmu = cpu->memory;
    return memory_bus_read(mmu->bus, phys, 8);
}

static const struct cpu_memory_ops memory_ops = {
    .read = read_for_cpu,
    .write = write_for_cpu,
    .probe_write = probe_write_for_cpu,
    .flush_tlb = flush_for_cpu,
    .flush_page = flush_page_for_cpu,
    .read_physical = read_physical_for_cpu,
};

struct mmu *mmu_create(struct cpu_state *cpu, struct memory_bus *bus)
{
    struct mmu *mmu = aligned_alloc(_Alignof(struct mmu), sizeof *mmu);
    if (mmu == NULL) {
        return NULL;
    }
    memset(mmu, 0, sizeof *mmu);
    mmu->spaces = calloc(1, sizeof *mmu->spaces);
    if (mmu->spaces == NULL) {
        free(mmu);
        return NULL;
    }
    mmu->bus = bus;
    mmu->map = memory_bus_pages(bus);
    mmu->cpu = cpu;
    mmu->ram_fd = -1;
    mmu->ram_fd_size = memory_bus_ram_size(bus);
    cpu->memory_ops = &memory_ops;
    cpu->memory = mmu;
    mmu->fills[false].count = TLB_FILLED + 1; /* nothing is valid yet */
    mmu_flush(mmu);
    return mmu;
}

void mmu_destroy(struct mmu *mmu)
{
    if (mmu == NULL) {
        return;
    }
    views_destroy(mmu);
    free(mmu->spaces);
    free(mmu->fast[false]);
    free(mmu->fast[true]);
    free(mmu);
}
