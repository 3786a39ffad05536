/* A pointer chase through 256 KiB: what the second-level cache holds. */
#include "chase.h"

#define BYTES (256u << 10)
#define STEPS 3200000u

static struct chase *ring;

void workload_prepare(void)
{
    ring = chase_make(BYTES);
}

uint32_t workload_run(void)
{
    return chase_run(ring, STEPS);
}
