/* From a configuration to an engine: the one place that knows which engines this build has.
 *
 * A library of its own (doppel_engines), so that tests can run a CPU without a board. */
#ifndef DOPPEL_MACHINE_ENGINE_FACTORY_H
#define DOPPEL_MACHINE_ENGINE_FACTORY_H

#include "base/status.h"
#include "cpu/cpu_state.h"
#include "cpu/engine.h"
#include "cpu/engine_config.h"
#include "mmu/mmu.h"

/* The fastest engine this build and this host have, with everything on. */
struct engine_config machine_engine_default(void);

/* Whether this build has the engine. */
bool machine_engine_is_built(enum engine_kind kind);

/* The engine of `config` for `cpu` over `mmu` (both borrowed), whose strategy is set as well.
 * STATUS_UNSUPPORTED when this build or this host cannot run such an engine. */
struct status machine_engine_create(const struct engine_config *config, struct cpu_state *cpu,
                                    struct mmu *mmu, struct cpu_engine **engine) STATUS_MUST_CHECK;

#endif
