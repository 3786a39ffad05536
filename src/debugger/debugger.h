/* Breakpoints and run control of one machine, for everybody who debugs it: the monitor, the gdb server.
 *
 * The machine runs at full speed on its engine; what it is to stop at is a probe (machine_probe.h). Whoever
 * runs the machine shows each return of machine_run() to debugger_take_stop(), which says whether the guest
 * has come to something worth a stop, and pauses the machine then.
 *
 * Code breakpoints stop in front of the instruction; all others behind the one that met them, interrupts and
 * exceptions at the first instruction of the handler. Conditions are evaluated there. A repeated string
 * instruction is one instruction to a code breakpoint.
 *
 * Everything belongs to the machine's thread.
 *
 * NOT IMPLEMENTED: fetches of instructions and walks of page tables as reads. */
#ifndef DOPPEL_DEBUGGER_DEBUGGER_H
#define DOPPEL_DEBUGGER_DEBUGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "cpu/probe.h"
#include "machine/machine.h"

struct debugger;
struct expression_scope;
struct trace;

#define BREAKPOINTS_MAX       256u
#define BREAKPOINT_DATA_BYTES 65536u /* of one data breakpoint, at most */

enum breakpoint_kind {
    BREAKPOINT_CODE,     /* the instruction at a linear address */
    BREAKPOINT_PHYSICAL, /* the same at a physical one, by whatever linear address */
    BREAKPOINT_DATA,     /* the CPU's accesses to linear addresses */
    BREAKPOINT_MEMORY,   /* accesses to physical addresses, also by devices */
    /* The CPU's stores to bytes that were executed since the breakpoint is there; going back, in what is
     * looked at on the way. */
    BREAKPOINT_CHANGED_CODE,
    BREAKPOINT_PORT,
    BREAKPOINT_EVENT
};

enum breakpoint_access {
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
    ACCESS_CHANGE = 4 /* writes that leave another value behind; without the others */
};

/* What to stop for. `first` to `last` are addresses, ports, or an event's numbers (enum cpu_event: vectors,
 * control registers, enum cpu_mode). */
struct breakpoint_spec {
    enum breakpoint_kind kind;
    uint32_t first, last;
    /* enum breakpoint_access, of BREAKPOINT_DATA, _MEMORY and _PORT (not ACCESS_CHANGE) */
    unsigned access;
    enum cpu_event event;  /* BREAKPOINT_EVENT */
    const char *condition; /* an expression (expression.h); NULL: none */
    bool temporary;        /* gone once it has stopped the machine */
    bool hidden;           /* somebody's own: has a number, but is not listed to people */
};

struct breakpoint {
    struct breakpoint_spec spec; /* .condition is a copy */
    unsigned number;
    bool enabled;
    uint64_t hits;   /* times it was met with its condition true */
    uint64_t ignore; /* so many of them pass by before the next stop */
    char *commands;  /* lines of the monitor, for a stop; NULL: none */
};

enum debugger_stop_reason {
    STOPPED_BREAKPOINT, /* .breakpoint has the number */
    STOPPED_STEP,       /* the instructions that were asked for are executed, or the place is reached */
    STOPPED_REQUEST,    /* debugger_pause(); a search was given up */
    STOPPED_BEGINNING   /* there is no going back any further */
};

struct debugger_stop {
    enum debugger_stop_reason reason;
    unsigned breakpoint;
    enum breakpoint_kind kind; /* the rest: STOPPED_BREAKPOINT */
    struct cpu_event_info event;
    uint16_t from_cs; /* of an event: the instruction that caused it or was to be the next */
    uint32_t from_eip;
    uint32_t address; /* of the access; a port */
    unsigned width;   /* bytes of the access */
    bool write;
    bool is_ahead; /* when going back: the access is what the next instruction will do */
    uint64_t before,
        after;         /* what the breakpoint's first 8 bytes (or fewer) held; ports: .after, the value */
    char message[160]; /* why a condition could not be evaluated; otherwise empty */
};

/* `machine` is borrowed; it must not have a probe of somebody else's. NULL when out of memory. */
struct debugger *debugger_create(struct machine *machine);
void debugger_destroy(struct debugger *debugger);

/* ---- breakpoints: while the machine is paused, or between runs */

/* Errors: STATUS_INVALID_ARGUMENT for a range that is empty or too long, or a condition that is none;
 * STATUS_NO_MEMORY, also when there are BREAKPOINTS_MAX. `scope` is for the condition's names and may be
 * NULL. */
struct status debugger_add(struct debugger *debugger, const struct breakpoint_spec *spec,
                           const struct expression_scope *scope, unsigned *number) STATUS_MUST_CHECK;

/* False: there is none with this number. */
bool debugger_remove(struct debugger *debugger, unsigned number);
bool debugger_enable(struct debugger *debugger, unsigned number, bool enabled);

/* Another condition; NULL: none. */
struct status debugger_set_condition(struct debugger *debugger, unsigned number, const char *condition,
                                     const struct expression_scope *scope) STATUS_MUST_CHECK;

/* The n-th in the order of their numbers, hidden ones too; NULL past the end. `ignore`, `hits` and `commands`
 * may be changed. */
struct breakpoint *debugger_breakpoint(struct debugger *debugger, size_t index);
struct breakpoint *debugger_find(struct debugger *debugger, unsigned number);

/* Whether an enabled code breakpoint that is not hidden is at a linear address. */
bool debugger_has_code_breakpoint(struct debugger *debugger, uint32_t linear);

/* ---- run control: the machine is paused, and goes on */

void debugger_continue(struct debugger *debugger);

/* Executes `count` instructions; interrupts are taken on the way. */
void debugger_step(struct debugger *debugger, uint64_t count);

/* The same with one, but calls, interrupts (INT n) and repeated string instructions are executed to their
 * end. */
void debugger_next(struct debugger *debugger);

/* Until the present subroutine has returned. */
void debugger_finish(struct debugger *debugger);

/* Until the instruction at a linear address is to be executed. */
void debugger_run_to(struct debugger *debugger, uint32_t linear);

/* Pauses a running machine at the next occasion: a stop with STOPPED_REQUEST. */
void debugger_pause(struct debugger *debugger);

/* To be called with what machine_run() has returned. True: the machine is paused now, and `stop` says why. */
bool debugger_take_stop(struct debugger *debugger, enum machine_stop reason, struct debugger_stop *stop);

/* Removes temporary breakpoints that have stopped the machine: by whoever has looked at them, at the latest
 * when the machine goes on. */
void debugger_drop_temporary(struct debugger *debugger);

/* ---- going back: the machine is paused before and after, and has a history (machine_history.h)
 *
 * All of these come back with the machine at another place and with why it is there in *stop, or with an
 * error: there is no history, or it did not lead there again; then the machine may be at yet another place.
 */

/* Searching takes as long as executing what is searched: now and then `gives_up` is asked, and true ends the
 * search; the machine is where it began then, with STOPPED_REQUEST. NULL, as at first: nobody is asked. */
void debugger_set_patience(struct debugger *debugger, bool (*gives_up)(void *opaque), void *opaque);

/* Back by `count` instructions, whatever breakpoints there are. */
struct status debugger_reverse_step(struct debugger *debugger, uint64_t count,
                                    struct debugger_stop *stop) STATUS_MUST_CHECK;

/* The same by one, but subroutines, interrupts (INT n) and repeated string instructions that end here are
 * undone as a whole. */
struct status debugger_reverse_next(struct debugger *debugger, struct debugger_stop *stop) STATUS_MUST_CHECK;

/* To the call or INT n that led into the present subroutine, or to where an interrupt came in. It is found by
 * the stack pointer: subroutines that change stacks mislead it. Without one, to the beginning. */
struct status debugger_reverse_finish(struct debugger *debugger,
                                      struct debugger_stop *stop) STATUS_MUST_CHECK;

/* To the last place before here at which a breakpoint would have stopped the machine. Accesses to memory and
 * ports are ahead then (stop->is_ahead). Hits are not counted, and counts to ignore do not matter. Without
 * such a place, to the beginning. */
struct status debugger_reverse_continue(struct debugger *debugger,
                                        struct debugger_stop *stop) STATUS_MUST_CHECK;

/* To where so many instructions have been executed since power-on, before or behind the present place but
 * within what history knows. */
struct status debugger_go_to(struct debugger *debugger, uint64_t retired,
                             struct debugger_stop *stop) STATUS_MUST_CHECK;

/* Something is about to change the guest from outside, or just has. True: there was a history, which now
 * begins here. */
bool debugger_forget_history(struct debugger *debugger);

/* ---- trace.h */

/* Keeps the last `capacity` (1 to TRACE_ENTRIES_MAX) things of `kinds` (bits of enum trace_kind) from now on,
 * in place of an earlier trace. Errors: out of memory. */
struct status debugger_start_trace(struct debugger *debugger, unsigned kinds,
                                   size_t capacity) STATUS_MUST_CHECK;

/* What was kept stays. */
void debugger_end_trace(struct debugger *debugger);

/* NULL: there was none yet. */
const struct trace *debugger_trace(const struct debugger *debugger);

/* The last stop since the machine was last let go; NULL: it runs, or was paused by others. */
const struct debugger_stop *debugger_last_stop(const struct debugger *debugger);

#endif
