/* Host byte streams behind serial ports, the debug console and the monitor: stdio, files, pseudo-terminals,
 * TCP and unix sockets.
 *
 * A stream never blocks the machine: bytes that the host does not take at once are queued up to a limit.
 * Reading is pulled by the machine when the host says that bytes are there (char_device_poll_fds /
 * char_device_poll).
 *
 * What happens when nobody takes the output:
 *   none, null   everything is discarded
 *   file         nothing is ever dropped, short of a full disk; a write may take as long as the disk does
 *   stdio        1 MiB is queued, then new bytes are dropped
 *   pty, sockets with nobody connected everything is dropped, as on a cable that is not plugged in; with a
 *                reader who is too slow, 64 KiB are queued and then new bytes are dropped
 *
 * NOT IMPLEMENTED: telnet negotiation, reconnecting clients, modem lines, a server that waits for its client
 * before the guest starts. */
#ifndef DOPPEL_CHARDEV_CHAR_DEVICE_H
#define DOPPEL_CHARDEV_CHAR_DEVICE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define CHAR_DEVICE_MAX_FDS 2

struct char_device;

/* Who gets bytes that arrive from the host. Neither function may close the device; both may write to it. */
struct char_sink {
    /* How many bytes the receiver takes now (a UART's FIFO room). */
    size_t (*room)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *bytes, size_t length);
    void *opaque;
};

/* Opens what a -serial option names:
 *   none, null          nothing arrives, output is discarded
 *   stdio               the process's standard input and output; one device only can have them. A terminal is
 * put into raw mode, except that Ctrl+C, Ctrl+\ and Ctrl+Z still send their signals to the process file:PATH
 * output to a file that is created or emptied pty                 a new pseudo-terminal tcp:HOST:PORT
 * connects (waits at most 10 s); an empty host is this one, [::1]:PORT is IPv6 tcp:HOST:PORT,server listens,
 * one client at a time; port 0 lets the host choose unix:PATH[,server]  the same over a unix socket, which is
 * removed at the end `server=on`, `server=off`, `nowait` and `wait=off` are understood too. Anything else is
 * an error that lists what is known. A message for the user (the pty's name, the address that is listened on)
 * goes to `notice` (>= 256 bytes), empty if none. */
struct status char_device_open(const char *specification, struct char_device **device, char *notice,
                               size_t notice_size) STATUS_MUST_CHECK;

/* Keeps everything written, for wait-serial and tests; what arrives is what char_device_memory_inject() was
 * given. NULL when out of memory. */
struct char_device *char_device_create_memory(void);

/* Everything written to a memory device so far; valid until the next write. */
const uint8_t *char_device_memory_written(const struct char_device *device, size_t *length);

/* Makes bytes arrive at a memory device: the sink gets them in char_device_poll() as it has room. False when
 * out of memory. */
bool char_device_memory_inject(struct char_device *device, const uint8_t *bytes, size_t length);

/* Hands queued output to the host as far as it takes it within half a second, restores the terminal, frees.
 * NULL is allowed. */
void char_device_close(struct char_device *device);

/* `sink` is copied; NULL or no call at all: nothing is read from the host. */
void char_device_set_sink(struct char_device *device, const struct char_sink *sink);

/* Queues bytes for the host; never blocks (files: see above). */
void char_device_write(struct char_device *device, const uint8_t *bytes, size_t length);

/* Whether the host takes output as fast as it comes: a writer that can be slower should be when it does not.
 */
bool char_device_keeps_up(const struct char_device *device);

/* What to wait for with poll(): fills `fds` and returns how many. Input that the sink has no room for is not
 * waited for, so ask again before every wait. Readers that come and go on a pty are noticed by
 * char_device_poll() only. */
size_t char_device_poll_fds(const struct char_device *device, struct pollfd fds[CHAR_DEVICE_MAX_FDS]);

/* The file descriptor to poll for input, -1 when there is none now. `wants_write` says that output is queued;
 * char_device_poll_fds() also says on which descriptor. */
int char_device_poll_fd(const struct char_device *device, bool *wants_write);

/* Moves what can be moved in both directions. Call when an fd is ready, and every now and then. */
void char_device_poll(struct char_device *device);

/* Which peer a stream is connected to: each one of a server has a number of its own; other streams have one,
 * from the beginning to the end of input. 0: none now. Changes in char_device_poll() only. */
uint64_t char_device_connection(const struct char_device *device);

/* Output bytes that were dropped so far: see the policy above. */
uint64_t char_device_dropped(const struct char_device *device);

/* The first failure of the host that lost output (disk full, standard output closed); STATUS_OK while there
 * was none. A client that went away is no failure. */
struct status char_device_status(const struct char_device *device);

#endif
