/* An interrupt as a message on the APIC bus: from an I/O APIC (later: a device's message-signalled interrupt)
 * to the local APICs (Intel 82093AA datasheet 290566 §3.2.4; SDM 3A §11.11).
 *
 * Who sends does not know who receives; machine_pc.c connects the two. A zeroed sink is not connected. */
#ifndef DOPPEL_BUS_INTERRUPT_MESSAGE_H
#define DOPPEL_BUS_INTERRUPT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The encodings are those of redirection table entries and the ICR. */
enum interrupt_delivery {
    INTERRUPT_FIXED = 0,
    INTERRUPT_LOWEST_PRIORITY = 1,
    INTERRUPT_SMI = 2,
    INTERRUPT_NMI = 4,
    INTERRUPT_INIT = 5,
    INTERRUPT_STARTUP = 6,
    INTERRUPT_EXTINT = 7 /* the vector comes from the 8259 */
};

struct interrupt_message {
    uint8_t vector;
    uint8_t delivery;    /* enum interrupt_delivery; 3 is reserved */
    uint8_t destination; /* an APIC ID, or a set of logical destinations */
    bool logical;        /* which of the two */
    bool level;          /* level-triggered: the sender waits for the EOI of this vector */
};

struct interrupt_sink {
    void (*deliver)(void *opaque, const struct interrupt_message *message);
    void *opaque;
};

static inline void interrupt_sink_deliver(const struct interrupt_sink *sink,
                                          const struct interrupt_message *message)
{
    if (sink->deliver != NULL) {
        sink->deliver(sink->opaque, message);
    }
}

#endif
