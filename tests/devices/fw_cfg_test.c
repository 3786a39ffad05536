/* Firmware configuration items through both interfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bits.h"
#include "device_bench.h"
#include "devices/fw_cfg.h"

struct fixture {
    struct bench *bench;
    struct fw_cfg *config;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    bench_check(fw_cfg_create(&fixture->bench->host, &fixture->config));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = fw_cfg_device(fixture->config);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void read_item(struct fixture *fixture, uint16_t key, uint8_t *to, size_t length)
{
    port_bus_write(fixture->bench->host.ports, 0x510, 2, key);
    for (size_t i = 0; i < length; i++) {
        to[i] = bench_in(fixture->bench, 0x511);
    }
}

/* Runs a command block at 1000h and returns its result. */
static uint32_t dma(struct fixture *fixture, uint32_t control, uint32_t length, uint64_t address)
{
    uint8_t *block = fixture->bench->ram + 0x1000;
    store_be32(block, control);
    store_be32(block + 4, length);
    store_be64(block + 8, address);
    port_bus_write(fixture->bench->host.ports, 0x514, 4, 0);
    port_bus_write(fixture->bench->host.ports, 0x518, 4, __builtin_bswap32(0x1000));
    return load_be32(block);
}

static void signature_and_version_identify_the_interface(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[6];
    read_item(fixture, 0, bytes, 6);
    assert_memory_equal(bytes, "QEMU\0\0", 6);
    read_item(fixture, 1, bytes, 4);
    assert_memory_equal(bytes, "\3\0\0\0", 4);
    assert_int_equal(port_bus_read(fixture->bench->host.ports, 0x514, 4), load_le32("QEMU"));
    assert_int_equal(port_bus_read(fixture->bench->host.ports, 0x518, 4), load_le32(" CFG"));
}

static void numbers_are_little_endian_and_missing_items_are_zero(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[9];
    bench_check(fw_cfg_add_number(fixture->config, FW_CFG_RAM_SIZE, 0x0123456789abcdef, 8));
    read_item(fixture, FW_CFG_RAM_SIZE, bytes, 9);
    assert_memory_equal(bytes, "\xef\xcd\xab\x89\x67\x45\x23\x01\0", 9);
    bench_check(fw_cfg_add_number(fixture->config, FW_CFG_RAM_SIZE, 5, 2));
    read_item(fixture, FW_CFG_RAM_SIZE, bytes, 4);
    assert_memory_equal(bytes, "\5\0\0\0", 4);
    read_item(fixture, 0x7777, bytes, 2);
    assert_memory_equal(bytes, "\0\0", 2);
}

static void directory_lists_the_files(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[4 + 2 * 64];
    bench_check(fw_cfg_add_file(fixture->config, "bootorder", "abc", 4));
    bench_check(fw_cfg_add_file(fixture->config, "etc/e820", "0123456789", 10));
    bench_check(fw_cfg_add_file(fixture->config, "bootorder", "abcd", 5));
    read_item(fixture, 0x19, bytes, sizeof bytes);
    assert_int_equal(load_be32(bytes), 2);
    assert_int_equal(load_be32(bytes + 4), 5);
    assert_string_equal((const char *)bytes + 12, "bootorder");
    assert_int_equal(load_be32(bytes + 68), 10);
    assert_string_equal((const char *)bytes + 76, "etc/e820");
    uint16_t key = (uint16_t)(bytes[72] << 8 | bytes[73]);
    read_item(fixture, key, bytes, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    struct status status =
        fw_cfg_add_file(fixture->config, "a/name/that/is/one/byte/longer/than/the/directory/has/ro", "x", 1);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
}

static void dma_selects_skips_and_reads(void **state)
{
    struct fixture *fixture = *state;
    bench_check(fw_cfg_add_bytes(fixture->config, 0x8003, "0123456789", 10));
    memset(fixture->bench->ram + 0x2000, 0xee, 16);
    assert_int_equal(dma(fixture, 0x80030000 | 0x0a, 4, 0x2000), 0);
    assert_memory_equal(fixture->bench->ram + 0x2000, "0123\xee", 5);
    assert_int_equal(dma(fixture, 0x04, 3, 0), 0);
    assert_int_equal(dma(fixture, 0x02, 6, 0x2000), 0);
    assert_memory_equal(fixture->bench->ram + 0x2000, "789\0\0\0\xee", 7);
}

static void dma_refuses_writes_and_absurd_lengths(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(dma(fixture, 0x10, 4, 0x2000), 1);
    assert_int_equal(dma(fixture, 0x02, 0xffffffff, 0x2000), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signature_and_version_identify_the_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_little_endian_and_missing_items_are_zero, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(directory_lists_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(dma_selects_skips_and_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(dma_refuses_writes_and_absurd_lengths, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
