/* The PIIX3's IDE controller, PCI function 00:01.1, with up to four drives: ATA disks and ATAPI CD-ROMs
 * (Intel 82371SB datasheet 290550 §2.3 and §3.7; ATA/ATAPI-6; SFF-8038i "Bus Master Programming Interface for
 * IDE ATA Controllers"; SFF-8020i and MMC-3 for CD-ROMs).
 *
 *   channel 0: ports 1F0h-1F7h and 3F6h, IRQ14          bus master: 16 ports at BAR 4,
 *   channel 1: ports 170h-177h and 376h, IRQ15          8 for each channel
 *
 * The files: ide.c the PCI function, drives and media; ide_channel.c the registers that two drives share;
 * ide_bus_master.c DMA; ide_disk.c ATA commands; ide_identify.c what drives say about themselves;
 * ide_cdrom.c packet commands; ide_cdrom_info.c the longer replies to them.
 *
 * An empty channel reads as 7Fh: the pull-down on DD7 (ATA-6 §A.2). Drive 0 answers for an absent drive 1
 * with a status of 0. Commands take a short fixed time, so that software which expects an interrupt after it
 * has left its command routine gets it there.
 *
 * NOT IMPLEMENTED: the decode enable and timing bits of IDETIM (kept; the legacy ports always answer, also
 * for a ROM that knows no PCI), native mode; command queueing, security, host protected area beyond READ
 * NATIVE MAX, SMART beyond the commands that software asks for unasked, SLEEP (is STANDBY), byte-wide
 * transfers; audio and multi-session discs, DVD structures, writing to discs. */
#ifndef DOPPEL_DEVICES_IDE_H
#define DOPPEL_DEVICES_IDE_H

#include "devices/device.h"
#include "devices/pci_bus.h"
#include "storage/block_device.h"

#define IDE_CHANNELS       2u
#define IDE_CHANNEL_DRIVES 2u

#define IDE_DISC_BLOCK 2048u /* bytes */

struct ide;

enum ide_kind { IDE_NONE, IDE_DISK, IDE_CDROM };

struct ide_geometry {
    uint16_t cylinders;
    uint8_t heads;   /* 1..16 */
    uint8_t sectors; /* per track, 1..63 */
};

struct ide_config {
    struct irq_line irq[IDE_CHANNELS]; /* IRQ14, IRQ15 */
    unsigned slot, function;           /* on the PCI bus: 1, 1 */
};

/* Errors: ports or the PCI function taken, out of memory. `pci` is borrowed. */
struct status ide_create(const struct device_host *host, struct pci_bus *pci, const struct ide_config *config,
                         struct ide **ide) STATUS_MUST_CHECK;

struct device *ide_device(struct ide *ide);

/* What a disk of `sectors` sectors says of itself when nobody says otherwise: 16 heads, 63 sectors, at most
 * 16383 cylinders. */
struct ide_geometry ide_default_geometry(uint64_t sectors);

/* Puts a disk at channel 0..1, unit 0..1. `geometry` NULL: the default one. `read_only`: writes are refused
 * as they are by a read-only image. On success the drive owns `image`; errors leave it with the caller:
 * STATUS_CONFLICT when the place is taken, STATUS_INVALID_ARGUMENT for an impossible geometry, out of memory.
 * Before the machine runs. */
struct status ide_attach_disk(struct ide *ide, unsigned channel, unsigned unit, struct block_device *image,
                              const struct ide_geometry *geometry, bool read_only) STATUS_MUST_CHECK;

/* The same with an empty CD-ROM drive. */
struct status ide_attach_cdrom(struct ide *ide, unsigned channel, unsigned unit) STATUS_MUST_CHECK;

/* Puts a disc into a CD-ROM drive, in place of what is there, and closes the tray. On success the drive owns
 * `image`. Errors: no such drive; STATUS_UNSUPPORTED when the image is not a whole number of 2048-byte
 * blocks; STATUS_CONFLICT when the guest has locked the drive and `force` is false: then it is asked to
 * eject. */
struct status ide_insert_disc(struct ide *ide, unsigned channel, unsigned unit, struct block_device *image,
                              bool force) STATUS_MUST_CHECK;

/* STATUS_UNSUPPORTED as above. */
struct status ide_check_disc(const struct block_device *image) STATUS_MUST_CHECK;

/* Whether the guest has locked the drive with the disc in it. */
bool ide_disc_is_locked(const struct ide *ide, unsigned channel, unsigned unit);

/* Takes the disc out; errors as above. An empty drive stays empty. */
struct status ide_eject_disc(struct ide *ide, unsigned channel, unsigned unit, bool force) STATUS_MUST_CHECK;

enum ide_kind ide_drive_kind(const struct ide *ide, unsigned channel, unsigned unit);

/* The drive's image (owned by the drive), NULL when there is none. */
struct block_device *ide_image(const struct ide *ide, unsigned channel, unsigned unit);

/* A disk's default geometry, for CMOS tables; zeros when there is no disk. */
struct ide_geometry ide_disk_geometry(const struct ide *ide, unsigned channel, unsigned unit);

#endif
