/* Building, driving and taking down one run; see session.h. */
#include "app/session.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "app/counters_file.h"
#include "app/gdb_link.h"
#include "base/bits.h"
#include "bus/event_clock.h"
#include "chardev/char_device.h"
#include "debugger/debugger.h"
#include "debugger/disassembly.h"
#include "debugger/monitor.h"
#include "debugger/tui.h"
#include "host/host_clock.h"
#include "host/host_memory.h"
#include "machine/machine.h"
#include "machine/machine_history.h"
#include "machine/machine_replay.h"
#include "ui/front_end.h"
#include "ui/quit_signals.h"
#include "ui/tty_guard.h"

/* How long the machine runs between looks at the outside: bounds the delay of typed keys and monitor
 * commands. */
#define SLICE_NS (5 * NS_PER_MILLISECOND)

/* Longest sleep: some streams (a pty without a reader) cannot announce themselves. */
#define NAP_NS (100 * NS_PER_MILLISECOND)
/* How often whoever waits for a search is asked. */
#define PATIENCE_NS (20 * NS_PER_MILLISECOND)
/* How often gdb is listened to while the guest runs. In counted time a slice takes the host much less than
 * that. */
#define GDB_INTERVAL_NS (2 * NS_PER_MILLISECOND)

/* For history, unless the host has little memory. */
#define HISTORY_BYTES GIB

#define STREAMS (MACHINE_SERIALS + 1) /* the last one is the debug console */

#define MAX_FDS ((STREAMS + 1) * CHAR_DEVICE_MAX_FDS + FRONT_END_MAX_FDS + 2)

struct session {
    const struct options *options;
    struct char_device *streams[STREAMS];
    FILE *log_file;
    FILE *counters_file;
    struct machine *machine;
    struct monitor *monitor;
    struct monitor_session *console; /* commands from standard input; NULL: it is not read */
    bool console_by_key;             /* the console was opened with the monitor key and closes with cont */
    bool has_used_key;               /* it was once */
    struct gdb_link *gdb;            /* NULL: none can come */
    struct tui *tui;                 /* -debug; otherwise NULL */
    struct front_end *front_end;
    int signal_fd;
    struct tty_guard guard; /* of the terminal, which streams and the monitor put into other modes */
    uint64_t asked_ns;      /* when somebody was last asked whether a search is to go on */
    uint64_t served_ns;     /* when gdb was last listened to */
    bool quit;
    bool off; /* the guest switched the machine off */
    int exit_status;
};

/* ---- building */

static struct status open_stream(struct session *session, unsigned index, const char *specification)
{
    if (specification == NULL) {
        return status_ok();
    }
    char notice[256];
    struct status status = char_device_open(specification, &session->streams[index], notice, sizeof notice);
    if (status_is_ok(&status) && notice[0] != '\0') {
        fprintf(stderr, "doppel: %s%c: %s\n", index < MACHINE_SERIALS ? "serial " : "debugcon",
                index < MACHINE_SERIALS ? '0' + (int)index : ' ', notice);
    }
    return status;
}

static struct status open_streams(struct session *session)
{
    const struct options *options = session->options;
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        struct status status = open_stream(session, i, options->serial[i]);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    return open_stream(session, STREAMS - 1, options->debug_console);
}

/* The recording to be replayed, and the times of the machine that it is of. */
static struct status open_replay(const struct options *options, struct machine_config *config,
                                 struct input_log **log)
{
    if (options->replay == NULL) {
        return status_ok();
    }
    struct status status = input_log_open(options->replay, log);
    if (!status_is_ok(&status)) {
        return status;
    }
    const struct input_log_header *header = input_log_header(*log);
    config->rtc_epoch = options->rtc_given ? config->rtc_epoch : header->rtc_epoch;
    config->ns_per_instruction =
        options->icount_given ? config->ns_per_instruction : header->ns_per_instruction;
    return status;
}

/* What makes going back possible; behind recording and replaying. */
static struct status begin_history(struct session *session)
{
    uint64_t bytes = session->options->reverse_mib * MIB;
    if (bytes == 0) {
        uint64_t quarter = host_memory_installed() / 4;
        bytes = quarter < HISTORY_BYTES ? quarter : HISTORY_BYTES;
    }
    return session->options->reverse ? machine_start_history(session->machine, bytes) : status_ok();
}

static struct status begin_record_or_replay(struct session *session, struct input_log *log)
{
    const char *record = session->options->record;
    if (log == NULL) {
        return record != NULL ? machine_start_recording(session->machine, record) : status_ok();
    }
    struct status status = machine_start_replay(session->machine, log);
    if (status_is_ok(&status)) {
        fprintf(stderr, "doppel: replaying %s: until it ends, input from outside is ignored\n",
                session->options->replay);
    }
    return status;
}

static struct status create_machine(struct session *session)
{
    struct machine_config config = session->options->machine;
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        config.serial[i] = session->streams[i];
    }
    config.log.disassembler = disassembly_is_there() ? disassembly_log : NULL;
    config.debug_console = session->streams[STREAMS - 1];
    if (session->options->log_file != NULL) {
        session->log_file = fopen(session->options->log_file, "w");
        if (session->log_file == NULL) {
            return status_from_errno(errno, "cannot write the log %s", session->options->log_file);
        }
        config.log.sink = session->log_file;
    }
    struct input_log *log = NULL;
    struct status status = open_replay(session->options, &config, &log);
    if (status_is_ok(&status)) {
        status = machine_create(&config, &session->machine);
    }
    if (!status_is_ok(&status)) {
        input_log_close(log);
        return status;
    }
    status = begin_record_or_replay(session, log);
    return status_is_ok(&status) ? begin_history(session) : status;
}

static void take_request(void *opaque, enum front_end_request request);

/* Ctrl+C, and other signals that end doppel, while the debugger searches the past. */
static bool gives_up(void *opaque)
{
    struct session *session = opaque;
    const uint64_t now = host_clock_monotonic_ns(NULL);
    int signal_number;
    if (now - session->asked_ns < PATIENCE_NS) {
        return false;
    }
    session->asked_ns = now;
    if (!quit_signals_take(session->signal_fd, &signal_number)) {
        return gdb_link_interrupts(session->gdb) ||
               (session->tui != NULL && front_end_take_interrupt(session->front_end, now));
    }
    if (signal_number != SIGINT) {
        session->exit_status = 128 + signal_number;
        session->quit = true;
    }
    return true;
}

static struct status create_tui(struct session *session)
{
    if (session->options->debug_screen) {
        session->tui = tui_create(session->monitor, take_request, session);
        if (session->tui == NULL) {
            return status_error(STATUS_NO_MEMORY, "out of memory");
        }
    }
    return status_ok();
}

static struct status create_monitor(struct session *session)
{
    session->monitor = monitor_create(session->machine);
    if (session->monitor == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    debugger_set_patience(monitor_debugger(session->monitor), gives_up, session);
    if (session->options->machine.kernel.path != NULL) {
        monitor_load_kernel_symbols(session->monitor, session->options->machine.kernel.path);
    }
    if (session->options->monitor_on_stdio) {
        session->console = monitor_open_terminal(session->monitor, stdin, stdout);
        if (session->console == NULL) {
            return status_error(STATUS_NO_MEMORY, "out of memory");
        }
    }
    struct status status = create_tui(session);
    if (!status_is_ok(&status) || session->options->script == NULL) {
        return status;
    }
    struct monitor_session *script;
    FILE *out = session->tui != NULL ? tui_output(session->tui) : stdout;
    return monitor_open_script(session->monitor, session->options->script, out,
                               session->tui != NULL ? tui_errors(session->tui) : stderr, &script);
}

static struct status open_gdb(struct session *session)
{
    return session->options->gdb == NULL
               ? status_ok()
               : gdb_link_open(session->options->gdb, session->machine, session->monitor, &session->gdb);
}

/* ---- the monitor key */

static bool stdin_is_taken(const struct session *session)
{
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        if (session->options->serial[i] != NULL && strcmp(session->options->serial[i], "stdio") == 0) {
            return true;
        }
    }
    const char *others[] = {session->options->debug_console, session->options->gdb};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (others[i] != NULL && strcmp(others[i], "stdio") == 0) {
            return true;
        }
    }
    return false;
}

static void show_monitor(struct session *session)
{
    if (session->console == NULL && !stdin_is_taken(session)) {
        front_end_suspend(session->front_end);
        session->console = monitor_open_terminal(session->monitor, stdin, stdout);
        session->console_by_key = session->console != NULL;
        session->has_used_key |= session->console_by_key;
    }
    if (session->console == NULL) {
        fprintf(stderr, "doppel: no monitor: standard input serves another purpose\n");
        return;
    }
    fprintf(stdout, "doppel: the machine is paused; cont lets it go on, help lists the commands\n");
    machine_pause(session->machine);
    front_end_set_state(session->front_end, FRONT_END_STOPPED);
}

static void resume_front_end(struct session *session)
{
    struct status status = front_end_resume(session->front_end);
    if (!status_is_ok(&status)) {
        fprintf(stderr, "doppel: %s\n", status.message);
        session->exit_status = 1;
        session->quit = true;
    }
}

/* Back from the monitor to the guest's screen. */
static void leave_monitor(struct session *session)
{
    fputs("\n", stdout); /* past the prompt */
    monitor_close(session->console);
    session->console = NULL;
    session->console_by_key = false;
    resume_front_end(session);
}

/* To the shell, with the guest's time standing still. */
static void go_to_background(struct session *session)
{
    bool was_paused = machine_is_paused(session->machine);
    machine_pause(session->machine);
    front_end_suspend(session->front_end);
    kill(0, SIGTSTP); /* all of the job: it stops here */
    resume_front_end(session);
    if (!was_paused) {
        machine_resume(session->machine);
    }
}

static void take_request(void *opaque, enum front_end_request request)
{
    struct session *session = opaque;
    switch (request) {
    case FRONT_END_QUIT: session->quit = true; break;
    case FRONT_END_BACKGROUND: go_to_background(session); break;
    case FRONT_END_MONITOR:
        if (session->tui != NULL) {
            tui_show(session->tui);
        } else {
            show_monitor(session);
        }
        break;
    }
}

static bool input_is_ready(void *opaque)
{
    struct session *session = opaque;
    return session->tui != NULL ? tui_input_ready(session->tui) : machine_input_ready(session->machine);
}

static void note_screen_size(void *opaque, unsigned columns, unsigned rows)
{
    struct session *session = opaque;
    tui_resize(session->tui, columns, rows);
}

static const char *status_line(void *opaque)
{
    struct session *session = opaque;
    return tui_status(session->tui);
}

static struct status create_front_end(struct session *session)
{
    struct front_end_host host = {.display = machine_display(session->machine),
                                  .input = machine_input(session->machine),
                                  .input_ready = input_is_ready,
                                  .request = take_request,
                                  .name = session->options->name,
                                  .opaque = session};
    if (session->tui != NULL) {
        host.display = tui_display(session->tui);
        host.input = tui_input(session->tui);
        host.resized = note_screen_size;
        host.status = status_line;
    }
    return front_end_create(session->options->display, &host, &session->front_end);
}

/* Before anybody changes the terminal, and while there is little memory to copy for another process. */
static void guard_terminal(struct session *session)
{
    struct termios settings;
    const bool is_used = stdin_is_taken(session) || session->options->monitor_on_stdio ||
                         session->options->display == FRONT_END_TTY;
    if (is_used && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &settings) == 0) {
        tty_guard_start(&session->guard, STDIN_FILENO, &settings, "", 0);
    }
}

static struct status build(struct session *session)
{
    guard_terminal(session);
    struct status status = quit_signals_open(&session->signal_fd);
    if (status_is_ok(&status)) {
        status = open_streams(session);
    }
    if (status_is_ok(&status)) {
        status = counters_file_open(session->options->counters_file, &session->counters_file);
    }
    if (status_is_ok(&status)) {
        status = create_machine(session);
    }
    if (status_is_ok(&status)) {
        status = create_monitor(session);
    }
    if (status_is_ok(&status)) {
        status = open_gdb(session);
    }
    if (status_is_ok(&status)) {
        status = create_front_end(session);
    }
    if (status_is_ok(&status) && session->options->start_paused) {
        machine_pause(session->machine);
        front_end_set_state(session->front_end, FRONT_END_STOPPED);
    }
    return status;
}

/* ---- the loop */

static void read_console(struct session *session, short events)
{
    char bytes[4096];
    if (events == 0) {
        return;
    }
    ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
    if (length > 0) {
        monitor_feed(session->console, bytes, (size_t)length);
    } else if (length == 0 || (errno != EINTR && errno != EAGAIN)) {
        monitor_feed_end(session->console);
    }
}

/* The descriptors that are only there to wake up for: what comes by them is looked for anyway. */
static size_t wakeup_fds(const struct session *session, struct pollfd *fds)
{
    size_t count = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        if (session->streams[i] != NULL) {
            count += char_device_poll_fds(session->streams[i], fds + count);
        }
    }
    count += gdb_link_poll_fds(session->gdb, fds + count);
    return count + front_end_poll_fds(session->front_end, fds + count);
}

/* Waits up to `limit_ns` for a descriptor of anybody, and reads the console's. */
static void wait_for_something(struct session *session, uint64_t limit_ns)
{
    struct pollfd fds[MAX_FDS];
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
    size_t console = 0;
    if (session->console != NULL && !monitor_session_is_over(session->console)) {
        console = count;
        fds[count++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    }
    if (limit_ns > 0) {
        count += wakeup_fds(session, fds + count);
    }
    struct timespec limit = {.tv_sec = (time_t)(limit_ns / NS_PER_SECOND),
                             .tv_nsec = (long)(limit_ns % NS_PER_SECOND)};
    int ready = ppoll(fds, (nfds_t)count, &limit, NULL);
    if (ready > 0 && console != 0) {
        read_console(session, fds[console].revents);
    }
    int signal_number;
    if (ready > 0 && quit_signals_take(session->signal_fd, &signal_number)) {
        if (signal_number == SIGINT && session->console != NULL && !machine_is_paused(session->machine)) {
            debugger_pause(monitor_debugger(session->monitor));
            return;
        }
        session->exit_status = 128 + signal_number; /* as a shell counts it */
        session->quit = true;
    }
}

/* How long the host may sleep while the guest does. */
static uint64_t sleep_limit(struct session *session, uint64_t idle_ns)
{
    uint64_t limit = session->options->display == FRONT_END_NONE ? NAP_NS : FRONT_END_INTERVAL_NS;
    if ((monitor_is_busy(session->monitor) || gdb_link_is_busy(session->gdb)) && limit > MONITOR_POLL_NS) {
        limit = MONITOR_POLL_NS;
    }
    return idle_ns < limit ? idle_ns : limit;
}

static void note_power_off(struct session *session)
{
    const char *reason = machine_stop_reason(session->machine);
    session->exit_status = machine_exit_status(session->machine);
    if (session->options->machine.no_reboot) {
        fprintf(stderr, "doppel: the machine is off: %s\n", reason);
    }
    monitor_note_power_off(session->monitor, reason);
    gdb_link_note_power_off(session->gdb, session->exit_status);
    session->off = true;
}

/* The debugger has paused the machine: whoever set its breakpoints by the monitor key gets the monitor back.
 */
static void note_debugger_stop(struct session *session)
{
    if (session->tui != NULL) {
        tui_note_stop(session->tui);
    } else if (session->console == NULL && session->has_used_key) {
        show_monitor(session);
    }
    front_end_set_state(session->front_end, FRONT_END_STOPPED);
}

/* Whether this was the end of a replay, which is told. */
static bool note_replay(struct session *session, enum machine_replay_state before)
{
    enum machine_replay_state state = machine_replay_state(session->machine);
    if (state == before) {
        return false;
    }
    if (state == MACHINE_REPLAY_ENDED) {
        struct machine_checksums sums = machine_checksum(session->machine);
        fprintf(
            stderr,
            "doppel: the recording has ended after %llu instructions; as recorded, checksums are %08x %08x\n",
            (unsigned long long)machine_retired(session->machine), sums.ram, sums.rest);
    } else {
        struct status failure = machine_replay_failure(session->machine);
        fprintf(stderr, "doppel: %s\n", failure.message);
    }
    session->exit_status = state == MACHINE_REPLAY_ENDED ? 0 : 1;
    return true;
}

/* The replay is over, at its end or where it has gone another way: whoever debugs looks around. */
static void leave_replay(struct session *session)
{
    bool is_debugged = session->console != NULL || session->tui != NULL || session->gdb != NULL;
    if (is_debugged) {
        debugger_pause(monitor_debugger(session->monitor));
    } else {
        session->quit = true;
    }
}

/* Runs the guest for a slice. Returns how long the host may sleep now. */
static uint64_t run_guest(struct session *session)
{
    if (machine_is_paused(session->machine)) {
        return sleep_limit(session, UINT64_MAX);
    }
    enum machine_replay_state before = machine_replay_state(session->machine);
    enum machine_stop stop = machine_run(session->machine, SLICE_NS);
    bool replayed = note_replay(session, before);
    if (replayed && (stop != MACHINE_POWER_OFF || session->exit_status != 0)) {
        leave_replay(session);
    }
    if (monitor_note_run(session->monitor, stop)) {
        note_debugger_stop(session);
        return 0;
    }
    switch (stop) {
    case MACHINE_IDLE: return sleep_limit(session, machine_idle_ns(session->machine));
    case MACHINE_POWER_OFF: note_power_off(session); return 0;
    default: return 0;
    }
}

/* Lets the monitor's commands go on and does what they asked for. */
static void serve_monitor(struct session *session)
{
    bool was_paused = machine_is_paused(session->machine);
    monitor_poll(session->monitor);
    bool is_paused = machine_is_paused(session->machine);
    int status;
    if (monitor_wants_quit(session->monitor, &status)) {
        session->exit_status = status;
        session->quit = true;
    }
    if (session->console != NULL && monitor_session_is_over(session->console)) {
        if (session->console_by_key) { /* nobody is there to type cont */
            fprintf(stderr, "doppel: standard input has ended: the machine goes on without the monitor\n");
            debugger_continue(monitor_debugger(session->monitor));
            is_paused = false;
        } else {
            monitor_close(session->console);
            session->console = NULL;
        }
    }
    if (session->console_by_key && !is_paused && !session->quit) {
        leave_monitor(session);
    }
    if (was_paused != is_paused) {
        front_end_set_state(session->front_end, is_paused ? FRONT_END_STOPPED : FRONT_END_RUNNING);
    }
}

/* Whether the guest goes on without a look at what gdb wants. */
static bool gdb_can_wait(const struct session *session, uint64_t slept_ns, uint64_t now)
{
    const bool waits = slept_ns > 0 || machine_is_paused(session->machine) || gdb_link_is_busy(session->gdb);
    return !waits && now - session->served_ns < GDB_INTERVAL_NS;
}

static void serve_gdb(struct session *session, uint64_t slept_ns, uint64_t now)
{
    if (gdb_can_wait(session, slept_ns, now)) {
        return;
    }
    session->served_ns = now;
    bool was_paused = machine_is_paused(session->machine);
    gdb_link_poll(session->gdb);
    bool is_paused = machine_is_paused(session->machine);
    session->quit |= gdb_link_wants_quit(session->gdb);
    if (was_paused != is_paused) {
        front_end_set_state(session->front_end, is_paused ? FRONT_END_STOPPED : FRONT_END_RUNNING);
    }
}

static void drive(struct session *session)
{
    while (!session->quit) {
        serve_monitor(session);
        if (session->quit || session->off) {
            break;
        }
        uint64_t sleep_ns = run_guest(session);
        wait_for_something(session, sleep_ns);
        for (unsigned i = 0; i < STREAMS; i++) {
            if (session->streams[i] != NULL) {
                char_device_poll(session->streams[i]);
            }
        }
        const uint64_t now = host_clock_monotonic_ns(NULL);
        serve_gdb(session, sleep_ns, now);
        front_end_update(session->front_end, now);
    }
    front_end_finish(session->front_end);
}

static void *drive_on_thread(void *opaque)
{
    drive(opaque);
    return NULL;
}

static struct status run(struct session *session)
{
    if (!front_end_needs_main_thread(session->front_end)) {
        drive(session);
        return status_ok();
    }
    pthread_t thread;
    int error = pthread_create(&thread, NULL, drive_on_thread, session);
    if (error != 0) {
        return status_from_errno(error, "cannot start the machine's thread");
    }
    front_end_run(session->front_end);
    pthread_join(thread, NULL);
    return status_ok();
}

/* ---- taking down */

/* Output that never arrived is a failure of the run, unless there is one already. */
static void close_stream(struct session *session, unsigned index, struct status *status)
{
    struct char_device *stream = session->streams[index];
    if (stream == NULL) {
        return;
    }
    struct status failure = char_device_status(stream);
    if (status_is_ok(status) && !status_is_ok(&failure)) {
        *status = failure;
    }
    char_device_close(stream);
}

static void close_log(struct session *session, struct status *status)
{
    bool failed = ferror(session->log_file) != 0;
    errno = 0;
    failed |= fclose(session->log_file) != 0;
    if (failed && status_is_ok(status)) {
        *status = status_from_errno(errno != 0 ? errno : EIO, "cannot write the log %s",
                                    session->options->log_file);
    }
}

static void finish_recording(struct session *session, struct status *status)
{
    struct status failure =
        session->machine != NULL ? machine_finish_recording(session->machine) : status_ok();
    if (status_is_ok(status)) {
        *status = failure;
    }
}

/* The guest got an error from its disk; why is for the user to know. */
static void note_image_failure(const struct session *session, struct status *status)
{
    if (status_is_ok(status) && session->machine != NULL) {
        *status = machine_image_failure(session->machine);
    }
}

static void take_down(struct session *session, struct status *status)
{
    front_end_destroy(session->front_end);
    tui_destroy(session->tui);
    gdb_link_close(session->gdb);
    monitor_destroy(session->monitor);
    finish_recording(session, status);
    note_image_failure(session, status);
    counters_file_close(session->counters_file, session->options->counters_file, session->machine, status);
    machine_destroy(session->machine);
    for (unsigned i = 0; i < STREAMS; i++) {
        close_stream(session, i, status);
    }
    if (session->log_file != NULL) {
        close_log(session, status);
    }
    if (session->signal_fd >= 0) {
        quit_signals_close(session->signal_fd);
    }
    tty_guard_end(&session->guard);
}

struct status session_run(const struct options *options, int *exit_status)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    session->options = options;
    session->signal_fd = -1;
    struct status status = build(session);
    if (status_is_ok(&status)) {
        status = run(session);
    }
    *exit_status = session->exit_status;
    take_down(session, &status);
    free(session);
    return status;
}
