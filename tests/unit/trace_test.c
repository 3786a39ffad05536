/* The trace's ring: what is entered, once each, and what the newest entries are; on a machine that only
 * remembers (fake_machine.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "debugger/trace.h"
#include "fake_machine.h"

#define CODE    0x7c00u
#define HANDLER 0x500u

static int set_up(void **state)
{
    struct machine *machine = fake_machine_create();
    machine->cpu.segment[CPU_CS].selector = 0;
    machine->cpu.segment[CPU_CS].base = 0;
    memcpy(machine->ram + CODE, "\x90\xf3\xa4\xeb\xfb\x90", 6); /* nop, rep movsb, jmp 7c00h, nop */
    *state = machine;
    return 0;
}

static int tear_down(void **state)
{
    fake_machine_destroy(*state);
    return 0;
}

static struct trace *begin(struct machine *machine, unsigned kinds, size_t capacity)
{
    struct trace *trace = trace_create(machine, kinds, capacity);
    assert_non_null(trace);
    return trace;
}

/* The probe asks about the instruction at `eip`, so many having been executed. */
static void ask(struct machine *machine, struct trace *trace, uint32_t eip, uint64_t retired)
{
    machine->cpu.rip = eip;
    machine->cpu.retired = retired;
    trace_note_code(trace);
}

static void tell(struct machine *machine, struct trace *trace, uint32_t eip, uint64_t retired)
{
    const struct cpu_event_info info = {.event = CPU_EVENT_INTERRUPT, .number = 8};
    machine->cpu.rip = eip;
    machine->cpu.retired = retired;
    trace_note_event(trace, &info);
}

static void expect(const struct trace *trace, size_t index, enum trace_kind kind, uint64_t retired,
                   uint32_t linear)
{
    const struct trace_entry *entry = trace_entry(trace, index);
    assert_int_equal(entry->kind, kind);
    assert_int_equal(entry->retired, retired);
    assert_int_equal(entry->linear, linear);
}

static void each_instruction_is_entered_once(void **state)
{
    struct machine *machine = *state;
    struct trace *trace = begin(machine, TRACE_INSTRUCTIONS, 8);
    ask(machine, trace, CODE, 0);
    ask(machine, trace, CODE, 0); /* the machine stopped in front of it */
    ask(machine, trace, CODE + 1, 1);
    ask(machine, trace, CODE + 1, 5); /* some bytes later */
    ask(machine, trace, CODE + 3, 9);
    ask(machine, trace, CODE, 10);
    assert_int_equal(trace_count(trace), 4);
    expect(trace, 0, TRACE_INSTRUCTIONS, 0, CODE);
    expect(trace, 1, TRACE_INSTRUCTIONS, 1, CODE + 1);
    expect(trace, 2, TRACE_INSTRUCTIONS, 9, CODE + 3);
    expect(trace, 3, TRACE_INSTRUCTIONS, 10, CODE);
    assert_int_equal(trace_entry(trace, 1)->length, 2);
    assert_memory_equal(trace_entry(trace, 1)->bytes, "\xf3\xa4", 2);
    trace_destroy(trace);
}

static void only_branches_that_were_taken_are_entered(void **state)
{
    struct machine *machine = *state;
    struct trace *trace = begin(machine, TRACE_BRANCHES, 8);
    ask(machine, trace, CODE, 0);
    ask(machine, trace, CODE + 1, 1);
    ask(machine, trace, CODE + 3, 2);
    assert_int_equal(trace_count(trace), 0);
    ask(machine, trace, CODE, 3);
    assert_int_equal(trace_count(trace), 1);
    expect(trace, 0, TRACE_BRANCHES, 2, CODE + 3);
    assert_int_equal(trace_entry(trace, 0)->target, CODE);
    trace_destroy(trace);
}

static void an_interrupt_is_no_branch_and_says_where_it_led(void **state)
{
    struct machine *machine = *state;
    struct trace *trace = begin(machine, TRACE_BRANCHES | TRACE_INTERRUPTS, 8);
    ask(machine, trace, CODE, 0);
    tell(machine, trace, CODE + 1, 1);
    ask(machine, trace, HANDLER, 1);
    assert_int_equal(trace_count(trace), 1);
    expect(trace, 0, TRACE_INTERRUPTS, 1, CODE + 1);
    assert_true(trace_entry(trace, 0)->has_target);
    assert_int_equal(trace_entry(trace, 0)->target, HANDLER);
    trace_destroy(trace);
}

static void a_branch_into_an_interrupt_is_entered(void **state)
{
    struct machine *machine = *state;
    struct trace *trace = begin(machine, TRACE_BRANCHES | TRACE_INTERRUPTS, 8);
    ask(machine, trace, CODE + 3, 0);
    tell(machine, trace, CODE, 1);
    assert_int_equal(trace_count(trace), 2);
    expect(trace, 0, TRACE_BRANCHES, 0, CODE + 3);
    assert_int_equal(trace_entry(trace, 0)->target, CODE);
    expect(trace, 1, TRACE_INTERRUPTS, 1, CODE);
    trace_destroy(trace);
}

static void what_an_interrupt_held_off_was_not_executed(void **state)
{
    struct machine *machine = *state;
    struct trace *trace = begin(machine, TRACE_INSTRUCTIONS, 8);
    ask(machine, trace, CODE, 0);
    ask(machine, trace, CODE + 1, 1); /* a breakpoint stops here */
    tell(machine, trace, CODE + 1, 1);
    ask(machine, trace, HANDLER, 1);
    ask(machine, trace, CODE + 1, 2);
    assert_int_equal(trace_count(trace), 3);
    expect(trace, 1, TRACE_INSTRUCTIONS, 1, HANDLER);
    expect(trace, 2, TRACE_INSTRUCTIONS, 2, CODE + 1);
    trace_destroy(trace);
}

static void the_oldest_go_and_the_future_can_be_forgotten(void **state)
{
    struct machine *machine = *state;
    struct trace *trace = begin(machine, TRACE_INSTRUCTIONS | TRACE_IO, 3);
    ask(machine, trace, CODE, 0);
    trace_note_port(trace, 0x20, 1, true, 0x66);
    ask(machine, trace, CODE + 1, 1);
    ask(machine, trace, CODE + 3, 2);
    assert_int_equal(trace_count(trace), 3);
    expect(trace, 0, TRACE_IO, 0, CODE);
    assert_int_equal(trace_entry(trace, 0)->value, 0x66);
    expect(trace, 2, TRACE_INSTRUCTIONS, 2, CODE + 3);
    trace_forget_behind(trace, 1);
    assert_int_equal(trace_count(trace), 1);
    ask(machine, trace, CODE + 1, 1);
    expect(trace, 1, TRACE_INSTRUCTIONS, 1, CODE + 1);
    trace_end(trace);
    ask(machine, trace, CODE + 3, 2);
    trace_note_port(trace, 0x20, 1, true, 0x66);
    assert_int_equal(trace_count(trace), 2);
    assert_int_equal(trace_kinds(trace), 0);
    trace_destroy(trace);
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_MACHINE(each_instruction_is_entered_once),
        WITH_MACHINE(only_branches_that_were_taken_are_entered),
        WITH_MACHINE(an_interrupt_is_no_branch_and_says_where_it_led),
        WITH_MACHINE(a_branch_into_an_interrupt_is_entered),
        WITH_MACHINE(what_an_interrupt_held_off_was_not_executed),
        WITH_MACHINE(the_oldest_go_and_the_future_can_be_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
