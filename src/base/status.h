/* Host failures: what went wrong outside the guest, with a message a user can act on.
 *
 * One of the three error worlds (ARCHITECTURE.md): a guest fault is an architectural exception, a bug of ours
 * is an assertion, and everything else (files, memory, options) is a `struct status` returned by value. */
#ifndef DOPPEL_BASE_STATUS_H
#define DOPPEL_BASE_STATUS_H

#include <stdbool.h>

enum status_code {
    STATUS_OK = 0,
    STATUS_INVALID_ARGUMENT, /* the caller or user asked for something that makes no sense */
    STATUS_NOT_FOUND,        /* a file, ROM or name does not exist */
    STATUS_IO_ERROR,         /* the host refused or failed to read/write */
    STATUS_NO_MEMORY,
    STATUS_UNSUPPORTED, /* a format or host feature doppel does not have */
    STATUS_READ_ONLY,
    STATUS_CORRUPT, /* a file's contents contradict themselves */
    STATUS_CONFLICT /* two things claim one resource (overlapping regions) */
};

struct status {
    enum status_code code;
    char message[252]; /* one line, no full stop, no newline; empty when code is STATUS_OK */
};

#define STATUS_MUST_CHECK __attribute__((warn_unused_result))

struct status status_ok(void);

/* A failure of kind `code` (not STATUS_OK). The message is cut to fit. */
struct status status_error(enum status_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Like status_error(STATUS_IO_ERROR or NOT_FOUND …) with ": strerror(errno_value)" appended. What is said
 * before it is cut to fit. */
struct status status_from_errno(int errno_value, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool status_is_ok(const struct status *status)
{
    return status->code == STATUS_OK;
}

#endif
