/* Calibration and interleaved passes; see runner.h. */
#include "harness/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/command.h"
#include "harness/memory.h"
#include "harness/process.h"

/* A calibration shorter than this says little: it is repeated with more rounds. */
#define TRUSTED_SECONDS 0.03
#define LARGEST_ROUNDS  1000000

/* Taking a process up and down, beside what it tells of itself. */
#define OVERHEAD_SECONDS 0.05

#define CHECKPOINT_SECONDS 10.0

struct task {
    bool runs;            /* has a place in the passes */
    uint64_t rounds;      /* of a measured run */
    double round_seconds; /* the latest estimate */
    double start_seconds;
    unsigned repeat; /* measured runs that are still to come */
    struct results_sample calibration;
    struct measure_counter *counters; /* of the calibration */
    size_t counter_count;
    uint64_t counter_rounds;
};

struct runner {
    struct results *results;
    const struct workload_list *workloads;
    const struct configuration_list *configurations;
    const struct runner_settings *settings;
    const struct runner_listener *listener;
    struct task *tasks; /* as results->cells */
    double started;
    double last_checkpoint;
    uint32_t random;
    size_t calibrated, to_calibrate;
    double calibration_seconds; /* spent so far */
    bool interrupted;
};

uint64_t runner_rounds(double round_seconds, double wanted_seconds)
{
    if (!(round_seconds > 0) || wanted_seconds / round_seconds > LARGEST_ROUNDS) {
        return LARGEST_ROUNDS;
    }
    uint64_t rounds = (uint64_t)(wanted_seconds / round_seconds + 0.5);
    return rounds > 0 ? rounds : 1;
}

void runner_fit_budget(struct runner_part *parts, size_t count, double budget_seconds)
{
    for (;;) {
        double total = 0;
        struct runner_part *largest = NULL;
        for (size_t i = 0; i < count; i++) {
            double cost = parts[i].cost * parts[i].repeat;
            total += cost;
            if (cost > 0 && (largest == NULL || cost > largest->cost * largest->repeat)) {
                largest = &parts[i];
            }
        }
        if (total <= budget_seconds || largest == NULL) {
            return;
        }
        largest->repeat--;
    }
}

void runner_share_rounds(uint64_t *rounds, size_t count)
{
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = rounds[i] > most ? rounds[i] : most;
    }
    for (size_t i = 0; i < count; i++) {
        if (4 * rounds[i] >= most) {
            rounds[i] = most;
        }
    }
}

void runner_shuffle(size_t *order, size_t count, uint32_t *random)
{
    for (size_t i = 0; i < count; i++) {
        *random ^= *random << 13; /* xorshift32, Marsaglia 2003 */
        *random ^= *random >> 17;
        *random ^= *random << 5;
        size_t place = *random % (i + 1);
        order[i] = order[place];
        order[place] = i;
    }
}

static struct task *task_at(const struct runner *runner, size_t row, size_t column)
{
    return &runner->tasks[row * runner->configurations->count + column];
}

static double run_cost(const struct task *task)
{
    return task->start_seconds + (double)task->rounds * task->round_seconds + OVERHEAD_SECONDS;
}

static double elapsed(const struct runner *runner)
{
    return process_clock() - runner->started;
}

static double budget_left(const struct runner *runner)
{
    double budget = runner->settings->budget_seconds;
    return budget > 0 ? budget - elapsed(runner) : 1e9;
}

/* ---- telling */

/* What is known to be still to run; cells that are not calibrated count as an average one. */
static double remaining_seconds(const struct runner *runner)
{
    double known = 0;
    size_t count = runner->configurations->count * runner->workloads->count;
    for (size_t i = 0; i < count; i++) {
        known += runner->tasks[i].repeat * (runner->tasks[i].runs ? run_cost(&runner->tasks[i]) : 0);
    }
    size_t left = runner->to_calibrate - runner->calibrated;
    if (runner->calibrated > 0) {
        double done = (double)runner->calibrated;
        known += (double)left * (runner->calibration_seconds + known) / done;
    } else if (left > 0) {
        return runner->settings->budget_seconds > 0 ? runner->settings->budget_seconds : -1;
    }
    double budget = budget_left(runner);
    return known < budget ? known : budget;
}

static void tell_progress(const struct runner *runner, size_t row, size_t column, const char *phase,
                          size_t done, size_t total)
{
    struct runner_progress progress = {.workload_group = runner->workloads->items[row].group,
                                       .workload = runner->workloads->items[row].name,
                                       .configuration = runner->configurations->items[column].id,
                                       .phase = phase,
                                       .done = done,
                                       .total = total,
                                       .remaining_seconds = remaining_seconds(runner)};
    if (runner->listener->progress != NULL) {
        runner->listener->progress(runner->listener->opaque, &progress);
    }
}

static void tell_trouble(const struct runner *runner, size_t row, size_t column)
{
    if (runner->listener->trouble != NULL) {
        runner->listener->trouble(runner->listener->opaque, runner->results, row, column);
    }
}

static void checkpoint(struct runner *runner)
{
    double now = process_clock();
    if (runner->listener->checkpoint != NULL && now - runner->last_checkpoint >= CHECKPOINT_SECONDS) {
        runner->last_checkpoint = now;
        runner->listener->checkpoint(runner->listener->opaque, runner->results);
    }
}

/* ---- counters */

static uint64_t calibration_counter(const struct task *task, const char *name)
{
    for (size_t i = 0; i < task->counter_count; i++) {
        if (strcmp(task->counters[i].name, name) == 0) {
            return task->counters[i].value;
        }
    }
    return 0;
}

static double counter_per_round(const struct task *task, const struct measure_counter *counter,
                                uint64_t rounds)
{
    if (task->counters == NULL || rounds == task->counter_rounds) {
        return (double)NAN;
    }
    double more = (double)counter->value - (double)calibration_counter(task, counter->name);
    return more / ((double)rounds - (double)task->counter_rounds);
}

/* Those of the latest run take the place of the older ones. */
static void take_counters(const struct task *task, struct results_cell *cell,
                          const struct measurement *measurement)
{
    for (size_t i = 0; i < cell->counter_count; i++) {
        free(cell->counters[i].name);
    }
    cell->counters = memory_resize(cell->counters, measurement->counter_count, sizeof *cell->counters);
    cell->counter_count = measurement->counter_count;
    for (size_t i = 0; i < measurement->counter_count; i++) {
        const struct measure_counter *counter = &measurement->counters[i];
        cell->counters[i] = (struct results_counter){
            .name = memory_text(counter->name),
            .total = counter->value,
            .per_round = counter_per_round(task, counter, measurement->sample.rounds)};
    }
}

/* ---- one run */

static double full_timeout(const struct runner *runner, size_t row)
{
    const struct workload_boot *boot = runner->workloads->items[row].boot;
    if (boot == NULL) {
        return runner->settings->timeout_seconds;
    }
    return boot->timeout_seconds > 0 ? boot->timeout_seconds : runner->settings->boot_timeout_seconds;
}

/* The wanted runs of a row. */
static unsigned wanted_repeat(const struct runner *runner, size_t row)
{
    const struct workload_boot *boot = runner->workloads->items[row].boot;
    unsigned wanted = runner->settings->repeat;
    return boot != NULL && boot->repeat > 0 && boot->repeat < wanted ? boot->repeat : wanted;
}

/* Rows that are timed in the run of the row before them. */
static bool is_follower(const struct runner *runner, size_t row)
{
    return row > 0 && workload_guest_end(runner->workloads, row - 1) > row;
}

static void set_state(struct runner *runner, size_t row, size_t column, enum cell_state state,
                      const char *text)
{
    for (size_t end = workload_guest_end(runner->workloads, row); row < end; row++) {
        struct results_cell *cell = results_cell(runner->results, row, column);
        cell->state = state;
        results_set(&cell->note, text);
    }
}

static double timeout_now(const struct runner *runner, size_t row)
{
    double left = budget_left(runner);
    double timeout = full_timeout(runner, row);
    return left < timeout ? (left > 1 ? left : 1) : timeout;
}

/* Returns whether it ended well; what went wrong is in the cell then. */
static bool run_cell(struct runner *runner, size_t row, size_t column, uint64_t rounds,
                     struct measurement *measurement)
{
    double timeout = timeout_now(runner, row);
    measure_run(&runner->settings->setup, &runner->workloads->items[row],
                &runner->configurations->items[column], rounds, timeout, measurement);
    if (measurement->interrupted || process_is_interrupted()) {
        runner->interrupted = true;
        return false;
    }
    if (measurement->state == CELL_OK) {
        return true;
    }
    if (measurement->state == CELL_HUNG && timeout < full_timeout(runner, row)) {
        return false; /* its time was cut short: that proves nothing */
    }
    set_state(runner, row, column, measurement->state, measurement->note);
    tell_trouble(runner, row, column);
    return false;
}

/* Gives the times of a run to all rows that it was for. */
static void add_samples(struct runner *runner, size_t row, size_t column,
                        const struct measurement *measurement)
{
    for (size_t end = workload_guest_end(runner->workloads, row); row < end; row++) {
        const struct workload *workload = &runner->workloads->items[row];
        struct results_cell *cell = results_cell(runner->results, row, column);
        struct results_sample sample;
        if (measurement_sample(measurement, workload, &sample)) {
            results_add_sample(cell, &sample);
            results_summarize_cell(cell);
            cell->state = CELL_OK;
        } else {
            cell->state = CELL_FAILED;
            char *text = memory_format("the guest printed no line TIME %s", workload->boot->result);
            results_set(&cell->note, text);
            free(text);
        }
    }
}

static void take_estimates(struct task *task, const struct measurement *measurement)
{
    task->start_seconds = measurement->sample.start_seconds;
    task->round_seconds = measurement->sample.seconds / (double)measurement->sample.rounds;
}

/* The times, counters and estimates of a measured run. The counters of a run that is several rows' are
 * nobody's. */
static void take_run(struct runner *runner, size_t row, size_t column, const struct measurement *measurement)
{
    struct task *task = task_at(runner, row, column);
    const struct workload_boot *boot = runner->workloads->items[row].boot;
    add_samples(runner, row, column, measurement);
    if (boot == NULL || boot->result == NULL) {
        take_counters(task, results_cell(runner->results, row, column), measurement);
    }
    take_estimates(task, measurement);
}

/* ---- calibration */

static void keep_counters(struct task *task, struct measurement *measurement)
{
    free(task->counters);
    task->counters = measurement->counters;
    task->counter_count = measurement->counter_count;
    task->counter_rounds = measurement->sample.rounds;
    measurement->counters = NULL;
    measurement->counter_count = 0;
}

/* Boots are all alike: there is nothing to calibrate. */
static void run_boot_first(struct runner *runner, size_t row, size_t column)
{
    struct task *task = task_at(runner, row, column);
    unsigned have = (unsigned)results_cell(runner->results, row, column)->sample_count + 1;
    unsigned wanted = wanted_repeat(runner, row);
    struct measurement measurement;
    if (run_cell(runner, row, column, 1, &measurement)) {
        take_run(runner, row, column, &measurement);
        task->rounds = 1;
        task->runs = true;
        task->repeat = wanted > have ? wanted - have : 0;
    }
    measurement_free(&measurement);
}

/* A long calibration is as good as any other run, but for doppel, whose counters need two of different
 * lengths. */
static bool is_as_good_as_measured(const struct runner *runner, size_t column,
                                   const struct results_sample *calibration)
{
    return runner->configurations->items[column].kind != CONFIGURATION_DOPPEL &&
           calibration->seconds >= runner->settings->wanted_seconds / 2;
}

/* A single round may have more in it than others, such as memory that is touched for the first time. */
static bool is_trusted(const struct runner *runner, const struct results_sample *calibration)
{
    return calibration->rounds >= LARGEST_ROUNDS ||
           calibration->seconds >= runner->settings->wanted_seconds / 2 ||
           (calibration->rounds > 1 && calibration->seconds >= TRUSTED_SECONDS);
}

static void set_rounds(struct task *task, uint64_t rounds)
{
    /* What a round counts is the difference of two runs. */
    task->rounds = task->counters != NULL && rounds == task->counter_rounds ? rounds + 1 : rounds;
}

static void calibrate(struct runner *runner, size_t row, size_t column)
{
    struct task *task = task_at(runner, row, column);
    struct results_cell *cell = results_cell(runner->results, row, column);
    uint64_t rounds = 1;
    for (;;) {
        struct measurement measurement;
        bool good = run_cell(runner, row, column, rounds, &measurement);
        if (!good) {
            measurement_free(&measurement);
            return;
        }
        task->calibration = measurement.sample;
        take_estimates(task, &measurement);
        if (cell->sample_count == 0) {
            take_counters(task, cell, &measurement);
        }
        keep_counters(task, &measurement);
        measurement_free(&measurement);
        if (is_trusted(runner, &task->calibration)) {
            break;
        }
        uint64_t more = runner_rounds(task->round_seconds, 4 * TRUSTED_SECONDS);
        rounds = more > 2 * rounds ? (more < 100 * rounds ? more : 100 * rounds) : 2 * rounds;
    }
    set_rounds(task, runner_rounds(task->round_seconds, runner->settings->wanted_seconds));
    task->runs = true;
    unsigned have = (unsigned)cell->sample_count;
    unsigned wanted = wanted_repeat(runner, row);
    task->repeat = wanted > have ? wanted - have : 0;
    if (task->repeat > 0 && is_as_good_as_measured(runner, column, &task->calibration)) {
        results_add_sample(cell, &task->calibration);
        results_summarize_cell(cell);
        cell->state = CELL_OK;
        task->repeat--;
    }
}

/* doppel's columns of a row that are about as fast as each other do the same number of rounds. */
static void share_rounds(struct runner *runner, size_t row)
{
    size_t columns = runner->configurations->count;
    uint64_t *rounds = memory_allocate(columns, sizeof *rounds);
    for (size_t column = 0; column < columns; column++) {
        const struct task *task = task_at(runner, row, column);
        rounds[column] = task->counters != NULL ? task->rounds : 0;
    }
    runner_share_rounds(rounds, columns);
    for (size_t column = 0; column < columns; column++) {
        if (rounds[column] != 0) {
            set_rounds(task_at(runner, row, column), rounds[column]);
        }
    }
    free(rounds);
}

/* What can be said without running anything. Returns whether it has to be run. */
static bool must_run(struct runner *runner, size_t row, size_t column)
{
    const struct configuration *configuration = &runner->configurations->items[column];
    struct results_cell *cell = results_cell(runner->results, row, column);
    if (!command_is_applicable(&runner->workloads->items[row], configuration)) {
        cell->state = CELL_NOT_APPLICABLE;
        return false;
    }
    if (!configuration->available) {
        cell->state = configuration->built ? CELL_MISSING : CELL_NOT_BUILT;
        results_set(&cell->note, configuration->note);
        return false;
    }
    if (cell->state == CELL_MISSING) { /* of a resumed run: it may be there by now */
        cell->state = CELL_PENDING;
        results_set(&cell->note, "");
    }
    return cell->state == CELL_PENDING ||
           (cell->state == CELL_OK && cell->sample_count < wanted_repeat(runner, row));
}

/* Rows in the order of calibration: the first of every group, the second of every group, and so on, so that a
 * run that is out of time knows something about all of them. The caller frees it. */
static size_t *calibration_order(const struct runner *runner)
{
    const struct workload *rows = runner->workloads->items;
    size_t count = runner->workloads->count;
    size_t *order = memory_allocate(count, sizeof *order);
    size_t filled = 0;
    for (size_t turn = 0; filled < count; turn++) {
        size_t number = 0; /* of the row in its group */
        for (size_t row = 0; row < count; row++) {
            number = row > 0 && strcmp(rows[row].group, rows[row - 1].group) == 0 ? number + 1 : 0;
            if (number == turn) {
                order[filled++] = row;
            }
        }
    }
    return order;
}

static void calibrate_row(struct runner *runner, size_t row, const bool *wanted)
{
    size_t columns = runner->configurations->count;
    for (size_t column = 0; column < columns && !runner->interrupted && budget_left(runner) > 0; column++) {
        if (wanted[row * columns + column]) {
            tell_progress(runner, row, column, "calibration", runner->calibrated, runner->to_calibrate);
            double before = process_clock();
            if (runner->workloads->items[row].boot != NULL) {
                run_boot_first(runner, row, column);
            } else {
                calibrate(runner, row, column);
            }
            runner->calibration_seconds += process_clock() - before;
            runner->calibrated++;
            checkpoint(runner);
        }
    }
    share_rounds(runner, row);
}

static void calibrate_all(struct runner *runner)
{
    size_t columns = runner->configurations->count;
    size_t count = runner->workloads->count * columns;
    bool *wanted = memory_allocate(count, sizeof *wanted);
    for (size_t i = 0; i < count; i++) {
        wanted[i] = must_run(runner, i / columns, i % columns) && !is_follower(runner, i / columns);
        runner->to_calibrate += wanted[i];
    }
    size_t *order = calibration_order(runner);
    for (size_t i = 0; i < runner->workloads->count; i++) {
        calibrate_row(runner, order[i], wanted);
    }
    runner->to_calibrate = runner->calibrated;
    free(order);
    free(wanted);
}

/* ---- passes */

/* What loses passes together: the programs of a column, and its boots, which take as long as all of them. */
static size_t part_of(const struct runner *runner, size_t row, size_t column)
{
    return 2 * column + (runner->workloads->items[row].boot != NULL);
}

static unsigned largest_repeat(const struct runner *runner)
{
    unsigned largest = 0;
    for (size_t i = 0; i < runner->workloads->count * runner->configurations->count; i++) {
        const struct task *task = &runner->tasks[i];
        largest = task->runs && task->repeat > largest ? task->repeat : largest;
    }
    return largest;
}

static void fit_budget(struct runner *runner)
{
    if (runner->settings->budget_seconds <= 0) {
        return;
    }
    size_t columns = runner->configurations->count;
    size_t cells = columns * runner->workloads->count;
    struct runner_part *parts = memory_allocate(2 * columns, sizeof *parts);
    for (size_t i = 0; i < cells; i++) {
        const struct task *task = &runner->tasks[i];
        struct runner_part *part = &parts[part_of(runner, i / columns, i % columns)];
        if (task->runs && task->repeat > 0) {
            part->cost += run_cost(task);
            part->repeat = task->repeat > part->repeat ? task->repeat : part->repeat;
        }
    }
    runner_fit_budget(parts, 2 * columns, budget_left(runner));
    for (size_t i = 0; i < cells; i++) {
        unsigned repeat = parts[part_of(runner, i / columns, i % columns)].repeat;
        runner->tasks[i].repeat = runner->tasks[i].repeat < repeat ? runner->tasks[i].repeat : repeat;
    }
    free(parts);
}

static void measure_cell(struct runner *runner, size_t row, size_t column)
{
    struct task *task = task_at(runner, row, column);
    struct measurement measurement;
    if (run_cell(runner, row, column, task->rounds, &measurement)) {
        take_run(runner, row, column, &measurement);
        task->repeat--;
    } else {
        task->runs = false; /* its state says why, unless nobody knows */
    }
    measurement_free(&measurement);
}

static void run_pass(struct runner *runner, unsigned pass, unsigned passes)
{
    char phase[48];
    size_t columns = runner->configurations->count;
    size_t rows = runner->workloads->count;
    size_t total = 0;
    size_t done = 0;
    snprintf(phase, sizeof phase, "pass %u of %u", pass + 1, passes);
    for (size_t i = 0; i < rows * columns; i++) {
        total += runner->tasks[i].runs && runner->tasks[i].repeat > 0;
    }
    size_t *order = memory_allocate(columns, sizeof *order);
    for (size_t row = 0; row < rows; row++) {
        runner_shuffle(order, columns, &runner->random);
        for (size_t turn = 0; turn < columns && !runner->interrupted; turn++) {
            struct task *task = task_at(runner, row, order[turn]);
            if (task->runs && task->repeat > 0 && run_cost(task) <= budget_left(runner)) {
                tell_progress(runner, row, order[turn], phase, done++, total);
                measure_cell(runner, row, order[turn]);
                checkpoint(runner);
            }
        }
    }
    free(order);
}

/* Where there was time for nothing else, the calibration is the measurement. */
static void use_calibrations(struct runner *runner)
{
    size_t columns = runner->configurations->count;
    for (size_t i = 0; i < runner->workloads->count * columns; i++) {
        struct results_cell *cell = results_cell(runner->results, i / columns, i % columns);
        if (cell->state == CELL_PENDING && cell->sample_count == 0 &&
            runner->tasks[i].calibration.rounds > 0) {
            results_add_sample(cell, &runner->tasks[i].calibration);
            results_summarize_cell(cell);
            cell->state = CELL_OK;
        }
    }
}

/* Cells without any time. Those with fewer times than wanted, because there was no time for more, are done.
 */
static bool anything_is_left(const struct runner *runner)
{
    const struct results *results = runner->results;
    for (size_t i = 0; i < results->workload_count * results->configuration_count; i++) {
        if (results->cells[i].state == CELL_PENDING) {
            return true;
        }
    }
    return runner->interrupted;
}

bool runner_run(struct results *results, const struct workload_list *workloads,
                const struct configuration_list *configurations, const struct runner_settings *settings,
                const struct runner_listener *listener)
{
    struct runner runner = {.results = results,
                            .workloads = workloads,
                            .configurations = configurations,
                            .settings = settings,
                            .listener = listener,
                            .started = process_clock(),
                            .random = 1};
    double spent_before = results->elapsed_seconds;
    size_t count = workloads->count * configurations->count;
    runner.last_checkpoint = runner.started;
    runner.tasks = memory_allocate(count, sizeof *runner.tasks);
    results->complete = false;
    calibrate_all(&runner);
    if (!runner.interrupted) {
        fit_budget(&runner);
        unsigned passes = largest_repeat(&runner);
        for (unsigned pass = 0; pass < passes && !runner.interrupted; pass++) {
            run_pass(&runner, pass, passes);
        }
    }
    use_calibrations(&runner);
    results->complete = !anything_is_left(&runner);
    results->elapsed_seconds = spent_before + elapsed(&runner);
    for (size_t i = 0; i < count; i++) {
        free(runner.tasks[i].counters);
    }
    free(runner.tasks);
    return !runner.interrupted;
}
