/* The front end that shows the guest's screen in a window (-display sdl). Built with DOPPEL_SDL and SDL 2
 * only.
 *
 * The window lives on the main thread (front_end_run()); the machine's thread reaches it through a
 * frame_exchange and an input_queue only. Keys are taken by position, whatever the host's layout. A click
 * grabs the mouse, Ctrl+Alt+G lets it go, Ctrl+Alt+F is full screen, Ctrl+Alt+M stops and shows the monitor,
 * Ctrl+Alt+S saves a screenshot; closing the window quits. Keys held when the window loses the focus are
 * released.
 *
 * One window per process, as SDL's own state is global.
 *
 * NOT IMPLEMENTED: pasting, absolute pointing, several screens. */
#ifndef DOPPEL_UI_SDL_WINDOW_H
#define DOPPEL_UI_SDL_WINDOW_H

#include "ui/front_end.h"

/* See front_end_create(). */
struct status sdl_window_create(const struct front_end_host *host,
                                struct front_end **front_end) STATUS_MUST_CHECK;

#endif
