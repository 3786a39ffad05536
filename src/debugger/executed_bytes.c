/* See executed_bytes.h. A bit for each byte, by pages that exist once something on them has been executed. */
#include "debugger/executed_bytes.h"

#include <stdlib.h>

#include "base/bits.h"
#include "bus/memory_bus.h"

#define PAGES ((size_t)(4 * GIB >> PAGE_SHIFT))
#define WORDS (PAGE_SIZE / 64)

struct executed_bytes {
    uint64_t *pages[PAGES];
};

struct executed_bytes *executed_bytes_create(void)
{
    return calloc(1, sizeof(struct executed_bytes));
}

void executed_bytes_clear(struct executed_bytes *set)
{
    for (size_t i = 0; i < PAGES; i++) {
        free(set->pages[i]);
        set->pages[i] = NULL;
    }
}

void executed_bytes_destroy(struct executed_bytes *set)
{
    if (set != NULL) {
        executed_bytes_clear(set);
        free(set);
    }
}

void executed_bytes_add(struct executed_bytes *set, uint64_t phys, unsigned length)
{
    uint64_t **page = &set->pages[(phys >> PAGE_SHIFT) % PAGES];
    if (*page == NULL) {
        *page = calloc(WORDS, sizeof **page);
    }
    for (unsigned at = phys & PAGE_MASK, end = at + length; *page != NULL && at < end; at++) {
        (*page)[at / 64] |= (uint64_t)1 << at % 64;
    }
}

bool executed_bytes_take(struct executed_bytes *set, uint64_t phys, unsigned length)
{
    uint64_t *page = set->pages[(phys >> PAGE_SHIFT) % PAGES];
    bool hit = false;
    for (unsigned at = phys & PAGE_MASK, end = at + length; page != NULL && at < end; at++) {
        const uint64_t bit = (uint64_t)1 << at % 64;
        hit |= (page[at / 64] & bit) != 0;
        page[at / 64] &= ~bit;
    }
    return hit;
}
