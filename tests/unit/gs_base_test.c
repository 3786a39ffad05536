/* GS's base is where it was set, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/gs_base.h"

static uint32_t load_from_gs(void)
{
    uint32_t value = 0;
#if defined(__x86_64__)
    __asm__ volatile("movl %%gs:4, %0" : "=r"(value));
#endif
    return value;
}

static void check(bool cheap)
{
    static const uint32_t here[] = {0, 17}, there[] = {0, 18};
    if (!host_gs_base_set(here, cheap)) {
        skip();
    }
    assert_int_equal(load_from_gs(), 17);
    assert_true(host_gs_base_set(there, cheap));
    assert_int_equal(load_from_gs(), 18);
}

static void the_kernel_sets_it(void **state)
{
    (void)state;
    check(false);
}

static void the_program_sets_it_where_it_may(void **state)
{
    (void)state;
    if (!host_gs_base_is_cheap()) {
        skip();
    }
    check(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_sets_it),
        cmocka_unit_test(the_program_sets_it_where_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
