/* What -counters writes: a line "name value" for each counter of a machine. */
#ifndef DOPPEL_APP_COUNTERS_FILE_H
#define DOPPEL_APP_COUNTERS_FILE_H

#include <stdio.h>

#include "base/status.h"

struct machine;

/* Before the run: it may be long, and a path that cannot be written is better known at its beginning. `path`
 * NULL: *file becomes NULL. */
struct status counters_file_open(const char *path, FILE **file) STATUS_MUST_CHECK;

/* Writes them, unless `machine` is NULL, and closes the file; NULL is allowed. A failure becomes *status when
 * that was none. */
void counters_file_close(FILE *file, const char *path, struct machine *machine, struct status *status);

#endif
