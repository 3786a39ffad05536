/* What every front end is: something that shows the guest's screen and takes input for it.
 *
 * A front end knows nothing of the machine. It gets a `struct front_end_host` with functions to call, and is
 * called by its owner, which runs the machine:
 *
 *   machine's thread                               main thread
 *   poll() on front_end_poll_fds() while idle      front_end_run(): only front ends that need it (sdl);
 *   front_end_update() about 60 times a second,      it returns after front_end_finish()
 *     and whenever a descriptor is ready
 *   front_end_finish() at the end
 *
 * For front ends without `run` one thread does it all. front_end_create() and front_end_destroy() belong on
 * the main thread; input and requests reach the host on the machine's thread, from inside front_end_update().
 */
#ifndef DOPPEL_UI_FRONT_END_H
#define DOPPEL_UI_FRONT_END_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "ui/display.h"
#include "ui/input.h"

#define FRONT_END_MAX_FDS 2

/* Longest time between two calls of front_end_update(). */
#define FRONT_END_INTERVAL_NS 16666667ull

enum front_end_kind { FRONT_END_NONE, FRONT_END_TTY, FRONT_END_SDL, FRONT_END_KIND_COUNT };

/* What the user can ask for that is not the guest's business. */
enum front_end_request {
    FRONT_END_QUIT,      /* end the emulation */
    FRONT_END_MONITOR,   /* stop and show the monitor's prompt */
    FRONT_END_BACKGROUND /* give the terminal back to the shell until it says to go on */
};

/* What the machine does, for title and status lines. */
enum front_end_state { FRONT_END_RUNNING, FRONT_END_STOPPED };

struct front_end_host {
    const struct display_source *display; /* borrowed */
    const struct input_sink *input;       /* borrowed */
    /* Whether the guest can take another key event without losing it: text that is pasted waits for it. */
    bool (*input_ready)(void *opaque);
    void (*request)(void *opaque, enum front_end_request request);
    void *opaque;
    /* For front ends that show text: how many cells there are for the screen, whenever that changes, and what
     * the line below says. NULL: nobody asks; the front end's own words. */
    void (*resized)(void *opaque, unsigned columns, unsigned rows);
    const char *(*status)(void *opaque);
    const char *name; /* of the machine, for a window's title; borrowed; NULL: it has none */
};

struct front_end;

struct front_end_ops {
    /* Machine's thread. */
    size_t (*poll_fds)(const struct front_end *front_end, struct pollfd fds[FRONT_END_MAX_FDS]);
    void (*update)(struct front_end *front_end, uint64_t now_ns);
    void (*set_state)(struct front_end *front_end, enum front_end_state state);
    void (*suspend)(struct front_end *front_end);                         /* NULL: nothing to give back */
    struct status (*resume)(struct front_end *front_end);                 /* NULL: likewise */
    bool (*take_interrupt)(struct front_end *front_end, uint64_t now_ns); /* NULL: nobody asks for it */
    void (*finish)(struct front_end *front_end);
    /* Main thread. */
    void (*run)(struct front_end *front_end); /* NULL: not needed */
    void (*destroy)(struct front_end *front_end);
};

/* First member of every front end. */
struct front_end {
    const struct front_end_ops *ops;
};

/* "sdl", "tty" or "none"; an unknown name is an error that lists them. */
struct status front_end_kind_from_name(const char *name, enum front_end_kind *kind) STATUS_MUST_CHECK;
const char *front_end_kind_name(enum front_end_kind kind);

/* A window if this build has SDL and a desktop is there (DISPLAY or WAYLAND_DISPLAY), otherwise the terminal
 * that standard output is, otherwise none. */
enum front_end_kind front_end_default_kind(void);

/* Opens the window or takes over the terminal. `host` is copied. Asking for what this build or this host does
 * not have is an error that says so. */
struct status front_end_create(enum front_end_kind kind, const struct front_end_host *host,
                               struct front_end **front_end) STATUS_MUST_CHECK;

/* Gives window or terminal back. NULL is allowed. */
void front_end_destroy(struct front_end *front_end);

/* What to wait for besides front_end_update()'s interval: fills `fds`, returns how many. Ask again before
 * every wait. */
size_t front_end_poll_fds(const struct front_end *front_end, struct pollfd fds[FRONT_END_MAX_FDS]);

/* Hands over input and shows the screen if it is time to. `now_ns`: host time from any monotonic clock. */
void front_end_update(struct front_end *front_end, uint64_t now_ns);

/* Shows the user whether the machine runs. */
void front_end_set_state(struct front_end *front_end, enum front_end_state state);

/* Gives the terminal back for the monitor's prompt and takes it again; no-ops for the other front ends. */
void front_end_suspend(struct front_end *front_end);
struct status front_end_resume(struct front_end *front_end) STATUS_MUST_CHECK;

/* Whether Esc or Ctrl+C has been typed, which is taken, and all that was typed before it: for the owner while
 * something takes long, also from inside front_end_update(). Machine's thread. */
bool front_end_take_interrupt(struct front_end *front_end, uint64_t now_ns);

/* Makes front_end_run() return soon. Any thread. */
void front_end_finish(struct front_end *front_end);

/* Whether the main thread has to be in front_end_run() while the machine runs on a thread of its own. */
bool front_end_needs_main_thread(const struct front_end *front_end);
void front_end_run(struct front_end *front_end);

#endif
