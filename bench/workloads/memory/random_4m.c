/* Random accesses to 64 MiB, with the whole memory mapped by pages of 4 MiB. */
#include "paging.h"
#include "random.h"

static uint32_t *words;

void workload_prepare(void)
{
    words = random_make();
    guest_paging_start(GUEST_PAGE_WRITE | GUEST_PAGE_LARGE);
}

uint32_t workload_run(void)
{
    return random_run(words);
}
