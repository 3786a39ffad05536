/* PUSH, POP, PUSHA, POPA, ENTER, LEAVE and the accesses that calls and returns share with them (SDM 1 §6.2).
 *
 * ESP changes last, so that an access that faults leaves nothing behind. A 16-bit stack (MODE_STACK32 not
 * set) wraps at 64 KiB and leaves ESP's upper half alone. */
#include <stddef.h>

#include "translator/builder.h"

static struct host_address temporary(void)
{
    return host_at(HOST_R14, (int32_t)offsetof(struct translator, temporary));
}

/* The stack at SP + displacement. */
static struct guest_operand stack_operand(const struct builder *b, int32_t displacement)
{
    return (struct guest_operand){.segment = CPU_SS,
                                  .base = GPR_SP,
                                  .index = GPR_NONE,
                                  .address_size = b->mode & MODE_STACK32 ? 4 : 2,
                                  .displacement = displacement};
}

bool stack_is_possible(const struct builder *b)
{
    struct guest_operand operand = stack_operand(b, 0);
    return access_is_possible(b, &operand, ACCESS_STORE);
}

struct host_address emit_push_access(struct builder *b, unsigned width)
{
    struct guest_operand operand = stack_operand(b, -(int32_t)width);
    return emit_access(b, &operand, width, ACCESS_STORE, HOST_RCX);
}

/* Goes to the callout when a 16-bit stack would wrap within the `size` bytes below SP, or above it. */
static void emit_wrap_check(struct builder *b, int32_t size, bool below)
{
    struct emitter *e = &b->e;
    if (b->mode & MODE_STACK32) {
        return;
    }
    emit_zero_extend16(e, HOST_RCX, HOST_R8);
    if (!below) {
        emit_not64(e, HOST_RCX);
    }
    emit_lea(e, HOST_RCX, host_at(HOST_RCX, below ? -size : 0x10001 - size));
    emit_rorx(e, HOST_RCX, HOST_RCX, 16);
    emit_zero_extend16(e, HOST_RCX, HOST_RCX);
    emit_callout_unless_zero(b);
}

struct host_address emit_frame_access(struct builder *b, unsigned size, bool push)
{
    struct guest_operand operand = stack_operand(b, push ? -(int32_t)size : 0);
    if (mode_segment_class(b->mode, CPU_SS) != SEGMENT_64K) {
        emit_wrap_check(b, (int32_t)size, push);
    }
    return emit_access(b, &operand, size, push ? ACCESS_STORE : ACCESS_LOAD, HOST_RCX);
}

struct host_address emit_top_access(struct builder *b, unsigned width)
{
    struct guest_operand operand = stack_operand(b, 0);
    return emit_access(b, &operand, width, ACCESS_LOAD, HOST_RCX);
}

/* The stack pointer becomes `from` plus `displacement`, in the stack's width. */
static void emit_stack_pointer(struct builder *b, unsigned from, int32_t displacement)
{
    struct emitter *e = &b->e;
    if (b->mode & MODE_STACK32) {
        emit_lea(e, HOST_R8, host_at(from, displacement));
    } else {
        emit_lea(e, HOST_RCX, host_at(from, displacement));
        emit_reg(e, HOST_66 | 0x8b, HOST_R8, HOST_RCX);
    }
}

void emit_stack_adjust(struct builder *b, int32_t displacement)
{
    emit_stack_pointer(b, HOST_R8, displacement);
}

static void emit_push_immediate(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    struct host_address at = emit_push_access(b, width);
    emit_mem(&b->e, host_width(width) | 0xc7, 0, at);
    if (width == 2) {
        emit_u16(&b->e, (unsigned)insn->immediate);
    } else {
        emit_u32(&b->e, (uint32_t)insn->immediate);
    }
}

static bool emit_push_memory(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    struct guest_operand memory = guest_operand_of(insn);
    if (!access_is_possible(b, &memory, ACCESS_LOAD)) {
        return false;
    }
    unsigned load = host_width(width) | 0x8b;
    unsigned store = host_width(width) | 0x89;
    struct host_address from = emit_access(b, &memory, width, ACCESS_LOAD, HOST_RCX);
    emit_mem(e, load, HOST_R11, from);
    emit_store(e, temporary(), HOST_R11);
    struct host_address to = emit_push_access(b, width);
    emit_load(e, HOST_R11, temporary());
    emit_mem(e, store, HOST_R11, to);
    return true;
}

bool translate_push(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    const struct operand *operand = &insn->operand[0];
    if (!stack_is_possible(b)) {
        return false;
    }
    if (operand->kind == OPERAND_IMMEDIATE) {
        emit_push_immediate(b, insn);
    } else if (operand->kind == OPERAND_MEMORY) {
        if (!emit_push_memory(b, insn)) {
            return false;
        }
    } else {
        struct host_address at = emit_push_access(b, width);
        emit_mem(&b->e, host_width(width) | 0x89, host_gpr(operand->reg), at);
    }
    emit_stack_adjust(b, -(int32_t)width);
    return true;
}

/* An address by ESP is that after the increment. */
static bool translate_pop_memory(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    struct guest_operand memory = guest_operand_of(insn);
    if (!access_is_possible(b, &memory, ACCESS_STORE) ||
        (memory.base == GPR_SP && !(b->mode & MODE_STACK32))) {
        return false;
    }
    if (memory.base == GPR_SP) {
        memory.displacement = (int32_t)((uint32_t)memory.displacement + width);
    }
    emit_load_width(e, HOST_R11, emit_top_access(b, width), width);
    emit_store(e, temporary(), HOST_R11);
    struct host_address to = emit_access(b, &memory, width, ACCESS_STORE, HOST_RCX);
    emit_load(e, HOST_R11, temporary());
    emit_mem(e, host_width(width) | 0x89, HOST_R11, to);
    emit_stack_adjust(b, (int32_t)width);
    return true;
}

bool translate_pop(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    const struct operand *operand = &insn->operand[0];
    if (!stack_is_possible(b)) {
        return false;
    }
    if (operand->kind != OPERAND_REGISTER) {
        return translate_pop_memory(b, insn);
    }
    unsigned load = host_width(width) | 0x8b;
    struct host_address at = emit_top_access(b, width);
    if (operand->reg == GPR_SP) {
        emit_mem(&b->e, load, HOST_R10, at);
        emit_stack_adjust(b, (int32_t)width);
        emit_reg(&b->e, load, HOST_R8, HOST_R10);
        return true;
    }
    emit_mem(&b->e, load, host_gpr(operand->reg), at);
    emit_stack_adjust(b, (int32_t)width);
    return true;
}

/* SP = BP; POP BP. */
bool translate_leave(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    struct guest_operand frame = stack_operand(b, 0);
    frame.base = GPR_BP;
    if (!stack_is_possible(b)) {
        return false;
    }
    struct host_address at = emit_access(b, &frame, width, ACCESS_LOAD, HOST_RCX);
    emit_load_width(&b->e, HOST_R10, at, width);
    emit_stack_pointer(b, HOST_RBP, (int32_t)width);
    emit_reg(&b->e, host_width(width) | 0x8b, HOST_RBP, HOST_R10);
    return true;
}

static struct host_address slot_of(struct host_address lowest, unsigned guest, unsigned width)
{
    lowest.displacement += (int32_t)((7 - guest) * width);
    return lowest;
}

bool translate_pusha(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    if (!stack_is_possible(b)) {
        return false;
    }
    struct host_address at = emit_frame_access(b, 8 * width, true);
    for (unsigned guest = 0; guest < 8; guest++) {
        emit_mem(&b->e, host_width(width) | 0x89, host_gpr(guest), slot_of(at, guest, width));
    }
    emit_stack_adjust(b, -8 * (int32_t)width);
    return true;
}

bool translate_popa(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    if (!stack_is_possible(b)) {
        return false;
    }
    struct host_address at = emit_frame_access(b, 8 * width, false);
    for (unsigned guest = 0; guest < 8; guest++) {
        if (guest != GPR_SP) {
            emit_mem(&b->e, host_width(width) | 0x8b, host_gpr(guest), slot_of(at, guest, width));
        }
    }
    emit_stack_adjust(b, 8 * (int32_t)width);
    return true;
}

/* Without copies of frame pointers. The new top must be writable: that is seen before anything is written. */
bool translate_enter(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    unsigned load = host_width(width) | 0x8b;
    unsigned store = host_width(width) | 0x89;
    int32_t size = (int32_t)(width + ((uint32_t)insn->immediate & 0xffff));
    struct guest_operand top = stack_operand(b, -size);
    if (!stack_is_possible(b) || (insn->immediate2 & 31) != 0) {
        return false;
    }
    if (size != (int32_t)width) {
        emit_push_access(b, width);
        emit_access(b, &top, width, ACCESS_STORE, HOST_RCX);
    }
    emit_mem(e, store, HOST_RBP, emit_push_access(b, width));
    emit_lea(e, HOST_R10, host_at(HOST_R8, -(int32_t)width));
    if (!(b->mode & MODE_STACK32)) {
        emit_zero_extend16(e, HOST_R10, HOST_R10);
    }
    emit_reg(e, load, HOST_RBP, HOST_R10);
    emit_stack_adjust(b, -size);
    return true;
}
