/* A line that is being typed, with the lines typed before. Keys as in shells: arrows, Home, End, Ctrl-A -E -K
 * -U -W. Pure. */
#ifndef DOPPEL_DEBUGGER_TUI_LINE_H
#define DOPPEL_DEBUGGER_TUI_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/input.h"

#define TUI_LINE_MAX    1024 /* bytes with the terminator */
#define TUI_HISTORY_MAX 200

struct tui_line {
    char text[TUI_LINE_MAX];
    size_t length, cursor;
    char *history[TUI_HISTORY_MAX]; /* oldest first */
    size_t count;
    size_t position;          /* in the history; `count`: the line that is new */
    char draft[TUI_LINE_MAX]; /* the new one, while another is shown */
};

void tui_line_set(struct tui_line *line, const char *text);

/* At the cursor; what does not fit is left out. */
void tui_line_insert(struct tui_line *line, const char *text);

/* Ctrl or a key without a character. False: not a key of the editor. */
bool tui_line_key(struct tui_line *line, enum key key, bool ctrl);

/* Copies the line to `text`, remembers it and begins a new one. */
void tui_line_accept(struct tui_line *line, char text[TUI_LINE_MAX]);

void tui_line_release(struct tui_line *line);

#endif
