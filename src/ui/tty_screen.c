/* The guest's screen in a terminal; see tty_screen.h. Bytes to keys is tty_keys.c, frames to bytes is
 * tty_painter.c; here is what has a descriptor or a clock. */
#include "ui/tty_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ui/png_file.h"
#include "ui/tty_guard.h"
#include "ui/tty_keys.h"
#include "ui/tty_output.h"
#include "ui/tty_painter.h"

#define NS_PER_MS 1000000ull

#define TEXT_INTERVAL_NS     (33 * NS_PER_MS)
#define GRAPHICS_INTERVAL_NS (100 * NS_PER_MS) /* a changed picture is some 10 KiB of sequences */
#define ESCAPE_WAIT_NS       (50 * NS_PER_MS)
#define MESSAGE_NS           (6000 * NS_PER_MS)
#define RESTORE_PATIENCE_MS  500

#define READ_SIZE         256
#define STROKES_MAX       1024
#define EVENTS_PER_STROKE 10 /* press and release of the key and four modifiers */

#define CHOICES "q quit  m monitor  s screenshot  d Ctrl+Alt+Del  ^] itself"

/* Alternate screen, no auto-wrap, bracketed paste, and back. */
static const char enter_sequence[] = "\x1b[?1049h\x1b[?7l\x1b[?2004h\x1b[0m\x1b[2J";
static const char leave_sequence[] = "\x1b[?2004l\x1b[?7h\x1b[0m\x1b[?25h\x1b[?1049l";

struct key_event {
    enum key key;
    bool pressed;
};

struct tty_screen {
    struct front_end front_end;
    struct front_end_host host;
    int fd;
    bool active; /* the terminal is ours now */
    bool gone;   /* it was closed under us */
    struct termios saved;
    struct tty_guard guard; /* while the terminal is ours */
    enum front_end_state state;
    unsigned columns, rows;

    struct tty_keys keys;
    uint64_t last_input_ns;
    struct tty_event strokes[STROKES_MAX]; /* waiting for the guest: a ring */
    unsigned first_stroke, stroke_count;
    struct key_event key_events[EVENTS_PER_STROKE]; /* of the stroke being delivered */
    unsigned next_key_event, key_event_count;

    struct display_frame frame;
    struct tty_painter *painter;
    struct tty_output output;
    uint64_t now_ns, next_draw_ns;
    bool drawn_once;
    char message[96]; /* in the status line until message_end_ns */
    uint64_t message_end_ns;
};

static struct tty_screen *screen_from(struct front_end *front_end)
{
    return (struct tty_screen *)front_end;
}

static void show_message(struct tty_screen *screen, const char *text)
{
    snprintf(screen->message, sizeof screen->message, "%s", text);
    screen->message_end_ns = screen->now_ns + MESSAGE_NS;
    screen->next_draw_ns = 0;
}

/* Output */

/* Writes what the terminal takes without waiting. */
static void drain_output(struct tty_screen *screen)
{
    while (screen->output.length > 0) {
        ssize_t written = write(screen->fd, screen->output.bytes, screen->output.length);
        if (written > 0) {
            tty_output_consume(&screen->output, (size_t)written);
        } else if (written < 0 && errno == EINTR) {
            continue;
        } else if (written < 0 && errno != EAGAIN) {
            screen->output.length = 0; /* the terminal is gone; reading tells the owner */
        } else {
            return;
        }
    }
}

static void drain_patiently(struct tty_screen *screen)
{
    drain_output(screen);
    while (screen->output.length > 0) {
        struct pollfd ready = {.fd = screen->fd, .events = POLLOUT};
        if (poll(&ready, 1, RESTORE_PATIENCE_MS) <= 0) {
            screen->output.length = 0;
        }
        drain_output(screen);
    }
}

static void follow_terminal_size(struct tty_screen *screen)
{
    struct winsize size;
    if (ioctl(screen->fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        size.ws_col = 80;
        size.ws_row = 24;
    }
    if ((size.ws_col != screen->columns || size.ws_row != screen->rows) &&
        tty_painter_resize(screen->painter, size.ws_col, size.ws_row)) {
        screen->columns = size.ws_col;
        screen->rows = size.ws_row;
        if (screen->host.resized) {
            screen->host.resized(screen->host.opaque, size.ws_col, size.ws_row > 1 ? size.ws_row - 1u : 1u);
        }
        tty_output_print(&screen->output, "\x1b[0m\x1b[2J");
        screen->next_draw_ns = 0;
    }
}

static void compose_status(const struct tty_screen *screen, char *to, size_t size)
{
    if (tty_keys_is_prefixed(&screen->keys)) {
        snprintf(to, size, "%s", CHOICES);
    } else if (screen->now_ns < screen->message_end_ns) {
        snprintf(to, size, "%s", screen->message);
    } else if (screen->host.status) {
        snprintf(to, size, "%s", screen->host.status(screen->host.opaque));
    } else {
        snprintf(to, size, "doppel%s  Ctrl+] h help", screen->state == FRONT_END_STOPPED ? " (stopped)" : "");
    }
}

static void draw(struct tty_screen *screen)
{
    const struct display_source *display = screen->host.display;
    display->render(display->opaque, &screen->frame, !screen->drawn_once);
    screen->drawn_once = true;
    if (screen->output.failed) {
        screen->output.failed = false;
        tty_painter_invalidate(screen->painter);
    }
    char status[128];
    compose_status(screen, status, sizeof status);
    tty_painter_draw(screen->painter, &screen->frame, status, &screen->output);
    screen->next_draw_ns =
        screen->now_ns + (screen->frame.text.active ? TEXT_INTERVAL_NS : GRAPHICS_INTERVAL_NS);
}

/* Input */

static void queue_stroke(struct tty_screen *screen, const struct tty_event *stroke)
{
    if (screen->stroke_count < STROKES_MAX) {
        screen->strokes[(screen->first_stroke + screen->stroke_count) % STROKES_MAX] = *stroke;
        screen->stroke_count++;
    }
}

static void save_screenshot(struct tty_screen *screen)
{
    char name[SCREENSHOT_NAME_MAX], message[sizeof screen->message];
    struct status status = png_file_write_screenshot(&screen->frame, name);
    if (status_is_ok(&status)) {
        snprintf(message, sizeof message, "saved %s", name);
    } else {
        snprintf(message, sizeof message, "%.90s", status.message);
    }
    show_message(screen, message);
}

static void run_command(struct tty_screen *screen, char command)
{
    const struct front_end_host *host = &screen->host;
    screen->next_draw_ns = 0; /* the choices disappear */
    switch (command) {
    case 'q': host->request(host->opaque, FRONT_END_QUIT); break;
    case 'm': host->request(host->opaque, FRONT_END_MONITOR); break;
    case 's': save_screenshot(screen); break;
    case 'd':
        queue_stroke(screen, &(struct tty_event){.kind = TTY_EVENT_STROKE,
                                                 .key = KEY_DELETE,
                                                 .modifiers = TTY_CTRL | TTY_ALT});
        break;
    default: show_message(screen, "Ctrl+] and then: " CHOICES); break;
    }
}

static void take_event(void *opaque, const struct tty_event *event)
{
    struct tty_screen *screen = opaque;
    if (event->kind == TTY_EVENT_COMMAND) {
        run_command(screen, event->command);
    } else {
        queue_stroke(screen, event);
    }
}

/* Whether a whole read, at most one stroke a byte, can be queued; otherwise the terminal keeps it: a long
 * paste waits. */
static bool has_room_for_input(const struct tty_screen *screen)
{
    return STROKES_MAX - screen->stroke_count >= READ_SIZE;
}

static void read_input(struct tty_screen *screen)
{
    struct tty_keys_sink sink = {.emit = take_event, .opaque = screen};
    while (screen->active && !screen->gone && has_room_for_input(screen)) {
        uint8_t bytes[READ_SIZE];
        ssize_t got = read(screen->fd, bytes, sizeof bytes);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            screen->gone = true;
            screen->host.request(screen->host.opaque, FRONT_END_QUIT);
            return;
        }
        bool was_prefixed = tty_keys_is_prefixed(&screen->keys);
        screen->last_input_ns = screen->now_ns;
        tty_keys_feed(&screen->keys, bytes, (size_t)got, &sink);
        if (tty_keys_is_prefixed(&screen->keys) != was_prefixed) {
            screen->next_draw_ns = 0;
        }
    }
    if (tty_keys_is_pending(&screen->keys) && screen->now_ns - screen->last_input_ns >= ESCAPE_WAIT_NS) {
        tty_keys_flush(&screen->keys, &sink);
    }
}

static void add_key_event(struct tty_screen *screen, enum key key, bool pressed)
{
    screen->key_events[screen->key_event_count++] = (struct key_event){.key = key, .pressed = pressed};
}

/* Turns a stroke into presses and releases, modifiers around the key. */
static void begin_stroke(struct tty_screen *screen, const struct tty_event *stroke)
{
    static const struct {
        unsigned modifier;
        enum key key;
    } modifiers[] = {
        {TTY_CTRL, KEY_CTRL}, {TTY_ALT, KEY_ALT}, {TTY_SHIFT, KEY_SHIFT}, {TTY_META, KEY_META_L}};
    size_t count = sizeof modifiers / sizeof modifiers[0];
    screen->next_key_event = 0;
    screen->key_event_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (stroke->modifiers & modifiers[i].modifier) {
            add_key_event(screen, modifiers[i].key, true);
        }
    }
    add_key_event(screen, stroke->key, true);
    add_key_event(screen, stroke->key, false);
    for (size_t i = count; i-- > 0;) {
        if (stroke->modifiers & modifiers[i].modifier) {
            add_key_event(screen, modifiers[i].key, false);
        }
    }
}

static bool guest_is_ready(const struct tty_screen *screen)
{
    return screen->host.input_ready(screen->host.opaque);
}

static void deliver_strokes(struct tty_screen *screen)
{
    const struct input_sink *input = screen->host.input;
    for (;;) {
        if (screen->next_key_event == screen->key_event_count) {
            if (screen->stroke_count == 0) {
                return;
            }
            begin_stroke(screen, &screen->strokes[screen->first_stroke]);
            screen->first_stroke = (screen->first_stroke + 1) % STROKES_MAX;
            screen->stroke_count--;
        }
        if (!guest_is_ready(screen)) {
            return;
        }
        struct key_event event = screen->key_events[screen->next_key_event++];
        input->key(input->opaque, event.key, event.pressed);
    }
}

/* Taking the terminal and giving it back */

static struct status tty_resume(struct front_end *front_end)
{
    struct tty_screen *screen = screen_from(front_end);
    if (screen->active) {
        return status_ok();
    }
    if (tcgetattr(screen->fd, &screen->saved) != 0) {
        return status_from_errno(errno, "cannot read the terminal's settings");
    }
    struct termios raw = screen->saved;
    cfmakeraw(&raw);
    if (tcsetattr(screen->fd, TCSAFLUSH, &raw) != 0) {
        return status_from_errno(errno, "cannot put the terminal into raw mode");
    }
    tty_guard_start(&screen->guard, screen->fd, &screen->saved, leave_sequence, sizeof leave_sequence - 1);
    screen->active = true;
    screen->keys = (struct tty_keys){0};
    tty_output_put(&screen->output, enter_sequence, sizeof enter_sequence - 1);
    tty_painter_invalidate(screen->painter);
    screen->next_draw_ns = 0;
    return status_ok();
}

static void tty_suspend(struct front_end *front_end)
{
    struct tty_screen *screen = screen_from(front_end);
    if (!screen->active) {
        return;
    }
    tty_output_put(&screen->output, leave_sequence, sizeof leave_sequence - 1);
    drain_patiently(screen);
    (void)tcsetattr(screen->fd, TCSADRAIN, &screen->saved);
    tty_guard_end(&screen->guard);
    screen->active = false;
}

static size_t tty_poll_fds(const struct front_end *front_end, struct pollfd fds[FRONT_END_MAX_FDS])
{
    const struct tty_screen *screen = (const struct tty_screen *)front_end;
    short input = has_room_for_input(screen) ? POLLIN : 0;
    short output = screen->output.length > 0 ? POLLOUT : 0;
    if (!screen->active || screen->gone || (input | output) == 0) {
        return 0;
    }
    fds[0] = (struct pollfd){.fd = screen->fd, .events = (short)(input | output)};
    return 1;
}

static void tty_update(struct front_end *front_end, uint64_t now_ns)
{
    struct tty_screen *screen = screen_from(front_end);
    screen->now_ns = now_ns;
    if (!screen->active) {
        return;
    }
    read_input(screen);
    deliver_strokes(screen);
    if (!screen->active) {
        return; /* a request suspended us */
    }
    drain_output(screen);
    follow_terminal_size(screen);
    if (screen->output.length == 0 && now_ns >= screen->next_draw_ns) {
        draw(screen);
        drain_output(screen);
    }
}

static void tty_set_state(struct front_end *front_end, enum front_end_state state)
{
    screen_from(front_end)->state = state;
}

static bool is_interrupt(const struct tty_event *stroke)
{
    return (stroke->key == KEY_ESC && stroke->modifiers == 0) ||
           (stroke->key == KEY_C && stroke->modifiers == TTY_CTRL);
}

static bool tty_take_interrupt(struct front_end *front_end, uint64_t now_ns)
{
    struct tty_screen *screen = screen_from(front_end);
    screen->now_ns = now_ns;
    read_input(screen);
    for (unsigned i = screen->stroke_count; i > 0; i--) {
        if (is_interrupt(&screen->strokes[(screen->first_stroke + i - 1) % STROKES_MAX])) {
            screen->first_stroke = (screen->first_stroke + i) % STROKES_MAX;
            screen->stroke_count -= i;
            return true;
        }
    }
    return false;
}

static void tty_finish(struct front_end *front_end)
{
    (void)front_end;
}

static void tty_destroy(struct front_end *front_end)
{
    struct tty_screen *screen = screen_from(front_end);
    tty_suspend(front_end);
    close(screen->fd);
    display_frame_release(&screen->frame);
    tty_painter_destroy(screen->painter);
    tty_output_release(&screen->output);
    free(screen);
}

static const struct front_end_ops tty_ops = {
    .poll_fds = tty_poll_fds,
    .update = tty_update,
    .set_state = tty_set_state,
    .suspend = tty_suspend,
    .resume = tty_resume,
    .take_interrupt = tty_take_interrupt,
    .finish = tty_finish,
    .destroy = tty_destroy,
};

/* The terminal under a descriptor of our own. */
static struct status open_terminal(const char *path, int *fd)
{
    char name[256];
    if (!path) {
        if (!isatty(STDOUT_FILENO)) {
            return status_error(STATUS_UNSUPPORTED, "-display tty: standard output is not a terminal");
        }
        path = ttyname_r(STDOUT_FILENO, name, sizeof name) == 0 ? name : "/dev/tty";
    }
    *fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0) {
        return status_from_errno(errno, "cannot open the terminal '%s'", path);
    }
    return status_ok();
}

struct status tty_screen_create(const char *path, const struct front_end_host *host,
                                struct front_end **front_end)
{
    const char *term = getenv("TERM");
    if (!term || term[0] == '\0' || strcmp(term, "dumb") == 0) {
        return status_error(STATUS_UNSUPPORTED,
                            "-display tty: TERM is %s; a terminal that can position its cursor is needed",
                            term && term[0] ? "dumb" : "not set");
    }
    int fd = -1;
    struct status status = open_terminal(path, &fd);
    if (!status_is_ok(&status)) {
        return status;
    }
    struct tty_screen *screen = calloc(1, sizeof *screen);
    struct tty_painter *painter = tty_painter_create(tty_colours_from_environment(getenv("COLORTERM"), term));
    if (!screen || !painter) {
        free(screen);
        tty_painter_destroy(painter);
        close(fd);
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    screen->front_end.ops = &tty_ops;
    screen->host = *host;
    screen->fd = fd;
    screen->painter = painter;
    status = tty_resume(&screen->front_end);
    if (!status_is_ok(&status)) {
        tty_destroy(&screen->front_end);
        return status;
    }
    *front_end = &screen->front_end;
    return status_ok();
}
