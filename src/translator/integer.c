/* Integer instructions as themselves: the guest's encoding with registers and memory operand replaced.
 *
 * In 64-bit code only a few encodings of the 32-bit instruction set mean something else: the short INC and
 * DEC, the alias 82h of 80h, and accumulator moves with an absolute address. Byte registers need care: AH,
 * CH, DH and BH cannot be encoded beside a register from r8 on, and guest ECX lives in r9. Such instructions
 * work on a copy of ECX in rcx.
 *
 * LOCK is dropped: guest memory has one processor, and devices run on its thread. */
#include <stddef.h>

#include "translator/builder.h"

enum { AH_NUMBER = 4, CH_NUMBER = 5 };

/* What of an encoding differs from instruction to instruction. */
struct encoding {
    unsigned opcode; /* with HOST_* */
    bool extension;  /* ModRM's reg field belongs to the opcode */
    bool byte_reg, byte_rm;
    unsigned immediate_size;
};

/* ---- encodings (SDM 2D tables) */

/* What an opcode with a ModRM byte has besides. */
enum form {
    FORM_EXTENSION = 1,
    FORM_IMMEDIATE8 = 2,
    FORM_IMMEDIATE = 4, /* of the operand size, or 8 bits */
    FORM_TEST = 8       /* FORM_IMMEDIATE if it is a TEST */
};

static const uint8_t one_byte_forms[256] = {
    [0x69] = FORM_IMMEDIATE,
    [0x6b] = FORM_IMMEDIATE8,
    [0x80] = FORM_EXTENSION | FORM_IMMEDIATE,
    [0x81] = FORM_EXTENSION | FORM_IMMEDIATE,
    [0x82] = FORM_EXTENSION | FORM_IMMEDIATE,
    [0x83] = FORM_EXTENSION | FORM_IMMEDIATE8,
    [0xc0] = FORM_EXTENSION | FORM_IMMEDIATE8,
    [0xc1] = FORM_EXTENSION | FORM_IMMEDIATE8,
    [0xc6] = FORM_EXTENSION | FORM_IMMEDIATE,
    [0xc7] = FORM_EXTENSION | FORM_IMMEDIATE,
    [0xd0] = FORM_EXTENSION,
    [0xd1] = FORM_EXTENSION,
    [0xd2] = FORM_EXTENSION,
    [0xd3] = FORM_EXTENSION,
    [0xf6] = FORM_EXTENSION | FORM_TEST,
    [0xf7] = FORM_EXTENSION | FORM_TEST,
    [0xfe] = FORM_EXTENSION,
    [0xff] = FORM_EXTENSION,
};

static const uint8_t two_byte_forms[256] = {
    [0x90] = FORM_EXTENSION,
    [0x91] = FORM_EXTENSION,
    [0x92] = FORM_EXTENSION,
    [0x93] = FORM_EXTENSION,
    [0x94] = FORM_EXTENSION,
    [0x95] = FORM_EXTENSION,
    [0x96] = FORM_EXTENSION,
    [0x97] = FORM_EXTENSION,
    [0x98] = FORM_EXTENSION,
    [0x99] = FORM_EXTENSION,
    [0x9a] = FORM_EXTENSION,
    [0x9b] = FORM_EXTENSION,
    [0x9c] = FORM_EXTENSION,
    [0x9d] = FORM_EXTENSION,
    [0x9e] = FORM_EXTENSION,
    [0x9f] = FORM_EXTENSION,
    [0xa4] = FORM_IMMEDIATE8,
    [0xac] = FORM_IMMEDIATE8,
    [0xba] = FORM_EXTENSION | FORM_IMMEDIATE8,
};

static struct encoding encoding_of(const struct insn *insn)
{
    unsigned form = insn->map == 0 ? one_byte_forms[insn->opcode] : two_byte_forms[insn->opcode];
    bool is_alias = insn->map == 0 && insn->opcode == 0x82;
    struct encoding encoding = {
        .opcode = host_map(insn->map) | (is_alias ? 0x80 : insn->opcode),
        .extension = (form & FORM_EXTENSION) != 0,
    };
    if (insn->map == 0) {
        encoding.byte_rm = !(insn->opcode & 1);
        encoding.byte_reg = encoding.byte_rm;
    } else {
        bool both = insn->opcode == 0xb0 || insn->opcode == 0xc0;
        encoding.byte_reg = both;
        encoding.byte_rm =
            both || insn->opcode == 0xb6 || insn->opcode == 0xbe || (insn->opcode & 0xf0) == 0x90;
    }
    if (insn->operand_size == 2 && (!encoding.byte_rm || (insn->map == 1 && !encoding.byte_reg))) {
        encoding.opcode |= HOST_66;
    }
    if (form & FORM_IMMEDIATE8) {
        encoding.immediate_size = 1;
    } else if ((form & FORM_IMMEDIATE) || ((form & FORM_TEST) && insn->id == INSN_TEST)) {
        encoding.immediate_size = encoding.byte_rm ? 1 : insn->operand_size;
    }
    return encoding;
}

static void emit_immediate(struct builder *b, const struct insn *insn, unsigned size)
{
    switch (size) {
    case 1: emit_u8(&b->e, (uint8_t)insn->immediate); break;
    case 2: emit_u16(&b->e, (uint16_t)insn->immediate); break;
    case 4: emit_u32(&b->e, (uint32_t)insn->immediate); break;
    default: break;
    }
}

/* ---- registers */

static bool is_high_byte(bool byte, unsigned number)
{
    return byte && number >= AH_NUMBER;
}

/* The host register of a field: with `native`, ECX is in rcx. */
static unsigned host_field(bool byte, unsigned number, bool native)
{
    if (is_high_byte(byte, number) || (native && number == GPR_CX)) {
        return number;
    }
    return host_gpr(number);
}

static bool needs_rex(bool byte, unsigned number)
{
    return !is_high_byte(byte, number) && host_gpr(number) >= HOST_R8;
}

static void emit_copy_of_ecx(struct builder *b)
{
    emit_mov(&b->e, HOST_RCX, HOST_R9);
}

static void emit_ecx_back(struct builder *b)
{
    emit_mov(&b->e, HOST_R9, HOST_RCX);
}

/* ---- register forms */

static bool translate_registers(struct builder *b, const struct insn *insn, const struct encoding *encoding,
                                bool count_in_cl)
{
    unsigned reg = insn->modrm >> 3 & 7;
    unsigned rm = insn->modrm & 7;
    bool high = is_high_byte(encoding->byte_rm, rm) ||
                (!encoding->extension && is_high_byte(encoding->byte_reg, reg));
    bool rex =
        needs_rex(encoding->byte_rm, rm) || (!encoding->extension && needs_rex(encoding->byte_reg, reg));
    bool touches_ch = (is_high_byte(encoding->byte_rm, rm) && rm == CH_NUMBER) ||
                      (!encoding->extension && is_high_byte(encoding->byte_reg, reg) && reg == CH_NUMBER);
    bool native = (high && rex) || touches_ch;
    if (native && ((!encoding->byte_rm && rm == GPR_SP) ||
                   (!encoding->extension && !encoding->byte_reg && reg == GPR_SP))) {
        return false;
    }
    if (native || count_in_cl) {
        emit_copy_of_ecx(b);
    }
    unsigned host_reg = encoding->extension ? reg : host_field(encoding->byte_reg, reg, native);
    emit_reg(&b->e, encoding->opcode, host_reg, host_field(encoding->byte_rm, rm, native));
    emit_immediate(b, insn, encoding->immediate_size);
    if (native) {
        emit_ecx_back(b);
    }
    return true;
}

/* ---- memory forms */

/* With CH as the register: on a copy of ECX, turned so that CH is CL. */
static void emit_with_ch(struct builder *b, const struct insn *insn, const struct encoding *encoding,
                         const struct guest_operand *memory, enum access_kind kind)
{
    struct emitter *e = &b->e;
    struct host_address at = emit_access(b, memory, 1, kind, HOST_R11);
    emit_rorx(e, HOST_RCX, HOST_R9, 8);
    emit_mem(e, encoding->opcode, HOST_RCX, at);
    emit_immediate(b, insn, encoding->immediate_size);
    emit_rorx(e, HOST_R9, HOST_RCX, 24);
}

static bool translate_memory(struct builder *b, const struct insn *insn, const struct encoding *encoding,
                             unsigned width, enum access_kind kind, bool count_in_cl)
{
    struct emitter *e = &b->e;
    unsigned reg = insn->modrm >> 3 & 7;
    struct guest_operand memory = guest_operand_of(insn);
    if (!access_is_possible(b, &memory, kind)) {
        return false;
    }
    bool high = !encoding->extension && is_high_byte(encoding->byte_reg, reg);
    if (high && reg == CH_NUMBER) {
        emit_with_ch(b, insn, encoding, &memory, kind);
        return true;
    }
    struct host_address at = emit_access(b, &memory, width, kind, count_in_cl ? HOST_R11 : HOST_RCX);
    if (high) { /* has no encoding beside r8 to r15 */
        at = emit_lea_address(e, HOST_RCX, at);
    }
    if (count_in_cl) {
        emit_copy_of_ecx(b);
    }
    emit_mem(e, encoding->opcode, encoding->extension ? reg : host_field(encoding->byte_reg, reg, false), at);
    emit_immediate(b, insn, encoding->immediate_size);
    return true;
}

/* The size of the memory operand, which is the first or the second one; 0: there is none. */
static unsigned memory_width(const struct insn *insn)
{
    const struct operand *operand = &insn->operand[insn->operand[0].kind != OPERAND_MEMORY];
    return operand->kind == OPERAND_MEMORY ? operand->size : 0;
}

static bool translate_modrm(struct builder *b, const struct insn *insn, enum access_kind kind,
                            bool count_in_cl)
{
    struct encoding encoding = encoding_of(insn);
    unsigned width = memory_width(insn);
    return width != 0 ? translate_memory(b, insn, &encoding, width, kind, count_in_cl)
                      : translate_registers(b, insn, &encoding, count_in_cl);
}

/* ---- forms without ModRM */

/* op AL/AX/EAX, immediate */
static bool translate_accumulator(struct builder *b, const struct insn *insn)
{
    bool byte = !(insn->opcode & 1);
    if (!byte && insn->operand_size == 2) {
        emit_u8(&b->e, 0x66);
    }
    emit_u8(&b->e, insn->opcode);
    emit_immediate(b, insn, byte ? 1 : insn->operand_size);
    return true;
}

/* ADD, OR, ADC, SBB, AND, SUB, XOR, INC, DEC, NOT, NEG and what else changes its memory operand. */
bool translate_update(struct builder *b, const struct insn *insn)
{
    bool to_register = insn->operand[0].kind == OPERAND_REGISTER;
    if (!insn->has_modrm) {
        if (insn->id != INSN_INC && insn->id != INSN_DEC) {
            return translate_accumulator(b, insn);
        }
        emit_reg(&b->e, host_width(insn->operand_size) | 0xff, insn->id == INSN_DEC,
                 host_gpr(insn->opcode & 7));
        return true;
    }
    return translate_modrm(b, insn, to_register ? ACCESS_LOAD : ACCESS_STORE, false);
}

/* CMP, TEST, MOVZX, MOVSX, CMOVcc, IMUL, MUL, BSF, BSR: memory is only read. */
bool translate_read(struct builder *b, const struct insn *insn)
{
    return insn->has_modrm ? translate_modrm(b, insn, ACCESS_LOAD, false) : translate_accumulator(b, insn);
}

/* XADD, CMPXCHG, SETcc: memory is written, whatever the operands' order. */
bool translate_write(struct builder *b, const struct insn *insn)
{
    return translate_modrm(b, insn, ACCESS_STORE, false);
}

bool translate_shift(struct builder *b, const struct insn *insn)
{
    bool count_in_cl = (insn->map == 0 && (insn->opcode & 0xfe) == 0xd2) ||
                       (insn->map == 1 && (insn->opcode == 0xa5 || insn->opcode == 0xad));
    return translate_modrm(b, insn, ACCESS_STORE, count_in_cl);
}

/* BSF and BSR; TZCNT and LZCNT are the same on models without them, and none has them. */
bool translate_bit_scan(struct builder *b, const struct insn *insn)
{
    return translate_modrm(b, insn, ACCESS_LOAD, false);
}

/* ---- MOV */

/* MOV between the accumulator and an absolute address. */
static bool translate_absolute(struct builder *b, const struct insn *insn)
{
    bool store = (insn->opcode & 2) != 0;
    enum access_kind kind = store ? ACCESS_STORE : ACCESS_LOAD;
    bool byte = !(insn->opcode & 1);
    struct guest_operand memory = guest_operand_of(insn);
    if (!access_is_possible(b, &memory, kind)) {
        return false;
    }
    unsigned width = byte ? 1 : insn->operand_size;
    unsigned opcode = host_width(width) | (store ? 0x88 : 0x8a) | (byte ? 0 : 1);
    struct host_address at = emit_access(b, &memory, width, kind, HOST_RCX);
    emit_mem(&b->e, opcode, HOST_RAX, at);
    return true;
}

static bool translate_move_immediate(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned number = insn->opcode & 7;
    bool byte = insn->opcode < 0xb8;
    if (byte && number == CH_NUMBER) {
        emit_copy_of_ecx(b);
    }
    unsigned width = byte ? 1 : insn->operand_size;
    emit_short(e, host_width(width) | (insn->opcode & 0xf8), host_field(byte, number, false));
    emit_immediate(b, insn, width);
    if (byte && number == CH_NUMBER) {
        emit_ecx_back(b);
    }
    return true;
}

bool translate_mov(struct builder *b, const struct insn *insn)
{
    if (!insn->has_modrm) {
        return insn->opcode < 0xb0 ? translate_absolute(b, insn) : translate_move_immediate(b, insn);
    }
    bool store = insn->operand[0].kind == OPERAND_MEMORY;
    return translate_modrm(b, insn, store ? ACCESS_STORE : ACCESS_LOAD, false);
}

bool translate_lea(struct builder *b, const struct insn *insn)
{
    struct guest_operand operand = guest_operand_of(insn);
    unsigned to = host_gpr(insn->modrm >> 3 & 7);
    if (insn->operand_size == 2) {
        emit_offset(b, &operand, HOST_R10);
        emit_reg(&b->e, HOST_66 | 0x8b, to, HOST_R10);
    } else {
        emit_offset(b, &operand, to);
    }
    return true;
}

/* With a byte register. The old value ends in r10. */
static void emit_exchange_byte(struct builder *b, unsigned reg, struct host_address at)
{
    unsigned load = 0x8a;
    unsigned store = 0x88;
    struct emitter *e = &b->e;
    emit_lea64(e, HOST_RCX, at);
    emit_load_width(e, HOST_R10, host_at(HOST_RCX, 0), 1);
    if (reg == CH_NUMBER) {
        emit_rorx(e, HOST_R11, HOST_R9, 8);
        emit_mem(e, store, HOST_R11, host_at(HOST_RCX, 0));
        emit_reg(e, load, HOST_R11, HOST_R10);
        emit_rorx(e, HOST_R9, HOST_R11, 24);
    } else {
        emit_mem(e, store, host_field(true, reg, false), host_at(HOST_RCX, 0));
        emit_mov(e, HOST_RCX, HOST_R10);
        emit_reg(e, load, host_field(true, reg, false), HOST_RCX);
    }
}

/* XCHG with memory would lock the host's bus: a load and a store do. */
bool translate_xchg(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    if (!insn->has_modrm) {
        emit_reg(e, host_width(insn->operand_size) | 0x87, HOST_RAX, host_gpr(insn->opcode & 7));
        return true;
    }
    unsigned width = memory_width(insn);
    if (width == 0) {
        return translate_modrm(b, insn, ACCESS_STORE, false);
    }
    struct guest_operand memory = guest_operand_of(insn);
    if (!access_is_possible(b, &memory, ACCESS_STORE)) {
        return false;
    }
    unsigned number = insn->modrm >> 3 & 7;
    struct host_address at = emit_access(b, &memory, width, ACCESS_STORE, HOST_RCX);
    if (width == 1) {
        emit_exchange_byte(b, number, at);
        return true;
    }
    unsigned prefixes = host_width(width);
    emit_mem(e, prefixes | 0x8b, HOST_R11, at);
    emit_mem(e, prefixes | 0x89, host_gpr(number), at);
    emit_reg(e, prefixes | 0x8b, host_gpr(number), HOST_R11);
    return true;
}

/* ---- the rest */

/* A bit of a bit string that may reach anywhere: the word that has it goes through r11. */
static bool translate_bit_string(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    unsigned prefixes = host_width(width);
    struct guest_operand memory = guest_operand_of(insn);
    memory.added = width == 2 ? ADDED_BITS16 : ADDED_BITS32;
    memory.bit_number = insn->modrm >> 3 & 7;
    bool store = insn->id != INSN_BT;
    enum access_kind kind = store ? ACCESS_STORE : ACCESS_LOAD;
    if (!access_is_possible(b, &memory, kind)) {
        return false;
    }
    struct host_address at = emit_access(b, &memory, width, kind, HOST_RCX);
    emit_load_width(e, HOST_R11, at, width);
    emit_reg(e, prefixes | HOST_0F | insn->opcode, host_gpr(memory.bit_number), HOST_R11);
    if (store) {
        emit_mem(e, prefixes | 0x89, HOST_R11, at);
    }
    return true;
}

/* BT, BTS, BTR, BTC. */
bool translate_bit_test(struct builder *b, const struct insn *insn)
{
    if (insn->opcode != 0xba && memory_width(insn) != 0) {
        return translate_bit_string(b, insn);
    }
    return translate_modrm(b, insn, insn->id == INSN_BT ? ACCESS_LOAD : ACCESS_STORE, false);
}

bool translate_xlat(struct builder *b, const struct insn *insn)
{
    struct guest_operand memory = guest_operand_of(insn);
    memory.added = ADDED_AL;
    if (!access_is_possible(b, &memory, ACCESS_LOAD)) {
        return false;
    }
    emit_mem(&b->e, 0x8a, HOST_RAX, emit_access(b, &memory, 1, ACCESS_LOAD, HOST_RCX));
    return true;
}

/* AL = CF ? FFh : 0 */
bool translate_salc(struct builder *b, const struct insn *insn)
{
    enum { CONDITION_NC = 3 };
    struct emitter *e = &b->e;
    (void)insn;
    emit_reg(e, HOST_0F | 0x90 | CONDITION_NC, 0, HOST_RAX); /* setnc al */
    emit_lea(e, HOST_RCX, host_at(HOST_RAX, -1));
    emit_reg(e, 0x8a, HOST_RAX, HOST_RCX);
    return true;
}

bool translate_bswap(struct builder *b, const struct insn *insn)
{
    if (insn->operand_size == 2) {
        return false;
    }
    emit_short(&b->e, HOST_0F | 0xc8, host_gpr(insn->opcode & 7));
    return true;
}

/* CBW, CWD and relatives, LAHF, SAHF, CMC, CLC, STC: one byte, on EAX, EDX and the flags. */
bool translate_as_it_is(struct builder *b, const struct insn *insn)
{
    if (insn->operand_size == 2 && (insn->id == INSN_CBW || insn->id == INSN_CWD)) {
        emit_u8(&b->e, 0x66);
    }
    emit_u8(&b->e, insn->opcode);
    return true;
}

bool translate_nothing(struct builder *b, const struct insn *insn)
{
    (void)b;
    (void)insn;
    return true;
}

/* CMPXCHG8B: ECX takes part. */
bool translate_cmpxchg8b(struct builder *b, const struct insn *insn)
{
    struct guest_operand memory = guest_operand_of(insn);
    if (!access_is_possible(b, &memory, ACCESS_STORE)) {
        return false;
    }
    struct host_address at = emit_access(b, &memory, 8, ACCESS_STORE, HOST_R11);
    emit_copy_of_ecx(b);
    emit_mem(&b->e, HOST_0F | 0xc7, 1, at);
    return true;
}
