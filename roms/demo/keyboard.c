/*
 * See keyboard.h. The 8042 delivers scan code set 1 (it translates, as the BIOS left it), one byte an IRQ 1.
 * The interrupt only queues bytes; decoding happens when somebody reads, so that shift states follow what was
 * read.
 *
 * US layout. NOT IMPLEMENTED: Num Lock (the number block is always digits), Alt characters, set 2.
 */
#include "keyboard.h"

#include <stddef.h>

#include "interrupts.h"
#include "x86.h"

#define KBC_DATA        0x60
#define KBC_STATUS      0x64
#define KBC_OUTPUT_FULL 0x01
#define KBC_INPUT_FULL  0x02
#define KBC_FROM_MOUSE  0x20
#define KBC_POLLS       10000

#define KEYBOARD_SET_LEDS 0xed
#define KEYBOARD_ACK      0xfa
#define KEYBOARD_LED_CAPS 0x04

#define SCAN_EXTENDED    0xe0
#define SCAN_PAUSE       0xe1 /* followed by two codes that mean nothing alone */
#define SCAN_RELEASE     0x80
#define SCAN_CONTROL     0x1d
#define SCAN_LEFT_SHIFT  0x2a
#define SCAN_RIGHT_SHIFT 0x36
#define SCAN_CAPS_LOCK   0x3a

#define QUEUE_SIZE 64 /* a power of two */

struct key_row {
    int16_t plain;
    int16_t shifted;
    const char *name;
};

// clang-format off
static const struct key_row keys[] = {
    [0x01] = {KEY_ESCAPE, KEY_ESCAPE, "Esc"},
    [0x02] = {'1', '!', "1"},   [0x03] = {'2', '@', "2"},   [0x04] = {'3', '#', "3"},  [0x05] = {'4', '$', "4"},
    [0x06] = {'5', '%', "5"},   [0x07] = {'6', '^', "6"},   [0x08] = {'7', '&', "7"},  [0x09] = {'8', '*', "8"},
    [0x0a] = {'9', '(', "9"},   [0x0b] = {'0', ')', "0"},   [0x0c] = {'-', '_', "-"},  [0x0d] = {'=', '+', "="},
    [0x0e] = {KEY_BACKSPACE, KEY_BACKSPACE, "Backspace"},
    [0x0f] = {KEY_TAB, KEY_TAB, "Tab"},
    [0x10] = {'q', 'Q', "Q"},   [0x11] = {'w', 'W', "W"},   [0x12] = {'e', 'E', "E"},  [0x13] = {'r', 'R', "R"},
    [0x14] = {'t', 'T', "T"},   [0x15] = {'y', 'Y', "Y"},   [0x16] = {'u', 'U', "U"},  [0x17] = {'i', 'I', "I"},
    [0x18] = {'o', 'O', "O"},   [0x19] = {'p', 'P', "P"},   [0x1a] = {'[', '{', "["},  [0x1b] = {']', '}', "]"},
    [0x1c] = {KEY_ENTER, KEY_ENTER, "Enter"},
    [0x1d] = {0, 0, "Left Ctrl"},
    [0x1e] = {'a', 'A', "A"},   [0x1f] = {'s', 'S', "S"},   [0x20] = {'d', 'D', "D"},  [0x21] = {'f', 'F', "F"},
    [0x22] = {'g', 'G', "G"},   [0x23] = {'h', 'H', "H"},   [0x24] = {'j', 'J', "J"},  [0x25] = {'k', 'K', "K"},
    [0x26] = {'l', 'L', "L"},   [0x27] = {';', ':', ";"},   [0x28] = {'\'', '"', "'"}, [0x29] = {'`', '~', "`"},
    [0x2a] = {0, 0, "Left Shift"},
    [0x2b] = {'\\', '|', "\\"},
    [0x2c] = {'z', 'Z', "Z"},   [0x2d] = {'x', 'X', "X"},   [0x2e] = {'c', 'C', "C"},  [0x2f] = {'v', 'V', "V"},
    [0x30] = {'b', 'B', "B"},   [0x31] = {'n', 'N', "N"},   [0x32] = {'m', 'M', "M"},  [0x33] = {',', '<', ","},
    [0x34] = {'.', '>', "."},   [0x35] = {'/', '?', "/"},
    [0x36] = {0, 0, "Right Shift"},
    [0x37] = {'*', '*', "Keypad *"},
    [0x38] = {0, 0, "Left Alt"},
    [0x39] = {' ', ' ', "Space"},
    [0x3a] = {0, 0, "Caps Lock"},
    [0x3b] = {KEY_F1, KEY_F1, "F1"},         [0x3c] = {KEY_F1 + 1, KEY_F1 + 1, "F2"},
    [0x3d] = {KEY_F1 + 2, KEY_F1 + 2, "F3"}, [0x3e] = {KEY_F1 + 3, KEY_F1 + 3, "F4"},
    [0x3f] = {KEY_F1 + 4, KEY_F1 + 4, "F5"}, [0x40] = {KEY_F1 + 5, KEY_F1 + 5, "F6"},
    [0x41] = {KEY_F1 + 6, KEY_F1 + 6, "F7"}, [0x42] = {KEY_F1 + 7, KEY_F1 + 7, "F8"},
    [0x43] = {KEY_F1 + 8, KEY_F1 + 8, "F9"}, [0x44] = {KEY_F1 + 9, KEY_F1 + 9, "F10"},
    [0x45] = {0, 0, "Num Lock"},
    [0x46] = {0, 0, "Scroll Lock"},
    [0x47] = {'7', '7', "Keypad 7"}, [0x48] = {'8', '8', "Keypad 8"}, [0x49] = {'9', '9', "Keypad 9"},
    [0x4a] = {'-', '-', "Keypad -"},
    [0x4b] = {'4', '4', "Keypad 4"}, [0x4c] = {'5', '5', "Keypad 5"}, [0x4d] = {'6', '6', "Keypad 6"},
    [0x4e] = {'+', '+', "Keypad +"},
    [0x4f] = {'1', '1', "Keypad 1"}, [0x50] = {'2', '2', "Keypad 2"}, [0x51] = {'3', '3', "Keypad 3"},
    [0x52] = {'0', '0', "Keypad 0"}, [0x53] = {'.', '.', "Keypad ."},
    [0x57] = {0, 0, "F11"},
    [0x58] = {0, 0, "F12"},
};

static const struct key_row extended_keys[] = {
    [0x1c] = {KEY_ENTER, KEY_ENTER, "Keypad Enter"},
    [0x1d] = {0, 0, "Right Ctrl"},
    [0x35] = {'/', '/', "Keypad /"},
    [0x37] = {0, 0, "Print Screen"},
    [0x38] = {0, 0, "Right Alt"},
    [0x46] = {0, 0, "Break"},
    [0x47] = {KEY_HOME, KEY_HOME, "Home"},
    [0x48] = {KEY_UP, KEY_UP, "Up"},
    [0x49] = {KEY_PAGE_UP, KEY_PAGE_UP, "Page Up"},
    [0x4b] = {KEY_LEFT, KEY_LEFT, "Left"},
    [0x4d] = {KEY_RIGHT, KEY_RIGHT, "Right"},
    [0x4f] = {KEY_END, KEY_END, "End"},
    [0x50] = {KEY_DOWN, KEY_DOWN, "Down"},
    [0x51] = {KEY_PAGE_DOWN, KEY_PAGE_DOWN, "Page Down"},
    [0x52] = {KEY_INSERT, KEY_INSERT, "Insert"},
    [0x53] = {KEY_DELETE, KEY_DELETE, "Delete"},
    [0x5b] = {0, 0, "Left Super"},
    [0x5c] = {0, 0, "Right Super"},
    [0x5d] = {0, 0, "Menu"},
};
// clang-format on

static struct {
    volatile uint8_t queue[QUEUE_SIZE];
    volatile uint32_t head; /* written by the interrupt only */
    volatile uint32_t tail; /* written by the reader only */
    uint8_t shifts;         /* bit 0 left, bit 1 right */
    uint8_t controls;
    bool caps_lock;
    bool after_extended;
    uint8_t skip; /* codes left of a Pause */
} keyboard;

static void keyboard_interrupt(void)
{
    uint8_t status = port_read8(KBC_STATUS);
    uint8_t byte = port_read8(KBC_DATA);
    if ((status & KBC_OUTPUT_FULL) == 0 || (status & KBC_FROM_MOUSE) != 0 || byte == KEYBOARD_ACK)
        return;
    if (keyboard.head - keyboard.tail < QUEUE_SIZE) {
        keyboard.queue[keyboard.head % QUEUE_SIZE] = byte;
        keyboard.head = keyboard.head + 1;
    }
}

void keyboard_init(void)
{
    for (int i = 0; i < KBC_POLLS && (port_read8(KBC_STATUS) & KBC_OUTPUT_FULL) != 0; i++)
        (void)port_read8(KBC_DATA);
    interrupts_set_handler(IRQ_KEYBOARD, keyboard_interrupt);
}

static void keyboard_send(uint8_t byte)
{
    for (int i = 0; i < KBC_POLLS && (port_read8(KBC_STATUS) & KBC_INPUT_FULL) != 0; i++)
        continue;
    port_write8(KBC_DATA, byte);
}

/* The acknowledgements arrive with interrupts off and are read here, between the two bytes. */
static void keyboard_show_leds(void)
{
    uint32_t flags = interrupts_save();
    keyboard_send(KEYBOARD_SET_LEDS);
    for (int i = 0; i < KBC_POLLS; i++) {
        if ((port_read8(KBC_STATUS) & KBC_OUTPUT_FULL) != 0) {
            (void)port_read8(KBC_DATA);
            break;
        }
    }
    keyboard_send(keyboard.caps_lock ? KEYBOARD_LED_CAPS : 0);
    interrupts_restore(flags);
}

static void set_bit(uint8_t *set, unsigned bit, bool on)
{
    *set = (uint8_t)(on ? *set | 1u << bit : *set & ~(1u << bit));
}

static const struct key_row *find_row(bool is_extended, uint8_t code)
{
    const struct key_row *table = is_extended ? extended_keys : keys;
    size_t rows =
        is_extended ? sizeof(extended_keys) / sizeof(extended_keys[0]) : sizeof(keys) / sizeof(keys[0]);
    return code < rows && table[code].name != NULL ? &table[code] : NULL;
}

static void track_modifiers(const struct key_event *event)
{
    if (event->code == SCAN_CONTROL)
        set_bit(&keyboard.controls, event->is_extended, event->is_pressed);
    if (event->is_extended)
        return; /* E0 2A and E0 36 are fake shifts around the grey keys */
    if (event->code == SCAN_LEFT_SHIFT)
        set_bit(&keyboard.shifts, 0, event->is_pressed);
    if (event->code == SCAN_RIGHT_SHIFT)
        set_bit(&keyboard.shifts, 1, event->is_pressed);
    if (event->code == SCAN_CAPS_LOCK && event->is_pressed) {
        keyboard.caps_lock = !keyboard.caps_lock;
        keyboard_show_leds();
    }
}

static int apply_modifiers(const struct key_row *row)
{
    bool is_letter = row->plain >= 'a' && row->plain <= 'z';
    if (is_letter && keyboard.controls != 0)
        return row->plain - 'a' + 1;
    bool is_shifted = keyboard.shifts != 0;
    if (is_letter && keyboard.caps_lock)
        is_shifted = !is_shifted;
    return is_shifted ? row->shifted : row->plain;
}

/* True if byte completes an event. */
static bool decode(uint8_t byte, struct key_event *event)
{
    if (keyboard.skip > 0) {
        keyboard.skip--;
        return false;
    }
    if (byte == SCAN_PAUSE) {
        keyboard.skip = 2;
        return false;
    }
    if (byte == SCAN_EXTENDED) {
        keyboard.after_extended = true;
        return false;
    }
    *event = (struct key_event){.is_extended = keyboard.after_extended,
                                .is_pressed = (byte & SCAN_RELEASE) == 0,
                                .code = byte & (uint8_t)~SCAN_RELEASE,
                                .name = "?"};
    keyboard.after_extended = false;
    track_modifiers(event);
    const struct key_row *row = find_row(event->is_extended, event->code);
    if (row != NULL) {
        event->name = row->name;
        event->key = apply_modifiers(row);
    }
    return true;
}

bool keyboard_has_data(void)
{
    return keyboard.head != keyboard.tail;
}

bool keyboard_read_event(struct key_event *event)
{
    while (keyboard_has_data()) {
        uint8_t byte = keyboard.queue[keyboard.tail % QUEUE_SIZE];
        keyboard.tail = keyboard.tail + 1;
        if (decode(byte, event))
            return true;
    }
    return false;
}
