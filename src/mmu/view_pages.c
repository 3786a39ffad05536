/* Which page is where; see view_books.h. */
#include "mmu/view_books.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t *bucket_of(struct view_pool *pool, uint32_t frame)
{
    return &pool->by_frame[frame % VIEW_BUCKETS];
}

static uint32_t new_mapping(struct view_pool *pool)
{
    uint32_t number = pool->free;
    if (number != VIEW_NO_MAPPING) {
        pool->free = pool->mappings[number].next;
        return number;
    }
    assert(pool->untouched <= VIEW_PAGES_MAX);
    return pool->untouched++;
}

/* ---- pieces */

/* Whether the host's kernel needs another mapping from `page` on than for the page before. */
static bool piece_begins(const struct view_pool *pool, const struct view *view, uint32_t page)
{
    if (page == 0 || page >= VIEW_PAGES) {
        return page == 0 || view->index[VIEW_PAGES - 1] != VIEW_NO_MAPPING;
    }
    const struct view_mapping *here = &pool->mappings[view->index[page]];
    const struct view_mapping *before = &pool->mappings[view->index[page - 1]];
    if (view->index[page] == VIEW_NO_MAPPING || view->index[page - 1] == VIEW_NO_MAPPING) {
        return view->index[page] != view->index[page - 1];
    }
    return here->place != before->place + 1 || here->writable != before->writable;
}

static unsigned pieces_around(const struct view_pool *pool, const struct view *view, uint32_t page)
{
    return (unsigned)piece_begins(pool, view, page) + (unsigned)piece_begins(pool, view, page + 1);
}

/* ---- books */

static void count_page(struct view *view, uint32_t page, unsigned pages)
{
    unsigned number = page >> VIEW_REGION_SHIFT;
    struct view_region *region = &view->regions[number];
    view->pages += pages;
    region->count += pages;
    if (region->count != 0) {
        view->used_regions[number / 64] |= (uint64_t)1 << (number % 64);
        return;
    }
    view->used_regions[number / 64] &= ~((uint64_t)1 << (number % 64));
    view->space_regions[number / 64] &= ~((uint64_t)1 << (number % 64));
    free(region->copy);
    *region = (struct view_region){0};
}

void view_remember_page(struct view_pool *pool, struct view *view, uint32_t page,
                        const struct view_mapping *mapping)
{
    uint32_t number = new_mapping(pool);
    uint32_t *bucket = bucket_of(pool, mapping->frame);
    assert(view->index[page] == VIEW_NO_MAPPING);
    view->pieces -= pieces_around(pool, view, page);
    pool->mappings[number] = *mapping;
    pool->mappings[number].page = page;
    pool->mappings[number].view = (uint16_t)(view - pool->views);
    pool->mappings[number].next = *bucket;
    pool->mappings[number].previous = VIEW_NO_MAPPING;
    pool->mappings[*bucket].previous = number;
    *bucket = number;
    view->index[page] = number;
    view->pieces += pieces_around(pool, view, page);
    count_page(view, page, 1);
}

static void release_mapping(struct view_pool *pool, uint32_t number)
{
    struct view_mapping *mapping = &pool->mappings[number];
    if (mapping->previous == VIEW_NO_MAPPING) {
        *bucket_of(pool, mapping->frame) = mapping->next;
    } else {
        pool->mappings[mapping->previous].next = mapping->next;
    }
    pool->mappings[mapping->next].previous = mapping->previous;
    mapping->next = pool->free;
    pool->free = number;
}

void view_forget_page(struct view_pool *pool, struct view *view, uint32_t page)
{
    uint32_t number = view->index[page];
    view->pieces -= pieces_around(pool, view, page);
    view->index[page] = VIEW_NO_MAPPING;
    view->pieces += pieces_around(pool, view, page);
    release_mapping(pool, number);
    count_page(view, page, 0u - 1);
}

void view_for_each_region(struct mmu *mmu, struct view *view, const uint64_t set[VIEW_REGIONS / 64],
                          void (*visit)(struct mmu *mmu, struct view *view, unsigned region))
{
    for (unsigned word = 0; word < VIEW_REGIONS / 64; word++) {
        for (uint64_t bits = set[word]; bits != 0; bits &= bits - 1) {
            visit(mmu, view, word * 64 + (unsigned)__builtin_ctzll(bits));
        }
    }
}

void view_forget_all(struct view_pool *pool, struct view *view)
{
    for (uint32_t page = 0; view->pages != 0; page++) {
        unsigned region = page >> VIEW_REGION_SHIFT;
        if (view->regions[region].count == 0) {
            page |= VIEW_REGION_PAGES - 1;
        } else if (view->index[page] != VIEW_NO_MAPPING) {
            release_mapping(pool, view->index[page]);
            view->index[page] = VIEW_NO_MAPPING;
            count_page(view, page, 0u - 1);
        }
    }
    view->pieces = 1;
}

/* ---- taking pages away */

/* One mapping over everything leaves fewer of them than there are. The host's kernel refuses even that when
 * it is at its limit, until the spare ones are given back. */
void view_empty(struct view_pool *pool, struct view *view)
{
    view_forget_all(pool, view);
    bool unmapped = host_window_unmap(&view->window, 0, view->window.length);
    if (!unmapped) {
        host_window_release(&pool->spare);
        unmapped = host_window_unmap(&view->window, 0, view->window.length);
        host_window_take_spare(&pool->spare);
    }
    assert(unmapped);
    (void)unmapped;
}

void view_give_in(struct mmu *mmu, struct view *view)
{
    counter_add(mmu->cpu->counters, COUNTER_VIEWS_REFUSED, 1);
    view_empty(mmu->views, view);
}

void view_drop_page(struct mmu *mmu, struct view *view, uint32_t page)
{
    view_forget_page(mmu->views, view, page);
    if (!host_window_unmap(&view->window, (uint64_t)page << PAGE_SHIFT, PAGE_SIZE)) {
        view_give_in(mmu, view);
    }
}

void view_drop_region(struct mmu *mmu, struct view *view, unsigned region)
{
    uint32_t first = region << VIEW_REGION_SHIFT;
    for (uint32_t page = first; page < first + VIEW_REGION_PAGES && view->regions[region].count != 0;
         page++) {
        if (view->index[page] != VIEW_NO_MAPPING) {
            view_forget_page(mmu->views, view, page);
        }
    }
    if (!host_window_unmap(&view->window, (uint64_t)first << PAGE_SHIFT,
                           (uint64_t)VIEW_REGION_PAGES << PAGE_SHIFT)) {
        view_give_in(mmu, view);
    }
}

void views_drop_page(struct mmu *mmu, uint32_t linear)
{
    struct view_pool *pool = mmu->views;
    uint32_t page = linear >> PAGE_SHIFT;
    for (unsigned user = 0; pool != NULL && user < 2; user++) {
        /* A view that is not known to be true will be compared, which finds this too. */
        struct view *view = pool->known[user] ? pool->current[user] : NULL;
        if (view != NULL && !view_compare_large_page(mmu, view, page) &&
            view->index[page] != VIEW_NO_MAPPING) {
            view_drop_page(mmu, view, page);
        }
    }
}

/* Pages of a view that lose the right to store together. */
struct protection {
    uint32_t page, count;
};

/* False: the host refused, and the view is empty. */
static bool protect(struct mmu *mmu, unsigned number, const struct protection *pages)
{
    struct view *view = &mmu->views->views[number];
    if (pages->count == 0 || host_window_protect(&view->window, (uint64_t)pages->page << PAGE_SHIFT,
                                                 (uint64_t)pages->count << PAGE_SHIFT)) {
        return true;
    }
    view_give_in(mmu, view);
    return false;
}

/* Notes that the mapping's page is to be protected. What was noted before and is elsewhere is done first;
 * false as above. */
static bool protect_with(struct mmu *mmu, struct view_mapping *mapping, struct protection *pending)
{
    struct view_pool *pool = mmu->views;
    struct view *view = &pool->views[mapping->view];
    if (pending->count == 0 || mapping->page != pending->page + pending->count) {
        struct protection former = *pending;
        *pending = (struct protection){.page = mapping->page};
        if (!protect(mmu, mapping->view, &former)) {
            return false;
        }
    }
    pending->count++;
    view->pieces -= pieces_around(pool, view, mapping->page);
    mapping->writable = false;
    view->pieces += pieces_around(pool, view, mapping->page);
    return true;
}

void views_refuse_stores(struct mmu *mmu, uint64_t phys, uint64_t length)
{
    struct view_pool *pool = mmu->views;
    struct protection pending[VIEWS_MAX] = {{0}};
    uint32_t first = (uint32_t)(phys >> PAGE_SHIFT);
    for (uint32_t frame = first; pool != NULL && frame < first + (length >> PAGE_SHIFT); frame++) {
        for (uint32_t number = *bucket_of(pool, frame); number != VIEW_NO_MAPPING;) {
            struct view_mapping *mapping = &pool->mappings[number];
            bool wanted = mapping->frame == frame && mapping->writable;
            number = mapping->next;
            if (wanted && !protect_with(mmu, mapping, &pending[mapping->view])) {
                number = *bucket_of(pool, frame); /* the list has changed */
            }
        }
    }
    for (unsigned i = 0; pool != NULL && i < VIEWS_MAX; i++) {
        protect(mmu, i, &pending[i]);
    }
}
