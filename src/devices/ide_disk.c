/* ATA disk commands (ATA/ATAPI-6 §8); see ide.h.
 *
 * A transfer goes in pieces: the buffer's size by DMA, a sector or a READ MULTIPLE block by PIO. After every
 * piece the registers tell the last sector moved and how many are left, as ATA-1 has it; an error leaves them
 * at the sector it happened on. Sectors past the end are not found (IDNF) when the transfer gets there. */
#include "devices/ide_internal.h"

#include <string.h>

#define MULTIPLE_MAX 16u

#define LBA28_LIMIT 0x0FFFFFFFu
#define LBA48_LIMIT 0xFFFFFFFFFFFFull

#define MODE_PIO       0x00
#define MODE_MULTIWORD 0x20
#define MODE_ULTRA     0x40

#define POWER_STANDBY 0x00
#define POWER_IDLE    0x80
#define POWER_ACTIVE  0xFF

#define SMART_LBA_MID  0x4F
#define SMART_LBA_HIGH 0xC2

static void abort_command(struct ide_drive *drive)
{
    log_printf(drive->ide->host.log, LOG_GUEST_ERROR,
               "ide%u.%u: command %02x (features %02x) is not supported", drive->channel->number, drive->unit,
               drive->command, drive->task.features);
    ide_drive_fail(drive, ERROR_ABRT, 0);
}

static void complete(struct ide_drive *drive)
{
    ide_drive_complete(drive, true);
}

static void complete_silently(struct ide_drive *drive)
{
    ide_drive_complete(drive, false);
}

/* ---- addresses */

static uint32_t lba24(const struct ide_task *task)
{
    return task->lba[0] | (uint32_t)task->lba[1] << 8 | (uint32_t)task->lba[2] << 16;
}

/* The address in the registers; false when it cannot be any sector's. */
static bool parse_address(struct ide_drive *drive, bool extended)
{
    struct ide_disk *disk = &drive->disk;
    const struct ide_task *task = &drive->task;
    if (extended) {
        disk->addressing = IDE_LBA48;
        disk->sector = (uint64_t)lba24(&drive->previous) << 24 | lba24(task);
        return true;
    }
    uint32_t head = drive->device & 0x0Fu;
    if (drive->device & DEVICE_LBA) {
        disk->addressing = IDE_LBA28;
        disk->sector = head << 24 | lba24(task);
        return true;
    }
    disk->addressing = IDE_CHS;
    uint32_t cylinder = task->lba[1] | (uint32_t)task->lba[2] << 8;
    disk->sector =
        (cylinder * disk->current.heads + head) * (uint64_t)disk->current.sectors + task->lba[0] - 1;
    return task->lba[0] != 0 && task->lba[0] <= disk->current.sectors && head < disk->current.heads;
}

static void parse_count(struct ide_drive *drive, bool extended)
{
    uint32_t count = drive->task.count;
    if (extended) {
        count |= (uint32_t)drive->previous.count << 8;
        drive->disk.left = count == 0 ? 0x10000 : count;
    } else {
        drive->disk.left = count == 0 ? 0x100 : count;
    }
}

/* `sector` and the number of sectors left into the registers. */
static void store_address(struct ide_drive *drive, uint64_t sector)
{
    struct ide_task *task = &drive->task;
    const struct ide_geometry *geometry = &drive->disk.current;
    uint8_t head = (uint8_t)(sector >> 24 & 0x0F);
    switch (drive->disk.addressing) {
    case IDE_LBA48:
        for (unsigned i = 0; i < 3; i++) {
            drive->previous.lba[i] = (uint8_t)(sector >> (24 + 8 * i));
        }
        drive->previous.count = (uint8_t)(drive->disk.left >> 8);
        head = drive->device & 0x0F;
        break;
    case IDE_LBA28: break;
    default: {
        uint32_t track = (uint32_t)(sector / geometry->sectors);
        task->lba[0] = (uint8_t)(sector % geometry->sectors + 1);
        task->lba[1] = (uint8_t)(track / geometry->heads);
        task->lba[2] = (uint8_t)(track / geometry->heads >> 8);
        head = (uint8_t)(track % geometry->heads);
        break;
    }
    }
    if (drive->disk.addressing != IDE_CHS) {
        for (unsigned i = 0; i < 3; i++) {
            task->lba[i] = (uint8_t)(sector >> (8 * i));
        }
    }
    drive->device = (uint8_t)((drive->device & 0xF0) | head);
    task->count = (uint8_t)drive->disk.left;
}

static void advance(struct ide_drive *drive, uint32_t sectors)
{
    drive->disk.sector += sectors;
    drive->disk.left -= sectors;
    store_address(drive, drive->disk.sector - 1);
}

static void fail_at_sector(struct ide_drive *drive, uint8_t error, uint8_t status)
{
    store_address(drive, drive->disk.sector);
    ide_drive_fail(drive, error, status);
}

static uint32_t smaller(uint64_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

/* How many of the sectors left, at most `limit`, the disk has. */
static uint32_t available(const struct ide_drive *drive, uint32_t limit)
{
    uint64_t sectors = block_device_sectors(drive->image);
    uint64_t rest = drive->disk.sector < sectors ? sectors - drive->disk.sector : 0;
    return smaller(rest, smaller(drive->disk.left, limit));
}

static void log_host_failure(const struct ide_drive *drive, const struct status *status)
{
    log_printf(drive->ide->host.log, LOG_IDE, "ide%u.%u: %s", drive->channel->number, drive->unit,
               status->message);
}

/* ---- reading */

/* Fills the buffer with `sectors` sectors. */
static bool fill_buffer(struct ide_drive *drive, uint32_t sectors)
{
    struct status status = block_device_read(drive->image, drive->disk.sector, sectors, drive->buffer);
    if (!status_is_ok(&status)) {
        log_host_failure(drive, &status);
        return false;
    }
    drive->position = 0;
    drive->filled = sectors * BLOCK_SECTOR_SIZE;
    return true;
}

static void read_block(struct ide_drive *drive);

static void block_was_read(struct ide_drive *drive)
{
    advance(drive, smaller(drive->disk.left, drive->disk.block));
    if (drive->disk.left == 0) {
        ide_drive_complete(drive, false);
    } else {
        ide_drive_continue(drive, IDE_BLOCK_NS, read_block);
    }
}

/* The buffer is filled far ahead when that works; when it does not, only what is asked for is read, so that
 * the error falls on the right block. */
static void read_block(struct ide_drive *drive)
{
    uint32_t block = smaller(drive->disk.left, drive->disk.block);
    if (drive->position == drive->filled) {
        uint32_t ahead = available(drive, IDE_BUFFER_SECTORS);
        if (ahead < block) {
            drive->disk.sector += ahead;
            drive->disk.left -= ahead;
            fail_at_sector(drive, ERROR_IDNF, 0);
            return;
        }
        ahead -= ahead % block;
        if (!fill_buffer(drive, ahead) && !fill_buffer(drive, block)) {
            fail_at_sector(drive, ERROR_UNC, 0);
            return;
        }
    }
    ide_drive_pio(drive, IDE_TRANSFER_PIO_IN, drive->position, drive->position + block * BLOCK_SECTOR_SIZE,
                  true, block_was_read);
}

static void read_by_dma(struct ide_drive *drive);

static void dma_was_read(struct ide_drive *drive)
{
    advance(drive, drive->block_end / BLOCK_SECTOR_SIZE);
    if (drive->disk.left == 0) {
        ide_drive_complete(drive, true);
    } else {
        read_by_dma(drive);
    }
}

static void read_by_dma(struct ide_drive *drive)
{
    uint32_t sectors = available(drive, IDE_BUFFER_SECTORS);
    if (sectors == 0) {
        fail_at_sector(drive, ERROR_IDNF, 0);
    } else if (!fill_buffer(drive, sectors) && !fill_buffer(drive, 1)) {
        fail_at_sector(drive, ERROR_UNC, 0);
    } else {
        ide_drive_dma(drive, true, 0, drive->filled, dma_was_read);
    }
}

/* ---- writing */

/* Writes the first `sectors` sectors of the buffer; false after reporting why not. */
static bool flush_buffer(struct ide_drive *drive, uint32_t sectors)
{
    struct status status = block_device_write(drive->image, drive->disk.sector, sectors, drive->buffer);
    if (!status_is_ok(&status)) {
        log_host_failure(drive, &status);
        fail_at_sector(drive, ERROR_ABRT, STATUS_DF);
        return false;
    }
    advance(drive, sectors);
    return true;
}

static void ask_for_block(struct ide_drive *drive, bool interrupt);

static void write_block(struct ide_drive *drive)
{
    if (!flush_buffer(drive, drive->block_end / BLOCK_SECTOR_SIZE)) {
        return;
    }
    if (drive->disk.left == 0) {
        ide_drive_complete(drive, true);
    } else {
        ask_for_block(drive, true);
    }
}

static void block_was_taken(struct ide_drive *drive)
{
    ide_drive_continue(drive, IDE_BLOCK_NS, write_block);
}

static void ask_for_block(struct ide_drive *drive, bool interrupt)
{
    uint32_t block = smaller(drive->disk.left, drive->disk.block);
    if (available(drive, block) < block) {
        fail_at_sector(drive, ERROR_IDNF, 0);
        return;
    }
    ide_drive_pio(drive, IDE_TRANSFER_PIO_OUT, 0, block * BLOCK_SECTOR_SIZE, interrupt, block_was_taken);
}

static void write_by_dma(struct ide_drive *drive);

static void dma_was_taken(struct ide_drive *drive)
{
    if (!flush_buffer(drive, drive->block_end / BLOCK_SECTOR_SIZE)) {
        return;
    }
    if (drive->disk.left == 0) {
        ide_drive_complete(drive, true);
    } else {
        write_by_dma(drive);
    }
}

static void write_by_dma(struct ide_drive *drive)
{
    uint32_t sectors = available(drive, IDE_BUFFER_SECTORS);
    if (sectors == 0) {
        fail_at_sector(drive, ERROR_IDNF, 0);
    } else {
        ide_drive_dma(drive, false, 0, sectors * BLOCK_SECTOR_SIZE, dma_was_taken);
    }
}

/* ---- commands that move sectors */

/* Parses registers for a media access; false after an error. */
static bool begin_access(struct ide_drive *drive, bool extended)
{
    struct ide_disk *disk = &drive->disk;
    disk->power = IDE_POWER_ACTIVE;
    disk->block = 1;
    drive->position = drive->filled = 0;
    parse_count(drive, extended);
    if (!parse_address(drive, extended)) {
        ide_drive_fail(drive, ERROR_IDNF, 0);
        return false;
    }
    return true;
}

static bool begin_write(struct ide_drive *drive, bool extended)
{
    if (!begin_access(drive, extended)) {
        return false;
    }
    if (drive->disk.read_only) {
        ide_drive_fail(drive, ERROR_WP | ERROR_ABRT, 0);
        return false;
    }
    return true;
}

static void read_sectors(struct ide_drive *drive, bool extended)
{
    if (begin_access(drive, extended)) {
        read_block(drive);
    }
}

static void write_sectors(struct ide_drive *drive, bool extended)
{
    if (begin_write(drive, extended)) {
        ask_for_block(drive, false);
    }
}

static void read_multiple(struct ide_drive *drive, bool extended)
{
    if (drive->disk.multiple == 0) {
        abort_command(drive);
    } else if (begin_access(drive, extended)) {
        drive->disk.block = drive->disk.multiple;
        read_block(drive);
    }
}

static void write_multiple(struct ide_drive *drive, bool extended)
{
    if (drive->disk.multiple == 0) {
        abort_command(drive);
    } else if (begin_write(drive, extended)) {
        drive->disk.block = drive->disk.multiple;
        ask_for_block(drive, false);
    }
}

static void read_dma(struct ide_drive *drive, bool extended)
{
    if (begin_access(drive, extended)) {
        read_by_dma(drive);
    }
}

static void write_dma(struct ide_drive *drive, bool extended)
{
    if (begin_write(drive, extended)) {
        write_by_dma(drive);
    }
}

static void verify_sectors(struct ide_drive *drive, bool extended)
{
    if (!begin_access(drive, extended)) {
        return;
    }
    uint32_t good = available(drive, drive->disk.left);
    bool all = good == drive->disk.left;
    drive->disk.sector += good;
    drive->disk.left -= good;
    if (all) {
        store_address(drive, drive->disk.sector - 1);
        complete(drive);
    } else {
        fail_at_sector(drive, ERROR_IDNF, 0);
    }
}

static void seek(struct ide_drive *drive, bool extended)
{
    uint8_t count = drive->task.count;
    if (!begin_access(drive, extended)) {
        return;
    }
    drive->disk.left = 1;
    if (available(drive, 1) == 1) {
        complete(drive);
    } else {
        ide_drive_fail(drive, ERROR_IDNF, 0);
    }
    drive->task.count = count;
}

static void recalibrate(struct ide_drive *drive, bool extended)
{
    (void)extended;
    complete(drive);
}

/* ---- identity and settings */

static void identify(struct ide_drive *drive, bool extended)
{
    (void)extended;
    ide_identify_disk(drive);
    ide_drive_pio(drive, IDE_TRANSFER_PIO_IN, 0, BLOCK_SECTOR_SIZE, true, complete_silently);
}

static void initialize_parameters(struct ide_drive *drive, bool extended)
{
    (void)extended;
    struct ide_geometry geometry = {.heads = (uint8_t)((drive->device & 0x0F) + 1),
                                    .sectors = drive->task.count};
    if (geometry.sectors == 0) {
        abort_command(drive);
        return;
    }
    uint64_t cylinders = block_device_sectors(drive->image) / ((uint32_t)geometry.heads * geometry.sectors);
    geometry.cylinders = (uint16_t)smaller(cylinders, 0xFFFF);
    drive->disk.current = geometry;
    complete(drive);
}

static void set_multiple(struct ide_drive *drive, bool extended)
{
    (void)extended;
    uint8_t count = drive->task.count;
    if (count > MULTIPLE_MAX || (count & (count - 1)) != 0) {
        drive->disk.multiple = 0;
        abort_command(drive);
        return;
    }
    drive->disk.multiple = count;
    complete(drive);
}

bool ide_drive_set_transfer_mode(struct ide_drive *drive, uint8_t mode)
{
    unsigned number = mode & 7;
    switch (mode & 0xF8) {
    case MODE_PIO: return number <= 1;
    case MODE_PIO + 8: return number <= 4;
    case MODE_MULTIWORD:
        if (number > 2) {
            return false;
        }
        drive->multiword_mode = (uint8_t)(1u << number);
        drive->ultra_mode = 0;
        return true;
    case MODE_ULTRA:
        if (number > 2) {
            return false;
        }
        drive->ultra_mode = (uint8_t)(1u << number);
        drive->multiword_mode = 0;
        return true;
    default: return false;
    }
}

static void set_features(struct ide_drive *drive, bool extended)
{
    (void)extended;
    struct ide_disk *disk = &drive->disk;
    switch (drive->task.features) {
    case 0x02: disk->write_cache = true; break;
    case 0x82: disk->write_cache = false; break;
    case 0x55: disk->look_ahead = false; break;
    case 0xAA: disk->look_ahead = true; break;
    case 0x66: disk->keeps_settings = true; break;
    case 0xCC: disk->keeps_settings = false; break;
    case 0x03:
        if (!ide_drive_set_transfer_mode(drive, drive->task.count)) {
            abort_command(drive);
            return;
        }
        break;
    default: abort_command(drive); return;
    }
    complete(drive);
}

static void flush_cache(struct ide_drive *drive, bool extended)
{
    (void)extended;
    struct status status = drive->disk.read_only ? status_ok() : block_device_flush(drive->image);
    if (status_is_ok(&status)) {
        complete(drive);
    } else {
        log_host_failure(drive, &status);
        ide_drive_fail(drive, ERROR_ABRT, STATUS_DF);
    }
}

static void read_native_max(struct ide_drive *drive, bool extended)
{
    struct ide_disk *disk = &drive->disk;
    uint64_t last = block_device_sectors(drive->image) - 1;
    uint64_t limit = extended ? LBA48_LIMIT : LBA28_LIMIT;
    disk->addressing = extended ? IDE_LBA48 : drive->device & DEVICE_LBA ? IDE_LBA28 : IDE_CHS;
    disk->left = extended ? drive->task.count | (uint32_t)drive->previous.count << 8 : drive->task.count;
    store_address(drive, last < limit ? last : limit);
    complete(drive);
}

static void no_operation(struct ide_drive *drive, bool extended)
{
    (void)extended;
    ide_drive_fail(drive, ERROR_ABRT, 0);
}

/* ---- power */

static void enter_power(struct ide_drive *drive, enum ide_power power)
{
    drive->disk.power = power;
    complete(drive);
}

static void go_idle(struct ide_drive *drive, bool extended)
{
    (void)extended;
    enter_power(drive, IDE_POWER_IDLE);
}

static void go_standby(struct ide_drive *drive, bool extended)
{
    (void)extended;
    enter_power(drive, IDE_POWER_STANDBY);
}

static void check_power(struct ide_drive *drive, bool extended)
{
    (void)extended;
    static const uint8_t codes[] = {[IDE_POWER_ACTIVE] = POWER_ACTIVE,
                                    [IDE_POWER_IDLE] = POWER_IDLE,
                                    [IDE_POWER_STANDBY] = POWER_STANDBY};
    drive->task.count = codes[drive->disk.power];
    complete(drive);
}

/* ---- SMART (ATA-6 §8.41): enabling, status, and empty data */

static void send_smart_sector(struct ide_drive *drive, uint8_t revision)
{
    uint8_t *data = drive->buffer;
    memset(data, 0, BLOCK_SECTOR_SIZE);
    data[0] = revision;
    uint8_t sum = 0;
    for (unsigned i = 0; i < BLOCK_SECTOR_SIZE - 1; i++) {
        sum = (uint8_t)(sum + data[i]);
    }
    data[BLOCK_SECTOR_SIZE - 1] = (uint8_t)-sum;
    ide_drive_pio(drive, IDE_TRANSFER_PIO_IN, 0, BLOCK_SECTOR_SIZE, true, complete_silently);
}

static void smart(struct ide_drive *drive, bool extended)
{
    (void)extended;
    uint8_t function = drive->task.features;
    bool keyed = drive->task.lba[1] == SMART_LBA_MID && drive->task.lba[2] == SMART_LBA_HIGH;
    if (!keyed || (!drive->disk.smart && function != 0xD8)) {
        abort_command(drive);
        return;
    }
    switch (function) {
    case 0xD0:
    case 0xD1: send_smart_sector(drive, 0x10); return; /* values, thresholds: no attributes */
    case 0xD2: break;                                  /* attribute autosave */
    case 0xD8: drive->disk.smart = true; break;
    case 0xD9: drive->disk.smart = false; break;
    case 0xDA: break; /* healthy: the registers keep the key */
    default: abort_command(drive); return;
    }
    complete(drive);
}

/* ---- all commands */

static const struct ata_command {
    uint8_t code;
    bool extended; /* takes 48-bit registers */
    void (*execute)(struct ide_drive *drive, bool extended);
} ata_commands[] = {
    // clang-format off
    {0x00, false, no_operation},
    {0x10, false, recalibrate},     /* and 11h to 1Fh */
    {0x20, false, read_sectors},    {0x21, false, read_sectors},   {0x24, true, read_sectors},
    {0x25, true,  read_dma},        {0x27, true,  read_native_max}, {0x29, true, read_multiple},
    {0x30, false, write_sectors},   {0x31, false, write_sectors},  {0x34, true, write_sectors},
    {0x35, true,  write_dma},       {0x39, true,  write_multiple},
    {0x40, false, verify_sectors},  {0x41, false, verify_sectors}, {0x42, true, verify_sectors},
    {0x70, false, seek},            /* and 71h to 7Fh */
    {0x91, false, initialize_parameters},
    {0x94, false, go_standby},      {0x95, false, go_idle},        {0x96, false, go_standby},
    {0x97, false, go_idle},         {0x98, false, check_power},    {0x99, false, go_standby},
    {0xB0, false, smart},
    {0xC4, false, read_multiple},   {0xC5, false, write_multiple}, {0xC6, false, set_multiple},
    {0xC8, false, read_dma},        {0xC9, false, read_dma},
    {0xCA, false, write_dma},       {0xCB, false, write_dma},
    {0xE0, false, go_standby},      {0xE1, false, go_idle},        {0xE2, false, go_standby},
    {0xE3, false, go_idle},         {0xE5, false, check_power},    {0xE6, false, go_standby},
    {0xE7, false, flush_cache},     {0xEA, true,  flush_cache},
    {0xEC, false, identify},        {0xEF, false, set_features},   {0xF8, false, read_native_max},
    // clang-format on
};

void ide_disk_execute(struct ide_drive *drive)
{
    uint8_t code = drive->command;
    if ((code & 0xF0) == 0x10 || (code & 0xF0) == 0x70) {
        code &= 0xF0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(ata_commands); i++) {
        if (ata_commands[i].code == code) {
            ata_commands[i].execute(drive, ata_commands[i].extended);
            return;
        }
    }
    abort_command(drive);
}

void ide_disk_reset(struct ide_drive *drive, bool hardware)
{
    struct ide_disk *disk = &drive->disk;
    disk->power = IDE_POWER_ACTIVE;
    if (hardware) {
        disk->current = disk->geometry;
        disk->keeps_settings = false;
        disk->smart = true;
        drive->multiword_mode = 0;
        drive->ultra_mode = 0;
    }
    if (!disk->keeps_settings) {
        disk->multiple = 0;
        disk->write_cache = true;
        disk->look_ahead = true;
    }
}
