/* Expressions of the debugger (debugger/expression.h) on a machine whose state is made by hand: what every
 * operator, name and function means, how errors read, and that no text breaks the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/x87.h"
#include "debugger/expression.h"
#include "debugger/symbols.h"
#include "fake_machine.h"

struct bench {
    struct machine *machine;
    struct symbols *symbols;
    struct expression_scope scope;
};

static int set_up(void **state)
{
    static const char map[] = "00007c00 T start\n00000500 T eax\n00001234 T foo.constprop.0\n";
    struct bench *bench = calloc(1, sizeof *bench);
    size_t count;
    bench->machine = fake_machine_create();
    bench->symbols = symbols_create();
    bench->scope.symbols = bench->symbols;
    struct status status =
        symbols_parse(bench->symbols, "map", (const uint8_t *)map, sizeof map - 1, 0, &count);
    assert_true(status_is_ok(&status));
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    symbols_destroy(bench->symbols);
    fake_machine_destroy(bench->machine);
    free(bench);
    return 0;
}

static void expect(struct bench *bench, const char *text, int64_t expected)
{
    uint64_t value;
    struct status status = expression_compute(text, &bench->scope, bench->machine, &value);
    if (!status_is_ok(&status)) {
        fail_msg("%s: %s", text, status.message);
    }
    if (value != (uint64_t)expected) {
        fail_msg("%s is 0x%llx, not 0x%llx", text, (unsigned long long)value, (unsigned long long)expected);
    }
}

static void expect_error(struct bench *bench, const char *text, const char *part)
{
    uint64_t value;
    struct status status = expression_compute(text, &bench->scope, bench->machine, &value);
    if (status_is_ok(&status)) {
        fail_msg("accepted: %s", text);
    }
    if (strstr(status.message, part) == NULL || strchr(status.message, '\n') != NULL) {
        fail_msg("%s: \"%s\" does not say \"%s\"", text, status.message, part);
    }
}

static void numbers_have_c_notations(void **state)
{
    expect(*state, "0", 0);
    expect(*state, "18446744073709551615", -1);
    expect(*state, "0xFFFFffffFFFFffff", -1);
    expect(*state, "010", 8);
    expect(*state, "0o17", 15);
    expect(*state, "0b1011", 11);
    expect(*state, "'A'", 'A');
    expect(*state, "'\\n'", '\n');
    expect(*state, "'''", '\'');
    expect(*state, " 0x10 ", 16);
}

static void operators_have_cs_precedence(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"1 + 2 * 3 - 4", 3},
        {"(1 + 2) * 3", 9},
        {"20 / 3 % 4", 2},
        {"-7 / 2", -3},
        {"-7 % 3", -1},
        {"1 << 3 + 1", 16},
        {"-16 >> 2", -4},
        {"1 < 2 == 1", 1},
        {"3 > 2 > 1", 0},
        {"5 & 6 == 6", 1},
        {"(5 & 6) == 4", 1},
        {"1 | 2 ^ 3 & 2", 1},
        {"4 ^ 6 | 1", 3},
        {"1 || 0 && 0", 1},
        {"!5 + 1", 1},
        {"~0 & 0xff", 255},
        {"- -3", 3},
        {"!!7", 1},
        {"2 <= 2", 1},
        {"2 >= 3", 0},
        {"2 != 2", 0},
        {"1 ? 2 : 3", 2},
        {"0 ? 2 : 0 ? 3 : 4", 4},
        {"1 ? 0 ? 5 : 6 : 7", 6},
        {"-1 < 0", 1},
        {"4 - 3 - 2", -1},
        {"64 / 4 / 2", 8},
        {"7 && 8", 1},
        {"0 || 9", 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect(*state, cases[i].text, cases[i].value);
    }
}

static void arithmetic_wraps_at_64_bits(void **state)
{
    expect(*state, "0x8000000000000000 / -1", INT64_MIN);
    expect(*state, "0x8000000000000000 % -1", 0);
    expect(*state, "0xffffffffffffffff + 2", 1);
    expect(*state, "1 << 63", INT64_MIN);
    expect(*state, "1 << 64", 0);
    expect(*state, "-1 >> 100", -1);
    expect(*state, "1 << -1", 0);
}

static void registers_of_every_kind_have_names(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    cpu->gpr[CPU_AX].d = 0x89abcdef;
    cpu->rip = 0x12345;
    cpu_set_eflags(cpu, EFLAGS_ZF | EFLAGS_IOPL | EFLAGS_FIXED);
    cpu->segment[CPU_FS] =
        (struct segment){.selector = 0x33, .base = 0x5000, .limit = 0xffff, .attributes = 0xf3};
    cpu->gdtr = (struct descriptor_table){.base = 0x9000, .limit = 0x2f};
    cpu->ldtr.base = 0x8000;
    cpu->cr4 = 0x10;
    cpu->dr[7] = 0x400;
    cpu->x87.reg[0] = (struct float80){.significand = UINT64_C(0xa) << 60, .sign_exponent = 0xc002};
    cpu->xmm[3].b[4] = 0x77;
    cpu->retired = 99;
    expect(bench, "eax", 0x89abcdef);
    expect(bench, "$EAX", 0x89abcdef);
    expect(bench, "ax", 0xcdef);
    expect(bench, "al", 0xef);
    expect(bench, "ah", 0xcd);
    expect(bench, "eip", 0x12345);
    expect(bench, "ip", 0x2345);
    expect(bench, "flags.zf", 1);
    expect(bench, "eflags.cf", 0);
    expect(bench, "flags.iopl", 3);
    expect(bench, "eflags", 0x3042);
    expect(bench, "fs", 0x33);
    expect(bench, "fs.base + fs.limit", 0x14fff);
    expect(bench, "fs.attributes", 0xf3);
    expect(bench, "gdtr.base", 0x9000);
    expect(bench, "gdtr", 0x9000);
    expect(bench, "gdtr.limit", 0x2f);
    expect(bench, "ldtr.base", 0x8000);
    expect(bench, "cr4", 0x10);
    expect(bench, "dr7", 0x400);
    expect(bench, "st0", -10);
    expect(bench, "mm0 >> 60 & 0xf", 0xa);
    expect(bench, "xmm3.d1", 0x77);
    expect(bench, "xmm3.b4", 0x77);
    expect(bench, "xmm3.q0 >> 32", 0x77);
    expect(bench, "fpu.tag", 0x5554);
    expect(bench, "mxcsr", 0x1f80);
    expect(bench, "cpl", 0);
    expect(bench, "retired", 99);
    expect(bench, "msr(0x277) & 7", 6);
    expect_error(bench, "msr(0x12345)", "no MSR 0x12345");
    expect_error(bench, "msr(1 << 32)", "32 bits");
    expect_error(bench, "xmm3.q2", "neither");
    expect_error(bench, "xmm3.", "neither");
    expect_error(bench, "st8", "neither");
    expect_error(bench, "eax.base", "neither");
    expect_error(bench, "cs.nonsense", "neither");
}

static void memory_is_read_in_all_widths(void **state)
{
    struct bench *bench = *state;
    memcpy(bench->machine->ram + 0x600, "\xfe\xff\xff\x8f\x01\x02\x03\x84Hello", 14);
    expect(bench, "u8(0x600)", 0xfe);
    expect(bench, "i8(0x600)", -2);
    expect(bench, "u16(0x600)", 0xfffe);
    expect(bench, "i16(0x600)", -2);
    expect(bench, "u32(0x600)", 0x8ffffffe);
    expect(bench, "i32(0x600)", (int32_t)0x8ffffffe);
    expect(bench, "*0x600", 0x8ffffffe);
    expect(bench, "*0x600 + 1", 0x8fffffff);
    expect(bench, "u64(0x600) >> 32 & 0xffffffff", 0x84030201);
    expect(bench, "pu16(0x604)", 0x0201);
    expect(bench, "u8 ( 0x600 + 4 )", 1);
    expect(bench, "str(0x608) == \"Hello\"", 1);
    expect(bench, "str(0x608) == \"Hell\"", 0);
    expect(bench, "str(0x608) != \"Hello!\" && 1", 1);
    expect(bench, "str(0x608)==\"a\\\"b\"", 0);
    expect(bench, "phys(0x12345)", 0x12345);
    expect_error(bench, "u8(0x200000)", "no memory at physical address 0x200000");
    expect_error(bench, "u32(0xffffe)", "0x100000");
    expect_error(bench, "str(0x608)", "== or !=");
    expect_error(bench, "str(0x608) == 1", "a \"text\"");
    expect_error(bench, "str(0x608) == \"abc", "\"\"\" is expected");
}

static void linear_addresses_go_through_the_page_tables(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    store_le32(machine->ram + 0x1000, 0x2003);         /* directory */
    store_le32(machine->ram + 0x2000 + 4 * 5, 0x3003); /* linear 5000 */
    store_le32(machine->ram + 0x3010, 0xcafe);
    machine->cpu.cr3 = 0x1000;
    machine->cpu.cr0 = CR0_PE | CR0_PG;
    expect(bench, "phys(0x5010)", 0x3010);
    expect(bench, "u16(0x5010)", 0xcafe);
    expect(bench, "pu16(0x3010)", 0xcafe);
    expect_error(bench, "phys(0x6000)", "0x6000 is not mapped");
    expect_error(bench, "u16(0x5fff)", "0x6000 is not mapped");
    assert_int_equal(load_le32(machine->ram + 0x2000 + 4 * 5), 0x3003); /* not accessed */
}

static void far_addresses_of_real_mode_are_sixteen_times_the_segment(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    cpu->segment[CPU_ES].base = 0xb8000;
    cpu->gpr[CPU_DI].d = 0x10004;
    cpu->gpr[CPU_AX].d = 0x1234;
    expect(bench, "f000:fff0", 0xffff0);
    expect(bench, "7c0:0", 0x7c00);
    expect(bench, "0x7c0:0x10", 0x7c10);
    expect(bench, "es:di", 0xb8004);
    expect(bench, "$es:$di", 0xb8004);
    expect(bench, "es:10", 0xb8010);
    expect(bench, "es:(di + 0x10)", 0xb8014);
    expect(bench, "ax:2", 0x12342);
    expect(bench, "0:start + 1", 0x7c01);
    expect(bench, "1 ? 40:17 : 2", 0x417);
    expect(bench, "u8(ffff:0) == 0", 1);
    expect_error(bench, "10000:0", "0x10000 is not a selector");
    expect_error(bench, "xyz:0", "\"xyz\"");
    expect_error(bench, "0:xyz", "\"xyz\"");
    expect_error(bench, "1 ? 2:3", "colon of ?:");
}

static void far_addresses_of_protected_mode_go_through_the_descriptor(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    static const uint8_t segment[8] = {0xff, 0xff, 0x00, 0x00, 0x05, 0x92, 0xcf, 0x00}; /* base 50000 */
    static const uint8_t gate[8] = {0x00, 0x00, 0x08, 0x00, 0x00, 0x8e, 0x00, 0x00};
    memcpy(machine->ram + 0x900 + 0x10, segment, sizeof segment);
    memcpy(machine->ram + 0x900 + 0x18, gate, sizeof gate);
    machine->cpu.cr0 |= CR0_PE;
    cpu_update_mode(&machine->cpu);
    machine->cpu.gdtr = (struct descriptor_table){.base = 0x900, .limit = 0x1f};
    expect(bench, "10:234", 0x50234);
    expect_error(bench, "18:0", "names no segment");
    expect_error(bench, "20:0", "beyond the table");
    expect_error(bench, "14:0", "no LDT");
}

static void symbols_are_addresses(void **state)
{
    expect(*state, "start + 2", 0x7c02);
    expect(*state, "foo.constprop.0", 0x1234);
    expect(*state, "eax", 0);
    expect(*state, "&eax", 0x500);
    expect(*state, "u8(&start)", 0);
    expect_error(*state, "&nothing", "no symbol \"nothing\"");
    expect_error(*state, "nothing", "neither a register nor a symbol");
}

static void what_need_not_be_known_is_left_out(void **state)
{
    expect(*state, "0 && 1 / 0", 0);
    expect(*state, "1 || u8(0x900000)", 1);
    expect(*state, "1 ? 5 : 1 / 0", 5);
    expect(*state, "0 ? 1 / 0 : 6", 6);
    expect(*state, "(0 && 1 / 0) + 3", 3);
}

static void mistakes_are_named(void **state)
{
    expect_error(*state, "", "a value is expected at the end");
    expect_error(*state, "1 +", "a value is expected at the end");
    expect_error(*state, "1 2", "an operator is expected at \"2\"");
    expect_error(*state, "(1", "\")\" is expected at the end");
    expect_error(*state, "1)", "an operator is expected at \")\"");
    expect_error(*state, "1 / 0", "division by zero");
    expect_error(*state, "1 % (2 - 2)", "division by zero");
    expect_error(*state, "18446744073709551616", "beyond 64 bits");
    expect_error(*state, "0x10000000000000000", "beyond 64 bits");
    expect_error(*state, "7c00", "hexadecimal ones begin with 0x");
    expect_error(*state, "08", "not a number");
    expect_error(*state, "0xg", "not a number");
    expect_error(*state, "'ab'", "second '");
    expect_error(*state, "'\\q'", "unknown escape");
    expect_error(*state, "'", "second '");
    expect_error(*state, "1 ? 2", "colon");
    expect_error(*state, "u8 5", "\"u8\" is neither");
    expect_error(*state, "u8()", "a value is expected at \")\"");
    expect_error(*state, "eax = 5", "an operator is expected at \"= 5\"");
}

static void nesting_has_an_end(void **state)
{
    char text[8192];
    memset(text, '(', 4000);
    strcpy(text + 4000, "1");
    expect_error(*state, text, "nested too deeply");
    memset(text, '-', 4000);
    expect_error(*state, text, "nested too deeply");
    strcpy(text, "1");
    for (size_t i = 0; i < 2000; i++) {
        memcpy(text + 1 + 2 * i, "+1", 3);
    }
    expect(*state, text, 2001);
    strcpy(text, "0");
    for (size_t i = 0; i < 90; i++) {
        strcat(text, "+(1*(1|(1");
    }
    expect_error(*state, text, "nested too deeply");
    strcpy(text, "1");
    for (size_t i = 0; i < 500; i++) {
        strcat(text, "?1 : 1");
    }
    expect_error(*state, text, "nested too deeply");
}

static void assign(struct bench *bench, const char *place, uint64_t value, const char *error)
{
    struct expression *expression;
    struct status status = expression_parse(place, &bench->scope, &expression);
    assert_true(status_is_ok(&status));
    status = expression_assign(expression, bench->machine, value);
    expression_destroy(expression);
    if (error == NULL ? !status_is_ok(&status) : strstr(status.message, error) == NULL) {
        fail_msg("%s = 0x%llx: \"%s\"", place, (unsigned long long)value, status.message);
    }
}

static void registers_and_memory_can_be_set(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    assign(bench, "eax", 0x11223344, NULL);
    assign(bench, "ah", 0x155, NULL);
    assert_int_equal(cpu->gpr[CPU_AX].q, 0x11225544);
    assign(bench, "flags.cf", 1, NULL);
    assert_true(flags_cf(&cpu->flags));
    assign(bench, "eip", 0x7c00, NULL);
    assert_int_equal(cpu->rip, 0x7c00);
    assign(bench, "ds", 0x40, NULL);
    assert_int_equal(cpu->segment[CPU_DS].base, 0x400);
    assign(bench, "cs", 0x7c0, NULL);
    assert_int_equal(cpu->segment[CPU_CS].base, 0x7c00);
    assert_int_equal(cpu->rip, 0x7c00);
    assign(bench, "cr0", 0x80000000u, "the CPU refuses 0x80000000: #GP");
    assign(bench, "flags.vm", 1, "VM changes with segments only");
    assign(bench, "u16(ds:6c)", 0x1234, NULL);
    assert_int_equal(load_le16(bench->machine->ram + 0x46c), 0x1234);
    assign(bench, "*0x500", 0xaabbccdd, NULL);
    assign(bench, "pu8(0x500)", 0x11, NULL);
    assert_int_equal(load_le32(bench->machine->ram + 0x500), 0xaabbcc11u);
    assign(bench, "msr(0x174)", 0x60, NULL);
    assert_int_equal(cpu->sysenter_cs, 0x60);
    assign(bench, "msr(0x277)", 0x99, "refuses");
    assign(bench, "u8(0x300000)", 1, "no memory");
    assign(bench, "xmm1.w2", 0xbeef, NULL);
    assert_int_equal(load_le16(cpu->xmm[1].b + 4), 0xbeef);
    assign(bench, "retired", 1, "cannot be set");
    assign(bench, "eax + 1", 1, "can be set");
    assign(bench, "1 ? eax : ebx", 1, "can be set");
    assign(bench, "1 ? u8(1) : u8(2)", 1, "can be set");
}

/* The same expression, evaluated again, sees what has changed. */
static void expressions_are_evaluated_as_often_as_one_likes(void **state)
{
    struct bench *bench = *state;
    struct expression *expression;
    uint64_t value = 0;
    struct status status = expression_parse("ah == 0x4c && u8(0x500) != 0", &bench->scope, &expression);
    assert_true(status_is_ok(&status));
    for (unsigned i = 0; i < 4; i++) {
        bench->machine->cpu.gpr[CPU_AX].h = i & 1 ? 0x4c : 0;
        bench->machine->ram[0x500] = i & 2 ? 1 : 0;
        status = expression_evaluate(expression, bench->machine, &value);
        assert_true(status_is_ok(&status));
        assert_int_equal(value, i == 3);
    }
    expression_destroy(expression);
}

#define EXPRESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPRESSION_TEST(numbers_have_c_notations),
        EXPRESSION_TEST(operators_have_cs_precedence),
        EXPRESSION_TEST(arithmetic_wraps_at_64_bits),
        EXPRESSION_TEST(registers_of_every_kind_have_names),
        EXPRESSION_TEST(memory_is_read_in_all_widths),
        EXPRESSION_TEST(linear_addresses_go_through_the_page_tables),
        EXPRESSION_TEST(far_addresses_of_real_mode_are_sixteen_times_the_segment),
        EXPRESSION_TEST(far_addresses_of_protected_mode_go_through_the_descriptor),
        EXPRESSION_TEST(symbols_are_addresses),
        EXPRESSION_TEST(what_need_not_be_known_is_left_out),
        EXPRESSION_TEST(mistakes_are_named),
        EXPRESSION_TEST(nesting_has_an_end),
        EXPRESSION_TEST(registers_and_memory_can_be_set),
        EXPRESSION_TEST(expressions_are_evaluated_as_often_as_one_likes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
