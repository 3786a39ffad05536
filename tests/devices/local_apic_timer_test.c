/* The local APIC's timer, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "local_apic_rig.h"

#define TICK       LOCAL_APIC_TICK_NS
#define PERIODIC   0x20000u
#define DIVIDE_BY1 0xBu
#define VECTOR     0x51

/* Takes and ends the timer's interrupt; false when there is none. */
static bool take_interrupt(struct apic_rig *rig)
{
    if (!rig->intr.level) {
        return false;
    }
    assert_int_equal(local_apic_acknowledge(rig->apic), VECTOR);
    apic_set(rig, APIC_EOI, 0);
    return true;
}

static void start(struct apic_rig *rig, uint32_t mode, uint32_t divide, uint32_t count)
{
    apic_set(rig, APIC_LVT_TIMER, mode | VECTOR);
    apic_set(rig, APIC_DIVIDE, divide);
    apic_set(rig, APIC_INITIAL_COUNT, count);
}

static void one_shot_counts_down_and_interrupts_once(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, 0, DIVIDE_BY1, 1000);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 1000);
    bench_run_for(rig->bench, 400 * TICK);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 600);
    bench_run_for(rig->bench, 600 * TICK - 1);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 1);
    assert_false(take_interrupt(rig));
    bench_run_for(rig->bench, 1);
    assert_true(take_interrupt(rig));
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 0);
    assert_int_equal(apic_get(rig, APIC_INITIAL_COUNT), 1000);
    bench_run_for(rig->bench, 5000 * TICK);
    assert_false(take_interrupt(rig));
}

static void periodic_starts_over_without_drift(void **state)
{
    struct apic_rig *rig = *state;
    uint64_t begin = rig->bench->host_ns;
    start(rig, PERIODIC, DIVIDE_BY1, 10000);
    for (unsigned i = 1; i <= 50; i++) {
        bench_run_until(rig->bench, begin + i * 10000 * TICK - 1);
        assert_false(take_interrupt(rig));
        assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 1);
        bench_run_for(rig->bench, 1);
        assert_true(take_interrupt(rig));
        assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 10000);
    }
}

static void divider_has_eight_values(void **state)
{
    struct apic_rig *rig = *state;
    static const struct {
        uint32_t code;
        unsigned divider;
    } rows[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xA, 128}, {0xB, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(rig, 0, rows[i].code, 100);
        assert_int_equal(apic_get(rig, APIC_DIVIDE), rows[i].code);
        bench_run_for(rig->bench, 10 * TICK * rows[i].divider);
        assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 90);
        bench_run_for(rig->bench, 90 * TICK * rows[i].divider);
        assert_true(take_interrupt(rig));
    }
}

static void new_divider_keeps_the_count(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, 0, DIVIDE_BY1, 1000);
    bench_run_for(rig->bench, 500 * TICK);
    apic_set(rig, APIC_DIVIDE, 1); /* by 4 */
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 500);
    bench_run_for(rig->bench, 2000 * TICK - 1);
    assert_false(take_interrupt(rig));
    bench_run_for(rig->bench, 1);
    assert_true(take_interrupt(rig));
}

static void masked_timer_counts_without_interrupting(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, APIC_MASKED, DIVIDE_BY1, 100);
    bench_run_for(rig->bench, 60 * TICK);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 40);
    bench_run_for(rig->bench, 60 * TICK);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 0);
    apic_set(rig, APIC_LVT_TIMER, VECTOR);
    assert_false(take_interrupt(rig));
}

static void count_of_zero_stops(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, PERIODIC, DIVIDE_BY1, 10000);
    bench_run_for(rig->bench, 100 * TICK);
    apic_set(rig, APIC_INITIAL_COUNT, 0);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 0);
    bench_run_for(rig->bench, 50000 * TICK);
    assert_false(take_interrupt(rig));
}

static void one_shot_made_periodic_goes_on(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, 0, DIVIDE_BY1, 10000);
    bench_run_for(rig->bench, 4000 * TICK);
    apic_set(rig, APIC_LVT_TIMER, PERIODIC | VECTOR);
    bench_run_for(rig->bench, 6000 * TICK);
    assert_true(take_interrupt(rig));
    bench_run_for(rig->bench, 10000 * TICK);
    assert_true(take_interrupt(rig));
    apic_set(rig, APIC_LVT_TIMER, VECTOR);
    bench_run_for(rig->bench, 10000 * TICK);
    assert_true(take_interrupt(rig));
    bench_run_for(rig->bench, 10000 * TICK);
    assert_false(take_interrupt(rig));
}

static void shortest_period_costs_the_host_few_events(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, PERIODIC, DIVIDE_BY1, 1);
    unsigned taken = 0;
    for (unsigned i = 0; i < 1000; i++) {
        bench_run_for(rig->bench, NS_PER_MICROSECOND);
        taken += take_interrupt(rig);
    }
    assert_in_range(taken, 99, 100);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 1);
}

static void late_host_gets_one_interrupt_and_stays_in_phase(void **state)
{
    struct apic_rig *rig = *state;
    uint64_t begin = rig->bench->host_ns;
    start(rig, PERIODIC, DIVIDE_BY1, 10000);
    bench_jump_to(rig->bench, begin + 25000 * TICK);
    assert_int_equal(apic_get(rig, APIC_CURRENT_COUNT), 5000);
    assert_true(take_interrupt(rig));
    assert_false(take_interrupt(rig));
    bench_run_until(rig->bench, begin + 30000 * TICK);
    assert_true(take_interrupt(rig));
}

static void reset_stops_the_timer(void **state)
{
    struct apic_rig *rig = *state;
    start(rig, PERIODIC, DIVIDE_BY1, 10000);
    struct device *device = local_apic_device(rig->apic);
    device->class->reset(device);
    assert_int_equal(event_clock_next_deadline(rig->bench->host.clock), EVENT_CLOCK_NEVER);
    assert_int_equal(apic_get(rig, APIC_INITIAL_COUNT), 0);
    assert_int_equal(apic_get(rig, APIC_DIVIDE), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, apic_rig_setup_enabled, apic_rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_shot_counts_down_and_interrupts_once),
        TEST(periodic_starts_over_without_drift),
        TEST(divider_has_eight_values),
        TEST(new_divider_keeps_the_count),
        TEST(masked_timer_counts_without_interrupting),
        TEST(count_of_zero_stops),
        TEST(one_shot_made_periodic_goes_on),
        TEST(shortest_period_costs_the_host_few_events),
        TEST(late_host_gets_one_interrupt_and_stays_in_phase),
        TEST(reset_stops_the_timer),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
