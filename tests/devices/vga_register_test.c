/* Ports: which bits registers keep, index and flip-flop behaviour, the DAC, timing bits and the vertical
 * interrupt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vga_bench.h"

static void registers_keep_their_defined_bits(void **state)
{
    struct vga_bench *bench = *state;
    static const uint8_t sequencer[8] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
    static const uint8_t graphics[16] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
    static const uint8_t attribute[32] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                          0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};
    static const uint8_t crtc[0x20] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
                                       0xff, 0x3f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
                                       0xff, 0xff, 0x7f, 0xff, 0xff, 0xef, 0xff};
    vga_bench_set_mode(bench, MODE_12);
    for (uint8_t i = 0; i < 8; i++) {
        vga_bench_sequencer(bench, i, 0xff);
        assert_int_equal(vga_bench_in(bench, 0x3c4), i);
        assert_int_equal(vga_bench_in(bench, 0x3c5), sequencer[i]);
    }
    for (uint8_t i = 0; i < 16; i++) {
        vga_bench_graphics(bench, i, 0xff);
        assert_int_equal(vga_bench_in(bench, 0x3ce), i);
        assert_int_equal(vga_bench_in(bench, 0x3cf), graphics[i]);
    }
    for (uint8_t i = 0; i < 32; i++) {
        vga_bench_attribute(bench, i, 0xff);
        assert_int_equal(vga_bench_attribute_read(bench, i), attribute[i]);
    }
    vga_bench_crtc(bench, 0x11, 0x00); /* no protection */
    for (uint8_t i = 0; i < 0x20; i++) {
        vga_bench_crtc(bench, i, i == 0x11 ? 0x7f : 0xff);
        assert_int_equal(vga_bench_crtc_read(bench, i), crtc[i]);
    }
}

static void protect_bit_locks_crtc_registers_0_to_7_but_line_compare(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_crtc(bench, 0x11, 0x0e);
    for (uint8_t i = 0; i < 8; i++) {
        vga_bench_crtc(bench, i, 0x40 + i);
    }
    vga_bench_crtc(bench, 0x11, 0x8e);
    for (uint8_t i = 0; i < 9; i++) {
        vga_bench_crtc(bench, i, 0x1f);
    }
    for (uint8_t i = 0; i < 7; i++) {
        assert_int_equal(vga_bench_crtc_read(bench, i), 0x40 + i);
    }
    assert_int_equal(vga_bench_crtc_read(bench, 7), 0x57);
    assert_int_equal(vga_bench_crtc_read(bench, 8), 0x1f);
}

static void misc_output_moves_the_crtc_between_3bx_and_3dx(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_out(bench, 0x3d4, 0x0f);
    vga_bench_out(bench, 0x3d5, 0x42);
    assert_int_equal(vga_bench_in(bench, 0x3d5), 0x42);
    assert_int_equal(vga_bench_in(bench, 0x3b5), 0xff);
    assert_int_equal(vga_bench_in(bench, 0x3ba), 0xff);
    vga_bench_out(bench, 0x3b5, 0x24);
    assert_int_equal(vga_bench_in(bench, 0x3d5), 0x42);
    vga_bench_out(bench, 0x3c2, 0x66);
    assert_int_equal(vga_bench_in(bench, 0x3b5), 0x42);
    assert_int_equal(vga_bench_in(bench, 0x3d5), 0xff);
    assert_int_not_equal(vga_bench_in(bench, 0x3ba), 0xff);
    vga_bench_out(bench, 0x3ba, 0x03);
    assert_int_equal(vga_bench_in(bench, 0x3ca), 0x03);
}

static void attribute_port_alternates_until_status_is_read(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    vga_bench_in(bench, 0x3da);
    vga_bench_out(bench, 0x3c0, 0x05);
    assert_int_equal(vga_bench_crtc_read(bench, 0x24) & 0x80, 0x80);
    vga_bench_out(bench, 0x3c0, 0x2a);
    assert_int_equal(vga_bench_crtc_read(bench, 0x24) & 0x80, 0);
    assert_int_equal(vga_bench_in(bench, 0x3c0), 0x05);
    assert_int_equal(vga_bench_in(bench, 0x3c1), 0x2a);
    vga_bench_out(bench, 0x3c0, 0x06);
    vga_bench_in(bench, 0x3da); /* the next write is an index again */
    vga_bench_out(bench, 0x3c0, 0x25);
    vga_bench_out(bench, 0x3c0, 0x11); /* locked: the palette is connected to the display */
    assert_int_equal(vga_bench_in(bench, 0x3c0), 0x25);
    assert_int_equal(vga_bench_in(bench, 0x3c1), 0x2a);
    vga_bench_out(bench, 0x3c0, 0x33); /* not locked above the palette */
    vga_bench_out(bench, 0x3c0, 0x04);
    assert_int_equal(vga_bench_in(bench, 0x3c1), 0x04);
}

static void dac_entries_change_with_the_third_component(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_out(bench, 0x3c8, 10);
    for (uint8_t i = 1; i <= 5; i++) {
        vga_bench_out(bench, 0x3c9, 0xc0 | i);
    }
    assert_int_equal(vga_bench_in(bench, 0x3c8), 11);
    assert_int_equal(vga_bench_in(bench, 0x3c7), 0);
    vga_bench_out(bench, 0x3c7, 10);
    assert_int_equal(vga_bench_in(bench, 0x3c7), 3);
    assert_int_equal(vga_bench_in(bench, 0x3c8), 11);
    static const uint8_t expected[6] = {1, 2, 3, 0, 0, 0};
    for (size_t i = 0; i < sizeof expected; i++) {
        assert_int_equal(vga_bench_in(bench, 0x3c9), expected[i]);
    }
    assert_int_equal(vga_bench_in(bench, 0x3c8), 13);
    vga_bench_dac(bench, 255, 7, 8, 9);
    assert_int_equal(vga_bench_in(bench, 0x3c8), 0);
    vga_bench_out(bench, 0x3c6, 0x55);
    assert_int_equal(vga_bench_in(bench, 0x3c6), 0x55);
}

/* Counts rising edges of the retrace bit in one second and how long it was set. */
static void watch_status(struct vga_bench *bench, unsigned *retraces, double *retrace_share,
                         double *disabled_share)
{
    const uint64_t step = 5 * NS_PER_MICROSECOND;
    uint64_t samples = 0, in_retrace = 0, disabled = 0;
    bool before = true;
    *retraces = 0;
    for (uint64_t t = 0; t < NS_PER_SECOND; t += step) {
        vga_bench_advance(bench, step);
        uint8_t status = vga_bench_in(bench, 0x3da);
        bool retrace = (status & 0x08) != 0;
        assert_true(!retrace || (status & 0x01) != 0);
        *retraces += retrace && !before;
        in_retrace += retrace;
        disabled += status & 0x01;
        before = retrace;
        samples++;
    }
    *retrace_share = (double)in_retrace / (double)samples;
    *disabled_share = (double)disabled / (double)samples;
}

static void status_bits_follow_the_programmed_timing(void **state)
{
    struct vga_bench *bench = *state;
    static const struct {
        enum vga_mode_index mode;
        unsigned retraces;
        double total_lines, retrace_lines, shown_lines;
    } modes[] = {{MODE_3, 70, 449, 2, 400},
                 {MODE_12, 60, 525, 2, 480},
                 {MODE_13, 70, 449, 2, 400},
                 {MODE_D, 70, 449, 2, 400}};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        unsigned retraces;
        double retrace_share, disabled_share;
        vga_bench_set_mode(bench, modes[i].mode);
        watch_status(bench, &retraces, &retrace_share, &disabled_share);
        assert_in_range(retraces, modes[i].retraces - 1, modes[i].retraces + 1);
        double expected_retrace = modes[i].retrace_lines / modes[i].total_lines;
        double expected_disabled = 1 - modes[i].shown_lines / modes[i].total_lines * 0.8;
        assert_true(retrace_share > expected_retrace * 0.9 && retrace_share < expected_retrace * 1.1);
        assert_true(disabled_share > expected_disabled - 0.03 && disabled_share < expected_disabled + 0.03);
    }
}

static void vertical_interrupt_comes_every_frame_until_cleared_or_disabled(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    assert_int_equal(bench->irq_edges, 0);
    vga_bench_crtc(bench, 0x11, 0x1e);
    for (unsigned frame = 1; frame <= 5; frame++) {
        vga_bench_advance(bench, NS_PER_SECOND / 70);
        assert_int_equal(bench->irq_edges, frame);
        assert_true(bench->irq_level);
        assert_int_equal(vga_bench_in(bench, 0x3c2) & 0x80, 0x80);
        vga_bench_crtc(bench, 0x11, 0x0e);
        assert_false(bench->irq_level);
        assert_int_equal(vga_bench_in(bench, 0x3c2) & 0x80, 0);
        vga_bench_crtc(bench, 0x11, 0x1e);
    }
    vga_bench_crtc(bench, 0x11, 0x3e);
    vga_bench_advance(bench, NS_PER_SECOND);
    assert_int_equal(bench->irq_edges, 5);
}

static void absurd_timings_do_not_flood_the_clock(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_crtc(bench, 0x11, 0x00);
    for (uint8_t i = 0; i < 8; i++) {
        vga_bench_crtc(bench, i, 0);
    }
    vga_bench_crtc(bench, 0x11, 0x10);
    unsigned events = 0;
    uint64_t end = bench->retired + NS_PER_SECOND;
    while (bench->retired < end) {
        uint64_t deadline = event_clock_next_deadline(bench->clock);
        assert_true(deadline != EVENT_CLOCK_NEVER && deadline > bench->retired);
        bench->retired = deadline;
        event_clock_run_due(bench->clock);
        events++;
    }
    assert_in_range(events, 100, 501);
}

static void describe_names_mode_and_registers(void **state)
{
    struct vga_bench *bench = *state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct device *device = vga_device(bench->vga);
    for (unsigned i = 0; i < MODE_COUNT; i++) {
        vga_bench_set_mode(bench, (enum vga_mode_index)i);
        device->class->describe(device, out);
    }
    vga_bench_dispi(bench, 4, 1);
    device->class->describe(device, out);
    fclose(out);
    assert_non_null(strstr(text, "80 columns of 9x16 characters"));
    assert_non_null(strstr(text, "256 colours, chain-4"));
    assert_non_null(strstr(text, "DISPI"));
    assert_non_null(strstr(text, "crtc       5f 4f 50 82"));
    free(text);
}

static void create_refuses_what_cannot_be(void **state)
{
    struct vga_bench *bench = *state;
    struct device_host host = {
        .memory = bench->memory, .ports = bench->ports, .clock = bench->clock, .log = &bench->log};
    struct vga *second = NULL;
    struct vga_config config = {.vram_size = 3 * MIB};
    struct status status = vga_create(&host, &config, &second);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    config.vram_size = 0;
    status = vga_create(&host, &config, &second);
    assert_int_equal(status.code, STATUS_CONFLICT); /* the window is taken */
    host.memory = memory_bus_create(NULL, 0, 32, &bench->log, &bench->counters);
    status = vga_create(&host, &config, &second);
    assert_int_equal(status.code, STATUS_CONFLICT); /* the ports are taken */
    host.ports = port_bus_create(&bench->log, &bench->counters);
    status = vga_create(&host, &config, &second);
    assert_int_equal(status.code, STATUS_OK); /* nothing was left behind by the failures */
    struct device *device = vga_device(second);
    device->class->destroy(device);
    port_bus_destroy(host.ports);
    memory_bus_destroy(host.memory);
}

#define VGA_TEST(function) cmocka_unit_test_setup_teardown(function, vga_bench_setup, vga_bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VGA_TEST(registers_keep_their_defined_bits),
        VGA_TEST(protect_bit_locks_crtc_registers_0_to_7_but_line_compare),
        VGA_TEST(misc_output_moves_the_crtc_between_3bx_and_3dx),
        VGA_TEST(attribute_port_alternates_until_status_is_read),
        VGA_TEST(dac_entries_change_with_the_third_component),
        VGA_TEST(status_bits_follow_the_programmed_timing),
        VGA_TEST(vertical_interrupt_comes_every_frame_until_cleared_or_disabled),
        VGA_TEST(absurd_timings_do_not_flood_the_clock),
        VGA_TEST(describe_names_mode_and_registers),
        VGA_TEST(create_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
