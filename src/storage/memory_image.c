/* A disk that lives in host memory and starts as zeros: for tests and scratch disks. */
#include "storage/block_backend.h"

#include <stdlib.h>
#include <string.h>

struct memory_image {
    struct block_device device;
    uint8_t *bytes;
};

static uint8_t *sector_address(struct block_device *device, uint64_t sector)
{
    return ((struct memory_image *)(void *)device)->bytes + sector * BLOCK_SECTOR_SIZE;
}

static struct status memory_image_read(struct block_device *device, uint64_t sector, uint32_t count, void *to)
{
    memcpy(to, sector_address(device, sector), (size_t)count * BLOCK_SECTOR_SIZE);
    return status_ok();
}

static struct status memory_image_write(struct block_device *device, uint64_t sector, uint32_t count,
                                        const void *from)
{
    memcpy(sector_address(device, sector), from, (size_t)count * BLOCK_SECTOR_SIZE);
    return status_ok();
}

static void memory_image_close(struct block_device *device)
{
    struct memory_image *image = (struct memory_image *)(void *)device;
    free(image->bytes);
    free(image);
}

static const struct block_backend memory_image_backend = {
    .name = "memory",
    .read = memory_image_read,
    .write = memory_image_write,
    .close = memory_image_close,
};

struct status block_device_create_memory(uint64_t sectors, struct block_device **device)
{
    *device = NULL;
    if (sectors == 0 || sectors > SIZE_MAX / BLOCK_SECTOR_SIZE) {
        return status_error(STATUS_INVALID_ARGUMENT, "a memory disk of %llu sectors is not possible",
                            (unsigned long long)sectors);
    }
    struct memory_image *image = malloc(sizeof *image);
    uint8_t *bytes = calloc((size_t)sectors, BLOCK_SECTOR_SIZE);
    if (image == NULL || bytes == NULL) {
        free(image);
        free(bytes);
        return status_error(STATUS_NO_MEMORY, "out of memory for a disk of %llu sectors",
                            (unsigned long long)sectors);
    }
    *image = (struct memory_image){
        .device = {.backend = &memory_image_backend, .sectors = sectors, .read_only = false, .path = ""},
        .bytes = bytes,
    };
    *device = &image->device;
    return status_ok();
}
