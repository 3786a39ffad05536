/* Copies of 16 KiB at a time: both buffers stay in the caches. */
#include "copy.h"

#define BYTES  (16u << 10)
#define ROUNDS 2400u

static struct copy buffers;

void workload_prepare(void)
{
    buffers = copy_make(BYTES);
}

uint32_t workload_run(void)
{
    return copy_run(&buffers, ROUNDS);
}
