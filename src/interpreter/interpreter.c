/* The run loop: finds blocks, runs them, and attends to interrupts, traps and faults between them; see uop.h.
 *
 * Retired instructions are counted per block from in->current. A delivered fault counts as one as well, so
 * that a guest that does nothing but fault still consumes its budget and sees time pass. */
#include "interpreter/interpreter.h"

#include <stdlib.h>

#include "cpu/debug_registers.h"
#include "cpu/probe.h"
#include "cpu/trace.h"
#include "host/large_page.h"
#include "interpreter/jump_cache.h"
#include "isa/isa.h"

#define REPEAT_LIMIT 4096u

/* Instructions a chain of blocks may run: without tail calls each takes a frame of the host's stack. */
#define CHAIN_LIMIT 1024u

static struct interpreter *interpreter_of(struct cpu_engine *engine)
{
    return CONTAINER_OF(engine, struct interpreter, engine);
}

/* ---- finding code */

void interpreter_forget_jumps_to(struct interpreter *in, struct block *block)
{
    struct jump_cache_entry *entry = &in->jump_cache[block->jump_slot];
    if (entry->block == block) {
        *entry = (struct jump_cache_entry){0};
    }
}

/* A block is reached through one entry at most, so that dropping it needs to clear only that. */
static void remember_jump(struct interpreter *in, uint32_t linear, struct jump_cache_entry *entry,
                          struct block *block)
{
    interpreter_forget_jumps_to(in, block);
    block->jump_slot = (uint16_t)(entry - in->jump_cache);
    *entry = (struct jump_cache_entry){.tag = jump_context(in) | linear, .block = block};
}

static uint32_t linear_rip(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip);
}

/* A fault from here on belongs to the instruction at cpu->rip, before any of it was executed. */
static void stand_before_instruction(struct interpreter *in)
{
    in->block = in->scratch;
    in->current = in->scratch->uops;
    in->scratch->uops[0].offset = 0;
    in->block_rip = in->cpu->rip;
    in->block_retired = in->cpu->retired;
}

static struct block *find_block_slow(struct interpreter *in, uint32_t linear, struct jump_cache_entry *entry)
{
    stand_before_instruction(in);
    if (in->cpu->rip > in->cpu->segment[CPU_CS].limit) {
        return NULL;
    }
    uint64_t phys = mmu_fetch_address(in->mmu, linear, in->cpu->cpl == 3);
    const struct memory_page *page = memory_bus_page(in->mmu->bus, phys);
    if (page->read == NULL) {
        return NULL;
    }
    unsigned offset = (unsigned)(phys & PAGE_MASK);
    if (offset > PAGE_SIZE - INSN_MAX_LENGTH) {
        struct block *crossing = crossing_recall(in, phys, linear, page->read + offset);
        if (crossing != NULL) {
            return crossing;
        }
    }
    struct block *block = block_cache_get(in, phys, page->read + offset, cpu_probe_room(in->cpu, phys));
    if (block != NULL) {
        counter_add(in->cpu->counters, COUNTER_BLOCKS_ENTERED, 1);
        if (!cpu_probe_is_at(in->cpu, phys)) {
            remember_jump(in, linear, entry, block);
        }
    }
    return block;
}

/* The block at CS:RIP; NULL when it must be executed as an odd instruction (page-crossing, at the segment's
 * limit, in a device). */
static struct block *find_block(struct interpreter *in)
{
    uint32_t linear = linear_rip(in->cpu);
    struct jump_cache_entry *entry = jump_entry(in, linear);
    in->jump_context = jump_context(in);
    struct block *block =
        entry->tag == (in->jump_context | linear) ? entry->block : find_block_slow(in, linear, entry);
    if (block != NULL && in->cpu->rip + block->length - 1 > in->cpu->segment[CPU_CS].limit) {
        return NULL;
    }
    return block;
}

/* ---- running it */

static uint32_t repeat_limit(const struct interpreter *in)
{
    return in->one_by_one ? 1 : REPEAT_LIMIT;
}

static void restore_cut(struct interpreter *in)
{
    if (in->cut_uop != NULL) {
        *in->cut_uop = in->cut_original;
        in->cut_uop = NULL;
    }
}

/* Replaces uop number `position` of `block` by an exit, until the chain is left. */
static void cut_block(struct interpreter *in, struct block *block, unsigned position)
{
    struct uop *cut = &block->uops[position];
    restore_cut(in);
    in->cut_uop = cut;
    in->cut_original = *cut;
    interpreter_lower_exit(cut->offset, cut);
    cut->position = in->cut_original.position;
}

void interpreter_stop_after_current(struct interpreter *in)
{
    cut_block(in, in->block, in->current->position + 1u);
}

/* Runs `block`, and those that follow it while cpu->retired stays below `chain_until`. */
static inline void execute(struct interpreter *in, struct block *block, uint64_t chain_until)
{
    struct cpu_state *cpu = in->cpu;
    if (UNLIKELY(in->tracing)) {
        cpu_trace_block(cpu, block->phys,
                        in->cut_uop != NULL ? (unsigned)(in->cut_uop - block->uops) : block->count);
    }
    in->tlb = in->mmu->tlb[cpu->cpl == 3];
    in->chain_until = chain_until;
    in->block = block;
    in->block_rip = cpu->rip;
    in->block_retired = cpu->retired;
    in->current = block->uops;
    block->uops[0].run(cpu, block->uops, in);
    cpu->retired = in->block_retired + in->current->position;
    restore_cut(in);
}

/* Runs only the first `count` instructions of a longer block. */
static void execute_part(struct interpreter *in, struct block *block, uint64_t count)
{
    cut_block(in, block, (unsigned)count);
    execute(in, block, 0);
}

/* Runs a block and its chain, or as much of them as the budget allows. */
static void execute_within_budget(struct interpreter *in, struct block *block)
{
    uint64_t retired = in->cpu->retired;
    uint64_t budget = UNLIKELY(in->one_by_one) ? 1 : in->stop_at - retired;
    if (UNLIKELY(block->count > budget)) {
        execute_part(in, block, budget);
    } else if (in->tracing || in->one_by_one) {
        execute(in, block, 0);
    } else {
        execute(in, block, retired + (budget < CHAIN_LIMIT ? budget : CHAIN_LIMIT));
    }
}

/* Fetches the instruction at CS:RIP byte by byte, with every check, into `bytes`; returns how many could be
 * had before the segment's limit (the rest of the instruction then is a #GP). */
static unsigned fetch_odd(struct interpreter *in, const struct decode_mode *mode, uint8_t *bytes,
                          struct insn *insn, enum decode_result *result)
{
    struct cpu_state *cpu = in->cpu;
    const struct segment *cs = &cpu->segment[CPU_CS];
    unsigned count = 0;
    *result = DECODE_TRUNCATED;
    while (*result == DECODE_TRUNCATED && count < INSN_MAX_LENGTH) {
        uint64_t offset = cpu->rip + count;
        if (cpu->model->offset_wraps) {
            offset &= 0xffff;
        } else if (offset > cs->limit) {
            break;
        }
        uint64_t phys = mmu_fetch_address(in->mmu, (uint32_t)(cs->base + offset), cpu->cpl == 3);
        if (count == 0) {
            in->scratch->phys = phys;
        }
        bytes[count++] = (uint8_t)memory_bus_read(in->mmu->bus, phys, 1);
        *result = decoder_decode(mode, bytes, count, insn);
    }
    return count;
}

/* Executes one instruction that no cached block may hold. */
static void execute_odd(struct interpreter *in)
{
    struct cpu_state *cpu = in->cpu;
    stand_before_instruction(in);
    struct decode_mode mode = isa_decode_mode(cpu);
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    enum decode_result result;
    unsigned count = fetch_odd(in, &mode, bytes, &insn, &result);
    struct block *block = in->scratch;
    if (!in->quiet) {
        cpu_trace_code(cpu, cpu->rip, bytes, count);
    }
    switch (result) {
    case DECODE_OK: interpreter_lower(cpu->model, &insn, 0, &block->uops[0]); break;
    case DECODE_TRUNCATED: cpu_raise_error(cpu, VECTOR_GP, 0);
    case DECODE_TOO_LONG: interpreter_lower_invalid(true, 0, &block->uops[0]); break;
    case DECODE_INVALID: interpreter_lower_invalid(false, 0, &block->uops[0]); break;
    }
    block->count = 1;
    block->length = (uint16_t)count;
    block->code_size = cpu->code_size;
    interpreter_lower_exit(count, &block->uops[1]);
    block->uops[1].position = 1;
    if (result == DECODE_OK) {
        crossing_remember(in, bytes);
    }
    execute(in, block, 0);
}

static void execute_one(struct interpreter *in)
{
    struct block *block = find_block(in);
    if (block == NULL) {
        execute_odd(in);
    } else if (block->count == 1) {
        execute(in, block, 0);
    } else {
        execute_part(in, block, 1);
    }
}

/* ---- between blocks */

/* Whether an instruction that began with TF set traps at its end: INT n cleared TF on its way (SDM 3B
 * §17.3.1.4), and a load of SS holds the trap off. */
static bool traps_after(const struct interpreter *in, uint16_t insn)
{
    switch (insn) {
    case INSN_INT:
    case INSN_INT1:
    case INSN_INT3: return false;
    case INSN_INTO: return (in->cpu->eflags_other & EFLAGS_TF) != 0;
    default: return !(in->cpu->pending & CPU_PENDING_STACK_SHADOW);
    }
}

/* One instruction, or one iteration of one. */
static void execute_alone(struct interpreter *in)
{
    in->held_dr6 = in->cpu->pending_dr6;
    in->repeat_limit = 1;
    execute_one(in);
    in->repeat_limit = repeat_limit(in);
}

static void single_step(struct interpreter *in)
{
    struct cpu_state *cpu = in->cpu;
    execute_alone(in);
    if (traps_after(in, in->block->uops[0].insn)) {
        cpu->pending_dr6 |= DR6_BS;
        cpu->pending |= CPU_PENDING_TRAP;
    }
}

static void deliver_trap(struct cpu_state *cpu)
{
    cpu->pending &= ~(uint32_t)CPU_PENDING_TRAP;
    cpu->dr[6] |= cpu->pending_dr6;
    cpu->pending_dr6 = 0;
    cpu->exception = (struct cpu_exception){.vector = VECTOR_DB, .between = true};
    cpu_deliver_exception(cpu);
}

/* Before an instruction while DR7 enables something: #DB, or runs it by itself. */
static void run_watched(struct interpreter *in, bool breakpoints_held_off)
{
    struct cpu_state *cpu = in->cpu;
    if (!breakpoints_held_off && cpu_meets_breakpoint(cpu)) {
        cpu->exception = (struct cpu_exception){.vector = VECTOR_DB, .between = true};
        cpu_deliver_exception(cpu);
        cpu->retired++;
        return;
    }
    cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
    if (cpu->eflags_other & EFLAGS_TF) {
        single_step(in);
    } else {
        execute_alone(in);
    }
}

/* NMI, then INTR (SDM 3A table 6-2). */
static void deliver_interrupts(struct cpu_state *cpu)
{
    if ((cpu->pending & CPU_PENDING_NMI) && !cpu->nmi_blocked) {
        cpu->pending &= ~(uint32_t)CPU_PENDING_NMI;
        cpu_deliver_nmi(cpu);
    }
    if ((cpu->pending & CPU_PENDING_INTERRUPT) && (cpu->eflags_other & EFLAGS_IF)) {
        cpu_deliver_interrupt(cpu, (uint8_t)cpu->pins.interrupt_acknowledge(cpu->pins.opaque));
    }
}

static bool take_pending(struct cpu_state *cpu, enum cpu_pending bit)
{
    bool was_set = (cpu->pending & (uint32_t)bit) != 0;
    cpu->pending &= ~(uint32_t)bit;
    return was_set;
}

enum attention { ATTENTION_RUN, ATTENTION_AGAIN, ATTENTION_RETURN };

/* Handles what keeps the loop from simply running the next block: says whether to run it now, to look again,
 * or to return *reason. */
static enum attention attend(struct interpreter *in, enum stop_reason *reason)
{
    struct cpu_state *cpu = in->cpu;
    if (take_pending(cpu, CPU_PENDING_RESET)) {
        *reason = STOP_RESET;
        return ATTENTION_RETURN;
    }
    if (take_pending(cpu, CPU_PENDING_STOP)) {
        *reason = STOP_REQUEST;
        return ATTENTION_RETURN;
    }
    take_pending(cpu, CPU_PENDING_ENGINE);
    bool stack_shadow = (cpu->pending & CPU_PENDING_STACK_SHADOW) != 0;
    if ((cpu->pending & CPU_PENDING_TRAP) && !stack_shadow) {
        deliver_trap(cpu); /* the shadow of STI does not hold it off */
    }
    bool shadow = (cpu->pending & CPU_PENDING_SHADOW) != 0;
    if (!shadow) {
        deliver_interrupts(cpu);
    }
    if (cpu->shutdown || cpu->halted) {
        *reason = cpu->shutdown ? STOP_SHUTDOWN : STOP_HALTED;
        return ATTENTION_RETURN;
    }
    if (take_pending(cpu, CPU_PENDING_STOP)) { /* a probe has seen what was delivered */
        *reason = STOP_REQUEST;
        return ATTENTION_RETURN;
    }
    if (cpu->retired >= in->stop_at) {
        *reason = STOP_BUDGET;
        return ATTENTION_RETURN;
    }
    if (cpu_probe_stops(cpu)) {
        *reason = STOP_REQUEST;
        return ATTENTION_RETURN;
    }
    cpu->pending &= ~(uint32_t)(CPU_PENDING_SHADOW | CPU_PENDING_STACK_SHADOW);
    if (cpu->pending & CPU_PENDING_DEBUG) {
        run_watched(in, stack_shadow);
        return ATTENTION_AGAIN;
    }
    cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
    if (cpu->eflags_other & EFLAGS_TF) {
        single_step(in);
        return ATTENTION_AGAIN;
    }
    if (shadow) {
        execute_one(in);
        return ATTENTION_AGAIN;
    }
    return ATTENTION_RUN;
}

static enum stop_reason run_loop(struct interpreter *in)
{
    struct cpu_state *cpu = in->cpu;
    for (;;) {
        if (UNLIKELY(cpu_needs_attention(cpu) ||
                     cpu_probe_is_at(cpu, cpu->segment[CPU_CS].base + cpu->rip))) {
            enum stop_reason reason = STOP_BUDGET;
            enum attention attention = attend(in, &reason);
            if (attention == ATTENTION_RETURN) {
                return reason;
            }
            if (attention == ATTENTION_AGAIN) {
                continue;
            }
        }
        if (cpu->retired >= in->stop_at) {
            return STOP_BUDGET;
        }
        struct block *block = find_block(in);
        if (block == NULL) {
            execute_odd(in);
        } else {
            execute_within_budget(in, block);
        }
    }
}

/* Data breakpoints that an instruction met before it faulted do not count; those of a MOV SS before it do. */
static void drop_traps_of_instruction(struct interpreter *in)
{
    struct cpu_state *cpu = in->cpu;
    cpu->pending_dr6 = in->held_dr6;
    if (cpu->pending_dr6 == 0) {
        cpu->pending &= ~(uint32_t)CPU_PENDING_TRAP;
    }
}

/* Puts RIP back on the instruction that faulted. */
static void settle_fault(struct interpreter *in)
{
    restore_cut(in);
    in->repeat_limit = repeat_limit(in);
    in->block = NULL;
    if (in->cpu->pending & CPU_PENDING_DEBUG) {
        drop_traps_of_instruction(in);
    }
    in->cpu->rip = in->block_rip + in->current->offset;
    in->cpu->retired = in->block_retired + in->current->position;
}

/* A fault came by longjmp: delivers it. */
static void take_fault(struct interpreter *in)
{
    settle_fault(in);
    in->cpu->unwind = NULL;
    cpu_deliver_exception(in->cpu);
    in->cpu->retired++;
}

static enum stop_reason run(struct cpu_engine *engine, uint64_t budget)
{
    struct interpreter *in = interpreter_of(engine);
    struct cpu_state *cpu = in->cpu;
    in->stop_at = cpu->retired + budget;
    in->tracing = log_is_enabled(cpu->log, LOG_EXEC) || log_is_enabled(cpu->log, LOG_CPU);
    in->quiet = false;
    in->one_by_one = cpu->log->each_instruction;
    in->repeat_limit = repeat_limit(in);
    cpu->pending |= CPU_PENDING_ENGINE; /* the CPU may be halted */
    if (setjmp(in->unwind) != 0) {
        take_fault(in);
    }
    if (cpu->shutdown) {
        cpu->unwind = NULL;
        return STOP_SHUTDOWN;
    }
    cpu->unwind = &in->unwind;
    enum stop_reason reason = run_loop(in);
    cpu->unwind = NULL;
    in->block = NULL;
    return reason;
}

/* The block at CS:RIP when it was decoded before, is no odd instruction, and no probe is to be asked about
 * it; NULL otherwise. */
static struct block *find_known_block(struct interpreter *in)
{
    const struct cpu_state *cpu = in->cpu;
    uint32_t linear = linear_rip(cpu);
    struct jump_cache_entry *entry = jump_entry(in, linear);
    in->jump_context = jump_context(in);
    struct block *block = entry->block;
    if (entry->tag != (in->jump_context | linear)) {
        uint64_t phys;
        if (cpu->rip > cpu->segment[CPU_CS].limit || !mmu_try_fetch(in->mmu, linear, cpu->cpl == 3, &phys)) {
            return NULL;
        }
        block = block_cache_find(in, phys);
        if (block == NULL || cpu_probe_is_at(cpu, phys)) {
            return NULL;
        }
        remember_jump(in, linear, entry, block);
    }
    return cpu->rip + block->length - 1 <= cpu->segment[CPU_CS].limit ? block : NULL;
}

static void visit(struct interpreter *in, struct block *block)
{
    if (block->visits != UINT8_MAX) {
        block->visits++;
    }
    execute(in, block, 0);
}

/* Runs the block at CS:RIP, and those that follow it while they are known and cold. */
static void execute_cold(struct interpreter *in)
{
    struct cpu_state *cpu = in->cpu;
    struct block *block = find_block(in);
    if (block == NULL) {
        execute_odd(in);
        return;
    }
    if (block->count > in->stop_at - cpu->retired) {
        execute_part(in, block, in->stop_at - cpu->retired);
        return;
    }
    do {
        visit(in, block);
        if (cpu_needs_attention(cpu) || cpu->retired >= in->stop_at) {
            return;
        }
        cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
        block = find_known_block(in);
    } while (block != NULL && block->visits < in->warm && block->count <= in->stop_at - cpu->retired);
}

/* Calls one of the execute functions, outside the run loop. */
static void execute_once(struct interpreter *in, uint64_t budget, void (*how)(struct interpreter *in))
{
    struct cpu_state *cpu = in->cpu;
    in->stop_at = cpu->retired + budget;
    in->tracing = false;
    in->repeat_limit = budget < REPEAT_LIMIT ? (uint32_t)budget : REPEAT_LIMIT;
    if (setjmp(in->unwind) != 0) {
        take_fault(in);
    } else {
        cpu->unwind = &in->unwind;
        how(in);
        cpu->unwind = NULL;
    }
    in->block = NULL;
}

static void step(struct cpu_engine *engine, uint64_t budget)
{
    struct interpreter *in = interpreter_of(engine);
    in->quiet = true; /* whoever steps has shown the instruction */
    execute_once(in, budget, execute_one);
}

static void run_cold(struct cpu_engine *engine, uint64_t budget, unsigned warm)
{
    struct interpreter *in = interpreter_of(engine);
    in->quiet = false;
    in->warm = warm;
    execute_once(in, budget, execute_cold);
}

static unsigned cold_visits(struct cpu_engine *engine, uint64_t phys)
{
    struct interpreter *in = interpreter_of(engine);
    const struct block *block = block_cache_find(in, phys);
    if (block == NULL) {
        block = crossing_find(in, phys);
    }
    return block != NULL ? block->visits : 0;
}

static struct engine_range invalidate(struct cpu_engine *engine, struct engine_range range)
{
    return block_cache_invalidate(interpreter_of(engine), range);
}

/* Jumps are tagged with the generation of the mmu, which forgets its translations for the same reason. */
static void flush(struct cpu_engine *engine)
{
    struct interpreter *in = interpreter_of(engine);
    mmu_begin_generation(in->mmu);
}

/* What goes on across the offset is somewhere among all the rest, which is soon decoded again. */
static void cut(struct cpu_engine *engine, unsigned page_offset)
{
    (void)page_offset;
    block_cache_clear(interpreter_of(engine));
}

static void destroy(struct cpu_engine *engine)
{
    struct interpreter *in = interpreter_of(engine);
    block_cache_release(in);
    crossing_clear(in);
    free(in->scratch);
    large_page_free(in, sizeof *in);
}

struct cpu_engine *interpreter_create(struct cpu_state *cpu, struct mmu *mmu)
{
    static const struct cpu_engine_ops ops = {.run = run,
                                              .step = step,
                                              .run_cold = run_cold,
                                              .cold_visits = cold_visits,
                                              .invalidate = invalidate,
                                              .flush = flush,
                                              .cut = cut,
                                              .destroy = destroy};
    struct interpreter *in = large_page_allocate(sizeof *in);
    struct block *scratch = calloc(1, sizeof *scratch + 2 * sizeof(struct uop));
    if (in == NULL || scratch == NULL) {
        large_page_free(in, sizeof *in);
        free(scratch);
        return NULL;
    }
    in->scratch = scratch;
    in->engine.ops = &ops;
    in->cpu = cpu;
    in->mmu = mmu;
    in->repeat_limit = REPEAT_LIMIT;
    in->rip_mask = cpu->model->generation <= CPU_80286 ? 0xffff : 0xffffffff;
    return &in->engine;
}
