/* See fw_cfg.h. All numbers that the device sees are big-endian. */
#include "fw_cfg.h"

#define KEY_DIRECTORY 0x19

#define PORT_DMA_HIGH 0x514
#define PORT_DMA_LOW  0x518

#define DMA_ERROR  0x01u
#define DMA_READ   0x02u
#define DMA_SKIP   0x04u
#define DMA_SELECT 0x08u

struct dma_command {
    uint32_t control;
    uint32_t length;
    uint32_t address_high, address_low;
};

struct directory_entry {
    uint32_t size;
    uint16_t key;
    uint16_t reserved;
    char name[56];
};

static uint32_t swap32(uint32_t value)
{
    return value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff0000) | value << 24;
}

static void write_port(uint16_t port, uint32_t value)
{
    __asm__ volatile("out %1, %0" : : "a"(value), "d"(port) : "memory");
}

static bool run(uint32_t control, uint32_t address, uint32_t length)
{
    volatile struct dma_command command = {swap32(control), swap32(length), 0, swap32(address)};
    write_port(PORT_DMA_HIGH, 0);
    write_port(PORT_DMA_LOW, swap32((uint32_t)&command));
    while ((command.control & ~swap32(DMA_ERROR)) != 0) {
    }
    return command.control == 0;
}

bool fw_cfg_read(uint16_t key, uint32_t offset, uint32_t address, uint32_t size)
{
    return run((uint32_t)key << 16 | DMA_SELECT | DMA_SKIP, 0, offset) && run(DMA_READ, address, size);
}

static bool is_same(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++, b++;
    }
    return *a == *b;
}

uint16_t fw_cfg_find(const char *name)
{
    uint32_t count = 0;
    if (!fw_cfg_read(KEY_DIRECTORY, 0, (uint32_t)&count, sizeof count)) {
        return 0;
    }
    count = swap32(count);
    for (uint32_t i = 0; i < count; i++) {
        struct directory_entry entry;
        if (!run(DMA_READ, (uint32_t)&entry, sizeof entry)) {
            return 0;
        }
        if (is_same(entry.name, name)) {
            return (uint16_t)(entry.key << 8 | entry.key >> 8);
        }
    }
    return 0;
}
