/* What keys do on the debugger's screen. Keys that act everywhere come first; what a pane does not know goes
 * to the command line. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/completion.h"
#include "debugger/monitor_internal.h"
#include "debugger/tui_internal.h"

static char character_of(enum key key, bool shift)
{
    for (char c = ' '; c < 0x7F; c++) {
        bool needs_shift;
        if (key_for_character(c, &needs_shift) == key && needs_shift == shift) {
            return c;
        }
    }
    return '\0';
}

/* ---- letting the machine go */

/* Whether it is paused; otherwise the user is told. */
static bool is_paused(struct tui *tui)
{
    bool paused = machine_is_paused(tui->machine);
    if (!paused) {
        tui_print(tui, "the machine is running (Esc stops it)");
    }
    return paused;
}

static void go(struct tui *tui, void (*how)(struct debugger *debugger))
{
    if (is_paused(tui)) {
        tui_expect_stop(tui);
        how(tui->debugger);
    }
}

static void step(struct debugger *debugger)
{
    debugger_step(debugger, 1);
}

static void run_to_cursor(struct tui *tui)
{
    if (is_paused(tui)) {
        tui_expect_stop(tui);
        debugger_run_to(tui->debugger, tui->code_cursor);
    }
}

static void stop(struct tui *tui)
{
    if (!machine_is_paused(tui->machine)) {
        debugger_pause(tui->debugger);
    }
}

static void toggle_breakpoint(struct tui *tui)
{
    struct breakpoint *breakpoint;
    for (size_t i = 0; (breakpoint = tui_breakpoint(tui, i)) != NULL; i++) {
        if (breakpoint->spec.kind == BREAKPOINT_CODE && breakpoint->spec.first == tui->code_cursor) {
            debugger_remove(tui->debugger, breakpoint->number);
            return;
        }
    }
    const struct breakpoint_spec spec = {
        .kind = BREAKPOINT_CODE, .first = tui->code_cursor, .last = tui->code_cursor};
    const struct expression_scope scope = monitor_scope(tui->monitor);
    unsigned number;
    struct status status = debugger_add(tui->debugger, &spec, &scope, &number);
    if (!status_is_ok(&status)) {
        tui_print(tui, "%s", status.message);
    }
}

/* ---- panes */

static void next_pane(struct tui *tui, int direction)
{
    static const enum tui_pane order[] = {TUI_CODE,   TUI_REGISTERS,   TUI_STACK,  TUI_WATCHES,
                                          TUI_MEMORY, TUI_BREAKPOINTS, TUI_CONSOLE};
    const int count = (int)(sizeof order / sizeof order[0]);
    int at = 0;
    while (at < count - 1 && order[at] != tui->focus) {
        at++;
    }
    do {
        at = (at + direction + count) % count;
    } while (order[at] == TUI_WATCHES && displays_count(tui->monitor->displays) == 0);
    tui_set_focus(tui, order[at]);
}

static bool key_of_code(struct tui *tui, enum key key)
{
    int page = (int)tui_pane_rows(tui, TUI_CODE) - 1;
    switch (key) {
    case KEY_UP: tui_code_move(tui, -1); return true;
    case KEY_DOWN: tui_code_move(tui, 1); return true;
    case KEY_PGUP: tui_code_move(tui, -page); return true;
    case KEY_PGDN: tui_code_move(tui, page); return true;
    case KEY_HOME: tui_code_go(tui, (uint32_t)code_listing_here(tui->monitor)); return true;
    default: return false;
    }
}

static bool key_of_stack(struct tui *tui, enum key key)
{
    unsigned page = tui_pane_rows(tui, TUI_STACK);
    switch (key) {
    case KEY_UP: tui->stack_first -= tui->stack_first > 0; return true;
    case KEY_DOWN: tui->stack_first++; return true;
    case KEY_PGUP: tui->stack_first = tui->stack_first > page ? tui->stack_first - page : 0; return true;
    case KEY_PGDN: tui->stack_first += page; return true;
    case KEY_HOME: tui->stack_first = 0; return true;
    default: return false;
    }
}

static void store(struct tui *tui, uint8_t byte)
{
    if (guest_memory_write(tui->machine, GUEST_LINEAR, tui->memory_cursor, &byte, 1) != 1) {
        struct status status = guest_memory_unwritable(tui->machine, GUEST_LINEAR, tui->memory_cursor);
        tui_print(tui, "%s", status.message);
    }
}

/* A hexadecimal digit replaces the one under the cursor. */
static bool edit_memory(struct tui *tui, char character)
{
    uint8_t byte = 0;
    if (!isxdigit((unsigned char)character)) {
        return false;
    }
    char text[2] = {character, '\0'};
    uint8_t digit = (uint8_t)strtoul(text, NULL, 16);
    guest_memory_read(tui->machine, GUEST_LINEAR, tui->memory_cursor, &byte, 1);
    if (tui->memory_low_digit) {
        store(tui, (uint8_t)((byte & 0xF0) | digit));
        tui_memory_move(tui, 1);
    } else {
        store(tui, (uint8_t)((byte & 0x0F) | digit << 4));
        tui->memory_low_digit = true;
    }
    return true;
}

static bool key_of_memory(struct tui *tui, enum key key)
{
    int64_t columns = tui_memory_columns(tui), page = columns * tui_pane_rows(tui, TUI_MEMORY);
    switch (key) {
    case KEY_LEFT: tui_memory_move(tui, -1); return true;
    case KEY_RIGHT: tui_memory_move(tui, 1); return true;
    case KEY_UP: tui_memory_move(tui, -columns); return true;
    case KEY_DOWN: tui_memory_move(tui, columns); return true;
    case KEY_PGUP: tui_memory_move(tui, -page); return true;
    case KEY_PGDN: tui_memory_move(tui, page); return true;
    case KEY_ENTER:
        tui->memory_edits = !tui->memory_edits;
        tui->memory_low_digit = false;
        return true;
    case KEY_ESC:
        tui->memory_edits = false;
        tui->memory_low_digit = false;
        return true;
    default: return tui->memory_edits && edit_memory(tui, character_of(key, tui->shift));
    }
}

static bool key_of_watches(struct tui *tui, enum key key)
{
    struct displays *displays = tui->monitor->displays;
    if (tui->watch_cursor >= displays_count(displays)) {
        return false;
    }
    const struct display_value value = displays_evaluate(displays, tui->watch_cursor);
    switch (key) {
    case KEY_UP: tui->watch_cursor -= tui->watch_cursor > 0; return true;
    case KEY_DOWN: tui->watch_cursor += tui->watch_cursor + 1 < displays_count(displays); return true;
    case KEY_DELETE: displays_remove(displays, value.number); return true;
    case KEY_ENTER:
        tui_memory_go(tui, value.text, (uint32_t)value.value);
        tui_set_focus(tui, TUI_MEMORY);
        return true;
    default: return false;
    }
}

static bool key_of_breakpoints(struct tui *tui, enum key key)
{
    struct breakpoint *breakpoint = tui_breakpoint(tui, tui->breakpoint_cursor);
    switch (key) {
    case KEY_UP: tui->breakpoint_cursor -= tui->breakpoint_cursor > 0; return true;
    case KEY_DOWN: tui->breakpoint_cursor++; return true;
    default: break;
    }
    if (breakpoint == NULL) {
        return false;
    }
    switch (key) {
    case KEY_DELETE: debugger_remove(tui->debugger, breakpoint->number); return true;
    case KEY_SPACE: debugger_enable(tui->debugger, breakpoint->number, !breakpoint->enabled); return true;
    case KEY_ENTER:
        if (breakpoint->spec.kind == BREAKPOINT_CODE) {
            tui_code_go(tui, breakpoint->spec.first);
            tui_set_focus(tui, TUI_CODE);
        } else if (breakpoint->spec.kind == BREAKPOINT_DATA) {
            tui_memory_go(tui, "", breakpoint->spec.first);
            tui_set_focus(tui, TUI_MEMORY);
        }
        return true;
    default: return false;
    }
}

/* ---- lines */

static void accept_command(struct tui *tui)
{
    char text[TUI_LINE_MAX];
    tui_line_accept(&tui->line, text);
    tui->console.scrolled = 0;
    tui_collect_output(tui);
    tui_print(tui, "> %s", text);
    monitor_feed(tui->session, text, strlen(text));
    monitor_feed(tui->session, "\n", 1);
}

static void accept_question(struct tui *tui)
{
    char text[TUI_LINE_MAX];
    uint64_t address;
    tui_line_accept(&tui->question, text);
    tui->asks = false;
    if (text[0] == '\0') {
        return;
    }
    struct status status = monitor_evaluate(tui->monitor, text, &address);
    if (!status_is_ok(&status)) {
        tui_print(tui, "%s", status.message);
    } else if (tui->focus == TUI_CODE || tui->focus == TUI_BREAKPOINTS) {
        tui_code_go(tui, (uint32_t)address);
        tui_set_focus(tui, TUI_CODE);
    } else {
        tui_memory_go(tui, text, (uint32_t)address);
        tui_set_focus(tui, TUI_MEMORY);
    }
}

/* Tab: what the word could become. */
static void complete(struct tui *tui)
{
    struct completion found;
    struct tui_line *line = &tui->line;
    completion_find(tui->monitor, line->text, line->cursor, &found);
    size_t typed = line->cursor - found.start;
    if (found.count > 0 && found.common > typed) {
        char rest[TUI_LINE_MAX];
        snprintf(rest, sizeof rest, "%.*s", (int)(found.common - typed), found.words[0] + typed);
        tui_line_insert(line, rest);
    } else if (found.count > 1) {
        for (size_t i = 0; i < found.count; i++) {
            tui_print(tui, "  %s", found.words[i]);
        }
        if (found.left_out > 0) {
            tui_print(tui, "  and %zu more", found.left_out);
        }
    }
    if (found.count == 1 && found.left_out == 0 && found.closes_word) {
        tui_line_insert(line, " ");
    }
    completion_release(&found);
}

static bool key_of_console(struct tui *tui, enum key key)
{
    int page = (int)tui_pane_rows(tui, TUI_CONSOLE) - 1;
    switch (key) {
    case KEY_ENTER:
    case KEY_KP_ENTER: accept_command(tui); return true;
    case KEY_PGUP: tui_console_scroll(&tui->console, page); return true;
    case KEY_PGDN: tui_console_scroll(&tui->console, -page); return true;
    case KEY_TAB:
        if (tui->line.length == 0 || tui->shift) {
            return false;
        }
        complete(tui);
        return true;
    default: return tui_line_key(&tui->line, key, tui->ctrl);
    }
}

static void key_of_question(struct tui *tui, enum key key)
{
    char typed[2] = {character_of(key, tui->shift), '\0'};
    if (key == KEY_ESC || (key == KEY_C && tui->ctrl)) {
        tui->asks = false;
    } else if (key == KEY_ENTER || key == KEY_KP_ENTER) {
        accept_question(tui);
    } else if (!tui_line_key(&tui->question, key, tui->ctrl) && typed[0] != '\0' && !tui->ctrl && !tui->alt) {
        tui_line_insert(&tui->question, typed);
    }
}

static void ask_where(struct tui *tui)
{
    tui->asks = true;
    tui_line_set(&tui->question, "");
}

/* ---- everywhere */

static bool control_key(struct tui *tui, enum key key)
{
    switch (key) {
    case KEY_C:
        if (machine_is_paused(tui->machine)) {
            tui_line_set(&tui->line, "");
        }
        stop(tui);
        return true;
    case KEY_G: ask_where(tui); return true;
    case KEY_Z: tui->request(tui->opaque, FRONT_END_BACKGROUND); return true;
    default: return false;
    }
}

static bool forwards_key(struct tui *tui, enum key key)
{
    switch (key) {
    case KEY_F7: go(tui, step); return true;
    case KEY_F9: go(tui, debugger_continue); return true;
    case KEY_F10: go(tui, debugger_next); return true;
    default: return false;
    }
}

static struct status step_back(struct debugger *debugger, struct debugger_stop *stop)
{
    return debugger_reverse_step(debugger, 1, stop);
}

static void go_back(struct tui *tui,
                    struct status (*how)(struct debugger *debugger, struct debugger_stop *stop))
{
    struct debugger_stop stop;
    if (!is_paused(tui)) {
        return;
    }
    struct status status = how(tui->debugger, &stop);
    if (!status_is_ok(&status)) {
        tui_print(tui, "%s", status.message);
    } else if (stop.reason != STOPPED_STEP) {
        monitor_show_stop(tui->monitor, &stop);
    }
}

static bool backwards_key(struct tui *tui, enum key key)
{
    switch (key) {
    case KEY_F7: go_back(tui, step_back); return true;
    case KEY_F9: go_back(tui, debugger_reverse_continue); return true;
    case KEY_F10: go_back(tui, debugger_reverse_next); return true;
    default: return false;
    }
}

static bool function_key(struct tui *tui, enum key key)
{
    bool modified = tui->alt || tui->shift || tui->ctrl;
    switch (key) {
    case KEY_F1: tui->helps = true; return true;
    case KEY_F2: toggle_breakpoint(tui); return true;
    case KEY_F4: run_to_cursor(tui); return true;
    case KEY_F5: tui->shows_guest = true; return true;
    case KEY_F6: tui->zoomed = !tui->zoomed; return true;
    case KEY_F8: go(tui, modified ? debugger_finish : debugger_next); return true;
    case KEY_F11: go(tui, modified ? debugger_finish : step); return true;
    default: return modified ? backwards_key(tui, key) : forwards_key(tui, key);
    }
}

static void escape(struct tui *tui)
{
    if (!machine_is_paused(tui->machine)) {
        stop(tui);
    } else if (tui->focus == TUI_CONSOLE && tui->line.length == 0) {
        tui_set_focus(tui, tui->last_focus);
    } else {
        tui_line_set(&tui->line, "");
    }
}

static bool key_of_pane(struct tui *tui, enum key key)
{
    switch (tui->focus) {
    case TUI_CODE: return key_of_code(tui, key);
    case TUI_STACK: return key_of_stack(tui, key);
    case TUI_MEMORY: return key_of_memory(tui, key);
    case TUI_WATCHES: return key_of_watches(tui, key);
    case TUI_BREAKPOINTS: return key_of_breakpoints(tui, key);
    case TUI_CONSOLE: return key_of_console(tui, key);
    default: return false;
    }
}

static void type(struct tui *tui, char character)
{
    const char text[2] = {character, '\0'};
    if (tui->focus != TUI_CONSOLE && character == 'g' && tui->line.length == 0) {
        ask_where(tui);
        return;
    }
    if (tui->focus != TUI_CONSOLE && character == '?') {
        tui->helps = true;
        return;
    }
    bool opens = tui->focus != TUI_CONSOLE && character == ':';
    tui_set_focus(tui, TUI_CONSOLE);
    if (!opens) {
        tui_line_insert(&tui->line, text);
    }
}

void tui_take_key(struct tui *tui, enum key key)
{
    if (tui->helps) {
        tui->helps = false;
        return;
    }
    if (tui->asks) {
        key_of_question(tui, key);
        return;
    }
    if (function_key(tui, key) || (tui->ctrl && control_key(tui, key))) {
        return;
    }
    if (key == KEY_X && tui->alt) {
        tui->request(tui->opaque, FRONT_END_QUIT);
        return;
    }
    if (tui->alt || key_of_pane(tui, key) || tui->ctrl) {
        return;
    }
    if (key == KEY_TAB) {
        next_pane(tui, tui->shift ? -1 : 1);
    } else if (key == KEY_ESC) {
        escape(tui);
    } else if (character_of(key, tui->shift) != '\0') {
        type(tui, character_of(key, tui->shift));
    }
}
