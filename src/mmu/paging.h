/* The page-table walk (SDM 3A §4.3 32-bit paging, §4.4 PAE paging), internal to mmu. */
#ifndef DOPPEL_MMU_PAGING_H
#define DOPPEL_MMU_PAGING_H

#include "mmu/mmu.h"

/* What a successful walk found. */
struct paging_result {
    uint64_t phys; /* of the address itself */
    bool writable; /* a store with these rights would succeed */
    bool executable;
    bool dirty;  /* the D bit is set: stores need no further walk */
    bool large;  /* part of a page of 2 or 4 MiB */
    bool global; /* stays when CR3 is loaded */
};

/* Walks the tables for `linear`. Returns true and fills *result, having set A (and D for stores); otherwise
 * *error_code is the page fault's. With `update` false nothing in guest memory changes (debuggers). Paging
 * must be on. */
bool paging_walk(const struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user, bool update,
                 struct paging_result *result, uint32_t *error_code);

#endif
