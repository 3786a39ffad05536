/* The serial port; see ns16550.h. Register names are the datasheet's. */
#include "devices/ns16550.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define CRYSTAL_HZ       1843200u
#define FIFO_SIZE        16u
#define LINE_BUFFER_SIZE 256u

#define IER_RX    0x01
#define IER_TX    0x02
#define IER_LINE  0x04
#define IER_MODEM 0x08
#define IER_MASK  0x0f

#define IIR_NONE    0x01
#define IIR_MODEM   0x00
#define IIR_TX      0x02
#define IIR_RX      0x04
#define IIR_LINE    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS   0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04

#define LCR_STOP_2 0x04
#define LCR_PARITY 0x08
#define LCR_BREAK  0x40
#define LCR_DLAB   0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DATA    0x01
#define LSR_OVERRUN 0x02
#define LSR_BREAK   0x10
#define LSR_ERRORS  0x1e
#define LSR_THRE    0x20
#define LSR_TEMT    0x40
#define LSR_FIFO    0x80

#define MSR_DELTA_CTS 0x01
#define MSR_DELTA_DSR 0x02
#define MSR_TRAIL_RI  0x04
#define MSR_DELTA_DCD 0x08
#define MSR_CTS       0x10
#define MSR_DSR       0x20
#define MSR_RI        0x40
#define MSR_DCD       0x80

struct byte_queue {
    uint8_t bytes[LINE_BUFFER_SIZE];
    unsigned head;
    unsigned count;
};

struct ns16550 {
    struct device device;
    struct device_host host;
    struct ns16550_config config;
    bool connected;
    uint8_t ier, fcr, lcr, mcr, msr, scratch;
    uint16_t divisor;
    uint8_t line_errors; /* latched LSR bits OVERRUN and BREAK */
    bool tx_interrupt;   /* THRE became true and was not yet reported */
    bool rx_timeout;     /* FIFO mode: bytes sat for four character times */
    bool shifting;       /* a character is on the wire */
    uint8_t shift_byte;
    struct byte_queue rx;   /* receiver FIFO (one byte deep when FIFOs are off) */
    struct byte_queue tx;   /* transmitter FIFO or holding register */
    struct byte_queue line; /* what the peer has still to send */
    struct clock_event tx_event;
    struct clock_event rx_event;
    struct clock_event timeout_event;
    struct io_region region;
};

static void queue_push(struct byte_queue *queue, uint8_t byte)
{
    queue->bytes[(queue->head + queue->count++) % LINE_BUFFER_SIZE] = byte;
}

static uint8_t queue_pop(struct byte_queue *queue)
{
    uint8_t byte = queue->bytes[queue->head];
    queue->head = (queue->head + 1) % LINE_BUFFER_SIZE;
    queue->count--;
    return byte;
}

static bool fifos_on(const struct ns16550 *uart)
{
    return uart->fcr & FCR_ENABLE;
}

static unsigned fifo_depth(const struct ns16550 *uart)
{
    return fifos_on(uart) ? FIFO_SIZE : 1;
}

static unsigned rx_trigger(const struct ns16550 *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return fifos_on(uart) ? levels[uart->fcr >> 6] : 1;
}

/* Nanoseconds for start bit, word, parity and stop bits. */
static uint64_t character_time(const struct ns16550 *uart)
{
    unsigned bits =
        1u + 5u + (uart->lcr & 3u) + (uart->lcr & LCR_PARITY ? 1u : 0u) + (uart->lcr & LCR_STOP_2 ? 2u : 1u);
    uint64_t divisor = uart->divisor != 0 ? uart->divisor : 65536;
    return bits * divisor * 16 * NS_PER_SECOND / CRYSTAL_HZ;
}

static uint8_t interrupt_identity(const struct ns16550 *uart)
{
    if (uart->ier & IER_LINE && uart->line_errors) {
        return IIR_LINE;
    }
    if (uart->ier & IER_RX && uart->rx.count >= rx_trigger(uart)) {
        return IIR_RX;
    }
    if (uart->ier & IER_RX && uart->rx_timeout) {
        return IIR_TIMEOUT;
    }
    if (uart->ier & IER_TX && uart->tx_interrupt) {
        return IIR_TX;
    }
    if (uart->ier & IER_MODEM && uart->msr & 0x0f) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void update_irq(struct ns16550 *uart)
{
    bool gated = uart->mcr & MCR_OUT2 && !(uart->mcr & MCR_LOOP);
    irq_line_set(&uart->config.irq, gated && interrupt_identity(uart) != IIR_NONE);
}

/* The modem inputs as the chip sees them: from the cable, or in loopback its own outputs. */
static uint8_t modem_inputs(const struct ns16550 *uart)
{
    if (!(uart->mcr & MCR_LOOP)) {
        return uart->connected ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
    }
    return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void update_modem(struct ns16550 *uart)
{
    uint8_t now = modem_inputs(uart);
    uint8_t changed = (uart->msr ^ now) & 0xf0;
    uint8_t deltas =
        (uint8_t)((changed & MSR_CTS ? MSR_DELTA_CTS : 0) | (changed & MSR_DSR ? MSR_DELTA_DSR : 0) |
                  (changed & MSR_DCD ? MSR_DELTA_DCD : 0) |
                  (changed & MSR_RI && !(now & MSR_RI) ? MSR_TRAIL_RI : 0));
    uart->msr = (uint8_t)(now | (uart->msr & 0x0f) | deltas);
    update_irq(uart);
}

static void restart_timeout(struct ns16550 *uart)
{
    uart->rx_timeout = false;
    if (fifos_on(uart) && uart->rx.count > 0) {
        event_clock_schedule(uart->host.clock, &uart->timeout_event,
                             event_clock_now(uart->host.clock) + 4 * character_time(uart));
    } else {
        event_clock_cancel(uart->host.clock, &uart->timeout_event);
    }
}

static void timeout_fire(void *opaque)
{
    struct ns16550 *uart = opaque;
    uart->rx_timeout = true;
    update_irq(uart);
}

static void accept_byte(struct ns16550 *uart, uint8_t byte)
{
    if (uart->rx.count == fifo_depth(uart)) {
        uart->line_errors |= LSR_OVERRUN;
        if (!fifos_on(uart)) {
            uart->rx.bytes[uart->rx.head] =
                byte; /* the holding register is overwritten, a full FIFO is not */
        }
    } else {
        queue_push(&uart->rx, byte);
    }
    restart_timeout(uart);
    update_irq(uart);
}

/* Lets the next byte of the line in, one character time from now. */
static void schedule_line(struct ns16550 *uart)
{
    bool flows = uart->line.count > 0 && uart->rx.count < fifo_depth(uart) && !(uart->mcr & MCR_LOOP);
    if (flows && !clock_event_is_scheduled(&uart->rx_event)) {
        event_clock_schedule(uart->host.clock, &uart->rx_event,
                             event_clock_now(uart->host.clock) + character_time(uart));
    }
}

static void rx_fire(void *opaque)
{
    struct ns16550 *uart = opaque;
    if (uart->line.count > 0 && uart->rx.count < fifo_depth(uart) && !(uart->mcr & MCR_LOOP)) {
        accept_byte(uart, queue_pop(&uart->line));
    }
    schedule_line(uart);
}

/* The character in the shift register has left it. */
static void finish_shifting(struct ns16550 *uart)
{
    uint8_t byte = uart->shift_byte & (uint8_t)bits_mask(5 + (uart->lcr & 3));
    uart->shifting = false;
    if (uart->mcr & MCR_LOOP) {
        accept_byte(uart, byte);
    } else if (uart->config.transmit != NULL && !(uart->lcr & LCR_BREAK)) {
        uart->config.transmit(uart->config.opaque, byte);
    }
}

static bool sends_at_once(const struct ns16550 *uart)
{
    return uart->config.takes_at_once != NULL && !(uart->mcr & MCR_LOOP) &&
           uart->config.takes_at_once(uart->config.opaque);
}

static void start_shifting(struct ns16550 *uart)
{
    while (!uart->shifting && uart->tx.count > 0) {
        uart->shift_byte = queue_pop(&uart->tx);
        uart->shifting = true;
        if (uart->tx.count == 0) {
            uart->tx_interrupt = true;
        }
        if (sends_at_once(uart)) {
            finish_shifting(uart);
        } else {
            event_clock_schedule(uart->host.clock, &uart->tx_event,
                                 event_clock_now(uart->host.clock) + character_time(uart));
        }
    }
}

static void tx_fire(void *opaque)
{
    struct ns16550 *uart = opaque;
    finish_shifting(uart);
    start_shifting(uart);
    update_irq(uart);
}

static void write_thr(struct ns16550 *uart, uint8_t value)
{
    if (uart->tx.count == fifo_depth(uart)) {
        if (fifos_on(uart)) {
            return; /* a full FIFO drops the byte */
        }
        uart->tx.count = 0;
    }
    uart->tx_interrupt = false;
    update_irq(uart); /* the line falls, even if the next moment it rises: that is the edge */
    queue_push(&uart->tx, value);
    start_shifting(uart);
}

static void write_ier(struct ns16550 *uart, uint8_t value)
{
    if (value & ~uart->ier & IER_TX && uart->tx.count == 0) {
        uart->tx_interrupt = true; /* enabling while empty asks at once */
    }
    uart->ier = value & IER_MASK;
}

static void write_fcr(struct ns16550 *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fcr) & FCR_ENABLE;
    if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_RX)) {
        uart->rx.count = 0;
        uart->line_errors = 0;
    }
    if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_TX)) {
        if (uart->tx.count > 0) {
            uart->tx_interrupt = true;
        }
        uart->tx.count = 0;
    }
    uart->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    restart_timeout(uart);
    schedule_line(uart);
}

static void write_lcr(struct ns16550 *uart, uint8_t value)
{
    if (value & ~uart->lcr & LCR_BREAK && uart->mcr & MCR_LOOP) {
        uart->line_errors |= LSR_BREAK;
        accept_byte(uart, 0);
    }
    uart->lcr = value;
}

static void uart_write(void *opaque, uint64_t offset, unsigned width, uint64_t wide_value)
{
    struct ns16550 *uart = opaque;
    uint8_t value = (uint8_t)wide_value;
    (void)width;
    if (offset < 2 && uart->lcr & LCR_DLAB) {
        unsigned shift = offset == 0 ? 0 : 8;
        uart->divisor = (uint16_t)((uart->divisor & ~(0xff << shift)) | value << shift);
        return;
    }
    switch (offset) {
    case 0: write_thr(uart, value); break;
    case 1: write_ier(uart, value); break;
    case 2: write_fcr(uart, value); break;
    case 3: write_lcr(uart, value); break;
    case 4:
        uart->mcr = value & MCR_MASK;
        update_modem(uart);
        schedule_line(uart);
        break;
    case 7: uart->scratch = value; break;
    default: break;
    }
    update_irq(uart);
}

static uint8_t read_rbr(struct ns16550 *uart)
{
    uint8_t value = uart->rx.count > 0 ? queue_pop(&uart->rx) : 0;
    restart_timeout(uart);
    schedule_line(uart);
    return value;
}

static uint8_t read_iir(struct ns16550 *uart)
{
    uint8_t identity = interrupt_identity(uart);
    if (identity == IIR_TX) {
        uart->tx_interrupt = false;
    }
    return (uint8_t)(identity | (fifos_on(uart) ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct ns16550 *uart)
{
    uint8_t value = (uint8_t)(uart->line_errors | (uart->rx.count > 0 ? LSR_DATA : 0) |
                              (uart->tx.count == 0 ? LSR_THRE : 0) |
                              (uart->tx.count == 0 && !uart->shifting ? LSR_TEMT : 0) |
                              (fifos_on(uart) && uart->line_errors & LSR_BREAK ? LSR_FIFO : 0));
    uart->line_errors = 0;
    return value;
}

static uint8_t read_register(struct ns16550 *uart, uint64_t offset)
{
    uint8_t value;
    if (offset < 2 && uart->lcr & LCR_DLAB) {
        return (uint8_t)(uart->divisor >> (offset == 0 ? 0 : 8));
    }
    switch (offset) {
    case 0: return read_rbr(uart);
    case 1: return uart->ier;
    case 2: return read_iir(uart);
    case 3: return uart->lcr;
    case 4: return uart->mcr;
    case 5: return read_lsr(uart);
    case 6:
        value = uart->msr;
        uart->msr &= 0xf0;
        return value;
    default: return uart->scratch;
    }
}

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned width)
{
    struct ns16550 *uart = opaque;
    (void)width;
    uint8_t value = read_register(uart, offset);
    update_irq(uart);
    return value;
}

size_t ns16550_room(const struct ns16550 *uart)
{
    return LINE_BUFFER_SIZE - uart->line.count;
}

void ns16550_receive(struct ns16550 *uart, const uint8_t *bytes, size_t length)
{
    size_t room = ns16550_room(uart);
    for (size_t i = 0; i < length && i < room; i++) {
        queue_push(&uart->line, bytes[i]);
    }
    schedule_line(uart);
}

void ns16550_set_connected(struct ns16550 *uart, bool connected)
{
    uart->connected = connected;
    update_modem(uart);
}

static void uart_reset(struct device *device)
{
    struct ns16550 *uart = CONTAINER_OF(device, struct ns16550, device);
    event_clock_cancel(uart->host.clock, &uart->tx_event);
    event_clock_cancel(uart->host.clock, &uart->rx_event);
    event_clock_cancel(uart->host.clock, &uart->timeout_event);
    uart->ier = uart->fcr = uart->lcr = uart->mcr = 0;
    uart->divisor = 12; /* the chip leaves it undefined: 9600 baud */
    uart->line_errors = 0;
    uart->tx_interrupt = uart->rx_timeout = uart->shifting = false;
    uart->rx.count = uart->tx.count = 0;
    uart->msr = modem_inputs(uart);
    update_irq(uart);
    schedule_line(uart);
}

static void uart_describe(struct device *device, FILE *out)
{
    const struct ns16550 *uart = CONTAINER_OF(device, struct ns16550, device);
    fprintf(out,
            "%s: %u baud ier %02x iir %02x lcr %02x mcr %02x msr %02x fcr %02x, rx %u tx %u waiting %u\n",
            uart->config.name, uart->divisor != 0 ? CRYSTAL_HZ / 16 / uart->divisor : 1, uart->ier,
            interrupt_identity(uart), uart->lcr, uart->mcr, uart->msr, uart->fcr, uart->rx.count,
            uart->tx.count, uart->line.count);
}

static void uart_destroy(struct device *device)
{
    struct ns16550 *uart = CONTAINER_OF(device, struct ns16550, device);
    event_clock_cancel(uart->host.clock, &uart->tx_event);
    event_clock_cancel(uart->host.clock, &uart->rx_event);
    event_clock_cancel(uart->host.clock, &uart->timeout_event);
    device_ports_release(uart->host.ports, &uart->region, 1);
    free(uart);
}

static const struct device_class ns16550_class = {.name = "serial",
                                                  .reset = uart_reset,
                                                  .describe = uart_describe,
                                                  .destroy = uart_destroy,
                                                  .state_size = sizeof(struct ns16550)};

struct status ns16550_create(const struct device_host *host, const struct ns16550_config *config,
                             struct ns16550 **uart)
{
    struct ns16550 *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for %s", config->name);
    }
    made->device.class = &ns16550_class;
    made->host = *host;
    made->config = *config;
    made->connected = config->connected;
    clock_event_init(&made->tx_event, "serial-tx", tx_fire, made);
    clock_event_init(&made->rx_event, "serial-rx", rx_fire, made);
    clock_event_init(&made->timeout_event, "serial-timeout", timeout_fire, made);
    made->region = (struct io_region){.name = config->name,
                                      .base = config->base,
                                      .length = 8,
                                      .read = uart_read,
                                      .write = uart_write,
                                      .opaque = made};
    struct status status = device_ports_claim(host->ports, &made->region, 1);
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    uart_reset(&made->device);
    *uart = made;
    return status_ok();
}

struct device *ns16550_device(struct ns16550 *uart)
{
    return &uart->device;
}
