/* Installs probes; see machine_probe.h. */
#include "machine/machine_probe.h"

#include "machine/machine_internal.h"

static bool has_watches(const struct machine_probe *probe)
{
    return probe != NULL && probe->cpu.watch_count + probe->cpu.load_count > 0;
}

/* So many offsets leave little code that does not go on across one. */
#define OFFSETS_FOR_ALL 512

/* Offsets within a page of code that was made without having to ask as often as is wanted now. */
static void find_stale(uint64_t stale[CPU_PROBE_PAGE / 64], const struct cpu_probe *before,
                       const struct cpu_probe *now)
{
    for (unsigned i = 0; i < CPU_PROBE_PAGE / 64; i++) {
        stale[i] = now->offsets[i] & (~before->offsets[i] | (before->exact[i] & ~now->exact[i]));
    }
    for (unsigned i = 0; i < now->place_count; i++) {
        uint32_t place = now->places[i];
        if (cpu_probe_bit(before->exact, place) && !cpu_probe_has_place(before, place)) {
            stale[place % CPU_PROBE_PAGE / 64] |= (uint64_t)1 << place % 64;
        }
    }
}

/* Drops code that goes on across such offsets, or begins there. */
static void cut_code(struct machine *machine, const struct cpu_probe *before)
{
    uint64_t stale[CPU_PROBE_PAGE / 64];
    int count = 0;
    find_stale(stale, before, &machine->probe->cpu);
    for (unsigned i = 0; i < CPU_PROBE_PAGE / 64; i++) {
        count += __builtin_popcountll(stale[i]);
    }
    if (count >= OFFSETS_FOR_ALL) {
        machine->engine->ops->cut(machine->engine, CPU_PROBE_PAGE);
        return;
    }
    for (unsigned offset = 0; offset < CPU_PROBE_PAGE; offset++) {
        if (cpu_probe_bit(stale, offset)) {
            machine->engine->ops->cut(machine->engine, offset);
        }
    }
}

static void note_store(void *opaque, uint64_t phys, unsigned length)
{
    const struct machine *machine = opaque;
    machine->probe->at_store(machine->probe->opaque, (uint32_t)phys, length);
}

static void note_load(void *opaque, uint64_t phys, unsigned length)
{
    const struct cpu_probe *probe = &((const struct machine *)opaque)->probe->cpu;
    probe->at_load(probe->opaque, (uint32_t)phys, length);
}

static void set_ranges(struct memory_watches *watches, const struct cpu_watch *ranges, unsigned count)
{
    watches->count = count;
    for (unsigned i = 0; i < count; i++) {
        watches->range[i].first = ranges[i].first;
        watches->range[i].last = ranges[i].last;
    }
}

static void watch_memory(struct machine *machine, unsigned stores_before)
{
    const struct machine_probe *probe = machine->probe;
    struct memory_watches stores = {.accessed = note_store, .opaque = machine};
    struct memory_watches loads = {.accessed = note_load, .opaque = machine};
    if (probe != NULL) {
        set_ranges(&stores, probe->stores, probe->store_count);
        set_ranges(&loads, probe->cpu.loads, probe->cpu.load_count);
    }
    if (stores.count > 0 || stores_before > 0) {
        memory_bus_set_store_watches(machine->memory, &stores);
    }
    memory_bus_set_load_watches(machine->memory, &loads);
}

void machine_set_probe(struct machine *machine, const struct machine_probe *probe)
{
    unsigned store_count = machine->probe != NULL ? machine->probe->store_count : 0;
    const struct cpu_probe before = machine->probe != NULL ? machine->probe->cpu : (struct cpu_probe){0};
    bool watched = has_watches(machine->probe) || has_watches(probe);
    machine->probe = NULL;
    machine->cpu.probe = NULL;
    if (probe != NULL) {
        machine->probe_copy = *probe;
        machine->probe = &machine->probe_copy;
        machine->cpu.probe = &machine->probe->cpu;
        cut_code(machine, &before);
    }
    if (watched) {
        mmu_flush(machine->mmu);
    }
    watch_memory(machine, store_count);
}

void machine_request_break(struct machine *machine)
{
    machine->break_requested = true;
    machine->cpu.pending |= CPU_PENDING_STOP;
}

bool machine_take_break(struct machine *machine)
{
    bool requested = machine->break_requested;
    machine->break_requested = false;
    if (requested) {
        machine->cpu.pending &= ~(uint32_t)CPU_PENDING_STOP;
    }
    return requested;
}

void machine_cancel_break(struct machine *machine)
{
    (void)machine_take_break(machine);
}

void machine_note_port(struct machine *machine, uint16_t port, unsigned width, bool write, uint32_t value)
{
    const struct machine_probe *probe = machine->probe;
    for (unsigned i = 0; probe != NULL && i < width; i++) {
        unsigned byte = (port + i) & 0xffffu;
        if (probe->ports[byte / 64] >> byte % 64 & 1) {
            probe->at_port(probe->opaque, port, width, write, value);
            return;
        }
    }
}
