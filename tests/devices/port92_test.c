/* Port 92h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/port92.h"

static void bit_1_is_a20_and_a_rise_of_bit_0_resets(void **state)
{
    (void)state;
    struct bench *bench = bench_create();
    struct bench_line a20 = {0};
    struct bench_line reset = {0};
    struct port92_config config = {.a20 = bench_line_connect(&a20), .cpu_reset = bench_line_connect(&reset)};
    struct port92 *port = NULL;
    bench_check(port92_create(&bench->host, &config, &port));
    assert_int_equal(bench_in(bench, 0x92), 0x00);
    bench_out(bench, 0x92, 0x02);
    assert_true(a20.level);
    assert_int_equal(bench_in(bench, 0x92), 0x02);
    bench_out(bench, 0x92, 0xfd);
    assert_false(a20.level);
    assert_int_equal(reset.rises, 1);
    bench_out(bench, 0x92, 0x01);
    assert_int_equal(reset.rises, 1);
    bench_out(bench, 0x92, 0x00);
    bench_out(bench, 0x92, 0x01);
    assert_int_equal(reset.rises, 2);
    struct device *device = port92_device(port);
    device->class->destroy(device);
    bench_destroy(bench);
}

static void taken_port_is_a_conflict(void **state)
{
    (void)state;
    struct bench *bench = bench_create();
    struct port92_config config = {0};
    struct port92 *first = NULL;
    struct port92 *second = NULL;
    bench_check(port92_create(&bench->host, &config, &first));
    struct status status = port92_create(&bench->host, &config, &second);
    assert_int_equal(status.code, STATUS_CONFLICT);
    assert_null(second);
    struct device *device = port92_device(first);
    device->class->destroy(device);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bit_1_is_a20_and_a_rise_of_bit_0_resets),
        cmocka_unit_test(taken_port_is_a_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
