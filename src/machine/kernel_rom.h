/* The option ROM that starts kernels: roms/kernel-loader/kernel-loader.bin, made part of the program by the
 * build. */
#ifndef DOPPEL_MACHINE_KERNEL_ROM_H
#define DOPPEL_MACHINE_KERNEL_ROM_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t kernel_rom[];
extern const size_t kernel_rom_size;

#endif
