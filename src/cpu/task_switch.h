/* A task switch with everything a gate, a far transfer or an exception knows about it.
 *
 * Internal to this module; cpu_switch_task() is the short form. */
#ifndef DOPPEL_CPU_TASK_SWITCH_H
#define DOPPEL_CPU_TASK_SWITCH_H

#include "cpu/cpu.h"

struct task_switch {
    uint16_t selector; /* of the new task's TSS */
    enum cpu_task_switch reason;
    uint64_t next_rip;          /* saved in the outgoing TSS */
    uint32_t eflags;            /* saved in the outgoing TSS (RF as the event wants it) */
    uint32_t ext;               /* EXT bit of error codes: 0 or SELECTOR_ERROR_EXT */
    const uint32_t *error_code; /* pushed on the new task's stack unless NULL */
    bool delivering;            /* part of the delivery of an exception or interrupt */
};

/* Raises in the outgoing task, with nothing changed. A fault in the new task is no longer one of the
 * instruction that switched, whose address the engine would give it: it is delivered here, at the new task's
 * CS:EIP, and the instruction is complete. While delivering it is raised all the same, as a fault of the
 * delivery. */
void task_switch_execute(struct cpu_state *cpu, const struct task_switch *request);

#endif
