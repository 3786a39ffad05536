/* The documented disagreements between the decoder and capstone. */
#ifndef DOPPEL_TESTS_DECODER_QUIRKS_H
#define DOPPEL_TESTS_DECODER_QUIRKS_H

#include "decoder_oracle.h"

/* One byte string and what both sides say about it. */
struct disputed {
    const struct decoder_case *decoder_case;
    enum decode_result result;
    const struct insn *ours; /* all zero unless result is DECODE_OK */
    const cs_insn *theirs;   /* NULL: invalid */
    const cs_insn *bare;     /* what capstone makes of it without F0, 66, F2, F3; NULL: invalid */
};

/* Whether a row of the table of disagreements explains this one. */
bool quirk_explains(const struct disputed *disputed, enum oracle_verdict verdict);

#endif
