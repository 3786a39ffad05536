/* See input_file.h. */
#include "machine/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct status examine(int file, const char *path, const char *what, uint64_t *size)
{
    struct stat information;
    if (fstat(file, &information) != 0) {
        return status_from_errno(errno, "cannot read the %s %.150s", what, path);
    }
    if (S_ISDIR(information.st_mode)) {
        return status_error(STATUS_INVALID_ARGUMENT, "the %s %.150s is a directory", what, path);
    }
    if (!S_ISREG(information.st_mode)) {
        return status_error(STATUS_INVALID_ARGUMENT, "the %s %.150s is a pipe or a device, not a file", what,
                            path);
    }
    if (information.st_size == 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "the %s %.150s is empty", what, path);
    }
    *size = (uint64_t)information.st_size;
    return status_ok();
}

struct status input_file_open(const char *path, const char *what, FILE **file, uint64_t *size)
{
    *file = NULL;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return status_from_errno(errno, "cannot read the %s %.150s", what, path);
    }
    struct status status = examine(descriptor, path, what, size);
    if (status_is_ok(&status)) {
        *file = fdopen(descriptor, "rb");
        if (*file == NULL) {
            status = status_error(STATUS_NO_MEMORY, "out of memory for the %s %.150s", what, path);
        }
    }
    if (*file == NULL) {
        close(descriptor);
    }
    return status;
}
