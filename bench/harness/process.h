/* One program of the host, started, listened to, and gone afterwards.
 *
 * Invariants: the program runs in a process group of its own, with nothing on standard input; when
 * process_run() returns, no process of that group is left, whatever it did; nor when this program is killed
 * (Linux kills the child then). SIGINT, SIGTERM and SIGHUP end the wait when the caller has blocked them
 * (process_block_signals()): they stay pending for the caller to see. */
#ifndef DOPPEL_BENCH_HARNESS_PROCESS_H
#define DOPPEL_BENCH_HARNESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* When something happened: since the program's start. */
struct process_moment {
    double seconds;
    double cpu_seconds; /* of the program's, without its children; 0 where that cannot be told */
};

struct process_request {
    const char *const *argv;        /* argv[0] is looked for in PATH; ends with NULL */
    const char *const *environment; /* NAME=VALUE, added to ours; ends with NULL; may be NULL */
    const char *directory;          /* where it runs; NULL: here */
    bool join_errors;               /* lines on standard error are lines too */
    double timeout_seconds;         /* then the program is killed */
    double grace_seconds;           /* how long it may go on after `line` returned false */

    bool partial_lines; /* show beginnings of lines too, whenever more of one has come */

    /* Called with each line of standard output, without its end, and with the moment at which the line's end
     * arrived. False: what was waited for has come. */
    bool (*line)(void *opaque, const char *line, struct process_moment moment);
    /* Called about fifty times a second, with the seconds since the start; may be NULL. False: as for `line`.
     */
    bool (*tick)(void *opaque, double seconds);
    void *opaque;
};

struct process_result {
    bool timed_out;
    bool interrupted; /* one of the signals is pending */
    bool killed;      /* it did not end by itself in the grace period */
    int wait_status;  /* as of wait(2) */
    double seconds;   /* start to end */
    double cpu_seconds;
    uint64_t peak_rss_kib;
    char last_words[160]; /* the last line on standard error that is not empty */
};

/* An error when the program cannot be started. */
struct status process_run(const struct process_request *request,
                          struct process_result *result) STATUS_MUST_CHECK;

/* "exit status 1", "signal 11 (Segmentation fault)". */
void process_describe_end(int wait_status, char *text, size_t size);

/* From now on the signals that ask this program to end stay pending; programs it starts get them as usual. */
void process_block_signals(void);

/* Takes those that are pending away, and lets further ones end this program again. */
void process_release_signals(void);

/* Whether one of them is pending and not ignored. */
bool process_is_interrupted(void);

/* Seconds on a clock that only runs forward. */
double process_clock(void);

#endif
