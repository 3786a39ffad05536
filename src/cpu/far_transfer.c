/* JMP, CALL, RET and IRET to another segment, and SYSENTER/SYSEXIT.
 *
 * SDM 2 (JMP, CALL, RET, IRET), SDM 3A §5.8. Each function reads and checks everything first, then commits.
 */
#include "cpu/descriptor.h"
#include "cpu/stack.h"
#include "cpu/system_flags.h"
#include "cpu/task_switch.h"

#define CALL_GATE_PARAMETERS_MAX 31

void cpu_check_code_limit(struct cpu_state *cpu, uint64_t target)
{
    if (target > cpu->segment[CPU_CS].limit && !cpu->model->offset_wraps) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

static void jump_real(struct cpu_state *cpu, uint16_t selector, uint64_t offset)
{
    segment_install_real(cpu, CPU_CS, selector);
    cpu->rip = offset;
    cpu_update_mode(cpu);
}

static void fetch_target(struct cpu_state *cpu, uint16_t selector, struct descriptor *target)
{
    if (selector_is_null(selector)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if (!descriptor_fetch(cpu, selector, target)) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
}

/* A code segment named by the instruction itself. */
static void check_direct_target(struct cpu_state *cpu, const struct descriptor *code, uint64_t offset)
{
    bool allowed = attributes_are_conforming(code->attributes)
                       ? descriptor_dpl(code) <= cpu->cpl
                       : descriptor_dpl(code) == cpu->cpl && selector_rpl(code->selector) <= cpu->cpl;
    if (!allowed) {
        descriptor_raise(cpu, VECTOR_GP, code->selector, 0);
    }
    if (!descriptor_is_present(code)) {
        descriptor_raise(cpu, VECTOR_NP, code->selector, 0);
    }
    if (offset > code->limit) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

/* Call gates, task gates and TSSs: usable by CPL and RPL, and present. */
static void check_system_target(struct cpu_state *cpu, const struct descriptor *target)
{
    if (descriptor_dpl(target) < cpu->cpl || descriptor_dpl(target) < selector_rpl(target->selector)) {
        descriptor_raise(cpu, VECTOR_GP, target->selector, 0);
    }
    if (!descriptor_is_present(target)) {
        descriptor_raise(cpu, VECTOR_NP, target->selector, 0);
    }
}

/* The code segment a call gate leads to. */
static void fetch_gate_code(struct cpu_state *cpu, const struct descriptor *gate, bool jump,
                            struct descriptor *code)
{
    fetch_target(cpu, gate->gate_selector, code);
    bool allowed = attributes_are_code(code->attributes) && descriptor_dpl(code) <= cpu->cpl;
    if (allowed && jump && !attributes_are_conforming(code->attributes)) {
        allowed = descriptor_dpl(code) == cpu->cpl;
    }
    if (!allowed) {
        descriptor_raise(cpu, VECTOR_GP, gate->gate_selector, 0);
    }
    if (!descriptor_is_present(code)) {
        descriptor_raise(cpu, VECTOR_NP, gate->gate_selector, 0);
    }
}

static void transfer_to_task(struct cpu_state *cpu, const struct descriptor *target, unsigned type, bool jump,
                             uint64_t next_rip)
{
    check_system_target(cpu, target);
    struct task_switch request = {.selector =
                                      type == SYSTEM_TASK_GATE ? target->gate_selector : target->selector,
                                  .reason = jump ? TASK_SWITCH_JUMP : TASK_SWITCH_CALL,
                                  .next_rip = next_rip,
                                  .eflags = cpu_eflags(cpu)};
    task_switch_execute(cpu, &request);
}

static bool type_is_call_gate(unsigned type)
{
    return type == SYSTEM_CALL_GATE16 || type == SYSTEM_CALL_GATE32;
}

static bool type_is_task(unsigned type)
{
    return type == SYSTEM_TASK_GATE || type == SYSTEM_TSS16 || type == SYSTEM_TSS32;
}

static void jump_through_gate(struct cpu_state *cpu, const struct descriptor *gate)
{
    struct descriptor code;
    check_system_target(cpu, gate);
    fetch_gate_code(cpu, gate, true, &code);
    if (gate->gate_offset > code.limit) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    descriptor_mark_accessed(cpu, &code);
    segment_install_code(cpu, &code, cpu->cpl);
    cpu->rip = gate->gate_offset;
}

void cpu_jump_far(struct cpu_state *cpu, uint16_t selector, uint64_t offset, unsigned operand_size,
                  uint64_t next_rip)
{
    struct descriptor target;
    offset &= bits_mask(operand_size * 8);
    if (!cpu_uses_descriptors(cpu)) {
        cpu_check_code_limit(cpu, offset);
        jump_real(cpu, selector, offset);
        return;
    }
    fetch_target(cpu, selector, &target);
    unsigned type = descriptor_system_type(cpu, &target);
    if (attributes_are_code(target.attributes)) {
        check_direct_target(cpu, &target, offset);
        descriptor_mark_accessed(cpu, &target);
        segment_install_code(cpu, &target, cpu->cpl);
        cpu->rip = offset;
    } else if (type_is_call_gate(type)) {
        jump_through_gate(cpu, &target);
    } else if (type_is_task(type)) {
        transfer_to_task(cpu, &target, type, true, next_rip);
    } else {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    cpu_update_mode(cpu);
}

static void call_to_level(struct cpu_state *cpu, struct descriptor *code, const struct descriptor *gate,
                          unsigned width, uint64_t next_rip)
{
    const unsigned cpl = descriptor_dpl(code);
    const unsigned count = gate->gate_parameters;
    uint32_t parameters[CALL_GATE_PARAMETERS_MAX];
    struct stack_cursor stack;
    stack_cursor_inner(cpu, &stack, cpl, 0);
    stack_reserve(cpu, &stack, 4 + count, width);
    if (gate->gate_offset > code->limit) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        parameters[i] = (uint32_t)cpu_stack_peek(cpu, (uint64_t)i * width, width);
    }
    descriptor_mark_accessed(cpu, code);

    stack_push(cpu, &stack, cpu->segment[CPU_SS].selector, width);
    stack_push(cpu, &stack, cpu->gpr[CPU_SP].d, width);
    for (unsigned i = count; i > 0; i--) {
        stack_push(cpu, &stack, parameters[i - 1], width);
    }
    stack_push(cpu, &stack, cpu->segment[CPU_CS].selector, width);
    stack_push(cpu, &stack, next_rip, width);
    stack_commit(cpu, &stack, true);
    segment_install_code(cpu, code, cpl);
    cpu->rip = gate->gate_offset;
}

/* Pushes CS:next_rip and goes to a code segment at the current level; checks are done. */
static void call_to_code(struct cpu_state *cpu, struct descriptor *code, uint64_t offset, unsigned width,
                         uint64_t next_rip)
{
    struct stack_cursor stack;
    stack_cursor_current(cpu, &stack, 0);
    stack_reserve(cpu, &stack, 2, width);
    if (offset > code->limit) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    descriptor_mark_accessed(cpu, code);
    stack_push(cpu, &stack, cpu->segment[CPU_CS].selector, width);
    stack_push(cpu, &stack, next_rip, width);
    stack_commit(cpu, &stack, false);
    segment_install_code(cpu, code, cpu->cpl);
    cpu->rip = offset;
}

static void call_through_gate(struct cpu_state *cpu, const struct descriptor *gate, unsigned type,
                              uint64_t next_rip)
{
    const unsigned width = type == SYSTEM_CALL_GATE32 ? 4 : 2;
    struct descriptor code;
    check_system_target(cpu, gate);
    fetch_gate_code(cpu, gate, false, &code);
    if (!attributes_are_conforming(code.attributes) && descriptor_dpl(&code) < cpu->cpl) {
        call_to_level(cpu, &code, gate, width, next_rip);
    } else {
        call_to_code(cpu, &code, gate->gate_offset, width, next_rip);
    }
}

static void call_real(struct cpu_state *cpu, uint16_t selector, uint64_t offset, unsigned operand_size,
                      uint64_t next_rip)
{
    struct stack_cursor stack;
    stack_cursor_current(cpu, &stack, 0);
    stack_reserve(cpu, &stack, 2, operand_size);
    cpu_check_code_limit(cpu, offset);
    stack_push(cpu, &stack, cpu->segment[CPU_CS].selector, operand_size);
    stack_push(cpu, &stack, next_rip, operand_size);
    stack_commit(cpu, &stack, false);
    jump_real(cpu, selector, offset);
}

void cpu_call_far(struct cpu_state *cpu, uint16_t selector, uint64_t offset, unsigned operand_size,
                  uint64_t next_rip)
{
    struct descriptor target;
    offset &= bits_mask(operand_size * 8);
    if (!cpu_uses_descriptors(cpu)) {
        call_real(cpu, selector, offset, operand_size, next_rip);
        return;
    }
    fetch_target(cpu, selector, &target);
    unsigned type = descriptor_system_type(cpu, &target);
    if (attributes_are_code(target.attributes)) {
        check_direct_target(cpu, &target, offset);
        call_to_code(cpu, &target, offset, operand_size, next_rip);
    } else if (type_is_call_gate(type)) {
        call_through_gate(cpu, &target, type, next_rip);
    } else if (type_is_task(type)) {
        transfer_to_task(cpu, &target, type, false, next_rip);
    } else {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    cpu_update_mode(cpu);
}

/* The code segment RET and IRET go back to: never to an inner level. */
static void fetch_return_code(struct cpu_state *cpu, uint16_t selector, struct descriptor *code)
{
    unsigned rpl = selector_rpl(selector);
    fetch_target(cpu, selector, code);
    bool allowed = attributes_are_code(code->attributes) && rpl >= cpu->cpl &&
                   (attributes_are_conforming(code->attributes) ? descriptor_dpl(code) <= rpl
                                                                : descriptor_dpl(code) == rpl);
    if (!allowed) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!descriptor_is_present(code)) {
        descriptor_raise(cpu, VECTOR_NP, selector, 0);
    }
}

/* What the end of RET and IRET needs; `frame` is the distance from SP to SS:SP of an outer level. */
struct far_return {
    struct descriptor code;
    struct descriptor stack;
    uint64_t rip;
    uint64_t outer_sp;
    unsigned cpl;
    bool outer;
};

static void far_return_prepare(struct cpu_state *cpu, struct far_return *to, uint16_t selector, uint64_t rip,
                               unsigned width, uint64_t frame)
{
    fetch_return_code(cpu, selector, &to->code);
    to->rip = rip;
    to->cpl = selector_rpl(selector);
    to->outer = to->cpl > cpu->cpl;
    if (to->outer) {
        to->outer_sp = cpu_stack_peek(cpu, frame, width);
        uint16_t ss = (uint16_t)cpu_stack_peek(cpu, frame + width, width);
        stack_fetch_outer(cpu, ss, to->cpl, &to->stack);
    }
    if (rip > to->code.limit) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    descriptor_mark_accessed(cpu, &to->code);
    if (to->outer) {
        descriptor_mark_accessed(cpu, &to->stack);
    }
}

/* `release`: what to remove from the stack: the frame on this level, RET's operand on the outer one. */
static void far_return_commit(struct cpu_state *cpu, const struct far_return *to, uint64_t release_here,
                              uint64_t release_outer)
{
    segment_install_code(cpu, &to->code, to->cpl);
    cpu->rip = to->rip;
    if (to->outer) {
        segment_install(&cpu->segment[CPU_SS], &to->stack, to->stack.selector);
        segment_drop_privileged(cpu, to->cpl);
        cpu_update_mode(cpu);
        cpu_set_sp(cpu, to->outer_sp + release_outer);
    } else {
        cpu_set_sp(cpu, cpu->gpr[CPU_SP].q + release_here);
        cpu_update_mode(cpu);
    }
}

void cpu_return_far(struct cpu_state *cpu, unsigned operand_size, uint16_t release)
{
    struct far_return to;
    uint64_t frame = 2 * operand_size + release;
    uint64_t rip = cpu_stack_peek(cpu, 0, operand_size);
    uint16_t selector = (uint16_t)cpu_stack_peek(cpu, operand_size, operand_size);
    if (!cpu_uses_descriptors(cpu)) {
        cpu_check_code_limit(cpu, rip);
        cpu_set_sp(cpu, cpu->gpr[CPU_SP].q + frame);
        jump_real(cpu, selector, rip);
        return;
    }
    far_return_prepare(cpu, &to, selector, rip, operand_size, frame);
    far_return_commit(cpu, &to, frame, release);
}

static uint32_t operand_flags_mask(unsigned operand_size)
{
    return operand_size == 2 ? 0xffffu : UINT32_MAX;
}

/* Real mode, and V86 with IOPL 3 or (16-bit, VME) virtual interrupts. */
static void iret_real(struct cpu_state *cpu, unsigned operand_size)
{
    const bool v86 = cpu->mode == CPU_MODE_V86;
    const bool virtual = v86 && cpu_iopl(cpu) < 3;
    uint32_t mask = operand_flags_mask(operand_size) & ~((uint32_t)EFLAGS_VIF | EFLAGS_VIP);
    if (virtual && !((cpu->cr4 & CR4_VME) && operand_size == 2)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t rip = cpu_stack_peek(cpu, 0, operand_size);
    uint16_t selector = (uint16_t)cpu_stack_peek(cpu, operand_size, operand_size);
    uint32_t eflags = (uint32_t)cpu_stack_peek(cpu, 2 * operand_size, operand_size);
    cpu_check_code_limit(cpu, rip);
    if (virtual && ((eflags & EFLAGS_TF) || ((eflags & EFLAGS_IF) && (cpu->eflags_other & EFLAGS_VIP)))) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }

    mask &= ~(v86 ? (uint32_t)EFLAGS_IOPL : 0);
    if (virtual) {
        mask = (mask & ~(uint32_t)EFLAGS_IF) | EFLAGS_VIF;
        eflags = eflags & EFLAGS_IF ? eflags | EFLAGS_VIF : eflags & ~(uint32_t)EFLAGS_VIF;
    }
    cpu_set_sp(cpu, cpu->gpr[CPU_SP].q + 3 * operand_size);
    flags_change(cpu, eflags, mask);
    jump_real(cpu, selector, rip);
}

/* From CPL 0 to a virtual-8086 task: a frame of nine doublewords. */
static void iret_to_v86(struct cpu_state *cpu, uint32_t eip, uint16_t cs, uint32_t eflags)
{
    static const enum cpu_segment order[] = {CPU_SS, CPU_ES, CPU_DS, CPU_FS, CPU_GS};
    uint16_t selectors[ARRAY_COUNT(order)];
    uint32_t esp = (uint32_t)cpu_stack_peek(cpu, 12, 4);
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        selectors[i] = (uint16_t)cpu_stack_peek(cpu, 16 + 4 * i, 4);
    }
    if (eip > 0xffff) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint32_t mask = cpu->model->eflags_writable | EFLAGS_VM;
    cpu_set_eflags(cpu, (cpu_eflags(cpu) & ~mask) | (eflags & mask));
    cpu_update_alignment_checks(cpu);
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        segment_install_real(cpu, order[i], selectors[i]);
    }
    cpu->gpr[CPU_SP].q = esp;
    jump_real(cpu, cs, eip);
}

static void iret_protected(struct cpu_state *cpu, unsigned operand_size)
{
    struct far_return to;
    uint64_t rip = cpu_stack_peek(cpu, 0, operand_size);
    uint16_t selector = (uint16_t)cpu_stack_peek(cpu, operand_size, operand_size);
    uint32_t eflags = (uint32_t)cpu_stack_peek(cpu, 2 * operand_size, operand_size);
    if (operand_size == 4 && (eflags & EFLAGS_VM) && cpu->cpl == 0) {
        iret_to_v86(cpu, (uint32_t)rip, selector, eflags);
        return;
    }
    far_return_prepare(cpu, &to, selector, rip, operand_size, 3 * operand_size);
    uint32_t fixed = flags_protected(cpu->cpl, cpu_iopl(cpu));
    if (cpu->cpl > 0) {
        fixed |= (uint32_t)EFLAGS_VIF | EFLAGS_VIP;
    }
    flags_change(cpu, eflags, operand_flags_mask(operand_size) & ~fixed);
    far_return_commit(cpu, &to, 3 * operand_size, 0);
}

static void iret_task(struct cpu_state *cpu, uint64_t next_rip)
{
    struct task_switch request = {.selector = (uint16_t)cpu->memory_ops->read(cpu, cpu->tr.base, 2, false),
                                  .reason = TASK_SWITCH_IRET,
                                  .next_rip = next_rip,
                                  .eflags = cpu_eflags(cpu)};
    task_switch_execute(cpu, &request);
}

void cpu_return_from_interrupt(struct cpu_state *cpu, unsigned operand_size, uint64_t next_rip)
{
    bool trapped = cpu->mode == CPU_MODE_V86 && cpu_iopl(cpu) < 3;
    if (!trapped) {
        cpu->nmi_blocked = false; /* even when IRET faults: SDM 3A §6.7.1 */
    }
    if (!cpu_uses_descriptors(cpu)) {
        iret_real(cpu, operand_size);
    } else if (cpu->eflags_other & EFLAGS_NT) {
        iret_task(cpu, next_rip);
    } else {
        iret_protected(cpu, operand_size);
    }
}

/* A flat segment as SYSENTER and SYSEXIT make them, without reading a descriptor. */
static void install_flat(struct segment *segment, uint64_t selector, unsigned cpl, bool code)
{
    uint32_t attributes = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_ACCESSED | SEGMENT_WRITABLE | SEGMENT_BIG |
                          SEGMENT_GRANULARITY | (code ? SEGMENT_CODE : 0u) | cpl << SEGMENT_DPL_SHIFT;
    segment->selector = (uint16_t)((selector & SELECTOR_ERROR_INDEX) | cpl);
    segment->attributes = (uint16_t)attributes;
    segment->base = 0;
    segment->limit = UINT32_MAX;
    segment->read_first = 0;
    segment->read_last = UINT32_MAX;
    segment->write_first = code;
    segment->write_last = code ? 0 : UINT32_MAX;
}

void cpu_sysenter(struct cpu_state *cpu)
{
    if (cpu->mode == CPU_MODE_REAL || selector_is_null((uint16_t)cpu->sysenter_cs)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    cpu->eflags_other &= ~((uint32_t)EFLAGS_VM | EFLAGS_IF | EFLAGS_RF);
    install_flat(&cpu->segment[CPU_CS], cpu->sysenter_cs, 0, true);
    install_flat(&cpu->segment[CPU_SS], cpu->sysenter_cs + 8, 0, false);
    cpu->gpr[CPU_SP].q = cpu->sysenter_esp & UINT32_MAX;
    cpu->rip = cpu->sysenter_eip & UINT32_MAX;
    cpu_update_mode(cpu);
}

void cpu_sysexit(struct cpu_state *cpu)
{
    if (cpu->mode != CPU_MODE_PROTECTED || cpu->cpl != 0 || selector_is_null((uint16_t)cpu->sysenter_cs)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    install_flat(&cpu->segment[CPU_CS], cpu->sysenter_cs + 16, 3, true);
    install_flat(&cpu->segment[CPU_SS], cpu->sysenter_cs + 24, 3, false);
    cpu->gpr[CPU_SP].q = cpu->gpr[CPU_CX].d;
    cpu->rip = cpu->gpr[CPU_DX].d;
    cpu_update_mode(cpu);
}
