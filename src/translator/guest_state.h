/* The guest's state as C sees it while translated code is not executing: registers on their way between
 * struct translator and cpu_state, the count of instructions, and what blocks assume of the rest (their
 * mode). */
#ifndef DOPPEL_TRANSLATOR_GUEST_STATE_H
#define DOPPEL_TRANSLATOR_GUEST_STATE_H

#include "translator/context.h"

/* General registers and flags into cpu_state; guest_store(): floating-point registers as well. */
void guest_store_integers(struct translator *t);
void guest_store(struct translator *t);

/* General registers, flags and what else the struct translator has copies of out of cpu_state. */
void guest_load(struct translator *t);

/* Instructions retired up to the one at `site`. */
static inline uint64_t guest_retired_before(const struct translator *t, const struct translator_site *site)
{
    return t->budget_end - (uint64_t)(int64_t)(t->budget + (int32_t)site->remaining);
}

/* Lets translated code execute up to t->stop_at from cpu_state's count on. */
void guest_set_budget(struct translator *t);

/* ---- what blocks assume */

/* A segment's part of the mode. */
static inline uint32_t guest_class_bits(unsigned number, enum segment_class class)
{
    uint32_t bits = class == SEGMENT_64K ? SEGMENT_FLAT : class;
    return bits << ((unsigned)MODE_SEGMENTS_SHIFT + 2 * number);
}

uint32_t guest_segment_bits(const struct cpu_state *cpu, enum cpu_segment number);

/* The mode of a block at CS:EIP; guest_control_mode(): all of it but the segments that hold data only. */
uint32_t guest_block_mode(struct translator *t);
uint32_t guest_control_mode(struct translator *t);

#endif
