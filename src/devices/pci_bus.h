/* A conventional PCI bus: functions with 256 bytes of configuration space, their base address registers
 * (BARs) and interrupt pins (PCI Local Bus Specification 2.1 §6).
 *
 * A function is data: identity, which bits the guest may write, and one BAR description per window. The bus
 * keeps the registers and claims and releases the windows on the port and memory buses as the guest enables
 * and moves them. A BAR that is zero or still holds the sizing pattern decodes nothing; neither does one
 * whose range belongs to another device already (logged as a guest error).
 *
 * Memory windows are multiples of 4 KiB.
 *
 * NOT IMPLEMENTED: bridges (type-1 headers, other buses), 64-bit and below-1-MiB BARs, bus-master enable
 * checks, special cycles, parity and SERR# reporting. */
#ifndef DOPPEL_DEVICES_PCI_BUS_H
#define DOPPEL_DEVICES_PCI_BUS_H

#include "devices/device.h"

#define PCI_CONFIG_SIZE 256u

#define PCI_VENDOR_ID        0x00
#define PCI_DEVICE_ID        0x02
#define PCI_COMMAND          0x04
#define PCI_STATUS           0x06
#define PCI_REVISION         0x08
#define PCI_CLASS            0x09 /* three bytes: interface, subclass, class */
#define PCI_HEADER_TYPE      0x0e
#define PCI_BAR_0            0x10
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM_ID     0x2e
#define PCI_ROM              0x30
#define PCI_INTERRUPT_LINE   0x3c
#define PCI_INTERRUPT_PIN    0x3d

#define PCI_COMMAND_PORTS      0x0001u
#define PCI_COMMAND_MEMORY     0x0002u
#define PCI_COMMAND_BUS_MASTER 0x0004u

#define PCI_BAR_COUNT 7 /* BAR 0..5 and the expansion ROM */
#define PCI_BAR_ROM   6

struct pci_bus;
struct pci_function;

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_PORTS, PCI_BAR_MEMORY, PCI_BAR_MAPPED };

struct pci_bar {
    enum pci_bar_kind kind;
    uint32_t size;           /* a power of two */
    struct io_region region; /* PORTS and MEMORY: claimed at the BAR's base */
    /* MAPPED: the function itself puts the window (a frame buffer, a ROM) on the memory bus or takes it away.
     */
    void (*map)(void *opaque, bool mapped, uint64_t base);
    void *opaque;
    bool is_mapped; /* kept by the bus */
    uint64_t mapped_base;
};

/* Embedded in its device; set up with pci_function_init(), then the members marked "yours". */
struct pci_function {
    const char *name;                    /* static string */
    uint8_t config[PCI_CONFIG_SIZE];     /* yours, except the BARs */
    uint8_t writable[PCI_CONFIG_SIZE];   /* yours: bits the guest may write */
    uint8_t clear_on_1[PCI_CONFIG_SIZE]; /* yours: bits that writing 1 clears */
    /* Yours, may be NULL: the guest wrote [offset, offset + width). Called after the registers and BARs are
     * up to date. */
    void (*config_written)(void *opaque, unsigned offset, unsigned width);
    void *opaque;
    struct pci_bar bars[PCI_BAR_COUNT];
    struct pci_bus *bus;
    uint8_t slot;
    uint8_t number;
    bool interrupt_level;
};

/* Returns NULL when out of memory. */
struct pci_bus *pci_bus_create(const struct device_host *host);

/* Connects interrupt line PIRQA#..PIRQD# (`pirq` 0..3) of the board (high: asserted). INTA# + p of slot s
 * drives line (p + s - 1) mod 4, as on 440FX boards. */
void pci_bus_connect_pirq(struct pci_bus *bus, unsigned pirq, struct irq_line line);

/* Every function must be detached or gone with its device before. */
void pci_bus_destroy(struct pci_bus *bus);

/* Clears `function` and fills in identity, the type-0 header and the usual writable bits. `class_code` is 24
 * bits: class, subclass, interface. `interrupt_pin`: 0 none, 1..4 INTA#..INTD#. */
void pci_function_init(struct pci_function *function, const char *name, uint16_t vendor, uint16_t device,
                       uint32_t class_code, uint8_t revision, uint8_t interrupt_pin);

/* Makes `count` configuration bytes from `offset` on plain read-write storage. */
void pci_function_allow_write(struct pci_function *function, unsigned offset, unsigned count);

/* Describes BAR `index` (0..5; PCI_BAR_ROM only mapped). `region->base` is ignored; its length is the
 * window's size, a power of two, at least 4 for ports and 4096 for memory. */
void pci_function_set_port_bar(struct pci_function *function, unsigned index, const struct io_region *region);
void pci_function_set_memory_bar(struct pci_function *function, unsigned index,
                                 const struct io_region *region);
void pci_function_set_mapped_bar(struct pci_function *function, unsigned index, uint32_t size,
                                 void (*map)(void *opaque, bool mapped, uint64_t base), void *opaque);

/* Puts the function at slot (0..31), number (0..7). STATUS_CONFLICT when that is taken. */
struct status pci_bus_attach(struct pci_bus *bus, struct pci_function *function, unsigned slot,
                             unsigned number) STATUS_MUST_CHECK;

/* Takes the function's windows and interrupt away; for destroy. Not attached: nothing happens. */
void pci_bus_detach(struct pci_function *function);

/* RST#: command and BARs are zero again, the interrupt is released. */
void pci_function_reset(struct pci_function *function);

/* Drives the function's interrupt pin (true: asserted). */
void pci_function_set_interrupt(struct pci_function *function, bool level);

/* Configuration access to bus 0: offset + width stays within the aligned 32-bit register. Nobody there: all
 * ones. */
uint32_t pci_bus_config_read(struct pci_bus *bus, unsigned slot, unsigned number, unsigned offset,
                             unsigned width);
void pci_bus_config_write(struct pci_bus *bus, unsigned slot, unsigned number, unsigned offset,
                          unsigned width, uint32_t value);

/* What a copy of the bus consists of, beside its functions. */
void pci_bus_visit_state(struct pci_bus *bus, const struct state_visitor *visitor);

/* One line per function (`info pci`). */
void pci_bus_describe(const struct pci_bus *bus, FILE *out);

#endif
