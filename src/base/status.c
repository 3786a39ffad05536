/* Building of status values; see status.h. */
#include "base/status.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct status status_ok(void)
{
    return (struct status){.code = STATUS_OK, .message = ""};
}

struct status status_error(enum status_code code, const char *format, ...)
{
    assert(code != STATUS_OK);
    struct status status = {.code = code, .message = ""};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return status;
}

static enum status_code code_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT: return STATUS_NOT_FOUND;
    case ENOMEM: return STATUS_NO_MEMORY;
    case EROFS: return STATUS_READ_ONLY;
    default: return STATUS_IO_ERROR;
    }
}

struct status status_from_errno(int errno_value, const char *format, ...)
{
    struct status status = {.code = code_from_errno(errno_value), .message = ""};
    const char *reason = strerror(errno_value);
    const size_t length = strlen(": ") + strlen(reason);
    assert(length < sizeof status.message);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status.message, sizeof status.message - length, format, arguments);
    va_end(arguments);
    const size_t used = strlen(status.message);
    snprintf(status.message + used, sizeof status.message - used, ": %s", reason);
    return status;
}
