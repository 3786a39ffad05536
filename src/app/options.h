/* The command line, with QEMU's spellings. Options are listed once, in option.def: parsing and --help come
 * from it, by base/option_parser.h. */
#ifndef DOPPEL_APP_OPTIONS_H
#define DOPPEL_APP_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "machine/machine.h"
#include "ui/front_end.h"

enum options_action {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_CPU_HELP,
    OPTIONS_ENGINE_HELP,
    OPTIONS_LOG_HELP
};

/* -check lockstep */
struct options_check {
    bool lockstep;
    uint64_t seed;
    uint32_t longest_step; /* instructions */
    uint64_t instructions; /* UINT64_MAX: no limit */
};

struct options {
    enum options_action action; /* of the last option that asks for one */
    enum engine_axis help_axis; /* for OPTIONS_ENGINE_HELP; ENGINE_AXIS_COUNT: -chain */
    struct machine_config machine;
    const char *serial[MACHINE_SERIALS];
    unsigned serial_count;
    const char *debug_console;
    bool monitor_on_stdio;
    const char *script;
    const char *gdb; /* NULL: none can come */
    bool display_given;
    enum front_end_kind display;
    const char *log_file;
    const char *counters_file;
    const char *name; /* NULL: none */
    bool start_paused;
    bool debug_screen; /* -debug */
    bool rtc_given;
    bool icount_given;
    const char *record, *replay; /* files; NULL: none */
    bool reverse;
    uint32_t reverse_mib; /* 0: what is usual */
    struct options_check check;
};

/* Parses argv (paths in *options point into it; it may be modified). Every error is the user's: a message
 * that says what is wrong. */
struct status options_parse(int argc, char **argv, struct options *options) STATUS_MUST_CHECK;

void options_print_help(FILE *out);
void options_print_cpus(FILE *out);
void options_print_log_categories(FILE *out);

#endif
