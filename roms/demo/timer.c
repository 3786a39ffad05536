/*
 * See timer.h. Intel 8254 data sheet: mode 2, and the counter latch command for reading while it runs.
 */
#include "timer.h"

#include "interrupts.h"
#include "x86.h"

#define PIT_CHANNEL0      0x40
#define PIT_CONTROL       0x43
#define PIT_HZ            1193182
#define PIT_RELOAD        ((PIT_HZ + TIMER_HZ / 2) / TIMER_HZ)
#define PIT_LATCH0        0x00
#define PIT_MODE2         0x34 /* channel 0, low then high byte, rate generator, binary */
#define TICK_MICROSECONDS (1000000 / TIMER_HZ)

static volatile uint32_t ticks;

/* What timer_microseconds last said: the time must not run backwards where an interrupt arrives late. */
static uint32_t latest;

static void timer_interrupt(void)
{
    ticks = ticks + 1;
}

void timer_init(void)
{
    port_write8(PIT_CONTROL, PIT_MODE2);
    port_write8(PIT_CHANNEL0, PIT_RELOAD & 0xff);
    port_write8(PIT_CHANNEL0, PIT_RELOAD >> 8);
    interrupts_set_handler(IRQ_TIMER, timer_interrupt);
}

uint32_t timer_ticks(void)
{
    return ticks;
}

uint32_t timer_microseconds(void)
{
    uint32_t flags = interrupts_save();
    port_write8(PIT_CONTROL, PIT_LATCH0);
    uint32_t count = port_read8(PIT_CHANNEL0);
    count |= (uint32_t)port_read8(PIT_CHANNEL0) << 8;
    uint32_t now = ticks;
    /* The counter may have started again with its interrupt still waiting for us; a count near its end was
     * read before that happened. */
    if (count > PIT_RELOAD / 2 && interrupts_is_pending(IRQ_TIMER))
        now++;
    interrupts_restore(flags);
    uint32_t elapsed = count < PIT_RELOAD ? PIT_RELOAD - count : 0;
    uint32_t microseconds = now * TICK_MICROSECONDS + elapsed * TICK_MICROSECONDS / PIT_RELOAD;
    if ((int32_t)(microseconds - latest) > 0)
        latest = microseconds;
    return latest;
}

void timer_sleep_until(uint32_t tick)
{
    for (;;) {
        (void)interrupts_save();
        if ((int32_t)(ticks - tick) >= 0)
            break;
        cpu_sleep();
    }
    interrupts_restore(eflags_read() | EFLAGS_IF);
}
