/* `info vga`: the picture's geometry in words, then every register. */
#include "devices/vga_internal.h"

static void describe_colours(const struct vga *vga, const struct vga_picture *picture, FILE *out)
{
    static const char *const shift[4] = {"16 colours, planes", "4 colours, CGA pairs", "nibbles", "nibbles"};
    if (picture->eight_bit) {
        bool chained = (vga->sequencer[SEQUENCER_MEMORY_MODE] & 0x08) != 0;
        fprintf(out, ", 256 colours, %s", chained ? "chain-4" : "unchained");
    } else {
        fprintf(out, ", %s", shift[vga->graphics[GRAPHICS_MODE] >> 5 & 3]);
    }
}

static void describe_legacy(const struct vga *vga, const struct vga_picture *picture, FILE *out)
{
    fprintf(out, "%ux%u pixels, ", picture->width, picture->height);
    if (picture->kind == PICTURE_GRAPHICS) {
        fprintf(out, "each %u scan lines", picture->repeat);
        describe_colours(vga, picture, out);
    } else {
        fprintf(out, "%u columns of %ux%u characters", picture->columns, picture->dots,
                (vga->crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x1fu) + 1);
    }
    fprintf(out, "\nstart %04x (next %04x), offset %u, line compare %u, cursor %04x\n", vga->start_address,
            vga_programmed_start(vga), vga->crtc[CRTC_OFFSET] * 2u, vga_line_compare(vga),
            vga_cursor_address(vga));
}

static void describe_dispi(const struct vga *vga, FILE *out)
{
    const uint16_t *reg = vga->dispi.reg;
    fprintf(
        out,
        "%ux%u pixels of %u bits\nvirtual %ux%u, offset %u,%u, %u bytes a line, banks read %05x write %05x\n",
        reg[DISPI_XRES], reg[DISPI_YRES], reg[DISPI_BPP], reg[DISPI_VIRT_WIDTH], reg[DISPI_VIRT_HEIGHT],
        reg[DISPI_X_OFFSET], reg[DISPI_Y_OFFSET], vga->dispi.pitch, vga->dispi.read_bank,
        vga->dispi.write_bank);
}

static void describe_registers(const char *name, const uint8_t *registers, size_t count, FILE *out)
{
    fprintf(out, "%-10s", name);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " %02x", registers[i]);
    }
    fputc('\n', out);
}

static void describe_mapping(const char *name, uint64_t base, uint64_t length, FILE *out)
{
    if (base != VGA_UNMAPPED) {
        fprintf(out, "%s at %08llx, %llu KiB\n", name, (unsigned long long)base,
                (unsigned long long)(length / KIB));
    }
}

void vga_describe(struct device *device, FILE *out)
{
    static const char *const kinds[] = {"off", "blank", "text", "graphics", "DISPI"};
    struct vga *vga = CONTAINER_OF(device, struct vga, device);
    struct vga_picture picture;
    vga_picture_get(vga, &picture);
    fprintf(out, "mode: %s", kinds[picture.kind]);
    if (picture.kind == PICTURE_OFF) {
        fputc('\n', out);
    } else {
        fputs(", ", out);
        if (vga_dispi_enabled(vga)) {
            describe_dispi(vga, out);
        } else {
            describe_legacy(vga, &picture, out);
        }
        fprintf(out, "frame %.3f ms, %u lines shown, retrace at line %u\n",
                (double)vga->timing.frame_ps / 1e9, vga->timing.display_lines, vga->timing.retrace_start);
    }
    fprintf(out, "misc %02x, feature %02x, subsystem %02x, attribute index %02x, PEL mask %02x\n", vga->misc,
            vga->feature_control, vga->subsystem_enable, vga->attribute_index, vga->dac.pel_mask);
    describe_registers("sequencer", vga->sequencer, ARRAY_COUNT(vga->sequencer), out);
    describe_registers("crtc", vga->crtc, ARRAY_COUNT(vga->crtc), out);
    describe_registers("graphics", vga->graphics, ARRAY_COUNT(vga->graphics), out);
    describe_registers("attribute", vga->attribute, ARRAY_COUNT(vga->attribute), out);
    fprintf(out, "window at a0000: %s\n",
            vga->direct.in_force ? "display memory itself" : "by way of the adapter");
    describe_mapping("framebuffer", vga->lfb_base, vga->vram_size, out);
    describe_mapping("registers", vga->mmio_base, VGA_MMIO_SIZE, out);
}
