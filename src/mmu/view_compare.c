/* Views beside the guest's tables; see view_books.h. What has changed is found without having seen the
 * guest's stores: the entries above the last level and a copy of the last level's table are compared with
 * what is there now, and only where they differ are single pages looked at. */
#include "mmu/view_books.h"

#include <stdlib.h>

#define BAD_PAGES_MANY 8u /* in one region: it is emptied as a whole */

/* Whether the guest's tables lead to what the window shows. */
static bool confirm_page(struct mmu *mmu, struct view *view, struct view_mapping *mapping)
{
    struct paging_result result;
    uint32_t error_code;
    uint64_t linear = (uint64_t)mapping->page << PAGE_SHIFT;
    bool is_true = paging_walk(mmu, linear, MMU_LOAD, view->key.user, false, &result, &error_code) &&
                   memory_bus_effective(mmu->bus, result.phys) == ((uint64_t)mapping->frame << PAGE_SHIFT) &&
                   view_may_have(view, &result) && result.accessed &&
                   (!mapping->writable || (result.writable && result.dirty));
    if (is_true && view_is_of_space(view, &result)) { /* it may have been global before */
        view_mark_of_space(view, mapping->page);
    }
    return is_true;
}

/* Keeps what the pages of a region depend on. */
static void copy_path(struct view_region *region, const struct paging_path *path)
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

static bool path_is_the_same(const struct view_region *region, const struct paging_path *path)
{
    return !path->hidden && region->path.directory == path->directory &&
           (region->path.entries == NULL) == (path->entries == NULL) &&
           (path->entries == NULL ||
            (region->copy != NULL && memcmp(region->copy, path->entries, path->length) == 0));
}

static bool entry_is_the_same(const struct view_region *region, const struct paging_path *path, unsigned page)
{
    unsigned size = path->length / VIEW_REGION_PAGES;
    return region->path.directory == path->directory && region->copy != NULL && path->entries != NULL &&
           memcmp(region->copy + page * size, path->entries + page * size, size) == 0;
}

static void compare_pages(struct mmu *mmu, struct view *view, unsigned number, const struct paging_path *path)
{
    struct view_pool *pool = mmu->views;
    struct view_region *region = &view->regions[number];
    uint32_t first = number << VIEW_REGION_SHIFT;
    uint32_t bad[BAD_PAGES_MANY];
    unsigned bad_count = 0;
    for (uint32_t page = first; page < first + VIEW_REGION_PAGES; page++) {
        if (view->index[page] != VIEW_NO_MAPPING && !entry_is_the_same(region, path, page - first) &&
            !confirm_page(mmu, view, &pool->mappings[view->index[page]])) {
            if (bad_count == BAD_PAGES_MANY) {
                view_drop_region(mmu, view, number);
                return;
            }
            bad[bad_count++] = page;
        }
    }
    for (unsigned i = 0; i < bad_count && region->count != 0; i++) {
        view_drop_page(mmu, view, bad[i]);
    }
}

static void compare_region(struct mmu *mmu, struct view *view, unsigned number)
{
    struct paging_path path;
    struct view_region *region = &view->regions[number];
    paging_find_path(mmu, (uint64_t)number << VIEW_REGION_SHIFT << PAGE_SHIFT, &path);
    if (region->count == 0 || path_is_the_same(region, &path)) {
        return;
    }
    compare_pages(mmu, view, number, &path);
    if (region->count != 0) {
        copy_path(region, &path);
    }
}

void view_compare(struct mmu *mmu, struct view *view)
{
    counter_add(mmu->cpu->counters, COUNTER_VIEWS_COMPARED, 1);
    view_for_each_region(mmu, view, view->used_regions, compare_region);
}

void view_compare_space(struct mmu *mmu, struct view *view)
{
    view_for_each_region(mmu, view, view->space_regions, compare_region);
}

static bool is_of_large_page(const struct view *view, unsigned number)
{
    return view->regions[number].count != 0 && view->regions[number].path.entries == NULL;
}

bool view_compare_large_page(struct mmu *mmu, struct view *view, uint32_t page)
{
    unsigned number = page >> VIEW_REGION_SHIFT;
    unsigned other = view->key.control & CR4_PAE ? number : number ^ 1;
    if (!view_is_paged(view) || !(is_of_large_page(view, number) || is_of_large_page(view, other))) {
        return false;
    }
    compare_region(mmu, view, number);
    compare_region(mmu, view, other);
    return true;
}

/* The copy of the others' entries stays as it was when they were mapped: they may have changed since. */
void view_copy_entry(struct mmu *mmu, struct view *view, uint32_t page)
{
    struct view_region *region = &view->regions[page >> VIEW_REGION_SHIFT];
    struct paging_path path = {0};
    if (!view_is_paged(view)) {
        return;
    }
    paging_find_path(mmu, (uint64_t)page << PAGE_SHIFT, &path);
    bool same = region->path.directory == path.directory;
    if (!same && region->count != 0) {
        compare_pages(mmu, view, page >> VIEW_REGION_SHIFT, &path);
    }
    if (!same || region->count == 0) {
        copy_path(region, &path);
    } else if (region->copy != NULL && path.entries != NULL) {
        unsigned size = path.length / VIEW_REGION_PAGES;
        unsigned offset = (page & (VIEW_REGION_PAGES - 1)) * size;
        memcpy(region->copy + offset, path.entries + offset, size);
    }
}
