/* The 440FX host bridge: PCI configuration mechanism 1, PAM and SMRAM (Intel 82441FX datasheet 290549 §3), at
 * 00:00.0.
 *
 * Ports: CF8h configuration address (32-bit accesses only), CF9h reset control (the PIIX3's register of
 * 82371SB §2.5.7, which lies inside the address register's four bytes and is therefore claimed with it),
 * CFCh-CFFh configuration data, any width.
 *
 * PAM registers (59h-5Fh) say for each segment of C0000h-FFFFFh whether reads and writes go to RAM or to the
 * PCI bus (the ROM). The bridge only tells the machine, which owns the memory map.
 *
 * The subsystem ID is QEMU's (1AF4:1100), by which SeaBIOS knows that the fw_cfg interface is there.
 *
 * NOT IMPLEMENTED: the DRAM, timing and error registers hold what is written and do nothing. */
#ifndef DOPPEL_DEVICES_I440FX_H
#define DOPPEL_DEVICES_I440FX_H

#include "devices/device.h"
#include "devices/pci_bus.h"

struct i440fx;

struct i440fx_config {
    /* Segment [base, base + length) changed; called at reset for all of them (both false). */
    void (*remap)(void *opaque, uint32_t base, uint32_t length, bool read_ram, bool write_ram);
    /* SMRAM at A0000h-BFFFFh: `enabled` for SMM code, `open` for everybody. May be NULL. */
    void (*smram)(void *opaque, bool enabled, bool open);
    void *opaque;
    struct irq_line cpu_reset;    /* CF9h soft reset: pulsed */
    struct irq_line system_reset; /* CF9h hard reset: pulsed */
};

/* Errors: ports or slot 0 taken, out of memory. `pci` is borrowed. */
struct status i440fx_create(const struct device_host *host, struct pci_bus *pci,
                            const struct i440fx_config *config, struct i440fx **bridge) STATUS_MUST_CHECK;

struct device *i440fx_device(struct i440fx *bridge);

#endif
