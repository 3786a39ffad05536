/* Far transfers as host code in real and virtual-8086 mode (SDM 2: JMP, CALL, RET; SDM 3B §20.1.1).
 *
 * Under MODE_PARAGRAPH another selector changes nothing but CS's base, so that what a block assumes stays
 * true. The selector is part of the jump cache's tags: r12 changes with it, the context does not. A constant
 * target on the block's own page is linked as a near one is, and a return has its landing (returns.c).
 *
 * The same in protected mode: known_selector.c, quick.c. */
#include <stddef.h>

#include "translator/sensitive.h"

static struct host_address code_field(unsigned cpu, size_t field)
{
    return host_at(cpu,
                   (int32_t)(offsetof(struct cpu_state, segment) + CPU_CS * sizeof(struct segment) + field));
}

static void emit_load_cpu(struct builder *b, unsigned to)
{
    emit_load64(&b->e, to, host_at(HOST_R14, (int32_t)offsetof(struct translator, cpu)));
}

static struct host_address temporary(void)
{
    return host_at(HOST_R14, (int32_t)offsetof(struct translator, temporary));
}

/* r12 from the context and the selector in bits 16 to 31 of `place`. */
static void emit_context(struct builder *b, unsigned place)
{
    emit_load64(&b->e, HOST_R12, host_at(HOST_R14, (int32_t)offsetof(struct translator, context_base)));
    emit_lea64(&b->e, HOST_R12, host_sum(HOST_R12, place, 0, 0));
}

/* CS becomes a constant. */
static void emit_constant_code_segment(struct builder *b, uint16_t selector)
{
    struct emitter *e = &b->e;
    if (selector == b->place >> 16) {
        return;
    }
    emit_load_cpu(b, HOST_R11);
    emit_mem(e, HOST_66 | 0xc7, 0, code_field(HOST_R11, offsetof(struct segment, selector)));
    emit_u16(e, selector);
    emit_mem(e, HOST_W | 0xc7, 0, code_field(HOST_R11, offsetof(struct segment, base)));
    emit_u32(e, (uint32_t)selector << 4);
    emit_mov_immediate(e, HOST_R11, (uint32_t)selector << 16);
    emit_context(b, HOST_R11);
}

/* CS becomes r11d, whose upper half is zero. Changes rcx and r11. */
static void emit_code_segment(struct builder *b)
{
    struct emitter *e = &b->e;
    emit_load_cpu(b, HOST_RCX);
    emit_mem(e, HOST_66 | 0x89, HOST_R11, code_field(HOST_RCX, offsetof(struct segment, selector)));
    emit_rorx(e, HOST_R11, HOST_R11, 32 - 4);
    emit_store64(e, code_field(HOST_RCX, offsetof(struct segment, base)), HOST_R11);
    emit_rorx(e, HOST_R11, HOST_R11, 32 - 12);
    emit_context(b, HOST_R11);
}

void emit_split_pointer(struct builder *b, struct host_address at, unsigned width)
{
    struct emitter *e = &b->e;
    if (width == 2) {
        emit_load(e, HOST_R10, at);
        emit_rorx(e, HOST_R11, HOST_R10, 16);
        emit_zero_extend16(e, HOST_R11, HOST_R11);
        emit_zero_extend16(e, HOST_R10, HOST_R10);
    } else {
        struct host_address selector = at;
        selector.displacement += 4;
        emit_load_width(e, HOST_R11, selector, 2);
        emit_load(e, HOST_R10, at);
    }
}

void emit_store_far_pointer(struct builder *b, struct host_address at, uint32_t offset)
{
    struct emitter *e = &b->e;
    /* LEA extends the sign, which takes 1 from the upper half. */
    if (offset >> 31) {
        emit_lea64(e, HOST_R11, host_at(HOST_R11, 1));
    }
    emit_rorx64(e, HOST_R11, HOST_R11, 32);
    emit_lea64(e, HOST_R11, host_at(HOST_R11, (int32_t)offset));
    emit_store64(e, at, HOST_R11);
}

bool pointer_is_in_one_piece(const struct builder *b, const struct guest_operand *pointer)
{
    return pointer->address_size == 4 || mode_segment_class(b->mode, pointer->segment) == SEGMENT_64K;
}

/* The far pointer in memory: its offset in r10d, its selector in r11d and t->temporary. */
static bool emit_pointer(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    struct guest_operand memory = guest_operand_of(insn);
    if (!pointer_is_in_one_piece(b, &memory) || !access_is_possible(b, &memory, ACCESS_LOAD)) {
        return false;
    }
    emit_split_pointer(b, emit_access(b, &memory, width + 2, ACCESS_LOAD, HOST_RCX), width);
    emit_target_check(b, insn);
    emit_store(&b->e, temporary(), HOST_R11);
    return true;
}

/* CS and EIP of the next instruction, onto the stack. */
static void emit_return_pointer(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    struct host_address at = emit_frame_access(b, 2 * width, true);
    if (width == 2) {
        emit_mem(e, 0xc7, 0, at);
        emit_u32(e, b->place | return_eip(b, insn));
    } else {
        emit_mov_immediate(e, HOST_R11, b->place >> 16);
        emit_store_far_pointer(b, at, return_eip(b, insn));
    }
    emit_stack_adjust(b, -2 * (int32_t)width);
}

/* Whether the instruction can be translated, but for accesses. */
static bool far_is_possible(const struct builder *b, const struct insn *insn, bool uses_stack)
{
    return (b->mode & MODE_PARAGRAPH) && control_is_possible(b, insn) &&
           (!uses_stack || stack_is_possible(b));
}

static bool inline_constant_transfer(struct builder *b, const struct insn *insn, bool call)
{
    uint32_t target = (uint32_t)insn->immediate;
    uint16_t selector = (uint16_t)insn->immediate2;
    if (target > 0xffff) {
        return false;
    }
    if (call) {
        emit_return_pointer(b, insn);
    }
    emit_constant_code_segment(b, selector);
    uint8_t *jump = call ? emit_call_and_landing(b, insn) : NULL;
    emit_far_exit_from(b, jump, (uint32_t)selector << 16, target);
    b->ended = true;
    return true;
}

static bool inline_indirect_transfer(struct builder *b, const struct insn *insn, bool call)
{
    struct emitter *e = &b->e;
    struct host_address offset = host_at(HOST_R14, (int32_t)offsetof(struct translator, far_offset));
    if (!emit_pointer(b, insn)) {
        return false;
    }
    if (call) {
        emit_store(e, offset, HOST_R10);
        emit_return_pointer(b, insn);
        uint8_t *jump = emit_call_and_landing(b, insn);
        if (jump != NULL) {
            emit_bind32(e, jump);
        }
        emit_load(e, HOST_R10, offset);
    }
    emit_load(e, HOST_R11, temporary());
    emit_code_segment(b);
    emit_indirect_exit(b, &b->mode);
    return true;
}

bool inline_paragraph_jump(struct builder *b, const struct insn *insn)
{
    bool call = insn->id == INSN_CALL_FAR;
    if (!far_is_possible(b, insn, call)) {
        return false;
    }
    return insn->operand[0].kind == OPERAND_MEMORY ? inline_indirect_transfer(b, insn, call)
                                                   : inline_constant_transfer(b, insn, call);
}

bool inline_paragraph_return(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    uint32_t release = insn->operand[0].kind == OPERAND_IMMEDIATE ? (uint32_t)insn->immediate & 0xffff : 0;
    int32_t size = (int32_t)(2 * width + release);
    if (!far_is_possible(b, insn, true)) {
        return false;
    }
    emit_split_pointer(b, emit_frame_access(b, 2 * width, false), width);
    emit_target_check(b, insn);
    emit_stack_adjust(b, size);
    emit_code_segment(b);
    emit_return(b);
    return true;
}
