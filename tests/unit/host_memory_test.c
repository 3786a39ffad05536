/* Blocks of host memory, and large pages for them. What pages a host really has is its own affair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "host/host_memory.h"
#include "host/large_page.h"

#define LARGE   (2 * MIB)
#define EXTENTS 4u

static void fill(const struct host_memory *memory, uint64_t from, uint64_t length)
{
    for (uint64_t i = from; i < from + length; i += 8) {
        store_le64(memory->bytes + i, i * 0x9E3779B97F4A7C15u);
    }
}

static void assert_filled(const struct host_memory *memory, uint64_t from, uint64_t length)
{
    for (uint64_t i = from; i < from + length; i += 8) {
        assert_int_equal(load_le64(memory->bytes + i), i * 0x9E3779B97F4A7C15u);
    }
}

static void what_is_in_use_is_gathered_and_stays_as_it_is(void **state)
{
    (void)state;
    struct host_memory memory;
    struct status status = host_memory_allocate(EXTENTS * LARGE + 64 * KIB, &memory);
    assert_true(status_is_ok(&status));
    fill(&memory, LARGE, LARGE / 12);         /* enough */
    fill(&memory, 2 * LARGE, LARGE / 32);     /* too little */
    fill(&memory, EXTENTS * LARGE, 64 * KIB); /* too short */
    for (unsigned i = 0; i < 2 * EXTENTS; i++) {
        host_memory_gather(&memory);
    }
    if (memory.large != NULL) {
        const uint8_t expected[EXTENTS] = {0, 1, 0, 0};
        assert_memory_equal(memory.large, expected, sizeof expected);
    }
    assert_filled(&memory, LARGE, LARGE / 12);
    assert_filled(&memory, 2 * LARGE, LARGE / 32);
    assert_filled(&memory, EXTENTS * LARGE, 64 * KIB);
    assert_int_equal(memory.bytes[0], 0);
    fill(&memory, 3 * LARGE, LARGE);
    for (unsigned i = 0; i < EXTENTS; i++) {
        host_memory_gather(&memory);
    }
    if (memory.large != NULL) {
        assert_int_equal(memory.large[3], 1);
    }
    assert_filled(&memory, 3 * LARGE, LARGE + 64 * KIB);
    host_memory_release(&memory);
}

static void a_block_smaller_than_a_large_page_is_left_alone(void **state)
{
    (void)state;
    struct host_memory memory;
    struct status status = host_memory_allocate(64 * KIB, &memory);
    assert_true(status_is_ok(&status));
    fill(&memory, 0, 64 * KIB);
    host_memory_gather(&memory);
    assert_null(memory.large);
    assert_filled(&memory, 0, 64 * KIB);
    host_memory_release(&memory);
}

static void memory_for_tables_is_zero_each_time(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        uint8_t *bytes = large_page_allocate(LARGE + LARGE / 2);
        assert_non_null(bytes);
        for (size_t i = 0; i < LARGE + LARGE / 2; i++) {
            assert_int_equal(bytes[i], 0);
        }
        memset(bytes, 0xa5, LARGE + LARGE / 2);
        large_page_free(bytes, LARGE + LARGE / 2);
    }
    large_page_free(NULL, LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_use_is_gathered_and_stays_as_it_is),
        cmocka_unit_test(a_block_smaller_than_a_large_page_is_left_alone),
        cmocka_unit_test(memory_for_tables_is_zero_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
