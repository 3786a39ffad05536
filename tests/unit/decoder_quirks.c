/* The documented disagreements between the decoder and capstone, each with the reason (decoder_quirks.h).
 *
 * "Processors" are real ones: every 0F opcode with every prefix was tried on one of Intel's. */
#include "decoder_quirks.h"

#include <string.h>

#include "base/bits.h"

typedef bool quirk_predicate(const struct disputed *disputed);

#define LEGACY_PREFIXES "\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3"

static bool has_prefix(const struct disputed *disputed, uint8_t prefix)
{
    for (const uint8_t *byte = disputed->decoder_case->bytes;; byte++) {
        bool is_rex = disputed->decoder_case->mode.code_size == 8 && (*byte & 0xf0) == 0x40;
        if (*byte == prefix) {
            return true;
        }
        if (!is_rex && !memchr(LEGACY_PREFIXES, *byte, sizeof LEGACY_PREFIXES - 1)) {
            return false;
        }
    }
}

static bool has_mandatory_candidate(const struct disputed *disputed)
{
    return has_prefix(disputed, 0x66) || has_prefix(disputed, 0xf2) || has_prefix(disputed, 0xf3);
}

static bool theirs_in_group(const struct disputed *disputed, const uint8_t *groups, size_t count)
{
    for (unsigned i = 0; i < disputed->theirs->detail->groups_count; i++) {
        if (memchr(groups, disputed->theirs->detail->groups[i], count)) {
            return true;
        }
    }
    return false;
}

/* Extensions without rows in the .def files. */
static bool is_left_out(const struct disputed *disputed)
{
    static const uint8_t groups[] = {
        X86_GRP_VM,     X86_GRP_3DNOW,  X86_GRP_AES,     X86_GRP_ADX,   X86_GRP_AVX,  X86_GRP_AVX2,
        X86_GRP_AVX512, X86_GRP_BMI,    X86_GRP_BMI2,    X86_GRP_F16C,  X86_GRP_FMA,  X86_GRP_FMA4,
        X86_GRP_HLE,    X86_GRP_RTM,    X86_GRP_SHA,     X86_GRP_SSE4A, X86_GRP_TBM,  X86_GRP_XOP,
        X86_GRP_CDI,    X86_GRP_ERI,    X86_GRP_PFI,     X86_GRP_VLX,   X86_GRP_SMAP, X86_GRP_BWI,
        X86_GRP_DQI,    X86_GRP_PCLMUL, X86_GRP_FSGSBASE};
    static const uint16_t ids[] = {
        X86_INS_PCOMMIT,   X86_INS_CLAC,       X86_INS_STAC,       X86_INS_ENCLS,     X86_INS_ENCLU,
        X86_INS_MONTMUL,   X86_INS_XCRYPTCBC,  X86_INS_XCRYPTCFB,  X86_INS_XCRYPTCTR, X86_INS_XCRYPTECB,
        X86_INS_XCRYPTOFB, X86_INS_XGETBV,     X86_INS_XSETBV,     X86_INS_XSHA1,     X86_INS_XSHA256,
        X86_INS_XSTORE,    X86_INS_XTEST,      X86_INS_CLFLUSHOPT, X86_INS_CLWB,      X86_INS_RDRAND,
        X86_INS_RDSEED,    X86_INS_XSAVE,      X86_INS_XSAVE64,    X86_INS_XSAVEC,    X86_INS_XSAVEC64,
        X86_INS_XSAVEOPT,  X86_INS_XSAVEOPT64, X86_INS_XSAVES,     X86_INS_XSAVES64,  X86_INS_XRSTOR,
        X86_INS_XRSTOR64,  X86_INS_XRSTORS,    X86_INS_XRSTORS64,  X86_INS_INVPCID,   X86_INS_GETSEC,
        X86_INS_VRCPSS,    X86_INS_VRSQRTSS,   X86_INS_VSQRTSS,    X86_INS_VSQRTSD};
    if (disputed->result == DECODE_OK || !disputed->theirs) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        if (disputed->theirs->id == ids[i]) {
            return true;
        }
    }
    return theirs_in_group(disputed, groups, sizeof groups);
}

static const uint8_t vector_groups[] = {X86_GRP_MMX,   X86_GRP_SSE1,  X86_GRP_SSE2, X86_GRP_SSE3,
                                        X86_GRP_SSSE3, X86_GRP_SSE41, X86_GRP_SSE42};

/* A prefix that no row of an SSE or MMX opcode lists, and that changes nothing for capstone either: it passes
 * over it. */
static bool is_unlisted_prefix(const struct disputed *disputed)
{
    static const uint16_t ids[] = {X86_INS_MOVBE, X86_INS_FXSAVE, X86_INS_FXRSTOR, X86_INS_FXSAVE64,
                                   X86_INS_FXRSTOR64};
    const cs_insn *theirs = disputed->theirs;
    if (disputed->result == DECODE_OK || !has_mandatory_candidate(disputed) || !disputed->bare) {
        return false;
    }
    bool is_listed = theirs_in_group(disputed, vector_groups, sizeof vector_groups);
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        is_listed |= theirs->id == ids[i];
    }
    return is_listed && theirs->id == disputed->bare->id &&
           (theirs->id == X86_INS_MOVBE || strcmp(theirs->op_str, disputed->bare->op_str) == 0);
}

/* capstone takes mandatory prefixes wrongly in 16-bit code. */
static bool is_forgotten_prefix(const struct disputed *disputed)
{
    bool is_vector = disputed->result == DECODE_OK
                         ? disputed->ours->map != 0
                         : theirs_in_group(disputed, vector_groups, sizeof vector_groups);
    return is_vector && has_mandatory_candidate(disputed) && disputed->decoder_case->mode.code_size == 2;
}

static bool is_locked(const struct disputed *disputed)
{
    return disputed->result == DECODE_OK && (disputed->ours->prefixes & PREFIX_LOCK);
}

static bool is_relative_with_67(const struct disputed *disputed)
{
    return disputed->ours->operand[0].kind == OPERAND_RELATIVE && has_prefix(disputed, 0x67);
}

static bool has_66_and_67(const struct disputed *disputed)
{
    return has_prefix(disputed, 0x66) && has_prefix(disputed, 0x67);
}

static bool has_67(const struct disputed *disputed)
{
    return has_prefix(disputed, 0x67);
}

static bool has_66_and_rep(const struct disputed *disputed)
{
    return has_prefix(disputed, 0x66) && (has_prefix(disputed, 0xf2) || has_prefix(disputed, 0xf3));
}

static bool has_size_prefix_and_rex_w(const struct disputed *disputed)
{
    if (disputed->decoder_case->mode.code_size != 8 ||
        (!has_prefix(disputed, 0x66) && !has_prefix(disputed, 0x67))) {
        return false;
    }
    const uint8_t *byte = disputed->decoder_case->bytes;
    while (memchr(LEGACY_PREFIXES, *byte, sizeof LEGACY_PREFIXES - 1) || (*byte & 0xf0) == 0x40) {
        byte++;
    }
    return (byte[-1] & 0xf8) == 0x48;
}

static bool is_64_bit_near_branch(const struct disputed *disputed)
{
    return disputed->decoder_case->mode.code_size == 8 &&
           (insn_info(disputed->ours->id)->properties & INSN_BRANCH) && disputed->ours->operand_size == 8 &&
           (has_prefix(disputed, 0x66) || has_prefix(disputed, 0x67));
}

static bool is_64_bit_code(const struct disputed *disputed)
{
    return disputed->decoder_case->mode.code_size == 8;
}

static bool is_missing_cr(const struct disputed *disputed)
{
    return disputed->result != DECODE_OK && disputed->theirs->id == X86_INS_MOV &&
           (disputed->theirs->detail->x86.opcode[1] & 0xfc) == 0x20;
}

static bool is_16_bit_code(const struct disputed *disputed)
{
    return disputed->decoder_case->mode.code_size == 2;
}

static bool is_memory_form(const struct disputed *disputed)
{
    return disputed->ours->has_modrm && disputed->ours->modrm < 0xc0;
}

static bool is_register_form(const struct disputed *disputed)
{
    return disputed->ours->has_modrm && disputed->ours->modrm >= 0xc0;
}

static bool is_endbr(const struct disputed *disputed)
{
    return disputed->ours->opcode == 0x1e && has_prefix(disputed, 0xf3);
}

static bool is_mov_to_cs(const struct disputed *disputed)
{
    return disputed->result != DECODE_OK && disputed->theirs->id == X86_INS_MOV &&
           disputed->theirs->detail->x86.opcode[0] == 0x8e &&
           (disputed->theirs->detail->x86.modrm >> 3 & 7) == 1;
}

static bool is_swapgs(const struct disputed *disputed)
{
    return disputed->result != DECODE_OK && disputed->theirs->id == X86_INS_SWAPGS;
}

static bool is_hint(const struct disputed *disputed)
{
    unsigned opcode = disputed->ours->opcode;
    return disputed->ours->map == 1 && (opcode == 0x0d || (opcode & 0xf8) == 0x18);
}

static bool has_alias_operands(const struct disputed *disputed)
{
    unsigned opcode = disputed->ours->opcode;
    return opcode == 0xd9 || opcode == 0xdd || opcode == 0xdf;
}

#define ANY INSN_COUNT

/* The first column is the aspect in dispute, the second the decoder's instruction. */
struct quirk {
    enum oracle_verdict verdict;
    uint16_t ours;
    quirk_predicate *applies; /* NULL: always */
    const char *reason;
};

static const struct quirk quirks[] = {
    {ORACLE_VALIDITY, INSN_INVALID, is_left_out, "an extension that doppel does not have"},
    {ORACLE_VALIDITY, INSN_INVALID, is_unlisted_prefix,
     "SDM 2A 2.1.2: reserved use of 66/F2/F3; processors raise #UD"},
    {ORACLE_VALIDITY, INSN_INVALID, is_mov_to_cs, "SDM 2B MOV: MOV CS raises #UD"},
    {ORACLE_VALIDITY, INSN_INVALID, is_swapgs, "SDM 2B SWAPGS: invalid outside 64-bit mode"},
    {ORACLE_VALIDITY, ANY, is_forgotten_prefix, "SDM 2A 2.1.1: 67 and 16-bit code do not change the opcode"},
    {ORACLE_LENGTH, ANY, is_forgotten_prefix, "likewise"},
    {ORACLE_MNEMONIC, ANY, is_forgotten_prefix, "likewise"},
    {ORACLE_OPERAND, ANY, is_forgotten_prefix, "likewise"},
    {ORACLE_VALIDITY, INSN_INVALID, is_missing_cr, "SDM 2B MOV: CR1, CR5-CR7, CR9-CR15, DR8-DR15 raise #UD"},
    {ORACLE_VALIDITY, INSN_INVALID, has_size_prefix_and_rex_w, "SDM 2A 2.1.1: 67 is not 66"},
    {ORACLE_MNEMONIC, ANY, has_size_prefix_and_rex_w, "SDM 2A 2.2.1.2: REX.W goes before 66; 67 is not 66"},
    {ORACLE_OPERAND, ANY, has_size_prefix_and_rex_w, "likewise"},
    {ORACLE_LENGTH, ANY, is_64_bit_near_branch, "SDM 2D A.2.5 f64: near branches ignore 66; 67 is not 66"},
    {ORACLE_MNEMONIC, INSN_JCXZ, has_67, "SDM 2A Jcc: the address size picks the counter"},
    {ORACLE_OPERAND, INSN_MOVSXD, NULL, "SDM 2B MOVSXD: without REX.W the destination is r32 or r16"},
    {ORACLE_MNEMONIC, INSN_MOVQ, is_64_bit_code, "SDM 2B MOVD/MOVQ: REX.W 0F 6E and 7E are MOVQ"},
    {ORACLE_MNEMONIC, INSN_PAUSE, NULL, "SDM 2B PAUSE: F3 90 in any code size, with any REX.W"},
    {ORACLE_MNEMONIC, INSN_CBW, has_66_and_67, "SDM 2A CBW: only the operand size counts"},
    {ORACLE_MNEMONIC, INSN_CWD, has_66_and_67, "SDM 2A CWD: only the operand size counts"},
    {ORACLE_MNEMONIC, INSN_CBW, is_16_bit_code, "SDM 2A CBW: 16 bits in 16-bit code"},
    {ORACLE_MNEMONIC, INSN_CWD, is_16_bit_code, "SDM 2A CWD: 16 bits in 16-bit code"},
    {ORACLE_OPERAND, ANY, is_relative_with_67, "SDM 2A 2.1.1: 67 does not change a branch's operand size"},
    {ORACLE_OPERAND, ANY, has_66_and_rep, "SDM 2A 2.1.1: an F2 or F3 without meaning does not cancel 66"},
    {ORACLE_MNEMONIC, ANY, has_66_and_rep, "likewise"},
    {ORACLE_LENGTH, ANY, has_66_and_rep, "likewise"},
    {ORACLE_VALIDITY, INSN_MOV, has_66_and_rep, "likewise"},
    {ORACLE_VALIDITY, ANY, is_locked, "whether LOCK is allowed is the engines' business (INSN_LOCKABLE)"},
    {ORACLE_OPERAND, INSN_JMP_NEAR, is_16_bit_code, "SDM 2A JMP: with 66, EIP keeps 32 bits"},
    {ORACLE_LENGTH, INSN_UD0, NULL, "SDM 2B UD: UD0 has a ModRM byte"},
    {ORACLE_VALIDITY, INSN_UD0, NULL, "likewise"},
    {ORACLE_LENGTH, INSN_UD1, NULL, "SDM 2B UD: UD1 has a ModRM byte"},
    {ORACLE_VALIDITY, INSN_LFENCE, NULL, "SDM 2A LFENCE: the rm field is ignored"},
    {ORACLE_VALIDITY, INSN_MFENCE, NULL, "SDM 2B MFENCE: the rm field is ignored"},
    {ORACLE_VALIDITY, INSN_SFENCE, NULL, "SDM 2B SFENCE: the rm field is ignored"},
    {ORACLE_VALIDITY, INSN_MOV_SEG, is_64_bit_code,
     "SDM 2A 2.2.1.2: REX.R does not extend segment registers"},
    {ORACLE_VALIDITY, INSN_MOV_TR, NULL, "80386 and 80486 only: capstone does not know them"},
    {ORACLE_VALIDITY, ANY, is_hint, "SDM 2D A-3: 0F 0D and 0F 18-1F are hints and NOPs whatever ModRM"},
    {ORACLE_MNEMONIC, INSN_NOP, is_endbr, "SDM 2A ENDBR: a hint NOP where CET is absent"},
    {ORACLE_OPERAND, INSN_PUNPCKLBW, is_memory_form, "SDM 2B PUNPCKL: mm, mm/m32"},
    {ORACLE_OPERAND, INSN_PUNPCKLWD, is_memory_form, "likewise"},
    {ORACLE_OPERAND, INSN_PUNPCKLDQ, is_memory_form, "likewise"},
    {ORACLE_OPERAND, INSN_COMISS, is_memory_form, "SDM 2A COMISS: xmm, xmm/m32"},
    {ORACLE_OPERAND, INSN_COMISD, is_memory_form, "SDM 2A COMISD: xmm, xmm/m64"},
    {ORACLE_OPERAND, INSN_LSL, NULL, "SDM 2A LSL: r32/m16, whatever the operand size"},
    {ORACLE_OPERAND, INSN_FNSTSW, is_memory_form, "SDM 2A FSTSW: m2byte"},
    {ORACLE_OPERAND, INSN_MOV_SEG, is_register_form, "SDM 2B MOV: Sreg, r/m16 whatever the operand size"},
    {ORACLE_MNEMONIC, INSN_FSTP, has_alias_operands, "D9 D8: a name of its own for the alias"},
    {ORACLE_OPERAND, INSN_FSTP, has_alias_operands, "DF D0, DF D8: the alias with an explicit ST(0)"},
    {ORACLE_OPERAND_COUNT, INSN_FSTP, has_alias_operands, "likewise"},
    {ORACLE_OPERAND, INSN_FXCH, has_alias_operands, "DD C8, DF C8: likewise"},
    {ORACLE_OPERAND_COUNT, INSN_FXCH, has_alias_operands, "likewise"},
};

bool quirk_explains(const struct disputed *disputed, enum oracle_verdict verdict)
{
    uint16_t id = disputed->result == DECODE_OK ? disputed->ours->id : INSN_INVALID;
    for (size_t i = 0; i < ARRAY_COUNT(quirks); i++) {
        const struct quirk *quirk = &quirks[i];
        if (quirk->verdict == verdict && (quirk->ours == ANY || quirk->ours == id) &&
            (!quirk->applies || quirk->applies(disputed))) {
            return true;
        }
    }
    return false;
}
