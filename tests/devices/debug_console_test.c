/* Ports E9h and 402h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/debug_console.h"

struct text {
    char bytes[8];
    unsigned length;
};

static void collect(void *opaque, uint8_t byte)
{
    struct text *text = opaque;
    text->bytes[text->length++] = (char)byte;
}

static void both_ports_write_and_identify_themselves(void **state)
{
    (void)state;
    struct bench *bench = bench_create();
    struct text text = {.length = 0};
    struct debug_console_config config = {.write = collect, .opaque = &text};
    struct debug_console *console = NULL;
    bench_check(debug_console_create(&bench->host, &config, &console));
    bench_out(bench, 0xe9, 'o');
    bench_out(bench, 0x402, 'k');
    assert_int_equal(text.length, 2);
    assert_memory_equal(text.bytes, "ok", 2);
    assert_int_equal(bench_in(bench, 0xe9), 0xe9);
    assert_int_equal(bench_in(bench, 0x402), 0xe9);
    struct device *device = debug_console_device(console);
    device->class->destroy(device);
    assert_int_equal(bench_in(bench, 0x402), 0xff);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ports_write_and_identify_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
