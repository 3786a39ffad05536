/* PUSH, POP and frames on the current stack or on one that a privilege change selects.
 *
 * SDM 1 §6.2, SDM 3A §5.8.5. SP changes after the last access that can fault. */
#include "cpu/stack.h"

#include "cpu/descriptor.h"

void cpu_push(struct cpu_state *cpu, uint64_t value, unsigned width)
{
    uint64_t sp = (cpu->gpr[CPU_SP].q - width) & cpu->stack_mask;
    cpu_segment_write(cpu, CPU_SS, sp, width, value);
    cpu_set_sp(cpu, sp);
}

uint64_t cpu_pop(struct cpu_state *cpu, unsigned width)
{
    uint64_t value = cpu_stack_peek(cpu, 0, width);
    cpu_set_sp(cpu, cpu->gpr[CPU_SP].q + width);
    return value;
}

uint64_t cpu_stack_peek(struct cpu_state *cpu, uint64_t offset, unsigned width)
{
    return cpu_segment_read(cpu, CPU_SS, (cpu->gpr[CPU_SP].q + offset) & cpu->stack_mask, width);
}

void stack_cursor_current(const struct cpu_state *cpu, struct stack_cursor *stack, uint32_t ext)
{
    stack->segment = cpu->segment[CPU_SS];
    stack->sp = cpu->gpr[CPU_SP].q;
    stack->mask = cpu->stack_mask;
    stack->error_code = ext;
    stack->user = cpu->cpl == 3;
}

void stack_cursor_inner(struct cpu_state *cpu, struct stack_cursor *stack, unsigned cpl, uint32_t ext)
{
    struct descriptor descriptor;
    bool wide = cpu->tr.attributes & SYSTEM_WIDE_BIT;
    unsigned width = wide ? 4 : 2;
    uint32_t offset = wide ? 4 + cpl * 8 : 2 + cpl * 4;
    if (offset + width + 1 > cpu->tr.limit) {
        descriptor_raise(cpu, VECTOR_TS, cpu->tr.selector, ext);
    }
    uint64_t linear = cpu->tr.base + offset;
    stack->sp = cpu->memory_ops->read(cpu, linear & UINT32_MAX, width, false);
    uint16_t selector = (uint16_t)cpu->memory_ops->read(cpu, (linear + width) & UINT32_MAX, 2, false);
    if (selector_is_null(selector)) {
        cpu_raise_error(cpu, VECTOR_TS, ext);
    }
    if (!descriptor_fetch(cpu, selector, &descriptor) || selector_rpl(selector) != cpl ||
        descriptor_dpl(&descriptor) != cpl || !attributes_are_writable(descriptor.attributes)) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    if (!descriptor_is_present(&descriptor)) {
        descriptor_raise(cpu, VECTOR_SS, selector, ext);
    }
    descriptor_mark_accessed(cpu, &descriptor);
    segment_install(&stack->segment, &descriptor, selector);
    stack->mask = descriptor.attributes & SEGMENT_BIG ? UINT32_MAX : 0xffff;
    stack->error_code = (selector & SELECTOR_ERROR_INDEX) | ext;
    stack->user = false;
}

void stack_reserve(struct cpu_state *cpu, const struct stack_cursor *stack, unsigned count, unsigned width)
{
    const struct segment *segment = &stack->segment;
    uint64_t offset = stack->sp & stack->mask;
    if (cpu->model->offset_wraps) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        offset = (offset - width) & stack->mask;
        if (offset < segment->write_first || offset > segment->write_last ||
            segment->write_last - offset < width - 1) {
            cpu_raise_error(cpu, segment_overrun_vector(cpu, CPU_SS), stack->error_code);
        }
        uint64_t linear = (segment->base + offset) & UINT32_MAX;
        if (stack->user) {
            cpu_check_alignment(cpu, linear, width, stack->error_code);
        }
        cpu->memory_ops->probe_write(cpu, linear, width, stack->user);
    }
}

void stack_push(struct cpu_state *cpu, struct stack_cursor *stack, uint64_t value, unsigned width)
{
    uint64_t offset = (stack->sp - width) & stack->mask;
    stack->sp = (stack->sp & ~stack->mask) | offset;
    if (cpu->model->offset_wraps && offset == 0xffff) {
        cpu->memory_ops->write(cpu, stack->segment.base + 0xffff, 1, value & 0xff, false);
        cpu->memory_ops->write(cpu, stack->segment.base, 1, (value >> 8) & 0xff, false);
        return;
    }
    uint64_t linear = (stack->segment.base + offset) & UINT32_MAX;
    cpu->memory_ops->write(cpu, linear, width, value & bits_mask(width * 8), stack->user);
}

void stack_commit(struct cpu_state *cpu, const struct stack_cursor *stack, bool switched)
{
    if (switched) {
        cpu->segment[CPU_SS] = stack->segment;
    }
    cpu->gpr[CPU_SP].q = stack->sp;
}

void stack_fetch_outer(struct cpu_state *cpu, uint16_t selector, unsigned cpl, struct descriptor *descriptor)
{
    if (selector_is_null(selector)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if (!descriptor_fetch(cpu, selector, descriptor) || selector_rpl(selector) != cpl ||
        !attributes_are_writable(descriptor->attributes) || descriptor_dpl(descriptor) != cpl) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!descriptor_is_present(descriptor)) {
        descriptor_raise(cpu, VECTOR_SS, selector, 0);
    }
}
