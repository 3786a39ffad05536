/* Port 92h, PS/2 system control port A: the fast A20 gate and the fast CPU reset (82371SB PIIX3 datasheet
 * §2.5.6).
 *
 * Bit 0 INIT_NOW (a 0 to 1 change pulses the CPU's INIT), bit 1 A20 enable. Other bits read 0.
 *
 * The A20 output follows writes only: a board has two A20 gates (this and the keyboard controller's), and
 * what it makes of them is the machine's business.
 *
 * NOT IMPLEMENTED: security lock and activity lights (PS/2 only). */
#ifndef DOPPEL_DEVICES_PORT92_H
#define DOPPEL_DEVICES_PORT92_H

#include "devices/device.h"

struct port92;

struct port92_config {
    struct irq_line a20;       /* driven at each write */
    struct irq_line cpu_reset; /* pulsed */
};

/* Errors: port taken, out of memory. */
struct status port92_create(const struct device_host *host, const struct port92_config *config,
                            struct port92 **port) STATUS_MUST_CHECK;

struct device *port92_device(struct port92 *port);

#endif
