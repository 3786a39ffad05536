/* Which floppy disk an image of a given size is, and which drive takes it.
 *
 * A raw image does not say how its sectors lie on tracks and sides; the standard sizes do. The table in
 * floppy_geometry.c is the only list of them. */
#ifndef DOPPEL_STORAGE_FLOPPY_GEOMETRY_H
#define DOPPEL_STORAGE_FLOPPY_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* The values are those of the CMOS RAM's drive type byte (register 10h). */
enum floppy_drive_type {
    FLOPPY_DRIVE_NONE = 0,
    FLOPPY_DRIVE_360K = 1,  /* 5.25", 40 tracks */
    FLOPPY_DRIVE_1200K = 2, /* 5.25", 80 tracks */
    FLOPPY_DRIVE_720K = 3,  /* 3.5", 80 tracks */
    FLOPPY_DRIVE_1440K = 4,
    FLOPPY_DRIVE_2880K = 5,
    FLOPPY_DRIVE_TYPE_COUNT
};

/* The values are those of the controller's rate select bits (CCR and DSR bits 1..0). */
enum floppy_data_rate {
    FLOPPY_RATE_500K = 0,
    FLOPPY_RATE_300K = 1,
    FLOPPY_RATE_250K = 2,
    FLOPPY_RATE_1M = 3,
};

/* Sectors are 512 bytes, numbered from 1 on every track; an image holds both sides of a track before the next
 * track. */
struct floppy_geometry {
    const char *name;             /* "1.44 MB 3.5\"": a static string */
    enum floppy_drive_type drive; /* the smallest drive that reads and writes it */
    enum floppy_data_rate rate;   /* in that drive */
    uint8_t tracks;               /* cylinders */
    uint8_t heads;                /* 1 or 2 */
    uint8_t sectors_per_track;
};

static inline uint32_t floppy_geometry_sectors(const struct floppy_geometry *geometry)
{
    return (uint32_t)geometry->tracks * geometry->heads * geometry->sectors_per_track;
}

/* The standard disk that has `sectors` sectors. Any other size is STATUS_UNSUPPORTED with a list of those
 * that are accepted; `path` is only named in that message. */
struct status floppy_geometry_detect(const char *path, uint64_t sectors,
                                     struct floppy_geometry *geometry) STATUS_MUST_CHECK;

/* The disk that an image of another size was meant for, whose end is missing: the standard one that `boot`,
 * its first 512 bytes, describes as a FAT file system's parameter block does; or the smaller of 1.44 and 2.88
 * MB that holds it. Larger images are STATUS_UNSUPPORTED. */
struct status floppy_geometry_guess(const char *path, uint64_t sectors, const uint8_t *boot,
                                    struct floppy_geometry *geometry) STATUS_MUST_CHECK;

/* The standard disks, smallest first; NULL when index is past the last. */
const struct floppy_geometry *floppy_geometry_standard(unsigned index);

/* "1.44 MB 3.5\"", or "none". */
const char *floppy_drive_type_name(enum floppy_drive_type type);

/* Whether a disk of this kind physically goes into the drive: 5.25" or 3.5". */
bool floppy_drive_type_fits(enum floppy_drive_type type, const struct floppy_geometry *geometry);

/* Whether the drive's heads and electronics can read such a disk (a 1.2 MB disk fits a 360 KB drive, but
 * cannot be read there). */
bool floppy_drive_type_reads(enum floppy_drive_type type, const struct floppy_geometry *geometry);

#endif
