/* What a display adapter shows, as plain data that any front end can draw.
 *
 * The adapter fills a `struct display_frame` on request; front ends (SDL window, terminal, PNG file, the
 * monitor's screen waits) read it. Pixels are always present; text cells only while a text mode is on. */
#ifndef DOPPEL_UI_DISPLAY_H
#define DOPPEL_UI_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISPLAY_MAX_COLUMNS 256
#define DISPLAY_MAX_ROWS    128

/* One character cell: the byte from display memory and its colours after palette look-up. */
struct display_cell {
    uint8_t character;   /* code page 437 */
    uint8_t attribute;   /* as in display memory */
    uint32_t foreground; /* 0x00RRGGBB */
    uint32_t background; /* 0x00RRGGBB */
};

struct display_text {
    bool active;      /* a text mode is on; otherwise the rest is meaningless */
    uint16_t columns; /* <= DISPLAY_MAX_COLUMNS */
    uint16_t rows;    /* <= DISPLAY_MAX_ROWS */
    bool cursor_visible;
    uint16_t cursor_column, cursor_row;
    struct display_cell cells[DISPLAY_MAX_ROWS][DISPLAY_MAX_COLUMNS];
};

struct display_frame {
    uint32_t width, height; /* in pixels; 0 x 0 while the display is off */
    uint32_t stride;        /* pixels from one row to the next */
    /* Shape of one pixel: 4:3 correction for a front end, e.g. 320x200 is shown 4:3. Width:height of the
     * whole picture on a monitor. */
    uint32_t aspect_width, aspect_height;
    uint32_t *pixels;    /* 0x00RRGGBB, owned by the frame */
    uint64_t capacity;   /* pixels allocated */
    uint64_t generation; /* changes when the contents changed */
    struct display_text text;
};

/* Makes room for width x height pixels (contents undefined afterwards). False when out of memory: the frame
 * keeps its old size. */
bool display_frame_resize(struct display_frame *frame, uint32_t width, uint32_t height);
void display_frame_release(struct display_frame *frame);

/* Makes `to` show what `from` shows. False when out of memory: `to` is unchanged. */
bool display_frame_copy(struct display_frame *to, const struct display_frame *from);

/* The text screen as UTF-8 lines with trailing blanks removed, '\n' after each row; 0-terminated. `size` >= 1
 * bytes. Returns the length that was needed without the terminator. Empty when no text mode is active. */
size_t display_text_to_utf8(const struct display_text *text, char *to, size_t size);

/* Code page 437 to Unicode (0x00 becomes a space, control codes their pictures). */
uint32_t display_cp437_to_unicode(uint8_t character);

/* Where frames come from. */
struct display_source {
    /* Draws the present picture. `force` redraws all; otherwise an unchanged picture may leave
     * frame->generation as it is. */
    void (*render)(void *opaque, struct display_frame *frame, bool force);
    /* Brings frame->text up to date and nothing else, for who only reads it: drawing takes much longer. */
    void (*read_text)(void *opaque, struct display_frame *frame);
    void *opaque;
};

#endif
