/* The 82077AA's commands that read, write, format, verify and scan, with DMA and without. Expected results
 * are the data sheet's (for SCAN, the 8272A's). */
#include "floppy_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/* ---- reading */

static void read_stops_at_terminal_count(void **state)
{
    struct rig *rig = *state;
    rig_read_sectors(rig, 0xe6, 0, 0, 3, 18, 4 * SECTOR);
    assert_int_equal(rig->position, 4 * SECTOR);
    assert_true(rig->irq);
    rig_in(rig, MSR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 7, 2);
    assert_false(rig->irq);
    for (uint32_t i = 0; i < 4; i++) {
        rig_check_pattern(rig->memory + i * SECTOR, 2 + i);
    }
}

static void terminal_count_in_mid_sector_counts_the_sector(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0x5a, sizeof rig->memory);
    rig_read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR + 10);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 3, 2);
    rig_check_pattern(rig->memory, 0);
    assert_int_equal(rig->memory[SECTOR + 9], rig_pattern(1, 9));
    assert_int_equal(rig->memory[SECTOR + 10], 0x5a);
}

static void multi_track_read_crosses_to_side_1(void **state)
{
    struct rig *rig = *state;
    rig_read_sectors(rig, 0xe6, 0, 0, 17, 18, 4 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 3, 2);
    for (uint32_t i = 0; i < 4; i++) {
        rig_check_pattern(rig->memory + i * SECTOR, 16 + i);
    }
}

/* SeaBIOS sets EOT to first + count - 1, even beyond the track. */
static void multi_track_read_crosses_to_side_1_with_eot_beyond_the_track(void **state)
{
    struct rig *rig = *state;
    rig_read_sectors(rig, 0xe6, 0, 0, 17, 20, 4 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 3, 2);
    rig_check_pattern(rig->memory + 3 * SECTOR, 19);
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
        rig_read_sectors(rig, rows[i].command, 0, rows[i].head, rows[i].r, rows[i].eot, SECTOR);
        CHECK_RESULT(rig, (uint8_t)(rows[i].head << 2), 0, 0, rows[i].c, rows[i].h, rows[i].next, 2);
    }
}

static void end_of_cylinder_without_terminal_count_is_abnormal(void **state)
{
    struct rig *rig = *state;
    rig_read_sectors(rig, 0x46, 0, 0, 17, 18, 10 * SECTOR);
    assert_int_equal(rig->position, 2 * SECTOR);
    CHECK_RESULT(rig, 0x40, 0x80, 0, 1, 0, 1, 2);
    rig_read_sectors(rig, 0xc6, 0, 0, 18, 18, 30 * SECTOR);
    assert_int_equal(rig->position, 19 * SECTOR);
    CHECK_RESULT(rig, 0x44, 0x80, 0, 1, 0, 1, 2);
}

static void missing_sectors_give_no_data(void **state)
{
    struct rig *rig = *state;
    rig_read_sectors(rig, 0xe6, 0, 0, 19, 19, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 19, 2);
    rig_read_sectors(rig, 0xe6, 0, 0, 0, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 0, 2);
    rig_dma_program(rig, SECTOR);
    SEND(rig, 0xe6, 0x00, 0, 1, 1, 2, 18, 0x1b, 0xff); /* H does not match the side */
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 1, 1, 2);
    SEND(rig, 0xe6, 0x00, 0, 0, 1, 3, 18, 0x1b, 0xff); /* N: 1024-byte sectors */
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 1, 3);
    /* without MT the side's end is the end */
    rig_read_sectors(rig, 0x66, 0, 0, 18, 20, 4 * SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 19, 2);
    assert_int_equal(rig->position, SECTOR);
}

static void head_on_another_cylinder_gives_wrong_cylinder(void **state)
{
    struct rig *rig = *state;
    rig_seek(rig, 0, 5);
    rig_read_sectors(rig, 0xe6, 6, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0x10, 6, 0, 1, 2);
    assert_int_equal(rig->position, 0);
}

static void wrong_rate_or_density_gives_missing_address_mark(void **state)
{
    struct rig *rig = *state;
    for (uint8_t rate = 1; rate < 4; rate++) {
        rig_out(rig, CCR, rate);
        SEND(rig, 0x4a, 0x00);
        rig_wait_interrupt(rig);
        CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 0, 0);
    }
    rig_out(rig, DSR, 0x00);
    rig_read_sectors(rig, 0xa6, 0, 0, 1, 18, SECTOR); /* FM */
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 1, 2);
    rig_seek(rig, 0, 80);
    rig_read_sectors(rig, 0xe6, 80, 0, 1, 18, SECTOR); /* unformatted */
    CHECK_RESULT(rig, 0x40, 0x01, 0, 80, 0, 1, 2);
}

static void no_disk_no_drive_or_no_motor_ends_abnormally(void **state)
{
    struct rig *rig = *state;
    rig_out(rig, DOR, 0xfc);
    for (uint8_t drive = 1; drive < 4; drive++) {
        SEND(rig, 0x4a, drive);
        rig_wait_interrupt(rig);
        CHECK_RESULT(rig, 0x40 | drive, 0x01, 0, 0, 0, 0, 0);
    }
    rig_out(rig, DOR, 0x0c);
    SEND(rig, 0x4a, 0x00);
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 0, 0);
    rig_out(rig, DOR, 0x1c);
    floppy_eject(rig->floppy, 0);
    rig_read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 1, 2);
}

static void read_id_reports_sectors_in_rotation(void **state)
{
    struct rig *rig = *state;
    rig_seek(rig, 0, 7);
    rig_read_sectors(rig, 0xe6, 7, 1, 17, 18, SECTOR);
    rig_receive(rig, 7);
    SEND(rig, 0x4a, 0x04);
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x04, 0, 0, 7, 1, 18, 2);
    SEND(rig, 0x4a, 0x04);
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x04, 0, 0, 7, 1, 1, 2);
}

static void read_track_starts_at_the_index_and_ignores_numbers(void **state)
{
    struct rig *rig = *state;
    rig_read_sectors(rig, 0xe6, 0, 0, 9, 18, SECTOR);
    rig_receive(rig, 7);
    rig_read_sectors(rig, 0x42, 0, 0, 1, 5, 5 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 1, 0, 1, 2);
    for (uint32_t i = 0; i < 5; i++) {
        rig_check_pattern(rig->memory + i * SECTOR, i);
    }
    rig_read_sectors(rig, 0x42, 0, 0, 3, 2, 2 * SECTOR); /* headers do not match: ND, but all data */
    assert_int_equal(rig->position, 2 * SECTOR);
    rig_receive(rig, 7);
    assert_int_equal(rig->result[0], 0x00);
    assert_int_equal(rig->result[1], 0x04);
    rig_check_pattern(rig->memory, 0);
    rig_read_sectors(rig, 0x42, 0, 0, 1, 4, 20 * SECTOR);
    assert_int_equal(rig->position, 4 * SECTOR);
    rig_receive(rig, 7);
    assert_int_equal(rig->result[0], 0x40);
    assert_int_equal(rig->result[1], 0x80);
}

static void masked_dma_channel_waits_and_then_overruns(void **state)
{
    struct rig *rig = *state;
    rig_dma_program(rig, SECTOR);
    rig->masked = true;
    SEND(rig, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_advance(rig, 20 * NS_PER_MILLISECOND);
    assert_false(rig->irq);
    rig->masked = false;
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 2, 2);
    rig_check_pattern(rig->memory, 0);

    rig_dma_program(rig, SECTOR);
    rig->masked = true;
    SEND(rig, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x10, 0, 0, 0, 1, 2);
}

/* Every track of every format, a side at a time, in the smallest drive that takes the disk. */
static void every_standard_disk_is_read_in_full(void **state)
{
    (void)state;
    const struct floppy_geometry *geometry;
    for (unsigned format = 0; (geometry = floppy_geometry_standard(format)) != NULL; format++) {
        struct rig *rig = rig_create(geometry->drive, FLOPPY_DRIVE_NONE);
        rig_insert(rig, 0, floppy_geometry_sectors(geometry) / 2);
        rig_start(rig, geometry->rate);
        uint8_t last = geometry->sectors_per_track;
        uint32_t sector = 0;
        for (uint8_t c = 0; c < geometry->tracks; c++) {
            rig_seek(rig, 0, c);
            for (uint8_t h = 0; h < geometry->heads; h++) {
                memset(rig->memory, 0, sizeof rig->memory);
                rig_read_sectors(rig, 0xe6, c, h, 1, last, last * SECTOR);
                rig_receive(rig, 7);
                assert_int_equal(rig->result[0], h << 2);
                for (uint32_t i = 0; i < last; i++) {
                    rig_check_pattern(rig->memory + i * SECTOR, sector++);
                }
            }
        }
        assert_int_equal(sector, floppy_geometry_sectors(geometry));
        if (geometry->heads == 1) {
            rig_read_sectors(rig, 0x46, 0, 1, 1, last, SECTOR); /* nothing on the other side */
            rig_receive(rig, 7);
            assert_int_equal(rig->result[1], 0x01);
        }
        rig_destroy(rig);
    }
}

/* Firmware asks for 250 or 300 kbit/s whatever the drive's speed is. */
static void double_density_5_25_disks_read_at_both_rates(void **state)
{
    (void)state;
    struct rig *rig = rig_create(FLOPPY_DRIVE_360K, FLOPPY_DRIVE_NONE);
    rig_insert(rig, 0, 160);
    rig_start(rig, FLOPPY_RATE_250K);
    for (uint8_t rate = 0; rate < 4; rate++) {
        rig_out(rig, CCR, rate);
        SEND(rig, 0x4a, 0x00);
        rig_wait_interrupt(rig);
        rig_receive(rig, 7);
        assert_int_equal(rig->result[0], rate == 1 || rate == 2 ? 0x00 : 0x40);
    }
    rig_destroy(rig);
}

static void disk_too_dense_for_the_drive_is_unreadable(void **state)
{
    (void)state;
    struct rig *rig = rig_create(FLOPPY_DRIVE_720K, FLOPPY_DRIVE_NONE);
    rig_insert(rig, 0, 1440);
    rig_start(rig, FLOPPY_RATE_500K);
    SEND(rig, 0x4a, 0x00);
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 0, 0);
    rig_destroy(rig);
}

/* ---- writing */

static void check_image(struct rig *rig, unsigned drive, uint32_t sector, const uint8_t *expected)
{
    uint8_t bytes[SECTOR];
    struct block_device *image = (struct block_device *)(uintptr_t)floppy_image(rig->floppy, drive);
    rig_check_ok(block_device_read(image, sector, 1, bytes));
    assert_memory_equal(bytes, expected, SECTOR);
}

static void write_reaches_the_image_on_both_sides(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < 3 * SECTOR; i++) {
        rig->memory[i] = (uint8_t)(i * 11 + (i >> 9));
    }
    rig_seek(rig, 0, 2);
    rig_write_sectors(rig, 0xc5, 2, 0, 17, 18, 3 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 2, 1, 2, 2);
    check_image(rig, 0, 72 + 16, rig->memory);
    check_image(rig, 0, 72 + 17, rig->memory + SECTOR);
    check_image(rig, 0, 72 + 18, rig->memory + 2 * SECTOR);
    uint8_t after[SECTOR];
    for (uint32_t i = 0; i < SECTOR; i++) {
        after[i] = rig_pattern(72 + 19, i);
    }
    check_image(rig, 0, 72 + 19, after);
}

static void write_cut_short_fills_the_sector_with_zeros(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0xee, 2 * SECTOR);
    rig_write_sectors(rig, 0x45, 0, 0, 2, 18, SECTOR + 100);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 4, 2);
    check_image(rig, 0, 1, rig->memory);
    memset(rig->memory + SECTOR + 100, 0, SECTOR - 100);
    check_image(rig, 0, 2, rig->memory + SECTOR);
}

static void write_protected_disk_is_not_written(void **state)
{
    struct rig *rig = *state;
    floppy_set_write_protect(rig->floppy, 0, true);
    rig_write_sectors(rig, 0xc5, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x02, 0, 0, 0, 1, 2);
    rig_write_sectors(rig, 0xc9, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x02, 0, 0, 0, 1, 2);
    rig_dma_program(rig, 72);
    SEND(rig, 0x4d, 0x00, 2, 18, 0x6c, 0xf6);
    rig_wait_interrupt(rig);
    rig_receive(rig, 7);
    assert_int_equal(rig->result[0], 0x40);
    assert_int_equal(rig->result[1], 0x02);
    assert_int_equal(rig->requests, 0);
    floppy_set_write_protect(rig->floppy, 0, false);
    rig_read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 2, 2);
    rig_check_pattern(rig->memory, 0);
}

static void deleted_sectors_set_the_control_mark(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0x11, SECTOR);
    rig_write_sectors(rig, 0xc9, 0, 0, 4, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 5, 2);
    /* READ DATA, SK=0: reads it, then stops; the address is not incremented */
    rig_read_sectors(rig, 0x46, 0, 0, 3, 18, 4 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 0, 0, 4, 2);
    assert_int_equal(rig->position, 2 * SECTOR);
    assert_int_equal(rig->memory[SECTOR], 0x11);
    /* SK=1: skips it */
    rig_read_sectors(rig, 0x66, 0, 0, 3, 18, 2 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 0, 0, 6, 2);
    rig_check_pattern(rig->memory + SECTOR, 4);
    /* READ DELETED DATA: the reverse */
    rig_read_sectors(rig, 0x4c, 0, 0, 4, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 5, 2);
    assert_int_equal(rig->memory[0], 0x11);
    rig_read_sectors(rig, 0x4c, 0, 0, 5, 18, 2 * SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 0, 0, 5, 2);
    rig_read_sectors(rig, 0x6c, 0, 0, 1, 4, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0x40, 1, 0, 1, 2);
    assert_int_equal(rig->memory[0], 0x11);
    /* a normal write makes it a normal sector again */
    rig_write_sectors(rig, 0xc5, 0, 0, 4, 18, SECTOR);
    rig_receive(rig, 7);
    rig_read_sectors(rig, 0x46, 0, 0, 4, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 5, 2);
}

/* ---- format */

static void format_headers(struct rig *rig, uint8_t c, uint8_t h, uint8_t n, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        const uint8_t id[4] = {c, h, (uint8_t)(i + 1), n};
        memcpy(rig->memory + i * 4u, id, 4);
    }
    rig_dma_program(rig, count * 4u);
    SEND(rig, 0x4d, (uint8_t)(h << 2), n, count, 0x6c, 0xf6);
    rig_wait_interrupt(rig);
    rig_receive(rig, 7);
    assert_int_equal(rig->result[0], h << 2);
    assert_int_equal(rig->result[1], 0);
}

static void format_fills_the_track_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    rig_seek(rig, 0, 3);
    format_headers(rig, 3, 1, 2, 18);
    uint8_t filler[SECTOR];
    memset(filler, 0xf6, sizeof filler);
    for (uint32_t sector = 3 * 36 + 18; sector < 4 * 36; sector++) {
        check_image(rig, 0, sector, filler);
    }
    rig_read_sectors(rig, 0xe6, 3, 0, 18, 18, 2 * SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 3, 1, 2, 2);
    rig_check_pattern(rig->memory, 3 * 36 + 17);
    assert_int_equal(rig->memory[SECTOR], 0xf6);
}

static void format_with_fewer_sectors_leaves_the_rest_unformatted(void **state)
{
    struct rig *rig = *state;
    format_headers(rig, 0, 0, 2, 9);
    rig_read_sectors(rig, 0xe6, 0, 0, 9, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 0, 10, 2);
    rig_read_sectors(rig, 0xe6, 0, 0, 10, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x04, 0, 0, 0, 10, 2);
    format_headers(rig, 0, 0, 3, 5); /* 1024-byte sectors, which an image cannot hold */
    rig_read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 1, 2);
    format_headers(rig, 0, 0, 2, 18);
    rig_read_sectors(rig, 0xe6, 0, 0, 18, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 0, 1, 1, 2);
}

/* ---- verify and scan */

static void verify(struct rig *rig, uint8_t command, uint8_t flags, uint8_t r, uint8_t eot, uint8_t count)
{
    SEND(rig, command, flags, 0, (flags >> 2) & 1, r, 2, eot, 0x1b, count);
    rig_wait_interrupt(rig);
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
    rig_write_sectors(rig, 0x45, 0, 0, 1, 18, 4 * SECTOR);
    rig_receive(rig, 7);
    memset(rig->memory, 0x42, 4 * SECTOR);
    rig->memory[1] = (uint8_t)(0x42 + difference);
    for (uint32_t i = 1; i < 4; i++) {
        memcpy(rig->memory + i * SECTOR, rig->memory, SECTOR);
    }
    rig_dma_program(rig, 8 * SECTOR);
    SEND(rig, command, 0x00, 0, 0, 1, 2, eot, 0x1b, step);
    rig_wait_interrupt(rig);
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
    rig_receive(rig, 7);
    assert_int_equal(rig->result[2] & 0x0c, 0x04);
}

static void scan_compares_only_what_came_before_the_terminal_count(void **state)
{
    struct rig *rig = *state;
    memset(rig->memory, 0, SECTOR);
    for (uint32_t i = 0; i < 16; i++) {
        rig->memory[i] = rig_pattern(0, i);
    }
    rig_dma_program(rig, 16);
    SEND(rig, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x00, 0, 0x08, 0, 0, 1, 2);
}

/* ---- non-DMA mode */

static void non_dma_read_gives_an_interrupt_for_every_byte(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x03, 0xaf, 0x03);
    SEND(rig, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    assert_int_equal(rig_in(rig, MSR), 0x30);
    uint8_t bytes[2 * SECTOR];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if ((rig_in(rig, MSR) & 0x80) == 0) {
            rig_wait_interrupt(rig);
        }
        assert_true(rig->irq);
        assert_int_equal(rig_in(rig, MSR), 0xf0);
        unsigned before = rig->edges;
        bytes[i] = rig_in(rig, FIFO);
        /* another byte or the result phase follows at once, another sector later */
        assert_int_equal(rig->edges, i + 1 == SECTOR ? before : before + 1);
    }
    rig_check_pattern(bytes, 16);
    rig_check_pattern(bytes + SECTOR, 17);
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
    rig_wait_interrupt(rig);
    unsigned before = rig->edges;
    for (unsigned i = 0; i < SECTOR; i++) {
        assert_int_equal(rig_in(rig, MSR), 0xb0);
        rig->memory[i] = (uint8_t)(i * 5);
        rig_out(rig, FIFO, rig->memory[i]);
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
    rig_wait_interrupt(rig);
    floppy_eject(rig->floppy, 0);
    for (unsigned i = 0; i < SECTOR; i++) {
        rig_out(rig, FIFO, 0);
    }
    rig_wait_interrupt(rig);
    CHECK_RESULT(rig, 0x40, 0x01, 0, 0, 0, 18, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("floppy transfer", tests, NULL, NULL);
}
