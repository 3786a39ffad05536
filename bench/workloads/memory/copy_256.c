/* Copies of 256 bytes at a time: the cost of a copy's start counts. */
#include "copy.h"

#define BYTES  (256)
#define ROUNDS 100000u

static struct copy buffers;

void workload_prepare(void)
{
    buffers = copy_make(BYTES);
}

uint32_t workload_run(void)
{
    return copy_run(&buffers, ROUNDS);
}
