/* Which geometry a disk was partitioned with.
 *
 * A raw image does not say how many heads and sectors its disk had, but old systems address it by them. The
 * partition table of a master boot record gives each partition's ends both as sector numbers and as
 * cylinder, head and sector: partitions end with a cylinder, so that the end's head and sector are the
 * geometry, and the start confirms it. */
#ifndef DOPPEL_MACHINE_DISK_GEOMETRY_H
#define DOPPEL_MACHINE_DISK_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

/* As INT 13h counts: more than 16 heads are a BIOS's translation. */
struct disk_geometry {
    uint32_t cylinders; /* whole ones of the disk, at least 1 */
    uint8_t heads;      /* 1..255 */
    uint8_t sectors;    /* 1..63 */
};

/* `mbr` is the first sector (512 bytes) of a disk of `disk_sectors`. False: there is no partition table, or
 * none of its partitions fits one geometry. */
bool disk_geometry_from_mbr(const uint8_t *mbr, uint64_t disk_sectors, struct disk_geometry *geometry);

#endif
