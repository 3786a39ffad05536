/* The debugger's screen as a display and as something that takes keys; see tui.h. */
#include "debugger/tui.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/monitor_internal.h"
#include "debugger/tui_internal.h"

/* Slices of the main loop that most steps are done in: keys typed ahead mean what comes after. */
#define STOP_PATIENCE 20u

/* ---- help */

static const char *const help_lines[] = {
    "F1 ?      this page                    Tab, Shift+Tab  next pane, pane before",
    "F2        breakpoint at the cursor     F6       the pane alone, and back",
    "F4        run to the cursor            F5       guest's screen and keyboard",
    "F7  F11   step                         Esc      stop; clear the line; leave it",
    "F8  F10   step over calls, INT, REP    Ctrl+C   the same",
    "Alt+F8    until the routine returns    g Ctrl+G go to address or expression",
    "F9        run                          Alt+X    end    Ctrl+Z  to the shell",
    "Alt+F7 F9 F10  the same backwards: step, run, step over (with -reverse)",
    "",
    "On the guest's screen: Ctrl+] m stops and comes back; when stopped, any key.",
    "",
    "Code         arrows, page keys; Home: back to the next instruction",
    "             > next instruction, * breakpoint, ! sensitive, ; operand's name",
    "Registers    * and another colour: changed since the last stop",
    "Stack        arrows, page keys; Home: back to its top",
    "Memory       arrows, page keys; Enter: edit in hexadecimal, Enter: done",
    "             g ss:esp  follows the expression from stop to stop",
    "Watches      Delete: remove   Enter: memory there   (display EXPR adds one)",
    "Breakpoints  Space: on or off   Delete: remove   Enter: show the place",
    "Console      all monitor commands (help); typing elsewhere leads here, too",
    "             Up, Down: earlier lines   Tab: complete   PgUp, PgDn: scroll",
};

static void draw_help(struct display_text *text)
{
    const struct tui_area area = {0, 0, text->columns, text->rows};
    tui_canvas_frame(text, &area, true, "Keys of the debugger  (any key goes back)");
    for (unsigned i = 0; i < ARRAY_COUNT(help_lines); i++) {
        tui_canvas_put(text, 1, i + 2, text->columns - 1u, TUI_PLAIN, help_lines[i]);
    }
}

/* ---- output */

void tui_print(struct tui *tui, const char *format, ...)
{
    char text[TUI_LINE_MAX + 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tui_collect_output(tui);
    tui_console_write(&tui->console, text, strlen(text));
    tui_console_write(&tui->console, "\n", 1);
}

void tui_collect_output(struct tui *tui)
{
    fflush(tui->out);
    tui_console_write(&tui->console, tui->out_bytes, tui->out_length);
    rewind(tui->out);
}

FILE *tui_output(struct tui *tui)
{
    return tui->out;
}

FILE *tui_errors(struct tui *tui)
{
    return tui->errors;
}

/* ---- display */

void tui_set_focus(struct tui *tui, enum tui_pane pane)
{
    tui->focus = pane;
    if (pane != TUI_CONSOLE) {
        tui->last_focus = pane;
    }
    if (pane != TUI_MEMORY) {
        tui->memory_edits = false;
    }
}

unsigned tui_pane_rows(const struct tui *tui, enum tui_pane pane)
{
    unsigned rows = tui->layout.areas[pane].rows;
    return rows > 0 ? rows - 1 : 0;
}

static void draw(struct tui *tui, struct display_text *text)
{
    tui_collect_output(tui);
    tui_canvas_clear(text, tui->columns, tui->rows);
    if (tui->focus == TUI_WATCHES && displays_count(tui->monitor->displays) == 0) {
        tui_set_focus(tui, TUI_CODE);
    }
    tui_layout_make(text->columns, text->rows, tui->focus, tui->zoomed,
                    displays_count(tui->monitor->displays), &tui->layout);
    if (tui->helps) {
        draw_help(text);
    } else {
        tui_draw_code(tui, text);
        tui_draw_panes(tui, text);
    }
}

static void render(void *opaque, struct display_frame *frame, bool force)
{
    struct tui *tui = opaque;
    const struct display_source *display = machine_display(tui->machine);
    if (tui->shows_guest) {
        display->render(display->opaque, frame, force || !tui->drawn_guest);
        tui->drawn_guest = true;
        return;
    }
    tui->drawn_guest = false;
    draw(tui, &frame->text);
    frame->generation = ++tui->generation;
}

static void read_text(void *opaque, struct display_frame *frame)
{
    struct tui *tui = opaque;
    const struct display_source *display = machine_display(tui->machine);
    if (tui->shows_guest) {
        display->read_text(display->opaque, frame);
    } else {
        draw(tui, &frame->text);
    }
}

void tui_resize(struct tui *tui, unsigned columns, unsigned rows)
{
    tui->columns = columns;
    tui->rows = rows;
}

const char *tui_status(struct tui *tui)
{
    bool paused = machine_is_paused(tui->machine);
    const char *text = "F1 Help  F2 Break  F4 To here  F5 Screen  F6 Zoom  F7 Step  F8 Over  F9 Run";
    if (tui->shows_guest) {
        text = paused ? "stopped: any key shows the debugger" : "Ctrl+] m stops and shows the debugger";
    } else if (!paused) {
        text = "running: Esc stops it  F5 its screen and keyboard  F1 Help";
    }
    snprintf(tui->status, sizeof tui->status, "%s", text);
    return tui->status;
}

/* ---- input */

static void pass_key(struct tui *tui, enum key key, bool pressed)
{
    const struct input_sink *input = machine_input(tui->machine);
    tui->held[key] = pressed;
    input->key(input->opaque, key, pressed);
}

/* The guest's screen goes: it must not believe that keys are held. */
static void leave_guest(struct tui *tui)
{
    tui->shows_guest = false;
    for (unsigned key = 0; key < KEY_COUNT; key++) {
        if (tui->held[key]) {
            pass_key(tui, (enum key)key, false);
        }
    }
}

static bool note_modifier(struct tui *tui, enum key key, bool pressed)
{
    switch (key) {
    case KEY_CTRL:
    case KEY_CTRL_R: tui->ctrl = pressed; return true;
    case KEY_ALT:
    case KEY_ALT_R: tui->alt = pressed; return true;
    case KEY_SHIFT:
    case KEY_SHIFT_R: tui->shift = pressed; return true;
    default: return false;
    }
}

static void take_key(void *opaque, enum key key, bool pressed)
{
    struct tui *tui = opaque;
    bool modifier = note_modifier(tui, key, pressed);
    if (!pressed) {
        if (tui->held[key]) {
            pass_key(tui, key, false);
        }
    } else if (tui->shows_guest && !machine_is_paused(tui->machine)) {
        pass_key(tui, key, true);
    } else if (!modifier) {
        if (tui->shows_guest) {
            leave_guest(tui);
        } else {
            tui_take_key(tui, key);
        }
    }
}

static void take_mouse(void *opaque, int dx, int dy, int wheel, unsigned buttons)
{
    struct tui *tui = opaque;
    const struct input_sink *input = machine_input(tui->machine);
    if (tui->shows_guest) {
        input->mouse(input->opaque, dx, dy, wheel, buttons);
    }
}

bool tui_input_ready(struct tui *tui)
{
    if (machine_is_paused(tui->machine)) {
        return true;
    }
    if (tui->shows_guest) {
        return machine_input_ready(tui->machine);
    }
    if (tui->patience > 0) {
        tui->patience--;
        return false;
    }
    return true;
}

void tui_expect_stop(struct tui *tui)
{
    tui->quiet = true;
    tui->patience = STOP_PATIENCE;
}

const struct display_source *tui_display(const struct tui *tui)
{
    return &tui->display;
}

const struct input_sink *tui_input(const struct tui *tui)
{
    return &tui->input;
}

/* ---- life */

void tui_show(struct tui *tui)
{
    leave_guest(tui);
    if (!machine_is_paused(tui->machine)) {
        debugger_pause(tui->debugger);
    }
}

void tui_note_stop(struct tui *tui)
{
    const struct debugger_stop *stop = debugger_last_stop(tui->debugger);
    if (tui->quiet && stop != NULL && stop->reason == STOPPED_STEP) {
        fflush(tui->out);
        rewind(tui->out); /* what was said of it */
    }
    tui->quiet = false;
    leave_guest(tui);
}

struct tui *tui_create(struct monitor *monitor, tui_request *request, void *opaque)
{
    struct tui *tui = calloc(1, sizeof *tui);
    if (tui == NULL) {
        return NULL;
    }
    tui->monitor = monitor;
    tui->machine = monitor->machine;
    tui->debugger = monitor->debugger;
    tui->request = request;
    tui->opaque = opaque;
    tui->display = (struct display_source){.render = render, .read_text = read_text, .opaque = tui};
    tui->input = (struct input_sink){.key = take_key, .mouse = take_mouse, .opaque = tui};
    tui_resize(tui, 80, 24);
    tui_memory_go(tui, "ds:esi", 0);
    tui->memory_placed_at = UINT64_MAX;
    tui->out = open_memstream(&tui->out_bytes, &tui->out_length);
    tui->errors = open_memstream(&tui->error_bytes, &tui->error_length);
    tui->session = tui->out != NULL ? monitor_open_console(monitor, tui->out) : NULL;
    if (tui->session == NULL || tui->errors == NULL) {
        tui_destroy(tui);
        return NULL;
    }
    tui->session->has_panes = true;
    tui_print(tui, "F1 explains the keys; help lists the commands that can be typed here");
    return tui;
}

void tui_destroy(struct tui *tui)
{
    if (tui == NULL) {
        return;
    }
    if (tui->session != NULL) {
        monitor_close(tui->session);
    }
    if (tui->out != NULL) {
        fclose(tui->out);
    }
    free(tui->out_bytes);
    if (tui->errors != NULL) {
        fclose(tui->errors);
        fwrite(tui->error_bytes, 1, tui->error_length, stderr);
    }
    free(tui->error_bytes);
    tui_console_release(&tui->console);
    tui_line_release(&tui->line);
    tui_line_release(&tui->question);
    display_frame_release(&tui->guest);
    free(tui);
}
