/* What the debugger makes of a probe's reports, on a machine that only remembers (fake_machine.h): the test
 * says what the CPU has done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "debugger/debugger.h"
#include "fake_machine.h"

#define CODE    0x7c00u
#define HANDLER 0x500u
#define STACK   0x1000u

struct rig {
    struct machine *machine;
    struct debugger *debugger;
};

/* In real mode, paused, in front of LEAVE and RET in a subroutine whose frame has 16 bytes. */
static int set_up(void **state)
{
    static struct rig rig;
    rig.machine = fake_machine_create();
    rig.debugger = debugger_create(rig.machine);
    rig.machine->paused = true;
    rig.machine->cpu.segment[CPU_CS].selector = 0;
    rig.machine->cpu.segment[CPU_CS].base = 0;
    rig.machine->cpu.rip = CODE;
    rig.machine->cpu.gpr[CPU_SP].d = STACK;
    memcpy(rig.machine->ram + CODE, "\xc9\xc3\x90", 3);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    debugger_destroy(rig->debugger);
    fake_machine_destroy(rig->machine);
    return 0;
}

/* An instruction was executed, and the CPU is at `eip` with the stack at `sp`. */
static void execute(struct rig *rig, uint32_t eip, uint32_t sp)
{
    rig->machine->cpu.retired++;
    rig->machine->cpu.rip = eip;
    rig->machine->cpu.gpr[CPU_SP].d = sp;
}

/* Whether the machine stops when it has come back with a break. */
static bool stops(struct rig *rig)
{
    struct debugger_stop stop;
    return debugger_take_stop(rig->debugger, MACHINE_BREAK, &stop);
}

static bool is_asked_about(const struct rig *rig, uint32_t linear)
{
    return (rig->machine->probe.cpu.offsets[linear % CPU_PROBE_PAGE / 64] >> linear % 64 & 1) != 0;
}

/* A timer's interrupt in front of the instruction at CS:EIP, and one instruction of its handler. */
static void interrupt(struct rig *rig)
{
    const struct cpu_event_info info = {.event = CPU_EVENT_INTERRUPT, .number = 8};
    struct machine *machine = rig->machine;
    assert_true(machine->has_probe && (machine->probe.cpu.events >> CPU_EVENT_INTERRUPT & 1) != 0);
    machine->probe.cpu.at_event(machine->probe.cpu.opaque, &info);
    execute(rig, HANDLER, machine->cpu.gpr[CPU_SP].d - 6);
}

/* The probe asks in front of the instruction at CS:EIP. */
static bool asks(struct rig *rig)
{
    return rig->machine->probe.cpu.at_code(rig->machine->probe.cpu.opaque);
}

static void finish_ends_behind_the_return(void **state)
{
    struct rig *rig = *state;
    debugger_finish(rig->debugger);
    execute(rig, CODE + 1, STACK + 16);
    assert_false(stops(rig));
    execute(rig, 0x9000, STACK + 18);
    assert_true(stops(rig));
    assert_true(rig->machine->paused);
}

static void an_interrupt_in_front_of_the_return_does_not_end_finish(void **state)
{
    struct rig *rig = *state;
    debugger_finish(rig->debugger);
    execute(rig, CODE + 1, STACK + 16);
    assert_false(stops(rig));
    interrupt(rig);
    assert_false(stops(rig)); /* on to where the handler comes back to */
    assert_true(is_asked_about(rig, CODE + 1));
    assert_int_equal(rig->machine->step_limit, 0);
    execute(rig, CODE + 1, STACK + 10); /* by somebody deeper on the stack */
    assert_false(asks(rig));
    execute(rig, CODE + 1, STACK + 16);
    assert_true(asks(rig));
    assert_false(stops(rig));
    execute(rig, 0x9000, STACK + 18);
    assert_true(stops(rig));
}

static void an_interrupt_behind_the_return_is_gone_over(void **state)
{
    struct rig *rig = *state;
    debugger_finish(rig->debugger);
    execute(rig, CODE + 1, STACK + 16);
    assert_false(stops(rig));
    execute(rig, 0x9000, STACK + 18);
    interrupt(rig); /* before the machine was looked at */
    assert_false(stops(rig));
    execute(rig, 0x9000, STACK + 18);
    assert_true(asks(rig));
    assert_true(stops(rig));
}

static void a_watch_at_0_is_met_from_the_end_of_memory(void **state)
{
    struct rig *rig = *state;
    const struct breakpoint_spec spec = {.kind = BREAKPOINT_DATA, .last = 1, .access = ACCESS_WRITE};
    unsigned number;
    struct status status = debugger_add(rig->debugger, &spec, NULL, &number);
    assert_true(status_is_ok(&status));
    debugger_continue(rig->debugger);
    struct machine_probe *probe = &rig->machine->probe;
    probe->cpu.at_data(probe->cpu.opaque, 0xfffffffc, 4, true);
    assert_false(rig->machine->break_requested);
    probe->cpu.at_data(probe->cpu.opaque, 0xfffffffd, 4, true);
    assert_true(rig->machine->break_requested);
    assert_true(stops(rig));
}

static void the_parts_of_a_store_are_one(void **state)
{
    struct rig *rig = *state;
    const struct breakpoint_spec spec = {
        .kind = BREAKPOINT_MEMORY, .first = 0x600, .last = 0x6ff, .access = ACCESS_WRITE};
    struct debugger_stop stop;
    unsigned number;
    struct status status = debugger_add(rig->debugger, &spec, NULL, &number);
    assert_true(status_is_ok(&status));
    debugger_continue(rig->debugger);
    struct machine_probe *probe = &rig->machine->probe;
    assert_int_equal(probe->store_count, 1);
    probe->at_store(probe->opaque, 0x700, 8);
    assert_false(rig->machine->break_requested);
    probe->at_store(probe->opaque, 0x608, 8);
    probe->at_store(probe->opaque, 0x610, 2);
    rig->machine->ram[0x600] = 7;
    assert_true(debugger_take_stop(rig->debugger, MACHINE_BREAK, &stop));
    assert_int_equal(stop.kind, BREAKPOINT_MEMORY);
    assert_int_equal(stop.address, 0x608);
    assert_int_equal(stop.width, 10);
    assert_int_equal(stop.before, 0);
    assert_int_equal(stop.after, 7);
}

static void reads_and_writes_of_physical_memory_are_told_apart(void **state)
{
    struct rig *rig = *state;
    const struct breakpoint_spec spec = {
        .kind = BREAKPOINT_MEMORY, .first = 0x600, .last = 0x603, .access = ACCESS_READ};
    struct breakpoint_spec both = spec;
    struct debugger_stop stop;
    unsigned number, second;
    both.access = ACCESS_READ | ACCESS_WRITE;
    struct status status = debugger_add(rig->debugger, &spec, NULL, &number);
    assert_true(status_is_ok(&status));
    status = debugger_add(rig->debugger, &both, NULL, &second);
    assert_true(status_is_ok(&status));
    debugger_continue(rig->debugger);
    struct machine_probe *probe = &rig->machine->probe;
    assert_int_equal(probe->cpu.load_count, 2);
    assert_int_equal(probe->store_count, 1);
    probe->cpu.at_load(probe->cpu.opaque, 0x604, 4);
    assert_false(rig->machine->break_requested);
    probe->cpu.at_load(probe->cpu.opaque, 0x5fe, 4);
    assert_true(debugger_take_stop(rig->debugger, MACHINE_BREAK, &stop));
    assert_int_equal(stop.breakpoint, number);
    assert_false(stop.write);
    assert_int_equal(stop.address, 0x5fe);
    debugger_continue(rig->debugger);
    probe->at_store(probe->opaque, 0x600, 1);
    assert_true(debugger_take_stop(rig->debugger, MACHINE_BREAK, &stop));
    assert_int_equal(stop.breakpoint, second);
    assert_true(stop.write);
}

static void stores_to_executed_code_are_met_on_either_page(void **state)
{
    struct rig *rig = *state;
    const struct breakpoint_spec spec = {.kind = BREAKPOINT_CHANGED_CODE};
    struct cpu_probe *probe = &rig->machine->probe.cpu;
    struct debugger_stop stop;
    unsigned number;
    struct status status = debugger_add(rig->debugger, &spec, NULL, &number);
    assert_true(status_is_ok(&status));
    memcpy(rig->machine->ram + 0x2ffe, "\xb8\x34\x12",
           3); /* mov ax, 1234h: the last byte is on the next page */
    rig->machine->cpu.rip = 0x2ffe;
    debugger_continue(rig->debugger);
    assert_true(is_asked_about(rig, 0x2ffe));
    rig->machine->cpu.retired++;
    probe->at_data(probe->opaque, 0x3000, 1, true);
    assert_false(rig->machine->break_requested); /* it was not executed yet */
    assert_false(asks(rig));
    probe->at_data(probe->opaque, 0x3001, 4, true);
    probe->at_data(probe->opaque, 0x3000, 1, false);
    assert_false(rig->machine->break_requested);
    probe->at_data(probe->opaque, 0x3000, 1, true);
    assert_true(debugger_take_stop(rig->debugger, MACHINE_BREAK, &stop));
    assert_int_equal(stop.kind, BREAKPOINT_CHANGED_CODE);
    assert_int_equal(stop.address, 0x3000);
    debugger_continue(rig->debugger);
    probe->at_data(probe->opaque, 0x3000, 1, true); /* what is there now was not executed */
    assert_false(rig->machine->break_requested);
    probe->at_data(probe->opaque, 0x2ffc, 4, true);
    assert_true(rig->machine->break_requested);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(finish_ends_behind_the_return),
        WITH_RIG(an_interrupt_in_front_of_the_return_does_not_end_finish),
        WITH_RIG(an_interrupt_behind_the_return_is_gone_over),
        WITH_RIG(a_watch_at_0_is_met_from_the_end_of_memory),
        WITH_RIG(the_parts_of_a_store_are_one),
        WITH_RIG(reads_and_writes_of_physical_memory_are_told_apart),
        WITH_RIG(stores_to_executed_code_are_met_on_either_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
