/* The list of breakpoints, and the probe that is made of it; see debugger.h. */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/debugger_internal.h"
#include "debugger/guest_memory.h"

struct debugger *debugger_create(struct machine *machine)
{
    struct debugger *debugger = calloc(1, sizeof *debugger);
    if (debugger != NULL) {
        debugger->machine = machine;
    }
    return debugger;
}

static void destroy_point(struct point *point)
{
    if (point == NULL) {
        return;
    }
    expression_destroy(point->condition);
    free((char *)(uintptr_t)point->breakpoint.spec.condition);
    free(point->breakpoint.commands);
    free(point->held);
    free(point);
}

void debugger_destroy(struct debugger *debugger)
{
    if (debugger == NULL) {
        return;
    }
    machine_set_probe(debugger->machine, NULL);
    for (size_t i = 0; i < debugger->count; i++) {
        destroy_point(debugger->points[i]);
    }
    trace_destroy(debugger->trace);
    executed_bytes_destroy(debugger->executed);
    free(debugger);
}

/* ---- the list */

static uint32_t last_possible(const struct breakpoint_spec *spec)
{
    switch (spec->kind) {
    case BREAKPOINT_PORT: return UINT16_MAX;
    case BREAKPOINT_EVENT: return UINT8_MAX;
    default: return UINT32_MAX;
    }
}

static bool holds_bytes(const struct breakpoint_spec *spec)
{
    return spec->kind == BREAKPOINT_DATA || spec->kind == BREAKPOINT_MEMORY;
}

static struct status check(const struct breakpoint_spec *spec)
{
    bool has_length = spec->kind != BREAKPOINT_CODE && spec->kind != BREAKPOINT_PHYSICAL;
    if (spec->last < spec->first || (!has_length && spec->last != spec->first)) {
        return status_error(STATUS_INVALID_ARGUMENT, "a breakpoint from 0x%x to 0x%x makes no sense",
                            (unsigned)spec->first, (unsigned)spec->last);
    }
    if (spec->last > last_possible(spec)) {
        return status_error(STATUS_INVALID_ARGUMENT, "0x%x is beyond the last one, 0x%x",
                            (unsigned)spec->last, (unsigned)last_possible(spec));
    }
    if (holds_bytes(spec) && spec->last - spec->first >= BREAKPOINT_DATA_BYTES) {
        return status_error(STATUS_INVALID_ARGUMENT, "a watchpoint can have 1 to %u bytes",
                            BREAKPOINT_DATA_BYTES);
    }
    return status_ok();
}

static struct status set_condition(struct point *point, const char *condition,
                                   const struct expression_scope *scope)
{
    struct expression *parsed = NULL;
    char *copy = NULL;
    if (condition != NULL) {
        struct status status = expression_parse(condition, scope, &parsed);
        if (!status_is_ok(&status)) {
            return status;
        }
        copy = strdup(condition);
        if (copy == NULL) {
            expression_destroy(parsed);
            return status_error(STATUS_NO_MEMORY, "out of memory");
        }
    }
    expression_destroy(point->condition);
    free((char *)(uintptr_t)point->breakpoint.spec.condition);
    point->condition = parsed;
    point->breakpoint.spec.condition = copy;
    return status_ok();
}

/* Copies what a data breakpoint's bytes are now. */
static struct status hold_bytes(struct debugger *debugger, struct point *point)
{
    const struct breakpoint_spec *spec = &point->breakpoint.spec;
    size_t length = (size_t)(spec->last - spec->first) + 1;
    if (!holds_bytes(spec)) {
        return status_ok();
    }
    if (point->held == NULL) {
        point->held = calloc(1, length);
    }
    if (point->held == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    guest_memory_read(debugger->machine, debugger_space(spec), spec->first, point->held, length);
    return status_ok();
}

static unsigned breakpoints_of(const struct debugger *debugger, enum breakpoint_kind kind)
{
    unsigned count = 0;
    for (size_t i = 0; i < debugger->count; i++) {
        count += debugger->points[i]->breakpoint.spec.kind == kind;
    }
    return count;
}

static struct status check_room(const struct debugger *debugger, const struct breakpoint_spec *spec)
{
    if (debugger->count == BREAKPOINTS_MAX) {
        return status_error(STATUS_NO_MEMORY, "there are %u breakpoints already: delete one first",
                            BREAKPOINTS_MAX);
    }
    if (spec->kind == BREAKPOINT_CHANGED_CODE && breakpoints_of(debugger, spec->kind) > 0) {
        return status_error(STATUS_CONFLICT, "changed code is caught already");
    }
    /* One is for changed code. */
    if (holds_bytes(spec) && breakpoints_of(debugger, spec->kind) == CPU_PROBE_WATCHES - 1) {
        return status_error(STATUS_NO_MEMORY, "there are %u watchpoints already: delete one first",
                            CPU_PROBE_WATCHES - 1);
    }
    return status_ok();
}

/* Whether executed bytes are to be remembered. Without memory for them nothing is caught. */
static void keep_executed(struct debugger *debugger)
{
    const bool wanted = breakpoints_of(debugger, BREAKPOINT_CHANGED_CODE) > 0;
    if (wanted && debugger->executed == NULL) {
        debugger->executed = executed_bytes_create();
    } else if (!wanted) {
        executed_bytes_destroy(debugger->executed);
        debugger->executed = NULL;
    }
}

/* The list is not what the machine knows. A running one is told at once. */
static void note_change(struct debugger *debugger)
{
    keep_executed(debugger);
    debugger->changed = true;
    if (!machine_is_paused(debugger->machine)) {
        debugger_install(debugger);
    }
}

struct status debugger_add(struct debugger *debugger, const struct breakpoint_spec *spec,
                           const struct expression_scope *scope, unsigned *number)
{
    struct status status = check(spec);
    if (status_is_ok(&status)) {
        status = check_room(debugger, spec);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    struct point *point = calloc(1, sizeof *point);
    if (point == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    point->breakpoint = (struct breakpoint){.spec = *spec, .enabled = true};
    point->breakpoint.spec.condition = NULL;
    status = set_condition(point, spec->condition, scope);
    if (status_is_ok(&status)) {
        status = hold_bytes(debugger, point);
    }
    if (!status_is_ok(&status)) {
        destroy_point(point);
        return status;
    }
    point->breakpoint.number = ++debugger->last_number;
    *number = point->breakpoint.number;
    debugger->points[debugger->count++] = point;
    note_change(debugger);
    return status;
}

static struct point *find_point(struct debugger *debugger, unsigned number)
{
    for (size_t i = 0; i < debugger->count; i++) {
        if (debugger->points[i]->breakpoint.number == number) {
            return debugger->points[i];
        }
    }
    return NULL;
}

bool debugger_remove(struct debugger *debugger, unsigned number)
{
    for (size_t i = 0; i < debugger->count; i++) {
        if (debugger->points[i]->breakpoint.number == number) {
            destroy_point(debugger->points[i]);
            debugger->count--;
            memmove(&debugger->points[i], &debugger->points[i + 1],
                    (debugger->count - i) * sizeof debugger->points[0]);
            note_change(debugger);
            return true;
        }
    }
    return false;
}

void debugger_note_stopped(struct debugger *debugger, unsigned number)
{
    struct point *point = find_point(debugger, number);
    if (point != NULL) {
        point->has_stopped = point->breakpoint.spec.temporary;
    }
}

void debugger_drop_temporary(struct debugger *debugger)
{
    for (size_t i = 0; i < debugger->count;) {
        const struct point *point = debugger->points[i];
        if (point->has_stopped) {
            debugger_remove(debugger, point->breakpoint.number);
        } else {
            i++;
        }
    }
}

bool debugger_enable(struct debugger *debugger, unsigned number, bool enabled)
{
    struct point *point = find_point(debugger, number);
    if (point != NULL && point->breakpoint.enabled != enabled) {
        point->breakpoint.enabled = enabled;
        (void)hold_bytes(debugger, point); /* there is memory for them already */
        note_change(debugger);
    }
    return point != NULL;
}

struct status debugger_set_condition(struct debugger *debugger, unsigned number, const char *condition,
                                     const struct expression_scope *scope)
{
    struct point *point = find_point(debugger, number);
    return point != NULL ? set_condition(point, condition, scope)
                         : status_error(STATUS_INVALID_ARGUMENT, "there is no breakpoint %u", number);
}

struct breakpoint *debugger_breakpoint(struct debugger *debugger, size_t index)
{
    return index < debugger->count ? &debugger->points[index]->breakpoint : NULL;
}

struct breakpoint *debugger_find(struct debugger *debugger, unsigned number)
{
    struct point *point = find_point(debugger, number);
    return point != NULL ? &point->breakpoint : NULL;
}

bool debugger_has_code_breakpoint(struct debugger *debugger, uint32_t linear)
{
    for (size_t i = 0; i < debugger->count; i++) {
        const struct breakpoint *breakpoint = &debugger->points[i]->breakpoint;
        if (breakpoint->enabled && !breakpoint->spec.hidden && breakpoint->spec.kind == BREAKPOINT_CODE &&
            breakpoint->spec.first == linear) {
            return true;
        }
    }
    return false;
}

/* ---- the trace */

struct status debugger_start_trace(struct debugger *debugger, unsigned kinds, size_t capacity)
{
    struct trace *trace = trace_create(debugger->machine, kinds, capacity);
    if (trace == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    trace_destroy(debugger->trace);
    debugger->trace = trace;
    note_change(debugger);
    return status_ok();
}

void debugger_end_trace(struct debugger *debugger)
{
    if (debugger->trace != NULL) {
        trace_end(debugger->trace);
        note_change(debugger);
    }
}

const struct trace *debugger_trace(const struct debugger *debugger)
{
    return debugger->trace;
}

/* ---- the probe */

_Static_assert(MEMORY_WATCHES == CPU_PROBE_WATCHES, "one limit for both");

#define INTERRUPTIONS (1u << CPU_EVENT_INTERRUPT | 1u << CPU_EVENT_SOFTWARE | 1u << CPU_EVENT_EXCEPTION)

static void set_bit(uint64_t *bits, uint32_t number)
{
    bits[number / 64] |= (uint64_t)1 << number % 64;
}

static void add_to_probe(struct machine_probe *probe, const struct breakpoint_spec *spec)
{
    switch (spec->kind) {
    case BREAKPOINT_CODE: cpu_probe_add_place(&probe->cpu, spec->first); break;
    case BREAKPOINT_PHYSICAL: cpu_probe_add_offset(&probe->cpu, spec->first % CPU_PROBE_PAGE); break;
    case BREAKPOINT_DATA:
        probe->cpu.watch[probe->cpu.watch_count++] =
            (struct cpu_watch){.first = spec->first, .last = spec->last};
        break;
    case BREAKPOINT_MEMORY:
        if (spec->access != ACCESS_READ) {
            probe->stores[probe->store_count++] =
                (struct cpu_watch){.first = spec->first, .last = spec->last};
        }
        if ((spec->access & ACCESS_READ) != 0) {
            probe->cpu.loads[probe->cpu.load_count++] =
                (struct cpu_watch){.first = spec->first, .last = spec->last};
        }
        break;
    case BREAKPOINT_CHANGED_CODE: /* every instruction and every access are looked at */
        cpu_probe_add_all(&probe->cpu);
        probe->cpu.watch[probe->cpu.watch_count++] = (struct cpu_watch){.first = 0, .last = UINT32_MAX};
        break;
    case BREAKPOINT_PORT:
        for (uint32_t port = spec->first; port <= spec->last; port++) {
            set_bit(probe->ports, port);
        }
        break;
    case BREAKPOINT_EVENT: probe->cpu.events |= 1u << spec->event; break;
    }
}

static void add_trace_to_probe(struct machine_probe *probe, unsigned kinds)
{
    if ((kinds & (TRACE_INSTRUCTIONS | TRACE_BRANCHES)) != 0) {
        cpu_probe_add_all(&probe->cpu);
        probe->cpu.events |= INTERRUPTIONS;
    }
    if ((kinds & TRACE_INTERRUPTS) != 0) {
        probe->cpu.events = UINT32_MAX;
    }
    if ((kinds & TRACE_IO) != 0) {
        memset(probe->ports, 0xff, sizeof probe->ports);
    }
}

void debugger_install(struct debugger *debugger)
{
    struct machine_probe probe = {.cpu = {.at_code = debugger_at_code,
                                          .at_data = debugger_at_data,
                                          .at_load = debugger_at_load,
                                          .at_event = debugger_at_event,
                                          .opaque = debugger},
                                  .at_port = debugger_at_port,
                                  .at_store = debugger_at_store,
                                  .opaque = debugger};
    bool any = debugger->search != NULL;
    if (!debugger->changed) {
        return;
    }
    debugger->changed = false;
    bool points = debugger->search == NULL || debugger_search_probe(debugger, &probe);
    for (size_t i = 0; i < debugger->count && points; i++) {
        const struct breakpoint *breakpoint = &debugger->points[i]->breakpoint;
        if (breakpoint->enabled) {
            add_to_probe(&probe, &breakpoint->spec);
            any = true;
        }
    }
    if (debugger->goal == GOAL_PLACE || debugger->goal_has_place) {
        cpu_probe_add_place(&probe.cpu, debugger->goal_linear);
        any = true;
    }
    if (debugger->goal == GOAL_RETURN) {
        probe.cpu.events |= INTERRUPTIONS;
        any = true;
    }
    unsigned traced = debugger->search == NULL ? trace_kinds(debugger->trace) : 0;
    add_trace_to_probe(&probe, traced);
    machine_set_probe(debugger->machine, any || traced != 0 ? &probe : NULL);
}
