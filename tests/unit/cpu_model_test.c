/* The models: reset state, CPUID, names, and that they differ where the processors did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

static void act_identify(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu->gpr[CPU_AX].q = arguments->a;
    cpu_identify(cpu);
}

static void models_are_found_by_name_and_listed_oldest_first(void **state)
{
    enum cpu_generation last = CPU_8086;
    size_t count = 0;
    (void)state;
    for (const struct cpu_model *model; (model = cpu_model_at(count)) != NULL; count++) {
        assert_ptr_equal(cpu_model_find(model->name), model);
        assert_true(model->generation >= last);
        assert_non_null(model->description);
        last = model->generation;
    }
    assert_int_equal(count, 11);
    assert_null(cpu_model_find("6502"));
    assert_string_equal(cpu_model_default_name, "pentium3");
}

struct reset_row {
    const char *model;
    uint16_t cs;
    uint64_t base, rip;
    uint32_t eflags, edx, cr0;
    uint16_t idt_limit;
};

static void reset_follows_the_manuals(void **state)
{
    static const struct reset_row rows[] = {
        {"8086", 0xffff, 0xffff0, 0, 0xf002, 0, 0, 0x3ff},
        {"80186", 0xffff, 0xffff0, 0, 0xf002, 0, 0, 0x3ff},
        {"80286", 0xf000, 0xff0000, 0xfff0, 2, 0, 0, 0x3ff},
        {"80386", 0xf000, 0xffff0000, 0xfff0, 2, 0x308, 0x10, 0x3ff},
        {"80486", 0xf000, 0xffff0000, 0xfff0, 2, 0x432, 0x60000010, 0x3ff},
        {"pentium", 0xf000, 0xffff0000, 0xfff0, 2, 0x525, 0x60000010, 0xffff},
        {"pentium-mmx", 0xf000, 0xffff0000, 0xfff0, 2, 0x543, 0x60000010, 0xffff},
        {"pentium2", 0xf000, 0xffff0000, 0xfff0, 2, 0x652, 0x60000010, 0xffff},
        {"pentium3", 0xf000, 0xffff0000, 0xfff0, 2, 0x686, 0x60000010, 0xffff},
        {"pentium4", 0xf000, 0xffff0000, 0xfff0, 2, 0xf29, 0x60000010, 0xffff},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct reset_row *row = &rows[i];
        struct machine *m = machine_create(row->model);
        const struct cpu_state *cpu = &m->cpu;
        assert_int_equal(cpu->segment[CPU_CS].selector, row->cs);
        assert_int_equal(cpu->segment[CPU_CS].base, row->base);
        assert_int_equal(cpu->rip, row->rip);
        assert_int_equal(cpu_eflags(cpu), row->eflags);
        assert_int_equal(cpu->gpr[CPU_DX].q, row->edx);
        assert_int_equal(cpu->gpr[CPU_AX].q, 0);
        assert_int_equal(cpu->cr0, row->cr0);
        assert_int_equal(cpu->idtr.limit, row->idt_limit);
        assert_int_equal(cpu->idtr.base, 0);
        assert_int_equal(cpu->dr[6], 0xffff0ff0);
        assert_int_equal(cpu->dr[7], 0x400);
        assert_int_equal(cpu->segment[CPU_DS].selector, 0);
        assert_int_equal(cpu->segment[CPU_DS].limit, 0xffff);
        assert_int_equal(cpu->segment[CPU_DS].write_last, 0xffff);
        assert_int_equal(cpu->mode, CPU_MODE_REAL);
        assert_int_equal(cpu->code_size, 2);
        assert_int_equal(cpu->stack_mask, 0xffff);
        machine_free(m);
    }
}

static void reset_undoes_protected_mode_but_not_time(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    m->cpu.retired = 12345;
    m->cpu.tsc_offset = 678;
    m->cpu.halted = m->cpu.shutdown = m->cpu.nmi_blocked = true;
    m->cpu.pending = UINT32_MAX;
    m->cpu.sysenter_cs = 8;
    m->flushes = 0;
    cpu_reset(&m->cpu);
    assert_int_equal(m->cpu.mode, CPU_MODE_REAL);
    assert_int_equal(m->cpu.cpl, 0);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0xffff0000);
    assert_int_equal(m->cpu.segment[CPU_CS].attributes, 0x93);
    assert_int_equal(m->cpu.retired, 12345);
    assert_int_equal(m->cpu.tsc_offset, 678);
    assert_false(m->cpu.halted || m->cpu.shutdown || m->cpu.nmi_blocked);
    assert_int_equal(m->cpu.pending & (CPU_PENDING_TRAP | CPU_PENDING_SHADOW | CPU_PENDING_RESET), 0);
    assert_true(m->cpu.pending & CPU_PENDING_INTERRUPT); /* a level: the PIC still drives it */
    assert_int_equal(m->cpu.sysenter_cs, 0);
    assert_int_equal(m->flushes, 1);
    assert_int_equal(m->global_flushes, 1);
    machine_free(m);
}

static void init_keeps_what_a_reset_clears(void **state)
{
    struct machine *m = machine_protected(3);
    (void)state;
    m->cpu.cr0 = (m->cpu.cr0 & ~(uint64_t)CR0_CD) | CR0_NW | CR0_TS;
    m->cpu.x87.control = 0x27f;
    m->cpu.mxcsr = 0x9fc0;
    m->cpu.xmm[3].b[5] = 7;
    m->cpu.sysenter_cs = 8;
    m->cpu.mtrr_def_type = 0x806;
    m->cpu.dr[7] |= 2;
    m->cpu.pending |= CPU_PENDING_DEBUG;
    cpu_initialize(&m->cpu);
    assert_int_equal(m->cpu.mode, CPU_MODE_REAL);
    assert_int_equal(m->cpu.rip, 0xfff0);
    assert_int_equal(m->cpu.segment[CPU_CS].base, 0xffff0000);
    assert_int_equal(m->cpu.cr0, (uint64_t)CR0_NW | CR0_ET);
    assert_int_equal(m->cpu.x87.control, 0x27f);
    assert_int_equal(m->cpu.mxcsr, 0x9fc0);
    assert_int_equal(m->cpu.xmm[3].b[5], 7);
    assert_int_equal(m->cpu.sysenter_cs, 8);
    assert_int_equal(m->cpu.mtrr_def_type, 0x806);
    assert_int_equal(m->cpu.dr[7], 0x400);
    assert_int_equal(m->cpu.pending & CPU_PENDING_DEBUG, 0);
    machine_free(m);
}

static void cpuid_reports_the_model(void **state)
{
    static const struct {
        const char *model;
        uint32_t leaves, signature, features;
    } rows[] = {
        {"pentium", 1, 0x0525, 0x000003bf},  {"pentium-mmx", 1, 0x0543, 0x008003bf},
        {"pentium2", 2, 0x0652, 0x0183fbff}, {"pentium3", 2, 0x0686, 0x0383fbff},
        {"pentium4", 2, 0x0f29, 0x078bfbff},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].model);
        char vendor[12];
        expect_success(m, "leaf 0", act_identify, (struct arguments){.a = 0});
        assert_int_equal(m->cpu.gpr[CPU_AX].q, rows[i].leaves);
        store_le32(vendor, m->cpu.gpr[CPU_BX].d);
        store_le32(vendor + 4, m->cpu.gpr[CPU_DX].d);
        store_le32(vendor + 8, m->cpu.gpr[CPU_CX].d);
        assert_memory_equal(vendor, "GenuineIntel", 12);
        expect_success(m, "leaf 1", act_identify, (struct arguments){.a = 1});
        assert_int_equal(m->cpu.gpr[CPU_AX].q, rows[i].signature);
        assert_int_equal(m->cpu.gpr[CPU_DX].q, rows[i].features);
        assert_int_equal(m->cpu.gpr[CPU_CX].q, 0);
        machine_free(m);
    }
}

static void leaves_beyond_the_last_repeat_it(void **state)
{
    struct machine *m = machine_create("pentium3");
    static const uint64_t leaves[] = {2, 3, 0x1000, 0x80000000, 0x80000002, 0xffffffff};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(leaves); i++) {
        expect_success(m, "leaf", act_identify, (struct arguments){.a = leaves[i]});
        assert_int_equal(m->cpu.gpr[CPU_AX].q, 0x03020101);
        assert_int_equal(m->cpu.gpr[CPU_DX].q, 0x0c040882);
    }
    machine_free(m);
}

static void the_pentium_4_has_a_brand_string(void **state)
{
    struct machine *m = machine_create("pentium4");
    static const enum cpu_register order[] = {CPU_AX, CPU_BX, CPU_CX, CPU_DX};
    char brand[48];
    (void)state;
    expect_success(m, "leaf", act_identify, (struct arguments){.a = 0x80000000});
    assert_int_equal(m->cpu.gpr[CPU_AX].q, 0x80000004);
    expect_success(m, "leaf", act_identify, (struct arguments){.a = 0x80000001});
    assert_int_equal(m->cpu.gpr[CPU_DX].q, 0); /* no long mode */
    for (unsigned i = 0; i < 12; i++) {
        if (i % 4 == 0) {
            expect_success(m, "leaf", act_identify, (struct arguments){.a = 0x80000002 + i / 4});
        }
        store_le32(brand + 4 * (size_t)i, m->cpu.gpr[order[i % 4]].d);
    }
    assert_string_equal(brand, "              Intel(R) Pentium(R) 4 CPU 2.80GHz");
    machine_free(m);
}

static void cpuid_hides_a_disabled_apic(void **state)
{
    struct machine *m = machine_create("pentium3");
    (void)state;
    cpu_write_msr(&m->cpu, 0x1b, 0xfee00100);
    expect_success(m, "leaf 1", act_identify, (struct arguments){.a = 1});
    assert_int_equal(m->cpu.gpr[CPU_DX].q, 0x0383f9ff);
    machine_free(m);
}

static void cpuid_hides_an_apic_that_the_machine_does_not_wire(void **state)
{
    struct machine *m = machine_create("pentium3");
    (void)state;
    m->cpu.has_local_apic = false;
    cpu_reset(&m->cpu);
    assert_int_equal(m->cpu.apic_base, 0xfee00100);
    cpu_write_msr(&m->cpu, 0x1b, 0xfee00900);
    expect_success(m, "leaf 1", act_identify, (struct arguments){.a = 1});
    assert_int_equal(m->cpu.gpr[CPU_DX].q, 0x0383f9ff);
    machine_free(m);
}

static void cpuid_does_not_exist_before_the_pentium(void **state)
{
    struct machine *m = machine_create("80486");
    (void)state;
    m->cpu.gpr[CPU_AX].q = 0;
    expect_fault(m, "CPUID", act_identify, (struct arguments){.a = 0}, VECTOR_UD, -1);
    machine_free(m);
}

static void the_register_dump_shows_registers_and_modes(void **state)
{
    struct machine *m = machine_protected(3);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    assert_non_null(out);
    m->cpu.gpr[CPU_BX].q = 0xdeadbeef;
    cpu_describe(&m->cpu, out);
    fclose(out);
    assert_non_null(strstr(text, "EBX=deadbeef"));
    assert_non_null(strstr(text, "CPL=3"));
    assert_non_null(strstr(text, "CPL=3 II=0 A20=1 SMM=0 HLT=0\n"));
    assert_non_null(strstr(text, "CS =003b 00000000 ffffffff 00cffb00 DPL=3 CS32 [-RA]\n"));
    assert_non_null(strstr(text, "TR =0050 00004000 000007ff 00008b00 DPL=0 TSS32-busy\n"));
    assert_non_null(strstr(text, "CR0=60000011"));
    free(text);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_found_by_name_and_listed_oldest_first),
        cmocka_unit_test(reset_follows_the_manuals),
        cmocka_unit_test(reset_undoes_protected_mode_but_not_time),
        cmocka_unit_test(init_keeps_what_a_reset_clears),
        cmocka_unit_test(cpuid_reports_the_model),
        cmocka_unit_test(leaves_beyond_the_last_repeat_it),
        cmocka_unit_test(the_pentium_4_has_a_brand_string),
        cmocka_unit_test(cpuid_hides_a_disabled_apic),
        cmocka_unit_test(cpuid_hides_an_apic_that_the_machine_does_not_wire),
        cmocka_unit_test(cpuid_does_not_exist_before_the_pentium),
        cmocka_unit_test(the_register_dump_shows_registers_and_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
