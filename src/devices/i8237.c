/* The DMA controllers; see i8237.h. */
#include "devices/i8237.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define COMMAND_DISABLE 0x04

#define MODE_TRANSFER  0x0c
#define MODE_WRITE     0x04 /* device to memory */
#define MODE_READ      0x08 /* memory to device */
#define MODE_AUTO_INIT 0x10
#define MODE_DECREMENT 0x20
#define MODE_CASCADE   0xc0

#define PAGE_POST 0

struct dma_channel {
    uint16_t base_address;
    uint16_t base_count;
    uint16_t address;
    uint16_t count;
    uint8_t mode;      /* as written, without the channel bits */
    uint8_t page;      /* address bits 16-23 */
    uint8_t high_page; /* address bits 24-31 */
};

struct i8237 {
    struct i8237_pair *pair;
    struct dma_channel channels[4];
    unsigned word; /* 1: addresses and counts are words */
    uint8_t command;
    uint8_t mask;
    uint8_t request;
    uint8_t terminal_count; /* status bits 0-3 */
    bool high_byte;         /* the byte pointer flip-flop */
};

struct i8237_pair {
    struct device device;
    struct device_host host;
    struct i8237_config config;
    struct i8237 chips[2];
    uint8_t spare_pages[16]; /* page registers without a channel */
    uint8_t post_codes[I8237_POST_HISTORY];
    uint64_t post_count;
    struct io_region regions[4];
};

/* Which channel page register n belongs to; -1: none. */
static const int8_t page_channel[16] = {-1, 2, 3, 1, -1, -1, -1, 0, -1, 6, 7, 5, -1, -1, -1, 4};

static uint64_t channel_address(const struct i8237 *chip, const struct dma_channel *channel)
{
    uint64_t high = (uint64_t)channel->high_page << 24;
    if (chip->word) {
        return high | (uint64_t)(channel->page & 0xfe) << 16 | (uint64_t)channel->address << 1;
    }
    return high | (uint64_t)channel->page << 16 | channel->address;
}

static void channel_move(struct i8237 *chip, struct dma_channel *channel, uint8_t *bytes, unsigned size)
{
    struct memory_bus *memory = chip->pair->host.memory;
    switch (channel->mode & MODE_TRANSFER) {
    case MODE_WRITE: memory_bus_write_block(memory, channel_address(chip, channel), bytes, size); break;
    case MODE_READ: memory_bus_read_block(memory, channel_address(chip, channel), bytes, size); break;
    default: break;
    }
}

/* One cycle's bookkeeping; true at terminal count. */
static bool channel_step(struct i8237 *chip, unsigned number)
{
    struct dma_channel *channel = &chip->channels[number];
    channel->address = (uint16_t)(channel->address + (channel->mode & MODE_DECREMENT ? -1 : 1));
    channel->count--;
    if (channel->count != 0xffff) {
        return false;
    }
    chip->terminal_count |= (uint8_t)(1u << number);
    chip->request &= (uint8_t) ~(1u << number);
    if (channel->mode & MODE_AUTO_INIT) {
        channel->address = channel->base_address;
        channel->count = channel->base_count;
    } else {
        chip->mask |= (uint8_t)(1u << number);
    }
    return true;
}

static bool channel_serves(const struct i8237 *chip, unsigned number, enum dma_direction direction)
{
    const struct dma_channel *channel = &chip->channels[number];
    uint8_t transfer = channel->mode & MODE_TRANSFER;
    if (chip->mask >> number & 1 || chip->command & COMMAND_DISABLE ||
        (channel->mode & MODE_CASCADE) == MODE_CASCADE) {
        return false;
    }
    return transfer == 0 || transfer == (direction == DMA_TO_MEMORY ? MODE_WRITE : MODE_READ);
}

/* The first controller reaches the bus through channel 4. */
static bool cascade_is_open(const struct i8237_pair *pair, const struct i8237 *chip)
{
    const struct i8237 *second = &pair->chips[1];
    return chip == second || !(second->mask & 1 || second->command & COMMAND_DISABLE);
}

static size_t pair_transfer(void *opaque, unsigned number, enum dma_direction direction, uint8_t *bytes,
                            size_t length, bool *terminal_count)
{
    struct i8237_pair *pair = opaque;
    struct i8237 *chip = &pair->chips[number >> 2];
    unsigned local = number & 3;
    unsigned size = chip->word ? 2 : 1;
    *terminal_count = false;
    if (!channel_serves(chip, local, direction) || !cascade_is_open(pair, chip)) {
        return 0;
    }
    size_t done = 0;
    while (!*terminal_count && length - done >= size) {
        channel_move(chip, &chip->channels[local], bytes + done, size);
        done += size;
        *terminal_count = channel_step(chip, local);
    }
    return done;
}

struct dma_line i8237_pair_line(struct i8237_pair *pair, unsigned channel)
{
    assert(channel < 8 && channel != 4);
    return (struct dma_line){.transfer = pair_transfer, .opaque = pair, .channel = channel};
}

static void chip_master_clear(struct i8237 *chip)
{
    chip->command = 0;
    chip->mask = 0x0f;
    chip->request = 0;
    chip->terminal_count = 0;
    chip->high_byte = false;
}

static void chip_write_channel(struct i8237 *chip, unsigned reg, uint8_t value)
{
    struct dma_channel *channel = &chip->channels[reg >> 1];
    uint16_t *base = reg & 1 ? &channel->base_count : &channel->base_address;
    uint16_t *current = reg & 1 ? &channel->count : &channel->address;
    unsigned shift = chip->high_byte ? 8 : 0;
    *base = (uint16_t)((*base & ~(0xff << shift)) | value << shift);
    *current = (uint16_t)((*current & ~(0xff << shift)) | value << shift);
    chip->high_byte = !chip->high_byte;
}

static uint8_t chip_read_channel(struct i8237 *chip, unsigned reg)
{
    const struct dma_channel *channel = &chip->channels[reg >> 1];
    uint16_t value = reg & 1 ? channel->count : channel->address;
    bool high = chip->high_byte;
    chip->high_byte = !high;
    return (uint8_t)(high ? value >> 8 : value);
}

static uint8_t with_bit(uint8_t set, unsigned bit, bool on)
{
    return (uint8_t)(on ? set | 1u << bit : set & ~(1u << bit));
}

static void chip_write_register(struct i8237 *chip, unsigned reg, uint8_t value)
{
    switch (reg) {
    case 0x8: chip->command = value; break;
    case 0x9: chip->request = with_bit(chip->request, value & 3, value & 4); break;
    case 0xa: chip->mask = with_bit(chip->mask, value & 3, value & 4); break;
    case 0xb: chip->channels[value & 3].mode = value & 0xfc; break;
    case 0xc: chip->high_byte = false; break;
    case 0xd: chip_master_clear(chip); break;
    case 0xe: chip->mask = 0; break;
    default: chip->mask = value & 0x0f; break; /* 0Fh */
    }
}

static uint8_t chip_read_register(struct i8237 *chip, unsigned reg)
{
    uint8_t value;
    switch (reg) {
    case 0x8:
        value = (uint8_t)(chip->request << 4 | chip->terminal_count);
        chip->terminal_count = 0;
        return value;
    case 0xf: return chip->mask | 0xf0;
    case 0xd: return 0; /* temporary register: memory-to-memory only */
    default: return 0xff;
    }
}

static void chip_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8237 *chip = opaque;
    unsigned reg = (unsigned)(offset >> chip->word);
    (void)width;
    if (reg < 8) {
        chip_write_channel(chip, reg, (uint8_t)value);
    } else {
        chip_write_register(chip, reg, (uint8_t)value);
    }
}

static uint64_t chip_read(void *opaque, uint64_t offset, unsigned width)
{
    struct i8237 *chip = opaque;
    unsigned reg = (unsigned)(offset >> chip->word);
    (void)width;
    return reg < 8 ? chip_read_channel(chip, reg) : chip_read_register(chip, reg);
}

static struct dma_channel *channel_of_page(struct i8237_pair *pair, uint64_t page)
{
    int channel = page_channel[page & 15];
    return channel < 0 ? NULL : &pair->chips[channel >> 2].channels[channel & 3];
}

static void page_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8237_pair *pair = opaque;
    struct dma_channel *channel = channel_of_page(pair, offset);
    (void)width;
    if (channel != NULL) {
        channel->page = (uint8_t)value;
        channel->high_page = 0;
        return;
    }
    pair->spare_pages[offset] = (uint8_t)value;
    if (offset == PAGE_POST) {
        pair->post_codes[pair->post_count++ % I8237_POST_HISTORY] = (uint8_t)value;
        log_printf(pair->host.log, LOG_POST, "%02x", (unsigned)value & 0xff);
        if (pair->config.post_code != NULL) {
            pair->config.post_code(pair->config.opaque, (uint8_t)value);
        }
    }
}

static uint64_t page_read(void *opaque, uint64_t offset, unsigned width)
{
    struct i8237_pair *pair = opaque;
    const struct dma_channel *channel = channel_of_page(pair, offset);
    (void)width;
    return channel != NULL ? channel->page : pair->spare_pages[offset];
}

static void high_page_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct dma_channel *channel = channel_of_page(opaque, offset);
    (void)width;
    if (channel != NULL) {
        channel->high_page = (uint8_t)value;
    }
}

static uint64_t high_page_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct dma_channel *channel = channel_of_page(opaque, offset);
    (void)width;
    return channel != NULL ? channel->high_page : 0xff;
}

unsigned i8237_pair_post_codes(const struct i8237_pair *pair, uint8_t codes[I8237_POST_HISTORY])
{
    unsigned count = pair->post_count < I8237_POST_HISTORY ? (unsigned)pair->post_count : I8237_POST_HISTORY;
    for (unsigned i = 0; i < count; i++) {
        codes[i] = pair->post_codes[(pair->post_count - count + i) % I8237_POST_HISTORY];
    }
    return count;
}

static void pair_reset(struct device *device)
{
    struct i8237_pair *pair = CONTAINER_OF(device, struct i8237_pair, device);
    for (unsigned i = 0; i < ARRAY_COUNT(pair->chips); i++) {
        chip_master_clear(&pair->chips[i]);
        memset(pair->chips[i].channels, 0, sizeof pair->chips[i].channels);
    }
    memset(pair->spare_pages, 0, sizeof pair->spare_pages);
}

static void pair_describe(struct device *device, FILE *out)
{
    const struct i8237_pair *pair = CONTAINER_OF(device, struct i8237_pair, device);
    for (unsigned number = 0; number < 8; number++) {
        const struct i8237 *chip = &pair->chips[number >> 2];
        const struct dma_channel *channel = &chip->channels[number & 3];
        fprintf(out, "dma%u: mode %02x address %08llx count %04x base %04x/%04x%s%s\n", number, channel->mode,
                (unsigned long long)channel_address(chip, channel), channel->count, channel->base_address,
                channel->base_count, chip->mask >> (number & 3) & 1 ? " masked" : "",
                chip->command & COMMAND_DISABLE ? " disabled" : "");
    }
    uint8_t codes[I8237_POST_HISTORY];
    unsigned count = i8237_pair_post_codes(pair, codes);
    fprintf(out, "post codes:");
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, " %02x", codes[i]);
    }
    fputc('\n', out);
}

static void pair_destroy(struct device *device)
{
    struct i8237_pair *pair = CONTAINER_OF(device, struct i8237_pair, device);
    device_ports_release(pair->host.ports, pair->regions, ARRAY_COUNT(pair->regions));
    free(pair);
}

static const struct device_class i8237_class = {.name = "dma",
                                                .reset = pair_reset,
                                                .describe = pair_describe,
                                                .destroy = pair_destroy,
                                                .state_size = sizeof(struct i8237_pair)};

struct status i8237_pair_create(const struct device_host *host, const struct i8237_config *config,
                                struct i8237_pair **pair)
{
    struct i8237_pair *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the DMA controllers");
    }
    made->device.class = &i8237_class;
    made->host = *host;
    made->config = *config;
    made->chips[0].pair = made->chips[1].pair = made;
    made->chips[1].word = 1;
    struct io_region chip = {.name = "dma", .length = 16, .read = chip_read, .write = chip_write};
    made->regions[0] = made->regions[1] = chip;
    made->regions[0].opaque = &made->chips[0];
    made->regions[1].base = 0xc0;
    made->regions[1].length = 32;
    made->regions[1].opaque = &made->chips[1];
    made->regions[2] = (struct io_region){.name = "dma-page",
                                          .base = 0x80,
                                          .length = 16,
                                          .read = page_read,
                                          .write = page_write,
                                          .opaque = made};
    made->regions[3] = (struct io_region){.name = "dma-high-page",
                                          .base = 0x480,
                                          .length = 16,
                                          .read = high_page_read,
                                          .write = high_page_write,
                                          .opaque = made};
    struct status status = device_ports_claim(host->ports, made->regions, ARRAY_COUNT(made->regions));
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    pair_reset(&made->device);
    *pair = made;
    return status_ok();
}

struct device *i8237_pair_device(struct i8237_pair *pair)
{
    return &pair->device;
}
