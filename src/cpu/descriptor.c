/* Reading descriptors and filling segment registers from them: see descriptor.h. */
#include "cpu/descriptor.h"

bool descriptor_fetch(struct cpu_state *cpu, uint16_t selector, struct descriptor *descriptor)
{
    uint32_t index = selector & 0xfff8u;
    uint64_t base = cpu->gdtr.base;
    uint32_t limit = cpu->gdtr.limit;
    if (selector_is_null(selector)) {
        return false;
    }
    if (selector & SELECTOR_TI) {
        if (cpu->ldtr.attributes == 0) {
            return false;
        }
        base = cpu->ldtr.base;
        limit = cpu->ldtr.limit;
    }
    if (index + 7 > limit) {
        return false;
    }
    descriptor_read(cpu, base + index, descriptor);
    descriptor->selector = selector;
    return true;
}

void descriptor_read(struct cpu_state *cpu, uint64_t linear, struct descriptor *descriptor)
{
    linear &= UINT32_MAX;
    uint64_t raw = cpu->memory_ops->read(cpu, linear, 8, false);
    if (cpu->model->generation < CPU_80386) {
        raw &= bits_mask(48);
    }
    descriptor->linear = linear;
    descriptor->selector = 0;
    descriptor->attributes = (uint16_t)(bits_extract(raw, 40, 16) & 0xf0ff);
    descriptor->base = (uint32_t)(bits_extract(raw, 16, 24) | bits_extract(raw, 56, 8) << 24);
    descriptor->limit = (uint32_t)(bits_extract(raw, 0, 16) | bits_extract(raw, 48, 4) << 16);
    if (descriptor->attributes & SEGMENT_GRANULARITY) {
        descriptor->limit = descriptor->limit << 12 | 0xfff;
    }
    descriptor->gate_selector = (uint16_t)bits_extract(raw, 16, 16);
    descriptor->gate_parameters = (uint8_t)bits_extract(raw, 32, 5);
    descriptor->gate_offset = (uint32_t)bits_extract(raw, 0, 16);
    if (descriptor->attributes & SYSTEM_WIDE_BIT) {
        descriptor->gate_offset |= (uint32_t)bits_extract(raw, 48, 16) << 16;
    }
}

void descriptor_mark_accessed(struct cpu_state *cpu, struct descriptor *descriptor)
{
    if (!(descriptor->attributes & SEGMENT_ACCESSED)) {
        descriptor->attributes |= SEGMENT_ACCESSED;
        cpu->memory_ops->write(cpu, descriptor->linear + 5, 1, descriptor->attributes & 0xffu, false);
    }
}

void descriptor_set_busy(struct cpu_state *cpu, uint16_t selector, bool busy)
{
    uint64_t linear = (cpu->gdtr.base + (selector & 0xfff8u) + 5) & UINT32_MAX;
    uint64_t access = cpu->memory_ops->read(cpu, linear, 1, false);
    access = busy ? access | SYSTEM_TSS_BUSY_BIT : access & ~(uint64_t)SYSTEM_TSS_BUSY_BIT;
    cpu->memory_ops->write(cpu, linear, 1, access, false);
}

_Noreturn void descriptor_raise(struct cpu_state *cpu, enum cpu_vector vector, uint16_t selector,
                                uint32_t ext)
{
    cpu_raise_error(cpu, vector, (selector & SELECTOR_ERROR_INDEX) | ext);
}

void segment_install(struct segment *segment, const struct descriptor *descriptor, uint16_t selector)
{
    segment->selector = selector;
    segment->attributes = descriptor->attributes;
    segment->base = descriptor->base;
    segment->limit = descriptor->limit;
    segment_update_bounds(segment);
}

void segment_install_code(struct cpu_state *cpu, const struct descriptor *descriptor, unsigned cpl)
{
    uint16_t selector = (uint16_t)((descriptor->selector & SELECTOR_ERROR_INDEX) | cpl);
    segment_install(&cpu->segment[CPU_CS], descriptor, selector);
}

void segment_install_null(struct segment *segment, uint16_t selector)
{
    segment->selector = selector;
    segment->attributes = 0;
    segment->base = 0;
    segment->limit = 0xffff;
    segment_update_bounds(segment);
}

void segment_install_real(struct cpu_state *cpu, enum cpu_segment number, uint16_t selector)
{
    struct segment *segment = &cpu->segment[number];
    const uint16_t data = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED;
    segment->selector = selector;
    segment->base = (uint64_t)selector << 4;
    if (cpu->eflags_other & EFLAGS_VM) {
        segment->attributes = data | SEGMENT_DPL;
        segment->limit = 0xffff;
    } else {
        segment->attributes = (uint16_t)((segment->attributes & 0xf000) | data);
    }
    segment_update_bounds(segment);
}

void segment_drop_privileged(struct cpu_state *cpu, unsigned new_cpl)
{
    static const enum cpu_segment data_segments[] = {CPU_ES, CPU_DS, CPU_FS, CPU_GS};
    for (size_t i = 0; i < ARRAY_COUNT(data_segments); i++) {
        struct segment *segment = &cpu->segment[data_segments[i]];
        if (attributes_dpl(segment->attributes) < new_cpl &&
            !attributes_are_conforming(segment->attributes)) {
            segment_install_null(segment, 0);
        }
    }
}
