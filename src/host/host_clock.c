/* clock_gettime() and the time zone; see host_clock.h. */
#include "host/host_clock.h"

#include <time.h>

uint64_t host_clock_monotonic_ns(void *unused)
{
    (void)unused;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t host_clock_epoch(void)
{
    return (uint64_t)time(NULL);
}

uint64_t host_clock_local_epoch(void)
{
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    return (uint64_t)timegm(&local);
}
