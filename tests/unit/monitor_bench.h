/* A monitor on a machine that only remembers, with its output in memory: what tests of commands share. */
#ifndef DOPPEL_TESTS_MONITOR_BENCH_H
#define DOPPEL_TESTS_MONITOR_BENCH_H

#include "debugger/monitor.h"
#include "fake_machine.h"

#define MS ((uint64_t)1000000)

/* A console session with its output in memory. */
struct bench {
    struct machine *machine;
    struct monitor *monitor;
    struct monitor_session *session;
    FILE *out;
    char *text;
    size_t length;
};

/* cmocka's fixtures: *state is a struct bench. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* Feeds text to the console (opened at first use), polls once, and returns what was printed by that. */
const char *answer(struct bench *bench, const char *line);

/* Polls as often as a main loop would in `ns` of guest time. */
void pass_time(struct bench *bench, uint64_t ns);

/* Opens a script of these lines and polls once. */
void run_script(struct bench *bench, const char *text);

/* Fails, and shows both. */
void assert_contains(const char *text, const char *part);
void assert_quits_with(const struct bench *bench, int expected);

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

#endif
