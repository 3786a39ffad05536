/* TCP addresses: HOST:PORT to a connected or listening socket. See char_socket.c for what happens then. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chardev/char_backend.h"

#define CONNECT_TIMEOUT 10000 /* ms per address */

struct tcp_address {
    char host[256];
    char port[32];
};

/* Splits HOST:PORT or [HOST]:PORT. An empty host is the local one: listening to the world has to be asked
 * for. */
static struct status split_address(const char *text, struct tcp_address *address)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon[1] == '\0' || strlen(colon + 1) >= sizeof address->port) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "tcp:%.100s: a port is missing, as in tcp:localhost:4444", text);
    }
    if (strspn(colon + 1, "0123456789") == strlen(colon + 1) && strtoul(colon + 1, NULL, 10) > 65535) {
        return status_error(STATUS_INVALID_ARGUMENT, "tcp:%.100s: ports go up to 65535", text);
    }
    const char *host = text;
    size_t length = (size_t)(colon - text);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length >= sizeof address->host) {
        return status_error(STATUS_INVALID_ARGUMENT, "tcp:%.100s...: the host name is too long", text);
    }
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    strcpy(address->port, colon + 1);
    return status_ok();
}

/* No host is this one (the loopback address), which takes no name service. */
static struct status resolve(const struct tcp_address *address, struct addrinfo **found)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *host = address->host[0] != '\0' ? address->host : NULL;
    int result = getaddrinfo(host, address->port, &hints, found);
    if (result != 0) {
        return status_error(STATUS_NOT_FOUND, "tcp: cannot resolve '%.100s' port '%s': %s", address->host,
                            address->port, result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
    }
    return status_ok();
}

/* connect(2) that gives up after CONNECT_TIMEOUT. 0, or -1 with errno. */
static int connect_within_timeout(int fd, const struct addrinfo *to)
{
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return -1;
    }
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int failure = ETIMEDOUT;
    if (poll(&ready, 1, CONNECT_TIMEOUT) > 0) {
        socklen_t size = sizeof failure;
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
    }
    errno = failure;
    return failure == 0 ? 0 : -1;
}

static int listen_on(int fd, const struct addrinfo *at)
{
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, at->ai_addr, at->ai_addrlen) == 0 ? listen(fd, 1) : -1;
}

/* A socket that connects to, or listens on, the first of the addresses that works; -1 with errno. */
static int open_first(const struct addrinfo *found, bool server)
{
    int failure = EADDRNOTAVAIL;
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
        if (fd >= 0 && (server ? listen_on(fd, at) : connect_within_timeout(fd, at)) == 0) {
            return fd;
        }
        failure = errno;
        if (fd >= 0) {
            close(fd);
        }
    }
    errno = failure;
    return -1;
}

static void describe_server(int fd, char *notice, size_t notice_size)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[100], port[16];
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        bool ipv6 = strchr(host, ':') != NULL;
        snprintf(notice, notice_size, "listening on %s%s%s:%s", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
    }
}

struct status char_tcp_open(const char *text, bool server, struct char_device **device, char *notice,
                            size_t notice_size)
{
    struct tcp_address address;
    struct status status = split_address(text, &address);
    if (!status_is_ok(&status)) {
        return status;
    }
    struct addrinfo *found;
    status = resolve(&address, &found);
    if (!status_is_ok(&status)) {
        return status;
    }
    int fd = open_first(found, server);
    int failure = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        return status_from_errno(
            failure, server ? "tcp: cannot listen on %.100s:%s" : "tcp: cannot connect to %.100s:%s",
            address.host, address.port);
    }
    if (server) {
        describe_server(fd, notice, notice_size);
    }
    return char_socket_create(fd, server, NULL, device);
}
