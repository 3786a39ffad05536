/* The trace: the last things that the guest did, kept in a ring while somebody asks for them.
 *
 * What is kept is chosen by kind. Interrupts and port accesses are told by the machine's probe and cost no
 * more than themselves. Instructions and branches have the probe ask about every instruction, which therefore
 * are executed one at a time by the interpreter; while nothing is traced, nothing is asked.
 *
 * Entries are the same on every engine. A repeated string instruction is one entry, however often it is
 * interrupted; what is asked about again because the machine stopped in front of it is not entered again.
 *
 * NOT IMPLEMENTED: accesses to memory (watchpoints see these). */
#ifndef DOPPEL_DEBUGGER_TRACE_H
#define DOPPEL_DEBUGGER_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/probe.h"
#include "decoder/insn.h"

struct machine;
struct trace;

#define TRACE_ENTRIES_MAX 1000000u

/* What is kept, as bits of a set. */
enum trace_kind {
    TRACE_INSTRUCTIONS = 1, /* each one, before it is executed */
    TRACE_BRANCHES = 2,     /* each that did not go on to the next one */
    TRACE_INTERRUPTS = 4,   /* interrupts, exceptions, modes, control registers */
    TRACE_IO = 8            /* accesses to ports */
};

struct trace_entry {
    enum trace_kind kind;
    uint64_t retired; /* instructions executed before */
    uint32_t linear;  /* the instruction that did it, or in front of which it happened */
    uint32_t target;  /* where a branch or an interrupt led; valid if has_target */
    bool has_target;
    /* The instruction's bytes as they were; 0: they could not be read. Not of interrupts. */
    uint8_t length, code_size;
    uint8_t bytes[INSN_MAX_LENGTH];
    struct cpu_event_info event; /* TRACE_INTERRUPTS, and the address as the CPU has it */
    uint16_t cs;
    uint32_t eip;
    uint16_t port; /* TRACE_IO */
    uint8_t width;
    bool write;
    uint32_t value;
};

/* Keeps the last `capacity` (1 to TRACE_ENTRIES_MAX) entries of `kinds`. NULL when out of memory. */
struct trace *trace_create(struct machine *machine, unsigned kinds, size_t capacity);
void trace_destroy(struct trace *trace);

/* No entries are added any more; those that are there stay. */
void trace_end(struct trace *trace);

/* What is being added: bits of enum trace_kind; 0: nothing, or there is no trace (NULL). */
unsigned trace_kinds(const struct trace *trace);

/* Entries that are there, and the n-th of them, the oldest first. */
size_t trace_count(const struct trace *trace);
const struct trace_entry *trace_entry(const struct trace *trace, size_t index);

/* Drops what happened behind this number of instructions: the machine has gone back to there. */
void trace_forget_behind(struct trace *trace, uint64_t retired);

/* ---- from the probe; `trace` may be NULL */

/* The instruction at CS:EIP is about to be executed, or to stop the machine. */
void trace_note_code(struct trace *trace);
void trace_note_event(struct trace *trace, const struct cpu_event_info *info);
void trace_note_port(struct trace *trace, uint16_t port, unsigned width, bool write, uint32_t value);

#endif
