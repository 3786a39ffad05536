/* Hardware task switching with 16- and 32-bit TSSs (SDM 3A chapter 7; §7.3 for the order of steps).
 *
 * Everything that can be checked in the outgoing task is: descriptors, limits, and that every byte to be read
 * or written is mapped. Then the new task's registers are loaded, and segment checks fault in the new task,
 * with its CS:EIP (task_switch.h). Until its segment registers are valid they are unusable; SS then holds
 * only the privilege level.
 *
 * A 16-bit TSS loads the lower halves of the general registers, clears the upper ones, and makes FS and GS
 * null. */
#include "cpu/task_switch.h"

#include "cpu/control.h"
#include "cpu/debug_registers.h"
#include "cpu/descriptor.h"
#include "cpu/probe.h"
#include "cpu/stack.h"

#define TSS16_LIMIT 0x2bu
#define TSS32_LIMIT 0x67u
#define TSS_GPRS    8

/* Offsets of the fields; registers and selectors are consecutive, in encoding order. */
struct tss_layout {
    unsigned width;
    uint8_t ip, flags, gprs, selectors, selector_count, ldt;
};

static const struct tss_layout layout16 = {
    .width = 2, .ip = 0x0e, .flags = 0x10, .gprs = 0x12, .selectors = 0x22, .selector_count = 4, .ldt = 0x2a};
static const struct tss_layout layout32 = {
    .width = 4, .ip = 0x20, .flags = 0x24, .gprs = 0x28, .selectors = 0x48, .selector_count = 6, .ldt = 0x60};

#define TSS32_CR3  0x1c
#define TSS32_TRAP 0x64

struct tss_image {
    uint32_t cr3, eip, eflags;
    uint32_t gpr[TSS_GPRS];
    uint16_t selector[CPU_SEGMENTS];
    uint16_t ldt;
    bool trap;
};

static const struct tss_layout *layout_of(uint16_t attributes)
{
    return attributes & SYSTEM_WIDE_BIT ? &layout32 : &layout16;
}

static uint64_t read_field(struct cpu_state *cpu, uint64_t base, unsigned offset, unsigned width)
{
    return cpu->memory_ops->read(cpu, (base + offset) & UINT32_MAX, width, false);
}

static void write_field(struct cpu_state *cpu, uint64_t base, unsigned offset, unsigned width, uint64_t value)
{
    cpu->memory_ops->write(cpu, (base + offset) & UINT32_MAX, width, value & bits_mask(8 * width), false);
}

static void probe_field(struct cpu_state *cpu, uint64_t base, unsigned offset, unsigned length)
{
    cpu->memory_ops->probe_write(cpu, (base + offset) & UINT32_MAX, length, false);
}

static void read_image(struct cpu_state *cpu, const struct descriptor *tss, struct tss_image *image)
{
    const struct tss_layout *layout = layout_of(tss->attributes);
    const unsigned width = layout->width;
    *image = (struct tss_image){0};
    image->eip = (uint32_t)read_field(cpu, tss->base, layout->ip, width);
    image->eflags = (uint32_t)read_field(cpu, tss->base, layout->flags, width);
    for (unsigned i = 0; i < TSS_GPRS; i++) {
        image->gpr[i] = (uint32_t)read_field(cpu, tss->base, layout->gprs + i * width, width);
    }
    for (unsigned i = 0; i < layout->selector_count; i++) {
        image->selector[i] = (uint16_t)read_field(cpu, tss->base, layout->selectors + i * width, 2);
    }
    image->ldt = (uint16_t)read_field(cpu, tss->base, layout->ldt, 2);
    if (layout == &layout32) {
        image->cr3 = (uint32_t)read_field(cpu, tss->base, TSS32_CR3, 4);
        image->trap = read_field(cpu, tss->base, TSS32_TRAP, 2) & 1;
    }
}

static void fetch_tss(struct cpu_state *cpu, const struct task_switch *request, struct descriptor *tss)
{
    const bool returning = request->reason == TASK_SWITCH_IRET;
    const enum cpu_vector vector = returning ? VECTOR_TS : VECTOR_GP;
    if ((request->selector & SELECTOR_TI) || !descriptor_fetch(cpu, request->selector, tss)) {
        descriptor_raise(cpu, vector, request->selector, request->ext);
    }
    unsigned type = descriptor_system_type(cpu, tss);
    if (!system_type_is_tss(type) || (bool)(type & SYSTEM_TSS_BUSY_BIT) != returning) {
        descriptor_raise(cpu, vector, request->selector, request->ext);
    }
    if (!descriptor_is_present(tss)) {
        descriptor_raise(cpu, VECTOR_NP, request->selector, request->ext);
    }
    if (tss->limit < (type & SYSTEM_WIDE_BIT ? TSS32_LIMIT : TSS16_LIMIT)) {
        descriptor_raise(cpu, VECTOR_TS, request->selector, request->ext);
    }
}

static bool reason_nests(enum cpu_task_switch reason)
{
    return reason == TASK_SWITCH_CALL || reason == TASK_SWITCH_INTERRUPT;
}

/* All writes of the switch, tried. */
static void probe_switch(struct cpu_state *cpu, const struct task_switch *request,
                         const struct descriptor *tss)
{
    const struct tss_layout *layout = layout_of(cpu->tr.attributes);
    const unsigned saved_end = layout->selectors + layout->selector_count * layout->width;
    if (cpu->tr.limit < saved_end - 1) {
        descriptor_raise(cpu, VECTOR_TS, cpu->tr.selector, request->ext);
    }
    probe_field(cpu, cpu->tr.base, layout->ip, saved_end - layout->ip);
    if (reason_nests(request->reason)) {
        probe_field(cpu, tss->base, 0, 2);
    } else {
        probe_field(cpu, cpu->gdtr.base, (cpu->tr.selector & 0xfff8u) + 5, 1);
    }
    if (request->reason != TASK_SWITCH_IRET) {
        probe_field(cpu, tss->linear, 5, 1);
    }
}

static void save_task(struct cpu_state *cpu, const struct task_switch *request)
{
    const struct tss_layout *layout = layout_of(cpu->tr.attributes);
    const unsigned width = layout->width;
    const uint64_t base = cpu->tr.base;
    uint32_t eflags = request->eflags;
    if (request->reason == TASK_SWITCH_IRET) {
        eflags &= ~(uint32_t)EFLAGS_NT;
    }
    write_field(cpu, base, layout->ip, width, request->next_rip);
    write_field(cpu, base, layout->flags, width, eflags);
    for (unsigned i = 0; i < TSS_GPRS; i++) {
        write_field(cpu, base, layout->gprs + i * width, width, cpu->gpr[i].d);
    }
    for (unsigned i = 0; i < layout->selector_count; i++) {
        write_field(cpu, base, layout->selectors + i * width, 2, cpu->segment[i].selector);
    }
}

static void load_registers(struct cpu_state *cpu, const struct task_switch *request,
                           const struct tss_image *image)
{
    const uint32_t writable =
        cpu->model->eflags_writable | (cpu->model->generation >= CPU_80386 ? (uint32_t)EFLAGS_VM : 0);
    uint32_t eflags = (image->eflags & writable) | cpu->model->eflags_forced;
    cpu_set_eflags(cpu, reason_nests(request->reason) ? eflags | EFLAGS_NT : eflags);
    cpu_update_alignment_checks(cpu);
    cpu->rip = image->eip;
    for (unsigned i = 0; i < TSS_GPRS; i++) {
        cpu->gpr[i].q = image->gpr[i];
    }
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        segment_install_null(&cpu->segment[i], image->selector[i]);
    }
    cpu->segment[CPU_SS].attributes = (uint16_t)(selector_rpl(image->selector[CPU_CS]) << SEGMENT_DPL_SHIFT);
    segment_install_null(&cpu->ldtr, image->ldt);
    cpu_update_mode(cpu);
}

static void load_task_ldt(struct cpu_state *cpu, uint16_t selector, uint32_t ext)
{
    struct descriptor ldt;
    if (selector_is_null(selector)) {
        return;
    }
    if ((selector & SELECTOR_TI) || !descriptor_fetch(cpu, selector, &ldt) ||
        descriptor_system_type(cpu, &ldt) != SYSTEM_LDT || !descriptor_is_present(&ldt)) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    segment_install(&cpu->ldtr, &ldt, selector);
}

static void load_task_code(struct cpu_state *cpu, uint16_t selector, uint32_t ext)
{
    struct descriptor code;
    unsigned rpl = selector_rpl(selector);
    if (!descriptor_fetch(cpu, selector, &code) || !attributes_are_code(code.attributes)) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    if (attributes_are_conforming(code.attributes) ? descriptor_dpl(&code) > rpl
                                                   : descriptor_dpl(&code) != rpl) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    if (!descriptor_is_present(&code)) {
        descriptor_raise(cpu, VECTOR_NP, selector, ext);
    }
    descriptor_mark_accessed(cpu, &code);
    segment_install_code(cpu, &code, rpl);
}

static void load_task_stack(struct cpu_state *cpu, uint16_t selector, uint32_t ext)
{
    struct descriptor stack;
    if (!descriptor_fetch(cpu, selector, &stack) || !attributes_are_writable(stack.attributes) ||
        descriptor_dpl(&stack) != cpu->cpl || selector_rpl(selector) != cpu->cpl) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    if (!descriptor_is_present(&stack)) {
        descriptor_raise(cpu, VECTOR_SS, selector, ext);
    }
    descriptor_mark_accessed(cpu, &stack);
    segment_install(&cpu->segment[CPU_SS], &stack, selector);
}

static void load_task_data(struct cpu_state *cpu, enum cpu_segment segment, uint16_t selector, uint32_t ext)
{
    struct descriptor data;
    if (selector_is_null(selector)) {
        return;
    }
    if (!descriptor_fetch(cpu, selector, &data) || !attributes_are_readable(data.attributes)) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    if (!attributes_are_conforming(data.attributes) &&
        (descriptor_dpl(&data) < cpu->cpl || descriptor_dpl(&data) < selector_rpl(selector))) {
        descriptor_raise(cpu, VECTOR_TS, selector, ext);
    }
    if (!descriptor_is_present(&data)) {
        descriptor_raise(cpu, VECTOR_NP, selector, ext);
    }
    descriptor_mark_accessed(cpu, &data);
    segment_install(&cpu->segment[segment], &data, selector);
}

static void load_segments(struct cpu_state *cpu, const struct tss_image *image, uint32_t ext)
{
    static const enum cpu_segment data_segments[] = {CPU_DS, CPU_ES, CPU_FS, CPU_GS};
    load_task_ldt(cpu, image->ldt, ext);
    if (cpu->mode == CPU_MODE_V86) {
        for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
            segment_install_real(cpu, (enum cpu_segment)i, image->selector[i]);
        }
    } else {
        load_task_code(cpu, image->selector[CPU_CS], ext);
        load_task_stack(cpu, image->selector[CPU_SS], ext);
        for (unsigned i = 0; i < ARRAY_COUNT(data_segments); i++) {
            load_task_data(cpu, data_segments[i], image->selector[data_segments[i]], ext);
        }
    }
    cpu_update_mode(cpu);
}

/* What happens in the new task and may fault there. */
static void enter_task(struct cpu_state *cpu, const struct task_switch *request,
                       const struct tss_image *image)
{
    load_segments(cpu, image, request->ext);
    if (request->error_code != NULL) {
        unsigned width = layout_of(cpu->tr.attributes)->width;
        struct stack_cursor stack;
        stack_cursor_current(cpu, &stack, request->ext);
        stack_reserve(cpu, &stack, 1, width);
        stack_push(cpu, &stack, *request->error_code, width);
        stack_commit(cpu, &stack, false);
    }
    if (cpu->rip > cpu->segment[CPU_CS].limit) {
        cpu_raise_error(cpu, VECTOR_GP, request->ext);
    }
    if (image->trap) {
        cpu->pending_dr6 |= DR6_BT;
        cpu->pending |= CPU_PENDING_TRAP;
    }
}

static bool enter_task_try(struct cpu_state *cpu, const struct task_switch *request,
                           const struct tss_image *image)
{
    jmp_buf here;
    jmp_buf *const engines = cpu->unwind;
    cpu->unwind = &here;
    if (setjmp(here) != 0) {
        cpu->unwind = engines;
        return false;
    }
    enter_task(cpu, request, image);
    cpu->unwind = engines;
    return true;
}

void task_switch_execute(struct cpu_state *cpu, const struct task_switch *request)
{
    const uint16_t previous = cpu->tr.selector;
    struct descriptor tss;
    struct tss_image image;
    struct pae_pointers pointers;
    fetch_tss(cpu, request, &tss);
    probe_switch(cpu, request, &tss);
    read_image(cpu, &tss, &image);
    bool loads_cr3 = (tss.attributes & SYSTEM_WIDE_BIT) && (cpu->cr0 & CR0_PG);
    if (loads_cr3) {
        control_read_pointers(cpu, cpu->cr0, image.cr3, cpu->cr4, &pointers);
    }

    save_task(cpu, request);
    if (reason_nests(request->reason)) {
        write_field(cpu, tss.base, 0, 2, previous);
    } else {
        descriptor_set_busy(cpu, previous, false);
    }
    if (request->reason != TASK_SWITCH_IRET) {
        descriptor_set_busy(cpu, request->selector, true);
    }
    tss.attributes |= SYSTEM_TSS_BUSY_BIT;
    segment_install(&cpu->tr, &tss, request->selector);
    cpu->cr0 |= CR0_TS;
    if (loads_cr3) {
        control_load_cr3(cpu, image.cr3, &pointers);
        cpu_probe_note_event(cpu, CPU_EVENT_CONTROL, 3, 0);
    }
    debug_set_control(cpu, cpu->dr[7] & ~(uint64_t)DR7_LOCAL);
    load_registers(cpu, request, &image);
    if (request->delivering) {
        enter_task(cpu, request, &image);
    } else if (!enter_task_try(cpu, request, &image)) {
        cpu_deliver_exception(cpu);
    }
}

void cpu_switch_task(struct cpu_state *cpu, uint16_t selector, enum cpu_task_switch reason, uint64_t next_rip,
                     const uint32_t *error_code)
{
    struct task_switch request = {.selector = selector,
                                  .reason = reason,
                                  .next_rip = next_rip,
                                  .eflags = cpu_eflags(cpu),
                                  .error_code = error_code};
    task_switch_execute(cpu, &request);
}
