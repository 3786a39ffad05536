/*
 * Time since boot, from the 8254's channel 0 at 100 Hz. No time stamp counter: an 80386 has none.
 */
#ifndef DEMO_TIMER_H
#define DEMO_TIMER_H

#include <stdint.h>

#define TIMER_HZ 100

void timer_init(void);

/* Ticks of 10 ms; wraps after 497 days. */
uint32_t timer_ticks(void);

/* Microseconds, from the ticks and the running counter; never less than before, wraps after 71 minutes. */
uint32_t timer_microseconds(void);

/* Sleeps (HLT) until timer_ticks() reaches tick. */
void timer_sleep_until(uint32_t tick);

#endif
