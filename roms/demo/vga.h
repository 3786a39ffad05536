/*
 * The display adapter: 80x25 text with a copy of the screen in memory, and a way to mode 13h and back.
 *
 * Attributes are IBM's: low four bits the foreground, high four the background (blinking is off: 16 of each).
 */
#ifndef DEMO_VGA_H
#define DEMO_VGA_H

#include <stdbool.h>
#include <stdint.h>

#define VGA_COLUMNS       80
#define VGA_ROWS          25
#define VGA_PIXELS_ACROSS 320
#define VGA_PIXELS_DOWN   200
#define VGA_PIXELS        (VGA_PIXELS_ACROSS * VGA_PIXELS_DOWN)

enum vga_color {
    VGA_BLACK,
    VGA_BLUE,
    VGA_GREEN,
    VGA_CYAN,
    VGA_RED,
    VGA_MAGENTA,
    VGA_BROWN,
    VGA_LIGHT_GRAY,
    VGA_DARK_GRAY,
    VGA_LIGHT_BLUE,
    VGA_LIGHT_GREEN,
    VGA_LIGHT_CYAN,
    VGA_LIGHT_RED,
    VGA_PINK,
    VGA_YELLOW,
    VGA_WHITE,
};

static inline uint8_t vga_attribute(enum vga_color foreground, enum vga_color background)
{
    return (uint8_t)(foreground | background << 4);
}

/* Expects BIOS mode 3. On a VGA: 16 backgrounds, our palette, a low block cursor. */
void vga_init(bool is_vga);

/* One cell; in graphics modes it shows after the return to text. */
void vga_put(unsigned row, unsigned column, char character, uint8_t attribute);

void vga_fill(unsigned first_row, unsigned rows, uint8_t attribute);

/* Moves rows [first_row + 1, first_row + rows) up by one and clears the last with attribute. */
void vga_scroll(unsigned first_row, unsigned rows, uint8_t attribute);

void vga_set_cursor(unsigned row, unsigned column);

/* The screen as it is, and back: cells points to VGA_ROWS * VGA_COLUMNS. */
void vga_save_cells(uint16_t *cells);
void vga_restore_cells(const uint16_t *cells);

/* 320x200 in 256 colours, black. False if the adapter is no VGA. */
bool vga_enter_graphics(void);

/* Back to the text screen: registers, palette and font as they were. */
void vga_leave_graphics(void);

/* Mode 13h only: shows VGA_PIXELS bytes. */
void vga_show_pixels(const uint8_t *pixels);

/* Palette entry, 6 bits a channel. */
void vga_set_color(uint8_t index, uint8_t red, uint8_t green, uint8_t blue);

#endif
