/* -kernel, -initrd and -append: a kernel is started without a boot disk.
 *
 * The firmware runs first, as on every start, and finds an option ROM (roms/kernel-loader) that is a boot
 * device; the boot order (machine_boot.c) puts it first. The ROM fetches everything by fw_cfg and follows a
 * plan that is made here: the items of QEMU's numbers (setup, kernel, initrd, command line and their
 * addresses and sizes) and the file "doppel/kernel-plan", whose layout is in roms/kernel-loader/plan.h.
 *
 * The firmware has to be SeaBIOS, or another one that runs "genroms/" of fw_cfg. */
#ifndef DOPPEL_MACHINE_KERNEL_LOADER_H
#define DOPPEL_MACHINE_KERNEL_LOADER_H

#include <stdint.h>

#include "base/status.h"

struct fw_cfg;

/* The option ROM's name in the boot order. */
#define KERNEL_LOADER_BOOT_PATH "/rom@genroms/kernel-loader.bin"

struct machine_kernel_config {
    const char *path;   /* NULL: boot from disks */
    const char *initrd; /* NULL: none. Multiboot: "FILE ARGUMENTS,FILE ARGUMENTS"; two commas stand for one */
    const char *command_line; /* NULL: empty */
};

/* Whether the fields go together. Files are not looked at. */
struct status kernel_loader_check(const struct machine_kernel_config *config) STATUS_MUST_CHECK;

/* Reads the files and gives them to the firmware; nothing when there is no kernel. `ram_size` in bytes.
 * Errors: files that cannot be read or are no kernels, things that do not fit into memory. */
struct status kernel_loader_install(struct fw_cfg *fw_cfg, const struct machine_kernel_config *config,
                                    uint64_t ram_size) STATUS_MUST_CHECK;

#endif
