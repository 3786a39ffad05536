/* Emulators that misbehave: each becomes a cell that says so, the others go on, and nothing is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "bench_rig.h"
#include "harness/memory.h"
#include "harness/process.h"

/* Runs one script beside a good one, and checks both. */
static void assert_outcome(const char *body, enum cell_state expected, const char *note, double timeout)
{
    struct rig rig;
    rig_create(&rig);
    rig.settings.timeout_seconds = timeout;
    rig_add_script(&rig, "subject", body);
    rig_add_script(&rig, "other", "good");
    struct results *results = rig_run(&rig, NULL);
    const struct results_cell *cell = results_cell(results, 0, 0);
    if (cell->state != expected || strstr(cell->note, note) == NULL) {
        fail_msg("%s: \"%s\", expected %s: \"%s\"", cell_state_name(cell->state), cell->note,
                 cell_state_name(expected), note);
    }
    assert_int_equal(results_cell(results, 0, 1)->state, CELL_OK);
    assert_true(results->complete);
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_a_good_one_is_timed_as_often_as_wanted(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.settings.repeat = 3;
    rig_add_script(&rig, "good", "good; echo run >> ../runs");
    double began = process_clock();
    struct results *results = rig_run(&rig, NULL);
    const struct results_cell *cell = results_cell(results, 0, 0);
    char runs[64];
    assert_int_equal(cell->state, CELL_OK);
    assert_int_equal(cell->sample_count, 3);
    assert_true(cell->seconds.min > 0 && cell->seconds.max <= process_clock() - began);
    assert_true(cell->samples[0].peak_rss_kib > 0);
    rig_read(&rig, "runs", runs, sizeof runs);
    assert_string_equal(runs, "run\nrun\nrun\nrun\n"); /* and the calibration */
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_runs_are_interleaved(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig_add_script(&rig, "a", "good; printf a >> ../runs");
    rig_add_script(&rig, "b", "good; printf b >> ../runs");
    char runs[64];
    results_destroy(rig_run(&rig, NULL));
    rig_read(&rig, "runs", runs, sizeof runs);
    assert_string_equal(runs, "ababab");
    rig_destroy(&rig);
}

static void test_a_workload_that_is_too_quick_gets_more_rounds(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig_add_script(&rig, "quick", "echo start; echo end 0000abcd $rounds; echo $rounds >> ../rounds");
    rig.settings.repeat = 1;
    char rounds[256];
    results_destroy(rig_run(&rig, NULL));
    rig_read(&rig, "rounds", rounds, sizeof rounds);
    assert_int_equal(strncmp(rounds, "1\n", 2), 0);
    assert_true(atoi(rounds + 2) > 1);
    rig_destroy(&rig);
}

/* What a busy host takes away looks like this sleep. */
static void test_time_without_a_processor_is_not_the_programs(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.settings.repeat = 1;
    rig_add_script(&rig, "delayed",
                   "echo start; i=0; while [ $i -lt 600000 ]; do i=$((i + 1)); done; sleep 0.6;"
                   "echo end 0000abcd $rounds");
    struct results *results = rig_run(&rig, NULL);
    const struct results_cell *cell = results_cell(results, 0, 0);
    assert_int_equal(cell->state, CELL_OK);
    assert_true(cell->samples[0].seconds <= cell->samples[0].cpu_seconds);
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_a_wrong_checksum_is_no_time(void **state)
{
    (void)state;
    assert_outcome("echo start; echo end 12345678 $rounds", CELL_WRONG_CHECKSUM,
                   "12345678 instead of 0000abcd", 20);
}

static void test_a_crash_says_how(void **state)
{
    (void)state;
    assert_outcome("echo start; kill -SEGV $$", CELL_CRASHED, "signal 11", 20);
    assert_outcome("echo 'no such machine' >&2; exit 3", CELL_CRASHED, "exit status 3: no such machine", 20);
    assert_outcome("exit 0", CELL_CRASHED, "exit status 0", 20);
}

static void test_a_hang_is_killed(void **state)
{
    (void)state;
    assert_outcome("trap '' TERM INT HUP; sleep 600", CELL_HUNG, "did not start", 2);
    assert_outcome("echo start; sleep 600", CELL_HUNG, "did not end", 2);
    assert_outcome("echo start; exec >&- 2>&-; sleep 600", CELL_HUNG, "did not end", 2);
}

static void test_endless_output_is_no_way_out(void **state)
{
    (void)state;
    assert_outcome("while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", CELL_HUNG,
                   "did not start", 2);
    assert_outcome("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done", CELL_HUNG, "did not start", 2);
}

static void test_a_failure_has_the_workloads_words(void **state)
{
    (void)state;
    assert_outcome("echo start; echo failed exception 0d at 00100000", CELL_FAILED,
                   "exception 0d at 00100000", 20);
    assert_outcome("echo failed unsupported: no SSE2", CELL_UNSUPPORTED, "no SSE2", 20);
}

static void test_nonsense_is_told_from_results(void **state)
{
    (void)state;
    assert_outcome("echo start; echo end 0000abcd 77", CELL_GARBLED, "77 rounds", 20);
    assert_outcome("echo end 0000abcd $rounds", CELL_GARBLED, "end 0000abcd", 20);
    assert_outcome("echo start; echo end banana", CELL_GARBLED, "end banana", 20);
    assert_outcome("echo start; echo start", CELL_GARBLED, "second start", 20);
    assert_outcome("echo workload other", CELL_GARBLED, "workload other", 20);
}

static void test_a_missing_program_is_a_cell(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig_add_program(&rig, "gone", "/nonexistent/doppel");
    rig_add_script(&rig, "other", "good");
    struct results *results = rig_run(&rig, NULL);
    assert_int_equal(results_cell(results, 0, 0)->state, CELL_MISSING);
    assert_non_null(strstr(results_cell(results, 0, 0)->note, "/nonexistent/doppel"));
    assert_int_equal(results_cell(results, 0, 1)->state, CELL_OK);
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_a_missing_image_is_a_cell(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.workloads.items[0].name = "absent";
    rig_add_script(&rig, "good", "good");
    struct results *results = rig_run(&rig, NULL);
    assert_int_equal(results_cell(results, 0, 0)->state, CELL_MISSING);
    assert_non_null(strstr(results_cell(results, 0, 0)->note, "absent.img"));
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_a_failure_in_a_later_pass_is_not_hidden(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.settings.repeat = 3;
    rig_add_script(&rig, "moody", "echo x >> ../runs; [ $(wc -l < ../runs) -lt 3 ] || exit 9; good");
    struct results *results = rig_run(&rig, NULL);
    assert_int_equal(results_cell(results, 0, 0)->state, CELL_CRASHED);
    assert_int_equal(results_cell(results, 0, 0)->sample_count, 1);
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_counters_are_told_per_round_without_the_boot(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.settings.wanted_seconds = 0.5;
    rig.settings.repeat = 1;
    rig_add_script(&rig, "counting", "good; echo instructions $((1000 + 7 * rounds)) > counters");
    struct results *results = rig_run(&rig, NULL);
    const struct results_cell *cell = results_cell(results, 0, 0);
    assert_int_equal(cell->state, CELL_OK);
    assert_int_equal(cell->counter_count, 1);
    assert_string_equal(cell->counters[0].name, "instructions");
    assert_int_equal(cell->counters[0].total, 1000 + 7 * cell->samples[0].rounds);
    assert_true(fabs(cell->counters[0].per_round - 7) < 1e-9);
    results_destroy(results);
    rig_destroy(&rig);
}

/* A process is gone when it cannot be signalled, or is a zombie that its new parent has not taken yet. */
static bool is_gone(pid_t pid)
{
    char path[64];
    char text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        size_t length = fread(text, 1, sizeof text - 1, file);
        text[length] = '\0';
        fclose(file);
    }
    return file == NULL || strstr(text, ") Z") != NULL;
}

static void test_no_descendant_survives(void **state)
{
    (void)state;
    static const char *const bodies[] = {"sleep 600 & echo $! > ../pid; good",
                                         "sleep 600 & echo $! > ../pid; echo start; sleep 600"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct rig rig;
        rig_create(&rig);
        rig.settings.timeout_seconds = 1;
        rig_add_script(&rig, "parent", bodies[i]);
        results_destroy(rig_run(&rig, NULL));
        char text[64];
        rig_read(&rig, "pid", text, sizeof text);
        pid_t pid = atoi(text);
        assert_true(pid > 0);
        bool gone = false;
        for (unsigned tries = 0; tries < 200 && !gone; tries++) {
            gone = is_gone(pid);
            usleep(10000);
        }
        assert_true(gone);
        rig_destroy(&rig);
    }
}

static void test_an_interrupt_keeps_what_there_is(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    process_block_signals();
    rig.settings.repeat = 1;
    rig_add_script(&rig, "good", "good");
    rig_add_script(&rig, "interrupter", "kill -INT $PPID; sleep 600");
    bool finished = true;
    struct results *results = rig_run(&rig, &finished);
    assert_false(finished);
    assert_false(results->complete);
    assert_int_equal(results_cell(results, 0, 0)->state, CELL_OK);
    assert_int_equal(results_cell(results, 0, 0)->sample_count, 1);
    assert_int_equal(results_cell(results, 0, 1)->state, CELL_PENDING);
    assert_true(process_is_interrupted());
    process_release_signals();
    assert_false(process_is_interrupted());
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_resuming_runs_only_what_is_left(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig_add_script(&rig, "done", "good; printf x >> ../done-runs");
    rig_add_script(&rig, "left", "good; printf x >> ../left-runs");
    struct results *results = rig_empty_results(&rig);
    rig_fill(results, 0, 0, 1, 0, 2, 1);
    bool finished =
        runner_run(results, &rig.workloads, &rig.configurations, &rig.settings, &(struct runner_listener){0});
    char runs[64];
    assert_true(finished);
    assert_true(results->complete);
    rig_read(&rig, "done-runs", runs, sizeof runs);
    assert_string_equal(runs, "");
    rig_read(&rig, "left-runs", runs, sizeof runs);
    assert_string_equal(runs, "xxx");
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_a_budget_that_is_used_up_ends_the_run(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.settings.repeat = 100;
    rig.settings.budget_seconds = 1.5;
    rig_add_script(&rig, "slow", "echo start; sleep 0.5; echo end 0000abcd $rounds");
    struct results *results = rig_run(&rig, NULL);
    const struct results_cell *cell = results_cell(results, 0, 0);
    assert_int_equal(cell->state, CELL_OK);
    assert_in_range(cell->sample_count, 1, 4);
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_several_results_of_a_guest_are_timed_in_one_run(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.workloads.count = 0;
    rig_add_results(&rig, "long,short,absent");
    rig_add_script(&rig, "guest",
                   "echo run >> ../runs; sleep 0.3; echo up; sleep 0.2; echo TIME long 1 2; printf 'TIME sh';"
                   "sleep 0.05; echo ort; echo done");
    struct results *results = rig_run(&rig, NULL);
    char runs[64];
    rig_read(&rig, "runs", runs, sizeof runs);
    assert_string_equal(runs, "run\nrun\n");
    for (size_t row = 0; row < 2; row++) {
        assert_int_equal(results_cell(results, row, 0)->state, CELL_OK);
        assert_int_equal(results_cell(results, row, 0)->sample_count, 2);
    }
    assert_true(results_cell(results, 0, 0)->seconds.min >= 0.19);
    assert_true(results_cell(results, 0, 0)->seconds.min < 0.45);
    assert_true(results_cell(results, 1, 0)->seconds.min >= 0.04);
    assert_true(results_cell(results, 1, 0)->seconds.min < results_cell(results, 0, 0)->seconds.min);
    assert_int_equal(results_cell(results, 2, 0)->state, CELL_FAILED);
    assert_non_null(strstr(results_cell(results, 2, 0)->note, "TIME absent"));
    assert_true(results->complete);
    results_destroy(results);
    rig_destroy(&rig);
}

static void test_all_results_of_a_guest_that_crashes_say_so(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig.workloads.count = 0;
    rig_add_results(&rig, "one,two");
    rig_add_script(&rig, "guest", "echo up; echo TIME one; exit 7");
    struct results *results = rig_run(&rig, NULL);
    for (size_t row = 0; row < 2; row++) {
        assert_int_equal(results_cell(results, row, 0)->state, CELL_CRASHED);
    }
    assert_true(results->complete);
    results_destroy(results);
    rig_destroy(&rig);
}

/* A disk's image is too large to be copied for each run. */
static void test_a_users_image_stays_as_it_is(void **state)
{
    (void)state;
    enum { SIZE = 4 * 1024 * 1024 };
    struct rig rig;
    rig_create(&rig);
    rig_add_boot(&rig, "disk", SIZE);
    rig_add_script(&rig, "either", "if [ -L image ]; then echo done; else good; fi");
    struct results *results = rig_run(&rig, NULL);
    assert_int_equal(results_cell(results, 0, 0)->state, CELL_OK);
    assert_int_equal(results_cell(results, 1, 0)->state, CELL_OK);
    assert_int_equal(results_cell(results, 1, 0)->sample_count, 2);
    struct stat information;
    char *path = memory_format("%s/disk.img", rig.directory);
    assert_int_equal(stat(path, &information), 0);
    assert_int_equal(information.st_size, SIZE);
    free(path);
    results_destroy(results);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_one_is_timed_as_often_as_wanted),
        cmocka_unit_test(test_runs_are_interleaved),
        cmocka_unit_test(test_a_workload_that_is_too_quick_gets_more_rounds),
        cmocka_unit_test(test_time_without_a_processor_is_not_the_programs),
        cmocka_unit_test(test_a_wrong_checksum_is_no_time),
        cmocka_unit_test(test_a_crash_says_how),
        cmocka_unit_test(test_a_hang_is_killed),
        cmocka_unit_test(test_endless_output_is_no_way_out),
        cmocka_unit_test(test_a_failure_has_the_workloads_words),
        cmocka_unit_test(test_nonsense_is_told_from_results),
        cmocka_unit_test(test_a_missing_program_is_a_cell),
        cmocka_unit_test(test_a_missing_image_is_a_cell),
        cmocka_unit_test(test_a_failure_in_a_later_pass_is_not_hidden),
        cmocka_unit_test(test_counters_are_told_per_round_without_the_boot),
        cmocka_unit_test(test_no_descendant_survives),
        cmocka_unit_test(test_an_interrupt_keeps_what_there_is),
        cmocka_unit_test(test_resuming_runs_only_what_is_left),
        cmocka_unit_test(test_several_results_of_a_guest_are_timed_in_one_run),
        cmocka_unit_test(test_all_results_of_a_guest_that_crashes_say_so),
        cmocka_unit_test(test_a_users_image_stays_as_it_is),
        cmocka_unit_test(test_a_budget_that_is_used_up_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
