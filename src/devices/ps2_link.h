/* The cable between a PS/2 port of the keyboard controller and the keyboard or mouse plugged into it, as a
 * value.
 *
 * The device keeps what it has to say until the controller takes it, one byte at a time (the controller holds
 * the clock line low in between), and raises its request line while it has bytes. A zeroed link is an empty
 * socket. */
#ifndef DOPPEL_DEVICES_PS2_LINK_H
#define DOPPEL_DEVICES_PS2_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ps2_link {
    /* The host sends a byte to the device. */
    void (*send)(void *opaque, uint8_t byte);
    /* Takes the device's next byte; false when it has none. */
    bool (*take)(void *opaque, uint8_t *byte);
    void *opaque;
};

#endif
