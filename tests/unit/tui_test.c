/* The debugger's screen: what is where at any size, what the panes show of a machine, and what keys do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "debugger/debugger.h"
#include "debugger/disassembly.h"
#include "debugger/tui.h"
#include "debugger/tui_console.h"
#include "debugger/tui_layout.h"
#include "debugger/tui_line.h"
#include "monitor_bench.h"

/* ---- layout */

#define COLUMNS_MAX 200u
#define ROWS_MAX    80u

/* Every cell belongs to one pane or is the line to the left of one. */
static void check_tiling(unsigned columns, unsigned rows, const struct tui_layout *layout)
{
    static uint8_t owners[ROWS_MAX][COLUMNS_MAX];
    memset(owners, 0, sizeof owners);
    for (unsigned pane = 0; pane < TUI_PANE_COUNT; pane++) {
        const struct tui_area *area = &layout->areas[pane];
        if (area->rows == 0) {
            continue;
        }
        unsigned left = area->column > 0 ? area->column - 1 : 0;
        assert_true(area->column + area->columns <= columns && area->row + area->rows <= rows);
        for (unsigned row = area->row; row < area->row + area->rows; row++) {
            for (unsigned column = left; column < area->column + area->columns; column++) {
                owners[row][column]++;
            }
        }
    }
    for (unsigned row = 0; row < rows; row++) {
        for (unsigned column = 0; column < columns; column++) {
            if (owners[row][column] != 1) {
                fail_msg("%u x %u: cell %u, %u belongs to %u panes", columns, rows, column, row,
                         owners[row][column]);
            }
        }
    }
}

static void panes_fill_the_screen_without_overlap_at_every_size(void **state)
{
    (void)state;
    for (unsigned columns = 1; columns <= COLUMNS_MAX; columns++) {
        for (unsigned rows = 1; rows <= ROWS_MAX; rows++) {
            struct tui_layout layout;
            for (unsigned focus = 0; focus < TUI_SCREEN; focus++) {
                const unsigned watches = focus == TUI_WATCHES ? 1 + rows % 9 : (columns >> 1) % 5;
                tui_layout_make(columns, rows, (enum tui_pane)focus, (columns & 1) != 0, watches, &layout);
                check_tiling(columns, rows, &layout);
                assert_true(layout.areas[focus].rows > 0);
            }
        }
    }
}

static void a_screen_of_80x24_has_all_panes_but_the_guests(void **state)
{
    struct tui_layout layout;
    (void)state;
    tui_layout_make(80, 23, TUI_CODE, false, 2, &layout);
    for (unsigned pane = 0; pane < TUI_SCREEN; pane++) {
        assert_true(layout.areas[pane].rows >= 3);
    }
    assert_int_equal(layout.areas[TUI_SCREEN].rows, 0);
    tui_layout_make(80, 23, TUI_CODE, false, 0, &layout);
    assert_int_equal(layout.areas[TUI_WATCHES].rows, 0);
    tui_layout_make(160, 49, TUI_CODE, false, 0, &layout);
    assert_int_equal(layout.areas[TUI_SCREEN].rows, 26);
    assert_int_equal(layout.areas[TUI_SCREEN].columns, 80);
}

/* ---- the line */

static void the_line_is_edited_at_its_cursor(void **state)
{
    struct tui_line line = {0};
    (void)state;
    tui_line_insert(&line, "info gers");
    for (unsigned i = 0; i < 4; i++) {
        assert_true(tui_line_key(&line, KEY_LEFT, false));
    }
    tui_line_insert(&line, "re");
    assert_string_equal(line.text, "info regers");
    tui_line_key(&line, KEY_DELETE, false);
    tui_line_key(&line, KEY_BACKSPACE, false);
    assert_string_equal(line.text, "info rers");
    tui_line_key(&line, KEY_W, true);
    assert_string_equal(line.text, "info ers");
    tui_line_key(&line, KEY_K, true);
    tui_line_key(&line, KEY_A, true);
    tui_line_insert(&line, "x");
    assert_string_equal(line.text, "xinfo ");
    assert_false(tui_line_key(&line, KEY_PGUP, false));
}

static void the_line_never_grows_beyond_its_room(void **state)
{
    struct tui_line line = {0};
    (void)state;
    for (unsigned i = 0; i < TUI_LINE_MAX; i++) {
        tui_line_insert(&line, "abc");
    }
    assert_int_equal(line.length, TUI_LINE_MAX - 1);
    assert_int_equal(strlen(line.text), TUI_LINE_MAX - 1);
}

static void earlier_lines_come_back_and_the_new_one_waits(void **state)
{
    struct tui_line line = {0};
    char text[TUI_LINE_MAX];
    (void)state;
    tui_line_insert(&line, "one");
    tui_line_accept(&line, text);
    tui_line_insert(&line, "two");
    tui_line_accept(&line, text);
    tui_line_accept(&line, text); /* an empty one is not kept */
    tui_line_insert(&line, "new");
    tui_line_key(&line, KEY_UP, false);
    assert_string_equal(line.text, "two");
    tui_line_key(&line, KEY_UP, false);
    tui_line_key(&line, KEY_UP, false);
    assert_string_equal(line.text, "one");
    tui_line_key(&line, KEY_DOWN, false);
    tui_line_key(&line, KEY_DOWN, false);
    assert_string_equal(line.text, "new");
    for (unsigned i = 0; i < 3 * TUI_HISTORY_MAX; i++) {
        tui_line_set(&line, (i & 1) != 0 ? "odd" : "even");
        tui_line_accept(&line, text);
    }
    assert_int_equal(line.count, TUI_HISTORY_MAX);
    tui_line_release(&line);
}

/* ---- the console */

static void the_console_shows_characters_of_the_pc_and_no_prompts(void **state)
{
    struct tui_console console = {0};
    static const char output[] =
        "(doppel) (doppel) caf\xc3\xa9 \xe2\x94\x80\xe2\x82\xac\n(doppel) \nlast\n(doppel) ";
    (void)state;
    for (size_t i = 0; i < sizeof output - 1; i++) {
        tui_console_write(&console, output + i, 1);
    }
    assert_int_equal(tui_console_count(&console), 2);
    assert_string_equal(tui_console_line(&console, 0), "caf\x82 \xc4?");
    assert_string_equal(tui_console_line(&console, 1), "last");
    tui_console_release(&console);
}

static void the_console_keeps_the_last_lines(void **state)
{
    struct tui_console console = {0};
    char line[32];
    (void)state;
    for (unsigned i = 0; i < TUI_CONSOLE_LINES + 10; i++) {
        snprintf(line, sizeof line, "line %u\n", i);
        tui_console_write(&console, line, strlen(line));
    }
    assert_int_equal(tui_console_count(&console), TUI_CONSOLE_LINES);
    assert_string_equal(tui_console_line(&console, 0), "line 10");
    assert_string_equal(tui_console_line(&console, TUI_CONSOLE_LINES - 1), "line 2009");
    tui_console_scroll(&console, 100000);
    assert_int_equal(console.scrolled, TUI_CONSOLE_LINES);
    tui_console_scroll(&console, -100000);
    assert_int_equal(console.scrolled, 0);
    tui_console_release(&console);
}

/* ---- the whole screen */

struct screen {
    struct bench *bench;
    struct tui *tui;
    struct display_frame frame;
    unsigned asked[FRONT_END_BACKGROUND + 1];
    char text[DISPLAY_MAX_ROWS * DISPLAY_MAX_COLUMNS * 4];
};

static void count_request(void *opaque, enum front_end_request request)
{
    struct screen *screen = opaque;
    screen->asked[request]++;
}

/* Real mode, at 0000:7c00, a little program there. */
static int set_up(void **state)
{
    static const uint8_t code[] = {0xb8, 0x34, 0x12, 0x50, 0xe8, 0x02, 0x00,
                                   0x58, 0xf4, 0x0f, 0x01, 0xe0, 0xc3};
    struct screen *screen = calloc(1, sizeof *screen);
    void *bench;
    bench_set_up(&bench);
    screen->bench = bench;
    struct machine *machine = screen->bench->machine;
    memcpy(machine->ram + 0x7c00, code, sizeof code);
    memcpy(machine->ram + 0x500, "Some text\x00\x01\x02", 12);
    answer(screen->bench, "set cs = 0");
    answer(screen->bench, "set eip = 0x7c00");
    answer(screen->bench, "set esp = 0x7000");
    answer(screen->bench, "set esi = 0x500");
    monitor_close(screen->bench->session);
    screen->bench->session = NULL;
    machine->paused = true;
    machine->cpu.retired = 1000;
    screen->tui = tui_create(screen->bench->monitor, count_request, screen);
    tui_resize(screen->tui, 80, 23);
    *state = screen;
    return 0;
}

static int tear_down(void **state)
{
    struct screen *screen = *state;
    void *bench = screen->bench;
    tui_destroy(screen->tui);
    display_frame_release(&screen->frame);
    bench_tear_down(&bench);
    free(screen);
    return 0;
}

static const char *look(struct screen *screen)
{
    const struct display_source *display = tui_display(screen->tui);
    monitor_poll(screen->bench->monitor);
    display->render(display->opaque, &screen->frame, false);
    display_text_to_utf8(&screen->frame.text, screen->text, sizeof screen->text);
    return screen->text;
}

static void press_with(struct screen *screen, enum key modifier, enum key key)
{
    const struct input_sink *input = tui_input(screen->tui);
    if (modifier != KEY_NONE) {
        input->key(input->opaque, modifier, true);
    }
    input->key(input->opaque, key, true);
    input->key(input->opaque, key, false);
    if (modifier != KEY_NONE) {
        input->key(input->opaque, modifier, false);
    }
    look(screen);
}

static void press(struct screen *screen, enum key key)
{
    press_with(screen, KEY_NONE, key);
}

static void type(struct screen *screen, const char *text)
{
    for (; *text != '\0'; text++) {
        bool shift;
        enum key key = key_for_character(*text, &shift);
        press_with(screen, shift ? KEY_SHIFT : KEY_NONE, key);
    }
}

/* The machine has gone to `eip` and is stopped there by its step limit. */
static void arrive(struct screen *screen, uint32_t eip, uint64_t instructions)
{
    struct machine *machine = screen->bench->machine;
    machine->cpu.rip = eip;
    machine->cpu.retired += instructions;
    assert_false(machine->paused);
    assert_true(monitor_note_run(screen->bench->monitor, MACHINE_BREAK));
    tui_note_stop(screen->tui);
}

static void the_screen_of_80x24_looks_so(void **state)
{
    static const char golden[] =
        "─[Code  16-bit, real mode, ring 0]───────────── Registers ──────────────────────\n"
        "> 0000:7c00  mov ax, 0x1234                  │eax 00000000 esi 00000500 cs 0000\n"
        "  0000:7c03  push ax                         │ebx 00000000 edi 00000000 ss 0000\n"
        "  0000:7c04  call 0x7c09                     │ecx 00000000 ebp 00000000 ds 0000\n"
        "  0000:7c07  pop ax                          │edx 00000686 esp 00007000 es 0000\n"
        "  0000:7c08  hlt                             │eip 00007c00 efl 00000002 fs 0000\n"
        "  0000:7c09  smsw ax !                       │of df if tf sf zf af pf cf  iopl0\n"
        "  0000:7c0c  ret                             │cr0 60000010 cr3 00000000 gs 0000\n"
        "  0000:7c0d  add byte ptr [bx + si], al      │cr2 00000000 cr4 00000000 ld 0000\n"
        "  0000:7c0f  add byte ptr [bx + si], al      ── Stack  ss:sp ───────────────────\n"
        "  0000:7c11  add byte ptr [bx + si], al      │0000:7000  0000 <sp\n"
        "  0000:7c13  add byte ptr [bx + si], al      │0000:7002  0000\n"
        "─ Memory  ds:esi ────────────────────────────│0000:7004  0000\n"
        "00000500  53 6f 6d 65 20 74 65 78 Some tex   │0000:7006  0000\n"
        "00000508  74 00 01 02 00 00 00 00 t.☺☻....   │0000:7008  0000\n"
        "00000510  00 00 00 00 00 00 00 00 ........   ── Breakpoints ────────────────────\n"
        "00000518  00 00 00 00 00 00 00 00 ........   │none: F2, break, watch, catch\n"
        "00000520  00 00 00 00 00 00 00 00 ........   │\n"
        "─ Console  stopped after 1000 instructions ─────────────────────────────────────\n"
        "F1 explains the keys; help lists the commands that can be typed here\n"
        "\n"
        "\n"
        "(doppel)\n";
    struct screen *screen = *state;
    if (!disassembly_is_there()) {
        skip();
    }
    assert_string_equal(look(screen), golden);
}

static void a_wide_screen_shows_the_guests_as_well(void **state)
{
    struct screen *screen = *state;
    screen->bench->machine->screen = "C:\\>dir";
    tui_resize(screen->tui, 160, 49);
    const char *text = look(screen);
    assert_contains(text, "─ Screen  F5 shows it alone ──");
    assert_contains(text, "│C:\\>dir\n");
    assert_contains(text, "00000500  53 6f 6d 65 20 74 65 78  74 00 01 02 00 00 00 00 Some text.☺☻....");
}

static void tiny_and_huge_screens_do_no_harm(void **state)
{
    struct screen *screen = *state;
    for (unsigned columns = 1; columns <= 1000; columns += columns < 90 ? 7 : 83) {
        for (unsigned rows = 1; rows <= 1000; rows += rows < 30 ? 3 : 97) {
            tui_resize(screen->tui, columns, rows);
            look(screen);
            press(screen, KEY_TAB);
            press(screen, KEY_PGDN);
            press(screen, KEY_PGUP);
        }
    }
}

static void f2_sets_a_breakpoint_at_the_cursor_and_takes_it_away(void **state)
{
    struct screen *screen = *state;
    struct debugger *debugger = monitor_debugger(screen->bench->monitor);
    look(screen);
    press(screen, KEY_DOWN);
    press(screen, KEY_DOWN);
    press(screen, KEY_F2);
    assert_true(debugger_has_code_breakpoint(debugger, 0x7c04));
    assert_contains(look(screen), " *0000:7c04 ");
    assert_contains(look(screen), "│1     break 0x00007c04\n");
    press(screen, KEY_UP);
    press(screen, KEY_DOWN);
    press(screen, KEY_F2);
    assert_false(debugger_has_code_breakpoint(debugger, 0x7c04));
}

static void a_step_moves_the_mark_and_marks_what_has_changed(void **state)
{
    struct screen *screen = *state;
    struct machine *machine = screen->bench->machine;
    look(screen);
    press(screen, KEY_F7);
    assert_int_equal(machine->step_limit, 1001);
    machine->cpu.gpr[CPU_AX].d = 0x1234;
    arrive(screen, 0x7c03, 1);
    const char *text = look(screen);
    assert_contains(text, "> 0000:7c03 ");
    assert_contains(text, "│eax*00001234 esi 00000500 cs 0000\n");
    assert_contains(text, "│eip*00007c03 efl 00000002 fs 0000\n");
    assert_contains(text, "stopped after 1001 instructions");
    assert_null(strstr(text, "after 1001 instructions\n>")); /* the panes show it, the console need not */
    press(screen, KEY_F7);
    arrive(screen, 0x7c04, 1);
    assert_contains(look(screen), "│eax 00001234 ");
}

static void watches_have_a_pane_and_follow_from_stop_to_stop(void **state)
{
    struct screen *screen = *state;
    struct machine *machine = screen->bench->machine;
    look(screen);
    assert_null(strstr(look(screen), "Watches"));
    type(screen, "display ax + 1\n");
    type(screen, "display u8(0x500)\n");
    type(screen, "display 1 / bx\n");
    press(screen, KEY_ESC);
    const char *text = look(screen);
    assert_contains(text, "─ Watches ────");
    assert_contains(text, "\n1: ax + 1 = 0x1 (1)");
    assert_contains(text, "\n2: u8(0x500) = 0x53 (83)");
    assert_contains(text, "\n3: 1 / bx: "); /* and why not */
    press(screen, KEY_F7);
    machine->cpu.gpr[CPU_AX].d = 4;
    arrive(screen, 0x7c03, 1);
    text = look(screen);
    assert_contains(text, "\n1:*ax + 1 = 0x5 (5)");
    assert_contains(text, "\n2: u8(0x500) = 0x53 (83)");
    press(screen, KEY_F7);
    arrive(screen, 0x7c04, 1);
    assert_contains(look(screen), "\n1: ax + 1 = 0x5 (5)");
    for (unsigned i = 0; i < 3; i++) { /* from the code by registers and stack */
        press(screen, KEY_TAB);
    }
    text = look(screen);
    assert_contains(text, "─[Watches]─");
    press(screen, KEY_DELETE);
    press(screen, KEY_ENTER);
    text = look(screen);
    assert_contains(text, "─[Memory  u8(0x500)]─");
    assert_contains(text, "\n00000053  ");
    type(screen, "undisplay\n");
    assert_null(strstr(look(screen), "Watches"));
}

static void keys_typed_ahead_wait_for_the_stop(void **state)
{
    struct screen *screen = *state;
    look(screen);
    assert_true(tui_input_ready(screen->tui));
    press(screen, KEY_F7);
    assert_false(tui_input_ready(screen->tui));
    arrive(screen, 0x7c03, 1);
    assert_true(tui_input_ready(screen->tui));
    press(screen, KEY_F9);
    for (unsigned i = 0; i < 100; i++) {
        (void)tui_input_ready(screen->tui);
    }
    assert_true(tui_input_ready(screen->tui)); /* it goes on and on: Esc must come through */
}

static void escape_stops_a_running_machine(void **state)
{
    struct screen *screen = *state;
    look(screen);
    press(screen, KEY_F9);
    assert_false(screen->bench->machine->paused);
    assert_contains(tui_status(screen->tui), "running");
    press(screen, KEY_F7);
    assert_contains(look(screen), "the machine is running (Esc stops it)");
    press(screen, KEY_ESC);
    assert_true(screen->bench->machine->break_requested);
    arrive(screen, 0x7c08, 5);
    assert_true(screen->bench->machine->paused);
}

static void typing_leads_to_the_command_line_and_its_answer_is_shown(void **state)
{
    struct screen *screen = *state;
    look(screen);
    type(screen, "print 6 * 7\n");
    const char *text = look(screen);
    assert_contains(text, "─[Console  stopped");
    assert_contains(text, "> print 6 * 7\n0x2a (42)\n");
    type(screen, "pri");
    press(screen, KEY_TAB);
    type(screen, "1\n");
    assert_contains(look(screen), "> print 1\n0x1 (1)\n");
    press(screen, KEY_UP);
    press(screen, KEY_UP);
    assert_contains(look(screen), "(doppel) print 6 * 7\n");
    press(screen, KEY_ESC);
    press(screen, KEY_ESC);
    assert_contains(look(screen), "─[Code ");
}

static void g_goes_to_an_expression_which_memory_then_follows(void **state)
{
    struct screen *screen = *state;
    look(screen);
    type(screen, "g0:7c08\n");
    press(screen, KEY_F2);
    assert_true(debugger_has_code_breakpoint(monitor_debugger(screen->bench->monitor), 0x7c08));
    press(screen, KEY_TAB);
    press(screen, KEY_TAB);
    press(screen, KEY_TAB);
    type(screen, "gss:esp\n");
    assert_contains(look(screen), "─[Memory  ss:esp]─");
    assert_contains(look(screen), "\n00007000  00 00");
    screen->bench->machine->cpu.gpr[CPU_SP].d = 0x6ff0;
    screen->bench->machine->cpu.retired++;
    assert_contains(look(screen), "\n00006ff0  00 00");
    type(screen, "gnonsense\n");
    assert_contains(look(screen), "nonsense");
    press_with(screen, KEY_CTRL, KEY_G);
    press(screen, KEY_ESC);
    assert_contains(look(screen), "\n(doppel)\n");
}

static void memory_is_edited_by_digits(void **state)
{
    struct screen *screen = *state;
    look(screen);
    press(screen, KEY_TAB);
    press(screen, KEY_TAB);
    press(screen, KEY_TAB);
    press(screen, KEY_RIGHT);
    press(screen, KEY_ENTER);
    type(screen, "4fE1");
    assert_memory_equal(screen->bench->machine->ram + 0x500, "S\x4f\xe1\x65", 4);
    press(screen, KEY_ENTER);
    type(screen, "a");
    assert_contains(look(screen), "(doppel) a\n");
    assert_memory_equal(screen->bench->machine->ram + 0x500, "S\x4f\xe1\x65", 4);
}

static void breakpoints_are_switched_and_removed_in_their_pane(void **state)
{
    struct screen *screen = *state;
    struct debugger *debugger = monitor_debugger(screen->bench->monitor);
    look(screen);
    type(screen, "break 0x7c03\nbreak 0x7c07\n");
    press(screen, KEY_ESC);
    for (unsigned i = 0; i < 4; i++) {
        press(screen, KEY_TAB);
    }
    press(screen, KEY_DOWN);
    press(screen, KEY_SPACE);
    assert_true(debugger_find(debugger, 1)->enabled);
    assert_false(debugger_find(debugger, 2)->enabled);
    press(screen, KEY_UP);
    press(screen, KEY_DELETE);
    assert_null(debugger_find(debugger, 1));
    assert_non_null(debugger_find(debugger, 2));
}

static void the_guests_screen_gets_the_keys_and_no_key_stays_down(void **state)
{
    struct screen *screen = *state;
    struct machine *machine = screen->bench->machine;
    const struct input_sink *input = tui_input(screen->tui);
    machine->screen = "A:\\>";
    look(screen);
    press(screen, KEY_F9);
    press(screen, KEY_F5);
    assert_string_equal(look(screen), "A:\\>\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n");
    press(screen, KEY_A);
    assert_int_equal(machine->key_count, 2);
    input->key(input->opaque, KEY_B, true);
    machine->input_ready = false;
    assert_false(tui_input_ready(screen->tui));
    tui_show(screen->tui);
    assert_true(machine->break_requested);
    arrive(screen, 0x7c08, 5);
    assert_int_equal(machine->keys[machine->key_count - 1].key, KEY_B);
    assert_false(machine->keys[machine->key_count - 1].pressed);
    assert_contains(look(screen), "─[Code ");
    press(screen, KEY_F5);
    press(screen, KEY_C); /* of a paused machine: back, and nothing else */
    assert_contains(look(screen), "\n(doppel)\n");
    assert_int_equal(machine->key_count, 4);
}

static void leaving_is_asked_for_by_keys(void **state)
{
    struct screen *screen = *state;
    look(screen);
    press_with(screen, KEY_ALT, KEY_X);
    press_with(screen, KEY_CTRL, KEY_Z);
    assert_int_equal(screen->asked[FRONT_END_QUIT], 1);
    assert_int_equal(screen->asked[FRONT_END_BACKGROUND], 1);
    press(screen, KEY_F1);
    assert_contains(look(screen), "F7  F11   step ");
    press(screen, KEY_F7); /* only leaves the help */
    assert_true(screen->bench->machine->paused);
}

#define SCREEN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panes_fill_the_screen_without_overlap_at_every_size),
        cmocka_unit_test(a_screen_of_80x24_has_all_panes_but_the_guests),
        cmocka_unit_test(the_line_is_edited_at_its_cursor),
        cmocka_unit_test(the_line_never_grows_beyond_its_room),
        cmocka_unit_test(earlier_lines_come_back_and_the_new_one_waits),
        cmocka_unit_test(the_console_shows_characters_of_the_pc_and_no_prompts),
        cmocka_unit_test(the_console_keeps_the_last_lines),
        SCREEN_TEST(the_screen_of_80x24_looks_so),
        SCREEN_TEST(a_wide_screen_shows_the_guests_as_well),
        SCREEN_TEST(tiny_and_huge_screens_do_no_harm),
        SCREEN_TEST(f2_sets_a_breakpoint_at_the_cursor_and_takes_it_away),
        SCREEN_TEST(a_step_moves_the_mark_and_marks_what_has_changed),
        SCREEN_TEST(watches_have_a_pane_and_follow_from_stop_to_stop),
        SCREEN_TEST(keys_typed_ahead_wait_for_the_stop),
        SCREEN_TEST(escape_stops_a_running_machine),
        SCREEN_TEST(typing_leads_to_the_command_line_and_its_answer_is_shown),
        SCREEN_TEST(g_goes_to_an_expression_which_memory_then_follows),
        SCREEN_TEST(memory_is_edited_by_digits),
        SCREEN_TEST(breakpoints_are_switched_and_removed_in_their_pane),
        SCREEN_TEST(the_guests_screen_gets_the_keys_and_no_key_stays_down),
        SCREEN_TEST(leaving_is_asked_for_by_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
