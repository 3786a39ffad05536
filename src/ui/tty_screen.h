/* The front end that shows the guest's screen in a terminal (-display tty).
 *
 * The terminal is used through a descriptor of its own, so that O_NONBLOCK is not seen by other processes. It
 * is in raw mode on its alternate screen until the front end is suspended or destroyed; since keys like
 * Ctrl+C go to the guest, signals come from elsewhere only, and the owner gets them through quit_signals.h
 * and then destroys the front end.
 *
 * Ctrl+] is the key for doppel itself: Ctrl+] and then q quits, m stops and shows the monitor, s saves a
 * screenshot, d presses Ctrl+Alt+Delete, h shows the choices, Ctrl+] presses itself.
 *
 * NOT IMPLEMENTED: the mouse; terminals that are not UTF-8. */
#ifndef DOPPEL_UI_TTY_SCREEN_H
#define DOPPEL_UI_TTY_SCREEN_H

#include "ui/front_end.h"

/* `path`: the terminal's device, NULL for the one that standard output is. See front_end_create(). */
struct status tty_screen_create(const char *path, const struct front_end_host *host,
                                struct front_end **front_end) STATUS_MUST_CHECK;

#endif
