/* Shadow page tables; see view.h. */
#include "mmu/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "host/host_window.h"
#include "mmu/tlb_fill.h"

#define PAGES          (1u << 20) /* of a window */
#define REGION_SHIFT   9u         /* pages of 2 MiB */
#define REGION_PAGES   (1u << REGION_SHIFT)
#define REGIONS        (PAGES / REGION_PAGES)
#define PHYS_BUCKETS   16384u
#define CANDIDATES     64u
#define NO_MAPPING     0u
#define BAD_PAGES_MANY 8u /* in one region: it is emptied as a whole */

struct view_key {
    uint64_t root;
    uint64_t control; /* CR0.PG, CR0.WP, CR4.PSE, CR4.PAE and EFER.NXE have no bit in common */
    bool user;
};

/* One page in one window. */
struct mapping {
    uint64_t phys; /* effective, of the page */
    uint32_t page; /* linear */
    uint32_t next; /* of those with the same hash of `phys`, or free ones */
    uint16_t view;
    bool writable;
};

struct region {
    unsigned count;          /* pages mapped */
    struct paging_path path; /* when they were last compared; `entries` is not used */
    uint8_t *copy;           /* of the last level's entries; NULL: there were none */
};

struct view {
    struct view_key key;
    struct host_window window; /* base NULL: this view does not exist */
    uint32_t *index;           /* [page]: its mapping */
    struct region *regions;    /* [REGIONS] */
    uint64_t used_regions[REGIONS / 64];
    uint64_t last_use; /* of pool->clock */
    uint64_t debt, executed, fills;
    unsigned pages, pieces;
};

/* An address space that may get a view. */
struct candidate {
    struct view_key key;
    uint64_t executed, needed, last_use;
};

struct view_pool {
    int fd;
    uint64_t clock;
    struct view views[VIEWS_MAX];
    struct view *current[2]; /* [user]; NULL: none */
    bool known[2];           /* `current` is that of the present address space, and true */
    struct mapping *mappings;
    uint32_t free, untouched; /* a list, and those that were never used from here on */
    uint32_t by_phys[PHYS_BUCKETS];
    struct candidate candidates[CANDIDATES];
};

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
    struct mapping *mappings = calloc(VIEW_PAGES_MAX + 1, sizeof *mappings);
    if (pool == NULL || mappings == NULL) {
        free(pool);
        free(mappings);
        return status_error(STATUS_NO_MEMORY, "no memory for shadow page tables");
    }
    pool->fd = fd;
    pool->mappings = mappings;
    pool->untouched = NO_MAPPING + 1;
    mmu->views = pool;
    return status_ok();
}

/* ---- single pages */

static uint32_t *phys_bucket(struct view_pool *pool, uint64_t phys)
{
    return &pool->by_phys[(phys >> PAGE_SHIFT) % PHYS_BUCKETS];
}

static uint32_t new_mapping(struct view_pool *pool)
{
    uint32_t number = pool->free;
    if (number != NO_MAPPING) {
        pool->free = pool->mappings[number].next;
    } else if (pool->untouched <= VIEW_PAGES_MAX) {
        number = pool->untouched++;
    }
    return number;
}

/* Takes the page out of our books; the host's are the caller's. */
static void forget_page(struct view_pool *pool, struct view *view, uint32_t page)
{
    uint32_t number = view->index[page];
    struct mapping *mapping = &pool->mappings[number];
    struct region *region = &view->regions[page >> REGION_SHIFT];
    uint32_t *link = phys_bucket(pool, mapping->phys);
    while (*link != number) {
        link = &pool->mappings[*link].next;
    }
    *link = mapping->next;
    mapping->next = pool->free;
    pool->free = number;
    view->index[page] = NO_MAPPING;
    view->pages--;
    if (--region->count == 0) {
        view->used_regions[page >> REGION_SHIFT >> 6] &= ~((uint64_t)1 << (page >> REGION_SHIFT & 63));
        free(region->copy);
        *region = (struct region){0};
    }
}

static void forget_region(struct view_pool *pool, struct view *view, unsigned region)
{
    uint32_t first = region << REGION_SHIFT;
    for (uint32_t page = first; page < first + REGION_PAGES && view->regions[region].count != 0; page++) {
        if (view->index[page] != NO_MAPPING) {
            forget_page(pool, view, page);
        }
    }
}

/* Calls `visit` for each region with pages in it; it may empty that region. */
static void for_each_region(struct mmu *mmu, struct view *view,
                            void (*visit)(struct mmu *mmu, struct view *view, unsigned region))
{
    for (unsigned word = 0; word < ARRAY_COUNT(view->used_regions); word++) {
        for (uint64_t bits = view->used_regions[word]; bits != 0; bits &= bits - 1) {
            visit(mmu, view, word * 64 + (unsigned)__builtin_ctzll(bits));
        }
    }
}

static void forget_pages_of(struct mmu *mmu, struct view *view, unsigned region)
{
    forget_region(mmu->views, view, region);
}

/* One mapping over everything needs no more of them than there are: the host does not refuse that. */
static void empty(struct mmu *mmu, struct view *view)
{
    for_each_region(mmu, view, forget_pages_of);
    view->pieces = 0;
    bool unmapped = host_window_unmap(&view->window, 0, view->window.length);
    assert(unmapped);
    (void)unmapped;
}

static void drop_page(struct mmu *mmu, struct view *view, uint32_t page)
{
    forget_page(mmu->views, view, page);
    view->pieces += 2;
    if (!host_window_unmap(&view->window, (uint64_t)page << PAGE_SHIFT, PAGE_SIZE)) {
        empty(mmu, view);
    }
}

void views_drop_page(struct mmu *mmu, uint32_t linear)
{
    struct view_pool *pool = mmu->views;
    uint32_t page = linear >> PAGE_SHIFT;
    for (unsigned user = 0; pool != NULL && user < 2; user++) {
        /* A view that is not known to be true will be compared, which finds this too. */
        if (pool->known[user] && pool->current[user] != NULL &&
            pool->current[user]->index[page] != NO_MAPPING) {
            drop_page(mmu, pool->current[user], page);
        }
    }
}

void views_refuse_stores(struct mmu *mmu, uint64_t phys)
{
    struct view_pool *pool = mmu->views;
    phys &= ~PAGE_MASK;
    for (uint32_t number = pool != NULL ? *phys_bucket(pool, phys) : NO_MAPPING; number != NO_MAPPING;) {
        struct mapping *mapping = &pool->mappings[number];
        number = mapping->next;
        if (mapping->phys != phys || !mapping->writable) {
            continue;
        }
        struct view *view = &pool->views[mapping->view];
        mapping->writable = false;
        view->pieces += 2;
        if (!host_window_protect(&view->window, (uint64_t)mapping->page << PAGE_SHIFT, PAGE_SIZE)) {
            empty(mmu, view);
            number = *phys_bucket(pool, phys); /* the list has changed */
        }
    }
}

/* ---- views */

static struct view_key present_key(const struct mmu *mmu, bool user)
{
    const struct cpu_state *cpu = mmu->cpu;
    if (!(cpu->cr0 & CR0_PG)) {
        return (struct view_key){.user = user};
    }
    return (struct view_key){.root = cpu->cr3,
                             .control = (cpu->cr0 & (CR0_PG | CR0_WP)) | (cpu->cr4 & (CR4_PAE | CR4_PSE)) |
                                        (cpu->efer & EFER_NXE),
                             .user = user};
}

static bool keys_are_equal(const struct view_key *a, const struct view_key *b)
{
    return a->root == b->root && a->control == b->control && a->user == b->user;
}

static void destroy(struct mmu *mmu, struct view *view)
{
    struct view_pool *pool = mmu->views;
    for_each_region(mmu, view, forget_pages_of);
    for (unsigned user = 0; user < 2; user++) {
        if (pool->current[user] == view) {
            pool->current[user] = NULL;
        }
    }
    host_window_release(&view->window);
    free(view->index);
    free(view->regions);
    *view = (struct view){0};
}

/* The view that was not used for the longest time among those that are not current; NULL: there is none. */
static struct view *oldest_view(struct view_pool *pool)
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

static struct view *create_view(struct mmu *mmu, const struct view_key *key)
{
    struct view_pool *pool = mmu->views;
    struct view *view = NULL;
    for (unsigned i = 0; i < VIEWS_MAX && view == NULL; i++) {
        view = pool->views[i].window.base == NULL ? &pool->views[i] : NULL;
    }
    if (view == NULL) {
        view = oldest_view(pool);
        destroy(mmu, view);
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_EVICTED, 1);
    }
    struct status status = host_window_reserve(VIEW_WINDOW_SIZE + VIEW_GUARD_SIZE, &view->window);
    if (!status_is_ok(&status)) {
        return NULL;
    }
    view->index = calloc(PAGES, sizeof *view->index);
    view->regions = calloc(REGIONS, sizeof *view->regions);
    if (view->index == NULL || view->regions == NULL) {
        destroy(mmu, view);
        return NULL;
    }
    view->key = *key;
    counter_add(mmu->cpu->counters, COUNTER_VIEWS_CREATED, 1);
    return view;
}

/* ---- comparing with the guest's tables */

static bool page_is_true(struct mmu *mmu, const struct view *view, const struct mapping *mapping)
{
    struct paging_result result;
    uint32_t error_code;
    uint64_t linear = (uint64_t)mapping->page << PAGE_SHIFT;
    return paging_walk(mmu, linear, MMU_LOAD, view->key.user, false, &result, &error_code) &&
           memory_bus_effective(mmu->bus, result.phys) == mapping->phys && result.accessed &&
           (!mapping->writable || (result.writable && result.dirty));
}

/* Keeps what the pages of a region depend on. */
static void copy_path(struct region *region, const struct paging_path *path)
{
    region->path = *path;
    if (path->entries == NULL) {
        free(region->copy);
        region->copy = NULL;
        return;
    }
    if (region->copy == NULL) {
        region->copy = malloc(PAGING_PATH_MAX);
    }
    if (region->copy != NULL) {
        memcpy(region->copy, path->entries, path->length);
    }
}

static bool path_is_the_same(const struct region *region, const struct paging_path *path)
{
    return region->path.upper[0] == path->upper[0] && region->path.upper[1] == path->upper[1] &&
           (region->path.entries == NULL) == (path->entries == NULL) &&
           (path->entries == NULL ||
            (region->copy != NULL && memcmp(region->copy, path->entries, path->length) == 0));
}

static void compare_pages(struct mmu *mmu, struct view *view, unsigned number)
{
    struct view_pool *pool = mmu->views;
    struct region *region = &view->regions[number];
    uint32_t first = number << REGION_SHIFT;
    uint32_t bad[BAD_PAGES_MANY];
    unsigned bad_count = 0;
    for (uint32_t page = first; page < first + REGION_PAGES; page++) {
        if (view->index[page] != NO_MAPPING && !page_is_true(mmu, view, &pool->mappings[view->index[page]])) {
            if (bad_count == BAD_PAGES_MANY) {
                forget_region(pool, view, number);
                if (!host_window_unmap(&view->window, (uint64_t)first << PAGE_SHIFT,
                                       (uint64_t)REGION_PAGES << PAGE_SHIFT)) {
                    empty(mmu, view);
                }
                return;
            }
            bad[bad_count++] = page;
        }
    }
    for (unsigned i = 0; i < bad_count && region->count != 0; i++) {
        drop_page(mmu, view, bad[i]);
    }
}

static void compare_region(struct mmu *mmu, struct view *view, unsigned number)
{
    struct paging_path path;
    struct region *region = &view->regions[number];
    paging_find_path(mmu, (uint64_t)number << REGION_SHIFT << PAGE_SHIFT, &path);
    if (region->count == 0 || path_is_the_same(region, &path)) {
        return;
    }
    compare_pages(mmu, view, number);
    if (region->count != 0) {
        copy_path(region, &path);
    }
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
    if (key.control != 0) {
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_COMPARED, 1);
        for_each_region(mmu, view, compare_region);
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

void views_expire(struct mmu *mmu)
{
    struct view_pool *pool = mmu->views;
    if (pool != NULL) {
        pool->known[0] = pool->known[1] = false;
        pool->current[0] = pool->current[1] = NULL;
    }
}

void views_clear(struct mmu *mmu)
{
    for (unsigned i = 0; mmu->views != NULL && i < VIEWS_MAX; i++) {
        if (mmu->views->views[i].window.base != NULL) {
            destroy(mmu, &mmu->views->views[i]);
        }
    }
    views_expire(mmu);
}

void views_destroy(struct mmu *mmu)
{
    views_clear(mmu);
    if (mmu->views != NULL) {
        free(mmu->views->mappings);
        free(mmu->views);
        mmu->views = NULL;
    }
}

/* ---- filling */

/* What a page of the window would be. */
struct target {
    uint64_t phys;
    uint64_t ram_offset;
    bool writable;
};

/* False: the page is not plain RAM. */
static bool find_target(struct mmu *mmu, const struct paging_result *result, struct target *target)
{
    uint64_t phys = memory_bus_effective(mmu->bus, result->phys) & ~PAGE_MASK;
    const struct memory_page *page = memory_bus_page(mmu->bus, phys);
    const uint8_t *ram = memory_bus_ram(mmu->bus);
    if (page->read == NULL || page->read < ram || page->read >= ram + memory_bus_ram_size(mmu->bus)) {
        return false;
    }
    *target = (struct target){.phys = phys,
                              .ram_offset = (uint64_t)(page->read - ram),
                              .writable = result->writable && result->dirty && page->write == page->read &&
                                          page->code_lines == 0};
    return true;
}

/* Keeps what a page that is about to be mapped depends on. The copy of the others' entries stays as it was
 * when they were mapped: they may have changed since. May drop pages of the region. */
static void copy_entry(struct mmu *mmu, struct view *view, uint32_t page)
{
    struct region *region = &view->regions[page >> REGION_SHIFT];
    struct paging_path path = {0};
    if (view->key.control == 0) {
        return;
    }
    paging_find_path(mmu, (uint64_t)page << PAGE_SHIFT, &path);
    bool same = region->path.upper[0] == path.upper[0] && region->path.upper[1] == path.upper[1];
    if (!same && region->count != 0) {
        compare_pages(mmu, view, page >> REGION_SHIFT);
    }
    if (!same || region->count == 0) {
        copy_path(region, &path);
    } else if (region->copy != NULL && path.entries != NULL) {
        unsigned size = path.length / REGION_PAGES;
        unsigned offset = (page & (REGION_PAGES - 1)) * size;
        memcpy(region->copy + offset, path.entries + offset, size);
    }
}

static void remember_page(struct mmu *mmu, struct view *view, uint32_t page, const struct target *target,
                          uint32_t number)
{
    struct view_pool *pool = mmu->views;
    struct region *region = &view->regions[page >> REGION_SHIFT];
    uint32_t *bucket = phys_bucket(pool, target->phys);
    pool->mappings[number] = (struct mapping){.phys = target->phys,
                                              .page = page,
                                              .next = *bucket,
                                              .view = (uint16_t)(view - pool->views),
                                              .writable = target->writable};
    *bucket = number;
    view->index[page] = number;
    view->pages++;
    region->count++;
    view->used_regions[page >> REGION_SHIFT >> 6] |= (uint64_t)1 << (page >> REGION_SHIFT & 63);
}

/* The translation of a neighbour, which nobody has asked for. */
static bool translate_neighbour(struct mmu *mmu, const struct view *view, uint32_t page,
                                struct paging_result *result)
{
    uint32_t error_code;
    if (view->key.control == 0) {
        *result = (struct paging_result){
            .phys = (uint64_t)page << PAGE_SHIFT, .writable = true, .dirty = true, .accessed = true};
        return true;
    }
    return paging_walk(mmu, (uint64_t)page << PAGE_SHIFT, MMU_LOAD, view->key.user, false, result,
                       &error_code) &&
           result->accessed;
}

/* How many pages from `page` on, which is `first`, continue it in RAM and have its rights. */
static unsigned run_length(struct mmu *mmu, const struct view *view, uint32_t page,
                           const struct target *first)
{
    unsigned most = view->key.control == 0 ? VIEW_NEIGHBOURS_UNPAGED : VIEW_NEIGHBOURS;
    unsigned in_region = REGION_PAGES - (page & (REGION_PAGES - 1));
    most = most < in_region ? most : in_region;
    for (unsigned i = 1; i < most; i++) {
        struct paging_result result;
        struct target target;
        if (view->index[page + i] != NO_MAPPING || !translate_neighbour(mmu, view, page + i, &result) ||
            !find_target(mmu, &result, &target) || target.writable != first->writable ||
            target.ram_offset != first->ram_offset + ((uint64_t)i << PAGE_SHIFT)) {
            return i;
        }
    }
    return most;
}

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
        struct view *oldest = oldest_view(pool);
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_EVICTED, 1);
        if (oldest != NULL) {
            destroy(mmu, oldest);
        } else {
            empty(mmu, largest);
        }
    }
}

static enum mmu_view_result map_run(struct mmu *mmu, struct view *view, uint32_t page,
                                    const struct target *first)
{
    struct view_pool *pool = mmu->views;
    unsigned count = run_length(mmu, view, page, first);
    reclaim(mmu, count);
    for (unsigned i = 0; i < count; i++) {
        copy_entry(mmu, view, page + i);
    }
    bool populate = count <= VIEW_NEIGHBOURS && view->key.control != 0;
    if (!host_window_map(&view->window, (uint64_t)page << PAGE_SHIFT, (uint64_t)count << PAGE_SHIFT, pool->fd,
                         first->ram_offset, first->writable, populate)) {
        empty(mmu, view);
        return MMU_VIEW_NOT;
    }
    view->pieces += 2;
    counter_add(mmu->cpu->counters, COUNTER_VIEW_PAGES, count);
    struct target target = *first;
    for (unsigned i = 0; i < count; i++) {
        remember_page(mmu, view, page + i, &target, new_mapping(pool));
        target.ram_offset += PAGE_SIZE;
        struct paging_result next;
        if (i + 1 < count) {
            translate_neighbour(mmu, view, page + i + 1, &next);
            find_target(mmu, &next, &target);
        }
    }
    return MMU_VIEW_FILLED;
}

static enum mmu_view_result fill_page(struct mmu *mmu, struct view *view, uint32_t linear, bool store)
{
    struct view_pool *pool = mmu->views;
    uint32_t page = linear >> PAGE_SHIFT;
    uint32_t number = view->index[page];
    struct paging_result result;
    struct target target;
    if (number != NO_MAPPING && (!store || pool->mappings[number].writable)) {
        return MMU_VIEW_FILLED;
    }
    if (mmu_page_needs_care(mmu, linear, view->key.user)) {
        return MMU_VIEW_NOT;
    }
    if (!mmu_try_translate(mmu, linear, store ? MMU_STORE : MMU_LOAD, view->key.user, &result,
                           &mmu->fast_error)) {
        mmu->fast_faulted = true;
        return MMU_VIEW_FAULT;
    }
    if (!find_target(mmu, &result, &target) || (store && !target.writable)) {
        return MMU_VIEW_NOT;
    }
    if (number != NO_MAPPING) {
        forget_page(pool, view, page);
    }
    view->fills++;
    view->debt += VIEW_FILL_COST;
    counter_add(mmu->cpu->counters, COUNTER_VIEW_FILLS, 1);
    return map_run(mmu, view, page, &target);
}

enum mmu_view_result mmu_view_fill(struct mmu *mmu, uint32_t linear, unsigned width, bool store, bool user)
{
    struct view *view = mmu->views->current[user];
    uint32_t last = linear + width - 1;
    assert(mmu->views->known[user] && view != NULL);
    mmu->fast_faulted = false;
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

/* ---- policy */

static struct candidate *candidate_for(struct view_pool *pool, const struct view_key *key)
{
    struct candidate *oldest = &pool->candidates[0];
    for (unsigned i = 0; i < CANDIDATES; i++) {
        struct candidate *candidate = &pool->candidates[i];
        if (candidate->needed != 0 && keys_are_equal(&candidate->key, key)) {
            return candidate;
        }
        oldest = candidate->last_use < oldest->last_use ? candidate : oldest;
    }
    *oldest = (struct candidate){
        .key = *key, .needed = !key->user && key->control != 0 ? VIEW_PROMOTION_SUPERVISOR : VIEW_PROMOTION};
    return oldest;
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
        if (mmu->strategy == MMU_SHADOW || view->debt < VIEW_DEBT_MAX) {
            return;
        }
        destroy(mmu, view);
        mmu_begin_generation(mmu);
        counter_add(mmu->cpu->counters, COUNTER_VIEWS_DEMOTED, 1);
    }
    struct candidate *candidate = candidate_for(pool, &key);
    candidate->last_use = ++pool->clock;
    if (view != NULL) {
        candidate->executed = 0;
        candidate->needed *= VIEW_DEMOTION;
    }
    candidate->executed += instructions;
    if (candidate->executed >= candidate->needed) {
        candidate->executed = 0;
        create_view(mmu, &key);
        pool->known[user] = false;
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
                                     .current = view == pool->current[view->key.user],
                                     .pages = view->pages,
                                     .pieces = view->pieces,
                                     .fills = view->fills,
                                     .executed = view->executed};
        for (uint32_t page = 0; page < PAGES; page++) {
            info.writable += view->index[page] != NO_MAPPING && pool->mappings[view->index[page]].writable;
        }
        visit(opaque, &info);
    }
}
