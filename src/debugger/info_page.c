/* `info page`: the walk from CR3 to a page, every level shown (SDM 3A §4.3 32-bit paging, §4.4 PAE paging);
 * `info map`: what all walks come to.
 *
 * Nothing is changed, accessed bits included. */
#include "debugger/guest_memory.h"
#include "debugger/monitor_internal.h"
#include "mmu/paging.h"

enum entry_bit {
    ENTRY_PRESENT = 1u << 0,
    ENTRY_WRITABLE = 1u << 1,
    ENTRY_USER = 1u << 2,
    ENTRY_WRITE_THROUGH = 1u << 3,
    ENTRY_CACHE_DISABLED = 1u << 4,
    ENTRY_ACCESSED = 1u << 5,
    ENTRY_DIRTY = 1u << 6,
    ENTRY_LARGE = 1u << 7,
    ENTRY_GLOBAL = 1u << 8
};
#define ENTRY_NX        ((uint64_t)1 << 63)
#define ENTRY_FRAME     UINT64_C(0x000ffffffffff000)
#define ENTRY_USER_BITS 0xe00u

struct walk {
    struct machine *machine;
    FILE *out;
    uint64_t linear;
    unsigned entry_size; /* 4, PAE 8 */
    uint64_t rights;     /* AND of the levels' W and U */
    bool no_execute;
};

/* What the levels have in common. */
static void print_flags(struct walk *walk, uint64_t entry, bool leaf)
{
    FILE *out = walk->out;
    fprintf(out, "%s%s%s", entry & ENTRY_WRITABLE ? " writable" : " read-only",
            entry & ENTRY_USER ? " user" : " supervisor", entry & ENTRY_ACCESSED ? " accessed" : "");
    walk->rights &= entry;
    walk->no_execute |= walk->entry_size == 8 && (entry & ENTRY_NX) != 0;
    fprintf(out, "%s%s", entry & ENTRY_WRITE_THROUGH ? " write-through" : "",
            entry & ENTRY_CACHE_DISABLED ? " uncached" : "");
    if (leaf) {
        fprintf(out, "%s%s", entry & ENTRY_DIRTY ? " dirty" : "", entry & ENTRY_GLOBAL ? " global" : "");
    }
    fputs(walk->entry_size == 8 && (entry & ENTRY_NX) ? " no-execute" : "", out);
    if (entry & ENTRY_USER_BITS) {
        fprintf(out, " available=%llu", (unsigned long long)bits_extract(entry, 9, 3));
    }
}

/* Reads and prints one entry: of a table, or of a directory, where it may be a page of `large_mib` MiB itself
 * (0: not now). False: the walk ends here. */
static bool take_level(struct walk *walk, const char *name, uint64_t table, unsigned index, bool last,
                       unsigned large_mib, bool *large, uint64_t *entry)
{
    const uint64_t address = table + (uint64_t)index * walk->entry_size;
    struct status status = guest_memory_load(walk->machine, GUEST_PHYSICAL, address, walk->entry_size, entry);
    if (!status_is_ok(&status)) {
        fprintf(walk->out, "%s entry %u at %08llx: %s\n", name, index, (unsigned long long)address,
                status.message);
        return false;
    }
    fprintf(walk->out, "%s entry %u at %08llx: %0*llx", name, index, (unsigned long long)address,
            (int)walk->entry_size * 2, (unsigned long long)*entry);
    if (!(*entry & ENTRY_PRESENT)) {
        fputs(" not present\n", walk->out);
        return false;
    }
    *large = large_mib != 0 && (*entry & ENTRY_LARGE) != 0;
    print_flags(walk, *entry, last || *large);
    if (*large) {
        fprintf(walk->out, " page of %u MiB", large_mib);
    }
    fputc('\n', walk->out);
    return true;
}

/* The physical address behind a large entry (PSE-36: bits 13 to 20 of a 4 MiB entry are 32 to 39). */
static uint64_t large_page(const struct walk *walk, uint64_t entry)
{
    if (walk->entry_size == 8) {
        return (entry & ENTRY_FRAME & ~bits_mask(21)) | (walk->linear & bits_mask(21));
    }
    return (entry & 0xffc00000u) | bits_extract(entry, 13, 8) << 32 | (walk->linear & bits_mask(22));
}

static bool walk_32(struct walk *walk, const struct cpu_state *cpu, uint64_t *phys)
{
    uint64_t entry;
    bool large;
    if (!take_level(walk, "directory", cpu->cr3 & 0xfffff000u, (unsigned)(walk->linear >> 22), false,
                    cpu->cr4 & CR4_PSE ? 4 : 0, &large, &entry)) {
        return false;
    }
    if (large) {
        *phys = large_page(walk, entry);
        return true;
    }
    if (!take_level(walk, "table", entry & 0xfffff000u, (unsigned)bits_extract(walk->linear, 12, 10), true, 0,
                    &large, &entry)) {
        return false;
    }
    *phys = (entry & 0xfffff000u) | (walk->linear & PAGE_MASK);
    return true;
}

static bool walk_pae(struct walk *walk, const struct cpu_state *cpu, uint64_t *phys)
{
    const unsigned top = (unsigned)(walk->linear >> 30);
    uint64_t entry = cpu->pdpte[top];
    bool large;
    fprintf(walk->out, "pointer %u, loaded with cr3: %016llx%s\n", top, (unsigned long long)entry,
            entry & ENTRY_PRESENT ? "" : " not present");
    if (!(entry & ENTRY_PRESENT) ||
        !take_level(walk, "directory", entry & ENTRY_FRAME, (unsigned)bits_extract(walk->linear, 21, 9),
                    false, 2, &large, &entry)) {
        return false;
    }
    if (large) {
        *phys = large_page(walk, entry);
        return true;
    }
    if (!take_level(walk, "table", entry & ENTRY_FRAME, (unsigned)bits_extract(walk->linear, 12, 9), true, 0,
                    &large, &entry)) {
        return false;
    }
    *phys = (entry & ENTRY_FRAME) | (walk->linear & PAGE_MASK);
    return true;
}

static void print_rights(const struct walk *walk, const struct cpu_state *cpu)
{
    const bool writable = (walk->rights & ENTRY_WRITABLE) != 0;
    const bool user = (walk->rights & ENTRY_USER) != 0;
    const char *execute = walk->no_execute && (cpu->efer & EFER_NXE) ? "" : ", execute";
    fprintf(walk->out, "supervisor: read%s%s; user: %s%s%s\n",
            writable || !(cpu->cr0 & CR0_WP) ? ", write" : "", execute, user ? "read" : "nothing",
            user && writable ? ", write" : "", user ? execute : "");
}

struct status monitor_info_page(struct monitor *monitor, const char *argument, FILE *out)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    uint64_t linear = 0, phys = 0;
    char name[120];
    if (argument == NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "usage: info page ADDRESS");
    }
    struct status status = monitor_evaluate(monitor, argument, &linear);
    if (!status_is_ok(&status)) {
        return status;
    }
    linear &= UINT32_MAX;
    symbols_describe(monitor->symbols, linear, name, sizeof name);
    fprintf(out, "linear %08llx%s%s, ", (unsigned long long)linear, name[0] != '\0' ? " " : "", name);
    if (!(cpu->cr0 & CR0_PG)) {
        fprintf(out, "paging is off\nphysical %08llx\n", (unsigned long long)linear);
        return status_ok();
    }
    const bool pae = (cpu->cr4 & CR4_PAE) != 0;
    struct walk walk = {.machine = monitor->machine,
                        .out = out,
                        .linear = linear,
                        .entry_size = pae ? 8 : 4,
                        .rights = UINT64_MAX};
    fprintf(out, "cr3 %08llx, %s paging\n", (unsigned long long)cpu->cr3, pae ? "PAE" : "32-bit");
    if (pae ? walk_pae(&walk, cpu, &phys) : walk_32(&walk, cpu, &phys)) {
        print_rights(&walk, cpu);
        fprintf(out, "physical %08llx\n", (unsigned long long)phys);
    } else {
        fputs("not mapped\n", out);
    }
    return status_ok();
}

/* ---- all pages */

/* What may be done with a page; all false: it is not mapped. */
struct rights {
    bool read[2], write[2], execute[2]; /* [user] */
};

static struct rights rights_at(const struct mmu *mmu, uint64_t linear)
{
    struct rights rights = {0};
    for (unsigned user = 0; user < 2; user++) {
        struct paging_result result = {0};
        uint32_t error_code;
        rights.read[user] = paging_walk(mmu, linear, MMU_LOAD, user != 0, false, &result, &error_code);
        rights.write[user] = rights.read[user] && result.writable;
        rights.execute[user] = rights.read[user] && result.executable;
    }
    return rights;
}

static bool same_rights(const struct rights *a, const struct rights *b)
{
    bool same = true;
    for (unsigned user = 0; user < 2; user++) {
        same &= a->read[user] == b->read[user] && a->write[user] == b->write[user] &&
                a->execute[user] == b->execute[user];
    }
    return same;
}

static void print_range(uint64_t first, uint64_t end, const struct rights *rights, FILE *out)
{
    if (!rights->read[0] && !rights->read[1]) {
        return;
    }
    fprintf(out, "%08llx-%08llx %8llu KiB  supervisor %s%s%s  user %s%s%s\n", (unsigned long long)first,
            (unsigned long long)(end - 1), (unsigned long long)((end - first) / KIB),
            rights->read[0] ? "r" : "-", rights->write[0] ? "w" : "-", rights->execute[0] ? "x" : "-",
            rights->read[1] ? "r" : "-", rights->write[1] ? "w" : "-", rights->execute[1] ? "x" : "-");
}

struct status monitor_info_map(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    const struct mmu *mmu = machine_mmu(monitor->machine);
    if (!(machine_cpu(monitor->machine)->cr0 & CR0_PG)) {
        return status_error(STATUS_NOT_FOUND, "paging is off: linear addresses are physical ones");
    }
    uint64_t first = 0;
    struct rights range = rights_at(mmu, 0);
    for (uint64_t linear = PAGE_SIZE; linear < 4 * GIB; linear += PAGE_SIZE) {
        const struct rights here = rights_at(mmu, linear);
        if (!same_rights(&here, &range)) {
            print_range(first, linear, &range, out);
            first = linear;
            range = here;
        }
    }
    print_range(first, 4 * GIB, &range, out);
    return status_ok();
}
