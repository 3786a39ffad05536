/* What a disk image format is to the rest of storage: a table of operations behind the opaque block_device.
 *
 * Private to storage and its tests. The public functions of block_device.c check ranges and the read-only
 * flag once, so a backend is only called with a range inside the device, never with a count of 0, and never
 * to write a read-only device. A backend embeds `struct block_device` as its first member and is allocated
 * with malloc; close() frees it. */
#ifndef DOPPEL_STORAGE_BLOCK_BACKEND_H
#define DOPPEL_STORAGE_BLOCK_BACKEND_H

#include "storage/block_device.h"
#include "storage/undo_journal.h"

struct block_backend {
    const char *name; /* "raw": what `info block` calls the format */
    struct status (*read)(struct block_device *device, uint64_t sector, uint32_t count, void *to);
    struct status (*write)(struct block_device *device, uint64_t sector, uint32_t count, const void *from);
    struct status (*flush)(struct block_device *device); /* NULL: nothing to flush */
    /* `sectors` has grown; NULL: the backend need not know. */
    void (*extended)(struct block_device *device);
    void (*close)(struct block_device *device);
};

struct block_device {
    const struct block_backend *backend;
    uint64_t sectors;
    bool read_only;
    const char *path;             /* owned by the backend; "" when there is no file */
    struct undo_journal *journal; /* borrowed; NULL: nothing is noted */
    struct status *failure;       /* borrowed; block_device_keep_failure() */
};

/* Opens `path` as a flat array of sectors and takes an advisory lock on it: exclusive when writable, shared
 * otherwise. Not writable by this user: opened read-only. */
struct status raw_image_open(const char *path, bool read_only,
                             struct block_device **device) STATUS_MUST_CHECK;

/* What a file that begins with these 512 bytes is, when it is no raw image: "a qcow2 image", with what to do
 * about it in *advice. NULL: nothing else that is known. */
const char *image_format_of(const uint8_t *first, const char **advice);

/* Writes over `base` are kept in memory; `base` is never written. Owns `base` from then on, also when it
 * fails (then it is closed). */
struct status snapshot_overlay_create(struct block_device *base,
                                      struct block_device **device) STATUS_MUST_CHECK;

#endif
