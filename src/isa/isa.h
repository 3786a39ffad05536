/* The instruction set of a CPU model: what every engine asks before it executes a decoded instruction.
 *
 * The decoder knows all encodings and no model, the CPU models know features and no encodings; here they
 * meet. */
#ifndef DOPPEL_ISA_ISA_H
#define DOPPEL_ISA_ISA_H

#include "cpu/cpu_state.h"
#include "cpu/model.h"
#include "decoder/decoder.h"

/* Whether `model` has this encoding, under these prefixes. Otherwise it raises #UD. */
bool isa_has(const struct cpu_model *model, const struct insn *insn);

/* How `cpu` decodes in its present mode. */
struct decode_mode isa_decode_mode(const struct cpu_state *cpu);

#endif
