/* The keyboard; see ps2_keyboard.h. */
#include "devices/ps2_keyboard.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "devices/ps2_scancodes.h"

#define QUEUE_SIZE       16
#define LONGEST_SEQUENCE 8 /* Pause in set 2 */
#define SELF_TEST_NS     (5 * NS_PER_MILLISECOND)

#define DEFAULT_TYPEMATIC 0x2b /* 500 ms, 10.9 per second */

enum answer { ANSWER_ACK = 0xfa, ANSWER_RESEND = 0xfe, ANSWER_ECHO = 0xee, ANSWER_SELF_TEST_OK = 0xaa };

enum set3_flags { SET3_MAKE_ONLY = 0, SET3_BREAK = 1, SET3_TYPEMATIC = 2 };

struct ps2_keyboard {
    struct device device;
    struct device_host host;
    struct irq_line request;

    uint8_t queue[QUEUE_SIZE];
    unsigned queue_head;
    unsigned queue_count;
    bool overrun; /* the last byte of the queue is the overrun code */
    uint8_t answers[4];
    unsigned answer_count;
    uint8_t last_sent;

    uint8_t command; /* command that waits for its argument, 0: none */
    uint8_t leds;
    uint8_t scan_set; /* 1..3 */
    uint8_t typematic;
    bool scanning;
    bool self_testing;
    uint8_t set3_flags[256]; /* enum set3_flags, by set-3 code */

    bool down[KEY_COUNT];
    enum key repeating;
    struct clock_event repeat_event;
    struct clock_event self_test_event;
};

static void keyboard_update_request(struct ps2_keyboard *keyboard)
{
    irq_line_set(&keyboard->request, keyboard->queue_count + keyboard->answer_count > 0);
}

static void keyboard_answer(struct ps2_keyboard *keyboard, uint8_t byte)
{
    if (keyboard->answer_count < sizeof keyboard->answers) {
        keyboard->answers[keyboard->answer_count++] = byte;
    }
}

static void keyboard_clear_queue(struct ps2_keyboard *keyboard)
{
    keyboard->queue_count = 0;
    keyboard->overrun = false;
}

static void keyboard_queue(struct ps2_keyboard *keyboard, const uint8_t *bytes, unsigned length)
{
    uint8_t overrun_code = keyboard->scan_set == 1 ? 0xff : 0x00;
    if (length > QUEUE_SIZE - keyboard->queue_count) {
        if (keyboard->overrun) {
            return;
        }
        if (keyboard->queue_count == QUEUE_SIZE) {
            keyboard->queue_count--; /* the last place is the overrun code's */
        }
        keyboard->overrun = true;
        bytes = &overrun_code;
        length = 1;
    }
    for (unsigned i = 0; i < length; i++) {
        keyboard->queue[(keyboard->queue_head + keyboard->queue_count++) % QUEUE_SIZE] = bytes[i];
    }
    keyboard_update_request(keyboard);
}

static bool keyboard_any_down(const struct ps2_keyboard *keyboard, enum key left, enum key right)
{
    return keyboard->down[left] || keyboard->down[right];
}

/* Appends one key of `prefix` (0 or E0h) in set 1 or 2. */
static unsigned append_code(const struct ps2_keyboard *keyboard, uint8_t *to, uint8_t prefix, uint8_t set1,
                            bool pressed)
{
    unsigned length = 0;
    if (prefix != 0) {
        to[length++] = prefix;
    }
    if (keyboard->scan_set == 1) {
        to[length++] = pressed ? set1 : set1 | 0x80;
    } else {
        if (!pressed) {
            to[length++] = 0xf0;
        }
        to[length++] = ps2_set1_to_set2(set1);
    }
    return length;
}

/* Pause has no break code; with Ctrl it is Break. */
static unsigned pause_codes(const struct ps2_keyboard *keyboard, uint8_t *to, bool pressed)
{
    if (!pressed) {
        return 0;
    }
    unsigned length = 0;
    if (keyboard_any_down(keyboard, KEY_CTRL, KEY_CTRL_R)) {
        length += append_code(keyboard, to, 0xe0, 0x46, true);
        return length + append_code(keyboard, to + length, 0xe0, 0x46, false);
    }
    length += append_code(keyboard, to, 0xe1, 0x1d, true);
    length += append_code(keyboard, to + length, 0, 0x45, true);
    length += append_code(keyboard, to + length, 0xe1, 0x1d, false);
    return length + append_code(keyboard, to + length, 0, 0x45, false);
}

/* Print Screen: SysRq with Alt, alone with Ctrl or Shift, otherwise inside a Shift of its own. */
static unsigned print_codes(const struct ps2_keyboard *keyboard, uint8_t *to, bool pressed)
{
    if (keyboard_any_down(keyboard, KEY_ALT, KEY_ALT_R)) {
        return append_code(keyboard, to, 0, 0x54, pressed);
    }
    if (keyboard_any_down(keyboard, KEY_CTRL, KEY_CTRL_R) ||
        keyboard_any_down(keyboard, KEY_SHIFT, KEY_SHIFT_R)) {
        return append_code(keyboard, to, 0xe0, 0x37, pressed);
    }
    unsigned length = append_code(keyboard, to, 0xe0, pressed ? 0x2a : 0x37, pressed);
    return length + append_code(keyboard, to + length, 0xe0, pressed ? 0x37 : 0x2a, pressed);
}

static unsigned set3_codes(const struct ps2_keyboard *keyboard, uint8_t *to, uint32_t set1, bool pressed)
{
    uint8_t code = ps2_set3_code(set1);
    unsigned length = 0;
    if (code == 0 || (!pressed && !(keyboard->set3_flags[code] & SET3_BREAK))) {
        return 0;
    }
    if (!pressed) {
        to[length++] = 0xf0;
    }
    to[length++] = code;
    return length;
}

static void keyboard_send_key(struct ps2_keyboard *keyboard, enum key key, bool pressed)
{
    uint8_t bytes[LONGEST_SEQUENCE + 2];
    uint32_t set1 = key_set1_code(key);
    unsigned length;
    if (keyboard->scan_set == 3) {
        length = set3_codes(keyboard, bytes, set1, pressed);
    } else if (key == KEY_PAUSE) {
        length = pause_codes(keyboard, bytes, pressed);
    } else if (key == KEY_PRINT) {
        length = print_codes(keyboard, bytes, pressed);
    } else {
        length = append_code(keyboard, bytes, (uint8_t)(set1 >> 8), (uint8_t)set1, pressed);
    }
    if (length > 0) {
        keyboard_queue(keyboard, bytes, length);
    }
}

static bool keyboard_repeats(const struct ps2_keyboard *keyboard, enum key key)
{
    if (keyboard->scan_set == 3) {
        return keyboard->set3_flags[ps2_set3_code(key_set1_code(key))] & SET3_TYPEMATIC;
    }
    return key != KEY_PAUSE;
}

static uint64_t typematic_delay(const struct ps2_keyboard *keyboard)
{
    return ((keyboard->typematic >> 5 & 3) + 1u) * 250 * NS_PER_MILLISECOND;
}

/* Period = (8 + A) * 2^B * 1/240 s, A and B being bits 0-2 and 3-4. */
static uint64_t typematic_period(const struct ps2_keyboard *keyboard)
{
    uint64_t units = (8u + (keyboard->typematic & 7u)) << (keyboard->typematic >> 3 & 3);
    return units * NS_PER_SECOND / 240;
}

static void keyboard_stop_repeat(struct ps2_keyboard *keyboard)
{
    keyboard->repeating = KEY_NONE;
    event_clock_cancel(keyboard->host.clock, &keyboard->repeat_event);
}

/* A repeat is dropped while the host has not taken what went before: a slow guest gets no backlog of them. */
static void repeat_fire(void *opaque)
{
    struct ps2_keyboard *keyboard = opaque;
    if (keyboard->queue_count == 0) {
        keyboard_send_key(keyboard, keyboard->repeating, true);
    }
    event_clock_schedule(keyboard->host.clock, &keyboard->repeat_event,
                         event_clock_now(keyboard->host.clock) + typematic_period(keyboard));
}

void ps2_keyboard_key(struct ps2_keyboard *keyboard, enum key key, bool pressed)
{
    if (key <= KEY_NONE || key >= KEY_COUNT || keyboard->down[key] == pressed) {
        return;
    }
    keyboard->down[key] = pressed;
    if (!keyboard->scanning || keyboard->self_testing) {
        return;
    }
    keyboard_send_key(keyboard, key, pressed);
    if (pressed) {
        keyboard_stop_repeat(keyboard);
        if (keyboard_repeats(keyboard, key)) {
            keyboard->repeating = key;
            event_clock_schedule(keyboard->host.clock, &keyboard->repeat_event,
                                 event_clock_now(keyboard->host.clock) + typematic_delay(keyboard));
        }
    } else if (keyboard->repeating == key) {
        keyboard_stop_repeat(keyboard);
    }
}

bool ps2_keyboard_ready(const struct ps2_keyboard *keyboard)
{
    return keyboard->scanning && !keyboard->self_testing &&
           QUEUE_SIZE - keyboard->queue_count >= LONGEST_SEQUENCE;
}

unsigned ps2_keyboard_leds(const struct ps2_keyboard *keyboard)
{
    return keyboard->leds;
}

static void set3_set_all(struct ps2_keyboard *keyboard, uint8_t flags)
{
    memset(keyboard->set3_flags, flags, sizeof keyboard->set3_flags);
}

/* Set 3 after power-on: most keys repeat, modifiers also say when they are released, the rest do neither. */
static void set3_set_defaults(struct ps2_keyboard *keyboard)
{
    static const uint8_t with_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
    static const uint8_t make_only[] = {0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x39, 0x3f,
                                        0x47, 0x4f, 0x56, 0x57, 0x58, 0x5e, 0x5f, 0x62, 0x65, 0x67,
                                        0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73,
                                        0x74, 0x75, 0x76, 0x77, 0x79, 0x7a, 0x7d, 0x7e, 0x84};
    set3_set_all(keyboard, SET3_TYPEMATIC);
    for (unsigned i = 0; i < ARRAY_COUNT(with_break); i++) {
        keyboard->set3_flags[with_break[i]] = SET3_BREAK;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(make_only); i++) {
        keyboard->set3_flags[make_only[i]] = SET3_MAKE_ONLY;
    }
}

static void keyboard_set_defaults(struct ps2_keyboard *keyboard)
{
    keyboard->scan_set = 2;
    keyboard->typematic = DEFAULT_TYPEMATIC;
    keyboard->command = 0;
    set3_set_defaults(keyboard);
    keyboard_clear_queue(keyboard);
    keyboard_stop_repeat(keyboard);
}

static void self_test_fire(void *opaque)
{
    struct ps2_keyboard *keyboard = opaque;
    keyboard->self_testing = false;
    keyboard_answer(keyboard, ANSWER_SELF_TEST_OK);
    keyboard_update_request(keyboard);
}

static void keyboard_take_argument(struct ps2_keyboard *keyboard, uint8_t argument)
{
    uint8_t command = keyboard->command;
    keyboard->command = 0;
    switch (command) {
    case 0xed: keyboard->leds = argument & 7; break;
    case 0xf3: keyboard->typematic = argument & 0x7f; break;
    case 0xf0:
        if (argument > 3) {
            keyboard_answer(keyboard, ANSWER_RESEND);
            return;
        }
        keyboard_answer(keyboard, ANSWER_ACK);
        if (argument == 0) {
            keyboard_answer(keyboard, keyboard->scan_set);
        } else {
            keyboard->scan_set = argument;
            keyboard_clear_queue(keyboard);
        }
        return;
    case 0xfb: keyboard->set3_flags[argument] = SET3_TYPEMATIC; break;
    case 0xfc: keyboard->set3_flags[argument] = SET3_BREAK; break;
    default: keyboard->set3_flags[argument] = SET3_MAKE_ONLY; break; /* FDh */
    }
    keyboard_answer(keyboard, ANSWER_ACK);
    if (command >= 0xfb) {
        keyboard->command = command; /* lists of keys end with the next command */
    }
}

static void keyboard_take_command(struct ps2_keyboard *keyboard, uint8_t command)
{
    switch (command) {
    case 0xee: keyboard_answer(keyboard, ANSWER_ECHO); return;
    case 0xfe: keyboard_answer(keyboard, keyboard->last_sent); return;
    case 0xed:
    case 0xf0:
    case 0xf3: keyboard->command = command; break;
    case 0xfb:
    case 0xfc:
    case 0xfd:
        keyboard->command = command;
        keyboard->scanning = false;
        break;
    case 0xf2:
        keyboard_answer(keyboard, ANSWER_ACK);
        keyboard_answer(keyboard, 0xab);
        keyboard_answer(keyboard, 0x83);
        return;
    case 0xf4:
        keyboard->scanning = true;
        keyboard_clear_queue(keyboard);
        break;
    case 0xf5:
        keyboard_set_defaults(keyboard);
        keyboard->scanning = false;
        break;
    case 0xf6: keyboard_set_defaults(keyboard); break;
    case 0xf7: set3_set_all(keyboard, SET3_TYPEMATIC); break;
    case 0xf8: set3_set_all(keyboard, SET3_BREAK); break;
    case 0xf9: set3_set_all(keyboard, SET3_MAKE_ONLY); break;
    case 0xfa: set3_set_all(keyboard, SET3_TYPEMATIC | SET3_BREAK); break;
    case 0xff:
        keyboard_set_defaults(keyboard);
        keyboard->leds = 0;
        keyboard->scanning = true;
        keyboard->self_testing = true;
        event_clock_schedule(keyboard->host.clock, &keyboard->self_test_event,
                             event_clock_now(keyboard->host.clock) + SELF_TEST_NS);
        break;
    default: keyboard_answer(keyboard, ANSWER_RESEND); return;
    }
    keyboard_answer(keyboard, ANSWER_ACK);
}

static void keyboard_receive(void *opaque, uint8_t byte)
{
    struct ps2_keyboard *keyboard = opaque;
    keyboard->answer_count = 0;
    bool is_argument = keyboard->command == 0xed || keyboard->command == 0xf3 ? byte < 0xed : byte < 0xf0;
    if (keyboard->command != 0 && is_argument) {
        keyboard_take_argument(keyboard, byte);
    } else {
        keyboard->command = 0;
        keyboard_take_command(keyboard, byte);
    }
    keyboard_update_request(keyboard);
}

static bool keyboard_take_byte(void *opaque, uint8_t *byte)
{
    struct ps2_keyboard *keyboard = opaque;
    if (keyboard->answer_count > 0) {
        *byte = keyboard->answers[0];
        keyboard->answer_count--;
        memmove(keyboard->answers, keyboard->answers + 1, keyboard->answer_count);
    } else if (keyboard->queue_count > 0) {
        *byte = keyboard->queue[keyboard->queue_head];
        keyboard->queue_head = (keyboard->queue_head + 1) % QUEUE_SIZE;
        keyboard->queue_count--;
        keyboard->overrun = keyboard->overrun && keyboard->queue_count > 0;
    } else {
        return false;
    }
    keyboard->last_sent = *byte;
    keyboard_update_request(keyboard);
    return true;
}

struct ps2_link ps2_keyboard_link(struct ps2_keyboard *keyboard)
{
    return (struct ps2_link){.send = keyboard_receive, .take = keyboard_take_byte, .opaque = keyboard};
}

/* As after the power-on self test. Keys that are held stay held. */
static void keyboard_reset(struct device *device)
{
    struct ps2_keyboard *keyboard = CONTAINER_OF(device, struct ps2_keyboard, device);
    keyboard_set_defaults(keyboard);
    event_clock_cancel(keyboard->host.clock, &keyboard->self_test_event);
    keyboard->self_testing = false;
    keyboard->answer_count = 0;
    keyboard->last_sent = ANSWER_SELF_TEST_OK;
    keyboard->leds = 0;
    keyboard->scanning = true;
    keyboard_update_request(keyboard);
}

static void keyboard_describe(struct device *device, FILE *out)
{
    const struct ps2_keyboard *keyboard = CONTAINER_OF(device, struct ps2_keyboard, device);
    fprintf(out, "keyboard: set %u leds %u typematic %02x queued %u%s%s\n", keyboard->scan_set,
            keyboard->leds, keyboard->typematic, keyboard->queue_count, keyboard->scanning ? "" : " disabled",
            keyboard->self_testing ? " self-test" : "");
}

static void keyboard_destroy(struct device *device)
{
    struct ps2_keyboard *keyboard = CONTAINER_OF(device, struct ps2_keyboard, device);
    event_clock_cancel(keyboard->host.clock, &keyboard->repeat_event);
    event_clock_cancel(keyboard->host.clock, &keyboard->self_test_event);
    free(keyboard);
}

static const struct device_class ps2_keyboard_class = {.name = "keyboard",
                                                       .reset = keyboard_reset,
                                                       .describe = keyboard_describe,
                                                       .destroy = keyboard_destroy,
                                                       .state_size = sizeof(struct ps2_keyboard)};

struct status ps2_keyboard_create(const struct device_host *host, const struct irq_line *request,
                                  struct ps2_keyboard **keyboard)
{
    struct ps2_keyboard *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the keyboard");
    }
    made->device.class = &ps2_keyboard_class;
    made->host = *host;
    made->request = *request;
    clock_event_init(&made->repeat_event, "keyboard-repeat", repeat_fire, made);
    clock_event_init(&made->self_test_event, "keyboard-self-test", self_test_fire, made);
    keyboard_reset(&made->device);
    *keyboard = made;
    return status_ok();
}

struct device *ps2_keyboard_device(struct ps2_keyboard *keyboard)
{
    return &keyboard->device;
}
