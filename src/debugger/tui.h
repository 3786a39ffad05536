/* The debugger's screen: code, registers, stack, memory, breakpoints, the guest's screen and the monitor's
 * console side by side in a terminal (-debug).
 *
 * It stands between the machine and a front end that shows text (front_end.h): to the front end it is a
 * display and takes keys, so that raw mode, signals, resizing and drawing by difference are the front end's.
 * While the user looks at the guest's own screen, both pass through to the machine.
 *
 *   tui_layout.c   which pane is where, for a size
 *   tui_canvas.c   text into cells
 *   tui_code.c     the code pane: which instruction is on which line
 *   tui_panes.c    what is in the other panes
 *   tui_line.c     the command line: editing and history
 *   tui_console.c  what commands have printed
 *   tui_keys.c     what keys do
 *   tui.c          the rest
 *
 * All functions belong to the machine's thread.
 *
 * NOT IMPLEMENTED: the mouse; watched expressions; 64-bit addresses. */
#ifndef DOPPEL_DEBUGGER_TUI_H
#define DOPPEL_DEBUGGER_TUI_H

#include <stdbool.h>
#include <stdio.h>

#include "ui/front_end.h"

struct monitor;
struct tui;

/* What the user asks for by keys. */
typedef void tui_request(void *opaque, enum front_end_request request);

/* `monitor` is borrowed and gets a session for the command line; it outlives the tui. NULL when out of
 * memory. */
struct tui *tui_create(struct monitor *monitor, tui_request *request, void *opaque);
void tui_destroy(struct tui *tui); /* NULL is allowed */

/* What a front end gets in place of the machine's. */
const struct display_source *tui_display(const struct tui *tui);
const struct input_sink *tui_input(const struct tui *tui);
bool tui_input_ready(struct tui *tui);

/* The cells there are; the layout follows. */
void tui_resize(struct tui *tui, unsigned columns, unsigned rows);

/* What the line below the panes says. Valid until the next call. */
const char *tui_status(struct tui *tui);

/* Leaves the guest's screen for the panes, and stops the machine if it runs. */
void tui_show(struct tui *tui);

/* The debugger has stopped the machine (monitor_note_run()). */
void tui_note_stop(struct tui *tui);

/* Where the output of scripts is shown. */
FILE *tui_output(struct tui *tui);

/* For the errors that end a script, and with it doppel: tui_destroy() writes them to standard error. */
FILE *tui_errors(struct tui *tui);

#endif
