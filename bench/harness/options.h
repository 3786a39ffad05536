/* The command line of doppel-bench. Options are listed once, in option.def: parsing and --help come from it,
 * by base/option_parser.h. */
#ifndef DOPPEL_BENCH_HARNESS_OPTIONS_H
#define DOPPEL_BENCH_HARNESS_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "harness/configuration.h"
#include "harness/workload.h"

enum options_action {
    OPTIONS_RUN,
    OPTIONS_LIST,
    OPTIONS_COMPARE,
    OPTIONS_HTML,
    OPTIONS_HELP,
    OPTIONS_VERSION
};

/* Strings point into argv, or are constants; NULL: not given. */
struct options {
    enum options_action action;
    bool quick;
    const char *filter;
    unsigned repeat;                            /* 0: the default */
    double time, timeout;                       /* seconds; 0: the default */
    double budget;                              /* seconds; 0: unlimited; negative: the default */
    const char *json, *html, *resume;           /* `html` also of OPTIONS_HTML */
    struct configuration_choice configurations; /* `doppel` and `programs` may be NULL here */
    const char *image, *kernel, *initrd, *append, *marker_start, *marker_end, *results, *name;
    enum workload_marker marker_on;
    unsigned memory_mib;
    const char *cpu;
    const char *guests, *downloads, *debian;
    const char *compare_old, *compare_new;
    const char *html_results; /* what OPTIONS_HTML reports */
    bool chooses;             /* an option was given that --resume takes from its file */
};

/* Parses argv. Every error is the user's: a message that says what is wrong. */
struct status options_parse(int argc, char *const *argv, struct options *options) STATUS_MUST_CHECK;

/* The options that choose what is run and how, one word after the other with a newline behind each, so that
 * options_parse_selections() understands them. The caller owns the string. */
char *options_selections(int argc, char *const *argv);

/* The same options again, from what options_selections() returned; `text` is cut up and stays referred to. */
struct status options_parse_selections(char *text, struct options *options) STATUS_MUST_CHECK;

void options_print_help(FILE *out);

#endif
