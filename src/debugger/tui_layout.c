/* See tui_layout.h.
 *
 *   narrow                     wide: room for the guest's screen
 *   code        | registers    code        | guest's screen
 *               | stack                    |
 *   ------------|              ------------| registers | stack
 *   memory      | breakpoints  memory      |           |
 *   ---------------------      --------------------------------
 *   console                    console     | breakpoints
 *
 * What is watched is between code and memory. */
#include "debugger/tui_layout.h"

#define COLUMNS_LOWEST 72u
#define ROWS_LOWEST    18u

#define REGISTER_COLUMNS 34u
#define REGISTER_ROWS    9u
#define BREAKPOINT_ROWS  3u /* at least, with the title */

#define MEMORY_COLUMNS 75u /* with 16 bytes in a row */

#define SCREEN_COLUMNS 80u
#define SCREEN_ROWS    26u
#define WIDE_COLUMNS   (SCREEN_COLUMNS + 1u + 70u)
#define WIDE_ROWS      (SCREEN_ROWS + REGISTER_ROWS + 1u + 8u)

static unsigned clamp(unsigned value, unsigned lowest, unsigned highest)
{
    return value < lowest ? lowest : value > highest ? highest : value;
}

static void place(struct tui_layout *layout, enum tui_pane pane, unsigned column, unsigned row,
                  unsigned columns, unsigned rows)
{
    layout->areas[pane] = (struct tui_area){column, row, columns, rows};
}

/* Code above memory, in the columns on the left, and what is watched between them. */
static void place_left(struct tui_layout *layout, unsigned columns, unsigned rows, size_t watches)
{
    unsigned memory = clamp(rows / 3, 4, 18);
    unsigned most = rows / 4;
    unsigned between = watches == 0 ? 0 : watches < most ? (unsigned)watches + 1 : most;
    place(layout, TUI_CODE, 0, 0, columns, rows - memory - between);
    place(layout, TUI_WATCHES, 0, rows - memory - between, columns, between);
    place(layout, TUI_MEMORY, 0, rows - memory, columns, memory);
}

static void make_narrow(struct tui_layout *layout, unsigned columns, unsigned rows, size_t watches)
{
    unsigned console = clamp(rows / 4, 5, 14);
    unsigned body = rows - console;
    unsigned right = clamp(columns > MEMORY_COLUMNS ? columns - MEMORY_COLUMNS - 1 : 0, REGISTER_COLUMNS, 60);
    unsigned left = columns - right - 1;
    unsigned below = body - REGISTER_ROWS;
    unsigned breakpoints = clamp(below / 3, BREAKPOINT_ROWS, 12);
    place_left(layout, left, body, watches);
    place(layout, TUI_REGISTERS, left + 1, 0, right, REGISTER_ROWS);
    place(layout, TUI_STACK, left + 1, REGISTER_ROWS, right, below - breakpoints);
    place(layout, TUI_BREAKPOINTS, left + 1, body - breakpoints, right, breakpoints);
    place(layout, TUI_CONSOLE, 0, body, columns, console);
}

static void make_wide(struct tui_layout *layout, unsigned columns, unsigned rows, size_t watches)
{
    unsigned console = clamp(rows / 4, 8, rows - SCREEN_ROWS - REGISTER_ROWS - 1);
    unsigned body = rows - console;
    unsigned left = columns - SCREEN_COLUMNS - 1;
    unsigned below = body - SCREEN_ROWS;
    place_left(layout, left, body, watches);
    place(layout, TUI_SCREEN, left + 1, 0, SCREEN_COLUMNS, SCREEN_ROWS);
    place(layout, TUI_REGISTERS, left + 1, SCREEN_ROWS, REGISTER_COLUMNS, below);
    place(layout, TUI_STACK, left + 1 + REGISTER_COLUMNS + 1, SCREEN_ROWS,
          SCREEN_COLUMNS - REGISTER_COLUMNS - 1, below);
    place(layout, TUI_CONSOLE, 0, body, left, console);
    place(layout, TUI_BREAKPOINTS, left + 1, body, SCREEN_COLUMNS, console);
}

void tui_layout_make(unsigned columns, unsigned rows, enum tui_pane focus, bool zoomed, size_t watches,
                     struct tui_layout *layout)
{
    *layout = (struct tui_layout){.areas = {{0}}};
    if (zoomed || columns < COLUMNS_LOWEST || rows < ROWS_LOWEST) {
        unsigned console = rows >= 6 ? 3 : 0;
        if (focus == TUI_CONSOLE || console == 0) {
            place(layout, focus, 0, 0, columns, rows);
        } else {
            place(layout, focus, 0, 0, columns, rows - console);
            place(layout, TUI_CONSOLE, 0, rows - console, columns, console);
        }
    } else if (columns >= WIDE_COLUMNS && rows >= WIDE_ROWS) {
        make_wide(layout, columns, rows, watches);
    } else {
        make_narrow(layout, columns, rows, watches);
    }
}
