/* The dynamic binary translator: guest code becomes code of an x86-64 host.
 *
 * An engine that runs translated blocks and leaves to another one, the interpreter, what is rare, what faults
 * and what is due between instructions. See ARCHITECTURE.md, "The translator". */
#ifndef DOPPEL_TRANSLATOR_TRANSLATOR_H
#define DOPPEL_TRANSLATOR_TRANSLATOR_H

#include <stdbool.h>

#include "base/status.h"
#include "cpu/cpu_state.h"
#include "cpu/engine.h"
#include "cpu/engine_config.h"
#include "mmu/mmu.h"

/* Whether this host can run the translator; a message says what it lacks. */
struct status translator_check_host(void) STATUS_MUST_CHECK;

/* Makes *engine, for `cpu` over `mmu` (both borrowed). It falls back on `fallback`, which it destroys with
 * itself, also when it cannot be created. */
struct status translator_create(struct cpu_state *cpu, struct mmu *mmu, struct cpu_engine *fallback,
                                const struct engine_config *config,
                                struct cpu_engine **engine) STATUS_MUST_CHECK;

#endif
