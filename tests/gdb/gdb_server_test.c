/* The gdb server, packet by packet, on a machine that executes nothing (gdb_bench.h): what it answers, when
 * it says nothing yet, and what it does to the machine and its breakpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "debugger/debugger.h"
#include "debugger/gdb_packet.h"
#include "gdb_bench.h"

static int set_up(void **state)
{
    *state = gdb_bench_create();
    gdb_bench_send(*state, "QStartNoAckMode", strlen("QStartNoAckMode"));
    return 0;
}

static int tear_down(void **state)
{
    gdb_bench_destroy(*state);
    return 0;
}

/* Forgets what was sent so far. */
static void forget(struct gdb_bench *bench)
{
    bench->length = 0;
    bench->sent[0] = '\0';
}

/* What a packet is answered at once, as a text. */
static const char *ask(struct gdb_bench *bench, const char *data)
{
    static const char none[] = "";
    forget(bench);
    gdb_bench_send(bench, data, strlen(data));
    if (bench->length == 0) {
        return none;
    }
    assert_int_equal(bench->sent[0], '$');
    char *end = strrchr(bench->sent, '#');
    assert_non_null(end);
    *end = '\0';
    return bench->sent + 1;
}

static void expect(struct gdb_bench *bench, const char *data, const char *answer)
{
    const char *got = ask(bench, data);
    if (bench->length == 0 || strcmp(got, answer) != 0) {
        fail_msg("%s is answered by \"%s\"%s, not \"%s\"", data, got, bench->length == 0 ? " (nothing)" : "",
                 answer);
    }
}

static void expect_silence(struct gdb_bench *bench, const char *data)
{
    const char *got = ask(bench, data);
    if (bench->length != 0) {
        fail_msg("%s is answered by \"%s\"", data, got);
    }
}

static struct debugger *debugger_of(struct gdb_bench *bench)
{
    return monitor_debugger(bench->monitor);
}

/* Lets the machine go through instructions until it pauses, and returns what gdb is told. */
static const char *run_to_stop(struct gdb_bench *bench, unsigned most)
{
    forget(bench);
    for (unsigned i = 0; i < most && !bench->machine->paused; i++) {
        gdb_server_poll(bench->server);
        assert_int_equal(bench->length, 0);
        gdb_bench_run(bench);
    }
    gdb_server_poll(bench->server);
    return bench->sent;
}

static void packets_are_acknowledged_until_gdb_wants_no_more(void **state)
{
    struct gdb_bench *bench = *state;
    gdb_server_connect(bench->server);
    forget(bench);
    gdb_bench_send(bench, "qC", 2);
    assert_string_equal(bench->sent, "+$QC1#c5");
    forget(bench);
    gdb_server_receive(bench->server, (const uint8_t *)"-", 1);
    assert_string_equal(bench->sent, "$QC1#c5");
    forget(bench);
    gdb_server_receive(bench->server, (const uint8_t *)"+-", 2); /* it has arrived */
    assert_string_equal(bench->sent, "");
    forget(bench);
    gdb_server_receive(bench->server, (const uint8_t *)"$qC#00", 6);
    assert_string_equal(bench->sent, "-");
    forget(bench);
    gdb_bench_send(bench, "QStartNoAckMode", 15);
    assert_string_equal(bench->sent, "+$OK#9a");
    forget(bench);
    gdb_bench_send(bench, "qC", 2);
    assert_string_equal(bench->sent, "$QC1#c5");
}

static void impatience_is_not_answered_by_something_older(void **state)
{
    struct gdb_bench *bench = *state;
    (void)ask(bench, "p8");
    expect_silence(bench, "c");
    gdb_server_receive(bench->server, (const uint8_t *)"-", 1);
    assert_int_equal(bench->length, 0);
}

static void what_is_not_known_is_answered_by_nothing(void **state)
{
    static const char *const unknown[] = {"vMustReplyEmpty", "bs",       "bc", "!",
                                          "qTStatus",        "qOffsets", "",   "w"};
    struct gdb_bench *bench = *state;
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
        expect(bench, unknown[i], "");
    }
}

static void what_is_malformed_is_an_error(void **state)
{
    static const char *const malformed[] = {"p",
                                            "pzz",
                                            "p1000",
                                            "P0",
                                            "P0=00",
                                            "P0=0000000000",
                                            "P999=00000000",
                                            "m",
                                            "m7c00",
                                            "m7c00,",
                                            "mx,1",
                                            "m7c00,1x",
                                            "M7c00,2:00",
                                            "M7c00,1:0g",
                                            "X7c00,3:ab",
                                            "X7c00",
                                            "Z0",
                                            "Z0,7c00",
                                            "Z5,7c00,1",
                                            "Z0,100000000,1",
                                            "Z2,7c00,0",
                                            "Z2,ffffffff,2",
                                            "z0,",
                                            "H",
                                            "Hq1",
                                            "Hg2",
                                            "T2",
                                            "cx",
                                            "C",
                                            "S05x",
                                            "vCont",
                                            "vCont;",
                                            "vCont;q",
                                            "vCont;C",
                                            "vCont;c:2",
                                            "qXfer:features:read:target.xml:0",
                                            "qXfer:memory-map:read::,",
                                            "qRcmd,6",
                                            "qRcmd,zz",
                                            "G0",
                                            "m11111111111111111,1"};
    struct gdb_bench *bench = *state;
    for (size_t i = 0; i < ARRAY_COUNT(malformed); i++) {
        expect(bench, malformed[i], "E01");
    }
    assert_true(bench->machine->paused);
}

static void a_packet_that_is_too_long_is_an_error(void **state)
{
    struct gdb_bench *bench = *state;
    char *data = malloc(GDB_PACKET_MAX + 1);
    memset(data, 'm', GDB_PACKET_MAX + 1);
    forget(bench);
    gdb_bench_send(bench, data, GDB_PACKET_MAX + 1);
    assert_string_equal(bench->sent, "$E01#a6");
    expect(bench, "qC", "QC1");
    free(data);
}

static void registers_are_read_and_written(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "p8", "007c0000");
    expect(bench, "P0=78563412", "OK");
    assert_int_equal(bench->machine->cpu.gpr[CPU_AX].d, 0x12345678);
    const char *all = ask(bench, "g");
    assert_memory_equal(all, "78563412", 8);
    assert_memory_equal(all + 64, "007c0000", 8);
    char *changed = strdup(all);
    changed[0] = '6';
    memcpy(changed + 64, "107c0000", 8);
    changed[8] = '1'; /* ecx */
    char *packet = malloc(strlen(changed) + 2);
    packet[0] = 'G';
    strcpy(packet + 1, changed);
    expect(bench, packet, "OK");
    assert_int_equal(bench->machine->cpu.gpr[CPU_AX].d, 0x12345668);
    assert_int_equal(bench->machine->cpu.gpr[CPU_CX].d, 0x10);
    assert_int_equal(bench->machine->cpu.rip, 0x7c10);
    free(packet);
    free(changed);
    assert_memory_equal(ask(bench, "P2b=00"), "E", 1);        /* code_size, too short */
    assert_memory_equal(ask(bench, "P2b=04000000"), "E.", 2); /* cannot be set, in words */
}

static void refusals_are_told_in_letters_that_packets_can_have(void **state)
{
    struct gdb_bench *bench = *state;
    struct gdb_packet_reader *reader = calloc(1, sizeof *reader);
    forget(bench);
    gdb_bench_send(bench, "P43=00000080", 12); /* cr4, #GP */
    for (size_t i = 0; i < bench->length; i++) {
        const enum gdb_packet_event last = gdb_packet_read(reader, (uint8_t)bench->sent[i]);
        assert_int_equal(last, i + 1 == bench->length ? GDB_PACKET_COMPLETE : GDB_PACKET_NOTHING);
    }
    assert_string_equal(reader->data, "E.the CPU refuses 0x80000000: GP");
    free(reader);
}

static void memory_is_read_and_written(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "M7c00,4:eb3c9000", "OK");
    assert_memory_equal(bench->machine->ram + 0x7c00, "\xeb\x3c\x90", 4);
    expect(bench, "m7c00,3", "eb3c90");
    forget(bench);
    gdb_bench_send(bench, "X7c00,3:\x03}\x03}]", 13);
    assert_string_equal(bench->sent, "$OK#9a");
    assert_memory_equal(bench->machine->ram + 0x7c00, "\x03#}", 3);
    expect(bench, "X7c00,0:", "OK");
    expect(bench, "m100000,1", "E0e"); /* there is no RAM any more */
    expect(bench, "mffffe,8", "0000"); /* some of it */
    expect(bench, "M100000,1:00", "E0e");
    assert_int_equal(strlen(ask(bench, "m0,ffffffff")), GDB_PACKET_MAX);
}

static void breakpoints_stop_with_their_reason(void **state)
{
    struct gdb_bench *bench = *state;
    (void)ask(bench, "qSupported:multiprocess+;swbreak+;hwbreak+");
    expect(bench, "Z0,7c04,1", "OK");
    expect(bench, "Z0,7c04,1", "OK"); /* twice is once */
    expect(bench, "Z1,7c06,1", "OK");
    expect_silence(bench, "c");
    assert_false(bench->machine->paused);
    const char *told = run_to_stop(bench, 100);
    assert_non_null(strstr(told, "$T0505:"));
    assert_non_null(strstr(told, "08:047c0000;thread:1;swbreak:;#"));
    expect(bench, "z0,7c04,1", "OK");
    expect_silence(bench, "vCont;c:1");
    told = run_to_stop(bench, 100);
    assert_non_null(strstr(told, "08:067c0000;thread:1;hwbreak:;#"));
    expect(bench, "z1,7c06,1", "OK");
    expect(bench, "z1,7c06,1", "OK"); /* it is gone, and that was asked for */
    assert_null(debugger_breakpoint(debugger_of(bench), 0));
}

static void reasons_that_gdb_does_not_know_are_not_told(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "Z0,7c04,1", "OK");
    expect_silence(bench, "c");
    assert_non_null(strstr(run_to_stop(bench, 100), "thread:1;#"));
}

static void gdb_breakpoints_are_not_listed_to_people(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "Z0,7c04,1", "OK");
    assert_true(debugger_breakpoint(debugger_of(bench), 0)->spec.hidden);
    assert_false(debugger_has_code_breakpoint(debugger_of(bench), 0x7c04));
}

static void watchpoints_tell_an_address_within_them(void **state)
{
    static const struct {
        const char *insert, *remove, *told;
        bool write;
        uint32_t address;
    } cases[] = {{"Z2,1002,2", "z2,1002,2", ";watch:1003;#", true, 0x1003},
                 {"Z2,1002,2", "z2,1002,2", ";watch:1002;#", true, 0x1000},
                 {"Z3,1002,2", "z3,1002,2", ";rwatch:1002;#", false, 0x1002},
                 {"Z4,1002,2", "z4,1002,2", ";awatch:1002;#", false, 0x1002}};
    struct gdb_bench *bench = *state;
    struct machine *machine = bench->machine;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect(bench, cases[i].insert, "OK");
        expect_silence(bench, "c");
        machine->probe.cpu.at_data(machine->probe.cpu.opaque, cases[i].address, 4, cases[i].write);
        machine->cpu.rip++;
        (void)monitor_note_run(bench->monitor, MACHINE_BREAK);
        assert_non_null(strstr(run_to_stop(bench, 0), cases[i].told));
        expect(bench, cases[i].remove, "OK");
    }
}

static void a_step_is_one_instruction(void **state)
{
    static const char *const steps[] = {"s", "S05", "vCont;s:1;c", "vCont;c:7;s"};
    struct gdb_bench *bench = *state;
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        const uint64_t before = bench->machine->cpu.rip;
        expect_silence(bench, steps[i]);
        assert_non_null(strstr(run_to_stop(bench, 10), "$T05"));
        assert_int_equal(bench->machine->cpu.rip, before + 1);
    }
    expect_silence(bench, "s7d00");
    (void)run_to_stop(bench, 10);
    assert_int_equal(bench->machine->cpu.rip, 0x7d01);
}

static void an_interrupt_stops_a_running_guest_only(void **state)
{
    struct gdb_bench *bench = *state;
    forget(bench);
    gdb_server_receive(bench->server, (const uint8_t *)"\x03", 1);
    gdb_server_poll(bench->server);
    assert_int_equal(bench->length, 0);
    expect_silence(bench, "c");
    gdb_bench_run(bench);
    gdb_server_receive(bench->server, (const uint8_t *)"\x03", 1);
    assert_non_null(strstr(run_to_stop(bench, 10), "$T02"));
}

static void a_stop_by_others_is_told(void **state)
{
    struct gdb_bench *bench = *state;
    expect_silence(bench, "c");
    gdb_bench_run(bench);
    machine_pause(bench->machine);
    assert_non_null(strstr(run_to_stop(bench, 0), "$T05"));
    forget(bench);
    gdb_server_poll(bench->server); /* once */
    assert_int_equal(bench->length, 0);
}

static void the_first_packet_stops_the_guest(void **state)
{
    struct gdb_bench *bench = *state;
    bench->machine->paused = false;
    gdb_server_connect(bench->server);
    gdb_bench_run(bench);
    assert_false(bench->machine->paused);
    forget(bench);
    gdb_bench_send(bench, "?", 1);
    assert_string_equal(bench->sent, "+"); /* it has not stopped yet */
    assert_non_null(strstr(run_to_stop(bench, 10), "$T05"));
    assert_true(bench->machine->paused);
}

static void detaching_takes_the_breakpoints_away_and_lets_the_guest_run(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "Z0,7c04,1", "OK");
    expect(bench, "Z2,1000,4", "OK");
    expect(bench, "D", "OK");
    assert_false(bench->machine->paused);
    assert_null(debugger_breakpoint(debugger_of(bench), 0));
    (void)run_to_stop(bench, 100);
    assert_false(bench->machine->paused);
}

static void a_connection_that_breaks_off_takes_its_breakpoints_with_it(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "Z0,7c04,1", "OK");
    gdb_server_disconnect(bench->server);
    assert_null(debugger_breakpoint(debugger_of(bench), 0));
    assert_true(bench->machine->paused);
}

static void kill_asks_for_the_end(void **state)
{
    struct gdb_bench *bench = *state;
    assert_false(gdb_server_wants_quit(bench->server));
    expect_silence(bench, "k");
    assert_true(gdb_server_wants_quit(bench->server));
}

static void a_guest_that_switches_itself_off_has_exited(void **state)
{
    struct gdb_bench *bench = *state;
    expect_silence(bench, "c");
    forget(bench);
    gdb_server_note_power_off(bench->server, 0x23);
    assert_string_equal(bench->sent, "$W23#bc");
}

static void a_line_of_monitor_is_answered_by_what_it_prints(void **state)
{
    struct gdb_bench *bench = *state;
    expect_silence(bench, "qRcmd,7072696e7420656178"); /* print eax */
    assert_true(gdb_server_is_busy(bench->server));
    gdb_server_poll(bench->server);
    assert_memory_equal(bench->sent, "$O", 2);
    assert_non_null(strstr(bench->sent, "$OK#9a"));
    assert_false(gdb_server_is_busy(bench->server));
    assert_null(strstr(bench->sent, "28646f7070656c29")); /* (doppel): no prompt */
    expect_silence(bench, "qRcmd,");
    gdb_server_poll(bench->server);
    assert_string_equal(bench->sent, "$OK#9a");
}

static void output_waits_for_gdb_to_take_it(void **state)
{
    struct gdb_bench *bench = *state;
    bench->busy = true;
    expect_silence(bench, "qRcmd,68656c70"); /* help */
    gdb_server_poll(bench->server);
    assert_int_equal(bench->length, 0);
    bench->busy = false;
    gdb_server_poll(bench->server);
    assert_non_null(strstr(bench->sent, "$OK#9a"));
}

static void monitor_steps_are_over_when_they_are_answered(void **state)
{
    struct gdb_bench *bench = *state;
    expect_silence(bench, "qRcmd,73746570"); /* step */
    gdb_server_poll(bench->server);
    assert_null(strstr(bench->sent, "$OK"));
    gdb_bench_run(bench);
    assert_true(bench->machine->paused);
    monitor_poll(bench->monitor);
    gdb_server_poll(bench->server);
    assert_non_null(strstr(bench->sent, "$OK#9a"));
    assert_null(strstr(bench->sent, "$T"));
    assert_int_equal(bench->machine->cpu.rip, 0x7c01);
}

static void descriptions_come_in_parts(void **state)
{
    struct gdb_bench *bench = *state;
    char whole[32768] = "";
    size_t length = 0;
    for (;;) {
        char packet[80];
        snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,3e8", length);
        const char *part = ask(bench, packet);
        strcpy(whole + length, part + 1);
        length += strlen(part) - 1;
        bench->machine->cpu.code_size = 4; /* what is told does not change on the way */
        if (part[0] == 'l') {
            break;
        }
        assert_int_equal(part[0], 'm');
        assert_int_equal(strlen(part), 1001);
    }
    assert_non_null(strstr(whole, "i8086"));
    assert_non_null(strstr(whole, "</target>"));
    expect(bench, "qXfer:features:read:target.xml:ffffffffffff,10", "l");
    expect(bench, "qXfer:features:read:other.xml:0,10", "E00");
    expect(bench, "qXfer:auxv:read::0,10", "");
    assert_memory_equal(ask(bench, "qXfer:memory-map:read::0,fff"), "l<?xml", 6);
}

static void there_is_one_thread(void **state)
{
    struct gdb_bench *bench = *state;
    expect(bench, "qfThreadInfo", "m1");
    expect(bench, "qsThreadInfo", "l");
    expect(bench, "qC", "QC1");
    expect(bench, "T1", "OK");
    expect(bench, "Hg0", "OK");
    expect(bench, "Hc-1", "OK");
    expect(bench, "qAttached", "1");
    expect(bench, "qThreadExtraInfo,1", "7265616c206d6f64652c2072696e672030"); /* real mode, ring 0 */
}

static void going_back_is_offered_with_history_only(void **state)
{
    static const struct fake_moment moments[] = {{.eip = 0x7c00}, {.eip = 0x7c02}, {.eip = 0x7c04}};
    struct gdb_bench *bench = *state;
    assert_null(strstr(ask(bench, "qSupported"), "Reverse"));
    expect(bench, "bs", "");
    expect(bench, "bc", "");
    bench->machine->has_history = true;
    bench->machine->moments = moments;
    bench->machine->moment_count = ARRAY_COUNT(moments);
    bench->machine->cpu.retired = 2;
    assert_non_null(strstr(ask(bench, "qSupported"), ";ReverseStep+;ReverseContinue+"));
    const char *told = ask(bench, "bs");
    assert_non_null(strstr(told, "08:027c0000;thread:1;"));
    assert_null(strstr(told, "replaylog"));
    expect(bench, "Z1,7c00,1", "OK");
    assert_non_null(strstr(ask(bench, "bc"), "08:007c0000;thread:1;"));
    assert_non_null(strstr(ask(bench, "bc"), "replaylog:begin;"));
    assert_non_null(strstr(ask(bench, "bs"), "replaylog:begin;"));
    expect(bench, "bs1", "E01");
}

static bool give_up(void *opaque)
{
    (void)opaque;
    return true;
}

static void an_interrupted_search_is_a_stop_where_it_began(void **state)
{
    static const struct fake_moment moments[] = {
        {.eip = 0x7c00}, {.eip = 0x7c02}, {.eip = 0x7c04}, {.eip = 0x7c06}};
    struct gdb_bench *bench = *state;
    bench->machine->has_history = true;
    bench->machine->moments = moments;
    bench->machine->moment_count = ARRAY_COUNT(moments);
    bench->machine->cpu.retired = 2;
    bench->machine->cpu.rip = 0x7c04;
    debugger_set_patience(monitor_debugger(bench->monitor), give_up, NULL);
    const char *stop = ask(bench, "bc");
    assert_memory_equal(stop, "T02", 3);
    assert_non_null(strstr(stop, "08:047c0000;thread:1;"));
    assert_memory_equal(ask(bench, "?"), "T05", 3); /* nobody interrupts what comes next */
}

static void what_gdb_writes_ends_history(void **state)
{
    static const char *const writes[] = {"P0=01000000", "M600,1:00", "X600,1:a", "G01000000"};
    struct gdb_bench *bench = *state;
    for (size_t i = 0; i < ARRAY_COUNT(writes); i++) {
        bench->machine->forgotten = 0;
        expect(bench, writes[i], "OK");
        assert_int_equal(bench->machine->forgotten, 1);
    }
    bench->machine->forgotten = 0;
    expect(bench, "X600,0:", "OK"); /* whether it is known */
    (void)ask(bench, "m600,1");
    (void)ask(bench, "g");
    assert_int_equal(bench->machine->forgotten, 0);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(packets_are_acknowledged_until_gdb_wants_no_more),
        SERVER_TEST(impatience_is_not_answered_by_something_older),
        SERVER_TEST(what_is_not_known_is_answered_by_nothing),
        SERVER_TEST(what_is_malformed_is_an_error),
        SERVER_TEST(a_packet_that_is_too_long_is_an_error),
        SERVER_TEST(registers_are_read_and_written),
        SERVER_TEST(refusals_are_told_in_letters_that_packets_can_have),
        SERVER_TEST(memory_is_read_and_written),
        SERVER_TEST(breakpoints_stop_with_their_reason),
        SERVER_TEST(reasons_that_gdb_does_not_know_are_not_told),
        SERVER_TEST(gdb_breakpoints_are_not_listed_to_people),
        SERVER_TEST(watchpoints_tell_an_address_within_them),
        SERVER_TEST(a_step_is_one_instruction),
        SERVER_TEST(an_interrupt_stops_a_running_guest_only),
        SERVER_TEST(a_stop_by_others_is_told),
        SERVER_TEST(the_first_packet_stops_the_guest),
        SERVER_TEST(detaching_takes_the_breakpoints_away_and_lets_the_guest_run),
        SERVER_TEST(a_connection_that_breaks_off_takes_its_breakpoints_with_it),
        SERVER_TEST(kill_asks_for_the_end),
        SERVER_TEST(a_guest_that_switches_itself_off_has_exited),
        SERVER_TEST(a_line_of_monitor_is_answered_by_what_it_prints),
        SERVER_TEST(output_waits_for_gdb_to_take_it),
        SERVER_TEST(monitor_steps_are_over_when_they_are_answered),
        SERVER_TEST(descriptions_come_in_parts),
        SERVER_TEST(there_is_one_thread),
        SERVER_TEST(going_back_is_offered_with_history_only),
        SERVER_TEST(an_interrupted_search_is_a_stop_where_it_began),
        SERVER_TEST(what_gdb_writes_ends_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
