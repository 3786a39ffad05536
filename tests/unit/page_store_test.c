/* Copies of memory are what memory was, and share what stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/page_store.h"

#define PAGES  1000u /* no whole number of groups */
#define COPIES 12u

struct bench {
    struct page_store *store;
    struct host_memory memory;
    struct page_set *sets[COPIES];
    uint8_t *expected[COPIES];
    unsigned changes; /* that were told */
    uint64_t last_change;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->store = page_store_create();
    assert_non_null(bench->store);
    struct status status = host_memory_allocate(PAGES * PAGE_STORE_PAGE, &bench->memory);
    assert_string_equal(status.message, "");
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    for (unsigned i = 0; i < COPIES; i++) {
        page_set_destroy(bench->store, bench->sets[i]);
        free(bench->expected[i]);
    }
    assert_int_equal(page_store_bytes(bench->store), 0);
    page_store_destroy(bench->store);
    host_memory_release(&bench->memory);
    free(bench);
    return 0;
}

static uint8_t *page(struct bench *bench, unsigned number)
{
    return bench->memory.bytes + (size_t)number * PAGE_STORE_PAGE;
}

static void copy(struct bench *bench, unsigned number)
{
    bench->sets[number] =
        page_set_create(bench->store, &bench->memory, number > 0 ? bench->sets[number - 1] : NULL);
    bench->expected[number] = malloc((size_t)bench->memory.length);
    assert_non_null(bench->sets[number]);
    assert_non_null(bench->expected[number]);
    memcpy(bench->expected[number], bench->memory.bytes, (size_t)bench->memory.length);
}

static void note_change(void *opaque, uint64_t offset)
{
    struct bench *bench = opaque;
    bench->changes++;
    bench->last_change = offset;
}

static void every_copy_is_put_back_as_it_was(void **state)
{
    struct bench *bench = *state;
    uint32_t random = 1;
    for (unsigned i = 0; i < COPIES; i++) {
        for (unsigned change = 0; change < 5 * i; change++) {
            random = random * 1664525u + 1013904223u;
            uint8_t *at = page(bench, random >> 8 & 511) + (random >> 20);
            *at = change % 4 == 0 ? 0 : (uint8_t)(*at + 1 + i);
        }
        if (i == 7) {
            memset(page(bench, 0), 0, 256u * PAGE_STORE_PAGE);
            page(bench, PAGES - 1)[PAGE_STORE_PAGE - 1] = 1;
        }
        copy(bench, i);
    }
    for (unsigned i = 0; i < 5 * COPIES; i++) {
        unsigned number = i * 7 % COPIES;
        page_set_put_back(bench->sets[number], &bench->memory, NULL, NULL);
        assert_memory_equal(bench->memory.bytes, bench->expected[number], (size_t)bench->memory.length);
    }
}

static void a_copy_costs_what_has_changed(void **state)
{
    struct bench *bench = *state;
    copy(bench, 0);
    uint64_t nothing = page_store_bytes(bench->store);
    assert_true(nothing < PAGE_STORE_PAGE);
    memset(page(bench, 100), 1, 300u * PAGE_STORE_PAGE);
    copy(bench, 1);
    uint64_t all = page_store_bytes(bench->store);
    assert_true(all >= 300u * PAGE_STORE_PAGE);
    page(bench, 150)[7] = 2;
    copy(bench, 2);
    assert_true(page_store_bytes(bench->store) < all + 2 * PAGE_STORE_PAGE);
    page_set_destroy(bench->store, bench->sets[1]);
    bench->sets[1] = NULL;
    assert_true(page_store_bytes(bench->store) < all + PAGE_STORE_PAGE);
}

static void pages_that_change_are_told_and_no_others(void **state)
{
    struct bench *bench = *state;
    page(bench, 10)[1] = 1;
    copy(bench, 0);
    page_set_put_back(bench->sets[0], &bench->memory, note_change, bench);
    assert_int_equal(bench->changes, 0);
    page(bench, 999)[1] = 1;
    page_set_put_back(bench->sets[0], &bench->memory, note_change, bench);
    assert_int_equal(bench->changes, 1);
    assert_int_equal(bench->last_change, 999u * PAGE_STORE_PAGE);
}

static void memory_without_a_descriptor_is_copied_as_well(void **state)
{
    struct bench *bench = *state;
    struct host_memory plain = {
        .bytes = calloc(3, PAGE_STORE_PAGE), .length = 3u * PAGE_STORE_PAGE, .fd = -1};
    assert_non_null(plain.bytes);
    plain.bytes[PAGE_STORE_PAGE] = 5;
    bench->sets[0] = page_set_create(bench->store, &plain, NULL);
    assert_non_null(bench->sets[0]);
    plain.bytes[0] = 1;
    plain.bytes[PAGE_STORE_PAGE] = 2;
    page_set_put_back(bench->sets[0], &plain, NULL, NULL);
    assert_int_equal(plain.bytes[0], 0);
    assert_int_equal(plain.bytes[PAGE_STORE_PAGE], 5);
    free(plain.bytes);
}

int main(void)
{
#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(every_copy_is_put_back_as_it_was),
        BENCH_TEST(a_copy_costs_what_has_changed),
        BENCH_TEST(pages_that_change_are_told_and_no_others),
        BENCH_TEST(memory_without_a_descriptor_is_copied_as_well),
    };
#undef BENCH_TEST
    return cmocka_run_group_tests_name("page_store", tests, NULL, NULL);
}
