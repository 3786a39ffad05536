/* Commands that are carried out at once: life cycle, drives, ports, dumps, logging. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "debugger/monitor_internal.h"
#include "ui/png_file.h"
#include "ui/utf8.h"

#define SCRIPT_BYTES (1024u * 1024u) /* of a file for `source`, at most */

struct status monitor_parse_number(const char *word, const char *what, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(word, &end, 0);
    if (*word < '0' || *word > '9' || *end != '\0' || errno != 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not %s", word, what);
    }
    return status_ok();
}

struct status monitor_usage(const char *name)
{
    const struct monitor_command *command = monitor_find_command(name);
    return status_error(STATUS_INVALID_ARGUMENT, "usage: %s %s", command->name, command->arguments);
}

struct status command_stop(struct monitor_session *session, int argc, char **argv)
{
    (void)argc, (void)argv;
    machine_pause(session->monitor->machine);
    return status_ok();
}

/* Reads a whole text; errors: it cannot be read, or is longer than any script should be. */
static struct status read_lines(const char *path, char *lines, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return status_from_errno(errno, "cannot read %s", path);
    }
    size_t length = fread(lines, 1, size - 1, file);
    lines[length] = '\0';
    struct status status = ferror(file) != 0 ? status_from_errno(errno, "cannot read %s", path) : status_ok();
    bool whole = feof(file) != 0;
    fclose(file);
    if (!status_is_ok(&status)) {
        return status;
    }
    return whole && strlen(lines) == length
               ? status_ok()
               : status_error(STATUS_INVALID_ARGUMENT, "%s is no script: longer than %zu bytes, or not text",
                              path, size - 1);
}

struct status command_source(struct monitor_session *session, int argc, char **argv)
{
    if (argc != 2) {
        return monitor_usage(argv[0]);
    }
    char *lines = malloc(SCRIPT_BYTES);
    if (lines == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    struct status status = read_lines(argv[1], lines, SCRIPT_BYTES);
    if (status_is_ok(&status)) {
        monitor_insert(session, lines);
    }
    free(lines);
    return status;
}

struct status command_system_reset(struct monitor_session *session, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct status status = monitor_need_present(session->monitor);
    if (status_is_ok(&status)) {
        machine_reset(session->monitor->machine);
    }
    return status;
}

struct status command_system_powerdown(struct monitor_session *session, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct status status = monitor_need_present(session->monitor);
    if (status_is_ok(&status)) {
        machine_press_power_button(session->monitor->machine);
    }
    return status;
}

struct status command_quit(struct monitor_session *session, int argc, char **argv)
{
    uint64_t status = 0;
    if (argc > 2) {
        return monitor_usage(argv[0]);
    }
    if (argc > 1) {
        struct status parsed = monitor_parse_number(argv[1], "an exit status", &status);
        if (status_is_ok(&parsed) && status > 255) {
            parsed = status_error(STATUS_INVALID_ARGUMENT, "an exit status is at most 255");
        }
        if (!status_is_ok(&parsed)) {
            return parsed;
        }
    }
    session->monitor->quit = true;
    session->monitor->quit_status = (int)status;
    return status_ok();
}

/* ---- drives */

/* Floppy drives first, then hda to hdd. */
static struct status parse_drive(const char *word, unsigned *drive)
{
    static const char *const names[MACHINE_FLOPPIES + MACHINE_IDE_DRIVES][4] = {{"a", "A", "fda", "floppy0"},
                                                                                {"b", "B", "fdb", "floppy1"},
                                                                                {"hda"},
                                                                                {"hdb"},
                                                                                {"hdc", "cdrom"},
                                                                                {"hdd"}};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        for (size_t n = 0; n < ARRAY_COUNT(names[i]) && names[i][n] != NULL; n++) {
            if (strcmp(word, names[i][n]) == 0) {
                *drive = i;
                return status_ok();
            }
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown drive \"%s\" (a, b, hda to hdd, cdrom)", word);
}

struct status command_eject(struct monitor_session *session, int argc, char **argv)
{
    unsigned drive = 0;
    bool force = argc == 3 && strcmp(argv[2], "force") == 0;
    if (argc != 2 && !force) {
        return monitor_usage(argv[0]);
    }
    struct status status = parse_drive(argv[1], &drive);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (drive >= MACHINE_FLOPPIES) {
        return machine_eject_cdrom(session->monitor->machine, drive - MACHINE_FLOPPIES, force);
    }
    machine_eject_floppy(session->monitor->machine, drive);
    return status;
}

struct status command_change(struct monitor_session *session, int argc, char **argv)
{
    unsigned drive = 0;
    bool read_only = argc == 4 && strcmp(argv[3], "readonly") == 0;
    bool force = argc == 4 && strcmp(argv[3], "force") == 0;
    if (argc < 3 || argc > 4 || (argc == 4 && !read_only && !force)) {
        return monitor_usage(argv[0]);
    }
    struct status status = parse_drive(argv[1], &drive);
    if (!status_is_ok(&status)) {
        return status;
    }
    struct machine *machine = session->monitor->machine;
    if (drive >= MACHINE_FLOPPIES) {
        return machine_change_cdrom(machine, drive - MACHINE_FLOPPIES, argv[2], force);
    }
    status = machine_change_floppy(machine, drive, argv[2], read_only);
    if (status.code == STATUS_INVALID_ARGUMENT) {
        status.code = STATUS_UNSUPPORTED; /* the image is at fault, not the command */
    }
    return status;
}

/* ---- screen */

const struct display_frame *monitor_render(struct monitor *monitor)
{
    const struct display_source *source = machine_display(monitor->machine);
    source->render(source->opaque, &monitor->frame, true);
    return &monitor->frame;
}

char *monitor_screen_rows(struct monitor *monitor)
{
    const struct display_source *source = machine_display(monitor->machine);
    const struct display_text *text = &monitor->frame.text;
    source->read_text(source->opaque, &monitor->frame);
    size_t columns = text->active ? text->columns : 0, rows = text->active ? text->rows : 0;
    char *screen = malloc(rows * (columns * UTF8_MAX + 1) + 1);
    if (screen == NULL) {
        return NULL;
    }
    char *at = screen;
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            at += utf8_encode(display_cp437_to_unicode(text->cells[row][column].character), at);
        }
        *at++ = '\n';
    }
    *at = '\0';
    return screen;
}

/* The text screen as UTF-8 without blanks at the ends of rows, allocated; NULL when out of memory. */
static char *trimmed_screen(const struct display_frame *frame)
{
    char none[1];
    size_t length = display_text_to_utf8(&frame->text, none, sizeof none);
    char *text = malloc(length + 1);
    if (text != NULL) {
        display_text_to_utf8(&frame->text, text, length + 1);
    }
    return text;
}

void monitor_print_screen(struct monitor *monitor, FILE *out)
{
    const struct display_frame *frame = monitor_render(monitor);
    if (!frame->text.active) {
        if (frame->width == 0) {
            fputs("(the display is off)\n", out);
        } else {
            fprintf(out, "(graphics mode, %u x %u pixels)\n", frame->width, frame->height);
        }
        return;
    }
    char *text = trimmed_screen(frame);
    fprintf(out, "---- text screen, %u x %u\n%s----\n", frame->text.columns, frame->text.rows,
            text != NULL ? text : "");
    free(text);
}

struct status command_dump_screen(struct monitor_session *session, int argc, char **argv)
{
    (void)argc, (void)argv;
    monitor_print_screen(session->monitor, session->out);
    return status_ok();
}

struct status command_screendump(struct monitor_session *session, int argc, char **argv)
{
    if (argc != 2) {
        return monitor_usage(argv[0]);
    }
    const struct display_frame *frame = monitor_render(session->monitor);
    if (frame->width == 0) {
        return status_error(STATUS_NOT_FOUND, "the display is off");
    }
    return png_file_write(argv[1], frame);
}

/* ---- memory and ports */

struct status command_memory_hash(struct monitor_session *session, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct machine *machine = session->monitor->machine;
    const struct memory_bus *memory = machine_memory(machine);
    fprintf(session->out, "ram crc32 %08x\ninstructions %llu\ntime %llu ns\n",
            crc32_append(0, memory_bus_ram(memory), (size_t)memory_bus_ram_size(memory)),
            (unsigned long long)machine_cpu(machine)->retired, (unsigned long long)machine_now(machine));
    cpu_describe(machine_cpu(machine), session->out);
    return status_ok();
}

/* An optional /b, /w or /d (also /l) at argv[1]: *width in bytes, *first the word after it. */
static struct status parse_port_width(char **argv, int argc, unsigned *width, int *first)
{
    *width = 1;
    *first = 1;
    if (argc > 1 && argv[1][0] == '/') {
        static const char letters[] = "bwdl";
        static const unsigned widths[] = {1, 2, 4, 4};
        const char *found = argv[1][1] != '\0' && argv[1][2] == '\0' ? strchr(letters, argv[1][1]) : NULL;
        if (found == NULL) {
            return status_error(STATUS_INVALID_ARGUMENT, "unknown width \"%s\" (/b, /w, /d)", argv[1]);
        }
        *width = widths[found - letters];
        *first = 2;
    }
    return status_ok();
}

static struct status parse_port(struct monitor *monitor, const char *word, uint16_t *port)
{
    uint64_t value = 0;
    struct status status = monitor_evaluate(monitor, word, &value);
    if (status_is_ok(&status) && value > 0xFFFF) {
        status = status_error(STATUS_INVALID_ARGUMENT, "ports end at 0xffff");
    }
    *port = (uint16_t)value;
    return status;
}

struct status command_i(struct monitor_session *session, int argc, char **argv)
{
    struct monitor *monitor = session->monitor;
    unsigned width;
    int first;
    uint16_t port = 0;
    struct status status = parse_port_width(argv, argc, &width, &first);
    if (status_is_ok(&status) && argc != first + 1) {
        status = monitor_usage(argv[0]);
    }
    if (status_is_ok(&status)) {
        status = parse_port(monitor, argv[first], &port);
    }
    if (status_is_ok(&status)) {
        monitor_note_change(session);
        uint32_t value = port_bus_read(machine_ports(monitor->machine), port, width);
        fprintf(session->out, "port 0x%04x: 0x%0*x\n", port, (int)(2 * width), value);
    }
    return status;
}

struct status command_o(struct monitor_session *session, int argc, char **argv)
{
    struct monitor *monitor = session->monitor;
    unsigned width;
    int first;
    uint16_t port = 0;
    uint64_t value = 0;
    struct status status = parse_port_width(argv, argc, &width, &first);
    if (status_is_ok(&status) && argc != first + 2) {
        status = monitor_usage(argv[0]);
    }
    if (status_is_ok(&status)) {
        status = parse_port(monitor, argv[first], &port);
    }
    if (status_is_ok(&status)) {
        status = monitor_evaluate(monitor, argv[first + 1], &value);
    }
    if (status_is_ok(&status)) {
        monitor_note_change(session);
        port_bus_write(machine_ports(monitor->machine), port, width,
                       (uint32_t)(value & bits_mask(width * 8)));
    }
    return status;
}

struct status command_log(struct monitor_session *session, int argc, char **argv)
{
    struct log *log = machine_log(session->monitor->machine);
    if (argc != 2) {
        return monitor_usage(argv[0]);
    }
    if (strcmp(argv[1], "none") == 0) {
        log->enabled = 0;
        return status_ok();
    }
    if (strcmp(argv[1], "help") == 0) {
        for (enum log_category category = 0; category < LOG_CATEGORY_COUNT; category++) {
            fprintf(session->out, "%-14s%s\n", log_category_name(category), log_category_text(category));
        }
        return status_ok();
    }
    struct log chosen = {.sink = log->sink};
    struct status status = log_enable_list(&chosen, argv[1]);
    if (status_is_ok(&status)) {
        log->enabled = chosen.enabled;
    }
    return status;
}
