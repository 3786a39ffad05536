/* The mechanics and the medium behind the floppy controller; see floppy_drive.h. */
#include "devices/floppy_drive.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Drives step a few tracks beyond the last formatted one before the head meets its stop. */
#define LAST_TRACK_40 42
#define LAST_TRACK_80 83

#define RECALIBRATE_PULSES 79u /* 82077AA, RECALIBRATE */

struct status floppy_drive_insert(struct floppy_drive *drive, struct block_device *image,
                                  const struct floppy_geometry *geometry, bool write_protected)
{
    assert(drive->image == NULL);
    if (!floppy_drive_type_fits(drive->type, geometry)) {
        return status_error(STATUS_UNSUPPORTED, "a %s disk does not fit into a %s drive", geometry->name,
                            floppy_drive_type_name(drive->type));
    }
    uint32_t sectors = floppy_geometry_sectors(geometry);
    if (sectors == 0 || geometry->heads > 2 || sectors > block_device_sectors(image)) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "image '%s' (%llu sectors) cannot be a disk of %u tracks, %u heads, %u sectors",
                            block_device_path(image), (unsigned long long)block_device_sectors(image),
                            geometry->tracks, geometry->heads, geometry->sectors_per_track);
    }
    drive->sector_flags = calloc(sectors, 1);
    if (drive->sector_flags == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for a floppy disk");
    }
    drive->image = image;
    drive->geometry = *geometry;
    drive->write_protected = write_protected || block_device_is_read_only(image);
    drive->rotation = 0;
    drive->changed = true;
    return status_ok();
}

void floppy_drive_eject(struct floppy_drive *drive)
{
    if (drive->image == NULL) {
        return;
    }
    block_device_close(drive->image);
    free(drive->sector_flags);
    drive->image = NULL;
    drive->sector_flags = NULL;
    drive->write_protected = false;
    drive->changed = true;
}

void floppy_drive_step(struct floppy_drive *drive, int steps)
{
    if (steps == 0 || drive->type == FLOPPY_DRIVE_NONE) {
        return;
    }
    int last = drive->type == FLOPPY_DRIVE_360K ? LAST_TRACK_40 : LAST_TRACK_80;
    int track = drive->track + steps;
    drive->track = (uint8_t)(track < 0 ? 0 : track > last ? last : track);
    if (drive->image != NULL) {
        drive->changed = false;
    }
}

bool floppy_drive_recalibrate(struct floppy_drive *drive, unsigned *pulses)
{
    *pulses = RECALIBRATE_PULSES;
    if (drive->type == FLOPPY_DRIVE_NONE) {
        return false;
    }
    *pulses = drive->track < RECALIBRATE_PULSES ? drive->track : RECALIBRATE_PULSES;
    floppy_drive_step(drive, -(int)*pulses);
    return drive->track == 0;
}

bool floppy_drive_at_track_0(const struct floppy_drive *drive)
{
    return drive->type != FLOPPY_DRIVE_NONE && drive->track == 0;
}

/* A double-density 5.25" disk passes at 250 kbit/s in a 300 rpm drive and at 300 kbit/s in a 360 rpm one.
 * Drives of both speeds exist for it and firmware asks for either, so both are read. */
static bool rate_matches(const struct floppy_drive *drive, enum floppy_data_rate rate)
{
    const struct floppy_geometry *geometry = &drive->geometry;
    bool double_density_5_25 = geometry->drive == FLOPPY_DRIVE_360K;
    return geometry->rate == rate ||
           (double_density_5_25 && (rate == FLOPPY_RATE_250K || rate == FLOPPY_RATE_300K));
}

/* Whether the image has a track where the head is. */
static bool is_on_disk(const struct floppy_drive *drive, uint8_t head)
{
    return drive->image != NULL && drive->track < drive->geometry.tracks && head < drive->geometry.heads;
}

static bool is_compatible(const struct floppy_drive *drive, const struct floppy_reading *reading)
{
    return reading->mfm && rate_matches(drive, reading->rate) &&
           floppy_drive_type_reads(drive->type, &drive->geometry);
}

/* Number on the disk of the first sector of the track under the head. */
static uint32_t first_sector(const struct floppy_drive *drive, uint8_t head)
{
    const struct floppy_geometry *geometry = &drive->geometry;
    return ((uint32_t)drive->track * geometry->heads + head) * geometry->sectors_per_track;
}

static bool is_present(const struct floppy_drive *drive, uint32_t sector)
{
    return (drive->sector_flags[sector] & FLOPPY_SECTOR_ERASED) == 0;
}

enum floppy_search floppy_drive_next_id(struct floppy_drive *drive, const struct floppy_reading *reading,
                                        struct floppy_sector_id *id, uint32_t *sector)
{
    if (!is_on_disk(drive, reading->head) || !is_compatible(drive, reading)) {
        return FLOPPY_NO_MARKS;
    }
    uint32_t first = first_sector(drive, reading->head);
    unsigned count = drive->geometry.sectors_per_track;
    for (unsigned i = 0; i < count; i++) {
        unsigned index = (drive->rotation + i) % count;
        if (is_present(drive, first + index)) {
            *id =
                (struct floppy_sector_id){drive->track, reading->head, (uint8_t)(index + 1), FLOPPY_SECTOR_N};
            *sector = first + index;
            drive->rotation = (uint8_t)((index + 1) % count);
            return FLOPPY_SECTOR_FOUND;
        }
    }
    return FLOPPY_NO_MARKS;
}

void floppy_drive_wait_for_index(struct floppy_drive *drive)
{
    drive->rotation = 0;
}

static bool has_any_sector(const struct floppy_drive *drive, uint8_t head)
{
    uint32_t first = first_sector(drive, head);
    for (unsigned i = 0; i < drive->geometry.sectors_per_track; i++) {
        if (is_present(drive, first + i)) {
            return true;
        }
    }
    return false;
}

/* Whether the image has a place for a header `id` on the track under the head. */
static bool is_native_id(const struct floppy_drive *drive, uint8_t head, const struct floppy_sector_id *id)
{
    return id->c == drive->track && id->h == head && id->n == FLOPPY_SECTOR_N && id->r >= 1 &&
           id->r <= drive->geometry.sectors_per_track;
}

enum floppy_search floppy_drive_find(const struct floppy_drive *drive, const struct floppy_reading *reading,
                                     const struct floppy_sector_id *id, uint32_t *sector)
{
    if (!is_on_disk(drive, reading->head) || !is_compatible(drive, reading) ||
        !has_any_sector(drive, reading->head)) {
        return FLOPPY_NO_MARKS;
    }
    if (id->c != drive->track) {
        return FLOPPY_OTHER_CYLINDER;
    }
    if (!is_native_id(drive, reading->head, id)) {
        return FLOPPY_NO_SECTOR;
    }
    *sector = first_sector(drive, reading->head) + id->r - 1u;
    return is_present(drive, *sector) ? FLOPPY_SECTOR_FOUND : FLOPPY_NO_SECTOR;
}

struct status floppy_drive_read(struct floppy_drive *drive, uint32_t sector, uint8_t *to)
{
    drive->rotation = (uint8_t)((sector + 1) % drive->geometry.sectors_per_track);
    return block_device_read(drive->image, sector, 1, to);
}

struct status floppy_drive_write(struct floppy_drive *drive, uint32_t sector, const uint8_t *from,
                                 bool deleted)
{
    drive->rotation = (uint8_t)((sector + 1) % drive->geometry.sectors_per_track);
    drive->sector_flags[sector] = deleted ? FLOPPY_SECTOR_DELETED : 0;
    return block_device_write(drive->image, sector, 1, from);
}

bool floppy_drive_is_deleted(const struct floppy_drive *drive, uint32_t sector)
{
    return (drive->sector_flags[sector] & FLOPPY_SECTOR_DELETED) != 0;
}

void floppy_drive_erase_track(struct floppy_drive *drive, const struct floppy_reading *reading)
{
    if (is_on_disk(drive, reading->head)) {
        memset(drive->sector_flags + first_sector(drive, reading->head), FLOPPY_SECTOR_ERASED,
               drive->geometry.sectors_per_track);
        drive->rotation = 0;
    }
}

struct status floppy_drive_format_sector(struct floppy_drive *drive, const struct floppy_reading *reading,
                                         const struct floppy_sector_id *id, uint8_t filler)
{
    if (!is_on_disk(drive, reading->head) || !is_compatible(drive, reading) ||
        !is_native_id(drive, reading->head, id)) {
        return status_ok();
    }
    uint8_t bytes[FLOPPY_SECTOR_BYTES];
    memset(bytes, filler, sizeof bytes);
    uint32_t sector = first_sector(drive, reading->head) + id->r - 1u;
    drive->sector_flags[sector] = 0;
    return block_device_write(drive->image, sector, 1, bytes);
}
