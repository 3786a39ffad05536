/* Virtual time and a binary heap of future events; see event_clock.h. */
#include "bus/event_clock.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_EVENTS 256u

/* Realtime: how far one look at the clock may move it, how many times as fast it is while it makes up for
 * what it did not move, and how much of that there can be. */
#define MAX_STEP_NS   (200 * NS_PER_MICROSECOND)
#define HURRY         4u
#define MAX_BEHIND_NS NS_PER_SECOND

struct event_clock {
    /* realtime */
    uint64_t (*host_now)(void *opaque);
    void *host_opaque;
    uint64_t host_latest; /* host time at the last look */
    uint64_t behind;      /* host nanoseconds that virtual time has still to make up for */
    bool running;
    /* counted */
    const uint64_t *retired;
    uint64_t ns_per_instruction;
    uint64_t skipped; /* nanoseconds skipped while halted */
    /* both */
    uint64_t latest; /* what event_clock_now() said last: time never runs backwards */

    void (*earlier)(void *opaque); /* an event became the next one; or NULL */
    void *earlier_opaque;
    uint64_t next_sequence;
    size_t count;
    struct clock_event *heap[MAX_EVENTS]; /* smallest deadline first */
};

void clock_event_init(struct clock_event *event, const char *name, void (*fire)(void *opaque), void *opaque)
{
    *event =
        (struct clock_event){.fire = fire, .opaque = opaque, .name = name, .deadline = EVENT_CLOCK_NEVER};
}

struct event_clock *event_clock_create_realtime(uint64_t (*host_now)(void *opaque), void *opaque)
{
    struct event_clock *clock = calloc(1, sizeof *clock);
    if (clock == NULL) {
        return NULL;
    }
    clock->host_now = host_now;
    clock->host_opaque = opaque;
    clock->host_latest = host_now(opaque);
    clock->running = true;
    return clock;
}

struct event_clock *event_clock_create_counted(const uint64_t *retired, uint64_t ns_per_instruction)
{
    assert(ns_per_instruction > 0);
    struct event_clock *clock = calloc(1, sizeof *clock);
    if (clock == NULL) {
        return NULL;
    }
    clock->retired = retired;
    clock->ns_per_instruction = ns_per_instruction;
    return clock;
}

void event_clock_destroy(struct event_clock *clock)
{
    free(clock);
}

bool event_clock_is_counted(const struct event_clock *clock)
{
    return clock->retired != NULL;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void follow_host(struct event_clock *clock)
{
    uint64_t host = clock->host_now(clock->host_opaque);
    uint64_t passed = host > clock->host_latest ? host - clock->host_latest : 0;
    clock->host_latest += passed;
    uint64_t step = smaller(passed + smaller(clock->behind, (HURRY - 1) * passed), MAX_STEP_NS);
    clock->behind += passed - step;
    if (clock->behind > MAX_BEHIND_NS) {
        step += clock->behind - MAX_BEHIND_NS;
        clock->behind = MAX_BEHIND_NS;
    }
    clock->latest += step;
}

uint64_t event_clock_now(struct event_clock *clock)
{
    if (clock->retired != NULL) {
        uint64_t now = clock->skipped + *clock->retired * clock->ns_per_instruction;
        clock->latest = now > clock->latest ? now : clock->latest;
    } else if (clock->running) {
        follow_host(clock);
    }
    return clock->latest;
}

static bool fires_before(const struct clock_event *a, const struct clock_event *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->sequence < b->sequence;
}

static void place(struct event_clock *clock, size_t index, struct clock_event *event)
{
    clock->heap[index] = event;
    event->heap_index = index;
}

static void sift_up(struct event_clock *clock, size_t index, struct clock_event *event)
{
    while (index > 0 && fires_before(event, clock->heap[(index - 1) / 2])) {
        place(clock, index, clock->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(clock, index, event);
}

static void sift_down(struct event_clock *clock, size_t index, struct clock_event *event)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= clock->count) {
            break;
        }
        if (child + 1 < clock->count && fires_before(clock->heap[child + 1], clock->heap[child])) {
            child++;
        }
        if (!fires_before(clock->heap[child], event)) {
            break;
        }
        place(clock, index, clock->heap[child]);
        index = child;
    }
    place(clock, index, event);
}

void event_clock_cancel(struct event_clock *clock, struct clock_event *event)
{
    if (!clock_event_is_scheduled(event)) {
        return;
    }
    event->deadline = EVENT_CLOCK_NEVER;
    struct clock_event *moved = clock->heap[--clock->count];
    if (moved == event) {
        return;
    }
    size_t index = event->heap_index;
    if (index > 0 && fires_before(moved, clock->heap[(index - 1) / 2])) {
        sift_up(clock, index, moved);
    } else {
        sift_down(clock, index, moved);
    }
}

void event_clock_schedule(struct event_clock *clock, struct clock_event *event, uint64_t deadline)
{
    event_clock_cancel(clock, event);
    if (deadline == EVENT_CLOCK_NEVER) {
        return;
    }
    assert(clock->count < MAX_EVENTS);
    event->deadline = deadline;
    event->sequence = clock->next_sequence++;
    sift_up(clock, clock->count++, event);
    if (clock->heap[0] == event && clock->earlier != NULL) {
        clock->earlier(clock->earlier_opaque);
    }
}

void event_clock_set_listener(struct event_clock *clock, void (*earlier)(void *opaque), void *opaque)
{
    clock->earlier = earlier;
    clock->earlier_opaque = opaque;
}

uint64_t event_clock_next_deadline(const struct event_clock *clock)
{
    return clock->count == 0 ? EVENT_CLOCK_NEVER : clock->heap[0]->deadline;
}

void event_clock_run_due(struct event_clock *clock)
{
    uint64_t now = event_clock_now(clock);
    while (clock->count > 0 && clock->heap[0]->deadline <= now) {
        struct clock_event *event = clock->heap[0];
        event_clock_cancel(clock, event);
        event->fire(event->opaque);
    }
}

uint64_t event_clock_budget(struct event_clock *clock, uint64_t limit)
{
    uint64_t deadline = event_clock_next_deadline(clock);
    if (deadline == EVENT_CLOCK_NEVER) {
        return limit;
    }
    uint64_t now = event_clock_now(clock);
    if (deadline <= now) {
        return 1;
    }
    uint64_t instructions = (deadline - now + clock->ns_per_instruction - 1) / clock->ns_per_instruction;
    return instructions < limit ? instructions : limit;
}

bool event_clock_skip_to_deadline(struct event_clock *clock)
{
    uint64_t deadline = event_clock_next_deadline(clock);
    uint64_t now = event_clock_now(clock);
    if (deadline <= now) {
        return true;
    }
    if (clock->retired == NULL) {
        uint64_t skipped = smaller(deadline - now, clock->behind);
        clock->behind -= skipped;
        clock->latest += skipped;
    } else if (deadline != EVENT_CLOCK_NEVER) {
        clock->skipped += deadline - now;
        clock->latest = deadline;
    }
    return clock->latest >= deadline;
}

void event_clock_visit_state(struct event_clock *clock, const struct state_visitor *visitor)
{
    assert(clock->retired != NULL);
    state_visit(visitor, &clock->skipped, sizeof clock->skipped);
    state_visit(visitor, &clock->latest, sizeof clock->latest);
    state_visit(visitor, &clock->next_sequence, sizeof clock->next_sequence);
    state_visit(visitor, &clock->count, sizeof clock->count);
    state_visit(visitor, clock->heap, sizeof clock->heap);
}

void event_clock_stop(struct event_clock *clock)
{
    if (clock->host_now != NULL && clock->running) {
        (void)event_clock_now(clock);
        clock->running = false;
    }
}

void event_clock_start(struct event_clock *clock)
{
    if (clock->host_now != NULL && !clock->running) {
        clock->host_latest = clock->host_now(clock->host_opaque);
        clock->running = true;
    }
}
