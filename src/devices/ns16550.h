/* A 16550A serial port (National Semiconductor PC16550D datasheet).
 *
 * Eight ports from `base`; the crystal is the PC's 1.8432 MHz. Characters take the time that divisor, word
 * length, parity and stop bits give, in both directions. What the host receives, it receives when a
 * character's last stop bit has been sent. Optionally the host takes characters the moment they are written,
 * so that a guest's console costs it no time: to software that is a line of unlimited speed.
 *
 * Received bytes wait in a buffer in front of the chip and enter it at line speed while there is room in its
 * FIFO, as from a peer that honours hardware handshake: nothing that the host sends is lost. Overrun happens
 * in loopback only.
 *
 * Modem inputs: CTS, DSR and DCD are asserted while something is plugged in (ns16550_set_connected), RI
 * never. Outside loopback the interrupt reaches the line only while OUT2 is set, as on a PC.
 *
 * NOT IMPLEMENTED: parity and framing errors, received breaks (loopback shows them), DMA mode pins, 5-bit
 * words with 1.5 stop bits (taken as 2). */
#ifndef DOPPEL_DEVICES_NS16550_H
#define DOPPEL_DEVICES_NS16550_H

#include "devices/device.h"

struct ns16550;

struct ns16550_config {
    const char *name; /* "serial0": static string */
    uint16_t base;
    struct irq_line irq;
    void (*transmit)(void *opaque, uint8_t byte); /* NULL: bytes are dropped */
    /* Whether a byte may be transmitted the moment it is written, asked for each; NULL: never. */
    bool (*takes_at_once)(void *opaque);
    void *opaque;
    bool connected; /* CTS, DSR, DCD at power-on */
};

/* Errors: ports taken, out of memory. */
struct status ns16550_create(const struct device_host *host, const struct ns16550_config *config,
                             struct ns16550 **uart) STATUS_MUST_CHECK;

struct device *ns16550_device(struct ns16550 *uart);

/* How many bytes ns16550_receive() takes now. */
size_t ns16550_room(const struct ns16550 *uart);

/* Bytes from the host; what exceeds ns16550_room() is lost. */
void ns16550_receive(struct ns16550 *uart, const uint8_t *bytes, size_t length);

/* Changes CTS, DSR and DCD. */
void ns16550_set_connected(struct ns16550 *uart, bool connected);

#endif
