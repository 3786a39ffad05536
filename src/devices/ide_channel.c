/* The registers of an IDE channel, which two drives share (ATA/ATAPI-6 §7, §9); see ide.h.
 *
 * Both drives latch what is written to the command block registers; the one that DEV selects answers reads
 * and drives INTRQ. Writes to the registers of a drive that is busy or transfers data are lost, and so are
 * commands, except DEVICE RESET to an ATAPI drive. */
#include "devices/ide_internal.h"

#include <string.h>

#define REGISTER_DATA    0
#define REGISTER_ERROR   1 /* write: features */
#define REGISTER_COUNT   2
#define REGISTER_LBA_LOW 3
#define REGISTER_DEVICE  6
#define REGISTER_STATUS  7 /* write: command */

#define CONTROL_NIEN 0x02u
#define CONTROL_SRST 0x04u
#define CONTROL_HOB  0x80u

#define COMMAND_DEVICE_RESET 0x08
#define COMMAND_DIAGNOSTIC   0x90

#define FLOATING 0x7Fu

static bool is_present(const struct ide_drive *drive)
{
    return drive->kind != IDE_NONE;
}

static struct ide_drive *selected_drive(struct ide_channel *channel)
{
    return &channel->drives[channel->selected];
}

/* Who answers a read: the selected drive, or drive 0 for an absent drive 1. */
static struct ide_drive *answering_drive(struct ide_channel *channel)
{
    struct ide_drive *drive = selected_drive(channel);
    if (!is_present(drive)) {
        drive = &channel->drives[0];
        if (channel->selected == 0 || !is_present(drive)) {
            return NULL;
        }
    }
    return drive;
}

static void update_irq(struct ide_channel *channel)
{
    const struct ide_drive *drive = selected_drive(channel);
    bool level = is_present(drive) && drive->interrupt && !(channel->control & CONTROL_NIEN);
    if (level == channel->irq_level) {
        return;
    }
    channel->irq_level = level;
    if (level) {
        ide_bus_master_note_interrupt(channel);
    }
    irq_line_set(&channel->irq, level);
}

static void set_interrupt(struct ide_drive *drive, bool pending)
{
    drive->interrupt = pending;
    update_irq(drive->channel);
}

/* ---- what drives do */

void ide_drive_event(void *opaque)
{
    struct ide_drive *drive = opaque;
    drive->next(drive);
}

void ide_drive_continue(struct ide_drive *drive, uint64_t ns, void (*next)(struct ide_drive *drive))
{
    drive->transfer = IDE_TRANSFER_NONE;
    drive->status = STATUS_BSY | STATUS_DSC;
    drive->next = next;
    struct event_clock *clock = drive->ide->host.clock;
    event_clock_schedule(clock, &drive->event, event_clock_now(clock) + ns);
}

static void begin_block(struct ide_drive *drive, enum ide_transfer transfer, uint32_t position,
                        uint32_t block_end, void (*moved)(struct ide_drive *drive))
{
    drive->transfer = transfer;
    drive->position = position;
    drive->block_end = block_end;
    drive->moved = moved;
    drive->status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
}

void ide_drive_pio(struct ide_drive *drive, enum ide_transfer direction, uint32_t position,
                   uint32_t block_end, bool interrupt, void (*moved)(struct ide_drive *drive))
{
    begin_block(drive, direction, position, block_end, moved);
    if (interrupt) {
        set_interrupt(drive, true);
    }
}

void ide_drive_dma(struct ide_drive *drive, bool to_host, uint32_t position, uint32_t block_end,
                   void (*moved)(struct ide_drive *drive))
{
    begin_block(drive, IDE_TRANSFER_DMA, position, block_end, moved);
    drive->to_host = to_host;
    ide_bus_master_request(drive);
}

void ide_drive_complete(struct ide_drive *drive, bool interrupt)
{
    drive->transfer = IDE_TRANSFER_NONE;
    drive->status = STATUS_DRDY | STATUS_DSC;
    drive->error = 0;
    if (interrupt) {
        set_interrupt(drive, true);
    }
}

void ide_drive_fail(struct ide_drive *drive, uint8_t error, uint8_t status)
{
    drive->transfer = IDE_TRANSFER_NONE;
    drive->status = (uint8_t)(STATUS_DRDY | STATUS_DSC | STATUS_ERR | status);
    drive->error = error;
    set_interrupt(drive, true);
}

void ide_drive_abort(struct ide_drive *drive)
{
    event_clock_cancel(drive->ide->host.clock, &drive->event);
    drive->transfer = IDE_TRANSFER_NONE;
    drive->error = 0;
    set_interrupt(drive, false);
}

void ide_drive_sign(struct ide_drive *drive)
{
    drive->task.count = 1;
    drive->task.lba[0] = 1;
    drive->task.lba[1] = drive->kind == IDE_CDROM ? 0x14 : 0;
    drive->task.lba[2] = drive->kind == IDE_CDROM ? 0xEB : 0;
    drive->previous = (struct ide_task){0};
    drive->device = DEVICE_FIXED | (drive->device & DEVICE_UNIT);
}

/* ---- resets */

static void present_signature(struct ide_drive *drive, bool hardware)
{
    drive->device = DEVICE_FIXED;
    ide_drive_sign(drive);
    drive->error = 1; /* diagnostics passed */
    drive->status = drive->kind == IDE_CDROM ? 0 : STATUS_DRDY | STATUS_DSC;
    if (drive->kind == IDE_CDROM) {
        ide_cdrom_reset(drive);
    } else {
        ide_disk_reset(drive, hardware);
    }
}

static void begin_reset(struct ide_channel *channel)
{
    event_clock_cancel(channel->ide->host.clock, &channel->reset_end);
    for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
        ide_drive_abort(&channel->drives[unit]);
        channel->drives[unit].status = STATUS_BSY;
    }
    channel->selected = 0;
    update_irq(channel);
}

static void end_reset_later(struct ide_channel *channel, bool diagnostic)
{
    struct event_clock *clock = channel->ide->host.clock;
    channel->diagnostic = diagnostic;
    event_clock_schedule(clock, &channel->reset_end, event_clock_now(clock) + IDE_RESET_NS);
}

void ide_channel_reset_ended(void *opaque)
{
    struct ide_channel *channel = opaque;
    for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
        if (is_present(&channel->drives[unit])) {
            present_signature(&channel->drives[unit], false);
        }
    }
    if (channel->diagnostic) {
        unsigned reporter = is_present(&channel->drives[0]) ? 0 : 1;
        set_interrupt(&channel->drives[reporter], true);
    }
}

void ide_channel_reset(struct ide_channel *channel)
{
    begin_reset(channel);
    channel->control = 0;
    for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
        struct ide_drive *drive = &channel->drives[unit];
        drive->task = drive->previous = (struct ide_task){0};
        if (is_present(drive)) {
            present_signature(drive, true);
        }
    }
    ide_bus_master_reset(channel);
}

/* ---- commands */

static void execute(struct ide_drive *drive)
{
    if (drive->kind == IDE_CDROM) {
        ide_cdrom_execute(drive);
    } else {
        ide_disk_execute(drive);
    }
}

static void device_reset(struct ide_drive *drive)
{
    uint8_t unit = drive->device & DEVICE_UNIT;
    ide_drive_abort(drive);
    present_signature(drive, false);
    drive->device |= unit;
}

static void take_command(struct ide_channel *channel, uint8_t command)
{
    struct ide_drive *drive = selected_drive(channel);
    if (!is_present(drive) || channel->control & CONTROL_SRST) {
        return;
    }
    if (command == COMMAND_DEVICE_RESET && drive->kind == IDE_CDROM) {
        if (!clock_event_is_scheduled(&channel->reset_end)) {
            device_reset(drive);
        }
        return;
    }
    if (drive->status & (STATUS_BSY | STATUS_DRQ)) {
        log_printf(channel->ide->host.log, LOG_GUEST_ERROR, "ide%u.%u: command %02x while busy",
                   channel->number, drive->unit, command);
        return;
    }
    log_printf(channel->ide->host.log, LOG_IDE,
               "ide%u.%u: command %02x, %02x %02x %02x %02x %02x device %02x", channel->number, drive->unit,
               command, drive->task.features, drive->task.count, drive->task.lba[0], drive->task.lba[1],
               drive->task.lba[2], drive->device);
    if (command == COMMAND_DIAGNOSTIC) {
        begin_reset(channel);
        end_reset_later(channel, true);
        return;
    }
    drive->command = command;
    drive->error = 0;
    set_interrupt(drive, false);
    ide_drive_continue(drive, IDE_COMMAND_NS, execute);
}

/* ---- the data port */

static uint16_t read_data(struct ide_channel *channel)
{
    struct ide_drive *drive = selected_drive(channel);
    if (drive->transfer != IDE_TRANSFER_PIO_IN) {
        return is_present(drive) ? 0 : (uint16_t)(0xFF00u | FLOATING);
    }
    const uint8_t *from = drive->buffer + drive->position;
    uint16_t value;
    if (drive->block_end - drive->position >= 2) {
        value = load_le16(from);
        drive->position += 2;
    } else {
        value = *from;
        drive->position += 1;
    }
    if (drive->position == drive->block_end) {
        drive->moved(drive);
    }
    return value;
}

static void write_data(struct ide_channel *channel, uint16_t value)
{
    struct ide_drive *drive = selected_drive(channel);
    if (drive->transfer != IDE_TRANSFER_PIO_OUT) {
        return;
    }
    uint8_t *to = drive->buffer + drive->position;
    if (drive->block_end - drive->position >= 2) {
        store_le16(to, value);
        drive->position += 2;
    } else {
        *to = (uint8_t)value;
        drive->position += 1;
    }
    if (drive->position == drive->block_end) {
        drive->moved(drive);
    }
}

/* As many elements of `width` bytes as the block that goes in `direction` still has but for the last, at most
 * `count`. What follows a block depends on when it ends: its last element is an access by itself, whose time
 * is known. */
static uint32_t elements_before_last(const struct ide_drive *drive, enum ide_transfer direction,
                                     uint64_t offset, unsigned width, uint32_t count)
{
    if (offset != REGISTER_DATA || width == 1 || drive->transfer != direction ||
        drive->position == drive->block_end) {
        return 0;
    }
    uint32_t left = (drive->block_end - drive->position - 1) / width;
    return left < count ? left : count;
}

uint32_t ide_channel_read_block(void *opaque, uint64_t offset, unsigned width, void *to, uint32_t count)
{
    struct ide_drive *drive = selected_drive(opaque);
    uint32_t elements = elements_before_last(drive, IDE_TRANSFER_PIO_IN, offset, width, count);
    if (elements != 0) {
        memcpy(to, drive->buffer + drive->position, (size_t)elements * width);
        drive->position += elements * width;
    }
    return elements;
}

uint32_t ide_channel_write_block(void *opaque, uint64_t offset, unsigned width, const void *from,
                                 uint32_t count)
{
    struct ide_drive *drive = selected_drive(opaque);
    uint32_t elements = elements_before_last(drive, IDE_TRANSFER_PIO_OUT, offset, width, count);
    if (elements != 0) {
        memcpy(drive->buffer + drive->position, from, (size_t)elements * width);
        drive->position += elements * width;
    }
    return elements;
}

/* ---- registers */

static uint8_t status_of(const struct ide_channel *channel)
{
    const struct ide_drive *drive = &channel->drives[channel->selected];
    if (is_present(drive)) {
        return drive->status;
    }
    return channel->selected == 1 && is_present(&channel->drives[0]) ? 0 : FLOATING;
}

static uint8_t read_register(struct ide_channel *channel, unsigned offset)
{
    struct ide_drive *drive = answering_drive(channel);
    if (drive == NULL) {
        return FLOATING;
    }
    const struct ide_task *task = channel->control & CONTROL_HOB ? &drive->previous : &drive->task;
    switch (offset) {
    case REGISTER_ERROR: return drive->error;
    case REGISTER_COUNT: return task->count;
    case REGISTER_DEVICE: return drive->device;
    case REGISTER_STATUS: set_interrupt(selected_drive(channel), false); return status_of(channel);
    default: return task->lba[offset - REGISTER_LBA_LOW];
    }
}

static uint8_t *task_register(struct ide_task *task, unsigned offset)
{
    switch (offset) {
    case REGISTER_ERROR: return &task->features;
    case REGISTER_COUNT: return &task->count;
    default: return &task->lba[offset - REGISTER_LBA_LOW];
    }
}

static void write_register(struct ide_channel *channel, unsigned offset, uint8_t value)
{
    channel->control &= (uint8_t)~CONTROL_HOB;
    if (offset == REGISTER_STATUS) {
        take_command(channel, value);
        return;
    }
    for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
        struct ide_drive *drive = &channel->drives[unit];
        if (drive->status & (STATUS_BSY | STATUS_DRQ)) {
            continue;
        }
        if (offset == REGISTER_DEVICE) {
            drive->device = DEVICE_FIXED | value;
        } else {
            uint8_t *at = task_register(&drive->task, offset);
            *task_register(&drive->previous, offset) = *at;
            *at = value;
        }
    }
    if (offset == REGISTER_DEVICE) {
        channel->selected = value & DEVICE_UNIT ? 1 : 0;
        update_irq(channel);
    }
}

uint64_t ide_channel_read(void *opaque, uint64_t offset, unsigned width)
{
    struct ide_channel *channel = opaque;
    if (offset == REGISTER_DATA) {
        uint32_t value = read_data(channel);
        return width == 4 ? value | (uint32_t)read_data(channel) << 16 : value;
    }
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint32_t)read_register(channel, (unsigned)offset + i) << (8 * i);
    }
    return value;
}

void ide_channel_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ide_channel *channel = opaque;
    if (offset == REGISTER_DATA) {
        write_data(channel, (uint16_t)value);
        if (width == 4) {
            write_data(channel, (uint16_t)(value >> 16));
        }
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        write_register(channel, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
    }
}

uint64_t ide_channel_read_alternate(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset, (void)width;
    return status_of(opaque);
}

void ide_channel_write_control(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset, (void)width;
    struct ide_channel *channel = opaque;
    uint8_t changed = channel->control ^ (uint8_t)value;
    channel->control = value & (CONTROL_HOB | CONTROL_SRST | CONTROL_NIEN);
    if (changed & CONTROL_SRST) {
        if (value & CONTROL_SRST) {
            begin_reset(channel);
        } else {
            end_reset_later(channel, false);
        }
    }
    update_irq(channel);
}
