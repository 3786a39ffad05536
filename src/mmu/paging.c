/* Walks that may meet anything, and what views compare; see paging.h and paging_walk.h. */
#include "mmu/paging_walk.h"

bool paging_walk(const struct mmu *mmu, uint64_t linear, enum mmu_access access, bool user, bool update,
                 struct paging_result *result, uint32_t *error_code)
{
    struct walk walk = walk_of(mmu, linear, access, user);
    walk.update = update;
    return mmu->cpu->cr4 & CR4_PAE ? walk_pae(&walk, result, error_code)
                                   : walk_32bit(&walk, result, error_code);
}

bool paging_proof_holds(const struct mmu *mmu, const struct paging_proof *proof)
{
    bool holds = true;
    for (unsigned i = 0; i < proof->levels && holds; i++) {
        const uint8_t *host = memory_map_host(mmu->map, proof->address[i]);
        uint64_t entry = host == NULL ? 0 : mmu->cpu->cr4 & CR4_PAE ? load_le64(host) : load_le32(host);
        holds = entry == proof->entry[i];
    }
    return holds;
}

void paging_find_path(const struct mmu *mmu, uint64_t linear, struct paging_path *path)
{
    const struct cpu_state *cpu = mmu->cpu;
    bool pae = (cpu->cr4 & CR4_PAE) != 0;
    struct walk walk = walk_of(mmu, linear, MMU_LOAD, false);
    uint64_t frame = bits_mask(cpu->model->address_bits) & ~PAGE_MASK;
    *path = (struct paging_path){0};
    path->length = pae ? 512 * 8 : 512 * 4;
    uint64_t address = (cpu->cr3 & 0xfffff000u) | ((walk.linear >> 22) & 0x3ff) << 2;
    if (pae) {
        uint64_t pointer = cpu->pdpte[(walk.linear >> 30) & 3];
        if (!(pointer & PTE_PRESENT)) {
            return;
        }
        address = (pointer & frame) | ((walk.linear >> 21) & 0x1ff) << 3;
    }
    uint64_t entry = read_entry(&walk, address, pae ? 8 : 4);
    path->directory = entry;
    if (!(entry & PTE_PRESENT) || ((entry & PDE_LARGE) && (pae || (cpu->cr4 & CR4_PSE)))) {
        return;
    }
    uint64_t table = pae ? entry & frame : (entry & 0xfffff000u) + (walk.linear >> 21 & 1) * path->length;
    const struct memory_page *page = memory_bus_page(mmu->bus, table);
    path->entries = page->read != NULL ? page->read + (table & PAGE_MASK) : NULL;
    path->hidden = page->read == NULL;
}
