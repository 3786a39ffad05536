/* The linear framebuffer: display memory as the CPU reaches it without the adapter, and how its contents are
 * known to have changed all the same.
 *
 * The picture's part of it is watched (bus/memory_bus.h) when it has been drawn. The first store to a unit of
 * it makes the whole unit open for stores until the next drawing. Planar DISPI modes, in which the pixels of
 * a line are all over the memory, are always drawn. */
#include <string.h>

#include "devices/vga_internal.h"

static void unit_stored(void *opaque, uint64_t offset)
{
    struct vga *vga = opaque;
    uint64_t unit = offset / VGA_LFB_UNIT;
    vga->open_units[unit / 64] |= (uint64_t)1 << (unit % 64);
    vga->dirty = true;
    memory_bus_unwatch(vga->host.memory, vga->lfb_base + unit * VGA_LFB_UNIT, VGA_LFB_UNIT);
}

void vga_lfb_unmap(struct vga *vga)
{
    if (vga->lfb_base != VGA_UNMAPPED) {
        memory_bus_unmap_device_memory(vga->host.memory, vga->lfb_base, vga->vram_size);
        vga->lfb_base = VGA_UNMAPPED;
    }
}

struct status vga_set_lfb_base(struct vga *vga, uint64_t phys)
{
    if (phys == vga->lfb_base) {
        return status_ok();
    }
    vga_lfb_unmap(vga);
    if (phys == VGA_UNMAPPED) {
        return status_ok();
    }
    const struct memory_watcher watcher = {.stored = unit_stored, .opaque = vga};
    struct status status = memory_bus_map_device_memory(vga->host.memory, "vga-framebuffer", phys,
                                                        vga->vram_size, vga->vram, &watcher);
    if (status_is_ok(&status)) {
        vga->lfb_base = phys;
        memset(vga->open_units, 0xff, sizeof vga->open_units);
    }
    return status;
}

/* The units that a picture shows, from *first to below *end. */
static void shown_units(const struct vga *vga, const struct vga_picture *picture, uint64_t *first,
                        uint64_t *end)
{
    uint64_t start = (uint64_t)vga->dispi.reg[DISPI_Y_OFFSET] * vga->dispi.pitch;
    uint64_t stop = start + ((uint64_t)picture->height + 1) * vga->dispi.pitch;
    stop = stop < vga->vram_size ? stop : vga->vram_size;
    *first = start / VGA_LFB_UNIT;
    *end = (stop + VGA_LFB_UNIT - 1) / VGA_LFB_UNIT;
}

static bool unit_is_open(const struct vga *vga, uint64_t unit)
{
    return vga->open_units[unit / 64] >> (unit % 64) & 1;
}

bool vga_lfb_is_open(const struct vga *vga, const struct vga_picture *picture)
{
    uint64_t unit, end;
    if (picture->kind != PICTURE_DISPI || vga->lfb_base == VGA_UNMAPPED) {
        return false;
    }
    shown_units(vga, picture, &unit, &end);
    while (unit < end && !unit_is_open(vga, unit)) {
        unit++;
    }
    return vga_dispi_planar(vga) || unit < end;
}

void vga_lfb_watch(struct vga *vga, const struct vga_picture *picture)
{
    uint64_t unit, end;
    /* While A20 is off, half of it is out of reach for the bus. */
    if (picture->kind != PICTURE_DISPI || vga->lfb_base == VGA_UNMAPPED || vga_dispi_planar(vga) ||
        !memory_bus_a20(vga->host.memory)) {
        return;
    }
    shown_units(vga, picture, &unit, &end);
    while (unit < end) {
        uint64_t first = unit;
        for (; unit < end && unit_is_open(vga, unit); unit++) {
            vga->open_units[unit / 64] &= ~((uint64_t)1 << (unit % 64));
        }
        if (unit != first) {
            memory_bus_watch(vga->host.memory, vga->lfb_base + first * VGA_LFB_UNIT,
                             (unit - first) * VGA_LFB_UNIT);
        }
        unit++;
    }
}
