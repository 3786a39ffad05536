/* A supervisor that loads CR3 on pages that all address spaces share, and goes on in code that is another one
 * in each: by a return, or by a jump. What the translator remembers of global code outlasts that; what it
 * remembers of the rest must not.
 *
 * The loop at BENCH_CODE calls PRIVATE, which is one page in the first space and another one in the second.
 * From there SHARED is reached, which loads CR3 every other two times and goes back. EBX counts where it came
 * to. Or the loop is on PRIVATE, in ring 3, and reaches SHARED by SYSENTER, as system calls reach a kernel
 * that keeps its page tables apart from the user's: SHARED goes to the other space, loads FS from a table of
 * descriptors that is the same there or not, and goes back, or does not, before SYSEXIT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_bench.h"
#include "decoder/insn.h"
#include "machine/cpu_compare.h"

#define RAM_SIZE         ((uint64_t)256 * KIB)
#define ROUNDS           200u
#define RUNS             10000u
#define SHARED           (BENCH_CODE + 0x100)
#define PRIVATE          (BENCH_CODE + 0x1000)
#define PRIVATE_2        0x30000u /* where PRIVATE is in the second space */
#define SECOND_DIRECTORY 0x12000u
#define SECOND_TABLE     0x13000u
#define GLOBAL           0x100u

#define BYTES_OF(value)                                                                                      \
    (uint8_t)(value), (uint8_t)((value) >> 8), (uint8_t)((value) >> 16), (uint8_t)((value) >> 24)
#define TO(target, from) BYTES_OF((uint32_t)(target) - (uint32_t)(from)) /* `from`: the next instruction */

#define GDT_PAGE_2 0x31000u /* where the descriptors are in the second space when they are others */

enum way { BY_RETURN, BY_JUMP, BY_SYSCALL };

static const struct kind {
    enum way way;
    bool global;      /* pages that all spaces share are, with CR4.PGE */
    bool private_gdt; /* the page of the descriptors is not among them */
} kinds[] = {
    {BY_RETURN, true, false},  {BY_RETURN, false, false}, {BY_JUMP, true, false},    {BY_JUMP, false, false},
    {BY_SYSCALL, true, false}, {BY_SYSCALL, true, true},  {BY_SYSCALL, false, true},
};

static const struct engine {
    const char *name;
    struct engine_config config;
} engines[] = {
    {"softtlb", {.kind = ENGINE_DBT}},
    {"walk", {.kind = ENGINE_DBT, .mmu = MMU_WALK}},
    {"shadow", {.kind = ENGINE_DBT, .mmu = MMU_SHADOW}},
    {"unchained", {.kind = ENGINE_DBT, .unchained = true}},
};

/* CALL or JMP to SHARED; ADD EDX, count; LEA EBX, [EBX + EBX * 2 + count]; RET */
static void write_private(struct cpu_bench *bench, uint32_t phys, enum way way, uint32_t count)
{
    cpu_bench_load(bench, phys,
                   BENCH_BYTES(way == BY_RETURN ? 0xe8 : 0xe9, TO(SHARED, PRIVATE + 5), 0x81, 0xc2,
                               BYTES_OF(count), 0x8d, 0x9c, 0x5b, BYTES_OF(count), 0xc3));
}

static void write_program(struct cpu_bench *bench, enum way way)
{
    cpu_bench_load(bench, BENCH_CODE, /* call PRIVATE; dec esi; jnz; hlt */
                   BENCH_BYTES(0xe8, TO(PRIVATE, BENCH_CODE + 5), 0x4e, 0x75, 0xf8, 0xf4));
    write_private(bench, PRIVATE, way, 1);
    write_private(bench, PRIVATE_2, way, 0x10000);
    /* What follows a load of CR3 at once may be left to the fallback: NOPs. */
    const uint32_t back = SHARED + 23;
    cpu_bench_load(bench, SHARED, /* test esi, 2; jz; mov eax, cr3; xor eax, ...; mov cr3, eax; nops */
                   BENCH_BYTES(0xf7, 0xc6, 2, 0, 0, 0, 0x74, 0x0b, 0x0f, 0x20, 0xd8, 0x35,
                               BYTES_OF(BENCH_DIRECTORY ^ SECOND_DIRECTORY), 0x0f, 0x22, 0xd8, 0x90, 0x90,
                               0x90, 0x90));
    if (way == BY_RETURN) {
        cpu_bench_write(bench, back, 1, 0xc3);
    } else {
        cpu_bench_load(bench, back, BENCH_BYTES(0xe9, TO(PRIVATE + 5, back + 5)));
    }
}

/* MOV ECX, ESP; MOV EDX, the next but one; SYSENTER; ADD EDI, count; LEA EBX, [EBX + EBX * 2 + count]; DEC
 * ESI; JNZ; JMP to itself */
static void write_user(struct cpu_bench *bench, uint32_t phys, uint32_t count)
{
    cpu_bench_load(bench, phys,
                   BENCH_BYTES(0x89, 0xe1, 0xba, BYTES_OF(PRIVATE + 9), 0x0f, 0x34, 0x81, 0xc7,
                               BYTES_OF(count), 0x8d, 0x9c, 0x5b, BYTES_OF(count), 0x4e, 0x75, 0xe7, 0xeb,
                               0xfe));
}

/* MOV EAX, CR3; XOR EAX, the difference; MOV CR3, EAX; NOPs */
#define SWITCH_SPACE                                                                                         \
    0x0f, 0x20, 0xd8, 0x35, BYTES_OF(BENCH_DIRECTORY ^ SECOND_DIRECTORY), 0x0f, 0x22, 0xd8, 0x90, 0x90, 0x90

static void write_system(struct cpu_bench *bench)
{
    write_user(bench, PRIVATE, 1);
    write_user(bench, PRIVATE_2, 0x10000);
    memcpy(bench->ram + GDT_PAGE_2, bench->ram, PAGE_SIZE);
    cpu_bench_write(bench, GDT_PAGE_2 + BENCH_GDT + (BENCH_DATA3 & 0xf8) + 5, 1, 0xf1); /* read-only */
    cpu_bench_load(bench, SHARED, /* mov eax, BENCH_DATA3; mov fs, eax; verw ax; setz al; movzx eax, al */
                   BENCH_BYTES(SWITCH_SPACE, 0xb8, BYTES_OF(BENCH_DATA3), 0x8e, 0xe0, 0x0f, 0x00, 0xe8, 0x0f,
                               0x94, 0xc0, 0x0f, 0xb6, 0xc0, /* lea ebp, [ebp + ebp * 2 + eax] */
                               0x8d, 0x6c, 0x6d, 0x00, 0x01, 0xc5, 0x31, 0xc0, 0x8e, 0xe0, /* mov fs, 0 */
                               0xf7, 0xc6, 2, 0, 0, 0, 0x74, 0x0e, /* test esi, 2; jz */
                               SWITCH_SPACE, 0x0f, 0x35));
}

/* All A and D bits are set: when they would be depends on how long global pages are remembered. */
static void write_spaces(struct cpu_bench *bench, bool private_gdt)
{
    const uint32_t own = PAGE_ALL | PAGE_ACCESSED | PAGE_DIRTY;
    for (uint32_t page = 0; page < RAM_SIZE / PAGE_SIZE; page++) {
        bool is_code = page == PRIVATE / PAGE_SIZE;
        bool is_gdt = page == BENCH_GDT / PAGE_SIZE && private_gdt;
        uint32_t second = is_code ? PRIVATE_2 : is_gdt ? GDT_PAGE_2 : page * (uint32_t)PAGE_SIZE;
        uint32_t flags = is_code || is_gdt ? own : own | GLOBAL;
        cpu_bench_map(bench, page * PAGE_SIZE, page * PAGE_SIZE, flags);
        cpu_bench_write(bench, SECOND_TABLE + 4 * page, 4, second | flags);
    }
    cpu_bench_write(bench, BENCH_DIRECTORY, 4, BENCH_TABLE | own);
    cpu_bench_write(bench, SECOND_DIRECTORY, 4, SECOND_TABLE | own);
}

static void prepare(struct cpu_bench *bench, const struct kind *kind)
{
    struct cpu_state *cpu = &bench->cpu;
    cpu_bench_enter_flat(bench, 4, kind->way == BY_SYSCALL ? 3 : 0);
    if (kind->way == BY_SYSCALL) {
        write_system(bench);
        cpu->rip = PRIVATE;
        cpu->sysenter_cs = BENCH_CODE0;
        cpu->sysenter_esp = BENCH_STACK0;
        cpu->sysenter_eip = SHARED;
        cpu->ldtr.attributes = 0; /* as LLDT of a null selector leaves it */
    } else {
        write_program(bench, kind->way);
    }
    cpu_bench_enable_paging(bench);
    write_spaces(bench, kind->private_gdt);
    cpu_write_control(cpu, 4, kind->global ? CR4_PGE : 0);
    cpu->retired = 0;
    cpu->gpr[CPU_BX].q = cpu->gpr[CPU_DX].q = cpu->gpr[CPU_DI].q = cpu->gpr[CPU_BP].q = 0;
    cpu->gpr[CPU_SI].q = ROUNDS;
}

static void run(const struct engine *engine, const struct kind *kind, unsigned step)
{
    const struct cpu_model *model = cpu_model_find("pentium3");
    const struct engine_config interpreter = {.kind = ENGINE_INTERP};
    struct cpu_bench *reference = cpu_bench_create_with(model, RAM_SIZE, &interpreter);
    struct cpu_bench *tested = cpu_bench_create_with(model, RAM_SIZE, &engine->config);
    prepare(reference, kind);
    prepare(tested, kind);
    for (unsigned i = 0; i < RUNS && reference->cpu.gpr[CPU_SI].d != 0; i++) {
        cpu_bench_run(reference, step);
        cpu_bench_run(tested, step);
        if (!cpu_states_equal(&reference->cpu, &tested->cpu) ||
            memcmp(reference->ram, tested->ram, RAM_SIZE) != 0) {
            cpu_print_difference(stderr, "interpreter", &reference->cpu, engine->name, &tested->cpu);
            fail_msg("%s differs from the interpreter", engine->name);
        }
    }
    const struct cpu_state *cpu = &reference->cpu;
    uint32_t counts = cpu->gpr[kind->way == BY_SYSCALL ? CPU_DI : CPU_DX].d;
    assert_int_equal(cpu->gpr[CPU_SI].d, 0);
    assert_int_equal((counts & 0xffff) + (counts >> 16), ROUNDS);
    assert_in_range(counts >> 16, ROUNDS / 4, ROUNDS - ROUNDS / 4);
    cpu_bench_destroy(tested);
    cpu_bench_destroy(reference);
}

static void run_all(enum way way)
{
    static const unsigned steps[] = {1, 41, 100000};
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
            for (size_t s = 0; s < ARRAY_COUNT(steps) && kinds[k].way == way; s++) {
                run(&engines[i], &kinds[k], steps[s]);
            }
        }
    }
}

static void a_return_leads_to_the_space_that_is_there(void **state)
{
    (void)state;
    run_all(BY_RETURN);
}

static void a_jump_leads_to_the_space_that_is_there(void **state)
{
    (void)state;
    run_all(BY_JUMP);
}

static void a_system_call_leads_to_the_space_that_is_there(void **state)
{
    (void)state;
    run_all(BY_SYSCALL);
}

/* Where descriptors stay, what loads of them gave is known in both spaces. */
static void loads_are_remembered_across_spaces(void **state)
{
    (void)state;
    const struct kind kind = {BY_SYSCALL, true, false};
    const struct engine_config config = {.kind = ENGINE_DBT};
    struct cpu_bench *bench = cpu_bench_create_with(cpu_model_find("pentium3"), RAM_SIZE, &config);
    prepare(bench, &kind);
    cpu_bench_run(bench, 100 * ROUNDS);
    const uint64_t *emulated = bench->engine->ops->insn_counts(bench->engine, ENGINE_COUNT_EMULATED);
    assert_int_equal(bench->cpu.gpr[CPU_SI].d, 0);
    assert_in_range(emulated[INSN_MOV_SEG], 1, ROUNDS / 4);
    assert_in_range(emulated[INSN_VERW], 1, ROUNDS / 4);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_return_leads_to_the_space_that_is_there),
        cmocka_unit_test(a_jump_leads_to_the_space_that_is_there),
        cmocka_unit_test(a_system_call_leads_to_the_space_that_is_there),
        cmocka_unit_test(loads_are_remembered_across_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
