/* What every chip is: a constant class plus private state.
 *
 * A device's own header declares its configuration and its create function, which claims ports and memory on
 * the buses, keeps the outgoing irq_lines it is given, and returns the generic `struct device` embedded as
 * the first member of its private state. After that the machine needs only these operations. A device
 * includes neither cpu nor another device. */
#ifndef DOPPEL_DEVICES_DEVICE_H
#define DOPPEL_DEVICES_DEVICE_H

#include <stdio.h>

#include "base/log.h"
#include "base/state_visitor.h"
#include "base/status.h"
#include "bus/event_clock.h"
#include "bus/io_region.h"
#include "bus/irq_line.h"
#include "bus/memory_bus.h"
#include "bus/port_bus.h"

struct device;

struct device_class {
    const char *name; /* "pic", "floppy": what `info NAME` takes */
    /* Hardware reset: state as the datasheet gives it after RESET. Required. */
    void (*reset)(struct device *device);
    /* Prints the state for a person (`info NAME`). Required. */
    void (*describe)(struct device *device, FILE *out);
    /* Frees the device; lines go dead. Required. */
    void (*destroy)(struct device *device);
    /* What a copy of the device consists of, to be put back into the same device, with the same media: this
     * many bytes from the struct device on, and what visit_state() names besides (NULL: nothing). */
    size_t state_size;
    void (*visit_state)(struct device *device, const struct state_visitor *visitor);
    /* A copy of the device and one of memory were put back: for what is known of the outside. NULL: nothing
     * is. */
    void (*state_restored)(struct device *device);
};

struct device {
    const struct device_class *class;
};

/* What a device is built from; borrowed pointers that outlive it. */
struct device_host {
    struct memory_bus *memory;
    struct port_bus *ports;
    struct event_clock *clock;
    const struct log *log;
};

#endif
