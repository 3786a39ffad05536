/* Accesses of one block that lie close together share one look at the TLB.
 *
 * Stack frames and structures are reached through one register and different displacements. Two accesses
 * belong to one *group* when their addresses are the same unknown value plus constants that lie less than
 * GROUP_SPAN apart: the *root* is that value, which survives copies and additions of constants (PUSH, POP,
 * ADD ESP, LEA). The first access of a group looks up the page for the group's whole span and keeps the host
 * address in a slot of the struct translator; the others take it from there:
 *
 *     mov rcx, [r14 + slot]; op [rcx + constant]
 *
 * Where the span is not in one page that allows everything the group does (SITE_GROUP), control leaves for
 * another block that begins here and has no groups (MODE_SINGLE). Where the fallback executes an instruction,
 * slots are lost, because permissions may be: behind an instruction that is always left to it, groups begin
 * anew; behind one that only met a page which needs care, control leaves for a block that begins there. A
 * block is entered at its beginning only, so that what comes first in it is executed first.
 *
 * With -mmu walk each access walks the page tables, and there are no groups. */
#ifndef DOPPEL_TRANSLATOR_GROUPS_H
#define DOPPEL_TRANSLATOR_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "decoder/insn.h"

#define GROUP_SLOTS 8u
#define GROUP_SPAN  256 /* bytes */

struct builder;
struct guest_operand;

/* An unknown value, a register's or an address's, plus a constant. */
struct tracked_value {
    uint64_t unknown; /* a root; of an address: also that of the index, and by how much that counts */
    int32_t offset;
};

struct access_group {
    uint64_t unknown; /* the root, as in struct tracked_value */
    uint16_t members;
    int32_t low, high; /* offsets [low, high) from the root */
    bool store;        /* some member writes */
    uint16_t aligned;  /* bit n: a check has found low + n, modulo 16, to be a multiple of 16 */
};

struct group_state {
    struct tracked_value gpr[8];
    uint64_t next_root;
    unsigned count;
    unsigned established;                    /* bit n: code that fills the slot of group n has been written */
    struct access_group groups[GROUP_SLOTS]; /* each has the slot of its index */
};

/* Finds the groups of the block's instructions. */
void groups_plan(struct builder *b);

/* Before the code of the first instruction, and after that of each. */
void groups_begin(struct builder *b);
void groups_advance(struct builder *b, const struct insn *insn);

/* The fallback executes what was written last: slots are lost behind it. */
void groups_forget(struct builder *b);

/* Whether any slot holds something here. */
static inline bool groups_are_in_use(const struct group_state *g)
{
    return g->established != 0;
}

/* The group that serves this access, with two members or more; NULL: none. *offset is that of the operand
 * from the group's low end, *register_offset what must be added to the base register to get there. */
struct access_group *groups_find(struct builder *b, const struct guest_operand *operand, unsigned width,
                                 bool store, int32_t *offset, int32_t *register_offset);

#endif
