/* getentropy(); see host_random.h. */
#include "host/host_random.h"

#include <errno.h>
#include <unistd.h>

struct status host_random_bytes(void *bytes, size_t size)
{
    return getentropy(bytes, size) == 0
               ? status_ok()
               : status_from_errno(errno, "the host has no random numbers for the guest");
}
