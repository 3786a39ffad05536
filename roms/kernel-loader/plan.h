/* The file "doppel/kernel-plan" in fw_cfg: what the machine (src/machine/kernel_loader.c writes it) has
 * decided after it has looked at the kernel. Everything else is decided here, where the BIOS's memory map is
 * known.
 *
 * Little-endian 32-bit numbers: struct plan, then struct plan_load for each part to load, then struct
 * plan_module for each module. */
#ifndef PLAN_H
#define PLAN_H

#include <stdint.h>

#define PLAN_MAGIC 0x314e4c50 /* "PLN1" */
#define PLAN_FILE  "doppel/kernel-plan"

enum plan_protocol { PLAN_LINUX = 1, PLAN_MULTIBOOT = 2 };

struct plan {
    uint32_t magic;
    uint32_t protocol;
    uint32_t entry;        /* Linux: the setup's address, of which CS:IP follow; multiboot: EIP */
    uint32_t stack;        /* Linux: SP */
    uint32_t kernel_end;   /* first address behind everything the kernel occupies before it knows better */
    uint32_t initrd_max;   /* highest address that the initial RAM disk's last byte may have */
    uint32_t initrd_size;  /* of the item: the RAM disk, or all modules, each padded to pages */
    uint32_t strings_size; /* multiboot: of the item: the command line, then the modules' */
    uint32_t load_count;
    uint32_t module_count;
};

struct plan_load {
    uint32_t key;    /* of the fw_cfg item */
    uint32_t offset; /* in the item */
    uint32_t size;
    uint32_t address; /* physical */
    uint32_t zeros;   /* bytes to clear behind it */
};

struct plan_module {
    uint32_t offset; /* in the initrd item */
    uint32_t size;
    uint32_t string; /* offset in the strings item */
};

#endif
