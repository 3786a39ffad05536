/* String instructions and divisions as the translator does them, beside the interpreter: at the edges of
 * pages, segments, counts and budgets, where a run on host memory has to end. Registers, flags, memory and
 * the number of retired instructions must agree after every budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/flags.h"
#include "cpu_bench.h"

#define RAM_SIZE  (256 * KIB)
#define DATA      0x20000u /* linear pages from here on are not in order */
#define DATA_SIZE 0x10000u
#define READ_ONLY (DATA + 0x8000) /* a page */
#define ABSENT    (DATA + 0xb000)
#define MOST_CODE 320u

enum side { INTERPRETER, TRANSLATOR, SIDES };

struct string_case {
    const char *what;
    uint8_t code[MOST_CODE];
    unsigned length;
    uint32_t ax, cx, dx, si, di;
    uint32_t eflags;
    unsigned data_period; /* of the bytes in memory; 0: 251 */
    bool real;            /* in real mode */
    bool unpaged;
    uint32_t es_base, es_limit; /* unless the limit is 0 */
};

struct pair {
    struct cpu_bench *side[SIDES];
};

static int create(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    const struct cpu_model *model = cpu_model_find("pentium3");
    pair->side[INTERPRETER] =
        cpu_bench_create_with(model, RAM_SIZE, &(struct engine_config){.kind = ENGINE_INTERP});
    pair->side[TRANSLATOR] =
        cpu_bench_create_with(model, RAM_SIZE, &(struct engine_config){.kind = ENGINE_DBT});
    *state = pair;
    return 0;
}

static int destroy(void **state)
{
    struct pair *pair = *state;
    for (unsigned i = 0; i < SIDES; i++) {
        cpu_bench_destroy(pair->side[i]);
    }
    free(pair);
    return 0;
}

static void map_data(struct cpu_bench *bench)
{
    cpu_bench_enable_paging(bench);
    unsigned pages = DATA_SIZE / PAGE_SIZE;
    for (unsigned i = 0; i < pages; i++) {
        unsigned phys = i * 7 % pages;
        cpu_bench_map(bench, DATA + i * (uint32_t)PAGE_SIZE, DATA + phys * (uint32_t)PAGE_SIZE, PAGE_ALL);
    }
    uint32_t read_only = DATA + (READ_ONLY - DATA) * 7 % DATA_SIZE;
    cpu_bench_map(bench, READ_ONLY, read_only, PAGE_PRESENT | PAGE_USER);
    cpu_bench_map(bench, ABSENT, ABSENT, 0);
}

static void prepare(struct cpu_bench *bench, const struct string_case *c)
{
    struct cpu_state *cpu = &bench->cpu;
    unsigned period = c->data_period == 0 ? 251 : c->data_period;
    for (uint32_t i = 0; i < DATA_SIZE; i++) {
        bench->ram[DATA + i] = (uint8_t)(i % period * 37 + 11);
    }
    memset(bench->ram, 0, 0x10000);
    if (c->real) {
        cpu_bench_enter_real(bench);
    } else {
        cpu_bench_enter_flat(bench, 4, 0);
        if (!c->unpaged) {
            map_data(bench);
        }
    }
    if (c->es_limit != 0) {
        cpu->segment[CPU_ES].base = c->es_base;
        cpu->segment[CPU_ES].limit = c->es_limit;
        segment_update_bounds(&cpu->segment[CPU_ES]);
    }
    cpu_bench_load(bench, BENCH_CODE, c->code, c->length);
    cpu->gpr[CPU_AX].q = c->ax;
    cpu->gpr[CPU_CX].q = c->cx;
    cpu->gpr[CPU_DX].q = c->dx;
    cpu->gpr[CPU_SI].q = c->si;
    cpu->gpr[CPU_DI].q = c->di;
    cpu->halted = false;
    cpu->retired = 0;
    cpu_set_eflags(cpu, c->eflags);
}

static void compare(const struct pair *pair, const struct string_case *c, uint32_t budget)
{
    const struct cpu_bench *one = pair->side[INTERPRETER];
    const struct cpu_bench *other = pair->side[TRANSLATOR];
    const char *differs = NULL;
    uint64_t values[SIDES] = {0};
#define COMPARE(name, field)                                                                                 \
    if (differs == NULL && one->cpu.field != other->cpu.field) {                                             \
        differs = name;                                                                                      \
        values[INTERPRETER] = one->cpu.field;                                                                \
        values[TRANSLATOR] = other->cpu.field;                                                               \
    }
    COMPARE("EAX", gpr[CPU_AX].q)
    COMPARE("ECX", gpr[CPU_CX].q)
    COMPARE("EDX", gpr[CPU_DX].q)
    COMPARE("ESI", gpr[CPU_SI].q)
    COMPARE("EDI", gpr[CPU_DI].q)
    COMPARE("ESP", gpr[CPU_SP].q)
    COMPARE("RIP", rip)
    COMPARE("retired", retired)
    COMPARE("CR2", cr2)
    COMPARE("halted", halted)
    values[INTERPRETER] = differs == NULL ? cpu_eflags(&one->cpu) : values[INTERPRETER];
    values[TRANSLATOR] = differs == NULL ? cpu_eflags(&other->cpu) : values[TRANSLATOR];
    if (differs == NULL && values[INTERPRETER] != values[TRANSLATOR]) {
        differs = "EFLAGS";
    }
    if (differs == NULL && memcmp(one->ram, other->ram, RAM_SIZE) != 0) {
        size_t at = 0;
        while (one->ram[at] == other->ram[at]) {
            at++;
        }
        differs = "memory";
        values[INTERPRETER] = values[TRANSLATOR] = at;
    }
    if (differs != NULL) {
        fail_msg("%s: cx=%x si=%x di=%x eflags=%x, budgets of %u, after %llu: %s is %llx, translated %llx",
                 c->what, c->cx, c->si, c->di, c->eflags, budget, (unsigned long long)one->cpu.retired,
                 differs, (unsigned long long)values[INTERPRETER], (unsigned long long)values[TRANSLATOR]);
    }
#undef COMPARE
}

/* Runs both to the HLT that every case ends with, by budgets of `budget`. */
static void run_by(struct pair *pair, const struct string_case *c, uint32_t budget)
{
    enum stop_reason reason;
    for (unsigned i = 0; i < SIDES; i++) {
        prepare(pair->side[i], c);
    }
    do {
        reason = cpu_bench_run(pair->side[INTERPRETER], budget);
        assert_int_equal(reason, cpu_bench_run(pair->side[TRANSLATOR], budget));
        compare(pair, c, budget);
    } while (reason == STOP_BUDGET && pair->side[INTERPRETER]->cpu.retired < 100000);
    assert_int_equal(reason, STOP_HALTED);
}

static void run(struct pair *pair, const struct string_case *c)
{
    static const uint32_t budgets[] = {100000, 71};
    for (unsigned i = 0; i < ARRAY_COUNT(budgets); i++) {
        run_by(pair, c, budgets[i]);
    }
}

/* ---- code */

static void put(struct string_case *c, uint8_t byte)
{
    c->code[c->length++] = byte;
}

static void put_string(struct string_case *c, const char *prefixes, uint8_t opcode, unsigned width)
{
    for (const char *p = prefixes; *p != '\0'; p++) {
        put(c, (uint8_t)*p);
    }
    if (width == (c->real ? 4u : 2u)) {
        put(c, 0x66);
    }
    put(c, (uint8_t)(opcode | (width != 1)));
}

/* The string instruction of this width twice on the same operands, the second time with their pages in the
 * TLB, and HLT. It is not the first instruction: that one is the interpreter's, which brings the code's page
 * into the TLB. */
static void put_code(struct string_case *c, const char *prefixes, uint8_t opcode, unsigned width)
{
    enum { PUSH_CX = 0x51, PUSH_SI = 0x56, PUSH_DI = 0x57, POP = 8, HLT = 0xf4 };
    c->length = 0;
    put(c, PUSH_CX);
    put(c, PUSH_SI);
    put(c, PUSH_DI);
    put_string(c, prefixes, opcode, width);
    put(c, PUSH_DI + POP);
    put(c, PUSH_SI + POP);
    put(c, PUSH_CX + POP);
    put_string(c, prefixes, opcode, width);
    put(c, HLT);
}

enum { MOVS = 0xa4, CMPS = 0xa6, STOS = 0xaa, LODS = 0xac, SCAS = 0xae };
#define REP   "\xf3"
#define REPNE "\xf2"
#define A16   "\x67"

static const unsigned widths[] = {1, 2, 4};
static const uint32_t directions[] = {0, EFLAGS_DF};

/* ---- tests */

static void test_overlapping_moves_copy_element_by_element(void **state)
{
    static const int distances[] = {1, 2, 3, 4, 5, 8, 31, 64, 100, 0, -1, -2, -3, -4, -5, -8, -31, -64, -100};
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned d = 0; d < 2; d++) {
            for (unsigned i = 0; i < ARRAY_COUNT(distances); i++) {
                struct string_case c = {.what = "overlap",
                                        .cx = 90,
                                        .si = DATA + 0x800,
                                        .di = DATA + 0x800 + (uint32_t)distances[i],
                                        .eflags = directions[d]};
                put_code(&c, REP, MOVS, widths[w]);
                run(*state, &c);
            }
        }
    }
}

/* The physical pages are not in order: a run that goes too far is seen. */
static void test_runs_end_at_pages(void **state)
{
    static const uint8_t opcodes[] = {MOVS, STOS, CMPS, SCAS};
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned d = 0; d < 2; d++) {
            for (int32_t i = -5; i <= 5; i++) {
                for (unsigned o = 0; o < ARRAY_COUNT(opcodes); o++) {
                    int32_t way = directions[d] ? 30 : -30;
                    struct string_case c = {.what = "page",
                                            .ax = opcodes[o] == SCAS ? 0x0b0b0b0b : 0x5a6b7c8d,
                                            .cx = i & 1 ? 50 : 30,
                                            .si = DATA + 0x2000 + (uint32_t)(i + way * (int32_t)widths[w]),
                                            .di =
                                                DATA + 0x6000 + (uint32_t)(i / 2 + way * (int32_t)widths[w]),
                                            .data_period = 8192,
                                            .eflags = directions[d]};
                    put_code(&c, opcodes[o] == SCAS ? REPNE : REP, opcodes[o], widths[w]);
                    run(*state, &c);
                }
            }
        }
    }
}

static void test_long_runs_cross_many_pages(void **state)
{
    for (unsigned w = 0; w < 3; w++) {
        struct string_case c = {
            .what = "long", .ax = 0x12345678, .cx = 0x5000 / widths[w], .si = DATA + 7, .di = DATA + 0x2ffe};
        put_code(&c, REP, MOVS, widths[w]);
        run(*state, &c);
        put_code(&c, REP, STOS, widths[w]);
        run(*state, &c);
    }
}

static void test_16_bit_indices_wrap(void **state)
{
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned d = 0; d < 2; d++) {
            for (uint32_t i = 0; i < 4; i++) {
                struct string_case c = {.what = "wrap",
                                        .unpaged = true,
                                        .ax = 0x5aa55aa5,
                                        .cx = 0xabc00018,
                                        .si = 0x77770000 + (directions[d] ? 0x10 + i : 0xffe0 + i),
                                        .di = 0x12340000 + (directions[d] ? 0x20 + i : 0xfff0 + i),
                                        .eflags = directions[d]};
                put_code(&c, REP A16, MOVS, widths[w]);
                run(*state, &c);
                put_code(&c, REP A16, STOS, widths[w]);
                run(*state, &c);
                put_code(&c, A16, MOVS, widths[w]);
                run(*state, &c);
                c.es_base = 0x10450; /* the wrap is within a page */
                c.es_limit = UINT32_MAX;
                put_code(&c, REP A16, STOS, widths[w]);
                run(*state, &c);
            }
        }
    }
}

static void test_segments_end(void **state)
{
    for (unsigned w = 0; w < 3; w++) {
        for (uint32_t i = 0; i < 8; i++) {
            struct string_case c = {
                .what = "limit", .cx = 20, .si = 0x9000, .di = 0xfff0 + i, .ax = 0x01020304, .real = true};
            put_code(&c, REP, MOVS, widths[w]);
            run(*state, &c);
            put_code(&c, REP, STOS, widths[w]);
            run(*state, &c);
            put_code(&c, "", STOS, widths[w]);
            run(*state, &c);
            c.es_base = 0x20010;
            c.es_limit = 0x1233;
            c.di = 0x1220 + i;
            put_code(&c, REP, STOS, widths[w]);
            run(*state, &c);
        }
    }
}

static void test_faults_leave_the_iterations_before(void **state)
{
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned d = 0; d < 2; d++) {
            for (int32_t i = -3; i <= 3; i++) {
                int32_t way = (directions[d] ? 11 : -11) * (int32_t)widths[w];
                uint32_t edge = (directions[d] ? 0x1000u : 0u) + (uint32_t)(i + way);
                struct string_case c = {.what = "fault",
                                        .cx = 40,
                                        .si = DATA + 0x5000,
                                        .di = READ_ONLY + edge,
                                        .eflags = directions[d] | EFLAGS_CF};
                put_code(&c, REP, MOVS, widths[w]);
                run(*state, &c);
                put_code(&c, REP, STOS, widths[w]);
                run(*state, &c);
                c.si = ABSENT + edge;
                c.di = DATA + 0x3000;
                put_code(&c, REP, MOVS, widths[w]);
                run(*state, &c);
                c.data_period = 1;
                put_code(&c, REP, CMPS, widths[w]);
                run(*state, &c);
            }
        }
    }
}

static void test_comparisons_stop_where_they_must(void **state)
{
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned d = 0; d < 2; d++) {
            for (uint32_t period = 1; period < 20; period++) {
                uint32_t byte = (period / 2 * 37 + 11) & 0xff;
                struct string_case c = {.what = "compare",
                                        .ax = byte * 0x01010101,
                                        .cx = 16,
                                        .si = DATA + 0x400,
                                        .di = DATA + 0x500,
                                        .eflags = directions[d] | EFLAGS_OF,
                                        .data_period = period};
                put_code(&c, REP, CMPS, widths[w]);
                run(*state, &c);
                put_code(&c, REPNE, CMPS, widths[w]);
                run(*state, &c);
                put_code(&c, REP, SCAS, widths[w]);
                run(*state, &c);
                put_code(&c, REPNE, SCAS, widths[w]);
                run(*state, &c);
                c.cx = 0;
                run(*state, &c);
            }
        }
    }
}

static void test_single_instructions(void **state)
{
    static const uint8_t opcodes[] = {MOVS, CMPS, STOS, LODS, SCAS};
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned d = 0; d < 2; d++) {
            for (unsigned o = 0; o < ARRAY_COUNT(opcodes); o++) {
                for (uint32_t i = 0; i < 5; i++) {
                    struct string_case c = {.what = "single",
                                            .ax = 0x89abcdef,
                                            .cx = 5,
                                            .si = DATA + 0xffc + i,
                                            .di = DATA + 0x3ffe - i,
                                            .eflags = directions[d] | EFLAGS_AF};
                    put_code(&c, "", opcodes[o], widths[w]);
                    run(*state, &c);
                }
            }
        }
    }
}

/* REP STOSB over the INC EDX behind it: they are DEC EDX when they execute. */
static void test_a_repetition_changes_its_own_block(void **state)
{
    struct string_case c = {.what = "self", .ax = 0x4a, .cx = 6, .di = BENCH_CODE + 6};
    static const uint8_t code[] = {0x89, 0xc3, 0xf3, 0xaa, 0x90, 0x42, 0x42,
                                   0x42, 0x42, 0x42, 0x42, 0x42, 0xf4};
    memcpy(c.code, code, sizeof code);
    c.length = sizeof code;
    run(*state, &c);
    c.code[3] = MOVS;
    c.si = BENCH_CODE + 5;
    c.di = BENCH_CODE + 4;
    run(*state, &c);
}

static void test_the_direction_is_that_of_the_moment(void **state)
{
    struct string_case c = {.what = "direction", .cx = 9, .si = DATA + 0x100, .di = DATA + 0x300};
    static const uint8_t code[] = {0xfd, 0xa4, 0xf3, 0xa4, 0xfc, 0xb1, 0x05, 0xa5, 0xf3, 0xa5, 0xf4};
    memcpy(c.code, code, sizeof code);
    c.length = sizeof code;
    run(*state, &c);
}

/* Blocks whose host code is as long as any. */
static void test_blocks_with_as_many_accesses_as_there_can_be(void **state)
{
    static const struct {
        const char *what;
        uint8_t length;
        uint8_t bytes[5];
    } rows[] = {
        {"enter", 5, {0x66, 0xc8, 0x04, 0x00, 0x00}},
        {"pusha", 2, {0x66, 0x60}},
        {"movs", 1, {0xa5}},
        {"push memory", 2, {0xff, 0x34}},
        {"pop memory", 2, {0x8f, 0x05}},
    };
    for (unsigned real = 0; real < 2; real++) {
        for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
            struct string_case c = {.what = rows[i].what, .real = real, .si = 0x6000, .di = 0x7000};
            if (!real && (rows[i].bytes[0] == 0xff || rows[i].bytes[0] == 0x8f)) {
                continue; /* other operands there */
            }
            put(&c, 0x90);
            while (c.length + rows[i].length < MOST_CODE - 1) {
                memcpy(c.code + c.length, rows[i].bytes, rows[i].length);
                c.length += rows[i].length;
            }
            put(&c, 0xf4);
            run(*state, &c);
        }
    }
}

static void test_divisions(void **state)
{
    static const uint32_t values[] = {0,      1,       3,          0x7f,       0x80,       0x100,
                                      0x8000, 0x10001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    static const uint8_t forms[][3] = {{0xf6, 0xf1, 0x90}, {0xf6, 0xf9, 0x90}, {0x66, 0xf7, 0xf1},
                                       {0x66, 0xf7, 0xf9}, {0xf7, 0xf1, 0x90}, {0xf7, 0xf9, 0x90}};
    for (unsigned f = 0; f < ARRAY_COUNT(forms); f++) {
        for (unsigned i = 0; i < ARRAY_COUNT(values); i++) {
            for (unsigned j = 0; j < ARRAY_COUNT(values); j++) {
                for (unsigned k = 0; k < ARRAY_COUNT(values); k++) {
                    struct string_case c = {.what = "divide",
                                            .ax = values[i],
                                            .dx = values[j],
                                            .cx = values[k],
                                            .eflags = EFLAGS_CF | EFLAGS_PF | EFLAGS_SF,
                                            .code = {0x90, forms[f][0], forms[f][1], forms[f][2], 0xf4},
                                            .length = 5};
                    run_by(*state, &c, 100000);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlapping_moves_copy_element_by_element),
        cmocka_unit_test(test_runs_end_at_pages),
        cmocka_unit_test(test_long_runs_cross_many_pages),
        cmocka_unit_test(test_16_bit_indices_wrap),
        cmocka_unit_test(test_segments_end),
        cmocka_unit_test(test_faults_leave_the_iterations_before),
        cmocka_unit_test(test_comparisons_stop_where_they_must),
        cmocka_unit_test(test_single_instructions),
        cmocka_unit_test(test_a_repetition_changes_its_own_block),
        cmocka_unit_test(test_the_direction_is_that_of_the_moment),
        cmocka_unit_test(test_blocks_with_as_many_accesses_as_there_can_be),
        cmocka_unit_test(test_divisions),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
