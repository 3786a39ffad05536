/* The serial ports and the debug console, and the host streams at their other ends. What a port sends is
 * remembered (serial_history.h) as well as sent.
 *
 * In realtime output is not slowed down to the baud rate, which a console's user would only wait for, unless
 * the host falls behind. In counted time it is: when it goes out must not depend on the host. */
#include "devices/debug_console.h"
#include "devices/ns16550.h"
#include "machine/machine_history.h"
#include "machine/machine_internal.h"

/* Whether byte number `sent` of a port is sent for the first time, which is noted in *delivered. */
static bool is_new(uint64_t sent, uint64_t *delivered)
{
    if (sent <= *delivered) {
        return false;
    }
    *delivered = sent;
    return true;
}

static void transmit(void *opaque, uint8_t byte)
{
    struct machine_serial *serial = opaque;
    serial_history_append(&serial->history, &byte, 1);
    if (is_new(serial->history.sent, &serial->delivered) && serial->stream != NULL) {
        char_device_write(serial->stream, &byte, 1);
    }
}

static bool takes_at_once(void *opaque)
{
    const struct machine_serial *serial = opaque;
    return !event_clock_is_counted(serial->machine->clock) &&
           (serial->stream == NULL || char_device_keeps_up(serial->stream));
}

static unsigned port_of(const struct machine_serial *serial)
{
    return (unsigned)(serial - serial->machine->serial);
}

static size_t receive_room(void *opaque)
{
    const struct machine_serial *serial = opaque;
    struct machine *machine = serial->machine;
    if (machine_is_replaying(machine) || machine_is_in_past(machine)) {
        return 0;
    }
    size_t room = ns16550_room(serial->uart);
    size_t waiting = machine_replay_serial_waiting(machine, port_of(serial));
    return room > waiting ? room - waiting : 0;
}

static void receive(void *opaque, const uint8_t *bytes, size_t length)
{
    const struct machine_serial *serial = opaque;
    while (length > 0) {
        size_t part = length < INPUT_LOG_BYTES_MAX ? length : INPUT_LOG_BYTES_MAX;
        machine_submit_input(serial->machine, &(struct input_record){.kind = INPUT_SERIAL,
                                                                     .numbers = {port_of(serial)},
                                                                     .bytes = bytes,
                                                                     .length = part});
        bytes += part;
        length -= part;
    }
}

void machine_serial_deliver(struct machine *machine, unsigned port, const uint8_t *bytes, size_t length)
{
    ns16550_receive(machine->serial[port].uart, bytes, length);
}

static void debug_write(void *opaque, uint8_t byte)
{
    struct machine *machine = opaque;
    machine->debug_sent++;
    if (is_new(machine->debug_sent, &machine->debug_delivered) && machine->debug_stream != NULL) {
        char_device_write(machine->debug_stream, &byte, 1);
    }
}

static struct status create_port(struct machine *machine, unsigned port, struct char_device *stream)
{
    static const char *const names[MACHINE_SERIALS] = {"serial0", "serial1"};
    static const uint16_t bases[MACHINE_SERIALS] = {0x3F8, 0x2F8};
    static const uint8_t irqs[MACHINE_SERIALS] = {4, 3};
    struct device_host host = machine_device_host(machine);
    struct machine_serial *serial = &machine->serial[port];
    serial->machine = machine;
    serial->stream = stream;
    const struct ns16550_config config = {.name = names[port],
                                          .base = bases[port],
                                          .irq = machine_isa_irq(machine, irqs[port]),
                                          .transmit = transmit,
                                          .takes_at_once = takes_at_once,
                                          .opaque = serial,
                                          .connected = stream != NULL};
    struct status status = ns16550_create(&host, &config, &serial->uart);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, ns16550_device(serial->uart));
    if (stream != NULL) {
        char_device_set_sink(stream,
                             &(struct char_sink){.room = receive_room, .receive = receive, .opaque = serial});
    }
    return status_ok();
}

struct status machine_serial_create(struct machine *machine, const struct machine_config *config)
{
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        struct status status = create_port(machine, i, config->serial[i]);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    struct device_host host = machine_device_host(machine);
    machine->debug_stream = config->debug_console;
    struct status status =
        debug_console_create(&host, &(struct debug_console_config){.write = debug_write, .opaque = machine},
                             &machine->chips.debug_console);
    if (status_is_ok(&status)) {
        machine_add_device(machine, debug_console_device(machine->chips.debug_console));
    }
    return status;
}

void machine_serial_disconnect(struct machine *machine)
{
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        if (machine->serial[i].uart != NULL && machine->serial[i].stream != NULL) {
            char_device_set_sink(machine->serial[i].stream, NULL);
        }
    }
}
