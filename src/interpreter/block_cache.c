/* Decoded blocks by guest-physical address; see uop.h.
 *
 * A block is found by the physical address of its first byte and the code size it was decoded for, so one
 * copy serves every linear alias. Its bytes are marked on the bus; a store to any of them drops it. Memory is
 * filled in order, in segments, and when all are full the blocks of the oldest go. A dropped block stays
 * where it is until then, since it may be running. */
#include "interpreter/uop.h"

#include "cpu/trace.h"
#include "host/large_page.h"
#include "isa/isa.h"

/* 32 MiB in all: a working set's code is less, and behind the translator only cold code comes here. */
#define SEGMENT_SIZE ((size_t)2 << 20)

#define BUCKET_SHIFT 3 /* most of these 8 bytes of code hold the beginning of one block, or none */

/* What follows in the guest's memory follows here, in the same line of the host's cache or the next; pages
 * are spread by Fibonacci hashing (2^64 over the golden ratio). */
static unsigned address_bucket(uint64_t phys, unsigned code_size)
{
    uint64_t page = (phys >> PAGE_SHIFT << 4 | code_size) * 0x9E3779B97F4A7C15u;
    uint64_t bucket = (page >> (64 - BLOCK_HASH_BITS)) + ((phys & PAGE_MASK) >> BUCKET_SHIFT);
    return (unsigned)bucket & ((1u << BLOCK_HASH_BITS) - 1);
}

static unsigned page_bucket(uint64_t phys)
{
    uint64_t page = phys >> PAGE_SHIFT;
    return (unsigned)((page ^ (page >> PAGE_HASH_BITS)) & ((1u << PAGE_HASH_BITS) - 1));
}

static size_t block_size(unsigned count)
{
    return sizeof(struct block) + (count + 1) * sizeof(struct uop);
}

/* ---- the end of blocks */

/* Makes a running block stop in front of its next instruction, or the next iteration of the present one. */
static void stop_running_block(struct interpreter *in, struct block *block)
{
    if (in->block != block) {
        return;
    }
    in->cpu->pending |= CPU_PENDING_ENGINE;
    for (unsigned i = in->current->position + 1u; i <= block->count; i++) {
        interpreter_lower_exit(block->uops[i].offset, &block->uops[i]);
        block->uops[i].position = (uint8_t)i;
    }
}

static void unlink_by_address(struct interpreter *in, struct block *block)
{
    struct block **link = &in->cache.by_address[address_bucket(block->phys, block->code_size)];
    while (*link != block) {
        link = &(*link)->hash_next;
    }
    *link = block->hash_next;
}

static void unlink_by_page(struct block *block)
{
    *block->page_back = block->page_next;
    if (block->page_next != NULL) {
        block->page_next->page_back = block->page_back;
    }
}

static void drop_block(struct interpreter *in, struct block *block)
{
    unlink_by_page(block);
    unlink_by_address(in, block);
    stop_running_block(in, block);
    interpreter_forget_jumps_to(in, block);
    block->dead = true;
}

/* Drops the blocks with bytes in *range, which grows by theirs; false: there were none. */
static bool drop_blocks(struct interpreter *in, struct engine_range *range)
{
    bool any = false;
    struct block *next;
    for (struct block *block = in->cache.by_page[page_bucket(range->phys)]; block != NULL; block = next) {
        next = block->page_next;
        if (block->phys < range->phys + range->length && range->phys < block->phys + block->length) {
            *range = engine_range_around(*range,
                                         (struct engine_range){.phys = block->phys, .length = block->length});
            any = true;
            drop_block(in, block);
            counter_add(in->cpu->counters, COUNTER_BLOCKS_INVALIDATED, 1);
        }
    }
    return any;
}

struct engine_range block_cache_invalidate(struct interpreter *in, struct engine_range range)
{
    while (drop_blocks(in, &range)) {
    }
    return range;
}

/* Drops the blocks of a segment, and returns how many of them lived. */
static size_t empty_segment(struct interpreter *in, struct block_segment *segment)
{
    size_t dropped = 0;
    for (size_t at = 0; at < segment->used;) {
        struct block *block = (struct block *)(void *)(segment->bytes + at);
        if (!block->dead) {
            drop_block(in, block);
            dropped++;
        }
        at += block_size(block->count);
    }
    segment->used = 0;
    return dropped;
}

void block_cache_clear(struct interpreter *in)
{
    for (unsigned i = 0; i < BLOCK_SEGMENTS; i++) {
        empty_segment(in, &in->cache.segments[i]);
    }
}

void block_cache_release(struct interpreter *in)
{
    for (unsigned i = 0; i < BLOCK_SEGMENTS; i++) {
        large_page_free(in->cache.segments[i].bytes, SEGMENT_SIZE);
    }
}

/* ---- making blocks */

/* The segment with room for the largest block; NULL: the host has no memory. */
static struct block_segment *find_room(struct interpreter *in)
{
    struct block_segment *segment = &in->cache.segments[in->cache.current];
    if (segment->used + block_size(MAX_BLOCK_UOPS) > SEGMENT_SIZE) {
        in->cache.current = (in->cache.current + 1) % BLOCK_SEGMENTS;
        segment = &in->cache.segments[in->cache.current];
        counter_add(in->cpu->counters, COUNTER_BLOCKS_EVICTED, empty_segment(in, segment));
    }
    if (segment->bytes == NULL) {
        segment->bytes = large_page_allocate(SEGMENT_SIZE);
    }
    return segment->bytes != NULL ? segment : NULL;
}

/* Decodes from `bytes` into uops until the block ends; returns the bytes used. The exit uop is added. */
static unsigned decode_block(struct interpreter *in, const uint8_t *bytes, unsigned available,
                             struct uop *uops, unsigned *count)
{
    const struct cpu_model *model = in->cpu->model;
    struct decode_mode mode = isa_decode_mode(in->cpu);
    unsigned used = 0;
    unsigned n = 0;
    for (bool end = false; !end && n < MAX_BLOCK_UOPS;) {
        struct insn insn;
        switch (decoder_decode(&mode, bytes + used, available - used, &insn)) {
        case DECODE_OK:
            end = interpreter_lower(model, &insn, used, &uops[n++]);
            used += insn.length;
            break;
        case DECODE_INVALID:
            interpreter_lower_invalid(false, used, &uops[n++]);
            used += insn.length;
            end = true;
            break;
        case DECODE_TOO_LONG: {
            unsigned looked_at = available - used < INSN_MAX_LENGTH ? available - used : INSN_MAX_LENGTH;
            interpreter_lower_invalid(true, used, &uops[n++]);
            used += looked_at;
            end = true;
            break;
        }
        case DECODE_TRUNCATED: end = true; break;
        }
    }
    interpreter_lower_continue(used, &uops[n]);
    for (unsigned i = 0; i <= n; i++) {
        uops[i].position = (uint8_t)i;
    }
    *count = n;
    return used;
}

static void list_block(struct interpreter *in, struct block *block)
{
    struct block **address = &in->cache.by_address[address_bucket(block->phys, block->code_size)];
    struct block **page = &in->cache.by_page[page_bucket(block->phys)];
    block->hash_next = *address;
    *address = block;
    block->page_next = *page;
    block->page_back = page;
    if (*page != NULL) {
        (*page)->page_back = &block->page_next;
    }
    *page = block;
}

static struct block *add_block(struct interpreter *in, uint64_t phys, const uint8_t *bytes,
                               unsigned available)
{
    struct block_segment *segment = find_room(in);
    if (segment == NULL) {
        return NULL;
    }
    struct block *block = (struct block *)(void *)(segment->bytes + segment->used);
    unsigned count = 0;
    unsigned length = decode_block(in, bytes, available, block->uops, &count);
    if (count == 0) {
        return NULL;
    }
    if (!in->quiet) {
        cpu_trace_code(in->cpu, in->cpu->rip, bytes, length);
    }
    block->phys = phys;
    block->code_size = in->cpu->code_size;
    block->count = (uint8_t)count;
    block->length = (uint16_t)length;
    block->jump_slot = 0;
    block->visits = 0;
    block->dead = false;
    list_block(in, block);
    segment->used += block_size(count);
    counter_add(in->cpu->counters, COUNTER_BLOCKS_DECODED, 1);
    bool first_code_of_page = memory_bus_page(in->mmu->bus, phys)->code_lines == 0;
    memory_bus_mark_code(in->mmu->bus, phys, length);
    if (first_code_of_page) {
        mmu_protect_page(in->mmu, phys);
    }
    return block;
}

struct block *block_cache_find(const struct interpreter *in, uint64_t phys)
{
    struct block *block = in->cache.by_address[address_bucket(phys, in->cpu->code_size)];
    while (block != NULL && (block->phys != phys || block->code_size != in->cpu->code_size)) {
        block = block->hash_next;
    }
    return block;
}

struct block *block_cache_get(struct interpreter *in, uint64_t phys, const uint8_t *bytes, unsigned available)
{
    struct block *block = block_cache_find(in, phys);
    return block != NULL ? block : add_block(in, phys, bytes, available);
}
