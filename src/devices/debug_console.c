/* The debug console; see debug_console.h. */
#include "devices/debug_console.h"

#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define SIGNATURE 0xe9

struct debug_console {
    struct device device;
    struct device_host host;
    struct debug_console_config config;
    uint64_t bytes; /* written so far */
    struct io_region regions[2];
};

static uint64_t console_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)opaque;
    (void)offset;
    (void)width;
    return SIGNATURE;
}

static void console_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct debug_console *console = opaque;
    (void)offset;
    (void)width;
    console->bytes++;
    if (console->config.write != NULL) {
        console->config.write(console->config.opaque, (uint8_t)value);
    }
}

/* The console has no state that a guest sees. */
static void console_reset(struct device *device)
{
    (void)device;
}

static void console_describe(struct device *device, FILE *out)
{
    const struct debug_console *console = CONTAINER_OF(device, struct debug_console, device);
    fprintf(out, "debugcon: %llu bytes written\n", (unsigned long long)console->bytes);
}

static void console_destroy(struct device *device)
{
    struct debug_console *console = CONTAINER_OF(device, struct debug_console, device);
    device_ports_release(console->host.ports, console->regions, ARRAY_COUNT(console->regions));
    free(console);
}

static const struct device_class debug_console_class = {.name = "debugcon",
                                                        .reset = console_reset,
                                                        .describe = console_describe,
                                                        .destroy = console_destroy,
                                                        .state_size = sizeof(struct debug_console)};

struct status debug_console_create(const struct device_host *host, const struct debug_console_config *config,
                                   struct debug_console **console)
{
    struct debug_console *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the debug console");
    }
    made->device.class = &debug_console_class;
    made->host = *host;
    made->config = *config;
    struct io_region region = {.name = "debugcon",
                               .base = 0xe9,
                               .length = 1,
                               .read = console_read,
                               .write = console_write,
                               .opaque = made};
    made->regions[0] = made->regions[1] = region;
    made->regions[1].base = 0x402;
    struct status status = device_ports_claim(host->ports, made->regions, ARRAY_COUNT(made->regions));
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    *console = made;
    return status_ok();
}

struct device *debug_console_device(struct debug_console *console)
{
    return &console->device;
}
