/* What gdb is told of the target: the description, and registers as bytes, in real mode, in segments with a
 * base, and in flat ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "cpu/cpu.h"
#include "cpu/x87.h"
#include "debugger/gdb_registers.h"
#include "debugger/gdb_target_xml.h"

struct bench {
    struct cpu_state cpu;
    struct log log;
    struct counters counters;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->cpu.log = &bench->log;
    bench->cpu.counters = &bench->counters;
    cpu_init(&bench->cpu, cpu_model_find("pentium3"));
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static const struct gdb_register *find(const char *name)
{
    for (unsigned number = 0; gdb_register_at(number) != NULL; number++) {
        if (strcmp(gdb_register_at(number)->name, name) == 0) {
            return gdb_register_at(number);
        }
    }
    fail_msg("there is no register %s", name);
    return NULL;
}

static uint64_t get(struct bench *bench, const char *name)
{
    uint8_t bytes[GDB_REGISTER_BYTES] = {0};
    const struct gdb_register *which = find(name);
    gdb_register_read(&bench->cpu, which, bytes);
    return load_le(bytes, which->bytes);
}

static bool set(struct bench *bench, const char *name, uint64_t value)
{
    uint8_t bytes[GDB_REGISTER_BYTES] = {0};
    const struct gdb_register *which = find(name);
    store_le(bytes, which->bytes, value);
    struct status status = gdb_register_write(&bench->cpu, which, bytes);
    return status_is_ok(&status);
}

static void place(struct bench *bench, enum cpu_segment segment, uint16_t selector, uint64_t base)
{
    bench->cpu.segment[segment].selector = selector;
    bench->cpu.segment[segment].base = base;
}

static void in_real_mode_pc_and_sp_are_linear(void **state)
{
    struct bench *bench = *state;
    place(bench, CPU_CS, 0x07c0, 0x7c00);
    place(bench, CPU_SS, 0x9000, 0x90000);
    bench->cpu.rip = 0x3e;
    bench->cpu.gpr[CPU_SP].d = 0xabcdfffe;
    assert_int_equal(get(bench, "eip"), 0x7c3e);
    assert_int_equal(gdb_program_counter(&bench->cpu), 0x7c3e);
    assert_int_equal(get(bench, "esp"), 0x9fffe);
    assert_int_equal(get(bench, "raw_eip"), 0x3e);
    assert_int_equal(get(bench, "raw_esp"), 0xabcdfffe);
    assert_int_equal(get(bench, "cs_base"), 0x7c00);
    assert_int_equal(get(bench, "code_size"), 2);
}

static void what_is_written_to_pc_and_sp_becomes_an_offset(void **state)
{
    struct bench *bench = *state;
    place(bench, CPU_CS, 0xf000, 0xf0000);
    place(bench, CPU_SS, 0x9000, 0x90000);
    bench->cpu.gpr[CPU_SP].d = 0xabcd0000;
    assert_true(set(bench, "eip", 0xfe05b));
    assert_int_equal(bench->cpu.rip, 0xe05b);
    assert_true(set(bench, "esp", 0x98000));
    assert_int_equal(bench->cpu.gpr[CPU_SP].d, 0xabcd8000);
    assert_true(set(bench, "raw_eip", 0x1234));
    assert_int_equal(get(bench, "eip"), 0xf1234);
}

static void places_outside_the_segment_are_refused(void **state)
{
    struct bench *bench = *state;
    place(bench, CPU_CS, 0xf000, 0xf0000);
    place(bench, CPU_SS, 0x9000, 0x90000);
    bench->cpu.rip = 0xfff0;
    bench->cpu.gpr[CPU_SP].d = 0x100;
    assert_false(set(bench, "eip", 0x7c00));
    assert_false(set(bench, "eip", 0x100000));
    assert_false(set(bench, "esp", 0x8ffff));
    assert_int_equal(bench->cpu.rip, 0xfff0);
    assert_int_equal(bench->cpu.gpr[CPU_SP].d, 0x100);
}

static void segments_with_a_base_wrap_at_4_gib(void **state)
{
    struct bench *bench = *state;
    place(bench, CPU_CS, 8, 0xfffff000);
    bench->cpu.code_size = 4;
    bench->cpu.rip = 0x2000;
    assert_int_equal(get(bench, "eip"), 0x1000);
    assert_true(set(bench, "eip", 0x10));
    assert_int_equal(bench->cpu.rip, 0x1010);
}

static void flat_segments_have_offsets_that_are_linear(void **state)
{
    struct bench *bench = *state;
    bench->cpu.code_size = 4;
    bench->cpu.stack_mask = UINT32_MAX;
    place(bench, CPU_CS, 8, 0);
    place(bench, CPU_SS, 16, 0);
    assert_true(set(bench, "eip", 0xc0100000));
    assert_true(set(bench, "esp", 0xfffffffc));
    assert_int_equal(bench->cpu.rip, 0xc0100000);
    assert_int_equal(bench->cpu.gpr[CPU_SP].d, 0xfffffffc);
    assert_int_equal(get(bench, "eip"), get(bench, "raw_eip"));
    assert_int_equal(get(bench, "esp"), get(bench, "raw_esp"));
    assert_int_equal(get(bench, "code_size"), 4);
}

static void x87_registers_are_those_of_the_stack(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[GDB_REGISTER_BYTES] = {0};
    x87_initialize(&bench->cpu.x87);
    bench->cpu.x87.status = 5u << X87_TOP_SHIFT;
    bench->cpu.x87.reg[6] = float80_one();
    gdb_register_read(&bench->cpu, find("st1"), bytes);
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0\x80\xff\x3f", 10);
    struct status status = gdb_register_write(&bench->cpu, find("st0"), bytes);
    assert_true(status_is_ok(&status));
    assert_int_equal(bench->cpu.x87.reg[5].sign_exponent, FLOAT80_BIAS);
    assert_int_equal(get(bench, "ftag"), 0xffff);
    assert_true(set(bench, "ftag", 0xf3ff)); /* R5 is valid */
    assert_int_equal(bench->cpu.x87.full, 1u << 5);
    assert_int_equal(get(bench, "ftag"), 0xf3ff);
    assert_int_equal(get(bench, "fctrl"), X87_CONTROL_INIT);
    assert_true(set(bench, "fop", 0xffff));
    assert_int_equal(get(bench, "fop"), 0x7ff);
}

static void what_is_written_to_registers_is_read_again(void **state)
{
    static const char *const names[] = {"eax",   "edi",   "ebp", "fioff", "fiseg", "fooff",
                                        "foseg", "fctrl", "cr2", "dr0",   "dr3"};
    struct bench *bench = *state;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        assert_true(set(bench, names[i], 0x137f));
        assert_int_equal(get(bench, names[i]), 0x137f);
    }
    assert_true(set(bench, "mxcsr", 0x5f80));
    assert_int_equal(get(bench, "mxcsr"), 0x5f80);
    assert_true(set(bench, "xmm3", 0x1122334455667788));
    assert_int_equal(bench->cpu.xmm[3].b[0], 0x88);
    assert_int_equal(bench->cpu.xmm[3].b[7], 0x11);
}

static void registers_that_cannot_be_set_say_so(void **state)
{
    struct bench *bench = *state;
    assert_false(set(bench, "code_size", 4));
    assert_false(set(bench, "cpl", 3));
    assert_false(set(bench, "retired", 0));
    assert_false(set(bench, "cr4", 0xffffffff));
    assert_false(set(bench, "eflags", EFLAGS_VM));
}

/* gdb's numbers in the protocol are places in this order. */
static void numbers_are_those_of_gdb(void **state)
{
    (void)state;
    assert_string_equal(gdb_register_at(GDB_ESP)->name, "esp");
    assert_string_equal(gdb_register_at(GDB_EBP)->name, "ebp");
    assert_string_equal(gdb_register_at(GDB_EIP)->name, "eip");
    assert_string_equal(gdb_register_at(GDB_CS)->name, "cs");
    assert_string_equal(gdb_register_at(GDB_GS)->name, "gs");
    assert_string_equal(gdb_register_at(16)->name, "st0");
    assert_string_equal(gdb_register_at(24)->name, "fctrl");
    assert_string_equal(gdb_register_at(32)->name, "xmm0");
    assert_string_equal(gdb_register_at(40)->name, "mxcsr");
    assert_null(gdb_register_at(GDB_REGISTER_COUNT));
    assert_null(gdb_register_at(UINT64_MAX));
}

static void the_description_names_every_register_with_its_size(void **state)
{
    (void)state;
    char *xml = malloc(GDB_TARGET_XML_MAX + 1);
    xml[gdb_target_xml_write(4, xml)] = '\0';
    for (unsigned number = 0; gdb_register_at(number) != NULL; number++) {
        const struct gdb_register *which = gdb_register_at(number);
        char wanted[80];
        snprintf(wanted, sizeof wanted, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"", which->name,
                 8 * which->bytes, which->type);
        if (strstr(xml, wanted) == NULL) {
            fail_msg("not in the description: %s", wanted);
        }
    }
    free(xml);
}

static void the_description_has_the_architecture_of_the_code(void **state)
{
    (void)state;
    char *xml = malloc(GDB_TARGET_XML_MAX + 1);
    xml[gdb_target_xml_write(2, xml)] = '\0';
    assert_non_null(strstr(xml, "<architecture>i8086</architecture>"));
    xml[gdb_target_xml_write(4, xml)] = '\0';
    assert_non_null(strstr(xml, "<architecture>i386</architecture>"));
    free(xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_real_mode_pc_and_sp_are_linear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_to_pc_and_sp_becomes_an_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_outside_the_segment_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_with_a_base_wrap_at_4_gib, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flat_segments_have_offsets_that_are_linear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(x87_registers_are_those_of_the_stack, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_to_registers_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(registers_that_cannot_be_set_say_so, set_up, tear_down),
        cmocka_unit_test(numbers_are_those_of_gdb),
        cmocka_unit_test(the_description_names_every_register_with_its_size),
        cmocka_unit_test(the_description_has_the_architecture_of_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
