/* Expands the .def rows into the decoder's tables (decoder_tables.h says how they are indexed). */
#include "decoder/decoder_tables.h"

#include <assert.h>

static_assert(INSN_COUNT < 1 << 12, "instruction ids and levels share 16 bits");
static_assert(sizeof(struct opcode_row) == 8, "rows are meant to be compact");

/* ROW_<needs> of each type under the type's name, so that a row can join those of its operands. */
enum type_needs {
#define OPERAND_TYPE(name, needs, ...) NEEDS_##name = ROW_##needs,
#include "decoder/operand_type.def"
#undef OPERAND_TYPE
};

#define OPERANDS(a, b, c) ((TYPE_##a != TYPE__) + (TYPE_##b != TYPE__) + (TYPE_##c != TYPE__))
#define ROW_WITH(extra, id, a, b, c, attributes, level)                                                      \
    {                                                                                                        \
        (uint16_t)((unsigned)INSN_##id | (unsigned)INSN_LEVEL_##level << 12),                                \
            (uint16_t)((unsigned)NEEDS_##a | (unsigned)NEEDS_##b | (unsigned)NEEDS_##c | (attributes) |      \
                       (extra) | (unsigned)OPERANDS(a, b, c) << ROW_COUNT_SHIFT),                            \
        {                                                                                                    \
            TYPE_##a, TYPE_##b, TYPE_##c, TYPE__                                                             \
        }                                                                                                    \
    }
#define LINK(kind, number, level)                                                                            \
    {                                                                                                        \
        (uint16_t)(number), ROW_LINK,                                                                        \
        {                                                                                                    \
            (kind), 0, 0, 0                                                                                  \
        }                                                                                                    \
    }

/* One-byte maps: the IN_ macros keep a row or drop it, by its `when` and level columns. */
#define OPCODE(opcode, when, id, a, b, c, attributes, level)                                                 \
    IN_##when(level, [opcode] = ROW_WITH(0, id, a, b, c, attributes, level))
#define OPCODE8(opcode, when, id, a, b, c, attributes, level)                                                \
    OPCODE((opcode) + 0, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 1, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 2, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 3, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 4, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 5, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 6, when, id, a, b, c, attributes, level)                                               \
    OPCODE((opcode) + 7, when, id, a, b, c, attributes, level)
#define OPCODE16(opcode, when, id, a, b, c, attributes, level)                                               \
    OPCODE8(opcode, when, id, a, b, c, attributes, level)                                                    \
    OPCODE8((opcode) + 8, when, id, a, b, c, attributes, level)
#define OPCODE_GROUP(opcode, when, group, level)                                                             \
    IN_##when(level, [opcode] = LINK(LINK_GROUP, GROUP_##group, level))
#define OPCODE_X87(opcode, when, level)          IN_##when(level, [opcode] = LINK(LINK_X87, 0, level))
#define OPCODE_ESCAPE(opcode, when, link, level) IN_##when(level, [opcode] = LINK(link, 0, level))
#define OPCODE_PREFIX(opcode, when, sets, clears, segment, level)                                            \
    IN_##when(level, [opcode] = {                                                                            \
                         0, ROW_LINK, {LINK_PREFIX, (sets), (uint8_t) ~((clears) | PREFIX_REX), (segment)}})
#define KEEP(level, ...) __VA_ARGS__,
#define DROP(level, ...)

#define IN_ALL KEEP
#define IN_I64 KEEP
#define IN_O64 DROP
#define IN_N86 KEEP
#define IN_O86 DROP
const struct opcode_row decoder_one_byte_32[256] = {
#include "decoder/opcodes_one_byte.def"
};
#undef IN_I64
#undef IN_O64

#define IN_I64 DROP
#define IN_O64 KEEP
const struct opcode_row decoder_one_byte_64[256] = {
#include "decoder/opcodes_one_byte.def"
};
#undef IN_ALL
#undef IN_I64
#undef IN_O64
#undef IN_N86
#undef IN_O86

#define AT_8086(...) __VA_ARGS__,
#define AT_80186(...)
#define AT_80286(...)
#define AT_80386(...)
#define IN_ALL(level, ...) AT_##level(__VA_ARGS__)
#define IN_I64(level, ...) AT_##level(__VA_ARGS__)
#define IN_O64             DROP
#define IN_N86             DROP
#define IN_O86             KEEP
const struct opcode_row decoder_one_byte_8086[256] = {
#include "decoder/opcodes_one_byte.def"
};
#undef IN_ALL
#undef IN_I64
#undef IN_O64
#undef IN_N86
#undef IN_O86
#undef OPCODE
#undef OPCODE_GROUP
#undef OPCODE_ESCAPE

/* The other maps: the second column is a mandatory prefix. */
#define EXTRA_NP                       0u
#define EXTRA_P66                      0u
#define EXTRA_PF3                      ROW_MANDATORY
#define EXTRA_PF2                      ROW_MANDATORY
#define IN_COLUMN(column, opcode, ...) [PREFIX_##column][opcode] = __VA_ARGS__,
#define IN_NP(opcode, ...)             IN_COLUMN(NP, opcode, __VA_ARGS__)
#define IN_P66(opcode, ...)            IN_COLUMN(P66, opcode, __VA_ARGS__)
#define IN_PF3(opcode, ...)            IN_COLUMN(PF3, opcode, __VA_ARGS__)
#define IN_PF2(opcode, ...)            IN_COLUMN(PF2, opcode, __VA_ARGS__)
#define IN_ANY(opcode, ...)                                                                                  \
    IN_NP(opcode, __VA_ARGS__)                                                                               \
    IN_P66(opcode, __VA_ARGS__) IN_PF3(opcode, __VA_ARGS__) IN_PF2(opcode, __VA_ARGS__)
#define EXTRA_ANY 0u
#define OPCODE(opcode, prefix, id, a, b, c, attributes, level)                                               \
    IN_##prefix(opcode, ROW_WITH(EXTRA_##prefix, id, a, b, c, attributes, level))
#define OPCODE_GROUP(opcode, prefix, group, level) IN_##prefix(opcode, LINK(LINK_GROUP, GROUP_##group, level))
#define OPCODE_ESCAPE(opcode, prefix, link, level) IN_##prefix(opcode, LINK(link, 0, level))

const struct opcode_row decoder_two_byte[PREFIX_COLUMNS][256] = {
#include "decoder/opcodes_two_byte.def"
};
const struct opcode_row decoder_0f38[PREFIX_COLUMNS][256] = {
#include "decoder/opcodes_0f38.def"
};
const struct opcode_row decoder_0f3a[PREFIX_COLUMNS][256] = {
#include "decoder/opcodes_0f3a.def"
};

/* Groups. */
#define GROUP_ROW(group, form, reg, id, a, b, c, attributes, level)                                          \
    [GROUP_##group][form][reg] = ROW_WITH((unsigned)ROW_MODRM, id, a, b, c, attributes, level),
#define GROUP_MEMORY(group, reg, id, ...)   GROUP_ROW(group, 0, reg, id, __VA_ARGS__)
#define GROUP_REGISTER(group, reg, id, ...) GROUP_ROW(group, 1, reg, id, __VA_ARGS__)
#define GROUP_BOTH(group, reg, id, ...)                                                                      \
    GROUP_ROW(group, 0, reg, id, __VA_ARGS__) GROUP_ROW(group, 1, reg, id, __VA_ARGS__)
#define GROUP_ROW8(group, form, ...)                                                                         \
    GROUP_ROW(group, form, 0, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 1, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 2, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 3, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 4, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 5, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 6, __VA_ARGS__)                                                                   \
    GROUP_ROW(group, form, 7, __VA_ARGS__)
#define GROUP_MEMORY8(group, ...)   GROUP_ROW8(group, 0, __VA_ARGS__)
#define GROUP_REGISTER8(group, ...) GROUP_ROW8(group, 1, __VA_ARGS__)
#define GROUP_RM_LINK(group, reg, rm_group)                                                                  \
    [GROUP_##group][1][reg] = LINK(LINK_RM, RM_GROUP_##rm_group, 8086),
#define GROUP_RM(...)
const struct opcode_row decoder_group[GROUP_COUNT][2][8] = {
#include "decoder/opcodes_group.def"
};
#undef GROUP_MEMORY
#undef GROUP_REGISTER
#undef GROUP_BOTH
#undef GROUP_MEMORY8
#undef GROUP_REGISTER8
#undef GROUP_RM_LINK
#undef GROUP_RM

#define GROUP_MEMORY(...)
#define GROUP_REGISTER(...)
#define GROUP_BOTH(...)
#define GROUP_MEMORY8(...)
#define GROUP_REGISTER8(...)
#define GROUP_RM_LINK(...)
#define GROUP_RM(group, rm, id, a, b, c, attributes, level)                                                  \
    [RM_GROUP_##group][rm] = ROW_WITH((unsigned)ROW_MODRM, id, a, b, c, attributes, level),
const struct opcode_row decoder_rm_group[RM_GROUP_COUNT][8] = {
#include "decoder/opcodes_group.def"
};

/* x87. */
#define X87_MEMORY(opcode, reg, id, a, level) [(opcode)&7][reg] = ROW_WITH(0u, id, a, _, _, 0, level),
#define X87_REGISTER(opcode, modrm, id, a, b, level)
#define X87_REGISTER8(opcode, modrm, id, a, b, level)
const struct opcode_row decoder_x87_memory[8][8] = {
#include "decoder/opcodes_x87.def"
};
#undef X87_MEMORY
#undef X87_REGISTER
#undef X87_REGISTER8

#define X87_MEMORY(...)
#define X87_REGISTER(opcode, modrm, id, a, b, level)                                                         \
    [(opcode)&7][(modrm)&63] = ROW_WITH((unsigned)ROW_MODRM, id, a, b, _, 0, level),
#define X87_REGISTER8(opcode, modrm, ...)                                                                    \
    X87_REGISTER(opcode, (modrm) + 0, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 1, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 2, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 3, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 4, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 5, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 6, __VA_ARGS__)                                                           \
    X87_REGISTER(opcode, (modrm) + 7, __VA_ARGS__)
const struct opcode_row decoder_x87_register[8][64] = {
#include "decoder/opcodes_x87.def"
};
const struct opcode_row decoder_x87_escape = ROW_WITH(0u, ESC, Ew, _, _, 0, 8086);

/* Operand types: sizes and classes for operand sizes 2, 4 and 8. A size of 512 bytes is written 0xff. */
#define SIZE_NONE(i) 0
#define SIZE_B(i)    1
#define SIZE_W(i)    2
#define SIZE_D(i)    4
#define SIZE_Q(i)    8
#define SIZE_T(i)    10
#define SIZE_O(i)    16
#define SIZE_FX(i)   0xff
#define SIZE_V(i)    (2 << (i))
#define SIZE_Z(i)    ((i) == 0 ? 2 : 4)
#define SIZE_Y(i)    ((i) == 2 ? 8 : 4)
#define SIZE_A(i)    ((i) == 0 ? 4 : 8)
#define SIZE_P(i)    ((2 << (i)) + 2)
#define SIZE_S(i)    ((i) == 2 ? 10 : 6)
#define SIZE_ENV(i)  ((i) == 0 ? 14 : 28)
#define SIZE_FPU(i)  ((i) == 0 ? 94 : 108)

#define CLASS_GPR8(i)    REGISTER_GPR8
#define CLASS_GPR16(i)   REGISTER_GPR16
#define CLASS_GPR32(i)   REGISTER_GPR32
#define CLASS_GPRV(i)    (REGISTER_GPR16 + (i))
#define CLASS_GPRZ(i)    ((i) == 0 ? REGISTER_GPR16 : REGISTER_GPR32)
#define CLASS_GPRY(i)    ((i) == 2 ? REGISTER_GPR64 : REGISTER_GPR32)
#define CLASS_SEGMENT(i) REGISTER_SEGMENT
#define CLASS_CONTROL(i) REGISTER_CONTROL
#define CLASS_DEBUG(i)   REGISTER_DEBUG
#define CLASS_TEST(i)    REGISTER_TEST
#define CLASS_X87(i)     REGISTER_X87
#define CLASS_MMX(i)     REGISTER_MMX
#define CLASS_XMM(i)     REGISTER_XMM

#define IS_REGISTER(kind)       (OPERAND_##kind == OPERAND_REGISTER)
#define IS_BYTE(i, kind, class) (IS_REGISTER(kind) && CLASS_##class(i) == REGISTER_GPR8)
#define TEMPLATE(i, source, number, kind, class, size)                                                       \
    {                                                                                                        \
        {OPERAND_##kind, IS_REGISTER(kind) ? CLASS_##class(i) : 0, (number), SIZE_##size(i)},                \
            IS_REGISTER(kind) ? SOURCE_##source : SOURCE_FIXED, IS_BYTE(i, kind, class) ? 4 : 0,             \
        {                                                                                                    \
            0, 0                                                                                             \
        }                                                                                                    \
    }
#define TEMPLATES(...)                                                                                       \
    {                                                                                                        \
        TEMPLATE(0, __VA_ARGS__), TEMPLATE(1, __VA_ARGS__), TEMPLATE(2, __VA_ARGS__)                         \
    }
#define OPERAND_TYPE(name, needs, source, number, memory_kind, memory_size, register_kind, class,            \
                     register_size)                                                                          \
    [TYPE_##name] = {TEMPLATES(source, number, memory_kind, class, memory_size),                             \
                     TEMPLATES(source, number, register_kind, class, register_size)},
const struct operand_template decoder_operand[TYPE_COUNT][2][3] = {
#include "decoder/operand_type.def"
};
