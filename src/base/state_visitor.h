/* Where the state of something lies, for whoever copies it and puts the copy back in the same process: then
 * pointers stay what they are, and to know the bytes is enough.
 *
 * A visit names the same places, in the same order and with the same lengths, as often as it is made. */
#ifndef DOPPEL_BASE_STATE_VISITOR_H
#define DOPPEL_BASE_STATE_VISITOR_H

#include <stddef.h>

struct state_visitor {
    /* `bytes` may be read or written; they stay where they are until the visit is over. */
    void (*visit)(void *opaque, void *bytes, size_t length);
    void *opaque;
};

static inline void state_visit(const struct state_visitor *visitor, void *bytes, size_t length)
{
    visitor->visit(visitor->opaque, bytes, length);
}

#endif
