/* What a debugger wants to be asked about while the guest runs; a cpu_state without one (NULL) costs nothing.
 *
 * Code. `offsets` has a bit for each offset within a page at which an instruction may be one to stop at. An
 * address is the same offset on whatever linear or physical page it is looked at, so engines make no code
 * that goes on across such an offset, remember no way to code that begins there, and ask at_code() before
 * they execute the instruction. Only what goes across these offsets costs anything: one in 4096, but a short
 * loop that is cut in its middle takes a third longer. Therefore, where linear addresses are known, only code
 * at the addresses themselves is cut (`exact`).
 *
 * Data. Pages with bytes of a `watch` are kept off the fast paths of memory (mmu_page_needs_care()); every
 * access of the CPU to them passes cpu_probe_note_access() before it is made. The same goes for pages by
 * whatever address with bytes of a `loads` and for cpu_probe_note_load(). Accesses of devices do not, nor do
 * fetches of instructions and walks of page tables.
 *
 * Events. Those in `events` are told by at_event().
 *
 * at_data(), at_load() and at_event() are called within an instruction; whoever wants to stop sets
 * CPU_PENDING_STOP, and the engine returns at the next boundary. They may look, but change nothing else. The
 * probe is changed between runs only; then the engine must be told (cpu_engine_ops.cut) of offsets, and the
 * mmu flushed for watches.
 *
 * The guest's own debug registers are another matter: debug_registers.h. */
#ifndef DOPPEL_CPU_PROBE_H
#define DOPPEL_CPU_PROBE_H

#include "cpu/cpu_state.h"

#define CPU_PROBE_WATCHES 16u
#define CPU_PROBE_PAGE    4096u
#define CPU_PROBE_PLACES  64u

enum cpu_event {
    CPU_EVENT_INTERRUPT, /* from a device, NMI included */
    CPU_EVENT_SOFTWARE,  /* INT n, INT3, INTO */
    CPU_EVENT_EXCEPTION,
    CPU_EVENT_SHUTDOWN, /* a triple fault */
    CPU_EVENT_CONTROL,  /* a control register was loaded: MOV, LMSW, task switches */
    CPU_EVENT_MODE      /* real, V86 or protected mode was entered */
};

struct cpu_event_info {
    enum cpu_event event;
    unsigned number;     /* the vector, the control register, enum cpu_mode */
    uint32_t error_code; /* of an exception that has one */
};

struct cpu_watch {
    uint32_t first, last;
};

struct cpu_probe {
    uint64_t offsets[CPU_PROBE_PAGE / 64];
    /* Of these, those at which only instructions at the linear addresses in `places` are meant: where an
     * engine knows the linear address it need not ask about others. Both are set by cpu_probe_add_place(). */
    uint64_t exact[CPU_PROBE_PAGE / 64];
    uint32_t places[CPU_PROBE_PLACES];
    unsigned place_count;
    struct cpu_watch watch[CPU_PROBE_WATCHES]; /* linear addresses */
    unsigned watch_count;
    struct cpu_watch loads[CPU_PROBE_WATCHES]; /* effective physical addresses that are loaded from */
    unsigned load_count;
    uint32_t events; /* 1 << enum cpu_event */
    /* True: stop in front of the instruction at CS:RIP. Asked again when the machine goes on from there. */
    bool (*at_code)(void *opaque);
    void (*at_data)(void *opaque, uint32_t linear, unsigned width, bool write);
    /* What lies on two pages comes in two parts. */
    void (*at_load)(void *opaque, uint32_t phys, unsigned length);
    /* Interrupts and exceptions: cpu_state is as they found it, but general registers may be the engine's. A
     * mode or a control register is told of when it has changed. */
    void (*at_event)(void *opaque, const struct cpu_event_info *info);
    void *opaque;
};

/* Has at_code() asked about the instruction at a linear address; about all at an offset within a page; about
 * every one. Others may be asked about as well. */
void cpu_probe_add_place(struct cpu_probe *probe, uint32_t linear);
void cpu_probe_add_offset(struct cpu_probe *probe, unsigned offset);
void cpu_probe_add_all(struct cpu_probe *probe);

static inline bool cpu_probe_bit(const uint64_t *bits, uint64_t address)
{
    return (bits[address % CPU_PROBE_PAGE / 64] >> address % 64 & 1) != 0;
}

/* Whether `places` has the address. */
bool cpu_probe_has_place(const struct cpu_probe *probe, uint32_t linear);

/* Whether at_code() is to be asked about an instruction at `address`, linear or physical. */
static inline bool cpu_probe_is_at(const struct cpu_state *cpu, uint64_t address)
{
    const struct cpu_probe *probe = cpu->probe;
    return UNLIKELY(probe != NULL) && cpu_probe_bit(probe->offsets, address);
}

/* The same for an address that is known to be linear. */
static inline bool cpu_probe_is_at_linear(const struct cpu_state *cpu, uint32_t linear)
{
    return cpu_probe_is_at(cpu, linear) &&
           (!cpu_probe_bit(cpu->probe->exact, linear) || cpu_probe_has_place(cpu->probe, linear));
}

/* Whether the engine is to stop in front of the instruction at CS:RIP. */
static inline bool cpu_probe_stops(const struct cpu_state *cpu)
{
    return cpu_probe_is_at(cpu, cpu->segment[CPU_CS].base + cpu->rip) &&
           cpu->probe->at_code(cpu->probe->opaque);
}

/* Bytes from an address on to the next offset behind it that is in `offsets`, or to the page's end. */
unsigned cpu_probe_room(const struct cpu_state *cpu, uint64_t address);

/* The same for an address that is known to be linear: offsets of other places do not matter. */
unsigned cpu_probe_room_at_linear(const struct cpu_state *cpu, uint32_t linear);

/* Whether there are watches, and `loads`. Only then may the functions below be called that look at them: a
 * breakpoint costs no call for each page that is remembered. */
static inline bool cpu_probe_has_watches(const struct cpu_state *cpu)
{
    return UNLIKELY(cpu->probe != NULL) && cpu->probe->watch_count != 0;
}

static inline bool cpu_probe_has_loads(const struct cpu_state *cpu)
{
    return UNLIKELY(cpu->probe != NULL) && cpu->probe->load_count != 0;
}

/* Whether the page of `linear` has bytes of a watch. */
bool cpu_probe_watches_page(const struct cpu_state *cpu, uint64_t linear);

/* An access is about to be made that nothing can stop any more. */
void cpu_probe_note_access(const struct cpu_state *cpu, uint64_t linear, unsigned width, bool write);

/* Whether the page of the effective address `phys` has bytes of `loads`. */
bool cpu_probe_watches_frame(const struct cpu_state *cpu, uint64_t phys);

/* A load from [phys, phys + length), within one page, is about to be made that nothing can stop any more. */
void cpu_probe_note_load(const struct cpu_state *cpu, uint64_t phys, unsigned length);

/* Whether events of a kind are wanted: then nobody may go around cpu_probe_note_event(). */
static inline bool cpu_probe_wants(const struct cpu_state *cpu, enum cpu_event event)
{
    return UNLIKELY(cpu->probe != NULL) && (cpu->probe->events >> event & 1) != 0;
}

/* Whether somebody sees each interrupt and exception: only this module's functions deliver them then. */
static inline bool cpu_events_are_seen(const struct cpu_state *cpu)
{
    return log_is_enabled(cpu->log, LOG_INT) || cpu_probe_wants(cpu, CPU_EVENT_SOFTWARE) ||
           cpu_probe_wants(cpu, CPU_EVENT_EXCEPTION);
}

void cpu_probe_note_event(const struct cpu_state *cpu, enum cpu_event event, unsigned number,
                          uint32_t error_code);

#endif
