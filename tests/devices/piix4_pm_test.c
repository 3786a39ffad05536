/* The ACPI power management function on a PCI bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"

#define BASE 0x600

struct fixture {
    struct bench *bench;
    struct pci_bus *pci;
    struct piix4_pm *pm;
    struct bench_line sci;
    unsigned power_offs;
};

static void power_off(void *opaque)
{
    ((struct fixture *)opaque)->power_offs++;
}

static void set(struct fixture *fixture, unsigned reg, unsigned width, uint32_t value)
{
    pci_bus_config_write(fixture->pci, 1, 3, reg, width, value);
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    fixture->pci = pci_bus_create(&fixture->bench->host);
    const struct piix4_pm_config config = {.slot = 1,
                                           .function = 3,
                                           .sci = bench_line_connect(&fixture->sci),
                                           .power_off = power_off,
                                           .opaque = fixture,
                                           .has_serial = {true, false}};
    bench_check(piix4_pm_create(&fixture->bench->host, fixture->pci, &config, &fixture->pm));
    /* As SeaBIOS does. */
    set(fixture, 0x40, 4, BASE | 1);
    set(fixture, 0x80, 1, 1);
    set(fixture, 0x90, 4, 0x700 | 1);
    set(fixture, 0xD2, 1, 9);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = piix4_pm_device(fixture->pm);
    device->class->destroy(device);
    assert_int_equal(event_clock_next_deadline(fixture->bench->host.clock), EVENT_CLOCK_NEVER);
    pci_bus_destroy(fixture->pci);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static uint32_t in(struct fixture *fixture, uint16_t port, unsigned width)
{
    return port_bus_read(fixture->bench->host.ports, port, width);
}

static void out(struct fixture *fixture, uint16_t port, unsigned width, uint32_t value)
{
    port_bus_write(fixture->bench->host.ports, port, width, value);
}

static void function_is_a_piix4_that_needs_no_smm(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(pci_bus_config_read(fixture->pci, 1, 3, 0, 4), 0x71138086);
    assert_int_equal(pci_bus_config_read(fixture->pci, 1, 3, 8, 4) >> 8, 0x068000);
    assert_true(pci_bus_config_read(fixture->pci, 1, 3, 0x58, 4) & 1u << 25);
    assert_int_equal(pci_bus_config_read(fixture->pci, 1, 3, 0x40, 4), BASE | 1);
    assert_int_equal(pci_bus_config_read(fixture->pci, 1, 3, 0x67, 1), 0x08);
}

static void windows_move_and_close(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(in(fixture, BASE + 4, 2), 0);
    set(fixture, 0x40, 4, 0xB000);
    assert_int_equal(in(fixture, BASE + 4, 2), 0xFFFF);
    assert_int_equal(in(fixture, 0xB004, 2), 0);
    set(fixture, 0x80, 1, 0);
    assert_int_equal(in(fixture, 0xB004, 2), 0xFFFF);
    set(fixture, 0x40, 4, 0x80); /* over the APM ports: taken */
    set(fixture, 0x80, 1, 1);
    assert_int_equal(in(fixture, 0xB3, 1), 0);
    assert_int_equal(in(fixture, 0x84, 1), 0xFF);
}

static void timer_runs_at_3_579545_mhz_in_24_bits(void **state)
{
    struct fixture *fixture = *state;
    uint32_t start = in(fixture, BASE + 8, 4);
    bench_run_for(fixture->bench, NS_PER_SECOND);
    assert_int_equal(in(fixture, BASE + 8, 4) - start, 3579545);
    bench_run_for(fixture->bench, 4 * NS_PER_SECOND);
    assert_int_equal(in(fixture, BASE + 8, 4), (start + 5 * 3579545) & 0xFFFFFF);
    assert_int_equal(in(fixture, BASE + 10, 1), in(fixture, BASE + 8, 4) >> 16);
}

static void apm_commands_switch_acpi(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 0xB2, 1, 0xF1);
    assert_int_equal(in(fixture, BASE + 4, 2), 1);
    out(fixture, 0xB3, 1, 0x42);
    assert_int_equal(in(fixture, 0xB3, 1), 0x42);
    assert_int_equal(in(fixture, BASE + 4, 2), 1);
    out(fixture, 0xB2, 1, 0xF0);
    assert_int_equal(in(fixture, BASE + 4, 2), 0);
    assert_int_equal(in(fixture, 0xB2, 1), 0xF0);
}

static void timer_status_interrupts_when_bit_23_changes(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 0xB2, 1, 0xF1);
    out(fixture, BASE, 2, 1);
    out(fixture, BASE + 2, 2, 1);
    bench_run_until(fixture->bench, (1ull << 23) * NS_PER_SECOND / PIIX4_PM_TIMER_HZ);
    assert_false(fixture->sci.level);
    bench_run_for(fixture->bench, 1000);
    assert_true(fixture->sci.level);
    assert_int_equal(in(fixture, BASE, 2), 1);
    out(fixture, BASE, 2, 0); /* clears nothing */
    assert_true(fixture->sci.level);
    out(fixture, BASE, 2, 1);
    assert_false(fixture->sci.level);
    bench_run_for(fixture->bench, 2400 * NS_PER_MILLISECOND);
    assert_int_equal(fixture->sci.rises, 2);
    out(fixture, BASE + 2, 2, 0);
    assert_false(fixture->sci.level);
    assert_int_equal(in(fixture, BASE, 2), 1);
}

static void power_button_asks_by_sci(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, BASE + 2, 2, 0x100);
    piix4_pm_press_power_button(fixture->pm);
    assert_false(fixture->sci.level); /* not in ACPI mode */
    out(fixture, 0xB2, 1, 0xF1);
    assert_true(fixture->sci.level);
    assert_int_equal(in(fixture, BASE, 2), 0x100);
    out(fixture, BASE + 1, 1, 0x01);
    assert_false(fixture->sci.level);
    assert_int_equal(in(fixture, BASE, 2), 0);
}

static void sleep_types_0_and_2_switch_off(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, BASE + 4, 2, 0x0001);
    assert_int_equal(fixture->power_offs, 0);
    out(fixture, BASE + 4, 2, 0x2001);
    assert_int_equal(fixture->power_offs, 1);
    assert_int_equal(in(fixture, BASE + 4, 2), 0x0001); /* SLP_EN reads as 0 */
    out(fixture, BASE + 4, 2, 0x2801);
    assert_int_equal(fixture->power_offs, 2);
    out(fixture, BASE + 4, 2, 0x2401); /* S3 */
    assert_int_equal(fixture->power_offs, 2);
    assert_int_equal(in(fixture, BASE, 2), 0x8000);
    out(fixture, BASE + 4, 2, 0x0801);
    assert_int_equal(fixture->power_offs, 2);
}

static void smbus_has_nobody_on_it(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(in(fixture, 0x700, 1), 0);
    out(fixture, 0x704, 1, 0xA0);
    out(fixture, 0x702, 1, 0x48);
    assert_int_equal(in(fixture, 0x700, 1), 0x04);
    assert_int_equal(in(fixture, 0x702, 1), 0x08);
    out(fixture, 0x700, 1, 0x04);
    assert_int_equal(in(fixture, 0x700, 1), 0x00);
}

static void gpe_and_hotplug_registers_are_quiet(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 0xAFE0, 2, 0xFFFF);
    out(fixture, 0xAFE2, 2, 0x0102);
    assert_int_equal(in(fixture, 0xAFE0, 4), 0x01020000);
    assert_int_equal(in(fixture, 0xAE0C, 4), 0);
}

static void reset_closes_the_windows_and_lowers_the_sci(void **state)
{
    struct fixture *fixture = *state;
    out(fixture, 0xB2, 1, 0xF1);
    out(fixture, BASE + 2, 2, 0x100);
    piix4_pm_press_power_button(fixture->pm);
    struct device *device = piix4_pm_device(fixture->pm);
    device->class->reset(device);
    assert_false(fixture->sci.level);
    assert_int_equal(in(fixture, BASE + 4, 2), 0xFFFF);
    assert_int_equal(in(fixture, 0x702, 1), 0xFF);
}

static void sci_shares_irq9_with_a_routed_pirq(void **state)
{
    struct fixture *fixture = *state;
    struct bench_line irq9 = {0};
    struct piix3_config config = {.isa_irq = {[9] = bench_line_connect(&irq9)}};
    struct piix3 *bridge;
    bench_check(piix3_create(fixture->pci, &config, &bridge));
    struct irq_line sci = piix3_sci(bridge);
    struct irq_line pirq = piix3_pirq(bridge, 2);
    pci_bus_config_write(fixture->pci, 1, 0, 0x62, 1, 9);
    irq_line_raise(&sci);
    assert_true(irq9.level);
    irq_line_raise(&pirq);
    irq_line_lower(&sci);
    assert_true(irq9.level);
    irq_line_lower(&pirq);
    assert_false(irq9.level);
    struct device *device = piix3_device(bridge);
    device->class->destroy(device);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(function_is_a_piix4_that_needs_no_smm),
        TEST(windows_move_and_close),
        TEST(timer_runs_at_3_579545_mhz_in_24_bits),
        TEST(apm_commands_switch_acpi),
        TEST(timer_status_interrupts_when_bit_23_changes),
        TEST(power_button_asks_by_sci),
        TEST(sleep_types_0_and_2_switch_off),
        TEST(smbus_has_nobody_on_it),
        TEST(gpe_and_hotplug_registers_are_quiet),
        TEST(reset_closes_the_windows_and_lowers_the_sci),
        TEST(sci_shares_irq9_with_a_routed_pirq),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
