/* The I/O APIC (Intel 82093AA datasheet 290566): 24 inputs, each with an entry that says which message to
 * send.
 *
 * Memory at FEC00000h: register select at 00h, window at 10h. An edge-triggered input sends once when it is
 * asserted, unless masked: then the edge is lost (§3.2.4, bit 16). A level-triggered one sends while asserted
 * and remembers (remote IRR) until the EOI of its vector comes back.
 *
 * Inputs carry "asserted", whatever the voltage: the polarity bit is kept and changes nothing.
 *
 * NOT IMPLEMENTED: the serial APIC bus (messages arrive at once; delivery status is always idle, the
 * arbitration ID is the ID). */
#ifndef DOPPEL_DEVICES_IOAPIC_H
#define DOPPEL_DEVICES_IOAPIC_H

#include "bus/interrupt_message.h"
#include "devices/device.h"

#define IOAPIC_BASE   0xFEC00000u
#define IOAPIC_INPUTS 24u

struct ioapic;

/* Errors: the memory is taken or not addressable, out of memory. */
struct status ioapic_create(const struct device_host *host, const struct interrupt_sink *sink,
                            struct ioapic **ioapic) STATUS_MUST_CHECK;

struct device *ioapic_device(struct ioapic *ioapic);

/* Input 0..23. */
struct irq_line ioapic_input(struct ioapic *ioapic, unsigned input);

/* A local APIC has ended an interrupt with a level-triggered `vector`. */
void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector);

#endif
