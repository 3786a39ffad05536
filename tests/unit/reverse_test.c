/* Going back, on a machine that only remembers (fake_machine.h): which place is the last of its kind,
 * whatever checkpoints there are, and what is left as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bits.h"
#include "debugger/debugger.h"
#include "fake_machine.h"

#define STORED 0x500u

/* What is executed, by the count of instructions. */
enum { CALL, INNER, CALL_AGAIN, INNERMOST, REPEAT, REPEAT_2, REPEAT_3, STORE, RETURN, BEHIND, LAST };

static const struct fake_moment moments[] = {
    [CALL] = {.eip = 0x100, .sp = 0x1000},
    [INNER] = {.eip = 0x200, .sp = 0xffe},
    [CALL_AGAIN] = {.eip = 0x201, .sp = 0xffe},
    [INNERMOST] = {.eip = 0x300, .sp = 0xffc},
    [REPEAT] = {.eip = 0x204, .sp = 0xffe, .count = 3},
    [REPEAT_2] = {.eip = 0x204, .sp = 0xffe, .count = 2},
    [REPEAT_3] = {.eip = 0x204, .sp = 0xffe, .count = 1},
    [STORE] = {.eip = 0x206, .sp = 0xffe, .stored = STORED},
    [RETURN] = {.eip = 0x207, .sp = 0xffe},
    [BEHIND] = {.eip = 0x103, .sp = 0x1000},
    [LAST] = {.eip = 0x104, .sp = 0x1000},
};

struct rig {
    struct machine *machine;
    struct debugger *debugger;
    struct debugger_stop stop;
};

static void put(struct rig *rig, uint32_t address, const char *bytes, size_t length)
{
    memcpy(rig->machine->ram + address, bytes, length);
}

static int set_up(void **state)
{
    static struct rig rig;
    rig.machine = fake_machine_create();
    rig.debugger = debugger_create(rig.machine);
    rig.machine->paused = true;
    rig.machine->has_history = true;
    rig.machine->moments = moments;
    rig.machine->moment_count = ARRAY_COUNT(moments);
    rig.machine->checkpoint_interval = 4;
    rig.machine->cpu.segment[CPU_CS].selector = 0;
    rig.machine->cpu.segment[CPU_CS].base = 0;
    put(&rig, 0x100, "\xe8\xfd\x00\x90\x90", 5);             /* call 200h, nop, nop */
    put(&rig, 0x200, "\x90\xe8\xfc\x00\xf3\xa4\x90\xc3", 8); /* nop, call 300h, rep movsb, nop, ret */
    put(&rig, 0x300, "\xc3", 1);                             /* ret */
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

typedef struct status back(struct debugger *debugger, struct debugger_stop *stop);

static void be_at(struct rig *rig, uint64_t retired)
{
    struct status status = debugger_go_to(rig->debugger, retired, &rig->stop);
    assert_true(status_is_ok(&status));
    assert_int_equal(machine_retired(rig->machine), retired);
}

/* Where one gets to from `from`, with checkpoints at any distance from each other. */
static void expect(struct rig *rig, back *how, uint64_t from, uint64_t wanted)
{
    for (uint64_t interval = 1; interval <= ARRAY_COUNT(moments); interval++) {
        rig->machine->checkpoint_interval = interval;
        be_at(rig, from);
        struct status status = how(rig->debugger, &rig->stop);
        if (!status_is_ok(&status)) {
            fail_msg("%s", status.message);
        }
        if (machine_retired(rig->machine) != wanted) {
            fail_msg("from %d to %d, expected %d; checkpoints every %d instructions", (int)from,
                     (int)machine_retired(rig->machine), (int)wanted, (int)interval);
        }
        assert_true(rig->machine->paused);
        assert_ptr_not_equal(debugger_last_stop(rig->debugger), NULL);
    }
}

static unsigned add(struct rig *rig, struct breakpoint_spec spec)
{
    unsigned number = 0;
    struct status status = debugger_add(rig->debugger, &spec, NULL, &number);
    assert_true(status_is_ok(&status));
    return number;
}

static struct status step_back(struct debugger *debugger, struct debugger_stop *stop)
{
    return debugger_reverse_step(debugger, 1, stop);
}

static struct status step_far_back(struct debugger *debugger, struct debugger_stop *stop)
{
    return debugger_reverse_step(debugger, 100, stop);
}

static void steps_go_back_to_the_beginning_and_no_further(void **state)
{
    struct rig *rig = *state;
    for (uint64_t from = 1; from <= LAST; from++) {
        expect(rig, step_back, from, from - 1);
        assert_int_equal(rig->stop.reason, STOPPED_STEP);
    }
    expect(rig, step_back, 0, 0);
    assert_int_equal(rig->stop.reason, STOPPED_BEGINNING);
    expect(rig, step_far_back, LAST, 0);
    assert_int_equal(rig->stop.reason, STOPPED_BEGINNING);
}

static void what_ended_here_is_undone_as_a_whole(void **state)
{
    struct rig *rig = *state;
    expect(rig, debugger_reverse_next, LAST, BEHIND);
    expect(rig, debugger_reverse_next, BEHIND, CALL);
    expect(rig, debugger_reverse_next, RETURN, STORE);
    expect(rig, debugger_reverse_next, STORE, REPEAT);
    expect(rig, debugger_reverse_next, REPEAT, CALL_AGAIN);
    expect(rig, debugger_reverse_next, INNERMOST, CALL_AGAIN);
    expect(rig, debugger_reverse_next, INNER, CALL);
    expect(rig, debugger_reverse_next, CALL, CALL);
}

static void the_way_out_backwards_is_the_call(void **state)
{
    struct rig *rig = *state;
    expect(rig, debugger_reverse_finish, INNERMOST, CALL_AGAIN);
    for (uint64_t from = REPEAT; from <= RETURN; from++) {
        expect(rig, debugger_reverse_finish, from, CALL);
        assert_int_equal(rig->stop.reason, STOPPED_STEP);
    }
    expect(rig, debugger_reverse_finish, CALL_AGAIN, CALL);
    expect(rig, debugger_reverse_finish, BEHIND, 0);
    assert_int_equal(rig->stop.reason, STOPPED_BEGINNING);
}

static void the_last_breakpoint_before_here_is_found(void **state)
{
    struct rig *rig = *state;
    const unsigned repeat = add(rig, (struct breakpoint_spec){.first = 0x204, .last = 0x204});
    const unsigned inner = add(rig, (struct breakpoint_spec){.first = 0x200, .last = 0x200});
    expect(rig, debugger_reverse_continue, LAST, REPEAT);
    assert_int_equal(rig->stop.breakpoint, repeat);
    expect(rig, debugger_reverse_continue, REPEAT, INNER);
    assert_int_equal(rig->stop.breakpoint, inner);
    expect(rig, debugger_reverse_continue, INNER, 0);
    assert_int_equal(rig->stop.reason, STOPPED_BEGINNING);
    assert_int_equal(debugger_find(rig->debugger, repeat)->hits, 0);
    debugger_enable(rig->debugger, repeat, false);
    expect(rig, debugger_reverse_continue, LAST, INNER);
}

static void a_temporary_breakpoint_is_gone_behind_its_stop(void **state)
{
    struct rig *rig = *state;
    const unsigned number =
        add(rig, (struct breakpoint_spec){.first = 0x200, .last = 0x200, .temporary = true});
    be_at(rig, LAST);
    struct status status = debugger_reverse_continue(rig->debugger, &rig->stop);
    assert_true(status_is_ok(&status));
    assert_int_equal(rig->stop.breakpoint, number);
    debugger_drop_temporary(rig->debugger);
    assert_null(debugger_find(rig->debugger, number));
}

static void conditions_matter_on_the_way_back(void **state)
{
    struct rig *rig = *state;
    add(rig, (struct breakpoint_spec){.first = 0x204, .last = 0x204, .condition = "sp == 0"});
    expect(rig, debugger_reverse_continue, LAST, 0);
    add(rig, (struct breakpoint_spec){.first = 0x201, .last = 0x201, .condition = "sp == 0xffe"});
    expect(rig, debugger_reverse_continue, LAST, CALL_AGAIN);
}

static void stores_are_ahead_when_they_are_found(void **state)
{
    struct rig *rig = *state;
    const unsigned watch =
        add(rig, (struct breakpoint_spec){
                     .kind = BREAKPOINT_DATA, .first = STORED, .last = STORED, .access = ACCESS_WRITE});
    expect(rig, debugger_reverse_continue, LAST, STORE);
    assert_int_equal(rig->stop.breakpoint, watch);
    assert_true(rig->stop.is_ahead);
    expect(rig, debugger_reverse_continue, RETURN, STORE);
    expect(rig, debugger_reverse_continue, STORE, 0);
    assert_int_equal(debugger_find(rig->debugger, watch)->hits, 0);
}

static void stores_to_code_that_was_executed_before_are_found(void **state)
{
    static const struct fake_moment changing[] = {{.eip = 0x103, .stored = 0x104}, /* not yet executed */
                                                  {.eip = 0x104, .stored = STORED},
                                                  {.eip = 0x103, .stored = 0x104},
                                                  {.eip = 0x103, .stored = 0x104}, /* not since */
                                                  {.eip = 0x104, .stored = STORED},
                                                  {.eip = 0x103},
                                                  {.eip = 0x104}};
    struct rig *rig = *state;
    rig->machine->moments = changing;
    rig->machine->moment_count = ARRAY_COUNT(changing);
    const unsigned number = add(rig, (struct breakpoint_spec){.kind = BREAKPOINT_CHANGED_CODE});
    expect(rig, debugger_reverse_continue, ARRAY_COUNT(changing) - 1, 2);
    assert_int_equal(rig->stop.breakpoint, number);
    assert_int_equal(rig->stop.address, 0x104);
    assert_true(rig->stop.is_ahead);
    expect(rig, debugger_reverse_continue, 2, 0);
    assert_int_equal(rig->stop.reason, STOPPED_BEGINNING);
    add(rig, (struct breakpoint_spec){.kind = BREAKPOINT_CODE, .first = 0x103, .last = 0x103});
    expect(rig, debugger_reverse_continue, ARRAY_COUNT(changing) - 1, 5);
}

static bool give_up(void *opaque)
{
    unsigned *asked = opaque;
    (*asked)++;
    return true;
}

static void a_search_that_is_given_up_leaves_the_machine_where_it_was(void **state)
{
    struct rig *rig = *state;
    unsigned asked = 0;
    be_at(rig, LAST);
    debugger_set_patience(rig->debugger, give_up, &asked);
    struct status status = debugger_reverse_continue(rig->debugger, &rig->stop);
    assert_true(status_is_ok(&status));
    assert_int_equal(rig->stop.reason, STOPPED_REQUEST);
    assert_int_equal(asked, 1);
    assert_int_equal(machine_retired(rig->machine), LAST);
    be_at(rig, BEHIND);
    status = debugger_reverse_next(rig->debugger, &rig->stop); /* over the subroutine */
    assert_true(status_is_ok(&status));
    assert_int_equal(rig->stop.reason, STOPPED_REQUEST);
    assert_int_equal(machine_retired(rig->machine), BEHIND);
}

static void without_history_the_error_says_how_to_keep_one(void **state)
{
    struct rig *rig = *state;
    static back *const ways[] = {step_back, debugger_reverse_next, debugger_reverse_finish,
                                 debugger_reverse_continue};
    rig->machine->has_history = false;
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        struct status status = ways[i](rig->debugger, &rig->stop);
        assert_int_equal(status.code, STATUS_UNSUPPORTED);
        assert_non_null(strstr(status.message, "-reverse"));
    }
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(steps_go_back_to_the_beginning_and_no_further),
        WITH_RIG(what_ended_here_is_undone_as_a_whole),
        WITH_RIG(the_way_out_backwards_is_the_call),
        WITH_RIG(the_last_breakpoint_before_here_is_found),
        WITH_RIG(a_temporary_breakpoint_is_gone_behind_its_stop),
        WITH_RIG(conditions_matter_on_the_way_back),
        WITH_RIG(stores_are_ahead_when_they_are_found),
        WITH_RIG(stores_to_code_that_was_executed_before_are_found),
        WITH_RIG(a_search_that_is_given_up_leaves_the_machine_where_it_was),
        WITH_RIG(without_history_the_error_says_how_to_keep_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
