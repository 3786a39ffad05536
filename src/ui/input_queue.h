/* Input on its way from a window's thread to the machine's thread.
 *
 * Any thread may post; one thread takes. Mouse movements that were not taken yet are merged. When the queue
 * is full, key presses and movements are refused first; room is kept for releases and requests, so that a
 * guest that was stopped for long is not left with keys stuck. */
#ifndef DOPPEL_UI_INPUT_QUEUE_H
#define DOPPEL_UI_INPUT_QUEUE_H

#include <stdbool.h>

#include "base/status.h"
#include "ui/front_end.h"
#include "ui/input.h"

enum input_event_kind { INPUT_EVENT_KEY, INPUT_EVENT_MOUSE, INPUT_EVENT_REQUEST };

struct input_event {
    enum input_event_kind kind;
    /* INPUT_EVENT_KEY */
    enum key key;
    bool pressed;
    /* INPUT_EVENT_MOUSE, as in struct input_sink */
    int dx, dy, wheel;
    unsigned buttons;
    /* INPUT_EVENT_REQUEST */
    enum front_end_request request;
};

struct input_queue;

struct status input_queue_create(struct input_queue **queue) STATUS_MUST_CHECK;
void input_queue_destroy(struct input_queue *queue); /* NULL is allowed */

/* False when there was no room. */
bool input_queue_post(struct input_queue *queue, const struct input_event *event);

/* The oldest event; false when there is none. */
bool input_queue_take(struct input_queue *queue, struct input_event *event);

/* Polls readable while events wait. For waiting only: nothing is to be read from it. */
int input_queue_fd(const struct input_queue *queue);

#endif
