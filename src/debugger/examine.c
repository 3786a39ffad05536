/* Looking at memory: `x`, `xp`, `text` and `print`.
 *
 * Memory that belongs to a device is not read, because reading may change the device; it shows as ??, unless
 * the format has an m. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/code_listing.h"
#include "debugger/guest_memory.h"
#include "debugger/monitor_internal.h"

#define MAX_COUNT 4096
#define TEXT_MAX  65536

/* ---- memory */
struct view {
    struct monitor *monitor;
    enum guest_space space;
    bool devices; /* are read too, and notice */
};

/* 1 to 8 bytes of a device, in one access. */
static bool read_device(const struct view *view, uint64_t address, uint8_t *bytes, size_t length)
{
    struct machine *machine = view->monitor->machine;
    uint64_t phys = address;
    if (view->space == GUEST_LINEAR && !guest_memory_translate(machine, address, &phys)) {
        return false;
    }
    if (memory_bus_page(machine_memory(machine), phys)->region == NULL) {
        return false;
    }
    store_le64(bytes, memory_bus_read(machine_memory(machine), phys, (unsigned)length));
    return true;
}

/* A value of 1, 2, 4 or 8 bytes, for which `bytes` has room for 8. False: not mapped, or a device's. */
static bool read_value(const struct view *view, uint64_t address, uint8_t bytes[8], size_t length)
{
    return guest_memory_read(view->monitor->machine, view->space, address, bytes, length) == length ||
           (view->devices && read_device(view, address, bytes, length));
}

static bool read_byte(const struct view *view, uint64_t address, uint8_t *byte)
{
    uint8_t bytes[8] = {0};
    bool readable = read_value(view, address, bytes, 1);
    *byte = bytes[0];
    return readable;
}

struct format {
    unsigned count;
    char letter; /* x d u o t c a s i */
    unsigned size;
    bool devices;
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
        } else if (*at == 'm') {
            format->devices = true;
        } else if (strchr("xduotcasi", *at) != NULL) {
            format->letter = *at;
        } else {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "\"%s\": formats are x d u o t c a s i, sizes b h w g, and m", word);
        }
    }
    if (!sized && format->letter == 'c') {
        format->size = 1;
    }
    return status_ok();
}

static void print_binary(FILE *out, uint64_t value, unsigned bits)
{
    fputs(" 0b", out);
    while (bits-- > 0) {
        fputc((int)('0' + (value >> bits & 1)), out);
    }
}

static void print_value(const struct view *view, FILE *out, const struct format *format, uint64_t value)
{
    char name[120];
    unsigned bits = format->size * 8;
    switch (format->letter) {
    case 'd': fprintf(out, " %lld", (long long)bits_sign_extend(value, bits)); break;
    case 'u': fprintf(out, " %llu", (unsigned long long)value); break;
    case 'o': fprintf(out, " 0%llo", (unsigned long long)value); break;
    case 't': print_binary(out, value, bits); break;
    case 'a':
        symbols_describe(view->monitor->symbols, value, name, sizeof name);
        fprintf(out, " 0x%0*llx%s%s%s", (int)(2 * format->size), (unsigned long long)value,
                name[0] != '\0' ? " <" : "", name, name[0] != '\0' ? ">" : "");
        break;
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
    unsigned per_line = format->letter == 'a' ? 1 : format->letter == 't' ? 4 : 16 / format->size;
    for (unsigned i = 0; i < format->count; i++, address += format->size) {
        uint8_t bytes[8] = {0};
        if (i % per_line == 0) {
            fprintf(out, "%s%08llx:", i == 0 ? "" : "\n", (unsigned long long)address);
        }
        if (read_value(view, address, bytes, format->size)) {
            print_value(view, out, format, load_le(bytes, format->size));
        } else {
            fputs(" ??", out);
        }
    }
    fputc('\n', out);
}

static void print_character(FILE *out, uint8_t byte)
{
    if (byte == '"' || byte == '\\') {
        fprintf(out, "\\%c", byte);
    } else {
        fprintf(out, isprint(byte) ? "%c" : "\\x%02x", byte);
    }
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
            print_character(out, byte);
        }
        fputs(readable ? "\"\n" : "\" ??\n", out);
        if (!readable) {
            return;
        }
    }
}

static struct status examine(struct monitor_session *session, int argc, char **argv, enum guest_space space)
{
    struct view view = {.monitor = session->monitor, .space = space};
    struct format format = {.count = 1, .letter = 'x', .size = 4};
    int word = 1;
    struct status status = status_ok();
    if (argc > 1 && argv[1][0] == '/') {
        status = parse_format(argv[1], &format);
        word = 2;
    }
    if (status_is_ok(&status) && argc < word + 1) {
        status = monitor_usage(argv[0]);
    }
    view.devices = format.devices;
    uint64_t address = 0;
    if (status_is_ok(&status)) {
        status = monitor_evaluate(session->monitor, monitor_rest(session, word), &address);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    if (format.devices) {
        monitor_note_change(session);
    }
    switch (format.letter) {
    case 's': print_strings(&view, session->out, &format, address); return status_ok();
    case 'i':
        return code_listing_print(session->monitor, session->out, space,
                                  space == GUEST_LINEAR ? address & UINT32_MAX : address, 0, format.count,
                                  &address);
    default: print_values(&view, session->out, &format, address); return status_ok();
    }
}

struct status command_x(struct monitor_session *session, int argc, char **argv)
{
    return examine(session, argc, argv, GUEST_LINEAR);
}

struct status command_xp(struct monitor_session *session, int argc, char **argv)
{
    return examine(session, argc, argv, GUEST_PHYSICAL);
}

struct status command_text(struct monitor_session *session, int argc, char **argv)
{
    struct view view = {.monitor = session->monitor, .space = GUEST_LINEAR};
    const int first = argc > 1 && strcmp(argv[1], "/p") == 0 ? 2 : 1;
    uint64_t address = 0, length = 0;
    if (argc != first + 2) {
        return monitor_usage(argv[0]);
    }
    view.space = first == 2 ? GUEST_PHYSICAL : GUEST_LINEAR;
    struct status status = monitor_evaluate(session->monitor, argv[first], &address);
    if (status_is_ok(&status)) {
        status = monitor_evaluate(session->monitor, argv[first + 1], &length);
    }
    if (status_is_ok(&status) && length > TEXT_MAX) {
        status = status_error(STATUS_INVALID_ARGUMENT, "a text has at most %d bytes", TEXT_MAX);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    fputc('"', session->out);
    for (uint64_t i = 0; i < length; i++) {
        uint8_t byte;
        if (!read_byte(&view, address + i, &byte)) {
            fputs("\" ??\n", session->out);
            return status_ok();
        }
        print_character(session->out, byte);
    }
    fputs("\"\n", session->out);
    return status_ok();
}

struct status command_print(struct monitor_session *session, int argc, char **argv)
{
    uint64_t value = 0;
    if (argc < 2) {
        return monitor_usage(argv[0]);
    }
    struct status status = monitor_evaluate(session->monitor, monitor_rest(session, 1), &value);
    if (status_is_ok(&status)) {
        fprintf(session->out, "0x%llx (%lld)\n", (unsigned long long)value, (long long)value);
    }
    return status;
}
