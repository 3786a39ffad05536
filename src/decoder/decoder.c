/* bytes + mode -> struct insn, by table.
 *
 * One pass in the order of the bytes: prefixes, opcode (decoder_tables.h), ModRM, SIB, displacement,
 * immediate. The bytes are read without asking whether they are available, from a window that is long enough
 * for anything; whether they were is asked once, at the end, from the length. This is sound because each step
 * depends only on bytes that the length counts. The common path has no switch per operand: an operand is a
 * template (by type, ModRM form and operand size) plus a register number.
 *
 * SDM 2A chapter 2 (formats, REX), 2D appendix A (maps). Prefix rules where the SDM says "undefined" are
 * those of real processors: of several segment overrides, F2/F3, the last counts; F2/F3 go before 66 as part
 * of an opcode; REX counts only directly before the opcode.
 *
 * NOT IMPLEMENTED: VEX, EVEX, XOP, 3DNow!, and extensions without rows in the .def files; all decode as
 * invalid. */
#include "decoder/decoder.h"

#include <string.h>

#include "base/bits.h"
#include "decoder/decoder_tables.h"

/* Fourteen prefixes and the longest rest, the last field loaded as eight bytes. */
#define WINDOW_SIZE 32

/* The 80286's: all modes allow that many bytes. */
#define SHORTEST_LIMIT 10

#define NO_OVERRIDE SEGMENT_COUNT

/* The state between the steps of one instruction. */
struct decoding {
    const struct decode_mode *mode;
    const uint8_t *start;
    const uint8_t *next; /* the first byte not yet consumed */
    size_t available;
    unsigned code_index; /* of the code size: 0, 1, 2 for 2, 4, 8 bytes */
    unsigned size_index; /* of the effective operand size, likewise */
    unsigned address_index;
    unsigned segment; /* override, or NO_OVERRIDE */
    unsigned rex;     /* the prefix byte, or 0 */
};

/* What a ModRM byte means for addressing; index: (mod << 3) | rm. */
struct address_form {
    uint8_t base; /* GPR_NONE: none */
    uint8_t index;
    uint8_t displacement; /* bytes */
    uint8_t extension;    /* 8: REX.B extends the base; 0: it does not */
    bool has_sib;
    bool is_absolute; /* mod 0, rm 5: RIP-relative in 64-bit mode */
};

#define FORM16(mod, rm, base, index, displacement)                                                           \
    [(mod) << 3 | (rm)] = {base, index, displacement, 0, false, false},
#define FORMS16(mod, displacement)                                                                           \
    FORM16(mod, 0, GPR_BX, GPR_SI, displacement)                                                             \
    FORM16(mod, 1, GPR_BX, GPR_DI, displacement)                                                             \
    FORM16(mod, 2, GPR_BP, GPR_SI, displacement)                                                             \
    FORM16(mod, 3, GPR_BP, GPR_DI, displacement)                                                             \
    FORM16(mod, 4, GPR_SI, GPR_NONE, displacement)                                                           \
    FORM16(mod, 5, GPR_DI, GPR_NONE, displacement)                                                           \
    FORM16(mod, 7, GPR_BX, GPR_NONE, displacement)
#define FORM32(mod, rm, displacement) [(mod) << 3 | (rm)] = {rm, GPR_NONE, displacement, 8, false, false},
#define FORMS32(mod, displacement)                                                                           \
    FORM32(mod, 0, displacement)                                                                             \
    FORM32(mod, 1, displacement)                                                                             \
    FORM32(mod, 2, displacement)                                                                             \
    FORM32(mod, 3, displacement)                                                                             \
    FORM32(mod, 6, displacement)                                                                             \
    FORM32(mod, 7, displacement)                                                                             \
    [(mod) << 3 | 4] = {GPR_NONE, GPR_NONE, displacement, 0, true, false},
#define FORM_REGISTER(rm) [3 << 3 | (rm)] = {GPR_NONE, GPR_NONE, 0, 0, false, false},
#define FORMS_REGISTER                                                                                       \
    FORM_REGISTER(0)                                                                                         \
    FORM_REGISTER(1)                                                                                         \
    FORM_REGISTER(2)                                                                                         \
    FORM_REGISTER(3)                                                                                         \
    FORM_REGISTER(4)                                                                                         \
    FORM_REGISTER(5)                                                                                         \
    FORM_REGISTER(6)                                                                                         \
    FORM_REGISTER(7)

/* SDM 2A table 2-1. */
static const struct address_form address_forms_16[32] = {
    FORMS16(0, 0) FORM16(0, 6, GPR_NONE, GPR_NONE, 2) FORMS16(1, 1) FORM16(1, 6, GPR_BP, GPR_NONE, 1)
        FORMS16(2, 2) FORM16(2, 6, GPR_BP, GPR_NONE, 2) FORMS_REGISTER};

/* SDM 2A table 2-2. */
static const struct address_form address_forms_32[32] = {
    FORMS32(0, 0)[5] = {GPR_NONE, GPR_NONE, 4, 0, false, true},
    FORMS32(1, 1) FORM32(1, 5, 1) FORMS32(2, 4) FORM32(2, 5, 4) FORMS_REGISTER};

/* Effective operand size index in 64-bit mode by [promotion][REX.W << 1 | 66] (SDM 1 §3.6.1, 2A §2.2.1.7).
 */
static const uint8_t operand_size_indices_64[3][4] = {
    {1, 0, 2, 2},
    {2, 0, 2, 2},
    {2, 2, 2, 2},
};

/* Column of the mandatory prefix by [66 << 2 | REPNE << 1 | REP]. */
static const uint8_t prefix_columns[8] = {PREFIX_NP,  PREFIX_PF3, PREFIX_PF2, PREFIX_PF2,
                                          PREFIX_P66, PREFIX_PF3, PREFIX_PF2, PREFIX_PF2};

/* Bytes of an immediate by [ROW_IMMEDIATE][operand size index], and the same again if it is signed. Those of
 * ROW_MOFFS are decode_special's. */
struct immediate_form {
    uint8_t bytes;
    uint8_t sign; /* 0: zero-extended */
};
static const struct immediate_form immediate_forms[ROW_IMMEDIATE_KINDS][3] = {
    [ROW_IMMEDIATE(ROW_IMM_B)] = {{1, 0}, {1, 0}, {1, 0}},
    [ROW_IMMEDIATE(ROW_IMM_BS)] = {{1, 1}, {1, 1}, {1, 1}},
    [ROW_IMMEDIATE(ROW_IMM_W)] = {{2, 0}, {2, 0}, {2, 0}},
    [ROW_IMMEDIATE(ROW_IMM_Z)] = {{2, 0}, {4, 0}, {4, 4}},
    [ROW_IMMEDIATE(ROW_IMM_V)] = {{2, 0}, {4, 0}, {8, 0}},
    [ROW_IMMEDIATE(ROW_IMM_J)] = {{2, 2}, {4, 4}, {4, 4}},
    [ROW_IMMEDIATE(ROW_IMM_ENTER)] = {{2, 0}, {2, 0}, {2, 0}},
    [ROW_IMMEDIATE(ROW_IMM_FAR)] = {{2, 0}, {4, 0}, {4, 0}},
};

/* Masks and sign bits of fields of 0 to 8 bytes. */
static const uint64_t field_masks[9] = {0, 0xff, 0xffff, 0, 0xffffffff, 0, 0, 0, UINT64_MAX};
static const uint64_t field_signs[9] = {0, 0x80, 0x8000, 0, 0x80000000, 0, 0, 0, (uint64_t)1 << 63};

/* The low `bytes` bytes of `raw`, sign-extended from byte `sign` (0: not at all). */
static inline uint64_t extend_field(uint64_t raw, unsigned bytes, unsigned sign)
{
    return ((raw & field_masks[bytes]) ^ field_signs[sign]) - field_signs[sign];
}

/* Turns `result`, found after looking at `length` bytes, into what the caller must hear: bytes that were not
 * there and instructions beyond the limit go first. */
ALWAYS_INLINE enum decode_result finish(const struct decoding *d, size_t length, enum decode_result result)
{
    if (length <= d->available && length <= SHORTEST_LIMIT) {
        return result;
    }
    size_t limit = d->mode->is_8086 || d->mode->max_length == 0 ? INSN_MAX_LENGTH : d->mode->max_length;
    if (length > (d->available < limit ? d->available : limit)) {
        return d->available < limit ? DECODE_TRUNCATED : DECODE_TOO_LONG;
    }
    return result;
}

ALWAYS_INLINE enum decode_result finish_invalid(const struct decoding *d, struct insn *insn, size_t length)
{
    insn->id = INSN_INVALID;
    insn->length = (uint8_t)length;
    return finish(d, length, DECODE_INVALID);
}

/* The row that a link (other than a prefix) in the one-byte map leads to. Consumes further opcode bytes;
 * looks at the ModRM byte without consuming it (*looked_at is then 1). */
ALWAYS_INLINE const struct opcode_row *follow_link(struct decoding *d, struct insn *insn,
                                                   const struct opcode_row *row, unsigned *looked_at)
{
    unsigned prefixes = insn->prefixes;
    unsigned column = prefix_columns[((prefixes >> 1) & 4u) | ((prefixes >> 1) & 3u)];
    do {
        unsigned modrm = *d->next;
        unsigned reg = (modrm >> 3) & 7u;
        switch (row->operand[0]) {
        case LINK_0F:
            insn->map = 1;
            insn->opcode = *d->next++;
            row = &decoder_two_byte[column][insn->opcode];
            break;
        case LINK_0F38:
            insn->map = 2;
            insn->opcode = *d->next++;
            row = &decoder_0f38[column][insn->opcode];
            break;
        case LINK_0F3A:
            insn->map = 3;
            insn->opcode = *d->next++;
            row = &decoder_0f3a[column][insn->opcode];
            break;
        case LINK_GROUP:
            *looked_at = 1;
            row = &decoder_group[row->id_and_level][modrm >= 0xc0][reg];
            break;
        case LINK_RM: row = &decoder_rm_group[row->id_and_level][modrm & 7u]; break;
        default: /* LINK_X87 */
            *looked_at = 1;
            row = modrm >= 0xc0 ? &decoder_x87_register[insn->opcode & 7u][modrm & 63u]
                                : &decoder_x87_memory[insn->opcode & 7u][reg];
            /* Before the 80386 an escape without meaning is not an error: the coprocessor's business. */
            if (row->id_and_level == INSN_INVALID && (d->mode->is_8086 || d->mode->max_length == 10)) {
                row = &decoder_x87_escape;
            }
            break;
        }
    } while (row->attributes & ROW_LINK);
    return row;
}

ALWAYS_INLINE unsigned segment_of(const struct decoding *d, unsigned fallback)
{
    return d->segment == NO_OVERRIDE ? fallback : d->segment;
}

/* SIB, displacement and the memory fields for ModRM byte `modrm` (consumed). */
ALWAYS_INLINE void decode_address(struct decoding *d, struct insn *insn, unsigned modrm)
{
    unsigned form_index = ((modrm >> 3) & 0x18u) | (modrm & 7u);
    const struct address_form *form =
        d->address_index == 0 ? &address_forms_16[form_index] : &address_forms_32[form_index];
    unsigned base = form->base | (d->rex << 3 & form->extension);
    unsigned index = form->index;
    unsigned scale = 0;
    unsigned displacement_bytes = form->displacement;
    if (form->has_sib) {
        unsigned sib = *d->next++;
        base = sib & 7u;
        if (base == GPR_BP && modrm < 0x40) {
            base = GPR_NONE;
            displacement_bytes = 4;
        } else {
            base |= (d->rex & 1u) << 3;
        }
        index = ((sib >> 3) & 7u) | (d->rex & 2u) << 2;
        scale = sib >> 6;
        if (index == GPR_SP) {
            index = GPR_NONE;
            scale = 0;
        }
    }
    bool is_stack = ((1u << GPR_SP | 1u << GPR_BP) >> base & 1) != 0;
    insn->memory.segment = (uint8_t)segment_of(d, is_stack ? SEGMENT_SS : SEGMENT_DS);
    insn->memory.base = (uint8_t)base;
    insn->memory.index = (uint8_t)index;
    insn->memory.scale = (uint8_t)scale;
    insn->memory.rip_relative = form->is_absolute && d->code_index == 2;
    insn->displacement = (int64_t)extend_field(load_le32(d->next), displacement_bytes, displacement_bytes);
    d->next += displacement_bytes;
}

/* The part of an encoding that only few instructions have. Returns false if it makes the instruction invalid.
 */
ALWAYS_INLINE bool decode_special(struct decoding *d, struct insn *insn, unsigned attributes)
{
    switch (ROW_IMMEDIATE(attributes)) {
    case ROW_IMMEDIATE(ROW_IMM_ENTER):
        insn->immediate2 = *d->next;
        d->next += 1;
        return true;
    case ROW_IMMEDIATE(ROW_IMM_FAR):
        insn->immediate2 = load_le16(d->next);
        d->next += 2;
        return true;
    case ROW_IMMEDIATE(ROW_MOFFS): {
        unsigned bytes = 2u << d->address_index;
        insn->displacement = (int64_t)(load_le64(d->next) & field_masks[bytes]);
        d->next += bytes;
        return true;
    }
    default: break;
    }

    switch (insn->id) {
    case INSN_MOVS:
    case INSN_CMPS:
    case INSN_LODS:
    case INSN_OUTS: insn->memory.base = GPR_SI; return true;
    case INSN_STOS:
    case INSN_SCAS:
    case INSN_INS:
        insn->memory.base = GPR_DI;
        insn->memory.segment = SEGMENT_ES;
        return true;
    case INSN_XLAT: insn->memory.base = GPR_BX; return true;
    case INSN_MASKMOVQ:
    case INSN_MASKMOVDQU: insn->memory.base = GPR_DI; return true;
    case INSN_MONITOR: insn->memory.base = GPR_AX; return true;

    case INSN_NOP: /* 90: XCHG rAX, rAX if it were not special (SDM 2B NOP) */
        if (d->rex & 1u) {
            unsigned class_ = REGISTER_GPR16 + d->size_index;
            uint8_t size = (uint8_t)(2u << d->size_index);
            insn->id = INSN_XCHG;
            insn->operand_count = 2;
            insn->operand[0] = (struct operand){OPERAND_REGISTER, (uint8_t)class_, 8, size};
            insn->operand[1] = (struct operand){OPERAND_REGISTER, (uint8_t)class_, GPR_AX, size};
        } else if (insn->prefixes & PREFIX_REP) {
            insn->id = INSN_PAUSE;
            insn->prefixes &= (uint8_t)~PREFIX_REP;
        }
        return true;

    case INSN_MOV_SEG: {
        struct operand *segment = &insn->operand[insn->opcode == 0x8c];
        if (d->mode->is_8086) {
            segment->reg &= 3; /* the 8086 has four and looks at two bits */
            return true;
        }
        if (segment->reg >= SEGMENT_FS) {
            insn->level = INSN_LEVEL_80386;
        }
        return segment->reg < SEGMENT_COUNT && (insn->opcode == 0x8c || segment->reg != SEGMENT_CS);
    }
    case INSN_MOV_CR: { /* CR0, CR2, CR3, CR4 and CR8 exist */
        unsigned reg = insn->operand[insn->opcode == 0x20].reg;
        return reg <= 8 && (0x11du >> reg & 1u);
    }
    case INSN_MOV_DR: return insn->operand[insn->opcode == 0x21].reg < 8;
    case INSN_MOV_TR:
    case INSN_SWAPGS: return (insn->id == INSN_SWAPGS) == (d->code_index == 2);

    case INSN_RDRAND: return !(insn->prefixes & (PREFIX_REP | PREFIX_REPNE)); /* SDM 2A §3.1.1.1, NFx */

    case INSN_MOVD:
    case INSN_PEXTRD:
    case INSN_PINSRD:
    case INSN_CMPXCHG8B:
        if (d->rex & 8u) {
            insn->level = insn->id == INSN_CMPXCHG8B ? INSN_LEVEL_X86_64 : insn->level;
            insn->operand[0].size = insn->id == INSN_CMPXCHG8B ? 16 : insn->operand[0].size;
            insn->id = insn->id == INSN_MOVD     ? INSN_MOVQ
                       : insn->id == INSN_PEXTRD ? INSN_PEXTRQ
                       : insn->id == INSN_PINSRD ? INSN_PINSRQ
                                                 : INSN_CMPXCHG16B;
        }
        return true;
    default: return true;
    }
}

/* An operand's four bytes as one number, in which `reg` and `register_class` can be counted up. */
static inline uint32_t operand_word(struct operand operand)
{
    uint32_t word;
    memcpy(&word, &operand, sizeof word);
    return word;
}

/* One operand from its template. Without REX, byte registers 4 to 7 are AH to BH (SDM 2A §2.2.1.2). */
ALWAYS_INLINE void decode_operand(const struct decoding *d, const struct operand_template *template,
                                  uint64_t registers, struct operand *operand)
{
    const uint32_t one_class = operand_word((struct operand){.register_class = 1});
    const uint32_t one_reg = operand_word((struct operand){.reg = 1});
    uint32_t reg = registers >> template->source & 0xffu;
    uint32_t is_high = d->rex == 0 ? (reg & template->high_byte) >> 2 : 0;
    uint32_t word = operand_word(template->operand) + reg * one_reg + is_high * (one_class - 4 * one_reg);
    memcpy(operand, &word, sizeof word);
}

/* decoder_decode for a window of at least WINDOW_SIZE readable bytes, with is_64 for a code size of 8. */
ALWAYS_INLINE enum decode_result decode_window(const struct decode_mode *mode, const uint8_t *bytes,
                                               size_t available, struct insn *insn, bool is_64)
{
    struct decoding d = {.mode = mode,
                         .start = bytes,
                         .next = bytes,
                         .available = available,
                         .code_index = is_64 ? 2 : mode->code_size >> 2,
                         .segment = NO_OVERRIDE};
    const struct opcode_row *map = mode->is_8086 ? decoder_one_byte_8086
                                   : is_64       ? decoder_one_byte_64
                                                 : decoder_one_byte_32;
    const struct opcode_row *row;
    unsigned prefixes = 0;
    unsigned opcode;
    for (;;) {
        opcode = *d.next++;
        row = &map[opcode];
        if (!(row->attributes & ROW_LINK) || row->operand[0] != LINK_PREFIX) {
            break;
        }
        prefixes = (prefixes & row->operand[2]) | row->operand[1];
        d.segment = row->operand[3] == NO_OVERRIDE ? d.segment : row->operand[3];
        d.rex = is_64 && (row->operand[1] & PREFIX_REX) ? opcode : 0;
        if (d.next - bytes == INSN_MAX_LENGTH) {
            return finish_invalid(&d, insn, INSN_MAX_LENGTH + 1);
        }
    }

    insn->prefixes = (uint8_t)prefixes;
    insn->prefix_length = (uint8_t)(d.next - bytes - 1);
    insn->code_size = mode->code_size;
    insn->map = 0;
    insn->opcode = (uint8_t)opcode;
    unsigned looked_at = 0;
    if (row->attributes & ROW_LINK) {
        row = follow_link(&d, insn, row, &looked_at);
        opcode = insn->opcode;
    }
    unsigned attributes = row->attributes;
    insn->id = row->id_and_level & 0xfffu;
    insn->level = (uint8_t)(row->id_and_level >> 12);
    if (insn->id == INSN_INVALID) {
        return finish_invalid(&d, insn, (size_t)(d.next - bytes) + looked_at);
    }

    unsigned has_66 = prefixes >> 3 & 1u;
    unsigned has_67 = prefixes >> 4 & 1u;
    d.size_index = is_64 ? operand_size_indices_64[ROW_PROMOTION(attributes)][(d.rex >> 2 & 2u) | has_66]
                         : d.code_index ^ has_66;
    d.address_index = is_64 ? 2 - has_67 : d.code_index ^ has_67;
    insn->operand_size = (uint8_t)(2u << d.size_index);
    insn->address_size = (uint8_t)(2u << d.address_index);
    insn->condition = (uint8_t)(attributes & ROW_CONDITION ? opcode & 15u : 0);
    if (attributes & ROW_MANDATORY) {
        insn->prefixes &= (uint8_t) ~(PREFIX_REP | PREFIX_REPNE);
    }

    unsigned form = 0;
    uint64_t registers = (uint64_t)((opcode & 7u) | (d.rex & 1u) << 3) << SOURCE_LOW;
    insn->has_modrm = (attributes & ROW_MODRM) != 0;
    if (attributes & ROW_MODRM) {
        unsigned modrm = *d.next++;
        insn->modrm = (uint8_t)modrm;
        form = modrm >= 0xc0;
        unsigned allowed = ROW_FORM(attributes);
        if (allowed) {
            if (allowed == ROW_FORM(ROW_MOD_IGNORED)) {
                modrm |= 0xc0;
                form = 1;
            } else if (form == (allowed == ROW_FORM(ROW_MEMORY_ONLY))) {
                return finish_invalid(&d, insn, (size_t)(d.next - bytes));
            }
        }
        uint64_t reg = modrm >> 3 & 7u;
        uint64_t rm = modrm & 7u;
        registers |= reg << SOURCE_REG3 | rm << SOURCE_RM3;
        registers |= (reg | (d.rex << 1 & 8u)) << SOURCE_REG | (rm | (d.rex << 3 & 8u)) << SOURCE_RM;
        decode_address(&d, insn, modrm);
    } else {
        insn->modrm = 0;
        insn->memory =
            (struct insn_memory){(uint8_t)segment_of(&d, SEGMENT_DS), GPR_NONE, GPR_NONE, 0, false};
        insn->displacement = 0;
    }

    const struct immediate_form *immediate = &immediate_forms[ROW_IMMEDIATE(attributes)][d.size_index];
    insn->immediate = extend_field(load_le64(d.next), immediate->bytes, immediate->sign);
    insn->immediate2 = 0;
    d.next += immediate->bytes;

    insn->operand_count = (uint8_t)(attributes >> ROW_COUNT_SHIFT);
    for (unsigned i = 0; i < 2; i++) {
        decode_operand(&d, &decoder_operand[row->operand[i]][form][d.size_index], registers,
                       &insn->operand[i]);
    }
    insn->operand[2] = insn->operand[3] = (struct operand){OPERAND_NONE, 0, 0, 0};
    if (insn->operand_count > 2) {
        decode_operand(&d, &decoder_operand[row->operand[2]][form][d.size_index], registers,
                       &insn->operand[2]);
    }

    if ((attributes & ROW_SPECIAL) && !decode_special(&d, insn, attributes)) {
        return finish_invalid(&d, insn, (size_t)(d.next - bytes));
    }
    size_t length = (size_t)(d.next - bytes);
    insn->length = (uint8_t)length;
    return finish(&d, length, DECODE_OK);
}

static enum decode_result decode_legacy(const struct decode_mode *mode, const uint8_t *bytes,
                                        size_t available, struct insn *insn)
{
    return decode_window(mode, bytes, available, insn, false);
}

static enum decode_result decode_64(const struct decode_mode *mode, const uint8_t *bytes, size_t available,
                                    struct insn *insn)
{
    return decode_window(mode, bytes, available, insn, true);
}

static inline enum decode_result decode(const struct decode_mode *mode, const uint8_t *bytes,
                                        size_t available, struct insn *insn)
{
    return mode->code_size == 8 ? decode_64(mode, bytes, available, insn)
                                : decode_legacy(mode, bytes, available, insn);
}

/* In front of the end of what can be read. */
NEVER_INLINE enum decode_result decode_last(const struct decode_mode *mode, const uint8_t *bytes,
                                            size_t available, struct insn *insn)
{
    uint8_t window[WINDOW_SIZE] = {0};
    memcpy(window, bytes, available);
    return decode(mode, window, available, insn);
}

enum decode_result decoder_decode(const struct decode_mode *mode, const uint8_t *bytes, size_t available,
                                  struct insn *insn)
{
    return available >= WINDOW_SIZE ? decode(mode, bytes, available, insn)
                                    : decode_last(mode, bytes, available, insn);
}
