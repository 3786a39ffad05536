/* mmap()ed blocks; see host_memory.h. */
#include "host/host_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/large_page.h"

#if defined(__linux__)

/* The sooner an extent is gathered the less is copied, and the rest comes without a fault for each page; a
 * guest that uses little of its memory, here and there, may cost sixteen times as much. */
#define GATHER_IN_USE    32u   /* of the 512 pages in a large one */
#define GATHER_PAGE      4096u /* of the host; on one with others nothing is gathered */
#define PAGES_OF_A_LARGE (LARGE_PAGE / GATHER_PAGE)

static int open_backing(uint64_t length)
{
    int fd = memfd_create("doppel", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)length) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void *map_backing(int fd, size_t length)
{
    return large_page_map(fd, length, PROT_READ | PROT_WRITE);
}

static unsigned pages_in_use(void *at)
{
    unsigned char resident[PAGES_OF_A_LARGE];
    unsigned count = 0;
    if (mincore(at, LARGE_PAGE, resident) == 0) {
        for (unsigned i = 0; i < PAGES_OF_A_LARGE; i++) {
            count += resident[i] & 1;
        }
    }
    return count;
}

static void prepare_gathering(struct host_memory *memory)
{
    if (memory->fd >= 0 && memory->length >= LARGE_PAGE && sysconf(_SC_PAGESIZE) == GATHER_PAGE) {
        memory->large = calloc((size_t)(memory->length / LARGE_PAGE), 1);
    }
}

/* The first extent at or behind `index` that has a page and was not asked for yet; `count`: none has. */
static size_t next_ungathered(const struct host_memory *memory, size_t index, size_t count)
{
    while (index < count) {
        if (memory->large[index]) {
            index++;
            continue;
        }
        off_t data = lseek(memory->fd, (off_t)(index * LARGE_PAGE), SEEK_DATA);
        size_t found = data >= 0 ? (size_t)data / LARGE_PAGE : count;
        if (found == index) {
            return index;
        }
        index = found;
    }
    return count;
}

void host_memory_gather(struct host_memory *memory)
{
    if (memory->large == NULL) {
        return;
    }
    size_t count = (size_t)(memory->length / LARGE_PAGE);
    size_t index = next_ungathered(memory, memory->next, count);
    memory->next = index < count ? index + 1 : 0;
    uint8_t *at = memory->bytes + index * LARGE_PAGE;
    if (index < count && pages_in_use(at) >= GATHER_IN_USE) {
        memory->large[index] = 1; /* a host that refuses is not asked again */
        large_page_collapse(at);
    }
}

#else

static int open_backing(uint64_t length)
{
    (void)length;
    return -1;
}

static void *map_backing(int fd, size_t length)
{
    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void prepare_gathering(struct host_memory *memory)
{
    (void)memory;
}

void host_memory_gather(struct host_memory *memory)
{
    (void)memory;
}

#endif

struct status host_memory_allocate(uint64_t length, struct host_memory *memory)
{
    *memory = (struct host_memory){.fd = -1};
    if (length > SIZE_MAX) {
        return status_error(STATUS_NO_MEMORY, "%llu MiB are more than this host can address",
                            (unsigned long long)(length >> 20));
    }
    int fd = open_backing(length);
    void *bytes =
        fd >= 0 ? map_backing(fd, (size_t)length)
                : mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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
    prepare_gathering(memory);
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
    free(memory->large);
    *memory = (struct host_memory){.fd = -1};
}
