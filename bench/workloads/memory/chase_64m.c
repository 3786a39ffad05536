/* A pointer chase through 64 MiB: RAM. */
#include "chase.h"

#define BYTES (64u << 20)
#define STEPS 524288u /* every line once: of fewer, a cache might hold all */

static struct chase *ring;

void workload_prepare(void)
{
    ring = chase_make(BYTES);
}

uint32_t workload_run(void)
{
    return chase_run(ring, STEPS);
}
