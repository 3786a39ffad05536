/* The exit port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/isa_debug_exit.h"

static void remember(void *opaque, uint32_t value)
{
    *(uint32_t *)opaque = value;
}

static void writes_of_every_width_tell_their_value(void **state)
{
    (void)state;
    struct bench *bench = bench_create();
    uint32_t told = 0;
    const struct isa_debug_exit_config config = {
        .base = ISA_DEBUG_EXIT_PORT, .length = ISA_DEBUG_EXIT_PORTS, .exit = remember, .opaque = &told};
    struct isa_debug_exit *device;
    bench_check(isa_debug_exit_create(&bench->host, &config, &device));
    bench_out(bench, 0xF4, 0x10);
    assert_int_equal(told, 0x10);
    port_bus_write(bench->host.ports, 0xF4, 4, 0x12345678);
    assert_int_equal(told, 0x12345678);
    assert_int_equal(bench_in(bench, 0xF4), 0);
    struct isa_debug_exit *second;
    assert_int_equal(isa_debug_exit_create(&bench->host, &config, &second).code, STATUS_CONFLICT);
    assert_null(second);
    isa_debug_exit_device(device)->class->destroy(isa_debug_exit_device(device));
    assert_int_equal(bench_in(bench, 0xF4), 0xFF);
    bench_destroy(bench);
}

static void impossible_lengths_are_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_create();
    struct isa_debug_exit_config config = {.base = 0x501, .length = 0, .exit = remember};
    struct isa_debug_exit *device;
    assert_int_equal(isa_debug_exit_create(&bench->host, &config, &device).code, STATUS_INVALID_ARGUMENT);
    config.length = 5;
    assert_int_equal(isa_debug_exit_create(&bench->host, &config, &device).code, STATUS_INVALID_ARGUMENT);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_every_width_tell_their_value),
        cmocka_unit_test(impossible_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
