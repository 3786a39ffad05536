/* An mmu over 8 MiB of RAM, with tables of either format, for the tests of paging. */
#ifndef DOPPEL_TESTS_MMU_RIG_H
#define DOPPEL_TESTS_MMU_RIG_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "bus/memory_bus.h"
#include "cpu/cpu.h"
#include "mmu/mmu.h"
#include "page_entry.h"
#include "recording_region.h"

#define RAM_SIZE ((uint64_t)0x800000)

/* Where the tests put their tables, and the two neighbouring linear pages that most of them use. */
enum layout {
    DIRECTORY = 0x10000, /* 32-bit: page directory; PAE: page-directory pointers */
    TABLE = 0x11000,     /* 32-bit: page table of LINEAR */
    PAE_DIRECTORY = 0x12000,
    PAE_TABLE = 0x13000,
    FRAME_A = 0x200000, /* behind LINEAR */
    FRAME_B = 0x300000  /* behind the page after it: not adjacent, so that crossing shows */
};
#define LINEAR ((uint64_t)0x40000000)

#define NX ((uint64_t)1 << 63)

enum error_code { CODE_P = 1, CODE_W = 2, CODE_U = 4, CODE_RESERVED = 8, CODE_FETCH = 16 };

struct rig {
    struct cpu_state cpu;
    struct log log;
    struct counters counters;
    struct memory_bus *bus;
    struct mmu *mmu;
    uint8_t *ram;
    uint8_t rom[PAGE_SIZE];
    struct recording device;
    char told[256];
    jmp_buf unwind;
};

#define DIRECTORY_ENTRY ((uint64_t)DIRECTORY + (LINEAR >> 22) * 4) /* LINEAR's */

struct rig *rig_create(const char *model);
void rig_destroy(struct rig *rig);

/* Entries of tables in RAM. */
void rig_put32(struct rig *rig, uint64_t address, uint32_t entry);
void rig_put64(struct rig *rig, uint64_t address, uint64_t entry);
uint32_t rig_get32(const struct rig *rig, uint64_t address);

/* 32-bit paging with LINEAR and the page after it mapped, everything allowed; and the same with PAE. */
void rig_enter_paging(struct rig *rig);
void rig_enter_pae(struct rig *rig);

/* For cmocka: a rig of a Pentium III after rig_enter_paging() or rig_enter_pae(). */
int rig_set_up(void **state);
int rig_set_up_pae(void **state);
int rig_tear_down(void **state);

#define WITH_PAGING(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
#define WITH_PAE(test)    cmocka_unit_test_setup_teardown(test, rig_set_up_pae, rig_tear_down)

#define NO_FAULT (-1)

/* One access; the page fault's error code, or NO_FAULT. */
int rig_try(struct rig *rig, uint64_t linear, unsigned width, enum mmu_access access, bool user,
            uint64_t *value);

/* Those of a supervisor that must not fault. */
uint64_t rig_load(struct rig *rig, uint64_t linear, unsigned width);
void rig_store(struct rig *rig, uint64_t linear, unsigned width, uint64_t value);
uint64_t rig_translate(struct rig *rig, uint64_t linear);

/* One that must. */
void rig_expect_fault(struct rig *rig, uint64_t linear, unsigned width, enum mmu_access access, bool user,
                      int code, uint64_t cr2);

#endif
