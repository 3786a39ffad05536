/* The engine: translated code where there is some, the fallback for everything else; see context.h. */
#include "translator/translator.h"

#include <stdio.h>
#include <stdlib.h>

#include "cpu/x87.h"
#include "host/fault_signal.h"
#include "host/gs_base.h"
#include "mmu/view.h"
#include "translator/sensitive.h"

static struct translator *translator_of(struct cpu_engine *engine)
{
    return CONTAINER_OF(engine, struct translator, engine);
}

/* Interrupts, traps, single steps and whatever else is due between instructions are the fallback's. */
static bool fallback_is_due(const struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    return translator_needs_fallback(cpu) || cpu->halted || cpu->shutdown;
}

/* Blocks that were made for another way of tracing do not suit. */
static void set_tracing(struct translator *t)
{
    const struct log *log = t->cpu->log;
    bool tracing = log_is_enabled(log, LOG_EXEC) || log_is_enabled(log, LOG_CPU);
    if (tracing != t->tracing || log->each_instruction != t->one_by_one) {
        t->tracing = tracing;
        t->one_by_one = log->each_instruction;
        t->unchained = t->config.unchained || tracing;
        code_cache_clear(t->cache);
    }
}

static enum stop_reason run(struct cpu_engine *engine, uint64_t budget)
{
    struct translator *t = translator_of(engine);
    struct cpu_state *cpu = t->cpu;
    if (!t->usable) {
        return t->fallback->ops->run(t->fallback, budget);
    }
    set_tracing(t);
    t->stop_at = cpu->retired + budget;
    while (cpu->retired < t->stop_at) {
        if (!fallback_is_due(t) && translator_run_blocks(t)) {
            continue;
        }
        uint64_t left = t->stop_at - cpu->retired;
        enum stop_reason reason = t->fallback->ops->run(t->fallback, left <= MAX_BLOCK_INSNS ? left : 1);
        if (reason != STOP_BUDGET) {
            return reason;
        }
    }
    /* What has become due is delivered before the engine returns, as every engine does it. */
    return fallback_is_due(t) ? t->fallback->ops->run(t->fallback, 0) : STOP_BUDGET;
}

static void step(struct cpu_engine *engine, uint64_t budget)
{
    struct translator *t = translator_of(engine);
    t->fallback->ops->step(t->fallback, budget);
}

/* What one engine drops can be what the other has made code of, too. */
static struct engine_range invalidate(struct cpu_engine *engine, struct engine_range range)
{
    struct translator *t = translator_of(engine);
    for (;;) {
        struct engine_range dropped = t->fallback->ops->invalidate(t->fallback, range);
        struct code_range bytes = code_cache_put_to_rest(
            t->cache, (struct code_range){.phys = dropped.phys, .length = dropped.length});
        if (bytes.phys == range.phys && bytes.length == range.length) {
            return range;
        }
        range = (struct engine_range){.phys = bytes.phys, .length = bytes.length};
    }
}

static void flush(struct cpu_engine *engine)
{
    struct translator *t = translator_of(engine);
    t->fallback->ops->flush(t->fallback);
}

/* Blocks with bytes at an offset of their page. */
struct cut {
    unsigned page_offset;
    uint64_t *phys; /* of each */
    size_t count, capacity;
    bool out_of_memory;
};

static bool find_cut_block(void *opaque, struct code_block *block)
{
    struct cut *cut = opaque;
    if (cut->page_offset - block->phys % PAGE_SIZE >= block->length) {
        return true;
    }
    if (cut->count == cut->capacity) {
        size_t capacity = cut->capacity == 0 ? 256 : 2 * cut->capacity;
        uint64_t *larger = realloc(cut->phys, capacity * sizeof *larger);
        cut->out_of_memory = larger == NULL;
        if (larger == NULL) {
            return false;
        }
        cut->phys = larger;
        cut->capacity = capacity;
    }
    cut->phys[cut->count++] = block->phys;
    return true;
}

static void cut(struct cpu_engine *engine, unsigned page_offset)
{
    struct translator *t = translator_of(engine);
    t->fallback->ops->cut(t->fallback, page_offset);
    code_cache_forget_resting(t->cache);
    if (page_offset == CPU_PROBE_PAGE) {
        code_cache_clear(t->cache);
        return;
    }
    struct cut cut = {.page_offset = page_offset};
    code_cache_for_each(t->cache, find_cut_block, &cut);
    for (size_t i = 0; i < cut.count; i++) {
        code_cache_invalidate(t->cache, (struct code_range){.phys = cut.phys[i], .length = 1});
    }
    if (cut.out_of_memory) {
        code_cache_clear(t->cache);
    }
    free(cut.phys);
}

static void destroy(struct cpu_engine *engine)
{
    struct translator *t = translator_of(engine);
    fault_signal_destroy(t->faults);
    code_cache_destroy(t->cache);
    host_memory_release(&t->return_stack);
    t->fallback->ops->destroy(t->fallback);
    free(t->builder);
    free(t);
}

struct status translator_check_host(void)
{
    if (!__builtin_cpu_supports("bmi2")) {
        return status_error(
            STATUS_UNSUPPORTED,
            "the translator needs a host processor with BMI2 (Intel since 2013, AMD since 2017): "
            "use -engine interp");
    }
    return status_ok();
}

/* Where the host cannot do it, the software TLB serves. */
static void set_up_views(struct translator *t)
{
    if (t->config.mmu != MMU_SHADOW && t->config.mmu != MMU_ADAPTIVE) {
        return;
    }
    struct status status = mmu_enable_views(t->mmu, t->mmu->ram_fd);
    if (status_is_ok(&status)) {
        t->cheap_gs_base = host_gs_base_is_cheap();
    } else {
        fprintf(stderr, "doppel: no shadow page tables here, the software TLB serves: %s\n", status.message);
    }
}

static struct status set_up(struct translator *t)
{
    unsigned size = t->config.tb_size_mib != 0 ? t->config.tb_size_mib : ENGINE_TB_SIZE_DEFAULT;
    const struct code_cache_listener listener = {.block_died = translator_forget_block, .opaque = t};
    struct status status = translator_check_host();
    if (status_is_ok(&status)) {
        status = mmu_enable_fast_tlb(t->mmu);
    }
    if (status_is_ok(&status)) {
        status = code_cache_create(size * MIB, &listener, t->cpu->counters, &t->cache);
    }
    if (status_is_ok(&status)) {
        set_up_views(t);
    }
    if (status_is_ok(&status) && (t->config.sensitive == SENSITIVE_TRAP || t->mmu->views != NULL)) {
        const struct fault_handler handler = {.handle = translator_handle_fault, .opaque = t};
        status = fault_signal_create(&handler, &t->faults);
    }
    if (status_is_ok(&status)) {
        status = translator_make_stubs(t);
    }
    return status;
}

struct status translator_create(struct cpu_state *cpu, struct mmu *mmu, struct cpu_engine *fallback,
                                const struct engine_config *config, struct cpu_engine **engine)
{
    static const struct cpu_engine_ops ops = {.run = run,
                                              .step = step,
                                              .invalidate = invalidate,
                                              .flush = flush,
                                              .cut = cut,
                                              .destroy = destroy,
                                              .for_each_block = translator_for_each_block,
                                              .insn_counts = translator_insn_counts};
    struct translator *t = aligned_alloc(64, bits_align_up(sizeof *t, 64));
    struct builder *builder = malloc(sizeof *builder);
    if (t == NULL || builder == NULL) {
        free(t);
        free(builder);
        fallback->ops->destroy(fallback);
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    memset(t, 0, sizeof *t);
    t->engine.ops = &ops;
    t->builder = builder;
    t->fallback = fallback;
    t->cpu = cpu;
    t->mmu = mmu;
    t->config = *config;
    t->unchained = config->unchained;
    t->usable = cpu->model->generation >= CPU_80386;
    t->x87_absent = t->sse_absent = 1;
    t->host_mxcsr = MXCSR_INIT;
    struct status status = set_up(t);
    if (!status_is_ok(&status)) {
        destroy(&t->engine);
        return status;
    }
    *engine = &t->engine;
    return status;
}
