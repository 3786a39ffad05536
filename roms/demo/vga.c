/*
 * See vga.h. IBM VGA technical reference: sequencer, CRT controller, graphics and attribute controllers, DAC.
 *
 * Mode 13h is chain 4: its pixels lie across all four planes, so they overwrite the text, its attributes and
 * the font in plane 2. That is why going there saves the registers, the DAC and the font, whatever the BIOS
 * had chosen, and why the text screen has a copy in memory (which also spares slow reads when it scrolls).
 */
#include "vga.h"

#include "text.h"
#include "x86.h"

#define TEXT_MEMORY     ((volatile uint16_t *)0xb8000)
#define GRAPHICS_MEMORY ((volatile uint8_t *)0xa0000)

#define ATTRIBUTE_PORT  0x3c0
#define ATTRIBUTE_READ  0x3c1
#define MISC_WRITE      0x3c2
#define MISC_READ       0x3cc
#define SEQUENCER_PORT  0x3c4
#define DAC_READ_INDEX  0x3c7
#define DAC_WRITE_INDEX 0x3c8
#define DAC_DATA        0x3c9
#define GRAPHICS_PORT   0x3ce
#define CRTC_PORT       0x3d4
#define STATUS_PORT     0x3da

#define SEQUENCER_COUNT 5
#define CRTC_COUNT      25
#define GRAPHICS_COUNT  9
#define ATTRIBUTE_COUNT 21
#define PALETTE_COUNT   16
#define DAC_COUNT       256

#define SEQUENCER_RESET      0x00
#define SEQUENCER_MAP_MASK   0x02
#define SEQUENCER_MEMORY     0x04
#define GRAPHICS_READ_MAP    0x04
#define GRAPHICS_MODE        0x05
#define GRAPHICS_MISC        0x06
#define CRTC_CURSOR_START    0x0a
#define CRTC_CURSOR_END      0x0b
#define CRTC_CURSOR_HIGH     0x0e
#define CRTC_CURSOR_LOW      0x0f
#define CRTC_RETRACE_END     0x11
#define CRTC_PROTECT         0x80 /* in CRTC_RETRACE_END: registers 0 to 7 are read-only */
#define ATTRIBUTE_MODE       0x10
#define ATTRIBUTE_MODE_BLINK 0x08
#define ATTRIBUTE_SHOW       0x20 /* in the index: the palette belongs to the display again */
#define CURSOR_FIRST_LINE    13
#define CURSOR_LAST_LINE     15

#define FONT_PLANE 2
#define FONT_SIZE  (256 * 32)

struct vga_registers {
    uint8_t misc;
    uint8_t sequencer[SEQUENCER_COUNT];
    uint8_t crtc[CRTC_COUNT];
    uint8_t graphics[GRAPHICS_COUNT];
    uint8_t attribute[ATTRIBUTE_COUNT];
};

// clang-format off
static const struct vga_registers mode_13h = {
    .misc = 0x63,
    .sequencer = {0x03, 0x01, 0x0f, 0x00, 0x0e},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    .graphics = {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff},
    .attribute = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
                  0x41, 0x00, 0x0f, 0x00, 0x00},
};

/* The sixteen colours in IBM's order, a little softer than IBM's; 8 bits a channel. */
static const uint8_t text_palette[PALETTE_COUNT][3] = {
    {0x0e, 0x12, 0x1c}, {0x20, 0x38, 0x80}, {0x3c, 0xa0, 0x55}, {0x2c, 0x94, 0xa8},
    {0xa8, 0x34, 0x3c}, {0x84, 0x50, 0xb0}, {0xb8, 0x84, 0x38}, {0xbc, 0xc4, 0xd4},
    {0x68, 0x74, 0x90}, {0x6c, 0x98, 0xfc}, {0x88, 0xdc, 0x80}, {0x7c, 0xe0, 0xec},
    {0xfc, 0x80, 0x78}, {0xd4, 0x98, 0xfc}, {0xfc, 0xd8, 0x68}, {0xfc, 0xfc, 0xfc},
};
// clang-format on

static struct {
    bool is_vga;
    bool in_graphics;
    uint16_t cells[VGA_ROWS * VGA_COLUMNS];
    struct vga_registers text_registers;
    uint8_t text_dac[DAC_COUNT * 3];
    uint8_t font[FONT_SIZE];
} vga;

static uint8_t indexed_read(uint16_t port, uint8_t index)
{
    port_write8(port, index);
    return port_read8((uint16_t)(port + 1));
}

static void indexed_write(uint16_t port, uint8_t index, uint8_t value)
{
    port_write8(port, index);
    port_write8((uint16_t)(port + 1), value);
}

/* Reading the status port makes the next write to the attribute port an index. */
static void attribute_write(uint8_t index, uint8_t value)
{
    (void)port_read8(STATUS_PORT);
    port_write8(ATTRIBUTE_PORT, index);
    port_write8(ATTRIBUTE_PORT, value);
}

static uint8_t attribute_read(uint8_t index)
{
    (void)port_read8(STATUS_PORT);
    port_write8(ATTRIBUTE_PORT, index);
    return port_read8(ATTRIBUTE_READ);
}

static void attribute_show(void)
{
    (void)port_read8(STATUS_PORT);
    port_write8(ATTRIBUTE_PORT, ATTRIBUTE_SHOW);
}

static void registers_read(struct vga_registers *registers)
{
    registers->misc = port_read8(MISC_READ);
    for (uint8_t i = 0; i < SEQUENCER_COUNT; i++)
        registers->sequencer[i] = indexed_read(SEQUENCER_PORT, i);
    for (uint8_t i = 0; i < CRTC_COUNT; i++)
        registers->crtc[i] = indexed_read(CRTC_PORT, i);
    for (uint8_t i = 0; i < GRAPHICS_COUNT; i++)
        registers->graphics[i] = indexed_read(GRAPHICS_PORT, i);
    for (uint8_t i = 0; i < ATTRIBUTE_COUNT; i++)
        registers->attribute[i] = attribute_read(i);
    attribute_show();
}

/* The clock in misc may only change while the sequencer is in reset. */
static void registers_write(const struct vga_registers *registers)
{
    indexed_write(SEQUENCER_PORT, SEQUENCER_RESET, 0x01);
    port_write8(MISC_WRITE, registers->misc);
    for (uint8_t i = 1; i < SEQUENCER_COUNT; i++)
        indexed_write(SEQUENCER_PORT, i, registers->sequencer[i]);
    indexed_write(SEQUENCER_PORT, SEQUENCER_RESET, registers->sequencer[0]);
    indexed_write(CRTC_PORT, CRTC_RETRACE_END, registers->crtc[CRTC_RETRACE_END] & (uint8_t)~CRTC_PROTECT);
    for (uint8_t i = 0; i < CRTC_COUNT; i++) {
        if (i != CRTC_RETRACE_END)
            indexed_write(CRTC_PORT, i, registers->crtc[i]);
    }
    indexed_write(CRTC_PORT, CRTC_RETRACE_END, registers->crtc[CRTC_RETRACE_END]);
    for (uint8_t i = 0; i < GRAPHICS_COUNT; i++)
        indexed_write(GRAPHICS_PORT, i, registers->graphics[i]);
    for (uint8_t i = 0; i < ATTRIBUTE_COUNT; i++)
        attribute_write(i, registers->attribute[i]);
    attribute_show();
}

static void dac_read(uint8_t *dac)
{
    port_write8(DAC_READ_INDEX, 0);
    for (unsigned i = 0; i < DAC_COUNT * 3; i++)
        dac[i] = port_read8(DAC_DATA);
}

static void dac_write(const uint8_t *dac)
{
    port_write8(DAC_WRITE_INDEX, 0);
    for (unsigned i = 0; i < DAC_COUNT * 3; i++)
        port_write8(DAC_DATA, dac[i]);
}

/* Makes plane 2 plain memory at A0000h, as the BIOS does to load a font. */
static void font_open(void)
{
    indexed_write(SEQUENCER_PORT, SEQUENCER_MAP_MASK, 1u << FONT_PLANE);
    indexed_write(SEQUENCER_PORT, SEQUENCER_MEMORY, 0x07); /* no odd and even planes */
    indexed_write(GRAPHICS_PORT, GRAPHICS_READ_MAP, FONT_PLANE);
    indexed_write(GRAPHICS_PORT, GRAPHICS_MODE, 0x00);
    indexed_write(GRAPHICS_PORT, GRAPHICS_MISC, 0x04); /* 64 KiB at A0000h */
}

static void font_close(const struct vga_registers *registers)
{
    static const uint8_t sequencer_indices[] = {SEQUENCER_MAP_MASK, SEQUENCER_MEMORY};
    static const uint8_t graphics_indices[] = {GRAPHICS_READ_MAP, GRAPHICS_MODE, GRAPHICS_MISC};
    for (unsigned i = 0; i < sizeof(sequencer_indices); i++)
        indexed_write(SEQUENCER_PORT, sequencer_indices[i], registers->sequencer[sequencer_indices[i]]);
    for (unsigned i = 0; i < sizeof(graphics_indices); i++)
        indexed_write(GRAPHICS_PORT, graphics_indices[i], registers->graphics[graphics_indices[i]]);
}

static void show_cells(void)
{
    for (unsigned i = 0; i < VGA_ROWS * VGA_COLUMNS; i++)
        TEXT_MEMORY[i] = vga.cells[i];
}

void vga_init(bool is_vga)
{
    vga.is_vga = is_vga;
    if (!is_vga)
        return;
    uint8_t mode = attribute_read(ATTRIBUTE_MODE);
    attribute_write(ATTRIBUTE_MODE, mode & (uint8_t)~ATTRIBUTE_MODE_BLINK);
    uint8_t dac_index[PALETTE_COUNT];
    for (uint8_t i = 0; i < PALETTE_COUNT; i++)
        dac_index[i] = attribute_read(i);
    attribute_show();
    for (uint8_t i = 0; i < PALETTE_COUNT; i++)
        vga_set_color(dac_index[i], text_palette[i][0] / 4, text_palette[i][1] / 4, text_palette[i][2] / 4);
    indexed_write(CRTC_PORT, CRTC_CURSOR_START, CURSOR_FIRST_LINE);
    indexed_write(CRTC_PORT, CRTC_CURSOR_END, CURSOR_LAST_LINE);
}

void vga_put(unsigned row, unsigned column, char character, uint8_t attribute)
{
    unsigned at = row * VGA_COLUMNS + column;
    vga.cells[at] = (uint16_t)((uint8_t)character | attribute << 8);
    if (!vga.in_graphics)
        TEXT_MEMORY[at] = vga.cells[at];
}

void vga_fill(unsigned first_row, unsigned rows, uint8_t attribute)
{
    for (unsigned row = first_row; row < first_row + rows; row++) {
        for (unsigned column = 0; column < VGA_COLUMNS; column++)
            vga_put(row, column, ' ', attribute);
    }
}

void vga_scroll(unsigned first_row, unsigned rows, uint8_t attribute)
{
    uint16_t *first = vga.cells + first_row * VGA_COLUMNS;
    memmove(first, first + VGA_COLUMNS, (rows - 1) * VGA_COLUMNS * sizeof(*first));
    for (unsigned i = first_row * VGA_COLUMNS; !vga.in_graphics && i < (first_row + rows - 1) * VGA_COLUMNS;
         i++)
        TEXT_MEMORY[i] = vga.cells[i];
    vga_fill(first_row + rows - 1, 1, attribute);
}

void vga_set_cursor(unsigned row, unsigned column)
{
    unsigned at = row * VGA_COLUMNS + column;
    indexed_write(CRTC_PORT, CRTC_CURSOR_HIGH, (uint8_t)(at >> 8));
    indexed_write(CRTC_PORT, CRTC_CURSOR_LOW, (uint8_t)at);
}

void vga_save_cells(uint16_t *cells)
{
    memcpy(cells, vga.cells, sizeof(vga.cells));
}

void vga_restore_cells(const uint16_t *cells)
{
    memcpy(vga.cells, cells, sizeof(vga.cells));
    if (!vga.in_graphics)
        show_cells();
}

bool vga_enter_graphics(void)
{
    if (!vga.is_vga || vga.in_graphics)
        return false;
    registers_read(&vga.text_registers);
    dac_read(vga.text_dac);
    font_open();
    for (unsigned i = 0; i < FONT_SIZE; i++)
        vga.font[i] = GRAPHICS_MEMORY[i];
    font_close(&vga.text_registers);

    vga.in_graphics = true;
    for (unsigned i = 0; i < DAC_COUNT; i++)
        vga_set_color((uint8_t)i, 0, 0, 0);
    registers_write(&mode_13h);
    for (unsigned i = 0; i < VGA_PIXELS; i++)
        GRAPHICS_MEMORY[i] = 0;
    return true;
}

void vga_leave_graphics(void)
{
    if (!vga.in_graphics)
        return;
    for (unsigned i = 0; i < DAC_COUNT; i++)
        vga_set_color((uint8_t)i, 0, 0, 0);
    font_open();
    for (unsigned i = 0; i < FONT_SIZE; i++)
        GRAPHICS_MEMORY[i] = vga.font[i];
    registers_write(&vga.text_registers);
    vga.in_graphics = false;
    show_cells();
    dac_write(vga.text_dac);
}

void vga_show_pixels(const uint8_t *pixels)
{
    if (vga.in_graphics)
        memcpy((void *)(uintptr_t)GRAPHICS_MEMORY, pixels, VGA_PIXELS);
}

void vga_set_color(uint8_t index, uint8_t red, uint8_t green, uint8_t blue)
{
    port_write8(DAC_WRITE_INDEX, index);
    port_write8(DAC_DATA, red);
    port_write8(DAC_DATA, green);
    port_write8(DAC_DATA, blue);
}
