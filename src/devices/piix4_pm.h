/* The PIIX4's power management function, 00:01.3, as the ACPI hardware of the board (Intel 82371AB datasheet
 * 290562 §7 and §11; ACPI 1.0b §4.7), put beside the PIIX3 as QEMU has it, which is what SeaBIOS makes its
 * ACPI tables for.
 *
 *   B2h-B3h     APM control and status: F1h and F0h written to B2h switch ACPI on and off (SCI_EN), which is
 *               what SeaBIOS's SMM handler would do
 *   PMBASE      64 ports where configuration registers 40h and 80h say (600h): PM1 status, enable and
 * control, the 24-bit timer of 3.579545 MHz SMBBA       16 ports where 90h and D2h say (700h): an SMBus with
 * nobody on it AFE0h-AFE3h GPE0 status and enable; nothing raises an event AE00h-AE0Fh QEMU's PCI hot-plug
 * registers: no slot has anything to plug
 *
 * SLP_EN with SLP_TYP 0 or 2 (S5, S4) switches the machine off; 1 (S3) wakes up at once.
 *
 * SMM does not exist, so the function says that it has been initialised already (APMC_EN in 58h): otherwise
 * SeaBIOS would wait for an SMI.
 *
 * NOT IMPLEMENTED: SMI and its sources, device monitors, throttling, stop clock (registers hold what is
 * written), suspend to RAM, general-purpose events. */
#ifndef DOPPEL_DEVICES_PIIX4_PM_H
#define DOPPEL_DEVICES_PIIX4_PM_H

#include "devices/device.h"
#include "devices/pci_bus.h"

#define PIIX4_PM_TIMER_HZ 3579545u

struct piix4_pm;

struct piix4_pm_config {
    unsigned slot, function; /* on the PCI bus: 1, 3 */
    struct irq_line sci;     /* a level: IRQ9 */
    /* The guest has switched the machine off, from within its OUT instruction. */
    void (*power_off)(void *opaque);
    void *opaque;
    bool has_serial[2]; /* 3F8h, 2F8h: ACPI tables ask here which ports there are */
    bool has_parallel;
};

/* Errors: ports or the PCI function taken, out of memory. `pci` is borrowed. */
struct status piix4_pm_create(const struct device_host *host, struct pci_bus *pci,
                              const struct piix4_pm_config *config, struct piix4_pm **pm) STATUS_MUST_CHECK;

struct device *piix4_pm_device(struct piix4_pm *pm);

/* The power button: an operating system with ACPI shuts down in an orderly way. */
void piix4_pm_press_power_button(struct piix4_pm *pm);

#endif
