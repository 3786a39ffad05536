/* Control, debug and model-specific registers, interrupt-flag instructions, I/O permission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

static void act_write_control(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_write_control(cpu, (unsigned)arguments->a, arguments->b);
}

static void act_read_control(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_read_control(cpu, (unsigned)arguments->a);
}

static void act_write_debug(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_write_debug(cpu, (unsigned)arguments->a, arguments->b);
}

static void act_read_debug(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_read_debug(cpu, (unsigned)arguments->a);
}

static void act_write_msr(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_write_msr(cpu, (uint32_t)arguments->a, arguments->b);
}

static void act_read_msr(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_read_msr(cpu, (uint32_t)arguments->a);
}

static void act_cli(struct cpu_state *cpu, const struct arguments *arguments)
{
    (void)arguments;
    cpu_clear_interrupt_flag(cpu);
}

static void act_sti(struct cpu_state *cpu, const struct arguments *arguments)
{
    (void)arguments;
    cpu_set_interrupt_flag(cpu);
}

static void act_check_io(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_check_io(cpu, (uint16_t)arguments->a, (unsigned)arguments->b);
}

/* ---- control registers */

static void cr0_rejects_impossible_combinations_and_ignores_reserved_bits(void **state)
{
    struct machine *m = machine_create(NULL);
    (void)state;
    expect_fault(m, "PG without PE", act_write_control, (struct arguments){0, CR0_PG, 0, 0}, VECTOR_GP, 0);
    expect_fault(m, "NW without CD", act_write_control, (struct arguments){0, CR0_NW, 0, 0}, VECTOR_GP, 0);
    expect_success(m, "all", act_write_control, (struct arguments){0, 0xffffffff, 0, 0});
    assert_int_equal(m->cpu.cr0, 0xe005003f);
    expect_success(m, "none", act_write_control, (struct arguments){0, 0, 0, 0});
    assert_int_equal(m->cpu.cr0, CR0_ET);
    machine_free(m);
    m = machine_create("80386");
    cpu_write_control(&m->cpu, 0, 0xffffffff);
    assert_int_equal(m->cpu.cr0, 0x8000001f);
    machine_free(m);
}

static void paging_bits_flush_the_tlb(void **state)
{
    static const struct {
        unsigned number;
        uint64_t value;
        unsigned flushes, global;
    } rows[] = {
        {0, CR0_PE | CR0_TS, 0, 0}, {0, CR0_PE | CR0_PG, 1, 1}, {0, CR0_PE | CR0_WP, 0, 0},
        {3, 0x1000, 1, 0},          {4, CR4_PGE, 1, 1},         {4, CR4_PSE, 1, 1},
        {4, CR4_PAE, 1, 1},         {4, CR4_TSD, 0, 0},         {2, 0x1000, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_protected(0);
        m->flushes = m->global_flushes = 0;
        cpu_write_control(&m->cpu, rows[i].number, rows[i].value);
        assert_int_equal(m->flushes, rows[i].flushes);
        assert_int_equal(m->global_flushes, rows[i].global);
        machine_free(m);
    }
    struct machine *m = machine_protected(0);
    cpu_write_control(&m->cpu, 0, CR0_PE | CR0_PG);
    m->global_flushes = 0;
    cpu_write_control(&m->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
    assert_int_equal(m->global_flushes, 1);
    cpu_write_control(&m->cpu, 0, 0);
    assert_int_equal(m->global_flushes, 2);
    machine_free(m);
}

static void cr4_rejects_bits_the_model_lacks(void **state)
{
    static const struct {
        const char *model;
        uint64_t bits;
    } rows[] = {{"pentium", 0x5f},
                {"pentium-mmx", 0x5f},
                {"pentium2", 0x3ff},
                {"pentium3", 0x7ff},
                {"pentium4", 0x7ff}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].model);
        for (unsigned bit = 0; bit < 32; bit++) {
            struct arguments arguments = {4, (uint64_t)1 << bit, 0, 0};
            if (rows[i].bits >> bit & 1) {
                expect_success(m, rows[i].model, act_write_control, arguments);
                assert_int_equal(cpu_read_control(&m->cpu, 4), (uint64_t)1 << bit);
            } else {
                expect_fault(m, rows[i].model, act_write_control, arguments, VECTOR_GP, 0);
            }
        }
        machine_free(m);
    }
}

static void missing_control_registers_are_invalid(void **state)
{
    static const unsigned missing[] = {1, 5, 6, 7, 8, 15};
    struct machine *m = machine_create(NULL);
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(missing); i++) {
        expect_fault(m, "write", act_write_control, (struct arguments){.a = missing[i]}, VECTOR_UD, -1);
        expect_fault(m, "read", act_read_control, (struct arguments){.a = missing[i]}, VECTOR_UD, -1);
    }
    machine_free(m);
    m = machine_create("80486");
    expect_fault(m, "80486 CR4", act_read_control, (struct arguments){.a = 4}, VECTOR_UD, -1);
    machine_free(m);
}

static void lmsw_sets_but_never_clears_pe(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    cpu_load_machine_status_word(&m->cpu, 0xfffe);
    assert_int_equal(m->cpu.cr0 & 0xffff, CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET);
    cpu_load_machine_status_word(&m->cpu, 0);
    assert_int_equal(m->cpu.cr0 & 0xffff, CR0_PE | CR0_ET);
    machine_free(m);
    m = machine_create("80286");
    assert_int_equal(cpu_read_control(&m->cpu, 0), 0xfff0);
    cpu_load_machine_status_word(&m->cpu, 0xffff);
    assert_int_equal(cpu_read_control(&m->cpu, 0), 0xffff);
    assert_int_equal(m->cpu.cr0, 0xf);
    machine_free(m);
}

static void pe_keeps_hidden_parts_and_rights(void **state)
{
    struct machine *m = machine_create(NULL);
    (void)state;
    cpu_load_segment(&m->cpu, CPU_DS, 0x1234);
    cpu_load_segment(&m->cpu, CPU_SS, 0x0003);
    cpu_write_control(&m->cpu, 0, m->cpu.cr0 | CR0_PE);
    assert_int_equal(m->cpu.mode, CPU_MODE_PROTECTED);
    assert_int_equal(m->cpu.cpl, 0);
    assert_int_equal(m->cpu.segment[CPU_DS].base, 0x12340);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0xffff0000);
    machine_free(m);
    m = machine_protected(0);
    cpu_write_control(&m->cpu, 0, m->cpu.cr0 & ~(uint64_t)CR0_PE);
    assert_true(m->cpu.segment[CPU_CS].write_first >
                m->cpu.segment[CPU_CS].write_last); /* until it is loaded */
    expect_success(m, "JMP in real mode", act_jump, (struct arguments){.a = 0x1000, .b = 0, .c = 2});
    assert_int_equal(m->cpu.segment[CPU_CS].write_first, 0);
    assert_int_equal(m->cpu.segment[CPU_CS].write_last, 0xffffffff);
    machine_free(m);
}

/* ---- debug registers */

static void dr4_and_dr5_are_aliases_without_debug_extensions(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    cpu_write_debug(&m->cpu, 4, 0x0000000f);
    cpu_write_debug(&m->cpu, 5, 0xffffdfff);
    assert_int_equal(cpu_read_debug(&m->cpu, 6), 0xffff0fff);
    assert_int_equal(cpu_read_debug(&m->cpu, 7), 0xffff0fff | 0x400);
    m->cpu.cr4 |= CR4_DE;
    expect_fault(m, "DR4", act_read_debug, (struct arguments){.a = 4}, VECTOR_UD, -1);
    expect_fault(m, "DR5", act_write_debug, (struct arguments){.a = 5}, VECTOR_UD, -1);
    machine_free(m);
}

static void debug_registers_keep_their_fixed_bits(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    cpu_write_debug(&m->cpu, 6, 0);
    assert_int_equal(cpu_read_debug(&m->cpu, 6), 0xffff0ff0);
    cpu_write_debug(&m->cpu, 6, 0xffffffff);
    assert_int_equal(cpu_read_debug(&m->cpu, 6), 0xffffefff);
    cpu_write_debug(&m->cpu, 7, 0);
    assert_int_equal(cpu_read_debug(&m->cpu, 7), 0x400);
    cpu_write_debug(&m->cpu, 3, 0x12345678);
    assert_int_equal(cpu_read_debug(&m->cpu, 3), 0x12345678);
    machine_free(m);
}

static void general_detect_guards_the_debug_registers(void **state)
{
    struct machine *m = machine_protected(0);
    (void)state;
    cpu_write_debug(&m->cpu, 7, 0x2000);
    expect_fault(m, "write", act_write_debug, (struct arguments){.a = 0}, VECTOR_DB, -1);
    assert_int_equal(m->cpu.dr[6], 0xffff2ff0);
    expect_fault(m, "read", act_read_debug, (struct arguments){.a = 7}, VECTOR_DB, -1);
    machine_free(m);
}

/* ---- model-specific registers */

static void msrs_belong_to_models(void **state)
{
    static const struct {
        const char *model;
        uint32_t number;
        bool exists;
    } rows[] = {
        {"pentium", 0x10, true},         {"pentium", 0x1b, false},   {"pentium", 0x174, false},
        {"pentium", 0x11, true},         {"pentium2", 0x174, true},  {"pentium2", 0x277, true},
        {"pentium3", 0x1b, true},        {"pentium3", 0xfe, true},   {"pentium3", 0x20f, true},
        {"pentium3", 0x210, false},      {"pentium3", 0x250, true},  {"pentium3", 0x251, false},
        {"pentium3", 0x259, true},       {"pentium3", 0x26f, true},  {"pentium3", 0x2ff, true},
        {"pentium3", 0x8b, true},        {"pentium3", 0x1a0, false}, {"pentium4", 0x1a0, true},
        {"pentium3", 0x179, true},       {"pentium3", 0x413, true},  {"pentium3", 0x12345678, false},
        {"pentium3", 0xc0000080, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].model);
        struct arguments arguments = {.a = rows[i].number};
        if (rows[i].exists) {
            expect_success(m, rows[i].model, act_read_msr, arguments);
        } else {
            expect_fault(m, rows[i].model, act_read_msr, arguments, VECTOR_GP, 0);
            expect_fault(m, rows[i].model, act_write_msr, arguments, VECTOR_GP, 0);
        }
        machine_free(m);
    }
    struct machine *m = machine_create("80486");
    expect_fault(m, "80486", act_read_msr, (struct arguments){.a = 0x10}, VECTOR_UD, -1);
    machine_free(m);
}

static void msrs_check_values(void **state)
{
    static const struct {
        const char *name;
        uint32_t number;
        uint64_t value;
        bool valid;
    } rows[] = {
        {"APIC base", 0x1b, 0xfee00800, true},
        {"APIC base reserved", 0x1b, 0xfee00801, false},
        {"APIC base beyond 36 bits", 0x1b, 0x1000000000, false},
        {"PAT", 0x277, 0x0007060504010006, true},
        {"PAT type 2", 0x277, 0x02, false},
        {"MTRR capabilities are read-only", 0xfe, 0x508, false},
        {"MTRR default", 0x2ff, 0xc06, true},
        {"MTRR default type 3", 0x2ff, 0xc03, false},
        {"MTRR default reserved", 0x2ff, 0x1000, false},
        {"fixed MTRR", 0x250, 0x0605040100060504, true},
        {"fixed MTRR type 7", 0x26f, 0x07, false},
        {"variable base", 0x200, 0xe0000001, true},
        {"variable base type", 0x200, 0xe0000002, false},
        {"variable mask", 0x201, 0xff0000800, true},
        {"variable mask reserved", 0x201, 0x700, false},
        {"variable mask beyond 36 bits", 0x20f, 0x1000000800, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(NULL);
        struct arguments arguments = {rows[i].number, rows[i].value, 0, 0};
        if (rows[i].valid) {
            expect_success(m, rows[i].name, act_write_msr, arguments);
            assert_true(cpu_read_msr(&m->cpu, rows[i].number) == rows[i].value);
        } else {
            expect_fault(m, rows[i].name, act_write_msr, arguments, VECTOR_GP, 0);
        }
        machine_free(m);
    }
}

static uint64_t fixed_time(void *opaque)
{
    return *(const uint64_t *)opaque;
}

static void the_time_stamp_counter_can_be_set(void **state)
{
    static const struct {
        const char *model;
        uint64_t expected;
    } rows[] = {{"pentium3", 0x22222222}, {"pentium4", 0x1122222222}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].model);
        uint64_t now = 1000;
        m->cpu.pins.time_stamp = fixed_time;
        m->cpu.pins.opaque = &now;
        assert_int_equal(cpu_read_time_stamp(&m->cpu), 1000);
        cpu_write_msr(&m->cpu, 0x10, 0x1122222222);
        now += 7;
        assert_true(cpu_read_time_stamp(&m->cpu) == rows[i].expected + 7);
        assert_true(cpu_read_msr(&m->cpu, 0x10) == rows[i].expected + 7);
        machine_free(m);
    }
}

/* ---- CLI, STI, PUSHF, POPF */

static void cli_and_sti_obey_iopl(void **state)
{
    (void)state;
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        for (unsigned iopl = 0; iopl < 4; iopl++) {
            struct machine *m = machine_protected(cpl);
            struct arguments none = {0};
            m->cpu.eflags_other |= iopl << EFLAGS_IOPL_SHIFT;
            if (cpl <= iopl) {
                expect_success(m, "STI", act_sti, none);
                assert_true(m->cpu.eflags_other & EFLAGS_IF);
                expect_success(m, "CLI", act_cli, none);
                assert_false(m->cpu.eflags_other & EFLAGS_IF);
            } else {
                expect_fault(m, "STI", act_sti, none, VECTOR_GP, 0);
                expect_fault(m, "CLI", act_cli, none, VECTOR_GP, 0);
            }
            machine_free(m);
        }
    }
}

static void sti_holds_interrupts_off_only_when_they_were_disabled(void **state)
{
    struct machine *m = machine_create(NULL);
    (void)state;
    cpu_set_interrupt_flag(&m->cpu);
    assert_true(m->cpu.pending & CPU_PENDING_SHADOW);
    m->cpu.pending = 0;
    cpu_set_interrupt_flag(&m->cpu);
    assert_int_equal(m->cpu.pending, 0);
    machine_free(m);
}

static void virtual_interrupts_stand_in_for_if(void **state)
{
    (void)state;
    for (unsigned v86 = 0; v86 < 2; v86++) {
        struct machine *m = v86 ? machine_v86(0) : machine_protected(3);
        struct arguments none = {0};
        expect_fault(m, "CLI", act_cli, none, VECTOR_GP, 0);
        m->cpu.cr4 |= v86 ? CR4_PVI : CR4_VME; /* the other one's bit */
        expect_fault(m, "STI", act_sti, none, VECTOR_GP, 0);
        m->cpu.cr4 = v86 ? CR4_VME : CR4_PVI;
        expect_success(m, "STI", act_sti, none);
        assert_int_equal(m->cpu.eflags_other & (EFLAGS_IF | EFLAGS_VIF), EFLAGS_VIF);
        assert_int_equal(m->cpu.pending, 0);
        m->cpu.eflags_other |= EFLAGS_VIP;
        expect_fault(m, "STI with VIP", act_sti, none, VECTOR_GP, 0);
        expect_success(m, "CLI", act_cli, none);
        assert_int_equal(m->cpu.eflags_other & EFLAGS_VIF, 0);
        machine_free(m);
    }
}

static void protected_virtual_interrupts_are_for_cpl_3_only(void **state)
{
    struct machine *m = machine_protected(2);
    (void)state;
    m->cpu.cr4 |= CR4_PVI;
    expect_fault(m, "CLI", act_cli, (struct arguments){0}, VECTOR_GP, 0);
    machine_free(m);
}

static void pushf_and_popf_in_v86_depend_on_iopl_and_vme(void **state)
{
    struct machine *m = machine_v86(EFLAGS_IF);
    (void)state;
    expect_fault(m, "PUSHF", act_push_flags, (struct arguments){.a = 2}, VECTOR_GP, 0);
    expect_fault(m, "POPF", act_pop_flags, (struct arguments){.a = 2}, VECTOR_GP, 0);
    expect_fault(m, "IRET", act_iret, (struct arguments){.a = 2}, VECTOR_GP, 0);
    m->cpu.cr4 |= CR4_VME;
    expect_fault(m, "PUSHFD", act_push_flags, (struct arguments){.a = 4}, VECTOR_GP, 0);
    expect_fault(m, "POPFD", act_pop_flags, (struct arguments){.a = 4}, VECTOR_GP, 0);
    expect_fault(m, "IRETD", act_iret, (struct arguments){.a = 4}, VECTOR_GP, 0);
    expect_success(m, "PUSHF", act_push_flags, (struct arguments){.a = 2});
    assert_int_equal(stack_item(m, 0, 2), 3 << 12 | EFLAGS_FIXED); /* VIF is clear */
    machine_write(m, V86_BASE + m->cpu.gpr[CPU_SP].q, 2, EFLAGS_IF | EFLAGS_CF);
    expect_success(m, "POPF", act_pop_flags, (struct arguments){.a = 2});
    assert_int_equal(cpu_eflags(&m->cpu), EFLAGS_IF | EFLAGS_VIF | EFLAGS_CF | EFLAGS_VM | EFLAGS_FIXED);
    m->cpu.eflags_other |= EFLAGS_VIP;
    m->cpu.gpr[CPU_SP].q -= 2;
    expect_fault(m, "enabling with VIP", act_pop_flags, (struct arguments){.a = 2}, VECTOR_GP, 0);
    machine_write(m, V86_BASE + m->cpu.gpr[CPU_SP].q, 2, EFLAGS_TF);
    expect_fault(m, "TF", act_pop_flags, (struct arguments){.a = 2}, VECTOR_GP, 0);
    machine_write(m, V86_BASE + m->cpu.gpr[CPU_SP].q, 2, 0);
    expect_success(m, "disabling", act_pop_flags, (struct arguments){.a = 2});
    assert_int_equal(m->cpu.eflags_other & EFLAGS_VIF, 0);
    machine_free(m);
}

static void iret_in_v86_with_vme_loads_vif(void **state)
{
    struct machine *m = machine_v86(0);
    uint64_t frame[] = {EFLAGS_IF | EFLAGS_ZF | 3 << 12, 0x1200, 0x34};
    (void)state;
    m->cpu.cr4 |= CR4_VME;
    push_values(m, 2, frame, 3);
    expect_success(m, "IRET", act_iret, (struct arguments){.a = 2});
    assert_int_equal(cpu_eflags(&m->cpu), EFLAGS_VIF | EFLAGS_ZF | EFLAGS_VM | EFLAGS_FIXED);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0x12000);
    assert_int_equal(m->cpu.rip, 0x34);
    m->cpu.eflags_other |= EFLAGS_VIP;
    push_values(m, 2, frame, 3);
    expect_fault(m, "VIP", act_iret, (struct arguments){.a = 2}, VECTOR_GP, 0);
    machine_free(m);
}

static void iret_in_v86_with_iopl_3_keeps_iopl_and_vm(void **state)
{
    struct machine *m = machine_v86(3 << 12);
    uint64_t frame[] = {EFLAGS_IF | EFLAGS_ZF | EFLAGS_AC, 0x1200, 0x34};
    (void)state;
    push_values(m, 4, frame, 3);
    expect_success(m, "IRETD", act_iret, (struct arguments){.a = 4});
    assert_int_equal(cpu_eflags(&m->cpu),
                     EFLAGS_IF | EFLAGS_ZF | EFLAGS_AC | 3 << 12 | EFLAGS_VM | EFLAGS_FIXED);
    machine_free(m);
}

static void pushf_hides_vm_and_rf(void **state)
{
    struct machine *m = machine_v86(3 << 12 | EFLAGS_RF | EFLAGS_ID);
    (void)state;
    expect_success(m, "PUSHFD", act_push_flags, (struct arguments){.a = 4});
    assert_int_equal(stack_item(m, 0, 4), 3 << 12 | EFLAGS_ID | EFLAGS_FIXED);
    machine_free(m);
}

static void real_mode_popf_changes_what_the_model_has(void **state)
{
    static const struct {
        const char *model;
        unsigned width;
        uint32_t expected;
    } rows[] = {
        {"8086", 2, 0xffd7},  {"80186", 2, 0xffd7},  {"80286", 2, 0x0fd7},     {"80386", 2, 0x7fd7},
        {"80386", 4, 0x7fd7}, {"80486", 4, 0x47fd7}, {"pentium", 4, 0x247fd7}, {"pentium3", 4, 0x247fd7},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].model);
        uint64_t all = UINT32_MAX;
        m->cpu.gpr[CPU_SP].q = 0x1000;
        push_values(m, rows[i].width, &all, 1);
        expect_success(m, rows[i].model, act_pop_flags, (struct arguments){.a = rows[i].width});
        if (cpu_eflags(&m->cpu) != rows[i].expected) {
            fail_msg("%s: %x, expected %x", rows[i].model, cpu_eflags(&m->cpu), rows[i].expected);
        }
        machine_free(m);
    }
}

static void the_80286_has_iopl_and_nt_in_protected_mode(void **state)
{
    struct machine *m = machine_protected_model("80286");
    uint64_t all = UINT32_MAX;
    (void)state;
    push_values(m, 2, &all, 1);
    expect_success(m, "POPF", act_pop_flags, (struct arguments){.a = 2});
    assert_int_equal(cpu_eflags(&m->cpu), 0x7fd7);
    machine_free(m);
}

/* ---- I/O permission */

static void ports_need_iopl_or_the_bitmap(void **state)
{
    struct machine *m = machine_protected(3);
    const uint32_t bitmap = TSS_A + 0x88;
    (void)state;
    memset(m->ram + bitmap, 0xff, 0x40);
    m->ram[bitmap + 0x60 / 8] = 0xf0; /* ports 60h to 63h */
    expect_success(m, "byte 60h", act_check_io, (struct arguments){0x60, 1, 0, 0});
    expect_success(m, "dword 60h", act_check_io, (struct arguments){0x60, 4, 0, 0});
    expect_fault(m, "byte 64h", act_check_io, (struct arguments){0x64, 1, 0, 0}, VECTOR_GP, 0);
    expect_fault(m, "dword 61h", act_check_io, (struct arguments){0x61, 4, 0, 0}, VECTOR_GP, 0);
    expect_fault(m, "word 5Fh straddles", act_check_io, (struct arguments){0x5f, 2, 0, 0}, VECTOR_GP, 0);
    m->cpu.tr.limit = 0x88 + 0x60 / 8;
    expect_fault(m, "second byte beyond the limit", act_check_io, (struct arguments){0x60, 1, 0, 0},
                 VECTOR_GP, 0);
    m->cpu.tr.limit++;
    expect_success(m, "both inside", act_check_io, (struct arguments){0x60, 1, 0, 0});
    m->cpu.eflags_other |= EFLAGS_IOPL;
    expect_success(m, "IOPL 3", act_check_io, (struct arguments){0xffff, 1, 0, 0});
    machine_free(m);
}

static void v86_always_asks_the_bitmap(void **state)
{
    struct machine *m = machine_v86(3 << 12);
    (void)state;
    m->ram[TSS_A + 0x88] = 0x01;
    expect_fault(m, "port 0", act_check_io, (struct arguments){0, 1, 0, 0}, VECTOR_GP, 0);
    expect_success(m, "port 1", act_check_io, (struct arguments){1, 1, 0, 0});
    machine_free(m);
}

static void a_16_bit_tss_has_no_bitmap(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    m->cpu.tr.attributes = ACCESS_TSS16_BUSY;
    expect_fault(m, "16-bit TSS", act_check_io, (struct arguments){0x60, 1, 0, 0}, VECTOR_GP, 0);
    m->cpu.tr.attributes = ACCESS_TSS32_BUSY;
    machine_write(m, TSS_A + 0x66, 2, 0); /* a bitmap before the field */
    m->cpu.tr.limit = 0x67;
    expect_success(m, "TSS with the field", act_check_io, (struct arguments){8, 1, 0, 0});
    m->cpu.tr.limit = 0x66;
    expect_fault(m, "TSS without the field", act_check_io, (struct arguments){8, 1, 0, 0}, VECTOR_GP, 0);
    machine_free(m);
}

static void real_mode_allows_every_port(void **state)
{
    struct machine *m = machine_create(NULL);
    (void)state;
    expect_success(m, "port", act_check_io, (struct arguments){0xffff, 1, 0, 0});
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cr0_rejects_impossible_combinations_and_ignores_reserved_bits),
        cmocka_unit_test(paging_bits_flush_the_tlb),
        cmocka_unit_test(cr4_rejects_bits_the_model_lacks),
        cmocka_unit_test(missing_control_registers_are_invalid),
        cmocka_unit_test(lmsw_sets_but_never_clears_pe),
        cmocka_unit_test(pe_keeps_hidden_parts_and_rights),
        cmocka_unit_test(dr4_and_dr5_are_aliases_without_debug_extensions),
        cmocka_unit_test(debug_registers_keep_their_fixed_bits),
        cmocka_unit_test(general_detect_guards_the_debug_registers),
        cmocka_unit_test(msrs_belong_to_models),
        cmocka_unit_test(msrs_check_values),
        cmocka_unit_test(the_time_stamp_counter_can_be_set),
        cmocka_unit_test(cli_and_sti_obey_iopl),
        cmocka_unit_test(sti_holds_interrupts_off_only_when_they_were_disabled),
        cmocka_unit_test(virtual_interrupts_stand_in_for_if),
        cmocka_unit_test(protected_virtual_interrupts_are_for_cpl_3_only),
        cmocka_unit_test(pushf_and_popf_in_v86_depend_on_iopl_and_vme),
        cmocka_unit_test(iret_in_v86_with_vme_loads_vif),
        cmocka_unit_test(iret_in_v86_with_iopl_3_keeps_iopl_and_vm),
        cmocka_unit_test(pushf_hides_vm_and_rf),
        cmocka_unit_test(real_mode_popf_changes_what_the_model_has),
        cmocka_unit_test(the_80286_has_iopl_and_nt_in_protected_mode),
        cmocka_unit_test(ports_need_iopl_or_the_bitmap),
        cmocka_unit_test(v86_always_asks_the_bitmap),
        cmocka_unit_test(a_16_bit_tss_has_no_bitmap),
        cmocka_unit_test(real_mode_allows_every_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
