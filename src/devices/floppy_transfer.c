/* The floppy controller's execution phase: sectors between disk and host.
 *
 * Follows the Intel 82077AA data sheet (1994), §5.1 "Data Transfer Commands", and for SCAN, which that chip
 * inherited from the 8272A, the 8272A's. One event of the clock handles one sector: find its header, move its
 * bytes (DMA, or the CPU through the FIFO), store it, and choose the next one.
 *
 * Where this differs from the chip:
 *  - No disk, or the motor is off: the chip waits for index pulses for ever, until it is reset. Here the
 * command ends abnormally with a missing address mark, so that firmware need not time out on an empty drive.
 *  - With MT set, the last sector of side 0 is followed by sector 1 of side 1 also when EOT is larger than
 * the track. (Firmware for emulated PCs sets EOT to first + count - 1 and relies on it.)
 *  - The CPU can be as slow as it likes in non-DMA mode: no overrun. A DMA channel that stays masked gives
 * one after FLOPPY_STALL_LIMIT attempts.
 *  - CRC errors occur only when the host cannot read or write the image.
 *
 * NOT IMPLEMENTED: sector sizes other than 512 bytes (headers with another N are never found), FM. */
#include <assert.h>
#include <string.h>

#include "devices/floppy_controller.h"

static void schedule(struct floppy *floppy, uint64_t delay)
{
    event_clock_schedule(floppy->host.clock, &floppy->transfer_step,
                         event_clock_now(floppy->host.clock) + delay);
}

static bool is_writing(enum floppy_transfer_kind kind)
{
    return kind == FLOPPY_WRITE || kind == FLOPPY_WRITE_DELETED || kind == FLOPPY_FORMAT;
}

static bool is_scan(enum floppy_transfer_kind kind)
{
    return kind == FLOPPY_SCAN_EQUAL || kind == FLOPPY_SCAN_LOW || kind == FLOPPY_SCAN_HIGH;
}

static struct floppy_drive *current_drive(struct floppy *floppy)
{
    return &floppy->units[floppy->transfer.unit].drive;
}

static struct floppy_reading current_reading(const struct floppy *floppy)
{
    return (struct floppy_reading){
        .rate = (enum floppy_data_rate)floppy->rate,
        .mfm = floppy->transfer.mfm,
        .head = floppy->transfer.head,
    };
}

static bool motor_is_on(const struct floppy *floppy)
{
    return (floppy->dor & (0x10u << floppy->transfer.unit)) != 0;
}

static void finish(struct floppy *floppy, uint8_t interrupt_code)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    uint8_t st0 = (uint8_t)(interrupt_code | (transfer->seeked ? ST0_SE : 0) |
                            (transfer->head ? ST0_HEAD : 0) | transfer->unit);
    uint8_t result[7] = {
        st0, transfer->st1, transfer->st2, transfer->id.c, transfer->id.h, transfer->id.r, transfer->id.n};
    floppy->transfer_interrupt = false;
    floppy_give_result(floppy, result, sizeof result);
    floppy->result_interrupt = true;
    floppy_signal_interrupt(floppy);
}

/* Ends with an error that the chip sees only after the disk has turned twice. */
static void finish_after_search(struct floppy *floppy)
{
    floppy->transfer.stage = FLOPPY_STAGE_FAILED;
    schedule(floppy, FLOPPY_NOT_FOUND_NS);
}

static void finish_with_host_error(struct floppy *floppy, const struct status *status)
{
    log_printf(floppy->host.log, LOG_FDC, "%s", status->message);
    floppy->transfer.st1 |= ST1_DE;
    floppy->transfer.st2 |= ST2_DD;
    finish(floppy, ST0_ABNORMAL);
}

/* Makes `id` what the result phase reports after sector R was the last one processed (table 5-6). */
static void advance_id(struct floppy_transfer *transfer)
{
    if (transfer->id.r != transfer->eot) {
        transfer->id.r++;
        return;
    }
    transfer->id.r = 1;
    if (transfer->multi_track) {
        transfer->id.h ^= 1;
    }
    if (!transfer->multi_track || transfer->head == 1) {
        transfer->id.c++;
    }
}

/* R was the last sector that this side has to give. */
static bool is_end_of_side(struct floppy *floppy)
{
    const struct floppy_transfer *transfer = &floppy->transfer;
    const struct floppy_drive *drive = current_drive(floppy);
    bool physical_end = transfer->multi_track && transfer->head == 0 && drive->image != NULL &&
                        transfer->id.r == drive->geometry.sectors_per_track;
    return transfer->id.r == transfer->eot || physical_end;
}

static void next_sector(struct floppy *floppy)
{
    floppy->transfer.stage = FLOPPY_STAGE_NEXT;
    schedule(floppy, FLOPPY_SECTOR_NS);
}

/* READ TRACK counts sectors; it knows neither sides nor deleted marks. */
static void after_track_sector(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    transfer->sectors_left--;
    if (transfer->terminal_count || transfer->sectors_left == 0) {
        transfer->st1 |= transfer->terminal_count ? 0 : ST1_EN;
        advance_id(transfer);
        finish(floppy, transfer->terminal_count ? 0 : ST0_ABNORMAL);
        return;
    }
    transfer->id.r++;
    next_sector(floppy);
}

/* The sector was moved (or skipped): goes on to the next one, or ends. */
static void after_sector(struct floppy *floppy, bool skipped)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    if (transfer->control_mark && !skipped) {
        finish(floppy, 0); /* tables 5-4 and 5-5: the address is not incremented */
        return;
    }
    bool counted_out = transfer->enable_count && --transfer->sectors_left == 0;
    if (transfer->terminal_count || counted_out) {
        advance_id(transfer);
        finish(floppy, 0);
        return;
    }
    if (!is_end_of_side(floppy)) {
        transfer->id.r = (uint8_t)(transfer->id.r + (is_scan(transfer->kind) ? transfer->scan_step : 1));
        next_sector(floppy);
        return;
    }
    if (transfer->multi_track && transfer->head == 0) {
        transfer->id.r = 1;
        transfer->id.h ^= 1;
        transfer->head = 1;
        next_sector(floppy);
        return;
    }
    advance_id(transfer);
    bool ends_at_eot =
        is_scan(transfer->kind) || (transfer->kind == FLOPPY_VERIFY && !transfer->enable_count);
    transfer->st1 |= ends_at_eot ? 0 : ST1_EN;
    finish(floppy, ends_at_eot ? 0 : ST0_ABNORMAL);
}

/* Compares the host's bytes with the sector's as numbers, first byte most significant; FFh on either side
 * matches anything (8272A, SCAN). Only what came before a terminal count is compared. */
static void after_scan_sector(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    int order = 0; /* disk against host: < 0, 0, > 0 */
    for (unsigned i = 0; i < transfer->position && order == 0; i++) {
        int disk = transfer->disk_data[i];
        int host = transfer->buffer[i];
        order = disk == 0xff || host == 0xff ? 0 : disk - host;
    }
    bool satisfied = order == 0 || (transfer->kind == FLOPPY_SCAN_LOW && order < 0) ||
                     (transfer->kind == FLOPPY_SCAN_HIGH && order > 0);
    transfer->st2 &= (uint8_t) ~(ST2_SH | ST2_SN);
    transfer->st2 |= (uint8_t)(order == 0 ? ST2_SH : satisfied ? 0 : ST2_SN);
    if (satisfied) {
        finish(floppy, 0);
    } else {
        after_sector(floppy, false);
    }
}

static void after_written_sector(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    struct floppy_drive *drive = current_drive(floppy);
    /* Terminal count in mid-sector: the chip fills the rest with zeros. */
    memset(transfer->buffer + transfer->position, 0, FLOPPY_SECTOR_BYTES - transfer->position);
    /* The disk may have been changed while the CPU was filling the buffer. */
    struct floppy_reading reading = current_reading(floppy);
    if (drive->write_protected ||
        floppy_drive_find(drive, &reading, &transfer->id, &transfer->sector) != FLOPPY_SECTOR_FOUND) {
        transfer->stage = FLOPPY_STAGE_NEXT; /* which reports the reason */
        schedule(floppy, FLOPPY_SECTOR_NS);
        return;
    }
    struct status status =
        floppy_drive_write(drive, transfer->sector, transfer->buffer, transfer->kind == FLOPPY_WRITE_DELETED);
    if (!status_is_ok(&status)) {
        finish_with_host_error(floppy, &status);
        return;
    }
    after_sector(floppy, false);
}

static void after_format_header(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    struct floppy_drive *drive = current_drive(floppy);
    if (transfer->position == 4) {
        const uint8_t *bytes = transfer->buffer;
        transfer->id = (struct floppy_sector_id){bytes[0], bytes[1], bytes[2], bytes[3]};
        struct floppy_reading reading = current_reading(floppy);
        struct status status =
            drive->write_protected
                ? status_ok()
                : floppy_drive_format_sector(drive, &reading, &transfer->id, transfer->filler);
        if (!status_is_ok(&status)) {
            finish_with_host_error(floppy, &status);
            return;
        }
    }
    transfer->sectors_left--;
    if (transfer->sectors_left == 0 || transfer->terminal_count) {
        finish(floppy, 0);
    } else {
        next_sector(floppy);
    }
}

/* All bytes of this sector have moved, or the terminal count has come. */
static void after_move(struct floppy *floppy)
{
    switch (floppy->transfer.kind) {
    case FLOPPY_WRITE:
    case FLOPPY_WRITE_DELETED: after_written_sector(floppy); break;
    case FLOPPY_FORMAT: after_format_header(floppy); break;
    case FLOPPY_READ_TRACK: after_track_sector(floppy); break;
    case FLOPPY_SCAN_EQUAL:
    case FLOPPY_SCAN_LOW:
    case FLOPPY_SCAN_HIGH: after_scan_sector(floppy); break;
    default: after_sector(floppy, false); break;
    }
}

static void move_by_dma(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    size_t moved = 0;
    if ((floppy->dor & DOR_DMA_GATE) != 0) {
        size_t wanted = (size_t)(transfer->length - transfer->position);
        moved = dma_line_transfer(&floppy->config.dma, transfer->direction,
                                  transfer->buffer + transfer->position, wanted, &transfer->terminal_count);
        assert(moved <= wanted);
    }
    transfer->position = (uint16_t)(transfer->position + moved);
    if (transfer->position == transfer->length || transfer->terminal_count) {
        transfer->stalls = 0;
        after_move(floppy);
    } else if (++transfer->stalls > FLOPPY_STALL_LIMIT) {
        transfer->st1 |= ST1_OR;
        finish(floppy, ST0_ABNORMAL);
    } else {
        schedule(floppy, FLOPPY_STALL_NS);
    }
}

/* `length` bytes of the buffer are to go to the host, or to come from it. */
static void start_move(struct floppy *floppy, enum dma_direction direction, uint16_t length)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    transfer->direction = direction;
    transfer->length = length;
    transfer->position = 0;
    transfer->stage = FLOPPY_STAGE_MOVE;
    if (transfer->by_cpu) {
        floppy->transfer_interrupt = true;
        floppy_signal_interrupt(floppy);
    } else {
        move_by_dma(floppy);
    }
}

bool floppy_transfer_wants_cpu(const struct floppy *floppy, enum dma_direction *direction)
{
    const struct floppy_transfer *transfer = &floppy->transfer;
    *direction = transfer->direction;
    return floppy->phase == FLOPPY_PHASE_EXECUTION && transfer->by_cpu &&
           transfer->stage == FLOPPY_STAGE_MOVE && transfer->position < transfer->length;
}

/* With the FIFO on, the interrupt stays until the sector is through; without it, every byte has its own. */
static void after_cpu_byte(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    if (transfer->position == transfer->length) {
        floppy->transfer_interrupt = false;
        floppy_update_interrupt(floppy);
        after_move(floppy);
    } else if (!floppy_fifo_enabled(floppy)) {
        floppy_signal_interrupt(floppy);
    }
}

uint8_t floppy_transfer_read_byte(struct floppy *floppy)
{
    uint8_t value = floppy->transfer.buffer[floppy->transfer.position++];
    after_cpu_byte(floppy);
    return value;
}

void floppy_transfer_write_byte(struct floppy *floppy, uint8_t value)
{
    floppy->transfer.buffer[floppy->transfer.position++] = value;
    after_cpu_byte(floppy);
}

/* True when found; otherwise the command's end is on its way. */
static bool found(struct floppy *floppy, enum floppy_search search)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    switch (search) {
    case FLOPPY_SECTOR_FOUND: return true;
    case FLOPPY_NO_MARKS: transfer->st1 |= ST1_MA; break;
    case FLOPPY_NO_SECTOR: transfer->st1 |= ST1_ND; break;
    case FLOPPY_OTHER_CYLINDER:
        transfer->st1 |= ST1_ND;
        transfer->st2 |= ST2_WC;
        break;
    }
    finish_after_search(floppy);
    return false;
}

static void start_sector(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    struct floppy_drive *drive = current_drive(floppy);
    if (is_writing(transfer->kind)) {
        start_move(floppy, DMA_FROM_MEMORY, FLOPPY_SECTOR_BYTES);
        return;
    }
    transfer->control_mark =
        transfer->kind != FLOPPY_READ_TRACK &&
        floppy_drive_is_deleted(drive, transfer->sector) != (transfer->kind == FLOPPY_READ_DELETED);
    if (transfer->control_mark) {
        transfer->st2 |= ST2_CM;
        if (transfer->skip) {
            after_sector(floppy, true);
            return;
        }
    }
    uint8_t *to = is_scan(transfer->kind) ? transfer->disk_data : transfer->buffer;
    struct status status = floppy_drive_read(drive, transfer->sector, to);
    if (!status_is_ok(&status)) {
        finish_with_host_error(floppy, &status);
    } else if (transfer->kind == FLOPPY_VERIFY) {
        after_sector(floppy, false);
    } else {
        start_move(floppy, is_scan(transfer->kind) ? DMA_FROM_MEMORY : DMA_TO_MEMORY, FLOPPY_SECTOR_BYTES);
    }
}

static bool same_id(const struct floppy_sector_id *a, const struct floppy_sector_id *b)
{
    return a->c == b->c && a->h == b->h && a->r == b->r && a->n == b->n;
}

static void start_next(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    struct floppy_drive *drive = current_drive(floppy);
    if (drive->image == NULL || !motor_is_on(floppy)) {
        found(floppy, FLOPPY_NO_MARKS);
        return;
    }
    if (is_writing(transfer->kind) && drive->write_protected) {
        transfer->st1 |= ST1_NW;
        finish(floppy, ST0_ABNORMAL);
        return;
    }
    struct floppy_reading reading = current_reading(floppy);
    struct floppy_sector_id id;
    switch (transfer->kind) {
    case FLOPPY_READ_ID:
        if (found(floppy, floppy_drive_next_id(drive, &reading, &transfer->id, &transfer->sector))) {
            finish(floppy, 0);
        }
        break;
    case FLOPPY_READ_TRACK:
        if (found(floppy, floppy_drive_next_id(drive, &reading, &id, &transfer->sector))) {
            transfer->st1 |= same_id(&id, &transfer->id) ? 0 : ST1_ND;
            start_sector(floppy);
        }
        break;
    case FLOPPY_FORMAT:
        if (transfer->sectors_left == 0) {
            finish(floppy, 0);
        } else {
            start_move(floppy, DMA_FROM_MEMORY, 4);
        }
        break;
    default:
        if (found(floppy, floppy_drive_find(drive, &reading, &transfer->id, &transfer->sector))) {
            start_sector(floppy);
        }
        break;
    }
}

void floppy_transfer_run(void *opaque)
{
    struct floppy *floppy = opaque;
    switch (floppy->transfer.stage) {
    case FLOPPY_STAGE_NEXT: start_next(floppy); break;
    case FLOPPY_STAGE_MOVE: move_by_dma(floppy); break;
    case FLOPPY_STAGE_FAILED: finish(floppy, ST0_ABNORMAL); break;
    }
}

/* The parameters after the drive byte: C H R N EOT GPL DTL, with SC or STP in the last one; or N SC GPL D. */
static void parse_parameters(struct floppy *floppy)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    const uint8_t *bytes = floppy->command;
    switch (transfer->kind) {
    case FLOPPY_READ_ID: break;
    case FLOPPY_FORMAT:
        transfer->id.n = bytes[2];
        transfer->sectors_left = bytes[3];
        transfer->filler = bytes[5];
        floppy->sc_eot = bytes[3];
        break;
    default:
        transfer->id = (struct floppy_sector_id){bytes[2], bytes[3], bytes[4], bytes[5]};
        transfer->eot = bytes[6];
        transfer->scan_step = bytes[8];
        floppy->sc_eot = bytes[6];
        break;
    }
    if (transfer->kind == FLOPPY_VERIFY) {
        transfer->enable_count = (bytes[1] & 0x80) != 0;
        transfer->sectors_left = bytes[8] == 0 ? 256 : bytes[8];
    }
    if (transfer->kind == FLOPPY_READ_TRACK) {
        transfer->multi_track = false;
        transfer->sectors_left = transfer->eot == 0 ? 256 : transfer->eot;
    }
}

static bool has_implied_seek(enum floppy_transfer_kind kind)
{
    return kind != FLOPPY_FORMAT && kind != FLOPPY_READ_ID;
}

void floppy_transfer_begin(struct floppy *floppy, enum floppy_transfer_kind kind)
{
    struct floppy_transfer *transfer = &floppy->transfer;
    *transfer = (struct floppy_transfer){
        .kind = kind,
        .stage = FLOPPY_STAGE_NEXT,
        .multi_track = (floppy->command[0] & 0x80) != 0,
        .mfm = (floppy->command[0] & 0x40) != 0,
        .skip = (floppy->command[0] & 0x20) != 0,
        .unit = floppy->command[1] & 3,
        .head = (floppy->command[1] >> 2) & 1,
        .by_cpu = floppy_non_dma_mode(floppy),
    };
    parse_parameters(floppy);
    floppy->phase = FLOPPY_PHASE_EXECUTION;

    unsigned steps = 0;
    struct floppy_unit *unit = &floppy->units[transfer->unit];
    if (floppy_implied_seek(floppy) && has_implied_seek(kind) && unit->pcn != transfer->id.c) {
        steps = floppy_seek_to(unit, transfer->id.c);
        transfer->seeked = true;
    }
    if (kind == FLOPPY_READ_TRACK) {
        floppy_drive_wait_for_index(&unit->drive);
    }
    if (kind == FLOPPY_FORMAT && !unit->drive.write_protected && motor_is_on(floppy)) {
        struct floppy_reading reading = current_reading(floppy);
        floppy_drive_erase_track(&unit->drive, &reading);
    }
    schedule(floppy, FLOPPY_COMMAND_NS + steps * FLOPPY_STEP_NS);
}
