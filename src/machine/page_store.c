/* Pages shared between copies; see page_store.h. */
#include "machine/page_store.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_PAGES 128u

struct page {
    uint64_t references;
    uint8_t bytes[PAGE_STORE_PAGE];
};

struct page_group {
    uint64_t references;
    struct page *page[GROUP_PAGES]; /* NULL: zeros */
};

struct page_store {
    uint64_t bytes;
};

struct page_set {
    size_t page_count, group_count;
    struct page_group *group[]; /* NULL: zeros */
};

struct page_store *page_store_create(void)
{
    return calloc(1, sizeof(struct page_store));
}

void page_store_destroy(struct page_store *store)
{
    assert(store == NULL || store->bytes == 0);
    free(store);
}

uint64_t page_store_bytes(const struct page_store *store)
{
    return store->bytes;
}

static void *allocate(struct page_store *store, size_t size)
{
    void *bytes = calloc(1, size);
    store->bytes += bytes != NULL ? size : 0;
    return bytes;
}

static void release(struct page_store *store, void *bytes, size_t size)
{
    store->bytes -= size;
    free(bytes);
}

static void release_page(struct page_store *store, struct page *page)
{
    if (page != NULL && --page->references == 0) {
        release(store, page, sizeof *page);
    }
}

static void release_group(struct page_store *store, struct page_group *group)
{
    if (group == NULL || --group->references > 0) {
        return;
    }
    for (unsigned i = 0; i < GROUP_PAGES; i++) {
        release_page(store, group->page[i]);
    }
    release(store, group, sizeof *group);
}

static bool is_zero(const uint8_t *bytes)
{
    static const uint8_t zeros[PAGE_STORE_PAGE];
    return memcmp(bytes, zeros, sizeof zeros) == 0;
}

static bool is_equal(const struct page *page, const uint8_t *bytes)
{
    return page == NULL ? is_zero(bytes) : memcmp(page->bytes, bytes, PAGE_STORE_PAGE) == 0;
}

/* Walks over memory upwards, and knows which pages were never touched. */
struct reader {
    const struct host_memory *memory;
    uint64_t first, end; /* the present or next stretch that was touched */
};

static struct reader reader_of(const struct host_memory *memory)
{
    struct reader reader = {.memory = memory};
    reader.first = host_memory_next_touched(memory, 0, &reader.end);
    return reader;
}

/* The page's bytes; NULL: zeros that the host has no memory for. */
static uint8_t *page_at(struct reader *reader, uint64_t offset)
{
    while (offset >= reader->end && reader->first < reader->memory->length) {
        reader->first = host_memory_next_touched(reader->memory, reader->end, &reader->end);
    }
    return offset + PAGE_STORE_PAGE > reader->first && offset < reader->end ? reader->memory->bytes + offset
                                                                            : NULL;
}

static struct page *page_of(const struct page_group *group, size_t index)
{
    return group != NULL ? group->page[index] : NULL;
}

static bool differs(const struct page *page, const uint8_t *bytes)
{
    return bytes != NULL ? !is_equal(page, bytes) : page != NULL;
}

/* A group of its own with the pages of `like`. */
static struct page_group *copy_group(struct page_store *store, const struct page_group *like)
{
    struct page_group *group = allocate(store, sizeof *group);
    if (group != NULL) {
        group->references = 1;
        for (unsigned i = 0; like != NULL && i < GROUP_PAGES; i++) {
            group->page[i] = like->page[i];
            if (group->page[i] != NULL) {
                group->page[i]->references++;
            }
        }
    }
    return group;
}

/* `bytes` as page `index`; false when out of memory. */
static bool set_page(struct page_store *store, struct page_group *group, size_t index, const uint8_t *bytes)
{
    struct page *page = NULL;
    if (bytes != NULL && !is_zero(bytes)) {
        page = allocate(store, sizeof *page);
        if (page == NULL) {
            return false;
        }
        page->references = 1;
        memcpy(page->bytes, bytes, PAGE_STORE_PAGE);
    }
    release_page(store, group->page[index]);
    group->page[index] = page;
    return true;
}

/* The group of the pages from `first` on: `like`, with a reference more, if there is no difference. False
 * when out of memory. */
static bool take_group(struct page_store *store, struct reader *reader, size_t first, size_t count,
                       struct page_group *like, struct page_group **group)
{
    *group = like;
    if (like != NULL) {
        like->references++;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = page_at(reader, (uint64_t)(first + i) * PAGE_STORE_PAGE);
        if (!differs(page_of(*group, i), bytes)) {
            continue;
        }
        if (*group == like) {
            struct page_group *own = copy_group(store, like);
            if (own == NULL) {
                return false;
            }
            release_group(store, like);
            *group = own;
        }
        if (!set_page(store, *group, i, bytes)) {
            return false;
        }
    }
    return true;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t size_of_set(size_t group_count)
{
    return sizeof(struct page_set) + group_count * sizeof(struct page_group *);
}

struct page_set *page_set_create(struct page_store *store, const struct host_memory *memory,
                                 const struct page_set *like)
{
    assert(memory->length % PAGE_STORE_PAGE == 0);
    size_t page_count = (size_t)(memory->length / PAGE_STORE_PAGE);
    size_t group_count = (page_count + GROUP_PAGES - 1) / GROUP_PAGES;
    assert(like == NULL || like->page_count == page_count);
    struct page_set *set = allocate(store, size_of_set(group_count));
    if (set == NULL) {
        return NULL;
    }
    set->page_count = page_count;
    set->group_count = group_count;
    struct reader reader = reader_of(memory);
    for (size_t i = 0; i < group_count; i++) {
        size_t first = i * GROUP_PAGES;
        if (!take_group(store, &reader, first, smaller(page_count - first, GROUP_PAGES),
                        like != NULL ? like->group[i] : NULL, &set->group[i])) {
            page_set_destroy(store, set);
            return NULL;
        }
    }
    return set;
}

void page_set_destroy(struct page_store *store, struct page_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->group_count; i++) {
        release_group(store, set->group[i]);
    }
    release(store, set, size_of_set(set->group_count));
}

void page_set_put_back(const struct page_set *set, const struct host_memory *memory,
                       void (*about_to_change)(void *opaque, uint64_t offset), void *opaque)
{
    assert(memory->length == (uint64_t)set->page_count * PAGE_STORE_PAGE);
    struct reader reader = reader_of(memory);
    for (size_t i = 0; i < set->page_count; i++) {
        uint64_t offset = (uint64_t)i * PAGE_STORE_PAGE;
        const struct page *page = page_of(set->group[i / GROUP_PAGES], i % GROUP_PAGES);
        if (!differs(page, page_at(&reader, offset))) {
            continue;
        }
        if (about_to_change != NULL) {
            about_to_change(opaque, offset);
        }
        if (page != NULL) {
            memcpy(memory->bytes + offset, page->bytes, PAGE_STORE_PAGE);
        } else {
            memset(memory->bytes + offset, 0, PAGE_STORE_PAGE);
        }
    }
}
