/* What the files of the code cache share.
 *
 * code_cache.c has memory and segments and decides when blocks die; code_versions.c the way from addresses
 * and keys to blocks, and their moving; code_links.c the patched jumps; code_pages.c the way from guest bytes
 * to blocks; code_resting.c dead ones that may be revived.
 */
#ifndef DOPPEL_CODECACHE_CODE_CACHE_INTERNAL_H
#define DOPPEL_CODECACHE_CODE_CACHE_INTERNAL_H

#include "codecache/code_cache.h"
#include "host/executable_memory.h"
#include "host/host_memory.h"

#define CODE_LINE_SHIFT   6u /* a page is looked at in 64 lines, one for each bit of a mask */
#define CODE_PAGE_BUCKETS 8192u
#define CODE_CHUNK_BLOCKS 256u /* structs are allocated so many at a time, since they must not move */
#define CODE_BLOCK_LINE   64u  /* bytes: they are aligned to a line of the host's cache, as far as possible */

#define CODE_RESTING_MAX 4u /* for one address and key */

/* A patched jump. It is in two lists: the outgoing ones of `from` and the incoming ones of `to`. */
struct code_link {
    struct code_block *from;
    struct code_block *to;
    uint32_t site;
    uint8_t original[4];
    bool crosses; /* from one version to another */
    struct code_link *out_next;
    struct code_link *in_next;
    struct code_link **in_back;
};

/* A guest page with blocks. `covered` and `longest` are upper bounds: they do not shrink before the page has
 * no blocks at all. */
struct code_page {
    uint64_t number;
    struct code_page *next;
    unsigned blocks;             /* those that have it for a tail included */
    unsigned longest;            /* bytes, on this page, of blocks that begin on it */
    uint64_t covered;            /* lines with bytes of a block */
    uint64_t occupied;           /* lines in which a block begins */
    struct code_block *line[64]; /* the blocks that begin there */
    struct code_block *tails;    /* the blocks that end on this page and begin elsewhere */
};

struct code_pages {
    struct code_page *bucket[CODE_PAGE_BUCKETS];
    struct code_page *unused;
};

/* A part of the memory, and the blocks in it in the order of their addresses. */
struct code_segment {
    size_t used;
    size_t tables_used;
    size_t blocks;
    struct code_block **chunks;
    size_t chunk_count;
};

struct code_store {
    struct code_cache cache;         /* must be first */
    struct code_version **siblings;  /* versions by page and the upper half of their keys */
    struct executable_memory memory; /* the fixed part, then the segments */
    struct host_memory tables;       /* as much again for each segment */
    struct code_cache_listener listener;
    struct counters *counters;
    struct code_segment segments[CODE_CACHE_SEGMENTS];
    size_t segment_size;
    unsigned current; /* the segment being filled */
    size_t fixed_used;
    struct code_link *unused_links;
    struct code_pages pages;
};

/* code_cache.c */

/* Has a block die, when it lives, and not rest. */
void code_cache_end_block(struct code_store *store, struct code_block *block);

/* code_versions.c */

void code_versions_release(struct code_store *store);

/* Puts a block in its version, which is made when there is none; false: out of memory. */
bool code_versions_add(struct code_store *store, struct code_block *block);

/* Takes it out; a version without blocks has gone then. */
void code_versions_remove(struct code_store *store, struct code_block *block);

/* The block comes before others of its address. */
void code_versions_bring_forward(struct code_block *block);

/* code_resting.c */

/* Has a dead block rest; one takes its place when there are many for its address and key. */
void code_resting_add(struct code_store *store, struct code_block *block);

/* Takes a block out of those that rest, when it does. */
void code_resting_remove(struct code_store *store, struct code_block *block);

/* code_links.c */

void code_links_release(struct code_store *store);
void code_links_drop(struct code_store *store, struct code_block *block);
void code_links_drop_outgoing(struct code_store *store, struct code_block *block);

/* Undoes the block's links with blocks of other versions. */
void code_links_drop_crossing(struct code_store *store, struct code_block *block);

/* code_pages.c */

void code_pages_release(struct code_pages *pages);

/* Files a block under its guest bytes; false: out of memory, and nothing has changed. */
bool code_pages_add(struct code_pages *pages, struct code_block *block);

/* Takes a block out of the pages, as far as it is still in them. */
void code_pages_remove(struct code_pages *pages, struct code_block *block);

/* From the first byte that a block has on one of its pages to the last. */
struct code_range code_pages_bytes(const struct code_block *block, uint64_t page_number);

/* Takes the blocks with bytes in the range out of the pages and returns them as a list by page_next. */
struct code_block *code_pages_take(struct code_pages *pages, uint64_t phys, uint64_t length);

#endif
