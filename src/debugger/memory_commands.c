/* Commands that search, change, save and load the guest's memory, and `set`.
 *
 * The word behind the command's name may begin with a slash and say the size of values (b 1 byte, h 2, w 4, g
 * 8) and p for physical addresses: find/wp 0 0x100000 0x12345678. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/guest_memory.h"
#include "debugger/monitor_internal.h"

#define PATTERN_MAX  256u
#define MATCHES_MAX  100u
#define CHUNK        (64 * (size_t)KIB)
#define STRING_MIN   4
#define STRING_SHOWN 256u
#define SPACE_END    (4 * GIB)

struct access {
    enum guest_space space;
    unsigned size;
    int first; /* the first word behind the options */
};

/* The optional word with a slash at argv[1]. */
static struct status parse_access(int argc, char **argv, struct access *access)
{
    static const char sizes[] = "bhwg";
    *access = (struct access){.space = GUEST_LINEAR, .size = 1, .first = 1};
    if (argc < 2 || argv[1][0] != '/') {
        return status_ok();
    }
    access->first = 2;
    for (const char *at = argv[1] + 1; *at != '\0'; at++) {
        const char *size = strchr(sizes, *at);
        if (size != NULL) {
            access->size = 1u << (size - sizes);
        } else if (*at == 'p') {
            access->space = GUEST_PHYSICAL;
        } else {
            return status_error(STATUS_INVALID_ARGUMENT, "\"%s\": sizes are b h w g, and p means physical",
                                argv[1]);
        }
    }
    return status_ok();
}

/* ADDRESS LENGTH in two words. */
static struct status parse_range(struct monitor *monitor, char **words, uint64_t *address, uint64_t *length)
{
    struct status status = monitor_evaluate(monitor, words[0], address);
    if (status_is_ok(&status)) {
        status = monitor_evaluate(monitor, words[1], length);
    }
    if (status_is_ok(&status) && (*address >= SPACE_END || *length == 0 || *length > SPACE_END - *address)) {
        status =
            status_error(STATUS_INVALID_ARGUMENT, "a range lies within the first 4 GiB and is not empty");
    }
    return status;
}

struct pattern {
    uint8_t bytes[PATTERN_MAX];
    size_t length;
};

/* One word: a number of `size` bytes, or as it stands between quotation marks. */
static struct status add_to_pattern(struct monitor_session *session, int word, char *text, unsigned size,
                                    struct pattern *pattern)
{
    bool quoted = monitor_rest(session, word)[0] == '"';
    size_t length = quoted ? strlen(text) : size;
    uint64_t value = 0;
    if (length > sizeof pattern->bytes - pattern->length) {
        return status_error(STATUS_INVALID_ARGUMENT, "a pattern has at most %u bytes", PATTERN_MAX);
    }
    if (quoted) {
        memcpy(pattern->bytes + pattern->length, text, length);
    } else {
        struct status status = monitor_evaluate(session->monitor, text, &value);
        if (!status_is_ok(&status)) {
            return status;
        }
        store_le(pattern->bytes + pattern->length, size, value);
    }
    pattern->length += length;
    return status_ok();
}

static struct status parse_pattern(struct monitor_session *session, int argc, char **argv, int first,
                                   unsigned size, struct pattern *pattern)
{
    struct status status = status_ok();
    *pattern = (struct pattern){.length = 0};
    for (int i = first; i < argc && status_is_ok(&status); i++) {
        status = add_to_pattern(session, i, argv[i], size, pattern);
    }
    if (status_is_ok(&status) && pattern->length == 0) {
        status = status_error(STATUS_INVALID_ARGUMENT, "the pattern is empty");
    }
    return status;
}

/* ---- searching */

static void print_match(struct monitor *monitor, enum guest_space space, uint64_t address, FILE *out)
{
    char name[120] = "";
    if (space == GUEST_LINEAR) {
        symbols_describe(monitor->symbols, address, name, sizeof name);
    }
    fprintf(out, "%08llx%s%s\n", (unsigned long long)address, name[0] != '\0' ? "  " : "", name);
}

/* Where to go on when nothing at `address` can be read. */
static uint64_t next_page(uint64_t address)
{
    return (address | PAGE_MASK) + 1;
}

struct status command_find(struct monitor_session *session, int argc, char **argv)
{
    struct access access;
    struct pattern pattern;
    uint64_t address = 0, length = 0;
    struct status status = parse_access(argc, argv, &access);
    if (status_is_ok(&status) && argc < access.first + 3) {
        status = monitor_usage(argv[0]);
    }
    if (status_is_ok(&status)) {
        status = parse_range(session->monitor, argv + access.first, &address, &length);
    }
    if (status_is_ok(&status)) {
        status = parse_pattern(session, argc, argv, access.first + 2, access.size, &pattern);
    }
    uint8_t *window = status_is_ok(&status) ? malloc(CHUNK + PATTERN_MAX) : NULL;
    if (status_is_ok(&status) && window == NULL) {
        status = status_error(STATUS_NO_MEMORY, "out of memory");
    }
    unsigned found = 0;
    const uint64_t end = address + length;
    while (status_is_ok(&status) && address + pattern.length <= end && found < MATCHES_MAX) {
        const uint64_t left = end - address;
        const size_t wanted = left < CHUNK + pattern.length - 1 ? (size_t)left : CHUNK + pattern.length - 1;
        const size_t got =
            guest_memory_read(session->monitor->machine, access.space, address, window, wanted);
        const uint8_t *match =
            got >= pattern.length ? memmem(window, got, pattern.bytes, pattern.length) : NULL;
        if (match != NULL) {
            address += (uint64_t)(match - window);
            print_match(session->monitor, access.space, address++, session->out);
            found++;
        } else {
            address = got < wanted ? next_page(address + got) : address + CHUNK;
        }
    }
    free(window);
    if (status_is_ok(&status) && (found == 0 || found == MATCHES_MAX)) {
        fputs(found == 0 ? "not found\n" : "(there may be more)\n", session->out);
    }
    return status;
}

static void print_string(FILE *out, uint64_t address, const uint8_t *text, size_t length)
{
    fprintf(out, "%08llx: %.*s%s\n", (unsigned long long)address, (int)length, (const char *)text,
            length == STRING_SHOWN ? "..." : "");
}

/* A run of characters that is going on. */
struct string_run {
    FILE *out;
    uint64_t shortest;
    uint64_t start, length; /* of which the first STRING_SHOWN are in `text` */
    uint8_t text[STRING_SHOWN];
};

static void end_run(struct string_run *run)
{
    if (run->length != 0 && run->length >= run->shortest) {
        print_string(run->out, run->start, run->text,
                     run->length < STRING_SHOWN ? (size_t)run->length : STRING_SHOWN);
    }
    run->length = 0;
}

static void take_character(struct string_run *run, uint64_t address, uint8_t byte)
{
    if (!isprint(byte) && byte != '\t') {
        end_run(run);
        return;
    }
    run->start = run->length == 0 ? address : run->start;
    if (run->length < STRING_SHOWN) {
        run->text[run->length] = byte;
    }
    run->length++;
}

struct status command_strings(struct monitor_session *session, int argc, char **argv)
{
    struct access access;
    uint64_t address = 0, length = 0, shortest = STRING_MIN;
    struct status status = parse_access(argc, argv, &access);
    if (status_is_ok(&status) && (argc < access.first + 2 || argc > access.first + 3)) {
        status = monitor_usage(argv[0]);
    }
    if (status_is_ok(&status)) {
        status = parse_range(session->monitor, argv + access.first, &address, &length);
    }
    if (status_is_ok(&status) && argc == access.first + 3) {
        status = monitor_evaluate(session->monitor, argv[access.first + 2], &shortest);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    struct string_run run = {.out = session->out, .shortest = shortest};
    for (const uint64_t end = address + length; address < end;) {
        uint8_t page[PAGE_SIZE];
        const uint64_t left = end - address, in_page = next_page(address) - address;
        const size_t wanted = (size_t)(left < in_page ? left : in_page);
        const size_t got = guest_memory_read(session->monitor->machine, access.space, address, page, wanted);
        for (size_t i = 0; i < got; i++) {
            take_character(&run, address + i, page[i]);
        }
        if (got < wanted) {
            end_run(&run);
        }
        address += wanted;
    }
    end_run(&run);
    return status_ok();
}

/* ---- changing */

struct status command_fill(struct monitor_session *session, int argc, char **argv)
{
    struct machine *machine = session->monitor->machine;
    struct access access;
    struct pattern pattern;
    uint64_t address = 0, length = 0;
    struct status status = parse_access(argc, argv, &access);
    if (status_is_ok(&status) && argc < access.first + 3) {
        status = monitor_usage(argv[0]);
    }
    if (status_is_ok(&status)) {
        status = parse_range(session->monitor, argv + access.first, &address, &length);
    }
    if (status_is_ok(&status)) {
        status = parse_pattern(session, argc, argv, access.first + 2, access.size, &pattern);
    }
    if (status_is_ok(&status)) {
        monitor_note_change(session);
    }
    while (status_is_ok(&status) && length > 0) {
        size_t part = length < pattern.length ? (size_t)length : pattern.length;
        size_t done = guest_memory_write(machine, access.space, address, pattern.bytes, part);
        if (done < part) {
            status = guest_memory_unwritable(machine, access.space, address + done);
        }
        address += part;
        length -= part;
    }
    return status;
}

struct status command_write(struct monitor_session *session, int argc, char **argv)
{
    struct machine *machine = session->monitor->machine;
    struct access access;
    struct pattern pattern;
    uint64_t address = 0;
    struct status status = parse_access(argc, argv, &access);
    if (status_is_ok(&status) && argc < access.first + 2) {
        status = monitor_usage(argv[0]);
    }
    if (status_is_ok(&status)) {
        status = monitor_evaluate(session->monitor, argv[access.first], &address);
    }
    if (status_is_ok(&status)) {
        status = parse_pattern(session, argc, argv, access.first + 1, access.size, &pattern);
    }
    if (status_is_ok(&status)) {
        monitor_note_change(session);
        size_t done = guest_memory_write(machine, access.space, address, pattern.bytes, pattern.length);
        if (done < pattern.length) {
            status = guest_memory_unwritable(machine, access.space, address + done);
        }
    }
    return status;
}

/* The = of PLACE = VALUE, not one of == != <= >=. */
static const char *find_assignment(const char *text)
{
    bool quoted = false;
    for (const char *at = text; *at != '\0'; at++) {
        quoted ^= *at == '"';
        if (!quoted && *at == '=' && at[1] != '=' && (at == text || strchr("=!<>", at[-1]) == NULL)) {
            return at;
        }
    }
    return NULL;
}

static struct status assign(struct monitor_session *session, const char *text, const char *equals)
{
    struct monitor *monitor = session->monitor;
    char place[MONITOR_LINE_MAX];
    struct expression *expression;
    uint64_t value = 0;
    const struct expression_scope scope = monitor_scope(monitor);
    snprintf(place, sizeof place, "%.*s", (int)(equals - text), text);
    struct status status = expression_parse(place, &scope, &expression);
    if (!status_is_ok(&status)) {
        return status;
    }
    status = monitor_evaluate(monitor, equals + 1, &value);
    if (status_is_ok(&status)) {
        monitor_note_change(session);
        status = expression_assign(expression, monitor->machine, value);
    }
    expression_destroy(expression);
    return status;
}

struct status command_set(struct monitor_session *session, int argc, char **argv)
{
    const char *rest = monitor_rest(session, 1);
    const char *equals = find_assignment(rest);
    if (argc == 3 && strcmp(argv[1], "disassembly") == 0) {
        bool att = strcmp(argv[2], "att") == 0;
        if (!att && strcmp(argv[2], "intel") != 0) {
            return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a syntax (intel, att)", argv[2]);
        }
        session->monitor->syntax = att ? DISASSEMBLY_ATT : DISASSEMBLY_INTEL;
        return status_ok();
    }
    return equals != NULL ? assign(session, rest, equals) : monitor_usage(argv[0]);
}

/* ---- files */

/* An optional /l at argv[1]: linear addresses. */
static void parse_linear(int argc, char **argv, struct access *access)
{
    bool linear = argc > 1 && strcmp(argv[1], "/l") == 0;
    *access =
        (struct access){.space = linear ? GUEST_LINEAR : GUEST_PHYSICAL, .size = 1, .first = linear ? 2 : 1};
}

/* Reads what DMA would read, or by linear address what can be read without effects. */
static struct status read_part(struct machine *machine, enum guest_space space, uint64_t address, uint8_t *to,
                               size_t length)
{
    if (space == GUEST_PHYSICAL) {
        memory_bus_read_block(machine_memory(machine), address, to, length);
        return status_ok();
    }
    size_t done = guest_memory_read(machine, space, address, to, length);
    return done < length ? guest_memory_unreadable(machine, space, address + done) : status_ok();
}

struct status command_dump_memory(struct monitor_session *session, int argc, char **argv)
{
    struct access access;
    uint64_t address = 0, length = 0;
    parse_linear(argc, argv, &access);
    if (argc != access.first + 3) {
        return monitor_usage(argv[0]);
    }
    struct status status = parse_range(session->monitor, argv + access.first + 1, &address, &length);
    if (!status_is_ok(&status)) {
        return status;
    }
    const char *path = argv[access.first];
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return status_from_errno(errno, "cannot create %s", path);
    }
    uint8_t page[PAGE_SIZE];
    while (length > 0 && status_is_ok(&status)) {
        size_t part = length < sizeof page ? (size_t)length : sizeof page;
        status = read_part(session->monitor->machine, access.space, address, page, part);
        if (status_is_ok(&status) && fwrite(page, 1, part, file) != part) {
            status = status_from_errno(errno, "cannot write %s", path);
        }
        address += part;
        length -= part;
    }
    if (fclose(file) != 0 && status_is_ok(&status)) {
        status = status_from_errno(errno, "cannot write %s", path);
    }
    return status;
}

struct status command_load_memory(struct monitor_session *session, int argc, char **argv)
{
    struct machine *machine = session->monitor->machine;
    struct access access;
    uint64_t address = 0, total = 0;
    parse_linear(argc, argv, &access);
    if (argc != access.first + 2) {
        return monitor_usage(argv[0]);
    }
    struct status status = monitor_evaluate(session->monitor, argv[access.first + 1], &address);
    if (!status_is_ok(&status)) {
        return status;
    }
    const char *path = argv[access.first];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return status_from_errno(errno, "cannot read %s", path);
    }
    uint8_t page[PAGE_SIZE];
    size_t part;
    monitor_note_change(session);
    while (status_is_ok(&status) && (part = fread(page, 1, sizeof page, file)) > 0) {
        size_t done = guest_memory_write(machine, access.space, address + total, page, part);
        if (done < part) {
            status = guest_memory_unwritable(machine, access.space, address + total + done);
        }
        total += done;
    }
    if (status_is_ok(&status) && ferror(file)) {
        status = status_from_errno(errno, "cannot read %s", path);
    }
    fclose(file);
    if (status_is_ok(&status)) {
        fprintf(session->out, "%llu bytes\n", (unsigned long long)total);
    }
    return status;
}
