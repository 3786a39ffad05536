/* Every sensitive instruction, and the system instructions beside them, at each privilege and by each
 * strategy of the translator, against the interpreter.
 *
 * A row is a few bytes that mean the same in 16- and 32-bit code. They run several times in a loop, since
 * what was done once may be done another way the next time, on both engines in small steps, after each of
 * which all of the CPU's state and of memory must agree. DX is one selector after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_bench.h"
#include "decoder/insn.h"
#include "machine/cpu_compare.h"

#define RAM_SIZE     ((uint64_t)64 * KIB)
#define FAR_TARGET   (BENCH_CODE + 0x80) /* RETF, or IRET behind a pushed EFLAGS */
#define INT_VECTOR   0x80
#define ROUNDS       40u
#define STEP         41u /* more than a loop has within its block */
#define STEPS        40u
#define CODE_MAX     16u
#define POINTER_OF_8 0x10u /* where the far pointer of a `far` row is */

static const struct row {
    const char *name;
    uint8_t bytes[12];
    uint8_t length;
    bool interrupted; /* INTR is asserted from the start */
} rows[] = {
#define ROW(name, ...)                                                                                       \
    {                                                                                                        \
        name, {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), false                                         \
    }
#define INTERRUPTED_ROW(name, ...)                                                                           \
    {                                                                                                        \
        name, {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), true                                          \
    }
    ROW("pushf", 0x9c, 0x58),
    ROW("popf", 0x6a, 0x55, 0x9d),
    ROW("popf of another IF", 0x9c, 0x58, 0x80, 0xf4, 0x02, 0x50, 0x9d),
    ROW("popf of another DF", 0x9c, 0x58, 0x80, 0xf4, 0x04, 0x50, 0x9d),
    ROW("popf of another IOPL", 0x9c, 0x58, 0x80, 0xf4, 0x10, 0x50, 0x9d),
    INTERRUPTED_ROW("popf with an interrupt", 0x9c, 0x58, 0x80, 0xcc, 0x02, 0x50, 0x9d, 0x40),
    ROW("cli", 0xfa),
    ROW("sti", 0xfb),
    ROW("sti, cli", 0xfb, 0x40, 0xfa),
    INTERRUPTED_ROW("sti with an interrupt", 0x40, 0xfb, 0x40, 0x40),
    INTERRUPTED_ROW("sti, cli with an interrupt", 0xfb, 0xfa, 0x40),
    ROW("cld", 0xfc, 0x9c, 0x58),
    ROW("std", 0xfd, 0x9c, 0x58, 0xac),
    ROW("smsw ax", 0x0f, 0x01, 0xe0),
    ROW("smsw [bx]", 0x0f, 0x01, 0x27),
    ROW("sgdt", 0x0f, 0x01, 0x07),
    ROW("sidt", 0x0f, 0x01, 0x0f),
    ROW("sldt ax", 0x0f, 0x00, 0xc0),
    ROW("sldt [bx]", 0x0f, 0x00, 0x07),
    ROW("str ax", 0x0f, 0x00, 0xc8),
    ROW("str [bx]", 0x0f, 0x00, 0x0f),
    ROW("lar ax, dx", 0x0f, 0x02, 0xc2),
    ROW("lar ax, [bx]", 0x0f, 0x02, 0x07),
    ROW("lsl ax, dx", 0x0f, 0x03, 0xc2),
    ROW("lsl 66 ax, dx", 0x66, 0x0f, 0x03, 0xc2),
    ROW("verr dx", 0x0f, 0x00, 0xe2),
    ROW("verw dx", 0x0f, 0x00, 0xea),
    ROW("verw [bx]", 0x0f, 0x00, 0x2f),
    ROW("mov ax, es", 0x8c, 0xc0),
    ROW("mov ax, cs", 0x8c, 0xc8),
    ROW("mov [bx], es", 0x8c, 0x07),
    ROW("mov es, dx", 0x8e, 0xc2),
    ROW("mov fs, dx; mov al, fs:[bx]", 0x8e, 0xe2, 0x64, 0x8a, 0x07),
    ROW("mov es, [bx]", 0x8e, 0x07),
    ROW("mov ss, dx", 0x8e, 0xd2, 0x40),
    INTERRUPTED_ROW("sti; mov ss, dx with an interrupt", 0xfb, 0x8e, 0xd2, 0x40, 0x40),
    ROW("mov cs, dx", 0x8e, 0xca),
    ROW("push es", 0x06, 0x58),
    ROW("push fs", 0x0f, 0xa0, 0x58),
    ROW("pop es", 0x52, 0x07),
    ROW("pop fs", 0x52, 0x0f, 0xa1),
    ROW("pop ss", 0x52, 0x17, 0x40),
    ROW("les", 0xc4, 0x07),
    ROW("lfs", 0x0f, 0xb4, 0x07),
    ROW("lss bp", 0x0f, 0xb2, 0x2f),
    ROW("jmp far", 0xff, 0x6f, POINTER_OF_8),
    ROW("call far, ret far", 0xff, 0x5f, POINTER_OF_8),
    ROW("int n, iret", 0xcd, INT_VECTOR),
    INTERRUPTED_ROW("int n, iret with an interrupt", 0xcd, INT_VECTOR, 0x40),
    ROW("int3", 0xcc),
    ROW("into", 0xce),
    ROW("into with OF", 0xb0, 0x7f, 0xfe, 0xc0, 0xce),
    ROW("sysenter", 0x0f, 0x34),
    ROW("sysexit", 0x0f, 0x35),
    ROW("mov ax, cr0", 0x0f, 0x20, 0xc0),
    ROW("mov cx, cr2; mov bp, cr3", 0x0f, 0x20, 0xd1, 0x0f, 0x20, 0xdd),
    ROW("mov ax, cr4; mov ax, cr1", 0x0f, 0x20, 0xe0, 0x0f, 0x20, 0xc8),
    ROW("mov cr0, ax", 0x0f, 0x20, 0xc0, 0x0f, 0x22, 0xc0),
    ROW("clts", 0x0f, 0x06),
    ROW("invlpg", 0x0f, 0x01, 0x3f),
    ROW("cpuid", 0x0f, 0xa2),
    ROW("in al, dx", 0xec),
    ROW("in ax, 10h", 0xe5, 0x10),
    ROW("out dx, al", 0xee),
    ROW("out 10h, ax", 0xe7, 0x10),
#undef ROW
#undef INTERRUPTED_ROW
};

/* In protected mode: null, code and data of both rings, a TSS, none; elsewhere all are good. */
static const uint16_t selectors[] = {0,           3,           BENCH_CODE0, BENCH_DATA0, BENCH_DATA0 | 3,
                                     BENCH_CODE3, BENCH_DATA3, BENCH_TASK,  0xf8};

enum environment { REAL_MODE, RING_0, RING_3, RING_3_IOPL, V86, V86_IOPL };

/* ---- setting up */

static void enter_v86(struct cpu_bench *bench)
{
    struct cpu_state *cpu = &bench->cpu;
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        cpu->segment[i] = (struct segment){.attributes = 0xf3, .limit = 0xffff};
        segment_update_bounds(&cpu->segment[i]);
    }
    cpu->eflags_other |= EFLAGS_VM;
    cpu_update_mode(cpu);
}

static void enter(struct cpu_bench *bench, enum environment environment)
{
    struct cpu_state *cpu = &bench->cpu;
    switch (environment) {
    case REAL_MODE: cpu_bench_enter_real(bench); break;
    case RING_0:
    case V86:
    case V86_IOPL: cpu_bench_enter_flat(bench, 4, 0); break;
    case RING_3:
    case RING_3_IOPL: cpu_bench_enter_flat(bench, 4, 3); break;
    }
    if (environment == V86 || environment == V86_IOPL) {
        enter_v86(bench);
    }
    if (environment == V86_IOPL || environment == RING_3_IOPL) {
        cpu->eflags_other |= EFLAGS_IOPL;
    }
    cpu->sysenter_cs = BENCH_CODE0;
    cpu->sysenter_esp = BENCH_STACK0;
    cpu->sysenter_eip = BENCH_HANDLERS;
}

/* The row's bytes; dec si; jnz; hlt. */
static void write_program(struct cpu_bench *bench, const struct row *row, uint16_t selector)
{
    uint8_t code[CODE_MAX];
    size_t size = row->length;
    memcpy(code, row->bytes, size);
    code[size++] = 0x4e;
    code[size++] = 0x75;
    code[size] = (uint8_t) - (int)(size + 1);
    size++;
    code[size++] = 0xf4;
    cpu_bench_load(bench, BENCH_CODE, code, size);

    bool wide = bench->cpu.code_size == 4;
    bool jumps = row->bytes[0] == 0xff && row->bytes[1] == 0x6f;
    uint32_t target = jumps ? BENCH_CODE + row->length : FAR_TARGET;
    uint16_t cs = bench->cpu.segment[CPU_CS].selector;
    cpu_bench_write(bench, FAR_TARGET, 1, 0xcb);
    cpu_bench_write(bench, BENCH_HANDLERS + 8 * INT_VECTOR, 1, 0xcf);
    cpu_bench_write(bench, BENCH_DATA, 4, wide ? 0x12345678 : 0x5678 | (uint32_t)selector << 16);
    cpu_bench_write(bench, BENCH_DATA + 4, 4, selector);
    cpu_bench_write(bench, BENCH_DATA + POINTER_OF_8, 4, wide ? target : target | (uint32_t)cs << 16);
    cpu_bench_write(bench, BENCH_DATA + POINTER_OF_8 + 4, 4, cs);
}

static void prepare(struct cpu_bench *bench, enum environment environment, const struct row *row,
                    uint16_t selector)
{
    struct cpu_state *cpu = &bench->cpu;
    enter(bench, environment);
    cpu->retired = 0;
    write_program(bench, row, selector);
    cpu->gpr[CPU_AX].q = 0x80000001;
    cpu->gpr[CPU_DX].q = selector;
    cpu->gpr[CPU_BX].q = cpu->gpr[CPU_DI].q = BENCH_DATA;
    cpu->gpr[CPU_SI].q = ROUNDS;
    bench->port_value = 0x55aa;
    bench->interrupt_vector = 0x20;
    cpu->pending &= ~(uint32_t)CPU_PENDING_INTERRUPT;
    cpu->pending |= row->interrupted ? (uint32_t)CPU_PENDING_INTERRUPT : 0;
}

/* ---- comparing */

static void compare(const struct cpu_bench *reference, const struct cpu_bench *tested, const char *strategy,
                    const struct row *row, uint16_t selector)
{
    bool same = cpu_states_equal(&reference->cpu, &tested->cpu) &&
                memcmp(reference->ram, tested->ram, RAM_SIZE) == 0 &&
                reference->last_port_written == tested->last_port_written &&
                reference->interrupts_taken == tested->interrupts_taken;
    if (!same) {
        cpu_print_difference(stderr, "interpreter", &reference->cpu, strategy, &tested->cpu);
        fail_msg("%s, DX = %04x: %s differs from the interpreter", row->name, selector, strategy);
    }
}

static void run_row(struct cpu_bench *reference, struct cpu_bench *tested, const char *strategy,
                    enum environment environment, const struct row *row, uint16_t selector)
{
    prepare(reference, environment, row, selector);
    prepare(tested, environment, row, selector);
    reference->interrupts_taken = tested->interrupts_taken = 0;
    for (unsigned i = 0; i < STEPS && !reference->cpu.halted && !reference->cpu.shutdown; i++) {
        enum stop_reason wanted = cpu_bench_run(reference, STEP);
        enum stop_reason got = cpu_bench_run(tested, STEP);
        compare(reference, tested, strategy, row, selector);
        assert_int_equal(wanted, got);
    }
}

static void run_strategy(enum environment environment, enum sensitive_strategy strategy)
{
    const struct cpu_model *model = cpu_model_find("pentium3");
    const struct engine_config interpreter = {.kind = ENGINE_INTERP};
    const struct engine_config translator = {.kind = ENGINE_DBT, .sensitive = strategy};
    const char *name = engine_choice_name(ENGINE_AXIS_SENSITIVE, strategy);
    struct cpu_bench *reference = cpu_bench_create_with(model, RAM_SIZE, &interpreter);
    struct cpu_bench *tested = cpu_bench_create_with(model, RAM_SIZE, &translator);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t k = 0; k < ARRAY_COUNT(selectors); k++) {
            run_row(reference, tested, name, environment, &rows[i], selectors[k]);
        }
    }
    enum engine_count way = strategy == SENSITIVE_INLINE ? ENGINE_COUNT_INLINED : ENGINE_COUNT_EMULATED;
    assert_true(tested->engine->ops->insn_counts(tested->engine, way)[INSN_SMSW] > 0);
    cpu_bench_destroy(tested);
    cpu_bench_destroy(reference);
}

static void run_all(enum environment environment)
{
    for (unsigned strategy = 0; strategy < SENSITIVE_STRATEGY_COUNT; strategy++) {
        run_strategy(environment, (enum sensitive_strategy)strategy);
    }
}

static void real_mode_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(REAL_MODE);
}

static void ring_0_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(RING_0);
}

static void ring_3_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(RING_3);
}

static void ring_3_with_iopl_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(RING_3_IOPL);
}

static void v86_mode_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(V86);
}

static void v86_mode_with_iopl_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(V86_IOPL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_mode_equals_the_interpreter),
        cmocka_unit_test(ring_0_equals_the_interpreter),
        cmocka_unit_test(ring_3_equals_the_interpreter),
        cmocka_unit_test(ring_3_with_iopl_equals_the_interpreter),
        cmocka_unit_test(v86_mode_equals_the_interpreter),
        cmocka_unit_test(v86_mode_with_iopl_equals_the_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
