/* One floppy drive and the disk in it: head position, disk change line, and sector headers on a track.
 *
 * Part of the floppy controller (floppy.c). An image holds only the data of 512-byte sectors; what else a
 * real track holds (deleted-data marks, sectors erased by formatting a track differently) is kept beside it
 * and lost with the disk.
 *
 * The track under the head is the head's position, also for a 40-track disk in an 80-track drive: the
 * firmware that PCs in emulators use does not double-step, and no firmware reads such a disk both ways. */
#ifndef DOPPEL_DEVICES_FLOPPY_DRIVE_H
#define DOPPEL_DEVICES_FLOPPY_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "storage/block_device.h"
#include "storage/floppy_geometry.h"

/* What a sector header says: cylinder, head, sector number, and size as 128 << n bytes. */
struct floppy_sector_id {
    uint8_t c;
    uint8_t h;
    uint8_t r;
    uint8_t n;
};

#define FLOPPY_SECTOR_BYTES 512u
#define FLOPPY_SECTOR_N     2 /* the size code of 512 bytes */

struct floppy_drive {
    enum floppy_drive_type type;
    struct block_device *image; /* NULL: no disk */
    struct floppy_geometry geometry;
    bool write_protected;
    bool changed;          /* the disk change line: set when a disk goes, cleared by a step with a disk in */
    uint8_t track;         /* where the head is */
    uint8_t rotation;      /* index on the track of the sector that comes under the head next */
    uint8_t *sector_flags; /* FLOPPY_SECTOR_*, one byte for every sector of the disk */
};

#define FLOPPY_SECTOR_DELETED 1u /* has a deleted data address mark */
#define FLOPPY_SECTOR_ERASED  2u /* not on the track any more */

/* How the controller reads: with this rate and density, through this head. */
struct floppy_reading {
    enum floppy_data_rate rate;
    bool mfm;
    uint8_t head; /* 0 or 1 */
};

enum floppy_search {
    FLOPPY_SECTOR_FOUND,
    FLOPPY_NO_MARKS,      /* no readable sector header on this track */
    FLOPPY_NO_SECTOR,     /* headers, but not this one */
    FLOPPY_OTHER_CYLINDER /* headers, all of another cylinder */
};

/* Takes ownership of `image`; an occupied drive must be emptied first. */
struct status floppy_drive_insert(struct floppy_drive *drive, struct block_device *image,
                                  const struct floppy_geometry *geometry,
                                  bool write_protected) STATUS_MUST_CHECK;
void floppy_drive_eject(struct floppy_drive *drive);

/* `steps` step pulses: towards the spindle (higher tracks) when positive, until the head's stop. */
void floppy_drive_step(struct floppy_drive *drive, int steps);

/* Up to 79 step pulses outwards until track 0 is reached; says whether it was (never, for an absent drive).
 * *pulses gets how many that took. */
bool floppy_drive_recalibrate(struct floppy_drive *drive, unsigned *pulses);

/* The TRK0 signal. */
bool floppy_drive_at_track_0(const struct floppy_drive *drive);

/* Looks for the header `id` on the track under the head; *sector gets its number on the disk. */
enum floppy_search floppy_drive_find(const struct floppy_drive *drive, const struct floppy_reading *reading,
                                     const struct floppy_sector_id *id, uint32_t *sector);

/* The header that comes under the head next. */
enum floppy_search floppy_drive_next_id(struct floppy_drive *drive, const struct floppy_reading *reading,
                                        struct floppy_sector_id *id, uint32_t *sector);

/* Turns the disk so that the first header after the index hole is next. */
void floppy_drive_wait_for_index(struct floppy_drive *drive);

/* `sector` is one that a search returned for the disk that is in the drive now. */
struct status floppy_drive_read(struct floppy_drive *drive, uint32_t sector, uint8_t *to) STATUS_MUST_CHECK;
struct status floppy_drive_write(struct floppy_drive *drive, uint32_t sector, const uint8_t *from,
                                 bool deleted) STATUS_MUST_CHECK;
bool floppy_drive_is_deleted(const struct floppy_drive *drive, uint32_t sector);

/* Formatting: first the whole track under the head vanishes, then sectors are laid down one by one. A header
 * that the image has no place for (another size, number, cylinder or density) is not kept: it cannot be found
 * afterwards. */
void floppy_drive_erase_track(struct floppy_drive *drive, const struct floppy_reading *reading);
struct status floppy_drive_format_sector(struct floppy_drive *drive, const struct floppy_reading *reading,
                                         const struct floppy_sector_id *id, uint8_t filler) STATUS_MUST_CHECK;

#endif
