/* Page-table entries that change: an entry is pointed at another page, its translation invalidated, and the
 * page read (Adams & Agesen, ASPLOS 2006, "ptemod"). */
#include "paging.h"

#define PAGES   64u
#define CHANGES 200000u
#define WINDOW  0x40000000u

static uint32_t *entries;
static uint32_t frames[PAGES];

void workload_prepare(void)
{
    uint32_t *space = guest_paging_start(GUEST_PAGE_WRITE);
    entries = guest_page_entry(space, WINDOW);
    for (uint32_t page = 0; page < PAGES; page++) {
        frames[page] = guest_frame_allocate();
        *(uint32_t *)frames[page] = page * 0x9e3779b9u;
        guest_page_map(space, WINDOW + page * GUEST_PAGE_SIZE, frames[page], 0);
    }
}

uint32_t workload_run(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < CHANGES; i++) {
        uint32_t page = i % PAGES;
        uint32_t linear = WINDOW + page * GUEST_PAGE_SIZE;
        *(volatile uint32_t *)&entries[page] = frames[(i * 7 + i / PAGES) % PAGES] | GUEST_PAGE_PRESENT;
        guest_page_invalidate(linear);
        sum = (sum << 1 | sum >> 31) ^ *(const volatile uint32_t *)linear;
    }
    return sum;
}
