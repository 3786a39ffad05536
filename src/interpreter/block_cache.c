/* Decoded blocks by guest-physical address; see uop.h.
 *
 * A block is found by the physical address of its first byte and the code size it was decoded for, so one
 * copy serves every linear alias. Its bytes are marked on the bus; a store to any of them drops it. When the
 * cache is full everything goes. */
#include "interpreter/uop.h"

#include <stdlib.h>

#include "cpu/trace.h"
#include "isa/isa.h"

/* Some 20 MB: a working set's code is less, and behind the translator only cold code comes here. */
#define MAX_BLOCKS 65536u

/* Fibonacci hashing: 2^64 over the golden ratio spreads keys that differ in few bits. */
static unsigned address_bucket(uint64_t phys, unsigned code_size)
{
    uint64_t key = phys << 4 | code_size;
    return (unsigned)(key * 0x9E3779B97F4A7C15u >> (64 - BLOCK_HASH_BITS));
}

static unsigned page_bucket(uint64_t phys)
{
    uint64_t page = phys >> PAGE_SHIFT;
    return (unsigned)((page ^ (page >> PAGE_HASH_BITS)) & ((1u << PAGE_HASH_BITS) - 1));
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
            interpreter_lower_invalid(false, used, insn.length, &uops[n++]);
            used += insn.length;
            end = true;
            break;
        case DECODE_TOO_LONG: {
            unsigned looked_at = available - used < INSN_MAX_LENGTH ? available - used : INSN_MAX_LENGTH;
            interpreter_lower_invalid(true, used, looked_at, &uops[n++]);
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

static struct block *add_block(struct interpreter *in, uint64_t phys, const uint8_t *bytes,
                               unsigned available)
{
    struct uop uops[MAX_BLOCK_UOPS + 1];
    unsigned count = 0;
    unsigned length = decode_block(in, bytes, available, uops, &count);
    if (count == 0) {
        return NULL;
    }
    if (in->cache.count >= MAX_BLOCKS) {
        block_cache_clear(in);
    }
    if (!in->quiet) {
        cpu_trace_code(in->cpu, in->cpu->rip, bytes, length);
    }
    struct block *block = malloc(sizeof *block + (count + 1) * sizeof uops[0]);
    if (block == NULL) {
        return NULL;
    }
    unsigned bucket = address_bucket(phys, in->cpu->code_size);
    unsigned page = page_bucket(phys);
    *block = (struct block){.phys = phys,
                            .code_size = in->cpu->code_size,
                            .count = (uint8_t)count,
                            .length = (uint16_t)length,
                            .hash_next = in->cache.by_address[bucket],
                            .page_next = in->cache.by_page[page]};
    memcpy(block->uops, uops, (count + 1) * sizeof uops[0]);
    in->cache.by_address[bucket] = block;
    in->cache.by_page[page] = block;
    in->cache.count++;
    counter_add(in->cpu->counters, COUNTER_BLOCKS_DECODED, 1);
    bool first_code_of_page = memory_bus_page(in->mmu->bus, phys)->code_lines == 0;
    memory_bus_mark_code(in->mmu->bus, phys, length);
    if (first_code_of_page) {
        mmu_protect_page(in->mmu, phys);
    }
    return block;
}

struct block *block_cache_get(struct interpreter *in, uint64_t phys, const uint8_t *bytes, unsigned available)
{
    struct block *block = in->cache.by_address[address_bucket(phys, in->cpu->code_size)];
    while (block != NULL && (block->phys != phys || block->code_size != in->cpu->code_size)) {
        block = block->hash_next;
    }
    return block != NULL ? block : add_block(in, phys, bytes, available);
}

/* Makes a running block stop in front of its next instruction. */
static void stop_running_block(struct interpreter *in, struct block *block)
{
    if (in->block != block) {
        return;
    }
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

/* Takes the block at *page_link out of the cache. */
static void drop_block(struct interpreter *in, struct block **page_link)
{
    struct block *block = *page_link;
    *page_link = block->page_next;
    unlink_by_address(in, block);
    stop_running_block(in, block);
    interpreter_forget_jumps_to(in, block);
    block->page_next = in->cache.dead;
    in->cache.dead = block;
    in->cpu->pending |= CPU_PENDING_ENGINE;
    in->cache.count--;
    counter_add(in->cpu->counters, COUNTER_BLOCKS_INVALIDATED, 1);
}

/* Drops the blocks with bytes in *range, which grows by theirs; false: there were none. */
static bool drop_blocks(struct interpreter *in, struct engine_range *range)
{
    struct block **link = &in->cache.by_page[page_bucket(range->phys)];
    bool any = false;
    while (*link != NULL) {
        struct block *block = *link;
        if (block->phys < range->phys + range->length && range->phys < block->phys + block->length) {
            *range = engine_range_around(*range,
                                         (struct engine_range){.phys = block->phys, .length = block->length});
            any = true;
            drop_block(in, link);
        } else {
            link = &block->page_next;
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

void block_cache_free_dead(struct interpreter *in)
{
    while (in->cache.dead != NULL) {
        struct block *block = in->cache.dead;
        in->cache.dead = block->page_next;
        free(block);
    }
}

void block_cache_clear(struct interpreter *in)
{
    for (unsigned i = 0; i < ARRAY_COUNT(in->cache.by_page); i++) {
        while (in->cache.by_page[i] != NULL) {
            drop_block(in, &in->cache.by_page[i]);
        }
    }
}
