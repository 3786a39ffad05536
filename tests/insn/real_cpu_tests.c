/* Runs single-instruction tests captured from real processors against the interpreter.
 *
 * usage: real-cpu-tests MODEL DIRECTORY [FORM]
 *
 * Each file of DIRECTORY is one opcode form, gzip text: registers and memory before and after one instruction
 * (the format is described in the README beside the tests). An 80286 test runs up to the HLT that follows the
 * instruction, or that an exception's handler consists of; an 8086 test runs one instruction. Registers,
 * flags under the form's mask, and every byte the test mentions are compared. Forms the manuals define
 * ("normal", "alias", "prefix") must pass without exception; undocumented ones are run and counted apart.
 * Exit status: 0 all documented forms pass, 1 some failed, 77 the directory is not there. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bits.h"
#include "cpu_bench.h"

#define MAX_BYTES      4096
#define MAX_LINE       65536
#define REPORTS_A_FORM 3
#define MAX_RUN        200000

struct byte_at {
    uint32_t address;
    uint8_t value;
};

enum register_number {
    R_AX,
    R_BX,
    R_CX,
    R_DX,
    R_CS,
    R_SS,
    R_DS,
    R_ES,
    R_SP,
    R_BP,
    R_SI,
    R_DI,
    R_IP,
    R_FLAGS,
    R_COUNT
};

static const char *const register_names[R_COUNT] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                                    "es", "sp", "bp", "si", "di", "ip", "flags"};

struct test {
    char name[200];
    char bytes[64];
    uint16_t before[R_COUNT];
    uint16_t after[R_COUNT];
    struct byte_at memory_before[MAX_BYTES];
    struct byte_at memory_after[MAX_BYTES];
    size_t memory_before_count, memory_after_count;
};

/* Where and how the tests run. */
struct subject {
    struct cpu_bench *bench;
    bool steps_one; /* 8086 tests */
    uint16_t flags_loadable;
};

struct tally {
    unsigned long passed, failed;
};

/* ---- the machine under test */

static struct subject create_subject(const struct cpu_model *model)
{
    bool steps_one = model->generation <= CPU_80186;
    return (struct subject){.bench = cpu_bench_create(model, (uint64_t)1 << model->address_bits),
                            .steps_one = steps_one,
                            .flags_loadable = steps_one ? 0xffff : 0x0fff};
}

static void load_state(struct subject *subject, const struct test *test)
{
    static const enum register_number gpr_source[8] = {R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI, R_DI};
    static const struct {
        enum cpu_segment segment;
        enum register_number source;
    } segment_source[4] = {{CPU_ES, R_ES}, {CPU_CS, R_CS}, {CPU_SS, R_SS}, {CPU_DS, R_DS}};
    struct cpu_state *cpu = &subject->bench->cpu;
    cpu_reset(cpu);
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i].q = test->before[gpr_source[i]];
    }
    for (unsigned i = 0; i < ARRAY_COUNT(segment_source); i++) {
        struct segment *segment = &cpu->segment[segment_source[i].segment];
        segment->selector = test->before[segment_source[i].source];
        segment->base = (uint64_t)segment->selector << 4;
    }
    cpu->rip = test->before[R_IP];
    cpu_set_eflags(cpu, (test->before[R_FLAGS] & subject->flags_loadable) | cpu->model->eflags_forced);
    for (size_t i = 0; i < test->memory_before_count; i++) {
        memory_bus_write(subject->bench->bus, test->memory_before[i].address, 1,
                         test->memory_before[i].value);
    }
}

static void clear_memory(struct subject *subject, const struct test *test)
{
    for (size_t i = 0; i < test->memory_before_count; i++) {
        memory_bus_write(subject->bench->bus, test->memory_before[i].address, 1, 0);
    }
    for (size_t i = 0; i < test->memory_after_count; i++) {
        memory_bus_write(subject->bench->bus, test->memory_after[i].address, 1, 0);
    }
}

/* Whether the test's bytes end in a string instruction with a repeat prefix: it retires each iteration apart.
 */
static bool is_repeated_string(const struct test *test)
{
    size_t length = strlen(test->bytes);
    const char *opcode = test->bytes + (length >= 2 ? length - 2 : 0);
    bool is_string = opcode[0] == 'a' && strchr("4567abcdef", opcode[1]) != NULL;
    for (const char *byte = test->bytes; is_string && byte < opcode; byte += 2) {
        if (byte[0] == 'f' && (byte[1] == '2' || byte[1] == '3')) {
            return true;
        }
    }
    return false;
}

static void run_test(struct subject *subject, const struct test *test)
{
    const struct cpu_state *cpu = &subject->bench->cpu;
    uint64_t start = cpu->rip;
    if (!subject->steps_one) {
        cpu_bench_run(subject->bench, MAX_RUN);
        return;
    }
    do {
        cpu_bench_run(subject->bench, 1);
    } while (is_repeated_string(test) && cpu->rip == start);
}

static void save_state(const struct cpu_state *cpu, uint16_t *values)
{
    values[R_AX] = cpu->gpr[CPU_AX].w;
    values[R_BX] = cpu->gpr[CPU_BX].w;
    values[R_CX] = cpu->gpr[CPU_CX].w;
    values[R_DX] = cpu->gpr[CPU_DX].w;
    values[R_SP] = cpu->gpr[CPU_SP].w;
    values[R_BP] = cpu->gpr[CPU_BP].w;
    values[R_SI] = cpu->gpr[CPU_SI].w;
    values[R_DI] = cpu->gpr[CPU_DI].w;
    values[R_CS] = cpu->segment[CPU_CS].selector;
    values[R_SS] = cpu->segment[CPU_SS].selector;
    values[R_DS] = cpu->segment[CPU_DS].selector;
    values[R_ES] = cpu->segment[CPU_ES].selector;
    values[R_IP] = (uint16_t)cpu->rip;
    values[R_FLAGS] = (uint16_t)cpu_eflags(cpu);
}

/* ---- comparison */

/* The byte that must stand at `address` afterwards. */
static uint8_t expected_byte(const struct test *test, uint32_t address, uint8_t before)
{
    for (size_t i = 0; i < test->memory_after_count; i++) {
        if (test->memory_after[i].address == address) {
            return test->memory_after[i].value;
        }
    }
    return before;
}

/* The FLAGS image that an exception (or INT) pushed stands above IP and CS on the new top of the stack. */
static uint64_t pushed_flags_address(const struct subject *subject, const struct test *test)
{
    uint64_t linear = (uint64_t)(test->after[R_SS] << 4) + (uint16_t)(test->after[R_SP] + 4);
    return memory_bus_effective(subject->bench->bus, linear);
}

static uint8_t mask_at(const struct subject *subject, const struct test *test, uint32_t address,
                       uint16_t flags_mask)
{
    uint64_t flags_at = pushed_flags_address(subject, test);
    bool interrupted = test->after[R_SP] == (uint16_t)(test->before[R_SP] - 6);
    if (!interrupted || (address != flags_at && address != flags_at + 1)) {
        return 0xff;
    }
    return (uint8_t)(address == flags_at ? flags_mask : flags_mask >> 8);
}

static bool memory_matches(struct subject *subject, const struct test *test, uint32_t address,
                           uint8_t expected, uint16_t flags_mask, FILE *report)
{
    uint8_t actual = (uint8_t)memory_bus_read(subject->bench->bus, address, 1);
    if (((actual ^ expected) & mask_at(subject, test, address, flags_mask)) == 0) {
        return true;
    }
    if (report != NULL) {
        fprintf(report, "    [%05x] is %02x, should be %02x\n", address, actual, expected);
    }
    return false;
}

static bool state_matches(struct subject *subject, const struct test *test, uint16_t flags_mask, FILE *report)
{
    bool same = true;
    uint16_t actual[R_COUNT];
    save_state(&subject->bench->cpu, actual);
    for (unsigned i = 0; i < R_COUNT; i++) {
        uint16_t mask = i == R_FLAGS ? flags_mask : 0xffff;
        if ((actual[i] ^ test->after[i]) & mask) {
            same = false;
            if (report != NULL) {
                fprintf(report, "    %s is %04x, should be %04x (was %04x)\n", register_names[i],
                        actual[i] & mask, test->after[i] & mask, test->before[i]);
            }
        }
    }
    for (size_t i = 0; i < test->memory_before_count; i++) {
        uint32_t address = test->memory_before[i].address;
        uint8_t expected = expected_byte(test, address, test->memory_before[i].value);
        same &= memory_matches(subject, test, address, expected, flags_mask, report);
    }
    for (size_t i = 0; i < test->memory_after_count; i++) {
        const struct byte_at *byte = &test->memory_after[i];
        same &= memory_matches(subject, test, byte->address, byte->value, flags_mask, report);
    }
    return same;
}

/* ---- reading the files */

static void parse_registers(const char *text, uint16_t *values)
{
    for (unsigned i = 0; i < R_COUNT; i++) {
        char pattern[16];
        snprintf(pattern, sizeof pattern, " %s=", register_names[i]);
        const char *at = strstr(text, pattern);
        if (at != NULL) {
            values[i] = (uint16_t)strtoul(at + strlen(pattern), NULL, 16);
        }
    }
}

static size_t parse_memory(const char *text, struct byte_at *bytes)
{
    size_t count = 0;
    char *end;
    while (count < MAX_BYTES) {
        unsigned long address = strtoul(text, &end, 16);
        if (end == text || *end != '=') {
            break;
        }
        text = end + 1;
        bytes[count++] = (struct byte_at){(uint32_t)address, (uint8_t)strtoul(text, &end, 16)};
        text = end;
    }
    return count;
}

/* Reads the lines of one test after its T line; returns false at the end of the file. `line` holds the next T
 * line or nothing. */
static bool parse_test(gzFile file, char *line, struct test *test)
{
    while (line[0] != 'T') {
        if (gzgets(file, line, MAX_LINE) == NULL) {
            return false;
        }
    }
    memset(test, 0, sizeof *test);
    snprintf(test->name, sizeof test->name, "%.*s", (int)strcspn(line + 2, "\n"), line + 2);
    while (gzgets(file, line, MAX_LINE) != NULL && line[0] != 'T') {
        switch (line[0]) {
        case 'B':
            snprintf(test->bytes, sizeof test->bytes, "%.*s", (int)strcspn(line + 2, "\n"), line + 2);
            break;
        case 'I':
            parse_registers(line + 1, test->before);
            memcpy(test->after, test->before, sizeof test->after);
            break;
        case 'M': test->memory_before_count = parse_memory(line + 1, test->memory_before); break;
        case 'F': parse_registers(line + 1, test->after); break;
        case 'N': test->memory_after_count = parse_memory(line + 1, test->memory_after); break;
        default: break;
        }
    }
    return true;
}

struct form {
    char name[32];
    char status[32];
    unsigned flags_mask;
    bool documented;
};

static bool read_form(gzFile file, char *line, struct form *form)
{
    if (gzgets(file, line, MAX_LINE) == NULL || sscanf(line, "# opcode %31s status %31s flags-mask %x",
                                                       form->name, form->status, &form->flags_mask) != 3) {
        return false;
    }
    form->documented = strcmp(form->status, "normal") == 0 || strcmp(form->status, "alias") == 0 ||
                       strcmp(form->status, "prefix") == 0;
    return true;
}

static bool run_file(struct subject *subject, const char *path, struct tally *documented,
                     struct tally *others)
{
    gzFile file = gzopen(path, "rb");
    char *line = calloc(1, MAX_LINE);
    struct test *test = calloc(1, sizeof *test);
    struct form form;
    bool ok = file != NULL && line != NULL && test != NULL && read_form(file, line, &form);
    struct tally tally = {0, 0};
    while (ok && parse_test(file, line, test)) {
        load_state(subject, test);
        run_test(subject, test);
        if (state_matches(subject, test, (uint16_t)form.flags_mask, NULL)) {
            tally.passed++;
        } else {
            if (tally.failed++ < REPORTS_A_FORM) {
                printf("%s (%s): test %s [%s]\n", form.name, form.status, test->name, test->bytes);
                state_matches(subject, test, (uint16_t)form.flags_mask, stdout);
            }
        }
        clear_memory(subject, test);
    }
    if (ok && tally.failed > 0) {
        printf("%s (%s): %lu of %lu failed\n", form.name, form.status, tally.failed,
               tally.failed + tally.passed);
    }
    if (ok) {
        struct tally *total = form.documented ? documented : others;
        total->passed += tally.passed;
        total->failed += tally.failed;
    } else {
        fprintf(stderr, "%s: not a readable test file\n", path);
    }
    free(line);
    free(test);
    gzclose(file);
    return ok;
}

static int is_test_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 7 && strcmp(entry->d_name + length - 7, ".sst.gz") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL DIRECTORY [FORM]\n", argv[0]);
        return 2;
    }
    const struct cpu_model *model = cpu_model_find(argv[1]);
    if (model == NULL) {
        fprintf(stderr, "%s: unknown CPU model\n", argv[1]);
        return 2;
    }
    struct dirent **entries;
    int count = scandir(argv[2], &entries, is_test_file, alphasort);
    if (count <= 0) {
        printf("SKIPPED: no test files in %s\n", argv[2]);
        return 77;
    }
    struct subject subject = create_subject(model);
    struct tally documented = {0, 0};
    struct tally others = {0, 0};
    bool readable = true;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[2], entries[i]->d_name);
        size_t form_length = strlen(entries[i]->d_name) - 7;
        if (argc == 3 ||
            (strlen(argv[3]) == form_length && memcmp(argv[3], entries[i]->d_name, form_length) == 0)) {
            readable &= run_file(&subject, path, &documented, &others);
        }
        free(entries[i]);
    }
    free(entries);
    cpu_bench_destroy(subject.bench);
    printf("%s: documented forms: %lu passed, %lu failed; undocumented, undefined and coprocessor forms: %lu "
           "passed, %lu failed\n",
           model->name, documented.passed, documented.failed, others.passed, others.failed);
    return readable && documented.failed == 0 && documented.passed > 0 ? 0 : 1;
}
