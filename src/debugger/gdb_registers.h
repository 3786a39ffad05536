/* The guest's registers as gdb has them: numbers, sizes and bytes.
 *
 * gdb knows one flat address space, and takes eip for an address in it: where the program is, what it
 * disassembles, what it compares breakpoints with. So its eip and esp are linear addresses, offset plus the
 * base of CS and SS; with flat segments this is what they are anyway, and in real mode gdb needs no tricks.
 * What is written there has the base subtracted again. The offsets themselves are raw_eip and raw_esp. ebp
 * and all others, which are pointers of some segment or none, are what they are.
 *
 * Bytes are in the guest's order, the lowest first. */
#ifndef DOPPEL_DEBUGGER_GDB_REGISTERS_H
#define DOPPEL_DEBUGGER_GDB_REGISTERS_H

#include <stdint.h>

#include "base/status.h"
#include "cpu/cpu_state.h"

#define GDB_REGISTER_BYTES 16u /* of the widest one */

enum gdb_feature { GDB_FEATURE_CORE, GDB_FEATURE_SSE, GDB_FEATURE_SYSTEM, GDB_FEATURES };

enum gdb_register_kind {
    GDB_NAMED, /* .source is a name of registers.h */
    GDB_PROGRAM_COUNTER,
    GDB_STACK_POINTER,
    GDB_CODE_SIZE, /* operand size of the code, in bytes: 2 or 4 */
    GDB_X87_STACK, /* ST(.index) */
    GDB_X87_TAGS,
    GDB_X87_CODE_SELECTOR,
    GDB_X87_CODE_OFFSET,
    GDB_X87_DATA_SELECTOR,
    GDB_X87_DATA_OFFSET,
    GDB_X87_OPCODE,
    GDB_SSE_REGISTER /* XMM(.index) */
};

struct gdb_register {
    enum gdb_feature feature;
    const char *name;
    unsigned bytes;
    const char *type, *group; /* in the target description; group "": by the type */
    enum gdb_register_kind kind;
    unsigned index;
    const char *source;
};

enum {
    GDB_REGISTER_COUNT = 0
#define GDB_REGISTER(feature, name, bits, type, group, kind, index, source) +1
#include "debugger/gdb_register.def"
#undef GDB_REGISTER
};

/* NULL: there is no such number. */
const struct gdb_register *gdb_register_at(uint64_t number);

/* gdb's numbers of the registers that it wants to know at every stop. */
enum gdb_register_number { GDB_ESP = 4, GDB_EBP = 5, GDB_EIP = 8, GDB_CS = 10, GDB_GS = 15 };

/* Writes `.bytes` bytes. */
void gdb_register_read(const struct cpu_state *cpu, const struct gdb_register *which, uint8_t *bytes);

/* Reads as many. Errors: the register cannot be set, or the CPU refuses the value; nothing has changed then.
 */
struct status gdb_register_write(struct cpu_state *cpu, const struct gdb_register *which,
                                 const uint8_t *bytes) STATUS_MUST_CHECK;

/* The linear address of the next instruction. */
uint32_t gdb_program_counter(const struct cpu_state *cpu);

#endif
