/* Hostile guests for the IDE controller, power management, HPET and I/O APIC: each input is a program of port
 * and memory accesses, packets, descriptor tables, passing time and disc changes.
 *
 * Besides the sanitizers' findings, what must hold is checked: a busy drive waits for an event, no step of
 * time brings a storm of events, and at the end nothing outlives its device. */
#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"
#include "devices/hpet.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/piix4_pm.h"
#include "fuzz_devices.h"
#include "fuzz_input.h"

#define MASTER     0xC000
#define MAX_EVENTS 20000

struct board {
    struct bench *bench;
    struct pci_bus *pci;
    struct ide *ide;
    struct piix4_pm *pm;
    struct hpet *hpet;
    struct ioapic *ioapic;
    struct bench_line irq[IDE_CHANNELS], sci, legacy[2];
    uint8_t last_vector;
};

static void deliver(void *opaque, const struct interrupt_message *message)
{
    ((struct board *)opaque)->last_vector = message->vector;
}

static struct block_device *memory_image(uint64_t sectors)
{
    struct block_device *image;
    bench_check(block_device_create_memory(sectors, &image));
    return image;
}

static void board_create(struct board *board)
{
    board->bench = bench_create();
    const struct device_host *host = &board->bench->host;
    board->pci = pci_bus_create(host);
    struct ide_config ide = {.slot = 1, .function = 1};
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        ide.irq[i] = bench_line_connect(&board->irq[i]);
    }
    bench_check(ide_create(host, board->pci, &ide, &board->ide));
    bench_check(ide_attach_disk(board->ide, 0, 0, memory_image(2100), NULL, false));
    bench_check(ide_attach_disk(board->ide, 0, 1, memory_image(1), NULL, true));
    bench_check(ide_attach_cdrom(board->ide, 1, 0));
    bench_check(ide_insert_disc(board->ide, 1, 0, memory_image(400), false));
    const struct piix4_pm_config pm = {.slot = 1, .function = 3, .sci = bench_line_connect(&board->sci)};
    bench_check(piix4_pm_create(host, board->pci, &pm, &board->pm));
    const struct interrupt_sink sink = {.deliver = deliver, .opaque = board};
    bench_check(ioapic_create(host, &sink, &board->ioapic));
    struct hpet_config hpet = {
        .legacy = {bench_line_connect(&board->legacy[0]), bench_line_connect(&board->legacy[1])},
        .route_mask = 0xFFFFFF};
    for (unsigned i = 0; i < IOAPIC_INPUTS; i++) {
        hpet.routes[i] = ioapic_input(board->ioapic, i);
    }
    bench_check(hpet_create(host, &hpet, &board->hpet));
    pci_bus_config_write(board->pci, 1, 1, 0x20, 4, MASTER);
    pci_bus_config_write(board->pci, 1, 1, PCI_COMMAND, 2, PCI_COMMAND_PORTS | PCI_COMMAND_BUS_MASTER);
    pci_bus_config_write(board->pci, 1, 3, 0x40, 4, 0x600);
    pci_bus_config_write(board->pci, 1, 3, 0x80, 1, 1);
    pci_bus_config_write(board->pci, 1, 3, 0x90, 4, 0x700);
    pci_bus_config_write(board->pci, 1, 3, 0xD2, 1, 1);
}

static void destroy(struct device *device)
{
    device->class->destroy(device);
}

static void board_destroy(struct board *board)
{
    destroy(hpet_device(board->hpet));
    destroy(ioapic_device(board->ioapic));
    destroy(piix4_pm_device(board->pm));
    destroy(ide_device(board->ide));
    fuzz_require_no_events(board->bench);
    pci_bus_destroy(board->pci);
    bench_destroy(board->bench);
}

static uint16_t channel_base(uint8_t choice)
{
    return choice & 1 ? 0x170 : 0x1F0;
}

static void send_command(struct board *board, struct fuzz_input *input, uint8_t choice)
{
    struct port_bus *ports = board->bench->host.ports;
    uint16_t base = channel_base(choice);
    port_bus_write(ports, base + 6, 1, fuzz_byte(input));
    for (uint16_t i = 1; i < 6; i++) {
        if (choice & 2) {
            port_bus_write(ports, base + i, 1, fuzz_byte(input) & 1); /* 48-bit, and small values */
        }
        port_bus_write(ports, base + i, 1, fuzz_byte(input));
    }
    port_bus_write(ports, base + 7, 1, fuzz_byte(input));
}

static void send_packet(struct board *board, struct fuzz_input *input, uint8_t choice)
{
    struct port_bus *ports = board->bench->host.ports;
    port_bus_write(ports, 0x176, 1, 0xA0);
    port_bus_write(ports, 0x171, 1, choice & 1);
    port_bus_write(ports, 0x174, 2, fuzz_word32(input, 2));
    port_bus_write(ports, 0x177, 1, 0xA0);
    fuzz_pass_time(board->bench, MAX_EVENTS, 100 * NS_PER_MICROSECOND);
    for (unsigned i = 0; i < 6; i++) {
        port_bus_write(ports, 0x170, 2, fuzz_word32(input, 2));
    }
    fuzz_pass_time(board->bench, MAX_EVENTS, 100 * NS_PER_MICROSECOND);
}

static void move_data(struct board *board, struct fuzz_input *input, uint8_t choice)
{
    struct port_bus *ports = board->bench->host.ports;
    uint16_t base = channel_base(choice);
    unsigned width = choice & 2 ? 4 : 2;
    for (unsigned count = fuzz_byte(input) * 2u + 1; count > 0; count--) {
        if (choice & 4) {
            port_bus_write(ports, base, width, count * 0x01010101u);
        } else {
            port_bus_read(ports, base, width);
        }
    }
}

static void start_master(struct board *board, struct fuzz_input *input, uint8_t choice)
{
    struct port_bus *ports = board->bench->host.ports;
    uint16_t master = (uint16_t)(MASTER + (choice & 1) * 8);
    uint32_t table = fuzz_word32(input, 2) * 4;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t address = fuzz_word32(input, 3);
        memory_bus_write(board->bench->host.memory, table + 8 * i, 4, address);
        memory_bus_write(board->bench->host.memory, table + 8 * i + 4, 4,
                         fuzz_word32(input, 2) | (i == 3 ? 0x80000000u : 0));
    }
    port_bus_write(ports, master, 1, 0);
    port_bus_write(ports, master + 4, 4, table);
    port_bus_write(ports, master, 1, (choice & 8u) | 1);
}

static void change_disc(struct board *board, uint8_t choice)
{
    if (choice & 1) {
        struct status status = ide_eject_disc(board->ide, 1, 0, choice & 2);
        (void)status;
        return;
    }
    struct block_device *image = memory_image(1u + choice);
    struct status status = ide_insert_disc(board->ide, 1, 0, image, choice & 2);
    if (!status_is_ok(&status)) {
        block_device_close(image);
    }
}

static uint16_t choose_port(struct fuzz_input *input)
{
    static const uint16_t bases[] = {0x1F0, 0x1F4, 0x170, 0x174, 0x3F4, 0x374,  MASTER, MASTER + 8,
                                     0x600, 0x608, 0x700, 0xB2,  0x610, 0xAFE0, 0xAE00, 0x620};
    uint8_t choice = fuzz_byte(input);
    return (uint16_t)(bases[choice >> 4] + (choice & 15));
}

static void access_port(struct board *board, struct fuzz_input *input, uint8_t choice, bool write)
{
    uint16_t port = choose_port(input);
    unsigned width = 1u << choice % 3;
    if (write) {
        port_bus_write(board->bench->host.ports, port, width, fuzz_word32(input, width));
    } else {
        port_bus_read(board->bench->host.ports, port, width);
    }
}

static void access_memory(struct board *board, struct fuzz_input *input, uint8_t choice)
{
    struct memory_bus *memory = board->bench->host.memory;
    uint64_t address = (choice & 1 ? HPET_BASE : IOAPIC_BASE) + (fuzz_word32(input, 2) & 0x1FF);
    unsigned width = 1u << (choice >> 2 & 3);
    if (choice & 2) {
        memory_bus_read(memory, address, width);
    } else {
        uint64_t value = fuzz_word32(input, 4);
        memory_bus_write(memory, address, width, choice & 0x10 ? value << 32 | value : value);
    }
}

static void drive_ioapic(struct board *board, uint8_t choice)
{
    struct irq_line line = ioapic_input(board->ioapic, choice % IOAPIC_INPUTS);
    irq_line_set(&line, choice & 0x80);
    ioapic_end_of_interrupt(board->ioapic, choice & 0x40 ? choice : board->last_vector);
}

static void reset_device(struct board *board, uint8_t choice)
{
    struct device *const devices[] = {ide_device(board->ide), piix4_pm_device(board->pm),
                                      hpet_device(board->hpet), ioapic_device(board->ioapic)};
    devices[choice & 3]->class->reset(devices[choice & 3]);
}

/* A channel that is busy has an event to come; the control register's SRST bit (7F: nobody) excepted. */
static void check(struct board *board)
{
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        uint32_t status = port_bus_read(board->bench->host.ports, i == 0 ? 0x3F6 : 0x376, 1);
        bool stuck =
            status == 0x90 && event_clock_next_deadline(board->bench->host.clock) == EVENT_CLOCK_NEVER;
        assert(!stuck);
    }
}

static void step(struct board *board, struct fuzz_input *input)
{
    uint8_t code = fuzz_byte(input);
    uint8_t choice = code >> 4;
    switch (code & 15) {
    case 0:
    case 1: send_command(board, input, choice); break;
    case 2:
    case 3: send_packet(board, input, choice); break;
    case 4:
    case 5: move_data(board, input, choice); break;
    case 6: start_master(board, input, choice); break;
    case 7: change_disc(board, fuzz_byte(input)); break;
    case 8: access_port(board, input, choice, false); break;
    case 9: access_port(board, input, choice, true); break;
    case 10: access_memory(board, input, fuzz_byte(input)); break;
    case 11: drive_ioapic(board, fuzz_byte(input)); break;
    case 12:
        pci_bus_config_write(board->pci, 1, choice & 1 ? 1 : 3, fuzz_byte(input) & 0xFC, 4,
                             fuzz_word32(input, 4));
        break;
    case 13: reset_device(board, choice); break;
    case 14: fuzz_pass_time(board->bench, MAX_EVENTS, fuzz_byte(input) * 40 * NS_PER_MICROSECOND); break;
    default: fuzz_pass_time(board->bench, MAX_EVENTS, 30 * NS_PER_MICROSECOND); break;
    }
    check(board);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board board = {0};
    struct fuzz_input input = {.bytes = data, .left = size < 4096 ? size : 4096};
    board_create(&board);
    while (input.left > 0) {
        step(&board, &input);
    }
    piix4_pm_press_power_button(board.pm);
    board_destroy(&board);
    return 0;
}
