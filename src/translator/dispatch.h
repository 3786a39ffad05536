/* The way from one block to the next, where blocks are not linked: the jump cache and its contexts, finding
 * and making blocks, and leaving cold code to the fallback. */
#ifndef DOPPEL_TRANSLATOR_DISPATCH_H
#define DOPPEL_TRANSLATOR_DISPATCH_H

#include "translator/context.h"

/* The context of the jump cache that `mode` has with the present CS and CR3, and all else that goes with it.
 * dispatch_place_context(): CS has another selector, and nothing else has changed. */
void dispatch_set_context(struct translator *t, uint32_t mode);
void dispatch_place_context(struct translator *t);

/* The block at CS:eip in the present context, with `extra` mode bits; NULL: the fallback has to execute what
 * is there, because it is cold (t->cold), meets the page fault, or asks the probe. The fetch sets A bits:
 * only for code that is executed next. */
struct code_block *dispatch_find_block(struct translator *t, uint32_t eip, uint32_t extra);

/* Where the jump cache says that `eip` leads in the present context; NULL: it does not know. */
const uint8_t *dispatch_known_jump(const struct translator *t, uint32_t eip);

/* `eip` leads to `block` in the present context. */
void dispatch_remember_jump(struct translator *t, uint32_t eip, const struct code_block *block);

/* Has the fallback execute a block that is not warm. */
void dispatch_execute_cold(struct translator *t);

/* Goes on at cpu->rip, or leaves; code that is not warm is left to the fallback on the way. cpu_state is
 * true, but for floating-point registers that are loaded. */
const uint8_t *dispatch_go_on(struct translator *t);

/* The same where what inline code takes for granted is true. */
const uint8_t *dispatch_enter_code(struct translator *t);

/* The fallback or the emulation changes what inline code takes for granted. */
void dispatch_forget_shortcuts(struct translator *t);

#endif
