/* Looking at memory: `x`, `xp`, `print` and the expressions they take.
 *
 * Expressions: terms joined by + and -, no blanks. A term is a number (C notation), a register name (eax,
 * $eip, cr3, ds: the selector), or SEGMENT:OFFSET, which gives a linear address: each side a register or a
 * number, there hexadecimal even without 0x, as people write f000:fff0. In protected mode the segment must be
 * one that is loaded.
 *
 * Memory that belongs to a device is not read, because reading may change the device; it shows as ??. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/disassembly.h"
#include "debugger/monitor_internal.h"

#define MAX_COUNT 4096

static const char *const gpr_names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
static const char *const low_names[] = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
static const char *const segment_names[CPU_SEGMENTS] = {"es", "cs", "ss", "ds", "fs", "gs"};

static bool find_segment(const char *name, enum cpu_segment *segment)
{
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        if (strcmp(name, segment_names[i]) == 0) {
            *segment = (enum cpu_segment)i;
            return true;
        }
    }
    return false;
}

static bool read_gpr(const struct cpu_state *cpu, const char *name, uint64_t *value)
{
    for (unsigned i = 0; i < ARRAY_COUNT(gpr_names); i++) {
        bool wide = name[0] == 'e' && strcmp(name + 1, gpr_names[i]) == 0;
        if (wide || strcmp(name, gpr_names[i]) == 0) {
            *value = wide ? cpu->gpr[i].d : cpu->gpr[i].w;
            return true;
        }
        if (strcmp(name, low_names[i]) == 0) {
            *value = i < 4 ? cpu->gpr[i].l : cpu->gpr[i - 4].h;
            return true;
        }
    }
    return false;
}

static bool read_register(const struct cpu_state *cpu, const char *name, uint64_t *value)
{
    enum cpu_segment segment;
    if (read_gpr(cpu, name, value)) {
        return true;
    }
    if (find_segment(name, &segment)) {
        *value = cpu->segment[segment].selector;
        return true;
    }
    const struct {
        const char *name;
        uint64_t value;
    } others[] = {
        {"ip", cpu->rip & 0xFFFF},
        {"eip", cpu->rip & UINT32_MAX},
        {"flags", cpu_eflags(cpu) & 0xFFFF},
        {"eflags", cpu_eflags(cpu)},
        {"cr0", cpu->cr0},
        {"cr2", cpu->cr2},
        {"cr3", cpu->cr3},
        {"cr4", cpu->cr4},
        {"gdtr", cpu->gdtr.base},
        {"idtr", cpu->idtr.base},
        {"ldtr", cpu->ldtr.selector},
        {"tr", cpu->tr.selector},
    };
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (strcmp(name, others[i].name) == 0) {
            *value = others[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_digits(const char *word, int base, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(word, &end, base);
    return isxdigit((unsigned char)*word) && *end == '\0' && errno == 0;
}

/* The base of the segment that `word` names, by register or selector. */
static struct status segment_base(const struct cpu_state *cpu, const char *word, uint64_t *base)
{
    enum cpu_segment segment;
    if (find_segment(word, &segment)) {
        *base = cpu->segment[segment].base;
        return status_ok();
    }
    uint64_t selector;
    if (!parse_digits(word, 16, &selector) || selector > 0xFFFF) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a segment", word);
    }
    if (cpu->mode != CPU_MODE_PROTECTED) {
        *base = selector << 4;
        return status_ok();
    }
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        if (cpu->segment[i].selector == selector) {
            *base = cpu->segment[i].base;
            return status_ok();
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "selector %s is not loaded in any segment register", word);
}

static struct status evaluate_term(const struct cpu_state *cpu, char *term, uint64_t *value)
{
    if (*term == '$') {
        term++;
    }
    char *colon = strchr(term, ':');
    if (colon != NULL) {
        *colon = '\0';
        uint64_t base = 0;
        uint64_t offset;
        struct status status = segment_base(cpu, term, &base);
        if (!status_is_ok(&status)) {
            return status;
        }
        if (!read_register(cpu, colon + 1, &offset) && !parse_digits(colon + 1, 16, &offset)) {
            return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not an offset", colon + 1);
        }
        *value = base + offset;
        return status_ok();
    }
    if (isdigit((unsigned char)*term) ? parse_digits(term, 0, value) : read_register(cpu, term, value)) {
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is neither a number nor a register", term);
}

struct status monitor_evaluate(struct monitor *monitor, const char *expression, uint64_t *value)
{
    char text[MONITOR_LINE_MAX];
    snprintf(text, sizeof text, "%s", expression);
    *value = 0;
    char sign = '+';
    for (char *term = text; term != NULL;) {
        char *end = strpbrk(term, "+-");
        char next_sign = end != NULL ? *end : '\0';
        if (end != NULL) {
            *end++ = '\0';
        }
        uint64_t number = 0;
        struct status status = evaluate_term(machine_cpu(monitor->machine), term, &number);
        if (!status_is_ok(&status)) {
            return status;
        }
        *value = sign == '+' ? *value + number : *value - number;
        sign = next_sign;
        term = end;
    }
    return status_ok();
}

/* ---- memory */

struct view {
    struct monitor *monitor;
    bool physical;
};

/* One byte, without side effects. False: not mapped, or a device's. */
static bool read_byte(const struct view *view, uint64_t address, uint8_t *byte)
{
    struct machine *machine = view->monitor->machine;
    uint64_t phys = address;
    if (!view->physical && !mmu_probe(machine_mmu(machine), address & UINT32_MAX, &phys)) {
        return false;
    }
    const struct memory_page *page = memory_bus_page(machine_memory(machine), phys);
    if (page->read == NULL) {
        return false;
    }
    *byte = page->read[phys & PAGE_MASK];
    return true;
}

/* As many of `length` bytes as can be read in one go. */
static size_t read_bytes(const struct view *view, uint64_t address, uint8_t *bytes, size_t length)
{
    size_t done = 0;
    while (done < length && read_byte(view, address + done, &bytes[done])) {
        done++;
    }
    return done;
}

struct format {
    unsigned count;
    char letter; /* x d u o c s i */
    unsigned size;
};

static struct status parse_format(const char *word, struct format *format)
{
    *format = (struct format){.count = 1, .letter = 'x', .size = 4};
    const char *at = word + 1;
    if (isdigit((unsigned char)*at)) {
        char *end;
        unsigned long count = strtoul(at, &end, 10);
        if (count == 0 || count > MAX_COUNT) {
            return status_error(STATUS_INVALID_ARGUMENT, "the count is 1 to %d", MAX_COUNT);
        }
        format->count = (unsigned)count;
        at = end;
    }
    bool sized = false;
    for (; *at != '\0'; at++) {
        static const char sizes[] = "bhwg";
        const char *size = strchr(sizes, *at);
        if (size != NULL) {
            format->size = 1u << (size - sizes);
            sized = true;
        } else if (strchr("xduocsi", *at) != NULL) {
            format->letter = *at;
        } else {
            return status_error(STATUS_INVALID_ARGUMENT, "\"%s\": formats are x d u o c s i, sizes b h w g",
                                word);
        }
    }
    if (!sized && format->letter == 'c') {
        format->size = 1;
    }
    return status_ok();
}

static void print_value(FILE *out, const struct format *format, uint64_t value)
{
    unsigned bits = format->size * 8;
    switch (format->letter) {
    case 'd': fprintf(out, " %lld", (long long)bits_sign_extend(value, bits)); break;
    case 'u': fprintf(out, " %llu", (unsigned long long)value); break;
    case 'o': fprintf(out, " 0%llo", (unsigned long long)value); break;
    case 'c': {
        char c = (char)value;
        fprintf(out, isprint((unsigned char)c) ? " '%c'" : " '\\x%02x'",
                isprint((unsigned char)c) ? c : (int)(uint8_t)c);
        break;
    }
    default: fprintf(out, " 0x%0*llx", (int)(2 * format->size), (unsigned long long)value); break;
    }
}

static void print_values(const struct view *view, FILE *out, const struct format *format, uint64_t address)
{
    unsigned per_line = 16 / format->size;
    for (unsigned i = 0; i < format->count; i++, address += format->size) {
        uint8_t bytes[8] = {0};
        if (i % per_line == 0) {
            fprintf(out, "%s%08llx:", i == 0 ? "" : "\n", (unsigned long long)address);
        }
        if (read_bytes(view, address, bytes, format->size) == format->size) {
            print_value(out, format, load_le(bytes, format->size));
        } else {
            fputs(" ??", out);
        }
    }
    fputc('\n', out);
}

static void print_strings(const struct view *view, FILE *out, const struct format *format, uint64_t address)
{
    for (unsigned i = 0; i < format->count; i++) {
        fprintf(out, "%08llx: \"", (unsigned long long)address);
        uint8_t byte = 0;
        bool readable = true;
        for (unsigned n = 0; n < MAX_COUNT && (readable = read_byte(view, address, &byte)); n++) {
            address++;
            if (byte == 0) {
                break;
            }
            if (byte == '"' || byte == '\\') {
                fprintf(out, "\\%c", byte);
            } else {
                fprintf(out, isprint(byte) ? "%c" : "\\x%02x", byte);
            }
        }
        fputs(readable ? "\"\n" : "\" ??\n", out);
        if (!readable) {
            return;
        }
    }
}

static struct status print_instructions(const struct view *view, FILE *out, const struct format *format,
                                        uint64_t address)
{
    const struct cpu_state *cpu = machine_cpu(view->monitor->machine);
    if (!disassembly_is_there()) {
        return status_error(STATUS_UNSUPPORTED, "this doppel was built without a disassembler (capstone)");
    }
    for (unsigned i = 0; i < format->count; i++) {
        uint8_t bytes[15];
        size_t length = read_bytes(view, address, bytes, sizeof bytes);
        fprintf(out, "%08llx:", (unsigned long long)address);
        if (length == 0) {
            fputs(" ??\n", out);
            break;
        }
        const struct disassembly text =
            disassembly_of(DISASSEMBLY_INTEL, cpu->code_size * 8u, address, bytes, length);
        for (unsigned n = 0; n < text.length; n++) {
            fprintf(out, " %02x", bytes[n]);
        }
        fprintf(out, "%*s  %s%s%s\n", text.length < 8 ? (int)(3 * (8 - text.length)) : 0, "", text.mnemonic,
                text.operands[0] != '\0' ? " " : "", text.operands);
        address += text.length;
    }
    return status_ok();
}

static struct status examine(struct monitor_session *session, int argc, char **argv, bool physical)
{
    struct view view = {.monitor = session->monitor, .physical = physical};
    struct format format = {.count = 1, .letter = 'x', .size = 4};
    int word = 1;
    struct status status = status_ok();
    if (argc > 1 && argv[1][0] == '/') {
        status = parse_format(argv[1], &format);
        word = 2;
    }
    if (status_is_ok(&status) && argc != word + 1) {
        status = status_error(STATUS_INVALID_ARGUMENT, "usage: %s [/COUNT FORMAT SIZE] ADDRESS", argv[0]);
    }
    uint64_t address = 0;
    if (status_is_ok(&status)) {
        status = monitor_evaluate(session->monitor, argv[word], &address);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    switch (format.letter) {
    case 's': print_strings(&view, session->out, &format, address); return status_ok();
    case 'i': return print_instructions(&view, session->out, &format, address);
    default: print_values(&view, session->out, &format, address); return status_ok();
    }
}

struct status command_x(struct monitor_session *session, int argc, char **argv)
{
    return examine(session, argc, argv, false);
}

struct status command_xp(struct monitor_session *session, int argc, char **argv)
{
    return examine(session, argc, argv, true);
}

struct status command_print(struct monitor_session *session, int argc, char **argv)
{
    uint64_t value = 0;
    if (argc != 2) {
        return status_error(STATUS_INVALID_ARGUMENT, "usage: print EXPRESSION");
    }
    struct status status = monitor_evaluate(session->monitor, argv[1], &value);
    if (status_is_ok(&status)) {
        fprintf(session->out, "0x%llx (%lld)\n", (unsigned long long)value, (long long)value);
    }
    return status;
}
