/* The display adapter: an IBM VGA with the Bochs VBE extension (DISPI) and a linear framebuffer.
 *
 * Why one device: DISPI modes share the VGA's memory, DAC and CPU window, and the guest may go back and forth
 * at any time.
 *
 * Facts follow the IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (1992), and the Bochs
 * "VBE DISPI interface" description. Ports: 3B4h/3B5h/3BAh or 3D4h/3D5h/3DAh (by the misc output register),
 * 3C0h-3CFh, 1CEh-1D1h. Memory: A0000h-BFFFFh, the linear framebuffer where vga_set_lfb_base() puts it, and
 * the register window of vga_set_mmio_base().
 *
 * Stores to the linear framebuffer go straight to memory. What of it is shown is watched by the bus between
 * one drawing and the first store behind it, 64 KiB at a time.
 *
 * The picture is drawn on request from the registers as they are then. What the hardware latches once per
 * frame (the start address) is latched at the vertical retrace of the programmed timing; status bits,
 * blinking and the vertical interrupt follow the same timing on the event clock.
 *
 * NOT IMPLEMENTED
 * - Raster effects: registers changed while a frame is scanned apply to the whole picture.
 * - Shift load (sequencer register 1 bits 2 and 4), the odd/even page bit of misc output, 64 KiB memory
 * configurations (sequencer register 4 bit 1 only switches the second font), interlace, the light pen.
 * - Horizontal blanking that wraps into the next line, vertical blanking that wraps into the next frame.
 * - The diagnostic bits of input status 1 show the border colour only; the monitor sense bit always reads 1.
 * - A double-scanned or repeated line is one row of the picture: effects that begin between the repetitions
 * (panning by preset row scan, line compare) are rounded to the row. */
#ifndef DOPPEL_DEVICES_VGA_H
#define DOPPEL_DEVICES_VGA_H

#include "devices/device.h"
#include "ui/display.h"

/* PCI identity, for whoever puts the adapter on a bus. BAR 0 is the prefetchable framebuffer of
 * vga_lfb_size() bytes, BAR 2 the register window, both memory BARs; the expansion ROM holds the VGA BIOS. */
#define VGA_PCI_VENDOR_ID 0x1234u
#define VGA_PCI_DEVICE_ID 0x1111u
#define VGA_PCI_CLASS     0x030000u /* display, VGA compatible */
#define VGA_PCI_REVISION  0x02u     /* from 2 on the register window exists */
#define VGA_MMIO_SIZE     0x1000u

#define VGA_DEFAULT_VRAM (16 * MIB)
#define VGA_MIN_VRAM     (256 * KIB)
#define VGA_MAX_VRAM     (256 * MIB)

#define VGA_UNMAPPED UINT64_MAX

struct vga;

struct vga_config {
    uint8_t *vram;      /* zeroes, page-aligned, borrowed; NULL: memory of the adapter's own */
    uint64_t vram_size; /* a power of two, VGA_MIN_VRAM..VGA_MAX_VRAM; 0: VGA_DEFAULT_VRAM */
    struct irq_line vertical_interrupt; /* IRQ 2 (9) on a PC */
    bool show_border;                   /* pictures of standard modes include the overscan border */
};

/* Claims ports and A0000h-BFFFFh. Errors: bad memory size, ports or memory taken, out of memory. */
struct status vga_create(const struct device_host *host, const struct vga_config *config,
                         struct vga **vga) STATUS_MUST_CHECK;

struct device *vga_device(struct vga *vga);

/* Where front ends get the picture. A frame that was drawn by this source and not changed since is updated,
 * not redrawn. Text cells and the text cursor are reported without their blinking. */
struct display_source vga_display(struct vga *vga);

/* Bytes of display memory: the length of the linear framebuffer. */
uint64_t vga_lfb_size(const struct vga *vga);

/* Moves the linear framebuffer to physical address `phys` (a multiple of 4 KiB; VGA_UNMAPPED: nowhere). On
 * error (the range is taken or beyond the address space) it is nowhere. */
struct status vga_set_lfb_base(struct vga *vga, uint64_t phys) STATUS_MUST_CHECK;

/* The same for the register window: ports 3C0h-3DFh at offsets 400h-41Fh, DISPI registers as words from 500h
 * on. */
struct status vga_set_mmio_base(struct vga *vga, uint64_t phys) STATUS_MUST_CHECK;

#endif
