/* A device that remembers what was written and from which tests can send; see char_device.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chardev/char_backend.h"

struct char_memory {
    struct char_device device;
    struct char_queue written;
    struct char_queue arriving;
};

static ssize_t memory_read(struct char_device *device, void *to, size_t size)
{
    struct char_memory *memory = (struct char_memory *)device;
    size_t length = memory->arriving.length < size ? memory->arriving.length : size;
    if (length == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to, char_queue_front(&memory->arriving), length);
    char_queue_consume(&memory->arriving, length);
    return (ssize_t)length;
}

static ssize_t memory_write(struct char_device *device, const void *from, size_t size)
{
    struct char_memory *memory = (struct char_memory *)device;
    size_t taken = char_queue_append(&memory->written, from, size);
    if (taken == 0) {
        errno = ENOMEM;
        return -1;
    }
    return (ssize_t)taken;
}

static void memory_output_failed(struct char_device *device, int errno_value)
{
    char_backend_fail(device, errno_value, "memory character device");
    device->can_write = false;
}

static void memory_close(struct char_device *device)
{
    struct char_memory *memory = (struct char_memory *)device;
    char_queue_release(&memory->written);
    char_queue_release(&memory->arriving);
    free(memory);
}

static const struct char_backend memory_backend = {
    .unbuffered = true,
    .read = memory_read,
    .write = memory_write,
    .output_failed = memory_output_failed,
    .close = memory_close,
};

static struct char_memory *memory_from(const struct char_device *device)
{
    assert(device->backend == &memory_backend);
    return (struct char_memory *)device;
}

struct char_device *char_device_create_memory(void)
{
    struct char_memory *memory = char_backend_allocate(sizeof *memory, &memory_backend, CHAR_QUEUE_PEER);
    if (!memory) {
        return NULL;
    }
    memory->written.limit = CHAR_QUEUE_MEMORY;
    memory->arriving.limit = CHAR_QUEUE_MEMORY;
    memory->device.can_read = true;
    memory->device.can_write = true;
    return &memory->device;
}

const uint8_t *char_device_memory_written(const struct char_device *device, size_t *length)
{
    const struct char_memory *memory = memory_from(device);
    *length = memory->written.length;
    return char_queue_front(&memory->written);
}

bool char_device_memory_inject(struct char_device *device, const uint8_t *bytes, size_t length)
{
    return char_queue_append(&memory_from(device)->arriving, bytes, length) == length;
}
