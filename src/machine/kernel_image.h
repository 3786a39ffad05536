/* What a kernel file is, and where its parts go: pure functions of its bytes.
 *
 * Two kinds are known: Linux (Documentation/arch/x86/boot.rst: "HdrS" at 202h, protocol 2.00 and later,
 * zImage and bzImage) and Multiboot 0.6.96 (ELF32, or any file with the address fields of flag 16, the "a.out
 * kludge").
 *
 * No byte of the file is trusted: what is accepted lies inside the file and inside RAM.
 *
 * NOT IMPLEMENTED: Linux before protocol 2.00, its 32- and 64-bit entry points; multiboot 2, symbols (section
 * headers) and graphics modes (a kernel that asks for one is told about the text screen). */
#ifndef DOPPEL_MACHINE_KERNEL_IMAGE_H
#define DOPPEL_MACHINE_KERNEL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum kernel_protocol { KERNEL_LINUX = 1, KERNEL_MULTIBOOT = 2 };

#define KERNEL_LOADS_MAX 32

/* Bytes of the kernel file, cleared memory behind them. */
struct kernel_load {
    uint32_t offset; /* in the file */
    uint32_t size;
    uint32_t address; /* physical */
    uint32_t zeros;
};

struct kernel_image {
    enum kernel_protocol protocol;
    uint32_t entry;      /* Linux: where the setup is loaded; multiboot: EIP */
    uint32_t kernel_end; /* behind everything it occupies while it starts */
    /* Linux: the setup and the kernel proper; multiboot: segments */
    struct kernel_load loads[KERNEL_LOADS_MAX];
    unsigned load_count;

    /* Linux only */
    uint16_t version;          /* of the boot protocol: 020Fh is 2.15 */
    uint32_t initrd_max;       /* highest address of the RAM disk's last byte */
    uint32_t command_line_max; /* bytes without the terminating 0 */
};

/* Recognizes a kernel of `size` bytes. `name` is for messages; `ram_size` is what the machine has. Errors:
 * not a kernel, damaged, unsupported, or larger than the memory. */
struct status kernel_image_parse(const uint8_t *bytes, size_t size, const char *name, uint64_t ram_size,
                                 struct kernel_image *image) STATUS_MUST_CHECK;

/* What the loader tells a Linux kernel. */
struct kernel_linux_start {
    uint32_t command_line; /* physical address */
    uint16_t stack;        /* SP in the setup's segment */
};

/* Fills in the header of a Linux kernel's setup, which `setup` is a copy of (loads[0].size bytes): loader,
 * heap, command line, video mode (vga= in the command line), the RAM disk's size. Its address is filled in
 * when it is known. */
struct kernel_linux_start kernel_image_prepare_setup(const struct kernel_image *image, uint8_t *setup,
                                                     const char *command_line, uint32_t initrd_size);

#endif
