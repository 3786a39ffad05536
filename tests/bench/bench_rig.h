/* What the tests of the bench share: results of a few cells, and a directory with a workload's image and
 * programs that pretend to be emulators. */
#ifndef DOPPEL_TESTS_BENCH_RIG_H
#define DOPPEL_TESTS_BENCH_RIG_H

#include "harness/configuration.h"
#include "harness/results.h"
#include "harness/runner.h"
#include "harness/workload.h"

/* A matrix of native, qemu and interp, and integer/sort, integer/mix, system/port: no cell has times yet. */
struct results *rig_results(void);

/* Gives a cell `count` samples of `rounds` rounds, `first` + i * `step` seconds per round. */
void rig_fill(struct results *results, size_t workload, size_t configuration, double first, double step,
              size_t count, uint64_t rounds);

struct rig {
    char *directory; /* of everything */
    char *programs;  /* in it: fake.img */
    char *work;
    struct workload_list workloads; /* test/fake, checksum 0000abcd */
    struct configuration_list configurations;
    struct runner_settings settings;
};

void rig_create(struct rig *rig);
void rig_destroy(struct rig *rig);

/* Adds a doppel that is a shell script with this body. In it, $rounds is what the image asks for, `good`
 * prints what a workload prints, and the directory is the run's. */
void rig_add_script(struct rig *rig, const char *id, const char *body);

/* Adds one that is `program`. */
void rig_add_program(struct rig *rig, const char *id, const char *program);

/* Adds test/NAME: a guest of `size` bytes whose image is a file `NAME.img` in the rig's directory, from the
 * emulator's start to a line with "done". */
void rig_add_boot(struct rig *rig, const char *name, size_t size);

/* The same with several results, `names`, from a line with "up" to one with "done". */
void rig_add_results(struct rig *rig, const char *names);

/* Runs all of it; the results are the caller's. `finished` may be NULL. */
struct results *rig_run(struct rig *rig, bool *finished);

/* Empty results with the rig's rows and columns. */
struct results *rig_empty_results(const struct rig *rig);

/* The contents of a file in the rig's directory, up to 255 bytes; empty where there is none. */
void rig_read(const struct rig *rig, const char *name, char *text, size_t size);

#endif
