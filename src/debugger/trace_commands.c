/* `trace`: what is kept of the guest's doings (trace.h), and how it is shown. */
#include <string.h>

#include "base/bits.h"
#include "debugger/monitor_internal.h"
#include "debugger/trace.h"

#define DEFAULT_ENTRIES 1000u
#define DEFAULT_SHOWN   20u
#define BYTES_SHOWN     8u

static const struct {
    const char *name;
    enum trace_kind kind;
} kinds[] = {{"instructions", TRACE_INSTRUCTIONS},
             {"branches", TRACE_BRANCHES},
             {"interrupts", TRACE_INTERRUPTS},
             {"io", TRACE_IO}};

static bool find_kind(const char *word, unsigned *set)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(word, kinds[i].name) == 0) {
            *set |= kinds[i].kind;
            return true;
        }
    }
    return false;
}

static struct status parse_count(const char *word, uint64_t *count)
{
    struct status status = monitor_parse_number(word, "a number of entries", count);
    if (status_is_ok(&status) && (*count == 0 || *count > TRACE_ENTRIES_MAX)) {
        status = status_error(STATUS_INVALID_ARGUMENT, "a trace has 1 to %u entries", TRACE_ENTRIES_MAX);
    }
    return status;
}

/* KIND... [COUNT] */
static struct status start(struct monitor_session *session, int argc, char **argv)
{
    unsigned set = 0;
    uint64_t count = DEFAULT_ENTRIES;
    int word = 2;
    while (word < argc && find_kind(argv[word], &set)) {
        word++;
    }
    if (word < argc) {
        struct status status = parse_count(argv[word++], &count);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    if (word < argc || set == 0) {
        return monitor_usage(argv[0]);
    }
    return debugger_start_trace(session->monitor->debugger, set, (size_t)count);
}

/* ---- showing */

static void print_address(struct monitor *monitor, uint32_t linear, FILE *out)
{
    char name[120];
    fprintf(out, "%08x", (unsigned)linear);
    if (symbols_describe(monitor->symbols, linear, name, sizeof name)[0] != '\0') {
        fprintf(out, " <%s>", name);
    }
}

/* The instruction as it was; its bytes where there is no disassembler. */
static void print_code(const struct monitor *monitor, const struct trace_entry *entry, FILE *out)
{
    for (unsigned i = 0; i < entry->length; i++) {
        fprintf(out, " %02x", entry->bytes[i]);
    }
    if (entry->length == 0) {
        fputs(" ??", out);
    } else if (disassembly_is_there()) {
        const uint32_t address = entry->code_size == 2 ? entry->eip : entry->linear;
        const struct disassembly text =
            disassembly_of(monitor->syntax, entry->code_size * 8u, address, entry->bytes, entry->length);
        const unsigned shown = entry->length < BYTES_SHOWN ? entry->length : BYTES_SHOWN;
        fprintf(out, "%*s  %s%s%s", (int)(3 * (BYTES_SHOWN - shown)), "", text.mnemonic,
                text.operands[0] != '\0' ? " " : "", text.operands);
    }
}

static void print_target(struct monitor *monitor, const struct trace_entry *entry, FILE *out)
{
    if (entry->has_target) {
        fputs(" -> ", out);
        print_address(monitor, entry->target, out);
    }
}

static void print_entry(struct monitor *monitor, const struct trace_entry *entry, FILE *out)
{
    fprintf(out, "%12llu  ", (unsigned long long)entry->retired);
    switch (entry->kind) {
    case TRACE_INSTRUCTIONS:
        print_address(monitor, entry->linear, out);
        fputc(':', out);
        print_code(monitor, entry, out);
        break;
    case TRACE_BRANCHES:
        print_address(monitor, entry->linear, out);
        print_target(monitor, entry, out);
        fputc(':', out);
        print_code(monitor, entry, out);
        break;
    case TRACE_INTERRUPTS:
        event_print(out, &entry->event, entry->cs, entry->eip);
        print_target(monitor, entry, out);
        break;
    case TRACE_IO:
        print_address(monitor, entry->linear, out);
        fprintf(out, ": %s %04x/%u = %0*x", entry->write ? "out" : "in ", entry->port, entry->width,
                2 * entry->width, (unsigned)entry->value);
        break;
    }
    fputc('\n', out);
}

static struct status show(struct monitor_session *session, int argc, char **argv)
{
    uint64_t shown = DEFAULT_SHOWN;
    const struct trace *trace = debugger_trace(session->monitor->debugger);
    struct status status = argc > 2 ? parse_count(argv[2], &shown) : status_ok();
    if (status_is_ok(&status) && trace == NULL) {
        status = status_error(STATUS_NOT_FOUND, "nothing has been traced (trace on branches interrupts)");
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    const size_t count = trace_count(trace);
    for (size_t i = count > shown ? count - (size_t)shown : 0; i < count; i++) {
        print_entry(session->monitor, trace_entry(trace, i), session->out);
    }
    return status;
}

struct status command_trace(struct monitor_session *session, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "on") == 0) {
        return start(session, argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "off") == 0) {
        debugger_end_trace(session->monitor->debugger);
        return status_ok();
    }
    if (argc == 2 || argc == 3) {
        return strcmp(argv[1], "show") == 0 ? show(session, argc, argv) : monitor_usage(argv[0]);
    }
    return monitor_usage(argv[0]);
}
