/* A range of ports or of physical memory that a device answers.
 *
 * Devices see offsets from the region's base only. The bus splits and combines guest accesses to the widths
 * the region declares, so that a handler is called with aligned-to-nothing but supported widths only. */
#ifndef DOPPEL_BUS_IO_REGION_H
#define DOPPEL_BUS_IO_REGION_H

#include <stdint.h>

struct io_region {
    const char *name;  /* static string, for `info` and error messages */
    uint64_t base;     /* port number or physical address */
    uint64_t length;   /* in bytes, > 0 */
    uint8_t max_width; /* widest, in bytes (1, 2, 4, 8); 0 means 1 */
    /* `offset` is relative to base, `width` in bytes; the result's upper bits are ignored. A NULL read gives
     * all ones. */
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned width);
    void (*write)(void *opaque, uint64_t offset, unsigned width,
                  uint64_t value); /* NULL: writes are ignored */
    /* Optional, for registers that repeated INS and OUTS stream through: move up to `count` elements of
     * `width` bytes at once, in memory order, and return how many; 0: they have to go one by one. */
    uint32_t (*read_block)(void *opaque, uint64_t offset, unsigned width, void *to, uint32_t count);
    uint32_t (*write_block)(void *opaque, uint64_t offset, unsigned width, const void *from, uint32_t count);
    void *opaque;
};

#endif
