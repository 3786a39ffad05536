/* The I/O port space: a table of region numbers by port; see port_bus.h. */
#include "bus/port_bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define PORT_COUNT  65536u
#define MAX_REGIONS 255u

struct port_bus {
    const struct log *log;
    struct counters *counters;
    unsigned region_count;                 /* highest used slot + 1 */
    struct io_region regions[MAX_REGIONS]; /* slot n is free when its length is 0 */
    uint8_t owner[PORT_COUNT];             /* slot + 1; 0: nobody */
};

struct port_bus *port_bus_create(const struct log *log, struct counters *counters)
{
    struct port_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) {
        return NULL;
    }
    bus->log = log;
    bus->counters = counters;
    return bus;
}

void port_bus_destroy(struct port_bus *bus)
{
    free(bus);
}

void port_bus_visit_state(struct port_bus *bus, const struct state_visitor *visitor)
{
    state_visit(visitor, &bus->region_count, sizeof bus->region_count);
    state_visit(visitor, bus->regions, sizeof bus->regions);
    state_visit(visitor, bus->owner, sizeof bus->owner);
}

static unsigned free_slot(const struct port_bus *bus)
{
    unsigned slot = 0;
    while (slot < bus->region_count && bus->regions[slot].length != 0) {
        slot++;
    }
    return slot;
}

struct status port_bus_claim(struct port_bus *bus, const struct io_region *region)
{
    assert(region->length > 0);
    if (region->base >= PORT_COUNT || region->length > PORT_COUNT - region->base) {
        return status_error(STATUS_INVALID_ARGUMENT, "%s: ports %#llx..%#llx are beyond the port space",
                            region->name, (unsigned long long)region->base,
                            (unsigned long long)(region->base + region->length - 1));
    }
    for (uint64_t port = region->base; port < region->base + region->length; port++) {
        if (bus->owner[port] != 0) {
            return status_error(STATUS_CONFLICT, "%s: port %#llx already belongs to %s", region->name,
                                (unsigned long long)port, bus->regions[bus->owner[port] - 1].name);
        }
    }
    unsigned slot = free_slot(bus);
    if (slot == MAX_REGIONS) {
        return status_error(STATUS_CONFLICT, "%s: all %u port regions are in use", region->name, MAX_REGIONS);
    }
    bus->regions[slot] = *region;
    bus->region_count = slot == bus->region_count ? slot + 1 : bus->region_count;
    memset(bus->owner + region->base, (int)slot + 1, (size_t)region->length);
    return status_ok();
}

void port_bus_release(struct port_bus *bus, uint64_t base, void *opaque)
{
    for (unsigned slot = 0; slot < bus->region_count; slot++) {
        struct io_region *region = &bus->regions[slot];
        if (region->length != 0 && region->base == base && region->opaque == opaque) {
            memset(bus->owner + region->base, 0, (size_t)region->length);
            region->length = 0;
        }
    }
}

static const struct io_region *region_at(const struct port_bus *bus, uint16_t port)
{
    unsigned owner = bus->owner[port];
    return owner == 0 ? NULL : &bus->regions[owner - 1];
}

static const char *owner_name(const struct port_bus *bus, uint16_t port)
{
    const struct io_region *region = region_at(bus, port);
    return region != NULL ? region->name : "(nothing)";
}

/* The widest single transfer that the owner of `port` takes for an access of `width` bytes. */
static unsigned transfer_width(const struct io_region *region, uint16_t port, unsigned width)
{
    unsigned widest = region == NULL || region->max_width == 0 ? 1 : region->max_width;
    uint64_t room = region == NULL ? 1 : region->base + region->length - port;
    while (width > widest || width > room) {
        width /= 2;
    }
    return width;
}

static uint32_t read_one(const struct io_region *region, uint16_t port, unsigned width)
{
    if (region == NULL || region->read == NULL) {
        return UINT32_MAX;
    }
    return (uint32_t)region->read(region->opaque, port - region->base, width);
}

uint32_t port_bus_read(struct port_bus *bus, uint16_t port, unsigned width)
{
    counter_add(bus->counters, COUNTER_PORT_READS, 1);
    uint32_t value = 0;
    for (unsigned done = 0; done < width;) {
        uint16_t at = (uint16_t)(port + done);
        const struct io_region *region = region_at(bus, at);
        unsigned part = transfer_width(region, at, width - done >= 2 ? (width - done) & ~1u : 1);
        value |= (read_one(region, at, part) & (uint32_t)bits_mask(part * 8)) << (done * 8);
        done += part;
    }
    log_printf(bus->log, LOG_IO, "in  %04x/%u = %0*x  %s", port, width, (int)width * 2, value,
               owner_name(bus, port));
    return value;
}

void port_bus_write(struct port_bus *bus, uint16_t port, unsigned width, uint32_t value)
{
    counter_add(bus->counters, COUNTER_PORT_WRITES, 1);
    log_printf(bus->log, LOG_IO, "out %04x/%u = %0*x  %s", port, width, (int)width * 2,
               value & (uint32_t)bits_mask(width * 8), owner_name(bus, port));
    for (unsigned done = 0; done < width;) {
        uint16_t at = (uint16_t)(port + done);
        const struct io_region *region = region_at(bus, at);
        unsigned part = transfer_width(region, at, width - done >= 2 ? (width - done) & ~1u : 1);
        if (region != NULL && region->write != NULL) {
            region->write(region->opaque, at - region->base, part,
                          (value >> (done * 8)) & (uint32_t)bits_mask(part * 8));
        }
        done += part;
    }
}

/* The region that may stream `width` bytes at a time through `port`, or NULL. */
static const struct io_region *streaming_region(const struct port_bus *bus, uint16_t port, unsigned width)
{
    const struct io_region *region = region_at(bus, port);
    return region == NULL || log_is_enabled(bus->log, LOG_IO) || transfer_width(region, port, width) != width
               ? NULL
               : region;
}

uint32_t port_bus_read_block(struct port_bus *bus, uint16_t port, unsigned width, void *to, uint32_t count)
{
    const struct io_region *region = streaming_region(bus, port, width);
    if (region == NULL || region->read_block == NULL) {
        return 0;
    }
    uint32_t done = region->read_block(region->opaque, port - region->base, width, to, count);
    counter_add(bus->counters, COUNTER_PORT_READS, done);
    return done;
}

uint32_t port_bus_write_block(struct port_bus *bus, uint16_t port, unsigned width, const void *from,
                              uint32_t count)
{
    const struct io_region *region = streaming_region(bus, port, width);
    if (region == NULL || region->write_block == NULL) {
        return 0;
    }
    uint32_t done = region->write_block(region->opaque, port - region->base, width, from, count);
    counter_add(bus->counters, COUNTER_PORT_WRITES, done);
    return done;
}

void port_bus_for_each(const struct port_bus *bus,
                       void (*visit)(void *opaque, const struct io_region *region), void *opaque)
{
    unsigned last = 0;
    for (unsigned port = 0; port < PORT_COUNT; port++) {
        unsigned owner = bus->owner[port];
        if (owner != 0 && (owner != last || bus->regions[owner - 1].base == port)) {
            visit(opaque, &bus->regions[owner - 1]);
        }
        last = owner;
    }
}
