/* Windows by mmap(); see host_window.h. */
#include "host/host_window.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/large_page.h"

#define HOST_PAGE   4096
#define SPARE_PAGES 33u

#if defined(__linux__)

static void *map(void *at, uint64_t length, int protection, int flags, int fd, uint64_t from)
{
    return mmap(at, (size_t)length, protection, flags, fd, (off_t)from);
}

struct status host_window_reserve(uint64_t length, struct host_window *window)
{
    *window = (struct host_window){0};
    if (sysconf(_SC_PAGESIZE) != HOST_PAGE || length > SIZE_MAX) {
        return status_error(STATUS_UNSUPPORTED, "this host cannot map single pages of 4 KiB");
    }
    void *base = large_page_reserve((size_t)length);
    if (base == MAP_FAILED) {
        int error = errno;
        struct status status = status_from_errno(error, "cannot reserve %llu MiB of host addresses",
                                                 (unsigned long long)(length >> 20));
        status.code = STATUS_NO_MEMORY;
        return status;
    }
    *window = (struct host_window){.base = base, .length = length};
    return status_ok();
}

bool host_window_map(const struct host_window *window, uint64_t offset, uint64_t length, int fd,
                     uint64_t from, bool writable, bool populate)
{
    int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    int flags = MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0);
    if (map(window->base + offset, length, protection, flags, fd, from) != MAP_FAILED) {
        return true;
    }
    host_window_unmap(window, offset, length);
    return false;
}

bool host_window_unmap(const struct host_window *window, uint64_t offset, uint64_t length)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    return map(window->base + offset, length, PROT_NONE, flags, -1, 0) != MAP_FAILED;
}

#else

struct status host_window_reserve(uint64_t length, struct host_window *window)
{
    (void)length;
    *window = (struct host_window){0};
    return status_error(STATUS_UNSUPPORTED, "this host has no memory that can be mapped twice");
}

bool host_window_map(const struct host_window *window, uint64_t offset, uint64_t length, int fd,
                     uint64_t from, bool writable, bool populate)
{
    (void)window, (void)offset, (void)length, (void)fd, (void)from, (void)writable, (void)populate;
    return false;
}

bool host_window_unmap(const struct host_window *window, uint64_t offset, uint64_t length)
{
    (void)window, (void)offset, (void)length;
    return false;
}

#endif

bool host_window_protect(const struct host_window *window, uint64_t offset, uint64_t length)
{
    return mprotect(window->base + offset, (size_t)length, PROT_READ) == 0;
}

/* Every other page has another protection, so that none are put together. */
void host_window_take_spare(struct host_window *spare)
{
    struct status status = host_window_reserve(SPARE_PAGES * HOST_PAGE, spare);
    for (unsigned page = 0; status_is_ok(&status) && page < SPARE_PAGES; page += 2) {
        mprotect(spare->base + (size_t)page * HOST_PAGE, HOST_PAGE, PROT_READ);
    }
}

void host_window_release(struct host_window *window)
{
    if (window->base != NULL) {
        munmap(window->base, (size_t)window->length);
    }
    *window = (struct host_window){0};
}
