/* Which pane of the debugger's screen is where. Pure arithmetic on cells. */
#ifndef DOPPEL_DEBUGGER_TUI_LAYOUT_H
#define DOPPEL_DEBUGGER_TUI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

enum tui_pane {
    TUI_CODE,
    TUI_REGISTERS,
    TUI_STACK,
    TUI_MEMORY,
    TUI_WATCHES, /* only while there are any */
    TUI_BREAKPOINTS,
    TUI_CONSOLE,
    TUI_SCREEN, /* the guest's; takes no keys */
    TUI_PANE_COUNT
};

/* The first row is the pane's title. Without rows the pane is not shown. An area that does not begin in
 * column 0 has a line to its left, in the column before. */
struct tui_area {
    unsigned column, row, columns, rows;
};

struct tui_layout {
    struct tui_area areas[TUI_PANE_COUNT];
};

/* Lays `columns` x `rows` cells out, with so many `watches` to show. `focus` alone is shown when it is
 * `zoomed`, and, above two lines of the console, when there is no room for more. */
void tui_layout_make(unsigned columns, unsigned rows, enum tui_pane focus, bool zoomed, size_t watches,
                     struct tui_layout *layout);

#endif
