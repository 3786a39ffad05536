/* The PC/AT's pair of 8259A programmable interrupt controllers (Intel 8259A datasheet 231468; edge/level
 * registers: 82371SB PIIX3 datasheet §2.5.3).
 *
 * Ports: 20h-21h master, A0h-A1h slave, 4D0h-4D1h ELCR. The slave's INT output is wired to the master's IR2.
 *
 *            +-------+                       +-------+
 *   IRQ0  ---|IR0    |              IRQ8  ---|IR0    |
 *   IRQ1  ---|IR1    |              IRQ9  ---|IR1    |
 *   slave ---|IR2 INT|--- to_cpu    ...      |    INT|--- master IR2
 *   ...      |       |              IRQ15 ---|IR7    |
 *            +-------+                       +-------+
 *
 * An edge-triggered request stands only while its input stays high, as on the chip: an input that falls
 * before the CPU acknowledges takes its request back, and an acknowledge that finds nothing is answered with
 * IR7 (IRQ7 or IRQ15) without an in-service bit. The master sees the slave's INT as a level.
 *
 * NOT IMPLEMENTED: MCS-80/85 mode (always 8086 vectors), buffered mode (no effect on a PC), ICW1's LTIM and a
 * master ICW3 other than the board's wiring (PIIX3 ignores both). */
#ifndef DOPPEL_DEVICES_I8259_H
#define DOPPEL_DEVICES_I8259_H

#include "devices/device.h"

struct i8259_pair;

/* `to_cpu` is the master's INT output: high while a request waits for an acknowledge. Errors: ports taken,
 * out of memory. */
struct status i8259_pair_create(const struct device_host *host, const struct irq_line *to_cpu,
                                struct i8259_pair **pair) STATUS_MUST_CHECK;

struct device *i8259_pair_device(struct i8259_pair *pair);

/* The input for IRQ `irq`, 0..15. IRQ2 is the ISA pin that the AT board wires to IRQ9. */
struct irq_line i8259_pair_input(struct i8259_pair *pair, unsigned irq);

/* The CPU's INTA cycle: moves the most urgent request to in-service and returns its vector (0..255), a
 * spurious one if the request is gone. */
int i8259_pair_acknowledge(struct i8259_pair *pair);

#endif
