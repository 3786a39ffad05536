/* Where translated code lives: allocation, look-up, links between blocks, eviction, invalidation.
 *
 * A *block* is host code made from guest bytes on one physical page, or on two: those that do not fit the
 * first one are the first of another, the block's *tail*. It is found by the physical address of its first
 * byte and a key, which says what else the code assumes and means nothing here. Several blocks may be made of
 * the same bytes, and with the same key of bytes that only begin on the same page.
 *
 * The lower half of a key says where the guest has the code, and grows with the address. So the blocks of a
 * page that are made for one place of it have keys that differ as their addresses do: they are a *version* of
 * the page, and found through it. A version may be moved to another place when the owner knows how to change
 * its blocks: many are, since each process has the same library elsewhere.
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

#define CODE_PAGE_SHIFT 12u
#define CODE_PAGE_SIZE  (1u << CODE_PAGE_SHIFT)

struct code_link;

/* What a look-up reads comes first and fills a line of the host's cache. */
struct code_block {
    uint64_t phys; /* effective guest-physical address of the first guest byte */
    uint64_t key;  /* what else the code assumes */
    uint64_t tail; /* effective address of the page where its bytes go on; CODE_NO_TAIL: nowhere */
    struct code_block *slot_next; /* private */
    const uint8_t *entry;         /* executable */
    uint32_t host_size;           /* bytes at `entry` */
    uint32_t tables_size;         /* bytes */
    uint16_t length;              /* guest bytes, those of the tail included */
    uint16_t insn_count;          /* guest instructions */
    uint16_t user;                /* the owner's */
    uint8_t body;                 /* the owner's: for example where in the block its second entry is */
    bool dead : 1;                /* not found any more */
    bool resting : 1;             /* dead, and may be revived */
    bool movable : 1;             /* the owner's, when it is made: it can be moved with its version */
    void *tables;                 /* the owner's */
    struct code_version *version; /* that it belongs to; NULL: it is dead and does not rest */
    /* Private. */
    struct code_block *page_next; /* blocks that begin in the same part of the page */
    struct code_block **page_back;
    struct code_block *tail_next; /* blocks that have the same page for a tail */
    struct code_block **tail_back;
    struct code_link *incoming;
    struct code_link *outgoing;
};
_Static_assert(sizeof(struct code_block) <= 128, "two lines of the host's cache");

/* The blocks that begin on one page and are made for one place of it. */
struct code_version {
    uint64_t page;   /* number */
    uint64_t origin; /* the key of a block at the page's first byte */
    struct code_version *next;
    struct code_block **slots; /* by their offset on the page; those that rest are there as well */
    unsigned shift;
    uint32_t used; /* the owner's: for example when a block of it was last found */
    /* Private. */
    struct code_version *sibling; /* another of the page, with the same upper half of its keys */
    unsigned blocks;              /* in the slots */
    unsigned crossings;           /* links between one of its blocks and one of another version */
};

/* What is looked at for each jump to code that is not linked; the rest of a cache is private. */
struct code_cache {
    struct code_version **versions; /* by page and origin */
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

/* ---- finding */

/* The key of a block at the first byte of the page, for the same place of it. */
static inline uint64_t code_origin(uint64_t phys, uint64_t key)
{
    uint32_t lower = (uint32_t)key - (uint32_t)(phys & (CODE_PAGE_SIZE - 1));
    return (key & ~(uint64_t)UINT32_MAX) | lower;
}

static inline size_t code_version_bucket(const struct code_cache *cache, uint64_t page, uint64_t origin)
{
    return (size_t)((page * 0x9E3779B97F4A7C15u + origin * 0xC2B2AE3D27D4EB4Fu) >> cache->shift);
}

/* The version that a block for `phys` and `key` belongs to; NULL: there is none, and no such block, not even
 * one that rests. */
static inline struct code_version *code_cache_find_version(const struct code_cache *cache, uint64_t phys,
                                                           uint64_t key)
{
    uint64_t page = phys >> CODE_PAGE_SHIFT;
    uint64_t origin = code_origin(phys, key);
    struct code_version *version = cache->versions[code_version_bucket(cache, page, origin)];
    while (version != NULL && (version->page != page || version->origin != origin)) {
        version = version->next;
    }
    return version;
}

static inline size_t code_version_slot(const struct code_version *version, uint64_t phys)
{
    return (uint32_t)(phys & (CODE_PAGE_SIZE - 1)) * 0x9E3779B1u >> version->shift;
}

/* A living block for `phys`, or NULL. When it has a tail, there may be others with other tails. */
static inline struct code_block *code_version_find(const struct code_version *version, uint64_t phys)
{
    struct code_block *block = version->slots[code_version_slot(version, phys)];
    while (block != NULL && (block->phys != phys || block->dead)) {
        block = block->slot_next;
    }
    return block;
}

/* The one whose tail is at `tail`. */
static inline struct code_block *code_version_find_with_tail(const struct code_version *version,
                                                             uint64_t phys, uint64_t tail)
{
    struct code_block *block = version->slots[code_version_slot(version, phys)];
    while (block != NULL && (block->phys != phys || block->tail != tail || block->dead)) {
        block = block->slot_next;
    }
    return block;
}

/* The first version of the page at `phys` whose keys have the upper half of `key`, and the one after
 * `version`; NULL: there is none. */
struct code_version *code_cache_first_sibling(struct code_cache *cache, uint64_t phys, uint64_t key);
struct code_version *code_cache_next_sibling(const struct code_version *version);

/* Calls `change` for each living block of the version; none may die meanwhile. */
void code_version_for_each(struct code_version *version, void (*change)(void *opaque, struct code_block *),
                           void *opaque);

/* Moves a version to another origin, with the same upper half, where there is none. Its movable blocks get
 * their new keys, the listener being told before as if they had died, and keep the links among them; the
 * epoch stays, and whoever knows their code finds that it is for another key now. The owner then changes the
 * code. The other blocks die. When none is movable, the version has gone afterwards: false. */
bool code_cache_move(struct code_cache *cache, struct code_version *version, uint64_t origin);

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

/* ---- making and linking */

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

/* The block for `phys` that was put to rest last, and the one before `block`; NULL: there is none. */
struct code_block *code_version_first_resting(const struct code_version *version, uint64_t phys);
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
