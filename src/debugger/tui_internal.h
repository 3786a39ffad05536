/* What the files of the debugger's screen share; see tui.h. */
#ifndef DOPPEL_DEBUGGER_TUI_INTERNAL_H
#define DOPPEL_DEBUGGER_TUI_INTERNAL_H

#include "debugger/code_listing.h"
#include "debugger/tui.h"
#include "debugger/tui_canvas.h"
#include "debugger/tui_console.h"
#include "debugger/tui_layout.h"
#include "debugger/tui_line.h"

#define TUI_REGISTER_VALUES 64u /* that the register pane can show */
#define TUI_ROWS_MAX        DISPLAY_MAX_ROWS

/* What is on a line of the code pane. */
struct tui_code_row {
    uint32_t address;
    bool label; /* the symbol's own line, above its instruction */
};

struct tui {
    struct monitor *monitor;
    struct machine *machine;
    struct debugger *debugger;
    struct monitor_session *session;
    tui_request *request;
    void *opaque;
    struct display_source display;
    struct input_sink input;

    unsigned columns, rows;
    struct tui_layout layout;
    enum tui_pane focus, last_focus; /* the last one that was not the console */
    bool zoomed, helps;
    uint64_t generation;
    char status[DISPLAY_MAX_COLUMNS + 1];

    bool shows_guest; /* the user looks at the guest's own screen */
    bool drawn_guest; /* the last picture was that */
    bool ctrl, alt, shift;
    bool held[KEY_COUNT]; /* keys that the guest was told are down */
    struct display_frame guest;

    FILE *out; /* of the session and of scripts: a buffer in memory */
    char *out_bytes;
    size_t out_length;
    FILE *errors; /* another, for the terminal that is there afterwards */
    char *error_bytes;
    size_t error_length;
    bool quiet;        /* a key has let the machine go: the panes show where it stops */
    unsigned patience; /* so often keys typed ahead are kept back for the machine to stop */
    struct tui_console console;
    struct tui_line line;
    struct tui_line question; /* where to go; only while `asks` */
    bool asks;

    uint32_t code_top, code_cursor, last_here;
    bool code_known; /* the three are set */
    struct tui_code_row code_rows[TUI_ROWS_MAX];
    unsigned code_row_count;

    unsigned stack_first; /* words above the top */

    uint32_t memory_top, memory_cursor;
    char memory_place[64];     /* the expression it follows; "": none */
    uint64_t memory_placed_at; /* instructions executed when it was evaluated */
    bool memory_edits, memory_low_digit;

    size_t watch_cursor, breakpoint_cursor;

    /* What is shown, and what was at the last stop and the one before. */
    uint64_t registers_now[TUI_REGISTER_VALUES], registers_stopped[TUI_REGISTER_VALUES],
        registers_before[TUI_REGISTER_VALUES];
    uint64_t registers_at; /* instructions executed at the last stop */
    bool registers_known;
};

/* ---- tui.c */

/* A line for the console. */
void tui_print(struct tui *tui, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes over what was printed. */
void tui_collect_output(struct tui *tui);

/* A key lets the machine go. */
void tui_expect_stop(struct tui *tui);

void tui_set_focus(struct tui *tui, enum tui_pane pane);

/* Rows below a pane's title. */
unsigned tui_pane_rows(const struct tui *tui, enum tui_pane pane);

/* ---- tui_code.c */

void tui_draw_code(struct tui *tui, struct display_text *text);
void tui_code_go(struct tui *tui, uint32_t address);
/* Moves the cursor by instructions. */
void tui_code_move(struct tui *tui, int rows);

/* ---- tui_panes.c */

void tui_draw_panes(struct tui *tui, struct display_text *text);

/* Bytes in a row of the memory pane. */
unsigned tui_memory_columns(const struct tui *tui);
void tui_memory_go(struct tui *tui, const char *expression, uint32_t address);
void tui_memory_move(struct tui *tui, int64_t bytes);

/* The n-th breakpoint that people are shown; NULL past the end. */
struct breakpoint *tui_breakpoint(struct tui *tui, size_t n);

/* ---- tui_keys.c */

void tui_take_key(struct tui *tui, enum key key);

#endif
