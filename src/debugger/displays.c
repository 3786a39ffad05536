/* See displays.h, and the commands that change the list. */
#include "debugger/displays.h"

#include <stdlib.h>
#include <string.h>

#include "debugger/monitor_internal.h"

struct display {
    unsigned number;
    char *text;
    struct expression *expression;
    /* At the last stop and the one before, and how many instructions had been executed at the last one. */
    uint64_t stopped, before, stopped_at;
    bool is_known;
};

struct displays {
    struct machine *machine;
    struct display list[DISPLAYS_MAX];
    size_t count;
    unsigned last_number;
};

struct displays *displays_create(struct machine *machine)
{
    struct displays *displays = calloc(1, sizeof *displays);
    if (displays != NULL) {
        displays->machine = machine;
    }
    return displays;
}

static void release(struct display *display)
{
    expression_destroy(display->expression);
    free(display->text);
}

void displays_destroy(struct displays *displays)
{
    for (size_t i = 0; displays != NULL && i < displays->count; i++) {
        release(&displays->list[i]);
    }
    free(displays);
}

struct status displays_add(struct displays *displays, const char *text, const struct expression_scope *scope,
                           unsigned *number)
{
    struct display display = {.number = displays->last_number + 1};
    if (displays->count == DISPLAYS_MAX) {
        return status_error(STATUS_NO_MEMORY, "there are %u already: undisplay one first", DISPLAYS_MAX);
    }
    struct status status = expression_parse(text, scope, &display.expression);
    if (!status_is_ok(&status)) {
        return status;
    }
    display.text = strdup(text);
    if (display.text == NULL) {
        expression_destroy(display.expression);
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    displays->list[displays->count++] = display;
    *number = ++displays->last_number;
    return status;
}

bool displays_remove(struct displays *displays, unsigned number)
{
    for (size_t i = 0; i < displays->count; i++) {
        if (displays->list[i].number == number) {
            release(&displays->list[i]);
            displays->count--;
            memmove(&displays->list[i], &displays->list[i + 1],
                    (displays->count - i) * sizeof displays->list[0]);
            return true;
        }
    }
    return false;
}

size_t displays_count(const struct displays *displays)
{
    return displays->count;
}

/* The machine stands: at another place than when this was last asked, or at the same. */
static void note_stop(struct display *display, uint64_t value, uint64_t retired)
{
    if (!display->is_known) {
        display->before = value;
    } else if (retired != display->stopped_at) {
        display->before = display->stopped;
    }
    display->stopped = value;
    display->stopped_at = retired;
    display->is_known = true;
}

struct display_value displays_evaluate(struct displays *displays, size_t n)
{
    struct display *display = &displays->list[n];
    struct display_value value = {.number = display->number, .text = display->text};
    value.status = expression_evaluate(display->expression, displays->machine, &value.value);
    if (machine_is_paused(displays->machine) && status_is_ok(&value.status)) {
        note_stop(display, value.value, machine_retired(displays->machine));
        value.is_changed = value.value != display->before;
    }
    return value;
}

void displays_describe(const struct display_value *value, char *to, size_t size)
{
    const char *mark = value->is_changed ? "*" : " ";
    if (status_is_ok(&value->status)) {
        snprintf(to, size, "%u:%s%s = 0x%llx (%lld)", value->number, mark, value->text,
                 (unsigned long long)value->value, (long long)value->value);
    } else {
        snprintf(to, size, "%u:%s%s: %s", value->number, mark, value->text, value->status.message);
    }
}

/* ---- commands */

static void print_one(struct displays *displays, size_t n, FILE *out)
{
    char text[MONITOR_LINE_MAX + 256];
    const struct display_value value = displays_evaluate(displays, n);
    displays_describe(&value, text, sizeof text);
    fprintf(out, "%s\n", text);
}

void monitor_print_displays(struct monitor *monitor, FILE *out)
{
    for (size_t i = 0; i < displays_count(monitor->displays); i++) {
        print_one(monitor->displays, i, out);
    }
}

struct status command_display(struct monitor_session *session, int argc, char **argv)
{
    struct displays *displays = session->monitor->displays;
    unsigned number;
    (void)argv;
    if (argc < 2) {
        monitor_print_displays(session->monitor, session->out);
        return status_ok();
    }
    const struct expression_scope scope = monitor_scope(session->monitor);
    struct status status = displays_add(displays, monitor_rest(session, 1), &scope, &number);
    if (status_is_ok(&status)) {
        print_one(displays, displays_count(displays) - 1, session->out);
    }
    return status;
}

struct status command_undisplay(struct monitor_session *session, int argc, char **argv)
{
    struct displays *displays = session->monitor->displays;
    while (argc == 1 && displays_count(displays) > 0) {
        displays_remove(displays, displays->list[0].number);
    }
    for (int i = 1; i < argc; i++) {
        uint64_t number = 0;
        struct status status = monitor_parse_number(argv[i], "an expression", &number);
        if (status_is_ok(&status) && (number > UINT32_MAX || !displays_remove(displays, (unsigned)number))) {
            status = status_error(STATUS_INVALID_ARGUMENT, "no expression %s is shown (display lists them)",
                                  argv[i]);
        }
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    return status_ok();
}
