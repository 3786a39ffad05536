/* Which instructions and prefixes exist on which CPU model, and what operand and address sizes leave alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu_bench.h"

#define RAM_SIZE MIB

/* Runs one instruction in real mode on `name`, a model with or without features; its vector, -1 when it
 * raised nothing. */
static int run_one(const char *name, const uint8_t *bytes, size_t count)
{
    struct cpu_model model;
    struct status status = cpu_model_parse(name, &model);
    assert_string_equal(status.message, "");
    struct cpu_bench *bench = cpu_bench_create(&model, RAM_SIZE);
    cpu_bench_enter_real(bench);
    cpu_bench_load(bench, BENCH_CODE, bytes, count);
    bench->cpu.gpr[CPU_BX].q = BENCH_DATA;
    cpu_bench_run(bench, 1);
    int vector = -1;
    if (bench->cpu.rip >= BENCH_HANDLERS && bench->cpu.rip < BENCH_HANDLERS + 8 * 256) {
        vector = (int)(bench->cpu.rip - BENCH_HANDLERS) / 8;
        assert_int_equal(cpu_bench_read(bench, BENCH_STACK - 6, 2), BENCH_CODE);
    }
    cpu_bench_destroy(bench);
    return vector;
}

struct availability {
    const char *name;
    uint8_t bytes[8];
    const char *lacks; /* the last model without it */
    const char *has;   /* the first one with it */
};

static void check_availability(const struct availability *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct availability *row = &rows[i];
        int without = row->lacks == NULL ? VECTOR_UD : run_one(row->lacks, row->bytes, sizeof row->bytes);
        int with = row->has == NULL ? -1 : run_one(row->has, row->bytes, sizeof row->bytes);
        if (without != VECTOR_UD || with != -1) {
            fail_msg("%s: vector %d on %s, %d on %s", row->name, without, row->lacks, with, row->has);
        }
    }
}

static void instructions_exist_from_their_model_on(void **state)
{
    static const struct availability instructions[] = {
        {"push imm", {0x6a, 0x01}, NULL, "80186"},
        {"enter", {0xc8, 0, 0, 0}, NULL, "80186"},
        {"shl al, 3", {0xc0, 0xe0, 3}, NULL, "80186"},
        {"smsw ax", {0x0f, 0x01, 0xe0}, "80186", "80286"},
        {"movzx ax, bl", {0x0f, 0xb6, 0xc3}, "80286", "80386"},
        {"setc al", {0x0f, 0x92, 0xc0}, "80286", "80386"},
        {"jc near", {0x0f, 0x82, 0, 0}, "80286", "80386"},
        {"bsf ax, bx", {0x0f, 0xbc, 0xc3}, "80286", "80386"},
        {"shld ax, bx, 1", {0x0f, 0xa4, 0xd8, 1}, "80286", "80386"},
        {"push fs", {0x0f, 0xa0}, "80286", "80386"},
        {"mov eax, cr0", {0x0f, 0x20, 0xc0}, "80286", "80386"},
        {"operand size prefix", {0x66, 0x90}, "80286", "80386"},
        {"fs override", {0x64, 0x8a, 0x07}, "80286", "80386"},
        {"bswap eax", {0x66, 0x0f, 0xc8}, "80386", "80486"},
        {"cmpxchg [bx], al", {0x0f, 0xb0, 0x07}, "80386", "80486"},
        {"xadd [bx], al", {0x0f, 0xc0, 0x07}, "80386", "80486"},
        {"wbinvd", {0x0f, 0x09}, "80386", "80486"},
        {"invlpg [bx]", {0x0f, 0x01, 0x3f}, "80386", "80486"},
        {"cpuid", {0x0f, 0xa2}, "80486", "pentium"},
        {"rdmsr", {0x0f, 0x32}, "80486", NULL},
        {"cmpxchg8b [bx]", {0x0f, 0xc7, 0x0f}, "80486", "pentium"},
        {"cmovc ax, bx", {0x0f, 0x42, 0xc3}, "pentium-mmx", "pentium2"},
        {"nop modrm", {0x0f, 0x1f, 0xc0}, "pentium", "pentium2"},
        {"popcnt ax, bx", {0xf3, 0x0f, 0xb8, 0xc3}, "pentium4", NULL},
        {"movbe ax, [bx]", {0x0f, 0x38, 0xf0, 0x07}, "pentium4", NULL},
        {"movnti [bx], eax", {0x0f, 0xc3, 0x07}, "pentium3", "pentium4"},
        {"syscall", {0x0f, 0x05}, "pentium4", NULL},
        {"ud2", {0x0f, 0x0b}, "pentium4", NULL},
        {"arpl in real mode", {0x63, 0xc0}, "pentium4", NULL},
        {"lar in real mode", {0x0f, 0x02, 0xc0}, "pentium4", NULL},
        {"sldt in real mode", {0x0f, 0x00, 0xc0}, "pentium4", NULL},
        {"mov cs, ax", {0x8e, 0xc8}, "pentium4", "8086"},
    };
    (void)state;
    check_availability(instructions, ARRAY_COUNT(instructions));
}

static void instructions_go_with_their_features(void **state)
{
    static const struct availability instructions[] = {
        {"rdtsc", {0x0f, 0x31}, "pentium3,-tsc", "pentium3"},
        {"rdmsr", {0x0f, 0x32}, "pentium,-msr", NULL},
        {"cmpxchg8b [bx]", {0x0f, 0xc7, 0x0f}, "pentium3,-cx8", "pentium3"},
        {"sysenter", {0x0f, 0x34}, "pentium3,-sep", NULL},
        {"cmovc ax, bx", {0x0f, 0x42, 0xc3}, "pentium3,-cmov", "pentium,+cmov"},
        {"fcmovb st, st1", {0xda, 0xc1}, "pentium3,-cmov", "pentium,+cmov"},
        {"fcomi st, st1", {0xdb, 0xf1}, "pentium3,-cmov", "pentium,+cmov"},
        {"fld1", {0xd9, 0xe8}, NULL, "80486"},
        {"fld1 without a coprocessor", {0xd9, 0xe8}, NULL, "80486,-fpu"},
        {"emms", {0x0f, 0x77}, "pentium2,-mmx", "pentium,+mmx"},
        {"fxsave [bx]", {0x0f, 0xae, 0x07}, "pentium2,-fxsr", "pentium,+fxsr"},
        {"sfence", {0x0f, 0xae, 0xf8}, "pentium3,-sse", "pentium2,+sse"},
        {"mfence", {0x0f, 0xae, 0xf0}, "pentium4,-sse2", "pentium3,+sse2"},
        {"clflush [bx]", {0x0f, 0xae, 0x3f}, "pentium4,-clflush", "pentium3,+clflush"},
        {"fisttp word [bx]", {0xdf, 0x0f}, "max,-pni,-ssse3", "pentium4,+pni"},
        {"movbe ax, [bx]", {0x0f, 0x38, 0xf0, 0x07}, "max,-movbe", "pentium,+movbe"},
        {"popcnt ax, bx", {0xf3, 0x0f, 0xb8, 0xc3}, "max,-popcnt", "pentium,+popcnt"},
        {"rdrand ax", {0x0f, 0xc7, 0xf0}, "pentium4", "max"},
        {"rdrand eax", {0x66, 0x0f, 0xc7, 0xf0}, "max,-rdrand", "pentium,+rdrand"},
        {"lock rdrand ax", {0xf0, 0x0f, 0xc7, 0xf0}, "max", NULL},
        {"rep rdrand ax", {0xf3, 0x0f, 0xc7, 0xf0}, "max", NULL},
        {"repne rdrand ax", {0xf2, 0x0f, 0xc7, 0xf0}, "max", NULL},
        {"rdrand [bx]", {0x0f, 0xc7, 0x37}, "max", NULL},
    };
    (void)state;
    check_availability(instructions, ARRAY_COUNT(instructions));
}

static void lock_is_refused_since_the_80386_where_it_makes_no_sense(void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes[8];
        bool valid;
    } forms[] = {
        {"lock nop", {0xf0, 0x90}, false},
        {"lock mov [bx], ax", {0xf0, 0x89, 0x07}, false},
        {"lock add ax, bx", {0xf0, 0x01, 0xd8}, false},
        {"lock add ax, [bx]", {0xf0, 0x03, 0x07}, false},
        {"lock add [bx], ax", {0xf0, 0x01, 0x07}, true},
        {"lock add word [bx], 1", {0xf0, 0x83, 0x07, 0x01}, true},
        {"lock cmp [bx], ax", {0xf0, 0x39, 0x07}, false},
        {"lock test [bx], ax", {0xf0, 0x85, 0x07}, false},
        {"lock inc word [bx]", {0xf0, 0xff, 0x07}, true},
        {"lock inc ax", {0xf0, 0x40}, false},
        {"lock neg word [bx]", {0xf0, 0xf7, 0x1f}, true},
        {"lock not byte [bx]", {0xf0, 0xf6, 0x17}, true},
        {"lock xchg [bx], ax", {0xf0, 0x87, 0x07}, true},
        {"lock xchg ax, cx", {0xf0, 0x91}, false},
        {"lock shl word [bx], 1", {0xf0, 0xd1, 0x27}, false},
        {"lock push ax", {0xf0, 0x50}, false},
        {"lock movsb", {0xf0, 0xa4}, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        assert_int_equal(run_one("80286", forms[i].bytes, sizeof forms[i].bytes), -1);
        const char *const models[] = {"80386", "80486", "pentium3"};
        for (size_t m = 0; m < ARRAY_COUNT(models); m++) {
            int vector = run_one(models[m], forms[i].bytes, sizeof forms[i].bytes);
            if (vector != (forms[i].valid ? -1 : VECTOR_UD)) {
                fail_msg("%s on %s: vector %d", forms[i].name, models[m], vector);
            }
        }
    }
    /* forms that the 80386 or a later processor brought */
    static const uint8_t bts[] = {0xf0, 0x0f, 0xab, 0x07};
    static const uint8_t bt[] = {0xf0, 0x0f, 0xa3, 0x07};
    static const uint8_t cmpxchg8b[] = {0xf0, 0x0f, 0xc7, 0x0f};
    assert_int_equal(run_one("80386", bts, sizeof bts), -1);
    assert_int_equal(run_one("80386", bt, sizeof bt), VECTOR_UD);
    assert_int_equal(run_one("pentium", cmpxchg8b, sizeof cmpxchg8b), -1);
}

static void instructions_may_be_as_long_as_the_model_says(void **state)
{
    static const uint8_t long_nop[] = {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
                                       0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x90};
    (void)state;
    assert_int_equal(run_one("80286", long_nop + 6, 10), -1);
    assert_int_equal(run_one("80286", long_nop + 5, 11), VECTOR_GP);
    assert_int_equal(run_one("80386", long_nop + 1, 15), -1);
    assert_int_equal(run_one("80386", long_nop, 16), VECTOR_GP);
}

/* ---- sizes */

enum { OLD = 0x55667788 };

/* Runs a snippet up to its HLT in a flat segment of the given size; registers start as OLD but for EBX
 * (data), and the stack. */
static struct cpu_bench *run_sized(unsigned code_size, const uint8_t *bytes, size_t count)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, code_size, 0);
    for (unsigned i = 0; i < 8; i++) {
        bench->cpu.gpr[i].q = OLD;
    }
    bench->cpu.gpr[CPU_BX].q = BENCH_DATA;
    bench->cpu.gpr[CPU_SP].q = code_size == 2 ? 0x99990000 | BENCH_STACK : (uint32_t)BENCH_STACK;
    cpu_bench_write(bench, BENCH_DATA, 4, 0x84838281);
    cpu_bench_load(bench, BENCH_CODE, bytes, count);
    assert_int_equal(cpu_bench_run(bench, 1000), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, -1);
    return bench;
}

static void word_and_byte_results_leave_the_rest_of_the_register(void **state)
{
    static const struct {
        unsigned code_size;
        uint8_t bytes[10];
        uint32_t eax;
    } cases[] = {
        {2, {0xb8, 0x34, 0x12, 0xf4}, 0x55661234},                   /* mov ax, imm */
        {2, {0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4}, 0x12345678}, /* mov eax, imm */
        {2, {0x8b, 0x07, 0xf4}, 0x55668281},                         /* mov ax, [bx] */
        {2, {0x66, 0x8b, 0x07, 0xf4}, 0x84838281},                   /* mov eax, [bx] */
        {2, {0x66, 0x67, 0x8b, 0x03, 0xf4}, 0x84838281},             /* mov eax, [ebx] */
        {2, {0x8a, 0x27, 0xf4}, 0x55668188},                         /* mov ah, [bx] */
        {2, {0x98, 0xf4}, 0x5566ff88},                               /* cbw */
        {2, {0x66, 0x98, 0xf4}, 0x00007788},                         /* cwde */
        {2, {0x0f, 0xb6, 0x07, 0xf4}, 0x55660081},                   /* movzx ax, byte [bx] */
        {2, {0x66, 0x0f, 0xbf, 0x07, 0xf4}, 0xffff8281},             /* movsx eax, word [bx] */
        {2, {0x40, 0xf4}, 0x55667789},                               /* inc ax */
        {2, {0x8d, 0x87, 0x00, 0xf0, 0xf4}, 0x55669000},             /* lea ax, [bx - 1000h] */
        {2, {0x66, 0x8d, 0x87, 0x00, 0xf0, 0xf4}, 0x00009000},       /* lea eax, [bx - 1000h] */
        {4, {0x66, 0xb8, 0x34, 0x12, 0xf4}, 0x55661234},             /* mov ax, imm */
        {4, {0xb4, 0x12, 0xf4}, 0x55661288},                         /* mov ah, imm */
        {4, {0xb0, 0x12, 0xf4}, 0x55667712},                         /* mov al, imm */
        {4, {0x67, 0x8b, 0x07, 0xf4}, 0x84838281},                   /* mov eax, [bx] */
        {4, {0x66, 0x05, 0x80, 0x88, 0xf4}, 0x55660008},             /* add ax, 8880h: no carry up */
        {4, {0x66, 0xf7, 0xd8, 0xf4}, 0x55668878},                   /* neg ax */
        {4, {0x66, 0xd1, 0xe0, 0xf4}, 0x5566ef10},                   /* shl ax, 1 */
        {4, {0x66, 0x8c, 0xd8, 0xf4}, 0x55660010},                   /* mov ax, ds */
        {4, {0x8c, 0xd8, 0xf4}, 0x00000010},                         /* mov eax, ds */
        {4, {0x0f, 0x92, 0xc0, 0xf4}, 0x55667700},                   /* setc al */
        {4, {0x67, 0x8d, 0x87, 0x00, 0x70, 0xf4}, 0x00001000},       /* lea eax, [bx + 7000h] */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct cpu_bench *bench = run_sized(cases[i].code_size, cases[i].bytes, sizeof cases[i].bytes);
        if (bench->cpu.gpr[CPU_AX].d != cases[i].eax) {
            fail_msg("row %zu: EAX is %08x, should be %08x", i, bench->cpu.gpr[CPU_AX].d, cases[i].eax);
        }
        cpu_bench_destroy(bench);
    }
}

/* The numbers are those of cpu_random_test; each comes with CF alone. */
static void rdrand_writes_a_number_of_its_operand_size(void **state)
{
    static const struct {
        unsigned code_size;
        uint32_t ebp, esi, edi;
    } rows[] = {{2, 0x5566b876, 0x903df1a0, 0x55665d40}, {4, 0xade0b876, 0x5566f1a0, 0xe56a5d40}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct cpu_bench *bench = cpu_bench_create(cpu_model_find("max"), RAM_SIZE);
        cpu_bench_enter_flat(bench, rows[i].code_size, 0);
        bench->cpu.gpr[CPU_BP].q = bench->cpu.gpr[CPU_SI].q = bench->cpu.gpr[CPU_DI].q = OLD;
        cpu_set_eflags(&bench->cpu, (EFLAGS_ARITHMETIC & ~(uint32_t)EFLAGS_CF) | EFLAGS_DF | EFLAGS_FIXED);
        cpu_bench_load(bench, BENCH_CODE,
                       BENCH_BYTES(0x0f, 0xc7, 0xf5, 0x66, 0x0f, 0xc7, 0xf6, 0x0f, 0xc7, 0xf7, 0xf4));
        assert_int_equal(cpu_bench_run(bench, 1000), STOP_HALTED);
        assert_int_equal(bench->cpu.gpr[CPU_BP].q, rows[i].ebp);
        assert_int_equal(bench->cpu.gpr[CPU_SI].q, rows[i].esi);
        assert_int_equal(bench->cpu.gpr[CPU_DI].q, rows[i].edi);
        assert_int_equal(cpu_eflags(&bench->cpu), EFLAGS_CF | EFLAGS_DF | EFLAGS_FIXED);
        cpu_bench_destroy(bench);
    }
}

static void sixteen_bit_stack_leaves_the_rest_of_esp(void **state)
{
    (void)state;
    struct cpu_bench *bench = run_sized(2, BENCH_BYTES(0x66, 0x50, 0x50, 0xf4)); /* push eax; push ax */
    assert_int_equal(bench->cpu.gpr[CPU_SP].d, 0x99990000 | (BENCH_STACK - 6));
    assert_int_equal(cpu_bench_read(bench, BENCH_STACK - 4, 4), OLD);
    assert_int_equal(cpu_bench_read(bench, BENCH_STACK - 6, 2), OLD & 0xffff);
    cpu_bench_destroy(bench);
}

static void sixteen_bit_stack_wraps(void **state)
{
    (void)state;
    struct cpu_bench *bench =
        run_sized(2, BENCH_BYTES(0x31, 0xe4, 0x50, 0x5b, 0x50, 0xf4)); /* xor sp, sp; push; pop; push */
    assert_int_equal(bench->cpu.gpr[CPU_SP].d, 0x9999fffe);
    assert_int_equal(cpu_bench_read(bench, 0xfffe, 2), OLD & 0xffff);
    cpu_bench_destroy(bench);
}

static void address_size_picks_the_registers_of_loops_and_strings(void **state)
{
    (void)state;
    /* in 32-bit code with 16-bit addresses: mov cx, 3; mov si, A000h; mov di, A010h; rep movsb; mov cx, 2;
     * loop $ */
    struct cpu_bench *bench =
        run_sized(4, BENCH_BYTES(0x66, 0xb9, 3, 0, 0x66, 0xbe, 0x00, 0xa0, 0x66, 0xbf, 0x10, 0xa0, 0x67, 0xf3,
                                 0xa4, 0x66, 0xb9, 2, 0, 0x67, 0xe2, 0xfd, 0xf4));
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 0x55660000);
    assert_int_equal(bench->cpu.gpr[CPU_SI].d, 0x5566a003);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, 0x5566a013);
    assert_int_equal(cpu_bench_read(bench, 0xa010, 4), 0x00838281);
    cpu_bench_destroy(bench);
}

static void sixteen_bit_addresses_wrap_at_64k(void **state)
{
    (void)state;
    struct cpu_bench *bench =
        run_sized(2, BENCH_BYTES(0x66, 0x8b, 0x87, 0x00, 0x60, 0xf4)); /* mov eax, [bx + 6000h]: offset 0 */
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, cpu_bench_read(bench, 0, 4));
    cpu_bench_destroy(bench);
}

static void sixteen_bit_index_wraps_inside_a_longer_segment(void **state)
{
    (void)state;
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 2, 0);
    bench->cpu.segment[CPU_ES].base = 0x20008; /* so that offset FFFFh is not at a page's end */
    bench->cpu.gpr[CPU_DI].q = 0xfff0;
    bench->cpu.gpr[CPU_CX].q = 0x20;
    bench->cpu.gpr[CPU_AX].q = 0xee;
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xf3, 0xaa, 0x83, 0xef, 0x20, 0xb9, 0x20, 0, 0xf3, 0xaa, 0xf4));
    assert_int_equal(cpu_bench_run(bench, 1000), STOP_HALTED);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, 0x10);
    assert_int_equal(cpu_bench_read(bench, 0x20008 + 0xf, 2), 0xee);
    assert_int_equal(cpu_bench_read(bench, 0x30007, 2), 0xee);
    cpu_bench_destroy(bench);
}

static void real_mode_operand_across_64k_faults_and_wraps_on_the_8086(void **state)
{
    static const uint8_t load[] = {0x8b, 0x87, 0xff, 0x5f}; /* mov ax, [bx + 5FFFh]: offset FFFFh */
    static const uint8_t far_load[] = {0x67, 0x8b, 0x83, 0x00, 0x60, 0, 0}; /* mov ax, [ebx + 6000h] */
    (void)state;
    assert_int_equal(run_one("8086", load, sizeof load), -1);
    assert_int_equal(run_one("80286", load, sizeof load), VECTOR_GP);
    assert_int_equal(run_one("80386", load, sizeof load), VECTOR_GP);
    assert_int_equal(run_one("pentium3", far_load, sizeof far_load), VECTOR_GP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_exist_from_their_model_on),
        cmocka_unit_test(instructions_go_with_their_features),
        cmocka_unit_test(rdrand_writes_a_number_of_its_operand_size),
        cmocka_unit_test(lock_is_refused_since_the_80386_where_it_makes_no_sense),
        cmocka_unit_test(instructions_may_be_as_long_as_the_model_says),
        cmocka_unit_test(word_and_byte_results_leave_the_rest_of_the_register),
        cmocka_unit_test(sixteen_bit_stack_leaves_the_rest_of_esp),
        cmocka_unit_test(sixteen_bit_stack_wraps),
        cmocka_unit_test(address_size_picks_the_registers_of_loops_and_strings),
        cmocka_unit_test(sixteen_bit_addresses_wrap_at_64k),
        cmocka_unit_test(sixteen_bit_index_wraps_inside_a_longer_segment),
        cmocka_unit_test(real_mode_operand_across_64k_faults_and_wraps_on_the_8086),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
