/* The ATAPI CD-ROM drive: the PACKET protocol, reading, and the commands that act on tray and medium (ATA-6
 * §9.8; SFF-8020i; MMC-3); see ide.h. The disc is one data track of mode 1.
 *
 * A reply goes out in PIO blocks of at most the byte count limit the host has set (a read's are whole disc
 * blocks where they fit), or by DMA. What went wrong is kept as sense data until the host asks for it or
 * sends the next command. */
#include "devices/ide_internal.h"

#include <string.h>

#define COMMAND_PACKET          0xA0
#define COMMAND_IDENTIFY_PACKET 0xA1

#define FEATURE_DMA     0x01u
#define FEATURE_OVERLAP 0x02u

#define PACKET_BYTES 12u
#define RAW_BYTES    2352u

#define LIMIT_MAX 0xFFFEu

#define SENSE_NOT_READY       0x02
#define SENSE_MEDIUM_ERROR    0x03
#define SENSE_ILLEGAL_REQUEST 0x05
#define SENSE_UNIT_ATTENTION  0x06

/* Additional sense code and qualifier in one. */
#define ASC_INVALID_COMMAND   0x2000
#define ASC_OUT_OF_RANGE      0x2100
#define ASC_INVALID_FIELD     0x2400
#define ASC_MEDIUM_CHANGED    0x2800
#define ASC_SAVING_PARAMETERS 0x3900
#define ASC_NO_MEDIUM         0x3A01
#define ASC_TRAY_OPEN         0x3A02
#define ASC_REMOVAL_PREVENTED 0x5302
#define ASC_WRONG_TRACK_MODE  0x6400
#define ASC_READ_ERROR        0x1100

#define MEDIA_EVENT_NONE    0
#define MEDIA_EVENT_EJECT   1
#define MEDIA_EVENT_NEW     2
#define MEDIA_EVENT_REMOVED 3

#define SECTORS_PER_BLOCK (IDE_DISC_BLOCK / BLOCK_SECTOR_SIZE)

uint32_t ide_cdrom_blocks(const struct ide_drive *drive)
{
    if (drive->image == NULL || drive->cdrom.tray_open) {
        return 0;
    }
    uint64_t blocks = block_device_sectors(drive->image) / SECTORS_PER_BLOCK;
    return blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks;
}

static uint32_t be16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t be24(const uint8_t *from)
{
    return (uint32_t)from[0] << 16 | be16(from + 1);
}

/* ---- how a command ends */

static void set_reason(struct ide_drive *drive, uint8_t reason)
{
    drive->task.count = reason;
}

static void complete(struct ide_drive *drive)
{
    set_reason(drive, REASON_COMMAND | REASON_TO_HOST);
    ide_drive_complete(drive, true);
}

static void set_sense(struct ide_cdrom *cdrom, uint8_t key, unsigned code)
{
    cdrom->sense_key = key;
    cdrom->asc = (uint8_t)(code >> 8);
    cdrom->ascq = (uint8_t)code;
}

static void fail(struct ide_drive *drive, uint8_t key, unsigned code)
{
    set_sense(&drive->cdrom, key, code);
    set_reason(drive, REASON_COMMAND | REASON_TO_HOST);
    ide_drive_fail(drive, (uint8_t)((unsigned)key << 4 | ERROR_ABRT), 0);
}

static void fail_request(struct ide_drive *drive, unsigned code)
{
    log_printf(drive->ide->host.log, LOG_IDE, "ide%u.%u: packet %02x refused, %04x", drive->channel->number,
               drive->unit, drive->cdrom.packet[0], code);
    fail(drive, SENSE_ILLEGAL_REQUEST, code);
}

/* ---- data to the host */

/* One disc block as the command wants it, to `to`. */
static uint32_t block_bytes(const struct ide_cdrom *cdrom)
{
    return cdrom->layout == CD_LAYOUT_RAW ? RAW_BYTES : IDE_DISC_BLOCK;
}

/* Spreads user data, which lies packed at the buffer's start, into raw blocks; backwards, as they grow. */
static void make_raw(struct ide_drive *drive, uint32_t first, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        uint8_t *raw = drive->buffer + (size_t)i * RAW_BYTES;
        memmove(raw + 16, drive->buffer + (size_t)i * IDE_DISC_BLOCK, IDE_DISC_BLOCK);
        memset(raw, 0xFF, 12);
        raw[0] = raw[11] = 0;
        ide_cdrom_store_msf(raw + 12, first + i);
        for (unsigned part = 12; part < 15; part++) {
            raw[part] = (uint8_t)(raw[part] / 10 * 16 + raw[part] % 10);
        }
        raw[15] = 1; /* mode 1 */
        memset(raw + 16 + IDE_DISC_BLOCK, 0, RAW_BYTES - 16 - IDE_DISC_BLOCK);
    }
}

/* Puts the next blocks of a read into the buffer. The disc may have been replaced by a smaller one meanwhile.
 */
static bool fill_buffer(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    uint32_t count = IDE_BUFFER_BYTES / block_bytes(cdrom);
    count = cdrom->left < count ? cdrom->left : count;
    uint32_t blocks = ide_cdrom_blocks(drive);
    if (cdrom->block >= blocks || count > blocks - cdrom->block) {
        fail(drive, SENSE_NOT_READY, ASC_NO_MEDIUM);
        return false;
    }
    struct status status = block_device_read(drive->image, (uint64_t)cdrom->block * SECTORS_PER_BLOCK,
                                             count * SECTORS_PER_BLOCK, drive->buffer);
    if (!status_is_ok(&status)) {
        log_printf(drive->ide->host.log, LOG_IDE, "ide%u.%u: %s", drive->channel->number, drive->unit,
                   status.message);
        fail(drive, SENSE_MEDIUM_ERROR, ASC_READ_ERROR);
        return false;
    }
    if (cdrom->layout == CD_LAYOUT_RAW) {
        make_raw(drive, cdrom->block, count);
    }
    drive->position = 0;
    drive->filled = count * block_bytes(cdrom);
    cdrom->block += count;
    cdrom->left -= count;
    return true;
}

static void send_next(struct ide_drive *drive);

static void block_was_sent(struct ide_drive *drive)
{
    bool dma_ended = drive->cdrom.dma && drive->position == drive->filled && drive->cdrom.left == 0;
    if (dma_ended) {
        complete(drive);
    } else {
        ide_drive_continue(drive, IDE_BLOCK_NS, send_next);
    }
}

static void send_next(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    if (drive->position == drive->filled) {
        if (cdrom->left == 0) {
            complete(drive);
            return;
        }
        if (!fill_buffer(drive)) {
            return;
        }
    }
    set_reason(drive, REASON_TO_HOST);
    if (cdrom->dma) {
        ide_drive_dma(drive, true, drive->position, drive->filled, block_was_sent);
        return;
    }
    uint32_t bytes = drive->filled - drive->position;
    bytes = bytes < cdrom->byte_limit ? bytes : cdrom->byte_limit;
    drive->task.lba[1] = (uint8_t)bytes;
    drive->task.lba[2] = (uint8_t)(bytes >> 8);
    ide_drive_pio(drive, IDE_TRANSFER_PIO_IN, drive->position, drive->position + bytes, true, block_was_sent);
}

/* Sends the first `length` bytes of the buffer, but not more than the host has room for. */
static void reply(struct ide_drive *drive, uint32_t length, uint32_t allocated)
{
    drive->position = 0;
    drive->filled = length < allocated ? length : allocated;
    drive->cdrom.left = 0;
    send_next(drive);
}

/* The same for a reply that ide_cdrom_info.c has made. */
static void reply_or_refuse(struct ide_drive *drive, uint32_t length, uint32_t allocated)
{
    if (length == 0) {
        fail_request(drive, ASC_INVALID_FIELD);
    } else {
        reply(drive, length, allocated);
    }
}

/* ---- reading */

static void begin_read(struct ide_drive *drive, uint32_t block, uint32_t count, uint8_t layout)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    uint32_t blocks = ide_cdrom_blocks(drive);
    if (block > blocks || count > blocks - block) {
        fail_request(drive, ASC_OUT_OF_RANGE);
        return;
    }
    cdrom->block = block;
    cdrom->left = count;
    cdrom->layout = layout;
    if (cdrom->byte_limit > block_bytes(cdrom)) {
        cdrom->byte_limit -= cdrom->byte_limit % block_bytes(cdrom);
    }
    drive->position = drive->filled = 0;
    send_next(drive);
}

static void read_10(struct ide_drive *drive)
{
    const uint8_t *packet = drive->cdrom.packet;
    begin_read(drive, load_be32(packet + 2), be16(packet + 7), CD_LAYOUT_USER);
}

static void read_12(struct ide_drive *drive)
{
    const uint8_t *packet = drive->cdrom.packet;
    begin_read(drive, load_be32(packet + 2), load_be32(packet + 6), CD_LAYOUT_USER);
}

/* Byte 9 of READ CD: which parts of a block are wanted. */
static void begin_read_cd(struct ide_drive *drive, uint32_t block, uint32_t count)
{
    const uint8_t *packet = drive->cdrom.packet;
    unsigned expected = packet[1] >> 2 & 7;
    if ((expected != 0 && expected != 2) || packet[10] & 7) {
        fail_request(drive, ASC_WRONG_TRACK_MODE);
        return;
    }
    switch (packet[9] & 0xF8) {
    case 0x00: complete(drive); break;
    case 0x10: begin_read(drive, block, count, CD_LAYOUT_USER); break;
    case 0xF8: begin_read(drive, block, count, CD_LAYOUT_RAW); break;
    default: fail_request(drive, ASC_INVALID_FIELD); break;
    }
}

static void read_cd(struct ide_drive *drive)
{
    const uint8_t *packet = drive->cdrom.packet;
    begin_read_cd(drive, load_be32(packet + 2), be24(packet + 6));
}

static uint32_t msf_to_block(const uint8_t *msf)
{
    return (msf[0] * 60u + msf[1]) * 75u + msf[2] - 150u;
}

static void read_cd_msf(struct ide_drive *drive)
{
    const uint8_t *packet = drive->cdrom.packet;
    uint32_t first = msf_to_block(packet + 3);
    begin_read_cd(drive, first, msf_to_block(packet + 6) - first);
}

static void seek(struct ide_drive *drive)
{
    if (load_be32(drive->cdrom.packet + 2) < ide_cdrom_blocks(drive)) {
        complete(drive);
    } else {
        fail_request(drive, ASC_OUT_OF_RANGE);
    }
}

static void read_capacity(struct ide_drive *drive)
{
    store_be32(drive->buffer, ide_cdrom_blocks(drive) - 1);
    store_be32(drive->buffer + 4, IDE_DISC_BLOCK);
    reply(drive, 8, 8);
}

/* ---- tray and medium */

void ide_cdrom_medium_changed(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    cdrom->attention = drive->image != NULL;
    cdrom->media_event = drive->image != NULL ? MEDIA_EVENT_NEW : MEDIA_EVENT_REMOVED;
    cdrom->tray_open = false;
}

void ide_cdrom_request_eject(struct ide_drive *drive)
{
    drive->cdrom.media_event = MEDIA_EVENT_EJECT;
}

static void start_stop(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    bool load_eject = cdrom->packet[4] & 0x02;
    bool start = cdrom->packet[4] & 0x01;
    if (load_eject && !start && cdrom->locked) {
        fail(drive, drive->image != NULL ? SENSE_ILLEGAL_REQUEST : SENSE_NOT_READY, ASC_REMOVAL_PREVENTED);
        return;
    }
    if (load_eject && start == cdrom->tray_open) {
        cdrom->tray_open = !start;
        cdrom->attention = start && drive->image != NULL;
        cdrom->media_event = cdrom->attention ? MEDIA_EVENT_NEW : MEDIA_EVENT_REMOVED;
    }
    complete(drive);
}

static void prevent_removal(struct ide_drive *drive)
{
    drive->cdrom.locked = drive->cdrom.packet[4] & 1;
    complete(drive);
}

/* ---- the other commands */

static void test_unit_ready(struct ide_drive *drive)
{
    complete(drive);
}

static void request_sense(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    if (cdrom->sense_key == 0 && cdrom->attention) {
        cdrom->attention = false;
        set_sense(cdrom, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    }
    memset(drive->buffer, 0, 18);
    drive->buffer[0] = 0x70; /* current error, fixed format */
    drive->buffer[2] = cdrom->sense_key;
    drive->buffer[7] = 10; /* bytes after this one */
    drive->buffer[12] = cdrom->asc;
    drive->buffer[13] = cdrom->ascq;
    set_sense(cdrom, 0, 0);
    reply(drive, 18, cdrom->packet[4]);
}

static void inquiry(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_inquiry(drive), be16(drive->cdrom.packet + 3));
}

static void refuse_or_sense(struct ide_drive *drive, bool ten, uint32_t allocated)
{
    if (drive->cdrom.packet[2] >> 6 == 3) {
        fail_request(drive, ASC_SAVING_PARAMETERS);
    } else {
        reply_or_refuse(drive, ide_cdrom_mode_sense(drive, ten), allocated);
    }
}

static void mode_sense_6(struct ide_drive *drive)
{
    refuse_or_sense(drive, false, drive->cdrom.packet[4]);
}

static void mode_sense_10(struct ide_drive *drive)
{
    refuse_or_sense(drive, true, be16(drive->cdrom.packet + 7));
}

/* The parameters are taken and change nothing: what can be set concerns audio and error recovery. */
static void parameters_taken(struct ide_drive *drive)
{
    ide_drive_continue(drive, IDE_BLOCK_NS, complete);
}

static void take_parameters(struct ide_drive *drive, uint32_t length)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    if (length == 0) {
        complete(drive);
        return;
    }
    set_reason(drive, 0);
    if (cdrom->dma) {
        ide_drive_dma(drive, false, 0, length, parameters_taken);
        return;
    }
    length = length < cdrom->byte_limit ? length : cdrom->byte_limit;
    drive->task.lba[1] = (uint8_t)length;
    drive->task.lba[2] = (uint8_t)(length >> 8);
    ide_drive_pio(drive, IDE_TRANSFER_PIO_OUT, 0, length, true, parameters_taken);
}

static void mode_select_6(struct ide_drive *drive)
{
    take_parameters(drive, drive->cdrom.packet[4]);
}

static void mode_select_10(struct ide_drive *drive)
{
    take_parameters(drive, be16(drive->cdrom.packet + 7));
}

static void read_toc(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_toc(drive), be16(drive->cdrom.packet + 7));
}

static void read_sub_channel(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_sub_channel(drive), be16(drive->cdrom.packet + 7));
}

static void get_configuration(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_configuration(drive), be16(drive->cdrom.packet + 7));
}

static void get_event_status(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_event_status(drive), be16(drive->cdrom.packet + 7));
}

static void read_disc_information(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_disc_information(drive), be16(drive->cdrom.packet + 7));
}

static void read_track_information(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_track_information(drive), be16(drive->cdrom.packet + 7));
}

static void read_format_capacities(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_format_capacities(drive), be16(drive->cdrom.packet + 7));
}

static void mechanism_status(struct ide_drive *drive)
{
    reply_or_refuse(drive, ide_cdrom_mechanism_status(drive), be16(drive->cdrom.packet + 8));
}

/* Audio: every track is data. */
static void refuse_audio(struct ide_drive *drive)
{
    fail_request(drive, ASC_WRONG_TRACK_MODE);
}

static const struct packet_command {
    uint8_t code;
    bool needs_medium;
    bool despite_attention; /* executed though a changed medium has not been reported */
    void (*execute)(struct ide_drive *drive);
} packet_commands[] = {
    // clang-format off
    {0x00, true,  false, test_unit_ready},
    {0x03, false, true,  request_sense},
    {0x12, false, true,  inquiry},
    {0x15, false, false, mode_select_6},
    {0x1A, false, false, mode_sense_6},
    {0x1B, false, true,  start_stop},
    {0x1E, false, true,  prevent_removal},
    {0x23, true,  false, read_format_capacities},
    {0x25, true,  false, read_capacity},
    {0x28, true,  false, read_10},
    {0x2B, true,  false, seek},
    {0x42, true,  false, read_sub_channel},
    {0x43, true,  false, read_toc},
    {0x45, true,  false, refuse_audio},     /* PLAY AUDIO (10) */
    {0x46, false, true,  get_configuration},
    {0x47, true,  false, refuse_audio},     /* PLAY AUDIO MSF */
    {0x4A, false, true,  get_event_status},
    {0x4B, true,  false, refuse_audio},     /* PAUSE/RESUME */
    {0x4E, true,  false, test_unit_ready},  /* STOP PLAY/SCAN */
    {0x51, true,  false, read_disc_information},
    {0x52, true,  false, read_track_information},
    {0x55, false, false, mode_select_10},
    {0x5A, false, false, mode_sense_10},
    {0xA5, true,  false, refuse_audio},     /* PLAY AUDIO (12) */
    {0xA8, true,  false, read_12},
    {0xB9, true,  false, read_cd_msf},
    {0xBB, false, true,  test_unit_ready},  /* SET CD SPEED */
    {0xBD, false, true,  mechanism_status},
    {0xBE, true,  false, read_cd},
    // clang-format on
};

static const struct packet_command *find_packet_command(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_COUNT(packet_commands); i++) {
        if (packet_commands[i].code == code) {
            return &packet_commands[i];
        }
    }
    return NULL;
}

static void execute_packet(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    const uint8_t *packet = cdrom->packet;
    log_printf(drive->ide->host.log, LOG_IDE,
               "ide%u.%u: packet %02x %02x %02x%02x%02x%02x %02x%02x%02x%02x %02x, limit %u%s",
               drive->channel->number, drive->unit, packet[0], packet[1], packet[2], packet[3], packet[4],
               packet[5], packet[6], packet[7], packet[8], packet[9], packet[10], (unsigned)cdrom->byte_limit,
               cdrom->dma ? ", DMA" : "");
    const struct packet_command *command = find_packet_command(packet[0]);
    if (command == NULL) {
        fail_request(drive, ASC_INVALID_COMMAND);
        return;
    }
    if (command->execute != request_sense) {
        set_sense(cdrom, 0, 0);
    }
    if (cdrom->attention && !command->despite_attention) {
        cdrom->attention = false;
        fail(drive, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    } else if (command->needs_medium && ide_cdrom_blocks(drive) == 0) {
        fail(drive, SENSE_NOT_READY, cdrom->tray_open ? ASC_TRAY_OPEN : ASC_NO_MEDIUM);
    } else {
        command->execute(drive);
    }
}

static void packet_was_taken(struct ide_drive *drive)
{
    memcpy(drive->cdrom.packet, drive->buffer, PACKET_BYTES);
    ide_drive_continue(drive, IDE_COMMAND_NS, execute_packet);
}

/* ---- ATA commands */

static void begin_packet(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    uint32_t limit = (drive->task.lba[1] | (uint32_t)drive->task.lba[2] << 8) & LIMIT_MAX;
    if (drive->task.features & FEATURE_OVERLAP) {
        ide_drive_fail(drive, ERROR_ABRT, 0);
        return;
    }
    cdrom->dma = drive->task.features & FEATURE_DMA;
    cdrom->byte_limit = limit == 0 ? LIMIT_MAX : limit; /* 0: SFF-8020i allows it, meaning any */
    set_reason(drive, REASON_COMMAND);
    ide_drive_pio(drive, IDE_TRANSFER_PIO_OUT, 0, PACKET_BYTES, false, packet_was_taken);
}

static void identity_was_sent(struct ide_drive *drive)
{
    ide_drive_complete(drive, false);
}

void ide_cdrom_execute(struct ide_drive *drive)
{
    switch (drive->command) {
    case COMMAND_PACKET: begin_packet(drive); break;
    case COMMAND_IDENTIFY_PACKET:
        ide_identify_cdrom(drive);
        ide_drive_pio(drive, IDE_TRANSFER_PIO_IN, 0, BLOCK_SECTOR_SIZE, true, identity_was_sent);
        break;
    case 0xEC: /* IDENTIFY DEVICE */
    case 0x20: /* READ SECTORS */
        ide_drive_sign(drive);
        ide_drive_fail(drive, ERROR_ABRT, 0);
        break;
    case 0xEF: /* SET FEATURES */
        if (drive->task.features == 0x03 && ide_drive_set_transfer_mode(drive, drive->task.count)) {
            ide_drive_complete(drive, true);
        } else {
            ide_drive_fail(drive, ERROR_ABRT, 0);
        }
        break;
    case 0xE5: /* CHECK POWER MODE */
        drive->task.count = 0xFF;
        ide_drive_complete(drive, true);
        break;
    case 0xE0: /* STANDBY IMMEDIATE */
    case 0xE1: /* IDLE IMMEDIATE */
    case 0xE6: /* SLEEP */
    case 0xE7: /* FLUSH CACHE */ ide_drive_complete(drive, true); break;
    default: ide_drive_fail(drive, ERROR_ABRT, 0); break;
    }
}

void ide_cdrom_reset(struct ide_drive *drive)
{
    drive->cdrom.locked = false;
    set_sense(&drive->cdrom, 0, 0);
}
