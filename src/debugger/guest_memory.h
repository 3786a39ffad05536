/* Guest memory as a debugger sees it: nothing a guest could notice happens when it is read, and what is
 * written goes the way of DMA, so that code made from it dies.
 *
 * Linear addresses have 32 bits and are translated as a supervisor's load, without accessed or dirty bits,
 * and without regard to write protection. Memory that belongs to a device is not read, because reading may
 * change the device; stores reach it as the guest's would. */
#ifndef DOPPEL_DEBUGGER_GUEST_MEMORY_H
#define DOPPEL_DEBUGGER_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct machine;

enum guest_space { GUEST_LINEAR, GUEST_PHYSICAL };

/* Reads up to `length` bytes and returns how many could be before the first that is not mapped, a device's,
 * or nothing's. */
size_t guest_memory_read(struct machine *machine, enum guest_space space, uint64_t address, void *to,
                         size_t length);

/* Writes up to `length` bytes and returns how many went before the first that is not mapped (GUEST_LINEAR) or
 * that nothing keeps: ROM, or no memory at all. */
size_t guest_memory_write(struct machine *machine, enum guest_space space, uint64_t address, const void *from,
                          size_t length);

/* A little-endian value of `width` bytes (1, 2, 4, 8). Errors say which address is at fault and why. */
struct status guest_memory_load(struct machine *machine, enum guest_space space, uint64_t address,
                                unsigned width, uint64_t *value) STATUS_MUST_CHECK;
struct status guest_memory_store(struct machine *machine, enum guest_space space, uint64_t address,
                                 unsigned width, uint64_t value) STATUS_MUST_CHECK;

/* Why the byte at `address` cannot be read: the error for it. */
struct status guest_memory_unreadable(struct machine *machine, enum guest_space space, uint64_t address);
/* Why it cannot be written. */
struct status guest_memory_unwritable(struct machine *machine, enum guest_space space, uint64_t address);

/* The physical address behind a linear one (before A20); false: not mapped. */
bool guest_memory_translate(struct machine *machine, uint64_t linear, uint64_t *phys);

#endif
