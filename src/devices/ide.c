/* The IDE controller as a PCI function, and its drives and media; see ide.h. */
#include "devices/ide.h"

#include <assert.h>
#include <stdlib.h>

#include "devices/device_ports.h"
#include "devices/ide_internal.h"

#define IDE_TIMING        0x40 /* IDETIM of both channels, two bytes each, and SIDETIM */
#define BUS_MASTER_BAR    4
#define BUS_MASTER_PORTS  16
#define DEFAULT_HEADS     16
#define DEFAULT_SECTORS   63
#define DEFAULT_CYLINDERS 16383u

static struct ide_drive *drive_at(struct ide *ide, unsigned channel, unsigned unit)
{
    assert(channel < IDE_CHANNELS && unit < IDE_CHANNEL_DRIVES);
    return &ide->channels[channel].drives[unit];
}

static const struct ide_drive *const_drive_at(const struct ide *ide, unsigned channel, unsigned unit)
{
    assert(channel < IDE_CHANNELS && unit < IDE_CHANNEL_DRIVES);
    return &ide->channels[channel].drives[unit];
}

struct ide_geometry ide_default_geometry(uint64_t sectors)
{
    uint64_t cylinders = sectors / (DEFAULT_HEADS * DEFAULT_SECTORS);
    cylinders = cylinders == 0 ? 1 : cylinders < DEFAULT_CYLINDERS ? cylinders : DEFAULT_CYLINDERS;
    return (struct ide_geometry){
        .cylinders = (uint16_t)cylinders, .heads = DEFAULT_HEADS, .sectors = DEFAULT_SECTORS};
}

/* ---- drives */

static struct status check_place(const struct ide_drive *drive)
{
    if (drive->kind != IDE_NONE) {
        return status_error(STATUS_CONFLICT, "IDE channel %u already has a drive %u", drive->channel->number,
                            drive->unit);
    }
    return status_ok();
}

static struct status plug_in(struct ide_drive *drive, enum ide_kind kind, struct block_device *image)
{
    drive->buffer = calloc(1, IDE_BUFFER_BYTES);
    if (drive->buffer == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for an IDE drive");
    }
    drive->kind = kind;
    drive->image = image;
    snprintf(drive->serial, sizeof drive->serial, "DP%05u",
             drive->channel->number * IDE_CHANNEL_DRIVES + drive->unit + 1);
    ide_channel_reset(drive->channel);
    return status_ok();
}

struct status ide_attach_disk(struct ide *ide, unsigned channel, unsigned unit, struct block_device *image,
                              const struct ide_geometry *geometry, bool read_only)
{
    struct ide_drive *drive = drive_at(ide, channel, unit);
    struct status status = check_place(drive);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (geometry != NULL && (geometry->cylinders == 0 || geometry->heads == 0 || geometry->heads > 16 ||
                             geometry->sectors == 0 || geometry->sectors > 63)) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "disk geometry %u/%u/%u is impossible: 1 to 65535 cylinders, 1 to 16 heads and "
                            "1 to 63 sectors are",
                            geometry->cylinders, geometry->heads, geometry->sectors);
    }
    drive->disk.geometry = geometry != NULL ? *geometry : ide_default_geometry(block_device_sectors(image));
    drive->disk.read_only = read_only || block_device_is_read_only(image);
    return plug_in(drive, IDE_DISK, image);
}

struct status ide_attach_cdrom(struct ide *ide, unsigned channel, unsigned unit)
{
    struct ide_drive *drive = drive_at(ide, channel, unit);
    struct status status = check_place(drive);
    return status_is_ok(&status) ? plug_in(drive, IDE_CDROM, NULL) : status;
}

/* ---- media */

static bool is_locked(const struct ide_drive *drive)
{
    return drive->image != NULL && drive->cdrom.locked && !drive->cdrom.tray_open;
}

static struct status check_tray(struct ide_drive *drive, bool force)
{
    if (drive->kind != IDE_CDROM) {
        return status_error(STATUS_NOT_FOUND, "there is no CD-ROM drive at IDE channel %u, unit %u",
                            drive->channel->number, drive->unit);
    }
    if (is_locked(drive) && !force) {
        ide_cdrom_request_eject(drive);
        return status_error(STATUS_CONFLICT,
                            "the guest has locked the drive; it was asked to eject the disc");
    }
    return status_ok();
}

static void change_disc(struct ide_drive *drive, struct block_device *image)
{
    if (drive->image != NULL || image != NULL) {
        block_device_close(drive->image);
        drive->image = image;
        ide_cdrom_medium_changed(drive);
    }
}

struct status ide_check_disc(const struct block_device *image)
{
    if (block_device_sectors(image) % (IDE_DISC_BLOCK / BLOCK_SECTOR_SIZE) != 0) {
        return status_error(STATUS_UNSUPPORTED,
                            "'%s' is no disc image: its size is not a multiple of 2048 bytes",
                            block_device_path(image));
    }
    return status_ok();
}

bool ide_disc_is_locked(const struct ide *ide, unsigned channel, unsigned unit)
{
    return is_locked(const_drive_at(ide, channel, unit));
}

struct status ide_insert_disc(struct ide *ide, unsigned channel, unsigned unit, struct block_device *image,
                              bool force)
{
    struct ide_drive *drive = drive_at(ide, channel, unit);
    struct status status = ide_check_disc(image);
    if (status_is_ok(&status)) {
        status = check_tray(drive, force);
    }
    if (status_is_ok(&status)) {
        change_disc(drive, image);
    }
    return status;
}

struct status ide_eject_disc(struct ide *ide, unsigned channel, unsigned unit, bool force)
{
    struct ide_drive *drive = drive_at(ide, channel, unit);
    struct status status = check_tray(drive, force);
    if (status_is_ok(&status)) {
        change_disc(drive, NULL);
    }
    return status;
}

enum ide_kind ide_drive_kind(const struct ide *ide, unsigned channel, unsigned unit)
{
    return const_drive_at(ide, channel, unit)->kind;
}

struct block_device *ide_image(const struct ide *ide, unsigned channel, unsigned unit)
{
    return const_drive_at(ide, channel, unit)->image;
}

struct ide_geometry ide_disk_geometry(const struct ide *ide, unsigned channel, unsigned unit)
{
    const struct ide_drive *drive = const_drive_at(ide, channel, unit);
    return drive->kind == IDE_DISK ? drive->disk.geometry : (struct ide_geometry){0};
}

/* ---- the device */

static void ide_reset(struct device *device)
{
    struct ide *ide = CONTAINER_OF(device, struct ide, device);
    pci_function_reset(&ide->function);
    for (unsigned i = 0; i < 5; i++) {
        ide->function.config[IDE_TIMING + i] = 0;
    }
    for (unsigned channel = 0; channel < IDE_CHANNELS; channel++) {
        ide_channel_reset(&ide->channels[channel]);
    }
}

static void describe_drive(const struct ide_drive *drive, FILE *out)
{
    static const char *const kinds[] = {[IDE_NONE] = "none", [IDE_DISK] = "disk", [IDE_CDROM] = "cdrom"};
    fprintf(out, "ide%u.%u: %s", drive->channel->number, drive->unit, kinds[drive->kind]);
    if (drive->kind == IDE_NONE) {
        fputc('\n', out);
        return;
    }
    if (drive->kind == IDE_DISK) {
        const struct ide_geometry *geometry = &drive->disk.current;
        fprintf(out, " %u/%u/%u%s", geometry->cylinders, geometry->heads, geometry->sectors,
                drive->disk.read_only ? " read-only" : "");
    } else {
        fprintf(out, " tray %s%s, %u blocks", drive->cdrom.tray_open ? "open" : "closed",
                drive->cdrom.locked ? " locked" : "", (unsigned)ide_cdrom_blocks(drive));
    }
    fprintf(out, ", status %02x error %02x command %02x%s", drive->status, drive->error, drive->command,
            drive->interrupt ? ", interrupt" : "");
    if (drive->transfer != IDE_TRANSFER_NONE) {
        fprintf(out, ", %s byte %u of %u", drive->transfer == IDE_TRANSFER_DMA ? "DMA" : "PIO",
                (unsigned)drive->position, (unsigned)drive->block_end);
    }
    fputc('\n', out);
}

static void ide_describe(struct device *device, FILE *out)
{
    const struct ide *ide = CONTAINER_OF(device, struct ide, device);
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        const struct ide_channel *channel = &ide->channels[i];
        fprintf(out,
                "ide%u: drive %u, control %02x, irq %s; bus master command %02x status %02x table %08x\n", i,
                channel->selected, channel->control, channel->irq_level ? "high" : "low",
                channel->bus_master.command, channel->bus_master.status, (unsigned)channel->bus_master.table);
        for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
            describe_drive(&channel->drives[unit], out);
        }
    }
}

static void ide_destroy(struct device *device)
{
    struct ide *ide = CONTAINER_OF(device, struct ide, device);
    pci_bus_detach(&ide->function);
    device_ports_release(ide->host.ports, ide->regions, ARRAY_COUNT(ide->regions));
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        struct ide_channel *channel = &ide->channels[i];
        event_clock_cancel(ide->host.clock, &channel->reset_end);
        for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
            struct ide_drive *drive = &channel->drives[unit];
            event_clock_cancel(ide->host.clock, &drive->event);
            block_device_close(drive->image);
            free(drive->buffer);
        }
    }
    free(ide);
}

static void ide_visit_state(struct device *device, const struct state_visitor *visitor)
{
    struct ide *ide = CONTAINER_OF(device, struct ide, device);
    for (unsigned i = 0; i < IDE_CHANNELS * IDE_CHANNEL_DRIVES; i++) {
        const struct ide_drive *drive = drive_at(ide, i / IDE_CHANNEL_DRIVES, i % IDE_CHANNEL_DRIVES);
        if (drive->buffer != NULL) {
            state_visit(visitor, drive->buffer, IDE_BUFFER_BYTES);
        }
    }
}

static const struct device_class ide_class = {.name = "ide",
                                              .reset = ide_reset,
                                              .describe = ide_describe,
                                              .destroy = ide_destroy,
                                              .state_size = sizeof(struct ide),
                                              .visit_state = ide_visit_state};

static void set_up_channel(struct ide *ide, unsigned number, const struct ide_config *config)
{
    static const uint16_t bases[IDE_CHANNELS] = {0x1F0, 0x170};
    struct ide_channel *channel = &ide->channels[number];
    channel->ide = ide;
    channel->number = number;
    channel->irq = config->irq[number];
    clock_event_init(&channel->reset_end, "ide reset", ide_channel_reset_ended, channel);
    for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
        struct ide_drive *drive = &channel->drives[unit];
        drive->ide = ide;
        drive->channel = channel;
        drive->unit = unit;
        clock_event_init(&drive->event, "ide drive", ide_drive_event, drive);
    }
    ide->regions[2 * number] = (struct io_region){.name = "ide",
                                                  .base = bases[number],
                                                  .length = 8,
                                                  .max_width = 4,
                                                  .read = ide_channel_read,
                                                  .write = ide_channel_write,
                                                  .read_block = ide_channel_read_block,
                                                  .write_block = ide_channel_write_block,
                                                  .opaque = channel};
    ide->regions[2 * number + 1] = (struct io_region){.name = "ide-control",
                                                      .base = bases[number] + 0x206u,
                                                      .length = 1,
                                                      .read = ide_channel_read_alternate,
                                                      .write = ide_channel_write_control,
                                                      .opaque = channel};
}

static void set_up_function(struct ide *ide)
{
    struct pci_function *function = &ide->function;
    pci_function_init(function, "ide", 0x8086, 0x7010, 0x010180, 0, 0);
    store_le16(function->config + PCI_STATUS, 0x0280);
    pci_function_allow_write(function, IDE_TIMING, 5);
    const struct io_region bus_master = {.name = "ide-bus-master",
                                         .length = BUS_MASTER_PORTS,
                                         .max_width = 4,
                                         .read = ide_bus_master_read,
                                         .write = ide_bus_master_write,
                                         .opaque = ide};
    pci_function_set_port_bar(function, BUS_MASTER_BAR, &bus_master);
}

struct status ide_create(const struct device_host *host, struct pci_bus *pci, const struct ide_config *config,
                         struct ide **created)
{
    *created = NULL;
    struct ide *ide = calloc(1, sizeof *ide);
    if (ide == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the IDE controller");
    }
    ide->device.class = &ide_class;
    ide->host = *host;
    for (unsigned number = 0; number < IDE_CHANNELS; number++) {
        set_up_channel(ide, number, config);
    }
    set_up_function(ide);
    struct status status = device_ports_claim(host->ports, ide->regions, ARRAY_COUNT(ide->regions));
    if (status_is_ok(&status)) {
        status = pci_bus_attach(pci, &ide->function, config->slot, config->function);
        if (!status_is_ok(&status)) {
            device_ports_release(host->ports, ide->regions, ARRAY_COUNT(ide->regions));
        }
    }
    if (!status_is_ok(&status)) {
        free(ide);
        return status;
    }
    ide_reset(&ide->device);
    *created = ide;
    return status_ok();
}

struct device *ide_device(struct ide *ide)
{
    return &ide->device;
}
