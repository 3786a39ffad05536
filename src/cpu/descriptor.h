/* Descriptors as they stand in the GDT, LDT and IDT, and the loading of segment registers from them.
 *
 * Internal to this module. SDM 3A §3.4.5 (segments), §3.5 (system descriptors), §5.8.3 (call gates), §6.11
 * (IDT). On models before the 80386 the upper word of a descriptor is reserved: bases have 24 bits, limits
 * 16, and the 32-bit system types do not exist. */
#ifndef DOPPEL_CPU_DESCRIPTOR_H
#define DOPPEL_CPU_DESCRIPTOR_H

#include "cpu/cpu.h"

/* System descriptor types (SDM 3A table 3-2). */
enum system_type {
    SYSTEM_TSS16 = 1,
    SYSTEM_LDT = 2,
    SYSTEM_TSS16_BUSY = 3,
    SYSTEM_CALL_GATE16 = 4,
    SYSTEM_TASK_GATE = 5,
    SYSTEM_INTERRUPT_GATE16 = 6,
    SYSTEM_TRAP_GATE16 = 7,
    SYSTEM_TSS32 = 9,
    SYSTEM_TSS32_BUSY = 11,
    SYSTEM_CALL_GATE32 = 12,
    SYSTEM_INTERRUPT_GATE32 = 14,
    SYSTEM_TRAP_GATE32 = 15
};

#define SYSTEM_TSS_BUSY_BIT  2u
#define SYSTEM_WIDE_BIT      8u /* a 32-bit TSS or gate */
#define SELECTOR_RPL         3u
#define SELECTOR_TI          4u
#define SELECTOR_ERROR_EXT   1u /* error code: an event external to the program */
#define SELECTOR_ERROR_IDT   2u
#define SELECTOR_ERROR_INDEX 0xfffcu

struct descriptor {
    uint64_t linear;     /* where it stands, to mark it accessed or busy */
    uint16_t selector;   /* through which it was found (IDT: 0) */
    uint16_t attributes; /* enum segment_attribute */
    /* As a segment: */
    uint32_t base;
    uint32_t limit; /* granularity applied */
    /* As a gate: */
    uint16_t gate_selector;
    uint8_t gate_parameters;
    uint32_t gate_offset;
};

/* Finds `selector` in the GDT or LDT. False when it is null or beyond the table (or there is no LDT). May
 * raise #PF. */
bool descriptor_fetch(struct cpu_state *cpu, uint16_t selector, struct descriptor *descriptor);

/* Reads the descriptor at a linear address. May raise #PF. */
void descriptor_read(struct cpu_state *cpu, uint64_t linear, struct descriptor *descriptor);

/* Sets the accessed bit of a code or data descriptor, in memory too. May raise #PF. */
void descriptor_mark_accessed(struct cpu_state *cpu, struct descriptor *descriptor);

/* Sets or clears the busy bit of a TSS descriptor in memory. May raise #PF. */
void descriptor_set_busy(struct cpu_state *cpu, uint16_t selector, bool busy);

/* Leaves with `vector` and the error code of `selector`; `ext` is 0 or SELECTOR_ERROR_EXT. */
_Noreturn void descriptor_raise(struct cpu_state *cpu, enum cpu_vector vector, uint16_t selector,
                                uint32_t ext);

/* Fills a segment register from a descriptor whose checks are done. */
void segment_install(struct segment *segment, const struct descriptor *descriptor, uint16_t selector);
/* Loads CS of a code segment with the RPL field saying `cpl`. */
void segment_install_code(struct cpu_state *cpu, const struct descriptor *descriptor, unsigned cpl);
/* What a null selector leaves: unusable. The limit is that of a real-mode segment, because programs go back
 * to real mode with null selectors loaded. */
void segment_install_null(struct segment *segment, uint16_t selector);
/* Real mode (limit and size attributes stay: "unreal mode") and V86 (everything is fixed). */
void segment_install_real(struct cpu_state *cpu, enum cpu_segment segment, uint16_t selector);
/* Makes data segments unusable that a less privileged level may not have: return to an outer level. */
void segment_drop_privileged(struct cpu_state *cpu, unsigned new_cpl);

/* What an access beyond a segment's bounds raises. The 80286 has no #SS in real mode: every overrun is
 * interrupt 13. */
enum cpu_vector segment_overrun_vector(const struct cpu_state *cpu, enum cpu_segment number);

static inline bool selector_is_null(uint16_t selector)
{
    return (selector & SELECTOR_ERROR_INDEX) == 0;
}

static inline unsigned selector_rpl(uint16_t selector)
{
    return selector & SELECTOR_RPL;
}

static inline unsigned attributes_dpl(uint16_t attributes)
{
    return (attributes & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT;
}

static inline unsigned descriptor_dpl(const struct descriptor *descriptor)
{
    return attributes_dpl(descriptor->attributes);
}

static inline bool descriptor_is_present(const struct descriptor *descriptor)
{
    return descriptor->attributes & SEGMENT_PRESENT;
}

static inline bool attributes_are_code(uint16_t attributes)
{
    return (attributes & (SEGMENT_S | SEGMENT_CODE)) == (SEGMENT_S | SEGMENT_CODE);
}

static inline bool attributes_are_conforming(uint16_t attributes)
{
    return attributes_are_code(attributes) && (attributes & SEGMENT_CONFORMING);
}

static inline bool attributes_are_readable(uint16_t attributes)
{
    return (attributes & SEGMENT_S) && (!(attributes & SEGMENT_CODE) || (attributes & SEGMENT_READABLE));
}

static inline bool attributes_are_writable(uint16_t attributes)
{
    return (attributes & (SEGMENT_S | SEGMENT_CODE | SEGMENT_WRITABLE)) == (SEGMENT_S | SEGMENT_WRITABLE);
}

/* The system type, 0 (reserved) for code and data and for types the model does not know. */
static inline unsigned descriptor_system_type(const struct cpu_state *cpu,
                                              const struct descriptor *descriptor)
{
    unsigned type = descriptor->attributes & SEGMENT_TYPE;
    bool known = !(descriptor->attributes & SEGMENT_S) &&
                 (cpu->model->generation >= CPU_80386 || !(type & SYSTEM_WIDE_BIT));
    return known ? type : 0;
}

static inline bool system_type_is_tss(unsigned type)
{
    return (type & ~(SYSTEM_WIDE_BIT | SYSTEM_TSS_BUSY_BIT)) == SYSTEM_TSS16;
}

/* CR0.PE set and EFLAGS.VM clear: selectors name descriptors. */
static inline bool cpu_uses_descriptors(const struct cpu_state *cpu)
{
    return cpu->mode == CPU_MODE_PROTECTED;
}

#endif
