/* One memfd, two mappings; see executable_memory.h. */
#include "host/executable_memory.h"

#if defined(__linux__)

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/large_page.h"

static struct status refused(int error, const char *what)
{
    struct status status = status_from_errno(
        error, "the host refuses memory for translated code (-engine interp needs none): %s", what);
    status.code = error == ENOMEM || error == ENOSPC ? STATUS_NO_MEMORY : STATUS_UNSUPPORTED;
    return status;
}

static struct status map_twice(int fd, uint64_t size, struct executable_memory *memory)
{
    if (ftruncate(fd, (off_t)size) != 0) {
        return refused(errno, "making a memfd larger");
    }
    void *write = large_page_map(fd, (size_t)size, PROT_READ | PROT_WRITE);
    if (write == MAP_FAILED) {
        return refused(errno, "mapping it writable");
    }
    const void *exec = large_page_map(fd, (size_t)size, PROT_READ | PROT_EXEC);
    if (exec == MAP_FAILED) {
        int error = errno;
        munmap(write, (size_t)size);
        return refused(error, "mapping it executable");
    }
    *memory = (struct executable_memory){.write = write, .exec = exec, .size = size};
    return status_ok();
}

struct status executable_memory_allocate(uint64_t size, struct executable_memory *memory)
{
    *memory = (struct executable_memory){0};
    if (size > SIZE_MAX / 2) {
        return status_error(STATUS_NO_MEMORY, "%llu MiB of code are more than this host can address",
                            (unsigned long long)(size >> 20));
    }
    int fd = memfd_create("doppel-code", MFD_CLOEXEC);
    if (fd < 0) {
        return refused(errno, "memfd_create");
    }
    struct status status = map_twice(fd, size, memory);
    close(fd);
    return status;
}

void executable_memory_reach(struct executable_memory *memory, uint64_t end)
{
    uint64_t usable = memory->size & ~(uint64_t)(LARGE_PAGE - 1);
    uint64_t wanted = (end + LARGE_PAGE - 1) & ~(uint64_t)(LARGE_PAGE - 1);
    wanted = wanted < usable ? wanted : usable;
    for (uint64_t at = memory->reached; at < wanted; at += LARGE_PAGE) {
        volatile uint8_t *touched =
            memory->write + at; /* nothing is made large where there is not one page */
        *touched = *touched;
        large_page_collapse(memory->exec + at);
        memory->reached = at + LARGE_PAGE;
    }
}

void executable_memory_release(struct executable_memory *memory)
{
    if (memory->write != NULL) {
        munmap(memory->write, (size_t)memory->size);
        munmap((void *)(uintptr_t)memory->exec, (size_t)memory->size);
    }
    *memory = (struct executable_memory){0};
}

#else

struct status executable_memory_allocate(uint64_t size, struct executable_memory *memory)
{
    (void)size;
    *memory = (struct executable_memory){0};
    return status_error(STATUS_UNSUPPORTED,
                        "translated code needs Linux (memory mapped twice); use -engine interp here");
}

void executable_memory_reach(struct executable_memory *memory, uint64_t end)
{
    (void)memory;
    (void)end;
}

void executable_memory_release(struct executable_memory *memory)
{
    *memory = (struct executable_memory){0};
}

#endif
