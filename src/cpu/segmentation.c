/* Segment loads and accesses, LLDT, LTR, LAR, LSL, VERR, VERW.
 *
 * SDM 3A §5.3-§5.6 (limit, type and privilege checks), SDM 2 MOV, LLDT, LTR, LAR, LSL, VERR. In real mode a
 * load makes a segment readable and writable, and keeps its limit. */
#include "cpu/descriptor.h"

static unsigned maximum(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

void segment_update_bounds(struct segment *segment)
{
    uint16_t attributes = segment->attributes;
    bool usable = attributes & SEGMENT_PRESENT;
    bool readable = usable && attributes_are_readable(attributes);
    bool writable = usable && attributes_are_writable(attributes);
    uint32_t first = 0;
    uint32_t last = segment->limit;
    if (!(attributes & SEGMENT_CODE) && (attributes & SEGMENT_EXPAND_DOWN)) {
        last = attributes & SEGMENT_BIG ? UINT32_MAX : 0xffff;
        first = segment->limit + 1;
        if (segment->limit >= last) {
            readable = writable = false;
        }
    }
    segment->read_first = readable ? first : 1;
    segment->read_last = readable ? last : 0;
    segment->write_first = writable ? first : 1;
    segment->write_last = writable ? last : 0;
}

static bool bounds_allow(uint32_t first, uint32_t last, uint64_t offset, unsigned width)
{
    return offset >= first && offset <= last && last - offset >= width - 1;
}

enum cpu_vector segment_overrun_vector(const struct cpu_state *cpu, enum cpu_segment number)
{
    bool always_gp = cpu->mode == CPU_MODE_REAL && cpu->model->generation <= CPU_80286;
    return number == CPU_SS && !always_gp ? VECTOR_SS : VECTOR_GP;
}

uint64_t cpu_segment_to_linear(struct cpu_state *cpu, enum cpu_segment number, uint64_t offset,
                               unsigned width, bool write)
{
    const struct segment *segment = &cpu->segment[number];
    uint32_t first = write ? segment->write_first : segment->read_first;
    uint32_t last = write ? segment->write_last : segment->read_last;
    if (!cpu->model->offset_wraps && !bounds_allow(first, last, offset, width)) {
        cpu_raise_error(cpu, segment_overrun_vector(cpu, number), 0);
    }
    return (segment->base + offset) & UINT32_MAX;
}

/* Bytes of an access that lie before offset 10000h on a model that wraps there. */
static unsigned width_before_wrap(const struct cpu_state *cpu, uint64_t offset, unsigned width)
{
    if (cpu->model->offset_wraps && offset + width > 0x10000) {
        return (unsigned)(0x10000 - offset);
    }
    return width;
}

uint64_t cpu_segment_read(struct cpu_state *cpu, enum cpu_segment segment, uint64_t offset, unsigned width)
{
    uint64_t linear = cpu_segment_to_linear(cpu, segment, offset, width, false);
    unsigned head = width_before_wrap(cpu, offset, width);
    if (head < width) {
        uint64_t value = 0;
        for (unsigned i = 0; i < width; i++) {
            uint64_t at = cpu_segment_to_linear(cpu, segment, (offset + i) & 0xffff, 1, false);
            value |= cpu->memory_ops->read(cpu, at, 1, false) << (8 * i);
        }
        return value;
    }
    cpu_check_alignment(cpu, linear, width, 0);
    return cpu->memory_ops->read(cpu, linear, width, cpu->cpl == 3);
}

void cpu_segment_write(struct cpu_state *cpu, enum cpu_segment segment, uint64_t offset, unsigned width,
                       uint64_t value)
{
    uint64_t linear = cpu_segment_to_linear(cpu, segment, offset, width, true);
    unsigned head = width_before_wrap(cpu, offset, width);
    if (head < width) {
        for (unsigned i = 0; i < width; i++) {
            uint64_t at = cpu_segment_to_linear(cpu, segment, (offset + i) & 0xffff, 1, true);
            cpu->memory_ops->write(cpu, at, 1, (value >> (8 * i)) & 0xff, false);
        }
        return;
    }
    cpu_check_alignment(cpu, linear, width, 0);
    cpu->memory_ops->write(cpu, linear, width, value, cpu->cpl == 3);
}

static void load_stack_segment(struct cpu_state *cpu, uint16_t selector)
{
    struct descriptor descriptor;
    if (selector_is_null(selector)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if (!descriptor_fetch(cpu, selector, &descriptor) || selector_rpl(selector) != cpu->cpl ||
        !attributes_are_writable(descriptor.attributes) || descriptor_dpl(&descriptor) != cpu->cpl) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!descriptor_is_present(&descriptor)) {
        descriptor_raise(cpu, VECTOR_SS, selector, 0);
    }
    descriptor_mark_accessed(cpu, &descriptor);
    segment_install(&cpu->segment[CPU_SS], &descriptor, selector);
    cpu_update_mode(cpu);
}

static void load_data_segment(struct cpu_state *cpu, enum cpu_segment segment, uint16_t selector)
{
    struct descriptor descriptor;
    if (selector_is_null(selector)) {
        segment_install_null(&cpu->segment[segment], selector);
        return;
    }
    if (!descriptor_fetch(cpu, selector, &descriptor) || !attributes_are_readable(descriptor.attributes)) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!attributes_are_conforming(descriptor.attributes) &&
        maximum(cpu->cpl, selector_rpl(selector)) > descriptor_dpl(&descriptor)) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!descriptor_is_present(&descriptor)) {
        descriptor_raise(cpu, VECTOR_NP, selector, 0);
    }
    descriptor_mark_accessed(cpu, &descriptor);
    segment_install(&cpu->segment[segment], &descriptor, selector);
}

void cpu_load_segment(struct cpu_state *cpu, enum cpu_segment segment, uint16_t selector)
{
    if (!cpu_uses_descriptors(cpu)) {
        segment_install_real(cpu, segment, selector);
    } else if (segment == CPU_SS) {
        load_stack_segment(cpu, selector);
    } else {
        load_data_segment(cpu, segment, selector);
    }
}

void cpu_load_ldt(struct cpu_state *cpu, uint16_t selector)
{
    struct descriptor descriptor;
    if (selector_is_null(selector)) {
        segment_install_null(&cpu->ldtr, selector);
        return;
    }
    if ((selector & SELECTOR_TI) || !descriptor_fetch(cpu, selector, &descriptor) ||
        descriptor_system_type(cpu, &descriptor) != SYSTEM_LDT) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!descriptor_is_present(&descriptor)) {
        descriptor_raise(cpu, VECTOR_NP, selector, 0);
    }
    segment_install(&cpu->ldtr, &descriptor, selector);
}

void cpu_load_task_register(struct cpu_state *cpu, uint16_t selector)
{
    struct descriptor descriptor;
    if (selector_is_null(selector)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if ((selector & SELECTOR_TI) || !descriptor_fetch(cpu, selector, &descriptor)) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    unsigned type = descriptor_system_type(cpu, &descriptor);
    if (type != SYSTEM_TSS16 && type != SYSTEM_TSS32) {
        descriptor_raise(cpu, VECTOR_GP, selector, 0);
    }
    if (!descriptor_is_present(&descriptor)) {
        descriptor_raise(cpu, VECTOR_NP, selector, 0);
    }
    descriptor_set_busy(cpu, selector, true);
    descriptor.attributes |= SYSTEM_TSS_BUSY_BIT;
    segment_install(&cpu->tr, &descriptor, selector);
}

/* The privilege rule that LAR, LSL, VERR and VERW share. */
static bool descriptor_is_visible(const struct cpu_state *cpu, const struct descriptor *descriptor)
{
    return attributes_are_conforming(descriptor->attributes) ||
           maximum(cpu->cpl, selector_rpl(descriptor->selector)) <= descriptor_dpl(descriptor);
}

bool cpu_load_access_rights(struct cpu_state *cpu, uint16_t selector, uint32_t *result)
{
    const uint32_t valid_types = 1u << SYSTEM_TSS16 | 1u << SYSTEM_LDT | 1u << SYSTEM_TSS16_BUSY |
                                 1u << SYSTEM_CALL_GATE16 | 1u << SYSTEM_TASK_GATE | 1u << SYSTEM_TSS32 |
                                 1u << SYSTEM_TSS32_BUSY | 1u << SYSTEM_CALL_GATE32;
    struct descriptor descriptor;
    if (!descriptor_fetch(cpu, selector, &descriptor) || !descriptor_is_visible(cpu, &descriptor)) {
        return false;
    }
    if (!(descriptor.attributes & SEGMENT_S) &&
        !(valid_types >> descriptor_system_type(cpu, &descriptor) & 1)) {
        return false;
    }
    *result = (uint32_t)descriptor.attributes << 8;
    return true;
}

bool cpu_load_limit(struct cpu_state *cpu, uint16_t selector, uint32_t *result)
{
    struct descriptor descriptor;
    if (!descriptor_fetch(cpu, selector, &descriptor) || !descriptor_is_visible(cpu, &descriptor)) {
        return false;
    }
    unsigned type = descriptor_system_type(cpu, &descriptor);
    if (!(descriptor.attributes & SEGMENT_S) && type != SYSTEM_LDT && !system_type_is_tss(type)) {
        return false;
    }
    *result = descriptor.limit;
    return true;
}

bool cpu_verify_segment(struct cpu_state *cpu, uint16_t selector, bool write)
{
    struct descriptor descriptor;
    if (!descriptor_fetch(cpu, selector, &descriptor) || !descriptor_is_visible(cpu, &descriptor)) {
        return false;
    }
    return write ? attributes_are_writable(descriptor.attributes)
                 : attributes_are_readable(descriptor.attributes);
}
