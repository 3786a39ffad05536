/* See descriptor_table.h. */
#include "debugger/descriptor_table.h"

#include "debugger/guest_memory.h"
#include "machine/machine.h"

#define ENTRY 8u /* bytes */

bool descriptor_table_place(struct machine *machine, enum descriptor_table_kind kind, uint64_t *base,
                            uint32_t *length)
{
    const struct cpu_state *cpu = machine_cpu(machine);
    if (kind == DESCRIPTOR_LDT) {
        *base = cpu->ldtr.base;
        *length = cpu->ldtr.limit + 1u;
        return (cpu->ldtr.selector & 0xfffc) != 0 && (cpu->ldtr.attributes & SEGMENT_PRESENT) != 0;
    }
    const struct descriptor_table *table = kind == DESCRIPTOR_GDT ? &cpu->gdtr : &cpu->idtr;
    *base = table->base;
    *length = table->limit + 1u;
    return kind == DESCRIPTOR_GDT || cpu->mode != CPU_MODE_REAL;
}

static struct descriptor_view decode(const uint8_t bytes[ENTRY])
{
    const uint32_t low = load_le32(bytes), high = load_le32(bytes + 4);
    struct descriptor_view view = {.attributes = (uint16_t)(high >> 8 & 0xf0ff),
                                   .base = (low >> 16) | (high & 0xff) << 16 | (high & 0xff000000u),
                                   .limit = (low & 0xffff) | (high & 0xf0000),
                                   .gate_selector = (uint16_t)(low >> 16),
                                   .gate_offset = (low & 0xffff) | (high & 0xffff0000u),
                                   .gate_parameters = high & 0x1f};
    if (view.attributes & SEGMENT_GRANULARITY) {
        view.limit = view.limit << 12 | 0xfff;
    }
    return view;
}

struct status descriptor_table_read(struct machine *machine, enum descriptor_table_kind kind, uint32_t number,
                                    struct descriptor_view *view)
{
    uint8_t bytes[ENTRY];
    uint64_t base;
    uint32_t length;
    if (!descriptor_table_place(machine, kind, &base, &length)) {
        return status_error(STATUS_NOT_FOUND, kind == DESCRIPTOR_LDT
                                                  ? "there is no LDT"
                                                  : "there is no IDT of descriptors in real mode");
    }
    if ((uint64_t)number * ENTRY + ENTRY > length) {
        return status_error(STATUS_NOT_FOUND, "entry 0x%x is beyond the table's limit", number);
    }
    uint64_t address = base + (uint64_t)number * ENTRY;
    size_t done = guest_memory_read(machine, GUEST_LINEAR, address, bytes, sizeof bytes);
    if (done < sizeof bytes) {
        return guest_memory_unreadable(machine, GUEST_LINEAR, address + done);
    }
    *view = decode(bytes);
    return status_ok();
}

struct status descriptor_table_segment_base(struct machine *machine, uint16_t selector, uint64_t *base)
{
    struct descriptor_view view;
    const struct cpu_state *cpu = machine_cpu(machine);
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        if (cpu->segment[i].selector == selector && cpu->segment[i].attributes != 0) {
            *base = cpu->segment[i].base;
            return status_ok();
        }
    }
    if ((selector & 0xfffc) == 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "selector 0x%x is null", selector);
    }
    struct status status =
        descriptor_table_read(machine, selector & 4 ? DESCRIPTOR_LDT : DESCRIPTOR_GDT, selector >> 3, &view);
    if (!status_is_ok(&status)) {
        return status_error(status.code, "selector 0x%x: %.200s", selector, status.message);
    }
    if (!(view.attributes & SEGMENT_PRESENT) || descriptor_view_is_gate(&view)) {
        return status_error(STATUS_INVALID_ARGUMENT, "selector 0x%x names no segment", selector);
    }
    *base = view.base;
    return status_ok();
}

/* System types (SDM 3A table 3-2); NULL: reserved. */
static const struct system_type {
    const char *name;
    bool gate;
} system_types[16] = {[1] = {"TSS16 available", false},   [2] = {"LDT", false},
                      [3] = {"TSS16 busy", false},        [4] = {"call gate 16", true},
                      [5] = {"task gate", true},          [6] = {"interrupt gate 16", true},
                      [7] = {"trap gate 16", true},       [9] = {"TSS32 available", false},
                      [11] = {"TSS32 busy", false},       [12] = {"call gate 32", true},
                      [14] = {"interrupt gate 32", true}, [15] = {"trap gate 32", true}};

bool descriptor_view_is_gate(const struct descriptor_view *view)
{
    return !(view->attributes & SEGMENT_S) && system_types[view->attributes & SEGMENT_TYPE].gate;
}

static void print_kind(uint16_t attributes, FILE *out)
{
    if (!(attributes & SEGMENT_S)) {
        const char *name = system_types[attributes & SEGMENT_TYPE].name;
        fputs(name != NULL ? name : "reserved type", out);
        return;
    }
    fprintf(out, "%s%s", attributes & SEGMENT_CODE ? "code" : "data", attributes & SEGMENT_BIG ? "32" : "16");
    if (attributes & SEGMENT_CODE) {
        fprintf(out, "%s%s", attributes & SEGMENT_READABLE ? " readable" : " execute-only",
                attributes & SEGMENT_CONFORMING ? " conforming" : "");
    } else {
        fprintf(out, "%s%s", attributes & SEGMENT_WRITABLE ? " writable" : " read-only",
                attributes & SEGMENT_EXPAND_DOWN ? " expand-down" : "");
    }
    fputs(attributes & SEGMENT_ACCESSED ? " accessed" : "", out);
}

static void print_tail(uint16_t attributes, FILE *out)
{
    fprintf(out, " ring %u ", (unsigned)(attributes & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT);
    print_kind(attributes, out);
    fputs(attributes & SEGMENT_PRESENT ? "" : ", not present", out);
}

void descriptor_print_segment(uint64_t base, uint32_t limit, uint16_t attributes, FILE *out)
{
    fprintf(out, "base %08llx limit %08x", (unsigned long long)base, limit);
    print_tail(attributes, out);
}

void descriptor_view_print(const struct descriptor_view *view, FILE *out)
{
    const unsigned type = view->attributes & SEGMENT_TYPE;
    if (!descriptor_view_is_gate(view)) {
        descriptor_print_segment(view->base, view->limit, view->attributes, out);
        return;
    }
    if (type == 5) { /* a task gate has no offset */
        fprintf(out, "%04x          ", view->gate_selector);
    } else {
        fprintf(out, "%04x:%08x", view->gate_selector, view->gate_offset & (type & 8 ? UINT32_MAX : 0xffff));
    }
    print_tail(view->attributes, out);
    if ((type & ~8u) == 4) {
        fprintf(out, ", %u parameters", view->gate_parameters);
    }
}
