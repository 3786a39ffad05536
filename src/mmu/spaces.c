/* Address spaces that come back; see spaces.h. */
#include "mmu/spaces.h"

#include "cpu/cpu.h"
#include "mmu/tlb_fill.h"

static bool is_present(const struct mmu *mmu, const struct space *space)
{
    const struct cpu_state *cpu = mmu->cpu;
    return space->last_use != 0 && space->root == cpu->cr3 &&
           (!(cpu->cr4 & CR4_PAE) || memcmp(space->pdpte, cpu->pdpte, sizeof space->pdpte) == 0);
}

/* A place for the present address space. */
static struct space *take_place(struct mmu *mmu)
{
    struct spaces *spaces = mmu->spaces;
    struct space *oldest = &spaces->spaces[0];
    for (unsigned i = 1; i < SPACES; i++) {
        oldest = spaces->spaces[i].last_use < oldest->last_use ? &spaces->spaces[i] : oldest;
    }
    oldest->root = mmu->cpu->cr3;
    memcpy(oldest->pdpte, mmu->cpu->pdpte, sizeof oldest->pdpte);
    oldest->generation = 0;
    oldest->last_use = ++spaces->clock;
    oldest->visits = oldest->fetch_count = 0;
    memset(oldest->used, 0, sizeof oldest->used);
    return oldest;
}

static struct space *find(struct mmu *mmu)
{
    for (unsigned i = 0; i < SPACES; i++) {
        if (is_present(mmu, &mmu->spaces->spaces[i])) {
            return &mmu->spaces->spaces[i];
        }
    }
    return NULL;
}

/* Where pages are noted. What was before the space was known may be missing. */
static struct space *present(struct mmu *mmu)
{
    struct spaces *spaces = mmu->spaces;
    if (spaces->current == NULL || !is_present(mmu, spaces->current)) {
        spaces->current = take_place(mmu);
    }
    return spaces->current;
}

/* The way of a set where the page is or has to go. */
static unsigned find_way(const struct space *space, unsigned set, uint32_t linear, bool user)
{
    unsigned free_way = SPACE_WAYS;
    for (unsigned way = 0; way < SPACE_WAYS; way++) {
        const struct space_page *page = &space->pages[set][way];
        if (!(space->used[set] >> way & 1)) {
            free_way = way;
        } else if (page->linear == linear && page->user == user) {
            return way;
        }
    }
    return free_way != SPACE_WAYS ? free_way : space->visits % SPACE_WAYS;
}

void spaces_note_page(struct mmu *mmu, uint32_t linear, bool user, const struct paging_result *result)
{
    struct space *space = present(mmu);
    unsigned set = (linear >> PAGE_SHIFT) % SPACE_SETS;
    unsigned way = find_way(space, set, linear, user);
    struct space_page *page = &space->pages[set][way];
    page->linear = linear;
    page->user = user;
    page->result = *result;
    space->used[set] |= 1u << way;
}

void spaces_note_fetch(struct mmu *mmu, uint32_t linear, bool user, uint64_t phys)
{
    struct space *space = present(mmu);
    struct paging_result result;
    uint32_t error_code;
    bool is_sure = space->fetch_count < SPACE_FETCHES &&
                   paging_walk(mmu, linear, MMU_FETCH, user, false, &result, &error_code) &&
                   result.accessed && memory_bus_effective(mmu->bus, result.phys) == phys;
    if (is_sure) {
        space->fetches[space->fetch_count++] = (struct space_fetch){.linear = linear, .proof = result.proof};
    } else {
        space->generation = 0;
    }
}

static void put_back_pages(struct mmu *mmu, struct space *space)
{
    unsigned kept = 0;
    for (unsigned set = 0; set < SPACE_SETS; set++) {
        for (uint32_t left = space->used[set]; left != 0; left &= left - 1) {
            unsigned way = (unsigned)__builtin_ctz(left);
            const struct space_page *page = &space->pages[set][way];
            if (paging_proof_holds(mmu, &page->result.proof)) {
                mmu_put_back(mmu, page->linear, page->user, &page->result);
                kept++;
            } else {
                space->used[set] &= ~(1u << way);
            }
        }
    }
    counter_add(mmu->cpu->counters, COUNTER_TLB_PAGES_KEPT, kept);
}

static bool generation_is_true(const struct mmu *mmu, const struct space *space)
{
    bool is_true = space->generation != 0;
    for (unsigned i = 0; i < space->fetch_count && is_true; i++) {
        is_true = paging_proof_holds(mmu, &space->fetches[i].proof);
    }
    return is_true;
}

uint64_t spaces_enter(struct mmu *mmu)
{
    struct spaces *spaces = mmu->spaces;
    spaces->current = NULL;
    if (!(mmu->cpu->cr0 & CR0_PG)) {
        return 0;
    }
    struct space *space = find(mmu);
    spaces->current = space != NULL ? space : take_place(mmu);
    if (space == NULL) {
        return 0;
    }
    space->last_use = ++spaces->clock;
    if (++space->visits % SPACE_RELEARNED == 0) {
        memset(space->used, 0, sizeof space->used);
    }
    put_back_pages(mmu, space);
    if (!generation_is_true(mmu, space)) {
        return 0;
    }
    for (unsigned i = 0; i < space->fetch_count; i++) {
        mmu_put_back_fetch(mmu, space->fetches[i].linear, space->generation);
    }
    counter_add(mmu->cpu->counters, COUNTER_GENERATIONS_KEPT, 1);
    return space->generation;
}

void spaces_begin_generation(struct mmu *mmu)
{
    struct space *space = mmu->spaces->current;
    if (space != NULL) {
        space->generation = is_present(mmu, space) ? mmu->generation : 0;
        space->fetch_count = 0;
    }
}

void spaces_end_generations(struct mmu *mmu)
{
    for (unsigned i = 0; i < SPACES; i++) {
        mmu->spaces->spaces[i].generation = 0;
    }
}

void spaces_forget(struct mmu *mmu)
{
    for (unsigned i = 0; i < SPACES; i++) {
        mmu->spaces->spaces[i].last_use = 0;
    }
    mmu->spaces->current = NULL;
}
