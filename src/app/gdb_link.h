/* The stream that gdb comes by (-gdb, -s), and the server behind it. */
#ifndef DOPPEL_APP_GDB_LINK_H
#define DOPPEL_APP_GDB_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "chardev/char_device.h"

struct gdb_link;
struct machine;
struct monitor;

/* Listens on what -gdb names: tcp:HOST:PORT (without HOST on this host only) or unix:PATH, or takes stdio, or
 * anything else that a serial port can have. Machine and monitor are borrowed. */
struct status gdb_link_open(const char *specification, struct machine *machine, struct monitor *monitor,
                            struct gdb_link **link) STATUS_MUST_CHECK;

/* Before the monitor is destroyed. Here and below: NULL is allowed, and nothing happens. */
void gdb_link_close(struct gdb_link *link);

/* What to wait for. */
size_t gdb_link_poll_fds(const struct gdb_link *link, struct pollfd fds[CHAR_DEVICE_MAX_FDS]);

/* Takes what gdb says and tells it of stops. Between slices of machine_run(), and when a descriptor is ready;
 * every 10 ms while gdb_link_is_busy(). */
void gdb_link_poll(struct gdb_link *link);
bool gdb_link_is_busy(const struct gdb_link *link);

/* While gdb waits for something that is searched for: whether it has changed its mind, or gone. */
bool gdb_link_interrupts(struct gdb_link *link);

/* The guest has switched the machine off. */
void gdb_link_note_power_off(struct gdb_link *link, int exit_status);

/* gdb has asked for the end of the program. */
bool gdb_link_wants_quit(const struct gdb_link *link);

#endif
