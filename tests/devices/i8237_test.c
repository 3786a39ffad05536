/* The DMA controllers, programmed through their ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/i8237.h"

struct fixture {
    struct bench *bench;
    struct i8237_pair *pair;
    unsigned post_calls;
};

static void post_code(void *opaque, uint8_t code)
{
    (void)code;
    ((struct fixture *)opaque)->post_calls++;
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct i8237_config config = {.post_code = post_code, .opaque = fixture};
    bench_check(i8237_pair_create(&fixture->bench->host, &config, &fixture->pair));
    bench_out(fixture->bench, 0xd6, 0xc0); /* channel 4 cascades */
    bench_out(fixture->bench, 0xd4, 0x00);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = i8237_pair_device(fixture->pair);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

/* `count` is the register's value: transfers - 1. */
static void program_channel_2(struct fixture *fixture, uint8_t mode, uint8_t page, uint16_t address,
                              uint16_t count)
{
    struct bench *bench = fixture->bench;
    bench_out(bench, 0x0a, 0x06);
    bench_out(bench, 0x0c, 0x00);
    bench_out(bench, 0x0b, mode | 2);
    bench_out(bench, 0x04, (uint8_t)address);
    bench_out(bench, 0x04, (uint8_t)(address >> 8));
    bench_out(bench, 0x81, page);
    bench_out(bench, 0x05, (uint8_t)count);
    bench_out(bench, 0x05, (uint8_t)(count >> 8));
    bench_out(bench, 0x0a, 0x02);
}

static unsigned read_word(struct fixture *fixture, uint16_t port)
{
    bench_out(fixture->bench, 0x0c, 0);
    unsigned low = bench_in(fixture->bench, port);
    return low | (unsigned)bench_in(fixture->bench, port) << 8;
}

static size_t transfer(struct fixture *fixture, unsigned channel, enum dma_direction direction, void *bytes,
                       size_t length, bool *terminal_count)
{
    struct dma_line line = i8237_pair_line(fixture->pair, channel);
    return dma_line_transfer(&line, direction, bytes, length, terminal_count);
}

static void write_transfer_fills_memory_and_stops_at_terminal_count(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t bytes[] = "0123456789";
    program_channel_2(fixture, 0x44, 0x01, 0x2000, 7);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 5, &tc), 5);
    assert_false(tc);
    assert_int_equal(read_word(fixture, 0x04), 0x2005);
    assert_int_equal(read_word(fixture, 0x05), 2);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes + 5, 5, &tc), 3);
    assert_true(tc);
    assert_memory_equal(fixture->bench->ram + 0x12000, "01234567\0", 9);
    assert_int_equal(bench_in(fixture->bench, 0x08), 0x04);
    assert_int_equal(bench_in(fixture->bench, 0x08), 0x00);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 1, &tc), 0); /* masked now */
}

static void read_transfer_wraps_inside_its_page(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t bytes[4];
    memcpy(fixture->bench->ram + 0x1fffe, "ab", 2);
    memcpy(fixture->bench->ram + 0x10000, "cd", 2);
    memcpy(fixture->bench->ram + 0x20000, "XX", 2);
    program_channel_2(fixture, 0x48, 0x01, 0xfffe, 3);
    assert_int_equal(transfer(fixture, 2, DMA_FROM_MEMORY, bytes, 4, &tc), 4);
    assert_true(tc);
    assert_memory_equal(bytes, "abcd", 4);
}

static void automatic_initialisation_reloads_address_and_count(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t bytes[] = "abcdef";
    program_channel_2(fixture, 0x54, 0x00, 0x3000, 3);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 6, &tc), 4);
    assert_true(tc);
    assert_int_equal(read_word(fixture, 0x04), 0x3000);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes + 4, 2, &tc), 2);
    assert_false(tc);
    assert_memory_equal(fixture->bench->ram + 0x3000, "efcd", 4);
}

static void decrement_mode_fills_downwards(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t bytes[] = "abc";
    program_channel_2(fixture, 0x64, 0x00, 0x3002, 2);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 3, &tc), 3);
    assert_memory_equal(fixture->bench->ram + 0x3000, "cba", 3);
}

static void verify_counts_and_moves_nothing(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t bytes[] = "abc";
    program_channel_2(fixture, 0x40, 0x00, 0x3000, 2);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 3, &tc), 3);
    assert_true(tc);
    assert_int_equal(fixture->bench->ram[0x3000], 0);
}

static void masked_disabled_and_wrong_direction_channels_move_nothing(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t bytes[4] = {0};
    program_channel_2(fixture, 0x44, 0x00, 0x3000, 3);
    assert_int_equal(transfer(fixture, 2, DMA_FROM_MEMORY, bytes, 4, &tc), 0);
    bench_out(fixture->bench, 0x08, 0x04);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 4, &tc), 0);
    bench_out(fixture->bench, 0x08, 0x00);
    bench_out(fixture->bench, 0xd4, 0x04);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 4, &tc), 0);
    bench_out(fixture->bench, 0xd4, 0x00);
    bench_out(fixture->bench, 0x0f, 0x0f);
    assert_int_equal(bench_in(fixture->bench, 0x0f), 0xff);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 4, &tc), 0);
    bench_out(fixture->bench, 0x0e, 0);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, bytes, 4, &tc), 4);
    bench_out(fixture->bench, 0x0d, 0);
    assert_int_equal(bench_in(fixture->bench, 0x0f), 0xff);
}

static void word_channels_address_words_in_128_kib_pages(void **state)
{
    struct fixture *fixture = *state;
    struct bench *bench = fixture->bench;
    bool tc;
    uint8_t bytes[] = "abcdef";
    bench_out(bench, 0xd8, 0);
    bench_out(bench, 0xd6, 0x45);
    bench_out(bench, 0xc4, 0x00);
    bench_out(bench, 0xc4, 0x90);
    bench_out(bench, 0x8b, 0x03); /* bit 0 is ignored */
    bench_out(bench, 0xc6, 0x02);
    bench_out(bench, 0xc6, 0x00);
    bench_out(bench, 0xd4, 0x01);
    assert_int_equal(transfer(fixture, 5, DMA_TO_MEMORY, bytes, 3, &tc), 2);
    assert_int_equal(transfer(fixture, 5, DMA_TO_MEMORY, bytes + 2, 4, &tc), 4);
    assert_true(tc);
    assert_memory_equal(bench->ram + 0x32000, "abcdef", 6);
}

static void high_page_reaches_above_16_mib_until_the_low_page_is_written(void **state)
{
    struct fixture *fixture = *state;
    bool tc;
    uint8_t byte = 'x';
    program_channel_2(fixture, 0x44, 0x00, 0x4000, 9);
    bench_out(fixture->bench, 0x481, 0x01);
    assert_int_equal(bench_in(fixture->bench, 0x481), 0x01);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, &byte, 1, &tc), 1);
    assert_int_equal(fixture->bench->ram[0x4000], 0);
    bench_out(fixture->bench, 0x81, 0x00);
    assert_int_equal(bench_in(fixture->bench, 0x481), 0x00);
    assert_int_equal(transfer(fixture, 2, DMA_TO_MEMORY, &byte, 1, &tc), 1);
    assert_int_equal(fixture->bench->ram[0x4001], 'x');
}

static void post_codes_are_kept_and_handed_out(void **state)
{
    struct fixture *fixture = *state;
    uint8_t codes[I8237_POST_HISTORY];
    for (unsigned i = 0; i < 20; i++) {
        bench_out(fixture->bench, 0x80, (uint8_t)i);
    }
    assert_int_equal(fixture->post_calls, 20);
    assert_int_equal(i8237_pair_post_codes(fixture->pair, codes), I8237_POST_HISTORY);
    assert_int_equal(codes[0], 4);
    assert_int_equal(codes[I8237_POST_HISTORY - 1], 19);
    assert_int_equal(bench_in(fixture->bench, 0x80), 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_transfer_fills_memory_and_stops_at_terminal_count, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_transfer_wraps_inside_its_page, setup, teardown),
        cmocka_unit_test_setup_teardown(automatic_initialisation_reloads_address_and_count, setup, teardown),
        cmocka_unit_test_setup_teardown(decrement_mode_fills_downwards, setup, teardown),
        cmocka_unit_test_setup_teardown(verify_counts_and_moves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(masked_disabled_and_wrong_direction_channels_move_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(word_channels_address_words_in_128_kib_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(high_page_reaches_above_16_mib_until_the_low_page_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(post_codes_are_kept_and_handed_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
