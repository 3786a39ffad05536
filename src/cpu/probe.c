/* Matching of code offsets and watched pages; see probe.h. */
#include "cpu/probe.h"

#include <string.h>

static void set_bit(uint64_t *bits, uint32_t address)
{
    bits[address % CPU_PROBE_PAGE / 64] |= (uint64_t)1 << address % 64;
}

void cpu_probe_add_place(struct cpu_probe *probe, uint32_t linear)
{
    bool is_exact = cpu_probe_bit(probe->exact, linear) || !cpu_probe_bit(probe->offsets, linear);
    if (is_exact && cpu_probe_has_place(probe, linear)) {
        return;
    }
    if (!is_exact || probe->place_count == CPU_PROBE_PLACES) {
        cpu_probe_add_offset(probe, linear % CPU_PROBE_PAGE);
        return;
    }
    set_bit(probe->offsets, linear);
    set_bit(probe->exact, linear);
    probe->places[probe->place_count++] = linear;
}

void cpu_probe_add_offset(struct cpu_probe *probe, unsigned offset)
{
    set_bit(probe->offsets, offset);
    probe->exact[offset / 64] &= ~((uint64_t)1 << offset % 64);
}

void cpu_probe_add_all(struct cpu_probe *probe)
{
    memset(probe->offsets, 0xff, sizeof probe->offsets);
    memset(probe->exact, 0, sizeof probe->exact);
}

bool cpu_probe_has_place(const struct cpu_probe *probe, uint32_t linear)
{
    for (unsigned i = 0; i < probe->place_count; i++) {
        if (probe->places[i] == linear) {
            return true;
        }
    }
    return false;
}

unsigned cpu_probe_room(const struct cpu_state *cpu, uint64_t address)
{
    const unsigned start = (unsigned)(address % CPU_PROBE_PAGE);
    if (cpu->probe == NULL || start == CPU_PROBE_PAGE - 1) {
        return CPU_PROBE_PAGE - start;
    }
    unsigned word = (start + 1) / 64;
    uint64_t left = cpu->probe->offsets[word] >> (start + 1) % 64 << (start + 1) % 64;
    while (left == 0 && word + 1 < CPU_PROBE_PAGE / 64) {
        left = cpu->probe->offsets[++word];
    }
    return (left != 0 ? word * 64 + (unsigned)__builtin_ctzll(left) : CPU_PROBE_PAGE) - start;
}

unsigned cpu_probe_room_at_linear(const struct cpu_state *cpu, uint32_t linear)
{
    const unsigned left = CPU_PROBE_PAGE - linear % CPU_PROBE_PAGE;
    unsigned room = cpu_probe_room(cpu, linear);
    while (room < left && !cpu_probe_is_at_linear(cpu, linear + room)) {
        room += cpu_probe_room(cpu, linear + room);
    }
    return room;
}

static bool watch_overlaps(const struct cpu_watch *watch, uint64_t first, uint64_t last)
{
    return watch->first <= last && first <= watch->last;
}

static bool watches_any(const struct cpu_state *cpu, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < cpu->probe->watch_count; i++) {
        const struct cpu_watch *watch = &cpu->probe->watch[i];
        if (watch_overlaps(watch, first, last) ||
            (last > UINT32_MAX && watch_overlaps(watch, 0, last - UINT32_MAX - 1))) {
            return true;
        }
    }
    return false;
}

bool cpu_probe_watches_page(const struct cpu_state *cpu, uint64_t linear)
{
    uint64_t first = linear & UINT32_MAX & ~(uint64_t)(CPU_PROBE_PAGE - 1);
    return watches_any(cpu, first, first + CPU_PROBE_PAGE - 1);
}

void cpu_probe_note_access(const struct cpu_state *cpu, uint64_t linear, unsigned width, bool write)
{
    if (watches_any(cpu, linear, linear + width - 1)) {
        cpu->probe->at_data(cpu->probe->opaque, (uint32_t)linear, width, write);
    }
}

static bool loads_any(const struct cpu_probe *probe, uint64_t first, uint64_t last)
{
    bool any = false;
    for (unsigned i = 0; i < probe->load_count; i++) {
        any |= watch_overlaps(&probe->loads[i], first, last);
    }
    return any;
}

bool cpu_probe_watches_frame(const struct cpu_state *cpu, uint64_t phys)
{
    const uint64_t first = phys & ~(uint64_t)(CPU_PROBE_PAGE - 1);
    return loads_any(cpu->probe, first, first + CPU_PROBE_PAGE - 1);
}

void cpu_probe_note_load(const struct cpu_state *cpu, uint64_t phys, unsigned length)
{
    if (loads_any(cpu->probe, phys, phys + length - 1)) {
        cpu->probe->at_load(cpu->probe->opaque, (uint32_t)phys, length);
    }
}

void cpu_probe_note_event(const struct cpu_state *cpu, enum cpu_event event, unsigned number,
                          uint32_t error_code)
{
    if (cpu_probe_wants(cpu, event)) {
        const struct cpu_event_info info = {.event = event, .number = number, .error_code = error_code};
        cpu->probe->at_event(cpu->probe->opaque, &info);
    }
}
