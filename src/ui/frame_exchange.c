/* Pictures between threads; see frame_exchange.h. Two buffers that change places: the machine copies into
 * `offered` under the lock, the window owns `taken`. */
#include "ui/frame_exchange.h"

#include <pthread.h>
#include <stdlib.h>

struct frame_exchange {
    pthread_mutex_t lock;
    bool wanted;
    bool fresh; /* `offered` was not taken yet */
    struct display_frame *offered;
    struct display_frame *taken;
};

struct frame_exchange *frame_exchange_create(void)
{
    struct frame_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        return NULL;
    }
    pthread_mutex_init(&exchange->lock, NULL);
    exchange->offered = calloc(1, sizeof *exchange->offered);
    exchange->taken = calloc(1, sizeof *exchange->taken);
    if (!exchange->offered || !exchange->taken) {
        frame_exchange_destroy(exchange);
        return NULL;
    }
    return exchange;
}

static void free_frame(struct display_frame *frame)
{
    if (frame) {
        display_frame_release(frame);
        free(frame);
    }
}

void frame_exchange_destroy(struct frame_exchange *exchange)
{
    if (exchange) {
        pthread_mutex_destroy(&exchange->lock);
        free_frame(exchange->offered);
        free_frame(exchange->taken);
        free(exchange);
    }
}

bool frame_exchange_wanted(struct frame_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    bool wanted = exchange->wanted;
    pthread_mutex_unlock(&exchange->lock);
    return wanted;
}

bool frame_exchange_publish(struct frame_exchange *exchange, const struct display_frame *frame)
{
    pthread_mutex_lock(&exchange->lock);
    bool copied = display_frame_copy(exchange->offered, frame);
    if (copied) {
        exchange->fresh = true;
        exchange->wanted = false;
    }
    pthread_mutex_unlock(&exchange->lock);
    return copied;
}

const struct display_frame *frame_exchange_take(struct frame_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    const struct display_frame *newest = NULL;
    if (exchange->fresh) {
        struct display_frame *shown = exchange->taken;
        exchange->taken = exchange->offered;
        exchange->offered = shown;
        exchange->fresh = false;
        newest = exchange->taken;
    }
    exchange->wanted = true;
    pthread_mutex_unlock(&exchange->lock);
    return newest;
}
