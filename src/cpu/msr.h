/* Reset of the model-specific registers. Internal to this module. */
#ifndef DOPPEL_CPU_MSR_H
#define DOPPEL_CPU_MSR_H

#include "cpu/cpu.h"

#define APIC_BASE_BSP    0x100u
#define APIC_BASE_ENABLE 0x800u

void msr_reset(struct cpu_state *cpu);

#endif
