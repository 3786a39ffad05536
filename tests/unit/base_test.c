/* Bit and byte helpers, host errors, log categories and counters: what every other module relies on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/counters.h"
#include "base/crc32.h"
#include "base/log.h"
#include "base/status.h"

static void masks_cover_every_width(void **state)
{
    (void)state;
    assert_int_equal(bits_mask(0), 0);
    assert_int_equal(bits_mask(1), 1);
    assert_int_equal(bits_mask(32), 0xffffffff);
    assert_int_equal(bits_mask(63), UINT64_MAX >> 1);
    assert_int_equal(bits_mask(64), UINT64_MAX);
}

static void fields_are_extracted_right_aligned(void **state)
{
    (void)state;
    assert_int_equal(bits_extract(0x123456789abcdef0, 4, 8), 0xef);
    assert_int_equal(bits_extract(0x123456789abcdef0, 60, 4), 1);
    assert_int_equal(bits_extract(0x123456789abcdef0, 0, 64), 0x123456789abcdef0);
    assert_int_equal(bits_extract(UINT64_MAX, 7, 0), 0);
}

static void signs_extend_from_any_width(void **state)
{
    (void)state;
    assert_int_equal(bits_sign_extend(0x7f, 8), 0x7f);
    assert_int_equal(bits_sign_extend(0x80, 8), (uint64_t)-0x80);
    assert_int_equal(bits_sign_extend(0xabcd80, 8), (uint64_t)-0x80);
    assert_int_equal(bits_sign_extend(1, 1), UINT64_MAX);
    assert_int_equal(bits_sign_extend(0x80000000, 32), 0xffffffff80000000);
    assert_int_equal(bits_sign_extend(0x8000000000000000, 64), 0x8000000000000000);
}

static void powers_of_two_and_alignment(void **state)
{
    (void)state;
    assert_false(bits_is_power_of_two(0));
    assert_true(bits_is_power_of_two(1));
    assert_true(bits_is_power_of_two((uint64_t)1 << 63));
    assert_false(bits_is_power_of_two(6));
    assert_int_equal(bits_align_up(0, 4096), 0);
    assert_int_equal(bits_align_up(1, 4096), 4096);
    assert_int_equal(bits_align_up(4096, 4096), 4096);
}

/* Byte by byte, so that the test says the same on a big-endian host; unaligned, as guests do it. */
static void memory_is_little_endian_and_unaligned(void **state)
{
    (void)state;
    uint8_t bytes[16];
    for (unsigned size = 1; size <= 8; size *= 2) {
        memset(bytes, 0xee, sizeof bytes);
        store_le(bytes + 3, size, 0x8877665544332211);
        for (unsigned i = 0; i < sizeof bytes; i++) {
            bool inside = i >= 3 && i < 3 + size;
            assert_int_equal(bytes[i], inside ? 0x11 * (i - 2) : 0xee);
        }
        assert_int_equal(load_le(bytes + 3, size), 0x8877665544332211 & bits_mask(8 * size));
    }
    assert_int_equal(load_u8(bytes + 3), 0x11);
    assert_int_equal(load_le16(bytes + 3), 0x2211);
    assert_int_equal(load_le32(bytes + 3), 0x44332211);
    assert_int_equal(load_le64(bytes + 3), 0x8877665544332211);
}

static void the_wire_is_big_endian(void **state)
{
    (void)state;
    uint8_t bytes[8];
    store_be16(bytes, 0x1122);
    assert_memory_equal(bytes, "\x11\x22", 2);
    store_be32(bytes, 0x11223344);
    assert_memory_equal(bytes, "\x11\x22\x33\x44", 4);
    assert_int_equal(load_be32(bytes), 0x11223344);
    store_be64(bytes, 0x1122334455667788);
    assert_memory_equal(bytes, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
}

static void status_carries_kind_and_message(void **state)
{
    (void)state;
    struct status status = status_ok();
    assert_true(status_is_ok(&status));
    assert_string_equal(status.message, "");
    status = status_error(STATUS_CORRUPT, "%s: sector %d is odd", "a.img", 7);
    assert_false(status_is_ok(&status));
    assert_int_equal(status.code, STATUS_CORRUPT);
    assert_string_equal(status.message, "a.img: sector 7 is odd");
}

static void status_from_errno_names_kind_and_cause(void **state)
{
    (void)state;
    static const struct {
        int errno_value;
        enum status_code code;
    } cases[] = {{ENOENT, STATUS_NOT_FOUND},
                 {ENOMEM, STATUS_NO_MEMORY},
                 {EROFS, STATUS_READ_ONLY},
                 {EIO, STATUS_IO_ERROR},
                 {EACCES, STATUS_IO_ERROR}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "cannot open b.img: %s", strerror(cases[i].errno_value));
        struct status status = status_from_errno(cases[i].errno_value, "cannot open %s", "b.img");
        assert_int_equal(status.code, cases[i].code);
        assert_string_equal(status.message, expected);
    }
}

static void overlong_messages_are_cut_but_for_the_reason(void **state)
{
    (void)state;
    char text[2 * sizeof((struct status *)NULL)->message];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct status status = status_error(STATUS_IO_ERROR, "%s", text);
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
    char reason[64];
    snprintf(reason, sizeof reason, "xxx: %s", strerror(EIO));
    status = status_from_errno(EIO, "%s", text);
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
    assert_string_equal(status.message + strlen(status.message) - strlen(reason), reason);
    status = status_from_errno(EIO, "%.*s", (int)sizeof status.message - 5, text);
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
    assert_string_equal(status.message + strlen(status.message) - strlen(reason), reason);
}

static void log_lists_turn_categories_on(void **state)
{
    (void)state;
    struct log log = {0};
    struct status status = log_enable_list(&log, "int,mmu");
    assert_true(status_is_ok(&status));
    for (unsigned i = 0; i < LOG_CATEGORY_COUNT; i++) {
        assert_int_equal(log_is_enabled(&log, i), i == LOG_INT || i == LOG_MMU);
    }
    status = log_enable_list(&log, "fdc");
    assert_true(status_is_ok(&status));
    assert_true(log_is_enabled(&log, LOG_FDC) && log_is_enabled(&log, LOG_INT));
}

static void unknown_log_categories_name_the_known_ones(void **state)
{
    (void)state;
    static const char *const lists[] = {"in", "intt", "", "int,", ",int", "INT", "int mmu", "nonsense,int"};
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        struct log log = {0};
        struct status status = log_enable_list(&log, lists[i]);
        if (status.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("'%s' was accepted", lists[i]);
        }
        for (unsigned category = 0; category < LOG_CATEGORY_COUNT; category++) {
            assert_non_null(strstr(status.message, log_category_name(category)));
        }
    }
    struct log log = {0};
    struct status status = log_enable_list(&log, "io,colour,int");
    assert_non_null(strstr(status.message, "'colour'"));
}

static void log_writes_only_categories_that_are_on(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    struct log log = {.enabled = 1u << LOG_POST, .sink = open_memstream(&text, &size)};
    assert_non_null(log.sink);
    log_printf(&log, LOG_POST, "code %02x", 0x1a);
    log_printf(&log, LOG_INT, "vector %d", 8);
    fclose(log.sink);
    assert_string_equal(text, "post: code 1a\n");
    free(text);
}

static void log_lines_have_no_name_in_front(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    struct log log = {.enabled = 1u << LOG_EXEC, .sink = open_memstream(&text, &size)};
    log_line(&log, LOG_EXEC, "Trace %d", 0);
    log_line(&log, LOG_CPU, "EAX");
    fclose(log.sink);
    assert_string_equal(text, "Trace 0\n");
    free(text);
}

static void filters_take_ranges_in_three_notations(void **state)
{
    (void)state;
    struct log log = {0};
    assert_true(log_wants_address(&log, 5));
    struct status status = log_set_filter(&log, "0x100..0x1ff,0x7c00+0x200,4095-16");
    assert_int_equal(status.code, STATUS_OK);
    static const struct {
        uint64_t address;
        bool wanted;
    } cases[] = {{0xff, false},   {0x100, true},  {0x1ff, true},  {0x200, false},
                 {0x7bff, false}, {0x7c00, true}, {0x7dff, true}, {0x7e00, false},
                 {4095, true},    {4080, true},   {4079, false},  {4096, false}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(log_wants_address(&log, cases[i].address), cases[i].wanted);
    }
    static const char *const bad[] = {"",     "x",     "1",     "1..",       "1.2",
                                      "2..1", "1+0",   "1-0",   "1+2,",      ",1+2",
                                      "1+2x", "-1..2", "1 ..2", "0x10-0x12", "0xffffffffffffffff+2"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        status = log_set_filter(&log, bad[i]);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "START+LENGTH"));
    }
    status = log_set_filter(&log, "1+1,2+1,3+1,4+1,5+1,6+1,7+1,8+1,9+1");
    assert_non_null(strstr(status.message, "at most 8"));
}

static void categories_and_counters_are_described_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOG_CATEGORY_COUNT; i++) {
        assert_true(strlen(log_category_text(i)) > 0);
        assert_null(strpbrk(log_category_name(i), ", "));
        for (unsigned other = 0; other < i; other++) {
            assert_string_not_equal(log_category_name(i), log_category_name(other));
        }
    }
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        assert_true(strlen(counter_text(i)) > 0);
        for (unsigned other = 0; other < i; other++) {
            assert_string_not_equal(counter_name(i), counter_name(other));
        }
    }
}

static void counters_count_apart(void **state)
{
    (void)state;
    struct counters counters = {0};
    counter_add(&counters, COUNTER_HALTS, 2);
    counter_add(&counters, COUNTER_HALTS, 3);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        assert_int_equal(counters.value[i], i == COUNTER_HALTS ? 5 : 0);
    }
}

/* The check value of CRC-32/ISO-HDLC, whole and in pieces. */
static void crc32_is_that_of_zip_and_goes_on_in_pieces(void **state)
{
    (void)state;
    static const char digits[] = "123456789123456789";
    assert_int_equal(crc32_append(0, digits, 9), 0xCBF43926);
    uint32_t whole = crc32_append(0, digits, 18);
    for (size_t cut = 0; cut <= 18; cut++) {
        assert_int_equal(crc32_append(crc32_append(0, digits, cut), digits + cut, 18 - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_cover_every_width),
        cmocka_unit_test(fields_are_extracted_right_aligned),
        cmocka_unit_test(signs_extend_from_any_width),
        cmocka_unit_test(powers_of_two_and_alignment),
        cmocka_unit_test(memory_is_little_endian_and_unaligned),
        cmocka_unit_test(the_wire_is_big_endian),
        cmocka_unit_test(status_carries_kind_and_message),
        cmocka_unit_test(status_from_errno_names_kind_and_cause),
        cmocka_unit_test(overlong_messages_are_cut_but_for_the_reason),
        cmocka_unit_test(log_lists_turn_categories_on),
        cmocka_unit_test(unknown_log_categories_name_the_known_ones),
        cmocka_unit_test(log_writes_only_categories_that_are_on),
        cmocka_unit_test(log_lines_have_no_name_in_front),
        cmocka_unit_test(filters_take_ranges_in_three_notations),
        cmocka_unit_test(categories_and_counters_are_described_once),
        cmocka_unit_test(counters_count_apart),
        cmocka_unit_test(crc32_is_that_of_zip_and_goes_on_in_pieces),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
