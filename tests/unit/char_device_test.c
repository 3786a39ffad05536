/* Character devices without a network: memory, null, file, stdio, pty, and what specifications are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/bits.h"
#include "chardev/char_device.h"

/* A receiver with limited room that keeps what it got. */
struct receiver {
    size_t room;
    size_t length;
    uint8_t bytes[8192];
};

static size_t receiver_room(void *opaque)
{
    return ((struct receiver *)opaque)->room;
}

static void receiver_receive(void *opaque, const uint8_t *bytes, size_t length)
{
    struct receiver *receiver = opaque;
    assert_true(length <= receiver->room);
    assert_true(receiver->length + length <= sizeof receiver->bytes);
    memcpy(receiver->bytes + receiver->length, bytes, length);
    receiver->length += length;
    receiver->room -= length;
}

static void attach_receiver(struct char_device *device, struct receiver *receiver)
{
    struct char_sink sink = {.room = receiver_room, .receive = receiver_receive, .opaque = receiver};
    char_device_set_sink(device, &sink);
}

static struct char_device *open_device(const char *specification, char *notice)
{
    struct char_device *device;
    struct status status = char_device_open(specification, &device, notice, 256);
    if (!status_is_ok(&status)) {
        fail_msg("%s: %s", specification, status.message);
    }
    return device;
}

static void write_text(struct char_device *device, const char *text)
{
    char_device_write(device, (const uint8_t *)text, strlen(text));
}

static void memory_keeps_what_is_written(void **state)
{
    (void)state;
    struct char_device *device = char_device_create_memory();
    size_t length;
    (void)char_device_memory_written(device, &length);
    assert_int_equal(length, 0);
    write_text(device, "boot");
    write_text(device, "ing");
    const uint8_t *written = char_device_memory_written(device, &length);
    assert_int_equal(length, 7);
    assert_memory_equal(written, "booting", 7);
    assert_int_equal(char_device_dropped(device), 0);
    char_device_close(device);
}

static void memory_has_no_small_limit(void **state)
{
    (void)state;
    struct char_device *device = char_device_create_memory();
    uint8_t *chunk = malloc(1000000);
    for (size_t i = 0; i < 1000000; i++) {
        chunk[i] = (uint8_t)(i * 7 >> 3);
    }
    char_device_write(device, chunk, 1000000);
    size_t length;
    const uint8_t *written = char_device_memory_written(device, &length);
    assert_int_equal(length, 1000000);
    assert_memory_equal(written, chunk, length);
    free(chunk);
    char_device_close(device);
}

static void injected_bytes_arrive_as_the_sink_has_room(void **state)
{
    (void)state;
    struct char_device *device = char_device_create_memory();
    struct receiver receiver = {.room = 2};
    assert_true(char_device_memory_inject(device, (const uint8_t *)"hello", 5));
    char_device_poll(device); /* no sink: nothing is lost */
    attach_receiver(device, &receiver);
    char_device_poll(device);
    assert_int_equal(receiver.length, 2);
    char_device_poll(device);
    assert_int_equal(receiver.length, 2);
    receiver.room = 100;
    char_device_poll(device);
    assert_int_equal(receiver.length, 5);
    assert_memory_equal(receiver.bytes, "hello", 5);
    char_device_close(device);
}

static void null_takes_everything_and_never_asks_to_be_polled(void **state)
{
    (void)state;
    char notice[256];
    static const char *const names[] = {"none", "null"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct char_device *device = open_device(names[i], notice);
        struct receiver receiver = {.room = 10};
        attach_receiver(device, &receiver);
        for (unsigned n = 0; n < 100000; n++) {
            write_text(device, "x");
        }
        char_device_poll(device);
        bool wants_write;
        struct pollfd fds[CHAR_DEVICE_MAX_FDS];
        assert_int_equal(char_device_poll_fd(device, &wants_write), -1);
        assert_false(wants_write);
        assert_int_equal(char_device_poll_fds(device, fds), 0);
        assert_int_equal(receiver.length, 0);
        assert_string_equal(notice, "");
        char_device_close(device);
    }
    char_device_close(NULL);
}

static void temporary_path(char path[64])
{
    strcpy(path, "/tmp/doppel-chardev-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void a_file_holds_every_byte(void **state)
{
    (void)state;
    char path[64], specification[80], notice[256];
    temporary_path(path);
    snprintf(specification, sizeof specification, "file:%s", path);
    struct char_device *device = open_device(specification, notice);
    for (unsigned i = 0; i < 300000; i++) {
        uint8_t byte = (uint8_t)(i % 251);
        char_device_write(device, &byte, 1);
    }
    assert_int_equal(char_device_dropped(device), 0);
    char_device_close(device);

    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (unsigned i = 0; i < 300000; i++) {
        assert_int_equal(fgetc(file), i % 251);
    }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    unlink(path);
}

static void polling_a_file_makes_its_tail_readable(void **state)
{
    (void)state;
    char path[64], specification[80], notice[256];
    temporary_path(path);
    snprintf(specification, sizeof specification, "file:%s", path);
    struct char_device *device = open_device(specification, notice);
    write_text(device, "login:");
    char_device_poll(device);
    struct stat information;
    assert_int_equal(stat(path, &information), 0);
    assert_int_equal(information.st_size, 6);
    char_device_close(device);
    unlink(path);
}

static void a_full_disk_is_reported_and_does_no_harm(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    char notice[256];
    struct char_device *device = open_device("file:/dev/full", notice);
    struct status before = char_device_status(device);
    assert_int_equal(before.code, STATUS_OK);
    write_text(device, "lost");
    char_device_poll(device);
    write_text(device, "too");
    struct status status = char_device_status(device);
    assert_int_equal(status.code, STATUS_IO_ERROR);
    assert_non_null(strstr(status.message, "/dev/full"));
    assert_int_equal(char_device_dropped(device), 7);
    char_device_close(device);
}

/* Runs `body` in a child whose standard input and output are replaced; returns its exit status. */
static int run_with_stdio(int in, int out, int (*body)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        _exit(body());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct char_device *open_stdio(struct receiver *receiver)
{
    char notice[256];
    struct char_device *device;
    struct status status = char_device_open("stdio", &device, notice, sizeof notice);
    if (!status_is_ok(&status)) {
        _exit(99);
    }
    attach_receiver(device, receiver);
    return device;
}

static int echo_until_end(void)
{
    struct receiver receiver = {.room = sizeof receiver.bytes};
    struct char_device *device = open_stdio(&receiver);
    for (;;) {
        struct pollfd fds[CHAR_DEVICE_MAX_FDS];
        size_t count = char_device_poll_fds(device, fds);
        if (count == 0) {
            break; /* input ended, everything written */
        }
        poll(fds, count, -1);
        size_t before = receiver.length;
        char_device_poll(device);
        char_device_write(device, receiver.bytes + before, receiver.length - before);
    }
    char_device_close(device);
    return 0;
}

static void stdio_works_on_pipes(void **state)
{
    (void)state;
    int to_child[2], from_child[2];
    assert_int_equal(pipe2(to_child, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from_child, O_CLOEXEC), 0);
    assert_int_equal(write(to_child[1], "dir\r", 4), 4);
    close(to_child[1]);
    assert_int_equal(run_with_stdio(to_child[0], from_child[1], echo_until_end), 0);
    close(to_child[0]);
    close(from_child[1]);
    char got[16];
    assert_int_equal(read(from_child[0], got, sizeof got), 4);
    assert_memory_equal(got, "dir\r", 4);
    close(from_child[0]);
}

static int flood_a_pipe_nobody_reads(void)
{
    struct receiver receiver = {.room = 0};
    struct char_device *device = open_stdio(&receiver);
    static const uint8_t chunk[1024] = {0};
    for (unsigned i = 0; i < 4096; i++) {
        char_device_write(device, chunk, sizeof chunk);
        char_device_poll(device);
    }
    uint64_t dropped = char_device_dropped(device);
    char_device_close(device);
    return dropped > 2 * 1024 * 1024 && dropped < 3 * 1024 * 1024 + 1 ? 0 : 1;
}

static void a_stdio_reader_that_sleeps_never_blocks_us_and_loses_the_newest(void **state)
{
    (void)state;
    int nobody[2];
    assert_int_equal(pipe2(nobody, O_CLOEXEC), 0);
    int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(run_with_stdio(none, nobody[1], flood_a_pipe_nobody_reads), 0);
    close(none);
    close(nobody[0]);
    close(nobody[1]);
}

static int write_to_a_closed_pipe(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct receiver receiver = {.room = 0};
    struct char_device *device = open_stdio(&receiver);
    write_text(device, "hello?");
    char_device_poll(device);
    struct status status = char_device_status(device);
    uint64_t dropped = char_device_dropped(device);
    char_device_close(device);
    return status.code == STATUS_IO_ERROR && strstr(status.message, "standard output") && dropped == 6 ? 0
                                                                                                       : 1;
}

static void standard_output_that_is_closed_is_reported(void **state)
{
    (void)state;
    int closed[2];
    assert_int_equal(pipe2(closed, O_CLOEXEC), 0);
    close(closed[0]);
    int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(run_with_stdio(none, closed[1], write_to_a_closed_pipe), 0);
    close(none);
    close(closed[1]);
}

static int check_raw_mode_and_leave(void)
{
    struct termios before, during, after;
    struct receiver receiver = {.room = 10};
    tcgetattr(STDIN_FILENO, &before);
    struct char_device *device = open_stdio(&receiver);
    tcgetattr(STDIN_FILENO, &during);
    char_device_close(device);
    tcgetattr(STDIN_FILENO, &after);
    bool raw = !(during.c_lflag & (tcflag_t)(ICANON | ECHO)) && !(during.c_iflag & (tcflag_t)ICRNL);
    bool signals = during.c_lflag & (tcflag_t)ISIG;
    bool restored =
        before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag && before.c_oflag == after.c_oflag;
    return raw && signals && restored ? 0 : 1;
}

static void a_terminal_is_raw_but_for_signals_and_is_restored(void **state)
{
    (void)state;
    int master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(run_with_stdio(slave, slave, check_raw_mode_and_leave), 0);
    close(master);
    close(slave);
}

static int open_slave(const char *notice)
{
    const char *path = strstr(notice, "/dev/");
    assert_non_null(path);
    int slave = open(path, O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    return slave;
}

static void a_pty_carries_bytes_both_ways_unchanged(void **state)
{
    (void)state;
    char notice[256];
    struct char_device *device = open_device("pty", notice);
    struct receiver receiver = {.room = 100};
    attach_receiver(device, &receiver);
    int slave = open_slave(notice);
    char_device_poll(device);
    write_text(device, "A:\\>\r\n");
    char_device_poll(device);
    char got[16];
    assert_int_equal(read(slave, got, sizeof got), 6);
    assert_memory_equal(got, "A:\\>\r\n", 6);
    assert_int_equal(write(slave,
                           "\x03"
                           "a\r",
                           3),
                     3);
    struct pollfd fds[CHAR_DEVICE_MAX_FDS];
    size_t count = char_device_poll_fds(device, fds);
    assert_int_equal(count, 1);
    assert_int_equal(poll(fds, count, -1), 1);
    char_device_poll(device);
    assert_int_equal(receiver.length, 3);
    assert_memory_equal(receiver.bytes,
                        "\x03"
                        "a\r",
                        3);
    close(slave);
    char_device_close(device);
}

static void a_pty_without_a_reader_drops_and_is_not_waited_for(void **state)
{
    (void)state;
    char notice[256];
    struct char_device *device = open_device("pty", notice);
    struct receiver receiver = {.room = 100};
    attach_receiver(device, &receiver);
    struct pollfd fds[CHAR_DEVICE_MAX_FDS];
    write_text(device, "early");
    char_device_poll(device);
    assert_int_equal(char_device_poll_fds(device, fds), 0);
    assert_int_equal(char_device_dropped(device), 5);

    int slave = open_slave(notice);
    char_device_poll(device);
    assert_int_equal(char_device_poll_fds(device, fds), 1);
    write_text(device, "now");
    char_device_poll(device);
    char got[16];
    assert_int_equal(read(slave, got, sizeof got), 3);
    assert_int_equal(write(slave, "bye", 3), 3);
    close(slave);

    char_device_poll(device);
    assert_int_equal(receiver.length, 3);
    char_device_poll(device);
    assert_int_equal(char_device_poll_fds(device, fds), 0);
    write_text(device, "late");
    char_device_poll(device);
    assert_int_equal(char_device_dropped(device), 9);

    slave = open_slave(notice);
    char_device_poll(device);
    write_text(device, "again");
    char_device_poll(device);
    assert_int_equal(read(slave, got, sizeof got), 5);
    close(slave);
    char_device_close(device);
}

static void a_slow_pty_reader_gets_the_oldest_bytes(void **state)
{
    (void)state;
    char notice[256];
    struct char_device *device = open_device("pty", notice);
    int slave = open_slave(notice);
    char_device_poll(device);
    for (unsigned i = 0; i < 400000; i++) {
        uint8_t byte = (uint8_t)(i % 251);
        char_device_write(device, &byte, 1);
    }
    uint64_t dropped = char_device_dropped(device);
    assert_true(dropped > 0);
    bool wants_write;
    (void)char_device_poll_fd(device, &wants_write);
    assert_true(wants_write);
    size_t total = 0;
    fcntl(slave, F_SETFL, O_NONBLOCK);
    while (total < 400000 - dropped) {
        uint8_t bytes[4096];
        struct pollfd ready = {.fd = slave, .events = POLLIN};
        char_device_poll(device);
        (void)poll(&ready, 1, 10);
        ssize_t got = read(slave, bytes, sizeof bytes);
        for (ssize_t i = 0; i < got; i++) {
            assert_int_equal(bytes[i], (total + (size_t)i) % 251);
        }
        total += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(total, 400000 - dropped);
    close(slave);
    char_device_close(device);
}

static void refused_specifications_say_what_would_work(void **state)
{
    (void)state;
    static const struct {
        const char *specification, *message;
        enum status_code code;
    } refused[] = {
        {"", "known are: none, null, stdio, file:PATH, pty, tcp:HOST:PORT[,server], unix:PATH[,server]",
         STATUS_INVALID_ARGUMENT},
        {"telnet:localhost:23", "unknown character device 'telnet:localhost:23'", STATUS_INVALID_ARGUMENT},
        {"file:", "as in file:serial.log", STATUS_INVALID_ARGUMENT},
        {"file:/nonexistent/log", "cannot create '/nonexistent/log': No such file", STATUS_NOT_FOUND},
        {"tcp:localhost", "a port is missing", STATUS_INVALID_ARGUMENT},
        {"tcp:localhost:", "a port is missing", STATUS_INVALID_ARGUMENT},
        {"tcp:localhost:1,sever", "unknown option 'sever'; known are: server", STATUS_INVALID_ARGUMENT},
        {"tcp:localhost:1,server,wait", "does not wait", STATUS_UNSUPPORTED},
        {"unix:", "as in unix:/tmp/serial,server", STATUS_INVALID_ARGUMENT},
        {"unix:/nonexistent/socket", "cannot connect to '/nonexistent/socket': No such file",
         STATUS_NOT_FOUND},
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        char notice[256];
        struct char_device *device;
        struct status status = char_device_open(refused[i].specification, &device, notice, sizeof notice);
        if (status.code != refused[i].code || !strstr(status.message, refused[i].message)) {
            fail_msg("'%s': code %d, \"%s\"", refused[i].specification, (int)status.code, status.message);
        }
        assert_null(device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_keeps_what_is_written),
        cmocka_unit_test(memory_has_no_small_limit),
        cmocka_unit_test(injected_bytes_arrive_as_the_sink_has_room),
        cmocka_unit_test(null_takes_everything_and_never_asks_to_be_polled),
        cmocka_unit_test(a_file_holds_every_byte),
        cmocka_unit_test(polling_a_file_makes_its_tail_readable),
        cmocka_unit_test(a_full_disk_is_reported_and_does_no_harm),
        cmocka_unit_test(stdio_works_on_pipes),
        cmocka_unit_test(a_stdio_reader_that_sleeps_never_blocks_us_and_loses_the_newest),
        cmocka_unit_test(standard_output_that_is_closed_is_reported),
        cmocka_unit_test(a_terminal_is_raw_but_for_signals_and_is_restored),
        cmocka_unit_test(a_pty_carries_bytes_both_ways_unchanged),
        cmocka_unit_test(a_pty_without_a_reader_drops_and_is_not_waited_for),
        cmocka_unit_test(a_slow_pty_reader_gets_the_oldest_bytes),
        cmocka_unit_test(refused_specifications_say_what_would_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
