/* The ATAPI CD-ROM: packets, reading, what it tells, tray and medium. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bits.h"
#include "ide_rig.h"

static uint8_t reg(struct ide_rig *rig, uint16_t offset)
{
    return bench_in(rig->bench, RIG_COMMAND + offset);
}

static int run(struct ide_rig *rig, const uint8_t packet[12])
{
    uint8_t data[256];
    return ide_rig_packet_in(rig, packet, data, sizeof data);
}

static const uint8_t test_unit_ready[12] = {0x00};

static void identify_needs_the_packet_form(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[512];
    ide_rig_command(rig, 0xB0, 0, 0, 0, 0xEC);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    assert_int_equal(reg(rig, 1), 0x04);
    assert_int_equal(reg(rig, 4) << 8 | reg(rig, 5), 0x14EB);
    ide_rig_command(rig, 0xB0, 0, 0, 0, 0xA1);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    ide_rig_read_data(rig, data, sizeof data);
    assert_int_equal(load_le16(data), 0x85C0);
    assert_int_equal(reg(rig, 7), 0x50);
}

static void packet_phases_are_told_by_the_reason_register(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36};
    uint8_t data[36];
    ide_rig_command(rig, 0xB0, 0, 0, 0x100 << 8, 0xA0);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_int_equal(reg(rig, 2), 0x01);
    assert_int_equal(rig->irq[0].rises, 0);
    ide_rig_write_data(rig, inquiry, 12);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_true(rig->irq[0].level);
    assert_int_equal(reg(rig, 2), 0x02);
    assert_int_equal(reg(rig, 4) | reg(rig, 5) << 8, 36);
    reg(rig, 7);
    ide_rig_read_data(rig, data, sizeof data);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_int_equal(reg(rig, 2), 0x03);
    assert_true(rig->irq[0].level);
    assert_int_equal(rig->irq[0].rises, 2);
    assert_int_equal(data[0], 0x05);
    assert_int_equal(data[1], 0x80);
    assert_memory_equal(data + 8, "DOPPEL  DVD-ROM ", 16);
}

static void blocks_come_in_pieces_of_the_byte_count_limit(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t packet[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 3};
    uint8_t data[4096];
    uint8_t status = ide_rig_packet(rig, packet, false, 5000);
    assert_int_equal(status, 0x58);
    assert_int_equal(reg(rig, 4) | reg(rig, 5) << 8, 4096); /* whole blocks */
    ide_rig_read_data(rig, data, 4096);
    assert_int_equal(load_le32(data), ~7u);
    assert_int_equal(load_le32(data + 2048), ~8u);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_int_equal(reg(rig, 4) | reg(rig, 5) << 8, 2048);
    ide_rig_read_data(rig, data, 2048);
    assert_int_equal(load_le32(data), ~9u);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    status = ide_rig_packet(rig, packet, false, 512);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(status, 0x58);
        assert_int_equal(reg(rig, 4) | reg(rig, 5) << 8, 512);
        ide_rig_read_data(rig, data, 512);
        assert_int_equal(load_le32(data), ~(7u + i / 4));
        status = ide_rig_wait(rig);
    }
    assert_int_equal(status, 0x50);
}

static void long_reads_pass_the_buffer(void **state)
{
    struct ide_rig *rig = *state;
    static uint8_t data[100 * 2048];
    const uint8_t packet[12] = {0xA8, 0, 0, 0, 0, 100, 0, 0, 0, 100};
    assert_int_equal(ide_rig_packet_in(rig, packet, data, sizeof data), 100 * 2048);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(load_le32(data + 2048 * i), ~(100 + i));
    }
}

static void read_cd_gives_user_data_or_raw_blocks(void **state)
{
    struct ide_rig *rig = *state;
    static uint8_t data[2 * 2352];
    uint8_t packet[12] = {0xBE, 0, 0, 0, 0, 74, 0, 0, 2, 0x10};
    assert_int_equal(ide_rig_packet_in(rig, packet, data, sizeof data), 2 * 2048);
    assert_int_equal(load_le32(data + 2048), ~75u);
    packet[9] = 0xF8;
    assert_int_equal(ide_rig_packet_in(rig, packet, data, sizeof data), 2 * 2352);
    static const uint8_t header[16] = {0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0,    0x00, 0x03, 0x00, 0x01};
    assert_memory_equal(data + 2352, header, 16);
    assert_int_equal(load_le32(data + 16), ~74u);
    assert_int_equal(load_le32(data + 2352 + 16), ~75u);
    packet[1] = 1 << 2; /* audio */
    assert_int_equal(run(rig, packet), -1);
    assert_int_equal(ide_rig_sense(rig), 0x056400);
}

static void capacity_and_contents_are_the_images(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[64];
    const uint8_t capacity[12] = {0x25};
    assert_int_equal(ide_rig_packet_in(rig, capacity, data, sizeof data), 8);
    assert_int_equal(load_be32(data), RIG_DISC_BLOCKS - 1);
    assert_int_equal(load_be32(data + 4), 2048);
    uint8_t toc[12] = {0x43, 0, 0, 0, 0, 0, 0, 0, 64};
    assert_int_equal(ide_rig_packet_in(rig, toc, data, sizeof data), 20);
    static const uint8_t tracks[20] = {0,
                                       18,
                                       1,
                                       1,
                                       0,
                                       0x14,
                                       1,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0x14,
                                       0xAA,
                                       0,
                                       0,
                                       0,
                                       RIG_DISC_BLOCKS >> 8,
                                       RIG_DISC_BLOCKS & 0xFF};
    assert_memory_equal(data, tracks, 20);
    toc[1] = 0x02;
    toc[6] = 0xAA;
    assert_int_equal(ide_rig_packet_in(rig, toc, data, sizeof data), 12);
    static const uint8_t msf[4] = {0, 0, 6, 0}; /* 450 frames */
    assert_memory_equal(data + 8, msf, 4);
    toc[6] = 0;
    toc[9] = 0x40; /* sessions */
    assert_int_equal(ide_rig_packet_in(rig, toc, data, sizeof data), 12);
    toc[9] = 0;
    toc[2] = 2; /* raw */
    assert_int_equal(ide_rig_packet_in(rig, toc, data, sizeof data), 48);
    assert_int_equal(data[7], 0xA0);
    toc[8] = 10; /* less room than there is to say */
    assert_int_equal(ide_rig_packet_in(rig, toc, data, sizeof data), 10);
    toc[2] = 5;
    assert_int_equal(run(rig, toc), -1);
    assert_int_equal(ide_rig_sense(rig), 0x052400);
}

static void reading_beyond_the_disc_is_refused(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t packet[12] = {0x28, 0, 0, 0, RIG_DISC_BLOCKS >> 8, RIG_DISC_BLOCKS & 0xFF, 0, 0, 1};
    assert_int_equal(ide_rig_packet(rig, packet, false, 2048), 0x51);
    assert_int_equal(reg(rig, 1), 0x54);
    assert_int_equal(reg(rig, 2), 0x03);
    assert_true(rig->irq[0].level);
    assert_int_equal(ide_rig_sense(rig), 0x052100);
    assert_int_equal(ide_rig_sense(rig), 0);
    const uint8_t wrapping[12] = {0xA8, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    assert_int_equal(run(rig, wrapping), -1);
    const uint8_t unknown[12] = {0xFF};
    assert_int_equal(run(rig, unknown), -1);
    assert_int_equal(ide_rig_sense(rig), 0x052000);
}

static void changed_medium_is_reported_once(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[16];
    const uint8_t events[12] = {0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8};
    ide_rig_packet_in(rig, events, data, sizeof data);
    bench_check(ide_eject_disc(rig->ide, 0, 1, false));
    assert_int_equal(run(rig, test_unit_ready), -1);
    assert_int_equal(ide_rig_sense(rig), 0x023A01);
    assert_int_equal(ide_rig_packet_in(rig, events, data, sizeof data), 8);
    assert_int_equal(data[4], 3);
    assert_int_equal(data[5], 0);
    bench_check(ide_insert_disc(rig->ide, 0, 1, ide_rig_image(400, true), false));
    assert_int_equal(run(rig, test_unit_ready), -1);
    assert_int_equal(ide_rig_sense(rig), 0x062800);
    assert_int_equal(run(rig, test_unit_ready), 0);
    assert_int_equal(ide_rig_packet_in(rig, events, data, sizeof data), 8);
    assert_int_equal(data[4], 2);
    assert_int_equal(data[5], 2);
    assert_int_equal(ide_rig_packet_in(rig, events, data, sizeof data), 8);
    assert_int_equal(data[4], 0);
}

static void guest_opens_and_closes_the_tray(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t eject[12] = {0x1B, 0, 0, 0, 2};
    const uint8_t load[12] = {0x1B, 0, 0, 0, 3};
    assert_int_equal(run(rig, eject), 0);
    assert_int_equal(run(rig, test_unit_ready), -1);
    assert_int_equal(ide_rig_sense(rig), 0x023A02);
    assert_int_equal(run(rig, load), 0);
    assert_int_equal(run(rig, test_unit_ready), -1);
    assert_int_equal(ide_rig_sense(rig), 0x062800);
    assert_int_equal(run(rig, test_unit_ready), 0);
}

static void locked_tray_stays_closed(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t lock[12] = {0x1E, 0, 0, 0, 1};
    const uint8_t unlock[12] = {0x1E};
    const uint8_t eject[12] = {0x1B, 0, 0, 0, 2};
    const uint8_t events[12] = {0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8};
    uint8_t data[8];
    assert_int_equal(run(rig, lock), 0);
    assert_int_equal(run(rig, eject), -1);
    assert_int_equal(ide_rig_sense(rig), 0x055302);
    assert_int_equal(ide_eject_disc(rig->ide, 0, 1, false).code, STATUS_CONFLICT);
    ide_rig_packet_in(rig, events, data, sizeof data);
    assert_int_equal(data[4], 1); /* the user pressed the button */
    assert_int_equal(run(rig, unlock), 0);
    assert_int_equal(run(rig, eject), 0);
    assert_int_equal(run(rig, lock), 0);
    bench_check(ide_eject_disc(rig->ide, 0, 1, true));
    assert_null(ide_image(rig->ide, 0, 1));
}

static void mode_pages_are_told(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[256];
    uint8_t sense[12] = {0x5A, 0, 0x2A, 0, 0, 0, 0, 1, 0};
    assert_int_equal(ide_rig_packet_in(rig, sense, data, sizeof data), 8 + 22);
    assert_int_equal(data[1], 8 + 22 - 2);
    assert_int_equal(data[8], 0x2A);
    sense[2] = 0x3F;
    assert_int_equal(ide_rig_packet_in(rig, sense, data, sizeof data), 8 + 8 + 16 + 12 + 22);
    sense[2] = 0x6A; /* what can be changed: nothing */
    assert_int_equal(ide_rig_packet_in(rig, sense, data, sizeof data), 8 + 22);
    assert_int_equal(data[10], 0);
    sense[2] = 0xEA;
    assert_int_equal(run(rig, sense), -1);
    assert_int_equal(ide_rig_sense(rig), 0x053900);
    const uint8_t six[12] = {0x1A, 0, 0x01, 0, 255};
    assert_int_equal(ide_rig_packet_in(rig, six, data, sizeof data), 4 + 8);
    assert_int_equal(data[0], 11);
}

static void mode_select_takes_its_parameters(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t packet[12] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, 16};
    uint8_t data[16] = {0};
    assert_int_equal(ide_rig_packet(rig, packet, false, 16), 0x58);
    assert_int_equal(reg(rig, 2), 0x00);
    assert_int_equal(reg(rig, 4), 16);
    ide_rig_write_data(rig, data, sizeof data);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_int_equal(reg(rig, 2), 0x03);
}

static void configuration_names_the_profile(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[256];
    uint8_t packet[12] = {0x46, 0, 0, 0, 0, 0, 0, 1, 0};
    int length = ide_rig_packet_in(rig, packet, data, sizeof data);
    assert_int_equal(length, (int)load_be32(data) + 4);
    assert_int_equal(data[7], 0x08);
    packet[1] = 2; /* one feature */
    packet[3] = 0x03;
    assert_int_equal(ide_rig_packet_in(rig, packet, data, sizeof data), 16);
    assert_int_equal(data[9], 0x03);
    bench_check(ide_eject_disc(rig->ide, 0, 1, false));
    packet[1] = 0;
    packet[3] = 0;
    ide_rig_packet_in(rig, packet, data, sizeof data);
    assert_int_equal(data[7], 0);
}

static void other_replies_have_their_lengths(void **state)
{
    static const struct {
        uint8_t packet[12];
        int length;
    } cases[] = {
        {{0x51, 0, 0, 0, 0, 0, 0, 0, 64}, 34},
        {{0x52, 1, 0, 0, 0, 1, 0, 0, 64}, 36},
        {{0x42, 2, 0x40, 1, 0, 0, 0, 0, 64}, 16},
        {{0x42, 0, 0, 0, 0, 0, 0, 0, 64}, 4},
        {{0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 64}, 8},
        {{0x23, 0, 0, 0, 0, 0, 0, 0, 64}, 12},
        {{0x2B, 0, 0, 0, 0, 10}, 0},
        {{0xBB, 0, 0xFF, 0xFF}, 0},
        {{0x45}, -1},
        {{0x4A, 0, 0, 0, 0x10, 0, 0, 0, 8}, -1},
        {{0x12, 0, 0, 0, 5}, 5}, /* an odd length */
    };
    struct ide_rig *rig = *state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(run(rig, cases[i].packet), cases[i].length);
    }
}

static void device_reset_ends_a_command(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t packet[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 3};
    assert_int_equal(ide_rig_packet(rig, packet, false, 2048), 0x58);
    bench_out(rig->bench, RIG_COMMAND + 7, 0x08);
    assert_int_equal(ide_rig_wait(rig), 0x00);
    assert_int_equal(reg(rig, 4) << 8 | reg(rig, 5), 0x14EB);
    assert_int_equal(reg(rig, 6), 0xB0);
    assert_int_equal(run(rig, test_unit_ready), 0);
}

static void images_that_are_no_discs_are_refused(void **state)
{
    struct ide_rig *rig = *state;
    struct block_device *image = ide_rig_image(401, true);
    assert_int_equal(ide_insert_disc(rig->ide, 0, 1, image, false).code, STATUS_UNSUPPORTED);
    block_device_close(image);
    image = ide_rig_image(400, true);
    assert_int_equal(ide_insert_disc(rig->ide, 0, 0, image, false).code, STATUS_NOT_FOUND);
    block_device_close(image);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ide_rig_setup, ide_rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(identify_needs_the_packet_form),
        TEST(packet_phases_are_told_by_the_reason_register),
        TEST(blocks_come_in_pieces_of_the_byte_count_limit),
        TEST(long_reads_pass_the_buffer),
        TEST(read_cd_gives_user_data_or_raw_blocks),
        TEST(capacity_and_contents_are_the_images),
        TEST(reading_beyond_the_disc_is_refused),
        TEST(changed_medium_is_reported_once),
        TEST(guest_opens_and_closes_the_tray),
        TEST(locked_tray_stays_closed),
        TEST(mode_pages_are_told),
        TEST(mode_select_takes_its_parameters),
        TEST(configuration_names_the_profile),
        TEST(other_replies_have_their_lengths),
        TEST(device_reset_ends_a_command),
        TEST(images_that_are_no_discs_are_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
