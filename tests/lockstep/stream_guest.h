/* A CPU with an engine, set up to run random streams: tables, handlers, a page of device registers.
 *
 * Everything a stream finds is made anew by stream_guest_load(), from the stream alone: the same on every
 * guest. Exceptions lead to a handler that gives the stream its stack, segments and pointers back and goes on
 * at an item of its list; vector STREAM_INTERRUPT returns at once. */
#ifndef DOPPEL_TESTS_STREAM_GUEST_H
#define DOPPEL_TESTS_STREAM_GUEST_H

#include "cpu_bench.h"
#include "stream.h"

struct stream_guest {
    struct cpu_bench *bench;
    uint32_t device; /* the device's state */
    unsigned device_writes;
    /* For stream_events.h. */
    bool has_events, memory_has_changed, code_is_global, pae;
    /* The stream runs on other tables than its own. What it sees then depends on how long global pages are
     * remembered. */
    bool tables_are_lost;
    struct cpu_memory_ops ops;
    const struct cpu_memory_ops *real_ops;
    uint64_t random;
    uint32_t page_rights;
    uint32_t event_period; /* of how many stores some 20 are events */
};

/* On the engine of `config`, for streams with events or without. Failing is fatal. */
struct stream_guest *stream_guest_create(const struct cpu_model *model, const struct engine_config *config,
                                         bool events);
void stream_guest_destroy(struct stream_guest *guest);

/* Puts the guest in front of the stream, whatever it did before. */
void stream_guest_load(struct stream_guest *guest, const struct stream *stream);

/* The physical page of code at a linear address. */
uint32_t stream_guest_page(const struct stream *stream, uint32_t linear);

#endif
