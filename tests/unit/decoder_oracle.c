/* Translates struct insn into capstone's terms and compares (decoder_oracle.h). */
#include "decoder_oracle.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "decoder_quirks.h"

static const char *const conditions[16] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                           "s", "ns", "p", "np", "l", "ge", "le", "g"};

/* Names that differ in spelling only. Those with three dots take the size letter of operand_size (w, d, q).
 */
struct spelling {
    uint16_t id;
    const char *sizes[3]; /* by operand size 2, 4, 8; a single one: for all */
};

static const struct spelling spellings[] = {
    {INSN_CBW, {"cbw", "cwde", "cdqe"}},
    {INSN_CWD, {"cwd", "cdq", "cqo"}},
    {INSN_PUSHA, {"pushaw", "pushal", ""}},
    {INSN_POPA, {"popaw", "popal", ""}},
    {INSN_PUSHF, {"pushf", "pushfd", "pushfq"}},
    {INSN_POPF, {"popf", "popfd", "popfq"}},
    {INSN_IRET, {"iret", "iretd", "iretq"}},
    {INSN_RETF, {"retf", "retf", "retfq"}},
    {INSN_CALL_FAR, {"lcall"}},
    {INSN_JMP_FAR, {"ljmp"}},
    {INSN_XLAT, {"xlatb"}},
    {INSN_FWAIT, {"wait"}},
    {INSN_PAUSE, {"pause"}},
    {INSN_FXSAVE, {"fxsave", "fxsave", "fxsave64"}},
    {INSN_FXRSTOR, {"fxrstor", "fxrstor", "fxrstor64"}},
    {INSN_FNDISI, {"fdisi8087_nop"}},
    {INSN_FNENI, {"feni8087_nop"}},
    {INSN_FNSETPM, {"fsetpm"}},
};

static unsigned size_index(unsigned size)
{
    return size >> 2;
}

/* capstone writes the predicate of SSE comparisons into the name. */
static bool has_named_predicate(const struct insn *insn)
{
    return (insn->id == INSN_CMPPS || insn->id == INSN_CMPPD || insn->id == INSN_CMPSS ||
            insn->id == INSN_CMPSD) &&
           insn->immediate < 8;
}

void oracle_mnemonic(const struct insn *insn, char text[32])
{
    const struct insn_info *info = insn_info(insn->id);
    for (size_t i = 0; i < ARRAY_COUNT(spellings); i++) {
        if (spellings[i].id == insn->id) {
            const char *name = spellings[i].sizes[size_index(insn->operand_size)];
            snprintf(text, 32, "%s", name ? name : spellings[i].sizes[0]);
            return;
        }
    }
    if (insn->id == INSN_J || insn->id == INSN_SET || insn->id == INSN_CMOV) {
        snprintf(text, 32, "%s%s", info->mnemonic, conditions[insn->condition]);
    } else if (insn->id == INSN_SHL && (insn->modrm & 0x38) == 0x30) {
        snprintf(text, 32, "sal");
    } else if (insn->id == INSN_JCXZ) {
        static const char *const names[3] = {"jcxz", "jecxz", "jrcxz"};
        snprintf(text, 32, "%s", names[size_index(insn->address_size)]);
    } else if (info->properties & INSN_STRING) {
        unsigned size = insn->operand[insn->operand[0].kind != OPERAND_MEMORY].size;
        snprintf(text, 32, "%s%c", info->mnemonic, size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'd' : 'q');
    } else if (has_named_predicate(insn)) {
        static const char *const predicates[8] = {"eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"};
        snprintf(text, 32, "cmp%s%s", predicates[insn->immediate], info->mnemonic + 3);
    } else {
        snprintf(text, 32, "%s", info->mnemonic);
    }
}

static unsigned capstone_gpr(unsigned size, unsigned reg)
{
    static const uint16_t names[4][16] = {
        {X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_SPL, X86_REG_BPL, X86_REG_SIL, X86_REG_DIL,
         X86_REG_R8B, X86_REG_R9B, X86_REG_R10B, X86_REG_R11B, X86_REG_R12B, X86_REG_R13B, X86_REG_R14B,
         X86_REG_R15B},
        {X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI, X86_REG_DI,
         X86_REG_R8W, X86_REG_R9W, X86_REG_R10W, X86_REG_R11W, X86_REG_R12W, X86_REG_R13W, X86_REG_R14W,
         X86_REG_R15W},
        {X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP, X86_REG_ESI,
         X86_REG_EDI, X86_REG_R8D, X86_REG_R9D, X86_REG_R10D, X86_REG_R11D, X86_REG_R12D, X86_REG_R13D,
         X86_REG_R14D, X86_REG_R15D},
        {X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP, X86_REG_RSI,
         X86_REG_RDI, X86_REG_R8, X86_REG_R9, X86_REG_R10, X86_REG_R11, X86_REG_R12, X86_REG_R13, X86_REG_R14,
         X86_REG_R15}};
    return names[size == 1 ? 0 : size_index(size) + 1][reg];
}

static unsigned capstone_segment(unsigned segment)
{
    static const uint16_t names[6] = {X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS, X86_REG_FS, X86_REG_GS};
    return names[segment];
}

static unsigned capstone_register(const struct operand *operand)
{
    static const uint16_t high[4] = {X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH};
    switch (operand->register_class) {
    case REGISTER_GPR8:
    case REGISTER_GPR16:
    case REGISTER_GPR32:
    case REGISTER_GPR64:
        return capstone_gpr(1u << operand->register_class >> (operand->register_class != 0), operand->reg);
    case REGISTER_GPR8_HIGH: return high[operand->reg];
    case REGISTER_SEGMENT: return capstone_segment(operand->reg);
    case REGISTER_CONTROL: return (unsigned)X86_REG_CR0 + operand->reg;
    case REGISTER_DEBUG: return (unsigned)X86_REG_DR0 + operand->reg;
    case REGISTER_X87: return (unsigned)X86_REG_ST0 + operand->reg;
    case REGISTER_MMX: return (unsigned)X86_REG_MM0 + operand->reg;
    case REGISTER_XMM: return (unsigned)X86_REG_XMM0 + operand->reg;
    default: return X86_REG_INVALID;
    }
}

/* capstone has no sizes for far pointers and the x87 and SSE state images. */
static bool has_comparable_size(const struct insn *insn, const struct operand *operand)
{
    switch (insn->id) {
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS:
    case INSN_CALL_FAR:
    case INSN_JMP_FAR:
    case INSN_FLDENV:
    case INSN_FNSTENV:
    case INSN_FNSAVE:
    case INSN_FRSTOR:
    case INSN_FXSAVE:
    case INSN_FXRSTOR: return false;
    default: return operand->size != 0;
    }
}

static bool same_memory(const struct insn *insn, const struct operand *operand, const cs_x86_op *theirs)
{
    if (theirs->type != X86_OP_MEM) {
        return false;
    }
    if (operand->reg != OPERAND_STRING_NONE) {
        unsigned base = operand->reg == OPERAND_STRING_DESTINATION ? GPR_DI : GPR_SI;
        return theirs->mem.base == capstone_gpr(insn->address_size, base);
    }
    const struct insn_memory *memory = &insn->memory;
    bool is_overridden = memory->segment == SEGMENT_FS || memory->segment == SEGMENT_GS ||
                         ((insn->prefixes & PREFIX_SEGMENT) && insn->code_size != 8);
    unsigned segment = is_overridden ? capstone_segment(memory->segment) : X86_REG_INVALID;
    unsigned base = X86_REG_INVALID;
    if (memory->rip_relative) {
        base = insn->address_size == 8 ? X86_REG_RIP : X86_REG_EIP;
    } else if (memory->base != GPR_NONE) {
        base = capstone_gpr(insn->address_size, memory->base);
    }
    unsigned index =
        memory->index == GPR_NONE ? X86_REG_INVALID : capstone_gpr(insn->address_size, memory->index);
    uint64_t mask = bits_mask(8u * insn->address_size);
    return theirs->mem.base == base && theirs->mem.index == index && theirs->mem.segment == segment &&
           (index == X86_REG_INVALID || theirs->mem.scale == 1 << memory->scale) &&
           (((uint64_t)theirs->mem.disp ^ (uint64_t)insn->displacement) & mask) == 0 &&
           (!has_comparable_size(insn, operand) || theirs->size == operand->size);
}

static bool same_operand(const struct insn *insn, const struct operand *operand, const cs_x86_op *theirs)
{
    uint64_t mask = bits_mask(8u * operand->size);
    switch (operand->kind) {
    case OPERAND_REGISTER: return theirs->type == X86_OP_REG && theirs->reg == capstone_register(operand);
    case OPERAND_MEMORY: return same_memory(insn, operand, theirs);
    case OPERAND_IMMEDIATE:
        return theirs->type == X86_OP_IMM &&
               (((uint64_t)theirs->imm ^ (operand->reg ? insn->immediate2 : insn->immediate)) & mask) == 0;
    case OPERAND_CONSTANT: return theirs->type == X86_OP_IMM && theirs->imm == operand->reg;
    default: return false;
    }
}

static bool same_target(const struct insn *ours, const cs_insn *theirs)
{
    const cs_x86_op *operand = &theirs->detail->x86.operands[0];
    uint64_t target = ORACLE_ADDRESS + theirs->size + ours->immediate;
    return operand->type == X86_OP_IMM &&
           (((uint64_t)operand->imm ^ target) & bits_mask(8u * ours->operand[0].size)) == 0;
}

/* Operands capstone may leave out: the implied ST(0), XMM0 and 1, XLAT's memory, a predicate that is in the
 * name. */
static bool is_implied(const struct insn *ours, const struct operand *operand)
{
    return (operand->kind == OPERAND_REGISTER && operand->reg == 0 &&
            (operand->register_class == REGISTER_X87 ||
             (operand->register_class == REGISTER_XMM && operand == &ours->operand[2]))) ||
           operand->kind == OPERAND_CONSTANT || (operand->kind == OPERAND_MEMORY && ours->id == INSN_XLAT) ||
           (operand->kind == OPERAND_IMMEDIATE &&
            (has_named_predicate(ours) || ours->id == INSN_AAD || ours->id == INSN_AAM));
}

static enum oracle_verdict compare_operands(const struct insn *ours, const cs_insn *insn)
{
    const cs_x86 *theirs = &insn->detail->x86;
    if (ours->operand_count == 1 && ours->operand[0].kind == OPERAND_RELATIVE) {
        return same_target(ours, insn) ? ORACLE_AGREES : ORACLE_OPERAND;
    }
    if (ours->operand_count == 1 && ours->operand[0].kind == OPERAND_FAR) {
        return theirs->op_count == 2 && (uint64_t)theirs->operands[0].imm == ours->immediate2 &&
                       (uint64_t)theirs->operands[1].imm == ours->immediate
                   ? ORACLE_AGREES
                   : ORACLE_OPERAND;
    }
    if (ours->id == INSN_NOP) {
        return ORACLE_AGREES;
    }
    if (ours->id == INSN_XCHG && same_operand(ours, &ours->operand[0], &theirs->operands[1]) &&
        same_operand(ours, &ours->operand[1], &theirs->operands[0])) {
        return ORACLE_AGREES;
    }
    unsigned to_leave_out =
        ours->operand_count > theirs->op_count ? ours->operand_count - theirs->op_count : 0;
    unsigned k = 0;
    for (unsigned i = 0; i < ours->operand_count; i++) {
        const struct operand *operand = &ours->operand[i];
        if (k < theirs->op_count && same_operand(ours, operand, &theirs->operands[k])) {
            k++;
        } else if (to_leave_out > 0 && is_implied(ours, operand)) {
            to_leave_out--;
        } else {
            return ORACLE_OPERAND;
        }
    }
    return k == theirs->op_count ? ORACLE_AGREES : ORACLE_OPERAND_COUNT;
}

static enum oracle_verdict compare(csh handle, enum decode_result result, const struct insn *ours,
                                   const cs_insn *theirs, unsigned removed)
{
    if ((result == DECODE_OK) != (theirs != NULL)) {
        return ORACLE_VALIDITY;
    }
    if (!theirs) {
        return ORACLE_AGREES;
    }
    if (ours->length != theirs->size + removed) {
        return ORACLE_LENGTH;
    }
    char name[32];
    oracle_mnemonic(ours, name);
    bool is_mov = ours->id == INSN_MOV && theirs->id == X86_INS_MOVABS;
    if (!is_mov && strcmp(name, cs_insn_name(handle, theirs->id)) != 0) {
        return ORACLE_MNEMONIC;
    }
    return compare_operands(ours, theirs);
}

/* The same instruction with its prefixes in the one order that capstone reads as processors do: F0, the
 * segment override that counts, 67, 66, the F2 or F3 that counts, a REX that counts. The order of prefixes
 * has no meaning (SDM 2A §2.1.1), but capstone finds mandatory prefixes only directly before the opcode. With
 * `is_bare`, 66, F2 and F3 are left out. Returns the number of bytes dropped. */
static unsigned canonicalize(const struct decoder_case *c, bool is_bare, uint8_t bytes[CASE_BYTES])
{
    bool is_64 = c->mode.code_size == 8;
    uint8_t lock = 0;
    uint8_t segment = 0;
    uint8_t sizes[2] = {0, 0};
    uint8_t repeat = 0;
    uint8_t rex = 0;
    unsigned at = 0;
    for (bool is_prefix = true; is_prefix && at < INSN_MAX_LENGTH; at += is_prefix) {
        uint8_t byte = c->bytes[at];
        bool is_rex = is_64 && (byte & 0xf0) == 0x40;
        switch (is_rex ? 0x100 : byte) {
        case 0x100: break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e: segment = is_64 ? segment : byte; break;
        case 0x64:
        case 0x65: segment = byte; break;
        case 0x66: sizes[1] = byte; break;
        case 0x67: sizes[0] = byte; break;
        case 0xf0: lock = byte; break;
        case 0xf2:
        case 0xf3: repeat = byte; break;
        default: is_prefix = false; break;
        }
        rex = !is_prefix ? rex : is_rex ? byte : 0;
    }
    if (is_bare) {
        lock = sizes[1] = repeat = 0;
    }
    const uint8_t prefixes[6] = {lock, segment, sizes[0], sizes[1], repeat, rex};
    unsigned kept = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(prefixes); i++) {
        if (prefixes[i]) {
            bytes[kept++] = prefixes[i];
        }
    }
    memcpy(bytes + kept, c->bytes + at, CASE_BYTES - at);
    memset(bytes + kept + CASE_BYTES - at, 0, at - kept);
    return at - kept;
}

static const cs_insn *disassemble(struct oracle *oracle, const uint8_t *bytes, cs_insn *insn)
{
    size_t size = INSN_MAX_LENGTH;
    uint64_t address = ORACLE_ADDRESS;
    return cs_disasm_iter(oracle->handle, &bytes, &size, &address, insn) ? insn : NULL;
}

bool oracle_open(struct oracle *oracle, unsigned code_size)
{
    cs_mode mode = code_size == 2 ? CS_MODE_16 : code_size == 4 ? CS_MODE_32 : CS_MODE_64;
    if (cs_open(CS_ARCH_X86, mode, &oracle->handle) != CS_ERR_OK) {
        return false;
    }
    cs_option(oracle->handle, CS_OPT_DETAIL, CS_OPT_ON);
    oracle->insn = cs_malloc(oracle->handle);
    oracle->bare = cs_malloc(oracle->handle);
    return oracle->insn && oracle->bare;
}

void oracle_close(struct oracle *oracle)
{
    cs_free(oracle->insn, 1);
    cs_free(oracle->bare, 1);
    cs_close(&oracle->handle);
}

const cs_insn *oracle_decode(struct oracle *oracle, const struct decoder_case *c)
{
    uint8_t bytes[CASE_BYTES];
    canonicalize(c, false, bytes);
    return disassemble(oracle, bytes, oracle->insn);
}

enum oracle_verdict oracle_compare(struct oracle *oracle, const struct decoder_case *c,
                                   enum decode_result result, const struct insn *ours)
{
    uint8_t bytes[CASE_BYTES];
    unsigned removed = canonicalize(c, false, bytes);
    const cs_insn *theirs = disassemble(oracle, bytes, oracle->insn);
    enum oracle_verdict verdict = compare(oracle->handle, result, ours, theirs, removed);
    if (verdict == ORACLE_AGREES) {
        return verdict;
    }
    canonicalize(c, true, bytes);
    struct disputed disputed = {c, result, ours, theirs, disassemble(oracle, bytes, oracle->bare)};
    return quirk_explains(&disputed, verdict) ? ORACLE_DOCUMENTED : verdict;
}
