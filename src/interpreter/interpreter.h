/* The reference engine: a portable interpreter over cached, pre-decoded blocks. */
#ifndef DOPPEL_INTERPRETER_INTERPRETER_H
#define DOPPEL_INTERPRETER_INTERPRETER_H

#include "cpu/cpu_state.h"
#include "cpu/engine.h"
#include "mmu/mmu.h"

/* An engine for `cpu` over `mmu` (both borrowed). NULL when out of memory. */
struct cpu_engine *interpreter_create(struct cpu_state *cpu, struct mmu *mmu);

#endif
