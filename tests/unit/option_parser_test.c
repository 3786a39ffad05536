/* Command lines as tables: what is an option, where its value is, what is said about wrong ones, and the
 * help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/option_parser.h"

static struct status do_nothing(struct options *options, char *value)
{
    (void)options;
    (void)value;
    return status_ok();
}

static bool is_number(const struct option_row *row, const char *word)
{
    assert_string_equal(row->name, "shift");
    return word[0] >= '0' && word[0] <= '9';
}

static const char *advise(const char *name)
{
    return strcmp(name, "curses") == 0 ? "use -tty" : NULL;
}

static const struct option_row rows[] = {
    {"memory", "SIZE", "Machine", "how much", do_nothing},
    {"boot", "[order=]ORDER[,...]", "Machine", "from what", do_nothing},
    {"shift", "[N]", "Time", "first line\nsecond line", do_nothing},
    {"quick", NULL, "Time", "soon", do_nothing},
};

static const struct option_parser parser = {
    .rows = rows, .count = ARRAY_COUNT(rows), .dashes = "-", .is_value = is_number, .advise = advise};

/* Parses two words; "" for no second one. Checks the option, its value and how many words it took. */
static void assert_found(char *first, char *second, const char *name, const char *value, int count)
{
    char *argv[] = {first, second, NULL};
    struct option_found found;
    int index = 0;
    struct status status = option_parser_next(&parser, second[0] != '\0' ? 2 : 1, argv, &index, &found);
    assert_string_equal(status.message, "");
    assert_string_equal(found.row->name, name);
    assert_int_equal(index, count);
    if (value == NULL) {
        assert_null(found.value);
    } else {
        assert_string_equal(found.value, value);
    }
}

static void assert_refused(char *first, const char *reason)
{
    char *argv[] = {first, NULL};
    struct option_found found;
    int index = 0;
    struct status status = option_parser_next(&parser, 1, argv, &index, &found);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    if (strstr(status.message, reason) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", reason, status.message);
    }
}

static void test_a_value_is_the_next_word_or_attached(void **state)
{
    (void)state;
    assert_found("-memory", "64", "memory", "64", 2);
    assert_found("--memory", "64", "memory", "64", 2);
    assert_found("--memory=64", "more", "memory", "64", 1);
    assert_found("-boot", "-x", "boot", "-x", 2);
    assert_found("-quick", "more", "quick", NULL, 1);
}

static void test_an_argument_in_brackets_may_be_left_away(void **state)
{
    (void)state;
    assert_found("-shift", "3", "shift", "3", 2);
    assert_found("-shift", "disk.img", "shift", NULL, 1);
    assert_found("-shift", "", "shift", NULL, 1);
    assert_refused("-boot", "-boot needs a value: -boot [order=]ORDER[,...]");
}

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_refused("-memory", "-memory needs a value: -memory SIZE");
    assert_refused("--memory=", "-memory needs a value");
    assert_refused("--quick=1", "-quick takes no value");
    assert_refused("-memroy", "unknown option -memroy; did you mean -memory?");
    assert_refused("-something", "unknown option -something (--help");
    assert_refused("-curses", "there is no option -curses: use -tty");
}

static void test_a_name_of_any_length_is_unknown(void **state)
{
    (void)state;
    char name[5000];
    memset(name, 'x', sizeof name - 1);
    name[0] = '-';
    name[sizeof name - 1] = '\0';
    assert_refused(name, "unknown option -xxx");
}

static void test_a_dash_alone_is_no_option(void **state)
{
    (void)state;
    assert_true(option_parser_is_option("-x"));
    assert_true(option_parser_is_option("--x"));
    assert_false(option_parser_is_option("-"));
    assert_false(option_parser_is_option("x-"));
    assert_false(option_parser_is_option(""));
}

static void test_help_has_sections_and_columns(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    option_parser_print_help(&parser, out);
    fclose(out);
    assert_string_equal(text, "\nMachine\n"
                              "  -memory SIZE             how much\n"
                              "  -boot [order=]ORDER[,...]\n"
                              "                           from what\n"
                              "\nTime\n"
                              "  -shift [N]               first line\n"
                              "                           second line\n"
                              "  -quick                   soon\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_the_next_word_or_attached),
        cmocka_unit_test(test_an_argument_in_brackets_may_be_left_away),
        cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_a_name_of_any_length_is_unknown),
        cmocka_unit_test(test_a_dash_alone_is_no_option),
        cmocka_unit_test(test_help_has_sections_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
