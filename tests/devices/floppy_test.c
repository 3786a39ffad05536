/* The 82077AA driven as software drives it: through a port bus, with a clock that the test moves, a DMA
 * channel that the test programs, and its interrupt pin observed. Expected results are the data sheet's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "devices/floppy.h"

enum { DOR = 0x3f2, TDR = 0x3f3, MSR = 0x3f4, DSR = 0x3f4, FIFO = 0x3f5, DIR = 0x3f7, CCR = 0x3f7 };

#define SECTOR 512u

struct rig {
    struct log log;
    struct counters counters;
    uint64_t retired; /* one instruction is one nanosecond */
    struct event_clock *clock;
    struct port_bus *ports;
    struct device *floppy;
    bool irq;
    unsigned edges; /* low to high */
    /* the DMA channel */
    uint8_t memory[64 * SECTOR];
    size_t position;
    size_t count; /* bytes until the terminal count */
    bool masked;
    unsigned requests;
    uint8_t result[10];
};

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

static void dma_program(struct rig *rig, size_t count)
{
    rig->position = 0;
    rig->count = count;
    rig->masked = false;
}

static void check_ok(struct status status)
{
    if (!status_is_ok(&status)) {
        fail_msg("unexpected error: %s", status.message);
    }
}

static void out(struct rig *rig, uint16_t port, uint8_t value)
{
    port_bus_write(rig->ports, port, 1, value);
}

static uint8_t in(struct rig *rig, uint16_t port)
{
    return (uint8_t)port_bus_read(rig->ports, port, 1);
}

static void advance(struct rig *rig, uint64_t ns)
{
    uint64_t end = rig->retired + ns;
    while (event_clock_next_deadline(rig->clock) <= end) {
        uint64_t deadline = event_clock_next_deadline(rig->clock);
        rig->retired = deadline > rig->retired ? deadline : rig->retired;
        event_clock_run_due(rig->clock);
    }
    rig->retired = end;
}

/* Lets time pass until the next interrupt; fails when none comes within a second. */
static void wait_interrupt(struct rig *rig)
{
    unsigned before = rig->edges;
    for (unsigned i = 0; i < 100000 && rig->edges == before; i++) {
        advance(rig, 10 * NS_PER_MICROSECOND);
    }
    if (rig->edges == before) {
        fail_msg("no interrupt; MSR is %02x", in(rig, MSR));
    }
    assert_true(rig->irq);
}

static void send(struct rig *rig, unsigned length, const uint8_t *bytes)
{
    for (unsigned i = 0; i < length; i++) {
        if ((in(rig, MSR) & 0xc0) != 0x80) {
            fail_msg("byte %u of command %02x is not wanted: MSR %02x", i, bytes[0], in(rig, MSR));
        }
        out(rig, FIFO, bytes[i]);
    }
}

#define SEND(rig, ...) send(rig, (unsigned)sizeof(uint8_t[]){__VA_ARGS__}, (const uint8_t[]){__VA_ARGS__})

static void receive(struct rig *rig, unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        if ((in(rig, MSR) & 0xd0) != 0xd0) {
            fail_msg("result byte %u of %u is missing: MSR %02x", i, length, in(rig, MSR));
        }
        rig->result[i] = in(rig, FIFO);
    }
    if ((in(rig, MSR) & 0xf0) != 0x80) {
        fail_msg("not idle after %u result bytes: MSR %02x", length, in(rig, MSR));
    }
}

static void check_result(struct rig *rig, unsigned length, const uint8_t *expected, int line)
{
    receive(rig, length);
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

#define CHECK_RESULT(rig, ...)                                                                               \
    check_result(rig, (unsigned)sizeof(uint8_t[]){__VA_ARGS__}, (const uint8_t[]){__VA_ARGS__}, __LINE__)

static void sense(struct rig *rig, uint8_t st0, uint8_t pcn)
{
    SEND(rig, 0x08);
    CHECK_RESULT(rig, st0, pcn);
}

static void seek(struct rig *rig, uint8_t drive, uint8_t cylinder)
{
    SEND(rig, 0x0f, drive, cylinder);
    wait_interrupt(rig);
    sense(rig, 0x20 | drive, cylinder);
}

/* A byte that depends on where in the image it lies. */
static uint8_t pattern(uint32_t sector, uint32_t byte)
{
    return (uint8_t)(sector * 7 + (sector >> 5) + byte * 3 + (byte >> 8));
}

static struct block_device *patterned_image(uint32_t sectors)
{
    struct block_device *image;
    check_ok(block_device_create_memory(sectors, &image));
    for (uint32_t sector = 0; sector < sectors; sector++) {
        uint8_t bytes[SECTOR];
        for (uint32_t i = 0; i < SECTOR; i++) {
            bytes[i] = pattern(sector, i);
        }
        check_ok(block_device_write(image, sector, 1, bytes));
    }
    return image;
}

static void check_pattern(const uint8_t *bytes, uint32_t sector)
{
    for (uint32_t i = 0; i < SECTOR; i++) {
        if (bytes[i] != pattern(sector, i)) {
            fail_msg("sector %u byte %u: %02x, expected %02x", sector, i, bytes[i], pattern(sector, i));
        }
    }
}

static struct floppy_geometry geometry_of(unsigned kib)
{
    struct floppy_geometry geometry;
    check_ok(floppy_geometry_detect("", kib * 2, &geometry));
    return geometry;
}

static struct block_device *insert(struct rig *rig, unsigned drive, unsigned kib)
{
    struct floppy_geometry geometry = geometry_of(kib);
    struct block_device *image = patterned_image(floppy_geometry_sectors(&geometry));
    check_ok(floppy_insert(rig->floppy, drive, image, &geometry, false));
    return image;
}

static struct rig *create_rig(enum floppy_drive_type a, enum floppy_drive_type b)
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
    check_ok(floppy_create(&host, &config, &rig->floppy));
    return rig;
}

static void destroy_rig(struct rig *rig)
{
    rig->floppy->class->destroy(rig->floppy);
    assert_int_equal(event_clock_next_deadline(rig->clock), EVENT_CLOCK_NEVER);
    assert_int_equal(port_bus_read(rig->ports, MSR, 1), 0xff);
    port_bus_destroy(rig->ports);
    event_clock_destroy(rig->clock);
    free(rig);
}

/* As firmware does: reset, four senses, DMA mode, motor of drive 0 on, recalibrate, the disk's rate. */
static void start(struct rig *rig, enum floppy_data_rate rate)
{
    out(rig, DOR, 0x00);
    out(rig, DOR, 0x0c);
    wait_interrupt(rig);
    for (uint8_t drive = 0; drive < 4; drive++) {
        sense(rig, 0xc0 | drive, 0);
    }
    SEND(rig, 0x03, 0xaf, 0x02);
    out(rig, DOR, 0x1c);
    out(rig, CCR, (uint8_t)rate);
    SEND(rig, 0x07, 0x00);
    wait_interrupt(rig);
    sense(rig, 0x20, 0);
}

static int set_up_1440(void **state)
{
    struct rig *rig = create_rig(FLOPPY_DRIVE_1440K, FLOPPY_DRIVE_1440K);
    insert(rig, 0, 1440);
    start(rig, FLOPPY_RATE_500K);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    destroy_rig(*state);
    return 0;
}

static void read_sectors(struct rig *rig, uint8_t command, uint8_t c, uint8_t h, uint8_t r, uint8_t eot,
                         size_t bytes)
{
    dma_program(rig, bytes);
    SEND(rig, command, (uint8_t)(h << 2), c, h, r, 2, eot, 0x1b, 0xff);
    assert_int_equal(in(rig, MSR), 0x10); /* DMA execution: busy, no request for the CPU */
    wait_interrupt(rig);
}

static void write_sectors(struct rig *rig, uint8_t command, uint8_t c, uint8_t h, uint8_t r, uint8_t eot,
                          size_t bytes)
{
    read_sectors(rig, command, c, h, r, eot, bytes);
}

/* ---- reset and registers ---- */

static void power_up_holds_the_chip_in_reset(void **state)
{
    (void)state;
    struct rig *rig = create_rig(FLOPPY_DRIVE_1440K, FLOPPY_DRIVE_NONE);
    assert_int_equal(in(rig, DOR), 0);
    assert_int_equal(in(rig, MSR), 0);
    out(rig, FIFO, 0x10);
    advance(rig, NS_PER_SECOND);
    assert_int_equal(in(rig, MSR), 0);
    assert_int_equal(rig->edges, 0);
    assert_int_equal(in(rig, 0x3f0), 0xff);
    assert_int_equal(in(rig, 0x3f6), 0xff); /* the IDE channel's */
    destroy_rig(rig);
}

static void reset_gives_one_interrupt_and_four_sense_results(void **state)
{
    struct rig *rig = *state;
    for (unsigned dsr = 0; dsr < 2; dsr++) {
        unsigned before = rig->edges;
        if (dsr != 0) {
            out(rig, DSR, 0x80);
        } else {
            out(rig, DOR, 0x18);
            assert_int_equal(in(rig, MSR), 0);
            out(rig, DOR, 0x1c);
        }
        assert_false(rig->irq); /* later, not at once */
        wait_interrupt(rig);
        for (uint8_t drive = 0; drive < 4; drive++) {
            sense(rig, 0xc0 | drive, 0);
            assert_false(rig->irq);
        }
        SEND(rig, 0x08);
        CHECK_RESULT(rig, 0x80);
        advance(rig, NS_PER_SECOND);
        assert_int_equal(rig->edges, before + 1);
    }
}

/* Firmware that senses only once after a reset still gets the result of its recalibration. */
static void recalibrate_result_replaces_an_unread_polling_result(void **state)
{
    struct rig *rig = *state;
    out(rig, DOR, 0x00);
    out(rig, DOR, 0x0c);
    wait_interrupt(rig);
    sense(rig, 0xc0, 0);
    out(rig, DOR, 0x2d);
    SEND(rig, 0x07, 0x01);
    wait_interrupt(rig);
    sense(rig, 0x21, 0);
    sense(rig, 0xc2, 0);
    sense(rig, 0xc3, 0);
}

static void configure_without_polling_suppresses_the_reset_interrupt(void **state)
{
    struct rig *rig = *state;
    unsigned before = rig->edges;
    out(rig, DSR, 0x80);
    SEND(rig, 0x13, 0x00, 0x10, 0x00);
    advance(rig, NS_PER_SECOND);
    assert_int_equal(rig->edges, before);
    SEND(rig, 0x08);
    CHECK_RESULT(rig, 0x80);
}

static void interrupt_pin_follows_the_dma_gate(void **state)
{
    struct rig *rig = *state;
    out(rig, DOR, 0x14); /* gate closed */
    SEND(rig, 0x0f, 0x00, 3);
    advance(rig, NS_PER_SECOND);
    assert_false(rig->irq);
    out(rig, DOR, 0x1c);
    assert_true(rig->irq);
    sense(rig, 0x20, 3);
    assert_false(rig->irq);
}

static void reset_aborts_a_command(void **state)
{
    struct rig *rig = *state;
    dma_program(rig, SECTOR);
    SEND(rig, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    out(rig, DOR, 0x18);
    out(rig, DOR, 0x1c);
    wait_interrupt(rig);
    sense(rig, 0xc0, 0);
    assert_int_equal(rig->requests, 0);
    SEND(rig, 0x0f, 0x00); /* and half a command */
    assert_int_equal(in(rig, MSR), 0x90);
    out(rig, DSR, 0x80);
    assert_int_equal(in(rig, MSR), 0x80);
}

static void tape_register_keeps_two_bits_over_a_software_reset(void **state)
{
    struct rig *rig = *state;
    out(rig, TDR, 0xff);
    out(rig, DSR, 0x80);
    assert_int_equal(in(rig, TDR) & 3, 3);
    rig->floppy->class->reset(rig->floppy);
    assert_int_equal(in(rig, TDR) & 3, 0);
    assert_int_equal(in(rig, DOR), 0);
}

static void invalid_commands_answer_80h(void **state)
{
    struct rig *rig = *state;
    static const uint8_t invalid[] = {0x00,
                                      0x01,
                                      0x0b,
                                      0x15,
                                      0x17,
                                      0x18,
                                      0x1a,
                                      0x1b,
                                      0x1c,
                                      0x1e,
                                      0x1f,
                                      0x33,
                                      0x47,
                                      0x4f,
                                      0x88,
                                      0x90,
                                      0x0f | 0xc0 | 0x20};
    unsigned before = rig->edges;
    for (unsigned i = 0; i < sizeof invalid; i++) {
        SEND(rig, invalid[i]);
        CHECK_RESULT(rig, 0x80);
    }
    advance(rig, NS_PER_SECOND);
    assert_int_equal(rig->edges, before);
    out(rig, DOR, 0x1c);
    assert_int_equal(in(rig, FIFO), 0); /* nothing to read */
}

static void version_and_part_id_say_82077aa(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x10);
    CHECK_RESULT(rig, 0x90);
    SEND(rig, 0x18);
    CHECK_RESULT(rig, 0x80);
}

static void dumpreg_shows_what_was_set(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x03, 0xdf, 0x02);
    SEND(rig, 0x13, 0x00, 0x57, 0x2a);
    SEND(rig, 0x12, 0x95); /* OW, D2 and D0, WGATE */
    SEND(rig, 0x94);
    CHECK_RESULT(rig, 0x10);
    seek(rig, 0, 9);
    seek(rig, 1, 4);
    read_sectors(rig, 0xe6, 9, 0, 1, 7, SECTOR);
    receive(rig, 7);
    SEND(rig, 0x0e);
    CHECK_RESULT(rig, 9, 4, 0, 0, 0xdf, 0x02, 7, 0x95, 0x57, 0x2a);
    SEND(rig, 0x12, 0x02); /* no OW: D bits stay */
    SEND(rig, 0x0e);
    receive(rig, 10);
    assert_int_equal(rig->result[7], 0x96);
}

static void lock_keeps_the_fifo_setting_over_a_software_reset(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x13, 0x00, 0x47, 0x2a); /* implied seek, FIFO on, polling, threshold 8 */
    SEND(rig, 0x94);
    CHECK_RESULT(rig, 0x10);
    out(rig, DSR, 0x80);
    SEND(rig, 0x0e);
    receive(rig, 10);
    assert_int_equal(rig->result[8], 0x07);
    assert_int_equal(rig->result[9], 0x2a);
    SEND(rig, 0x14);
    CHECK_RESULT(rig, 0x00);
    out(rig, DSR, 0x80);
    SEND(rig, 0x0e);
    receive(rig, 10);
    assert_int_equal(rig->result[8], 0x20);
    assert_int_equal(rig->result[9], 0x00);
    assert_int_equal(rig->result[4], 0xaf); /* SPECIFY survives */
}

/* ---- head movement ---- */

static void seek_takes_time_and_shows_the_busy_drive(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x0f, 0x00, 40);
    assert_int_equal(in(rig, MSR), 0x81);
    assert_false(rig->irq);
    uint64_t start_time = rig->retired;
    wait_interrupt(rig);
    assert_true(rig->retired - start_time > NS_PER_MILLISECOND);
    assert_int_equal(in(rig, MSR), 0x80);
    sense(rig, 0x20, 40);
}

static void seeks_of_two_drives_overlap(void **state)
{
    struct rig *rig = *state;
    unsigned before = rig->edges;
    SEND(rig, 0x0f, 0x00, 30);
    SEND(rig, 0x0f, 0x01, 10);
    assert_int_equal(in(rig, MSR), 0x83);
    advance(rig, NS_PER_SECOND);
    assert_int_equal(rig->edges, before + 2);
    sense(rig, 0x20, 30);
    assert_true(rig->irq); /* the other is still to be sensed */
    sense(rig, 0x21, 10);
    assert_false(rig->irq);
}

static void recalibrate_without_a_drive_reports_equipment_check(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x07, 0x02);
    wait_interrupt(rig);
    sense(rig, 0x72, 0);
    SEND(rig, 0x04, 0x02);
    CHECK_RESULT(rig, 0x2a); /* no track 0 */
}

static void recalibrate_gives_up_after_79_steps(void **state)
{
    struct rig *rig = *state;
    seek(rig, 0, 81);
    SEND(rig, 0x07, 0x00);
    wait_interrupt(rig);
    sense(rig, 0x70, 0);
    SEND(rig, 0x07, 0x00);
    wait_interrupt(rig);
    sense(rig, 0x20, 0);
}

static void relative_seek_moves_from_where_the_head_is(void **state)
{
    struct rig *rig = *state;
    seek(rig, 0, 10);
    SEND(rig, 0xcf, 0x00, 5); /* inwards */
    wait_interrupt(rig);
    sense(rig, 0x20, 15);
    SEND(rig, 0x8f, 0x00, 3); /* outwards */
    wait_interrupt(rig);
    sense(rig, 0x20, 12);
    read_sectors(rig, 0xe6, 12, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 12, 0, 2, 2);
    check_pattern(rig->memory, 12 * 36);
    SEND(rig, 0x8f, 0x00, 255);
    wait_interrupt(rig);
    sense(rig, 0x20, (uint8_t)(12 - 255));
    SEND(rig, 0x04, 0x00);
    CHECK_RESULT(rig, 0x38); /* the head itself stopped at track 0 */
}

static void sense_drive_status_shows_track_0_head_and_protection(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x04, 0x04);
    CHECK_RESULT(rig, 0x3c);
    seek(rig, 0, 1);
    SEND(rig, 0x04, 0x00);
    CHECK_RESULT(rig, 0x28);
    floppy_set_write_protect(rig->floppy, 0, true);
    SEND(rig, 0x04, 0x00);
    CHECK_RESULT(rig, 0x68);
}

static void implied_seek_moves_the_head_first(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x13, 0x00, 0x40, 0x00);
    read_sectors(rig, 0xe6, 33, 1, 5, 18, SECTOR);
    CHECK_RESULT(rig, 0x24, 0, 0, 33, 1, 6, 2); /* SE */
    check_pattern(rig->memory, 33 * 36 + 18 + 4);
    SEND(rig, 0x0e);
    receive(rig, 10);
    assert_int_equal(rig->result[0], 33);
}

/* ---- reading ---- */

static void read_stops_at_terminal_count(void **state)
{
    struct rig *rig = *state;
    read_sectors(rig, 0xe6, 0, 0, 3, 18, 4 * SECTOR);
    assert_int_equal(rig->position, 4 * SECTOR);
    assert_true(rig->irq);
    in(rig, MSR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 7, 2);
    assert_false(rig->irq);
    for (uint32_t i = 0; i < 4; i++) {
        check_pattern(rig->memory + i * SECTOR, 2 + i);
    }
}

static void terminal_count_in_mid_sector_counts_the_sector(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0x5a, sizeof rig->memory);
    read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR + 10);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 3, 2);
    check_pattern(rig->memory, 0);
    assert_int_equal(rig->memory[SECTOR + 9], pattern(1, 9));
    assert_int_equal(rig->memory[SECTOR + 10], 0x5a);
}

static void multi_track_read_crosses_to_side_1(void **state)
{
    struct rig *rig = *state;
    read_sectors(rig, 0xe6, 0, 0, 17, 18, 4 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 3, 2);
    for (uint32_t i = 0; i < 4; i++) {
        check_pattern(rig->memory + i * SECTOR, 16 + i);
    }
}

/* SeaBIOS sets EOT to first + count - 1, even beyond the track. */
static void multi_track_read_crosses_to_side_1_with_eot_beyond_the_track(void **state)
{
    struct rig *rig = *state;
    read_sectors(rig, 0xe6, 0, 0, 17, 20, 4 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 3, 2);
    check_pattern(rig->memory + 3 * SECTOR, 19);
}

/* Table 5-6: what the result phase reports after a terminal count. */
static void result_ids_follow_the_result_phase_table(void **state)
{
    struct rig *rig = *state;
    static const struct {
        uint8_t command, head, r, eot;
        uint8_t c, h, next;
    } rows[] = {
        {0x66, 0, 4, 18, 0, 0, 5},  {0x66, 0, 18, 18, 1, 0, 1}, {0x66, 1, 4, 18, 0, 1, 5},
        {0x66, 1, 18, 18, 1, 1, 1}, {0xe6, 0, 4, 18, 0, 0, 5},  {0xe6, 0, 18, 18, 0, 1, 1},
        {0xe6, 1, 4, 18, 0, 1, 5},  {0xe6, 1, 18, 18, 1, 0, 1},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        read_sectors(rig, rows[i].command, 0, rows[i].head, rows[i].r, rows[i].eot, SECTOR);
        CHECK_RESULT(rig, (uint8_t)(rows[i].head << 2), 0, 0, rows[i].c, rows[i].h, rows[i].next, 2);
    }
}

static void end_of_cylinder_without_terminal_count_is_abnormal(void **state)
{
    struct rig *rig = *state;
    read_sectors(rig, 0x46, 0, 0, 17, 18, 10 * SECTOR);
    assert_int_equal(rig->position, 2 * SECTOR);
    CHECK_RESULT(rig, 0x40, 0x80, 0, 1, 0, 1, 2);
    read_sectors(rig, 0xc6, 0, 0, 18, 18, 30 * SECTOR);
    assert_int_equal(rig->position, 19 * SECTOR);
    CHECK_RESULT(rig, 0x44, 0x80, 0, 1, 0, 1, 2);
}

static void missing_sectors_give_no_data(void **state)
{
    struct rig *rig = *state;
    read_sectors(rig, 0xe6, 0, 0, 19, 19, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 19, 2);
    read_sectors(rig, 0xe6, 0, 0, 0, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 0, 2);
    dma_program(rig, SECTOR);
    SEND(rig, 0xe6, 0x00, 0, 1, 1, 2, 18, 0x1b, 0xff); /* H does not match the side */
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 1, 1, 2);
    SEND(rig, 0xe6, 0x00, 0, 0, 1, 3, 18, 0x1b, 0xff); /* N: 1024-byte sectors */
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 1, 3);
    /* without MT the side's end is the end */
    read_sectors(rig, 0x66, 0, 0, 18, 20, 4 * SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 19, 2);
    assert_int_equal(rig->position, SECTOR);
}

static void head_on_another_cylinder_gives_wrong_cylinder(void **state)
{
    struct rig *rig = *state;
    seek(rig, 0, 5);
    read_sectors(rig, 0xe6, 6, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0x10, 6, 0, 1, 2);
    assert_int_equal(rig->position, 0);
}

static void wrong_rate_or_density_gives_missing_address_mark(void **state)
{
    struct rig *rig = *state;
    for (uint8_t rate = 1; rate < 4; rate++) {
        out(rig, CCR, rate);
        SEND(rig, 0x4a, 0x00);
        wait_interrupt(rig);
        CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 0, 0);
    }
    out(rig, DSR, 0x00);
    read_sectors(rig, 0xa6, 0, 0, 1, 18, SECTOR); /* FM */
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 1, 2);
    seek(rig, 0, 80);
    read_sectors(rig, 0xe6, 80, 0, 1, 18, SECTOR); /* unformatted */
    CHECK_RESULT(rig, 0x40, 0x01, 0, 80, 0, 1, 2);
}

static void no_disk_no_drive_or_no_motor_ends_abnormally(void **state)
{
    struct rig *rig = *state;
    out(rig, DOR, 0xfc);
    for (uint8_t drive = 1; drive < 4; drive++) {
        SEND(rig, 0x4a, drive);
        wait_interrupt(rig);
        CHECK_RESULT(rig, 0x40 | drive, 0x01, 0, 0, 0, 0, 0);
    }
    out(rig, DOR, 0x0c);
    SEND(rig, 0x4a, 0x00);
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 0, 0);
    out(rig, DOR, 0x1c);
    floppy_eject(rig->floppy, 0);
    read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 1, 2);
}

static void read_id_reports_sectors_in_rotation(void **state)
{
    struct rig *rig = *state;
    seek(rig, 0, 7);
    read_sectors(rig, 0xe6, 7, 1, 17, 18, SECTOR);
    receive(rig, 7);
    SEND(rig, 0x4a, 0x04);
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x04, 0, 0, 7, 1, 18, 2);
    SEND(rig, 0x4a, 0x04);
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x04, 0, 0, 7, 1, 1, 2);
}

static void read_track_starts_at_the_index_and_ignores_numbers(void **state)
{
    struct rig *rig = *state;
    read_sectors(rig, 0xe6, 0, 0, 9, 18, SECTOR);
    receive(rig, 7);
    read_sectors(rig, 0x42, 0, 0, 1, 5, 5 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 1, 0, 1, 2);
    for (uint32_t i = 0; i < 5; i++) {
        check_pattern(rig->memory + i * SECTOR, i);
    }
    read_sectors(rig, 0x42, 0, 0, 3, 2, 2 * SECTOR); /* headers do not match: ND, but all data */
    assert_int_equal(rig->position, 2 * SECTOR);
    receive(rig, 7);
    assert_int_equal(rig->result[0], 0x00);
    assert_int_equal(rig->result[1], 0x04);
    check_pattern(rig->memory, 0);
    read_sectors(rig, 0x42, 0, 0, 1, 4, 20 * SECTOR);
    assert_int_equal(rig->position, 4 * SECTOR);
    receive(rig, 7);
    assert_int_equal(rig->result[0], 0x40);
    assert_int_equal(rig->result[1], 0x80);
}

static void masked_dma_channel_waits_and_then_overruns(void **state)
{
    struct rig *rig = *state;
    dma_program(rig, SECTOR);
    rig->masked = true;
    SEND(rig, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    advance(rig, 20 * NS_PER_MILLISECOND);
    assert_false(rig->irq);
    rig->masked = false;
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 2, 2);
    check_pattern(rig->memory, 0);

    dma_program(rig, SECTOR);
    rig->masked = true;
    SEND(rig, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x10, 0, 0, 0, 1, 2);
}

/* Every track of every format, a side at a time, in the smallest drive that takes the disk. */
static void every_standard_disk_is_read_in_full(void **state)
{
    (void)state;
    const struct floppy_geometry *geometry;
    for (unsigned format = 0; (geometry = floppy_geometry_standard(format)) != NULL; format++) {
        struct rig *rig = create_rig(geometry->drive, FLOPPY_DRIVE_NONE);
        insert(rig, 0, floppy_geometry_sectors(geometry) / 2);
        start(rig, geometry->rate);
        uint8_t last = geometry->sectors_per_track;
        uint32_t sector = 0;
        for (uint8_t c = 0; c < geometry->tracks; c++) {
            seek(rig, 0, c);
            for (uint8_t h = 0; h < geometry->heads; h++) {
                memset(rig->memory, 0, sizeof rig->memory);
                read_sectors(rig, 0xe6, c, h, 1, last, last * SECTOR);
                receive(rig, 7);
                assert_int_equal(rig->result[0], h << 2);
                for (uint32_t i = 0; i < last; i++) {
                    check_pattern(rig->memory + i * SECTOR, sector++);
                }
            }
        }
        assert_int_equal(sector, floppy_geometry_sectors(geometry));
        if (geometry->heads == 1) {
            read_sectors(rig, 0x46, 0, 1, 1, last, SECTOR); /* nothing on the other side */
            receive(rig, 7);
            assert_int_equal(rig->result[1], 0x01);
        }
        destroy_rig(rig);
    }
}

/* Firmware asks for 250 or 300 kbit/s whatever the drive's speed is. */
static void double_density_5_25_disks_read_at_both_rates(void **state)
{
    (void)state;
    struct rig *rig = create_rig(FLOPPY_DRIVE_360K, FLOPPY_DRIVE_NONE);
    insert(rig, 0, 160);
    start(rig, FLOPPY_RATE_250K);
    for (uint8_t rate = 0; rate < 4; rate++) {
        out(rig, CCR, rate);
        SEND(rig, 0x4a, 0x00);
        wait_interrupt(rig);
        receive(rig, 7);
        assert_int_equal(rig->result[0], rate == 1 || rate == 2 ? 0x00 : 0x40);
    }
    destroy_rig(rig);
}

static void disk_too_dense_for_the_drive_is_unreadable(void **state)
{
    (void)state;
    struct rig *rig = create_rig(FLOPPY_DRIVE_720K, FLOPPY_DRIVE_NONE);
    insert(rig, 0, 1440);
    start(rig, FLOPPY_RATE_500K);
    SEND(rig, 0x4a, 0x00);
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 0, 0);
    destroy_rig(rig);
}

/* ---- writing ---- */

static void check_image(struct rig *rig, unsigned drive, uint32_t sector, const uint8_t *expected)
{
    uint8_t bytes[SECTOR];
    struct block_device *image = (struct block_device *)(uintptr_t)floppy_image(rig->floppy, drive);
    check_ok(block_device_read(image, sector, 1, bytes));
    assert_memory_equal(bytes, expected, SECTOR);
}

static void write_reaches_the_image_on_both_sides(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < 3 * SECTOR; i++) {
        rig->memory[i] = (uint8_t)(i * 11 + (i >> 9));
    }
    seek(rig, 0, 2);
    write_sectors(rig, 0xc5, 2, 0, 17, 18, 3 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 2, 1, 2, 2);
    check_image(rig, 0, 72 + 16, rig->memory);
    check_image(rig, 0, 72 + 17, rig->memory + SECTOR);
    check_image(rig, 0, 72 + 18, rig->memory + 2 * SECTOR);
    uint8_t after[SECTOR];
    for (uint32_t i = 0; i < SECTOR; i++) {
        after[i] = pattern(72 + 19, i);
    }
    check_image(rig, 0, 72 + 19, after);
}

static void write_cut_short_fills_the_sector_with_zeros(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0xee, SECTOR);
    write_sectors(rig, 0x45, 0, 0, 2, 18, 100);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 3, 2);
    memset(rig->memory + 100, 0, SECTOR - 100);
    check_image(rig, 0, 1, rig->memory);
}

static void write_protected_disk_is_not_written(void **state)
{
    struct rig *rig = *state;
    floppy_set_write_protect(rig->floppy, 0, true);
    write_sectors(rig, 0xc5, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x02, 0, 0, 0, 1, 2);
    write_sectors(rig, 0xc9, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x02, 0, 0, 0, 1, 2);
    dma_program(rig, 72);
    SEND(rig, 0x4d, 0x00, 2, 18, 0x6c, 0xf6);
    wait_interrupt(rig);
    receive(rig, 7);
    assert_int_equal(rig->result[0], 0x40);
    assert_int_equal(rig->result[1], 0x02);
    assert_int_equal(rig->requests, 0);
    floppy_set_write_protect(rig->floppy, 0, false);
    read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 2, 2);
    check_pattern(rig->memory, 0);
}

static void deleted_sectors_set_the_control_mark(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0x11, SECTOR);
    write_sectors(rig, 0xc9, 0, 0, 4, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 5, 2);
    /* READ DATA, SK=0: reads it, then stops; the address is not incremented */
    read_sectors(rig, 0x46, 0, 0, 3, 18, 4 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 0, 0, 4, 2);
    assert_int_equal(rig->position, 2 * SECTOR);
    assert_int_equal(rig->memory[SECTOR], 0x11);
    /* SK=1: skips it */
    read_sectors(rig, 0x66, 0, 0, 3, 18, 2 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 0, 0, 6, 2);
    check_pattern(rig->memory + SECTOR, 4);
    /* READ DELETED DATA: the reverse */
    read_sectors(rig, 0x4c, 0, 0, 4, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 5, 2);
    assert_int_equal(rig->memory[0], 0x11);
    read_sectors(rig, 0x4c, 0, 0, 5, 18, 2 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 0, 0, 5, 2);
    read_sectors(rig, 0x6c, 0, 0, 1, 4, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 1, 0, 1, 2);
    assert_int_equal(rig->memory[0], 0x11);
    /* a normal write makes it a normal sector again */
    write_sectors(rig, 0xc5, 0, 0, 4, 18, SECTOR);
    receive(rig, 7);
    read_sectors(rig, 0x46, 0, 0, 4, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 5, 2);
}

/* ---- format ---- */

static void format_headers(struct rig *rig, uint8_t c, uint8_t h, uint8_t n, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        const uint8_t id[4] = {c, h, (uint8_t)(i + 1), n};
        memcpy(rig->memory + i * 4u, id, 4);
    }
    dma_program(rig, count * 4u);
    SEND(rig, 0x4d, (uint8_t)(h << 2), n, count, 0x6c, 0xf6);
    wait_interrupt(rig);
    receive(rig, 7);
    assert_int_equal(rig->result[0], h << 2);
    assert_int_equal(rig->result[1], 0);
}

static void format_fills_the_track_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    seek(rig, 0, 3);
    format_headers(rig, 3, 1, 2, 18);
    uint8_t filler[SECTOR];
    memset(filler, 0xf6, sizeof filler);
    for (uint32_t sector = 3 * 36 + 18; sector < 4 * 36; sector++) {
        check_image(rig, 0, sector, filler);
    }
    read_sectors(rig, 0xe6, 3, 0, 18, 18, 2 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 3, 1, 2, 2);
    check_pattern(rig->memory, 3 * 36 + 17);
    assert_int_equal(rig->memory[SECTOR], 0xf6);
}

static void format_with_fewer_sectors_leaves_the_rest_unformatted(void **state)
{
    struct rig *rig = *state;
    format_headers(rig, 0, 0, 2, 9);
    read_sectors(rig, 0xe6, 0, 0, 9, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 10, 2);
    read_sectors(rig, 0xe6, 0, 0, 10, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 10, 2);
    format_headers(rig, 0, 0, 3, 5); /* 1024-byte sectors, which an image cannot hold */
    read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 1, 2);
    format_headers(rig, 0, 0, 2, 18);
    read_sectors(rig, 0xe6, 0, 0, 18, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 1, 1, 2);
}

/* ---- verify and scan ---- */

static void verify(struct rig *rig, uint8_t command, uint8_t flags, uint8_t r, uint8_t eot, uint8_t count)
{
    SEND(rig, command, flags, 0, (flags >> 2) & 1, r, 2, eot, 0x1b, count);
    wait_interrupt(rig);
    assert_int_equal(rig->requests, 0);
}

static void verify_checks_up_to_eot_or_the_count(void **state)
{
    struct rig *rig = *state;
    verify(rig, 0x56, 0x00, 1, 18, 0xff);
    CHECK_RESULT(rig, 0x00, 0, 0, 1, 0, 1, 2);
    verify(rig, 0x56, 0x00, 1, 19, 0xff); /* more than there are */
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 19, 2);
    verify(rig, 0x56, 0x80, 3, 18, 4);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 7, 2);
    verify(rig, 0x56, 0x80, 16, 18, 4); /* EOT comes before the count is reached */
    CHECK_RESULT(rig, 0x40, 0x80, 0, 1, 0, 1, 2);
    verify(rig, 0xd6, 0x80, 16, 18, 10); /* MT: goes on on side 1 */
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 8, 2);
    verify(rig, 0xd6, 0x00, 1, 18, 0xff);
    CHECK_RESULT(rig, 0x04, 0, 0, 1, 0, 1, 2);
}

static void scan(struct rig *rig, uint8_t command, int difference, uint8_t eot, uint8_t step)
{
    for (uint32_t i = 0; i < 4 * SECTOR; i++) {
        rig->memory[i] = (uint8_t)(0x40 + i / SECTOR);
    }
    write_sectors(rig, 0x45, 0, 0, 1, 18, 4 * SECTOR);
    receive(rig, 7);
    memset(rig->memory, 0x42, 4 * SECTOR);
    rig->memory[1] = (uint8_t)(0x42 + difference);
    for (uint32_t i = 1; i < 4; i++) {
        memcpy(rig->memory + i * SECTOR, rig->memory, SECTOR);
    }
    dma_program(rig, 8 * SECTOR);
    SEND(rig, command, 0x00, 0, 0, 1, 2, eot, 0x1b, step);
    wait_interrupt(rig);
}

/* The sectors hold 40h.. to 43h..; the host sends 42h... */
static void scans_find_the_first_sector_that_satisfies(void **state)
{
    struct rig *rig = *state;
    scan(rig, 0x51, 0, 18, 1); /* equal */
    CHECK_RESULT(rig, 0x00, 0, 0x08, 0, 0, 3, 2);
    scan(rig, 0x51, 0, 2, 1);
    CHECK_RESULT(rig, 0x00, 0, 0x04, 1, 0, 1, 2); /* not satisfied up to EOT */
    scan(rig, 0x59, 0, 18, 1);                    /* disk low or equal: the first sector is lower */
    CHECK_RESULT(rig, 0x00, 0, 0x00, 0, 0, 1, 2);
    scan(rig, 0x5d, 0, 18, 1); /* disk high or equal: the third is equal */
    CHECK_RESULT(rig, 0x00, 0, 0x08, 0, 0, 3, 2);
    scan(rig, 0x5d, 1, 18, 1); /* the host's second byte is higher: only the fourth is */
    CHECK_RESULT(rig, 0x00, 0, 0x00, 0, 0, 4, 2);
    scan(rig, 0x51, 0xff - 0x42, 18, 1); /* FFh matches anything */
    CHECK_RESULT(rig, 0x00, 0, 0x08, 0, 0, 3, 2);
    scan(rig, 0x51, 0, 18, 2); /* every other sector: 1, 3 */
    CHECK_RESULT(rig, 0x00, 0, 0x08, 0, 0, 3, 2);
    scan(rig, 0x51, 5, 4, 2); /* 1, 3, 5: stepped over EOT, ends when the count does */
    receive(rig, 7);
    assert_int_equal(rig->result[2] & 0x0c, 0x04);
}

static void scan_compares_only_what_came_before_the_terminal_count(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0, SECTOR);
    for (uint32_t i = 0; i < 16; i++) {
        rig->memory[i] = pattern(0, i);
    }
    dma_program(rig, 16);
    SEND(rig, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x00, 0, 0x08, 0, 0, 1, 2);
}

/* ---- non-DMA mode ---- */

static void non_dma_read_gives_an_interrupt_for_every_byte(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x03, 0xaf, 0x03);
    SEND(rig, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    assert_int_equal(in(rig, MSR), 0x30);
    uint8_t bytes[2 * SECTOR];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if ((in(rig, MSR) & 0x80) == 0) {
            wait_interrupt(rig);
        }
        assert_true(rig->irq);
        assert_int_equal(in(rig, MSR), 0xf0);
        unsigned before = rig->edges;
        bytes[i] = in(rig, FIFO);
        /* another byte or the result phase follows at once, another sector later */
        assert_int_equal(rig->edges, i + 1 == SECTOR ? before : before + 1);
    }
    check_pattern(bytes, 16);
    check_pattern(bytes + SECTOR, 17);
    /* nobody gave a terminal count */
    CHECK_RESULT(rig, 0x40, 0x80, 0, 1, 0, 1, 2);
    assert_int_equal(rig->requests, 0);
}

static void non_dma_write_with_fifo_holds_the_interrupt_for_a_sector(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x03, 0xaf, 0x03);
    SEND(rig, 0x13, 0x00, 0x0f, 0x00);
    SEND(rig, 0x45, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
    wait_interrupt(rig);
    unsigned before = rig->edges;
    for (unsigned i = 0; i < SECTOR; i++) {
        assert_int_equal(in(rig, MSR), 0xb0);
        rig->memory[i] = (uint8_t)(i * 5);
        out(rig, FIFO, rig->memory[i]);
    }
    assert_int_equal(rig->edges, before + 1); /* the result phase */
    CHECK_RESULT(rig, 0x40, 0x80, 0, 1, 0, 1, 2);
    check_image(rig, 0, 17, rig->memory);
}

static void disk_pulled_during_a_non_dma_write_is_reported(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x03, 0xaf, 0x03);
    SEND(rig, 0x45, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
    wait_interrupt(rig);
    floppy_eject(rig->floppy, 0);
    for (unsigned i = 0; i < SECTOR; i++) {
        out(rig, FIFO, 0);
    }
    wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 18, 2);
}

/* ---- changing disks ---- */

static void change_line_stays_until_a_step_with_a_disk_in(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(in(rig, DIR) & 0x80, 0x80); /* recalibrating on track 0 took no step */
    seek(rig, 0, 1);
    assert_int_equal(in(rig, DIR) & 0x80, 0);
    floppy_eject(rig->floppy, 0);
    assert_int_equal(in(rig, DIR) & 0x80, 0x80);
    seek(rig, 0, 2);
    assert_int_equal(in(rig, DIR) & 0x80, 0x80);
    insert(rig, 0, 720);
    assert_int_equal(in(rig, DIR) & 0x80, 0x80);
    read_sectors(rig, 0xe6, 0, 0, 1, 9, SECTOR);
    receive(rig, 7);
    seek(rig, 0, 2); /* already there: no step */
    assert_int_equal(in(rig, DIR) & 0x80, 0x80);
    seek(rig, 0, 0);
    assert_int_equal(in(rig, DIR) & 0x80, 0);
    out(rig, DOR, 0x1d); /* drive 1, empty */
    assert_int_equal(in(rig, DIR) & 0x80, 0x80);
    out(rig, DOR, 0x1e); /* no drive 2 */
    assert_int_equal(in(rig, DIR) & 0x80, 0);
}

static void new_disk_replaces_the_old_one(void **state)
{
    struct rig *rig = *state;
    insert(rig, 0, 720);
    out(rig, CCR, FLOPPY_RATE_250K);
    read_sectors(rig, 0xe6, 0, 1, 1, 9, SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 2, 2);
    check_pattern(rig->memory, 9);
}

static void disks_that_do_not_fit_are_refused(void **state)
{
    struct rig *rig = *state;
    const struct block_device *before = floppy_image(rig->floppy, 0);
    struct floppy_geometry small = geometry_of(360);
    struct floppy_geometry large = geometry_of(2880);
    struct block_device *image = patterned_image(720);
    struct status status = floppy_insert(rig->floppy, 0, image, &small, false);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_non_null(strstr(status.message, "does not fit"));
    status = floppy_insert(rig->floppy, 0, image, &large, false);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    status = floppy_insert(rig->floppy, 2, image, &small, false);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    status = floppy_insert(rig->floppy, 9, image, &small, false);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    block_device_close(image);
    assert_ptr_equal(floppy_image(rig->floppy, 0), before);
    assert_int_equal(floppy_type(rig->floppy, 0), FLOPPY_DRIVE_1440K);
    read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 2, 2);
}

static void describe_names_drives_and_disks(void **state)
{
    struct rig *rig = *state;
    char *text = NULL;
    size_t size = 0;
    FILE *out_file = open_memstream(&text, &size);
    rig->floppy->class->describe(rig->floppy, out_file);
    fclose(out_file);
    assert_non_null(strstr(text, "drive 0: 1.44 MB 3.5\", motor on"));
    assert_non_null(strstr(text, "drive 1: 1.44 MB 3.5\", motor off"));
    assert_non_null(strstr(text, "no disk"));
    free(text);
}

static void taken_ports_are_an_error_that_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    struct device_host host = {.ports = rig->ports, .clock = rig->clock, .log = &rig->log};
    struct floppy_config config = {.base = 0x3f0, .drives = {FLOPPY_DRIVE_1440K}};
    struct device *second;
    struct status status = floppy_create(&host, &config, &second);
    assert_int_equal(status.code, STATUS_CONFLICT);
    assert_null(second);
    config.base = 0x370;
    check_ok(floppy_create(&host, &config, &second));
    second->class->destroy(second);
}

#define ON_1440(test) cmocka_unit_test_setup_teardown(test, set_up_1440, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_up_holds_the_chip_in_reset),
        ON_1440(reset_gives_one_interrupt_and_four_sense_results),
        ON_1440(recalibrate_result_replaces_an_unread_polling_result),
        ON_1440(configure_without_polling_suppresses_the_reset_interrupt),
        ON_1440(interrupt_pin_follows_the_dma_gate),
        ON_1440(reset_aborts_a_command),
        ON_1440(tape_register_keeps_two_bits_over_a_software_reset),
        ON_1440(invalid_commands_answer_80h),
        ON_1440(version_and_part_id_say_82077aa),
        ON_1440(dumpreg_shows_what_was_set),
        ON_1440(lock_keeps_the_fifo_setting_over_a_software_reset),
        ON_1440(seek_takes_time_and_shows_the_busy_drive),
        ON_1440(seeks_of_two_drives_overlap),
        ON_1440(recalibrate_without_a_drive_reports_equipment_check),
        ON_1440(recalibrate_gives_up_after_79_steps),
        ON_1440(relative_seek_moves_from_where_the_head_is),
        ON_1440(sense_drive_status_shows_track_0_head_and_protection),
        ON_1440(implied_seek_moves_the_head_first),
        ON_1440(read_stops_at_terminal_count),
        ON_1440(terminal_count_in_mid_sector_counts_the_sector),
        ON_1440(multi_track_read_crosses_to_side_1),
        ON_1440(multi_track_read_crosses_to_side_1_with_eot_beyond_the_track),
        ON_1440(result_ids_follow_the_result_phase_table),
        ON_1440(end_of_cylinder_without_terminal_count_is_abnormal),
        ON_1440(missing_sectors_give_no_data),
        ON_1440(head_on_another_cylinder_gives_wrong_cylinder),
        ON_1440(wrong_rate_or_density_gives_missing_address_mark),
        ON_1440(no_disk_no_drive_or_no_motor_ends_abnormally),
        ON_1440(read_id_reports_sectors_in_rotation),
        ON_1440(read_track_starts_at_the_index_and_ignores_numbers),
        ON_1440(masked_dma_channel_waits_and_then_overruns),
        cmocka_unit_test(every_standard_disk_is_read_in_full),
        cmocka_unit_test(double_density_5_25_disks_read_at_both_rates),
        cmocka_unit_test(disk_too_dense_for_the_drive_is_unreadable),
        ON_1440(write_reaches_the_image_on_both_sides),
        ON_1440(write_cut_short_fills_the_sector_with_zeros),
        ON_1440(write_protected_disk_is_not_written),
        ON_1440(deleted_sectors_set_the_control_mark),
        ON_1440(format_fills_the_track_and_nothing_else),
        ON_1440(format_with_fewer_sectors_leaves_the_rest_unformatted),
        ON_1440(verify_checks_up_to_eot_or_the_count),
        ON_1440(scans_find_the_first_sector_that_satisfies),
        ON_1440(scan_compares_only_what_came_before_the_terminal_count),
        ON_1440(non_dma_read_gives_an_interrupt_for_every_byte),
        ON_1440(non_dma_write_with_fifo_holds_the_interrupt_for_a_sector),
        ON_1440(disk_pulled_during_a_non_dma_write_is_reported),
        ON_1440(change_line_stays_until_a_step_with_a_disk_in),
        ON_1440(new_disk_replaces_the_old_one),
        ON_1440(disks_that_do_not_fit_are_refused),
        ON_1440(describe_names_drives_and_disks),
        ON_1440(taken_ports_are_an_error_that_leaves_nothing),
    };
    return cmocka_run_group_tests_name("floppy", tests, NULL, NULL);
}
