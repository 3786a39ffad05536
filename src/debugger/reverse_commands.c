/* Commands that go back in time, and what is said about it (machine_history.h). */
#include <string.h>

#include "base/bits.h"
#include "debugger/debugger.h"
#include "debugger/monitor_internal.h"
#include "machine/machine_history.h"

/* How commands end that have put the machine elsewhere. */
static struct status finish(struct monitor_session *session, const struct status *status,
                            const struct debugger_stop *stop)
{
    if (status_is_ok(status)) {
        monitor_show_stop(session->monitor, stop);
    }
    return *status;
}

/* Commands without arguments. */
static struct status go_back(struct monitor_session *session, int argc, char **argv,
                             struct status (*how)(struct debugger *debugger, struct debugger_stop *stop))
{
    struct debugger_stop stop;
    struct status status = argc > 1 ? monitor_usage(argv[0]) : monitor_need_paused(session->monitor);
    if (status_is_ok(&status)) {
        status = how(session->monitor->debugger, &stop);
    }
    return finish(session, &status, &stop);
}

struct status command_reverse_step(struct monitor_session *session, int argc, char **argv)
{
    uint64_t count = 1;
    struct debugger_stop stop;
    struct status status = monitor_need_paused(session->monitor);
    if (status_is_ok(&status) && argc > 1) {
        status = monitor_parse_number(argv[1], "a number of instructions", &count);
    }
    if (status_is_ok(&status) && count == 0) {
        status = status_error(STATUS_INVALID_ARGUMENT, "at least 1 instruction can be undone");
    }
    if (status_is_ok(&status)) {
        status = debugger_reverse_step(session->monitor->debugger, count, &stop);
    }
    return finish(session, &status, &stop);
}

struct status command_reverse_next(struct monitor_session *session, int argc, char **argv)
{
    return go_back(session, argc, argv, debugger_reverse_next);
}

struct status command_reverse_finish(struct monitor_session *session, int argc, char **argv)
{
    return go_back(session, argc, argv, debugger_reverse_finish);
}

struct status command_reverse_continue(struct monitor_session *session, int argc, char **argv)
{
    return go_back(session, argc, argv, debugger_reverse_continue);
}

/* Beyond the present the machine executes what is missing. */
struct status command_goto(struct monitor_session *session, int argc, char **argv)
{
    struct machine *machine = session->monitor->machine;
    uint64_t count = 0;
    struct debugger_stop stop;
    if (argc < 2) {
        return monitor_usage(argv[0]);
    }
    struct status status = monitor_need_paused(session->monitor);
    if (status_is_ok(&status)) {
        status = monitor_evaluate(session->monitor, monitor_rest(session, 1), &count);
    }
    if (status_is_ok(&status) && count > INT64_MAX) {
        status = status_error(STATUS_INVALID_ARGUMENT, "counts of instructions are not negative");
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    const uint64_t present =
        machine_has_history(machine) ? machine_history_end(machine).retired : machine_retired(machine);
    if (count > present) {
        monitor_step(session, count - machine_retired(machine));
        return status;
    }
    status = debugger_go_to(session->monitor->debugger, count, &stop);
    return finish(session, &status, &stop);
}

static void print_place(FILE *out, const char *name, const struct machine_place *place)
{
    fprintf(out, "%-12s after %llu instructions, at %.6f s\n", name, (unsigned long long)place->retired,
            (double)place->time / 1e9);
}

struct status monitor_info_history(struct monitor *monitor, const char *argument, FILE *out)
{
    struct machine *machine = monitor->machine;
    (void)argument;
    if (!machine_has_history(machine)) {
        fputs("no history is kept (-reverse keeps one)\n", out);
        return status_ok();
    }
    const struct machine_place first = machine_history_first(machine);
    const struct machine_place here = machine_place(machine);
    const struct machine_place end = machine_history_end(machine);
    const struct machine_history_info info = machine_history_info(machine);
    print_place(out, "begins", &first);
    print_place(out, "here", &here);
    print_place(out, "ends", &end);
    fprintf(out, "checkpoints: %zu, %.1f of %.0f MiB (%.1f of it old contents of disks)\n", info.checkpoints,
            (double)info.bytes / (double)MIB, (double)info.bytes_allowed / (double)MIB,
            (double)info.disk_bytes / (double)MIB);
    fprintf(out, "the last one took %.2f ms, all of them %.0f ms\n", (double)info.last_cost_ns / 1e6,
            (double)info.total_cost_ns / 1e6);
    return status_ok();
}

struct status monitor_need_present(const struct monitor *monitor)
{
    return machine_is_in_past(monitor->machine)
               ? status_error(STATUS_UNSUPPORTED,
                              "the machine is in its past, where it gets the inputs that it "
                              "got then (goto or cont leads to the present)")
               : status_ok();
}

void monitor_note_change(struct monitor_session *session)
{
    if (debugger_forget_history(session->monitor->debugger)) {
        fputs("(history begins here: the guest was changed)\n", session->out);
    }
}
