/* The steps of an IDE driver; see ide_rig.h. */
#include "ide_rig.h"

#include <stdlib.h>

#include "base/bits.h"

struct block_device *ide_rig_image(uint64_t sectors, bool is_disc)
{
    struct block_device *image;
    bench_check(block_device_create_memory(sectors, &image));
    uint8_t sector[BLOCK_SECTOR_SIZE] = {0};
    for (uint32_t i = 0; i < sectors && i < 4096; i++) {
        store_le32(sector, is_disc ? ~(i / 4) : i);
        store_le32(sector + 508, i);
        bench_check(block_device_write(image, i, 1, sector));
    }
    return image;
}

struct ide_rig *ide_rig_create(void)
{
    struct ide_rig *rig = calloc(1, sizeof *rig);
    if (rig == NULL) {
        abort();
    }
    rig->bench = bench_create();
    rig->pci = pci_bus_create(&rig->bench->host);
    struct ide_config config = {.slot = 1, .function = 1};
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        config.irq[i] = bench_line_connect(&rig->irq[i]);
    }
    bench_check(ide_create(&rig->bench->host, rig->pci, &config, &rig->ide));
    bench_check(ide_attach_disk(rig->ide, 0, 0, ide_rig_image(RIG_DISK_SECTORS, false), NULL, false));
    bench_check(ide_attach_cdrom(rig->ide, 0, 1));
    bench_check(ide_insert_disc(rig->ide, 0, 1, ide_rig_image(RIG_DISC_BLOCKS * 4, true), false));
    pci_bus_config_write(rig->pci, 1, 1, 0x20, 4, RIG_MASTER);
    pci_bus_config_write(rig->pci, 1, 1, PCI_COMMAND, 2, PCI_COMMAND_PORTS | PCI_COMMAND_BUS_MASTER);
    return rig;
}

void ide_rig_destroy(struct ide_rig *rig)
{
    struct device *device = ide_device(rig->ide);
    device->class->destroy(device);
    if (event_clock_next_deadline(rig->bench->host.clock) != EVENT_CLOCK_NEVER) {
        abort(); /* an event outlived its device */
    }
    pci_bus_destroy(rig->pci);
    bench_destroy(rig->bench);
    free(rig);
}

int ide_rig_setup(void **state)
{
    struct ide_rig *rig = ide_rig_create();
    /* The initial "medium may have changed" is none of most tests' business. */
    const uint8_t sense[12] = {0x03, 0, 0, 0, 18};
    uint8_t data[18];
    ide_rig_packet_in(rig, sense, data, sizeof data);
    rig->irq[0].rises = 0;
    *state = rig;
    return 0;
}

int ide_rig_teardown(void **state)
{
    ide_rig_destroy(*state);
    return 0;
}

struct block_device *ide_rig_disk_image(struct ide_rig *rig)
{
    return (struct block_device *)(uintptr_t)ide_image(rig->ide, 0, 0);
}

uint8_t ide_rig_wait(struct ide_rig *rig)
{
    for (unsigned i = 0; i < 100000 && bench_in(rig->bench, RIG_CONTROL) & 0x80; i++) {
        bench_run_for(rig->bench, 1000);
    }
    return bench_in(rig->bench, RIG_CONTROL);
}

void ide_rig_command(struct ide_rig *rig, uint8_t device, uint8_t features, uint8_t count, uint32_t lba,
                     uint8_t command)
{
    const uint8_t values[7] = {features,
                               count,
                               (uint8_t)lba,
                               (uint8_t)(lba >> 8),
                               (uint8_t)(lba >> 16),
                               (uint8_t)(device | (lba >> 24 & 0x0F)),
                               command};
    bench_out(rig->bench, RIG_COMMAND + 6, values[5]);
    for (uint16_t i = 0; i < 7; i++) {
        bench_out(rig->bench, RIG_COMMAND + 1 + i, values[i]);
    }
}

void ide_rig_command_extended(struct ide_rig *rig, uint8_t device, uint16_t count, uint64_t lba,
                              uint8_t command)
{
    bench_out(rig->bench, RIG_COMMAND + 6, device);
    for (unsigned half = 2; half-- > 0;) {
        bench_out(rig->bench, RIG_COMMAND + 2, (uint8_t)(count >> (8 * half)));
        for (uint16_t i = 0; i < 3; i++) {
            bench_out(rig->bench, RIG_COMMAND + 3 + i, (uint8_t)(lba >> (24 * half + 8 * i)));
        }
    }
    bench_out(rig->bench, RIG_COMMAND + 7, command);
}

void ide_rig_read_data(struct ide_rig *rig, void *to, unsigned bytes)
{
    uint8_t *at = to;
    for (unsigned i = 0; i < bytes; i += 2) {
        uint32_t word = port_bus_read(rig->bench->host.ports, RIG_COMMAND, 2);
        at[i] = (uint8_t)word;
        if (i + 1 < bytes) {
            at[i + 1] = (uint8_t)(word >> 8);
        }
    }
}

void ide_rig_write_data(struct ide_rig *rig, const void *from, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i += 2) {
        port_bus_write(rig->bench->host.ports, RIG_COMMAND, 2, load_le16((const uint8_t *)from + i));
    }
}

uint8_t ide_rig_packet(struct ide_rig *rig, const uint8_t packet[12], bool dma, uint16_t limit)
{
    ide_rig_command(rig, 0xB0, dma ? 1 : 0, 0, (uint32_t)limit << 8, 0xA0);
    ide_rig_wait(rig);
    ide_rig_write_data(rig, packet, 12);
    return ide_rig_wait(rig);
}

int ide_rig_packet_in(struct ide_rig *rig, const uint8_t packet[12], uint8_t *data, unsigned size)
{
    uint8_t status = ide_rig_packet(rig, packet, false, 0xFFFE);
    unsigned length = 0;
    while (status & 0x08) {
        unsigned bytes =
            bench_in(rig->bench, RIG_COMMAND + 4) | (unsigned)bench_in(rig->bench, RIG_COMMAND + 5) << 8;
        if (bytes == 0 || bytes > size - length) {
            abort();
        }
        ide_rig_read_data(rig, data + length, bytes);
        length += bytes;
        status = ide_rig_wait(rig);
    }
    return bench_in(rig->bench, RIG_COMMAND + 7) & 1 ? -1 : (int)length;
}

unsigned ide_rig_sense(struct ide_rig *rig)
{
    const uint8_t packet[12] = {0x03, 0, 0, 0, 18};
    uint8_t data[18] = {0};
    ide_rig_packet_in(rig, packet, data, sizeof data);
    return (unsigned)data[2] << 16 | (unsigned)data[12] << 8 | data[13];
}

void ide_rig_start_dma(struct ide_rig *rig, uint32_t address, uint32_t bytes, bool to_memory)
{
    store_le32(rig->bench->ram + 0x1000, address);
    store_le32(rig->bench->ram + 0x1004, (bytes & 0xFFFF) | 0x80000000u);
    port_bus_write(rig->bench->host.ports, RIG_MASTER + 4, 4, 0x1000);
    bench_out(rig->bench, RIG_MASTER + 2, 0x06);
    bench_out(rig->bench, RIG_MASTER, to_memory ? 0x08 : 0x00);
    bench_out(rig->bench, RIG_MASTER, to_memory ? 0x09 : 0x01);
}
