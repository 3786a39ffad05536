/* Memory, segments, and the life and death of blocks; see code_cache.h. */
#include "codecache/code_cache_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_PER_BUCKET 2048u /* of host code; what a version has, more or less */

_Static_assert(offsetof(struct code_store, cache) == 0, "a cache is the beginning of a store");
_Static_assert(CODE_CACHE_SIZE_MIN / CODE_CACHE_SEGMENTS >= CODE_BLOCK_MAX + CODE_BLOCK_ALIGN &&
                   CODE_CACHE_SIZE_MIN / CODE_CACHE_SEGMENTS >= CODE_TABLES_MAX,
               "a block fits a segment");
_Static_assert(CODE_FIXED_MAX % CODE_BLOCK_ALIGN == 0, "the first segment begins aligned");

static struct code_store *store_of(struct code_cache *cache)
{
    return (struct code_store *)cache;
}

static size_t align_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) & ~(to - 1);
}

/* Where in a segment the entry of a block is, behind `used` bytes. */
static size_t entry_behind(size_t used)
{
    return align_up(used + CODE_BLOCK_LEAD, CODE_BLOCK_ALIGN);
}

struct status code_cache_create(uint64_t size, const struct code_cache_listener *listener,
                                struct counters *counters, struct code_cache **result)
{
    assert(size >= CODE_CACHE_SIZE_MIN && size <= CODE_CACHE_SIZE_MAX);
    *result = NULL;
    unsigned bucket_bits = 1;
    while ((uint64_t)BYTES_PER_BUCKET << bucket_bits < size) {
        bucket_bits++;
    }
    struct code_store *store = calloc(1, sizeof *store);
    struct code_version **versions = calloc((size_t)1 << bucket_bits, sizeof *versions);
    struct code_version **siblings = calloc((size_t)1 << bucket_bits, sizeof *siblings);
    if (store == NULL || versions == NULL || siblings == NULL) {
        free(siblings);
        free(versions);
        free(store);
        return status_error(STATUS_NO_MEMORY, "no memory for the index of translated code");
    }
    store->cache.versions = versions;
    store->siblings = siblings;
    store->cache.shift = 64 - bucket_bits;
    store->listener = *listener;
    store->counters = counters;
    store->segment_size = (size_t)(size / CODE_CACHE_SEGMENTS) & ~(size_t)(CODE_BLOCK_ALIGN - 1);
    struct status status = executable_memory_allocate(CODE_FIXED_MAX + size, &store->memory);
    if (status_is_ok(&status)) {
        status = host_memory_allocate(size, &store->tables);
    }
    if (!status_is_ok(&status)) {
        code_cache_destroy(&store->cache);
        return status;
    }
    *result = &store->cache;
    return status;
}

static struct code_block *segment_block(const struct code_segment *segment, size_t index)
{
    return &segment->chunks[index / CODE_CHUNK_BLOCKS][index % CODE_CHUNK_BLOCKS];
}

void code_cache_destroy(struct code_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    struct code_store *store = store_of(cache);
    code_cache_unlink_all(cache);
    code_links_release(store);
    code_pages_release(&store->pages);
    code_versions_release(store);
    for (unsigned i = 0; i < CODE_CACHE_SEGMENTS; i++) {
        struct code_segment *segment = &store->segments[i];
        for (size_t chunk = 0; chunk < segment->chunk_count; chunk++) {
            free(segment->chunks[chunk]);
        }
        free(segment->chunks);
    }
    executable_memory_release(&store->memory);
    host_memory_release(&store->tables);
    free(store->siblings);
    free(store->cache.versions);
    free(store);
}

/* The block is in no page's list any more; it stays in its version. */
static void bury(struct code_store *store, struct code_block *block)
{
    struct code_cache *cache = &store->cache;
    code_links_drop(store, block);
    block->dead = true;
    cache->epoch++;
    if (store->listener.block_died != NULL) {
        store->listener.block_died(store->listener.opaque, block);
    }
}

void code_cache_end_block(struct code_store *store, struct code_block *block)
{
    if (block->resting) {
        code_resting_remove(store, block);
    } else if (!block->dead) {
        code_pages_remove(&store->pages, block);
        bury(store, block);
        code_versions_remove(store, block);
    }
}

/* Drops the blocks of a segment, and returns how many of them lived. */
static size_t drop_segment(struct code_store *store, struct code_segment *segment)
{
    size_t dropped = 0;
    for (size_t i = 0; i < segment->blocks; i++) {
        struct code_block *block = segment_block(segment, i);
        dropped += !block->dead;
        code_cache_end_block(store, block);
    }
    return dropped;
}

/* The space left in a segment. */
static struct code_space segment_space(const struct code_store *store, unsigned index)
{
    const struct code_segment *segment = &store->segments[index];
    size_t entry = entry_behind(segment->used);
    size_t offset = CODE_FIXED_MAX + index * store->segment_size + entry;
    return (struct code_space){.write = store->memory.write + offset,
                               .exec = store->memory.exec + offset,
                               .size = entry < store->segment_size ? store->segment_size - entry : 0,
                               .tables =
                                   store->tables.bytes + index * store->segment_size + segment->tables_used,
                               .tables_size = store->segment_size - segment->tables_used};
}

struct code_space code_cache_reserve(struct code_cache *cache)
{
    struct code_store *store = store_of(cache);
    struct code_space space = segment_space(store, store->current);
    if (space.size < CODE_BLOCK_MAX || space.tables_size < CODE_TABLES_MAX) {
        store->current = (store->current + 1) % CODE_CACHE_SEGMENTS;
        struct code_segment *segment = &store->segments[store->current];
        counter_add(store->counters, COUNTER_BLOCKS_EVICTED, drop_segment(store, segment));
        segment->used = 0;
        segment->tables_used = 0;
        segment->blocks = 0;
        space = segment_space(store, store->current);
    }
    uint64_t begin = (uint64_t)(space.write - store->memory.write);
    executable_memory_reach(&store->memory, begin + CODE_BLOCK_MAX);
    return space;
}

/* The struct for the next block of a segment, NULL: out of memory. */
static struct code_block *next_block(struct code_segment *segment)
{
    if (segment->blocks == segment->chunk_count * CODE_CHUNK_BLOCKS) {
        struct code_block **chunks =
            realloc(segment->chunks, (segment->chunk_count + 1) * sizeof *segment->chunks);
        if (chunks == NULL) {
            return NULL;
        }
        segment->chunks = chunks;
        chunks[segment->chunk_count] = aligned_alloc(CODE_BLOCK_LINE, CODE_CHUNK_BLOCKS * sizeof *chunks[0]);
        if (chunks[segment->chunk_count] == NULL) {
            return NULL;
        }
        segment->chunk_count++;
    }
    return segment_block(segment, segment->blocks);
}

/* Whether guest bytes may be a block's: on one page without a tail, or beyond its end with one. */
static bool bytes_are_possible(uint64_t phys, uint64_t tail, unsigned length)
{
    unsigned room = CODE_PAGE_SIZE - (unsigned)(phys & (CODE_PAGE_SIZE - 1));
    if (tail == CODE_NO_TAIL) {
        return length > 0 && length <= room;
    }
    return tail % CODE_PAGE_SIZE == 0 && length > room && length - room <= CODE_PAGE_SIZE;
}

struct code_block *code_cache_commit(struct code_cache *cache, uint64_t phys, uint64_t tail, uint64_t key,
                                     unsigned length, unsigned insn_count, size_t host_size,
                                     size_t tables_size)
{
    struct code_store *store = store_of(cache);
    struct code_segment *segment = &store->segments[store->current];
    struct code_space space = segment_space(store, store->current);
    assert(host_size > 0 && host_size <= space.size && tables_size <= space.tables_size);
    bool possible = bytes_are_possible(phys, tail, length);
    assert(possible);
    (void)possible;
    struct code_block *block = next_block(segment);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct code_block){.phys = phys,
                                 .key = key,
                                 .tail = tail,
                                 .length = (uint16_t)length,
                                 .insn_count = (uint16_t)insn_count,
                                 .host_size = (uint32_t)host_size,
                                 .entry = space.exec,
                                 .tables = space.tables,
                                 .tables_size = (uint32_t)tables_size};
    if (!code_versions_add(store, block)) {
        return NULL;
    }
    if (!code_pages_add(&store->pages, block)) {
        code_versions_remove(store, block);
        return NULL;
    }
    segment->blocks++;
    segment->used = entry_behind(segment->used) + host_size;
    size_t tables_used = align_up(tables_size, _Alignof(max_align_t));
    segment->tables_used += tables_used < space.tables_size ? tables_used : space.tables_size;
    counter_add(store->counters, COUNTER_BLOCKS_TRANSLATED, 1);
    counter_add(store->counters, COUNTER_INSNS_TRANSLATED, insn_count);
    counter_add(store->counters, COUNTER_CODE_BYTES, CODE_BLOCK_LEAD + host_size);
    return block;
}

uint8_t *code_cache_writable(const struct code_cache *cache, const struct code_block *block)
{
    const struct code_store *store = (const struct code_store *)cache;
    return store->memory.write + (block->entry - store->memory.exec);
}

struct code_space code_cache_reserve_fixed(struct code_cache *cache)
{
    struct code_store *store = store_of(cache);
    return (struct code_space){.write = store->memory.write + store->fixed_used,
                               .exec = store->memory.exec + store->fixed_used,
                               .size = CODE_FIXED_MAX - store->fixed_used};
}

const uint8_t *code_cache_commit_fixed(struct code_cache *cache, size_t host_size)
{
    struct code_store *store = store_of(cache);
    struct code_space space = code_cache_reserve_fixed(cache);
    assert(host_size <= space.size);
    store->fixed_used += align_up(host_size, CODE_BLOCK_ALIGN);
    return space.exec;
}

void code_cache_unlink_all(struct code_cache *cache)
{
    struct code_store *store = store_of(cache);
    for (unsigned i = 0; i < CODE_CACHE_SEGMENTS; i++) {
        for (size_t index = 0; index < store->segments[i].blocks; index++) {
            code_links_drop_outgoing(store, segment_block(&store->segments[i], index));
        }
    }
}

static struct code_range end_blocks(struct code_cache *cache, struct code_range range, bool may_rest)
{
    struct code_store *store = store_of(cache);
    uint64_t first = range.phys;
    uint64_t end = range.phys + range.length;
    struct code_block *block = code_pages_take(&store->pages, range.phys, range.length);
    while (block != NULL) {
        struct code_block *next = block->page_next;
        struct code_range bytes = code_pages_bytes(block, range.phys >> CODE_PAGE_SHIFT);
        first = bytes.phys < first ? bytes.phys : first;
        end = bytes.phys + bytes.length > end ? bytes.phys + bytes.length : end;
        bury(store, block);
        if (may_rest && block->tail == CODE_NO_TAIL) {
            code_resting_add(store, block);
        } else {
            code_versions_remove(store, block);
        }
        counter_add(store->counters, COUNTER_BLOCKS_INVALIDATED, 1);
        block = next;
    }
    return (struct code_range){.phys = first, .length = end - first};
}

struct code_range code_cache_invalidate(struct code_cache *cache, struct code_range range)
{
    return end_blocks(cache, range, false);
}

struct code_range code_cache_put_to_rest(struct code_cache *cache, struct code_range range)
{
    return end_blocks(cache, range, true);
}

void code_cache_clear(struct code_cache *cache)
{
    struct code_store *store = store_of(cache);
    for (unsigned i = 0; i < CODE_CACHE_SEGMENTS; i++) {
        drop_segment(store, &store->segments[i]);
    }
}

void code_cache_forget_resting(struct code_cache *cache)
{
    struct code_store *store = store_of(cache);
    for (unsigned i = 0; i < CODE_CACHE_SEGMENTS; i++) {
        for (size_t index = 0; index < store->segments[i].blocks; index++) {
            code_resting_remove(store, segment_block(&store->segments[i], index));
        }
    }
}

void code_cache_for_each(struct code_cache *cache, bool (*visit)(void *opaque, struct code_block *block),
                         void *opaque)
{
    struct code_store *store = store_of(cache);
    for (unsigned i = 0; i < CODE_CACHE_SEGMENTS; i++) {
        for (size_t index = 0; index < store->segments[i].blocks; index++) {
            struct code_block *block = segment_block(&store->segments[i], index);
            if (!block->dead && !visit(opaque, block)) {
                return;
            }
        }
    }
}

struct code_block *code_cache_at(struct code_cache *cache, const uint8_t *host_pc)
{
    struct code_store *store = store_of(cache);
    uintptr_t offset = (uintptr_t)host_pc - (uintptr_t)store->memory.exec;
    if (offset < CODE_FIXED_MAX || offset >= CODE_FIXED_MAX + CODE_CACHE_SEGMENTS * store->segment_size) {
        return NULL;
    }
    const struct code_segment *segment = &store->segments[(offset - CODE_FIXED_MAX) / store->segment_size];
    size_t below = 0; /* blocks that are known to begin at or before host_pc */
    for (size_t above = segment->blocks; below < above;) {
        size_t middle = below + (above - below) / 2;
        if (segment_block(segment, middle)->entry <= host_pc) {
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    if (below == 0) {
        return NULL;
    }
    struct code_block *block = segment_block(segment, below - 1);
    return (size_t)(host_pc - block->entry) < block->host_size ? block : NULL;
}
