/* What the firmware boots from: -boot and bootindex=.
 *
 * Told twice: the three first kinds of device in CMOS memory (3Dh and 38h, as SeaBIOS and the Bochs BIOS read
 * them), and every drive by its name in the fw_cfg file "bootorder", which SeaBIOS prefers. The names are
 * those of IEEE 1275 paths as QEMU forms them. Drives with a bootindex come first, then those of the letters'
 * kinds; a kernel (-kernel) comes before all of them.
 *
 * `once` holds until the machine is reset.
 *
 * NOT IMPLEMENTED: a picture behind the boot menu. */
#include <stdio.h>
#include <string.h>

#include "devices/floppy.h"
#include "devices/fw_cfg.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "machine/machine_history.h"
#include "machine/machine_internal.h"

#define CMOS_BOOT_THIRD 0x38 /* third boot device in the high half */
#define CMOS_BOOT_FIRST 0x3D /* first in the low half, second in the high half */

#define MENU_WAIT_ITEM "etc/boot-menu-wait" /* ms, 2 bytes */
#define FAIL_WAIT_ITEM "etc/boot-fail-wait" /* ms, 4 bytes; all ones: never */

static const char boot_letters[] = "acdn";  /* CMOS codes 1 to 4 */
static const char later_letters[] = "cdan"; /* the order of those that were not asked for */

/* Lines, each the path of a device. */
struct boot_list {
    char text[1024];
    size_t length;
};

static void add_line(struct boot_list *list, const char *path)
{
    int length = snprintf(list->text + list->length, sizeof list->text - list->length, "%s\n", path);
    list->length += (size_t)length;
}

static void add_path(struct boot_list *list, const char *path)
{
    size_t length = strlen(path);
    for (const char *line = list->text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, path, length) == 0 && line[length] == '\n') {
            return;
        }
    }
    add_line(list, path);
}

static void add_floppy(struct boot_list *list, unsigned drive)
{
    char path[64];
    snprintf(path, sizeof path, "/pci@i0cf8/isa@1/fdc@03f0/floppy@%x", drive);
    add_path(list, path);
}

void machine_boot_ide_path(unsigned drive, char path[MACHINE_BOOT_PATH_MAX])
{
    snprintf(path, MACHINE_BOOT_PATH_MAX, "/pci@i0cf8/ide@1,1/drive@%x/disk@%x", drive / IDE_CHANNEL_DRIVES,
             drive % IDE_CHANNEL_DRIVES);
}

static void add_ide(struct boot_list *list, unsigned drive)
{
    char path[MACHINE_BOOT_PATH_MAX];
    machine_boot_ide_path(drive, path);
    add_path(list, path);
}

static void add_ide_kind(const struct machine *machine, struct boot_list *list, enum ide_kind kind)
{
    for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES; drive++) {
        if (ide_drive_kind(machine->chips.ide, drive / IDE_CHANNEL_DRIVES, drive % IDE_CHANNEL_DRIVES) ==
            kind) {
            add_ide(list, drive);
        }
    }
}

static void add_letter(const struct machine *machine, struct boot_list *list, char letter)
{
    switch (letter) {
    case 'a':
        for (unsigned drive = 0; drive < MACHINE_FLOPPIES; drive++) {
            if (floppy_type(machine->chips.floppy, drive) != FLOPPY_DRIVE_NONE) {
                add_floppy(list, drive);
            }
        }
        break;
    case 'c': add_ide_kind(machine, list, IDE_DISK); break;
    case 'd': add_ide_kind(machine, list, IDE_CDROM); break;
    default: break; /* no network card with a ROM of its own */
    }
}

/* Drives by their bootindex, smallest first. */
static void add_indexed(const struct machine *machine, struct boot_list *list)
{
    const struct machine_boot *boot = &machine->boot;
    for (unsigned place = 1; place <= MACHINE_BOOT_INDEX_MAX + 1; place++) {
        for (unsigned drive = 0; drive < MACHINE_FLOPPIES; drive++) {
            if (boot->floppy_place[drive] == place) {
                add_floppy(list, drive);
            }
        }
        for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES; drive++) {
            if (boot->ide_place[drive] == place) {
                add_ide(list, drive);
            }
        }
    }
}

/* The letters asked for, then the others. */
static void complete_order(const char *asked, char order[sizeof boot_letters])
{
    snprintf(order, sizeof boot_letters, "%s", asked);
    for (const char *letter = later_letters; *letter != '\0'; letter++) {
        if (strchr(order, *letter) == NULL) {
            size_t length = strlen(order);
            order[length] = *letter;
            order[length + 1] = '\0';
        }
    }
}

static void set_cmos(struct mc146818 *rtc, const char *order)
{
    uint8_t code[3];
    for (size_t i = 0; i < ARRAY_COUNT(code); i++) {
        code[i] = (uint8_t)(strchr(boot_letters, order[i]) - boot_letters + 1);
    }
    mc146818_set_cmos(rtc, CMOS_BOOT_FIRST, (uint8_t)(code[1] << 4 | code[0]));
    mc146818_set_cmos(rtc, CMOS_BOOT_THIRD, (uint8_t)(code[2] << 4));
}

static struct status set_order(struct machine *machine, const char *asked)
{
    struct boot_list list = {.text = ""};
    if (machine->boot.kernel) {
        add_path(&list, KERNEL_LOADER_BOOT_PATH);
    }
    add_indexed(machine, &list);
    char order[sizeof boot_letters];
    complete_order(asked, order);
    for (const char *letter = machine->boot.strict ? asked : order; *letter != '\0'; letter++) {
        add_letter(machine, &list, *letter);
    }
    if (machine->boot.strict) {
        add_line(&list, "HALT");
    }
    set_cmos(machine->chips.rtc, order);
    /* The file ends with a null character, which is part of it. */
    return fw_cfg_add_file(machine->chips.fw_cfg, "bootorder", list.text, list.length + 1);
}

struct status machine_boot_create(struct machine *machine, const struct machine_config *config)
{
    struct machine_boot *boot = &machine->boot;
    const char *usual = config->floppy[0].path != NULL ? "a" : "c";
    snprintf(boot->order, sizeof boot->order, "%s", config->boot.order != NULL ? config->boot.order : usual);
    boot->strict = config->boot.strict;
    boot->kernel = config->kernel.path != NULL;
    boot->once = config->boot.once != NULL;
    for (unsigned drive = 0; drive < MACHINE_FLOPPIES; drive++) {
        boot->floppy_place[drive] = config->floppy[drive].boot_place;
    }
    for (unsigned drive = 0; drive < MACHINE_IDE_DRIVES; drive++) {
        boot->ide_place[drive] = config->ide[drive].boot_place;
    }
    struct fw_cfg *fw_cfg = machine->chips.fw_cfg;
    struct status status = set_order(machine, boot->once ? config->boot.once : boot->order);
    if (status_is_ok(&status)) {
        status = fw_cfg_add_number(fw_cfg, FW_CFG_BOOT_MENU, config->boot.menu, 2);
    }
    uint8_t number[4];
    if (status_is_ok(&status) && config->boot.menu_wait_given) {
        store_le16(number, config->boot.menu_wait_ms);
        status = fw_cfg_add_file(fw_cfg, MENU_WAIT_ITEM, number, 2);
    }
    if (status_is_ok(&status) && config->boot.retry_given) {
        store_le32(number, config->boot.retry_ms);
        status = fw_cfg_add_file(fw_cfg, FAIL_WAIT_ITEM, number, 4);
    }
    return status;
}

void machine_boot_forget_once(struct machine *machine)
{
    if (!machine->boot.once) {
        return;
    }
    machine->boot.once = false;
    machine_history_forget(machine); /* the firmware's items are no part of it */
    struct status status = set_order(machine, machine->boot.order);
    if (!status_is_ok(&status)) {
        log_printf(&machine->log, LOG_RESET, "the boot order stays: %s", status.message);
    }
}
