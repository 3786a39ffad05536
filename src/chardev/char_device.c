/* What all backends have in common: parsing of specifications, queueing, moving bytes. See char_device.h. */
#include "chardev/char_device.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chardev/char_backend.h"

#define TRANSFER_SIZE     4096 /* most bytes moved by one read */
#define READS_PER_POLL    16   /* so that a flood does not keep the machine from running */
#define FLUSH_AT          4096 /* queued bytes at which a write tries to hand them over */
#define CLOSE_PATIENCE    500  /* ms that closing waits for a slow reader */
#define SPECIFICATION_MAX 512

void *char_backend_allocate(size_t size, const struct char_backend *backend, size_t queue_limit)
{
    struct char_device *device = calloc(1, size);
    if (device) {
        device->backend = backend;
        device->output.limit = queue_limit;
        device->input_fd = -1;
        device->output_fd = -1;
        device->listen_fd = -1;
        device->connection = 1;
        device->status = status_ok();
    }
    return device;
}

void char_backend_drop_output(struct char_device *device)
{
    device->dropped += device->output.length;
    char_queue_consume(&device->output, device->output.length);
}

void char_backend_fail(struct char_device *device, int errno_value, const char *what)
{
    if (status_is_ok(&device->status)) {
        device->status = status_from_errno(errno_value, "%s", what);
    }
}

/* none, null */

static ssize_t null_read(struct char_device *device, void *to, size_t size)
{
    (void)device;
    (void)to;
    (void)size;
    errno = EAGAIN;
    return -1;
}

static ssize_t null_write(struct char_device *device, const void *from, size_t size)
{
    (void)device;
    (void)from;
    return (ssize_t)size;
}

static void null_close(struct char_device *device)
{
    free(device);
}

static const struct char_backend null_backend = {
    .unbuffered = true,
    .read = null_read,
    .write = null_write,
    .close = null_close,
};

static struct status null_open(struct char_device **device)
{
    *device = char_backend_allocate(sizeof **device, &null_backend, FLUSH_AT);
    if (!*device) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    (*device)->can_write = true;
    return status_ok();
}

/* Specifications */

/* Parses ",server,nowait" in place: cuts `address` at the first comma. */
static struct status parse_socket_options(const char *kind, char *address, bool *server)
{
    *server = false;
    char *rest = strchr(address, ',');
    while (rest) {
        char *option = rest + 1;
        *rest = '\0';
        rest = strchr(option, ',');
        if (rest) {
            *rest = '\0';
        }
        if (strcmp(option, "server") == 0 || strcmp(option, "server=on") == 0) {
            *server = true;
        } else if (strcmp(option, "server=off") == 0) {
            *server = false;
        } else if (strcmp(option, "wait") == 0 || strcmp(option, "wait=on") == 0) {
            return status_error(
                STATUS_UNSUPPORTED,
                "%s: doppel does not wait for a client before the guest starts; leave '%s' out", kind,
                option);
        } else if (strcmp(option, "nowait") != 0 && strcmp(option, "wait=off") != 0) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "%s: unknown option '%s'; known are: server[=on|off], nowait, wait=off", kind,
                                option);
        }
        if (rest) {
            *rest = ',';
        }
    }
    return status_ok();
}

struct status char_device_open(const char *specification, struct char_device **device, char *notice,
                               size_t notice_size)
{
    *device = NULL;
    notice[0] = '\0';
    if (strcmp(specification, "none") == 0 || strcmp(specification, "null") == 0) {
        return null_open(device);
    }
    if (strcmp(specification, "stdio") == 0) {
        return char_stdio_open(device);
    }
    if (strcmp(specification, "pty") == 0) {
        return char_pty_open(device, notice, notice_size);
    }
    if (strncmp(specification, "file:", 5) == 0) {
        return char_file_open(specification + 5, device);
    }
    bool tcp = strncmp(specification, "tcp:", 4) == 0;
    if (!tcp && strncmp(specification, "unix:", 5) != 0) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "unknown character device '%.40s'; known are: none, null, stdio, file:PATH, pty, "
                            "tcp:HOST:PORT[,server], unix:PATH[,server]",
                            specification);
    }
    char address[SPECIFICATION_MAX];
    if (strlen(specification) >= sizeof address) {
        return status_error(STATUS_INVALID_ARGUMENT, "character device '%.40s...': the address is too long",
                            specification);
    }
    strcpy(address, strchr(specification, ':') + 1);
    bool server;
    struct status status = parse_socket_options(tcp ? "tcp" : "unix", address, &server);
    if (!status_is_ok(&status)) {
        return status;
    }
    return tcp ? char_tcp_open(address, server, device, notice, notice_size)
               : char_unix_open(address, server, device, notice, notice_size);
}

/* Moving bytes */

static bool is_transient(int errno_value)
{
    return errno_value == EAGAIN || errno_value == EWOULDBLOCK || errno_value == EINTR;
}

static void flush_output(struct char_device *device)
{
    while (device->output.length > 0) {
        if (!device->can_write) {
            char_backend_drop_output(device);
            return;
        }
        ssize_t taken =
            device->backend->write(device, char_queue_front(&device->output), device->output.length);
        if (taken > 0) {
            char_queue_consume(&device->output, (size_t)taken);
        } else if (taken < 0 && !is_transient(errno)) {
            device->backend->output_failed(device, errno);
            assert(!device->can_write);
        } else {
            return;
        }
    }
}

static size_t sink_room(const struct char_device *device)
{
    return device->sink.room ? device->sink.room(device->sink.opaque) : 0;
}

static void deliver_input(struct char_device *device)
{
    uint8_t bytes[TRANSFER_SIZE];
    for (unsigned reads = 0; reads < READS_PER_POLL && device->can_read; reads++) {
        size_t room = sink_room(device);
        if (room == 0) {
            return;
        }
        ssize_t got = device->backend->read(device, bytes, room < sizeof bytes ? room : sizeof bytes);
        if (got > 0) {
            device->sink.receive(device->sink.opaque, bytes, (size_t)got);
        } else if (got == 0 || !is_transient(errno)) {
            device->backend->input_ended(device, got == 0 ? 0 : errno);
            assert(!device->can_read);
        } else {
            return;
        }
    }
}

void char_device_set_sink(struct char_device *device, const struct char_sink *sink)
{
    device->sink = sink ? *sink : (struct char_sink){0};
}

void char_device_write(struct char_device *device, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t queued = device->can_write ? char_queue_append(&device->output, bytes, length) : 0;
        bytes += queued;
        length -= queued;
        size_t before = device->output.length;
        if (device->backend->unbuffered || before >= FLUSH_AT) {
            flush_output(device);
        }
        if (queued == 0 && device->output.length == before) {
            device->dropped += length;
            return;
        }
    }
}

bool char_device_keeps_up(const struct char_device *device)
{
    return !device->can_write || device->output.length < device->output.limit / 2;
}

size_t char_device_poll_fds(const struct char_device *device, struct pollfd fds[CHAR_DEVICE_MAX_FDS])
{
    size_t count = 0;
    if (device->listen_fd >= 0) {
        fds[count++] = (struct pollfd){.fd = device->listen_fd, .events = POLLIN};
    }
    if (device->can_read && device->input_fd >= 0 && sink_room(device) > 0) {
        fds[count++] = (struct pollfd){.fd = device->input_fd, .events = POLLIN};
    }
    if (device->can_write && device->output_fd >= 0 && device->output.length > 0) {
        if (count > 0 && fds[count - 1].fd == device->output_fd) {
            fds[count - 1].events |= POLLOUT;
        } else {
            fds[count++] = (struct pollfd){.fd = device->output_fd, .events = POLLOUT};
        }
    }
    return count;
}

int char_device_poll_fd(const struct char_device *device, bool *wants_write)
{
    *wants_write = device->can_write && device->output.length > 0;
    struct pollfd fds[CHAR_DEVICE_MAX_FDS];
    size_t count = char_device_poll_fds(device, fds);
    for (size_t i = 0; i < count; i++) {
        if (fds[i].events & POLLIN) {
            return fds[i].fd;
        }
    }
    return -1;
}

void char_device_poll(struct char_device *device)
{
    if (device->backend->look) {
        device->backend->look(device);
    }
    flush_output(device);
    deliver_input(device);
    flush_output(device);
}

uint64_t char_device_connection(const struct char_device *device)
{
    return device->can_read ? device->connection : 0;
}

uint64_t char_device_dropped(const struct char_device *device)
{
    return device->dropped;
}

struct status char_device_status(const struct char_device *device)
{
    return device->status;
}

static int64_t host_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void char_device_close(struct char_device *device)
{
    if (!device) {
        return;
    }
    int64_t deadline = host_milliseconds() + CLOSE_PATIENCE;
    flush_output(device);
    while (device->output.length > 0) {
        int64_t left = deadline - host_milliseconds();
        if (left <= 0) {
            break;
        }
        struct pollfd ready = {.fd = device->output_fd, .events = POLLOUT};
        (void)poll(&ready, 1, (int)left);
        flush_output(device);
    }
    char_queue_release(&device->output);
    device->backend->close(device);
}
