/* The interrupt controllers, programmed through their ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/i8259.h"

struct fixture {
    struct bench *bench;
    struct bench_line cpu;
    struct i8259_pair *pair;
};

/* As a PC BIOS does: vectors 08h and 70h, nothing masked. */
static void program(struct fixture *fixture, uint8_t icw4)
{
    struct bench *bench = fixture->bench;
    bench_out(bench, 0x20, 0x11);
    bench_out(bench, 0x21, 0x08);
    bench_out(bench, 0x21, 0x04);
    bench_out(bench, 0x21, icw4);
    bench_out(bench, 0xa0, 0x11);
    bench_out(bench, 0xa1, 0x70);
    bench_out(bench, 0xa1, 0x02);
    bench_out(bench, 0xa1, 0x01);
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    struct irq_line cpu = bench_line_connect(&fixture->cpu);
    bench_check(i8259_pair_create(&fixture->bench->host, &cpu, &fixture->pair));
    program(fixture, 0x01);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = i8259_pair_device(fixture->pair);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void set_irq(struct fixture *fixture, unsigned irq, bool level)
{
    struct irq_line line = i8259_pair_input(fixture->pair, irq);
    irq_line_set(&line, level);
}

static void everything_is_masked_after_reset(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = i8259_pair_device(fixture->pair);
    device->class->reset(device);
    set_irq(fixture, 1, true);
    assert_false(fixture->cpu.level);
    assert_int_equal(bench_in(fixture->bench, 0x21), 0xff);
}

static void request_is_acknowledged_and_ended(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 1, true);
    assert_true(fixture->cpu.level);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x02);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x09);
    assert_false(fixture->cpu.level);
    bench_out(fixture->bench, 0x20, 0x0b);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x02);
    bench_out(fixture->bench, 0x20, 0x20);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x00);
    assert_false(fixture->cpu.level); /* still high, but no new edge */
    set_irq(fixture, 1, false);
    set_irq(fixture, 1, true);
    assert_true(fixture->cpu.level);
}

static void more_urgent_request_interrupts_less_urgent_one(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 4, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0c);
    set_irq(fixture, 6, true);
    assert_false(fixture->cpu.level);
    set_irq(fixture, 0, true);
    assert_true(fixture->cpu.level);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x08);
    bench_out(fixture->bench, 0x20, 0x20); /* ends IRQ0, the most urgent */
    assert_false(fixture->cpu.level);
    bench_out(fixture->bench, 0x20, 0x20);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0e);
}

static void slave_requests_go_through_ir2(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 12, true);
    set_irq(fixture, 8, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x70);
    assert_false(fixture->cpu.level);
    bench_out(fixture->bench, 0xa0, 0x20);
    bench_out(fixture->bench, 0x20, 0x20);
    assert_true(fixture->cpu.level);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x74);
    bench_out(fixture->bench, 0x20, 0x0b);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x04);
}

static void irq2_pin_arrives_as_irq9(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 2, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x71);
}

static void withdrawn_request_gives_spurious_irq7_without_in_service_bit(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 3, true);
    set_irq(fixture, 3, false);
    assert_false(fixture->cpu.level);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0f);
    bench_out(fixture->bench, 0x20, 0x0b);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x00);
}

static void level_triggered_input_asks_again_until_it_falls(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x4d1, 0xff);
    assert_int_equal(bench_in(fixture->bench, 0x4d1), 0xde);
    set_irq(fixture, 11, true);
    for (int i = 0; i < 2; i++) {
        assert_true(fixture->cpu.level);
        assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x73);
        bench_out(fixture->bench, 0xa0, 0x20);
        bench_out(fixture->bench, 0x20, 0x20);
    }
    set_irq(fixture, 11, false);
    assert_false(fixture->cpu.level);
}

static void rotation_on_eoi_makes_the_served_input_last(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 3, true);
    set_irq(fixture, 4, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0b);
    bench_out(fixture->bench, 0x20, 0xa0);
    set_irq(fixture, 3, false);
    set_irq(fixture, 3, true);
    set_irq(fixture, 1, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0c);
    bench_out(fixture->bench, 0x20, 0x64); /* specific EOI */
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x09);
    bench_out(fixture->bench, 0x20, 0x61);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0b);
}

static void set_priority_command_names_the_last(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x20, 0xc4);
    set_irq(fixture, 0, true);
    set_irq(fixture, 5, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0d);
}

static void automatic_eoi_keeps_nothing_in_service(void **state)
{
    struct fixture *fixture = *state;
    program(fixture, 0x03);
    set_irq(fixture, 5, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0d);
    bench_out(fixture->bench, 0x20, 0x0b);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x00);
    set_irq(fixture, 6, true);
    assert_true(fixture->cpu.level);
}

static void special_mask_lets_less_urgent_requests_through(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 1, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x09);
    set_irq(fixture, 5, true);
    assert_false(fixture->cpu.level);
    bench_out(fixture->bench, 0x21, 0x02);
    assert_false(fixture->cpu.level);
    bench_out(fixture->bench, 0x20, 0x68);
    assert_true(fixture->cpu.level);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x0d);
    bench_out(fixture->bench, 0x20, 0x20); /* ends IRQ5: IRQ1 is masked */
    bench_out(fixture->bench, 0x20, 0x0b);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x02);
}

static void special_fully_nested_master_takes_a_second_slave_request(void **state)
{
    struct fixture *fixture = *state;
    set_irq(fixture, 14, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x76);
    set_irq(fixture, 8, true);
    assert_false(fixture->cpu.level);
    program(fixture, 0x11);
    set_irq(fixture, 14, false);
    set_irq(fixture, 8, false);
    set_irq(fixture, 14, true);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x76);
    set_irq(fixture, 8, true);
    assert_true(fixture->cpu.level);
    assert_int_equal(i8259_pair_acknowledge(fixture->pair), 0x70);
}

static void poll_acknowledges(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0x20, 0x0c);
    assert_int_equal(bench_in(fixture->bench, 0x20) & 0x80, 0);
    set_irq(fixture, 6, true);
    bench_out(fixture->bench, 0x20, 0x0c);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x86);
    assert_false(fixture->cpu.level);
    bench_out(fixture->bench, 0x20, 0x0b);
    assert_int_equal(bench_in(fixture->bench, 0x20), 0x40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_is_masked_after_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(request_is_acknowledged_and_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(more_urgent_request_interrupts_less_urgent_one, setup, teardown),
        cmocka_unit_test_setup_teardown(slave_requests_go_through_ir2, setup, teardown),
        cmocka_unit_test_setup_teardown(irq2_pin_arrives_as_irq9, setup, teardown),
        cmocka_unit_test_setup_teardown(withdrawn_request_gives_spurious_irq7_without_in_service_bit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(level_triggered_input_asks_again_until_it_falls, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_on_eoi_makes_the_served_input_last, setup, teardown),
        cmocka_unit_test_setup_teardown(set_priority_command_names_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(automatic_eoi_keeps_nothing_in_service, setup, teardown),
        cmocka_unit_test_setup_teardown(special_mask_lets_less_urgent_requests_through, setup, teardown),
        cmocka_unit_test_setup_teardown(special_fully_nested_master_takes_a_second_slave_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(poll_acknowledges, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
