/* The page-table walk as inline functions; see paging.h. Internal to mmu.
 *
 * Entries are read and their accessed/dirty bits written through the physical bus, so page tables may lie
 * anywhere; PAE's page-directory pointers are the CPU's copies. The accessed bits of upper levels are set
 * even when a lower level then faults, as processors do (SDM 3A §4.8 allows it); the leaf's only when the
 * access is allowed.
 *
 * A `plain` walk (plain_walk.c) finds nothing where that takes more than to read memory. `plain` and `update`
 * are constants wherever this becomes code, and access and user in plain walks. */
#ifndef DOPPEL_MMU_PAGING_WALK_H
#define DOPPEL_MMU_PAGING_WALK_H

#include "cpu/model.h"
#include "mmu/paging.h"

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
    bool plain;      /* fails where a table is in no plain memory, or a bit would have to be set */
    uint64_t rights; /* AND of the levels' PTE_WRITABLE, PTE_USER and PTE_ACCESSED */
    bool no_execute; /* OR of the levels' NX */
};

ALWAYS_INLINE bool nx_enabled(const struct cpu_state *cpu)
{
    return (cpu->cr4 & CR4_PAE) && (cpu->efer & EFER_NXE);
}

ALWAYS_INLINE uint32_t fault_code(const struct walk *walk, uint32_t cause)
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
    const uint8_t *host = memory_map_host(walk->mmu->map, address);
    if (__builtin_expect(host == NULL, 0)) {
        return walk->plain ? 0 : memory_bus_read(walk->mmu->bus, address, size);
    }
    return size == 8 ? load_le64(host) : load_le32(host);
}

/* False: the bits are not set, in a plain walk. */
ALWAYS_INLINE bool set_entry_bits(const struct walk *walk, uint64_t address, unsigned size, uint64_t entry,
                                  uint64_t bits)
{
    if (__builtin_expect((entry & bits) == bits, 1)) {
        return true;
    }
    if (!walk->plain && walk->update) {
        memory_bus_write(walk->mmu->bus, address, size, entry | bits);
    }
    return !walk->plain;
}

ALWAYS_INLINE void gather_rights(struct walk *walk, uint64_t entry)
{
    walk->rights &= entry;
    walk->no_execute |= (entry & PTE_NX) != 0;
}

/* `level`: 0 for the first. */
ALWAYS_INLINE void prove(struct paging_result *result, unsigned level, uint64_t address, uint64_t entry)
{
    result->proof.address[level] = address;
    result->proof.entry[level] = entry;
    result->proof.levels = level + 1;
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
    uint64_t bits = PTE_ACCESSED | (walk->access == MMU_STORE ? PTE_DIRTY : 0);
    if (!set_entry_bits(walk, address, size, entry, bits)) {
        return false;
    }
    result->phys = base | (walk->linear & offset_mask);
    result->writable = writable;
    result->executable = executable;
    result->dirty = (entry & PTE_DIRTY) != 0 || walk->access == MMU_STORE;
    result->accessed = (walk->rights & PTE_ACCESSED) != 0;
    result->large = offset_mask > PAGE_MASK;
    result->global = (entry & PTE_GLOBAL) && (cpu->cr4 & CR4_PGE);
    result->user = user_page;
    prove(result, result->large ? 0 : 1, address, walk->update ? entry | bits : entry);
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
        /* SDM 3A §4.3: without PSE-36 an address has 32 bits. */
        unsigned upper = cpu_model_has(cpu->model, FEATURE_PSE36) ? cpu->model->address_bits - 32u : 0;
        if (entry & bits_mask(22) & ~bits_mask(13 + upper)) {
            *error_code = fault_code(walk, PF_PRESENT | PF_RESERVED);
            return false;
        }
        uint64_t base = (entry & 0xffc00000u) | bits_extract(entry, 13, upper) << 32;
        return finish(walk, address, 4, entry, base, bits_mask(22), result, error_code);
    }
    if (!set_entry_bits(walk, address, 4, entry, PTE_ACCESSED)) {
        return false;
    }
    prove(result, 0, address, walk->update ? entry | PTE_ACCESSED : entry);
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
    if (!set_entry_bits(walk, address, 8, entry, PTE_ACCESSED)) {
        return false;
    }
    prove(result, 0, address, walk->update ? entry | PTE_ACCESSED : entry);
    address = (entry & frame) | ((walk->linear >> 12) & 0x1ff) << 3;
    if (!fetch_level(walk, address, 8, reserved, &entry, error_code)) {
        return false;
    }
    gather_rights(walk, entry);
    return finish(walk, address, 8, entry, entry & frame, bits_mask(12), result, error_code);
}

/* One that changes nothing, and is not plain. */
ALWAYS_INLINE struct walk walk_of(const struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user)
{
    return (struct walk){.mmu = mmu,
                         .linear = linear & 0xffffffffu,
                         .access = access,
                         .user = user,
                         .rights = PTE_WRITABLE | PTE_USER | PTE_ACCESSED};
}

#endif
