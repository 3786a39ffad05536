/* See broken_engine.h. */
#include "broken_engine.h"

#include <stdlib.h>

#include "base/bits.h"
#include "bus/memory_bus.h"
#include "decoder/decoder.h"

struct broken_engine {
    struct cpu_engine engine;
    struct cpu_engine *inner;
    struct cpu_state *cpu;
    struct mmu *mmu;
    struct broken_engine_config config;
    bool spent; /* a fault that happens once has happened */
};

static struct broken_engine *broken_of(struct cpu_engine *engine)
{
    return CONTAINER_OF(engine, struct broken_engine, engine);
}

/* Which instruction stands at CS:RIP; INSN_INVALID when that cannot be told. */
static enum insn_id next_instruction(const struct broken_engine *broken)
{
    const struct cpu_state *cpu = broken->cpu;
    const struct decode_mode mode = {.code_size = cpu->code_size};
    uint8_t bytes[INSN_MAX_LENGTH];
    unsigned count = 0;
    uint64_t phys;
    while (count < sizeof bytes &&
           mmu_probe(broken->mmu, (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip + count), &phys)) {
        bytes[count++] = (uint8_t)memory_bus_read(broken->mmu->bus, phys, 1);
    }
    struct insn insn;
    return decoder_decode(&mode, bytes, count, &insn) == DECODE_OK ? (enum insn_id)insn.id : INSN_INVALID;
}

static void spoil(struct broken_engine *broken)
{
    struct cpu_state *cpu = broken->cpu;
    uint64_t phys;
    switch (broken->config.breakage) {
    case BREAK_REGISTER: cpu->gpr[broken->config.reg].d ^= 1u << 5; break;
    case BREAK_STORE: {
        uint64_t sp = cpu->gpr[CPU_SP].d & cpu->stack_mask;
        if (mmu_probe(broken->mmu, (uint32_t)(cpu->segment[CPU_SS].base + sp), &phys)) {
            uint64_t value = memory_bus_read(broken->mmu->bus, phys, 4);
            memory_bus_write(broken->mmu->bus, phys, 4, value + 1);
        }
        break;
    }
    case BREAK_BUDGET: broken->inner->ops->run(broken->inner, 1); break;
    }
    broken->spent = broken->config.after == INSN_INVALID;
}

static enum stop_reason run(struct cpu_engine *engine, uint64_t budget)
{
    struct broken_engine *broken = broken_of(engine);
    const struct cpu_state *cpu = broken->cpu;
    uint64_t end = cpu->retired + budget;
    enum stop_reason reason;
    do {
        reason = broken->inner->ops->run(broken->inner, 0); /* what is due comes before the instruction */
        if (reason != STOP_BUDGET) {
            return reason;
        }
        enum insn_id insn = broken->config.after == INSN_INVALID ? INSN_INVALID : next_instruction(broken);
        uint64_t before = cpu->retired;
        reason = broken->inner->ops->run(broken->inner, 1);
        bool is_end = cpu->retired >= end;
        if (!broken->spent && insn == broken->config.after && cpu->retired > before &&
            cpu->retired >= broken->config.retired && (is_end || broken->config.breakage != BREAK_BUDGET)) {
            spoil(broken);
        }
    } while (reason == STOP_BUDGET && cpu->retired < end);
    return reason;
}

static struct engine_range invalidate(struct cpu_engine *engine, struct engine_range range)
{
    struct cpu_engine *inner = broken_of(engine)->inner;
    return inner->ops->invalidate(inner, range);
}

static void flush(struct cpu_engine *engine)
{
    struct cpu_engine *inner = broken_of(engine)->inner;
    inner->ops->flush(inner);
}

static void destroy(struct cpu_engine *engine)
{
    struct broken_engine *broken = broken_of(engine);
    broken->inner->ops->destroy(broken->inner);
    free(broken);
}

struct cpu_engine *broken_engine_create(struct cpu_engine *engine, struct cpu_state *cpu, struct mmu *mmu,
                                        const struct broken_engine_config *config)
{
    static const struct cpu_engine_ops ops = {
        .run = run, .invalidate = invalidate, .flush = flush, .destroy = destroy};
    struct broken_engine *broken = calloc(1, sizeof *broken);
    if (broken == NULL) {
        engine->ops->destroy(engine);
        return NULL;
    }
    *broken = (struct broken_engine){
        .engine = {.ops = &ops}, .inner = engine, .cpu = cpu, .mmu = mmu, .config = *config};
    return &broken->engine;
}
