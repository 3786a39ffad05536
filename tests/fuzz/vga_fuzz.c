/* Hostile register values and accesses for the display adapter: no input may reach outside display memory or
 * hang.
 *
 * Input: records of one operation byte and its operands, until the bytes run out. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bits.h"
#include "devices/vga.h"
#include "fuzz_input.h"

#define LFB 0xe0000000u

struct fuzz_machine {
    struct memory_bus *memory;
    struct port_bus *ports;
    struct event_clock *clock;
    uint64_t retired;
    struct vga *vga;
    struct display_frame *frame;
};

static void index_and_data(struct fuzz_machine *machine, uint16_t port, uint32_t index, uint32_t data)
{
    port_bus_write(machine->ports, port, 2, index | data << 8);
}

static void write_registers(struct fuzz_machine *machine, uint32_t which, uint32_t index, uint32_t data)
{
    switch (which & 7) {
    case 0: index_and_data(machine, 0x3c4, index & 7, data & 0xff); break;
    case 1: index_and_data(machine, 0x3ce, index & 15, data & 0xff); break;
    case 2:
        port_bus_read(machine->ports, 0x3da, 1);
        port_bus_write(machine->ports, 0x3c0, 1, index & 0x3f);
        port_bus_write(machine->ports, 0x3c0, 1, data);
        port_bus_write(machine->ports, 0x3c0, 1, 0x20);
        break;
    case 3: port_bus_write(machine->ports, 0x3c2, 1, data | 0x03); break;
    case 4:
        port_bus_write(machine->ports, 0x1ce, 2, index & 15);
        port_bus_write(machine->ports, 0x1cf, 2, data);
        break;
    default: index_and_data(machine, 0x3d4, index & 0x1f, data & 0xff); break;
    }
}

static void run_one(struct fuzz_machine *machine, struct fuzz_input *input)
{
    uint8_t operation = fuzz_byte(input);
    unsigned width = 1u << (operation >> 4 & 3);
    switch (operation & 7) {
    case 0: {
        uint16_t port = (uint16_t)(0x3b0 + fuzz_byte(input) % 0x30);
        port_bus_write(machine->ports, port, width == 8 ? 4 : width, fuzz_word32(input, 2));
        break;
    }
    case 1:
        port_bus_read(machine->ports, (uint16_t)(0x3b0 + fuzz_byte(input) % 0x30), width == 8 ? 4 : width);
        break;
    case 2:
        memory_bus_write(machine->memory, 0xa0000 + fuzz_word(input, 3) % 0x20000, width,
                         fuzz_word(input, 2));
        break;
    case 3: memory_bus_read(machine->memory, 0xa0000 + fuzz_word(input, 3) % 0x20000, width); break;
    case 4:
        machine->retired += fuzz_word(input, 3);
        event_clock_run_due(machine->clock);
        break;
    case 5: {
        struct display_source source = vga_display(machine->vga);
        source.render(source.opaque, machine->frame, (operation & 0x80) != 0);
        break;
    }
    default: {
        uint32_t which = operation >> 4, index = fuzz_byte(input);
        write_registers(machine, which, index, fuzz_word32(input, 2));
        break;
    }
    }
}

/* Most inputs should begin with a picture, or all the fuzzer finds is a screen that is off. */
static void start_in_text_mode(struct fuzz_machine *machine)
{
    static const uint8_t crtc[25] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
                                     0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x0e,
                                     0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
    port_bus_write(machine->ports, 0x3c2, 1, 0x67);
    for (uint32_t i = 0; i < 25; i++) {
        index_and_data(machine, 0x3d4, i, crtc[i]);
    }
    index_and_data(machine, 0x3c4, 4, 0x02);
    index_and_data(machine, 0x3c4, 2, 0x0f);
    index_and_data(machine, 0x3ce, 6, 0x0e);
    index_and_data(machine, 0x3ce, 8, 0xff);
    port_bus_read(machine->ports, 0x3da, 1);
    port_bus_write(machine->ports, 0x3c0, 1, 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log log = {0};
    struct counters counters = {{0}};
    struct fuzz_machine machine = {
        .memory = memory_bus_create(NULL, 0, 32, &log, &counters),
        .ports = port_bus_create(&log, &counters),
        .frame = calloc(1, sizeof *machine.frame),
    };
    machine.clock = event_clock_create_counted(&machine.retired, 1);
    struct device_host host = {
        .memory = machine.memory, .ports = machine.ports, .clock = machine.clock, .log = &log};
    struct vga_config config = {.vram_size = VGA_MIN_VRAM, .show_border = size > 0 && (data[0] & 1) != 0};
    struct status status = vga_create(&host, &config, &machine.vga);
    if (!status_is_ok(&status)) {
        abort();
    }
    status = vga_set_lfb_base(machine.vga, LFB);
    if (!status_is_ok(&status)) {
        abort();
    }
    start_in_text_mode(&machine);
    struct fuzz_input input = {.bytes = data, .left = size};
    fuzz_byte(&input);
    while (input.left > 0) {
        run_one(&machine, &input);
    }
    struct display_source source = vga_display(machine.vga);
    source.render(source.opaque, machine.frame, true);
    struct device *device = vga_device(machine.vga);
    device->class->destroy(device);
    display_frame_release(machine.frame);
    free(machine.frame);
    event_clock_destroy(machine.clock);
    port_bus_destroy(machine.ports);
    memory_bus_destroy(machine.memory);
    return 0;
}
