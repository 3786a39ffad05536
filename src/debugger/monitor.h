/* The monitor: commands that watch and steer a machine, typed on a console or read from a script.
 *
 * Commands are listed once, in command.def. A session is one place commands come from: the bytes it is fed
 * are cut into lines and carried out one after the other; a command that takes virtual time (a wait, typing)
 * holds up its own session only. Nothing here blocks: the main loop calls monitor_poll() between slices of
 * machine_run(), at least every MONITOR_POLL_NS of virtual time while monitor_is_busy(). All functions belong
 * to the machine's thread.
 *
 * Times are guest seconds (virtual time), so that a script means the same on a slow host.
 *
 * Exit statuses a script leads to: the number given to `quit`, MONITOR_EXIT_FAILED when a wait or a command
 * failed, MONITOR_EXIT_USAGE when a line could not be understood. */
#ifndef DOPPEL_DEBUGGER_MONITOR_H
#define DOPPEL_DEBUGGER_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "machine/machine.h"

struct debugger;
struct monitor;
struct monitor_session;

#define MONITOR_POLL_NS      ((uint64_t)10000000)
#define MONITOR_WAIT_SECONDS 60 /* how long waits take when the script does not say */

enum monitor_exit { MONITOR_EXIT_FAILED = 1, MONITOR_EXIT_USAGE = 2 };

/* `machine` is borrowed. NULL when out of memory. */
struct monitor *monitor_create(struct machine *machine);

/* Closes all sessions as well. NULL is allowed. */
void monitor_destroy(struct monitor *monitor);

/* Opens a session for a person: prompts, goes on after errors. Output and errors go to `out` (borrowed),
 * which is flushed after every command. NULL when out of memory. */
struct monitor_session *monitor_open_console(struct monitor *monitor, FILE *out);

/* The same for a person at a terminal, if `in` and `out` are one: with line editing, history and completion.
 * What is read from `in` (borrowed) is still the caller's business, and goes to monitor_feed(). */
struct monitor_session *monitor_open_terminal(struct monitor *monitor, FILE *in, FILE *out);

/* Opens a session that carries out the lines of the file `path`. The first error ends it, is written to
 * `errors` with the file's name and the line's number, and asks for the end of the program. Errors: the file
 * cannot be read. */
struct status monitor_open_script(struct monitor *monitor, const char *path, FILE *out, FILE *errors,
                                  struct monitor_session **session) STATUS_MUST_CHECK;

/* Loads the symbols of a file that is to run in the guest, if it is an ELF file that has any. */
void monitor_load_kernel_symbols(struct monitor *monitor, const char *path);

/* Hands bytes that were typed to a session; they are acted on in monitor_poll(). Out of memory loses them. */
void monitor_feed(struct monitor_session *session, const char *bytes, size_t length);

/* No more bytes will come: the last line counts even without its newline, then the session ends. */
void monitor_feed_end(struct monitor_session *session);

/* True once everything the session was fed has been carried out and no more can come. */
bool monitor_session_is_over(const struct monitor_session *session);

void monitor_close(struct monitor_session *session);

/* Lets every session carry on as far as it can. */
void monitor_poll(struct monitor *monitor);

/* True while a session is in a command that takes virtual time. */
bool monitor_is_busy(const struct monitor *monitor);

/* True when a command or a failed script asked for the end of the program; *status is what it exits with. */
bool monitor_wants_quit(const struct monitor *monitor, int *status);

/* To be called with what each machine_run() has returned. True: the debugger has paused the machine; sessions
 * have been told why. */
bool monitor_note_run(struct monitor *monitor, enum machine_stop reason);

struct debugger_stop;

/* Tells the sessions why the machine stands where it does: for whoever has put it elsewhere. */
void monitor_show_stop(struct monitor *monitor, const struct debugger_stop *stop);

/* What sets breakpoints and steps; belongs to the monitor. */
struct debugger *monitor_debugger(struct monitor *monitor);

/* The guest switched the machine off for `reason`: waits for that are content, other waits fail, and what is
 * left of scripts is carried out. */
void monitor_note_power_off(struct monitor *monitor, const char *reason);

/* Writes the text screen framed by lines, or a sentence when no text mode is on. */
void monitor_print_screen(struct monitor *monitor, FILE *out);

#endif
