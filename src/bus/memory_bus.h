/* The guest-physical address space: RAM, ROM, device memory and holes, by 4 KiB page.
 *
 * RAM is one host allocation handed in by the machine (a memfd where there are any, so that shadow page
 * tables can map it again). Every physical page is one of:
 *   - host-backed for reading and/or writing (RAM; ROM: reads only; PAM "write to RAM, read from ROM"
 * mixtures),
 *   - a device region (MMIO),
 *   - nothing: reads all ones, writes ignored.
 * The A20 gate masks address bit 20 before the lookup; `memory_bus_page()` applies it, so callers cache the
 * masked result and flush when the listener says that the map changed.
 *
 * Marks: a page may hold decoded or translated code, marked byte by byte. Stores to a page with marks must go
 * through memory_bus_write() or memory_bus_note_write(), which tell the code listener first when marked bytes
 * are hit. DMA and loaders use memory_bus_write() and so invalidate too.
 *
 * A debugger's *store watches* are ranges whose bytes are marked at all times, whatever is there: so stores
 * to them, of the CPU and of devices, come to memory_bus_note_write() and are told. Stores to a device's
 * registers are told as well. *Load watches* are told of block transfers only: the CPU's loads are the mmu's
 * to watch.
 *
 * Pages of device memory can be *watched*: all their bytes are marked, until the first store takes the marks
 * away and is told to the device. So whoever respects marks keeps a display up to date. */
#ifndef DOPPEL_BUS_MEMORY_BUS_H
#define DOPPEL_BUS_MEMORY_BUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bits.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/status.h"
#include "bus/io_region.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  ((uint64_t)PAGE_SIZE - 1)

#define CODE_LINE_SHIFT 6 /* a page's marks are grouped in 64 lines of 64 bytes */

struct memory_bus;

/* How one physical page is backed. */
struct memory_page {
    uint8_t *read;  /* host address of the page for loads, NULL when loads go to `region` */
    uint8_t *write; /* host address of the page for stores, NULL when stores go to `region` or nowhere */
    const struct io_region *region; /* device for what the pointers above do not cover; NULL: open bus */
    uint64_t code_lines;            /* bit n: some byte of 64-byte line n is marked as code */
    uint64_t *code_bytes; /* [line] bit n: byte n of the line is marked; NULL while nothing ever was */
    bool watched;         /* all bytes are marked, whatever is there */
};

/* Pages that are RAM and nothing else, one behind the other on the host, too. */
struct memory_run {
    uint64_t first, length; /* bytes */
    uint8_t *host;          /* of `first` */
};

/* The pages by address. Chunks are of 4 MiB; those that nothing was ever mapped in do not exist, and their
 * pages are all `open_bus`. */
struct memory_map {
    uint64_t mask;               /* the CPU's address pins and the A20 gate */
    struct memory_page **chunks; /* [effective address >> MEMORY_CHUNK_SHIFT]: its pages; NULL: none */
    struct memory_page open_bus;
    struct memory_run run; /* the longest one: what need not be looked up page by page */
};

#define MEMORY_CHUNK_SHIFT 22
#define MEMORY_CHUNK_PAGES (1u << (MEMORY_CHUNK_SHIFT - PAGE_SHIFT))

/* Who wants to know. Calls come on the thread that runs the machine. */
struct memory_listener {
    /* A store is about to change [phys, phys + length) (within one page), some of which is marked as code.
     * The listener drops the blocks made from these bytes; the bus has taken their marks away. */
    void (*code_written)(void *opaque, uint64_t phys, unsigned length);
    /* The map or A20 changed: every cached memory_page / host pointer is stale. */
    void (*map_changed)(void *opaque);
    /* [phys, phys + length), whole pages, is watched from now on: stores must come to note_write(). */
    void (*watched)(void *opaque, uint64_t phys, uint64_t length);
    void *opaque;
};

/* The device that owns watched memory. */
struct memory_watcher {
    /* A store is about to change the page at this offset; it is not watched any more. May watch, and give
     * up watching, other pages. NULL: nobody watches. */
    void (*stored)(void *opaque, uint64_t offset);
    void *opaque;
};

#define MEMORY_WATCHES 16u

/* What a debugger wants to know of: accesses to effective addresses first to last. */
struct memory_watches {
    struct {
        uint64_t first, last;
    } range[MEMORY_WATCHES];
    unsigned count;
    /* [phys, phys + length), some of which is in a range, is about to be accessed. An instruction's store,
     * or a block transfer, may come in several parts. May change nothing of the guest's. */
    void (*accessed)(void *opaque, uint64_t phys, unsigned length);
    void *opaque;
};

/* `ram` (ram_size bytes, multiple of 4 KiB, borrowed) is not mapped anywhere yet. `address_bits`: 20..40,
 * addresses wrap there (20 for an 8086, 24 for an 80286, 32, 36). Returns NULL when out of memory. */
struct memory_bus *memory_bus_create(uint8_t *ram, uint64_t ram_size, unsigned address_bits,
                                     const struct log *log, struct counters *counters);
void memory_bus_destroy(struct memory_bus *bus);
void memory_bus_set_listener(struct memory_bus *bus, const struct memory_listener *listener);

/* Maps [phys, phys + length) onto RAM from ram_offset on. All values multiples of 4 KiB. Replaces what was
 * there (PAM). */
void memory_bus_map_ram(struct memory_bus *bus, uint64_t phys, uint64_t length, uint64_t ram_offset);

/* Maps `bytes` (borrowed, 4 KiB multiple) at phys, read-only: stores are ignored. Replaces what was there. */
void memory_bus_map_rom(struct memory_bus *bus, uint64_t phys, uint64_t length, uint8_t *bytes);

/* PAM: loads come from `read_bytes`, stores go to `write_bytes` (either NULL: open bus / ignored). Borrowed.
 */
void memory_bus_map_split(struct memory_bus *bus, uint64_t phys, uint64_t length, uint8_t *read_bytes,
                          uint8_t *write_bytes);

/* Claims a 4 KiB-aligned range for a device. The region is copied. Overlap with another device is
 * STATUS_CONFLICT; RAM below is hidden (as the chipset does for A0000h-BFFFFh). */
struct status memory_bus_claim(struct memory_bus *bus, const struct io_region *region) STATUS_MUST_CHECK;
void memory_bus_release(struct memory_bus *bus, uint64_t base, void *opaque);

/* Like a claim, but loads and stores go straight to `bytes` (a linear framebuffer): host-backed device
 * memory. Borrowed. `watcher` may be NULL. */
struct status memory_bus_map_device_memory(struct memory_bus *bus, const char *name, uint64_t phys,
                                           uint64_t length, uint8_t *bytes,
                                           const struct memory_watcher *watcher) STATUS_MUST_CHECK;
void memory_bus_unmap_device_memory(struct memory_bus *bus, uint64_t phys, uint64_t length);

/* Loads and stores to the whole region that was claimed at `base` go straight to `bytes` from now on, as with
 * device memory; NULL: to its functions again. Borrowed. `watcher` may be NULL. */
void memory_bus_back_device(struct memory_bus *bus, uint64_t base, uint8_t *bytes,
                            const struct memory_watcher *watcher);

/* Watches pages of device memory that has a watcher, or no longer. Whole pages. */
void memory_bus_watch(struct memory_bus *bus, uint64_t phys, uint64_t length);
void memory_bus_unwatch(struct memory_bus *bus, uint64_t phys, uint64_t length);

/* Tells of stores from now on; the watches are copied and replace earlier ones. */
void memory_bus_set_store_watches(struct memory_bus *bus, const struct memory_watches *watches);

/* The same of loads by memory_bus_read_block(). */
void memory_bus_set_load_watches(struct memory_bus *bus, const struct memory_watches *watches);

/* The A20 gate: false forces address bit 20 to zero. */
void memory_bus_set_a20(struct memory_bus *bus, bool enabled);
bool memory_bus_a20(const struct memory_bus *bus);

/* The page that physical address `phys` lies in, A20 and address width applied. Never NULL. The pointer stays
 * valid until map_changed. */
struct memory_page *memory_bus_page(struct memory_bus *bus, uint64_t phys);

/* The same for whoever looks so often that a call matters. The map is there as long as the bus. */
struct memory_map *memory_bus_pages(struct memory_bus *bus);

static inline struct memory_page *memory_map_page(struct memory_map *map, uint64_t phys)
{
    uint64_t effective = phys & map->mask;
    struct memory_page *chunk = map->chunks[effective >> MEMORY_CHUNK_SHIFT];
    return __builtin_expect(chunk == NULL, 0) ? &map->open_bus
                                              : &chunk[(effective >> PAGE_SHIFT) & (MEMORY_CHUNK_PAGES - 1)];
}

/* Where loads from the page of `phys` find this byte on the host; NULL: that takes more than to read memory.
 */
static inline uint8_t *memory_map_host(struct memory_map *map, uint64_t phys)
{
    uint64_t effective = phys & map->mask;
    if (__builtin_expect(effective - map->run.first < map->run.length, 1)) {
        return map->run.host + (effective - map->run.first);
    }
    const struct memory_page *page = memory_map_page(map, phys);
    return page->read != NULL ? page->read + (phys & PAGE_MASK) : NULL;
}

/* `phys` with A20 and the bus width applied: the address under which code is marked and blocks are keyed. */
uint64_t memory_bus_effective(const struct memory_bus *bus, uint64_t phys);

/* Any access, any length up to 8 bytes, may cross pages; to RAM, ROM and devices. Little-endian. Stores
 * invalidate code. */
uint64_t memory_bus_read(struct memory_bus *bus, uint64_t phys, unsigned width);
void memory_bus_write(struct memory_bus *bus, uint64_t phys, unsigned width, uint64_t value);

/* Block transfers (DMA, loaders, debugger); device regions are accessed byte by byte. */
void memory_bus_read_block(struct memory_bus *bus, uint64_t phys, void *to, size_t length);
void memory_bus_write_block(struct memory_bus *bus, uint64_t phys, const void *from, size_t length);

/* Marks [phys, phys + length) (within one page) as code. Host-backed pages only. */
void memory_bus_mark_code(struct memory_bus *bus, uint64_t phys, unsigned length);

/* The code on the page at effective address `phys` is dropped, as if all of it had been written to. Not while
 * the page is watched. */
void memory_bus_drop_code(struct memory_bus *bus, uint64_t phys);

/* No code is made of the bytes [phys, phys + length) (within one page) any more. */
void memory_bus_unmark_code(struct memory_bus *bus, uint64_t phys, unsigned length);

/* Whether any of `width` bytes (1 or more) at `offset`, all in the page, is marked. */
static inline bool memory_page_holds_code(const struct memory_page *page, unsigned offset, unsigned width)
{
    unsigned end = offset + width - 1;
    unsigned line = offset >> CODE_LINE_SHIFT;
    unsigned last = end >> CODE_LINE_SHIFT;
    uint64_t lines = page->code_lines & (((uint64_t)2 << last) - ((uint64_t)1 << line));
    if (lines == 0) {
        return false;
    }
    uint64_t in_line = page->code_bytes[line] >> offset % (1u << CODE_LINE_SHIFT);
    if (line == last) {
        return (in_line & bits_mask(width)) != 0;
    }
    uint64_t between = lines & ~((uint64_t)1 << line | (uint64_t)1 << last);
    uint64_t in_last = page->code_bytes[last] & bits_mask(end % (1u << CODE_LINE_SHIFT) + 1);
    return (between | in_line | in_last) != 0;
}

/* A store to [phys, phys + length) (within one page) is about to be made directly through a host pointer:
 * tells the listener if code is there. */
void memory_bus_note_write(struct memory_bus *bus, uint64_t phys, unsigned length);

/* ---- copies of the map, put back into the same bus */

/* What is mapped where, without A20 and marks. */
struct memory_layout;

/* NULL when out of memory. */
struct memory_layout *memory_bus_copy_layout(const struct memory_bus *bus);
void memory_layout_destroy(struct memory_layout *layout); /* NULL is allowed */

/* Maps everything as it was; where that makes a difference, code and marks are dropped. */
void memory_bus_set_layout(struct memory_bus *bus, const struct memory_layout *layout);

/* Another number whenever something may be mapped otherwise than before. */
uint64_t memory_bus_layout_version(const struct memory_bus *bus);

/* All bytes of the page at `phys`, which A20 does not apply to, are about to change: drops its code. A20 must
 * be on. */
void memory_bus_forget_page(struct memory_bus *bus, uint64_t phys);

/* The same for all device memory that is backed by the host; nothing of it is watched any more. */
void memory_bus_forget_device_memory(struct memory_bus *bus);

uint8_t *memory_bus_ram(const struct memory_bus *bus);
uint64_t memory_bus_ram_size(const struct memory_bus *bus);

/* Calls `visit` for each run of like pages, lowest first (`info mtree`). kind is "ram", "rom", "split", a
 * region's name, or NULL for open bus (not visited). */
void memory_bus_for_each(const struct memory_bus *bus,
                         void (*visit)(void *opaque, uint64_t first, uint64_t last, const char *kind),
                         void *opaque);

#endif
