/* The colour look-up DAC at 3C6h-3C9h (IBM PS/2 Technical Reference, "Video Digital-to-Analog Converter").
 *
 * One address register serves both directions: a write to 3C7h prefetches that entry and moves on to the
 * next, which is what 3C8h then reads. An entry changes when its third component is written. DISPI can widen
 * components to 8 bits. */
#include "devices/vga_internal.h"

static uint32_t component_to_8_bits(const struct vga_dac *dac, uint8_t component)
{
    return dac->eight_bit ? component : (uint32_t)(component << 2 | component >> 4);
}

static void update_rgb(struct vga_dac *dac, unsigned index)
{
    const uint8_t *entry = dac->entry[index];
    dac->rgb[index] = component_to_8_bits(dac, entry[0]) << 16 | component_to_8_bits(dac, entry[1]) << 8 |
                      component_to_8_bits(dac, entry[2]);
}

uint8_t vga_dac_read(struct vga_dac *dac, unsigned port)
{
    switch (port) {
    case 0x3c6: return dac->pel_mask;
    case 0x3c7: return dac->reading ? 3 : 0;
    case 0x3c8: return dac->address;
    default: break;
    }
    uint8_t value = dac->entry[dac->read_index][dac->component];
    if (++dac->component == 3) {
        dac->component = 0;
        dac->read_index++;
        dac->address = (uint8_t)(dac->read_index + 1);
    }
    return value;
}

static void write_component(struct vga_dac *dac, uint8_t value)
{
    dac->pending[dac->component] = dac->eight_bit ? value : value & 0x3f;
    if (++dac->component == 3) {
        dac->component = 0;
        for (unsigned i = 0; i < 3; i++) {
            dac->entry[dac->address][i] = dac->pending[i];
        }
        update_rgb(dac, dac->address);
        dac->read_index = dac->address++;
    }
}

void vga_dac_write(struct vga_dac *dac, unsigned port, uint8_t value)
{
    switch (port) {
    case 0x3c6: dac->pel_mask = value; break;
    case 0x3c7:
        dac->read_index = value;
        dac->address = (uint8_t)(value + 1);
        dac->component = 0;
        dac->reading = true;
        break;
    case 0x3c8:
        dac->address = value;
        dac->read_index = (uint8_t)(value - 1);
        dac->component = 0;
        dac->reading = false;
        break;
    default: write_component(dac, value); break;
    }
}

void vga_dac_set_width(struct vga_dac *dac, bool eight_bit)
{
    if (dac->eight_bit == eight_bit) {
        return;
    }
    dac->eight_bit = eight_bit;
    for (unsigned index = 0; index < 256; index++) {
        for (unsigned i = 0; i < 3; i++) {
            uint8_t *component = &dac->entry[index][i];
            *component = (uint8_t)(eight_bit ? *component << 2 : *component >> 2);
        }
        update_rgb(dac, index);
    }
}
