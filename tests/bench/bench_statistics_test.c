/* Medians, spreads and means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "harness/statistics.h"

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected))) {
        fail_msg("%.12g, expected %.12g", value, expected);
    }
}

static void test_the_median_of_an_odd_count_is_the_middle(void **state)
{
    (void)state;
    struct statistics statistics = statistics_of((const double[]){5, 1, 9}, 3);
    assert_near(statistics.median, 5);
    assert_near(statistics.min, 1);
    assert_near(statistics.max, 9);
    assert_int_equal(statistics.count, 3);
}

static void test_the_median_of_an_even_count_is_between_the_middle_two(void **state)
{
    (void)state;
    assert_near(statistics_of((const double[]){4, 1, 10, 2}, 4).median, 3);
}

static void test_the_values_stay_in_their_order(void **state)
{
    (void)state;
    double values[] = {3, 1, 2};
    (void)statistics_of(values, 3);
    assert_near(values[0], 3);
    assert_near(values[1], 1);
}

static void test_nothing_has_no_statistics(void **state)
{
    (void)state;
    assert_int_equal(statistics_of(NULL, 0).count, 0);
    assert_true(isnan(statistics_geometric_mean(NULL, 0)));
    assert_true(statistics_spread(NULL, 0) < 1e-12);
}

static void test_few_values_spread_from_end_to_end(void **state)
{
    (void)state;
    assert_near(statistics_spread((const double[]){10, 12, 9}, 3), 0.3);
}

static void test_one_outlier_of_many_does_not_count_as_spread(void **state)
{
    (void)state;
    assert_near(statistics_spread((const double[]){10, 10, 500, 10, 11}, 5), 0.1);
}

static void test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one(void **state)
{
    (void)state;
    assert_near(statistics_geometric_mean((const double[]){8, 0.125}, 2), 1);
    assert_near(statistics_geometric_mean((const double[]){2, 4, 8}, 3), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_median_of_an_odd_count_is_the_middle),
        cmocka_unit_test(test_the_median_of_an_even_count_is_between_the_middle_two),
        cmocka_unit_test(test_the_values_stay_in_their_order),
        cmocka_unit_test(test_nothing_has_no_statistics),
        cmocka_unit_test(test_few_values_spread_from_end_to_end),
        cmocka_unit_test(test_one_outlier_of_many_does_not_count_as_spread),
        cmocka_unit_test(test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
