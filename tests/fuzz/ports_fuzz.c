/* Any sequence of port accesses, time, keys, DMA and interrupt acknowledges leaves the board's chips sane: no
 * sanitizer report, no assertion, no event storm.
 *
 * The input is a program: one byte chooses the action, the next ones are its operands; it ends with the
 * input. */
#include <stdlib.h>

#include "base/bits.h"
#include "devices/debug_console.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/mc146818.h"
#include "devices/ns16550.h"
#include "devices/pc_speaker.h"
#include "devices/piix3.h"
#include "devices/port92.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"
#include "fuzz_devices.h"
#include "fuzz_input.h"

#define MAX_DEVICES 16
#define MAX_EVENTS  20000 /* of one step of at most 4 ms: the 8254's fastest wave makes 9600 */

struct board {
    struct bench *bench;
    struct device *devices[MAX_DEVICES];
    unsigned device_count;
    struct bench_line lines[4];
    struct i8259_pair *pic;
    struct i8254 *pit;
    struct i8237_pair *dma;
    struct i8042 *kbc;
    struct ps2_keyboard *keyboard;
    struct ps2_mouse *mouse;
    struct ns16550 *uart;
    struct pci_bus *pci;
    struct piix3 *isa;
    struct pci_function card;
    unsigned windows; /* mapped ones */
};

static void board_add(struct board *board, struct device *device)
{
    board->devices[board->device_count++] = device;
}

static void map_window(void *opaque, bool mapped, uint64_t base)
{
    struct board *board = opaque;
    (void)base;
    if (mapped == (board->windows == 1)) {
        abort(); /* mapped twice, or unmapped twice */
    }
    board->windows = mapped ? 1 : 0;
}

static void create_card(struct board *board)
{
    struct io_region ports = {.name = "card-ports", .length = 32};
    struct io_region memory = {.name = "card-memory", .length = 0x4000};
    pci_function_init(&board->card, "card", 0x1234, 0x1111, 0x030000, 0, 1);
    pci_function_set_port_bar(&board->card, 0, &ports);
    pci_function_set_memory_bar(&board->card, 1, &memory);
    pci_function_set_mapped_bar(&board->card, PCI_BAR_ROM, 0x10000, map_window, board);
    bench_check(pci_bus_attach(board->pci, &board->card, 2, 0));
}

static void create_timers(struct board *board)
{
    const struct device_host *host = &board->bench->host;
    struct irq_line to_cpu = bench_line_connect(&board->lines[0]);
    bench_check(i8259_pair_create(host, &to_cpu, &board->pic));
    board_add(board, i8259_pair_device(board->pic));
    struct i8254_config pit = {.out = {i8259_pair_input(board->pic, 0)}};
    bench_check(i8254_create(host, &pit, &board->pit));
    board_add(board, i8254_device(board->pit));
    struct pc_speaker_config speaker_config = {.timer2_gate = i8254_gate(board->pit, 2),
                                               .timer2_out = i8254_output(board->pit, 2),
                                               .refresh_toggle = i8254_toggle(board->pit, 1)};
    struct pc_speaker *speaker;
    bench_check(pc_speaker_create(host, &speaker_config, &speaker));
    board_add(board, pc_speaker_device(speaker));
    struct mc146818_config rtc_config = {.start_seconds = 1000000000, .irq = i8259_pair_input(board->pic, 8)};
    struct mc146818 *rtc;
    bench_check(mc146818_create(host, &rtc_config, &rtc));
    board_add(board, mc146818_device(rtc));
}

static void create_input(struct board *board)
{
    const struct device_host *host = &board->bench->host;
    struct i8042_config config = {.keyboard_irq = i8259_pair_input(board->pic, 1),
                                  .mouse_irq = i8259_pair_input(board->pic, 12),
                                  .a20 = bench_line_connect(&board->lines[1]),
                                  .cpu_reset = bench_line_connect(&board->lines[2])};
    bench_check(i8042_create(host, &config, &board->kbc));
    board_add(board, i8042_device(board->kbc));
    struct irq_line request = i8042_keyboard_request(board->kbc);
    bench_check(ps2_keyboard_create(host, &request, &board->keyboard));
    board_add(board, ps2_keyboard_device(board->keyboard));
    i8042_plug_keyboard(board->kbc, ps2_keyboard_link(board->keyboard));
    request = i8042_mouse_request(board->kbc);
    bench_check(ps2_mouse_create(host, &request, &board->mouse));
    board_add(board, ps2_mouse_device(board->mouse));
    i8042_plug_mouse(board->kbc, ps2_mouse_link(board->mouse));
}

static void create_ports(struct board *board)
{
    const struct device_host *host = &board->bench->host;
    struct i8237_config dma = {.post_code = NULL};
    bench_check(i8237_pair_create(host, &dma, &board->dma));
    board_add(board, i8237_pair_device(board->dma));
    struct port92_config port92_config = {.a20 = bench_line_connect(&board->lines[1])};
    struct port92 *port92;
    bench_check(port92_create(host, &port92_config, &port92));
    board_add(board, port92_device(port92));
    struct debug_console_config console_config = {.write = NULL};
    struct debug_console *console;
    bench_check(debug_console_create(host, &console_config, &console));
    board_add(board, debug_console_device(console));
    struct fw_cfg *fw_cfg;
    bench_check(fw_cfg_create(host, &fw_cfg));
    board_add(board, fw_cfg_device(fw_cfg));
    bench_check(fw_cfg_add_file(fw_cfg, "etc/e820", "0123456789", 10));
    struct ns16550_config uart = {.name = "serial0", .base = 0x3f8, .irq = i8259_pair_input(board->pic, 4)};
    bench_check(ns16550_create(host, &uart, &board->uart));
    board_add(board, ns16550_device(board->uart));
}

static void create_pci(struct board *board)
{
    const struct device_host *host = &board->bench->host;
    board->pci = pci_bus_create(host);
    if (board->pci == NULL) {
        abort();
    }
    struct i440fx_config config = {.cpu_reset = bench_line_connect(&board->lines[2])};
    struct i440fx *bridge;
    bench_check(i440fx_create(host, board->pci, &config, &bridge));
    board_add(board, i440fx_device(bridge));
    struct piix3_config isa = {.isa_irq = {{.set = NULL}}};
    for (unsigned irq = 0; irq < 16; irq++) {
        isa.isa_irq[irq] = i8259_pair_input(board->pic, irq);
    }
    bench_check(piix3_create(board->pci, &isa, &board->isa));
    board_add(board, piix3_device(board->isa));
    for (unsigned pirq = 0; pirq < 4; pirq++) {
        pci_bus_connect_pirq(board->pci, pirq, piix3_pirq(board->isa, pirq));
    }
    create_card(board);
}

static void board_destroy(struct board *board)
{
    pci_bus_detach(&board->card);
    while (board->device_count > 0) {
        struct device *device = board->devices[--board->device_count];
        device->class->destroy(device);
    }
    fuzz_require_no_events(board->bench);
    pci_bus_destroy(board->pci);
    bench_destroy(board->bench);
}

static uint16_t choose_port(struct fuzz_input *input)
{
    static const struct {
        uint16_t base, mask;
    } ranges[] = {{0x00, 0x0f},  {0x20, 0x01},  {0x40, 0x03},  {0x60, 0x07}, {0x70, 0x03},  {0x80, 0x0f},
                  {0x92, 0x00},  {0xa0, 0x01},  {0xc0, 0x1f},  {0xe8, 0x01}, {0x3f8, 0x07}, {0x402, 0x00},
                  {0x480, 0x0f}, {0x4d0, 0x01}, {0x510, 0x0f}, {0xcf8, 0x07}};
    uint8_t choice = fuzz_byte(input);
    unsigned range = choice & 15;
    return (uint16_t)(ranges[range].base + (fuzz_byte(input) & ranges[range].mask));
}

static void pci_access(struct board *board, struct fuzz_input *input)
{
    unsigned slot = fuzz_byte(input) & 3;
    unsigned reg = fuzz_byte(input);
    uint32_t value = fuzz_word32(input, 4);
    port_bus_write(board->bench->host.ports, 0xcf8, 4, 0x80000000u | slot << 11 | (reg & 0xfc));
    port_bus_write(board->bench->host.ports, 0xcfc, 4, value);
    (void)port_bus_read(board->bench->host.ports, 0xcfc, 4);
}

static void dma_transfer(struct board *board, struct fuzz_input *input)
{
    uint8_t bytes[64] = {0};
    uint8_t choice = fuzz_byte(input);
    unsigned channel = choice & 7;
    struct dma_line line = i8237_pair_line(board->dma, channel == 4 ? 2 : channel);
    bool terminal_count;
    size_t wanted = fuzz_byte(input) % sizeof bytes + 1;
    enum dma_direction direction = choice & 8 ? DMA_TO_MEMORY : DMA_FROM_MEMORY;
    if (dma_line_transfer(&line, direction, bytes, wanted, &terminal_count) > wanted) {
        abort();
    }
}

static void reset_or_describe(struct board *board, uint8_t choice, FILE *sink)
{
    struct device *device = board->devices[choice % board->device_count];
    if (choice & 0x80) {
        device->class->reset(device);
    } else if (sink != NULL) {
        device->class->describe(device, sink);
    }
}

static void act(struct board *board, struct fuzz_input *input, FILE *sink)
{
    struct port_bus *ports = board->bench->host.ports;
    static const uint8_t widths[] = {1, 1, 2, 4};
    uint8_t action = fuzz_byte(input);
    unsigned width = widths[action >> 6];
    uint16_t port;
    uint8_t byte;
    switch (action & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        port = choose_port(input);
        port_bus_write(ports, port, width, fuzz_word32(input, width));
        break;
    case 5:
    case 6: (void)port_bus_read(ports, choose_port(input), width); break;
    case 7: fuzz_pass_time(board->bench, MAX_EVENTS, fuzz_word32(input, 2) * 61u); break;
    case 8: bench_jump_to(board->bench, board->bench->host_ns + fuzz_word32(input, 2) * 40000u); break;
    case 9:
        byte = fuzz_byte(input);
        ps2_keyboard_key(board->keyboard, (enum key)(byte & 0x7f), byte & 0x80);
        break;
    case 10:
        byte = fuzz_byte(input);
        ps2_mouse_move(board->mouse, (int8_t)byte * 100, (int8_t)fuzz_byte(input), byte & 3, byte >> 3);
        break;
    case 11:
        if (i8259_pair_acknowledge(board->pic) > 0xff) {
            abort();
        }
        break;
    case 12: pci_access(board, input); break;
    case 13: dma_transfer(board, input); break;
    case 14:
        byte = fuzz_byte(input);
        ns16550_receive(board->uart, &byte, 1);
        ns16550_set_connected(board->uart, byte & 1);
        pci_function_set_interrupt(&board->card, byte & 2);
        break;
    default: reset_or_describe(board, fuzz_byte(input), sink); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board board = {.bench = bench_create()};
    struct fuzz_input input = {.bytes = data, .left = size};
    FILE *sink = fopen("/dev/null", "w");
    create_timers(&board);
    create_input(&board);
    create_ports(&board);
    create_pci(&board);
    while (input.left > 0) {
        act(&board, &input, sink);
    }
    board_destroy(&board);
    if (sink != NULL) {
        fclose(sink);
    }
    return 0;
}
