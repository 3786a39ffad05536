/* The window at A0000h when it is display memory itself: when that begins and ends, and that the picture and
 * what the CPU sees are the same as by way of the adapter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vga_bench.h"

#define WINDOW     0xa0000u
#define WORTHWHILE 16384u

static bool is_direct(struct vga_bench *bench)
{
    return memory_bus_page(bench->memory, WINDOW)->write != NULL;
}

static bool is_seen(struct vga_bench *bench, uint32_t phys)
{
    return memory_bus_page(bench->memory, phys)->watched;
}

static void store_often(struct vga_bench *bench, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        vga_bench_poke(bench, WINDOW + i % 64000, (uint8_t)(i * 7));
    }
    vga_bench_advance(bench, 1);
}

static struct vga_bench *direct_bench(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13);
    store_often(bench, WORTHWHILE);
    assert_true(is_direct(bench));
    return bench;
}

static void it_begins_when_it_has_proved_worthwhile(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13); /* clears display memory in another mode */
    store_often(bench, WORTHWHILE - 1);
    assert_false(is_direct(bench));
    store_often(bench, 1);
    assert_true(is_direct(bench));
    assert_null(memory_bus_page(bench->memory, 0xb0000)->write);
}

static void bytes_stay_where_they_are(void **state)
{
    struct vga_bench *bench = direct_bench(state);
    for (uint32_t i = 1; i < WORTHWHILE; i++) {
        assert_int_equal(vga_bench_peek(bench, WINDOW + i), (uint8_t)(i * 7));
    }
    for (uint32_t i = 0; i < 0x10000; i++) {
        vga_bench_poke(bench, WINDOW + i, (uint8_t)(i * 5));
    }
    vga_bench_sequencer(bench, 2, 0x1); /* plane 0 only: the adapter has to look */
    assert_false(is_direct(bench));
    for (uint32_t i = 0; i < 0x10000; i++) {
        assert_int_equal(vga_bench_peek(bench, WINDOW + i), (uint8_t)(i * 5));
    }
    vga_bench_poke(bench, WINDOW + 1, 99);
    vga_bench_poke(bench, WINDOW + 4, 99);
    assert_int_equal(vga_bench_peek(bench, WINDOW + 1), 5);
    assert_int_equal(vga_bench_peek(bench, WINDOW + 4), 99);
}

static void what_is_stored_is_drawn(void **state)
{
    struct vga_bench *bench = direct_bench(state);
    vga_bench_render(bench);
    assert_true(is_seen(bench, WINDOW));
    assert_true(is_seen(bench, WINDOW + 0xf000));
    for (uint32_t y = 0; y < 200; y += 13) {
        vga_bench_poke(bench, WINDOW + y * 320 + y, (uint8_t)(y + 1));
        assert_false(is_seen(bench, WINDOW + y * 320 + y));
        vga_bench_render(bench);
        vga_bench_expect_pixel(bench, y, y, vga_bench_colour((uint8_t)(y + 1)));
        assert_true(is_seen(bench, WINDOW + y * 320 + y));
    }
    /* Stores that are not seen because an earlier one was. */
    vga_bench_poke(bench, WINDOW, 17);
    vga_bench_poke(bench, WINDOW + 1, 18);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(17));
    vga_bench_expect_pixel(bench, 1, 0, vga_bench_colour(18));
}

static void every_register_that_matters_ends_it(void **state)
{
    static const struct {
        bool sequencer;
        uint8_t index, value;
    } changes[] = {{true, 2, 0x0e}, {true, 4, 0x06},  {true, 4, 0x0a},  {false, 1, 0x0f}, {false, 3, 0x08},
                   {false, 3, 3},   {false, 5, 0x41}, {false, 5, 0x48}, {false, 6, 0x01}, {false, 8, 0xfe}};
    struct vga_bench *bench = *state;
    for (unsigned i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        vga_device(bench->vga)->class->reset(vga_device(bench->vga));
        vga_bench_set_mode(bench, MODE_13);
        store_often(bench, WORTHWHILE);
        assert_true(is_direct(bench));
        if (changes[i].sequencer) {
            vga_bench_sequencer(bench, changes[i].index, changes[i].value);
        } else {
            vga_bench_graphics(bench, changes[i].index, changes[i].value);
        }
        bool stays =
            changes[i].sequencer && changes[i].value == 0x0a; /* odd/even does not matter to chain-4 */
        assert_int_equal(is_direct(bench), stays);
    }
}

static void it_ends_with_the_mode_and_at_a_reset(void **state)
{
    struct vga_bench *bench = direct_bench(state);
    vga_bench_set_mode(bench, MODE_3);
    assert_false(is_direct(bench));
    vga_bench_set_mode(bench, MODE_13);
    store_often(bench, 4 * WORTHWHILE);
    assert_true(is_direct(bench));
    vga_device(bench->vga)->class->reset(vga_device(bench->vga));
    assert_false(is_direct(bench));
}

static void who_keeps_switching_has_to_wait_longer_each_time(void **state)
{
    struct vga_bench *bench = *state;
    uint32_t needed = WORTHWHILE;
    vga_bench_set_mode(bench, MODE_13);
    for (unsigned i = 0; i < 4; i++, needed *= 2) {
        store_often(bench, needed - 1);
        assert_false(is_direct(bench));
        store_often(bench, 1);
        assert_true(is_direct(bench));
        vga_bench_graphics(bench, 3, 0x08);
        vga_bench_graphics(bench, 3, 0x00);
        assert_false(is_direct(bench));
    }
}

static void an_ending_before_the_beginning_calls_it_off(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13);
    for (uint32_t i = 0; i < WORTHWHILE; i++) {
        vga_bench_poke(bench, WINDOW, 1);
    }
    vga_bench_graphics(bench, 3, 0x08); /* the event is due, and has not fired */
    vga_bench_advance(bench, 1000);
    assert_false(is_direct(bench));
}

int main(void)
{
#define WITH_A_BENCH(test) cmocka_unit_test_setup_teardown(test, vga_bench_setup, vga_bench_teardown)
    const struct CMUnitTest tests[] = {
        WITH_A_BENCH(it_begins_when_it_has_proved_worthwhile),
        WITH_A_BENCH(bytes_stay_where_they_are),
        WITH_A_BENCH(what_is_stored_is_drawn),
        WITH_A_BENCH(every_register_that_matters_ends_it),
        WITH_A_BENCH(it_ends_with_the_mode_and_at_a_reset),
        WITH_A_BENCH(who_keeps_switching_has_to_wait_longer_each_time),
        WITH_A_BENCH(an_ending_before_the_beginning_calls_it_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
