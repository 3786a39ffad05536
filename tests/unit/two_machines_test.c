/* Nothing in doppel is global: machines in one process, interleaved or on threads of their own, do what each
 * does alone.
 *
 * The guest is the firmware with the demo disk (argv[1]), in counted mode, so that "the same" means every
 * byte of RAM and every register. argv[2] names the engine. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/machine.h"

#define INSTRUCTIONS 20000000u
#define SLICE_NS     1000000u /* 125,000 instructions of 8 ns */

struct guest {
    const char *disk;
    struct engine_config engine;
};

static struct machine *create_in_time(const struct guest *guest, uint64_t ram_size, bool counted)
{
    struct machine_config config = {.ram_size = ram_size,
                                    .engine = guest->engine,
                                    .floppy[0] = {.path = guest->disk, .read_only = true},
                                    .counted = counted,
                                    .ns_per_instruction = 8,
                                    .rtc_epoch = 946684800};
    struct machine *machine = NULL;
    struct status status = machine_create(&config, &machine);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
    machine_set_instruction_limit(machine, INSTRUCTIONS);
    return machine;
}

static struct machine *create(const struct guest *guest, uint64_t ram_size)
{
    return create_in_time(guest, ram_size, true);
}

/* Runs a slice. False once the machine is at its instruction limit. */
static bool step(struct machine *machine)
{
    return machine_run(machine, SLICE_NS) != MACHINE_BREAK;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ at[i]) * 0x100000001B3u; /* FNV-1a */
    }
    return hash;
}

/* RAM, registers and time in one number. */
static uint64_t fingerprint(struct machine *machine)
{
    const struct memory_bus *memory = machine_memory(machine);
    const struct cpu_state *cpu = machine_cpu(machine);
    uint64_t now = machine_now(machine);
    uint64_t hash = 0xCBF29CE484222325u;
    hash = hash_bytes(hash, memory_bus_ram(memory), (size_t)memory_bus_ram_size(memory));
    for (unsigned i = 0; i < 8; i++) {
        hash = hash_bytes(hash, &cpu->gpr[i].q, sizeof cpu->gpr[i].q);
    }
    hash = hash_bytes(hash, &cpu->rip, sizeof cpu->rip);
    hash = hash_bytes(hash, &cpu->retired, sizeof cpu->retired);
    return hash_bytes(hash, &now, sizeof now);
}

static uint64_t run_alone(const struct guest *guest, uint64_t ram_size)
{
    struct machine *machine = create(guest, ram_size);
    while (step(machine)) {
    }
    assert_int_equal(machine_cpu(machine)->retired, INSTRUCTIONS);
    uint64_t hash = fingerprint(machine);
    machine_destroy(machine);
    return hash;
}

static void interleaved_machines_do_what_each_does_alone(void **state)
{
    const struct guest *guest = *state;
    uint64_t alone_small = run_alone(guest, 2 * MIB);
    uint64_t alone_large = run_alone(guest, 16 * MIB);
    assert_true(alone_small != alone_large);

    struct machine *small = create(guest, 2 * MIB);
    struct machine *large = create(guest, 16 * MIB);
    bool small_runs = true, large_runs = true;
    while (small_runs || large_runs) {
        small_runs = small_runs && step(small);
        large_runs = large_runs && step(large);
    }
    assert_int_equal(fingerprint(small), alone_small);
    assert_int_equal(fingerprint(large), alone_large);
    machine_destroy(small);
    machine_destroy(large);
}

static void *run_on_thread(void *opaque)
{
    while (step(opaque)) {
    }
    return NULL;
}

static void machines_on_two_threads_do_what_each_does_alone(void **state)
{
    const struct guest *guest = *state;
    uint64_t alone = run_alone(guest, 4 * MIB);
    struct machine *machines[2];
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        machines[i] = create(guest, 4 * MIB);
        assert_int_equal(pthread_create(&threads[i], NULL, run_on_thread, machines[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(fingerprint(machines[i]), alone);
        machine_destroy(machines[i]);
    }
}

/* The host clock is not in a counted machine: slices of another length change nothing. */
static void slice_length_does_not_change_a_counted_run(void **state)
{
    uint64_t expected = run_alone(*state, 2 * MIB);
    struct machine *machine = create(*state, 2 * MIB);
    for (uint64_t slice = 1; machine_run(machine, slice % 3000000 + 1) != MACHINE_BREAK;
         slice = slice * 7 + 1) {
    }
    assert_int_equal(fingerprint(machine), expected);
    machine_destroy(machine);
}

/* Nor are its random numbers, which the machines of real time have. */
static void random_numbers_are_the_same_in_counted_time_alone(void **state)
{
    for (unsigned counted = 0; counted < 2; counted++) {
        struct machine *one = create_in_time(*state, 2 * MIB, counted);
        struct machine *other = create_in_time(*state, 2 * MIB, counted);
        unsigned same = 0;
        for (unsigned i = 0; i < 8; i++) {
            same += cpu_draw_random(machine_cpu(one)) == cpu_draw_random(machine_cpu(other));
        }
        assert_int_equal(same, counted ? 8 : 0);
        machine_destroy(one);
        machine_destroy(other);
    }
}

int main(int argc, char **argv)
{
    unsigned engine = ENGINE_INTERP;
    if (argc > 2 && !engine_choice_find(ENGINE_AXIS_ENGINE, argv[2], &engine)) {
        fprintf(stderr, "there is no engine %s\n", argv[2]);
        return 1;
    }
    struct guest guest = {.disk = argc > 1 ? argv[1] : NULL,
                          .engine = {.kind = (enum engine_kind)engine, .tb_size_mib = 1}};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(interleaved_machines_do_what_each_does_alone, &guest),
        cmocka_unit_test_prestate(machines_on_two_threads_do_what_each_does_alone, &guest),
        cmocka_unit_test_prestate(slice_length_does_not_change_a_counted_run, &guest),
        cmocka_unit_test_prestate(random_numbers_are_the_same_in_counted_time_alone, &guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
