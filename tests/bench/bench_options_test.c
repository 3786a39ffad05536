/* The command line of doppel-bench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "harness/options.h"

#define WORDS(...)                                                                                           \
    (char *[])                                                                                               \
    {                                                                                                        \
        "doppel-bench", __VA_ARGS__, NULL                                                                    \
    }

static struct status parse(char **argv, struct options *options)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    return options_parse(argc, argv, options);
}

static void assert_refused(char **argv, const char *reason)
{
    struct options options;
    struct status status = parse(argv, &options);
    if (status.code != STATUS_INVALID_ARGUMENT || strstr(status.message, reason) == NULL) {
        fail_msg("\"%s\" is not in \"%s\" for %s", reason, status.message, argv[1]);
    }
}

static void test_wrong_words_are_one_clear_error(void **state)
{
    (void)state;
    assert_refused(WORDS("--fast"), "unknown option --fast");
    assert_refused(WORDS("disk.img"), "do not know what to do with disk.img");
    assert_refused(WORDS("--repeat"), "--repeat needs a value");
    assert_refused(WORDS("--repeat="), "--repeat needs a value");
    assert_refused(WORDS("--repeat", "0"), "\"0\" is not a number from 1");
    assert_refused(WORDS("--repeat", "many"), "\"many\"");
    assert_refused(WORDS("--repeat", "-3"), "\"-3\"");
    assert_refused(WORDS("--timeout", "0"), "\"0\" is not a number of seconds");
    assert_refused(WORDS("--timeout", "nan"), "\"nan\"");
    assert_refused(WORDS("--time", "1s"), "\"1s\"");
    assert_refused(WORDS("--quick=yes"), "--quick takes no value");
    assert_refused(WORDS("--marker-on", "paper"), "\"paper\"");
    assert_refused(WORDS("--name", "a/b"), "no slash");
    assert_refused(WORDS("compare", "one.json"), "compare takes two files");
}

static void test_options_that_contradict_are_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--image", "x"), "--marker-end");
    assert_refused(WORDS("--marker-end", "x"), "for --image");
    assert_refused(WORDS("--image", "x", "--marker-end", "y", "--initrd", "z"), "for --kernel");
    assert_refused(WORDS("--image", "x", "--marker-end", "y", "--marker-start", "z", "--marker-on", "screen"),
                   "on the screen");
    assert_refused(WORDS("--resume", "x", "--quick"), "--resume");
}

static void test_values_follow_or_are_attached(void **state)
{
    (void)state;
    struct options options;
    struct status status = parse(WORDS("--quick", "-repeat", "7", "--filter=a/*", "--budget", "0",
                                       "--peers=qemu", "--cpu", "max,-sse3"),
                                 &options);
    assert_string_equal(status.message, "");
    assert_true(options.quick);
    assert_int_equal(options.repeat, 7);
    assert_string_equal(options.filter, "a/*");
    assert_true(options.budget >= 0 && options.budget < 1e-9);
    assert_string_equal(options.configurations.peers, "qemu");
    assert_string_equal(options.cpu, "max,-sse3");
}

static void test_compare_takes_two_files(void **state)
{
    (void)state;
    struct options options;
    struct status status = parse(WORDS("compare", "a.json", "b.json"), &options);
    assert_true(status_is_ok(&status));
    assert_int_equal(options.action, OPTIONS_COMPARE);
    assert_string_equal(options.compare_new, "b.json");
}

static void test_what_was_chosen_can_be_chosen_again(void **state)
{
    (void)state;
    char *words[] = {"doppel-bench", "--quick", "--json", "out.json", "-filter", "*", "--mmu=softtlb", NULL};
    char *selections = options_selections(ARRAY_COUNT(words) - 1, words);
    assert_string_equal(selections, "--quick\n--filter=*\n--mmu=softtlb\n");
    struct options options;
    struct status status = options_parse_selections(selections, &options);
    assert_string_equal(status.message, "");
    assert_true(options.quick);
    assert_string_equal(options.filter, "*");
    assert_string_equal(options.configurations.axes[STRATEGY_MMU], "softtlb");
    assert_null(options.json);
    free(selections);
}

static void test_help_names_every_option(void **state)
{
    (void)state;
    static const char *const names[] = {
#define OPTION(symbol, name, argument, section, help) name,
#include "harness/option.def"
#undef OPTION
    };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_print_help(out);
    fclose(out);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strstr(text, names[i]) == NULL) {
            fail_msg("--%s is not in the help", names[i]);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_words_are_one_clear_error),
        cmocka_unit_test(test_options_that_contradict_are_refused),
        cmocka_unit_test(test_values_follow_or_are_attached),
        cmocka_unit_test(test_compare_takes_two_files),
        cmocka_unit_test(test_what_was_chosen_can_be_chosen_again),
        cmocka_unit_test(test_help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
