/* What happens between instructions: single steps, the interrupt shadow, HLT, INTR and NMI, budgets,
 * shutdown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_bench.h"

#define RAM_SIZE  MIB
#define LOG_START 0x9000 /* where the logging handlers write the return addresses they find */
#define ROUTINE   0x6000 /* room for handlers longer than a slot */

static struct cpu_bench *create_flat(void)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 0);
    return bench;
}

static void set_handler(struct cpu_bench *bench, unsigned vector, uint32_t address)
{
    cpu_bench_write(bench, BENCH_IDT + 8 * vector, 2, address);
}

/* #DB appends its return address to the list at LOG_START, which EDI points at, and returns. */
static void log_single_steps(struct cpu_bench *bench)
{
    cpu_bench_load(bench, ROUTINE,
                   BENCH_BYTES(0x8f, 0x07,       /* pop [edi] */
                               0x8d, 0x7f, 0x04, /* lea edi, [edi + 4] */
                               0xff, 0x77, 0xfc, /* push [edi - 4] */
                               0xcf));           /* iret */
    set_handler(bench, VECTOR_DB, ROUTINE);
    bench->cpu.gpr[CPU_DI].q = LOG_START;
}

static void assert_steps(struct cpu_bench *bench, const uint32_t *steps, size_t count)
{
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, LOG_START + 4 * count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(cpu_bench_read(bench, LOG_START + 4 * i, 4), steps[i]);
    }
}

#define ASSERT_STEPS(bench, ...)                                                                             \
    assert_steps(bench, (const uint32_t[]){__VA_ARGS__}, ARRAY_COUNT(((const uint32_t[]){__VA_ARGS__})))

static void set_flag(struct cpu_bench *bench, uint32_t flag)
{
    cpu_set_eflags(&bench->cpu, cpu_eflags(&bench->cpu) | flag);
}

static void run_to_halt(struct cpu_bench *bench)
{
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
}

/* ---- devices */

static void ask_for_interrupt(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct cpu_bench *bench = opaque;
    (void)offset;
    (void)width;
    (void)value;
    bench->cpu.pending |= CPU_PENDING_INTERRUPT;
}

static void interrupt_of_a_store_to_a_device_comes_before_the_next_instruction(void **state)
{
    (void)state;
    for (uint64_t budget = 1; budget <= 8; budget++) {
        struct cpu_bench *bench = create_flat();
        const struct io_region region = {.name = "device",
                                         .base = 4 * RAM_SIZE,
                                         .length = 4096,
                                         .max_width = 4,
                                         .write = ask_for_interrupt,
                                         .opaque = bench};
        struct status status = memory_bus_claim(bench->bus, &region);
        assert_true(status_is_ok(&status));
        bench->interrupt_vector = 0x40;
        cpu_bench_load(bench, BENCH_CODE,
                       BENCH_BYTES(0x41, 0xa3, 0, 0, 0x40, 0, /* inc ecx; mov [400000h], eax */
                                   0x41, 0x41, 0x41, 0xf4));
        set_flag(bench, EFLAGS_IF);
        while (cpu_bench_run(bench, budget) != STOP_HALTED) {
        }
        struct cpu_bench_frame frame = cpu_bench_frame(bench);
        assert_int_equal(frame.vector, 0x40);
        assert_int_equal(frame.rip, BENCH_CODE + 6);
        assert_int_equal(bench->cpu.gpr[CPU_CX].d, 1);
        assert_int_equal(bench->cpu.retired, 3); /* HLT too */
        cpu_bench_destroy(bench);
    }
}

/* ---- single steps */

static void every_instruction_traps_and_popf_ends_it(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    set_flag(bench, EFLAGS_TF);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x90, 0xb0, 0x01, /* nop; mov al, 1 */
                               0xeb, 0x00,       /* jmp 8005h */
                               0x6a, 0x02, 0x9d, /* push 2; popfd */
                               0x90, 0xf4));
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8001, 0x8003, 0x8005, 0x8007, 0x8008);
    assert_int_equal(bench->cpu.rip, 0x800a);
    assert_true(bench->cpu.dr[6] & 0x4000);
    cpu_bench_destroy(bench);
}

static void popf_that_sets_tf_steps_from_the_next_instruction(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x68, 0x02, 0x01, 0, 0, 0x9d, /* push 102h; popfd */
                               0x90, 0x90,                   /* nop; nop */
                               0x6a, 0x02, 0x9d, 0xf4));
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8007, 0x8008, 0x800a, 0x800b);
    cpu_bench_destroy(bench);
}

static void iret_that_sets_tf_steps_from_its_target(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x68, 0x02, 0x01, 0, 0, 0x6a, BENCH_CODE0, /* push 102h; push cs */
                               0x68, 0x20, 0x80, 0, 0, 0xcf));            /* push 8020h; iretd */
    cpu_bench_load(bench, 0x8020, BENCH_BYTES(0x90, 0x6a, 0x02, 0x9d, 0xf4));
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8021, 0x8023, 0x8024);
    cpu_bench_destroy(bench);
}

static void int_n_enters_its_handler_without_a_step(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    set_flag(bench, EFLAGS_TF);
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * 0x40, BENCH_BYTES(0x90, 0xcf)); /* nop; iret */
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xcd, 0x40, 0x90, 0x6a, 0x02, 0x9d, 0xf4));
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8003, 0x8005, 0x8006);
    cpu_bench_destroy(bench);
}

static void fault_under_tf_enters_its_handler_without_a_step(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    set_flag(bench, EFLAGS_TF);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0x0f, 0x0b));
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8001);
    assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_UD);
    assert_int_equal(cpu_bench_frame(bench).rip, 0x8001);
    assert_true(cpu_bench_frame(bench).eflags & EFLAGS_TF);
    cpu_bench_destroy(bench);
}

static void load_of_ss_holds_the_step_off(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    set_flag(bench, EFLAGS_TF);
    bench->cpu.gpr[CPU_AX].q = BENCH_DATA0;
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x8e, 0xd0, 0x90, /* mov ss, eax; nop */
                               0x50, 0x17, 0x90, /* push eax; pop ss; nop */
                               0x6a, 0x02, 0x9d, 0xf4));
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8003, 0x8004, 0x8006, 0x8008, 0x8009);
    cpu_bench_destroy(bench);
}

static void sti_does_not_hold_the_step_off(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    log_single_steps(bench);
    set_flag(bench, EFLAGS_TF);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xfb, 0x90, 0x6a, 0x02, 0x9d, 0xf4)); /* sti; nop; … */
    run_to_halt(bench);
    ASSERT_STEPS(bench, 0x8001, 0x8002, 0x8004, 0x8005);
    cpu_bench_destroy(bench);
}

static void repeated_string_traps_after_each_iteration(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    /* the same handler, with ESI for the list */
    cpu_bench_load(bench, ROUTINE, BENCH_BYTES(0x8f, 0x06, 0x8d, 0x76, 0x04, 0xff, 0x76, 0xfc, 0xcf));
    set_handler(bench, VECTOR_DB, ROUTINE);
    bench->cpu.gpr[CPU_SI].q = LOG_START;
    bench->cpu.gpr[CPU_DI].q = BENCH_DATA;
    bench->cpu.gpr[CPU_CX].q = 3;
    bench->cpu.gpr[CPU_AX].q = 0x55;
    set_flag(bench, EFLAGS_TF);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xf3, 0xaa, 0x6a, 0x02, 0x9d, 0xf4)); /* rep stosb; … */
    run_to_halt(bench);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, BENCH_DATA + 3);
    bench->cpu.gpr[CPU_DI].q = bench->cpu.gpr[CPU_SI].q;
    ASSERT_STEPS(bench, 0x8000, 0x8000, 0x8002, 0x8004, 0x8005);
    assert_int_equal(cpu_bench_read(bench, BENCH_DATA, 4), 0x00555555);
    cpu_bench_destroy(bench);
}

/* ---- interrupts */

static void raise_interrupt(struct cpu_bench *bench)
{
    bench->interrupt_vector = 0x40;
    bench->cpu.pending |= CPU_PENDING_INTERRUPT;
}

static void assert_interrupted(struct cpu_bench *bench, int vector, uint32_t rip)
{
    run_to_halt(bench);
    assert_int_equal(cpu_bench_frame(bench).vector, vector);
    assert_int_equal(cpu_bench_frame(bench).rip, rip);
}

static void intr_waits_for_if(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0x90, 0xeb, 0xfc)); /* nop; nop; jmp 8000h */
    raise_interrupt(bench);
    assert_int_equal(cpu_bench_run(bench, 999), STOP_BUDGET);
    assert_int_equal(bench->interrupts_taken, 0);
    set_flag(bench, EFLAGS_IF);
    assert_interrupted(bench, 0x40, BENCH_CODE);
    assert_int_equal(bench->interrupts_taken, 1);
    assert_false(bench->cpu.eflags_other & EFLAGS_IF);
    cpu_bench_destroy(bench);
}

static void sti_holds_interrupts_off_for_one_instruction(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xfb, 0x90, 0x90, 0xf4)); /* sti; nop; nop; hlt */
    raise_interrupt(bench);
    assert_interrupted(bench, 0x40, 0x8002);
    cpu_bench_destroy(bench);
}

static void sti_with_if_set_holds_nothing_off(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    set_flag(bench, EFLAGS_IF);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xfb, 0x90, 0x90, 0xf4));
    assert_int_equal(cpu_bench_run(bench, 1), STOP_BUDGET);
    raise_interrupt(bench);
    assert_interrupted(bench, 0x40, 0x8001);
    cpu_bench_destroy(bench);
}

static void sti_followed_by_cli_lets_nothing_in(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xfb, 0xfa, 0xeb, 0xfc)); /* sti; cli; jmp 8000h */
    raise_interrupt(bench);
    assert_int_equal(cpu_bench_run(bench, 100), STOP_BUDGET);
    assert_int_equal(bench->interrupts_taken, 0);
    cpu_bench_destroy(bench);
}

static void shadow_survives_the_end_of_a_budget(void **state)
{
    static const struct {
        uint8_t bytes[3];
        unsigned instructions; /* up to and with the one that casts the shadow */
    } casts[] = {{{0xfb}, 1}, {{0x8e, 0xd0}, 1}, {{0x50, 0x17}, 2}}; /* sti; mov ss, eax; push eax + pop ss */
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(casts); i++) {
        struct cpu_bench *bench = create_flat();
        bench->cpu.gpr[CPU_AX].q = BENCH_DATA0;
        cpu_bench_load(bench, BENCH_CODE, casts[i].bytes, sizeof casts[i].bytes);
        size_t length = casts[i].bytes[1] == 0 ? 1 : 2;
        cpu_bench_load(bench, BENCH_CODE + length, BENCH_BYTES(0x43, 0x43, 0xf4)); /* inc ebx; inc ebx */
        if (i > 0) {
            set_flag(bench, EFLAGS_IF);
        }
        assert_int_equal(cpu_bench_run(bench, casts[i].instructions), STOP_BUDGET);
        raise_interrupt(bench);
        assert_interrupted(bench, 0x40, (uint32_t)(BENCH_CODE + length + 1));
        assert_int_equal(bench->cpu.gpr[CPU_BX].d, 1);
        cpu_bench_destroy(bench);
    }
}

static void hlt_waits_for_an_interrupt_that_counts(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xf4, 0x90));
    run_to_halt(bench);
    uint64_t retired = bench->cpu.retired;
    run_to_halt(bench);
    raise_interrupt(bench);
    run_to_halt(bench); /* IF is clear */
    assert_int_equal(bench->cpu.retired, retired);
    assert_int_equal(bench->cpu.rip, 0x8001);
    set_flag(bench, EFLAGS_IF);
    assert_interrupted(bench, 0x40, 0x8001);
    cpu_bench_destroy(bench);
}

static void sti_hlt_is_woken_by_an_interrupt_already_there(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xfb, 0xf4, 0x90));
    raise_interrupt(bench);
    assert_interrupted(bench, 0x40, 0x8002);
    cpu_bench_destroy(bench);
}

static void nmi_wakes_hlt_whatever_if_says(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xf4, 0x90));
    run_to_halt(bench);
    bench->cpu.pending |= CPU_PENDING_NMI;
    assert_interrupted(bench, VECTOR_NMI, 0x8001);
    cpu_bench_destroy(bench);
}

static void nmi_comes_before_intr(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0xf4));
    set_flag(bench, EFLAGS_IF);
    raise_interrupt(bench);
    bench->cpu.pending |= CPU_PENDING_NMI;
    assert_interrupted(bench, VECTOR_NMI, BENCH_CODE);
    assert_int_equal(bench->interrupts_taken, 0);
    cpu_bench_destroy(bench);
}

static void second_nmi_waits_for_iret(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0x90, 0xf4));
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * VECTOR_NMI,
                   BENCH_BYTES(0x43, 0x90, 0xcf)); /* inc ebx; …; iret */
    bench->cpu.pending |= CPU_PENDING_NMI;
    assert_int_equal(cpu_bench_run(bench, 1), STOP_BUDGET);
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, 1);
    bench->cpu.pending |= CPU_PENDING_NMI;
    assert_int_equal(cpu_bench_run(bench, 1), STOP_BUDGET);
    assert_int_equal(bench->cpu.rip, BENCH_HANDLERS + 8 * VECTOR_NMI + 2);
    assert_int_equal(cpu_bench_run(bench, 2), STOP_BUDGET); /* iret, and the handler's first again */
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, 2);
    assert_int_equal(bench->cpu.rip, BENCH_HANDLERS + 8 * VECTOR_NMI + 1);
    run_to_halt(bench);
    assert_int_equal(bench->cpu.rip, 0x8003);
    cpu_bench_destroy(bench);
}

static void interrupt_between_iterations_resumes_the_string(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xf3, 0xaa, 0xf4)); /* rep stosb */
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * 0x40, BENCH_BYTES(0x43, 0xcf));
    set_flag(bench, EFLAGS_IF);
    bench->cpu.gpr[CPU_AX].q = 0x5a;
    bench->cpu.gpr[CPU_CX].q = 100;
    bench->cpu.gpr[CPU_DI].q = BENCH_DATA;
    assert_int_equal(cpu_bench_run(bench, 40), STOP_BUDGET);
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 60);
    assert_int_equal(bench->cpu.rip, BENCH_CODE);
    raise_interrupt(bench);
    run_to_halt(bench);
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, 1);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, BENCH_DATA + 100);
    assert_int_equal(cpu_bench_read(bench, BENCH_DATA + 99, 2), 0x5a);
    cpu_bench_destroy(bench);
}

/* ---- budgets */

/* Copies, calls, faults, software interrupts and a store into its own code, endlessly. */
static void load_busy_program(struct cpu_bench *bench, uint32_t extra_flags)
{
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xb9, 0x14, 0, 0, 0,    /* mov ecx, 20 */
                               0x51,                   /* 8005: push ecx */
                               0xbe, 0x00, 0xa0, 0, 0, /* mov esi, A000h */
                               0xbf, 0x01, 0xa0, 0, 0, /* mov edi, A001h */
                               0xb9, 0x25, 0, 0, 0,    /* mov ecx, 37 (8011h: the count) */
                               0xf3, 0xa4,             /* rep movsb */
                               0xe8, 0x13, 0, 0, 0,    /* call 8030h */
                               0x0f, 0x0b,             /* ud2 */
                               0xcd, 0x40,             /* int 40h */
                               0x59,                   /* pop ecx */
                               0xe2, 0xe1,             /* loop 8005h */
                               0xeb, 0xda));           /* jmp 8000h */
    cpu_bench_load(bench, 0x8030,
                   BENCH_BYTES(0xfe, 0x05, 0x00, 0xa0, 0, 0, /* inc byte [A000h] */
                               0xfe, 0x05, 0x11, 0x80, 0, 0, /* inc byte [8011h] */
                               0xfb, 0xfa,                   /* sti; cli */
                               0xc3));
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * VECTOR_UD,
                   BENCH_BYTES(0x83, 0x04, 0x24, 0x02, 0xcf)); /* add dword [esp], 2; iret */
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * 0x40, BENCH_BYTES(0xcf));
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * VECTOR_DB, BENCH_BYTES(0x45, 0xcf)); /* inc ebp; iret */
    set_flag(bench, extra_flags);
}

static void assert_same_state(const struct cpu_bench *a, const struct cpu_bench *b)
{
    for (unsigned i = 0; i < CPU_GPR_SLOTS; i++) {
        assert_int_equal(a->cpu.gpr[i].q, b->cpu.gpr[i].q);
    }
    assert_int_equal(a->cpu.rip, b->cpu.rip);
    assert_int_equal(cpu_eflags(&a->cpu), cpu_eflags(&b->cpu));
    assert_int_equal(a->cpu.retired, b->cpu.retired);
    assert_memory_equal(a->ram, b->ram, RAM_SIZE);
}

/* For every n up to LONGEST: run(n) retires n, and leaves what n times run(1) leaves. */
static void compare_budgets(uint32_t extra_flags)
{
    enum { LONGEST = 1500 };
    struct cpu_bench *single = create_flat();
    load_busy_program(single, extra_flags);
    for (uint64_t n = 1; n <= LONGEST; n++) {
        assert_int_equal(cpu_bench_run(single, 1), STOP_BUDGET);
        assert_int_equal(single->cpu.retired, n);
        if (n % 7 == 0 || n < 200) {
            struct cpu_bench *whole = create_flat();
            load_busy_program(whole, extra_flags);
            assert_int_equal(cpu_bench_run(whole, n), STOP_BUDGET);
            assert_int_equal(whole->cpu.retired, n);
            assert_same_state(single, whole);
            cpu_bench_destroy(whole);
        }
    }
    cpu_bench_destroy(single);
}

static void budget_is_exact_for_every_length(void **state)
{
    (void)state;
    compare_budgets(0);
}

static void budget_is_exact_under_single_step(void **state)
{
    (void)state;
    compare_budgets(EFLAGS_TF);
}

static void any_partition_of_a_run_gives_the_same_state(void **state)
{
    (void)state;
    uint32_t random = 12345;
    struct cpu_bench *whole = create_flat();
    load_busy_program(whole, 0);
    cpu_bench_run(whole, 100000);
    struct cpu_bench *parts = create_flat();
    load_busy_program(parts, 0);
    while (parts->cpu.retired < 100000) {
        random = random * 1103515245 + 12345;
        uint64_t left = 100000 - parts->cpu.retired;
        uint64_t part = random >> 16 & 127;
        cpu_bench_run(parts, part < left ? part : left);
    }
    assert_same_state(whole, parts);
    cpu_bench_destroy(whole);
    cpu_bench_destroy(parts);
}

static void stop_and_reset_requests_end_a_run(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xeb, 0xfe));
    bench->cpu.pending |= CPU_PENDING_STOP;
    assert_int_equal(cpu_bench_run(bench, 100), STOP_REQUEST);
    assert_int_equal(cpu_bench_run(bench, 100), STOP_BUDGET);
    bench->cpu.pending |= CPU_PENDING_RESET;
    assert_int_equal(cpu_bench_run(bench, 100), STOP_RESET);
    assert_int_equal(bench->cpu.retired, 100);
    cpu_bench_destroy(bench);
}

/* ---- the end of the line */

static void triple_fault_shuts_down(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    bench->cpu.idtr.limit = 0;
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x90, 0x0f, 0x0b));
    assert_int_equal(cpu_bench_run(bench, 100), STOP_SHUTDOWN);
    assert_true(bench->cpu.shutdown);
    assert_int_equal(cpu_bench_run(bench, 100), STOP_SHUTDOWN);
    cpu_bench_destroy(bench);
}

static void triple_fault_on_an_interrupt_shuts_down(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    bench->cpu.idtr.limit = 0;
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xeb, 0xfe));
    set_flag(bench, EFLAGS_IF);
    raise_interrupt(bench);
    assert_int_equal(cpu_bench_run(bench, 100), STOP_SHUTDOWN);
    cpu_bench_destroy(bench);
}

static void endless_faults_use_up_the_budget(void **state)
{
    (void)state;
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_real(bench);
    cpu_bench_load(bench, BENCH_HANDLERS + 8 * VECTOR_UD, BENCH_BYTES(0x0f, 0x0b));
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x0f, 0x0b));
    for (uint32_t vector = 7; vector < 15; vector++) {
        cpu_bench_load(bench, BENCH_HANDLERS + 8 * vector, BENCH_BYTES(0x0f, 0x0b));
    }
    bench->cpu.segment[CPU_SS].base = 0x80000; /* the stack goes round in 64 KiB of its own */
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_BUDGET);
    assert_int_equal(bench->cpu.retired, 100000);
    cpu_bench_destroy(bench);
}

/* ---- tracing */

/* Runs two blocks (a jump, then NOP and HLT) with `log` and returns what was logged in `text`. */
static void trace_with(struct log log, char *text, size_t size)
{
    struct cpu_bench *bench = create_flat();
    FILE *sink = tmpfile();
    assert_non_null(sink);
    bench->log = log;
    bench->log.sink = sink;
    cpu_bench_load(bench, 0x1000, BENCH_BYTES(0xeb, 0x06)); /* jmp 1008h */
    cpu_bench_load(bench, 0x1008, BENCH_BYTES(0x90, 0xf4)); /* nop; hlt */
    bench->cpu.rip = 0x1000;
    run_to_halt(bench);
    rewind(sink);
    text[fread(text, 1, size - 1, sink)] = '\0';
    fclose(sink);
    cpu_bench_destroy(bench);
}

static void trace(const char *categories, char *text, size_t size)
{
    struct log log = {0};
    struct status status = log_enable_list(&log, categories);
    assert_true(status_is_ok(&status));
    trace_with(log, text, size);
}

static void exec_tracing_names_every_block(void **state)
{
    char text[1000];
    (void)state;
    trace("exec", text, sizeof text);
    assert_string_equal(text, "Trace 0: 0x000000001000 [00000000/00001000/000000b0/1] \n"
                              "Trace 0: 0x000000001008 [00000000/00001008/000000b0/2] \n");
}

static void exec_tracing_one_by_one_names_every_instruction(void **state)
{
    char text[1000];
    (void)state;
    trace_with((struct log){.enabled = 1u << LOG_EXEC, .each_instruction = true}, text, sizeof text);
    assert_string_equal(text, "Trace 0: 0x000000001000 [00000000/00001000/000000b0/1] \n"
                              "Trace 0: 0x000000001008 [00000000/00001008/000000b0/1] \n"
                              "Trace 0: 0x000000001009 [00000000/00001009/000000b0/1] \n");
}

static void cpu_tracing_prints_the_registers_at_every_block(void **state)
{
    char text[8000];
    (void)state;
    trace("cpu", text, sizeof text);
    assert_non_null(strstr(text, "EIP=00001000"));
    assert_non_null(strstr(text, "EIP=00001008"));
    assert_null(strstr(text, "Trace"));
}

static void show_length(FILE *sink, uint64_t address, const uint8_t *bytes, size_t length, unsigned bits)
{
    fprintf(sink, "%llx: %02x, %zu bytes of %u-bit code\n", (unsigned long long)address, bytes[0], length,
            bits);
}

static void code_is_shown_when_it_is_decoded(void **state)
{
    char text[1000];
    (void)state;
    trace("in_asm", text, sizeof text);
    assert_string_equal(text, "----------------\nIN: \n0x00001000:  eb 06\n\n"
                              "----------------\nIN: \n0x00001008:  90 f4\n\n");
    trace_with((struct log){.enabled = 1u << LOG_IN_ASM, .disassembler = show_length}, text, sizeof text);
    assert_string_equal(text, "----------------\nIN: \n1000: eb, 2 bytes of 32-bit code\n\n"
                              "----------------\nIN: \n1008: 90, 2 bytes of 32-bit code\n\n");
}

static void filtered_traces_show_only_their_addresses(void **state)
{
    char text[1000];
    (void)state;
    const struct log log = {.enabled = 1u << LOG_EXEC | 1u << LOG_IN_ASM,
                            .range_count = 1,
                            .ranges = {{.first = 0x1001, .last = 0x1008}}};
    trace_with(log, text, sizeof text);
    assert_string_equal(text, "----------------\nIN: \n0x00001008:  90 f4\n\n"
                              "Trace 0: 0x000000001008 [00000000/00001008/000000b0/2] \n");
}

static uint32_t raise_at_read(void *opaque, uint16_t port, unsigned width)
{
    struct cpu_bench *bench = opaque;
    (void)port;
    (void)width;
    bench->cpu.pending |= CPU_PENDING_INTERRUPT;
    return 0;
}

static void raise_at_write(void *opaque, uint16_t port, unsigned width, uint32_t value)
{
    (void)value;
    raise_at_read(opaque, port, width);
}

static void an_interrupt_that_a_port_brings_about_comes_before_the_next_instruction(void **state)
{
    (void)state;
    static const uint8_t opcodes[] = {0xec, 0xee, 0x6c, 0x6e}; /* IN, OUT, INSB, OUTSB */
    for (unsigned i = 0; i < ARRAY_COUNT(opcodes); i++) {
        struct cpu_bench *bench = create_flat();
        bench->interrupt_vector = 0x40;
        bench->cpu.pins.port_read = raise_at_read;
        bench->cpu.pins.port_write = raise_at_write;
        bench->cpu.gpr[CPU_SI].q = bench->cpu.gpr[CPU_DI].q = BENCH_DATA;
        set_flag(bench, EFLAGS_IF);
        cpu_bench_load(bench, BENCH_CODE,
                       BENCH_BYTES(0x42, opcodes[i], 0x43, 0x43, 0xf4)); /* INC EBX twice */
        run_to_halt(bench);
        assert_int_equal(cpu_bench_frame(bench).vector, 0x40);
        assert_int_equal(cpu_bench_frame(bench).rip, BENCH_CODE + 2);
        assert_int_equal(bench->cpu.gpr[CPU_BX].d, 0);
        cpu_bench_destroy(bench);
    }
}

static void raise_at_store(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    raise_at_write(opaque, 0, width, (uint32_t)value);
}

static void an_interrupt_that_a_store_brings_about_comes_before_the_next_instruction(void **state)
{
    (void)state;
    enum { DEVICE = 0x40000 };
    static const uint8_t opcodes[] = {0x50, 0x60, 0x9c, 0x1e}; /* PUSH EAX, PUSHA, PUSHF, PUSH DS */
    for (unsigned i = 0; i < ARRAY_COUNT(opcodes); i++) {
        struct cpu_bench *bench = create_flat();
        const struct io_region device = {.name = "device",
                                         .base = DEVICE,
                                         .length = PAGE_SIZE,
                                         .max_width = 4,
                                         .write = raise_at_store,
                                         .opaque = bench};
        struct status status = memory_bus_claim(bench->bus, &device);
        assert_true(status_is_ok(&status));
        cpu_bench_enter_flat(bench, 4, 3);
        bench->interrupt_vector = 0x40;
        bench->cpu.gpr[CPU_SP].q = DEVICE + PAGE_SIZE / 2;
        set_flag(bench, EFLAGS_IF);
        cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x42, opcodes[i], 0x43, 0x43, 0xf4));
        run_to_halt(bench);
        assert_int_equal(cpu_bench_frame(bench).vector, 0x40);
        assert_int_equal(cpu_bench_frame(bench).rip, BENCH_CODE + 2);
        assert_int_equal(bench->cpu.gpr[CPU_BX].d, 0);
        cpu_bench_destroy(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exec_tracing_names_every_block),
        cmocka_unit_test(exec_tracing_one_by_one_names_every_instruction),
        cmocka_unit_test(code_is_shown_when_it_is_decoded),
        cmocka_unit_test(filtered_traces_show_only_their_addresses),
        cmocka_unit_test(cpu_tracing_prints_the_registers_at_every_block),
        cmocka_unit_test(every_instruction_traps_and_popf_ends_it),
        cmocka_unit_test(popf_that_sets_tf_steps_from_the_next_instruction),
        cmocka_unit_test(iret_that_sets_tf_steps_from_its_target),
        cmocka_unit_test(int_n_enters_its_handler_without_a_step),
        cmocka_unit_test(fault_under_tf_enters_its_handler_without_a_step),
        cmocka_unit_test(load_of_ss_holds_the_step_off),
        cmocka_unit_test(sti_does_not_hold_the_step_off),
        cmocka_unit_test(repeated_string_traps_after_each_iteration),
        cmocka_unit_test(interrupt_of_a_store_to_a_device_comes_before_the_next_instruction),
        cmocka_unit_test(intr_waits_for_if),
        cmocka_unit_test(sti_holds_interrupts_off_for_one_instruction),
        cmocka_unit_test(sti_with_if_set_holds_nothing_off),
        cmocka_unit_test(sti_followed_by_cli_lets_nothing_in),
        cmocka_unit_test(shadow_survives_the_end_of_a_budget),
        cmocka_unit_test(hlt_waits_for_an_interrupt_that_counts),
        cmocka_unit_test(sti_hlt_is_woken_by_an_interrupt_already_there),
        cmocka_unit_test(nmi_wakes_hlt_whatever_if_says),
        cmocka_unit_test(nmi_comes_before_intr),
        cmocka_unit_test(second_nmi_waits_for_iret),
        cmocka_unit_test(interrupt_between_iterations_resumes_the_string),
        cmocka_unit_test(budget_is_exact_for_every_length),
        cmocka_unit_test(budget_is_exact_under_single_step),
        cmocka_unit_test(any_partition_of_a_run_gives_the_same_state),
        cmocka_unit_test(stop_and_reset_requests_end_a_run),
        cmocka_unit_test(triple_fault_shuts_down),
        cmocka_unit_test(triple_fault_on_an_interrupt_shuts_down),
        cmocka_unit_test(endless_faults_use_up_the_budget),
        cmocka_unit_test(an_interrupt_that_a_port_brings_about_comes_before_the_next_instruction),
        cmocka_unit_test(an_interrupt_that_a_store_brings_about_comes_before_the_next_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
