/* Symbol files (debugger/symbols.h): every format, what is found by name and by address, and files that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "debugger/symbols.h"

static int set_up(void **state)
{
    *state = symbols_create();
    return *state == NULL;
}

static int tear_down(void **state)
{
    symbols_destroy(*state);
    return 0;
}

static size_t load_text(struct symbols *symbols, const char *name, const char *text, uint64_t offset)
{
    size_t count;
    struct status status = symbols_parse(symbols, name, (const uint8_t *)text, strlen(text), offset, &count);
    if (!status_is_ok(&status)) {
        fail_msg("%s: %s", name, status.message);
    }
    return count;
}

static void assert_refused(struct symbols *symbols, const void *bytes, size_t length, const char *part)
{
    size_t count = 1;
    struct status status = symbols_parse(symbols, "file", bytes, length, 0, &count);
    assert_int_equal(count, 0);
    assert_int_equal(symbols_count(symbols), 0);
    if (status_is_ok(&status) || strstr(status.message, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", status.message, part);
    }
}

static void assert_at(struct symbols *symbols, uint64_t address, const char *expected)
{
    char text[64];
    assert_string_equal(symbols_describe(symbols, address, text, sizeof text), expected);
}

static void assert_named(struct symbols *symbols, const char *name, uint64_t expected)
{
    uint64_t address = 0;
    assert_true(symbols_find_name(symbols, name, strlen(name), &address));
    assert_int_equal(address, expected);
}

static void system_maps_and_nm_are_read(void **state)
{
    size_t count = load_text(*state, "System.map",
                             "c0100000 T _text\n"
                             "c0100010 t do_one_initcall\n"
                             "         U printf\n"
                             "c0100400 00000020 T sized\n"
                             "c0200000 D jiffies\n"
                             "00000000c0200004 b later\t[module]\n"
                             "ffffffff81000000 T too_far\n"
                             "0x500 plain\n",
                             0);
    assert_int_equal(count, 6);
    assert_named(*state, "jiffies", 0xc0200000);
    assert_named(*state, "later", 0xc0200004);
    assert_named(*state, "plain", 0x500);
    assert_at(*state, 0xc0100000, "_text");
    assert_at(*state, 0xc010000f, "_text+0xf");
    assert_at(*state, 0xc010041f, "sized+0x1f");
    assert_at(*state, 0xc0100420, "do_one_initcall+0x410");
    assert_at(*state, 0x4ff, "");
    assert_at(*state, 0x10500, "");
}

static void map_files_of_real_mode_are_read(void **state)
{
    size_t count = load_text(*state, "PROG.MAP",
                             " Start  Stop   Length Name\r\n"
                             " 00000H 0001FH 00020H _TEXT\r\n"
                             "  Address         Publics by Value\r\n"
                             " 0000:0010       _main\r\n"
                             " 0012:0004  Abs  _exit\r\n"
                             "Program entry point at 0000:0000\r\n",
                             0x7c00);
    assert_int_equal(count, 2);
    assert_named(*state, "_main", 0x7c10);
    assert_named(*state, "_exit", 0x7d24);
}

static void functions_come_before_other_names_of_an_address(void **state)
{
    load_text(*state, "map", "1000 a absolute\n1000 d data\n1000 t local\n1000 T global\n", 0);
    assert_at(*state, 0x1001, "global+0x1");
    assert_named(*state, "absolute", 0x1000);
}

static void files_come_and_go(void **state)
{
    load_text(*state, "one", "1000 T first\n1010 T both\n", 0);
    load_text(*state, "two", "2000 T second\n0010 T both\n", 0x100);
    assert_named(*state, "both", 0x110);
    assert_at(*state, 0x2100, "second");
    assert_true(symbols_unload(*state, "two"));
    assert_false(symbols_unload(*state, "two"));
    assert_named(*state, "both", 0x1010);
    assert_int_equal(symbols_count(*state), 2);
    assert_true(symbols_unload(*state, NULL));
    assert_int_equal(symbols_count(*state), 0);
    assert_false(symbols_find_name(*state, "first", 5, &(uint64_t){0}));
    assert_at(*state, 0x1000, "");
}

static void names_are_in_order_for_completion(void **state)
{
    load_text(*state, "map", "3 T zeta\n1 T alpha\n2 T alphabet\n4 T beta\n", 0);
    size_t n = symbols_first_by_name(*state, "alp");
    assert_string_equal(symbols_by_name(*state, n)->name, "alpha");
    assert_string_equal(symbols_by_name(*state, n + 1)->name, "alphabet");
    assert_int_equal(symbols_first_by_name(*state, "zz"), 4);
}

static void texts_without_symbols_are_refused(void **state)
{
    assert_refused(*state, "", 0, "no symbols");
    assert_refused(*state, "hello\nworld 12\n", 15, "no symbols");
    assert_refused(*state, "\0\0\0\0\xff\xfe", 6, "no symbols");
    assert_refused(*state, "\x7f\0\n10 T f\n", 10, "no symbols");
    assert_refused(*state, "00000000 T a\n00000000 T b\n", 26, "all addresses are zero");
    size_t count;
    struct status status = symbols_load(*state, "/nonexistent", 0, &count);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    status = symbols_load(*state, "/", 0, &count);
    assert_false(status_is_ok(&status));
}

/* An ELF file: header, three section headers (null, .symtab, .strtab), symbols, names. */
enum {
    SECTIONS = 52,
    TABLE = SECTIONS + 3 * 40,
    SYMBOL_COUNT = 4,
    NAMES = TABLE + SYMBOL_COUNT * 16,
    SIZE = NAMES + 24
};

static void put_symbol(uint8_t *elf, unsigned n, uint32_t name, uint32_t value, uint32_t size, uint8_t info,
                       uint16_t section)
{
    uint8_t *at = elf + TABLE + 16 * n;
    store_le32(at, name);
    store_le32(at + 4, value);
    store_le32(at + 8, size);
    at[12] = info;
    store_le16(at + 14, section);
}

static void make_elf(uint8_t elf[SIZE])
{
    memset(elf, 0, SIZE);
    memcpy(elf,
           "\x7f"
           "ELF\1\1\1",
           7);
    store_le16(elf + 18, 3);
    store_le32(elf + 32, SECTIONS);
    store_le16(elf + 46, 40);
    store_le16(elf + 48, 3);
    uint8_t *symtab = elf + SECTIONS + 40, *strtab = elf + SECTIONS + 80;
    store_le32(symtab + 4, 2);
    store_le32(symtab + 16, TABLE);
    store_le32(symtab + 20, 16 * SYMBOL_COUNT);
    store_le32(symtab + 24, 2);
    store_le32(symtab + 36, 16);
    store_le32(strtab + 4, 3);
    store_le32(strtab + 16, NAMES);
    store_le32(strtab + 20, 24);
    memcpy(elf + NAMES, "\0main\0counter\0outside", 22);
    put_symbol(elf, 1, 1, 0x100000, 0x30, 0x12, 1);
    put_symbol(elf, 2, 6, 0x100100, 4, 0x11, 2);
    put_symbol(elf, 3, 14, 0x5, 0, 0x12, 0); /* undefined */
}

static void elf_files_are_read(void **state)
{
    uint8_t elf[SIZE];
    size_t count;
    make_elf(elf);
    struct status status = symbols_parse(*state, "kernel", elf, sizeof elf, 0x1000, &count);
    assert_true(status_is_ok(&status));
    assert_int_equal(count, 2);
    assert_named(*state, "main", 0x101000);
    assert_at(*state, 0x10102f, "main+0x2f");
    assert_at(*state, 0x101030, "");
    assert_at(*state, 0x101103, "counter+0x3");
}

static void elf_files_that_lie_are_refused(void **state)
{
    static const struct {
        unsigned offset, width;
        uint32_t value;
        const char *part;
    } cases[] = {{4, 1, 2, "not an ELF file for the i386"},
                 {18, 2, 62, "not an ELF file for the i386"},
                 {32, 4, 0, "without sections"},
                 {32, 4, 0xfffffff0, "section table lies outside"},
                 {48, 2, 0xffff, "section table lies outside"},
                 {46, 2, 39, "section table lies outside"},
                 {SECTIONS + 40 + 4, 4, 1, "no symbol table"},
                 {SECTIONS + 40 + 16, 4, 0xfffffff0, "contradicts"},
                 {SECTIONS + 40 + 20, 4, 0xfffffff0, "contradicts"},
                 {SECTIONS + 40 + 24, 4, 7, "contradicts"},
                 {SECTIONS + 40 + 36, 4, 0, "contradicts"},
                 {SECTIONS + 80 + 16, 4, 0x10000, "contradicts"},
                 {SECTIONS + 80 + 20, 4, 0, "contradicts"},
                 {SECTIONS + 80 + 20, 4, 1, "no symbols"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint8_t elf[SIZE];
        make_elf(elf);
        store_le(elf + cases[i].offset, cases[i].width, cases[i].value);
        assert_refused(*state, elf, sizeof elf, cases[i].part);
    }
    uint8_t elf[SIZE];
    make_elf(elf);
    assert_refused(*state, elf, 10, "not an ELF");
    assert_refused(*state, elf, NAMES + 10, "contradicts");
}

#define SYMBOLS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SYMBOLS_TEST(system_maps_and_nm_are_read),
        SYMBOLS_TEST(map_files_of_real_mode_are_read),
        SYMBOLS_TEST(functions_come_before_other_names_of_an_address),
        SYMBOLS_TEST(files_come_and_go),
        SYMBOLS_TEST(names_are_in_order_for_completion),
        SYMBOLS_TEST(texts_without_symbols_are_refused),
        SYMBOLS_TEST(elf_files_are_read),
        SYMBOLS_TEST(elf_files_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
