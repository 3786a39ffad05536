/* Reading the firmware configuration device by DMA (QEMU's docs/specs/fw_cfg). */
#ifndef FW_CFG_H
#define FW_CFG_H

#include <stdbool.h>
#include <stdint.h>

#define FW_CFG_INITRD       0x12
#define FW_CFG_COMMAND_LINE 0x15

/* Key of the file `name`; 0: there is none. */
uint16_t fw_cfg_find(const char *name);

/* Copies `size` bytes from `offset` on of item `key` to physical address `address`. False: the device
 * refused. */
bool fw_cfg_read(uint16_t key, uint32_t offset, uint32_t address, uint32_t size);

#endif
