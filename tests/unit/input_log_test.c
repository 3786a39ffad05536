/* Recordings: what is written is what is read, and no damaged file is taken for a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/input_log.h"

#define TEXT "memory: 1024 KiB\nprocessor: 80486\n"

#define LOG_MOST 4096u

static const struct input_record records[] = {
    {.kind = INPUT_KEY, .time = 8, .retired = 1, .numbers = {1}, .bytes = "ret", .length = 3},
    {.kind = INPUT_KEY, .time = 8, .retired = 1, .numbers = {0}, .bytes = "ret", .length = 3},
    {.kind = INPUT_MOUSE, .time = 9, .retired = 2, .numbers = {5, UINT32_MAX, 0, 7}},
    {.kind = INPUT_SERIAL, .time = 800, .retired = 2, .numbers = {1}, .bytes = "\0\xff", .length = 2},
    {.kind = INPUT_FLOPPY, .time = 801, .retired = 3, .numbers = {0, 1, 77}, .bytes = "a.img", .length = 5},
    {.kind = INPUT_FLOPPY, .time = 802, .retired = 4, .numbers = {1}},
    {.kind = INPUT_DISC, .time = 803, .retired = 5, .numbers = {2, 1, 78}, .bytes = "b.iso", .length = 5},
    {.kind = INPUT_RESET, .time = 804, .retired = 6},
    {.kind = INPUT_POWER_BUTTON, .time = 805, .retired = 7},
    {.kind = INPUT_END, .time = 900, .retired = UINT64_MAX, .numbers = {1, 2, 1}},
};

struct bench {
    char path[64];
    uint8_t bytes[LOG_MOST];
    size_t size;
    size_t places[ARRAY_COUNT(records)]; /* of the records */
};

static void write_log(struct bench *bench, const struct input_record *from, size_t count)
{
    const struct input_log_header header = {.rtc_epoch = 86400, .ns_per_instruction = 8, .text = TEXT};
    struct input_log_writer *writer;
    struct status status = input_log_create(bench->path, &header, &writer);
    assert_string_equal(status.message, "");
    for (size_t i = 0; i < count; i++) {
        input_log_write(writer, &from[i]);
    }
    status = input_log_finish(writer);
    assert_string_equal(status.message, "");
    FILE *file = fopen(bench->path, "rb");
    assert_non_null(file);
    bench->size = fread(bench->bytes, 1, sizeof bench->bytes, file);
    fclose(file);
    assert_in_range(bench->size, 1, LOG_MOST - 1);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    strcpy(bench->path, "/tmp/doppel-input-log-XXXXXX");
    int descriptor = mkstemp(bench->path);
    assert_true(descriptor >= 0);
    close(descriptor);
    write_log(bench, records, ARRAY_COUNT(records));
    size_t place = bench->size;
    for (size_t i = ARRAY_COUNT(records); i-- > 0;) {
        place -= 37 + records[i].length + 4;
        bench->places[i] = place;
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    unlink(bench->path);
    free(bench);
    return 0;
}

static enum status_code parse(const void *bytes, size_t size)
{
    struct input_log *log;
    struct status status = input_log_parse("file", bytes, size, &log);
    assert_true(status_is_ok(&status) == (log != NULL));
    assert_true(status_is_ok(&status) || status.message[0] != '\0');
    assert_null(strchr(status.message, '\n'));
    input_log_close(log);
    return status.code;
}

static void what_is_written_is_what_is_read(void **state)
{
    const struct bench *bench = *state;
    struct input_log *log;
    struct status status = input_log_open(bench->path, &log);
    assert_string_equal(status.message, "");
    const struct input_log_header *header = input_log_header(log);
    assert_int_equal(header->rtc_epoch, 86400);
    assert_int_equal(header->ns_per_instruction, 8);
    assert_string_equal(header->text, TEXT);
    struct input_record record;
    for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
        assert_true(input_log_next(log, &record));
        assert_int_equal(record.kind, records[i].kind);
        assert_int_equal(record.time, records[i].time);
        assert_int_equal(record.retired, records[i].retired);
        assert_memory_equal(record.numbers, records[i].numbers, sizeof record.numbers);
        assert_int_equal(record.length, records[i].length);
        assert_true(record.length == 0 || memcmp(record.bytes, records[i].bytes, record.length) == 0);
    }
    assert_false(input_log_next(log, &record));
    input_log_close(log);
}

static void a_log_cut_off_anywhere_is_refused(void **state)
{
    const struct bench *bench = *state;
    assert_int_equal(parse(bench->bytes, bench->size), STATUS_OK);
    for (size_t size = 0; size < bench->size; size++) {
        assert_int_equal(parse(bench->bytes, size), size < 16 ? STATUS_UNSUPPORTED : STATUS_CORRUPT);
    }
}

static void a_log_with_any_bit_wrong_is_refused(void **state)
{
    struct bench *bench = *state;
    for (size_t at = 0; at < bench->size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bench->bytes[at] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(parse(bench->bytes, bench->size), STATUS_OK);
            bench->bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
}

static void nothing_may_follow_the_end(void **state)
{
    struct bench *bench = *state;
    size_t end = bench->places[ARRAY_COUNT(records) - 1];
    memcpy(bench->bytes + bench->size, bench->bytes + end, bench->size - end);
    assert_int_equal(parse(bench->bytes, 2 * bench->size - end), STATUS_CORRUPT);
}

/* One record, with the right CRC, and the end. */
static enum status_code parse_record(struct bench *bench, const struct input_record *record)
{
    const struct input_record both[] = {
        *record, {.kind = INPUT_END, .time = record->time, .retired = record->retired}};
    write_log(bench, both, 2);
    return parse(bench->bytes, bench->size);
}

static void values_that_no_machine_could_take_are_refused(void **state)
{
    struct bench *bench = *state;
    const struct input_record bad[] = {
        {.kind = INPUT_KEY, .bytes = "no such key", .length = 11},
        {.kind = INPUT_KEY, .bytes = "a\0", .length = 2},
        {.kind = INPUT_KEY},
        {.kind = INPUT_KEY, .numbers = {2}, .bytes = "a", .length = 1},
        {.kind = INPUT_MOUSE, .numbers = {0, 0, 0, 32}},
        {.kind = INPUT_MOUSE, .bytes = "a", .length = 1},
        {.kind = INPUT_SERIAL, .numbers = {2}, .bytes = "a", .length = 1},
        {.kind = INPUT_SERIAL, .numbers = {0}},
        {.kind = INPUT_FLOPPY, .numbers = {2}},
        {.kind = INPUT_FLOPPY, .numbers = {0, 2}},
        {.kind = INPUT_FLOPPY, .bytes = "a\0b", .length = 3},
        {.kind = INPUT_DISC, .numbers = {4}},
        {.kind = INPUT_DISC, .numbers = {0, 2}},
        {.kind = INPUT_RESET, .numbers = {1}},
        {.kind = INPUT_POWER_BUTTON, .bytes = "a", .length = 1},
        {.kind = INPUT_KIND_COUNT},
        {.kind = INPUT_RESET, .time = UINT64_MAX},
        {.kind = INPUT_END},
    };
    assert_int_equal(parse_record(bench, &(struct input_record){.kind = INPUT_RESET}), STATUS_OK);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(parse_record(bench, &bad[i]), STATUS_CORRUPT);
    }
}

static void time_does_not_run_backwards(void **state)
{
    struct bench *bench = *state;
    const struct input_record times[] = {{.kind = INPUT_RESET, .time = 8, .retired = 1},
                                         {.kind = INPUT_END, .time = 7, .retired = 1}};
    const struct input_record counts[] = {{.kind = INPUT_RESET, .time = 8, .retired = 2},
                                          {.kind = INPUT_END, .time = 8, .retired = 1}};
    write_log(bench, times, 2);
    assert_int_equal(parse(bench->bytes, bench->size), STATUS_CORRUPT);
    write_log(bench, counts, 2);
    assert_int_equal(parse(bench->bytes, bench->size), STATUS_CORRUPT);
}

static void another_version_is_named(void **state)
{
    struct bench *bench = *state;
    bench->bytes[16] = 9;
    struct input_log *log;
    struct status status = input_log_parse("file", bench->bytes, bench->size, &log);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_non_null(strstr(status.message, "format 9"));
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
    struct bench *bench = *state;
    const struct input_log_header header = {.ns_per_instruction = 8, .text = TEXT};
    struct input_log_writer *writer;
    struct status status = input_log_create("/nowhere/at/all", &header, &writer);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_null(writer);
    if (access("/dev/full", W_OK) == 0) {
        status = input_log_create("/dev/full", &header, &writer);
        assert_string_equal(status.message, "");
        for (size_t i = 0; i < bench->size; i++) {
            input_log_write(writer, &records[0]);
        }
        status = input_log_finish(writer);
        assert_int_equal(status.code, STATUS_IO_ERROR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_what_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_cut_off_anywhere_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_with_any_bit_wrong_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_may_follow_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_that_no_machine_could_take_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_does_not_run_backwards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_version_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("input_log", tests, NULL, NULL);
}
