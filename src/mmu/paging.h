/* The page-table walk (SDM 3A §4.3 32-bit paging, §4.4 PAE paging), internal to mmu. */
#ifndef DOPPEL_MMU_PAGING_H
#define DOPPEL_MMU_PAGING_H

#include "mmu/mmu.h"

/* The entries that a walk met, as it left them: where they are, and what they are. */
struct paging_proof {
    uint64_t address[2]; /* guest-physical; the last one is in [levels - 1] */
    uint64_t entry[2];
    unsigned levels;
};

/* What a successful walk found. */
struct paging_result {
    uint64_t phys; /* of the address itself */
    bool writable; /* a store with these rights would succeed */
    bool executable;
    bool dirty;    /* the D bit is set: stores need no further walk */
    bool accessed; /* the A bits were set before, those of the levels above as well */
    bool large;    /* part of a page of 2 or 4 MiB */
    bool global;   /* stays when CR3 is loaded */
    bool user;     /* is not the supervisor's alone */
    struct paging_proof proof;
};

/* Walks the tables for `linear`. Returns true and fills *result, having set A (and D for stores); otherwise
 * *error_code is the page fault's. With `update` false nothing in guest memory changes (debuggers). Paging
 * must be on. */
bool paging_walk(const struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user, bool update,
                 struct paging_result *result, uint32_t *error_code);

/* Whether a walk would find the same again: with the same CR3, and bits of CR0, CR4 and EFER. */
bool paging_proof_holds(const struct mmu *mmu, const struct paging_proof *proof);

/* What a walk meets before the last level: when none of it has changed, no walk there ends otherwise. */
struct paging_path {
    uint64_t directory;     /* the entry above the last level; 0 where PAE's pointer leads to none */
    const uint8_t *entries; /* of the last level, for the 2 MiB around; NULL: there is none, or in no RAM */
    unsigned length;        /* of these, in bytes */
    bool hidden;            /* there is a last level, in no RAM */
};

#define PAGING_PATH_MAX 4096u

/* The path to the page of `linear`. Paging must be on. */
void paging_find_path(const struct mmu *mmu, uint64_t linear, struct paging_path *path);

#endif
