/* gdb's remote serial protocol ("Debugging with GDB", appendix E): the machine as a target with one thread.
 *
 * The server knows no sockets. Whoever has the connection says when a gdb comes and goes, hands over what it
 * sends, and takes what is to be sent to it; then gdb_server_poll() between slices of machine_run() tells gdb
 * that the guest has stopped. Breakpoints and running are debugger.h's; the monitor may do the same beside
 * gdb, and gdb is told of every stop that it waits for, whoever caused it.
 *
 *   addresses    are linear ones, pc and sp too (gdb_registers.h)
 *   attaching    the first packet of a connection stops the guest; a connection without packets does nothing
 *   detaching    takes gdb's breakpoints away and lets the guest run; a connection that breaks off takes them
 *                away, and leaves the guest running or stopped
 *   kill         ends the program
 *   monitor …    the line is carried out by the monitor; what lets the guest run there is not seen by gdb
 *
 * A packet that cannot be understood is answered by an error, one that is not known by an empty packet, as
 * the protocol has it.
 *
 * NOT IMPLEMENTED: reverse execution (bs, bc), non-stop and extended-remote mode, conditions of breakpoints
 * on our side, agent expressions and tracepoints, files. */
#ifndef DOPPEL_DEBUGGER_GDB_SERVER_H
#define DOPPEL_DEBUGGER_GDB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debugger;
struct gdb_server;
struct machine;
struct monitor;

/* All borrowed. */
struct gdb_server_host {
    struct machine *machine;
    struct debugger *debugger;
    struct monitor *monitor;
    void (*send)(void *opaque, const uint8_t *bytes, size_t length);
    bool (*keeps_up)(void *opaque); /* whether there is room for two packets more */
    void *opaque;
};

/* NULL when out of memory. */
struct gdb_server *gdb_server_create(const struct gdb_server_host *host);

/* NULL is allowed. Before the debugger and the monitor. */
void gdb_server_destroy(struct gdb_server *server);

/* A connection begins, or is over. */
void gdb_server_connect(struct gdb_server *server);
void gdb_server_disconnect(struct gdb_server *server);

/* Acts on what gdb has sent. Not while the machine runs. */
void gdb_server_receive(struct gdb_server *server, const uint8_t *bytes, size_t length);

/* Tells gdb what it waits for. */
void gdb_server_poll(struct gdb_server *server);

/* True while something goes on that only gdb_server_poll() finishes: call it at least every 10 ms. */
bool gdb_server_is_busy(const struct gdb_server *server);

/* The guest has switched the machine off. */
void gdb_server_note_power_off(struct gdb_server *server, int exit_status);

/* True: gdb has asked for the end of the program. */
bool gdb_server_wants_quit(const struct gdb_server *server);

#endif
