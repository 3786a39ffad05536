/* Copies of a whole counted machine, to be put back into the same machine.
 *
 * All state is reached by state visitors and copied as it is, pointers included, since nothing moves within a
 * process; memory and that are kept as pages, which copies share (page_store.h). Not part of a copy: disks'
 * contents (a position in a journal is), what the host knows of output and input, counters, the probe,
 * limits, and all that engines and the mmu can make again. */
#ifndef DOPPEL_MACHINE_MACHINE_CHECKPOINT_H
#define DOPPEL_MACHINE_MACHINE_CHECKPOINT_H

#include "machine/machine_history.h"
#include "machine/page_store.h"

struct machine_layout; /* the memory map, shared by the checkpoints between two changes of it */

struct machine_checkpoint {
    struct machine_place place;
    struct page_set *memory, *state;
    struct machine_layout *layout;
    bool a20;
    uint64_t disks; /* undo_journal_position() */
    size_t inputs;  /* machine_replay_position() */
};

/* Copies the machine where it stands, between two instructions. `like`: a checkpoint that is not much
 * different, or NULL. NULL when out of memory. `disks` is for the caller to set. */
struct machine_checkpoint *machine_checkpoint_create(struct machine *machine, struct page_store *store,
                                                     const struct machine_checkpoint *like);
void machine_checkpoint_destroy(struct page_store *store, struct machine_checkpoint *checkpoint);

/* Has the machine be as it was, but for its disks. Between runs. False when out of memory, and nothing has
 * changed. */
bool machine_checkpoint_put_back(struct machine *machine, const struct machine_checkpoint *checkpoint);

#endif
