/* Where the parts of an encoded instruction are: for generators that move operands about. */
#ifndef DOPPEL_TESTS_INSN_BYTES_H
#define DOPPEL_TESTS_INSN_BYTES_H

#include "decoder/decoder.h"

/* Bytes of displacement after ModRM and SIB, or of a moffs address; *at is where they are. */
static inline unsigned insn_displacement_bytes(const struct insn *insn, const uint8_t *bytes, unsigned *at)
{
    static const unsigned opcode_bytes[4] = {1, 2, 3, 3};
    *at = insn->prefix_length + opcode_bytes[insn->map];
    if (!insn->has_modrm) {
        bool moffs = insn->map == 0 && insn->opcode >= 0xa0 && insn->opcode <= 0xa3;
        return moffs ? insn->address_size : 0;
    }
    unsigned mod = insn->modrm >> 6;
    unsigned rm = insn->modrm & 7;
    bool sib = insn->address_size == 4 && mod != 3 && rm == 4;
    *at += 1 + sib;
    unsigned base = sib ? bytes[*at - 1] & 7u : rm;
    unsigned absolute = insn->address_size == 2 ? 6 : 5;
    switch (mod) {
    case 0: return base == absolute ? insn->address_size : 0;
    case 1: return 1;
    case 2: return insn->address_size;
    default: return 0;
    }
}

static inline void insn_put_bytes(uint8_t *at, uint32_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

/* The instruction's operand in memory; NULL: none. */
static inline const struct operand *insn_memory_operand(const struct insn *insn)
{
    for (unsigned i = 0; i < insn->operand_count; i++) {
        if (insn->operand[i].kind == OPERAND_MEMORY) {
            return &insn->operand[i];
        }
    }
    return NULL;
}

#endif
