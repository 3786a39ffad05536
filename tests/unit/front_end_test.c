/* Choosing a front end, the one that shows nothing, and ending signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ui/front_end.h"
#include "ui/quit_signals.h"

static void names_and_kinds_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FRONT_END_KIND_COUNT; i++) {
        enum front_end_kind kind;
        struct status status = front_end_kind_from_name(front_end_kind_name((enum front_end_kind)i), &kind);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(kind, i);
    }
    enum front_end_kind kind;
    struct status status = front_end_kind_from_name("gtk", &kind);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "sdl, tty, none"));
}

static void none_does_nothing_and_needs_no_thread(void **state)
{
    (void)state;
    struct front_end_host host = {0};
    struct front_end *front_end;
    struct status status = front_end_create(FRONT_END_NONE, &host, &front_end);
    assert_int_equal(status.code, STATUS_OK);
    struct pollfd fds[FRONT_END_MAX_FDS];
    assert_int_equal(front_end_poll_fds(front_end, fds), 0);
    front_end_update(front_end, 1);
    front_end_set_state(front_end, FRONT_END_STOPPED);
    front_end_suspend(front_end);
    status = front_end_resume(front_end);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(front_end_needs_main_thread(front_end));
    front_end_finish(front_end);
    front_end_destroy(front_end);
    front_end_destroy(NULL);
}

#ifdef DOPPEL_TEST_HAS_SDL
static void a_desktop_means_a_window_by_default(void **state)
{
    (void)state;
    unsetenv("WAYLAND_DISPLAY");
    setenv("DISPLAY", ":7", 1);
    assert_int_equal(front_end_default_kind(), FRONT_END_SDL);
    unsetenv("DISPLAY");
    assert_int_not_equal(front_end_default_kind(), FRONT_END_SDL);
    setenv("WAYLAND_DISPLAY", "wayland-0", 1);
    assert_int_equal(front_end_default_kind(), FRONT_END_SDL);
    unsetenv("WAYLAND_DISPLAY");
}
#else
static void a_build_without_sdl_says_so(void **state)
{
    (void)state;
    struct front_end_host host = {0};
    struct front_end *front_end;
    struct status status = front_end_create(FRONT_END_SDL, &host, &front_end);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_non_null(strstr(status.message, "without SDL 2"));
    setenv("DISPLAY", ":7", 1);
    assert_int_not_equal(front_end_default_kind(), FRONT_END_SDL);
}
#endif

static void ending_signals_arrive_as_something_to_poll(void **state)
{
    (void)state;
    int fd, number = 0;
    struct status status = quit_signals_open(&fd);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(quit_signals_take(fd, &number));
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
    for (size_t i = 0; i < 3; i++) {
        raise(signals[i]);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 0), 1);
        assert_true(quit_signals_take(fd, &number));
        assert_int_equal(number, signals[i]);
    }
    quit_signals_close(fd);
}

static void signals_ignored_from_the_start_stay_ignored(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGHUP, SIG_IGN); /* as nohup does */
        int fd, number;
        struct status status = quit_signals_open(&fd);
        raise(SIGHUP);
        _exit(status_is_ok(&status) && !quit_signals_take(fd, &number) ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_kinds_agree),
        cmocka_unit_test(none_does_nothing_and_needs_no_thread),
#ifdef DOPPEL_TEST_HAS_SDL
        cmocka_unit_test(a_desktop_means_a_window_by_default),
#else
        cmocka_unit_test(a_build_without_sdl_says_so),
#endif
        cmocka_unit_test(signals_ignored_from_the_start_stay_ignored),
        cmocka_unit_test(ending_signals_arrive_as_something_to_poll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
