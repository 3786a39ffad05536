/* The fast TLB; see fast_tlb.h. */
#include "mmu/fast_tlb.h"

#include <assert.h>
#include <stdlib.h>

#include "mmu/tlb_fill.h"

static void empty_mixed(struct fast_tlb *fast)
{
    for (unsigned slot = 0; slot < MIXED_PAGES; slot++) {
        fast->mixed[slot].tag = fast_tlb_empty_mixed_tag(slot);
    }
    fast->any_mixed = false;
}

static struct fast_tlb *create_tlb(void)
{
    struct fast_tlb *fast = aligned_alloc(64, bits_align_up(sizeof *fast, 64));
    if (fast == NULL) {
        return NULL;
    }
    /* The addends' memory is not touched before it is used. */
    for (unsigned slot = 0; slot < FAST_TLB_ENTRIES; slot++) {
        fast->load[slot] = fast->store[slot] = fast_tlb_empty_tag(slot);
    }
    memset(fast->filled, 0, sizeof fast->filled);
    memset(fast->filled_words, 0, sizeof fast->filled_words);
    memset(fast->global, 0, sizeof fast->global);
    empty_mixed(fast);
    return fast;
}

struct status mmu_enable_fast_tlb(struct mmu *mmu)
{
    for (unsigned user = 0; user < 2; user++) {
        if (mmu->fast[user] == NULL) {
            mmu->fast[user] = create_tlb();
        }
        if (mmu->fast[user] == NULL) {
            return status_error(STATUS_NO_MEMORY, "no memory for the TLB of translated code");
        }
    }
    return status_ok();
}

static void empty_slot(struct fast_tlb *fast, unsigned slot)
{
    fast->load[slot] = fast->store[slot] = fast_tlb_empty_tag(slot);
}

static unsigned mixed_slot(uint32_t linear)
{
    return linear >> PAGE_SHIFT & (MIXED_PAGES - 1);
}

void fast_tlb_drop_page(struct fast_tlb *fast, uint32_t linear)
{
    empty_slot(fast, fast_tlb_slot(linear));
    fast->mixed[mixed_slot(linear)].tag = fast_tlb_empty_mixed_tag(mixed_slot(linear));
}

/* Takes the lowest bit out of a set that is not empty; its number. */
static unsigned take_bit(uint64_t *set)
{
    unsigned bit = (unsigned)__builtin_ctzll(*set);
    *set &= *set - 1;
    return bit;
}

void fast_tlb_drop_space(struct fast_tlb *fast)
{
    if (fast->any_mixed) {
        empty_mixed(fast);
    }
    for (unsigned group = 0; group < ARRAY_COUNT(fast->filled_words); group++) {
        for (uint64_t words = fast->filled_words[group]; words != 0;) {
            unsigned word = group * 64 + take_bit(&words);
            for (uint64_t slots = fast->filled[word] & ~fast->global[word]; slots != 0;) {
                empty_slot(fast, word * 64 + take_bit(&slots));
            }
            fast->filled[word] &= fast->global[word];
            fast->filled_words[group] &= ~((uint64_t)(fast->filled[word] == 0) << (word % 64));
        }
    }
}

void fast_tlb_drop_all(struct fast_tlb *fast)
{
    memset(fast->global, 0, sizeof fast->global);
    fast_tlb_drop_space(fast);
}

void fast_tlb_refuse_stores(struct fast_tlb *fast, const uint8_t *host, uint64_t length)
{
    for (unsigned group = 0; group < ARRAY_COUNT(fast->filled_words); group++) {
        for (uint64_t words = fast->filled_words[group]; words != 0;) {
            unsigned word = group * 64 + take_bit(&words);
            for (uint64_t slots = fast->filled[word]; slots != 0;) {
                unsigned slot = word * 64 + take_bit(&slots);
                uint32_t linear = -fast->store[slot];
                /* An empty slot's addend may be left from a page that was there: no harm. */
                if (fast->addend[slot] + linear - (uint64_t)(uintptr_t)host < length) {
                    fast->store[slot] = fast_tlb_empty_tag(slot);
                }
            }
        }
    }
}

void fast_tlb_set(struct mmu *mmu, const struct tlb_entry *entry, uint32_t tag, bool user)
{
    struct fast_tlb *fast = mmu->fast[user];
    unsigned slot = fast_tlb_slot(tag);
    assert(entry->load_tag == tag);
    fast->load[slot] = -tag;
    fast->store[slot] = entry->store_tag == tag ? -tag : fast_tlb_empty_tag(slot);
    fast->addend[slot] = (uint64_t)(uintptr_t)entry->host - tag;
    fast->filled[slot / 64] |= (uint64_t)1 << (slot % 64);
    fast->filled_words[slot / 64 / 64] |= (uint64_t)1 << (slot / 64 % 64);
    fast->global[slot / 64] &= ~((uint64_t)1 << (slot % 64));
    fast->global[slot / 64] |= (uint64_t)entry->global << (slot % 64);
}

static void set_mixed(struct fast_tlb *fast, const struct tlb_entry *entry, uint32_t tag)
{
    fast->mixed[mixed_slot(tag)] =
        (struct mixed_page){.tag = -tag,
                            .addend = (uint64_t)(uintptr_t)entry->host - tag,
                            .marks = (uint64_t)(uintptr_t)entry->page->code_bytes - tag / 8};
    fast->any_mixed = true;
}

/* An access under MMU_WALK for which a plain walk (plain_walk.h) was not enough, or that C makes. */
static enum mmu_fast_result walk_for_access(struct mmu *mmu, uint32_t linear, unsigned width, bool store,
                                            bool user, uint8_t **host)
{
    struct paging_result result;
    unsigned offset = linear & PAGE_MASK;
    if (!mmu_try_translate(mmu, linear, store ? MMU_STORE : MMU_LOAD, user, &result, &mmu->fast_error)) {
        mmu->fast_faulted = true;
        return MMU_FAST_NOT;
    }
    const struct memory_page *page = memory_bus_page(mmu->bus, result.phys);
    if (store && page->watched) {
        memory_bus_note_write(mmu->bus, result.phys, width);
    }
    if (!page_access_is_plain(page, offset, width, store) ||
        mmu_frame_needs_care(mmu, memory_bus_effective(mmu->bus, result.phys))) {
        return MMU_FAST_NOT;
    }
    *host = page->read + offset;
    return MMU_FAST_DIRECT;
}

/* A store to a page that has marks, or had them when the entry was filled. */
static enum mmu_fast_result store_beside_code(struct mmu *mmu, struct tlb_entry *entry, uint32_t linear,
                                              unsigned width, bool user, uint8_t **host)
{
    unsigned offset = linear & PAGE_MASK;
    if (entry->page->watched) {
        memory_bus_note_write(mmu->bus, entry->phys | offset, width);
    }
    if (entry->page->code_lines == 0) {
        mmu_open_for_stores(mmu, entry);
        counter_add(mmu->cpu->counters, COUNTER_FAST_TLB_FILLS, 1);
        fast_tlb_set(mmu, entry, (uint32_t)entry->direct_tag, user);
        return MMU_FAST_FILLED;
    }
    if (memory_page_holds_code(entry->page, offset, width)) {
        return MMU_FAST_NOT;
    }
    set_mixed(mmu->fast[user], entry, linear & ~(uint32_t)PAGE_MASK);
    *host = entry->host + offset;
    return MMU_FAST_DIRECT;
}

enum mmu_fast_result mmu_fast_fill(struct mmu *mmu, uint32_t linear, unsigned width, bool store, bool user,
                                   uint8_t **host)
{
    uint32_t tag = linear & ~(uint32_t)PAGE_MASK;
    struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    mmu->fast_faulted = false;
    if ((linear & PAGE_MASK) + width > PAGE_SIZE || mmu_page_needs_care(mmu, linear, user)) {
        return MMU_FAST_NOT;
    }
    if (mmu->strategy == MMU_WALK) {
        return walk_for_access(mmu, linear, width, store, user, host);
    }
    assert(mmu->fast[user] != NULL);
    if ((store ? entry->direct_tag : entry->load_tag) != tag) {
        struct paging_result result;
        if (!mmu_try_translate(mmu, linear, store ? MMU_STORE : MMU_LOAD, user, &result, &mmu->fast_error)) {
            mmu->fast_faulted = true;
            return MMU_FAST_NOT;
        }
        entry = mmu_remember(mmu, linear, user, &result);
    }
    if (store && entry->direct_tag == tag && entry->store_tag != tag) {
        return store_beside_code(mmu, entry, linear, width, user, host);
    }
    if ((store ? entry->store_tag : entry->load_tag) != tag) {
        return MMU_FAST_NOT;
    }
    counter_add(mmu->cpu->counters, COUNTER_FAST_TLB_FILLS, 1);
    fast_tlb_set(mmu, entry, tag, user);
    return MMU_FAST_FILLED;
}
