/* Commands that say where the machine is to stop: breakpoints of every kind, and their list. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bits.h"
#include "cpu/cpu.h"
#include "debugger/debugger.h"
#include "debugger/monitor_internal.h"
#include "debugger/registers.h"

#define ACCESS_BOTH (ACCESS_READ | ACCESS_WRITE)
#define EXCEPTIONS  32 /* vectors that are exceptions', the reserved ones included */

/* ---- what a line says */

/* A place and what follows the word `if`. Cut out of a line, which holds both. */
struct place {
    char text[MONITOR_LINE_MAX];
    char *condition; /* NULL: none */
};

/* The line from word `word` on, cut at the word `if`. */
static void split_place(const struct monitor_session *session, int word, struct place *place)
{
    place->condition = NULL;
    snprintf(place->text, sizeof place->text, "%s", monitor_rest(session, word));
    for (char *at = place->text; (at = strstr(at, "if")) != NULL; at += 2) {
        bool begins = at == place->text || isspace((unsigned char)at[-1]);
        if (begins && isspace((unsigned char)at[2])) {
            *at = '\0';
            place->condition = at + 3;
            break;
        }
    }
    for (size_t end = strlen(place->text); end > 0 && isspace((unsigned char)place->text[end - 1]); end--) {
        place->text[end - 1] = '\0';
    }
}

/* Takes the last word off `text`, when it is not the only one. */
static char *take_last_word(char *text)
{
    char *blank = strrchr(text, ' ');
    if (blank == NULL) {
        return NULL;
    }
    *blank = '\0';
    return blank + 1;
}

static struct status add(struct monitor_session *session, const struct breakpoint_spec *spec)
{
    struct monitor *monitor = session->monitor;
    const struct expression_scope scope = monitor_scope(monitor);
    unsigned number = 0;
    struct status status = debugger_add(monitor->debugger, spec, &scope, &number);
    if (status_is_ok(&status)) {
        breakpoint_print(monitor, debugger_find(monitor->debugger, number), session->out);
    }
    return status;
}

static struct status parse_address(struct monitor *monitor, const char *text, uint32_t *address)
{
    uint64_t value = 0;
    struct status status = monitor_evaluate(monitor, text, &value);
    if (status_is_ok(&status) && value > UINT32_MAX) {
        status = status_error(STATUS_INVALID_ARGUMENT, "0x%llx is no address: they have 32 bits",
                              (unsigned long long)value);
    }
    *address = (uint32_t)value;
    return status;
}

/* ---- code */

static struct status add_code(struct monitor_session *session, int argc, char **argv, bool temporary)
{
    bool physical = argc > 1 && strcmp(argv[1], "/p") == 0;
    struct place place;
    split_place(session, physical ? 2 : 1, &place);
    struct breakpoint_spec spec = {.kind = physical ? BREAKPOINT_PHYSICAL : BREAKPOINT_CODE,
                                   .condition = place.condition,
                                   .temporary = temporary};
    struct status status =
        parse_address(session->monitor, place.text[0] != '\0' ? place.text : "cs.base + eip", &spec.first);
    spec.last = spec.first;
    return status_is_ok(&status) ? add(session, &spec) : status;
}

struct status command_break(struct monitor_session *session, int argc, char **argv)
{
    return add_code(session, argc, argv, false);
}

struct status command_tbreak(struct monitor_session *session, int argc, char **argv)
{
    return add_code(session, argc, argv, true);
}

/* ---- data and ports */

/* The word "/bp" in front, or parts of it: the size of what is watched, and p for a physical address. */
static struct status parse_watch_options(const char *command, const char *word, enum breakpoint_kind *kind,
                                         uint64_t *length)
{
    static const char sizes[] = "bwdq";
    for (const char *at = word + 1; *at != '\0'; at++) {
        const char *size = strchr(sizes, *at);
        if (size != NULL) {
            *length = (uint64_t)1 << (size - sizes);
        } else if (*at == 'p') {
            *kind = BREAKPOINT_MEMORY;
        } else {
            return monitor_usage(command);
        }
    }
    return status_ok();
}

/* The length is four bytes unless options say otherwise, or a number behind a comma. */
static struct status add_watch(struct monitor_session *session, int argc, char **argv, unsigned access)
{
    enum breakpoint_kind kind = BREAKPOINT_DATA;
    int word = 1;
    uint64_t length = 4;
    if (argc > 1 && argv[1][0] == '/') {
        struct status parsed = parse_watch_options(argv[0], argv[1], &kind, &length);
        if (!status_is_ok(&parsed)) {
            return parsed;
        }
        word = 2;
    }
    struct place place;
    split_place(session, word, &place);
    if (place.text[0] == '\0') {
        return monitor_usage(argv[0]);
    }
    char *comma = strrchr(place.text, ',');
    struct status status = status_ok();
    if (comma != NULL) {
        *comma = '\0';
        status = monitor_evaluate(session->monitor, comma + 1, &length);
    }
    struct breakpoint_spec spec = {.kind = kind, .access = access, .condition = place.condition};
    if (status_is_ok(&status)) {
        status = parse_address(session->monitor, place.text, &spec.first);
    }
    if (status_is_ok(&status) && (length == 0 || length - 1 > UINT32_MAX - spec.first)) {
        status = status_error(STATUS_INVALID_ARGUMENT, "a watchpoint can have 1 to %u bytes",
                              BREAKPOINT_DATA_BYTES);
    }
    spec.last = spec.first + (uint32_t)length - 1;
    return status_is_ok(&status) ? add(session, &spec) : status;
}

struct status command_watch(struct monitor_session *session, int argc, char **argv)
{
    return add_watch(session, argc, argv, ACCESS_CHANGE);
}

struct status command_wwatch(struct monitor_session *session, int argc, char **argv)
{
    return add_watch(session, argc, argv, ACCESS_WRITE);
}

struct status command_rwatch(struct monitor_session *session, int argc, char **argv)
{
    return add_watch(session, argc, argv, ACCESS_READ);
}

struct status command_awatch(struct monitor_session *session, int argc, char **argv)
{
    return add_watch(session, argc, argv, ACCESS_BOTH);
}

struct status command_iobreak(struct monitor_session *session, int argc, char **argv)
{
    if (argc < 2) {
        return monitor_usage(argv[0]);
    }
    struct place place;
    split_place(session, 1, &place);
    struct breakpoint_spec spec = {
        .kind = BREAKPOINT_PORT, .access = ACCESS_BOTH, .condition = place.condition};
    char *last_word = take_last_word(place.text);
    if (last_word != NULL) {
        bool reads = strcmp(last_word, "r") == 0;
        if (!reads && strcmp(last_word, "w") != 0) {
            return monitor_usage(argv[0]);
        }
        spec.access = reads ? ACCESS_READ : ACCESS_WRITE;
    }
    char *dash = strchr(place.text, '-');
    if (dash != NULL) {
        *dash = '\0';
    }
    uint64_t first = 0;
    uint64_t last = 0;
    struct status status = monitor_parse_number(place.text, "a port", &first);
    last = first;
    if (status_is_ok(&status) && dash != NULL) {
        status = monitor_parse_number(dash + 1, "a port", &last);
    }
    if (status_is_ok(&status) && (first > UINT16_MAX || last > UINT16_MAX)) {
        status = status_error(STATUS_INVALID_ARGUMENT, "ports go up to 0xffff");
    }
    spec.first = (uint32_t)first;
    spec.last = (uint32_t)last;
    return status_is_ok(&status) ? add(session, &spec) : status;
}

/* ---- events */

static const char *const mode_names[] = {
    [CPU_MODE_REAL] = "real", [CPU_MODE_V86] = "v86", [CPU_MODE_PROTECTED] = "protected"};

/* "#PF", "PF" or a number; "any" or nothing: all. Exceptions have the first 32. */
static struct status parse_vectors(const char *word, struct breakpoint_spec *spec)
{
    const unsigned last = spec->event == CPU_EVENT_EXCEPTION ? EXCEPTIONS - 1 : UINT8_MAX;
    uint64_t number = 0;
    spec->first = 0;
    spec->last = UINT8_MAX;
    if (word == NULL || strcmp(word, "any") == 0) {
        return status_ok();
    }
    for (unsigned vector = 0; vector < EXCEPTIONS; vector++) {
        const char *name = register_exception_name(vector);
        if (name != NULL &&
            (strcasecmp(word, name) == 0 || (name[0] == '#' && strcasecmp(word, name + 1) == 0))) {
            spec->first = spec->last = vector;
            return status_ok();
        }
    }
    struct status status = monitor_parse_number(word, "a vector", &number);
    if (status_is_ok(&status) && number > last) {
        status = status_error(STATUS_INVALID_ARGUMENT, "vectors%s go up to 0x%x",
                              spec->event == CPU_EVENT_EXCEPTION ? " of exceptions" : "", last);
    }
    spec->first = spec->last = (uint32_t)number;
    return status;
}

static struct status parse_mode(const char *word, struct breakpoint_spec *spec)
{
    spec->first = 0;
    spec->last = ARRAY_COUNT(mode_names) - 1;
    if (word == NULL) {
        return status_ok();
    }
    for (unsigned mode = 0; mode < ARRAY_COUNT(mode_names); mode++) {
        if (strcmp(word, mode_names[mode]) == 0) {
            spec->first = spec->last = mode;
            return status_ok();
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is no mode: real, v86 or protected", word);
}

/* What `catch` knows. */
struct catchable {
    const char *name;
    enum cpu_event event;
};

static const struct catchable catchables[] = {
    {"int", CPU_EVENT_SOFTWARE},          {"irq", CPU_EVENT_INTERRUPT}, {"exception", CPU_EVENT_EXCEPTION},
    {"triple-fault", CPU_EVENT_SHUTDOWN}, {"mode", CPU_EVENT_MODE},
};

static struct status parse_event(const char *what, const char *which, struct breakpoint_spec *spec)
{
    bool is_control = strncmp(what, "cr", 2) == 0 && what[2] >= '0' && what[2] <= '4' && what[3] == '\0';
    if (is_control) {
        spec->event = CPU_EVENT_CONTROL;
        spec->first = spec->last = (uint32_t)(what[2] - '0');
        return status_ok();
    }
    for (size_t i = 0; i < ARRAY_COUNT(catchables); i++) {
        if (strcmp(what, catchables[i].name) == 0) {
            spec->event = catchables[i].event;
            return spec->event == CPU_EVENT_MODE ? parse_mode(which, spec) : parse_vectors(which, spec);
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "\"%s\" cannot be caught: int, irq, exception, mode, cr0, cr2, cr3, cr4, smc "
                        "or triple-fault",
                        what);
}

/* Adds "reg=value", which people write for "reg == value", to a condition. */
static struct status add_equation(char *condition, size_t size, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = strlen(condition);
    if (equals == NULL || equals == word) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is neither a number nor REGISTER=VALUE", word);
    }
    const char *value = equals[1] == '=' ? equals + 2 : equals + 1;
    snprintf(condition + length, size - length, "%s%.*s == (%s)", length > 0 ? " && " : "",
             (int)(equals - word), word, value);
    return status_ok();
}

/* smc [if CONDITION] */
static struct status catch_changed_code(struct monitor_session *session, int argc, char **argv)
{
    const bool has_condition = argc > 3 && strcmp(argv[2], "if") == 0;
    const struct breakpoint_spec spec = {.kind = BREAKPOINT_CHANGED_CODE,
                                         .condition = has_condition ? monitor_rest(session, 3) : NULL};
    return argc == 2 || has_condition ? add(session, &spec) : monitor_usage(argv[0]);
}

struct status command_catch(struct monitor_session *session, int argc, char **argv)
{
    struct breakpoint_spec spec = {.kind = BREAKPOINT_EVENT};
    char condition[MONITOR_LINE_MAX] = "";
    int word = 2;
    if (argc < 2) {
        return monitor_usage(argv[0]);
    }
    if (strcmp(argv[1], "smc") == 0) {
        return catch_changed_code(session, argc, argv);
    }
    bool has_which = argc > 2 && strchr(argv[2], '=') == NULL && strcmp(argv[2], "if") != 0;
    struct status status = parse_event(argv[1], has_which ? argv[2] : NULL, &spec);
    word += has_which;
    while (status_is_ok(&status) && word < argc && strcmp(argv[word], "if") != 0) {
        status = add_equation(condition, sizeof condition, argv[word++]);
    }
    if (word < argc) {
        size_t length = strlen(condition);
        snprintf(condition + length, sizeof condition - length, length > 0 ? " && (%s)" : "%s",
                 monitor_rest(session, word + 1));
    }
    spec.condition = condition[0] != '\0' ? condition : NULL;
    return status_is_ok(&status) ? add(session, &spec) : status;
}

/* ---- the list */

static void print_range(FILE *out, const struct breakpoint_spec *spec, int digits)
{
    fprintf(out, "0x%0*x", digits, (unsigned)spec->first);
    if (spec->last != spec->first) {
        fprintf(out, "-0x%0*x", digits, (unsigned)spec->last);
    }
}

static void print_event(FILE *out, const struct breakpoint_spec *spec)
{
    if (spec->event == CPU_EVENT_CONTROL) {
        fprintf(out, "catch cr%u", (unsigned)spec->first);
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(catchables); i++) {
        if (catchables[i].event == spec->event) {
            fprintf(out, "catch %s", catchables[i].name);
        }
    }
    if (spec->first != spec->last) {
        return;
    }
    const char *name = spec->event == CPU_EVENT_MODE        ? mode_names[spec->first]
                       : spec->event == CPU_EVENT_EXCEPTION ? register_exception_name(spec->first)
                                                            : NULL;
    if (name != NULL) {
        fprintf(out, " %s", name);
    } else {
        fprintf(out, " 0x%02x", (unsigned)spec->first);
    }
}

/* As a command line that would make it again. */
static void print_spec(FILE *out, const struct breakpoint_spec *spec)
{
    static const char *const watches[] = {[ACCESS_READ] = "rwatch",
                                          [ACCESS_WRITE] = "wwatch",
                                          [ACCESS_BOTH] = "awatch",
                                          [ACCESS_CHANGE] = "watch"};
    switch (spec->kind) {
    case BREAKPOINT_CODE:
    case BREAKPOINT_PHYSICAL:
        fprintf(out, "%s %s", spec->temporary ? "tbreak" : "break",
                spec->kind == BREAKPOINT_PHYSICAL ? "/p " : "");
        print_range(out, spec, 8);
        break;
    case BREAKPOINT_DATA:
    case BREAKPOINT_MEMORY:
        fprintf(out, "%s %s0x%08x, %u", watches[spec->access], spec->kind == BREAKPOINT_MEMORY ? "/p " : "",
                (unsigned)spec->first, (unsigned)(spec->last - spec->first) + 1);
        break;
    case BREAKPOINT_CHANGED_CODE: fputs("catch smc", out); break;
    case BREAKPOINT_PORT:
        fputs("iobreak ", out);
        print_range(out, spec, 4);
        fputs(spec->access == ACCESS_READ ? " r" : spec->access == ACCESS_WRITE ? " w" : "", out);
        break;
    case BREAKPOINT_EVENT: print_event(out, spec); break;
    }
    if (spec->condition != NULL) {
        fprintf(out, " if %s", spec->condition);
    }
}

void breakpoint_print(struct monitor *monitor, const struct breakpoint *breakpoint, FILE *out)
{
    const struct breakpoint_spec *spec = &breakpoint->spec;
    fprintf(out, "%-3u %s ", breakpoint->number, breakpoint->enabled ? " " : "-");
    print_spec(out, spec);
    char name[128];
    bool has_name = spec->kind == BREAKPOINT_CODE || spec->kind == BREAKPOINT_DATA;
    if (has_name && symbols_describe(monitor->symbols, spec->first, name, sizeof name)[0] != '\0') {
        fprintf(out, " <%s>", name);
    }
    if (breakpoint->hits > 0) {
        fprintf(out, "  (%llu hit%s)", (unsigned long long)breakpoint->hits,
                breakpoint->hits == 1 ? "" : "s");
    }
    if (breakpoint->ignore > 0) {
        fprintf(out, "  (the next %llu pass by)", (unsigned long long)breakpoint->ignore);
    }
    fputc('\n', out);
    if (breakpoint->commands != NULL) {
        fputs("      ", out);
        for (const char *at = breakpoint->commands; *at != '\0'; at++) {
            fputs(*at == '\n' ? "; " : (char[]){*at, '\0'}, out);
        }
        fputc('\n', out);
    }
}

struct status monitor_info_breakpoints(struct monitor *monitor, const char *argument, FILE *out)
{
    bool any = false;
    (void)argument;
    const struct breakpoint *breakpoint;
    for (size_t i = 0; (breakpoint = debugger_breakpoint(monitor->debugger, i)) != NULL; i++) {
        if (!breakpoint->spec.hidden) {
            breakpoint_print(monitor, breakpoint, out);
            any = true;
        }
    }
    if (!any) {
        fputs("no breakpoints\n", out);
    }
    return status_ok();
}

/* ---- changing the list */

/* The number of the newest one that is listed; 0: there is none. */
static unsigned newest_breakpoint(struct debugger *debugger)
{
    unsigned number = 0;
    const struct breakpoint *breakpoint;
    for (size_t i = 0; (breakpoint = debugger_breakpoint(debugger, i)) != NULL; i++) {
        number = breakpoint->spec.hidden ? number : breakpoint->number;
    }
    return number;
}

/* One that is listed: the others are not people's. "$" is the newest. */
static struct status parse_breakpoint(struct monitor_session *session, const char *word, unsigned *number)
{
    uint64_t value = newest_breakpoint(session->monitor->debugger);
    struct status status =
        strcmp(word, "$") == 0 ? status_ok() : monitor_parse_number(word, "a breakpoint", &value);
    *number = value > UINT32_MAX ? UINT32_MAX : (unsigned)value;
    const struct breakpoint *breakpoint = debugger_find(session->monitor->debugger, *number);
    if (status_is_ok(&status) && (breakpoint == NULL || breakpoint->spec.hidden)) {
        status = status_error(STATUS_INVALID_ARGUMENT,
                              "there is no breakpoint %u (info breakpoints lists them)", *number);
    }
    return status;
}

enum change { CHANGE_DELETE, CHANGE_ENABLE, CHANGE_DISABLE };

static void apply(struct debugger *debugger, unsigned number, enum change change)
{
    if (change == CHANGE_DELETE) {
        debugger_remove(debugger, number);
    } else {
        debugger_enable(debugger, number, change == CHANGE_ENABLE);
    }
}

/* To all of them that are not hidden. */
static void apply_to_all(struct debugger *debugger, enum change change)
{
    const struct breakpoint *breakpoint;
    for (size_t i = 0; (breakpoint = debugger_breakpoint(debugger, i)) != NULL;) {
        if (breakpoint->spec.hidden) {
            i++;
            continue;
        }
        apply(debugger, breakpoint->number, change);
        i += change != CHANGE_DELETE;
    }
}

static struct status change_breakpoints(struct monitor_session *session, int argc, char **argv,
                                        enum change change)
{
    if (argc == 1) {
        apply_to_all(session->monitor->debugger, change);
    }
    for (int i = 1; i < argc; i++) {
        unsigned number;
        struct status status = parse_breakpoint(session, argv[i], &number);
        if (!status_is_ok(&status)) {
            return status;
        }
        apply(session->monitor->debugger, number, change);
    }
    return status_ok();
}

struct status command_delete(struct monitor_session *session, int argc, char **argv)
{
    return change_breakpoints(session, argc, argv, CHANGE_DELETE);
}

struct status command_enable(struct monitor_session *session, int argc, char **argv)
{
    return change_breakpoints(session, argc, argv, CHANGE_ENABLE);
}

struct status command_disable(struct monitor_session *session, int argc, char **argv)
{
    return change_breakpoints(session, argc, argv, CHANGE_DISABLE);
}

struct status command_condition(struct monitor_session *session, int argc, char **argv)
{
    unsigned number = 0;
    if (argc < 2) {
        return monitor_usage(argv[0]);
    }
    struct status status = parse_breakpoint(session, argv[1], &number);
    const struct expression_scope scope = monitor_scope(session->monitor);
    const char *condition = monitor_rest(session, 2);
    return status_is_ok(&status) ? debugger_set_condition(session->monitor->debugger, number,
                                                          condition[0] != '\0' ? condition : NULL, &scope)
                                 : status;
}

/* The breakpoint that argv[1] names. */
static struct status find_breakpoint(struct monitor_session *session, int argc, char **argv,
                                     struct breakpoint **breakpoint)
{
    unsigned number = 0;
    if (argc < 3) {
        return monitor_usage(argv[0]);
    }
    struct status status = parse_breakpoint(session, argv[1], &number);
    *breakpoint = status_is_ok(&status) ? debugger_find(session->monitor->debugger, number) : NULL;
    return status;
}

struct status command_ignore(struct monitor_session *session, int argc, char **argv)
{
    struct breakpoint *breakpoint = NULL;
    struct status status = find_breakpoint(session, argc, argv, &breakpoint);
    return status_is_ok(&status) ? monitor_parse_number(argv[2], "a count", &breakpoint->ignore) : status;
}

/* Each word is a command line. */
struct status command_commands(struct monitor_session *session, int argc, char **argv)
{
    struct breakpoint *breakpoint = NULL;
    struct status status = find_breakpoint(session, argc, argv, &breakpoint);
    if (!status_is_ok(&status)) {
        return status;
    }
    char lines[MONITOR_LINE_MAX] = "";
    for (int i = 2; i < argc; i++) {
        size_t length = strlen(lines);
        snprintf(lines + length, sizeof lines - length, "%s%s", i > 2 ? "\n" : "", argv[i]);
    }
    char *copy = strdup(lines);
    if (copy == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    free(breakpoint->commands);
    breakpoint->commands = copy;
    return status;
}

/* ---- files */

/* As words of a command line. */
static void print_commands(FILE *out, const char *commands)
{
    fputs("commands $ \"", out);
    for (const char *at = commands; *at != '\0'; at++) {
        if (*at == '\n') {
            fputs("\" \"", out);
        } else {
            fprintf(out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
        }
    }
    fputs("\"\n", out);
}

/* Command lines that make it again, with what was said of it later. */
static void save(FILE *out, const struct breakpoint *breakpoint)
{
    print_spec(out, &breakpoint->spec);
    fputc('\n', out);
    if (!breakpoint->enabled) {
        fputs("disable $\n", out);
    }
    if (breakpoint->ignore > 0) {
        fprintf(out, "ignore $ %llu\n", (unsigned long long)breakpoint->ignore);
    }
    if (breakpoint->commands != NULL && breakpoint->commands[0] != '\0') {
        print_commands(out, breakpoint->commands);
    }
}

struct status command_save_breakpoints(struct monitor_session *session, int argc, char **argv)
{
    if (argc != 2) {
        return monitor_usage(argv[0]);
    }
    FILE *file = fopen(argv[1], "w");
    if (file == NULL) {
        return status_from_errno(errno, "cannot write %s", argv[1]);
    }
    const struct breakpoint *breakpoint;
    for (size_t i = 0; (breakpoint = debugger_breakpoint(session->monitor->debugger, i)) != NULL; i++) {
        if (!breakpoint->spec.hidden) {
            save(file, breakpoint);
        }
    }
    struct displays *displays = session->monitor->displays;
    for (size_t i = 0; i < displays_count(displays); i++) {
        fprintf(file, "display %s\n", displays_evaluate(displays, i).text);
    }
    bool failed = ferror(file) != 0;
    return fclose(file) != 0 || failed ? status_from_errno(errno, "cannot write %s", argv[1]) : status_ok();
}
