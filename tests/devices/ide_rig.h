/* What the IDE tests share: a controller on a bench with a PCI bus, and the steps of a driver. */
#ifndef DOPPEL_TESTS_DEVICES_IDE_RIG_H
#define DOPPEL_TESTS_DEVICES_IDE_RIG_H

#include "device_bench.h"
#include "devices/ide.h"

#define RIG_COMMAND 0x1F0
#define RIG_CONTROL 0x3F6
#define RIG_MASTER  0xC000

#define RIG_DISK_SECTORS 100000u
#define RIG_DISC_BLOCKS  300u

struct ide_rig {
    struct bench *bench;
    struct pci_bus *pci;
    struct ide *ide;
    struct bench_line irq[IDE_CHANNELS];
};

/* Drive 0.0 is a disk and 0.1 a CD-ROM with a disc in it; channel 1 is empty. Bus mastering is set up. Sector
 * n of the disk begins with n as a 32-bit number, block n of the disc with ~n. */
struct ide_rig *ide_rig_create(void);
void ide_rig_destroy(struct ide_rig *rig);

/* cmocka fixtures that keep a rig in *state. */
int ide_rig_setup(void **state);
int ide_rig_teardown(void **state);

/* A memory image of `sectors` sectors that begin with n, or with ~(n / 4) when `is_disc`. */
struct block_device *ide_rig_image(uint64_t sectors, bool is_disc);

struct block_device *ide_rig_disk_image(struct ide_rig *rig);

/* Time until the drive is not busy; returns its (alternate) status. */
uint8_t ide_rig_wait(struct ide_rig *rig);

/* Registers 1 to 6, then the command. */
void ide_rig_command(struct ide_rig *rig, uint8_t device, uint8_t features, uint8_t count, uint32_t lba,
                     uint8_t command);

/* With 48-bit address and 16-bit count. */
void ide_rig_command_extended(struct ide_rig *rig, uint8_t device, uint16_t count, uint64_t lba,
                              uint8_t command);

void ide_rig_read_data(struct ide_rig *rig, void *to, unsigned bytes);
void ide_rig_write_data(struct ide_rig *rig, const void *from, unsigned bytes);

/* Sends a packet to drive 0.1 and waits; returns the status. */
uint8_t ide_rig_packet(struct ide_rig *rig, const uint8_t packet[12], bool dma, uint16_t limit);

/* The same; then takes all the data that comes (at most `size` bytes), to the end of the command. Returns how
 * many bytes, or -1 after an error. */
int ide_rig_packet_in(struct ide_rig *rig, const uint8_t packet[12], uint8_t *data, unsigned size);

/* Sense key, code and qualifier of the last error, as 0xKKCCQQ. */
unsigned ide_rig_sense(struct ide_rig *rig);

/* A descriptor table at 1000h with one entry, and the bus master started. */
void ide_rig_start_dma(struct ide_rig *rig, uint32_t address, uint32_t bytes, bool to_memory);

#endif
