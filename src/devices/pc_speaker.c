/* Port 61h; see pc_speaker.h. */
#include "devices/pc_speaker.h"

#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define PORT_B_GATE2    0x01
#define PORT_B_SPEAKER  0x02
#define PORT_B_WRITABLE 0x0f
#define PORT_B_REFRESH  0x10
#define PORT_B_OUT2     0x20

struct pc_speaker {
    struct device device;
    struct device_host host;
    struct pc_speaker_config config;
    uint8_t control;
    struct io_region region;
};

bool pc_speaker_is_on(const struct pc_speaker *speaker)
{
    return speaker->control & PORT_B_SPEAKER;
}

bool pc_speaker_level(const struct pc_speaker *speaker)
{
    return pc_speaker_is_on(speaker) && signal_probe_read(&speaker->config.timer2_out);
}

static void set_control(struct pc_speaker *speaker, uint8_t value)
{
    speaker->control = value & PORT_B_WRITABLE;
    irq_line_set(&speaker->config.timer2_gate, value & PORT_B_GATE2);
}

static uint64_t port_b_read(void *opaque, uint64_t offset, unsigned width)
{
    struct pc_speaker *speaker = opaque;
    (void)offset;
    (void)width;
    return (uint64_t)speaker->control |
           (signal_probe_read(&speaker->config.refresh_toggle) ? PORT_B_REFRESH : 0u) |
           (signal_probe_read(&speaker->config.timer2_out) ? PORT_B_OUT2 : 0u);
}

static void port_b_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    set_control(opaque, (uint8_t)value);
}

static void speaker_reset(struct device *device)
{
    set_control(CONTAINER_OF(device, struct pc_speaker, device), 0);
}

static void speaker_describe(struct device *device, FILE *out)
{
    const struct pc_speaker *speaker = CONTAINER_OF(device, struct pc_speaker, device);
    fprintf(out, "speaker: gate2 %d data %d level %d\n", speaker->control & PORT_B_GATE2,
            pc_speaker_is_on(speaker), pc_speaker_level(speaker));
}

static void speaker_destroy(struct device *device)
{
    struct pc_speaker *speaker = CONTAINER_OF(device, struct pc_speaker, device);
    device_ports_release(speaker->host.ports, &speaker->region, 1);
    free(speaker);
}

static const struct device_class pc_speaker_class = {.name = "speaker",
                                                     .reset = speaker_reset,
                                                     .describe = speaker_describe,
                                                     .destroy = speaker_destroy,
                                                     .state_size = sizeof(struct pc_speaker)};

struct status pc_speaker_create(const struct device_host *host, const struct pc_speaker_config *config,
                                struct pc_speaker **speaker)
{
    struct pc_speaker *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the speaker");
    }
    made->device.class = &pc_speaker_class;
    made->host = *host;
    made->config = *config;
    made->region = (struct io_region){.name = "port-61h",
                                      .base = 0x61,
                                      .length = 1,
                                      .read = port_b_read,
                                      .write = port_b_write,
                                      .opaque = made};
    struct status status = device_ports_claim(host->ports, &made->region, 1);
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    speaker_reset(&made->device);
    *speaker = made;
    return status_ok();
}

struct device *pc_speaker_device(struct pc_speaker *speaker)
{
    return &speaker->device;
}
