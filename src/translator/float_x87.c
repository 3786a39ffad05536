/* x87 instructions as themselves (SDM 2D §A.5): the guest's encoding with its memory operand replaced.
 *
 * What could unmask an exception, or stores the pointers to the last instruction, is a callout: FNINIT,
 * FLDENV, FNSTENV, FNSAVE, FRSTOR, FXSAVE, FXRSTOR; FLDCW when it does unmask one. */
#include "cpu/x87.h"
#include "translator/float.h"

bool translator_x87_is_store(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_FST:
    case INSN_FSTP:
    case INSN_FIST:
    case INSN_FISTP:
    case INSN_FISTTP:
    case INSN_FBSTP:
    case INSN_FNSTCW:
    case INSN_FNSTSW: return true;
    default: return false;
    }
}

/* The FBSTP of hosts stores what it can in front of a page that faults; the guest is to see nothing of that.
 */
static bool stores_in_parts(const struct builder *b, const struct insn *insn)
{
    return insn->id == INSN_FBSTP && builder_plan(b)->direct;
}

bool translate_x87(struct builder *b, const struct insn *insn)
{
    bool memory = insn->modrm < 0xc0;
    struct guest_operand operand = guest_operand_of(insn);
    enum access_kind kind = translator_x87_is_store(insn) ? ACCESS_STORE : ACCESS_LOAD;
    if (stores_in_parts(b, insn) || (memory && !access_is_possible(b, &operand, kind)) ||
        !emit_float_check(b, FLOAT_X87)) {
        return false;
    }
    if (!memory) {
        emit_u8(&b->e, insn->opcode);
        emit_u8(&b->e, insn->modrm);
        return true;
    }
    struct host_address at = emit_access(b, &operand, insn->operand[0].size, kind, HOST_RCX);
    emit_mem(&b->e, insn->opcode, insn->modrm >> 3 & 7, at);
    return true;
}

/* With all exceptions masked there is nothing to wait for. */
bool translate_fwait(struct builder *b, const struct insn *insn)
{
    (void)insn;
    return emit_float_check(b, FLOAT_X87);
}

bool translate_fldcw(struct builder *b, const struct insn *insn)
{
    struct guest_operand operand = guest_operand_of(insn);
    if (!access_is_possible(b, &operand, ACCESS_LOAD) || !emit_float_check(b, FLOAT_X87)) {
        return false;
    }
    struct host_address at = emit_access(b, &operand, 2, ACCESS_LOAD, HOST_R11);
    at = emit_masks_check(b, at, 2, X87_EXCEPTIONS, X87_EXCEPTIONS);
    emit_mem(&b->e, 0xd9, 5, at);
    return true;
}
