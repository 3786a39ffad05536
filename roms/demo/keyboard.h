/*
 * The PS/2 keyboard: from scan codes to key events.
 */
#ifndef DEMO_KEYBOARD_H
#define DEMO_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

/* Keys that are no character; below 256 a key is its ASCII code. Control with a letter gives 1 to 26. */
enum key {
    KEY_NONE = 0,
    KEY_BACKSPACE = '\b',
    KEY_TAB = '\t',
    KEY_ENTER = '\n',
    KEY_ESCAPE = 27,
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_INSERT,
    KEY_DELETE,
    KEY_F1, /* F1 to F10 follow each other */
};

#define KEY_CONTROL(letter) ((letter) - 'A' + 1)

struct key_event {
    bool is_extended; /* an E0h came before the code */
    bool is_pressed;  /* false: released */
    uint8_t code;     /* set 1, without the release bit */
    int key;          /* enum key or a character; KEY_NONE for shifts and unknown keys */
    const char *name; /* "A", "Left Shift", "?" */
};

void keyboard_init(void);

/* The oldest event that was not read yet; false if there is none. */
bool keyboard_read_event(struct key_event *event);

/* True if keyboard_read_event has bytes to look at; for sleeping with interrupts off. */
bool keyboard_has_data(void);

#endif
