/* Instructions that are sensitive but not privileged (Robin & Irvine, USENIX Security 2000), and the system
 * instructions beside them: how translated code comes to their emulation, by strategy.
 *
 *     trap      a UD2 stands in the instruction's place; the host's signal handler (trap.c) goes on at the
 *               site that the other strategies jump to. Only for Robin & Irvine's instructions.
 *     callout   a jump to the service stub: sensitive_emulate() does what the instruction does.
 *     inline    host code that does it (sensitive_inline.c, segments.c, known_selector.c, known_load.c,
 *               fast_call.c, far.c), where that is possible in the mode that the block assumes; otherwise
 *               like callout.
 *
 * The emulation has the instruction's operands in the site; the offset of an operand in memory comes in r10.
 */
#ifndef DOPPEL_TRANSLATOR_SENSITIVE_H
#define DOPPEL_TRANSLATOR_SENSITIVE_H

#include "translator/builder.h"

/* ---- sensitive.c */

/* Whether the instruction sets CS:EIP, so that its block ends. */
bool sensitive_is_transfer(enum insn_id id);

/* Executes the instruction at SITE_SENSITIVE, before which cpu_state is true, or delivers the fault that it
 * raises: then the answer is false. */
bool sensitive_execute(struct translator *t, const struct translator_site *site);

/* ---- sensitive_site.c */

/* The place from which `insn` is emulated, reached by the jump whose displacement is at `jump`; r10 has the
 * offset of its operand in memory, if it is to be read again. */
struct translator_site *sensitive_add_site(struct builder *b, const struct insn *insn, uint8_t *jump);

/* MOV: to a segment register rather than from it. */
bool sensitive_loads_segment(const struct insn *insn);

/* Which segment register LDS, LES, LFS, LGS or LSS loads. */
unsigned sensitive_far_segment(enum insn_id id);

/* ---- sensitive_inline.c, segments.c: false when there is no host code for it in this mode */

translate_function inline_push_flags, inline_pop_flags, inline_interrupt_flag;
translate_function inline_machine_status, inline_table, inline_selector_register, inline_control_read;
translate_function inline_segment_move, inline_push_segment, inline_pop_segment, inline_far_pointer;

/* The selector that MOV, LAR, LSL, VERR or VERW takes from a register or from memory, in r10; whether there
 * is host code for that. */
bool selector_is_possible(const struct builder *b, const struct operand *from,
                          const struct guest_operand *memory);
void emit_selector(struct builder *b, const struct operand *from, const struct guest_operand *memory);

/* The same of known_selector.c and fast_call.c. */
translate_function inline_query, inline_jump_far, inline_return_far, inline_interrupt_return;
translate_function inline_fast_call;

/* Whether a far pointer can be read in one access: where its address would wrap in the middle, that is a
 * callout. */
bool pointer_is_in_one_piece(const struct builder *b, const struct guest_operand *pointer);

/* Splits the far pointer at `at`, [rcx + r10] or in the window, into an offset of `width` bytes in r10d and a
 * selector in r11d. */
void emit_split_pointer(struct builder *b, struct host_address at, unsigned width);

/* Stores a far pointer of 48 bits, as 64, by one host instruction; its selector is r11, which changes. */
void emit_store_far_pointer(struct builder *b, struct host_address at, uint32_t offset);

/* The same of far.c, for MODE_PARAGRAPH. */
translate_function inline_paragraph_jump, inline_paragraph_return;

/* The arithmetic flags from the image in r10d. Changes rcx and r11. */
void emit_load_flags(struct builder *b);

/* ---- known_selector.c */

/* r10: a selector. Leaves for the emulation of `insn` unless `kind` is known of it (quick.h). Changes rcx and
 * r11. `memory`: the operand whose offset the emulation is to find in r10; NULL: it has none. */
void emit_known_selector(struct builder *b, const struct insn *insn, enum known_kind kind,
                         const struct guest_operand *memory);

/* ---- known_load.c */

/* Writes t->load_segment. */
void emit_known_load_stub(struct translator *t, struct emitter *e);

/* Describes the load of a data segment by `insn`, whose selector is in r10, in t->temporary. Changes rcx. */
void emit_load_description(struct builder *b, const struct insn *insn);

/* The load at `site`, a SITE_SEGMENT, has led here from the context given, by a selector that is known now:
 * inline code may do the same. */
void known_load_learn(struct translator *t, const struct translator_site *site, uint64_t from_context);
void known_load_forget(struct translator *t);

/* ---- fast_call.c */

/* SYSENTER or SYSEXIT at `site` has led here from the context given, with this mode, base of CS and window:
 * inline code may do the same. */
void fast_call_learn(struct translator *t, const struct translator_site *site, uint64_t from_context,
                     uint32_t from_mode, uint64_t from_base, const uint8_t *from_window);
void fast_call_forget(struct translator *t);

/* ---- trap.c */

struct fault_context;

/* Host faults in translated code: those that are planted go on at their site. `opaque`: struct translator. */
bool sensitive_handle_trap(void *opaque, struct fault_context *context);

/* Writes the instruction that traps; returns the displacement of the jump behind it. */
uint8_t *sensitive_emit_trap(struct emitter *e);

#endif
