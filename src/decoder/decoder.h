/* The x86 instruction decoder: bytes and mode in, `struct insn` or a named error out.
 *
 * A pure function: no guest state, no faults, no allocation. 16-, 32- and 64-bit code; one- and two-byte
 * maps, 0F38, 0F3A, x87, MMX, SSE to SSE4.2. VEX/EVEX/XOP are invalid. References: SDM 2A chapter 2 and
 * appendix A (vol. 2D). */
#ifndef DOPPEL_DECODER_DECODER_H
#define DOPPEL_DECODER_DECODER_H

#include <stddef.h>

#include "decoder/insn.h"

/* How bytes are read. */
struct decode_mode {
    uint8_t code_size; /* 2, 4 or 8: default operand/address size of the code segment (8: 64-bit mode) */
    /* Encodings of the 8086: no 0F escape (0F is POP CS), 60-6F alias Jcc 70-7F, C0/C1/C8/C9 alias RET/RETF
     * forms, F1 aliases LOCK, no 64-67 prefixes, D0-D3/6 SETMO, F6/F7/1 TEST alias, FE/FF oddities, and so
     * on. */
    bool is_8086;
    uint8_t max_length; /* longest instruction: 15 (80386 and later), 10 (80286); 0 means 15. The 8086 has no
                           limit; 15 is ours */
};

enum decode_result {
    DECODE_OK,
    DECODE_INVALID,   /* no such instruction: #UD. insn->length covers the bytes that were looked at */
    DECODE_TOO_LONG,  /* more than the longest instruction: #GP(0) */
    DECODE_TRUNCATED, /* `available` ended first: fetch more bytes (a page-crossing fetch may fault there) */
};

/* Decodes one instruction from `bytes`. At most `available` bytes are read. Everything in *insn is set on
 * DECODE_OK; on DECODE_INVALID id is INSN_INVALID and length is set; otherwise *insn is undefined.
 *
 * Which CPU has an instruction is not the decoder's business (insn.level, and for INSN_LEVEL_OTHER the id),
 * nor whether LOCK is allowed, with these exceptions: is_8086, and x87 escapes without meaning, which are
 * INSN_ESC for the 8086 and when max_length is 10 (80286), and invalid otherwise. */
enum decode_result decoder_decode(const struct decode_mode *mode, const uint8_t *bytes, size_t available,
                                  struct insn *insn);

#endif
