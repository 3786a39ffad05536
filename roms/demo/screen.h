/*
 * What stays on the screen: the header with the doppel name, and the status line under it. The rows below
 * belong to the console.
 */
#ifndef DEMO_SCREEN_H
#define DEMO_SCREEN_H

#include <stdbool.h>

#include "vga.h"

#define SCREEN_HEADER_ROWS 6
#define SCREEN_STATUS_ROW  SCREEN_HEADER_ROWS
#define SCREEN_BODY_ROW    (SCREEN_STATUS_ROW + 1)
#define SCREEN_BODY_ROWS   (VGA_ROWS - SCREEN_BODY_ROW)

#define LOGO_WIDTH  44 /* with the shadow */
#define LOGO_HEIGHT 10

enum logo_pixel { LOGO_NOTHING, LOGO_SHADOW, LOGO_LETTER };

/* The word mark: letters with a second self one pixel down and to the right. */
enum logo_pixel screen_logo_pixel(unsigned x, unsigned y);

void screen_draw_header(void);

/* Redraws the status line if the second changed since it was last drawn. Not for interrupt handlers. */
void screen_update_status(void);

#endif
