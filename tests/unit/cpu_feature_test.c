/* Models with features of choice: what -cpu takes and refuses, and what follows from a feature in the CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu_harness.h"

/* ---- reading and printing */

static void texts_are_read_and_printed_in_a_standard_form(void **state)
{
    static const struct {
        const char *text, *standard;
        uint32_t features[FEATURE_WORDS];
    } rows[] = {
        {"pentium3", "pentium3", {0x0383fbff, 0, 0}},
        {"pentium3,+rdrand", "pentium3,+rdrand", {0x0383fbff, 0x40000000, 0}},
        {"pentium3,rdrand=on", "pentium3,+rdrand", {0x0383fbff, 0x40000000, 0}},
        {"pentium3,-sse", "pentium3,-sse", {0x0183fbff, 0, 0}},
        {"pentium3,sse=off,+popcnt", "pentium3,-sse,+popcnt", {0x0183fbff, 0x00800000, 0}},
        {"pentium3,+popcnt,-sse", "pentium3,-sse,+popcnt", {0x0183fbff, 0x00800000, 0}},
        {"pentium3,+sse,-nx,+sse", "pentium3", {0x0383fbff, 0, 0}},
        {"pentium3,+sse2,+sse3", "pentium3,+sse2,+pni", {0x0783fbff, 1, 0}},
        {"pentium3,+xd", "pentium3,+nx", {0x0383fbff, 0, 0x00100000}},
        {"pentium,+sse,+fxsr,+mmx", "pentium,+mmx,+fxsr,+sse", {0x038003bf, 0, 0}},
        {"max,-rdrand", "max,-rdrand", {0x078bfbff, 0x00c00201, 0x00100000}},
        {"80486,-fpu", "80486,-fpu", {0, 0, 0}},
        {"80386,+fpu", "80386", {1, 0, 0}},
        {"8086,-rdrand", "8086", {0, 0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct cpu_model model;
        char text[CPU_MODEL_TEXT];
        struct status status = cpu_model_parse(rows[i].text, &model);
        assert_string_equal(status.message, "");
        cpu_model_print(&model, text, sizeof text);
        assert_string_equal(text, rows[i].standard);
        assert_memory_equal(model.features, rows[i].features, sizeof model.features);
    }
}

static void what_cannot_be_is_an_error_that_says_what_to_do(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"z80", "unknown CPU model \"z80\"; known are: 8086, 80186, 80286, 80386, 80486, pentium, "
                "pentium-mmx, pentium2, pentium3, pentium4, max"},
        {"", "unknown CPU model \"\"; known are: 8086, 80186, 80286, 80386, 80486, pentium, pentium-mmx, "
             "pentium2, pentium3, pentium4, max"},
        {"pentium3,+avx2", "unknown CPU feature \"avx2\"; known are: fpu vme de pse tsc msr pae mce cx8 apic "
                           "sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni ssse3 movbe popcnt "
                           "rdrand nx"},
        {"pentium3,+", "unknown CPU feature \"\"; known are: fpu vme de pse tsc msr pae mce cx8 apic sep "
                       "mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 pni ssse3 movbe popcnt rdrand "
                       "nx"},
        {"pentium3,", "\"\" is none of +FEATURE, -FEATURE, FEATURE=on and FEATURE=off"},
        {"pentium3,sse", "\"sse\" is none of +FEATURE, -FEATURE, FEATURE=on and FEATURE=off"},
        {"pentium3,sse=1", "\"sse=1\" is none of +FEATURE, -FEATURE, FEATURE=on and FEATURE=off"},
        {"pentium3,+sse=on", "\"+sse=on\" is none of +FEATURE, -FEATURE, FEATURE=on and FEATURE=off"},
        {"pentium3,+sse,sse=off", "the CPU is asked for with and without \"sse\""},
        {"80486,+tsc,+cx8", "the 80486 cannot have tsc, cx8: software finds features by CPUID, which models "
                            "have from the pentium on"},
        {"80286,+fpu", "the 80286 cannot have fpu: software finds features by CPUID, which models have from "
                       "the pentium on"},
        {"pentium,+sse2", "\"sse2\" needs what the pentium does not have: add +mmx,+fxsr,+sse as well"},
        {"pentium,+nx", "\"nx\" needs what the pentium does not have: add +pae as well"},
        {"pentium4,-sse", "what needs \"sse\" has to go with it: add -sse2"},
        {"pentium4,-fpu", "what needs \"fpu\" has to go with it: add -mmx,-fxsr,-sse,-sse2"},
        {"pentium4,-fpu,-sse2", "what needs \"fpu\" has to go with it: add -mmx,-fxsr,-sse"},
        {"pentium3,-msr", "what needs \"msr\" has to go with it: add -sep,-mtrr,-mca,-pat"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct cpu_model model;
        struct status status = cpu_model_parse(rows[i].text, &model);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(status.message, rows[i].message);
    }
}

static void every_model_is_one_that_could_be_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; cpu_model_at(i) != NULL; i++) {
        struct cpu_model model;
        char text[CPU_MODEL_TEXT];
        struct status status = cpu_model_parse(cpu_model_at(i)->name, &model);
        assert_string_equal(status.message, "");
        assert_memory_equal(&model, cpu_model_at(i), sizeof model);
        cpu_model_print(&model, text, sizeof text);
        assert_string_equal(text, cpu_model_at(i)->name);
    }
}

static void every_feature_can_be_taken_from_max(void **state)
{
    char text[CPU_MODEL_TEXT] = "max";
    struct cpu_model model;
    (void)state;
    for (size_t i = 0; cpu_feature_name(i) != NULL; i++) {
        size_t length = strlen(text);
        assert_true(length + strlen(cpu_feature_name(i)) + 3 < sizeof text);
        text[length] = ',';
        text[length + 1] = '-';
        strcpy(text + length + 2, cpu_feature_name(i));
    }
    struct status status = cpu_model_parse(text, &model);
    assert_string_equal(status.message, "");
    for (unsigned i = 0; i < FEATURE_WORDS; i++) {
        assert_int_equal(model.features[i], 0);
    }
}

/* ---- what follows from them */

static void act_identify(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu->gpr[CPU_AX].q = arguments->a;
    cpu_identify(cpu);
}

static void act_write_control(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_write_control(cpu, 4, arguments->a);
}

static void act_read_msr(struct cpu_state *cpu, const struct arguments *arguments)
{
    (void)cpu_read_msr(cpu, (uint32_t)arguments->a);
}

static void cpuid_tells_of_them(void **state)
{
    struct machine *m = machine_create("pentium3,-sse,+rdrand,+nx");
    (void)state;
    expect_success(m, "leaf 1", act_identify, (struct arguments){.a = 1});
    assert_int_equal(m->cpu.gpr[CPU_DX].q, 0x0183fbff);
    assert_int_equal(m->cpu.gpr[CPU_CX].q, 0x40000000);
    assert_int_equal(m->cpu.gpr[CPU_BX].q, 2); /* still a Pentium III, */
    expect_success(m, "leaf 2", act_identify, (struct arguments){.a = 2});
    assert_int_equal(m->cpu.gpr[CPU_DX].q, 0x0c040882); /* with its caches */
    expect_success(m, "extended leaf 0", act_identify, (struct arguments){.a = 0x80000000});
    assert_int_equal(m->cpu.gpr[CPU_AX].q, 0x80000001);
    expect_success(m, "extended leaf 1", act_identify, (struct arguments){.a = 0x80000001});
    assert_int_equal(m->cpu.gpr[CPU_DX].q, 0x00100000);
    machine_free(m);
}

static void cr4_has_the_bits_of_what_there_is(void **state)
{
    static const struct {
        const char *model;
        uint32_t bits;
    } rows[] = {
        {"80486", 0},        {"pentium", 0x5f},   {"pentium,+pge,+pae,+fxsr", 0x2ff},
        {"pentium2", 0x3ff}, {"pentium3", 0x7ff}, {"pentium3,-sse,-vme,-tsc", 0x3f8},
        {"pentium4", 0x7ff},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].model);
        assert_int_equal(cpu_model_cr4_writable(m->cpu.model), rows[i].bits);
        machine_free(m);
    }
    struct machine *m = machine_create("pentium3,-pge");
    expect_fault(m, "PGE", act_write_control, (struct arguments){.a = CR4_PGE}, VECTOR_GP, 0);
    expect_success(m, "PSE", act_write_control, (struct arguments){.a = CR4_PSE});
    machine_free(m);
}

static void without_vme_its_flags_are_fixed(void **state)
{
    struct machine *m = machine_create("pentium3,-vme");
    (void)state;
    assert_int_equal(m->cpu.model->eflags_writable & (EFLAGS_VIF | EFLAGS_VIP | EFLAGS_ID), EFLAGS_ID);
    machine_free(m);
}

static void registers_go_with_their_features(void **state)
{
    static const struct {
        const char *with, *without;
        uint32_t msr;
    } rows[] = {
        {"pentium", "pentium,-tsc", 0x10},       {"pentium3", "pentium3,-apic", 0x1b},
        {"pentium3", "pentium3,-mtrr", 0xfe},    {"pentium,+sep", "pentium3,-sep", 0x174},
        {"pentium3", "pentium3,-mca", 0x179},    {"pentium,+mca", "pentium4,-mca", 0x17a},
        {"pentium3", "pentium4", 0x413}, /* five banks, and four */
        {"pentium4", "pentium4,-mca", 0x40f},    {"pentium3", "pentium3,-pat", 0x277},
        {"pentium3,+nx", "max,-nx", 0xc0000080},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct machine *m = machine_create(rows[i].with);
        expect_success(m, rows[i].with, act_read_msr, (struct arguments){.a = rows[i].msr});
        machine_free(m);
        m = machine_create(rows[i].without);
        expect_fault(m, rows[i].without, act_read_msr, (struct arguments){.a = rows[i].msr}, VECTOR_GP, 0);
        machine_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_and_printed_in_a_standard_form),
        cmocka_unit_test(what_cannot_be_is_an_error_that_says_what_to_do),
        cmocka_unit_test(every_model_is_one_that_could_be_asked_for),
        cmocka_unit_test(every_feature_can_be_taken_from_max),
        cmocka_unit_test(cpuid_tells_of_them),
        cmocka_unit_test(cr4_has_the_bits_of_what_there_is),
        cmocka_unit_test(without_vme_its_flags_are_fixed),
        cmocka_unit_test(registers_go_with_their_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
