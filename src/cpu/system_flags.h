/* Changing EFLAGS by a mask of what the instruction, the mode and the model allow.
 *
 * Internal to this module. */
#ifndef DOPPEL_CPU_SYSTEM_FLAGS_H
#define DOPPEL_CPU_SYSTEM_FLAGS_H

#include "cpu/cpu.h"

/* Bits that real mode and CPL 0 can change on this model. The 80286 keeps IOPL and NT clear in real mode. */
static inline uint32_t flags_writable(const struct cpu_state *cpu)
{
    uint32_t writable = cpu->model->eflags_writable;
    if (cpu->model->generation == CPU_80286 && cpu->mode == CPU_MODE_REAL) {
        writable &= ~((uint32_t)EFLAGS_IOPL | EFLAGS_NT);
    }
    return writable;
}

/* Takes the bits of `mask` from `value`; the model's fixed bits stay as they are. */
static inline void flags_change(struct cpu_state *cpu, uint32_t value, uint32_t mask)
{
    mask &= flags_writable(cpu);
    cpu_set_eflags(cpu, (cpu_eflags(cpu) & ~mask) | (value & mask));
    cpu_update_alignment_checks(cpu);
}

/* The system flags that POPF and IRET may not change at this privilege level: IOPL below CPL 0, IF below
 * IOPL. */
static inline uint32_t flags_protected(unsigned cpl, unsigned iopl)
{
    return (cpl > 0 ? (uint32_t)EFLAGS_IOPL : 0) | (cpl > iopl ? (uint32_t)EFLAGS_IF : 0);
}

/* FLAGS as a VME guest with IOPL < 3 sees it: IF is VIF, IOPL is 3 (SDM 3B §20.3). */
static inline uint32_t flags_virtual_image(uint32_t eflags)
{
    uint32_t image = (eflags & ~(uint32_t)EFLAGS_IF) | EFLAGS_IOPL;
    return eflags & EFLAGS_VIF ? image | EFLAGS_IF : image;
}

#endif
