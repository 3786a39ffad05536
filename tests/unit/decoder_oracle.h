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

/* capstone's side: an open handle with details and two cs_malloc'ed instructions. */
struct oracle {
    csh handle;
    cs_insn *insn;
    cs_insn *bare;
};

/* Opens capstone for code of `code_size`; false if it cannot be. */
bool oracle_open(struct oracle *oracle, unsigned code_size);
void oracle_close(struct oracle *oracle);

/* What capstone makes of the bytes, or NULL; owned by the oracle until the next call. */
const cs_insn *oracle_decode(struct oracle *oracle, const struct decoder_case *c);

/* Compares the decoder's result with capstone's. *ours must be zeroed before decoding. */
enum oracle_verdict oracle_compare(struct oracle *oracle, const struct decoder_case *c,
                                   enum decode_result result, const struct insn *ours);

/* The mnemonic capstone would print for `insn`, without prefixes. `text` has room for 32 bytes. */
void oracle_mnemonic(const struct insn *insn, char text[32]);

#endif
