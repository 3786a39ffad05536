/* Guest-linear to guest-physical translation and the software TLB behind every guest memory access.
 *
 * One direct-mapped TLB per privilege (supervisor, user). An entry holds the page's linear tag for loads,
 * stores and fetches apart, and the host address of the page, so that a hit is one compare and one host
 * access. Pages that need care on stores (decoded code, devices, first write to a clean page) have no store
 * tag and take the slow path. Paging: SDM 3A chapter 4. Translated code has TLBs of its own, fast_tlb.h. */
#ifndef DOPPEL_MMU_MMU_H
#define DOPPEL_MMU_MMU_H

#include "base/status.h"
#include "bus/memory_bus.h"
#include "cpu/cpu_state.h"
#include "cpu/engine_config.h"
#include "mmu/fast_tlb.h"

#define TLB_BITS    10
#define TLB_ENTRIES (1u << TLB_BITS)

/* One line of the host's cache. */
struct tlb_entry {
    _Alignas(64) uint64_t load_tag; /* linear page address; TLB_INVALID: none */
    uint64_t store_tag;
    uint64_t fetch_tag;
    uint64_t
        direct_tag; /* stores may go to `host` where `page` has no code marks, or once the bus was told */
    const struct memory_page *page;
    uint8_t *host; /* host address of the page's first byte */
    uint64_t phys; /* effective guest-physical page address */
    bool global;   /* stays when CR3 is loaded */
};

#define TLB_INVALID UINT64_MAX
#define TLB_FILLED  512u

/* Sets of pages: all linear ones, and physical ones by hash. */
#define LARGE_REGION_SHIFT 22
#define LARGE_REGIONS      1024u
#define FETCHED_PAGES      (1u << 20)
#define STORED_PAGES       4096u

/* What a flush must know of the fills since the last one. */
struct tlb_fills {
    unsigned count;                             /* beyond TLB_FILLED all entries are swept */
    uint16_t slot[TLB_FILLED];                  /* user << TLB_BITS | index */
    uint64_t large_regions[LARGE_REGIONS / 64]; /* of 4 MiB, in which a large page was met: for INVLPG */
};

/* Where code was fetched from since `generation` began, which is older when there is none. */
struct mmu_fetches {
    uint64_t generation;
    uint64_t pages; /* by linear address: 64 neighbours */
};

struct spaces;
struct view_pool;

struct mmu {
    struct tlb_entry tlb[2][TLB_ENTRIES]; /* [user] */
    struct fast_tlb *fast[2];             /* [user]; NULL until mmu_enable_fast_tlb() */
    struct spaces *spaces;                /* those that CR3 may come back to */
    struct view_pool *views;              /* NULL until mmu_enable_views() */
    int ram_fd;                           /* the memfd behind the bus's RAM; -1: there is none */
    uint64_t ram_fd_size;                 /* bytes of it: RAM, and device memory may follow */
    enum mmu_strategy strategy;
    struct memory_bus *bus;
    struct memory_map *map; /* the bus's */
    struct cpu_state *cpu;
    /* Changes at every flush, and when engines drop code: what they derive from addresses is valid within
     * one, which may come back with its address space (spaces.h). For global pages, which a load of CR3
     * leaves alone, since `global_generation`. */
    uint64_t generation;
    uint64_t global_generation; /* value of `generation` when all address spaces changed last */
    uint64_t generations;       /* grows each time that `generation` changes, and is no less than it */
    struct tlb_fills fills[2];  /* [global] */
    struct mmu_fetches fetches[2][FETCHED_PAGES / 64]; /* [global] */
    uint64_t
        stored_pages[STORED_PAGES / 64]; /* by physical address: some TLB may have a store tag for them */
    /* What mmu_fast_fill() or mmu_view_fill() found last: the access faults, with this error code. */
    bool fast_faulted;
    uint32_t fast_error;
    /* mmu_view_fill() refused a store last for no other reason than that this page, an effective address, has
     * code marks; MMU_NO_PAGE: it did not, or for another. */
    uint64_t code_page;
};

#define MMU_NO_PAGE UINT64_MAX

/* Allocates an mmu for `cpu` over `bus` and makes it the CPU's memory_ops. NULL when out of memory. */
struct mmu *mmu_create(struct cpu_state *cpu, struct memory_bus *bus);
void mmu_destroy(struct mmu *mmu);

/* Forgets what the former strategy remembered. A new mmu has MMU_SOFTTLB; with MMU_WALK no TLB ever has a
 * tag, and the guest's tables are walked at every access. */
void mmu_set_strategy(struct mmu *mmu, enum mmu_strategy strategy);

/* Forgets all translations and views (the physical map changed). */
void mmu_flush(struct mmu *mmu);

enum mmu_access { MMU_LOAD, MMU_STORE, MMU_FETCH };

/* Full translation of one address with checks and accessed/dirty bits; raises #PF. Returns the guest-physical
 * address (before A20). */
uint64_t mmu_translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user);

/* The same without side effects, for debuggers: false when not mapped. */
bool mmu_probe(const struct mmu *mmu, uint64_t linear, uint64_t *phys);

/* Slow paths: TLB miss, page crossing, devices, code pages. Raise #PF. */
uint64_t mmu_load_slow(struct mmu *mmu, uint64_t linear, unsigned width, bool user);
void mmu_store_slow(struct mmu *mmu, uint64_t linear, unsigned width, uint64_t value, bool user);

/* The translation of a code fetch, through the TLB; raises #PF. Returns the effective guest-physical address.
 */
uint64_t mmu_fetch_address(struct mmu *mmu, uint64_t linear, bool user);

/* The same, but raises nothing: false when a fetch there faults. For engines that look before they go. */
bool mmu_try_fetch(struct mmu *mmu, uint64_t linear, bool user, uint64_t *phys);

/* Whether the code at `linear`, which was just fetched from there, stays when CR3 is loaded. */
bool mmu_is_global(struct mmu *mmu, uint64_t linear, bool user);

/* Whether the memory at `linear` that a supervisor loads is known to be the same in all address spaces. */
bool mmu_load_is_global(struct mmu *mmu, uint64_t linear);

/* Makes the engine look before it goes on with what it derived from addresses. */
void mmu_begin_generation(struct mmu *mmu);

/* The stores to the page at effective address `phys`, or to `length` bytes of whole pages from there on, must
 * be seen from now on (it holds code, or is watched). */
void mmu_protect_page(struct mmu *mmu, uint64_t phys);
void mmu_protect_pages(struct mmu *mmu, uint64_t phys, uint64_t length);

/* The entry that may hold the page of `linear` in a TLB (mmu->tlb[user]). */
static inline struct tlb_entry *tlb_entry_for(struct tlb_entry *tlb, uint64_t linear)
{
    return &tlb[(linear >> PAGE_SHIFT) & (TLB_ENTRIES - 1)];
}

static inline struct tlb_entry *mmu_entry(struct mmu *mmu, uint64_t linear, bool user)
{
    return tlb_entry_for(mmu->tlb[user], linear);
}

/* Whether a store of `width` bytes within the page of `entry` may be made without telling anyone: no code is
 * there. */
static inline bool mmu_store_misses_code(const struct tlb_entry *entry, uint64_t linear, unsigned width)
{
    unsigned offset = (unsigned)(linear & PAGE_MASK);
    return entry->direct_tag == (linear & ~PAGE_MASK) && offset + width <= PAGE_SIZE &&
           !memory_page_holds_code(entry->page, offset, width);
}

/* A load of `width` bytes (1, 2, 4, 8; a constant where it is called). The tag compare fails for
 * page-crossing accesses. */
static inline uint64_t mmu_load(struct mmu *mmu, uint64_t linear, unsigned width, bool user)
{
    const struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    if (__builtin_expect(entry->load_tag == ((linear + (width - 1)) & ~PAGE_MASK), 1)) {
        return load_le(entry->host + (linear & PAGE_MASK), width);
    }
    return mmu_load_slow(mmu, linear, width, user);
}

static inline void mmu_store(struct mmu *mmu, uint64_t linear, unsigned width, uint64_t value, bool user)
{
    const struct tlb_entry *entry = mmu_entry(mmu, linear, user);
    if (__builtin_expect(entry->store_tag == ((linear + (width - 1)) & ~PAGE_MASK), 1)) {
        store_le(entry->host + (linear & PAGE_MASK), width, value);
        return;
    }
    mmu_store_slow(mmu, linear, width, value, user);
}

#endif
