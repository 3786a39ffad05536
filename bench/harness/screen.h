/* What a guest on QEMU or Bochs has on its text screen, for guests that say nothing on a port. The emulator
 * saves the screen's memory into a file of the run's directory: QEMU when its monitor, a socket there, is
 * asked to, fifty times a second; Bochs by commands of its debugger, which command.c writes. Both cost the
 * guest little.
 *
 * NOT IMPLEMENTED: graphics modes; screens that do not begin at B8000h. */
#ifndef DOPPEL_BENCH_HARNESS_SCREEN_H
#define DOPPEL_BENCH_HARNESS_SCREEN_H

#include <stdbool.h>

#define SCREEN_FILE    "screen"
#define SCREEN_ADDRESS 0xb8000u
#define SCREEN_SIZE    4000u /* 80 x 25 characters with attributes */

struct screen {
    const char *work;
    bool has_monitor;
    int socket; /* -1: not connected yet */
};

/* `work` is borrowed. `has_monitor`: the emulator saves the screen when it is asked to. */
void screen_open(struct screen *screen, const char *work, bool has_monitor);
void screen_close(struct screen *screen);

/* Whether `text` was on the screen when it was last saved; asks for the next time. Never waits. */
bool screen_shows(struct screen *screen, const char *text);

#endif
