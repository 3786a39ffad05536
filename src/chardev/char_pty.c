/* A pseudo-terminal that a terminal program can be attached to (screen /dev/pts/N).
 *
 * Only the master is held. While no program has the slave open, poll() reports a hang-up on it, continuously,
 * so the master is offered for waiting only while somebody is there; look() notices arrivals. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "chardev/char_backend.h"

struct char_pty {
    struct char_device device;
    int master;
};

static void set_attached(struct char_pty *pty, bool attached)
{
    pty->device.can_read = attached;
    pty->device.can_write = attached;
    if (!attached) {
        char_backend_drop_output(&pty->device);
    }
}

static void pty_look(struct char_device *device)
{
    struct char_pty *pty = (struct char_pty *)device;
    struct pollfd ready = {.fd = pty->master, .events = POLLIN};
    bool hung_up = poll(&ready, 1, 0) > 0 && (ready.revents & POLLHUP);
    bool has_input = ready.revents & POLLIN; /* typed before the program was closed */
    set_attached(pty, !hung_up || has_input);
}

static ssize_t pty_read(struct char_device *device, void *to, size_t size)
{
    return read(((struct char_pty *)device)->master, to, size);
}

static ssize_t pty_write(struct char_device *device, const void *from, size_t size)
{
    return write(((struct char_pty *)device)->master, from, size);
}

static void pty_hung_up(struct char_device *device, int errno_value)
{
    (void)errno_value;
    set_attached((struct char_pty *)device, false);
}

static void pty_close(struct char_device *device)
{
    struct char_pty *pty = (struct char_pty *)device;
    close(pty->master);
    free(pty);
}

static const struct char_backend pty_backend = {
    .look = pty_look,
    .read = pty_read,
    .write = pty_write,
    .input_ended = pty_hung_up,
    .output_failed = pty_hung_up,
    .close = pty_close,
};

/* Opens a master and puts its terminal into raw mode, so that bytes pass unchanged and unechoed. */
static struct status open_master(int *master, char *name, size_t name_size)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0) {
        return status_from_errno(errno, "cannot create a pseudo-terminal");
    }
    struct termios terminal;
    int slave = -1;
    if (grantpt(*master) == 0 && unlockpt(*master) == 0 && ptsname_r(*master, name, name_size) == 0) {
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    bool ready = slave >= 0 && tcgetattr(slave, &terminal) == 0;
    if (ready) {
        cfmakeraw(&terminal);
        ready =
            tcsetattr(slave, TCSANOW, &terminal) == 0 && fcntl(*master, F_SETFL, O_RDWR | O_NONBLOCK) == 0;
    }
    int failure = errno;
    if (slave >= 0) {
        close(slave);
    }
    if (!ready) {
        close(*master);
        return status_from_errno(failure, "cannot set up a pseudo-terminal");
    }
    return status_ok();
}

struct status char_pty_open(struct char_device **device, char *notice, size_t notice_size)
{
    int master;
    char name[128];
    struct status status = open_master(&master, name, sizeof name);
    if (!status_is_ok(&status)) {
        return status;
    }
    struct char_pty *pty = char_backend_allocate(sizeof *pty, &pty_backend, CHAR_QUEUE_PEER);
    if (!pty) {
        close(master);
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    pty->master = master;
    pty->device.input_fd = master;
    pty->device.output_fd = master;
    snprintf(notice, notice_size, "connected to pseudo-terminal %s", name);
    *device = &pty->device;
    return status_ok();
}
