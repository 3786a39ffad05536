/* The interval timer, at exact virtual times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/i8254.h"
#include "devices/oscillator.h"

struct fixture {
    struct bench *bench;
    struct bench_line out0;
    struct i8254 *pit;
    int64_t origin; /* the tick at which the test programs the counter */
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct i8254_config config = {.out = {bench_line_connect(&fixture->out0)}};
    bench_check(i8254_create(&fixture->bench->host, &config, &fixture->pit));
    fixture->origin = 1000;
    bench_run_until(fixture->bench, oscillator_time(fixture->origin, I8254_HZ));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = i8254_device(fixture->pit);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void program(struct fixture *fixture, unsigned channel, unsigned mode, uint16_t count)
{
    bench_out(fixture->bench, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    bench_out(fixture->bench, (uint16_t)(0x40 + channel), (uint8_t)count);
    bench_out(fixture->bench, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

/* CE is loaded one tick after the write: times in these tests count from there. */
static void go_to(struct fixture *fixture, int64_t ticks_after_load)
{
    bench_run_until(fixture->bench, oscillator_time(fixture->origin + 1 + ticks_after_load, I8254_HZ));
}

static unsigned latched_count(struct fixture *fixture, unsigned channel)
{
    bench_out(fixture->bench, 0x43, (uint8_t)(channel << 6));
    unsigned low = bench_in(fixture->bench, (uint16_t)(0x40 + channel));
    return low | (unsigned)bench_in(fixture->bench, (uint16_t)(0x40 + channel)) << 8;
}

static bool output(struct fixture *fixture, unsigned channel)
{
    struct signal_probe probe = i8254_output(fixture->pit, channel);
    return signal_probe_read(&probe);
}

static void set_gate(struct fixture *fixture, unsigned channel, bool level)
{
    struct irq_line line = i8254_gate(fixture->pit, channel);
    irq_line_set(&line, level);
}

static void mode_0_raises_out_when_the_count_is_spent(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 0, 100);
    assert_false(fixture->out0.level);
    go_to(fixture, 40);
    assert_int_equal(latched_count(fixture, 0), 60);
    go_to(fixture, 99);
    assert_false(fixture->out0.level);
    go_to(fixture, 100);
    assert_true(fixture->out0.level);
    go_to(fixture, 110);
    assert_int_equal(latched_count(fixture, 0), 0xfff6);
    assert_int_equal(fixture->out0.rises, 2); /* reset left OUT high */
}

static void mode_0_stands_still_while_the_gate_is_low(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 2, 0, 100);
    go_to(fixture, 30);
    set_gate(fixture, 2, false);
    go_to(fixture, 500);
    assert_int_equal(latched_count(fixture, 2), 70);
    set_gate(fixture, 2, true);
    go_to(fixture, 569);
    assert_false(output(fixture, 2));
    go_to(fixture, 570);
    assert_true(output(fixture, 2));
}

static void mode_1_is_a_retriggerable_one_shot(void **state)
{
    struct fixture *fixture = *state;
    set_gate(fixture, 2, false);
    program(fixture, 2, 1, 50);
    go_to(fixture, 100);
    assert_true(output(fixture, 2));
    set_gate(fixture, 2, true);
    go_to(fixture, 101);
    assert_false(output(fixture, 2));
    go_to(fixture, 120);
    set_gate(fixture, 2, false);
    set_gate(fixture, 2, true);
    go_to(fixture, 152);
    assert_false(output(fixture, 2));
    go_to(fixture, 170);
    assert_false(output(fixture, 2));
    go_to(fixture, 171);
    assert_true(output(fixture, 2));
}

static void mode_2_is_low_for_the_last_tick_of_each_period(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 2, 10);
    fixture->out0.rises = 0;
    go_to(fixture, 8);
    assert_true(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 2);
    go_to(fixture, 9);
    assert_false(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 1);
    go_to(fixture, 10);
    assert_true(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 10);
    go_to(fixture, 1000);
    assert_int_equal(fixture->out0.rises, 100);
}

static void mode_2_takes_a_new_count_at_the_end_of_the_period(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 2, 100);
    go_to(fixture, 30);
    bench_out(fixture->bench, 0x40, 7);
    bench_out(fixture->bench, 0x40, 0);
    assert_int_equal(latched_count(fixture, 0), 70);
    fixture->out0.rises = 0;
    go_to(fixture, 100);
    assert_int_equal(latched_count(fixture, 0), 7);
    go_to(fixture, 107);
    assert_int_equal(fixture->out0.rises, 2);
}

static void mode_2_restarts_at_a_gate_edge(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 2, 2, 100);
    go_to(fixture, 99);
    assert_false(output(fixture, 2));
    set_gate(fixture, 2, false);
    assert_true(output(fixture, 2));
    go_to(fixture, 200);
    set_gate(fixture, 2, true);
    go_to(fixture, 211);
    assert_int_equal(latched_count(fixture, 2), 90);
}

static void mode_3_counts_by_two_and_gives_the_odd_tick_to_the_high_half(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 3, 8);
    assert_int_equal(latched_count(fixture, 0), 8);
    go_to(fixture, 3);
    assert_true(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 2);
    go_to(fixture, 4);
    assert_false(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 8);
    go_to(fixture, 8);
    assert_true(fixture->out0.level);

    fixture->origin += 9;
    program(fixture, 0, 3, 5);
    go_to(fixture, 2);
    assert_true(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 0);
    go_to(fixture, 3);
    assert_false(fixture->out0.level);
    assert_int_equal(latched_count(fixture, 0), 4);
    go_to(fixture, 5);
    assert_true(fixture->out0.level);
}

static void mode_3_takes_a_new_count_at_the_half_period(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 3, 100);
    go_to(fixture, 10);
    bench_out(fixture->bench, 0x40, 20);
    bench_out(fixture->bench, 0x40, 0);
    go_to(fixture, 49);
    assert_true(fixture->out0.level);
    go_to(fixture, 50);
    assert_false(fixture->out0.level);
    go_to(fixture, 59);
    assert_false(fixture->out0.level);
    go_to(fixture, 60);
    assert_true(fixture->out0.level);
    go_to(fixture, 70);
    assert_false(fixture->out0.level);
}

static void mode_3_does_not_drift(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 3, 0);
    fixture->out0.rises = 0;
    bench_run_until(fixture->bench, 3600 * NS_PER_SECOND);
    int64_t ticks = oscillator_ticks(3600 * NS_PER_SECOND, I8254_HZ) - fixture->origin - 1;
    assert_int_equal(fixture->out0.rises, ticks / 65536);
}

static void mode_4_strobes_low_for_one_tick(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 4, 20);
    go_to(fixture, 19);
    assert_true(fixture->out0.level);
    go_to(fixture, 20);
    assert_false(fixture->out0.level);
    go_to(fixture, 21);
    assert_true(fixture->out0.level);
}

static void mode_5_strobes_after_a_trigger(void **state)
{
    struct fixture *fixture = *state;
    set_gate(fixture, 2, false);
    program(fixture, 2, 5, 20);
    go_to(fixture, 50);
    assert_true(output(fixture, 2));
    set_gate(fixture, 2, true);
    go_to(fixture, 70);
    assert_true(output(fixture, 2));
    go_to(fixture, 71);
    assert_false(output(fixture, 2));
    go_to(fixture, 72);
    assert_true(output(fixture, 2));
}

static void bcd_counts_in_decimal(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x43, 0x31);
    bench_out(fixture->bench, 0x40, 0x00);
    bench_out(fixture->bench, 0x40, 0x12);
    go_to(fixture, 1);
    assert_int_equal(latched_count(fixture, 0), 0x1199);
    go_to(fixture, 1201);
    assert_int_equal(latched_count(fixture, 0), 0x9999);
}

static void single_byte_access_reads_and_writes_one_half(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x43, 0x20); /* high byte only, mode 0 */
    bench_out(fixture->bench, 0x40, 0x02);
    go_to(fixture, 1);
    assert_int_equal(bench_in(fixture->bench, 0x40), 0x01);
    assert_int_equal(bench_in(fixture->bench, 0x40), 0x01);
    go_to(fixture, 0x201);
    assert_true(fixture->out0.level);
}

static void read_back_latches_status_before_count(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 2, 1000);
    go_to(fixture, 10);
    bench_out(fixture->bench, 0x43, 0xc2);
    go_to(fixture, 20);
    assert_int_equal(bench_in(fixture->bench, 0x40), 0xb4);
    unsigned count = bench_in(fixture->bench, 0x40);
    count |= (unsigned)bench_in(fixture->bench, 0x40) << 8;
    assert_int_equal(count, 990);
}

static void null_count_is_set_until_the_count_is_loaded(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x43, 0x34);
    bench_out(fixture->bench, 0x43, 0xe2);
    assert_int_equal(bench_in(fixture->bench, 0x40), 0xf4);
    bench_out(fixture->bench, 0x40, 0);
    bench_out(fixture->bench, 0x40, 1);
    go_to(fixture, 0);
    bench_out(fixture->bench, 0x43, 0xe2);
    assert_int_equal(bench_in(fixture->bench, 0x40), 0xb4);
}

static void late_interrupts_are_all_delivered_with_room_between_them(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0, 2, 11932); /* ~10 ms */
    fixture->out0.rises = 0;
    uint64_t start = fixture->bench->host_ns;
    bench_jump_to(fixture->bench, start + 55 * NS_PER_MILLISECOND);
    assert_in_range(fixture->out0.rises, 0, 1);
    bench_run_until(fixture->bench, start + 65 * NS_PER_MILLISECOND);
    assert_int_not_equal(fixture->out0.rises, 6);
    bench_run_until(fixture->bench, start + 101 * NS_PER_MILLISECOND);
    assert_int_equal(fixture->out0.rises, 10);
}

static void refresh_counter_runs_from_reset(void **state)
{
    struct fixture *fixture = *state;
    struct signal_probe toggle = i8254_toggle(fixture->pit, 1);
    unsigned changes = 0;
    bool last = signal_probe_read(&toggle);
    for (int64_t tick = 0; tick < 1800; tick++) {
        go_to(fixture, tick);
        changes += signal_probe_read(&toggle) != last;
        last = signal_probe_read(&toggle);
    }
    assert_int_equal(changes, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mode_0_raises_out_when_the_count_is_spent, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_0_stands_still_while_the_gate_is_low, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_1_is_a_retriggerable_one_shot, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_2_is_low_for_the_last_tick_of_each_period, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_2_takes_a_new_count_at_the_end_of_the_period, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_2_restarts_at_a_gate_edge, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_3_counts_by_two_and_gives_the_odd_tick_to_the_high_half, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mode_3_takes_a_new_count_at_the_half_period, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_3_does_not_drift, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_4_strobes_low_for_one_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(mode_5_strobes_after_a_trigger, setup, teardown),
        cmocka_unit_test_setup_teardown(bcd_counts_in_decimal, setup, teardown),
        cmocka_unit_test_setup_teardown(single_byte_access_reads_and_writes_one_half, setup, teardown),
        cmocka_unit_test_setup_teardown(read_back_latches_status_before_count, setup, teardown),
        cmocka_unit_test_setup_teardown(null_count_is_set_until_the_count_is_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(late_interrupts_are_all_delivered_with_room_between_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refresh_counter_runs_from_reset, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
