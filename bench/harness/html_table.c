/* The HTML report's charts and tables of workloads, what went wrong, and counters; see html_page.h. */
#include "harness/html_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/html_text.h"
#include "harness/memory.h"

/* A table with more columns than this stands below its chart. */
#define MOST_BESIDE_CHART 4

/* A group of workloads, and the columns that have something to say in it. */
struct group {
    size_t first, end;
    size_t *columns;
    size_t column_count;
};

/* ---- cells */

static void put_ratio(const struct html_page *page, size_t row, size_t column)
{
    const struct results *results = page->results;
    size_t baseline = results_row_baseline(results, row);
    if (baseline == column || !results_has_time(results, row, baseline)) {
        return;
    }
    char text[HTML_NUMBER_SIZE];
    fprintf(page->out, "<span class=\"ratio\">%s</span> · ",
            html_format_ratio(results_ratio(results, row, column, baseline), text));
}

static void put_cell(const struct html_page *page, size_t row, size_t column)
{
    const struct results_cell *cell = results_cell(page->results, row, column);
    char median[HTML_NUMBER_SIZE];
    char low[HTML_NUMBER_SIZE];
    char high[HTML_NUMBER_SIZE];
    if (cell->state == CELL_NOT_APPLICABLE || cell->state == CELL_PENDING) {
        fprintf(page->out, "<td class=\"muted\">%s</td>",
                cell->state == CELL_PENDING ? cell_state_label(cell->state) : "–");
        return;
    }
    if (cell->state != CELL_OK) {
        fprintf(page->out, "<td class=\"bad\">%s</td>", cell_state_label(cell->state));
        return;
    }
    fputs("<td>", page->out);
    put_ratio(page, row, column);
    fprintf(page->out, "<span class=\"time\">%s</span>%s<small>(%s – %s)</small></td>",
            html_format_seconds(cell->seconds.median, median),
            cell->noisy ? " <span class=\"noise\" title=\"noisy: the times differ much\">~</span>" : "",
            html_format_seconds(cell->seconds.min, low), html_format_seconds(cell->seconds.max, high));
}

/* ---- a group: chart and table */

static bool is_applicable(const struct results *results, size_t first, size_t end, size_t column)
{
    for (size_t row = first; row < end; row++) {
        if (results_cell(results, row, column)->state != CELL_NOT_APPLICABLE) {
            return true;
        }
    }
    return false;
}

static void put_group_table(const struct html_page *page, const struct group *group)
{
    const struct results *results = page->results;
    fputs("<div class=\"scroll\"><table><thead><tr><th>workload</th>", page->out);
    for (size_t i = 0; i < group->column_count; i++) {
        fputs("<th>", page->out);
        html_put(results->configurations[group->columns[i]].id, page->out);
        fputs("</th>", page->out);
    }
    fputs("</tr></thead><tbody>\n", page->out);
    for (size_t row = group->first; row < group->end; row++) {
        fputs("<tr><th>", page->out);
        html_put(results->workloads[row].name, page->out);
        fputs("<small>", page->out);
        html_put(results->workloads[row].text, page->out);
        fputs("</small></th>", page->out);
        for (size_t i = 0; i < group->column_count; i++) {
            put_cell(page, row, group->columns[i]);
        }
        fputs("</tr>\n", page->out);
    }
    fputs("</tbody></table></div>\n", page->out);
}

/* The column's bar: its ratio to what the row is compared with. A row's own baseline has none. */
static struct chart_value bar_of(const struct results *results, size_t row, size_t column,
                                 char text[HTML_NUMBER_SIZE])
{
    const struct results_cell *cell = results_cell(results, row, column);
    size_t baseline = results_row_baseline(results, row);
    struct chart_value value = {.value = NAN};
    if (!results_has_time(results, row, column)) {
        bool told = cell->state != CELL_NOT_APPLICABLE && cell->state != CELL_PENDING;
        value.text = told ? cell_state_label(cell->state) : NULL;
    } else if (baseline != column && results_has_time(results, row, baseline)) {
        double unit = results_cell(results, row, baseline)->seconds.min;
        value = (struct chart_value){.value = cell->seconds.min / unit,
                                     .low = cell->seconds.min / unit,
                                     .high = cell->seconds.max / unit};
        html_format_ratio(value.value, text);
        if (cell->noisy) {
            strcat(text, " ~");
        }
        value.text = text;
    }
    return value;
}

/* A star at the labels of rows that are compared with QEMU in a chart where others are with native. */
static char *label_of(const struct results *results, size_t row, bool mixed)
{
    size_t native = results_find_kind(results, CONFIGURATION_NATIVE);
    bool star = mixed && !results_has_time(results, row, native);
    return memory_format("%s%s", results->workloads[row].name, star ? " *" : "");
}

static void draw_group(struct html_page *page, const struct group *group, const size_t *columns, size_t count,
                       bool mixed)
{
    const struct results *results = page->results;
    size_t rows = group->end - group->first;
    char **labels = memory_allocate(rows, sizeof *labels);
    unsigned *colors = memory_allocate(count, sizeof *colors);
    struct chart_value *values = memory_allocate(rows * count, sizeof *values);
    char(*texts)[HTML_NUMBER_SIZE] = memory_allocate(rows * count, sizeof *texts);
    for (size_t row = 0; row < rows; row++) {
        labels[row] = label_of(results, group->first + row, mixed);
        for (size_t i = 0; i < count; i++) {
            size_t at = row * count + i;
            values[at] = bar_of(results, group->first + row, columns[i], texts[at]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        colors[i] = html_series_color(results, columns[i]);
    }
    char *title = memory_format("Times of the group %s as ratios", results->workloads[group->first].group);
    struct chart chart = {.title = title,
                          .rows = rows,
                          .columns = count,
                          .labels = (const char *const *)labels,
                          .colors = colors,
                          .values = values};
    html_put_chart(page, &chart);
    free(title);
    free(texts);
    free(values);
    free(colors);
    for (size_t row = 0; row < rows; row++) {
        free(labels[row]);
    }
    free(labels);
}

static void put_group_chart(struct html_page *page, const struct group *group)
{
    const struct results *results = page->results;
    size_t native = results_find_kind(results, CONFIGURATION_NATIVE);
    size_t qemu = results_find_kind(results, CONFIGURATION_QEMU);
    bool to_native = false;
    bool to_qemu = false;
    for (size_t row = group->first; row < group->end; row++) {
        to_native |= results_has_time(results, row, native);
        to_qemu |= !results_has_time(results, row, native) && results_has_time(results, row, qemu);
    }
    size_t *columns = memory_allocate(results->configuration_count, sizeof *columns);
    size_t count = 0;
    for (size_t i = 0; i < group->column_count; i++) {
        size_t column = group->columns[i];
        bool is_unit = column == native || (column == qemu && !to_native);
        if (!is_unit && html_has_times(results, group->first, group->end, column)) {
            columns[count++] = column;
        }
    }
    if (count > 0 && (to_native || to_qemu) && !page->without_charts) {
        fputs("<figure>\n", page->out);
        html_put_legend(page, columns, count);
        draw_group(page, group, columns, count, to_native && to_qemu);
        fprintf(page->out,
                "<figcaption>Time relative to %s (1×), on a logarithmic scale: shorter is faster.%s",
                to_native ? "native" : "QEMU",
                to_native && to_qemu ? " * relative to QEMU: there is no native time." : "");
        fputs("</figcaption></figure>\n", page->out);
    }
    free(columns);
}

void html_put_groups(struct html_page *page)
{
    const struct results *results = page->results;
    fputs("<section id=\"workloads\"><h2>Workloads</h2>\n<p class=\"muted\">The ratio to native, or where a "
          "workload has no native time to QEMU, of the fastest runs; the median of the runs for one unit of "
          "work; and (smallest – largest). <span class=\"noise\">~</span> marks noisy times.</p>\n",
          page->out);
    for (size_t row = 0; row < results->workload_count; row = html_group_end(results, row)) {
        struct group group = {.first = row, .end = html_group_end(results, row)};
        group.columns = memory_allocate(results->configuration_count, sizeof *group.columns);
        for (size_t i = 0; i < results->configuration_count; i++) {
            if (is_applicable(results, group.first, group.end, i)) {
                group.columns[group.column_count++] = i;
            }
        }
        fputs("<h3>", page->out);
        html_put(results->workloads[row].group, page->out);
        fprintf(page->out, "</h3>\n<div class=\"pair group%s\">\n",
                group.column_count > MOST_BESIDE_CHART ? " wide" : "");
        put_group_chart(page, &group);
        put_group_table(page, &group);
        fputs("</div>\n", page->out);
        free(group.columns);
    }
    fputs("</section>\n", page->out);
}

/* ---- what went wrong */

static bool is_problem(const struct html_page *page, size_t row, size_t column)
{
    enum cell_state state = results_cell(page->results, row, column)->state;
    return state != CELL_OK && state != CELL_NOT_APPLICABLE && state != CELL_PENDING &&
           page->results->configurations[column].available;
}

static void put_problem(const struct html_page *page, size_t row, size_t column)
{
    const struct results *results = page->results;
    const struct results_cell *cell = results_cell(results, row, column);
    fputs("<tr><th>", page->out);
    html_put(results->workloads[row].group, page->out);
    fputc('/', page->out);
    html_put(results->workloads[row].name, page->out);
    fputs("</th><td>", page->out);
    html_put(results->configurations[column].id, page->out);
    fprintf(page->out, "</td><td class=\"bad\">%s</td><td>%s", cell_state_label(cell->state),
            cell_state_text(cell->state));
    fputs(cell->note[0] != '\0' ? ": " : "", page->out);
    html_put(cell->note, page->out);
    fputs("</td></tr>\n", page->out);
}

void html_put_problems(const struct html_page *page)
{
    const struct results *results = page->results;
    bool any = false;
    for (size_t row = 0; row < results->workload_count; row++) {
        for (size_t column = 0; column < results->configuration_count; column++) {
            if (!is_problem(page, row, column)) {
                continue;
            }
            if (!any) {
                fputs("<section id=\"problems\"><h2>What went wrong</h2>\n<div class=\"scroll\"><table "
                      "class=\"texts\"><thead><tr><th>Workload</th><th>Column</th><th>State</th>"
                      "<th>Reason</th></tr></thead><tbody>\n",
                      page->out);
                any = true;
            }
            put_problem(page, row, column);
        }
    }
    if (any) {
        fputs("</tbody></table></div></section>\n", page->out);
    }
}

/* ---- counters */

static void put_runs(const struct html_page *page, size_t row)
{
    const struct results *results = page->results;
    fputs("<div class=\"scroll\"><table><thead><tr><th>column</th><th>runs</th><th>rounds in a run</th>"
          "<th>until the start mark</th><th>processor time of a run</th><th>peak memory</th></tr></thead>"
          "<tbody>\n",
          page->out);
    for (size_t column = 0; column < results->configuration_count; column++) {
        const struct results_cell *cell = results_cell(results, row, column);
        if (cell->sample_count == 0) {
            continue;
        }
        const struct results_sample *last = &cell->samples[cell->sample_count - 1];
        uint64_t peak = 0;
        double start = INFINITY;
        for (size_t i = 0; i < cell->sample_count; i++) {
            peak = cell->samples[i].peak_rss_kib > peak ? cell->samples[i].peak_rss_kib : peak;
            start = fmin(start, cell->samples[i].start_seconds);
        }
        char start_text[HTML_NUMBER_SIZE];
        char cpu_text[HTML_NUMBER_SIZE];
        fputs("<tr><th>", page->out);
        html_put(results->configurations[column].id, page->out);
        fprintf(page->out,
                "</th><td>%zu</td><td>%" PRIu64 "</td><td>%s</td><td>%s</td><td>%.1f MiB</td></tr>\n",
                cell->sample_count, last->rounds, html_format_seconds(start, start_text),
                html_format_seconds(last->cpu_seconds, cpu_text), (double)peak / 1024);
    }
    fputs("</tbody></table></div>\n", page->out);
}

static void put_counter_table(const struct html_page *page, size_t row, size_t column)
{
    const struct results_cell *cell = results_cell(page->results, row, column);
    fputs("<div class=\"scroll\"><table><caption>Counters of ", page->out);
    html_put(page->results->configurations[column].id, page->out);
    double rate = results_instruction_rate(cell);
    if (rate > 0) {
        fprintf(page->out, ": %.1f million instructions per second", rate / 1e6);
    }
    fputs("</caption><thead><tr><th>counter</th><th>per round</th><th>last run in "
          "all</th></tr></thead><tbody>\n",
          page->out);
    for (size_t i = 0; i < cell->counter_count; i++) {
        const struct results_counter *counter = &cell->counters[i];
        fputs("<tr><th>", page->out);
        html_put(counter->name, page->out);
        if (isnan(counter->per_round)) {
            fputs("</th><td class=\"muted\">–</td>", page->out);
        } else {
            fprintf(page->out, "</th><td>%.*f</td>", fabs(counter->per_round) < 100 ? 2 : 0,
                    counter->per_round);
        }
        fprintf(page->out, "<td>%" PRIu64 "</td></tr>\n", counter->total);
    }
    fputs("</tbody></table></div>\n", page->out);
}

static bool has_samples(const struct results *results, size_t row)
{
    for (size_t column = 0; column < results->configuration_count; column++) {
        if (results_cell(results, row, column)->sample_count > 0) {
            return true;
        }
    }
    return false;
}

void html_put_counters(const struct html_page *page)
{
    const struct results *results = page->results;
    fputs(
        "<section id=\"counters\"><h2>Runs, memory and counters</h2>\n<p class=\"muted\">Counters per round "
        "are without the boot of the machine: the difference of runs with different numbers of rounds.</p>\n",
        page->out);
    for (size_t row = 0; row < results->workload_count; row++) {
        if (!has_samples(results, row)) {
            continue;
        }
        fputs("<details><summary>", page->out);
        html_put(results->workloads[row].group, page->out);
        fputc('/', page->out);
        html_put(results->workloads[row].name, page->out);
        fputs("</summary>\n", page->out);
        put_runs(page, row);
        fputs("<div class=\"pair\">\n", page->out);
        for (size_t column = 0; column < results->configuration_count; column++) {
            if (results_cell(results, row, column)->counter_count > 0) {
                put_counter_table(page, row, column);
            }
        }
        fputs("</div></details>\n", page->out);
    }
    fputs("</section>\n", page->out);
}
