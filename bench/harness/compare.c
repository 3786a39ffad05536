/* Two results side by side; see compare.h. */
#include "harness/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/memory.h"
#include "harness/table.h"

#define LEAST_CHANGE  0.05
#define UNSURE_CHANGE 0.15
#define SURE_COUNT    3
#define DRIFT_TO_TELL 0.03
#define VERDICT_COUNT (COMPARE_NOTHING + 1)

static double spread_of(const struct results_cell *cell)
{
    return (cell->seconds.max - cell->seconds.min) / cell->seconds.median;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static bool has_times(const struct results_cell *cell)
{
    return cell->state == CELL_OK && cell->sample_count > 0 && cell->seconds.median > 0;
}

static bool was_tried(const struct results_cell *cell)
{
    return cell->state != CELL_PENDING && cell->state != CELL_MISSING && cell->state != CELL_NOT_BUILT &&
           cell->state != CELL_NOT_APPLICABLE;
}

static bool ranges_touch(const struct results_cell *old, const struct results_cell *new)
{
    return old->seconds.min <= new->seconds.max &&new->seconds.min <= old->seconds.max;
}

enum compare_verdict compare_cells(const struct results_cell *old, const struct results_cell *new,
                                   double drift, double *ratio)
{
    *ratio = (double)NAN;
    if (!has_times(old) && !has_times(new)) {
        return COMPARE_NOTHING;
    }
    if (!has_times(new)) {
        return was_tried(new) ? COMPARE_BROKEN : COMPARE_NOTHING;
    }
    if (!has_times(old)) {
        return was_tried(old) ? COMPARE_MENDED : COMPARE_NOTHING;
    }
    *ratio = new->seconds.median / old->seconds.median;
    bool sure = old->sample_count >= SURE_COUNT && new->sample_count >= SURE_COUNT;
    double bound = larger(sure ? LEAST_CHANGE : UNSURE_CHANGE, fabs(drift));
    if (sure) {
        bound = larger(bound, larger(spread_of(old), spread_of(new)));
    }
    if (ranges_touch(old, new)) {
        return COMPARE_SAME;
    }
    if (*ratio > 1 + bound) {
        return COMPARE_SLOWER;
    }
    return *ratio < 1 / (1 + bound) ? COMPARE_FASTER : COMPARE_SAME;
}

/* ---- cells that are in both */

struct pair {
    const struct results_cell *old, *new;
    const struct results_workload *workload;
    const struct results_configuration *configuration;
};

/* All pairs, in the order of `new`; the caller frees them. */
static struct pair *find_pairs(const struct results *old, const struct results *new, size_t *count)
{
    struct pair *pairs = memory_allocate(new->workload_count *new->configuration_count, sizeof *pairs);
    *count = 0;
    for (size_t row = 0; row < new->workload_count; row++) {
        size_t old_row = results_find_workload(old, new->workloads[row].group, new->workloads[row].name);
        for (size_t column = 0; column < new->configuration_count; column++) {
            size_t old_column = results_find_configuration(old, new->configurations[column].id);
            if (old_row != SIZE_MAX && old_column != SIZE_MAX) {
                pairs[(*count)++] = (struct pair){.old = results_cell(old, old_row, old_column),
                                                  .new = results_cell(new, row, column),
                                                  .workload = &new->workloads[row],
                                                  .configuration = &new->configurations[column]};
            }
        }
    }
    return pairs;
}

/* The geometric mean of new / old over the pairs of one column, or (NULL) of all that are no doppel. */
static double mean_ratio(const struct pair *pairs, size_t count,
                         const struct results_configuration *configuration, size_t *used)
{
    double *ratios = memory_allocate(count, sizeof *ratios);
    *used = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = configuration != NULL ? pairs[i].configuration == configuration
                                            : pairs[i].configuration->kind != CONFIGURATION_DOPPEL;
        if (wanted && has_times(pairs[i].old) && has_times(pairs[i].new)) {
            ratios[(*used)++] = pairs[i].new->seconds.median / pairs[i].old->seconds.median;
        }
    }
    double mean = statistics_geometric_mean(ratios, *used);
    free(ratios);
    return mean;
}

double compare_host(const struct results *old, const struct results *new)
{
    size_t count;
    size_t used;
    struct pair *pairs = find_pairs(old, new, &count);
    double mean = mean_ratio(pairs, count, NULL, &used);
    free(pairs);
    return mean;
}

/* ---- printing */

static void print_change(const struct pair *pair, enum compare_verdict verdict, double ratio, FILE *out)
{
    static const char *const words[VERDICT_COUNT] = {[COMPARE_FASTER] = "faster",
                                                     [COMPARE_SLOWER] = "SLOWER",
                                                     [COMPARE_BROKEN] = "BROKEN",
                                                     [COMPARE_MENDED] = "works now"};
    char before[24];
    char after[24];
    fprintf(out, "%-9s  %s/%s on %s: ", words[verdict], pair->workload->group, pair->workload->name,
            pair->configuration->id);
    if (verdict == COMPARE_BROKEN) {
        fprintf(out, "%s%s%s\n", cell_state_label(pair->new->state), pair->new->note[0] != '\0' ? ": " : "",
                pair->new->note);
    } else if (verdict == COMPARE_MENDED) {
        fprintf(out, "%s, was %s\n", table_format_seconds(pair->new->seconds.median, after, sizeof after),
                cell_state_label(pair->old->state));
    } else {
        fprintf(out, "%s -> %s (%+.1f %%)\n",
                table_format_seconds(pair->old->seconds.median, before, sizeof before),
                table_format_seconds(pair->new->seconds.median, after, sizeof after), 100 * (ratio - 1));
    }
}

static void print_differences_of_runs(const struct results *old, const struct results *new, double host,
                                      FILE *out)
{
    if (strcmp(old->host.cpu, new->host.cpu) != 0) {
        fprintf(out, "The processors differ: \"%s\", then \"%s\".\n", old->host.cpu, new->host.cpu);
    }
    for (size_t i = 0; i < new->configuration_count; i++) {
        size_t before = results_find_configuration(old, new->configurations[i].id);
        if (before != SIZE_MAX && new->configurations[i].kind != CONFIGURATION_DOPPEL &&
            strcmp(old->configurations[before].version, new->configurations[i].version) != 0) {
            fprintf(out, "The versions of %s differ: \"%s\", then \"%s\".\n", new->configurations[i].id,
                    old->configurations[before].version, new->configurations[i].version);
        }
    }
    if (!isnan(host) && fabs(host - 1) > DRIFT_TO_TELL) {
        fprintf(out,
                "The other programs are %.1f %% %s than before: smaller changes of doppel are not told from "
                "the host's.\n",
                100 * fabs(host - 1), host > 1 ? "slower" : "faster");
    }
}

static void print_summary(const struct pair *pairs, size_t count, const struct results *new,
                          const unsigned *verdicts, FILE *out)
{
    for (size_t i = 0; i < new->configuration_count; i++) {
        size_t used;
        double mean = mean_ratio(pairs, count, &new->configurations[i], &used);
        if (used > 0) {
            fprintf(out, "%s: new/old %.3f, the geometric mean over %zu workload%s\n",
                    new->configurations[i].id, mean, used, used == 1 ? "" : "s");
        }
    }
    fprintf(out, "doppel: %u slower, %u broken, %u faster, %u working again, %u the same\n",
            verdicts[COMPARE_SLOWER], verdicts[COMPARE_BROKEN], verdicts[COMPARE_FASTER],
            verdicts[COMPARE_MENDED], verdicts[COMPARE_SAME]);
}

bool compare_print(const struct results *old, const struct results *new, FILE *out)
{
    unsigned verdicts[VERDICT_COUNT] = {0};
    double host = compare_host(old, new);
    double drift = isnan(host) ? 0 : host - 1;
    size_t count;
    struct pair *pairs = find_pairs(old, new, &count);
    print_differences_of_runs(old, new, host, out);
    for (size_t i = 0; i < count; i++) {
        double ratio;
        enum compare_verdict verdict = compare_cells(pairs[i].old, pairs[i].new, drift, &ratio);
        if (pairs[i].configuration->kind != CONFIGURATION_DOPPEL) {
            continue;
        }
        verdicts[verdict]++;
        if (verdict != COMPARE_SAME && verdict != COMPARE_NOTHING) {
            print_change(&pairs[i], verdict, ratio, out);
        }
    }
    if (count == 0) {
        fputs("The two have no workload and configuration in common.\n", out);
    }
    print_summary(pairs, count, new, verdicts, out);
    free(pairs);
    return verdicts[COMPARE_SLOWER] + verdicts[COMPARE_BROKEN] > 0;
}
