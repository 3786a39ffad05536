/* A PS/2 mouse: the standard three-button protocol, IntelliMouse with a wheel (ID 3) and IntelliMouse
 * Explorer with five buttons (ID 4) once the host has set the sample rates that ask for them (IBM PS/2
 * Hardware Interface Technical Reference, "Mouse"; Microsoft, "Windows and the 5-Button Wheel Mouse").
 *
 * Movements add up until the next sample; a sample is reported when something changed, the host listens and
 * it has taken the report before. What does not fit one report (9 bits) stays for the next, so nothing
 * overflows. The self test after a reset takes 5 ms, as the keyboard's.
 *
 * NOT IMPLEMENTED: the resolution setting is only reported back: one mickey from the host is one count. */
#ifndef DOPPEL_DEVICES_PS2_MOUSE_H
#define DOPPEL_DEVICES_PS2_MOUSE_H

#include "devices/device.h"
#include "devices/ps2_link.h"

#define PS2_MOUSE_BUTTON_4 8u /* besides enum mouse_button of ui/input.h */
#define PS2_MOUSE_BUTTON_5 16u

struct ps2_mouse;

/* `request` is high while the mouse has bytes for the controller. Errors: out of memory. */
struct status ps2_mouse_create(const struct device_host *host, const struct irq_line *request,
                               struct ps2_mouse **mouse) STATUS_MUST_CHECK;

struct device *ps2_mouse_device(struct ps2_mouse *mouse);

/* The plug. */
struct ps2_link ps2_mouse_link(struct ps2_mouse *mouse);

/* Relative motion, right and down positive; `wheel` in notches, towards the user positive; `buttons` is the
 * set that is down now. */
void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, int wheel, unsigned buttons);

#endif
