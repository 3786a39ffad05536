/* What a guest on QEMU has on its text screen, asked from QEMU's monitor through a socket in the run's
 * directory. Only for guests that say nothing on a port; asking ten times a second costs the guest little.
 *
 * NOT IMPLEMENTED: graphics modes; screens that do not begin at B8000h. */
#ifndef DOPPEL_BENCH_HARNESS_SCREEN_H
#define DOPPEL_BENCH_HARNESS_SCREEN_H

#include <stdbool.h>

struct screen {
    const char *work;
    int socket; /* -1: not connected yet */
};

/* `work` is borrowed. */
void screen_open(struct screen *screen, const char *work);
void screen_close(struct screen *screen);

/* Whether `text` was on the screen when it was last asked for; asks for the next time. Never waits. */
bool screen_shows(struct screen *screen, const char *text);

#endif
