/* Draws the guest's screen with a terminal's control sequences.
 *
 * Pure: frames in, bytes out; it remembers what the terminal shows and sends only what differs. The last line
 * of the terminal is the status line. A text screen is drawn cell by cell, the part around the cursor when it
 * does not fit; graphics are drawn with upper half blocks, two pixels a cell. Sequences: ECMA-48 (CUP, SGR),
 * xterm's ctlseqs.txt (24-bit colour, cursor visibility). The terminal is expected to understand UTF-8 and to
 * have auto-wrap off.
 *
 * NOT IMPLEMENTED: blinking (the adapter's frame decides which phase is shown), sixel graphics. */
#ifndef DOPPEL_UI_TTY_PAINTER_H
#define DOPPEL_UI_TTY_PAINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/display.h"
#include "ui/tty_output.h"

enum tty_colours { TTY_COLOURS_16, TTY_COLOURS_256, TTY_COLOURS_TRUE };

/* What the terminal can show, from the variables COLORTERM and TERM (either may be NULL). */
enum tty_colours tty_colours_from_environment(const char *colorterm, const char *term);

struct tty_painter;

/* NULL when out of memory. Has no size yet. */
struct tty_painter *tty_painter_create(enum tty_colours colours);
void tty_painter_destroy(struct tty_painter *painter); /* NULL is allowed */

/* Says how large the terminal is (1..1000 each; more is not used). Everything will be drawn anew. False when
 * out of memory: the old size stays. */
bool tty_painter_resize(struct tty_painter *painter, unsigned columns, unsigned rows);

/* The terminal was written to by others: draw everything anew. */
void tty_painter_invalidate(struct tty_painter *painter);

/* Appends what makes the terminal show `frame` and, in its last line, `status` (ASCII) followed by the
 * screen's size or, when the terminal is too small, by which part is shown. */
void tty_painter_draw(struct tty_painter *painter, const struct display_frame *frame, const char *status,
                      struct tty_output *output);

#endif
