/* Task switches between 16- and 32-bit TSSs: state, busy bits, links, and the task in which each fault
 * occurs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

#define GATE (FREE + 0x40)

/* Fields of the TSSs (SDM 3A figures 7-2 and 7-10). */
enum tss_field {
    TSS_LINK = 0,
    TSS32_CR3 = 0x1c,
    TSS32_EIP = 0x20,
    TSS32_EFLAGS = 0x24,
    TSS32_EAX = 0x28,
    TSS32_ESP = 0x38,
    TSS32_ES = 0x48,
    TSS32_CS = 0x4c,
    TSS32_SS = 0x50,
    TSS32_DS = 0x54,
    TSS32_FS = 0x58,
    TSS32_GS = 0x5c,
    TSS32_LDT = 0x60,
    TSS32_TRAP = 0x64,
    TSS16_IP = 0x0e,
    TSS16_FLAGS = 0x10,
    TSS16_AX = 0x12,
    TSS16_SP = 0x1a,
    TSS16_ES = 0x22,
    TSS16_CS = 0x24,
    TSS16_SS = 0x26,
    TSS16_DS = 0x28,
    TSS16_LDT = 0x2a
};

/* TASK_B (32-bit) and TASK_C (16-bit) as runnable tasks at level 0. */
static struct machine *task_machine(unsigned cpl)
{
    struct machine *m = machine_protected(cpl);
    for (unsigned i = 0; i < 8; i++) {
        machine_write(m, TSS_B + TSS32_EAX + i * 4, 4, 0xb0b00000 + i);
        machine_write(m, TSS_C + TSS16_AX + i * 2, 2, 0xc0c0 + i);
    }
    machine_write(m, TSS_B + TSS32_EIP, 4, 0x3333);
    machine_write(m, TSS_B + TSS32_EFLAGS, 4, EFLAGS_CF);
    machine_write(m, TSS_B + TSS32_ESP, 4, 0x7000);
    machine_write(m, TSS_B + TSS32_ES, 2, DATA3);
    machine_write(m, TSS_B + TSS32_CS, 2, CODE0);
    machine_write(m, TSS_B + TSS32_SS, 2, DATA0);
    machine_write(m, TSS_B + TSS32_DS, 2, DATA0);
    machine_write(m, TSS_B + TSS32_FS, 2, 0);
    machine_write(m, TSS_B + TSS32_GS, 2, CONFORMING0);
    machine_write(m, TSS_B + TSS32_LDT, 2, LDT);
    machine_write(m, TSS_C + TSS16_IP, 2, 0x4444);
    machine_write(m, TSS_C + TSS16_FLAGS, 2, EFLAGS_ZF);
    machine_write(m, TSS_C + TSS16_SP, 2, 0x6000);
    machine_write(m, TSS_C + TSS16_ES, 2, DATA0_16);
    machine_write(m, TSS_C + TSS16_CS, 2, CODE0_16);
    machine_write(m, TSS_C + TSS16_SS, 2, DATA0_16);
    machine_write(m, TSS_C + TSS16_DS, 2, DATA0_16);
    return m;
}

static struct arguments to(uint16_t selector)
{
    return (struct arguments){.a = selector, .c = 4};
}

static void a_jump_saves_and_loads_every_register(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        m->cpu.gpr[i].q = 0xa0a00000 + i;
    }
    cpu_set_eflags(&m->cpu, EFLAGS_IF | EFLAGS_SF);
    m->cpu.dr[7] |= 0x1ff;
    expect_success(m, "JMP", act_jump, to(TASK_B));
    assert_int_equal(machine_read(m, TSS_A + TSS32_EIP, 4), 0x107);
    assert_int_equal(machine_read(m, TSS_A + TSS32_EFLAGS, 4), EFLAGS_IF | EFLAGS_SF | EFLAGS_FIXED);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(machine_read(m, TSS_A + TSS32_EAX + i * 4, 4), 0xa0a00000 + i);
        assert_int_equal(m->cpu.gpr[i].q, i == CPU_SP ? 0x7000 : 0xb0b00000 + i);
    }
    assert_int_equal(machine_read(m, TSS_A + TSS32_CS, 2), CODE0);
    assert_int_equal(machine_read(m, TSS_A + TSS32_SS, 2), DATA0);
    assert_int_equal(machine_read(m, TSS_A + TSS32_DS, 2), DATA0);
    assert_int_equal(m->cpu.rip, 0x3333);
    assert_int_equal(cpu_eflags(&m->cpu), EFLAGS_CF | EFLAGS_FIXED);
    assert_int_equal(m->cpu.segment[CPU_CS].selector, CODE0);
    assert_int_equal(m->cpu.segment[CPU_CS].attributes, 0xc09b);
    assert_int_equal(m->cpu.segment[CPU_SS].selector, DATA0);
    assert_int_equal(m->cpu.segment[CPU_SS].attributes, 0xc093);
    assert_int_equal(m->cpu.segment[CPU_ES].selector, DATA3);
    assert_int_equal(m->cpu.segment[CPU_ES].write_last, 0xffffffff);
    assert_int_equal(m->cpu.segment[CPU_GS].selector, CONFORMING0);
    assert_int_equal(m->cpu.segment[CPU_FS].attributes, 0);
    assert_int_equal(m->cpu.ldtr.selector, LDT);
    assert_int_equal(m->cpu.tr.selector, TASK_B);
    assert_int_equal(m->cpu.tr.attributes, ACCESS_TSS32_BUSY);
    assert_int_equal(descriptor_access(m, TASK_A), ACCESS_TSS32);
    assert_int_equal(descriptor_access(m, TASK_B), ACCESS_TSS32_BUSY);
    assert_int_equal(machine_read(m, TSS_B + TSS_LINK, 2), 0);
    assert_true(m->cpu.cr0 & CR0_TS);
    assert_int_equal(m->cpu.dr[7], 0x4aa);
    assert_int_equal(m->flushes, 0); /* CR3 is not loaded without paging */
    expect_success(m, "JMP back", act_jump, to(TASK_A));
    assert_int_equal(m->cpu.ldtr.selector, 0); /* a switch does not save LDTR */
    assert_int_equal(m->cpu.ldtr.attributes, 0);
    assert_int_equal(m->cpu.rip, 0x107);
    assert_int_equal(m->cpu.gpr[CPU_AX].q, 0xa0a00000);
    assert_int_equal(descriptor_access(m, TASK_A), ACCESS_TSS32_BUSY);
    assert_int_equal(descriptor_access(m, TASK_B), ACCESS_TSS32);
    machine_free(m);
}

static void a_call_nests_and_iret_returns(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    expect_success(m, "CALL", act_call, to(TASK_B));
    assert_true(m->cpu.eflags_other & EFLAGS_NT);
    assert_int_equal(machine_read(m, TSS_B + TSS_LINK, 2), TASK_A);
    assert_int_equal(descriptor_access(m, TASK_A), ACCESS_TSS32_BUSY);
    assert_int_equal(descriptor_access(m, TASK_B), ACCESS_TSS32_BUSY);
    expect_fault(m, "tasks are not re-entrant", act_jump, to(TASK_A), VECTOR_GP, TASK_A);
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 4});
    assert_int_equal(m->cpu.tr.selector, TASK_A);
    assert_int_equal(m->cpu.rip, 0x107);
    assert_int_equal(m->cpu.eflags_other & EFLAGS_NT, 0);
    assert_int_equal(descriptor_access(m, TASK_A), ACCESS_TSS32_BUSY);
    assert_int_equal(descriptor_access(m, TASK_B), ACCESS_TSS32);
    assert_int_equal(machine_read(m, TSS_B + TSS32_EFLAGS, 4), EFLAGS_CF | EFLAGS_FIXED); /* NT cleared */
    assert_int_equal(machine_read(m, TSS_B + TSS32_EIP, 4), 0x3334);
    machine_free(m);
}

static void sixteen_bit_tasks_use_words(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    m->cpu.gpr[CPU_AX].q = 0x12345678;
    machine_write(m, TSS_C + TSS16_LDT, 2, LDT);
    expect_success(m, "CALL", act_call, to(TASK_C));
    assert_int_equal(m->cpu.rip, 0x4444);
    assert_int_equal(m->cpu.gpr[CPU_AX].q, 0xc0c0);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x6000);
    assert_int_equal(m->cpu.code_size, 2);
    assert_int_equal(cpu_eflags(&m->cpu), EFLAGS_ZF | EFLAGS_NT | EFLAGS_FIXED);
    assert_int_equal(m->cpu.ldtr.selector, LDT);
    assert_int_equal(m->cpu.segment[CPU_FS].selector, 0);
    assert_int_equal(m->cpu.tr.attributes, ACCESS_TSS16_BUSY);
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 2});
    assert_int_equal(m->cpu.gpr[CPU_AX].q, 0x12345678);
    assert_int_equal(machine_read(m, TSS_C + TSS16_IP, 2), 0x4445);
    assert_int_equal(machine_read(m, TSS_C + TSS16_FLAGS, 2), EFLAGS_ZF | EFLAGS_FIXED);
    machine_free(m);
}

static void task_gates_and_their_privilege(void **state)
{
    struct machine *m = task_machine(3);
    (void)state;
    expect_fault(m, "TSS DPL below CPL", act_jump, to(TASK_B), VECTOR_GP, TASK_B);
    put_gate(m, GATE, ACCESS_TASK_GATE, TASK_B, 0, 0);
    expect_fault(m, "gate DPL below CPL", act_jump, to(GATE | 3), VECTOR_GP, GATE);
    put_gate(m, GATE, access_dpl(ACCESS_TASK_GATE, 3) & ~(unsigned)ACCESS_PRESENT, TASK_B, 0, 0);
    expect_fault(m, "gate absent", act_call, to(GATE | 3), VECTOR_NP, GATE);
    put_gate(m, GATE, access_dpl(ACCESS_TASK_GATE, 3), TASK_A, 0, 0);
    expect_fault(m, "gate to busy TSS", act_call, to(GATE | 3), VECTOR_GP, TASK_A);
    put_gate(m, GATE, access_dpl(ACCESS_TASK_GATE, 3), 0, 0, 0);
    expect_fault(m, "gate to null", act_call, to(GATE | 3), VECTOR_GP, 0);
    put_gate(m, GATE, access_dpl(ACCESS_TASK_GATE, 3), TASK_B, 0, 0);
    expect_success(m, "a gate hides the TSS's DPL", act_call, to(GATE | 3));
    assert_int_equal(m->cpu.tr.selector, TASK_B);
    assert_int_equal(m->cpu.cpl, 0);
    assert_int_equal(machine_read(m, TSS_A + TSS32_ESP, 4), STACK3);
    machine_free(m);
}

static void the_tss_is_checked_in_the_old_task(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    put_segment(m, TASK_B, TSS_B, 0x66, ACCESS_TSS32, FLAG_NONE);
    expect_fault(m, "short", act_jump, to(TASK_B), VECTOR_TS, TASK_B);
    put_segment(m, TASK_B, TSS_B, 0x67, ACCESS_TSS32 & ~ACCESS_PRESENT, FLAG_NONE);
    expect_fault(m, "absent", act_jump, to(TASK_B), VECTOR_NP, TASK_B);
    put_segment(m, TASK_C, TSS_C, 0x2a, ACCESS_TSS16, FLAG_NONE);
    expect_fault(m, "short 16-bit", act_jump, to(TASK_C), VECTOR_TS, TASK_C);
    put_segment(m, TASK_B, TSS_B, 0x67, ACCESS_TSS32, FLAG_NONE);
    m->cpu.tr.limit = 0x5e;
    expect_fault(m, "outgoing TSS is short", act_jump, to(TASK_B), VECTOR_TS, TASK_A);
    m->cpu.tr.limit = 0x67;
    m->absent_page = TSS_A >> 12;
    expect_fault(m, "page", act_jump, to(TASK_B), VECTOR_PF, 2);
    m->absent_page = UINT64_MAX;
    m->readonly_page = GDT_BASE >> 12;
    expect_fault(m, "GDT page is read-only", act_jump, to(TASK_B), VECTOR_PF, 3);
    machine_free(m);
}

static void iret_checks_the_back_link(void **state)
{
    static const struct {
        const char *name;
        uint16_t link;
        unsigned vector;
        uint32_t error;
    } rows[] = {
        {"null", 0, VECTOR_TS, 0},
        {"LDT", FREE | 4, VECTOR_TS, FREE | 4},
        {"beyond", TABLE_LIMIT + 1, VECTOR_TS, TABLE_LIMIT + 1},
        {"not busy", TASK_B, VECTOR_TS, TASK_B},
        {"not a TSS", DATA0, VECTOR_TS, DATA0},
        {"absent", FREE, VECTOR_NP, FREE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = task_machine(0);
        put_segment(m, FREE, TSS_B, 0x67, ACCESS_TSS32_BUSY & ~ACCESS_PRESENT, FLAG_NONE);
        m->cpu.eflags_other |= EFLAGS_NT;
        machine_write(m, TSS_A + TSS_LINK, 2, rows[i].link);
        expect_fault(m, rows[i].name, act_iret, (struct arguments){.a = 4}, rows[i].vector, rows[i].error);
        machine_free(m);
    }
}

struct load_row {
    const char *name;
    unsigned field;
    uint16_t selector;
    unsigned access; /* of FREE */
    unsigned vector;
    uint32_t error;
};

static void bad_selectors_fault_in_the_new_task(void **state)
{
    static const struct load_row rows[] = {
        {"LDT in the LDT", TSS32_LDT, FREE | 4, 0, VECTOR_TS, FREE | 4},
        {"LDT is data", TSS32_LDT, DATA0, 0, VECTOR_TS, DATA0},
        {"LDT absent", TSS32_LDT, FREE, ACCESS_LDT & ~ACCESS_PRESENT, VECTOR_TS, FREE},
        {"CS null", TSS32_CS, 0, 0, VECTOR_TS, 0},
        {"CS data", TSS32_CS, DATA0, 0, VECTOR_TS, DATA0},
        {"CS DPL", TSS32_CS, FREE, ACCESS_CODE_XR | 3 << 5, VECTOR_TS, FREE},
        {"CS conforming DPL", TSS32_CS, FREE, ACCESS_CODE_CONFORMING | 3 << 5, VECTOR_TS, FREE},
        {"CS absent", TSS32_CS, FREE, ACCESS_CODE_XR & ~ACCESS_PRESENT, VECTOR_NP, FREE},
        {"SS null", TSS32_SS, 0, 0, VECTOR_TS, 0},
        {"SS read-only", TSS32_SS, FREE, ACCESS_DATA_RO, VECTOR_TS, FREE},
        {"SS DPL", TSS32_SS, FREE, ACCESS_DATA_RW | 3 << 5, VECTOR_TS, FREE},
        {"SS RPL", TSS32_SS, FREE | 3, ACCESS_DATA_RW, VECTOR_TS, FREE},
        {"SS absent", TSS32_SS, FREE, ACCESS_DATA_RW & ~ACCESS_PRESENT, VECTOR_SS, FREE},
        {"DS execute-only", TSS32_DS, FREE, ACCESS_CODE_XO, VECTOR_TS, FREE},
        {"ES RPL above DPL", TSS32_ES, FREE | 3, ACCESS_DATA_RW, VECTOR_TS, FREE},
        {"FS absent", TSS32_FS, FREE, ACCESS_DATA_RW & ~ACCESS_PRESENT, VECTOR_NP, FREE},
        {"GS beyond", TSS32_GS, TABLE_LIMIT + 1, 0, VECTOR_TS, TABLE_LIMIT + 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct load_row *row = &rows[i];
        struct machine *m = task_machine(0);
        put_segment(m, FREE, 0, 0xffff, row->access, FLAG_BIG);
        machine_write(m, TSS_B + row->field, 2, row->selector);
        put_idt_gate(m, row->vector, ACCESS_TASK_GATE, TASK_C, 0);
        expect_success(m, row->name, act_jump, to(TASK_B));
        if (m->cpu.shutdown || m->cpu.exception.vector != row->vector) {
            fail_msg("%s: vector %u, shutdown %d", row->name, m->cpu.exception.vector, m->cpu.shutdown);
        }
        assert_int_equal(m->cpu.tr.selector, TASK_C);
        assert_int_equal(stack_item(m, 0, 2), row->error);
        assert_int_equal(machine_read(m, TSS_C + TSS_LINK, 2), TASK_B);
        assert_int_equal(machine_read(m, TSS_B + TSS32_EIP, 4), 0x3333);
        assert_int_equal(machine_read(m, TSS_A + TSS32_EIP, 4), 0x107);
        assert_null(m->cpu.unwind);
        machine_free(m);

        m = task_machine(0); /* an interrupt through a task gate: EXT is set */
        put_segment(m, FREE, 0, 0xffff, row->access, FLAG_BIG);
        machine_write(m, TSS_B + row->field, 2, row->selector);
        put_idt_gate(m, 0x20, ACCESS_TASK_GATE, TASK_B, 0);
        put_idt_gate(m, row->vector, ACCESS_TASK_GATE, TASK_C, 0);
        cpu_deliver_interrupt(&m->cpu, 0x20);
        assert_false(m->cpu.shutdown);
        assert_int_equal(m->cpu.tr.selector, TASK_C);
        assert_int_equal(stack_item(m, 0, 2), row->error | 1);
        machine_free(m);
    }
}

static void an_offset_beyond_cs_faults_in_the_new_task(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    machine_write(m, TSS_B + TSS32_EIP, 4, 0x10000);
    machine_write(m, TSS_B + TSS32_CS, 2, CODE0_16);
    put_idt_gate(m, VECTOR_GP, ACCESS_INTERRUPT_GATE32, CODE0, 0x1234);
    expect_success(m, "JMP", act_jump, to(TASK_B));
    assert_int_equal(m->cpu.tr.selector, TASK_B);
    assert_int_equal(m->cpu.rip, 0x1234);
    assert_int_equal(stack_item(m, 0, 4), 0);
    assert_int_equal(stack_item(m, 1, 4), 0x10000);
    assert_int_equal(stack_item(m, 2, 4), CODE0_16);
    machine_free(m);
    m = task_machine(0);
    machine_write(m, TSS_B + TSS32_EIP, 4, 0xffff);
    machine_write(m, TSS_B + TSS32_CS, 2, CODE0_16);
    expect_success(m, "at the limit", act_jump, to(TASK_B));
    machine_free(m);
}

static void a_task_may_start_at_another_level_or_in_v86(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    machine_write(m, TSS_B + TSS32_CS, 2, CODE3);
    machine_write(m, TSS_B + TSS32_SS, 2, DATA3);
    machine_write(m, TSS_B + TSS32_DS, 2, DATA2 | 3);
    put_segment(m, DATA2, 0, 0xffff, access_dpl(ACCESS_DATA_RO, 3), FLAG_NONE);
    expect_success(m, "level 3", act_jump, to(TASK_B));
    assert_int_equal(m->cpu.cpl, 3);
    assert_int_equal(descriptor_access(m, CODE3), access_dpl(ACCESS_CODE_XR | 1, 3));
    assert_int_equal(descriptor_access(m, DATA3), access_dpl(ACCESS_DATA_RW | 1, 3));
    assert_int_equal(descriptor_access(m, DATA2), access_dpl(ACCESS_DATA_RO | 1, 3));
    machine_free(m);
    m = task_machine(0);
    machine_write(m, TSS_B + TSS32_EFLAGS, 4, EFLAGS_VM | EFLAGS_IF);
    machine_write(m, TSS_B + TSS32_CS, 2, 0x1234);
    machine_write(m, TSS_B + TSS32_SS, 2, 0x1000);
    expect_success(m, "V86", act_jump, to(TASK_B));
    assert_int_equal(m->cpu.mode, CPU_MODE_V86);
    assert_int_equal(m->cpu.cpl, 3);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0x12340);
    assert_int_equal(m->cpu.segment[CPU_SS].base, 0x10000);
    machine_free(m);
}

static void the_t_bit_makes_a_debug_trap_pending(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    machine_write(m, TSS_B + TSS32_TRAP, 2, 1);
    expect_success(m, "JMP", act_jump, to(TASK_B));
    assert_true(m->cpu.pending & CPU_PENDING_TRAP);
    assert_int_equal(m->cpu.pending_dr6, 0x8000);
    machine_free(m);
}

static void cr3_is_loaded_when_paging_is_on(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    cpu_write_control(&m->cpu, 0, m->cpu.cr0 | CR0_PG);
    machine_write(m, TSS_B + TSS32_CR3, 4, 0x12000);
    m->flushes = m->global_flushes = 0;
    expect_success(m, "JMP", act_jump, to(TASK_B));
    assert_int_equal(m->cpu.cr3, 0x12000);
    assert_int_equal(m->flushes, 1);
    assert_int_equal(m->global_flushes, 0);
    machine_free(m);
}

static void a_bad_pae_pointer_stops_the_switch(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    cpu_write_control(&m->cpu, 4, CR4_PAE);
    cpu_write_control(&m->cpu, 0, m->cpu.cr0 | CR0_PG);
    machine_write(m, TSS_B + TSS32_CR3, 4, 0x12000);
    machine_write(m, 0x12008, 4, 0x3);
    expect_fault(m, "JMP", act_jump, to(TASK_B), VECTOR_GP, 0);
    machine_write(m, 0x12008, 4, 0x5001);
    expect_success(m, "JMP", act_jump, to(TASK_B));
    assert_int_equal(m->cpu.pdpte[1], 0x5001);
    machine_free(m);
}

static void faults_of_the_new_task_belong_to_it_for_int_n_too(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    machine_write(m, TSS_B + TSS32_DS, 2, TABLE_LIMIT + 1);
    put_idt_gate(m, 0x80, ACCESS_TASK_GATE, TASK_B, 0);
    put_idt_gate(m, VECTOR_TS, ACCESS_INTERRUPT_GATE32, CODE0, 0x1234);
    expect_success(m, "INT", act_interrupt, (struct arguments){.a = 0x80});
    assert_int_equal(m->cpu.rip, 0x1234);
    assert_int_equal(stack_item(m, 0, 4), TABLE_LIMIT + 1);
    assert_int_equal(stack_item(m, 1, 4), 0x3333);
    assert_int_equal(machine_read(m, TSS_A + TSS32_EIP, 4), 0x102);
    machine_free(m);
}

static void a_fault_of_the_new_task_while_delivering_counts_for_double_faults(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    machine_write(m, TSS_B + TSS32_DS, 2, TABLE_LIMIT + 1);
    put_idt_gate(m, VECTOR_NP, ACCESS_TASK_GATE, TASK_B, 0);
    put_idt_gate(m, VECTOR_DF, ACCESS_INTERRUPT_GATE32, CODE0, 0x1234);
    m->cpu.exception = (struct cpu_exception){.vector = VECTOR_NP, .has_error_code = true};
    cpu_deliver_exception(&m->cpu);
    assert_int_equal(m->cpu.rip, 0x1234);
    assert_int_equal(stack_item(m, 1, 4), 0x3333);
    assert_int_equal(m->cpu.tr.selector, TASK_B);
    machine_free(m);
}

static void a_new_task_without_handlers_shuts_down(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    machine_write(m, TSS_B + TSS32_SS, 2, 0);
    m->cpu.pending = 0;
    expect_success(m, "JMP", act_jump, to(TASK_B));
    assert_true(m->cpu.shutdown);
    assert_true(m->cpu.pending & CPU_PENDING_ENGINE); /* engines look at shutdown only when told to */
    machine_free(m);
}

static void an_interrupt_through_a_task_gate_pushes_its_error_code(void **state)
{
    static const struct {
        uint16_t task;
        uint32_t tss, sp;
        unsigned width;
    } rows[] = {{TASK_B, TSS_B, 0x7000, 4}, {TASK_C, TSS_C, 0x6000, 2}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = task_machine(3);
        put_idt_gate(m, VECTOR_GP, ACCESS_TASK_GATE, rows[i].task, 0);
        m->cpu.exception =
            (struct cpu_exception){.vector = VECTOR_GP, .has_error_code = true, .error_code = 0x1234};
        cpu_deliver_exception(&m->cpu);
        assert_false(m->cpu.shutdown);
        assert_int_equal(m->cpu.tr.selector, rows[i].task);
        assert_int_equal(m->cpu.gpr[CPU_SP].q, rows[i].sp - rows[i].width);
        assert_int_equal(stack_item(m, 0, rows[i].width), 0x1234);
        assert_true(m->cpu.eflags_other & EFLAGS_NT);
        assert_int_equal(machine_read(m, rows[i].tss + TSS_LINK, 2), TASK_A);
        assert_int_equal(machine_read(m, TSS_A + TSS32_EIP, 4), 0x100);
        assert_true(machine_read(m, TSS_A + TSS32_EFLAGS, 4) & EFLAGS_RF);
        machine_free(m);
    }
}

static void cpu_switch_task_is_the_same_switch(void **state)
{
    struct machine *m = task_machine(0);
    (void)state;
    cpu_switch_task(&m->cpu, TASK_B, TASK_SWITCH_CALL, 0x5555, NULL);
    assert_int_equal(m->cpu.rip, 0x3333);
    assert_int_equal(machine_read(m, TSS_A + TSS32_EIP, 4), 0x5555);
    assert_int_equal(machine_read(m, TSS_B + TSS_LINK, 2), TASK_A);
    machine_free(m);
}

static void the_80286_switches_tasks(void **state)
{
    struct machine *m = machine_protected_model("80286");
    (void)state;
    machine_write(m, TSS_C + TSS16_IP, 2, 0x4444);
    machine_write(m, TSS_C + TSS16_FLAGS, 2, 0xffff);
    machine_write(m, TSS_C + TSS16_SP, 2, 0x6000);
    machine_write(m, TSS_C + TSS16_CS, 2, CODE0);
    machine_write(m, TSS_C + TSS16_SS, 2, DATA0);
    expect_success(m, "CALL", act_call, (struct arguments){.a = TASK_C, .c = 2});
    assert_int_equal(m->cpu.rip, 0x4444);
    assert_int_equal(cpu_eflags(&m->cpu), 0x7fd7);
    assert_int_equal(machine_read(m, TSS_A + TSS16_IP, 2), 0x107);
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 2});
    assert_int_equal(m->cpu.rip, 0x107);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jump_saves_and_loads_every_register),
        cmocka_unit_test(a_call_nests_and_iret_returns),
        cmocka_unit_test(sixteen_bit_tasks_use_words),
        cmocka_unit_test(task_gates_and_their_privilege),
        cmocka_unit_test(the_tss_is_checked_in_the_old_task),
        cmocka_unit_test(iret_checks_the_back_link),
        cmocka_unit_test(bad_selectors_fault_in_the_new_task),
        cmocka_unit_test(an_offset_beyond_cs_faults_in_the_new_task),
        cmocka_unit_test(a_task_may_start_at_another_level_or_in_v86),
        cmocka_unit_test(the_t_bit_makes_a_debug_trap_pending),
        cmocka_unit_test(cr3_is_loaded_when_paging_is_on),
        cmocka_unit_test(a_bad_pae_pointer_stops_the_switch),
        cmocka_unit_test(faults_of_the_new_task_belong_to_it_for_int_n_too),
        cmocka_unit_test(a_fault_of_the_new_task_while_delivering_counts_for_double_faults),
        cmocka_unit_test(a_new_task_without_handlers_shuts_down),
        cmocka_unit_test(an_interrupt_through_a_task_gate_pushes_its_error_code),
        cmocka_unit_test(cpu_switch_task_is_the_same_switch),
        cmocka_unit_test(the_80286_switches_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
