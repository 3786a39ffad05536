/* Choosing a front end, calling it, and the one that shows nothing; see front_end.h. */
#include "ui/front_end.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/tty_screen.h"
#ifdef DOPPEL_HAVE_SDL
#include "ui/sdl_window.h"
#endif

static const char *const kind_names[FRONT_END_KIND_COUNT] = {
    [FRONT_END_NONE] = "none",
    [FRONT_END_TTY] = "tty",
    [FRONT_END_SDL] = "sdl",
};

struct status front_end_kind_from_name(const char *name, enum front_end_kind *kind)
{
    for (unsigned i = 0; i < FRONT_END_KIND_COUNT; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *kind = (enum front_end_kind)i;
            return status_ok();
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown display '%.40s'; known are: sdl, tty, none", name);
}

const char *front_end_kind_name(enum front_end_kind kind)
{
    return kind_names[kind];
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] != '\0';
}

enum front_end_kind front_end_default_kind(void)
{
#ifdef DOPPEL_HAVE_SDL
    if (is_set("WAYLAND_DISPLAY") || is_set("DISPLAY")) {
        return FRONT_END_SDL;
    }
#endif
    return isatty(STDOUT_FILENO) && is_set("TERM") ? FRONT_END_TTY : FRONT_END_NONE;
}

/* The front end that shows nothing. */

static size_t none_poll_fds(const struct front_end *front_end, struct pollfd fds[FRONT_END_MAX_FDS])
{
    (void)front_end;
    (void)fds;
    return 0;
}

static void none_update(struct front_end *front_end, uint64_t now_ns)
{
    (void)front_end;
    (void)now_ns;
}

static void none_set_state(struct front_end *front_end, enum front_end_state state)
{
    (void)front_end;
    (void)state;
}

static void none_finish(struct front_end *front_end)
{
    (void)front_end;
}

static void none_destroy(struct front_end *front_end)
{
    free(front_end);
}

static struct status none_create(struct front_end **front_end)
{
    static const struct front_end_ops none_ops = {
        .poll_fds = none_poll_fds,
        .update = none_update,
        .set_state = none_set_state,
        .finish = none_finish,
        .destroy = none_destroy,
    };
    *front_end = malloc(sizeof **front_end);
    if (!*front_end) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    (*front_end)->ops = &none_ops;
    return status_ok();
}

struct status front_end_create(enum front_end_kind kind, const struct front_end_host *host,
                               struct front_end **front_end)
{
    *front_end = NULL;
    switch (kind) {
    case FRONT_END_TTY: return tty_screen_create(NULL, host, front_end);
    case FRONT_END_SDL:
#ifdef DOPPEL_HAVE_SDL
        return sdl_window_create(host, front_end);
#else
        return status_error(STATUS_UNSUPPORTED,
                            "this doppel was built without SDL 2: use -display tty or -display none");
#endif
    default: return none_create(front_end);
    }
}

void front_end_destroy(struct front_end *front_end)
{
    if (front_end) {
        front_end->ops->destroy(front_end);
    }
}

size_t front_end_poll_fds(const struct front_end *front_end, struct pollfd fds[FRONT_END_MAX_FDS])
{
    return front_end->ops->poll_fds(front_end, fds);
}

void front_end_update(struct front_end *front_end, uint64_t now_ns)
{
    front_end->ops->update(front_end, now_ns);
}

void front_end_set_state(struct front_end *front_end, enum front_end_state state)
{
    front_end->ops->set_state(front_end, state);
}

void front_end_suspend(struct front_end *front_end)
{
    if (front_end->ops->suspend) {
        front_end->ops->suspend(front_end);
    }
}

struct status front_end_resume(struct front_end *front_end)
{
    return front_end->ops->resume ? front_end->ops->resume(front_end) : status_ok();
}

bool front_end_take_interrupt(struct front_end *front_end, uint64_t now_ns)
{
    return front_end->ops->take_interrupt && front_end->ops->take_interrupt(front_end, now_ns);
}

void front_end_finish(struct front_end *front_end)
{
    front_end->ops->finish(front_end);
}

bool front_end_needs_main_thread(const struct front_end *front_end)
{
    return front_end->ops->run != NULL;
}

void front_end_run(struct front_end *front_end)
{
    front_end->ops->run(front_end);
}
