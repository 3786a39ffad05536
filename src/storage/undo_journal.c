/* Notes of old contents, in the order of writes; see undo_journal.h.
 *
 * entries[0] to entries[cursor - 1] hold what was there before the writes up to now. Behind the cursor are
 * those that were undone: they hold what these writes wrote. */
#include "storage/undo_journal.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "storage/block_backend.h"

#define DEVICES_MAX 8u

struct undo_entry {
    struct block_device *device;
    uint64_t sector;
    uint32_t count;
    uint8_t bytes[];
};

struct undo_journal {
    struct block_device *devices[DEVICES_MAX];
    unsigned device_count;
    struct undo_entry **entries;
    size_t count, capacity;
    size_t cursor;
    uint64_t dropped; /* entries that were before the first one: a position is `dropped` + an index */
    uint64_t bytes;
    struct status failure;
};

struct undo_journal *undo_journal_create(void)
{
    struct undo_journal *journal = calloc(1, sizeof *journal);
    if (journal != NULL) {
        journal->failure = status_ok();
    }
    return journal;
}

static size_t bytes_of(uint32_t count)
{
    return (size_t)count * BLOCK_SECTOR_SIZE;
}

static size_t size_of(const struct undo_entry *entry)
{
    return sizeof *entry + bytes_of(entry->count);
}

static void free_entry(struct undo_journal *journal, struct undo_entry *entry)
{
    journal->bytes -= size_of(entry);
    free(entry);
}

static void drop_undone(struct undo_journal *journal)
{
    while (journal->count > journal->cursor) {
        free_entry(journal, journal->entries[--journal->count]);
    }
}

void undo_journal_clear(struct undo_journal *journal)
{
    journal->cursor = 0;
    drop_undone(journal);
    journal->dropped = 0;
    journal->failure = status_ok();
    for (unsigned i = 0; i < journal->device_count; i++) {
        journal->devices[i]->journal = NULL;
    }
    journal->device_count = 0;
}

void undo_journal_destroy(struct undo_journal *journal)
{
    if (journal != NULL) {
        undo_journal_clear(journal);
        free(journal->entries);
        free(journal);
    }
}

struct status undo_journal_add(struct undo_journal *journal, struct block_device *device)
{
    if (device == NULL || device->journal == journal) {
        return status_ok();
    }
    assert(device->journal == NULL);
    if (journal->device_count == DEVICES_MAX) {
        return status_error(STATUS_CONFLICT, "more than %u disks cannot be put back", DEVICES_MAX);
    }
    journal->devices[journal->device_count++] = device;
    device->journal = journal;
    return status_ok();
}

uint64_t undo_journal_position(const struct undo_journal *journal)
{
    return journal->dropped + journal->cursor;
}

uint64_t undo_journal_bytes(const struct undo_journal *journal)
{
    return journal->bytes + journal->capacity * sizeof(struct undo_entry *);
}

struct status undo_journal_failure(const struct undo_journal *journal)
{
    return journal->failure;
}

static void fail(struct undo_journal *journal, const struct status *status)
{
    if (status_is_ok(&journal->failure)) {
        journal->failure = *status;
    }
}

/* ---- noting */

static bool make_room(struct undo_journal *journal)
{
    if (journal->count < journal->capacity) {
        return true;
    }
    size_t capacity = journal->capacity == 0 ? 256 : 2 * journal->capacity;
    struct undo_entry **entries = realloc(journal->entries, capacity * sizeof(struct undo_entry *));
    if (entries == NULL) {
        return false;
    }
    journal->entries = entries;
    journal->capacity = capacity;
    return true;
}

/* The next entry, for this write: the one that is there when the same was written before. NULL when out of
 * memory. */
static struct undo_entry *next_entry(struct undo_journal *journal, struct block_device *device,
                                     uint64_t sector, uint32_t count)
{
    if (journal->cursor < journal->count) {
        struct undo_entry *entry = journal->entries[journal->cursor];
        if (entry->device == device && entry->sector == sector && entry->count == count) {
            return entry;
        }
        drop_undone(journal);
    }
    struct undo_entry *entry =
        make_room(journal) ? malloc(sizeof(struct undo_entry) + bytes_of(count)) : NULL;
    if (entry != NULL) {
        entry->device = device;
        entry->sector = sector;
        entry->count = count;
        journal->entries[journal->count++] = entry;
        journal->bytes += size_of(entry);
    }
    return entry;
}

void undo_journal_note(struct undo_journal *journal, struct block_device *device, uint64_t sector,
                       uint32_t count)
{
    if (!status_is_ok(&journal->failure)) {
        return;
    }
    struct undo_entry *entry = next_entry(journal, device, sector, count);
    struct status status = entry == NULL
                               ? status_error(STATUS_NO_MEMORY, "out of memory for what is written over")
                               : device->backend->read(device, sector, count, entry->bytes);
    if (!status_is_ok(&status)) {
        fail(journal, &status);
        drop_undone(journal);
        return;
    }
    journal->cursor++;
}

void undo_journal_note_close(struct undo_journal *journal, struct block_device *device)
{
    struct status gone =
        status_error(STATUS_CONFLICT, "'%.200s' is not in its drive any more", block_device_path(device));
    fail(journal, &gone);
    device->journal = NULL;
    for (unsigned i = 0; i < journal->device_count; i++) {
        if (journal->devices[i] == device) {
            journal->devices[i] = journal->devices[--journal->device_count];
            return;
        }
    }
}

/* ---- going back and forth */

/* Exchanges what the device and the entry hold. */
static struct status exchange(struct undo_entry *entry, uint8_t *other)
{
    struct block_device *device = entry->device;
    struct status status = device->backend->read(device, entry->sector, entry->count, other);
    if (status_is_ok(&status)) {
        status = device->backend->write(device, entry->sector, entry->count, entry->bytes);
    }
    if (status_is_ok(&status)) {
        memcpy(entry->bytes, other, bytes_of(entry->count));
    }
    return status;
}

static uint32_t longest_entry(const struct undo_journal *journal)
{
    uint32_t longest = 1;
    for (size_t i = 0; i < journal->count; i++) {
        longest = journal->entries[i]->count > longest ? journal->entries[i]->count : longest;
    }
    return longest;
}

static struct status exchange_up_to(struct undo_journal *journal, size_t wanted, uint8_t *other)
{
    struct status status = status_ok();
    while (status_is_ok(&status) && journal->cursor > wanted) {
        status = exchange(journal->entries[journal->cursor - 1], other);
        journal->cursor -= status_is_ok(&status);
    }
    while (status_is_ok(&status) && journal->cursor < wanted) {
        status = exchange(journal->entries[journal->cursor], other);
        journal->cursor += status_is_ok(&status);
    }
    return status;
}

struct status undo_journal_seek(struct undo_journal *journal, uint64_t position)
{
    if (!status_is_ok(&journal->failure) || position == undo_journal_position(journal)) {
        return journal->failure;
    }
    assert(position >= journal->dropped && position - journal->dropped <= journal->count);
    uint8_t *other = malloc(bytes_of(longest_entry(journal)));
    if (other == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for putting disks back");
    }
    struct status status = exchange_up_to(journal, (size_t)(position - journal->dropped), other);
    free(other);
    if (!status_is_ok(&status)) {
        fail(journal, &status);
    }
    return status;
}

void undo_journal_drop_before(struct undo_journal *journal, uint64_t position)
{
    assert(position <= undo_journal_position(journal));
    if (position <= journal->dropped) {
        return;
    }
    size_t gone = (size_t)(position - journal->dropped);
    for (size_t i = 0; i < gone; i++) {
        free_entry(journal, journal->entries[i]);
    }
    journal->count -= gone;
    journal->cursor -= gone;
    memmove(journal->entries, journal->entries + gone, journal->count * sizeof(struct undo_entry *));
    journal->dropped = position;
}
