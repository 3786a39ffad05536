/* The real-time clock; see mc146818.h.
 *
 * While the clock runs, the time registers are computed from `zero_ns`/`zero_seconds` at each read. While it
 * is halted (SET, or the divider held in reset) they are the plain bytes in `memory`, and become the time
 * again when it is released. */
#include "devices/mc146818.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"
#include "devices/civil_time.h"
#include "devices/device_ports.h"
#include "devices/oscillator.h"

#define CRYSTAL_HZ 32768u

#define UIP_NS           (2228 * NS_PER_MICROSECOND)
#define FIRST_UPDATE_NS  (NS_PER_SECOND / 2) /* from the release of the divider */
#define BACKLOG_LIMIT_NS NS_PER_SECOND
#define SECONDS_PER_DAY  86400

enum rtc_register {
    RTC_SECOND = 0,
    RTC_SECOND_ALARM = 1,
    RTC_MINUTE = 2,
    RTC_MINUTE_ALARM = 3,
    RTC_HOUR = 4,
    RTC_HOUR_ALARM = 5,
    RTC_WEEKDAY = 6,
    RTC_DAY = 7,
    RTC_MONTH = 8,
    RTC_YEAR = 9,
    RTC_A = 10,
    RTC_B = 11,
    RTC_C = 12,
    RTC_D = 13
};

#define A_UIP           0x80
#define A_RATE          0x0f
#define A_DIVIDER       0x70
#define A_DIVIDER_RESET 0x60 /* 110 or 111 */

#define B_SET    0x80
#define B_PIE    0x40
#define B_AIE    0x20
#define B_UIE    0x10
#define B_SQWE   0x08
#define B_BINARY 0x04
#define B_24HOUR 0x02

#define C_IRQF 0x80
#define C_PF   0x40
#define C_AF   0x20
#define C_UF   0x10

#define D_VRT 0x80

#define ALARM_ANY 0xc0 /* both top bits: matches every value */
#define HOUR_PM   0x80

struct mc146818 {
    struct device device;
    struct device_host host;
    struct irq_line irq;
    struct irq_line nmi_disabled;
    uint8_t memory[256];
    uint8_t index[2]; /* of each bank, without the bank's bit */

    uint64_t zero_ns;       /* running: a virtual time at which a second began... */
    int64_t zero_seconds;   /* ...and what the clock showed then */
    unsigned weekday_shift; /* the guest's weekday register may disagree with the calendar */
    int64_t updates_done;   /* running: the last second whose end-of-update was handled */
    int64_t period_seen;    /* the periodic tick up to which PF was taken note of */

    struct clock_event second_event;
    struct clock_event periodic_event;
    struct io_region region;
};

static bool rtc_is_halted(const struct mc146818 *rtc)
{
    return rtc->memory[RTC_B] & B_SET || (rtc->memory[RTC_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static uint8_t rtc_encode(const struct mc146818 *rtc, unsigned value)
{
    return (uint8_t)(rtc->memory[RTC_B] & B_BINARY ? value : value / 10 % 10 << 4 | value % 10);
}

static unsigned rtc_decode(const struct mc146818 *rtc, uint8_t value)
{
    return rtc->memory[RTC_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 15);
}

static uint8_t rtc_encode_hour(const struct mc146818 *rtc, unsigned hour)
{
    if (rtc->memory[RTC_B] & B_24HOUR) {
        return rtc_encode(rtc, hour);
    }
    return (uint8_t)(rtc_encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0));
}

static unsigned rtc_decode_hour(const struct mc146818 *rtc, uint8_t value)
{
    if (rtc->memory[RTC_B] & B_24HOUR) {
        return rtc_decode(rtc, value);
    }
    return rtc_decode(rtc, value & 0x7f) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Whole seconds that have passed since zero_ns; a future zero_ns (divider just released) counts as none. */
static int64_t rtc_elapsed(const struct mc146818 *rtc, uint64_t now)
{
    return now < rtc->zero_ns ? -1 : (int64_t)((now - rtc->zero_ns) / NS_PER_SECOND);
}

static int64_t running_seconds(const struct mc146818 *rtc)
{
    return rtc->zero_seconds + rtc_elapsed(rtc, event_clock_now(rtc->host.clock));
}

/* Writes `seconds` into the time registers in the present format. */
static void rtc_store_time(struct mc146818 *rtc, int64_t seconds)
{
    struct civil_time time = civil_time_from_seconds(seconds);
    rtc->memory[RTC_SECOND] = rtc_encode(rtc, time.second);
    rtc->memory[RTC_MINUTE] = rtc_encode(rtc, time.minute);
    rtc->memory[RTC_HOUR] = rtc_encode_hour(rtc, time.hour);
    rtc->memory[RTC_WEEKDAY] = rtc_encode(rtc, (time.weekday + rtc->weekday_shift) % 7 + 1);
    rtc->memory[RTC_DAY] = rtc_encode(rtc, time.day);
    rtc->memory[RTC_MONTH] = rtc_encode(rtc, time.month);
    rtc->memory[RTC_YEAR] = rtc_encode(rtc, (unsigned)(((time.year % 100) + 100) % 100));
    rtc->memory[MC146818_CENTURY] = rtc_encode(rtc, (unsigned)((time.year / 100 % 100 + 100) % 100));
}

/* Reads the time registers; also learns the guest's idea of weekdays. */
static int64_t rtc_load_time(struct mc146818 *rtc)
{
    struct civil_time time = {
        .year = (int64_t)rtc_decode(rtc, rtc->memory[MC146818_CENTURY]) * 100 +
                rtc_decode(rtc, rtc->memory[RTC_YEAR]),
        .month = rtc_decode(rtc, rtc->memory[RTC_MONTH]),
        .day = rtc_decode(rtc, rtc->memory[RTC_DAY]),
        .hour = rtc_decode_hour(rtc, rtc->memory[RTC_HOUR]),
        .minute = rtc_decode(rtc, rtc->memory[RTC_MINUTE]),
        .second = rtc_decode(rtc, rtc->memory[RTC_SECOND]),
    };
    int64_t seconds = civil_time_to_seconds(&time);
    unsigned shown = (rtc_decode(rtc, rtc->memory[RTC_WEEKDAY]) + 6) % 7;
    rtc->weekday_shift = (shown + 7 - civil_time_from_seconds(seconds).weekday) % 7;
    return seconds;
}

int64_t mc146818_seconds(struct mc146818 *rtc)
{
    return rtc_is_halted(rtc) ? rtc_load_time(rtc) : running_seconds(rtc);
}

static void rtc_refresh(struct mc146818 *rtc)
{
    if (!rtc_is_halted(rtc)) {
        rtc_store_time(rtc, running_seconds(rtc));
    }
}

static uint64_t next_update(const struct mc146818 *rtc)
{
    return rtc->zero_ns + (uint64_t)(rtc->updates_done + 1) * NS_PER_SECOND;
}

/* Makes the time registers the running clock's time; the current second ends at `second_end`. */
static void rtc_start(struct mc146818 *rtc, uint64_t second_end)
{
    rtc->zero_seconds = rtc_load_time(rtc) + 1;
    rtc->zero_ns = second_end;
    rtc->updates_done = -1;
    event_clock_schedule(rtc->host.clock, &rtc->second_event, second_end);
}

/* The present second's end: what a change of the time must not disturb. */
static uint64_t rtc_second_end(const struct mc146818 *rtc)
{
    uint64_t now = event_clock_now(rtc->host.clock);
    return rtc->zero_ns + (uint64_t)(rtc_elapsed(rtc, now) + 1) * NS_PER_SECOND;
}

static bool rtc_update_in_progress(const struct mc146818 *rtc)
{
    return !rtc_is_halted(rtc) && rtc_second_end(rtc) - event_clock_now(rtc->host.clock) <= UIP_NS;
}

static void rtc_update_irq(struct mc146818 *rtc)
{
    uint8_t active = rtc->memory[RTC_C] & rtc->memory[RTC_B] & (C_PF | C_AF | C_UF);
    rtc->memory[RTC_C] = (uint8_t)((rtc->memory[RTC_C] & ~C_IRQF) | (active ? C_IRQF : 0));
    irq_line_set(&rtc->irq, active);
}

static bool alarm_matches(uint8_t alarm, uint8_t value)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

static bool rtc_alarm_at(const struct mc146818 *rtc, int64_t seconds)
{
    struct civil_time time = civil_time_from_seconds(seconds);
    return alarm_matches(rtc->memory[RTC_SECOND_ALARM], rtc_encode(rtc, time.second)) &&
           alarm_matches(rtc->memory[RTC_MINUTE_ALARM], rtc_encode(rtc, time.minute)) &&
           alarm_matches(rtc->memory[RTC_HOUR_ALARM], rtc_encode_hour(rtc, time.hour));
}

/* End of one or, when the event comes late, several update cycles. Alarms repeat daily: more need not be
 * looked at. */
static void second_fire(void *opaque)
{
    struct mc146818 *rtc = opaque;
    int64_t reached = rtc_elapsed(rtc, event_clock_now(rtc->host.clock));
    int64_t second = rtc->updates_done + 1;
    if (reached - second > SECONDS_PER_DAY) {
        second = reached - SECONDS_PER_DAY;
    }
    for (; second <= reached; second++) {
        rtc->memory[RTC_C] |= C_UF;
        if (rtc_alarm_at(rtc, rtc->zero_seconds + second)) {
            rtc->memory[RTC_C] |= C_AF;
        }
    }
    rtc->updates_done = reached > rtc->updates_done ? reached : rtc->updates_done;
    rtc_update_irq(rtc);
    event_clock_schedule(rtc->host.clock, &rtc->second_event, next_update(rtc));
}

/* Crystal ticks between periodic interrupts, 0 when there are none. Rates 1 and 2 are those of 8 and 9. */
static int64_t periodic_ticks(const struct mc146818 *rtc)
{
    unsigned rate = rtc->memory[RTC_A] & A_RATE;
    if (rate == 0 || (rtc->memory[RTC_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET) {
        return 0;
    }
    return INT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t crystal_now(const struct mc146818 *rtc)
{
    return oscillator_ticks(event_clock_now(rtc->host.clock), CRYSTAL_HZ);
}

static bool periodic_passed(const struct mc146818 *rtc)
{
    int64_t period = periodic_ticks(rtc);
    return period != 0 && crystal_now(rtc) / period > rtc->period_seen / period;
}

/* Events are needed only while the guest wants interrupts; a polled PF is found out at the read of register
 * C. */
static void periodic_schedule(struct mc146818 *rtc, uint64_t late_ns)
{
    int64_t period = periodic_ticks(rtc);
    if (period == 0 || !(rtc->memory[RTC_B] & B_PIE)) {
        event_clock_cancel(rtc->host.clock, &rtc->periodic_event);
        return;
    }
    int64_t next = (rtc->period_seen / period + 1) * period;
    uint64_t deadline = oscillator_time(next, CRYSTAL_HZ);
    if (late_ns > 0) {
        uint64_t spacing = oscillator_time(period, CRYSTAL_HZ) / 4;
        uint64_t earliest = event_clock_now(rtc->host.clock) + spacing;
        deadline = deadline > earliest ? deadline : earliest;
    }
    event_clock_schedule(rtc->host.clock, &rtc->periodic_event, deadline);
}

static void periodic_fire(void *opaque)
{
    struct mc146818 *rtc = opaque;
    int64_t period = periodic_ticks(rtc);
    if (period == 0) {
        return;
    }
    int64_t tick = (rtc->period_seen / period + 1) * period;
    uint64_t now = event_clock_now(rtc->host.clock);
    uint64_t due = oscillator_time(tick, CRYSTAL_HZ);
    uint64_t late = now > due ? now - due : 0;
    if (late > BACKLOG_LIMIT_NS) {
        tick = crystal_now(rtc);
        late = 0;
    }
    rtc->period_seen = tick;
    rtc->memory[RTC_C] |= C_PF;
    rtc_update_irq(rtc);
    periodic_schedule(rtc, late);
}

static void periodic_restart(struct mc146818 *rtc)
{
    rtc->period_seen = crystal_now(rtc);
    periodic_schedule(rtc, 0);
}

static uint8_t rtc_read_c(struct mc146818 *rtc)
{
    if (!(rtc->memory[RTC_B] & B_PIE) && periodic_passed(rtc)) {
        rtc->memory[RTC_C] |= C_PF;
        rtc->period_seen = crystal_now(rtc);
    }
    uint8_t value = rtc->memory[RTC_C];
    rtc->memory[RTC_C] = 0;
    rtc_update_irq(rtc);
    return value;
}

static void rtc_write_a(struct mc146818 *rtc, uint8_t value)
{
    uint8_t old = rtc->memory[RTC_A];
    bool was_halted = rtc_is_halted(rtc);
    rtc_refresh(rtc);
    rtc->memory[RTC_A] = value & ~A_UIP & 0xff;
    if (!was_halted && rtc_is_halted(rtc)) {
        event_clock_cancel(rtc->host.clock, &rtc->second_event);
    } else if (was_halted && !rtc_is_halted(rtc)) {
        rtc_start(rtc, event_clock_now(rtc->host.clock) + FIRST_UPDATE_NS);
    }
    if ((old ^ value) & (A_RATE | A_DIVIDER)) {
        periodic_restart(rtc);
    }
}

/* SET stops the updates, not the divider: the seconds keep their phase. */
static void rtc_write_b(struct mc146818 *rtc, uint8_t value)
{
    uint8_t old = rtc->memory[RTC_B];
    bool was_halted = rtc_is_halted(rtc);
    rtc_refresh(rtc);
    if (value & B_SET) {
        value &= ~B_UIE & 0xff;
    }
    rtc->memory[RTC_B] = value;
    bool halted = rtc_is_halted(rtc);
    if (!was_halted && halted) {
        event_clock_cancel(rtc->host.clock, &rtc->second_event);
    } else if (was_halted && !halted) {
        rtc_start(rtc, rtc_second_end(rtc));
    }
    if (!(old & B_PIE) && value & B_PIE) {
        if (periodic_passed(rtc)) {
            rtc->memory[RTC_C] |= C_PF;
        }
        periodic_restart(rtc);
    } else if (old & B_PIE && !(value & B_PIE)) {
        periodic_schedule(rtc, 0);
    }
    rtc_update_irq(rtc);
}

static bool is_time_register(unsigned index)
{
    return index <= RTC_YEAR || index == MC146818_CENTURY;
}

static bool is_alarm_register(unsigned index)
{
    return index == RTC_SECOND_ALARM || index == RTC_MINUTE_ALARM || index == RTC_HOUR_ALARM;
}

static void rtc_write_memory(struct mc146818 *rtc, unsigned index, uint8_t value)
{
    if (index == RTC_A) {
        rtc_write_a(rtc, value);
    } else if (index == RTC_B) {
        rtc_write_b(rtc, value);
    } else if (index == RTC_C || index == RTC_D) {
        return;
    } else if (is_time_register(index) && !is_alarm_register(index) && !rtc_is_halted(rtc)) {
        rtc_refresh(rtc);
        rtc->memory[index] = value;
        rtc_start(rtc, rtc_second_end(rtc));
    } else {
        rtc->memory[index] = value;
    }
}

static uint8_t rtc_read_memory(struct mc146818 *rtc, unsigned index)
{
    if (index == RTC_A) {
        return (uint8_t)(rtc->memory[RTC_A] | (rtc_update_in_progress(rtc) ? A_UIP : 0));
    }
    if (index == RTC_C) {
        return rtc_read_c(rtc);
    }
    if (is_time_register(index)) {
        rtc_refresh(rtc);
    }
    return rtc->memory[index];
}

static uint64_t rtc_read(void *opaque, uint64_t offset, unsigned width)
{
    struct mc146818 *rtc = opaque;
    unsigned bank = (unsigned)offset >> 1;
    (void)width;
    if (!(offset & 1)) {
        return 0xff;
    }
    return rtc_read_memory(rtc, rtc->index[bank] | bank << 7);
}

static void rtc_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct mc146818 *rtc = opaque;
    unsigned bank = (unsigned)offset >> 1;
    (void)width;
    if (offset & 1) {
        rtc_write_memory(rtc, rtc->index[bank] | bank << 7, (uint8_t)value);
        return;
    }
    rtc->index[bank] = value & 0x7f;
    if (bank == 0) {
        irq_line_set(&rtc->nmi_disabled, value & 0x80);
    }
}

void mc146818_set_cmos(struct mc146818 *rtc, uint8_t index, uint8_t value)
{
    assert(index > RTC_D);
    if (index != MC146818_CENTURY) {
        rtc->memory[index] = value;
    }
}

uint8_t mc146818_cmos(const struct mc146818 *rtc, uint8_t index)
{
    return rtc->memory[index];
}

void mc146818_update_checksum(struct mc146818 *rtc)
{
    unsigned sum = 0;
    for (unsigned index = 0x10; index <= 0x2d; index++) {
        sum += rtc->memory[index];
    }
    rtc->memory[0x2e] = (uint8_t)(sum >> 8);
    rtc->memory[0x2f] = (uint8_t)sum;
}

/* RESET# clears the interrupt enables and flags only: time and memory have a battery. */
static void rtc_reset(struct device *device)
{
    struct mc146818 *rtc = CONTAINER_OF(device, struct mc146818, device);
    rtc->memory[RTC_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->memory[RTC_C] = 0;
    rtc->index[0] = rtc->index[1] = 0;
    periodic_restart(rtc);
    rtc_update_irq(rtc);
    irq_line_lower(&rtc->nmi_disabled);
}

static void rtc_describe(struct device *device, FILE *out)
{
    struct mc146818 *rtc = CONTAINER_OF(device, struct mc146818, device);
    struct civil_time time = civil_time_from_seconds(mc146818_seconds(rtc));
    fprintf(out, "rtc: %04lld-%02u-%02u %02u:%02u:%02u a %02x b %02x c %02x%s\n", (long long)time.year,
            time.month, time.day, time.hour, time.minute, time.second, rtc->memory[RTC_A], rtc->memory[RTC_B],
            rtc->memory[RTC_C], rtc_is_halted(rtc) ? " halted" : "");
}

static void rtc_destroy(struct device *device)
{
    struct mc146818 *rtc = CONTAINER_OF(device, struct mc146818, device);
    event_clock_cancel(rtc->host.clock, &rtc->second_event);
    event_clock_cancel(rtc->host.clock, &rtc->periodic_event);
    device_ports_release(rtc->host.ports, &rtc->region, 1);
    free(rtc);
}

static const struct device_class mc146818_class = {.name = "rtc",
                                                   .reset = rtc_reset,
                                                   .describe = rtc_describe,
                                                   .destroy = rtc_destroy,
                                                   .state_size = sizeof(struct mc146818)};

struct status mc146818_create(const struct device_host *host, const struct mc146818_config *config,
                              struct mc146818 **rtc)
{
    struct mc146818 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the real-time clock");
    }
    made->device.class = &mc146818_class;
    made->host = *host;
    made->irq = config->irq;
    made->nmi_disabled = config->nmi_disabled;
    clock_event_init(&made->second_event, "rtc-second", second_fire, made);
    clock_event_init(&made->periodic_event, "rtc-periodic", periodic_fire, made);
    made->region = (struct io_region){
        .name = "rtc", .base = 0x70, .length = 4, .read = rtc_read, .write = rtc_write, .opaque = made};
    struct status status = device_ports_claim(host->ports, &made->region, 1);
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    made->memory[RTC_A] = 0x26;
    made->memory[RTC_B] = B_24HOUR;
    made->memory[RTC_D] = D_VRT;
    made->zero_seconds = config->start_seconds;
    made->updates_done = rtc_elapsed(made, event_clock_now(host->clock));
    rtc_store_time(made, running_seconds(made));
    event_clock_schedule(host->clock, &made->second_event, next_update(made));
    rtc_reset(&made->device);
    *rtc = made;
    return status_ok();
}

struct device *mc146818_device(struct mc146818 *rtc)
{
    return &rtc->device;
}
