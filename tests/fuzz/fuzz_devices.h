/* What has to hold for any chips on the test bench, whatever an input does to them. */
#ifndef DOPPEL_TESTS_FUZZ_DEVICES_H
#define DOPPEL_TESTS_FUZZ_DEVICES_H

#include <stdlib.h>

#include "../devices/device_bench.h"

/* Lets `ns` pass, from event to event; more than `max_events` of them are a storm. */
static inline void fuzz_pass_time(struct bench *bench, unsigned max_events, uint64_t ns)
{
    uint64_t end = bench->host_ns + ns;
    for (unsigned events = 0; event_clock_next_deadline(bench->host.clock) <= end; events++) {
        uint64_t deadline = event_clock_next_deadline(bench->host.clock);
        if (events >= max_events) {
            abort();
        }
        bench_run_until(bench, deadline > bench->host_ns ? deadline : bench->host_ns);
    }
    bench->host_ns = end;
}

/* For the end, when the devices are gone: no event outlived its device. */
static inline void fuzz_require_no_events(const struct bench *bench)
{
    if (event_clock_next_deadline(bench->host.clock) != EVENT_CLOCK_NEVER) {
        abort();
    }
}

#endif
