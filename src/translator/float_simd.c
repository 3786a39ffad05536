/* MMX and SSE instructions as themselves (SDM 2D tables ): the guest's encoding, general registers
 * and memory operand replaced.
 *
 * MASKMOVQ and MASKMOVDQU are callouts, and so is LDMXCSR when it unmasks an exception. */
#include "cpu/x87.h"
#include "translator/float.h"

#define XMM_SIZE 16u

/* 66, F2 or F3 where it belongs to the opcode: the last of F2 and F3, else 66 (SDM 2A §2.1.2). Where it does
 * not, these instructions do not exist. */
static unsigned mandatory_prefix(const struct builder *b, const struct insn *insn)
{
    const uint8_t *bytes = b->bytes + (b->eip - b->first_eip);
    unsigned found = 0;
    for (unsigned i = 0; i < insn->prefix_length; i++) {
        switch (bytes[i]) {
        case 0xf2: found = HOST_F2; break;
        case 0xf3: found = HOST_F3; break;
        case 0x66: found = found == 0 ? HOST_66 : found; break;
        default: break;
        }
    }
    return found;
}

static const struct operand *operand_of_kind(const struct insn *insn, enum operand_kind kind)
{
    for (unsigned i = 0; i < insn->operand_count; i++) {
        if (insn->operand[i].kind == kind) {
            return &insn->operand[i];
        }
    }
    return NULL;
}

static bool has_register(const struct insn *insn, enum register_class class)
{
    for (unsigned i = 0; i < insn->operand_count; i++) {
        if (insn->operand[i].kind == OPERAND_REGISTER && insn->operand[i].register_class == class) {
            return true;
        }
    }
    return false;
}

/* Whether the general register of an instruction that has one is in ModRM's r/m field: MOVD, CVTSI2SS,
 * CVTSI2SD, PINSRW. */
static bool general_register_is_rm(const struct insn *insn)
{
    return insn->opcode == 0x6e || insn->opcode == 0x7e || insn->opcode == 0x2a || insn->opcode == 0xc4;
}

static bool must_be_aligned(const struct insn *insn, unsigned width)
{
    switch (insn->id) {
    case INSN_MOVUPS:
    case INSN_MOVUPD:
    case INSN_MOVDQU:
    case INSN_LDDQU: return false;
    default: return width == XMM_SIZE;
    }
}

/* Conversions to MMX registers heed MXCSR even when the source is in memory. */
static bool converts_to_mmx(const struct insn *insn)
{
    return insn->id == INSN_CVTPS2PI || insn->id == INSN_CVTTPS2PI || insn->id == INSN_CVTPD2PI ||
           insn->id == INSN_CVTTPD2PI;
}

static unsigned parts_of(const struct insn *insn)
{
    uint32_t properties = insn_info((enum insn_id)insn->id)->properties;
    unsigned parts = has_register(insn, REGISTER_MMX) ? FLOAT_X87 : 0;
    bool only_sse = (properties & (INSN_MMX | INSN_SSE)) == INSN_SSE;
    return parts |
           (only_sse || has_register(insn, REGISTER_XMM) || converts_to_mmx(insn) ? (unsigned)FLOAT_SSE : 0);
}

bool translate_simd(struct builder *b, const struct insn *insn)
{
    const struct operand *memory = operand_of_kind(insn, OPERAND_MEMORY);
    struct guest_operand operand = guest_operand_of(insn);
    unsigned opcode = mandatory_prefix(b, insn) | host_map(insn->map) | insn->opcode;
    unsigned reg = insn->modrm >> 3 & 7;
    unsigned rm = insn->modrm & 7;
    enum access_kind kind = memory == &insn->operand[0] ? ACCESS_STORE : ACCESS_LOAD;
    if ((memory != NULL && !access_is_possible(b, &operand, kind)) || !emit_float_check(b, parts_of(insn))) {
        return false;
    }
    if (has_register(insn, REGISTER_GPR32)) {
        if (general_register_is_rm(insn)) {
            rm = host_gpr(rm);
        } else {
            reg = host_gpr(reg);
        }
    }
    if (memory != NULL) {
        struct host_address at = must_be_aligned(insn, memory->size)
                                     ? emit_aligned_access(b, &operand, kind)
                                     : emit_access(b, &operand, memory->size, kind, HOST_RCX);
        emit_mem(&b->e, opcode, reg, at);
    } else {
        emit_reg(&b->e, opcode, reg, rm);
    }
    if (operand_of_kind(insn, OPERAND_IMMEDIATE) != NULL) {
        emit_u8(&b->e, (uint8_t)insn->immediate);
    }
    return true;
}

bool translate_emms(struct builder *b, const struct insn *insn)
{
    if (!emit_float_check(b, FLOAT_X87)) {
        return false;
    }
    emit_u8(&b->e, 0x0f);
    emit_u8(&b->e, insn->opcode);
    return true;
}

/* LDMXCSR and STMXCSR. */
bool translate_mxcsr(struct builder *b, const struct insn *insn)
{
    bool load = insn->id == INSN_LDMXCSR;
    enum access_kind kind = load ? ACCESS_LOAD : ACCESS_STORE;
    struct guest_operand operand = guest_operand_of(insn);
    if (!access_is_possible(b, &operand, kind) || !emit_float_check(b, FLOAT_SSE)) {
        return false;
    }
    struct host_address at = emit_access(b, &operand, 4, kind, HOST_R11);
    if (load) {
        uint32_t reserved = ~cpu_mxcsr_mask(b->t->cpu);
        at = emit_masks_check(b, at, 4, reserved | MXCSR_MASKS, MXCSR_MASKS);
    }
    emit_mem(&b->e, HOST_0F | 0xae, insn->modrm >> 3 & 7, at);
    return true;
}
