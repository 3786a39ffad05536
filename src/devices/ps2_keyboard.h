/* A 101/102-key PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards, 101- and
 * 102-Key").
 *
 * Keys come in as positions and go out as scan codes of the set that the host selected; the keyboard itself
 * repeats the key that is held (typematic). 16 bytes of key codes are queued; a code that does not fit
 * becomes one overrun byte (00h, in set 1 FFh). Answers to commands do not wait behind key codes.
 *
 * The self test after a reset takes 5 ms of virtual time, in which keys are lost: a hundredth of a real
 * keyboard's, for which firmware would wait at every start, and still long enough that its result never comes
 * together with the acknowledgement. The power-on self test is over before the machine starts and has left no
 * completion byte behind, because the controller's clock line was low.
 *
 * NOT IMPLEMENTED: the make/break pairs of Shift that real keyboards put around the grey cursor keys while
 * Num Lock or Shift is on; the set-3 break code of Pause. */
#ifndef DOPPEL_DEVICES_PS2_KEYBOARD_H
#define DOPPEL_DEVICES_PS2_KEYBOARD_H

#include "devices/device.h"
#include "devices/ps2_link.h"
#include "ui/input.h"

#define PS2_LED_SCROLL_LOCK 1
#define PS2_LED_NUM_LOCK    2
#define PS2_LED_CAPS_LOCK   4

struct ps2_keyboard;

/* `request` is high while the keyboard has bytes for the controller. Errors: out of memory. */
struct status ps2_keyboard_create(const struct device_host *host, const struct irq_line *request,
                                  struct ps2_keyboard **keyboard) STATUS_MUST_CHECK;

struct device *ps2_keyboard_device(struct ps2_keyboard *keyboard);

/* The plug. */
struct ps2_link ps2_keyboard_link(struct ps2_keyboard *keyboard);

/* A key went down or up. A key that is down already, or up already, changes nothing. */
void ps2_keyboard_key(struct ps2_keyboard *keyboard, enum key key, bool pressed);

/* Whether the next key event would be neither dropped nor overrun: scripts that type wait for this. */
bool ps2_keyboard_ready(const struct ps2_keyboard *keyboard);

/* Bits PS2_LED_*. */
unsigned ps2_keyboard_leds(const struct ps2_keyboard *keyboard);

#endif
