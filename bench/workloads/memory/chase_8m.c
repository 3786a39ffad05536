/* A pointer chase through 8 MiB: the last-level cache. */
#include "chase.h"

#define BYTES (8u << 20)
#define STEPS 262144u

static struct chase *ring;

void workload_prepare(void)
{
    ring = chase_make(BYTES);
}

uint32_t workload_run(void)
{
    return chase_run(ring, STEPS);
}
