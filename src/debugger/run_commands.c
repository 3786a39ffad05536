/* Commands that let the machine go for a while, and what people are told when it stops. */
#include <string.h>

#include "base/bits.h"
#include "cpu/cpu.h"
#include "debugger/code_listing.h"
#include "debugger/debugger.h"
#include "debugger/monitor_internal.h"
#include "debugger/registers.h"

/* ---- where it is */

void event_print(FILE *out, const struct cpu_event_info *event, uint16_t cs, uint32_t eip)
{
    static const char *const modes[] = {
        [CPU_MODE_REAL] = "real", [CPU_MODE_V86] = "virtual-8086", [CPU_MODE_PROTECTED] = "protected"};
    unsigned number = event->number;
    switch (event->event) {
    case CPU_EVENT_INTERRUPT: fprintf(out, "interrupt 0x%02x", number); break;
    case CPU_EVENT_SOFTWARE: fprintf(out, "int 0x%02x", number); break;
    case CPU_EVENT_EXCEPTION:
        fprintf(out, "exception %s, error code 0x%x", register_exception_name(number),
                (unsigned)event->error_code);
        break;
    case CPU_EVENT_SHUTDOWN: fputs("triple fault", out); break;
    case CPU_EVENT_CONTROL: fprintf(out, "cr%u was loaded", number); break;
    case CPU_EVENT_MODE: fprintf(out, "%s mode", modes[number]); break;
    }
    fprintf(out, " at %04x:%08x", cs, (unsigned)eip);
}

static void print_reason(FILE *out, const struct debugger_stop *stop)
{
    switch (stop->reason) {
    case STOPPED_STEP: return;
    case STOPPED_REQUEST: fputs("stopped, ", out); return;
    case STOPPED_BEGINNING: fputs("history begins here, ", out); return;
    case STOPPED_BREAKPOINT: break;
    }
    fprintf(out, "breakpoint %u: %s", stop->breakpoint, stop->is_ahead ? "ahead is a " : "");
    switch (stop->kind) {
    case BREAKPOINT_CODE:
    case BREAKPOINT_PHYSICAL: fputs("reached", out); break;
    case BREAKPOINT_DATA:
    case BREAKPOINT_MEMORY:
        fprintf(out, "%s of %u byte%s at %s0x%08x, ", stop->write ? "write" : "read", stop->width,
                stop->width == 1 ? "" : "s", stop->kind == BREAKPOINT_MEMORY ? "physical " : "",
                (unsigned)stop->address);
        fprintf(out,
                stop->before == stop->after ? "0x%llx as before"
                : stop->is_ahead            ? "0x%llx, will be 0x%llx"
                                            : "0x%llx, now 0x%llx",
                (unsigned long long)stop->before, (unsigned long long)stop->after);
        break;
    case BREAKPOINT_CHANGED_CODE:
        fprintf(out, "write of %u byte%s at 0x%08x, to code that was executed", stop->width,
                stop->width == 1 ? "" : "s", (unsigned)stop->address);
        break;
    case BREAKPOINT_PORT:
        fprintf(out, "%s of port 0x%04x", stop->write ? "write" : "read", (unsigned)stop->address);
        fprintf(out, ", value 0x%0*llx", (int)stop->width * 2, (unsigned long long)stop->after);
        break;
    case BREAKPOINT_EVENT: event_print(out, &stop->event, stop->from_cs, stop->from_eip); break;
    }
    if (stop->message[0] != '\0') {
        fprintf(out, " (its condition: %s)", stop->message);
    }
    fputs(", ", out);
}

/* The next instruction; without a disassembler, its address. */
static void print_place(struct monitor *monitor, FILE *out)
{
    uint64_t here = code_listing_here(monitor);
    uint64_t next;
    struct status status = code_listing_print(monitor, out, GUEST_LINEAR, here, 0, 1, &next);
    if (!status_is_ok(&status)) {
        char text[32];
        fprintf(out, "%s\n", code_listing_address(monitor, here, text, sizeof text));
    }
}

static void print_stop(struct monitor *monitor, const struct debugger_stop *stop, FILE *out)
{
    print_reason(out, stop);
    fprintf(out, "after %llu instructions\n", (unsigned long long)machine_retired(monitor->machine));
    print_place(monitor, out);
}

/* The commands of the breakpoint go to the first session that is still at work. */
static void feed_commands(struct monitor *monitor, const struct debugger_stop *stop)
{
    const struct breakpoint *breakpoint =
        stop->reason == STOPPED_BREAKPOINT ? debugger_find(monitor->debugger, stop->breakpoint) : NULL;
    struct monitor_session *session = monitor->sessions;
    while (session != NULL && session->over) {
        session = session->next;
    }
    if (breakpoint != NULL && breakpoint->commands != NULL && session != NULL) {
        monitor_insert(session, breakpoint->commands);
    }
}

void monitor_show_stop(struct monitor *monitor, const struct debugger_stop *stop)
{
    const struct breakpoint *breakpoint =
        stop->reason == STOPPED_BREAKPOINT ? debugger_find(monitor->debugger, stop->breakpoint) : NULL;
    bool is_hidden = breakpoint != NULL && breakpoint->spec.hidden;
    for (struct monitor_session *session = monitor->sessions; session != NULL && !is_hidden;
         session = session->next) {
        if (!session->over) {
            monitor_interrupt_prompt(session);
            print_stop(monitor, stop, session->out);
            if (!session->has_panes) {
                monitor_print_displays(monitor, session->out);
            }
            fflush(session->out);
        }
    }
    if (!is_hidden) {
        feed_commands(monitor, stop);
    }
}

bool monitor_note_run(struct monitor *monitor, enum machine_stop reason)
{
    struct debugger_stop stop;
    if (!debugger_take_stop(monitor->debugger, reason, &stop)) {
        return false;
    }
    monitor_show_stop(monitor, &stop);
    debugger_drop_temporary(monitor->debugger);
    return true;
}

/* ---- going */

struct status monitor_need_paused(const struct monitor *monitor)
{
    return machine_is_paused(monitor->machine)
               ? status_ok()
               : status_error(STATUS_INVALID_ARGUMENT, "the machine is running (stop pauses it)");
}

/* Until the debugger has stopped the machine. */
static enum operation_result poll_stop(struct monitor_session *session, uint64_t now)
{
    const struct operation *operation = &session->operation;
    if (machine_is_paused(session->monitor->machine)) {
        return OPERATION_DONE;
    }
    if (operation->deadline != UINT64_MAX && now >= operation->deadline) {
        session->failure = status_error(STATUS_IO_ERROR,
                                        "wait-stop: nothing has stopped the machine within %g "
                                        "seconds",
                                        operation->seconds);
        return OPERATION_FAILED;
    }
    return OPERATION_PENDING;
}

static void wait_for_stop(struct monitor_session *session)
{
    session->operation =
        (struct operation){.poll = poll_stop, .deadline = UINT64_MAX, .runs_while_paused = true};
}

void monitor_step(struct monitor_session *session, uint64_t count)
{
    debugger_step(session->monitor->debugger, count);
    wait_for_stop(session);
}

struct status command_cont(struct monitor_session *session, int argc, char **argv)
{
    (void)argc, (void)argv;
    if (machine_is_paused(session->monitor->machine)) {
        debugger_continue(session->monitor->debugger);
    }
    return status_ok();
}

struct status command_step(struct monitor_session *session, int argc, char **argv)
{
    uint64_t count = 1;
    struct status status = monitor_need_paused(session->monitor);
    if (status_is_ok(&status) && argc > 1) {
        status = monitor_parse_number(argv[1], "a number of instructions", &count);
    }
    if (status_is_ok(&status) && count == 0) {
        status = status_error(STATUS_INVALID_ARGUMENT, "at least 1 instruction can be stepped");
    }
    if (status_is_ok(&status)) {
        monitor_step(session, count);
    }
    return status;
}

/* Commands without arguments that go on from a pause. */
static struct status go(struct monitor_session *session, int argc, char **argv,
                        void (*how)(struct debugger *debugger))
{
    struct status status = argc > 1 ? monitor_usage(argv[0]) : monitor_need_paused(session->monitor);
    if (status_is_ok(&status)) {
        how(session->monitor->debugger);
        wait_for_stop(session);
    }
    return status;
}

struct status command_next(struct monitor_session *session, int argc, char **argv)
{
    return go(session, argc, argv, debugger_next);
}

struct status command_finish(struct monitor_session *session, int argc, char **argv)
{
    return go(session, argc, argv, debugger_finish);
}

struct status command_until(struct monitor_session *session, int argc, char **argv)
{
    uint64_t address = 0;
    if (argc < 2) {
        return monitor_usage(argv[0]);
    }
    struct status status = monitor_need_paused(session->monitor);
    if (status_is_ok(&status)) {
        status = monitor_evaluate(session->monitor, monitor_rest(session, 1), &address);
    }
    if (status_is_ok(&status)) {
        debugger_run_to(session->monitor->debugger, (uint32_t)address);
        wait_for_stop(session);
    }
    return status;
}

struct status command_wait_stop(struct monitor_session *session, int argc, char **argv)
{
    uint64_t ns = MONITOR_WAIT_SECONDS * UINT64_C(1000000000);
    struct status status = argc > 2 ? monitor_usage(argv[0]) : status_ok();
    if (status_is_ok(&status) && argc == 2) {
        status = monitor_parse_seconds(argv[1], &ns);
    }
    if (status_is_ok(&status)) {
        wait_for_stop(session);
        session->operation.deadline = machine_now(session->monitor->machine) + ns;
        session->operation.seconds = (double)ns / 1e9;
    }
    return status;
}
