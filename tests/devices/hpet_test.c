/* The HPET, programmed through memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/hpet.h"

struct fixture {
    struct bench *bench;
    struct hpet *hpet;
    struct bench_line legacy[2], replacement, route[2]; /* 20, 21 */
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct hpet_config config = {.legacy_replacement = bench_line_connect(&fixture->replacement),
                                 .route_mask = 0x00300000};
    for (unsigned i = 0; i < 2; i++) {
        config.legacy[i] = bench_line_connect(&fixture->legacy[i]);
        config.routes[20 + i] = bench_line_connect(&fixture->route[i]);
    }
    bench_check(hpet_create(&fixture->bench->host, &config, &fixture->hpet));
    bench_run_for(fixture->bench, 12345);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = hpet_device(fixture->hpet);
    device->class->destroy(device);
    assert_int_equal(event_clock_next_deadline(fixture->bench->host.clock), EVENT_CLOCK_NEVER);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void set(struct fixture *fixture, unsigned reg, uint32_t value)
{
    memory_bus_write(fixture->bench->host.memory, HPET_BASE + reg, 4, value);
}

static uint64_t get(struct fixture *fixture, unsigned reg, unsigned width)
{
    return memory_bus_read(fixture->bench->host.memory, HPET_BASE + reg, width);
}

static void capabilities_name_the_period(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, 0, 4), 0x8086A201);
    assert_int_equal(get(fixture, 4, 4), 10000000);
    assert_int_equal(get(fixture, 0, 8), 10000000ull << 32 | 0x8086A201);
    assert_int_equal(get(fixture, 0x100, 8), 0x0030000000000030ull);
    assert_int_equal(get(fixture, 0x10, 4), 0);
}

static void counter_runs_only_while_enabled(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, 0xF0, 8), 0);
    set(fixture, 0xF0, 1000);
    set(fixture, 0xF4, 7);
    set(fixture, 0x10, 1);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    assert_int_equal(get(fixture, 0xF0, 8), (7ull << 32) + 1000 + 100000);
    set(fixture, 0x10, 0);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    assert_int_equal(get(fixture, 0xF4, 4), 7);
    assert_int_equal(get(fixture, 0xF0, 4), 101000);
}

static void one_shot_matches_once(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x10, 1);
    set(fixture, 0x100, 20 << 9 | 4);
    set(fixture, 0x10C, 0);
    set(fixture, 0x108, 5000); /* 50 us */
    bench_run_for(fixture->bench, 49990);
    assert_int_equal(fixture->route[0].rises, 0);
    bench_run_for(fixture->bench, 20);
    assert_int_equal(fixture->route[0].rises, 1);
    bench_run_for(fixture->bench, NS_PER_SECOND);
    assert_int_equal(fixture->route[0].rises, 1);
    set(fixture, 0x100, 20 << 9);
    assert_false(fixture->route[0].level);
}

static void periodic_timer_repeats_exactly(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x10, 1);
    /* As Linux does: first the first match, then the period. */
    set(fixture, 0x120, 21 << 9 | 0x14C);
    set(fixture, 0x128, 30000);
    set(fixture, 0x128, 100000); /* 1 ms */
    bench_run_for(fixture->bench, 299990);
    assert_int_equal(fixture->route[1].rises, 0);
    bench_run_for(fixture->bench, 20);
    assert_int_equal(fixture->route[1].rises, 1);
    bench_run_for(fixture->bench, 10 * NS_PER_MILLISECOND);
    assert_int_equal(fixture->route[1].rises, 11);
    assert_int_equal(get(fixture, 0x128, 4), 30000 + 11 * 100000);
    bench_jump_to(fixture->bench, fixture->bench->host_ns + 5 * NS_PER_MILLISECOND); /* a busy host */
    assert_int_equal(fixture->route[1].rises, 12);
    assert_int_equal(get(fixture, 0x128, 4), 30000 + 16 * 100000);
}

static void level_output_stays_until_its_status_is_cleared(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x10, 1);
    set(fixture, 0x140, 20 << 9 | 0x106); /* 32 bits, level */
    set(fixture, 0x148, 2000);
    bench_run_for(fixture->bench, 30000);
    assert_true(fixture->route[0].level);
    assert_int_equal(get(fixture, 0x20, 4), 4);
    set(fixture, 0x20, 3);
    assert_true(fixture->route[0].level);
    set(fixture, 0x20, 4);
    assert_false(fixture->route[0].level);
    bench_run_for(fixture->bench, 42949672960ull); /* the low half goes round */
    assert_int_equal(fixture->route[0].rises, 2);
}

static void legacy_replacement_takes_the_timers_lines(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x10, 3);
    assert_true(fixture->replacement.level);
    set(fixture, 0x100, 20 << 9 | 4);
    set(fixture, 0x120, 20 << 9 | 4);
    set(fixture, 0x10C, 0);
    set(fixture, 0x12C, 0);
    set(fixture, 0x108, 3000);
    set(fixture, 0x128, 4000);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    assert_int_equal(fixture->legacy[0].rises, 1);
    assert_int_equal(fixture->legacy[1].rises, 1);
    assert_int_equal(fixture->route[0].rises, 0);
    set(fixture, 0x10, 1);
    assert_false(fixture->replacement.level);
    assert_false(fixture->legacy[0].level);
}

static void impossible_route_goes_nowhere(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x10, 1);
    set(fixture, 0x100, 3 << 9 | 4);
    set(fixture, 0x10C, 0);
    set(fixture, 0x108, 3000);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    assert_int_equal(fixture->route[0].rises + fixture->route[1].rises + fixture->legacy[0].rises, 0);
}

static void shortest_period_is_no_storm(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x10, 1);
    set(fixture, 0x100, 20 << 9 | 0x4C);
    set(fixture, 0x108, 1);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    assert_in_range(fixture->route[0].rises, 90, 101);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(capabilities_name_the_period),
        TEST(counter_runs_only_while_enabled),
        TEST(one_shot_matches_once),
        TEST(periodic_timer_repeats_exactly),
        TEST(level_output_stays_until_its_status_is_cleared),
        TEST(legacy_replacement_takes_the_timers_lines),
        TEST(impossible_route_goes_nowhere),
        TEST(shortest_period_is_no_storm),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
