/* Text into the cells of the debugger's screen: code page 437, clipped, in a few named styles. */
#ifndef DOPPEL_DEBUGGER_TUI_CANVAS_H
#define DOPPEL_DEBUGGER_TUI_CANVAS_H

#include "debugger/tui_layout.h"
#include "ui/display.h"

enum tui_style {
    TUI_PLAIN,
    TUI_DIM,
    TUI_STRONG,
    TUI_TITLE,
    TUI_TITLE_OF_FOCUS,
    TUI_HERE,   /* the next instruction */
    TUI_CURSOR, /* what keys would act on */
    TUI_BREAKPOINT,
    TUI_CHANGED,
    TUI_SENSITIVE,
    TUI_STYLE_COUNT
};

/* Makes a text screen of this size, blank. */
void tui_canvas_clear(struct display_text *text, unsigned columns, unsigned rows);

/* Writes `string` into the `columns` cells from (column, row) on, blanks behind it. What lies outside of the
 * screen is left out. */
void tui_canvas_put(struct display_text *text, unsigned column, unsigned row, unsigned columns,
                    enum tui_style style, const char *string);

/* Another style for cells that are there. */
void tui_canvas_restyle(struct display_text *text, unsigned column, unsigned row, unsigned columns,
                        enum tui_style style);

/* A pane's title, in its first row, and the line to its left. */
void tui_canvas_frame(struct display_text *text, const struct tui_area *area, bool focus, const char *title);

#endif
