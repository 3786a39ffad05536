/* Unix socket paths: to a connected or listening socket. See char_socket.c for what happens then. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/char_backend.h"

static int unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Removes a socket that a process left behind, recognised by its refusing connections. Anything else stays.
 */
static void remove_stale_socket(const struct sockaddr_un *address)
{
    struct stat information;
    if (lstat(address->sun_path, &information) != 0 || !S_ISSOCK(information.st_mode)) {
        return;
    }
    int probe = unix_socket();
    if (probe < 0) {
        return;
    }
    if (connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED) {
        (void)unlink(address->sun_path);
    }
    close(probe);
}

static int listen_on(int fd, const struct sockaddr_un *address)
{
    remove_stale_socket(address);
    return bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? listen(fd, 1) : -1;
}

struct status char_unix_open(const char *path, bool server, struct char_device **device, char *notice,
                             size_t notice_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] == '\0') {
        return status_error(STATUS_INVALID_ARGUMENT, "unix: needs a path, as in unix:/tmp/serial,server");
    }
    if (strlen(path) >= sizeof address.sun_path) {
        return status_error(STATUS_INVALID_ARGUMENT, "unix: a socket's path has at most %zu bytes, not %zu",
                            sizeof address.sun_path - 1, strlen(path));
    }
    strcpy(address.sun_path, path);
    int fd = unix_socket();
    if (fd < 0 || (server ? listen_on(fd, &address)
                          : connect(fd, (const struct sockaddr *)&address, sizeof address)) != 0) {
        int failure = errno;
        if (fd >= 0) {
            close(fd);
        }
        return status_from_errno(
            failure, server ? "unix: cannot listen on '%s'" : "unix: cannot connect to '%s'", path);
    }
    if (server) {
        snprintf(notice, notice_size, "listening on %s", path);
    }
    return char_socket_create(fd, server, server ? path : NULL, device);
}
