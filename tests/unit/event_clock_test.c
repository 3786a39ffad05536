/* The event clock: order and ties of events, cancelling, both ways of telling time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bits.h"
#include "bus/event_clock.h"

#define EVENTS 40

struct rig;

struct alarm {
    struct clock_event event;
    struct rig *rig;
    char letter;
};

/* A clock over a number the test turns, and a record of what fired. */
struct rig {
    struct event_clock *clock;
    uint64_t source; /* host ns, or retired instructions */
    struct alarm alarms[EVENTS];
    char fired[512];
    size_t fired_count;
    struct alarm *other;     /* for handlers that act on another alarm */
    uint64_t other_deadline; /* when `other` is to be scheduled by a handler; NEVER: it is cancelled */
};

static uint64_t read_source(void *opaque)
{
    return *(uint64_t *)opaque;
}

static void record(void *opaque)
{
    struct alarm *alarm = opaque;
    struct rig *rig = alarm->rig;
    assert_true(rig->fired_count + 1 < sizeof rig->fired);
    rig->fired[rig->fired_count++] = alarm->letter;
    rig->fired[rig->fired_count] = '\0';
}

/* Records, and reschedules or cancels the other alarm. */
static void meddle(void *opaque)
{
    struct alarm *alarm = opaque;
    record(alarm);
    event_clock_schedule(alarm->rig->clock, &alarm->rig->other->event, alarm->rig->other_deadline);
}

static void start(struct rig *rig, bool counted, uint64_t ns_per_instruction)
{
    *rig = (struct rig){.source = counted ? 0 : 5000};
    rig->clock = counted ? event_clock_create_counted(&rig->source, ns_per_instruction)
                         : event_clock_create_realtime(read_source, &rig->source);
    assert_non_null(rig->clock);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct alarm *alarm = &rig->alarms[i];
        *alarm = (struct alarm){.rig = rig, .letter = (char)('a' + i)};
        clock_event_init(&alarm->event, "alarm", record, alarm);
    }
}

static void schedule(struct rig *rig, unsigned alarm, uint64_t deadline)
{
    event_clock_schedule(rig->clock, &rig->alarms[alarm].event, deadline);
}

static void events_fire_by_deadline_when_due(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 1);
    assert_int_equal(event_clock_next_deadline(rig.clock), EVENT_CLOCK_NEVER);
    schedule(&rig, 0, 300);
    schedule(&rig, 1, 100);
    schedule(&rig, 2, 200);
    assert_int_equal(event_clock_next_deadline(rig.clock), 100);
    rig.source = 99;
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "");
    rig.source = 200;
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "bc");
    assert_false(clock_event_is_scheduled(&rig.alarms[1].event));
    assert_true(clock_event_is_scheduled(&rig.alarms[0].event));
    rig.source = 1000;
    event_clock_run_due(rig.clock);
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "bca");
    event_clock_destroy(rig.clock);
}

static void count_call(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void the_listener_hears_of_earlier_events_only(void **state)
{
    (void)state;
    struct rig rig;
    unsigned calls = 0;
    start(&rig, true, 1);
    event_clock_set_listener(rig.clock, count_call, &calls);
    schedule(&rig, 0, 300);
    assert_int_equal(calls, 1);
    schedule(&rig, 1, 400);
    schedule(&rig, 2, 300);
    assert_int_equal(calls, 1);
    schedule(&rig, 1, 299);
    assert_int_equal(calls, 2);
    event_clock_cancel(rig.clock, &rig.alarms[1].event);
    assert_int_equal(calls, 2);
    event_clock_destroy(rig.clock);
}

static void ties_fire_in_the_order_of_scheduling(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 1);
    for (unsigned i = 0; i < 20; i++) {
        schedule(&rig, (i * 7) % 20, 50);
    }
    schedule(&rig, 14, 50); /* scheduled anew: last now */
    rig.source = 50;
    event_clock_run_due(rig.clock);
    char expected[32] = "";
    for (unsigned i = 0; i < 20; i++) {
        unsigned alarm = (i * 7) % 20;
        if (alarm != 14) {
            expected[strlen(expected)] = (char)('a' + alarm);
        }
    }
    expected[strlen(expected)] = 'a' + 14;
    assert_string_equal(rig.fired, expected);
    event_clock_destroy(rig.clock);
}

static void cancelled_events_do_not_fire(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 1);
    event_clock_cancel(rig.clock, &rig.alarms[0].event); /* never scheduled */
    for (unsigned i = 0; i < 5; i++) {
        schedule(&rig, i, 10 + i);
    }
    event_clock_cancel(rig.clock, &rig.alarms[0].event);
    event_clock_cancel(rig.clock, &rig.alarms[3].event);
    event_clock_cancel(rig.clock, &rig.alarms[3].event);
    schedule(&rig, 4, EVENT_CLOCK_NEVER);
    assert_false(clock_event_is_scheduled(&rig.alarms[4].event));
    assert_int_equal(event_clock_next_deadline(rig.clock), 11);
    rig.source = 100;
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "bc");
    event_clock_destroy(rig.clock);
}

static void rescheduling_moves_an_event(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 1);
    schedule(&rig, 0, 10);
    schedule(&rig, 1, 20);
    schedule(&rig, 0, 30);
    rig.source = 20;
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "b");
    schedule(&rig, 0, 5); /* in the past: due at once */
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "ba");
    event_clock_destroy(rig.clock);
}

static void handlers_may_schedule_and_cancel(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 1);
    rig.alarms[0].event.fire = meddle;
    rig.other = &rig.alarms[1];
    rig.other_deadline = EVENT_CLOCK_NEVER;
    schedule(&rig, 0, 10);
    schedule(&rig, 1, 20);
    rig.source = 30;
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "a"); /* b was due too, but a took it away */
    rig.other_deadline = 25;
    schedule(&rig, 0, 10);
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "aab"); /* due already when it was scheduled: fires in the same run */
    rig.other = &rig.alarms[0];
    rig.other_deadline = 40;
    schedule(&rig, 0, 10);
    event_clock_run_due(rig.clock);
    assert_int_equal(event_clock_next_deadline(rig.clock), 40); /* periodic: schedules itself */
    event_clock_destroy(rig.clock);
}

/* The heap against a plain search for the smallest (deadline, order of scheduling). */
static void random_schedules_agree_with_a_sorted_list(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 1);
    uint64_t order[EVENTS] = {0};
    uint64_t next_order = 0;
    uint64_t random = 88172645463325252u;
    for (unsigned step = 0; step < 20000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        unsigned alarm = (unsigned)(random >> 8) % EVENTS;
        if (random % 3 == 0) {
            event_clock_cancel(rig.clock, &rig.alarms[alarm].event);
        } else {
            schedule(&rig, alarm, rig.source + (random >> 20) % 64);
            order[alarm] = next_order++;
        }
        if (step % 8 != 0) {
            continue;
        }
        rig.source += (random >> 40) % 32;
        char expected[EVENTS + 1] = "";
        for (unsigned count = 0; count < EVENTS; count++) {
            struct alarm *first = NULL;
            for (unsigned i = 0; i < EVENTS; i++) {
                struct alarm *other = &rig.alarms[i];
                bool due = other->event.deadline <= rig.source && strchr(expected, other->letter) == NULL;
                if (due && (first == NULL || other->event.deadline < first->event.deadline ||
                            (other->event.deadline == first->event.deadline &&
                             order[i] < order[first - rig.alarms]))) {
                    first = other;
                }
            }
            if (first == NULL) {
                break;
            }
            expected[count] = first->letter;
        }
        rig.fired_count = 0;
        rig.fired[0] = '\0';
        event_clock_run_due(rig.clock);
        assert_string_equal(rig.fired, expected);
    }
    event_clock_destroy(rig.clock);
}

static void counted_time_is_instructions_times_their_length(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 8);
    assert_true(event_clock_is_counted(rig.clock));
    assert_int_equal(event_clock_now(rig.clock), 0);
    rig.source = 1000;
    assert_int_equal(event_clock_now(rig.clock), 8000);
    event_clock_stop(rig.clock); /* nothing to do: instructions do not run while the machine is stopped */
    event_clock_start(rig.clock);
    rig.source = 1001;
    assert_int_equal(event_clock_now(rig.clock), 8008);
    event_clock_destroy(rig.clock);
}

static void budgets_end_at_the_first_instruction_past_the_deadline(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 8);
    assert_int_equal(event_clock_budget(rig.clock, 1000), 1000); /* nothing scheduled */
    rig.source = 5;
    schedule(&rig, 0, 40);
    assert_int_equal(event_clock_budget(rig.clock, 1000), 1); /* due now: still makes progress */
    schedule(&rig, 0, 48);
    assert_int_equal(event_clock_budget(rig.clock, 1000), 1);
    schedule(&rig, 0, 120);
    assert_int_equal(event_clock_budget(rig.clock, 1000), 10);
    assert_int_equal(event_clock_budget(rig.clock, 3), 3);
    schedule(&rig, 0, 121);
    assert_int_equal(event_clock_budget(rig.clock, 1000), 11);
    rig.source += event_clock_budget(rig.clock, 1000) - 1;
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "");
    rig.source += event_clock_budget(rig.clock, 1000);
    assert_int_equal(event_clock_budget(rig.clock, 1000), 1); /* past */
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "a");
    event_clock_destroy(rig.clock);
}

static void a_halted_counted_clock_skips_to_the_deadline(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, true, 8);
    assert_false(event_clock_skip_to_deadline(rig.clock));
    rig.source = 10;
    schedule(&rig, 0, 1000001);
    assert_true(event_clock_skip_to_deadline(rig.clock));
    assert_int_equal(event_clock_now(rig.clock), 1000001);
    assert_true(event_clock_skip_to_deadline(rig.clock)); /* there already */
    assert_int_equal(event_clock_now(rig.clock), 1000001);
    event_clock_run_due(rig.clock);
    assert_string_equal(rig.fired, "a");
    rig.source = 11;
    assert_int_equal(event_clock_now(rig.clock), 1000009); /* what was skipped stays skipped */
    event_clock_destroy(rig.clock);
}

static void realtime_starts_at_zero_and_follows_the_host(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, false, 0);
    assert_false(event_clock_is_counted(rig.clock));
    assert_int_equal(event_clock_now(rig.clock), 0);
    rig.source += 123;
    assert_int_equal(event_clock_now(rig.clock), 123);
    event_clock_destroy(rig.clock);
}

static void stopped_realtime_stands_still(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, false, 0);
    rig.source += 100;
    event_clock_stop(rig.clock);
    rig.source += 1000;
    event_clock_stop(rig.clock);
    assert_int_equal(event_clock_now(rig.clock), 100);
    event_clock_start(rig.clock);
    event_clock_start(rig.clock);
    assert_int_equal(event_clock_now(rig.clock), 100);
    rig.source += 10;
    assert_int_equal(event_clock_now(rig.clock), 110);
    event_clock_destroy(rig.clock);
}

static void time_never_runs_backwards(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, false, 0);
    rig.source += 500;
    assert_int_equal(event_clock_now(rig.clock), 500);
    rig.source -= 200; /* a host clock that was set back */
    assert_int_equal(event_clock_now(rig.clock), 500);
    rig.source += 201;
    assert_int_equal(event_clock_now(rig.clock), 501);
    event_clock_destroy(rig.clock);
}

/* Goes off every 4 ms, as a timer chip does. */
static void ring_again(void *opaque)
{
    struct alarm *alarm = opaque;
    alarm->rig->fired_count++;
    alarm->rig->other_deadline += 4 * NS_PER_MILLISECOND;
    event_clock_schedule(alarm->rig->clock, &alarm->event, alarm->rig->other_deadline);
}

static void start_periodic(struct rig *rig)
{
    start(rig, false, 0);
    rig->alarms[0].event.fire = ring_again;
    rig->other_deadline = 4 * NS_PER_MILLISECOND;
    schedule(rig, 0, rig->other_deadline);
}

/* Runs `ns` of host time, with a look at the clock every 100 us, none of which may merge ticks. Returns how
 * many there were. */
static unsigned run_ticks(struct rig *rig, uint64_t ns)
{
    unsigned ticks = 0;
    for (uint64_t end = rig->source + ns; rig->source < end; rig->source += 100 * NS_PER_MICROSECOND) {
        rig->fired_count = 0;
        event_clock_run_due(rig->clock);
        assert_true(rig->fired_count <= 1);
        ticks += (unsigned)rig->fired_count;
    }
    return ticks;
}

static void a_host_that_stalls_costs_no_ticks(void **state)
{
    (void)state;
    struct rig rig;
    start_periodic(&rig);
    assert_int_equal(run_ticks(&rig, 10 * NS_PER_MILLISECOND), 2);
    rig.source += 90 * NS_PER_MILLISECOND;
    assert_int_equal(run_ticks(&rig, 100 * NS_PER_MILLISECOND),
                     200 / 4 - 2 - 1); /* the last one is due now */
    assert_int_equal(event_clock_now(rig.clock), 200 * NS_PER_MILLISECOND);
    event_clock_destroy(rig.clock);
}

static void time_moves_in_small_steps_and_then_faster(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, false, 0);
    rig.source += 10 * NS_PER_MILLISECOND;
    uint64_t before = event_clock_now(rig.clock);
    assert_int_equal(before, 200 * NS_PER_MICROSECOND);
    rig.source += 10 * NS_PER_MICROSECOND;
    assert_int_equal(event_clock_now(rig.clock), before + 40 * NS_PER_MICROSECOND);
    rig.source += 500 * NS_PER_MICROSECOND;
    assert_int_equal(event_clock_now(rig.clock), before + 240 * NS_PER_MICROSECOND);
    event_clock_destroy(rig.clock);
}

static void with_nothing_to_do_realtime_makes_up_at_once(void **state)
{
    (void)state;
    struct rig rig;
    start_periodic(&rig);
    rig.source += 10 * NS_PER_MILLISECOND;
    assert_true(event_clock_skip_to_deadline(rig.clock));
    assert_int_equal(event_clock_now(rig.clock), 4 * NS_PER_MILLISECOND);
    event_clock_run_due(rig.clock);
    assert_true(event_clock_skip_to_deadline(rig.clock));
    event_clock_run_due(rig.clock);
    assert_false(event_clock_skip_to_deadline(rig.clock)); /* that would be the future */
    assert_int_equal(event_clock_now(rig.clock), 10 * NS_PER_MILLISECOND);
    event_clock_cancel(rig.clock, &rig.alarms[0].event);
    rig.source += 10 * NS_PER_MILLISECOND;
    assert_false(event_clock_skip_to_deadline(rig.clock)); /* no deadline: as far as the host */
    assert_int_equal(event_clock_now(rig.clock), 20 * NS_PER_MILLISECOND);
    event_clock_destroy(rig.clock);
}

static void more_than_a_second_is_not_made_up_for(void **state)
{
    (void)state;
    struct rig rig;
    start_periodic(&rig);
    rig.source += 60 * NS_PER_SECOND;
    assert_int_equal(event_clock_now(rig.clock), 59 * NS_PER_SECOND);
    event_clock_destroy(rig.clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_fire_by_deadline_when_due),
        cmocka_unit_test(the_listener_hears_of_earlier_events_only),
        cmocka_unit_test(ties_fire_in_the_order_of_scheduling),
        cmocka_unit_test(cancelled_events_do_not_fire),
        cmocka_unit_test(rescheduling_moves_an_event),
        cmocka_unit_test(handlers_may_schedule_and_cancel),
        cmocka_unit_test(random_schedules_agree_with_a_sorted_list),
        cmocka_unit_test(counted_time_is_instructions_times_their_length),
        cmocka_unit_test(budgets_end_at_the_first_instruction_past_the_deadline),
        cmocka_unit_test(a_halted_counted_clock_skips_to_the_deadline),
        cmocka_unit_test(realtime_starts_at_zero_and_follows_the_host),
        cmocka_unit_test(stopped_realtime_stands_still),
        cmocka_unit_test(time_never_runs_backwards),
        cmocka_unit_test(a_host_that_stalls_costs_no_ticks),
        cmocka_unit_test(time_moves_in_small_steps_and_then_faster),
        cmocka_unit_test(with_nothing_to_do_realtime_makes_up_at_once),
        cmocka_unit_test(more_than_a_second_is_not_made_up_for),
    };
    return cmocka_run_group_tests_name("event_clock", tests, NULL, NULL);
}
