/* Page faults of ring 3: reads of pages that are there for ring 0 only; the handler gives each to the user,
 * and takes the one before it back. */
#include "paging.h"

#define PAGES  64u
#define FAULTS 20000u
#define WINDOW 0x40000000u

static uint32_t *space;
static uint32_t given = WINDOW;
static uint32_t faults;

static void set_flags(uint32_t linear, uint32_t flags)
{
    uint32_t *entry = guest_page_entry(space, linear);
    *entry = (*entry & ~GUEST_PAGE_USER) | flags;
}

static void handle_fault(uint32_t linear, uint32_t error)
{
    if ((linear - WINDOW) / GUEST_PAGE_SIZE >= PAGES || error != (GUEST_FAULT_USER | GUEST_FAULT_PRESENT)) {
        workload_fail("a page fault that should not be");
    }
    set_flags(given, 0);
    guest_page_invalidate(given);
    set_flags(linear, GUEST_PAGE_USER);
    given = linear;
    faults++;
}

void workload_prepare(void)
{
    space = guest_paging_start(GUEST_PAGE_WRITE | GUEST_PAGE_USER);
    guest_set_page_fault_handler(handle_fault);
    for (uint32_t page = 0; page < PAGES; page++) {
        uint32_t frame = guest_frame_allocate();
        *(uint32_t *)frame = page;
        guest_page_map(space, WINDOW + page * GUEST_PAGE_SIZE, frame, 0);
    }
}

static uint32_t read_pages(uint32_t count)
{
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t i = 1; i <= count; i++) {
        hash = workload_hash(hash, *(volatile uint32_t *)(WINDOW + i % PAGES * GUEST_PAGE_SIZE));
    }
    return hash;
}

uint32_t workload_run(void)
{
    set_flags(given, 0);
    guest_page_invalidate(given);
    faults = 0;
    uint32_t hash = guest_run_user(read_pages, FAULTS, 0);
    return workload_hash(hash, faults);
}
