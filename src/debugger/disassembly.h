/* Machine code as text, for people: by capstone, when it is built in. */
#ifndef DOPPEL_DEBUGGER_DISASSEMBLY_H
#define DOPPEL_DEBUGGER_DISASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum disassembly_syntax { DISASSEMBLY_INTEL, DISASSEMBLY_ATT };

struct disassembly {
    unsigned length; /* bytes of the instruction; 1 when it is unknown */
    char mnemonic[32];
    char operands[160];
};

/* False when this doppel was built without. */
bool disassembly_is_there(void);

/* The instruction at the start of `bytes`, as code of 16, 32 or 64 `bits` at `address`. */
struct disassembly disassembly_of(enum disassembly_syntax syntax, unsigned bits, uint64_t address,
                                  const uint8_t *bytes, size_t length);

/* A block of code as QEMU's -d in_asm and out_asm print it; a log_disassembler. */
void disassembly_log(FILE *sink, uint64_t address, const uint8_t *bytes, size_t length, unsigned bits);

#endif
