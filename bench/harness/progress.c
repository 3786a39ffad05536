/* Progress on the terminal; see progress.h. */
#include "harness/progress.h"

#include <string.h>
#include <unistd.h>

#include "harness/table.h"

void progress_open(struct progress *progress, FILE *out)
{
    *progress = (struct progress){.out = out, .terminal = isatty(fileno(out)) != 0};
}

static void format_remaining(double seconds, char *text, size_t size)
{
    if (seconds < 0) {
        text[0] = '\0';
    } else {
        unsigned rounded = (unsigned)(seconds + 0.5);
        snprintf(text, size, ", %u:%02u left", rounded / 60, rounded % 60);
    }
}

void progress_show(void *opaque, const struct runner_progress *at)
{
    struct progress *progress = opaque;
    char remaining[32];
    char line[256];
    if (!progress->terminal && progress->last_name == at->workload) {
        return;
    }
    progress->last_name = at->workload;
    format_remaining(at->remaining_seconds, remaining, sizeof remaining);
    snprintf(line, sizeof line, "%s: %zu of %zu%s: %s/%s%s%s", at->phase, at->done + 1, at->total, remaining,
             at->workload_group, at->workload, progress->terminal ? " on " : "",
             progress->terminal ? at->configuration : "");
    if (progress->terminal) {
        unsigned width = table_width(progress->out);
        fprintf(progress->out, "\r\033[K%.*s", (int)(width > 1 ? width - 1 : 1), line);
        progress->line_is_open = true;
    } else {
        fprintf(progress->out, "%s\n", line);
    }
    fflush(progress->out);
}

void progress_show_trouble(void *opaque, const struct results *results, size_t workload, size_t configuration)
{
    struct progress *progress = opaque;
    const struct results_cell *cell = results_cell(results, workload, configuration);
    progress_close(progress);
    fprintf(progress->out, "%s/%s on %s: %s: %s\n", results->workloads[workload].group,
            results->workloads[workload].name, results->configurations[configuration].id,
            cell_state_label(cell->state), cell->note);
}

void progress_close(struct progress *progress)
{
    if (progress->line_is_open) {
        fputs("\r\033[K", progress->out);
        fflush(progress->out);
        progress->line_is_open = false;
    }
}
