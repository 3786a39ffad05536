/* A machine that goes back in time and forth again is always exactly what it was there: at ends of steps, in
 * front of interrupt handlers, while halted, across input, resets and disk writes, on whatever engine; and
 * what is outside sees nothing of it.
 *
 * The guest is the firmware with a disk (argv[1]); argv[2] and argv[3] name the engine and how it translates
 * addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/machine_history.h"
#include "machine/machine_probe.h"
#include "machine/machine_replay.h"

#define SLICE_NS 700001u
#define MARKS    40u
#define BUDGET   (64 * MIB)

/* What the machine was at a place. */
struct mark {
    struct machine_place place;
    struct machine_checksums sums;
};

struct bench {
    const char *disk;
    struct engine_config engine;
    struct char_device *serial;
    struct machine *machine;
    struct mark marks[MARKS];
    unsigned mark_count;
    uint64_t random;
};

static uint32_t next_random(struct bench *bench, uint32_t limit)
{
    bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(bench->random >> 33) % limit;
}

static struct machine *create(const struct bench *bench, bool counted)
{
    struct machine_config config = {.ram_size = 4 * MIB,
                                    .engine = bench->engine,
                                    .floppy[0] = {.path = bench->disk},
                                    .ide[2] = {.cdrom = true},
                                    .snapshot = true,
                                    .counted = counted,
                                    .ns_per_instruction = 8,
                                    .serial[0] = bench->serial,
                                    .rtc_epoch = 946684800};
    struct machine *machine = NULL;
    struct status status = machine_create(&config, &machine);
    assert_string_equal(status.message, "");
    return machine;
}

static int set_up(void **state)
{
    struct bench *bench = *state;
    bench->serial = char_device_create_memory();
    assert_non_null(bench->serial);
    bench->machine = NULL;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    machine_destroy(bench->machine);
    char_device_close(bench->serial);
    return 0;
}

/* Within the test, since cmocka takes signal handlers away. */
static void power_on(struct bench *bench)
{
    bench->machine = create(bench, true);
    bench->mark_count = 0;
    bench->random = 1;
}

static void start_history(struct bench *bench)
{
    power_on(bench);
    struct status status = machine_start_history(bench->machine, BUDGET);
    assert_string_equal(status.message, "");
}

static void set_mark(struct bench *bench)
{
    assert_true(bench->mark_count < MARKS);
    bench->marks[bench->mark_count++] =
        (struct mark){machine_place(bench->machine), machine_checksum(bench->machine)};
}

static void check_mark(struct bench *bench, const struct mark *mark)
{
    const struct machine_place here = machine_place(bench->machine);
    assert_int_equal(here.retired, mark->place.retired);
    assert_int_equal(here.taken, mark->place.taken);
    assert_int_equal(here.time, mark->place.time);
    struct machine_checksums sums = machine_checksum(bench->machine);
    assert_int_equal(sums.ram, mark->sums.ram);
    assert_int_equal(sums.rest, mark->sums.rest);
}

static void go_to_mark(struct bench *bench, unsigned index)
{
    struct status status = machine_history_seek(bench->machine, &bench->marks[index].place);
    assert_string_equal(status.message, "");
    check_mark(bench, &bench->marks[index]);
}

/* Something of everything, now and then. */
static void disturb(struct bench *bench, unsigned step)
{
    static const enum key keys[] = {KEY_H, KEY_E, KEY_L, KEY_P, KEY_ENTER};
    const struct input_sink *input = machine_input(bench->machine);
    if (step % 3 == 0) {
        input->key(input->opaque, keys[step / 6 % ARRAY_COUNT(keys)], step % 6 == 0);
    }
    if (step % 7 == 0) {
        input->mouse(input->opaque, (int)step - 40, 3, 0, 1 + (step & 1));
        assert_true(char_device_memory_inject(bench->serial, (const uint8_t *)"serial input", 12));
    }
    char_device_poll(bench->serial);
    switch (step) {
    case 30: machine_press_power_button(bench->machine); break;
    case 75: machine_reset(bench->machine); break;
    default: break;
    }
}

static void stop_at_interrupt(void *opaque, const struct cpu_event_info *info)
{
    (void)info;
    machine_request_break(opaque);
}

/* In front of the first instruction of the next interrupt's handler. */
static void run_to_interrupt(struct bench *bench)
{
    struct machine_probe *probe = calloc(1, sizeof *probe);
    assert_non_null(probe);
    probe->cpu.events = 1u << CPU_EVENT_INTERRUPT;
    probe->cpu.at_event = stop_at_interrupt;
    probe->cpu.opaque = bench->machine;
    machine_set_probe(bench->machine, probe);
    for (unsigned i = 0; i < 100 && machine_run(bench->machine, SLICE_NS) != MACHINE_BREAK; i++) {
    }
    machine_set_probe(bench->machine, NULL);
    free(probe);
}

/* The end of a step within the next instructions. */
static void run_a_step(struct bench *bench)
{
    machine_set_step_limit(bench->machine, machine_retired(bench->machine) + 1 + next_random(bench, 70000));
    for (unsigned i = 0; i < 1000 && machine_run(bench->machine, SLICE_NS) != MACHINE_BREAK; i++) {
    }
    machine_set_step_limit(bench->machine, 0);
}

/* Runs from power-on, with marks at places of all kinds. */
static void live(struct bench *bench)
{
    for (unsigned step = 0; step < 3 * MARKS; step++) {
        disturb(bench, step);
        (void)machine_run(bench->machine, SLICE_NS);
        switch (step % 9) {
        case 0: run_to_interrupt(bench); break;
        case 3: run_a_step(bench); break;
        default: break;
        }
        if (step % 3 == 0) {
            set_mark(bench);
        }
    }
}

static void every_place_is_found_again_as_it_was(void **state)
{
    struct bench *bench = *state;
    start_history(bench);
    live(bench);
    struct mark end = {machine_place(bench->machine), machine_checksum(bench->machine)};
    for (unsigned i = 0; i < 3 * MARKS; i++) {
        go_to_mark(bench, next_random(bench, bench->mark_count));
        assert_true(machine_is_in_past(bench->machine));
    }
    struct status status = machine_history_seek(bench->machine, &end.place);
    assert_string_equal(status.message, "");
    check_mark(bench, &end);
    assert_false(machine_is_in_past(bench->machine));
}

/* The same run without history. */
static void history_makes_no_difference_to_the_guest(void **state)
{
    struct bench *bench = *state;
    start_history(bench);
    live(bench);
    struct mark kept[MARKS];
    memcpy(kept, bench->marks, sizeof kept);
    machine_destroy(bench->machine);
    power_on(bench);
    /* Inputs have to wait for their times in both. */
    struct status status = machine_start_recording(bench->machine, "/dev/null");
    assert_string_equal(status.message, "");
    machine_cpu(bench->machine)->ignores_x87_pointers = true;
    live(bench);
    assert_memory_equal(kept, bench->marks, sizeof kept);
}

int main(int argc, char **argv)
{
    unsigned engine = ENGINE_INTERP, mmu = MMU_SOFTTLB;
    if ((argc > 2 && !engine_choice_find(ENGINE_AXIS_ENGINE, argv[2], &engine)) ||
        (argc > 3 && !engine_choice_find(ENGINE_AXIS_MMU, argv[3], &mmu))) {
        fprintf(stderr, "there is no such engine\n");
        return 1;
    }
    struct bench bench = {.disk = argc > 1 ? argv[1] : NULL,
                          .engine = {.kind = (enum engine_kind)engine, .mmu = mmu, .tb_size_mib = 1}};
#define BENCH_TEST(name) cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &bench)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(every_place_is_found_again_as_it_was),
        BENCH_TEST(history_makes_no_difference_to_the_guest),
    };
#undef BENCH_TEST
    return cmocka_run_group_tests_name("machine_history", tests, NULL, NULL);
}
