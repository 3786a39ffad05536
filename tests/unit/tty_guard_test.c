/* The guard of the terminal on a real pseudo-terminal: what it does when its owner dies, and that it does
 * nothing otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "ui/tty_guard.h"

static const char farewell[] = "\x1b[?1049l";

struct terminal {
    int master, slave;
    struct termios before;
};

static void open_terminal(struct terminal *terminal)
{
    assert_int_equal(openpty(&terminal->master, &terminal->slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(terminal->slave, &terminal->before), 0);
}

static void make_raw(const struct terminal *terminal)
{
    struct termios raw = terminal->before;
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(terminal->slave, TCSANOW, &raw), 0);
}

/* An owner that takes the terminal and ends by a signal; only its guard has the terminal open then. */
static void die_with_terminal(const struct terminal *terminal, int signal_number)
{
    const pid_t owner = fork();
    assert_true(owner >= 0);
    if (owner == 0) {
        struct tty_guard guard;
        make_raw(terminal);
        tty_guard_start(&guard, terminal->slave, &terminal->before, farewell, sizeof farewell - 1);
        signal(signal_number, SIG_DFL);
        raise(signal_number);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(owner, &status, 0), owner);
    assert_true(WIFSIGNALED(status));
}

static void a_terminal_whose_owner_dies_is_put_back_in_order(void **state)
{
    static const int signals[] = {SIGKILL, SIGABRT, SIGTERM};
    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct terminal terminal;
        char told[sizeof farewell] = "";
        struct termios now;
        open_terminal(&terminal);
        die_with_terminal(&terminal, signals[i]);
        close(terminal.slave);
        for (size_t length = 0; length < sizeof farewell - 1;) {
            const ssize_t got = read(terminal.master, told + length, sizeof farewell - 1 - length);
            assert_true(got > 0);
            length += (size_t)got;
        }
        assert_string_equal(told, farewell);
        /* The guard's end closes the terminal: then its settings are the last ones. */
        char byte;
        assert_true(read(terminal.master, &byte, 1) <= 0);
        assert_int_equal(tcgetattr(terminal.master, &now), 0);
        assert_int_equal(now.c_lflag, terminal.before.c_lflag);
        assert_int_equal(now.c_iflag, terminal.before.c_iflag);
        close(terminal.master);
    }
}

static void a_guard_that_is_dismissed_does_nothing(void **state)
{
    (void)state;
    struct terminal terminal;
    struct tty_guard guard;
    struct termios now;
    open_terminal(&terminal);
    make_raw(&terminal);
    tty_guard_start(&guard, terminal.slave, &terminal.before, farewell, sizeof farewell - 1);
    assert_true(guard.process > 0);
    tty_guard_end(&guard);
    assert_int_equal(guard.process, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* it has ended */
    assert_int_equal(tcgetattr(terminal.slave, &now), 0);
    assert_int_not_equal(now.c_lflag & ICANON, terminal.before.c_lflag & ICANON);
    tty_guard_end(&guard); /* again is nothing */
    close(terminal.slave);
    char byte;
    assert_true(read(terminal.master, &byte, 1) <= 0);
    close(terminal.master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_whose_owner_dies_is_put_back_in_order),
        cmocka_unit_test(a_guard_that_is_dismissed_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
