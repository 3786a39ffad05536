/* One scan line from display memory to colours: CRTC addressing, serializers, attribute controller.
 *
 * IBM PS/2 Technical Reference, "Video Subsystem": CRTC registers 14h and 17h (address modes), sequencer
 * register 3 (fonts), graphics controller register 5 (shift modes), attribute controller. Line buffers are
 * long enough for every register value: at most 256 characters of 9 dots and one more that is panned in.
 *
 * Blinking in graphics modes inverts bit 3 of the colour index in its off phase, after the plane enable mask
 * (that is how mode 0Fh, which masks plane 3 off, blinks between palette entries 4 and 12). */
#include <string.h>

#include "devices/vga_internal.h"

#define ATTRIBUTE_BLINK 0x08u /* of the mode register */

static bool is_graphics(const struct vga *vga)
{
    return (vga->graphics[GRAPHICS_MISC] & 0x01) != 0;
}

/* A palette entry's address in the DAC. */
static unsigned palette_colour(const struct vga *vga, unsigned index)
{
    unsigned select = vga->attribute[ATTRIBUTE_COLOUR_SELECT];
    unsigned colour = vga->attribute[index];
    if ((vga->attribute[ATTRIBUTE_MODE] & 0x80) != 0) {
        colour = (colour & 0x0f) | (select & 3) << 4;
    }
    return colour | (select & 0xc) << 4;
}

void vga_colours_get(const struct vga *vga, struct vga_colours *colours)
{
    const struct vga_dac *dac = &vga->dac;
    unsigned enabled = vga->attribute[ATTRIBUTE_PLANE_ENABLE] & 0xf;
    bool blinks = is_graphics(vga) && (vga->attribute[ATTRIBUTE_MODE] & ATTRIBUTE_BLINK) != 0;
    unsigned inverted = blinks && !colours->blink_on ? 8 : 0;
    unsigned nibble[16];
    for (unsigned i = 0; i < 16; i++) {
        colours->attribute[i] = dac->rgb[palette_colour(vga, (i & enabled) ^ inverted) & dac->pel_mask];
        nibble[i] = vga->attribute[i & enabled] & 0xf;
    }
    for (unsigned i = 0; i < 256; i++) {
        colours->pixel[i] = dac->rgb[(nibble[i >> 4] << 4 | nibble[i & 0xf]) & dac->pel_mask];
    }
}

uint32_t vga_crtc_offset(const struct vga *vga, uint32_t counter, uint32_t row_scan)
{
    unsigned mode = vga->crtc[CRTC_MODE_CONTROL];
    uint32_t offset = counter & 0xffff;
    if ((vga->crtc[CRTC_UNDERLINE] & 0x40) != 0) { /* doublewords */
        offset = offset << 2 | (offset >> 12 & 3);
    } else if ((mode & 0x40) == 0) { /* words */
        offset = offset << 1 | (offset >> ((mode & 0x20) != 0 ? 15 : 13) & 1);
    }
    if ((mode & 0x01) == 0) {
        offset = (offset & ~0x2000u) | (row_scan & 1) << 13;
    }
    if ((mode & 0x02) == 0) {
        offset = (offset & ~0x4000u) | (row_scan & 2) << 13;
    }
    return offset & 0xffff;
}

/* The counter in character clock `column`: it may be clocked with every second or fourth only. */
static uint32_t counter_at(const struct vga *vga, const struct vga_scan *scan, uint32_t column)
{
    if ((vga->crtc[CRTC_UNDERLINE] & 0x20) != 0) {
        column >>= 2;
    } else if ((vga->crtc[CRTC_MODE_CONTROL] & 0x08) != 0) {
        column >>= 1;
    }
    return scan->address + column;
}

struct vga_text_cell vga_text_cell_get(struct vga *vga, const struct vga_scan *scan, uint32_t column)
{
    uint32_t counter = counter_at(vga, scan, column);
    const uint8_t *bytes = vga_plane_bytes(vga, vga_crtc_offset(vga, counter, scan->row_scan));
    struct vga_text_cell cell = {.character = bytes[0], .attribute = bytes[1]};
    cell.foreground = cell.attribute & 0xf;
    cell.background = cell.attribute >> 4;
    if ((vga->attribute[ATTRIBUTE_MODE] & ATTRIBUTE_BLINK) != 0) {
        cell.background &= 7;
    }
    return cell;
}

bool vga_cursor_is_at(const struct vga *vga, const struct vga_scan *scan, uint32_t column)
{
    uint32_t skew = vga->crtc[CRTC_CURSOR_END] >> 5 & 3u;
    if (column < skew) {
        return false;
    }
    return (counter_at(vga, scan, column - skew) & 0xffff) == vga_cursor_address(vga);
}

static bool cursor_is_drawn(const struct vga *vga, const struct vga_scan *scan,
                            const struct vga_colours *colours)
{
    unsigned start = vga->crtc[CRTC_CURSOR_START];
    unsigned end = vga->crtc[CRTC_CURSOR_END] & 0x1fu;
    return colours->cursor_on && (start & 0x20) == 0 && scan->row_scan >= (start & 0x1f) &&
           scan->row_scan <= end;
}

/* Plane 2 offsets of the fonts for attribute bit 3 clear and set (maps B and A). Without extended memory
 * there is one font. */
static void font_offsets(const struct vga *vga, uint32_t fonts[2])
{
    unsigned select = vga->sequencer[SEQUENCER_CHARACTER_MAP];
    if ((vga->sequencer[SEQUENCER_MEMORY_MODE] & 0x02) == 0) {
        select = 0;
    }
    fonts[0] = (select & 3u) << 14 | (select >> 4 & 1u) << 13;
    fonts[1] = (select >> 2 & 3u) << 14 | (select >> 5 & 1u) << 13;
}

/* The dots of a character's line from bit 8 down; the ninth, bit 0, is blank or repeats the eighth for line
 * graphics. */
static unsigned glyph_dots(const struct vga *vga, uint8_t character, uint8_t bits)
{
    bool line_graphics = (vga->attribute[ATTRIBUTE_MODE] & 0x04) != 0 && (character & 0xe0) == 0xc0;
    return (unsigned)bits << 1 | (line_graphics ? bits & 1u : 0);
}

uint32_t *vga_scan_text(struct vga *vga, const struct vga_picture *picture, const struct vga_scan *scan,
                        const struct vga_colours *colours)
{
    uint32_t fonts[2];
    font_offsets(vga, fonts);
    bool blinks = (vga->attribute[ATTRIBUTE_MODE] & ATTRIBUTE_BLINK) != 0;
    bool underline = scan->row_scan == (vga->crtc[CRTC_UNDERLINE] & 0x1fu);
    bool cursor = cursor_is_drawn(vga, scan, colours);
    uint32_t *to = vga->line;
    for (uint32_t column = 0; column <= picture->columns; column++) {
        struct vga_text_cell cell = vga_text_cell_get(vga, scan, column);
        uint32_t glyph = fonts[cell.attribute >> 3 & 1] + cell.character * 32u + scan->row_scan;
        unsigned dots = glyph_dots(vga, cell.character, vga_plane_bytes(vga, glyph)[2]);
        if (underline && (cell.attribute & 0x77) == 0x01) {
            dots = 0x1ff;
        }
        if (blinks && (cell.attribute & 0x80) != 0 && !colours->blink_on) {
            dots = 0;
        }
        if (cursor && vga_cursor_is_at(vga, scan, column)) {
            dots = 0x1ff;
        }
        uint32_t background = colours->attribute[cell.background];
        uint32_t difference = background ^ colours->attribute[cell.foreground];
        for (unsigned i = 0; i < 8; i++) {
            to[i] = background ^ (difference & (0u - (dots >> (8 - i) & 1)));
        }
        to[8] =
            background ^ (difference & (0u - (dots & 1))); /* overwritten when characters are 8 dots wide */
        to += picture->dots;
    }
    return vga->line + scan->panning;
}

/* Bit 7 - i of `bits` in byte i of the result. */
static uint64_t spread_bits(uint8_t bits)
{
    uint64_t chosen = bits * UINT64_C(0x0101010101010101) & UINT64_C(0x0102040810204080);
    return (chosen + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
}

/* Eight dots, one bit from each plane. */
static void serialize_planes(const uint8_t *bytes, uint8_t *dots)
{
    store_le64(dots, spread_bits(bytes[0]) | spread_bits(bytes[1]) << 1 | spread_bits(bytes[2]) << 2 |
                         spread_bits(bytes[3]) << 3);
}

/* Shift register interleave (CGA): pairs of bits, four dots from planes 0 and 2, four from planes 1 and 3. */
static void serialize_pairs(const uint8_t *bytes, uint8_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned shift = 6 - 2 * (i & 3);
        unsigned low = bytes[i >> 2] >> shift & 3u;
        unsigned high = bytes[2 + (i >> 2)] >> shift & 3u;
        dots[i] = (uint8_t)(low | high << 2);
    }
}

/* 256-colour shift: nibbles, high first, plane after plane. */
static void serialize_nibbles(const uint8_t *bytes, uint8_t *dots)
{
    for (unsigned i = 0; i < 4; i++) {
        dots[2 * i] = bytes[i] >> 4;
        dots[2 * i + 1] = bytes[i] & 0xf;
    }
}

static void serialize_line(struct vga *vga, const struct vga_picture *picture, const struct vga_scan *scan)
{
    unsigned shift_mode = vga->graphics[GRAPHICS_MODE] >> 5 & 3;
    uint8_t *dots = vga->dots;
    for (uint32_t column = 0; column <= picture->columns; column++) {
        uint32_t offset = vga_crtc_offset(vga, counter_at(vga, scan, column), scan->row_scan);
        const uint8_t *bytes = vga_plane_bytes(vga, offset);
        switch (shift_mode) {
        case 0: serialize_planes(bytes, dots); break;
        case 1: serialize_pairs(bytes, dots); break;
        default: serialize_nibbles(bytes, dots); break;
        }
        dots[8] = 0; /* the ninth dot; overwritten when characters are 8 dots wide */
        dots += picture->dots;
    }
}

uint32_t *vga_scan_graphics(struct vga *vga, const struct vga_picture *picture, const struct vga_scan *scan,
                            const struct vga_colours *colours)
{
    serialize_line(vga, picture, scan);
    uint32_t *to = vga->line;
    if (picture->eight_bit) {
        const uint8_t *dots = vga->dots + (scan->panning & ~1u);
        for (uint32_t x = 0; x < picture->width; x++) {
            to[x] = colours->pixel[dots[2 * x] << 4 | dots[2 * x + 1]];
        }
    } else {
        const uint8_t *dots = vga->dots + scan->panning;
        for (uint32_t x = 0; x < picture->width; x++) {
            to[x] = colours->attribute[dots[x]];
        }
    }
    return to;
}

static uint32_t from_15_bits(uint32_t pixel)
{
    uint32_t red = pixel >> 10 & 0x1f, green = pixel >> 5 & 0x1f, blue = pixel & 0x1f;
    return (red << 3 | red >> 2) << 16 | (green << 3 | green >> 2) << 8 | (blue << 3 | blue >> 2);
}

static uint32_t from_16_bits(uint32_t pixel)
{
    uint32_t red = pixel >> 11, green = pixel >> 5 & 0x3f, blue = pixel & 0x1f;
    return (red << 3 | red >> 2) << 16 | (green << 2 | green >> 4) << 8 | (blue << 3 | blue >> 2);
}

static uint32_t *scan_dispi_planar(struct vga *vga, uint32_t width, uint32_t line,
                                   const struct vga_colours *colours)
{
    uint32_t left = vga->dispi.reg[DISPI_X_OFFSET];
    uint32_t offset = line * vga->dispi.pitch + left / 8;
    uint8_t dots[8];
    for (uint32_t x = 0; x < width + 8; x += 8) {
        serialize_planes(vga_plane_bytes(vga, offset++), dots);
        for (unsigned i = 0; i < 8; i++) {
            vga->line[x + i] = colours->attribute[dots[i]];
        }
    }
    return vga->line + left % 8;
}

uint32_t *vga_scan_dispi(struct vga *vga, const struct vga_picture *picture, uint32_t row,
                         const struct vga_colours *colours)
{
    uint32_t bits = vga_dispi_pixel_bits(vga);
    uint32_t width = picture->width;
    uint32_t line = row + vga->dispi.reg[DISPI_Y_OFFSET];
    uint32_t *to = vga->line;
    if (bits == 4) {
        return scan_dispi_planar(vga, width, line, colours);
    }
    uint64_t start = (uint64_t)line * vga->dispi.pitch + vga->dispi.reg[DISPI_X_OFFSET] * bits / 8;
    if (start + width * bits / 8 > vga->vram_size) {
        memset(to, 0, width * sizeof *to);
        return to;
    }
    const uint8_t *from = vga->vram + start;
    switch (bits) {
    case 8:
        for (uint32_t x = 0; x < width; x++) {
            to[x] = vga->dac.rgb[from[x] & vga->dac.pel_mask];
        }
        break;
    case 16:
        if (vga->dispi.reg[DISPI_BPP] == 15) {
            for (uint32_t x = 0; x < width; x++) {
                to[x] = from_15_bits(load_le16(from + 2 * (size_t)x));
            }
        } else {
            for (uint32_t x = 0; x < width; x++) {
                to[x] = from_16_bits(load_le16(from + 2 * (size_t)x));
            }
        }
        break;
    case 24:
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t *pixel = from + 3 * (size_t)x;
            to[x] = (uint32_t)pixel[2] << 16 | (uint32_t)pixel[1] << 8 | pixel[0];
        }
        break;
    default:
        for (uint32_t x = 0; x < width; x++) {
            to[x] = load_le32(from + 4 * (size_t)x) & 0xffffff;
        }
        break;
    }
    return to;
}
