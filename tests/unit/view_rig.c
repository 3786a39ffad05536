/* See view_rig.h. */
#include "view_rig.h"

#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bits.h"

static void flush_mmu(void *opaque)
{
    struct view_rig *rig = opaque;
    mmu_flush(rig->mmu);
}

static void protect(void *opaque, uint64_t phys, uint64_t length)
{
    struct view_rig *rig = opaque;
    mmu_protect_pages(rig->mmu, phys, length);
}

static void note_stored(void *opaque, uint64_t offset)
{
    struct view_rig *rig = opaque;
    assert_true(offset < RIG_DISPLAY_SIZE);
    rig->stored++;
}

uint32_t view_rig_directory(unsigned space)
{
    return RIG_TABLES + space * 0x10000u;
}

uint8_t *view_rig_entry(struct view_rig *rig, unsigned space, uint32_t linear)
{
    return rig->ram.bytes + view_rig_directory(space) + 0x1000 + (linear >> 12) * 4;
}

void view_rig_set_entry(struct view_rig *rig, unsigned space, uint32_t linear, uint32_t entry)
{
    store_le32(view_rig_entry(rig, space, linear), entry);
}

void view_rig_load_cr3(struct view_rig *rig, unsigned space)
{
    cpu_write_control(&rig->cpu, 3, view_rig_directory(space));
}

void view_rig_invlpg(struct view_rig *rig, uint32_t linear)
{
    rig->cpu.memory_ops->flush_page(&rig->cpu, linear);
}

struct view_rig *view_rig_create(enum mmu_strategy strategy)
{
    struct view_rig *rig = calloc(1, sizeof *rig);
    struct status status = host_memory_allocate(RIG_RAM_SIZE + RIG_DISPLAY_SIZE, &rig->ram);
    assert_true(status_is_ok(&status));
    rig->random = 7;
    rig->cpu.log = &rig->log;
    rig->cpu.counters = &rig->counters;
    cpu_init(&rig->cpu, cpu_model_find("pentium3"));
    rig->bus = memory_bus_create(rig->ram.bytes, RIG_RAM_SIZE, 36, &rig->log, &rig->counters);
    assert_non_null(rig->bus);
    memory_bus_map_ram(rig->bus, 0, RIG_RAM_SIZE, 0);
    struct io_region device = {.name = "device", .base = RIG_DEVICE, .length = PAGE_SIZE};
    status = memory_bus_claim(rig->bus, &device);
    assert_true(status_is_ok(&status));
    rig->mmu = mmu_create(&rig->cpu, rig->bus);
    assert_non_null(rig->mmu);
    rig->mmu->ram_fd_size = rig->ram.length;
    mmu_set_strategy(rig->mmu, strategy);
    status = mmu_enable_views(rig->mmu, rig->ram.fd);
    if (!status_is_ok(&status)) {
        print_message("SKIPPED: %s\n", status.message);
        skip();
    }
    const struct memory_watcher watcher = {.stored = note_stored, .opaque = rig};
    status = memory_bus_map_device_memory(rig->bus, "display", RIG_DISPLAY, RIG_DISPLAY_SIZE,
                                          rig->ram.bytes + RIG_RAM_SIZE, &watcher);
    assert_true(status_is_ok(&status));
    struct memory_listener listener = {.map_changed = flush_mmu, .watched = protect, .opaque = rig};
    memory_bus_set_listener(rig->bus, &listener);
    rig->cpu.unwind = &rig->unwind;
    for (unsigned space = 0; space < RIG_DIRECTORIES; space++) {
        for (uint32_t table = 0; table < 4; table++) {
            store_le32(rig->ram.bytes + view_rig_directory(space) + table * 4,
                       (view_rig_directory(space) + 0x1000 + table * 0x1000) | PWU | A);
        }
    }
    assert_int_equal(pipe(rig->pipe), 0);
    return rig;
}

int view_rig_destroy(void **state)
{
    struct view_rig *rig = *state;
    mmu_destroy(rig->mmu);
    memory_bus_destroy(rig->bus);
    host_memory_release(&rig->ram);
    close(rig->pipe[0]);
    close(rig->pipe[1]);
    free(rig);
    return 0;
}

void view_rig_turn_paging_on(struct view_rig *rig)
{
    view_rig_load_cr3(rig, 0);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
}

unsigned view_rig_pick(struct view_rig *rig, unsigned count)
{
    rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rig->random >> 33) % count;
}

/* ---- what the host allows */

bool view_rig_may_load(struct view_rig *rig, uint32_t linear, uint8_t *value)
{
    const uint8_t *window = mmu_window(rig->mmu, rig->user);
    if (window == NULL || write(rig->pipe[1], window + linear, 1) != 1) {
        return false;
    }
    assert_int_equal(read(rig->pipe[0], value, 1), 1);
    return true;
}

bool view_rig_may_store(struct view_rig *rig, uint32_t linear)
{
    uint8_t *window = mmu_window(rig->mmu, rig->user);
    uint8_t before;
    uint8_t value = 0x5a;
    if (!view_rig_may_load(rig, linear, &before)) {
        return false;
    }
    assert_int_equal(write(rig->pipe[1], &value, 1), 1);
    if (read(rig->pipe[0], window + linear, 1) != 1) {
        assert_int_equal(errno, EFAULT);
        assert_int_equal(read(rig->pipe[0], &value, 1), 1);
        return false;
    }
    window[linear] = before;
    return true;
}

enum mmu_view_result view_rig_fill(struct view_rig *rig, uint32_t linear, unsigned width, bool store)
{
    if (setjmp(rig->unwind) != 0) {
        fail_msg("filling raised exception %u", rig->cpu.exception.vector);
    }
    assert_non_null(mmu_window(rig->mmu, rig->user));
    return mmu_view_fill(rig->mmu, linear, width, store, rig->user);
}

void view_rig_assert_shows(struct view_rig *rig, uint32_t linear, uint64_t phys)
{
    uint8_t value = 0;
    uint8_t *byte = memory_bus_page(rig->bus, phys)->read + (phys & PAGE_MASK);
    *byte ^= 0xff;
    assert_true(view_rig_may_load(rig, linear, &value));
    assert_int_equal(value, *byte);
    *byte ^= 0xff; /* it may be part of a page table */
}

void view_rig_assert_absent(struct view_rig *rig, uint32_t linear)
{
    uint8_t value;
    assert_false(view_rig_may_load(rig, linear, &value));
}
