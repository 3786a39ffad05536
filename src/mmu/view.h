/* Shadow page tables: the host's MMU does the guest's translation.
 *
 * A *view* is one address space of the guest as one privilege sees it, keyed by CR3, the bits of CR0 and CR4
 * that change what paging means, and user or supervisor; without paging there is one for all. A supervisor
 * with global pages (CR4.PGE) is nearly the same in all address spaces: it has one view, of the pages that
 * are global or his alone. Each has a *window*, 4 GiB of host addresses, in which guest-linear pages are
 * mapped onto guest RAM: a guest's access is one of the host. A page that is not there faults. Then
 * mmu_view_fill() looks at the guest's tables: either the page is plain memory for this access and is mapped
 * (a *hidden* fault), or somebody else has to see the access (a true page fault, a device, a store to code).
 * Of a large page of the guest, and without paging, all is mapped at once that is alike in the 2 MiB around;
 * otherwise a few neighbours that follow each other in memory.
 *
 * Invariants. A page is mapped only while the guest's tables lead there with the A bit set; for writing only
 * with the D bit set and with no code marks on it. What the guest must do to be sure that a change of its
 * tables is seen is done to views as well: INVLPG drops a page (a large one is compared, as follows); a load
 * of CR3 makes the view, unless its pages are global, be compared with the tables before it is used again (a
 * copy of each last-level table tells what has not changed; of a shared view, only the regions with pages
 * that are not global); a change of the physical map drops everything.
 * Views of other address spaces are kept meanwhile.
 *
 * A process of the host has a limited number of mappings: beyond VIEW_PIECES_MAX, views are emptied, the one
 * that was not used for the longest time first. When the host refuses something, the view is emptied too, and
 * the access is made otherwise.
 *
 * Filling a page takes the host about 15 us, as long as some ten thousand guest instructions, so that views
 * are for address spaces that run long beside what they use: the policy is the table of numbers below.
 *
 * What the guest must do, and what may stay remembered: SDM 3A §4.8 (A and D bits), §4.10.4 (invalidation).
 *
 * NOT IMPLEMENTED: memory of devices that is not behind the same descriptor as RAM; supervisors with CR4.PGE:
 * pages of users that are not global. */
#ifndef DOPPEL_MMU_VIEW_H
#define DOPPEL_MMU_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct mmu;

#define VIEWS_MAX       16u
#define VIEW_PIECES_MAX 24000u  /* mappings of the host's kernel in all windows together */
#define VIEW_PAGES_MAX  262144u /* pages in all windows together */

/* The policy of MMU_ADAPTIVE, in instructions. MMU_SHADOW makes a view of every address space at once. */
#define VIEW_PROMOTION     ((uint64_t)8 << 20)  /* executed in an address space before it gets a view, */
#define VIEW_PAGE_COST     ((uint64_t)14 << 10) /* and for each page that it has used since it is known, */
#define VIEW_PAGES_COUNTED 8192u                /* which are counted up to this many */
/* The first of these without paging: firmware and boot loaders write beside their code. */
#define VIEW_PROMOTION_UNPAGED ((uint64_t)24 << 20)
#define VIEW_FILL_COST         ((uint64_t)20 << 10) /* what filling a page costs */
#define VIEW_DEBT_MAX          ((uint64_t)12 << 20) /* cost of fills, less instructions executed: then it goes */
#define VIEW_DEMOTION          16u /* times as much until an address space that lost its view gets another */
#define VIEW_NEIGHBOURS        16u /* pages of 4 KiB that are mapped together when they follow each other */

#define VIEW_WINDOW_SIZE ((uint64_t)4 << 30)
#define VIEW_GUARD_SIZE                                                                                      \
    ((uint64_t)64 << 10) /* behind it: an access at the end of 4 GiB reaches no further                      \
                          */

enum mmu_view_result {
    MMU_VIEW_FILLED, /* the access will find its page */
    MMU_VIEW_FAULT,  /* it raises a page fault; see mmu->fast_faulted */
    MMU_VIEW_NOT     /* it must be made through mmu_load() or mmu_store() */
};

/* Lets `mmu` have views. `fd`: the memfd behind the bus's RAM. STATUS_UNSUPPORTED, STATUS_NO_MEMORY when this
 * host cannot map it a second time. */
struct status mmu_enable_views(struct mmu *mmu, int fd) STATUS_MUST_CHECK;

/* The window of the present address space; NULL: it has none. Good until the next flush of the mmu, and until
 * mmu_note_executed() is called. */
uint8_t *mmu_window(struct mmu *mmu, bool user);

/* Makes an access of `width` bytes at `linear` possible in the present address space's window, which it must
 * have. Sets A and D bits as the access itself does; raises nothing. */
enum mmu_view_result mmu_view_fill(struct mmu *mmu, uint32_t linear, unsigned width, bool store, bool user);

/* The guest has executed this many instructions in the present address space: gives it a view, or takes it
 * away. */
void mmu_note_executed(struct mmu *mmu, bool user, uint64_t instructions);

/* The software TLB got the page at `linear`. `region`: a view would show the 2 MiB around it at once. For the
 * policy; `mmu->views` may be NULL. */
void views_note_page(struct mmu *mmu, uint32_t linear, bool user, bool region);

/* For `info views`. */
struct mmu_view_info {
    uint64_t root; /* CR3; 0 without paging */
    bool paged, user, current;
    bool shared;       /* the supervisor's of all address spaces: `root` is 0 */
    unsigned pages;    /* in the window */
    unsigned writable; /* of these */
    unsigned pieces;   /* mappings of the host's kernel */
    uint64_t fills, executed;
};
void mmu_for_each_view(struct mmu *mmu, void (*visit)(void *opaque, const struct mmu_view_info *info),
                       void *opaque);

/* ---- for the mmu itself; `mmu->views` may be NULL */

void views_destroy(struct mmu *mmu);

/* The tables may have changed: views are to be compared with them before they are used. Those with global
 * pages need not when CR3 was loaded (views_expire_space). */
void views_expire(struct mmu *mmu);
void views_expire_space(struct mmu *mmu);

/* The physical map has changed. */
void views_clear(struct mmu *mmu);

void views_drop_page(struct mmu *mmu, uint32_t linear);

/* Takes away the right to store to the pages from effective address `phys` on, wherever they are mapped. */
void views_refuse_stores(struct mmu *mmu, uint64_t phys, uint64_t length);

#endif
