/* Files that are read whole at start: ROMs, kernels, initial RAM disks. */
#ifndef DOPPEL_MACHINE_INPUT_FILE_H
#define DOPPEL_MACHINE_INPUT_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/* Opens a file for reading, and nothing else: directories, pipes and devices are errors, and do not block.
 * `what`
 * ("ROM") says in messages what the file was to be. The caller closes *file. */
struct status input_file_open(const char *path, const char *what, FILE **file,
                              uint64_t *size) STATUS_MUST_CHECK;

#endif
