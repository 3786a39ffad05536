/* Dead blocks whose guest bytes may come back: overlays that are loaded again, functions that are generated
 * again, code that is patched to and fro. See code_cache.h.
 *
 * A resting block stays in its version, the youngest of an address first. It leaves that when others of its
 * address are put to rest, when the version is moved, and when its segment is reused. */
#include "codecache/code_cache_internal.h"

#include <assert.h>

static struct code_block *skip_others(struct code_block *block, uint64_t phys)
{
    while (block != NULL && (block->phys != phys || !block->resting)) {
        block = block->slot_next;
    }
    return block;
}

struct code_block *code_version_first_resting(const struct code_version *version, uint64_t phys)
{
    return skip_others(version->slots[code_version_slot(version, phys)], phys);
}

struct code_block *code_cache_next_resting(const struct code_block *block)
{
    return skip_others(block->slot_next, block->phys);
}

void code_resting_add(struct code_store *store, struct code_block *block)
{
    assert(block->dead && !block->resting && block->tail == CODE_NO_TAIL);
    unsigned others = 0;
    struct code_block *next;
    for (struct code_block *other = code_version_first_resting(block->version, block->phys); other != NULL;
         other = next) {
        next = code_cache_next_resting(other);
        others++;
        if (others == CODE_RESTING_MAX) {
            code_resting_remove(store, other);
        }
    }
    block->resting = true;
    code_versions_bring_forward(block);
}

void code_resting_remove(struct code_store *store, struct code_block *block)
{
    if (block->resting) {
        block->resting = false;
        code_versions_remove(store, block);
    }
}

bool code_cache_revive(struct code_cache *cache, struct code_block *block)
{
    struct code_store *store = (struct code_store *)cache;
    assert(block->resting);
    assert(code_version_find(block->version, block->phys) == NULL);
    if (!code_pages_add(&store->pages, block)) {
        return false;
    }
    block->resting = false;
    block->dead = false;
    counter_add(store->counters, COUNTER_BLOCKS_REVIVED, 1);
    return true;
}
