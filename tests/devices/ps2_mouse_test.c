/* The mouse at the end of its cable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/ps2_mouse.h"
#include "ui/input.h"

struct fixture {
    struct bench *bench;
    struct bench_line request;
    struct ps2_mouse *mouse;
    struct ps2_link link;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct irq_line request = bench_line_connect(&fixture->request);
    bench_check(ps2_mouse_create(&fixture->bench->host, &request, &fixture->mouse));
    fixture->link = ps2_mouse_link(fixture->mouse);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = ps2_mouse_device(fixture->mouse);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void expect(struct fixture *fixture, const uint8_t *bytes, size_t length)
{
    uint8_t byte;
    for (size_t i = 0; i < length; i++) {
        assert_true(fixture->request.level);
        assert_true(fixture->link.take(fixture->link.opaque, &byte));
        assert_int_equal(byte, bytes[i]);
    }
    assert_false(fixture->link.take(fixture->link.opaque, &byte));
    assert_false(fixture->request.level);
}

#define EXPECT(...) expect(fixture, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void send(struct fixture *fixture, uint8_t byte)
{
    fixture->link.send(fixture->link.opaque, byte);
}

static void acknowledged(struct fixture *fixture, uint8_t byte)
{
    send(fixture, byte);
    EXPECT(0xfa);
}

static void set_rate(struct fixture *fixture, uint8_t rate)
{
    acknowledged(fixture, 0xf3);
    acknowledged(fixture, rate);
}

static void wait_sample(struct fixture *fixture)
{
    bench_run_for(fixture->bench, 11 * NS_PER_MILLISECOND);
}

static void reset_reports_self_test_and_id(void **state)
{
    struct fixture *fixture = *state;
    acknowledged(fixture, 0xff);
    bench_run_for(fixture->bench, 4 * NS_PER_MILLISECOND);
    assert_false(fixture->request.level);
    bench_run_for(fixture->bench, 2 * NS_PER_MILLISECOND);
    EXPECT(0xaa, 0x00);
}

static void silent_until_reporting_is_enabled(void **state)
{
    struct fixture *fixture = *state;
    ps2_mouse_move(fixture->mouse, 5, 5, 0, 0);
    wait_sample(fixture);
    assert_false(fixture->request.level);
    acknowledged(fixture, 0xf4);
    wait_sample(fixture);
    assert_false(fixture->request.level);
    ps2_mouse_move(fixture->mouse, 5, -3, 0, MOUSE_BUTTON_LEFT);
    wait_sample(fixture);
    EXPECT(0x09, 5, 3);
    ps2_mouse_move(fixture->mouse, -1, 2, 0, MOUSE_BUTTON_LEFT | MOUSE_BUTTON_MIDDLE);
    wait_sample(fixture);
    EXPECT(0x3d, 0xff, 0xfe);
}

static void motion_adds_up_and_large_motion_is_split(void **state)
{
    struct fixture *fixture = *state;
    acknowledged(fixture, 0xf4);
    for (int i = 0; i < 30; i++) {
        ps2_mouse_move(fixture->mouse, 10, 0, 0, 0);
    }
    wait_sample(fixture);
    EXPECT(0x08, 255, 0);
    wait_sample(fixture);
    EXPECT(0x08, 45, 0);
    wait_sample(fixture);
    assert_false(fixture->request.level);
}

static void rate_sequences_unlock_wheel_and_buttons(void **state)
{
    struct fixture *fixture = *state;
    set_rate(fixture, 200);
    set_rate(fixture, 100);
    set_rate(fixture, 80);
    send(fixture, 0xf2);
    EXPECT(0xfa, 0x03);
    acknowledged(fixture, 0xf4);
    ps2_mouse_move(fixture->mouse, 0, 0, -2, PS2_MOUSE_BUTTON_4);
    bench_run_for(fixture->bench, 20 * NS_PER_MILLISECOND);
    EXPECT(0x08, 0, 0, 0xfe);
    set_rate(fixture, 200);
    set_rate(fixture, 200);
    set_rate(fixture, 80);
    send(fixture, 0xf2);
    EXPECT(0xfa, 0x04);
    ps2_mouse_move(fixture->mouse, 1, 0, 1, PS2_MOUSE_BUTTON_4 | MOUSE_BUTTON_RIGHT);
    bench_run_for(fixture->bench, 20 * NS_PER_MILLISECOND);
    EXPECT(0x0a, 1, 0, 0x11);
}

static void remote_mode_reports_on_request_only(void **state)
{
    struct fixture *fixture = *state;
    acknowledged(fixture, 0xf4);
    acknowledged(fixture, 0xf0);
    ps2_mouse_move(fixture->mouse, 7, 0, 0, 0);
    wait_sample(fixture);
    assert_false(fixture->request.level);
    send(fixture, 0xeb);
    EXPECT(0xfa, 0x08, 7, 0);
}

static void wrap_mode_echoes(void **state)
{
    struct fixture *fixture = *state;
    acknowledged(fixture, 0xee);
    send(fixture, 0xf2);
    EXPECT(0xf2);
    acknowledged(fixture, 0xec);
    send(fixture, 0xf2);
    EXPECT(0xfa, 0x00);
}

static void status_shows_the_settings(void **state)
{
    struct fixture *fixture = *state;
    set_rate(fixture, 40);
    acknowledged(fixture, 0xe8);
    acknowledged(fixture, 3);
    acknowledged(fixture, 0xe7);
    acknowledged(fixture, 0xf4);
    ps2_mouse_move(fixture->mouse, 0, 0, 0, MOUSE_BUTTON_LEFT);
    send(fixture, 0xe9);
    EXPECT(0xfa, 0x34, 3, 40);
    send(fixture, 0x01);
    EXPECT(0xfe);
}

static void scaling_2_to_1_accelerates(void **state)
{
    struct fixture *fixture = *state;
    acknowledged(fixture, 0xe7);
    acknowledged(fixture, 0xf4);
    ps2_mouse_move(fixture->mouse, 3, -10, 0, 0);
    wait_sample(fixture);
    EXPECT(0x08, 3, 20);
    ps2_mouse_move(fixture->mouse, 5, 0, 0, 0);
    wait_sample(fixture);
    EXPECT(0x08, 9, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reset_reports_self_test_and_id, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_until_reporting_is_enabled, setup, teardown),
        cmocka_unit_test_setup_teardown(motion_adds_up_and_large_motion_is_split, setup, teardown),
        cmocka_unit_test_setup_teardown(rate_sequences_unlock_wheel_and_buttons, setup, teardown),
        cmocka_unit_test_setup_teardown(remote_mode_reports_on_request_only, setup, teardown),
        cmocka_unit_test_setup_teardown(wrap_mode_echoes, setup, teardown),
        cmocka_unit_test_setup_teardown(status_shows_the_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(scaling_2_to_1_accelerates, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
