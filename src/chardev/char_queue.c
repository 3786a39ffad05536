/* A byte queue with a limit; see char_queue.h. */
#include "chardev/char_queue.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_CAPACITY 256

/* Makes room for `extra` bytes behind the queued ones. */
static bool make_room(struct char_queue *queue, size_t extra)
{
    if (queue->capacity - queue->start - queue->length >= extra) {
        return true;
    }
    if (queue->start > 0 && queue->capacity - queue->length >= extra) {
        memmove(queue->bytes, queue->bytes + queue->start, queue->length);
        queue->start = 0;
        return true;
    }
    size_t wanted = queue->capacity ? queue->capacity : SMALLEST_CAPACITY;
    while (wanted < queue->start + queue->length + extra) {
        wanted *= 2;
    }
    uint8_t *grown = realloc(queue->bytes, wanted);
    if (!grown) {
        return false;
    }
    queue->bytes = grown;
    queue->capacity = wanted;
    return true;
}

size_t char_queue_append(struct char_queue *queue, const uint8_t *bytes, size_t length)
{
    size_t room = queue->limit - queue->length;
    size_t taken = length < room ? length : room;
    if (taken == 0 || !make_room(queue, taken)) {
        return 0;
    }
    memcpy(queue->bytes + queue->start + queue->length, bytes, taken);
    queue->length += taken;
    return taken;
}

void char_queue_consume(struct char_queue *queue, size_t length)
{
    assert(length <= queue->length);
    queue->length -= length;
    queue->start = queue->length ? queue->start + length : 0;
}

void char_queue_release(struct char_queue *queue)
{
    free(queue->bytes);
    *queue = (struct char_queue){.limit = queue->limit};
}
