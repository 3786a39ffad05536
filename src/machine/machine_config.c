/* What a configuration may ask for; see machine.h. */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "machine/machine_internal.h"

#define RAM_MIN (1 * MIB)
#define RAM_MAX (3 * GIB)

static struct status check_boot_order(const char *order)
{
    static const char known[] = "a floppy, c disk, d CD-ROM, n network";
    if (order == NULL) {
        return status_ok();
    }
    if (order[0] == '\0') {
        return status_error(STATUS_INVALID_ARGUMENT, "the boot order is empty (%s)", known);
    }
    for (const char *at = order; *at != '\0'; at++) {
        if (strchr("acdn", *at) == NULL) {
            return status_error(STATUS_INVALID_ARGUMENT, "unknown boot device '%c' in \"%.16s\" (%s)", *at,
                                order, known);
        }
        if (strchr(at + 1, *at) != NULL) {
            return status_error(STATUS_INVALID_ARGUMENT, "boot device '%c' is named twice in \"%.16s\"", *at,
                                order);
        }
    }
    return status_ok();
}

/* No two drives may have the same bootindex. */
static struct status check_boot_places(const struct machine_config *config)
{
    bool taken[MACHINE_BOOT_INDEX_MAX + 2] = {false};
    for (unsigned i = 0; i < MACHINE_FLOPPIES + MACHINE_IDE_DRIVES; i++) {
        uint8_t place = i < MACHINE_FLOPPIES ? config->floppy[i].boot_place
                                             : config->ide[i - MACHINE_FLOPPIES].boot_place;
        if (place > MACHINE_BOOT_INDEX_MAX + 1) {
            return status_error(STATUS_INVALID_ARGUMENT, "bootindex %u is impossible: 0 to %d are",
                                place - 1u, MACHINE_BOOT_INDEX_MAX);
        }
        if (place > 0 && taken[place]) {
            return status_error(STATUS_INVALID_ARGUMENT, "two drives have bootindex %u", place - 1u);
        }
        taken[place] = true;
    }
    return status_ok();
}

struct status machine_config_model(const struct machine_config *config, struct cpu_model *model)
{
    return cpu_model_parse(config->cpu != NULL ? config->cpu : cpu_model_default_name, model);
}

struct status machine_config_check(const struct machine_config *config)
{
    if (config->ram_size < RAM_MIN || config->ram_size > RAM_MAX || config->ram_size % PAGE_SIZE != 0) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "memory size %llu KiB is impossible: 1 MiB to 3 GiB in steps of 4 KiB are",
                            (unsigned long long)(config->ram_size / KIB));
    }
    struct cpu_model model;
    struct status status = machine_config_model(config, &model);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (model.generation < CPU_80486 && config->bios == NULL) {
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "SeaBIOS needs an 80486 or later (BSWAP): give a ROM made for the %s with -bios FILE",
            model.name);
    }
    status = kernel_loader_check(&config->kernel);
    if (!status_is_ok(&status)) {
        return status;
    }
    status = check_boot_order(config->boot.order);
    if (status_is_ok(&status)) {
        status = check_boot_order(config->boot.once);
    }
    return status_is_ok(&status) ? check_boot_places(config) : status;
}
