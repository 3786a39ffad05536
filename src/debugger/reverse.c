/* Going back, on the debugger's side; see debugger.h.
 *
 * To find the last place of some kind before here, the machine is put back to the checkpoint before, executes
 * again up to here, and the last such place that it passes is kept; when there is none, the same is done from
 * the checkpoint before that, up to the one that was begun with. Then the machine is put at what was found.
 *
 * Four kinds of places are searched for: where a breakpoint stops the machine, the first iteration of a
 * repeated string instruction, the call that returned to here, and the call of the present subroutine. For
 * the last, every instruction is looked at: calls are put on a stack, and taken off when the stack pointer is
 * above them again.
 *
 * A store to code that was executed is only known for one when that is seen being executed before. So when
 * such stores are looked for, the parts all end here, and each begins four times as far back as the one
 * before. */
#include <stdlib.h>
#include <string.h>

#include "bus/event_clock.h"
#include "cpu/cpu.h"
#include "debugger/debugger_internal.h"
#include "decoder/decoder.h"
#include "isa/isa.h"

#define SLICE_NS     (100 * NS_PER_MILLISECOND)
#define WINDOW       1000000u /* instructions: the first part in which changed code is looked for */
#define CALLS_MAX    4096u    /* the outermost ones are forgotten */
#define CALL_LONGEST 15u      /* bytes of an instruction */

enum search_kind { SEARCH_BREAKPOINTS, SEARCH_INSTRUCTION, SEARCH_CALL_BEFORE, SEARCH_CALLER };

/* A call that has not returned, by where the stack was before it. */
struct call {
    struct machine_place place;
    uint32_t stack;
    uint16_t stack_segment;
    uint8_t ring;
};

struct search {
    enum search_kind kind;
    struct machine_place here; /* where it began */
    struct machine_place end;  /* of the part that is being executed */
    bool found, given_up;
    struct machine_place place;
    struct debugger_stop stop; /* why the machine is at `place` */
    uint32_t linear;           /* the instruction; the one behind the call */
    uint32_t stack;            /* SEARCH_CALL_BEFORE: what it was at the call */
    /* SEARCH_CALLER */
    uint16_t stack_segment;
    uint32_t highest; /* how far up the stack was on that segment since `end` */
    uint32_t seen;    /* and in the part that is being executed */
    size_t call_count;
    struct call calls[CALLS_MAX];
};

/* ---- what the probe tells */

/* False: it is not before the place where the search began. */
static bool keep_place(struct search *search, const struct machine_place *place)
{
    const bool is_before = machine_place_compare(place, &search->here) < 0;
    if (is_before) {
        search->found = true;
        search->place = *place;
    }
    return is_before;
}

static void look_at_breakpoints(struct debugger *debugger, const struct machine_place *place)
{
    const uint32_t linear = debugger_linear_pc(machine_cpu(debugger->machine));
    struct search *search = debugger->search;
    bool found = false;
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        struct debugger_stop stop = {.reason = STOPPED_BREAKPOINT,
                                     .breakpoint = point->breakpoint.number,
                                     .kind = point->breakpoint.spec.kind};
        bool better = !found || !point->breakpoint.spec.hidden;
        if (better && point->breakpoint.enabled &&
            debugger_is_at(debugger, &point->breakpoint.spec, linear) &&
            debugger_condition_holds(debugger, point, &stop) && keep_place(search, place)) {
            found = true;
            search->stop = stop;
        }
    }
}

static bool is_call(const struct insn *insn)
{
    return debugger_comes_back(insn) && !debugger_is_repeated(insn);
}

static bool is_call_before(struct debugger *debugger)
{
    const struct search *search = debugger->search;
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    struct insn insn;
    return debugger_stack_pointer(cpu) == search->stack && debugger_decode_here(debugger, &insn) &&
           is_call(&insn) && debugger_linear_pc(cpu) + insn.length == search->linear;
}

/* Takes calls off whose subroutines have been left: the stack is at, or above, where it was before. What was
 * called on another stack meanwhile goes with them, as do the calls of inner rings, whose stacks begin anew
 * when they are entered again. */
static void drop_calls(struct search *search, uint8_t ring, uint16_t stack_segment, uint32_t stack)
{
    while (search->call_count > 0 && search->calls[search->call_count - 1].ring < ring) {
        search->call_count--;
    }
    for (size_t i = search->call_count; i > 0; i--) {
        const struct call *call = &search->calls[i - 1];
        if (call->stack_segment == stack_segment) {
            if (call->stack > stack) {
                return;
            }
            search->call_count = i - 1;
        }
    }
}

static void push_call(struct debugger *debugger)
{
    struct search *search = debugger->search;
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    if (search->call_count == CALLS_MAX) {
        memmove(&search->calls[0], &search->calls[1], (CALLS_MAX - 1) * sizeof search->calls[0]);
        search->call_count--;
    }
    search->calls[search->call_count++] = (struct call){.place = machine_place(debugger->machine),
                                                        .stack = debugger_stack_pointer(cpu),
                                                        .stack_segment = cpu->segment[CPU_SS].selector,
                                                        .ring = cpu->cpl};
}

/* The stack is where it is now. */
static void note_stack(struct debugger *debugger)
{
    struct search *search = debugger->search;
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    const uint16_t stack_segment = cpu->segment[CPU_SS].selector;
    const uint32_t stack = debugger_stack_pointer(cpu);
    drop_calls(search, cpu->cpl, stack_segment, stack);
    if (stack_segment == search->stack_segment && stack > search->seen) {
        search->seen = stack;
    }
}

static void look_for_caller(struct debugger *debugger)
{
    struct insn insn;
    note_stack(debugger);
    if (debugger_decode_here(debugger, &insn) && (insn.id == INSN_SYSENTER || is_call(&insn))) {
        push_call(debugger);
    }
}

void debugger_search_code(struct debugger *debugger)
{
    struct search *search = debugger->search;
    const struct machine_place place = machine_place(debugger->machine);
    switch (search->kind) {
    case SEARCH_BREAKPOINTS: look_at_breakpoints(debugger, &place); break;
    case SEARCH_INSTRUCTION:
        if (debugger_linear_pc(machine_cpu(debugger->machine)) == search->linear) {
            (void)keep_place(search, &place);
        }
        break;
    case SEARCH_CALL_BEFORE:
        if (is_call_before(debugger)) {
            (void)keep_place(search, &place);
        }
        break;
    case SEARCH_CALLER: look_for_caller(debugger); break;
    }
}

bool debugger_search_event(struct debugger *debugger, const struct cpu_event_info *info)
{
    struct search *search = debugger->search;
    const bool interrupts = info->event == CPU_EVENT_INTERRUPT || info->event == CPU_EVENT_EXCEPTION;
    if (search->kind == SEARCH_CALLER && interrupts) {
        note_stack(debugger);
        push_call(debugger);
    }
    if (info->event == CPU_EVENT_INTERRUPT && machine_retired(debugger->machine) >= search->end.retired) {
        machine_request_break(debugger->machine); /* the end may be in front of the handler */
    }
    return search->kind == SEARCH_BREAKPOINTS;
}

bool debugger_search_probe(const struct debugger *debugger, struct machine_probe *probe)
{
    const struct search *search = debugger->search;
    probe->cpu.events |= 1u << CPU_EVENT_INTERRUPT;
    switch (search->kind) {
    case SEARCH_BREAKPOINTS: return true;
    case SEARCH_INSTRUCTION: cpu_probe_add_place(&probe->cpu, search->linear); return false;
    case SEARCH_CALL_BEFORE:
        for (uint32_t length = 1; length <= CALL_LONGEST; length++) {
            cpu_probe_add_place(&probe->cpu, search->linear - length);
        }
        return false;
    case SEARCH_CALLER:
        probe->cpu.events |= 1u << CPU_EVENT_EXCEPTION;
        cpu_probe_add_all(&probe->cpu);
        return false;
    }
    return false;
}

/* ---- executing again */

/* Whether what a point was met by is the work of an instruction, which has been executed since: stores of
 * devices may come between two. */
static bool is_access(const struct debugger *debugger, const struct point *point)
{
    const enum breakpoint_kind kind = point->breakpoint.spec.kind;
    return kind != BREAKPOINT_CODE && kind != BREAKPOINT_PHYSICAL && kind != BREAKPOINT_EVENT &&
           point->place.retired < machine_retired(debugger->machine);
}

/* The machine has come back with a break. */
static void take_hit(struct debugger *debugger)
{
    struct search *search = debugger->search;
    struct debugger_stop stop;
    const struct point *point = debugger_collect(debugger, &stop);
    if (point == NULL) {
        return;
    }
    stop.is_ahead = is_access(debugger, point);
    const struct machine_place place = stop.is_ahead ? point->place : machine_place(debugger->machine);
    if (keep_place(search, &place)) {
        search->stop = stop;
    }
}

void debugger_set_patience(struct debugger *debugger, bool (*gives_up)(void *opaque), void *opaque)
{
    debugger->gives_up = gives_up;
    debugger->patience_opaque = opaque;
}

/* Executes up to the end of the part, with the probe. False: nobody wants to wait for it. */
static bool execute_part(struct debugger *debugger)
{
    bool goes_on = true;
    struct machine *machine = debugger->machine;
    const struct machine_place *end = &debugger->search->end;
    debugger_begin_run(debugger);
    machine_resume(machine);
    for (struct machine_place place = machine_place(machine);
         goes_on && machine_place_compare(&place, end) < 0; place = machine_place(machine)) {
        /* Interrupts may be taken behind the last instruction. */
        machine_set_step_limit(machine, place.retired < end->retired ? end->retired : end->retired + 1);
        const enum machine_stop reason = machine_run(machine, SLICE_NS);
        if (reason == MACHINE_POWER_OFF) {
            break;
        }
        if (reason == MACHINE_BREAK) {
            take_hit(debugger);
        }
        debugger_resume_here(debugger);
        goes_on = debugger->gives_up == NULL || !debugger->gives_up(debugger->patience_opaque);
    }
    machine_pause(machine);
    machine_set_step_limit(machine, 0);
    machine_cancel_break(machine);
    return goes_on;
}

/* The innermost of the calls that are left and whose subroutines were not left later on. */
static void find_caller(struct debugger *debugger)
{
    struct search *search = debugger->search;
    while (search->call_count > 0 && !search->found) {
        const struct call *call = &search->calls[--search->call_count];
        if (call->stack_segment != search->stack_segment || call->stack > search->highest) {
            (void)keep_place(search, &call->place);
        }
    }
    search->highest = search->seen > search->highest ? search->seen : search->highest;
    search->seen = 0;
}

static struct status need_history(const struct debugger *debugger)
{
    return machine_has_history(debugger->machine)
               ? status_ok()
               : status_error(STATUS_UNSUPPORTED,
                              "nothing is kept to go back by: start doppel with -reverse");
}

/* Puts the machine at a checkpoint before `end`, the last one that is not within a repeated string
 * instruction: that would look like its beginning. False: there is none. */
static bool begin_part(struct debugger *debugger, const struct machine_place *end,
                       struct machine_place *checkpoint, struct status *status)
{
    struct machine_place earlier;
    struct insn insn;
    if (!machine_history_before(debugger->machine, end, checkpoint)) {
        return false;
    }
    *status = machine_history_restore(debugger->machine, checkpoint);
    while (status_is_ok(status) && debugger_decode_here(debugger, &insn) && debugger_is_repeated(&insn) &&
           machine_history_before(debugger->machine, checkpoint, &earlier)) {
        *checkpoint = earlier;
        *status = machine_history_restore(debugger->machine, checkpoint);
    }
    return true;
}

/* From checkpoint to checkpoint, until it is found or there is no more; the machine is anywhere then. */
static struct status execute_again(struct debugger *debugger)
{
    struct search *search = debugger->search;
    struct machine_place checkpoint;
    struct status status = status_ok();
    while (!search->found && begin_part(debugger, &search->end, &checkpoint, &status)) {
        if (!status_is_ok(&status)) {
            return status;
        }
        if (!execute_part(debugger)) {
            search->given_up = true;
            return status;
        }
        find_caller(debugger);
        search->end = checkpoint;
    }
    return status;
}

/* ---- changed code */

static bool looks_for_changed_code(const struct debugger *debugger)
{
    bool any = false;
    for (size_t i = 0; i < debugger->count; i++) {
        const struct breakpoint *breakpoint = &debugger->points[i]->breakpoint;
        any |= breakpoint->enabled && breakpoint->spec.kind == BREAKPOINT_CHANGED_CODE;
    }
    return any && debugger->executed != NULL && debugger->search->kind == SEARCH_BREAKPOINTS;
}

/* Puts the machine `window` instructions back or more; *is_all: at the beginning. */
static struct status begin_window(struct debugger *debugger, uint64_t window, bool *is_all)
{
    const struct machine_place first = machine_history_first(debugger->machine);
    const uint64_t here = debugger->search->here.retired;
    struct status status = status_ok();
    struct machine_place checkpoint;
    *is_all = true;
    if (here > first.retired && here - first.retired > window) {
        const struct machine_place start = {.retired = here - window};
        *is_all = !begin_part(debugger, &start, &checkpoint, &status) ||
                  machine_place_compare(&checkpoint, &first) <= 0;
    }
    return *is_all ? machine_history_restore(debugger->machine, &first) : status;
}

static struct status execute_windows(struct debugger *debugger)
{
    struct search *search = debugger->search;
    struct status status = status_ok();
    bool is_all = false;
    for (uint64_t window = WINDOW; !is_all && !search->found && !search->given_up; window *= 4) {
        status = begin_window(debugger, window, &is_all);
        if (!status_is_ok(&status)) {
            return status;
        }
        executed_bytes_clear(debugger->executed);
        search->given_up = !execute_part(debugger);
    }
    return status;
}

/* Looking at every instruction takes its time: whoever goes back by one leaves checkpoints close in front of
 * here. */
static struct status make_parts_short(struct debugger *debugger)
{
    const struct machine_place first = machine_history_first(debugger->machine);
    const uint64_t retired = machine_retired(debugger->machine);
    const struct machine_place before = {.retired = retired - 1};
    return retired > first.retired + 1 ? machine_history_seek(debugger->machine, &before) : status_ok();
}

/* The last place before here that `search` looks for, if there is one; the machine is anywhere then. */
static struct status search_back(struct debugger *debugger, struct search *search)
{
    search->here = machine_place(debugger->machine);
    search->end = search->here;
    struct status status = search->kind == SEARCH_CALLER ? make_parts_short(debugger) : status_ok();
    if (!status_is_ok(&status)) {
        return status;
    }
    debugger->search = search;
    debugger->changed = true;
    debugger_install(debugger);
    status = looks_for_changed_code(debugger) ? execute_windows(debugger) : execute_again(debugger);
    debugger->search = NULL;
    debugger->changed = true;
    return status;
}

/* Puts the machine at a place for good. */
static struct status go_to(struct debugger *debugger, const struct machine_place *place,
                           const struct debugger_stop *stop)
{
    struct status status = machine_history_seek(debugger->machine, place);
    trace_forget_behind(debugger->trace, machine_retired(debugger->machine));
    if (debugger->executed != NULL) {
        executed_bytes_clear(debugger->executed);
    }
    debugger->stop = *stop;
    debugger->has_stop = true;
    return status;
}

static struct status go_to_beginning(struct debugger *debugger, struct debugger_stop *stop)
{
    const struct machine_place first = machine_history_first(debugger->machine);
    *stop = (struct debugger_stop){.reason = STOPPED_BEGINNING};
    return go_to(debugger, &first, stop);
}

struct status debugger_go_to(struct debugger *debugger, uint64_t retired, struct debugger_stop *stop)
{
    struct status status = need_history(debugger);
    if (!status_is_ok(&status)) {
        return status;
    }
    const struct machine_place first = machine_history_first(debugger->machine);
    if (retired < first.retired) {
        return go_to_beginning(debugger, stop);
    }
    const struct machine_place place =
        retired == first.retired ? first : (struct machine_place){.retired = retired};
    *stop = (struct debugger_stop){.reason = STOPPED_STEP};
    return go_to(debugger, &place, stop);
}

struct status debugger_reverse_step(struct debugger *debugger, uint64_t count, struct debugger_stop *stop)
{
    const uint64_t retired = machine_retired(debugger->machine);
    struct status status = need_history(debugger);
    if (status_is_ok(&status) && count > retired) {
        return go_to_beginning(debugger, stop);
    }
    return status_is_ok(&status) ? debugger_go_to(debugger, retired - count, stop) : status;
}

static struct search *new_search(enum search_kind kind)
{
    struct search *search = calloc(1, sizeof *search);
    if (search != NULL) {
        search->kind = kind;
        search->stop.reason = STOPPED_STEP;
    }
    return search;
}

static struct status out_of_memory(void)
{
    return status_error(STATUS_NO_MEMORY, "out of memory");
}

/* Where a search has led: to what was found, to the beginning, or, given up, to where it began. */
static struct status come_to_rest(struct debugger *debugger, const struct search *search,
                                  struct debugger_stop *stop)
{
    if (search->given_up) {
        *stop = (struct debugger_stop){.reason = STOPPED_REQUEST};
        return go_to(debugger, &search->here, stop);
    }
    if (!search->found) {
        return go_to_beginning(debugger, stop);
    }
    *stop = search->stop;
    return go_to(debugger, &search->place, stop);
}

struct status debugger_reverse_continue(struct debugger *debugger, struct debugger_stop *stop)
{
    struct status status = need_history(debugger);
    struct search *search = status_is_ok(&status) ? new_search(SEARCH_BREAKPOINTS) : NULL;
    if (search == NULL) {
        return status_is_ok(&status) ? out_of_memory() : status;
    }
    status = search_back(debugger, search);
    if (status_is_ok(&status)) {
        status = come_to_rest(debugger, search, stop);
    }
    if (status_is_ok(&status) && stop->reason == STOPPED_BREAKPOINT) {
        debugger_note_stopped(debugger, stop->breakpoint);
    }
    free(search);
    return status;
}

struct status debugger_reverse_finish(struct debugger *debugger, struct debugger_stop *stop)
{
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    struct status status = need_history(debugger);
    struct search *search = status_is_ok(&status) ? new_search(SEARCH_CALLER) : NULL;
    if (search == NULL) {
        return status_is_ok(&status) ? out_of_memory() : status;
    }
    search->stack_segment = cpu->segment[CPU_SS].selector;
    search->highest = debugger_stack_pointer(cpu);
    status = search_back(debugger, search);
    if (status_is_ok(&status)) {
        status = come_to_rest(debugger, search, stop);
    }
    free(search);
    return status;
}

/* ---- one instruction, or what counts as one */

/* Whether some CALL or INT n ends in front of `linear`. */
static bool call_may_end_at(struct debugger *debugger, uint32_t linear)
{
    const struct decode_mode mode = isa_decode_mode(machine_cpu(debugger->machine));
    for (uint32_t length = 1; length <= CALL_LONGEST; length++) {
        uint8_t bytes[CALL_LONGEST];
        struct insn insn;
        size_t read = guest_memory_read(debugger->machine, GUEST_LINEAR, linear - length, bytes, length);
        if (decoder_decode(&mode, bytes, read, &insn) == DECODE_OK && insn.length == length &&
            is_call(&insn)) {
            return true;
        }
    }
    return false;
}

/* What the instruction here, which is going to lead to `behind`, ends: whether there is something to search
 * for. */
static bool describe_search(struct debugger *debugger, uint32_t behind, uint32_t stack_behind,
                            struct search *search)
{
    struct insn insn;
    if (!debugger_decode_here(debugger, &insn)) {
        return false;
    }
    if (debugger_is_repeated(&insn)) {
        search->kind = SEARCH_INSTRUCTION;
        search->linear = debugger_linear_pc(machine_cpu(debugger->machine));
        return true;
    }
    if (debugger_returns(&insn)) {
        search->kind = SEARCH_CALL_BEFORE;
        search->linear = behind;
        search->stack = stack_behind - (uint32_t)insn.immediate; /* RET n has taken its arguments off */
        return call_may_end_at(debugger, behind);
    }
    return false;
}

struct status debugger_reverse_next(struct debugger *debugger, struct debugger_stop *stop)
{
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    const struct machine_place begin = machine_place(debugger->machine);
    const uint32_t behind = debugger_linear_pc(cpu);
    const uint32_t stack_behind = debugger_stack_pointer(cpu);
    struct status status = debugger_reverse_step(debugger, 1, stop);
    struct search *search = status_is_ok(&status) ? new_search(SEARCH_CALL_BEFORE) : NULL;
    if (search == NULL) {
        return status_is_ok(&status) ? out_of_memory() : status;
    }
    if (stop->reason == STOPPED_STEP && describe_search(debugger, behind, stack_behind, search)) {
        const struct machine_place here = machine_place(debugger->machine);
        status = search_back(debugger, search);
        search->place = search->found ? search->place : here;
        search->found = true;
        search->here = begin;
        if (status_is_ok(&status)) {
            status = come_to_rest(debugger, search, stop);
        }
    }
    free(search);
    return status;
}

bool debugger_forget_history(struct debugger *debugger)
{
    bool has_history = machine_has_history(debugger->machine);
    machine_history_forget(debugger->machine);
    return has_history;
}
