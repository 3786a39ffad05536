/* A range of host addresses in which pages of a struct host_memory appear where somebody wants them.
 *
 * Reserving costs address space, not memory. A page that nothing is mapped to faults. Every run of pages
 * with like rights that follow each other in both places is one mapping of the host's kernel, of which a
 * process has a limited number (Linux: vm.max_map_count, 65,530): mapping fails beyond that.
 *
 * NOT IMPLEMENTED: hosts without Linux' mmap(); there reserving fails. */
#ifndef DOPPEL_HOST_HOST_WINDOW_H
#define DOPPEL_HOST_HOST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct host_window {
    uint8_t *base;   /* page-aligned; NULL: nothing reserved */
    uint64_t length; /* bytes */
};

/* Reserves `length` bytes (> 0, a multiple of 4 KiB). STATUS_NO_MEMORY when the host has no such range (see
 * `ulimit -v`), STATUS_UNSUPPORTED where pages are not of 4 KiB. */
struct status host_window_reserve(uint64_t length, struct host_window *window) STATUS_MUST_CHECK;

/* Uses up a few mappings of the host's kernel, as long as `spare` is not released: at the limit not even one
 * can be replaced. Without effect where the host refuses. */
void host_window_take_spare(struct host_window *spare);

/* Gives the range back; a zeroed structure is allowed. */
void host_window_release(struct host_window *window);

/* Shows `length` bytes of the memory behind `fd` from `from` on at `offset` in the window; all multiples of
 * 4 KiB. `populate`: they are about to be used, all of them. False: the host refused, nothing is mapped
 * there. */
bool host_window_map(const struct host_window *window, uint64_t offset, uint64_t length, int fd,
                     uint64_t from, bool writable, bool populate);

/* Takes away the right to write, or everything. False: the host refused, as it may when one mapping would
 * become several; the caller must then give up the window. */
bool host_window_protect(const struct host_window *window, uint64_t offset, uint64_t length);
bool host_window_unmap(const struct host_window *window, uint64_t offset, uint64_t length);

#endif
