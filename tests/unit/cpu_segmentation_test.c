/* Segment loads, bounds, LLDT, LTR and the selector-inspecting instructions, row by row of the SDM's tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

static void act_read(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_segment_read(cpu, (enum cpu_segment)arguments->a, arguments->b, (unsigned)arguments->c);
}

static void act_write(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_segment_write(cpu, (enum cpu_segment)arguments->a, arguments->b, (unsigned)arguments->c,
                      arguments->d);
}

static void act_load_ldt(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_load_ldt(cpu, (uint16_t)arguments->a);
}

static void act_load_task_register(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_load_task_register(cpu, (uint16_t)arguments->a);
}

struct bounds_row {
    const char *name;
    unsigned attributes;
    uint32_t limit;
    uint32_t read_first, read_last, write_first, write_last;
};

static void bounds_follow_type_and_limit(void **state)
{
    static const struct bounds_row rows[] = {
        {"data rw", ACCESS_DATA_RW, 0xfff, 0, 0xfff, 0, 0xfff},
        {"data ro", ACCESS_DATA_RO, 0xfff, 0, 0xfff, 1, 0},
        {"code xr", ACCESS_CODE_XR, 0xfff, 0, 0xfff, 1, 0},
        {"code x", ACCESS_CODE_XO, 0xfff, 1, 0, 1, 0},
        {"conforming code is no expand-down", ACCESS_CODE_CONFORMING, 0xfff, 0, 0xfff, 1, 0},
        {"expand down 16", ACCESS_DATA_DOWN_RW, 0xfff, 0x1000, 0xffff, 0x1000, 0xffff},
        {"expand down 32", ACCESS_DATA_DOWN_RW | SEGMENT_BIG, 0xfff, 0x1000, 0xffffffff, 0x1000, 0xffffffff},
        {"expand down empty", ACCESS_DATA_DOWN_RW, 0xffff, 1, 0, 1, 0},
        {"expand down 32 empty", ACCESS_DATA_DOWN_RW | SEGMENT_BIG, 0xffffffff, 1, 0, 1, 0},
        {"null", 0, 0xffff, 1, 0, 1, 0},
        {"not present", ACCESS_DATA_RW & ~ACCESS_PRESENT, 0xffff, 1, 0, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct bounds_row *row = &rows[i];
        struct segment segment = {.attributes = (uint16_t)row->attributes, .limit = row->limit};
        segment_update_bounds(&segment);
        bool empty = row->read_first > row->read_last;
        if (empty ? segment.read_first <= segment.read_last
                  : segment.read_first != row->read_first || segment.read_last != row->read_last) {
            fail_msg("%s: read [%x, %x]", row->name, segment.read_first, segment.read_last);
        }
        empty = row->write_first > row->write_last;
        if (empty ? segment.write_first <= segment.write_last
                  : segment.write_first != row->write_first || segment.write_last != row->write_last) {
            fail_msg("%s: write [%x, %x]", row->name, segment.write_first, segment.write_last);
        }
    }
}

static void accesses_beyond_the_limit_fault(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_segment(m, FREE, 0x10000, 0xfff, ACCESS_DATA_RW, FLAG_BIG);
    cpu_load_segment(&m->cpu, CPU_DS, FREE);
    expect_success(m, "last dword", act_write, (struct arguments){CPU_DS, 0xffc, 4, 0x12345678});
    assert_int_equal(machine_read(m, 0x10ffc, 4), 0x12345678);
    expect_success(m, "across 64 KiB", act_write, (struct arguments){CPU_ES, 0xfffe, 4, 0x9abcdef0});
    assert_int_equal(machine_read(m, 0xfffe, 4), 0x9abcdef0);
    assert_int_equal(cpu_segment_read(&m->cpu, CPU_ES, 0xfffe, 4), 0x9abcdef0);
    expect_fault(m, "dword straddles", act_write, (struct arguments){CPU_DS, 0xffd, 4, 0}, VECTOR_GP, 0);
    expect_fault(m, "byte beyond", act_read, (struct arguments){CPU_DS, 0x1000, 1, 0}, VECTOR_GP, 0);
    expect_fault(m, "wraps", act_read, (struct arguments){CPU_DS, 0xffffffff, 4, 0}, VECTOR_GP, 0);
    cpu_load_segment(&m->cpu, CPU_SS, FREE);
    expect_fault(m, "stack", act_read, (struct arguments){CPU_SS, 0x1000, 1, 0}, VECTOR_SS, 0);
    cpu_load_segment(&m->cpu, CPU_DS, 0);
    expect_fault(m, "null", act_read, (struct arguments){CPU_DS, 0, 1, 0}, VECTOR_GP, 0);
    expect_success(m, "code is readable", act_read, (struct arguments){CPU_CS, 0, 4, 0});
    expect_fault(m, "code is not writable", act_write, (struct arguments){CPU_CS, 0, 1, 0}, VECTOR_GP, 0);
    machine_free(m);
}

static void misaligned_user_accesses_raise_alignment_check(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    m->cpu.eflags_other |= EFLAGS_AC;
    expect_success(m, "CR0.AM clear", act_read, (struct arguments){CPU_DS, 0x6001, 4, 0});
    m->cpu.cr0 |= CR0_AM;
    cpu_update_alignment_checks(&m->cpu);
    expect_fault(m, "dword", act_read, (struct arguments){CPU_DS, 0x6002, 4, 0}, VECTOR_AC, 0);
    expect_success(m, "aligned", act_read, (struct arguments){CPU_DS, 0x6004, 4, 0});
    m->cpu.eflags_other &= ~(uint32_t)EFLAGS_AC;
    cpu_update_alignment_checks(&m->cpu);
    expect_success(m, "EFLAGS.AC clear", act_write, (struct arguments){CPU_DS, 0x6001, 2, 0});
    machine_free(m);
}

struct load_row {
    const char *name;
    enum cpu_segment segment;
    unsigned cpl;
    unsigned rpl;
    unsigned access; /* of descriptor FREE */
    int vector;      /* -1: loads */
};

static void segment_loads_obey_the_privilege_table(void **state)
{
    static const struct load_row rows[] = {
        {"data, all 0", CPU_DS, 0, 0, ACCESS_DATA_RW, -1},
        {"read-only data", CPU_ES, 0, 0, ACCESS_DATA_RO, -1},
        {"readable code", CPU_FS, 0, 0, ACCESS_CODE_XR, -1},
        {"execute-only code", CPU_GS, 0, 0, ACCESS_CODE_XO, VECTOR_GP},
        {"system descriptor", CPU_DS, 0, 0, ACCESS_LDT, VECTOR_GP},
        {"RPL above DPL", CPU_DS, 0, 1, ACCESS_DATA_RW, VECTOR_GP},
        {"CPL above DPL", CPU_DS, 3, 0, ACCESS_DATA_RW, VECTOR_GP},
        {"CPL 3 to DPL 3", CPU_DS, 3, 3, ACCESS_DATA_RW | 3 << 5, -1},
        {"CPL 0 to DPL 3", CPU_DS, 0, 0, ACCESS_DATA_RW | 3 << 5, -1},
        {"conforming code at any level", CPU_DS, 3, 3, ACCESS_CODE_CONFORMING, -1},
        {"conforming execute-only", CPU_DS, 3, 3, ACCESS_CODE_CONFORMING & ~2, VECTOR_GP},
        {"data not present", CPU_DS, 0, 0, ACCESS_DATA_RW & ~ACCESS_PRESENT, VECTOR_NP},
        {"privilege before presence", CPU_DS, 3, 0, ACCESS_DATA_RW & ~ACCESS_PRESENT, VECTOR_GP},
        {"stack, all 0", CPU_SS, 0, 0, ACCESS_DATA_RW, -1},
        {"stack, expand down", CPU_SS, 0, 0, ACCESS_DATA_DOWN_RW, -1},
        {"stack, read-only", CPU_SS, 0, 0, ACCESS_DATA_RO, VECTOR_GP},
        {"stack, code", CPU_SS, 0, 0, ACCESS_CODE_XR, VECTOR_GP},
        {"stack, RPL not CPL", CPU_SS, 0, 3, ACCESS_DATA_RW, VECTOR_GP},
        {"stack, DPL not CPL", CPU_SS, 0, 0, ACCESS_DATA_RW | 3 << 5, VECTOR_GP},
        {"stack, CPL 3", CPU_SS, 3, 3, ACCESS_DATA_RW | 3 << 5, -1},
        {"stack not present", CPU_SS, 0, 0, ACCESS_DATA_RW & ~ACCESS_PRESENT, VECTOR_SS},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct load_row *row = &rows[i];
        for (unsigned ti = 0; ti <= 4; ti += 4) {
            struct machine *m = machine_protected(row->cpl);
            uint16_t selector = (uint16_t)(FREE | ti | row->rpl);
            struct arguments arguments = {row->segment, selector, 0, 0};
            put_segment(m, selector, 0x12345678, 0x5ffff, row->access, FLAG_BIG);
            if (row->vector >= 0) {
                expect_fault(m, row->name, act_load_segment, arguments, (unsigned)row->vector, FREE | ti);
            } else {
                expect_success(m, row->name, act_load_segment, arguments);
                const struct segment *segment = &m->cpu.segment[row->segment];
                assert_int_equal(segment->selector, selector);
                assert_int_equal(segment->base, 0x12345678);
                assert_int_equal(segment->limit, 0x5ffff);
                assert_int_equal(segment->attributes, row->access | SEGMENT_ACCESSED | SEGMENT_BIG);
                assert_int_equal(descriptor_access(m, selector), row->access | SEGMENT_ACCESSED);
            }
            machine_free(m);
        }
    }
}

static void null_and_out_of_table_selectors(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    for (unsigned null = 0; null < 4; null++) {
        expect_success(m, "null DS", act_load_segment, (struct arguments){CPU_DS, null, 0, 0});
        assert_int_equal(m->cpu.segment[CPU_DS].selector, null);
        assert_int_equal(m->cpu.segment[CPU_DS].attributes, 0);
        expect_fault(m, "null SS", act_load_segment, (struct arguments){CPU_SS, null, 0, 0}, VECTOR_GP, 0);
    }
    uint16_t beyond = TABLE_LIMIT + 1;
    expect_fault(m, "beyond GDT", act_load_segment, (struct arguments){CPU_DS, beyond, 0, 0}, VECTOR_GP,
                 beyond);
    expect_fault(m, "beyond LDT", act_load_segment, (struct arguments){CPU_SS, beyond | 4u, 0, 0}, VECTOR_GP,
                 beyond | 4);
    m->cpu.gdtr.limit = FREE + 6;
    put_segment(m, FREE, 0, 0xffff, ACCESS_DATA_RW, FLAG_NONE);
    expect_fault(m, "descriptor cut off", act_load_segment, (struct arguments){CPU_DS, FREE, 0, 0}, VECTOR_GP,
                 FREE);
    expect_success(m, "no LDT", act_load_ldt, (struct arguments){.a = 0});
    expect_fault(m, "LDT selector without LDT", act_load_segment, (struct arguments){CPU_DS, 0x0c, 0, 0},
                 VECTOR_GP, 0x0c);
    machine_free(m);
}

static void a_page_fault_on_the_descriptor_changes_nothing(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_segment(m, FREE, 0, 0xffff, ACCESS_DATA_RW, FLAG_NONE);
    m->absent_page = GDT_BASE >> 12;
    expect_fault(m, "GDT absent", act_load_segment, (struct arguments){CPU_DS, FREE, 0, 0}, VECTOR_PF, 0);
    assert_int_equal(m->cpu.cr2, GDT_BASE + FREE);
    m->absent_page = UINT64_MAX;
    m->readonly_page = GDT_BASE >> 12;
    expect_fault(m, "GDT read-only", act_load_segment, (struct arguments){CPU_DS, FREE, 0, 0}, VECTOR_PF, 3);
    put_segment(m, FREE, 0, 0xffff, ACCESS_DATA_RW | SEGMENT_ACCESSED, FLAG_NONE);
    expect_success(m, "already accessed", act_load_segment, (struct arguments){CPU_DS, FREE, 0, 0});
    machine_free(m);
}

static void page_granular_limits_are_scaled(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    put_segment(m, FREE, 0, 0x12, ACCESS_DATA_RW, FLAG_PAGES);
    cpu_load_segment(&m->cpu, CPU_FS, FREE);
    assert_int_equal(m->cpu.segment[CPU_FS].limit, 0x12fff);
    machine_free(m);
}

static void loading_ss_sets_the_stack_size(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    assert_int_equal(m->cpu.stack_size, 4);
    m->cpu.gpr[CPU_SP].q = 0x12340000;
    cpu_load_segment(&m->cpu, CPU_SS, DATA0_16);
    assert_int_equal(m->cpu.stack_size, 2);
    assert_int_equal(m->cpu.stack_mask, 0xffff);
    cpu_push(&m->cpu, 0xabcd, 2);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x1234fffe);
    assert_int_equal(machine_read(m, 0xfffe, 2), 0xabcd);
    assert_int_equal(cpu_pop(&m->cpu, 2), 0xabcd);
    assert_int_equal(m->cpu.gpr[CPU_SP].q, 0x12340000);
    machine_free(m);
}

static void real_mode_loads_change_only_the_base(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    cpu_load_segment(&m->cpu, CPU_DS, DATA0);
    cpu_write_control(&m->cpu, 0, m->cpu.cr0 & ~(uint64_t)CR0_PE);
    assert_int_equal(m->cpu.mode, CPU_MODE_REAL);
    cpu_load_segment(&m->cpu, CPU_DS, 0x1234);
    assert_int_equal(m->cpu.segment[CPU_DS].base, 0x12340);
    assert_int_equal(m->cpu.segment[CPU_DS].limit, 0xffffffff);
    expect_success(m, "unreal mode", act_read, (struct arguments){CPU_DS, 0x100000, 4, 0});
    assert_int_equal(m->cpu.code_size, 4); /* CS stays 32-bit until it is loaded with another descriptor */
    machine_free(m);
}

static void null_segments_work_again_in_real_mode(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    cpu_load_segment(&m->cpu, CPU_ES, 0);
    cpu_write_control(&m->cpu, 0, m->cpu.cr0 & ~(uint64_t)CR0_PE);
    cpu_load_segment(&m->cpu, CPU_ES, 0x1000);
    expect_success(m, "write", act_write, (struct arguments){CPU_ES, 0xfffe, 2, 0x55aa});
    assert_int_equal(machine_read(m, 0x1fffe, 2), 0x55aa);
    expect_fault(m, "limit", act_write, (struct arguments){CPU_ES, 0x10000, 1, 0}, VECTOR_GP, 0);
    machine_free(m);
}

static void offset_ffff_wraps_on_the_8086_and_faults_on_the_80286(void **state)
{
    struct machine *m = machine_create("8086");
    (void)state;
    cpu_load_segment(&m->cpu, CPU_DS, 0x1000);
    machine_write(m, 0x10001, 1, 0x77);
    expect_success(m, "8086 write", act_write, (struct arguments){CPU_DS, 0xffff, 2, 0xbbaa});
    assert_int_equal(machine_read(m, 0x1ffff, 1), 0xaa);
    assert_int_equal(machine_read(m, 0x10000, 1), 0xbb);
    assert_int_equal(machine_read(m, 0x10001, 1), 0x77);
    assert_int_equal(cpu_segment_read(&m->cpu, CPU_DS, 0xffff, 2), 0xbbaa);
    machine_free(m);
    m = machine_create("80286");
    expect_fault(m, "80286 data", act_write, (struct arguments){CPU_DS, 0xffff, 2, 0}, VECTOR_GP, 0);
    expect_fault(m, "80286 stack", act_read, (struct arguments){CPU_SS, 0xffff, 2, 0}, VECTOR_GP, 0);
    expect_success(m, "80286 byte", act_read, (struct arguments){CPU_DS, 0xffff, 1, 0});
    m->cpu.gpr[CPU_SP].q = 1;
    expect_fault(m, "80286 push at SP 1", act_push, (struct arguments){0, 2, 0, 0}, VECTOR_GP, 0);
    machine_free(m);
    m = machine_create("80386");
    expect_fault(m, "80386 stack", act_read, (struct arguments){CPU_SS, 0xffff, 2, 0}, VECTOR_SS, 0);
    machine_free(m);
}

static void lldt_accepts_only_present_ldts_of_the_gdt(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    expect_success(m, "null", act_load_ldt, (struct arguments){.a = 3});
    assert_int_equal(m->cpu.ldtr.attributes, 0);
    expect_fault(m, "in LDT", act_load_ldt, (struct arguments){.a = FREE | 4}, VECTOR_GP, FREE | 4);
    expect_fault(m, "data", act_load_ldt, (struct arguments){.a = DATA0}, VECTOR_GP, DATA0);
    expect_fault(m, "TSS", act_load_ldt, (struct arguments){.a = TASK_B}, VECTOR_GP, TASK_B);
    put_segment(m, LDT, LDT_BASE, 0x7f, ACCESS_LDT & ~ACCESS_PRESENT, FLAG_NONE);
    expect_fault(m, "not present", act_load_ldt, (struct arguments){.a = LDT}, VECTOR_NP, LDT);
    put_segment(m, LDT, LDT_BASE, 0x7f, ACCESS_LDT, FLAG_NONE);
    expect_success(m, "LDT", act_load_ldt, (struct arguments){.a = LDT});
    assert_int_equal(m->cpu.ldtr.base, LDT_BASE);
    assert_int_equal(m->cpu.ldtr.limit, 0x7f);
    machine_free(m);
}

static void ltr_accepts_only_available_tsss_and_marks_them_busy(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    expect_fault(m, "null", act_load_task_register, (struct arguments){.a = 0}, VECTOR_GP, 0);
    expect_fault(m, "in LDT", act_load_task_register, (struct arguments){.a = FREE | 4}, VECTOR_GP, FREE | 4);
    expect_fault(m, "busy", act_load_task_register, (struct arguments){.a = TASK_A}, VECTOR_GP, TASK_A);
    expect_fault(m, "LDT", act_load_task_register, (struct arguments){.a = LDT}, VECTOR_GP, LDT);
    put_segment(m, TASK_B, TSS_B, 0x67, ACCESS_TSS32 & ~ACCESS_PRESENT, FLAG_NONE);
    expect_fault(m, "not present", act_load_task_register, (struct arguments){.a = TASK_B}, VECTOR_NP,
                 TASK_B);
    expect_success(m, "16-bit TSS", act_load_task_register, (struct arguments){.a = TASK_C});
    assert_int_equal(descriptor_access(m, TASK_C), ACCESS_TSS16_BUSY);
    assert_int_equal(m->cpu.tr.attributes, ACCESS_TSS16_BUSY);
    assert_int_equal(m->cpu.tr.base, TSS_C);
    machine_free(m);
}

struct inspect_row {
    const char *name;
    unsigned cpl, rpl, access;
    bool lar, lsl, verr, verw;
};

static void lar_lsl_verr_verw_follow_their_tables(void **state)
{
    static const struct inspect_row rows[] = {
        {"data rw", 0, 0, ACCESS_DATA_RW, true, true, true, true},
        {"data ro", 0, 0, ACCESS_DATA_RO, true, true, true, false},
        {"code xr", 0, 0, ACCESS_CODE_XR, true, true, true, false},
        {"code xo", 0, 0, ACCESS_CODE_XO, true, true, false, false},
        {"data rw from CPL 3", 3, 0, ACCESS_DATA_RW, false, false, false, false},
        {"data rw with RPL 3", 0, 3, ACCESS_DATA_RW, false, false, false, false},
        {"data rw DPL 3 from CPL 3", 3, 3, ACCESS_DATA_RW | 3 << 5, true, true, true, true},
        {"conforming from CPL 3", 3, 3, ACCESS_CODE_CONFORMING, true, true, true, false},
        {"absent data", 0, 0, ACCESS_DATA_RW & ~ACCESS_PRESENT, true, true, true, true},
        {"type 0", 0, 0, 0x80, false, false, false, false},
        {"TSS 16", 0, 0, 0x81, true, true, false, false},
        {"LDT", 0, 0, 0x82, true, true, false, false},
        {"TSS 16 busy", 0, 0, 0x83, true, true, false, false},
        {"call gate 16", 0, 0, 0x84, true, false, false, false},
        {"task gate", 0, 0, 0x85, true, false, false, false},
        {"interrupt gate 16", 0, 0, 0x86, false, false, false, false},
        {"trap gate 16", 0, 0, 0x87, false, false, false, false},
        {"type 8", 0, 0, 0x88, false, false, false, false},
        {"TSS 32", 0, 0, 0x89, true, true, false, false},
        {"type 10", 0, 0, 0x8a, false, false, false, false},
        {"TSS 32 busy", 0, 0, 0x8b, true, true, false, false},
        {"call gate 32", 0, 0, 0x8c, true, false, false, false},
        {"type 13", 0, 0, 0x8d, false, false, false, false},
        {"interrupt gate 32", 0, 0, 0x8e, false, false, false, false},
        {"trap gate 32", 0, 0, 0x8f, false, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct inspect_row *row = &rows[i];
        struct machine *m = machine_protected(row->cpl);
        uint16_t selector = (uint16_t)(FREE | row->rpl);
        uint32_t rights = 0;
        uint32_t limit = 0;
        put_segment(m, selector, 0, 0x12345, row->access, FLAT);
        bool lar = cpu_load_access_rights(&m->cpu, selector, &rights);
        bool lsl = cpu_load_limit(&m->cpu, selector, &limit);
        bool verr = cpu_verify_segment(&m->cpu, selector, false);
        bool verw = cpu_verify_segment(&m->cpu, selector, true);
        if (lar != row->lar || lsl != row->lsl || verr != row->verr || verw != row->verw) {
            fail_msg("%s: LAR %d LSL %d VERR %d VERW %d", row->name, lar, lsl, verr, verw);
        }
        assert_int_equal(rights, lar ? 0x00c00000 | row->access << 8 : 0);
        assert_int_equal(limit, lsl ? 0x12345fff : 0);
        machine_free(m);
    }
}

static void inspecting_bad_selectors_does_not_fault(void **state)
{
    struct machine *m = machine_protected(3);
    uint32_t result = 0;
    (void)state;
    assert_false(cpu_load_access_rights(&m->cpu, 0, &result));
    assert_false(cpu_load_limit(&m->cpu, 3, &result));
    assert_false(cpu_verify_segment(&m->cpu, TABLE_LIMIT + 1, false));
    assert_false(cpu_verify_segment(&m->cpu, 0, true));
    machine_free(m);
}

static void the_80386_reads_the_upper_descriptor_word(void **state)
{
    struct machine *m = machine_protected_model("80386");
    (void)state;
    put_segment(m, FREE, 0x12345678, 0x54321, ACCESS_DATA_RW, FLAG_NONE);
    cpu_load_segment(&m->cpu, CPU_DS, FREE);
    assert_int_equal(m->cpu.segment[CPU_DS].base, 0x12345678);
    assert_int_equal(m->cpu.segment[CPU_DS].limit, 0x54321);
    machine_free(m);
}

static void the_80286_ignores_the_upper_descriptor_word(void **state)
{
    struct machine *m = machine_protected_model("80286");
    uint32_t result = 0;
    (void)state;
    put_segment(m, FREE, 0x12345678, 0xfffff, ACCESS_DATA_RW, FLAT);
    cpu_load_segment(&m->cpu, CPU_DS, FREE);
    assert_int_equal(m->cpu.segment[CPU_DS].base, 0x345678);
    assert_int_equal(m->cpu.segment[CPU_DS].limit, 0xffff);
    put_segment(m, FREE, 0, 0x67, ACCESS_TSS32, FLAG_NONE);
    assert_false(cpu_load_limit(&m->cpu, FREE, &result));
    expect_fault(m, "no 32-bit TSS", act_load_task_register, (struct arguments){.a = FREE}, VECTOR_GP, FREE);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_follow_type_and_limit),
        cmocka_unit_test(accesses_beyond_the_limit_fault),
        cmocka_unit_test(misaligned_user_accesses_raise_alignment_check),
        cmocka_unit_test(segment_loads_obey_the_privilege_table),
        cmocka_unit_test(null_and_out_of_table_selectors),
        cmocka_unit_test(a_page_fault_on_the_descriptor_changes_nothing),
        cmocka_unit_test(page_granular_limits_are_scaled),
        cmocka_unit_test(loading_ss_sets_the_stack_size),
        cmocka_unit_test(real_mode_loads_change_only_the_base),
        cmocka_unit_test(null_segments_work_again_in_real_mode),
        cmocka_unit_test(offset_ffff_wraps_on_the_8086_and_faults_on_the_80286),
        cmocka_unit_test(lldt_accepts_only_present_ldts_of_the_gdt),
        cmocka_unit_test(ltr_accepts_only_available_tsss_and_marks_them_busy),
        cmocka_unit_test(lar_lsl_verr_verw_follow_their_tables),
        cmocka_unit_test(inspecting_bad_selectors_does_not_fault),
        cmocka_unit_test(the_80386_reads_the_upper_descriptor_word),
        cmocka_unit_test(the_80286_ignores_the_upper_descriptor_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
