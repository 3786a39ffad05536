/* A machine that goes back in time and forth again is always exactly what it was there: at ends of steps, in
 * front of interrupt handlers, while halted, across input and resets, on whatever engine. How much memory
 * that takes is bounded.
 *
 * The guest is the firmware with a disk (argv[1]); argv[2] and argv[3] name the engine and how it translates
 * addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "history_rig.h"

#define STEPS (3 * HISTORY_RIG_MARKS)

static void every_place_is_found_again_as_it_was(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, STEPS);
    const struct history_mark end = history_rig_mark(rig);
    for (unsigned i = 0; i < 50; i++) {
        history_rig_seek(rig, &rig->marks[history_rig_random(rig, rig->mark_count)]);
        assert_true(machine_is_in_past(rig->machine));
    }
    history_rig_seek(rig, &end);
    assert_false(machine_is_in_past(rig->machine));
}

static void history_makes_no_difference_to_the_guest(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 90);
    struct history_mark kept[30];
    assert_int_equal(rig->mark_count, ARRAY_COUNT(kept));
    memcpy(kept, rig->marks, sizeof kept);
    machine_destroy(rig->machine);
    history_rig_power_on(rig);
    /* Inputs have to wait for their times in both. */
    struct status status = machine_start_recording(rig->machine, "/dev/null");
    assert_string_equal(status.message, "");
    machine_cpu(rig->machine)->ignores_x87_pointers = true;
    history_rig_live(rig, 90);
    assert_memory_equal(kept, rig->marks, sizeof kept);
}

static void random_numbers_come_again(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 15);
    const uint32_t first = cpu_draw_random(machine_cpu(rig->machine));
    assert_int_not_equal(cpu_draw_random(machine_cpu(rig->machine)), first);
    history_rig_seek(rig, &rig->marks[1]);
    assert_int_equal(cpu_draw_random(machine_cpu(rig->machine)), first);
}

/* What a person sees of the CPU. */
static uint32_t cpu_crc(struct machine *machine)
{
    const struct cpu_state *cpu = machine_cpu(machine);
    uint64_t words[CPU_GPR_SLOTS + 5];
    for (unsigned i = 0; i < CPU_GPR_SLOTS; i++) {
        words[i] = cpu->gpr[i].q;
    }
    words[CPU_GPR_SLOTS] = cpu->rip;
    words[CPU_GPR_SLOTS + 1] = cpu_eflags(cpu);
    words[CPU_GPR_SLOTS + 2] = cpu->segment[CPU_CS].base;
    words[CPU_GPR_SLOTS + 3] = cpu->cr0;
    words[CPU_GPR_SLOTS + 4] = machine_now(machine);
    return crc32_append(0, words, sizeof words);
}

static void seek_step(struct history_rig *rig, uint64_t retired)
{
    struct status status = machine_history_seek(rig->machine, &(struct machine_place){.retired = retired});
    assert_string_equal(status.message, "");
    assert_int_equal(machine_retired(rig->machine), retired);
}

/* Just behind the first place from `mark` on at which the CPU enters or leaves protected mode. */
static uint64_t find_mode_switch(struct history_rig *rig, unsigned mark)
{
    history_rig_seek(rig, &rig->marks[mark]);
    const uint64_t before = machine_cpu(rig->machine)->cr0 & CR0_PE;
    for (unsigned i = 0; i < 20000 && (machine_cpu(rig->machine)->cr0 & CR0_PE) == before; i++) {
        machine_set_step_limit(rig->machine, machine_retired(rig->machine) + 50);
        while (machine_run(rig->machine, HISTORY_RIG_SLICE_NS) != MACHINE_BREAK) {
        }
    }
    machine_set_step_limit(rig->machine, 0);
    return machine_retired(rig->machine);
}

static void a_thousand_steps_back_are_those_that_led_there(void **state)
{
    enum { COUNT = 1000 };
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 15);
    const uint64_t last = find_mode_switch(rig, 1);
    assert_true(last > COUNT);
    uint32_t *crcs = calloc(COUNT + 1, sizeof *crcs);
    assert_non_null(crcs);
    seek_step(rig, last - COUNT);
    for (unsigned i = 0; i <= COUNT; i++) {
        crcs[i] = cpu_crc(rig->machine);
        machine_set_step_limit(rig->machine, last - COUNT + i + 1);
        while (i < COUNT && machine_run(rig->machine, HISTORY_RIG_SLICE_NS) != MACHINE_BREAK) {
        }
    }
    machine_set_step_limit(rig->machine, 0);
    for (unsigned i = COUNT; i-- > 0;) {
        seek_step(rig, last - COUNT + i);
        assert_int_equal(cpu_crc(rig->machine), crcs[i]);
    }
    free(crcs);
}

static void checkpoints_are_listed_backwards_to_the_first(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 45);
    const struct machine_place end = machine_history_end(rig->machine);
    const struct machine_place first = machine_history_first(rig->machine);
    struct machine_place place = end, before;
    unsigned count = 0;
    for (; machine_history_before(rig->machine, &place, &before); place = before) {
        assert_true(machine_place_compare(&before, &place) < 0);
        struct status status = machine_history_restore(rig->machine, &before);
        assert_string_equal(status.message, "");
        const struct machine_place here = machine_place(rig->machine);
        assert_int_equal(machine_place_compare(&here, &before), 0);
        count++;
    }
    assert_int_equal(machine_place_compare(&place, &first), 0);
    assert_true(count >= 2);
    assert_in_range(machine_history_info(rig->machine).checkpoints, count, count + 1);
}

static void places_outside_history_are_refused(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    (void)machine_run(rig->machine, 10 * HISTORY_RIG_SLICE_NS);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    const struct history_mark first = history_rig_mark(rig);
    (void)machine_run(rig->machine, 10 * HISTORY_RIG_SLICE_NS);
    const struct history_mark end = history_rig_mark(rig);
    struct machine_place place = {.retired = first.place.retired - 1};
    struct status status = machine_history_seek(rig->machine, &place);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    status = machine_history_restore(rig->machine, &place);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    place.retired = end.place.retired + 1;
    status = machine_history_seek(rig->machine, &place);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    history_rig_check(rig, &end);
    history_rig_seek(rig, &first);
    seek_step(rig, first.place.retired); /* by its count alone */
}

static void history_that_is_forgotten_begins_anew_where_the_machine_is(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 60);
    history_rig_seek(rig, &rig->marks[10]);
    machine_history_forget(rig->machine);
    memory_bus_write(machine_memory(rig->machine), 0x500, 1, 0xA5);
    const struct history_mark changed = history_rig_mark(rig);
    assert_false(machine_is_in_past(rig->machine));
    const struct machine_place first = machine_history_first(rig->machine);
    assert_int_equal(machine_place_compare(&first, &changed.place), 0);
    struct status status = machine_history_seek(rig->machine, &rig->marks[9].place);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    rig->mark_count = 0;
    history_rig_live(rig, 60);
    history_rig_seek(rig, &rig->marks[5]);
    history_rig_seek(rig, &changed);
    history_rig_seek(rig, &rig->marks[15]);
}

static void memory_is_bounded_and_the_first_place_stays(void **state)
{
    struct history_rig *rig = *state;
    history_rig_power_on(rig);
    history_rig_start(rig, 3 * MIB);
    const struct history_mark first = history_rig_mark(rig);
    history_rig_live(rig, 60);
    for (unsigned i = 0; i < 8; i++) {
        history_rig_seek(rig, &rig->marks[history_rig_random(rig, rig->mark_count)]);
        struct machine_history_info info = machine_history_info(rig->machine);
        assert_true(info.bytes <= info.bytes_allowed || info.checkpoints == 2);
    }
    history_rig_seek(rig, &first);
}

static void a_machine_in_realtime_cannot_go_back(void **state)
{
    struct history_rig *rig = *state;
    const struct machine_config config = {.ram_size = 1 * MIB, .engine = rig->engine};
    struct status status = machine_create(&config, &rig->machine);
    assert_string_equal(status.message, "");
    status = machine_start_history(rig->machine, HISTORY_RIG_BUDGET);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_false(machine_has_history(rig->machine));
    assert_false(machine_is_in_past(rig->machine));
    machine_history_forget(rig->machine);
}

static void two_machines_have_each_their_own_past(void **state)
{
    struct history_rig *rig = *state;
    struct history_rig other = *rig;
    void *other_state = &other;
    assert_int_equal(history_rig_set_up(&other_state), 0);
    history_rig_power_on(rig);
    history_rig_power_on(&other);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    (void)machine_run(other.machine, 5 * HISTORY_RIG_SLICE_NS);
    history_rig_start(&other, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 39);
    history_rig_live(&other, 33);
    const struct history_mark end = history_rig_mark(&other);
    history_rig_seek(rig, &rig->marks[2]);
    history_rig_check(&other, &end);
    history_rig_seek(&other, &other.marks[3]);
    history_rig_check(rig, &rig->marks[2]);
    history_rig_seek(rig, &rig->marks[12]);
    history_rig_seek(&other, &other.marks[1]);
    history_rig_tear_down(&other_state);
}

int main(int argc, char **argv)
{
    struct history_rig rig;
    if (!history_rig_parse(&rig, argc, argv)) {
        return 1;
    }
#define RIG_TEST(name)                                                                                       \
    cmocka_unit_test_prestate_setup_teardown(name, history_rig_set_up, history_rig_tear_down, &rig)
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_place_is_found_again_as_it_was),
        RIG_TEST(history_makes_no_difference_to_the_guest),
        RIG_TEST(random_numbers_come_again),
        RIG_TEST(a_thousand_steps_back_are_those_that_led_there),
        RIG_TEST(checkpoints_are_listed_backwards_to_the_first),
        RIG_TEST(places_outside_history_are_refused),
        RIG_TEST(history_that_is_forgotten_begins_anew_where_the_machine_is),
        RIG_TEST(memory_is_bounded_and_the_first_place_stays),
        RIG_TEST(a_machine_in_realtime_cannot_go_back),
        RIG_TEST(two_machines_have_each_their_own_past),
    };
#undef RIG_TEST
    return cmocka_run_group_tests_name("machine_history", tests, NULL, NULL);
}
