/*
 * See interrupts.h. Gates: SDM 3A §6.11. Controllers: Intel 8259A data sheet, "initialization command words".
 */
#include "interrupts.h"

#include <stddef.h>

#include "exceptions.h"
#include "selectors.h"
#include "x86.h"

#define VECTORS        48
#define VECTOR_IRQ     32
#define ENTRY_SIZE     16
#define GATE_INTERRUPT 0x8e /* present, DPL 0, 32-bit interrupt gate */
#define GATE_PRESENT   0x80

#define PIC_MASTER   0x20
#define PIC_SLAVE    0xa0
#define PIC_ICW1     0x11 /* edge-triggered, cascaded, ICW4 follows */
#define PIC_ICW4     0x01 /* 8086 mode, normal end of interrupt */
#define PIC_EOI      0x20
#define PIC_READ_IRR 0x0a
#define PIC_READ_ISR 0x0b
#define IRQ_SPURIOUS 7

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t zero;
    uint8_t type;
    uint16_t offset_high;
};

struct idt_pointer {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

extern const uint8_t interrupt_entries[VECTORS][ENTRY_SIZE];
void interrupt_dispatch(struct interrupt_frame *frame);

static struct gate idt[VECTORS];
static void (*irq_handlers[16])(void);

static void pic_init(void)
{
    port_write8(PIC_MASTER, PIC_ICW1);
    port_write8(PIC_SLAVE, PIC_ICW1);
    port_write8(PIC_MASTER + 1, VECTOR_IRQ);
    port_write8(PIC_SLAVE + 1, VECTOR_IRQ + 8);
    port_write8(PIC_MASTER + 1, 1u << IRQ_CASCADE);
    port_write8(PIC_SLAVE + 1, IRQ_CASCADE);
    port_write8(PIC_MASTER + 1, PIC_ICW4);
    port_write8(PIC_SLAVE + 1, PIC_ICW4);
    port_write8(PIC_MASTER + 1, (uint8_t) ~(1u << IRQ_CASCADE));
    port_write8(PIC_SLAVE + 1, 0xff);
}

void interrupts_init(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint32_t offset = (uint32_t)interrupt_entries[i];
        idt[i] = (struct gate){.offset_low = (uint16_t)offset,
                               .selector = SELECTOR_CODE,
                               .type = GATE_INTERRUPT,
                               .offset_high = (uint16_t)(offset >> 16)};
    }
    struct idt_pointer pointer = {sizeof(idt) - 1, (uint32_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    pic_init();
}

static uint16_t pic_port(unsigned irq)
{
    return irq < 8 ? PIC_MASTER : PIC_SLAVE;
}

void interrupts_set_handler(unsigned irq, void (*handler)(void))
{
    uint32_t flags = interrupts_save();
    irq_handlers[irq] = handler;
    uint16_t mask_port = (uint16_t)(pic_port(irq) + 1);
    port_write8(mask_port, (uint8_t)(port_read8(mask_port) & ~(1u << (irq % 8))));
    interrupts_restore(flags);
}

bool interrupts_is_pending(unsigned irq)
{
    port_write8(pic_port(irq), PIC_READ_IRR);
    return (port_read8(pic_port(irq)) >> (irq % 8) & 1) != 0;
}

void interrupts_set_present(unsigned vector, bool present)
{
    idt[vector].type = present ? GATE_INTERRUPT : GATE_INTERRUPT & ~GATE_PRESENT;
}

/* A request that vanished before it was acknowledged arrives as number 7 without being in service. */
static bool irq_is_spurious(unsigned irq)
{
    if (irq % 8 != IRQ_SPURIOUS)
        return false;
    port_write8(pic_port(irq), PIC_READ_ISR);
    return (port_read8(pic_port(irq)) >> IRQ_SPURIOUS & 1) == 0;
}

static void irq_dispatch(unsigned irq)
{
    bool spurious = irq_is_spurious(irq);
    if (!spurious)
        port_write8(pic_port(irq), PIC_EOI);
    if (irq >= 8)
        port_write8(PIC_MASTER, PIC_EOI);
    if (!spurious && irq_handlers[irq] != NULL)
        irq_handlers[irq]();
}

/* Called by entry.S for every vector. */
void interrupt_dispatch(struct interrupt_frame *frame)
{
    if (frame->vector >= VECTOR_IRQ)
        irq_dispatch(frame->vector - VECTOR_IRQ);
    else
        exceptions_report(frame);
}
