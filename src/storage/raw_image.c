/* A disk image that is nothing but its sectors: a file, or a host block device.
 *
 * Locking: two programs that write one image destroy the file system in it, so a writer holds an exclusive
 * advisory lock (flock) for as long as the image is open, and a reader a shared one. flock locks belong to
 * the open file description: a second open in the same process conflicts too. A file system without locks is
 * used without.
 *
 * A file that ends before its device does, in the middle of a sector or because the device was extended,
 * reads as zeros from there on, and grows when something is written there.
 *
 * NOT IMPLEMENTED: punching holes for zeros. */
#include "storage/block_backend.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw_image {
    struct block_device device;
    int file;
    bool ends_early; /* the device is longer than the file */
    char path[];     /* what device.path points at */
};

static struct raw_image *raw_image_from(struct block_device *device)
{
    return (struct raw_image *)(void *)device;
}

static struct status raw_image_read(struct block_device *device, uint64_t sector, uint32_t count, void *to)
{
    struct raw_image *image = raw_image_from(device);
    uint8_t *at = to;
    size_t left = (size_t)count * BLOCK_SECTOR_SIZE;
    off_t offset = (off_t)(sector * BLOCK_SECTOR_SIZE);
    while (left > 0) {
        ssize_t done = pread(image->file, at, left, offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return status_from_errno(errno, "cannot read image '%s'", image->path);
        }
        if (done == 0 && image->ends_early) {
            memset(at, 0, left);
            break;
        }
        if (done == 0) {
            return status_error(STATUS_IO_ERROR, "image '%s' has become shorter while in use", image->path);
        }
        at += done;
        left -= (size_t)done;
        offset += done;
    }
    return status_ok();
}

static struct status raw_image_write(struct block_device *device, uint64_t sector, uint32_t count,
                                     const void *from)
{
    struct raw_image *image = raw_image_from(device);
    const uint8_t *at = from;
    size_t left = (size_t)count * BLOCK_SECTOR_SIZE;
    off_t offset = (off_t)(sector * BLOCK_SECTOR_SIZE);
    while (left > 0) {
        ssize_t done = pwrite(image->file, at, left, offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return status_from_errno(errno, "cannot write image '%s'", image->path);
        }
        at += done;
        left -= (size_t)done;
        offset += done;
    }
    return status_ok();
}

static struct status raw_image_flush(struct block_device *device)
{
    struct raw_image *image = raw_image_from(device);
    if (!device->read_only && fsync(image->file) != 0 && errno != EINVAL) {
        return status_from_errno(errno, "cannot flush image '%s'", image->path);
    }
    return status_ok();
}

static void raw_image_extended(struct block_device *device)
{
    raw_image_from(device)->ends_early = true;
}

static void raw_image_close(struct block_device *device)
{
    struct raw_image *image = raw_image_from(device);
    close(image->file);
    free(image);
}

static const struct block_backend raw_image_backend = {
    .name = "raw",
    .read = raw_image_read,
    .write = raw_image_write,
    .flush = raw_image_flush,
    .extended = raw_image_extended,
    .close = raw_image_close,
};

/* Opens for writing unless *read_only; falls back to reading (and sets *read_only) when this user may not
 * write. A FIFO or a terminal must not block us: O_NONBLOCK, which means nothing to files and block devices.
 */
static int open_file(const char *path, bool *read_only)
{
    int file = -1;
    if (!*read_only) {
        file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        bool may_not_write =
            file < 0 && (errno == EACCES || errno == EPERM || errno == EROFS || errno == ETXTBSY);
        if (!may_not_write) {
            return file;
        }
        *read_only = true;
    }
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* *size: what the file holds, in bytes. */
static struct status check_file(const char *path, int file, uint64_t *size)
{
    struct stat info;
    if (fstat(file, &info) != 0) {
        return status_from_errno(errno, "cannot examine image '%s'", path);
    }
    if (S_ISDIR(info.st_mode)) {
        return status_error(STATUS_INVALID_ARGUMENT, "image '%s' is a directory", path);
    }
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
        return status_error(STATUS_INVALID_ARGUMENT, "image '%s' is neither a file nor a block device", path);
    }
    off_t end = lseek(file, 0, SEEK_END);
    if (end < 0) {
        return status_from_errno(errno, "cannot find the size of image '%s'", path);
    }
    if (end == 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "image '%s' is empty", path);
    }
    *size = (uint64_t)end;
    return status_ok();
}

static struct status lock_file(const char *path, int file, bool read_only)
{
    if (flock(file, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        return status_ok();
    }
    return status_error(STATUS_CONFLICT, "image '%s' is in use by another drive or machine%s", path,
                        read_only ? ", which writes to it"
                                  : "; give it to all of them read-only or as a snapshot");
}

struct status raw_image_open(const char *path, bool read_only, struct block_device **device)
{
    *device = NULL;
    int file = open_file(path, &read_only);
    if (file < 0 && errno == EISDIR) {
        return status_error(STATUS_INVALID_ARGUMENT, "image '%s' is a directory", path);
    }
    if (file < 0) {
        return status_from_errno(errno, "cannot open image '%s'", path);
    }
    uint64_t size = 0;
    struct status status = check_file(path, file, &size);
    if (status_is_ok(&status)) {
        status = lock_file(path, file, read_only);
    }
    if (!status_is_ok(&status)) {
        close(file);
        return status;
    }
    size_t path_size = strlen(path) + 1;
    struct raw_image *image = malloc(sizeof *image + path_size);
    if (image == NULL) {
        close(file);
        return status_error(STATUS_NO_MEMORY, "out of memory opening image '%s'", path);
    }
    memcpy(image->path, path, path_size);
    image->file = file;
    image->ends_early = size % BLOCK_SECTOR_SIZE != 0;
    image->device = (struct block_device){.backend = &raw_image_backend,
                                          .sectors = (size + BLOCK_SECTOR_SIZE - 1) / BLOCK_SECTOR_SIZE,
                                          .read_only = read_only,
                                          .path = image->path};
    *device = &image->device;
    return status_ok();
}
