/* The keyboard controller with a keyboard plugged in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/i8042.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_scancodes.h"

struct fixture {
    struct bench *bench;
    struct bench_line irq1, irq12, a20, reset;
    struct i8042 *controller;
    struct ps2_keyboard *keyboard;
};

static void command(struct fixture *fixture, uint8_t value)
{
    bench_out(fixture->bench, 0x64, value);
}

static void data(struct fixture *fixture, uint8_t value)
{
    bench_out(fixture->bench, 0x60, value);
}

static bool has_byte(struct fixture *fixture)
{
    return bench_in(fixture->bench, 0x64) & 1;
}

/* The next byte within a second; -1: none. */
static int next_byte(struct fixture *fixture)
{
    for (int i = 0; i < 2000 && !has_byte(fixture); i++) {
        bench_run_for(fixture->bench, NS_PER_MILLISECOND / 2);
    }
    return has_byte(fixture) ? bench_in(fixture->bench, 0x60) : -1;
}

static void assert_bytes(struct fixture *fixture, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(next_byte(fixture), bytes[i]);
    }
    assert_int_equal(next_byte(fixture), -1);
}

static void assert_silence(struct fixture *fixture)
{
    assert_bytes(fixture, NULL, 0);
}

#define ASSERT_BYTES(...)                                                                                    \
    assert_bytes(fixture, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void press(struct fixture *fixture, enum key key)
{
    ps2_keyboard_key(fixture->keyboard, key, true);
}

static void release(struct fixture *fixture, enum key key)
{
    ps2_keyboard_key(fixture->keyboard, key, false);
}

static void tap(struct fixture *fixture, enum key key)
{
    press(fixture, key);
    release(fixture, key);
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct i8042_config config = {.keyboard_irq = bench_line_connect(&fixture->irq1),
                                  .mouse_irq = bench_line_connect(&fixture->irq12),
                                  .a20 = bench_line_connect(&fixture->a20),
                                  .cpu_reset = bench_line_connect(&fixture->reset)};
    bench_check(i8042_create(&fixture->bench->host, &config, &fixture->controller));
    struct irq_line request = i8042_keyboard_request(fixture->controller);
    bench_check(ps2_keyboard_create(&fixture->bench->host, &request, &fixture->keyboard));
    i8042_plug_keyboard(fixture->controller, ps2_keyboard_link(fixture->keyboard));
    *state = fixture;
    return 0;
}

/* Interrupts and translation on. */
static int setup_translated(void **state)
{
    setup(state);
    command(*state, 0x60);
    data(*state, 0x65);
    return 0;
}

/* Raw set-2 codes. */
static int setup_raw(void **state)
{
    setup(state);
    command(*state, 0x60);
    data(*state, 0x25);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *keyboard = ps2_keyboard_device(fixture->keyboard);
    struct device *controller = i8042_device(fixture->controller);
    keyboard->class->destroy(keyboard);
    controller->class->destroy(controller);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void controller_answers_its_own_commands_at_once(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(bench_in(fixture->bench, 0x64), 0x10);
    command(fixture, 0xaa);
    assert_int_equal(bench_in(fixture->bench, 0x64), 0x1d);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x55);
    assert_int_equal(bench_in(fixture->bench, 0x64), 0x1c);
    command(fixture, 0xab);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x00);
    command(fixture, 0xa4);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0xf1);
    command(fixture, 0x20);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x34);
    command(fixture, 0x71);
    data(fixture, 0x99);
    command(fixture, 0x31);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x99);
}

static void output_port_drives_a20_and_reset(void **state)
{
    struct fixture *fixture = *state;
    assert_true(fixture->a20.level);
    command(fixture, 0xd1);
    data(fixture, 0xdd);
    assert_false(fixture->a20.level);
    command(fixture, 0xd0);
    assert_int_equal(bench_in(fixture->bench, 0x60) & 0x03, 0x01);
    command(fixture, 0xdf);
    assert_true(fixture->a20.level);
    assert_int_equal(fixture->reset.rises, 0);
    command(fixture, 0xfe);
    assert_int_equal(fixture->reset.rises, 1);
    command(fixture, 0xff);
    assert_int_equal(fixture->reset.rises, 1);
    command(fixture, 0xd1);
    data(fixture, 0xde);
    assert_int_equal(fixture->reset.rises, 2);
}

static void key_is_translated_and_interrupts(void **state)
{
    struct fixture *fixture = *state;
    tap(fixture, KEY_A);
    assert_false(fixture->irq1.level);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    assert_true(fixture->irq1.level);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x1e);
    assert_false(fixture->irq1.level);
    ASSERT_BYTES(0x9e);
}

static void bytes_do_not_come_faster_than_the_cable_carries_them(void **state)
{
    struct fixture *fixture = *state;
    tap(fixture, KEY_B);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND);
    bench_in(fixture->bench, 0x60);
    bench_run_for(fixture->bench, NS_PER_MILLISECOND / 2);
    assert_false(has_byte(fixture));
    bench_run_for(fixture->bench, 2 * NS_PER_MILLISECOND);
    assert_true(has_byte(fixture));
}

static void raw_codes_are_set_2(void **state)
{
    struct fixture *fixture = *state;
    tap(fixture, KEY_F7);
    ASSERT_BYTES(0x83, 0xf0, 0x83);
    tap(fixture, KEY_UP);
    ASSERT_BYTES(0xe0, 0x75, 0xe0, 0xf0, 0x75);
    tap(fixture, KEY_PAUSE);
    ASSERT_BYTES(0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
    tap(fixture, KEY_PRINT);
    ASSERT_BYTES(0xe0, 0x12, 0xe0, 0x7c, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12);
}

static void every_key_survives_the_way_through_set_2(void **state)
{
    struct fixture *fixture = *state;
    for (enum key key = KEY_NONE + 1; key < KEY_COUNT; key++) {
        uint32_t set1 = key_set1_code(key);
        if (key == KEY_PAUSE || key == KEY_PRINT) {
            continue;
        }
        tap(fixture, key);
        for (unsigned released = 0; released <= 0x80; released += 0x80) {
            if (set1 >> 8) {
                assert_int_equal(next_byte(fixture), 0xe0);
            }
            assert_int_equal(next_byte(fixture), (set1 & 0xff) | released);
        }
    }
    tap(fixture, KEY_PAUSE);
    ASSERT_BYTES(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    tap(fixture, KEY_PRINT);
    ASSERT_BYTES(0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
}

static void every_key_of_the_101_key_layout_has_its_own_set_3_code(void **state)
{
    (void)state;
    bool seen[256] = {false};
    unsigned count = 0;
    for (enum key key = KEY_NONE + 1; key < KEY_COUNT; key++) {
        uint8_t code = ps2_set3_code(key_set1_code(key));
        if (code != 0 && key != KEY_SYSRQ) {
            assert_false(seen[code]);
            seen[code] = true;
            count++;
        }
    }
    assert_in_range(count, 104, 106);
}

static void keyboard_reset_acknowledges_and_reports_the_self_test_later(void **state)
{
    struct fixture *fixture = *state;
    data(fixture, 0xff);
    assert_int_equal(next_byte(fixture), 0xfa);
    assert_false(ps2_keyboard_ready(fixture->keyboard));
    bench_run_for(fixture->bench, 3 * NS_PER_MILLISECOND);
    assert_false(has_byte(fixture));
    bench_run_for(fixture->bench, 3 * NS_PER_MILLISECOND);
    assert_int_equal(next_byte(fixture), 0xaa);
    assert_true(ps2_keyboard_ready(fixture->keyboard));
}

static void keyboard_commands_answer(void **state)
{
    struct fixture *fixture = *state;
    data(fixture, 0xee);
    ASSERT_BYTES(0xee);
    data(fixture, 0xf2);
    ASSERT_BYTES(0xfa, 0xab, 0x83);
    data(fixture, 0xed);
    ASSERT_BYTES(0xfa);
    data(fixture, 0x05);
    ASSERT_BYTES(0xfa);
    assert_int_equal(ps2_keyboard_leds(fixture->keyboard), PS2_LED_SCROLL_LOCK | PS2_LED_CAPS_LOCK);
    data(fixture, 0xf0);
    ASSERT_BYTES(0xfa);
    data(fixture, 0x00);
    ASSERT_BYTES(0xfa, 0x02);
    data(fixture, 0xfe);
    ASSERT_BYTES(0x02);
    data(fixture, 0x12);
    ASSERT_BYTES(0xfe);
}

static void scan_sets_1_and_3_can_be_selected(void **state)
{
    struct fixture *fixture = *state;
    data(fixture, 0xf0);
    ASSERT_BYTES(0xfa);
    data(fixture, 0x01);
    ASSERT_BYTES(0xfa);
    tap(fixture, KEY_LEFT);
    ASSERT_BYTES(0xe0, 0x4b, 0xe0, 0xcb);
    data(fixture, 0xf0);
    ASSERT_BYTES(0xfa);
    data(fixture, 0x03);
    ASSERT_BYTES(0xfa);
    tap(fixture, KEY_LEFT);
    ASSERT_BYTES(0x61);
    tap(fixture, KEY_SHIFT);
    ASSERT_BYTES(0x12, 0xf0, 0x12);
    data(fixture, 0xfa);
    ASSERT_BYTES(0xfa);
    tap(fixture, KEY_LEFT);
    ASSERT_BYTES(0x61, 0xf0, 0x61);
}

static void disabled_keyboard_is_silent_and_disabled_port_waits(void **state)
{
    struct fixture *fixture = *state;
    data(fixture, 0xf5);
    ASSERT_BYTES(0xfa);
    tap(fixture, KEY_A);
    assert_silence(fixture);
    data(fixture, 0xf4);
    ASSERT_BYTES(0xfa);
    command(fixture, 0xad);
    tap(fixture, KEY_A);
    assert_silence(fixture);
    command(fixture, 0xae);
    ASSERT_BYTES(0x1e, 0x9e);
}

static void held_key_repeats_at_the_typematic_rate(void **state)
{
    struct fixture *fixture = *state;
    data(fixture, 0xf3);
    ASSERT_BYTES(0xfa);
    data(fixture, 0x00); /* 250 ms, 30 per second */
    ASSERT_BYTES(0xfa);
    press(fixture, KEY_A);
    unsigned count = 0;
    for (unsigned ms = 0; ms < 1240; ms++) {
        bench_run_for(fixture->bench, NS_PER_MILLISECOND);
        if (has_byte(fixture)) {
            assert_int_equal(bench_in(fixture->bench, 0x60), 0x1e);
            count++;
            if (count == 2) {
                assert_in_range(ms, 248, 253);
            }
        }
    }
    assert_int_equal(count, 31);
    release(fixture, KEY_A);
    ASSERT_BYTES(0x9e);
}

static void seventeenth_byte_becomes_one_overrun_code(void **state)
{
    struct fixture *fixture = *state;
    command(fixture, 0xad);
    unsigned accepted = 0;
    while (ps2_keyboard_ready(fixture->keyboard)) {
        tap(fixture, KEY_A); /* three bytes in set 2 */
        accepted++;
    }
    assert_int_equal(accepted, 3);
    tap(fixture, KEY_A);
    tap(fixture, KEY_A);
    tap(fixture, KEY_A);
    command(fixture, 0xae);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(next_byte(fixture), 0x1c);
        assert_int_equal(next_byte(fixture), 0xf0);
        assert_int_equal(next_byte(fixture), 0x1c);
    }
    ASSERT_BYTES(0x00);
}

static void bytes_written_to_the_output_buffers_interrupt_as_from_the_devices(void **state)
{
    struct fixture *fixture = *state;
    command(fixture, 0x60);
    data(fixture, 0x47);
    command(fixture, 0xd2);
    data(fixture, 0x77);
    assert_true(fixture->irq1.level);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x77);
    command(fixture, 0xd3);
    data(fixture, 0x78);
    assert_true(fixture->irq12.level);
    assert_int_equal(bench_in(fixture->bench, 0x64) & 0x21, 0x21);
    assert_int_equal(bench_in(fixture->bench, 0x60), 0x78);
    assert_false(fixture->irq12.level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(controller_answers_its_own_commands_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(output_port_drives_a20_and_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(key_is_translated_and_interrupts, setup_translated, teardown),
        cmocka_unit_test_setup_teardown(bytes_do_not_come_faster_than_the_cable_carries_them,
                                        setup_translated, teardown),
        cmocka_unit_test_setup_teardown(raw_codes_are_set_2, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(every_key_survives_the_way_through_set_2, setup_translated, teardown),
        cmocka_unit_test(every_key_of_the_101_key_layout_has_its_own_set_3_code),
        cmocka_unit_test_setup_teardown(keyboard_reset_acknowledges_and_reports_the_self_test_later,
                                        setup_translated, teardown),
        cmocka_unit_test_setup_teardown(keyboard_commands_answer, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(scan_sets_1_and_3_can_be_selected, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(disabled_keyboard_is_silent_and_disabled_port_waits, setup_translated,
                                        teardown),
        cmocka_unit_test_setup_teardown(held_key_repeats_at_the_typematic_rate, setup_translated, teardown),
        cmocka_unit_test_setup_teardown(seventeenth_byte_becomes_one_overrun_code, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(bytes_written_to_the_output_buffers_interrupt_as_from_the_devices,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
