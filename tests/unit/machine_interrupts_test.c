/* The board's interrupt wiring: from a port that makes a chip raise its line to the CPU's INTR, by way of the
 * 8259, the I/O APIC and the local APIC. The CPU does not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "bus/memory_bus.h"
#include "bus/port_bus.h"
#include "cpu/cpu.h"
#include "machine/machine.h"

#define LOCAL_APIC 0xFEE00000u
#define IO_APIC    0xFEC00000u
#define HPET       0xFED00000u

#define APIC_EOI   0xB0u
#define APIC_LDR   0xD0u
#define APIC_SVR   0xF0u
#define APIC_LINT0 0x350u

#define MASKED 0x10000u
#define LEVEL  0x8000u
#define EXTINT 0x700u

#define MSR_APIC_BASE 0x1Bu

#define PIC_VECTORS 0x50

static struct machine *create(const char *cpu)
{
    struct machine_config config = {
        .ram_size = 4 * MIB, .cpu = cpu, .counted = true, .ns_per_instruction = 8, .rtc_epoch = 946684800};
    struct machine *machine = NULL;
    struct status status = machine_create(&config, &machine);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
    return machine;
}

static void out(struct machine *machine, uint16_t port, uint8_t value)
{
    port_bus_write(machine_ports(machine), port, 1, value);
}

static void store(struct machine *machine, uint64_t address, uint32_t value)
{
    memory_bus_write(machine_memory(machine), address, 4, value);
}

static uint32_t load(struct machine *machine, uint64_t address)
{
    return (uint32_t)memory_bus_read(machine_memory(machine), address, 4);
}

static bool intr(struct machine *machine)
{
    return machine_cpu(machine)->pending & CPU_PENDING_INTERRUPT;
}

static int acknowledge(struct machine *machine)
{
    const struct cpu_pins *pins = &machine_cpu(machine)->pins;
    return pins->interrupt_acknowledge(pins->opaque);
}

/* All 8259 inputs unmasked, edge-triggered, automatic EOI. */
static void start_pics(struct machine *machine)
{
    for (unsigned chip = 0; chip < 2; chip++) {
        uint16_t base = chip == 0 ? 0x20 : 0xA0;
        out(machine, base, 0x11);
        out(machine, (uint16_t)(base + 1), (uint8_t)(PIC_VECTORS + 8 * chip));
        out(machine, (uint16_t)(base + 1), chip == 0 ? 0x04 : 0x02);
        out(machine, (uint16_t)(base + 1), 0x03);
        out(machine, (uint16_t)(base + 1), 0);
    }
}

static void start_local_apic(struct machine *machine)
{
    store(machine, LOCAL_APIC + APIC_SVR, 0x1FF);
    store(machine, LOCAL_APIC + APIC_LINT0, EXTINT | MASKED);
}

static void route(struct machine *machine, unsigned input, uint32_t entry)
{
    store(machine, IO_APIC, 0x11 + 2 * input);
    store(machine, IO_APIC + 0x10, 0);
    store(machine, IO_APIC, 0x10 + 2 * input);
    store(machine, IO_APIC + 0x10, entry);
}

/* IRQ4 as a level: the first UART's transmitter is empty. */
static void drive_irq4(struct machine *machine, bool level)
{
    out(machine, 0x3FC, 0x08);
    out(machine, 0x3F9, level ? 0x02 : 0x00);
}

/* An edge of the 8254's counter 0: low in mode 0, high in mode 2. */
static void pulse_pit(struct machine *machine)
{
    out(machine, 0x43, 0x30);
    out(machine, 0x43, 0x34);
}

static void a_cpu_without_apic_has_the_8259_at_intr(void **state)
{
    struct machine *machine = create("80486");
    (void)state;
    start_pics(machine);
    assert_int_equal(load(machine, LOCAL_APIC + 0x30), 0xFFFFFFFF);
    drive_irq4(machine, true);
    assert_true(intr(machine));
    assert_int_equal(acknowledge(machine), PIC_VECTORS + 4);
    assert_false(intr(machine));
    machine_destroy(machine);
}

static void the_8259_reaches_the_cpu_through_lint0(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_pics(machine);
    drive_irq4(machine, true); /* as firmware finds it */
    assert_true(intr(machine));
    assert_int_equal(acknowledge(machine), PIC_VECTORS + 4);
    drive_irq4(machine, false);
    start_local_apic(machine);
    drive_irq4(machine, true);
    assert_false(intr(machine));
    store(machine, LOCAL_APIC + APIC_LINT0, EXTINT);
    assert_true(intr(machine));
    assert_int_equal(acknowledge(machine), PIC_VECTORS + 4);
    machine_destroy(machine);
}

static void an_isa_line_reaches_both_controllers(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_pics(machine);
    start_local_apic(machine);
    store(machine, LOCAL_APIC + APIC_LINT0, EXTINT);
    route(machine, 4, 0x74);
    drive_irq4(machine, true);
    assert_int_equal(acknowledge(machine), PIC_VECTORS + 4);
    assert_int_equal(acknowledge(machine), 0x74);
    assert_false(intr(machine));
    machine_destroy(machine);
}

static void the_end_of_an_interrupt_reaches_the_io_apic(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_local_apic(machine);
    route(machine, 4, LEVEL | 0x74);
    drive_irq4(machine, true);
    assert_int_equal(acknowledge(machine), 0x74);
    assert_false(intr(machine));
    store(machine, LOCAL_APIC + APIC_EOI, 0);
    assert_true(intr(machine)); /* the line is still up */
    assert_int_equal(acknowledge(machine), 0x74);
    drive_irq4(machine, false);
    store(machine, LOCAL_APIC + APIC_EOI, 0);
    assert_false(intr(machine));
    machine_destroy(machine);
}

static void the_timer_is_input_2(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_local_apic(machine);
    route(machine, 0, 0x70);
    route(machine, 2, 0x72);
    pulse_pit(machine);
    assert_true(intr(machine));
    assert_int_equal(acknowledge(machine), 0x72);
    assert_false(intr(machine));
    machine_destroy(machine);
}

static void the_hpet_takes_the_place_of_the_timer(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_local_apic(machine);
    route(machine, 2, 0x72);
    store(machine, HPET + 0x10, 2); /* legacy replacement */
    pulse_pit(machine);
    assert_false(intr(machine));
    store(machine, HPET + 0x100, 0x104); /* one shot, 32 bits */
    store(machine, HPET + 0x108, 100);
    store(machine, HPET + 0x10, 3);
    machine_run(machine, 1000); /* as far as firmware gets in 1 us: interrupts are off */
    machine_run(machine, 1000);
    assert_true(intr(machine));
    assert_int_equal(acknowledge(machine), 0x72);
    machine_destroy(machine);
}

static void the_cpu_moves_and_disables_its_apic(void **state)
{
    struct machine *machine = create(NULL);
    struct cpu_state *cpu = machine_cpu(machine);
    (void)state;
    start_pics(machine);
    cpu_write_msr(cpu, MSR_APIC_BASE, 0x200900);
    assert_int_equal(load(machine, LOCAL_APIC + 0x30), 0xFFFFFFFF);
    assert_int_equal(load(machine, 0x200030), 0x00050014);
    cpu_write_msr(cpu, MSR_APIC_BASE, 0x200100);
    assert_int_equal(load(machine, 0x200030), 0);
    drive_irq4(machine, true);
    assert_int_equal(acknowledge(machine), PIC_VECTORS + 4);
    machine_reset(machine);
    assert_int_equal(load(machine, LOCAL_APIC + 0x30), 0x00050014);
    assert_int_equal(load(machine, 0x200030), 0);
    machine_destroy(machine);
}

static void out_wide(struct machine *machine, uint16_t port, unsigned width, uint32_t value)
{
    port_bus_write(machine_ports(machine), port, width, value);
}

static void configure_pm(struct machine *machine, uint32_t reg, uint32_t value)
{
    out_wide(machine, 0xCF8, 4, 0x80000B00 | reg); /* 00:01.3 */
    out_wide(machine, 0xCFC, 4, value);
}

static void the_acpi_interrupt_is_a_level_at_input_9(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_local_apic(machine);
    configure_pm(machine, 0x40, 0xB001);
    configure_pm(machine, 0x80, 0x01);
    out_wide(machine, 0xB002, 2, 0x0100); /* PWRBTN_EN */
    out_wide(machine, 0xB004, 2, 0x0001); /* SCI_EN */
    route(machine, 9, LEVEL | 0x79);
    assert_false(intr(machine));
    machine_press_power_button(machine);
    assert_int_equal(acknowledge(machine), 0x79);
    store(machine, LOCAL_APIC + APIC_EOI, 0);
    assert_int_equal(acknowledge(machine), 0x79);
    out_wide(machine, 0xB000, 2, 0x0100); /* PWRBTN_STS */
    store(machine, LOCAL_APIC + APIC_EOI, 0);
    assert_false(intr(machine));
    machine_destroy(machine);
}

static void an_nmi_by_message_reaches_the_cpu(void **state)
{
    struct machine *machine = create(NULL);
    (void)state;
    start_local_apic(machine);
    route(machine, 4, 0x400);
    drive_irq4(machine, true);
    assert_false(intr(machine));
    assert_true(machine_cpu(machine)->pending & CPU_PENDING_NMI);
    machine_destroy(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_without_apic_has_the_8259_at_intr),
        cmocka_unit_test(the_8259_reaches_the_cpu_through_lint0),
        cmocka_unit_test(an_isa_line_reaches_both_controllers),
        cmocka_unit_test(the_end_of_an_interrupt_reaches_the_io_apic),
        cmocka_unit_test(the_timer_is_input_2),
        cmocka_unit_test(the_hpet_takes_the_place_of_the_timer),
        cmocka_unit_test(the_cpu_moves_and_disables_its_apic),
        cmocka_unit_test(the_acpi_interrupt_is_a_level_at_input_9),
        cmocka_unit_test(an_nmi_by_message_reaches_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
