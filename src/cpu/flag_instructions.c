/* POPF, PUSHF, CLI and STI: which EFLAGS bits mode, CPL and IOPL let a program see and change.
 *
 * SDM 2 POPF (table 4-16), PUSHF, CLI, STI; SDM 3B §20.3-§20.4 for virtual interrupts (VME, PVI). */
#include "cpu/system_flags.h"

static bool v86_is_trapped(const struct cpu_state *cpu)
{
    return cpu->mode == CPU_MODE_V86 && cpu_iopl(cpu) < 3;
}

void cpu_pop_flags(struct cpu_state *cpu, unsigned operand_size)
{
    const bool virtual = v86_is_trapped(cpu);
    uint32_t mask = operand_size == 2 ? 0xffffu : UINT32_MAX;
    if (virtual && !((cpu->cr4 & CR4_VME) && operand_size == 2)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint32_t eflags = (uint32_t)cpu_stack_peek(cpu, 0, operand_size);
    if (virtual && ((eflags & EFLAGS_TF) || ((eflags & EFLAGS_IF) && (cpu->eflags_other & EFLAGS_VIP)))) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    mask &= ~((uint32_t)EFLAGS_VIF | EFLAGS_VIP | EFLAGS_RF);
    if (virtual) {
        mask = (mask & ~((uint32_t)EFLAGS_IF | EFLAGS_IOPL)) | EFLAGS_VIF;
        eflags = eflags & EFLAGS_IF ? eflags | EFLAGS_VIF : eflags & ~(uint32_t)EFLAGS_VIF;
    } else if (cpu->mode != CPU_MODE_REAL) {
        mask &= ~flags_protected(cpu->cpl, cpu_iopl(cpu));
    }
    cpu_set_sp(cpu, cpu->gpr[CPU_SP].q + operand_size);
    flags_change(cpu, eflags, mask);
    cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
}

void cpu_push_flags(struct cpu_state *cpu, unsigned operand_size)
{
    uint32_t eflags = cpu_eflags(cpu) & ~((uint32_t)EFLAGS_VM | EFLAGS_RF);
    if (v86_is_trapped(cpu)) {
        if (!(cpu->cr4 & CR4_VME) || operand_size != 2) {
            cpu_raise_error(cpu, VECTOR_GP, 0);
        }
        eflags = flags_virtual_image(eflags);
    }
    cpu_push(cpu, eflags, operand_size);
}

/* Which flag CLI and STI work on: IF, VIF, or none of them (#GP). */
static uint32_t interrupt_flag(struct cpu_state *cpu)
{
    uint64_t virtual_by = cpu->mode == CPU_MODE_V86 ? CR4_VME : CR4_PVI;
    if (cpu->mode == CPU_MODE_REAL || cpu->cpl <= cpu_iopl(cpu)) {
        return EFLAGS_IF;
    }
    if (cpu->cpl == 3 && (cpu->cr4 & virtual_by)) {
        return EFLAGS_VIF;
    }
    cpu_raise_error(cpu, VECTOR_GP, 0);
}

void cpu_clear_interrupt_flag(struct cpu_state *cpu)
{
    cpu->eflags_other &= ~interrupt_flag(cpu);
}

void cpu_set_interrupt_flag(struct cpu_state *cpu)
{
    uint32_t flag = interrupt_flag(cpu);
    if (flag == EFLAGS_VIF && (cpu->eflags_other & EFLAGS_VIP)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if (flag == EFLAGS_IF && !(cpu->eflags_other & EFLAGS_IF)) {
        cpu->pending |= CPU_PENDING_SHADOW;
    }
    cpu->eflags_other |= flag;
}
