/* The 82077AA's registers, resets, head movement and disk changes, driven as software drives them. Expected
 * results are the data sheet's. */
#include "floppy_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reset and registers */

static void power_up_holds_the_chip_in_reset(void **state)
{
    (void)state;
    struct rig *rig = rig_create(FLOPPY_DRIVE_1440K, FLOPPY_DRIVE_NONE);
    assert_int_equal(rig_in(rig, DOR), 0);
    assert_int_equal(rig_in(rig, MSR), 0);
    rig_out(rig, FIFO, 0x10);
    rig_advance(rig, NS_PER_SECOND);
    assert_int_equal(rig_in(rig, MSR), 0);
    assert_int_equal(rig->edges, 0);
    assert_int_equal(rig_in(rig, 0x3f0), 0xff);
    assert_int_equal(rig_in(rig, 0x3f6), 0xff); /* the IDE channel's */
    rig_destroy(rig);
}

static void reset_gives_one_interrupt_and_four_sense_results(void **state)
{
    struct rig *rig = *state;
    for (unsigned dsr = 0; dsr < 2; dsr++) {
        unsigned before = rig->edges;
        if (dsr != 0) {
            rig_out(rig, DSR, 0x80);
        } else {
            rig_out(rig, DOR, 0x18);
            assert_int_equal(rig_in(rig, MSR), 0);
            rig_out(rig, DOR, 0x1c);
        }
        assert_false(rig->irq); /* later, not at once */
        rig_wait_interrupt(rig);
        for (uint8_t drive = 0; drive < 4; drive++) {
            rig_sense(rig, 0xc0 | drive, 0);
            assert_false(rig->irq);
        }
        SEND(rig, 0x08);
        CHECK_RESULT(rig, 0x80);
        rig_advance(rig, NS_PER_SECOND);
        assert_int_equal(rig->edges, before + 1);
    }
}

/* Firmware that senses only once after a reset still gets the result of its recalibration. */
static void recalibrate_result_replaces_an_unread_polling_result(void **state)
{
    struct rig *rig = *state;
    rig_out(rig, DOR, 0x00);
    rig_out(rig, DOR, 0x0c);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0xc0, 0);
    rig_out(rig, DOR, 0x2d);
    SEND(rig, 0x07, 0x01);
    rig_sense(rig, 0xc2, 0); /* drive 1 is moving: nothing to report for it yet */
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x21, 0);
    rig_sense(rig, 0xc3, 0);
}

static void configure_without_polling_suppresses_the_reset_interrupt(void **state)
{
    struct rig *rig = *state;
    unsigned before = rig->edges;
    rig_out(rig, DSR, 0x80);
    SEND(rig, 0x13, 0x00, 0x10, 0x00);
    rig_advance(rig, NS_PER_SECOND);
    assert_int_equal(rig->edges, before);
    SEND(rig, 0x08);
    CHECK_RESULT(rig, 0x80);
}

static void interrupt_pin_follows_the_dma_gate(void **state)
{
    struct rig *rig = *state;
    rig_out(rig, DOR, 0x14); /* gate closed */
    SEND(rig, 0x0f, 0x00, 3);
    rig_advance(rig, NS_PER_SECOND);
    assert_false(rig->irq);
    rig_out(rig, DOR, 0x1c);
    assert_true(rig->irq);
    rig_sense(rig, 0x20, 3);
    assert_false(rig->irq);
}

static void reset_aborts_a_command(void **state)
{
    struct rig *rig = *state;
    rig_dma_program(rig, SECTOR);
    SEND(rig, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_out(rig, DOR, 0x18);
    rig_out(rig, DOR, 0x1c);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0xc0, 0);
    assert_int_equal(rig->requests, 0);
    SEND(rig, 0x0f, 0x00); /* and half a command */
    assert_int_equal(rig_in(rig, MSR), 0x90);
    rig_out(rig, DSR, 0x80);
    assert_int_equal(rig_in(rig, MSR), 0x80);
}

static void reset_forgets_the_cylinder_but_leaves_the_head(void **state)
{
    struct rig *rig = *state;
    rig_seek(rig, 0, 5);
    rig_out(rig, DSR, 0x80);
    rig_wait_interrupt(rig);
    SEND(rig, 0x0e);
    rig_receive(rig, 10);
    assert_int_equal(rig->result[0], 0);
    rig_read_sectors(rig, 0xe6, 5, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 5, 0, 2, 2);
}

static void tape_register_keeps_two_bits_over_a_software_reset(void **state)
{
    struct rig *rig = *state;
    rig_out(rig, TDR, 0xff);
    rig_out(rig, DSR, 0x80);
    assert_int_equal(rig_in(rig, TDR) & 3, 3);
    rig->floppy->class->reset(rig->floppy);
    assert_int_equal(rig_in(rig, TDR) & 3, 0);
    assert_int_equal(rig_in(rig, DOR), 0);
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
    rig_advance(rig, NS_PER_SECOND);
    assert_int_equal(rig->edges, before);
    rig_out(rig, DOR, 0x1c);
    assert_int_equal(rig_in(rig, FIFO), 0); /* nothing to read */
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
    rig_seek(rig, 0, 9);
    rig_seek(rig, 1, 4);
    rig_read_sectors(rig, 0xe6, 9, 0, 1, 7, SECTOR);
    rig_receive(rig, 7);
    SEND(rig, 0x0e);
    CHECK_RESULT(rig, 9, 4, 0, 0, 0xdf, 0x02, 7, 0x95, 0x57, 0x2a);
    SEND(rig, 0x12, 0x02); /* no OW: D bits stay */
    SEND(rig, 0x0e);
    rig_receive(rig, 10);
    assert_int_equal(rig->result[7], 0x96);
}

static void lock_keeps_the_fifo_setting_over_a_software_reset(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x13, 0x00, 0x47, 0x2a); /* implied seek, FIFO on, polling, threshold 8 */
    SEND(rig, 0x94);
    CHECK_RESULT(rig, 0x10);
    rig_out(rig, DSR, 0x80);
    SEND(rig, 0x0e);
    rig_receive(rig, 10);
    assert_int_equal(rig->result[8], 0x07);
    assert_int_equal(rig->result[9], 0x2a);
    SEND(rig, 0x14);
    CHECK_RESULT(rig, 0x00);
    rig_out(rig, DSR, 0x80);
    SEND(rig, 0x0e);
    rig_receive(rig, 10);
    assert_int_equal(rig->result[8], 0x20);
    assert_int_equal(rig->result[9], 0x00);
    assert_int_equal(rig->result[4], 0xaf); /* SPECIFY survives */
}

/* ---- head movement */

static void seek_takes_time_and_shows_the_busy_drive(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x0f, 0x00, 40);
    assert_int_equal(rig_in(rig, MSR), 0x81);
    assert_false(rig->irq);
    uint64_t start_time = rig->retired;
    rig_wait_interrupt(rig);
    assert_true(rig->retired - start_time > NS_PER_MILLISECOND);
    assert_int_equal(rig_in(rig, MSR), 0x80);
    rig_sense(rig, 0x20, 40);
}

static void seeks_of_two_drives_overlap(void **state)
{
    struct rig *rig = *state;
    unsigned before = rig->edges;
    SEND(rig, 0x0f, 0x00, 30);
    SEND(rig, 0x0f, 0x01, 10);
    assert_int_equal(rig_in(rig, MSR), 0x83);
    rig_advance(rig, NS_PER_SECOND);
    assert_int_equal(rig->edges, before + 2);
    rig_sense(rig, 0x20, 30);
    assert_true(rig->irq); /* the other is still to be sensed */
    rig_sense(rig, 0x21, 10);
    assert_false(rig->irq);
}

static void recalibrate_without_a_drive_reports_equipment_check(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x07, 0x02);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x72, 0);
    SEND(rig, 0x04, 0x02);
    CHECK_RESULT(rig, 0x2a); /* no track 0 */
}

static void recalibrate_gives_up_after_79_steps(void **state)
{
    struct rig *rig = *state;
    rig_seek(rig, 0, 81);
    SEND(rig, 0x07, 0x00);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x70, 0);
    SEND(rig, 0x07, 0x00);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20, 0);
}

static void head_of_a_40_track_drive_stops_after_its_last_tracks(void **state)
{
    (void)state;
    struct rig *rig = rig_create(FLOPPY_DRIVE_360K, FLOPPY_DRIVE_NONE);
    rig_start(rig, FLOPPY_RATE_250K);
    rig_seek(rig, 0, 82);
    SEND(rig, 0x07, 0x00);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20, 0); /* 79 steps are enough */
    rig_destroy(rig);
}

static void relative_seek_moves_from_where_the_head_is(void **state)
{
    struct rig *rig = *state;
    rig_seek(rig, 0, 10);
    SEND(rig, 0xcf, 0x00, 5); /* inwards */
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20, 15);
    SEND(rig, 0x8f, 0x00, 3); /* outwards */
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20, 12);
    rig_read_sectors(rig, 0xe6, 12, 0, 1, 18, SECTOR);
    CHECK_RESULT(rig, 0x00, 0, 0, 12, 0, 2, 2);
    rig_check_pattern(rig->memory, 12 * 36);
    SEND(rig, 0x8f, 0x00, 255);
    rig_wait_interrupt(rig);
    rig_sense(rig, 0x20, (uint8_t)(12 - 255));
    SEND(rig, 0x04, 0x00);
    CHECK_RESULT(rig, 0x38); /* the head itself stopped at track 0 */
}

static void sense_drive_status_shows_track_0_head_and_protection(void **state)
{
    struct rig *rig = *state;
    SEND(rig, 0x04, 0x04);
    CHECK_RESULT(rig, 0x3c);
    rig_seek(rig, 0, 1);
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
    rig_read_sectors(rig, 0xe6, 33, 1, 5, 18, SECTOR);
    CHECK_RESULT(rig, 0x24, 0, 0, 33, 1, 6, 2); /* SE */
    rig_check_pattern(rig->memory, 33 * 36 + 18 + 4);
    SEND(rig, 0x0e);
    rig_receive(rig, 10);
    assert_int_equal(rig->result[0], 33);
}

/* ---- changing disks */

static void change_line_stays_until_a_step_with_a_disk_in(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0x80); /* recalibrating on track 0 took no step */
    rig_seek(rig, 0, 1);
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0);
    floppy_eject(rig->floppy, 0);
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0x80);
    rig_seek(rig, 0, 2);
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0x80);
    rig_insert(rig, 0, 720);
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0x80);
    rig_read_sectors(rig, 0xe6, 0, 0, 1, 9, SECTOR);
    rig_receive(rig, 7);
    rig_seek(rig, 0, 2); /* already there: no step */
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0x80);
    rig_seek(rig, 0, 0);
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0);
    rig_out(rig, DOR, 0x1d); /* drive 1, empty */
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0x80);
    rig_out(rig, DOR, 0x1e); /* no drive 2 */
    assert_int_equal(rig_in(rig, DIR) & 0x80, 0);
}

static void new_disk_replaces_the_old_one(void **state)
{
    struct rig *rig = *state;
    rig_insert(rig, 0, 720);
    rig_out(rig, CCR, FLOPPY_RATE_250K);
    rig_read_sectors(rig, 0xe6, 0, 1, 1, 9, SECTOR);
    CHECK_RESULT(rig, 0x04, 0, 0, 0, 1, 2, 2);
    rig_check_pattern(rig->memory, 9);
}

static void disks_that_do_not_fit_are_refused(void **state)
{
    struct rig *rig = *state;
    const struct block_device *before = floppy_image(rig->floppy, 0);
    struct floppy_geometry small = rig_geometry_of(360);
    struct floppy_geometry large = rig_geometry_of(2880);
    struct block_device *image = rig_patterned_image(720);
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
    rig_read_sectors(rig, 0xe6, 0, 0, 1, 18, SECTOR);
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
    rig_check_ok(floppy_create(&host, &config, &second));
    second->class->destroy(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_up_holds_the_chip_in_reset),
        ON_1440(reset_gives_one_interrupt_and_four_sense_results),
        ON_1440(recalibrate_result_replaces_an_unread_polling_result),
        ON_1440(configure_without_polling_suppresses_the_reset_interrupt),
        ON_1440(interrupt_pin_follows_the_dma_gate),
        ON_1440(reset_aborts_a_command),
        ON_1440(reset_forgets_the_cylinder_but_leaves_the_head),
        ON_1440(tape_register_keeps_two_bits_over_a_software_reset),
        ON_1440(invalid_commands_answer_80h),
        ON_1440(version_and_part_id_say_82077aa),
        ON_1440(dumpreg_shows_what_was_set),
        ON_1440(lock_keeps_the_fifo_setting_over_a_software_reset),
        ON_1440(seek_takes_time_and_shows_the_busy_drive),
        ON_1440(seeks_of_two_drives_overlap),
        ON_1440(recalibrate_without_a_drive_reports_equipment_check),
        ON_1440(recalibrate_gives_up_after_79_steps),
        cmocka_unit_test(head_of_a_40_track_drive_stops_after_its_last_tracks),
        ON_1440(relative_seek_moves_from_where_the_head_is),
        ON_1440(sense_drive_status_shows_track_0_head_and_protection),
        ON_1440(implied_seek_moves_the_head_first),
        ON_1440(change_line_stays_until_a_step_with_a_disk_in),
        ON_1440(new_disk_replaces_the_old_one),
        ON_1440(disks_that_do_not_fit_are_refused),
        ON_1440(describe_names_drives_and_disks),
        ON_1440(taken_ports_are_an_error_that_leaves_nothing),
    };
    return cmocka_run_group_tests_name("floppy", tests, NULL, NULL);
}
