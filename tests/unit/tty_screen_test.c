/* The terminal front end on a real pseudo-terminal: keys in, screen out, settings restored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "fake_terminal.h"
#include "ui/tty_screen.h"

#define MS 1000000ull

struct fixture {
    int master, slave;
    char path[128];
    struct termios before;
    struct fake_terminal terminal;
    struct front_end *front_end;
    uint64_t now;
    /* The guest. */
    struct display_source display;
    struct input_sink input;
    const char *screen_text;
    unsigned renders;
    unsigned key_room; /* events taken before input_ready() says no */
    char keys[8192];   /* "+ctrl +c -c -ctrl" */
    char requests[16];
    bool suspend_on_request;
};

static void guest_render(void *opaque, struct display_frame *frame, bool force)
{
    (void)force;
    struct fixture *fixture = opaque;
    fixture->renders++;
    assert_true(display_frame_resize(frame, 720, 400));
    frame->text.active = true;
    frame->text.columns = 80;
    frame->text.rows = 25;
    size_t length = strlen(fixture->screen_text);
    for (unsigned i = 0; i < 80 * 25; i++) {
        frame->text.cells[i / 80][i % 80] = (struct display_cell){
            .character = (uint8_t)(i < length ? fixture->screen_text[i] : ' '), .foreground = 0xAAAAAA};
    }
}

static void guest_key(void *opaque, enum key key, bool pressed)
{
    struct fixture *fixture = opaque;
    size_t used = strlen(fixture->keys);
    snprintf(fixture->keys + used, sizeof fixture->keys - used, "%s%c%s", used ? " " : "",
             pressed ? '+' : '-', key_name(key));
    assert_true(fixture->key_room > 0);
    fixture->key_room--;
}

static bool guest_ready(void *opaque)
{
    return ((struct fixture *)opaque)->key_room > 0;
}

static void take_request(void *opaque, enum front_end_request request)
{
    struct fixture *fixture = opaque;
    size_t used = strlen(fixture->requests);
    snprintf(fixture->requests + used, sizeof fixture->requests - used, "%c",
             request == FRONT_END_QUIT ? 'q' : 'm');
    if (fixture->suspend_on_request) {
        front_end_suspend(fixture->front_end);
    }
}

static struct fixture *set_up(unsigned short columns, unsigned short rows)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    assert_int_equal(openpty(&fixture->master, &fixture->slave, fixture->path, NULL, &size), 0);
    assert_int_equal(fcntl(fixture->master, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(tcgetattr(fixture->slave, &fixture->before), 0);
    fake_terminal_init(&fixture->terminal, columns, rows);
    fixture->key_room = 100000;
    fixture->screen_text = "A:\\>";
    fixture->display = (struct display_source){.render = guest_render, .opaque = fixture};
    fixture->input = (struct input_sink){.key = guest_key, .opaque = fixture};
    fixture->now = 1000000 * MS;
    struct front_end_host host = {.display = &fixture->display,
                                  .input = &fixture->input,
                                  .input_ready = guest_ready,
                                  .request = take_request,
                                  .opaque = fixture};
    setenv("TERM", "xterm-256color", 1);
    unsetenv("COLORTERM");
    struct status status = tty_screen_create(fixture->path, &host, &fixture->front_end);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
    return fixture;
}

/* Gives the terminal what was written to it. */
static void look(struct fixture *fixture)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(fixture->master, bytes, sizeof bytes)) > 0) {
        assert_true(fake_terminal_feed(&fixture->terminal, bytes, (size_t)got));
    }
}

/* Lets `ms` milliseconds pass, with an update every 10. */
static void run(struct fixture *fixture, unsigned ms)
{
    for (unsigned passed = 0; passed < ms; passed += 10) {
        fixture->now += 10 * MS;
        front_end_update(fixture->front_end, fixture->now);
        look(fixture);
    }
}

static void type(struct fixture *fixture, const char *bytes)
{
    assert_int_equal(write(fixture->master, bytes, strlen(bytes)), strlen(bytes));
}

static void tear_down(struct fixture *fixture)
{
    front_end_destroy(fixture->front_end);
    close(fixture->slave);
    close(fixture->master);
    free(fixture);
}

static void the_guests_screen_appears_with_a_status_line(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(90, 30);
    char row[FAKE_COLUMNS_MAX + 1];
    run(fixture, 100);
    assert_true(fixture->terminal.alternate);
    assert_false(fixture->terminal.auto_wrap);
    assert_true(fixture->terminal.bracketed_paste);
    assert_string_equal(fake_terminal_row(&fixture->terminal, 0, row), "A:\\>");
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 29, row), "Ctrl+] h help"));
    fixture->screen_text = "A:\\>dir";
    run(fixture, 100);
    assert_string_equal(fake_terminal_row(&fixture->terminal, 0, row), "A:\\>dir");
    front_end_set_state(fixture->front_end, FRONT_END_STOPPED);
    run(fixture, 100);
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 29, row), "stopped"));
    tear_down(fixture);
}

static void typed_text_becomes_presses_and_releases(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    type(fixture, "a:\x03");
    run(fixture, 20);
    assert_string_equal(fixture->keys, "+a -a +shift +semicolon -semicolon -shift +ctrl +c -c -ctrl");
    tear_down(fixture);
}

static void a_lone_escape_is_delivered_after_a_moment(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    type(fixture, "\x1b");
    run(fixture, 30);
    assert_string_equal(fixture->keys, "");
    run(fixture, 50);
    assert_string_equal(fixture->keys, "+esc -esc");
    tear_down(fixture);
}

static void keys_wait_until_the_guest_is_ready(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    fixture->key_room = 3;
    type(fixture, "abc");
    run(fixture, 50);
    assert_string_equal(fixture->keys, "+a -a +b");
    fixture->key_room = 10;
    run(fixture, 10);
    assert_string_equal(fixture->keys, "+a -a +b -b +c -c");
    tear_down(fixture);
}

static void a_long_paste_loses_nothing(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    fixture->key_room = 0;
    type(fixture, "\x1b[200~");
    size_t pasted = 0;
    uint64_t delivered = 0;
    fixture->keys[0] = '\0';
    while (delivered < 2 * 10000) {
        while (pasted < 10000 && write(fixture->master, pasted % 2 ? "y" : "x", 1) == 1) {
            pasted++;
        }
        fixture->key_room = 16;
        run(fixture, 10);
        for (const char *at = fixture->keys; *at; at++) {
            if (*at == '+' || *at == '-') {
                assert_int_equal(*at, delivered % 2 ? '-' : '+');
                assert_int_equal(at[1], delivered / 2 % 2 ? 'y' : 'x');
                delivered++;
            }
        }
        fixture->keys[0] = '\0';
    }
    assert_int_equal(pasted, 10000);
    tear_down(fixture);
}

static void the_prefix_shows_choices_and_makes_requests(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(90, 26);
    char row[FAKE_COLUMNS_MAX + 1];
    run(fixture, 50);
    type(fixture, "\x1d");
    run(fixture, 50);
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 25, row), "q quit"));
    type(fixture, "q");
    run(fixture, 50);
    assert_string_equal(fixture->requests, "q");
    assert_null(strstr(fake_terminal_row(&fixture->terminal, 25, row), "q quit"));
    type(fixture, "\x1dm\x1d"
                  "d\x1d\x1d");
    run(fixture, 50);
    assert_string_equal(fixture->requests, "qm");
    assert_string_equal(fixture->keys, "+ctrl +alt +delete -delete -alt -ctrl +ctrl +bracket_right "
                                       "-bracket_right -ctrl");
    type(fixture, "\x1dh");
    run(fixture, 50);
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 25, row), "q quit"));
    run(fixture, 7000);
    assert_null(strstr(fake_terminal_row(&fixture->terminal, 25, row), "q quit"));
    tear_down(fixture);
}

static void a_screenshot_is_saved_where_we_are(void **state)
{
    (void)state;
    char directory[] = "/tmp/doppel-tty-XXXXXX", before[1024], row[FAKE_COLUMNS_MAX + 1];
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    struct fixture *fixture = set_up(90, 26);
    run(fixture, 50);
    type(fixture, "\x1ds");
    run(fixture, 50);
    const char *name = strstr(fake_terminal_row(&fixture->terminal, 25, row), "saved doppel-");
    assert_non_null(name);
    char file[64] = "";
    sscanf(name, "saved %63s", file);
    assert_int_equal(unlink(file), 0);
    tear_down(fixture);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void assert_restored(struct fixture *fixture)
{
    struct termios now;
    assert_int_equal(tcgetattr(fixture->slave, &now), 0);
    assert_int_equal(now.c_lflag, fixture->before.c_lflag);
    assert_int_equal(now.c_iflag, fixture->before.c_iflag);
    assert_int_equal(now.c_oflag, fixture->before.c_oflag);
    assert_false(fixture->terminal.alternate);
    assert_false(fixture->terminal.bracketed_paste);
    assert_true(fixture->terminal.auto_wrap);
    assert_true(fixture->terminal.cursor_shown);
}

static void destroying_restores_the_terminal(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    run(fixture, 50);
    struct termios during;
    tcgetattr(fixture->slave, &during);
    assert_int_equal(during.c_lflag & (tcflag_t)(ICANON | ECHO | ISIG), 0);
    front_end_destroy(fixture->front_end);
    fixture->front_end = NULL;
    look(fixture);
    assert_restored(fixture);
    tear_down(fixture);
}

static void a_request_may_suspend_and_resume_draws_all_again(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    char row[FAKE_COLUMNS_MAX + 1];
    run(fixture, 50);
    fixture->suspend_on_request = true;
    type(fixture, "\x1dm"
                  "abc\r");
    run(fixture, 50);
    assert_string_equal(fixture->requests, "m");
    assert_restored(fixture);
    struct pollfd fds[FRONT_END_MAX_FDS];
    assert_int_equal(front_end_poll_fds(fixture->front_end, fds), 0);
    unsigned renders = fixture->renders;
    run(fixture, 200);
    assert_int_equal(fixture->renders, renders);

    fake_terminal_init(&fixture->terminal, 80, 26);
    struct status status = front_end_resume(fixture->front_end);
    assert_int_equal(status.code, STATUS_OK);
    run(fixture, 50);
    assert_true(fixture->terminal.alternate);
    assert_string_equal(fake_terminal_row(&fixture->terminal, 0, row), "A:\\>");
    tear_down(fixture);
}

static void a_resized_terminal_is_followed(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    char row[FAKE_COLUMNS_MAX + 1];
    run(fixture, 50);
    struct winsize size = {.ws_col = 60, .ws_row = 20};
    assert_int_equal(ioctl(fixture->master, TIOCSWINSZ, &size), 0);
    fake_terminal_init(&fixture->terminal, 60, 20);
    run(fixture, 50);
    assert_string_equal(fake_terminal_row(&fixture->terminal, 0, row), "A:\\>");
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 19, row), "doppel"));
    tear_down(fixture);
}

static void a_terminal_that_reads_nothing_does_not_block_us(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(200, 60);
    char text[2001];
    for (unsigned frame = 0; frame < 300; frame++) {
        memset(text, 'a' + (int)(frame % 26), 2000);
        text[2000] = '\0';
        fixture->screen_text = text;
        fixture->now += 40 * MS;
        front_end_update(fixture->front_end, fixture->now);
    }
    struct pollfd fds[FRONT_END_MAX_FDS];
    assert_int_equal(front_end_poll_fds(fixture->front_end, fds), 1);
    assert_true(fds[0].events & POLLOUT);
    char row[FAKE_COLUMNS_MAX + 1];
    run(fixture, 500); /* now it reads: the newest screen appears */
    assert_int_equal(fake_terminal_row(&fixture->terminal, 3, row)[79], text[0]);
    tear_down(fixture);
}

static void a_terminal_that_goes_away_asks_to_quit_once(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(80, 26);
    run(fixture, 50);
    close(fixture->master);
    for (unsigned i = 0; i < 10; i++) {
        fixture->now += 20 * MS;
        front_end_update(fixture->front_end, fixture->now);
    }
    assert_string_equal(fixture->requests, "q");
    struct pollfd fds[FRONT_END_MAX_FDS];
    assert_int_equal(front_end_poll_fds(fixture->front_end, fds), 0);
    fixture->master = -1;
    tear_down(fixture);
}

static void a_dumb_terminal_is_refused(void **state)
{
    (void)state;
    struct front_end_host host = {0};
    struct front_end *front_end;
    setenv("TERM", "dumb", 1);
    struct status status = tty_screen_create("/dev/null", &host, &front_end);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_non_null(strstr(status.message, "TERM is dumb"));
    unsetenv("TERM");
    status = tty_screen_create("/dev/null", &host, &front_end);
    assert_non_null(strstr(status.message, "TERM is not set"));
    setenv("TERM", "xterm", 1);
    status = tty_screen_create("/dev/null", &host, &front_end);
    assert_int_equal(status.code, STATUS_IO_ERROR); /* not a terminal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guests_screen_appears_with_a_status_line),
        cmocka_unit_test(typed_text_becomes_presses_and_releases),
        cmocka_unit_test(a_lone_escape_is_delivered_after_a_moment),
        cmocka_unit_test(keys_wait_until_the_guest_is_ready),
        cmocka_unit_test(a_long_paste_loses_nothing),
        cmocka_unit_test(the_prefix_shows_choices_and_makes_requests),
        cmocka_unit_test(a_screenshot_is_saved_where_we_are),
        cmocka_unit_test(destroying_restores_the_terminal),
        cmocka_unit_test(a_request_may_suspend_and_resume_draws_all_again),
        cmocka_unit_test(a_resized_terminal_is_followed),
        cmocka_unit_test(a_terminal_that_reads_nothing_does_not_block_us),
        cmocka_unit_test(a_terminal_that_goes_away_asks_to_quit_once),
        cmocka_unit_test(a_dumb_terminal_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
