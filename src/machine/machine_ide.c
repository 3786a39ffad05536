/* The IDE controller with its disks and CD-ROM drives, and the images in them.
 *
 * Drives are numbered as -hda to -hdd name them: two on the first channel, two on the second. */
#include "devices/fw_cfg.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "machine/machine_history.h"
#include "machine/machine_internal.h"

#define IDE_IRQ  14 /* and 15 for the second channel */
#define PCI_SLOT 1
#define PCI_IDE  1

/* CMOS memory (AT Technical Reference; 39h as SeaBIOS and Bochs use it). */
#define CMOS_DISK_TYPES       0x12
#define CMOS_DISK_EXTENDED    0x19 /* types of drives C and D when 12h says 15 */
#define CMOS_DISK_PARAMETERS  0x1B /* 9 bytes for each of C and D */
#define CMOS_DISK_TRANSLATION 0x39 /* two bits for each drive */

#define DISK_TYPE_USER 47

#define IDE_HEADS_MAX      16
#define IDE_CYLINDERS_MAX  16383 /* ATA-6 §6.2.1 */
#define BIOS_CYLINDERS_MAX 1024

static unsigned channel_of(unsigned drive)
{
    return drive / IDE_CHANNEL_DRIVES;
}

static unsigned unit_of(unsigned drive)
{
    return drive % IDE_CHANNEL_DRIVES;
}

static struct status open_image(const struct machine *machine, unsigned drive, const char *path,
                                bool read_only, struct block_device **image)
{
    const struct block_open_options options = {
        .read_only = read_only, .raw = machine->ide[drive].raw, .snapshot = machine->ide[drive].snapshot};
    return block_device_open(path, &options, image);
}

/* The geometry that was asked for, with at least one of its sectors missing, is a mistake. */
static struct status check_geometry(const struct machine_ide_config *config, const struct block_device *image)
{
    uint64_t wanted = (uint64_t)config->cylinders * config->heads * config->sectors;
    if (wanted <= block_device_sectors(image)) {
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "%u cylinders, %u heads and %u sectors are %llu sectors; the image %.100s has %llu",
                        config->cylinders, config->heads, config->sectors, (unsigned long long)wanted,
                        config->path, (unsigned long long)block_device_sectors(image));
}

/* Finds out how the disk was partitioned. Up to 16 heads can be the drive's own geometry; more are its
 * BIOS's.
 */
static struct status guess_geometry(struct machine_ide_drive *drive, struct block_device *image,
                                    struct ide_geometry *geometry)
{
    uint8_t mbr[BLOCK_SECTOR_SIZE];
    struct disk_geometry found;
    struct status status = block_device_read(image, 0, 1, mbr);
    if (!status_is_ok(&status) || !disk_geometry_from_mbr(mbr, block_device_sectors(image), &found)) {
        return status;
    }
    if (found.heads > IDE_HEADS_MAX) {
        drive->logical = found;
    } else if (found.cylinders <= IDE_CYLINDERS_MAX) {
        *geometry = (struct ide_geometry){
            .cylinders = (uint16_t)found.cylinders, .heads = found.heads, .sectors = found.sectors};
        if (drive->translation == TRANSLATION_AUTO) {
            drive->translation = TRANSLATION_NONE;
        }
    }
    return status;
}

static struct status attach_disk(struct machine *machine, unsigned drive,
                                 const struct machine_ide_config *config)
{
    struct block_device *image;
    struct status status = open_image(machine, drive, config->path, config->read_only, &image);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine->ide[drive].translation = config->translation;
    struct ide_geometry geometry = {
        .cylinders = config->cylinders, .heads = config->heads, .sectors = config->sectors};
    status = geometry.cylinders != 0 ? check_geometry(config, image)
                                     : guess_geometry(&machine->ide[drive], image, &geometry);
    if (status_is_ok(&status)) {
        block_device_keep_failure(image, &machine->image_failure);
        status = ide_attach_disk(machine->chips.ide, channel_of(drive), unit_of(drive), image,
                                 geometry.cylinders != 0 ? &geometry : NULL, config->read_only);
    }
    if (!status_is_ok(&status)) {
        block_device_close(image);
    }
    return status;
}

struct status machine_check_disc(struct machine *machine, unsigned drive, const char *path, uint32_t *crc)
{
    struct block_device *image;
    struct status status = open_image(machine, drive, path, true, &image);
    if (!status_is_ok(&status)) {
        return status;
    }
    status = ide_check_disc(image);
    if (status_is_ok(&status)) {
        status = machine_image_crc(image, crc);
    }
    block_device_close(image);
    return status;
}

struct status machine_insert_disc(struct machine *machine, unsigned drive, const char *path, bool force,
                                  const uint32_t *crc)
{
    struct block_device *image;
    struct status status = open_image(machine, drive, path, true, &image);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (crc != NULL) {
        status = machine_image_check(image, *crc);
    }
    if (status_is_ok(&status)) {
        machine_history_forget(machine);
        block_device_keep_failure(image, &machine->image_failure);
        status = ide_insert_disc(machine->chips.ide, channel_of(drive), unit_of(drive), image, force);
    }
    if (!status_is_ok(&status)) {
        block_device_close(image);
    }
    return status;
}

struct status machine_remove_disc(struct machine *machine, unsigned drive, bool force)
{
    machine_history_forget(machine);
    return ide_eject_disc(machine->chips.ide, channel_of(drive), unit_of(drive), force);
}

bool machine_disc_is_locked(const struct machine *machine, unsigned drive)
{
    return ide_disc_is_locked(machine->chips.ide, channel_of(drive), unit_of(drive));
}

static struct status attach_drive(struct machine *machine, unsigned drive,
                                  const struct machine_ide_config *config)
{
    if (!config->cdrom) {
        return config->path != NULL ? attach_disk(machine, drive, config) : status_ok();
    }
    struct status status = ide_attach_cdrom(machine->chips.ide, channel_of(drive), unit_of(drive));
    if (status_is_ok(&status) && config->path != NULL) {
        status = machine_insert_disc(machine, drive, config->path, true, NULL);
    }
    return status;
}

struct status machine_ide_create(struct machine *machine, const struct machine_config *config)
{
    struct device_host host = machine_device_host(machine);
    struct ide_config ide = {.slot = PCI_SLOT, .function = PCI_IDE};
    for (unsigned channel = 0; channel < IDE_CHANNELS; channel++) {
        ide.irq[channel] = machine_isa_irq(machine, IDE_IRQ + channel);
    }
    struct status status = ide_create(&host, machine->chips.pci, &ide, &machine->chips.ide);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, ide_device(machine->chips.ide));
    for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES && status_is_ok(&status); drive++) {
        machine->ide[drive].raw = config->ide[drive].raw;
        machine->ide[drive].snapshot = config->snapshot || config->ide[drive].snapshot;
        status = attach_drive(machine, drive, &config->ide[drive]);
    }
    return status;
}

static void set_cmos_geometry(struct mc146818 *rtc, unsigned drive, const struct ide_geometry *geometry)
{
    uint8_t parameters[9] = {0};
    store_le16(parameters, geometry->cylinders);
    parameters[2] = geometry->heads;
    store_le16(parameters + 3, 0xFFFF);              /* no write precompensation */
    parameters[5] = geometry->heads > 8 ? 0x08 : 0;  /* control byte */
    store_le16(parameters + 6, geometry->cylinders); /* landing zone */
    parameters[8] = geometry->sectors;
    mc146818_set_cmos(rtc, (uint8_t)(CMOS_DISK_EXTENDED + drive), DISK_TYPE_USER);
    for (unsigned i = 0; i < sizeof parameters; i++) {
        mc146818_set_cmos(rtc, (uint8_t)(CMOS_DISK_PARAMETERS + sizeof parameters * drive + i),
                          parameters[i]);
    }
}

static unsigned translation_bits(enum machine_translation translation, const struct ide_geometry *geometry)
{
    switch (translation) {
    case TRANSLATION_NONE: return 0;
    case TRANSLATION_LBA: return 1;
    case TRANSLATION_LARGE: return 2;
    case TRANSLATION_RECHS: return 3;
    default: return geometry->cylinders > BIOS_CYLINDERS_MAX;
    }
}

/* The geometry that INT 13h is to show, where a partition table asks for one; a file of SeaBIOS's, a line for
 * each disk. */
static struct status add_bios_geometry(struct machine *machine)
{
    char text[MACHINE_IDE_DRIVES * (MACHINE_BOOT_PATH_MAX + 32)];
    size_t length = 0;
    for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES; drive++) {
        const struct disk_geometry *logical = &machine->ide[drive].logical;
        if (logical->cylinders == 0 || machine->ide[drive].translation != TRANSLATION_AUTO) {
            continue;
        }
        uint32_t cylinders =
            logical->cylinders < BIOS_CYLINDERS_MAX ? logical->cylinders : BIOS_CYLINDERS_MAX;
        char path[MACHINE_BOOT_PATH_MAX];
        machine_boot_ide_path(drive, path);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s %u %u %u\n", path, cylinders,
                                   logical->heads, logical->sectors);
    }
    return length > 0 ? fw_cfg_add_file(machine->chips.fw_cfg, "bios-geometry", text, length + 1)
                      : status_ok();
}

struct status machine_ide_describe_to_firmware(struct machine *machine)
{
    struct mc146818 *rtc = machine->chips.rtc;
    uint8_t types = 0;
    uint8_t translation = 0;
    for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES; drive++) {
        struct ide_geometry geometry =
            ide_disk_geometry(machine->chips.ide, channel_of(drive), unit_of(drive));
        if (geometry.cylinders == 0) {
            continue;
        }
        translation = (uint8_t)(translation | translation_bits(machine->ide[drive].translation, &geometry)
                                                  << (2 * drive));
        if (drive < 2) {
            types = (uint8_t)(types | (drive == 0 ? 0xF0 : 0x0F));
            set_cmos_geometry(rtc, drive, &geometry);
        }
    }
    mc146818_set_cmos(rtc, CMOS_DISK_TYPES, types);
    mc146818_set_cmos(rtc, CMOS_DISK_TRANSLATION, translation);
    return add_bios_geometry(machine);
}

bool machine_has_cdrom(const struct machine *machine, unsigned drive)
{
    return drive < MACHINE_IDE_DRIVES &&
           ide_drive_kind(machine->chips.ide, channel_of(drive), unit_of(drive)) == IDE_CDROM;
}

void machine_describe_ide(struct machine *machine, FILE *out)
{
    for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES; drive++) {
        const struct ide *ide = machine->chips.ide;
        enum ide_kind kind = ide_drive_kind(ide, channel_of(drive), unit_of(drive));
        if (kind == IDE_NONE) {
            continue;
        }
        const struct block_device *image = ide_image(ide, channel_of(drive), unit_of(drive));
        fprintf(out, "hd%c (%s): %s%s%s\n", 'a' + (int)drive, kind == IDE_DISK ? "disk" : "CD-ROM",
                image != NULL ? block_device_path(image) : "empty",
                image != NULL && block_device_is_read_only(image) ? ", read-only" : "",
                image != NULL && kind == IDE_DISK && machine->ide[drive].snapshot ? ", snapshot" : "");
    }
}
