/* SIGINT, SIGTERM and SIGHUP as something to poll for, so that a terminal and files are put back in order
 * before the process ends. No handler and no global state: the signals are blocked and read from a descriptor
 * (signalfd(2)). */
#ifndef DOPPEL_UI_QUIT_SIGNALS_H
#define DOPPEL_UI_QUIT_SIGNALS_H

#include <stdbool.h>

#include "base/status.h"

/* Blocks the signals in the calling thread, and so in every thread that it starts afterwards: call it early
 * in main(). The descriptor polls readable when one arrived. Signals that were ignored when the process
 * started (nohup) stay ignored. */
struct status quit_signals_open(int *fd) STATUS_MUST_CHECK;

/* Takes one signal that arrived and stores its number; false when there is none. */
bool quit_signals_take(int fd, int *signal_number);

/* Closes the descriptor; the signals stay blocked. */
void quit_signals_close(int fd);

#endif
