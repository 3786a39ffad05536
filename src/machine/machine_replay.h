/* Recording what comes into a counted machine from outside, and replaying it: the same run again, bit for
 * bit.
 *
 * Keys, mouse, bytes at serial ports, media changes, the reset and the power button are inputs. Without a
 * recording they take effect where they come in. While one is made, each gets the time one nanosecond ahead,
 * at which the machine, having fired the events that are due, applies it and writes it down; a replay applies
 * it at the same time, on whatever engine, and looks whether as many instructions have been executed. So
 * there is one order of events and inputs, whatever the machine was doing when an input came. The recording
 * ends with checksums of RAM and all else that input_log.h names, by which the replay checks itself.
 *
 * A recording can be replayed only while the drives' images are what they were: write to snapshots.
 *
 * NOT IMPLEMENTED: what a debugger changes in registers, memory or ports is no input and not recorded; the
 * replay will notice. */
#ifndef DOPPEL_MACHINE_MACHINE_REPLAY_H
#define DOPPEL_MACHINE_MACHINE_REPLAY_H

#include "machine/input_log.h"
#include "machine/machine.h"

enum machine_replay_state {
    MACHINE_REPLAY_NONE,    /* nothing is replayed */
    MACHINE_REPLAY_RUNNING, /* input from outside is ignored */
    MACHINE_REPLAY_ENDED,   /* the machine stands where the recording ended, in the same state */
    MACHINE_REPLAY_FAILED   /* it has gone another way: machine_replay_failure() */
};

/* What a machine's state comes down to when it is to be compared with another run's. */
struct machine_checksums {
    uint32_t ram;  /* CRC-32, as `memory-hash` prints it */
    uint32_t rest; /* of display memory, registers, floating point, and the chips as `info` shows them */
};

struct machine_checksums machine_checksum(struct machine *machine);

/* Records from now on, before the first machine_run(). The machine must be counted. Errors: the file cannot
 * be written, an image not be read. */
struct status machine_start_recording(struct machine *machine, const char *path) STATUS_MUST_CHECK;

/* Ends the recording that there may be: lets the machine, even a paused one, execute one instruction more
 * when it is not switched off, and completes the file. Breakpoints are forgotten. Errors: the first one of
 * the whole recording. */
struct status machine_finish_recording(struct machine *machine) STATUS_MUST_CHECK;

/* Replays `log`, which belongs to the machine from then on, also after an error: this machine is not the one
 * that was recorded. Before the first machine_run(). machine_run() returns MACHINE_BREAK, or
 * MACHINE_POWER_OFF, where the replay is over; after it, input from outside counts again. */
struct status machine_start_replay(struct machine *machine, struct input_log *log) STATUS_MUST_CHECK;

enum machine_replay_state machine_replay_state(const struct machine *machine);

/* Why the replay failed; STATUS_OK unless it did. */
struct status machine_replay_failure(const struct machine *machine);

#endif
