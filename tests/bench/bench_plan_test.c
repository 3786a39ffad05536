/* Rows, columns, rounds and budgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "bench_rig.h"
#include "harness/command.h"

static void test_rounds_fill_the_wanted_time(void **state)
{
    (void)state;
    assert_int_equal(runner_rounds(0.1, 1), 10);
    assert_int_equal(runner_rounds(3, 1), 1);
    assert_int_equal(runner_rounds(1e-12, 1), 1000000);
    assert_int_equal(runner_rounds(0, 1), 1000000);
}

static void test_what_is_about_as_fast_does_the_same_rounds(void **state)
{
    (void)state;
    uint64_t rounds[] = {10, 0, 40, 9, 25};
    static const uint64_t expected[] = {40, 0, 40, 9, 40};
    runner_share_rounds(rounds, ARRAY_COUNT(rounds));
    assert_memory_equal(rounds, expected, sizeof expected);
}

static void test_every_column_comes_first_about_as_often(void **state)
{
    (void)state;
    enum { COLUMNS = 5, PASSES = 1000 };
    unsigned at[COLUMNS][COLUMNS] = {{0}}; /* how often a column had a turn */
    uint32_t random = 1;
    for (unsigned pass = 0; pass < PASSES; pass++) {
        size_t order[COLUMNS];
        runner_shuffle(order, COLUMNS, &random);
        for (size_t turn = 0; turn < COLUMNS; turn++) {
            assert_true(order[turn] < COLUMNS);
            at[order[turn]][turn]++;
        }
    }
    for (size_t column = 0; column < COLUMNS; column++) {
        unsigned sum = 0;
        for (size_t turn = 0; turn < COLUMNS; turn++) {
            assert_in_range(at[column][turn], PASSES / COLUMNS - 50, PASSES / COLUMNS + 50);
            sum += at[column][turn];
        }
        assert_int_equal(sum, PASSES);
    }
}

static void test_a_budget_takes_passes_from_the_most_expensive(void **state)
{
    (void)state;
    struct runner_part parts[] = {{1, 5}, {10, 5}};
    runner_fit_budget(parts, 2, 36);
    assert_int_equal(parts[0].repeat, 5);
    assert_int_equal(parts[1].repeat, 3);
}

static void test_a_budget_that_suffices_changes_nothing(void **state)
{
    (void)state;
    struct runner_part parts[] = {{1, 5}, {10, 5}, {0, 5}};
    runner_fit_budget(parts, 3, 55);
    assert_int_equal(parts[0].repeat, 5);
    assert_int_equal(parts[1].repeat, 5);
    assert_int_equal(parts[2].repeat, 5);
}

static void test_no_budget_leaves_nothing(void **state)
{
    (void)state;
    struct runner_part parts[] = {{1, 5}, {10, 5}};
    runner_fit_budget(parts, 2, -1);
    assert_int_equal(parts[0].repeat + parts[1].repeat, 0);
}

static struct status list(struct configuration_choice choice, struct configuration_list *configurations)
{
    choice.doppel = "/bin/true";
    choice.programs = "/";
    choice.peers = choice.peers != NULL ? choice.peers : "none";
    return configuration_list_create(&choice, configurations);
}

static void test_lists_of_strategies_are_combined(void **state)
{
    (void)state;
    static const char *const expected[] = {"interp/walk",
                                           "interp/softtlb",
                                           "dbt/walk/trap/chain-on",
                                           "dbt/walk/trap/chain-off",
                                           "dbt/softtlb/trap/chain-on",
                                           "dbt/softtlb/trap/chain-off"};
    struct configuration_list configurations;
    struct status status =
        list((struct configuration_choice){.axes = {"interp,dbt", "walk,softtlb", "trap", "on,off"}},
             &configurations);
    assert_string_equal(status.message, "");
    assert_int_equal(configurations.count, ARRAY_COUNT(expected));
    for (size_t i = 0; i < configurations.count; i++) {
        assert_string_equal(configurations.items[i].id, expected[i]);
    }
    configuration_list_destroy(&configurations);
}

/* Which strategies a doppel has, it says itself; here a script does. */
static void test_what_is_not_built_is_said_and_not_faked(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig);
    rig_add_script(&rig, "doppel",
                   "case $1 in -engine) echo 'interp  an interpreter (default)' ;;"
                   "-mmu) echo softtlb; echo 'walk a walk' ;; *) exit 2 ;; esac");
    struct configuration_choice choice = {.axes = {"interp,dbt", "softtlb,adaptive"},
                                          .peers = "none",
                                          .doppel = rig.configurations.items[0].program,
                                          .programs = "/"};
    struct configuration_list configurations;
    struct status status = configuration_list_create(&choice, &configurations);
    assert_string_equal(status.message, "");
    assert_int_equal(configurations.count, 4);
    for (size_t i = 0; i < configurations.count; i++) {
        assert_true(configurations.items[i].available == (i == 0));
        assert_true(configurations.items[i].built == (i == 0));
    }
    assert_string_equal(configurations.items[1].note, "mmu adaptive is not built yet");
    assert_string_equal(configurations.items[2].note, "engine dbt is not built yet");
    configuration_list_destroy(&configurations);

    choice.axes[STRATEGY_ENGINE] = choice.axes[STRATEGY_MMU] = NULL;
    status = configuration_list_create(&choice, &configurations);
    assert_string_equal(status.message, "");
    assert_int_equal(configurations.count, 1);
    assert_string_equal(configurations.items[0].id, "interp");
    configuration_list_destroy(&configurations);
    rig_destroy(&rig);
}

static void test_unknown_strategies_and_peers_are_errors(void **state)
{
    (void)state;
    static const struct {
        struct configuration_choice choice;
        const char *reason;
    } cases[] = {{{.axes = {"jit"}}, "\"jit\" is no value of --engine (interp, dbt)"},
                 {{.axes = {NULL, "walk,,"}}, "\"\" is no value of --mmu"},
                 {{.axes = {"interp,interp"}}, "twice"},
                 {{.peers = "qemu,vmware"}, "\"vmware\" is not a peer"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct configuration_list configurations;
        struct status status = list(cases[i].choice, &configurations);
        if (status_is_ok(&status) || strstr(status.message, cases[i].reason) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", cases[i].reason, status.message);
        }
        configuration_list_destroy(&configurations);
    }
}

static void test_a_program_that_is_missing_is_a_column_that_says_so(void **state)
{
    (void)state;
    struct configuration_choice choice = {.peers = "none", .doppel = "/nonexistent/doppel", .programs = "/"};
    struct configuration_list configurations;
    struct status status = configuration_list_create(&choice, &configurations);
    assert_true(status_is_ok(&status));
    assert_int_equal(configurations.count, 1);
    assert_false(configurations.items[0].available);
    assert_string_equal(configurations.items[0].note, "/nonexistent/doppel was not found");
    configuration_list_destroy(&configurations);
}

static void test_patterns_match_groups_and_names(void **state)
{
    (void)state;
    struct workload workload = {.group = "integer", .name = "sort"};
    assert_true(workload_matches(&workload, "integer/sort"));
    assert_true(workload_matches(&workload, "integer/*"));
    assert_true(workload_matches(&workload, "integer"));
    assert_true(workload_matches(&workload, "so*"));
    assert_false(workload_matches(&workload, "memory/*"));
    assert_false(workload_matches(&workload, "sor"));
}

static void test_what_cannot_run_somewhere_is_not_run_there(void **state)
{
    (void)state;
    struct workload_boot kernel = {.kernel = "k", .marker_end = "m"};
    struct workload guest = {.group = "g", .name = "n"};
    struct workload both = {.group = "g", .name = "n", .properties = WORKLOAD_NATIVE};
    struct workload boot = {.group = "g", .name = "n", .boot = &kernel};
    struct configuration native = {.kind = CONFIGURATION_NATIVE};
    struct configuration bochs = {.kind = CONFIGURATION_BOCHS};
    struct configuration doppel = {.kind = CONFIGURATION_DOPPEL};
    assert_false(command_is_applicable(&guest, &native));
    assert_true(command_is_applicable(&both, &native));
    assert_false(command_is_applicable(&boot, &native));
    assert_false(command_is_applicable(&boot, &bochs));
    assert_true(command_is_applicable(&guest, &bochs));
    assert_true(command_is_applicable(&boot, &doppel));
}

/* The word behind -cpu in the command of a boot. */
static void assert_processor(const char *chosen, enum configuration_kind kind, const char *expected)
{
    struct rig rig;
    rig_create(&rig);
    struct workload_boot boot = {.kernel = "/dev/null", .marker_end = "m", .memory_mib = 64, .cpu = chosen};
    const struct workload workload = {.group = "g", .name = "n", .boot = &boot};
    const struct configuration configuration = {.kind = kind, .program = "emulator"};
    struct command command;
    struct status status = command_prepare(&workload, &configuration, 1, "", rig.work, &command);
    assert_string_equal(status.message, "");
    size_t at = 0;
    while (at + 1 < command.count && strcmp(command.argv[at], "-cpu") != 0) {
        at++;
    }
    assert_true(at + 1 < command.count);
    assert_string_equal(command.argv[at + 1], expected);
    command_free(&command);
    rig_destroy(&rig);
}

static void test_doppel_and_qemu_boot_on_the_same_processor(void **state)
{
    (void)state;
    assert_processor(NULL, CONFIGURATION_DOPPEL, "pentium3");
    assert_processor(NULL, CONFIGURATION_QEMU, "pentium3");
    assert_processor("pentium3,+rdrand", CONFIGURATION_DOPPEL, "pentium3,+rdrand");
    assert_processor("pentium3,+rdrand", CONFIGURATION_QEMU, "pentium3,+rdrand");
    struct workload_boot boot = {.image = "i", .marker_end = "m", .cpu = "max"};
    const struct workload workload = {.group = "g", .name = "n", .boot = &boot};
    const struct configuration bochs = {.kind = CONFIGURATION_BOCHS};
    assert_false(command_is_applicable(&workload, &bochs));
    boot.cpu = NULL;
    assert_true(command_is_applicable(&workload, &bochs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds_fill_the_wanted_time),
        cmocka_unit_test(test_what_is_about_as_fast_does_the_same_rounds),
        cmocka_unit_test(test_every_column_comes_first_about_as_often),
        cmocka_unit_test(test_a_budget_takes_passes_from_the_most_expensive),
        cmocka_unit_test(test_a_budget_that_suffices_changes_nothing),
        cmocka_unit_test(test_no_budget_leaves_nothing),
        cmocka_unit_test(test_lists_of_strategies_are_combined),
        cmocka_unit_test(test_what_is_not_built_is_said_and_not_faked),
        cmocka_unit_test(test_unknown_strategies_and_peers_are_errors),
        cmocka_unit_test(test_a_program_that_is_missing_is_a_column_that_says_so),
        cmocka_unit_test(test_patterns_match_groups_and_names),
        cmocka_unit_test(test_what_cannot_run_somewhere_is_not_run_there),
        cmocka_unit_test(test_doppel_and_qemu_boot_on_the_same_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
