/* The high precision event timer; see hpet.h.
 *
 * Virtual time gives the counter, so only interrupts need events. A comparator that has been passed in
 * periodic mode is brought up to date when somebody looks at it. */
#include "devices/hpet.h"

#include <stdlib.h>

#include "base/bits.h"

#define REGISTER_CAPABILITIES  0x000
#define REGISTER_CONFIGURATION 0x010
#define REGISTER_STATUS        0x020
#define REGISTER_COUNTER       0x0F0
#define REGISTER_TIMERS        0x100 /* 20h for each */
#define TIMER_CONFIGURATION    0x00
#define TIMER_COMPARATOR       0x08

#define CAPABILITIES 0x8086A201u /* Intel, legacy replacement, 64 bits, 3 timers, revision 1 */
#define TICK_FS      (HPET_TICK_NS * 1000000u)

#define CONFIGURATION_ENABLE 0x1u
#define CONFIGURATION_LEGACY 0x2u

#define TIMER_LEVEL        0x0002u
#define TIMER_ENABLE       0x0004u
#define TIMER_PERIODIC     0x0008u
#define TIMER_CAPABILITIES 0x0030u /* periodic, 64 bits */
#define TIMER_SET_VALUE    0x0040u
#define TIMER_32_BITS      0x0100u
#define TIMER_ROUTE_SHIFT  9
#define TIMER_WRITABLE     0x3F4Eu

struct hpet_timer {
    struct hpet *hpet;
    unsigned number;
    uint32_t configuration;
    uint64_t comparator;
    uint64_t period;
    struct clock_event match;
    struct irq_line driven; /* the output that is high */
    bool is_high;
};

struct hpet {
    struct device device;
    struct device_host host;
    struct hpet_config config;
    uint32_t configuration;
    uint32_t status;
    uint64_t offset; /* counter minus ticks since power-on while it runs; its value while it stands */
    struct hpet_timer timers[HPET_TIMERS];
};

static bool is_running(const struct hpet *hpet)
{
    return hpet->configuration & CONFIGURATION_ENABLE;
}

static uint64_t ticks_now(const struct hpet *hpet)
{
    return event_clock_now(hpet->host.clock) / HPET_TICK_NS;
}

static uint64_t counter_value(const struct hpet *hpet)
{
    return is_running(hpet) ? ticks_now(hpet) + hpet->offset : hpet->offset;
}

/* ---- outputs */

static struct irq_line output_of(const struct hpet_timer *timer)
{
    const struct hpet *hpet = timer->hpet;
    if (hpet->configuration & CONFIGURATION_LEGACY && timer->number < 2) {
        return hpet->config.legacy[timer->number];
    }
    unsigned route = timer->configuration >> TIMER_ROUTE_SHIFT & (HPET_ROUTES - 1);
    return hpet->config.route_mask >> route & 1 ? hpet->config.routes[route] : (struct irq_line){0};
}

static void lower_output(struct hpet_timer *timer)
{
    if (timer->is_high) {
        timer->is_high = false;
        irq_line_lower(&timer->driven);
    }
}

static void raise_output(struct hpet_timer *timer)
{
    lower_output(timer);
    timer->driven = output_of(timer);
    timer->is_high = true;
    irq_line_raise(&timer->driven);
}

/* ---- comparators */

static uint64_t timer_mask(const struct hpet_timer *timer)
{
    return timer->configuration & TIMER_32_BITS ? UINT32_MAX : UINT64_MAX;
}

static bool is_periodic(const struct hpet_timer *timer)
{
    return timer->configuration & TIMER_PERIODIC && timer->period != 0;
}

/* Ticks from now to the next match; a full turn of the counter when the match is now. */
static uint64_t ticks_to_match(const struct hpet_timer *timer)
{
    uint64_t mask = timer_mask(timer);
    return ((timer->comparator - counter_value(timer->hpet) - 1) & mask) + 1;
}

/* Moves a periodic comparator that the counter has reached to the match after it: what lies at most half a
 * turn behind the counter has been reached. */
static void catch_up(struct hpet_timer *timer)
{
    uint64_t mask = timer_mask(timer);
    if (!is_periodic(timer) || !is_running(timer->hpet)) {
        return;
    }
    uint64_t behind = (counter_value(timer->hpet) - timer->comparator) & mask;
    if (behind <= mask / 2) {
        uint64_t period = timer->period & mask;
        if (period != 0) {
            timer->comparator = (timer->comparator + (behind / period + 1) * period) & mask;
        }
    }
}

static void schedule_match(struct hpet_timer *timer)
{
    struct hpet *hpet = timer->hpet;
    if (!is_running(hpet) || !(timer->configuration & TIMER_ENABLE)) {
        event_clock_cancel(hpet->host.clock, &timer->match);
        return;
    }
    catch_up(timer);
    uint64_t ticks = ticks_to_match(timer);
    uint64_t now = ticks_now(hpet);
    if (ticks == 0 || ticks > UINT64_MAX / HPET_TICK_NS - now) {
        event_clock_cancel(hpet->host.clock, &timer->match); /* in 5,800 years */
        return;
    }
    uint64_t deadline = (now + ticks) * HPET_TICK_NS;
    uint64_t earliest = event_clock_now(hpet->host.clock) + HPET_SHORTEST_NS;
    if (is_periodic(timer) && deadline < earliest && timer->period * HPET_TICK_NS < HPET_SHORTEST_NS) {
        deadline = earliest;
    }
    event_clock_schedule(hpet->host.clock, &timer->match, deadline);
}

static void timer_matched(void *opaque)
{
    struct hpet_timer *timer = opaque;
    bool level = timer->configuration & TIMER_LEVEL;
    if (level) {
        timer->hpet->status |= 1u << timer->number;
    }
    if (!level || !timer->is_high) {
        raise_output(timer);
    }
    schedule_match(timer);
}

/* The configuration has changed in a way that may concern the output. */
static void settle_output(struct hpet_timer *timer)
{
    struct hpet *hpet = timer->hpet;
    bool level = timer->configuration & TIMER_LEVEL;
    bool pending = hpet->status >> timer->number & 1;
    if (!level) {
        hpet->status &= ~(1u << timer->number);
    }
    if (!is_running(hpet) || !(timer->configuration & TIMER_ENABLE) || (level && !pending)) {
        lower_output(timer);
    } else if (level && pending && !timer->is_high) {
        raise_output(timer);
    }
}

/* ---- registers, 32 bits at a time */

static uint64_t merge(uint64_t old, unsigned shift, uint32_t value)
{
    return (old & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void write_configuration(struct hpet *hpet, uint32_t value)
{
    uint32_t changed = hpet->configuration ^ value;
    uint64_t counter = counter_value(hpet);
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        catch_up(&hpet->timers[i]);
    }
    hpet->configuration = value & (CONFIGURATION_ENABLE | CONFIGURATION_LEGACY);
    if (changed & CONFIGURATION_ENABLE) {
        hpet->offset = is_running(hpet) ? counter - ticks_now(hpet) : counter;
    }
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        if (changed & CONFIGURATION_LEGACY) {
            lower_output(&hpet->timers[i]);
        }
        settle_output(&hpet->timers[i]);
        schedule_match(&hpet->timers[i]);
    }
    if (changed & CONFIGURATION_LEGACY) {
        irq_line_set(&hpet->config.legacy_replacement, value & CONFIGURATION_LEGACY);
    }
}

static void write_counter(struct hpet *hpet, unsigned shift, uint32_t value)
{
    uint64_t counter = merge(counter_value(hpet), shift, value);
    hpet->offset = is_running(hpet) ? counter - ticks_now(hpet) : counter;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        schedule_match(&hpet->timers[i]);
    }
}

static void write_timer_configuration(struct hpet_timer *timer, uint32_t value)
{
    uint32_t changed = (timer->configuration ^ value) & TIMER_WRITABLE;
    catch_up(timer);
    timer->configuration = (value & TIMER_WRITABLE) | TIMER_CAPABILITIES;
    if (timer->configuration & TIMER_32_BITS) {
        timer->comparator &= UINT32_MAX;
        timer->period &= UINT32_MAX;
    }
    if (changed >> TIMER_ROUTE_SHIFT) {
        lower_output(timer);
    }
    settle_output(timer);
    schedule_match(timer);
}

/* In periodic mode what is written is the period; the comparator itself only takes it together with "set
 * value" (§2.3.9.2.2). */
static void write_comparator(struct hpet_timer *timer, unsigned shift, uint32_t value)
{
    if (shift != 0 && timer->configuration & TIMER_32_BITS) {
        return;
    }
    catch_up(timer);
    if (timer->configuration & TIMER_PERIODIC) {
        timer->period = merge(timer->period, shift, value) & timer_mask(timer);
    }
    if (!(timer->configuration & TIMER_PERIODIC) || timer->configuration & TIMER_SET_VALUE) {
        timer->comparator = merge(timer->comparator, shift, value) & timer_mask(timer);
    }
    timer->configuration &= ~TIMER_SET_VALUE;
    schedule_match(timer);
}

static void clear_status(struct hpet *hpet, uint32_t value)
{
    hpet->status &= ~value;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        settle_output(&hpet->timers[i]);
    }
}

/* The 64-bit register at `offset` (a multiple of 8). */
static uint64_t read_register(struct hpet *hpet, unsigned offset)
{
    switch (offset) {
    case REGISTER_CAPABILITIES: return (uint64_t)TICK_FS << 32 | CAPABILITIES;
    case REGISTER_CONFIGURATION: return hpet->configuration;
    case REGISTER_STATUS: return hpet->status;
    case REGISTER_COUNTER: return counter_value(hpet);
    default: break;
    }
    unsigned number = (offset - REGISTER_TIMERS) / 0x20;
    if (offset < REGISTER_TIMERS || number >= HPET_TIMERS) {
        return 0;
    }
    struct hpet_timer *timer = &hpet->timers[number];
    switch (offset & 0x1F) {
    case TIMER_CONFIGURATION: return (uint64_t)hpet->config.route_mask << 32 | timer->configuration;
    case TIMER_COMPARATOR: catch_up(timer); return timer->comparator;
    default: return 0;
    }
}

static void write_register(struct hpet *hpet, unsigned offset, unsigned shift, uint32_t value)
{
    if (offset == REGISTER_COUNTER) {
        write_counter(hpet, shift, value);
        return;
    }
    unsigned number = (offset - REGISTER_TIMERS) / 0x20;
    if (offset >= REGISTER_TIMERS && number < HPET_TIMERS) {
        struct hpet_timer *timer = &hpet->timers[number];
        if ((offset & 0x1F) == TIMER_COMPARATOR) {
            write_comparator(timer, shift, value);
        } else if ((offset & 0x1F) == TIMER_CONFIGURATION && shift == 0) {
            write_timer_configuration(timer, value);
        }
    } else if (offset == REGISTER_CONFIGURATION && shift == 0) {
        write_configuration(hpet, value);
    } else if (offset == REGISTER_STATUS && shift == 0) {
        clear_status(hpet, value);
    }
}

static uint64_t memory_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    uint64_t value = read_register(opaque, (unsigned)offset & ~7u);
    return value >> (8 * (offset & 7));
}

/* Registers take aligned 32- and 64-bit writes (§2.3.1). */
static void memory_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    if (width < 4 || offset % width != 0) {
        return;
    }
    unsigned at = (unsigned)offset & ~7u;
    write_register(opaque, at, offset & 4 ? 32 : 0, (uint32_t)value);
    if (width == 8) {
        write_register(opaque, at, 32, (uint32_t)(value >> 32));
    }
}

/* ---- the device */

static void hpet_reset(struct device *device)
{
    struct hpet *hpet = CONTAINER_OF(device, struct hpet, device);
    write_configuration(hpet, 0);
    hpet->offset = 0;
    hpet->status = 0;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        struct hpet_timer *timer = &hpet->timers[i];
        lower_output(timer);
        timer->configuration = TIMER_CAPABILITIES;
        timer->comparator = UINT64_MAX;
        timer->period = 0;
    }
}

static void hpet_describe(struct device *device, FILE *out)
{
    const struct hpet *hpet = CONTAINER_OF(device, struct hpet, device);
    fprintf(out, "hpet: counter %llx%s%s, status %x\n", (unsigned long long)counter_value(hpet),
            is_running(hpet) ? " running" : "",
            hpet->configuration & CONFIGURATION_LEGACY ? ", legacy replacement" : "", (unsigned)hpet->status);
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        const struct hpet_timer *timer = &hpet->timers[i];
        fprintf(out, "    timer %u: configuration %04x comparator %llx period %llx%s\n", i,
                (unsigned)timer->configuration, (unsigned long long)timer->comparator,
                (unsigned long long)timer->period, timer->is_high ? ", output high" : "");
    }
}

static void hpet_destroy(struct device *device)
{
    struct hpet *hpet = CONTAINER_OF(device, struct hpet, device);
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        event_clock_cancel(hpet->host.clock, &hpet->timers[i].match);
    }
    memory_bus_release(hpet->host.memory, HPET_BASE, hpet);
    free(hpet);
}

static const struct device_class hpet_class = {.name = "hpet",
                                               .reset = hpet_reset,
                                               .describe = hpet_describe,
                                               .destroy = hpet_destroy,
                                               .state_size = sizeof(struct hpet)};

struct status hpet_create(const struct device_host *host, const struct hpet_config *config,
                          struct hpet **created)
{
    *created = NULL;
    struct hpet *hpet = calloc(1, sizeof *hpet);
    if (hpet == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the HPET");
    }
    hpet->device.class = &hpet_class;
    hpet->host = *host;
    hpet->config = *config;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        hpet->timers[i].hpet = hpet;
        hpet->timers[i].number = i;
        clock_event_init(&hpet->timers[i].match, "hpet", timer_matched, &hpet->timers[i]);
    }
    const struct io_region region = {.name = "hpet",
                                     .base = HPET_BASE,
                                     .length = PAGE_SIZE,
                                     .max_width = 8,
                                     .read = memory_read,
                                     .write = memory_write,
                                     .opaque = hpet};
    struct status status = memory_bus_claim(host->memory, &region);
    if (!status_is_ok(&status)) {
        free(hpet);
        return status;
    }
    hpet_reset(&hpet->device);
    *created = hpet;
    return status_ok();
}

struct device *hpet_device(struct hpet *hpet)
{
    return &hpet->device;
}
