/* Page tables of 32-bit paging (SDM 3A §4.3), and the frames they are made of. */
#include "paging.h"

#define ENTRIES           1024u
#define LARGE_SHIFT       22u
#define IDENTITY_ENTRIES  (GUEST_SPACE_START >> LARGE_SHIFT)
#define DIRECTORY_FLAGS   (GUEST_PAGE_PRESENT | GUEST_PAGE_WRITE | GUEST_PAGE_USER)
#define PAGE_FAULT_VECTOR 14u
#define CR0_PG            0x80000000u
#define CR0_WP            0x00010000u
#define CR4_PSE           0x10u
#define CR4_PGE           0x80u

void (*guest_page_fault_handler)(uint32_t linear, uint32_t error);
void guest_page_fault_entry(void);

/* Directory entries of the identity map. */
static uint32_t identity[IDENTITY_ENTRIES];
/* The first free frame, whose first word is the next. */
static uint32_t free_frames;

/* At the entry the error code is on top; EAX, ECX and EDX are what a C function may change. */
__asm__(".text\n"
        "guest_page_fault_entry:\n"
        "    pushl %eax\n"
        "    pushl %ecx\n"
        "    pushl %edx\n"
        "    movl %cr2, %eax\n"
        "    pushl 12(%esp)\n"
        "    pushl %eax\n"
        "    call *guest_page_fault_handler\n"
        "    addl $8, %esp\n"
        "    popl %edx\n"
        "    popl %ecx\n"
        "    popl %eax\n"
        "    addl $4, %esp\n"
        "    iret\n");

/* ---- frames */

uint32_t guest_frame_allocate(void)
{
    uint32_t frame = free_frames;
    if (frame == 0) {
        return (uint32_t)workload_memory(GUEST_PAGE_SIZE);
    }
    free_frames = *(uint32_t *)frame;
    return frame;
}

void guest_frame_free(uint32_t physical)
{
    *(uint32_t *)physical = free_frames;
    free_frames = physical;
}

static uint32_t *allocate_table(void)
{
    uint32_t frame = guest_frame_allocate();
    guest_frame_clear(frame);
    return (uint32_t *)frame;
}

/* ---- spaces and pages */

uint32_t *guest_space_create(void)
{
    uint32_t *space = allocate_table();
    memcpy(space, identity, sizeof identity);
    return space;
}

void guest_space_destroy(uint32_t *space)
{
    for (uint32_t i = IDENTITY_ENTRIES; i < ENTRIES; i++) {
        if ((space[i] & GUEST_PAGE_PRESENT) && !(space[i] & GUEST_PAGE_LARGE)) {
            guest_frame_free(space[i] & ~GUEST_PAGE_FLAGS);
        }
    }
    guest_frame_free((uint32_t)space);
}

uint32_t *guest_page_entry(uint32_t *space, uint32_t linear)
{
    uint32_t *entry = &space[linear >> LARGE_SHIFT];
    if (!(*entry & GUEST_PAGE_PRESENT)) {
        *entry = (uint32_t)allocate_table() | DIRECTORY_FLAGS;
    }
    if (*entry & GUEST_PAGE_LARGE) {
        workload_fail("a page of 4 MiB is in the way");
    }
    uint32_t *table = (uint32_t *)(*entry & ~GUEST_PAGE_FLAGS);
    return &table[linear / GUEST_PAGE_SIZE % ENTRIES];
}

void guest_page_map(uint32_t *space, uint32_t linear, uint32_t physical, uint32_t flags)
{
    if (flags & GUEST_PAGE_LARGE) {
        space[linear >> LARGE_SHIFT] = physical | flags | GUEST_PAGE_PRESENT;
    } else {
        *guest_page_entry(space, linear) = physical | flags | GUEST_PAGE_PRESENT;
    }
}

void guest_page_unmap(uint32_t *space, uint32_t linear)
{
    *guest_page_entry(space, linear) = 0;
}

uint32_t *guest_paging_start(uint32_t flags)
{
    uint32_t *space = allocate_table();
    uint32_t step = flags & GUEST_PAGE_LARGE ? GUEST_LARGE_PAGE_SIZE : GUEST_PAGE_SIZE;
    for (uint32_t at = 0; at < GUEST_SPACE_START; at += step) {
        guest_page_map(space, at, at, flags);
    }
    memcpy(identity, space, sizeof identity);
    guest_space_load(space);
    uint32_t features = (flags & GUEST_PAGE_LARGE ? CR4_PSE : 0) | (flags & GUEST_PAGE_GLOBAL ? CR4_PGE : 0);
    uint32_t value;
    __asm__ volatile("movl %%cr4, %0" : "=r"(value));
    __asm__ volatile("movl %0, %%cr4" : : "r"(value | features));
    __asm__ volatile("movl %%cr0, %0" : "=r"(value));
    __asm__ volatile("movl %0, %%cr0; jmp 1f; 1:" : : "r"(value | CR0_PG | CR0_WP) : "memory");
    return space;
}

void guest_set_page_fault_handler(void (*handler)(uint32_t linear, uint32_t error))
{
    guest_page_fault_handler = handler;
    guest_set_gate(PAGE_FAULT_VECTOR, guest_page_fault_entry, 0);
}
