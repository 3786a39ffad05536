/* Slow paths of guest memory operands; see operand.h. */
#include "interpreter/operand.h"

/* The 8086 has no limits: an access that runs over offset FFFFh goes on at offset 0 of the same segment. */
static uint64_t load_wrapped(struct cpu_state *cpu, struct interpreter *in, unsigned segment, uint32_t offset,
                             unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        uint64_t linear = cpu->segment[segment].base + ((offset + i) & 0xffff);
        value |= mmu_load(in->mmu, linear, 1, false) << (8 * i);
    }
    heed_device(cpu, in);
    return value;
}

static void store_wrapped(struct cpu_state *cpu, struct interpreter *in, unsigned segment, uint32_t offset,
                          unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++) {
        uint64_t linear = cpu->segment[segment].base + ((offset + i) & 0xffff);
        mmu_store(in->mmu, linear, 1, (value >> (8 * i)) & 0xff, false);
    }
    heed_device(cpu, in);
}

uint64_t operand_load_slow(struct cpu_state *cpu, struct interpreter *in, unsigned segment, uint32_t offset,
                           unsigned width)
{
    uop_sync(cpu, in);
    if (cpu->model->offset_wraps && (uint64_t)offset + (width - 1) > 0xffff) {
        return load_wrapped(cpu, in, segment, offset, width);
    }
    uint64_t linear = cpu_segment_to_linear(cpu, (enum cpu_segment)segment, offset, width, false);
    cpu_check_alignment(cpu, linear, width, 0);
    uint64_t value = mmu_load_slow(in->mmu, linear, width, cpu->cpl == 3);
    heed_device(cpu, in);
    return value;
}

uint64_t operand_load_for_update_slow(struct cpu_state *cpu, struct interpreter *in, unsigned segment,
                                      uint32_t offset, unsigned width)
{
    uop_sync(cpu, in);
    if (cpu->model->offset_wraps && (uint64_t)offset + (width - 1) > 0xffff) {
        return load_wrapped(cpu, in, segment, offset, width);
    }
    uint64_t linear = cpu_segment_to_linear(cpu, (enum cpu_segment)segment, offset, width, true);
    cpu_check_alignment(cpu, linear, width, 0);
    cpu->memory_ops->probe_write(cpu, linear, width, cpu->cpl == 3);
    uint64_t value = mmu_load_slow(in->mmu, linear, width, cpu->cpl == 3);
    heed_device(cpu, in);
    return value;
}

void operand_store_slow(struct cpu_state *cpu, struct interpreter *in, unsigned segment, uint32_t offset,
                        unsigned width, uint64_t value)
{
    const struct segment *s = &cpu->segment[segment];
    uint32_t linear32 = (uint32_t)(s->base + offset);
    const struct tlb_entry *entry = tlb_entry_for(in->tlb, linear32);
    if (offset >= s->write_first && (uint64_t)offset + (width - 1) <= s->write_last &&
        mmu_store_misses_code(entry, linear32, width)) {
        store_le(entry->host + (linear32 & PAGE_MASK), width, value);
        return;
    }
    uop_sync(cpu, in);
    if (cpu->model->offset_wraps && (uint64_t)offset + (width - 1) > 0xffff) {
        store_wrapped(cpu, in, segment, offset, width, value);
        return;
    }
    uint64_t linear = cpu_segment_to_linear(cpu, (enum cpu_segment)segment, offset, width, true);
    cpu_check_alignment(cpu, linear, width, 0);
    mmu_store_slow(in->mmu, linear, width, value, cpu->cpl == 3);
    heed_device(cpu, in);
}
