/* What instructions leave that the SDM does not define: as processors with no habit of enum cpu_habit do
 * (Intel's), and as those with all of them do (AMD's Zen 5, from which the second column was taken). The
 * engine that DOPPEL_TEST_ENGINE names has to have the habits that the host's processor was found to have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/habits.h"
#include "cpu_bench.h"

#define RAM_SIZE   MIB
#define BUDGET     100 /* translated code is entered only when there is enough for its whole block */
#define ALL_HABITS UINT32_MAX
#define ALL_BUT_AF (EFLAGS_ARITHMETIC & ~(unsigned)EFLAGS_AF)

enum { NOP = 0x90, HLT = 0xf4 };
enum { CF = EFLAGS_CF, PF = EFLAGS_PF, AF = EFLAGS_AF, ZF = EFLAGS_ZF, SF = EFLAGS_SF, OF = EFLAGS_OF };

struct outcome {
    uint32_t ax, flags;
};

struct row {
    const char *name;
    uint8_t bytes[8];
    uint32_t ax, bx, dx; /* ECX is 2 */
    uint32_t flags;
    struct outcome without, with;
};

// clang-format off
static const struct row rows[] = {
    {"mul ebx", {0xf7, 0xe3, HLT}, 3, 5, 0, EFLAGS_ARITHMETIC, {15, PF}, {15, SF | ZF | AF | PF}},
    {"mul bl", {0xf6, 0xe3, HLT}, 0, 5, 0, 0, {0, PF}, {0, 0}},
    {"imul eax, ebx", {0x0f, 0xaf, 0xc3, HLT}, 0x80000000, 2, 0, 0, {0, PF | CF | OF}, {0, CF | OF}},
    {"imul eax, ebx, -1", {0x6b, 0xc3, 0xff, HLT}, 0, 1, 0, ZF, {0xffffffff, SF | PF}, {0xffffffff, ZF}},
    {"div ebx", {0xf7, 0xf3, HLT}, 7, 2, 0, ALL_BUT_AF, {3, ALL_BUT_AF}, {3, CF | AF | OF}},
    {"div bl", {0xf6, 0xf3, HLT}, 7, 2, 0, 0, {0x103, 0}, {0x103, AF}},
    {"idiv ebx", {0xf7, 0xfb, HLT}, 7, 2, 0, OF, {3, OF}, {3, AF | OF}},
    {"idiv ebx, wide", {0xf7, 0xfb, HLT}, 0, 4, 1, ALL_BUT_AF, {0x40000000, ALL_BUT_AF}, {0x40000000, CF | AF | OF}},
    {"idiv bx, wide", {0x66, 0xf7, 0xfb, HLT}, 0, 4, 1, ALL_BUT_AF, {0x4000, ALL_BUT_AF}, {0x4000, CF | AF | OF}},
    {"idiv ebx by -1", {0xf7, 0xfb, HLT}, 7, 0xffffffff, 0, ZF, {0xfffffff9, ZF}, {0xfffffff9, AF}},
    {"shl eax, 1", {0xd1, 0xe0, HLT}, 1, 0, 0, 0, {2, 0}, {2, AF}},
    {"shl eax, 2", {0xc1, 0xe0, 2, HLT}, 0xc0000000, 0, 0, AF, {0, ZF | PF | CF}, {0, ZF | PF | AF | CF | OF}},
    {"shr eax, cl", {0xd3, 0xe8, HLT}, 0x80000000, 0, 0, 0, {0x20000000, PF | OF}, {0x20000000, PF | AF}},
    {"sar al, cl", {0xd2, 0xf8, HLT}, 0x81, 0, 0, OF, {0xe0, SF}, {0xe0, SF | AF}},
    {"rol eax, 2", {0xc1, 0xc0, 2, HLT}, 0x80000000, 0, 0, OF, {2, OF}, {2, 0}},
    {"ror eax, cl", {0xd3, 0xc8, HLT}, 2, 0, 0, 0, {0x80000000, CF}, {0x80000000, CF | OF}},
    {"rcl eax, cl", {0xd3, 0xd0, HLT}, 0x40000000, 0, 0, 0, {0, CF | OF}, {0, CF | OF}},
    {"rcr eax, cl", {0xd3, 0xd8, HLT}, 0, 0, 0, CF, {0x40000000, OF}, {0x40000000, OF}},
    {"rcr ax, 17", {0x66, 0xc1, 0xd8, 17, HLT}, 0x8000, 0, 0, 0, {0x8000, 0}, {0x8000, OF}},
    {"shld eax, ebx, 2", {0x0f, 0xa4, 0xd8, 2, HLT}, 0xc0000000, 0, 0, 0, {0, ZF | PF | CF}, {0, ZF | PF | AF | CF | OF}},
    {"shrd eax, ebx, cl", {0x0f, 0xad, 0xd8, HLT}, 0, 2, 0, 0, {0x80000000, SF | PF}, {0x80000000, SF | PF | AF | OF}},
    {"shld ax, bx, 16", {0x66, 0x0f, 0xa4, 0xd8, 16, HLT}, 1, 0x8000, 0, 0, {0x8000, SF | PF | CF}, {0x8000, SF | PF | AF | CF | OF}},
    {"shld ax, bx, 17", {0x66, 0x0f, 0xa4, 0xd8, 17, HLT}, 0, 0x8000, 0, 0, {0, ZF | PF | CF}, {1, AF}},
    {"shrd ax, bx, 17", {0x66, 0x0f, 0xac, 0xd8, 17, HLT}, 1, 3, 0, 0, {0x8001, SF | CF | OF}, {0x8001, SF | AF | OF}},
};
// clang-format on

static struct outcome run(struct cpu_bench *bench, const struct row *row, uint32_t habits)
{
    struct cpu_state *cpu = &bench->cpu;
    cpu_bench_enter_flat(bench, 4, 0);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(NOP)); /* the first instruction is not a translated one */
    cpu_bench_load(bench, BENCH_CODE + 1, row->bytes, sizeof row->bytes);
    cpu->habits = habits;
    cpu->gpr[CPU_AX].q = row->ax;
    cpu->gpr[CPU_BX].q = row->bx;
    cpu->gpr[CPU_CX].q = 2;
    cpu->gpr[CPU_DX].q = row->dx;
    cpu_set_eflags(cpu, row->flags);
    cpu_bench_run(bench, BUDGET);
    return (struct outcome){cpu->gpr[CPU_AX].d, flags_to_eflags(&cpu->flags)};
}

static void expect(const struct row *row, struct outcome expected, struct outcome found)
{
    if (found.ax != expected.ax || found.flags != expected.flags) {
        fail_msg("%s: EAX %08x flags %03x, expected %08x %03x", row->name, found.ax, found.flags, expected.ax,
                 expected.flags);
    }
}

static struct cpu_bench *create_interpreter(void)
{
    const struct engine_config interpreter = {.kind = ENGINE_INTERP};
    return cpu_bench_create_with(cpu_model_find("max"), RAM_SIZE, &interpreter);
}

static void the_interpreter_has_any_processors_habits(void **state)
{
    struct cpu_bench *bench = create_interpreter();
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        expect(&rows[i], rows[i].without, run(bench, &rows[i], 0));
        expect(&rows[i], rows[i].with, run(bench, &rows[i], ALL_HABITS));
    }
    cpu_bench_destroy(bench);
}

static void an_engine_has_the_hosts_habits(void **state)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("max"), RAM_SIZE);
    struct cpu_bench *interpreter = create_interpreter();
    const uint32_t habits = cpu_habits_of_host();
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        expect(&rows[i], run(interpreter, &rows[i], habits), run(bench, &rows[i], habits));
    }
    cpu_bench_destroy(interpreter);
    cpu_bench_destroy(bench);
}

static void a_divide_error_changes_no_flags(void **state)
{
    static const struct row wide = {
        .bytes = {0xf7, 0xfb, HLT}, .bx = 4, .dx = 0x40000000, .flags = ALL_BUT_AF}; /* idiv ebx */
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("max"), RAM_SIZE);
    (void)state;
    run(bench, &wide, cpu_habits_of_host());
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    assert_int_equal(frame.vector, VECTOR_DE);
    assert_int_equal(frame.eflags & EFLAGS_ARITHMETIC, ALL_BUT_AF);
    cpu_bench_destroy(bench);
}

static void old_models_have_their_own(void **state)
{
    (void)state;
    assert_int_equal(cpu_habits_of(cpu_model_find("8086")), HABIT_SHIFT_OVERFLOW_OF_LAST_STEP);
    assert_int_equal(cpu_habits_of(cpu_model_find("80286")), HABIT_SHIFT_OVERFLOW_OF_LAST_STEP);
    assert_int_equal(cpu_habits_of(cpu_model_find("80386")),
                     cpu_habits_of_host() | HABIT_SHIFT_OVERFLOW_OF_LAST_STEP);
    assert_int_equal(cpu_habits_of(cpu_model_find("pentium4")), cpu_habits_of_host());
}

/* 64 samples tell one processor from another; what a model lacks does not count. */
static void the_crc_is_that_of_a_models_results(void **state)
{
    (void)state;
    uint32_t newest = cpu_habits_crc(cpu_model_find("max"));
    assert_int_equal(cpu_habits_crc(cpu_model_find("max")), newest);
    assert_int_equal(cpu_habits_crc(cpu_model_find("pentium3")), cpu_habits_crc(cpu_model_find("pentium4")));
    assert_int_not_equal(cpu_habits_crc(cpu_model_find("pentium2")), newest);
    assert_int_not_equal(cpu_habits_crc(cpu_model_find("8086")), newest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interpreter_has_any_processors_habits),
        cmocka_unit_test(an_engine_has_the_hosts_habits),
        cmocka_unit_test(a_divide_error_changes_no_flags),
        cmocka_unit_test(old_models_have_their_own),
        cmocka_unit_test(the_crc_is_that_of_a_models_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
