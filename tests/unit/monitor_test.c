/* The monitor against a machine that only remembers (fake_machine.h): words and quotes, every command's
 * answer to right and wrong use, waits in virtual time, typing, scripts and their exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "debugger/disassembly.h"
#include "debugger/monitor_internal.h"
#include "decoder/insn.h"
#include "monitor_bench.h"

/* ---- words */

static void words_split_at_blanks_and_keep_quoted_ones(void **state)
{
    (void)state;
    char line[] = "  wait-screen\t\"A:\\\\> x\" 10 pre\"fix ed\"";
    char *argv[MONITOR_WORDS];
    int argc;
    struct status status = monitor_split(line, &argc, argv, NULL);
    assert_true(status_is_ok(&status));
    assert_int_equal(argc, 4);
    assert_string_equal(argv[0], "wait-screen");
    assert_string_equal(argv[1], "A:\\> x");
    assert_string_equal(argv[2], "10");
    assert_string_equal(argv[3], "prefix ed");
}

static void escapes_become_their_characters(void **state)
{
    (void)state;
    char line[] = "\"\\n\\r\\t\\b\\e\\\\\\\"\\x41\" a\\n";
    char *argv[MONITOR_WORDS];
    int argc;
    struct status status = monitor_split(line, &argc, argv, NULL);
    assert_true(status_is_ok(&status));
    assert_string_equal(argv[0], "\n\r\t\b\033\\\"A");
    assert_string_equal(argv[1], "a\\n"); /* outside quotes a backslash is a backslash */
}

static void backslashes_that_begin_no_escape_stay(void **state)
{
    (void)state;
    char line[] = "\"A:\\>\" \"C:\\DOS\\xyz\"";
    char *argv[MONITOR_WORDS];
    int argc;
    struct status status = monitor_split(line, &argc, argv, NULL);
    assert_true(status_is_ok(&status));
    assert_string_equal(argv[0], "A:\\>");
    assert_string_equal(argv[1], "C:\\DOS\\xyz");
}

static void comments_and_empty_words(void **state)
{
    (void)state;
    char *argv[MONITOR_WORDS];
    int argc;
    char comment[] = "   # nothing here";
    struct status status = monitor_split(comment, &argc, argv, NULL);
    assert_true(status_is_ok(&status));
    assert_int_equal(argc, 0);
    char mixed[] = "type \"\" a#b # rest";
    status = monitor_split(mixed, &argc, argv, NULL);
    assert_true(status_is_ok(&status));
    assert_int_equal(argc, 3);
    assert_string_equal(argv[1], "");
    assert_string_equal(argv[2], "a#b");
}

static void broken_quotes_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"type \"abc", "type \"\\x00\"", "type \"abc\\\"",
                                        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        char line[64];
        char *argv[MONITOR_WORDS];
        int argc;
        strcpy(line, lines[i]);
        struct status status = monitor_split(line, &argc, argv, NULL);
        if (status.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("accepted: %s", lines[i]);
        }
    }
}

/* ---- commands */

static void help_lists_every_command(void **state)
{
    struct bench *bench = *state;
    const char *text = answer(bench, "help");
    for (size_t i = 0; i < monitor_command_count; i++) {
        assert_contains(text, monitor_commands[i].name);
        assert_contains(text, monitor_commands[i].help);
    }
    assert_contains(answer(bench, "help q"), "quit|q [STATUS]");
    assert_contains(answer(bench, "help nonsense"), "no command \"nonsense\"");
    assert_contains(answer(bench, "help u"), "disassemble|u [/16|/32|/64]");
    assert_contains(answer(bench, "help u"), "        u; u cs:eip 20;");
    assert_contains(answer(bench, "help expressions"), "operators  - ~ !");
}

static void unknown_commands_are_named(void **state)
{
    assert_contains(answer(*state, "frobnicate 3"), "unknown command \"frobnicate\"");
}

static void prompt_comes_once_per_line(void **state)
{
    struct bench *bench = *state;
    assert_string_equal(answer(bench, ""), "(doppel) ");
    monitor_poll(bench->monitor);
    fflush(bench->out);
    assert_string_equal(bench->text, "(doppel) ");
}

static void wrong_arguments_of_commands_are_refused(void **state)
{
    static const char *const lines[] = {"quit 256",
                                        "quit x",
                                        "quit 1 2",
                                        "eject",
                                        "eject z",
                                        "change a",
                                        "change a f maybe",
                                        "wait-screen",
                                        "wait-screen a b c",
                                        "wait-screen \"a\" soon",
                                        "sleep",
                                        "sleep -1",
                                        "type",
                                        "type a b",
                                        "type \"\\x80\"",
                                        "sendkey",
                                        "sendkey nokey",
                                        "sendkey a-",
                                        "sendkey a 60001",
                                        "sendkey a-b-c-d-e-f-g-h-i",
                                        "mouse",
                                        "mouse move 1",
                                        "mouse move x 1",
                                        "mouse click up",
                                        "screendump",
                                        "dump-memory f 0",
                                        "dump-memory f 0 0",
                                        "dump-memory f 0 0x100000001",
                                        "dump-memory f 0xffffffff 2",
                                        "dump-memory f 0x100000000 1",
                                        "dump-memory f -1 1",
                                        "print 0x10000000000000000",
                                        "x",
                                        "x /4q 0",
                                        "x /0x 0",
                                        "x /x nowhere",
                                        "i",
                                        "i 0x10000",
                                        "o 0x80",
                                        "o /z 0x80 1",
                                        "log",
                                        "log nothing-like-that",
                                        "info nonsense",
                                        "print",
                                        "print 1+",
                                        "run-instructions",
                                        "run-instructions 0"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        char script[128];
        struct bench *bench = *state;
        snprintf(script, sizeof script, "%s\n", lines[i]);
        run_script(bench, script);
        int status;
        if (!monitor_wants_quit(bench->monitor, &status) || status != MONITOR_EXIT_USAGE) {
            fail_msg("accepted: %s", lines[i]);
        }
        bench_tear_down(state);
        bench_set_up(state);
    }
}

static void life_cycle_commands_reach_the_machine(void **state)
{
    struct bench *bench = *state;
    answer(bench, "stop");
    assert_true(bench->machine->paused);
    answer(bench, "c");
    assert_false(bench->machine->paused);
    answer(bench, "system_reset");
    assert_int_equal(bench->machine->resets, 1);
    answer(bench, "quit 7");
    assert_quits_with(bench, 7);
}

static void floppies_are_changed_and_ejected(void **state)
{
    struct bench *bench = *state;
    answer(bench, "change b \"my disk.img\" readonly");
    assert_string_equal(bench->machine->changed, "1 my disk.img ro");
    answer(bench, "change A x.img");
    assert_string_equal(bench->machine->changed, "0 x.img rw");
    answer(bench, "eject floppy0");
    assert_string_equal(bench->machine->changed, "0 eject");
    assert_contains(answer(bench, "change a bad.img"), "change: no such image");
}

static void discs_are_changed_and_ejected(void **state)
{
    struct bench *bench = *state;
    answer(bench, "change cdrom os.iso");
    assert_string_equal(bench->machine->changed, "cd2 os.iso gently");
    answer(bench, "change hdd os.iso force");
    assert_string_equal(bench->machine->changed, "cd3 os.iso force");
    assert_contains(answer(bench, "eject hdc"), "eject: locked");
    answer(bench, "eject hdc force");
    assert_string_equal(bench->machine->changed, "cd2 eject");
    assert_contains(answer(bench, "info block"), "hda (disk): c.img");
}

static void power_button_is_pressed(void **state)
{
    struct bench *bench = *state;
    answer(bench, "system_powerdown");
    assert_int_equal(bench->machine->power_presses, 1);
}

static void info_knows_topics_and_devices(void **state)
{
    struct bench *bench = *state;
    const char *list = answer(bench, "info");
    assert_contains(list, "info registers");
    assert_contains(list, "devices: pic");
    assert_contains(answer(bench, "info pic"), "all quiet");
    assert_contains(answer(bench, "info mem"), "00000fffff       1024 KiB  ram");
    assert_contains(answer(bench, "info mmu"), "paging: off");
    assert_contains(answer(bench, "info mmu"), "views: 0 of 16; 0 pages of ");
    assert_contains(answer(bench, "info views"), "view-reclaims ");
    assert_contains(answer(bench, "info status"), "running");
    assert_contains(answer(bench, "info block"), "floppy a: empty");
    assert_contains(answer(bench, "info cpus"), "pentium3");
    assert_contains(answer(bench, "info engine"), "mmu        softtlb");
    assert_contains(answer(bench, "info counters"), "tlb-fills");
    assert_contains(answer(bench, "info post"), "17 2a");
}

static void info_blocks_adds_up_and_shows_code_side_by_side(void **state)
{
    enum { PUSHF = 0x9c, NOP = 0x90 };
    struct bench *bench = *state;
    assert_contains(answer(bench, "info blocks"), "the engine makes no host code");
    assert_contains(answer(bench, "info blocks 0x7c00"), "the engine makes no host code");
    memcpy(bench->machine->ram + 0x7c00, "\xf4\x9c", 2);               /* hlt; pushf */
    static const uint8_t host[] = {NOP, 0x0f, 0xa2, 0xf5, 0x0f, 0x0b}; /* nop; cpuid; cmc; ud2 */
    const uint16_t first =
        engine_piece_pack((struct engine_piece){.guest_size = 1, .host_size = 2, .kind = PIECE_CALLOUT});
    const uint16_t second = engine_piece_pack((struct engine_piece){.guest_size = 1, .host_size = 1});
    const uint16_t notes[] = {1, 2, first, second};
    const uint16_t notes_of_two_rounds[] = {1, 1, first, second};
    const struct engine_block blocks[2] = {{.phys = 0x7c00,
                                            .eip = 0x7c00,
                                            .guest_size = 2,
                                            .insn_count = 2,
                                            .code_bits = 16,
                                            .host = host,
                                            .host_size = sizeof host,
                                            .tables_size = 26,
                                            .notes = (const void *)notes,
                                            .links = 3,
                                            .samples = 1,
                                            .assumes = "cold"},
                                           {.phys = 0x7c00,
                                            .eip = 0x8000,
                                            .guest_size = 1,
                                            .insn_count = 2,
                                            .code_bits = 32,
                                            .host = host,
                                            .host_size = sizeof host,
                                            .tables_size = 26,
                                            .notes = (const void *)notes_of_two_rounds,
                                            .samples = 3,
                                            .assumes = "hot"}};
    bench->machine->blocks = blocks;
    bench->machine->block_count = 2;
    const char *sum = answer(bench, "info blocks");
    assert_contains(sum, "blocks: 2, of 0 that were");
    assert_contains(sum, "guest code: 3 bytes, per block 1.5 bytes and 2.0 instructions");
    assert_contains(sum, "host code: 12 bytes, per block 6.0, per guest instruction 3.0; tables: 13.0");
    assert_contains(sum, "links: 3, per block 1.5");
    assert_contains(strstr(sum, "75.0%"), "hot\n 25.0%");
    const char *code = answer(bench, "info blocks 7c0:1");
    assert_contains(code, "block at eip 00007c00, physical 00007c00: 16-bit code, cold");
    assert_null(strstr(code, "block at eip 00008000"));
    assert_contains(code, "  callout  ");
    assert_contains(code, "  sensitive: inline");
    if (disassembly_is_there()) {
        assert_contains(strstr(code, "(the budget)"), "  nop\n00007c00  hlt");
        assert_contains(strstr(code, "00007c00  hlt"), "  cpuid\n");
        assert_contains(strstr(code, "00007c01  pushf"), "  cmc\n");
        assert_contains(strstr(code, "(out of line)"), "  ud2\n");
        const char *rounds = strstr(answer(bench, "info blocks 0x7c00"), "block at eip 00008000");
        assert_contains(rounds, "00008000  hlt");
        assert_contains(strstr(rounds, "00008000  hlt"), "  cpuid\n");
        assert_contains(strstr(rounds, "cpuid\n"), "00008000  hlt");
    }
    assert_contains(answer(bench, "info blocks 0x7000"), "no block has code at 0x7000");
}

static void executions_are_counted_by_instruction(void **state)
{
    static uint64_t counts[3][INSN_COUNT];
    struct bench *bench = *state;
    assert_contains(answer(bench, "info sensitive"), "the engine counts no instructions");
    assert_contains(answer(bench, "info callouts"), "the engine counts no instructions");
    for (unsigned i = 0; i < 3; i++) {
        bench->machine->insn_counts[i] = counts[i];
    }
    counts[ENGINE_COUNT_INLINED][INSN_PUSHF] = 11;
    counts[ENGINE_COUNT_EMULATED][INSN_INT] = 22;
    counts[ENGINE_COUNT_FALLBACK][INSN_WBINVD] = 33;
    const char *sensitive = answer(bench, "info sensitive");
    assert_contains(sensitive, "PUSHF                    11              0              0");
    assert_contains(sensitive, "INT                       0             22              0");
    assert_null(strstr(sensitive, "WBINVD"));
    const char *callouts = answer(bench, "info callouts");
    assert_contains(strstr(callouts, "WBINVD                    0             33"),
                    "INT                      22");
    assert_null(strstr(callouts, "PUSHF"));
}

static void memory_is_examined_in_all_formats(void **state)
{
    struct bench *bench = *state;
    memcpy(bench->machine->ram + 0x7c00, "\xfe\xff\x01\x80Hi \"x\"\0zz", 13);
    assert_contains(answer(bench, "x /2xh 0x7c00"), "00007c00: 0xfffe 0x8001");
    assert_contains(answer(bench, "x/1dh 7c0:0"), "00007c00: -2");
    assert_contains(answer(bench, "x /1uh 0x7c00"), " 65534");
    assert_contains(answer(bench, "x /2c 0x7c04"), "'H' 'i'");
    assert_contains(answer(bench, "x /s 0x7c04"), "\"Hi \\\"x\\\"\"");
    assert_contains(answer(bench, "xp 0x7c00"), "0x8001fffe");
    assert_contains(answer(bench, "xp /1b 0x200000"), "??");
}

static void expressions_know_registers_segments_and_sums(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    cpu->gpr[CPU_BX].d = 0x12345678;
    cpu->segment[CPU_DS].selector = 0x40;
    cpu->segment[CPU_DS].base = 0x400;
    assert_contains(answer(bench, "print $ebx"), "0x12345678");
    assert_contains(answer(bench, "p bx+010-1"), "0x567f");
    assert_contains(answer(bench, "p bh"), "0x56 ");
    assert_contains(answer(bench, "p ds:17"), "0x417 ");
    assert_contains(answer(bench, "p f000:fff0"), "0xffff0 ");
    assert_contains(answer(bench, "p ds"), "0x40 ");
}

static uint64_t read_port(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset, (void)width;
    return *(uint64_t *)opaque;
}

static void write_port(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset, (void)width;
    *(uint64_t *)opaque = value;
}

static void ports_are_read_and_written(void **state)
{
    struct bench *bench = *state;
    uint64_t latch = 0xA5;
    struct io_region region = {.name = "latch",
                               .base = 0x300,
                               .length = 2,
                               .max_width = 2,
                               .read = read_port,
                               .write = write_port,
                               .opaque = &latch};
    struct status status = port_bus_claim(bench->machine->ports, &region);
    assert_true(status_is_ok(&status));
    assert_contains(answer(bench, "i 0x300"), "port 0x0300: 0xa5");
    answer(bench, "o /w 0x300 0x1234");
    assert_int_equal(latch, 0x1234);
    assert_contains(answer(bench, "in/w 0x300"), "0x1234");
    assert_contains(answer(bench, "info io"), "0300-0301  latch");
}

static void memory_hash_changes_with_one_byte(void **state)
{
    struct bench *bench = *state;
    char first[64];
    snprintf(first, sizeof first, "%.24s", answer(bench, "memory-hash"));
    assert_contains(answer(bench, "memory-hash"), first);
    bench->machine->ram[FAKE_RAM - 1] = 1;
    assert_null(strstr(answer(bench, "memory-hash"), first));
}

/* ---- waits */

static void wait_screen_sees_text_that_appears(void **state)
{
    struct bench *bench = *state;
    bench->machine->screen = "booting";
    run_script(bench, "wait-screen \"A:\\\\>\" 5\nquit 9\n");
    pass_time(bench, 3000 * MS);
    assert_true(monitor_is_busy(bench->monitor));
    bench->machine->screen = "booting\nA:\\>";
    pass_time(bench, 20 * MS);
    assert_quits_with(bench, 9);
}

static void wait_screen_sees_blanks_at_the_end_of_a_row(void **state)
{
    struct bench *bench = *state;
    bench->machine->screen = "#";
    run_script(bench, "wait-screen \"# \" 1\nquit\n");
    assert_quits_with(bench, 0);
}

static void failed_wait_shows_the_screen_and_the_line(void **state)
{
    struct bench *bench = *state;
    bench->machine->screen = "Kernel panic";
    run_script(bench, "# first\n\nwait-screen \"login:\" 2\nquit 0\n");
    pass_time(bench, 1900 * MS);
    int status;
    assert_false(monitor_wants_quit(bench->monitor, &status));
    pass_time(bench, 200 * MS);
    assert_quits_with(bench, MONITOR_EXIT_FAILED);
    assert_contains(bench->text, "Kernel panic");
    assert_contains(bench->text, ":3: wait-screen: \"login:\" did not appear within 2 s");
}

static void wait_serial_consumes_what_it_matched(void **state)
{
    struct bench *bench = *state;
    bench->machine->serial[1] = "one two";
    run_script(bench, "wait-serial \"one\" 1\nwait-serial \"two\" 1\nwait-serial \"two\" 1\nquit\n");
    pass_time(bench, 500 * MS);
    assert_true(monitor_is_busy(bench->monitor));
    bench->machine->serial[1] = "one two three two";
    pass_time(bench, 20 * MS);
    assert_quits_with(bench, 0);
}

static void wait_serial_finds_text_that_arrives_in_parts(void **state)
{
    struct bench *bench = *state;
    bench->machine->serial[0] = "log";
    run_script(bench, "wait-serial \"login: \" 1\nquit\n");
    bench->machine->serial[0] = "login";
    pass_time(bench, 20 * MS);
    bench->machine->serial[0] = "login: ";
    pass_time(bench, 20 * MS);
    assert_quits_with(bench, 0);
}

static void sleep_lasts_as_long_as_it_says(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "sleep 0.5\nquit\n");
    pass_time(bench, 480 * MS);
    assert_true(monitor_is_busy(bench->monitor));
    pass_time(bench, 40 * MS);
    assert_quits_with(bench, 0);
}

static void waiting_for_a_paused_machine_fails_at_once(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "stop\nwait-screen \"x\"\n");
    assert_quits_with(bench, MONITOR_EXIT_FAILED);
    assert_contains(bench->text, "the machine is paused");
}

static void power_off_ends_waits(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "wait-power-off\nquit 4\n");
    monitor_note_power_off(bench->monitor, "switched off");
    monitor_poll(bench->monitor);
    assert_quits_with(bench, 4);

    bench_tear_down(state);
    bench_set_up(state);
    bench = *state;
    run_script(bench, "wait-screen \"x\"\nquit 0\n");
    monitor_note_power_off(bench->monitor, "switched off");
    monitor_poll(bench->monitor);
    assert_quits_with(bench, MONITOR_EXIT_FAILED);
}

static void run_instructions_pauses_at_the_count(void **state)
{
    struct bench *bench = *state;
    bench->machine->cpu.retired = 100;
    bench->machine->paused = true;
    run_script(bench, "run-instructions 50\nquit 5\n");
    assert_int_equal(bench->machine->instruction_limit, 150);
    assert_false(bench->machine->paused);
    bench->machine->cpu.retired = 150;
    monitor_poll(bench->monitor);
    assert_true(bench->machine->paused);
    assert_int_equal(bench->machine->instruction_limit, 0);
    assert_quits_with(bench, 5);
}

static void console_goes_on_after_errors_and_waits(void **state)
{
    struct bench *bench = *state;
    bench->machine->screen = "";
    answer(bench, "wait-screen \"x\" 0.01\nnonsense\nstop");
    pass_time(bench, 50 * MS);
    assert_contains(bench->text, "did not appear");
    assert_contains(bench->text, "unknown command \"nonsense\"");
    assert_true(bench->machine->paused);
    int status;
    assert_false(monitor_wants_quit(bench->monitor, &status));
}

static void last_line_needs_no_newline(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "quit 6");
    assert_quits_with(bench, 6);
}

static void script_without_quit_lets_the_machine_go_on(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "# nothing to do\n");
    int status;
    assert_true(monitor_session_is_over(bench->session));
    assert_false(monitor_wants_quit(bench->monitor, &status));
}

static void missing_script_is_an_error(void **state)
{
    struct bench *bench = *state;
    struct status status =
        monitor_open_script(bench->monitor, "/nonexistent/script", bench->out, bench->out, &bench->session);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    status = monitor_open_script(bench->monitor, "/", bench->out, bench->out, &bench->session);
    assert_false(status_is_ok(&status));
}

/* ---- keyboard and mouse */

static void assert_key(const struct machine *machine, size_t index, enum key key, bool pressed)
{
    assert_true(index < machine->key_count);
    if (machine->keys[index].key != key || machine->keys[index].pressed != pressed) {
        fail_msg("event %zu is %s %s, not %s %s", index, key_name(machine->keys[index].key),
                 machine->keys[index].pressed ? "down" : "up", key_name(key), pressed ? "down" : "up");
    }
}

static void type_presses_shift_where_a_us_keyboard_does(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "type \"aB\\n\"\nquit\n");
    pass_time(bench, 300 * MS);
    static const struct {
        enum key key;
        bool pressed;
    } expected[] = {{KEY_A, true},  {KEY_A, false},     {KEY_SHIFT, true}, {KEY_B, true},
                    {KEY_B, false}, {KEY_SHIFT, false}, {KEY_ENTER, true}, {KEY_ENTER, false}};
    assert_int_equal(bench->machine->key_count, ARRAY_COUNT(expected));
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_key(bench->machine, i, expected[i].key, expected[i].pressed);
    }
    assert_quits_with(bench, 0);
}

static void typing_waits_until_the_guest_takes_keys(void **state)
{
    struct bench *bench = *state;
    bench->machine->input_ready = false;
    run_script(bench, "type a\nquit\n");
    pass_time(bench, 1000 * MS);
    assert_int_equal(bench->machine->key_count, 0);
    bench->machine->input_ready = true;
    pass_time(bench, 100 * MS);
    assert_int_equal(bench->machine->key_count, 2);
    assert_quits_with(bench, 0);
}

static void typing_to_a_guest_that_never_reads_fails(void **state)
{
    struct bench *bench = *state;
    bench->machine->input_ready = false;
    run_script(bench, "type a\nquit 0\n");
    pass_time(bench, 61000 * MS);
    assert_quits_with(bench, MONITOR_EXIT_FAILED);
}

static void sendkey_holds_and_releases_in_reverse(void **state)
{
    struct bench *bench = *state;
    run_script(bench, "sendkey ctrl-alt-delete 500\nquit\n");
    pass_time(bench, 600 * MS);
    const struct machine *machine = bench->machine;
    assert_int_equal(machine->key_count, 6);
    assert_key(machine, 0, KEY_CTRL, true);
    assert_key(machine, 1, KEY_ALT, true);
    assert_key(machine, 2, KEY_DELETE, true);
    assert_key(machine, 3, KEY_DELETE, false);
    assert_key(machine, 5, KEY_CTRL, false);
    assert_true(machine->keys[3].when - machine->keys[2].when >= 500 * MS);
}

static void mouse_moves_and_clicks(void **state)
{
    struct bench *bench = *state;
    run_script(
        bench,
        "mouse move 10 -5\nmouse press right\nmouse click left\nmouse release right\nmouse wheel -1\n");
    pass_time(bench, 300 * MS);
    const struct fake_mouse *mice = bench->machine->mice;
    assert_int_equal(bench->machine->mouse_count, 6);
    assert_int_equal(mice[0].dx, 10);
    assert_int_equal(mice[0].dy, -5);
    assert_int_equal(mice[1].buttons, MOUSE_BUTTON_RIGHT);
    assert_int_equal(mice[2].buttons, MOUSE_BUTTON_RIGHT | MOUSE_BUTTON_LEFT);
    assert_int_equal(mice[3].buttons, MOUSE_BUTTON_RIGHT);
    assert_int_equal(mice[4].buttons, 0);
    assert_int_equal(mice[5].wheel, -1);
}

static void what_changes_the_guest_ends_history_and_says_so(void **state)
{
    static const char *const changes[] = {"write 0x600 1",     "fill 0x600 4 0", "set eax = 1",
                                          "set u8(0x600) = 1", "o 0x80 1",       "i 0x60",
                                          "x /1xbm 0x600"};
    static const char *const looks[] = {"x /1xb 0x600", "info registers", "find 0 16 1", "print eax"};
    struct bench *bench = *state;
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        bench->machine->has_history = false;
        assert_null(strstr(answer(bench, changes[i]), "history"));
        bench->machine->has_history = true;
        bench->machine->forgotten = 0;
        assert_contains(answer(bench, changes[i]), "history begins here");
        assert_int_equal(bench->machine->forgotten, 1);
    }
    bench->machine->forgotten = 0;
    for (size_t i = 0; i < ARRAY_COUNT(looks); i++) {
        (void)answer(bench, looks[i]);
    }
    assert_int_equal(bench->machine->forgotten, 0);
}

static void the_past_takes_no_input(void **state)
{
    static const char *const inputs[] = {"type a", "sendkey a", "mouse wheel 1", "system_reset",
                                         "system_powerdown"};
    struct bench *bench = *state;
    bench->machine->in_past = true;
    for (size_t i = 0; i < ARRAY_COUNT(inputs); i++) {
        assert_contains(answer(bench, inputs[i]), "the machine is in its past");
    }
    pass_time(bench, 1000 * MS);
    assert_int_equal(bench->machine->key_count, 0);
    assert_int_equal(bench->machine->mouse_count, 0);
    assert_int_equal(bench->machine->resets, 0);
    assert_int_equal(bench->machine->power_presses, 0);
}

static void commands_that_go_back_say_where_they_have_come(void **state)
{
    static const struct fake_moment moments[] = {{.eip = 0x7c00}, {.eip = 0x7c02}, {.eip = 0x7c04}};
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    assert_contains(answer(bench, "rs"), "the machine is running");
    machine->paused = true;
    assert_contains(answer(bench, "rs"), "start doppel with -reverse");
    assert_contains(answer(bench, "info history"), "no history is kept");
    machine->has_history = true;
    machine->moments = moments;
    machine->moment_count = ARRAY_COUNT(moments);
    machine->cpu.segment[CPU_CS].base = 0;
    machine->cpu.retired = 2;
    assert_contains(answer(bench, "info history"), "here         after 2 instructions");
    assert_contains(answer(bench, "rs"), "after 1 instructions");
    assert_contains(answer(bench, "rs 0"), "at least 1 instruction");
    assert_contains(answer(bench, "goto 2"), "after 2 instructions");
    assert_contains(answer(bench, "goto retired - 2"), "after 0 instructions");
    assert_contains(answer(bench, "goto retired - 1"), "not negative");
    assert_contains(answer(bench, "goto 2"), "after 2 instructions");
    (void)answer(bench, "break 0x7c02");
    assert_contains(answer(bench, "rc"), "breakpoint 1: reached, after 1 instructions");
    assert_contains(answer(bench, "rc"), "history begins here, after 0 instructions");
    assert_contains(answer(bench, "rn 2"), "usage: reverse-next");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_split_at_blanks_and_keep_quoted_ones),
        cmocka_unit_test(escapes_become_their_characters),
        cmocka_unit_test(backslashes_that_begin_no_escape_stay),
        cmocka_unit_test(comments_and_empty_words),
        cmocka_unit_test(broken_quotes_are_refused),
        BENCH_TEST(help_lists_every_command),
        BENCH_TEST(unknown_commands_are_named),
        BENCH_TEST(prompt_comes_once_per_line),
        BENCH_TEST(wrong_arguments_of_commands_are_refused),
        BENCH_TEST(life_cycle_commands_reach_the_machine),
        BENCH_TEST(floppies_are_changed_and_ejected),
        BENCH_TEST(discs_are_changed_and_ejected),
        BENCH_TEST(power_button_is_pressed),
        BENCH_TEST(info_knows_topics_and_devices),
        BENCH_TEST(info_blocks_adds_up_and_shows_code_side_by_side),
        BENCH_TEST(executions_are_counted_by_instruction),
        BENCH_TEST(memory_is_examined_in_all_formats),
        BENCH_TEST(expressions_know_registers_segments_and_sums),
        BENCH_TEST(ports_are_read_and_written),
        BENCH_TEST(memory_hash_changes_with_one_byte),
        BENCH_TEST(wait_screen_sees_text_that_appears),
        BENCH_TEST(wait_screen_sees_blanks_at_the_end_of_a_row),
        BENCH_TEST(failed_wait_shows_the_screen_and_the_line),
        BENCH_TEST(wait_serial_consumes_what_it_matched),
        BENCH_TEST(wait_serial_finds_text_that_arrives_in_parts),
        BENCH_TEST(sleep_lasts_as_long_as_it_says),
        BENCH_TEST(waiting_for_a_paused_machine_fails_at_once),
        BENCH_TEST(power_off_ends_waits),
        BENCH_TEST(run_instructions_pauses_at_the_count),
        BENCH_TEST(console_goes_on_after_errors_and_waits),
        BENCH_TEST(last_line_needs_no_newline),
        BENCH_TEST(script_without_quit_lets_the_machine_go_on),
        BENCH_TEST(missing_script_is_an_error),
        BENCH_TEST(type_presses_shift_where_a_us_keyboard_does),
        BENCH_TEST(typing_waits_until_the_guest_takes_keys),
        BENCH_TEST(typing_to_a_guest_that_never_reads_fails),
        BENCH_TEST(sendkey_holds_and_releases_in_reverse),
        BENCH_TEST(mouse_moves_and_clicks),
        BENCH_TEST(what_changes_the_guest_ends_history_and_says_so),
        BENCH_TEST(the_past_takes_no_input),
        BENCH_TEST(commands_that_go_back_say_where_they_have_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
