/* The adapter as a device: creation, reset, and where its memory lies; see vga.h. */
#include "devices/vga.h"

#include <stdlib.h>
#include <string.h>

#include "devices/vga_internal.h"

static struct vga *vga_of(struct device *device)
{
    return CONTAINER_OF(device, struct vga, device);
}

static void vga_reset(struct device *device)
{
    struct vga *vga = vga_of(device);
    vga_registers_reset(vga);
}

static void unmap_mmio(struct vga *vga)
{
    if (vga->mmio_base != VGA_UNMAPPED) {
        memory_bus_release(vga->host.memory, vga->mmio_base, vga);
        vga->mmio_base = VGA_UNMAPPED;
    }
}

static uint64_t read_upper_half(void *opaque, uint64_t offset, unsigned width)
{
    return vga_memory_read(opaque, VGA_WINDOW_HALF + offset, width);
}

static void write_upper_half(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    vga_memory_write(opaque, VGA_WINDOW_HALF + offset, width, value);
}

static struct status claim_half(struct vga *vga, unsigned half)
{
    struct io_region window = {
        .name = "vga-window",
        .base = VGA_WINDOW_BASE + half * VGA_WINDOW_HALF,
        .length = VGA_WINDOW_HALF,
        .max_width = 8,
        .read = half == 0 ? vga_memory_read : read_upper_half,
        .write = half == 0 ? vga_memory_write : write_upper_half,
        .opaque = vga,
    };
    return memory_bus_claim(vga->host.memory, &window);
}

static void release_window(struct vga *vga)
{
    for (unsigned half = 0; half < 2; half++) {
        memory_bus_release(vga->host.memory, VGA_WINDOW_BASE + half * VGA_WINDOW_HALF, vga);
    }
}

static struct status claim_window(struct vga *vga)
{
    struct status status = claim_half(vga, 0);
    return status_is_ok(&status) ? claim_half(vga, 1) : status;
}

static void vga_destroy(struct device *device)
{
    struct vga *vga = vga_of(device);
    vga_timing_destroy(vga);
    vga_lfb_unmap(vga);
    unmap_mmio(vga);
    vga_direct_destroy(vga);
    release_window(vga);
    vga_ports_release(vga);
    free(vga->vram_allocation);
    free(vga);
}

/* All of the picture may be another one. */
static void vga_state_restored(struct device *device)
{
    struct vga *vga = vga_of(device);
    vga->dirty = true;
    vga->drawn_frame = NULL;
    memset(vga->open_units, 0xff, sizeof vga->open_units);
    vga->direct.open_pages = UINT16_MAX;
}

static const struct device_class vga_class = {.name = "vga",
                                              .reset = vga_reset,
                                              .describe = vga_describe,
                                              .destroy = vga_destroy,
                                              .state_size = sizeof(struct vga),
                                              .state_restored = vga_state_restored};

static struct status claim_everything(struct vga *vga)
{
    struct status status = claim_window(vga);
    if (status_is_ok(&status)) {
        status = vga_ports_claim(vga);
    }
    if (!status_is_ok(&status)) {
        release_window(vga);
    }
    return status;
}

struct status vga_create(const struct device_host *host, const struct vga_config *config,
                         struct vga **vga_out)
{
    uint64_t vram_size = config->vram_size == 0 ? VGA_DEFAULT_VRAM : config->vram_size;
    if (!bits_is_power_of_two(vram_size) || vram_size < VGA_MIN_VRAM || vram_size > VGA_MAX_VRAM) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "vga: display memory must be a power of two from 256 KiB to 256 MiB");
    }
    struct vga *vga = calloc(1, sizeof *vga);
    /* From calloc(), so that what the guest never uses never costs the host a page. */
    bool own = config->vram == NULL;
    uint8_t *allocation = vga == NULL || !own ? NULL : calloc(1, (size_t)vram_size + PAGE_SIZE);
    if (vga == NULL || (own && allocation == NULL)) {
        free(vga);
        return status_error(STATUS_NO_MEMORY, "vga: no memory for %llu KiB of display memory",
                            (unsigned long long)(vram_size / KIB));
    }
    vga->device.class = &vga_class;
    vga->host = *host;
    vga->vertical_interrupt = config->vertical_interrupt;
    vga->show_border = config->show_border;
    vga->vram_allocation = allocation;
    vga->vram = own ? allocation + (0 - (uintptr_t)allocation) % PAGE_SIZE : config->vram;
    vga->vram_size = vram_size;
    vga->lfb_base = VGA_UNMAPPED;
    vga->mmio_base = VGA_UNMAPPED;
    vga_timing_create(vga);
    vga_direct_create(vga);
    struct status status = claim_everything(vga);
    if (!status_is_ok(&status)) {
        free(allocation);
        free(vga);
        return status;
    }
    vga_registers_reset(vga);
    *vga_out = vga;
    return status;
}

struct device *vga_device(struct vga *vga)
{
    return &vga->device;
}

struct display_source vga_display(struct vga *vga)
{
    return (struct display_source){.render = vga_render, .read_text = vga_read_text, .opaque = vga};
}

uint64_t vga_lfb_size(const struct vga *vga)
{
    return vga->vram_size;
}

#define MMIO_PORTS      0x400u
#define MMIO_PORTS_END  0x420u
#define MMIO_DISPI      0x500u
#define MMIO_DISPI_END  0x516u
#define MMIO_FIRST_PORT 0x3c0u

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned width)
{
    struct vga *vga = opaque;
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI_END && width == 2) {
        return vga_dispi_read(vga, (unsigned)(offset - MMIO_DISPI) / 2);
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        uint64_t at = offset + i;
        bool is_port = at >= MMIO_PORTS && at < MMIO_PORTS_END;
        uint8_t byte = is_port ? vga_register_read(vga, (unsigned)(at - MMIO_PORTS) + MMIO_FIRST_PORT) : 0;
        value |= (uint64_t)byte << (i * 8);
    }
    return value;
}

static void mmio_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct vga *vga = opaque;
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI_END && width == 2) {
        vga_dispi_write(vga, (unsigned)(offset - MMIO_DISPI) / 2, (uint16_t)value);
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        uint64_t at = offset + i;
        if (at >= MMIO_PORTS && at < MMIO_PORTS_END) {
            vga_register_write(vga, (unsigned)(at - MMIO_PORTS) + MMIO_FIRST_PORT,
                               (uint8_t)(value >> (i * 8)));
        }
    }
}

struct status vga_set_mmio_base(struct vga *vga, uint64_t phys)
{
    if (phys == vga->mmio_base) {
        return status_ok();
    }
    unmap_mmio(vga);
    if (phys == VGA_UNMAPPED) {
        return status_ok();
    }
    struct io_region region = {
        .name = "vga-registers",
        .base = phys,
        .length = VGA_MMIO_SIZE,
        .max_width = 2,
        .read = mmio_read,
        .write = mmio_write,
        .opaque = vga,
    };
    struct status status = memory_bus_claim(vga->host.memory, &region);
    if (status_is_ok(&status)) {
        vga->mmio_base = phys;
    }
    return status;
}
