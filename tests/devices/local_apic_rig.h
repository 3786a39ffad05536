/* A local APIC on the bench, with everything around it recorded. */
#ifndef DOPPEL_TESTS_DEVICES_LOCAL_APIC_RIG_H
#define DOPPEL_TESTS_DEVICES_LOCAL_APIC_RIG_H

#include "device_bench.h"
#include "devices/local_apic.h"

/* Offsets of registers. */
enum {
    APIC_ID = 0x20,
    APIC_VERSION = 0x30,
    APIC_TPR = 0x80,
    APIC_PPR = 0xA0,
    APIC_EOI = 0xB0,
    APIC_LDR = 0xD0,
    APIC_DFR = 0xE0,
    APIC_SVR = 0xF0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_INITIAL_COUNT = 0x380,
    APIC_CURRENT_COUNT = 0x390,
    APIC_DIVIDE = 0x3E0
};

#define APIC_MASKED     0x10000u
#define PIC_VECTOR      0x08 /* what the 8259 answers */
#define SPURIOUS_VECTOR 0xEF

struct apic_rig {
    struct bench *bench;
    struct local_apic *apic;
    struct bench_line intr, nmi, smi, init;
    unsigned pic_acknowledges;
    unsigned ends; /* of level-triggered interrupts */
    uint8_t last_ended;
};

/* The APIC is globally enabled, otherwise as after RESET. */
int apic_rig_setup(void **state);
/* Enabled by software as well, with LINT0 masked and SPURIOUS_VECTOR. */
int apic_rig_setup_enabled(void **state);
int apic_rig_teardown(void **state);

uint32_t apic_get(struct apic_rig *rig, unsigned offset);
void apic_set(struct apic_rig *rig, unsigned offset, uint32_t value);

/* Messages; the first two are for everyone. */
void apic_send(struct apic_rig *rig, uint8_t vector);
void apic_send_level(struct apic_rig *rig, uint8_t vector);
void apic_send_message(struct apic_rig *rig, const struct interrupt_message *message);

void apic_drive_lint(struct apic_rig *rig, unsigned number, bool level);

/* Whether `vector` is in the set of 256 that begins at `offset`. */
bool apic_set_holds(struct apic_rig *rig, unsigned offset, uint8_t vector);

#endif
