/* Results as a JSON file, through jansson; see results_json.h.
 *
 * What can be derived (medians, means) is written for those who read the file with other programs, and not
 * read back. */
#include "harness/results_json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/memory.h"

static const char *const kind_names[] = {[CONFIGURATION_NATIVE] = "native",
                                         [CONFIGURATION_QEMU] = "qemu",
                                         [CONFIGURATION_BOCHS] = "bochs",
                                         [CONFIGURATION_DOPPEL] = "doppel"};

/* ---- writing */

/* jansson refuses what is not UTF-8, such as the output of a program that crashed: other bytes become '?'. */
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    if (value == NULL) {
        char *clean = memory_text(text);
        for (char *at = clean; *at != '\0'; at++) {
            *at = (unsigned char)*at < 0x80 ? *at : '?';
        }
        value = json_string(clean);
        free(clean);
    }
    return value;
}

/* JSON has no NaN. */
static json_t *number_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *integer_of(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *host_of(const struct results_host *host)
{
    json_t *object = json_object();
    json_object_set_new(object, "cpu", text_of(host->cpu));
    json_object_set_new(object, "cores", integer_of(host->cores));
    json_object_set_new(object, "memory_kib", integer_of(host->memory_kib));
    json_object_set_new(object, "kernel", text_of(host->kernel));
    json_object_set_new(object, "system", text_of(host->system));
    json_object_set_new(object, "load_before", number_of(host->load_before));
    json_object_set_new(object, "load_after", number_of(host->load_after));
    return object;
}

static json_t *settings_of(const struct results_settings *settings)
{
    json_t *object = json_object();
    json_object_set_new(object, "quick", json_boolean(settings->quick));
    json_object_set_new(object, "repeat", integer_of(settings->repeat));
    json_object_set_new(object, "filter", text_of(settings->filter));
    json_object_set_new(object, "selections", text_of(settings->selections));
    return object;
}

static json_t *configuration_of(const struct results_configuration *configuration)
{
    json_t *object = json_object();
    json_object_set_new(object, "id", text_of(configuration->id));
    json_object_set_new(object, "kind", json_string(kind_names[configuration->kind]));
    json_object_set_new(object, "program", text_of(configuration->program));
    json_object_set_new(object, "version", text_of(configuration->version));
    json_object_set_new(object, "available", json_boolean(configuration->available));
    json_object_set_new(object, "note", text_of(configuration->note));
    return object;
}

static json_t *workload_of(const struct results_workload *workload)
{
    json_t *object = json_object();
    json_object_set_new(object, "group", text_of(workload->group));
    json_object_set_new(object, "name", text_of(workload->name));
    json_object_set_new(object, "text", text_of(workload->text));
    json_object_set_new(object, "checksum",
                        workload->has_checksum ? json_sprintf("%08x", workload->checksum) : json_null());
    return object;
}

static json_t *sample_of(const struct results_sample *sample)
{
    json_t *object = json_object();
    json_object_set_new(object, "seconds", number_of(sample->seconds));
    json_object_set_new(object, "rounds", integer_of(sample->rounds));
    json_object_set_new(object, "start_seconds", number_of(sample->start_seconds));
    json_object_set_new(object, "cpu_seconds", number_of(sample->cpu_seconds));
    json_object_set_new(object, "peak_rss_kib", integer_of(sample->peak_rss_kib));
    return object;
}

static json_t *cell_of(const struct results *results, size_t workload, size_t configuration)
{
    const struct results_cell *cell = results_cell(results, workload, configuration);
    json_t *object = json_object();
    json_object_set_new(object, "group", text_of(results->workloads[workload].group));
    json_object_set_new(object, "workload", text_of(results->workloads[workload].name));
    json_object_set_new(object, "configuration", text_of(results->configurations[configuration].id));
    json_object_set_new(object, "state", json_string(cell_state_name(cell->state)));
    json_object_set_new(object, "note", text_of(cell->note));
    json_t *samples = json_array();
    for (size_t i = 0; i < cell->sample_count; i++) {
        json_array_append_new(samples, sample_of(&cell->samples[i]));
    }
    json_object_set_new(object, "samples", samples);
    if (cell->state == CELL_OK) {
        json_object_set_new(object, "median", number_of(cell->seconds.median));
        json_object_set_new(object, "min", number_of(cell->seconds.min));
        json_object_set_new(object, "max", number_of(cell->seconds.max));
        json_object_set_new(object, "noisy", json_boolean(cell->noisy));
    }
    json_t *counters = json_object();
    for (size_t i = 0; i < cell->counter_count; i++) {
        json_t *counter = json_object();
        json_object_set_new(counter, "total", integer_of(cell->counters[i].total));
        json_object_set_new(counter, "per_round", number_of(cell->counters[i].per_round));
        json_object_set_new(counters, cell->counters[i].name, counter);
    }
    json_object_set_new(object, "counters", counters);
    double rate = results_instruction_rate(cell);
    if (rate > 0) {
        json_object_set_new(object, "instructions_per_second", number_of(rate));
    }
    return object;
}

static json_t *mean_of(const struct results *results, size_t configuration, size_t baseline,
                       const char *group)
{
    struct results_mean mean = results_geometric_mean(results, configuration, baseline, group);
    if (mean.count == 0) {
        return NULL;
    }
    json_t *object = json_object();
    json_object_set_new(object, "configuration", text_of(results->configurations[configuration].id));
    json_object_set_new(object, "baseline", text_of(results->configurations[baseline].id));
    json_object_set_new(object, "group", group != NULL ? text_of(group) : json_null());
    json_object_set_new(object, "ratio", number_of(mean.ratio));
    json_object_set_new(object, "workloads", integer_of(mean.count));
    return object;
}

static void append_means(json_t *means, const struct results *results, const char *group)
{
    for (size_t i = 0; i < results->configuration_count; i++) {
        for (size_t j = 0; j < results->configuration_count; j++) {
            json_t *mean = i != j ? mean_of(results, i, j, group) : NULL;
            if (mean != NULL) {
                json_array_append_new(means, mean);
            }
        }
    }
}

static json_t *means_of(const struct results *results)
{
    json_t *means = json_array();
    append_means(means, results, NULL);
    for (size_t i = 0; i < results->workload_count; i++) {
        if (i == 0 || strcmp(results->workloads[i].group, results->workloads[i - 1].group) != 0) {
            append_means(means, results, results->workloads[i].group);
        }
    }
    return means;
}

static json_t *document_of(const struct results *results)
{
    json_t *document = json_object();
    json_object_set_new(document, "schema", json_integer(RESULTS_SCHEMA));
    json_object_set_new(document, "program", json_string("doppel-bench"));
    json_object_set_new(document, "version", text_of(results->host.version));
    json_object_set_new(document, "commit", text_of(results->host.commit));
    json_object_set_new(document, "date", text_of(results->host.date));
    json_object_set_new(document, "complete", json_boolean(results->complete));
    json_object_set_new(document, "elapsed_seconds", number_of(results->elapsed_seconds));
    json_object_set_new(document, "host", host_of(&results->host));
    json_object_set_new(document, "settings", settings_of(&results->settings));
    json_t *configurations = json_array();
    for (size_t i = 0; i < results->configuration_count; i++) {
        json_array_append_new(configurations, configuration_of(&results->configurations[i]));
    }
    json_object_set_new(document, "configurations", configurations);
    json_t *workloads = json_array();
    json_t *cells = json_array();
    for (size_t i = 0; i < results->workload_count; i++) {
        json_array_append_new(workloads, workload_of(&results->workloads[i]));
        for (size_t j = 0; j < results->configuration_count; j++) {
            json_array_append_new(cells, cell_of(results, i, j));
        }
    }
    json_object_set_new(document, "workloads", workloads);
    json_object_set_new(document, "cells", cells);
    json_object_set_new(document, "geometric_means", means_of(results));
    return document;
}

/* Devices and pipes cannot be replaced: they are written to. */
static bool is_replaceable(const char *path)
{
    struct stat information;
    return stat(path, &information) != 0 || S_ISREG(information.st_mode);
}

struct status results_write_json(const struct results *results, const char *path)
{
    bool replace = is_replaceable(path);
    char *temporary = replace ? memory_format("%s.tmp", path) : memory_text(path);
    json_t *document = document_of(results);
    struct status status = status_ok();
    FILE *file = fopen(temporary, "w");
    bool written = file != NULL && json_dumpf(document, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 &&
                   fputc('\n', file) != EOF;
    int error = errno;
    if (file != NULL && fclose(file) != 0 && written) {
        written = false;
        error = errno;
    }
    if (written && replace && rename(temporary, path) != 0) {
        written = false;
        error = errno;
    }
    if (!written) {
        status = status_from_errno(error, "cannot write the results %s", path);
        if (file != NULL && replace) {
            unlink(temporary);
        }
    }
    json_decref(document);
    free(temporary);
    return status;
}

/* ---- reading
 *
 * A reader notes the first thing that is wrong and goes on with harmless values, so that its callers need not
 * look after every step. */

struct reader {
    const char *problem; /* NULL: none so far */
};

static void complain(struct reader *reader, const char *problem)
{
    if (reader->problem == NULL) {
        reader->problem = problem;
    }
}

static const char *read_text(struct reader *reader, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL) {
        complain(reader, key);
    }
    return text != NULL ? text : "";
}

/* null is NaN. */
static double read_number(struct reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value) && !json_is_null(value)) {
        complain(reader, key);
    }
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static uint64_t read_integer(struct reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        complain(reader, key);
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static bool read_boolean(struct reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value)) {
        complain(reader, key);
    }
    return json_is_true(value);
}

static const json_t *read_array(struct reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_array(value)) {
        complain(reader, key);
    }
    return value;
}

static void read_host(struct reader *reader, const json_t *document, struct results_host *host)
{
    const json_t *object = json_object_get(document, "host");
    results_set(&host->version, read_text(reader, document, "version"));
    results_set(&host->commit, read_text(reader, document, "commit"));
    results_set(&host->date, read_text(reader, document, "date"));
    results_set(&host->cpu, read_text(reader, object, "cpu"));
    results_set(&host->kernel, read_text(reader, object, "kernel"));
    results_set(&host->system, read_text(reader, object, "system"));
    host->cores = (unsigned)read_integer(reader, object, "cores");
    host->memory_kib = read_integer(reader, object, "memory_kib");
    host->load_before = read_number(reader, object, "load_before");
    host->load_after = read_number(reader, object, "load_after");
}

static void read_settings(struct reader *reader, const json_t *document, struct results_settings *settings)
{
    const json_t *object = json_object_get(document, "settings");
    settings->quick = read_boolean(reader, object, "quick");
    settings->repeat = (unsigned)read_integer(reader, object, "repeat");
    results_set(&settings->filter, read_text(reader, object, "filter"));
    results_set(&settings->selections, read_text(reader, object, "selections"));
}

static void read_configuration(struct reader *reader, const json_t *object, struct results *results)
{
    const char *id = read_text(reader, object, "id");
    const char *name = read_text(reader, object, "kind");
    enum configuration_kind kind = CONFIGURATION_DOPPEL;
    bool found = false;
    for (size_t i = 0; i < ARRAY_COUNT(kind_names); i++) {
        if (strcmp(kind_names[i], name) == 0) {
            kind = (enum configuration_kind)i;
            found = true;
        }
    }
    if (!found || results_find_configuration(results, id) != SIZE_MAX) {
        complain(reader, "configurations");
    }
    struct results_configuration *configuration = results_add_configuration(results, id, kind);
    results_set(&configuration->program, read_text(reader, object, "program"));
    results_set(&configuration->version, read_text(reader, object, "version"));
    results_set(&configuration->note, read_text(reader, object, "note"));
    configuration->available = read_boolean(reader, object, "available");
}

static void read_workload(struct reader *reader, const json_t *object, struct results *results)
{
    const char *group = read_text(reader, object, "group");
    const char *name = read_text(reader, object, "name");
    if (results_find_workload(results, group, name) != SIZE_MAX) {
        complain(reader, "workloads");
    }
    struct results_workload *workload =
        results_add_workload(results, group, name, read_text(reader, object, "text"));
    const json_t *checksum = json_object_get(object, "checksum");
    workload->has_checksum = json_is_string(checksum);
    if (workload->has_checksum) {
        workload->checksum = (uint32_t)strtoul(json_string_value(checksum), NULL, 16);
    } else if (!json_is_null(checksum)) {
        complain(reader, "checksum");
    }
}

static void read_sample(struct reader *reader, const json_t *object, struct results_cell *cell)
{
    struct results_sample sample = {.seconds = read_number(reader, object, "seconds"),
                                    .rounds = read_integer(reader, object, "rounds"),
                                    .start_seconds = read_number(reader, object, "start_seconds"),
                                    .cpu_seconds = read_number(reader, object, "cpu_seconds"),
                                    .peak_rss_kib = read_integer(reader, object, "peak_rss_kib")};
    if (!(sample.seconds > 0) || sample.rounds == 0) {
        complain(reader, "samples");
        return;
    }
    results_add_sample(cell, &sample);
}

static void read_counters(struct reader *reader, const json_t *object, struct results_cell *cell)
{
    const json_t *counters = json_object_get(object, "counters");
    if (!json_is_object(counters)) {
        complain(reader, "counters");
        return;
    }
    const char *name;
    const json_t *value;
    cell->counters = memory_allocate(json_object_size(counters), sizeof *cell->counters);
    json_object_foreach((json_t *)counters, name, value)
    {
        cell->counters[cell->counter_count++] =
            (struct results_counter){.name = memory_text(name),
                                     .total = read_integer(reader, value, "total"),
                                     .per_round = read_number(reader, value, "per_round")};
    }
}

static void read_cell(struct reader *reader, const json_t *object, struct results *results)
{
    size_t workload = results_find_workload(results, read_text(reader, object, "group"),
                                            read_text(reader, object, "workload"));
    size_t configuration = results_find_configuration(results, read_text(reader, object, "configuration"));
    if (workload == SIZE_MAX || configuration == SIZE_MAX) {
        complain(reader, "cells");
        return;
    }
    struct results_cell *cell = results_cell(results, workload, configuration);
    if (cell->sample_count > 0 || cell->counters != NULL ||
        !cell_state_from_name(read_text(reader, object, "state"), &cell->state)) {
        complain(reader, "cells");
        return;
    }
    results_set(&cell->note, read_text(reader, object, "note"));
    const json_t *samples = read_array(reader, object, "samples");
    for (size_t i = 0; i < json_array_size(samples); i++) {
        read_sample(reader, json_array_get(samples, i), cell);
    }
    if (cell->state == CELL_OK && cell->sample_count == 0) {
        complain(reader, "samples");
    }
    read_counters(reader, object, cell);
    results_summarize_cell(cell);
}

static void read_document(struct reader *reader, const json_t *document, struct results *results)
{
    read_host(reader, document, &results->host);
    read_settings(reader, document, &results->settings);
    results->complete = read_boolean(reader, document, "complete");
    results->elapsed_seconds = read_number(reader, document, "elapsed_seconds");
    const json_t *configurations = read_array(reader, document, "configurations");
    for (size_t i = 0; i < json_array_size(configurations); i++) {
        read_configuration(reader, json_array_get(configurations, i), results);
    }
    const json_t *workloads = read_array(reader, document, "workloads");
    for (size_t i = 0; i < json_array_size(workloads); i++) {
        read_workload(reader, json_array_get(workloads, i), results);
    }
    const json_t *cells = read_array(reader, document, "cells");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        read_cell(reader, json_array_get(cells, i), results);
    }
}

struct status results_read_json(const char *path, struct results **results)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return status_from_errno(errno, "cannot read the results %s", path);
    }
    json_error_t error;
    json_t *document = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    if (document == NULL) {
        return status_error(STATUS_CORRUPT, "%s is not JSON: line %d: %s", path, error.line, error.text);
    }
    struct status status = status_ok();
    const json_t *schema = json_object_get(document, "schema");
    const char *program = json_string_value(json_object_get(document, "program"));
    if (program == NULL || strcmp(program, "doppel-bench") != 0 || !json_is_integer(schema)) {
        status = status_error(STATUS_CORRUPT, "%s holds no results of doppel-bench", path);
    } else if (json_integer_value(schema) != RESULTS_SCHEMA) {
        status = status_error(STATUS_UNSUPPORTED, "%s has schema %lld; this doppel-bench reads schema %d",
                              path, (long long)json_integer_value(schema), RESULTS_SCHEMA);
    } else {
        struct reader reader = {0};
        *results = results_create();
        read_document(&reader, document, *results);
        if (reader.problem != NULL) {
            status = status_error(STATUS_CORRUPT, "%s is damaged: \"%s\" is missing or makes no sense", path,
                                  reader.problem);
            results_destroy(*results);
            *results = NULL;
        }
    }
    json_decref(document);
    return status;
}
