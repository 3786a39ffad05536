/* Rows, columns and how to measure; see selection.h. */
#include "harness/selection.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/host_info.h"
#include "harness/memory.h"
#include "harness/results_json.h"

#define QUICK_REPEAT  3
#define FULL_REPEAT   5
#define QUICK_SECONDS 0.2
#define FULL_SECONDS  0.25
#define QUICK_TIMEOUT 20
#define FULL_TIMEOUT  60
#define BOOT_TIMEOUT  300
#define QUICK_BUDGET  55
#define FULL_BUDGET   1140

/* A file in this program's own directory. The caller owns the string. */
static char *beside_program(const char *name)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        return memory_text(name);
    }
    path[length] = '\0';
    return memory_format("%s/%s", dirname(path), name);
}

/* Where programs run is not where the user is: paths must not depend on it. */
static char *absolute(const char *path)
{
    char *resolved = realpath(path, NULL);
    return resolved != NULL ? resolved : memory_text(path);
}

/* ---- rows */

static bool is_wanted(const struct options *options, const struct workload *workload)
{
    const struct workload_boot *boot = workload->boot;
    if (boot != NULL && boot->image == NULL && boot->kernel == NULL) {
        return options->action == OPTIONS_LIST;
    }
    bool own = strcmp(workload->group, "own") == 0;
    if (options->filter != NULL) {
        return own || workload_matches(workload, options->filter);
    }
    if (options->image != NULL || options->kernel != NULL) {
        return own;
    }
    return !options->quick || options->action == OPTIONS_LIST || (workload->properties & WORKLOAD_QUICK);
}

static void drop_unwanted(const struct options *options, struct workload_list *list)
{
    struct workload_list dropped = {0};
    size_t kept = 0;
    dropped.items = memory_allocate(list->count, sizeof *dropped.items);
    for (size_t i = 0; i < list->count; i++) {
        if (is_wanted(options, &list->items[i])) {
            list->items[kept++] = list->items[i];
        } else {
            dropped.items[dropped.count++] = list->items[i];
        }
    }
    list->count = kept;
    workload_list_destroy(&dropped);
}

static char *copy_or_null(const char *text)
{
    return text != NULL ? memory_text(text) : NULL;
}

static struct status add_own_guest(const struct options *options, struct workload_list *list)
{
    const char *files[] = {options->image, options->kernel, options->initrd};
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        if (files[i] != NULL && access(files[i], R_OK) != 0) {
            return status_error(STATUS_NOT_FOUND, "cannot read %s", files[i]);
        }
    }
    struct workload_boot boot = {.image = copy_or_null(options->image),
                                 .kernel = copy_or_null(options->kernel),
                                 .initrd = copy_or_null(options->initrd),
                                 .command_line = copy_or_null(options->append),
                                 .where = options->marker_on,
                                 .marker_start = copy_or_null(options->marker_start),
                                 .marker_end = memory_text(options->marker_end),
                                 .memory_mib = options->memory_mib};
    if (options->results != NULL) {
        workload_list_add_results(list, "own", options->results, "a result of a guest of your own",
                                  WORKLOAD_QUICK, &boot);
    } else {
        workload_list_add_boot(list, "own", options->name != NULL ? options->name : "guest",
                               "a guest of your own", WORKLOAD_QUICK, &boot);
    }
    return status_ok();
}

static struct status choose_workloads(const struct options *options, struct workload_list *list)
{
    *list = workload_list_create();
    const struct workload_places places = {
        .guests = options->guests != NULL ? options->guests : DOPPEL_BENCH_GUESTS,
        .downloads = options->downloads != NULL ? options->downloads : DOPPEL_BENCH_DOWNLOADS,
        .debian = options->debian};
    workload_list_add_known_boots(list, &places);
    if (options->image != NULL || options->kernel != NULL) {
        struct status status = add_own_guest(options, list);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        struct workload_boot *boot = list->items[i].boot;
        if (boot != NULL) {
            boot->cpu = options->cpu;
        }
        if (boot != NULL && options->timeout > 0) {
            boot->timeout_seconds = 0;
        }
        if (boot != NULL && options->repeat > 0) {
            boot->repeat = 0;
        }
    }
    drop_unwanted(options, list);
    return list->count > 0 ? status_ok()
                           : status_error(STATUS_NOT_FOUND, "no workload matches \"%s\" (--list shows them)",
                                          options->filter != NULL ? options->filter : "--quick");
}

/* ---- how */

static double choose(double given, bool quick, double quick_default, double full_default)
{
    return given > 0 ? given : quick ? quick_default : full_default;
}

static void choose_settings(const struct options *options, struct selection *selection)
{
    bool quick = options->quick;
    bool unlimited = options->repeat > 0 || (options->debian != NULL && !quick);
    double default_budget = unlimited ? 0 : quick ? QUICK_BUDGET : FULL_BUDGET;
    selection->settings = (struct runner_settings){
        .setup.programs = selection->programs,
        .repeat = options->repeat > 0 ? options->repeat
                  : quick             ? QUICK_REPEAT
                                      : FULL_REPEAT,
        .wanted_seconds = choose(options->time, quick, QUICK_SECONDS, FULL_SECONDS),
        .timeout_seconds = choose(options->timeout, quick, QUICK_TIMEOUT, FULL_TIMEOUT),
        .boot_timeout_seconds = choose(options->timeout, false, 0, BOOT_TIMEOUT),
        .budget_seconds = options->budget >= 0 ? options->budget : default_budget};
}

struct status selection_create(const struct options *options, struct selection *selection)
{
    *selection = (struct selection){0};
    struct configuration_choice choice = options->configurations;
    selection->doppel = choice.doppel != NULL ? memory_text(choice.doppel) : beside_program("doppel");
    char *programs = choice.programs != NULL ? memory_text(choice.programs) : beside_program("bench-images");
    selection->programs = absolute(programs);
    free(programs);
    choice.doppel = selection->doppel;
    choice.programs = selection->programs;
    choose_settings(options, selection);
    struct status status = choose_workloads(options, &selection->workloads);
    if (status_is_ok(&status)) {
        status = configuration_list_create(&choice, &selection->configurations);
    }
    return status;
}

void selection_destroy(struct selection *selection)
{
    workload_list_destroy(&selection->workloads);
    configuration_list_destroy(&selection->configurations);
    free(selection->doppel);
    free(selection->programs);
    free(selection->words);
    *selection = (struct selection){0};
}

/* ---- results for it */

struct results *selection_results(const struct selection *selection, const struct options *options,
                                  const char *words)
{
    struct results *results = results_create();
    host_info_read(&results->host);
    results->settings.quick = options->quick;
    results->settings.repeat = selection->settings.repeat;
    results_set(&results->settings.filter, options->filter);
    results_set(&results->settings.selections, words);
    for (size_t i = 0; i < selection->configurations.count; i++) {
        const struct configuration *from = &selection->configurations.items[i];
        struct results_configuration *to = results_add_configuration(results, from->id, from->kind);
        results_set(&to->program, from->program);
        results_set(&to->version, from->version);
        results_set(&to->note, from->note);
        to->available = from->available;
    }
    for (size_t i = 0; i < selection->workloads.count; i++) {
        const struct workload *from = &selection->workloads.items[i];
        struct results_workload *to = results_add_workload(results, from->group, from->name, from->text);
        to->has_checksum = from->boot == NULL;
        to->checksum = from->checksum;
    }
    return results;
}

static struct status check_same(const struct selection *selection, const struct results *results,
                                const char *path)
{
    bool same = results->configuration_count == selection->configurations.count &&
                results->workload_count == selection->workloads.count;
    for (size_t i = 0; same && i < results->workload_count; i++) {
        const struct workload *workload = &selection->workloads.items[i];
        same = strcmp(results->workloads[i].group, workload->group) == 0 &&
               strcmp(results->workloads[i].name, workload->name) == 0 &&
               (workload->boot != NULL || results->workloads[i].checksum == workload->checksum);
    }
    for (size_t i = 0; same && i < results->configuration_count; i++) {
        const struct configuration *configuration = &selection->configurations.items[i];
        same = strcmp(results->configurations[i].id, configuration->id) == 0;
        if (same && strcmp(results->configurations[i].version, configuration->version) != 0) {
            return status_error(STATUS_CONFLICT, "%s cannot be resumed: %s was \"%s\" then and is \"%s\" now",
                                path, configuration->id, results->configurations[i].version,
                                configuration->version);
        }
    }
    return same ? status_ok()
                : status_error(STATUS_CONFLICT,
                               "%s cannot be resumed: its workloads or configurations are others", path);
}

struct status selection_resume(struct options *options, struct selection *selection, struct results **results)
{
    const char *path = options->resume;
    const char *json = options->json != NULL ? options->json : path;
    const char *html = options->html;
    *selection = (struct selection){0};
    struct status status = results_read_json(path, results);
    if (!status_is_ok(&status)) {
        return status;
    }
    char *words = memory_text((*results)->settings.selections);
    status = options_parse_selections(words, options);
    if (status_is_ok(&status)) {
        status = selection_create(options, selection);
    }
    selection->words = words;
    options->json = json;
    options->html = html;
    options->resume = path;
    if (status_is_ok(&status)) {
        status = check_same(selection, *results, path);
    }
    if (!status_is_ok(&status)) {
        results_destroy(*results);
        *results = NULL;
    }
    return status;
}
