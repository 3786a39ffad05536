/* Random accesses to 64 MiB, without paging on the bare machine (as a host process: with the host's). */
#include "random.h"

static uint32_t *words;

void workload_prepare(void)
{
    words = random_make();
}

uint32_t workload_run(void)
{
    return random_run(words);
}
