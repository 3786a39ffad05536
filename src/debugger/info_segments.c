/* `info segments|gdt|ldt|idt|tss`: segments and what they are described by (SDM 3A chapters 3, 6 and 7). */
#include <stdlib.h>

#include "debugger/descriptor_table.h"
#include "debugger/guest_memory.h"
#include "debugger/monitor_internal.h"
#include "debugger/registers.h"

struct status monitor_info_segments(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        const struct segment *segment = &cpu->segment[i];
        fprintf(out, "%-4s %04x  ", register_segment_name((enum cpu_segment)i), segment->selector);
        descriptor_print_segment(segment->base, segment->limit, segment->attributes, out);
        fputs(segment->attributes == 0 ? " (unusable)\n" : "\n", out);
    }
    fprintf(out, "ldtr %04x  ", cpu->ldtr.selector);
    descriptor_print_segment(cpu->ldtr.base, cpu->ldtr.limit, cpu->ldtr.attributes, out);
    fprintf(out, "\ntr   %04x  ", cpu->tr.selector);
    descriptor_print_segment(cpu->tr.base, cpu->tr.limit, cpu->tr.attributes, out);
    fprintf(out, "\ngdtr       base %08llx limit %04x\nidtr       base %08llx limit %04x\n",
            (unsigned long long)cpu->gdtr.base, cpu->gdtr.limit, (unsigned long long)cpu->idtr.base,
            cpu->idtr.limit);
    return status_ok();
}

/* ---- tables of descriptors */

static void print_entry(struct monitor *monitor, enum descriptor_table_kind kind, uint32_t number,
                        const struct descriptor_view *view, FILE *out)
{
    char name[120] = "";
    if (kind == DESCRIPTOR_IDT) {
        fprintf(out, "%02x  ", number);
    } else {
        fprintf(out, "%04x  ", number * 8 + (kind == DESCRIPTOR_LDT ? 4 : 0));
    }
    descriptor_view_print(view, out);
    uint64_t base = 0;
    if (descriptor_view_is_gate(view) && symbols_count(monitor->symbols) != 0) {
        struct status status = descriptor_table_segment_base(monitor->machine, view->gate_selector, &base);
        if (status_is_ok(&status)) {
            symbols_describe(monitor->symbols, (base + view->gate_offset) & UINT32_MAX, name, sizeof name);
        }
    }
    fprintf(out, "%s%s\n", name[0] != '\0' ? "  " : "", name);
}

static bool is_empty(const struct descriptor_view *view)
{
    return view->attributes == 0 && view->base == 0 && view->limit == 0 && view->gate_offset == 0;
}

/* All entries but empty ones. What cannot be read is named once. */
static struct status print_table(struct monitor *monitor, enum descriptor_table_kind kind, FILE *out)
{
    uint64_t base;
    uint32_t length;
    struct descriptor_view view;
    if (!descriptor_table_place(monitor->machine, kind, &base, &length)) {
        return descriptor_table_read(monitor->machine, kind, 0, &view);
    }
    uint32_t count = length / 8, empty = 0;
    const uint32_t most = kind == DESCRIPTOR_IDT ? 256 : 8192;
    count = count < most ? count : most;
    fprintf(out, "base %08llx, %u entries\n", (unsigned long long)base, count);
    for (uint32_t i = 0; i < count; i++) {
        struct status status = descriptor_table_read(monitor->machine, kind, i, &view);
        if (!status_is_ok(&status)) {
            fprintf(out, "%s\n", status.message);
            break;
        }
        if (is_empty(&view)) {
            empty++;
        } else {
            print_entry(monitor, kind, i, &view, out);
        }
    }
    if (empty != 0) {
        fprintf(out, "(%u empty entries)\n", empty);
    }
    return status_ok();
}

/* One entry, or with an argument the one it names: a selector, for the IDT a vector. */
static struct status print_table_at(struct monitor *monitor, enum descriptor_table_kind kind,
                                    const char *argument, FILE *out)
{
    uint64_t value = 0;
    struct descriptor_view view;
    if (argument == NULL) {
        return print_table(monitor, kind, out);
    }
    struct status status = monitor_evaluate(monitor, argument, &value);
    if (status_is_ok(&status) && value > 0xFFFF) {
        status = status_error(STATUS_INVALID_ARGUMENT, "0x%llx is no selector or vector",
                              (unsigned long long)value);
    }
    const uint32_t number = kind == DESCRIPTOR_IDT ? (uint32_t)value : (uint32_t)value >> 3;
    if (status_is_ok(&status)) {
        status = descriptor_table_read(monitor->machine, kind, number, &view);
    }
    if (status_is_ok(&status)) {
        print_entry(monitor, kind, number, &view, out);
    }
    return status;
}

struct status monitor_info_gdt(struct monitor *monitor, const char *argument, FILE *out)
{
    return print_table_at(monitor, DESCRIPTOR_GDT, argument, out);
}

struct status monitor_info_ldt(struct monitor *monitor, const char *argument, FILE *out)
{
    return print_table_at(monitor, DESCRIPTOR_LDT, argument, out);
}

struct status monitor_info_idt(struct monitor *monitor, const char *argument, FILE *out)
{
    return print_table_at(monitor, DESCRIPTOR_IDT, argument, out);
}

/* ---- the task state segment (SDM 3A figures 7-2 and 7-10) */

struct tss_field {
    const char *name;
    uint8_t offset, width;
};

static const struct tss_field fields_32[] = {
    {"link", 0, 2}, {"esp0", 4, 4},   {"ss0", 8, 2},     {"esp1", 12, 4},   {"ss1", 16, 2}, {"esp2", 20, 4},
    {"ss2", 24, 2}, {"cr3", 28, 4},   {"eip", 32, 4},    {"eflags", 36, 4}, {"eax", 40, 4}, {"ecx", 44, 4},
    {"edx", 48, 4}, {"ebx", 52, 4},   {"esp", 56, 4},    {"ebp", 60, 4},    {"esi", 64, 4}, {"edi", 68, 4},
    {"es", 72, 2},  {"cs", 76, 2},    {"ss", 80, 2},     {"ds", 84, 2},     {"fs", 88, 2},  {"gs", 92, 2},
    {"ldt", 96, 2}, {"trap", 100, 2}, {"iomap", 102, 2},
};

static const struct tss_field fields_16[] = {
    {"link", 0, 2}, {"sp0", 2, 2}, {"ss0", 4, 2},    {"sp1", 6, 2},  {"ss1", 8, 2}, {"sp2", 10, 2},
    {"ss2", 12, 2}, {"ip", 14, 2}, {"flags", 16, 2}, {"ax", 18, 2},  {"cx", 20, 2}, {"dx", 22, 2},
    {"bx", 24, 2},  {"sp", 26, 2}, {"bp", 28, 2},    {"si", 30, 2},  {"di", 32, 2}, {"es", 34, 2},
    {"cs", 36, 2},  {"ss", 38, 2}, {"ds", 40, 2},    {"ldt", 42, 2},
};

static void print_fields(struct monitor *monitor, uint64_t base, const struct tss_field *fields, size_t count,
                         FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        struct status status = guest_memory_load(monitor->machine, GUEST_LINEAR, base + fields[i].offset,
                                                 fields[i].width, &value);
        const char *end = i + 1 == count || i % 4 == 3 ? "\n" : "  ";
        if (status_is_ok(&status)) {
            fprintf(out, "%-6s %0*llx%*s%s", fields[i].name, fields[i].width * 2, (unsigned long long)value,
                    *end == '\n' ? 0 : 8 - fields[i].width * 2, "", end);
        } else {
            fprintf(out, "%-6s ??%s", fields[i].name, end);
        }
    }
}

struct status monitor_info_tss(struct monitor *monitor, const char *argument, FILE *out)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    struct descriptor_view view = {
        .base = (uint32_t)cpu->tr.base, .limit = cpu->tr.limit, .attributes = cpu->tr.attributes};
    uint64_t selector = cpu->tr.selector;
    if (argument != NULL) {
        struct status status = monitor_evaluate(monitor, argument, &selector);
        if (status_is_ok(&status) && selector > 0xFFFF) {
            status =
                status_error(STATUS_INVALID_ARGUMENT, "0x%llx is no selector", (unsigned long long)selector);
        }
        if (status_is_ok(&status)) {
            status = descriptor_table_read(monitor->machine, DESCRIPTOR_GDT, (uint32_t)selector >> 3, &view);
        }
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    const unsigned type = view.attributes & (SEGMENT_TYPE | SEGMENT_S);
    if ((selector & 0xfffc) == 0 || (type & ~10u) != 1) {
        return status_error(STATUS_NOT_FOUND, "selector 0x%llx names no TSS", (unsigned long long)selector);
    }
    fprintf(out, "selector %04llx ", (unsigned long long)selector);
    descriptor_view_print(&view, out);
    fputc('\n', out);
    if (type & 8) {
        print_fields(monitor, view.base, fields_32, ARRAY_COUNT(fields_32), out);
    } else {
        print_fields(monitor, view.base, fields_16, ARRAY_COUNT(fields_16), out);
    }
    return status_ok();
}
