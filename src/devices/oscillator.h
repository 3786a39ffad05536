/* Exact conversion between virtual nanoseconds and the ticks of a crystal.
 *
 * Tick n of a crystal that has run since time 0 begins at the first whole nanosecond that is not before n /
 * hz seconds. Both directions are computed from time 0 in integers, so nothing accumulates and a timer never
 * drifts against the clock. */
#ifndef DOPPEL_DEVICES_OSCILLATOR_H
#define DOPPEL_DEVICES_OSCILLATOR_H

#include <stdint.h>

#include "bus/event_clock.h"

/* Ticks that have begun by virtual time `ns`. 0 < hz < 2^32 / 4, so that no product overflows. */
static inline int64_t oscillator_ticks(uint64_t ns, uint32_t hz)
{
    return (int64_t)(ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND);
}

/* The virtual time at which tick `ticks` (>= 0) begins: the smallest ns with oscillator_ticks(ns, hz) ==
 * ticks. */
static inline uint64_t oscillator_time(int64_t ticks, uint32_t hz)
{
    uint64_t whole = (uint64_t)ticks / hz;
    uint64_t rest = (uint64_t)ticks % hz;
    return whole * NS_PER_SECOND + (rest * NS_PER_SECOND + hz - 1) / hz;
}

#endif
