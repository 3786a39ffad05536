/* Walks for translated code under MMU_WALK: the guest's page tables are read at each access, and nothing is
 * remembered. They are short, change nothing but a counter, and use general registers only, so that whoever
 * calls them need not save vector registers.
 *
 * What takes more than that (a bit to be set in a table, tables or data in no RAM, code marks, breakpoints, a
 * debugger's watches, alignment checks, a trace, two pages) is mmu_fast_fill()'s. */
#ifndef DOPPEL_MMU_PLAIN_WALK_H
#define DOPPEL_MMU_PLAIN_WALK_H

#include <stdint.h>

struct mmu;

/* What the access is: its width in bytes, 1 to 255, and the address bits that must be 0. */
#define PLAIN_WALK_ALIGNMENT_SHIFT 8
static inline uint32_t plain_walk_access(unsigned width, unsigned alignment_bits)
{
    return width | alignment_bits << PLAIN_WALK_ALIGNMENT_SHIFT;
}

/* The host address of guest-linear `linear`, good for this access alone; NULL: ask mmu_fast_fill(), which
 * begins anew. */
typedef uint8_t *mmu_plain_walk(struct mmu *mmu, uint32_t linear, uint32_t access);

mmu_plain_walk mmu_plain_load, mmu_plain_store;           /* by the supervisor */
mmu_plain_walk mmu_plain_user_load, mmu_plain_user_store; /* by the user */

#endif
