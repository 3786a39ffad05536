/* A machine whose history is kept, and marks by which it is known again; for the tests of going back in time.
 *
 * The machine is made within a test, since cmocka takes signal handlers away before. */
#ifndef DOPPEL_TESTS_HISTORY_RIG_H
#define DOPPEL_TESTS_HISTORY_RIG_H

#include "machine/machine_history.h"
#include "machine/machine_replay.h"

#define HISTORY_RIG_MARKS    40u
#define HISTORY_RIG_SLICE_NS 700001u
#define HISTORY_RIG_BUDGET   (64 * MIB)

/* What the machine was at a place. */
struct history_mark {
    struct machine_place place;
    struct machine_checksums sums;
    uint32_t disks; /* CRC-32 of the files of drive A and of the hard disk */
};

struct history_rig {
    /* to be set before power is switched on */
    const char *floppy;
    const char *hard_disk; /* NULL: none */
    bool writes_files;     /* otherwise, snapshots */
    struct engine_config engine;

    struct char_device *serial;
    struct machine *machine;
    struct history_mark marks[HISTORY_RIG_MARKS];
    unsigned mark_count;
    uint64_t random;
};

/* Reads the engine and the strategy of the mmu from argv[2] and argv[3]; the floppy disk is argv[1]. False: a
 * message was printed. */
bool history_rig_parse(struct history_rig *rig, int argc, char **argv);

/* Of the test, around it. */
int history_rig_set_up(void **state);
int history_rig_tear_down(void **state);

/* A machine that keeps no history yet. */
void history_rig_power_on(struct history_rig *rig);
void history_rig_start(struct history_rig *rig, uint64_t bytes);

uint32_t history_rig_random(struct history_rig *rig, uint32_t limit);

struct history_mark history_rig_mark(struct history_rig *rig);
/* The machine stands at the mark, and is what it was. */
void history_rig_check(struct history_rig *rig, const struct history_mark *mark);
void history_rig_seek(struct history_rig *rig, const struct history_mark *mark);

/* Runs for `steps` slices with input from outside and leaves marks at places of all kinds, one every three
 * steps: at ends of slices and steps, also while halted, and in front of handlers. */
void history_rig_live(struct history_rig *rig, unsigned steps);

#endif
