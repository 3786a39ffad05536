/* See monitor_bench.h. */
#include "monitor_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int bench_set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->machine = fake_machine_create();
    bench->monitor = monitor_create(bench->machine);
    bench->out = open_memstream(&bench->text, &bench->length);
    *state = bench;
    return 0;
}

int bench_tear_down(void **state)
{
    struct bench *bench = *state;
    monitor_destroy(bench->monitor);
    fake_machine_destroy(bench->machine);
    fclose(bench->out);
    free(bench->text);
    free(bench);
    return 0;
}

const char *answer(struct bench *bench, const char *line)
{
    if (bench->session == NULL) {
        bench->session = monitor_open_console(bench->monitor, bench->out);
    }
    size_t before = bench->length;
    monitor_feed(bench->session, line, strlen(line));
    monitor_feed(bench->session, "\n", 1);
    monitor_poll(bench->monitor);
    fflush(bench->out);
    return bench->text + before;
}

void pass_time(struct bench *bench, uint64_t ns)
{
    for (uint64_t end = bench->machine->now + ns; bench->machine->now < end;
         bench->machine->now += MONITOR_POLL_NS) {
        monitor_poll(bench->monitor);
    }
    monitor_poll(bench->monitor);
    fflush(bench->out);
}

void run_script(struct bench *bench, const char *text)
{
    char path[] = "/tmp/doppel-monitor-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct status status = monitor_open_script(bench->monitor, path, bench->out, bench->out, &bench->session);
    unlink(path);
    assert_true(status_is_ok(&status));
    monitor_poll(bench->monitor);
    fflush(bench->out);
}

void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

void assert_quits_with(const struct bench *bench, int expected)
{
    int status;
    assert_true(monitor_wants_quit(bench->monitor, &status));
    assert_int_equal(status, expected);
}
