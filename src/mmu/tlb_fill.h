/* Filling the software TLB without raising anything: what the slow paths of both TLBs share. Internal to mmu.
 */
#ifndef DOPPEL_MMU_TLB_FILL_H
#define DOPPEL_MMU_TLB_FILL_H

#include "mmu/mmu.h"
#include "mmu/paging.h"

/* Translates, setting A and D bits; false with the page fault's *error_code. */
bool mmu_try_translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user,
                       struct paging_result *result, uint32_t *error_code);

/* Makes the software TLB's entry for `linear` what a translation found. Pages of devices get no tags: every
 * access to them takes the slow path; with MMU_WALK no page does. */
struct tlb_entry *mmu_remember(struct mmu *mmu, uint64_t linear, bool user,
                               const struct paging_result *result);

/* The same for a page that was in a TLB of its address space before, and still is where it was; and for one
 * that code was fetched from in `generation`, which has come back. */
void mmu_put_back(struct mmu *mmu, uint32_t linear, bool user, const struct paging_result *result);
void mmu_put_back_fetch(struct mmu *mmu, uint32_t linear, uint64_t generation);

/* The fast TLB gets what the software TLB's entry for the page at `tag` allows: loads at least. */
void fast_tlb_set(struct mmu *mmu, const struct tlb_entry *entry, uint32_t tag, bool user);

/* Gives `entry` the tag for stores. */
void mmu_open_for_stores(struct mmu *mmu, struct tlb_entry *entry);

/* Whether an access within `page` is one of plain memory, of which nobody has to be told. */
static inline bool page_access_is_plain(const struct memory_page *page, unsigned offset, unsigned width,
                                        bool store)
{
    return page->read != NULL &&
           (!store || (page->write == page->read && !memory_page_holds_code(page, offset, width)));
}

/* Whether every access to a page must take the slow path although it is plain memory: to be checked for
 * alignment, for a data breakpoint, or for a debugger's watch. */
bool mmu_page_needs_care(const struct mmu *mmu, uint64_t linear, bool user);

/* The same by an effective physical address: for a debugger's watch of what is loaded from there. */
bool mmu_frame_needs_care(const struct mmu *mmu, uint64_t phys);

#endif
