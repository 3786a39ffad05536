/* What commands have printed: the last lines, as code page 437. Pure. */
#ifndef DOPPEL_DEBUGGER_TUI_CONSOLE_H
#define DOPPEL_DEBUGGER_TUI_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#define TUI_CONSOLE_LINES   2000u
#define TUI_CONSOLE_COLUMNS 250u

/* All zero: empty. */
struct tui_console {
    char *lines[TUI_CONSOLE_LINES]; /* a ring; the last may still grow */
    size_t first, count;
    char partial[TUI_CONSOLE_COLUMNS + 1];
    size_t length;
    uint32_t codepoint; /* of a UTF-8 sequence that is not complete */
    unsigned missing;
    size_t scrolled; /* lines, from the end backwards */
};

/* Appends UTF-8 output. Prompts, which the line below shows, are left out. */
void tui_console_write(struct tui_console *console, const char *bytes, size_t length);

size_t tui_console_count(const struct tui_console *console);
/* The n-th line that is kept, oldest first; "" past the end. */
const char *tui_console_line(const struct tui_console *console, size_t n);

/* By lines, towards older ones positive; never past the oldest. */
void tui_console_scroll(struct tui_console *console, int lines);

void tui_console_release(struct tui_console *console);

#endif
