/* Parsing the command line; see options.h. */
#include "harness/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/option_parser.h"
#include "harness/memory.h"

#define MAX_REPEAT  1000
#define MAX_SECONDS 1e6
#define MAX_MEMORY  3072

#define MAX_RESULT_NAME 39

#define OPTION(symbol, name, argument, section, help) static option_handler option_##symbol;
#include "harness/option.def"
#undef OPTION

static const struct option_row option_rows[] = {
#define OPTION(symbol, name, argument, section, help) {name, argument, section, help, option_##symbol},
#include "harness/option.def"
#undef OPTION
};

/* ---- one function per option */

static struct status parse_seconds(const char *value, bool zero, double *seconds)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(number) || number < 0 || number > MAX_SECONDS ||
        (number <= 0 && !zero)) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a number of seconds", value);
    }
    *seconds = number;
    return status_ok();
}

static struct status parse_count(const char *value, unsigned limit, unsigned *count)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number == 0 || number > limit) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a number from 1 to %u", value, limit);
    }
    *count = (unsigned)number;
    return status_ok();
}

static struct status option_quick(struct options *options, char *value)
{
    (void)value;
    options->quick = true;
    return status_ok();
}

static struct status option_filter(struct options *options, char *value)
{
    options->filter = value;
    return status_ok();
}

static struct status option_engine(struct options *options, char *value)
{
    options->configurations.axes[STRATEGY_ENGINE] = value;
    return status_ok();
}

static struct status option_mmu(struct options *options, char *value)
{
    options->configurations.axes[STRATEGY_MMU] = value;
    return status_ok();
}

static struct status option_sensitive(struct options *options, char *value)
{
    options->configurations.axes[STRATEGY_SENSITIVE] = value;
    return status_ok();
}

static struct status option_chain(struct options *options, char *value)
{
    options->configurations.axes[STRATEGY_CHAIN] = value;
    return status_ok();
}

static struct status option_peers(struct options *options, char *value)
{
    options->configurations.peers = value;
    return status_ok();
}

static struct status option_cpu(struct options *options, char *value)
{
    options->cpu = value;
    return status_ok();
}

static struct status option_list(struct options *options, char *value)
{
    (void)value;
    options->action = OPTIONS_LIST;
    return status_ok();
}

static struct status option_repeat(struct options *options, char *value)
{
    return parse_count(value, MAX_REPEAT, &options->repeat);
}

static struct status option_time(struct options *options, char *value)
{
    return parse_seconds(value, false, &options->time);
}

static struct status option_timeout(struct options *options, char *value)
{
    return parse_seconds(value, false, &options->timeout);
}

static struct status option_budget(struct options *options, char *value)
{
    return parse_seconds(value, true, &options->budget);
}

static struct status option_resume(struct options *options, char *value)
{
    options->resume = value;
    return status_ok();
}

static struct status option_json(struct options *options, char *value)
{
    options->json = value;
    return status_ok();
}

static struct status option_html(struct options *options, char *value)
{
    options->html = value;
    return status_ok();
}

static struct status option_image(struct options *options, char *value)
{
    options->image = value;
    return status_ok();
}

static struct status option_kernel(struct options *options, char *value)
{
    options->kernel = value;
    return status_ok();
}

static struct status option_initrd(struct options *options, char *value)
{
    options->initrd = value;
    return status_ok();
}

static struct status option_append(struct options *options, char *value)
{
    options->append = value;
    return status_ok();
}

static struct status option_marker_start(struct options *options, char *value)
{
    options->marker_start = value;
    return status_ok();
}

static struct status option_marker_end(struct options *options, char *value)
{
    options->marker_end = value;
    return status_ok();
}

static struct status option_results(struct options *options, char *value)
{
    for (const char *at = value; *at != '\0'; at += *at == ',') {
        size_t length = strcspn(at, ",/ \n");
        if (length == 0 || length > MAX_RESULT_NAME || strcspn(at, ",") != length) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "\"%s\" is no list of names of up to %d letters, without slashes and spaces",
                                value, MAX_RESULT_NAME);
        }
        at += length;
    }
    options->results = value;
    return status_ok();
}

static struct status option_marker_on(struct options *options, char *value)
{
    static const char *const places[] = {
        [MARKER_SERIAL] = "serial", [MARKER_DEBUG_PORT] = "e9", [MARKER_SCREEN] = "screen"};
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        if (strcmp(places[i], value) == 0) {
            options->marker_on = (enum workload_marker)i;
            return status_ok();
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a place for markers (serial, e9, screen)",
                        value);
}

static struct status option_memory(struct options *options, char *value)
{
    return parse_count(value, MAX_MEMORY, &options->memory_mib);
}

static struct status option_name(struct options *options, char *value)
{
    if (strpbrk(value, "/\n") != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "a name has no slash in it: \"%s\"", value);
    }
    options->name = value;
    return status_ok();
}

static struct status option_doppel(struct options *options, char *value)
{
    options->configurations.doppel = value;
    return status_ok();
}

static struct status option_programs(struct options *options, char *value)
{
    options->configurations.programs = value;
    return status_ok();
}

static struct status option_guests(struct options *options, char *value)
{
    options->guests = value;
    return status_ok();
}

static struct status option_debian(struct options *options, char *value)
{
    options->debian = value;
    return status_ok();
}

static struct status option_downloads(struct options *options, char *value)
{
    options->downloads = value;
    return status_ok();
}

static struct status option_version(struct options *options, char *value)
{
    (void)value;
    options->action = OPTIONS_VERSION;
    return status_ok();
}

static struct status option_help(struct options *options, char *value)
{
    (void)value;
    options->action = OPTIONS_HELP;
    return status_ok();
}

static struct status option_h(struct options *options, char *value)
{
    return option_help(options, value);
}

/* ---- the line as a whole */

static const struct option_parser parser = {
    .rows = option_rows, .count = ARRAY_COUNT(option_rows), .dashes = "--"};

/* Options of a resumed run that are its own; all others come from its file. */
static bool is_output_option(const struct option_row *option)
{
    return option->parse == option_json || option->parse == option_html || option->parse == option_resume ||
           option->parse == option_help || option->parse == option_h || option->parse == option_version ||
           option->parse == option_list;
}

static struct status invalid(const char *message)
{
    return status_error(STATUS_INVALID_ARGUMENT, "%s", message);
}

static struct status check(const struct options *options)
{
    bool own_guest = options->image != NULL || options->kernel != NULL;
    bool guest_words = options->marker_start != NULL || options->marker_end != NULL ||
                       options->name != NULL || options->results != NULL;
    if (options->resume != NULL && options->chooses) {
        return invalid("--resume takes what to run from its file: only --json and --html go with it");
    }
    if (own_guest && options->marker_end == NULL) {
        return invalid("a guest of your own needs --marker-end TEXT: what it prints when it is done");
    }
    if (!own_guest && guest_words) {
        return invalid("--marker-start, --marker-end, --results and --name are for --image or --kernel");
    }
    if (options->kernel == NULL && (options->initrd != NULL || options->append != NULL)) {
        return invalid("--initrd and --append are for --kernel");
    }
    if (options->marker_on == MARKER_SCREEN && (options->marker_start != NULL || options->results != NULL)) {
        return invalid("--marker-start and --results cannot be looked for on the screen");
    }
    return status_ok();
}

static struct status parse_words(int argc, char *const *argv, struct options *options)
{
    for (int i = 0; i < argc;) {
        if (!option_parser_is_option(argv[i])) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "do not know what to do with %s (--help lists all options)", argv[i]);
        }
        struct option_found found;
        struct status status = option_parser_next(&parser, argc, argv, &i, &found);
        if (status_is_ok(&status)) {
            options->chooses |= !is_output_option(found.row);
            status = found.row->parse(options, found.value);
        }
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    return options->action == OPTIONS_HELP || options->action == OPTIONS_VERSION ? status_ok()
                                                                                 : check(options);
}

static void set_defaults(struct options *options)
{
    *options = (struct options){.budget = -1, .memory_mib = 256};
}

struct status options_parse(int argc, char *const *argv, struct options *options)
{
    set_defaults(options);
    if (argc > 1 && strcmp(argv[1], "compare") == 0) {
        options->action = OPTIONS_COMPARE;
        if (argc != 4) {
            return invalid("compare takes two files: doppel-bench compare OLD.json NEW.json");
        }
        options->compare_old = argv[2];
        options->compare_new = argv[3];
        return status_ok();
    }
    if (argc > 1 && strcmp(argv[1], "html") == 0) {
        options->action = OPTIONS_HTML;
        if (argc != 4) {
            return invalid("html takes two files: doppel-bench html RESULTS.json REPORT.html");
        }
        options->html_results = argv[2];
        options->html = argv[3];
        return status_ok();
    }
    return parse_words(argc - 1, argv + 1, options);
}

char *options_selections(int argc, char *const *argv)
{
    char *selections = memory_text("");
    for (int i = 1; i < argc;) {
        struct option_found found;
        struct status status = option_parser_next(&parser, argc, argv, &i, &found);
        if (!status_is_ok(&status)) {
            break;
        }
        if (!is_output_option(found.row)) {
            char *longer =
                memory_format("%s--%s%s%s\n", selections, found.row->name, found.value != NULL ? "=" : "",
                              found.value != NULL ? found.value : "");
            free(selections);
            selections = longer;
        }
    }
    return selections;
}

struct status options_parse_selections(char *text, struct options *options)
{
    char *argv[2 * ARRAY_COUNT(option_rows)];
    int argc = 0;
    char *rest = text;
    set_defaults(options);
    for (char *word = strsep(&rest, "\n"); word != NULL; word = strsep(&rest, "\n")) {
        if (word[0] == '\0') {
            continue;
        }
        if (word[0] != '-' || argc == (int)ARRAY_COUNT(argv)) {
            return invalid("its options make no sense");
        }
        argv[argc++] = word;
    }
    return parse_words(argc, argv, options);
}

void options_print_help(FILE *out)
{
    fputs("usage: doppel-bench [OPTION]...\n"
          "       doppel-bench compare OLD.json NEW.json\n"
          "       doppel-bench html RESULTS.json REPORT.html\n"
          "\n"
          "Times guest workloads on doppel's engines and strategies, beside QEMU (TCG), Bochs and, where "
          "they can run\n"
          "there, on this host itself. `compare` tells what became slower, beyond noise, from one run to "
          "another.\n"
          "`html` makes a report of results that --json wrote.\n"
          "Exit status: 0, also with marked rows; 1 when a file could not be written, or something became "
          "slower; 2 for a\n"
          "wrong option; 130 when interrupted.\n",
          out);
    option_parser_print_help(&parser, out);
}
