/* Makes a hard disk as a PC of the eighties had it: a master boot record, one FAT16 partition that begins
 * with the second track, and FreeDOS on it, taken from a FreeDOS floppy. All that is said in cylinders, heads
 * and sectors is said in the given geometry; modern alignments and default geometries do not occur.
 *
 *   make_disk FLOPPY MBR BOOT-SECTOR CYLINDERS HEADS SECTORS DISK */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

#define FLOPPY_SIZE (2880u * SECTOR)

#define CLUSTER_SECTORS 4u
#define ROOT_ENTRIES    512u
#define ROOT_SECTORS    (ROOT_ENTRIES * 32 / SECTOR)
#define FAT_COPIES      2u
#define FIRST_CLUSTER   2u

struct geometry {
    uint32_t cylinders, heads, sectors;
};

struct disk {
    uint8_t *bytes;
    struct geometry geometry;
    uint32_t start, count; /* the partition, in sectors */
    uint32_t fat_sectors;
    uint32_t next_cluster;
    uint32_t files;
};

static void fail(const char *what)
{
    fprintf(stderr, "make_disk: %s\n", what);
    exit(1);
}

static uint32_t load16(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8;
}

static uint32_t load32(const uint8_t *from)
{
    return load16(from) | load16(from + 2) << 16;
}

static void store16(uint8_t *to, uint32_t value)
{
    to[0] = value & 0xff;
    to[1] = value >> 8 & 0xff;
}

static void store32(uint8_t *to, uint32_t value)
{
    store16(to, value);
    store16(to + 2, value >> 16);
}

static void read_file(const char *path, uint8_t *to, size_t limit, size_t least)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(to, 1, limit, file) < least) {
        fail(path);
    }
    fclose(file);
}

/* ---- the floppy */

/* Copies a file of the root directory of a FAT12 floppy. Returns its size. */
static uint32_t floppy_read(const uint8_t *floppy, const char *name, uint8_t *to)
{
    uint32_t fat = load16(floppy + 14) * SECTOR;
    uint32_t root = fat + floppy[16] * load16(floppy + 22) * SECTOR;
    uint32_t entries = load16(floppy + 17);
    uint32_t data = root + entries * 32;
    uint32_t cluster_bytes = floppy[13] * SECTOR;
    for (uint32_t i = 0; i < entries; i++) {
        const uint8_t *entry = floppy + root + (size_t)i * 32;
        if (memcmp(entry, name, 11) != 0 || (entry[11] & 0x08) != 0) {
            continue;
        }
        uint32_t size = load32(entry + 28);
        uint32_t cluster = load16(entry + 26);
        for (uint32_t done = 0; done < size; done += cluster_bytes) {
            uint32_t at = data + (cluster - FIRST_CLUSTER) * cluster_bytes;
            if (cluster < FIRST_CLUSTER || at + cluster_bytes > FLOPPY_SIZE) {
                fail("a file of the floppy is damaged");
            }
            memcpy(to + done, floppy + at, cluster_bytes);
            uint32_t word = load16(floppy + fat + cluster * 3 / 2);
            cluster = cluster % 2 != 0 ? word >> 4 : word & 0xfff;
        }
        return size;
    }
    fail(name);
    return 0;
}

/* ---- the disk */

static void store_chs(uint8_t *to, const struct geometry *geometry, uint32_t sector)
{
    uint32_t track = sector / geometry->sectors;
    uint32_t cylinder = track / geometry->heads;
    cylinder = cylinder < 1023 ? cylinder : 1023;
    to[0] = (uint8_t)(track % geometry->heads);
    to[1] = (uint8_t)((sector % geometry->sectors + 1) | (cylinder >> 2 & 0xc0));
    to[2] = cylinder & 0xff;
}

static uint8_t *sector_at(const struct disk *disk, uint32_t number)
{
    return disk->bytes + (size_t)number * SECTOR;
}

static uint32_t data_start(const struct disk *disk)
{
    return disk->start + 1 + FAT_COPIES * disk->fat_sectors + ROOT_SECTORS;
}

static void write_mbr(const struct disk *disk, const char *path)
{
    uint8_t *mbr = sector_at(disk, 0);
    read_file(path, mbr, 0x1be, 1);
    uint8_t *entry = mbr + 0x1be;
    entry[0] = 0x80;
    store_chs(entry + 1, &disk->geometry, disk->start);
    entry[4] = disk->count < 65536 ? 0x04 : 0x06;
    store_chs(entry + 5, &disk->geometry, disk->start + disk->count - 1);
    store32(entry + 8, disk->start);
    store32(entry + 12, disk->count);
    store16(mbr + 0x1fe, 0xaa55);
}

static void write_boot_sector(const struct disk *disk, const char *path, uint32_t kernel_sectors)
{
    uint8_t *boot = sector_at(disk, disk->start);
    read_file(path, boot, 0x1fe, 1);
    memcpy(boot + 3, "TESTDISK", 8);
    store16(boot + 11, SECTOR);
    boot[13] = CLUSTER_SECTORS;
    store16(boot + 14, 1);
    boot[16] = FAT_COPIES;
    store16(boot + 17, ROOT_ENTRIES);
    store16(boot + 19, disk->count < 65536 ? disk->count : 0);
    boot[21] = 0xf8;
    store16(boot + 22, disk->fat_sectors);
    store16(boot + 24, disk->geometry.sectors);
    store16(boot + 26, disk->geometry.heads);
    store32(boot + 28, disk->start);
    store32(boot + 32, disk->count < 65536 ? 0 : disk->count);
    boot[36] = 0x80;
    store32(boot + 0x3e, data_start(disk));
    store16(boot + 0x42, kernel_sectors);
    store16(boot + 0x1fe, 0xaa55);
}

static void set_fat(const struct disk *disk, uint32_t cluster, uint32_t value)
{
    for (uint32_t copy = 0; copy < FAT_COPIES; copy++) {
        uint8_t *fat = sector_at(disk, disk->start + 1 + copy * disk->fat_sectors);
        store16(fat + (size_t)cluster * 2, value);
    }
}

static void add_file(struct disk *disk, const char *name, const uint8_t *bytes, uint32_t size)
{
    uint32_t clusters = (size + CLUSTER_SECTORS * SECTOR - 1) / (CLUSTER_SECTORS * SECTOR);
    uint32_t first = disk->next_cluster;
    uint8_t *entry = sector_at(disk, data_start(disk) - ROOT_SECTORS) + (size_t)disk->files++ * 32;
    memcpy(entry, name, 11);
    entry[11] = 0x20;
    store16(entry + 24, (2012 - 1980) << 9 | 1 << 5 | 1);
    store16(entry + 26, first);
    store32(entry + 28, size);
    memcpy(sector_at(disk, data_start(disk) + (first - FIRST_CLUSTER) * CLUSTER_SECTORS), bytes, size);
    for (uint32_t i = 0; i < clusters; i++) {
        set_fat(disk, first + i, i + 1 < clusters ? first + i + 1 : 0xffff);
    }
    disk->next_cluster += clusters;
}

static uint32_t number_word(const char *word)
{
    unsigned long value = strtoul(word, NULL, 10);
    if (value == 0 || value > 65535) {
        fail("a geometry has numbers from 1 to 65535");
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static const char greeting[] = "@echo off\r\necho Drive C is up\r\n";
    static uint8_t floppy[FLOPPY_SIZE], kernel[FLOPPY_SIZE], shell[FLOPPY_SIZE];
    if (argc != 8) {
        fail("usage: make_disk FLOPPY MBR BOOT-SECTOR CYLINDERS HEADS SECTORS DISK");
    }
    read_file(argv[1], floppy, sizeof floppy, sizeof floppy);
    uint32_t kernel_size = floppy_read(floppy, "KERNEL  SYS", kernel);
    uint32_t shell_size = floppy_read(floppy, "COMMAND COM", shell);

    struct disk disk = {.next_cluster = FIRST_CLUSTER,
                        .geometry = {number_word(argv[4]), number_word(argv[5]), number_word(argv[6])}};
    uint32_t track = disk.geometry.sectors;
    uint32_t cylinder = track * disk.geometry.heads;
    uint32_t total = cylinder * disk.geometry.cylinders;
    disk.bytes = calloc(total, SECTOR);
    if (disk.bytes == NULL) {
        fail("out of memory");
    }
    disk.start = track;
    disk.count = total - track - cylinder; /* the last cylinder is for diagnostics */
    disk.fat_sectors = (disk.count / CLUSTER_SECTORS + FIRST_CLUSTER) * 2 / SECTOR + 1;
    write_mbr(&disk, argv[2]);
    write_boot_sector(&disk, argv[3], (kernel_size + SECTOR - 1) / SECTOR);
    set_fat(&disk, 0, 0xfff8);
    set_fat(&disk, 1, 0xffff);
    add_file(&disk, "KERNEL  SYS", kernel, kernel_size);
    add_file(&disk, "COMMAND COM", shell, shell_size);
    add_file(&disk, "AUTOEXECBAT", (const uint8_t *)greeting, sizeof greeting - 1);

    FILE *out = fopen(argv[7], "wb");
    if (out == NULL || fwrite(disk.bytes, SECTOR, total, out) != total || fclose(out) != 0) {
        fail(argv[7]);
    }
    free(disk.bytes);
    return 0;
}
