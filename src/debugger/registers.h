/* The CPU's registers by name, for expressions, `set` and completion.
 *
 * Names: eax ax al ah …; eip ip eflags flags and flags.zf …; es cs ss ds fs gs ldtr tr (selectors) and their
 * hidden parts cs.base cs.limit cs.attributes; gdtr.base gdtr.limit idtr.base idtr.limit (gdtr alone: the
 * base); cr0 … dr7, efer; st0 … st7 (as whole numbers), mm0 … mm7, xmm0.q0 .d3 .w7 .b15, fpu.control
 * fpu.status fpu.tag, mxcsr; cpl; retired, the number of instructions executed. MSRs go by number. */
#ifndef DOPPEL_DEBUGGER_REGISTERS_H
#define DOPPEL_DEBUGGER_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "cpu/cpu_state.h"

/* A register that register_find() found: a value, to be copied. */
struct register_ref {
    uint8_t kind;
    uint8_t index;
    uint8_t part;
    uint8_t width; /* in bytes; 0: a single bit or field */
};

/* Case does not matter. False: there is no register of this name. */
bool register_find(const char *name, size_t length, struct register_ref *found);

/* Always possible; parts the CPU model lacks are zero. */
uint64_t register_read(const struct cpu_state *cpu, struct register_ref ref);

/* Loads a register as the guest's own instructions would, with the side effects these have (a selector loads
 * the hidden part, CR0 changes the mode). Errors: the register cannot be set, or the CPU refuses the value;
 * then nothing has changed. */
struct status register_write(struct cpu_state *cpu, struct register_ref ref,
                             uint64_t value) STATUS_MUST_CHECK;

/* Model-specific registers. Errors: the model has none, or not this one, or it refuses the value. */
struct status register_read_msr(struct cpu_state *cpu, uint32_t number, uint64_t *value) STATUS_MUST_CHECK;
struct status register_write_msr(struct cpu_state *cpu, uint32_t number, uint64_t value) STATUS_MUST_CHECK;

/* "es" to "gs" of a segment register, and back. */
const char *register_segment_name(enum cpu_segment segment);
bool register_find_segment(const char *name, size_t length, enum cpu_segment *segment);

/* The n-th name that stands for itself (those made by number or part are left out), NULL past the end. */
const char *register_name(size_t n);

/* The short name of an exception: "#GP". NULL: that vector is reserved, and no CPU raises it. */
const char *register_exception_name(unsigned vector);

#endif
