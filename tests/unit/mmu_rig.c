/* The machine and the accesses of the paging tests; see mmu_rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mmu_rig.h"

static void note_code_written(void *opaque, uint64_t phys, unsigned length)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "%llx+%x ", (unsigned long long)phys, length);
}

static void flush_mmu(void *opaque)
{
    struct rig *rig = opaque;
    mmu_flush(rig->mmu);
}

struct rig *rig_create(const char *model)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->ram = calloc(1, RAM_SIZE);
    rig->cpu.log = &rig->log;
    rig->cpu.counters = &rig->counters;
    cpu_init(&rig->cpu, cpu_model_find(model));
    rig->bus = memory_bus_create(rig->ram, RAM_SIZE, rig->cpu.model->address_bits, &rig->log, &rig->counters);
    assert_non_null(rig->bus);
    memory_bus_map_ram(rig->bus, 0, RAM_SIZE, 0);
    rig->mmu = mmu_create(&rig->cpu, rig->bus);
    assert_non_null(rig->mmu);
    struct memory_listener listener = {
        .code_written = note_code_written, .map_changed = flush_mmu, .opaque = rig};
    memory_bus_set_listener(rig->bus, &listener);
    rig->cpu.unwind = &rig->unwind;
    return rig;
}

void rig_destroy(struct rig *rig)
{
    mmu_destroy(rig->mmu);
    memory_bus_destroy(rig->bus);
    free(rig->ram);
    free(rig);
}

void rig_put32(struct rig *rig, uint64_t address, uint32_t entry)
{
    store_le32(rig->ram + address, entry);
}

void rig_put64(struct rig *rig, uint64_t address, uint64_t entry)
{
    store_le64(rig->ram + address, entry);
}

uint32_t rig_get32(const struct rig *rig, uint64_t address)
{
    return load_le32(rig->ram + address);
}

void rig_enter_paging(struct rig *rig)
{
    rig_put32(rig, DIRECTORY_ENTRY, TABLE | PWU);
    rig_put32(rig, TABLE, FRAME_A | PWU);
    rig_put32(rig, TABLE + 4, FRAME_B | PWU);
    rig->cpu.cr3 = DIRECTORY;
    rig->cpu.cr0 |= CR0_PE | CR0_PG;
    mmu_flush(rig->mmu);
}

void rig_enter_pae(struct rig *rig)
{
    rig_put64(rig, DIRECTORY + (LINEAR >> 30) * 8, PAE_DIRECTORY | P);
    rig_put64(rig, PAE_DIRECTORY, PAE_TABLE | PWU);
    rig_put64(rig, PAE_TABLE, FRAME_A | PWU);
    rig_put64(rig, PAE_TABLE + 8, FRAME_B | PWU);
    cpu_write_control(&rig->cpu, 4, CR4_PAE);
    cpu_write_control(&rig->cpu, 3, DIRECTORY);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG);
}

int rig_set_up(void **state)
{
    struct rig *rig = rig_create("pentium3");
    rig_enter_paging(rig);
    *state = rig;
    return 0;
}

int rig_set_up_pae(void **state)
{
    struct rig *rig = rig_create("pentium3");
    rig_enter_pae(rig);
    *state = rig;
    return 0;
}

int rig_tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

int rig_try(struct rig *rig, uint64_t linear, unsigned width, enum mmu_access access, bool user,
            uint64_t *value)
{
    rig->cpu.cr2 = 0;
    if (setjmp(rig->unwind) != 0) {
        assert_int_equal(rig->cpu.exception.vector, VECTOR_PF);
        assert_true(rig->cpu.exception.has_error_code);
        return (int)rig->cpu.exception.error_code;
    }
    switch (access) {
    case MMU_LOAD: *value = mmu_load(rig->mmu, linear, width, user); break;
    case MMU_STORE: mmu_store(rig->mmu, linear, width, *value, user); break;
    case MMU_FETCH: *value = mmu_fetch_address(rig->mmu, linear, user); break;
    }
    return NO_FAULT;
}

uint64_t rig_load(struct rig *rig, uint64_t linear, unsigned width)
{
    uint64_t value = 0;
    assert_int_equal(rig_try(rig, linear, width, MMU_LOAD, false, &value), NO_FAULT);
    return value;
}

void rig_store(struct rig *rig, uint64_t linear, unsigned width, uint64_t value)
{
    assert_int_equal(rig_try(rig, linear, width, MMU_STORE, false, &value), NO_FAULT);
}

void rig_expect_fault(struct rig *rig, uint64_t linear, unsigned width, enum mmu_access access, bool user,
                      int code, uint64_t cr2)
{
    uint64_t value = 0;
    assert_int_equal(rig_try(rig, linear, width, access, user, &value), code);
    assert_int_equal(rig->cpu.cr2, cr2);
}

uint64_t rig_translate(struct rig *rig, uint64_t linear)
{
    if (setjmp(rig->unwind) != 0) {
        fail_msg("page fault, error code %u", rig->cpu.exception.error_code);
    }
    return mmu_translate(rig->mmu, linear, MMU_LOAD, false);
}
