/* ATA disks by PIO: registers, addressing, data blocks, interrupts, errors and resets. */
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

static uint8_t error_of(struct ide_rig *rig)
{
    return reg(rig, 1);
}

static uint32_t read_number(struct ide_rig *rig)
{
    uint8_t sector[512];
    ide_rig_read_data(rig, sector, sizeof sector);
    return load_le32(sector);
}

static void identify_tells_size_geometry_and_modes(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[512];
    ide_rig_command(rig, 0xA0, 0, 0, 0, 0xEC);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    ide_rig_read_data(rig, data, sizeof data);
    assert_int_equal(reg(rig, 7), 0x50);
    assert_int_equal(load_le16(data + 2 * 1), 99); /* 100000 / 1008 */
    assert_int_equal(load_le16(data + 2 * 3), 16);
    assert_int_equal(load_le16(data + 2 * 6), 63);
    assert_int_equal(load_le32(data + 2 * 57), 99 * 1008);
    assert_int_equal(load_le32(data + 2 * 60), RIG_DISK_SECTORS);
    assert_int_equal(load_le64(data + 2 * 100), RIG_DISK_SECTORS);
    assert_int_equal(load_le16(data + 2 * 63) & 7, 7);
    assert_memory_equal(data + 2 * 27, "ODPPLEH RADDSI K", 16);
    assert_true(load_le16(data + 2 * 83) & 0x0400);
}

static void sectors_are_read_by_lba_with_an_interrupt_for_each(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 3, 1000, 0x20);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL) & 0x88, 0x80);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(ide_rig_wait(rig), 0x58);
        assert_true(rig->irq[0].level);
        assert_int_equal(reg(rig, 7), 0x58);
        assert_false(rig->irq[0].level);
        assert_int_equal(read_number(rig), 1000 + i);
    }
    assert_int_equal(ide_rig_wait(rig), 0x50);
    bench_run_for(rig->bench, NS_PER_MILLISECOND);
    assert_int_equal(rig->irq[0].rises, 3);
    assert_int_equal(reg(rig, 2), 0);
    assert_int_equal(reg(rig, 3) | reg(rig, 4) << 8, 1002);
}

static void chs_addresses_count_from_sector_one(void **state)
{
    struct ide_rig *rig = *state;
    /* cylinder 2, head 3, sector 63, and on to the next head */
    ide_rig_command(rig, 0xA3, 0, 2, 2 << 8 | 63, 0x20);
    ide_rig_wait(rig);
    assert_int_equal(read_number(rig), (2 * 16 + 3) * 63 + 62);
    ide_rig_wait(rig);
    assert_int_equal(read_number(rig), (2 * 16 + 4) * 63);
    assert_int_equal(reg(rig, 3), 1);
    assert_int_equal(reg(rig, 6), 0xA4);
}

static void initialize_parameters_changes_the_translation(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xA3, 0, 17, 0, 0x91); /* 4 heads, 17 sectors */
    ide_rig_wait(rig);
    assert_int_equal(reg(rig, 7), 0x50);
    ide_rig_command(rig, 0xA2, 0, 1, 5 << 8 | 4, 0x20);
    ide_rig_wait(rig);
    assert_int_equal(read_number(rig), (5 * 4 + 2) * 17 + 3);
    ide_rig_command(rig, 0xA0, 0, 1, 18, 0x20);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    assert_int_equal(error_of(rig), 0x10);
    ide_rig_command(rig, 0xA4, 0, 1, 1, 0x20); /* head 4 */
    assert_int_equal(ide_rig_wait(rig), 0x51);
    assert_int_equal(error_of(rig), 0x10);
    ide_rig_command(rig, 0xA0, 0, 1, 0, 0x20); /* sector 0 */
    assert_int_equal(ide_rig_wait(rig), 0x51);
}

static void count_zero_is_256_sectors(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 0, 10, 0x20);
    for (uint32_t i = 0; i < 256; i++) {
        assert_int_equal(ide_rig_wait(rig), 0x58);
        assert_int_equal(read_number(rig), 10 + i);
    }
    assert_int_equal(ide_rig_wait(rig), 0x50);
}

static void extended_commands_take_the_previous_register_values(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command_extended(rig, 0xE0, 0x0101, 2000, 0x24);
    for (uint32_t i = 0; i < 0x101; i++) {
        assert_int_equal(ide_rig_wait(rig), 0x58);
        assert_int_equal(read_number(rig), 2000 + i);
    }
    assert_int_equal(ide_rig_wait(rig), 0x50);
    ide_rig_command_extended(rig, 0xE0, 1, 0x123456789Aull, 0x24);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    assert_int_equal(error_of(rig), 0x10);
    assert_int_equal(reg(rig, 3), 0x9A);
    bench_out(rig->bench, RIG_CONTROL, 0x80); /* HOB */
    assert_int_equal(reg(rig, 3), 0x34);
    assert_int_equal(reg(rig, 4), 0x12);
    bench_out(rig->bench, RIG_COMMAND + 2, 1); /* a write ends it */
    assert_int_equal(reg(rig, 3), 0x9A);
}

static void reading_past_the_end_delivers_what_there_is(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 3, RIG_DISK_SECTORS - 1, 0x20);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    read_number(rig);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    assert_int_equal(error_of(rig), 0x10);
    assert_int_equal(reg(rig, 3) | reg(rig, 4) << 8 | reg(rig, 5) << 16, RIG_DISK_SECTORS);
    assert_int_equal(reg(rig, 2), 2);
}

static void sectors_are_written_without_an_interrupt_for_the_first(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t data[512];
    ide_rig_command(rig, 0xE0, 0, 2, 77, 0x30);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_false(rig->irq[0].level);
    memset(data, 0x11, sizeof data);
    ide_rig_write_data(rig, data, sizeof data);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_true(rig->irq[0].level);
    assert_int_equal(reg(rig, 7), 0x58);
    memset(data, 0x22, sizeof data);
    ide_rig_write_data(rig, data, sizeof data);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_true(rig->irq[0].level);
    bench_check(block_device_read(ide_rig_disk_image(rig), 78, 1, data));
    assert_int_equal(data[511], 0x22);
    bench_check(block_device_read(ide_rig_disk_image(rig), 77, 1, data));
    assert_int_equal(data[0], 0x11);
}

static void multiple_moves_blocks_once_it_is_set(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 5, 100, 0xC4);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    assert_int_equal(error_of(rig), 0x04);
    ide_rig_command(rig, 0xE0, 0, 3, 0, 0xC6);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    ide_rig_command(rig, 0xE0, 0, 4, 0, 0xC6);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    reg(rig, 7);
    rig->irq[0].rises = 0;
    ide_rig_command(rig, 0xE0, 0, 5, 100, 0xC4);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    reg(rig, 7);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x58);
        assert_int_equal(read_number(rig), 100 + i);
    }
    assert_int_equal(ide_rig_wait(rig), 0x58);
    reg(rig, 7);
    assert_int_equal(read_number(rig), 104);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_int_equal(rig->irq[0].rises, 2);
    uint8_t data[5 * 512];
    memset(data, 0x5A, sizeof data);
    ide_rig_command(rig, 0xE0, 0, 5, 200, 0xC5);
    ide_rig_wait(rig);
    ide_rig_write_data(rig, data, 4 * 512);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    ide_rig_write_data(rig, data, 512);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    bench_check(block_device_read(ide_rig_disk_image(rig), 200, 5, data));
    assert_int_equal(data[5 * 512 - 1], 0x5A);
}

static void data_port_takes_32_bit_accesses(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 1, 0x123, 0x20);
    ide_rig_wait(rig);
    assert_int_equal(port_bus_read(rig->bench->host.ports, RIG_COMMAND, 4), 0x123);
    for (unsigned i = 1; i < 127; i++) {
        port_bus_read(rig->bench->host.ports, RIG_COMMAND, 4);
    }
    assert_int_equal(port_bus_read(rig->bench->host.ports, RIG_COMMAND, 4), 0x123);
    assert_int_equal(ide_rig_wait(rig), 0x50);
}

static void blocks_move_at_once_but_for_the_last_element_of_the_drives_block(void **state)
{
    struct ide_rig *rig = *state;
    struct port_bus *ports = rig->bench->host.ports;
    uint8_t data[2048];
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 2, data, 256), 0); /* nothing to give */
    ide_rig_command(rig, 0xE0, 0, 2, 0x123, 0x20);
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 2, data, 256), 0); /* not yet */
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_int_equal(port_bus_write_block(ports, RIG_COMMAND, 2, data, 256), 0); /* the other direction */
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 1, data, 256), 0);
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 2, data, 2), 2);
    assert_int_equal(load_le32(data), 0x123);
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 4, data, 300), 126);
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 4, data, 300),
                     0); /* the last one ends the block */
    assert_int_equal(reg(rig, 7), 0x58);
    port_bus_read(ports, RIG_COMMAND, 4);
    assert_int_equal(reg(rig, 7), 0x90);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_int_equal(port_bus_read_block(ports, RIG_COMMAND, 4, data, 300), 127);
    assert_int_equal(load_le32(data), 0x124);
    port_bus_read(ports, RIG_COMMAND, 4);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    ide_rig_command(rig, 0xE0, 0, 2, 0x200, 0x30);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    memset(data, 0x77, sizeof data);
    assert_int_equal(port_bus_write_block(ports, RIG_COMMAND, 2, data, 1024), 255);
    port_bus_write(ports, RIG_COMMAND, 2, 0x7777);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    assert_int_equal(port_bus_write_block(ports, RIG_COMMAND, 4, data, 128), 127);
    port_bus_write(ports, RIG_COMMAND, 4, 0x77777777);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    bench_check(block_device_read(ide_rig_disk_image(rig), 0x200, 3, data));
    assert_int_equal(data[0], 0x77);
    assert_int_equal(data[1023], 0x77);
    assert_int_equal(load_le32(data + 1024), 0x202);
}

static void disabled_interrupts_wait_for_nien(void **state)
{
    struct ide_rig *rig = *state;
    bench_out(rig->bench, RIG_CONTROL, 0x02);
    ide_rig_command(rig, 0xE0, 0, 1, 0, 0x40);
    ide_rig_wait(rig);
    assert_false(rig->irq[0].level);
    bench_out(rig->bench, RIG_CONTROL, 0x00);
    assert_true(rig->irq[0].level);
    reg(rig, 7);
    assert_false(rig->irq[0].level);
}

static void interrupt_belongs_to_the_selected_drive(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 1, 0, 0x40);
    ide_rig_wait(rig);
    bench_out(rig->bench, RIG_COMMAND + 6, 0xB0);
    assert_false(rig->irq[0].level);
    bench_out(rig->bench, RIG_COMMAND + 6, 0xA0);
    assert_true(rig->irq[0].level);
    ide_rig_command(rig, 0xE0, 0, 1, 0, 0x40); /* a command takes it back */
    assert_false(rig->irq[0].level);
}

static void verify_and_seek_check_the_address(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 0, RIG_DISK_SECTORS - 256, 0x40);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    ide_rig_command(rig, 0xE0, 0, 0, RIG_DISK_SECTORS - 255, 0x40);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    ide_rig_command(rig, 0xE0, 0, 0, RIG_DISK_SECTORS - 1, 0x70);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    ide_rig_command(rig, 0xE0, 0, 0, RIG_DISK_SECTORS, 0x70);
    assert_int_equal(ide_rig_wait(rig), 0x51);
    ide_rig_command(rig, 0xA0, 0, 0, 0, 0x15);
    assert_int_equal(ide_rig_wait(rig), 0x50);
}

static void software_reset_gives_the_signatures(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xF0, 0, 8, 0x123456, 0x20);
    bench_out(rig->bench, RIG_CONTROL, 0x04);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x80);
    bench_run_for(rig->bench, NS_PER_MILLISECOND);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x80);
    bench_out(rig->bench, RIG_CONTROL, 0x00);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x80);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    const uint8_t disk[6] = {0x01, 0x01, 0x01, 0x00, 0x00, 0xA0};
    const uint8_t cdrom[6] = {0x01, 0x01, 0x01, 0x14, 0xEB, 0xB0};
    for (uint16_t i = 0; i < 6; i++) {
        assert_int_equal(reg(rig, 1 + i), disk[i]);
    }
    bench_out(rig->bench, RIG_COMMAND + 6, 0xB0);
    for (uint16_t i = 0; i < 6; i++) {
        assert_int_equal(reg(rig, 1 + i), cdrom[i]);
    }
    assert_int_equal(reg(rig, 7), 0x00);
    bench_run_for(rig->bench, NS_PER_MILLISECOND);
    assert_int_equal(rig->irq[0].rises, 0);
}

static void diagnostic_interrupts_and_selects_drive_0(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xB0, 0, 0, 0, 0x90);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_true(rig->irq[0].level);
    assert_int_equal(error_of(rig), 0x01);
    assert_int_equal(reg(rig, 6), 0xA0);
}

static void empty_channel_floats_and_absent_slave_reads_zero(void **state)
{
    struct ide_rig *rig = *state;
    for (uint16_t i = 1; i < 8; i++) {
        assert_int_equal(bench_in(rig->bench, 0x170 + i), 0x7F);
    }
    assert_int_equal(bench_in(rig->bench, 0x376), 0x7F);
    bench_check(ide_attach_disk(rig->ide, 1, 0, ide_rig_image(64, false), NULL, false));
    bench_out(rig->bench, 0x176, 0xB0);
    assert_int_equal(bench_in(rig->bench, 0x177), 0x00);
    assert_int_equal(bench_in(rig->bench, 0x376), 0x00);
    bench_out(rig->bench, 0x172, 0x55);
    assert_int_equal(bench_in(rig->bench, 0x172), 0x55);
    bench_out(rig->bench, 0x177, 0xEC); /* nobody takes it */
    bench_run_for(rig->bench, NS_PER_MILLISECOND);
    bench_out(rig->bench, 0x176, 0xA0);
    assert_int_equal(bench_in(rig->bench, 0x177), 0x50);
    assert_int_equal(rig->irq[1].rises, 0);
}

static void lone_slave_leaves_drive_0_floating(void **state)
{
    struct ide_rig *rig = *state;
    bench_check(ide_attach_disk(rig->ide, 1, 1, ide_rig_image(64, false), NULL, false));
    bench_out(rig->bench, 0x176, 0xA0);
    assert_int_equal(bench_in(rig->bench, 0x177), 0x7F);
    bench_out(rig->bench, 0x176, 0xB0);
    assert_int_equal(bench_in(rig->bench, 0x177), 0x50);
}

static void read_only_disk_refuses_writes(void **state)
{
    struct ide_rig *rig = *state;
    bench_check(ide_attach_disk(rig->ide, 1, 0, ide_rig_image(64, false), NULL, true));
    bench_out(rig->bench, 0x176, 0xE0);
    bench_out(rig->bench, 0x172, 1);
    bench_out(rig->bench, 0x177, 0x30);
    bench_run_for(rig->bench, NS_PER_MILLISECOND);
    assert_int_equal(bench_in(rig->bench, 0x376), 0x51);
    assert_int_equal(bench_in(rig->bench, 0x171), 0x44);
    assert_true(rig->irq[1].level);
}

static void commands_without_data_complete(void **state)
{
    static const struct {
        uint8_t command, features, count, status;
    } cases[] = {
        {0x00, 0, 0, 0x51},    {0xE7, 0, 0, 0x50},    {0xEA, 0, 0, 0x50}, {0xEF, 0x02, 0, 0x50},
        {0xEF, 3, 0x22, 0x50}, {0xEF, 3, 0x42, 0x50}, {0xEF, 3, 9, 0x50}, {0xEF, 3, 0x47, 0x51},
        {0xEF, 0x99, 0, 0x51}, {0xA1, 0, 0, 0x51},    {0x08, 0, 0, 0x51}, {0xF5, 0, 0, 0x51},
        {0xA0, 0, 0, 0x51},    {0xB0, 0xDA, 0, 0x51}, /* SMART without its key */
    };
    struct ide_rig *rig = *state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        ide_rig_command(rig, 0xA0, cases[i].features, cases[i].count, 0, cases[i].command);
        assert_int_equal(ide_rig_wait(rig), cases[i].status);
        assert_true(rig->irq[0].level);
        assert_int_equal(error_of(rig), cases[i].status & 1 ? 0x04 : 0x00);
    }
    ide_rig_command(rig, 0xA0, 0xDA, 0, 0xC24F00, 0xB0);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_int_equal(reg(rig, 4) << 8 | reg(rig, 5), 0x4FC2);
}

static void native_maximum_is_the_last_sector(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 0, 0, 0xF8);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_int_equal(reg(rig, 3) | reg(rig, 4) << 8 | reg(rig, 5) << 16, RIG_DISK_SECTORS - 1);
    ide_rig_command_extended(rig, 0xE0, 0, 0, 0x27);
    assert_int_equal(ide_rig_wait(rig), 0x50);
    assert_int_equal(reg(rig, 3) | reg(rig, 4) << 8 | reg(rig, 5) << 16, RIG_DISK_SECTORS - 1);
    bench_out(rig->bench, RIG_CONTROL, 0x80);
    assert_int_equal(reg(rig, 3) | reg(rig, 4) << 8 | reg(rig, 5) << 16, 0);
}

static void power_mode_is_told_and_left_by_an_access(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xA0, 0, 0, 0, 0xE0);
    ide_rig_wait(rig);
    ide_rig_command(rig, 0xA0, 0, 0x77, 0, 0xE5);
    ide_rig_wait(rig);
    assert_int_equal(reg(rig, 2), 0x00);
    ide_rig_command(rig, 0xE0, 0, 1, 0, 0x40);
    ide_rig_wait(rig);
    ide_rig_command(rig, 0xA0, 0, 0x77, 0, 0xE5);
    ide_rig_wait(rig);
    assert_int_equal(reg(rig, 2), 0xFF);
}

static void busy_drive_ignores_registers_and_commands(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 1, 55, 0x20);
    bench_out(rig->bench, RIG_COMMAND + 3, 99);
    bench_out(rig->bench, RIG_COMMAND + 7, 0xEC);
    assert_int_equal(ide_rig_wait(rig), 0x58);
    bench_out(rig->bench, RIG_COMMAND + 7, 0xEC);
    assert_int_equal(read_number(rig), 55);
}

static void disks_are_refused_where_they_cannot_be(void **state)
{
    struct ide_rig *rig = *state;
    struct block_device *image = ide_rig_image(64, false);
    struct ide_geometry odd = {.cylinders = 10, .heads = 17, .sectors = 63};
    assert_int_equal(ide_attach_disk(rig->ide, 0, 0, image, NULL, false).code, STATUS_CONFLICT);
    assert_int_equal(ide_attach_disk(rig->ide, 1, 0, image, &odd, false).code, STATUS_INVALID_ARGUMENT);
    odd.heads = 4;
    odd.sectors = 17;
    bench_check(ide_attach_disk(rig->ide, 1, 0, image, &odd, false));
    assert_int_equal(ide_disk_geometry(rig->ide, 1, 0).sectors, 17);
    assert_int_equal(ide_default_geometry(1ull << 32).cylinders, 16383);
    assert_int_equal(ide_default_geometry(10).cylinders, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ide_rig_setup, ide_rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(identify_tells_size_geometry_and_modes),
        TEST(sectors_are_read_by_lba_with_an_interrupt_for_each),
        TEST(chs_addresses_count_from_sector_one),
        TEST(initialize_parameters_changes_the_translation),
        TEST(count_zero_is_256_sectors),
        TEST(extended_commands_take_the_previous_register_values),
        TEST(reading_past_the_end_delivers_what_there_is),
        TEST(sectors_are_written_without_an_interrupt_for_the_first),
        TEST(multiple_moves_blocks_once_it_is_set),
        TEST(data_port_takes_32_bit_accesses),
        TEST(blocks_move_at_once_but_for_the_last_element_of_the_drives_block),
        TEST(disabled_interrupts_wait_for_nien),
        TEST(interrupt_belongs_to_the_selected_drive),
        TEST(verify_and_seek_check_the_address),
        TEST(software_reset_gives_the_signatures),
        TEST(diagnostic_interrupts_and_selects_drive_0),
        TEST(empty_channel_floats_and_absent_slave_reads_zero),
        TEST(lone_slave_leaves_drive_0_floating),
        TEST(read_only_disk_refuses_writes),
        TEST(commands_without_data_complete),
        TEST(native_maximum_is_the_last_sector),
        TEST(power_mode_is_told_and_left_by_an_access),
        TEST(busy_drive_ignores_registers_and_commands),
        TEST(disks_are_refused_where_they_cannot_be),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
