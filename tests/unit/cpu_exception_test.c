/* Interrupts and exceptions through the IVT and the IDT, faults during delivery, V86 and its redirections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

#define NO_ERROR_CODE (-1)

/* Delivers `vector` as the engine would after a cpu_raise*(). */
static void deliver(struct machine *m, unsigned vector, int64_t error_code)
{
    m->cpu.exception = (struct cpu_exception){.vector = (uint8_t)vector,
                                              .has_error_code = error_code >= 0,
                                              .error_code = error_code >= 0 ? (uint32_t)error_code : 0};
    cpu_deliver_exception(&m->cpu);
    assert_null(m->cpu.unwind);
}

/* A 32-bit interrupt gate for every vector, the handler of vector n at 1000h + n. */
static void put_all_gates(struct machine *m, unsigned access)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        put_idt_gate(m, vector, access, CODE0, 0x1000 + vector);
    }
}

static void expect_handler(const struct machine *m, unsigned vector)
{
    assert_false(m->cpu.shutdown);
    assert_int_equal(m->cpu.rip, 0x1000 + vector);
}

/* ---- real mode */

static struct machine *real_machine(const char *model)
{
    struct machine *m = machine_create(model);
    for (unsigned vector = 0; vector < 256; vector++) {
        machine_write(m, vector * 4, 2, 0x1000 + vector);
        machine_write(m, vector * 4 + 2, 2, 0x0100);
    }
    cpu_load_segment(&m->cpu, CPU_SS, 0x0800);
    m->cpu.gpr[CPU_SP].q = 0x100;
    cpu_jump_far(&m->cpu, 0x1234, 0x50, 2, 0);
    return m;
}

static void real_mode_pushes_flags_cs_ip_and_no_error_code(void **state)
{
    static const char *const models[] = {"8086", "80186", "80286", "80386", "pentium3"};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(models); i++) {
        struct machine *m = real_machine(models[i]);
        m->cpu.eflags_other |= EFLAGS_IF | EFLAGS_TF;
        uint32_t eflags = cpu_eflags(&m->cpu);
        deliver(m, VECTOR_GP, 0x1234);
        expect_handler(m, VECTOR_GP);
        assert_int_equal(m->cpu.segment[CPU_CS].selector, 0x0100);
        assert_int_equal(m->cpu.segment[CPU_CS].base, 0x1000);
        assert_int_equal(m->cpu.gpr[CPU_SP].q, 0xfa);
        assert_int_equal(stack_item(m, 0, 2), 0x50);
        assert_int_equal(stack_item(m, 1, 2), 0x1234);
        assert_int_equal(stack_item(m, 2, 2), eflags & 0xffff);
        assert_int_equal(cpu_eflags(&m->cpu), eflags & ~((uint32_t)EFLAGS_IF | EFLAGS_TF));
        machine_free(m);
    }
}

static void the_8086_pushes_ones_in_the_upper_flags(void **state)
{
    struct machine *m = real_machine("8086");
    (void)state;
    expect_success(m, "INT", act_interrupt, (struct arguments){.a = 0x21});
    assert_int_equal(stack_item(m, 2, 2), 0xf002);
    assert_int_equal(stack_item(m, 0, 2), 0x52);
    expect_handler(m, 0x21);
    machine_free(m);
}

static void a_vector_beyond_the_real_mode_table_shuts_down_when_8_is_too(void **state)
{
    static const struct {
        const char *model;
        unsigned vector;
    } rows[] = {{"80286", VECTOR_DF}, {"80386", VECTOR_DF}, {"80486", VECTOR_GP}, {"pentium3", VECTOR_GP}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = real_machine(rows[i].model);
        m->cpu.idtr.limit = 0x7f; /* vectors 0 to 1F */
        expect_fault(m, rows[i].model, act_interrupt, (struct arguments){.a = 0x20}, rows[i].vector, 0);
        expect_success(m, "last vector", act_interrupt, (struct arguments){.a = 0x1f});
        cpu_deliver_interrupt(&m->cpu, 0x20);
        expect_handler(m, rows[i].vector);
        m->cpu.idtr.limit = 0x1f; /* not even vector 8 */
        cpu_deliver_interrupt(&m->cpu, 0x20);
        assert_true(m->cpu.shutdown);
        machine_free(m);
    }
}

static void a_real_mode_exception_that_cannot_be_pushed_shuts_down(void **state)
{
    struct machine *m = real_machine("80286");
    (void)state;
    m->cpu.gpr[CPU_SP].q = 1;
    deliver(m, VECTOR_GP, NO_ERROR_CODE);
    assert_true(m->cpu.shutdown);
    machine_free(m);
    m = real_machine("8086"); /* wraps instead */
    m->cpu.gpr[CPU_SP].q = 1;
    deliver(m, VECTOR_DE, NO_ERROR_CODE);
    assert_false(m->cpu.shutdown);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0xfffb);
    assert_int_equal(machine_read(m, 0x17fff, 1), 0x02); /* FLAGS: low byte at SS:FFFF */
    assert_int_equal(machine_read(m, 0x8000, 1), 0xf0);
    machine_free(m);
}

/* ---- protected mode: the frame */

static void the_frame_on_the_same_level(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    cpu_set_eflags(&m->cpu, EFLAGS_IF | EFLAGS_TF | EFLAGS_NT | EFLAGS_CF | EFLAGS_AC);
    deliver(m, VECTOR_GP, 0x1234);
    expect_handler(m, VECTOR_GP);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK0 - 16);
    assert_int_equal(stack_item(m, 0, 4), 0x1234);
    assert_int_equal(stack_item(m, 1, 4), 0x100);
    assert_int_equal(stack_item(m, 2, 4), CODE0);
    assert_int_equal(stack_item(m, 3, 4),
                     EFLAGS_IF | EFLAGS_TF | EFLAGS_NT | EFLAGS_CF | EFLAGS_AC | EFLAGS_RF | EFLAGS_FIXED);
    assert_int_equal(cpu_eflags(&m->cpu), EFLAGS_CF | EFLAGS_AC | EFLAGS_FIXED);
    machine_free(m);
}

static void trap_gates_leave_if(void **state)
{
    static const unsigned gates[] = {ACCESS_TRAP_GATE32, ACCESS_TRAP_GATE16};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(gates); i++) {
        struct machine *m = machine_protected(0);
        put_all_gates(m, gates[i]);
        m->cpu.eflags_other |= EFLAGS_IF;
        cpu_deliver_interrupt(&m->cpu, 0x20);
        expect_handler(m, 0x20);
        assert_true(m->cpu.eflags_other & EFLAGS_IF);
        machine_free(m);
    }
}

static void sixteen_bit_gates_push_words_and_use_a_16_bit_offset(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    put_idt_gate(m, VECTOR_PF, ACCESS_INTERRUPT_GATE16, CODE0, 0xffff1234);
    m->cpu.rip = 0x30100;
    deliver(m, VECTOR_PF, 7);
    assert_int_equal(m->cpu.rip, 0x1234);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK0 - 12);
    assert_int_equal(stack_item(m, 0, 2), 7);
    assert_int_equal(stack_item(m, 1, 2), 0x0100);
    assert_int_equal(stack_item(m, 2, 2), CODE3);
    assert_int_equal(stack_item(m, 4, 2), STACK3);
    assert_int_equal(stack_item(m, 5, 2), DATA3);
    machine_free(m);
}

static void an_inner_handler_gets_the_stack_of_its_level(void **state)
{
    static const uint16_t codes[] = {CODE0, CODE1, CODE2, CODE3};
    static const uint16_t datas[] = {DATA0, DATA1, DATA2, DATA3};
    static const uint32_t stacks[] = {STACK0, STACK1, STACK2};
    (void)state;
    for (unsigned level = 0; level < 3; level++) {
        struct machine *m = machine_protected(3);
        put_idt_gate(m, 0x30, ACCESS_INTERRUPT_GATE32, codes[level], 0x4321);
        cpu_deliver_interrupt(&m->cpu, 0x30);
        assert_int_equal(m->cpu.rip, 0x4321);
        assert_int_equal(m->cpu.cpl, level);
        assert_int_equal(m->cpu.segment[CPU_CS].selector, codes[level]);
        assert_int_equal(m->cpu.segment[CPU_SS].selector, datas[level]);
        assert_int_equal(m->cpu.gpr[CPU_SP].q, stacks[level] - 20);
        assert_int_equal(stack_item(m, 0, 4), 0x100);
        assert_int_equal(stack_item(m, 1, 4), CODE3);
        assert_int_equal(stack_item(m, 2, 4), EFLAGS_FIXED);
        assert_int_equal(stack_item(m, 3, 4), STACK3);
        assert_int_equal(stack_item(m, 4, 4), DATA3);
        assert_int_equal(descriptor_access(m, datas[level]), access_dpl(ACCESS_DATA_RW | 1, level));
        assert_int_equal(m->cpu.segment[CPU_DS].selector, DATA3); /* inward, data segments stay */
        expect_success(m, "IRET", act_iret, (struct arguments){.a = 4});
        assert_int_equal(m->cpu.cpl, 3);
        assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK3);
        machine_free(m);
    }
}

static void a_conforming_handler_runs_at_the_current_level(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    put_idt_gate(m, 0x30, ACCESS_INTERRUPT_GATE32, CONFORMING0, 0x4321);
    cpu_deliver_interrupt(&m->cpu, 0x30);
    assert_int_equal(m->cpu.cpl, 3);
    assert_int_equal(m->cpu.segment[CPU_CS].selector, CONFORMING0 | 3);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK3 - 12);
    machine_free(m);
}

/* ---- protected mode: checks */

struct idt_row {
    const char *name;
    unsigned cpl, gate;
    uint16_t target;
    uint32_t offset;
    unsigned target_access; /* of FREE */
    unsigned vector;
    uint32_t error; /* without EXT */
};

static void gates_of_the_idt_are_checked_with_the_right_error_code(void **state)
{
    enum { N = 0x30, IDT_ERROR = N * 8 + 2 };
    static const struct idt_row rows[] = {
        {"beyond the IDT", 0, ACCESS_INTERRUPT_GATE32, CODE0, 0, 0, VECTOR_GP, IDT_ERROR},
        {"call gate", 0, ACCESS_CALL_GATE32, CODE0, 0, 0, VECTOR_GP, IDT_ERROR},
        {"segment", 0, ACCESS_CODE_XR, CODE0, 0, 0, VECTOR_GP, IDT_ERROR},
        {"gate absent", 0, ACCESS_INTERRUPT_GATE32 & ~ACCESS_PRESENT, CODE0, 0, 0, VECTOR_NP, IDT_ERROR},
        {"null selector", 0, ACCESS_INTERRUPT_GATE32, 3, 0, 0, VECTOR_GP, 0},
        {"selector beyond", 0, ACCESS_INTERRUPT_GATE32, TABLE_LIMIT + 1, 0, 0, VECTOR_GP, TABLE_LIMIT + 1},
        {"data", 0, ACCESS_INTERRUPT_GATE32, FREE, 0, ACCESS_DATA_RW, VECTOR_GP, FREE},
        {"outer level", 0, ACCESS_INTERRUPT_GATE32, FREE, 0, ACCESS_CODE_XR | 3 << 5, VECTOR_GP, FREE},
        {"code absent", 0, ACCESS_INTERRUPT_GATE32, FREE, 0, ACCESS_CODE_XR & ~ACCESS_PRESENT, VECTOR_NP,
         FREE},
        {"offset beyond", 0, ACCESS_INTERRUPT_GATE32, FREE, 0x10000, ACCESS_CODE_XR, VECTOR_GP, 0},
        {"offset beyond, inner", 3, ACCESS_INTERRUPT_GATE32 | 3 << 5, FREE, 0x10000, ACCESS_CODE_XR,
         VECTOR_GP, 0},
        {"task gate to code", 0, ACCESS_TASK_GATE, CODE0, 0, 0, VECTOR_GP, CODE0},
        {"task gate to LDT selector", 0, ACCESS_TASK_GATE, FREE | 4, 0, 0, VECTOR_GP, FREE | 4},
        {"task gate to busy TSS", 0, ACCESS_TASK_GATE, TASK_A, 0, 0, VECTOR_GP, TASK_A},
        {"task gate to short TSS", 0, ACCESS_TASK_GATE, FREE, 0, ACCESS_TSS32, VECTOR_TS, FREE},
        {"task gate to absent TSS", 0, ACCESS_TASK_GATE, FREE, 0, ACCESS_TSS32 & ~ACCESS_PRESENT, VECTOR_NP,
         FREE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct idt_row *row = &rows[i];
        struct machine *m = machine_protected(row->cpl);
        put_all_gates(m, ACCESS_INTERRUPT_GATE32);
        put_idt_gate(m, N, row->gate, row->target, row->offset);
        put_segment(m, FREE, 0, row->target_access & 0x10 ? 0xffff : 0x66, row->target_access, FLAG_NONE);
        if (i == 0) {
            m->cpu.idtr.limit = N * 8 + 6;
        }
        expect_fault(m, row->name, act_interrupt, (struct arguments){.a = N}, row->vector, row->error);
        cpu_deliver_interrupt(&m->cpu, N); /* an external event says so in its error code */
        expect_handler(m, row->vector);
        assert_int_equal(stack_item(m, 0, 4), row->error | 1);
        machine_free(m);
    }
}

static void software_interrupts_need_the_gates_dpl(void **state)
{
    static const enum cpu_software_interrupt kinds[] = {SOFTWARE_INT_N, SOFTWARE_INT3, SOFTWARE_INTO};
    struct machine *m = machine_protected(3);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        expect_fault(m, "DPL 0", act_interrupt, (struct arguments){.a = 4, .b = kinds[i]}, VECTOR_GP,
                     4 * 8 + 2);
    }
    expect_success(m, "INT1 is not checked", act_interrupt, (struct arguments){.a = 1, .b = SOFTWARE_INT1});
    expect_handler(m, 1);
    machine_free(m);
    m = machine_protected(3);
    put_idt_gate(m, 0x80, access_dpl(ACCESS_TRAP_GATE32, 3), CODE0, 0x1080);
    expect_success(m, "DPL 3", act_interrupt, (struct arguments){.a = 0x80});
    expect_handler(m, 0x80);
    assert_int_equal(stack_item(m, 0, 4), 0x102);
    assert_int_equal(stack_item(m, 2, 4) & EFLAGS_RF, 0);
    machine_free(m);
}

static void limits_include_their_last_byte(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_segment(m, FREE, 0, 0xffff, ACCESS_CODE_XR, FLAG_BIG);
    put_idt_gate(m, 0x30, ACCESS_INTERRUPT_GATE32, FREE, 0xffff);
    m->cpu.idtr.limit = 0x30 * 8 + 7;
    expect_success(m, "INT", act_interrupt, (struct arguments){.a = 0x30});
    assert_int_equal(m->cpu.rip, 0xffff);
    assert_int_equal(descriptor_access(m, FREE), ACCESS_CODE_XR | SEGMENT_ACCESSED);
    machine_free(m);
}

static void privilege_is_checked_before_presence(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    put_idt_gate(m, 0x80, ACCESS_TRAP_GATE32 & ~ACCESS_PRESENT, CODE0, 0);
    expect_fault(m, "both", act_interrupt, (struct arguments){.a = 0x80}, VECTOR_GP, 0x402);
    put_idt_gate(m, 0x80, access_dpl(ACCESS_TRAP_GATE32, 3) & ~(unsigned)ACCESS_PRESENT, CODE0, 0);
    expect_fault(m, "absent", act_interrupt, (struct arguments){.a = 0x80}, VECTOR_NP, 0x402);
    machine_free(m);
}

static void rf_is_pushed_for_faults_only(void **state)
{
    static const struct {
        unsigned vector;
        bool between, rf;
    } rows[] = {{VECTOR_DE, false, true}, {VECTOR_DB, true, false}, {VECTOR_DB, false, true},
                {VECTOR_BR, false, true}, {VECTOR_UD, false, true}, {VECTOR_NM, false, true},
                {VECTOR_GP, false, true}, {VECTOR_PF, false, true}, {VECTOR_MF, false, true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_protected(0);
        put_all_gates(m, ACCESS_INTERRUPT_GATE32);
        m->cpu.exception =
            (struct cpu_exception){.vector = (uint8_t)rows[i].vector, .between = rows[i].between};
        cpu_deliver_exception(&m->cpu);
        assert_int_equal(!!(stack_item(m, 2, 4) & EFLAGS_RF), rows[i].rf);
        assert_int_equal(m->cpu.eflags_other & EFLAGS_RF, 0);
        machine_free(m);
    }
}

static void delivery_wakes_and_ends_the_interrupt_shadow(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    m->cpu.halted = true;
    m->cpu.pending = CPU_PENDING_SHADOW | CPU_PENDING_INTERRUPT | CPU_PENDING_NMI;
    cpu_deliver_interrupt(&m->cpu, 0x20);
    assert_false(m->cpu.halted);
    assert_int_equal(m->cpu.pending, CPU_PENDING_INTERRUPT | CPU_PENDING_NMI);
    assert_false(m->cpu.nmi_blocked);
    m->cpu.halted = true;
    cpu_deliver_nmi(&m->cpu);
    expect_handler(m, VECTOR_NMI);
    assert_false(m->cpu.halted);
    assert_true(m->cpu.nmi_blocked);
    assert_int_equal(m->cpu.pending, CPU_PENDING_INTERRUPT);
    assert_int_equal(m->counters.value[COUNTER_INTERRUPTS], 2);
    machine_free(m);
}

static void a_debug_exception_collects_dr6_and_clears_general_detect(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    m->cpu.pending = CPU_PENDING_TRAP;
    m->cpu.pending_dr6 = 0x4000;
    m->cpu.dr[7] |= 0x2000;
    deliver(m, VECTOR_DB, NO_ERROR_CODE);
    expect_handler(m, VECTOR_DB);
    assert_int_equal(m->cpu.dr[6], 0xffff4ff0);
    assert_int_equal(m->cpu.dr[7], 0x400);
    assert_int_equal(m->cpu.pending, 0);
    machine_free(m);
}

/* ---- faults during delivery (SDM 3A table 6-5) */

struct pair_row {
    const char *name;
    unsigned first;
    unsigned fault; /* GP: the first handler's gate is bad; PF: its stack page is absent */
    unsigned delivered;
};

static void faults_during_delivery_follow_the_double_fault_table(void **state)
{
    static const struct pair_row rows[] = {
        {"benign, contributory", VECTOR_UD, VECTOR_GP, VECTOR_GP},
        {"benign, page fault", VECTOR_DB, VECTOR_PF, VECTOR_PF},
        {"contributory, contributory", VECTOR_NP, VECTOR_GP, VECTOR_DF},
        {"divide error, contributory", VECTOR_DE, VECTOR_GP, VECTOR_DF},
        {"invalid TSS, contributory", VECTOR_TS, VECTOR_GP, VECTOR_DF},
        {"stack fault, contributory", VECTOR_SS, VECTOR_GP, VECTOR_DF},
        {"contributory, page fault", VECTOR_NP, VECTOR_PF, VECTOR_PF},
        {"page fault, contributory", VECTOR_PF, VECTOR_GP, VECTOR_DF},
        {"alignment check, contributory", VECTOR_AC, VECTOR_GP, VECTOR_GP},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct pair_row *row = &rows[i];
        struct machine *m = machine_protected(3);
        put_all_gates(m, ACCESS_INTERRUPT_GATE32);
        if (row->fault == VECTOR_GP) {
            put_idt_gate(m, row->first, ACCESS_CALL_GATE32, CODE0, 0);
        } else {
            put_idt_gate(m, row->first, ACCESS_INTERRUPT_GATE32, CODE1, 0x1000);
            m->absent_page = (STACK1 - 1) >> 12;
        }
        deliver(m, row->first, NO_ERROR_CODE);
        if (m->cpu.shutdown || m->cpu.rip != 0x1000 + row->delivered) {
            fail_msg("%s: shutdown %d, handler of %llu", row->name, m->cpu.shutdown,
                     (unsigned long long)(m->cpu.rip - 0x1000));
        }
        if (row->delivered == VECTOR_DF) {
            assert_int_equal(stack_item(m, 0, 4), 0);
        }
        assert_int_equal(stack_item(m, 1, 4), 0x100);
        assert_int_equal(stack_item(m, 2, 4), CODE3);
        machine_free(m);
    }
}

static void a_page_fault_while_delivering_a_page_fault_is_a_double_fault(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    put_idt_gate(m, VECTOR_PF, ACCESS_INTERRUPT_GATE32, CODE1, 0x1000);
    m->absent_page = (STACK1 - 1) >> 12;
    deliver(m, VECTOR_PF, 4);
    expect_handler(m, VECTOR_DF);
    assert_int_equal(m->cpu.cr2, STACK1 - 4);
    machine_free(m);
}

static void interrupts_are_benign_whatever_their_vector(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    put_idt_gate(m, VECTOR_SS, ACCESS_CALL_GATE32, CODE0, 0);
    cpu_deliver_interrupt(&m->cpu, VECTOR_SS); /* the PC's IRQ 4 */
    expect_handler(m, VECTOR_GP);
    assert_int_equal(stack_item(m, 0, 4), VECTOR_SS * 8 + 3);
    machine_free(m);
}

static void a_third_fault_shuts_down_and_returns(void **state)
{
    struct machine *m = machine_protected(0);
    jmp_buf engines;
    (void)state;
    m->cpu.idtr.limit = 0;
    m->cpu.unwind = &engines;
    m->cpu.exception = (struct cpu_exception){.vector = VECTOR_UD};
    cpu_deliver_exception(&m->cpu);
    assert_true(m->cpu.shutdown);
    assert_ptr_equal(m->cpu.unwind, &engines);
    assert_int_equal(m->cpu.rip, 0x100);
    machine_free(m);
}

static void a_double_fault_can_be_a_task(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_all_gates(m, ACCESS_CALL_GATE32);
    put_idt_gate(m, VECTOR_DF, ACCESS_TASK_GATE, TASK_B, 0);
    machine_write(m, TSS_B + 0x20, 4, 0x3333);
    machine_write(m, TSS_B + 0x38, 4, 0x7000);
    machine_write(m, TSS_B + 0x4c, 2, CODE0);
    machine_write(m, TSS_B + 0x50, 2, DATA0);
    m->cpu.gpr[CPU_SP].q = 0; /* wraps to the top of the flat segment: no fault by itself */
    deliver(m, VECTOR_GP, 0);
    assert_false(m->cpu.shutdown);
    assert_int_equal(m->cpu.rip, 0x3333);
    assert_int_equal(m->cpu.tr.selector, TASK_B);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x6ffc);
    assert_int_equal(stack_item(m, 0, 4), 0);
    assert_int_equal(machine_read(m, TSS_A + 0x20, 4), 0x100);
    machine_free(m);
}

/* ---- virtual-8086 mode */

static void interrupts_leave_v86_with_nine_doublewords(void **state)
{
    struct machine *m = machine_v86(EFLAGS_IF | EFLAGS_CF | 3 << EFLAGS_IOPL_SHIFT);
    static const uint32_t expected[] = {0x100, 0x1000, 0, 0x8000, 0x1000, 0x2222, 0x3333, 0x4444, 0x5555};
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    cpu_load_segment(&m->cpu, CPU_ES, 0x2222);
    cpu_load_segment(&m->cpu, CPU_DS, 0x3333);
    cpu_load_segment(&m->cpu, CPU_FS, 0x4444);
    cpu_load_segment(&m->cpu, CPU_GS, 0x5555);
    uint32_t eflags = cpu_eflags(&m->cpu);
    cpu_deliver_interrupt(&m->cpu, 0x20);
    expect_handler(m, 0x20);
    assert_int_equal(m->cpu.mode, CPU_MODE_PROTECTED);
    assert_int_equal(m->cpu.cpl, 0);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK0 - 36);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(stack_item(m, i, 4), i == 2 ? eflags : expected[i]);
    }
    static const enum cpu_segment dropped[] = {CPU_ES, CPU_DS, CPU_FS, CPU_GS};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(m->cpu.segment[dropped[i]].selector, 0);
        assert_int_equal(m->cpu.segment[dropped[i]].attributes, 0);
    }
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 4});
    assert_int_equal(m->cpu.mode, CPU_MODE_V86);
    assert_int_equal(cpu_eflags(&m->cpu), eflags);
    assert_int_equal(m->cpu.segment[CPU_DS].selector, 0x3333);
    assert_int_equal(m->cpu.segment[CPU_DS].base, 0x33330);
    assert_int_equal(m->cpu.segment[CPU_DS].limit, 0xffff);
    assert_int_equal(m->cpu.segment[CPU_DS].attributes, 0xf3);
    assert_int_equal(m->cpu.segment[CPU_GS].selector, 0x5555);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x8000);
    assert_int_equal(m->cpu.cpl, 3);
    machine_free(m);
}

static void an_error_code_ends_the_v86_frame(void **state)
{
    struct machine *m = machine_v86(0);
    (void)state;
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    deliver(m, VECTOR_GP, 0);
    expect_handler(m, VECTOR_GP);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK0 - 40);
    assert_int_equal(stack_item(m, 0, 4), 0);
    assert_int_equal(stack_item(m, 1, 4), 0x100);
    machine_free(m);
}

static void handlers_of_v86_interrupts_must_be_at_level_0(void **state)
{
    static const uint16_t targets[] = {CODE1, CODE3, CONFORMING0};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        struct machine *m = machine_v86(3 << EFLAGS_IOPL_SHIFT);
        put_idt_gate(m, 0x80, access_dpl(ACCESS_INTERRUPT_GATE32, 3), targets[i], 0);
        expect_fault(m, "level", act_interrupt, (struct arguments){.a = 0x80}, VECTOR_GP,
                     targets[i] & 0xfffc);
        machine_free(m);
    }
}

static void int_n_in_v86_needs_iopl_3(void **state)
{
    struct machine *m = machine_v86(2 << EFLAGS_IOPL_SHIFT);
    (void)state;
    put_all_gates(m, access_dpl(ACCESS_INTERRUPT_GATE32, 3));
    expect_fault(m, "INT n, IOPL 2", act_interrupt, (struct arguments){.a = 0x21}, VECTOR_GP, 0);
    expect_success(m, "INT3", act_interrupt, (struct arguments){.a = 3, .b = SOFTWARE_INT3});
    expect_handler(m, 3);
    machine_free(m);
    m = machine_v86(3 << EFLAGS_IOPL_SHIFT);
    put_all_gates(m, ACCESS_INTERRUPT_GATE32);
    expect_fault(m, "gate DPL 0", act_interrupt, (struct arguments){.a = 0x21}, VECTOR_GP, 0x10a);
    put_all_gates(m, access_dpl(ACCESS_INTERRUPT_GATE32, 3));
    expect_success(m, "IOPL 3, DPL 3", act_interrupt, (struct arguments){.a = 0x21});
    expect_handler(m, 0x21);
    machine_free(m);
}

static void iret_to_v86_checks_only_the_offset(void **state)
{
    struct machine *m = machine_protected(0);
    uint64_t frame[] = {0, 0, 0, 0, 0xffff, 0x12348000, EFLAGS_VM, 0xffff, 0x10000};
    (void)state;
    push_values(m, 4, frame, 9);
    expect_fault(m, "EIP beyond 64 KiB", act_iret, (struct arguments){.a = 4}, VECTOR_GP, 0);
    machine_write(m, m->cpu.gpr[CPU_SP].q, 4, 0xffff);
    expect_success(m, "EIP FFFF", act_iret, (struct arguments){.a = 4});
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x12348000);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0xffff0);
    machine_free(m);
}

/* ---- VME */

/* The redirection bitmap is all ones (monitor) but vector 21h, whose V86 handler is 1000:0021. */
static struct machine *vme_machine(uint32_t eflags)
{
    struct machine *m = machine_v86(eflags);
    m->cpu.cr4 |= CR4_VME;
    memset(m->ram + TSS_A + 0x68, 0xff, 32);
    m->ram[TSS_A + 0x68 + 0x21 / 8] &= (uint8_t) ~(1u << (0x21 & 7));
    machine_write(m, 0x21 * 4, 2, 0x21);
    machine_write(m, 0x21 * 4 + 2, 2, 0x1000);
    put_all_gates(m, access_dpl(ACCESS_INTERRUPT_GATE32, 3));
    return m;
}

static void a_clear_bit_redirects_int_n_to_the_8086_handler(void **state)
{
    static const struct {
        uint32_t eflags, image, after;
    } rows[] = {
        /* IOPL 3: the real IF; below: VIF stands for it and IOPL reads as 3 */
        {EFLAGS_IF | EFLAGS_TF | 3 << 12, EFLAGS_IF | EFLAGS_TF | 3 << 12, 3 << 12},
        {EFLAGS_VIF | EFLAGS_CF, EFLAGS_IF | EFLAGS_CF | 3 << 12, EFLAGS_CF},
        {EFLAGS_IF | 1 << 12, 3 << 12, EFLAGS_IF | 1 << 12},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = vme_machine(rows[i].eflags);
        expect_success(m, "INT 21h", act_interrupt, (struct arguments){.a = 0x21});
        assert_int_equal(m->cpu.mode, CPU_MODE_V86);
        assert_int_equal(m->cpu.rip, 0x21);
        assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x7ffa);
        assert_int_equal(stack_item(m, 0, 2), 0x102);
        assert_int_equal(stack_item(m, 1, 2), 0x1000);
        assert_int_equal(stack_item(m, 2, 2), rows[i].image | EFLAGS_FIXED);
        assert_int_equal(cpu_eflags(&m->cpu), rows[i].after | EFLAGS_VM | EFLAGS_FIXED);
        machine_free(m);
    }
}

static void a_set_bit_leaves_int_n_to_the_monitor(void **state)
{
    struct machine *m = vme_machine(3 << 12);
    (void)state;
    expect_success(m, "IOPL 3", act_interrupt, (struct arguments){.a = 0x22});
    expect_handler(m, 0x22);
    machine_free(m);
    m = vme_machine(0);
    expect_fault(m, "IOPL 0", act_interrupt, (struct arguments){.a = 0x22}, VECTOR_GP, 0);
    m->cpu.tr.limit = 0x68 + 0x21 / 8 - 1;
    expect_fault(m, "bitmap cut off", act_interrupt, (struct arguments){.a = 0x21}, VECTOR_GP, 0);
    m->cpu.tr.limit++;
    expect_success(m, "just long enough", act_interrupt, (struct arguments){.a = 0x21});
    assert_int_equal(m->cpu.mode, CPU_MODE_V86);
    machine_write(m, TSS_A + 0x66, 2, 0x20); /* a bitmap before the field */
    m->cpu.tr.limit = 0x66;
    expect_fault(m, "no bitmap", act_interrupt, (struct arguments){.a = 0x21}, VECTOR_GP, 0);
    machine_free(m);
}

static void only_int_n_is_redirected(void **state)
{
    struct machine *m = vme_machine(3 << 12);
    (void)state;
    memset(m->ram + TSS_A + 0x68, 0, 32);
    expect_success(m, "INT3", act_interrupt, (struct arguments){.a = 3, .b = SOFTWARE_INT3});
    expect_handler(m, 3);
    machine_free(m);
    m = vme_machine(3 << 12);
    memset(m->ram + TSS_A + 0x68, 0, 32);
    cpu_deliver_interrupt(&m->cpu, 0x21);
    expect_handler(m, 0x21);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_mode_pushes_flags_cs_ip_and_no_error_code),
        cmocka_unit_test(the_8086_pushes_ones_in_the_upper_flags),
        cmocka_unit_test(a_vector_beyond_the_real_mode_table_shuts_down_when_8_is_too),
        cmocka_unit_test(a_real_mode_exception_that_cannot_be_pushed_shuts_down),
        cmocka_unit_test(the_frame_on_the_same_level),
        cmocka_unit_test(trap_gates_leave_if),
        cmocka_unit_test(sixteen_bit_gates_push_words_and_use_a_16_bit_offset),
        cmocka_unit_test(an_inner_handler_gets_the_stack_of_its_level),
        cmocka_unit_test(a_conforming_handler_runs_at_the_current_level),
        cmocka_unit_test(gates_of_the_idt_are_checked_with_the_right_error_code),
        cmocka_unit_test(software_interrupts_need_the_gates_dpl),
        cmocka_unit_test(limits_include_their_last_byte),
        cmocka_unit_test(privilege_is_checked_before_presence),
        cmocka_unit_test(rf_is_pushed_for_faults_only),
        cmocka_unit_test(delivery_wakes_and_ends_the_interrupt_shadow),
        cmocka_unit_test(a_debug_exception_collects_dr6_and_clears_general_detect),
        cmocka_unit_test(faults_during_delivery_follow_the_double_fault_table),
        cmocka_unit_test(a_page_fault_while_delivering_a_page_fault_is_a_double_fault),
        cmocka_unit_test(interrupts_are_benign_whatever_their_vector),
        cmocka_unit_test(a_third_fault_shuts_down_and_returns),
        cmocka_unit_test(a_double_fault_can_be_a_task),
        cmocka_unit_test(interrupts_leave_v86_with_nine_doublewords),
        cmocka_unit_test(an_error_code_ends_the_v86_frame),
        cmocka_unit_test(handlers_of_v86_interrupts_must_be_at_level_0),
        cmocka_unit_test(int_n_in_v86_needs_iopl_3),
        cmocka_unit_test(iret_to_v86_checks_only_the_offset),
        cmocka_unit_test(a_clear_bit_redirects_int_n_to_the_8086_handler),
        cmocka_unit_test(a_set_bit_leaves_int_n_to_the_monitor),
        cmocka_unit_test(only_int_n_is_redirected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
