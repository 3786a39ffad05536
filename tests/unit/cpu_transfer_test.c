/* JMP, CALL, RET, IRET between segments and privilege levels, SYSENTER and SYSEXIT: the tables of SDM 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

#define GATE   (FREE + 0x40)
#define TARGET FREE

/* ---- direct transfers */

struct direct_row {
    const char *name;
    unsigned cpl, rpl, access;
    int vector; /* -1: allowed */
};

static void direct_transfers_obey_the_privilege_table(void **state)
{
    static const struct direct_row rows[] = {
        {"same level", 0, 0, ACCESS_CODE_XR, -1},
        {"execute-only", 0, 0, ACCESS_CODE_XO, -1},
        {"level 3", 3, 3, ACCESS_CODE_XR | 3 << 5, -1},
        {"RPL below CPL is fine", 3, 0, ACCESS_CODE_XR | 3 << 5, -1},
        {"RPL above CPL", 0, 3, ACCESS_CODE_XR, VECTOR_GP},
        {"to an inner level", 3, 3, ACCESS_CODE_XR, VECTOR_GP},
        {"to an outer level", 0, 0, ACCESS_CODE_XR | 3 << 5, VECTOR_GP},
        {"conforming, inner", 3, 3, ACCESS_CODE_CONFORMING, -1},
        {"conforming, RPL is ignored", 0, 3, ACCESS_CODE_CONFORMING, -1},
        {"conforming, outer", 0, 0, ACCESS_CODE_CONFORMING | 3 << 5, VECTOR_GP},
        {"data", 0, 0, ACCESS_DATA_RW, VECTOR_GP},
        {"LDT", 0, 0, ACCESS_LDT, VECTOR_GP},
        {"interrupt gate", 0, 0, ACCESS_INTERRUPT_GATE32, VECTOR_GP},
        {"not present", 0, 0, ACCESS_CODE_XR & ~ACCESS_PRESENT, VECTOR_NP},
        {"conforming, not present", 3, 3, ACCESS_CODE_CONFORMING & ~ACCESS_PRESENT, VECTOR_NP},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct direct_row *row = &rows[i];
        for (unsigned call = 0; call < 2; call++) {
            struct machine *m = machine_protected(row->cpl);
            action_function *action = call ? act_call : act_jump;
            struct arguments arguments = {TARGET | row->rpl, 0x1234, 4, 0};
            uint64_t sp = m->cpu.gpr[CPU_SP].q;
            put_segment(m, TARGET, 0, 0xffff, row->access, FLAG_BIG);
            if (row->vector >= 0) {
                expect_fault(m, row->name, action, arguments, (unsigned)row->vector, TARGET);
            } else {
                expect_success(m, row->name, action, arguments);
                assert_int_equal(m->cpu.rip, 0x1234);
                assert_int_equal(m->cpu.segment[CPU_CS].selector, TARGET | row->cpl);
                assert_int_equal(m->cpu.cpl, row->cpl);
                assert_int_equal(descriptor_access(m, TARGET), row->access | SEGMENT_ACCESSED);
                assert_int_equal(sp - m->cpu.gpr[CPU_SP].q, call ? 8 : 0);
            }
            machine_free(m);
        }
    }
}

static void direct_transfers_check_selector_and_limit(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    expect_fault(m, "null", act_jump, (struct arguments){.a = 3, .c = 4}, VECTOR_GP, 0);
    expect_fault(m, "beyond", act_call, (struct arguments){.a = TABLE_LIMIT + 1, .c = 4}, VECTOR_GP,
                 TABLE_LIMIT + 1);
    expect_fault(m, "beyond LDT", act_jump, (struct arguments){.a = TABLE_LIMIT + 5, .c = 4}, VECTOR_GP,
                 TABLE_LIMIT + 5);
    put_segment(m, TARGET, 0, 0xfff, ACCESS_CODE_XR, FLAG_BIG);
    expect_fault(m, "offset", act_jump, (struct arguments){TARGET, 0x1000, 4, 0}, VECTOR_GP, 0);
    expect_fault(m, "offset", act_call, (struct arguments){TARGET, 0x1000, 4, 0}, VECTOR_GP, 0);
    expect_success(m, "last byte", act_jump, (struct arguments){TARGET, 0xfff, 4, 0});
    expect_success(m, "16-bit operand", act_jump, (struct arguments){TARGET, 0x100123, 2, 0});
    assert_int_equal(m->cpu.rip, 0x123);
    machine_free(m);
}

static void calls_push_the_return_address(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    m->cpu.rip = 0x1f0000;
    expect_success(m, "32-bit", act_call, (struct arguments){CODE0_16, 0x10, 4, 0});
    assert_int_equal(stack_item(m, 0, 4), 0x1f0007);
    assert_int_equal(stack_item(m, 1, 4), CODE0);
    assert_int_equal(m->cpu.code_size, 2);
    m->cpu.rip = 0x50;
    expect_success(m, "16-bit", act_call, (struct arguments){CODE0, 0x20, 2, 0});
    assert_int_equal(stack_item(m, 0, 2), 0x57);
    assert_int_equal(stack_item(m, 1, 2), CODE0_16);
    assert_int_equal(m->cpu.code_size, 4);
    expect_success(m, "RETF 16", act_return, (struct arguments){2, 0, 0, 0});
    expect_success(m, "RETF 32", act_return, (struct arguments){4, 0, 0, 0});
    assert_int_equal(m->cpu.rip, 0x1f0007);
    assert_int_equal(m->cpu.segment[CPU_CS].selector, CODE0);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, STACK0);
    machine_free(m);
}

static void a_full_stack_stops_calls(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_segment(m, FREE, 0, 0xfff, ACCESS_DATA_DOWN_RW, FLAG_BIG);
    cpu_load_segment(&m->cpu, CPU_SS, FREE);
    m->cpu.gpr[CPU_SP].q = 0x1004;
    expect_fault(m, "half a frame", act_call, (struct arguments){CODE0, 0, 4, 0}, VECTOR_SS, 0);
    expect_success(m, "down to the bound", act_call, (struct arguments){CODE0, 0, 2, 0});
    m->cpu.gpr[CPU_SP].q = 0x6004;
    m->absent_page = 5;
    expect_fault(m, "page", act_call, (struct arguments){CODE0, 0, 4, 0}, VECTOR_PF, 2);
    machine_free(m);
}

/* ---- call gates */

struct gate_row {
    const char *name;
    unsigned cpl, rpl;
    unsigned gate_access, code_access;
    int jump, call;     /* expected vector, -1: allowed */
    uint16_t error;     /* selector in the error code */
    unsigned new_level; /* after CALL */
};

static void call_gates_obey_the_privilege_table(void **state)
{
    static const struct gate_row rows[] = {
        {"same level", 0, 0, ACCESS_CALL_GATE32, ACCESS_CODE_XR, -1, -1, 0, 0},
        {"gate DPL below CPL", 3, 3, ACCESS_CALL_GATE32, ACCESS_CODE_XR, VECTOR_GP, VECTOR_GP, GATE, 0},
        {"gate DPL below RPL", 0, 3, ACCESS_CALL_GATE32, ACCESS_CODE_XR, VECTOR_GP, VECTOR_GP, GATE, 0},
        {"gate absent", 3, 3, (ACCESS_CALL_GATE32 | 3 << 5) & ~ACCESS_PRESENT, ACCESS_CODE_XR, VECTOR_NP,
         VECTOR_NP, GATE, 0},
        {"inner, nonconforming", 3, 3, ACCESS_CALL_GATE32 | 3 << 5, ACCESS_CODE_XR, VECTOR_GP, -1, TARGET, 0},
        {"inner, level 1", 3, 3, ACCESS_CALL_GATE32 | 3 << 5, ACCESS_CODE_XR | 1 << 5, VECTOR_GP, -1, TARGET,
         1},
        {"inner, 2 to 1", 2, 2, ACCESS_CALL_GATE32 | 2 << 5, ACCESS_CODE_XR | 1 << 5, VECTOR_GP, -1, TARGET,
         1},
        {"inner, conforming", 3, 3, ACCESS_CALL_GATE32 | 3 << 5, ACCESS_CODE_CONFORMING, -1, -1, 0, 3},
        {"outer", 0, 0, ACCESS_CALL_GATE32, ACCESS_CODE_XR | 3 << 5, VECTOR_GP, VECTOR_GP, TARGET, 0},
        {"to data", 0, 0, ACCESS_CALL_GATE32, ACCESS_DATA_RW, VECTOR_GP, VECTOR_GP, TARGET, 0},
        {"code absent", 0, 0, ACCESS_CALL_GATE32, ACCESS_CODE_XR & ~ACCESS_PRESENT, VECTOR_NP, VECTOR_NP,
         TARGET, 0},
        {"16-bit gate", 0, 0, ACCESS_CALL_GATE16, ACCESS_CODE_XR, -1, -1, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct gate_row *row = &rows[i];
        for (unsigned call = 0; call < 2; call++) {
            struct machine *m = machine_protected(row->cpl);
            action_function *action = call ? act_call : act_jump;
            int vector = call ? row->call : row->jump;
            struct arguments arguments = {GATE | row->rpl, 0xdead, 4, 0};
            put_segment(m, TARGET, 0, 0xffff, row->code_access, FLAG_BIG);
            put_gate(m, GATE, row->gate_access, TARGET, 0x2345, 0);
            if (vector >= 0) {
                expect_fault(m, row->name, action, arguments, (unsigned)vector, row->error);
            } else {
                unsigned level = call ? row->new_level : row->cpl;
                expect_success(m, row->name, action, arguments);
                assert_int_equal(m->cpu.rip, 0x2345);
                assert_int_equal(descriptor_access(m, TARGET), row->code_access | SEGMENT_ACCESSED);
                assert_int_equal(m->cpu.segment[CPU_CS].selector, TARGET | level);
                assert_int_equal(m->cpu.cpl, level);
            }
            machine_free(m);
        }
    }
}

static void call_gates_check_the_selector_and_offset_they_hold(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_gate(m, GATE, ACCESS_CALL_GATE32, 2, 0, 0);
    expect_fault(m, "null", act_call, (struct arguments){.a = GATE, .c = 4}, VECTOR_GP, 0);
    put_gate(m, GATE, ACCESS_CALL_GATE32, TABLE_LIMIT + 1, 0, 0);
    expect_fault(m, "beyond", act_jump, (struct arguments){.a = GATE, .c = 4}, VECTOR_GP, TABLE_LIMIT + 1);
    put_segment(m, TARGET, 0, 0xfff, ACCESS_CODE_XR, FLAG_BIG);
    put_gate(m, GATE, ACCESS_CALL_GATE32, TARGET, 0x1000, 0);
    expect_fault(m, "offset, call", act_call, (struct arguments){.a = GATE, .c = 4}, VECTOR_GP, 0);
    expect_fault(m, "offset, jump", act_jump, (struct arguments){.a = GATE, .c = 4}, VECTOR_GP, 0);
    put_gate(m, GATE, ACCESS_CALL_GATE32, TARGET, 0xfff, 0);
    expect_success(m, "offset at the limit, call", act_call, (struct arguments){.a = GATE, .c = 4});
    put_gate(m, GATE, ACCESS_CALL_GATE16, TARGET, 0xffff0fff, 0);
    expect_success(m, "16-bit gate's offset", act_jump, (struct arguments){.a = GATE, .c = 4});
    assert_int_equal(m->cpu.rip, 0xfff);
    machine_free(m);
    m = machine_protected(3);
    put_segment(m, TARGET, 0, 0xfff, ACCESS_CODE_XR, FLAG_BIG);
    put_gate(m, GATE, access_dpl(ACCESS_CALL_GATE32, 3), TARGET, 0x1000, 0);
    expect_fault(m, "offset, inner call", act_call, (struct arguments){.a = GATE, .c = 4}, VECTOR_GP, 0);
    put_gate(m, GATE, access_dpl(ACCESS_CALL_GATE32, 3), TARGET, 0xfff, 0);
    expect_success(m, "offset at the limit, inner call", act_call, (struct arguments){.a = GATE, .c = 4});
    machine_free(m);
}

static void an_inner_call_copies_parameters_to_the_new_stack(void **state)
{
    static const unsigned widths[] = {4, 2};
    static const uint64_t parameters[] = {0x1111, 0x2222, 0x3333};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(widths); i++) {
        unsigned width = widths[i];
        struct machine *m = machine_protected(3);
        unsigned gate = width == 4 ? ACCESS_CALL_GATE32 : ACCESS_CALL_GATE16;
        put_gate(m, GATE, access_dpl(gate, 3), CODE0, 0x4567, 3);
        push_values(m, width, parameters, 3);
        uint32_t old_sp = m->cpu.gpr[CPU_SP].d;
        m->cpu.rip = 0x300;
        expect_success(m, "call", act_call, (struct arguments){.a = GATE | 3, .c = width});
        assert_int_equal(m->cpu.cpl, 0);
        assert_int_equal(m->cpu.gpr[CPU_SP].d, STACK0 - 7 * width);
        assert_int_equal(m->cpu.segment[CPU_SS].selector, DATA0);
        assert_int_equal(stack_item(m, 0, width), 0x307);
        assert_int_equal(stack_item(m, 1, width), CODE3);
        assert_int_equal(stack_item(m, 2, width), 0x3333);
        assert_int_equal(stack_item(m, 3, width), 0x2222);
        assert_int_equal(stack_item(m, 4, width), 0x1111);
        assert_int_equal(stack_item(m, 5, width), old_sp);
        assert_int_equal(stack_item(m, 6, width), DATA3);

        cpu_load_segment(&m->cpu, CPU_DS, DATA0);
        cpu_load_segment(&m->cpu, CPU_ES, DATA3);
        cpu_load_segment(&m->cpu, CPU_FS, CONFORMING0);
        cpu_load_segment(&m->cpu, CPU_GS, 0);
        expect_success(m, "return", act_return, (struct arguments){width, 3 * width, 0, 0});
        assert_int_equal(m->cpu.cpl, 3);
        assert_int_equal(m->cpu.rip, 0x307);
        assert_int_equal(m->cpu.gpr[CPU_SP].d, STACK3);
        assert_int_equal(m->cpu.segment[CPU_SS].selector, DATA3);
        assert_int_equal(m->cpu.segment[CPU_DS].selector, 0); /* DPL 0 data is taken away */
        assert_int_equal(m->cpu.segment[CPU_DS].attributes, 0);
        assert_int_equal(m->cpu.segment[CPU_ES].selector, DATA3);
        assert_int_equal(m->cpu.segment[CPU_FS].selector, CONFORMING0);
        machine_free(m);
    }
}

struct inner_stack_row {
    const char *name;
    uint16_t selector; /* SS0 in the TSS; FREE is described by access */
    unsigned access;
    uint32_t limit;
    unsigned vector;
    uint32_t error;
};

static const struct inner_stack_row inner_stack_rows[] = {
    {"null", 0, 0, 0, VECTOR_TS, 0},
    {"beyond the table", TABLE_LIMIT + 1, 0, 0, VECTOR_TS, TABLE_LIMIT + 1},
    {"RPL", FREE + 0x80 + 1, ACCESS_DATA_RW, 0xfffff, VECTOR_TS, FREE + 0x80},
    {"DPL", FREE + 0x80, ACCESS_DATA_RW | 1 << 5, 0xfffff, VECTOR_TS, FREE + 0x80},
    {"read-only", FREE + 0x80, ACCESS_DATA_RO, 0xfffff, VECTOR_TS, FREE + 0x80},
    {"code", FREE + 0x80, ACCESS_CODE_XR, 0xfffff, VECTOR_TS, FREE + 0x80},
    {"not present", FREE + 0x80, ACCESS_DATA_RW & ~ACCESS_PRESENT, 0xfffff, VECTOR_SS, FREE + 0x80},
    {"no room", FREE + 0x80, ACCESS_DATA_RW, STACK0 - 2, VECTOR_SS, FREE + 0x80},
};

static void the_inner_stack_is_checked_before_anything_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(inner_stack_rows); i++) {
        const struct inner_stack_row *row = &inner_stack_rows[i];
        struct machine *m = machine_protected(3);
        machine_write(m, TSS_A + 8, 2, row->selector);
        if (row->access != 0) {
            put_segment(m, FREE + 0x80, 0, row->limit, row->access, FLAG_BIG);
        }
        put_gate(m, GATE, access_dpl(ACCESS_CALL_GATE32, 3), CODE0, 0x4567, 0);
        put_idt_gate(m, 0x40, access_dpl(ACCESS_TRAP_GATE32, 3), CODE0, 0x4567);
        expect_fault(m, row->name, act_call, (struct arguments){.a = GATE | 3, .c = 4}, row->vector,
                     row->error);
        expect_fault(m, row->name, act_interrupt, (struct arguments){.a = 0x40}, row->vector, row->error);
        put_idt_gate(m, row->vector, ACCESS_TRAP_GATE32, CONFORMING0, 0x1111); /* runs on the outer stack */
        cpu_deliver_interrupt(&m->cpu, 0x40);
        assert_int_equal(m->cpu.rip, 0x1111);
        assert_int_equal(stack_item(m, 0, 4), row->error | 1);
        machine_free(m);
    }
}

static void a_tss_without_the_level_raises_invalid_tss(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    put_gate(m, GATE, access_dpl(ACCESS_CALL_GATE32, 3), CODE0, 0x4567, 0);
    m->cpu.tr.limit = 8;
    expect_fault(m, "limit 8", act_call, (struct arguments){.a = GATE | 3, .c = 4}, VECTOR_TS, TASK_A);
    m->cpu.tr.limit = 9;
    expect_success(m, "limit 9", act_call, (struct arguments){.a = GATE | 3, .c = 4});
    machine_free(m);
}

static void parameters_beyond_the_outer_stack_raise_stack_fault(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    put_gate(m, GATE, access_dpl(ACCESS_CALL_GATE32, 3), CODE0, 0x4567, 2);
    put_segment(m, FREE, 0, STACK3 + 3, access_dpl(ACCESS_DATA_RW, 3), FLAG_BIG);
    cpu_load_segment(&m->cpu, CPU_SS, FREE | 3);
    expect_fault(m, "second parameter", act_call, (struct arguments){.a = GATE | 3, .c = 4}, VECTOR_SS, 0);
    machine_free(m);
}

static void the_80286_has_16_bit_gates_only(void **state)
{
    struct machine *m = machine_protected_model("80286");
    (void)state;
    put_gate(m, GATE, ACCESS_CALL_GATE32, CODE0, 0x10, 0);
    expect_fault(m, "32-bit gate", act_call, (struct arguments){.a = GATE, .c = 2}, VECTOR_GP, GATE);
    put_gate(m, GATE, ACCESS_CALL_GATE16, CODE0, 0x10, 0);
    expect_success(m, "16-bit gate", act_call, (struct arguments){.a = GATE, .c = 2});
    machine_free(m);
}

/* ---- returns */

struct return_row {
    const char *name;
    unsigned cpl;
    uint16_t cs;
    unsigned access; /* of TARGET */
    int vector;
    uint32_t error;
};

static void returns_obey_the_code_segment_table(void **state)
{
    static const struct return_row rows[] = {
        {"same level", 0, TARGET, ACCESS_CODE_XR, -1, 0},
        {"outer level", 0, TARGET | 3, ACCESS_CODE_XR | 3 << 5, -1, 0},
        {"outer level 1 to 2", 1, TARGET | 2, ACCESS_CODE_XR | 2 << 5, -1, 0},
        {"null", 0, 3, ACCESS_CODE_XR, VECTOR_GP, 0},
        {"beyond", 0, TABLE_LIMIT + 1, ACCESS_CODE_XR, VECTOR_GP, TABLE_LIMIT + 1},
        {"inner level", 3, TARGET, ACCESS_CODE_XR, VECTOR_GP, TARGET},
        {"inner RPL, conforming", 3, TARGET | 2, ACCESS_CODE_CONFORMING, VECTOR_GP, TARGET},
        {"DPL not RPL", 0, TARGET | 3, ACCESS_CODE_XR, VECTOR_GP, TARGET},
        {"conforming, outer", 0, TARGET | 3, ACCESS_CODE_CONFORMING, -1, 0},
        {"conforming, DPL above RPL", 0, TARGET | 1, ACCESS_CODE_CONFORMING | 3 << 5, VECTOR_GP, TARGET},
        {"data", 0, TARGET, ACCESS_DATA_RW, VECTOR_GP, TARGET},
        {"gate", 0, TARGET, ACCESS_CALL_GATE32, VECTOR_GP, TARGET},
        {"not present", 0, TARGET, ACCESS_CODE_XR & ~ACCESS_PRESENT, VECTOR_NP, TARGET},
    };
    static const uint16_t datas[] = {DATA0, DATA1, DATA2, DATA3};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct return_row *row = &rows[i];
        for (unsigned iret = 0; iret < 2; iret++) {
            struct machine *m = machine_protected(row->cpl);
            unsigned level = row->cs & 3;
            uint64_t far_frame[] = {datas[level], 0x7000, row->cs, 0x2345};
            uint64_t interrupt_frame[] = {datas[level], 0x7000, EFLAGS_CF, row->cs, 0x2345};
            action_function *action = iret ? act_iret : act_return;
            put_segment(m, TARGET, 0, 0xffff, row->access, FLAG_BIG);
            push_values(m, 4, iret ? interrupt_frame : far_frame, iret ? 5 : 4);
            uint64_t sp = m->cpu.gpr[CPU_SP].q;
            if (row->vector >= 0) {
                expect_fault(m, row->name, action, (struct arguments){.a = 4}, (unsigned)row->vector,
                             row->error);
            } else {
                expect_success(m, row->name, action, (struct arguments){.a = 4});
                assert_int_equal(m->cpu.rip, 0x2345);
                assert_int_equal(m->cpu.segment[CPU_CS].selector, row->cs);
                assert_int_equal(m->cpu.cpl, level);
                uint64_t frame = iret ? 12 : 8;
                assert_int_equal(m->cpu.gpr[CPU_SP].q, level > row->cpl ? 0x7000 : sp + frame);
                assert_int_equal(descriptor_access(m, TARGET), row->access | SEGMENT_ACCESSED);
            }
            machine_free(m);
        }
    }
}

struct outer_stack_row {
    const char *name;
    uint16_t ss;
    unsigned access; /* of FREE + 80h */
    unsigned vector;
    uint32_t error;
};

static void returns_to_an_outer_level_check_the_stack_segment(void **state)
{
    static const struct outer_stack_row rows[] = {
        {"null", 3, 0, VECTOR_GP, 0},
        {"beyond", TABLE_LIMIT + 4, 0, VECTOR_GP, (TABLE_LIMIT + 4) & ~3},
        {"RPL", FREE + 0x80 + 2, ACCESS_DATA_RW | 3 << 5, VECTOR_GP, FREE + 0x80},
        {"DPL", FREE + 0x80 + 3, ACCESS_DATA_RW | 2 << 5, VECTOR_GP, FREE + 0x80},
        {"read-only", FREE + 0x80 + 3, ACCESS_DATA_RO | 3 << 5, VECTOR_GP, FREE + 0x80},
        {"code", FREE + 0x80 + 3, ACCESS_CODE_XR | 3 << 5, VECTOR_GP, FREE + 0x80},
        {"not present", FREE + 0x80 + 3, (ACCESS_DATA_RW | 3 << 5) & ~ACCESS_PRESENT, VECTOR_SS, FREE + 0x80},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct outer_stack_row *row = &rows[i];
        for (unsigned iret = 0; iret < 2; iret++) {
            struct machine *m = machine_protected(0);
            uint64_t far_frame[] = {row->ss, 0x7000, CODE3, 0x2345};
            uint64_t interrupt_frame[] = {row->ss, 0x7000, EFLAGS_CF, CODE3, 0x2345};
            put_segment(m, FREE + 0x80, 0, 0xffff, row->access, FLAG_BIG);
            push_values(m, 4, iret ? interrupt_frame : far_frame, iret ? 5 : 4);
            expect_fault(m, row->name, iret ? act_iret : act_return, (struct arguments){.a = 4}, row->vector,
                         row->error);
            machine_free(m);
        }
    }
}

static void returns_check_frame_and_offset(void **state)
{
    struct machine *m = machine_protected(0);
    uint64_t frame[] = {CODE0_16, 0x10000};
    (void)state;
    push_values(m, 4, frame, 2);
    expect_fault(m, "offset beyond CS", act_return, (struct arguments){.a = 4}, VECTOR_GP, 0);
    machine_write(m, m->cpu.gpr[CPU_SP].q, 4, 0xffff);
    expect_success(m, "offset at the limit", act_return, (struct arguments){.a = 4});
    put_segment(m, FREE, 0, STACK0 - 1, ACCESS_DATA_RW, FLAG_BIG);
    cpu_load_segment(&m->cpu, CPU_SS, FREE);
    m->cpu.gpr[CPU_SP].q = STACK0 - 4;
    expect_fault(m, "half a frame", act_return, (struct arguments){.a = 4}, VECTOR_SS, 0);
    expect_fault(m, "half a frame", act_iret, (struct arguments){.a = 4}, VECTOR_SS, 0);
    machine_free(m);
}

static void returning_to_a_16_bit_stack_keeps_the_upper_half_of_esp(void **state)
{
    struct machine *m = machine_protected(0);
    uint64_t frame[] = {FREE | 3, 0x7000, 0, 0, CODE3, 0x2345};
    (void)state;
    put_segment(m, FREE, 0, 0xffff, access_dpl(ACCESS_DATA_RW, 3), FLAG_NONE);
    m->cpu.gpr[CPU_SP].q = 0x10040;
    push_values(m, 4, frame, 6);
    expect_success(m, "return", act_return, (struct arguments){.a = 4, .b = 8});
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x17008);
    assert_int_equal(m->cpu.stack_size, 2);
    machine_free(m);
}

/* ---- IRET's flags */

struct flags_row {
    const char *name;
    unsigned cpl, iopl, width;
    uint32_t changeable;
};

static const uint32_t user_flags =
    EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF | EFLAGS_TF | EFLAGS_DF;

static void iret_and_popf_change_the_flags_that_cpl_and_iopl_allow(void **state)
{
    const uint32_t low = user_flags | EFLAGS_NT;
    const uint32_t wide = low | EFLAGS_AC | EFLAGS_ID;
    const struct flags_row rows[] = {
        {"CPL 0, 32-bit", 0, 0, 4, wide | EFLAGS_IF | EFLAGS_IOPL},
        {"CPL 0, 16-bit", 0, 0, 2, low | EFLAGS_IF | EFLAGS_IOPL},
        {"CPL 1, IOPL 1", 1, 1, 4, wide | EFLAGS_IF},
        {"CPL 3, IOPL 0", 3, 0, 4, wide},
        {"CPL 3, IOPL 3", 3, 3, 4, wide | EFLAGS_IF},
        {"CPL 3, IOPL 3, 16-bit", 3, 3, 2, low | EFLAGS_IF},
        {"CPL 2, IOPL 1", 2, 1, 4, wide},
    };
    static const uint16_t codes[] = {CODE0, CODE1, CODE2, CODE3};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct flags_row *row = &rows[i];
        const uint32_t before = row->iopl << EFLAGS_IOPL_SHIFT;
        const uint32_t all = UINT32_MAX & ~(uint32_t)EFLAGS_VM;
        for (unsigned iret = 0; iret < 2; iret++) {
            struct machine *m = machine_protected(row->cpl);
            uint64_t frame[] = {all, codes[row->cpl], 0x100};
            /* RF: IRET loads it, POPF clears it. VIF and VIP: IRET at CPL 0 only. */
            uint32_t expected = row->changeable;
            if (iret && row->width == 4) {
                expected |= EFLAGS_RF | (row->cpl == 0 ? (uint32_t)EFLAGS_VIF | EFLAGS_VIP : 0);
            }
            cpu_set_eflags(&m->cpu, before);
            push_values(m, row->width, frame, iret ? 3 : 1);
            expect_success(m, row->name, iret ? act_iret : act_pop_flags,
                           (struct arguments){.a = row->width});
            if (cpu_eflags(&m->cpu) != (expected | before | EFLAGS_FIXED)) {
                fail_msg("%s, %s: %x, expected %x", row->name, iret ? "IRET" : "POPF", cpu_eflags(&m->cpu),
                         expected | before | EFLAGS_FIXED);
            }
            machine_free(m);
        }
    }
}

static void iret_judges_flags_by_the_level_it_leaves(void **state)
{
    struct machine *m = machine_protected(0);
    uint64_t frame[] = {DATA3, STACK3, EFLAGS_IOPL | EFLAGS_IF, CODE3, 0x100};
    (void)state;
    push_values(m, 4, frame, 5);
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 4});
    assert_int_equal(cpu_eflags(&m->cpu), EFLAGS_IOPL | EFLAGS_IF | EFLAGS_FIXED);
    machine_free(m);
}

static void vm_in_the_image_counts_at_cpl_0_only(void **state)
{
    struct machine *m = machine_protected(1);
    uint64_t frame[] = {EFLAGS_VM, CODE1, 0x100};
    (void)state;
    push_values(m, 4, frame, 3);
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 4});
    assert_int_equal(m->cpu.mode, CPU_MODE_PROTECTED);
    assert_int_equal(m->cpu.cpl, 1);
    machine_free(m);
}

static void iret_unblocks_nmi_even_when_it_faults(void **state)
{
    struct machine *m = machine_protected(0);
    uint64_t frame[] = {0, 0, 0x100};
    (void)state;
    m->cpu.nmi_blocked = true;
    push_values(m, 4, frame, 3);
    expect_fault(m, "null CS", act_iret, (struct arguments){.a = 4}, VECTOR_GP, 0);
    assert_false(m->cpu.nmi_blocked);
    machine_free(m);
    m = machine_v86(0);
    m->cpu.nmi_blocked = true;
    expect_fault(m, "V86, trapped", act_iret, (struct arguments){.a = 2}, VECTOR_GP, 0);
    assert_true(m->cpu.nmi_blocked);
    machine_free(m);
    m = machine_v86(3 << EFLAGS_IOPL_SHIFT);
    m->cpu.nmi_blocked = true;
    expect_success(m, "V86, IOPL 3", act_iret, (struct arguments){.a = 2});
    assert_false(m->cpu.nmi_blocked);
    machine_free(m);
}

/* ---- real mode */

static void real_mode_transfers_load_base_and_offset(void **state)
{
    struct machine *m = machine_create(NULL);
    (void)state;
    m->cpu.gpr[CPU_SP].q = 0x100;
    expect_success(m, "JMP", act_jump, (struct arguments){0x1000, 0x12345, 2, 0});
    assert_int_equal(m->cpu.rip, 0x2345);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0x10000);
    expect_success(m, "CALL", act_call, (struct arguments){0x0800, 0x10, 2, 0});
    assert_int_equal(stack_item(m, 0, 2), 0x234c);
    assert_int_equal(stack_item(m, 1, 2), 0x1000);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0x8000);
    expect_success(m, "RETF 4", act_return, (struct arguments){2, 4, 0, 0});
    assert_int_equal(m->cpu.rip, 0x234c);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x104);
    expect_fault(m, "offset beyond 64 KiB", act_jump, (struct arguments){0x1000, 0x10000, 4, 0}, VECTOR_GP,
                 0);
    m->cpu.gpr[CPU_SP].q = 2;
    expect_fault(m, "frame wraps inside a word", act_call, (struct arguments){0x1000, 0, 4, 0}, VECTOR_SS, 0);
    expect_success(m, "frame wraps between words", act_call, (struct arguments){0x1000, 0, 2, 0});
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0xfffe);
    machine_free(m);
}

static void real_mode_iret_loads_flags(void **state)
{
    struct machine *m = machine_create(NULL);
    uint64_t frame16[] = {0xffff, 0x1000, 0x2345};
    uint64_t frame32[] = {0xffffffff, 0x1000, 0x2345};
    (void)state;
    m->cpu.gpr[CPU_SP].q = 0x100;
    push_values(m, 2, frame16, 3);
    expect_success(m, "IRET 16", act_iret, (struct arguments){.a = 2});
    assert_int_equal(cpu_eflags(&m->cpu), 0x7fd7);
    cpu_set_eflags(&m->cpu, 0);
    push_values(m, 4, frame32, 3);
    expect_success(m, "IRET 32", act_iret, (struct arguments){.a = 4});
    assert_int_equal(cpu_eflags(&m->cpu), 0x257fd7);
    assert_int_equal(m->cpu.mode, CPU_MODE_REAL);
    assert_int_equal(m->cpu.rip, 0x2345);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x100);
    machine_free(m);
}

/* ---- SYSENTER, SYSEXIT */

static void act_sysenter(struct cpu_state *cpu, const struct arguments *arguments)
{
    (void)arguments;
    cpu_sysenter(cpu);
}

static void act_sysexit(struct cpu_state *cpu, const struct arguments *arguments)
{
    (void)arguments;
    cpu_sysexit(cpu);
}

static void sysenter_and_sysexit_switch_to_flat_segments(void **state)
{
    struct machine *m = machine_protected(3);
    struct arguments none = {0};
    (void)state;
    expect_fault(m, "SYSENTER_CS null", act_sysenter, none, VECTOR_GP, 0);
    m->cpu.sysenter_cs = 0x10b;
    m->cpu.sysenter_esp = 0x5678;
    m->cpu.sysenter_eip = 0x1234;
    expect_fault(m, "SYSEXIT at CPL 3", act_sysexit, none, VECTOR_GP, 0);
    m->cpu.eflags_other |= EFLAGS_IF;
    expect_success(m, "SYSENTER", act_sysenter, none);
    assert_int_equal(m->cpu.cpl, 0);
    assert_int_equal(m->cpu.segment[CPU_CS].selector, 0x108);
    assert_int_equal(m->cpu.segment[CPU_CS].attributes, 0xc09b);
    assert_int_equal(m->cpu.segment[CPU_SS].selector, 0x110);
    assert_int_equal(m->cpu.segment[CPU_SS].attributes, 0xc093);
    assert_int_equal(m->cpu.segment[CPU_SS].write_last, 0xffffffff);
    assert_int_equal(m->cpu.rip, 0x1234);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x5678);
    assert_int_equal(m->cpu.eflags_other & EFLAGS_IF, 0);
    m->cpu.gpr[CPU_CX].q = 0x9000;
    m->cpu.gpr[CPU_DX].q = 0x8000;
    expect_success(m, "SYSEXIT", act_sysexit, none);
    assert_int_equal(m->cpu.cpl, 3);
    assert_int_equal(m->cpu.segment[CPU_CS].selector, 0x11b);
    assert_int_equal(m->cpu.segment[CPU_SS].selector, 0x123);
    assert_int_equal(m->cpu.rip, 0x8000);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x9000);
    machine_free(m);
    m = machine_create(NULL);
    m->cpu.sysenter_cs = 8;
    expect_fault(m, "SYSENTER in real mode", act_sysenter, none, VECTOR_GP, 0);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_transfers_obey_the_privilege_table),
        cmocka_unit_test(direct_transfers_check_selector_and_limit),
        cmocka_unit_test(calls_push_the_return_address),
        cmocka_unit_test(a_full_stack_stops_calls),
        cmocka_unit_test(call_gates_obey_the_privilege_table),
        cmocka_unit_test(call_gates_check_the_selector_and_offset_they_hold),
        cmocka_unit_test(an_inner_call_copies_parameters_to_the_new_stack),
        cmocka_unit_test(the_inner_stack_is_checked_before_anything_changes),
        cmocka_unit_test(a_tss_without_the_level_raises_invalid_tss),
        cmocka_unit_test(parameters_beyond_the_outer_stack_raise_stack_fault),
        cmocka_unit_test(the_80286_has_16_bit_gates_only),
        cmocka_unit_test(returns_obey_the_code_segment_table),
        cmocka_unit_test(returns_to_an_outer_level_check_the_stack_segment),
        cmocka_unit_test(returns_check_frame_and_offset),
        cmocka_unit_test(returning_to_a_16_bit_stack_keeps_the_upper_half_of_esp),
        cmocka_unit_test(iret_and_popf_change_the_flags_that_cpl_and_iopl_allow),
        cmocka_unit_test(iret_judges_flags_by_the_level_it_leaves),
        cmocka_unit_test(vm_in_the_image_counts_at_cpl_0_only),
        cmocka_unit_test(iret_unblocks_nmi_even_when_it_faults),
        cmocka_unit_test(real_mode_transfers_load_base_and_offset),
        cmocka_unit_test(real_mode_iret_loads_flags),
        cmocka_unit_test(sysenter_and_sysexit_switch_to_flat_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
