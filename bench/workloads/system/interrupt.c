/* Hardware interrupts: the 8254's first counter is set to fire at once, again and again; its interrupt is
 * acknowledged at the 8259, and the next is asked for. */
#include "guest.h"

#define INTERRUPTS   500u
#define TIMER_VECTOR 0x40u

#define PORT_MASTER_COMMAND 0x20
#define PORT_MASTER_DATA    0x21
#define PORT_TIMER_COUNT    0x40
#define PORT_TIMER_COMMAND  0x43

volatile uint32_t interrupt_count;

void timer_handler(void);
__asm__(".text\n"
        "timer_handler:\n"
        "    pushl %eax\n"
        "    incl interrupt_count\n"
        "    movb $0x20, %al\n"
        "    outb %al, $0x20\n"
        "    popl %eax\n"
        "    iret\n");

/* The master 8259: vectors from 40h, a slave at 2, only the timer let through. */
void workload_prepare(void)
{
    guest_set_gate(TIMER_VECTOR, timer_handler, 0);
    guest_port_write(PORT_MASTER_COMMAND, 0x11);
    guest_port_write(PORT_MASTER_DATA, TIMER_VECTOR);
    guest_port_write(PORT_MASTER_DATA, 0x04);
    guest_port_write(PORT_MASTER_DATA, 0x01);
    guest_port_write(PORT_MASTER_DATA, 0xfe);
}

uint32_t workload_run(void)
{
    interrupt_count = 0;
    for (uint32_t i = 0; i < INTERRUPTS; i++) {
        uint32_t seen = interrupt_count;
        guest_port_write(PORT_TIMER_COMMAND, 0x30); /* counter 0, mode 0, both bytes */
        guest_port_write(PORT_TIMER_COUNT, 2);
        guest_port_write(PORT_TIMER_COUNT, 0);
        while (interrupt_count == seen) {
            __asm__ volatile("sti; nop; cli");
        }
    }
    return interrupt_count;
}
