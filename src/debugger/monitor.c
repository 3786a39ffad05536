/* Sessions: from bytes to lines to words to commands, and what happens when one fails. See monitor.h. */
#include "debugger/monitor.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/monitor_internal.h"
#include "debugger/style.h"

const struct monitor_command monitor_commands[] = {
#define COMMAND(symbol, name, alias, arguments, help) {name, alias, arguments, help, command_##symbol},
#include "debugger/command.def"
#undef COMMAND
};
const size_t monitor_command_count = ARRAY_COUNT(monitor_commands);

static const char prompt[] = "(doppel) ";

struct monitor *monitor_create(struct machine *machine)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        return NULL;
    }
    monitor->machine = machine;
    monitor->symbols = symbols_create();
    monitor->displays = displays_create(machine);
    monitor->debugger = debugger_create(machine);
    if (monitor->symbols == NULL || monitor->displays == NULL || monitor->debugger == NULL) {
        monitor_destroy(monitor);
        return NULL;
    }
    return monitor;
}

void monitor_destroy(struct monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    while (monitor->sessions != NULL) {
        monitor_close(monitor->sessions);
    }
    display_frame_release(&monitor->frame);
    symbols_destroy(monitor->symbols);
    displays_destroy(monitor->displays);
    debugger_destroy(monitor->debugger);
    free(monitor);
}

static struct monitor_session *open_session(struct monitor *monitor, FILE *out, FILE *errors)
{
    struct monitor_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->monitor = monitor;
    session->out = out;
    session->errors = errors;
    struct monitor_session **tail = &monitor->sessions;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = session;
    return session;
}

struct monitor_session *monitor_open_console(struct monitor *monitor, FILE *out)
{
    return open_session(monitor, out, out);
}

struct monitor_session *monitor_open_terminal(struct monitor *monitor, FILE *in, FILE *out)
{
    struct monitor_session *session = open_session(monitor, out, out);
    if (session != NULL) {
        session->editor = line_editor_open(monitor, in, out, prompt);
    }
    return session;
}

static struct status feed_file(struct monitor_session *session, FILE *file, const char *path)
{
    char bytes[4096];
    size_t length;
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0) {
        monitor_feed(session, bytes, length);
    }
    if (ferror(file)) {
        return status_from_errno(errno, "cannot read the script %s", path);
    }
    monitor_feed_end(session);
    return status_ok();
}

struct status monitor_open_script(struct monitor *monitor, const char *path, FILE *out, FILE *errors,
                                  struct monitor_session **session)
{
    *session = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return status_from_errno(errno, "cannot read the script %s", path);
    }
    struct monitor_session *opened = open_session(monitor, out, errors);
    struct status status = status_error(STATUS_NO_MEMORY, "out of memory");
    if (opened != NULL) {
        opened->script = strdup(path);
        status = feed_file(opened, file, path);
        if (status_is_ok(&status)) {
            *session = opened;
        } else {
            monitor_close(opened);
        }
    }
    fclose(file);
    return status;
}

void monitor_close(struct monitor_session *session)
{
    if (session->operation.poll != NULL && session->operation.cancel != NULL) {
        session->operation.cancel(session);
    }
    struct monitor_session **link = &session->monitor->sessions;
    while (*link != session) {
        link = &(*link)->next;
    }
    *link = session->next;
    line_editor_close(session->editor);
    free(session->script);
    free(session->input);
    free(session);
}

/* Makes room for `length` more bytes of input; false: out of memory. */
static bool make_room(struct monitor_session *session, size_t length)
{
    if (session->input_length + length > session->input_capacity) {
        size_t capacity = 2 * (session->input_length + length);
        char *input = realloc(session->input, capacity);
        if (input == NULL) {
            return false;
        }
        session->input = input;
        session->input_capacity = capacity;
    }
    return true;
}

/* Appends to what take_line() takes from. */
static void append_input(struct monitor_session *session, const char *bytes, size_t length)
{
    if (length > 0 && make_room(session, length)) {
        memcpy(session->input + session->input_length, bytes, length);
        session->input_length += length;
    }
}

void monitor_feed(struct monitor_session *session, const char *bytes, size_t length)
{
    if (session->editor != NULL) {
        line_editor_feed(session->editor, bytes, length);
    } else {
        append_input(session, bytes, length);
    }
}

void monitor_insert(struct monitor_session *session, const char *lines)
{
    size_t length = strlen(lines);
    if (make_room(session, length + 1)) {
        memmove(session->input + length + 1, session->input, session->input_length);
        memcpy(session->input, lines, length);
        session->input[length] = '\n';
        session->input_length += length + 1;
    }
}

void monitor_feed_end(struct monitor_session *session)
{
    session->input_ended = true;
}

bool monitor_session_is_over(const struct monitor_session *session)
{
    return session->over;
}

/* ---- words */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads what follows a backslash at *from and moves *from past it. A backslash that begins no escape stands
 * for itself: a DOS prompt can be written as people see it, "A:\>". */
static struct status read_escape(const char **from, char *to)
{
    static const char names[] = "nrtbe\\\"'", values[] = "\n\r\t\b\033\\\"'";
    char c = **from;
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    if (found != NULL) {
        *to = values[found - names];
        *from += 1;
        return status_ok();
    }
    int high = c == 'x' ? hex_digit((*from)[1]) : -1;
    int low = high >= 0 ? hex_digit((*from)[2]) : -1;
    if (low < 0) {
        *to = '\\';
        return status_ok();
    }
    *from += 3;
    *to = (char)(high * 16 + low);
    if (*to == '\0') {
        return status_error(STATUS_INVALID_ARGUMENT, "\\x00 cannot stand in a word");
    }
    return status_ok();
}

/* Copies one word from *from to *to, both moving; `to` never overtakes `from`. */
static struct status read_word(const char **from, char **to)
{
    bool quoted = false;
    while (**from != '\0' && (quoted || !isspace((unsigned char)**from))) {
        char c = *(*from)++;
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && c == '\\') {
            struct status status = read_escape(from, &c);
            if (!status_is_ok(&status)) {
                return status;
            }
        }
        *(*to)++ = c;
    }
    return quoted ? status_error(STATUS_INVALID_ARGUMENT, "a quotation mark is missing") : status_ok();
}

/* '#' at the beginning of a word, but not that of "#PF". */
static bool begins_comment(const char *word)
{
    return word[0] == '#' && !(isupper((unsigned char)word[1]) && isupper((unsigned char)word[2]));
}

struct status monitor_split(char *line, int *argc, char *argv[MONITOR_WORDS], size_t starts[MONITOR_WORDS])
{
    *argc = 0;
    const char *from = line;
    char *to = line;
    for (;;) {
        while (isspace((unsigned char)*from)) {
            from++;
        }
        if (*from == '\0' || begins_comment(from)) {
            return status_ok();
        }
        if (*argc == MONITOR_WORDS) {
            return status_error(STATUS_INVALID_ARGUMENT, "more than %d words", MONITOR_WORDS);
        }
        char *word = to;
        if (starts != NULL) {
            starts[*argc] = (size_t)(from - line);
        }
        struct status status = read_word(&from, &to);
        if (!status_is_ok(&status)) {
            return status;
        }
        bool at_end = *from == '\0';
        if (!at_end) {
            from++;
        }
        *to++ = '\0';
        argv[(*argc)++] = word;
        if (at_end) {
            return status_ok();
        }
    }
}

const struct monitor_command *monitor_find_command(const char *name)
{
    for (size_t i = 0; i < monitor_command_count; i++) {
        const struct monitor_command *command = &monitor_commands[i];
        if (strcmp(name, command->name) == 0 ||
            (command->alias != NULL && strcmp(name, command->alias) == 0)) {
            return command;
        }
    }
    return NULL;
}

/* People write x/4xb without a blank: makes the format a word of its own. `name` takes the command's. */
static int split_format(struct monitor_session *session, int argc, char *argv[MONITOR_WORDS + 1],
                        char name[MONITOR_LINE_MAX])
{
    char *slash = strchr(argv[0], '/');
    if (slash == NULL) {
        return argc;
    }
    const size_t length = (size_t)(slash - argv[0]);
    memcpy(name, argv[0], length);
    name[length] = '\0';
    memmove(argv + 2, argv + 1, (size_t)(argc - 1) * sizeof argv[0]);
    memmove(session->starts + 2, session->starts + 1, (size_t)(argc - 1) * sizeof session->starts[0]);
    session->starts[1] = session->starts[0] + length;
    argv[0] = name;
    argv[1] = slash;
    return argc + 1;
}

/* Where the comment begins that a line may end with, or its end, without the blanks before. */
static size_t length_without_comment(const char *line)
{
    bool quoted = false, in_word = false;
    size_t at = 0;
    for (; line[at] != '\0' && (quoted || in_word || !begins_comment(line + at)); at++) {
        if (line[at] == '"') {
            quoted = !quoted;
        } else if (quoted && line[at] == '\\' && line[at + 1] != '\0') {
            at++;
        }
        in_word = quoted || !isspace((unsigned char)line[at]);
    }
    while (at > 0 && isspace((unsigned char)line[at - 1])) {
        at--;
    }
    return at;
}

const char *monitor_rest(const struct monitor_session *session, int word)
{
    return word < session->words ? session->raw + session->starts[word] : "";
}

struct expression_scope monitor_scope(const struct monitor *monitor)
{
    return (struct expression_scope){.symbols = monitor->symbols};
}

struct status monitor_evaluate(struct monitor *monitor, const char *expression, uint64_t *value)
{
    const struct expression_scope scope = monitor_scope(monitor);
    return expression_compute(expression, &scope, monitor->machine, value);
}

static struct status run_line(struct monitor_session *session, char *line)
{
    char *argv[MONITOR_WORDS + 1];
    char name[MONITOR_LINE_MAX];
    int argc = 0;
    const size_t length = length_without_comment(line);
    memcpy(session->raw, line, length);
    session->raw[length] = '\0';
    struct status status = monitor_split(line, &argc, argv, session->starts);
    if (!status_is_ok(&status) || argc == 0) {
        return status;
    }
    argc = split_format(session, argc, argv, name);
    session->words = argc;
    const struct monitor_command *command = monitor_find_command(argv[0]);
    if (command == NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "unknown command \"%s\" (help lists the commands)",
                            argv[0]);
    }
    status = command->run(session, argc, argv);
    if (!status_is_ok(&status)) {
        struct status named = status;
        snprintf(named.message, sizeof named.message, "%s: %.*s", command->name,
                 (int)(sizeof named.message - strlen(command->name) - 3), status.message);
        return named;
    }
    return status;
}

/* ---- progress */

static void fail(struct monitor_session *session, const struct status *status)
{
    struct monitor *monitor = session->monitor;
    if (session->script == NULL) {
        fprintf(session->errors, "%s%s%s\n", style_of(session->errors, STYLE_ERROR), status->message,
                style_of(session->errors, STYLE_PLAIN));
        return;
    }
    fflush(session->out);
    fprintf(session->errors, "doppel: %s:%u: %s\n", session->script, session->line, status->message);
    session->over = true;
    monitor->quit = true;
    monitor->quit_status = status->code == STATUS_INVALID_ARGUMENT ? MONITOR_EXIT_USAGE : MONITOR_EXIT_FAILED;
}

/* Takes the next complete line out of the input. False when there is none yet. */
static bool take_line(struct monitor_session *session, char line[MONITOR_LINE_MAX], struct status *status)
{
    const char *end = session->input_length == 0 ? NULL : memchr(session->input, '\n', session->input_length);
    if (end == NULL && !(session->input_ended && session->input_length > 0)) {
        return false;
    }
    size_t length = end != NULL ? (size_t)(end - session->input) : session->input_length;
    *status = status_ok();
    if (length >= MONITOR_LINE_MAX) {
        *status =
            status_error(STATUS_INVALID_ARGUMENT, "a line is longer than %d bytes", MONITOR_LINE_MAX - 1);
    } else if (length > 0 && memchr(session->input, '\0', length) != NULL) {
        *status = status_error(STATUS_INVALID_ARGUMENT, "not a text line: it holds a zero byte");
    } else {
        memcpy(line, session->input, length);
        line[length] = '\0';
    }
    size_t consumed = end != NULL ? length + 1 : length;
    session->input_length -= consumed;
    memmove(session->input, session->input + consumed, session->input_length);
    session->line++;
    return true;
}

/* What makes an operation hopeless, whatever it is. */
static bool operation_is_stuck(const struct monitor_session *session, struct status *why)
{
    const struct monitor *monitor = session->monitor;
    if (monitor->power_off != NULL) {
        *why = status_error(STATUS_IO_ERROR, "the machine is off: %s", monitor->power_off);
        return true;
    }
    if (!session->operation.runs_while_paused && machine_is_paused(monitor->machine)) {
        *why = status_error(STATUS_IO_ERROR, "the machine is paused (cont lets it go on)");
        return true;
    }
    return false;
}

/* Carries on what waited for the machine to go on. */
static void poll_waiting(struct monitor_session *session)
{
    struct machine *machine = session->monitor->machine;
    if (session->waiting.poll == NULL || machine_is_paused(machine) || session->monitor->power_off != NULL) {
        return;
    }
    const struct operation present = session->operation;
    session->operation = session->waiting;
    enum operation_result result = session->operation.poll(session, machine_now(machine));
    session->waiting = session->operation;
    session->operation = present;
    if (result != OPERATION_PENDING) {
        session->waiting.poll = NULL;
    }
    if (result == OPERATION_FAILED) {
        fail(session, &session->failure);
    }
}

/* True when the session may go on with its next line. */
static bool poll_operation(struct monitor_session *session)
{
    struct operation *operation = &session->operation;
    if (operation->poll == NULL) {
        return true;
    }
    enum operation_result result = operation->poll(session, machine_now(session->monitor->machine));
    if (result == OPERATION_PENDING && session->monitor->power_off != NULL &&
        operation->content_with_power_off) {
        result = OPERATION_DONE;
    } else if (result == OPERATION_PENDING && operation->waits_in_pause &&
               machine_is_paused(session->monitor->machine)) {
        session->waiting = *operation;
        result = OPERATION_DONE;
    } else if (result == OPERATION_PENDING && operation_is_stuck(session, &session->failure)) {
        result = OPERATION_FAILED;
    }
    if (result == OPERATION_PENDING) {
        return false;
    }
    operation->poll = NULL;
    if (result == OPERATION_FAILED) {
        fail(session, &session->failure);
    }
    return true;
}

/* Nothing is left to do: the prompt, and what the line editor makes of it. True: there is more input now, or
 * its end. */
static bool ask_for_line(struct monitor_session *session)
{
    const char *line;
    if (session->editor == NULL) {
        if (session->script == NULL && !session->prompted) {
            fputs(prompt, session->out);
            session->prompted = true;
        }
        return false;
    }
    switch (line_editor_edit(session->editor, &line)) {
    case LINE_EDITOR_LINE:
        append_input(session, line, strlen(line));
        append_input(session, "\n", 1);
        return true;
    case LINE_EDITOR_END: session->input_ended = true; return true;
    default: return false;
    }
}

void monitor_interrupt_prompt(struct monitor_session *session)
{
    if (session->editor != NULL) {
        line_editor_step_aside(session->editor);
    } else if (session->prompted) {
        fputc('\n', session->out);
        session->prompted = false;
    }
}

static void poll_session(struct monitor_session *session)
{
    char line[MONITOR_LINE_MAX];
    struct status status;
    poll_waiting(session);
    while (!session->over && !session->monitor->quit && poll_operation(session)) {
        if (session->over || session->monitor->quit) {
            break;
        }
        if (!take_line(session, line, &status)) {
            session->over = session->input_ended;
            if (session->over || !ask_for_line(session)) {
                break;
            }
            continue;
        }
        session->prompted = false;
        if (status_is_ok(&status)) {
            status = run_line(session, line);
        }
        if (!status_is_ok(&status)) {
            session->operation.poll = NULL;
            fail(session, &status);
        }
    }
    fflush(session->out);
}

void monitor_poll(struct monitor *monitor)
{
    for (struct monitor_session *session = monitor->sessions; session != NULL; session = session->next) {
        poll_session(session);
    }
}

bool monitor_is_busy(const struct monitor *monitor)
{
    for (const struct monitor_session *session = monitor->sessions; session != NULL;
         session = session->next) {
        if (session->operation.poll != NULL || session->waiting.poll != NULL) {
            return true;
        }
    }
    return false;
}

bool monitor_wants_quit(const struct monitor *monitor, int *status)
{
    *status = monitor->quit_status;
    return monitor->quit;
}

struct debugger *monitor_debugger(struct monitor *monitor)
{
    return monitor->debugger;
}

void monitor_note_power_off(struct monitor *monitor, const char *reason)
{
    monitor->power_off = reason;
}
