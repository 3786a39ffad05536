/* A terminal for tests; see fake_terminal.h. */
#include "fake_terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_COLOUR 0xFFFFFFFF

static void clear(struct fake_terminal *terminal)
{
    for (unsigned row = 0; row < FAKE_ROWS_MAX; row++) {
        for (unsigned column = 0; column < FAKE_COLUMNS_MAX; column++) {
            terminal->cells[row][column] = (struct fake_cell){' ', DEFAULT_COLOUR, terminal->background};
        }
    }
}

void fake_terminal_init(struct fake_terminal *terminal, unsigned columns, unsigned rows)
{
    memset(terminal, 0, sizeof *terminal);
    terminal->columns = columns;
    terminal->rows = rows;
    terminal->foreground = DEFAULT_COLOUR;
    terminal->background = DEFAULT_COLOUR;
    terminal->cursor_shown = true;
    terminal->auto_wrap = true;
    clear(terminal);
}

static void put(struct fake_terminal *terminal, uint32_t codepoint)
{
    if (terminal->column < terminal->columns && terminal->row < terminal->rows) {
        terminal->cells[terminal->row][terminal->column] =
            (struct fake_cell){codepoint, terminal->foreground, terminal->background};
    }
    terminal->cells_written++;
    /* A suit or an arrow is two cells wide here, as in some terminals: the painter must not rely on either
     * width. */
    bool wide = codepoint >= 0x2190 && codepoint < 0x2500;
    terminal->column += wide ? 2 : 1;
    if (terminal->column >= terminal->columns) {
        terminal->column = terminal->columns - 1;
    }
}

/* SGR with numbers[0..count). */
static bool set_colours(struct fake_terminal *terminal, const unsigned *numbers, unsigned count)
{
    bool background = numbers[0] == 48 || (numbers[0] >= 40 && numbers[0] <= 47) || numbers[0] >= 100;
    uint32_t colour;
    if (numbers[0] == 0 && count <= 1) {
        terminal->foreground = DEFAULT_COLOUR;
        terminal->background = DEFAULT_COLOUR;
        return true;
    }
    if ((numbers[0] == 38 || numbers[0] == 48) && count == 5 && numbers[1] == 2) {
        colour = 0x01000000 | numbers[2] << 16 | numbers[3] << 8 | numbers[4];
    } else if ((numbers[0] == 38 || numbers[0] == 48) && count == 3 && numbers[1] == 5) {
        colour = numbers[2];
    } else if (count == 1 &&
               ((numbers[0] >= 30 && numbers[0] <= 37) || (numbers[0] >= 40 && numbers[0] <= 47))) {
        colour = numbers[0] % 10;
    } else if (count == 1 &&
               ((numbers[0] >= 90 && numbers[0] <= 97) || (numbers[0] >= 100 && numbers[0] <= 107))) {
        colour = numbers[0] % 10 + 8;
    } else {
        return false;
    }
    *(background ? &terminal->background : &terminal->foreground) = colour;
    return true;
}

static bool set_mode(struct fake_terminal *terminal, unsigned mode, bool on)
{
    switch (mode) {
    case 7: terminal->auto_wrap = on; return true;
    case 25: terminal->cursor_shown = on; return true;
    case 1049: terminal->alternate = on; return true;
    case 2004: terminal->bracketed_paste = on; return true;
    default: return false;
    }
}

/* terminal->sequence holds what follows "ESC [", final byte included. */
static bool run_sequence(struct fake_terminal *terminal)
{
    const char *at = terminal->sequence;
    char final = at[terminal->sequence_length - 1];
    bool is_private = *at == '?';
    at += is_private;
    unsigned numbers[8] = {0}, count = 0;
    while (*at >= '0' && *at <= '9' && count < 8) {
        numbers[count++] = (unsigned)strtoul(at, (char **)&at, 10);
        at += *at == ';';
    }
    if (at != terminal->sequence + terminal->sequence_length - 1) {
        return false;
    }
    if (is_private) {
        return count == 1 && (final == 'h' || final == 'l') && set_mode(terminal, numbers[0], final == 'h');
    }
    switch (final) {
    case 'H':
        terminal->row = numbers[0] ? numbers[0] - 1 : 0;
        terminal->column = numbers[1] ? numbers[1] - 1 : 0;
        return terminal->row < terminal->rows && terminal->column < terminal->columns;
    case 'J': clear(terminal); return numbers[0] == 2;
    case 'm': return set_colours(terminal, numbers, count);
    default: return false;
    }
}

static bool feed_byte(struct fake_terminal *terminal, uint8_t byte)
{
    if (terminal->escaped) {
        terminal->escaped = false;
        terminal->in_sequence = byte == '[';
        terminal->sequence_length = 0;
        return byte == '[';
    }
    if (terminal->in_sequence) {
        if (terminal->sequence_length >= sizeof terminal->sequence - 1) {
            return false;
        }
        terminal->sequence[terminal->sequence_length++] = (char)byte;
        terminal->sequence[terminal->sequence_length] = '\0';
        terminal->in_sequence = byte < 0x40 || byte > 0x7E;
        return terminal->in_sequence || run_sequence(terminal);
    }
    if (terminal->partial_left > 0) {
        terminal->partial = terminal->partial << 6 | (byte & 0x3F);
        if (--terminal->partial_left == 0) {
            put(terminal, terminal->partial);
        }
        return (byte & 0xC0) == 0x80;
    }
    if (byte == '\x1b') {
        terminal->escaped = true;
        return true;
    }
    if (byte >= 0xC0) {
        terminal->partial_left = byte >= 0xE0 ? 2 : 1;
        terminal->partial = byte & (byte >= 0xE0 ? 0x0F : 0x1F);
        return byte < 0xF0;
    }
    if (byte < 0x20 || byte >= 0x7F) {
        return false;
    }
    put(terminal, byte);
    return true;
}

bool fake_terminal_feed(struct fake_terminal *terminal, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!feed_byte(terminal, (uint8_t)bytes[i])) {
            fprintf(stderr, "byte %zu of %zu (%02X) is not understood\n", i, length, (uint8_t)bytes[i]);
            return false;
        }
    }
    return true;
}

const char *fake_terminal_row(const struct fake_terminal *terminal, unsigned row,
                              char to[FAKE_COLUMNS_MAX + 1])
{
    unsigned end = 0;
    for (unsigned column = 0; column < terminal->columns; column++) {
        uint32_t codepoint = terminal->cells[row][column].codepoint;
        to[column] = codepoint < 0x80 ? (char)codepoint : '?';
        end = to[column] != ' ' ? column + 1 : end;
    }
    to[end] = '\0';
    return to;
}
