/* The PIIX3's PCI-to-ISA bridge, at 00:01.0: routing of the PCI interrupt lines to ISA IRQs (Intel 82371SB
 * datasheet 290550 §2.2).
 *
 * The PIIX3's other parts are chips of their own here: 8259 (with ELCR), 8254, 8237, MC146818, ports 61h and
 * 92h, and CF9h in i440fx.c.
 *
 * A PIRQ is routed to IRQ3-7, 9-12, 14 or 15 by bits 0-3 of 60h-63h; bit 7 or another number routes it
 * nowhere. An IRQ is high while any line routed to it is asserted; the guest sets it level-triggered in ELCR.
 *
 * NOT IMPLEMENTED: the remaining registers hold what is written and do nothing. */
#ifndef DOPPEL_DEVICES_PIIX3_H
#define DOPPEL_DEVICES_PIIX3_H

#include "devices/device.h"
#include "devices/pci_bus.h"

struct piix3;

struct piix3_config {
    struct irq_line isa_irq[16];
};

/* Errors: slot taken, out of memory. `pci` is borrowed. */
struct status piix3_create(struct pci_bus *pci, const struct piix3_config *config,
                           struct piix3 **bridge) STATUS_MUST_CHECK;

struct device *piix3_device(struct piix3 *bridge);

/* The input PIRQA#..PIRQD# (`pirq` 0..3), for pci_bus_connect_pirq(). */
struct irq_line piix3_pirq(struct piix3 *bridge, unsigned pirq);

/* The input for the ACPI system control interrupt, which shares IRQ9 with what is routed there (as inside the
 * PIIX4). */
struct irq_line piix3_sci(struct piix3 *bridge);

#endif
