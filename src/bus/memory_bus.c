/* The guest-physical address space; see memory_bus.h.
 *
 * Two levels: a directory of 4 MiB chunks, each with 1024 pages. A chunk nothing was ever mapped in does not
 * exist, and its pages are all the shared open-bus page. Device regions remember what they hide, so that
 * releasing one brings back the RAM below. */
#include "bus/memory_bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "bus/memory_bus_internal.h"

#define CODE_LINES (PAGE_SIZE >> CODE_LINE_SHIFT)

struct memory_bus *memory_bus_create(uint8_t *ram, uint64_t ram_size, unsigned address_bits,
                                     const struct log *log, struct counters *counters)
{
    assert(address_bits >= 20 && address_bits <= 40 && ram_size % PAGE_SIZE == 0);
    size_t chunk_count =
        address_bits > MEMORY_CHUNK_SHIFT ? (size_t)1 << (address_bits - MEMORY_CHUNK_SHIFT) : 1;
    struct memory_bus *bus = calloc(1, sizeof *bus + chunk_count * sizeof bus->chunks[0]);
    if (bus == NULL) {
        return NULL;
    }
    bus->map.chunks = calloc(chunk_count, sizeof bus->map.chunks[0]);
    if (bus->map.chunks == NULL) {
        free(bus);
        return NULL;
    }
    bus->ram = ram;
    bus->ram_size = ram_size;
    bus->address_mask = bits_mask(address_bits);
    bus->a20_mask = UINT64_MAX;
    bus->map.mask = bus->address_mask;
    bus->log = log;
    bus->counters = counters;
    bus->chunk_count = chunk_count;
    return bus;
}

void memory_bus_destroy(struct memory_bus *bus)
{
    if (bus == NULL) {
        return;
    }
    for (size_t i = 0; i < bus->chunk_count; i++) {
        for (size_t page = 0; bus->chunks[i] != NULL && page < MEMORY_CHUNK_PAGES; page++) {
            free(bus->chunks[i]->code_bytes[page]);
        }
        free(bus->chunks[i]);
    }
    free(bus->map.chunks);
    free(bus);
}

void memory_bus_set_listener(struct memory_bus *bus, const struct memory_listener *listener)
{
    bus->listener = *listener;
}

void memory_bus_mark_store_watches(struct memory_bus *bus)
{
    const struct memory_watches *watches = &bus->store_watches;
    for (unsigned i = 0; i < watches->count; i++) {
        for (uint64_t at = watches->range[i].first; at <= watches->range[i].last;) {
            const uint64_t in_page = (at & ~PAGE_MASK) + PAGE_SIZE - at;
            const uint64_t left = watches->range[i].last - at + 1;
            const uint64_t length = left < in_page ? left : in_page;
            if (memory_bus_page(bus, at)->write != NULL) {
                memory_bus_mark_code(bus, at, (unsigned)length);
            }
            at += length;
        }
    }
}

static void tell_access(const struct memory_bus *bus, const struct memory_watches *watches, uint64_t phys,
                        unsigned length)
{
    const uint64_t first = memory_bus_effective(bus, phys);
    for (unsigned i = 0; i < watches->count; i++) {
        if (watches->range[i].first <= first + length - 1 && first <= watches->range[i].last) {
            watches->accessed(watches->opaque, first, length);
            return;
        }
    }
}

void memory_bus_set_store_watches(struct memory_bus *bus, const struct memory_watches *watches)
{
    bus->store_watches = *watches;
    memory_bus_mark_store_watches(bus);
    for (unsigned i = 0; i < watches->count && bus->listener.watched != NULL; i++) {
        const uint64_t first = watches->range[i].first & ~PAGE_MASK;
        const uint64_t last = watches->range[i].last | PAGE_MASK;
        bus->listener.watched(bus->listener.opaque, first, last - first + 1);
    }
}

void memory_bus_set_load_watches(struct memory_bus *bus, const struct memory_watches *watches)
{
    bus->load_watches = *watches;
}

static void tell_listener(struct memory_bus *bus)
{
    memory_bus_mark_store_watches(bus);
    if (bus->listener.map_changed != NULL) {
        bus->listener.map_changed(bus->listener.opaque);
    }
}

void memory_bus_announce_change(struct memory_bus *bus)
{
    bus->layout_version++;
    tell_listener(bus);
}

uint64_t memory_bus_effective(const struct memory_bus *bus, uint64_t phys)
{
    return phys & bus->map.mask;
}

struct memory_chunk *memory_bus_chunk(struct memory_bus *bus, uint64_t phys)
{
    struct memory_chunk **chunk = &bus->chunks[phys >> MEMORY_CHUNK_SHIFT];
    if (*chunk == NULL) {
        *chunk = calloc(1, sizeof **chunk);
        if (*chunk == NULL) {
            abort(); /* 64 KiB could not be had: nothing sensible can follow */
        }
        bus->map.chunks[phys >> MEMORY_CHUNK_SHIFT] = (*chunk)->page;
    }
    return *chunk;
}

static uint64_t *allocate_code_bytes(struct memory_bus *bus, uint64_t phys)
{
    uint64_t effective = memory_bus_effective(bus, phys);
    uint64_t **bytes = &memory_bus_chunk(bus, effective)->code_bytes[memory_chunk_index(effective)];
    if (*bytes == NULL) {
        *bytes = calloc(CODE_LINES + 1, sizeof **bytes); /* the mmu's users may read some bytes beyond */
        if (*bytes == NULL) {
            abort(); /* as for a chunk */
        }
    }
    return *bytes;
}

void memory_bus_forget_code(struct memory_bus *bus, struct memory_page *page, uint64_t phys)
{
    if (page->code_lines != 0) {
        page->code_lines = 0;
        page->watched = false;
        memset(page->code_bytes, 0, CODE_LINES * sizeof page->code_bytes[0]);
        if (bus->listener.code_written != NULL) {
            bus->listener.code_written(bus->listener.opaque, phys, PAGE_SIZE);
        }
    }
}

static bool page_is_device(const struct memory_page *page)
{
    return page->region != NULL;
}

/* ---- the longest run of RAM */

/* The page at effective address `phys` is not what it was: the longer of the parts beside it is the run. */
static void shorten_run(struct memory_map *map, uint64_t phys)
{
    struct memory_run *run = &map->run;
    uint64_t before = phys - run->first;
    if (before >= run->length) {
        return;
    }
    uint64_t after = run->length - before - PAGE_SIZE;
    if (before >= after) {
        run->length = before;
    } else {
        *run = (struct memory_run){phys + PAGE_SIZE, after, run->host + before + PAGE_SIZE};
    }
}

static bool is_run(struct memory_bus *bus, const struct memory_run *run)
{
    for (uint64_t offset = 0; offset < run->length; offset += PAGE_SIZE) {
        uint64_t phys = run->first + offset;
        const struct memory_chunk *chunk =
            phys <= bus->address_mask ? bus->chunks[phys >> MEMORY_CHUNK_SHIFT] : NULL;
        const struct memory_page *page =
            chunk != NULL ? &chunk->page[memory_chunk_index(phys)] : &bus->map.open_bus;
        if (page->read != run->host + offset || page->write != page->read || page->region != NULL) {
            return false;
        }
    }
    return true;
}

/* Sets how one page is backed below any device region. */
static void set_backing(struct memory_bus *bus, uint64_t phys, uint8_t *read, uint8_t *write)
{
    struct memory_chunk *chunk = memory_bus_chunk(bus, phys);
    struct memory_page *page = &chunk->page[memory_chunk_index(phys)];
    struct memory_page *below = &chunk->below[memory_chunk_index(phys)];
    memory_bus_forget_code(bus, page, phys);
    *below = (struct memory_page){.read = read, .write = write};
    if (!page_is_device(page)) {
        *page = *below;
        shorten_run(&bus->map, phys);
    }
}

void memory_bus_map_split(struct memory_bus *bus, uint64_t phys, uint64_t length, uint8_t *read_bytes,
                          uint8_t *write_bytes)
{
    assert((phys & PAGE_MASK) == 0 && (length & PAGE_MASK) == 0);
    for (uint64_t offset = 0; offset < length && phys + offset <= bus->address_mask; offset += PAGE_SIZE) {
        set_backing(bus, phys + offset, read_bytes ? read_bytes + offset : NULL,
                    write_bytes ? write_bytes + offset : NULL);
    }
    memory_bus_announce_change(bus);
}

void memory_bus_map_ram(struct memory_bus *bus, uint64_t phys, uint64_t length, uint64_t ram_offset)
{
    assert(ram_offset <= bus->ram_size && length <= bus->ram_size - ram_offset);
    memory_bus_map_split(bus, phys, length, bus->ram + ram_offset, bus->ram + ram_offset);
    struct memory_run run = {phys, length, bus->ram + ram_offset};
    if (length > bus->map.run.length && is_run(bus, &run)) {
        bus->map.run = run;
    }
}

void memory_bus_map_rom(struct memory_bus *bus, uint64_t phys, uint64_t length, uint8_t *bytes)
{
    memory_bus_map_split(bus, phys, length, bytes, NULL);
}

static struct io_region *find_free_device(struct memory_bus *bus)
{
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        if (bus->devices[i].length == 0) {
            return &bus->devices[i];
        }
    }
    return NULL;
}

static struct status reserve_device(struct memory_bus *bus, const struct io_region *region,
                                    struct io_region **slot)
{
    assert((region->base & PAGE_MASK) == 0 && (region->length & PAGE_MASK) == 0 && region->length > 0);
    if (region->base > bus->address_mask || region->length - 1 > bus->address_mask - region->base) {
        return status_error(STATUS_INVALID_ARGUMENT, "%s: address %#llx is beyond the physical address space",
                            region->name, (unsigned long long)region->base);
    }
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        const struct io_region *other = &bus->devices[i];
        if (other->length != 0 && region->base < other->base + other->length &&
            other->base < region->base + region->length) {
            return status_error(STATUS_CONFLICT, "%s: memory at %#llx already belongs to %s", region->name,
                                (unsigned long long)region->base, other->name);
        }
    }
    *slot = find_free_device(bus);
    if (*slot == NULL) {
        return status_error(STATUS_CONFLICT, "%s: all %u memory regions are in use", region->name,
                            MEMORY_DEVICES);
    }
    **slot = *region;
    return status_ok();
}

/* Puts a device in front of its pages; `bytes` backs them directly when not NULL. */
static void cover_pages(struct memory_bus *bus, const struct io_region *region, uint8_t *bytes)
{
    for (uint64_t offset = 0; offset < region->length; offset += PAGE_SIZE) {
        uint64_t phys = region->base + offset;
        struct memory_page *page = &memory_bus_chunk(bus, phys)->page[memory_chunk_index(phys)];
        memory_bus_forget_code(bus, page, phys);
        uint8_t *host = bytes == NULL ? NULL : bytes + offset;
        *page = (struct memory_page){.read = host, .write = host, .region = region};
        shorten_run(&bus->map, phys);
    }
    memory_bus_announce_change(bus);
}

static void set_watcher(struct memory_bus *bus, const struct io_region *region,
                        const struct memory_watcher *watcher)
{
    bus->watchers[region - bus->devices] =
        watcher != NULL ? *watcher : (struct memory_watcher){.stored = NULL};
}

struct status memory_bus_claim(struct memory_bus *bus, const struct io_region *region)
{
    struct io_region *slot = NULL;
    struct status status = reserve_device(bus, region, &slot);
    if (status_is_ok(&status)) {
        cover_pages(bus, slot, NULL);
    }
    return status;
}

struct status memory_bus_map_device_memory(struct memory_bus *bus, const char *name, uint64_t phys,
                                           uint64_t length, uint8_t *bytes,
                                           const struct memory_watcher *watcher)
{
    struct io_region region = {.name = name, .base = phys, .length = length, .opaque = bytes};
    struct io_region *slot = NULL;
    struct status status = reserve_device(bus, &region, &slot);
    if (status_is_ok(&status)) {
        set_watcher(bus, slot, watcher);
        cover_pages(bus, slot, bytes);
    }
    return status;
}

void memory_bus_back_device(struct memory_bus *bus, uint64_t base, uint8_t *bytes,
                            const struct memory_watcher *watcher)
{
    const struct io_region *region = memory_bus_chunk(bus, base)->page[memory_chunk_index(base)].region;
    assert(region != NULL && region->base == base);
    set_watcher(bus, region, watcher);
    cover_pages(bus, region, bytes);
}

static void uncover_pages(struct memory_bus *bus, struct io_region *region)
{
    for (uint64_t offset = 0; offset < region->length; offset += PAGE_SIZE) {
        uint64_t phys = region->base + offset;
        struct memory_chunk *chunk = memory_bus_chunk(bus, phys);
        struct memory_page *page = &chunk->page[memory_chunk_index(phys)];
        memory_bus_forget_code(bus, page, phys);
        *page = chunk->below[memory_chunk_index(phys)];
    }
    region->length = 0;
    memory_bus_announce_change(bus);
}

void memory_bus_release(struct memory_bus *bus, uint64_t base, void *opaque)
{
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        struct io_region *region = &bus->devices[i];
        if (region->length != 0 && region->base == base && region->opaque == opaque) {
            uncover_pages(bus, region);
        }
    }
}

void memory_bus_unmap_device_memory(struct memory_bus *bus, uint64_t phys, uint64_t length)
{
    for (unsigned i = 0; i < MEMORY_DEVICES; i++) {
        struct io_region *region = &bus->devices[i];
        if (region->base == phys && region->length == length) {
            uncover_pages(bus, region);
        }
    }
}

void memory_bus_set_a20(struct memory_bus *bus, bool enabled)
{
    uint64_t mask = enabled ? UINT64_MAX : ~(uint64_t)0x100000;
    if (mask != bus->a20_mask) {
        bus->a20_mask = mask;
        bus->map.mask = bus->address_mask & mask;
        log_printf(bus->log, LOG_MMU, "A20 %s", enabled ? "on" : "off");
        tell_listener(bus);
    }
}

bool memory_bus_a20(const struct memory_bus *bus)
{
    return bus->a20_mask == UINT64_MAX;
}

struct memory_page *memory_bus_page(struct memory_bus *bus, uint64_t phys)
{
    return memory_map_page(&bus->map, phys);
}

struct memory_map *memory_bus_pages(struct memory_bus *bus)
{
    return &bus->map;
}

/* The part of a line's byte mask that [phys, phys + length) covers; `line` is one of the lines it touches. */
static uint64_t bytes_in_line(uint64_t phys, unsigned length, unsigned line)
{
    unsigned start = (unsigned)(phys & PAGE_MASK);
    unsigned line_start = line << CODE_LINE_SHIFT;
    unsigned first = start > line_start ? start - line_start : 0;
    unsigned end = start + length - line_start;
    return bits_mask(end) & ~bits_mask(first);
}

static unsigned first_line(uint64_t phys)
{
    return (unsigned)(phys & PAGE_MASK) >> CODE_LINE_SHIFT;
}

static unsigned last_line(uint64_t phys, unsigned length)
{
    return (unsigned)((phys & PAGE_MASK) + length - 1) >> CODE_LINE_SHIFT;
}

void memory_bus_mark_code(struct memory_bus *bus, uint64_t phys, unsigned length)
{
    struct memory_page *page = memory_bus_page(bus, phys);
    assert((phys & PAGE_MASK) + length <= PAGE_SIZE && page != &bus->map.open_bus);
    if (page->code_bytes == NULL) {
        page->code_bytes = allocate_code_bytes(bus, phys);
    }
    for (unsigned line = first_line(phys); line <= last_line(phys, length); line++) {
        page->code_bytes[line] |= bytes_in_line(phys, length, line);
        page->code_lines |= (uint64_t)1 << line;
    }
}

/* Takes the marks of [phys, phys + length) away; true when there were any. */
static bool unmark_code(struct memory_page *page, uint64_t phys, unsigned length)
{
    bool hit = false;
    for (unsigned line = first_line(phys); line <= last_line(phys, length); line++) {
        uint64_t bytes = page->code_bytes[line] & bytes_in_line(phys, length, line);
        if (bytes != 0) {
            hit = true;
            page->code_bytes[line] &= ~bytes;
            if (page->code_bytes[line] == 0) {
                page->code_lines &= ~((uint64_t)1 << line);
            }
        }
    }
    return hit;
}

void memory_bus_unmark_code(struct memory_bus *bus, uint64_t phys, unsigned length)
{
    struct memory_page *page = memory_bus_page(bus, phys);
    if (page->code_lines != 0 && !page->watched) {
        unmark_code(page, phys, length);
        memory_bus_mark_store_watches(bus);
    }
}

void memory_bus_drop_code(struct memory_bus *bus, uint64_t phys)
{
    struct memory_page *page = memory_bus_page(bus, phys);
    assert(!page->watched);
    memory_bus_forget_code(bus, page, phys);
    memory_bus_mark_store_watches(bus);
}

void memory_bus_watch(struct memory_bus *bus, uint64_t phys, uint64_t length)
{
    for (uint64_t at = phys; at < phys + length; at += PAGE_SIZE) {
        struct memory_page *page = memory_bus_page(bus, at);
        assert(page->region != NULL && bus->watchers[page->region - bus->devices].stored != NULL);
        memory_bus_mark_code(bus, at, PAGE_SIZE);
        page->watched = true;
    }
    if (bus->listener.watched != NULL) {
        bus->listener.watched(bus->listener.opaque, memory_bus_effective(bus, phys), length);
    }
}

/* The code that may be on such a page is lost with its marks. */
void memory_bus_unwatch(struct memory_bus *bus, uint64_t phys, uint64_t length)
{
    for (uint64_t at = phys; at < phys + length; at += PAGE_SIZE) {
        struct memory_page *page = memory_bus_page(bus, at);
        if (page->watched) {
            memory_bus_forget_code(bus, page, memory_bus_effective(bus, at));
        }
    }
}

static void tell_watcher(struct memory_bus *bus, const struct io_region *region, uint64_t phys)
{
    const struct memory_watcher *watcher = &bus->watchers[region - bus->devices];
    memory_bus_unwatch(bus, phys, PAGE_SIZE);
    watcher->stored(watcher->opaque, phys - region->base);
}

void memory_bus_note_write(struct memory_bus *bus, uint64_t phys, unsigned length)
{
    struct memory_page *page = memory_bus_page(bus, phys);
    if (page->code_lines == 0) {
        return;
    }
    tell_access(bus, &bus->store_watches, phys, length);
    if (page->watched) {
        tell_watcher(bus, page->region, memory_bus_effective(bus, phys) & ~PAGE_MASK);
        memory_bus_mark_store_watches(bus);
        return;
    }
    counter_add(bus->counters, COUNTER_CODE_WRITES, 1);
    if (unmark_code(page, phys, length)) {
        if (bus->listener.code_written != NULL) {
            bus->listener.code_written(bus->listener.opaque, memory_bus_effective(bus, phys), length);
        }
        memory_bus_mark_store_watches(bus);
    }
}

static uint64_t read_device(struct memory_bus *bus, const struct io_region *region, uint64_t phys,
                            unsigned width)
{
    counter_add(bus->counters, COUNTER_MMIO_READS, 1);
    uint64_t value =
        region->read == NULL ? UINT64_MAX : region->read(region->opaque, phys - region->base, width);
    value &= bits_mask(width * 8);
    log_printf(bus->log, LOG_IO, "mmio read  %08llx/%u = %0*llx  %s", (unsigned long long)phys, width,
               (int)width * 2, (unsigned long long)value, region->name);
    return value;
}

static void write_device(struct memory_bus *bus, const struct io_region *region, uint64_t phys,
                         unsigned width, uint64_t value)
{
    counter_add(bus->counters, COUNTER_MMIO_WRITES, 1);
    tell_access(bus, &bus->store_watches, phys, width);
    log_printf(bus->log, LOG_IO, "mmio write %08llx/%u = %0*llx  %s", (unsigned long long)phys, width,
               (int)width * 2, (unsigned long long)(value & bits_mask(width * 8)), region->name);
    if (region->write != NULL) {
        region->write(region->opaque, phys - region->base, width, value & bits_mask(width * 8));
    }
}

/* How much of an access at `phys` goes in one piece: within the page and no wider than the device takes. */
static unsigned piece_width(const struct memory_page *page, uint8_t *host, uint64_t phys, unsigned width)
{
    unsigned room = (unsigned)(PAGE_SIZE - (phys & PAGE_MASK));
    unsigned widest = 8;
    if (host == NULL && page->region != NULL) {
        widest = page->region->max_width == 0 ? 1 : page->region->max_width;
    }
    width = width < room ? width : room;
    width = width < widest ? width : widest;
    return width >= 8 ? 8 : width >= 4 ? 4 : width >= 2 ? 2 : 1;
}

uint64_t memory_bus_read(struct memory_bus *bus, uint64_t phys, unsigned width)
{
    uint64_t value = 0;
    for (unsigned done = 0; done < width;) {
        uint64_t at = memory_bus_effective(bus, phys + done);
        struct memory_page *page = memory_bus_page(bus, at);
        unsigned part = piece_width(page, page->read, at, width - done);
        uint64_t piece = bits_mask(part * 8);
        if (page->read != NULL) {
            piece = load_le(page->read + (at & PAGE_MASK), part);
        } else if (page->region != NULL) {
            piece = read_device(bus, page->region, at, part);
        }
        value |= piece << (done * 8);
        done += part;
    }
    return value;
}

void memory_bus_write(struct memory_bus *bus, uint64_t phys, unsigned width, uint64_t value)
{
    for (unsigned done = 0; done < width;) {
        uint64_t at = memory_bus_effective(bus, phys + done);
        struct memory_page *page = memory_bus_page(bus, at);
        unsigned part = piece_width(page, page->write, at, width - done);
        uint64_t piece = value >> (done * 8);
        if (page->write != NULL) {
            memory_bus_note_write(bus, at, part);
            store_le(page->write + (at & PAGE_MASK), part, piece);
        } else if (page->region != NULL) {
            write_device(bus, page->region, at, part, piece);
        }
        done += part;
    }
}

void memory_bus_read_block(struct memory_bus *bus, uint64_t phys, void *to, size_t length)
{
    uint8_t *bytes = to;
    while (length > 0) {
        uint64_t at = memory_bus_effective(bus, phys);
        struct memory_page *page = memory_bus_page(bus, at);
        size_t part = PAGE_SIZE - (at & PAGE_MASK);
        part = part < length ? part : length;
        tell_access(bus, &bus->load_watches, at, (unsigned)part);
        if (page->read != NULL) {
            memcpy(bytes, page->read + (at & PAGE_MASK), part);
        } else {
            for (size_t i = 0; i < part; i++) {
                bytes[i] = (uint8_t)memory_bus_read(bus, at + i, 1);
            }
        }
        bytes += part;
        phys += part;
        length -= part;
    }
}

void memory_bus_write_block(struct memory_bus *bus, uint64_t phys, const void *from, size_t length)
{
    const uint8_t *bytes = from;
    while (length > 0) {
        uint64_t at = memory_bus_effective(bus, phys);
        struct memory_page *page = memory_bus_page(bus, at);
        size_t part = PAGE_SIZE - (at & PAGE_MASK);
        part = part < length ? part : length;
        if (page->write != NULL) {
            memory_bus_note_write(bus, at, (unsigned)part);
            memcpy(page->write + (at & PAGE_MASK), bytes, part);
        } else {
            for (size_t i = 0; i < part; i++) {
                memory_bus_write(bus, at + i, 1, bytes[i]);
            }
        }
        bytes += part;
        phys += part;
        length -= part;
    }
}

uint8_t *memory_bus_ram(const struct memory_bus *bus)
{
    return bus->ram;
}

uint64_t memory_bus_ram_size(const struct memory_bus *bus)
{
    return bus->ram_size;
}

static const char *kind_of(const struct memory_bus *bus, const struct memory_page *page)
{
    if (page->region != NULL) {
        return page->region->name;
    }
    if (page->read == NULL && page->write == NULL) {
        return NULL;
    }
    if (page->write == NULL) {
        return page->read >= bus->ram && page->read < bus->ram + bus->ram_size ? "ram, read-only" : "rom";
    }
    return page->read == page->write ? "ram" : "split";
}

void memory_bus_for_each(const struct memory_bus *bus,
                         void (*visit)(void *opaque, uint64_t first, uint64_t last, const char *kind),
                         void *opaque)
{
    const char *kind = NULL;
    uint64_t first = 0;
    uint64_t end = (uint64_t)bus->chunk_count << MEMORY_CHUNK_SHIFT;
    for (uint64_t phys = 0; phys <= end; phys += PAGE_SIZE) {
        const struct memory_chunk *chunk = phys < end ? bus->chunks[phys >> MEMORY_CHUNK_SHIFT] : NULL;
        const char *here = chunk == NULL ? NULL : kind_of(bus, &chunk->page[memory_chunk_index(phys)]);
        if (here != kind) {
            if (kind != NULL) {
                visit(opaque, first, phys - 1, kind);
            }
            kind = here;
            first = phys;
        }
    }
}
