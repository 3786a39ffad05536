/* Accesses to guest memory without a check: shadow page tables (mmu/view.h) at the base of GS.
 *
 *     op gs:[ebx + esi*4 + 8]
 *
 * is one instruction of the host, with an address that wraps at 4 GiB as the guest's does. Blocks with
 * MODE_DIRECT have such accesses and run only while GS is based at the window of the present address space.
 * An access whose page is not in the window faults. The handler finds the site that belongs to the place, the
 * last one in front of it, and goes on as the code out of line of a failed check does: r10 becomes the
 * linear address, the service is called, and that maps the page and tries again, or leaves the instruction to
 * the fallback, which raises the guest's page fault if there is one. An access that must be aligned and is
 * not faults as well (#GP), and takes the same way.
 *
 * An instruction that keeps faulting, as those do that run over much memory once, that reach devices or that
 * write beside code, is translated again with a check of the fast TLB (access.c). Host faults: SDM 3A §6.15,
 * #GP and #PF. */
#include <signal.h>
#include <ucontext.h>

#include "host/gs_base.h"
#include "mmu/view.h"
#include "translator/emit.h"
#include "translator/sensitive.h"

/* The policy: an instruction is demoted when its level reaches HEAT_MAX. */
#define HEAT_OF_FILL    1u
#define HEAT_OF_REFUSAL 16u
#define HEAT_MAX        256u
#define COOLING         ((uint64_t)1 << 20) /* instructions executed per level */

/* A page whose code is in the way of so many stores loses it, and the next time so many times as many. */
#define PAGE_REFUSALS        32u
#define PAGE_REFUSALS_FACTOR 4u

static unsigned set_of(uint64_t phys)
{
    return (unsigned)(phys * 0x9E3779B97F4A7C15u >> 52) % WINDOW_SETS;
}

static unsigned checked_page(uint64_t phys)
{
    return (unsigned)(phys >> PAGE_SHIFT) % CHECKED_PAGES;
}

bool translator_may_use_window(const struct translator *t, uint64_t phys)
{
    unsigned page = checked_page(phys);
    if (!(t->checked_pages[page / 64] >> (page % 64) & 1)) {
        return true;
    }
    const uint64_t *checked = t->checked[set_of(phys)];
    for (unsigned way = 0; way < WINDOW_WAYS; way++) {
        if (checked[way] == phys + 1) {
            return false;
        }
    }
    return true;
}

/* ---- the window */

void translator_set_window_base(const struct translator *t)
{
    if (t->mode & MODE_DIRECT) {
        host_gs_base_set(t->window, t->cheap_gs_base);
    }
}

void translator_take_window(struct translator *t, bool user)
{
    const uint8_t *window = mmu_window(t->mmu, user);
    if (window != t->window) {
        t->window = window;
        translator_set_window_base(t);
    }
}

/* ---- faults */

/* The instruction at `phys` will be translated with a check when its block is made again. */
static void demote(struct translator *t, uint64_t phys)
{
    uint64_t *checked = t->checked[set_of(phys)];
    unsigned way = 0;
    while (way < WINDOW_WAYS && checked[way] != 0) {
        way++;
    }
    checked[way < WINDOW_WAYS ? way : t->next_checked++ % WINDOW_WAYS] = phys + 1;
    unsigned page = checked_page(phys);
    t->checked_pages[page / 64] |= (uint64_t)1 << (page % 64);
    counter_add(t->cpu->counters, COUNTER_INSNS_DEMOTED, 1);
    code_cache_invalidate(t->cache, (struct code_range){.phys = phys, .length = 1});
}

/* `heat` at the present time. */
static void cool_down(struct window_heat *heat, uint64_t now)
{
    uint64_t cooled = (now - heat->since) / COOLING;
    heat->level = cooled < heat->level ? heat->level - (uint32_t)cooled : 0;
    heat->since += cooled * COOLING;
}

/* The heat of the instruction at `phys`; when it has none, the coolest place of its set becomes its own. */
static struct window_heat *heat_of(struct translator *t, uint64_t phys)
{
    struct window_heat *set = t->window_heat[set_of(phys)];
    struct window_heat *coolest = set;
    for (unsigned way = 0; way < WINDOW_WAYS; way++) {
        cool_down(&set[way], t->cpu->retired);
        if (set[way].phys == phys) {
            return &set[way];
        }
        coolest = set[way].level < coolest->level ? &set[way] : coolest;
    }
    *coolest = (struct window_heat){.phys = phys, .since = t->cpu->retired};
    return coolest;
}

static void heat_up(struct translator *t, uint64_t phys, uint32_t level)
{
    struct window_heat *heat = heat_of(t, phys);
    heat->level += level;
    if (heat->level >= HEAT_MAX) {
        heat->level = 0;
        demote(t, phys);
    }
}

/* A page can be full of code that nobody will execute again, and have become data. Then each instruction that
 * stores there would be demoted, one after the other. True: the page has no code any more. */
static bool drop_code(struct translator *t, const struct code_block *running, uint64_t page)
{
    if (page == MMU_NO_PAGE || (running->phys & ~PAGE_MASK) == page ||
        (running->tail & ~PAGE_MASK) == page) { /* that has to see what it writes over itself */
        return false;
    }
    struct window_page *entry = &t->window_pages[(page >> PAGE_SHIFT) % WINDOW_PAGES];
    if (entry->page != page || entry->limit == 0) {
        *entry = (struct window_page){.page = page, .limit = PAGE_REFUSALS};
    }
    if (++entry->refusals < entry->limit) {
        return false;
    }
    entry->refusals = 0;
    entry->limit *= entry->limit < UINT32_MAX / PAGE_REFUSALS_FACTOR ? PAGE_REFUSALS_FACTOR : 1;
    counter_add(t->cpu->counters, COUNTER_CODE_PAGES_DROPPED, 1);
    memory_bus_drop_code(t->mmu->bus, page);
    return true;
}

static enum mmu_view_result fill(struct translator *t, const struct translator_site *site)
{
    bool user = (t->mode & MODE_USER) != 0;
    return mmu_view_fill(t->mmu, (uint32_t)t->address, site->width, site->kind == SITE_STORE, user);
}

bool translator_fill_window(struct translator *t, const struct translator_site *site)
{
    const struct code_block *block = block_of_site(site);
    uint64_t phys = block->phys + site->offset;
    enum mmu_view_result result = fill(t, site);
    if (result == MMU_VIEW_NOT && drop_code(t, block, t->mmu->code_page)) {
        result = fill(t, site);
    }
    switch (result) {
    case MMU_VIEW_FILLED: heat_up(t, phys, HEAT_OF_FILL); return true;
    case MMU_VIEW_FAULT: counter_add(t->cpu->counters, COUNTER_VIEW_FAULTS, 1); return false;
    case MMU_VIEW_NOT: break;
    }
    counter_add(t->cpu->counters, COUNTER_VIEW_REFUSALS, 1);
    heat_up(t, phys, HEAT_OF_REFUSAL);
    return false;
}

/* The site whose access is made at `pc` in `block`; NULL: there is none. */
static const struct translator_site *window_site_at(const struct code_block *block, const uint8_t *pc)
{
    const struct block_tables *tables = block->tables;
    const struct translator_site *found = NULL;
    for (unsigned i = 0; i < tables->site_count; i++) {
        const struct translator_site *site = &tables->sites[i];
        if (site->window && site->address.from <= pc - block->entry &&
            (found == NULL || site->address.from > found->address.from)) {
            found = site;
        }
    }
    return found;
}

/* A register of the host as the fault found it; 0 for HOST_NONE. */
static uint32_t host_register_at(const struct fault_context *context, unsigned number)
{
    static const uint8_t places[HOST_NONE] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                              REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                              REG_R12, REG_R13, REG_R14, REG_R15};
    return number < HOST_NONE ? (uint32_t)context->registers[places[number]] : 0;
}

/* Does what the code out of line of other sites does. */
static void call_service(const struct translator *t, const struct translator_site *site,
                         const struct fault_context *context)
{
    const struct site_address *address = &site->address;
    if (address->computes) {
        context->registers[REG_R10] =
            (uint32_t)(host_register_at(context, address->base) +
                       (host_register_at(context, address->index) << address->scale) + site->target);
    }
    context->registers[REG_RCX] = (long long)(uintptr_t)site;
    context->registers[REG_RIP] = (long long)(uintptr_t)t->service_of_site;
}

static bool handle_window_fault(struct translator *t, struct fault_context *context)
{
    const uint8_t *pc = (const uint8_t *)(uintptr_t)context->registers[REG_RIP];
    const struct code_block *block = code_cache_at(t->cache, pc);
    if (block == NULL || !(t->mode & MODE_DIRECT)) {
        return false;
    }
    const struct translator_site *site = window_site_at(block, pc);
    bool in_window = context->address - (uintptr_t)t->window < VIEW_WINDOW_SIZE + VIEW_GUARD_SIZE;
    bool misaligned = context->code == SI_KERNEL && site != NULL && site->detail != 0;
    if (site == NULL || !(in_window || misaligned)) {
        return false;
    }
    call_service(t, site, context);
    return true;
}

bool translator_handle_fault(void *opaque, struct fault_context *context)
{
    struct translator *t = opaque;
    if (context->registers == NULL) {
        return false;
    }
    return context->signal == SIGSEGV ? handle_window_fault(t, context) : sensitive_handle_trap(t, context);
}
