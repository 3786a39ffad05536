/* Port 92h; see port92.h. */
#include "devices/port92.h"

#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define PORT92_INIT 0x01
#define PORT92_A20  0x02

struct port92 {
    struct device device;
    struct device_host host;
    struct port92_config config;
    uint8_t value;
    struct io_region region;
};

static uint64_t port92_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct port92 *port = opaque;
    (void)offset;
    (void)width;
    return port->value;
}

static void port92_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct port92 *port = opaque;
    (void)offset;
    (void)width;
    bool init = value & ~port->value & PORT92_INIT;
    port->value = value & (PORT92_INIT | PORT92_A20);
    irq_line_set(&port->config.a20, value & PORT92_A20);
    if (init) {
        irq_line_pulse(&port->config.cpu_reset);
    }
}

static void port92_reset(struct device *device)
{
    CONTAINER_OF(device, struct port92, device)->value = 0;
}

static void port92_describe(struct device *device, FILE *out)
{
    fprintf(out, "port92: %02x\n", CONTAINER_OF(device, struct port92, device)->value);
}

static void port92_destroy(struct device *device)
{
    struct port92 *port = CONTAINER_OF(device, struct port92, device);
    device_ports_release(port->host.ports, &port->region, 1);
    free(port);
}

static const struct device_class port92_class = {.name = "port92",
                                                 .reset = port92_reset,
                                                 .describe = port92_describe,
                                                 .destroy = port92_destroy,
                                                 .state_size = sizeof(struct port92)};

struct status port92_create(const struct device_host *host, const struct port92_config *config,
                            struct port92 **port)
{
    struct port92 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for port 92h");
    }
    made->device.class = &port92_class;
    made->host = *host;
    made->config = *config;
    made->region = (struct io_region){.name = "port92",
                                      .base = 0x92,
                                      .length = 1,
                                      .read = port92_read,
                                      .write = port92_write,
                                      .opaque = made};
    struct status status = device_ports_claim(host->ports, &made->region, 1);
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    *port = made;
    return status_ok();
}

struct device *port92_device(struct port92 *port)
{
    return &port->device;
}
