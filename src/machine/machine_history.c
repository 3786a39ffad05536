/* Which checkpoints there are, and how places are found by them; see machine_history.h.
 *
 * Checkpoints are in the order of their places. When memory runs short the one goes that is missed least: the
 * stretch that has to be executed without it is short, compared with how far away it is. So they lie close
 * near the machine and ever further apart with the distance. The first one stays, until its disks' old
 * contents take too much.
 *
 * Whether one is made is decided by the host's clock, and makes no difference to the guest. */
#include "machine/machine_history.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "devices/floppy.h"
#include "devices/ide.h"
#include "host/host_clock.h"
#include "machine/machine_checkpoint.h"
#include "machine/machine_internal.h"
#include "storage/undo_journal.h"

#define CHECKPOINTS_MAX 512u
#define COST_SHARE      10u /* of the host's time, one part is for checkpoints */
#define INTERVAL_MIN_NS (50 * NS_PER_MILLISECOND)

/* Between two checkpoints is at most such a part of the memory in old contents of disks. */
#define DISK_PARTS 8u

/* Searching a place leaves checkpoints this far in front of it, twice as far, and so on. */
#define NEAR_INSTRUCTIONS ((uint64_t)1 << 15)

#define SEEK_SLICE_NS NS_PER_SECOND

struct machine_history {
    struct page_store *pages;
    struct undo_journal *disks;
    uint64_t bytes_allowed;
    struct machine_checkpoint *checkpoints[CHECKPOINTS_MAX];
    size_t count;
    const struct machine_checkpoint *latest; /* made or put back last: what the next one is most like */
    struct machine_place end;                /* the furthest one that is known of */
    bool is_over;                            /* begins anew when the machine goes on or somebody asks */
    bool differs;                            /* something was not done again as before */
    bool seeks;
    struct status failure; /* of the present beginning: nothing is kept */
    uint64_t next_ns;      /* host time of the next checkpoint */
    uint64_t disks_then;   /* bytes of the journal at the latest one */
    uint64_t last_cost_ns, total_cost_ns;
};

/* ---- places */

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int machine_place_compare(const struct machine_place *a, const struct machine_place *b)
{
    int order = compare(a->retired, b->retired);
    if (order == 0) {
        order = compare(a->time, b->time);
    }
    return order != 0 ? order : compare(a->taken, b->taken);
}

struct machine_place machine_place(struct machine *machine)
{
    return (struct machine_place){.retired = machine->cpu.retired,
                                  .taken = machine->cpu.taken,
                                  .time = event_clock_now(machine->clock)};
}

/* ---- the list */

/* How many checkpoints are before `place`, or at it if `including`. */
static size_t count_before(const struct machine_history *history, const struct machine_place *place,
                           bool including)
{
    size_t count = 0;
    while (count < history->count &&
           machine_place_compare(&history->checkpoints[count]->place, place) < (including ? 1 : 0)) {
        count++;
    }
    return count;
}

static void remove_checkpoint(struct machine_history *history, size_t index)
{
    struct machine_checkpoint *gone = history->checkpoints[index];
    history->count--;
    memmove(history->checkpoints + index, history->checkpoints + index + 1,
            (history->count - index) * sizeof history->checkpoints[0]);
    if (history->latest == gone) {
        history->latest = history->count == 0 ? NULL : history->checkpoints[index > 0 ? index - 1 : 0];
    }
    machine_checkpoint_destroy(history->pages, gone);
}

static void insert_checkpoint(struct machine_history *history, struct machine_checkpoint *checkpoint)
{
    size_t index = count_before(history, &checkpoint->place, false);
    memmove(history->checkpoints + index + 1, history->checkpoints + index,
            (history->count - index) * sizeof history->checkpoints[0]);
    history->checkpoints[index] = checkpoint;
    history->count++;
    history->latest = checkpoint;
}

static uint64_t bytes_taken(const struct machine_history *history)
{
    return page_store_bytes(history->pages) + undo_journal_bytes(history->disks) + sizeof *history;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* How much checkpoint `index` would be missed at `here`. */
static double use_of(const struct machine_history *history, size_t index, uint64_t here)
{
    uint64_t stretch =
        history->checkpoints[index + 1]->place.retired - history->checkpoints[index - 1]->place.retired;
    uint64_t away = distance(history->checkpoints[index]->place.retired, here);
    return (double)stretch / (double)(away + NEAR_INSTRUCTIONS);
}

/* Neither the first nor the last; there are three or more. */
static size_t least_useful(const struct machine_history *history, uint64_t here)
{
    size_t found = 1;
    for (size_t i = 2; i + 1 < history->count; i++) {
        if (use_of(history, i, here) < use_of(history, found, here)) {
            found = i;
        }
    }
    return found;
}

/* Removes what there is no room for; `more`: another one is about to come. */
static void make_room(struct machine_history *history, uint64_t here, bool more)
{
    while (history->count > 2 &&
           (history->count + more > CHECKPOINTS_MAX || bytes_taken(history) > history->bytes_allowed)) {
        if (undo_journal_bytes(history->disks) > history->bytes_allowed / 2) {
            remove_checkpoint(history, 0);
            undo_journal_drop_before(history->disks, history->checkpoints[0]->disks);
        } else {
            remove_checkpoint(history, least_useful(history, here));
        }
    }
}

static void plan_next(struct machine_history *history)
{
    uint64_t interval = (COST_SHARE - 1) * history->last_cost_ns;
    history->next_ns =
        host_clock_monotonic_ns(NULL) + (interval > INTERVAL_MIN_NS ? interval : INTERVAL_MIN_NS);
    history->disks_then = undo_journal_bytes(history->disks);
}

/* The journal is dropped from one checkpoint to the next: they may not have much of it between them. */
static bool next_is_due(const struct machine_history *history)
{
    return host_clock_monotonic_ns(NULL) >= history->next_ns ||
           undo_journal_bytes(history->disks) > history->disks_then + history->bytes_allowed / DISK_PARTS;
}

/* Makes a checkpoint here, unless there is one. False when out of memory. */
static bool add_checkpoint(struct machine *machine)
{
    struct machine_history *history = machine->history;
    const struct machine_place here = machine_place(machine);
    if (count_before(history, &here, false) != count_before(history, &here, true)) {
        return true;
    }
    uint64_t start = host_clock_monotonic_ns(NULL);
    make_room(history, here.retired, true);
    struct machine_checkpoint *checkpoint =
        machine_checkpoint_create(machine, history->pages, history->latest);
    if (checkpoint != NULL) {
        checkpoint->disks = undo_journal_position(history->disks);
        insert_checkpoint(history, checkpoint);
        make_room(history, here.retired, false);
    }
    history->last_cost_ns = host_clock_monotonic_ns(NULL) - start;
    history->total_cost_ns += history->last_cost_ns;
    plan_next(history);
    return checkpoint != NULL;
}

/* ---- beginning */

static struct status note_disks(struct machine *machine)
{
    struct undo_journal *disks = machine->history->disks;
    struct status status = status_ok();
    undo_journal_clear(disks);
    for (unsigned i = 0; i < MACHINE_FLOPPIES && status_is_ok(&status); i++) {
        status = undo_journal_add(disks, floppy_image(machine->chips.floppy, i));
    }
    for (unsigned i = 0; i < MACHINE_IDE_DRIVES && status_is_ok(&status); i++) {
        status = undo_journal_add(disks, ide_image(machine->chips.ide, i / 2, i % 2));
    }
    return status;
}

/* What the machine will send is new. */
static void begin_output(struct machine *machine)
{
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        machine->serial[i].delivered = machine->serial[i].history.sent;
    }
    machine->debug_delivered = machine->debug_sent;
}

static void begin(struct machine *machine)
{
    struct machine_history *history = machine->history;
    const struct machine_place here = machine_place(machine);
    machine_replay_forget_kept(machine, machine_place_compare(&here, &history->end) < 0);
    while (history->count > 0) {
        remove_checkpoint(history, history->count - 1);
    }
    history->end = here;
    history->is_over = history->differs = false;
    begin_output(machine);
    history->failure = note_disks(machine);
    if (status_is_ok(&history->failure) && !add_checkpoint(machine)) {
        history->failure = status_error(STATUS_NO_MEMORY, "out of memory for the machine's history");
    }
}

static void begin_if_over(struct machine *machine)
{
    struct machine_history *history = machine->history;
    struct status disks = undo_journal_failure(history->disks);
    if (history->is_over || (!status_is_ok(&disks) && status_is_ok(&history->failure))) {
        begin(machine);
    }
}

struct status machine_start_history(struct machine *machine, uint64_t bytes)
{
    assert(machine->history == NULL);
    if (!event_clock_is_counted(machine->clock)) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "only a machine in counted time (-icount) can go back in time");
    }
    struct machine_history *history = calloc(1, sizeof *history);
    if (history != NULL) {
        history->pages = page_store_create();
        history->disks = undo_journal_create();
        history->bytes_allowed = bytes;
    }
    machine->history = history;
    if (history == NULL || history->pages == NULL || history->disks == NULL) {
        machine_history_destroy(machine);
        return status_error(STATUS_NO_MEMORY, "out of memory for the machine's history");
    }
    struct status status = machine_replay_keep(machine);
    if (status_is_ok(&status)) {
        machine->cpu.ignores_x87_pointers = true; /* translated code does */
        history->end = machine_place(machine);
        begin(machine);
        status = history->failure;
    }
    if (!status_is_ok(&status)) {
        machine_history_destroy(machine);
    }
    return status;
}

void machine_history_destroy(struct machine *machine)
{
    struct machine_history *history = machine->history;
    if (history == NULL) {
        return;
    }
    while (history->count > 0) {
        remove_checkpoint(history, history->count - 1);
    }
    page_store_destroy(history->pages);
    undo_journal_destroy(history->disks);
    free(history);
    machine->history = NULL;
}

bool machine_has_history(const struct machine *machine)
{
    return machine->history != NULL;
}

void machine_history_forget(struct machine *machine)
{
    if (machine->history != NULL) {
        machine->history->is_over = true;
    }
}

/* ---- while the machine runs */

static void note_end(struct machine *machine)
{
    const struct machine_place here = machine_place(machine);
    if (machine_place_compare(&here, &machine->history->end) > 0) {
        machine->history->end = here;
    }
}

void machine_history_begin_run(struct machine *machine)
{
    begin_if_over(machine);
}

void machine_history_note(struct machine *machine)
{
    struct machine_history *history = machine->history;
    begin_if_over(machine);
    note_end(machine);
    if (!history->seeks && status_is_ok(&history->failure)) {
        if (next_is_due(history)) {
            (void)add_checkpoint(machine); /* the next one may find memory */
        }
        make_room(history, machine->cpu.retired, false);
    }
}

void machine_history_note_difference(struct machine *machine)
{
    machine->history->differs = true;
}

/* ---- questions */

struct machine_place machine_history_first(struct machine *machine)
{
    begin_if_over(machine);
    return machine->history->count > 0 ? machine->history->checkpoints[0]->place : machine_place(machine);
}

struct machine_place machine_history_end(struct machine *machine)
{
    begin_if_over(machine);
    note_end(machine);
    return machine->history->end;
}

bool machine_is_in_past(struct machine *machine)
{
    const struct machine_history *history = machine->history;
    if (history == NULL || history->is_over) {
        return false;
    }
    const struct machine_place here = machine_place(machine);
    return machine_place_compare(&here, &history->end) < 0;
}

bool machine_history_before(struct machine *machine, const struct machine_place *place,
                            struct machine_place *checkpoint)
{
    begin_if_over(machine);
    size_t count = count_before(machine->history, place, false);
    if (count > 0) {
        *checkpoint = machine->history->checkpoints[count - 1]->place;
    }
    return count > 0;
}

struct machine_history_info machine_history_info(const struct machine *machine)
{
    const struct machine_history *history = machine->history;
    return (struct machine_history_info){.checkpoints = history->count,
                                         .bytes = bytes_taken(history),
                                         .bytes_allowed = history->bytes_allowed,
                                         .disk_bytes = undo_journal_bytes(history->disks),
                                         .last_cost_ns = history->last_cost_ns,
                                         .total_cost_ns = history->total_cost_ns};
}

/* ---- going back */

/* Whether a place is one that a step comes to, whatever else is known of it. */
static bool is_step(const struct machine_place *place)
{
    return place->taken == 0 && place->time == 0;
}

static struct status put_back(struct machine *machine, const struct machine_checkpoint *checkpoint)
{
    struct machine_history *history = machine->history;
    struct status status = undo_journal_seek(history->disks, checkpoint->disks);
    if (!status_is_ok(&status)) {
        begin(machine);
        return status;
    }
    if (!machine_checkpoint_put_back(machine, checkpoint)) {
        begin(machine);
        return status_error(STATUS_NO_MEMORY, "out of memory for going back");
    }
    history->latest = checkpoint;
    plan_next(history);
    return status;
}

/* The last checkpoint at or before `place`. */
static struct status find_checkpoint(struct machine *machine, const struct machine_place *place,
                                     const struct machine_checkpoint **found)
{
    begin_if_over(machine);
    note_end(machine);
    const struct machine_history *history = machine->history;
    if (!status_is_ok(&history->failure)) {
        return history->failure;
    }
    size_t count = count_before(history, place, true);
    if (count == 0 && is_step(place) && place->retired == history->checkpoints[0]->place.retired) {
        count = 1;
    }
    if (count == 0) {
        return status_error(STATUS_NOT_FOUND,
                            "the machine's history begins behind it, at %" PRIu64 " instructions",
                            history->checkpoints[0]->place.retired);
    }
    *found = history->checkpoints[count - 1];
    return status_ok();
}

struct status machine_history_restore(struct machine *machine, const struct machine_place *place)
{
    const struct machine_checkpoint *checkpoint = NULL;
    struct status status = find_checkpoint(machine, place, &checkpoint);
    return status_is_ok(&status) ? put_back(machine, checkpoint) : status;
}

/* ---- searching a place */

static bool has_come_to(struct machine *machine, const struct machine_place *place)
{
    const struct machine_place here = machine_place(machine);
    return here.retired >= place->retired && here.taken >= place->taken && here.time >= place->time;
}

/* Nobody may see the machine execute. */
struct alone {
    struct machine_probe probe;
    bool had_probe, was_paused;
    uint64_t instruction_limit, step_limit;
};

static struct alone *begin_alone(struct machine *machine)
{
    struct alone *alone = calloc(1, sizeof *alone);
    if (alone == NULL) {
        return NULL;
    }
    alone->had_probe = machine->probe != NULL;
    if (alone->had_probe) {
        alone->probe = *machine->probe;
        machine_set_probe(machine, NULL);
    }
    alone->was_paused = machine->paused;
    machine->paused = false;
    alone->instruction_limit = machine->instruction_limit;
    alone->step_limit = machine->step_limit;
    machine->instruction_limit = 0;
    machine->history->seeks = true;
    machine_cancel_break(machine);
    return alone;
}

static void end_alone(struct machine *machine, struct alone *alone)
{
    machine->history->seeks = false;
    machine->instruction_limit = alone->instruction_limit;
    machine->step_limit = alone->step_limit;
    machine->wanted_taken = machine->wanted_time = 0;
    machine->paused = alone->was_paused;
    if (alone->had_probe) {
        machine_set_probe(machine, &alone->probe);
    }
    free(alone);
}

/* Executes up to a place that the machine has been at. False: it does not come there any more. */
static bool run_to(struct machine *machine, const struct machine_place *place)
{
    machine->step_limit = place->retired;
    machine->wanted_taken = place->taken;
    machine->wanted_time = place->time;
    while (!has_come_to(machine, place)) {
        uint64_t now = event_clock_now(machine->clock);
        uint64_t slice = place->time > now ? place->time - now : SEEK_SLICE_NS;
        enum machine_stop stop = machine_run(machine, slice < SEEK_SLICE_NS ? slice : SEEK_SLICE_NS);
        if (stop == MACHINE_POWER_OFF || (stop == MACHINE_BREAK && !has_come_to(machine, place))) {
            break;
        }
    }
    return has_come_to(machine, place) && machine->cpu.retired == place->retired;
}

/* On the way back to `place` from a checkpoint, leaves some on the way: the next time is nearer. */
static bool run_near(struct machine *machine, const struct machine_place *place)
{
    bool comes = true;
    uint64_t left = place->retired - machine->cpu.retired;
    while (comes && left > 2 * NEAR_INSTRUCTIONS) {
        left /= 2;
        comes = run_to(machine, &(struct machine_place){.retired = place->retired - left});
        if (comes) {
            (void)add_checkpoint(machine);
        }
    }
    return comes;
}

static struct status seek_on(struct machine *machine, const struct machine_place *place, bool goes_back)
{
    struct alone *alone = begin_alone(machine);
    if (alone == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for going back");
    }
    bool comes = (!goes_back || run_near(machine, place)) && run_to(machine, place);
    end_alone(machine, alone);
    if (comes && !machine->history->differs) {
        return status_ok();
    }
    return status_error(STATUS_CORRUPT,
                        "executed again, the machine has done something else, before %" PRIu64
                        " instructions",
                        machine->cpu.retired);
}

/* Whether the machine would only have to go on to come to `place`, and is nearer than `checkpoint`. */
static bool is_on_the_way(struct machine *machine, const struct machine_place *place,
                          const struct machine_checkpoint *checkpoint)
{
    const struct machine_place here = machine_place(machine);
    return machine_place_compare(&here, &checkpoint->place) >= 0 &&
           (here.retired < place->retired || (!is_step(place) && machine_place_compare(&here, place) <= 0));
}

struct status machine_history_seek(struct machine *machine, const struct machine_place *place)
{
    const struct machine_checkpoint *checkpoint = NULL;
    struct status status = find_checkpoint(machine, place, &checkpoint);
    if (status_is_ok(&status) && machine_place_compare(place, &machine->history->end) > 0) {
        status = status_error(STATUS_NOT_FOUND, "the machine has come to %" PRIu64 " instructions only",
                              machine->history->end.retired);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    bool goes_back = !is_on_the_way(machine, place, checkpoint);
    if (goes_back) {
        status = put_back(machine, checkpoint);
    }
    return status_is_ok(&status) ? seek_on(machine, place, goes_back) : status;
}
