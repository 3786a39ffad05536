/* The lockstep checker: two sound machines never differ, and a fault of an engine is found at its
 * instruction.
 *
 * The guest is the firmware with the demo disk (argv[1]). Faulty engines are the interpreter in a wrapper
 * that spoils something once (broken_engine.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broken_engine.h"
#include "machine/engine_factory.h"
#include "machine/lockstep.h"

#define FAULT_AT     3000000u
#define INSTRUCTIONS 6000000u
#define SLICE_NS     5000000u

typedef struct status engine_maker(const struct engine_config *config, struct cpu_state *cpu, struct mmu *mmu,
                                   struct cpu_engine **engine);

static struct status make_broken(enum breakage breakage, struct cpu_state *cpu, struct mmu *mmu,
                                 struct cpu_engine **engine)
{
    const struct engine_config interpreter = {.kind = ENGINE_INTERP};
    const struct broken_engine_config fault = {.breakage = breakage, .reg = CPU_SP, .retired = FAULT_AT};
    struct status status = machine_engine_create(&interpreter, cpu, mmu, engine);
    if (status_is_ok(&status)) {
        *engine = broken_engine_create(*engine, cpu, mmu, &fault);
    }
    return status;
}

static struct status make_register_fault(const struct engine_config *config, struct cpu_state *cpu,
                                         struct mmu *mmu, struct cpu_engine **engine)
{
    (void)config;
    return make_broken(BREAK_REGISTER, cpu, mmu, engine);
}

static struct status make_store_fault(const struct engine_config *config, struct cpu_state *cpu,
                                      struct mmu *mmu, struct cpu_engine **engine)
{
    (void)config;
    return make_broken(BREAK_STORE, cpu, mmu, engine);
}

static struct status make_budget_fault(const struct engine_config *config, struct cpu_state *cpu,
                                       struct mmu *mmu, struct cpu_engine **engine)
{
    (void)config;
    return make_broken(BREAK_BUDGET, cpu, mmu, engine);
}

/* Runs the demo disk on the interpreter and on what `make` makes. */
static struct lockstep *run(const char *disk, engine_maker *make, const struct lockstep_focus *focus,
                            enum lockstep_stop *stop)
{
    const struct machine_config machine = {.ram_size = 2 << 20,
                                           .floppy[0] = {.path = disk, .read_only = true},
                                           .counted = true,
                                           .ns_per_instruction = 8,
                                           .rtc_epoch = 946684800};
    struct lockstep_config config = {.reference = machine,
                                     .tested = machine,
                                     .seed = 1,
                                     .longest_step = 3000,
                                     .memory_period = 500000,
                                     .instructions = INSTRUCTIONS,
                                     .focus = *focus};
    config.tested.create_engine = make;
    struct lockstep *lockstep;
    struct status status = lockstep_create(&config, &lockstep);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
    do {
        *stop = lockstep_run(lockstep, SLICE_NS);
    } while (*stop == LOCKSTEP_SLICE);
    return lockstep;
}

static const struct lockstep_focus everything = {.from = UINT64_MAX, .step = UINT64_MAX};

static void sound_engines_never_differ(void **state)
{
    enum lockstep_stop stop;
    struct lockstep *lockstep = run(*state, NULL, &everything, &stop);
    assert_int_equal(stop, LOCKSTEP_LIMIT);
    assert_int_equal(machine_retired(lockstep_machine(lockstep, LOCKSTEP_TESTED)), INSTRUCTIONS);
    lockstep_destroy(lockstep);
}

/* What a first run found, as a second one is to look at it. */
static struct lockstep_focus focus_on(const struct lockstep_finding *found)
{
    struct lockstep_focus focus = {
        .from = found->last_good, .page_count = found->page_count, .step = UINT64_MAX};
    for (unsigned i = 0; i < found->page_count; i++) {
        focus.pages[i] = found->pages[i];
    }
    return focus;
}

/* Three runs as -check lockstep makes them: the last one stops behind the instruction at fault. */
static uint64_t find_instruction(const char *disk, engine_maker *make)
{
    enum lockstep_stop stop;
    struct lockstep *lockstep = run(disk, make, &everything, &stop);
    assert_int_equal(stop, LOCKSTEP_DIFFERENT);
    struct lockstep_focus focus = focus_on(lockstep_found(lockstep));
    lockstep_destroy(lockstep);

    lockstep = run(disk, make, &focus, &stop);
    assert_int_equal(stop, LOCKSTEP_DIFFERENT);
    focus.step = lockstep_found(lockstep)->step;
    focus.single = true;
    lockstep_destroy(lockstep);

    lockstep = run(disk, make, &focus, &stop);
    assert_int_equal(stop, LOCKSTEP_DIFFERENT);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    lockstep_describe_difference(lockstep, out);
    fclose(out);
    assert_non_null(strstr(text, "\n* ")); /* what differs is marked */
    assert_non_null(strstr(text, "\n> ")); /* and so are the instructions of the step */
    free(text);
    uint64_t retired = machine_retired(lockstep_machine(lockstep, LOCKSTEP_REFERENCE));
    lockstep_destroy(lockstep);
    return retired;
}

static void wrong_register_is_found_at_its_instruction(void **state)
{
    assert_int_equal(find_instruction(*state, make_register_fault), FAULT_AT);
}

static void wrong_store_is_found_at_its_instruction(void **state)
{
    assert_int_equal(find_instruction(*state, make_store_fault), FAULT_AT);
}

static void overrun_budget_is_found(void **state)
{
    enum lockstep_stop stop;
    struct lockstep *lockstep = run(*state, make_budget_fault, &everything, &stop);
    assert_int_equal(stop, LOCKSTEP_DIFFERENT);
    uint64_t retired = machine_retired(lockstep_machine(lockstep, LOCKSTEP_REFERENCE));
    assert_in_range(retired, FAULT_AT, FAULT_AT + 3000);
    lockstep_destroy(lockstep);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DISK\n", argv[0]);
        return 2;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(sound_engines_never_differ, argv[1]),
        cmocka_unit_test_prestate(wrong_register_is_found_at_its_instruction, argv[1]),
        cmocka_unit_test_prestate(wrong_store_is_found_at_its_instruction, argv[1]),
        cmocka_unit_test_prestate(overrun_budget_is_found, argv[1]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
