/*
 * See serial.h. National Semiconductor PC16550D data sheet. Received bytes come by IRQ 4, sent ones are
 * polled.
 *
 * NOT IMPLEMENTED: flow control; COM2 to COM4.
 */
#include "serial.h"

#include "interrupts.h"
#include "x86.h"

#define COM1      0x3f8
#define UART_DATA (COM1 + 0)
#define UART_IER  (COM1 + 1)
#define UART_FCR  (COM1 + 2)
#define UART_LCR  (COM1 + 3)
#define UART_MCR  (COM1 + 4)
#define UART_LSR  (COM1 + 5)
#define UART_IIR  (COM1 + 2)

#define IER_RECEIVED      0x01
#define IER_ALL           0x0f
#define IIR_NONE          0x01
#define FCR_ENABLE        0xc7 /* FIFOs on and emptied, interrupt at 14 bytes or a pause */
#define LCR_8N1           0x03
#define LCR_DIVISOR       0x80
#define MCR_DTR_RTS_OUT2  0x0b /* OUT2 connects the interrupt on a PC */
#define LSR_DATA_READY    0x01
#define LSR_HOLDING_EMPTY 0x20
#define DIVISOR_115200    1

#define WRITE_POLLS  100000
#define QUEUE_SIZE   1024 /* a power of two */
#define READS_AN_IRQ 256  /* a broken UART must not keep us in the handler */

static struct {
    bool present;
    volatile uint8_t queue[QUEUE_SIZE];
    volatile uint32_t head; /* written by the interrupt only */
    volatile uint32_t tail; /* written by the reader only */
} serial;

static void receive(void)
{
    for (int i = 0; i < READS_AN_IRQ && (port_read8(UART_LSR) & LSR_DATA_READY) != 0; i++) {
        uint8_t byte = port_read8(UART_DATA);
        if (serial.head - serial.tail < QUEUE_SIZE) {
            serial.queue[serial.head % QUEUE_SIZE] = byte;
            serial.head = serial.head + 1;
        }
    }
}

/* Until the UART has nothing more to say: its line must fall before the controller can see another edge. */
static void serial_interrupt(void)
{
    for (int i = 0; i < READS_AN_IRQ && (port_read8(UART_IIR) & IIR_NONE) == 0; i++)
        receive();
}

static bool uart_answers(void)
{
    port_write8(UART_IER, IER_ALL);
    bool holds_ones = (port_read8(UART_IER) & IER_ALL) == IER_ALL;
    port_write8(UART_IER, 0);
    return holds_ones && (port_read8(UART_IER) & IER_ALL) == 0;
}

void serial_init(void)
{
    port_write8(UART_LCR, LCR_8N1);
    serial.present = uart_answers();
    if (!serial.present)
        return;
    port_write8(UART_LCR, LCR_8N1 | LCR_DIVISOR);
    port_write8(UART_DATA, DIVISOR_115200);
    port_write8(UART_IER, 0);
    port_write8(UART_LCR, LCR_8N1);
    port_write8(UART_FCR, FCR_ENABLE);
    port_write8(UART_MCR, MCR_DTR_RTS_OUT2);
    interrupts_set_handler(IRQ_COM1, serial_interrupt);
    port_write8(UART_IER, IER_RECEIVED);
}

bool serial_is_present(void)
{
    return serial.present;
}

void serial_write(char character)
{
    if (!serial.present)
        return;
    for (int i = 0; i < WRITE_POLLS && (port_read8(UART_LSR) & LSR_HOLDING_EMPTY) == 0; i++)
        continue;
    port_write8(UART_DATA, (uint8_t)character);
}

bool serial_has_data(void)
{
    return serial.head != serial.tail;
}

bool serial_read(uint8_t *byte)
{
    if (!serial_has_data())
        return false;
    *byte = serial.queue[serial.tail % QUEUE_SIZE];
    serial.tail = serial.tail + 1;
    return true;
}
