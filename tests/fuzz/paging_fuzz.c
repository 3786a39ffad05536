/* Hostile page tables: whatever they hold, every access to linear memory does what SDM 3A chapter 4 says.
 *
 * The input is a program of records: the format of paging and its control bits, entries written anywhere in a
 * small memory (so that tables map themselves and each other), loads, stores and fetches that may cross
 * pages. A walk written down here for the second time, straight from the tables of the manual, predicts each
 * access's fault, error code, address and value and every accessed and dirty bit; what the mmu did must be
 * that. Before an access that is compared, the TLB is flushed if memory changed since the last flush, because
 * until then processors may do either; other accesses happen with a stale TLB and must only stay within
 * memory. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cpu_bench.h"
#include "fuzz_input.h"

#define RAM_PAGES 16u
#define RAM_SIZE  (RAM_PAGES * PAGE_SIZE)

enum entry_bit {
    WRITABLE = PAGE_WRITABLE,
    USER = PAGE_USER,
    ACCESSED = PAGE_ACCESSED,
    DIRTY = PAGE_DIRTY,
    LARGE = 1u << 7
};

struct rig {
    struct cpu_bench *bench;
    struct fuzz_input input;
    uint8_t expected[RAM_SIZE]; /* memory, as the prediction has it */
    bool stale;                 /* memory changed since the TLB was flushed */
    jmp_buf unwind;
};

struct prediction {
    bool faults;
    uint32_t error_code;
    uint64_t phys;
};

static uint64_t memory_read(const struct rig *rig, uint64_t phys, unsigned width)
{
    phys = memory_bus_effective(rig->bench->bus, phys);
    if (phys + width <= RAM_SIZE) {
        return load_le(rig->expected + phys, width);
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)(phys + i < RAM_SIZE ? rig->expected[phys + i] : 0xff) << 8 * i;
    }
    return value;
}

static void memory_write(struct rig *rig, uint64_t phys, unsigned width, uint64_t value)
{
    phys = memory_bus_effective(rig->bench->bus, phys);
    for (unsigned i = 0; i < width; i++) {
        if (phys + i < RAM_SIZE) {
            rig->expected[phys + i] = (uint8_t)(value >> 8 * i);
        }
    }
}

struct walk {
    struct rig *rig;
    uint64_t rights; /* AND of the levels */
    uint64_t flags;  /* of the last entry read */
    bool no_execute;
};

/* Reads an entry and joins its rights. Returns 0 or the cause for the error code, plus 1: absent (1),
 * reserved bits (10). */
static unsigned read_level(struct walk *walk, uint64_t address, unsigned size, uint64_t reserved)
{
    walk->flags = memory_read(walk->rig, address, size);
    if (!(walk->flags & PAGE_PRESENT)) {
        return 1;
    }
    walk->rights &= walk->flags;
    walk->no_execute |= walk->flags >> 63 & 1;
    return walk->flags & reserved ? 10 : 0;
}

/* Entries of SDM 3A tables 4-4 to 4-6 and 4-8 to 4-11. */
static struct prediction predict(struct rig *rig, uint32_t linear, enum mmu_access access, bool user)
{
    const struct cpu_state *cpu = &rig->bench->cpu;
    const uint64_t frame = bits_mask(cpu->model->address_bits) & ~PAGE_MASK;
    const bool pae = cpu->cr4 & CR4_PAE;
    const bool nx = pae && (cpu->efer & EFER_NXE);
    const bool pse36 = cpu_model_has(cpu->model, FEATURE_PSE36);
    const unsigned size = pae ? 8 : 4;
    const unsigned large_bits = pae ? 21 : 22;
    const uint64_t reserved =
        pae ? (bits_mask(63) & ~bits_mask(cpu->model->address_bits)) | (nx ? 0 : (uint64_t)1 << 63) : 0;
    struct prediction prediction = {.faults = true,
                                    .error_code = (access == MMU_STORE ? 2u : 0) | (user ? 4u : 0) |
                                                  (access == MMU_FETCH && nx ? 16u : 0)};
    struct walk walk = {.rig = rig, .rights = WRITABLE | USER};

    uint64_t table = cpu->cr3 & 0xfffff000u;
    if (pae) {
        if (!(cpu->pdpte[linear >> 30] & PAGE_PRESENT)) {
            return prediction;
        }
        table = cpu->pdpte[linear >> 30] & frame;
    }
    uint64_t address = table + (linear >> large_bits & (pae ? 511 : 1023)) * size;
    unsigned wrong = read_level(&walk, address, size, reserved);
    bool large = (walk.flags & LARGE) && (pae || (cpu->cr4 & CR4_PSE));
    if (wrong == 0 && large && (walk.flags & (pae ? 0x1fe000u : pse36 ? 0x3e0000u : 0x3fe000u))) {
        wrong = 10;
    }
    if (wrong == 0 && !large) {
        memory_write(rig, address, size, walk.flags | ACCESSED);
        address = (walk.flags & (pae ? frame : 0xfffff000u)) + (linear >> 12 & (pae ? 511 : 1023)) * size;
        wrong = read_level(&walk, address, size, reserved);
    }
    bool may_write = (walk.rights & WRITABLE) || (!user && !(cpu->cr0 & CR0_WP));
    if (wrong == 0 && ((user && !(walk.rights & USER)) || (access == MMU_STORE && !may_write) ||
                       (access == MMU_FETCH && nx && walk.no_execute))) {
        wrong = 2;
    }
    if (wrong != 0) {
        prediction.error_code |= wrong - 1;
        return prediction;
    }
    memory_write(rig, address, size, walk.flags | ACCESSED | (access == MMU_STORE ? DIRTY : 0));
    unsigned bits = large ? large_bits : 12;
    prediction.faults = false;
    prediction.phys =
        (walk.flags & (pae ? frame : 0xfffff000u) & ~bits_mask(bits)) | (linear & bits_mask(bits));
    if (large && !pae && pse36) {
        prediction.phys |= (walk.flags >> 13 & 15) << 32;
    }
    return prediction;
}

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void flush(struct rig *rig)
{
    rig->bench->cpu.memory_ops->flush_tlb(&rig->bench->cpu, true);
    rig->stale = false;
}

/* What the mmu did: false for a page fault, which is in cpu->exception and CR2. */
static bool access_memory(struct rig *rig, uint32_t linear, enum mmu_access access, unsigned width, bool user,
                          uint64_t *value)
{
    struct mmu *mmu = rig->bench->mmu;
    if (setjmp(rig->unwind) != 0) {
        return false;
    }
    switch (access) {
    case MMU_LOAD: *value = mmu_load(mmu, linear, width, user); break;
    case MMU_STORE: mmu_store(mmu, linear, width, *value, user); break;
    default: *value = mmu_fetch_address(mmu, linear, user); break;
    }
    return true;
}

/* Only accessed and dirty bits may have been set: of the entries of a crossing access that faulted at one of
 * its pages. */
static void require_only_marks_differ(struct rig *rig)
{
    for (uint32_t i = 0; i < RAM_SIZE; i++) {
        require(((rig->bench->ram[i] ^ rig->expected[i]) & ~(ACCESSED | DIRTY)) == 0);
    }
    memcpy(rig->expected, rig->bench->ram, RAM_SIZE);
}

static void compare_access(struct rig *rig, uint32_t linear, enum mmu_access access, unsigned width,
                           bool user, uint64_t value)
{
    const struct cpu_state *cpu = &rig->bench->cpu;
    if (rig->stale) {
        flush(rig);
    }
    unsigned first_bytes = (unsigned)(PAGE_SIZE - (linear & PAGE_MASK));
    bool crosses = access != MMU_FETCH && first_bytes < width;
    struct prediction first = predict(rig, linear, access, user);
    struct prediction second = first;
    uint32_t fault_address = linear;
    if (crosses && !first.faults) {
        second = predict(rig, linear + first_bytes, access, user);
        fault_address = linear + first_bytes;
    }
    uint64_t found = value;
    bool done = access_memory(rig, linear, access, width, user, &found);
    require(done == !(first.faults || second.faults));
    if (!done) {
        require(cpu->exception.vector == VECTOR_PF && cpu->exception.error_code == second.error_code);
        require(cpu->cr2 == fault_address);
    } else if (access == MMU_FETCH) {
        require(found == memory_bus_effective(rig->bench->bus, first.phys));
    } else {
        unsigned low = crosses ? first_bytes : width;
        unsigned high = width - low;
        if (access == MMU_STORE) {
            memory_write(rig, first.phys, low, value);
            memory_write(rig, second.phys, high, high == 0 ? 0 : value >> 8 * low);
        } else {
            uint64_t predicted = memory_read(rig, first.phys, low);
            predicted |= high == 0 ? 0 : memory_read(rig, second.phys, high) << 8 * low;
            require(found == predicted);
        }
    }
    if (crosses) {
        require_only_marks_differ(rig);
    }
    require(memcmp(rig->bench->ram, rig->expected, RAM_SIZE) == 0);
    rig->stale |= access == MMU_STORE;
}

/* Few values, so that accesses and entries meet. */
static uint32_t take_linear(struct rig *rig)
{
    static const uint16_t indices[] = {0, 1, 2, 3, 511, 512, 1022, 1023};
    uint8_t choice = fuzz_byte(&rig->input);
    uint32_t offset = (uint32_t)fuzz_word(&rig->input, 2) & 0xfff;
    if (choice == 0xff) {
        return (uint32_t)fuzz_word(&rig->input, 4);
    }
    if (choice & 0x40) {
        offset = 0x1000 - (offset & 15);
    }
    return ((uint32_t)indices[choice & 7] << 22) + ((uint32_t)indices[choice >> 3 & 7] << 12) + offset;
}

static void poke(struct rig *rig, uint64_t address, unsigned width, uint64_t value)
{
    memory_bus_write(rig->bench->bus, address, width, value);
    memory_write(rig, address, width, value);
    rig->stale = true;
}

static void write_entry(struct rig *rig)
{
    static const uint16_t indices[] = {0, 1, 2, 3, 511, 512, 1022, 1023};
    struct fuzz_input *input = &rig->input;
    uint8_t page = fuzz_byte(input);
    uint8_t choice = fuzz_byte(input);
    uint64_t entry = fuzz_word(input, 2);
    entry = (entry & 0xfff) | (uint64_t)(fuzz_byte(input) % (RAM_PAGES + 2)) << PAGE_SHIFT;
    if (choice & 0x80) { /* bits above the frame number of a small machine */
        entry ^= fuzz_word(input, 8) << 13;
    }
    if (choice & 0x40) {
        entry |= PAGE_ALL;
    }
    unsigned size = !(choice & 0x20) == !(rig->bench->cpu.cr4 & CR4_PAE) ? 4 : 8;
    if ((choice & 0x18) == 0x18 && size == 8) {
        entry |= (uint64_t)1 << 63;
    }
    uint64_t address = (uint64_t)(page % RAM_PAGES) * PAGE_SIZE + indices[choice & 7] * size % PAGE_SIZE;
    poke(rig, address, size, entry);
}

static void write_control(struct rig *rig, unsigned number, uint64_t value)
{
    if (setjmp(rig->unwind) == 0) {
        cpu_write_control(&rig->bench->cpu, number, value);
    }
}

/* CR0, CR4, EFER and CR3 as software sets them; impossible values leave things as they are. */
static void set_mode(struct rig *rig)
{
    struct cpu_state *cpu = &rig->bench->cpu;
    uint8_t choice = fuzz_byte(&rig->input);
    uint8_t root = fuzz_byte(&rig->input);
    uint64_t cr4 = (choice & 1 ? CR4_PAE : 0u) | (choice & 2 ? CR4_PSE : 0u) | (choice & 4 ? CR4_PGE : 0u);
    for (unsigned i = 0; i < 4 && (choice & 1) && (choice & 32); i++) { /* pointers that CR3's load accepts */
        poke(rig, (uint64_t)(root % RAM_PAGES) * PAGE_SIZE + 8 * i, 8,
             (uint64_t)(fuzz_byte(&rig->input) % RAM_PAGES) * PAGE_SIZE | PAGE_PRESENT);
    }
    write_control(rig, 0, cpu->cr0 & ~(uint64_t)CR0_PG);
    if (cpu->model->has_cpuid) {
        write_control(rig, 4, cr4 & cpu_model_cr4_writable(cpu->model));
    }
    cpu->efer = (choice & 8) && cpu_model_has(cpu->model, FEATURE_NX) ? EFER_NXE : 0;
    write_control(rig, 3, (uint64_t)(root % RAM_PAGES) * PAGE_SIZE);
    write_control(rig, 0, (cpu->cr0 & ~(uint64_t)CR0_WP) | CR0_PG | (choice & 16 ? CR0_WP : 0u));
    rig->stale = true;
}

static void act(struct rig *rig)
{
    struct cpu_state *cpu = &rig->bench->cpu;
    uint8_t record = fuzz_byte(&rig->input);
    enum mmu_access access = (enum mmu_access)((record >> 3 & 7) % 3);
    unsigned width = 1u << (record >> 6);
    bool paging = cpu->cr0 & CR0_PG;
    uint32_t linear;
    uint64_t value;
    switch (record & 7) {
    case 0:
    case 1:
    case 2: write_entry(rig); break;
    case 3: set_mode(rig); break;
    case 4: /* with whatever the TLB holds */
        linear = take_linear(rig);
        value = linear;
        (void)access_memory(rig, linear, access, width, record & 8, &value);
        memcpy(rig->expected, rig->bench->ram, RAM_SIZE);
        rig->stale = true;
        break;
    case 5: cpu->memory_ops->flush_page(cpu, take_linear(rig)); break;
    default:
        linear = take_linear(rig);
        if (paging) {
            bool user = fuzz_byte(&rig->input) & 1;
            compare_access(rig, linear, access, width, user, UINT64_C(0x1122334455667788) * (linear | 1));
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const models[] = {"80386", "80486", "pentium", "pentium3", "pentium4", "max"};
    struct rig *rig = calloc(1, sizeof *rig);
    require(rig != NULL);
    rig->input = (struct fuzz_input){.bytes = data, .left = size};
    const struct cpu_model *model = cpu_model_find(models[fuzz_byte(&rig->input) % ARRAY_COUNT(models)]);
    rig->bench = cpu_bench_create(model, RAM_SIZE);
    cpu_bench_enter_flat(rig->bench, 4, 0);
    memcpy(rig->expected, rig->bench->ram, RAM_SIZE);
    rig->bench->cpu.unwind = &rig->unwind;
    while (rig->input.left > 0) {
        act(rig);
    }
    cpu_bench_destroy(rig->bench);
    free(rig);
    return 0;
}
