/* The Bochs VBE extension (DISPI): packed-pixel and large planar modes by an index and a data register.
 *
 * Bochs documentation, "VBE DISPI interface", ids B0C0h-B0C5h. Values are accepted with the adapter enabled
 * or not and cut to what the memory can show, so that the registers always read back what is in effect:
 * - resolutions to DISPI_MAX_WIDTH x DISPI_MAX_HEIGHT and the lines that fit in memory, depths to the defined
 * ones;
 * - the virtual width is at least the width; the virtual height is what fits and cannot be set;
 * - the offset keeps the picture within the virtual screen vertically; a bank beyond the memory is refused.
 *
 * Enabling sets the virtual width to the width and offsets and bank to 0, and clears the memory unless
 * NOCLEARMEM. The framebuffer answers at its address whether LFB is set or not. In bank writes bits 15 and 14
 * choose the read and the write window; neither means both. */
#include <string.h>

#include "devices/vga_internal.h"

#define DISPI_ID_FIRST 0xb0c0u
#define DISPI_ID_LAST  0xb0c5u

#define BANK_READ  0x8000u
#define BANK_WRITE 0x4000u

#define ENABLE_MASK                                                                                          \
    (DISPI_ENABLED | DISPI_GETCAPS | DISPI_BANK_32K | DISPI_8BIT_DAC | DISPI_LFB | DISPI_NOCLEARMEM)

uint32_t vga_dispi_pixel_bits(const struct vga *vga)
{
    unsigned bpp = vga->dispi.reg[DISPI_BPP];
    return bpp == 15 ? 16 : bpp;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Memory of the linear address space that DISPI_BPP implies: all of it, or one of four planes. */
static uint64_t addressable(const struct vga *vga)
{
    return vga->dispi.reg[DISPI_BPP] == 4 ? vga->vram_size / 4 : vga->vram_size;
}

/* Cuts all geometry to something that can be shown. Memory is no limit before the mode is enabled: a guest
 * may set the depth last. */
static void dispi_settle(struct vga *vga)
{
    struct vga_dispi *dispi = &vga->dispi;
    uint16_t *reg = dispi->reg;
    uint32_t bits = reg[DISPI_BPP] == 4 ? 1 : vga_dispi_pixel_bits(vga);
    reg[DISPI_XRES] = (uint16_t)clamp(reg[DISPI_XRES], 1, DISPI_MAX_WIDTH);
    reg[DISPI_YRES] = (uint16_t)clamp(reg[DISPI_YRES], 1, DISPI_MAX_HEIGHT);
    if (!vga_dispi_enabled(vga)) {
        return;
    }
    reg[DISPI_VIRT_WIDTH] = (uint16_t)clamp(reg[DISPI_VIRT_WIDTH], reg[DISPI_XRES], DISPI_MAX_PITCH);
    dispi->pitch = (reg[DISPI_VIRT_WIDTH] * bits + 7) / 8;
    uint32_t lines = clamp((uint32_t)(addressable(vga) / dispi->pitch), 1, UINT16_MAX);
    reg[DISPI_VIRT_HEIGHT] = (uint16_t)lines;
    reg[DISPI_YRES] = (uint16_t)clamp(reg[DISPI_YRES], 1, lines);
    reg[DISPI_X_OFFSET] = (uint16_t)clamp(reg[DISPI_X_OFFSET], 0, reg[DISPI_VIRT_WIDTH] - 1u);
    reg[DISPI_Y_OFFSET] = (uint16_t)clamp(reg[DISPI_Y_OFFSET], 0, lines - reg[DISPI_YRES]);
}

static uint32_t bank_size(const struct vga *vga)
{
    return (vga->dispi.reg[DISPI_ENABLE] & DISPI_BANK_32K) != 0 ? 0x8000 : 0x10000;
}

/* Accepts a bank only if the whole 64 KiB window lies in memory. */
static void write_bank(struct vga *vga, uint16_t value)
{
    uint32_t which = value & (BANK_READ | BANK_WRITE);
    uint16_t bank = value & (uint16_t) ~(BANK_READ | BANK_WRITE);
    uint64_t offset = (uint64_t)bank * bank_size(vga);
    if (offset + 0x10000 > addressable(vga)) {
        log_printf(vga->host.log, LOG_GUEST_ERROR, "vga: bank %u is beyond display memory", bank);
        return;
    }
    if (which != BANK_WRITE) {
        vga->dispi.read_bank = (uint32_t)offset;
    }
    if (which != BANK_READ) {
        vga->dispi.write_bank = (uint32_t)offset;
    }
    vga->dispi.reg[DISPI_BANK] = bank;
}

static void reset_bank(struct vga *vga)
{
    vga->dispi.reg[DISPI_BANK] = 0;
    vga->dispi.read_bank = 0;
    vga->dispi.write_bank = 0;
}

static void write_enable(struct vga *vga, uint16_t value)
{
    uint16_t *reg = vga->dispi.reg;
    bool was_enabled = vga_dispi_enabled(vga);
    bool granularity_changes = ((reg[DISPI_ENABLE] ^ value) & DISPI_BANK_32K) != 0;
    reg[DISPI_ENABLE] = value & ENABLE_MASK;
    if (!was_enabled && vga_dispi_enabled(vga)) {
        reg[DISPI_VIRT_WIDTH] = reg[DISPI_XRES];
        reg[DISPI_X_OFFSET] = 0;
        reg[DISPI_Y_OFFSET] = 0;
        reset_bank(vga);
        if ((value & DISPI_NOCLEARMEM) == 0) {
            memset(vga->vram, 0, (size_t)vga->vram_size);
        }
    }
    if (was_enabled != vga_dispi_enabled(vga) || granularity_changes) {
        reset_bank(vga);
    }
    vga_dac_set_width(&vga->dac, vga_dispi_enabled(vga) && (value & DISPI_8BIT_DAC) != 0);
}

static void write_depth(struct vga *vga, uint16_t value)
{
    switch (value) {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32:
        vga->dispi.reg[DISPI_BPP] = value;
        reset_bank(vga);
        break;
    default: log_printf(vga->host.log, LOG_GUEST_ERROR, "vga: no mode has %u bits per pixel", value); break;
    }
}

uint16_t vga_dispi_read(struct vga *vga, unsigned index)
{
    if ((vga->dispi.reg[DISPI_ENABLE] & DISPI_GETCAPS) != 0) {
        switch (index) {
        case DISPI_XRES: return DISPI_MAX_WIDTH;
        case DISPI_YRES: return DISPI_MAX_HEIGHT;
        case DISPI_BPP: return 32;
        default: break;
        }
    }
    return index < DISPI_REGISTER_COUNT ? vga->dispi.reg[index] : 0;
}

void vga_dispi_write(struct vga *vga, unsigned index, uint16_t value)
{
    switch (index) {
    case DISPI_ID:
        if (value >= DISPI_ID_FIRST && value <= DISPI_ID_LAST) {
            vga->dispi.reg[DISPI_ID] = value;
        }
        break;
    case DISPI_BPP: write_depth(vga, value); break;
    case DISPI_ENABLE: write_enable(vga, value); break;
    case DISPI_BANK: write_bank(vga, value); break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_VIRT_WIDTH:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET: vga->dispi.reg[index] = value; break;
    default: break;
    }
    dispi_settle(vga);
    vga_window_update(vga);
    vga_timing_update(vga);
    vga->dirty = true;
}

void vga_dispi_reset(struct vga *vga)
{
    vga->dispi = (struct vga_dispi){0};
    vga->dispi.reg[DISPI_ID] = DISPI_ID_LAST;
    vga->dispi.reg[DISPI_BPP] = 8;
    vga->dispi.reg[DISPI_VIDEO_MEMORY_64K] = (uint16_t)(vga->vram_size / 0x10000);
    dispi_settle(vga);
}
