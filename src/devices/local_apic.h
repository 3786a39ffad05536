/* The local APIC of the only processor: where interrupts arrive, wait by priority and are ended, and a timer
 * (SDM 3A chapter 10, "Advanced Programmable Interrupt Controller").
 *
 *   8259's INT --- LINT0 +------------+
 *       NMI pin -- LINT1 | local APIC |--- INTR, NMI, SMI, INIT of the core
 *       I/O APIC - sink  +------------+--- end of level-triggered interrupts, to the I/O APICs
 *
 * It is the xAPIC of a Pentium 4 (version 14h, six LVT entries) whatever the processor: firmware gives the
 * processor and the I/O APIC the same ID, which the older ones on a shared bus could not bear.
 *
 * Registers are 32 bits at multiples of 16 in one page of memory, which local_apic_set_base() places.
 * Narrower loads give a part of the register, other stores are ignored. While the APIC is globally disabled,
 * LINT0 is the core's INTR pin and LINT1 its NMI pin (§10.4.3).
 *
 * After RESET and INIT, LINT0 passes the 8259's interrupts on. The manual has it masked; but firmware older
 * than the APIC expects its interrupts without asking for them, and on other virtual boards it gets them.
 *
 * The timer counts a bus of 100 MHz. A period too short to serve gets an interrupt every
 * LOCAL_APIC_SHORTEST_NS.
 *
 * NOT IMPLEMENTED: other processors (INIT and start-up IPIs to "all but self" reach nobody); sources for the
 * performance and thermal entries; the focus processor; x2APIC; errors on the bus. Whoever reaches memory
 * can reach the registers, DMA too. */
#ifndef DOPPEL_DEVICES_LOCAL_APIC_H
#define DOPPEL_DEVICES_LOCAL_APIC_H

#include "bus/interrupt_message.h"
#include "devices/device.h"

#define LOCAL_APIC_BASE    0xFEE00000u
#define LOCAL_APIC_TICK_NS 10u /* of the bus, before the divider */

#define LOCAL_APIC_SHORTEST_NS (10 * NS_PER_MICROSECOND)

struct local_apic;

struct local_apic_config {
    struct irq_line intr; /* high while an interrupt waits for local_apic_acknowledge() */
    struct irq_line nmi;  /* pulsed; so are the following */
    struct irq_line smi;
    struct irq_line init;                      /* the board calls local_apic_initialize() in return */
    int (*acknowledge_external)(void *opaque); /* the 8259's INTA cycle: a vector */
    void (*end_of_interrupt)(void *opaque, uint8_t vector); /* to the I/O APICs: a level-triggered vector */
    void *opaque;
};

/* It is disabled and nowhere until local_apic_set_base(). Errors: out of memory. */
struct status local_apic_create(const struct device_host *host, const struct local_apic_config *config,
                                struct local_apic **apic) STATUS_MUST_CHECK;

struct device *local_apic_device(struct local_apic *apic);

/* IA32_APIC_BASE: the page's physical address, and the global enable. Disabling forgets all state
 * (§10.4.7.1). A place that another device has taken, or that is not addressable, leaves the registers out of
 * reach. */
void local_apic_set_base(struct local_apic *apic, uint64_t base, bool enabled);

/* The processor was initialised (INIT): as after RESET, but the ID stays. */
void local_apic_initialize(struct local_apic *apic);

/* The pins LINT0 (8259) and LINT1 (NMI). */
struct irq_line local_apic_lint(struct local_apic *apic, unsigned number);

/* Where messages for the APIC go: it takes those that are addressed to it. */
struct interrupt_sink local_apic_sink(struct local_apic *apic);

/* The core takes an interrupt: the vector, of the 8259 if that asks, else of the most urgent request, which
 * goes in service; the spurious vector when no request is urgent enough (any more). */
int local_apic_acknowledge(struct local_apic *apic);

#endif
