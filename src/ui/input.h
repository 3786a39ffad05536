/* Keys and mouse movements on their way from a front end, script or remote display to the guest's devices.
 *
 * Keys are named by position on a US keyboard with the names QEMU's `sendkey` uses, listed once in key.def
 * together with their set-1 make codes (IBM PC/AT Technical Reference). */
#ifndef DOPPEL_UI_INPUT_H
#define DOPPEL_UI_INPUT_H

#include <stdbool.h>
#include <stdint.h>

enum key {
    KEY_NONE = 0,
#define KEY(symbol, name, set1) KEY_##symbol,
#include "ui/key.def"
#undef KEY
    KEY_COUNT
};

enum mouse_button { MOUSE_BUTTON_LEFT = 1, MOUSE_BUTTON_RIGHT = 2, MOUSE_BUTTON_MIDDLE = 4 };

/* Who takes input: filled in by the machine, called by front ends on the machine's thread. */
struct input_sink {
    /* A key went down or up. Transitions only: repeating a held key is the emulated keyboard's business. */
    void (*key)(void *opaque, enum key key, bool pressed);
    /* Relative motion in mickeys (right and down positive), wheel in notches (towards the user positive),
     * buttons as a set of enum mouse_button. */
    void (*mouse)(void *opaque, int dx, int dy, int wheel, unsigned buttons);
    void *opaque;
};

/* "a", "ctrl", "f1", "kp_enter", … -> key; KEY_NONE when unknown. */
enum key key_from_name(const char *name);
const char *key_name(enum key key);

/* Set-1 make code: 0xNN, or 0xE0NN for extended keys; 0xE11D45 (Pause). 0 for KEY_NONE. */
uint32_t key_set1_code(enum key key);

/* The key, and whether Shift is needed, that types ASCII `character` on a US keyboard ('\n' is Enter, '\t'
 * Tab, '\b' Backspace, 0x1b Escape). KEY_NONE when there is none. */
enum key key_for_character(char character, bool *shift);

#endif
