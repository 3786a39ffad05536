/* The TLB that translated code looks at: plain arrays that a few instructions without flags can check.
 *
 * It is an extract of the software TLB (mmu.h), larger and with less in it. There is one per privilege. A
 * page has the slot that the low bits of its number name. A tag is *minus* the linear page address, so that
 * the access of `width` bytes at `linear` hits when
 *
 *     (uint32_t)(linear + (width - 1) + tag) >> 12 == 0
 *
 * which also fails for accesses that leave the page and at the wrap at 4 GiB. There is no valid bit: an empty
 * slot holds a tag that fits no page of the slot and none that follows one, so that no access hits it.
 *
 * Pages that hold code have no store tag. Those of them that were stored to beside the code, lately, are
 * `mixed`: stores may go there directly except to bytes that are marked as code at that moment.
 *
 * Invariants: a load or store tag is there only while the page is plain memory for that access, nothing needs
 * to see it (breakpoints, alignment checks, code marks, a D bit to be set), and the guest has not been told
 * otherwise by a flush. Whatever drops or restricts entries of the software TLB does so here.
 *
 * NOT IMPLEMENTED: fetch tags (engines know code by its physical address); linear addresses beyond 32 bits.
 */
#ifndef DOPPEL_MMU_FAST_TLB_H
#define DOPPEL_MMU_FAST_TLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define FAST_TLB_BITS    16
#define FAST_TLB_ENTRIES (1u << FAST_TLB_BITS)

struct mmu;

#define MIXED_PAGES 256u

struct mixed_page {
    uint32_t tag; /* as above; empty ones likewise */
    uint64_t addend;
    uint64_t marks; /* host address of the marks, a bit for each byte, minus linear address / 8 */
    uint64_t unused;
};

/* Aligned to 64 bytes. Translated code knows the offsets of the first three, and of `mixed`. */
struct fast_tlb {
    uint32_t load[FAST_TLB_ENTRIES];
    uint32_t store[FAST_TLB_ENTRIES];
    uint64_t addend[FAST_TLB_ENTRIES]; /* host address minus linear address, modulo 2^64 */
    /* Which slots are not empty, by bit, and which words of that are not zero. */
    uint64_t filled[FAST_TLB_ENTRIES / 64];
    uint64_t filled_words[FAST_TLB_ENTRIES / 64 / 64];
    uint64_t global[FAST_TLB_ENTRIES / 64]; /* which of them stay when CR3 is loaded */
    struct mixed_page mixed[MIXED_PAGES];   /* [low bits of the page number] */
    bool any_mixed;
};

_Static_assert(offsetof(struct fast_tlb, load) == 0, "translated code knows the layout");
_Static_assert(offsetof(struct fast_tlb, store) == 0x40000, "translated code knows the layout");
_Static_assert(offsetof(struct fast_tlb, addend) == 0x80000, "translated code knows the layout");

enum mmu_fast_result {
    MMU_FAST_FILLED, /* the fast TLB hits for this access now */
    MMU_FAST_DIRECT, /* it does not, but this one access may be made at *host */
    MMU_FAST_NOT     /* the access faults (mmu->fast_faulted), reaches a device, or needs care: the
                        interpreter knows how */
};

/* Gives `mmu` its fast TLBs, mmu->fast[user]; without effect when it has them. STATUS_NO_MEMORY. */
struct status mmu_enable_fast_tlb(struct mmu *mmu) STATUS_MUST_CHECK;

/* What becomes of an access of `width` bytes (1 or more) that missed the fast TLB. Raises nothing. Accessed
 * and dirty bits are set as the access itself sets them, also when it will then be refused by a device or a
 * mark; nothing else changes that the guest could see. *host is set only for MMU_FAST_DIRECT, and good until
 * anything else is asked of the mmu or the bus. With the strategy MMU_WALK the answer is never
 * MMU_FAST_FILLED. Otherwise the fast TLB must be enabled. */
enum mmu_fast_result mmu_fast_fill(struct mmu *mmu, uint32_t linear, unsigned width, bool store, bool user,
                                   uint8_t **host);

static inline unsigned fast_tlb_slot(uint32_t linear)
{
    return (linear >> 12) & (FAST_TLB_ENTRIES - 1);
}

/* The tag of an empty slot: the page it fits differs in the slot's highest bit from all that look there. */
static inline uint32_t fast_tlb_empty_tag(unsigned slot)
{
    return -((uint32_t)(slot ^ FAST_TLB_ENTRIES / 2) << 12);
}

static inline uint32_t fast_tlb_empty_mixed_tag(unsigned slot)
{
    return -((uint32_t)(slot ^ MIXED_PAGES / 2) << 12);
}

/* The check that translated code makes; `tags` is the array for loads or for stores. */
static inline bool fast_tlb_hits(const uint32_t *tags, uint32_t linear, unsigned width)
{
    return (uint32_t)(linear + (width - 1) + tags[fast_tlb_slot(linear)]) >> 12 == 0;
}

/* For the mmu itself. */

/* Empties one slot, those of one address space (all but the global pages), or all of them. */
void fast_tlb_drop_page(struct fast_tlb *fast, uint32_t linear);
void fast_tlb_drop_space(struct fast_tlb *fast);
void fast_tlb_drop_all(struct fast_tlb *fast);

/* Takes away the right to store to the pages at host address `host`, under each of their linear addresses. */
void fast_tlb_refuse_stores(struct fast_tlb *fast, const uint8_t *host, uint64_t length);

#endif
