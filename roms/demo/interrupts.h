/*
 * The interrupt descriptor table and the two 8259A controllers: exceptions go to exceptions.c, IRQs to the
 * handlers that drivers install.
 */
#ifndef DEMO_INTERRUPTS_H
#define DEMO_INTERRUPTS_H

#include <stdbool.h>
#include <stdint.h>

#define IRQ_TIMER    0
#define IRQ_KEYBOARD 1
#define IRQ_CASCADE  2
#define IRQ_COM1     4

/* What entry.S pushes, lowest address first. */
struct interrupt_frame {
    uint32_t es, ds;
    uint32_t edi, esi, ebp, esp_at_pushad, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
};

/* Loads the IDT, moves the IRQs to vectors 32 to 47 and masks them all. Interrupts stay off. */
void interrupts_init(void);

/* handler runs with interrupts off, after the controller was told that the IRQ is over; edge-triggered only.
 */
void interrupts_set_handler(unsigned irq, void (*handler)(void));

/* True while the controller holds a request for irq that was not delivered yet. */
bool interrupts_is_pending(unsigned irq);

/* Marks a vector's gate present or not: with vector 0 absent, a divide error becomes a double fault. */
void interrupts_set_present(unsigned vector, bool present);

#endif
