/* Large blocks of host memory: guest RAM and what must be mapped more than once.
 *
 * On Linux a block is backed by a memfd, so that views of the same pages can be mapped elsewhere later; on
 * other hosts, or where memfd_create() is refused, it is plain zeroed memory and has no descriptor. */
#ifndef DOPPEL_HOST_HOST_MEMORY_H
#define DOPPEL_HOST_HOST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct host_memory {
    uint8_t *bytes;  /* page-aligned; NULL: nothing allocated */
    uint64_t length; /* as asked for */
    int fd;          /* the memfd behind it, -1: cannot be mapped a second time */
    uint8_t *large;  /* [2 MiB of it]: asked for as one page of the host; NULL: there are none such */
    size_t next;     /* index there, to be looked at */
};

/* Allocates `length` (> 0) zeroed bytes. Pages cost host memory only once they are touched. */
struct status host_memory_allocate(uint64_t length, struct host_memory *memory) STATUS_MUST_CHECK;

/* The first byte at or behind `from` that may not be zero, or the block's length; *end: where bytes begin
 * that were never touched and are zero. Where the host cannot tell, all bytes may be anything. */
uint64_t host_memory_next_touched(const struct host_memory *memory, uint64_t from, uint64_t *end);

/* Bytes of memory that the host has; UINT64_MAX where it does not say. */
uint64_t host_memory_installed(void);

/* Looks at 2 MiB of the block, others at each call, of those that are in use. When a sixteenth of their pages
 * are, the host is asked to make them one, with fewer misses of its TLB and fewer faults. Contents and
 * addresses stay. To be called some hundred times a second; takes some ten microseconds. */
void host_memory_gather(struct host_memory *memory);

/* Gives the block back; a zeroed structure is allowed. */
void host_memory_release(struct host_memory *memory);

#endif
