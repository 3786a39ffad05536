/* Bytes on their way to a terminal: a buffer that grows, appended to by the painter, drained by the screen.
 */
#ifndef DOPPEL_UI_TTY_OUTPUT_H
#define DOPPEL_UI_TTY_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is an empty buffer. */
struct tty_output {
    char *bytes;
    size_t length, capacity;
    bool failed; /* out of memory: something is missing, the screen has to be drawn again */
};

void tty_output_put(struct tty_output *output, const char *bytes, size_t length);
void tty_output_print(struct tty_output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets the first `length` bytes. */
void tty_output_consume(struct tty_output *output, size_t length);
void tty_output_release(struct tty_output *output);

#endif
