/* What a terminal sends, as key strokes of a PC keyboard.
 *
 * A pure state machine: bytes in, events out, no clock and no descriptor. It knows the sequences that xterm
 * and its descendants, the Linux console and rxvt send (xterm's ctlseqs.txt, "PC-Style Function Keys";
 * console_codes(4)), xterm's modifier parameters, "CSI u" keys, Alt as an ESC prefix, and bracketed paste.
 * Ctrl+] is the prefix for doppel itself.
 *
 * NOT IMPLEMENTED: characters outside ASCII (ignored), mouse reports (ignored), key releases (terminals do
 * not tell). */
#ifndef DOPPEL_UI_TTY_KEYS_H
#define DOPPEL_UI_TTY_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/input.h"

#define TTY_KEYS_PREFIX 0x1D /* Ctrl+] */

/* Bits of a stroke's modifiers; xterm's order. */
enum tty_modifier { TTY_SHIFT = 1, TTY_ALT = 2, TTY_CTRL = 4, TTY_META = 8 };

enum tty_event_kind {
    TTY_EVENT_STROKE, /* a key pressed and released with modifiers held */
    TTY_EVENT_COMMAND /* a character after the prefix, lower case; the prefix twice is a stroke */
};

struct tty_event {
    enum tty_event_kind kind;
    enum key key;       /* stroke */
    unsigned modifiers; /* stroke: enum tty_modifier */
    char command;       /* command */
};

#define TTY_KEYS_PARAMETERS 4

enum tty_keys_state {
    TTY_KEYS_GROUND,
    TTY_KEYS_PREFIXED, /* after Ctrl+] */
    TTY_KEYS_ESCAPE,   /* after ESC */
    TTY_KEYS_CSI,      /* after ESC [ */
    TTY_KEYS_CONSOLE,  /* after ESC [ [ : the Linux console's F1-F5 */
    TTY_KEYS_SS3       /* after ESC O */
};

/* All zero is the initial state. Fields are private. */
struct tty_keys {
    enum tty_keys_state state;
    bool alt;     /* the sequence was preceded by a further ESC */
    bool ignored; /* the sequence has a private marker or intermediates */
    unsigned parameters[TTY_KEYS_PARAMETERS];
    unsigned parameter; /* index of the one being read */
    bool pasting;
    bool after_return; /* a pasted CR came last: LF after it is the same line end */
};

/* Who gets the events. */
struct tty_keys_sink {
    void (*emit)(void *opaque, const struct tty_event *event);
    void *opaque;
};

/* Feeds bytes; the sink is called for each event that they complete. */
void tty_keys_feed(struct tty_keys *keys, const uint8_t *bytes, size_t length,
                   const struct tty_keys_sink *sink);

/* Whether a sequence has begun that may also be a key of its own (Escape): if nothing follows for some 50 ms,
 * call tty_keys_flush(). */
bool tty_keys_is_pending(const struct tty_keys *keys);
void tty_keys_flush(struct tty_keys *keys, const struct tty_keys_sink *sink);

/* Whether the next character is a command for doppel (to show what there is to choose from). */
static inline bool tty_keys_is_prefixed(const struct tty_keys *keys)
{
    return keys->state == TTY_KEYS_PREFIXED;
}

#endif
