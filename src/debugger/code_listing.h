/* Lines of disassembled guest code, as `x /i` and `disassemble` print them, and whoever shows where the guest
 * stands: labels, marks, address, bytes, instruction, and what symbols say about its operands. */
#ifndef DOPPEL_DEBUGGER_CODE_LISTING_H
#define DOPPEL_DEBUGGER_CODE_LISTING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "debugger/guest_memory.h"
#include "decoder/insn.h"

struct monitor;

/* One instruction, in the parts that a line of a listing has. */
struct code_line {
    char label[120];  /* the symbol that begins here, or "" */
    char address[16]; /* as code_listing_address() writes it */
    uint8_t bytes[INSN_MAX_LENGTH];
    unsigned length;  /* of the instruction; 0: memory cannot be read, there is no text */
    char text[200];   /* "mov ax, bx"; "" without a disassembler */
    char symbol[120]; /* what an operand names, or "" */
    bool here;        /* the CPU's next instruction */
    bool breakpoint;
    bool sensitive;
};

/* Bytes of the instruction at a linear address, of the CPU's present code size; 0: memory cannot be read, 1
 * also what is no instruction. Much faster than a description. */
unsigned code_listing_length(struct monitor *monitor, uint64_t address);

/* Describes the instruction at `address`; `bits` as for code_listing_print(). */
void code_listing_describe(struct monitor *monitor, enum guest_space space, uint64_t address, unsigned bits,
                           struct code_line *line);

/* Prints `count` instructions from `address` on. `bits`: 16, 32 or 64; 0: as the CPU would execute them now.
 * *next is the address behind the last. Where memory cannot be read, a line says ?? and the listing ends.
 * Errors: doppel was built without a disassembler. */
struct status code_listing_print(struct monitor *monitor, FILE *out, enum guest_space space, uint64_t address,
                                 unsigned bits, unsigned count, uint64_t *next) STATUS_MUST_CHECK;

/* Where the CPU is: the linear address of the next instruction. */
uint64_t code_listing_here(struct monitor *monitor);

/* An address of code as people write it: "f000:e05b" for 16-bit code within the present CS, else 8 digits. */
const char *code_listing_address(struct monitor *monitor, uint64_t linear, char *text, size_t size);

#endif
