/* See tty_guard.h. Between fork() and _exit() the child calls async-signal-safe functions only. */
#include "ui/tty_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 65536L
#define PATIENCE_MS     500 /* with a terminal that takes nothing */

static void close_all_but(int first, int second, int third)
{
    long limit = sysconf(_SC_OPEN_MAX);
    limit = limit < 0 || limit > DESCRIPTORS_MAX ? DESCRIPTORS_MAX : limit;
    for (int fd = 0; fd < limit; fd++) {
        if (fd != first && fd != second && fd != third) {
            close(fd);
        }
    }
}

/* True: a byte has come, and not the end. */
static bool waits_for_word(int pipe)
{
    char byte;
    ssize_t length;
    do {
        length = read(pipe, &byte, 1);
    } while (length < 0 && errno == EINTR);
    return length == 1;
}

/* The descriptor may be one that does not wait. */
static void put(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
            continue;
        }
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (errno != EAGAIN || poll(&ready, 1, PATIENCE_MS) <= 0) {
            return;
        }
    }
}

/* In the child, from which nothing returns. Signals are blocked: one that ends or stops all of the job must
 * not reach it, and SIGTTOU would keep it from the terminal that is the shell's again. */
static void guard_terminal(int pipe, int ready, int fd, const struct termios *settings, const char *bytes,
                           size_t length)
{
    close_all_but(pipe, ready, fd);
    close(ready);
    if (!waits_for_word(pipe)) {
        put(fd, bytes, length);
        (void)tcsetattr(fd, TCSANOW, settings);
    }
    _exit(0);
}

void tty_guard_start(struct tty_guard *guard, int fd, const struct termios *settings, const char *bytes,
                     size_t length)
{
    int ends[2], ready[2];
    sigset_t all, before;
    *guard = (struct tty_guard){.process = 0};
    if (pipe(ends) != 0) {
        return;
    }
    if (pipe(ready) != 0) {
        close(ends[0]);
        close(ends[1]);
        return;
    }
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t process = fork();
    if (process == 0) {
        guard_terminal(ends[0], ready[1], fd, settings, bytes, length);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[0]);
    close(ready[1]);
    (void)waits_for_word(
        ready[0]); /* until it has closed what it does not need: nothing is held open by it */
    close(ready[0]);
    if (process < 0) {
        close(ends[1]);
        return;
    }
    *guard = (struct tty_guard){.process = process, .pipe = ends[1]};
}

void tty_guard_end(struct tty_guard *guard)
{
    if (guard->process == 0) {
        return;
    }
    /* The guard reads until there is something, so that this can neither wait nor meet a closed pipe, unless
     * somebody has killed it. */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    bool told = write(guard->pipe, "q", 1) == 1;
    sigaction(SIGPIPE, &before, NULL);
    close(guard->pipe);
    if (!told) {
        kill(guard->process, SIGKILL);
    }
    while (waitpid(guard->process, NULL, 0) < 0 && errno == EINTR) {
    }
    guard->process = 0;
}
