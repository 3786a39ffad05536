/* Hidden faults: which page of the guest's memory belongs where in a window, and how many with it; see
 * view_books.h. */
#include "mmu/view_books.h"

#include <assert.h>

/* What a page of the window would be. */
struct target {
    struct view_mapping mapping; /* .frame, .place and .writable */
    bool large;                  /* the guest's page is, or there is no paging: neighbours need no walk */
};

/* False: the page is not plain memory behind pool->fd. */
static bool find_target(struct mmu *mmu, const struct view *view, const struct paging_result *result,
                        struct target *target)
{
    uint64_t phys = memory_bus_effective(mmu->bus, result->phys);
    const struct memory_page *page = memory_bus_page(mmu->bus, phys);
    const uint8_t *ram = memory_bus_ram(mmu->bus);
    if (!view_may_have(view, result) || mmu_frame_needs_care(mmu, phys) || page->read == NULL ||
        (uint64_t)((uintptr_t)page->read - (uintptr_t)ram) >= mmu->ram_fd_size) {
        return false;
    }
    bool writable = result->writable && result->dirty && page->write == page->read && page->code_lines == 0;
    *target = (struct target){.mapping = {.frame = (uint32_t)(phys >> PAGE_SHIFT),
                                          .place = (uint32_t)((uint64_t)(page->read - ram) >> PAGE_SHIFT),
                                          .writable = writable},
                              .large = result->large || !view_is_paged(view)};
    return true;
}

/* ---- neighbours, which nobody has asked for */

struct run {
    uint32_t page;
    struct paging_result result; /* of that page */
    struct target target;
    uint32_t first; /* from here on */
    unsigned count; /* pages will be mapped, `page` among them */
};

/* Whether `page` is as the run's page is, and follows it in RAM as it does in the window. */
static bool continues(struct mmu *mmu, const struct view *view, const struct run *run, uint32_t page)
{
    struct paging_result result = run->result;
    struct target target;
    uint32_t error_code;
    uint32_t number = view->index[page];
    /* What is mapped for reading comes to be written with its neighbours. */
    if (number != VIEW_NO_MAPPING &&
        (!run->target.mapping.writable || mmu->views->mappings[number].writable)) {
        return false;
    }
    if (mmu_page_needs_care(mmu, (uint64_t)page << PAGE_SHIFT, view->key.user)) {
        return false;
    }
    if (run->target.large) {
        result.phys += ((uint64_t)page - run->page) << PAGE_SHIFT;
    } else if (!paging_walk(mmu, (uint64_t)page << PAGE_SHIFT, MMU_LOAD, view->key.user, false, &result,
                            &error_code) ||
               !result.accessed) {
        return false;
    }
    return result.global == run->result.global && find_target(mmu, view, &result, &target) &&
           target.mapping.writable == run->target.mapping.writable &&
           target.mapping.frame - run->target.mapping.frame == page - run->page &&
           target.mapping.place - run->target.mapping.place == page - run->page;
}

/* How far a run goes, within the 2 MiB around its page. */
static void measure_run(struct mmu *mmu, const struct view *view, struct run *run)
{
    uint32_t end = (run->page | (VIEW_REGION_PAGES - 1)) + 1;
    uint32_t start = run->target.large ? end - VIEW_REGION_PAGES : run->page;
    if (!run->target.large && end > run->page + VIEW_NEIGHBOURS) {
        end = run->page + VIEW_NEIGHBOURS;
    }
    uint32_t first = run->page;
    uint32_t last = run->page;
    while (last + 1 < end && continues(mmu, view, run, last + 1)) {
        last++;
    }
    while (first > start && continues(mmu, view, run, first - 1)) {
        first--;
    }
    run->first = first;
    run->count = last + 1 - first;
}

/* ---- room */

/* Makes room for `pages` more. */
static void reclaim(struct mmu *mmu, unsigned pages)
{
    struct view_pool *pool = mmu->views;
    for (;;) {
        unsigned total_pages = pages;
        unsigned total_pieces = 0;
        struct view *largest = NULL;
        for (unsigned i = 0; i < VIEWS_MAX; i++) {
            struct view *view = &pool->views[i];
            total_pages += view->pages;
            total_pieces += view->pieces;
            largest = largest == NULL || view->pieces > largest->pieces ? view : largest;
        }
        if (total_pages <= VIEW_PAGES_MAX && total_pieces < VIEW_PIECES_MAX) {
            return;
        }
        struct view *oldest = view_oldest(pool);
        counter_add(mmu->cpu->counters, COUNTER_VIEW_RECLAIMS, 1);
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_EVICTED, 1);
        if (oldest != NULL) {
            view_destroy(mmu, oldest);
        } else {
            view_empty(pool, largest);
        }
    }
}

static enum mmu_view_result map_run(struct mmu *mmu, struct view *view, const struct run *run)
{
    struct view_pool *pool = mmu->views;
    struct view_mapping mapping = run->target.mapping;
    mapping.frame -= run->page - run->first;
    mapping.place -= run->page - run->first;
    reclaim(mmu, run->count);
    for (unsigned i = 0; i < (run->target.large ? 1 : run->count); i++) {
        view_copy_entry(mmu, view, run->first + i);
    }
    if (!host_window_map(&view->window, (uint64_t)run->first << PAGE_SHIFT,
                         (uint64_t)run->count << PAGE_SHIFT, pool->fd, (uint64_t)mapping.place << PAGE_SHIFT,
                         mapping.writable, run->count <= VIEW_NEIGHBOURS)) {
        view_give_in(mmu, view);
        return MMU_VIEW_NOT;
    }
    counter_add(mmu->cpu->counters, COUNTER_VIEW_PAGES, run->count);
    for (unsigned i = 0; i < run->count; i++, mapping.frame++, mapping.place++) {
        if (view->index[run->first + i] != VIEW_NO_MAPPING) {
            view_forget_page(pool, view, run->first + i);
        }
        view_remember_page(pool, view, run->first + i, &mapping);
    }
    if (view_is_of_space(view, &run->result)) {
        view_mark_of_space(view, run->page);
    }
    return MMU_VIEW_FILLED;
}

/* The page that a store is refused to, if that is because of its code; MMU_NO_PAGE otherwise. */
static uint64_t code_page(struct mmu *mmu, const struct paging_result *result)
{
    const struct memory_page *page = memory_bus_page(mmu->bus, result->phys);
    bool is_writable = result->writable && result->dirty && page->write == page->read && !page->watched;
    return is_writable ? memory_bus_effective(mmu->bus, result->phys) & ~PAGE_MASK : MMU_NO_PAGE;
}

static enum mmu_view_result fill_page(struct mmu *mmu, struct view *view, uint32_t linear, bool store)
{
    struct view_pool *pool = mmu->views;
    struct run run = {.page = linear >> PAGE_SHIFT};
    uint32_t number = view->index[run.page];
    if (number != VIEW_NO_MAPPING && (!store || pool->mappings[number].writable)) {
        return MMU_VIEW_FILLED;
    }
    if (mmu_page_needs_care(mmu, linear, view->key.user)) {
        return MMU_VIEW_NOT;
    }
    if (!mmu_try_translate(mmu, linear, store ? MMU_STORE : MMU_LOAD, view->key.user, &run.result,
                           &mmu->fast_error)) {
        mmu->fast_faulted = true;
        return MMU_VIEW_FAULT;
    }
    if (store && memory_bus_page(mmu->bus, run.result.phys)->watched) {
        memory_bus_note_write(mmu->bus, run.result.phys, 1);
    }
    if (!find_target(mmu, view, &run.result, &run.target)) {
        return MMU_VIEW_NOT;
    }
    if (store && !run.target.mapping.writable) {
        mmu->code_page = code_page(mmu, &run.result);
        return MMU_VIEW_NOT;
    }
    if (number != VIEW_NO_MAPPING) {
        view_forget_page(pool, view, run.page);
    }
    view->fills++;
    view->debt += VIEW_FILL_COST;
    counter_add(mmu->cpu->counters, COUNTER_VIEW_FILLS, 1);
    measure_run(mmu, view, &run);
    return map_run(mmu, view, &run);
}

enum mmu_view_result mmu_view_fill(struct mmu *mmu, uint32_t linear, unsigned width, bool store, bool user)
{
    struct view *view = mmu->views->current[user];
    uint32_t last = linear + width - 1;
    assert(mmu->views->known[user] && view != NULL);
    mmu->fast_faulted = false;
    mmu->code_page = MMU_NO_PAGE;
    if (last < linear) {
        return MMU_VIEW_NOT;
    }
    enum mmu_view_result result = fill_page(mmu, view, linear, store);
    if ((linear ^ last) >= PAGE_SIZE) {
        if (result == MMU_VIEW_FILLED) {
            result = fill_page(mmu, view, last & ~(uint32_t)PAGE_MASK, store);
        }
        mmu->fast_faulted = false; /* that is only for accesses within one page */
    }
    return result;
}
