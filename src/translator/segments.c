/* Segment registers in translated code (SDM 2: MOV, PUSH, POP, LDS…LSS).
 *
 * Reading a selector is host code in every mode. A load is where selectors are addresses: in virtual-8086
 * mode, and in real mode for a segment that has the attributes of real mode already and a limit that leaves
 * its class alone (enum segment_class) whatever its base. In protected mode it is one of the selector that is
 * loaded already, if its descriptor has not changed (struct known_selector), or one that was seen before
 * (known_load.c); all else is the emulation's.
 *
 * A load of SS holds interrupts off until the next instruction is done. Since they become pending in C code
 * only, it is enough that the next instruction is in the same block. */
#include <stddef.h>

#include "translator/sensitive.h"

static struct host_address segment_field(unsigned segment, size_t field)
{
    return host_at(HOST_R11,
                   (int32_t)(offsetof(struct cpu_state, segment) + segment * sizeof(struct segment) + field));
}

static void emit_load_cpu(struct builder *b)
{
    emit_load64(&b->e, HOST_R11, host_at(HOST_R14, (int32_t)offsetof(struct translator, cpu)));
}

static struct host_address temporary(void)
{
    return host_at(HOST_R14, (int32_t)offsetof(struct translator, temporary));
}

static void emit_store_width(struct builder *b, struct host_address to, unsigned from, unsigned width)
{
    emit_mem(&b->e, host_width(width) | 0x89, from, to);
}

/* Whether a load of `segment` can be host code. */
static bool load_is_possible(const struct builder *b, unsigned segment)
{
    return !(b->mode & MODE_PROTECTED) && segment != SEGMENT_CS &&
           mode_segment_class(b->mode, segment) != SEGMENT_OTHER &&
           (segment != SEGMENT_SS || b->index + 1 < b->count);
}

/* The fallback is to load `segment` unless it has real mode's attributes. Nothing has changed yet. */
static void emit_attribute_check(struct builder *b, unsigned segment)
{
    const uint16_t real_mode = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED;
    struct emitter *e = &b->e;
    if (b->mode & MODE_V86) {
        return;
    }
    emit_load_cpu(b);
    emit_load_width(e, HOST_RCX, segment_field(segment, offsetof(struct segment, attributes)), 1);
    emit_lea(e, HOST_RCX, host_at(HOST_RCX, -(int32_t)real_mode));
    emit_callout_unless_zero(b);
}

/* The selector in r10d, whose upper half is zero. */
static void emit_load_segment(struct builder *b, unsigned segment)
{
    struct emitter *e = &b->e;
    emit_load_cpu(b);
    emit_store_width(b, segment_field(segment, offsetof(struct segment, selector)), HOST_R10, 2);
    emit_rorx(e, HOST_R10, HOST_R10, 32 - 4);
    emit_store64(e, segment_field(segment, offsetof(struct segment, base)), HOST_R10);
}

static bool reload_is_possible(const struct builder *b, unsigned segment)
{
    return (b->mode & MODE_PROTECTED) && segment != SEGMENT_SS && segment != SEGMENT_CS;
}

bool selector_is_possible(const struct builder *b, const struct operand *from,
                          const struct guest_operand *memory)
{
    return from->kind == OPERAND_REGISTER || access_is_possible(b, memory, ACCESS_LOAD);
}

void emit_selector(struct builder *b, const struct operand *from, const struct guest_operand *memory)
{
    if (from->kind == OPERAND_REGISTER) {
        emit_zero_extend16(&b->e, HOST_R10, host_gpr(from->reg));
    } else {
        emit_load_width(&b->e, HOST_R10, emit_access(b, memory, 2, ACCESS_LOAD, HOST_RCX), 2);
    }
}

static bool inline_segment_load(struct builder *b, const struct insn *insn)
{
    unsigned segment = insn->operand[0].reg;
    const struct operand *from = &insn->operand[1];
    struct guest_operand memory = guest_operand_of(insn);
    if (!selector_is_possible(b, from, &memory)) {
        return false;
    }
    if (reload_is_possible(b, segment)) {
        emit_selector(b, from, &memory);
        emit_known_selector(b, insn, (enum known_kind)segment, from->kind == OPERAND_MEMORY ? &memory : NULL);
        return true;
    }
    if (!load_is_possible(b, segment)) {
        return false;
    }
    emit_attribute_check(b, segment);
    emit_selector(b, from, &memory);
    emit_load_segment(b, segment);
    return true;
}

static bool inline_segment_store(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    const struct operand *to = &insn->operand[0];
    struct host_address selector = segment_field(insn->operand[1].reg, offsetof(struct segment, selector));
    if (to->kind == OPERAND_MEMORY) {
        struct guest_operand memory = guest_operand_of(insn);
        if (!access_is_possible(b, &memory, ACCESS_STORE)) {
            return false;
        }
        struct host_address at = emit_access(b, &memory, 2, ACCESS_STORE, HOST_RCX);
        emit_load_cpu(b);
        emit_load_width(e, HOST_R11, selector, 2);
        emit_store_width(b, at, HOST_R11, 2);
        return true;
    }
    emit_load_cpu(b);
    if (insn->operand_size == 2) {
        emit_mem(e, HOST_66 | 0x8b, host_gpr(to->reg), selector);
    } else {
        emit_load_width(e, host_gpr(to->reg), selector, 2);
    }
    return true;
}

bool inline_segment_move(struct builder *b, const struct insn *insn)
{
    return sensitive_loads_segment(insn) ? inline_segment_load(b, insn) : inline_segment_store(b, insn);
}

bool inline_push_segment(struct builder *b, const struct insn *insn)
{
    unsigned width = insn->operand_size;
    if (!stack_is_possible(b)) {
        return false;
    }
    struct host_address at = emit_push_access(b, width);
    emit_load_cpu(b);
    emit_load_width(&b->e, HOST_R11, segment_field(insn->operand[0].reg, offsetof(struct segment, selector)),
                    2);
    emit_store_width(b, at, HOST_R11, width);
    emit_stack_adjust(b, -(int32_t)width);
    return true;
}

bool inline_pop_segment(struct builder *b, const struct insn *insn)
{
    unsigned segment = insn->operand[0].reg;
    unsigned width = insn->operand_size;
    if (reload_is_possible(b, segment) && stack_is_possible(b)) {
        emit_load_width(&b->e, HOST_R10, emit_top_access(b, width), 2);
        emit_known_selector(b, insn, (enum known_kind)segment, NULL);
        emit_stack_adjust(b, (int32_t)width);
        return true;
    }
    if (!load_is_possible(b, segment) || !stack_is_possible(b)) {
        return false;
    }
    emit_attribute_check(b, segment);
    emit_load_width(&b->e, HOST_R10, emit_top_access(b, width), 2);
    emit_load_segment(b, segment);
    emit_stack_adjust(b, (int32_t)width);
    return true;
}

/* Offset in r10d, selector in t->temporary: by two accesses where a 16-bit address may wrap between them. */
static void emit_read_pointer(struct builder *b, const struct guest_operand *pointer, unsigned width)
{
    struct emitter *e = &b->e;
    struct guest_operand selector = *pointer;
    if (pointer_is_in_one_piece(b, pointer)) {
        emit_split_pointer(b, emit_access(b, pointer, width + 2, ACCESS_LOAD, HOST_RCX), width);
        emit_store(e, temporary(), HOST_R11);
        return;
    }
    selector.displacement += (int32_t)width;
    emit_load_width(e, HOST_R10, emit_access(b, &selector, 2, ACCESS_LOAD, HOST_RCX), 2);
    emit_store(e, temporary(), HOST_R10);
    emit_load_width(e, HOST_R10, emit_access(b, pointer, width, ACCESS_LOAD, HOST_RCX), width);
}

bool inline_far_pointer(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned segment = sensitive_far_segment((enum insn_id)insn->id);
    unsigned width = insn->operand_size;
    struct guest_operand pointer = guest_operand_of(insn);
    if (!load_is_possible(b, segment) || !access_is_possible(b, &pointer, ACCESS_LOAD)) {
        return false;
    }
    emit_attribute_check(b, segment);
    emit_read_pointer(b, &pointer, width);
    emit_reg(e, host_width(width) | 0x8b, host_gpr(insn->operand[0].reg), HOST_R10);
    emit_load(e, HOST_R10, temporary());
    emit_load_segment(b, segment);
    return true;
}
