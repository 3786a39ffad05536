/* The host's clocks. Only the machine's life cycle and the application read them; devices live in virtual
 * time. */
#ifndef DOPPEL_HOST_HOST_CLOCK_H
#define DOPPEL_HOST_HOST_CLOCK_H

#include <stdint.h>

/* Monotonic nanoseconds from an arbitrary start. The argument is ignored: the signature is the one an event
 * clock asks for. */
uint64_t host_clock_monotonic_ns(void *unused);

/* Seconds since 1970-01-01 00:00 UTC. */
uint64_t host_clock_epoch(void);

/* The same wall-clock reading as the host's local time zone shows it, counted as if it were UTC. */
uint64_t host_clock_local_epoch(void);

#endif
