/* The matrix of results; see results.h. */
#include "harness/results.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/memory.h"

/* Fewer times than this say too little about how far they spread. */
#define SAMPLES_TO_TRUST 3

static const struct {
    const char *name, *label, *text;
} cell_states[CELL_STATE_COUNT] = {
#define CELL_STATE(symbol, name, label, text) {name, label, text},
#include "harness/cell_state.def"
#undef CELL_STATE
};

const char *cell_state_name(enum cell_state state)
{
    return cell_states[state].name;
}

const char *cell_state_label(enum cell_state state)
{
    return cell_states[state].label;
}

const char *cell_state_text(enum cell_state state)
{
    return cell_states[state].text;
}

bool cell_state_from_name(const char *name, enum cell_state *state)
{
    for (enum cell_state i = 0; i < CELL_STATE_COUNT; i++) {
        if (strcmp(cell_states[i].name, name) == 0) {
            *state = i;
            return true;
        }
    }
    return false;
}

/* ---- building and taking down */

void results_set(char **string, const char *text)
{
    char *copy = memory_text(text);
    free(*string);
    *string = copy;
}

struct results *results_create(void)
{
    struct results *results = memory_allocate(1, sizeof *results);
    struct results_host *host = &results->host;
    char **strings[] = {&host->cpu,
                        &host->kernel,
                        &host->system,
                        &host->date,
                        &host->commit,
                        &host->version,
                        &results->settings.filter,
                        &results->settings.selections};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        *strings[i] = memory_text("");
    }
    host->load_before = -1;
    host->load_after = -1;
    return results;
}

static void free_cell(struct results_cell *cell)
{
    free(cell->note);
    free(cell->samples);
    for (size_t i = 0; i < cell->counter_count; i++) {
        free(cell->counters[i].name);
    }
    free(cell->counters);
}

void results_destroy(struct results *results)
{
    if (results == NULL) {
        return;
    }
    struct results_host *host = &results->host;
    char *strings[] = {host->cpu,
                       host->kernel,
                       host->system,
                       host->date,
                       host->commit,
                       host->version,
                       results->settings.filter,
                       results->settings.selections};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        free(strings[i]);
    }
    for (size_t i = 0; i < results->workload_count * results->configuration_count; i++) {
        free_cell(&results->cells[i]);
    }
    free(results->cells);
    for (size_t i = 0; i < results->configuration_count; i++) {
        struct results_configuration *configuration = &results->configurations[i];
        free(configuration->id);
        free(configuration->program);
        free(configuration->version);
        free(configuration->note);
    }
    free(results->configurations);
    for (size_t i = 0; i < results->workload_count; i++) {
        free(results->workloads[i].group);
        free(results->workloads[i].name);
        free(results->workloads[i].text);
    }
    free(results->workloads);
    free(results);
}

struct results_configuration *results_add_configuration(struct results *results, const char *id,
                                                        enum configuration_kind kind)
{
    assert(results->workload_count == 0);
    size_t count = results->configuration_count++;
    results->configurations =
        memory_resize(results->configurations, count + 1, sizeof *results->configurations);
    results->configurations[count] = (struct results_configuration){.id = memory_text(id),
                                                                    .kind = kind,
                                                                    .program = memory_text(""),
                                                                    .version = memory_text(""),
                                                                    .available = true,
                                                                    .note = memory_text("")};
    return &results->configurations[count];
}

struct results_workload *results_add_workload(struct results *results, const char *group, const char *name,
                                              const char *text)
{
    size_t count = results->workload_count++;
    size_t columns = results->configuration_count;
    results->workloads = memory_resize(results->workloads, count + 1, sizeof *results->workloads);
    results->workloads[count] = (struct results_workload){
        .group = memory_text(group), .name = memory_text(name), .text = memory_text(text)};
    results->cells = memory_resize(results->cells, (count + 1) * columns, sizeof *results->cells);
    for (size_t i = 0; i < columns; i++) {
        results->cells[count * columns + i] = (struct results_cell){.note = memory_text("")};
    }
    return &results->workloads[count];
}

/* ---- looking things up */

struct results_cell *results_cell(const struct results *results, size_t workload, size_t configuration)
{
    assert(workload < results->workload_count && configuration < results->configuration_count);
    return &results->cells[workload * results->configuration_count + configuration];
}

size_t results_find_configuration(const struct results *results, const char *id)
{
    for (size_t i = 0; i < results->configuration_count; i++) {
        if (strcmp(results->configurations[i].id, id) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t results_find_workload(const struct results *results, const char *group, const char *name)
{
    for (size_t i = 0; i < results->workload_count; i++) {
        if (strcmp(results->workloads[i].group, group) == 0 &&
            strcmp(results->workloads[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t results_find_kind(const struct results *results, enum configuration_kind kind)
{
    for (size_t i = 0; i < results->configuration_count; i++) {
        if (results->configurations[i].kind == kind) {
            return i;
        }
    }
    return SIZE_MAX;
}

bool results_has_time(const struct results *results, size_t workload, size_t configuration)
{
    if (configuration == SIZE_MAX) {
        return false;
    }
    const struct results_cell *cell = results_cell(results, workload, configuration);
    return cell->state == CELL_OK && cell->sample_count > 0 && cell->seconds.min > 0;
}

size_t results_row_baseline(const struct results *results, size_t workload)
{
    size_t native = results_find_kind(results, CONFIGURATION_NATIVE);
    return results_has_time(results, workload, native) ? native
                                                       : results_find_kind(results, CONFIGURATION_QEMU);
}

/* ---- what the times say */

void results_add_sample(struct results_cell *cell, const struct results_sample *sample)
{
    cell->samples = memory_resize(cell->samples, cell->sample_count + 1, sizeof *cell->samples);
    cell->samples[cell->sample_count++] = *sample;
}

void results_summarize_cell(struct results_cell *cell)
{
    double *seconds = memory_allocate(cell->sample_count, sizeof *seconds);
    for (size_t i = 0; i < cell->sample_count; i++) {
        seconds[i] = cell->samples[i].seconds / (double)cell->samples[i].rounds;
    }
    cell->seconds = statistics_of(seconds, cell->sample_count);
    cell->noisy = cell->sample_count >= SAMPLES_TO_TRUST &&
                  statistics_spread(seconds, cell->sample_count) > STATISTICS_NOISE;
    free(seconds);
}

static bool is_in_group(const struct results *results, size_t workload, const char *group)
{
    return group == NULL || strcmp(results->workloads[workload].group, group) == 0;
}

static bool completed_any(const struct results *results, size_t configuration, const char *group)
{
    for (size_t i = 0; i < results->workload_count; i++) {
        if (is_in_group(results, i, group) && results_has_time(results, i, configuration)) {
            return true;
        }
    }
    return false;
}

double results_ratio(const struct results *results, size_t workload, size_t configuration, size_t baseline)
{
    return results_cell(results, workload, configuration)->seconds.min /
           results_cell(results, workload, baseline)->seconds.min;
}

struct results_mean results_geometric_mean(const struct results *results, size_t configuration,
                                           size_t baseline, const char *group)
{
    bool *compared = memory_allocate(results->configuration_count, sizeof *compared);
    for (size_t i = 0; i < results->configuration_count; i++) {
        bool asked_for = i == configuration || i == baseline;
        bool is_native = results->configurations[i].kind == CONFIGURATION_NATIVE;
        compared[i] = asked_for || (!is_native && completed_any(results, i, group));
    }
    double *ratios = memory_allocate(results->workload_count, sizeof *ratios);
    size_t count = 0;
    for (size_t i = 0; i < results->workload_count; i++) {
        bool take = is_in_group(results, i, group);
        for (size_t j = 0; take && j < results->configuration_count; j++) {
            take = !compared[j] || results_has_time(results, i, j);
        }
        if (take) {
            ratios[count++] = results_ratio(results, i, configuration, baseline);
        }
    }
    struct results_mean mean = {.ratio = statistics_geometric_mean(ratios, count), .count = count};
    free(ratios);
    free(compared);
    return mean;
}

double results_instruction_rate(const struct results_cell *cell)
{
    for (size_t i = 0; i < cell->counter_count && cell->state == CELL_OK; i++) {
        if (strcmp(cell->counters[i].name, "instructions") == 0) {
            return cell->counters[i].per_round / cell->seconds.min;
        }
    }
    return (double)NAN;
}

struct results_mean results_mean_instruction_rate(const struct results *results, size_t configuration,
                                                  const char *group)
{
    double *rates = memory_allocate(results->workload_count, sizeof *rates);
    size_t count = 0;
    for (size_t i = 0; i < results->workload_count; i++) {
        double rate = results_instruction_rate(results_cell(results, i, configuration));
        if (is_in_group(results, i, group) && rate > 0) {
            rates[count++] = rate;
        }
    }
    struct results_mean mean = {.ratio = statistics_geometric_mean(rates, count), .count = count};
    free(rates);
    return mean;
}
