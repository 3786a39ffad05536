/* The high precision event timer (IA-PC HPET Specification 1.0a): a 64-bit counter of 100 MHz and three
 * comparators, at FED00000h.
 *
 * With legacy replacement, timer 0 drives what the 8254 drives otherwise (IRQ0) and timer 1 what the clock
 * drives (IRQ8); the board swaps them when `legacy_replacement` says so. Otherwise a timer drives the I/O
 * APIC input that its configuration names. An edge-triggered output stays up until its next edge or until the
 * timer is switched off; a level-triggered one until its status bit is cleared.
 *
 * A period too short to serve gets an interrupt every HPET_SHORTEST_NS; edges that fall between count as one.
 *
 * NOT IMPLEMENTED: FSB (message-signalled) interrupts. */
#ifndef DOPPEL_DEVICES_HPET_H
#define DOPPEL_DEVICES_HPET_H

#include "devices/device.h"

#define HPET_BASE    0xFED00000u
#define HPET_TIMERS  3u
#define HPET_ROUTES  32u
#define HPET_TICK_NS 10u

#define HPET_SHORTEST_NS (10 * NS_PER_MICROSECOND)

struct hpet;

struct hpet_config {
    struct irq_line legacy[2];          /* timers 0 and 1 under legacy replacement */
    struct irq_line legacy_replacement; /* high while it is on */
    struct irq_line routes[HPET_ROUTES];
    uint32_t route_mask; /* which of `routes` a timer may name */
};

/* Errors: the memory is taken or not addressable, out of memory. */
struct status hpet_create(const struct device_host *host, const struct hpet_config *config,
                          struct hpet **hpet) STATUS_MUST_CHECK;

struct device *hpet_device(struct hpet *hpet);

#endif
