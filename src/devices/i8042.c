/* The keyboard controller; see i8042.h. */
#include "devices/i8042.h"

#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"
#include "devices/ps2_scancodes.h"

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM      0x04
#define STATUS_COMMAND     0x08 /* the last write went to port 64h */
#define STATUS_NOT_LOCKED  0x10
#define STATUS_AUX_FULL    0x20

#define COMMAND_BYTE_IRQ1        0x01
#define COMMAND_BYTE_IRQ12       0x02
#define COMMAND_BYTE_SYSTEM      0x04
#define COMMAND_BYTE_NO_KEYBOARD 0x10
#define COMMAND_BYTE_NO_AUX      0x20
#define COMMAND_BYTE_TRANSLATE   0x40

#define OUTPUT_NOT_RESET 0x01
#define OUTPUT_A20       0x02
#define OUTPUT_IRQ1      0x10
#define OUTPUT_IRQ12     0x20
#define OUTPUT_FIXED     0xcc /* clock and data lines idle, unused pins high */

#define INPUT_PORT 0xb0 /* not locked, colour display jumper, RAM enabled */

#define BYTE_NS NS_PER_MILLISECOND

enum source { SOURCE_KEYBOARD, SOURCE_AUX };

struct i8042 {
    struct device device;
    struct device_host host;
    struct i8042_config config;
    struct ps2_link links[2]; /* by enum source */
    uint8_t memory[32];       /* 0 is the command byte */
    uint8_t output_buffer;
    bool output_full;
    enum source output_source;
    bool last_write_command;
    uint8_t command;     /* waits for its data byte at port 60h; 0: none */
    uint8_t output_port; /* reset and A20 bits only */
    bool break_prefix;   /* translation took an F0h */
    struct clock_event transfer_event;
    struct io_region regions[2];
};

static void controller_update_irqs(struct i8042 *controller)
{
    bool keyboard = controller->output_full && controller->output_source == SOURCE_KEYBOARD;
    bool aux = controller->output_full && controller->output_source == SOURCE_AUX;
    irq_line_set(&controller->config.keyboard_irq, keyboard && controller->memory[0] & COMMAND_BYTE_IRQ1);
    irq_line_set(&controller->config.mouse_irq, aux && controller->memory[0] & COMMAND_BYTE_IRQ12);
}

/* A byte in flight takes BYTE_NS; what is on the way already is not hurried or delayed. */
static void controller_start_transfer(struct i8042 *controller)
{
    if (!controller->output_full && !clock_event_is_scheduled(&controller->transfer_event)) {
        event_clock_schedule(controller->host.clock, &controller->transfer_event,
                             event_clock_now(controller->host.clock) + BYTE_NS);
    }
}

static void controller_output(struct i8042 *controller, uint8_t byte, enum source source)
{
    if (controller->output_full) {
        controller->output_full = false; /* an overwritten byte still gives its interrupt an edge */
        controller_update_irqs(controller);
    }
    controller->output_buffer = byte;
    controller->output_full = true;
    controller->output_source = source;
    controller_update_irqs(controller);
}

static bool port_is_enabled(const struct i8042 *controller, enum source source)
{
    uint8_t disable = source == SOURCE_KEYBOARD ? COMMAND_BYTE_NO_KEYBOARD : COMMAND_BYTE_NO_AUX;
    return !(controller->memory[0] & disable);
}

/* Returns false when the byte was only a prefix. */
static bool controller_translate(struct i8042 *controller, uint8_t *byte)
{
    if (!(controller->memory[0] & COMMAND_BYTE_TRANSLATE)) {
        return true;
    }
    if (*byte == 0xf0) {
        controller->break_prefix = true;
        return false;
    }
    *byte = ps2_set2_to_set1(*byte);
    if (controller->break_prefix) {
        *byte |= 0x80;
        controller->break_prefix = false;
    }
    return true;
}

static bool controller_take(struct i8042 *controller, enum source source, uint8_t *byte)
{
    const struct ps2_link *link = &controller->links[source];
    return link->take != NULL && port_is_enabled(controller, source) && link->take(link->opaque, byte);
}

static void transfer_fire(void *opaque)
{
    struct i8042 *controller = opaque;
    uint8_t byte = 0;
    if (controller->output_full) {
        return;
    }
    if (controller_take(controller, SOURCE_KEYBOARD, &byte)) {
        if (controller_translate(controller, &byte)) {
            controller_output(controller, byte, SOURCE_KEYBOARD);
        } else {
            controller_start_transfer(controller);
        }
    } else if (controller_take(controller, SOURCE_AUX, &byte)) {
        controller_output(controller, byte, SOURCE_AUX);
    }
}

static void controller_request(void *opaque, unsigned number, bool level)
{
    struct i8042 *controller = opaque;
    if (level && port_is_enabled(controller, (enum source)number)) {
        controller_start_transfer(controller);
    }
}

static void controller_set_command_byte(struct i8042 *controller, uint8_t value)
{
    controller->memory[0] = value;
    controller_update_irqs(controller);
    controller_start_transfer(controller);
}

static void controller_set_output_port(struct i8042 *controller, uint8_t value)
{
    controller->output_port = value & (OUTPUT_NOT_RESET | OUTPUT_A20);
    irq_line_set(&controller->config.a20, value & OUTPUT_A20);
    if (!(value & OUTPUT_NOT_RESET)) {
        controller->output_port |= OUTPUT_NOT_RESET;
        irq_line_pulse(&controller->config.cpu_reset);
    }
}

static uint8_t controller_output_port(const struct i8042 *controller)
{
    uint8_t value = controller->output_port | OUTPUT_FIXED;
    if (controller->output_full) {
        value |= controller->output_source == SOURCE_AUX ? OUTPUT_IRQ12 : OUTPUT_IRQ1;
    }
    return value;
}

/* A device that is talked to is also listened to. Without a device the cable answers with a time-out code. */
static void controller_send(struct i8042 *controller, enum source source, uint8_t byte)
{
    const struct ps2_link *link = &controller->links[source];
    uint8_t disable = source == SOURCE_KEYBOARD ? COMMAND_BYTE_NO_KEYBOARD : COMMAND_BYTE_NO_AUX;
    controller->memory[0] &= (uint8_t)~disable;
    controller->break_prefix = false;
    if (link->send != NULL) {
        link->send(link->opaque, byte);
    } else {
        controller_output(controller, 0xfe, source);
    }
    controller_start_transfer(controller);
}

static void controller_self_test(struct i8042 *controller)
{
    controller->memory[0] |= COMMAND_BYTE_SYSTEM | COMMAND_BYTE_NO_KEYBOARD | COMMAND_BYTE_NO_AUX;
    controller->break_prefix = false;
    controller_output(controller, 0x55, SOURCE_KEYBOARD);
}

static void controller_pulse_output_port(struct i8042 *controller, uint8_t command)
{
    if (!(command & OUTPUT_NOT_RESET)) {
        irq_line_pulse(&controller->config.cpu_reset);
    }
}

static void controller_write_command(struct i8042 *controller, uint8_t command)
{
    controller->last_write_command = true;
    controller->command = 0;
    if (command >= 0x20 && command <= 0x3f) {
        controller_output(controller, controller->memory[command & 0x1f], SOURCE_KEYBOARD);
        return;
    }
    if (command >= 0x60 && command <= 0x7f) {
        controller->command = command;
        return;
    }
    if (command >= 0xf0) {
        controller_pulse_output_port(controller, command);
        return;
    }
    uint8_t command_byte = controller->memory[0];
    switch (command) {
    case 0xa4: controller_output(controller, 0xf1, SOURCE_KEYBOARD); break;
    case 0xa7: controller_set_command_byte(controller, command_byte | COMMAND_BYTE_NO_AUX); break;
    case 0xa8: controller_set_command_byte(controller, (uint8_t)(command_byte & ~COMMAND_BYTE_NO_AUX)); break;
    case 0xa9:
    case 0xab: controller_output(controller, 0x00, SOURCE_KEYBOARD); break;
    case 0xaa: controller_self_test(controller); break;
    case 0xad: controller_set_command_byte(controller, command_byte | COMMAND_BYTE_NO_KEYBOARD); break;
    case 0xae:
        controller_set_command_byte(controller, (uint8_t)(command_byte & ~COMMAND_BYTE_NO_KEYBOARD));
        break;
    case 0xc0:
    case 0xc1:
    case 0xc2: controller_output(controller, INPUT_PORT, SOURCE_KEYBOARD); break;
    case 0xd0: controller_output(controller, controller_output_port(controller), SOURCE_KEYBOARD); break;
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4: controller->command = command; break;
    case 0xdd: controller_set_output_port(controller, OUTPUT_NOT_RESET); break;
    case 0xdf: controller_set_output_port(controller, OUTPUT_NOT_RESET | OUTPUT_A20); break;
    case 0xe0: controller_output(controller, 0x00, SOURCE_KEYBOARD); break;
    default:
        log_printf(controller->host.log, LOG_GUEST_ERROR, "keyboard controller: unknown command %02x",
                   command);
        break;
    }
}

static void controller_write_data(struct i8042 *controller, uint8_t value)
{
    uint8_t command = controller->command;
    controller->command = 0;
    controller->last_write_command = false;
    switch (command) {
    case 0: controller_send(controller, SOURCE_KEYBOARD, value); break;
    case 0xd1: controller_set_output_port(controller, value); break;
    case 0xd2: controller_output(controller, value, SOURCE_KEYBOARD); break;
    case 0xd3: controller_output(controller, value, SOURCE_AUX); break;
    case 0xd4: controller_send(controller, SOURCE_AUX, value); break;
    case 0x60: controller_set_command_byte(controller, value); break;
    default: controller->memory[command & 0x1f] = value; break;
    }
}

static uint64_t controller_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset;
    (void)width;
    struct i8042 *controller = opaque;
    uint8_t value = controller->output_buffer;
    if (controller->output_full) {
        controller->output_full = false;
        controller_update_irqs(controller);
        controller_start_transfer(controller);
    }
    return value;
}

static void controller_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    controller_write_data(opaque, (uint8_t)value);
}

static uint64_t status_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct i8042 *controller = opaque;
    (void)offset;
    (void)width;
    uint8_t status = STATUS_NOT_LOCKED;
    if (controller->output_full) {
        status |= STATUS_OUTPUT_FULL;
        if (controller->output_source == SOURCE_AUX) {
            status |= STATUS_AUX_FULL;
        }
    }
    if (controller->memory[0] & COMMAND_BYTE_SYSTEM) {
        status |= STATUS_SYSTEM;
    }
    if (controller->last_write_command) {
        status |= STATUS_COMMAND;
    }
    return status;
}

static void command_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    controller_write_command(opaque, (uint8_t)value);
}

struct irq_line i8042_keyboard_request(struct i8042 *controller)
{
    return (struct irq_line){.set = controller_request, .opaque = controller, .number = SOURCE_KEYBOARD};
}

struct irq_line i8042_mouse_request(struct i8042 *controller)
{
    return (struct irq_line){.set = controller_request, .opaque = controller, .number = SOURCE_AUX};
}

void i8042_plug_keyboard(struct i8042 *controller, struct ps2_link link)
{
    controller->links[SOURCE_KEYBOARD] = link;
}

void i8042_plug_mouse(struct i8042 *controller, struct ps2_link link)
{
    controller->links[SOURCE_AUX] = link;
}

static void controller_reset(struct device *device)
{
    struct i8042 *controller = CONTAINER_OF(device, struct i8042, device);
    event_clock_cancel(controller->host.clock, &controller->transfer_event);
    for (unsigned i = 0; i < sizeof controller->memory; i++) {
        controller->memory[i] = 0;
    }
    controller->memory[0] = COMMAND_BYTE_NO_KEYBOARD | COMMAND_BYTE_NO_AUX;
    controller->output_full = false;
    controller->output_buffer = 0;
    controller->last_write_command = false;
    controller->command = 0;
    controller->break_prefix = false;
    controller_update_irqs(controller);
    controller_set_output_port(controller, OUTPUT_NOT_RESET | OUTPUT_A20);
}

static void controller_describe(struct device *device, FILE *out)
{
    const struct i8042 *controller = CONTAINER_OF(device, struct i8042, device);
    fprintf(out, "kbc: command byte %02x output port %02x buffer ", controller->memory[0],
            controller_output_port(controller));
    if (controller->output_full) {
        fprintf(out, "%02x from %s\n", controller->output_buffer,
                controller->output_source == SOURCE_AUX ? "mouse" : "keyboard");
    } else {
        fprintf(out, "empty\n");
    }
}

static void controller_destroy(struct device *device)
{
    struct i8042 *controller = CONTAINER_OF(device, struct i8042, device);
    event_clock_cancel(controller->host.clock, &controller->transfer_event);
    device_ports_release(controller->host.ports, controller->regions, ARRAY_COUNT(controller->regions));
    free(controller);
}

static const struct device_class i8042_class = {.name = "kbc",
                                                .reset = controller_reset,
                                                .describe = controller_describe,
                                                .destroy = controller_destroy,
                                                .state_size = sizeof(struct i8042)};

struct status i8042_create(const struct device_host *host, const struct i8042_config *config,
                           struct i8042 **controller)
{
    struct i8042 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the keyboard controller");
    }
    made->device.class = &i8042_class;
    made->host = *host;
    made->config = *config;
    clock_event_init(&made->transfer_event, "kbc-transfer", transfer_fire, made);
    made->regions[0] = (struct io_region){.name = "kbc-data",
                                          .base = 0x60,
                                          .length = 1,
                                          .read = controller_read,
                                          .write = controller_write,
                                          .opaque = made};
    made->regions[1] = (struct io_region){.name = "kbc-command",
                                          .base = 0x64,
                                          .length = 1,
                                          .read = status_read,
                                          .write = command_write,
                                          .opaque = made};
    struct status status = device_ports_claim(host->ports, made->regions, ARRAY_COUNT(made->regions));
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    controller_reset(&made->device);
    *controller = made;
    return status_ok();
}

struct device *i8042_device(struct i8042 *controller)
{
    return &controller->device;
}
