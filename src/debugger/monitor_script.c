/* Commands that take virtual time: waits, typing, holding keys, running a number of instructions.
 *
 * Each sets up session->operation; its poll function is called between slices of the machine and looks at
 * what has happened since. Typing is paced by machine_input_ready(), so that no key is lost to a guest that
 * is busy, and by KEY_HOLD_NS and KEY_GAP_NS, as no BIOS expects a typist faster than that. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bus/event_clock.h"
#include "debugger/monitor_internal.h"

#define SCREEN_POLL_NS  (10 * NS_PER_MILLISECOND)
#define KEY_HOLD_NS     (20 * NS_PER_MILLISECOND)
#define KEY_GAP_NS      (20 * NS_PER_MILLISECOND)
#define KEY_PATIENCE_NS (60 * NS_PER_SECOND) /* a guest that reads no key for so long never will */
#define SENDKEY_HOLD_MS 100

#define SERIAL_WINDOW 65536u /* bytes looked through at once; texts are shorter than MONITOR_LINE_MAX */

struct status monitor_parse_seconds(const char *word, uint64_t *ns)
{
    char *end = NULL;
    double seconds = strtod(word, &end);
    if (!isdigit((unsigned char)word[0]) || *end != '\0' || !(seconds >= 0 && seconds <= 1e6)) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a number of seconds", word);
    }
    *ns = (uint64_t)(seconds * (double)NS_PER_SECOND);
    return status_ok();
}

/* Starts session->operation with the time limit in argv[word], if it is there. */
static struct status begin_operation(struct monitor_session *session, int argc, char **argv, int word,
                                     enum operation_result (*poll)(struct monitor_session *, uint64_t))
{
    uint64_t ns = MONITOR_WAIT_SECONDS * NS_PER_SECOND;
    if (argc > word) {
        struct status status = monitor_parse_seconds(argv[word], &ns);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    uint64_t now = machine_now(session->monitor->machine);
    session->operation =
        (struct operation){.poll = poll, .deadline = now + ns, .seconds = (double)ns / (double)NS_PER_SECOND};
    return status_ok();
}

static struct status need_words(int argc, int least, int most)
{
    if (argc - 1 < least) {
        return status_error(STATUS_INVALID_ARGUMENT, "an argument is missing");
    }
    return argc - 1 > most
               ? status_error(STATUS_INVALID_ARGUMENT, "too many arguments (text with blanks goes in quotes)")
               : status_ok();
}

/* ---- waits */

static enum operation_result wait_failed(struct monitor_session *session, const char *what)
{
    const struct operation *operation = &session->operation;
    fflush(session->out);
    monitor_print_screen(session->monitor, session->errors);
    session->failure =
        status_error(STATUS_NOT_FOUND, "%s: \"%.100s\" did not appear within %g s of guest time", what,
                     operation->text, operation->seconds);
    return OPERATION_FAILED;
}

static enum operation_result poll_wait_screen(struct monitor_session *session, uint64_t now)
{
    struct operation *operation = &session->operation;
    if (now < operation->next) {
        return OPERATION_PENDING;
    }
    operation->next = now + SCREEN_POLL_NS;
    char *screen = monitor_screen_rows(session->monitor);
    bool found = screen != NULL && strstr(screen, operation->text) != NULL;
    free(screen);
    if (found) {
        return OPERATION_DONE;
    }
    return now < operation->deadline ? OPERATION_PENDING : wait_failed(session, "wait-screen");
}

struct status command_wait_screen(struct monitor_session *session, int argc, char **argv)
{
    struct status status = need_words(argc, 1, 2);
    if (status_is_ok(&status)) {
        status = begin_operation(session, argc, argv, 2, poll_wait_screen);
    }
    if (status_is_ok(&status)) {
        strcpy(session->operation.text, argv[1]);
    }
    return status;
}

/* Looks for the text in what `port` has sent and consumes it up to the end of the match; without a match, all
 * but a tail that a match may begin in. */
static bool search_serial(struct monitor_session *session, unsigned port)
{
    struct monitor *monitor = session->monitor;
    const char *text = session->operation.text;
    size_t text_length = strlen(text);
    uint8_t *bytes = malloc(SERIAL_WINDOW);
    bool found = false;
    while (bytes != NULL && !found) {
        uint64_t from = monitor->serial_seen[port];
        size_t length = machine_serial_output(monitor->machine, port, &from, bytes, SERIAL_WINDOW);
        const uint8_t *match = memmem(bytes, length, text, text_length);
        found = match != NULL;
        size_t tail = text_length > 0 ? text_length - 1 : 0;
        size_t consumed = found ? (size_t)(match - bytes) + text_length : length > tail ? length - tail : 0;
        monitor->serial_seen[port] = from + consumed;
        if (length < SERIAL_WINDOW) {
            break;
        }
    }
    free(bytes);
    return found;
}

static enum operation_result poll_wait_serial(struct monitor_session *session, uint64_t now)
{
    for (unsigned port = 0; port < MACHINE_SERIALS; port++) {
        if (search_serial(session, port)) {
            return OPERATION_DONE;
        }
    }
    return now < session->operation.deadline ? OPERATION_PENDING : wait_failed(session, "wait-serial");
}

struct status command_wait_serial(struct monitor_session *session, int argc, char **argv)
{
    struct status status = need_words(argc, 1, 2);
    if (status_is_ok(&status)) {
        status = begin_operation(session, argc, argv, 2, poll_wait_serial);
    }
    if (status_is_ok(&status)) {
        strcpy(session->operation.text, argv[1]);
    }
    return status;
}

static enum operation_result poll_wait_power_off(struct monitor_session *session, uint64_t now)
{
    if (now < session->operation.deadline) {
        return OPERATION_PENDING;
    }
    monitor_print_screen(session->monitor, session->errors);
    session->failure =
        status_error(STATUS_NOT_FOUND, "wait-power-off: the machine is still on after %g s of guest time",
                     session->operation.seconds);
    return OPERATION_FAILED;
}

struct status command_wait_power_off(struct monitor_session *session, int argc, char **argv)
{
    struct status status = need_words(argc, 0, 1);
    if (status_is_ok(&status)) {
        status = begin_operation(session, argc, argv, 1, poll_wait_power_off);
    }
    session->operation.content_with_power_off = true;
    return status;
}

static enum operation_result poll_sleep(struct monitor_session *session, uint64_t now)
{
    return now < session->operation.deadline ? OPERATION_PENDING : OPERATION_DONE;
}

struct status command_sleep(struct monitor_session *session, int argc, char **argv)
{
    struct status status = need_words(argc, 1, 1);
    return status_is_ok(&status) ? begin_operation(session, argc, argv, 1, poll_sleep) : status;
}

static enum operation_result poll_run(struct monitor_session *session, uint64_t now)
{
    struct machine *machine = session->monitor->machine;
    if (machine_cpu(machine)->retired >= session->operation.instruction) {
        machine_set_instruction_limit(machine, 0);
        machine_pause(machine);
        return OPERATION_DONE;
    }
    if (machine_is_paused(machine)) {
        machine_set_instruction_limit(machine, 0);
        session->failure = status_error(
            STATUS_IO_ERROR, "run-instructions: the machine was paused %llu instructions before the end",
            (unsigned long long)(session->operation.instruction - machine_cpu(machine)->retired));
        return OPERATION_FAILED;
    }
    if (now < session->operation.deadline) {
        return OPERATION_PENDING;
    }
    machine_set_instruction_limit(machine, 0);
    session->failure = status_error(
        STATUS_NOT_FOUND, "run-instructions: the CPU got only to instruction %llu within %g s of guest time",
        (unsigned long long)machine_cpu(machine)->retired, session->operation.seconds);
    return OPERATION_FAILED;
}

static void cancel_run(struct monitor_session *session)
{
    machine_set_instruction_limit(session->monitor->machine, 0);
}

struct status command_run_instructions(struct monitor_session *session, int argc, char **argv)
{
    struct machine *machine = session->monitor->machine;
    uint64_t count = 0;
    struct status status = need_words(argc, 1, 2);
    if (status_is_ok(&status)) {
        status = monitor_parse_number(argv[1], "a number of instructions", &count);
    }
    if (status_is_ok(&status) && count == 0) {
        status = status_error(STATUS_INVALID_ARGUMENT, "at least 1 instruction can be run");
    }
    if (status_is_ok(&status)) {
        status = begin_operation(session, argc, argv, 2, poll_run);
    }
    if (status_is_ok(&status)) {
        session->operation.runs_while_paused = true; /* so that it sees who paused it */
        session->operation.cancel = cancel_run;
        session->operation.instruction = machine_cpu(machine)->retired + count;
        machine_set_instruction_limit(machine, session->operation.instruction);
        if (machine_is_paused(machine)) {
            debugger_continue(session->monitor->debugger);
        }
    }
    return status;
}

/* ---- keyboard */

static void set_keys(struct monitor_session *session, bool pressed)
{
    const struct input_sink *input = machine_input(session->monitor->machine);
    struct operation *operation = &session->operation;
    for (size_t i = 0; i < operation->key_count; i++) {
        size_t index = pressed ? i : operation->key_count - 1 - i;
        input->key(input->opaque, operation->keys[index], pressed);
    }
    operation->pressed = pressed;
}

/* Presses operation->keys, holds them and releases them. OPERATION_DONE after the release. */
static enum operation_result poll_keys(struct monitor_session *session, uint64_t now)
{
    struct operation *operation = &session->operation;
    if (now < operation->next) {
        return OPERATION_PENDING;
    }
    if (operation->pressed) {
        set_keys(session, false);
        operation->next = now + KEY_GAP_NS;
        operation->deadline = now + KEY_PATIENCE_NS;
        return OPERATION_DONE;
    }
    if (machine_input_ready(session->monitor->machine)) {
        set_keys(session, true);
        operation->next = now + operation->hold_ns;
        return OPERATION_PENDING;
    }
    if (now < operation->deadline) {
        return OPERATION_PENDING;
    }
    session->failure = status_error(STATUS_NOT_FOUND, "the guest has not read the keyboard for %llu s",
                                    (unsigned long long)(KEY_PATIENCE_NS / NS_PER_SECOND));
    return OPERATION_FAILED;
}

/* Looks up the key for the character at operation->position. */
static void aim_at_character(struct operation *operation)
{
    bool shift = false;
    enum key key = key_for_character(operation->text[operation->position], &shift);
    operation->keys[0] = shift ? KEY_SHIFT : key;
    operation->keys[1] = key;
    operation->key_count = shift ? 2 : 1;
}

static enum operation_result poll_type(struct monitor_session *session, uint64_t now)
{
    struct operation *operation = &session->operation;
    enum operation_result result = poll_keys(session, now);
    if (result == OPERATION_DONE && operation->text[operation->position + 1] != '\0') {
        operation->position++;
        aim_at_character(operation);
        return OPERATION_PENDING;
    }
    return result;
}

static struct status begin_keys(struct monitor_session *session, uint64_t hold_ns,
                                enum operation_result (*poll)(struct monitor_session *, uint64_t))
{
    if (session->waiting.poll != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "keys from before the pause are still to be typed (cont lets the machine go on)");
    }
    session->operation = (struct operation){
        .poll = poll,
        .waits_in_pause = true,
        .hold_ns = hold_ns,
        .deadline = machine_now(session->monitor->machine) + KEY_PATIENCE_NS,
    };
    return monitor_need_present(session->monitor);
}

struct status command_type(struct monitor_session *session, int argc, char **argv)
{
    struct status status = need_words(argc, 1, 1);
    if (!status_is_ok(&status) || argv[1][0] == '\0') {
        return status;
    }
    for (const char *c = argv[1]; *c != '\0'; c++) {
        bool shift;
        if (key_for_character(*c, &shift) == KEY_NONE) {
            return status_error(STATUS_INVALID_ARGUMENT, "no key of a US keyboard types the byte 0x%02x",
                                (uint8_t)*c);
        }
    }
    status = begin_keys(session, KEY_HOLD_NS, poll_type);
    if (status_is_ok(&status)) {
        strcpy(session->operation.text, argv[1]);
        aim_at_character(&session->operation);
    }
    return status;
}

/* Cuts "ctrl-alt-delete" into keys. */
static struct status parse_keys(char *word, enum key keys[MONITOR_KEYS], size_t *count)
{
    *count = 0;
    char *rest = word;
    for (char *name = strsep(&rest, "-"); name != NULL; name = strsep(&rest, "-")) {
        enum key key = key_from_name(name);
        if (key == KEY_NONE) {
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "unknown key \"%s\" (names are like a, 1, f1, ret, spc, esc, shift, ctrl, alt, up, kp_5)",
                name);
        }
        if (*count == MONITOR_KEYS) {
            return status_error(STATUS_INVALID_ARGUMENT, "more than %d keys at once", MONITOR_KEYS);
        }
        keys[(*count)++] = key;
    }
    return status_ok();
}

struct status command_sendkey(struct monitor_session *session, int argc, char **argv)
{
    enum key keys[MONITOR_KEYS];
    size_t count = 0;
    uint64_t hold_ms = SENDKEY_HOLD_MS;
    struct status status = need_words(argc, 1, 2);
    if (status_is_ok(&status)) {
        status = parse_keys(argv[1], keys, &count);
    }
    if (status_is_ok(&status) && argc > 2) {
        status = monitor_parse_number(argv[2], "a number of milliseconds", &hold_ms);
    }
    if (status_is_ok(&status) && hold_ms > 60000) {
        status = status_error(STATUS_INVALID_ARGUMENT, "keys are held for 60000 ms at most");
    }
    if (status_is_ok(&status)) {
        status = begin_keys(session, hold_ms * NS_PER_MILLISECOND, poll_keys);
    }
    if (status_is_ok(&status)) {
        memcpy(session->operation.keys, keys, sizeof keys);
        session->operation.key_count = count;
    }
    return status;
}

/* ---- mouse */

static enum operation_result poll_click(struct monitor_session *session, uint64_t now)
{
    if (now < session->operation.next) {
        return OPERATION_PENDING;
    }
    struct monitor *monitor = session->monitor;
    const struct input_sink *input = machine_input(monitor->machine);
    monitor->mouse_buttons &= ~session->operation.mouse_button;
    input->mouse(input->opaque, 0, 0, 0, monitor->mouse_buttons);
    return OPERATION_DONE;
}

static struct status parse_motion(const char *word, int *value)
{
    char *end = NULL;
    long number = strtol(word, &end, 10);
    if (*word == '\0' || *end != '\0' || number < -10000 || number > 10000) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a movement (-10000 to 10000)", word);
    }
    *value = (int)number;
    return status_ok();
}

static struct status press_button(struct monitor_session *session, const char *action, const char *name)
{
    static const char *const names[] = {"left", "right", "middle"};
    static const unsigned buttons[] = {MOUSE_BUTTON_LEFT, MOUSE_BUTTON_RIGHT, MOUSE_BUTTON_MIDDLE};
    struct monitor *monitor = session->monitor;
    const struct input_sink *input = machine_input(monitor->machine);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(name, names[i]) != 0) {
            continue;
        }
        bool release = strcmp(action, "release") == 0;
        monitor->mouse_buttons =
            release ? monitor->mouse_buttons & ~buttons[i] : monitor->mouse_buttons | buttons[i];
        input->mouse(input->opaque, 0, 0, 0, monitor->mouse_buttons);
        if (strcmp(action, "click") == 0) {
            uint64_t now = machine_now(monitor->machine);
            session->operation = (struct operation){.poll = poll_click,
                                                    .next = now + SENDKEY_HOLD_MS * NS_PER_MILLISECOND,
                                                    .mouse_button = buttons[i]};
        }
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown button \"%s\" (left, right, middle)", name);
}

struct status command_mouse(struct monitor_session *session, int argc, char **argv)
{
    struct monitor *monitor = session->monitor;
    const struct input_sink *input = machine_input(monitor->machine);
    int dx = 0, dy = 0;
    struct status present = monitor_need_present(monitor);
    if (!status_is_ok(&present)) {
        return present;
    }
    if (argc == 4 && strcmp(argv[1], "move") == 0) {
        struct status status = parse_motion(argv[2], &dx);
        if (status_is_ok(&status)) {
            status = parse_motion(argv[3], &dy);
        }
        if (status_is_ok(&status)) {
            input->mouse(input->opaque, dx, dy, 0, monitor->mouse_buttons);
        }
        return status;
    }
    if (argc == 3 && strcmp(argv[1], "wheel") == 0) {
        struct status status = parse_motion(argv[2], &dy);
        if (status_is_ok(&status)) {
            input->mouse(input->opaque, 0, 0, dy, monitor->mouse_buttons);
        }
        return status;
    }
    if (argc == 3 &&
        (strcmp(argv[1], "click") == 0 || strcmp(argv[1], "press") == 0 || strcmp(argv[1], "release") == 0)) {
        return press_button(session, argv[1], argv[2]);
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "expected move DX DY, wheel N, or click, press, release and a button");
}
