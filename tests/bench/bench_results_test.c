/* Results: their means, their JSON file, their table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_rig.h"
#include "harness/memory.h"
#include "harness/results_json.h"
#include "harness/table.h"

enum { NATIVE, QEMU, INTERP };
enum { SORT, MIX, PORT };

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * fabs(expected))) {
        fail_msg("%.12g, expected %.12g", value, expected);
    }
}

/* Native cannot run system/port. */
static struct results *example(void)
{
    struct results *results = rig_results();
    rig_fill(results, SORT, NATIVE, 1, 0, 3, 10);
    rig_fill(results, SORT, QEMU, 4, 0, 3, 2);
    rig_fill(results, SORT, INTERP, 8, 0, 3, 1);
    rig_fill(results, MIX, NATIVE, 1, 0, 3, 10);
    rig_fill(results, MIX, QEMU, 1, 0, 3, 10);
    rig_fill(results, MIX, INTERP, 8, 0, 3, 1);
    results_cell(results, PORT, NATIVE)->state = CELL_NOT_APPLICABLE;
    rig_fill(results, PORT, QEMU, 4, 0, 3, 1);
    rig_fill(results, PORT, INTERP, 1, 0, 3, 1);
    return results;
}

/* ---- means */

static void test_a_time_is_that_of_one_round(void **state)
{
    (void)state;
    struct results *results = example();
    assert_near(results_cell(results, SORT, NATIVE)->seconds.median, 1);
    assert_near(results_cell(results, SORT, QEMU)->seconds.median, 4);
    results_destroy(results);
}

static void test_a_mean_is_over_what_both_completed(void **state)
{
    (void)state;
    struct results *results = example();
    struct results_mean to_native = results_geometric_mean(results, INTERP, NATIVE, NULL);
    struct results_mean to_qemu = results_geometric_mean(results, INTERP, QEMU, NULL);
    assert_int_equal(to_native.count, 2);
    assert_near(to_native.ratio, 8);
    assert_int_equal(to_qemu.count, 3);
    assert_near(to_qemu.ratio, cbrt(2.0 * 8.0 / 4.0));
    results_destroy(results);
}

static void test_a_mean_of_a_group_is_over_that_group(void **state)
{
    (void)state;
    struct results *results = example();
    assert_near(results_geometric_mean(results, INTERP, QEMU, "system").ratio, 0.25);
    assert_int_equal(results_geometric_mean(results, INTERP, NATIVE, "system").count, 0);
    assert_true(isnan(results_geometric_mean(results, INTERP, NATIVE, "system").ratio));
    results_destroy(results);
}

static void test_a_workload_that_one_column_failed_counts_for_none(void **state)
{
    (void)state;
    struct results *results = example();
    results_cell(results, SORT, INTERP)->state = CELL_CRASHED;
    assert_int_equal(results_geometric_mean(results, QEMU, NATIVE, NULL).count, 1);
    results_destroy(results);
}

static void test_a_column_that_completed_nothing_does_not_empty_the_others(void **state)
{
    (void)state;
    struct results *results = example();
    for (size_t row = 0; row < results->workload_count; row++) {
        results_cell(results, row, INTERP)->state = CELL_MISSING;
    }
    assert_int_equal(results_geometric_mean(results, QEMU, NATIVE, NULL).count, 2);
    results_destroy(results);
}

static void test_the_rate_of_instructions_is_that_of_the_counted_rounds(void **state)
{
    (void)state;
    struct results *results = example();
    for (size_t row = SORT; row <= MIX; row++) {
        struct results_cell *cell = results_cell(results, row, INTERP); /* 8 s for a round */
        cell->counters = memory_allocate(1, sizeof *cell->counters);
        cell->counter_count = 1;
        cell->counters[0] =
            (struct results_counter){memory_text("instructions"), 1000, row == SORT ? 16 : 64};
    }
    assert_near(results_instruction_rate(results_cell(results, SORT, INTERP)), 2);
    assert_true(isnan(results_instruction_rate(results_cell(results, SORT, QEMU))));
    struct results_mean mean = results_mean_instruction_rate(results, INTERP, "integer");
    assert_near(mean.ratio, 4);
    assert_int_equal(mean.count, 2);
    assert_int_equal(results_mean_instruction_rate(results, INTERP, "system").count, 0);
    results_destroy(results);
}

static void test_times_far_apart_are_noisy(void **state)
{
    (void)state;
    struct results *results = rig_results();
    rig_fill(results, SORT, QEMU, 1, 0.2, 3, 1);
    rig_fill(results, SORT, INTERP, 1, 0.01, 3, 1);
    assert_true(results_cell(results, SORT, QEMU)->noisy);
    assert_false(results_cell(results, SORT, INTERP)->noisy);
    results_destroy(results);
}

/* ---- JSON */

static char *temporary(void)
{
    char *path = memory_text("/tmp/bench-results.XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    return path;
}

static struct results *round_trip(const struct results *results)
{
    char *path = temporary();
    struct results *read = NULL;
    struct status status = results_write_json(results, path);
    assert_string_equal(status.message, "");
    status = results_read_json(path, &read);
    assert_string_equal(status.message, "");
    unlink(path);
    free(path);
    return read;
}

static void test_everything_comes_back_from_json(void **state)
{
    (void)state;
    struct results *results = example();
    results_set(&results->host.cpu, "a \"quoted\" processor");
    results->host.cores = 3;
    results->host.load_before = 0.5;
    results->complete = true;
    results->settings.quick = true;
    results->settings.repeat = 7;
    results_set(&results->settings.selections, "--quick\n--peers=qemu\n");
    results->workloads[SORT].has_checksum = true;
    results->workloads[SORT].checksum = 0xdeadbeef;
    struct results_cell *cell = results_cell(results, SORT, INTERP);
    cell->counters = memory_allocate(2, sizeof *cell->counters);
    cell->counter_count = 2;
    cell->counters[0] = (struct results_counter){memory_text("instructions"), 123456789012345u, 1.5};
    cell->counters[1] = (struct results_counter){memory_text("halts"), 0, (double)NAN};
    results_set(&results_cell(results, PORT, QEMU)->note, "why");

    struct results *read = round_trip(results);
    assert_string_equal(read->host.cpu, "a \"quoted\" processor");
    assert_int_equal(read->host.cores, 3);
    assert_near(read->host.load_before, 0.5);
    assert_true(read->complete);
    assert_true(read->settings.quick);
    assert_int_equal(read->settings.repeat, 7);
    assert_string_equal(read->settings.selections, "--quick\n--peers=qemu\n");
    assert_int_equal(read->configuration_count, 3);
    assert_int_equal(read->configurations[QEMU].kind, CONFIGURATION_QEMU);
    assert_int_equal(read->workload_count, 3);
    assert_true(read->workloads[SORT].has_checksum);
    assert_int_equal(read->workloads[SORT].checksum, 0xdeadbeef);
    assert_false(read->workloads[MIX].has_checksum);
    assert_int_equal(results_cell(read, PORT, NATIVE)->state, CELL_NOT_APPLICABLE);
    assert_string_equal(results_cell(read, PORT, QEMU)->note, "why");
    const struct results_cell *back = results_cell(read, SORT, INTERP);
    assert_int_equal(back->sample_count, 3);
    assert_near(back->samples[0].seconds, 8);
    assert_int_equal(back->samples[0].rounds, 1);
    assert_near(back->samples[1].start_seconds, 0.25);
    assert_near(back->samples[1].cpu_seconds, 1.5);
    assert_int_equal(back->samples[2].peak_rss_kib, 4098);
    assert_near(back->seconds.median, 8);
    assert_int_equal(back->counter_count, 2);
    assert_string_equal(back->counters[0].name, "instructions");
    assert_int_equal(back->counters[0].total, 123456789012345u);
    assert_near(back->counters[0].per_round, 1.5);
    assert_true(isnan(back->counters[1].per_round));
    results_destroy(read);
    results_destroy(results);
}

static void test_bytes_that_are_no_text_do_not_prevent_the_file(void **state)
{
    (void)state;
    struct results *results = example();
    results_set(&results_cell(results, SORT, QEMU)->note, "\xff\xfe.");
    struct results *read = round_trip(results);
    assert_string_equal(results_cell(read, SORT, QEMU)->note, "??.");
    results_destroy(read);
    results_destroy(results);
}

static void assert_rejected(const char *contents, const char *reason)
{
    char *path = temporary();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(contents, file);
    fclose(file);
    struct results *read = NULL;
    struct status status = results_read_json(path, &read);
    if (status_is_ok(&status) || strstr(status.message, reason) == NULL) {
        fail_msg("\"%s\" is not in \"%s\" for %s", reason, status.message, contents);
    }
    assert_null(read);
    unlink(path);
    free(path);
}

static void test_files_that_are_no_results_are_named_errors(void **state)
{
    (void)state;
    assert_rejected("", "not JSON");
    assert_rejected("{", "not JSON");
    assert_rejected("{}", "no results");
    assert_rejected("[1]", "no results");
    assert_rejected("{\"program\": \"other\", \"schema\": 1}", "no results");
    assert_rejected("{\"program\": \"doppel-bench\", \"schema\": 999}", "schema 999");
    assert_rejected("{\"program\": \"doppel-bench\", \"schema\": 1}", "damaged");
}

/* Every value in the file, replaced by null in turn, is either noticed or harmless. */
static void test_damaged_files_never_crash(void **state)
{
    (void)state;
    struct results *results = example();
    char *path = temporary();
    struct status status = results_write_json(results, path);
    assert_true(status_is_ok(&status));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    static char text[65536];
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    unsigned noticed = 0;
    for (char *at = text; (at = strstr(at, ": ")) != NULL; at += 2) {
        file = fopen(path, "w");
        assert_non_null(file);
        size_t end = (size_t)(at + 2 - text) + strcspn(at + 2, ",\n");
        fwrite(text, 1, (size_t)(at + 2 - text), file);
        fputs("\"x\"", file);
        fwrite(text + end, 1, length - end, file);
        fclose(file);
        struct results *read = NULL;
        status = results_read_json(path, &read);
        noticed += !status_is_ok(&status);
        results_destroy(read);
    }
    assert_true(noticed > 20);
    unlink(path);
    free(path);
    results_destroy(results);
}

static void test_an_unwritable_file_is_an_error(void **state)
{
    (void)state;
    struct results *results = example();
    struct status status = results_write_json(results, "/nonexistent/results.json");
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    results_destroy(results);
}

/* ---- the table */

static char *table_of(const struct results *results, unsigned width)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_print(results, out, width);
    fclose(out);
    return text;
}

static void test_the_table_respects_a_narrow_terminal(void **state)
{
    (void)state;
    struct results *results = example();
    char *text = table_of(results, 60);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strlen(line) > 60) {
            fail_msg("%zu columns: %s", strlen(line), line);
        }
    }
    free(text);
    results_destroy(results);
}

static void test_the_table_shows_why_there_is_no_time(void **state)
{
    (void)state;
    struct results *results = example();
    results_cell(results, SORT, QEMU)->state = CELL_WRONG_CHECKSUM;
    results_set(&results_cell(results, SORT, QEMU)->note, "12345678 instead of 87654321");
    char *text = table_of(results, 120);
    assert_non_null(strstr(text, "WRONG SUM"));
    assert_non_null(strstr(text, "integer/sort on qemu: WRONG SUM: 12345678 instead of 87654321"));
    free(text);
    results_destroy(results);
}

static void test_seconds_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    char text[24];
    assert_string_equal(table_format_seconds(0.0123456, text, sizeof text), "12.3 ms");
    assert_string_equal(table_format_seconds(1.5, text, sizeof text), "1.50 s");
    assert_string_equal(table_format_seconds(123.4e-6, text, sizeof text), "123 us");
    assert_string_equal(table_format_seconds(0.99999, text, sizeof text), "1.00 s");
    assert_string_equal(table_format_ratio(6.521, text, sizeof text), "6.52x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_time_is_that_of_one_round),
        cmocka_unit_test(test_a_mean_is_over_what_both_completed),
        cmocka_unit_test(test_a_mean_of_a_group_is_over_that_group),
        cmocka_unit_test(test_a_workload_that_one_column_failed_counts_for_none),
        cmocka_unit_test(test_a_column_that_completed_nothing_does_not_empty_the_others),
        cmocka_unit_test(test_the_rate_of_instructions_is_that_of_the_counted_rounds),
        cmocka_unit_test(test_times_far_apart_are_noisy),
        cmocka_unit_test(test_everything_comes_back_from_json),
        cmocka_unit_test(test_bytes_that_are_no_text_do_not_prevent_the_file),
        cmocka_unit_test(test_files_that_are_no_results_are_named_errors),
        cmocka_unit_test(test_damaged_files_never_crash),
        cmocka_unit_test(test_an_unwritable_file_is_an_error),
        cmocka_unit_test(test_the_table_respects_a_narrow_terminal),
        cmocka_unit_test(test_the_table_shows_why_there_is_no_time),
        cmocka_unit_test(test_seconds_have_three_digits_and_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
