/* The I/O APIC, programmed through memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/ioapic.h"

struct fixture {
    struct bench *bench;
    struct ioapic *ioapic;
    struct interrupt_message last;
    unsigned messages;
};

static void deliver(void *opaque, const struct interrupt_message *message)
{
    struct fixture *fixture = opaque;
    fixture->last = *message;
    fixture->messages++;
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    const struct interrupt_sink sink = {.deliver = deliver, .opaque = fixture};
    bench_check(ioapic_create(&fixture->bench->host, &sink, &fixture->ioapic));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = ioapic_device(fixture->ioapic);
    device->class->destroy(device);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void set(struct fixture *fixture, unsigned reg, uint32_t value)
{
    memory_bus_write(fixture->bench->host.memory, IOAPIC_BASE, 4, reg);
    memory_bus_write(fixture->bench->host.memory, IOAPIC_BASE + 0x10, 4, value);
}

static uint32_t get(struct fixture *fixture, unsigned reg)
{
    memory_bus_write(fixture->bench->host.memory, IOAPIC_BASE, 4, reg);
    return (uint32_t)memory_bus_read(fixture->bench->host.memory, IOAPIC_BASE + 0x10, 4);
}

static void set_entry(struct fixture *fixture, unsigned input, uint32_t high, uint32_t low)
{
    set(fixture, 0x11 + 2 * input, high);
    set(fixture, 0x10 + 2 * input, low);
}

static void drive(struct fixture *fixture, unsigned input, bool level)
{
    struct irq_line line = ioapic_input(fixture->ioapic, input);
    irq_line_set(&line, level);
}

static void registers_have_their_reset_values(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, 1), 0x00170011);
    assert_int_equal(get(fixture, 0), 0);
    set(fixture, 0, 0xFFFFFFFF);
    assert_int_equal(get(fixture, 0), 0x0F000000);
    assert_int_equal(get(fixture, 2), 0x0F000000);
    for (unsigned reg = 0x10; reg < 0x40; reg++) {
        assert_int_equal(get(fixture, reg), reg & 1 ? 0 : 0x10000);
    }
    set(fixture, 0x10, 0xFFFFFFFF);
    assert_int_equal(get(fixture, 0x10), 0x1AFFF);
    set(fixture, 0x11, 0xFFFFFFFF);
    assert_int_equal(get(fixture, 0x11), 0xFF000000);
    assert_int_equal(get(fixture, 0x40), 0);
}

static void edge_sends_one_message(void **state)
{
    struct fixture *fixture = *state;
    set_entry(fixture, 2, 0x05000000, 0x0931); /* logical 05, lowest priority, vector 31 */
    drive(fixture, 2, true);
    assert_int_equal(fixture->messages, 1);
    assert_int_equal(fixture->last.vector, 0x31);
    assert_int_equal(fixture->last.delivery, INTERRUPT_LOWEST_PRIORITY);
    assert_int_equal(fixture->last.destination, 0x05);
    assert_true(fixture->last.logical);
    assert_false(fixture->last.level);
    drive(fixture, 2, true);
    assert_int_equal(fixture->messages, 1);
    drive(fixture, 2, false);
    drive(fixture, 2, true);
    assert_int_equal(fixture->messages, 2);
}

static void masked_edge_is_lost(void **state)
{
    struct fixture *fixture = *state;
    set_entry(fixture, 4, 0, 0x10040);
    drive(fixture, 4, true);
    set_entry(fixture, 4, 0, 0x40);
    assert_int_equal(fixture->messages, 0);
    drive(fixture, 4, false);
    drive(fixture, 4, true);
    assert_int_equal(fixture->messages, 1);
}

static void level_waits_for_the_end_of_interrupt(void **state)
{
    struct fixture *fixture = *state;
    set_entry(fixture, 10, 0, 0x8051);
    drive(fixture, 10, true);
    assert_int_equal(fixture->messages, 1);
    assert_true(fixture->last.level);
    assert_int_equal(get(fixture, 0x24), 0xC051);
    drive(fixture, 10, false);
    drive(fixture, 10, true);
    assert_int_equal(fixture->messages, 1);
    ioapic_end_of_interrupt(fixture->ioapic, 0x50);
    assert_int_equal(fixture->messages, 1);
    ioapic_end_of_interrupt(fixture->ioapic, 0x51);
    assert_int_equal(fixture->messages, 2); /* still asserted */
    drive(fixture, 10, false);
    ioapic_end_of_interrupt(fixture->ioapic, 0x51);
    assert_int_equal(fixture->messages, 2);
    assert_int_equal(get(fixture, 0x24), 0x8051);
}

static void masked_level_is_sent_when_unmasked(void **state)
{
    struct fixture *fixture = *state;
    set_entry(fixture, 11, 0, 0x18052);
    drive(fixture, 11, true);
    assert_int_equal(fixture->messages, 0);
    set(fixture, 0x26, 0x8052);
    assert_int_equal(fixture->messages, 1);
}

static void switching_to_edge_clears_remote_irr(void **state)
{
    struct fixture *fixture = *state;
    set_entry(fixture, 11, 0, 0x8052);
    drive(fixture, 11, true);
    set(fixture, 0x26, 0x10052);
    assert_int_equal(get(fixture, 0x26), 0x10052);
    set(fixture, 0x26, 0x8052);
    assert_int_equal(fixture->messages, 2);
}

static void reset_masks_all_inputs(void **state)
{
    struct fixture *fixture = *state;
    set_entry(fixture, 1, 0, 0x30);
    struct device *device = ioapic_device(fixture->ioapic);
    device->class->reset(device);
    drive(fixture, 1, true);
    assert_int_equal(fixture->messages, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(registers_have_their_reset_values),
        TEST(edge_sends_one_message),
        TEST(masked_edge_is_lost),
        TEST(level_waits_for_the_end_of_interrupt),
        TEST(masked_level_is_sent_when_unmasked),
        TEST(switching_to_edge_clears_remote_irr),
        TEST(reset_masks_all_inputs),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
