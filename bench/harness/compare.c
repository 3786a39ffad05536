/* Two results side by side; see compare.h. */
#include "harness/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "harness/memory.h"
#include "harness/table.h"

#define LEAST_CHANGE  0.05
#define DRIFT_TO_TELL 0.03
#define VERDICT_COUNT (COMPARE_NOTHING + 1)

/* So much is assumed of a single time where too little is there to learn from. */
#define USUAL_NOISE 0.03
#define FEW_VALUES  8

/* What a peer did on the same workload explains as much of ours, and half as much again. */
#define PEER_EXPLAINS 1.5

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static bool has_times(const struct results_cell *cell)
{
    return cell->state == CELL_OK && cell->sample_count > 0 && cell->seconds.min > 0;
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

/* How many standard deviations a change has to be: few times may lie close together, or far from all others,
 * by chance. */
static double wanted_deviations(size_t count)
{
    static const double factors[] = {6, 6, 5, 4};
    return count < ARRAY_COUNT(factors) ? factors[count] : 3;
}

static double change_of(const struct results_cell *old, const struct results_cell *new)
{
    return log(new->seconds.min / old->seconds.min);
}

/* By how much the fastest times would differ by chance, in deviations of a single time. */
static double deviation_of_change(const struct results_cell *old, const struct results_cell *new)
{
    return sqrt(1 / (double)old->sample_count + 1 / (double)new->sample_count);
}

enum compare_verdict compare_cells(const struct results_cell *old, const struct results_cell *new,
                                   const struct compare_limits *limits, double *ratio)
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
    *ratio = exp(change_of(old, new));
    size_t fewer = old->sample_count < new->sample_count ? old->sample_count : new->sample_count;
    double noise = wanted_deviations(fewer) * limits->noise * deviation_of_change(old, new);
    double bound = larger(log(1 + LEAST_CHANGE), noise);
    double change = change_of(old, new);
    if (ranges_touch(old, new)) {
        return COMPARE_SAME;
    }
    if (change > larger(bound, limits->slower)) {
        return COMPARE_SLOWER;
    }
    return -change > larger(bound, limits->faster) ? COMPARE_FASTER : COMPARE_SAME;
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

static bool is_peer(const struct pair *pair)
{
    return pair->configuration->kind != CONFIGURATION_DOPPEL;
}

static bool both_have_times(const struct pair *pair)
{
    return has_times(pair->old) && has_times(pair->new);
}

/* The geometric mean of new / old over the pairs of one column, or (NULL) of all that are no doppel. */
static double mean_ratio(const struct pair *pairs, size_t count,
                         const struct results_configuration *configuration, size_t *used)
{
    double *ratios = memory_allocate(count, sizeof *ratios);
    *used = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = configuration != NULL ? pairs[i].configuration == configuration : is_peer(&pairs[i]);
        if (wanted && both_have_times(&pairs[i])) {
            ratios[(*used)++] = exp(change_of(pairs[i].old, pairs[i].new));
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

/* ---- noise */

/* How far the second fastest time is from the fastest. */
static double gap_of(const struct results_cell *cell)
{
    double second = cell->seconds.max;
    bool passed = false; /* the fastest itself */
    for (size_t i = 0; i < cell->sample_count; i++) {
        double seconds = cell->samples[i].seconds / (double)cell->samples[i].rounds;
        if (!passed && seconds <= cell->seconds.min) {
            passed = true;
        } else if (seconds < second) {
            second = seconds;
        }
    }
    return log(second / cell->seconds.min);
}

static size_t learn_within(const struct results *results, double *values)
{
    size_t count = 0;
    for (size_t row = 0; row < results->workload_count; row++) {
        for (size_t column = 0; column < results->configuration_count; column++) {
            const struct results_cell *cell = results_cell(results, row, column);
            if (has_times(cell) && cell->sample_count > 1) {
                values[count++] = gap_of(cell);
            }
        }
    }
    return count;
}

/* The noise within runs is what three quarters of all cells stay below: few are disturbed, and those are what
 * has to be told from changes. The noise between runs shows in the peers, which did not change: nine tenths
 * of normal changes are below 1.645 deviations. */
double compare_noise(const struct results *old, const struct results *new)
{
    size_t pair_count;
    struct pair *pairs = find_pairs(old, new, &pair_count);
    size_t cells =
        old->workload_count * old->configuration_count + new->workload_count *new->configuration_count;
    double *values = memory_allocate(cells + pair_count, sizeof *values);
    size_t within = learn_within(old, values);
    within += learn_within(new, values + within);
    double noise = statistics_quantile(values, within, 0.75);
    size_t between = 0;
    for (size_t i = 0; i < pair_count; i++) {
        if (is_peer(&pairs[i]) && both_have_times(&pairs[i])) {
            values[between++] =
                fabs(change_of(pairs[i].old, pairs[i].new)) / deviation_of_change(pairs[i].old, pairs[i].new);
        }
    }
    noise = larger(noise, statistics_quantile(values, between, 0.9) / 1.645);
    free(values);
    free(pairs);
    return within + between >= FEW_VALUES ? noise : larger(noise, USUAL_NOISE);
}

/* What the peers did explains as much of what doppel did: all of them together, and each on this workload. */
static struct compare_limits limits_of(const struct pair *pairs, size_t count,
                                       const struct results_workload *workload, double noise, double drift)
{
    struct compare_limits limits = {.noise = noise, .slower = fabs(drift), .faster = fabs(drift)};
    for (size_t i = 0; i < count; i++) {
        if (pairs[i].workload == workload && is_peer(&pairs[i]) && both_have_times(&pairs[i])) {
            double explained = PEER_EXPLAINS * change_of(pairs[i].old, pairs[i].new);
            limits.slower = larger(limits.slower, explained);
            limits.faster = larger(limits.faster, -explained);
        }
    }
    return limits;
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
        fprintf(out, "%s, was %s\n", table_format_seconds(pair->new->seconds.min, after, sizeof after),
                cell_state_label(pair->old->state));
    } else {
        fprintf(out, "%s -> %s (%+.1f %%)\n",
                table_format_seconds(pair->old->seconds.min, before, sizeof before),
                table_format_seconds(pair->new->seconds.min, after, sizeof after), 100 * (ratio - 1));
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
    double drift = isnan(host) ? 0 : log(host);
    double noise = compare_noise(old, new);
    size_t count;
    struct pair *pairs = find_pairs(old, new, &count);
    print_differences_of_runs(old, new, host, out);
    for (size_t i = 0; i < count; i++) {
        if (is_peer(&pairs[i])) {
            continue;
        }
        double ratio;
        struct compare_limits limits = limits_of(pairs, count, pairs[i].workload, noise, drift);
        enum compare_verdict verdict = compare_cells(pairs[i].old, pairs[i].new, &limits, &ratio);
        verdicts[verdict]++;
        if (verdict != COMPARE_SAME && verdict != COMPARE_NOTHING) {
            print_change(&pairs[i], verdict, ratio, out);
        }
    }
    if (count == 0) {
        fputs("The two have no workload and configuration in common.\n", out);
    }
    print_summary(pairs, count, new, verdicts, out);
    fprintf(out, "A single time varies by %.1f %% here.\n", 100 * noise);
    free(pairs);
    return verdicts[COMPARE_SLOWER] + verdicts[COMPARE_BROKEN] > 0;
}
