/* The I/O APIC; see ioapic.h. */
#include "devices/ioapic.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"

#define OFFSET_SELECT 0x00
#define OFFSET_WINDOW 0x10

#define REGISTER_ID          0x00
#define REGISTER_VERSION     0x01
#define REGISTER_ARBITRATION 0x02
#define REGISTER_TABLE       0x10

#define VERSION (0x11u | (IOAPIC_INPUTS - 1) << 16)
#define ID_MASK 0x0F000000u

#define ENTRY_LOGICAL    0x0800u
#define ENTRY_REMOTE_IRR 0x4000u
#define ENTRY_LEVEL      0x8000u
#define ENTRY_MASKED     0x10000u
#define ENTRY_WRITABLE   0xFF0000000001AFFFull

struct ioapic {
    struct device device;
    struct device_host host;
    struct interrupt_sink sink;
    uint8_t selected;
    uint32_t id;
    uint64_t table[IOAPIC_INPUTS];
    uint32_t asserted; /* bit n: input n */
};

static void send(struct ioapic *ioapic, unsigned input)
{
    uint64_t entry = ioapic->table[input];
    const struct interrupt_message message = {.vector = (uint8_t)entry,
                                              .delivery = entry >> 8 & 7,
                                              .destination = (uint8_t)(entry >> 56),
                                              .logical = entry & ENTRY_LOGICAL,
                                              .level = entry & ENTRY_LEVEL};
    interrupt_sink_deliver(&ioapic->sink, &message);
}

/* Sends for a level-triggered input that has something to say. */
static void service_level(struct ioapic *ioapic, unsigned input)
{
    uint64_t *entry = &ioapic->table[input];
    bool waits = *entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR) || !(*entry & ENTRY_LEVEL);
    if (ioapic->asserted >> input & 1 && !waits) {
        *entry |= ENTRY_REMOTE_IRR;
        send(ioapic, input);
    }
}

static void set_input(void *opaque, unsigned input, bool level)
{
    struct ioapic *ioapic = opaque;
    uint32_t bit = 1u << input;
    bool rises = level && !(ioapic->asserted & bit);
    ioapic->asserted = level ? ioapic->asserted | bit : ioapic->asserted & ~bit;
    uint64_t entry = ioapic->table[input];
    if (entry & ENTRY_LEVEL) {
        service_level(ioapic, input);
    } else if (rises && !(entry & ENTRY_MASKED)) {
        send(ioapic, input);
    }
}

struct irq_line ioapic_input(struct ioapic *ioapic, unsigned input)
{
    assert(input < IOAPIC_INPUTS);
    return (struct irq_line){.set = set_input, .opaque = ioapic, .number = input};
}

void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned input = 0; input < IOAPIC_INPUTS; input++) {
        uint64_t *entry = &ioapic->table[input];
        if (*entry & ENTRY_REMOTE_IRR && (uint8_t)*entry == vector) {
            *entry &= ~(uint64_t)ENTRY_REMOTE_IRR;
            service_level(ioapic, input);
        }
    }
}

static uint32_t read_register(const struct ioapic *ioapic)
{
    unsigned reg = ioapic->selected;
    switch (reg) {
    case REGISTER_ID:
    case REGISTER_ARBITRATION: return ioapic->id;
    case REGISTER_VERSION: return VERSION;
    default: break;
    }
    if (reg < REGISTER_TABLE || reg >= REGISTER_TABLE + 2 * IOAPIC_INPUTS) {
        return 0;
    }
    return (uint32_t)(ioapic->table[(reg - REGISTER_TABLE) / 2] >> (reg & 1 ? 32 : 0));
}

static void write_entry(struct ioapic *ioapic, unsigned reg, uint32_t value)
{
    unsigned input = (reg - REGISTER_TABLE) / 2;
    unsigned shift = reg & 1 ? 32 : 0;
    uint64_t *entry = &ioapic->table[input];
    uint64_t writable = ENTRY_WRITABLE & (uint64_t)UINT32_MAX << shift;
    *entry = (*entry & ~writable) | ((uint64_t)value << shift & writable);
    if (!(*entry & ENTRY_LEVEL)) {
        *entry &= ~(uint64_t)ENTRY_REMOTE_IRR;
    }
    service_level(ioapic, input);
}

static void write_register(struct ioapic *ioapic, uint32_t value)
{
    unsigned reg = ioapic->selected;
    if (reg == REGISTER_ID) {
        ioapic->id = value & ID_MASK;
    } else if (reg >= REGISTER_TABLE && reg < REGISTER_TABLE + 2 * IOAPIC_INPUTS) {
        write_entry(ioapic, reg, value);
    }
}

static uint64_t memory_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct ioapic *ioapic = opaque;
    unsigned shift = 8 * (unsigned)(offset & 3);
    (void)width;
    switch (offset & ~3ull) {
    case OFFSET_SELECT: return (uint64_t)ioapic->selected >> shift;
    case OFFSET_WINDOW: return read_register(ioapic) >> shift;
    default: return 0;
    }
}

/* The window takes 32-bit writes only. */
static void memory_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ioapic *ioapic = opaque;
    if (offset == OFFSET_SELECT) {
        ioapic->selected = (uint8_t)value;
    } else if (offset == OFFSET_WINDOW && width == 4) {
        write_register(ioapic, (uint32_t)value);
    }
}

static void ioapic_reset(struct device *device)
{
    struct ioapic *ioapic = CONTAINER_OF(device, struct ioapic, device);
    ioapic->selected = 0;
    ioapic->id = 0;
    for (unsigned input = 0; input < IOAPIC_INPUTS; input++) {
        ioapic->table[input] = ENTRY_MASKED;
    }
}

static void ioapic_describe(struct device *device, FILE *out)
{
    const struct ioapic *ioapic = CONTAINER_OF(device, struct ioapic, device);
    fprintf(out, "ioapic: id %u, asserted %06x\n", (unsigned)(ioapic->id >> 24), (unsigned)ioapic->asserted);
    for (unsigned input = 0; input < IOAPIC_INPUTS; input++) {
        uint64_t entry = ioapic->table[input];
        if (!(entry & ENTRY_MASKED)) {
            fprintf(out, "    %2u: vector %02x mode %u %s %02x %s%s\n", input, (unsigned)(entry & 0xFF),
                    (unsigned)(entry >> 8 & 7), entry & ENTRY_LOGICAL ? "logical" : "physical",
                    (unsigned)(entry >> 56), entry & ENTRY_LEVEL ? "level" : "edge",
                    entry & ENTRY_REMOTE_IRR ? ", waits for EOI" : "");
        }
    }
}

static void ioapic_destroy(struct device *device)
{
    struct ioapic *ioapic = CONTAINER_OF(device, struct ioapic, device);
    memory_bus_release(ioapic->host.memory, IOAPIC_BASE, ioapic);
    free(ioapic);
}

static const struct device_class ioapic_class = {.name = "ioapic",
                                                 .reset = ioapic_reset,
                                                 .describe = ioapic_describe,
                                                 .destroy = ioapic_destroy,
                                                 .state_size = sizeof(struct ioapic)};

struct status ioapic_create(const struct device_host *host, const struct interrupt_sink *sink,
                            struct ioapic **created)
{
    *created = NULL;
    struct ioapic *ioapic = calloc(1, sizeof *ioapic);
    if (ioapic == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the I/O APIC");
    }
    ioapic->device.class = &ioapic_class;
    ioapic->host = *host;
    ioapic->sink = *sink;
    const struct io_region region = {.name = "ioapic",
                                     .base = IOAPIC_BASE,
                                     .length = PAGE_SIZE,
                                     .max_width = 4,
                                     .read = memory_read,
                                     .write = memory_write,
                                     .opaque = ioapic};
    struct status status = memory_bus_claim(host->memory, &region);
    if (!status_is_ok(&status)) {
        free(ioapic);
        return status;
    }
    ioapic_reset(&ioapic->device);
    *created = ioapic;
    return status_ok();
}

struct device *ioapic_device(struct ioapic *ioapic)
{
    return &ioapic->device;
}
