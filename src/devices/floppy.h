/* The floppy disk controller of a PC (Intel 82077AA, AT mode) and its drives.
 *
 * Ports base+0..5 and base+7 (base+6 belongs to the IDE channel). Up to four drives; a PC has two. */
#ifndef DOPPEL_DEVICES_FLOPPY_H
#define DOPPEL_DEVICES_FLOPPY_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/dma_line.h"
#include "devices/device.h"
#include "storage/block_device.h"
#include "storage/floppy_geometry.h"

#define FLOPPY_DRIVES 4u

struct floppy_config {
    uint16_t base;                                /* 3F0h, or 370h for a second controller */
    struct irq_line irq;                          /* IRQ 6 */
    struct dma_line dma;                          /* channel 2 */
    enum floppy_drive_type drives[FLOPPY_DRIVES]; /* FLOPPY_DRIVE_NONE: no such drive */
};

/* Claims the ports and creates the controller with empty drives, in its hardware reset state. Fails when a
 * port is taken or memory runs out; then *device is NULL. */
struct status floppy_create(const struct device_host *host, const struct floppy_config *config,
                            struct device **device) STATUS_MUST_CHECK;

/* Puts a disk into drive 0..3, in place of what is there. On success the drive owns `image` and closes it
 * when the disk goes; on failure (no such drive, a 5.25" disk in a 3.5" drive, a geometry larger than the
 * image) nothing changes. The disk is write-protected if `write_protected` says so or the image is read-only.
 * The guest sees the disk change line. */
struct status floppy_insert(struct device *device, unsigned drive, struct block_device *image,
                            const struct floppy_geometry *geometry, bool write_protected) STATUS_MUST_CHECK;

/* Takes the disk out and closes its image; an empty or absent drive stays as it is. */
void floppy_eject(struct device *device, unsigned drive);

/* Moves the tab of the disk in the drive; a read-only image stays protected. Without a disk nothing happens.
 */
void floppy_set_write_protect(struct device *device, unsigned drive, bool write_protected);

/* The image in the drive (owned by the drive), NULL when there is none. */
struct block_device *floppy_image(const struct device *device, unsigned drive);

enum floppy_drive_type floppy_type(const struct device *device, unsigned drive);

#endif
