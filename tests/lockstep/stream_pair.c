/* See stream_pair.h. */
#include "stream_pair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "debugger/disassembly.h"
#include "decoder/decoder.h"
#include "host_oracle_random.h"
#include "machine/cpu_compare.h"

#define MEMORY_PERIOD 16u /* steps between comparisons of memory */

static void require(const void *pointer)
{
    if (pointer == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(EXIT_FAILURE);
    }
}

struct stream_pair stream_pair_create(const struct stream_pair_config *config)
{
    const struct engine_config reference = {
        .kind = ENGINE_INTERP, .mmu = config->engine.mmu, .ignores_x87_pointers = true};
    struct stream_pair pair = {.reference = stream_guest_create(config->model, &reference, config->events),
                               .tested = stream_guest_create(config->model, &config->engine, config->events)};
    if (config->fault != NULL) {
        struct cpu_bench *bench = pair.tested->bench;
        bench->engine = broken_engine_create(bench->engine, &bench->cpu, bench->mmu, config->fault);
        require(bench->engine);
    }
    return pair;
}

void stream_pair_destroy(struct stream_pair *pair)
{
    stream_guest_destroy(pair->reference);
    stream_guest_destroy(pair->tested);
}

/* ---- a run, step by step */

/* The steps of a run: the same for one guest as for two. */
struct steps {
    uint64_t random;
    uint64_t number;
    uint64_t retired;
    bool woken; /* the last step only woke the CPU */
    uint32_t budget;
    bool interrupt;
    bool is_last;
};

static uint32_t draw_budget(uint64_t *random)
{
    switch (random_draw(random, 8)) {
    case 0: return 1;
    case 1:
    case 2: return 1 + random_draw(random, 4);
    case 3:
    case 4:
    case 5: return 1 + random_draw(random, 40);
    case 6: return 1 + random_draw(random, 300);
    default: return 1 + random_draw(random, 3000);
    }
}

static void next_step(struct steps *steps, const struct stream_plan *plan)
{
    uint32_t drawn = draw_budget(&steps->random);
    steps->interrupt = random_chance(&steps->random, 10);
    steps->budget = plan->budget != 0 ? plan->budget : drawn;
    steps->is_last = steps->number == plan->last_step;
    if (steps->is_last) {
        steps->budget = plan->last_budget;
    }
}

static void prepare(struct stream_guest *guest, const struct steps *steps, bool wake)
{
    guest->bench->cpu.pending |= steps->interrupt ? (uint32_t)CPU_PENDING_INTERRUPT : 0u;
    guest->bench->cpu.pending |= wake ? (uint32_t)CPU_PENDING_NMI : 0u;
}

/* After a step: whether the stream goes on. A CPU that is halted is woken once, by an NMI. */
static bool goes_on(struct steps *steps, const struct stream_plan *plan, enum stop_reason reason,
                    uint64_t retired)
{
    bool halted = reason == STOP_HALTED;
    bool stuck = halted && retired == 0 && steps->woken;
    steps->woken = halted;
    steps->number++;
    steps->retired += retired;
    return !stuck && !steps->is_last && steps->retired < plan->limit &&
           (halted || reason == STOP_BUDGET || reason == STOP_REQUEST);
}

static int first_difference(const struct stream_pair *pair)
{
    const uint8_t *one = pair->reference->bench->ram;
    const uint8_t *other = pair->tested->bench->ram;
    if (memcmp(one, other, pair->reference->bench->ram_size) == 0) {
        return -1;
    }
    int at = 0;
    while (one[at] == other[at]) {
        at++;
    }
    return at;
}

bool stream_pair_is_defined(const struct stream_pair *pair)
{
    return !pair->reference->tables_are_lost;
}

bool stream_pair_run(struct stream_pair *pair, const struct stream *stream, const struct stream_plan *plan,
                     uint64_t *retired, struct stream_divergence *divergence)
{
    struct stream_guest *const guests[2] = {pair->reference, pair->tested};
    const struct cpu_state *cpu = &pair->reference->bench->cpu;
    struct steps steps = {.random = stream->state_seed};
    bool again = true;
    stream_guest_load(guests[0], stream);
    stream_guest_load(guests[1], stream);
    while (again) {
        enum stop_reason reasons[2];
        uint64_t start = cpu->retired;
        bool wake = steps.woken;
        next_step(&steps, plan);
        *divergence = (struct stream_divergence){
            .step = steps.number, .before = steps.retired, .budget = steps.budget, .memory = -1};
        for (unsigned i = 0; i < 2; i++) {
            prepare(guests[i], &steps, wake);
            reasons[i] = cpu_bench_run(guests[i]->bench, steps.budget);
        }
        if (!stream_pair_is_defined(pair)) {
            break;
        }
        bool samples_memory = steps.number % MEMORY_PERIOD == 0;
        again = goes_on(&steps, plan, reasons[0], cpu->retired - start);
        if (plan->compare_memory || !again || samples_memory) {
            divergence->memory = first_difference(pair);
        }
        if (divergence->memory >= 0 || reasons[0] != reasons[1] ||
            !cpu_states_equal(&guests[0]->bench->cpu, &guests[1]->bench->cpu)) {
            divergence->reasons[0] = reasons[0];
            divergence->reasons[1] = reasons[1];
            return false;
        }
    }
    *retired = steps.retired;
    return true;
}

/* ---- finding the least that differs */

#define HANG_SECONDS 10u

/* What a child tells its parent, also when it dies. */
struct verdict {
    bool differs;
    struct stream_divergence divergence;
};

static void run_in_child(const struct stream_pair_config *config, const struct stream *stream,
                         const struct stream_plan *plan, struct verdict *verdict)
{
    uint64_t retired;
    alarm(HANG_SECONDS);
    struct stream_pair pair = stream_pair_create(config);
    verdict->differs = !stream_pair_run(&pair, stream, plan, &retired, &verdict->divergence);
    _exit(EXIT_SUCCESS);
}

static bool differs(const struct stream_pair_config *config, const struct stream *stream,
                    const struct stream_plan *plan, struct stream_divergence *divergence)
{
    struct verdict *verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    require(verdict == MAP_FAILED ? NULL : verdict);
    pid_t child = fork();
    if (child == 0) {
        run_in_child(config, stream, plan, verdict);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fprintf(stderr, "processes cannot be made\n");
        exit(EXIT_FAILURE);
    }
    bool died = WIFSIGNALED(status) || WEXITSTATUS(status) != EXIT_SUCCESS;
    verdict->divergence.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool found = verdict->differs || died;
    *divergence = verdict->divergence;
    munmap(verdict, sizeof *verdict);
    return found;
}

/* Whether the two differ in the same manner: a crash is not to become something else. */
static bool still_differs(const struct stream_pair_config *config, const struct stream *stream,
                          const struct stream_plan *plan, int signal)
{
    struct stream_divergence divergence;
    return differs(config, stream, plan, &divergence) && divergence.signal == signal;
}

/* Drops `count` items from `first` on if the two differ without them as well. */
static void try_dropping(const struct stream_pair_config *config, struct stream *stream,
                         const struct stream_plan *plan, int signal, unsigned first, unsigned count)
{
    bool was[STREAM_ITEMS];
    bool any = false;
    for (unsigned i = first; i < first + count && i < STREAM_ITEMS; i++) {
        was[i] = stream->items[i].dropped;
        any |= !was[i];
        stream->items[i].dropped = true;
    }
    if (!any) {
        return;
    }
    stream_lay_out(stream);
    if (!still_differs(config, stream, plan, signal)) {
        for (unsigned i = first; i < first + count && i < STREAM_ITEMS; i++) {
            stream->items[i].dropped = was[i];
        }
        stream_lay_out(stream);
    }
}

static void shrink(const struct stream_pair_config *config, struct stream *stream,
                   const struct stream_plan *plan, int signal)
{
    for (unsigned count = STREAM_ITEMS / 2; count > 0; count /= 2) {
        for (unsigned first = 0; first < STREAM_ITEMS; first += count) {
            try_dropping(config, stream, plan, signal, first, count);
        }
    }
    for (unsigned i = 0; i < STREAM_ITEMS; i++) {
        try_dropping(config, stream, plan, signal, i, 1);
    }
}

/* The fewest instructions of the last step that make a difference: what is found by them comes from the last
 * one, unless a longer step is translated to other code. */
static void shorten_last_step(const struct stream_pair_config *config, const struct stream *stream,
                              struct stream_plan *plan, struct stream_divergence *divergence)
{
    struct stream_plan shorter = *plan;
    shorter.last_step = divergence->step;
    for (uint32_t budget = 1; budget <= divergence->budget; budget++) {
        struct stream_divergence found;
        shorter.last_budget = budget;
        if (differs(config, stream, &shorter, &found) && found.step == divergence->step) {
            *plan = shorter;
            *divergence = found;
            return;
        }
    }
}

/* ---- the report */

#define TRACE_LENGTH 24u

struct traced {
    uint64_t number; /* instructions before it */
    uint32_t linear;
    unsigned code_size;
    uint8_t bytes[INSN_MAX_LENGTH]; /* as they were then */
};

static void note_instruction(struct traced *at, const struct stream_guest *guest, const struct stream *stream,
                             uint64_t number)
{
    const struct cpu_state *cpu = &guest->bench->cpu;
    uint32_t linear = (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip);
    *at = (struct traced){.number = number, .linear = linear, .code_size = cpu->code_size};
    if (linear < STREAM_RAM_BYTES - INSN_MAX_LENGTH) {
        for (uint32_t i = 0; i < INSN_MAX_LENGTH; i++) {
            uint32_t page = stream_guest_page(stream, linear + i);
            at->bytes[i] = guest->bench->ram[page + ((linear + i) & PAGE_MASK)];
        }
    }
}

/* Where the reference went, instruction by instruction: the last ones. Returns how many there were. */
static uint64_t trace(const struct stream_pair_config *config, const struct stream *stream,
                      const struct stream_plan *plan, const struct stream_divergence *divergence,
                      struct traced *traced)
{
    const struct engine_config reference = {
        .kind = ENGINE_INTERP, .mmu = config->engine.mmu, .ignores_x87_pointers = true};
    struct stream_guest *guest = stream_guest_create(config->model, &reference, config->events);
    struct cpu_state *cpu = &guest->bench->cpu;
    struct steps steps = {.random = stream->state_seed};
    uint64_t count = 0;
    bool again = true;
    stream_guest_load(guest, stream);
    while (again && steps.number <= divergence->step) {
        bool wake = steps.woken;
        next_step(&steps, plan);
        prepare(guest, &steps, wake);
        uint64_t start = cpu->retired;
        enum stop_reason reason = STOP_BUDGET;
        while (reason == STOP_BUDGET && cpu->retired < start + steps.budget) {
            cpu_bench_run(guest->bench, 0); /* what is due comes first */
            note_instruction(&traced[count++ % TRACE_LENGTH], guest, stream,
                             steps.retired + cpu->retired - start);
            reason = cpu_bench_run(guest->bench, 1);
        }
        again = goes_on(&steps, plan, reason, cpu->retired - start);
    }
    stream_guest_destroy(guest);
    return count;
}

static void print_instruction(FILE *out, uint32_t linear, const uint8_t *bytes, unsigned code_size)
{
    const struct decode_mode mode = {.code_size = (uint8_t)code_size};
    struct insn insn;
    bool known = decoder_decode(&mode, bytes, INSN_MAX_LENGTH, &insn) == DECODE_OK;
    unsigned length = known ? insn.length : 4u;
    for (unsigned i = 0; i < 11 || i < length; i++) {
        fprintf(out, i < length ? "%02x " : "   ", bytes[i]);
    }
    if (disassembly_is_there()) {
        const struct disassembly text =
            disassembly_of(DISASSEMBLY_INTEL, code_size * 8, linear, bytes, INSN_MAX_LENGTH);
        fprintf(out, " %s %s\n", text.mnemonic, text.operands);
    } else {
        fprintf(out, " %s\n", known ? insn_info((enum insn_id)insn.id)->mnemonic : "(invalid)");
    }
}

static void print_stream(FILE *out, const struct stream *stream)
{
    unsigned left = 0;
    for (unsigned i = 0; i < STREAM_ITEMS; i++) {
        left += !stream->items[i].dropped;
    }
    fprintf(out, "%u items are left, %s%s, IOPL %u:\n", left, stream->kind->name,
            stream->paging ? ", paging" : "", stream->iopl);
    unsigned code_size = stream->kind->code_size;
    uint8_t bytes[STREAM_CODE_BYTES + INSN_MAX_LENGTH] = {0};
    memcpy(bytes, stream->bytes, stream->length);
    for (uint32_t at = 0; at < stream->length;) {
        uint32_t linear = stream_code_base(stream) + stream->start + at;
        const struct decode_mode mode = {.code_size = (uint8_t)code_size};
        struct insn insn;
        fprintf(out, "  %05x  ", linear);
        print_instruction(out, linear, bytes + at, code_size);
        bool known = decoder_decode(&mode, bytes + at, INSN_MAX_LENGTH, &insn) == DECODE_OK;
        at += known ? insn.length : 1u;
    }
}

static const char *reason_name(enum stop_reason reason)
{
    static const char *const names[] = {[STOP_BUDGET] = "budget used up",
                                        [STOP_HALTED] = "halted",
                                        [STOP_REQUEST] = "request",
                                        [STOP_RESET] = "reset",
                                        [STOP_SHUTDOWN] = "shutdown"};
    return names[reason];
}

static void print_trace(FILE *out, const struct stream_pair_config *config, const struct stream *stream,
                        const struct stream_plan *plan, const struct stream_divergence *divergence)
{
    struct traced traced[TRACE_LENGTH];
    uint64_t count = trace(config, stream, plan, divergence, traced);
    uint64_t first = count > TRACE_LENGTH ? count - TRACE_LENGTH : 0;
    fprintf(out, "executed last by the interpreter (> in the step that differs):\n");
    for (uint64_t i = first; i < count; i++) {
        const struct traced *at = &traced[i % TRACE_LENGTH];
        fprintf(out, "%c %5llu %05x  ", at->number >= divergence->before ? '>' : ' ',
                (unsigned long long)at->number, at->linear);
        print_instruction(out, at->linear, at->bytes, at->code_size);
    }
}

static void print_states(FILE *out, const struct stream_pair *pair,
                         const struct stream_divergence *divergence)
{
    fprintf(out, "stopped for: %s, %s\n", reason_name(divergence->reasons[0]),
            reason_name(divergence->reasons[1]));
    if (divergence->memory >= 0) {
        fprintf(out, "RAM differs at %05x: %02x, %02x\n", (unsigned)divergence->memory,
                pair->reference->bench->ram[divergence->memory],
                pair->tested->bench->ram[divergence->memory]);
    }
    cpu_print_difference(out, "interpreter", &pair->reference->bench->cpu, "under test",
                         &pair->tested->bench->cpu);
}

static void print_report(FILE *out, const struct stream_pair_config *config, const struct stream *stream,
                         const struct stream_plan *plan, struct stream_divergence *divergence)
{
    struct stream_pair pair = stream_pair_create(config);
    uint64_t retired;
    print_stream(out, stream);
    print_trace(out, config, stream, plan, divergence);
    fprintf(out, "step %llu of %u instructions, after %llu\n", (unsigned long long)divergence->step,
            divergence->budget, (unsigned long long)divergence->before);
    if (divergence->signal != 0) {
        fprintf(out, "the engine under test died of signal %d (%s)\n", divergence->signal,
                strsignal(divergence->signal));
    } else if (!stream_pair_run(&pair, stream, plan, &retired, divergence)) {
        print_states(out, &pair, divergence);
    }
    stream_pair_destroy(&pair);
}

bool stream_pair_explain(const struct stream_pair_config *config, struct stream *stream,
                         const struct stream_plan *plan, FILE *out)
{
    struct stream_plan exact = *plan;
    struct stream_divergence divergence;
    exact.compare_memory = true;
    if (!differs(config, stream, &exact, &divergence)) {
        return false;
    }
    int signal = divergence.signal;
    struct stream_plan single = exact;
    single.budget = 1;
    bool simple = still_differs(config, stream, &single, signal);
    struct stream_plan best = simple ? single : exact;
    shrink(config, stream, &best, signal);
    if (differs(config, stream, &best, &divergence)) {
        shorten_last_step(config, stream, &best, &divergence);
        fprintf(out, "%s\n",
                simple ? "found in steps of one instruction" : "not found in steps of one instruction");
        print_report(out, config, stream, &best, &divergence);
    }
    return true;
}
