/* What the files of the IDE controller share; see ide.h. Private to them.
 *
 * A drive does one thing at a time: it waits for its event and then calls `next`, or it waits for the host to
 * move [position, block_end) of its buffer, by PIO or DMA, and then calls `moved`. */
#ifndef DOPPEL_DEVICES_IDE_INTERNAL_H
#define DOPPEL_DEVICES_IDE_INTERNAL_H

#include "base/bits.h"
#include "devices/ide.h"

#define IDE_BUFFER_BYTES   (64 * 1024u)
#define IDE_BUFFER_SECTORS (IDE_BUFFER_BYTES / BLOCK_SECTOR_SIZE)

#define IDE_COMMAND_NS   (20 * NS_PER_MICROSECOND) /* from a command to its first data or its end */
#define IDE_BLOCK_NS     (3 * NS_PER_MICROSECOND)  /* from a block of data to the next */
#define IDE_RESET_NS     (50 * NS_PER_MICROSECOND) /* from the end of a reset to the signature */
#define IDE_BYTE_NS      1                         /* DMA */
#define IDE_LEAST_DMA_NS (2 * NS_PER_MICROSECOND)

#define STATUS_BSY  0x80u
#define STATUS_DRDY 0x40u
#define STATUS_DF   0x20u
#define STATUS_DSC  0x10u
#define STATUS_DRQ  0x08u
#define STATUS_ERR  0x01u

#define ERROR_UNC  0x40u
#define ERROR_WP   0x40u /* of a write */
#define ERROR_IDNF 0x10u
#define ERROR_ABRT 0x04u

#define DEVICE_LBA   0x40u
#define DEVICE_UNIT  0x10u
#define DEVICE_FIXED 0xA0u /* read as ones since ATA-1 */

/* The interrupt reason register of ATAPI devices: the sector count register. */
#define REASON_COMMAND 0x01u
#define REASON_TO_HOST 0x02u

struct ide_channel;
struct ide_drive;

/* Features, sector count and LBA low to high, at the ports 1 to 5. */
struct ide_task {
    uint8_t features;
    uint8_t count;
    uint8_t lba[3];
};

enum ide_transfer { IDE_TRANSFER_NONE, IDE_TRANSFER_PIO_IN, IDE_TRANSFER_PIO_OUT, IDE_TRANSFER_DMA };

enum ide_addressing { IDE_CHS, IDE_LBA28, IDE_LBA48 };

enum ide_power { IDE_POWER_ACTIVE, IDE_POWER_IDLE, IDE_POWER_STANDBY };

struct ide_disk {
    struct ide_geometry geometry;
    struct ide_geometry current; /* as INITIALIZE DEVICE PARAMETERS says */
    bool read_only;
    uint8_t multiple; /* sectors of a READ MULTIPLE block; 0: not set */
    bool write_cache, look_ahead, smart;
    bool keeps_settings; /* over a software reset */
    enum ide_power power;
    /* the command that runs */
    enum ide_addressing addressing;
    uint64_t sector; /* the next one */
    uint32_t left;   /* sectors */
    uint32_t block;  /* sectors of a PIO block */
};

struct ide_cdrom {
    bool tray_open;
    bool locked;
    bool attention; /* "medium may have changed" has not been reported yet */
    uint8_t media_event;
    uint8_t sense_key, asc, ascq;
    /* the command that runs */
    uint8_t packet[12];
    bool dma;
    uint32_t byte_limit; /* of a PIO block */
    uint32_t block;      /* the next one of a read */
    uint32_t left;       /* blocks */
    uint8_t layout;      /* of a block: CD_LAYOUT_* */
};

#define CD_LAYOUT_USER 0u /* 2048 bytes of user data */
#define CD_LAYOUT_RAW  1u /* 2352 bytes: sync, header, user data, zeros for the codes after them */

struct ide_drive {
    struct ide *ide;
    struct ide_channel *channel;
    unsigned unit;
    enum ide_kind kind;
    struct block_device *image; /* owned; NULL: empty CD-ROM drive */
    char serial[21];

    struct ide_task task;
    struct ide_task previous; /* what 48-bit commands take as the upper halves */
    uint8_t device;
    uint8_t status, error;
    bool interrupt; /* INTRQ waits for the host to read the status */
    uint8_t command;
    uint8_t multiword_mode, ultra_mode; /* bit n: DMA mode n is selected */

    struct clock_event event;
    void (*next)(struct ide_drive *drive);

    enum ide_transfer transfer;
    bool to_host; /* the direction of a DMA transfer */
    uint32_t position, block_end, filled;
    void (*moved)(struct ide_drive *drive);
    uint8_t *buffer; /* IDE_BUFFER_BYTES; NULL when kind is IDE_NONE */

    struct ide_disk disk;
    struct ide_cdrom cdrom;
};

struct ide_bus_master {
    uint8_t command, status;
    uint32_t table;
    /* while active */
    uint32_t entry; /* address of the next descriptor */
    uint32_t address, left;
    bool last;
};

struct ide_channel {
    struct ide *ide;
    unsigned number;
    struct irq_line irq;
    bool irq_level;
    struct ide_drive drives[IDE_CHANNEL_DRIVES];
    unsigned selected;
    uint8_t control;
    struct clock_event reset_end;
    bool diagnostic; /* the reset is an EXECUTE DEVICE DIAGNOSTIC */
    struct ide_bus_master bus_master;
};

struct ide {
    struct device device;
    struct device_host host;
    struct pci_function function;
    struct ide_channel channels[IDE_CHANNELS];
    struct io_region regions[2 * IDE_CHANNELS];
};

/* ---- ide_channel.c */

uint64_t ide_channel_read(void *opaque, uint64_t offset, unsigned width);
void ide_channel_write(void *opaque, uint64_t offset, unsigned width, uint64_t value);
uint32_t ide_channel_read_block(void *opaque, uint64_t offset, unsigned width, void *to, uint32_t count);
uint32_t ide_channel_write_block(void *opaque, uint64_t offset, unsigned width, const void *from,
                                 uint32_t count);
uint64_t ide_channel_read_alternate(void *opaque, uint64_t offset, unsigned width);
void ide_channel_write_control(void *opaque, uint64_t offset, unsigned width, uint64_t value);

/* The RESET- pin. */
void ide_channel_reset(struct ide_channel *channel);

/* The event handlers. */
void ide_channel_reset_ended(void *opaque);
void ide_drive_event(void *opaque);

/* Has `next` called after `ns`, with BSY set until then. */
void ide_drive_continue(struct ide_drive *drive, uint64_t ns, void (*next)(struct ide_drive *drive));

/* Offers or asks for buffer bytes [position, block_end) by PIO; `moved` is called when the host has moved
 * them. */
void ide_drive_pio(struct ide_drive *drive, enum ide_transfer direction, uint32_t position,
                   uint32_t block_end, bool interrupt, void (*moved)(struct ide_drive *drive));

/* The same by DMA. */
void ide_drive_dma(struct ide_drive *drive, bool to_host, uint32_t position, uint32_t block_end,
                   void (*moved)(struct ide_drive *drive));

/* Ends a command: well, with an interrupt or without; or with bits of the error register and of the status
 * beside ERR. */
void ide_drive_complete(struct ide_drive *drive, bool interrupt);
void ide_drive_fail(struct ide_drive *drive, uint8_t error, uint8_t status);

/* Stops whatever the drive does. */
void ide_drive_abort(struct ide_drive *drive);

/* Puts the signature of ATA-6 §9.12 into the registers. */
void ide_drive_sign(struct ide_drive *drive);

/* ---- ide_bus_master.c */

uint64_t ide_bus_master_read(void *opaque, uint64_t offset, unsigned width);
void ide_bus_master_write(void *opaque, uint64_t offset, unsigned width, uint64_t value);
void ide_bus_master_reset(struct ide_channel *channel);

/* The drive has bytes for DMA or takes some: they move as soon as the bus master runs. */
void ide_bus_master_request(struct ide_drive *drive);

/* INTRQ rises. */
void ide_bus_master_note_interrupt(struct ide_channel *channel);

/* ---- ide_disk.c */

void ide_disk_execute(struct ide_drive *drive);
/* `hardware`: power-on values for everything; otherwise for what a software reset affects. */
void ide_disk_reset(struct ide_drive *drive, bool hardware);

/* SET FEATURES 03h, for both kinds of drive. False: no such mode. */
bool ide_drive_set_transfer_mode(struct ide_drive *drive, uint8_t mode);

/* ---- ide_identify.c */

/* Fill the first 512 bytes of the buffer. */
void ide_identify_disk(struct ide_drive *drive);
void ide_identify_cdrom(struct ide_drive *drive);

/* ---- ide_cdrom.c */

void ide_cdrom_execute(struct ide_drive *drive);
void ide_cdrom_reset(struct ide_drive *drive);
/* A disc was put in or taken out. */
void ide_cdrom_medium_changed(struct ide_drive *drive);
void ide_cdrom_request_eject(struct ide_drive *drive);

/* 2048-byte blocks of the disc; 0 without one or with an open tray. */
uint32_t ide_cdrom_blocks(const struct ide_drive *drive);

/* ---- ide_cdrom_info.c: replies to packet commands. Each fills the buffer from 0 on and returns how many
 * bytes, 0 for an impossible request (invalid field in the packet). */

uint32_t ide_cdrom_inquiry(struct ide_drive *drive);
uint32_t ide_cdrom_mode_sense(struct ide_drive *drive, bool ten);
uint32_t ide_cdrom_toc(struct ide_drive *drive);
uint32_t ide_cdrom_configuration(struct ide_drive *drive);
uint32_t ide_cdrom_event_status(struct ide_drive *drive);
uint32_t ide_cdrom_disc_information(struct ide_drive *drive);
uint32_t ide_cdrom_track_information(struct ide_drive *drive);
uint32_t ide_cdrom_sub_channel(struct ide_drive *drive);
uint32_t ide_cdrom_mechanism_status(struct ide_drive *drive);
uint32_t ide_cdrom_format_capacities(struct ide_drive *drive);

/* Writes `block` as minute, second, frame (block 0 is 00:02:00). */
void ide_cdrom_store_msf(uint8_t *to, uint32_t block);

#endif
