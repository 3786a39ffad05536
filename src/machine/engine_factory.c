/* See engine_factory.h. DOPPEL_HAVE_TRANSLATOR comes from CMake: 1 where src/translator is built. */
#include "machine/engine_factory.h"

#include "interpreter/interpreter.h"

#if DOPPEL_HAVE_TRANSLATOR
#include "translator/translator.h"

static struct status check_translator(void)
{
    return translator_check_host();
}

static struct cpu_engine *create_translator(const struct engine_config *config, struct cpu_state *cpu,
                                            struct mmu *mmu)
{
    struct cpu_engine *interpreter = interpreter_create(cpu, mmu);
    return interpreter != NULL ? translator_create(cpu, mmu, interpreter, config) : NULL;
}

#else

static struct status check_translator(void)
{
    return status_error(STATUS_UNSUPPORTED, "-engine dbt is not part of this build; -engine interp is");
}

static struct cpu_engine *create_translator(const struct engine_config *config, struct cpu_state *cpu,
                                            struct mmu *mmu)
{
    (void)config;
    (void)cpu;
    (void)mmu;
    return NULL;
}

#endif

struct status machine_engine_check(const struct engine_config *config)
{
    if (config->mmu == MMU_STRATEGY_WALK) {
        return status_error(STATUS_UNSUPPORTED, "-mmu walk is not part of this build; -mmu softtlb is");
    }
    return config->kind == ENGINE_DBT ? check_translator() : status_ok();
}

struct engine_config machine_engine_default(void)
{
    return (struct engine_config){.kind = ENGINE_INTERP};
}

struct status machine_engine_create(const struct engine_config *config, struct cpu_state *cpu,
                                    struct mmu *mmu, struct cpu_engine **engine)
{
    *engine = NULL;
    struct status status = machine_engine_check(config);
    if (!status_is_ok(&status)) {
        return status;
    }
    switch (config->kind) {
    case ENGINE_DBT: *engine = create_translator(config, cpu, mmu); break;
    default: *engine = interpreter_create(cpu, mmu); break;
    }
    return *engine != NULL ? status_ok() : status_error(STATUS_NO_MEMORY, "out of memory");
}
