/* The interval timer; see i8254.h.
 *
 * Times are tick numbers of the 1193182 Hz clock, signed because a square wave that changes its count in
 * mid-cycle gets a cycle start that may lie before power-on. Comments say CR for the count register, CE for
 * the counting element and N for the count, as the datasheet does. */
#include "devices/i8254.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"
#include "devices/oscillator.h"

#define TICK_NEVER INT64_MAX

#define REFRESH_CONTROL 0x14 /* low byte only, mode 2 */
#define REFRESH_COUNT   18

#define BACKLOG_LIMIT_NS NS_PER_SECOND

enum access { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };

struct pit_counter {
    struct i8254 *pit;
    struct irq_line out;
    struct clock_event event;
    int64_t delivered; /* the output line has been told about all changes up to this tick */

    uint8_t control; /* as read back: access, mode, BCD */
    uint8_t mode;    /* 0..5 */
    enum access access;
    bool bcd;
    bool gate;

    bool counting;        /* CE was loaded and has meaning */
    uint32_t count;       /* N, 1..65536 */
    int64_t start;        /* CE holds N at this tick */
    bool paused;          /* modes 0 and 4: gate low, or half a count written */
    int64_t paused_after; /* ticks from `start` at which it stopped */

    bool count_pending; /* CR is full and waits: for a trigger (1, 5) or for the end of the cycle (2, 3) */
    uint32_t next_count;
    int64_t switch_at; /* modes 2, 3: the end of the cycle that CR waits for */

    bool write_high_next;
    uint8_t write_low;
    bool read_high_next;
    bool count_latched;
    uint16_t latched_count;
    bool status_latched;
    uint8_t latched_status;
};

struct i8254 {
    struct device device;
    struct device_host host;
    struct pit_counter counters[3];
    struct io_region region;
};

static int64_t pit_now(const struct i8254 *pit)
{
    return oscillator_ticks(event_clock_now(pit->host.clock), I8254_HZ);
}

static bool counter_is_periodic(const struct pit_counter *counter)
{
    return counter->mode == 2 || counter->mode == 3;
}

static bool counter_is_triggered(const struct pit_counter *counter)
{
    return counter->mode == 1 || counter->mode == 5;
}

/* Ticks of a square wave's high half; the odd tick belongs to it. */
static int64_t counter_high_half(const struct pit_counter *counter)
{
    return (counter->count + 1) / 2;
}

static int64_t counter_elapsed(const struct pit_counter *counter, int64_t tick)
{
    return counter->paused ? counter->paused_after : tick - counter->start;
}

static int64_t counter_phase(const struct pit_counter *counter, int64_t tick)
{
    return (tick - counter->start) % counter->count;
}

/* Takes over a count that waited for the end of the cycle, once `tick` is past it. */
static void counter_settle(struct pit_counter *counter, int64_t tick)
{
    if (counter->count_pending && counter_is_periodic(counter) && counter->counting &&
        tick >= counter->switch_at) {
        bool low_half = counter->mode == 3 && counter_phase(counter, counter->switch_at) != 0;
        counter->count = counter->next_count;
        counter->start = counter->switch_at - (low_half ? counter_high_half(counter) : 0);
        counter->count_pending = false;
    }
}

/* OUT at `tick`, which nothing pending may precede (counter_settle). */
static bool settled_output(const struct pit_counter *counter, int64_t tick)
{
    if (!counter->counting) {
        return counter->mode != 0;
    }
    int64_t elapsed = counter_elapsed(counter, tick);
    switch (counter->mode) {
    case 0: return elapsed >= counter->count;
    case 1: return elapsed < 0 || elapsed >= counter->count;
    case 2: return elapsed < 0 || !counter->gate || counter_phase(counter, tick) != counter->count - 1;
    case 3: return elapsed < 0 || !counter->gate || counter_phase(counter, tick) < counter_high_half(counter);
    default: return elapsed != counter->count;
    }
}

static bool counter_output(const struct pit_counter *counter, int64_t tick)
{
    struct pit_counter view = *counter;
    counter_settle(&view, tick);
    return settled_output(&view, tick);
}

static uint16_t counter_encode(const struct pit_counter *counter, int64_t value)
{
    if (!counter->bcd) {
        return (uint16_t)value;
    }
    unsigned decimal = (unsigned)(value % 10000);
    return (uint16_t)(decimal / 1000 << 12 | decimal / 100 % 10 << 8 | decimal / 10 % 10 << 4 | decimal % 10);
}

static uint32_t counter_decode(const struct pit_counter *counter, uint16_t written)
{
    uint32_t value = written;
    uint32_t modulus = 65536;
    if (counter->bcd) {
        value =
            (written >> 12) * 1000u + (written >> 8 & 15) * 100u + (written >> 4 & 15) * 10u + (written & 15);
        modulus = 10000;
    }
    if (value == 0) {
        return modulus;
    }
    return value == 1 && counter_is_periodic(counter) ? 2 : value;
}

/* CE at `tick`. */
static uint16_t counter_value(const struct pit_counter *counter, int64_t tick)
{
    struct pit_counter view = *counter;
    counter_settle(&view, tick);
    int64_t count = view.count;
    int64_t elapsed = counter_elapsed(&view, tick);
    if (!view.counting || elapsed < 0) {
        return counter_encode(&view, count);
    }
    if (view.mode == 2) {
        return counter_encode(&view, view.gate ? count - counter_phase(&view, tick) : count);
    }
    if (view.mode == 3) {
        int64_t phase = view.gate ? counter_phase(&view, tick) : 0;
        int64_t high = counter_high_half(&view);
        int64_t even_count = count & ~INT64_C(1);
        return counter_encode(&view, even_count - 2 * (phase < high ? phase : phase - high));
    }
    int64_t modulus = view.bcd ? 10000 : 65536;
    return counter_encode(&view, ((count - elapsed) % modulus + modulus) % modulus);
}

/* The first tick after `tick` at which OUT may differ; nothing pending may precede `tick`. */
static int64_t counter_next_change(const struct pit_counter *counter, int64_t tick)
{
    if (!counter->counting || counter->paused || (counter_is_periodic(counter) && !counter->gate)) {
        return TICK_NEVER;
    }
    if (tick < counter->start) {
        return counter->start;
    }
    int64_t count = counter->count;
    int64_t elapsed = tick - counter->start;
    switch (counter->mode) {
    case 2: {
        int64_t phase = elapsed % count;
        return tick + (phase < count - 1 ? count - 1 - phase : 1);
    }
    case 3: {
        int64_t phase = elapsed % count;
        int64_t high = counter_high_half(counter);
        return tick + (phase < high ? high : count) - phase;
    }
    case 4:
    case 5:
        if (elapsed == count) {
            return tick + 1;
        }
        return elapsed < count ? counter->start + count : TICK_NEVER;
    default: return elapsed < count ? counter->start + count : TICK_NEVER;
    }
}

/* Schedules the next change of the output line; `late_ns` > 0 says that the line lags behind the clock by
 * that much. */
static void counter_schedule(struct pit_counter *counter, uint64_t late_ns)
{
    struct event_clock *clock = counter->pit->host.clock;
    int64_t next = counter->out.set != NULL ? counter_next_change(counter, counter->delivered) : TICK_NEVER;
    if (next == TICK_NEVER) {
        event_clock_cancel(clock, &counter->event);
        return;
    }
    uint64_t deadline = oscillator_time(next, I8254_HZ);
    if (late_ns > 0) {
        uint64_t distance = deadline - oscillator_time(counter->delivered, I8254_HZ);
        uint64_t earliest = event_clock_now(clock) + distance / 4 + 1;
        deadline = deadline > earliest ? deadline : earliest;
    }
    event_clock_schedule(clock, &counter->event, deadline);
}

/* The guest or a gate changed the counter: the line follows the clock from `tick` on. */
static void counter_restart_line(struct pit_counter *counter, int64_t tick)
{
    counter->delivered = tick;
    irq_line_set(&counter->out, settled_output(counter, tick));
    counter_schedule(counter, 0);
}

static void counter_fire(void *opaque)
{
    struct pit_counter *counter = opaque;
    int64_t now = pit_now(counter->pit);
    int64_t change = counter_next_change(counter, counter->delivered);
    if (change == TICK_NEVER) {
        return;
    }
    uint64_t now_ns = event_clock_now(counter->pit->host.clock);
    uint64_t due = oscillator_time(change, I8254_HZ);
    uint64_t late = now_ns > due ? now_ns - due : 0;
    if (late > BACKLOG_LIMIT_NS) {
        counter_settle(counter, now);
        counter_restart_line(counter, now);
        return;
    }
    counter_settle(counter, change);
    counter->delivered = change;
    irq_line_set(&counter->out, settled_output(counter, change));
    counter_schedule(counter, late);
}

static void counter_load(struct pit_counter *counter, int64_t tick)
{
    counter->count = counter->next_count;
    counter->count_pending = false;
    counter->counting = true;
    counter->start = tick + 1;
    counter->paused = false;
    if (!counter_is_triggered(counter) && !counter_is_periodic(counter) && !counter->gate) {
        counter->paused = true;
        counter->paused_after = 0;
    }
}

static void counter_write_count(struct pit_counter *counter, uint16_t written, int64_t tick)
{
    counter->next_count = counter_decode(counter, written);
    counter->count_pending = true;
    if (counter_is_triggered(counter)) {
        return;
    }
    if (!counter_is_periodic(counter) || !counter->counting || !counter->gate) {
        counter_load(counter, tick);
    } else if (tick < counter->start) {
        counter->switch_at = counter->start;
    } else if (counter->mode == 2) {
        counter->switch_at = tick + counter->count - counter_phase(counter, tick);
    } else {
        counter->switch_at = counter_next_change(counter, tick);
    }
}

static void counter_pause(struct pit_counter *counter, int64_t tick)
{
    if (counter->counting && !counter->paused) {
        counter->paused_after = tick > counter->start ? tick - counter->start : 0;
        counter->paused = true;
    }
}

static void counter_write(struct pit_counter *counter, uint8_t value)
{
    int64_t now = pit_now(counter->pit);
    counter_settle(counter, now);
    switch (counter->access) {
    case ACCESS_LOW: counter_write_count(counter, value, now); break;
    case ACCESS_HIGH: counter_write_count(counter, (uint16_t)(value << 8), now); break;
    default:
        if (!counter->write_high_next) {
            counter->write_low = value;
            counter->write_high_next = true;
            if (counter->mode == 0) {
                counter->counting = false; /* the first byte stops the count and OUT goes low */
            }
            break;
        }
        counter->write_high_next = false;
        counter_write_count(counter, (uint16_t)(value << 8 | counter->write_low), now);
        break;
    }
    counter_restart_line(counter, now);
}

static uint8_t counter_status(const struct pit_counter *counter, int64_t tick)
{
    struct pit_counter view = *counter;
    counter_settle(&view, tick);
    bool null_count = view.count_pending || !view.counting || (!view.paused && tick < view.start);
    return (uint8_t)((counter_output(&view, tick) ? 0x80 : 0) | (null_count ? 0x40 : 0) | view.control);
}

static void counter_latch_count(struct pit_counter *counter)
{
    if (!counter->count_latched) {
        counter->latched_count = counter_value(counter, pit_now(counter->pit));
        counter->count_latched = true;
    }
}

static uint8_t counter_read(struct pit_counter *counter)
{
    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->latched_status;
    }
    uint16_t value =
        counter->count_latched ? counter->latched_count : counter_value(counter, pit_now(counter->pit));
    bool high = counter->access == ACCESS_HIGH;
    bool last = true;
    if (counter->access == ACCESS_BOTH) {
        high = counter->read_high_next;
        last = high;
        counter->read_high_next = !high;
    }
    if (last) {
        counter->count_latched = false;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

static void counter_set_control(struct pit_counter *counter, uint8_t value)
{
    counter->control = value & 0x3f;
    counter->access = (enum access)(value >> 4 & 3);
    counter->mode = value >> 1 & 7;
    if (counter->mode > 5) {
        counter->mode = (uint8_t)(counter->mode - 4); /* modes 2 and 3 ignore the top bit */
    }
    counter->bcd = value & 1;
    counter->counting = false;
    counter->paused = false;
    counter->count_pending = false;
    counter->write_high_next = false;
    counter->read_high_next = false;
    counter->count_latched = false;
    counter->status_latched = false;
    counter_restart_line(counter, pit_now(counter->pit));
}

static void pit_read_back(struct i8254 *pit, uint8_t command)
{
    for (unsigned i = 0; i < ARRAY_COUNT(pit->counters); i++) {
        struct pit_counter *counter = &pit->counters[i];
        if (!(command >> (i + 1) & 1)) {
            continue;
        }
        if (!(command & 0x20)) {
            counter_latch_count(counter);
        }
        if (!(command & 0x10) && !counter->status_latched) {
            counter->latched_status = counter_status(counter, pit_now(pit));
            counter->status_latched = true;
        }
    }
}

static void pit_write(void *opaque, uint64_t offset, unsigned width, uint64_t wide_value)
{
    struct i8254 *pit = opaque;
    uint8_t value = (uint8_t)wide_value;
    (void)width;
    if (offset < 3) {
        counter_write(&pit->counters[offset], value);
    } else if (value >> 6 == 3) {
        pit_read_back(pit, value);
    } else if ((value >> 4 & 3) == ACCESS_LATCH) {
        counter_latch_count(&pit->counters[value >> 6]);
    } else {
        counter_set_control(&pit->counters[value >> 6], value);
    }
}

static uint64_t pit_read(void *opaque, uint64_t offset, unsigned width)
{
    struct i8254 *pit = opaque;
    (void)width;
    return offset < 3 ? counter_read(&pit->counters[offset]) : 0xff;
}

static void pit_set_gate(void *opaque, unsigned channel, bool level)
{
    struct i8254 *pit = opaque;
    struct pit_counter *counter = &pit->counters[channel];
    if (counter->gate == level) {
        return;
    }
    int64_t now = pit_now(pit);
    counter_settle(counter, now);
    counter->gate = level;
    if (counter_is_triggered(counter) || counter_is_periodic(counter)) {
        if (level && (counter->counting || counter->count_pending)) {
            if (!counter->count_pending) {
                counter->next_count = counter->count;
            }
            counter_load(counter, now);
        }
    } else if (!level) {
        counter_pause(counter, now);
    } else if (counter->paused) {
        counter->paused = false;
        counter->start = now - counter->paused_after;
    }
    counter_restart_line(counter, now);
}

struct irq_line i8254_gate(struct i8254 *pit, unsigned channel)
{
    assert(channel < ARRAY_COUNT(pit->counters));
    return (struct irq_line){.set = pit_set_gate, .opaque = pit, .number = channel};
}

static bool pit_output_level(void *opaque, unsigned channel)
{
    struct i8254 *pit = opaque;
    return counter_output(&pit->counters[channel], pit_now(pit));
}

struct signal_probe i8254_output(struct i8254 *pit, unsigned channel)
{
    assert(channel < ARRAY_COUNT(pit->counters));
    return (struct signal_probe){.level = pit_output_level, .opaque = pit, .number = channel};
}

static bool pit_toggle_level(void *opaque, unsigned channel)
{
    struct i8254 *pit = opaque;
    struct pit_counter view = pit->counters[channel];
    int64_t now = pit_now(pit);
    counter_settle(&view, now);
    int64_t elapsed = counter_elapsed(&view, now);
    return view.counting && elapsed >= 0 && (elapsed / view.count & 1);
}

struct signal_probe i8254_toggle(struct i8254 *pit, unsigned channel)
{
    assert(channel < ARRAY_COUNT(pit->counters));
    return (struct signal_probe){.level = pit_toggle_level, .opaque = pit, .number = channel};
}

static void pit_reset(struct device *device)
{
    struct i8254 *pit = CONTAINER_OF(device, struct i8254, device);
    for (unsigned i = 0; i < ARRAY_COUNT(pit->counters); i++) {
        struct pit_counter *counter = &pit->counters[i];
        counter->gate = true;
        counter->count = 65536;
        counter_set_control(counter, 0x36); /* OUT high, no count */
    }
    counter_set_control(&pit->counters[1], REFRESH_CONTROL);
    counter_write(&pit->counters[1], REFRESH_COUNT);
}

static void pit_describe(struct device *device, FILE *out)
{
    struct i8254 *pit = CONTAINER_OF(device, struct i8254, device);
    int64_t now = pit_now(pit);
    for (unsigned i = 0; i < ARRAY_COUNT(pit->counters); i++) {
        const struct pit_counter *counter = &pit->counters[i];
        fprintf(out, "pit%u: mode %u%s count %u value %04x gate %d out %d%s\n", i, counter->mode,
                counter->bcd ? " bcd" : "", (unsigned)counter->count, counter_value(counter, now),
                counter->gate, counter_output(counter, now), counter->counting ? "" : " idle");
    }
}

static void pit_destroy(struct device *device)
{
    struct i8254 *pit = CONTAINER_OF(device, struct i8254, device);
    for (unsigned i = 0; i < ARRAY_COUNT(pit->counters); i++) {
        event_clock_cancel(pit->host.clock, &pit->counters[i].event);
    }
    device_ports_release(pit->host.ports, &pit->region, 1);
    free(pit);
}

static const struct device_class i8254_class = {.name = "pit",
                                                .reset = pit_reset,
                                                .describe = pit_describe,
                                                .destroy = pit_destroy,
                                                .state_size = sizeof(struct i8254)};

struct status i8254_create(const struct device_host *host, const struct i8254_config *config,
                           struct i8254 **pit)
{
    struct i8254 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the interval timer");
    }
    made->device.class = &i8254_class;
    made->host = *host;
    for (unsigned i = 0; i < ARRAY_COUNT(made->counters); i++) {
        struct pit_counter *counter = &made->counters[i];
        counter->pit = made;
        counter->out = config->out[i];
        clock_event_init(&counter->event, "pit", counter_fire, counter);
    }
    made->region = (struct io_region){
        .name = "pit", .base = 0x40, .length = 4, .read = pit_read, .write = pit_write, .opaque = made};
    struct status status = device_ports_claim(host->ports, &made->region, 1);
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    pit_reset(&made->device);
    *pit = made;
    return status_ok();
}

struct device *i8254_device(struct i8254 *pit)
{
    return &pit->device;
}
