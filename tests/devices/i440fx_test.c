/* The PCI bus with host bridge, ISA bridge and a made-up card. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_bench.h"
#include "devices/i440fx.h"
#include "devices/piix3.h"

struct segment {
    bool read_ram, write_ram;
};

struct fixture {
    struct bench *bench;
    struct pci_bus *pci;
    struct i440fx *host_bridge;
    struct piix3 *isa_bridge;
    struct bench_line cpu_reset, system_reset;
    struct bench_line isa_irq[16];
    struct segment segments[16]; /* 16 KiB steps from C0000h */
    unsigned remaps;
    bool smram_open;
    struct pci_function card;
    bool window_mapped;
    uint64_t window_base;
};

static void remap(void *opaque, uint32_t base, uint32_t length, bool read_ram, bool write_ram)
{
    struct fixture *fixture = opaque;
    fixture->remaps++;
    for (uint32_t address = base; address < base + length; address += 0x4000) {
        fixture->segments[(address - 0xc0000) / 0x4000] = (struct segment){read_ram, write_ram};
    }
}

static void smram(void *opaque, bool enabled, bool open)
{
    (void)enabled;
    ((struct fixture *)opaque)->smram_open = open;
}

static uint64_t card_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)opaque;
    (void)width;
    return 0x50 + offset;
}

static void map_window(void *opaque, bool mapped, uint64_t base)
{
    struct fixture *fixture = opaque;
    fixture->window_mapped = mapped;
    fixture->window_base = base;
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->bench = bench_create();
    fixture->pci = pci_bus_create(&fixture->bench->host);
    assert_non_null(fixture->pci);
    struct i440fx_config host_config = {.remap = remap,
                                        .smram = smram,
                                        .opaque = fixture,
                                        .cpu_reset = bench_line_connect(&fixture->cpu_reset),
                                        .system_reset = bench_line_connect(&fixture->system_reset)};
    bench_check(i440fx_create(&fixture->bench->host, fixture->pci, &host_config, &fixture->host_bridge));
    struct piix3_config isa_config = {0};
    for (unsigned irq = 0; irq < 16; irq++) {
        isa_config.isa_irq[irq] = bench_line_connect(&fixture->isa_irq[irq]);
    }
    bench_check(piix3_create(fixture->pci, &isa_config, &fixture->isa_bridge));
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        pci_bus_connect_pirq(fixture->pci, pirq, piix3_pirq(fixture->isa_bridge, pirq));
    }
    pci_function_init(&fixture->card, "card", 0x1234, 0x5678, 0x010203, 4, 1);
    struct io_region ports = {.name = "card-ports", .length = 16, .read = card_read};
    struct io_region memory = {.name = "card-memory", .length = 0x1000, .read = card_read};
    pci_function_set_port_bar(&fixture->card, 0, &ports);
    pci_function_set_memory_bar(&fixture->card, 1, &memory);
    pci_function_set_mapped_bar(&fixture->card, 2, 0x100000, map_window, fixture);
    bench_check(pci_bus_attach(fixture->pci, &fixture->card, 3, 0));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct device *host_bridge = i440fx_device(fixture->host_bridge);
    struct device *isa_bridge = piix3_device(fixture->isa_bridge);
    pci_bus_detach(&fixture->card);
    isa_bridge->class->destroy(isa_bridge);
    host_bridge->class->destroy(host_bridge);
    pci_bus_destroy(fixture->pci);
    bench_destroy(fixture->bench);
    test_free(fixture);
    return 0;
}

static void select_register(struct fixture *fixture, unsigned slot, unsigned reg)
{
    port_bus_write(fixture->bench->host.ports, 0xcf8, 4, 0x80000000u | slot << 11 | (reg & 0xfcu));
}

static uint32_t get(struct fixture *fixture, unsigned slot, unsigned reg, unsigned width)
{
    select_register(fixture, slot, reg);
    return port_bus_read(fixture->bench->host.ports, (uint16_t)(0xcfc + (reg & 3)), width);
}

static void set(struct fixture *fixture, unsigned slot, unsigned reg, unsigned width, uint32_t value)
{
    select_register(fixture, slot, reg);
    port_bus_write(fixture->bench->host.ports, (uint16_t)(0xcfc + (reg & 3)), width, value);
}

static void functions_identify_themselves_and_empty_slots_do_not(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, 0, 0, 4), 0x12378086);
    assert_int_equal(get(fixture, 0, 0x2c, 4), 0x11001af4);
    assert_int_equal(get(fixture, 1, 0, 4), 0x70008086);
    assert_int_equal(get(fixture, 1, 8, 4), 0x06010000);
    assert_int_equal(get(fixture, 3, 2, 2), 0x5678);
    assert_int_equal(get(fixture, 3, 0x0b, 1), 0x01);
    assert_int_equal(get(fixture, 4, 0, 4), 0xffffffff);
    port_bus_write(fixture->bench->host.ports, 0xcf8, 4, 0x00000000);
    assert_int_equal(port_bus_read(fixture->bench->host.ports, 0xcfc, 4), 0xffffffff);
    port_bus_write(fixture->bench->host.ports, 0xcf8, 4, 0x80010000);
    assert_int_equal(port_bus_read(fixture->bench->host.ports, 0xcfc, 4), 0xffffffff);
    assert_int_equal(port_bus_read(fixture->bench->host.ports, 0xcf8, 4), 0x80010000);
}

static void bars_are_sized_and_moved(void **state)
{
    struct fixture *fixture = *state;
    struct port_bus *ports = fixture->bench->host.ports;
    set(fixture, 3, 0x10, 4, 0xffffffff);
    assert_int_equal(get(fixture, 3, 0x10, 4), 0xfffffff1);
    set(fixture, 3, 0x14, 4, 0xffffffff);
    assert_int_equal(get(fixture, 3, 0x14, 4), 0xfffff000);
    set(fixture, 3, 0x10, 4, 0xc000);
    assert_int_equal(port_bus_read(ports, 0xc002, 1), 0xff);
    set(fixture, 3, 0x04, 2, 0x0001);
    assert_int_equal(port_bus_read(ports, 0xc002, 1), 0x52);
    set(fixture, 3, 0x10, 4, 0xd000);
    assert_int_equal(port_bus_read(ports, 0xc002, 1), 0xff);
    assert_int_equal(port_bus_read(ports, 0xd00f, 1), 0x5f);
    set(fixture, 3, 0x14, 4, 0xe0000000);
    set(fixture, 3, 0x04, 2, 0x0002);
    assert_int_equal(port_bus_read(ports, 0xd00f, 1), 0xff);
    assert_int_equal(memory_bus_read(fixture->bench->host.memory, 0xe0000003, 1), 0x53);
    pci_function_reset(&fixture->card);
    assert_int_equal(get(fixture, 3, 0x14, 4), 0);
    assert_int_equal(memory_bus_read(fixture->bench->host.memory, 0xe0000003, 1), 0xff);
}

static void mapped_window_follows_its_bar(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 3, 0x18, 4, 0xfd000000);
    assert_false(fixture->window_mapped);
    set(fixture, 3, 0x04, 2, 0x0002);
    assert_true(fixture->window_mapped);
    assert_int_equal(fixture->window_base, 0xfd000000);
    set(fixture, 3, 0x18, 4, 0xffffffff);
    assert_false(fixture->window_mapped);
    set(fixture, 3, 0x18, 4, 0xfc000000);
    assert_int_equal(fixture->window_base, 0xfc000000);
}

static void bar_over_another_device_is_not_mapped(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 3, 0x04, 2, 0x0001);
    set(fixture, 3, 0x10, 4, 0x0cf0); /* would cover the bridge's ports */
    assert_int_equal(port_bus_read(fixture->bench->host.ports, 0xcf0, 1), 0xff);
    assert_int_equal(get(fixture, 0, 0, 4), 0x12378086);
}

static void pam_registers_remap_segments(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->remaps, 13);
    set(fixture, 0, 0x59, 1, 0x30);
    for (unsigned i = 12; i < 16; i++) {
        assert_true(fixture->segments[i].read_ram && fixture->segments[i].write_ram);
    }
    assert_false(fixture->segments[11].read_ram);
    set(fixture, 0, 0x5a, 1, 0x12);
    assert_true(!fixture->segments[0].read_ram && fixture->segments[0].write_ram);
    assert_true(fixture->segments[1].read_ram && !fixture->segments[1].write_ram);
    set(fixture, 0, 0x5f, 1, 0xff);
    assert_true(fixture->segments[10].read_ram && fixture->segments[11].write_ram);
    assert_int_equal(get(fixture, 0, 0x5f, 1), 0x33);
    assert_int_equal(fixture->remaps, 13 + 1 + 2 + 2);
    struct device *device = i440fx_device(fixture->host_bridge);
    device->class->reset(device);
    assert_false(fixture->segments[15].read_ram);
}

static void smram_opens_and_locks(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, 0, 0x72, 1), 0x02);
    set(fixture, 0, 0x72, 1, 0x4a);
    assert_true(fixture->smram_open);
    set(fixture, 0, 0x72, 1, 0x5a);
    assert_false(fixture->smram_open);
    set(fixture, 0, 0x72, 1, 0x4a);
    assert_false(fixture->smram_open);
    assert_int_equal(get(fixture, 0, 0x72, 1), 0x1a);
}

static void reset_control_distinguishes_soft_and_hard(void **state)
{
    struct fixture *fixture = *state;
    bench_out(fixture->bench, 0xcf9, 0x02);
    bench_out(fixture->bench, 0xcf9, 0x06);
    assert_int_equal(fixture->system_reset.rises, 1);
    bench_out(fixture->bench, 0xcf9, 0x00);
    bench_out(fixture->bench, 0xcf9, 0x04);
    assert_int_equal(fixture->cpu_reset.rises, 1);
    assert_int_equal(bench_in(fixture->bench, 0xcf9), 0x04);
}

static void interrupts_are_routed_by_the_isa_bridge(void **state)
{
    struct fixture *fixture = *state;
    pci_function_set_interrupt(&fixture->card, true); /* slot 3, INTA#: PIRQC# */
    set(fixture, 1, 0x62, 1, 0x0b);
    assert_true(fixture->isa_irq[11].level);
    set(fixture, 1, 0x62, 1, 0x0a);
    assert_false(fixture->isa_irq[11].level);
    assert_true(fixture->isa_irq[10].level);
    pci_function_set_interrupt(&fixture->card, false);
    assert_false(fixture->isa_irq[10].level);
    pci_function_set_interrupt(&fixture->card, true);
    set(fixture, 1, 0x62, 1, 0x8a);
    assert_false(fixture->isa_irq[10].level);
    set(fixture, 1, 0x62, 1, 0x0d); /* IRQ13 cannot be used */
    assert_false(fixture->isa_irq[13].level);
}

static void second_function_makes_the_slot_multi_function(void **state)
{
    struct fixture *fixture = *state;
    struct pci_function other;
    assert_int_equal(get(fixture, 1, 0x0e, 1), 0x00);
    pci_function_init(&other, "other", 0x8086, 0x7010, 0x010180, 0, 0);
    bench_check(pci_bus_attach(fixture->pci, &other, 1, 1));
    assert_int_equal(get(fixture, 1, 0x0e, 1), 0x80);
    struct status status = pci_bus_attach(fixture->pci, &fixture->card, 1, 1);
    assert_int_equal(status.code, STATUS_CONFLICT);
    pci_bus_detach(&other);
    assert_int_equal(get(fixture, 1, 0x0e, 1), 0x00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(functions_identify_themselves_and_empty_slots_do_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bars_are_sized_and_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(mapped_window_follows_its_bar, setup, teardown),
        cmocka_unit_test_setup_teardown(bar_over_another_device_is_not_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(pam_registers_remap_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(smram_opens_and_locks, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_control_distinguishes_soft_and_hard, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupts_are_routed_by_the_isa_bridge, setup, teardown),
        cmocka_unit_test_setup_teardown(second_function_makes_the_slot_multi_function, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
