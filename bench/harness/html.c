/* The HTML report: the page as a whole, what was run, means, method; see html.h. The tables and charts of the
 * workloads are in html_table.c.
 *
 * The page is also well-formed XML, needs no other file, and runs no scripts. */
#include "harness/html.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "harness/html_page.h"
#include "harness/html_text.h"
#include "harness/memory.h"
#include "harness/table.h"

#define SERIES_OF_DOPPEL 3 /* those before are native, QEMU, Bochs */
#define SERIES_COUNT     9 /* see html_style.c */

/* ---- pieces that all parts use */

char *html_format_seconds(double seconds, char text[HTML_NUMBER_SIZE])
{
    table_format_seconds(seconds, text, HTML_NUMBER_SIZE - 1);
    char *micro = strstr(text, " us");
    if (micro != NULL) {
        memcpy(micro, " µs", sizeof " µs");
    }
    return text;
}

char *html_format_ratio(double ratio, char text[HTML_NUMBER_SIZE])
{
    if (ratio < 0.1) {
        snprintf(text, HTML_NUMBER_SIZE, "%.2g×", ratio);
        return text;
    }
    table_format_ratio(ratio, text, HTML_NUMBER_SIZE - 1);
    char *times = strchr(text, 'x');
    if (times != NULL) {
        memcpy(times, "×", sizeof "×");
    }
    return text;
}

unsigned html_series_color(const struct results *results, size_t column)
{
    switch (results->configurations[column].kind) {
    case CONFIGURATION_NATIVE: return 0;
    case CONFIGURATION_QEMU: return 1;
    case CONFIGURATION_BOCHS: return 2;
    case CONFIGURATION_DOPPEL: break;
    }
    unsigned before = 0;
    for (size_t i = 0; i < column; i++) {
        before += results->configurations[i].kind == CONFIGURATION_DOPPEL;
    }
    return SERIES_OF_DOPPEL + before % (SERIES_COUNT - SERIES_OF_DOPPEL);
}

void html_put_legend(const struct html_page *page, const size_t *columns, size_t count)
{
    fputs("<ul class=\"legend\">", page->out);
    for (size_t i = 0; i < count; i++) {
        fprintf(page->out, "<li><span class=\"swatch\" style=\"background: var(--series-%u)\"></span>",
                html_series_color(page->results, columns[i]));
        html_put(page->results->configurations[columns[i]].id, page->out);
        fputs("</li>", page->out);
    }
    fputs("</ul>\n", page->out);
}

void html_put_chart(struct html_page *page, const struct chart *chart)
{
    if (page->without_charts || !chart_has_bars(chart)) {
        return;
    }
    char *svg = NULL;
    page->chart_status = chart_draw(chart, &svg);
    if (status_is_ok(&page->chart_status)) {
        fputs("<div class=\"chart\">", page->out);
        fputs(svg, page->out);
        fputs("</div>\n", page->out);
    } else {
        page->without_charts = true;
    }
    free(svg);
}

size_t html_group_end(const struct results *results, size_t row)
{
    size_t end = row + 1;
    while (end < results->workload_count &&
           strcmp(results->workloads[end].group, results->workloads[row].group) == 0) {
        end++;
    }
    return end;
}

bool html_has_times(const struct results *results, size_t first, size_t end, size_t column)
{
    for (size_t row = first; row < end; row++) {
        if (results_has_time(results, row, column)) {
            return true;
        }
    }
    return false;
}

static bool has_any_times(const struct results *results, size_t column)
{
    return html_has_times(results, 0, results->workload_count, column);
}

/* ---- what was run */

static void put_fact(const struct html_page *page, const char *name, const char *value)
{
    if (value[0] != '\0') {
        fprintf(page->out, "<dt>%s</dt><dd>", name);
        html_put(value, page->out);
        fputs("</dd>\n", page->out);
    }
}

static void put_formatted_fact(const struct html_page *page, const char *name, char *value)
{
    put_fact(page, name, value);
    free(value);
}

static char *describe_load(const struct results_host *host)
{
    if (!(host->load_before >= 0)) {
        return memory_text("");
    }
    return host->load_after >= 0
               ? memory_format("%.2f before, %.2f after the run", host->load_before, host->load_after)
               : memory_format("%.2f before the run", host->load_before);
}

/* The options, one behind the other. */
static char *describe_selections(const struct results_settings *settings)
{
    char *text = memory_text(settings->selections);
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            *at = ' ';
        }
    }
    return text;
}

static void put_host(const struct html_page *page)
{
    const struct results_host *host = &page->results->host;
    fputs("<dl>\n", page->out);
    put_fact(page, "Date", host->date);
    put_formatted_fact(page, "Processor",
                       memory_format("%s, %u core%s", host->cpu[0] != '\0' ? host->cpu : "unknown",
                                     host->cores, host->cores == 1 ? "" : "s"));
    if (host->memory_kib > 0) {
        put_formatted_fact(page, "Memory", memory_format("%.1f GiB", (double)host->memory_kib / 1048576));
    }
    put_fact(page, "System", host->system);
    put_fact(page, "Kernel", host->kernel);
    put_formatted_fact(page, "Load", describe_load(host));
    put_formatted_fact(
        page, "doppel-bench",
        memory_format("%s%s%s", host->version, host->commit[0] != '\0' ? ", commit " : "", host->commit));
    put_formatted_fact(page, "Options", describe_selections(&page->results->settings));
    put_formatted_fact(page, "Runs",
                       memory_format("up to %u of each cell, %.0f s in all", page->results->settings.repeat,
                                     page->results->elapsed_seconds));
    fputs("</dl>\n", page->out);
}

static void put_configurations(const struct html_page *page)
{
    const struct results *results = page->results;
    fputs("<div class=\"scroll\"><table class=\"texts\"><thead><tr><th>Column</th><th>Version</th>"
          "<th>Program</th></tr></thead><tbody>\n",
          page->out);
    for (size_t i = 0; i < results->configuration_count; i++) {
        const struct results_configuration *configuration = &results->configurations[i];
        fprintf(page->out, "<tr><th><span class=\"swatch\" style=\"background: var(--series-%u)\"></span>",
                html_series_color(results, i));
        html_put(configuration->id, page->out);
        fputs(configuration->available ? "</th><td>" : "</th><td class=\"bad\">not available: ", page->out);
        const char *what = configuration->available ? configuration->version : configuration->note;
        html_put(what[0] != '\0' || !configuration->available ? what : "a process of the host", page->out);
        fputs("</td><td>", page->out);
        html_put(configuration->program, page->out);
        fputs("</td></tr>\n", page->out);
    }
    fputs("</tbody></table></div>\n", page->out);
}

static void put_setting(const struct html_page *page)
{
    fputs("<section id=\"setting\"><h2>What was run</h2>\n", page->out);
    put_host(page);
    if (page->results->configuration_count > 0) {
        put_configurations(page);
    }
    fputs("</section>\n", page->out);
}

/* ---- means */

/* "2.50× faster than bochs", over all workloads. */
static void put_headline(const struct html_page *page, size_t column, size_t peer)
{
    struct results_mean mean = results_geometric_mean(page->results, column, peer, NULL);
    if (mean.count == 0) {
        return;
    }
    char text[HTML_NUMBER_SIZE];
    bool faster = mean.ratio < 1;
    fprintf(page->out, "<p><strong>%s</strong> %s than ",
            html_format_ratio(faster ? 1 / mean.ratio : mean.ratio, text), faster ? "faster" : "slower");
    html_put(page->results->configurations[peer].id, page->out);
    fprintf(page->out, " <small>(%zu)</small></p>", mean.count);
}

/* A tile for each of doppel's columns that has times. */
static void put_headlines(const struct html_page *page)
{
    const struct results *results = page->results;
    fputs("<div class=\"tiles\">\n", page->out);
    bool any = false;
    for (size_t i = 0; i < results->configuration_count; i++) {
        if (results->configurations[i].kind != CONFIGURATION_DOPPEL || !has_any_times(results, i)) {
            continue;
        }
        any = true;
        fprintf(page->out, "<div style=\"border-top-color: var(--series-%u)\"><h2>doppel, ",
                html_series_color(results, i));
        html_put(results->configurations[i].id, page->out);
        fputs("</h2>", page->out);
        for (size_t j = 0; j < results->configuration_count; j++) {
            if (results->configurations[j].kind != CONFIGURATION_DOPPEL) {
                put_headline(page, i, j);
            }
        }
        fputs("</div>\n", page->out);
    }
    fputs(any ? "</div>\n<p class=\"muted\">Geometric means; in brackets over how many workloads.</p>\n"
              : "</div>\n",
          page->out);
}

static void put_mean(const struct html_page *page, size_t column, size_t baseline, const char *group)
{
    struct results_mean mean = results_geometric_mean(page->results, column, baseline, group);
    char text[HTML_NUMBER_SIZE];
    if (mean.count == 0) {
        fputs("<td class=\"muted\">–</td>", page->out);
    } else {
        fprintf(page->out, "<td>%s <small>(%zu)</small></td>", html_format_ratio(mean.ratio, text),
                mean.count);
    }
}

static void put_mean_row(const struct html_page *page, const size_t *columns, size_t count, size_t baseline,
                         const char *group)
{
    fputs(group == NULL ? "<tr class=\"total\"><th>" : "<tr><th>", page->out);
    html_put(group == NULL ? "all" : group, page->out);
    fputs("</th>", page->out);
    for (size_t i = 0; i < count; i++) {
        put_mean(page, columns[i], baseline, group);
    }
    fputs("</tr>\n", page->out);
}

static void put_mean_table(const struct html_page *page, const size_t *columns, size_t count, size_t baseline)
{
    const struct results *results = page->results;
    fputs("<div class=\"scroll means\"><table><caption>Time as a multiple of that on ", page->out);
    html_put(results->configurations[baseline].id, page->out);
    fputs("</caption><thead><tr><th>group</th>", page->out);
    for (size_t i = 0; i < count; i++) {
        fputs("<th>", page->out);
        html_put(results->configurations[columns[i]].id, page->out);
        fputs("</th>", page->out);
    }
    fputs("</tr></thead><tbody>\n", page->out);
    for (size_t row = 0; row < results->workload_count; row = html_group_end(results, row)) {
        put_mean_row(page, columns, count, baseline, results->workloads[row].group);
    }
    put_mean_row(page, columns, count, baseline, NULL);
    fputs("</tbody></table></div>\n", page->out);
}

/* One row for each group that has means, and one for all, against one column. */
static void put_mean_chart(struct html_page *page, const size_t *columns, size_t count, size_t baseline)
{
    const struct results *results = page->results;
    size_t capacity = results->workload_count + 1;
    const char **labels = memory_allocate(capacity, sizeof *labels);
    unsigned *colors = memory_allocate(count, sizeof *colors);
    struct chart_value *values = memory_allocate(capacity * count, sizeof *values);
    char(*texts)[HTML_NUMBER_SIZE] = memory_allocate(capacity * count, sizeof *texts);
    size_t rows = 0;
    for (size_t row = 0; row <= results->workload_count;) {
        bool all = row == results->workload_count;
        const char *group = all ? NULL : results->workloads[row].group;
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            size_t at = rows * count + i;
            double ratio = results_geometric_mean(results, columns[i], baseline, group).ratio;
            values[at] = (struct chart_value){.value = ratio};
            if (!isnan(ratio)) {
                values[at].text = html_format_ratio(ratio, texts[at]);
                any = true;
            }
        }
        if (any) {
            labels[rows++] = all ? "all" : group;
        }
        row = all ? row + 1 : html_group_end(results, row);
    }
    for (size_t i = 0; i < count; i++) {
        colors[i] = html_series_color(results, columns[i]);
    }
    char *title =
        memory_format("Geometric means of the times, relative to %s", results->configurations[baseline].id);
    struct chart chart = {
        .title = title, .rows = rows, .columns = count, .labels = labels, .colors = colors, .values = values};
    html_put_chart(page, &chart);
    free(title);
    free(texts);
    free(values);
    free(colors);
    free(labels);
}

/* The columns with times, of doppel only or of all kinds, but not `except`. */
static size_t select_columns(const struct results *results, bool only_doppel, size_t except, size_t *columns)
{
    size_t count = 0;
    for (size_t i = 0; i < results->configuration_count; i++) {
        bool wanted = !only_doppel || results->configurations[i].kind == CONFIGURATION_DOPPEL;
        if (wanted && i != except && has_any_times(results, i)) {
            columns[count++] = i;
        }
    }
    return count;
}

static void put_means_against(struct html_page *page, size_t baseline, bool only_doppel, size_t *columns,
                              bool with_chart)
{
    size_t count = select_columns(page->results, only_doppel, baseline, columns);
    if (count == 0) {
        return;
    }
    fputs("<div class=\"pair\">\n", page->out);
    if (with_chart && !page->without_charts) {
        fputs("<figure>\n", page->out);
        html_put_legend(page, columns, count);
        put_mean_chart(page, columns, count, baseline);
        fputs("<figcaption>Time relative to ", page->out);
        html_put(page->results->configurations[baseline].id, page->out);
        fputs(" (1×), on a logarithmic scale: shorter is faster.</figcaption></figure>\n", page->out);
    }
    put_mean_table(page, columns, count, baseline);
    fputs("</div>\n", page->out);
}

static void put_means(struct html_page *page)
{
    const struct results *results = page->results;
    static const enum configuration_kind kinds[] = {CONFIGURATION_NATIVE, CONFIGURATION_QEMU};
    size_t *columns = memory_allocate(results->configuration_count, sizeof *columns);
    fputs("<section id=\"means\"><h2>Geometric means</h2>\n", page->out);
    bool any = false;
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        size_t baseline = results_find_kind(results, kinds[i]);
        if (baseline != SIZE_MAX && has_any_times(results, baseline)) {
            put_means_against(page, baseline, false, columns, true);
            any = true;
        }
    }
    fputs(
        any ? "<p class=\"muted\">In brackets: over how many workloads. Only those count that every compared "
              "column completed.</p>\n"
            : "<p class=\"muted\">Neither native nor QEMU has times to compare with.</p>\n",
        page->out);
    fputs("</section>\n", page->out);
    free(columns);
}

static void put_strategies(struct html_page *page)
{
    const struct results *results = page->results;
    size_t *columns = memory_allocate(results->configuration_count, sizeof *columns);
    if (select_columns(results, true, SIZE_MAX, columns) > 1) {
        size_t first = columns[0];
        fputs("<section id=\"strategies\"><h2>Strategies</h2>\n<p>Doppel with other engines and strategies, "
              "compared with ",
              page->out);
        html_put(results->configurations[first].id, page->out);
        fputs(": below 1× is faster.</p>\n", page->out);
        put_means_against(page, first, true, columns, true);
        fputs("</section>\n", page->out);
    }
    free(columns);
}

/* ---- beginning and end */

static void put_head(const struct html_page *page)
{
    const struct results_host *host = &page->results->host;
    fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\" />\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"
          "<meta name=\"color-scheme\" content=\"light dark\" />\n<title>doppel-bench, ",
          page->out);
    html_put(host->date, page->out);
    fputs("</title>\n", page->out);
    html_put_style(page->out);
    fputs("</head>\n<body>\n<header><h1>doppel-bench</h1>\n<p>", page->out);
    html_put(host->date, page->out);
    fputs(host->cpu[0] != '\0' ? " · " : "", page->out);
    html_put(host->cpu, page->out);
    fputs(page->results->settings.quick ? " · quick run</p>\n" : "</p>\n", page->out);
}

static void put_completeness(const struct html_page *page)
{
    const struct results *results = page->results;
    size_t cells = results->workload_count * results->configuration_count;
    size_t pending = 0;
    for (size_t i = 0; i < cells; i++) {
        pending += results->cells[i].state == CELL_PENDING;
    }
    if (cells == 0) {
        fputs("<p class=\"notice\">Nothing was measured.</p>\n", page->out);
    } else if (pending > 0 || !results->complete) {
        fprintf(page->out,
                "<p class=\"notice\">This run is not complete: %zu of %zu cells have not been "
                "measured.</p>\n",
                pending, cells);
    }
}

/* At the end of the page: only there it is known whether the charts could be drawn; the style sheet puts it
 * to the top. */
static void put_missing_charts(const struct html_page *page)
{
    if (!page->without_charts) {
        return;
    }
    fputs("<p class=\"notice first\">There are no charts: ", page->out);
    html_put(page->chart_status.message, page->out);
    fputs(
        ". Charts are drawn by gnuplot. Install it (on Debian: the package gnuplot-nox) and make the report "
        "again: <code>doppel-bench html RESULTS.json REPORT.html</code>, with the file that was written by "
        "<code>--json</code>.</p>\n",
        page->out);
}

static void put_method(const struct html_page *page)
{
    fputs(
        "<section id=\"method\"><h2>Method</h2>\n"
        "<p>A workload is a small program for the bare machine; the same image is booted on doppel, QEMU and "
        "Bochs, and where it needs no privileges the same source also runs as a process of this host "
        "(native). It does its work once to warm up and then a number of rounds between two marks; the time "
        "between the marks on this host's clock, or that of the processor where the host had other things to "
        "do, divided by the rounds, is the time given here. Rounds are chosen for each cell so that runs "
        "take "
        "about the same time. Runs are interleaved, in an order that is drawn anew for each pass, "
        "so that a disturbance of the host does not hit one column alone; the median of the runs is shown, "
        "with the smallest and largest beside it. After every run the checksum of the work is compared with "
        "what it must be: a wrong one is a failure, not a time.</p>\n",
        page->out);
    fprintf(page->out,
            "<p>A time is marked <span class=\"noise\">~ noisy</span> when its runs lie more than %.0f %% "
            "apart (the middle half of them, where there are four or more). Ratios are of the "
            "fastest runs, since what disturbs a run makes it slower and never faster: a ratio of 2× means "
            "twice the "
            "time.</p>\n</section>\n",
            100 * STATISTICS_NOISE);
}

static void put_page(struct html_page *page)
{
    put_head(page);
    put_completeness(page);
    put_headlines(page);
    fputs("</header>\n<main>\n", page->out);
    put_means(page);
    put_strategies(page);
    html_put_groups(page);
    html_put_problems(page);
    put_setting(page);
    put_method(page);
    html_put_counters(page);
    fputs("</main>\n", page->out);
    put_missing_charts(page);
    fputs("</body>\n</html>\n", page->out);
}

struct status html_write(const struct results *results, const char *path, char **warning)
{
    *warning = NULL;
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        return status_from_errno(errno, "cannot write the report %s", path);
    }
    struct html_page page = {.out = out, .results = results, .chart_status = status_ok()};
    put_page(&page);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        return status_from_errno(errno, "cannot write the report %s", path);
    }
    if (page.without_charts) {
        *warning = memory_format("the report %s has no charts: %s (they need gnuplot)", path,
                                 page.chart_status.message);
    }
    return status_ok();
}
