/* The CPU's way to display memory: address decoding, latches, read and write modes.
 *
 * IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem": sequencer registers 2 and 4, graphics
 * controller registers 0-8. Addresses of the standard modes stay within 64 KiB per plane. Chain-4 and the
 * CRTC's doubleword mode agree with each other: address bits 14 and 15 become bits 0 and 1 of the plane
 * offset, as do counter bits 12 and 13.
 *
 * Wide accesses are made of byte accesses at rising addresses, except where the window is linear: DISPI modes
 * with packed pixels, and chain-4 stores while the graphics controller changes nothing. */
#include "devices/vga_internal.h"

#define BYTE_IN_EACH_PLANE 0x01010101u

/* One byte of ones for each plane in a set of four. */
static uint32_t plane_bytes(unsigned planes)
{
    return ((planes & 1) | (planes & 2) << 7 | (planes & 4) << 14 | (planes & 8u) << 21) * 0xffu;
}

static void window_decode(const struct vga *vga, struct vga_window *window)
{
    static const struct {
        uint32_t base, length;
    } maps[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    unsigned map = vga->graphics[GRAPHICS_MISC] >> 2 & 3u;
    window->base = maps[map].base;
    window->length = maps[map].length;
}

static void digest_registers(struct vga *vga)
{
    const uint8_t *graphics = vga->graphics;
    unsigned memory_mode = vga->sequencer[SEQUENCER_MEMORY_MODE];
    struct vga_window *window = &vga->window;
    *window = (struct vga_window){
        .chain4 = (memory_mode & 0x08) != 0,
        .odd_even_write = (memory_mode & 0x04) == 0,
        .odd_even_read = (graphics[GRAPHICS_MODE] & 0x10) != 0,
        .chain_odd_even = (graphics[GRAPHICS_MISC] & 0x02) != 0,
        .map_mask = vga->sequencer[SEQUENCER_MAP_MASK],
        .read_map = graphics[GRAPHICS_READ_MAP],
        .read_mode = graphics[GRAPHICS_MODE] >> 3 & 1,
        .write_mode = graphics[GRAPHICS_MODE] & 3,
        .rotate = graphics[GRAPHICS_DATA_ROTATE] & 7,
        .function = graphics[GRAPHICS_DATA_ROTATE] >> 3,
        .set_reset = plane_bytes(graphics[GRAPHICS_SET_RESET]),
        .enable_set_reset = plane_bytes(graphics[GRAPHICS_ENABLE_SET_RESET]),
        .bit_mask = graphics[GRAPHICS_BIT_MASK] * BYTE_IN_EACH_PLANE,
        .colour_compare = plane_bytes(graphics[GRAPHICS_COLOUR_COMPARE]),
        .colour_care = plane_bytes(graphics[GRAPHICS_COLOUR_DONT_CARE]),
    };
    if ((vga->misc & 0x02) == 0 || (vga->subsystem_enable & 0x01) == 0) {
        return; /* the CPU has no access: length is 0 */
    }
    if (vga_dispi_enabled(vga) && !vga_dispi_planar(vga)) {
        window->length = 0x10000;
        window->linear_read = vga->vram + vga->dispi.read_bank;
        window->linear_write = vga->vram + vga->dispi.write_bank;
        return;
    }
    window_decode(vga, window);
    if (vga_dispi_planar(vga)) {
        window->read_bank = vga->dispi.read_bank;
        window->write_bank = vga->dispi.write_bank;
    } else if (window->chain4 && window->length <= 0x10000) {
        if (window->read_mode == 0) {
            window->linear_read = vga->vram;
            window->load_latches = true;
        }
        if (window->write_mode == 0 && window->rotate == 0 && window->function == 0 &&
            window->enable_set_reset == 0 && window->bit_mask == UINT32_MAX && window->map_mask == 0xf) {
            window->linear_write = vga->vram;
        }
    }
}

void vga_window_update(struct vga *vga)
{
    digest_registers(vga);
    vga_direct_update(vga);
}

/* A CPU address within the window as a plane offset, for chain-4, odd/even or plain addressing. */
static uint32_t plane_offset(const struct vga_window *window, uint32_t address)
{
    if (window->chain4) {
        return (address & 0xfffc) | (address >> 14 & 3);
    }
    if (window->chain_odd_even) {
        return (address & 0xfffe) | (address >> 16 & 1);
    }
    return address & 0xffff;
}

static uint8_t rotate_right(uint8_t value, unsigned count)
{
    return (uint8_t)(value >> count | value << (8 - count));
}

static uint8_t planar_read(struct vga *vga, uint32_t address)
{
    const struct vga_window *window = &vga->window;
    vga->latch = load_le32(vga_plane_bytes(vga, plane_offset(window, address) + window->read_bank));
    if (window->read_mode == 1) {
        uint32_t differs = (vga->latch ^ window->colour_compare) & window->colour_care;
        differs |= differs >> 16;
        return (uint8_t) ~(differs | differs >> 8);
    }
    unsigned plane = window->read_map;
    if (window->chain4) {
        plane = address & 3;
    } else if (window->odd_even_read) {
        plane = (plane & 2) | (address & 1);
    }
    return (uint8_t)(vga->latch >> plane * 8);
}

static uint32_t combine_with_latch(const struct vga_window *window, uint32_t data, uint32_t latch,
                                   uint32_t bit_mask)
{
    switch (window->function) {
    case 1: data &= latch; break;
    case 2: data |= latch; break;
    case 3: data ^= latch; break;
    default: break;
    }
    return (data & bit_mask) | (latch & ~bit_mask);
}

static uint32_t write_mode_result(const struct vga_window *window, uint32_t latch, uint8_t value)
{
    uint32_t data;
    switch (window->write_mode) {
    case 0:
        data = rotate_right(value, window->rotate) * BYTE_IN_EACH_PLANE;
        data = (data & ~window->enable_set_reset) | (window->set_reset & window->enable_set_reset);
        return combine_with_latch(window, data, latch, window->bit_mask);
    case 1: return latch;
    case 2: return combine_with_latch(window, plane_bytes(value & 0xf), latch, window->bit_mask);
    default:
        data = rotate_right(value, window->rotate) * BYTE_IN_EACH_PLANE;
        return combine_with_latch(window, window->set_reset, latch, window->bit_mask & data);
    }
}

static void planar_write(struct vga *vga, uint32_t address, uint8_t value)
{
    const struct vga_window *window = &vga->window;
    unsigned planes = window->map_mask;
    if (window->chain4) {
        planes &= 1u << (address & 3);
    } else if (window->odd_even_write) {
        planes &= (address & 1) != 0 ? 0xa : 0x5;
    }
    uint8_t *bytes = vga_plane_bytes(vga, plane_offset(window, address) + window->write_bank);
    uint32_t mask = plane_bytes(planes);
    uint32_t result = write_mode_result(window, vga->latch, value);
    store_le32(bytes, (load_le32(bytes) & ~mask) | (result & mask));
}

uint64_t vga_memory_read(void *opaque, uint64_t offset, unsigned width)
{
    struct vga *vga = opaque;
    const struct vga_window *window = &vga->window;
    uint64_t address = offset - window->base; /* wraps to something huge below the window */
    vga_direct_count(vga);
    if (window->linear_read != NULL && address < window->length && width <= window->length - address) {
        if (window->load_latches) {
            vga->latch = load_le32(window->linear_read + ((address + width - 1) & ~(uint64_t)3));
        }
        return load_le(window->linear_read + address, width);
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        uint64_t byte = 0xff;
        if (address + i < window->length) {
            byte = window->linear_read != NULL ? window->linear_read[address + i]
                                               : planar_read(vga, (uint32_t)(address + i));
        }
        value |= byte << (i * 8);
    }
    return value;
}

void vga_memory_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct vga *vga = opaque;
    const struct vga_window *window = &vga->window;
    uint64_t address = offset - window->base;
    vga->dirty = true;
    vga_direct_count(vga);
    if (window->linear_write != NULL && address < window->length && width <= window->length - address) {
        store_le(window->linear_write + address, width, value);
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        if (address + i >= window->length) {
            continue;
        }
        uint8_t byte = (uint8_t)(value >> (i * 8));
        if (window->linear_write != NULL) {
            window->linear_write[address + i] = byte;
        } else {
            planar_write(vga, (uint32_t)(address + i), byte);
        }
    }
}
