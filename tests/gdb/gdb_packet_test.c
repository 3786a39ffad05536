/* Packets of gdb's protocol: found in bytes, checked, unescaped; put together; numbers in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "debugger/gdb_packet.h"

static enum gdb_packet_event feed(struct gdb_packet_reader *reader, const char *bytes, size_t length)
{
    enum gdb_packet_event event = GDB_PACKET_NOTHING;
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(event, GDB_PACKET_NOTHING); /* only the last byte says something */
        event = gdb_packet_read(reader, (uint8_t)bytes[i]);
    }
    return event;
}

static struct gdb_packet_reader *make_reader(void **state)
{
    struct gdb_packet_reader *reader = *state;
    memset(reader, 0, sizeof *reader);
    return reader;
}

static void a_packet_is_what_stands_between_dollar_and_its_checksum(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    assert_int_equal(feed(reader, "$m7c00,4#c7", 11), GDB_PACKET_COMPLETE);
    assert_string_equal(reader->data, "m7c00,4");
    assert_int_equal(feed(reader, "$#00", 4), GDB_PACKET_COMPLETE);
    assert_int_equal(reader->length, 0);
    assert_int_equal(feed(reader, "$G#47", 5), GDB_PACKET_COMPLETE);
}

static void a_wrong_checksum_is_a_damaged_packet(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    assert_int_equal(feed(reader, "$g#68", 5), GDB_PACKET_DAMAGED);
    assert_int_equal(feed(reader, "$g#6g", 5), GDB_PACKET_DAMAGED);
    assert_int_equal(feed(reader, "$g#67", 5), GDB_PACKET_COMPLETE);
}

static void bytes_between_packets_mean_what_the_protocol_says(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    assert_int_equal(feed(reader, "+", 1), GDB_PACKET_ACK);
    assert_int_equal(feed(reader, "-", 1), GDB_PACKET_NAK);
    assert_int_equal(feed(reader, "\x03", 1), GDB_PACKET_INTERRUPT);
    assert_int_equal(feed(reader, "noise#1}", 8), GDB_PACKET_NOTHING);
    assert_int_equal(feed(reader, "$g#67", 5), GDB_PACKET_COMPLETE);
}

static void escaped_bytes_are_data(void **state)
{
    static const char packet[] = "$X0,5:}\x03}]}\x04\x03+#2c";
    struct gdb_packet_reader *reader = make_reader(state);
    assert_int_equal(feed(reader, packet, sizeof packet - 1), GDB_PACKET_COMPLETE);
    assert_int_equal(reader->length, 10);
    assert_memory_equal(reader->data, "X0,5:#}$\x03+", 10);
}

static void a_dollar_within_a_packet_begins_another(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    assert_int_equal(feed(reader, "$lost}$g#67", 11), GDB_PACKET_COMPLETE);
    assert_string_equal(reader->data, "g");
}

static void a_packet_that_is_too_long_is_passed_over(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    uint8_t sum = 0;
    assert_int_equal(gdb_packet_read(reader, '$'), GDB_PACKET_NOTHING);
    for (unsigned i = 0; i <= GDB_PACKET_MAX; i++, sum = (uint8_t)(sum + 'a')) {
        assert_int_equal(gdb_packet_read(reader, 'a'), GDB_PACKET_NOTHING);
    }
    const uint8_t end[] = {'#', (uint8_t) "0123456789abcdef"[sum >> 4],
                           (uint8_t) "0123456789abcdef"[sum & 15]};
    assert_int_equal(feed(reader, (const char *)end, 3), GDB_PACKET_TOO_LONG);
    assert_int_equal(feed(reader, "$g#67", 5), GDB_PACKET_COMPLETE);
    assert_string_equal(reader->data, "g");
}

static void the_longest_packet_is_read(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    char *data = malloc(GDB_PACKET_MAX);
    uint8_t *packet = malloc(GDB_PACKET_MAX + 4);
    memset(data, 'z', GDB_PACKET_MAX);
    const size_t length = gdb_packet_frame(data, GDB_PACKET_MAX, packet);
    assert_int_equal(length, GDB_PACKET_MAX + 4);
    assert_int_equal(feed(reader, (const char *)packet, length), GDB_PACKET_COMPLETE);
    assert_int_equal(reader->length, GDB_PACKET_MAX);
    assert_memory_equal(reader->data, data, GDB_PACKET_MAX);
    free(packet);
    free(data);
}

static void what_is_framed_is_read_again_whatever_bytes_it_has(void **state)
{
    struct gdb_packet_reader *reader = make_reader(state);
    char all[256], data[520];
    uint8_t packet[524];
    struct gdb_text text = {.data = data, .size = sizeof data};
    for (unsigned i = 0; i < sizeof all; i++) {
        all[i] = (char)i;
    }
    assert_int_equal(gdb_text_add_escaped(&text, all, sizeof all), sizeof all);
    const size_t length = gdb_packet_frame(text.data, text.length, packet);
    assert_int_equal(feed(reader, (const char *)packet, length), GDB_PACKET_COMPLETE);
    assert_int_equal(reader->length, sizeof all);
    assert_memory_equal(reader->data, all, sizeof all);
}

static void text_that_has_no_room_is_left_out(void **state)
{
    (void)state;
    char data[8];
    struct gdb_text text = {.data = data, .size = sizeof data};
    gdb_text_add(&text, "T05");
    gdb_text_add_hex(&text, "\x1f\xe0", 2);
    gdb_text_add_number(&text, 0);
    assert_memory_equal(data, "T051fe00", 8);
    assert_false(text.full);
    gdb_text_add_number(&text, 0x10);
    assert_true(text.full);
    assert_int_equal(text.length, 8);
    text.length = 6;
    assert_int_equal(gdb_text_add_escaped(&text, "*x", 2), 1); /* and not half an escape */
    text.length = 7;
    assert_int_equal(gdb_text_add_escaped(&text, "*x", 2), 0);
}

static void numbers_have_hexadecimal_digits_and_an_end(void **state)
{
    (void)state;
    static const char text[] = "ffffFFFF,10ffffffffffffffff,x";
    struct gdb_words words = {.at = text, .end = text + sizeof text - 1};
    uint64_t value = 0;
    assert_true(gdb_words_take_number(&words, &value));
    assert_int_equal(value, 0xffffffff);
    assert_false(gdb_words_take_number(&words, &value)); /* a comma is none */
    assert_true(gdb_words_take(&words, ","));
    assert_false(gdb_words_take_number(&words, &value)); /* 18 digits */
    assert_true(gdb_words_take(&words, "10"));
    assert_true(gdb_words_take_number(&words, &value));
    assert_true(value == UINT64_MAX);
    assert_false(gdb_words_take(&words, ",xy"));
    assert_true(gdb_words_take(&words, ",x"));
    assert_false(gdb_words_take_number(&words, &value));
}

static void bytes_are_pairs_of_digits(void **state)
{
    (void)state;
    static const char text[] = "00fF1";
    struct gdb_words words = {.at = text, .end = text + sizeof text - 1};
    uint8_t bytes[3] = {1, 2, 3};
    assert_false(gdb_words_take_hex(&words, bytes, 3)); /* half a byte is missing */
    assert_true(gdb_words_take_hex(&words, bytes, 2));
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[1], 0xff);
    assert_int_equal(gdb_words_left(&words), 1);
    words.at = "zz";
    words.end = words.at + 2;
    assert_false(gdb_words_take_hex(&words, bytes, 1));
}

static int allocate(void **state)
{
    *state = malloc(sizeof(struct gdb_packet_reader));
    return *state == NULL;
}

static int release(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_what_stands_between_dollar_and_its_checksum),
        cmocka_unit_test(a_wrong_checksum_is_a_damaged_packet),
        cmocka_unit_test(bytes_between_packets_mean_what_the_protocol_says),
        cmocka_unit_test(escaped_bytes_are_data),
        cmocka_unit_test(a_dollar_within_a_packet_begins_another),
        cmocka_unit_test(a_packet_that_is_too_long_is_passed_over),
        cmocka_unit_test(the_longest_packet_is_read),
        cmocka_unit_test(what_is_framed_is_read_again_whatever_bytes_it_has),
        cmocka_unit_test(text_that_has_no_room_is_left_out),
        cmocka_unit_test(numbers_have_hexadecimal_digits_and_an_end),
        cmocka_unit_test(bytes_are_pairs_of_digits),
    };
    return cmocka_run_group_tests(tests, allocate, release);
}
