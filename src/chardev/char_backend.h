/* What the backends share with char_device.c; private to this module.
 *
 * A backend embeds `struct char_device` as its first member, sets the descriptors and hands out the pointer.
 * The common code moves bytes between the descriptors, the queue and the sink; a backend says how to read and
 * write and what to do when the other side is gone. */
#ifndef DOPPEL_CHARDEV_CHAR_BACKEND_H
#define DOPPEL_CHARDEV_CHAR_BACKEND_H

#include <sys/types.h>

#include "chardev/char_device.h"
#include "chardev/char_queue.h"

#define CHAR_QUEUE_STDIO  ((size_t)1024 * 1024)
#define CHAR_QUEUE_PEER   ((size_t)64 * 1024)
#define CHAR_QUEUE_MEMORY (SIZE_MAX / 4)

struct char_backend {
    bool unbuffered; /* output is handed over in char_device_write() itself */

    /* Looks for a client or reader that came or went; called first in every poll. NULL: nothing to look for.
     */
    void (*look)(struct char_device *device);
    /* As read(2) and write(2): -1 with errno EAGAIN means "not now". Must not wait. */
    ssize_t (*read)(struct char_device *device, void *to, size_t size);
    ssize_t (*write)(struct char_device *device, const void *from, size_t size);
    /* The input ended (errno_value 0) or failed. Must clear can_read. */
    void (*input_ended)(struct char_device *device, int errno_value);
    /* Output failed. Must clear can_write. */
    void (*output_failed)(struct char_device *device, int errno_value);
    /* Gives back what the backend holds and frees `device`. The queue is released already. */
    void (*close)(struct char_device *device);
};

struct char_device {
    const struct char_backend *backend;
    struct char_sink sink;
    struct char_queue output;
    bool can_read, can_write; /* there is something to read from, somebody to write to */
    int input_fd, output_fd;  /* what to wait for then; -1: no waiting needed */
    int listen_fd;            /* readable when look() has something to do; -1: none */
    uint64_t connection;      /* see char_device_connection() */
    uint64_t dropped;
    struct status status;
};

/* Allocates `size` bytes, of which a struct char_device is the first part, with no descriptors. NULL: out of
 * memory. */
void *char_backend_allocate(size_t size, const struct char_backend *backend, size_t queue_limit);

/* Forgets queued output that nobody will take, counting it as dropped. */
void char_backend_drop_output(struct char_device *device);

/* Keeps the first failure for char_device_status(). */
void char_backend_fail(struct char_device *device, int errno_value, const char *what);

struct status char_stdio_open(struct char_device **device);
struct status char_file_open(const char *path, struct char_device **device);
struct status char_pty_open(struct char_device **device, char *notice, size_t notice_size);

/* `address` is what follows "tcp:" or "unix:", without options. */
struct status char_tcp_open(const char *address, bool server, struct char_device **device, char *notice,
                            size_t notice_size);
struct status char_unix_open(const char *path, bool server, struct char_device **device, char *notice,
                             size_t notice_size);

/* A stream socket as a device: `fd` is connected (listening false) or listens. Takes over `fd`, also on
 * failure. `unlink_path` (copied, NULL: none) is removed when the device is closed. */
struct status char_socket_create(int fd, bool listening, const char *unlink_path,
                                 struct char_device **device);

#endif
