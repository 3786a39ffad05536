/* What can be measured: the workloads of bench/workloads, operating systems that boot, and images of users.
 */
#ifndef DOPPEL_BENCH_HARNESS_WORKLOAD_H
#define DOPPEL_BENCH_HARNESS_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Properties in workloads.def. */
enum workload_property {
    WORKLOAD_GUEST = 0,  /* needs the bare machine */
    WORKLOAD_NATIVE = 1, /* also runs as a process of the host */
    WORKLOAD_QUICK = 2,  /* part of --quick */
    WORKLOAD_SSE2 = 4    /* needs a processor with SSE2 */
};

/* Where a guest's marker lines appear. */
enum workload_marker { MARKER_SERIAL, MARKER_DEBUG_PORT, MARKER_SCREEN };

/* A guest that knows nothing of the bench: timed from a marker (or from the emulator's start) to another. */
struct workload_boot {
    char *image;  /* of a floppy, disk or CD-ROM; NULL: none */
    char *kernel; /* with `initrd` and `command_line`; NULL: none */
    char *initrd, *command_line;
    enum workload_marker where;
    char *marker_start; /* a line that contains it; NULL: the emulator's start */
    char *marker_end;
    unsigned memory_mib;
    const char *cpu; /* in words of doppel and QEMU, borrowed; NULL: a Pentium III */
    /* The guest prints a line "TIME NAME ..." when it is done with NAME, and this workload is what it did
     * since the line before, or the start marker. NULL: all of it. */
    char *result;
    unsigned timeout_seconds; /* 0: as for other boots */
    unsigned repeat;          /* at most; 0: as often as others */
};

struct workload {
    const char *group, *name, *text;
    uint32_t checksum;
    unsigned properties;
    struct workload_boot *boot; /* NULL: a program of bench/workloads */
};

struct workload_list {
    struct workload *items;
    size_t count;
};

/* The programs, in the order of workloads.def. */
struct workload_list workload_list_create(void);
void workload_list_destroy(struct workload_list *list);

/* Appends a boot. `group`, `name` and `text` are borrowed; *boot is copied, its strings are owned from now
 * on. */
void workload_list_add_boot(struct workload_list *list, const char *group, const char *name, const char *text,
                            unsigned properties, const struct workload_boot *boot);

/* Appends a boot for each of the `names`, separated by commas: several results of one guest, which are timed
 * in one run. `group` and `text` are borrowed, the strings of *boot owned from now on. */
void workload_list_add_results(struct workload_list *list, const char *group, const char *names,
                               const char *text, unsigned properties, const struct workload_boot *boot);

/* The index behind the workloads that are timed in one run with this one, which come after it. */
size_t workload_guest_end(const struct workload_list *list, size_t index);

/* Where images of real systems are. */
struct workload_places {
    const char *guests;    /* FreeDOS */
    const char *downloads; /* Linux on a CD-ROM */
    const char *debian;    /* Debian's disks; NULL: they are not wanted */
};

/* Appends the boots of real systems. Those whose images are not there are appended too, without an image. */
void workload_list_add_known_boots(struct workload_list *list, const struct workload_places *places);

/* Whether "group/name" or its group matches the pattern of fnmatch(3); a pattern without a slash may also
 * match the name alone. */
bool workload_matches(const struct workload *workload, const char *pattern);

#endif
