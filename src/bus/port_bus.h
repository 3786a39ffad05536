/* The 64 Ki I/O port space.
 *
 * A port nobody claims reads as all ones and ignores writes, as a floating ISA bus does. An access wider than
 * the region's max_width is split into consecutive narrower ones at rising ports (a 16-bit OUT to two 8-bit
 * registers), as the ISA bus controller does; parts may fall into different regions. */
#ifndef DOPPEL_BUS_PORT_BUS_H
#define DOPPEL_BUS_PORT_BUS_H

#include "base/counters.h"
#include "base/log.h"
#include "base/state_visitor.h"
#include "base/status.h"
#include "bus/io_region.h"

struct port_bus;

/* `log` and `counters` are borrowed. Returns NULL when out of memory. */
struct port_bus *port_bus_create(const struct log *log, struct counters *counters);
void port_bus_destroy(struct port_bus *bus);

/* Claims ports [region->base, base + length). The region is copied. Overlap with a claimed port is
 * STATUS_CONFLICT. */
struct status port_bus_claim(struct port_bus *bus, const struct io_region *region) STATUS_MUST_CHECK;

/* Gives up every port claimed with exactly this base and opaque (PCI BARs move). Unknown: nothing happens. */
void port_bus_release(struct port_bus *bus, uint64_t base, void *opaque);

/* Guest accesses; `width` is 1, 2 or 4 bytes. Ports wrap at 64 Ki. */
uint32_t port_bus_read(struct port_bus *bus, uint16_t port, unsigned width);
void port_bus_write(struct port_bus *bus, uint16_t port, unsigned width, uint32_t value);

/* Repeated accesses to one port, as many of `count` as can be done at once; returns how many. 0: the next one
 * has to be done by itself, as all have while they are logged. */
uint32_t port_bus_read_block(struct port_bus *bus, uint16_t port, unsigned width, void *to, uint32_t count);
uint32_t port_bus_write_block(struct port_bus *bus, uint16_t port, unsigned width, const void *from,
                              uint32_t count);

/* What a copy of the map consists of. */
void port_bus_visit_state(struct port_bus *bus, const struct state_visitor *visitor);

/* Calls `visit` for each claimed region in order of its base (`info io`). */
void port_bus_for_each(const struct port_bus *bus,
                       void (*visit)(void *opaque, const struct io_region *region), void *opaque);

#endif
