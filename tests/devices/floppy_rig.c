/* The rig of the floppy tests; see floppy_rig.h. */
#include "floppy_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void irq_changed(void *opaque, unsigned number, bool level)
{
    struct rig *rig = opaque;
    assert_int_equal(number, 6);
    rig->edges += level && !rig->irq ? 1 : 0;
    rig->irq = level;
}

static size_t move_bytes(void *opaque, unsigned channel, enum dma_direction direction, uint8_t *bytes,
                         size_t length, bool *terminal_count)
{
    struct rig *rig = opaque;
    assert_int_equal(channel, 2);
    rig->requests++;
    if (rig->masked || rig->count == 0) {
        return 0;
    }
    size_t moved = length < rig->count ? length : rig->count;
    assert_true(rig->position + moved <= sizeof rig->memory);
    if (direction == DMA_TO_MEMORY) {
        memcpy(rig->memory + rig->position, bytes, moved);
    } else {
        memcpy(bytes, rig->memory + rig->position, moved);
    }
    rig->position += moved;
    rig->count -= moved;
    *terminal_count = rig->count == 0;
    return moved;
}

void rig_dma_program(struct rig *rig, size_t count)
{
    rig->position = 0;
    rig->count = count;
    rig->masked = false;
}

void rig_check_ok(struct status status)
{
    if (!status_is_ok(&status)) {
        fail_msg("unexpected error: %s", status.message);
    }
}

void rig_out(struct rig *rig, uint16_t port, uint8_t value)
{
    port_bus_write(rig->ports, port, 1, value);
}

uint8_t rig_in(struct rig *rig, uint16_t port)
{
    return (uint8_t)port_bus_read(rig->ports, port, 1);
}

void rig_advance(struct rig *rig, uint64_t ns)
{
    uint64_t end = rig->retired + ns;
    while (event_clock_next_deadline(rig->clock) <= end) {
        uint64_t deadline = event_clock_next_deadline(rig->clock);
        rig->retired = deadline > rig->retired ? deadline : rig->retired;
        event_clock_run_due(rig->clock);
    }
    rig->retired = end;
}

void rig_wait_interrupt(struct rig *rig)
{
    unsigned before = rig->edges;
    for (unsigned i = 0; i < 100000 && rig->edges == before; i++) {
        rig_advance(rig, 10 * NS_PER_MICROSECOND);
    }
    if (rig->edges == before) {
        fail_msg("no interrupt; MSR is %02x", rig_in(rig, MSR));
    }
    assert_true(rig->irq);
}

void rig_send(struct rig *rig, unsigned length, const uint8_t *bytes)
{
    for (unsigned i = 0; i < length; i++) {
        if ((rig_in(rig, MSR) & 0xc0) != 0x80) {
            fail_msg("byte %u of command %02x is not wanted: MSR %02x", i, bytes[0], rig_in(rig, MSR));
        }
        rig_out(rig, FIFO, bytes[i]);
    }
}

void rig_receive(struct rig *rig, unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        if ((rig_in(rig, MSR) & 0xd0) != 0xd0) {
            fail_msg("result byte %u of %u is missing: MSR %02x", i, length, rig_in(rig, MSR));
        }
        rig->result[i] = rig_in(rig, FIFO);
    }
    if ((rig_in(rig, MSR) & 0xf0) != 0x80) {
        fail_msg("not idle after %u result bytes: MSR %02x", length, rig_in(rig, MSR));
    }
}

void rig_check_result(struct rig *rig, unsigned length, const uint8_t *expected, int line)
{
    rig_receive(rig, length);
    if (memcmp(rig->result, expected, length) != 0) {
        char got[64] = "";
        char want[64] = "";
        for (unsigned i = 0; i < length; i++) {
            snprintf(got + i * 3, 4, "%02x ", rig->result[i]);
            snprintf(want + i * 3, 4, "%02x ", expected[i]);
        }
        fail_msg("line %d: result %s, expected %s", line, got, want);
    }
}

void rig_sense(struct rig *rig, uint8_t st0, uint8_t pcn)
{
    SEND(rig, 0x08);
    CHECK_RESULT(rig, st0, pcn);
}

void rig_seek(struct rig *rig, uint8_t drive, uint8_t cylinder)
{
    SEND(rig, 0x0f, drive, cylinder);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20 | drive, cylinder);
}

uint8_t rig_pattern(uint32_t sector, uint32_t byte)
{
    return (uint8_t)(sector * 7 + (sector >> 5) + byte * 3 + (byte >> 8));
}

struct block_device *rig_patterned_image(uint32_t sectors)
{
    struct block_device *image;
    rig_check_ok(block_device_create_memory(sectors, &image));
    for (uint32_t sector = 0; sector < sectors; sector++) {
        uint8_t bytes[SECTOR];
        for (uint32_t i = 0; i < SECTOR; i++) {
            bytes[i] = rig_pattern(sector, i);
        }
        rig_check_ok(block_device_write(image, sector, 1, bytes));
    }
    return image;
}

void rig_check_pattern(const uint8_t *bytes, uint32_t sector)
{
    for (uint32_t i = 0; i < SECTOR; i++) {
        if (bytes[i] != rig_pattern(sector, i)) {
            fail_msg("sector %u byte %u: %02x, expected %02x", sector, i, bytes[i], rig_pattern(sector, i));
        }
    }
}

struct floppy_geometry rig_geometry_of(unsigned kib)
{
    struct floppy_geometry geometry;
    rig_check_ok(floppy_geometry_detect("", kib * 2, &geometry));
    return geometry;
}

struct block_device *rig_insert(struct rig *rig, unsigned drive, unsigned kib)
{
    struct floppy_geometry geometry = rig_geometry_of(kib);
    struct block_device *image = rig_patterned_image(floppy_geometry_sectors(&geometry));
    rig_check_ok(floppy_insert(rig->floppy, drive, image, &geometry, false));
    return image;
}

struct rig *rig_create(enum floppy_drive_type a, enum floppy_drive_type b)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->clock = event_clock_create_counted(&rig->retired, 1);
    rig->ports = port_bus_create(&rig->log, &rig->counters);
    struct device_host host = {.ports = rig->ports, .clock = rig->clock, .log = &rig->log};
    struct floppy_config config = {
        .base = 0x3f0,
        .irq = {.set = irq_changed, .opaque = rig, .number = 6},
        .dma = {.transfer = move_bytes, .opaque = rig, .channel = 2},
        .drives = {a, b},
    };
    rig_check_ok(floppy_create(&host, &config, &rig->floppy));
    return rig;
}

void rig_destroy(struct rig *rig)
{
    rig->floppy->class->destroy(rig->floppy);
    assert_int_equal(event_clock_next_deadline(rig->clock), EVENT_CLOCK_NEVER);
    assert_int_equal(port_bus_read(rig->ports, MSR, 1), 0xff);
    port_bus_destroy(rig->ports);
    event_clock_destroy(rig->clock);
    free(rig);
}

void rig_start(struct rig *rig, enum floppy_data_rate rate)
{
    rig_out(rig, DOR, 0x00);
    rig_out(rig, DOR, 0x0c);
    rig_wait_interrupt(rig);
    for (uint8_t drive = 0; drive < 4; drive++) {
        rig_sense(rig, 0xc0 | drive, 0);
    }
    SEND(rig, 0x03, 0xaf, 0x02);
    rig_out(rig, DOR, 0x1c);
    rig_out(rig, CCR, (uint8_t)rate);
    SEND(rig, 0x07, 0x00);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20, 0);
}

int rig_set_up_1440(void **state)
{
    struct rig *rig = rig_create(FLOPPY_DRIVE_1440K, FLOPPY_DRIVE_1440K);
    rig_insert(rig, 0, 1440);
    rig_start(rig, FLOPPY_RATE_500K);
    *state = rig;
    return 0;
}

int rig_tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

void rig_read_sectors(struct rig *rig, uint8_t command, uint8_t c, uint8_t h, uint8_t r, uint8_t eot,
                      size_t bytes)
{
    rig_dma_program(rig, bytes);
    SEND(rig, command, (uint8_t)(h << 2), c, h, r, 2, eot, 0x1b, 0xff);
    assert_int_equal(rig_in(rig, MSR), 0x10); /* DMA execution: busy, no request for the CPU */
    rig_wait_interrupt(rig);
}

void rig_write_sectors(struct rig *rig, uint8_t command, uint8_t c, uint8_t h, uint8_t r, uint8_t eot,
                       size_t bytes)
{
    rig_read_sectors(rig, command, c, h, r, eot, bytes);
}
