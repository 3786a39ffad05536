/* The ISA bridge; see piix3.h. */
#include "devices/piix3.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"

#define PIRQ_ROUTE   0x60
#define ROUTE_NONE   0x80
#define ROUTE_MASK   0x8f
#define SCI_IRQ      9
#define ROUTABLE_IRQ 0xdef8u /* IRQ3-7, 9-12, 14, 15 */

struct piix3 {
    struct device device;
    struct piix3_config config;
    struct pci_function function;
    bool pirq[4];
    bool sci;
    uint16_t irqs; /* ISA lines that are driven high */
};

static void bridge_update(struct piix3 *bridge)
{
    uint16_t irqs = 0;
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        uint8_t route = bridge->function.config[PIRQ_ROUTE + pirq];
        if (bridge->pirq[pirq] && !(route & ROUTE_NONE)) {
            irqs = (uint16_t)(irqs | (1u << (route & 15)));
        }
    }
    irqs = (uint16_t)((irqs & ROUTABLE_IRQ) | (bridge->sci ? 1u << SCI_IRQ : 0));
    uint16_t changed = irqs ^ bridge->irqs;
    bridge->irqs = irqs;
    for (unsigned irq = 0; irq < 16; irq++) {
        if (changed >> irq & 1) {
            irq_line_set(&bridge->config.isa_irq[irq], irqs >> irq & 1);
        }
    }
}

static void bridge_config_written(void *opaque, unsigned offset, unsigned width)
{
    if (offset < PIRQ_ROUTE + 4 && PIRQ_ROUTE < offset + width) {
        bridge_update(opaque);
    }
}

static void bridge_set_pirq(void *opaque, unsigned pirq, bool level)
{
    struct piix3 *bridge = opaque;
    bridge->pirq[pirq] = level;
    bridge_update(bridge);
}

struct irq_line piix3_pirq(struct piix3 *bridge, unsigned pirq)
{
    assert(pirq < 4);
    return (struct irq_line){.set = bridge_set_pirq, .opaque = bridge, .number = pirq};
}

static void bridge_set_sci(void *opaque, unsigned number, bool level)
{
    (void)number;
    struct piix3 *bridge = opaque;
    bridge->sci = level;
    bridge_update(bridge);
}

struct irq_line piix3_sci(struct piix3 *bridge)
{
    return (struct irq_line){.set = bridge_set_sci, .opaque = bridge};
}

static void bridge_reset(struct device *device)
{
    struct piix3 *bridge = CONTAINER_OF(device, struct piix3, device);
    struct pci_function *function = &bridge->function;
    pci_function_reset(function);
    store_le16(function->config + PCI_COMMAND, 0x0007);
    store_le16(function->config + PCI_STATUS, 0x0200);
    function->config[0x4c] = 0x4d; /* ISA I/O recovery timer */
    store_le16(function->config + 0x4e, 0x0003);
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        function->config[PIRQ_ROUTE + pirq] = ROUTE_NONE;
    }
    function->config[0x69] = 0x02; /* top of memory */
    function->config[0x70] = function->config[0x71] = 0x80;
    function->config[0x76] = function->config[0x77] = 0x0c;
    function->config[0x78] = 0x02;
    bridge_update(bridge);
}

static void bridge_describe(struct device *device, FILE *out)
{
    const struct piix3 *bridge = CONTAINER_OF(device, struct piix3, device);
    fprintf(out, "piix3:");
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        fprintf(out, " pirq%c %02x%s", 'a' + (int)pirq, bridge->function.config[PIRQ_ROUTE + pirq],
                bridge->pirq[pirq] ? " asserted" : "");
    }
    fputc('\n', out);
}

static void bridge_destroy(struct device *device)
{
    struct piix3 *bridge = CONTAINER_OF(device, struct piix3, device);
    pci_bus_detach(&bridge->function);
    free(bridge);
}

static const struct device_class piix3_class = {.name = "piix3",
                                                .reset = bridge_reset,
                                                .describe = bridge_describe,
                                                .destroy = bridge_destroy,
                                                .state_size = sizeof(struct piix3)};

struct status piix3_create(struct pci_bus *pci, const struct piix3_config *config, struct piix3 **bridge)
{
    struct piix3 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the ISA bridge");
    }
    made->device.class = &piix3_class;
    made->config = *config;
    pci_function_init(&made->function, "isa bridge", 0x8086, 0x7000, 0x060100, 0x00, 0);
    store_le16(made->function.writable + PCI_COMMAND, 0x0108); /* it always decodes */
    pci_function_allow_write(&made->function, 0x4c, 4);
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        made->function.writable[PIRQ_ROUTE + pirq] = ROUTE_MASK;
    }
    pci_function_allow_write(&made->function, 0x64, 1);
    pci_function_allow_write(&made->function, 0x69, 3);
    pci_function_allow_write(&made->function, 0x70, 2);
    pci_function_allow_write(&made->function, 0x76, 3);
    pci_function_allow_write(&made->function, 0x80, 3);
    pci_function_allow_write(&made->function, 0xa0, 16);
    made->function.opaque = made;
    made->function.config_written = bridge_config_written;
    struct status status = pci_bus_attach(pci, &made->function, 1, 0);
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    bridge_reset(&made->device);
    *bridge = made;
    return status_ok();
}

struct device *piix3_device(struct piix3 *bridge)
{
    return &bridge->device;
}
