/* Names, scan codes and characters of the keys; see input.h. Everything about a key that is not in key.def's
 * row is here: the other names people try, and the US layout. */
#include "ui/input.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/bits.h"

static const struct {
    const char *name;
    uint32_t set1;
} key_descriptions[KEY_COUNT] = {
    [KEY_NONE] = {"none", 0},
#define KEY(symbol, name, set1) [KEY_##symbol] = {name, set1},
#include "ui/key.def"
#undef KEY
};

static const struct {
    const char *name;
    enum key key;
} key_aliases[] = {
    {"enter", KEY_ENTER},
    {"return", KEY_ENTER},
    {"space", KEY_SPACE},
    {"escape", KEY_ESC},
    {"bksp", KEY_BACKSPACE},
    {"ctrl_l", KEY_CTRL},
    {"control", KEY_CTRL},
    {"shift_l", KEY_SHIFT},
    {"alt_l", KEY_ALT},
    {"altgr", KEY_ALT_R},
    {"capslock", KEY_CAPS_LOCK},
    {"numlock", KEY_NUM_LOCK},
    {"scrolllock", KEY_SCROLL_LOCK},
    {"quote", KEY_APOSTROPHE},
    {"grave", KEY_GRAVE_ACCENT},
    {"backquote", KEY_GRAVE_ACCENT},
    {"equals", KEY_EQUAL},
    {"period", KEY_DOT},
    {"asterisk", KEY_KP_MULTIPLY},
    {"kp_period", KEY_KP_DECIMAL},
    {"kp_minus", KEY_KP_SUBTRACT},
    {"kp_plus", KEY_KP_ADD},
    {"del", KEY_DELETE},
    {"ins", KEY_INSERT},
    {"pageup", KEY_PGUP},
    {"page_up", KEY_PGUP},
    {"pagedown", KEY_PGDN},
    {"page_down", KEY_PGDN},
    {"meta", KEY_META_L},
    {"win", KEY_META_L},
    {"compose", KEY_MENU},
    {"print_screen", KEY_PRINT},
    {"break", KEY_PAUSE},
};

enum key key_from_name(const char *name)
{
    for (unsigned i = KEY_NONE + 1; i < KEY_COUNT; i++) {
        if (strcasecmp(name, key_descriptions[i].name) == 0) {
            return (enum key)i;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(key_aliases); i++) {
        if (strcasecmp(name, key_aliases[i].name) == 0) {
            return key_aliases[i].key;
        }
    }
    return KEY_NONE;
}

const char *key_name(enum key key)
{
    return key_descriptions[key].name;
}

uint32_t key_set1_code(enum key key)
{
    return key_descriptions[key].set1;
}

/* The typewriter keys with what they type alone and with Shift. */
static const struct {
    enum key key;
    char plain, shifted;
} key_characters[] = {
    // clang-format off
    {KEY_A, 'a', 'A'},                 {KEY_B, 'b', 'B'},                 {KEY_C, 'c', 'C'},
    {KEY_D, 'd', 'D'},                 {KEY_E, 'e', 'E'},                 {KEY_F, 'f', 'F'},
    {KEY_G, 'g', 'G'},                 {KEY_H, 'h', 'H'},                 {KEY_I, 'i', 'I'},
    {KEY_J, 'j', 'J'},                 {KEY_K, 'k', 'K'},                 {KEY_L, 'l', 'L'},
    {KEY_M, 'm', 'M'},                 {KEY_N, 'n', 'N'},                 {KEY_O, 'o', 'O'},
    {KEY_P, 'p', 'P'},                 {KEY_Q, 'q', 'Q'},                 {KEY_R, 'r', 'R'},
    {KEY_S, 's', 'S'},                 {KEY_T, 't', 'T'},                 {KEY_U, 'u', 'U'},
    {KEY_V, 'v', 'V'},                 {KEY_W, 'w', 'W'},                 {KEY_X, 'x', 'X'},
    {KEY_Y, 'y', 'Y'},                 {KEY_Z, 'z', 'Z'},                 {KEY_1, '1', '!'},
    {KEY_2, '2', '@'},                 {KEY_3, '3', '#'},                 {KEY_4, '4', '$'},
    {KEY_5, '5', '%'},                 {KEY_6, '6', '^'},                 {KEY_7, '7', '&'},
    {KEY_8, '8', '*'},                 {KEY_9, '9', '('},                 {KEY_0, '0', ')'},
    {KEY_MINUS, '-', '_'},             {KEY_EQUAL, '=', '+'},             {KEY_BRACKET_LEFT, '[', '{'},
    {KEY_BRACKET_RIGHT, ']', '}'},     {KEY_BACKSLASH, '\\', '|'},        {KEY_SEMICOLON, ';', ':'},
    {KEY_APOSTROPHE, '\'', '"'},       {KEY_GRAVE_ACCENT, '`', '~'},      {KEY_COMMA, ',', '<'},
    {KEY_DOT, '.', '>'},               {KEY_SLASH, '/', '?'},             {KEY_SPACE, ' ', '\0'},
    {KEY_ENTER, '\n', '\0'},           {KEY_ENTER, '\r', '\0'},           {KEY_TAB, '\t', '\0'},
    {KEY_BACKSPACE, '\b', '\0'},       {KEY_BACKSPACE, '\x7f', '\0'},     {KEY_ESC, '\x1b', '\0'},
    // clang-format on
};

enum key key_for_character(char character, bool *shift)
{
    *shift = false;
    if (character == '\0') {
        return KEY_NONE;
    }
    for (size_t i = 0; i < ARRAY_COUNT(key_characters); i++) {
        if (character == key_characters[i].plain || character == key_characters[i].shifted) {
            *shift = character == key_characters[i].shifted;
            return key_characters[i].key;
        }
    }
    return KEY_NONE;
}
