/* Pages of 2 MiB where the host has them: one entry of its TLB for what takes 512 otherwise. Whatever is
 * refused leaves small pages, which do as well. What is said of shared memory (a memfd) is for Linux only
 * (MADV_COLLAPSE, 6.1). */
#ifndef DOPPEL_HOST_LARGE_PAGE_H
#define DOPPEL_HOST_LARGE_PAGE_H

#include <stddef.h>

#define LARGE_PAGE ((size_t)2 << 20) /* Intel SDM 3A §4.5 */

/* Addresses for `size` bytes, at a multiple of LARGE_PAGE, that nothing is mapped at (PROT_NONE). MAP_FAILED
 * with errno. */
void *large_page_reserve(size_t size);

/* mmap()s `size` bytes of a file, shared, at such addresses. MAP_FAILED with errno. */
void *large_page_map(int fd, size_t size, int protection);

/* Has the host put the LARGE_PAGE bytes at `at`, a multiple of it, into one page. At least one of their pages
 * has been touched. Takes about half a millisecond. */
void large_page_collapse(const void *at);

/* `size` bytes of zeroes, for what is read here and there; at a multiple of LARGE_PAGE where there are such.
 * Where one is touched all 2 MiB of it are there. NULL: the host has no memory. */
void *large_page_allocate(size_t size);

/* Gives them back. NULL is allowed. */
void large_page_free(void *at, size_t size);

#endif
