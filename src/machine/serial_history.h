/* The last bytes a serial port has sent, numbered from power-on, for whoever waits for a text in them. */
#ifndef DOPPEL_MACHINE_SERIAL_HISTORY_H
#define DOPPEL_MACHINE_SERIAL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define SERIAL_HISTORY_SIZE 65536u /* a power of two */

struct serial_history {
    uint64_t sent; /* bytes since power-on */
    uint8_t bytes[SERIAL_HISTORY_SIZE];
};

static inline void serial_history_append(struct serial_history *history, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        history->bytes[history->sent++ % SERIAL_HISTORY_SIZE] = bytes[i];
    }
}

/* Copies up to `size` bytes from number *from on; returns how many. *from moves up to the oldest byte that is
 * kept. */
static inline size_t serial_history_copy(const struct serial_history *history, uint64_t *from, uint8_t *to,
                                         size_t size)
{
    uint64_t oldest = history->sent > SERIAL_HISTORY_SIZE ? history->sent - SERIAL_HISTORY_SIZE : 0;
    *from = *from < oldest ? oldest : *from > history->sent ? history->sent : *from;
    size_t length = 0;
    while (length < size && *from + length < history->sent) {
        to[length] = history->bytes[(*from + length) % SERIAL_HISTORY_SIZE];
        length++;
    }
    return length;
}

#endif
