/* All-or-nothing port claims; see device_ports.h. */
#include "devices/device_ports.h"

struct status device_ports_claim(struct port_bus *ports, const struct io_region *regions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct status status = port_bus_claim(ports, &regions[i]);
        if (!status_is_ok(&status)) {
            device_ports_release(ports, regions, i);
            return status;
        }
    }
    return status_ok();
}

void device_ports_release(struct port_bus *ports, const struct io_region *regions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        port_bus_release(ports, regions[i].base, regions[i].opaque);
    }
}
