/* Loading CR3 with PAE's page-directory pointers in two steps, so that a task switch can check before it
 * changes anything. Internal to this module. */
#ifndef DOPPEL_CPU_CONTROL_H
#define DOPPEL_CPU_CONTROL_H

#include "cpu/cpu.h"

struct pae_pointers {
    bool in_use; /* paging is on and PAE */
    uint64_t entry[4];
};

/* Reads the pointers that CR3, CR0 and CR4 of these values would use: #GP(0) when a present one has reserved
 * bits (SDM 3A §4.4.1). */
void control_read_pointers(struct cpu_state *cpu, uint64_t cr0, uint64_t cr3, uint64_t cr4,
                           struct pae_pointers *pointers);

void control_load_cr3(struct cpu_state *cpu, uint64_t cr3, const struct pae_pointers *pointers);

#endif
