/* One interface in front of every disk image format: numbered 512-byte sectors.
 *
 * Read-only images refuse writes with STATUS_READ_ONLY. A snapshot device keeps writes in memory and leaves
 * the file alone. */
#ifndef DOPPEL_STORAGE_BLOCK_DEVICE_H
#define DOPPEL_STORAGE_BLOCK_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define BLOCK_SECTOR_SIZE 512u

struct block_device;

struct block_open_options {
    bool read_only; /* refuse writes even if the file allows them */
    bool snapshot;  /* keep writes in memory, drop them at close */
    bool raw;       /* take the file as it is, also when it looks like another format */
};

/* Opens a raw image. A file the user may not write is opened read-only. The last sector may be incomplete;
 * the rest of it reads as zeros. An empty or unreadable file, a directory, a file in another format (unless
 * `raw`): an error that says so. An image that is written to is locked (advisory): a second opening of it, or
 * the opening for writing of one that is being read, is STATUS_CONFLICT. A snapshot only reads the file. On
 * success *device is owned by the caller. */
struct status block_device_open(const char *path, const struct block_open_options *options,
                                struct block_device **device) STATUS_MUST_CHECK;

/* A RAM-backed device of `sectors` zeroed sectors, for tests. */
struct status block_device_create_memory(uint64_t sectors, struct block_device **device) STATUS_MUST_CHECK;

/* Flushes and frees. NULL is allowed. */
void block_device_close(struct block_device *device);

/* Makes the device at least `sectors` long. Those that its file does not have read as zeros; writing one
 * makes the file longer. Not for memory devices. */
void block_device_extend(struct block_device *device, uint64_t sectors);

/* From now on, the first failure of the host to read, write or flush this device is kept in *failure, unless
 * there is one already: devices tell the guest that something went wrong, but cannot tell the user what. */
void block_device_keep_failure(struct block_device *device, struct status *failure);

uint64_t block_device_sectors(const struct block_device *device);
bool block_device_is_read_only(const struct block_device *device);
const char *block_device_path(const struct block_device *device); /* "" for a memory device */

/* "raw", "snapshot", "memory": for people (`info block`). */
const char *block_device_format(const struct block_device *device);

/* [sector, sector + count) must lie within the device, otherwise STATUS_INVALID_ARGUMENT and nothing is
 * transferred. */
struct status block_device_read(struct block_device *device, uint64_t sector, uint32_t count,
                                void *to) STATUS_MUST_CHECK;
struct status block_device_write(struct block_device *device, uint64_t sector, uint32_t count,
                                 const void *from) STATUS_MUST_CHECK;
struct status block_device_flush(struct block_device *device) STATUS_MUST_CHECK;

#endif
