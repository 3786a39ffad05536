/* Breakpoints of the debug registers and alignment checks: when they stop a program, where, and that nothing
 * slows down or stops while they are off (SDM 3B chapter 17, SDM 3A §6.15 interrupt 17). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/debug_registers.h"
#include "cpu_bench.h"

#define RAM_SIZE  MIB
#define LOG_START 0x9000 /* three words per #DB: return address, DR6, EFLAGS */
#define ROUTINE   0x6000

/* DR7: breakpoint `n` enabled globally; kind and length as in the manual. */
#define ENABLE(n)           (2u << (2 * (n)))
#define KIND(n, kind)       ((uint32_t)(kind) << (16 + 4 * (n)))
#define LENGTH(n, encoding) ((uint32_t)(encoding) << (18 + 4 * (n)))
enum { EXECUTE, WRITE, IO, ACCESS };

static struct cpu_bench *create(unsigned code_size)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, code_size, 0);
    cpu_bench_load(bench, ROUTINE,
                   BENCH_BYTES(0x50, 0x8b, 0x44, 0x24, 0x04, 0x89, 0x07,       /* push eax; [edi] = EIP */
                               0x0f, 0x21, 0xf0, 0x89, 0x47, 0x04,             /* [edi + 4] = DR6 */
                               0x8b, 0x44, 0x24, 0x0c, 0x89, 0x47, 0x08,       /* [edi + 8] = EFLAGS */
                               0x31, 0xc0, 0x0f, 0x23, 0xf0, 0x83, 0xc7, 0x0c, /* DR6 = 0; edi += 12 */
                               0x81, 0x4c, 0x24, 0x0c, 0x00, 0x00, 0x01, 0x00, /* set RF in the image */
                               0x58, 0xcf));                                   /* pop eax; iretd */
    cpu_bench_write(bench, BENCH_IDT + 8 * VECTOR_DB, 2, ROUTINE);
    bench->cpu.gpr[CPU_DI].q = LOG_START;
    return bench;
}

static void set_breakpoint(struct cpu_bench *bench, unsigned number, uint32_t address, uint32_t dr7)
{
    cpu_write_debug(&bench->cpu, number, address);
    cpu_write_debug(&bench->cpu, 7, bench->cpu.dr[7] | dr7);
}

struct stop {
    uint32_t eip, bits; /* DR6 without its fixed ones */
    bool rf;
};

static void assert_stops(struct cpu_bench *bench, const struct stop *stops, size_t count)
{
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    size_t seen = (bench->cpu.gpr[CPU_DI].d - LOG_START) / 12;
    for (uint32_t i = 0; i < seen && i < count; i++) {
        uint32_t eip = cpu_bench_read(bench, LOG_START + 12 * i, 4);
        uint32_t bits = cpu_bench_read(bench, LOG_START + 12 * i + 4, 4) & 0xe00f;
        bool rf = cpu_bench_read(bench, LOG_START + 12 * i + 8, 4) & EFLAGS_RF;
        if (eip != stops[i].eip || bits != stops[i].bits || rf != stops[i].rf) {
            fail_msg("stop %u: at %x DR6 %x RF %d, expected %x DR6 %x RF %d", i, eip, bits, rf, stops[i].eip,
                     stops[i].bits, stops[i].rf);
        }
    }
    assert_int_equal(seen, count);
}

#define ASSERT_STOPS(bench, ...)                                                                             \
    assert_stops(bench, (const struct stop[]){__VA_ARGS__}, ARRAY_COUNT(((const struct stop[]){__VA_ARGS__})))
#define ASSERT_NO_STOP(bench) assert_stops(bench, NULL, 0)

/* ---- instruction breakpoints */

static void an_instruction_breakpoint_stops_before_it_and_rf_lets_it_pass(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    set_breakpoint(bench, 1, 0x8001, ENABLE(1));
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x40, 0x43, 0x41,             /* inc eax; inc ebx; inc ecx */
                               0x83, 0xf9, 0x02, 0x75, 0xf9, /* cmp ecx, 2; jne 8001h */
                               0xf4));
    ASSERT_STOPS(bench, {0x8001, 2, false}, {0x8001, 2, false});
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, 2);
    cpu_bench_destroy(bench);
}

static void only_the_first_byte_of_an_instruction_counts(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    set_breakpoint(bench, 0, 0x8001, ENABLE(0));
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xb8, 0x01, 0x00, 0x00, 0x00, 0xf4));
    ASSERT_NO_STOP(bench);
    cpu_bench_destroy(bench);
}

static void breakpoints_that_are_not_enabled_do_nothing(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    set_breakpoint(bench, 0, 0x8001, 0);
    assert_int_equal(bench->cpu.pending & CPU_PENDING_DEBUG, 0);
    set_breakpoint(bench, 3, 0x8001, KIND(0, ACCESS));
    assert_int_equal(bench->cpu.pending & CPU_PENDING_DEBUG, 0);
    set_breakpoint(bench, 2, 0x8001, ENABLE(2));
    assert_int_not_equal(bench->cpu.pending & CPU_PENDING_DEBUG, 0);
    cpu_write_debug(&bench->cpu, 7, 0);
    assert_int_equal(bench->cpu.pending & CPU_PENDING_DEBUG, 0);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0x90, 0xf4));
    ASSERT_NO_STOP(bench);
    cpu_bench_destroy(bench);
}

static void an_instruction_breakpoint_precedes_the_fault_of_its_fetch(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    set_breakpoint(bench, 0, 0x8001, ENABLE(0));
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0x0f, 0x0b));
    cpu_bench_run(bench, 1000);
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    assert_int_equal(frame.vector, VECTOR_UD);
    assert_int_equal(frame.rip, 0x8001);
    assert_int_not_equal(frame.eflags & EFLAGS_RF, 0); /* a fault pushes RF set */
    assert_int_equal(cpu_bench_read(bench, LOG_START, 4), 0x8001);
    cpu_bench_destroy(bench);
}

static void a_stack_switch_holds_the_next_instructions_breakpoint_off(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    set_breakpoint(bench, 0, 0x8004, ENABLE(0));
    set_breakpoint(bench, 1, 0x8005, ENABLE(1));
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x8c, 0xd0, 0x8e, 0xd0, /* mov eax, ss; mov ss, eax */
                               0x90, 0x90, 0xf4));
    ASSERT_STOPS(bench, {0x8005, 2, false});
    cpu_bench_destroy(bench);
}

/* ---- data breakpoints */

/* Code that touches [0a000h] in different ways, and whether breakpoints of each kind are met. */
static void data_breakpoints_trap_after_the_access(void **state)
{
    static const struct {
        const char *name;
        uint8_t code[8];
        unsigned length;
        bool write, access;
    } rows[] = {
        {"load", {0xa1, 0x00, 0xa0, 0x00, 0x00}, 5, false, true},
        {"store", {0xa3, 0x00, 0xa0, 0x00, 0x00}, 5, true, true},
        {"read-modify-write", {0xff, 0x05, 0x00, 0xa0, 0x00, 0x00}, 6, true, true},
        {"byte above", {0xa0, 0x04, 0xa0, 0x00, 0x00}, 5, false, false},
        {"last byte", {0xa2, 0x03, 0xa0, 0x00, 0x00}, 5, true, true},
        {"overlap from below", {0xa3, 0xfd, 0x9f, 0x00, 0x00}, 5, true, true},
        {"below", {0xa3, 0xfc, 0x9f, 0x00, 0x00}, 5, false, false},
        {"80-bit load", {0xdb, 0x2d, 0xf8, 0x9f, 0x00, 0x00}, 6, false, true},
        {"push [mem]", {0xff, 0x35, 0x00, 0xa0, 0x00, 0x00}, 6, false, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned kind = WRITE; kind <= ACCESS; kind += ACCESS - WRITE) {
            struct cpu_bench *bench = create(4);
            cpu_bench_load(bench, BENCH_CODE, rows[i].code, rows[i].length);
            cpu_bench_load(bench, BENCH_CODE + rows[i].length, BENCH_BYTES(0x90, 0xf4));
            set_breakpoint(bench, 2, 0xa002, ENABLE(2) | KIND(2, kind) | LENGTH(2, 3));
            bool expected = kind == WRITE ? rows[i].write : rows[i].access;
            print_message("%s, kind %u\n", rows[i].name, kind);
            assert_stops(bench, &(struct stop){BENCH_CODE + rows[i].length, 4, false}, expected);
            cpu_bench_destroy(bench);
        }
    }
}

static void a_watched_page_becomes_fast_again(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xa3, 0x00, 0xa0, 0x00, 0x00, 0xf4));
    set_breakpoint(bench, 0, 0xa000, ENABLE(0) | KIND(0, WRITE));
    ASSERT_STOPS(bench, {0x8005, 1, false});
    assert_true(mmu_entry(bench->mmu, 0xa000, false)->store_tag == TLB_INVALID);
    cpu_write_debug(&bench->cpu, 7, 0);
    bench->cpu.rip = BENCH_CODE;
    bench->cpu.halted = false;
    cpu_bench_run(bench, 1000);
    uint64_t tag = bench->mmu->strategy != MMU_WALK ? 0xa000 : TLB_INVALID;
    assert_true(mmu_entry(bench->mmu, 0xa000, false)->store_tag == tag);
    cpu_bench_destroy(bench);
}

static void a_repetition_stops_after_the_iteration(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x89, 0xfd, 0xb9, 0x04, 0x00, 0x00, 0x00, /* mov ecx, 4 */
                               0xbe, 0x00, 0xa0, 0x00, 0x00,             /* mov esi, 0a000h */
                               0xf3, 0xad, 0x90, 0xf4));                 /* rep lodsd; nop; hlt */
    set_breakpoint(bench, 0, 0xa004, ENABLE(0) | KIND(0, ACCESS) | LENGTH(0, 3));
    set_breakpoint(bench, 1, 0xa00c, ENABLE(1) | KIND(1, ACCESS) | LENGTH(1, 3));
    ASSERT_STOPS(bench, {0x800c, 1, true}, {0x800e, 2, false});
    cpu_bench_destroy(bench);
}

static void an_access_of_a_faulting_instruction_is_not_reported(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    cpu_bench_enable_paging(bench);
    cpu_bench_map(bench, 0xb000, 0xb000, 0);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xff, 0x35, 0x00, 0xa0, 0x00, 0x00, /* push [0a000h] */
                               0x8f, 0x05, 0x00, 0xb0, 0x00, 0x00, /* pop [0b000h] */
                               0xf4));
    set_breakpoint(bench, 0, BENCH_STACK - 4, ENABLE(0) | KIND(0, ACCESS));
    cpu_bench_run(bench, 1000);
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    assert_int_equal(frame.vector, VECTOR_PF);
    assert_int_equal(frame.rip, 0x8006);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, LOG_START + 12); /* the PUSH alone */
    cpu_bench_destroy(bench);
}

static void the_breakpoint_of_a_stack_switch_traps_one_instruction_later(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    cpu_bench_write(bench, 0xa000, 2, BENCH_DATA0);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x8e, 0x15, 0x00, 0xa0, 0x00, 0x00, /* mov ss, [0a000h] */
                               0x90, 0x90, 0xf4));
    set_breakpoint(bench, 0, 0xa000, ENABLE(0) | KIND(0, ACCESS));
    ASSERT_STOPS(bench, {0x8007, 1, false});
    cpu_bench_destroy(bench);
}

static void a_single_step_and_a_breakpoint_are_one_exception(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    cpu_set_eflags(&bench->cpu, cpu_eflags(&bench->cpu) | EFLAGS_TF);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xa3, 0x00, 0xa0, 0x00, 0x00, /* mov [0a000h], eax */
                               0x6a, 0x02, 0x9d, 0xf4));     /* push 2; popfd */
    set_breakpoint(bench, 0, 0xa000, ENABLE(0) | KIND(0, WRITE));
    ASSERT_STOPS(bench, {0x8005, 0x4001, false}, {0x8007, 0x4000, false}, {0x8008, 0x4000, false});
    cpu_bench_destroy(bench);
}

/* ---- I/O breakpoints */

static void io_breakpoints_need_cr4_de(void **state)
{
    (void)state;
    for (unsigned de = 0; de < 2; de++) {
        struct cpu_bench *bench = create(4);
        cpu_write_control(&bench->cpu, 4, de != 0 ? CR4_DE : 0);
        cpu_bench_load(bench, BENCH_CODE,
                       BENCH_BYTES(0xe4, 0x40, 0xe5, 0x3e, 0xe6,
                                   0x41, /* in al, 40h; in eax, 3eh; out 41h, al */
                                   0xe4, 0x44, 0xf4));
        set_breakpoint(bench, 0, 0x40, ENABLE(0) | KIND(0, IO));
        set_breakpoint(bench, 3, 0x41, ENABLE(3) | KIND(3, IO));
        if (de != 0) {
            ASSERT_STOPS(bench, {0x8002, 1, false}, {0x8004, 9, false}, {0x8006, 8, false});
        } else {
            ASSERT_NO_STOP(bench);
        }
        cpu_bench_destroy(bench);
    }
}

/* ---- general detect */

static void general_detect_is_a_fault(void **state)
{
    (void)state;
    struct cpu_bench *bench = create(4);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x0f, 0x21, 0xd8, 0xf4)); /* mov eax, dr3 */
    cpu_write_debug(&bench->cpu, 7, 0x2000);
    ASSERT_STOPS(bench, {0x8000, 0x2000, true}); /* delivery cleared DR7.GD */
    cpu_bench_destroy(bench);
}

/* ---- alignment */

struct alignment_row {
    const char *name;
    uint8_t code[8];
    unsigned length;
    unsigned required; /* EBX is tried at every offset below 16 */
};

/* The operand is at [ebx]; ESP is aligned. */
static void operands_must_be_aligned_as_their_type_says(void **state)
{
    static const struct alignment_row rows[] = {
        {"byte", {0x8a, 0x03}, 2, 1},
        {"word load", {0x66, 0x8b, 0x03}, 3, 2},
        {"doubleword load", {0x8b, 0x03}, 2, 4},
        {"doubleword store", {0x89, 0x03}, 2, 4},
        {"doubleword update", {0xff, 0x03}, 2, 4},
        {"PUSH m32", {0xff, 0x33}, 2, 4},
        {"CMPXCHG8B", {0x0f, 0xc7, 0x0b}, 3, 8},
        {"LODSD", {0x89, 0xde, 0xad}, 3, 4},
        {"REP STOSW", {0x89, 0xdf, 0x6a, 0x01, 0x59, 0x66, 0xf3, 0xab}, 8, 2},
        {"BOUND", {0x62, 0x03}, 2, 4},
        {"SIDT", {0x0f, 0x01, 0x0b}, 3, 4},
        {"FLD m32", {0xd9, 0x03}, 2, 4},
        {"FLD m64", {0xdd, 0x03}, 2, 8},
        {"FLD m80", {0xdb, 0x2b}, 2, 8},
        {"FSTP m80", {0xdb, 0x3b}, 2, 8},
        {"FNSTENV", {0xd9, 0x33}, 2, 4},
        {"FNSTENV 16", {0x66, 0xd9, 0x33}, 3, 2},
        {"FNSAVE", {0xdd, 0x33}, 2, 4},
        {"MOVQ mm", {0x0f, 0x6f, 0x03}, 3, 8},
        {"MOVSS", {0xf3, 0x0f, 0x10, 0x03}, 4, 4},
        {"MOVUPS", {0x0f, 0x10, 0x03}, 3, 8},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (uint32_t offset = 0; offset < 16; offset++) {
            struct cpu_bench *bench = cpu_bench_create(cpu_model_find("max"), RAM_SIZE);
            cpu_bench_enter_flat(bench, 4, 3);
            cpu_bench_load(bench, BENCH_CODE, rows[i].code, rows[i].length);
            cpu_bench_load(bench, BENCH_CODE + rows[i].length, BENCH_BYTES(0xcd, 0x40));
            bench->cpu.gpr[CPU_BX].q = BENCH_DATA + offset;
            memset(bench->ram + BENCH_DATA + 4, 0x7f, 28);
            bench->cpu.cr4 |= CR4_OSFXSR;
            bench->cpu.cr0 |= CR0_AM;
            bench->cpu.eflags_other |= EFLAGS_AC;
            cpu_update_alignment_checks(&bench->cpu);
            cpu_bench_run(bench, 1000);
            struct cpu_bench_frame frame = cpu_bench_frame(bench);
            bool expected = offset % rows[i].required != 0;
            bool raised = frame.vector == VECTOR_AC;
            if (raised != expected || (raised && frame.error_code != 0)) {
                fail_msg("%s at offset %u: vector %d error %x", rows[i].name, offset, frame.vector,
                         frame.error_code);
            }
            cpu_bench_destroy(bench);
        }
    }
}

static void alignment_is_checked_only_at_cpl_3_with_am_and_ac(void **state)
{
    (void)state;
    for (unsigned row = 0; row < 8; row++) {
        unsigned cpl = row & 1 ? 3 : 0;
        struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
        cpu_bench_enter_flat(bench, 4, cpl);
        cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x8b, 0x03, 0xcd, 0x40)); /* mov eax, [ebx]; int 40h */
        bench->cpu.gpr[CPU_BX].q = BENCH_DATA + 1;
        bench->cpu.cr0 |= row & 2 ? (uint32_t)CR0_AM : 0;
        bench->cpu.eflags_other |= row & 4 ? (uint32_t)EFLAGS_AC : 0;
        cpu_update_alignment_checks(&bench->cpu);
        cpu_bench_run(bench, 1000);
        assert_int_equal(cpu_bench_frame(bench).vector == VECTOR_AC, row == 7);
        cpu_bench_destroy(bench);
    }
}

/* POPF turns checks on behind translations that are already there, and off again. */
static void alignment_checks_begin_and_end_with_popf(void **state)
{
    (void)state;
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 3);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x8b, 0x03, 0x89, 0x03,                   /* mov eax, [ebx]; mov [ebx], eax */
                               0x68, 0x02, 0x00, 0x04, 0x00, 0x9d,       /* push 40002h; popfd */
                               0x6a, 0x02, 0x9d,                         /* push 2; popfd */
                               0x8b, 0x03,                               /* mov eax, [ebx] */
                               0x68, 0x02, 0x00, 0x04, 0x00, 0x9d, 0x89, /* push 40002h; popfd */
                               0x03));                                   /* mov [ebx], eax */
    bench->cpu.gpr[CPU_BX].q = BENCH_DATA + 1;
    bench->cpu.cr0 |= CR0_AM;
    cpu_bench_run(bench, 1000);
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    assert_int_equal(frame.vector, VECTOR_AC);
    assert_int_equal(frame.rip, BENCH_CODE + 21);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instruction_breakpoint_stops_before_it_and_rf_lets_it_pass),
        cmocka_unit_test(only_the_first_byte_of_an_instruction_counts),
        cmocka_unit_test(breakpoints_that_are_not_enabled_do_nothing),
        cmocka_unit_test(an_instruction_breakpoint_precedes_the_fault_of_its_fetch),
        cmocka_unit_test(a_stack_switch_holds_the_next_instructions_breakpoint_off),
        cmocka_unit_test(data_breakpoints_trap_after_the_access),
        cmocka_unit_test(a_watched_page_becomes_fast_again),
        cmocka_unit_test(a_repetition_stops_after_the_iteration),
        cmocka_unit_test(an_access_of_a_faulting_instruction_is_not_reported),
        cmocka_unit_test(the_breakpoint_of_a_stack_switch_traps_one_instruction_later),
        cmocka_unit_test(a_single_step_and_a_breakpoint_are_one_exception),
        cmocka_unit_test(io_breakpoints_need_cr4_de),
        cmocka_unit_test(general_detect_is_a_fault),
        cmocka_unit_test(operands_must_be_aligned_as_their_type_says),
        cmocka_unit_test(alignment_is_checked_only_at_cpl_3_with_am_and_ac),
        cmocka_unit_test(alignment_checks_begin_and_end_with_popf),
    };
    return cmocka_run_group_tests_name("debug", tests, NULL, NULL);
}
