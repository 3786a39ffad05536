/* The one clock: every guest-visible time is its virtual nanoseconds.
 *
 * Two modes. Realtime: virtual time follows a host clock handed in as a function, minus the time the machine
 * was stopped. Counted (--icount): virtual time is the number of retired instructions times a fixed number of
 * nanoseconds, plus what was skipped while the CPU was halted; the same run twice is identical bit for bit.
 *
 * A host that does not run doppel for a while must not cost the guest timer ticks (of several that fall due
 * at once, a latched interrupt request keeps one) nor spoil the measurements by which it learns how fast its
 * counters are. Therefore a look at a realtime clock moves it by 200 microseconds at most; what is missing
 * then is made up for afterwards, at up to four times the speed, and at once while the CPU has nothing to do.
 * Only when a whole second is missing does time jump. So look often.
 *
 * Devices schedule events; the machine runs the engine until the next deadline and then calls
 * event_clock_run_due(). Events with the same deadline fire in the order in which they were scheduled. */
#ifndef DOPPEL_BUS_EVENT_CLOCK_H
#define DOPPEL_BUS_EVENT_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/state_visitor.h"

#define NS_PER_SECOND      1000000000ull
#define NS_PER_MILLISECOND 1000000ull
#define NS_PER_MICROSECOND 1000ull

#define EVENT_CLOCK_NEVER UINT64_MAX

struct event_clock;

/* One future call, embedded in its device and initialised once with clock_event_init(). */
struct clock_event {
    void (*fire)(void *opaque);
    void *opaque;
    const char *name;  /* static string */
    uint64_t deadline; /* virtual ns; EVENT_CLOCK_NEVER when not scheduled */
    uint64_t sequence; /* ties: first scheduled fires first */
    size_t heap_index; /* meaningful while scheduled */
};

void clock_event_init(struct clock_event *event, const char *name, void (*fire)(void *opaque), void *opaque);

static inline bool clock_event_is_scheduled(const struct clock_event *event)
{
    return event->deadline != EVENT_CLOCK_NEVER;
}

/* A realtime clock; `host_now` gives monotonic host nanoseconds. Returns NULL when out of memory. */
struct event_clock *event_clock_create_realtime(uint64_t (*host_now)(void *opaque), void *opaque);

/* A counted clock; `retired` points at the engine's count of retired instructions (borrowed; must be up to
 * date whenever a device is called), each worth ns_per_instruction (> 0) virtual ns. */
struct event_clock *event_clock_create_counted(const uint64_t *retired, uint64_t ns_per_instruction);
void event_clock_destroy(struct event_clock *clock);

bool event_clock_is_counted(const struct event_clock *clock);

/* Virtual nanoseconds since power-on. Never runs backwards. */
uint64_t event_clock_now(struct event_clock *clock);

/* (Re)schedules `event` at virtual time `deadline` (in the past: fires at the next run_due). */
void event_clock_schedule(struct event_clock *clock, struct clock_event *event, uint64_t deadline);
void event_clock_cancel(struct event_clock *clock, struct clock_event *event);

/* `earlier` is called whenever an event becomes the next one: a budget that was computed before it is too
 * long now. */
void event_clock_set_listener(struct event_clock *clock, void (*earlier)(void *opaque), void *opaque);

/* The earliest deadline, EVENT_CLOCK_NEVER when nothing is scheduled. */
uint64_t event_clock_next_deadline(const struct event_clock *clock);

/* Fires every event whose deadline is now or past. Handlers may schedule and cancel. */
void event_clock_run_due(struct event_clock *clock);

/* Counted mode: instructions until `next_deadline`, at least 1, at most `limit`. */
uint64_t event_clock_budget(struct event_clock *clock, uint64_t limit);

/* The CPU has nothing to do: jumps virtual time to the next deadline, in realtime mode as far as it is behind
 * the host's. Returns whether a deadline is reached. */
bool event_clock_skip_to_deadline(struct event_clock *clock);

/* Counted mode: what a copy of the clock consists of, beside the events themselves, which belong to others.
 */
void event_clock_visit_state(struct event_clock *clock, const struct state_visitor *visitor);

/* Realtime mode: virtual time stands still between stop and start (the monitor's stop/cont). Idempotent. */
void event_clock_stop(struct event_clock *clock);
void event_clock_start(struct event_clock *clock);

#endif
