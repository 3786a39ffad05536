/* Letting the machine go, and finding out why it stopped; see debugger.h.
 *
 * The probe's functions take notes and ask for a break; conditions of anything but code breakpoints, and
 * values that have changed, are looked at when the machine has come to a boundary. */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cpu/cpu.h"
#include "debugger/debugger_internal.h"
#include "debugger/guest_memory.h"
#include "decoder/decoder.h"
#include "isa/isa.h"

#define SHOWN_BYTES 8u /* of a data breakpoint, in struct debugger_stop */

/* ---- where the machine is */

uint32_t debugger_linear_pc(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip);
}

uint32_t debugger_stack_pointer(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->gpr[CPU_SP].d & cpu->stack_mask);
}

bool debugger_decode_here(struct debugger *debugger, struct insn *insn)
{
    struct cpu_state *cpu = machine_cpu(debugger->machine);
    const struct decode_mode mode = isa_decode_mode(cpu);
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t length =
        guest_memory_read(debugger->machine, GUEST_LINEAR, debugger_linear_pc(cpu), bytes, sizeof bytes);
    return decoder_decode(&mode, bytes, length, insn) == DECODE_OK;
}

bool debugger_is_repeated(const struct insn *insn)
{
    return (insn_info((enum insn_id)insn->id)->properties & INSN_STRING) != 0 &&
           (insn->prefixes & (PREFIX_REP | PREFIX_REPNE)) != 0;
}

static struct look look_here(const struct cpu_state *cpu)
{
    return (struct look){.valid = true,
                         .linear = debugger_linear_pc(cpu),
                         .retired = cpu->retired,
                         .count = cpu->gpr[CPU_CX].d,
                         .source = cpu->gpr[CPU_SI].d,
                         .destination = cpu->gpr[CPU_DI].d,
                         .stack = cpu->gpr[CPU_SP].d};
}

static bool is_same_place(const struct look *earlier, const struct look *look)
{
    return earlier->valid && earlier->linear == look->linear && earlier->retired == look->retired;
}

void debugger_resume_here(struct debugger *debugger)
{
    struct look look = look_here(machine_cpu(debugger->machine));
    look.valid = is_same_place(&debugger->last_look, &look) || is_same_place(&debugger->resumed, &look);
    debugger->resumed = look;
}

/* How far a repeated string instruction has moved between two looks, in elements. */
static uint32_t elements_moved(const struct insn *insn, const struct look *from, const struct look *to)
{
    bool by_source = insn->id == INSN_LODS || insn->id == INSN_OUTS;
    uint32_t distance = by_source ? to->source - from->source : to->destination - from->destination;
    uint32_t width = insn->opcode & 1 ? insn->operand_size : 1;
    uint32_t mask = insn->address_size == 2 ? 0xffff : UINT32_MAX;
    bool backwards = (distance & mask) > mask / 2;
    return ((backwards ? 0 - distance : distance) & mask) / width;
}

/* Whether this is the same repeated string instruction as at the last look, some iterations later: it may
 * have been interrupted. */
static bool is_next_iteration(struct debugger *debugger, const struct look *look)
{
    const struct look *last = &debugger->last_look;
    struct insn insn;
    if (!last->valid || last->linear != look->linear || last->stack != look->stack ||
        last->retired == look->retired || !debugger_decode_here(debugger, &insn) ||
        !debugger_is_repeated(&insn)) {
        return false;
    }
    uint32_t mask = insn.address_size == 2 ? 0xffff : UINT32_MAX;
    uint32_t iterations = (last->count - look->count) & mask;
    return iterations > 0 && iterations == elements_moved(&insn, last, look);
}

/* ---- what the probe tells */

bool debugger_condition_holds(struct debugger *debugger, struct point *point, struct debugger_stop *stop)
{
    uint64_t value = 1;
    if (point->condition != NULL) {
        struct status status = expression_evaluate(point->condition, debugger->machine, &value);
        if (!status_is_ok(&status)) { /* better a stop too many */
            snprintf(stop->message, sizeof stop->message, "%.*s", (int)sizeof stop->message - 1,
                     status.message);
            return true;
        }
    }
    return value != 0;
}

/* A breakpoint was met, and it counts, unless it is met again because something is searched for. */
static bool count_hit(const struct debugger *debugger, struct breakpoint *breakpoint)
{
    if (debugger->search != NULL) {
        return true;
    }
    breakpoint->hits++;
    if (breakpoint->ignore > 0) {
        breakpoint->ignore--;
        return false;
    }
    return true;
}

static bool place_is_met(const struct debugger *debugger, const struct cpu_state *cpu)
{
    bool wanted = debugger->goal == GOAL_PLACE || debugger->goal_has_place;
    return wanted && debugger->goal_linear == debugger_linear_pc(cpu) &&
           debugger_stack_pointer(cpu) >= debugger->place_sp;
}

bool debugger_is_at(struct debugger *debugger, const struct breakpoint_spec *spec, uint32_t linear)
{
    uint64_t phys;
    switch (spec->kind) {
    case BREAKPOINT_CODE: return spec->first == linear;
    case BREAKPOINT_PHYSICAL:
        return guest_memory_translate(debugger->machine, linear, &phys) && phys == spec->first;
    default: return false;
    }
}

/* Physical bytes behind linear ones, which may lie on two pages; `how` is done to both parts. Returns whether
 * it was true of one. */
static bool for_each_part(struct debugger *debugger, uint32_t linear, unsigned length,
                          bool (*how)(struct executed_bytes *set, uint64_t phys, unsigned length))
{
    bool any = false;
    for (unsigned done = 0; done < length;) {
        const unsigned room = CPU_PROBE_PAGE - (linear + done) % CPU_PROBE_PAGE;
        const unsigned part = length - done < room ? length - done : room;
        uint64_t phys;
        if (guest_memory_translate(debugger->machine, (uint32_t)(linear + done), &phys)) {
            any |=
                how(debugger->executed, memory_bus_effective(machine_memory(debugger->machine), phys), part);
        }
        done += part;
    }
    return any;
}

static bool add_executed(struct executed_bytes *set, uint64_t phys, unsigned length)
{
    executed_bytes_add(set, phys, length);
    return true;
}

/* The instruction here is going to be executed. */
static void note_executed(struct debugger *debugger)
{
    struct insn insn;
    if (debugger->executed != NULL && debugger_decode_here(debugger, &insn)) {
        (void)for_each_part(debugger, debugger_linear_pc(machine_cpu(debugger->machine)), insn.length,
                            add_executed);
    }
}

bool debugger_at_code(void *opaque)
{
    struct debugger *debugger = opaque;
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    struct look look = look_here(cpu);
    if (debugger->search == NULL) {
        trace_note_code(debugger->trace);
    }
    note_executed(debugger);
    bool again = is_same_place(&debugger->resumed, &look);
    bool goes_on = is_next_iteration(debugger, &look);
    debugger->last_look = look;
    if (again || goes_on) {
        return false;
    }
    if (debugger->search != NULL) {
        debugger_search_code(debugger);
        return false;
    }
    struct debugger_stop ignored;
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        if (point->breakpoint.enabled && debugger_is_at(debugger, &point->breakpoint.spec, look.linear) &&
            debugger_condition_holds(debugger, point, &ignored)) {
            point->met = true;
            debugger->met_code = true;
        }
    }
    debugger->goal_met |= place_is_met(debugger, cpu);
    if (debugger->met_code || debugger->goal_met) {
        machine_request_break(debugger->machine);
    }
    return debugger->met_code || debugger->goal_met;
}

/* The machine is to stop at the next boundary and look at `point`. */
static void meet(struct debugger *debugger, struct point *point)
{
    point->met = true;
    if (debugger->search != NULL) {
        point->place = machine_place(debugger->machine);
    }
    machine_request_break(debugger->machine);
}

/* Addresses wrap: an access may begin at the end of memory and reach into the range at its beginning. */
static bool touches(const struct breakpoint_spec *spec, uint32_t address, unsigned width)
{
    return spec->first - address < width || address - spec->first <= spec->last - spec->first;
}

void debugger_at_data(void *opaque, uint32_t linear, unsigned width, bool write)
{
    struct debugger *debugger = opaque;
    unsigned kind = write ? ACCESS_WRITE | ACCESS_CHANGE : ACCESS_READ;
    const bool changes_code =
        write && debugger->executed != NULL && for_each_part(debugger, linear, width, executed_bytes_take);
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        const struct breakpoint_spec *spec = &point->breakpoint.spec;
        const bool is_accessed =
            spec->kind == BREAKPOINT_DATA && (spec->access & kind) != 0 && touches(spec, linear, width);
        const bool is_changed = spec->kind == BREAKPOINT_CHANGED_CODE && changes_code;
        if (point->breakpoint.enabled && (is_accessed || is_changed)) {
            point->address = linear;
            point->width = width;
            point->write = write;
            meet(debugger, point);
        }
    }
}

/* Parts of one access are put together again. */
static void note_memory(struct debugger *debugger, uint32_t phys, unsigned length, bool write)
{
    const unsigned kind = write ? ACCESS_WRITE | ACCESS_CHANGE : ACCESS_READ;
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        const struct breakpoint_spec *spec = &point->breakpoint.spec;
        if (point->breakpoint.enabled && spec->kind == BREAKPOINT_MEMORY && (spec->access & kind) != 0 &&
            touches(spec, phys, length)) {
            const bool goes_on = point->met && point->write == write && phys == point->address + point->width;
            point->address = goes_on ? point->address : phys;
            point->width = goes_on ? point->width + length : length;
            point->write = write;
            meet(debugger, point);
        }
    }
}

void debugger_at_load(void *opaque, uint32_t phys, unsigned length)
{
    note_memory(opaque, phys, length, false);
}

void debugger_at_store(void *opaque, uint32_t phys, unsigned length)
{
    note_memory(opaque, phys, length, true);
}

/* On the way out of a subroutine; INT n is gone over as a whole. */
static void note_interruption(struct debugger *debugger, const struct cpu_event_info *info)
{
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    bool interrupts = info->event == CPU_EVENT_INTERRUPT || info->event == CPU_EVENT_EXCEPTION;
    if (interrupts && !debugger->is_interrupted) {
        debugger->is_interrupted = true;
        debugger->is_to_repeat = cpu->retired == debugger->here_retired;
        debugger->interrupted_linear = debugger_linear_pc(cpu);
    }
}

void debugger_at_event(void *opaque, const struct cpu_event_info *info)
{
    struct debugger *debugger = opaque;
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    if (debugger->search != NULL && !debugger_search_event(debugger, info)) {
        return;
    }
    if (debugger->search == NULL) {
        trace_note_event(debugger->trace, info);
        note_interruption(debugger, info);
    }
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        const struct breakpoint_spec *spec = &point->breakpoint.spec;
        if (point->breakpoint.enabled && spec->kind == BREAKPOINT_EVENT && spec->event == info->event &&
            spec->first <= info->number && info->number <= spec->last) {
            point->event = *info;
            point->from_cs = cpu->segment[CPU_CS].selector;
            point->from_eip = (uint32_t)cpu->rip;
            meet(debugger, point);
        }
    }
}

void debugger_at_port(void *opaque, uint16_t port, unsigned width, bool write, uint32_t value)
{
    struct debugger *debugger = opaque;
    if (debugger->search == NULL) {
        trace_note_port(debugger->trace, port, width, write, value);
    }
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        const struct breakpoint_spec *spec = &point->breakpoint.spec;
        if (point->breakpoint.enabled && spec->kind == BREAKPOINT_PORT &&
            (spec->access & (write ? ACCESS_WRITE : ACCESS_READ)) != 0 && spec->first <= port + width - 1 &&
            port <= spec->last) {
            point->address = port;
            point->width = width;
            point->write = write;
            point->value = value;
            meet(debugger, point);
        }
    }
}

/* ---- at a boundary */

static uint64_t first_bytes(const uint8_t *bytes, size_t length)
{
    uint8_t shown[SHOWN_BYTES] = {0};
    memcpy(shown, bytes, length < SHOWN_BYTES ? length : SHOWN_BYTES);
    return load_le64(shown);
}

/* Looks at a data breakpoint's bytes and remembers them. True: they have changed. */
static bool refresh(struct debugger *debugger, struct point *point, struct debugger_stop *stop)
{
    const struct breakpoint_spec *spec = &point->breakpoint.spec;
    size_t length = (size_t)(spec->last - spec->first) + 1;
    uint8_t *now = calloc(1, length);
    if (now == NULL) {
        return true;
    }
    guest_memory_read(debugger->machine, debugger_space(spec), spec->first, now, length);
    stop->before = first_bytes(point->held, length);
    stop->after = first_bytes(now, length);
    bool changed = memcmp(point->held, now, length) != 0;
    free(point->held);
    point->held = now;
    return changed;
}

/* Whether a breakpoint that was met is one to stop for; says so in *stop. */
static bool stops_for(struct debugger *debugger, struct point *point, struct debugger_stop *stop)
{
    const struct breakpoint_spec *spec = &point->breakpoint.spec;
    *stop = (struct debugger_stop){.reason = STOPPED_BREAKPOINT,
                                   .breakpoint = point->breakpoint.number,
                                   .kind = spec->kind,
                                   .event = point->event,
                                   .from_cs = point->from_cs,
                                   .from_eip = point->from_eip,
                                   .address = point->address,
                                   .width = point->width,
                                   .write = point->write,
                                   .after = point->value};
    if (point->held != NULL) {
        bool changed = refresh(debugger, point, stop);
        if (!changed && spec->access == ACCESS_CHANGE) {
            return false;
        }
    }
    return debugger_condition_holds(debugger, point, stop) && count_hit(debugger, &point->breakpoint);
}

/* Those that people see come first. */
const struct point *debugger_collect(struct debugger *debugger, struct debugger_stop *stop)
{
    const struct point *chosen = NULL;
    for (size_t i = 0; i < debugger->count; i++) {
        struct point *point = debugger->points[i];
        struct debugger_stop candidate;
        if (point->met && stops_for(debugger, point, &candidate)) {
            point->has_stopped = point->breakpoint.spec.temporary && debugger->search == NULL;
            if (chosen == NULL || (chosen->breakpoint.spec.hidden && !point->breakpoint.spec.hidden)) {
                chosen = point;
                *stop = candidate;
            }
        }
        point->met = false;
    }
    debugger->met_code = false;
    return chosen;
}

/* ---- goals */

static void forget_goal(struct debugger *debugger)
{
    debugger->changed |= debugger->goal >= GOAL_PLACE;
    debugger->goal = GOAL_NONE;
    debugger->goal_has_place = false;
    debugger->goal_met = false;
    machine_set_step_limit(debugger->machine, 0);
}

static void go_to_place(struct debugger *debugger, uint32_t linear, uint32_t sp)
{
    debugger->goal_linear = linear;
    debugger->place_sp = sp;
    debugger->changed = true;
}

static void go_steps(struct debugger *debugger, uint64_t count)
{
    debugger->goal_retired = machine_retired(debugger->machine) + count;
    machine_set_step_limit(debugger->machine, debugger->goal_retired);
}

bool debugger_comes_back(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_CALL_NEAR:
    case INSN_CALL_FAR:
    case INSN_INT:
    case INSN_INT3:
    case INSN_INTO: return true;
    default: return debugger_is_repeated(insn);
    }
}

bool debugger_returns(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_RET:
    case INSN_RETF:
    case INSN_IRET:
    case INSN_SYSEXIT: return true;
    default: return false;
    }
}

/* The next instruction of this subroutine, on the way out of it. */
static void advance(struct debugger *debugger)
{
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    struct insn insn;
    debugger->here_retired = cpu->retired;
    debugger->here_sp = debugger_stack_pointer(cpu);
    debugger->is_interrupted = false;
    bool known = debugger_decode_here(debugger, &insn);
    debugger->changed |= debugger->goal_has_place;
    debugger->goal_has_place = known && debugger_comes_back(&insn);
    debugger->is_returning = known && debugger_returns(&insn);
    debugger->goal_met = false;
    machine_set_step_limit(debugger->machine, 0);
    if (debugger->goal_has_place) {
        go_to_place(debugger, debugger_linear_pc(cpu) + insn.length, debugger_stack_pointer(cpu));
    } else {
        go_steps(debugger, 1);
    }
}

/* A handler has come in between: on to where it comes back to. */
static void pass_handler(struct debugger *debugger)
{
    debugger->is_returning = debugger->is_returning && !debugger->is_to_repeat;
    debugger->goal_has_place = true;
    debugger->goal_met = false;
    machine_set_step_limit(debugger->machine, 0);
    go_to_place(debugger, debugger->interrupted_linear, debugger->is_to_repeat ? debugger->here_sp : 0);
    debugger_install(debugger);
}

static bool steps_are_done(const struct debugger *debugger)
{
    return machine_retired(debugger->machine) >= debugger->goal_retired;
}

/* Whether what was asked for is reached; what takes several runs goes on to the next. */
static bool goal_is_reached(struct debugger *debugger)
{
    switch (debugger->goal) {
    case GOAL_NONE: return false;
    case GOAL_STEPS: return steps_are_done(debugger);
    case GOAL_PLACE: return debugger->goal_met;
    case GOAL_RETURN: break;
    }
    if (debugger->goal_has_place ? !debugger->goal_met : !steps_are_done(debugger)) {
        return false;
    }
    if (!debugger->goal_has_place && debugger->is_interrupted) {
        pass_handler(debugger);
        return false;
    }
    if (debugger->is_returning &&
        debugger_stack_pointer(machine_cpu(debugger->machine)) > debugger->goal_sp) {
        return true;
    }
    advance(debugger);
    debugger_install(debugger);
    return false;
}

/* ---- going and stopping */

void debugger_begin_run(struct debugger *debugger)
{
    machine_cancel_break(debugger->machine);
    debugger->resumed.valid = false;
    debugger->last_look.valid = false;
    for (size_t i = 0; i < debugger->count; i++) {
        struct debugger_stop ignored;
        debugger->points[i]->met = false; /* by what a debugger wrote meanwhile */
        if (debugger->points[i]->held != NULL) {
            refresh(debugger, debugger->points[i], &ignored);
        }
    }
}

static void go(struct debugger *debugger)
{
    debugger_drop_temporary(debugger);
    debugger->pause_requested = false;
    debugger->has_stop = false;
    debugger->goal_met = false;
    debugger_begin_run(debugger);
    debugger->resumed = look_here(machine_cpu(debugger->machine));
    debugger_install(debugger);
    machine_resume(debugger->machine);
}

void debugger_continue(struct debugger *debugger)
{
    forget_goal(debugger);
    go(debugger);
}

void debugger_step(struct debugger *debugger, uint64_t count)
{
    forget_goal(debugger);
    debugger->goal = GOAL_STEPS;
    go_steps(debugger, count);
    go(debugger);
}

void debugger_next(struct debugger *debugger)
{
    const struct cpu_state *cpu = machine_cpu(debugger->machine);
    struct insn insn;
    if (!debugger_decode_here(debugger, &insn) || !debugger_comes_back(&insn)) {
        debugger_step(debugger, 1);
        return;
    }
    forget_goal(debugger);
    debugger->goal = GOAL_PLACE;
    go_to_place(debugger, debugger_linear_pc(cpu) + insn.length, debugger_stack_pointer(cpu));
    go(debugger);
}

void debugger_finish(struct debugger *debugger)
{
    forget_goal(debugger);
    debugger->goal = GOAL_RETURN;
    debugger->changed = true;
    debugger->goal_sp = debugger_stack_pointer(machine_cpu(debugger->machine));
    advance(debugger);
    go(debugger);
}

void debugger_run_to(struct debugger *debugger, uint32_t linear)
{
    forget_goal(debugger);
    debugger->goal = GOAL_PLACE;
    go_to_place(debugger, linear, 0);
    go(debugger);
}

void debugger_pause(struct debugger *debugger)
{
    debugger->pause_requested = true;
    machine_request_break(debugger->machine);
}

static void halt(struct debugger *debugger)
{
    machine_pause(debugger->machine);
    forget_goal(debugger);
    debugger->has_stop = true;
    debugger->pause_requested = false;
}

bool debugger_take_stop(struct debugger *debugger, enum machine_stop reason, struct debugger_stop *stop)
{
    bool stops = reason == MACHINE_BREAK && debugger_collect(debugger, &debugger->stop) != NULL;
    if (!stops && reason == MACHINE_BREAK && goal_is_reached(debugger)) {
        debugger->stop = (struct debugger_stop){.reason = STOPPED_STEP};
        stops = true;
    }
    if (!stops && debugger->pause_requested) {
        debugger->stop = (struct debugger_stop){.reason = STOPPED_REQUEST};
        stops = true;
    }
    if (stops) {
        halt(debugger);
        *stop = debugger->stop;
    } else if (reason == MACHINE_BREAK) {
        debugger_resume_here(debugger);
    }
    return stops;
}

const struct debugger_stop *debugger_last_stop(const struct debugger *debugger)
{
    return debugger->has_stop && machine_is_paused(debugger->machine) ? &debugger->stop : NULL;
}
