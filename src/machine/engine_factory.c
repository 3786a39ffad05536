/* See engine_factory.h. DOPPEL_HAVE_TRANSLATOR comes from CMake: 1 where src/translator is built. */
#include "machine/engine_factory.h"

#include "interpreter/interpreter.h"

#if DOPPEL_HAVE_TRANSLATOR
#include "translator/translator.h"

static const bool has_translator = true;

static bool translator_runs_here(void)
{
    struct status status = translator_check_host();
    return status_is_ok(&status);
}

static struct status create_translator(const struct engine_config *config, struct cpu_state *cpu,
                                       struct mmu *mmu, struct cpu_engine **engine)
{
    struct cpu_engine *interpreter = interpreter_create(cpu, mmu);
    return interpreter != NULL ? translator_create(cpu, mmu, interpreter, config, engine)
                               : status_error(STATUS_NO_MEMORY, "out of memory");
}

#else

static const bool has_translator = false;

static bool translator_runs_here(void)
{
    return false;
}

static struct status create_translator(const struct engine_config *config, struct cpu_state *cpu,
                                       struct mmu *mmu, struct cpu_engine **engine)
{
    (void)config;
    (void)cpu;
    (void)mmu;
    (void)engine;
    return status_error(STATUS_UNSUPPORTED, "-engine dbt is not part of this build; -engine interp is");
}

#endif

bool machine_engine_is_built(enum engine_kind kind)
{
    return kind == ENGINE_INTERP || (kind == ENGINE_DBT && has_translator);
}

struct engine_config machine_engine_default(void)
{
    return (struct engine_config){.kind = translator_runs_here() ? ENGINE_DBT : ENGINE_INTERP,
                                  .mmu = MMU_ADAPTIVE,
                                  .tb_warm = ENGINE_TB_WARM_DEFAULT};
}

struct status machine_engine_create(const struct engine_config *config, struct cpu_state *cpu,
                                    struct mmu *mmu, struct cpu_engine **engine)
{
    *engine = NULL;
    mmu_set_strategy(mmu, config->mmu);
    cpu->ignores_x87_pointers = config->ignores_x87_pointers;
    if (config->kind == ENGINE_DBT) {
        return create_translator(config, cpu, mmu, engine);
    }
    *engine = interpreter_create(cpu, mmu);
    return *engine != NULL ? status_ok() : status_error(STATUS_NO_MEMORY, "out of memory");
}
