/* Going back in time: checkpoints of a counted machine, and executing again from them.
 *
 * A counted run depends on nothing but the machine, its images and what comes in from outside. So a place
 * that the machine has passed is reached again by restoring a copy of it that was made before, a
 * *checkpoint*, and executing from there, with the inputs of the first time at the same times. There is one
 * checkpoint where history begins and more behind it, so often that keeping history costs about a tenth of
 * the host's time; the memory they may take is bounded, and the older ones become sparser. When a place was
 * searched for, there are a few close in front of it, so that going back step by step is quick.
 *
 * Behind the present, in the *past*, the machine does what it did: inputs from outside are ignored, and what
 * it sends is not sent a second time. It may be debugged like any other time; when it has come to where it
 * was, it simply goes on. Disks go back as well, also in their files; what is displayed does.
 *
 * Whatever changes the machine from outside and is no input ends this history and begins a new one there:
 * changed media, and what a debugger writes (machine_history_forget()). In the past this abandons what came
 * behind.
 *
 * Limits. A guest that changes its page tables without telling the processor depends on what the TLBs
 * happen to hold, which is not restored. The x87's instruction and data pointers are not kept.
 *
 * NOT IMPLEMENTED: checkpoints on disk; machines in realtime. */
#ifndef DOPPEL_MACHINE_MACHINE_HISTORY_H
#define DOPPEL_MACHINE_MACHINE_HISTORY_H

#include "machine/machine.h"

/* Where a machine stands. Places are passed in the order of machine_place_compare(). Several have the same
 * count of instructions: an interrupt is taken between two of them, and a halted CPU lets time pass. */
struct machine_place {
    uint64_t retired; /* instructions since power-on: machine_retired() */
    uint64_t taken;   /* interrupts, debug traps and resets of the CPU between instructions since then */
    uint64_t time;    /* virtual nanoseconds: machine_now() */
};

/* Below 0: a comes before b; 0: they are the same. */
int machine_place_compare(const struct machine_place *a, const struct machine_place *b);

struct machine_place machine_place(struct machine *machine);

/* Keeps history from here on, in up to `bytes` of host memory beside the machine itself. Between runs, once;
 * a recording or a replay begins before. Errors: the machine is not counted; memory. */
struct status machine_start_history(struct machine *machine, uint64_t bytes) STATUS_MUST_CHECK;
bool machine_has_history(const struct machine *machine);

/* ---- all that follows: between runs, of a machine with history */

/* The first place that can be reached, and the furthest one that was: the present. */
struct machine_place machine_history_first(struct machine *machine);
struct machine_place machine_history_end(struct machine *machine);
/* Whether the machine stands before the present. False without history. */
bool machine_is_in_past(struct machine *machine);

/* The last checkpoint before `place`, not at it; false: there is none. Searching backwards goes from one to
 * the one before, executing with machine_run() and a probe up to the place where the last search began. */
bool machine_history_before(struct machine *machine, const struct machine_place *place,
                            struct machine_place *checkpoint);

/* Has the machine stand at the last checkpoint at or before `place`; the probe and the limits stay as they
 * are. Errors: `place` is before the first one; a disk could not be restored: then history begins anew here.
 */
struct status machine_history_restore(struct machine *machine,
                                      const struct machine_place *place) STATUS_MUST_CHECK;

/* Has the machine stand exactly at `place`, which may be before or behind the present one: restores what is
 * nearest if need be and executes the rest without anybody's probe. With `taken` and `time` 0 it is the first
 * place with that count of instructions at which a step ends: where machine_run() stops at a step limit.
 * Makes checkpoints on the way, close before the place. Errors: as above; `place` is behind the present; the
 * machine did not do the same again (a bug of ours, or the limits above), or was switched off before. */
struct status machine_history_seek(struct machine *machine,
                                   const struct machine_place *place) STATUS_MUST_CHECK;

/* The machine is, or is about to be, changed from outside: what was before cannot be reached any more, and
 * history begins here when the machine goes on, or somebody asks for it. Allowed within a run, and without
 * history. */
void machine_history_forget(struct machine *machine);

/* For people and for tests. */
struct machine_history_info {
    size_t checkpoints;
    uint64_t bytes, bytes_allowed; /* of host memory */
    uint64_t disk_bytes;           /* of these: old contents of sectors */
    uint64_t last_cost_ns;         /* host time that making the last checkpoint took */
    uint64_t total_cost_ns;        /* and all of them since the start */
};
struct machine_history_info machine_history_info(const struct machine *machine);

#endif
