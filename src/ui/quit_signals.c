/* Ending signals through a signalfd(2); see quit_signals.h. */
#include "ui/quit_signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/bits.h"

struct status quit_signals_open(int *fd)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        struct sigaction present;
        if (sigaction(signals[i], NULL, &present) == 0 && present.sa_handler != SIG_IGN) {
            sigaddset(&set, signals[i]);
        }
    }
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*fd < 0) {
        return status_from_errno(errno, "cannot create a signal descriptor");
    }
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return status_ok();
}

bool quit_signals_take(int fd, int *signal_number)
{
    struct signalfd_siginfo information;
    if (read(fd, &information, sizeof information) != (ssize_t)sizeof information) {
        return false;
    }
    *signal_number = (int)information.ssi_signo;
    return true;
}

void quit_signals_close(int fd)
{
    close(fd);
}
