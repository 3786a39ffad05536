/* The host bridge; see i440fx.h. */
#include "devices/i440fx.h"

#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define ADDRESS_ENABLE   0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu

#define RESET_HARD 0x02
#define RESET_CPU  0x04

#define PAM_0     0x59
#define PAM_COUNT 7
#define PAM_READ  0x01
#define PAM_WRITE 0x02
#define SEGMENTS  13

#define SMRAM         0x72
#define SMRAM_DEFAULT 0x02 /* C_BASE_SEG: A0000h, read-only */
#define SMRAM_ENABLED 0x08
#define SMRAM_LOCKED  0x10
#define SMRAM_OPEN    0x40
#define SMRAM_MASK    0x78

struct i440fx {
    struct device device;
    struct device_host host;
    struct i440fx_config config;
    struct pci_bus *pci;
    struct pci_function function;
    uint32_t address;
    uint8_t reset_control;
    uint8_t segments[SEGMENTS]; /* PAM_READ | PAM_WRITE as the machine was last told */
    struct io_region regions[2];
};

/* Segment 0 is F0000h-FFFFFh, the others are the 16 KiB steps from C0000h on. */
static uint8_t segment_attributes(const struct i440fx *bridge, unsigned segment)
{
    unsigned nibble = segment + 1; /* PAM0's low half is reserved */
    uint8_t pam = bridge->function.config[PAM_0 + nibble / 2];
    return (nibble & 1 ? pam >> 4 : pam) & (PAM_READ | PAM_WRITE);
}

static void tell_segment(struct i440fx *bridge, unsigned segment)
{
    uint8_t attributes = segment_attributes(bridge, segment);
    bridge->segments[segment] = attributes;
    uint32_t base = segment == 0 ? 0xf0000 : 0xc0000 + (segment - 1) * 0x4000;
    if (bridge->config.remap != NULL) {
        bridge->config.remap(bridge->config.opaque, base, segment == 0 ? 0x10000 : 0x4000,
                             attributes & PAM_READ, attributes & PAM_WRITE);
    }
}

static void tell_smram(struct i440fx *bridge)
{
    uint8_t smram = bridge->function.config[SMRAM];
    if (smram & SMRAM_LOCKED) {
        smram &= ~SMRAM_OPEN & 0xff;
        bridge->function.config[SMRAM] = smram;
        bridge->function.writable[SMRAM] = 0;
    }
    if (bridge->config.smram != NULL) {
        bridge->config.smram(bridge->config.opaque, smram & SMRAM_ENABLED,
                             smram & SMRAM_ENABLED && smram & SMRAM_OPEN);
    }
}

static void bridge_config_written(void *opaque, unsigned offset, unsigned width)
{
    struct i440fx *bridge = opaque;
    for (unsigned segment = 0; segment < SEGMENTS; segment++) {
        if (segment_attributes(bridge, segment) != bridge->segments[segment]) {
            tell_segment(bridge, segment);
        }
    }
    if (offset <= SMRAM && SMRAM < offset + width) {
        tell_smram(bridge);
    }
}

static void write_reset_control(struct i440fx *bridge, uint8_t value)
{
    bool rises = value & ~bridge->reset_control & RESET_CPU;
    bridge->reset_control = value & (RESET_HARD | RESET_CPU);
    if (rises) {
        irq_line_pulse(value & RESET_HARD ? &bridge->config.system_reset : &bridge->config.cpu_reset);
    }
}

static uint64_t address_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct i440fx *bridge = opaque;
    if (offset == 0 && width == 4) {
        return bridge->address;
    }
    return offset == 1 ? bridge->reset_control | 0xff00u : UINT32_MAX;
}

static void address_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i440fx *bridge = opaque;
    if (offset == 0 && width == 4) {
        bridge->address = (uint32_t)value & ADDRESS_WRITABLE;
    } else if (offset == 1) {
        write_reset_control(bridge, (uint8_t)value);
    }
}

static bool address_is_ours(const struct i440fx *bridge)
{
    return bridge->address & ADDRESS_ENABLE && bits_extract(bridge->address, 16, 8) == 0;
}

static uint64_t data_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct i440fx *bridge = opaque;
    if (!address_is_ours(bridge)) {
        return UINT32_MAX;
    }
    return pci_bus_config_read(bridge->pci, (unsigned)bits_extract(bridge->address, 11, 5),
                               (unsigned)bits_extract(bridge->address, 8, 3),
                               (bridge->address & 0xfc) + (unsigned)offset, width);
}

static void data_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    const struct i440fx *bridge = opaque;
    if (address_is_ours(bridge)) {
        pci_bus_config_write(bridge->pci, (unsigned)bits_extract(bridge->address, 11, 5),
                             (unsigned)bits_extract(bridge->address, 8, 3),
                             (bridge->address & 0xfc) + (unsigned)offset, width, (uint32_t)value);
    }
}

static void bridge_reset(struct device *device)
{
    struct i440fx *bridge = CONTAINER_OF(device, struct i440fx, device);
    struct pci_function *function = &bridge->function;
    bridge->address = 0;
    bridge->reset_control = 0;
    pci_function_reset(function);
    function->config[PCI_COMMAND] = 0x06;
    store_le16(function->config + PCI_STATUS, 0x0280);
    for (unsigned i = 0; i < PAM_COUNT; i++) {
        function->config[PAM_0 + i] = 0;
    }
    function->config[SMRAM] = SMRAM_DEFAULT;
    function->writable[SMRAM] = SMRAM_MASK;
    for (unsigned segment = 0; segment < SEGMENTS; segment++) {
        tell_segment(bridge, segment);
    }
    tell_smram(bridge);
}

static void bridge_describe(struct device *device, FILE *out)
{
    const struct i440fx *bridge = CONTAINER_OF(device, struct i440fx, device);
    fprintf(out, "i440fx: address %08x smram %02x pam", (unsigned)bridge->address,
            bridge->function.config[SMRAM]);
    for (unsigned i = 0; i < PAM_COUNT; i++) {
        fprintf(out, " %02x", bridge->function.config[PAM_0 + i]);
    }
    fputc('\n', out);
    pci_bus_describe(bridge->pci, out);
}

static void bridge_destroy(struct device *device)
{
    struct i440fx *bridge = CONTAINER_OF(device, struct i440fx, device);
    pci_bus_detach(&bridge->function);
    device_ports_release(bridge->host.ports, bridge->regions, ARRAY_COUNT(bridge->regions));
    free(bridge);
}

static const struct device_class i440fx_class = {.name = "pci",
                                                 .reset = bridge_reset,
                                                 .describe = bridge_describe,
                                                 .destroy = bridge_destroy,
                                                 .state_size = sizeof(struct i440fx)};

static void init_function(struct i440fx *bridge)
{
    struct pci_function *function = &bridge->function;
    pci_function_init(function, "host bridge", 0x8086, 0x1237, 0x060000, 0x02, 0);
    store_le16(function->config + PCI_SUBSYSTEM_VENDOR, 0x1af4);
    store_le16(function->config + PCI_SUBSYSTEM_ID, 0x1100);
    pci_function_allow_write(function, 0x50, 9); /* PMCCFG to DRAMT */
    for (unsigned i = 0; i < PAM_COUNT; i++) {
        function->writable[PAM_0 + i] = i == 0 ? 0x30 : 0x33;
    }
    pci_function_allow_write(function, 0x60, 9); /* DRAM row boundaries, fixed DRAM hole */
    pci_function_allow_write(function, 0x70, 2); /* latency timers */
    function->opaque = bridge;
    function->config_written = bridge_config_written;
}

struct status i440fx_create(const struct device_host *host, struct pci_bus *pci,
                            const struct i440fx_config *config, struct i440fx **bridge)
{
    struct i440fx *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the host bridge");
    }
    made->device.class = &i440fx_class;
    made->host = *host;
    made->config = *config;
    made->pci = pci;
    init_function(made);
    made->regions[0] = (struct io_region){.name = "pci-address",
                                          .base = 0xcf8,
                                          .length = 4,
                                          .max_width = 4,
                                          .read = address_read,
                                          .write = address_write,
                                          .opaque = made};
    made->regions[1] = (struct io_region){.name = "pci-data",
                                          .base = 0xcfc,
                                          .length = 4,
                                          .max_width = 4,
                                          .read = data_read,
                                          .write = data_write,
                                          .opaque = made};
    struct status status = device_ports_claim(host->ports, made->regions, ARRAY_COUNT(made->regions));
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    status = pci_bus_attach(pci, &made->function, 0, 0);
    if (!status_is_ok(&status)) {
        bridge_destroy(&made->device);
        return status;
    }
    bridge_reset(&made->device);
    *bridge = made;
    return status_ok();
}

struct device *i440fx_device(struct i440fx *bridge)
{
    return &bridge->device;
}
