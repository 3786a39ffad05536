/* What firmware reads about the machine: CMOS memory (AT Technical Reference, "Real-time clock/CMOS RAM
 * information"; the bytes above 30h as SeaBIOS and Bochs use them) and fw_cfg. */
#include "devices/floppy.h"
#include "devices/fw_cfg.h"
#include "devices/mc146818.h"
#include "machine/machine_internal.h"

#define CMOS_FLOPPY_TYPES   0x10
#define CMOS_EQUIPMENT      0x14
#define CMOS_BASE_MEMORY    0x15 /* KiB, two bytes */
#define CMOS_EXTENDED       0x17 /* KiB above 1 MiB, two bytes; again at 30h */
#define CMOS_EXTENDED_AGAIN 0x30
#define CMOS_ABOVE_16M      0x34 /* 64 KiB units, two bytes */

#define EQUIPMENT_FLOPPIES 0x01
#define EQUIPMENT_X87      0x02
#define EQUIPMENT_MOUSE    0x04
#define EQUIPMENT_TWO      0x40 /* two drives */

#define E820_RAM 1

static void set_cmos_word(struct mc146818 *rtc, uint8_t index, uint64_t value)
{
    uint64_t limited = value > 0xFFFF ? 0xFFFF : value;
    mc146818_set_cmos(rtc, index, (uint8_t)limited);
    mc146818_set_cmos(rtc, (uint8_t)(index + 1), (uint8_t)(limited >> 8));
}

static void set_memory_sizes(struct mc146818 *rtc, uint64_t ram_size)
{
    uint64_t above_1m = (ram_size - MIB) / KIB;
    set_cmos_word(rtc, CMOS_BASE_MEMORY, 640);
    set_cmos_word(rtc, CMOS_EXTENDED, above_1m);
    set_cmos_word(rtc, CMOS_EXTENDED_AGAIN, above_1m);
    set_cmos_word(rtc, CMOS_ABOVE_16M, ram_size > 16 * MIB ? (ram_size - 16 * MIB) / (64 * KIB) : 0);
}

static void set_equipment(struct machine *machine)
{
    struct mc146818 *rtc = machine->chips.rtc;
    enum floppy_drive_type a = floppy_type(machine->chips.floppy, 0);
    enum floppy_drive_type b = floppy_type(machine->chips.floppy, 1);
    uint8_t equipment = EQUIPMENT_FLOPPIES | EQUIPMENT_MOUSE;
    if (cpu_model_has(machine->cpu.model, FEATURE_FPU)) {
        equipment |= EQUIPMENT_X87;
    }
    if (b != FLOPPY_DRIVE_NONE) {
        equipment |= EQUIPMENT_TWO;
    }
    mc146818_set_cmos(rtc, CMOS_FLOPPY_TYPES, (uint8_t)((unsigned)a << 4 | (unsigned)b));
    mc146818_set_cmos(rtc, CMOS_EQUIPMENT, equipment);
}

static struct status add_firmware_items(struct machine *machine)
{
    struct fw_cfg *fw_cfg = machine->chips.fw_cfg;
    uint64_t ram_size = memory_bus_ram_size(machine->memory);
    uint8_t map[20]; /* one entry: base, length, type */
    store_le64(map, 0);
    store_le64(map + 8, ram_size);
    store_le32(map + 16, E820_RAM);
    struct status status = fw_cfg_add_number(fw_cfg, FW_CFG_RAM_SIZE, ram_size, 8);
    if (status_is_ok(&status)) {
        status = fw_cfg_add_number(fw_cfg, FW_CFG_CPU_COUNT, 1, 2);
    }
    if (status_is_ok(&status)) {
        status = fw_cfg_add_number(fw_cfg, FW_CFG_MAX_CPUS, 1, 2);
    }
    if (status_is_ok(&status)) {
        status = fw_cfg_add_file(fw_cfg, "etc/e820", map, sizeof map);
    }
    /* Byte n: sleep state n, bit 7: there is such a one. S0 and S5. */
    static const uint8_t states[6] = {0x80, 0, 0, 0, 0, 0x80};
    return status_is_ok(&status) ? fw_cfg_add_file(fw_cfg, "etc/system-states", states, sizeof states)
                                 : status;
}

struct status machine_describe_to_firmware(struct machine *machine, const struct machine_config *config)
{
    struct device_host host = machine_device_host(machine);
    struct status status = fw_cfg_create(&host, &machine->chips.fw_cfg);
    if (!status_is_ok(&status)) {
        return status;
    }
    machine_add_device(machine, fw_cfg_device(machine->chips.fw_cfg));
    set_memory_sizes(machine->chips.rtc, memory_bus_ram_size(machine->memory));
    set_equipment(machine);
    status = machine_ide_describe_to_firmware(machine);
    if (status_is_ok(&status)) {
        status = add_firmware_items(machine);
    }
    if (status_is_ok(&status)) {
        status = machine_interrupts_describe_to_firmware(machine);
    }
    if (status_is_ok(&status)) {
        status = machine_boot_create(machine, config);
    }
    if (status_is_ok(&status)) {
        status = kernel_loader_install(machine->chips.fw_cfg, &config->kernel,
                                       memory_bus_ram_size(machine->memory));
    }
    mc146818_update_checksum(machine->chips.rtc);
    return status;
}
