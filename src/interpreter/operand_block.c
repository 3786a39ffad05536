/* Memory operands of 6, 10, 16 and more bytes: descriptor table registers, 80-bit numbers, XMM registers, x87
 * images.
 *
 * A store changes nothing when any of its bytes may not be written. */
#include "interpreter/operand.h"

/* Reads or writes a block byte group by byte group once every byte is known to be accessible. */
static unsigned chunk(unsigned left)
{
    return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* What EFLAGS.AC demands (SDM 3A table 6-7): 80-bit numbers and XMM registers 8, a descriptor table register
 * 4, x87 environments and states their operand size. FXSAVE's area was found aligned before. */
static unsigned block_alignment(const struct uop *uop, unsigned size)
{
    switch (size) {
    case 6: return 4;
    case 10:
    case 16: return 8;
    default: return uop->operand_size;
    }
}

static uint64_t block_linear(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned size, bool write)
{
    uop_sync(cpu, in);
    uint64_t linear =
        cpu_segment_to_linear(cpu, (enum cpu_segment)uop->segment, effective_address(cpu, uop), size, write);
    cpu_check_alignment(cpu, linear, block_alignment(uop, size), 0);
    return linear;
}

/* Whether the block lies in one page and the segment's bounds allow it. */
static inline bool block_is_simple(uint32_t offset, uint32_t linear, unsigned size, uint32_t first,
                                   uint32_t last)
{
    return offset >= first && (uint64_t)offset + (size - 1) <= last &&
           (linear & PAGE_MASK) + size <= PAGE_SIZE;
}

void operand_load_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, uint8_t *bytes,
                        unsigned size)
{
    const struct segment *s = &cpu->segment[uop->segment];
    uint32_t offset = effective_address(cpu, uop);
    uint32_t linear = (uint32_t)(s->base + offset);
    const struct tlb_entry *entry = tlb_entry_for(in->tlb, linear);
    if (block_is_simple(offset, linear, size, s->read_first, s->read_last) &&
        entry->load_tag == (linear & ~PAGE_MASK)) {
        memcpy(bytes, entry->host + (linear & PAGE_MASK), size);
        return;
    }
    uint64_t address = block_linear(cpu, uop, in, size, false);
    for (unsigned done = 0; done < size;) {
        unsigned width = chunk(size - done);
        uint64_t at = (address + done) & 0xffffffffu;
        store_le(bytes + done, width, mmu_load(in->mmu, at, width, cpu->cpl == 3));
        done += width;
    }
    heed_device(cpu, in);
}

void operand_store_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                         const uint8_t *bytes, unsigned size)
{
    const struct segment *s = &cpu->segment[uop->segment];
    uint32_t offset = effective_address(cpu, uop);
    uint32_t linear = (uint32_t)(s->base + offset);
    const struct tlb_entry *entry = tlb_entry_for(in->tlb, linear);
    if (block_is_simple(offset, linear, size, s->write_first, s->write_last) &&
        entry->store_tag == (linear & ~PAGE_MASK)) {
        memcpy(entry->host + (linear & PAGE_MASK), bytes, size);
        return;
    }
    uint64_t address = block_linear(cpu, uop, in, size, true);
    cpu->memory_ops->probe_write(cpu, address, size, cpu->cpl == 3);
    for (unsigned done = 0; done < size;) {
        unsigned width = chunk(size - done);
        uint64_t at = (address + done) & 0xffffffffu;
        mmu_store(in->mmu, at, width, load_le(bytes + done, width), cpu->cpl == 3);
        done += width;
    }
    heed_device(cpu, in);
}
