/* A process that watches over the terminal while doppel has it: when doppel dies without giving it back (a
 * bug of ours, kill -9), the terminal gets its settings and its screen again.
 *
 * It is a child that sleeps at the end of a pipe, so that it needs no signal handler, no state that one could
 * find, and nothing of what has just gone wrong. It holds nothing open but the pipe and the terminal. */
#ifndef DOPPEL_UI_TTY_GUARD_H
#define DOPPEL_UI_TTY_GUARD_H

#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

struct tty_guard {
    pid_t process; /* 0: there is none */
    int pipe;      /* to it */
};

/* `settings` and `bytes` are what the terminal at `fd` would get back. Without processes or descriptors to
 * spare there is no guard. */
void tty_guard_start(struct tty_guard *guard, int fd, const struct termios *settings, const char *bytes,
                     size_t length);

/* The terminal is not doppel's any more. */
void tty_guard_end(struct tty_guard *guard);

#endif
