/* The VGA as a PCI card: BAR 0 is its linear framebuffer, BAR 2 its register window, and its ROM holds the
 * VGA BIOS, which firmware copies to C0000h. */
#include "devices/vga.h"
#include "machine/machine_internal.h"

#define VGA_SLOT 2

static uint64_t rom_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct machine *machine = opaque;
    const struct firmware *rom = &machine->vga_rom;
    return offset + width <= rom->size ? load_le(rom->bytes + offset, width) : UINT64_MAX;
}

static uint64_t rom_window(const struct machine *machine)
{
    uint64_t size = PAGE_SIZE;
    while (size < machine->vga_rom.size) {
        size *= 2;
    }
    return size;
}

static void report(struct machine *machine, const struct status *status)
{
    if (!status_is_ok(status)) {
        log_printf(&machine->log, LOG_GUEST_ERROR, "vga: %s", status->message);
    }
}

static void map_rom(void *opaque, bool mapped, uint64_t base)
{
    struct machine *machine = opaque;
    if (!mapped) {
        memory_bus_release(machine->memory, base, machine);
        return;
    }
    const struct io_region region = {.name = "vga-rom",
                                     .base = base,
                                     .length = rom_window(machine),
                                     .max_width = 8,
                                     .read = rom_read,
                                     .opaque = machine};
    struct status status = memory_bus_claim(machine->memory, &region);
    report(machine, &status);
}

static void map_framebuffer(void *opaque, bool mapped, uint64_t base)
{
    struct machine *machine = opaque;
    struct status status = vga_set_lfb_base(machine->chips.vga, mapped ? base : VGA_UNMAPPED);
    report(machine, &status);
}

static void map_registers(void *opaque, bool mapped, uint64_t base)
{
    struct machine *machine = opaque;
    struct status status = vga_set_mmio_base(machine->chips.vga, mapped ? base : VGA_UNMAPPED);
    report(machine, &status);
}

const struct display_source *machine_display(struct machine *machine)
{
    return &machine->display;
}

struct status machine_vga_create(struct machine *machine)
{
    struct device_host host = machine_device_host(machine);
    const struct vga_config config = {
        .vram_size = VGA_DEFAULT_VRAM,
        .vram = machine->ram.bytes + machine->ram.length - VGA_DEFAULT_VRAM,
    };
    struct status status = vga_create(&host, &config, &machine->chips.vga);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, vga_device(machine->chips.vga));
    machine->display = vga_display(machine->chips.vga);

    struct pci_function *function = &machine->vga_function;
    pci_function_init(function, "VGA", VGA_PCI_VENDOR_ID, VGA_PCI_DEVICE_ID, VGA_PCI_CLASS, VGA_PCI_REVISION,
                      0);
    pci_function_set_mapped_bar(function, 0, (uint32_t)vga_lfb_size(machine->chips.vga), map_framebuffer,
                                machine);
    pci_function_set_mapped_bar(function, 2, VGA_MMIO_SIZE, map_registers, machine);
    pci_function_set_mapped_bar(function, PCI_BAR_ROM, (uint32_t)rom_window(machine), map_rom, machine);
    return pci_bus_attach(machine->chips.pci, function, VGA_SLOT, 0);
}

void machine_vga_destroy(struct machine *machine)
{
    pci_bus_detach(&machine->vga_function);
}
