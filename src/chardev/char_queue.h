/* A byte queue with a limit: output that the host has not taken yet. */
#ifndef DOPPEL_CHARDEV_CHAR_QUEUE_H
#define DOPPEL_CHARDEV_CHAR_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* All zero but `limit` is an empty queue. The bytes are contiguous from `bytes + start` on. */
struct char_queue {
    uint8_t *bytes;
    size_t capacity;
    size_t start, length;
    size_t limit; /* most bytes held */
};

/* Appends as many bytes as the limit and memory allow and returns how many. */
size_t char_queue_append(struct char_queue *queue, const uint8_t *bytes, size_t length);

/* Forgets the oldest `length` bytes (<= queue->length). */
void char_queue_consume(struct char_queue *queue, size_t length);

static inline const uint8_t *char_queue_front(const struct char_queue *queue)
{
    return queue->length ? queue->bytes + queue->start : NULL;
}

/* Frees the memory; the queue is empty and keeps its limit. */
void char_queue_release(struct char_queue *queue);

#endif
