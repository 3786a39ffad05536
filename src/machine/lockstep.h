/* Two machines side by side: the same configuration on the interpreter and on the engine under test, compared
 * again and again (-check lockstep).
 *
 * Both run in counted time, in the same steps of a few instructions (their lengths are drawn from a seed),
 * each on images of its own to which nothing is written. After every step the CPUs are compared
 * (cpu_compare.h), and after millions of instructions all RAM and what every device says of itself. Nothing
 * of the host gets in, so that the same run can be made again to look closer: at pages that were found to
 * differ, after every step; through the step that differs, instruction by instruction; at the way that led
 * there.
 *
 * Page walks set accessed and dirty bits when a TLB must be filled; a guest that clears them without telling
 * the TLB (INVLPG, CR3) may find different ones on engines with TLBs of different sizes. */
#ifndef DOPPEL_MACHINE_LOCKSTEP_H
#define DOPPEL_MACHINE_LOCKSTEP_H

#include "machine/machine.h"

#define LOCKSTEP_PAGES 16

/* What a former run of the same found. */
struct lockstep_focus {
    uint64_t from; /* value of the instruction count from which on `pages` are compared after every step */
    uint64_t pages[LOCKSTEP_PAGES]; /* offsets in RAM */
    unsigned page_count;
    uint64_t step; /* number of a step: the way to it and through it is remembered; UINT64_MAX: none */
    bool single;   /* go through this step instruction by instruction */
};

struct lockstep_config {
    struct machine_config reference, tested; /* `counted`, the same but for the engine and streams */
    uint64_t seed;
    uint32_t longest_step;  /* instructions, > 0 */
    uint64_t memory_period; /* instructions between comparisons of RAM and devices */
    uint64_t instructions;  /* the run ends there; UINT64_MAX: never */
    struct lockstep_focus focus;
};

enum lockstep_side { LOCKSTEP_REFERENCE, LOCKSTEP_TESTED };

enum lockstep_stop {
    LOCKSTEP_SLICE,    /* ran for the time it was given */
    LOCKSTEP_OFF,      /* both guests switched their machines off */
    LOCKSTEP_LIMIT,    /* config.instructions were run */
    LOCKSTEP_DIFFERENT /* lockstep_found() says where */
};

/* What was found. */
struct lockstep_finding {
    uint64_t step;                  /* number of the step behind which a difference was seen */
    uint64_t start;                 /* instruction count in front of it */
    uint64_t last_good;             /* instruction count at the last comparison of all RAM */
    uint64_t pages[LOCKSTEP_PAGES]; /* offsets of pages that differ, the first ones */
    unsigned page_count;
    const char *what; /* "CPU", "RAM", "devices", … */
};

struct lockstep;

/* Builds both machines. On failure *lockstep is NULL. */
struct status lockstep_create(const struct lockstep_config *config,
                              struct lockstep **lockstep) STATUS_MUST_CHECK;
void lockstep_destroy(struct lockstep *lockstep);

/* For monitors; whatever is done to one must be done to the other. */
struct machine *lockstep_machine(struct lockstep *lockstep, enum lockstep_side side);

/* Compares RAM and devices as well, as a run does at its end. False: lockstep_found() says what differs. */
bool lockstep_compare_all(struct lockstep *lockstep);

/* Runs both for `slice_ns` of their time. */
enum lockstep_stop lockstep_run(struct lockstep *lockstep, uint64_t slice_ns);

const struct lockstep_finding *lockstep_found(const struct lockstep *lockstep);

/* Instructions run so far, comparisons of the CPUs and of all RAM. */
void lockstep_describe_progress(const struct lockstep *lockstep, FILE *out);

/* The last instructions of the reference (with a focus on a step), and how the two differ. */
void lockstep_describe_difference(const struct lockstep *lockstep, FILE *out);

#endif
