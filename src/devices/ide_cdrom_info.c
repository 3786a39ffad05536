/* What the CD-ROM drive tells about itself and its disc (MMC-3 §5 and §6, SPC-2); see ide.h. */
#include "devices/ide_internal.h"

#include <string.h>

#define TRACK      1
#define LEAD_OUT   0xAA
#define DATA_TRACK 0x14 /* ADR 1: Q holds the position; control: data, copying not allowed */
#define LEADIN_GAP 150u /* blocks before block 0 */

#define PROFILE_CD_ROM  0x0008
#define PROFILE_DVD_ROM 0x0010
#define CD_BLOCKS_MAX   460000u /* what is longer is a DVD */

#define MODE_PAGE_ALL 0x3F

#define EVENT_CLASS_NONE  0x80
#define EVENT_CLASS_MEDIA 4

void ide_cdrom_store_msf(uint8_t *to, uint32_t block)
{
    uint64_t frames = (uint64_t)block + LEADIN_GAP;
    to[0] = (uint8_t)(frames / 75 / 60);
    to[1] = (uint8_t)(frames / 75 % 60);
    to[2] = (uint8_t)(frames % 75);
}

/* A block's address as the MSF bit (packet byte 1) asks for it. */
static void store_address(const struct ide_drive *drive, uint8_t *to, uint32_t block)
{
    if (drive->cdrom.packet[1] & 0x02) {
        to[0] = 0;
        ide_cdrom_store_msf(to + 1, block);
    } else {
        store_be32(to, block);
    }
}

static uint8_t *clear(struct ide_drive *drive, size_t bytes)
{
    return memset(drive->buffer, 0, bytes);
}

static void put_text(uint8_t *to, size_t length, const char *text)
{
    for (size_t i = 0; i < length; i++) {
        to[i] = *text != '\0' ? (uint8_t)*text++ : ' ';
    }
}

uint32_t ide_cdrom_inquiry(struct ide_drive *drive)
{
    if (drive->cdrom.packet[1] & 0x03) {
        return 0; /* vital product data */
    }
    uint8_t *data = clear(drive, 36);
    data[0] = 0x05; /* CD-ROM */
    data[1] = 0x80; /* removable */
    data[3] = 0x21; /* ATAPI, response format 1 */
    data[4] = 31;   /* bytes after this one */
    put_text(data + 8, 8, "DOPPEL");
    put_text(data + 16, 16, "DVD-ROM");
    put_text(data + 32, 4, "1.0");
    return 36;
}

/* ---- mode pages */

static uint32_t put_error_recovery(const struct ide_drive *drive, uint8_t *page)
{
    (void)drive;
    page[0] = 0x01;
    page[1] = 6;
    page[3] = 5; /* retries */
    return 8;
}

static uint32_t put_audio_control(const struct ide_drive *drive, uint8_t *page)
{
    (void)drive;
    page[0] = 0x0E;
    page[1] = 14;
    page[2] = 0x04; /* immediate */
    page[8] = 1, page[9] = 0xFF;
    page[10] = 2, page[11] = 0xFF;
    return 16;
}

static uint32_t put_power_condition(const struct ide_drive *drive, uint8_t *page)
{
    (void)drive;
    page[0] = 0x1A;
    page[1] = 10;
    return 12;
}

static uint32_t put_capabilities(const struct ide_drive *drive, uint8_t *page)
{
    page[0] = 0x2A;
    page[1] = 20;
    page[2] = 0x3B; /* reads CD-R, CD-RW, DVD-ROM, DVD-R, DVD-RAM */
    page[4] = 0x70; /* multi-session, mode 2 forms 1 and 2 */
    page[6] = (uint8_t)(0x29 | (drive->cdrom.locked ? 0x02 : 0)); /* tray, ejects, locks */
    store_be16(page + 8, 706);                                    /* KB/s: 4x */
    store_be16(page + 12, IDE_BUFFER_BYTES / 1024);
    store_be16(page + 14, 706);
    return 22;
}

static const struct mode_page {
    uint8_t code;
    uint32_t (*put)(const struct ide_drive *drive, uint8_t *page);
} mode_pages[] = {
    {0x01, put_error_recovery},
    {0x0E, put_audio_control},
    {0x1A, put_power_condition},
    {0x2A, put_capabilities},
};

uint32_t ide_cdrom_mode_sense(struct ide_drive *drive, bool ten)
{
    uint8_t *data = clear(drive, 256);
    uint8_t wanted = drive->cdrom.packet[2] & 0x3F;
    bool changeable = drive->cdrom.packet[2] >> 6 == 1;
    uint32_t header = ten ? 8 : 4;
    uint32_t length = header;
    for (size_t i = 0; i < ARRAY_COUNT(mode_pages); i++) {
        if (wanted == mode_pages[i].code || wanted == MODE_PAGE_ALL) {
            uint8_t *page = data + length;
            uint32_t bytes = mode_pages[i].put(drive, page);
            if (changeable) {
                memset(page + 2, 0, bytes - 2);
            }
            length += bytes;
        }
    }
    if (length == header) {
        return 0;
    }
    uint8_t medium = drive->cdrom.tray_open ? 0x71 : drive->image == NULL ? 0x70 : 0x01;
    if (ten) {
        store_be16(data, (uint16_t)(length - 2));
        data[2] = medium;
    } else {
        data[0] = (uint8_t)(length - 1);
        data[1] = medium;
    }
    return length;
}

/* ---- the disc */

static uint32_t toc_entry(struct ide_drive *drive, uint8_t *entry, uint8_t track, uint32_t block)
{
    entry[1] = DATA_TRACK;
    entry[2] = track;
    store_address(drive, entry + 4, block);
    return 8;
}

static uint32_t toc_tracks(struct ide_drive *drive)
{
    uint8_t *data = clear(drive, 32);
    uint8_t first = drive->cdrom.packet[6];
    uint32_t length = 4;
    if (first > TRACK && first != LEAD_OUT) {
        return 0;
    }
    data[2] = data[3] = TRACK;
    if (first <= TRACK) {
        length += toc_entry(drive, data + length, TRACK, 0);
    }
    length += toc_entry(drive, data + length, LEAD_OUT, ide_cdrom_blocks(drive));
    store_be16(data, (uint16_t)(length - 2));
    return length;
}

static uint32_t toc_sessions(struct ide_drive *drive)
{
    uint8_t *data = clear(drive, 12);
    data[1] = 10;
    data[2] = data[3] = 1;
    toc_entry(drive, data + 4, TRACK, 0);
    return 12;
}

/* Raw entries: first track, last track, lead-out, track 1. Addresses are always minutes, seconds, frames. */
static uint32_t toc_raw(struct ide_drive *drive)
{
    static const uint8_t points[] = {0xA0, 0xA1, 0xA2, TRACK};
    uint8_t *data = clear(drive, 4 + 11 * sizeof points);
    data[1] = 2 + 11 * sizeof points;
    data[2] = data[3] = 1;
    for (size_t i = 0; i < sizeof points; i++) {
        uint8_t *entry = data + 4 + 11 * i;
        entry[0] = 1; /* session */
        entry[1] = DATA_TRACK;
        entry[3] = points[i];
        switch (points[i]) {
        case 0xA0:
        case 0xA1: entry[8] = TRACK; break;
        case 0xA2: ide_cdrom_store_msf(entry + 8, ide_cdrom_blocks(drive)); break;
        default: ide_cdrom_store_msf(entry + 8, 0); break;
        }
    }
    return 4 + 11 * sizeof points;
}

uint32_t ide_cdrom_toc(struct ide_drive *drive)
{
    /* SFF-8020i has the format in the last byte, MMC in byte 2. */
    unsigned format = drive->cdrom.packet[2] & 0x0F;
    format = format == 0 ? drive->cdrom.packet[9] >> 6 : format;
    switch (format) {
    case 0: return toc_tracks(drive);
    case 1: return toc_sessions(drive);
    case 2: return toc_raw(drive);
    default: return 0;
    }
}

uint32_t ide_cdrom_sub_channel(struct ide_drive *drive)
{
    uint8_t *data = clear(drive, 24);
    unsigned format = drive->cdrom.packet[3];
    data[1] = 0x15; /* no audio status */
    if (!(drive->cdrom.packet[2] & 0x40)) {
        return 4;
    }
    data[4] = (uint8_t)format;
    switch (format) {
    case 1: /* the position: where the disc begins */
        data[3] = 12;
        data[5] = DATA_TRACK;
        data[6] = TRACK;
        data[7] = 1;
        store_address(drive, data + 8, 0);
        store_address(drive, data + 12, 0);
        return 16;
    case 2: /* catalogue number, recording code: none */
    case 3: data[3] = 20; return 24;
    default: return 0;
    }
}

uint32_t ide_cdrom_disc_information(struct ide_drive *drive)
{
    if (drive->cdrom.packet[1] & 7) {
        return 0;
    }
    uint8_t *data = clear(drive, 34);
    data[1] = 32;
    data[2] = 0x0E; /* complete, last session complete */
    data[3] = data[4] = data[5] = data[6] = 1;
    data[7] = 0x20; /* unrestricted use */
    memset(data + 16, 0xFF, 8);
    return 34;
}

uint32_t ide_cdrom_track_information(struct ide_drive *drive)
{
    uint8_t *data = clear(drive, 36);
    data[1] = 34;
    data[2] = data[3] = TRACK;
    data[5] = 0x04; /* data, recorded uninterrupted */
    data[6] = 0x01; /* mode 1 */
    store_be32(data + 24, ide_cdrom_blocks(drive));
    return 36;
}

uint32_t ide_cdrom_format_capacities(struct ide_drive *drive)
{
    uint8_t *data = clear(drive, 12);
    data[3] = 8;
    store_be32(data + 4, ide_cdrom_blocks(drive));
    store_be32(data + 8, IDE_DISC_BLOCK);
    data[8] = 0x02; /* formatted */
    return 12;
}

/* ---- features and events */

static unsigned current_profile(const struct ide_drive *drive)
{
    uint32_t blocks = ide_cdrom_blocks(drive);
    return blocks == 0 ? 0 : blocks > CD_BLOCKS_MAX ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

struct feature_list {
    uint8_t *data;
    uint32_t length;
    unsigned first;     /* features below are left out */
    unsigned selection; /* RT: 0 all, 1 the current ones, 2 only `first` */
};

/* Appends a feature descriptor with `bytes` zero bytes of its own; NULL when it was not asked for. */
static uint8_t *add_feature(struct feature_list *list, unsigned code, unsigned version, bool current,
                            unsigned bytes)
{
    if (code < list->first || (list->selection == 1 && !current) ||
        (list->selection == 2 && code != list->first)) {
        return NULL;
    }
    uint8_t *feature = list->data + list->length;
    memset(feature, 0, 4 + bytes);
    store_be16(feature, (uint16_t)code);
    feature[2] = (uint8_t)(version << 2 | (current ? 1u : 0));
    feature[3] = (uint8_t)bytes;
    list->length += 4 + bytes;
    return feature + 4;
}

static void add_profiles(struct feature_list *list, unsigned profile)
{
    uint8_t *own = add_feature(list, 0x0000, 0, true, 8);
    if (own != NULL) {
        store_be16(own, PROFILE_DVD_ROM);
        own[2] = profile == PROFILE_DVD_ROM;
        store_be16(own + 4, PROFILE_CD_ROM);
        own[6] = profile == PROFILE_CD_ROM;
    }
}

uint32_t ide_cdrom_configuration(struct ide_drive *drive)
{
    const uint8_t *packet = drive->cdrom.packet;
    unsigned profile = current_profile(drive);
    clear(drive, 8);
    struct feature_list list = {.data = drive->buffer,
                                .length = 8,
                                .first = (unsigned)packet[2] << 8 | packet[3],
                                .selection = packet[1] & 3};
    if (list.selection == 3) {
        return 0;
    }
    add_profiles(&list, profile);
    uint8_t *own = add_feature(&list, 0x0001, 1, true, 8); /* core */
    if (own != NULL) {
        own[3] = 2; /* ATAPI */
        own[4] = 1; /* events are told */
    }
    own = add_feature(&list, 0x0003, 0, true, 4); /* removable medium */
    if (own != NULL) {
        own[0] = 0x29; /* tray, ejects, locks */
    }
    own = add_feature(&list, 0x0010, 0, profile != 0, 8); /* random readable */
    if (own != NULL) {
        store_be32(own, IDE_DISC_BLOCK);
        own[5] = 1; /* blocks in the smallest unit */
    }
    add_feature(&list, 0x001E, 0, profile == PROFILE_CD_ROM, 4);  /* CD read */
    add_feature(&list, 0x001F, 0, profile == PROFILE_DVD_ROM, 0); /* DVD read */
    store_be32(drive->buffer, list.length - 4);
    store_be16(drive->buffer + 6, (uint16_t)profile);
    return list.length;
}

uint32_t ide_cdrom_event_status(struct ide_drive *drive)
{
    struct ide_cdrom *cdrom = &drive->cdrom;
    if (!(cdrom->packet[1] & 1)) {
        return 0; /* waiting for an event is not possible */
    }
    uint8_t *data = clear(drive, 8);
    data[3] = 1u << EVENT_CLASS_MEDIA;
    if (!(cdrom->packet[4] & 1u << EVENT_CLASS_MEDIA)) {
        data[1] = 2;
        data[2] = EVENT_CLASS_NONE;
        return 4;
    }
    data[1] = 6;
    data[2] = EVENT_CLASS_MEDIA;
    data[4] = cdrom->media_event;
    data[5] = (uint8_t)((cdrom->tray_open ? 0x01 : 0) | (ide_cdrom_blocks(drive) != 0 ? 0x02 : 0));
    cdrom->media_event = 0;
    return 8;
}

uint32_t ide_cdrom_mechanism_status(struct ide_drive *drive)
{
    uint8_t *data = clear(drive, 8);
    data[1] = drive->cdrom.tray_open ? 0x10 : 0;
    data[5] = 1; /* slots */
    return 8;
}
