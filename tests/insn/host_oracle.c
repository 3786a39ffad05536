/* Runs the same random user-mode snippets on the host's CPU and on an engine and compares everything.
 *
 * usage: host-oracle HELPER [COUNT [SEED [ENGINE...]]]
 *
 * HELPER is the 32-bit process (host_oracle_helper.c). Registers, the flags that are defined, the x87,
 * MMX and SSE state, the windows of memory, exceptions with their error codes, CR2 and EIP must be the same,
 * but for snippets that meet a way of the host's processor (host_oracle_ways.h).
 * COUNT snippets (default 1,000,000) of sequence SEED are run on each ENGINE (cpu_bench_engine(): "dbt,walk";
 * default interp): several share the time that it takes to make snippets. Exit status: 0 no difference, 1
 * differences, 77 this host cannot run 32-bit x86 code, or there is no such engine here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef DOPPEL_HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

#include "base/bits.h"
#include "host_oracle_float.h"
#include "host_oracle_guest.h"
#include "host_oracle_snippet.h"
#include "host_oracle_ways.h"
#include "machine/engine_factory.h"

#define DEFAULT_COUNT  1000000u
#define DEFAULT_SEED   1u
#define MOST_REPORTS   20u
#define MOST_ENGINES   16u
#define HANG_MS        60000 /* a batch takes milliseconds: the helper is in an endless loop */
#define EXIT_SKIPPED   77
#define EXIT_NOT_RUN   127
#define FEWEST_OF_EACH 20u /* in a run of DEFAULT_COUNT each instruction must have been met so often */

struct helper {
    pid_t pid;
    int commands, answers;
    uint8_t *memory;
    struct oracle_header *header;
    struct oracle_slot *slots;
};

struct engine_under_test {
    const char *name; /* as in the arguments */
    struct oracle_guest guest;
    uint64_t different;
};

/* The engine's side of a slot. */
struct outcome {
    struct oracle_registers after;
    uint8_t float_after[ORACLE_FXSAVE_BYTES];
    uint8_t window[ORACLE_WINDOW_BYTES];
};

struct oracle {
    struct helper helper;
    struct engine_under_test engines[MOST_ENGINES];
    unsigned engine_count;
    struct snippet snippets[ORACLE_SLOTS];
    uint64_t seed;
    uint32_t ways; /* of the host */
    uint64_t left_out[ORACLE_WAYS];
    uint64_t compared, faulted;
    uint64_t met[INSN_COUNT];
};

/* ---- the helper process */

/* In the child: the helper's descriptors at their numbers, then the helper. */
static void become_helper(const char *path, int memory, int commands, int answers)
{
    int from[3] = {memory, commands, answers};
    int high[3];
    for (int i = 0; i < 3; i++) {
        high[i] = fcntl(from[i], F_DUPFD, 10);
    }
    for (int i = 0; i < 3; i++) {
        dup2(high[i], ORACLE_FD_MEMORY + i);
        close(high[i]);
    }
    execl(path, path, (char *)NULL);
    _exit(EXIT_NOT_RUN);
}

static bool wait_for_answer(const struct helper *helper)
{
    struct pollfd answer = {.fd = helper->answers, .events = POLLIN};
    uint8_t token;
    int ready = poll(&answer, 1, HANG_MS);
    return ready == 1 && read(helper->answers, &token, 1) == 1;
}

/* False when the host cannot do it. */
static bool start_helper(struct helper *helper, const char *path)
{
    int commands[2];
    int answers[2];
    int memory = memfd_create("oracle", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, ORACLE_FILE_BYTES) != 0 || pipe2(commands, O_CLOEXEC) != 0 ||
        pipe2(answers, O_CLOEXEC) != 0) {
        return false;
    }
    helper->memory = mmap(NULL, ORACLE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (helper->memory == MAP_FAILED) {
        return false;
    }
    helper->header = (struct oracle_header *)(void *)helper->memory;
    helper->slots = (struct oracle_slot *)(void *)(helper->memory + ORACLE_SLOT_OFFSET);
    helper->pid = fork();
    if (helper->pid == 0) {
        become_helper(path, memory, commands[0], answers[1]);
    }
    close(memory);
    close(commands[0]);
    close(answers[1]);
    helper->commands = commands[1];
    helper->answers = answers[0];
    return helper->pid > 0 && wait_for_answer(helper);
}

static void stop_helper(struct helper *helper)
{
    close(helper->commands);
    close(helper->answers);
    kill(helper->pid, SIGKILL);
    waitpid(helper->pid, NULL, 0);
}

/* What a helper that did not start means for the test. */
static int explain_failure(const struct helper *helper, const char *path)
{
    int state = 0;
    if (helper->pid > 0 && waitpid(helper->pid, &state, 0) == helper->pid && WIFEXITED(state) &&
        WEXITSTATUS(state) == EXIT_NOT_RUN) {
        printf("SKIPPED: this host does not run 32-bit x86 processes (%s)\n", path);
        return EXIT_SKIPPED;
    }
    printf("the helper could not be set up (%s, wait status %#x)\n", path, (unsigned)state);
    return EXIT_FAILURE;
}

/* The words of shared structures have the helper's byte order, which is the guest's, while it has them: in
 * front of a batch and behind it they change sides. */
static void change_sides(void *words, size_t bytes)
{
    uint8_t *at = words;
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word;
        memcpy(&word, at + i, sizeof word);
        store_le32(at + i, word);
    }
}

/* ---- reports */

static uint32_t slot_address(uint32_t index)
{
    return ORACLE_CODE + index * ORACLE_CODE_BYTES;
}

static void print_bytes(const uint8_t *bytes, unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        printf(" %02x", bytes[i]);
    }
    printf("\n");
}

static void print_code(const struct snippet *snippet, uint32_t address)
{
    printf("  bytes:");
    print_bytes(snippet->bytes, snippet->length);
#ifdef DOPPEL_HAVE_CAPSTONE
    csh handle;
    cs_insn *insns;
    if (cs_open(CS_ARCH_X86, CS_MODE_32, &handle) == CS_ERR_OK) {
        size_t count = cs_disasm(handle, snippet->bytes, snippet->length, address, 0, &insns);
        for (size_t i = 0; i < count; i++) {
            printf("    %08" PRIx64 "  %s %s\n", insns[i].address, insns[i].mnemonic, insns[i].op_str);
        }
        if (count > 0) {
            cs_free(insns, count);
        }
        cs_close(&handle);
        return;
    }
#endif
    for (unsigned i = 0; i < snippet->count; i++) {
        printf("    %08" PRIx32 "  %s\n", address + snippet->start[i],
               insn_info((enum insn_id)snippet->id[i])->mnemonic);
    }
}

static void print_registers(const char *title, const struct oracle_registers *r)
{
    static const struct {
        uint32_t bit;
        char letter;
    } flags[] = {{EFLAGS_OF, 'O'}, {EFLAGS_DF, 'D'}, {EFLAGS_SF, 'S'}, {EFLAGS_ZF, 'Z'},
                 {EFLAGS_AF, 'A'}, {EFLAGS_PF, 'P'}, {EFLAGS_CF, 'C'}};
    printf("  %-11s EAX %08" PRIx32 " ECX %08" PRIx32 " EDX %08" PRIx32 " EBX %08" PRIx32 " ESP %08" PRIx32
           " EBP %08" PRIx32 " ESI %08" PRIx32 " EDI %08" PRIx32 "\n              EIP %08" PRIx32
           " EFLAGS %08" PRIx32 " [",
           title, r->gpr[0], r->gpr[1], r->gpr[2], r->gpr[3], r->gpr[4], r->gpr[5], r->gpr[6], r->gpr[7],
           r->eip, r->eflags);
    for (unsigned i = 0; i < ARRAY_COUNT(flags); i++) {
        putchar(r->eflags & flags[i].bit ? flags[i].letter : '-');
    }
    printf("]");
    if (r->vector != ORACLE_NO_VECTOR) {
        printf(" vector %" PRIu32 " error code %" PRIx32 " CR2 %08" PRIx32, r->vector, r->error_code, r->cr2);
    }
    printf("\n");
}

static uint32_t window_address(unsigned offset)
{
    return ORACLE_DATA + (offset < ORACLE_WINDOW1_BYTES ? ORACLE_WINDOW1 + offset
                                                        : ORACLE_WINDOW2 + offset - ORACLE_WINDOW1_BYTES);
}

static void print_windows(const struct oracle_slot *slot, const uint8_t *ours)
{
    unsigned shown = 0;
    for (unsigned i = 0; i < ORACLE_WINDOW_BYTES && shown < 16; i++) {
        if (slot->window_after[i] != ours[i]) {
            printf("  [%08" PRIx32 "] was %02x: host %02x, engine %02x\n", window_address(i),
                   slot->window_before[i], slot->window_after[i], ours[i]);
            shown++;
        }
    }
}

static void report(const struct oracle *oracle, const char *engine, uint64_t number, uint32_t index,
                   const struct outcome *ours, uint32_t flags)
{
    const struct oracle_slot *slot = &oracle->helper.slots[index];
    printf("%s: snippet %" PRIu64 " of seed %" PRIu64 " (flags compared: %08" PRIx32 ")\n", engine, number,
           oracle->seed, flags);
    print_code(&oracle->snippets[index], slot_address(index));
    print_registers("before", &slot->before);
    print_registers("host", &slot->after);
    print_registers("engine", &ours->after);
    float_print_difference(slot->float_before, slot->float_after, ours->float_after);
    print_windows(slot, ours->window);
}

/* ---- comparison */

static bool has_error_code(uint32_t vector)
{
    return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

static bool same_outcome(const struct oracle_slot *slot, const struct outcome *outcome, uint32_t flags)
{
    const struct oracle_registers *host = &slot->after;
    const struct oracle_registers *ours = &outcome->after;
    return memcmp(host->gpr, ours->gpr, sizeof host->gpr) == 0 && host->eip == ours->eip &&
           ((host->eflags ^ ours->eflags) & flags) == 0 && host->vector == ours->vector &&
           (!has_error_code(host->vector) || host->error_code == ours->error_code) &&
           (host->vector != VECTOR_PF || host->cr2 == ours->cr2) &&
           float_same_state(slot->float_after, outcome->float_after) &&
           memcmp(slot->window_after, outcome->window, ORACLE_WINDOW_BYTES) == 0;
}

static void compare_slot(struct oracle *oracle, uint64_t number, uint32_t index)
{
    const struct oracle_slot *slot = &oracle->helper.slots[index];
    const struct snippet *snippet = &oracle->snippets[index];
    uint32_t flags = snippet_defined_flags(snippet, slot_address(index), slot->after.eip, slot->after.vector);
    oracle->compared++;
    oracle->faulted += slot->after.vector != ORACLE_NO_VECTOR;
    for (unsigned i = 0; i < snippet->count; i++) {
        oracle->met[snippet->id[i]]++;
    }
    unsigned way = oracle_way_met(oracle->ways, snippet, slot_address(index), slot);
    if (way < ORACLE_WAYS) {
        oracle->left_out[way]++;
    }
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        struct engine_under_test *engine = &oracle->engines[i];
        struct outcome ours;
        oracle_guest_run(&engine->guest, slot, &ours.after, ours.float_after, ours.window);
        if (way == ORACLE_WAYS && !same_outcome(slot, &ours, flags) && engine->different++ < MOST_REPORTS) {
            report(oracle, engine->name, number, index, &ours, flags);
        }
    }
}

/* Outside the windows, too, the data pages must be the same; they are made so for the next batch. */
static void compare_data_pages(struct engine_under_test *engine, const uint8_t *host)
{
    uint8_t *ours = oracle_guest_data(&engine->guest);
    for (uint32_t i = 0; i < ORACLE_DATA_PAGES * ORACLE_PAGE; i++) {
        if (host[i] != ours[i]) {
            printf("%s: a batch left %02x at %08" PRIx32 " on the host, %02x in the engine\n", engine->name,
                   host[i], ORACLE_DATA + i, ours[i]);
            engine->different++;
            break;
        }
    }
    memcpy(ours, host, (size_t)ORACLE_DATA_PAGES * ORACLE_PAGE);
}

/* Has the helper run the first `count` slots; false when it does not come back. */
static bool run_on_host(struct helper *helper, uint32_t count)
{
    uint8_t token = 1;
    for (uint32_t i = 0; i < count; i++) {
        change_sides(&helper->slots[i].before, sizeof helper->slots[i].before);
    }
    helper->header->count = count;
    change_sides(helper->header, sizeof *helper->header);
    bool answered = write(helper->commands, &token, 1) == 1 && wait_for_answer(helper);
    change_sides(helper->header, sizeof *helper->header);
    for (uint32_t i = 0; i < count; i++) {
        change_sides(&helper->slots[i].before, sizeof helper->slots[i].before);
        change_sides(&helper->slots[i].after, sizeof helper->slots[i].after);
    }
    return answered;
}

static bool find_ways(struct oracle *oracle)
{
    struct helper *helper = &oracle->helper;
    oracle_ways_ask(helper->header->end_address, helper->slots, helper->memory + ORACLE_CODE_OFFSET);
    bool answered = run_on_host(helper, ORACLE_WAYS);
    oracle->ways = oracle_ways_of(helper->slots);
    return answered;
}

static bool run_batch(struct oracle *oracle, uint64_t first, uint32_t count)
{
    struct helper *helper = &oracle->helper;
    uint8_t *code = helper->memory + ORACLE_CODE_OFFSET;
    for (uint32_t i = 0; i < count; i++) {
        struct snippet *snippet = &oracle->snippets[i];
        snippet_generate(oracle->seed, first + i, slot_address(i), helper->header->end_address, snippet,
                         &helper->slots[i]);
        oracle_ways_avoid(oracle->ways, snippet);
        memcpy(code + i * ORACLE_CODE_BYTES, snippet->bytes, ORACLE_CODE_BYTES);
    }
    if (!run_on_host(helper, count)) {
        uint32_t index = helper->header->current;
        printf("the helper did not come back from snippet %" PRIu64 " of seed %" PRIu64 "\n", first + index,
               oracle->seed);
        print_code(&oracle->snippets[index], slot_address(index));
        print_registers("before", &helper->slots[index].before);
        return false;
    }
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        oracle_guest_load_code(&oracle->engines[i].guest, code);
    }
    for (uint32_t i = 0; i < count; i++) {
        compare_slot(oracle, first + i, i);
    }
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        compare_data_pages(&oracle->engines[i], helper->memory + ORACLE_DATA_OFFSET);
    }
    return true;
}

/* An oracle that never asks about an instruction proves nothing for it. */
static bool report_result(const struct oracle *oracle)
{
    bool good = true;
    unsigned kinds = 0;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        kinds += oracle->met[id] > 0;
        if (oracle->compared >= DEFAULT_COUNT && oracle->met[id] > 0 && oracle->met[id] < FEWEST_OF_EACH) {
            printf("%s was met %" PRIu64 " times only\n", insn_info((enum insn_id)id)->mnemonic,
                   oracle->met[id]);
            good = false;
        }
    }
    printf("%" PRIu64 " snippets of seed %" PRIu64 ", %u kinds of instructions, %" PRIu64
           " ended in an exception\n",
           oracle->compared, oracle->seed, kinds, oracle->faulted);
    for (unsigned way = 0; way < ORACLE_WAYS; way++) {
        if (oracle->left_out[way] > 0) {
            printf("%" PRIu64 " of them not compared, since on this host %s\n", oracle->left_out[way],
                   oracle_way_text(way));
        }
    }
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        printf("%s: %" PRIu64 " differences\n", oracle->engines[i].name, oracle->engines[i].different);
        good = good && oracle->engines[i].different == 0;
    }
    return good;
}

static void fill_data_pages(uint8_t *host)
{
    for (uint32_t i = 0; i < ORACLE_DATA_PAGES * ORACLE_PAGE; i++) {
        host[i] = (uint8_t)(i * 7 + (i >> 8));
    }
}

static void start_engines(struct oracle *oracle, const struct engine_config *configs)
{
    uint8_t *host = oracle->helper.memory + ORACLE_DATA_OFFSET;
    fill_data_pages(host);
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        struct oracle_guest *guest = &oracle->engines[i].guest;
        *guest = oracle_guest_create(oracle->helper.header, &configs[i]);
        memcpy(oracle_guest_data(guest), host, (size_t)ORACLE_DATA_PAGES * ORACLE_PAGE);
    }
}

static void stop_engines(struct oracle *oracle)
{
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        oracle_guest_destroy(&oracle->engines[i].guest);
    }
}

/* The engines that the arguments name; false: this build lacks one. */
static bool choose_engines(struct oracle *oracle, int argc, char **argv, struct engine_config *configs)
{
    oracle->engine_count = argc > 4 ? (unsigned)argc - 4 : 1;
    for (unsigned i = 0; i < oracle->engine_count; i++) {
        const char *name = argc > 4 ? argv[4 + i] : "interp";
        oracle->engines[i].name = name;
        configs[i] = cpu_bench_engine(name);
        if (!machine_engine_is_built(configs[i].kind)) {
            printf("SKIPPED: this build has no engine %s\n", name);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4 + (int)MOST_ENGINES) {
        fprintf(stderr, "usage: %s HELPER [COUNT [SEED [ENGINE...]]]\n", argv[0]);
        return 2;
    }
    struct oracle *oracle = calloc(1, sizeof *oracle);
    struct engine_config configs[MOST_ENGINES];
    if (oracle == NULL) {
        return 1;
    }
    if (!choose_engines(oracle, argc, argv, configs)) {
        free(oracle);
        return EXIT_SKIPPED;
    }
    signal(SIGPIPE, SIG_IGN);
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : DEFAULT_COUNT;
    oracle->seed = argc > 3 ? strtoull(argv[3], NULL, 0) : DEFAULT_SEED;
    if (!start_helper(&oracle->helper, argv[1])) {
        int status = explain_failure(&oracle->helper, argv[1]);
        free(oracle);
        return status;
    }
    change_sides(oracle->helper.header, sizeof *oracle->helper.header);
    start_engines(oracle, configs);
    bool ran = find_ways(oracle);
    for (uint64_t first = 0; ran && first < count; first += ORACLE_SLOTS) {
        uint64_t left = count - first;
        ran = run_batch(oracle, first, left < ORACLE_SLOTS ? (uint32_t)left : ORACLE_SLOTS);
    }
    bool same = report_result(oracle) && ran;
    stop_helper(&oracle->helper);
    stop_engines(oracle);
    free(oracle);
    return same ? 0 : 1;
}
