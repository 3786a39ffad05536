/* The board's interrupts: from a chip's line to the CPU.
 *
 *   ISA IRQ n --+-- 8259 pair, IRn -- INT --- LINT0 of the local APIC, or INTR of a CPU without one
 *               +-- I/O APIC, INTIn ========= local APIC
 *
 * IRQ0 reaches INTI2, of which fw_cfg tells the firmware; the ISA pin IRQ2 is IRQ9 (AT Technical Reference),
 * so that INTI0 stays free. PCI lines and the ACPI interrupt are ISA IRQs behind the PIIX3. INTI16-23 are the
 * HPET's alone. Under legacy replacement the HPET drives IRQ0 in place of the 8254 and IRQ8 in place of the
 * clock (IA-PC HPET Specification §2.4.1).
 *
 * CPUs with fewer than 32 address lines reach neither I/O APIC nor HPET: their boards have none.
 *
 * NOT IMPLEMENTED: SMI (there is no system management mode). */
#include "cpu/cpu.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i8259.h"
#include "devices/ioapic.h"
#include "devices/local_apic.h"
#include "machine/machine_internal.h"

#define IRQ_TIMER   0
#define IRQ_ISA_2   2
#define IRQ_CLOCK   8
#define IRQ_ISA_IS9 9

#define INTI_TIMER    2
#define HPET_FIRST    16
#define HPET_LAST     23
#define FROM_BOARD    0 /* drivers of IRQ0 and IRQ8 */
#define FROM_HPET     1
#define ADDRESS_LINES 32

/* ---- towards the CPU */

static void set_intr(void *opaque, unsigned number, bool level)
{
    (void)number;
    struct machine *machine = opaque;
    if (level) {
        machine->cpu.pending |= CPU_PENDING_INTERRUPT;
    } else {
        machine->cpu.pending &= ~(uint32_t)CPU_PENDING_INTERRUPT;
    }
}

static void set_nmi(void *opaque, unsigned number, bool level)
{
    (void)number;
    struct machine *machine = opaque;
    if (level) {
        machine->cpu.pending |= CPU_PENDING_NMI;
    }
}

static void set_init(void *opaque, unsigned number, bool level)
{
    (void)number;
    if (level) {
        machine_request_reset(opaque, MACHINE_RESET_CPU, "INIT by the local APIC");
    }
}

static int acknowledge_pic(void *opaque)
{
    const struct machine *machine = opaque;
    return i8259_pair_acknowledge(machine->chips.pic);
}

static void end_of_interrupt(void *opaque, uint8_t vector)
{
    const struct machine *machine = opaque;
    ioapic_end_of_interrupt(machine->chips.ioapic, vector);
}

/* The INT output of the 8259s; they exist before the local APIC does. */
static void set_pic_int(void *opaque, unsigned number, bool level)
{
    struct machine *machine = opaque;
    if (machine->chips.local_apic == NULL) {
        set_intr(machine, number, level);
        return;
    }
    struct irq_line lint0 = local_apic_lint(machine->chips.local_apic, 0);
    irq_line_set(&lint0, level);
}

int machine_interrupts_acknowledge(struct machine *machine)
{
    return machine->chips.local_apic != NULL ? local_apic_acknowledge(machine->chips.local_apic)
                                             : acknowledge_pic(machine);
}

void machine_interrupts_set_apic_base(struct machine *machine)
{
    if (machine->chips.local_apic != NULL) {
        local_apic_set_base(machine->chips.local_apic, cpu_apic_page(&machine->cpu),
                            cpu_apic_is_enabled(&machine->cpu));
    }
}

void machine_interrupts_initialize(struct machine *machine)
{
    if (machine->chips.local_apic != NULL) {
        local_apic_initialize(machine->chips.local_apic);
    }
}

/* ---- from the chips */

static void set_isa_irq(void *opaque, unsigned irq, bool level)
{
    struct machine *machine = opaque;
    struct irq_line line = i8259_pair_input(machine->chips.pic, irq);
    irq_line_set(&line, level);
    if (machine->chips.ioapic != NULL) {
        line = ioapic_input(machine->chips.ioapic, irq == IRQ_TIMER ? INTI_TIMER : irq);
        irq_line_set(&line, level);
    }
}

/* IRQ0 and IRQ8, which two chips drive, are the one's or the other's. */
static void drive_shared_irq(struct machine *machine, unsigned irq, const bool lines[2])
{
    set_isa_irq(machine, irq, lines[machine->legacy_replacement ? FROM_HPET : FROM_BOARD]);
}

static void set_timer_line(void *opaque, unsigned driver, bool level)
{
    struct machine *machine = opaque;
    machine->timer_lines[driver] = level;
    drive_shared_irq(machine, IRQ_TIMER, machine->timer_lines);
}

static void set_clock_line(void *opaque, unsigned driver, bool level)
{
    struct machine *machine = opaque;
    machine->clock_lines[driver] = level;
    drive_shared_irq(machine, IRQ_CLOCK, machine->clock_lines);
}

static void set_legacy_replacement(void *opaque, unsigned number, bool level)
{
    (void)number;
    struct machine *machine = opaque;
    machine->legacy_replacement = level;
    drive_shared_irq(machine, IRQ_TIMER, machine->timer_lines);
    drive_shared_irq(machine, IRQ_CLOCK, machine->clock_lines);
}

struct irq_line machine_isa_irq(struct machine *machine, unsigned irq)
{
    switch (irq) {
    case IRQ_TIMER: return (struct irq_line){.set = set_timer_line, .opaque = machine, .number = FROM_BOARD};
    case IRQ_CLOCK: return (struct irq_line){.set = set_clock_line, .opaque = machine, .number = FROM_BOARD};
    default:
        return (struct irq_line){
            .set = set_isa_irq, .opaque = machine, .number = irq == IRQ_ISA_2 ? IRQ_ISA_IS9 : irq};
    }
}

/* ---- the chips */

static struct status create_local_apic(struct machine *machine)
{
    struct device_host host = machine_device_host(machine);
    const struct local_apic_config config = {.intr = {.set = set_intr, .opaque = machine},
                                             .nmi = {.set = set_nmi, .opaque = machine},
                                             .init = {.set = set_init, .opaque = machine},
                                             .acknowledge_external = acknowledge_pic,
                                             .end_of_interrupt = end_of_interrupt,
                                             .opaque = machine};
    struct status status = local_apic_create(&host, &config, &machine->chips.local_apic);
    if (status_is_ok(&status)) {
        machine_add_device(machine, local_apic_device(machine->chips.local_apic));
    }
    return status;
}

static struct status create_ioapic(struct machine *machine)
{
    struct device_host host = machine_device_host(machine);
    struct interrupt_sink sink = {0};
    if (machine->chips.local_apic != NULL) {
        sink = local_apic_sink(machine->chips.local_apic);
    }
    struct status status = ioapic_create(&host, &sink, &machine->chips.ioapic);
    if (status_is_ok(&status)) {
        machine_add_device(machine, ioapic_device(machine->chips.ioapic));
    }
    return status;
}

static struct status create_hpet(struct machine *machine)
{
    struct device_host host = machine_device_host(machine);
    struct hpet_config config = {
        .legacy = {{.set = set_timer_line, .opaque = machine, .number = FROM_HPET},
                   {.set = set_clock_line, .opaque = machine, .number = FROM_HPET}},
        .legacy_replacement = {.set = set_legacy_replacement, .opaque = machine},
    };
    for (unsigned input = HPET_FIRST; input <= HPET_LAST; input++) {
        config.routes[input] = ioapic_input(machine->chips.ioapic, input);
        config.route_mask |= (uint32_t)1 << input;
    }
    struct hpet *hpet = NULL;
    struct status status = hpet_create(&host, &config, &hpet);
    if (status_is_ok(&status)) {
        machine_add_device(machine, hpet_device(hpet));
    }
    return status;
}

struct status machine_interrupts_create(struct machine *machine)
{
    struct device_host host = machine_device_host(machine);
    struct irq_line pic_int = {.set = set_pic_int, .opaque = machine};
    struct status status = i8259_pair_create(&host, &pic_int, &machine->chips.pic);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, i8259_pair_device(machine->chips.pic));
    if (machine->cpu.has_local_apic) {
        status = create_local_apic(machine);
    }
    if (status_is_ok(&status) && machine->cpu.model->address_bits >= ADDRESS_LINES) {
        status = create_ioapic(machine);
        if (status_is_ok(&status)) {
            status = create_hpet(machine);
        }
    }
    return status;
}

struct status machine_interrupts_describe_to_firmware(struct machine *machine)
{
    bool overrides = machine->chips.ioapic != NULL;
    return fw_cfg_add_number(machine->chips.fw_cfg, FW_CFG_IRQ0_OVERRIDE, overrides, 4);
}
