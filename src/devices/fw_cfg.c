/* Firmware configuration items; see fw_cfg.h. */
#include "devices/fw_cfg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "devices/device_ports.h"

#define KEY_SIGNATURE  0x00
#define KEY_ID         0x01
#define KEY_DIRECTORY  0x19
#define KEY_FIRST_FILE 0x20

#define ID_TRADITIONAL 1
#define ID_DMA         2

#define MAX_ITEMS       128
#define DIRECTORY_ENTRY 64 /* bytes of one file in the directory */

#define DMA_SIGNATURE UINT64_C(0x51454d5520434647) /* "QEMU CFG" */
#define DMA_ERROR     0x01u
#define DMA_READ      0x02u
#define DMA_SKIP      0x04u
#define DMA_SELECT    0x08u
#define DMA_WRITE     0x10u

#define PADDING_LIMIT (1 * MIB)

struct fw_cfg_item {
    uint16_t key;
    uint8_t *bytes;
    uint32_t length;
    char name[FW_CFG_NAME_MAX + 1]; /* empty: not a file */
};

struct fw_cfg {
    struct device device;
    struct device_host host;
    struct fw_cfg_item items[MAX_ITEMS];
    unsigned item_count;
    uint16_t next_file_key;
    uint16_t selected;
    uint32_t position; /* of the next byte in the selected item; stops at its end */
    uint64_t dma_address;
    struct io_region regions[2];
};

static struct fw_cfg_item *find_key(struct fw_cfg *config, uint16_t key)
{
    for (unsigned i = 0; i < config->item_count; i++) {
        if (config->items[i].key == key) {
            return &config->items[i];
        }
    }
    return NULL;
}

static struct fw_cfg_item *find_file(struct fw_cfg *config, const char *name)
{
    for (unsigned i = 0; i < config->item_count; i++) {
        if (strcmp(config->items[i].name, name) == 0) {
            return &config->items[i];
        }
    }
    return NULL;
}

static void select_item(struct fw_cfg *config, uint16_t key)
{
    config->selected = key;
    config->position = 0;
}

static uint32_t remaining(const struct fw_cfg *config, const struct fw_cfg_item *item)
{
    return item != NULL && config->position < item->length ? item->length - config->position : 0;
}

static uint8_t next_byte(struct fw_cfg *config)
{
    const struct fw_cfg_item *item = find_key(config, config->selected);
    return remaining(config, item) > 0 ? item->bytes[config->position++] : 0;
}

static void dma_read(struct fw_cfg *config, const struct fw_cfg_item *item, uint64_t address, uint32_t length)
{
    static const uint8_t zeros[PAGE_SIZE];
    uint32_t available = remaining(config, item);
    uint32_t copied = length < available ? length : available;
    if (copied > 0) {
        memory_bus_write_block(config->host.memory, address, item->bytes + config->position, copied);
        config->position += copied;
    }
    for (uint32_t done = copied; done < length;) {
        uint32_t part = length - done < sizeof zeros ? length - done : (uint32_t)sizeof zeros;
        memory_bus_write_block(config->host.memory, address + done, zeros, part);
        done += part;
    }
}

/* Carries out the command block at dma_address and writes its result: 0, or the error bit. */
static void dma_run(struct fw_cfg *config)
{
    uint8_t block[16];
    uint64_t block_address = config->dma_address;
    config->dma_address = 0;
    memory_bus_read_block(config->host.memory, block_address, block, sizeof block);
    uint32_t control = load_be32(block);
    uint32_t length = load_be32(block + 4);
    uint64_t address = (uint64_t)load_be32(block + 8) << 32 | load_be32(block + 12);
    uint32_t result = 0;
    if (control & DMA_SELECT) {
        select_item(config, (uint16_t)(control >> 16));
    }
    const struct fw_cfg_item *item = find_key(config, config->selected);
    uint32_t available = remaining(config, item);
    if (control & DMA_READ) {
        if (length > available && length - available > PADDING_LIMIT) {
            log_printf(config->host.log, LOG_GUEST_ERROR, "fw_cfg: DMA of %u bytes from item %04x refused",
                       length, config->selected);
            result = DMA_ERROR;
        } else {
            dma_read(config, item, address, length);
        }
    } else if (control & DMA_WRITE) {
        result = DMA_ERROR;
    } else if (control & DMA_SKIP) {
        config->position += length < available ? length : available;
    }
    store_be32(block, result);
    memory_bus_write_block(config->host.memory, block_address, block, 4);
}

static uint64_t selector_read(void *opaque, uint64_t offset, unsigned width)
{
    struct fw_cfg *config = opaque;
    if (offset == 1) {
        return next_byte(config);
    }
    return width == 2 ? config->selected : config->selected & 0xff;
}

/* Data written to 511h would change a writable item; there is none. */
static void selector_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    if (offset == 0 && width == 2) {
        select_item(opaque, (uint16_t)value);
    }
}

static uint64_t dma_register_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)opaque;
    unsigned shift = (unsigned)(8 - offset - width) * 8;
    uint64_t big_endian = (DMA_SIGNATURE >> shift) & bits_mask(width * 8);
    uint8_t bytes[8];
    for (unsigned i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(big_endian >> (width - 1 - i) * 8);
    }
    return load_le(bytes, width);
}

static void dma_register_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct fw_cfg *config = opaque;
    if (width != 4) {
        return;
    }
    uint32_t half = __builtin_bswap32((uint32_t)value);
    if (offset == 0) {
        config->dma_address = (uint64_t)half << 32;
    } else if (offset == 4) {
        config->dma_address = (config->dma_address & ~(uint64_t)UINT32_MAX) | half;
        dma_run(config);
    }
}

/* Finds or makes the item and copies the bytes. `name` NULL: not a file. */
static struct status set_item(struct fw_cfg *config, struct fw_cfg_item *item, uint16_t key,
                              const void *bytes, size_t length)
{
    if (item == NULL && config->item_count == MAX_ITEMS) {
        return status_error(STATUS_CONFLICT, "all %d firmware configuration items are in use", MAX_ITEMS);
    }
    if (length > UINT32_MAX) {
        return status_error(STATUS_INVALID_ARGUMENT, "a firmware configuration item is at most 4 GiB long");
    }
    uint8_t *copy = malloc(length > 0 ? length : 1);
    if (copy == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for a firmware configuration item");
    }
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    if (item == NULL) {
        item = &config->items[config->item_count++];
        *item = (struct fw_cfg_item){.key = key};
    }
    free(item->bytes);
    item->bytes = copy;
    item->length = (uint32_t)length;
    return status_ok();
}

struct status fw_cfg_add_bytes(struct fw_cfg *config, uint16_t key, const void *bytes, size_t length)
{
    return set_item(config, find_key(config, key), key, bytes, length);
}

struct status fw_cfg_add_number(struct fw_cfg *config, uint16_t key, uint64_t value, unsigned width)
{
    uint8_t bytes[8];
    assert(width == 2 || width == 4 || width == 8);
    store_le(bytes, width, value);
    return fw_cfg_add_bytes(config, key, bytes, width);
}

static struct status rebuild_directory(struct fw_cfg *config)
{
    uint8_t directory[4 + MAX_ITEMS * DIRECTORY_ENTRY] = {0};
    uint32_t count = 0;
    for (unsigned i = 0; i < config->item_count; i++) {
        const struct fw_cfg_item *item = &config->items[i];
        if (item->name[0] != '\0') {
            uint8_t *entry = directory + 4 + DIRECTORY_ENTRY * count++;
            store_be32(entry, item->length);
            store_be16(entry + 4, item->key);
            memcpy(entry + 8, item->name, sizeof item->name);
        }
    }
    store_be32(directory, count);
    return fw_cfg_add_bytes(config, KEY_DIRECTORY, directory, 4 + (size_t)DIRECTORY_ENTRY * count);
}

struct status fw_cfg_add_file(struct fw_cfg *config, const char *name, const void *bytes, size_t length)
{
    size_t name_length = strlen(name);
    if (name_length == 0 || name_length > FW_CFG_NAME_MAX) {
        return status_error(STATUS_INVALID_ARGUMENT, "firmware file name '%s' is not 1 to %d bytes long",
                            name, FW_CFG_NAME_MAX);
    }
    struct fw_cfg_item *item = find_file(config, name);
    bool is_new = item == NULL;
    struct status status = set_item(config, item, config->next_file_key, bytes, length);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (is_new) {
        memcpy(config->items[config->item_count - 1].name, name, name_length);
        config->next_file_key++;
    }
    return rebuild_directory(config);
}

static void config_reset(struct device *device)
{
    struct fw_cfg *config = CONTAINER_OF(device, struct fw_cfg, device);
    select_item(config, 0);
    config->dma_address = 0;
}

static void config_describe(struct device *device, FILE *out)
{
    const struct fw_cfg *config = CONTAINER_OF(device, struct fw_cfg, device);
    fprintf(out, "fw_cfg: item %04x at %u\n", config->selected, config->position);
    for (unsigned i = 0; i < config->item_count; i++) {
        fprintf(out, "  %04x %8u %s\n", config->items[i].key, config->items[i].length, config->items[i].name);
    }
}

static void config_free(struct fw_cfg *config)
{
    for (unsigned i = 0; i < config->item_count; i++) {
        free(config->items[i].bytes);
    }
    free(config);
}

uint32_t fw_cfg_crc(const struct fw_cfg *config)
{
    uint32_t crc = 0;
    for (unsigned i = 0; i < config->item_count; i++) {
        const struct fw_cfg_item *item = &config->items[i];
        uint8_t head[8];
        store_le32(head, item->key);
        store_le32(head + 4, item->length);
        crc = crc32_append(crc, head, sizeof head);
        crc = crc32_append(crc, item->name, strlen(item->name));
        crc = crc32_append(crc, item->bytes, item->length);
    }
    return crc;
}

static void config_destroy(struct device *device)
{
    struct fw_cfg *config = CONTAINER_OF(device, struct fw_cfg, device);
    device_ports_release(config->host.ports, config->regions, ARRAY_COUNT(config->regions));
    config_free(config);
}

/* The items are the machine's; the guest cannot change them. */
static void config_visit_state(struct device *device, const struct state_visitor *visitor)
{
    struct fw_cfg *config = CONTAINER_OF(device, struct fw_cfg, device);
    state_visit(visitor, &config->selected, sizeof config->selected);
    state_visit(visitor, &config->position, sizeof config->position);
    state_visit(visitor, &config->dma_address, sizeof config->dma_address);
}

static const struct device_class fw_cfg_class = {.name = "fw_cfg",
                                                 .reset = config_reset,
                                                 .describe = config_describe,
                                                 .destroy = config_destroy,
                                                 .visit_state = config_visit_state};

static struct status add_fixed_items(struct fw_cfg *config)
{
    struct status status = fw_cfg_add_bytes(config, KEY_SIGNATURE, "QEMU", 4);
    if (status_is_ok(&status)) {
        status = fw_cfg_add_number(config, KEY_ID, ID_TRADITIONAL | ID_DMA, 4);
    }
    if (status_is_ok(&status)) {
        status = rebuild_directory(config);
    }
    return status;
}

struct status fw_cfg_create(const struct device_host *host, struct fw_cfg **config)
{
    struct fw_cfg *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the firmware configuration");
    }
    made->device.class = &fw_cfg_class;
    made->host = *host;
    made->next_file_key = KEY_FIRST_FILE;
    made->regions[0] = (struct io_region){.name = "fw_cfg",
                                          .base = 0x510,
                                          .length = 2,
                                          .max_width = 2,
                                          .read = selector_read,
                                          .write = selector_write,
                                          .opaque = made};
    made->regions[1] = (struct io_region){.name = "fw_cfg-dma",
                                          .base = 0x514,
                                          .length = 8,
                                          .max_width = 4,
                                          .read = dma_register_read,
                                          .write = dma_register_write,
                                          .opaque = made};
    struct status status = add_fixed_items(made);
    if (status_is_ok(&status)) {
        status = device_ports_claim(host->ports, made->regions, ARRAY_COUNT(made->regions));
    }
    if (!status_is_ok(&status)) {
        config_free(made);
        return status;
    }
    *config = made;
    return status_ok();
}

struct device *fw_cfg_device(struct fw_cfg *config)
{
    return &config->device;
}
