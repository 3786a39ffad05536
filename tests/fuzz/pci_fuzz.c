/* Hostile configuration of the board's PCI functions: windows anywhere and on top of each other, interrupts
 * routed at random, shadow memory switched, the VGA's windows and the IDE controller's bus master used where
 * they then are.
 *
 * The input is a program of records. Besides the sanitizers' findings, what must hold is checked: with memory
 * decoding off everywhere RAM is there again and holds what was stored, a configuration register reads the
 * same twice, no step of time brings a storm of events, and nothing outlives its device. */
#include <stdlib.h>

#include "base/bits.h"
#include "devices/hpet.h"
#include "devices/i440fx.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/vga.h"
#include "fuzz_devices.h"
#include "fuzz_input.h"

#define MAX_EVENTS 20000
#define MASTER     0xc000
#define LFB        0xe0000000u
#define VGA_SLOT   2u

struct board {
    struct bench *bench;
    struct fuzz_input input;
    struct pci_bus *pci;
    struct i440fx *bridge;
    struct piix3 *isa;
    struct ide *ide;
    struct piix4_pm *pm;
    struct vga *vga;
    struct hpet *hpet;
    struct ioapic *ioapic;
    struct pci_function card; /* the VGA's, as the machine makes it */
    struct bench_line irq[16], reset[2], legacy[2];
    uint8_t rom[256 * KIB];
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void deliver(void *opaque, const struct interrupt_message *message)
{
    (void)opaque;
    (void)message;
}

/* PAM: the ROM is in C0000h-FFFFFh, with RAM below it. */
static void remap(void *opaque, uint32_t base, uint32_t length, bool read_ram, bool write_ram)
{
    struct board *board = opaque;
    uint8_t *ram = board->bench->ram + base;
    require(base >= 0xc0000 && (uint64_t)base + length <= MIB);
    memory_bus_map_split(board->bench->host.memory, base, length,
                         read_ram ? ram : board->rom + (base - 0xc0000), write_ram ? ram : NULL);
}

static void map_framebuffer(void *opaque, bool mapped, uint64_t base)
{
    struct board *board = opaque;
    struct status status = vga_set_lfb_base(board->vga, mapped ? base : VGA_UNMAPPED);
    require(mapped || status_is_ok(&status));
}

static void map_registers(void *opaque, bool mapped, uint64_t base)
{
    struct board *board = opaque;
    struct status status = vga_set_mmio_base(board->vga, mapped ? base : VGA_UNMAPPED);
    require(mapped || status_is_ok(&status));
}

static struct block_device *memory_image(uint64_t sectors)
{
    struct block_device *image;
    bench_check(block_device_create_memory(sectors, &image));
    return image;
}

static void create_card(struct board *board)
{
    bench_check(
        vga_create(&board->bench->host, &(struct vga_config){.vram_size = VGA_MIN_VRAM}, &board->vga));
    pci_function_init(&board->card, "VGA", VGA_PCI_VENDOR_ID, VGA_PCI_DEVICE_ID, VGA_PCI_CLASS,
                      VGA_PCI_REVISION, 0);
    pci_function_set_mapped_bar(&board->card, 0, (uint32_t)vga_lfb_size(board->vga), map_framebuffer, board);
    pci_function_set_mapped_bar(&board->card, 2, VGA_MMIO_SIZE, map_registers, board);
    bench_check(pci_bus_attach(board->pci, &board->card, VGA_SLOT, 0));
}

static void board_create(struct board *board)
{
    board->bench = bench_create();
    const struct device_host *host = &board->bench->host;
    board->pci = pci_bus_create(host);
    require(board->pci != NULL);
    const struct i440fx_config bridge = {.remap = remap,
                                         .opaque = board,
                                         .cpu_reset = bench_line_connect(&board->reset[0]),
                                         .system_reset = bench_line_connect(&board->reset[1])};
    bench_check(i440fx_create(host, board->pci, &bridge, &board->bridge));
    struct piix3_config isa = {0};
    for (unsigned irq = 0; irq < 16; irq++) {
        isa.isa_irq[irq] = bench_line_connect(&board->irq[irq]);
    }
    bench_check(piix3_create(board->pci, &isa, &board->isa));
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        pci_bus_connect_pirq(board->pci, pirq, piix3_pirq(board->isa, pirq));
    }
    struct ide_config ide = {.slot = 1, .function = 1, .irq = {isa.isa_irq[14], isa.isa_irq[15]}};
    bench_check(ide_create(host, board->pci, &ide, &board->ide));
    bench_check(ide_attach_disk(board->ide, 0, 0, memory_image(256), NULL, false));
    bench_check(ide_attach_cdrom(board->ide, 1, 0));
    const struct piix4_pm_config pm = {.slot = 1, .function = 3, .sci = piix3_sci(board->isa)};
    bench_check(piix4_pm_create(host, board->pci, &pm, &board->pm));
    const struct interrupt_sink sink = {.deliver = deliver, .opaque = board};
    bench_check(ioapic_create(host, &sink, &board->ioapic));
    struct hpet_config hpet = {
        .legacy = {bench_line_connect(&board->legacy[0]), bench_line_connect(&board->legacy[1])},
        .route_mask = 0xffffff};
    for (unsigned i = 0; i < IOAPIC_INPUTS; i++) {
        hpet.routes[i] = ioapic_input(board->ioapic, i);
    }
    bench_check(hpet_create(host, &hpet, &board->hpet));
    create_card(board);
}

static void destroy(struct device *device)
{
    device->class->destroy(device);
}

static void board_destroy(struct board *board)
{
    pci_bus_detach(&board->card);
    destroy(vga_device(board->vga));
    destroy(hpet_device(board->hpet));
    destroy(ioapic_device(board->ioapic));
    destroy(piix4_pm_device(board->pm));
    destroy(ide_device(board->ide));
    destroy(piix3_device(board->isa));
    destroy(i440fx_device(board->bridge));
    fuzz_require_no_events(board->bench);
    pci_bus_destroy(board->pci);
    bench_destroy(board->bench);
}

/* As firmware leaves it. */
static void configure(struct board *board)
{
    pci_bus_config_write(board->pci, 1, 1, 0x20, 4, MASTER);
    pci_bus_config_write(board->pci, 1, 1, PCI_COMMAND, 2, PCI_COMMAND_PORTS | PCI_COMMAND_BUS_MASTER);
    pci_bus_config_write(board->pci, 1, 3, 0x40, 4, 0x600);
    pci_bus_config_write(board->pci, 1, 3, 0x80, 1, 1);
    pci_bus_config_write(board->pci, VGA_SLOT, 0, PCI_BAR_0, 4, LFB);
    pci_bus_config_write(board->pci, VGA_SLOT, 0, PCI_BAR_0 + 8, 4, LFB + 0x1000000);
    pci_bus_config_write(board->pci, VGA_SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_PORTS);
}

/* Mechanism 1, as guests do it. */
static void select_register(struct board *board, uint8_t where, uint8_t reg)
{
    static const uint8_t functions[] = {0x00, 0x08, 0x09, 0x0b, 0x10, 0x10, 0x0a, 0xf8};
    uint32_t address = 0x80000000u | (uint32_t)functions[where & 7] << 8 | (reg & 0xfcu);
    port_bus_write(board->bench->host.ports, 0xcf8, 4, where & 0x80 ? address ^ 0x80010000u : address);
}

static void access_config(struct board *board, bool write)
{
    static const uint8_t registers[] = {0x04, 0x10, 0x14, 0x18, 0x20, 0x30, 0x3c, 0x40,
                                        0x58, 0x5c, 0x60, 0x72, 0x80, 0x90, 0xd0, 0x48};
    struct port_bus *ports = board->bench->host.ports;
    uint8_t where = fuzz_byte(&board->input);
    uint8_t reg = fuzz_byte(&board->input);
    unsigned width = where & 0x40 ? 1 : where & 0x20 ? 2 : 4;
    unsigned low = where >> 3 & 3 & ~(width - 1);
    select_register(board, where, reg & 0x80 ? reg : registers[reg & 15]);
    if (write) {
        uint64_t value = fuzz_word(&board->input, width);
        port_bus_write(ports, (uint16_t)(0xcfc + low), width, (uint32_t)value);
    }
    uint32_t first = port_bus_read(ports, (uint16_t)(0xcfc + low), width);
    require(first == port_bus_read(ports, (uint16_t)(0xcfc + low), width));
}

/* Where windows are, or might be. */
static uint64_t take_address(struct board *board)
{
    static const uint32_t usual[] = {0,   0xa0000,         0xc0000,    0xe8000,    0x100000,  0x3ff000,
                                     LFB, LFB + 0x1000000, 0xfec00000, 0xfed00000, 0xfffff000};
    uint8_t choice = fuzz_byte(&board->input);
    uint64_t offset = fuzz_word(&board->input, 2);
    switch (choice & 15) {
    case 11: return (board->card.bars[0].mapped_base + offset) & UINT32_MAX;
    case 12: return (board->card.bars[2].mapped_base + (offset & 0xfff)) & UINT32_MAX;
    case 13: return offset << 16 | fuzz_word(&board->input, 2);
    default: return usual[(choice & 15) % ARRAY_COUNT(usual)] + (offset & 0xffff);
    }
}

static void access_memory(struct board *board, bool write)
{
    struct memory_bus *memory = board->bench->host.memory;
    unsigned width = 1u << (fuzz_byte(&board->input) & 3);
    uint64_t address = take_address(board);
    if (write) {
        memory_bus_write(memory, address, width, fuzz_word(&board->input, width));
    } else {
        (void)memory_bus_read(memory, address, width);
    }
}

static void access_ports(struct board *board, bool write)
{
    static const struct {
        uint16_t base, mask;
    } ranges[] = {{0xcf8, 0x07}, {0x1f0, 0x07},  {0x170, 0x07}, {0x3b0, 0x1f}, {0x3c0, 0x1f}, {0x1ce, 0x03},
                  {0x600, 0x3f}, {MASTER, 0x0f}, {0x376, 0x00}, {0x3f6, 0x00}, {0xb2, 0x01},  {0xae00, 0xff}};
    struct port_bus *ports = board->bench->host.ports;
    uint8_t choice = fuzz_byte(&board->input);
    unsigned range = (choice & 15) % ARRAY_COUNT(ranges);
    unsigned width = choice & 0x40 ? 4 : choice & 0x20 ? 2 : 1;
    uint16_t port = (uint16_t)(ranges[range].base + (fuzz_byte(&board->input) & ranges[range].mask));
    if (choice & 0x80) { /* where the guest moved the ports of a BAR to */
        port = (uint16_t)((pci_bus_config_read(board->pci, 1, 1, 0x20, 4) & 0xfff0) + (port & 15));
    }
    if (write) {
        port_bus_write(ports, port, width, fuzz_word32(&board->input, width));
    } else {
        (void)port_bus_read(ports, port, width);
    }
}

/* READ or WRITE DMA of a few sectors, with a table of regions that the input describes. */
static void start_dma(struct board *board)
{
    struct port_bus *ports = board->bench->host.ports;
    uint8_t choice = fuzz_byte(&board->input);
    uint16_t master = (uint16_t)(pci_bus_config_read(board->pci, 1, 1, 0x20, 4) & 0xfff0);
    uint32_t table = 0x10000;
    for (unsigned i = 0; i < 1 + (choice & 3u); i++) {
        memory_bus_write(board->bench->host.memory, table + 8 * i, 4, take_address(board));
        memory_bus_write(board->bench->host.memory, table + 8 * i + 4, 4,
                         fuzz_word(&board->input, 2) | (i == (choice & 3u) ? 0x80000000u : 0));
    }
    port_bus_write(ports, (uint16_t)(master + 4), 4, choice & 4 ? (uint32_t)take_address(board) : table);
    port_bus_write(ports, (uint16_t)(master + 2), 1, 6);
    port_bus_write(ports, 0x1f6, 1, 0xe0);
    port_bus_write(ports, 0x1f2, 1, choice >> 5);
    port_bus_write(ports, 0x1f3, 1, fuzz_byte(&board->input));
    port_bus_write(ports, 0x1f7, 1, choice & 8 ? 0xc8 : 0xca);
    port_bus_write(ports, master, 1, choice & 8 ? 9 : 1);
    fuzz_pass_time(board->bench, MAX_EVENTS, choice & 16 ? 10000000 : 10000);
}

static void reset_or_describe(struct board *board, FILE *sink)
{
    struct device *devices[] = {i440fx_device(board->bridge), piix3_device(board->isa),
                                ide_device(board->ide),       piix4_pm_device(board->pm),
                                vga_device(board->vga),       hpet_device(board->hpet),
                                ioapic_device(board->ioapic)};
    uint8_t choice = fuzz_byte(&board->input);
    struct device *device = devices[(choice & 7) % ARRAY_COUNT(devices)];
    if (choice & 0x80) {
        pci_function_reset(&board->card);
    } else if (choice & 0x40) {
        device->class->reset(device);
    } else if (sink != NULL) {
        device->class->describe(device, sink);
        pci_bus_describe(board->pci, sink);
    }
}

/* Without memory windows RAM is RAM, where no ROM was put and the VGA has no window of its own. */
static void check_ram(struct board *board)
{
    struct memory_bus *memory = board->bench->host.memory;
    pci_bus_config_write(board->pci, VGA_SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_PORTS);
    for (uint64_t address = 0x20000; address < BENCH_RAM_SIZE; address += 0x3f008) {
        if (address < 0xa0000 || address >= MIB) {
            memory_bus_write(memory, address, 8, ~address);
            require(memory_bus_read(memory, address, 8) == ~address);
            require(load_le64(board->bench->ram + address) == ~address);
        }
    }
}

static void act(struct board *board, FILE *sink)
{
    switch (fuzz_byte(&board->input) & 15) {
    case 0:
    case 1:
    case 2:
    case 3: access_config(board, true); break;
    case 4: access_config(board, false); break;
    case 5:
    case 6: access_memory(board, true); break;
    case 7: access_memory(board, false); break;
    case 8:
    case 9: access_ports(board, true); break;
    case 10: access_ports(board, false); break;
    case 11: start_dma(board); break;
    case 12: fuzz_pass_time(board->bench, MAX_EVENTS, fuzz_word(&board->input, 2) * 61u); break;
    case 13: configure(board); break;
    case 14: check_ram(board); break;
    default: reset_or_describe(board, sink); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board *board = calloc(1, sizeof *board);
    FILE *sink = fopen("/dev/null", "w");
    require(board != NULL);
    board->input = (struct fuzz_input){.bytes = data, .left = size};
    board_create(board);
    configure(board);
    while (board->input.left > 0) {
        act(board, sink);
    }
    check_ram(board);
    board_destroy(board);
    free(board);
    if (sink != NULL) {
        fclose(sink);
    }
    return 0;
}
