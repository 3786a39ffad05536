/* An mmu with views over a small machine's memory, and what the host's MMU allows in them. The host's kernel
 * is asked: a system call with an address that may not be accessed fails with EFAULT. */
#ifndef DOPPEL_TESTS_VIEW_RIG_H
#define DOPPEL_TESTS_VIEW_RIG_H

#include <setjmp.h>

#include "cpu/cpu.h"
#include "host/host_memory.h"
#include "mmu/paging.h"
#include "mmu/view.h"
#include "page_entry.h"

#define RIG_RAM_SIZE     ((uint64_t)64 << 20)
#define RIG_DIRECTORIES  2u
#define RIG_TABLES       0x600000u /* of each directory: 4 tables for its first 16 MiB */
#define RIG_FRAMES       0x200000u /* for tests to map */
#define RIG_DEVICE       0x3000000u
#define RIG_DISPLAY      0xe0000000u /* watched memory behind RAM's descriptor */
#define RIG_DISPLAY_SIZE 0x20000u

struct view_rig {
    struct cpu_state cpu;
    struct log log;
    struct counters counters;
    struct host_memory ram;
    struct memory_bus *bus;
    struct mmu *mmu;
    jmp_buf unwind;
    uint64_t random;
    bool user; /* whose view is filled and looked at */
    int pipe[2];
    unsigned stored; /* how often a first store to the display's memory was told */
};

/* Skips the test where the host has no views. */
struct view_rig *view_rig_create(enum mmu_strategy strategy);
int view_rig_destroy(void **state);

/* A number below `count`, the same in each run. */
unsigned view_rig_pick(struct view_rig *rig, unsigned count);

/* ---- the guest's tables: of 32-bit paging, with 4 KiB pages in the first 16 MiB */

uint32_t view_rig_directory(unsigned space);
uint8_t *view_rig_entry(struct view_rig *rig, unsigned space, uint32_t linear);
void view_rig_set_entry(struct view_rig *rig, unsigned space, uint32_t linear, uint32_t entry);
void view_rig_load_cr3(struct view_rig *rig, unsigned space);
void view_rig_invlpg(struct view_rig *rig, uint32_t linear);
void view_rig_turn_paging_on(struct view_rig *rig);

/* ---- views */

enum mmu_view_result view_rig_fill(struct view_rig *rig, uint32_t linear, unsigned width, bool store);

bool view_rig_may_load(struct view_rig *rig, uint32_t linear, uint8_t *value);

/* Whether a store goes through; it changes nothing, but for the byte being 5Ah meanwhile. */
bool view_rig_may_store(struct view_rig *rig, uint32_t linear);

/* The view has the byte of the memory at `phys` at `linear`, or nothing there. */
void view_rig_assert_shows(struct view_rig *rig, uint32_t linear, uint64_t phys);
void view_rig_assert_absent(struct view_rig *rig, uint32_t linear);

#endif
