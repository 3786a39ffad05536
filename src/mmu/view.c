/* Which address spaces have a view, and which of them is the present one; see view.h and view_books.h. */
#include "mmu/view_books.h"

#include <assert.h>
#include <stdlib.h>

#include "cpu/cpu.h"

struct status mmu_enable_views(struct mmu *mmu, int fd)
{
    struct host_window window;
    if (mmu->views != NULL) {
        return status_ok();
    }
    if (fd < 0) {
        return status_error(STATUS_UNSUPPORTED, "the guest's memory cannot be mapped twice on this host");
    }
    struct status status = host_window_reserve(2 * (VIEW_WINDOW_SIZE + VIEW_GUARD_SIZE), &window);
    if (!status_is_ok(&status)) {
        return status;
    }
    host_window_release(&window);
    struct view_pool *pool = calloc(1, sizeof *pool);
    struct view_mapping *mappings = calloc(VIEW_PAGES_MAX + 1, sizeof *mappings);
    if (pool == NULL || mappings == NULL) {
        free(pool);
        free(mappings);
        return status_error(STATUS_NO_MEMORY, "no memory for shadow page tables");
    }
    pool->fd = fd;
    host_window_take_spare(&pool->spare);
    pool->mappings = mappings;
    pool->untouched = VIEW_NO_MAPPING + 1;
    mmu->views = pool;
    return status_ok();
}

/* ---- views */

static struct view_key present_key(const struct mmu *mmu, bool user)
{
    const struct cpu_state *cpu = mmu->cpu;
    if (!(cpu->cr0 & CR0_PG)) {
        return (struct view_key){0};
    }
    struct view_key key = {.root = cpu->cr3,
                           .control = (cpu->cr0 & (CR0_PG | CR0_WP)) | (cpu->cr4 & (CR4_PAE | CR4_PSE)) |
                                      (cpu->efer & EFER_NXE),
                           .user = user};
    if (!user && (cpu->cr4 & CR4_PGE)) {
        key.control |= CR4_PGE;
        key.root = 0;
    }
    return key;
}

static bool keys_are_equal(const struct view_key *a, const struct view_key *b)
{
    return a->root == b->root && a->control == b->control && a->user == b->user;
}

void view_destroy(struct mmu *mmu, struct view *view)
{
    struct view_pool *pool = mmu->views;
    view_forget_all(pool, view);
    for (unsigned user = 0; user < 2; user++) {
        if (pool->current[user] == view) {
            pool->current[user] = NULL;
        }
    }
    host_window_release(&view->window);
    *view = (struct view){.index = view->index, .regions = view->regions}; /* all zeroes, for the next one */
}

struct view *view_oldest(struct view_pool *pool)
{
    struct view *oldest = NULL;
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        struct view *view = &pool->views[i];
        bool current = view == pool->current[0] || view == pool->current[1];
        if (view->window.base != NULL && !current && (oldest == NULL || view->last_use < oldest->last_use)) {
            oldest = view;
        }
    }
    return oldest;
}

static struct view *find_view(struct view_pool *pool, const struct view_key *key)
{
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        if (pool->views[i].window.base != NULL && keys_are_equal(&pool->views[i].key, key)) {
            return &pool->views[i];
        }
    }
    return NULL;
}

/* NULL: there is none but the current ones. */
static struct view *evict_oldest(struct mmu *mmu)
{
    struct view *view = view_oldest(mmu->views);
    if (view != NULL) {
        view_destroy(mmu, view);
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_EVICTED, 1);
    }
    return view;
}

/* A place for one more view, where there is one at all. */
static struct view *find_place(struct mmu *mmu)
{
    struct view_pool *pool = mmu->views;
    for (unsigned i = 0; i < VIEWS_MAX; i++) {
        if (pool->views[i].window.base == NULL) {
            return &pool->views[i];
        }
    }
    return evict_oldest(mmu);
}

static struct view *create_view(struct mmu *mmu, const struct view_key *key)
{
    struct view *view = find_place(mmu);
    struct status status = host_window_reserve(VIEW_WINDOW_SIZE + VIEW_GUARD_SIZE, &view->window);
    while (!status_is_ok(&status)) { /* the host has no more addresses for us (ulimit -v) */
        view = evict_oldest(mmu);
        if (view == NULL) {
            return NULL;
        }
        status = host_window_reserve(VIEW_WINDOW_SIZE + VIEW_GUARD_SIZE, &view->window);
    }
    if (view->index == NULL) {
        view->index = calloc(VIEW_PAGES, sizeof *view->index);
    }
    if (view->regions == NULL) {
        view->regions = calloc(VIEW_REGIONS, sizeof *view->regions);
    }
    if (view->index == NULL || view->regions == NULL) {
        view_destroy(mmu, view);
        return NULL;
    }
    view->key = *key;
    view->pieces = 1;
    counter_add(mmu->cpu->counters, COUNTER_VIEWS_CREATED, 1);
    return view;
}

/* ---- the present address space */

static struct view *look_up(struct mmu *mmu, bool user)
{
    struct view_pool *pool = mmu->views;
    struct view_key key = present_key(mmu, user);
    struct view *view = find_view(pool, &key);
    if (view == NULL) {
        return mmu->strategy == MMU_SHADOW ? create_view(mmu, &key) : NULL;
    }
    if (view_is_paged(view)) {
        view_compare(mmu, view);
    }
    return view;
}

uint8_t *mmu_window(struct mmu *mmu, bool user)
{
    struct view_pool *pool = mmu->views;
    if (pool == NULL || (user && mmu->cpu->alignment_checks)) {
        return NULL;
    }
    if (!pool->known[user]) {
        pool->current[user] = look_up(mmu, user);
        pool->known[user] = true;
        if (pool->current[user] != NULL) {
            pool->current[user]->last_use = ++pool->clock;
        }
    }
    return pool->current[user] != NULL ? pool->current[user]->window.base : NULL;
}

static void expire(struct view_pool *pool, bool user)
{
    pool->known[user] = false;
    pool->current[user] = NULL;
}

void views_expire(struct mmu *mmu)
{
    if (mmu->views != NULL) {
        expire(mmu->views, false);
        expire(mmu->views, true);
    }
}

void views_expire_space(struct mmu *mmu)
{
    struct view_pool *pool = mmu->views;
    if (pool != NULL) {
        expire(pool, true);
        if (pool->current[0] == NULL || !view_is_shared(pool->current[0])) {
            expire(pool, false);
        } else {
            view_compare_space(mmu, pool->current[0]);
        }
    }
}

void views_clear(struct mmu *mmu)
{
    for (unsigned i = 0; mmu->views != NULL && i < VIEWS_MAX; i++) {
        if (mmu->views->views[i].window.base != NULL) {
            view_destroy(mmu, &mmu->views->views[i]);
        }
    }
    views_expire(mmu);
}

void views_destroy(struct mmu *mmu)
{
    views_clear(mmu);
    if (mmu->views != NULL) {
        for (unsigned i = 0; i < VIEWS_MAX; i++) {
            free(mmu->views->views[i].index);
            free(mmu->views->views[i].regions);
        }
        host_window_release(&mmu->views->spare);
        free(mmu->views->mappings);
        free(mmu->views);
        mmu->views = NULL;
    }
}

/* ---- policy */

static struct view_candidate *candidate_for(struct view_pool *pool, const struct view_key *key)
{
    struct view_candidate *oldest = &pool->candidates[0];
    for (unsigned i = 0; i < VIEW_CANDIDATES; i++) {
        struct view_candidate *candidate = &pool->candidates[i];
        if (candidate->factor != 0 && keys_are_equal(&candidate->key, key)) {
            return candidate;
        }
        oldest = candidate->last_use < oldest->last_use ? candidate : oldest;
    }
    *oldest = (struct view_candidate){.key = *key, .factor = 1};
    return oldest;
}

void views_note_page(struct mmu *mmu, uint32_t linear, bool user, bool region)
{
    uint32_t page = linear >> PAGE_SHIFT;
    if (mmu->views != NULL) {
        uint32_t bit = (region ? page & ~(VIEW_REGION_PAGES - 1) : page) % VIEW_PAGES_COUNTED;
        mmu->views->pages[user].set[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
}

/* The candidate has used these pages, too; how many that makes. */
static unsigned add_pages(struct view_candidate *candidate, const struct view_pages *pages)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(pages->set); i++) {
        candidate->pages.set[i] |= pages->set[i];
        count += (unsigned)__builtin_popcountll(candidate->pages.set[i]);
    }
    return count;
}

void mmu_note_executed(struct mmu *mmu, bool user, uint64_t instructions)
{
    struct view_pool *pool = mmu->views;
    if (pool == NULL || !pool->known[user]) {
        return;
    }
    struct view_key key = present_key(mmu, user);
    struct view *view = pool->current[user];
    if (view != NULL) {
        view->executed += instructions;
        view->debt -= view->debt < instructions ? view->debt : instructions;
        pool->pages[user] = (struct view_pages){{0}};
        if (mmu->strategy == MMU_SHADOW || view->debt < VIEW_DEBT_MAX) {
            return;
        }
        view_destroy(mmu, view);
        mmu_begin_generation(mmu);
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_DEMOTED, 1);
    }
    struct view_candidate *candidate = candidate_for(pool, &key);
    candidate->last_use = ++pool->clock;
    if (view != NULL) {
        candidate->executed = 0;
        candidate->factor *= VIEW_DEMOTION;
    }
    candidate->executed += instructions;
    uint64_t needed = (key.control != 0 ? VIEW_PROMOTION : VIEW_PROMOTION_UNPAGED) +
                      VIEW_PAGE_COST * add_pages(candidate, &pool->pages[user]);
    pool->pages[user] = (struct view_pages){{0}};
    if (candidate->executed >= candidate->factor * needed) {
        candidate->executed = 0;
        create_view(mmu, &key);
        views_expire(mmu); /* without paging, the other privilege has it, too */
        mmu_begin_generation(mmu);
    }
}

/* ---- info */

void mmu_for_each_view(struct mmu *mmu, void (*visit)(void *opaque, const struct mmu_view_info *info),
                       void *opaque)
{
    struct view_pool *pool = mmu->views;
    for (unsigned i = 0; pool != NULL && i < VIEWS_MAX; i++) {
        const struct view *view = &pool->views[i];
        if (view->window.base == NULL) {
            continue;
        }
        struct mmu_view_info info = {.root = view->key.root,
                                     .paged = view->key.control != 0,
                                     .user = view->key.user,
                                     .shared = view_is_shared(view),
                                     .current = view == pool->current[0] || view == pool->current[1],
                                     .pages = view->pages,
                                     .pieces = view->pieces,
                                     .fills = view->fills,
                                     .executed = view->executed};
        for (uint32_t page = 0; page < VIEW_PAGES; page++) {
            info.writable +=
                view->index[page] != VIEW_NO_MAPPING && pool->mappings[view->index[page]].writable;
        }
        visit(opaque, &info);
    }
}
