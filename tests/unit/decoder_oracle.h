/* Compares one decoded instruction with what capstone makes of the same bytes. */
#ifndef DOPPEL_TESTS_DECODER_ORACLE_H
#define DOPPEL_TESTS_DECODER_ORACLE_H

#include <capstone/capstone.h>

#include "decoder/decoder.h"
#include "decoder_cases.h"

#define ORACLE_ADDRESS 0x1000

/* How a comparison ends: agreement, a documented disagreement, or the aspect that differs. */
enum oracle_verdict {
    ORACLE_AGREES,
    ORACLE_DOCUMENTED,
    ORACLE_VALIDITY,
    ORACLE_LENGTH,
    ORACLE_MNEMONIC,
    ORACLE_OPERAND_COUNT,
    ORACLE_OPERAND
};

/* The same instruction with its prefixes in the one order that capstone reads as processors do: F0, the
 * segment override that counts, 67, 66, the F2 or F3 that counts, a REX that counts. The order of prefixes
 * has no meaning (SDM 2A §2.1.1), but capstone finds mandatory prefixes only directly before the opcode.
 * `removed` is set to the number of bytes dropped. */
void oracle_canonicalize(const struct decoder_case *c, uint8_t bytes[CASE_BYTES], unsigned *removed);

/* `removed` as from oracle_canonicalize; `theirs` is NULL if capstone finds no instruction; `handle` is only
 * asked for names. */
enum oracle_verdict oracle_compare(csh handle, const struct decoder_case *c, enum decode_result result,
                                   const struct insn *ours, const cs_insn *theirs, unsigned removed);

/* The mnemonic capstone would print for `insn`, without prefixes. `text` has room for 32 bytes. */
void oracle_mnemonic(const struct insn *insn, char text[32]);

#endif
