/* See stream_pair.h. */
#include "stream_pair.h"

#include <stdlib.h>
#include <string.h>

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
    const struct engine_config reference = {.kind = ENGINE_INTERP};
    struct stream_pair pair = {.reference = stream_guest_create(config->model, &reference),
                               .tested = stream_guest_create(config->model, &config->engine)};
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
    if (memcmp(one, other, STREAM_RAM_BYTES) == 0) {
        return -1;
    }
    int at = 0;
    while (one[at] == other[at]) {
        at++;
    }
    return at;
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
        for (unsigned i = 0; i < 2; i++) {
            prepare(guests[i], &steps, wake);
            reasons[i] = cpu_bench_run(guests[i]->bench, steps.budget);
        }
        uint64_t number = steps.number;
        uint64_t before = steps.retired;
        again = goes_on(&steps, plan, reasons[0], cpu->retired - start);
        bool compares_memory = plan->compare_memory || !again || number % MEMORY_PERIOD == 0;
        int memory = compares_memory ? first_difference(pair) : -1;
        if (memory >= 0 || reasons[0] != reasons[1] ||
            !cpu_states_equal(&guests[0]->bench->cpu, &guests[1]->bench->cpu)) {
            *divergence = (struct stream_divergence){.step = number,
                                                     .before = before,
                                                     .budget = steps.budget,
                                                     .memory = memory,
                                                     .reasons = {reasons[0], reasons[1]}};
            return false;
        }
    }
    *retired = steps.retired;
    return true;
}

/* ---- finding the least that differs */

static bool differs(const struct stream_pair_config *config, const struct stream *stream,
                    const struct stream_plan *plan, struct stream_divergence *divergence)
{
    struct stream_pair pair = stream_pair_create(config);
    uint64_t retired;
    bool same = stream_pair_run(&pair, stream, plan, &retired, divergence);
    stream_pair_destroy(&pair);
    return !same;
}

/* Drops `count` items from `first` on if the two differ without them as well. */
static void try_dropping(const struct stream_pair_config *config, struct stream *stream,
                         struct stream_plan *plan, unsigned first, unsigned count)
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
    struct stream_divergence divergence;
    if (!differs(config, stream, plan, &divergence)) {
        for (unsigned i = first; i < first + count && i < STREAM_ITEMS; i++) {
            stream->items[i].dropped = was[i];
        }
        stream_lay_out(stream);
    }
}

static void shrink(const struct stream_pair_config *config, struct stream *stream, struct stream_plan *plan)
{
    for (unsigned count = STREAM_ITEMS / 2; count > 0; count /= 2) {
        for (unsigned first = 0; first < STREAM_ITEMS; first += count) {
            try_dropping(config, stream, plan, first, count);
        }
    }
    for (unsigned i = 0; i < STREAM_ITEMS; i++) {
        try_dropping(config, stream, plan, i, 1);
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
    uint32_t rip;
    uint32_t linear;
};

/* Where the reference went, instruction by instruction: the last ones. Returns how many there were. */
static uint64_t trace(const struct stream_pair_config *config, const struct stream *stream,
                      const struct stream_plan *plan, const struct stream_divergence *divergence,
                      struct traced *traced)
{
    const struct engine_config reference = {.kind = ENGINE_INTERP};
    struct stream_guest *guest = stream_guest_create(config->model, &reference);
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
            traced[count++ % TRACE_LENGTH] =
                (struct traced){.number = steps.retired + cpu->retired - start,
                                .rip = (uint32_t)cpu->rip,
                                .linear = (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip)};
            reason = cpu_bench_run(guest->bench, 1);
        }
        again = goes_on(&steps, plan, reason, cpu->retired - start);
    }
    stream_guest_destroy(guest);
    return count;
}

/* What stands at a linear address, as bytes and mnemonic. The guests' pages map code one to one. */
static void print_instruction(FILE *out, const struct stream_guest *guest, uint32_t linear,
                              unsigned code_size)
{
    const struct decode_mode mode = {.code_size = (uint8_t)code_size};
    struct insn insn;
    if (linear >= STREAM_RAM_BYTES - INSN_MAX_LENGTH) {
        fprintf(out, "(outside memory)\n");
        return;
    }
    const uint8_t *bytes = guest->bench->ram + linear;
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

static void print_stream(FILE *out, const struct stream *stream, const struct stream_guest *guest)
{
    unsigned left = 0;
    for (unsigned i = 0; i < STREAM_ITEMS; i++) {
        left += !stream->items[i].dropped;
    }
    fprintf(out, "%u items are left, %s%s, IOPL %u:\n", left, stream->kind->name,
            stream->paging ? ", paging" : "", stream->iopl);
    unsigned code_size = stream->kind->code_size;
    for (uint32_t at = 0; at < stream->length;) {
        uint32_t linear = stream_code_base(stream) + stream->start + at;
        const struct decode_mode mode = {.code_size = (uint8_t)code_size};
        struct insn insn;
        fprintf(out, "  %05x  ", linear);
        print_instruction(out, guest, linear, code_size);
        bool known = decoder_decode(&mode, stream->bytes + at, INSN_MAX_LENGTH, &insn) == DECODE_OK;
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

static void print_report(FILE *out, const struct stream_pair_config *config, const struct stream *stream,
                         const struct stream_plan *plan)
{
    struct stream_pair pair = stream_pair_create(config);
    struct stream_divergence divergence;
    uint64_t retired;
    stream_guest_load(pair.reference, stream);
    print_stream(out, stream, pair.reference);
    if (!stream_pair_run(&pair, stream, plan, &retired, &divergence)) {
        struct traced traced[TRACE_LENGTH];
        uint64_t count = trace(config, stream, plan, &divergence, traced);
        uint64_t first = count > TRACE_LENGTH ? count - TRACE_LENGTH : 0;
        fprintf(out, "executed (last, as the code is now; > in the step that differs):\n");
        for (uint64_t i = first; i < count; i++) {
            const struct traced *at = &traced[i % TRACE_LENGTH];
            bool handler = at->linear < STREAM_CODE;
            fprintf(out, "%c %5llu %05x  ", at->number >= divergence.before ? '>' : ' ',
                    (unsigned long long)at->number, at->linear);
            print_instruction(out, pair.reference, at->linear,
                              handler ? (stream->kind->real ? 2 : 4) : stream->kind->code_size);
        }
        fprintf(out, "step %llu of %u instructions, after %llu; stopped for: %s, %s\n",
                (unsigned long long)divergence.step, divergence.budget, (unsigned long long)divergence.before,
                reason_name(divergence.reasons[0]), reason_name(divergence.reasons[1]));
        if (divergence.memory >= 0) {
            fprintf(out, "RAM differs at %05x: %02x, %02x\n", (unsigned)divergence.memory,
                    pair.reference->bench->ram[divergence.memory],
                    pair.tested->bench->ram[divergence.memory]);
        }
        cpu_print_difference(out, "interpreter", &pair.reference->bench->cpu, "under test",
                             &pair.tested->bench->cpu);
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
    struct stream_plan single = exact;
    single.budget = 1;
    bool simple = differs(config, stream, &single, &divergence);
    shrink(config, stream, simple ? &single : &exact);
    struct stream_plan best = simple ? single : exact;
    if (differs(config, stream, &best, &divergence)) {
        shorten_last_step(config, stream, &best, &divergence);
        fprintf(out, "%s\n",
                simple ? "found in steps of one instruction" : "not found in steps of one instruction");
        print_report(out, config, stream, &best);
    }
    return true;
}
