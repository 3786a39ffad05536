/* Host byte streams behind serial ports, the debug console and the monitor: stdio, files, pseudo-terminals,
 * TCP.
 *
 * A stream never blocks the machine: bytes that the host does not take at once are queued up to a limit.
 * Reading is pulled by the machine when the host says that bytes are there (char_device_poll_fd /
 * char_device_poll). */
#ifndef DOPPEL_CHARDEV_CHAR_DEVICE_H
#define DOPPEL_CHARDEV_CHAR_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct char_device;

/* Who gets bytes that arrive from the host. */
struct char_sink {
    /* How many bytes the receiver takes now (a UART's FIFO room). */
    size_t (*room)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *bytes, size_t length);
    void *opaque;
};

/* Opens what a -serial option names: "none", "null", "stdio", "file:PATH", "pty",
 * "tcp:HOST:PORT[,server[,nowait]]", "pipe-less" forms are errors with a list of what is known. A message for
 * the user (the pty's name) goes to `notice` (>= 256 bytes), empty if none. */
struct status char_device_open(const char *specification, struct char_device **device, char *notice,
                               size_t notice_size) STATUS_MUST_CHECK;

/* Keeps everything written, for wait-serial and tests; nothing arrives. */
struct char_device *char_device_create_memory(void);

void char_device_close(struct char_device *device); /* NULL is allowed; restores the terminal */

void char_device_set_sink(struct char_device *device, const struct char_sink *sink);

/* Queues bytes for the host; never blocks. */
void char_device_write(struct char_device *device, const uint8_t *bytes, size_t length);

/* The file descriptor to poll for input, -1 when there is none now. `wants_write` says that output is queued.
 */
int char_device_poll_fd(const struct char_device *device, bool *wants_write);

/* Moves what can be moved in both directions. Call when the fd is ready, and every now and then. */
void char_device_poll(struct char_device *device);

#endif
