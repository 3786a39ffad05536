/* The page-table walk; see paging.h.
 *
 * Entries are read and their accessed/dirty bits written through the physical bus, so page tables may lie
 * anywhere; PAE's page-directory pointers are the CPU's copies. The accessed bits of upper levels are set
 * even when a lower level then faults, as processors do (SDM 3A §4.8 allows it); the leaf's only when the
 * access is allowed. */
#include "mmu/paging.h"

#include "cpu/model.h"

#define PTE_PRESENT  ((uint64_t)1 << 0)
#define PTE_WRITABLE ((uint64_t)1 << 1)
#define PTE_USER     ((uint64_t)1 << 2)
#define PTE_ACCESSED ((uint64_t)1 << 5)
#define PTE_DIRTY    ((uint64_t)1 << 6)
#define PDE_LARGE    ((uint64_t)1 << 7)
#define PTE_GLOBAL   ((uint64_t)1 << 8)
#define PTE_NX       ((uint64_t)1 << 63)

#define PF_PRESENT  (1u << 0)
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH    (1u << 4)

struct walk {
    const struct mmu *mmu;
    uint64_t linear;
    enum mmu_access access;
    bool user;
    bool update;
    uint64_t rights; /* AND of the levels' PTE_WRITABLE and PTE_USER */
    bool no_execute; /* OR of the levels' NX */
};

static bool nx_enabled(const struct cpu_state *cpu)
{
    return (cpu->cr4 & CR4_PAE) && (cpu->efer & EFER_NXE);
}

static uint32_t fault_code(const struct walk *walk, uint32_t cause)
{
    uint32_t code = cause;
    code |= walk->access == MMU_STORE ? PF_WRITE : 0;
    code |= walk->user ? PF_USER : 0;
    code |= walk->access == MMU_FETCH && nx_enabled(walk->mmu->cpu) ? PF_FETCH : 0;
    return code;
}

/* An entry of 4 or 8 bytes, which never crosses a page. */
ALWAYS_INLINE uint64_t read_entry(const struct walk *walk, uint64_t address, unsigned size)
{
    const struct memory_page *page = memory_bus_page(walk->mmu->bus, address);
    if (__builtin_expect(page->read == NULL, 0)) {
        return memory_bus_read(walk->mmu->bus, address, size);
    }
    const uint8_t *host = page->read + (address & PAGE_MASK);
    return size == 8 ? load_le64(host) : load_le32(host);
}

static inline void set_entry_bits(const struct walk *walk, uint64_t address, unsigned size, uint64_t entry,
                                  uint64_t bits)
{
    if (__builtin_expect((entry & bits) != bits, 0) && walk->update) {
        memory_bus_write(walk->mmu->bus, address, size, entry | bits);
    }
}

static inline void gather_rights(struct walk *walk, uint64_t entry)
{
    walk->rights &= entry;
    walk->no_execute |= (entry & PTE_NX) != 0;
}

/* The last level: checks rights, sets A and D, fills the result. */
ALWAYS_INLINE bool finish(struct walk *walk, uint64_t address, unsigned size, uint64_t entry, uint64_t base,
                          uint64_t offset_mask, struct paging_result *result, uint32_t *error_code)
{
    const struct cpu_state *cpu = walk->mmu->cpu;
    bool user_page = (walk->rights & PTE_USER) != 0;
    bool writable_page = (walk->rights & PTE_WRITABLE) != 0;
    bool writable = writable_page || (!walk->user && !(cpu->cr0 & CR0_WP));
    bool executable = !(walk->no_execute && nx_enabled(cpu));
    if ((walk->user && !user_page) || (walk->access == MMU_STORE && !writable) ||
        (walk->access == MMU_FETCH && !executable)) {
        *error_code = fault_code(walk, PF_PRESENT);
        return false;
    }
    set_entry_bits(walk, address, size, entry, PTE_ACCESSED | (walk->access == MMU_STORE ? PTE_DIRTY : 0));
    *result = (struct paging_result){.phys = base | (walk->linear & offset_mask),
                                     .writable = writable,
                                     .executable = executable,
                                     .dirty = (entry & PTE_DIRTY) != 0 || walk->access == MMU_STORE,
                                     .accessed = (entry & PTE_ACCESSED) != 0,
                                     .large = offset_mask > PAGE_MASK,
                                     .global = (entry & PTE_GLOBAL) && (cpu->cr4 & CR4_PGE)};
    return true;
}

/* Reads one level's entry; false (with the error code) when it is absent or has reserved bits set. */
ALWAYS_INLINE bool fetch_level(struct walk *walk, uint64_t address, unsigned size, uint64_t reserved,
                               uint64_t *entry, uint32_t *error_code)
{
    *entry = read_entry(walk, address, size);
    if (!(*entry & PTE_PRESENT)) {
        *error_code = fault_code(walk, 0);
        return false;
    }
    if (*entry & reserved) {
        *error_code = fault_code(walk, PF_PRESENT | PF_RESERVED);
        return false;
    }
    return true;
}

ALWAYS_INLINE bool walk_32bit(struct walk *walk, struct paging_result *result, uint32_t *error_code)
{
    const struct cpu_state *cpu = walk->mmu->cpu;
    uint64_t address = (cpu->cr3 & 0xfffff000u) | ((walk->linear >> 22) & 0x3ff) << 2;
    uint64_t entry;
    if (!fetch_level(walk, address, 4, 0, &entry, error_code)) {
        return false;
    }
    gather_rights(walk, entry);
    if ((entry & PDE_LARGE) && (cpu->cr4 & CR4_PSE)) {
        bool pse36 = cpu_model_has(cpu->model, FEATURE_PSE36);
        if (entry & (pse36 ? bits_mask(22) & ~bits_mask(17) : bits_mask(22) & ~bits_mask(13))) {
            *error_code = fault_code(walk, PF_PRESENT | PF_RESERVED);
            return false;
        }
        uint64_t base = (entry & 0xffc00000u) | (pse36 ? bits_extract(entry, 13, 4) << 32 : 0);
        return finish(walk, address, 4, entry, base, bits_mask(22), result, error_code);
    }
    set_entry_bits(walk, address, 4, entry, PTE_ACCESSED);
    address = (entry & 0xfffff000u) | ((walk->linear >> 12) & 0x3ff) << 2;
    if (!fetch_level(walk, address, 4, 0, &entry, error_code)) {
        return false;
    }
    gather_rights(walk, entry);
    return finish(walk, address, 4, entry, entry & 0xfffff000u, bits_mask(12), result, error_code);
}

ALWAYS_INLINE bool walk_pae(struct walk *walk, struct paging_result *result, uint32_t *error_code)
{
    const struct cpu_state *cpu = walk->mmu->cpu;
    uint64_t frame = bits_mask(cpu->model->address_bits) & ~PAGE_MASK;
    uint64_t reserved = bits_mask(63) & ~bits_mask(cpu->model->address_bits);
    reserved |= nx_enabled(cpu) ? 0 : PTE_NX;
    uint64_t entry = cpu->pdpte[(walk->linear >> 30) & 3];
    if (!(entry & PTE_PRESENT)) {
        *error_code = fault_code(walk, 0);
        return false;
    }
    uint64_t address = (entry & frame) | ((walk->linear >> 21) & 0x1ff) << 3;
    if (!fetch_level(walk, address, 8, reserved, &entry, error_code)) {
        return false;
    }
    gather_rights(walk, entry);
    if (entry & PDE_LARGE) {
        if (entry & (bits_mask(21) & ~bits_mask(13))) {
            *error_code = fault_code(walk, PF_PRESENT | PF_RESERVED);
            return false;
        }
        return finish(walk, address, 8, entry, entry & frame & ~bits_mask(21), bits_mask(21), result,
                      error_code);
    }
    set_entry_bits(walk, address, 8, entry, PTE_ACCESSED);
    address = (entry & frame) | ((walk->linear >> 12) & 0x1ff) << 3;
    if (!fetch_level(walk, address, 8, reserved, &entry, error_code)) {
        return false;
    }
    gather_rights(walk, entry);
    return finish(walk, address, 8, entry, entry & frame, bits_mask(12), result, error_code);
}

bool paging_walk(const struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user, bool update,
                 struct paging_result *result, uint32_t *error_code)
{
    struct walk walk = {.mmu = mmu,
                        .linear = linear & 0xffffffffu,
                        .access = access,
                        .user = user,
                        .update = update,
                        .rights = PTE_WRITABLE | PTE_USER};
    return mmu->cpu->cr4 & CR4_PAE ? walk_pae(&walk, result, error_code)
                                   : walk_32bit(&walk, result, error_code);
}

void paging_find_path(const struct mmu *mmu, uint64_t linear, struct paging_path *path)
{
    const struct cpu_state *cpu = mmu->cpu;
    bool pae = (cpu->cr4 & CR4_PAE) != 0;
    struct walk walk = {.mmu = mmu, .linear = linear & 0xffffffffu};
    uint64_t frame = bits_mask(cpu->model->address_bits) & ~PAGE_MASK;
    *path = (struct paging_path){0};
    path->length = pae ? 512 * 8 : 512 * 4;
    uint64_t address = (cpu->cr3 & 0xfffff000u) | ((walk.linear >> 22) & 0x3ff) << 2;
    if (pae) {
        path->upper[0] = cpu->pdpte[(walk.linear >> 30) & 3];
        if (!(path->upper[0] & PTE_PRESENT)) {
            return;
        }
        address = (path->upper[0] & frame) | ((walk.linear >> 21) & 0x1ff) << 3;
    }
    uint64_t entry = read_entry(&walk, address, pae ? 8 : 4);
    path->upper[1] = entry;
    if (!(entry & PTE_PRESENT) || ((entry & PDE_LARGE) && (pae || (cpu->cr4 & CR4_PSE)))) {
        return;
    }
    uint64_t table = pae ? entry & frame : (entry & 0xfffff000u) + (walk.linear >> 21 & 1) * path->length;
    const struct memory_page *page = memory_bus_page(mmu->bus, table);
    path->entries = page->read != NULL ? page->read + (table & PAGE_MASK) : NULL;
    path->hidden = page->read == NULL;
}
