/* Claiming several port ranges as one step, so that a create function that fails leaves nothing behind. */
#ifndef DOPPEL_DEVICES_DEVICE_PORTS_H
#define DOPPEL_DEVICES_DEVICE_PORTS_H

#include <stddef.h>

#include "base/status.h"
#include "bus/port_bus.h"

/* Claims all `count` regions, or none of them and returns why the first refused one was refused. */
struct status device_ports_claim(struct port_bus *ports, const struct io_region *regions,
                                 size_t count) STATUS_MUST_CHECK;

/* Gives up what device_ports_claim() claimed. */
void device_ports_release(struct port_bus *ports, const struct io_region *regions, size_t count);

#endif
