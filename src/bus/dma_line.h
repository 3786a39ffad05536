/* A DMA request/acknowledge pair between a device and the DMA controller, as a value.
 *
 * The device offers or asks for bytes when it is ready; the controller moves as many as the guest has
 * programmed. The device does not know which chip is at the other end; machine_pc.c connects the two. A
 * zeroed line is not connected: nothing moves, as on a channel that stays masked. */
#ifndef DOPPEL_BUS_DMA_LINE_H
#define DOPPEL_BUS_DMA_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dma_direction {
    DMA_TO_MEMORY,  /* the 8237's "write transfer": device to guest memory */
    DMA_FROM_MEMORY /* the 8237's "read transfer": guest memory to device */
};

struct dma_line {
    /* Requests service for up to `length` (> 0) bytes at `bytes`, which are read or filled according to
     * `direction`. Returns how many were moved, at most `length`: fewer when the channel reached its terminal
     * count, and 0 while it is masked, disabled or programmed for the other direction. *terminal_count is set
     * to whether the last byte moved was the channel's last (the TC pin), and nothing more is moved after it
     * in this call even when the channel reloads itself. A channel in verify mode counts, but leaves both
     * sides alone: `bytes` stay as they are. */
    size_t (*transfer)(void *opaque, unsigned channel, enum dma_direction direction, uint8_t *bytes,
                       size_t length, bool *terminal_count);
    void *opaque;
    unsigned channel; /* which channel of the controller */
};

static inline size_t dma_line_transfer(const struct dma_line *line, enum dma_direction direction,
                                       uint8_t *bytes, size_t length, bool *terminal_count)
{
    *terminal_count = false;
    return line->transfer == NULL
               ? 0
               : line->transfer(line->opaque, line->channel, direction, bytes, length, terminal_count);
}

#endif
