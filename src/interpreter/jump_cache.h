/* From one block to the next without a detour through the run loop.
 *
 * The jump cache maps linear addresses to blocks. A tag holds the linear address and the *context* in which
 * that is true: code size, privilege, and the generation of mappings and blocks. The generation field wraps
 * after 2^30 changes: too many for an entry to survive in its slot.
 *
 * Blocks that follow each other through it are a *chain*. Within one, CS, privilege and the generation stay
 * as they are, because whatever changes them ends the chain: instructions that do leave by uop_leave(), and a
 * flush of the TLB in the middle of a block leaves CPU_PENDING_ENGINE behind. */
#ifndef DOPPEL_INTERPRETER_JUMP_CACHE_H
#define DOPPEL_INTERPRETER_JUMP_CACHE_H

#include "interpreter/operand.h"

/* The upper part of the tags under the CPU's present state. */
static inline uint64_t jump_context(const struct interpreter *in)
{
    const struct cpu_state *cpu = in->cpu;
    uint64_t generation = in->mmu->generation & bits_mask(30);
    return (uint64_t)(cpu->code_size == 4) << 32 | (uint64_t)(cpu->cpl == 3) << 33 | generation << 34;
}

static inline struct jump_cache_entry *jump_entry(struct interpreter *in, uint32_t linear)
{
    return &in->jump_cache[(linear ^ linear >> JUMP_CACHE_BITS) & (JUMP_CACHE_ENTRIES - 1)];
}

/* Ends the block in front of `end` and goes on at CS:rip: with the next block of the chain when it is known,
 * fits the budget and the segment, and nothing else is due. */
ALWAYS_INLINE void chain_to(struct cpu_state *cpu, const struct uop *end, struct interpreter *in,
                            uint64_t rip)
{
    const struct segment *cs = &cpu->segment[CPU_CS];
    uint32_t linear = (uint32_t)(cs->base + rip);
    const struct jump_cache_entry *entry = jump_entry(in, linear);
    uint64_t retired = in->block_retired + end->position;
    cpu->rip = rip;
    in->current = end;
    if (UNLIKELY(entry->tag != (in->jump_context | linear) || cpu_needs_attention(cpu))) {
        return;
    }
    struct block *next = entry->block;
    if (UNLIKELY(retired + next->count > in->chain_until || rip + next->length - 1 > cs->limit)) {
        return;
    }
    in->block = next;
    in->block_rip = rip;
    in->block_retired = retired;
    in->current = next->uops;
    next->uops[0].run(cpu, next->uops, in);
}

#endif
