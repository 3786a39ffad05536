/* What translated code asks of C: TLB misses and instructions left to the fallback. Nothing here raises:
 * whatever may fault is executed by the fallback, which delivers the fault itself, but for page faults and
 * divide errors of plain instructions whose delivery is a common case. */
#include "mmu/view.h"
#include "translator/dispatch.h"
#include "translator/float.h"
#include "translator/guest_state.h"
#include "translator/sensitive.h"

static const uint8_t *at(const struct translator_site *site, uint16_t position)
{
    return tables_of_site(site)->entry + position;
}

/* Before the access. */
static const uint8_t *retry(const struct translator_site *site)
{
    return at(site, site->window ? site->address.from : site->retry);
}

/* Whether the block has died while it runs: its bytes are others now. */
static bool block_is_dead(const struct translator_site *site)
{
    return tables_of_site(site)->block->dead;
}

/* What must be the same behind an instruction for the block to go on: no block has died, no mapping has
 * changed, and no exception was delivered, whose handler may be at the next instruction's EIP but elsewhere.
 */
struct outlook {
    uint64_t epoch, generation, exceptions;
};

static struct outlook present_outlook(const struct translator *t)
{
    return (struct outlook){.epoch = code_cache_epoch(t->cache),
                            .generation = t->mmu->generation,
                            .exceptions = t->cpu->counters->value[COUNTER_EXCEPTIONS]};
}

static bool outlook_is(const struct translator *t, const struct outlook *before)
{
    struct outlook now = present_outlook(t);
    return now.epoch == before->epoch && now.generation == before->generation &&
           now.exceptions == before->exceptions;
}

/* Whether the block may go on behind an instruction that the fallback executed. */
static bool block_goes_on(const struct translator *t, const struct translator_site *site,
                          const struct outlook *before)
{
    const struct cpu_state *cpu = t->cpu;
    return !site->last && !site->grouped && !block_is_dead(site) && cpu->rip == site_next_eip(site) &&
           !cpu_needs_attention(cpu) && outlook_is(t, before) &&
           cpu->retired + site->remaining - 1 <= t->stop_at;
}

/* Where to go on when the fallback has executed the instruction at `site`. */
static const uint8_t *behind_callout(struct translator *t, const struct translator_site *site,
                                     const struct outlook *before)
{
    dispatch_forget_shortcuts(t);
    if (!block_goes_on(t, site, before) || !translator_load_float(t, site->float_parts)) {
        return dispatch_go_on(t);
    }
    guest_set_budget(t);
    t->budget -= site->remaining - 1;
    guest_load(t);
    return at(site, site->next);
}

static void step_fallback(struct translator *t, const struct translator_site *site)
{
    t->callouts[site->insn]++;
    guest_store(t);
    t->cpu->rip = site_eip(site);
    t->cpu->retired = guest_retired_before(t, site);
    t->fallback->ops->step(t->fallback, t->one_by_one ? 1 : t->stop_at - t->cpu->retired);
}

/* The fallback executes the instruction at `site`. */
static const uint8_t *call_out(struct translator *t, const struct translator_site *site)
{
    const struct outlook before = present_outlook(t);
    step_fallback(t, site);
    return behind_callout(t, site, &before);
}

/* Control goes to cpu->rip in the context that is set; the registers are where the service stub has put them,
 * and what came before is retired according to t->budget. */
static const uint8_t *move_on(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    cpu->retired = t->budget_end - (uint64_t)(int64_t)t->budget;
    if (translator_needs_fallback(cpu) || t->budget <= 0) { /* RF stays for whoever looks at the end */
        guest_store_integers(t);
        return dispatch_go_on(t);
    }
    cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
    const uint8_t *known = dispatch_known_jump(t, (uint32_t)cpu->rip);
    if (known == NULL) {
        guest_store_integers(t);
        known = dispatch_enter_code(t);
    }
    return known;
}

/* CS, SS and the privilege may have changed; the data segments have not. */
static void set_context_of_transfer(struct translator *t)
{
    const uint32_t data = guest_class_bits(CPU_ES, SEGMENT_OTHER) | guest_class_bits(CPU_DS, SEGMENT_OTHER) |
                          guest_class_bits(CPU_FS, SEGMENT_OTHER) | guest_class_bits(CPU_GS, SEGMENT_OTHER);
    dispatch_set_context(t, guest_control_mode(t) | (t->mode & data));
}

/* The instruction at `site` raises `fault`, before which nothing of it has happened; `cr2` is CR2 then. */
static const uint8_t *deliver_fault(struct translator *t, const struct translator_site *site,
                                    const struct cpu_exception *fault, uint64_t cr2)
{
    struct cpu_state *cpu = t->cpu;
    unsigned cpl = cpu->cpl;
    enum quick_result result = t->unchained ? QUICK_NOT : translator_quick_fault(t, site, fault);
    if (result == QUICK_NOT) {
        const struct outlook before = present_outlook(t);
        step_fallback(t, site);
        translator_remember_fault(t, fault->vector, cpl);
        return behind_callout(t, site, &before);
    }
    if (result == QUICK_TRANSFERRED) {
        translator_forget_selectors(t);
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
    return (t->mode & ~guest_class_bits(number, SEGMENT_OTHER)) | guest_segment_bits(t->cpu, number);
}

/* An instruction that is emulated here. The block goes on when nothing has changed that it assumes.
 * Floating-point registers stay loaded, unless they may not be used any more. */
static const uint8_t *emulate(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    const struct outlook before = present_outlook(t);
    uint64_t cr0 = cpu->cr0;
    uint64_t cr4 = cpu->cr4;
    unsigned cpl = cpu->cpl;
    bool loads_space = site->insn == INSN_MOV_CR && site->operand.variant && site->operand.reg == 3;
    if (!loads_space) {
        dispatch_forget_shortcuts(t);
    }
    guest_store_integers(t);
    cpu->rip = site_eip(site);
    bool done = sensitive_execute(t, site);
    if (loads_space && done && translator_descriptors_stay(t)) {
        fast_call_forget(t);
        return dispatch_enter_code(t);
    }
    if (cr0 != cpu->cr0 || cr4 != cpu->cr4) {
        translator_store_float(t);
        return dispatch_go_on(t);
    }
    translator_remember(t, site, cpl, done);
    if (!done || !block_goes_on(t, site, &before) || guest_block_mode(t) != t->mode ||
        !translator_load_float(t, site->float_parts)) {
        return dispatch_go_on(t);
    }
    guest_load(t);
    return at(site, site->next);
}

/* Leaves the block behind an instruction that was executed here, before which t->cpu->retired were. */
static const uint8_t *leave_behind(struct translator *t, const struct translator_site *site)
{
    guest_store_integers(t);
    t->cpu->rip = site_next_eip(site);
    t->cpu->retired++;
    return dispatch_go_on(t);
}

/* The same, but in the block as long as its bytes are what they were. */
static const uint8_t *go_on_behind(struct translator *t, const struct translator_site *site)
{
    return block_is_dead(site) ? leave_behind(t, site) : at(site, site->next);
}

static const uint8_t *sensitive(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    const struct outlook before = present_outlook(t);
    uint64_t from_base = cpu->segment[CPU_CS].base;
    cpu->retired = guest_retired_before(t, site);
    t->emulated[site->insn]++;
    switch (t->unchained ? QUICK_NOT : translator_quick(t, site)) {
    case QUICK_NOT: return emulate(t, site);
    case QUICK_STAYS: break;
    case QUICK_CHANGED_SEGMENT: {
        uint64_t from_context = t->context;
        uint32_t mode = mode_with_segment(t, (enum cpu_segment)site->operand.reg);
        bool block_ends = mode != t->mode;
        if (block_ends) {
            dispatch_set_context(t, mode);
        }
        if (site->kind == SITE_SEGMENT) {
            known_load_learn(t, site, from_context);
        }
        if (block_ends) {
            cpu->rip = site_next_eip(site);
            t->budget += site->remaining - 1; /* the rest of the block is not executed */
            return move_on(t);
        }
        break;
    }
    case QUICK_ASKED_DEVICE:
        if (cpu_needs_attention(cpu) || !outlook_is(t, &before)) {
            return leave_behind(t, site);
        }
        break;
    case QUICK_OTHER_MODE:
        t->budget += site->remaining - 1; /* the rest of the block is not executed */
        translator_forget_selectors(t);
        dispatch_set_context(t, guest_block_mode(t));
        return move_on(t);
    case QUICK_OTHER_PARAGRAPH: dispatch_place_context(t); return move_on(t);
    case QUICK_JUMPED: return move_on(t);
    case QUICK_TRANSFERRED: {
        uint64_t from_context = t->context;
        uint32_t from_mode = t->mode;
        const uint8_t *from_window = t->window;
        set_context_of_transfer(t);
        if (site->insn == INSN_SYSENTER || site->insn == INSN_SYSEXIT) {
            translator_forget_by_transfer(t, from_mode);
            fast_call_learn(t, site, from_context, from_mode, from_base, from_window);
        } else {
            translator_forget_selectors(t);
        }
        return move_on(t);
    }
    }
    return go_on_behind(t, site);
}

/* The access can be made at `resume` now. Where the A and D bits that were set on the way are this block's
 * own code, its next instruction is another one. */
static const uint8_t *access_at(struct translator *t, const struct translator_site *site,
                                const uint8_t *resume)
{
    return block_is_dead(site) ? call_out(t, site) : resume;
}

static const uint8_t *miss(struct translator *t, const struct translator_site *site)
{
    uint8_t *host = NULL;
    if (t->address & site->detail) {
        return call_out(t, site);
    }
    t->cpu->retired = guest_retired_before(t, site);
    if (site->window) {
        return translator_fill_window(t, site) ? access_at(t, site, retry(site))
                                               : refused(t, site, (uint32_t)t->address);
    }
    switch (mmu_fast_fill(t->mmu, (uint32_t)t->address, site->width, site->kind == SITE_STORE,
                          (t->mode & MODE_USER) != 0, &host)) {
    case MMU_FAST_FILLED: return access_at(t, site, retry(site));
    case MMU_FAST_DIRECT:
        t->addend = (uint64_t)(uintptr_t)host - (uint32_t)t->address;
        return access_at(t, site, at(site, site->direct));
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
static bool repetition_goes_on(const struct translator *t, const struct translator_site *site,
                               const struct outlook *before)
{
    const struct cpu_state *cpu = t->cpu;
    return cpu->rip == site_eip(site) && !site->grouped && !translator_needs_fallback(cpu) &&
           outlook_is(t, before) && cpu->retired + site->remaining <= t->stop_at;
}

/* Iterations on host memory, and by the fallback where that is not possible. */
static const uint8_t *repeat_string(struct translator *t, const struct translator_site *site)
{
    const struct outlook before = present_outlook(t);
    struct cpu_state *cpu = t->cpu;
    for (;;) {
        struct string_progress progress = translator_repeat_string(t, site);
        t->budget -= (int32_t)progress.iterations;
        if (progress.finished) {
            t->budget++; /* the last one is counted by the block */
            cpu->retired = guest_retired_before(t, site);
            return go_on_behind(t, site);
        }
        uint64_t portion = translator_string_portion(t, site);
        t->callouts[site->insn]++;
        dispatch_forget_shortcuts(t);
        guest_store(t);
        cpu->rip = site_eip(site);
        cpu->retired = guest_retired_before(t, site);
        uint64_t left = t->stop_at - cpu->retired;
        t->fallback->ops->step(t->fallback, portion < left ? portion : left);
        if (!repetition_goes_on(t, site, &before) || !translator_load_float(t, site->float_parts)) {
            return behind_callout(t, site, &before);
        }
        cpu->eflags_other &= ~(uint32_t)EFLAGS_RF;
        guest_set_budget(t);
        t->budget -= site->remaining;
        guest_load(t);
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
 * that is running dies when one of its instructions is demoted (window.c), or when it has a tail and its page
 * is moved to where that is; others are not moved by a jump within their page. */
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
    struct code_block *block = is_executed_next ? dispatch_find_block(t, eip, 0) : NULL;
    if (block == NULL) {
        guest_store(t);
        cpu->rip = eip;
        if (is_executed_next && t->cold) {
            dispatch_execute_cold(t);
        }
        return dispatch_go_on(t);
    }
    if (t->unchained) {
        return translator_block_body(block);
    }
    dispatch_remember_jump(t, eip, block);
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
    t->cpu->retired = guest_retired_before(t, site);
    if (!fast_tlb_hits(site->store ? fast->store : fast->load, linear, site->width)) {
        enum mmu_fast_result result = mmu_fast_fill(t->mmu, linear, site->width, site->store, user, &host);
        if (result == MMU_FAST_FILLED &&
            fast_tlb_hits(site->stores ? fast->store : fast->load, linear, site->width)) {
            return access_at(t, site, retry(site));
        }
        if (result == MMU_FAST_NOT && t->mmu->fast_faulted) {
            return refused(t, site, linear);
        }
    }
    uint64_t left = t->stop_at - t->cpu->retired;
    uint32_t eip = site_eip(site); /* making the block may evict this one */
    struct code_block *block = dispatch_find_block(t, eip, MODE_SINGLE);
    if (block == NULL || block->insn_count > left) {
        guest_store(t);
        t->cpu->rip = eip;
        t->stuck = true;
        return t->leave;
    }
    guest_set_budget(t);
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
    case SITE_SENSITIVE:
    case SITE_SEGMENT: return sensitive(t, site);
    case SITE_JUMP: return jump(t, site, tables_of_site(site)->eip + site->target);
    case SITE_INDIRECT: return jump(t, site, (uint32_t)t->address);
    case SITE_BUDGET: break;
    }
    translator_count_sample(t, tables_of_site(site)->block);
    guest_store(t);
    t->cpu->rip = site_eip(site);
    t->cpu->retired = guest_retired_before(t, site);
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
