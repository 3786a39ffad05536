/* The PC/AT's two 8237A DMA controllers with their page registers (Intel 8237A datasheet 231466; page
 * registers: 82371SB PIIX3 datasheet §2.5.1).
 *
 * Ports: 00h-0Fh channels 0-3 (bytes, 64 KiB pages), C0h-DFh channels 4-7 (words, 128 KiB pages; channel 4
 * cascades the first controller), 80h-8Fh pages, 480h-48Fh high pages (address bits 24-31; writing a low page
 * clears them). The page bytes that belong to no channel are plain storage; 80h among them is where firmware
 * shows POST codes, which are handed out and remembered.
 *
 * A device asks through its dma_line; the controller moves the bytes at once. Demand, single and block mode
 * therefore look the same; in cascade mode a channel moves nothing.
 *
 * NOT IMPLEMENTED: memory-to-memory transfers, compressed timing, DREQ/DACK polarity, rotating priority
 * (requests are served at once, so there is never a contest), transfers by software request (the request bit
 * is only shown and cleared). */
#ifndef DOPPEL_DEVICES_I8237_H
#define DOPPEL_DEVICES_I8237_H

#include "bus/dma_line.h"
#include "devices/device.h"

#define I8237_POST_HISTORY 16

struct i8237_pair;

struct i8237_config {
    void (*post_code)(void *opaque, uint8_t code); /* may be NULL */
    void *opaque;
};

/* Errors: ports taken, out of memory. */
struct status i8237_pair_create(const struct device_host *host, const struct i8237_config *config,
                                struct i8237_pair **pair) STATUS_MUST_CHECK;

struct device *i8237_pair_device(struct i8237_pair *pair);

/* What a device on channel `channel` (0..7, not 4) is given. For channels 5-7 only whole words move: an odd
 * last byte does not. */
struct dma_line i8237_pair_line(struct i8237_pair *pair, unsigned channel);

/* Copies the last POST codes, oldest first, and returns how many (at most I8237_POST_HISTORY). */
unsigned i8237_pair_post_codes(const struct i8237_pair *pair, uint8_t codes[I8237_POST_HISTORY]);

#endif
