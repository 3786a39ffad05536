/* Loads of data segment registers in protected mode that go from one selector to another, again and again, as
 * kernels do: by the translator, which remembers what they gave, against the interpreter.
 *
 * A row is 32-bit code, a loop counted by ESI. EDX and ECX are two selectors, all pairs of them in turn; EBX
 * is an offset that is another byte in each of them, EDI and EBP two places in memory. Both engines run it in
 * small steps, after each of which all of the CPU's state and of memory must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_bench.h"
#include "decoder/insn.h"
#include "machine/cpu_compare.h"

#define RAM_SIZE   ((uint64_t)256 * KIB)
#define ROUNDS     60u
#define RUNS       2000u
#define OFFSET     0x10u
#define PLACE_1    (BENCH_DATA + 0x800)
#define PLACE_2    (BENCH_DATA + 0x810)
#define OTHER_GDT  0x20800u /* the same at another place, with other bases */
#define GDT_ENTRY  (BENCH_TABLE + 4 * (BENCH_GDT / PAGE_SIZE))
#define INT_VECTOR 0x80

/* Data segments of ring 3, which ring 0 can load as well. */
enum { SELECTOR_A = 0x33, SELECTOR_B = 0x3b, SELECTOR_LIMITED = 0x43, SELECTOR_CONSTANT = 0x4b };

#define DESCRIPTOR_A      (BENCH_GDT + (SELECTOR_A & 0xf8))
#define BYTES_OF(address) (uint8_t)(address), (uint8_t)((address) >> 8), (uint8_t)((address) >> 16), 0

enum environment { RING_0 = 1, RING_3 = 2, PAGED = 4 /* besides ring 0 */ };

static const struct row {
    const char *name;
    unsigned where; /* enum environment set */
    uint8_t length;
    uint8_t bytes[40];
} rows[] = {
#define ROW(name, where, ...)                                                                                \
    {                                                                                                        \
        name, where, sizeof((uint8_t[]){__VA_ARGS__}),                                                       \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define MOV_FS_EDX 0x8e, 0xe2
#define MOV_FS_ECX 0x8e, 0xe1
#define ADD_AL_FS  0x64, 0x02, 0x03 /* add al, fs:[ebx] */
    ROW("mov", RING_0 | RING_3, MOV_FS_EDX, ADD_AL_FS, MOV_FS_ECX, ADD_AL_FS),
    ROW("mov, and the same again", RING_0 | RING_3, MOV_FS_EDX, MOV_FS_EDX, MOV_FS_ECX, MOV_FS_EDX,
        ADD_AL_FS),
    ROW("mov from memory", RING_0 | RING_3, 0x89, 0x17, 0x8e, 0x27,
        ADD_AL_FS, /* mov [edi], edx; mov fs, [edi] */
        0x89, 0x4f, 0x04, 0x8e, 0x67, 0x04, ADD_AL_FS),
    ROW("mov to es", RING_0 | RING_3, 0x8e, 0xc2, 0x26, 0x02, 0x03, 0x8e, 0xc1, 0x26, 0x02, 0x03),
    ROW("mov of what its own segment holds", RING_0 | RING_3, MOV_FS_EDX, 0x64, 0x89,
        0x0b,                         /* mov fs:[ebx], ecx */
        0x64, 0x8e, 0x23, ADD_AL_FS), /* mov fs, fs:[ebx] */
    ROW("pop", RING_0 | RING_3, 0x52, 0x0f, 0xa9, 0x65, 0x02, 0x03, 0x51, 0x0f, 0xa9, 0x65, 0x02, 0x03),
    ROW("pop of a word", RING_0 | RING_3, 0x66, 0x52, 0x66, 0x0f, 0xa9, 0x65, 0x02, 0x03, 0x66, 0x51, 0x66,
        0x0f, 0xa9, 0x65, 0x02, 0x03),
    ROW("pop, mov", RING_0 | RING_3, 0x51, 0x0f, 0xa1, MOV_FS_EDX, 0x51, 0x0f, 0xa1, ADD_AL_FS),
    ROW("flags live across them", RING_0 | RING_3, 0x04, 0x7f, MOV_FS_EDX, 0x70, 0x01,
        0x40,                                            /* add al, 127; jo */
        0x14, 0x21, MOV_FS_ECX, 0x14, 0x55, 0x9c, 0x58), /* adc al, n; pushf; pop eax */
    ROW("a base that changes", RING_0 | RING_3, MOV_FS_EDX, ADD_AL_FS, MOV_FS_ECX,
        ADD_AL_FS, /* xor byte [], 10h */
        0x80, 0x35, BYTES_OF(DESCRIPTOR_A + 2), 0x10),
    ROW("rights that change", RING_0 | RING_3, MOV_FS_EDX, ADD_AL_FS, MOV_FS_ECX,
        ADD_AL_FS, /* xor byte [], 2 */
        0x80, 0x35, BYTES_OF(DESCRIPTOR_A + 5), 0x02),
    ROW("a table that is another one", RING_0, 0x0f, 0x01, 0x17, 0x87, 0xfd, /* lgdt [edi]; xchg edi, ebp */
        MOV_FS_EDX, ADD_AL_FS, MOV_FS_ECX, ADD_AL_FS),
    ROW("a table that is mapped elsewhere", PAGED, 0x80, 0x35, BYTES_OF(GDT_ENTRY + 2),
        0x02, /* xor; invlpg */
        0x0f, 0x01, 0x3d, BYTES_OF(BENCH_GDT), MOV_FS_EDX, ADD_AL_FS, MOV_FS_ECX, ADD_AL_FS),
    ROW("an address space that is another one", PAGED, 0x0f, 0x20, 0xd8, 0x80, 0x35, /* mov eax, cr3; xor; */
        BYTES_OF(GDT_ENTRY + 2), 0x02, 0x0f, 0x22, 0xd8, MOV_FS_EDX, ADD_AL_FS, MOV_FS_ECX, ADD_AL_FS),
    ROW("a function that loads or does not", RING_0 | RING_3, MOV_FS_ECX, 0xe8, 0x05, 0x00, 0x00, 0x00,
        ADD_AL_FS, 0xeb, 0x0b, 0xf7, 0xc6, 0x02, 0x00, 0x00, 0x00, 0x74, 0x02, MOV_FS_EDX,
        0xc3), /* test esi, 2; jz; mov; ret */
    ROW("a handler with its own", RING_0 | RING_3, 0xcd, INT_VECTOR, ADD_AL_FS, 0x87,
        0xca), /* xchg ecx, edx */
    ROW("a handler on the way", RING_0 | RING_3, MOV_FS_EDX, 0xcd, INT_VECTOR, ADD_AL_FS, MOV_FS_ECX,
        ADD_AL_FS),
#undef ROW
};

/* push fs; mov fs, edx; pop fs; iret */
static const uint8_t handler[] = {0x0f, 0xa0, MOV_FS_EDX, 0x0f, 0xa1, 0xcf};

static const uint16_t selectors[] = {
    0, 3, BENCH_DATA3, SELECTOR_A, SELECTOR_B, SELECTOR_LIMITED, SELECTOR_CONSTANT};

static const struct engine {
    const char *name;
    struct engine_config config;
} engines[] = {
    {"softtlb", {.kind = ENGINE_DBT}},
    {"walk", {.kind = ENGINE_DBT, .mmu = MMU_WALK}},
    {"shadow", {.kind = ENGINE_DBT, .mmu = MMU_SHADOW}},
    {"unchained", {.kind = ENGINE_DBT, .unchained = true}},
    {"callout", {.kind = ENGINE_DBT, .sensitive = SENSITIVE_CALLOUT}},
};

/* ---- setting up */

static void write_descriptor(struct cpu_bench *bench, uint32_t table, unsigned selector, uint32_t base,
                             uint32_t upper)
{
    uint32_t at = table + (selector & 0xf8);
    cpu_bench_write(bench, at, 4, base << 16 | 0xffff);
    cpu_bench_write(bench, at + 4, 4, (base & 0xff000000) | (base >> 16 & 0xff) | upper);
}

/* The table at `gdt`, the bases moved by `distance`. */
static void write_table(struct cpu_bench *bench, uint32_t gdt, uint32_t distance)
{
    const uint32_t whole = 0x00cff200; /* 4 GiB, data, ring 3; the A bit is clear at first */
    const uint32_t limited = 0x0040f200;
    const uint32_t constant = 0x00cff000;
    if (gdt != BENCH_GDT) {
        memcpy(bench->ram + (gdt & ~(uint32_t)PAGE_MASK), bench->ram, PAGE_SIZE);
    }
    write_descriptor(bench, gdt, SELECTOR_A, BENCH_DATA + distance, whole);
    write_descriptor(bench, gdt, SELECTOR_B, BENCH_DATA + 0x100 + distance, whole);
    write_descriptor(bench, gdt, SELECTOR_LIMITED, BENCH_DATA + 0x200 + distance, limited);
    write_descriptor(bench, gdt, SELECTOR_CONSTANT, BENCH_DATA + 0x300 + distance, constant);
}

/* The row's bytes; dec esi; jnz; hlt. */
static void write_program(struct cpu_bench *bench, const struct row *row)
{
    uint8_t code[48];
    size_t size = row->length;
    memcpy(code, row->bytes, size);
    code[size++] = 0x4e;
    code[size++] = 0x75;
    code[size] = (uint8_t) - (int)(size + 1);
    size++;
    code[size++] = 0xf4;
    cpu_bench_load(bench, BENCH_CODE, code, size);
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * INT_VECTOR, handler, sizeof handler);
}

static void write_data(struct cpu_bench *bench)
{
    for (unsigned i = 0; i < 0x800; i++) {
        cpu_bench_write(bench, BENCH_DATA + i, 1, i + (i >> 4));
    }
    cpu_bench_write(bench, PLACE_1, 2, 0xff);
    cpu_bench_write(bench, PLACE_1 + 2, 4, OTHER_GDT);
    cpu_bench_write(bench, PLACE_2, 2, 0xff);
    cpu_bench_write(bench, PLACE_2 + 2, 4, BENCH_GDT);
}

static void prepare(struct cpu_bench *bench, enum environment environment, const struct row *row,
                    const uint16_t pair[2])
{
    struct cpu_state *cpu = &bench->cpu;
    cpu_bench_enter_flat(bench, 4, environment == RING_3 ? 3 : 0);
    write_table(bench, BENCH_GDT, 0);
    write_table(bench, OTHER_GDT, 0x400);
    write_data(bench);
    write_program(bench, row);
    if (environment == PAGED) {
        cpu_bench_enable_paging(bench);
    }
    cpu->retired = 0;
    cpu->gpr[CPU_AX].q = 0;
    cpu->gpr[CPU_DX].q = pair[0];
    cpu->gpr[CPU_CX].q = pair[1];
    cpu->gpr[CPU_BX].q = OFFSET;
    cpu->gpr[CPU_DI].q = PLACE_1;
    cpu->gpr[CPU_BP].q = PLACE_2;
    cpu->gpr[CPU_SI].q = ROUNDS;
}

/* ---- running */

static void run_row(struct cpu_bench *reference, struct cpu_bench *tested, const char *name,
                    enum environment environment, const struct row *row, const uint16_t pair[2],
                    unsigned step)
{
    prepare(reference, environment, row, pair);
    prepare(tested, environment, row, pair);
    for (unsigned i = 0; i < RUNS && !reference->cpu.halted && !reference->cpu.shutdown; i++) {
        enum stop_reason wanted = cpu_bench_run(reference, step);
        enum stop_reason got = cpu_bench_run(tested, step);
        if (!cpu_states_equal(&reference->cpu, &tested->cpu) ||
            memcmp(reference->ram, tested->ram, RAM_SIZE) != 0) {
            cpu_print_difference(stderr, "interpreter", &reference->cpu, name, &tested->cpu);
            fail_msg("%s of %x and %x: %s differs from the interpreter", row->name, pair[0], pair[1], name);
        }
        assert_int_equal(wanted, got);
    }
    assert_true(reference->cpu.halted || reference->cpu.shutdown);
}

static void run_engine(const struct engine *engine, enum environment environment)
{
    static const unsigned steps[] = {41, 997, 100000};
    const struct cpu_model *model = cpu_model_find("pentium3");
    const struct engine_config interpreter = {.kind = ENGINE_INTERP};
    struct cpu_bench *reference = cpu_bench_create_with(model, RAM_SIZE, &interpreter);
    struct cpu_bench *tested = cpu_bench_create_with(model, RAM_SIZE, &engine->config);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t k = 0;
             (rows[i].where & environment) && k < ARRAY_COUNT(selectors) * ARRAY_COUNT(selectors); k++) {
            const uint16_t pair[] = {selectors[k % ARRAY_COUNT(selectors)],
                                     selectors[k / ARRAY_COUNT(selectors)]};
            for (size_t s = 0; s < ARRAY_COUNT(steps); s++) {
                run_row(reference, tested, engine->name, environment, &rows[i], pair, steps[s]);
            }
        }
    }
    cpu_bench_destroy(tested);
    cpu_bench_destroy(reference);
}

static void run_all(enum environment environment)
{
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        run_engine(&engines[i], environment);
    }
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

static void paged_ring_0_equals_the_interpreter(void **state)
{
    (void)state;
    run_all(PAGED);
}

/* Of two loads in each round, few are left to an emulation. */
static void loads_are_remembered(void **state)
{
    (void)state;
    const uint16_t pair[] = {SELECTOR_A, 0};
    const struct engine_config config = {.kind = ENGINE_DBT};
    struct cpu_bench *bench = cpu_bench_create_with(cpu_model_find("pentium3"), RAM_SIZE, &config);
    const struct row loads = {.length = 4, .bytes = {MOV_FS_EDX, MOV_FS_ECX}};
    prepare(bench, RING_3, &loads, pair);
    cpu_bench_run(bench, ROUNDS * 4);
    assert_int_equal(bench->cpu.gpr[CPU_SI].d, 0);
    assert_in_range(bench->engine->ops->insn_counts(bench->engine, ENGINE_COUNT_EMULATED)[INSN_MOV_SEG], 1,
                    ROUNDS / 4);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_0_equals_the_interpreter),
        cmocka_unit_test(ring_3_equals_the_interpreter),
        cmocka_unit_test(paged_ring_0_equals_the_interpreter),
        cmocka_unit_test(loads_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
