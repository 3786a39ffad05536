/* Finding and checking ROM images.
 *
 * SeaBIOS and its VGA BIOS come from the distribution's packages and are looked for in the directories of
 * $DOPPEL_ROMS (separated by colons), /usr/share/seabios and /usr/share/qemu, in this order. */
#ifndef DOPPEL_MACHINE_FIRMWARE_H
#define DOPPEL_MACHINE_FIRMWARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define FIRMWARE_PATH_MAX 1024

struct firmware {
    uint8_t *bytes; /* owned; NULL: nothing loaded */
    size_t size;
    char path[FIRMWARE_PATH_MAX];
};

/* Loads the system ROM: `path`, or SeaBIOS when it is NULL. 4 KiB to 1 MiB, a multiple of 4 KiB. */
struct status firmware_load_system(const char *path, struct firmware *firmware) STATUS_MUST_CHECK;

/* Loads the VGA BIOS: `path`, or SeaVGABIOS when it is NULL. An option ROM: begins with 55h AAh, at most 128
 * KiB. The size is rounded up to 4 KiB. */
struct status firmware_load_vga(const char *path, struct firmware *firmware) STATUS_MUST_CHECK;

/* A zeroed structure is allowed. */
void firmware_release(struct firmware *firmware);

#endif
