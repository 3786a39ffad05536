/* What counts as slower, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_rig.h"
#include "harness/compare.h"

enum { NATIVE, QEMU, INTERP };
enum { SORT, MIX, PORT };

static const struct compare_limits quiet = {.noise = 0.005};
static const struct compare_limits usual = {.noise = 0.03};

static enum compare_verdict verdict_of(double old_first, double old_step, double new_first, double new_step,
                                       size_t count, const struct compare_limits *limits)
{
    struct results *old = rig_results();
    struct results *new = rig_results();
    double ratio;
    rig_fill(old, SORT, INTERP, old_first, old_step, count, 1);
    rig_fill(new, SORT, INTERP, new_first, new_step, count, 1);
    enum compare_verdict verdict =
        compare_cells(results_cell(old, SORT, INTERP), results_cell(new, SORT, INTERP), limits, &ratio);
    results_destroy(old);
    results_destroy(new);
    return verdict;
}

static void test_a_clear_change_is_told(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(1, 0.01, 1.2, 0.01, 3, &usual), COMPARE_SLOWER);
    assert_int_equal(verdict_of(1.2, 0.01, 1, 0.01, 3, &usual), COMPARE_FASTER);
}

static void test_ten_percent_in_five_times_are_told(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(1, 0.01, 1.1, 0.01, 5, &usual), COMPARE_SLOWER);
    assert_int_equal(verdict_of(1.1, 0.01, 1, 0.01, 5, &usual), COMPARE_FASTER);
}

static void test_a_small_change_is_none(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(1, 0.001, 1.04, 0.001, 5, &quiet), COMPARE_SAME);
    assert_int_equal(verdict_of(1, 0.001, 0.96, 0.001, 5, &quiet), COMPARE_SAME);
}

static void test_a_change_between_ranges_that_touch_is_none(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(1, 0.1, 1.15, 0.1, 5, &quiet), COMPARE_SAME);
}

static void test_fewer_times_have_to_differ_more(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(1, 0.001, 1.1, 0.001, 5, &usual), COMPARE_SLOWER);
    assert_int_equal(verdict_of(1, 0.001, 1.1, 0.001, 2, &usual), COMPARE_SAME);
    assert_int_equal(verdict_of(1, 0.001, 1.2, 0.001, 2, &usual), COMPARE_SLOWER);
    assert_int_equal(verdict_of(1, 0, 1.2, 0, 1, &usual), COMPARE_SAME);
    assert_int_equal(verdict_of(1, 0, 1.4, 0, 1, &usual), COMPARE_SLOWER);
}

static void test_a_change_of_the_host_explains_as_much_of_ours(void **state)
{
    (void)state;
    const struct compare_limits slower = {.noise = 0.005, .slower = 0.25};
    assert_int_equal(verdict_of(1, 0.01, 1.2, 0.01, 5, &slower), COMPARE_SAME);
    assert_int_equal(verdict_of(1.2, 0.01, 1, 0.01, 5, &slower), COMPARE_FASTER);
}

/* The peers are unchanged: what their times did between the two runs is noise. */
static void test_noise_is_learnt_from_peers(void **state)
{
    (void)state;
    struct results *old = rig_results();
    struct results *new = rig_results();
    for (size_t row = SORT; row <= PORT; row++) {
        rig_fill(old, row, QEMU, 1, 0, 1, 1);
        rig_fill(new, row, QEMU, row % 2 == 0 ? 1.25 : 0.8, 0, 1, 1);
    }
    double noise = compare_noise(old, new);
    assert_true(noise > 0.08 && noise < 0.12);
    results_destroy(old);
    results_destroy(new);
}

static void test_noise_is_learnt_from_repetitions(void **state)
{
    (void)state;
    struct results *results = rig_results();
    for (size_t row = SORT; row <= PORT; row++) {
        for (size_t column = NATIVE; column <= INTERP; column++) {
            rig_fill(results, row, column, 1, 0.05, 3, 1);
        }
    }
    double noise = compare_noise(results, results);
    assert_true(noise > 0.045 && noise < 0.055);
    results_destroy(results);
}

/* Prints, and returns what is to be freed. */
static char *print(const struct results *old, const struct results *new, bool *worse)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    *worse = compare_print(old, new, out);
    fclose(out);
    return text;
}

static void test_the_same_results_have_no_difference(void **state)
{
    (void)state;
    struct results *results = rig_results();
    rig_fill(results, SORT, INTERP, 1, 0.01, 3, 1);
    bool worse;
    char *text = print(results, results, &worse);
    assert_false(worse);
    assert_non_null(strstr(text, "0 slower, 0 broken, 0 faster"));
    free(text);
    results_destroy(results);
}

static void test_a_workload_that_no_longer_runs_is_broken(void **state)
{
    (void)state;
    struct results *old = rig_results();
    struct results *new = rig_results();
    rig_fill(old, SORT, INTERP, 1, 0, 3, 1);
    results_cell(new, SORT, INTERP)->state = CELL_CRASHED;
    results_set(&results_cell(new, SORT, INTERP)->note, "signal 11");
    bool worse;
    char *text = print(old, new, &worse);
    assert_true(worse);
    assert_non_null(strstr(text, "BROKEN     integer/sort on interp: CRASHED: signal 11"));
    free(text);
    text = print(new, old, &worse);
    assert_false(worse);
    assert_non_null(strstr(text, "works now"));
    free(text);
    results_destroy(old);
    results_destroy(new);
}

static void test_a_slower_peer_is_the_host_and_no_fault(void **state)
{
    (void)state;
    struct results *old = rig_results();
    struct results *new = rig_results();
    rig_fill(old, SORT, QEMU, 1, 0.01, 3, 1);
    rig_fill(new, SORT, QEMU, 1.5, 0.01, 3, 1);
    rig_fill(old, SORT, INTERP, 1, 0.01, 3, 1);
    rig_fill(new, SORT, INTERP, 1.4, 0.01, 3, 1);
    bool worse;
    char *text = print(old, new, &worse);
    assert_false(worse);
    assert_non_null(strstr(text, "slower than before"));
    free(text);
    results_destroy(old);
    results_destroy(new);
}

/* The same in both files but for one cell, with five times each. */
static void test_one_slower_cell_among_many_is_found(void **state)
{
    (void)state;
    struct results *old = rig_results();
    struct results *new = rig_results();
    for (size_t row = SORT; row <= PORT; row++) {
        for (size_t column = NATIVE; column <= INTERP; column++) {
            bool slow = row == MIX && column == INTERP;
            rig_fill(old, row, column, 1, 0.01, 5, 1);
            rig_fill(new, row, column, slow ? 1.1 : 1.01, 0.01, 5, 1);
        }
    }
    bool worse;
    char *text = print(old, new, &worse);
    assert_true(worse);
    assert_non_null(strstr(text, "SLOWER     integer/mix on interp"));
    assert_non_null(strstr(text, "1 slower, 0 broken, 0 faster"));
    free(text);
    results_destroy(old);
    results_destroy(new);
}

static void test_what_was_not_run_is_not_broken(void **state)
{
    (void)state;
    struct results *old = rig_results();
    struct results *new = rig_results();
    rig_fill(old, SORT, INTERP, 1, 0, 3, 1);
    bool worse;
    free(print(old, new, &worse));
    assert_false(worse);
    char *text = print(new, old, &worse);
    assert_null(strstr(text, "works now"));
    free(text);
    results_destroy(old);
    results_destroy(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clear_change_is_told),
        cmocka_unit_test(test_a_small_change_is_none),
        cmocka_unit_test(test_ten_percent_in_five_times_are_told),
        cmocka_unit_test(test_a_change_between_ranges_that_touch_is_none),
        cmocka_unit_test(test_fewer_times_have_to_differ_more),
        cmocka_unit_test(test_noise_is_learnt_from_peers),
        cmocka_unit_test(test_noise_is_learnt_from_repetitions),
        cmocka_unit_test(test_a_change_of_the_host_explains_as_much_of_ours),
        cmocka_unit_test(test_the_same_results_have_no_difference),
        cmocka_unit_test(test_a_workload_that_no_longer_runs_is_broken),
        cmocka_unit_test(test_a_slower_peer_is_the_host_and_no_fault),
        cmocka_unit_test(test_one_slower_cell_among_many_is_found),
        cmocka_unit_test(test_what_was_not_run_is_not_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
