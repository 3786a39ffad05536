/* Pictures on their way from the machine's thread to a window's thread.
 *
 * The window asks by taking; the machine looks whether a picture is wanted, draws one and publishes a copy.
 * Neither waits for the other longer than one copy takes, and a picture that was never taken is replaced by
 * the next. */
#ifndef DOPPEL_UI_FRAME_EXCHANGE_H
#define DOPPEL_UI_FRAME_EXCHANGE_H

#include <stdbool.h>

#include "ui/display.h"

struct frame_exchange;

/* NULL when out of memory. */
struct frame_exchange *frame_exchange_create(void);
void frame_exchange_destroy(struct frame_exchange *exchange); /* NULL is allowed */

/* Machine's side: the window took, or looked for, a picture since the last one was published. */
bool frame_exchange_wanted(struct frame_exchange *exchange);

/* Machine's side: offers a copy of `frame`. False when out of memory: the window keeps what it has. */
bool frame_exchange_publish(struct frame_exchange *exchange, const struct display_frame *frame);

/* Window's side: the newest picture if there is one that was not taken yet, NULL otherwise; asks for another.
 * A picture is lent until a later call returns another one. */
const struct display_frame *frame_exchange_take(struct frame_exchange *exchange);

#endif
