/* The checks that every image format shares, in front of the backend's operations; see block_device.h. */
#include "storage/block_device.h"

#include <assert.h>
#include <stddef.h>

#include "storage/block_backend.h"

static struct status check_format(struct block_device *image)
{
    uint8_t first[BLOCK_SECTOR_SIZE];
    const char *advice;
    struct status status = block_device_read(image, 0, 1, first);
    const char *format = status_is_ok(&status) ? image_format_of(first, &advice) : NULL;
    if (format == NULL) {
        return status;
    }
    return status_error(STATUS_UNSUPPORTED, "'%.120s' is %s, not a raw one: %s", image->path, format, advice);
}

struct status block_device_open(const char *path, const struct block_open_options *options,
                                struct block_device **device)
{
    *device = NULL;
    struct block_device *image;
    struct status status = raw_image_open(path, options->read_only || options->snapshot, &image);
    if (status_is_ok(&status) && !options->raw) {
        status = check_format(image);
        if (!status_is_ok(&status)) {
            block_device_close(image);
        }
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    /* A read-only snapshot has nothing to keep. */
    if (options->snapshot && !options->read_only) {
        return snapshot_overlay_create(image, device);
    }
    *device = image;
    return status_ok();
}

void block_device_close(struct block_device *device)
{
    if (device != NULL) {
        if (device->journal != NULL) {
            undo_journal_note_close(device->journal, device);
        }
        device->backend->close(device);
    }
}

void block_device_extend(struct block_device *device, uint64_t sectors)
{
    if (sectors > device->sectors) {
        device->sectors = sectors;
        if (device->backend->extended != NULL) {
            device->backend->extended(device);
        }
    }
}

void block_device_keep_failure(struct block_device *device, struct status *failure)
{
    device->failure = failure;
}

static struct status keep_failure(struct block_device *device, struct status status)
{
    if (!status_is_ok(&status) && device->failure != NULL && status_is_ok(device->failure)) {
        *device->failure = status;
    }
    return status;
}

uint64_t block_device_sectors(const struct block_device *device)
{
    return device->sectors;
}

bool block_device_is_read_only(const struct block_device *device)
{
    return device->read_only;
}

const char *block_device_path(const struct block_device *device)
{
    return device->path;
}

const char *block_device_format(const struct block_device *device)
{
    return device->backend->name;
}

static struct status check_range(const struct block_device *device, uint64_t sector, uint32_t count)
{
    if (sector > device->sectors || count > device->sectors - sector) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "sectors %llu..%llu are beyond the end of '%s' (%llu sectors)",
                            (unsigned long long)sector, (unsigned long long)(sector + count - 1),
                            device->path, (unsigned long long)device->sectors);
    }
    return status_ok();
}

struct status block_device_read(struct block_device *device, uint64_t sector, uint32_t count, void *to)
{
    struct status status = check_range(device, sector, count);
    if (!status_is_ok(&status) || count == 0) {
        return status;
    }
    return keep_failure(device, device->backend->read(device, sector, count, to));
}

struct status block_device_write(struct block_device *device, uint64_t sector, uint32_t count,
                                 const void *from)
{
    struct status status = check_range(device, sector, count);
    if (!status_is_ok(&status) || count == 0) {
        return status;
    }
    if (device->read_only) {
        return status_error(STATUS_READ_ONLY, "image '%s' is read-only", device->path);
    }
    if (device->journal != NULL) {
        undo_journal_note(device->journal, device, sector, count);
    }
    return keep_failure(device, device->backend->write(device, sector, count, from));
}

struct status block_device_flush(struct block_device *device)
{
    return device->backend->flush != NULL ? keep_failure(device, device->backend->flush(device))
                                          : status_ok();
}
