/* Floating point in translated code: x87, MMX and SSE instructions run as themselves, on the host's own
 * registers.
 *
 * Two parts of the guest's state come and go separately: FLOAT_X87 (the register stack that MMX shares, its
 * control and status words) and FLOAT_SSE (XMM0 to XMM7 and MXCSR). A part is *loaded* while the host's
 * registers hold the guest's; t->x87_absent or t->sse_absent is 0 then. A block checks for it in front of
 * its first instruction that needs the part, without touching flags:
 *
 *     mov ecx, [r14 + absent]; jrcxz present; jmp site
 *
 * and keeps it to its end: sites tell what must be loaded behind them; when that is not possible the block is
 * left. A part can be loaded only when no instruction on it can raise anything but a fault of
 * its memory operand: CR0.EM and TS clear, CR4.OSFXSR for SSE, all six exceptions masked, none pending. While
 * it is not, the site's instruction is a callout: the fallback knows how to raise. So the blocks' keys need
 * not tell.
 *
 * C code. The service stub puts XMM registers and MXCSR where struct cpu_state has them, and gives C the
 * host's MXCSR; the resume stub loads them. The x87's registers stay where they are: nothing that a service
 * calls uses them before translator_store_float() has run, which comes with everything that looks at the
 * guest's registers.
 *
 * NOT IMPLEMENTED: the x87's instruction and data pointers and its last opcode. They tell what the fallback
 * executed last; FNSTENV, FNSAVE and FXSAVE show that. */
#ifndef DOPPEL_TRANSLATOR_FLOAT_H
#define DOPPEL_TRANSLATOR_FLOAT_H

#include "translator/builder.h"

/* ---- float_state.c; from C called by translated code */

/* struct cpu_state is true afterwards, and nothing is loaded. */
void translator_store_float(struct translator *t);

/* Loads `parts`; false when one of them cannot be. */
bool translator_load_float(struct translator *t, unsigned parts);

/* ---- float_x87.c */

/* Whether the instruction writes its memory operand; none reads and writes it. */
bool translator_x87_is_store(const struct insn *insn);

/* ---- float_state.c; for translators */

/* Makes sure that `parts` are loaded when the present instruction executes. False: it is to be a callout. */
bool emit_float_check(struct builder *b, unsigned parts);

/* Goes to the callout unless those bits of the `width` bytes at `at`, [r11 + r10], that `mask` selects are as
 * in `wanted`. Returns where the operand is now. */
struct host_address emit_masks_check(struct builder *b, struct host_address at, unsigned width, uint32_t mask,
                                     uint32_t wanted);

#endif
