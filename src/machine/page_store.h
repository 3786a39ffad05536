/* Copies of a large stretch of memory at several times, of which each page is kept once for as long as it
 * stays the same.
 *
 * A *set* is one copy. Its pages are shared with the set it was made like, where the bytes are equal; a page
 * of zeros takes no memory. Pages are counted references, and so are groups of them, so that a set costs
 * little more than what has changed. */
#ifndef DOPPEL_MACHINE_PAGE_STORE_H
#define DOPPEL_MACHINE_PAGE_STORE_H

#include <stdint.h>

#include "host/host_memory.h"

#define PAGE_STORE_PAGE 4096u

struct page_store;
struct page_set;

/* NULL when out of memory. */
struct page_store *page_store_create(void);
/* All sets must have been released. NULL is allowed. */
void page_store_destroy(struct page_store *store);

/* Bytes of host memory that all sets take together. */
uint64_t page_store_bytes(const struct page_store *store);

/* Copies `memory`, whose length is a multiple of PAGE_STORE_PAGE. `like`: a set of as many bytes, or NULL.
 * NULL when out of memory. */
struct page_set *page_set_create(struct page_store *store, const struct host_memory *memory,
                                 const struct page_set *like);
void page_set_destroy(struct page_store *store, struct page_set *set); /* NULL is allowed */

/* Makes `memory` what it was, page by page: `about_to_change` (or NULL) is told of each page that is not so
 * already. */
void page_set_put_back(const struct page_set *set, const struct host_memory *memory,
                       void (*about_to_change)(void *opaque, uint64_t offset), void *opaque);

#endif
