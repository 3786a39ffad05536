/*
 * The conversation with the person: text goes to the rows below the header and to the serial line, keys come
 * from the keyboard and the serial line.
 */
#ifndef DEMO_CONSOLE_H
#define DEMO_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "keyboard.h"
#include "vga.h"

/* For console_read_key and console_wait_for_input: no end. */
#define CONSOLE_FOREVER UINT32_MAX

/* What console_restore_view needs: the screen below the header, the cursor and the colour. */
struct console_view {
    uint16_t cells[VGA_ROWS * VGA_COLUMNS];
    unsigned row;
    unsigned column;
    uint8_t attribute;
};

void console_init(void);

/* The screen as it is, and back; the serial line only gets a new line if one is open. */
void console_save_view(struct console_view *view);
void console_restore_view(const struct console_view *view);

/* Colours of what is printed from now on; the serial line has none. */
void console_set_color(enum vga_color foreground, enum vga_color background);

/* Light gray on black. */
void console_reset_color(void);

/* Empties the rows below the header with the current colour; a new line on the serial line if one is open. */
void console_clear(void);

void console_put(char character);

/* text_format's conversions. */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same in a colour on black. */
void console_print_in(enum vga_color foreground, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts a new line unless the cursor is at the beginning of one. */
void console_fresh_line(void);

/*
 * The next key (enum key or a character) from keyboard or serial line, sleeping until there is one; KEY_NONE
 * after the given number of ticks. Keeps the status line going.
 */
int console_read_key(uint32_t ticks);

/* True, and the key is gone, if Esc or Ctrl-C is waiting. Other keys stay. */
bool console_poll_break(void);

/* Sleeps up to ticks for anything to arrive, a key or not: for who reads the keyboard's events directly. */
void console_wait_for_input(uint32_t ticks);

/*
 * Editing a line on the current row, from the current column on. console_begin_line, then console_show_line
 * for every change: text has to fit in the row, cursor is an index into it or its length.
 */
void console_begin_line(void);
void console_show_line(const char *text, unsigned cursor);

#endif
