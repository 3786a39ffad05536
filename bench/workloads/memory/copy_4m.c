/* Copies of 4 MiB at a time: both buffers are larger than most caches. */
#include "copy.h"

#define BYTES  (4u << 20)
#define ROUNDS 3u

static struct copy buffers;

void workload_prepare(void)
{
    buffers = copy_make(BYTES);
}

uint32_t workload_run(void)
{
    return copy_run(&buffers, ROUNDS);
}
