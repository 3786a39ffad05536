/* The command line that runs a workload on a configuration, and the files it needs in its directory.
 *
 * Every run has a directory of its own work, which is also where the program runs: files are named without
 * their directories, so that no emulator's syntax gets in the way of a path. */
#ifndef DOPPEL_BENCH_HARNESS_COMMAND_H
#define DOPPEL_BENCH_HARNESS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "harness/configuration.h"
#include "harness/workload.h"

/* Files in the work directory. */
#define COMMAND_IMAGE    "image"
#define COMMAND_COUNTERS "counters"
#define COMMAND_MONITOR                                                                                      \
    "monitor" /* QEMU's monitor: a socket, for guests that are waited for by their screen */

#define COMMAND_WORDS 64

struct command {
    char *argv[COMMAND_WORDS]; /* ends with NULL; owned */
    size_t count;
    const char *environment[4]; /* ends with NULL; constants */
};

/* Whether the workload can run there at all. */
bool command_is_applicable(const struct workload *workload, const struct configuration *configuration);

/* Puts the files into `work` and writes the command. STATUS_NOT_FOUND: an image or program is not there.
 * `programs` is the directory of the images and native programs. The command is the caller's to free. */
struct status command_prepare(const struct workload *workload, const struct configuration *configuration,
                              uint64_t rounds, const char *programs, const char *work,
                              struct command *command) STATUS_MUST_CHECK;

void command_free(struct command *command);

#endif
