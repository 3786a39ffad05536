/* Decoded instructions that cross the end of a page, of which a loop may hold one.
 *
 * Their bytes are compared with what is in memory each time, so that nothing has to be told when either page
 * changes or is mapped elsewhere. One table entry for each hash of the first byte's address.
 *
 * NOT IMPLEMENTED: models whose IP wraps within an instruction; chains (jump_cache.h) go no further than
 * here. */
#include "interpreter/uop.h"

#include <stdlib.h>
#include <string.h>

static struct crossing_insn *entry_for(struct interpreter *in, uint64_t phys)
{
    uint64_t page = phys >> PAGE_SHIFT;
    return &in->crossing[(page ^ page >> CROSSING_BITS) & ((1u << CROSSING_BITS) - 1)];
}

static unsigned room_on_page(uint64_t phys)
{
    return PAGE_SIZE - (unsigned)(phys & PAGE_MASK);
}

const struct block *crossing_find(struct interpreter *in, uint64_t phys)
{
    const struct block *block = entry_for(in, phys)->block;
    return block != NULL && block->phys == phys && block->code_size == in->cpu->code_size ? block : NULL;
}

struct block *crossing_recall(struct interpreter *in, uint64_t phys, uint32_t linear, const uint8_t *bytes)
{
    const struct cpu_state *cpu = in->cpu;
    const struct crossing_insn *entry = entry_for(in, phys);
    struct block *block = entry->block;
    unsigned room = room_on_page(phys);
    if (crossing_find(in, phys) == NULL || memcmp(entry->bytes, bytes, room) != 0 ||
        cpu->rip + block->length - 1 > cpu->segment[CPU_CS].limit) {
        return NULL;
    }
    uint64_t tail = mmu_fetch_address(in->mmu, (uint32_t)(linear + room), cpu->cpl == 3);
    const struct memory_page *page = memory_bus_page(in->mmu->bus, tail);
    bool same = page->read != NULL && memcmp(entry->bytes + room, page->read, block->length - room) == 0;
    return same ? block : NULL;
}

void crossing_remember(struct interpreter *in, const uint8_t *bytes)
{
    const struct block *scratch = in->scratch;
    struct crossing_insn *entry = entry_for(in, scratch->phys);
    size_t size = sizeof *scratch + 2 * sizeof scratch->uops[0];
    if (scratch->length <= room_on_page(scratch->phys) || in->cpu->model->offset_wraps) {
        return;
    }
    if (entry->block == NULL) {
        entry->block = malloc(size);
    }
    if (entry->block != NULL) {
        memcpy(entry->block, scratch, size);
        memcpy(entry->bytes, bytes, scratch->length);
    }
}

void crossing_clear(struct interpreter *in)
{
    for (size_t i = 0; i < ARRAY_COUNT(in->crossing); i++) {
        free(in->crossing[i].block);
        in->crossing[i].block = NULL;
    }
}
