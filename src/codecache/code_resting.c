/* Dead blocks whose guest bytes may come back: overlays that are loaded again, functions that are generated
 * again, code that is patched to and fro. See code_cache.h.
 *
 * A resting block is in an index of such blocks, by hash_next, the youngest first. It leaves that
 * when it is revived, when others of its address and key are put to rest, and when its segment is reused. */
#include "codecache/code_cache_internal.h"

#include <assert.h>

static struct code_block **bucket_of(const struct code_cache *cache, uint64_t phys, uint64_t key)
{
    return &cache->resting[code_cache_bucket(cache, phys, key)];
}

static struct code_block *skip_others(struct code_block *block, uint64_t phys, uint64_t key)
{
    while (block != NULL && (block->phys != phys || block->key != key)) {
        block = block->hash_next;
    }
    return block;
}

struct code_block *code_cache_first_resting(const struct code_cache *cache, uint64_t phys, uint64_t key)
{
    return skip_others(*bucket_of(cache, phys, key), phys, key);
}

struct code_block *code_cache_next_resting(const struct code_block *block)
{
    return skip_others(block->hash_next, block->phys, block->key);
}

void code_resting_add(struct code_cache *cache, struct code_block *block)
{
    assert(block->dead && !block->resting && block->tail == CODE_NO_TAIL);
    struct code_block **bucket = bucket_of(cache, block->phys, block->key);
    unsigned others = 0;
    struct code_block *next;
    for (struct code_block *other = code_cache_first_resting(cache, block->phys, block->key); other != NULL;
         other = next) {
        next = code_cache_next_resting(other);
        others++;
        if (others == CODE_RESTING_MAX) {
            code_resting_remove(cache, other);
        }
    }
    block->resting = true;
    block->hash_next = *bucket;
    *bucket = block;
}

void code_resting_remove(struct code_cache *cache, struct code_block *block)
{
    if (block->resting) {
        struct code_block **at = bucket_of(cache, block->phys, block->key);
        while (*at != block) {
            at = &(*at)->hash_next;
        }
        *at = block->hash_next;
        block->resting = false;
    }
}

void code_cache_forget_resting(struct code_cache *cache)
{
    for (size_t i = 0; i < (size_t)1 << (64 - cache->shift); i++) {
        while (cache->resting[i] != NULL) {
            code_resting_remove(cache, cache->resting[i]);
        }
    }
}

bool code_cache_revive(struct code_cache *cache, struct code_block *block)
{
    struct code_store *store = (struct code_store *)cache;
    assert(block->resting);
    assert(code_cache_find_with_tail(cache, block->phys, CODE_NO_TAIL, block->key) == NULL);
    if (!code_pages_add(&store->pages, block)) {
        return false;
    }
    code_resting_remove(cache, block);
    block->dead = false;
    code_cache_list(cache, block);
    if (block->movable) {
        code_versions_add(cache, block);
    }
    counter_add(store->counters, COUNTER_BLOCKS_REVIVED, 1);
    return true;
}
