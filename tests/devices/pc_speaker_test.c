/* Port 61h between timer 2 and the speaker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/pc_speaker.h"

static bool probe_level(void *opaque, unsigned number)
{
    (void)number;
    return *(bool *)opaque;
}

static void port_61h_controls_gate_and_speaker_and_shows_both_signals(void **state)
{
    (void)state;
    struct bench *bench = bench_create();
    struct bench_line gate = {0};
    bool out2 = false;
    bool refresh = false;
    struct pc_speaker_config config = {.timer2_gate = bench_line_connect(&gate),
                                       .timer2_out = {.level = probe_level, .opaque = &out2},
                                       .refresh_toggle = {.level = probe_level, .opaque = &refresh}};
    struct pc_speaker *speaker = NULL;
    bench_check(pc_speaker_create(&bench->host, &config, &speaker));
    assert_false(gate.level);
    assert_int_equal(bench_in(bench, 0x61), 0x00);
    bench_out(bench, 0x61, 0xf1);
    assert_true(gate.level);
    assert_int_equal(bench_in(bench, 0x61), 0x01);
    out2 = true;
    assert_int_equal(bench_in(bench, 0x61), 0x21);
    assert_false(pc_speaker_level(speaker));
    bench_out(bench, 0x61, 0x03);
    assert_true(pc_speaker_level(speaker));
    refresh = true;
    assert_int_equal(bench_in(bench, 0x61), 0x33);
    struct device *device = pc_speaker_device(speaker);
    device->class->destroy(device);
    assert_int_equal(bench_in(bench, 0x61), 0xff);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_61h_controls_gate_and_speaker_and_shows_both_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
