/* The AT/PS/2 keyboard controller (IBM PS/2 Hardware Interface Technical Reference, "Keyboard/Auxiliary
 * Device Controller (8042)").
 *
 * Ports: 60h data, 64h command/status. Lines: IRQ1, IRQ12, A20 gate (high: enabled), CPU reset (pulsed). Two
 * links: keyboard and auxiliary device (mouse).
 *
 * Bytes from the devices arrive no faster than one per millisecond, as over the serial cable (11 bits at ~10
 * kHz), and only while the output buffer is empty and the port is enabled; between them the controller holds
 * the clock line low. The keyboard is asked first. Answers of the controller itself come at once. With
 * translation on, set-2 codes of the keyboard turn into set 1; the F0h prefix becomes bit 7 of the code after
 * it.
 *
 * Commands: 20h-3Fh, 60h-7Fh controller memory (0 is the command byte), A4h (no password), A7h-A9h, AAh, ABh,
 * ADh, AEh, C0h-C2h, D0h-D4h, DDh, DFh, E0h, F0h-FFh. At reset both ports are disabled and A20 is enabled.
 *
 * NOT IMPLEMENTED: passwords (A5h, A6h are ignored), diagnostic dump (ACh), time-outs and parity errors on
 * the cables. */
#ifndef DOPPEL_DEVICES_I8042_H
#define DOPPEL_DEVICES_I8042_H

#include "devices/device.h"
#include "devices/ps2_link.h"

struct i8042;

struct i8042_config {
    struct irq_line keyboard_irq; /* IRQ1 */
    struct irq_line mouse_irq;    /* IRQ12 */
    struct irq_line a20;          /* driven whenever the guest writes the output port, and at reset */
    struct irq_line cpu_reset;    /* pulsed */
};

/* Errors: ports taken, out of memory. */
struct status i8042_create(const struct device_host *host, const struct i8042_config *config,
                           struct i8042 **controller) STATUS_MUST_CHECK;

struct device *i8042_device(struct i8042 *controller);

/* What the devices' request lines are connected to. */
struct irq_line i8042_keyboard_request(struct i8042 *controller);
struct irq_line i8042_mouse_request(struct i8042 *controller);

/* Plugs a device in, before the guest runs. */
void i8042_plug_keyboard(struct i8042 *controller, struct ps2_link link);
void i8042_plug_mouse(struct i8042 *controller, struct ps2_link link);

#endif
