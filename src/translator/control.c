/* Near control transfers (SDM 2: JMP, Jcc, JCXZ, LOOP, CALL, RET).
 *
 * Translated where no target can be beyond CS's limit (MODE_CODE_OPEN). A constant target on a page of the
 * block's own is linked: its jump is patched to the block there, which assumes the same mode, and lies on the
 * same physical page. On another page it goes through the jump cache, at a slot that is known here, because
 * what that page is may change while this block stays. */
#include <stddef.h>

#include "translator/builder.h"

static uint32_t relative_target(const struct builder *b, const struct insn *insn)
{
    uint32_t target = b->next_eip + (uint32_t)insn->immediate;
    return insn->operand_size == 2 ? target & 0xffff : target;
}

bool control_is_possible(const struct builder *b, const struct insn *insn)
{
    bool leaves_segment = (b->mode & MODE_PARAGRAPH) && b->next_eip > 0xffff;
    if (!(b->mode & MODE_CODE_OPEN) || leaves_segment) {
        return false;
    }
    bool relative = insn->operand[0].kind == OPERAND_RELATIVE;
    return (b->mode & MODE_CODE32) || insn->operand_size == 2 || !relative ||
           relative_target(b, insn) <= 0xffff;
}

bool control_goes_to_first(const struct builder *b, const struct insn *insn)
{
    switch (insn->id) {
    case INSN_J:
    case INSN_LOOP:
    case INSN_LOOPE:
    case INSN_LOOPNE:
    case INSN_JMP_NEAR:
        return insn->operand[0].kind == OPERAND_RELATIVE && control_is_possible(b, insn) &&
               relative_target(b, insn) == b->first_eip;
    default: return false;
    }
}

void emit_target_check(struct builder *b, const struct insn *insn)
{
    if (!(b->mode & MODE_CODE32) && insn->operand_size == 4) {
        emit_rorx(&b->e, HOST_RCX, HOST_R10, 16);
        emit_zero_extend16(&b->e, HOST_RCX, HOST_RCX);
        emit_callout_unless_zero(b);
    }
}

/* ---- exits */

/* `distance`: from the block's first instruction. */
static bool is_on_same_page(const struct builder *b, uint32_t distance)
{
    return (uint32_t)(b->page_offset + distance) < (b->has_tail ? 2 * PAGE_SIZE : PAGE_SIZE);
}

uint8_t *emit_jump_cache_look(struct builder *b, uint32_t place, uint32_t target)
{
    struct emitter *e = &b->e;
    place += target;
    emit_load64(e, HOST_RCX, host_at(HOST_R14, jump_tag_position(b->mode, place)));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R12, 0, (int32_t)target));
    builder_note_eip(b, FIXUP_JUMP, target);
    uint8_t *known = emit_jrcxz(e);
    uint8_t *unknown = emit_jmp(e);
    emit_bind8(e, known);
    emit_jmp_memory(e, host_at(HOST_R14, jump_code_position(b->mode, place)));
    return unknown;
}

void emit_far_exit_from(struct builder *b, uint8_t *jump, uint32_t place, uint32_t target)
{
    struct emitter *e = &b->e;
    bool has_place = target <= mode_last_eip(b->mode);
    /* with another limit, what lies behind a jump may be beyond it: the dispatcher looks */
    bool chained = !b->t->unchained && (b->mode & MODE_CODE_OPEN) && has_place;
    uint32_t paragraphs = (place >> 16) - (b->place >> 16);
    bool same_page = chained && is_on_same_page(b, 16 * paragraphs + target - b->first_eip);
    if (chained && !same_page) {
        if (jump != NULL) {
            emit_bind32(e, jump);
        }
        jump = emit_jump_cache_look(b, place, target);
    } else if (jump == NULL) {
        jump = emit_jmp(e);
    }
    struct translator_site *site = builder_add_site(b, SITE_JUMP, jump);
    site->target = target - b->first_eip;
    site->next = same_page ? (uint16_t)(jump - e->begin) : 0;
}

void emit_exit_from(struct builder *b, uint8_t *jump, uint32_t target)
{
    emit_far_exit_from(b, jump, b->place, target);
}

void emit_exit(struct builder *b, uint32_t target)
{
    emit_exit_from(b, NULL, target);
}

uint8_t *emit_jump_cache_exit(struct emitter *e, const uint32_t *mode)
{
    unsigned place = HOST_R10;
    if (mode == NULL || (*mode & MODE_PARAGRAPH)) {
        place = HOST_RCX;
        emit_lea(e, place, host_sum(HOST_R10, HOST_R12, 0, 0));
    }
    emit_rorx(e, HOST_R11, place, 15);
    emit_lea(e, HOST_R11, host_sum(HOST_R11, place, 0, 0));
    emit_zero_extend16(e, HOST_R11, HOST_R11);
    uint32_t salt = 0;
    if (mode != NULL) {
        salt = jump_slot_salt(*mode);
    } else {
        emit_load(e, HOST_RCX, host_at(HOST_R14, (int32_t)offsetof(struct translator, jump_salt)));
        emit_lea(e, HOST_R11, host_sum(HOST_R11, HOST_RCX, 0, 0));
    }
    emit_load64(e, HOST_RCX,
                host_sum(HOST_R14, HOST_R11, 3,
                         (int32_t)(offsetof(struct translator, jump_tags) + salt * sizeof(uint64_t))));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, 0));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R12, 0, 0));
    uint8_t *known = emit_jrcxz(e);
    uint8_t *unknown = emit_jmp(e);
    emit_bind8(e, known);
    emit_jmp_memory(e,
                    host_sum(HOST_R14, HOST_R11, 3,
                             (int32_t)(offsetof(struct translator, jump_codes) + salt * sizeof(uint8_t *))));
    return unknown;
}

void emit_indirect_exit(struct builder *b, const uint32_t *mode)
{
    uint8_t *unknown = b->t->unchained ? emit_jmp(&b->e) : emit_jump_cache_exit(&b->e, mode);
    builder_add_site(b, SITE_INDIRECT, unknown);
    b->ended = true;
}

/* ---- jumps */

void emit_side_exits(struct builder *b)
{
    for (unsigned i = 0; i < b->side_exit_count; i++) {
        const struct side_exit *side = &b->side_exits[i];
        if (side->refund == 0) {
            emit_exit_from(b, side->jump, side->target);
        } else {
            emit_bind32(&b->e, side->jump);
            emit_lea64(&b->e, HOST_R13, host_at(HOST_R13, -side->refund));
            emit_exit(b, side->target);
        }
    }
}

/* The block goes on unless `jump` is taken. */
static void add_side_exit(struct builder *b, uint8_t *jump, uint32_t target)
{
    b->side_exits[b->side_exit_count++] =
        (struct side_exit){.jump = jump, .target = target, .refund = (int32_t)(b->count - b->index - 1)};
}

bool translate_jcc(struct builder *b, const struct insn *insn)
{
    if (!control_is_possible(b, insn)) {
        return false;
    }
    if (builder_plan(b)->begins_round) {
        add_side_exit(b, emit_jcc(&b->e, insn->condition ^ 1u), b->next_eip);
        return true;
    }
    uint8_t *taken = emit_jcc(&b->e, insn->condition);
    if (!builder_plan(b)->is_last) {
        add_side_exit(b, taken, relative_target(b, insn));
        return true;
    }
    emit_exit(b, b->next_eip);
    emit_exit_from(b, taken, relative_target(b, insn));
    b->ended = true;
    return true;
}

/* The target of a jump or call through a register or memory, as emit_indirect_exit() wants it. */
static bool emit_indirect_target(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    const struct operand *operand = &insn->operand[0];
    if (operand->kind == OPERAND_MEMORY) {
        struct guest_operand memory = guest_operand_of(insn);
        if (!access_is_possible(b, &memory, ACCESS_LOAD)) {
            return false;
        }
        struct host_address at = emit_access(b, &memory, insn->operand_size, ACCESS_LOAD, HOST_RCX);
        if (insn->operand_size == 2) {
            emit_load_width(e, HOST_R10, at, 2);
        } else {
            emit_load_sign_extend32(e, HOST_R10, at);
        }
    } else if (insn->operand_size == 2) {
        emit_zero_extend16(e, HOST_R10, host_gpr(operand->reg));
    } else {
        emit_sign_extend32(e, HOST_R10, host_gpr(operand->reg));
    }
    emit_target_check(b, insn);
    return true;
}

bool translate_jmp(struct builder *b, const struct insn *insn)
{
    if (!control_is_possible(b, insn)) {
        return false;
    }
    if (insn->operand[0].kind == OPERAND_RELATIVE) {
        if (!builder_plan(b)->begins_round) {
            emit_exit(b, relative_target(b, insn));
            b->ended = true;
        }
        return true;
    }
    if (!emit_indirect_target(b, insn)) {
        return false;
    }
    emit_indirect_exit(b, &b->mode);
    return true;
}

/* ---- calls and returns (returns.c) */

uint32_t return_eip(const struct builder *b, const struct insn *insn)
{
    return insn->operand_size == 2 ? b->next_eip & 0xffff : b->next_eip;
}

static void emit_return_address(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    struct host_address at = emit_push_access(b, width);
    emit_mem(e, host_width(width) | 0xc7, 0, at);
    if (width == 2) {
        emit_u16(e, b->next_eip);
    } else {
        emit_u32(e, b->next_eip);
        builder_note_eip(b, FIXUP_EIP, b->next_eip);
    }
    emit_stack_adjust(b, -(int32_t)width);
}

uint8_t *emit_call_and_landing(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    uint32_t eip = return_eip(b, insn);
    if (b->t->unchained) {
        return NULL;
    }
    uint8_t *call = emit_call(e);
    if (b->mode & MODE_PARAGRAPH) {
        emit_lea(e, HOST_RCX, host_sum(HOST_R10, HOST_R12, 0, (int32_t)(0 - (b->place + eip))));
    } else {
        emit_lea(e, HOST_RCX, host_at(HOST_R10, (int32_t)(0 - eip)));
        builder_note_eip(b, FIXUP_RETURN, 0 - eip);
    }
    uint8_t *expected = emit_jrcxz(e);
    emit_jmp_to(e, b->t->indirect);
    emit_bind8(e, expected);
    emit_exit(b, eip);
    return call;
}

bool translate_call(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    struct host_address target = host_at(HOST_R14, (int32_t)offsetof(struct translator, temporary));
    if (!control_is_possible(b, insn) || !stack_is_possible(b)) {
        return false;
    }
    bool relative = insn->operand[0].kind == OPERAND_RELATIVE;
    if (!relative) {
        if (!emit_indirect_target(b, insn)) {
            return false;
        }
        emit_store(e, target, HOST_R10);
    }
    emit_return_address(b, insn);
    uint8_t *call = emit_call_and_landing(b, insn);
    if (relative) {
        emit_exit_from(b, call, relative_target(b, insn));
        b->ended = true;
        return true;
    }
    if (call != NULL) {
        emit_bind32(e, call);
    }
    emit_load_sign_extend32(e, HOST_R10, target);
    emit_indirect_exit(b, &b->mode);
    return true;
}

void emit_return(struct builder *b)
{
    if (b->t->unchained) {
        emit_indirect_exit(b, &b->mode);
    } else {
        emit_ret(&b->e);
        b->ended = true;
    }
}

bool translate_ret(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    if (!control_is_possible(b, insn) || !stack_is_possible(b)) {
        return false;
    }
    struct host_address at = emit_top_access(b, width);
    emit_load_width(e, HOST_R10, at, width);
    emit_target_check(b, insn);
    uint32_t release = insn->operand[0].kind == OPERAND_IMMEDIATE ? (uint32_t)insn->immediate & 0xffff : 0;
    emit_stack_adjust(b, (int32_t)(width + release));
    emit_return(b);
    return true;
}

/* ---- LOOP, JCXZ */

/* CX or ECX, by the address size, into ecx. */
static void emit_count(struct builder *b, const struct insn *insn)
{
    if (insn->address_size == 2) {
        emit_zero_extend16(&b->e, HOST_RCX, HOST_R9);
    } else {
        emit_mov(&b->e, HOST_RCX, HOST_R9);
    }
}

bool translate_jcxz(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    if (!control_is_possible(b, insn)) {
        return false;
    }
    emit_count(b, insn);
    uint8_t *zero = emit_jrcxz(e);
    uint8_t *other = emit_jmp(e);
    emit_bind8(e, zero);
    emit_exit(b, relative_target(b, insn));
    emit_exit_from(b, other, b->next_eip);
    b->ended = true;
    return true;
}

bool translate_loop(struct builder *b, const struct insn *insn)
{
    enum { CONDITION_Z = 4, CONDITION_NZ = 5 };
    struct emitter *e = &b->e;
    unsigned condition = insn->id == INSN_LOOPE ? CONDITION_Z : CONDITION_NZ;
    if (!control_is_possible(b, insn)) {
        return false;
    }
    emit_lea(e, HOST_RCX, host_at(HOST_R9, -1));
    if (insn->address_size == 2) {
        emit_reg(e, HOST_66 | 0x8b, HOST_R9, HOST_RCX);
    } else {
        emit_mov(e, HOST_R9, HOST_RCX);
    }
    emit_count(b, insn);
    uint8_t *zero = emit_jrcxz(e);
    uint8_t *taken = insn->id == INSN_LOOP ? emit_jmp(e) : emit_jcc(e, condition);
    emit_bind8(e, zero);
    if (builder_plan(b)->begins_round) {
        add_side_exit(b, emit_jmp(e), b->next_eip);
        emit_bind32(e, taken);
        return true;
    }
    emit_exit(b, b->next_eip);
    emit_exit_from(b, taken, relative_target(b, insn));
    b->ended = true;
    return true;
}
