/* The base address of the thread's GS segment, which user code of x86-64 Linux does not use: translated code
 * finds the guest's memory there.
 *
 * NOT IMPLEMENTED: other hosts; there it cannot be set. */
#ifndef DOPPEL_HOST_GS_BASE_H
#define DOPPEL_HOST_GS_BASE_H

#include <stdbool.h>

/* Whether an instruction sets it (the kernel allows FSGSBASE), not a system call. */
bool host_gs_base_is_cheap(void);

/* Sets it for the calling thread. `cheap` is what host_gs_base_is_cheap() said. False: it cannot be set. */
bool host_gs_base_set(const void *base, bool cheap);

#endif
