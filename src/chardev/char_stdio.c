/* The process's own standard input and output as a device.
 *
 * The descriptors stay as the process got them: O_NONBLOCK would be seen by the shell and by every other
 * process that shares them. Instead each transfer asks poll() first, and writes are at most PIPE_BUF long,
 * which POSIX promises not to wait on a pipe that polled writable.
 *
 * A terminal is put into raw mode (no echo, no line editing, Enter is CR), but keeps ISIG: Ctrl+C interrupts
 * doppel and is not seen by the guest. Output processing stays on, so that doppel's own messages keep their
 * left margin. Whoever handles signals in the process has to close the device for the terminal to be
 * restored; a process that dies otherwise has ui/tty_guard for that.
 *
 * Standard output that is closed under us raises SIGPIPE, as in any program; where that is ignored, output is
 * dropped and char_device_status() tells. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "chardev/char_backend.h"

struct char_stdio {
    struct char_device device;
    bool raw;
    struct termios saved;
};

static bool is_ready(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    return poll(&ready, 1, 0) > 0;
}

static ssize_t stdio_read(struct char_device *device, void *to, size_t size)
{
    (void)device;
    if (!is_ready(STDIN_FILENO, POLLIN)) {
        errno = EAGAIN;
        return -1;
    }
    return read(STDIN_FILENO, to, size);
}

static ssize_t stdio_write(struct char_device *device, const void *from, size_t size)
{
    (void)device;
    if (!is_ready(STDOUT_FILENO, POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    return write(STDOUT_FILENO, from, size < PIPE_BUF ? size : PIPE_BUF);
}

static void stdio_input_ended(struct char_device *device, int errno_value)
{
    (void)errno_value;
    device->can_read = false;
}

static void stdio_output_failed(struct char_device *device, int errno_value)
{
    char_backend_fail(device, errno_value, "cannot write to standard output");
    device->can_write = false;
}

static void stdio_close(struct char_device *device)
{
    struct char_stdio *stdio = (struct char_stdio *)device;
    if (stdio->raw) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &stdio->saved);
    }
    free(stdio);
}

static const struct char_backend stdio_backend = {
    .read = stdio_read,
    .write = stdio_write,
    .input_ended = stdio_input_ended,
    .output_failed = stdio_output_failed,
    .close = stdio_close,
};

static void enter_raw_mode(struct char_stdio *stdio)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &stdio->saved) != 0) {
        return;
    }
    struct termios raw = stdio->saved;
    cfmakeraw(&raw);
    raw.c_lflag |= ISIG;
    raw.c_oflag = stdio->saved.c_oflag;
    stdio->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

struct status char_stdio_open(struct char_device **device)
{
    struct char_stdio *stdio = char_backend_allocate(sizeof *stdio, &stdio_backend, CHAR_QUEUE_STDIO);
    if (!stdio) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    enter_raw_mode(stdio);
    stdio->device.can_read = true;
    stdio->device.can_write = true;
    stdio->device.input_fd = STDIN_FILENO;
    stdio->device.output_fd = STDOUT_FILENO;
    *device = &stdio->device;
    return status_ok();
}
