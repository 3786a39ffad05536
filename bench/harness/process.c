/* One program of the host; see process.h. */
#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/bits.h"

/* How often signals and the end of a program that keeps its output open are looked for. */
#define LOOK_SECONDS 0.1

/* A tick may end the measured time, so that it comes as late as this. */
#define TICK_SECONDS 0.02

#define LINE_SIZE 1024

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

/* Text on its way to becoming lines; what is longer than a line can be is cut. */
struct line_buffer {
    char text[LINE_SIZE];
    size_t length;
};

struct listener {
    const struct process_request *request;
    struct process_result *result;
    pid_t pid;
    double started;
    double deadline;
    bool satisfied; /* what was waited for has come */
    int output, errors;
    struct line_buffer output_line, error_line;
};

double process_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- signals */

static void ending_signal_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_COUNT(ending_signals); i++) {
        sigaddset(set, ending_signals[i]);
    }
}

void process_block_signals(void)
{
    sigset_t set;
    ending_signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void process_release_signals(void)
{
    sigset_t set;
    ending_signal_set(&set);
    while (sigtimedwait(&set, NULL, &(struct timespec){0}) > 0) {
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool process_is_interrupted(void)
{
    sigset_t pending;
    sigpending(&pending);
    for (size_t i = 0; i < ARRAY_COUNT(ending_signals); i++) {
        struct sigaction action;
        if (sigismember(&pending, ending_signals[i]) == 1 &&
            sigaction(ending_signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            return true;
        }
    }
    return false;
}

/* ---- starting */

/* In the child; returns only when exec failed. */
static void become(const struct process_request *request, int output, int errors, pid_t parent)
{
    sigset_t set;
    ending_signal_set(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent) {
        _exit(127);
    }
    setpgid(0, 0);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    close(nothing);
    dup2(output, STDOUT_FILENO);
    dup2(request->join_errors ? output : errors, STDERR_FILENO);
    if (request->directory != NULL && chdir(request->directory) != 0) {
        return;
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (size_t i = 0; request->environment != NULL && request->environment[i] != NULL; i++) {
        putenv((char *)request->environment[i]);
    }
    execvp(request->argv[0], (char *const *)request->argv);
}

/* Starts the program; *output and *errors are read ends. */
static struct status start(const struct process_request *request, pid_t *pid, int *output, int *errors)
{
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    int failure[2] = {-1, -1}; /* brings exec's errno */
    pid_t parent = getpid();
    pid_t child = -1;
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 && pipe2(failure, O_CLOEXEC) == 0) {
        child = fork();
    }
    int error = errno;
    if (child == 0) {
        become(request, out[1], err[1], parent);
        error = errno;
        if (write(failure[1], &error, sizeof error) < 0) {
            _exit(126);
        }
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    close(failure[1]);
    if (child > 0) {
        setpgid(child, child); /* whoever comes first */
        error = 0;
        ssize_t length;
        do {
            length = read(failure[0], &error, sizeof error);
        } while (length < 0 && errno == EINTR);
        if (length == (ssize_t)sizeof error) {
            waitpid(child, NULL, 0);
            child = -1;
        }
    }
    close(failure[0]);
    if (child < 0) {
        close(out[0]);
        close(err[0]);
        return status_from_errno(error, "cannot start %s", request->argv[0]);
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    *pid = child;
    *output = out[0];
    *errors = err[0];
    return status_ok();
}

/* ---- listening */

static void be_satisfied(struct listener *listener, double now)
{
    if (!listener->satisfied) {
        listener->satisfied = true;
        listener->deadline = now + listener->request->grace_seconds;
    }
}

/* After the program's end its whole time is known from elsewhere, and its clock is gone. */
static double cpu_seconds_now(const struct listener *listener)
{
    clockid_t clock;
    struct timespec time;
    if (listener->result->cpu_seconds > 0) {
        return listener->result->cpu_seconds;
    }
    return clock_getcpuclockid(listener->pid, &clock) == 0 && clock_gettime(clock, &time) == 0
               ? (double)time.tv_sec + (double)time.tv_nsec / 1e9
               : 0;
}

static void take_output_line(struct listener *listener, const char *line, double now)
{
    const struct process_moment moment = {.seconds = now - listener->started,
                                          .cpu_seconds = cpu_seconds_now(listener)};
    if (!listener->satisfied && !listener->request->line(listener->request->opaque, line, moment)) {
        be_satisfied(listener, now);
    }
}

static void take_error_line(struct listener *listener, const char *line, double now)
{
    (void)now;
    if (line[strspn(line, " \t=-*")] != '\0') { /* rulers say nothing */
        size_t length = strnlen(line, sizeof listener->result->last_words - 1);
        memcpy(listener->result->last_words, line, length);
        listener->result->last_words[length] = '\0';
    }
}

static void take_text(struct listener *listener, struct line_buffer *buffer, const char *text, size_t length,
                      double now, void (*take)(struct listener *, const char *, double))
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            buffer->text[buffer->length] = '\0';
            if (buffer->length > 0 && buffer->text[buffer->length - 1] == '\r') {
                buffer->text[buffer->length - 1] = '\0';
            }
            take(listener, buffer->text, now);
            buffer->length = 0;
        } else if (text[i] != '\0' && buffer->length < sizeof buffer->text - 1) {
            buffer->text[buffer->length++] = text[i];
        }
    }
}

/* Reads what is there. Returns false at the end, and closes. */
static bool read_stream(struct listener *listener, int *fd, struct line_buffer *buffer,
                        void (*take)(struct listener *, const char *, double))
{
    char text[4096];
    ssize_t length = read(*fd, text, sizeof text);
    if (length > 0) {
        double now = process_clock();
        take_text(listener, buffer, text, (size_t)length, now, take);
        if (listener->request->partial_lines && buffer->length > 0) {
            buffer->text[buffer->length] = '\0';
            take(listener, buffer->text, now);
        }
        return true;
    }
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    close(*fd);
    *fd = -1;
    return false;
}

static void read_streams(struct listener *listener)
{
    if (listener->output >= 0) {
        read_stream(listener, &listener->output, &listener->output_line, take_output_line);
    }
    if (listener->errors >= 0) {
        read_stream(listener, &listener->errors, &listener->error_line, take_error_line);
    }
}

/* What is still in the pipes of a program that has ended. Bounded: a descendant may write for ever. */
static void drain_streams(struct listener *listener)
{
    for (int i = 0; i < 64 && listener->output >= 0; i++) {
        if (!read_stream(listener, &listener->output, &listener->output_line, take_output_line)) {
            break;
        }
    }
    for (int i = 0; i < 64 && listener->errors >= 0; i++) {
        if (!read_stream(listener, &listener->errors, &listener->error_line, take_error_line)) {
            break;
        }
    }
    take_text(listener, &listener->error_line, "\n", 1, process_clock(), take_error_line);
}

static bool has_ended(pid_t pid)
{
    siginfo_t information = {0};
    return waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           information.si_pid == pid;
}

static void wait_for_text(struct listener *listener, double now)
{
    struct pollfd fds[2];
    nfds_t count = 0;
    if (listener->output >= 0) {
        fds[count++] = (struct pollfd){.fd = listener->output, .events = POLLIN};
    }
    if (listener->errors >= 0) {
        fds[count++] = (struct pollfd){.fd = listener->errors, .events = POLLIN};
    }
    double look = count == 0 ? 0.005 : listener->request->tick != NULL ? TICK_SECONDS : LOOK_SECONDS;
    double wait = listener->deadline - now < look ? listener->deadline - now : look;
    poll(fds, count, wait > 0 ? (int)(wait * 1000) + 1 : 0);
}

static void listen_to(struct listener *listener)
{
    double next_tick = listener->started + TICK_SECONDS;
    while (!has_ended(listener->pid)) {
        double now = process_clock();
        if (process_is_interrupted()) {
            listener->result->interrupted = true;
            return;
        }
        if (now >= listener->deadline) {
            listener->result->timed_out = !listener->satisfied;
            listener->result->killed = listener->satisfied;
            return;
        }
        if (listener->request->tick != NULL && now >= next_tick) {
            next_tick = now + TICK_SECONDS;
            if (!listener->satisfied &&
                !listener->request->tick(listener->request->opaque, now - listener->started)) {
                be_satisfied(listener, now);
            }
        }
        wait_for_text(listener, now);
        read_streams(listener);
    }
}

struct status process_run(const struct process_request *request, struct process_result *result)
{
    *result = (struct process_result){0};
    struct listener listener = {.request = request, .result = result, .started = process_clock()};
    listener.deadline = listener.started + request->timeout_seconds;
    struct status status = start(request, &listener.pid, &listener.output, &listener.errors);
    if (!status_is_ok(&status)) {
        return status;
    }
    listen_to(&listener);
    /* Its leader is not waited for yet, so the group's number cannot be anybody else's. */
    kill(-listener.pid, SIGKILL);
    struct rusage usage = {0};
    while (wait4(listener.pid, &result->wait_status, 0, &usage) < 0 && errno == EINTR) {
    }
    result->seconds = process_clock() - listener.started;
    result->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                          (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    result->peak_rss_kib = (uint64_t)usage.ru_maxrss;
    if (!result->interrupted) {
        drain_streams(&listener);
    }
    if (listener.output >= 0) {
        close(listener.output);
    }
    if (listener.errors >= 0) {
        close(listener.errors);
    }
    return status_ok();
}

void process_describe_end(int wait_status, char *text, size_t size)
{
    if (WIFSIGNALED(wait_status)) {
        snprintf(text, size, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    } else {
        snprintf(text, size, "exit status %d", WEXITSTATUS(wait_status));
    }
}
