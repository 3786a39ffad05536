/* Walks for translated code; see plain_walk.h. This file is compiled for general registers only: it calls
 * nothing that is not inline, or NEVER_INLINE: functions that are only left by tail calls, or not at all,
 * need no registers but those they may change. */
#include "mmu/plain_walk.h"

#include "cpu/probe.h"
#include "mmu/paging_walk.h"
#include "mmu/tlb_fill.h"

enum { WIDTH_MASK = (1 << PLAIN_WALK_ALIGNMENT_SHIFT) - 1 };

NEVER_INLINE uint8_t *store_unless_code(const struct memory_page *page, unsigned offset, unsigned width)
{
    return page_access_is_plain(page, offset, width, true) ? page->read + offset : NULL;
}

ALWAYS_INLINE uint8_t *find_memory(const struct mmu *mmu, uint64_t phys, uint32_t access, bool store)
{
    if (!store) {
        return memory_map_host(mmu->map, phys);
    }
    const struct memory_page *page = memory_map_page(mmu->map, phys);
    unsigned offset = (unsigned)(phys & PAGE_MASK);
    if (__builtin_expect(page->code_lines != 0, 0)) {
        return store_unless_code(page, offset, access & WIDTH_MASK);
    }
    return page->write != NULL && page->write == page->read ? page->write + offset : NULL;
}

ALWAYS_INLINE uint8_t *walk_for_access(struct mmu *mmu, uint32_t linear, uint32_t access, bool store,
                                       bool user, bool pae)
{
    struct walk walk = walk_of(mmu, linear, store ? MMU_STORE : MMU_LOAD, user);
    struct paging_result result;
    uint32_t error_code;
    walk.plain = true;
    if (log_is_enabled(mmu->cpu->log, LOG_MMU) ||
        !(pae ? walk_pae(&walk, &result, &error_code) : walk_32bit(&walk, &result, &error_code))) {
        return NULL;
    }
    counter_add(mmu->cpu->counters, COUNTER_PAGE_WALKS, 1);
    return find_memory(mmu, result.phys, access, store);
}

NEVER_INLINE uint8_t *load_by_pae(struct mmu *mmu, uint32_t linear, uint32_t access, bool user)
{
    return walk_for_access(mmu, linear, access, false, user, true);
}

NEVER_INLINE uint8_t *store_by_pae(struct mmu *mmu, uint32_t linear, uint32_t access, bool user)
{
    return walk_for_access(mmu, linear, access, true, user, true);
}

ALWAYS_INLINE uint8_t *plain_walk(struct mmu *mmu, uint32_t linear, uint32_t access, bool store, bool user)
{
    const struct cpu_state *cpu = mmu->cpu;
    bool is_watched = cpu_probe_has_watches(cpu) || cpu_probe_has_loads(cpu);
    bool careful = (cpu->pending & CPU_PENDING_DEBUG) || is_watched || (user && cpu->alignment_checks);
    bool in_page = (linear & PAGE_MASK) + (access & WIDTH_MASK) <= PAGE_SIZE &&
                   !(linear & access >> PLAIN_WALK_ALIGNMENT_SHIFT);
    if (careful || !in_page) {
        return NULL;
    }
    if (!(cpu->cr0 & CR0_PG)) {
        return find_memory(mmu, linear, access, store);
    }
    if (!(cpu->cr4 & CR4_PAE)) {
        return walk_for_access(mmu, linear, access, store, user, false);
    }
    return store ? store_by_pae(mmu, linear, access, user) : load_by_pae(mmu, linear, access, user);
}

uint8_t *mmu_plain_load(struct mmu *mmu, uint32_t linear, uint32_t access)
{
    return plain_walk(mmu, linear, access, false, false);
}

uint8_t *mmu_plain_store(struct mmu *mmu, uint32_t linear, uint32_t access)
{
    return plain_walk(mmu, linear, access, true, false);
}

uint8_t *mmu_plain_user_load(struct mmu *mmu, uint32_t linear, uint32_t access)
{
    return plain_walk(mmu, linear, access, false, true);
}

uint8_t *mmu_plain_user_store(struct mmu *mmu, uint32_t linear, uint32_t access)
{
    return plain_walk(mmu, linear, access, true, true);
}
