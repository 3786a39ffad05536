/* QEMU's firmware configuration device: how SeaBIOS learns about the machine and gets files (QEMU's
 * docs/specs/fw_cfg).
 *
 * Ports: 510h selector (16-bit write), 511h data (bytes, read in sequence), 514h-51Bh DMA address
 * (big-endian). An item that does not exist, and every item past its end, reads as zeros.
 *
 * Always present: signature (key 0), interface version with DMA (key 1), file directory (key 19h).
 *
 * A DMA transfer that asks for more than 1 MiB beyond the end of its item is refused with the error bit, so
 * that no guest can keep the machine busy with zeros.
 *
 * NOT IMPLEMENTED: writing to items (the error bit, as for any read-only item). */
#ifndef DOPPEL_DEVICES_FW_CFG_H
#define DOPPEL_DEVICES_FW_CFG_H

#include "devices/device.h"

#define FW_CFG_RAM_SIZE             0x03 /* 8 bytes */
#define FW_CFG_NOGRAPHIC            0x04 /* 2 bytes */
#define FW_CFG_CPU_COUNT            0x05 /* 2 bytes */
#define FW_CFG_KERNEL_ADDRESS       0x07 /* 4 bytes, as all addresses and sizes up to 18h */
#define FW_CFG_KERNEL_SIZE          0x08
#define FW_CFG_INITRD_SIZE          0x0b
#define FW_CFG_NUMA                 0x0d /* 8-byte numbers; the first is the count of nodes */
#define FW_CFG_BOOT_MENU            0x0e /* 2 bytes */
#define FW_CFG_MAX_CPUS             0x0f /* 2 bytes */
#define FW_CFG_KERNEL_ENTRY         0x10
#define FW_CFG_KERNEL_DATA          0x11
#define FW_CFG_INITRD_DATA          0x12
#define FW_CFG_COMMAND_LINE_ADDRESS 0x13
#define FW_CFG_COMMAND_LINE_SIZE    0x14
#define FW_CFG_COMMAND_LINE_DATA    0x15
#define FW_CFG_SETUP_ADDRESS        0x16
#define FW_CFG_SETUP_SIZE           0x17
#define FW_CFG_SETUP_DATA           0x18
#define FW_CFG_ACPI_TABLES          0x8000
#define FW_CFG_SMBIOS               0x8001
#define FW_CFG_IRQ0_OVERRIDE        0x8002
#define FW_CFG_E820                 0x8003

#define FW_CFG_NAME_MAX 55 /* longest file name, in bytes */

struct fw_cfg;

/* Errors: ports taken, out of memory. */
struct status fw_cfg_create(const struct device_host *host, struct fw_cfg **config) STATUS_MUST_CHECK;

struct device *fw_cfg_device(struct fw_cfg *config);

/* Sets item `key` to a copy of `length` bytes, replacing what it was. Errors: out of memory; all items are
 * taken. */
struct status fw_cfg_add_bytes(struct fw_cfg *config, uint16_t key, const void *bytes,
                               size_t length) STATUS_MUST_CHECK;

/* The same with a little-endian number of 2, 4 or 8 bytes. */
struct status fw_cfg_add_number(struct fw_cfg *config, uint16_t key, uint64_t value,
                                unsigned width) STATUS_MUST_CHECK;

/* Adds a file ("bootorder", "etc/e820", "vgaroms/vgabios.bin") to the directory, or replaces it. Errors also:
 * the name is empty or too long. */
struct status fw_cfg_add_file(struct fw_cfg *config, const char *name, const void *bytes,
                              size_t length) STATUS_MUST_CHECK;

/* CRC-32 of all items: two machines with the same were set up alike. */
uint32_t fw_cfg_crc(const struct fw_cfg *config);

#endif
