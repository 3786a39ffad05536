/* Bus-master DMA: descriptor tables, directions, status bits, and memory that holds code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bits.h"
#include "ide_rig.h"

#define TARGET 0x20000u

static uint8_t master_status(struct ide_rig *rig)
{
    return bench_in(rig->bench, RIG_MASTER + 2) & 0x07;
}

static void finish(struct ide_rig *rig)
{
    bench_run_for(rig->bench, 100 * NS_PER_MILLISECOND);
}

static void function_is_the_piix3_ide_controller(void **state)
{
    struct ide_rig *rig = *state;
    assert_int_equal(pci_bus_config_read(rig->pci, 1, 1, 0, 4), 0x70108086);
    assert_int_equal(pci_bus_config_read(rig->pci, 1, 1, 8, 4) >> 8, 0x010180);
    pci_bus_config_write(rig->pci, 1, 1, 0x20, 4, 0xFFFFFFFF);
    assert_int_equal(pci_bus_config_read(rig->pci, 1, 1, 0x20, 4), 0xFFFFFFF1);
    pci_bus_config_write(rig->pci, 1, 1, 0x40, 4, 0xA307E377);
    assert_int_equal(pci_bus_config_read(rig->pci, 1, 1, 0x40, 4), 0xA307E377);
}

static void disk_is_read_into_memory(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 8, 500, 0xC8);
    ide_rig_start_dma(rig, TARGET, 8 * 512, true);
    assert_int_equal(master_status(rig), 0x01);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(bench_in(rig->bench, RIG_COMMAND + 7), 0x50);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(load_le32(rig->bench->ram + TARGET + 512 * i), 500 + i);
    }
    assert_int_equal(rig->irq[0].rises, 1);
}

static void bus_master_may_be_started_before_the_command(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_start_dma(rig, TARGET, 512, true);
    ide_rig_command(rig, 0xE0, 0, 1, 9, 0xC8);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(load_le32(rig->bench->ram + TARGET), 9);
}

static void memory_is_written_to_the_disk(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t sector[512];
    memset(rig->bench->ram + TARGET, 0xC3, 1024);
    ide_rig_command(rig, 0xE0, 0, 2, 40, 0xCA);
    ide_rig_start_dma(rig, TARGET, 1024, false);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    bench_check(block_device_read(ide_rig_disk_image(rig), 41, 1, sector));
    assert_int_equal(sector[511], 0xC3);
    bench_check(block_device_read(ide_rig_disk_image(rig), 42, 1, sector));
    assert_int_equal(load_le32(sector), 42);
}

static void table_entries_are_followed_in_order(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t *table = rig->bench->ram + 0x3000;
    store_le32(table, TARGET);
    store_le32(table + 4, 100);
    store_le32(table + 8, TARGET + 0x1000);
    store_le32(table + 12, 412 + 512);
    store_le32(table + 16, TARGET + 0x2000);
    store_le32(table + 20, 0x80000000u | 512);
    ide_rig_command(rig, 0xE0, 0, 3, 600, 0xC8);
    port_bus_write(rig->bench->host.ports, RIG_MASTER + 4, 4, 0x3000);
    bench_out(rig->bench, RIG_MASTER, 0x09);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(load_le32(rig->bench->ram + TARGET), 600);
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 100), 0);
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 0x1000 + 408), 600); /* the sector's last bytes */
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 0x1000 + 412), 601);
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 0x2000), 602);
}

static void byte_count_zero_is_64_kib(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 128, 0, 0xC8);
    ide_rig_start_dma(rig, TARGET, 0, true);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 127 * 512), 127);
}

static void extended_transfer_goes_beyond_the_buffer(void **state)
{
    struct ide_rig *rig = *state;
    uint8_t *table = rig->bench->ram + 0x3000;
    for (unsigned i = 0; i < 5; i++) {
        store_le32(table + 8 * i, TARGET + i * 0x10000);
        store_le32(table + 8 * i + 4, i == 4 ? 0x80000000u : 0);
    }
    ide_rig_command_extended(rig, 0xE0, 640, 1000, 0x25);
    port_bus_write(rig->bench->host.ports, RIG_MASTER + 4, 4, 0x3000);
    bench_out(rig->bench, RIG_MASTER, 0x09);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 639 * 512), 1639);
}

static void longer_table_leaves_the_master_active(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 1, 1, 0xC8);
    ide_rig_start_dma(rig, TARGET, 1024, true);
    finish(rig);
    assert_int_equal(master_status(rig), 0x05);
    bench_out(rig->bench, RIG_MASTER, 0x08);
    assert_int_equal(master_status(rig), 0x04);
    bench_out(rig->bench, RIG_MASTER + 2, 0x04);
    assert_int_equal(master_status(rig), 0x00);
}

static void shorter_table_leaves_the_drive_waiting(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 2, 1, 0xC8);
    ide_rig_start_dma(rig, TARGET, 512, true);
    finish(rig);
    assert_int_equal(master_status(rig), 0x00);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x58);
    bench_out(rig->bench, RIG_MASTER, 0x08);
    ide_rig_start_dma(rig, TARGET + 0x1000, 512, true);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(load_le32(rig->bench->ram + TARGET + 0x1000), 2);
}

static void nothing_moves_in_the_wrong_direction_or_without_bus_mastering(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 1, 7, 0xC8);
    ide_rig_start_dma(rig, TARGET, 512, false);
    finish(rig);
    assert_int_equal(master_status(rig), 0x01);
    bench_out(rig->bench, RIG_MASTER, 0x00);
    pci_bus_config_write(rig->pci, 1, 1, PCI_COMMAND, 2, PCI_COMMAND_PORTS);
    ide_rig_start_dma(rig, TARGET, 512, true);
    finish(rig);
    assert_int_equal(load_le32(rig->bench->ram + TARGET), 0);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x58);
}

static void reset_ends_a_transfer(void **state)
{
    struct ide_rig *rig = *state;
    ide_rig_command(rig, 0xE0, 0, 100, 7, 0xC8);
    ide_rig_start_dma(rig, TARGET, 0, true);
    bench_run_for(rig->bench, 30 * NS_PER_MICROSECOND);
    bench_out(rig->bench, RIG_CONTROL, 0x04);
    bench_out(rig->bench, RIG_CONTROL, 0x00);
    finish(rig);
    assert_int_equal(load_le32(rig->bench->ram + TARGET), 0);
    assert_int_equal(rig->irq[0].rises, 0);
    assert_int_equal(master_status(rig), 0x01);
}

static void dma_past_the_end_fails_after_what_there_is(void **state)
{
    struct ide_rig *rig = *state;
    memset(rig->bench->ram + TARGET, 0xEE, 2048);
    ide_rig_command(rig, 0xE0, 0, 4, RIG_DISK_SECTORS - 2, 0xC8);
    ide_rig_start_dma(rig, TARGET, 2048, true);
    finish(rig);
    assert_int_equal(master_status(rig), 0x05);
    assert_int_equal(bench_in(rig->bench, RIG_CONTROL), 0x51);
    assert_int_equal(bench_in(rig->bench, RIG_COMMAND + 1), 0x10);
    assert_int_equal(rig->bench->ram[TARGET + 1023], 0x00);
    assert_int_equal(rig->bench->ram[TARGET + 1024], 0xEE);
}

struct code_watch {
    uint64_t phys;
    unsigned calls;
};

static void code_written(void *opaque, uint64_t phys, unsigned length)
{
    struct code_watch *watch = opaque;
    (void)length;
    watch->phys = phys;
    watch->calls++;
}

static void code_under_a_transfer_is_invalidated(void **state)
{
    struct ide_rig *rig = *state;
    struct code_watch watch = {0};
    const struct memory_listener listener = {.code_written = code_written, .opaque = &watch};
    memory_bus_set_listener(rig->bench->host.memory, &listener);
    memory_bus_mark_code(rig->bench->host.memory, TARGET + 0x1010, 16);
    ide_rig_command(rig, 0xE0, 0, 16, 7, 0xC8);
    ide_rig_start_dma(rig, TARGET, 16 * 512, true);
    finish(rig);
    assert_int_equal(watch.calls, 1);
    assert_int_equal(watch.phys & ~0xFFFull, TARGET + 0x1000);
}

static void disc_is_read_by_dma(void **state)
{
    struct ide_rig *rig = *state;
    const uint8_t packet[12] = {0x28, 0, 0, 0, 0, 20, 0, 0, 3};
    ide_rig_packet(rig, packet, true, 0);
    ide_rig_start_dma(rig, TARGET, 3 * 2048, true);
    finish(rig);
    assert_int_equal(master_status(rig), 0x04);
    assert_int_equal(bench_in(rig->bench, RIG_COMMAND + 2), 0x03);
    assert_int_equal(bench_in(rig->bench, RIG_COMMAND + 7), 0x50);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(load_le32(rig->bench->ram + TARGET + 2048 * i), ~(20 + i));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ide_rig_setup, ide_rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(function_is_the_piix3_ide_controller),
        TEST(disk_is_read_into_memory),
        TEST(bus_master_may_be_started_before_the_command),
        TEST(memory_is_written_to_the_disk),
        TEST(table_entries_are_followed_in_order),
        TEST(byte_count_zero_is_64_kib),
        TEST(extended_transfer_goes_beyond_the_buffer),
        TEST(longer_table_leaves_the_master_active),
        TEST(shorter_table_leaves_the_drive_waiting),
        TEST(nothing_moves_in_the_wrong_direction_or_without_bus_mastering),
        TEST(reset_ends_a_transfer),
        TEST(dma_past_the_end_fails_after_what_there_is),
        TEST(code_under_a_transfer_is_invalidated),
        TEST(disc_is_read_by_dma),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
