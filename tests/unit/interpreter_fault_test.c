/* Instructions that fault half-way: nothing may have changed, the frame names the instruction, and string
 * instructions go on where they stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_bench.h"

#define RAM_SIZE  MIB
#define READ_ONLY 0x20000 /* a page that is not writable */
#define ABSENT    0x22000 /* a page that is not there; the one below is */

enum error_code { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4 };

/* User code with paging; EBX = READ_ONLY, EDX = ABSENT, everything else recognizable. */
static struct cpu_bench *create_user(void)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 3);
    cpu_bench_enable_paging(bench);
    cpu_bench_map(bench, READ_ONLY, READ_ONLY, PAGE_PRESENT | PAGE_USER);
    cpu_bench_map(bench, ABSENT, ABSENT, 0);
    for (uint32_t i = 0; i < 8; i++) {
        if (i != CPU_SP) {
            bench->cpu.gpr[i].q = 0x11111111 * (i + 1);
        }
    }
    bench->cpu.gpr[CPU_BX].q = READ_ONLY;
    bench->cpu.gpr[CPU_DX].q = ABSENT;
    cpu_set_eflags(&bench->cpu, EFLAGS_CF | EFLAGS_OF | EFLAGS_AF);
    for (uint32_t i = 0; i < 3 * PAGE_SIZE; i++) {
        cpu_bench_write(bench, READ_ONLY + i, 1, i * 7 + 3);
    }
    return bench;
}

struct faulting {
    const char *name;
    uint8_t bytes[12];
    uint32_t address; /* CR2 */
    uint32_t error_code;
    uint32_t esp; /* 0: as it is */
    uint32_t ebp; /* 0: as it is */
};

/* Runs one snippet up to its page fault; no register, flag or byte of memory may differ. */
static void check_no_trace(const struct faulting *snippet)
{
    struct cpu_bench *bench = create_user();
    static uint8_t before[RAM_SIZE];
    cpu_bench_load(bench, BENCH_CODE, snippet->bytes, sizeof snippet->bytes);
    bench->cpu.gpr[CPU_SP].q = snippet->esp != 0 ? snippet->esp : BENCH_STACK;
    bench->cpu.gpr[CPU_BP].q = snippet->ebp != 0 ? snippet->ebp : bench->cpu.gpr[CPU_BP].q;
    struct cpu_state cpu = bench->cpu;
    memcpy(before, bench->ram, RAM_SIZE);
    assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    uint32_t pushed_esp = cpu_bench_read(bench, bench->cpu.gpr[CPU_SP].d + 16, 4);
    bool same = frame.vector == VECTOR_PF && frame.rip == BENCH_CODE && bench->cpu.cr2 == snippet->address &&
                frame.error_code == snippet->error_code && pushed_esp == cpu.gpr[CPU_SP].d &&
                (frame.eflags & ~(uint32_t)EFLAGS_RF) == cpu_eflags(&cpu);
    for (unsigned i = 0; i < CPU_GPR_SLOTS; i++) {
        same &= i == CPU_SP || cpu.gpr[i].q == bench->cpu.gpr[i].q;
    }
    /* The stack of the handler and accessed bits in the page tables do change. */
    memcpy(bench->ram + BENCH_STACK0 - PAGE_SIZE, before + BENCH_STACK0 - PAGE_SIZE, PAGE_SIZE);
    memcpy(bench->ram + BENCH_DIRECTORY, before + BENCH_DIRECTORY, 2 * (size_t)PAGE_SIZE);
    bool same_memory = memcmp(bench->ram, before, RAM_SIZE) == 0;
    if (!same || !same_memory) {
        fail_msg("%s: vector %d at %x, CR2 %x, error %x, ESP %x, EFLAGS %x, registers %s, memory %s",
                 snippet->name, frame.vector, frame.rip, (unsigned)bench->cpu.cr2, frame.error_code,
                 pushed_esp, frame.eflags, same ? "same" : "or one of these differ",
                 same_memory ? "same" : "differs");
    }
    cpu_bench_destroy(bench);
}

static void read_modify_write_of_a_read_only_page_changes_nothing(void **state)
{
    enum { ERROR = ERROR_PRESENT | ERROR_WRITE | ERROR_USER };
    static const struct faulting snippets[] = {
        {"add [ebx], eax", {0x01, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"add [ebx], al", {0x00, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"add word [ebx], 1", {0x66, 0x83, 0x03, 0x01}, READ_ONLY, ERROR, 0, 0},
        {"adc [ebx], eax", {0x11, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"sbb [ebx], eax", {0x19, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"and [ebx], eax", {0x21, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"xor [ebx], eax", {0x31, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"inc dword [ebx]", {0xff, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"dec byte [ebx]", {0xfe, 0x0b}, READ_ONLY, ERROR, 0, 0},
        {"neg dword [ebx]", {0xf7, 0x1b}, READ_ONLY, ERROR, 0, 0},
        {"not dword [ebx]", {0xf7, 0x13}, READ_ONLY, ERROR, 0, 0},
        {"xchg [ebx], eax", {0x87, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"xchg [ebx], cl", {0x86, 0x0b}, READ_ONLY, ERROR, 0, 0},
        {"xadd [ebx], eax", {0x0f, 0xc1, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"cmpxchg [ebx], ecx", {0x0f, 0xb1, 0x0b}, READ_ONLY, ERROR, 0, 0},
        {"cmpxchg8b [ebx]", {0x0f, 0xc7, 0x0b}, READ_ONLY, ERROR, 0, 0},
        {"shl dword [ebx], 1", {0xd1, 0x23}, READ_ONLY, ERROR, 0, 0},
        {"sar byte [ebx], cl", {0xd2, 0x3b}, READ_ONLY, ERROR, 0, 0},
        {"rcl dword [ebx], 5", {0xc1, 0x13, 0x05}, READ_ONLY, ERROR, 0, 0},
        {"ror word [ebx], 5", {0x66, 0xc1, 0x0b, 0x05}, READ_ONLY, ERROR, 0, 0},
        {"shld [ebx], eax, 3", {0x0f, 0xa4, 0x03, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"shrd [ebx], eax, cl", {0x0f, 0xad, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"bts dword [ebx], 3", {0x0f, 0xba, 0x2b, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"btc [ebx], esi", {0x0f, 0xbb, 0x33}, READ_ONLY + 0x0eeeeeec, ERROR_WRITE | ERROR_USER, 0, 0},
        {"setc [ebx]", {0x0f, 0x92, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"mov [ebx], eax", {0x89, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"mov [ebx], ds", {0x8c, 0x1b}, READ_ONLY, ERROR, 0, 0},
        {"pop dword [ebx]", {0x8f, 0x03}, READ_ONLY, ERROR, 0, 0},
        {"mov across into read-only", {0x89, 0x43, 0xfe}, READ_ONLY, ERROR, 0, 0},
        {"add across into read-only", {0x01, 0x43, 0xfe}, READ_ONLY, ERROR, 0, 0},
        {"mov across into absent", {0x89, 0x42, 0xfd}, ABSENT, ERROR_WRITE | ERROR_USER, 0, 0},
        {"cmpxchg8b across into absent", {0x0f, 0xc7, 0x4a, 0xfc}, ABSENT, ERROR_WRITE | ERROR_USER, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(snippets); i++) {
        check_no_trace(&snippets[i]);
    }
}

static void loads_from_an_absent_page_change_nothing(void **state)
{
    static const struct faulting snippets[] = {
        {"mov eax, [edx]", {0x8b, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"add eax, [edx]", {0x03, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"cmp [edx], eax", {0x39, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"movzx eax, byte [edx]", {0x0f, 0xb6, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"cmovnc eax, [edx]", {0x0f, 0x43, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"imul eax, [edx]", {0x0f, 0xaf, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"mul dword [edx]", {0xf7, 0x22}, ABSENT, ERROR_USER, 0, 0},
        {"div dword [edx]", {0xf7, 0x32}, ABSENT, ERROR_USER, 0, 0},
        {"bsf eax, [edx]", {0x0f, 0xbc, 0x02}, ABSENT, ERROR_USER, 0, 0},
        {"shl dword [edx], 0", {0xc1, 0x22, 0x00}, ABSENT, ERROR_WRITE | ERROR_USER, 0, 0},
        {"les eax, [edx - 4]", {0xc4, 0x42, 0xfc}, ABSENT, ERROR_USER, 0, 0},
        {"bound eax, [edx - 4]", {0x62, 0x42, 0xfc}, ABSENT, ERROR_USER, 0, 0},
        {"jmp [edx]", {0xff, 0x22}, ABSENT, ERROR_USER, 0, 0},
        {"call [edx]", {0xff, 0x12}, ABSENT, ERROR_USER, 0, 0},
        {"jmp far [edx - 4]", {0xff, 0x6a, 0xfc}, ABSENT, ERROR_USER, 0, 0},
        {"push dword [edx]", {0xff, 0x32}, ABSENT, ERROR_USER, 0, 0},
        {"mov ds, [edx]", {0x8e, 0x1a}, ABSENT, ERROR_USER, 0, 0},
        {"mov eax across", {0x8b, 0x42, 0xff}, ABSENT, ERROR_USER, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(snippets); i++) {
        check_no_trace(&snippets[i]);
    }
}

static void stack_instructions_on_an_absent_page_change_nothing(void **state)
{
    enum { TOP = ABSENT + PAGE_SIZE, PUSHED = TOP - 4, WRITES = ERROR_WRITE | ERROR_USER };
    static const struct faulting snippets[] = {
        {"push eax", {0x50}, PUSHED, WRITES, TOP, 0},
        {"push ax", {0x66, 0x50}, TOP - 2, WRITES, TOP, 0},
        {"push imm", {0x6a, 0x01}, PUSHED, WRITES, TOP, 0},
        {"push dword [ebx]", {0xff, 0x33}, PUSHED, WRITES, TOP, 0},
        {"push ds", {0x1e}, PUSHED, WRITES, TOP, 0},
        {"pushfd", {0x9c}, PUSHED, WRITES, TOP, 0},
        {"pusha", {0x60}, PUSHED, WRITES, TOP, 0},
        {"call", {0xe8, 0x10, 0, 0, 0}, PUSHED, WRITES, TOP, 0},
        {"call ebx", {0xff, 0xd3}, PUSHED, WRITES, TOP, 0},
        {"call [ebx]", {0xff, 0x13}, PUSHED, WRITES, TOP, 0},
        {"enter 8, 0", {0xc8, 0x08, 0, 0}, PUSHED, WRITES, TOP, 0},
        {"enter 8, 3", {0xc8, 0x08, 0, 3}, PUSHED, WRITES, TOP, 0},
        {"push across", {0x50}, ABSENT, WRITES, ABSENT + 2, 0},
        {"pop eax", {0x58}, ABSENT, ERROR_USER, ABSENT, 0},
        {"pop dword [ebx]", {0x8f, 0x03}, ABSENT, ERROR_USER, ABSENT, 0},
        {"pop es", {0x07}, ABSENT, ERROR_USER, ABSENT, 0},
        {"popfd", {0x9d}, ABSENT, ERROR_USER, ABSENT, 0},
        {"popa", {0x61}, ABSENT, ERROR_USER, ABSENT, 0},
        {"popa across", {0x61}, ABSENT, ERROR_USER, ABSENT - 16, 0},
        {"ret", {0xc3}, ABSENT, ERROR_USER, ABSENT, 0},
        {"ret 8", {0xc2, 0x08, 0}, ABSENT, ERROR_USER, ABSENT, 0},
        {"retf across", {0xcb}, ABSENT, ERROR_USER, ABSENT - 4, 0},
        {"iret across", {0xcf}, ABSENT, ERROR_USER, ABSENT - 8, 0},
        {"leave", {0xc9}, ABSENT, ERROR_USER, 0, ABSENT},
        {"pop eax across", {0x58}, ABSENT, ERROR_USER, ABSENT - 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(snippets); i++) {
        check_no_trace(&snippets[i]);
    }
}

static void fault_inside_a_block_names_its_instruction(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_user();
    bench->cpu.gpr[CPU_AX].q = 0;
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x40, 0x40, /* inc eax; inc eax */
                               0x8b, 0x0b, /* mov ecx, [ebx] */
                               0x40,       /* inc eax */
                               0x89, 0x03, /* mov [ebx], eax: read-only */
                               0x40, 0x40));
    for (unsigned pass = 0; pass < 2; pass++) {
        bench->cpu.rip = BENCH_CODE;
        assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
        assert_int_equal(cpu_bench_frame(bench).rip, BENCH_CODE + 5);
        assert_int_equal(bench->cpu.gpr[CPU_AX].d, 3);
        assert_int_equal(bench->cpu.retired, 6); /* four, the fault, HLT */
        cpu_bench_destroy(bench);
        if (pass == 0) {
            bench = create_user();
            bench->cpu.gpr[CPU_AX].q = 0;
            cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x40, 0x40, 0x8b, 0x0b, 0x40, 0x89, 0x03, 0x40));
        }
    }
}

static void divide_error_names_the_division(void **state)
{
    static const uint8_t divisions[][4] = {
        {0x40, 0xf7, 0xf7},     /* inc eax; div edi */
        {0x40, 0xf6, 0xf8 | 7}, /* inc eax; idiv bh */
        {0x40, 0xd4, 0x00},     /* inc eax; aam 0 */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(divisions); i++) {
        struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
        cpu_bench_enter_flat(bench, 4, 0);
        cpu_bench_load(bench, BENCH_CODE, divisions[i], sizeof divisions[i]);
        assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
        assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_DE);
        assert_int_equal(cpu_bench_frame(bench).rip, BENCH_CODE + 1);
        assert_int_equal(bench->cpu.gpr[CPU_AX].d, 1);
        cpu_bench_destroy(bench);
    }
}

/* ---- strings */

struct interrupted_string {
    const char *name;
    uint8_t bytes[4];
    uint32_t count, source, destination;
    bool down;
    uint32_t count_left, source_then, destination_then;
    uint32_t address, error_code;
};

static void start_string(struct cpu_bench *bench, const struct interrupted_string *string)
{
    cpu_bench_load(bench, BENCH_CODE, string->bytes, sizeof string->bytes);
    bench->cpu.gpr[CPU_CX].q = string->count;
    bench->cpu.gpr[CPU_SI].q = string->source;
    bench->cpu.gpr[CPU_DI].q = string->destination;
    bench->cpu.gpr[CPU_AX].q = 0x3c3b3a39;
    cpu_set_eflags(&bench->cpu, string->down ? EFLAGS_DF : 0);
}

/* Lets the string fault, compares what is left of it, mends the page, lets it go on, and compares memory with
 * a run that never faulted. */
static void check_restart(const struct interrupted_string *string)
{
    struct cpu_bench *bench = create_user();
    struct cpu_bench *smooth = create_user();
    start_string(bench, string);
    start_string(smooth, string);
    cpu_bench_map(smooth, ABSENT, ABSENT, PAGE_ALL);
    cpu_bench_map(smooth, READ_ONLY, READ_ONLY, PAGE_ALL);
    assert_int_equal(cpu_bench_run(smooth, 10000), STOP_HALTED); /* at the HLT: #GP for user code */
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    struct cpu_state *cpu = &bench->cpu;
    if (frame.vector != VECTOR_PF || frame.rip != BENCH_CODE || frame.error_code != string->error_code ||
        cpu->cr2 != string->address || cpu->gpr[CPU_CX].d != string->count_left ||
        cpu->gpr[CPU_SI].d != string->source_then || cpu->gpr[CPU_DI].d != string->destination_then) {
        fail_msg("%s: vector %d at %x, error %x, CR2 %x, ECX %x, ESI %x, EDI %x", string->name, frame.vector,
                 frame.rip, frame.error_code, (unsigned)cpu->cr2, cpu->gpr[CPU_CX].d, cpu->gpr[CPU_SI].d,
                 cpu->gpr[CPU_DI].d);
    }
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * VECTOR_PF,
                   BENCH_BYTES(0xf4, 0x83, 0xc4, 0x04, 0xcf)); /* iret */
    cpu_bench_map(bench, ABSENT, ABSENT, PAGE_ALL);
    cpu_bench_map(bench, READ_ONLY, READ_ONLY, PAGE_ALL);
    cpu->halted = false;
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_GP);
    assert_int_equal(cpu_bench_frame(bench).rip, cpu_bench_frame(smooth).rip);
    assert_int_equal(cpu->gpr[CPU_CX].d, smooth->cpu.gpr[CPU_CX].d);
    assert_int_equal(cpu->gpr[CPU_SI].d, smooth->cpu.gpr[CPU_SI].d);
    assert_int_equal(cpu->gpr[CPU_DI].d, smooth->cpu.gpr[CPU_DI].d);
    assert_memory_equal(bench->ram + READ_ONLY, smooth->ram + READ_ONLY, 3 * PAGE_SIZE);
    cpu_bench_destroy(bench);
    cpu_bench_destroy(smooth);
}

static void strings_stop_at_an_absent_page_and_go_on(void **state)
{
    enum { BELOW = ABSENT - PAGE_SIZE, WRITES = ERROR_WRITE | ERROR_USER, ABOVE = ABSENT + PAGE_SIZE };
    static const struct interrupted_string strings[] = {
        {"rep movsb into",
         {0xf3, 0xa4, 0xf4},
         16,
         BELOW,
         ABSENT - 8,
         false,
         8,
         BELOW + 8,
         ABSENT,
         ABSENT,
         WRITES},
        {"rep movsd into, across",
         {0xf3, 0xa5, 0xf4},
         8,
         BELOW,
         ABSENT - 10,
         false,
         6,
         BELOW + 8,
         ABSENT - 2,
         ABSENT,
         WRITES},
        {"rep movsw from",
         {0xf3, 0x66, 0xa5, 0xf4},
         9,
         ABSENT - 6,
         BELOW,
         false,
         6,
         ABSENT,
         BELOW + 6,
         ABSENT,
         4},
        {"rep movsb down into",
         {0xf3, 0xa4, 0xf4},
         16,
         BELOW + 100,
         ABOVE + 3,
         true,
         12,
         BELOW + 96,
         ABOVE - 1,
         ABOVE - 1,
         WRITES},
        {"rep stosd into", {0xf3, 0xab, 0xf4}, 2000, 1, BELOW, false, 976, 1, ABSENT, ABSENT, WRITES},
        {"rep stosb into", {0xf3, 0xaa, 0xf4}, 5000, 1, BELOW, false, 904, 1, ABSENT, ABSENT, WRITES},
        {"rep lodsb from", {0xf3, 0xac, 0xf4}, 20, ABSENT - 3, 1, false, 17, ABSENT, 1, ABSENT, ERROR_USER},
        {"repne scasb from", {0xf2, 0xae, 0xf4}, 20, 1, ABSENT - 3, false, 17, 1, ABSENT, ABSENT, ERROR_USER},
        {"repe cmpsb, source",
         {0xf3, 0xa6, 0xf4},
         20,
         ABSENT - 3,
         ABSENT - 3,
         false,
         17,
         ABSENT,
         ABSENT,
         ABSENT,
         ERROR_USER},
        {"rep movsb into read-only",
         {0xf3, 0xa4, 0xf4},
         16,
         BELOW,
         READ_ONLY - 4,
         false,
         12,
         BELOW + 4,
         READ_ONLY,
         READ_ONLY,
         7},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(strings); i++) {
        check_restart(&strings[i]);
    }
}

static void interrupted_compare_leaves_the_flags_from_before_it(void **state)
{
    static const uint8_t compares[][4] = {{0xf2, 0xae, 0xf4},
                                          {0xf2, 0xa6, 0xf4}}; /* repne scasb, repne cmpsb */
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(compares); i++) {
        for (uint64_t budget = 1; budget < 6; budget++) {
            struct cpu_bench *bench = create_user();
            cpu_bench_load(bench, BENCH_CODE, compares[i], sizeof compares[i]);
            bench->cpu.gpr[CPU_CX].q = 20;
            bench->cpu.gpr[CPU_SI].q = READ_ONLY;
            bench->cpu.gpr[CPU_DI].q = ABSENT - 4;
            const uint32_t before = cpu_eflags(&bench->cpu);
            while (cpu_bench_run(bench, budget) == STOP_BUDGET) {
            }
            assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_PF);
            assert_int_equal(cpu_bench_frame(bench).eflags & ~(uint32_t)EFLAGS_RF, before);
            assert_int_equal(bench->cpu.gpr[CPU_CX].d, 16);
            cpu_bench_destroy(bench);
        }
    }
}

static void string_io_of_no_iterations_needs_permission(void **state)
{
    static const uint8_t strings[][3] = {{0xf3, 0x6c}, {0xf3, 0x6f}}; /* rep insb, rep outsd */
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(strings); i++) {
        struct cpu_bench *bench = create_user();
        cpu_bench_load(bench, BENCH_CODE, strings[i], sizeof strings[i]);
        bench->cpu.gpr[CPU_CX].q = 0;
        assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
        assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_GP);
        assert_int_equal(cpu_bench_frame(bench).rip, BENCH_CODE);
        cpu_bench_destroy(bench);
    }
}

static void bound_below_does_not_read_the_upper_bound(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_user();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x62, 0x42, 0xfc)); /* bound eax, [edx - 4] */
    cpu_bench_write(bench, ABSENT - 4, 4, 5);
    bench->cpu.gpr[CPU_AX].q = 4;
    assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_BR);
    cpu_bench_destroy(bench);
}

static void ins_reads_no_port_when_its_destination_faults(void **state)
{
    (void)state;
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 0);
    cpu_bench_enable_paging(bench);
    cpu_bench_map(bench, ABSENT, ABSENT, 0);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xf3, 0x6d, 0xf4)); /* rep insd */
    bench->cpu.gpr[CPU_CX].q = 3;
    bench->cpu.gpr[CPU_DI].q = ABSENT - 6;
    bench->port_value = 0x87654321;
    assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_PF);
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 2);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, ABSENT - 2);
    assert_int_equal(cpu_bench_read(bench, ABSENT - 6, 4), 0x87654321);
    assert_int_equal(cpu_bench_read(bench, ABSENT - 2, 2), 0);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_modify_write_of_a_read_only_page_changes_nothing),
        cmocka_unit_test(loads_from_an_absent_page_change_nothing),
        cmocka_unit_test(stack_instructions_on_an_absent_page_change_nothing),
        cmocka_unit_test(fault_inside_a_block_names_its_instruction),
        cmocka_unit_test(divide_error_names_the_division),
        cmocka_unit_test(strings_stop_at_an_absent_page_and_go_on),
        cmocka_unit_test(interrupted_compare_leaves_the_flags_from_before_it),
        cmocka_unit_test(string_io_of_no_iterations_needs_permission),
        cmocka_unit_test(bound_below_does_not_read_the_upper_bound),
        cmocka_unit_test(ins_reads_no_port_when_its_destination_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
