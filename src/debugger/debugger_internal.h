/* What the files of the debugger share: breakpoints.c has the list and its probe, run_control.c lets the
 * machine go and finds out why it stopped. */
#ifndef DOPPEL_DEBUGGER_DEBUGGER_INTERNAL_H
#define DOPPEL_DEBUGGER_DEBUGGER_INTERNAL_H

#include "debugger/debugger.h"
#include "debugger/executed_bytes.h"
#include "debugger/expression.h"
#include "debugger/guest_memory.h"
#include "debugger/trace.h"
#include "machine/machine_history.h"
#include "machine/machine_probe.h"

/* A breakpoint with what only the debugger looks at. */
struct point {
    struct breakpoint breakpoint; /* must be first */
    struct expression *condition;
    uint8_t *held; /* BREAKPOINT_DATA and _MEMORY: what its bytes were at the last boundary */
    /* Met since the last boundary, and by what. */
    bool met;
    bool has_stopped; /* and is temporary: to be removed */
    uint32_t address, value;
    unsigned width;
    bool write;
    struct machine_place place; /* of the instruction that did it; while something is searched for */
    struct cpu_event_info event;
    uint16_t from_cs;
    uint32_t from_eip;
};

struct search;

/* An instruction that at_code() was asked about. */
struct look {
    bool valid;
    uint32_t linear;
    uint64_t retired;
    uint32_t count, source, destination, stack; /* ECX, ESI, EDI, ESP */
};

enum goal {
    GOAL_NONE,
    GOAL_STEPS, /* `goal_retired` is reached */
    GOAL_PLACE, /* the instruction at `goal_linear`, with the stack no deeper than `place_sp` */
    GOAL_RETURN /* a return from a subroutine entered with the stack at `goal_sp`, on the way place by place
                 */
};

struct debugger {
    struct machine *machine;
    struct point *points[BREAKPOINTS_MAX]; /* by their numbers */
    size_t count;
    unsigned last_number;
    bool changed; /* the machine's probe is not what the list says */
    struct look resumed, last_look;
    bool met_code;
    enum goal goal;
    uint64_t goal_retired;
    uint32_t goal_linear, place_sp;
    uint32_t goal_sp;
    bool goal_has_place; /* GOAL_RETURN: it goes to `goal_linear` first */
    bool is_returning;   /* GOAL_RETURN: by the instruction that is being executed */
    /* GOAL_RETURN: where the instruction being executed is; and where the first interrupt or exception since
     * came in, which was in front of it (is_to_repeat) or behind. */
    uint64_t here_retired;
    uint32_t here_sp;
    bool is_interrupted, is_to_repeat;
    uint32_t interrupted_linear;
    struct executed_bytes *executed; /* NULL: there is no BREAKPOINT_CHANGED_CODE */
    struct trace *trace;             /* NULL: there was none yet */
    struct search *search;           /* what is searched for by executing again; NULL: nothing */
    bool (*gives_up)(void *opaque);
    void *patience_opaque;
    bool goal_met;
    bool pause_requested;
    bool has_stop;
    struct debugger_stop stop;
};

/* ---- run_control.c, also for reverse.c */

uint32_t debugger_linear_pc(const struct cpu_state *cpu);
uint32_t debugger_stack_pointer(const struct cpu_state *cpu);

/* The instruction at CS:EIP; false: there is none. */
bool debugger_decode_here(struct debugger *debugger, struct insn *insn);
bool debugger_is_repeated(const struct insn *insn);
/* Whether an instruction does its work elsewhere, or again and again, and then the one behind it is next. */
bool debugger_comes_back(const struct insn *insn);
bool debugger_returns(const struct insn *insn);

/* Whether the condition of a point holds here; says in stop->message why that cannot be known. */
bool debugger_condition_holds(struct debugger *debugger, struct point *point, struct debugger_stop *stop);
bool debugger_is_at(struct debugger *debugger, const struct breakpoint_spec *spec, uint32_t linear);

/* Nothing is met yet, and data breakpoints hold what is there now. */
void debugger_begin_run(struct debugger *debugger);
/* The breakpoint to stop for among those that were met since the last boundary, and how; NULL: none. */
const struct point *debugger_collect(struct debugger *debugger, struct debugger_stop *stop);
/* The machine goes on from a break nobody is told of: at_code() is not to ask again about the instruction
 * that it has asked about already. */
void debugger_resume_here(struct debugger *debugger);

/* ---- reverse.c: what the probe tells while something is searched for */

void debugger_search_code(struct debugger *debugger);
/* The next two: false when breakpoints do not matter to the search. */
bool debugger_search_event(struct debugger *debugger, const struct cpu_event_info *info);
/* Adds to the probe what the search wants to be told of. */
bool debugger_search_probe(const struct debugger *debugger, struct machine_probe *probe);

/* ---- breakpoints.c */

/* A breakpoint has stopped the machine: a temporary one goes with the next debugger_drop_temporary(). */
void debugger_note_stopped(struct debugger *debugger, unsigned number);

/* Makes the machine's probe what the list and the goal want. */
void debugger_install(struct debugger *debugger);

/* The probe's functions, which only take notes; run_control.c */
bool debugger_at_code(void *opaque);
void debugger_at_data(void *opaque, uint32_t linear, unsigned width, bool write);
void debugger_at_event(void *opaque, const struct cpu_event_info *info);
void debugger_at_port(void *opaque, uint16_t port, unsigned width, bool write, uint32_t value);
void debugger_at_load(void *opaque, uint32_t phys, unsigned length);
void debugger_at_store(void *opaque, uint32_t phys, unsigned length);

/* Where the bytes of a breakpoint that holds some are. */
static inline enum guest_space debugger_space(const struct breakpoint_spec *spec)
{
    return spec->kind == BREAKPOINT_MEMORY ? GUEST_PHYSICAL : GUEST_LINEAR;
}

#endif
