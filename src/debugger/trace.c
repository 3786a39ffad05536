/* See trace.h. */
#include "debugger/trace.h"

#include <stdlib.h>

#include "debugger/guest_memory.h"
#include "decoder/decoder.h"
#include "isa/isa.h"
#include "machine/machine.h"

/* The instruction that was asked about last. */
struct last_code {
    bool valid;
    bool repeated; /* a string instruction with a REP prefix */
    uint64_t retired;
    uint32_t linear;
    struct trace_entry entry;
};

struct trace {
    struct machine *machine;
    unsigned kinds;
    struct last_code last;
    bool
        awaits_target; /* the newest entry is an interrupt; where it leads is known at the next instruction */
    size_t capacity, count, newest;
    struct trace_entry entries[];
};

struct trace *trace_create(struct machine *machine, unsigned kinds, size_t capacity)
{
    struct trace *trace = calloc(1, sizeof *trace + capacity * sizeof trace->entries[0]);
    if (trace != NULL) {
        trace->machine = machine;
        trace->kinds = kinds;
        trace->capacity = capacity;
    }
    return trace;
}

void trace_destroy(struct trace *trace)
{
    free(trace);
}

void trace_end(struct trace *trace)
{
    trace->kinds = 0;
}

unsigned trace_kinds(const struct trace *trace)
{
    return trace != NULL ? trace->kinds : 0;
}

size_t trace_count(const struct trace *trace)
{
    return trace != NULL ? trace->count : 0;
}

const struct trace_entry *trace_entry(const struct trace *trace, size_t index)
{
    return &trace->entries[(trace->newest + trace->capacity - (trace->count - 1 - index)) % trace->capacity];
}

/* ---- adding */

static void add(struct trace *trace, const struct trace_entry *entry)
{
    trace->newest = (trace->newest + 1) % trace->capacity;
    trace->count += trace->count < trace->capacity;
    trace->entries[trace->newest] = *entry;
    trace->awaits_target = false;
}

static void drop_newest(struct trace *trace)
{
    trace->newest = (trace->newest + trace->capacity - 1) % trace->capacity;
    trace->count--;
    trace->awaits_target = false;
}

void trace_forget_behind(struct trace *trace, uint64_t retired)
{
    while (trace_count(trace) > 0 && trace->entries[trace->newest].retired >= retired) {
        drop_newest(trace);
    }
    if (trace != NULL) {
        trace->last.valid = false;
    }
}

static uint32_t linear_pc(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip);
}

static struct trace_entry entry_here(const struct trace *trace, enum trace_kind kind)
{
    const struct cpu_state *cpu = machine_cpu(trace->machine);
    return (struct trace_entry){.kind = kind,
                                .retired = cpu->retired,
                                .linear = linear_pc(cpu),
                                .code_size = cpu->code_size,
                                .cs = cpu->segment[CPU_CS].selector,
                                .eip = (uint32_t)cpu->rip};
}

/* Reads the instruction at the entry's address. True: it is a repeated string instruction. */
static bool read_code(const struct trace *trace, struct trace_entry *entry)
{
    const struct decode_mode mode = isa_decode_mode(machine_cpu(trace->machine));
    struct insn insn;
    size_t read =
        guest_memory_read(trace->machine, GUEST_LINEAR, entry->linear, entry->bytes, sizeof entry->bytes);
    if (decoder_decode(&mode, entry->bytes, read, &insn) != DECODE_OK) {
        return false;
    }
    entry->length = insn.length;
    return (insn_info((enum insn_id)insn.id)->properties & INSN_STRING) != 0 &&
           (insn.prefixes & (PREFIX_REP | PREFIX_REPNE)) != 0;
}

static bool was_asked(const struct last_code *last, uint32_t linear, uint64_t retired)
{
    return last->valid && last->linear == linear &&
           (last->retired == retired || (last->repeated && last->retired < retired));
}

/* The last instruction has led to `linear`. */
static void note_way(struct trace *trace, uint32_t linear)
{
    struct trace_entry branch = trace->last.entry;
    const uint32_t next = branch.linear + branch.length;
    if (trace->awaits_target) {
        struct trace_entry *interrupt = &trace->entries[trace->newest];
        interrupt->target = linear;
        interrupt->has_target = true;
        trace->awaits_target = false;
    }
    if (trace->last.valid && (trace->kinds & TRACE_BRANCHES) != 0 && linear != next) {
        branch.kind = TRACE_BRANCHES;
        branch.target = linear;
        branch.has_target = true;
        add(trace, &branch);
    }
}

void trace_note_code(struct trace *trace)
{
    if ((trace_kinds(trace) & (TRACE_INSTRUCTIONS | TRACE_BRANCHES)) == 0) {
        return;
    }
    struct trace_entry entry = entry_here(trace, TRACE_INSTRUCTIONS);
    if (was_asked(&trace->last, entry.linear, entry.retired)) {
        return;
    }
    note_way(trace, entry.linear);
    bool repeated = read_code(trace, &entry);
    trace->last = (struct last_code){.valid = true,
                                     .repeated = repeated,
                                     .retired = entry.retired,
                                     .linear = entry.linear,
                                     .entry = entry};
    if ((trace->kinds & TRACE_INSTRUCTIONS) != 0) {
        add(trace, &entry);
    }
}

static bool is_delivery(const struct cpu_event_info *info)
{
    return info->event != CPU_EVENT_CONTROL && info->event != CPU_EVENT_MODE;
}

/* An interrupt comes in front of the instruction at `linear`: a branch may have led there, and what was asked
 * about without being executed is taken back. */
static void interrupt_code(struct trace *trace, uint32_t linear, uint64_t retired)
{
    const struct last_code *last = &trace->last;
    if (!last->valid) {
        return;
    }
    if (last->linear != linear) {
        note_way(trace, linear);
    } else if (last->retired == retired && (trace->kinds & TRACE_INSTRUCTIONS) != 0 && trace->count > 0) {
        drop_newest(trace);
    }
}

void trace_note_event(struct trace *trace, const struct cpu_event_info *info)
{
    if (trace_kinds(trace) == 0) {
        return;
    }
    struct trace_entry entry = entry_here(trace, TRACE_INTERRUPTS);
    entry.event = *info;
    if (info->event == CPU_EVENT_INTERRUPT) {
        interrupt_code(trace, entry.linear, entry.retired);
    }
    if (is_delivery(info)) {
        trace->last.valid = false;
    }
    if ((trace->kinds & TRACE_INTERRUPTS) != 0) {
        add(trace, &entry);
        trace->awaits_target = is_delivery(info);
    }
}

void trace_note_port(struct trace *trace, uint16_t port, unsigned width, bool write, uint32_t value)
{
    if ((trace_kinds(trace) & TRACE_IO) == 0) {
        return;
    }
    struct trace_entry entry = entry_here(trace, TRACE_IO);
    const struct trace_entry *newest = &trace->entries[trace->newest];
    bool repeated = read_code(trace, &entry);
    if (repeated && trace->count > 0 && newest->kind == TRACE_IO && newest->linear == entry.linear &&
        newest->port == port) {
        return;
    }
    entry.port = port;
    entry.width = (uint8_t)width;
    entry.write = write;
    entry.value = value;
    add(trace, &entry);
}
