/* The VGA's register files at 3B4h-3DAh and the DISPI ports at 1CEh (IBM PS/2 Technical Reference, "Video
 * Subsystem").
 *
 * Every register keeps only its defined bits. Undefined registers read 0 and ignore writes. CRTC registers
 * 22h (graphics controller latch) and 24h (attribute controller flip-flop) are not in the manual but in every
 * VGA. */
#include <string.h>

#include "devices/device_ports.h"
#include "devices/vga_internal.h"

#define PORT_DISPI_INDEX 0x1ceu

static const uint8_t sequencer_mask[5] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t graphics_mask[9] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};

static uint8_t crtc_mask(unsigned index)
{
    switch (index) {
    case CRTC_PRESET_ROW_SCAN:
    case CRTC_CURSOR_END:
    case CRTC_UNDERLINE: return 0x7f;
    case CRTC_CURSOR_START: return 0x3f;
    case CRTC_MODE_CONTROL: return 0xef;
    default: return 0xff;
    }
}

static uint8_t attribute_mask(unsigned index)
{
    switch (index) {
    case ATTRIBUTE_MODE: return 0xef;
    case ATTRIBUTE_OVERSCAN: return 0xff;
    case ATTRIBUTE_PANNING:
    case ATTRIBUTE_COLOUR_SELECT: return 0x0f;
    default: return 0x3f;
    }
}

static uint8_t crtc_read(const struct vga *vga)
{
    switch (vga->crtc_index) {
    case 0x22: return (uint8_t)(vga->latch >> vga->graphics[GRAPHICS_READ_MAP] * 8);
    case 0x24: return (uint8_t)((vga->attribute_data_next ? 0x80 : 0) | vga->attribute_index);
    default: return vga->crtc_index < CRTC_REGISTER_COUNT ? vga->crtc[vga->crtc_index] : 0;
    }
}

static void crtc_write(struct vga *vga, unsigned index, uint8_t value)
{
    if (index >= CRTC_REGISTER_COUNT) {
        return;
    }
    bool is_protected = (vga->crtc[CRTC_VERTICAL_RETRACE_END] & 0x80) != 0 && index <= CRTC_OVERFLOW;
    if (is_protected && index != CRTC_OVERFLOW) {
        return;
    }
    if (is_protected) { /* bit 8 of line compare stays writable */
        value = (uint8_t)((vga->crtc[CRTC_OVERFLOW] & ~0x10u) | (value & 0x10u));
    }
    vga->crtc[index] = value & crtc_mask(index);
    vga->dirty = true;
    switch (index) {
    case CRTC_START_HIGH:
    case CRTC_START_LOW: vga_timing_start_written(vga); break;
    case CRTC_VERTICAL_RETRACE_END:
        vga_timing_update(vga);
        vga_timing_interrupt_written(vga);
        break;
    case CRTC_MODE_CONTROL:
        vga_timing_update(vga);
        vga_timing_start_written(vga);
        vga_timing_interrupt_written(vga);
        break;
    default:
        if (index <= CRTC_OVERFLOW || index == CRTC_VERTICAL_RETRACE_START ||
            index == CRTC_VERTICAL_DISPLAY_END) {
            vga_timing_update(vga);
        }
        break;
    }
}

static void sequencer_write(struct vga *vga, unsigned index, uint8_t value)
{
    if (index >= ARRAY_COUNT(vga->sequencer)) {
        return;
    }
    vga->sequencer[index] = value & sequencer_mask[index];
    if (index == SEQUENCER_MAP_MASK) {
        vga_window_update(vga);
        return;
    }
    vga->dirty = true;
    if (index == SEQUENCER_CLOCKING) {
        vga_timing_update(vga);
    } else {
        vga_window_update(vga);
    }
}

static void graphics_write(struct vga *vga, unsigned index, uint8_t value)
{
    if (index >= ARRAY_COUNT(vga->graphics)) {
        return;
    }
    vga->graphics[index] = value & graphics_mask[index];
    vga->dirty |= index == GRAPHICS_MODE || index == GRAPHICS_MISC;
    vga_window_update(vga);
}

/* 3C0h: index and data in turn. The palette is writable only while it is disconnected from the display (index
 * bit 5 = 0). */
static void attribute_write(struct vga *vga, uint8_t value)
{
    if (!vga->attribute_data_next) {
        vga->dirty |= ((vga->attribute_index ^ value) & 0x20) != 0;
        vga->attribute_index = value & 0x3f;
    } else {
        unsigned index = vga->attribute_index & 0x1f;
        bool locked = index < 0x10 && (vga->attribute_index & 0x20) != 0;
        if (index < ATTRIBUTE_REGISTER_COUNT && !locked) {
            vga->attribute[index] = value & attribute_mask(index);
            vga->dirty = true;
        }
    }
    vga->attribute_data_next = !vga->attribute_data_next;
}

static uint8_t attribute_read(const struct vga *vga)
{
    unsigned index = vga->attribute_index & 0x1f;
    return index < ATTRIBUTE_REGISTER_COUNT ? vga->attribute[index] : 0;
}

/* Bits 4 and 5 return two bits of the colour on its way to the DAC, chosen by the plane enable register. */
static uint8_t diagnostic_bits(const struct vga *vga)
{
    static const uint8_t pairs[4][2] = {{0, 2}, {4, 5}, {1, 3}, {6, 7}};
    const uint8_t *pair = pairs[vga->attribute[ATTRIBUTE_PLANE_ENABLE] >> 4 & 3];
    unsigned colour = vga->attribute[ATTRIBUTE_OVERSCAN];
    return (uint8_t)((colour >> pair[0] & 1) << 4 | (colour >> pair[1] & 1) << 5);
}

static uint8_t input_status_1(struct vga *vga)
{
    vga->attribute_data_next = false;
    return vga_timing_status(vga) | diagnostic_bits(vga);
}

static void misc_write(struct vga *vga, uint8_t value)
{
    vga->misc = value & 0xef;
    vga_window_update(vga);
    vga_timing_update(vga);
}

/* The CRTC pair and status of the address (3Bxh or 3Dxh) that is selected now. `offset` counts from 3B0h or
 * 3D0h. */
static uint8_t selected_read(struct vga *vga, unsigned offset)
{
    switch (offset) {
    case 0x4: return vga->crtc_index;
    case 0x5: return crtc_read(vga);
    case 0xa: return input_status_1(vga);
    default: return 0xff;
    }
}

static void selected_write(struct vga *vga, unsigned offset, uint8_t value)
{
    switch (offset) {
    case 0x4: vga->crtc_index = value & 0x3f; break;
    case 0x5: crtc_write(vga, vga->crtc_index, value); break;
    case 0xa: vga->feature_control = value & 0x0b; break;
    default: break;
    }
}

uint8_t vga_register_read(struct vga *vga, unsigned port)
{
    switch (port) {
    case 0x3c0: return vga->attribute_index;
    case 0x3c1: return attribute_read(vga);
    case 0x3c2: return vga->interrupt_pending ? 0x90 : 0x10;
    case 0x3c3: return vga->subsystem_enable;
    case 0x3c4: return vga->sequencer_index;
    case 0x3c5:
        return vga->sequencer_index < ARRAY_COUNT(vga->sequencer) ? vga->sequencer[vga->sequencer_index] : 0;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9: return vga_dac_read(&vga->dac, port);
    case 0x3ca: return vga->feature_control;
    case 0x3cc: return vga->misc;
    case 0x3ce: return vga->graphics_index;
    case 0x3cf:
        return vga->graphics_index < ARRAY_COUNT(vga->graphics) ? vga->graphics[vga->graphics_index] : 0;
    default: return port >= 0x3d0 ? selected_read(vga, port - 0x3d0) : 0xff;
    }
}

void vga_register_write(struct vga *vga, unsigned port, uint8_t value)
{
    switch (port) {
    case 0x3c0: attribute_write(vga, value); break;
    case 0x3c2: misc_write(vga, value); break;
    case 0x3c3:
        vga->subsystem_enable = value & 0x01;
        vga_window_update(vga);
        break;
    case 0x3c4: vga->sequencer_index = value & 0x07; break;
    case 0x3c5: sequencer_write(vga, vga->sequencer_index, value); break;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        vga_dac_write(&vga->dac, port, value);
        vga->dirty = true;
        break;
    case 0x3ce: vga->graphics_index = value & 0x0f; break;
    case 0x3cf: graphics_write(vga, vga->graphics_index, value); break;
    default:
        if (port >= 0x3d0) {
            selected_write(vga, port - 0x3d0, value);
        }
        break;
    }
}

static bool alias_is_selected(const struct vga_crtc_alias *alias)
{
    const struct vga *vga = alias->vga;
    return alias->colour == ((vga->misc & 0x01) != 0) && (vga->subsystem_enable & 0x01) != 0;
}

static uint64_t crtc_port_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    const struct vga_crtc_alias *alias = opaque;
    return alias_is_selected(alias) ? selected_read(alias->vga, 0x4 + (unsigned)offset) : 0xff;
}

static void crtc_port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    const struct vga_crtc_alias *alias = opaque;
    if (alias_is_selected(alias)) {
        selected_write(alias->vga, 0x4 + (unsigned)offset, (uint8_t)value);
    }
}

static uint64_t status_port_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset, (void)width;
    const struct vga_crtc_alias *alias = opaque;
    return alias_is_selected(alias) ? selected_read(alias->vga, 0xa) : 0xff;
}

static void status_port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset, (void)width;
    const struct vga_crtc_alias *alias = opaque;
    if (alias_is_selected(alias)) {
        selected_write(alias->vga, 0xa, (uint8_t)value);
    }
}

static bool port_is_decoded(const struct vga *vga, uint64_t offset)
{
    return offset == 3 || (vga->subsystem_enable & 0x01) != 0;
}

static uint64_t common_port_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    return port_is_decoded(opaque, offset) ? vga_register_read(opaque, 0x3c0 + (unsigned)offset) : 0xff;
}

static void common_port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    if (port_is_decoded(opaque, offset)) {
        vga_register_write(opaque, 0x3c0 + (unsigned)offset, (uint8_t)value);
    }
}

/* Word ports: the index at 1CEh, data at 1CFh and, aligned, at 1D0h. Bytes are not decoded. */
static uint64_t dispi_port_read(void *opaque, uint64_t offset, unsigned width)
{
    struct vga *vga = opaque;
    if (width != 2 || offset > 2) {
        return UINT64_MAX;
    }
    return offset == 0 ? vga->dispi.index : vga_dispi_read(vga, vga->dispi.index);
}

static void dispi_port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct vga *vga = opaque;
    if (width != 2 || offset > 2) {
        return;
    }
    if (offset == 0) {
        vga->dispi.index = (uint16_t)value;
    } else {
        vga_dispi_write(vga, vga->dispi.index, (uint16_t)value);
    }
}

static struct io_region crtc_region(struct vga_crtc_alias *alias)
{
    return (struct io_region){
        .name = "vga-crtc",
        .base = alias->colour ? 0x3d4 : 0x3b4,
        .length = 2,
        .read = crtc_port_read,
        .write = crtc_port_write,
        .opaque = alias,
    };
}

static struct io_region status_region(struct vga_crtc_alias *alias)
{
    return (struct io_region){
        .name = "vga-status",
        .base = alias->colour ? 0x3da : 0x3ba,
        .length = 1,
        .read = status_port_read,
        .write = status_port_write,
        .opaque = alias,
    };
}

struct status vga_ports_claim(struct vga *vga)
{
    for (unsigned i = 0; i < 2; i++) {
        vga->alias[i] = (struct vga_crtc_alias){.vga = vga, .colour = i == 1};
        vga->ports[i] = crtc_region(&vga->alias[i]);
        vga->ports[2 + i] = status_region(&vga->alias[i]);
    }
    vga->ports[4] = (struct io_region){
        .name = "vga",
        .base = 0x3c0,
        .length = 16,
        .read = common_port_read,
        .write = common_port_write,
        .opaque = vga,
    };
    vga->ports[5] = (struct io_region){
        .name = "vga-dispi",
        .base = PORT_DISPI_INDEX,
        .length = 4,
        .max_width = 2,
        .read = dispi_port_read,
        .write = dispi_port_write,
        .opaque = vga,
    };
    return device_ports_claim(vga->host.ports, vga->ports, ARRAY_COUNT(vga->ports));
}

void vga_ports_release(struct vga *vga)
{
    device_ports_release(vga->host.ports, vga->ports, ARRAY_COUNT(vga->ports));
}

void vga_registers_reset(struct vga *vga)
{
    vga->misc = 0;
    vga->feature_control = 0;
    vga->subsystem_enable = 1;
    vga->sequencer_index = 0;
    vga->graphics_index = 0;
    vga->crtc_index = 0;
    vga->attribute_index = 0;
    vga->attribute_data_next = false;
    memset(vga->sequencer, 0, sizeof vga->sequencer);
    memset(vga->graphics, 0, sizeof vga->graphics);
    memset(vga->crtc, 0, sizeof vga->crtc);
    memset(vga->attribute, 0, sizeof vga->attribute);
    vga->dac = (struct vga_dac){.pel_mask = 0xff};
    vga->latch = 0;
    vga_dispi_reset(vga);
    vga_window_update(vga);
    vga_direct_reset(vga);
    vga_timing_update(vga);
    vga_timing_start_written(vga);
    vga_timing_interrupt_written(vga);
    vga->dirty = true;
}
