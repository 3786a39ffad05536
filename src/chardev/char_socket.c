/* Stream sockets as devices, TCP and unix alike: one peer at a time; a server takes the next client when one
 * has gone. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chardev/char_backend.h"

struct char_socket {
    struct char_device device;
    int server; /* -1: we are the client */
    int peer;   /* -1: nobody connected */
    char *unlink_path;
};

static void attach(struct char_socket *stream, int peer)
{
    int on = 1;
    /* Fails on unix sockets, which need no such thing. */
    (void)setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    stream->peer = peer;
    stream->device.connection++;
    stream->device.input_fd = peer;
    stream->device.output_fd = peer;
    stream->device.can_read = true;
    stream->device.can_write = true;
    stream->device.listen_fd = -1;
}

static void detach(struct char_socket *stream)
{
    close(stream->peer);
    stream->peer = -1;
    stream->device.input_fd = -1;
    stream->device.output_fd = -1;
    stream->device.can_read = false;
    stream->device.can_write = false;
    stream->device.listen_fd = stream->server;
    char_backend_drop_output(&stream->device);
}

static void socket_look(struct char_device *device)
{
    struct char_socket *stream = (struct char_socket *)device;
    if (stream->peer >= 0 || stream->server < 0) {
        return;
    }
    int peer = accept4(stream->server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer >= 0) {
        attach(stream, peer);
    }
}

static ssize_t socket_read(struct char_device *device, void *to, size_t size)
{
    return recv(((struct char_socket *)device)->peer, to, size, 0);
}

static ssize_t socket_write(struct char_device *device, const void *from, size_t size)
{
    return send(((struct char_socket *)device)->peer, from, size, MSG_NOSIGNAL);
}

static void socket_peer_gone(struct char_device *device, int errno_value)
{
    (void)errno_value;
    detach((struct char_socket *)device);
}

static void socket_close(struct char_device *device)
{
    struct char_socket *stream = (struct char_socket *)device;
    if (stream->peer >= 0) {
        close(stream->peer);
    }
    if (stream->server >= 0) {
        close(stream->server);
    }
    if (stream->unlink_path) {
        (void)unlink(stream->unlink_path);
    }
    free(stream->unlink_path);
    free(stream);
}

static const struct char_backend socket_backend = {
    .look = socket_look,
    .read = socket_read,
    .write = socket_write,
    .input_ended = socket_peer_gone,
    .output_failed = socket_peer_gone,
    .close = socket_close,
};

struct status char_socket_create(int fd, bool listening, const char *unlink_path, struct char_device **device)
{
    struct char_socket *stream = char_backend_allocate(sizeof *stream, &socket_backend, CHAR_QUEUE_PEER);
    char *path = unlink_path ? strdup(unlink_path) : NULL;
    if (!stream || (unlink_path && !path)) {
        free(stream);
        free(path);
        close(fd);
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    stream->unlink_path = path;
    stream->server = listening ? fd : -1;
    stream->peer = -1;
    if (listening) {
        stream->device.listen_fd = fd;
    } else {
        attach(stream, fd);
    }
    *device = &stream->device;
    return status_ok();
}
