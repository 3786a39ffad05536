/* Page faults of ring 0: a store to a page that is not there, the handler that maps it, the store again
 * (Adams & Agesen, ASPLOS 2006, "pgfault"). When all pages of a window are there, they are unmapped again. */
#include "paging.h"

#define PAGES  64u
#define PASSES 320u
#define WINDOW 0x40000000u

static uint32_t *space;
static uint32_t frames[PAGES];
static uint32_t faults;

static void handle_fault(uint32_t linear, uint32_t error)
{
    uint32_t page = (linear - WINDOW) / GUEST_PAGE_SIZE;
    if (page >= PAGES || error != GUEST_FAULT_WRITE) {
        workload_fail("a page fault that should not be");
    }
    guest_page_map(space, linear & ~GUEST_PAGE_FLAGS, frames[page], GUEST_PAGE_WRITE);
    faults++;
}

void workload_prepare(void)
{
    space = guest_paging_start(GUEST_PAGE_WRITE);
    guest_set_page_fault_handler(handle_fault);
    for (uint32_t page = 0; page < PAGES; page++) {
        frames[page] = guest_frame_allocate();
    }
}

uint32_t workload_run(void)
{
    faults = 0;
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t pass = 0; pass < PASSES; pass++) {
        for (uint32_t page = 0; page < PAGES; page++) {
            *(volatile uint32_t *)(WINDOW + page * GUEST_PAGE_SIZE) = pass + page;
        }
        for (uint32_t page = 0; page < PAGES; page++) {
            guest_page_unmap(space, WINDOW + page * GUEST_PAGE_SIZE);
            guest_page_invalidate(WINDOW + page * GUEST_PAGE_SIZE);
        }
        hash = workload_hash(hash, *(volatile uint32_t *)frames[pass % PAGES]);
    }
    return workload_hash(hash, faults);
}
