/* Results for the terminal; see table.h. */
#include "harness/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bits.h"

#define TIME_WIDTH   9 /* "1.23 ms" and the mark of noise */
#define RATIO_WIDTH  8 /* " 123.45x" */
#define COLUMN_GAP   2
#define LEAST_COLUMN (TIME_WIDTH + RATIO_WIDTH)

#define DEFAULT_WIDTH 120
#define LEAST_WIDTH   50

unsigned table_width(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    const char *columns = getenv("COLUMNS");
    int width = columns != NULL ? atoi(columns) : 0;
    return width > 0 ? (unsigned)width : DEFAULT_WIDTH;
}

static int digits_behind_point(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

char *table_format_seconds(double seconds, char *text, size_t size)
{
    static const struct {
        double factor;
        const char *name;
    } units[] = {{1e9, "ns"}, {1e6, "us"}, {1e3, "ms"}};
    double value = seconds;
    const char *unit = "s";
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (seconds * units[i].factor < 999.5) {
            value = seconds * units[i].factor;
            unit = units[i].name;
            break;
        }
    }
    snprintf(text, size, "%.*f %s", digits_behind_point(value), value, unit);
    return text;
}

char *table_format_ratio(double ratio, char *text, size_t size)
{
    if (isnan(ratio)) {
        snprintf(text, size, "-");
    } else {
        snprintf(text, size, "%.*fx", digits_behind_point(ratio), ratio);
    }
    return text;
}

/* ---- pieces */

static void print_spaces(FILE *out, unsigned count)
{
    fprintf(out, "%*s", (int)count, "");
}

/* Cuts at `width` columns. */
static void print_left(FILE *out, const char *text, unsigned width)
{
    fprintf(out, "%-*.*s", (int)width, (int)width, text);
}

/* Breaks the text at spaces; lines after the first begin below `indent`. */
static void print_wrapped(FILE *out, const char *text, unsigned indent, unsigned width)
{
    unsigned at = indent;
    unsigned room = width > indent + 10 ? width : indent + 10;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (at > indent && at + 1 + length > room) {
            fputc('\n', out);
            print_spaces(out, indent);
            at = indent;
        } else if (at > indent) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", (int)length, text);
        at += (unsigned)length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static unsigned name_width(const struct results *results)
{
    size_t width = strlen("geometric mean");
    for (size_t i = 0; i < results->workload_count; i++) {
        size_t length = strlen(results->workloads[i].name) + 2;
        width = length > width ? length : width;
    }
    return width > 24 ? 24 : (unsigned)width;
}

static unsigned column_width(const struct results *results, size_t column)
{
    size_t length = strlen(results->configurations[column].id);
    return length > LEAST_COLUMN ? (unsigned)length : LEAST_COLUMN;
}

static void print_cell(const struct results *results, size_t row, size_t column, FILE *out)
{
    const struct results_cell *cell = results_cell(results, row, column);
    char time[24];
    char ratio[24] = "";
    unsigned width = column_width(results, column);
    print_spaces(out, COLUMN_GAP);
    if (cell->state != CELL_OK) {
        fprintf(out, "%*s", (int)width, cell_state_label(cell->state));
        return;
    }
    size_t baseline = results_row_baseline(results, row);
    if (baseline != column && results_has_time(results, row, baseline)) {
        table_format_ratio(results_ratio(results, row, column, baseline), ratio, sizeof ratio);
    }
    table_format_seconds(cell->seconds.median, time, sizeof time);
    fprintf(out, "%*s%s%*s", (int)(width - RATIO_WIDTH - 1), time, cell->noisy ? "~" : " ", RATIO_WIDTH,
            ratio);
}

static bool starts_group(const struct results *results, size_t row)
{
    return row == 0 || strcmp(results->workloads[row].group, results->workloads[row - 1].group) != 0;
}

static void print_times(const struct results *results, size_t first, size_t end, unsigned names, FILE *out)
{
    print_left(out, "", names);
    for (size_t column = first; column < end; column++) {
        print_spaces(out, COLUMN_GAP);
        fprintf(out, "%*s", (int)column_width(results, column), results->configurations[column].id);
    }
    fputc('\n', out);
    for (size_t row = 0; row < results->workload_count; row++) {
        if (starts_group(results, row)) {
            fprintf(out, "%s\n", results->workloads[row].group);
        }
        fputs("  ", out);
        print_left(out, results->workloads[row].name, names - 2);
        for (size_t column = first; column < end; column++) {
            print_cell(results, row, column, out);
        }
        fputc('\n', out);
    }
}

/* As many columns beside each other as there is room for, at least one. */
static void print_times_in_parts(const struct results *results, FILE *out, unsigned width)
{
    unsigned names = name_width(results);
    for (size_t first = 0; first < results->configuration_count;) {
        size_t end = first;
        unsigned used = names;
        while (end < results->configuration_count &&
               (end == first || used + COLUMN_GAP + column_width(results, end) <= width)) {
            used += COLUMN_GAP + column_width(results, end);
            end++;
        }
        print_times(results, first, end, names, out);
        fputc('\n', out);
        first = end;
    }
    print_wrapped(out,
                  "Times are medians for one unit of work. The ratio is to native, or to qemu where there is "
                  "no native, of the fastest runs.",
                  0, width);
    bool any_noise = false;
    for (size_t i = 0; i < results->workload_count * results->configuration_count; i++) {
        any_noise |= results->cells[i].state == CELL_OK && results->cells[i].noisy;
    }
    if (any_noise) {
        fprintf(out, "~ noisy: the times lie more than %.0f %% apart.\n", 100 * STATISTICS_NOISE);
    }
}

/* ---- geometric means */

static bool print_mean(const struct results *results, size_t column, size_t baseline, const char *group,
                       const char *label, FILE *out)
{
    struct results_mean mean = results_geometric_mean(results, column, baseline, group);
    if (mean.count == 0) {
        return false;
    }
    char text[24];
    bool faster = mean.ratio < 1;
    fprintf(out, "    %-12.12s %8s %s   (%zu)\n", label,
            table_format_ratio(faster ? 1 / mean.ratio : mean.ratio, text, sizeof text),
            faster ? "faster" : "slower", mean.count);
    return true;
}

static void print_means_of(const struct results *results, size_t column, size_t baseline, FILE *out)
{
    struct results_mean all = results_geometric_mean(results, column, baseline, NULL);
    if (all.count == 0) {
        return;
    }
    fprintf(out, "  %s against %s\n", results->configurations[column].id,
            results->configurations[baseline].id);
    for (size_t row = 0; row < results->workload_count; row++) {
        if (starts_group(results, row)) {
            const char *group = results->workloads[row].group;
            print_mean(results, column, baseline, group, group, out);
        }
    }
    print_mean(results, column, baseline, NULL, "all", out);
}

/* Doppel's columns against the others, and against the first of themselves. */
static void print_means(const struct results *results, FILE *out, unsigned width)
{
    size_t first = results_find_kind(results, CONFIGURATION_DOPPEL);
    bool titled = false;
    for (size_t column = 0; column < results->configuration_count; column++) {
        if (results->configurations[column].kind != CONFIGURATION_DOPPEL) {
            continue;
        }
        for (size_t baseline = 0; baseline < results->configuration_count; baseline++) {
            bool compared =
                results->configurations[baseline].kind != CONFIGURATION_DOPPEL || baseline == first;
            if (!compared || baseline == column ||
                results_geometric_mean(results, column, baseline, NULL).count == 0) {
                continue;
            }
            if (!titled) {
                fputc('\n', out);
                print_wrapped(out,
                              "Geometric means (over how many workloads, those that all compared completed)",
                              0, width);
                titled = true;
            }
            print_means_of(results, column, baseline, out);
        }
    }
}

static void print_rate(const struct results *results, size_t column, const char *group, const char *label,
                       FILE *out)
{
    struct results_mean mean = results_mean_instruction_rate(results, column, group);
    if (mean.count > 0) {
        fprintf(out, "    %-12.12s %7.1f   (%zu)\n", label, mean.ratio / 1e6, mean.count);
    }
}

static void print_rates(const struct results *results, FILE *out, unsigned width)
{
    bool titled = false;
    for (size_t column = 0; column < results->configuration_count; column++) {
        if (results_mean_instruction_rate(results, column, NULL).count == 0) {
            continue;
        }
        if (!titled) {
            fputc('\n', out);
            print_wrapped(out, "Millions of guest instructions per second (geometric means)", 0, width);
            titled = true;
        }
        fprintf(out, "  %s\n", results->configurations[column].id);
        for (size_t row = 0; row < results->workload_count; row++) {
            if (starts_group(results, row)) {
                print_rate(results, column, results->workloads[row].group, results->workloads[row].group,
                           out);
            }
        }
        print_rate(results, column, NULL, "all", out);
    }
}

/* ---- beginning and end */

static void print_host(const struct results *results, FILE *out, unsigned width)
{
    const struct results_host *host = &results->host;
    fprintf(out, "doppel-bench %s%s%s%s, %s\n", host->version, host->commit[0] != '\0' ? " (" : "",
            host->commit, host->commit[0] != '\0' ? ")" : "", host->date);
    char text[512];
    snprintf(text, sizeof text, "%s, %u core%s, %s, %s",
             host->cpu[0] != '\0' ? host->cpu : "unknown processor", host->cores, host->cores == 1 ? "" : "s",
             host->system, host->kernel);
    print_wrapped(out, text, 0, width);
    if (host->load_before >= 0) {
        fprintf(out, "load %.2f before", host->load_before);
        if (host->load_after >= 0) {
            fprintf(out, ", %.2f after", host->load_after);
        }
        fputc('\n', out);
    }
    unsigned names = 0;
    for (size_t i = 0; i < results->configuration_count; i++) {
        size_t length = strlen(results->configurations[i].id);
        names = length > names ? (unsigned)length : names;
    }
    for (size_t i = 0; i < results->configuration_count; i++) {
        const struct results_configuration *configuration = &results->configurations[i];
        fprintf(out, "%-*s  ", (int)names, configuration->id);
        const char *what = configuration->available ? configuration->version : configuration->note;
        print_wrapped(out, what[0] != '\0' ? what : "a process of the host", names + 2, width);
    }
    fputc('\n', out);
}

static bool deserves_note(const struct results *results, size_t row, size_t column)
{
    enum cell_state state = results_cell(results, row, column)->state;
    return state != CELL_OK && state != CELL_NOT_APPLICABLE && state != CELL_PENDING &&
           results->configurations[column].available;
}

/* Columns that share a row's state are named together, with what the first of them has to say. */
static void print_notes_of_row(const struct results *results, size_t row, FILE *out, unsigned width)
{
    bool told[CELL_STATE_COUNT] = {false};
    for (size_t column = 0; column < results->configuration_count; column++) {
        const struct results_cell *cell = results_cell(results, row, column);
        if (!deserves_note(results, row, column) || told[cell->state]) {
            continue;
        }
        told[cell->state] = true;
        char text[768];
        size_t length = (size_t)snprintf(text, sizeof text, "%s/%s on %s", results->workloads[row].group,
                                         results->workloads[row].name, results->configurations[column].id);
        for (size_t other = column + 1; other < results->configuration_count && length < sizeof text / 2;
             other++) {
            if (deserves_note(results, row, other) &&
                results_cell(results, row, other)->state == cell->state) {
                length += (size_t)snprintf(text + length, sizeof text - length, ", %s",
                                           results->configurations[other].id);
            }
        }
        if (length < sizeof text) {
            snprintf(text + length, sizeof text - length, ": %s: %s", cell_state_label(cell->state),
                     cell->note);
        }
        print_wrapped(out, text, 2, width);
    }
}

static void print_notes(const struct results *results, FILE *out, unsigned width)
{
    for (size_t row = 0; row < results->workload_count; row++) {
        print_notes_of_row(results, row, out, width);
    }
    size_t pending = 0;
    for (size_t i = 0; i < results->workload_count * results->configuration_count; i++) {
        pending += results->cells[i].state == CELL_PENDING;
    }
    if (pending > 0) {
        fprintf(out, "%zu cell%s %s not run: there was no time.\n", pending, pending == 1 ? "" : "s",
                pending == 1 ? "was" : "were");
    }
}

void table_print(const struct results *results, FILE *out, unsigned width)
{
    width = width < LEAST_WIDTH ? LEAST_WIDTH : width;
    print_host(results, out, width);
    print_times_in_parts(results, out, width);
    print_notes(results, out, width);
    print_means(results, out, width);
    print_rates(results, out, width);
    fprintf(out, "\n%.0f s in all\n", results->elapsed_seconds);
}
