/* Alignment and madvise(); see large_page.h. */
#include "host/large_page.h"

#if defined(__linux__)

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* headers before Linux 6.1 lack the name */
#endif

void *large_page_reserve(size_t size)
{
    size_t room = size + LARGE_PAGE;
    uint8_t *reserved = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = (size_t) - (uintptr_t)reserved & (LARGE_PAGE - 1);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t end = before + ((size + page - 1) & ~(page - 1));
    if (before > 0) {
        munmap(reserved, before);
    }
    if (end < room) {
        munmap(reserved + end, room - end);
    }
    return reserved + before;
}

void *large_page_map(int fd, size_t size, int protection)
{
    void *at = large_page_reserve(size);
    if (at == MAP_FAILED) {
        return MAP_FAILED;
    }
    void *mapped = mmap(at, size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
    if (mapped == MAP_FAILED) {
        int error = errno;
        munmap(at, size);
        errno = error;
    }
    return mapped;
}

void large_page_collapse(const void *at)
{
    (void)madvise((void *)(uintptr_t)at, LARGE_PAGE, MADV_COLLAPSE);
}

static size_t in_large_pages(size_t size)
{
    return (size + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
}

void *large_page_allocate(size_t size)
{
    size_t whole = in_large_pages(size);
    void *at = large_page_reserve(whole);
    if (at == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(at, whole, PROT_READ | PROT_WRITE) != 0) {
        munmap(at, whole);
        return NULL;
    }
    (void)madvise(at, whole, MADV_HUGEPAGE);
    return at;
}

void large_page_free(void *at, size_t size)
{
    if (at != NULL) {
        munmap(at, in_large_pages(size));
    }
}

#else

#include <stdlib.h>

void *large_page_allocate(size_t size)
{
    return calloc(1, size);
}

void large_page_free(void *at, size_t size)
{
    (void)size;
    free(at);
}

#endif
