/* Output to a file: a log of what the guest sent. Nothing is dropped: unlike the other backends this one
 * waits if the host makes it wait (a disk does for a moment, a FIFO as long as its reader likes). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chardev/char_backend.h"

struct char_file {
    struct char_device device;
    int fd;
    char path[200]; /* for messages; may be cut */
};

static ssize_t file_read(struct char_device *device, void *to, size_t size)
{
    (void)device;
    (void)to;
    (void)size;
    errno = EAGAIN;
    return -1;
}

static ssize_t file_write(struct char_device *device, const void *from, size_t size)
{
    struct char_file *file = (struct char_file *)device;
    ssize_t written;
    do {
        written = write(file->fd, from, size);
    } while (written < 0 && errno == EINTR);
    return written;
}

static void file_output_failed(struct char_device *device, int errno_value)
{
    struct char_file *file = (struct char_file *)device;
    char what[240];
    snprintf(what, sizeof what, "cannot write '%s'", file->path);
    char_backend_fail(device, errno_value, what);
    device->can_write = false;
}

static void file_close(struct char_device *device)
{
    struct char_file *file = (struct char_file *)device;
    close(file->fd);
    free(file);
}

static const struct char_backend file_backend = {
    .read = file_read,
    .write = file_write,
    .output_failed = file_output_failed,
    .close = file_close,
};

struct status char_file_open(const char *path, struct char_device **device)
{
    if (path[0] == '\0') {
        return status_error(STATUS_INVALID_ARGUMENT, "file: needs a path, as in file:serial.log");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return status_from_errno(errno, "cannot create '%.160s'", path);
    }
    struct char_file *file = char_backend_allocate(sizeof *file, &file_backend, CHAR_QUEUE_PEER);
    if (!file) {
        close(fd);
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    file->fd = fd;
    snprintf(file->path, sizeof file->path, "%s", path);
    file->device.can_write = true;
    *device = &file->device;
    return status_ok();
}
