/* What the files of the memory bus share. Private to this module. */
#ifndef DOPPEL_BUS_MEMORY_BUS_INTERNAL_H
#define DOPPEL_BUS_MEMORY_BUS_INTERNAL_H

#include "bus/memory_bus.h"

#define MEMORY_DEVICES 64u

struct memory_chunk {
    struct memory_page page[MEMORY_CHUNK_PAGES];  /* what the CPU sees */
    struct memory_page below[MEMORY_CHUNK_PAGES]; /* what is there without device regions */
    uint64_t *code_bytes[MEMORY_CHUNK_PAGES]; /* marks by page: kept when the page's backing changes, freed
                                                 with the bus */
};

struct memory_bus {
    uint8_t *ram;
    uint64_t ram_size;
    uint64_t address_mask;   /* the CPU's address pins */
    uint64_t a20_mask;       /* all ones, or all but bit 20 */
    struct memory_map map;   /* of the chunks' pages */
    uint64_t layout_version; /* goes up with every change of what is mapped where */
    const struct log *log;
    struct counters *counters;
    struct memory_listener listener;
    struct io_region devices[MEMORY_DEVICES]; /* free when length is 0 */
    struct memory_watcher watchers[MEMORY_DEVICES];
    struct memory_watches store_watches, load_watches;
    size_t chunk_count;
    struct memory_chunk *chunks[];
};

static inline size_t memory_chunk_index(uint64_t phys)
{
    return (phys >> PAGE_SHIFT) & (MEMORY_CHUNK_PAGES - 1);
}

/* The chunk of an effective address, made if need be. */
struct memory_chunk *memory_bus_chunk(struct memory_bus *bus, uint64_t phys);

/* Drops decoded code of a page that is about to be backed by something else. */
void memory_bus_forget_code(struct memory_bus *bus, struct memory_page *page, uint64_t phys);

/* The marks of store watches go wherever marks are taken away: this brings them back. */
void memory_bus_mark_store_watches(struct memory_bus *bus);

/* What is mapped where has changed. */
void memory_bus_announce_change(struct memory_bus *bus);

#endif
