/* The lines of -d exec, cpu and in_asm, which are the same for every engine. */
#ifndef DOPPEL_CPU_TRACE_H
#define DOPPEL_CPU_TRACE_H

#include <stdint.h>

#include "cpu/cpu_state.h"

/* `count` instructions at CS:RIP, which is at this physical address, are about to run. */
void cpu_trace_block(const struct cpu_state *cpu, uint64_t phys, unsigned count);

/* These bytes at CS:rip have been decoded. */
void cpu_trace_code(const struct cpu_state *cpu, uint64_t rip, const uint8_t *bytes, unsigned length);

#endif
