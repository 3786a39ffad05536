/* The bus master of an IDE channel (SFF-8038i §1-2; 82371SB §3.7); see ide.h.
 *
 * Each channel has a command, a status and a descriptor table pointer. While it is active and its drive asks
 * for DMA, memory described by the table moves. A table that ends early leaves the drive waiting with the bus
 * master inactive; one that is longer than the transfer leaves it active: software tells by both and the
 * interrupt bit what has happened.
 *
 * NOT IMPLEMENTED: the error bit never rises by itself (no memory access is refused by this board). */
#include "devices/ide_internal.h"

#define CHANNEL_PORTS 8

#define REGISTER_COMMAND 0
#define REGISTER_STATUS  2
#define REGISTER_TABLE   4

#define COMMAND_START     0x01u
#define COMMAND_TO_MEMORY 0x08u

#define MASTER_ACTIVE    0x01u
#define MASTER_ERROR     0x02u
#define MASTER_INTERRUPT 0x04u
#define MASTER_CAPABLE   0x60u /* set by firmware */

#define ENTRY_LAST 0x80u /* in the last byte */

void ide_bus_master_reset(struct ide_channel *channel)
{
    channel->bus_master = (struct ide_bus_master){0};
}

void ide_bus_master_note_interrupt(struct ide_channel *channel)
{
    channel->bus_master.status |= MASTER_INTERRUPT;
}

static bool can_move(const struct ide_channel *channel, const struct ide_drive *drive)
{
    const struct ide_bus_master *master = &channel->bus_master;
    uint16_t pci_command = load_le16(channel->ide->function.config + PCI_COMMAND);
    return master->status & MASTER_ACTIVE && pci_command & PCI_COMMAND_BUS_MASTER &&
           drive->to_host == ((master->command & COMMAND_TO_MEMORY) != 0);
}

/* The next descriptor. Tables lie within 64 KiB. */
static void fetch_entry(struct ide_channel *channel)
{
    struct ide_bus_master *master = &channel->bus_master;
    uint8_t entry[8];
    memory_bus_read_block(channel->ide->host.memory, master->entry, entry, sizeof entry);
    master->entry = (master->entry & 0xFFFF0000u) | ((master->entry + 8) & 0xFFFCu);
    master->address = load_le32(entry) & ~1u;
    master->left = load_le16(entry + 4) & 0xFFFEu;
    if (master->left == 0) {
        master->left = 0x10000;
    }
    master->last = entry[7] & ENTRY_LAST;
}

/* Moves up to `length` bytes; returns how many before the table ended. */
static uint32_t move_bytes(struct ide_channel *channel, bool to_memory, uint8_t *bytes, uint32_t length)
{
    struct ide_bus_master *master = &channel->bus_master;
    struct memory_bus *memory = channel->ide->host.memory;
    uint32_t done = 0;
    while (done < length && master->status & MASTER_ACTIVE) {
        if (master->left == 0) {
            fetch_entry(channel);
        }
        uint32_t part = length - done < master->left ? length - done : master->left;
        if (to_memory) {
            memory_bus_write_block(memory, master->address, bytes + done, part);
        } else {
            memory_bus_read_block(memory, master->address, bytes + done, part);
        }
        done += part;
        master->address += part;
        master->left -= part;
        if (master->left == 0 && master->last) {
            master->status &= (uint8_t)~MASTER_ACTIVE;
        }
    }
    return done;
}

static void move_block(struct ide_drive *drive)
{
    if (!can_move(drive->channel, drive)) {
        return;
    }
    drive->position += move_bytes(drive->channel, drive->to_host, drive->buffer + drive->position,
                                  drive->block_end - drive->position);
    if (drive->position == drive->block_end) {
        drive->moved(drive);
    }
}

void ide_bus_master_request(struct ide_drive *drive)
{
    if (!can_move(drive->channel, drive)) {
        return;
    }
    uint64_t ns = (drive->block_end - drive->position) * (uint64_t)IDE_BYTE_NS;
    struct event_clock *clock = drive->ide->host.clock;
    drive->next = move_block;
    event_clock_schedule(clock, &drive->event,
                         event_clock_now(clock) + (ns > IDE_LEAST_DMA_NS ? ns : IDE_LEAST_DMA_NS));
}

static void write_command(struct ide_channel *channel, uint8_t value)
{
    struct ide_bus_master *master = &channel->bus_master;
    uint8_t changed = master->command ^ value;
    /* The direction stays while the engine runs. */
    uint8_t writable =
        value & master->command & COMMAND_START ? COMMAND_START : COMMAND_START | COMMAND_TO_MEMORY;
    master->command = (uint8_t)((master->command & ~writable) | (value & writable));
    if (!(changed & COMMAND_START)) {
        return;
    }
    if (!(value & COMMAND_START)) {
        master->status &= (uint8_t)~MASTER_ACTIVE;
        return;
    }
    master->status |= MASTER_ACTIVE;
    master->entry = master->table;
    master->left = 0;
    master->last = false;
    for (unsigned unit = 0; unit < IDE_CHANNEL_DRIVES; unit++) {
        if (channel->drives[unit].transfer == IDE_TRANSFER_DMA) {
            ide_bus_master_request(&channel->drives[unit]);
        }
    }
}

static void write_byte(struct ide_channel *channel, unsigned reg, uint8_t value)
{
    struct ide_bus_master *master = &channel->bus_master;
    switch (reg) {
    case REGISTER_COMMAND: write_command(channel, value); break;
    case REGISTER_STATUS:
        master->status &= (uint8_t) ~(value & (MASTER_ERROR | MASTER_INTERRUPT));
        master->status = (uint8_t)((master->status & ~MASTER_CAPABLE) | (value & MASTER_CAPABLE));
        break;
    case 1:
    case 3: break;
    default: {
        unsigned shift = 8 * (reg - REGISTER_TABLE);
        master->table = ((master->table & ~(0xFFu << shift)) | (uint32_t)value << shift) & ~3u;
        break;
    }
    }
}

static uint8_t read_byte(const struct ide_channel *channel, unsigned reg)
{
    const struct ide_bus_master *master = &channel->bus_master;
    switch (reg) {
    case REGISTER_COMMAND: return master->command;
    case REGISTER_STATUS: return master->status;
    case 1:
    case 3: return 0;
    default: return (uint8_t)(master->table >> (8 * (reg - REGISTER_TABLE)));
    }
}

uint64_t ide_bus_master_read(void *opaque, uint64_t offset, unsigned width)
{
    struct ide *ide = opaque;
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        unsigned at = ((unsigned)offset + i) % (IDE_CHANNELS * CHANNEL_PORTS);
        value |= (uint32_t)read_byte(&ide->channels[at / CHANNEL_PORTS], at % CHANNEL_PORTS) << (8 * i);
    }
    return value;
}

void ide_bus_master_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ide *ide = opaque;
    for (unsigned i = 0; i < width; i++) {
        unsigned at = ((unsigned)offset + i) % (IDE_CHANNELS * CHANNEL_PORTS);
        write_byte(&ide->channels[at / CHANNEL_PORTS], at % CHANNEL_PORTS, (uint8_t)(value >> (8 * i)));
    }
}
