/* The floppy controller with its drives, and the images that go in and out of them.
 *
 * Drive A always exists, drive B when it was given an image at start. The kind of drive is chosen by that
 * image: the smallest that reads its size of disk, 1.44 MB when there is no image. */
#include "devices/floppy.h"
#include "devices/i8237.h"
#include "machine/machine_history.h"
#include "machine/machine_internal.h"

#define FLOPPY_BASE 0x3F0
#define FLOPPY_IRQ  6
#define FLOPPY_DMA  2

/* An image and what kind of disk it is. */
struct disk {
    struct block_device *image;
    struct floppy_geometry geometry;
};

static struct status open_disk(const struct machine *machine, unsigned drive, const char *path,
                               bool read_only, struct disk *disk)
{
    const struct block_open_options options = {.read_only = read_only,
                                               .raw = machine->floppy_raw[drive],
                                               .snapshot = machine->floppy_snapshot[drive]};
    struct status status = block_device_open(path, &options, &disk->image);
    if (!status_is_ok(&status)) {
        return status;
    }
    uint8_t boot[BLOCK_SECTOR_SIZE];
    status = block_device_read(disk->image, 0, 1, boot);
    if (status_is_ok(&status)) {
        status = floppy_geometry_guess(path, block_device_sectors(disk->image), boot, &disk->geometry);
    }
    if (status_is_ok(&status)) {
        block_device_extend(disk->image, floppy_geometry_sectors(&disk->geometry));
    } else {
        block_device_close(disk->image);
        disk->image = NULL;
    }
    return status;
}

static struct status insert_disk(struct machine *machine, unsigned drive, struct disk *disk, bool read_only)
{
    block_device_keep_failure(disk->image, &machine->image_failure);
    struct status status =
        floppy_insert(machine->chips.floppy, drive, disk->image, &disk->geometry, read_only);
    if (!status_is_ok(&status)) {
        block_device_close(disk->image);
    }
    return status;
}

static enum floppy_drive_type drive_for(unsigned drive, const struct disk *disk)
{
    if (disk->image == NULL) {
        return drive == 0 ? FLOPPY_DRIVE_1440K : FLOPPY_DRIVE_NONE;
    }
    return disk->geometry.drive == FLOPPY_DRIVE_720K ? FLOPPY_DRIVE_1440K : disk->geometry.drive;
}

struct status machine_floppy_create(struct machine *machine, const struct machine_config *config)
{
    struct disk disks[MACHINE_FLOPPIES] = {0};
    struct device_host host = machine_device_host(machine);
    struct floppy_config floppy = {.base = FLOPPY_BASE,
                                   .irq = machine_isa_irq(machine, FLOPPY_IRQ),
                                   .dma = i8237_pair_line(machine->chips.dma, FLOPPY_DMA)};
    struct status status = status_ok();
    for (unsigned i = 0; i < MACHINE_FLOPPIES && status_is_ok(&status); i++) {
        machine->floppy_raw[i] = config->floppy[i].raw;
        machine->floppy_snapshot[i] = config->snapshot || config->floppy[i].snapshot;
        if (config->floppy[i].path != NULL) {
            status = open_disk(machine, i, config->floppy[i].path, config->floppy[i].read_only, &disks[i]);
        }
        floppy.drives[i] = drive_for(i, &disks[i]);
    }
    if (status_is_ok(&status)) {
        status = floppy_create(&host, &floppy, &machine->chips.floppy);
    }
    if (!status_is_ok(&status)) {
        for (unsigned i = 0; i < MACHINE_FLOPPIES; i++) {
            block_device_close(disks[i].image);
        }
        return status;
    }
    machine_add_device(machine, machine->chips.floppy);
    for (unsigned i = 0; i < MACHINE_FLOPPIES; i++) {
        if (disks[i].image == NULL) {
            continue;
        }
        struct status inserted = insert_disk(machine, i, &disks[i], config->floppy[i].read_only);
        if (!status_is_ok(&inserted) && status_is_ok(&status)) {
            status = inserted;
        }
    }
    return status;
}

struct status machine_check_floppy(struct machine *machine, unsigned drive, const char *path, bool read_only,
                                   uint32_t *crc)
{
    struct disk disk = {0};
    struct status status = open_disk(machine, drive, path, read_only, &disk);
    if (!status_is_ok(&status)) {
        return status;
    }
    enum floppy_drive_type type = floppy_type(machine->chips.floppy, drive);
    if (!floppy_drive_type_fits(type, &disk.geometry)) {
        status = status_error(STATUS_UNSUPPORTED, "a %s disk does not fit into a %s drive",
                              disk.geometry.name, floppy_drive_type_name(type));
    } else {
        status = machine_image_crc(disk.image, crc);
    }
    block_device_close(disk.image);
    return status;
}

struct status machine_insert_floppy(struct machine *machine, unsigned drive, const char *path, bool read_only,
                                    const uint32_t *crc)
{
    struct disk disk = {0};
    struct status status = open_disk(machine, drive, path, read_only, &disk);
    if (status_is_ok(&status) && crc != NULL) {
        status = machine_image_check(disk.image, *crc);
        if (!status_is_ok(&status)) {
            block_device_close(disk.image);
        }
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_history_forget(machine);
    return insert_disk(machine, drive, &disk, read_only);
}

void machine_describe_floppies(struct machine *machine, FILE *out)
{
    for (unsigned i = 0; i < MACHINE_FLOPPIES; i++) {
        enum floppy_drive_type type = floppy_type(machine->chips.floppy, i);
        if (type == FLOPPY_DRIVE_NONE) {
            continue;
        }
        const struct block_device *image = floppy_image(machine->chips.floppy, i);
        fprintf(out, "floppy %c (%s drive): %s%s%s\n", 'a' + (int)i, floppy_drive_type_name(type),
                image != NULL ? block_device_path(image) : "empty",
                image != NULL && block_device_is_read_only(image) ? ", read-only" : "",
                image != NULL && machine->floppy_snapshot[i] ? ", snapshot" : "");
    }
}
