/* The serial port at 3F8h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/ns16550.h"

#define CHARACTER_NS 1041666u /* 9600 baud, 8N1: ten bits */

struct fixture {
    struct bench *bench;
    struct bench_line irq;
    struct ns16550 *uart;
    uint8_t sent[64];
    unsigned sent_count;
    unsigned room; /* bytes that are taken at once */
};

static void collect(void *opaque, uint8_t byte)
{
    struct fixture *fixture = opaque;
    fixture->sent[fixture->sent_count++] = byte;
}

static bool has_room(void *opaque)
{
    const struct fixture *fixture = opaque;
    return fixture->sent_count < fixture->room;
}

static void out(struct fixture *fixture, unsigned reg, uint8_t value)
{
    bench_out(fixture->bench, (uint16_t)(0x3f8 + reg), value);
}

static unsigned in(struct fixture *fixture, unsigned reg)
{
    return bench_in(fixture->bench, (uint16_t)(0x3f8 + reg));
}

/* 9600 baud, 8N1, interrupts gated on. */
static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct ns16550_config config = {.name = "serial0",
                                    .base = 0x3f8,
                                    .irq = bench_line_connect(&fixture->irq),
                                    .transmit = collect,
                                    .takes_at_once = has_room,
                                    .opaque = fixture,
                                    .connected = true};
    bench_check(ns16550_create(&fixture->bench->host, &config, &fixture->uart));
    out(fixture, 3, 0x83);
    out(fixture, 0, 12);
    out(fixture, 1, 0);
    out(fixture, 3, 0x03);
    out(fixture, 4, 0x0b);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = ns16550_device(fixture->uart);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void receive(struct fixture *fixture, const char *text, size_t length)
{
    ns16550_receive(fixture->uart, (const uint8_t *)text, length);
}

static void wait_characters(struct fixture *fixture, unsigned count)
{
    bench_run_for(fixture->bench, count * CHARACTER_NS + 100);
}

static void transmission_takes_the_time_of_the_baud_rate(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(in(fixture, 5), 0x60);
    out(fixture, 0, 'h');
    assert_int_equal(in(fixture, 5), 0x20); /* already shifting */
    out(fixture, 0, 'i');
    assert_int_equal(in(fixture, 5), 0x00);
    bench_run_for(fixture->bench, CHARACTER_NS - 1000);
    assert_int_equal(fixture->sent_count, 0);
    bench_run_for(fixture->bench, 2000);
    assert_int_equal(fixture->sent_count, 1);
    assert_int_equal(in(fixture, 5), 0x20);
    wait_characters(fixture, 1);
    assert_memory_equal(fixture->sent, "hi", 2);
    assert_int_equal(in(fixture, 5), 0x60);
}

static void transmitter_interrupt_is_cleared_by_reading_iir_or_writing(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 1, 0x02);
    assert_true(fixture->irq.level);
    assert_int_equal(in(fixture, 2), 0x02);
    assert_false(fixture->irq.level);
    assert_int_equal(in(fixture, 2), 0x01);
    out(fixture, 0, 'a');
    assert_true(fixture->irq.level); /* went straight to the shift register */
    out(fixture, 0, 'b');
    assert_false(fixture->irq.level);
    wait_characters(fixture, 1);
    assert_true(fixture->irq.level);
}

static void a_host_that_takes_bytes_at_once_is_not_kept_waiting(void **state)
{
    struct fixture *fixture = *state;
    fixture->room = 3;
    out(fixture, 1, 0x02);
    unsigned rises = fixture->irq.rises;
    for (unsigned i = 0; i < 3; i++) {
        out(fixture, 0, (uint8_t)('a' + i));
        assert_int_equal(fixture->sent_count, i + 1);
        assert_int_equal(in(fixture, 5), 0x60);
        assert_true(fixture->irq.level);
        assert_int_equal(fixture->irq.rises, rises + i + 1); /* each write is an edge */
    }
    assert_int_equal(in(fixture, 2), 0x02);
    assert_false(fixture->irq.level);
    assert_memory_equal(fixture->sent, "abc", 3);
}

static void a_host_that_falls_behind_gets_the_baud_rate(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 2, 0x01);
    fixture->room = 1;
    for (unsigned i = 0; i < 4; i++) {
        out(fixture, 0, (uint8_t)('a' + i));
    }
    assert_int_equal(fixture->sent_count, 1);
    assert_int_equal(in(fixture, 5), 0x00);
    wait_characters(fixture, 1);
    assert_int_equal(fixture->sent_count, 2);
    fixture->room = 64; /* seen when the character on the wire is through */
    wait_characters(fixture, 1);
    assert_memory_equal(fixture->sent, "abcd", 4);
    assert_int_equal(in(fixture, 5), 0x60);
}

static void loopback_keeps_the_baud_rate(void **state)
{
    struct fixture *fixture = *state;
    fixture->room = 64;
    out(fixture, 4, 0x10);
    out(fixture, 0, 0xa5);
    assert_int_equal(in(fixture, 5), 0x20);
    wait_characters(fixture, 1);
    assert_int_equal(in(fixture, 5), 0x61);
    assert_int_equal(fixture->sent_count, 0);
}

static void received_byte_interrupts_until_it_is_read(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 1, 0x01);
    receive(fixture, "xy", 2);
    assert_false(fixture->irq.level);
    wait_characters(fixture, 1);
    assert_true(fixture->irq.level);
    assert_int_equal(in(fixture, 2), 0x04);
    wait_characters(fixture, 5); /* the second waits: no overrun */
    assert_int_equal(in(fixture, 5), 0x61);
    assert_int_equal(in(fixture, 0), 'x');
    assert_false(fixture->irq.level);
    wait_characters(fixture, 1);
    assert_int_equal(in(fixture, 0), 'y');
}

static void fifo_interrupts_at_its_trigger_and_after_a_timeout(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 2, 0x47); /* trigger at 4 */
    out(fixture, 1, 0x01);
    receive(fixture, "abcde", 5);
    wait_characters(fixture, 3);
    assert_false(fixture->irq.level);
    wait_characters(fixture, 2);
    assert_int_equal(in(fixture, 2), 0xc4);
    assert_int_equal(in(fixture, 0), 'a');
    assert_int_equal(in(fixture, 0), 'b');
    assert_false(fixture->irq.level);
    wait_characters(fixture, 3);
    assert_false(fixture->irq.level);
    wait_characters(fixture, 2);
    assert_int_equal(in(fixture, 2), 0xcc);
    assert_int_equal(in(fixture, 0), 'c');
    assert_false(fixture->irq.level);
    out(fixture, 2, 0x43);
    assert_int_equal(in(fixture, 5) & 1, 0);
}

static void nothing_from_the_host_is_lost(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 2, 0x07);
    size_t room = ns16550_room(fixture->uart);
    assert_true(room >= 64);
    for (unsigned i = 0; i < 64; i++) {
        uint8_t byte = (uint8_t)i;
        ns16550_receive(fixture->uart, &byte, 1);
    }
    assert_int_equal(ns16550_room(fixture->uart), room - 64);
    wait_characters(fixture, 100);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(in(fixture, 5) & 3, 1);
        assert_int_equal(in(fixture, 0), i);
        wait_characters(fixture, 1);
    }
}

static void loopback_connects_both_directions(void **state)
{
    struct fixture *fixture = *state;
    in(fixture, 6);
    out(fixture, 4, 0x1a); /* loop, RTS, OUT2 */
    assert_int_equal(in(fixture, 6) & 0xf0, 0x90);
    out(fixture, 4, 0x15); /* loop, DTR, OUT1 */
    assert_int_equal(in(fixture, 6), 0x60 | 0x0b);
    out(fixture, 4, 0x10);
    assert_int_equal(in(fixture, 6), 0x06);
    out(fixture, 0, 0xa5);
    wait_characters(fixture, 1);
    assert_int_equal(in(fixture, 0), 0xa5);
    assert_int_equal(fixture->sent_count, 0);
}

static void overrun_is_reported_first_and_once(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 4, 0x10);
    for (unsigned i = 0; i < 2; i++) {
        out(fixture, 0, (uint8_t)('a' + i));
        wait_characters(fixture, 1);
    }
    out(fixture, 1, 0x05);
    assert_int_equal(in(fixture, 2), 0x06);
    assert_int_equal(in(fixture, 5), 0x63);
    assert_int_equal(in(fixture, 5), 0x61);
    assert_int_equal(in(fixture, 2), 0x04);
    assert_int_equal(in(fixture, 0), 'b');
}

static void modem_changes_interrupt(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 1, 0x08);
    assert_int_equal(in(fixture, 6), 0xb0);
    ns16550_set_connected(fixture->uart, false);
    assert_true(fixture->irq.level);
    assert_int_equal(in(fixture, 2), 0x00);
    assert_int_equal(in(fixture, 6), 0x0b);
    assert_false(fixture->irq.level);
}

static void out2_gates_the_interrupt(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 4, 0x03);
    out(fixture, 1, 0x02);
    assert_false(fixture->irq.level);
    out(fixture, 4, 0x0b);
    assert_true(fixture->irq.level);
}

static void scratch_and_divisor_hold_their_values(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 7, 0x5a);
    assert_int_equal(in(fixture, 7), 0x5a);
    out(fixture, 3, 0x80);
    assert_int_equal(in(fixture, 0), 12);
    out(fixture, 1, 0x34);
    assert_int_equal(in(fixture, 1), 0x34);
    out(fixture, 3, 0x00);
    assert_int_equal(in(fixture, 1), 0x00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(transmission_takes_the_time_of_the_baud_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(transmitter_interrupt_is_cleared_by_reading_iir_or_writing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_host_that_takes_bytes_at_once_is_not_kept_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_that_falls_behind_gets_the_baud_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(loopback_keeps_the_baud_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(received_byte_interrupts_until_it_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(fifo_interrupts_at_its_trigger_and_after_a_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_from_the_host_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(loopback_connects_both_directions, setup, teardown),
        cmocka_unit_test_setup_teardown(overrun_is_reported_first_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(modem_changes_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(out2_gates_the_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(scratch_and_divisor_hold_their_values, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
