/* Screens as PNG files: the monitor's screendump, the screenshot keys and the tests' evidence. */
#ifndef DOPPEL_UI_PNG_FILE_H
#define DOPPEL_UI_PNG_FILE_H

#include "base/status.h"
#include "ui/display.h"

/* Writes the frame's pixels, as they are (no aspect correction), as an 8-bit RGB PNG. An existing file is
 * replaced; on failure no partial file stays. A 0 x 0 frame is an error: the screen is off. */
struct status png_file_write(const char *path, const struct display_frame *frame) STATUS_MUST_CHECK;

#define SCREENSHOT_NAME_MAX 64

/* Writes the frame to doppel-YYYYMMDD-HHMMSS.png (local time) in the current directory, with -2, -3 … before
 * the dot when that exists, and stores the name chosen. */
struct status png_file_write_screenshot(const struct display_frame *frame,
                                        char name[SCREENSHOT_NAME_MAX]) STATUS_MUST_CHECK;

#endif
