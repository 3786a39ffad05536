/* The .def rows compiled for decoder.c: eight bytes per encoding, everything that can be known at compile
 * time worked out.
 *
 * Private to the decoder. Tables are indexed by opcode byte, so that a lookup is one load; what a row needs
 * (ModRM, which immediate, which promotion of the operand size) is the union of what its operand types need.
 */
#ifndef DOPPEL_DECODER_DECODER_TABLES_H
#define DOPPEL_DECODER_DECODER_TABLES_H

#include "decoder/insn.h"

enum operand_type {
#define OPERAND_TYPE(name, ...) TYPE_##name,
#include "decoder/operand_type.def"
#undef OPERAND_TYPE
    TYPE_COUNT
};

/* What decoding a row takes. */
enum row_attribute {
    ROW_NONE = 0,
    ROW_LINK = 1u << 0, /* not an instruction: operand[0] is an enum row_link */
    ROW_MODRM = 1u << 1,
    ROW_MEMORY_ONLY = ROW_MODRM | 1u << 2,   /* mod = 3 is invalid */
    ROW_REGISTER_ONLY = ROW_MODRM | 2u << 2, /* mod != 3 is invalid */
    ROW_MOD_IGNORED = ROW_MODRM | 3u << 2,   /* always a register */
    ROW_SPECIAL = 1u << 4,                   /* decoder.c's decode_special knows more */
    ROW_CONDITION = 1u << 5,                 /* the opcode's low four bits are a condition */
    ROW_MANDATORY = 1u << 6,                 /* F2 or F3 is part of the opcode */
    ROW_D64 = 1u << 7,                       /* the operand size defaults to 8 in 64-bit mode */
    ROW_F64 = 2u << 7,                       /* the operand size is 8 in 64-bit mode */
    ROW_IMM_B = 1u << 9,                     /* a byte, zero-extended */
    ROW_IMM_BS = 2u << 9,                    /* a byte, sign-extended */
    ROW_IMM_W = 3u << 9,
    ROW_IMM_Z = 4u << 9, /* 2 or 4 bytes; 4 sign-extended for operand size 8 */
    ROW_IMM_V = 5u << 9, /* 2, 4 or 8 bytes */
    ROW_IMM_J = 6u << 9, /* 2 or 4 bytes, sign-extended */
    ROW_IMM_ENTER = 7u << 9 | ROW_SPECIAL,
    ROW_IMM_FAR = 8u << 9 | ROW_SPECIAL,
    ROW_MOFFS = 9u << 9 | ROW_SPECIAL
};

#define ROW_FORM(attributes)      (((attributes) >> 2) & 3u)
#define ROW_PROMOTION(attributes) (((attributes) >> 7) & 3u)
#define ROW_IMMEDIATE(attributes) (((attributes) >> 9) & 15u)
#define ROW_COUNT_SHIFT           13
#define ROW_IMMEDIATE_KINDS       10

/* Where a ROW_LINK row leads. */
enum row_link {
    LINK_PREFIX, /* operand[1]: prefixes set, [2]: prefixes kept, [3]: segment override or SEGMENT_COUNT */
    LINK_0F,
    LINK_0F38,
    LINK_0F3A,
    LINK_GROUP, /* of number id, by ModRM reg and form */
    LINK_RM,    /* group of number id, by ModRM rm */
    LINK_X87
};

/* Mandatory prefix columns of the maps beyond the one-byte one. */
enum prefix_column { PREFIX_NP, PREFIX_P66, PREFIX_PF3, PREFIX_PF2, PREFIX_COLUMNS };

struct opcode_row {
    uint16_t id_and_level; /* enum insn_id in the low 12 bits, enum insn_level in the high four; links: a
                              group's number */
    uint16_t attributes;   /* enum row_attribute; the operand count in the high three bits */
    uint8_t operand[4];    /* enum operand_type; at most three are used */
};

/* How one operand type is filled in, for one ModRM form and effective operand size. */
struct operand_template {
    struct operand operand; /* reg: the number to which the one from `source` is added */
    uint8_t source;         /* shift into the packed register numbers (enum operand_source) */
    uint8_t high_byte;      /* the bit in the number from `source` that makes it AH to BH; 0: there is none */
    uint8_t unused[2];      /* eight bytes are found fastest */
};

/* Register numbers an instruction's bytes hold, as shift counts into one word of packed bytes. */
enum operand_source {
    SOURCE_FIXED = 0,
    SOURCE_REG = 8,
    SOURCE_RM = 16,
    SOURCE_LOW = 24,
    SOURCE_REG3 = 32,
    SOURCE_RM3 = 40
};

enum opcode_group {
#define OPCODE(...)
#define OPCODE8(...)
#define OPCODE16(...)
#define OPCODE_PREFIX(...)
#define OPCODE_ESCAPE(...)
#define OPCODE_X87(...)
#define OPCODE_GROUP(opcode, when, group, level) GROUP_##group,
#include "decoder/opcodes_one_byte.def"
#include "decoder/opcodes_two_byte.def"
#undef OPCODE
#undef OPCODE8
#undef OPCODE16
#undef OPCODE_PREFIX
#undef OPCODE_ESCAPE
#undef OPCODE_X87
#undef OPCODE_GROUP
    GROUP_COUNT
};

/* Groups by ModRM rm. */
enum opcode_rm_group {
#define GROUP_BOTH(...)
#define GROUP_MEMORY(...)
#define GROUP_REGISTER(...)
#define GROUP_MEMORY8(...)
#define GROUP_REGISTER8(...)
#define GROUP_RM(...)
#define GROUP_RM_LINK(group, reg, rm_group) RM_GROUP_##rm_group,
#include "decoder/opcodes_group.def"
#undef GROUP_BOTH
#undef GROUP_MEMORY
#undef GROUP_REGISTER
#undef GROUP_MEMORY8
#undef GROUP_REGISTER8
#undef GROUP_RM
#undef GROUP_RM_LINK
    RM_GROUP_COUNT
};

extern const struct opcode_row decoder_one_byte_8086[256];
extern const struct opcode_row decoder_one_byte_32[256]; /* and 16-bit code */
extern const struct opcode_row decoder_one_byte_64[256];
extern const struct opcode_row decoder_two_byte[PREFIX_COLUMNS][256];
extern const struct opcode_row decoder_0f38[PREFIX_COLUMNS][256];
extern const struct opcode_row decoder_0f3a[PREFIX_COLUMNS][256];
extern const struct opcode_row decoder_group[GROUP_COUNT][2][8]; /* [group][mod = 3][reg] */
extern const struct opcode_row decoder_rm_group[RM_GROUP_COUNT][8];
extern const struct opcode_row decoder_x87_memory[8][8];    /* [opcode & 7][reg] */
extern const struct opcode_row decoder_x87_register[8][64]; /* [opcode & 7][ModRM & 63] */
extern const struct opcode_row decoder_x87_escape; /* what the 8086 and 80286 make of undefined escapes */

/* [type][mod = 3][operand size 2, 4, 8] */
extern const struct operand_template decoder_operand[TYPE_COUNT][2][3];

#endif
