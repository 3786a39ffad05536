/* Whether two CPUs are in the same architectural state, and where they differ: what lockstep checks rest on.
 *
 * Everything a guest could see counts: general and segment registers with their hidden parts, RIP, EFLAGS
 * (all flags: engines give those that the SDM leaves undefined the same values), control, debug and
 * model-specific registers, floating point, what is pending, and the count of retired instructions. Not
 * compared: the x87's instruction and data pointers and last opcode, which translated code does not keep
 * (engine_config.ignores_x87_pointers), the
 * halves of the lazy flags, and bits of `pending` that are engines' and machines' notes to themselves. */
#ifndef DOPPEL_MACHINE_CPU_COMPARE_H
#define DOPPEL_MACHINE_CPU_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "cpu/cpu_state.h"

/* What both sides must agree on of cpu_state.pending. */
#define CPU_COMPARE_PENDING                                                                                  \
    ((uint32_t)CPU_PENDING_INTERRUPT | CPU_PENDING_NMI | CPU_PENDING_RESET | CPU_PENDING_TRAP |              \
     CPU_PENDING_SHADOW | CPU_PENDING_STACK_SHADOW | CPU_PENDING_DEBUG)

bool cpu_states_equal(const struct cpu_state *one, const struct cpu_state *other);

/* The general registers, RIP and EFLAGS of both, and of everything else what differs, a line each; lines that
 * differ begin with a star. */
void cpu_print_difference(FILE *out, const char *name, const struct cpu_state *one, const char *other_name,
                          const struct cpu_state *other);

#endif
