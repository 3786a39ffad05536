/* What was on disks before it was written over: the way back for a machine that goes back in time.
 *
 * A device that has a journal notes the old contents of sectors before it writes them, whatever keeps them (a
 * file, a snapshot). A *position* is a point in the sequence of writes to all devices of the journal; seeking
 * one exchanges contents and notes, write by write, so that it can be returned from. Writes that are made
 * again behind a position, as they were made before, leave the notes behind them as they are; other ones drop
 * them.
 *
 * A file that has become longer stays so. */
#ifndef DOPPEL_STORAGE_UNDO_JOURNAL_H
#define DOPPEL_STORAGE_UNDO_JOURNAL_H

#include <stdint.h>

#include "base/status.h"

struct block_device;
struct undo_journal;

/* NULL when out of memory. */
struct undo_journal *undo_journal_create(void);
/* Devices have none from then on. NULL is allowed. */
void undo_journal_destroy(struct undo_journal *journal);

/* Lets a device note its writes; it must have no other journal. NULL is allowed, and a device that has this
 * one already. */
struct status undo_journal_add(struct undo_journal *journal, struct block_device *device) STATUS_MUST_CHECK;

/* Forgets all notes, the failure, and all devices. */
void undo_journal_clear(struct undo_journal *journal);

/* The present one. The same number is another point only behind other writes than before, and behind
 * undo_journal_clear(). */
uint64_t undo_journal_position(const struct undo_journal *journal);

/* Has all devices contain what they contained at `position`. */
struct status undo_journal_seek(struct undo_journal *journal, uint64_t position) STATUS_MUST_CHECK;

/* Positions before this one will not be sought any more. */
void undo_journal_drop_before(struct undo_journal *journal, uint64_t position);

/* Host memory that the notes take. */
uint64_t undo_journal_bytes(const struct undo_journal *journal);

/* Why there is no way back any more: a device was closed, old contents could not be read or noted. */
struct status undo_journal_failure(const struct undo_journal *journal);

/* ---- for storage */

/* [sector, sector + count) of the device is about to be written. */
void undo_journal_note(struct undo_journal *journal, struct block_device *device, uint64_t sector,
                       uint32_t count);
/* The device is about to be closed. */
void undo_journal_note_close(struct undo_journal *journal, struct block_device *device);

#endif
