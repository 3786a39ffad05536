/* One measured run; see measure.h. */
#include "harness/measure.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/command.h"
#include "harness/memory.h"
#include "harness/process.h"
#include "harness/screen.h"

/* How long a machine may take to switch itself off after its last mark. */
#define GRACE_SECONDS 2.0

/* The least part of a processor that a program gets from a busy host. */
#define LEAST_SHARE 0.1

/* Shorter than the clock can tell, when both marks arrive together. */
#define SHORTEST_SECONDS 1e-6

enum progress { WAITING, STARTED, ENDED, FAILED, CONFUSED };

struct run {
    const struct workload *workload;
    enum progress progress;
    struct process_moment start, end;
    uint32_t checksum;
    uint64_t rounds;
    char text[160];                  /* of a failure, or the line that makes no sense */
    struct measurement *measurement; /* for the results of guests that have several */
    struct screen screen;
};

static void note(struct measurement *measurement, enum cell_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(struct measurement *measurement, enum cell_state state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    measurement->state = state;
    vsnprintf(measurement->note, sizeof measurement->note, format, arguments);
    va_end(arguments);
}

/* ---- listening to a workload */

static bool be_confused(struct run *run, const char *line)
{
    run->progress = CONFUSED;
    snprintf(run->text, sizeof run->text, "%s", line);
    return false;
}

/* Lines that are not the workload's are the firmware's. */
static bool take_program_line(void *opaque, const char *line, struct process_moment moment)
{
    struct run *run = opaque;
    uint32_t checksum;
    uint64_t rounds;
    int length = 0;
    if (strncmp(line, "workload ", 9) == 0) {
        return strcmp(line + 9, run->workload->name) == 0 ? true : be_confused(run, line);
    }
    if (strcmp(line, "start") == 0) {
        if (run->progress != WAITING) {
            return be_confused(run, "a second start");
        }
        run->progress = STARTED;
        run->start = moment;
        return true;
    }
    if (strncmp(line, "failed ", 7) == 0) {
        run->progress = FAILED;
        snprintf(run->text, sizeof run->text, "%s", line + 7);
        return false;
    }
    if (strncmp(line, "end ", 4) == 0) {
        if (run->progress != STARTED ||
            sscanf(line, "end %8" SCNx32 " %" SCNu64 "%n", &checksum, &rounds, &length) != 2 ||
            line[length] != '\0') {
            return be_confused(run, line);
        }
        run->progress = ENDED;
        run->end = moment;
        run->checksum = checksum;
        run->rounds = rounds;
        return false;
    }
    return true;
}

static void take_result(struct run *run, const char *line, double seconds)
{
    struct measurement *measurement = run->measurement;
    struct measure_result result = {.start = measurement->result_count > 0
                                                 ? measurement->results[measurement->result_count - 1].end
                                                 : run->start.seconds,
                                    .end = seconds};
    if (sscanf(line, "TIME %39s", result.name) == 1) {
        measurement->results =
            memory_resize(measurement->results, measurement->result_count + 1, sizeof *measurement->results);
        measurement->results[measurement->result_count++] = result;
    }
}

/* Lines may be seen several times while they grow, but for guests with several results. */
static bool take_boot_line(void *opaque, const char *line, struct process_moment moment)
{
    struct run *run = opaque;
    const struct workload_boot *boot = run->workload->boot;
    if (run->progress == WAITING && strstr(line, boot->marker_start) != NULL) {
        run->progress = STARTED;
        run->start = moment;
        return true;
    }
    if (run->progress == STARTED && boot->result != NULL) {
        take_result(run, line, moment.seconds);
    }
    if (run->progress == STARTED && strstr(line, boot->marker_end) != NULL) {
        run->progress = ENDED;
        run->end = moment;
        return false;
    }
    return true;
}

static bool look_at_screen(void *opaque, double seconds)
{
    struct run *run = opaque;
    if (screen_shows(&run->screen, run->workload->boot->marker_end)) {
        run->progress = ENDED;
        run->end.seconds = seconds;
        return false;
    }
    return true;
}

/* ---- what came of it */

static void read_counters(const char *work, struct measurement *measurement)
{
    char *path = memory_format("%s/" COMMAND_COUNTERS, work);
    FILE *file = fopen(path, "r");
    free(path);
    if (file == NULL) {
        return;
    }
    struct measure_counter counter;
    while (fscanf(file, "%39s %" SCNu64, counter.name, &counter.value) == 2) {
        measurement->counters = memory_resize(measurement->counters, measurement->counter_count + 1,
                                              sizeof *measurement->counters);
        measurement->counters[measurement->counter_count++] = counter;
    }
    fclose(file);
}

/* A workload's program never waits for anything, so that the time in which it had no processor is the host's
 * doing. A program whose own time is next to nothing has others work for it. */
static double working_seconds(const struct run *run)
{
    double seconds = run->end.seconds - run->start.seconds;
    double cpu_seconds = run->end.cpu_seconds - run->start.cpu_seconds;
    return cpu_seconds > LEAST_SHARE * seconds && cpu_seconds < seconds ? cpu_seconds : seconds;
}

static void judge_end(const struct run *run, const struct process_result *process, uint64_t rounds,
                      struct measurement *measurement)
{
    const struct workload *workload = run->workload;
    if (workload->boot == NULL && run->checksum != workload->checksum) {
        note(measurement, CELL_WRONG_CHECKSUM, "%08" PRIx32 " instead of %08" PRIx32, run->checksum,
             workload->checksum);
        return;
    }
    if (workload->boot == NULL && run->rounds != rounds) {
        note(measurement, CELL_GARBLED, "%" PRIu64 " rounds instead of %" PRIu64, run->rounds, rounds);
        return;
    }
    double seconds = workload->boot != NULL ? run->end.seconds - run->start.seconds : working_seconds(run);
    measurement->state = CELL_OK;
    measurement->sample =
        (struct results_sample){.seconds = seconds > SHORTEST_SECONDS ? seconds : SHORTEST_SECONDS,
                                .rounds = rounds,
                                .start_seconds = run->start.seconds,
                                .cpu_seconds = process->cpu_seconds,
                                .peak_rss_kib = process->peak_rss_kib};
}

/* doppel ends when its script has seen the text. */
static bool ended_by_script(const struct workload *workload, const struct configuration *configuration,
                            const struct process_result *process)
{
    return workload->boot != NULL && workload->boot->where == MARKER_SCREEN &&
           configuration->kind == CONFIGURATION_DOPPEL && WIFEXITED(process->wait_status) &&
           WEXITSTATUS(process->wait_status) == 0 && !process->timed_out;
}

static void judge(struct run *run, const struct process_result *process, uint64_t rounds,
                  double timeout_seconds, struct measurement *measurement)
{
    static const char unsupported[] = "unsupported";
    char end[80];
    const char *last_words = process->last_words;
    switch (run->progress) {
    case ENDED: judge_end(run, process, rounds, measurement); return;
    case CONFUSED: note(measurement, CELL_GARBLED, "\"%s\"", run->text); return;
    case FAILED:
        note(measurement,
             strncmp(run->text, unsupported, strlen(unsupported)) == 0 ? CELL_UNSUPPORTED : CELL_FAILED, "%s",
             run->text);
        return;
    default: break;
    }
    if (process->timed_out) {
        note(measurement, CELL_HUNG, "%s within %.0f s",
             run->progress == WAITING ? "did not start" : "did not end", timeout_seconds);
        return;
    }
    process_describe_end(process->wait_status, end, sizeof end);
    note(measurement, CELL_CRASHED, "%s%s%s", end, last_words[0] != '\0' ? ": " : "", last_words);
}

static void listen_to(const struct measure_setup *setup, struct run *run,
                      const struct configuration *configuration, const struct command *command,
                      uint64_t rounds, double timeout_seconds, struct measurement *measurement)
{
    const struct workload_boot *boot = run->workload->boot;
    bool by_screen = boot != NULL && boot->where == MARKER_SCREEN;
    struct process_request request = {.argv = (const char *const *)command->argv,
                                      .environment = command->environment,
                                      .directory = setup->work,
                                      .timeout_seconds = timeout_seconds,
                                      .grace_seconds = boot == NULL ? GRACE_SECONDS : 0,
                                      .partial_lines = boot != NULL && boot->result == NULL,
                                      .line = boot == NULL ? take_program_line : take_boot_line,
                                      .opaque = run};
    if (boot != NULL && boot->marker_start == NULL) {
        run->progress = STARTED; /* with the emulator itself */
    }
    if (by_screen) {
        request.tick = configuration->kind != CONFIGURATION_DOPPEL ? look_at_screen : NULL;
        screen_open(&run->screen, setup->work, configuration->kind == CONFIGURATION_QEMU);
    }
    struct process_result process;
    struct status status = process_run(&request, &process);
    if (by_screen) {
        screen_close(&run->screen);
    }
    if (!status_is_ok(&status)) {
        note(measurement, CELL_MISSING, "%s", status.message);
        return;
    }
    measurement->interrupted = process.interrupted;
    if (ended_by_script(run->workload, configuration, &process)) {
        run->progress = ENDED;
        run->end.seconds = process.seconds;
    }
    judge(run, &process, rounds, timeout_seconds, measurement);
    if (measurement->state == CELL_OK && !process.killed) {
        read_counters(setup->work, measurement);
    }
}

static void remove_old(const char *work, const char *name)
{
    char *path = memory_format("%s/%s", work, name);
    unlink(path);
    free(path);
}

void measure_run(const struct measure_setup *setup, const struct workload *workload,
                 const struct configuration *configuration, uint64_t rounds, double timeout_seconds,
                 struct measurement *measurement)
{
    *measurement = (struct measurement){.state = CELL_MISSING};
    remove_old(setup->work, COMMAND_COUNTERS);
    remove_old(setup->work, COMMAND_MONITOR);
    remove_old(setup->work, SCREEN_FILE);
    struct command command;
    struct status status =
        command_prepare(workload, configuration, rounds, setup->programs, setup->work, &command);
    if (status_is_ok(&status)) {
        struct run run = {.workload = workload, .measurement = measurement};
        listen_to(setup, &run, configuration, &command, rounds, timeout_seconds, measurement);
    } else {
        note(measurement, CELL_MISSING, "%s", status.message);
    }
    command_free(&command);
}

bool measurement_sample(const struct measurement *measurement, const struct workload *workload,
                        struct results_sample *sample)
{
    *sample = measurement->sample;
    if (workload->boot == NULL || workload->boot->result == NULL) {
        return true;
    }
    for (size_t i = 0; i < measurement->result_count; i++) {
        const struct measure_result *result = &measurement->results[i];
        if (strcmp(result->name, workload->boot->result) == 0) {
            double seconds = result->end - result->start;
            sample->seconds = seconds > SHORTEST_SECONDS ? seconds : SHORTEST_SECONDS;
            sample->start_seconds = result->start;
            return true;
        }
    }
    return false;
}

void measurement_free(struct measurement *measurement)
{
    free(measurement->counters);
    free(measurement->results);
    *measurement = (struct measurement){0};
}
