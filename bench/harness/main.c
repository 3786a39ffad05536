/* doppel-bench: from the command line to a matrix of results and an exit status. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/compare.h"
#include "harness/host_info.h"
#include "harness/html.h"
#include "harness/list.h"
#include "harness/memory.h"
#include "harness/options.h"
#include "harness/process.h"
#include "harness/progress.h"
#include "harness/results_json.h"
#include "harness/runner.h"
#include "harness/selection.h"
#include "harness/table.h"

enum { EXIT_RUNTIME = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static int fail(const struct status *status, int exit_status)
{
    fprintf(stderr, "doppel-bench: %s\n", status->message);
    return exit_status;
}

/* ---- a directory for the run's files */

static int remove_entry(const char *path, const struct stat *information, int type, struct FTW *position)
{
    (void)information;
    (void)type;
    (void)position;
    return remove(path);
}

static struct status make_work(char **work)
{
    const char *parent = getenv("TMPDIR");
    *work = memory_format("%s/doppel-bench.XXXXXX", parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    if (mkdtemp(*work) == NULL) {
        struct status status = status_from_errno(errno, "cannot make the directory %s", *work);
        free(*work);
        *work = NULL;
        return status;
    }
    return status_ok();
}

static void remove_work(char *work)
{
    if (work != NULL) {
        nftw(work, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(work);
    }
}

/* ---- a run */

struct bench {
    const struct options *options;
    struct progress progress;
    struct status save_status; /* of the latest checkpoint */
};

static void save_checkpoint(void *opaque, const struct results *results)
{
    struct bench *bench = opaque;
    if (bench->options->json != NULL) {
        bench->save_status = results_write_json(results, bench->options->json);
    }
}

static void show_progress(void *opaque, const struct runner_progress *at)
{
    struct bench *bench = opaque;
    progress_show(&bench->progress, at);
}

static void show_trouble(void *opaque, const struct results *results, size_t workload, size_t configuration)
{
    struct bench *bench = opaque;
    progress_show_trouble(&bench->progress, results, workload, configuration);
}

static struct status write_html(const struct results *results, const char *path)
{
    char *warning = NULL;
    struct status status = html_write(results, path, &warning);
    if (warning != NULL) {
        fprintf(stderr, "doppel-bench: %s\n", warning);
    }
    free(warning);
    return status;
}

static struct status write_files(const struct options *options, const struct results *results)
{
    struct status status = options->json != NULL ? results_write_json(results, options->json) : status_ok();
    return status_is_ok(&status) && options->html != NULL ? write_html(results, options->html) : status;
}

static int measure(const struct options *options, const struct selection *selection, struct results *results)
{
    char *work = NULL;
    struct status status = make_work(&work);
    if (!status_is_ok(&status)) {
        return fail(&status, EXIT_RUNTIME);
    }
    struct bench bench = {.options = options, .save_status = status_ok()};
    struct runner_settings settings = selection->settings;
    settings.setup.work = work;
    struct runner_listener listener = {
        .progress = show_progress, .trouble = show_trouble, .checkpoint = save_checkpoint, .opaque = &bench};
    progress_open(&bench.progress, stderr);
    process_block_signals();
    bool finished =
        runner_run(results, &selection->workloads, &selection->configurations, &settings, &listener);
    progress_close(&bench.progress);
    remove_work(work);
    process_release_signals();
    results->host.load_after = host_info_load();
    status = write_files(options, results);
    table_print(results, stdout, table_width(stdout));
    if (!status_is_ok(&status)) {
        return fail(&status, EXIT_RUNTIME);
    }
    if (fflush(stdout) != 0) {
        status = status_from_errno(errno, "cannot write the table");
        return fail(&status, EXIT_RUNTIME);
    }
    if (!results->complete && options->json != NULL) {
        fprintf(stderr, "doppel-bench: --resume %s goes on from here\n", options->json);
    }
    return finished ? 0 : EXIT_INTERRUPTED;
}

static int run(int argc, char *const *argv, struct options *options)
{
    struct selection selection;
    struct results *results = NULL;
    struct status status = options->resume != NULL ? selection_resume(options, &selection, &results)
                                                   : selection_create(options, &selection);
    if (!status_is_ok(&status)) {
        selection_destroy(&selection);
        return fail(&status, options->resume != NULL ? EXIT_RUNTIME : EXIT_USAGE);
    }
    if (results == NULL) {
        char *words = options_selections(argc, argv);
        results = selection_results(&selection, options, words);
        free(words);
    }
    int exit_status = measure(options, &selection, results);
    results_destroy(results);
    selection_destroy(&selection);
    return exit_status;
}

/* ---- the rest */

static int compare(const struct options *options)
{
    struct results *old = NULL;
    struct results *new = NULL;
    struct status status = results_read_json(options->compare_old, &old);
    if (status_is_ok(&status)) {
        status = results_read_json(options->compare_new, &new);
    }
    int exit_status = EXIT_USAGE;
    if (status_is_ok(&status)) {
        exit_status = compare_print(old, new, stdout) ? 1 : 0;
    } else {
        fail(&status, exit_status);
    }
    results_destroy(old);
    results_destroy(new);
    return exit_status;
}

static int report(const struct options *options)
{
    struct results *results = NULL;
    struct status status = results_read_json(options->html_results, &results);
    int exit_status = status_is_ok(&status) ? 0 : fail(&status, EXIT_USAGE);
    if (exit_status == 0) {
        status = write_html(results, options->html);
        exit_status = status_is_ok(&status) ? 0 : fail(&status, EXIT_RUNTIME);
    }
    results_destroy(results);
    return exit_status;
}

static int list(const struct options *options)
{
    struct selection selection;
    struct status status = selection_create(options, &selection);
    if (status_is_ok(&status)) {
        list_print(&selection, stdout);
    }
    selection_destroy(&selection);
    return status_is_ok(&status) ? 0 : fail(&status, EXIT_USAGE);
}

int main(int argc, char **argv)
{
    struct options options;
    struct status status = options_parse(argc, argv, &options);
    if (!status_is_ok(&status)) {
        return fail(&status, EXIT_USAGE);
    }
    switch (options.action) {
    case OPTIONS_HELP: options_print_help(stdout); return 0;
    case OPTIONS_VERSION: printf("doppel-bench %s\n", DOPPEL_VERSION); return 0;
    case OPTIONS_COMPARE: return compare(&options);
    case OPTIONS_HTML: return report(&options);
    case OPTIONS_LIST: return list(&options);
    case OPTIONS_RUN: break;
    }
    return run(argc, argv, &options);
}
