/* Where translated code lives: allocation, look-up, links between blocks, eviction, invalidation.
 *
 * A *block* is host code made from guest bytes on one physical page, or on two: those that do not fit the
 * first one are the first of another, the block's *tail*. It is found by the physical address of its first
 * byte and a key, which says what else the code assumes and means nothing here. Several blocks may be made of
 * the same bytes, and with the same key of bytes that only begin on the same page.
 *
 * Blocks on one page whose keys differ in their lower halves only can be *versions* of each other, when their
 * owner knows how to make one of them the other by changing a few bytes: one may be moved to another key.
 *
 * Memory is filled in order and divided into CODE_CACHE_SEGMENTS segments. When all are full the oldest one
 * is evicted, so that a guest with more code than fits loses a sixteenth of it at a time. Blocks die before
 * that when their guest bytes change. A dead block is not found and not linked any more, but its host code,
 * its tables and its struct stay as they are until its segment is reused, since the code may still be
 * running. One that *rests* may be revived until then, when its owner sees that its bytes have come back.
 *
 * A block's *tables* are what its owner has to know of it besides. They are data, in memory of their own:
 * code is mapped twice and wants to lie close together.
 *
 * Rules for the caller
 *  - One thread uses a cache, and it is the one that runs the code: patching a jump is a plain store of four
 *    bytes through the writable mapping, aligned or not.
 *  - code_cache_reserve() may overwrite any block. It is for the dispatcher, when no translated code is on
 * the host's stack and no `struct code_block *` is kept but in links made here.
 *  - Everything else that ends blocks may be called while translated code runs (from a store, say). A running
 *    block that died goes on to its end; its links are undone, so that it leaves through its own exits.
 *
 * NOT IMPLEMENTED: guest code and what it means; blocks of more than two pages; reuse of single dead blocks.
 */
#ifndef DOPPEL_CODECACHE_CODE_CACHE_H
#define DOPPEL_CODECACHE_CODE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/status.h"

#define CODE_CACHE_SEGMENTS 16u
#define CODE_CACHE_SIZE_MIN ((uint64_t)1 << 20)
#define CODE_CACHE_SIZE_MAX ((uint64_t)1 << 30) /* relative jumps reach everywhere */
#define CODE_BLOCK_MAX      ((size_t)32 << 10)  /* bytes that a reservation has at least */
#define CODE_FIXED_MAX      ((size_t)256 << 10) /* bytes of code that is never evicted */
#define CODE_BLOCK_ALIGN    16u                 /* of a block's entry, in bytes */
#define CODE_BLOCK_LEAD     15u                 /* bytes of code that a block has in front of its entry */
#define CODE_TABLES_MAX     ((size_t)16 << 10)  /* bytes of tables that a reservation has at least */
#define CODE_NO_TAIL        UINT64_MAX

#define CODE_BEGIN_PAGE_BITS 9u /* 256 KiB of bits */

struct code_link;

/* What a look-up reads comes first and fills a line of the host's cache. */
struct code_block {
    uint64_t phys; /* effective guest-physical address of the first guest byte */
    uint64_t key;  /* what else the code assumes */
    uint64_t tail; /* effective address of the page where its bytes go on; CODE_NO_TAIL: nowhere */
    struct code_block *hash_next; /* private */
    const uint8_t *entry;         /* executable */
    uint32_t used;                /* the owner's: for example when it was last found */
    uint32_t host_size;           /* bytes at `entry` */
    uint32_t tables_size;         /* bytes */
    uint16_t length;              /* guest bytes, those of the tail included */
    uint16_t insn_count;          /* guest instructions */
    uint16_t user;                /* the owner's */
    uint8_t body;                 /* the owner's: for example where in the block its second entry is */
    bool dead;                    /* not found any more */
    bool movable;                 /* code_cache_add_version() was called */
    bool resting;                 /* dead, and may be revived */
    void *tables;                 /* the owner's */
    /* Private. */
    struct code_block *version_next;
    struct code_block *page_next; /* blocks that begin in the same part of the page */
    struct code_block **page_back;
    struct code_block *tail_next; /* blocks that have the same page for a tail */
    struct code_block **tail_back;
    struct code_link *incoming;
    struct code_link *outgoing;
};
_Static_assert(sizeof(struct code_block) <= 128, "two lines of the host's cache");

/* What is looked at for each jump to code that is not linked; the rest of a cache is private. */
struct code_cache {
    struct code_block **buckets;
    struct code_block **versions; /* likewise, by address and the upper half of the key */
    struct code_block **resting;  /* likewise, those that rest */
    uint64_t *begins; /* a bit for where blocks begin, by address: see code_cache_may_begin_at() */
    unsigned shift;
    uint64_t epoch;
};

/* Guest-physical bytes. */
struct code_range {
    uint64_t phys, length;
};

struct code_cache_listener {
    /* Called once for each block, after it died, and whenever it is moved, before it has its new key: it must
     * be forgotten wherever a jump could find it. It may not call the cache. May be NULL. */
    void (*block_died)(void *opaque, struct code_block *block);
    void *opaque;
};

/* Space to assemble into: the byte at write + n will run at exec + n. A block's may also have CODE_BLOCK_LEAD
 * bytes in front of that. */
struct code_space {
    uint8_t *write;
    const uint8_t *exec;
    size_t size;
    void *tables; /* a block's: aligned for any type */
    size_t tables_size;
};

/* Makes a cache with `size` bytes for blocks (CODE_CACHE_SIZE_MIN to CODE_CACHE_SIZE_MAX). `listener` is
 * copied; `counters` must outlive the cache. STATUS_UNSUPPORTED where the host allows no code,
 * STATUS_NO_MEMORY. */
struct status code_cache_create(uint64_t size, const struct code_cache_listener *listener,
                                struct counters *counters, struct code_cache **result) STATUS_MUST_CHECK;

/* NULL is allowed. The listener is not called. */
void code_cache_destroy(struct code_cache *cache);

static inline size_t code_cache_bucket(const struct code_cache *cache, uint64_t phys, uint64_t key)
{
    return (size_t)((phys * 0x9E3779B97F4A7C15u + key * 0xC2B2AE3D27D4EB4Fu) >> cache->shift);
}

/* The bit for `phys`: addresses on one page have bits that lie close together. */
static inline size_t code_cache_begin_bit(uint64_t phys)
{
    uint64_t page = (phys >> 12) * 0x9E3779B97F4A7C15u >> (64 - CODE_BEGIN_PAGE_BITS);
    return (size_t)(page << 12 | (phys & 0xfff));
}

/* False: no block begins at `phys`, not even one that rests. True: one may. Most code that is asked for and
 * is not there never was, and this tells it without a look at the indexes, which no cache of the host holds.
 */
static inline bool code_cache_may_begin_at(const struct code_cache *cache, uint64_t phys)
{
    size_t bit = code_cache_begin_bit(phys);
    return cache->begins[bit / 64] >> bit % 64 & 1;
}

/* A living block for `phys` and `key`, or NULL. When it has a tail, there may be others with other tails. */
static inline struct code_block *code_cache_find(const struct code_cache *cache, uint64_t phys, uint64_t key)
{
    struct code_block *block = cache->buckets[code_cache_bucket(cache, phys, key)];
    while (block != NULL && (block->phys != phys || block->key != key)) {
        block = block->hash_next;
    }
    return block;
}

/* The one whose tail is at `tail`. */
static inline struct code_block *code_cache_find_with_tail(const struct code_cache *cache, uint64_t phys,
                                                           uint64_t tail, uint64_t key)
{
    struct code_block *block = code_cache_find(cache, phys, key);
    while (block != NULL && (block->phys != phys || block->key != key || block->tail != tail)) {
        block = block->hash_next;
    }
    return block;
}

/* Makes a block without a tail findable as a version. */
void code_cache_add_version(struct code_cache *cache, struct code_block *block);

/* The first version for `phys` and the upper half of `key`, and the one after `block`; NULL: there is none.
 */
struct code_block *code_cache_first_version(const struct code_cache *cache, uint64_t phys, uint64_t key);
struct code_block *code_cache_next_version(const struct code_block *block);

/* Gives a version another lower half of its key, which no living block of its bytes has. Its links are undone
 * and the listener is told, as if it had died, but the epoch stays: whoever knows its code finds that it is
 * for another key now. The owner then changes the code. */
void code_cache_move(struct code_cache *cache, struct code_block *block, uint64_t key);

/* A number that grows whenever a block dies. */
static inline uint64_t code_cache_epoch(const struct code_cache *cache)
{
    return cache->epoch;
}

/* Space for the next block: at least CODE_BLOCK_MAX bytes, beginning aligned to CODE_BLOCK_ALIGN, and
 * CODE_TABLES_MAX. Evicts the oldest segment when it must. Asking again without a commit gives the same
 * space.
 */
struct code_space code_cache_reserve(struct code_cache *cache);

/* Makes a block of the first `host_size` (1 or more) and `tables_size` bytes reserved. The guest bytes [phys,
 * phys + length) must lie on one page, with `tail` CODE_NO_TAIL; or those beyond its end, a page's worth at
 * most, are the first ones of the page at `tail`. (phys, tail, key) must not be in the cache. NULL when the
 * host has no memory for the book-keeping; the reservation stays then. */
struct code_block *code_cache_commit(struct code_cache *cache, uint64_t phys, uint64_t tail, uint64_t key,
                                     unsigned length, unsigned insn_count, size_t host_size,
                                     size_t tables_size);

/* The same for code that never dies, CODE_FIXED_MAX bytes in all: shared stubs, made at the start. Returns
 * the executable address of the `host_size` bytes committed. */
struct code_space code_cache_reserve_fixed(struct code_cache *cache);
const uint8_t *code_cache_commit_fixed(struct code_cache *cache, size_t host_size);

/* The bytes at a block's entry, writable. */
uint8_t *code_cache_writable(const struct code_cache *cache, const struct code_block *block);

/* Makes the jump in `from` whose 32-bit displacement is at offset `site`, and ends with it, go to the entry
 * of `to`. Its present displacement is put back when either block dies, or when the site is linked again.
 * Both must be alive; they may be the same. When the host is out of memory nothing happens. */
void code_cache_link(struct code_cache *cache, struct code_block *from, uint32_t site, struct code_block *to);

/* Undoes all links. */
void code_cache_unlink_all(struct code_cache *cache);

/* Drops the blocks that were made of bytes in `range`, which must lie on one page. Returns the smallest range
 * with these bytes and all those on the page that the dropped blocks were made of. */
struct code_range code_cache_invalidate(struct code_cache *cache, struct code_range range);

/* The same, but that blocks without a tail rest afterwards. */
struct code_range code_cache_put_to_rest(struct code_cache *cache, struct code_range range);

/* The block for `phys` and `key` that was put to rest last, and the one before `block`; NULL: there is none.
 */
struct code_block *code_cache_first_resting(const struct code_cache *cache, uint64_t phys, uint64_t key);
struct code_block *code_cache_next_resting(const struct code_block *block);

/* A resting block lives again, without links, as if it had just been made. (phys, key) must not be in the
 * cache. False: the host has no memory for the book-keeping. */
bool code_cache_revive(struct code_cache *cache, struct code_block *block);

/* No block rests any more: something else has changed that blocks were made under. */
void code_cache_forget_resting(struct code_cache *cache);

/* Drops all blocks, those that rest as well. */
void code_cache_clear(struct code_cache *cache);

/* Calls `visit` for each living block until it returns false. It may not change the cache. */
void code_cache_for_each(struct code_cache *cache, bool (*visit)(void *opaque, struct code_block *block),
                         void *opaque);

/* Jumps of the block that are linked. */
unsigned code_cache_links_of(const struct code_block *block);

/* The block, dead or alive, whose host code includes `host_pc`; NULL for anything else. A signal handler on
 * the cache's thread may ask while translated code runs. */
struct code_block *code_cache_at(struct code_cache *cache, const uint8_t *host_pc);

#endif
