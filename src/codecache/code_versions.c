/* Versions: blocks of the same bytes that one another can be made of; see code_cache.h. */
#include "codecache/code_cache_internal.h"

#include <assert.h>

static struct code_block **bucket_of(const struct code_cache *cache, uint64_t phys, uint64_t key)
{
    return &cache->versions[code_cache_bucket(cache, phys, key >> 32)];
}

static bool is_version(const struct code_block *block, uint64_t phys, uint64_t key)
{
    return block->phys == phys && block->key >> 32 == key >> 32;
}

static struct code_block *skip_others(struct code_block *block, uint64_t phys, uint64_t key)
{
    while (block != NULL && !is_version(block, phys, key)) {
        block = block->version_next;
    }
    return block;
}

void code_cache_add_version(struct code_cache *cache, struct code_block *block)
{
    assert(!block->dead && !block->movable && block->tail == CODE_NO_TAIL);
    block->movable = true;
    code_versions_add(cache, block);
}

void code_versions_add(struct code_cache *cache, struct code_block *block)
{
    struct code_block **bucket = bucket_of(cache, block->phys, block->key);
    block->version_next = *bucket;
    *bucket = block;
}

void code_versions_remove(struct code_cache *cache, struct code_block *block)
{
    if (block->movable) {
        struct code_block **at = bucket_of(cache, block->phys, block->key);
        while (*at != block) {
            at = &(*at)->version_next;
        }
        *at = block->version_next;
    }
}

struct code_block *code_cache_first_version(const struct code_cache *cache, uint64_t phys, uint64_t key)
{
    return skip_others(*bucket_of(cache, phys, key), phys, key);
}

struct code_block *code_cache_next_version(const struct code_block *block)
{
    return skip_others(block->version_next, block->phys, block->key);
}

void code_cache_move(struct code_cache *cache, struct code_block *block, uint64_t key)
{
    struct code_store *store = (struct code_store *)cache;
    assert(!block->dead && block->movable && is_version(block, block->phys, key));
    assert(code_cache_find_with_tail(cache, block->phys, CODE_NO_TAIL, key) == NULL);
    code_cache_unlist(cache, block);
    code_links_drop(store, block);
    if (store->listener.block_died != NULL) {
        store->listener.block_died(store->listener.opaque, block);
    }
    block->key = key;
    code_cache_list(cache, block);
    counter_add(store->counters, COUNTER_BLOCKS_MOVED, 1);
}
