/* The HTML report: the numbers are in it, hostile text is text, and it is well-formed whatever is missing.
 * With gnuplot on the machine its charts are looked at too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_rig.h"
#include "harness/chart.h"
#include "harness/html.h"
#include "harness/html_text.h"
#include "harness/memory.h"

enum { NATIVE, QEMU, INTERP };
enum { SORT, MIX, PORT };

#define DEEPEST 64

static struct results *example(void)
{
    struct results *results = rig_results();
    rig_fill(results, SORT, NATIVE, 0.0125, 0, 3, 10);
    rig_fill(results, SORT, QEMU, 0.05, 0, 3, 2);
    rig_fill(results, SORT, INTERP, 0.1, 0.01, 3, 1);
    rig_fill(results, MIX, NATIVE, 0.001, 0, 3, 10);
    rig_fill(results, MIX, QEMU, 0.001, 0, 3, 10);
    results_cell(results, MIX, INTERP)->state = CELL_CRASHED;
    results_set(&results_cell(results, MIX, INTERP)->note, "signal 11 <Segmentation fault>");
    results_cell(results, PORT, NATIVE)->state = CELL_NOT_APPLICABLE;
    rig_fill(results, PORT, QEMU, 0.004, 0, 3, 1);
    rig_fill(results, PORT, INTERP, 0.002, 0, 3, 1);
    struct results_cell *cell = results_cell(results, SORT, INTERP);
    cell->counters = memory_allocate(1, sizeof *cell->counters);
    cell->counters[0] =
        (struct results_counter){.name = memory_text("tlb_misses"), .total = 123456, .per_round = 78.25};
    cell->counter_count = 1;
    results->complete = true;
    results_set(&results->host.commit, "0123abcd");
    return results;
}

/* ---- well-formed: every element is closed, in order; quotes and ampersands are where they may be */

static const char *check_entity(const char *at)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        if (strncmp(at, entities[i], strlen(entities[i])) == 0) {
            return at + strlen(entities[i]);
        }
    }
    fail_msg("a bare ampersand: %.40s", at);
    return at + 1;
}

/* The tag's attributes; returns the place of its '>' or '/'. */
static const char *check_attributes(const char *at)
{
    for (;;) {
        at += strspn(at, " \n");
        if (*at == '>' || *at == '/') {
            return at;
        }
        at += strcspn(at, "= \n<>\"'");
        at += strspn(at, " ");
        if (*at != '=') {
            fail_msg("an attribute without a value: %.40s", at);
        }
        at++;
        at += strspn(at, " ");
        char quote = *at++;
        if (quote != '"' && quote != '\'') {
            fail_msg("an attribute without quotes: %.40s", at);
        }
        while (*at != quote) {
            if (*at == '\0' || *at == '<') {
                fail_msg("an attribute does not end: %.40s", at);
            }
            at = *at == '&' ? check_entity(at) : at + 1;
        }
        at++;
    }
}

static void assert_well_formed(const char *text)
{
    const char *open[DEEPEST];
    size_t lengths[DEEPEST];
    size_t depth = 0;
    assert_int_equal(strncmp(text, "<!DOCTYPE html>\n", 16), 0);
    for (const char *at = text + 16; *at != '\0';) {
        if (*at == '&') {
            at = check_entity(at);
        } else if (*at != '<') {
            assert_true((unsigned char)*at >= ' ' || *at == '\n' || *at == '\t');
            at++;
        } else if (at[1] == '/') {
            size_t length = strcspn(at + 2, " >");
            if (depth == 0 || lengths[depth - 1] != length || memcmp(open[depth - 1], at + 2, length) != 0) {
                fail_msg("closes what is not open: %.40s", at);
            }
            depth--;
            at = strchr(at, '>') + 1;
        } else {
            const char *name = at + 1;
            size_t length = strcspn(name, " \n/>");
            assert_true(isalpha((unsigned char)*name));
            at = check_attributes(name + length);
            if (*at == '/') {
                at++;
            } else {
                assert_true(depth < DEEPEST);
                open[depth] = name;
                lengths[depth++] = length;
            }
            assert_int_equal(*at, '>');
            at++;
        }
    }
    assert_int_equal(depth, 0);
}

/* ---- a report as text */

static char *read_file(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    return text;
}

static char *report_of(const struct results *results, bool *warned)
{
    char path[] = "/tmp/doppel-html-test.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    char *warning = NULL;
    struct status status = html_write(results, path, &warning);
    assert_string_equal(status.message, "");
    char *text = read_file(path);
    unlink(path);
    assert_well_formed(text);
    if (warned != NULL) {
        *warned = warning != NULL;
    }
    free(warning);
    return text;
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("not in the report: %s", part);
    }
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("in the report: %.60s", strstr(text, part));
    }
}

/* Takes gnuplot away, and gives it back. */
static char *hide_programs(void)
{
    char *path = memory_text(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    return path;
}

static void show_programs(char *path)
{
    setenv("PATH", path, 1);
    free(path);
}

static bool has_gnuplot(void)
{
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

/* ---- the tests */

static void test_the_numbers_are_in_the_report(void **state)
{
    (void)state;
    struct results *results = example();
    char *text = report_of(results, NULL);
    assert_contains(text, "<span class=\"ratio\">8.00×</span> · <span class=\"time\">110 ms</span>");
    assert_contains(text, "(100 ms – 120 ms)");
    assert_contains(text, "class=\"noise\" title");                                /* sort on interp */
    assert_contains(text, "<span class=\"ratio\">0.50×</span>");                   /* port, to QEMU */
    assert_contains(text, "<strong>8.00×</strong> slower than native <small>(1)"); /* over sort */
    assert_contains(text, "<strong>1.00×</strong> slower than qemu");              /* sort 2, port 0.5 */
    assert_contains(text, "commit 0123abcd");
    assert_contains(text, "<th>tlb_misses</th><td>78.25</td><td>123456</td>");
    assert_lacks(text, "not complete");
    assert_lacks(text, "id=\"strategies\"");
    free(text);
    results_destroy(results);
}

static void test_what_went_wrong_has_its_reason(void **state)
{
    (void)state;
    struct results *results = example();
    char *text = report_of(results, NULL);
    assert_contains(text, "<td class=\"bad\">CRASHED</td>");
    assert_contains(text, "the program ended before the workload did: signal 11 &lt;Segmentation fault&gt;");
    results->configurations[QEMU].available = false;
    results_set(&results->configurations[QEMU].note, "qemu-system-i386 was not found");
    free(text);
    text = report_of(results, NULL);
    assert_contains(text, "not available: qemu-system-i386 was not found");
    free(text);
    results_destroy(results);
}

static void test_hostile_names_are_text(void **state)
{
    (void)state;
    static const char hostile[] = "</th><script>alert('1')</script>&\"`id`\x01\xff@1@";
    static const char harmless[] = "&lt;/th&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/"
                                   "script&gt;&amp;&quot;`id`\xEF\xBF\xBD\xEF\xBF\xBD@1@";
    struct results *results = example();
    results_set(&results->workloads[SORT].name, hostile);
    results_set(&results->workloads[SORT].text, hostile);
    results_set(&results->workloads[PORT].group, hostile);
    results_set(&results->configurations[INTERP].id, hostile);
    results_set(&results->configurations[INTERP].version, hostile);
    results_set(&results->host.cpu, hostile);
    results_set(&results->settings.selections, hostile);
    char *text = report_of(results, NULL);
    assert_contains(text, harmless);
    assert_lacks(text, "<script");
    assert_lacks(text, "uid=");
    free(text);
    results_destroy(results);
}

static void test_an_empty_run_has_a_report(void **state)
{
    (void)state;
    struct results *results = results_create();
    char *text = report_of(results, NULL);
    assert_contains(text, "Nothing was measured");
    free(text);
    results_destroy(results);
}

static void test_a_run_that_has_only_begun_has_a_report(void **state)
{
    (void)state;
    struct results *results = rig_results();
    char *text = report_of(results, NULL);
    assert_contains(text, "not complete: 9 of 9 cells");
    free(text);
    rig_fill(results, SORT, INTERP, 1, 0, 1, 1);
    text = report_of(results, NULL);
    assert_contains(text, "not complete: 8 of 9 cells");
    assert_contains(text, "Neither native nor QEMU has times");
    free(text);
    results_destroy(results);
}

static void test_strategies_are_compared_where_there_are_several(void **state)
{
    (void)state;
    struct results *results = results_create();
    results_add_configuration(results, "interp", CONFIGURATION_DOPPEL);
    results_add_configuration(results, "dbt-shadow", CONFIGURATION_DOPPEL);
    results_add_workload(results, "integer", "sort", "sorts");
    rig_fill(results, 0, 0, 1, 0, 3, 1);
    rig_fill(results, 0, 1, 0.25, 0, 3, 1);
    char *text = report_of(results, NULL);
    const char *section = strstr(text, "<section id=\"strategies\">");
    assert_non_null(section);
    assert_contains(section, "<th>dbt-shadow</th>");
    assert_contains(section, "<td>0.25× <small>(1)</small></td>");
    free(text);
    results_destroy(results);
}

static void test_without_gnuplot_there_are_tables_and_a_warning(void **state)
{
    (void)state;
    struct results *results = example();
    bool warned = false;
    char *path = hide_programs();
    char *text = report_of(results, &warned);
    show_programs(path);
    assert_true(warned);
    assert_lacks(text, "<svg");
    assert_contains(text, "gnuplot-nox");
    assert_contains(text, "<span class=\"ratio\">8.00×</span>");
    free(text);
    results_destroy(results);
}

static void test_charts_are_drawn_in_the_colours_of_the_page(void **state)
{
    (void)state;
    if (!has_gnuplot()) {
        skip();
    }
    struct results *results = example();
    results_set(&results->workloads[SORT].name, "a<b");
    bool warned = true;
    char *text = report_of(results, &warned);
    assert_false(warned);
    const char *chart = strstr(text, "Times of the group integer as ratios</title>");
    assert_non_null(chart);
    assert_contains(chart, "fill = 'var(--series-3)'");
    assert_contains(chart, "<text>a&lt;b</text>");
    assert_contains(chart, "<text>8.00× ~</text>");
    assert_contains(chart, "<text>CRASHED</text>");
    assert_lacks(text, "rgb(");
    assert_lacks(text, "id=\"gnuplot");
    assert_lacks(text, "<text>@");
    free(text);
    results_destroy(results);
}

static void test_bars_of_any_size_can_be_drawn(void **state)
{
    (void)state;
    if (!has_gnuplot()) {
        skip();
    }
    static const double sizes[] = {1, 1e-12, 1e12, 1e300, 1e-300, NAN, INFINITY, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct chart_value values[] = {{.value = sizes[i], .text = "text"}, {.value = 2}};
        const unsigned color = 3;
        struct chart chart = {.title = "sizes",
                              .rows = 2,
                              .columns = 1,
                              .labels = (const char *const[]){"one", ""},
                              .colors = &color,
                              .values = values};
        char *svg = NULL;
        struct status status = chart_draw(&chart, &svg);
        assert_string_equal(status.message, "");
        assert_contains(svg, "var(--series-3)");
        free(svg);
    }
}

static void test_text_that_is_no_utf_8_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* too long for U+0000 */
        {"\xED\xA0\x80", "\xEF\xBF\xBD"},         /* a surrogate */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD"},     /* above U+10FFFF */
        {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* ends too early */
        {"\x1B[31m\x7F\xEF\xBF\xBF", "\xEF\xBF\xBD[31m\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        html_put(cases[i].text, out);
        fclose(out);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

static void test_a_report_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct results *results = results_create();
    char *warning = NULL;
    struct status status = html_write(results, "/nonexistent/report.html", &warning);
    assert_false(status_is_ok(&status));
    assert_non_null(strstr(status.message, "/nonexistent/report.html"));
    assert_null(warning);
    results_destroy(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_numbers_are_in_the_report),
        cmocka_unit_test(test_what_went_wrong_has_its_reason),
        cmocka_unit_test(test_hostile_names_are_text),
        cmocka_unit_test(test_an_empty_run_has_a_report),
        cmocka_unit_test(test_a_run_that_has_only_begun_has_a_report),
        cmocka_unit_test(test_strategies_are_compared_where_there_are_several),
        cmocka_unit_test(test_without_gnuplot_there_are_tables_and_a_warning),
        cmocka_unit_test(test_charts_are_drawn_in_the_colours_of_the_page),
        cmocka_unit_test(test_bars_of_any_size_can_be_drawn),
        cmocka_unit_test(test_text_that_is_no_utf_8_is_replaced),
        cmocka_unit_test(test_a_report_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
