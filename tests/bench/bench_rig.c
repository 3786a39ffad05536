/* What the tests of the bench share; see bench_rig.h. */
#include "bench_rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/memory.h"

#define IMAGE_SIZE        2048
#define PARAMETERS_OFFSET (512 + 32)

struct results *rig_results(void)
{
    struct results *results = results_create();
    results_add_configuration(results, "native", CONFIGURATION_NATIVE);
    results_add_configuration(results, "qemu", CONFIGURATION_QEMU);
    results_add_configuration(results, "interp", CONFIGURATION_DOPPEL);
    results_add_workload(results, "integer", "sort", "sorts");
    results_add_workload(results, "integer", "mix", "mixes");
    results_add_workload(results, "system", "port", "reads a port");
    return results;
}

void rig_fill(struct results *results, size_t workload, size_t configuration, double first, double step,
              size_t count, uint64_t rounds)
{
    struct results_cell *cell = results_cell(results, workload, configuration);
    for (size_t i = 0; i < count; i++) {
        results_add_sample(cell,
                           &(struct results_sample){.seconds = (first + (double)i * step) * (double)rounds,
                                                    .rounds = rounds,
                                                    .start_seconds = 0.25,
                                                    .cpu_seconds = 1.5,
                                                    .peak_rss_kib = 4096 + i});
    }
    cell->state = CELL_OK;
    results_summarize_cell(cell);
}

/* ---- pretended emulators */

static char *write_file(const char *directory, const char *name, const void *bytes, size_t size)
{
    char *path = memory_format("%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        abort();
    }
    return path;
}

static char *make_directory(const char *parent, const char *name)
{
    char *path = memory_format("%s/%s", parent, name);
    if (mkdir(path, 0700) != 0) {
        perror(path);
        abort();
    }
    return path;
}

void rig_create(struct rig *rig)
{
    *rig = (struct rig){.directory = memory_text("/tmp/bench-test.XXXXXX")};
    if (mkdtemp(rig->directory) == NULL) {
        perror("mkdtemp");
        abort();
    }
    rig->programs = make_directory(rig->directory, "programs");
    rig->work = make_directory(rig->directory, "work");
    uint8_t image[IMAGE_SIZE] = {0};
    memcpy(image + PARAMETERS_OFFSET, "DPLBENCH", 8);
    store_le32(image + PARAMETERS_OFFSET + 8, 1);
    free(write_file(rig->programs, "fake.img", image, sizeof image));
    rig->workloads.items = memory_allocate(1, sizeof *rig->workloads.items);
    rig->workloads.count = 1;
    rig->workloads.items[0] =
        (struct workload){.group = "test", .name = "fake", .text = "pretends", .checksum = 0xabcd};
    rig->settings = (struct runner_settings){.setup = {.programs = rig->programs, .work = rig->work},
                                             .repeat = 2,
                                             .wanted_seconds = 0.01,
                                             .timeout_seconds = 20,
                                             .boot_timeout_seconds = 20};
}

void rig_add_boot(struct rig *rig, const char *name, size_t size)
{
    uint8_t *image = memory_allocate(size, 1);
    char *file = memory_format("%s.img", name);
    struct workload_boot boot = {.image = write_file(rig->directory, file, image, size),
                                 .where = MARKER_SERIAL,
                                 .marker_end = memory_text("done"),
                                 .memory_mib = 16};
    workload_list_add_boot(&rig->workloads, "test", name, "boots", WORKLOAD_GUEST, &boot);
    free(file);
    free(image);
}

void rig_add_results(struct rig *rig, const char *names)
{
    uint8_t image[IMAGE_SIZE] = {0};
    struct workload_boot boot = {.image = write_file(rig->directory, "results.img", image, sizeof image),
                                 .where = MARKER_SERIAL,
                                 .marker_start = memory_text("up"),
                                 .marker_end = memory_text("done"),
                                 .memory_mib = 16};
    workload_list_add_results(&rig->workloads, "several", names, "is one of several", WORKLOAD_GUEST, &boot);
}

static int remove_entry(const char *path, const struct stat *information, int type, struct FTW *position)
{
    (void)information;
    (void)type;
    (void)position;
    return remove(path);
}

void rig_destroy(struct rig *rig)
{
    nftw(rig->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    workload_list_destroy(&rig->workloads);
    configuration_list_destroy(&rig->configurations);
    free(rig->programs);
    free(rig->work);
    free(rig->directory);
}

void rig_add_program(struct rig *rig, const char *id, const char *program)
{
    struct configuration_list *list = &rig->configurations;
    list->items = memory_resize(list->items, list->count + 1, sizeof *list->items);
    struct configuration *configuration = &list->items[list->count++];
    *configuration = (struct configuration){.kind = CONFIGURATION_DOPPEL,
                                            .program = memory_text(program),
                                            .version = memory_text("1"),
                                            .built = true,
                                            .available = true,
                                            .note = memory_text("")};
    snprintf(configuration->id, sizeof configuration->id, "%s", id);
}

void rig_add_script(struct rig *rig, const char *id, const char *body)
{
    char *text =
        memory_format("#!/bin/sh\n"
                      "rounds=$(od -An -tu4 -j556 -N4 image | tr -d ' ')\n"
                      "good() { echo workload fake; echo start; sleep 0.05; echo end 0000abcd $rounds; }\n"
                      "%s\n",
                      body);
    char *path = write_file(rig->directory, id, text, strlen(text));
    chmod(path, 0700);
    rig_add_program(rig, id, path);
    free(path);
    free(text);
}

struct results *rig_empty_results(const struct rig *rig)
{
    struct results *results = results_create();
    for (size_t i = 0; i < rig->configurations.count; i++) {
        results_add_configuration(results, rig->configurations.items[i].id,
                                  rig->configurations.items[i].kind);
    }
    for (size_t i = 0; i < rig->workloads.count; i++) {
        const struct workload *workload = &rig->workloads.items[i];
        results_add_workload(results, workload->group, workload->name, workload->text);
    }
    return results;
}

struct results *rig_run(struct rig *rig, bool *finished)
{
    struct results *results = rig_empty_results(rig);
    bool ended = runner_run(results, &rig->workloads, &rig->configurations, &rig->settings,
                            &(struct runner_listener){0});
    if (finished != NULL) {
        *finished = ended;
    }
    return results;
}

void rig_read(const struct rig *rig, const char *name, char *text, size_t size)
{
    char *path = memory_format("%s/%s", rig->directory, name);
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, size - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    free(path);
}
