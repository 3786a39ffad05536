/* A terminal for tests: understands what the painter and the screen send, and holds what a person would see.
 * Anything it does not know is a failure. */
#ifndef DOPPEL_TESTS_FAKE_TERMINAL_H
#define DOPPEL_TESTS_FAKE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_COLUMNS_MAX 200
#define FAKE_ROWS_MAX    100

struct fake_cell {
    uint32_t codepoint;
    uint32_t foreground, background; /* index, or 0x01RRGGBB for 24-bit ones */
};

struct fake_terminal {
    unsigned columns, rows;
    unsigned column, row;
    uint32_t foreground, background;
    bool cursor_shown, alternate, auto_wrap, bracketed_paste;
    struct fake_cell cells[FAKE_ROWS_MAX][FAKE_COLUMNS_MAX];
    /* Parser. */
    bool escaped, in_sequence;
    char sequence[64];
    size_t sequence_length;
    uint32_t partial;
    unsigned partial_left;
    unsigned cells_written; /* since the test last set it to 0 */
};

void fake_terminal_init(struct fake_terminal *terminal, unsigned columns, unsigned rows);

/* False at the first byte that is not understood. */
bool fake_terminal_feed(struct fake_terminal *terminal, const char *bytes, size_t length);

/* Row `row` as text without trailing blanks; characters outside ASCII are '?'. */
const char *fake_terminal_row(const struct fake_terminal *terminal, unsigned row,
                              char to[FAKE_COLUMNS_MAX + 1]);

#endif
