/* The real-time clock and CMOS memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/civil_time.h"
#include "devices/mc146818.h"

#define START 951782398 /* 2000-02-28 23:59:58, a Monday */

struct fixture {
    struct bench *bench;
    struct bench_line irq;
    struct bench_line nmi_disabled;
    struct mc146818 *rtc;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct mc146818_config config = {.start_seconds = START,
                                     .irq = bench_line_connect(&fixture->irq),
                                     .nmi_disabled = bench_line_connect(&fixture->nmi_disabled)};
    bench_check(mc146818_create(&fixture->bench->host, &config, &fixture->rtc));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = mc146818_device(fixture->rtc);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static unsigned get(struct fixture *fixture, uint8_t index)
{
    bench_out(fixture->bench, 0x70, index);
    return bench_in(fixture->bench, 0x71);
}

static void set(struct fixture *fixture, uint8_t index, uint8_t value)
{
    bench_out(fixture->bench, 0x70, index);
    bench_out(fixture->bench, 0x71, value);
}

/* hhmmss as shown */
static unsigned shown_time(struct fixture *fixture)
{
    return get(fixture, 4) << 16 | get(fixture, 2) << 8 | get(fixture, 0);
}

static void dates_convert_both_ways(void **state)
{
    (void)state;
    struct civil_time time = civil_time_from_seconds(0);
    assert_int_equal(time.year, 1970);
    assert_int_equal(time.month, 1);
    assert_int_equal(time.day, 1);
    assert_int_equal(time.weekday, 4);
    int64_t previous = -1;
    for (int64_t day = -400 * 366; day < 400 * 366; day++) {
        time = civil_time_from_seconds(day * 86400 + 12345);
        assert_int_equal(civil_time_to_seconds(&time), day * 86400 + 12345);
        assert_in_range(time.month, 1, 12);
        assert_in_range(time.day, 1, 31);
        assert_true(previous < 0 || time.weekday == ((unsigned)previous + 1) % 7);
        previous = time.weekday;
    }
}

static void time_runs_over_a_leap_day_in_bcd(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(shown_time(fixture), 0x235958);
    assert_int_equal(get(fixture, 7), 0x28);
    bench_run_until(fixture->bench, 2 * NS_PER_SECOND);
    assert_int_equal(shown_time(fixture), 0x000000);
    assert_int_equal(get(fixture, 7), 0x29);
    assert_int_equal(get(fixture, 8), 0x02);
    assert_int_equal(get(fixture, 9), 0x00);
    assert_int_equal(get(fixture, 0x32), 0x20);
    assert_int_equal(get(fixture, 6), 3);
    assert_int_equal(get(fixture, 0x0d), 0x80);
}

static void twelve_hour_and_binary_formats_are_shown(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x0b, 0x00);
    assert_int_equal(get(fixture, 4), 0x91);
    bench_run_until(fixture->bench, 2 * NS_PER_SECOND);
    assert_int_equal(get(fixture, 4), 0x12);
    set(fixture, 0x0b, 0x06);
    assert_int_equal(get(fixture, 7), 29);
    bench_run_until(fixture->bench, (2 + 13 * 3600) * NS_PER_SECOND);
    assert_int_equal(get(fixture, 4), 13);
    set(fixture, 0x0b, 0x04);
    assert_int_equal(get(fixture, 4), 0x81);
}

static void set_bit_halts_while_the_guest_writes_the_time(void **state)
{
    struct fixture *fixture = *state;
    bench_run_until(fixture->bench, NS_PER_SECOND / 2);
    set(fixture, 0x0b, 0x82);
    set(fixture, 4, 0x12);
    set(fixture, 2, 0x34);
    set(fixture, 0, 0x56);
    set(fixture, 7, 0x31);
    set(fixture, 8, 0x12);
    set(fixture, 9, 0x99);
    set(fixture, 0x32, 0x19);
    bench_run_until(fixture->bench, 5 * NS_PER_SECOND + NS_PER_SECOND / 2);
    assert_int_equal(shown_time(fixture), 0x123456);
    set(fixture, 0x0b, 0x02);
    assert_int_equal(shown_time(fixture), 0x123456);
    bench_run_until(fixture->bench, 6 * NS_PER_SECOND);
    assert_int_equal(shown_time(fixture), 0x123457);
    bench_run_until(fixture->bench, (6 + 43200) * NS_PER_SECOND);
    assert_int_equal(get(fixture, 8), 0x01);
    assert_int_equal(get(fixture, 9), 0x00);
    assert_int_equal(get(fixture, 0x32), 0x20);
}

static void writing_one_field_keeps_the_seconds_in_step(void **state)
{
    struct fixture *fixture = *state;
    bench_run_until(fixture->bench, NS_PER_SECOND / 4);
    set(fixture, 4, 0x10);
    assert_int_equal(shown_time(fixture), 0x105958);
    bench_run_until(fixture->bench, NS_PER_SECOND);
    assert_int_equal(shown_time(fixture), 0x105959);
}

static void update_in_progress_precedes_the_change(void **state)
{
    struct fixture *fixture = *state;
    bench_run_until(fixture->bench, NS_PER_SECOND - 2300 * NS_PER_MICROSECOND);
    assert_int_equal(get(fixture, 0x0a), 0x26);
    bench_run_until(fixture->bench, NS_PER_SECOND - 2000 * NS_PER_MICROSECOND);
    assert_int_equal(get(fixture, 0x0a), 0xa6);
    assert_int_equal(shown_time(fixture), 0x235958);
    bench_run_until(fixture->bench, NS_PER_SECOND);
    assert_int_equal(get(fixture, 0x0a), 0x26);
}

static void update_ended_interrupt_is_cleared_by_reading_c(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x0b, 0x12);
    bench_run_until(fixture->bench, NS_PER_SECOND - 1);
    assert_false(fixture->irq.level);
    bench_run_until(fixture->bench, NS_PER_SECOND);
    assert_true(fixture->irq.level);
    assert_int_equal(get(fixture, 0x0c) & 0xb0, 0x90);
    assert_false(fixture->irq.level);
    assert_int_equal(get(fixture, 0x0c), 0x00);
    bench_run_until(fixture->bench, 10 * NS_PER_SECOND);
    assert_int_equal(fixture->irq.rises, 2); /* once more: nobody read C */
}

static void alarm_matches_with_and_without_wildcards(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 1, 0x05);
    set(fixture, 3, 0x00);
    set(fixture, 5, 0x00);
    set(fixture, 0x0b, 0x22);
    bench_run_until(fixture->bench, 7 * NS_PER_SECOND - 1);
    assert_false(fixture->irq.level);
    bench_run_until(fixture->bench, 7 * NS_PER_SECOND);
    assert_true(fixture->irq.level);
    assert_int_equal(get(fixture, 0x0c) & 0xa0, 0xa0);
    set(fixture, 3, 0xc0);
    set(fixture, 5, 0xff);
    bench_run_until(fixture->bench, (7 + 60) * NS_PER_SECOND - 1);
    assert_false(fixture->irq.level);
    bench_run_until(fixture->bench, (7 + 60) * NS_PER_SECOND);
    assert_true(fixture->irq.level);
}

static void periodic_interrupt_keeps_its_rate(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0x0b, 0x42);
    for (unsigned i = 0; i < 2048; i++) {
        bench_run_until(fixture->bench, (i + 1) * NS_PER_SECOND / 1024 + 1);
        assert_true(fixture->irq.level);
        assert_true(get(fixture, 0x0c) & 0x40);
    }
    assert_int_equal(fixture->irq.rises, 2048);
    set(fixture, 0x0a, 0x2f); /* 2 Hz */
    bench_run_until(fixture->bench, 4 * NS_PER_SECOND);
    assert_int_equal(fixture->irq.rises, 2049);
}

static void periodic_flag_can_be_polled_without_interrupts(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, 0x0c) & 0x40, 0);
    bench_run_until(fixture->bench, NS_PER_MILLISECOND);
    assert_int_equal(get(fixture, 0x0c) & 0xc0, 0x40);
    assert_int_equal(get(fixture, 0x0c) & 0xc0, 0);
}

static void memory_banks_are_separate_and_survive_reset(void **state)
{
    struct fixture *fixture = *state;
    mc146818_set_cmos(fixture->rtc, 0x10, 0x40);
    mc146818_update_checksum(fixture->rtc);
    set(fixture, 0x40, 0x5a);
    bench_out(fixture->bench, 0x72, 0x40);
    bench_out(fixture->bench, 0x73, 0xa5);
    struct device *device = mc146818_device(fixture->rtc);
    device->class->reset(device);
    assert_int_equal(get(fixture, 0x40), 0x5a);
    assert_int_equal(get(fixture, 0x10), 0x40);
    assert_int_equal(get(fixture, 0x2f), 0x40);
    assert_int_equal(mc146818_cmos(fixture->rtc, 0xc0), 0xa5);
    assert_int_equal(bench_in(fixture->bench, 0x70), 0xff);
}

static void index_bit_7_is_the_nmi_mask(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x70, 0x8d);
    assert_true(fixture->nmi_disabled.level);
    assert_int_equal(bench_in(fixture->bench, 0x71), 0x80);
    bench_out(fixture->bench, 0x70, 0x0d);
    assert_false(fixture->nmi_disabled.level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_convert_both_ways),
        cmocka_unit_test_setup_teardown(time_runs_over_a_leap_day_in_bcd, setup, teardown),
        cmocka_unit_test_setup_teardown(twelve_hour_and_binary_formats_are_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(set_bit_halts_while_the_guest_writes_the_time, setup, teardown),
        cmocka_unit_test_setup_teardown(writing_one_field_keeps_the_seconds_in_step, setup, teardown),
        cmocka_unit_test_setup_teardown(update_in_progress_precedes_the_change, setup, teardown),
        cmocka_unit_test_setup_teardown(update_ended_interrupt_is_cleared_by_reading_c, setup, teardown),
        cmocka_unit_test_setup_teardown(alarm_matches_with_and_without_wildcards, setup, teardown),
        cmocka_unit_test_setup_teardown(periodic_interrupt_keeps_its_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(periodic_flag_can_be_polled_without_interrupts, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_banks_are_separate_and_survive_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(index_bit_7_is_the_nmi_mask, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
