/* Instructions whose outcome is known from their selector, as host code: LAR, LSL, VERR, VERW, and the far
 * transfers of protected mode that stay in their code segment (SDM 2: JMP, CALL, RET, IRET; SDM 3A §5.8).
 *
 * What the descriptor of a selector means depends on its bytes, the privilege and the instruction. Once
 * translator_quick() has found it out, inline code only looks whether the selector is the same and the bytes
 * still are (struct known_selector); everything else is the emulation's. Reloads of data segments
 * (segments.c) go the same way.
 *
 * All checks come before the first change, and none changes flags: the emulation begins anew. */
#include <stddef.h>

#include "translator/sensitive.h"

static struct host_address field(size_t offset)
{
    return host_at(HOST_R14, (int32_t)offset);
}

static struct host_address known_field(const struct builder *b, enum known_kind kind, size_t offset)
{
    unsigned user = (b->mode & MODE_USER) != 0;
    size_t known = user * sizeof(struct known_selector[KNOWN_KINDS]) + kind * sizeof(struct known_selector);
    return field(offsetof(struct translator, known) + known + offset);
}

static struct host_address temporary(void)
{
    return field(offsetof(struct translator, temporary));
}

static struct host_address cpu_field(size_t offset)
{
    return host_at(HOST_R11, (int32_t)offset);
}

static void emit_load_cpu(struct builder *b)
{
    emit_load64(&b->e, HOST_R11, field(offsetof(struct translator, cpu)));
}

static struct host_address above(struct host_address at, int32_t bytes)
{
    at.displacement += bytes;
    return at;
}

void emit_known_selector(struct builder *b, const struct insn *insn, enum known_kind kind,
                         const struct guest_operand *memory)
{
    struct emitter *e = &b->e;
    bool is_load = kind < (enum known_kind)CPU_SEGMENTS;
    emit_load64(e, HOST_RCX, known_field(b, kind, offsetof(struct known_selector, key)));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, 0));
    emit_load64(e, HOST_R11, field(offsetof(struct translator, known_epoch)));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R11, 0, 0));
    uint8_t *same = emit_jrcxz(e);
    const uint8_t *unknown = e->at;
    if (is_load) {
        emit_load_description(b, insn);
    }
    if (memory != NULL) {
        emit_offset(b, memory, HOST_R10);
    }
    struct translator_site *site = sensitive_add_site(b, insn, emit_jmp(e));
    if (is_load) {
        site->kind = SITE_SEGMENT;
    }
    emit_bind8(e, same);
    emit_load64(e, HOST_R11, known_field(b, kind, offsetof(struct known_selector, descriptor)));
    emit_load64(e, HOST_RCX, host_at(HOST_R11, 0));
    emit_load64(e, HOST_R11, known_field(b, kind, offsetof(struct known_selector, negated)));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R11, 0, 0));
    uint8_t *unchanged = emit_jrcxz(e);
    emit_jmp_back(e, unknown);
    emit_bind8(e, unchanged);
}

/* ---- LAR, LSL, VERR, VERW */

/* ZF from what is known; the other flags stay. Changes rcx and r11. */
static void emit_put_zf(struct builder *b, enum known_kind kind)
{
    enum { ZF_BIT = 6 };
    struct emitter *e = &b->e;
    emit_mov(e, HOST_R11, HOST_RAX);
    emit_u8(e, 0x9f);                         /* lahf */
    emit_reg(e, HOST_0F | 0xb6, HOST_RCX, 4); /* movzx ecx, ah */
    emit_rorx(e, HOST_RCX, HOST_RCX, ZF_BIT + 1);
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_RCX, 0, 0));
    emit_rorx(e, HOST_RCX, HOST_RCX, 32 - ZF_BIT);
    emit_load(e, HOST_RAX, known_field(b, kind, offsetof(struct known_selector, zf)));
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_RAX, 0, 0));
    emit_reg(e, 0x8a, 4, HOST_RCX); /* mov ah, cl */
    emit_u8(e, 0x9e);               /* sahf */
    emit_mov(e, HOST_RAX, HOST_R11);
}

bool inline_query(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    bool has_result = insn->id == INSN_LAR || insn->id == INSN_LSL;
    const struct operand *selector = &insn->operand[has_result ? 1 : 0];
    struct guest_operand memory = guest_operand_of(insn);
    enum known_kind kind = translator_known_query((enum insn_id)insn->id);
    if (!(b->mode & MODE_PROTECTED) || !selector_is_possible(b, selector, &memory)) {
        return false;
    }
    emit_selector(b, selector, &memory);
    emit_known_selector(b, insn, kind, selector->kind == OPERAND_MEMORY ? &memory : NULL);
    emit_put_zf(b, kind);
    if (has_result) {
        emit_mem(e, host_width(insn->operand_size) | 0x8b, host_gpr(insn->operand[0].reg),
                 known_field(b, kind, offsetof(struct known_selector, result)));
    }
    return true;
}

/* ---- far transfers */

/* 32-bit offsets in a code segment without a limit, and a 32-bit stack. */
static bool transfer_is_possible(const struct builder *b, const struct insn *insn)
{
    const uint32_t needed = MODE_PROTECTED | MODE_CODE_OPEN | MODE_CODE32 | MODE_STACK32;
    return (b->mode & needed) == needed && insn->operand_size == 4 && stack_is_possible(b);
}

/* What CALL pushes. */
static void emit_push_return(struct builder *b)
{
    struct emitter *e = &b->e;
    struct host_address frame = emit_push_access(b, 8);
    emit_load_cpu(b);
    emit_load_width(e, HOST_R11, cpu_field(offsetof(struct cpu_state, segment[CPU_CS].selector)), 2);
    emit_store_far_pointer(b, frame, b->next_eip);
    emit_stack_adjust(b, -8);
}

static bool jump_to_pointer(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    emit_mov_immediate(e, HOST_R10, (uint32_t)insn->immediate2 & 0xffff);
    emit_known_selector(b, insn, KNOWN_JUMP, NULL);
    if (insn->id == INSN_CALL_FAR) {
        emit_push_return(b);
    }
    emit_exit(b, (uint32_t)insn->immediate);
    b->ended = true;
    return true;
}

bool inline_jump_far(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    struct guest_operand memory = guest_operand_of(insn);
    if (!transfer_is_possible(b, insn)) {
        return false;
    }
    if (insn->operand[0].kind != OPERAND_MEMORY) {
        return jump_to_pointer(b, insn);
    }
    if (!access_is_possible(b, &memory, ACCESS_LOAD)) {
        return false;
    }
    struct host_address pointer = emit_access(b, &memory, 6, ACCESS_LOAD, HOST_RCX);
    emit_load(e, HOST_R11, pointer);
    emit_load_width(e, HOST_R10, above(pointer, 4), 2);
    emit_store(e, temporary(), HOST_R11);
    emit_known_selector(b, insn, KNOWN_JUMP, &memory);
    if (insn->id == INSN_CALL_FAR) {
        emit_push_return(b);
    }
    emit_load_sign_extend32(e, HOST_R10, temporary());
    emit_indirect_exit(b, &b->mode);
    return true;
}

bool inline_return_far(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    if (!transfer_is_possible(b, insn)) {
        return false;
    }
    uint32_t release = insn->operand[0].kind == OPERAND_IMMEDIATE ? (uint32_t)insn->immediate & 0xffff : 0;
    struct host_address frame = emit_top_access(b, 8);
    emit_load(e, HOST_R11, frame);
    emit_load_width(e, HOST_R10, above(frame, 4), 2);
    emit_store(e, temporary(), HOST_R11);
    emit_known_selector(b, insn, KNOWN_RETURN, NULL);
    emit_stack_adjust(b, (int32_t)(8 + release));
    emit_load_sign_extend32(e, HOST_R10, temporary());
    emit_indirect_exit(b, &b->mode);
    return true;
}

/* ---- IRET */

/* EFLAGS bits that must be what they are, and NT clear. */
#define FLAGS_FIXED                                                                                          \
    ((uint32_t)EFLAGS_TF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | EFLAGS_AC |         \
     EFLAGS_VIF | EFLAGS_VIP | EFLAGS_ID)

static struct host_address flags_image(void)
{
    return above(temporary(), sizeof(uint32_t));
}

/* rcx is 0 when the flags to come are none but the arithmetic ones and IF. */
static void emit_compare_fixed_flags(struct builder *b)
{
    struct emitter *e = &b->e;
    emit_load_cpu(b);
    emit_load(e, HOST_R10, cpu_field(offsetof(struct cpu_state, eflags_other)));
    emit_load(e, HOST_R11, flags_image());
    emit_mov_immediate(e, HOST_RCX, FLAGS_FIXED);
    emit_pext(e, HOST_R10, HOST_R10, HOST_RCX);
    emit_pext(e, HOST_R11, HOST_R11, HOST_RCX);
    emit_not64(e, HOST_R11);
    emit_lea64(e, HOST_RCX, host_sum(HOST_R10, HOST_R11, 0, 1));
}

/* rcx: NT. */
static void emit_nested_task(struct builder *b)
{
    struct emitter *e = &b->e;
    emit_load(e, HOST_R10, flags_image());
    emit_mov_immediate(e, HOST_RCX, EFLAGS_NT);
    emit_pext(e, HOST_RCX, HOST_R10, HOST_RCX);
}

/* `reg` AND `mask`. Changes rcx. */
static void emit_mask(struct builder *b, unsigned reg, uint32_t mask)
{
    emit_mov_immediate(&b->e, HOST_RCX, mask);
    emit_pext(&b->e, reg, reg, HOST_RCX);
    emit_pdep(&b->e, reg, reg, HOST_RCX);
}

static void emit_load_interrupt_flag(struct builder *b)
{
    struct emitter *e = &b->e;
    emit_load_cpu(b);
    emit_load(e, HOST_R10, cpu_field(offsetof(struct cpu_state, eflags_other)));
    emit_mask(b, HOST_R10, ~(uint32_t)EFLAGS_IF);
    emit_load(e, HOST_R11, flags_image());
    emit_mask(b, HOST_R11, EFLAGS_IF);
    emit_lea(e, HOST_R10, host_sum(HOST_R10, HOST_R11, 0, 0));
    emit_load_cpu(b);
    emit_store(e, cpu_field(offsetof(struct cpu_state, eflags_other)), HOST_R10);
}

/* To the same level and segment. IF is set only while no interrupt waits (sensitive_inline.c). */
bool inline_interrupt_return(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    if (!transfer_is_possible(b, insn)) {
        return false;
    }
    struct host_address frame = emit_top_access(b, 12);
    emit_load(e, HOST_R11, frame);
    emit_store(e, temporary(), HOST_R11);
    emit_load(e, HOST_R11, above(frame, 8));
    emit_store(e, flags_image(), HOST_R11);
    emit_load_width(e, HOST_R10, above(frame, 4), 2);
    emit_known_selector(b, insn, KNOWN_RETURN, NULL);
    emit_compare_fixed_flags(b);
    uint8_t *fixed = emit_jrcxz(e);
    const uint8_t *unusual = e->at;
    sensitive_add_site(b, insn, emit_jmp(e));
    emit_bind8(e, fixed);
    emit_nested_task(b);
    uint8_t *not_nested = emit_jrcxz(e);
    emit_jmp_back(e, unusual);
    emit_bind8(e, not_nested);
    emit_load_cpu(b);
    if (b->mode & MODE_IOPL) {
        emit_load_width(e, HOST_RCX, cpu_field(offsetof(struct cpu_state, pending) + 1), 1);
        uint8_t *none = emit_jrcxz(e);
        emit_jmp_back(e, unusual);
        emit_bind8(e, none);
        emit_load_interrupt_flag(b);
    }
    emit_mem(e, 0xc6, 0, cpu_field(offsetof(struct cpu_state, nmi_blocked)));
    emit_u8(e, false);
    emit_load(e, HOST_R10, flags_image());
    emit_load_flags(b);
    emit_stack_adjust(b, 12);
    emit_load_sign_extend32(e, HOST_R10, temporary());
    emit_indirect_exit(b, &b->mode);
    return true;
}
