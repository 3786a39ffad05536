/* A recorded run is repeated exactly, whatever came into it and when, in whatever slices and on whatever
 * engine; and a machine or run that differs is noticed.
 *
 * The guest is the firmware with the demo disk (argv[1]); argv[2] names the engine of the replays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/machine_probe.h"
#include "machine/machine_replay.h"

#define INSTRUCTIONS 14000000u
#define SLICE_NS     700001u

struct bench {
    const char *disk;
    struct engine_config engine;
    char path[64];
    struct char_device *serial;
};

static struct machine *create(struct bench *bench, const struct engine_config *engine, uint64_t ram_size)
{
    struct machine_config config = {.ram_size = ram_size,
                                    .engine = *engine,
                                    .floppy[0] = {.path = bench->disk},
                                    .ide[2] = {.cdrom = true},
                                    .snapshot = true,
                                    .counted = true,
                                    .ns_per_instruction = 8,
                                    .serial[0] = bench->serial,
                                    .rtc_epoch = 946684800};
    struct machine *machine = NULL;
    struct status status = machine_create(&config, &machine);
    assert_string_equal(status.message, "");
    return machine;
}

static const struct engine_config reference = {.kind = ENGINE_INTERP};

static int set_up(void **state)
{
    struct bench *bench = *state;
    strcpy(bench->path, "/tmp/doppel-replay-XXXXXX");
    int descriptor = mkstemp(bench->path);
    assert_true(descriptor >= 0);
    close(descriptor);
    bench->serial = char_device_create_memory();
    assert_non_null(bench->serial);
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    unlink(bench->path);
    char_device_close(bench->serial);
    return 0;
}

/* Something of everything, now and then. */
static void disturb(struct bench *bench, struct machine *machine, unsigned step)
{
    static const enum key keys[] = {KEY_H, KEY_E, KEY_L, KEY_P, KEY_ENTER};
    const struct input_sink *input = machine_input(machine);
    struct status status = status_ok();
    if (step % 3 == 0) {
        input->key(input->opaque, keys[step / 6 % ARRAY_COUNT(keys)], step % 6 == 0);
    }
    if (step % 7 == 0) {
        input->mouse(input->opaque, (int)step - 40, 3, 0, 1 + (step & 1));
        assert_true(char_device_memory_inject(bench->serial, (const uint8_t *)"serial input", 12));
    }
    char_device_poll(bench->serial);
    switch (step) {
    case 30: machine_press_power_button(machine); break;
    case 40: machine_eject_floppy(machine, 0); break;
    case 42: status = machine_change_floppy(machine, 0, bench->disk, true); break;
    case 44: status = machine_change_cdrom(machine, 2, bench->disk, false); break;
    case 46: status = machine_eject_cdrom(machine, 2, true); break;
    case 70: machine_reset(machine); break;
    default: break;
    }
    assert_string_equal(status.message, "");
}

static bool never_stops(void *opaque)
{
    struct machine *machine = opaque;
    machine_request_break(machine);
    return false;
}

/* Makes the recording; stops of a debugger lie between inputs as well. */
static void record(struct bench *bench, const struct engine_config *engine)
{
    struct machine *machine = create(bench, engine, 4 * MIB);
    struct status status = machine_start_recording(machine, bench->path);
    assert_string_equal(status.message, "");
    struct machine_probe *probe = calloc(1, sizeof *probe);
    assert_non_null(probe);
    probe->cpu.at_code = never_stops;
    probe->cpu.opaque = machine;
    probe->cpu.offsets[0x123 / 64] |= (uint64_t)1 << 0x123 % 64;
    for (unsigned step = 0; machine_retired(machine) < INSTRUCTIONS; step++) {
        disturb(bench, machine, step);
        machine_set_probe(machine, step % 5 == 0 ? probe : NULL);
        machine_set_step_limit(machine, step % 4 == 0 ? machine_retired(machine) + 1 : 0);
        (void)machine_run(machine, SLICE_NS);
    }
    machine_pause(machine);
    status = machine_finish_recording(machine);
    assert_string_equal(status.message, "");
    machine_destroy(machine);
    free(probe);
}

static struct machine *start(struct bench *bench, const struct engine_config *engine)
{
    struct input_log *log;
    struct status status = input_log_open(bench->path, &log);
    assert_string_equal(status.message, "");
    struct machine *machine = create(bench, engine, 4 * MIB);
    status = machine_start_replay(machine, log);
    assert_string_equal(status.message, "");
    return machine;
}

static struct machine_checksums replay(struct bench *bench, const struct engine_config *engine,
                                       uint64_t slice)
{
    struct machine *machine = start(bench, engine);
    while (machine_replay_state(machine) == MACHINE_REPLAY_RUNNING) {
        (void)machine_run(machine, slice);
    }
    struct status failure = machine_replay_failure(machine);
    assert_string_equal(failure.message, "");
    assert_int_equal(machine_replay_state(machine), MACHINE_REPLAY_ENDED);
    assert_true(machine_retired(machine) > 0);
    struct machine_checksums sums = machine_checksum(machine);
    machine_destroy(machine);
    return sums;
}

static void a_replay_repeats_everything_in_any_slices(void **state)
{
    struct bench *bench = *state;
    static const uint64_t slices[] = {5000000, 12345, 800000000};
    record(bench, &reference);
    struct machine_checksums first = {0};
    for (unsigned i = 0; i < ARRAY_COUNT(slices); i++) {
        struct machine_checksums sums = replay(bench, &bench->engine, slices[i]);
        first = i == 0 ? sums : first;
        assert_int_equal(sums.ram, first.ram);
        assert_int_equal(sums.rest, first.rest);
    }
}

static void what_one_engine_recorded_the_interpreter_replays(void **state)
{
    struct bench *bench = *state;
    record(bench, &bench->engine);
    replay(bench, &reference, 5000000);
}

static void input_from_outside_does_not_count_in_a_replay(void **state)
{
    struct bench *bench = *state;
    record(bench, &reference);
    struct machine *machine = start(bench, &bench->engine);
    const struct input_sink *input = machine_input(machine);
    for (unsigned step = 0; machine_replay_state(machine) == MACHINE_REPLAY_RUNNING; step++) {
        input->key(input->opaque, KEY_Z, step % 2 == 0);
        input->mouse(input->opaque, 5, 5, 0, 1);
        machine_eject_floppy(machine, 0);
        struct status status = machine_change_floppy(machine, 0, bench->disk, true);
        assert_int_equal(status.code, STATUS_CONFLICT);
        machine_press_power_button(machine);
        machine_reset(machine);
        assert_true(char_device_memory_inject(bench->serial, (const uint8_t *)"no", 2));
        char_device_poll(bench->serial);
        (void)machine_run(machine, SLICE_NS);
    }
    assert_int_equal(machine_replay_state(machine), MACHINE_REPLAY_ENDED);
    machine_destroy(machine);
}

static void a_run_that_goes_another_way_is_an_error(void **state)
{
    struct bench *bench = *state;
    record(bench, &reference);
    struct machine *machine = start(bench, &bench->engine);
    memory_bus_ram(machine_memory(machine))[3 * MIB] ^= 1;
    while (machine_replay_state(machine) == MACHINE_REPLAY_RUNNING) {
        (void)machine_run(machine, SLICE_NS);
    }
    struct status failure = machine_replay_failure(machine);
    assert_int_equal(machine_replay_state(machine), MACHINE_REPLAY_FAILED);
    assert_non_null(strstr(failure.message, "differs from the recording"));
    machine_destroy(machine);
}

static void the_machine_goes_on_by_itself_after_the_end(void **state)
{
    struct bench *bench = *state;
    record(bench, &reference);
    struct machine *machine = start(bench, &bench->engine);
    while (machine_replay_state(machine) == MACHINE_REPLAY_RUNNING) {
        (void)machine_run(machine, SLICE_NS);
    }
    uint64_t now = machine_now(machine);
    (void)machine_run(machine, 10 * SLICE_NS);
    assert_true(machine_now(machine) >= now + 10 * SLICE_NS);
    struct status status = machine_change_floppy(machine, 0, bench->disk, true);
    assert_string_equal(status.message, "");
    machine_destroy(machine);
}

static void another_machine_is_refused_with_what_differs(void **state)
{
    struct bench *bench = *state;
    record(bench, &reference);
    struct input_log *log;
    struct status status = input_log_open(bench->path, &log);
    assert_string_equal(status.message, "");
    struct machine *machine = create(bench, &bench->engine, 8 * MIB);
    status = machine_start_replay(machine, log);
    assert_int_equal(status.code, STATUS_CONFLICT);
    assert_non_null(strstr(status.message, "memory: 4096 KiB"));
    assert_non_null(strstr(status.message, "memory: 8192 KiB"));
    machine_destroy(machine);
}

static void media_that_cannot_be_used_are_refused_at_once(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = create(bench, &reference, 4 * MIB);
    struct status status = machine_start_recording(machine, bench->path);
    assert_string_equal(status.message, "");
    status = machine_change_floppy(machine, 0, "/nowhere/at/all", true);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    status = machine_change_cdrom(machine, 2, "/nowhere/at/all", true);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    status = machine_finish_recording(machine);
    assert_string_equal(status.message, "");
    machine_destroy(machine);
    replay(bench, &bench->engine, SLICE_NS);
}

int main(int argc, char **argv)
{
    unsigned engine = ENGINE_INTERP;
    if (argc > 2 && !engine_choice_find(ENGINE_AXIS_ENGINE, argv[2], &engine)) {
        fprintf(stderr, "there is no engine %s\n", argv[2]);
        return 1;
    }
    struct bench bench = {.disk = argc > 1 ? argv[1] : NULL,
                          .engine = {.kind = (enum engine_kind)engine, .tb_size_mib = 1}};
#define BENCH_TEST(name) cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &bench)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_replay_repeats_everything_in_any_slices),
        BENCH_TEST(what_one_engine_recorded_the_interpreter_replays),
        BENCH_TEST(input_from_outside_does_not_count_in_a_replay),
        BENCH_TEST(a_run_that_goes_another_way_is_an_error),
        BENCH_TEST(the_machine_goes_on_by_itself_after_the_end),
        BENCH_TEST(another_machine_is_refused_with_what_differs),
        BENCH_TEST(media_that_cannot_be_used_are_refused_at_once),
    };
#undef BENCH_TEST
    return cmocka_run_group_tests_name("machine_replay", tests, NULL, NULL);
}
