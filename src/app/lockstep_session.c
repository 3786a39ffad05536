/* See lockstep_session.h.
 *
 * The first run compares the CPUs often and RAM seldom. What it finds narrows the second one: the pages that
 * differ are compared after every step, and the step that spoils them is known. The third one goes through
 * that step instruction by instruction; when the engines agree then, because code is translated otherwise for
 * single instructions, a fourth one shows the step as a whole. */
#include "app/lockstep_session.h"

#include <stdlib.h>

#include "app/counters_file.h"
#include "chardev/char_device.h"
#include "debugger/disassembly.h"
#include "debugger/monitor.h"
#include "machine/lockstep.h"
#include "ui/quit_signals.h"

#define SLICE_NS      (5 * (uint64_t)1000000)
#define MEMORY_PERIOD 10000000u
#define SIDES         2
#define STREAMS       (MACHINE_SERIALS + 1) /* the last one is the debug console */

/* One run. */
struct run {
    const struct options *options;
    struct lockstep *lockstep;
    struct monitor *monitors[SIDES];
    struct char_device *streams[SIDES][STREAMS];
    FILE *nowhere;
    int signal_fd;
    enum lockstep_stop stop;
    int exit_status;
    bool interrupted;
};

/* ---- building */

static struct status open_streams(struct run *run, bool quiet)
{
    const struct options *options = run->options;
    struct status status = status_ok();
    for (unsigned side = 0; side < SIDES; side++) {
        for (unsigned i = 0; i < STREAMS && status_is_ok(&status); i++) {
            const char *wanted = i < MACHINE_SERIALS ? options->serial[i] : options->debug_console;
            char notice[256];
            bool discards = quiet || side == LOCKSTEP_REFERENCE;
            if (wanted != NULL) {
                status = char_device_open(discards ? "null" : wanted, &run->streams[side][i], notice,
                                          sizeof notice);
            }
        }
    }
    return status;
}

static struct machine_config config_of(const struct run *run, enum lockstep_side side)
{
    struct machine_config config = run->options->machine;
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        config.serial[i] = run->streams[side][i];
    }
    config.debug_console = run->streams[side][STREAMS - 1];
    config.log.disassembler = disassembly_is_there() ? disassembly_log : NULL;
    config.engine.ignores_x87_pointers = true;
    if (side == LOCKSTEP_REFERENCE) {
        /* with the same strategy, since what sets accessed bits depends on it */
        config.engine = (struct engine_config){
            .kind = ENGINE_INTERP, .mmu = config.engine.mmu, .ignores_x87_pointers = true};
    }
    return config;
}

static struct status open_monitors(struct run *run, bool quiet)
{
    run->nowhere = fopen("/dev/null", "w");
    for (unsigned side = 0; side < SIDES; side++) {
        bool discards = quiet || side == LOCKSTEP_REFERENCE;
        struct monitor_session *script;
        run->monitors[side] = monitor_create(lockstep_machine(run->lockstep, (enum lockstep_side)side));
        if (run->monitors[side] == NULL || run->nowhere == NULL) {
            return status_error(STATUS_NO_MEMORY, "out of memory");
        }
        struct status status = run->options->script == NULL
                                   ? status_ok()
                                   : monitor_open_script(run->monitors[side], run->options->script,
                                                         discards ? run->nowhere : stdout,
                                                         discards ? run->nowhere : stderr, &script);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    return status_ok();
}

static struct status build(struct run *run, const struct lockstep_focus *focus, bool quiet)
{
    struct status status = quit_signals_open(&run->signal_fd);
    if (status_is_ok(&status)) {
        status = open_streams(run, quiet);
    }
    const struct options_check *check = &run->options->check;
    const struct lockstep_config config = {.reference = config_of(run, LOCKSTEP_REFERENCE),
                                           .tested = config_of(run, LOCKSTEP_TESTED),
                                           .seed = check->seed,
                                           .longest_step = check->longest_step,
                                           .memory_period = MEMORY_PERIOD,
                                           .instructions = check->instructions,
                                           .focus = *focus};
    if (status_is_ok(&status)) {
        status = lockstep_create(&config, &run->lockstep);
    }
    for (unsigned i = 0; i < SIDES * STREAMS; i++) { /* nothing arrives */
        if (run->streams[i / STREAMS][i % STREAMS] != NULL) {
            char_device_set_sink(run->streams[i / STREAMS][i % STREAMS], NULL);
        }
    }
    return status_is_ok(&status) ? open_monitors(run, quiet) : status;
}

static void take_down(struct run *run)
{
    for (unsigned side = 0; side < SIDES; side++) {
        monitor_destroy(run->monitors[side]);
    }
    lockstep_destroy(run->lockstep);
    for (unsigned side = 0; side < SIDES; side++) {
        for (unsigned i = 0; i < STREAMS; i++) {
            char_device_close(run->streams[side][i]);
        }
    }
    if (run->nowhere != NULL) {
        fclose(run->nowhere);
    }
    if (run->signal_fd >= 0) {
        quit_signals_close(run->signal_fd);
    }
}

/* ---- running */

/* Both monitors do the same, because both machines do. True: they want the end. */
static bool serve_monitors(struct run *run)
{
    bool over = false;
    for (unsigned side = 0; side < SIDES; side++) {
        int status;
        monitor_poll(run->monitors[side]);
        if (monitor_wants_quit(run->monitors[side], &status)) {
            run->exit_status = status;
            over = true;
        }
    }
    return over;
}

static void note_power_off(struct run *run)
{
    for (unsigned side = 0; side < SIDES; side++) {
        const struct machine *machine = lockstep_machine(run->lockstep, (enum lockstep_side)side);
        run->exit_status = machine_exit_status(machine);
        monitor_note_power_off(run->monitors[side], machine_stop_reason(machine));
    }
    serve_monitors(run);
}

static void drive(struct run *run)
{
    run->stop = LOCKSTEP_SLICE;
    while (run->stop == LOCKSTEP_SLICE && !serve_monitors(run)) {
        int signal_number;
        if (quit_signals_take(run->signal_fd, &signal_number)) {
            run->exit_status = 128 + signal_number;
            run->interrupted = true;
            return;
        }
        if (machine_is_paused(lockstep_machine(run->lockstep, LOCKSTEP_TESTED))) {
            fprintf(stderr, "doppel: the script has paused the machines for good\n");
            run->exit_status = 1;
            return;
        }
        run->stop = lockstep_run(run->lockstep, SLICE_NS);
        for (unsigned i = 0; i < STREAMS; i++) {
            if (run->streams[LOCKSTEP_TESTED][i] != NULL) {
                char_device_poll(run->streams[LOCKSTEP_TESTED][i]);
            }
        }
    }
    if (run->stop == LOCKSTEP_OFF) {
        note_power_off(run);
    } else if (run->stop == LOCKSTEP_SLICE && !lockstep_compare_all(run->lockstep)) { /* the script's end */
        run->stop = LOCKSTEP_DIFFERENT;
    }
}

static struct status run_once(struct run *run, const struct options *options,
                              const struct lockstep_focus *focus, bool quiet)
{
    *run = (struct run){.options = options, .signal_fd = -1};
    struct status status = build(run, focus, quiet);
    if (status_is_ok(&status)) {
        drive(run);
    }
    return status;
}

/* ---- looking closer */

/* Repeats the run with `focus`; true when it differs again, which makes *focus what comes next. */
static bool repeat(const struct options *options, struct lockstep_focus *focus, const char *purpose,
                   bool print)
{
    struct run run;
    fprintf(stderr, "doppel: again, %s\n", purpose);
    struct status status = run_once(&run, options, focus, true);
    bool differs = status_is_ok(&status) && run.stop == LOCKSTEP_DIFFERENT;
    if (differs) {
        const struct lockstep_finding *found = lockstep_found(run.lockstep);
        focus->step = found->step;
        if (print) {
            lockstep_describe_difference(run.lockstep, stdout);
        }
    }
    take_down(&run);
    return differs;
}

static void explain(const struct options *options, const struct lockstep_finding *found)
{
    struct lockstep_focus focus = {
        .from = found->last_good, .page_count = found->page_count, .step = UINT64_MAX};
    for (unsigned i = 0; i < found->page_count; i++) {
        focus.pages[i] = found->pages[i];
    }
    if (found->page_count > 0 && !repeat(options, &focus, "to find the step that differs first", false)) {
        printf("the run is another one each time: something of the host gets in\n");
        return;
    }
    focus.step = focus.step == UINT64_MAX ? found->step : focus.step;
    struct lockstep_focus single = focus;
    single.single = true;
    if (repeat(options, &single, "through that step instruction by instruction", true)) {
        return;
    }
    printf("instruction by instruction the engines agree; the step as a whole:\n");
    repeat(options, &focus, "to show the step as a whole", true);
}

static void report(struct run *run)
{
    const struct lockstep_finding found = *lockstep_found(run->lockstep);
    const struct options_check *check = &run->options->check;
    fflush(stdout);
    printf("lockstep: after ");
    lockstep_describe_progress(run->lockstep, stdout);
    printf(" the engines differ in %s\n", found.what);
    printf("the same command line with -check lockstep,seed=%llu,step=%lu does the same again\n",
           (unsigned long long)check->seed, (unsigned long)check->longest_step);
    lockstep_describe_difference(run->lockstep, stdout);
    fflush(stdout);
    explain(run->options, &found);
}

struct status lockstep_session_run(const struct options *options, int *exit_status)
{
    const struct lockstep_focus everything = {.from = UINT64_MAX, .step = UINT64_MAX};
    struct run run;
    FILE *counters;
    struct status status = counters_file_open(options->counters_file, &counters);
    if (!status_is_ok(&status)) {
        return status;
    }
    status = run_once(&run, options, &everything, false);
    *exit_status = run.exit_status;
    if (status_is_ok(&status) && run.stop == LOCKSTEP_DIFFERENT) {
        *exit_status = 1;
        report(&run);
    } else if (status_is_ok(&status)) {
        printf("lockstep: ");
        lockstep_describe_progress(run.lockstep, stdout);
        printf(": no difference%s\n", run.interrupted ? " so far" : "");
    }
    struct machine *tested = run.lockstep != NULL ? lockstep_machine(run.lockstep, LOCKSTEP_TESTED) : NULL;
    counters_file_close(counters, options->counters_file, tested, &status);
    take_down(&run);
    return status;
}
