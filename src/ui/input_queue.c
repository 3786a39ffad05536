/* Input between threads: a ring under a mutex, and an eventfd(2) that is non-zero while the ring is not
 * empty. See input_queue.h. */
#include "ui/input_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CAPACITY 1024
#define RESERVE  (KEY_COUNT + 8) /* slots kept for the release of every key and for requests */

struct input_queue {
    pthread_mutex_t lock;
    int wake_fd;
    unsigned first, count;
    struct input_event events[CAPACITY];
};

struct status input_queue_create(struct input_queue **created)
{
    struct input_queue *queue = calloc(1, sizeof *queue);
    if (!queue) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    queue->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->wake_fd < 0) {
        int failure = errno;
        free(queue);
        return status_from_errno(failure, "cannot create an event descriptor");
    }
    pthread_mutex_init(&queue->lock, NULL);
    *created = queue;
    return status_ok();
}

void input_queue_destroy(struct input_queue *queue)
{
    if (queue) {
        pthread_mutex_destroy(&queue->lock);
        close(queue->wake_fd);
        free(queue);
    }
}

static bool is_precious(const struct input_event *event)
{
    return event->kind == INPUT_EVENT_REQUEST || (event->kind == INPUT_EVENT_KEY && !event->pressed);
}

/* Adds a movement to the youngest event when that is a movement with the same buttons. */
static bool merge(struct input_queue *queue, const struct input_event *event)
{
    if (queue->count == 0 || event->kind != INPUT_EVENT_MOUSE) {
        return false;
    }
    struct input_event *last = &queue->events[(queue->first + queue->count - 1) % CAPACITY];
    if (last->kind != INPUT_EVENT_MOUSE || last->buttons != event->buttons) {
        return false;
    }
    last->dx += event->dx;
    last->dy += event->dy;
    last->wheel += event->wheel;
    return true;
}

bool input_queue_post(struct input_queue *queue, const struct input_event *event)
{
    pthread_mutex_lock(&queue->lock);
    bool accepted = merge(queue, event);
    unsigned limit = is_precious(event) ? CAPACITY : CAPACITY - RESERVE;
    if (!accepted && queue->count < limit) {
        queue->events[(queue->first + queue->count) % CAPACITY] = *event;
        queue->count++;
        accepted = true;
        if (queue->count == 1) {
            (void)eventfd_write(queue->wake_fd, 1);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return accepted;
}

bool input_queue_take(struct input_queue *queue, struct input_event *event)
{
    pthread_mutex_lock(&queue->lock);
    bool found = queue->count > 0;
    if (found) {
        *event = queue->events[queue->first];
        queue->first = (queue->first + 1) % CAPACITY;
        queue->count--;
        if (queue->count == 0) {
            eventfd_t ignored;
            (void)eventfd_read(queue->wake_fd, &ignored);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return found;
}

int input_queue_fd(const struct input_queue *queue)
{
    return queue->wake_fd;
}
