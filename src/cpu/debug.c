/* DR0-DR7: access rules and matching (SDM 3B §17.2, §17.3.1).
 *
 * NOT IMPLEMENTED: breakpoints on the 8086 to 80286, which have no debug registers (MOV DR is #UD there);
 * last branch records and BTF. An R/W field of 10b without CR4.DE matches nothing. */
#include "cpu/cpu.h"
#include "cpu/debug_registers.h"

#define BREAKPOINTS 4u

enum breakpoint_kind { BREAK_EXECUTE = 0, BREAK_WRITE = 1, BREAK_IO = 2, BREAK_ACCESS = 3 };

static bool breakpoint_is_enabled(const struct cpu_state *cpu, unsigned number)
{
    return (cpu->dr[7] >> (2 * number) & 3) != 0;
}

static enum breakpoint_kind breakpoint_kind(const struct cpu_state *cpu, unsigned number)
{
    return (enum breakpoint_kind)(cpu->dr[7] >> (16 + 4 * number) & 3);
}

/* LEN 10b is eight bytes where such breakpoints exist, one elsewhere. */
static unsigned breakpoint_length(const struct cpu_state *cpu, unsigned number)
{
    switch (cpu->dr[7] >> (18 + 4 * number) & 3) {
    case 1: return 2;
    case 2: return cpu->model->generation >= CPU_NETBURST ? 8 : 1;
    case 3: return 4;
    default: return 1;
    }
}

/* The address is taken aligned to the length. */
static bool breakpoint_overlaps(const struct cpu_state *cpu, unsigned number, uint64_t first, unsigned width)
{
    unsigned length = breakpoint_length(cpu, number);
    uint64_t start = cpu->dr[number] & ~(uint64_t)(length - 1);
    return start < first + width && first < start + length;
}

static bool breakpoint_is_data(const struct cpu_state *cpu, unsigned number)
{
    enum breakpoint_kind kind = breakpoint_kind(cpu, number);
    return breakpoint_is_enabled(cpu, number) && (kind == BREAK_WRITE || kind == BREAK_ACCESS);
}

static bool watches_data(const struct cpu_state *cpu)
{
    bool any = false;
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        any |= breakpoint_is_data(cpu, i);
    }
    return any;
}

bool cpu_page_is_watched(const struct cpu_state *cpu, uint64_t linear)
{
    const unsigned page_size = 4096;
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        if (breakpoint_is_data(cpu, i) &&
            breakpoint_overlaps(cpu, i, linear & ~(uint64_t)(page_size - 1), page_size)) {
            return true;
        }
    }
    return false;
}

static void trap_later(struct cpu_state *cpu, uint32_t bits)
{
    if (bits != 0) {
        cpu->pending_dr6 |= bits;
        cpu->pending |= CPU_PENDING_TRAP;
    }
}

void cpu_note_access(struct cpu_state *cpu, uint64_t linear, unsigned width, bool write)
{
    uint32_t met = 0;
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        if (breakpoint_is_data(cpu, i) && (write || breakpoint_kind(cpu, i) == BREAK_ACCESS) &&
            breakpoint_overlaps(cpu, i, linear, width)) {
            met |= 1u << i;
        }
    }
    trap_later(cpu, met);
}

void cpu_note_io(struct cpu_state *cpu, uint16_t port, unsigned width)
{
    uint32_t met = 0;
    if (!(cpu->pending & CPU_PENDING_DEBUG) || !(cpu->cr4 & CR4_DE)) {
        return;
    }
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        if (breakpoint_is_enabled(cpu, i) && breakpoint_kind(cpu, i) == BREAK_IO &&
            breakpoint_overlaps(cpu, i, port, width)) {
            met |= 1u << i;
        }
    }
    trap_later(cpu, met);
}

bool cpu_meets_breakpoint(struct cpu_state *cpu)
{
    const uint64_t linear = (cpu->segment[CPU_CS].base + cpu->rip) & UINT32_MAX;
    uint32_t met = 0;
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        if (breakpoint_is_enabled(cpu, i) && breakpoint_kind(cpu, i) == BREAK_EXECUTE &&
            cpu->dr[i] == linear) {
            met |= 1u << i;
        }
    }
    if (cpu->eflags_other & EFLAGS_RF) {
        return false;
    }
    cpu->dr[6] |= met;
    return met != 0;
}

/* Translations made while a page was not watched must go, and those that are slow for nothing. */
static void breakpoints_changed(struct cpu_state *cpu, bool watched_before)
{
    bool any = (cpu->dr[7] & DR7_ENABLES) != 0;
    cpu->pending &= ~(uint32_t)CPU_PENDING_DEBUG;
    cpu->pending |= any ? (uint32_t)CPU_PENDING_DEBUG : 0;
    if (watched_before || watches_data(cpu)) {
        cpu->memory_ops->flush_tlb(cpu, true);
    }
}

void debug_set_control(struct cpu_state *cpu, uint64_t dr7)
{
    bool watched_before = watches_data(cpu);
    cpu->dr[7] = dr7;
    breakpoints_changed(cpu, watched_before);
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set, which precedes privilege; general detect guards all of
 * them from CPL 0. */
static unsigned debug_select(struct cpu_state *cpu, unsigned number)
{
    if (number > 7 || ((number == 4 || number == 5) && (cpu->cr4 & CR4_DE))) {
        cpu_raise(cpu, VECTOR_UD);
    }
    if (cpu->cpl != 0) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr[6] |= DR6_BD;
        cpu_raise(cpu, VECTOR_DB);
    }
    return number == 4 || number == 5 ? number + 2 : number;
}

void cpu_write_debug(struct cpu_state *cpu, unsigned number, uint64_t value)
{
    number = debug_select(cpu, number);
    value &= UINT32_MAX;
    if (number == 6) {
        cpu->dr[6] = (value & (DR6_BREAKPOINTS | DR6_BD | DR6_BS | DR6_BT)) | DR6_ONES;
    } else if (number == 7) {
        debug_set_control(cpu, (value & ~(uint64_t)DR7_ZEROS) | DR7_ONES);
    } else {
        bool watched = watches_data(cpu);
        cpu->dr[number] = value;
        breakpoints_changed(cpu, watched);
    }
}

uint64_t cpu_read_debug(struct cpu_state *cpu, unsigned number)
{
    return cpu->dr[debug_select(cpu, number)];
}
