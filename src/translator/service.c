/* What translated code asks of C: TLB misses, instructions left to the fallback, and the way from one block
 * to the next. Nothing here raises: whatever may fault is executed by the fallback, which delivers the fault
 * itself, but for page faults and divide errors of plain instructions whose delivery is a common case. */
#include "translator/context.h"

#include <assert.h>

#include "cpu/trace.h"
#include "host/fault_signal.h"
#include "isa/isa.h"
#include "mmu/view.h"
#include "translator/float.h"
#include "translator/sensitive.h"

/* ---- registers */

static void store_integers(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i].d = t->gpr[i];
    }
    uint32_t eflags = (t->flags >> 8 & 0xd5) | (t->flags & 1 ? (uint32_t)EFLAGS_OF : 0);
    flags_from_eflags(&cpu->flags, eflags);
}

static void store_state(struct translator *t)
{
    translator_store_float(t);
    store_integers(t);
}

static void load_state(struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    for (unsigned i = 0; i < 8; i++) {
        t->gpr[i] = cpu->gpr[i].d;
    }
    t->flags = translator_host_flags(flags_to_eflags(&cpu->flags));
    t->string_step = cpu->eflags_other & EFLAGS_DF ? -1 : 1;
}

/* Instructions retired up to the one at `site`. */
static uint64_t retired_before(const struct translator *t, const struct translator_site *site)
{
    return t->budget_end - (uint64_t)(int64_t)(t->budget + (int32_t)site->remaining);
}

static void set_budget(struct translator *t)
{
    uint64_t left = t->stop_at > t->cpu->retired ? t->stop_at - t->cpu->retired : 0;
    t->budget = (int32_t)(left < BUDGET_MAX ? left : BUDGET_MAX);
    t->budget_end = t->cpu->retired + (uint64_t)t->budget;
}

/* ---- what blocks assume */

/* Bounds as one number each: the last offset above the first one. */
static uint64_t bounds(uint32_t first, uint32_t last)
{
    return (uint64_t)last << 32 | first;
}

static enum segment_class classify(const struct cpu_state *cpu, const struct segment *segment)
{
    bool protected = cpu->mode == CPU_MODE_PROTECTED;
    uint64_t readable = bounds(segment->read_first, segment->read_last);
    if (readable != bounds(segment->write_first, segment->write_last) || segment->read_first != 0) {
        return SEGMENT_OTHER;
    }
    if (segment->read_last != UINT32_MAX) {
        return segment->read_last == 0xffff && !protected ? SEGMENT_64K : SEGMENT_LIMITED;
    }
    return segment->base == 0 && protected ? SEGMENT_FLAT : SEGMENT_BASED;
}

static uint32_t class_bits(unsigned number, enum segment_class class)
{
    uint32_t bits = class == SEGMENT_64K ? SEGMENT_FLAT : class;
    return bits << ((unsigned)MODE_SEGMENTS_SHIFT + 2 * number);
}

static uint32_t segment_bits(const struct cpu_state *cpu, enum cpu_segment number)
{
    return class_bits(number, classify(cpu, &cpu->segment[number]));
}

/* Whether another selector in CS would change its base alone: what is loaded in real and V86 mode has these
 * attributes, keeps its limit, and its upper attributes in real mode. */
static bool code_is_paragraph(const struct cpu_state *cpu)
{
    const struct segment *cs = &cpu->segment[CPU_CS];
    const uint16_t data = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED;
    bool v86 = cpu->mode == CPU_MODE_V86;
    return cpu->mode != CPU_MODE_PROTECTED && cpu->code_size == 2 && cs->limit >= 0xffff &&
           cs->base == (uint64_t)cs->selector << 4 &&
           (v86 ? cs->attributes == (data | SEGMENT_DPL) && cs->limit == 0xffff
                : (cs->attributes & 0xfff) == data);
}

/* All of a block's mode but the segments that hold data only. */
static uint32_t control_mode(struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    uint32_t mode = mmu_window(t->mmu, cpu->cpl == 3) != NULL ? MODE_DIRECT : 0;
    mode |= cpu->code_size == 4 ? MODE_CODE32 : 0;
    mode |= cpu->stack_size == 4 ? MODE_STACK32 : 0;
    mode |= cpu->cpl == 3 ? MODE_USER : 0;
    mode |= cpu->mode == CPU_MODE_V86 ? MODE_V86 : 0;
    mode |= cpu->mode == CPU_MODE_PROTECTED ? MODE_PROTECTED : 0;
    mode |= cpu->cpl <= cpu_iopl(cpu) ? MODE_IOPL : 0;
    mode |= cpu->segment[CPU_CS].limit >= (cpu->code_size == 4 ? UINT32_MAX : 0xffffu) ? MODE_CODE_OPEN : 0;
    mode |= code_is_paragraph(cpu) ? MODE_PARAGRAPH : 0;
    return mode | segment_bits(cpu, CPU_CS) | segment_bits(cpu, CPU_SS);
}

static uint32_t block_mode(struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    return control_mode(t) | segment_bits(cpu, CPU_ES) | segment_bits(cpu, CPU_DS) |
           segment_bits(cpu, CPU_FS) | segment_bits(cpu, CPU_GS);
}

/* ---- contexts of the jump cache */

static uint64_t context_code_base(const struct translator *t, uint32_t mode)
{
    return mode & MODE_PARAGRAPH ? 0 : t->cpu->segment[CPU_CS].base;
}

static bool context_fits(const struct translator *t, const struct jump_context *context, uint32_t mode)
{
    return context->id != 0 && context->mode == mode && context->generation == t->mmu->generation &&
           context->code_base == context_code_base(t, mode);
}

static uint32_t new_context(struct translator *t, uint32_t mode)
{
    struct jump_context *context = &t->contexts[t->next_context];
    fast_call_forget(t); /* no context is to go on under an old number */
    t->next_context = (t->next_context + 1) % JUMP_CONTEXTS;
    t->last_context_id++;
    if (t->last_context_id == 0) { /* after 2^32 of them, old tags would become valid again */
        memset(t->jumps, 0, sizeof t->jumps);
        memset(t->contexts, 0, sizeof t->contexts);
        t->last_context_id = 1;
    }
    *context = (struct jump_context){.generation = t->mmu->generation,
                                     .code_base = context_code_base(t, mode),
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
            return t->contexts[i].id;
        }
    }
    t->recent_context[user] = t->next_context;
    return new_context(t, mode);
}

/* CS has another selector. */
static void place_context(struct translator *t)
{
    uint32_t selector = t->cpu->segment[CPU_CS].selector;
    t->context = t->context_base | (t->mode & MODE_PARAGRAPH ? selector << 16 : 0);
}

static void set_context(struct translator *t, uint32_t mode)
{
    t->mode = mode;
    t->context_base = (uint64_t)context_id(t, mode) << 32;
    place_context(t);
    t->tlb = (uint8_t *)t->mmu->fast[mode & MODE_USER ? 1 : 0] + PAGE_SHIFT;
    if (mode & MODE_DIRECT) {
        translator_take_window(t, (mode & MODE_USER) != 0);
    }
}

static uint64_t jump_tag(const struct translator *t, uint32_t eip)
{
    return 0 - (t->context + (uint64_t)(int64_t)(int32_t)eip);
}

static void remember_jump(struct translator *t, uint32_t eip, const struct code_block *block)
{
    t->jumps[jump_slot_index(translator_place(t, eip))] =
        (struct jump_slot){.tag = jump_tag(t, eip), .code = translator_block_body(block)};
}

void translator_forget_block(void *opaque, struct code_block *block)
{
    struct translator *t = opaque;
    struct jump_slot *slot = &t->jumps[jump_slot_index((uint32_t)block->key)];
    if (slot->code == translator_block_body(block)) {
        *slot = (struct jump_slot){0};
    }
}

/* ---- from one block to the next */

/* The fallback or the emulation changes what inline code takes for granted. */
static void forget_shortcuts(struct translator *t)
{
    translator_forget_selectors(t);
    fast_call_forget(t);
}

/* Translating costs as much as interpreting some dozen times, and most code is executed less often. */
static bool has_become_warm(struct translator *t, uint64_t phys)
{
    uint8_t *heat = &t->heat[phys * 0x9E3779B97F4A7C15u >> 48];
    if (*heat < t->config.tb_warm && !t->tracing) {
        ++*heat;
        return false;
    }
    *heat = 0;
    return true;
}

/* EIPs beyond this have no place in the context. */
static uint32_t last_eip(const struct translator *t)
{
    return t->mode & MODE_PARAGRAPH ? 0xffff : UINT32_MAX;
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

/* The block at CS:eip in the present context, with `extra` mode bits; NULL: the fallback has to execute what
 * is there, because it is cold (t->cold), meets the page fault, or asks the probe. The fetch sets A bits:
 * only for code that is executed next. */
static struct code_block *find_block(struct translator *t, uint32_t eip, uint32_t extra)
{
    t->cold = false;
    uint32_t mode = t->mode | extra;
    struct cpu_state *cpu = t->cpu;
    const struct segment *cs = &cpu->segment[CPU_CS];
    uint32_t linear = (uint32_t)(cs->base + eip);
    uint64_t phys;
    if (eip > last_eip(t) || eip > cs->limit || cpu_probe_is_at(cpu, linear) ||
        !find_code(t, linear, &phys)) {
        return NULL;
    }
    uint64_t key = translator_block_key(t, eip, mode);
    struct code_block *block = code_cache_find(t->cache, phys, key);
    if (block != NULL && block->tail != CODE_NO_TAIL) {
        uint64_t tail;
        if (!find_tail(t, linear, &tail)) {
            return NULL;
        }
        block = code_cache_find_with_tail(t->cache, phys, tail, key);
    }
    if (block == NULL) {
        if (memory_bus_page(t->mmu->bus, phys)->read == NULL) {
            return NULL;
        }
        block = translator_move_version(t, phys, eip, mode);
        if (block == NULL && extra == 0 && !has_become_warm(t, phys)) {
            t->cold = true;
            return NULL;
        }
        if (block == NULL) {
            block = make_block(t, phys, linear, eip, mode);
        }
    } else {
        block->used = (uint32_t)t->mmu->generation;
    }
    if (block != NULL && (uint64_t)eip + block->length - 1 > cs->limit) {
        return NULL;
    }
    return block;
}

/* Where the jump cache says that `eip` leads in the present context; NULL: it does not know. */
static const uint8_t *known_jump(const struct translator *t, uint32_t eip)
{
    const struct jump_slot *slot = &t->jumps[jump_slot_index(translator_place(t, eip))];
    bool usable = (t->mode & MODE_CODE_OPEN) && !t->unchained && eip <= last_eip(t);
    return usable && slot->tag == jump_tag(t, eip) ? slot->code : NULL;
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
    const uint8_t *known = known_jump(t, (uint32_t)cpu->rip);
    if (known == NULL) {
        struct code_block *block = find_block(t, (uint32_t)cpu->rip, 0);
        if (block == NULL || cpu->retired + block->insn_count > t->stop_at) {
            return NULL;
        }
        if (!t->unchained) {
            remember_jump(t, (uint32_t)cpu->rip, block);
        }
        if (t->tracing) {
            cpu_trace_block(cpu, block->phys, block->insn_count);
        }
        known = translator_block_body(block);
    }
    set_budget(t);
    load_state(t);
    return known;
}

/* Has the fallback execute a block that is not warm. */
static void execute_cold(struct translator *t)
{
    translator_store_float(t);
    t->fallback->ops->step_block(t->fallback, t->stop_at - t->cpu->retired);
}

/* Goes on at cpu->rip, or leaves; code that is not warm is left to the fallback on the way. cpu_state is
 * true, but for floating-point registers that are loaded. */
static const uint8_t *go_on(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    t->stuck = false;
    for (;;) {
        forget_shortcuts(t);
        if (translator_needs_fallback(cpu) || cpu->retired >= t->stop_at) {
            return leave(t);
        }
        cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
        set_context(t, block_mode(t));
        const uint8_t *code = go_on_translated(t);
        if (code != NULL) {
            return code;
        }
        if (!t->cold) {
            t->stuck = true;
            return leave(t);
        }
        execute_cold(t);
    }
}

bool translator_run_blocks(struct translator *t)
{
    const uint8_t *code = go_on(t);
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

/* ---- services */

static const uint8_t *at(const struct translator_site *site, uint16_t position)
{
    return tables_of_site(site)->entry + position;
}

/* Before the access. */
static const uint8_t *retry(const struct translator_site *site)
{
    return at(site, site->window ? site->address.from : site->retry);
}

/* Whether the block may go on behind an instruction that the fallback executed. */
static bool block_goes_on(const struct translator *t, const struct translator_site *site, uint64_t epoch,
                          uint64_t generation)
{
    const struct cpu_state *cpu = t->cpu;
    return !site->last && !site->grouped && cpu->rip == site_next_eip(site) && !cpu_needs_attention(cpu) &&
           epoch == code_cache_epoch(t->cache) && generation == t->mmu->generation &&
           cpu->retired + site->remaining - 1 <= t->stop_at;
}

/* Where to go on when the fallback has executed the instruction at `site`. */
static const uint8_t *behind_callout(struct translator *t, const struct translator_site *site, uint64_t epoch,
                                     uint64_t generation)
{
    forget_shortcuts(t);
    if (!block_goes_on(t, site, epoch, generation) || !translator_load_float(t, site->float_parts)) {
        return go_on(t);
    }
    set_budget(t);
    t->budget -= site->remaining - 1;
    load_state(t);
    return at(site, site->next);
}

static void step_fallback(struct translator *t, const struct translator_site *site)
{
    t->callouts[site->insn]++;
    store_state(t);
    t->cpu->rip = site_eip(site);
    t->cpu->retired = retired_before(t, site);
    t->fallback->ops->step(t->fallback, t->one_by_one ? 1 : t->stop_at - t->cpu->retired);
}

/* The fallback executes the instruction at `site`. */
static const uint8_t *call_out(struct translator *t, const struct translator_site *site)
{
    uint64_t epoch = code_cache_epoch(t->cache);
    uint64_t generation = t->mmu->generation;
    step_fallback(t, site);
    return behind_callout(t, site, epoch, generation);
}

/* Control goes to cpu->rip in the context that is set; the registers are where the service stub has put them,
 * and what came before is retired according to t->budget. */
static const uint8_t *move_on(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    cpu->retired = t->budget_end - (uint64_t)(int64_t)t->budget;
    if (!translator_needs_fallback(cpu) && t->budget > 0) { /* RF stays for whoever looks at the end */
        cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
        const uint8_t *known = known_jump(t, (uint32_t)cpu->rip);
        if (known != NULL) {
            return known;
        }
    }
    store_integers(t);
    return go_on(t);
}

/* CS, SS and the privilege may have changed; the data segments have not. */
static void set_context_of_transfer(struct translator *t)
{
    const uint32_t data = class_bits(CPU_ES, SEGMENT_OTHER) | class_bits(CPU_DS, SEGMENT_OTHER) |
                          class_bits(CPU_FS, SEGMENT_OTHER) | class_bits(CPU_GS, SEGMENT_OTHER);
    translator_forget_selectors(t);
    set_context(t, control_mode(t) | (t->mode & data));
}

/* The instruction at `site` raises `fault`, before which nothing of it has happened; `cr2` is CR2 then. */
static const uint8_t *deliver_fault(struct translator *t, const struct translator_site *site,
                                    const struct cpu_exception *fault, uint64_t cr2)
{
    struct cpu_state *cpu = t->cpu;
    unsigned cpl = cpu->cpl;
    enum quick_result result = t->unchained ? QUICK_NOT : translator_quick_fault(t, site, fault);
    if (result == QUICK_NOT) {
        uint64_t epoch = code_cache_epoch(t->cache);
        uint64_t generation = t->mmu->generation;
        step_fallback(t, site);
        translator_remember_fault(t, fault->vector, cpl);
        return behind_callout(t, site, epoch, generation);
    }
    if (result == QUICK_TRANSFERRED) {
        set_context_of_transfer(t);
    }
    cpu->cr2 = cr2;
    counter_add(cpu->counters, COUNTER_EXCEPTIONS, 1);
    t->budget += site->remaining - 1; /* the rest of the block is not executed */
    return move_on(t);
}

static const uint8_t *deliver_divide_error(struct translator *t, const struct translator_site *site)
{
    return deliver_fault(t, site, &(struct cpu_exception){.vector = VECTOR_DE}, t->cpu->cr2);
}

/* Whether the page fault of the first access that misses is what the whole instruction raises. */
static bool faults_by_access(enum insn_id id)
{
    switch (id) {
    case INSN_MOV:
    case INSN_MOVZX:
    case INSN_MOVSX:
    case INSN_ADD:
    case INSN_OR:
    case INSN_ADC:
    case INSN_SBB:
    case INSN_AND:
    case INSN_SUB:
    case INSN_XOR:
    case INSN_CMP:
    case INSN_TEST:
    case INSN_INC:
    case INSN_DEC:
    case INSN_NOT:
    case INSN_NEG:
    case INSN_CMOV:
    case INSN_SET:
    case INSN_XCHG:
    case INSN_PUSH:
    case INSN_POP:
    case INSN_CALL_NEAR:
    case INSN_RET: return true;
    default: return false;
    }
}

/* mmu_fast_fill() has refused the access at `site` to `linear`. */
static const uint8_t *refused(struct translator *t, const struct translator_site *site, uint32_t linear)
{
    if (!t->mmu->fast_faulted || !faults_by_access((enum insn_id)site->insn)) {
        return call_out(t, site);
    }
    return deliver_fault(t, site,
                         &(struct cpu_exception){
                             .vector = VECTOR_PF, .has_error_code = true, .error_code = t->mmu->fast_error},
                         linear);
}

/* The mode with the present contents of a segment register, whatever it was before. */
static uint32_t mode_with_segment(const struct translator *t, enum cpu_segment number)
{
    return (t->mode & ~class_bits(number, SEGMENT_OTHER)) | segment_bits(t->cpu, number);
}

/* An instruction that is emulated here. The block goes on when nothing has changed that it assumes.
 * Floating-point registers stay loaded, unless they may not be used any more. */
static const uint8_t *emulate(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    uint64_t epoch = code_cache_epoch(t->cache);
    uint64_t generation = t->mmu->generation;
    uint64_t cr0 = cpu->cr0;
    uint64_t cr4 = cpu->cr4;
    unsigned cpl = cpu->cpl;
    forget_shortcuts(t);
    store_integers(t);
    cpu->rip = site_eip(site);
    bool done = sensitive_execute(t, site);
    if (cr0 != cpu->cr0 || cr4 != cpu->cr4) {
        translator_store_float(t);
        return go_on(t);
    }
    translator_remember(t, site, cpl, done);
    if (!done || !block_goes_on(t, site, epoch, generation) || block_mode(t) != t->mode ||
        !translator_load_float(t, site->float_parts)) {
        return go_on(t);
    }
    load_state(t);
    return at(site, site->next);
}

static const uint8_t *sensitive(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    uint64_t epoch = code_cache_epoch(t->cache);
    uint64_t generation = t->mmu->generation;
    uint64_t from_base = cpu->segment[CPU_CS].base;
    cpu->retired = retired_before(t, site);
    t->emulated[site->insn]++;
    switch (t->unchained ? QUICK_NOT : translator_quick(t, site)) {
    case QUICK_NOT: return emulate(t, site);
    case QUICK_STAYS: break;
    case QUICK_CHANGED_SEGMENT: {
        uint32_t mode = mode_with_segment(t, (enum cpu_segment)site->operand.reg);
        if (mode != t->mode) {
            set_context(t, mode);
            cpu->rip = site_next_eip(site);
            t->budget += site->remaining - 1; /* the rest of the block is not executed */
            return move_on(t);
        }
        break;
    }
    case QUICK_ASKED_DEVICE:
        if (cpu_needs_attention(cpu) || epoch != code_cache_epoch(t->cache) ||
            generation != t->mmu->generation) {
            store_integers(t);
            cpu->rip = site_next_eip(site);
            cpu->retired++;
            return go_on(t);
        }
        break;
    case QUICK_OTHER_MODE:
        t->budget += site->remaining - 1; /* the rest of the block is not executed */
        translator_forget_selectors(t);
        set_context(t, block_mode(t));
        return move_on(t);
    case QUICK_OTHER_PARAGRAPH: place_context(t); return move_on(t);
    case QUICK_JUMPED: return move_on(t);
    case QUICK_TRANSFERRED: {
        uint64_t from_context = t->context;
        uint32_t from_mode = t->mode;
        const uint8_t *from_window = t->window;
        set_context_of_transfer(t);
        if (site->insn == INSN_SYSENTER || site->insn == INSN_SYSEXIT) {
            fast_call_learn(t, site, from_context, from_mode, from_base, from_window);
        }
        return move_on(t);
    }
    }
    return at(site, site->next);
}

static const uint8_t *miss(struct translator *t, const struct translator_site *site)
{
    uint8_t *host = NULL;
    if (t->address & site->detail) {
        return call_out(t, site);
    }
    t->cpu->retired = retired_before(t, site);
    if (site->window) {
        return translator_fill_window(t, site) ? retry(site) : refused(t, site, (uint32_t)t->address);
    }
    switch (mmu_fast_fill(t->mmu, (uint32_t)t->address, site->width, site->kind == SITE_STORE,
                          (t->mode & MODE_USER) != 0, &host)) {
    case MMU_FAST_FILLED: return retry(site);
    case MMU_FAST_DIRECT:
        t->addend = (uint64_t)(uintptr_t)host - (uint32_t)t->address;
        return at(site, site->direct);
    case MMU_FAST_NOT: break;
    }
    return refused(t, site, (uint32_t)t->address);
}

bool translator_host_memory(struct translator *t, uint32_t linear, unsigned width, bool store, uint8_t **host)
{
    unsigned user = (t->mode & MODE_USER) != 0;
    const struct fast_tlb *fast = t->mmu->fast[user];
    enum mmu_fast_result result = MMU_FAST_FILLED;
    if (!fast_tlb_hits(store ? fast->store : fast->load, linear, width)) {
        result = mmu_fast_fill(t->mmu, linear, width, store, user, host);
    }
    if (result == MMU_FAST_FILLED) {
        uint64_t address = fast->addend[fast_tlb_slot(linear)] + linear;
        *host = (uint8_t *)(uintptr_t)address;
    }
    return result != MMU_FAST_NOT;
}

static const uint8_t *divide(struct translator *t, const struct translator_site *site)
{
    return translator_divide(t, site->width) ? at(site, site->next) : deliver_divide_error(t, site);
}

/* Whether a repeated instruction that the fallback has left before its end can go on here. */
static bool repetition_goes_on(const struct translator *t, const struct translator_site *site, uint64_t epoch,
                               uint64_t generation)
{
    const struct cpu_state *cpu = t->cpu;
    return cpu->rip == site_eip(site) && !site->grouped && !translator_needs_fallback(cpu) &&
           epoch == code_cache_epoch(t->cache) && generation == t->mmu->generation &&
           cpu->retired + site->remaining <= t->stop_at;
}

/* Iterations on host memory, and by the fallback where that is not possible. */
static const uint8_t *repeat_string(struct translator *t, const struct translator_site *site)
{
    uint64_t epoch = code_cache_epoch(t->cache);
    uint64_t generation = t->mmu->generation;
    struct cpu_state *cpu = t->cpu;
    for (;;) {
        struct string_progress progress = translator_repeat_string(t, site);
        t->budget -= (int32_t)progress.iterations;
        if (progress.finished) {
            t->budget++; /* the last one is counted by the block */
            return at(site, site->next);
        }
        uint64_t portion = translator_string_portion(t, site);
        t->callouts[site->insn]++;
        forget_shortcuts(t);
        store_state(t);
        cpu->rip = site_eip(site);
        cpu->retired = retired_before(t, site);
        uint64_t left = t->stop_at - cpu->retired;
        t->fallback->ops->step(t->fallback, portion < left ? portion : left);
        if (!repetition_goes_on(t, site, epoch, generation) || !translator_load_float(t, site->float_parts)) {
            return behind_callout(t, site, epoch, generation);
        }
        cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
        set_budget(t);
        t->budget -= site->remaining;
        load_state(t);
    }
}

/* A block's linear address, in MODE_PARAGRAPH; otherwise less CS's base, which is the same for all that a
 * block may be linked to. */
static uint32_t linear_of_block(const struct code_block *block)
{
    uint32_t paragraph = ((uint32_t)block->key & ~translator_block_eip(block)) >> 12;
    return paragraph + translator_block_eip(block);
}

/* The page on which `from` has code or its tail, for a block on the same linear page. */
static uint64_t page_of_block(const struct code_block *from, const struct code_block *to)
{
    uint32_t offset = (uint32_t)(from->phys & PAGE_MASK) + (linear_of_block(to) - linear_of_block(from));
    return offset < PAGE_SIZE ? from->phys : from->tail;
}

/* Patches the jump that `site` belongs to. Its target is on the same linear page; the physical ones differ
 * when the guest has changed the page table without telling, and the TLB has lost the page meanwhile. A block
 * that is running dies when one of its instructions is demoted (window.c). */
static void link_jump(struct translator *t, const struct translator_site *site, struct code_block *to)
{
    struct code_block *from = tables_of_site(site)->block;
    if (!from->dead && (page_of_block(from, to) ^ to->phys) < PAGE_SIZE) {
        code_cache_link(t->cache, from, site->next, to);
    }
}

/* A jump to CS:eip, everything before which is retired. Stays in translated code when the block is there
 * or can be made. */
static const uint8_t *jump(struct translator *t, const struct translator_site *site, uint32_t eip)
{
    struct cpu_state *cpu = t->cpu;
    uint64_t epoch = code_cache_epoch(t->cache);
    cpu->retired = t->budget_end - (uint64_t)t->budget;
    bool is_executed_next = cpu->retired < t->stop_at && !translator_needs_fallback(cpu) && !t->tracing;
    struct code_block *block = is_executed_next ? find_block(t, eip, 0) : NULL;
    if (block == NULL) {
        store_state(t);
        cpu->rip = eip;
        if (is_executed_next && t->cold) {
            execute_cold(t);
        }
        return go_on(t);
    }
    if (t->unchained) {
        return translator_block_body(block);
    }
    remember_jump(t, eip, block);
    bool still_there = epoch == code_cache_epoch(t->cache); /* making the block may have evicted this one */
    if (still_there && site->kind == SITE_JUMP && site->next != 0) {
        link_jump(t, site, block);
    }
    return translator_block_body(block);
}

/* The span of a group is not in the TLB. Either it will be, or this place needs a block that looks at each
 * access by itself. */
static const uint8_t *miss_group(struct translator *t, const struct translator_site *site)
{
    uint32_t linear = (uint32_t)t->address + site->target;
    bool user = (t->mode & MODE_USER) != 0;
    uint8_t *host = NULL;
    const struct fast_tlb *fast = t->mmu->fast[user];
    if (linear & site->detail) {
        return call_out(t, site);
    }
    t->cpu->retired = retired_before(t, site);
    if (!fast_tlb_hits(site->store ? fast->store : fast->load, linear, site->width)) {
        enum mmu_fast_result result = mmu_fast_fill(t->mmu, linear, site->width, site->store, user, &host);
        if (result == MMU_FAST_FILLED &&
            fast_tlb_hits(site->stores ? fast->store : fast->load, linear, site->width)) {
            return retry(site);
        }
        if (result == MMU_FAST_NOT && t->mmu->fast_faulted) {
            return refused(t, site, linear);
        }
    }
    uint64_t left = t->stop_at - t->cpu->retired;
    uint32_t eip = site_eip(site); /* making the block may evict this one */
    struct code_block *block = find_block(t, eip, MODE_SINGLE);
    if (block == NULL || block->insn_count > left) {
        store_state(t);
        t->cpu->rip = eip;
        t->stuck = true;
        return t->leave;
    }
    set_budget(t);
    return translator_block_body(block);
}

/* A budget has ended: a sample of where the guest spends its time. */
static void note_executed(struct translator *t)
{
    uint64_t executed = t->cpu->retired - t->noted;
    t->noted = t->cpu->retired;
    mmu_note_executed(t->mmu, (t->mode & MODE_USER) != 0, executed < BUDGET_MAX ? executed : BUDGET_MAX);
}

static const uint8_t *serve(struct translator *t)
{
    const struct translator_site *site = t->site;
    switch ((enum site_kind)site->kind) {
    case SITE_LOAD:
    case SITE_STORE: return miss(t, site);
    case SITE_GROUP: return miss_group(t, site);
    case SITE_CALLOUT: return call_out(t, site);
    case SITE_DIVIDE: return divide(t, site);
    case SITE_DIVIDE_ERROR: return deliver_divide_error(t, site);
    case SITE_STRING: return repeat_string(t, site);
    case SITE_FLOAT:
        return translator_load_float(t, site->width) ? at(site, site->direct) : call_out(t, site);
    case SITE_SENSITIVE: return sensitive(t, site);
    case SITE_JUMP: return jump(t, site, tables_of_site(site)->eip + site->target);
    case SITE_INDIRECT: return jump(t, site, (uint32_t)t->address);
    case SITE_BUDGET: break;
    }
    translator_count_sample(t, tables_of_site(site)->block);
    store_state(t);
    t->cpu->rip = site_eip(site);
    t->cpu->retired = retired_before(t, site);
    note_executed(t);
    t->stuck = true; /* the rest of the budget is the fallback's */
    return t->leave;
}

const uint8_t *translator_service(struct translator *t)
{
    const uint8_t *resume = serve(t);
    translator_check_return_stack(t);
    return resume;
}
