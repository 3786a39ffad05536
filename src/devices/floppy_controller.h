/* What the two halves of the floppy controller share: floppy.c (registers, command and result phases,
 * commands without data) and floppy_transfer.c (the execution phase of commands that read or write the disk).
 * Private to them. */
#ifndef DOPPEL_DEVICES_FLOPPY_CONTROLLER_H
#define DOPPEL_DEVICES_FLOPPY_CONTROLLER_H

#include "devices/floppy.h"
#include "devices/floppy_drive.h"

/* Real mechanics need milliseconds per step and sector. These are as short as they can be without surprising
 * software that expects the interrupt to come after it has returned from sending the command. */
#define FLOPPY_COMMAND_NS (100 * NS_PER_MICROSECOND) /* from the last command byte to the first sector */
#define FLOPPY_SECTOR_NS  (50 * NS_PER_MICROSECOND)  /* from a sector to the next */
#define FLOPPY_STEP_NS    (50 * NS_PER_MICROSECOND)  /* from a track to the next */
#define FLOPPY_NOT_FOUND_NS                                                                                  \
    (10 * NS_PER_MILLISECOND) /* two turns of the disk without the header looked for */
#define FLOPPY_RESET_NS    (250 * NS_PER_MICROSECOND) /* from the end of a reset to the polling interrupt */
#define FLOPPY_STALL_NS    (1 * NS_PER_MILLISECOND)   /* the DMA channel gave nothing: ask again after this */
#define FLOPPY_STALL_LIMIT 200u                       /* asked so often in vain: overrun */

/* Status register 0 */
#define ST0_ABNORMAL 0x40u /* IC = 01 */
#define ST0_INVALID  0x80u /* IC = 10 */
#define ST0_POLLING  0xC0u /* IC = 11 */
#define ST0_SE       0x20u /* seek end */
#define ST0_EC       0x10u /* equipment check: no track 0 */
#define ST0_HEAD     0x04u

/* Status register 1 */
#define ST1_EN 0x80u /* end of cylinder */
#define ST1_DE 0x20u /* data error (CRC) */
#define ST1_OR 0x10u /* overrun */
#define ST1_ND 0x04u /* no data */
#define ST1_NW 0x02u /* not writable */
#define ST1_MA 0x01u /* missing address mark */

/* Status register 2 */
#define ST2_CM 0x40u /* control mark: a deleted sector where a normal one was asked for, or the reverse */
#define ST2_DD 0x20u /* data error in the data field */
#define ST2_WC 0x10u /* wrong cylinder */
#define ST2_SH 0x08u /* scan equal hit */
#define ST2_SN 0x04u /* scan not satisfied */

#define DOR_DRIVE_MASK 0x03u
#define DOR_NOT_RESET  0x04u
#define DOR_DMA_GATE   0x08u /* AT mode: without it the interrupt and DMA pins are not driven */

#define FLOPPY_COMMAND_BYTES 9u
#define FLOPPY_RESULT_BYTES  10u

enum floppy_phase { FLOPPY_PHASE_COMMAND, FLOPPY_PHASE_EXECUTION, FLOPPY_PHASE_RESULT };

enum floppy_transfer_kind {
    FLOPPY_READ,
    FLOPPY_READ_DELETED,
    FLOPPY_READ_TRACK,
    FLOPPY_WRITE,
    FLOPPY_WRITE_DELETED,
    FLOPPY_VERIFY,
    FLOPPY_SCAN_EQUAL,
    FLOPPY_SCAN_LOW,
    FLOPPY_SCAN_HIGH,
    FLOPPY_FORMAT,
    FLOPPY_READ_ID
};

enum floppy_transfer_stage {
    FLOPPY_STAGE_NEXT,  /* look for the next sector */
    FLOPPY_STAGE_MOVE,  /* bytes between buffer and host */
    FLOPPY_STAGE_FAILED /* two turns later: report what was not found */
};

/* The execution phase of one command. */
struct floppy_transfer {
    enum floppy_transfer_kind kind;
    enum floppy_transfer_stage stage;
    bool multi_track;
    bool skip;
    bool mfm;
    bool enable_count; /* VERIFY: ends after sectors_left sectors */
    uint8_t unit;
    uint8_t head;               /* the side being read: HDS, then 1 after a multi-track change of sides */
    struct floppy_sector_id id; /* C, H, R, N: the sector being processed */
    uint8_t eot;
    uint8_t scan_step;     /* STP */
    uint8_t filler;        /* FORMAT: D */
    unsigned sectors_left; /* FORMAT: SC; VERIFY with EC: SC; READ TRACK: EOT */
    bool seeked;           /* there was an implied seek */
    uint8_t st1;
    uint8_t st2;
    bool control_mark; /* this sector's mark is not the one asked for */

    uint32_t sector; /* on the disk */
    enum dma_direction direction;
    bool by_cpu; /* non-DMA mode: the host moves bytes through the FIFO */
    bool terminal_count;
    unsigned stalls;
    uint16_t length; /* of what is to be moved for this sector */
    uint16_t position;
    uint8_t buffer[FLOPPY_SECTOR_BYTES];    /* to or from the host */
    uint8_t disk_data[FLOPPY_SECTOR_BYTES]; /* SCAN: what the host's bytes are compared with */
};

struct floppy_unit {
    struct floppy *floppy;
    struct floppy_drive drive;
    uint8_t pcn; /* the cylinder the controller believes the head to be on */
    struct clock_event seek_end;
    uint8_t seek_status; /* ST0 to report then */
    bool attention;      /* SENSE INTERRUPT STATUS has `attention_status` to report for this drive */
    uint8_t attention_status;
};

struct floppy {
    struct device device;
    struct device_host host;
    struct floppy_config config;

    uint8_t dor;
    uint8_t tdr;
    uint8_t rate;            /* CCR and DSR bits 1..0 */
    uint8_t precompensation; /* DSR bits 4..2 */
    uint8_t specify[2];      /* SRT/HUT, HLT/ND */
    uint8_t configure;       /* EIS EFIFO POLL FIFOTHR */
    uint8_t precompensation_track;
    uint8_t perpendicular; /* D3..D0 GAP WGATE in bits 5..0 */
    bool lock;
    uint8_t sc_eot; /* for DUMPREG */

    enum floppy_phase phase;
    uint8_t command[FLOPPY_COMMAND_BYTES];
    unsigned command_length; /* bytes received */
    uint8_t result[FLOPPY_RESULT_BYTES];
    unsigned result_length;
    unsigned result_position;

    bool result_interrupt;    /* a result phase has begun */
    bool transfer_interrupt;  /* a byte waits for the CPU (non-DMA mode) */
    bool attention_interrupt; /* a seek ended, or the polling after a reset */
    bool irq_level;

    struct clock_event reset_polling;
    struct clock_event transfer_step;
    struct floppy_transfer transfer;
    struct floppy_unit units[FLOPPY_DRIVES];
};

static inline bool floppy_implied_seek(const struct floppy *floppy)
{
    return (floppy->configure & 0x40) != 0;
}

static inline bool floppy_fifo_enabled(const struct floppy *floppy)
{
    return (floppy->configure & 0x20) == 0;
}

static inline bool floppy_non_dma_mode(const struct floppy *floppy)
{
    return (floppy->specify[1] & 1) != 0;
}

/* floppy.c */

/* Drives the interrupt pin with what is pending. */
void floppy_update_interrupt(struct floppy *floppy);

/* Like update, but something new is pending: gives an edge even if the pin is high already. */
void floppy_signal_interrupt(struct floppy *floppy);

/* Enters the result phase with `length` bytes, or goes idle when there are none. */
void floppy_give_result(struct floppy *floppy, const uint8_t *bytes, unsigned length);

/* Moves a drive's head as far as the controller's idea of its position is from `cylinder`; returns the number
 * of step pulses. */
unsigned floppy_seek_to(struct floppy_unit *unit, uint8_t cylinder);

/* floppy_transfer.c */

/* Starts the execution phase of the data command in floppy->command. */
void floppy_transfer_begin(struct floppy *floppy, enum floppy_transfer_kind kind);

/* The event handler of transfer_step. */
void floppy_transfer_run(void *opaque);

/* Whether the CPU must move a byte now (non-DMA mode), and into which direction. */
bool floppy_transfer_wants_cpu(const struct floppy *floppy, enum dma_direction *direction);

/* The CPU reads or writes the FIFO while the transfer wants it. */
uint8_t floppy_transfer_read_byte(struct floppy *floppy);
void floppy_transfer_write_byte(struct floppy *floppy, uint8_t value);

#endif
