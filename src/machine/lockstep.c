/* See lockstep.h. */
#include "machine/lockstep.h"

#include <stdlib.h>
#include <string.h>

#include "decoder/decoder.h"
#include "machine/cpu_compare.h"

#define SIDES          2
#define TRACE_LENGTH   64u
#define TRACED_STEPS   200u /* in front of the step of the focus */
#define LONGEST_OPCODE 15u

/* An instruction that the reference executed. */
struct traced {
    uint64_t retired; /* in front of it */
    uint32_t linear;
    uint8_t bits;
    uint8_t length; /* of what could be read of it */
    uint8_t bytes[LONGEST_OPCODE];
};

struct lockstep {
    struct lockstep_config config;
    struct machine *machine[SIDES];
    uint64_t random;
    uint64_t step; /* number of the next one */
    uint64_t next_memory;
    uint64_t comparisons, memory_comparisons;
    struct lockstep_finding finding;
    struct traced trace[TRACE_LENGTH];
    uint64_t traced;
};

struct status lockstep_create(const struct lockstep_config *config, struct lockstep **lockstep)
{
    *lockstep = NULL;
    struct lockstep *created = calloc(1, sizeof *created);
    if (created == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    created->config = *config;
    created->random = (config->seed + 1) * 0x9e3779b97f4a7c15ull;
    created->next_memory = config->memory_period;
    struct status status = machine_create(&config->reference, &created->machine[LOCKSTEP_REFERENCE]);
    if (status_is_ok(&status)) {
        status = machine_create(&config->tested, &created->machine[LOCKSTEP_TESTED]);
    }
    if (!status_is_ok(&status)) {
        lockstep_destroy(created);
        return status;
    }
    *lockstep = created;
    return status_ok();
}

void lockstep_destroy(struct lockstep *lockstep)
{
    if (lockstep != NULL) {
        machine_destroy(lockstep->machine[LOCKSTEP_REFERENCE]);
        machine_destroy(lockstep->machine[LOCKSTEP_TESTED]);
        free(lockstep);
    }
}

struct machine *lockstep_machine(struct lockstep *lockstep, enum lockstep_side side)
{
    return lockstep->machine[side];
}

const struct lockstep_finding *lockstep_found(const struct lockstep *lockstep)
{
    return &lockstep->finding;
}

static uint64_t retired(const struct lockstep *lockstep)
{
    return machine_retired(lockstep->machine[LOCKSTEP_REFERENCE]);
}

/* ---- comparison */

static const uint8_t *ram(const struct lockstep *lockstep, enum lockstep_side side)
{
    return memory_bus_ram(machine_memory(lockstep->machine[side]));
}

static void add_page(struct lockstep_finding *finding, uint64_t page)
{
    if (finding->page_count < LOCKSTEP_PAGES) {
        finding->pages[finding->page_count++] = page;
    }
}

static bool page_is_same(const struct lockstep *lockstep, uint64_t page)
{
    return memcmp(ram(lockstep, LOCKSTEP_REFERENCE) + page, ram(lockstep, LOCKSTEP_TESTED) + page,
                  PAGE_SIZE) == 0;
}

static bool ram_is_same(struct lockstep *lockstep)
{
    uint64_t size = memory_bus_ram_size(machine_memory(lockstep->machine[LOCKSTEP_REFERENCE]));
    lockstep->memory_comparisons++;
    if (memcmp(ram(lockstep, LOCKSTEP_REFERENCE), ram(lockstep, LOCKSTEP_TESTED), size) == 0) {
        return true;
    }
    for (uint64_t page = 0; page < size; page += PAGE_SIZE) {
        if (!page_is_same(lockstep, page)) {
            add_page(&lockstep->finding, page);
        }
    }
    return false;
}

static bool focus_is_same(struct lockstep *lockstep)
{
    const struct lockstep_focus *focus = &lockstep->config.focus;
    bool same = true;
    for (unsigned i = 0; i < focus->page_count; i++) {
        if (!page_is_same(lockstep, focus->pages[i])) {
            add_page(&lockstep->finding, focus->pages[i]);
            same = false;
        }
    }
    return same;
}

/* Everything the devices say of themselves. The caller frees it. NULL: out of memory. */
static char *describe_devices(struct machine *machine)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    const char *name;
    for (size_t i = 0; (name = machine_device_name(machine, i)) != NULL; i++) {
        fprintf(out, "%s:\n", name);
        machine_describe_device(machine, name, out);
    }
    fclose(out);
    return text;
}

static bool devices_are_same(const struct lockstep *lockstep)
{
    char *texts[SIDES];
    for (unsigned side = 0; side < SIDES; side++) {
        texts[side] = describe_devices(lockstep->machine[side]);
    }
    bool same = texts[0] == NULL || texts[1] == NULL || strcmp(texts[0], texts[1]) == 0;
    free(texts[0]);
    free(texts[1]);
    return same;
}

static bool cpus_are_same(struct lockstep *lockstep)
{
    lockstep->comparisons++;
    return cpu_states_equal(machine_cpu(lockstep->machine[0]), machine_cpu(lockstep->machine[1])) &&
           machine_now(lockstep->machine[0]) == machine_now(lockstep->machine[1]);
}

/* Notes what differs. */
static bool is_same(struct lockstep *lockstep, bool stopped_alike)
{
    struct lockstep_finding *finding = &lockstep->finding;
    bool all = retired(lockstep) >= lockstep->next_memory;
    bool focused = retired(lockstep) >= lockstep->config.focus.from && !focus_is_same(lockstep);
    if (!stopped_alike || !cpus_are_same(lockstep)) {
        finding->what = stopped_alike ? "the CPUs" : "why the machines stopped";
        if (finding->page_count == 0) {
            ram_is_same(lockstep);
        }
        return false;
    }
    if (focused || (all && !ram_is_same(lockstep))) {
        finding->what = "the contents of RAM";
        return false;
    }
    if (all) {
        lockstep->next_memory = retired(lockstep) + lockstep->config.memory_period;
        if (!devices_are_same(lockstep)) {
            finding->what = "the devices";
            return false;
        }
        finding->last_good = retired(lockstep);
    }
    return true;
}

/* ---- running */

static uint64_t draw(struct lockstep *lockstep)
{
    lockstep->random ^= lockstep->random >> 12;
    lockstep->random ^= lockstep->random << 25;
    lockstep->random ^= lockstep->random >> 27;
    return lockstep->random * 0x2545f4914f6cdd1dull >> 20;
}

/* Mostly short steps, and enough long ones that most instructions are run in them. */
static uint64_t draw_length(struct lockstep *lockstep)
{
    uint64_t longest = lockstep->config.longest_step;
    uint64_t kind = draw(lockstep) % 8;
    uint64_t limit = kind < 3 ? 12 : kind < 6 ? 200 : longest;
    return 1 + draw(lockstep) % (limit < longest ? limit : longest);
}

/* The instruction that the reference is about to execute. */
static void note_instruction(struct lockstep *lockstep)
{
    struct machine *machine = lockstep->machine[LOCKSTEP_REFERENCE];
    const struct cpu_state *cpu = machine_cpu(machine);
    struct traced *at = &lockstep->trace[lockstep->traced++ % TRACE_LENGTH];
    *at = (struct traced){.retired = cpu->retired,
                          .linear = (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip),
                          .bits = (uint8_t)(cpu->code_size * 8)};
    uint64_t phys;
    while (at->length < LONGEST_OPCODE && mmu_probe(machine_mmu(machine), at->linear + at->length, &phys)) {
        const struct memory_page *page = memory_bus_page(machine_memory(machine), phys);
        if (page->read == NULL) {
            break;
        }
        at->bytes[at->length++] = page->read[phys & PAGE_MASK];
    }
}

static enum machine_stop run_side(struct lockstep *lockstep, unsigned side, uint64_t until, uint64_t end)
{
    struct machine *machine = lockstep->machine[side];
    uint64_t now = machine_now(machine);
    machine_set_step_limit(machine, until);
    enum machine_stop stop = machine_run(machine, end > now ? end - now : 0);
    machine_set_step_limit(machine, 0);
    return stop;
}

/* The reference alone, one instruction at a time, so that its way is known. */
static enum machine_stop trace_reference(struct lockstep *lockstep, uint64_t until, uint64_t end)
{
    enum machine_stop stop = MACHINE_BREAK;
    while (stop == MACHINE_BREAK && retired(lockstep) < until) {
        note_instruction(lockstep);
        stop = run_side(lockstep, LOCKSTEP_REFERENCE, retired(lockstep) + 1, end);
    }
    return stop;
}

/* One step of both. False: they differ behind it. */
static bool run_step(struct lockstep *lockstep, uint64_t length, uint64_t end, enum machine_stop *stop)
{
    const struct lockstep_focus *focus = &lockstep->config.focus;
    uint64_t until = retired(lockstep) + length;
    bool traced = lockstep->step <= focus->step && focus->step - lockstep->step < TRACED_STEPS;
    *stop =
        traced ? trace_reference(lockstep, until, end) : run_side(lockstep, LOCKSTEP_REFERENCE, until, end);
    enum machine_stop other = run_side(lockstep, LOCKSTEP_TESTED, until, end);
    return is_same(lockstep, *stop == other);
}

/* The next step, or one instruction after the other of it. */
static bool run_next(struct lockstep *lockstep, uint64_t end, enum machine_stop *stop)
{
    const struct lockstep_focus *focus = &lockstep->config.focus;
    uint64_t length = draw_length(lockstep);
    uint64_t left = lockstep->config.instructions - retired(lockstep);
    length = length < left ? length : left;
    lockstep->finding.step = lockstep->step;
    lockstep->finding.start = retired(lockstep);
    if (!focus->single || lockstep->step != focus->step) {
        return run_step(lockstep, length, end, stop);
    }
    uint64_t until = retired(lockstep) + length;
    bool same = true;
    *stop = MACHINE_BREAK;
    while (same && *stop == MACHINE_BREAK && retired(lockstep) < until) {
        same = run_step(lockstep, 1, end, stop);
    }
    return same;
}

bool lockstep_compare_all(struct lockstep *lockstep)
{
    lockstep->next_memory = 0;
    return is_same(lockstep, true);
}

enum lockstep_stop lockstep_run(struct lockstep *lockstep, uint64_t slice_ns)
{
    struct machine *reference = lockstep->machine[LOCKSTEP_REFERENCE];
    uint64_t end = machine_now(reference) + slice_ns;
    while (machine_now(reference) < end) {
        enum machine_stop stop;
        if (retired(lockstep) >= lockstep->config.instructions) {
            return lockstep_compare_all(lockstep) ? LOCKSTEP_LIMIT : LOCKSTEP_DIFFERENT;
        }
        if (!run_next(lockstep, end, &stop)) {
            return LOCKSTEP_DIFFERENT;
        }
        lockstep->step++;
        if (stop == MACHINE_POWER_OFF) {
            return lockstep_compare_all(lockstep) ? LOCKSTEP_OFF : LOCKSTEP_DIFFERENT;
        }
    }
    return LOCKSTEP_SLICE;
}

/* ---- reports */

void lockstep_describe_progress(const struct lockstep *lockstep, FILE *out)
{
    fprintf(out, "%llu instructions, %llu comparisons of the CPUs, %llu of all RAM",
            (unsigned long long)retired(lockstep), (unsigned long long)lockstep->comparisons,
            (unsigned long long)lockstep->memory_comparisons);
}

static void print_trace(const struct lockstep *lockstep, FILE *out)
{
    const struct log *log = machine_log(lockstep->machine[LOCKSTEP_REFERENCE]);
    uint64_t first = lockstep->traced > TRACE_LENGTH ? lockstep->traced - TRACE_LENGTH : 0;
    for (uint64_t i = first; i < lockstep->traced; i++) {
        const struct traced *at = &lockstep->trace[i % TRACE_LENGTH];
        fprintf(out, "%c %12llu ", at->retired >= lockstep->finding.start ? '>' : ' ',
                (unsigned long long)at->retired);
        const struct decode_mode mode = {.code_size = at->bits / 8};
        struct insn insn;
        bool known = decoder_decode(&mode, at->bytes, at->length, &insn) == DECODE_OK;
        unsigned length = known ? insn.length : at->length;
        if (log->disassembler != NULL && known) {
            log->disassembler(out, at->linear, at->bytes, length, at->bits);
            continue;
        }
        fprintf(out, "0x%08x: ", at->linear);
        for (unsigned j = 0; j < length; j++) {
            fprintf(out, " %02x", at->bytes[j]);
        }
        fprintf(out, "  %s\n", known ? insn_info((enum insn_id)insn.id)->mnemonic : "(invalid)");
    }
}

static void print_pages(const struct lockstep *lockstep, FILE *out)
{
    const struct lockstep_finding *finding = &lockstep->finding;
    for (unsigned i = 0; i < finding->page_count; i++) {
        const uint8_t *one = ram(lockstep, LOCKSTEP_REFERENCE) + finding->pages[i];
        const uint8_t *other = ram(lockstep, LOCKSTEP_TESTED) + finding->pages[i];
        unsigned shown = 0;
        for (unsigned at = 0; at < PAGE_SIZE && shown < 8; at++) {
            if (one[at] != other[at]) {
                fprintf(out, "* RAM %08llx       %02x %02x\n", (unsigned long long)(finding->pages[i] + at),
                        one[at], other[at]);
                shown++;
            }
        }
    }
}

void lockstep_describe_difference(const struct lockstep *lockstep, FILE *out)
{
    const struct lockstep_finding *finding = &lockstep->finding;
    fprintf(out, "the engines differ in %s, after %llu instructions (step %llu began after %llu)\n",
            finding->what, (unsigned long long)retired(lockstep), (unsigned long long)finding->step,
            (unsigned long long)finding->start);
    if (lockstep->traced > 0) {
        fprintf(out, "executed last by the interpreter (> in the step that differs):\n");
        print_trace(lockstep, out);
    }
    cpu_print_difference(out, "interpreter", machine_cpu(lockstep->machine[LOCKSTEP_REFERENCE]), "under test",
                         machine_cpu(lockstep->machine[LOCKSTEP_TESTED]));
    print_pages(lockstep, out);
}
