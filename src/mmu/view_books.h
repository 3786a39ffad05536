/* The books of shadow page tables: what the parts of view.h know of each other. Internal to mmu.
 *
 *   view.c          which address spaces have a view, and which is the present one; the policy; `info views`
 *   view_pages.c    which page is where in which window, and taking pages away
 *   view_compare.c  views beside the guest's tables
 *   view_fill.c     hidden faults
 *
 * Invariants. view->index and the host's mappings say the same, except within one of these functions; a
 * view's `pieces` is how many mappings of the host's kernel that makes. Each mapping is in the list of its
 * physical page and in one view's index. */
#ifndef DOPPEL_MMU_VIEW_BOOKS_H
#define DOPPEL_MMU_VIEW_BOOKS_H

#include "host/host_window.h"
#include "mmu/paging.h"
#include "mmu/tlb_fill.h"
#include "mmu/view.h"

#define VIEW_PAGES        (1u << 20) /* of a window */
#define VIEW_REGION_SHIFT 9u         /* pages of 2 MiB */
#define VIEW_REGION_PAGES (1u << VIEW_REGION_SHIFT)
#define VIEW_REGIONS      (VIEW_PAGES / VIEW_REGION_PAGES)
#define VIEW_BUCKETS      65536u
#define VIEW_CANDIDATES   64u
#define VIEW_NO_MAPPING   0u

struct view_key {
    uint64_t root;
    uint64_t control; /* CR0.PG, CR0.WP, CR4.PSE, CR4.PAE, CR4.PGE and EFER.NXE have no bit in common; 0: no
                         paging. CR4.PGE: the view of all address spaces, whose `root` is 0 */
    bool user;        /* false without paging */
};

/* One page in one window. */
struct view_mapping {
    uint32_t frame; /* number of the effective physical page */
    uint32_t place; /* number of the page in the memory behind pool->fd */
    uint32_t page;  /* linear */
    uint32_t next;  /* of those with the same hash of `frame`, or free ones */
    uint32_t previous;
    uint16_t view;
    bool writable;
};

struct view_region {
    unsigned count;          /* pages mapped */
    struct paging_path path; /* when they were last compared; `entries` only says whether there were any */
    uint8_t *copy;           /* of the last level's entries; NULL: there were none */
};

struct view {
    struct view_key key;
    struct host_window window; /* base NULL: this view does not exist */
    uint32_t *index; /* [page]: its mapping. This and the next stay when the view goes; NULL: none */
    struct view_region *regions; /* [VIEW_REGIONS] */
    uint64_t used_regions[VIEW_REGIONS / 64];
    uint64_t space_regions[VIEW_REGIONS / 64]; /* those with pages that are not global, of a shared view */
    uint64_t last_use;                         /* of pool->clock */
    uint64_t debt, executed, fills;
    unsigned pages, pieces;
};

/* Pages that were used, by linear address modulo VIEW_PAGES_COUNTED. */
struct view_pages {
    uint64_t set[VIEW_PAGES_COUNTED / 64];
};

/* An address space that may get a view. */
struct view_candidate {
    struct view_key key;
    uint64_t executed, last_use;
    uint64_t factor; /* of what it needs; 0: this is none */
    struct view_pages pages;
};

struct view_pool {
    int fd;
    struct host_window spare; /* mappings to give back when the host has no more */
    uint64_t clock;
    struct view views[VIEWS_MAX];
    struct view *current[2]; /* [user]; NULL: none */
    bool known[2];           /* `current` is that of the present address space, and true */
    struct view_mapping *mappings;
    uint32_t free, untouched; /* a list, and those that were never used from here on */
    uint32_t by_frame[VIEW_BUCKETS];
    struct view_candidate candidates[VIEW_CANDIDATES];
    struct view_pages pages[2]; /* [user]: not yet a candidate's */
};

static inline bool view_is_paged(const struct view *view)
{
    return view->key.control != 0;
}

/* Whether it is the supervisor's of all address spaces. */
static inline bool view_is_shared(const struct view *view)
{
    return (view->key.control & CR4_PGE) != 0;
}

static inline bool view_may_have(const struct view *view, const struct paging_result *result)
{
    return result->global || !result->user || !view_is_shared(view);
}

/* Whether another address space may have another page there, or none, in a view that they share. */
static inline bool view_is_of_space(const struct view *view, const struct paging_result *result)
{
    return view_is_shared(view) && !result->global;
}

static inline void view_mark_of_space(struct view *view, uint32_t page)
{
    unsigned region = page >> VIEW_REGION_SHIFT;
    view->space_regions[region / 64] |= (uint64_t)1 << (region % 64);
}

/* ---- view_pages.c */

/* Enters `page` into the books, with what .frame, .place and .writable of `mapping` say; there must be
 * fewer than VIEW_PAGES_MAX. The host's are the caller's, here and in the next two. */
void view_remember_page(struct view_pool *pool, struct view *view, uint32_t page,
                        const struct view_mapping *mapping);
void view_forget_page(struct view_pool *pool, struct view *view, uint32_t page);
void view_forget_all(struct view_pool *pool, struct view *view);

/* Calls `visit` for each region of `set`, view->used_regions or view->space_regions; it may empty that
 * region. */
void view_for_each_region(struct mmu *mmu, struct view *view, const uint64_t set[VIEW_REGIONS / 64],
                          void (*visit)(struct mmu *mmu, struct view *view, unsigned region));

/* Take pages away: one, those of 2 MiB, all. When the host refuses the former two, all go. */
void view_drop_page(struct mmu *mmu, struct view *view, uint32_t page);
void view_drop_region(struct mmu *mmu, struct view *view, unsigned region);
void view_empty(struct view_pool *pool, struct view *view);

/* The host has refused a mapping: the view is emptied, which gives back all it holds. */
void view_give_in(struct mmu *mmu, struct view *view);

/* ---- view_compare.c */

/* Drops the pages that the guest's tables do not lead to any more; `view` must be one of the present
 * address space. */
void view_compare(struct mmu *mmu, struct view *view);

/* The same after a load of CR3, for a shared view: global pages stay. */
void view_compare_space(struct mmu *mmu, struct view *view);

/* The same for the 2 MiB around, or 4 MiB when that is the size of a page, if `page` is part of a large page.
 * False: it is not. */
bool view_compare_large_page(struct mmu *mmu, struct view *view, uint32_t page);

/* Keeps what a page that is about to be mapped depends on. May drop pages of the same region. */
void view_copy_entry(struct mmu *mmu, struct view *view, uint32_t page);

/* ---- view.c */

void view_destroy(struct mmu *mmu, struct view *view);

/* The view that was not used for the longest time among those that are not current; NULL: there is none. */
struct view *view_oldest(struct view_pool *pool);

#endif
