/* The key table: names, scan codes and the US layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bits.h"
#include "ui/input.h"

static void every_key_is_found_by_its_own_name(void **state)
{
    (void)state;
    for (unsigned key = KEY_NONE + 1; key < KEY_COUNT; key++) {
        assert_int_equal(key_from_name(key_name((enum key)key)), key);
    }
}

static void aliases_and_capitals_name_the_same_keys(void **state)
{
    (void)state;
    assert_int_equal(key_from_name("enter"), KEY_ENTER);
    assert_int_equal(key_from_name("ret"), KEY_ENTER);
    assert_int_equal(key_from_name("space"), KEY_SPACE);
    assert_int_equal(key_from_name("spc"), KEY_SPACE);
    assert_int_equal(key_from_name("ctrl_l"), KEY_CTRL);
    assert_int_equal(key_from_name("del"), KEY_DELETE);
    assert_int_equal(key_from_name("F10"), KEY_F10);
}

static void unknown_names_are_no_key(void **state)
{
    (void)state;
    assert_int_equal(key_from_name(""), KEY_NONE);
    assert_int_equal(key_from_name("none"), KEY_NONE);
    assert_int_equal(key_from_name("f13x"), KEY_NONE);
    assert_int_equal(key_from_name("ctrl-c"), KEY_NONE);
}

static void scan_codes_are_unique_and_well_formed(void **state)
{
    (void)state;
    assert_int_equal(key_set1_code(KEY_NONE), 0);
    for (unsigned a = KEY_NONE + 1; a < KEY_COUNT; a++) {
        uint32_t code = key_set1_code((enum key)a);
        bool plain = code >= 0x01 && code <= 0x7F;
        bool extended = code >= 0xE001 && code <= 0xE07F;
        if (!plain && !extended && code != 0xE11D45) {
            fail_msg("%s: code %X", key_name((enum key)a), (unsigned)code);
        }
        for (unsigned b = a + 1; b < KEY_COUNT; b++) {
            if (code == key_set1_code((enum key)b)) {
                fail_msg("%s and %s share code %X", key_name((enum key)a), key_name((enum key)b),
                         (unsigned)code);
            }
        }
    }
}

static void scan_codes_are_those_of_the_at_reference(void **state)
{
    (void)state;
    static const struct {
        enum key key;
        uint32_t code;
    } reference[] = {
        {KEY_ESC, 0x01},   {KEY_1, 0x02},         {KEY_0, 0x0B},       {KEY_BACKSPACE, 0x0E},
        {KEY_Q, 0x10},     {KEY_ENTER, 0x1C},     {KEY_CTRL, 0x1D},    {KEY_A, 0x1E},
        {KEY_SHIFT, 0x2A}, {KEY_Z, 0x2C},         {KEY_M, 0x32},       {KEY_SHIFT_R, 0x36},
        {KEY_ALT, 0x38},   {KEY_SPACE, 0x39},     {KEY_F1, 0x3B},      {KEY_F10, 0x44},
        {KEY_KP_7, 0x47},  {KEY_KP_0, 0x52},      {KEY_F11, 0x57},     {KEY_F12, 0x58},
        {KEY_UP, 0xE048},  {KEY_DELETE, 0xE053},  {KEY_ALT_R, 0xE038}, {KEY_KP_ENTER, 0xE01C},
        {KEY_LESS, 0x56},  {KEY_PAUSE, 0xE11D45},
    };
    for (size_t i = 0; i < ARRAY_COUNT(reference); i++) {
        assert_int_equal(key_set1_code(reference[i].key), reference[i].code);
    }
}

static void every_printable_character_can_be_typed_by_one_key_only(void **state)
{
    (void)state;
    bool used[KEY_COUNT][2] = {{false}};
    for (char character = ' '; character <= '~'; character++) {
        bool shift;
        enum key key = key_for_character(character, &shift);
        if (key == KEY_NONE) {
            fail_msg("'%c' cannot be typed", character);
        }
        if (used[key][shift]) {
            fail_msg("'%c' is typed by a key that types another character: %s", character, key_name(key));
        }
        used[key][shift] = true;
    }
}

static void characters_follow_the_us_layout(void **state)
{
    (void)state;
    static const struct {
        char character;
        enum key key;
        bool shift;
    } layout[] = {
        {'a', KEY_A, false},          {'Z', KEY_Z, true},          {'@', KEY_2, true},
        {'*', KEY_8, true},           {'"', KEY_APOSTROPHE, true}, {'\\', KEY_BACKSLASH, false},
        {'|', KEY_BACKSLASH, true},   {':', KEY_SEMICOLON, true},  {'~', KEY_GRAVE_ACCENT, true},
        {'?', KEY_SLASH, true},       {'\n', KEY_ENTER, false},    {'\t', KEY_TAB, false},
        {'\b', KEY_BACKSPACE, false}, {'\x1b', KEY_ESC, false},    {' ', KEY_SPACE, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(layout); i++) {
        bool shift;
        assert_int_equal(key_for_character(layout[i].character, &shift), layout[i].key);
        assert_int_equal(shift, layout[i].shift);
    }
    bool shift;
    assert_int_equal(key_for_character('\0', &shift), KEY_NONE);
    assert_int_equal(key_for_character('\x01', &shift), KEY_NONE);
    assert_int_equal(key_for_character((char)0xE4, &shift), KEY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_by_its_own_name),
        cmocka_unit_test(aliases_and_capitals_name_the_same_keys),
        cmocka_unit_test(unknown_names_are_no_key),
        cmocka_unit_test(scan_codes_are_unique_and_well_formed),
        cmocka_unit_test(scan_codes_are_those_of_the_at_reference),
        cmocka_unit_test(every_printable_character_can_be_typed_by_one_key_only),
        cmocka_unit_test(characters_follow_the_us_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
