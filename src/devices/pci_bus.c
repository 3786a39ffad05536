/* The PCI bus; see pci_bus.h. */
#include "devices/pci_bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define SLOTS     32u
#define FUNCTIONS 8u

#define HEADER_MULTI_FUNCTION 0x80
#define BAR_IS_PORTS          0x01
#define ROM_ENABLE            0x01

struct pci_bus {
    struct device_host host;
    struct irq_line pirq[4];
    unsigned asserted[4]; /* how many functions assert each line */
    struct pci_function *functions[SLOTS][FUNCTIONS];
};

struct pci_bus *pci_bus_create(const struct device_host *host)
{
    struct pci_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) {
        return NULL;
    }
    bus->host = *host;
    return bus;
}

void pci_bus_connect_pirq(struct pci_bus *bus, unsigned pirq, struct irq_line line)
{
    assert(pirq < ARRAY_COUNT(bus->pirq));
    bus->pirq[pirq] = line;
}

void pci_bus_destroy(struct pci_bus *bus)
{
    free(bus);
}

void pci_bus_visit_state(struct pci_bus *bus, const struct state_visitor *visitor)
{
    state_visit(visitor, bus->asserted, sizeof bus->asserted);
}

void pci_function_allow_write(struct pci_function *function, unsigned offset, unsigned count)
{
    assert(offset + count <= PCI_CONFIG_SIZE);
    memset(function->writable + offset, 0xff, count);
}

void pci_function_init(struct pci_function *function, const char *name, uint16_t vendor, uint16_t device,
                       uint32_t class_code, uint8_t revision, uint8_t interrupt_pin)
{
    *function = (struct pci_function){.name = name};
    store_le16(function->config + PCI_VENDOR_ID, vendor);
    store_le16(function->config + PCI_DEVICE_ID, device);
    store_le32(function->config + PCI_REVISION, class_code << 8 | revision);
    function->config[PCI_INTERRUPT_PIN] = interrupt_pin;
    store_le16(function->writable + PCI_COMMAND, 0x0147);
    store_le16(function->clear_on_1 + PCI_STATUS, 0xf900);
    pci_function_allow_write(function, 0x0c, 2); /* cache line size, latency timer */
    pci_function_allow_write(function, PCI_INTERRUPT_LINE, 1);
}

static unsigned bar_offset(unsigned index)
{
    return index == PCI_BAR_ROM ? PCI_ROM : PCI_BAR_0 + 4 * index;
}

static struct pci_bar *describe_bar(struct pci_function *function, unsigned index, enum pci_bar_kind kind,
                                    uint64_t size)
{
    assert(index < PCI_BAR_COUNT && (index != PCI_BAR_ROM || kind == PCI_BAR_MAPPED));
    assert(bits_is_power_of_two(size) && size <= 2 * GIB);
    assert(size >= (kind == PCI_BAR_PORTS ? 4u : PAGE_SIZE));
    struct pci_bar *bar = &function->bars[index];
    *bar = (struct pci_bar){.kind = kind, .size = (uint32_t)size};
    unsigned offset = bar_offset(index);
    store_le32(function->writable + offset, ~(uint32_t)(size - 1) | (index == PCI_BAR_ROM ? ROM_ENABLE : 0));
    function->config[offset] = kind == PCI_BAR_PORTS ? BAR_IS_PORTS : 0;
    return bar;
}

void pci_function_set_port_bar(struct pci_function *function, unsigned index, const struct io_region *region)
{
    describe_bar(function, index, PCI_BAR_PORTS, region->length)->region = *region;
}

void pci_function_set_memory_bar(struct pci_function *function, unsigned index,
                                 const struct io_region *region)
{
    describe_bar(function, index, PCI_BAR_MEMORY, region->length)->region = *region;
}

void pci_function_set_mapped_bar(struct pci_function *function, unsigned index, uint32_t size,
                                 void (*map)(void *opaque, bool mapped, uint64_t base), void *opaque)
{
    struct pci_bar *bar = describe_bar(function, index, PCI_BAR_MAPPED, size);
    bar->map = map;
    bar->opaque = opaque;
}

static void bar_unmap(struct pci_function *function, struct pci_bar *bar)
{
    if (!bar->is_mapped) {
        return;
    }
    bar->is_mapped = false;
    switch (bar->kind) {
    case PCI_BAR_PORTS:
        port_bus_release(function->bus->host.ports, bar->mapped_base, bar->region.opaque);
        break;
    case PCI_BAR_MEMORY:
        memory_bus_release(function->bus->host.memory, bar->mapped_base, bar->region.opaque);
        break;
    default: bar->map(bar->opaque, false, bar->mapped_base); break;
    }
}

static void bar_map(struct pci_function *function, struct pci_bar *bar, uint64_t base)
{
    const struct device_host *host = &function->bus->host;
    struct status status = status_ok();
    bar->region.base = base;
    switch (bar->kind) {
    case PCI_BAR_PORTS: status = port_bus_claim(host->ports, &bar->region); break;
    case PCI_BAR_MEMORY: status = memory_bus_claim(host->memory, &bar->region); break;
    default: bar->map(bar->opaque, true, base); break;
    }
    if (!status_is_ok(&status)) {
        log_printf(host->log, LOG_GUEST_ERROR, "%s: %s", function->name, status.message);
        return;
    }
    bar->is_mapped = true;
    bar->mapped_base = base;
}

/* Whether BAR `index` decodes, and from where on. */
static bool bar_decodes(const struct pci_function *function, unsigned index, uint64_t *base)
{
    const struct pci_bar *bar = &function->bars[index];
    uint16_t command = load_le16(function->config + PCI_COMMAND);
    uint32_t value = load_le32(function->config + bar_offset(index));
    uint32_t mask = ~(bar->size - 1);
    *base = value & mask;
    if (bar->kind == PCI_BAR_NONE || *base == 0 || *base == mask) {
        return false;
    }
    if (bar->kind == PCI_BAR_PORTS) {
        return command & PCI_COMMAND_PORTS && *base + bar->size <= 0x10000;
    }
    return command & PCI_COMMAND_MEMORY && (index != PCI_BAR_ROM || value & ROM_ENABLE);
}

static void function_update_bars(struct pci_function *function)
{
    if (function->bus == NULL) {
        return;
    }
    for (unsigned index = 0; index < PCI_BAR_COUNT; index++) {
        struct pci_bar *bar = &function->bars[index];
        uint64_t base;
        bool decodes = bar_decodes(function, index, &base);
        if (bar->is_mapped && (!decodes || base != bar->mapped_base)) {
            bar_unmap(function, bar);
        }
        if (decodes && !bar->is_mapped) {
            bar_map(function, bar, base);
        }
    }
}

struct status pci_bus_attach(struct pci_bus *bus, struct pci_function *function, unsigned slot,
                             unsigned number)
{
    assert(slot < SLOTS && number < FUNCTIONS);
    if (bus->functions[slot][number] != NULL) {
        return status_error(STATUS_CONFLICT, "%s: PCI slot %u function %u already belongs to %s",
                            function->name, slot, number, bus->functions[slot][number]->name);
    }
    bus->functions[slot][number] = function;
    function->bus = bus;
    function->slot = (uint8_t)slot;
    function->number = (uint8_t)number;
    return status_ok();
}

void pci_bus_detach(struct pci_function *function)
{
    struct pci_bus *bus = function->bus;
    if (bus == NULL) {
        return;
    }
    pci_function_set_interrupt(function, false);
    for (unsigned index = 0; index < PCI_BAR_COUNT; index++) {
        bar_unmap(function, &function->bars[index]);
    }
    bus->functions[function->slot][function->number] = NULL;
    function->bus = NULL;
}

void pci_function_reset(struct pci_function *function)
{
    store_le16(function->config + PCI_COMMAND, (uint16_t)(load_le16(function->config + PCI_COMMAND) &
                                                          ~load_le16(function->writable + PCI_COMMAND)));
    for (unsigned index = 0; index < PCI_BAR_COUNT; index++) {
        unsigned offset = bar_offset(index);
        store_le32(function->config + offset,
                   load_le32(function->config + offset) & ~load_le32(function->writable + offset));
    }
    function->config[PCI_INTERRUPT_LINE] = 0;
    function_update_bars(function);
    pci_function_set_interrupt(function, false);
}

void pci_function_set_interrupt(struct pci_function *function, bool level)
{
    struct pci_bus *bus = function->bus;
    uint8_t pin = function->config[PCI_INTERRUPT_PIN];
    if (bus == NULL || pin == 0 || function->interrupt_level == level) {
        return;
    }
    function->interrupt_level = level;
    unsigned line = (pin - 1u + function->slot + 3u) % 4;
    bus->asserted[line] += level ? 1u : UINT32_MAX;
    irq_line_set(&bus->pirq[line], bus->asserted[line] != 0);
}

static bool slot_has_more_functions(const struct pci_bus *bus, unsigned slot)
{
    for (unsigned number = 1; number < FUNCTIONS; number++) {
        if (bus->functions[slot][number] != NULL) {
            return true;
        }
    }
    return false;
}

static uint8_t config_byte(const struct pci_bus *bus, const struct pci_function *function, unsigned offset)
{
    uint8_t value = function->config[offset];
    if (offset == PCI_HEADER_TYPE && slot_has_more_functions(bus, function->slot)) {
        value |= HEADER_MULTI_FUNCTION;
    }
    return value;
}

static struct pci_function *function_at(const struct pci_bus *bus, unsigned slot, unsigned number)
{
    return slot < SLOTS && number < FUNCTIONS ? bus->functions[slot][number] : NULL;
}

uint32_t pci_bus_config_read(struct pci_bus *bus, unsigned slot, unsigned number, unsigned offset,
                             unsigned width)
{
    const struct pci_function *function = function_at(bus, slot, number);
    if (function == NULL || offset + width > PCI_CONFIG_SIZE) {
        return UINT32_MAX;
    }
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint32_t)config_byte(bus, function, offset + i) << (8 * i);
    }
    return value;
}

static bool touches(unsigned offset, unsigned width, unsigned first, unsigned count)
{
    return offset < first + count && first < offset + width;
}

void pci_bus_config_write(struct pci_bus *bus, unsigned slot, unsigned number, unsigned offset,
                          unsigned width, uint32_t value)
{
    struct pci_function *function = function_at(bus, slot, number);
    if (function == NULL || offset + width > PCI_CONFIG_SIZE) {
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint8_t writable = function->writable[offset + i];
        uint8_t *config = &function->config[offset + i];
        *config = (uint8_t)((*config & ~writable) | (byte & writable));
        *config = (uint8_t)(*config & ~(byte & function->clear_on_1[offset + i]));
    }
    if (touches(offset, width, PCI_COMMAND, 2) || touches(offset, width, PCI_BAR_0, 24) ||
        touches(offset, width, PCI_ROM, 4)) {
        function_update_bars(function);
    }
    if (function->config_written != NULL) {
        function->config_written(function->opaque, offset, width);
    }
}

static void describe_function(const struct pci_function *function, FILE *out)
{
    fprintf(out, "00:%02x.%u %04x:%04x class %06x %s", function->slot, function->number,
            load_le16(function->config + PCI_VENDOR_ID), load_le16(function->config + PCI_DEVICE_ID),
            (unsigned)(load_le32(function->config + PCI_REVISION) >> 8), function->name);
    if (function->config[PCI_INTERRUPT_PIN] != 0) {
        fprintf(out, " int%c irq %u%s", 'a' + function->config[PCI_INTERRUPT_PIN] - 1,
                function->config[PCI_INTERRUPT_LINE], function->interrupt_level ? " asserted" : "");
    }
    fputc('\n', out);
    for (unsigned index = 0; index < PCI_BAR_COUNT; index++) {
        const struct pci_bar *bar = &function->bars[index];
        if (bar->kind != PCI_BAR_NONE) {
            fprintf(out, "    bar %u %s %08x size %x%s\n", index,
                    bar->kind == PCI_BAR_PORTS ? "ports" : "memory",
                    (unsigned)load_le32(function->config + bar_offset(index)), (unsigned)bar->size,
                    bar->is_mapped ? "" : " off");
        }
    }
}

void pci_bus_describe(const struct pci_bus *bus, FILE *out)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned number = 0; number < FUNCTIONS; number++) {
            if (bus->functions[slot][number] != NULL) {
                describe_function(bus->functions[slot][number], out);
            }
        }
    }
}
