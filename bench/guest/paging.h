/* Paging for workloads: an identity map of the guest's memory, and address spaces that share it.
 *
 * An address space is its page directory; its linear addresses below GUEST_SPACE_START are the identity map,
 * the same in every space. Directories and page tables are frames, which lie in the identity map, so that the
 * kernel reaches them by their physical addresses. 32-bit paging (SDM 3A §4.3); rights are those of the
 * page's own entry (directory entries allow everything), and ring 0 respects write protection (CR0.WP).
 *
 * Changed entries reach the TLB by guest_page_invalidate() or guest_space_load(), which is left to the
 * caller. */
#ifndef DOPPEL_BENCH_PAGING_H
#define DOPPEL_BENCH_PAGING_H

#include "guest.h"

#define GUEST_PAGE_SIZE       4096u
#define GUEST_LARGE_PAGE_SIZE 0x400000u
#define GUEST_SPACE_START     0x10000000u /* 256 MiB: what the identity map ends at */

/* Bits of an entry. */
#define GUEST_PAGE_PRESENT  0x001u
#define GUEST_PAGE_WRITE    0x002u
#define GUEST_PAGE_USER     0x004u
#define GUEST_PAGE_ACCESSED 0x020u
#define GUEST_PAGE_DIRTY    0x040u
#define GUEST_PAGE_LARGE    0x080u
#define GUEST_PAGE_GLOBAL   0x100u
#define GUEST_PAGE_SOFTWARE 0x200u /* the first of three that the processor leaves alone */
#define GUEST_PAGE_FLAGS    0xfffu

/* Bits of a page fault's error code. */
#define GUEST_FAULT_PRESENT 1u
#define GUEST_FAULT_WRITE   2u
#define GUEST_FAULT_USER    4u

/* Switches paging on, in a space with the identity map and nothing else, which is returned. The flags are
 * those of the identity map's pages: WRITE, USER (for guest_run_user()), LARGE for pages of 4 MiB, GLOBAL.
 * Called once. */
uint32_t *guest_paging_start(uint32_t flags);

/* One more space, with the identity map and nothing else; and its end, which frees the directory and the page
 * tables, not the pages. It must not be the one that is loaded. */
uint32_t *guest_space_create(void);
void guest_space_destroy(uint32_t *space);

/* The page-table entry of a linear address; the table is made when there is none. Not for addresses in pages
 * of 4 MiB. */
uint32_t *guest_page_entry(uint32_t *space, uint32_t linear);

/* Maps one page of 4 KiB, or of 4 MiB when flags has GUEST_PAGE_LARGE; PRESENT is implied. Protection is
 * changed by mapping the page anew. */
void guest_page_map(uint32_t *space, uint32_t linear, uint32_t physical, uint32_t flags);

/* Unmaps a page of 4 KiB. */
void guest_page_unmap(uint32_t *space, uint32_t linear);

/* A page of memory, with undefined contents, to be written at its physical address; last freed, first used.
 */
uint32_t guest_frame_allocate(void);
void guest_frame_free(uint32_t physical);

/* Whole frames: filled with zeros, and copied. */
static inline void guest_frame_clear(uint32_t physical)
{
    uint32_t words = GUEST_PAGE_SIZE / 4;
    __asm__ volatile("rep stosl" : "+D"(physical), "+c"(words) : "a"(0) : "memory");
}

static inline void guest_frame_copy(uint32_t to, uint32_t from)
{
    uint32_t words = GUEST_PAGE_SIZE / 4;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

/* Calls handler(linear address, error code) at page faults, in ring 0; the faulting instruction is tried
 * again after it. */
void guest_set_page_fault_handler(void (*handler)(uint32_t linear, uint32_t error));

static inline void guest_page_invalidate(uint32_t linear)
{
    __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

static inline void guest_space_load(const uint32_t *space)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(space) : "memory");
}

#endif
