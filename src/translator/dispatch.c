/* Finds, makes and remembers blocks, and enters them; see dispatch.h. */
#include "translator/dispatch.h"

#include <string.h>

#include "cpu/trace.h"
#include "host/fault_signal.h"
#include "isa/isa.h"
#include "translator/float.h"
#include "translator/guest_state.h"
#include "translator/sensitive.h"

/* ---- contexts of the jump cache */

static uint64_t context_code_base(const struct translator *t, uint32_t mode)
{
    return mode & MODE_PARAGRAPH ? 0 : t->cpu->segment[CPU_CS].base;
}

/* Whether the code of `mode` is the same in all address spaces, but for pages that are not global. */
static bool context_is_global(const struct translator *t, uint32_t mode)
{
    return !(mode & MODE_USER) && (t->cpu->cr4 & CR4_PGE);
}

static uint64_t context_generation(const struct translator *t, uint32_t mode)
{
    const struct mmu *mmu = t->mmu;
    uint64_t forgotten = t->space_jumps.forgotten;
    uint64_t global = mmu->global_generation > forgotten ? mmu->global_generation : forgotten;
    return context_is_global(t, mode) ? global : mmu->generation;
}

static bool context_fits(const struct translator *t, const struct jump_context *context, uint32_t mode)
{
    return context->id != 0 && context->mode == mode && context->generation == context_generation(t, mode) &&
           context->code_base == context_code_base(t, mode);
}

/* The one that was not used for the longest time: a generation that is over may come back. */
static unsigned context_to_replace(const struct translator *t)
{
    unsigned oldest = 0;
    for (unsigned i = 1; i < JUMP_CONTEXTS; i++) {
        oldest = t->contexts[i].last_use < t->contexts[oldest].last_use ? i : oldest;
    }
    return oldest;
}

static uint32_t new_context(struct translator *t, unsigned number, uint32_t mode)
{
    struct jump_context *context = &t->contexts[number];
    fast_call_forget(t); /* no context is to go on under an old number */
    known_load_forget(t);
    t->last_context_id++;
    if (t->last_context_id == 0) { /* after 2^32 of them, old tags would become valid again */
        memset(t->jump_tags, 0, sizeof t->jump_tags);
        memset(t->contexts, 0, sizeof t->contexts);
        t->last_context_id = 1;
    }
    *context = (struct jump_context){.generation = context_generation(t, mode),
                                     .code_base = context_code_base(t, mode),
                                     .last_use = ++t->context_clock,
                                     .mode = mode,
                                     .id = t->last_context_id};
    return context->id;
}

/* Most changes are from one privilege to the other and back: that where each was left comes first. */
static uint32_t context_id(struct translator *t, uint32_t mode)
{
    unsigned user = (mode & MODE_USER) != 0;
    for (unsigned n = 0; n < JUMP_CONTEXTS; n++) {
        unsigned i = (t->recent_context[user] + n) % JUMP_CONTEXTS;
        if (context_fits(t, &t->contexts[i], mode)) {
            t->recent_context[user] = i;
            t->contexts[i].last_use = ++t->context_clock;
            return t->contexts[i].id;
        }
    }
    t->recent_context[user] = context_to_replace(t);
    return new_context(t, t->recent_context[user], mode);
}

void dispatch_place_context(struct translator *t)
{
    uint32_t selector = t->cpu->segment[CPU_CS].selector;
    t->context = t->context_base | (t->mode & MODE_PARAGRAPH ? selector << 16 : 0);
}

/* The address space has changed: what was on pages that are not global may be elsewhere. */
static void forget_space(struct translator *t)
{
    struct space_jumps *space = &t->space_jumps;
    for (unsigned i = 0; i < space->count && i < SPACE_JUMPS; i++) {
        t->jump_tags[space->slot[i]] = 0;
    }
    if (space->count != 0) {
        t->return_context = 0; /* no context's */
    }
    space->forgotten = space->count > SPACE_JUMPS ? t->mmu->generations : space->forgotten;
    space->count = 0;
    space->generation = t->mmu->generation;
}

static bool code_is_global(const struct translator *t, uint32_t linear, const struct code_block *block)
{
    uint32_t tail = (linear & ~(uint32_t)PAGE_MASK) + (uint32_t)PAGE_SIZE;
    return mmu_is_global(t->mmu, linear, false) &&
           (block->tail == CODE_NO_TAIL || mmu_is_global(t->mmu, tail, false));
}

void dispatch_set_context(struct translator *t, uint32_t mode)
{
    if (t->space_jumps.generation != t->mmu->generation) {
        forget_space(t);
    }
    t->mode = mode;
    t->jump_salt = jump_slot_salt(mode);
    t->context_base = (uint64_t)context_id(t, mode) << 32;
    dispatch_place_context(t);
    t->tlb = (uint8_t *)t->mmu->fast[mode & MODE_USER ? 1 : 0] + PAGE_SHIFT;
    if (mode & MODE_DIRECT) {
        translator_take_window(t, (mode & MODE_USER) != 0);
    }
}

static uint64_t jump_tag(const struct translator *t, uint32_t eip)
{
    return 0 - (t->context + (uint64_t)(int64_t)(int32_t)eip);
}

void dispatch_remember_jump(struct translator *t, uint32_t eip, const struct code_block *block)
{
    struct space_jumps *space = &t->space_jumps;
    uint32_t index = jump_slot_index(t->mode, translator_place(t, eip));
    t->jump_tags[index] = jump_tag(t, eip);
    t->jump_codes[index] = translator_block_body(block);
    uint32_t linear = (uint32_t)(t->cpu->segment[CPU_CS].base + eip);
    if (context_is_global(t, t->mode) && !code_is_global(t, linear, block)) {
        if (space->count < SPACE_JUMPS) {
            space->slot[space->count] = index;
        }
        space->count += space->count <= SPACE_JUMPS;
    }
}

void translator_forget_block(void *opaque, struct code_block *block)
{
    struct translator *t = opaque;
    uint32_t slot = jump_slot_index((uint32_t)(block->key >> 32), (uint32_t)block->key);
    if (t->jump_codes[slot] == translator_block_body(block)) {
        t->jump_tags[slot] = 0;
        t->jump_codes[slot] = NULL;
    }
}
/* ---- from one block to the next */

void dispatch_forget_shortcuts(struct translator *t)
{
    translator_forget_selectors(t);
    fast_call_forget(t);
    known_load_forget(t);
}

/* Translating costs as much as interpreting some dozen times, and most code is executed less often. */
static bool is_cold(const struct translator *t, uint64_t phys)
{
    return !t->tracing && t->fallback->ops->cold_visits(t->fallback, phys) < t->config.tb_warm;
}

/* The physical address of the code at `linear`. False: the fallback has to go there, since it meets the page
 * fault. */
static bool find_code(struct translator *t, uint32_t linear, uint64_t *phys)
{
    return mmu_try_fetch(t->mmu, linear, t->cpu->cpl == 3, phys);
}

/* Where a linear page goes on. */
static bool find_tail(struct translator *t, uint32_t linear, uint64_t *tail)
{
    return find_code(t, (linear & ~(uint32_t)PAGE_MASK) + (uint32_t)PAGE_SIZE, tail);
}

/* Whether the instruction at `code` goes on beyond the page's end. */
static bool is_cut_off(const struct translator *t, const struct guest_code *code)
{
    struct decode_mode mode = isa_decode_mode(t->cpu);
    struct insn insn;
    return code->available < INSN_MAX_LENGTH &&
           decoder_decode(&mode, code->bytes, code->available, &insn) == DECODE_TRUNCATED;
}

/* Makes a block of an instruction that is cut off with what follows on the next page, which is fetched only
 * where the interpreter would. */
static struct code_block *make_block_with_tail(struct translator *t, const struct guest_code *code,
                                               uint32_t linear, uint32_t eip, uint32_t mode)
{
    uint8_t bytes[2 * INSN_MAX_LENGTH];
    struct guest_code whole = {
        .phys = code->phys, .bytes = bytes, .available = code->available + INSN_MAX_LENGTH};
    bool within_limit = (uint64_t)eip + code->available <= t->cpu->segment[CPU_CS].limit;
    if (!(mode & MODE_CODE_OPEN) || !within_limit || !find_tail(t, linear, &whole.tail)) {
        return NULL;
    }
    const struct memory_page *page = memory_bus_page(t->mmu->bus, whole.tail);
    if (page->read == NULL) {
        return NULL;
    }
    memcpy(bytes, code->bytes, code->available);
    memcpy(bytes + code->available, page->read, INSN_MAX_LENGTH);
    return translator_make_block(t, &whole, eip, mode);
}

static struct code_block *make_block(struct translator *t, uint64_t phys, uint32_t linear, uint32_t eip,
                                     uint32_t mode)
{
    unsigned offset = (unsigned)(phys & PAGE_MASK);
    const struct guest_code code = {.phys = phys,
                                    .tail = CODE_NO_TAIL,
                                    .bytes = memory_bus_page(t->mmu->bus, phys)->read + offset,
                                    .available = PAGE_SIZE - offset};
    return is_cut_off(t, &code) ? make_block_with_tail(t, &code, linear, eip, mode)
                                : translator_make_block(t, &code, eip, mode);
}

/* Whether the probe is to be asked about the instruction at `linear`. Where a block can be at one linear
 * address only, it is not about others that lie alike on their pages. */
static bool is_for_probe(const struct translator *t, uint32_t linear)
{
    return mode_tells_linear(t->mode) ? cpu_probe_is_at_linear(t->cpu, linear)
                                      : cpu_probe_is_at(t->cpu, linear);
}

/* A block for CS:eip of the version. False: whether there is one cannot be said, since the fallback meets a
 * page fault first. */
static bool find_made_block(struct translator *t, const struct code_version *version, uint64_t phys,
                            uint32_t linear, struct code_block **found)
{
    *found = code_version_find(version, phys);
    if (*found != NULL && (*found)->tail != CODE_NO_TAIL) {
        uint64_t tail;
        if (!find_tail(t, linear, &tail)) {
            return false;
        }
        *found = code_version_find_with_tail(version, phys, tail);
    }
    return true;
}

struct code_block *dispatch_find_block(struct translator *t, uint32_t eip, uint32_t extra)
{
    t->cold = false;
    uint32_t mode = t->mode | extra;
    struct cpu_state *cpu = t->cpu;
    const struct segment *cs = &cpu->segment[CPU_CS];
    uint32_t linear = (uint32_t)(cs->base + eip);
    uint64_t phys;
    if (eip > mode_last_eip(t->mode) || eip > cs->limit || is_for_probe(t, linear) ||
        !find_code(t, linear, &phys)) {
        return NULL;
    }
    uint64_t key = translator_block_key(t, eip, mode);
    struct code_version *version = code_cache_find_version(t->cache, phys, key);
    if (version == NULL) {
        version = translator_move_version(t, phys, key);
    }
    struct code_block *block = NULL;
    if (version != NULL) {
        version->used = (uint32_t)t->mmu->generations;
        if (!find_made_block(t, version, phys, linear, &block)) {
            return NULL;
        }
    }
    if (block == NULL) {
        const uint8_t *page = memory_bus_page(t->mmu->bus, phys)->read;
        if (page == NULL) {
            return NULL;
        }
        if (version != NULL) {
            block = translator_revive_block(t, version, phys, page + (phys & PAGE_MASK));
        }
        if (block == NULL && extra == 0 && is_cold(t, phys)) {
            t->cold = true;
            return NULL;
        }
        if (block == NULL) {
            block = make_block(t, phys, linear, eip, mode);
        }
    }
    if (block != NULL && (uint64_t)eip + block->length - 1 > cs->limit) {
        return NULL;
    }
    return block;
}

const uint8_t *dispatch_known_jump(const struct translator *t, uint32_t eip)
{
    uint32_t slot = jump_slot_index(t->mode, translator_place(t, eip));
    bool usable = (t->mode & MODE_CODE_OPEN) && !t->unchained && eip <= mode_last_eip(t->mode);
    return usable && t->jump_tags[slot] == jump_tag(t, eip) ? t->jump_codes[slot] : NULL;
}

static const uint8_t *leave(struct translator *t)
{
    translator_store_float(t);
    return t->leave;
}

/* Goes on at cpu->rip in the context that is set, when there is translated code; NULL: there is none. */
static const uint8_t *go_on_translated(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    const uint8_t *known = dispatch_known_jump(t, (uint32_t)cpu->rip);
    if (known == NULL) {
        struct code_block *block = dispatch_find_block(t, (uint32_t)cpu->rip, 0);
        if (block == NULL || cpu->retired + block->insn_count > t->stop_at) {
            return NULL;
        }
        if (!t->unchained) {
            dispatch_remember_jump(t, (uint32_t)cpu->rip, block);
        }
        if (t->tracing) {
            cpu_trace_block(cpu, block->phys, block->insn_count);
        }
        known = translator_block_body(block);
    }
    guest_set_budget(t);
    guest_load(t);
    return known;
}

void dispatch_execute_cold(struct translator *t)
{
    translator_store_float(t);
    t->fallback->ops->run_cold(t->fallback, t->stop_at - t->cpu->retired, t->config.tb_warm);
}

/* The reminder that mappings or code have changed: what is executed next is looked for anew here. That of HLT
 * stays. */
static void take_reminder(struct cpu_state *cpu)
{
    if (!cpu->halted && !cpu->shutdown) {
        cpu->pending &= ~(uint32_t)CPU_PENDING_ENGINE;
    }
}

const uint8_t *dispatch_go_on(struct translator *t)
{
    dispatch_forget_shortcuts(t);
    return dispatch_enter_code(t);
}

const uint8_t *dispatch_enter_code(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    t->stuck = false;
    for (;;) {
        take_reminder(cpu);
        if (translator_needs_fallback(cpu) || cpu->retired >= t->stop_at) {
            return leave(t);
        }
        cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
        dispatch_set_context(t, guest_block_mode(t));
        const uint8_t *code = go_on_translated(t);
        if (code != NULL) {
            return code;
        }
        if (!t->cold) {
            t->stuck = true;
            return leave(t);
        }
        dispatch_execute_cold(t);
        dispatch_forget_shortcuts(t);
    }
}

bool translator_run_blocks(struct translator *t)
{
    const uint8_t *code = dispatch_go_on(t);
    if (code != t->leave) {
        translator_check_return_stack(t);
        if (t->faults != NULL) {
            translator_set_window_base(t);
            fault_signal_enter(t->faults);
        }
        t->enter(t, code);
        if (t->faults != NULL) {
            fault_signal_leave(t->faults);
        }
    }
    return !t->stuck;
}
