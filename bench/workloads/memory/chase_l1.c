/* A pointer chase through 16 KiB: what the first-level data cache holds. */
#include "chase.h"

#define BYTES (16u << 10)
#define STEPS 6400000u

static struct chase *ring;

void workload_prepare(void)
{
    ring = chase_make(BYTES);
}

uint32_t workload_run(void)
{
    return chase_run(ring, STEPS);
}
