/* mmap()ed blocks; see host_memory.h. */
#include "host/host_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int open_backing(uint64_t length)
{
#if defined(__linux__)
    int fd = memfd_create("doppel", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)length) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
#else
    (void)length;
    return -1;
#endif
}

struct status host_memory_allocate(uint64_t length, struct host_memory *memory)
{
    *memory = (struct host_memory){.fd = -1};
    if (length > SIZE_MAX) {
        return status_error(STATUS_NO_MEMORY, "%llu MiB are more than this host can address",
                            (unsigned long long)(length >> 20));
    }
    int fd = open_backing(length);
    int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *bytes = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (bytes == MAP_FAILED) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        struct status status =
            status_from_errno(error, "cannot allocate %llu MiB", (unsigned long long)(length >> 20));
        status.code = STATUS_NO_MEMORY;
        return status;
    }
    *memory = (struct host_memory){.bytes = bytes, .length = length, .fd = fd};
    return status_ok();
}

uint64_t host_memory_next_touched(const struct host_memory *memory, uint64_t from, uint64_t *end)
{
    *end = memory->length;
#if defined(SEEK_DATA) && defined(SEEK_HOLE)
    off_t data = memory->fd >= 0 ? lseek(memory->fd, (off_t)from, SEEK_DATA) : -1;
    if (data < 0) {
        return memory->fd >= 0 && errno == ENXIO ? memory->length : from;
    }
    off_t hole = lseek(memory->fd, data, SEEK_HOLE);
    if (hole > data && (uint64_t)hole < memory->length) {
        *end = (uint64_t)hole;
    }
    return (uint64_t)data;
#else
    return from;
#endif
}

uint64_t host_memory_installed(void)
{
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0) {
        return (uint64_t)pages * (uint64_t)size;
    }
#endif
    return UINT64_MAX;
}

void host_memory_release(struct host_memory *memory)
{
    if (memory->bytes != NULL) {
        munmap(memory->bytes, (size_t)memory->length);
        if (memory->fd >= 0) {
            close(memory->fd);
        }
    }
    *memory = (struct host_memory){.fd = -1};
}
