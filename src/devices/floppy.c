/* The floppy disk controller: its registers, its command and result phases, and the commands that move no
 * data.
 *
 * Follows the Intel 82077AA data sheet (1994) in AT mode (§2 registers, §3 reset, §5 commands, §7.4 polling).
 * Commands that move data are in floppy_transfer.c, drives and disks in floppy_drive.c.
 *
 * Interrupts: one pin with three sources, a result phase (until its first byte is read), a byte for the CPU
 * in non-DMA mode, and a drive's attention: a seek has ended or the polling after a reset has found all four
 * drives "changed". The last kind waits per drive for SENSE INTERRUPT STATUS, lowest drive first. One
 * interrupt announces all four of the polling.
 *
 * A reset clears the controller's idea of where the heads are (PCN), not where they are: software
 * recalibrates.
 *
 * NOT IMPLEMENTED: PS/2 registers SRA and SRB (AT mode has none: all ones), tape drives, power-down
 * (accepted), write precompensation, step rate and head times from SPECIFY (short fixed times instead),
 * perpendicular recording (kept, without effect), PART ID and other 82078 commands (invalid, which is how
 * software tells the chips apart). */
#include "devices/floppy.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"
#include "devices/floppy_controller.h"

#define REGISTER_DOR  2
#define REGISTER_TDR  3
#define REGISTER_MSR  4 /* read; write: DSR */
#define REGISTER_FIFO 5

#define MSR_RQM     0x80u
#define MSR_DIO     0x40u
#define MSR_NON_DMA 0x20u
#define MSR_BUSY    0x10u

#define DSR_RESET 0x80u

#define CONFIGURE_RESET   0x20u /* no implied seek, FIFO off, polling on, threshold 1 */
#define CONFIGURE_NO_POLL 0x10u
#define CONFIGURE_LOCKABLE                                                                                   \
    0x2Fu /* EFIFO and FIFOTHR survive a software reset after LOCK; EIS and POLL do not */

#define VERSION_82077AA 0x90u

static struct floppy *floppy_from(const struct device *device)
{
    return (struct floppy *)(void *)device;
}

static void drive_pin(struct floppy *floppy, bool level)
{
    if (level != floppy->irq_level) {
        floppy->irq_level = level;
        irq_line_set(&floppy->config.irq, level);
    }
}

void floppy_update_interrupt(struct floppy *floppy)
{
    bool pending = floppy->result_interrupt || floppy->transfer_interrupt || floppy->attention_interrupt;
    drive_pin(floppy, pending && (floppy->dor & DOR_DMA_GATE) != 0);
}

void floppy_signal_interrupt(struct floppy *floppy)
{
    drive_pin(floppy, false);
    floppy_update_interrupt(floppy);
}

void floppy_give_result(struct floppy *floppy, const uint8_t *bytes, unsigned length)
{
    assert(length <= FLOPPY_RESULT_BYTES);
    for (unsigned i = 0; i < length; i++) {
        floppy->result[i] = bytes[i];
    }
    floppy->result_length = length;
    floppy->result_position = 0;
    floppy->command_length = 0;
    floppy->phase = length > 0 ? FLOPPY_PHASE_RESULT : FLOPPY_PHASE_COMMAND;
    if (length >= 7) {
        log_printf(floppy->host.log, LOG_FDC, "result %02x %02x %02x, C%u H%u R%u N%u", bytes[0], bytes[1],
                   bytes[2], bytes[3], bytes[4], bytes[5], bytes[6]);
    }
}

static void no_result(struct floppy *floppy)
{
    floppy_give_result(floppy, NULL, 0);
}

/* ---- seeks */

unsigned floppy_seek_to(struct floppy_unit *unit, uint8_t cylinder)
{
    int steps = cylinder - unit->pcn;
    floppy_drive_step(&unit->drive, steps);
    unit->pcn = cylinder;
    return (unsigned)abs(steps);
}

/* The head is there at once; software learns of it when the steps' time has passed. */
static void end_seek_later(struct floppy_unit *unit, unsigned steps, uint8_t status)
{
    struct event_clock *clock = unit->floppy->host.clock;
    unit->seek_status = status;
    unit->attention = false;
    event_clock_schedule(clock, &unit->seek_end,
                         event_clock_now(clock) + FLOPPY_COMMAND_NS + steps * FLOPPY_STEP_NS);
}

static void seek_ended(void *opaque)
{
    struct floppy_unit *unit = opaque;
    unit->attention = true;
    unit->attention_status = unit->seek_status;
    unit->floppy->attention_interrupt = true;
    floppy_signal_interrupt(unit->floppy);
}

static struct floppy_unit *command_unit(struct floppy *floppy)
{
    return &floppy->units[floppy->command[1] & 3];
}

static void execute_recalibrate(struct floppy *floppy)
{
    struct floppy_unit *unit = command_unit(floppy);
    unsigned pulses;
    bool at_track_0 = floppy_drive_recalibrate(&unit->drive, &pulses);
    unit->pcn = 0;
    end_seek_later(unit, pulses,
                   (uint8_t)(ST0_SE | (at_track_0 ? 0 : ST0_ABNORMAL | ST0_EC) | (floppy->command[1] & 3)));
    no_result(floppy);
}

static void execute_seek(struct floppy *floppy)
{
    struct floppy_unit *unit = command_unit(floppy);
    unsigned steps = floppy_seek_to(unit, floppy->command[2]);
    end_seek_later(unit, steps, (uint8_t)(ST0_SE | (floppy->command[1] & 3)));
    no_result(floppy);
}

/* PCN wraps at 256 (the chip can address more tracks than its register can count); the head does not. */
static void execute_relative_seek(struct floppy *floppy)
{
    struct floppy_unit *unit = command_unit(floppy);
    int steps = (floppy->command[0] & 0x40) != 0 ? floppy->command[2] : -floppy->command[2];
    floppy_drive_step(&unit->drive, steps);
    unit->pcn = (uint8_t)(unit->pcn + steps);
    end_seek_later(unit, floppy->command[2], (uint8_t)(ST0_SE | (floppy->command[1] & 3)));
    no_result(floppy);
}

static void execute_sense_interrupt(struct floppy *floppy)
{
    unsigned number = 0;
    while (number < FLOPPY_DRIVES && !floppy->units[number].attention) {
        number++;
    }
    if (number == FLOPPY_DRIVES) {
        const uint8_t invalid = ST0_INVALID;
        floppy_give_result(floppy, &invalid, 1);
        return;
    }
    struct floppy_unit *unit = &floppy->units[number];
    const uint8_t result[2] = {unit->attention_status, unit->pcn};
    unit->attention = false;
    floppy->attention_interrupt = false;
    for (unsigned i = number + 1; i < FLOPPY_DRIVES; i++) {
        const struct floppy_unit *other = &floppy->units[i];
        floppy->attention_interrupt |=
            other->attention && (other->attention_status & ST0_POLLING) != ST0_POLLING;
    }
    floppy_give_result(floppy, result, sizeof result);
    floppy_signal_interrupt(floppy);
}

/* ---- other commands without data */

static void execute_specify(struct floppy *floppy)
{
    floppy->specify[0] = floppy->command[1];
    floppy->specify[1] = floppy->command[2];
    no_result(floppy);
}

static void execute_sense_drive(struct floppy *floppy)
{
    const struct floppy_drive *drive = &command_unit(floppy)->drive;
    uint8_t st3 = (uint8_t)(0x28u | (drive->write_protected ? 0x40u : 0) |
                            (floppy_drive_at_track_0(drive) ? 0x10u : 0) | (floppy->command[1] & 7u));
    floppy_give_result(floppy, &st3, 1);
}

static void execute_configure(struct floppy *floppy)
{
    floppy->configure = floppy->command[2] & 0x7f;
    floppy->precompensation_track = floppy->command[3];
    if ((floppy->configure & CONFIGURE_NO_POLL) != 0) {
        event_clock_cancel(floppy->host.clock, &floppy->reset_polling);
    }
    no_result(floppy);
}

static void execute_dumpreg(struct floppy *floppy)
{
    const uint8_t result[10] = {
        floppy->units[0].pcn, floppy->units[1].pcn,
        floppy->units[2].pcn, floppy->units[3].pcn,
        floppy->specify[0],   floppy->specify[1],
        floppy->sc_eot,       (uint8_t)((floppy->lock ? 0x80 : 0) | floppy->perpendicular),
        floppy->configure,    floppy->precompensation_track,
    };
    floppy_give_result(floppy, result, sizeof result);
}

static void execute_version(struct floppy *floppy)
{
    const uint8_t version = VERSION_82077AA;
    floppy_give_result(floppy, &version, 1);
}

static void execute_lock(struct floppy *floppy)
{
    floppy->lock = (floppy->command[0] & 0x80) != 0;
    const uint8_t result = floppy->lock ? 0x10 : 0;
    floppy_give_result(floppy, &result, 1);
}

/* D3..D0 change only together with OW. */
static void execute_perpendicular(struct floppy *floppy)
{
    uint8_t value = floppy->command[1];
    uint8_t drives = (value & 0x80) != 0 ? value : floppy->perpendicular;
    floppy->perpendicular = (uint8_t)((drives & 0x3c) | (value & 0x03));
    no_result(floppy);
}

/* Table 5-1. The MT, MFM and SK bits are left out of a data command's mask. */
static const struct floppy_command {
    uint8_t mask;
    uint8_t code;
    uint8_t length; /* with all parameters */
    const char *name;
    void (*execute)(struct floppy *floppy); /* NULL: a data command, of this kind: */
    enum floppy_transfer_kind kind;
} floppy_commands[] = {
    // clang-format off
    {0x1f, 0x02, 9, "read track",         NULL, FLOPPY_READ_TRACK},
    {0xff, 0x03, 3, "specify",            .execute = execute_specify},
    {0xff, 0x04, 2, "sense drive status", .execute = execute_sense_drive},
    {0x1f, 0x05, 9, "write data",         NULL, FLOPPY_WRITE},
    {0x1f, 0x06, 9, "read data",          NULL, FLOPPY_READ},
    {0xff, 0x07, 2, "recalibrate",        .execute = execute_recalibrate},
    {0xff, 0x08, 1, "sense interrupt",    .execute = execute_sense_interrupt},
    {0x1f, 0x09, 9, "write deleted data", NULL, FLOPPY_WRITE_DELETED},
    {0x1f, 0x0a, 2, "read id",            NULL, FLOPPY_READ_ID},
    {0x1f, 0x0c, 9, "read deleted data",  NULL, FLOPPY_READ_DELETED},
    {0x1f, 0x0d, 6, "format track",       NULL, FLOPPY_FORMAT},
    {0xff, 0x0e, 1, "dumpreg",            .execute = execute_dumpreg},
    {0xff, 0x0f, 3, "seek",               .execute = execute_seek},
    {0xff, 0x10, 1, "version",            .execute = execute_version},
    {0x1f, 0x11, 9, "scan equal",         NULL, FLOPPY_SCAN_EQUAL},
    {0xff, 0x12, 2, "perpendicular mode", .execute = execute_perpendicular},
    {0xff, 0x13, 4, "configure",          .execute = execute_configure},
    {0x7f, 0x14, 1, "lock",               .execute = execute_lock},
    {0x1f, 0x16, 9, "verify",             NULL, FLOPPY_VERIFY},
    {0x1f, 0x19, 9, "scan low or equal",  NULL, FLOPPY_SCAN_LOW},
    {0x1f, 0x1d, 9, "scan high or equal", NULL, FLOPPY_SCAN_HIGH},
    {0xbf, 0x8f, 3, "relative seek",      .execute = execute_relative_seek},
    // clang-format on
};

static const struct floppy_command *find_command(uint8_t code)
{
    for (unsigned i = 0; i < ARRAY_COUNT(floppy_commands); i++) {
        if ((code & floppy_commands[i].mask) == floppy_commands[i].code) {
            return &floppy_commands[i];
        }
    }
    return NULL;
}

static void log_command(const struct floppy *floppy, const struct floppy_command *command)
{
    const uint8_t *bytes = floppy->command;
    if (command->length == FLOPPY_COMMAND_BYTES) {
        log_printf(floppy->host.log, LOG_FDC,
                   "%s (%02x) drive %u head %u, C%u H%u R%u N%u EOT %u GPL %02x DTL %02x", command->name,
                   bytes[0], bytes[1] & 3, (bytes[1] >> 2) & 1, bytes[2], bytes[3], bytes[4], bytes[5],
                   bytes[6], bytes[7], bytes[8]);
    } else {
        log_printf(floppy->host.log, LOG_FDC, "%s (%02x) %02x %02x %02x", command->name, bytes[0],
                   command->length > 1 ? bytes[1] : 0, command->length > 2 ? bytes[2] : 0,
                   command->length > 3 ? bytes[3] : 0);
    }
}

static void take_command_byte(struct floppy *floppy, uint8_t value)
{
    floppy->command[floppy->command_length++] = value;
    const struct floppy_command *command = find_command(floppy->command[0]);
    if (command == NULL) {
        log_printf(floppy->host.log, LOG_GUEST_ERROR, "floppy: invalid command %02x", value);
        const uint8_t invalid = ST0_INVALID;
        floppy_give_result(floppy, &invalid, 1);
    } else if (floppy->command_length == command->length) {
        log_command(floppy, command);
        if (command->execute != NULL) {
            command->execute(floppy);
        } else {
            floppy_transfer_begin(floppy, command->kind);
        }
    }
}

/* ---- reset */

static void poll_after_reset(void *opaque)
{
    struct floppy *floppy = opaque;
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        floppy->units[i].attention = true;
        floppy->units[i].attention_status = (uint8_t)(ST0_POLLING | i);
    }
    floppy->attention_interrupt = true;
    floppy_signal_interrupt(floppy);
}

/* What a reset by DOR, DSR or the RESET pin does to the chip's inside. SPECIFY's values stay (§3). */
static void enter_reset(struct floppy *floppy)
{
    event_clock_cancel(floppy->host.clock, &floppy->transfer_step);
    event_clock_cancel(floppy->host.clock, &floppy->reset_polling);
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        event_clock_cancel(floppy->host.clock, &floppy->units[i].seek_end);
        floppy->units[i].attention = false;
        floppy->units[i].pcn = 0;
    }
    if (floppy->lock) {
        floppy->configure &= CONFIGURE_LOCKABLE;
    } else {
        floppy->configure = CONFIGURE_RESET;
        floppy->precompensation_track = 0;
    }
    floppy->perpendicular &= 0x3c;
    floppy->result_interrupt = false;
    floppy->transfer_interrupt = false;
    floppy->attention_interrupt = false;
    no_result(floppy);
    floppy_update_interrupt(floppy);
}

static void leave_reset(struct floppy *floppy)
{
    event_clock_schedule(floppy->host.clock, &floppy->reset_polling,
                         event_clock_now(floppy->host.clock) + FLOPPY_RESET_NS);
}

static bool is_in_reset(const struct floppy *floppy)
{
    return (floppy->dor & DOR_NOT_RESET) == 0;
}

/* ---- registers */

static void write_dor(struct floppy *floppy, uint8_t value)
{
    bool was_in_reset = is_in_reset(floppy);
    floppy->dor = value;
    if (is_in_reset(floppy)) {
        if (!was_in_reset) {
            enter_reset(floppy);
        }
    } else if (was_in_reset) {
        leave_reset(floppy);
    }
    floppy_update_interrupt(floppy);
}

static void write_dsr(struct floppy *floppy, uint8_t value)
{
    floppy->rate = value & 3;
    floppy->precompensation = (value >> 2) & 7;
    if ((value & DSR_RESET) != 0 && !is_in_reset(floppy)) {
        enter_reset(floppy);
        leave_reset(floppy);
    }
}

static uint8_t read_msr(const struct floppy *floppy)
{
    if (is_in_reset(floppy)) {
        return 0;
    }
    uint8_t msr = 0;
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        msr |= (uint8_t)(clock_event_is_scheduled(&floppy->units[i].seek_end) ? 1u << i : 0);
    }
    enum dma_direction direction;
    switch (floppy->phase) {
    case FLOPPY_PHASE_COMMAND: return (uint8_t)(msr | MSR_RQM | (floppy->command_length > 0 ? MSR_BUSY : 0));
    case FLOPPY_PHASE_RESULT: return (uint8_t)(msr | MSR_RQM | MSR_DIO | MSR_BUSY);
    default: break;
    }
    msr |= (uint8_t)(MSR_BUSY | (floppy->transfer.by_cpu ? MSR_NON_DMA : 0));
    if (floppy_transfer_wants_cpu(floppy, &direction)) {
        msr |= (uint8_t)(MSR_RQM | (direction == DMA_TO_MEMORY ? MSR_DIO : 0));
    }
    return msr;
}

static uint8_t read_fifo(struct floppy *floppy)
{
    enum dma_direction direction;
    if (floppy->phase == FLOPPY_PHASE_EXECUTION && floppy_transfer_wants_cpu(floppy, &direction) &&
        direction == DMA_TO_MEMORY) {
        return floppy_transfer_read_byte(floppy);
    }
    if (is_in_reset(floppy) || floppy->phase != FLOPPY_PHASE_RESULT) {
        return 0;
    }
    uint8_t value = floppy->result[floppy->result_position++];
    floppy->result_interrupt = false;
    floppy_update_interrupt(floppy);
    if (floppy->result_position == floppy->result_length) {
        no_result(floppy);
    }
    return value;
}

static void write_fifo(struct floppy *floppy, uint8_t value)
{
    enum dma_direction direction;
    if (is_in_reset(floppy)) {
        return;
    }
    if (floppy->phase == FLOPPY_PHASE_COMMAND) {
        take_command_byte(floppy, value);
    } else if (floppy_transfer_wants_cpu(floppy, &direction) && direction == DMA_FROM_MEMORY) {
        floppy_transfer_write_byte(floppy, value);
    } else {
        log_printf(floppy->host.log, LOG_GUEST_ERROR, "floppy: byte %02x written while busy", value);
    }
}

static uint64_t floppy_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    struct floppy *floppy = opaque;
    switch (offset) {
    case REGISTER_DOR: return floppy->dor;
    case REGISTER_TDR: return 0xfcu | floppy->tdr; /* bits 7..2 float */
    case REGISTER_MSR: return read_msr(floppy);
    case REGISTER_FIFO: return read_fifo(floppy);
    default: return 0xff;
    }
}

static void floppy_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    struct floppy *floppy = opaque;
    switch (offset) {
    case REGISTER_DOR: write_dor(floppy, (uint8_t)value); break;
    case REGISTER_TDR: floppy->tdr = value & 3; break;
    case REGISTER_MSR: write_dsr(floppy, (uint8_t)value); break;
    case REGISTER_FIFO: write_fifo(floppy, (uint8_t)value); break;
    default: break;
    }
}

/* The change line of the drive that DOR selects; bits 6..0 belong to the hard disk controller. */
static uint64_t read_dir(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset;
    (void)width;
    const struct floppy *floppy = opaque;
    const struct floppy_drive *drive = &floppy->units[floppy->dor & DOR_DRIVE_MASK].drive;
    return drive->type != FLOPPY_DRIVE_NONE && drive->changed ? 0x80 : 0;
}

static void write_ccr(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    struct floppy *floppy = opaque;
    floppy->rate = value & 3;
}

/* ---- the device */

static void floppy_reset(struct device *device)
{
    struct floppy *floppy = floppy_from(device);
    floppy->dor = 0; /* which holds the chip in reset */
    floppy->tdr = 0;
    floppy->rate = FLOPPY_RATE_250K;
    floppy->precompensation = 0;
    floppy->lock = false;
    floppy->specify[0] = 0;
    floppy->specify[1] = 0;
    floppy->sc_eot = 0;
    enter_reset(floppy);
    floppy->perpendicular = 0;
}

static void describe_drive(const struct floppy *floppy, unsigned number, FILE *out)
{
    const struct floppy_unit *unit = &floppy->units[number];
    const struct floppy_drive *drive = &unit->drive;
    if (drive->type == FLOPPY_DRIVE_NONE) {
        return;
    }
    fprintf(out, "  drive %u: %s, motor %s, head on track %u (PCN %u)%s, ", number,
            floppy_drive_type_name(drive->type), (floppy->dor & (0x10u << number)) != 0 ? "on" : "off",
            drive->track, unit->pcn, drive->changed ? ", change line set" : "");
    if (drive->image == NULL) {
        fprintf(out, "no disk\n");
        return;
    }
    fprintf(out, "%s disk '%s'%s\n", drive->geometry.name, block_device_path(drive->image),
            drive->write_protected ? ", write-protected" : "");
}

static void floppy_describe(struct device *device, FILE *out)
{
    static const char *const phases[] = {"command", "execution", "result"};
    static const char *const rates[] = {"500", "300", "250", "1000"};
    const struct floppy *floppy = floppy_from(device);
    fprintf(out, "82077AA at %03x: %s phase, %s kbit/s, interrupt %s%s\n", floppy->config.base,
            phases[floppy->phase], rates[floppy->rate], floppy->irq_level ? "high" : "low",
            is_in_reset(floppy) ? ", in reset" : "");
    fprintf(out, "  DOR %02x MSR %02x, %s, implied seek %s, FIFO %s, registers %slocked\n", floppy->dor,
            read_msr(floppy), floppy_non_dma_mode(floppy) ? "non-DMA" : "DMA",
            floppy_implied_seek(floppy) ? "on" : "off", floppy_fifo_enabled(floppy) ? "on" : "off",
            floppy->lock ? "" : "un");
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        describe_drive(floppy, i, out);
    }
}

static void floppy_regions(struct floppy *floppy, struct io_region regions[2])
{
    regions[0] = (struct io_region){
        .name = "floppy",
        .base = floppy->config.base,
        .length = 6,
        .read = floppy_read,
        .write = floppy_write,
        .opaque = floppy,
    };
    regions[1] = (struct io_region){
        .name = "floppy-dir",
        .base = (uint64_t)floppy->config.base + 7,
        .length = 1,
        .read = read_dir,
        .write = write_ccr,
        .opaque = floppy,
    };
}

static void floppy_destroy(struct device *device)
{
    struct floppy *floppy = floppy_from(device);
    struct io_region regions[2];
    floppy_regions(floppy, regions);
    device_ports_release(floppy->host.ports, regions, ARRAY_COUNT(regions));
    event_clock_cancel(floppy->host.clock, &floppy->transfer_step);
    event_clock_cancel(floppy->host.clock, &floppy->reset_polling);
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        event_clock_cancel(floppy->host.clock, &floppy->units[i].seek_end);
        floppy_drive_eject(&floppy->units[i].drive);
    }
    free(floppy);
}

static void floppy_visit_state(struct device *device, const struct state_visitor *visitor)
{
    struct floppy *floppy = floppy_from(device);
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        const struct floppy_drive *drive = &floppy->units[i].drive;
        if (drive->sector_flags != NULL) {
            state_visit(visitor, drive->sector_flags, floppy_geometry_sectors(&drive->geometry));
        }
    }
}

static const struct device_class floppy_class = {.name = "floppy",
                                                 .reset = floppy_reset,
                                                 .describe = floppy_describe,
                                                 .destroy = floppy_destroy,
                                                 .state_size = sizeof(struct floppy),
                                                 .visit_state = floppy_visit_state};

struct status floppy_create(const struct device_host *host, const struct floppy_config *config,
                            struct device **device)
{
    *device = NULL;
    struct floppy *floppy = calloc(1, sizeof *floppy);
    if (floppy == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the floppy controller");
    }
    floppy->device.class = &floppy_class;
    floppy->host = *host;
    floppy->config = *config;
    struct io_region regions[2];
    floppy_regions(floppy, regions);
    struct status status = device_ports_claim(host->ports, regions, ARRAY_COUNT(regions));
    if (!status_is_ok(&status)) {
        free(floppy);
        return status;
    }
    clock_event_init(&floppy->transfer_step, "floppy transfer", floppy_transfer_run, floppy);
    clock_event_init(&floppy->reset_polling, "floppy polling", poll_after_reset, floppy);
    for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
        struct floppy_unit *unit = &floppy->units[i];
        unit->floppy = floppy;
        unit->drive.type = config->drives[i];
        unit->drive.changed = true;
        clock_event_init(&unit->seek_end, "floppy seek", seek_ended, unit);
    }
    floppy_reset(&floppy->device);
    *device = &floppy->device;
    return status_ok();
}

struct status floppy_insert(struct device *device, unsigned drive, struct block_device *image,
                            const struct floppy_geometry *geometry, bool write_protected)
{
    struct floppy *floppy = floppy_from(device);
    if (drive >= FLOPPY_DRIVES || floppy->units[drive].drive.type == FLOPPY_DRIVE_NONE) {
        return status_error(STATUS_INVALID_ARGUMENT, "there is no floppy drive %u", drive);
    }
    struct floppy_drive *at = &floppy->units[drive].drive;
    struct floppy_drive replaced = *at;
    at->image = NULL;
    struct status status = floppy_drive_insert(at, image, geometry, write_protected);
    if (status_is_ok(&status)) {
        floppy_drive_eject(&replaced);
    } else {
        *at = replaced;
    }
    return status;
}

void floppy_eject(struct device *device, unsigned drive)
{
    if (drive < FLOPPY_DRIVES) {
        floppy_drive_eject(&floppy_from(device)->units[drive].drive);
    }
}

void floppy_set_write_protect(struct device *device, unsigned drive, bool write_protected)
{
    if (drive < FLOPPY_DRIVES && floppy_image(device, drive) != NULL) {
        struct floppy_drive *at = &floppy_from(device)->units[drive].drive;
        at->write_protected = write_protected || block_device_is_read_only(at->image);
    }
}

struct block_device *floppy_image(const struct device *device, unsigned drive)
{
    return drive < FLOPPY_DRIVES ? floppy_from(device)->units[drive].drive.image : NULL;
}

enum floppy_drive_type floppy_type(const struct device *device, unsigned drive)
{
    return drive < FLOPPY_DRIVES ? floppy_from(device)->units[drive].drive.type : FLOPPY_DRIVE_NONE;
}
