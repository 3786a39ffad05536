/* The 8254 programmable interval timer (Intel 8254 datasheet 231164), clocked at 1193182 Hz as on every PC.
 *
 * Ports: 40h-42h counters, 43h control. Counter 0's OUT goes to IRQ0, counter 1's is the memory refresh
 * request, counter 2's is the speaker's tone and has a gate (port 61h).
 *
 * A counter is a function of time: nothing runs while nobody looks. A read computes the count from the tick
 * number of the clock; a connected output line has one event, scheduled for its next change.
 *
 * Catch-up: an output change that is delivered late (the host was busy) delays those that follow to at least
 * a quarter of their distance behind it, so that the guest has the time to see each interrupt, until the line
 * has caught up with the clock; a backlog longer than one second is dropped. A guest that counts ticks
 * therefore keeps the time. Counts that the guest reads and i8254_output() always follow the clock itself.
 *
 * After reset counter 1 already runs as every PC BIOS programs it (mode 2, count 18), because firmware for
 * emulators leaves it alone and guests time short delays with its refresh toggle; the others are idle.
 *
 * NOT IMPLEMENTED: the illegal count 1 in modes 2 and 3 (taken as 2); a count that is not valid BCD is taken
 * digit by digit. */
#ifndef DOPPEL_DEVICES_I8254_H
#define DOPPEL_DEVICES_I8254_H

#include "devices/device.h"
#include "devices/signal_probe.h"

#define I8254_HZ 1193182u

struct i8254;

struct i8254_config {
    struct irq_line out[3]; /* what the OUT pins drive; leave those zeroed that nobody listens to */
};

/* Errors: ports taken, out of memory. */
struct status i8254_create(const struct device_host *host, const struct i8254_config *config,
                           struct i8254 **pit) STATUS_MUST_CHECK;

struct device *i8254_device(struct i8254 *pit);

/* The gate input of counter `channel` (0..2). All gates are high after reset. */
struct irq_line i8254_gate(struct i8254 *pit, unsigned channel);

/* OUT of counter `channel` at this moment. */
struct signal_probe i8254_output(struct i8254 *pit, unsigned channel);

/* A level that changes each time counter `channel` completes a cycle: the refresh toggle of port 61h for
 * counter 1. */
struct signal_probe i8254_toggle(struct i8254 *pit, unsigned channel);

#endif
