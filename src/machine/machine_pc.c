/* The schematic of the board: an AT with the 440FX chipset. Which chip there is, at which IRQ, and which wire
 * goes where. What happens between an IRQ and the CPU is in machine_interrupts.c.
 *
 *   IRQ 0 timer         4 serial 0      8 clock          12 mouse
 *       1 keyboard      5 -             9 ACPI, PCI      13 x87 errors
 *       2 (cascade)     6 floppy       10 PCI            14 IDE
 *       3 serial 1      7 -            11 PCI            15 IDE
 *   DMA 2 floppy
 *   PCI 00:00.0 440FX   00:01.0 PIIX3   00:01.1 IDE   00:01.3 power management   00:02.0 VGA
 *
 * Memory: RAM from 0, hidden by the VGA's window at A0000h-BFFFFh; C0000h-FFFFFh is RAM or ROM as the 440FX's
 * PAM registers say; the system ROM also ends at the top of the address space, where CPUs from the 80286 on
 * start.
 *
 * A20 is open while the keyboard controller or port 92h says so, as on boards that have both gates. A reset
 * by the keyboard controller, port 92h or a triple fault reaches the CPU alone (AT Technical Reference;
 * 82371SB §2.5); only CF9h resets all.
 *
 * NOT IMPLEMENTED: NMI sources, SMM (SMRAM stays closed), the parallel port. Software power-off is ACPI's, or
 * the shutdown port that Bochs has at 8900h: it takes the letters of "Shutdown". */
#include "machine/machine_internal.h"

#include <string.h>

#include "cpu/x87.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/isa_debug_exit.h"
#include "devices/mc146818.h"
#include "devices/pc_speaker.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/port92.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"

#define IRQ_TIMER    0
#define IRQ_KEYBOARD 1
#define IRQ_CLOCK    8
#define IRQ_MOUSE    12
#define IRQ_FERR     13

#define PCI_PIRQS 4

#define PM_SLOT     1
#define PM_FUNCTION 3

#define PORT_FERR_CLEAR 0xF0
#define PORT_SHUTDOWN   0x8900

#define CMOS_SHUTDOWN 0x0F

enum { A20_KEYBOARD, A20_PORT92 };

enum { RESET_BY_KEYBOARD, RESET_BY_PORT92, RESET_BY_CF9, RESET_BY_CF9_HARD };

void machine_add_device(struct machine *machine, struct device *device)
{
    machine->devices[machine->device_count++] = device;
}

struct device_host machine_device_host(struct machine *machine)
{
    return (struct device_host){
        .memory = machine->memory, .ports = machine->ports, .clock = machine->clock, .log = &machine->log};
}

/* ---- wires to the CPU and the memory controller */

static void set_a20(void *opaque, unsigned number, bool level)
{
    struct machine *machine = opaque;
    *(number == A20_KEYBOARD ? &machine->a20_keyboard : &machine->a20_port92) = level;
    memory_bus_set_a20(machine->memory, machine->a20_keyboard || machine->a20_port92);
}

static struct irq_line a20_gate(struct machine *machine, unsigned number)
{
    return (struct irq_line){.set = set_a20, .opaque = machine, .number = number};
}

static void set_reset(void *opaque, unsigned number, bool level)
{
    static const char *const reasons[] = {[RESET_BY_KEYBOARD] = "reset by the keyboard controller",
                                          [RESET_BY_PORT92] = "reset by port 92h",
                                          [RESET_BY_CF9] = "CPU reset by port CF9h",
                                          [RESET_BY_CF9_HARD] = "reset by port CF9h"};
    if (level) {
        machine_request_reset(opaque, number == RESET_BY_CF9_HARD ? MACHINE_RESET_ALL : MACHINE_RESET_CPU,
                              reasons[number]);
    }
}

static struct irq_line reset_line(struct machine *machine, unsigned number)
{
    return (struct irq_line){.set = set_reset, .opaque = machine, .number = number};
}

bool machine_pc_resumes_after_reset(const struct machine *machine)
{
    switch (mc146818_cmos(machine->chips.rtc, CMOS_SHUTDOWN)) {
    case 0x05: /* jump through 40:67 after an EOI */
    case 0x09: /* return from INT 15h AH=87h */
    case 0x0A: /* jump through 40:67 */ return true;
    default: return false;
    }
}

/* PAM: what loads and stores of a part of C0000h-FFFFFh reach. */
static void remap_shadow(void *opaque, uint32_t base, uint32_t length, bool read_ram, bool write_ram)
{
    struct machine *machine = opaque;
    uint8_t *ram = machine->ram.bytes + base;
    uint8_t *rom = machine->shadow_rom + (base - SHADOW_BASE);
    memory_bus_map_split(machine->memory, base, length, read_ram ? ram : rom, write_ram ? ram : NULL);
}

void machine_describe_post_codes(struct machine *machine, FILE *out)
{
    uint8_t codes[I8237_POST_HISTORY];
    unsigned count = i8237_pair_post_codes(machine->chips.dma, codes);
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "%s%02x", i > 0 ? " " : "", codes[i]);
    }
    fputs(count > 0 ? "\n" : "no POST code was written\n", out);
}

/* ---- ports of the board itself */

/* FERR# raises IRQ13, which stays up until the handler writes F0h (AT Technical Reference, "Math
 * coprocessor"); the write also asserts IGNNE#, so that the handler can use the coprocessor. */
void machine_pc_set_ferr(struct machine *machine, bool level)
{
    struct irq_line line = machine_isa_irq(machine, IRQ_FERR);
    irq_line_set(&line, level);
}

static void ferr_clear_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset, (void)width, (void)value;
    struct machine *machine = opaque;
    machine_pc_set_ferr(machine, false);
    cpu_assert_ignne(&machine->cpu);
}

static void shutdown_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset, (void)width;
    static const char word[] = "Shutdown";
    struct machine *machine = opaque;
    machine->shutdown_letters = (char)value == word[machine->shutdown_letters] ? machine->shutdown_letters + 1
                                : (char)value == word[0]                       ? 1
                                                                               : 0;
    if (word[machine->shutdown_letters] == '\0') {
        machine->shutdown_letters = 0;
        machine_request_power_off(machine, "the guest switched it off");
    }
}

static struct status claim_board_ports(struct machine *machine)
{
    const struct io_region regions[] = {
        {.name = "x87-error",
         .base = PORT_FERR_CLEAR,
         .length = 2,
         .write = ferr_clear_write,
         .opaque = machine},
        {.name = "shutdown", .base = PORT_SHUTDOWN, .length = 1, .write = shutdown_write, .opaque = machine},
    };
    struct status status = status_ok();
    for (size_t i = 0; i < ARRAY_COUNT(regions) && status_is_ok(&status); i++) {
        status = port_bus_claim(machine->ports, &regions[i]);
    }
    return status;
}

/* ---- the chips */

/* Timers, clock, DMA, speaker: the AT's core. */
static struct status create_core_chips(struct machine *machine, const struct machine_config *config)
{
    struct machine_chips *chips = &machine->chips;
    struct device_host host = machine_device_host(machine);
    struct status status = i8254_create(
        &host, &(struct i8254_config){.out[0] = machine_isa_irq(machine, IRQ_TIMER)}, &chips->pit);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, i8254_device(chips->pit));

    const struct pc_speaker_config speaker = {.timer2_gate = i8254_gate(chips->pit, 2),
                                              .timer2_out = i8254_output(chips->pit, 2),
                                              .refresh_toggle = i8254_toggle(chips->pit, 1)};
    status = pc_speaker_create(&host, &speaker, &chips->speaker);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, pc_speaker_device(chips->speaker));

    const struct mc146818_config rtc = {.start_seconds = (int64_t)config->rtc_epoch,
                                        .irq = machine_isa_irq(machine, IRQ_CLOCK)};
    status = mc146818_create(&host, &rtc, &chips->rtc);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, mc146818_device(chips->rtc));

    status = i8237_pair_create(&host, &(struct i8237_config){0}, &chips->dma);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, i8237_pair_device(chips->dma));
    return status_ok();
}

/* The keyboard controller with its two devices, and port 92h beside it. */
static struct status create_input_chips(struct machine *machine)
{
    struct machine_chips *chips = &machine->chips;
    struct device_host host = machine_device_host(machine);
    const struct i8042_config controller = {.keyboard_irq = machine_isa_irq(machine, IRQ_KEYBOARD),
                                            .mouse_irq = machine_isa_irq(machine, IRQ_MOUSE),
                                            .a20 = a20_gate(machine, A20_KEYBOARD),
                                            .cpu_reset = reset_line(machine, RESET_BY_KEYBOARD)};
    struct status status = i8042_create(&host, &controller, &chips->keyboard_controller);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, i8042_device(chips->keyboard_controller));

    struct irq_line request = i8042_keyboard_request(chips->keyboard_controller);
    status = ps2_keyboard_create(&host, &request, &chips->keyboard);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, ps2_keyboard_device(chips->keyboard));
    i8042_plug_keyboard(chips->keyboard_controller, ps2_keyboard_link(chips->keyboard));

    request = i8042_mouse_request(chips->keyboard_controller);
    status = ps2_mouse_create(&host, &request, &chips->mouse);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, ps2_mouse_device(chips->mouse));
    i8042_plug_mouse(chips->keyboard_controller, ps2_mouse_link(chips->mouse));

    const struct port92_config port92 = {.a20 = a20_gate(machine, A20_PORT92),
                                         .cpu_reset = reset_line(machine, RESET_BY_PORT92)};
    status = port92_create(&host, &port92, &chips->port92);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, port92_device(chips->port92));
    return status_ok();
}

/* PCI, its host bridge and the bridge to ISA. */
static struct status create_chipset(struct machine *machine)
{
    struct machine_chips *chips = &machine->chips;
    struct device_host host = machine_device_host(machine);
    chips->pci = pci_bus_create(&host);
    if (chips->pci == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    const struct i440fx_config host_bridge = {.remap = remap_shadow,
                                              .opaque = machine,
                                              .cpu_reset = reset_line(machine, RESET_BY_CF9),
                                              .system_reset = reset_line(machine, RESET_BY_CF9_HARD)};
    struct status status = i440fx_create(&host, chips->pci, &host_bridge, &chips->host_bridge);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, i440fx_device(chips->host_bridge));

    struct piix3_config isa_bridge;
    for (unsigned i = 0; i < ARRAY_COUNT(isa_bridge.isa_irq); i++) {
        isa_bridge.isa_irq[i] = machine_isa_irq(machine, i);
    }
    status = piix3_create(chips->pci, &isa_bridge, &chips->isa_bridge);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, piix3_device(chips->isa_bridge));
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        pci_bus_connect_pirq(chips->pci, i, piix3_pirq(chips->isa_bridge, i));
    }
    return status_ok();
}

/* ---- switching off */

static void power_off_by_acpi(void *opaque)
{
    machine_request_power_off(opaque, "the guest switched it off");
}

static void exit_by_port(void *opaque, uint32_t value)
{
    struct machine *machine = opaque;
    machine->exit_status = (int)((value << 1 | 1) & 0xFF);
    machine_request_power_off(machine, "the guest wrote to the debug exit port");
}

static struct status create_power_chips(struct machine *machine, const struct machine_config *config)
{
    struct machine_chips *chips = &machine->chips;
    struct device_host host = machine_device_host(machine);
    const struct piix4_pm_config pm = {.slot = PM_SLOT,
                                       .function = PM_FUNCTION,
                                       .sci = piix3_sci(chips->isa_bridge),
                                       .power_off = power_off_by_acpi,
                                       .opaque = machine,
                                       .has_serial = {true, true}};
    struct status status = piix4_pm_create(&host, chips->pci, &pm, &chips->pm);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, piix4_pm_device(chips->pm));
    if (config->debug_exit.length == 0) {
        return status_ok();
    }
    const struct isa_debug_exit_config debug_exit = {.base = config->debug_exit.base,
                                                     .length = config->debug_exit.length,
                                                     .exit = exit_by_port,
                                                     .opaque = machine};
    status = isa_debug_exit_create(&host, &debug_exit, &chips->debug_exit);
    if (status_is_ok(&status)) {
        machine_add_device(machine, isa_debug_exit_device(chips->debug_exit));
    }
    return status;
}

/* ---- memory */

static uint64_t address_space(const struct machine *machine)
{
    unsigned bits = machine->cpu.model->address_bits;
    return (uint64_t)1 << (bits < 32 ? bits : 32);
}

static void map_memory(struct machine *machine)
{
    const struct firmware *system = &machine->system_rom;
    const struct firmware *vga = &machine->vga_rom;
    uint64_t top = address_space(machine);
    memory_bus_map_ram(
        machine->memory, 0,
        memory_bus_ram_size(machine->memory) < top ? memory_bus_ram_size(machine->memory) : top, 0);
    if (top > MIB) {
        memory_bus_map_rom(machine->memory, top - system->size, system->size, system->bytes);
    }
    size_t visible = system->size < 128 * KIB ? system->size : 128 * KIB;
    memset(machine->shadow_rom, 0xFF, sizeof machine->shadow_rom);
    memcpy(machine->shadow_rom, vga->bytes, vga->size);
    memcpy(machine->shadow_rom + SHADOW_SIZE - visible, system->bytes + system->size - visible, visible);
    remap_shadow(machine, SHADOW_BASE, SHADOW_SIZE, false, false);
}

static struct status load_firmware(struct machine *machine, const struct machine_config *config)
{
    struct status status = firmware_load_system(config->bios, &machine->system_rom);
    return status_is_ok(&status) ? firmware_load_vga(config->vga_bios, &machine->vga_rom) : status;
}

/* ---- all of it */

struct status machine_pc_create(struct machine *machine, const struct machine_config *config)
{
    machine_input_create(machine);
    struct status status = load_firmware(machine, config);
    if (status_is_ok(&status)) {
        map_memory(machine);
        status = machine_interrupts_create(machine);
    }
    if (status_is_ok(&status)) {
        status = create_core_chips(machine, config);
    }
    if (status_is_ok(&status)) {
        status = create_input_chips(machine);
    }
    if (status_is_ok(&status)) {
        status = create_chipset(machine);
    }
    if (status_is_ok(&status)) {
        status = machine_vga_create(machine);
    }
    if (status_is_ok(&status)) {
        status = machine_serial_create(machine, config);
    }
    if (status_is_ok(&status)) {
        status = machine_floppy_create(machine, config);
    }
    if (status_is_ok(&status)) {
        status = machine_ide_create(machine, config);
    }
    if (status_is_ok(&status)) {
        status = create_power_chips(machine, config);
    }
    if (status_is_ok(&status)) {
        status = claim_board_ports(machine);
    }
    return status_is_ok(&status) ? machine_describe_to_firmware(machine, config) : status;
}

void machine_pc_reset(struct machine *machine)
{
    machine->a20_port92 = false;
    machine->shutdown_letters = 0;
    pci_function_reset(&machine->vga_function);
    for (size_t i = 0; i < machine->device_count; i++) {
        machine->devices[i]->class->reset(machine->devices[i]);
    }
}

void machine_pc_destroy(struct machine *machine)
{
    machine_serial_disconnect(machine);
    machine_vga_destroy(machine);
    while (machine->device_count > 0) {
        struct device *device = machine->devices[--machine->device_count];
        device->class->destroy(device);
    }
    if (machine->chips.pci != NULL) {
        pci_bus_destroy(machine->chips.pci);
    }
    firmware_release(&machine->system_rom);
    firmware_release(&machine->vga_rom);
}
