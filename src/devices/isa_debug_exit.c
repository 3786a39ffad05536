/* The exit port; see isa_debug_exit.h. */
#include "devices/isa_debug_exit.h"

#include <stdlib.h>

#include "base/bits.h"

struct isa_debug_exit {
    struct device device;
    struct device_host host;
    struct isa_debug_exit_config config;
};

static uint64_t exit_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)opaque, (void)offset, (void)width;
    return 0;
}

static void exit_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset, (void)width;
    const struct isa_debug_exit *device = opaque;
    device->config.exit(device->config.opaque, (uint32_t)value);
}

/* There is no state that a reset could reach. */
static void exit_reset(struct device *device)
{
    (void)device;
}

static void exit_describe(struct device *device, FILE *out)
{
    const struct isa_debug_exit *exit_device = CONTAINER_OF(device, struct isa_debug_exit, device);
    fprintf(out, "isa-debug-exit: ports %04x-%04x\n", exit_device->config.base,
            exit_device->config.base + exit_device->config.length - 1u);
}

static void exit_destroy(struct device *device)
{
    struct isa_debug_exit *exit_device = CONTAINER_OF(device, struct isa_debug_exit, device);
    port_bus_release(exit_device->host.ports, exit_device->config.base, exit_device);
    free(exit_device);
}

static const struct device_class exit_class = {.name = "isa-debug-exit",
                                               .reset = exit_reset,
                                               .describe = exit_describe,
                                               .destroy = exit_destroy,
                                               .state_size = sizeof(struct isa_debug_exit)};

struct status isa_debug_exit_create(const struct device_host *host,
                                    const struct isa_debug_exit_config *config,
                                    struct isa_debug_exit **created)
{
    *created = NULL;
    if (config->length == 0 || config->length > ISA_DEBUG_EXIT_PORTS) {
        return status_error(STATUS_INVALID_ARGUMENT, "isa-debug-exit takes 1 to %u ports, not %u",
                            ISA_DEBUG_EXIT_PORTS, config->length);
    }
    struct isa_debug_exit *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for isa-debug-exit");
    }
    device->device.class = &exit_class;
    device->host = *host;
    device->config = *config;
    const struct io_region region = {.name = "isa-debug-exit",
                                     .base = config->base,
                                     .length = config->length,
                                     .max_width = 4,
                                     .read = exit_read,
                                     .write = exit_write,
                                     .opaque = device};
    struct status status = port_bus_claim(host->ports, &region);
    if (!status_is_ok(&status)) {
        free(device);
        return status;
    }
    *created = device;
    return status_ok();
}

struct device *isa_debug_exit_device(struct isa_debug_exit *exit_device)
{
    return &exit_device->device;
}
