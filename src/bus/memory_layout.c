/* Copies of what is mapped where, and of dropping the code of memory that changes as a whole; see
 * memory_bus.h.
 *
 * A map is little more than a few runs of pages that follow each other in the guest and on the host, and the
 * device regions in front of them: that is what a copy holds. Putting one back compares page by page, so that
 * code and marks stay where nothing changes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bus/memory_bus_internal.h"

/* Pages below the devices that follow each other. */
struct layout_run {
    uint64_t phys, length;
    uint8_t *read, *write; /* of the first byte; NULL: none has any */
};

struct memory_layout {
    struct memory_run longest;
    struct io_region devices[MEMORY_DEVICES];
    struct memory_watcher watchers[MEMORY_DEVICES];
    uint8_t *device_bytes[MEMORY_DEVICES]; /* of the first page; NULL: not backed by the host */
    size_t run_count;
    struct layout_run runs[];
};

static const struct memory_page *page_at(const struct memory_bus *bus, uint64_t phys)
{
    const struct memory_chunk *chunk = bus->chunks[phys >> MEMORY_CHUNK_SHIFT];
    return chunk != NULL ? &chunk->page[memory_chunk_index(phys)] : &bus->map.open_bus;
}

static bool follows(const uint8_t *run, uint64_t length, const uint8_t *page)
{
    return run == NULL ? page == NULL : page == run + length;
}

/* Calls `found` for each run below the devices. */
static void for_each_run(const struct memory_bus *bus,
                         void (*found)(void *opaque, const struct layout_run *run), void *opaque)
{
    struct layout_run run = {0};
    uint64_t end = (uint64_t)bus->chunk_count << MEMORY_CHUNK_SHIFT;
    for (uint64_t phys = 0; phys < end; phys += PAGE_SIZE) {
        const struct memory_chunk *chunk = bus->chunks[phys >> MEMORY_CHUNK_SHIFT];
        if (chunk == NULL) {
            phys |= ((uint64_t)1 << MEMORY_CHUNK_SHIFT) - PAGE_SIZE;
            continue;
        }
        const struct memory_page *page = &chunk->below[memory_chunk_index(phys)];
        if (page->read == NULL && page->write == NULL) {
            continue;
        }
        if (run.length > 0 && run.phys + run.length == phys && follows(run.read, run.length, page->read) &&
            follows(run.write, run.length, page->write)) {
            run.length += PAGE_SIZE;
            continue;
        }
        if (run.length > 0) {
            found(opaque, &run);
        }
        run = (struct layout_run){phys, PAGE_SIZE, page->read, page->write};
    }
    if (run.length > 0) {
        found(opaque, &run);
    }
}

static void count_run(void *opaque, const struct layout_run *run)
{
    (void)run;
    size_t *count = opaque;
    ++*count;
}

static void add_run(void *opaque, const struct layout_run *run)
{
    struct memory_layout *layout = opaque;
    layout->runs[layout->run_count++] = *run;
}

struct memory_layout *memory_bus_copy_layout(const struct memory_bus *bus)
{
    size_t count = 0;
    for_each_run(bus, count_run, &count);
    struct memory_layout *layout = calloc(1, sizeof *layout + count * sizeof layout->runs[0]);
    if (layout == NULL) {
        return NULL;
    }
    layout->longest = bus->map.run;
    memcpy(layout->devices, bus->devices, sizeof layout->devices);
    memcpy(layout->watchers, bus->watchers, sizeof layout->watchers);
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        if (bus->devices[i].length != 0) {
            layout->device_bytes[i] = page_at(bus, bus->devices[i].base)->read;
        }
    }
    for_each_run(bus, add_run, layout);
    return layout;
}

void memory_layout_destroy(struct memory_layout *layout)
{
    free(layout);
}

/* A chunk's pages as the layout has them. */
struct wanted_chunk {
    uint64_t phys; /* of the first */
    struct memory_page page[MEMORY_CHUNK_PAGES], below[MEMORY_CHUNK_PAGES];
};

/* The part of [phys, phys + length) that lies in the chunk, as offsets into the former; false: there is none.
 */
static bool part_in_chunk(const struct wanted_chunk *wanted, uint64_t phys, uint64_t length, uint64_t *from,
                          uint64_t *to)
{
    uint64_t chunk_end = wanted->phys + ((uint64_t)1 << MEMORY_CHUNK_SHIFT);
    if (phys >= chunk_end || phys + length <= wanted->phys) {
        return false;
    }
    *from = phys < wanted->phys ? wanted->phys - phys : 0;
    *to = phys + length > chunk_end ? chunk_end - phys : length;
    return true;
}

static void want_run(struct wanted_chunk *wanted, const struct layout_run *run)
{
    uint64_t offset = 0, end = 0;
    if (!part_in_chunk(wanted, run->phys, run->length, &offset, &end)) {
        return;
    }
    for (; offset < end; offset += PAGE_SIZE) {
        size_t index = memory_chunk_index(run->phys + offset);
        wanted->below[index] = (struct memory_page){.read = run->read != NULL ? run->read + offset : NULL,
                                                    .write = run->write != NULL ? run->write + offset : NULL};
        wanted->page[index] = wanted->below[index];
    }
}

static void want_device(struct wanted_chunk *wanted, const struct io_region *region, uint8_t *bytes)
{
    uint64_t offset = 0, end = 0;
    if (region->length == 0 || !part_in_chunk(wanted, region->base, region->length, &offset, &end)) {
        return;
    }
    for (; offset < end; offset += PAGE_SIZE) {
        uint8_t *host = bytes != NULL ? bytes + offset : NULL;
        wanted->page[memory_chunk_index(region->base + offset)] =
            (struct memory_page){.read = host, .write = host, .region = region};
    }
}

static void set_page(struct memory_bus *bus, struct memory_page *page, const struct memory_page *wanted,
                     uint64_t phys)
{
    if (page->read != wanted->read || page->write != wanted->write || page->region != wanted->region) {
        memory_bus_forget_code(bus, page, phys);
        *page = *wanted;
    }
}

static void set_chunk(struct memory_bus *bus, const struct memory_layout *layout, struct wanted_chunk *wanted)
{
    memset(wanted->page, 0, sizeof wanted->page);
    memset(wanted->below, 0, sizeof wanted->below);
    for (size_t i = 0; i < layout->run_count; i++) {
        want_run(wanted, &layout->runs[i]);
    }
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        want_device(wanted, &bus->devices[i], layout->device_bytes[i]);
    }
    struct memory_chunk *chunk = memory_bus_chunk(bus, wanted->phys);
    for (size_t i = 0; i < MEMORY_CHUNK_PAGES; i++) {
        set_page(bus, &chunk->page[i], &wanted->page[i], wanted->phys + i * PAGE_SIZE);
    }
    memcpy(chunk->below, wanted->below, sizeof chunk->below);
}

void memory_bus_set_layout(struct memory_bus *bus, const struct memory_layout *layout)
{
    struct wanted_chunk *wanted = malloc(sizeof *wanted);
    if (wanted == NULL) {
        abort(); /* as for a chunk */
    }
    memory_bus_forget_device_memory(bus);
    memcpy(bus->devices, layout->devices, sizeof bus->devices);
    memcpy(bus->watchers, layout->watchers, sizeof bus->watchers);
    /* What a layout maps was mapped at some time, so its chunks are there. */
    for (size_t i = 0; i < bus->chunk_count; i++) {
        if (bus->chunks[i] != NULL) {
            wanted->phys = (uint64_t)i << MEMORY_CHUNK_SHIFT;
            set_chunk(bus, layout, wanted);
        }
    }
    free(wanted);
    bus->map.run = layout->longest;
    memory_bus_announce_change(bus);
}

uint64_t memory_bus_layout_version(const struct memory_bus *bus)
{
    return bus->layout_version;
}

void memory_bus_forget_page(struct memory_bus *bus, uint64_t phys)
{
    assert(bus->a20_mask == UINT64_MAX);
    struct memory_chunk *chunk = phys <= bus->address_mask ? bus->chunks[phys >> MEMORY_CHUNK_SHIFT] : NULL;
    if (chunk != NULL) {
        memory_bus_forget_code(bus, &chunk->page[memory_chunk_index(phys)], phys);
        memory_bus_mark_store_watches(bus);
    }
}

void memory_bus_forget_device_memory(struct memory_bus *bus)
{
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        const struct io_region *region = &bus->devices[i];
        if (region->length == 0 || page_at(bus, region->base)->read == NULL) {
            continue;
        }
        for (uint64_t offset = 0; offset < region->length; offset += PAGE_SIZE) {
            uint64_t phys = region->base + offset;
            memory_bus_forget_code(bus, &memory_bus_chunk(bus, phys)->page[memory_chunk_index(phys)], phys);
        }
    }
    memory_bus_mark_store_watches(bus);
}
