/* Hostile guests for the floppy controller: each input is a program of port accesses, passing time, DMA
 * set-ups and disk changes. Besides the sanitizers' findings, what must hold is checked after every step: the
 * pin's level is what the controller says it drives, nothing moves more than the DMA channel was asked for,
 * and a busy controller always has something to wait for (an event of the clock, or a byte of the CPU's), so
 * that no command hangs. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "devices/floppy.h"
#include "fuzz_input.h"

#define PORT_BASE 0x3f0

struct fuzz_rig {
    struct log log;
    struct counters counters;
    uint64_t retired;
    struct event_clock *clock;
    struct port_bus *ports;
    struct device *floppy;
    bool irq;
    size_t dma_left;
    bool dma_masked;
    bool dma_to_memory; /* what the channel is programmed for */
};

static void irq_changed(void *opaque, unsigned number, bool level)
{
    struct fuzz_rig *rig = opaque;
    (void)number;
    assert(rig->irq != level);
    rig->irq = level;
}

static size_t move_bytes(void *opaque, unsigned channel, enum dma_direction direction, uint8_t *bytes,
                         size_t length, bool *terminal_count)
{
    struct fuzz_rig *rig = opaque;
    (void)channel;
    assert(length > 0 && length <= 512);
    if (rig->dma_masked || rig->dma_left == 0 || rig->dma_to_memory != (direction == DMA_TO_MEMORY)) {
        return 0;
    }
    size_t moved = length < rig->dma_left ? length : rig->dma_left;
    if (direction == DMA_FROM_MEMORY) {
        for (size_t i = 0; i < moved; i++) {
            bytes[i] = (uint8_t)(i * 3 + rig->dma_left);
        }
    }
    rig->dma_left -= moved;
    *terminal_count = rig->dma_left == 0;
    return moved;
}

static void advance(struct fuzz_rig *rig, uint64_t ns)
{
    rig->retired += ns;
    event_clock_run_due(rig->clock);
}

static void insert(struct fuzz_rig *rig, uint8_t choice)
{
    const struct floppy_geometry *standard = floppy_geometry_standard((choice >> 2) % 11);
    struct floppy_geometry geometry =
        standard != NULL ? *standard
                         : (struct floppy_geometry){.name = "odd",
                                                    .drive = (enum floppy_drive_type)(1 + choice % 5),
                                                    .rate = (enum floppy_data_rate)(choice & 3),
                                                    .tracks = choice,
                                                    .heads = 1 + (choice & 1),
                                                    .sectors_per_track = (uint8_t)(choice * 5)};
    struct block_device *image;
    struct status status = block_device_create_memory((choice & 0x80) != 0 ? 5760 : 40, &image);
    if (status.code == STATUS_OK) {
        status = floppy_insert(rig->floppy, choice & 3, image, &geometry, (choice & 0x40) != 0);
        if (status.code != STATUS_OK) {
            block_device_close(image);
        }
    }
}

static void check(struct fuzz_rig *rig)
{
    uint32_t msr = port_bus_read(rig->ports, PORT_BASE + 4, 1);
    bool in_reset = (port_bus_read(rig->ports, PORT_BASE + 2, 1) & 4) == 0;
    bool busy_without_request = (msr & 0x90) == 0x10;
    assert(!in_reset || msr == 0);
    assert(!busy_without_request || event_clock_next_deadline(rig->clock) != EVENT_CLOCK_NEVER);
    assert(!in_reset || !rig->irq);
}

/* A data command, or a seek, that has a chance of finding its sector: on cylinder 0 or 1, either side, near
 * sector 1. */
static void send_plausible_command(struct fuzz_rig *rig, unsigned choice, uint8_t operand)
{
    static const uint8_t codes[16] = {0xe6, 0x46, 0xc5, 0x45, 0x49, 0x4c, 0x6c, 0x42,
                                      0x56, 0xd6, 0x51, 0x59, 0x5d, 0x4d, 0x4a, 0x0f};
    uint8_t head = (operand >> 1) & 1;
    uint8_t r = (uint8_t)(1 + (operand >> 2) % 8);
    const uint8_t bytes[9] = {
        codes[choice], (uint8_t)(head << 2),   operand & 1, head, r, 2, (uint8_t)(r + (operand >> 5)),
        0x1b,          (uint8_t)(operand >> 6)};
    unsigned length = codes[choice] == 0x4d ? 6 : codes[choice] == 0x4a ? 2 : codes[choice] == 0x0f ? 3 : 9;
    for (unsigned i = 0; i < length; i++) {
        port_bus_write(rig->ports, PORT_BASE + 5, 1, bytes[i]);
    }
}

/* One step: an opcode byte and, for most, an operand byte. */
static void step(struct fuzz_rig *rig, uint8_t code, uint8_t operand)
{
    switch (code % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: port_bus_write(rig->ports, PORT_BASE + 5, 1, operand); break;
    case 5: send_plausible_command(rig, code >> 4, operand); break;
    case 6: port_bus_read(rig->ports, PORT_BASE + (operand & 7), 1u << ((operand >> 3) % 3)); break;
    case 7: port_bus_write(rig->ports, PORT_BASE + (code >> 5), 1, operand); break;
    case 8: advance(rig, (uint64_t)operand * 20 * NS_PER_MICROSECOND); break;
    case 9:
        for (unsigned i = 0; i < 512; i++) {
            port_bus_write(rig->ports, PORT_BASE + 5, 1, operand);
        }
        break;
    case 10:
        for (unsigned i = 0; i < operand * 3u; i++) {
            port_bus_read(rig->ports, PORT_BASE + 5, 1);
        }
        break;
    case 11:
        rig->dma_left = (size_t)operand << (code >> 5);
        rig->dma_masked = (code & 0x10) != 0;
        rig->dma_to_memory = (operand & 1) != 0;
        break;
    case 12: insert(rig, operand); break;
    case 13: floppy_eject(rig->floppy, operand); break;
    case 14: floppy_set_write_protect(rig->floppy, operand & 7, (operand & 0x80) != 0); break;
    default: advance(rig, 300 * NS_PER_MILLISECOND); break;
    }
    check(rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_rig rig = {.dma_left = 4096, .dma_to_memory = true};
    rig.clock = event_clock_create_counted(&rig.retired, 1);
    rig.ports = port_bus_create(&rig.log, &rig.counters);
    struct device_host host = {.ports = rig.ports, .clock = rig.clock, .log = &rig.log};
    struct floppy_config config = {
        .base = PORT_BASE,
        .irq = {.set = irq_changed, .opaque = &rig, .number = 6},
        .dma = {.transfer = move_bytes, .opaque = &rig, .channel = 2},
        .drives = {FLOPPY_DRIVE_1440K, FLOPPY_DRIVE_360K, FLOPPY_DRIVE_2880K, FLOPPY_DRIVE_NONE},
    };
    struct status status = floppy_create(&host, &config, &rig.floppy);
    assert(status.code == STATUS_OK);
    insert(&rig, 0x80 | 6 << 2);
    port_bus_write(rig.ports, PORT_BASE + 2, 1, 0x7c);
    port_bus_write(rig.ports, PORT_BASE + 7, 1, 0);
    for (size_t i = 0; i + 1 < size; i += 2) {
        step(&rig, data[i], data[i + 1]);
    }
    /* Whatever happened: the longest command ends by itself or waits for the CPU. */
    for (unsigned i = 0; i < 1000 && event_clock_next_deadline(rig.clock) != EVENT_CLOCK_NEVER; i++) {
        advance(&rig, 300 * NS_PER_MILLISECOND);
    }
    assert(event_clock_next_deadline(rig.clock) == EVENT_CLOCK_NEVER);
    rig.floppy->class->destroy(rig.floppy);
    port_bus_destroy(rig.ports);
    event_clock_destroy(rig.clock);
    return 0;
}
