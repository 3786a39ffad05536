/* Terminal input to key strokes; see tty_keys.h. */
#include "ui/tty_keys.h"

#include <string.h>

#include "base/bits.h"

#define ESC 0x1B

#define PARAMETER_MAX 100000

static void emit_stroke(const struct tty_keys_sink *sink, enum key key, unsigned modifiers)
{
    if (key != KEY_NONE) {
        struct tty_event event = {.kind = TTY_EVENT_STROKE, .key = key, .modifiers = modifiers};
        sink->emit(sink->opaque, &event);
    }
}

static void emit_character(const struct tty_keys_sink *sink, char character, unsigned modifiers)
{
    bool shift;
    enum key key = key_for_character(character, &shift);
    emit_stroke(sink, key, modifiers | (shift ? TTY_SHIFT : 0u));
}

/* A byte below 80h outside of any sequence: ASCII's control codes are Ctrl + the character 40h above, but for
 * those that have keys of their own. */
static void emit_byte(const struct tty_keys_sink *sink, uint8_t byte, unsigned modifiers)
{
    switch (byte) {
    case 0x00: emit_stroke(sink, KEY_2, modifiers | TTY_CTRL); return;
    case 0x1C: emit_stroke(sink, KEY_BACKSLASH, modifiers | TTY_CTRL); return;
    case 0x1D: emit_stroke(sink, KEY_BRACKET_RIGHT, modifiers | TTY_CTRL); return;
    case 0x1E: emit_stroke(sink, KEY_6, modifiers | TTY_CTRL); return;
    case 0x1F: emit_stroke(sink, KEY_MINUS, modifiers | TTY_CTRL); return;
    case '\b':
    case '\t':
    case '\r':
    case ESC: emit_character(sink, (char)byte, modifiers); return;
    default: break;
    }
    if (byte < 0x20) {
        emit_character(sink, (char)(byte + 'a' - 1), modifiers | TTY_CTRL);
    } else if (byte < 0x80) {
        emit_character(sink, (char)byte, modifiers);
    }
}

/* Keys by the final byte of "CSI 1 ; modifiers X" and of "SS3 X". */
static enum key key_for_letter(uint8_t letter)
{
    switch (letter) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return KEY_RIGHT;
    case 'D': return KEY_LEFT;
    case 'E': return KEY_KP_5;
    case 'F': return KEY_END;
    case 'H': return KEY_HOME;
    case 'M': return KEY_KP_ENTER;
    case 'P': return KEY_F1;
    case 'Q': return KEY_F2;
    case 'R': return KEY_F3;
    case 'S': return KEY_F4;
    default: return KEY_NONE;
    }
}

/* Keys by the number in "CSI number ~" (VT220 and rxvt numbering). */
static enum key key_for_number(unsigned number)
{
    static const enum key keys[] = {
        [1] = KEY_HOME, [2] = KEY_INSERT, [3] = KEY_DELETE, [4] = KEY_END, [5] = KEY_PGUP, [6] = KEY_PGDN,
        [7] = KEY_HOME, [8] = KEY_END,    [11] = KEY_F1,    [12] = KEY_F2, [13] = KEY_F3,  [14] = KEY_F4,
        [15] = KEY_F5,  [17] = KEY_F6,    [18] = KEY_F7,    [19] = KEY_F8, [20] = KEY_F9,  [21] = KEY_F10,
        [23] = KEY_F11, [24] = KEY_F12,   [29] = KEY_MENU,
    };
    return number < ARRAY_COUNT(keys) ? keys[number] : KEY_NONE;
}

/* xterm's second parameter: 1 + the set of modifiers; absent (0): none. */
static unsigned sequence_modifiers(const struct tty_keys *keys)
{
    unsigned parameter = keys->parameters[1];
    unsigned modifiers = parameter > 1 ? (parameter - 1) & (TTY_SHIFT | TTY_ALT | TTY_CTRL | TTY_META) : 0;
    return modifiers | (keys->alt ? TTY_ALT : 0u);
}

static void finish_csi(struct tty_keys *keys, uint8_t final, const struct tty_keys_sink *sink)
{
    unsigned modifiers = sequence_modifiers(keys);
    keys->state = TTY_KEYS_GROUND;
    if (keys->ignored || final == 'M') {
        return;
    }
    if (final == '~' && keys->parameters[0] == 200) {
        keys->pasting = true;
        keys->after_return = false;
    } else if (final == '~' && keys->parameters[0] == 201) {
        keys->pasting = false;
    } else if (final == '~') {
        emit_stroke(sink, key_for_number(keys->parameters[0]), modifiers);
    } else if (final == 'u') {
        if (keys->parameters[0] < 0x80) {
            emit_character(sink, (char)keys->parameters[0], modifiers);
        }
    } else if (final == 'Z') {
        emit_stroke(sink, KEY_TAB, modifiers | TTY_SHIFT);
    } else {
        emit_stroke(sink, key_for_letter(final), modifiers);
    }
}

static void begin_sequence(struct tty_keys *keys, enum tty_keys_state state)
{
    keys->state = state;
    keys->ignored = false;
    keys->parameter = 0;
    memset(keys->parameters, 0, sizeof keys->parameters);
}

static void feed_csi(struct tty_keys *keys, uint8_t byte, const struct tty_keys_sink *sink)
{
    if (byte >= '0' && byte <= '9') {
        unsigned *parameter = &keys->parameters[keys->parameter];
        if (*parameter < PARAMETER_MAX) {
            *parameter = *parameter * 10 + (byte - '0');
        }
    } else if (byte == ';') {
        keys->ignored = keys->ignored || keys->parameter + 1 == TTY_KEYS_PARAMETERS;
        keys->parameter += keys->parameter + 1 < TTY_KEYS_PARAMETERS;
    } else if (byte == '[' && keys->parameter == 0 && keys->parameters[0] == 0) {
        keys->state = TTY_KEYS_CONSOLE;
    } else if (byte >= 0x40 && byte <= 0x7E) {
        finish_csi(keys, byte, sink);
    } else if (byte >= 0x20 && byte < 0x40) {
        keys->ignored = true;
    } else {
        keys->state = TTY_KEYS_GROUND; /* not a sequence after all: drop it */
    }
}

static void feed_escape(struct tty_keys *keys, uint8_t byte, const struct tty_keys_sink *sink)
{
    if (byte == '[') {
        begin_sequence(keys, TTY_KEYS_CSI);
    } else if (byte == 'O') {
        begin_sequence(keys, TTY_KEYS_SS3);
    } else if (byte == ESC && !keys->alt) {
        keys->alt = true;
    } else {
        keys->state = TTY_KEYS_GROUND;
        emit_byte(sink, byte, TTY_ALT);
    }
}

static void feed_prefixed(struct tty_keys *keys, uint8_t byte, const struct tty_keys_sink *sink)
{
    keys->state = TTY_KEYS_GROUND;
    if (byte == TTY_KEYS_PREFIX) {
        emit_byte(sink, byte, 0);
        return;
    }
    bool upper = byte >= 'A' && byte <= 'Z';
    struct tty_event event = {.kind = TTY_EVENT_COMMAND,
                              .command = (char)(upper ? byte + ('a' - 'A') : byte)};
    sink->emit(sink->opaque, &event);
}

static void feed_pasted(struct tty_keys *keys, uint8_t byte, const struct tty_keys_sink *sink)
{
    bool second_of_line_end = byte == '\n' && keys->after_return;
    keys->after_return = byte == '\r';
    if (byte == '\t' || byte == '\r' || (byte == '\n' && !second_of_line_end) ||
        (byte >= 0x20 && byte < 0x7F)) {
        emit_character(sink, (char)byte, 0);
    }
}

static void feed_byte(struct tty_keys *keys, uint8_t byte, const struct tty_keys_sink *sink)
{
    switch (keys->state) {
    case TTY_KEYS_PREFIXED: feed_prefixed(keys, byte, sink); return;
    case TTY_KEYS_ESCAPE: feed_escape(keys, byte, sink); return;
    case TTY_KEYS_CSI: feed_csi(keys, byte, sink); return;
    case TTY_KEYS_CONSOLE:
        keys->state = TTY_KEYS_GROUND;
        if (byte >= 'A' && byte <= 'E') {
            emit_stroke(sink, key_for_number(11u + (byte - 'A')), keys->alt ? TTY_ALT : 0u);
        }
        return;
    case TTY_KEYS_SS3:
        keys->state = TTY_KEYS_GROUND;
        emit_stroke(sink, key_for_letter(byte), keys->alt ? TTY_ALT : 0u);
        return;
    default: break;
    }
    if (byte == ESC) {
        keys->state = TTY_KEYS_ESCAPE;
        keys->alt = false;
    } else if (keys->pasting) {
        feed_pasted(keys, byte, sink);
    } else if (byte == TTY_KEYS_PREFIX) {
        keys->state = TTY_KEYS_PREFIXED;
    } else {
        emit_byte(sink, byte, 0);
    }
}

void tty_keys_feed(struct tty_keys *keys, const uint8_t *bytes, size_t length,
                   const struct tty_keys_sink *sink)
{
    for (size_t i = 0; i < length; i++) {
        feed_byte(keys, bytes[i], sink);
    }
}

bool tty_keys_is_pending(const struct tty_keys *keys)
{
    return keys->state != TTY_KEYS_GROUND && keys->state != TTY_KEYS_PREFIXED;
}

void tty_keys_flush(struct tty_keys *keys, const struct tty_keys_sink *sink)
{
    enum tty_keys_state state = keys->state;
    if (!tty_keys_is_pending(keys)) {
        return;
    }
    keys->state = TTY_KEYS_GROUND;
    if (state == TTY_KEYS_ESCAPE) {
        emit_stroke(sink, KEY_ESC, keys->alt ? TTY_ALT : 0u);
    } else if (state == TTY_KEYS_SS3) {
        emit_character(sink, 'O', TTY_ALT);
    } else if (state == TTY_KEYS_CSI && keys->parameter == 0 && keys->parameters[0] == 0) {
        emit_character(sink, '[', TTY_ALT);
    }
}
