/* Runs random streams of instructions on the interpreter and on another engine and compares everything after
 * every few instructions. What differs is made small and printed.
 *
 * usage: random-stream [OPTION VALUE]...; see print_usage(). Exit status: 0 no difference, 1 differences, 2
 * misuse, 77 this build or host has no such engine.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "cpu/engine_config.h"
#include "cpu/model.h"
#include "machine/cpu_compare.h"
#include "machine/engine_factory.h"
#include "stream_pair.h"

#define EXIT_MISUSE  2
#define EXIT_SKIPPED 77
#define HANG_SECONDS 60u /* a stream takes milliseconds */

struct arguments {
    struct stream_pair_config pair;
    struct broken_engine_config fault;
    uint64_t seed, first, streams, instructions, limit, reports;
    uint32_t budget;
    struct stream_choice choice;
};

static void print_usage(FILE *out)
{
    fputs("usage: random-stream [OPTION VALUE]...\n"
          "  --engine, --mmu, --sensitive NAME, --chain on|off: what is tested, as for doppel (interp)\n"
          "  --tb-warm N          times that a block is left to the interpreter first (0)\n"
          "  --tb-size N          MiB for translated code (128)\n"
          "  --cpu MODEL          one with SSE (max)\n"
          "  --seed N             which sequence of streams (1)\n"
          "  --first N            its first stream (0)\n"
          "  --streams N          how many (as --instructions needs)\n"
          "  --instructions N     how many at least (2000000)\n"
          "  --limit N            instructions of a stream (3000)\n"
          "  --budget N           instructions between comparisons (0: random)\n"
          "  --reports N          go on after N-1 streams that differ (1)\n"
          "  --events on|off      devices change memory, mappings and code (off)\n"
          "  --fault MNEMONIC     break the engine: this instruction flips a bit of EDX\n"
          "  --only LIST          of",
          out);
    for (unsigned i = 0; i < FOCUS_COUNT; i++) {
        fprintf(out, " %s", stream_focus_name((enum stream_focus)i));
    }
    fputs("\n  --kinds LIST         of", out);
    for (unsigned i = 0; stream_kind_at(i) != NULL; i++) {
        fprintf(out, " %s", stream_kind_at(i)->name);
    }
    fputc('\n', out);
}

static _Noreturn void misuse(const char *option, const char *value)
{
    fprintf(stderr, "random-stream: %s %s makes no sense\n", option, value);
    print_usage(stderr);
    exit(EXIT_MISUSE);
}

static bool find_focus(const char *name, unsigned *index)
{
    for (*index = 0; *index < FOCUS_COUNT; ++*index) {
        if (strcmp(stream_focus_name((enum stream_focus) * index), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool find_kind(const char *name, unsigned *index)
{
    for (*index = 0; stream_kind_at(*index) != NULL; ++*index) {
        if (strcmp(stream_kind_at(*index)->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t parse_list(const char *option, char *list, bool (*find)(const char *name, unsigned *index))
{
    uint32_t set = 0;
    for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ",")) {
        unsigned index;
        if (!find(word, &index)) {
            misuse(option, word);
        }
        set |= 1u << index;
    }
    return set;
}

static bool parse_choice(const char *option, const char *value, enum engine_axis axis, unsigned *choice)
{
    if (strcmp(option + 2, engine_axis_name(axis)) != 0) {
        return false;
    }
    if (!engine_choice_find(axis, value, choice)) {
        misuse(option, value);
    }
    return true;
}

static enum insn_id find_instruction(const char *option, const char *mnemonic)
{
    for (unsigned id = 1; id < INSN_COUNT; id++) {
        if (strcmp(insn_info((enum insn_id)id)->mnemonic, mnemonic) == 0) {
            return (enum insn_id)id;
        }
    }
    misuse(option, mnemonic);
}

static void parse_number(struct arguments *a, const char *option, const char *value)
{
    const struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {{"--seed", &a->seed},       {"--first", &a->first},
                   {"--streams", &a->streams}, {"--instructions", &a->instructions},
                   {"--limit", &a->limit},     {"--reports", &a->reports}};
    char *end;
    uint64_t number = strtoull(value, &end, 0);
    if (*value == '\0' || *end != '\0') {
        misuse(option, value);
    }
    if (strcmp(option, "--budget") == 0) {
        a->budget = (uint32_t)number;
        return;
    }
    if (strcmp(option, "--tb-warm") == 0 && number <= ENGINE_TB_WARM_MAX) {
        a->pair.engine.tb_warm = (uint8_t)number;
        return;
    }
    if (strcmp(option, "--tb-size") == 0 && number >= 1 && number <= ENGINE_TB_SIZE_MAX) {
        a->pair.engine.tb_size_mib = (unsigned)number;
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        if (strcmp(option, numbers[i].name) == 0) {
            *numbers[i].number = number;
            return;
        }
    }
    misuse(option, value);
}

static void parse_option(struct arguments *a, const char *option, char *value)
{
    unsigned kind = a->pair.engine.kind;
    unsigned mmu = a->pair.engine.mmu;
    unsigned sensitive = a->pair.engine.sensitive;
    if (strncmp(option, "--", 2) != 0) {
        misuse(option, value);
    } else if (parse_choice(option, value, ENGINE_AXIS_ENGINE, &kind) ||
               parse_choice(option, value, ENGINE_AXIS_MMU, &mmu) ||
               parse_choice(option, value, ENGINE_AXIS_SENSITIVE, &sensitive)) {
        a->pair.engine.kind = (enum engine_kind)kind;
        a->pair.engine.mmu = (enum mmu_strategy)mmu;
        a->pair.engine.sensitive = (enum sensitive_strategy)sensitive;
    } else if (strcmp(option, "--chain") == 0) {
        a->pair.engine.unchained = strcmp(value, "off") == 0;
    } else if (strcmp(option, "--events") == 0) {
        a->choice.events = a->pair.events = strcmp(value, "on") == 0;
    } else if (strcmp(option, "--cpu") == 0) {
        a->pair.model = cpu_model_find(value);
    } else if (strcmp(option, "--only") == 0) {
        a->choice.focus = parse_list(option, value, find_focus);
    } else if (strcmp(option, "--kinds") == 0) {
        a->choice.kinds = parse_list(option, value, find_kind);
    } else if (strcmp(option, "--fault") == 0) {
        a->fault = (struct broken_engine_config){
            .breakage = BREAK_REGISTER, .reg = CPU_DX, .after = find_instruction(option, value)};
        a->pair.fault = &a->fault;
    } else {
        parse_number(a, option, value);
    }
    bool has_model = a->pair.model != NULL && cpu_model_has(a->pair.model, FEATURE_SSE);
    if (!has_model || a->choice.focus == 0 || a->choice.kinds == 0) {
        misuse(option, value);
    }
}

static bool has_kind(const struct stream_choice *choice)
{
    bool found = false;
    for (unsigned i = 0; stream_kind_at(i) != NULL; i++) {
        found |= (choice->kinds >> i & 1) && (choice->events || !stream_kind_at(i)->needs_events);
    }
    return found;
}

/* Whether there is such an engine here. */
static void skip_what_is_not_there(const struct arguments *a)
{
    struct cpu_bench *bench = cpu_bench_create(a->pair.model, STREAM_RAM_BYTES);
    struct cpu_engine *engine;
    struct status status = machine_engine_create(&a->pair.engine, &bench->cpu, bench->mmu, &engine);
    if (!status_is_ok(&status)) {
        printf("SKIPPED: %s\n", status.message);
        exit(EXIT_SKIPPED);
    }
    engine->ops->destroy(engine);
    mmu_set_strategy(bench->mmu, MMU_SOFTTLB);
    cpu_bench_destroy(bench);
}

/* What the process that runs the streams tells the one that watches it. */
struct progress {
    uint64_t streams; /* begun; the last one is what a process died of */
    uint64_t instructions;
    uint64_t different;
};

static void report(const struct arguments *a, uint64_t number, const struct stream_pair *pair)
{
    const struct stream_plan plan = {.limit = a->limit, .budget = a->budget, .last_step = UINT64_MAX};
    static struct stream stream;
    stream_generate(a->seed, number, &a->choice, &stream);
    printf("stream %" PRIu64 " of seed %" PRIu64 " differs: --seed %" PRIu64 " --first %" PRIu64
           " --streams 1\n",
           number, a->seed, a->seed, number);
    fflush(stdout);
    if (!stream_pair_explain(&a->pair, &stream, &plan, stdout)) {
        printf("not alone: it needs what the engine was left with by the streams before\n");
        if (pair != NULL) {
            cpu_print_difference(stdout, "interpreter", &pair->reference->bench->cpu, "under test",
                                 &pair->tested->bench->cpu);
        }
    }
    fflush(stdout);
}

static bool is_done(const struct arguments *a, const struct progress *progress)
{
    return progress->different >= a->reports ||
           (a->streams != 0 ? progress->streams >= a->streams : progress->instructions >= a->instructions);
}

static void run_streams(const struct arguments *a, struct progress *progress)
{
    const struct stream_plan plan = {.limit = a->limit, .budget = a->budget, .last_step = UINT64_MAX};
    static struct stream stream;
    struct stream_pair pair = stream_pair_create(&a->pair);
    while (!is_done(a, progress)) {
        struct stream_divergence divergence;
        uint64_t retired = 0;
        uint64_t number = a->first + progress->streams++;
        alarm(HANG_SECONDS);
        stream_generate(a->seed, number, &a->choice, &stream);
        bool equal = stream_pair_run(&pair, &stream, &plan, &retired, &divergence);
        if (!equal) {
            alarm(0);
            progress->different++;
            report(a, number, &pair);
        }
        if (!equal || !stream_pair_is_defined(&pair)) {
            stream_pair_destroy(&pair);
            pair = stream_pair_create(&a->pair);
        }
        progress->instructions += retired;
    }
    stream_pair_destroy(&pair);
}

/* In processes of their own: an engine may crash or hang. */
static void run_all(const struct arguments *a, struct progress *progress)
{
    while (!is_done(a, progress)) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            run_streams(a, progress);
            fflush(stdout);
            _exit(EXIT_SUCCESS);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) {
            fprintf(stderr, "random-stream: processes cannot be made\n");
            exit(EXIT_FAILURE);
        }
        if (WIFSIGNALED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
            progress->different++;
            printf("died of %s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "a failure");
            report(a, a->first + progress->streams - 1, NULL);
        }
    }
}

int main(int argc, char **argv)
{
    struct arguments a = {.pair = {.model = cpu_model_find("max"), .engine = {.ignores_x87_pointers = true}},
                          .seed = 1,
                          .instructions = 2000000,
                          .limit = 3000,
                          .reports = 1,
                          .choice = {.focus = (1u << FOCUS_COUNT) - 1, .kinds = UINT32_MAX}};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    for (int i = 1; i < argc; i += 2) {
        parse_option(&a, argv[i], i + 1 < argc ? argv[i + 1] : argv[i]);
    }
    if (!has_kind(&a.choice)) {
        misuse("--kinds", "those that need --events on");
    }
    skip_what_is_not_there(&a);
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) {
        fprintf(stderr, "random-stream: out of memory\n");
        return EXIT_FAILURE;
    }
    run_all(&a, progress);
    printf("%" PRIu64 " streams, %" PRIu64 " instructions on each side: %" PRIu64 " streams differ\n",
           progress->streams, progress->instructions, progress->different);
    return progress->different == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
