/* What was known of address spaces that the guest has left, for when it comes back. Internal to mmu.
 *
 * A load of CR3 makes a processor forget its translations (SDM 3A §4.10.4.1), and most loads lead to where
 * the guest was a moment ago: a kernel that keeps its page tables apart from the user's loads CR3 twice in
 * every system call. So the last pages that a few address spaces used are kept, each with its *proof*: the
 * entries of the tables that its walk met. When CR3 comes back, those whose proofs hold are what a walk would
 * find now, and go into the TLBs again. If that is so of all pages that code was fetched from, the generation
 * is the old one, too, and all that engines derived from it.
 *
 * Invariants. A page is only in the list of the address space whose CR3 and page-directory pointers it was
 * found with, and all lists go when anything else changes that translation depends on (flush_all() in mmu.c).
 * A space has a generation only while each page that was fetched from in it is in its list. */
#ifndef DOPPEL_MMU_SPACES_H
#define DOPPEL_MMU_SPACES_H

#include "mmu/paging.h"

#define SPACES        8u  /* that are kept */
#define SPACE_SETS    32u /* of pages of the TLBs, in each, */
#define SPACE_WAYS    4u  /* of so many */
#define SPACE_FETCHES 64u /* pages that code was fetched from */
/* Every so many times that CR3 comes back, pages have to be used to be known again. */
#define SPACE_RELEARNED 16u

struct space_page {
    uint32_t linear;
    bool user; /* in whose TLB it was */
    struct paging_result result;
};

struct space_fetch {
    uint32_t linear;
    struct paging_proof proof;
};

struct space {
    uint64_t root; /* CR3 */
    uint64_t pdpte[4];
    uint64_t generation; /* 0: a new one has to begin when CR3 comes back */
    uint64_t last_use;   /* 0: this is none */
    unsigned visits;
    uint32_t used[SPACE_SETS]; /* which of each set of `pages` are there, by bit */
    unsigned fetch_count;
    struct space_page pages[SPACE_SETS][SPACE_WAYS];
    struct space_fetch fetches[SPACE_FETCHES];
};

struct spaces {
    struct space spaces[SPACES];
    struct space *current; /* NULL: it is not known yet */
    uint64_t clock;
};

/* A page that is not global has come into a TLB, or is fetched from for the first time in this generation;
 * the TLB says that it is at `phys`. Paging is on. */
void spaces_note_page(struct mmu *mmu, uint32_t linear, bool user, const struct paging_result *result);
void spaces_note_fetch(struct mmu *mmu, uint32_t linear, bool user, uint64_t phys);

/* CR3 was loaded, and the TLBs have none but global pages. Puts back what is still true. Returns the
 * generation that has come back; 0: mmu->generation is a new one. */
uint64_t spaces_enter(struct mmu *mmu);

/* The present space's generation is a new one. */
void spaces_begin_generation(struct mmu *mmu);

/* Those of all spaces are over; nothing at all is known any more. */
void spaces_end_generations(struct mmu *mmu);
void spaces_forget(struct mmu *mmu);

#endif
