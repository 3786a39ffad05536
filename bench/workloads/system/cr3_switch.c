/* Switches between two address spaces: CR3 is loaded, and a few pages are read and written that differ
 * between the two, and a few that both have. */
#include "paging.h"

#define SPACES   2u
#define PAGES    8u
#define SWITCHES 30000u
#define WINDOW   0x40000000u
#define SHARED   (WINDOW + PAGES * GUEST_PAGE_SIZE)

static uint32_t *spaces[SPACES];

void workload_prepare(void)
{
    spaces[0] = guest_paging_start(GUEST_PAGE_WRITE | GUEST_PAGE_GLOBAL);
    spaces[1] = guest_space_create();
    for (uint32_t page = 0; page < PAGES * GUEST_PAGE_SIZE; page += GUEST_PAGE_SIZE) {
        uint32_t shared = guest_frame_allocate();
        for (uint32_t i = 0; i < SPACES; i++) {
            guest_page_map(spaces[i], WINDOW + page, guest_frame_allocate(), GUEST_PAGE_WRITE);
            guest_page_map(spaces[i], SHARED + page, shared, GUEST_PAGE_WRITE);
        }
    }
}

/* Before each run: what the pages hold. */
static void fill_pages(void)
{
    for (uint32_t i = 0; i < SPACES; i++) {
        guest_space_load(spaces[i]);
        for (uint32_t page = 0; page < 2 * PAGES; page++) {
            *(volatile uint32_t *)(WINDOW + page * GUEST_PAGE_SIZE) = i + page;
        }
    }
}

uint32_t workload_run(void)
{
    fill_pages();
    for (uint32_t i = 0; i < SWITCHES; i++) {
        guest_space_load(spaces[i % SPACES]);
        for (uint32_t page = 0; page < PAGES * GUEST_PAGE_SIZE; page += GUEST_PAGE_SIZE) {
            *(volatile uint32_t *)(WINDOW + page) += *(volatile uint32_t *)(SHARED + page);
        }
        *(volatile uint32_t *)(SHARED + i % PAGES * GUEST_PAGE_SIZE) ^= *(volatile uint32_t *)WINDOW;
    }
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t i = 0; i < SPACES; i++) {
        guest_space_load(spaces[i]);
        for (uint32_t page = 0; page < 2 * PAGES; page++) {
            hash = workload_hash(hash, *(volatile uint32_t *)(WINDOW + page * GUEST_PAGE_SIZE));
        }
    }
    return hash;
}
