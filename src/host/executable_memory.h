/* Memory for machine code that doppel makes itself.
 *
 * Hosts forbid memory that is writable and executable at once, and rightly so. The same pages are therefore
 * mapped twice, from one memfd: at `write` they can be written, at `exec` read and executed. What is written
 * at write + n is what runs at exec + n. No mapping ever changes its protection, so that patching code costs
 * no system call. Both mappings begin at a multiple of a large page.
 *
 * NOT IMPLEMENTED: hosts other than Linux; keeping the instruction cache up to date where the hardware does
 * not (x86 does: Intel SDM 3A §12.6, and the thread that writes leaves and enters the code by jumps).
 */
#ifndef DOPPEL_HOST_EXECUTABLE_MEMORY_H
#define DOPPEL_HOST_EXECUTABLE_MEMORY_H

#include <stdint.h>

#include "base/status.h"

struct executable_memory {
    uint8_t *write; /* page-aligned; NULL: nothing allocated */
    const uint8_t *exec;
    uint64_t size;    /* as asked for */
    uint64_t reached; /* bytes from the beginning for which large pages have been asked for */
};

/* Allocates `size` (> 0) zeroed bytes. Pages cost host memory once they are touched or reached (below).
 * STATUS_UNSUPPORTED where the host does not allow this, STATUS_NO_MEMORY; *memory is empty then. */
struct status executable_memory_allocate(uint64_t size, struct executable_memory *memory) STATUS_MUST_CHECK;

/* The bytes before `end` are about to be used: asks the host for large pages there, since code that is spread
 * over many small ones spends its time on misses of the instruction TLB. Contents stay; a host that has none
 * (Linux before 6.1) goes on with small ones. */
void executable_memory_reach(struct executable_memory *memory, uint64_t end);

/* Gives it back; an empty structure is allowed. */
void executable_memory_release(struct executable_memory *memory);

#endif
