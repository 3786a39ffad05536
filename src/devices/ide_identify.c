/* IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (ATA/ATAPI-6 §8.15, §8.16); see ide.h.
 *
 * Strings are padded with spaces and have their bytes swapped in each word. */
#include "devices/ide_internal.h"

#include <string.h>

#define FIRMWARE "1.0"

#define WORD_VALID 0x4000 /* bit 14 one, bit 15 zero: the word means something */

static void put(struct ide_drive *drive, unsigned word, unsigned value)
{
    store_le16(drive->buffer + 2 * word, (uint16_t)value);
}

static void put_long(struct ide_drive *drive, unsigned word, uint64_t value)
{
    store_le32(drive->buffer + 2 * word, (uint32_t)value);
}

static void put_text(struct ide_drive *drive, unsigned word, unsigned words, const char *text)
{
    size_t length = strlen(text);
    for (unsigned i = 0; i < 2 * words; i++) {
        drive->buffer[2 * word + (i ^ 1)] = i < length ? (uint8_t)text[i] : ' ';
    }
}

/* What both kinds of drive say alike: names, DMA modes and PIO timing. */
static void put_common(struct ide_drive *drive, const char *model)
{
    memset(drive->buffer, 0, BLOCK_SECTOR_SIZE);
    put_text(drive, 10, 10, drive->serial);
    put_text(drive, 23, 4, FIRMWARE);
    put_text(drive, 27, 20, model);
    put(drive, 49, 0x0B00); /* DMA, LBA, IORDY */
    put(drive, 51, 0x0200);
    put(drive, 53, 0x0007); /* words 54-58, 64-70 and 88 are valid */
    put(drive, 63, 0x0007u | (unsigned)drive->multiword_mode << 8);
    put(drive, 64, 0x0003); /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        put(drive, word, 120); /* ns */
    }
    put(drive, 88, 0x0007u | (unsigned)drive->ultra_mode << 8);
}

void ide_identify_disk(struct ide_drive *drive)
{
    const struct ide_disk *disk = &drive->disk;
    const struct ide_geometry *current = &disk->current;
    uint64_t sectors = block_device_sectors(drive->image);
    uint32_t chs = (uint32_t)current->cylinders * current->heads * current->sectors;
    put_common(drive, "DOPPEL HARDDISK");
    put(drive, 0, 0x0040); /* a fixed disk */
    put(drive, 1, disk->geometry.cylinders);
    put(drive, 3, disk->geometry.heads);
    put(drive, 4, BLOCK_SECTOR_SIZE * disk->geometry.sectors);
    put(drive, 5, BLOCK_SECTOR_SIZE);
    put(drive, 6, disk->geometry.sectors);
    put(drive, 20, 3);
    put(drive, 21, IDE_BUFFER_SECTORS);
    put(drive, 22, 4);
    put(drive, 47, 0x8010); /* 16 sectors in a READ MULTIPLE block */
    put(drive, 48, 0x0001); /* 32-bit data port */
    put(drive, 50, WORD_VALID);
    put(drive, 54, current->cylinders);
    put(drive, 55, current->heads);
    put(drive, 56, current->sectors);
    put_long(drive, 57, chs);
    put(drive, 59, disk->multiple != 0 ? 0x0100u | disk->multiple : 0);
    put_long(drive, 60, sectors < 0x0FFFFFFF ? sectors : 0x0FFFFFFF);
    put(drive, 80, 0x007E);              /* ATA-1 to ATA-6 */
    put(drive, 82, 0x4069);              /* NOP, look-ahead, write cache, power management, SMART */
    put(drive, 83, WORD_VALID | 0x3400); /* FLUSH CACHE and EXT, 48-bit addresses */
    put(drive, 84, WORD_VALID);
    put(drive, 85,
        0x4008u | (disk->look_ahead ? 0x40u : 0) | (disk->write_cache ? 0x20u : 0) |
            (disk->smart ? 0x01u : 0));
    put(drive, 86, 0x3400);
    put(drive, 87, WORD_VALID);
    put_long(drive, 100, sectors);
    put_long(drive, 102, sectors >> 32);
}

void ide_identify_cdrom(struct ide_drive *drive)
{
    put_common(drive, "DOPPEL DVD-ROM");
    put(drive, 0, 0x85C0);  /* ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets */
    put(drive, 80, 0x001E); /* up to ATA/ATAPI-4 */
    put(drive, 82, 0x4210); /* NOP, DEVICE RESET, PACKET */
    put(drive, 83, WORD_VALID);
    put(drive, 84, WORD_VALID);
    put(drive, 85, 0x4210);
    put(drive, 87, WORD_VALID);
}
