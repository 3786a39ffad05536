/* Versions of pages: how blocks are found, and moved all at once; see code_cache.h.
 *
 * A version is in two indexes: by its page and origin, and, to find what can be moved, by its page and the
 * upper half of its keys. It exists while it has blocks, those that rest included. Its own index of them
 * doubles when there are more blocks than slots: so what is looked at for a page lies close together. */
#include "codecache/code_cache_internal.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SLOTS 8u /* a line of the host's cache */

static uint64_t page_of(uint64_t phys)
{
    return phys >> CODE_PAGE_SHIFT;
}

/* ---- the two indexes */

static struct code_version **sibling_bucket(struct code_store *store, uint64_t page, uint64_t key)
{
    return &store->siblings[code_version_bucket(&store->cache, page, key >> 32)];
}

static struct code_version *skip_others(struct code_version *version, uint64_t page, uint64_t key)
{
    while (version != NULL && (version->page != page || version->origin >> 32 != key >> 32)) {
        version = version->sibling;
    }
    return version;
}

struct code_version *code_cache_first_sibling(struct code_cache *cache, uint64_t phys, uint64_t key)
{
    struct code_store *store = (struct code_store *)cache;
    return skip_others(*sibling_bucket(store, page_of(phys), key), page_of(phys), key);
}

struct code_version *code_cache_next_sibling(const struct code_version *version)
{
    return skip_others(version->sibling, version->page, version->origin);
}

static void list(struct code_store *store, struct code_version *version)
{
    struct code_version **bucket =
        &store->cache.versions[code_version_bucket(&store->cache, version->page, version->origin)];
    version->next = *bucket;
    *bucket = version;
}

static void unlist(struct code_store *store, struct code_version *version)
{
    struct code_version **at =
        &store->cache.versions[code_version_bucket(&store->cache, version->page, version->origin)];
    while (*at != version) {
        at = &(*at)->next;
    }
    *at = version->next;
}

static void unlist_sibling(struct code_store *store, struct code_version *version)
{
    struct code_version **at = sibling_bucket(store, version->page, version->origin);
    while (*at != version) {
        at = &(*at)->sibling;
    }
    *at = version->sibling;
}

/* ---- versions */

static struct code_version *make_version(struct code_store *store, uint64_t page, uint64_t origin)
{
    struct code_version *version = malloc(sizeof *version);
    struct code_block **slots = calloc(FIRST_SLOTS, sizeof *slots);
    if (version == NULL || slots == NULL) {
        free(slots);
        free(version);
        return NULL;
    }
    struct code_version **bucket = sibling_bucket(store, page, origin);
    *version = (struct code_version){.page = page,
                                     .origin = origin,
                                     .slots = slots,
                                     .shift = 32 - (unsigned)__builtin_ctz(FIRST_SLOTS),
                                     .sibling = *bucket};
    *bucket = version;
    list(store, version);
    return version;
}

static void free_version(struct code_version *version)
{
    free(version->slots);
    free(version);
}

static unsigned slot_count(const struct code_version *version)
{
    return 1u << (32 - version->shift);
}

static void put(struct code_version *version, struct code_block *block)
{
    struct code_block **slot = &version->slots[code_version_slot(version, block->phys)];
    block->slot_next = *slot;
    *slot = block;
}

static struct code_block *reversed(struct code_block *chain)
{
    struct code_block *result = NULL;
    while (chain != NULL) {
        struct code_block *next = chain->slot_next;
        chain->slot_next = result;
        result = chain;
        chain = next;
    }
    return result;
}

/* Without memory the version stays as it is, and is slower. */
static void grow(struct code_version *version)
{
    unsigned count = slot_count(version);
    struct code_block **old = version->slots;
    struct code_block **slots = calloc((size_t)2 * count, sizeof *slots);
    if (slots == NULL) {
        return;
    }
    version->slots = slots;
    version->shift--;
    for (unsigned i = 0; i < count; i++) {
        struct code_block *next;
        for (struct code_block *block = reversed(old[i]); block != NULL; block = next) {
            next = block->slot_next; /* the last first, so that those with one address keep their order */
            put(version, block);
        }
    }
    free(old);
}

bool code_versions_add(struct code_store *store, struct code_block *block)
{
    struct code_version *version = code_cache_find_version(&store->cache, block->phys, block->key);
    if (version == NULL) {
        version = make_version(store, page_of(block->phys), code_origin(block->phys, block->key));
    }
    if (version == NULL) {
        return false;
    }
    if (version->blocks == slot_count(version)) {
        grow(version);
    }
    block->version = version;
    version->blocks++;
    put(version, block);
    return true;
}

static void take_out(struct code_block *block)
{
    struct code_block **at = &block->version->slots[code_version_slot(block->version, block->phys)];
    while (*at != block) {
        at = &(*at)->slot_next;
    }
    *at = block->slot_next;
}

void code_versions_bring_forward(struct code_block *block)
{
    take_out(block);
    put(block->version, block);
}

void code_versions_remove(struct code_store *store, struct code_block *block)
{
    struct code_version *version = block->version;
    take_out(block);
    block->version = NULL;
    version->blocks--;
    if (version->blocks == 0) {
        assert(version->crossings == 0);
        unlist(store, version);
        unlist_sibling(store, version);
        free_version(version);
    }
}

void code_versions_release(struct code_store *store)
{
    for (size_t i = 0; i < (size_t)1 << (64 - store->cache.shift); i++) {
        while (store->cache.versions[i] != NULL) {
            struct code_version *version = store->cache.versions[i];
            store->cache.versions[i] = version->next;
            free_version(version);
        }
    }
}

void code_version_for_each(struct code_version *version, void (*change)(void *opaque, struct code_block *),
                           void *opaque)
{
    for (unsigned i = 0; i < slot_count(version); i++) {
        for (struct code_block *block = version->slots[i]; block != NULL; block = block->slot_next) {
            if (!block->dead) {
                change(opaque, block);
            }
        }
    }
}

/* ---- moving */

/* Drops what cannot be moved. The version is freed when there is nothing else: false. */
static bool drop_unmovable(struct code_store *store, struct code_version *version)
{
    unsigned left = version->blocks;
    unsigned slots = slot_count(version);
    for (unsigned i = 0; i < slots && left > 0; i++) {
        struct code_block *next;
        for (struct code_block *block = version->slots[i]; block != NULL; block = next) {
            next = block->slot_next;
            if (!block->movable || block->dead) {
                left--;
                code_cache_end_block(store, block);
                if (left == 0) {
                    return false;
                }
            }
        }
    }
    return true;
}

struct moving {
    struct code_store *store;
    uint64_t distance;
};

static void move_block(void *opaque, struct code_block *block)
{
    const struct moving *moving = opaque;
    struct code_store *store = moving->store;
    if (block->version->crossings != 0) {
        code_links_drop_crossing(store, block);
    }
    if (store->listener.block_died != NULL) {
        store->listener.block_died(store->listener.opaque, block);
    }
    uint32_t lower = (uint32_t)block->key + (uint32_t)moving->distance;
    block->key = (block->key & ~(uint64_t)UINT32_MAX) | lower;
}

bool code_cache_move(struct code_cache *cache, struct code_version *version, uint64_t origin)
{
    struct code_store *store = (struct code_store *)cache;
    assert(version->origin >> 32 == origin >> 32);
    assert(code_cache_find_version(cache, version->page << CODE_PAGE_SHIFT, origin) == NULL);
    if (!drop_unmovable(store, version)) {
        return false;
    }
    struct moving moving = {.store = store, .distance = origin - version->origin};
    code_version_for_each(version, move_block, &moving);
    assert(version->crossings == 0);
    unlist(store, version);
    version->origin = origin;
    list(store, version);
    counter_add(store->counters, COUNTER_BLOCKS_MOVED, version->blocks);
    return true;
}
