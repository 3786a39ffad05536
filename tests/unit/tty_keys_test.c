/* Terminal input: what terminals send is what was typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "ui/tty_keys.h"

/* Events as text: "ctrl-alt-delete", commands as "!q", separated by blanks. */
struct transcript {
    char text[4096];
};

static void note_event(void *opaque, const struct tty_event *event)
{
    struct transcript *transcript = opaque;
    size_t used = strlen(transcript->text);
    char *to = transcript->text + used;
    size_t size = sizeof transcript->text - used;
    const char *blank = used ? " " : "";
    if (event->kind == TTY_EVENT_COMMAND) {
        snprintf(to, size, "%s!%c", blank, event->command);
        return;
    }
    snprintf(to, size, "%s%s%s%s%s%s", blank, event->modifiers & TTY_CTRL ? "ctrl-" : "",
             event->modifiers & TTY_ALT ? "alt-" : "", event->modifiers & TTY_SHIFT ? "shift-" : "",
             event->modifiers & TTY_META ? "meta-" : "", key_name(event->key));
}

static void assert_typed(const char *bytes, size_t length, const char *expected)
{
    struct transcript whole = {""}, bytewise = {""};
    struct tty_keys keys = {0};
    struct tty_keys_sink sink = {.emit = note_event, .opaque = &whole};
    tty_keys_feed(&keys, (const uint8_t *)bytes, length, &sink);
    assert_string_equal(whole.text, expected);

    keys = (struct tty_keys){0};
    sink.opaque = &bytewise;
    for (size_t i = 0; i < length; i++) {
        tty_keys_feed(&keys, (const uint8_t *)bytes + i, 1, &sink);
    }
    assert_string_equal(bytewise.text, expected);
}

#define ASSERT_TYPED(bytes, expected) assert_typed(bytes, sizeof(bytes) - 1, expected)

static void text_is_typed_with_shift_where_the_us_layout_has_it(void **state)
{
    (void)state;
    ASSERT_TYPED("dir A:\r", "d i r spc shift-a shift-semicolon ret");
    ASSERT_TYPED("\x7f\t\b", "backspace tab backspace");
}

static void control_codes_are_ctrl_and_a_letter(void **state)
{
    (void)state;
    ASSERT_TYPED("\x01\x03\x1a\n", "ctrl-a ctrl-c ctrl-z ctrl-j");
    ASSERT_TYPED("\0\x1c\x1e\x1f", "ctrl-2 ctrl-backslash ctrl-6 ctrl-minus");
}

static void cursor_and_editing_keys_are_known_from_all_terminals(void **state)
{
    (void)state;
    ASSERT_TYPED("\x1b[A\x1b[B\x1b[C\x1b[D", "up down right left");
    ASSERT_TYPED("\x1bOA\x1bOB\x1bOC\x1bOD", "up down right left");
    ASSERT_TYPED("\x1b[H\x1b[F\x1bOH\x1bOF\x1b[1~\x1b[4~\x1b[7~\x1b[8~",
                 "home end home end home end home end");
    ASSERT_TYPED("\x1b[2~\x1b[3~\x1b[5~\x1b[6~", "insert delete pgup pgdn");
    ASSERT_TYPED("\x1b[Z", "shift-tab");
}

static void function_keys_are_known_from_all_terminals(void **state)
{
    (void)state;
    ASSERT_TYPED("\x1bOP\x1bOQ\x1bOR\x1bOS", "f1 f2 f3 f4");
    ASSERT_TYPED("\x1b[11~\x1b[12~\x1b[13~\x1b[14~", "f1 f2 f3 f4");
    ASSERT_TYPED("\x1b[[A\x1b[[B\x1b[[C\x1b[[D\x1b[[E", "f1 f2 f3 f4 f5");
    ASSERT_TYPED("\x1b[15~\x1b[17~\x1b[18~\x1b[19~\x1b[20~\x1b[21~\x1b[23~\x1b[24~",
                 "f5 f6 f7 f8 f9 f10 f11 f12");
}

static void modifiers_come_as_xterm_sends_them(void **state)
{
    (void)state;
    ASSERT_TYPED("\x1b[1;5A", "ctrl-up");
    ASSERT_TYPED("\x1b[1;2P\x1b[1;3Q", "shift-f1 alt-f2");
    ASSERT_TYPED("\x1b[3;5~\x1b[3;7~", "ctrl-delete ctrl-alt-delete");
    ASSERT_TYPED("\x1b[24;8~", "ctrl-alt-shift-f12");
    ASSERT_TYPED("\x1b[97;5u\x1b[13;2u", "ctrl-a shift-ret");
}

static void alt_is_an_escape_in_front(void **state)
{
    (void)state;
    ASSERT_TYPED("\x1b"
                 "x\x1b"
                 "F\x1b\r",
                 "alt-x alt-shift-f alt-ret");
    ASSERT_TYPED("\x1b\x1b[A\x1b\x1bOP", "alt-up alt-f1");
    ASSERT_TYPED("\x1b\x03", "ctrl-alt-c");
}

static void a_lone_escape_waits_for_the_time_out(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *typed;
    } pending[] = {
        {"\x1b", "esc"},          {"\x1b\x1b", "alt-esc"}, {"\x1b[", "alt-bracket_left"},
        {"\x1bO", "alt-shift-o"}, {"\x1b[1;5", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(pending); i++) {
        struct transcript transcript = {""};
        struct tty_keys keys = {0};
        struct tty_keys_sink sink = {.emit = note_event, .opaque = &transcript};
        assert_false(tty_keys_is_pending(&keys));
        tty_keys_feed(&keys, (const uint8_t *)pending[i].bytes, strlen(pending[i].bytes), &sink);
        assert_true(tty_keys_is_pending(&keys));
        assert_string_equal(transcript.text, "");
        tty_keys_flush(&keys, &sink);
        assert_false(tty_keys_is_pending(&keys));
        assert_string_equal(transcript.text, pending[i].typed);
    }
}

static void the_prefix_makes_commands_and_itself(void **state)
{
    (void)state;
    ASSERT_TYPED("\x1dq\x1dM\x1d\x1d"
                 "a",
                 "!q !m ctrl-bracket_right a");
    struct tty_keys keys = {0};
    struct transcript transcript = {""};
    struct tty_keys_sink sink = {.emit = note_event, .opaque = &transcript};
    tty_keys_feed(&keys, (const uint8_t *)"\x1d", 1, &sink);
    assert_true(tty_keys_is_prefixed(&keys));
    assert_false(tty_keys_is_pending(&keys)); /* it does not time out */
}

static void pasted_text_is_typed_and_cannot_command(void **state)
{
    (void)state;
    ASSERT_TYPED("\x1b[200~a\r\nb\nc\r\x1dq\x03\x1b[201~\x1dq", "a ret b ret c ret q !q");
}

static void what_a_pc_keyboard_lacks_is_ignored(void **state)
{
    (void)state;
    ASSERT_TYPED("\xc3\xa4"
                 "a\xe2\x82\xac",
                 "a");
    ASSERT_TYPED("\x1b[99~\x1b[?1;2c\x1b[<0;1;1Mx", "x");
    ASSERT_TYPED("\x1b[1;2;3;4;5;6;7Ax", "x");
    ASSERT_TYPED("\x1b[99999999999999999999~x", "x");
    ASSERT_TYPED("\x1b[I\x1b[Ox", "x"); /* focus reports */
}

static void any_bytes_leave_the_parser_usable(void **state)
{
    (void)state;
    struct tty_keys keys = {0};
    uint32_t random = 12345;
    struct transcript *transcript = calloc(1, sizeof *transcript);
    for (unsigned i = 0; i < 200000; i++) {
        random = random * 1664525 + 1013904223;
        static const uint8_t likely[] = {0x1b, '[', 'O', ';', '1', '9', '~', 'u', 0x1d};
        uint8_t byte = random >> 31 ? (uint8_t)(random >> 16) : likely[(random >> 8) % sizeof likely];
        transcript->text[0] = '\0';
        struct tty_keys_sink sink = {.emit = note_event, .opaque = transcript};
        tty_keys_feed(&keys, &byte, 1, &sink);
    }
    struct tty_keys_sink sink = {.emit = note_event, .opaque = transcript};
    tty_keys_feed(&keys, (const uint8_t *)"~\x1b[201~", 7, &sink);
    tty_keys_flush(&keys, &sink);
    transcript->text[0] = '\0';
    tty_keys_feed(&keys, (const uint8_t *)"ok", 2, &sink);
    assert_string_equal(transcript->text, "o k");
    free(transcript);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_typed_with_shift_where_the_us_layout_has_it),
        cmocka_unit_test(control_codes_are_ctrl_and_a_letter),
        cmocka_unit_test(cursor_and_editing_keys_are_known_from_all_terminals),
        cmocka_unit_test(function_keys_are_known_from_all_terminals),
        cmocka_unit_test(modifiers_come_as_xterm_sends_them),
        cmocka_unit_test(alt_is_an_escape_in_front),
        cmocka_unit_test(a_lone_escape_waits_for_the_time_out),
        cmocka_unit_test(the_prefix_makes_commands_and_itself),
        cmocka_unit_test(pasted_text_is_typed_and_cannot_command),
        cmocka_unit_test(what_a_pc_keyboard_lacks_is_ignored),
        cmocka_unit_test(any_bytes_leave_the_parser_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
