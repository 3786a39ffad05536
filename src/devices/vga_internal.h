/* What the files of the display adapter share: its state and the meaning of its registers.
 *
 * Display memory is `vram`. The four planes of the standard modes lie in it as 32-bit cells, plane n in byte
 * n, so that one load fetches all latches. Cell numbers are permuted (vga_cell) such that chain-4 addressing,
 * which spreads a 64 KiB window over every fourth offset of each plane, is the identity: byte a of the window
 * is vram[a], as it is in DISPI modes.
 *
 * Every register value is possible at any time. Each user of display memory masks or checks its own
 * addresses. */
#ifndef DOPPEL_DEVICES_VGA_INTERNAL_H
#define DOPPEL_DEVICES_VGA_INTERNAL_H

#include "base/bits.h"
#include "devices/vga.h"

#define VGA_WINDOW_BASE 0xa0000u
#define VGA_WINDOW_SIZE 0x20000u
#define VGA_WINDOW_HALF 0x10000u /* what is claimed together */

#define DISPI_MAX_WIDTH  4096u
#define DISPI_MAX_HEIGHT 2400u
#define DISPI_MAX_PITCH  8192u /* pixels from line to line */

#define VGA_MAX_COLUMNS 256u
/* Pixels of the longest scan line, with room for a character scrolled in from the right and a border on both
 * sides. */
#define VGA_LINE_PIXELS (DISPI_MAX_WIDTH + 64u)

enum vga_sequencer_register {
    SEQUENCER_RESET = 0,
    SEQUENCER_CLOCKING = 1,
    SEQUENCER_MAP_MASK = 2,
    SEQUENCER_CHARACTER_MAP = 3,
    SEQUENCER_MEMORY_MODE = 4
};

enum vga_graphics_register {
    GRAPHICS_SET_RESET = 0,
    GRAPHICS_ENABLE_SET_RESET = 1,
    GRAPHICS_COLOUR_COMPARE = 2,
    GRAPHICS_DATA_ROTATE = 3,
    GRAPHICS_READ_MAP = 4,
    GRAPHICS_MODE = 5,
    GRAPHICS_MISC = 6,
    GRAPHICS_COLOUR_DONT_CARE = 7,
    GRAPHICS_BIT_MASK = 8
};

enum vga_crtc_register {
    CRTC_HORIZONTAL_TOTAL = 0x00,
    CRTC_HORIZONTAL_DISPLAY_END = 0x01,
    CRTC_HORIZONTAL_BLANK_START = 0x02,
    CRTC_HORIZONTAL_BLANK_END = 0x03,
    CRTC_HORIZONTAL_RETRACE_END = 0x05,
    CRTC_VERTICAL_TOTAL = 0x06,
    CRTC_OVERFLOW = 0x07,
    CRTC_PRESET_ROW_SCAN = 0x08,
    CRTC_MAXIMUM_SCAN_LINE = 0x09,
    CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_VERTICAL_RETRACE_START = 0x10,
    CRTC_VERTICAL_RETRACE_END = 0x11,
    CRTC_VERTICAL_DISPLAY_END = 0x12,
    CRTC_OFFSET = 0x13,
    CRTC_UNDERLINE = 0x14,
    CRTC_VERTICAL_BLANK_START = 0x15,
    CRTC_VERTICAL_BLANK_END = 0x16,
    CRTC_MODE_CONTROL = 0x17,
    CRTC_LINE_COMPARE = 0x18,
    CRTC_REGISTER_COUNT = 0x19
};

enum vga_attribute_register {
    ATTRIBUTE_MODE = 0x10,
    ATTRIBUTE_OVERSCAN = 0x11,
    ATTRIBUTE_PLANE_ENABLE = 0x12,
    ATTRIBUTE_PANNING = 0x13,
    ATTRIBUTE_COLOUR_SELECT = 0x14,
    ATTRIBUTE_REGISTER_COUNT = 0x15
};

enum vga_dispi_register {
    DISPI_ID = 0,
    DISPI_XRES = 1,
    DISPI_YRES = 2,
    DISPI_BPP = 3,
    DISPI_ENABLE = 4,
    DISPI_BANK = 5,
    DISPI_VIRT_WIDTH = 6,
    DISPI_VIRT_HEIGHT = 7,
    DISPI_X_OFFSET = 8,
    DISPI_Y_OFFSET = 9,
    DISPI_VIDEO_MEMORY_64K = 10,
    DISPI_REGISTER_COUNT = 11
};

enum vga_dispi_enable {
    DISPI_ENABLED = 0x01,
    DISPI_GETCAPS = 0x02,
    DISPI_BANK_32K = 0x10,
    DISPI_8BIT_DAC = 0x20,
    DISPI_LFB = 0x40,
    DISPI_NOCLEARMEM = 0x80
};

struct vga_dac {
    uint8_t entry[256][3]; /* red, green, blue as the guest wrote them: 6 bits, or 8 when eight_bit */
    uint32_t rgb[256];     /* the same as 0x00RRGGBB */
    uint8_t pel_mask;
    uint8_t address;    /* what 3C8h reads; the entry a write goes to */
    uint8_t read_index; /* the entry a read comes from */
    uint8_t component;  /* 0..2: next of the three */
    uint8_t pending[3]; /* components of an entry that is not complete */
    bool reading;       /* 3C7h was written last */
    bool eight_bit;
};

#define VGA_LFB_UNIT (64 * KIB) /* of the linear framebuffer: what becomes open for stores together */

struct vga_dispi {
    uint16_t index;
    uint16_t reg[DISPI_REGISTER_COUNT];
    uint32_t pitch;                 /* bytes from line to line; per plane with 4 bits per pixel */
    uint32_t read_bank, write_bank; /* byte offset of the banked window */
};

/* How the CPU's window reaches display memory now: a digest of the sequencer's, the graphics controller's and
 * DISPI's registers (vga_window_update). */
struct vga_window {
    uint32_t base, length; /* of the part of A0000h-BFFFFh that answers, relative to A0000h; length 0: none */
    uint8_t *linear_write; /* not NULL: stores go to linear_write[address] with nothing else to do */
    uint8_t *linear_read;  /* the same for loads */
    bool load_latches;     /* linear loads also load the latches */
    bool chain4;
    bool odd_even_write, odd_even_read;
    bool chain_odd_even;            /* address bit 0 selects planes and is replaced in the offset */
    uint32_t read_bank, write_bank; /* plane offsets added in planar DISPI modes */
    uint8_t map_mask;
    uint8_t read_map;
    uint8_t read_mode, write_mode;
    uint8_t rotate, function;
    uint32_t set_reset, enable_set_reset, bit_mask; /* one byte for each plane */
    uint32_t colour_compare, colour_care;
};

/* The window when nobody has to look at what passes through it (vga_direct.c). */
struct vga_direct {
    uint8_t *bytes;      /* what A0000h-AFFFFh is then; NULL: with the present registers nothing */
    bool in_force;       /* the bus has it */
    uint32_t accesses;   /* made by way of the adapter since `bytes` became what it is */
    uint32_t worthwhile; /* so many are needed */
    uint16_t open_pages; /* that the guest may write to without being seen, by bit */
    struct clock_event due;
};

/* The programmed scan timing, in picoseconds so that nothing drifts. */
struct vga_timing {
    uint64_t line_ps, frame_ps;
    uint64_t display_line_ps;            /* the part of a line with display enabled */
    uint32_t display_lines;              /* first line of vertical blanking by display end */
    uint32_t retrace_start, retrace_end; /* lines; end is exclusive and may lie beyond the total */
};

enum vga_picture_kind {
    PICTURE_OFF,   /* the CRTC does not run: no signal */
    PICTURE_BLANK, /* one colour */
    PICTURE_TEXT,
    PICTURE_GRAPHICS, /* standard modes */
    PICTURE_DISPI
};

/* Geometry of what is on the screen, from the registers. */
struct vga_picture {
    enum vga_picture_kind kind;
    uint32_t width, height; /* of the active area in pixels */
    uint32_t columns;       /* character clocks in a line */
    uint32_t dots;          /* in a character clock: 8 or 9 */
    uint32_t lines;         /* scan lines of the active area */
    uint32_t repeat;        /* scan lines that are one row of the picture */
    bool eight_bit;         /* two dots make one pixel of 256 colours */
    uint32_t border_left, border_right, border_top,
        border_bottom; /* pixels and rows, 0 unless borders are shown */
};

/* One of the two places where the CRTC and status registers can answer. */
struct vga_crtc_alias {
    struct vga *vga;
    bool colour; /* 3Dxh, not 3Bxh */
};

struct vga {
    struct device device;
    struct device_host host;
    struct irq_line vertical_interrupt;
    bool show_border;
    uint8_t *vram; /* at a page's beginning, within: */
    uint8_t *vram_allocation;
    uint64_t vram_size; /* a power of two */
    uint64_t lfb_base, mmio_base;

    uint8_t misc, feature_control, subsystem_enable;
    uint8_t sequencer_index, sequencer[5];
    uint8_t graphics_index, graphics[9];
    uint8_t crtc_index, crtc[CRTC_REGISTER_COUNT];
    uint8_t attribute_index; /* with bit 5, the palette address source */
    bool attribute_data_next;
    uint8_t attribute[ATTRIBUTE_REGISTER_COUNT];
    struct vga_dac dac;
    struct vga_dispi dispi;

    struct vga_window window;
    struct vga_direct direct;
    uint32_t latch; /* plane n in bits 8n..8n+7 */

    struct vga_timing timing;
    uint64_t frame_epoch;   /* virtual ns at which a frame began */
    uint16_t start_address; /* as latched at the last vertical retrace */
    struct clock_event retrace_event, interrupt_event;
    bool interrupt_pending;

    /* Which VGA_LFB_UNITs of the linear framebuffer the guest may write to without being seen, by bit. */
    uint64_t open_units[VGA_MAX_VRAM / VGA_LFB_UNIT / 64];
    bool dirty;                              /* something visible may have changed since the last drawing */
    const struct display_frame *drawn_frame; /* compared only, never followed */
    uint64_t drawn_generation;
    uint64_t drawn_blink_phase;
    uint32_t line[VGA_LINE_PIXELS];
    uint8_t
        dots[VGA_MAX_COLUMNS * 9 + 32]; /* colour indices of a scan line before the attribute controller */

    struct vga_crtc_alias alias[2];
    struct io_region ports[6];
};

/* The 32-bit cell that holds offset `offset` of the four planes. Above the 64 KiB of a real VGA (planar DISPI
 * modes) each 64 KiB repeats the pattern. */
static inline uint32_t vga_cell(uint32_t offset)
{
    uint32_t low = offset & 0xffff;
    return (offset & ~0xffffu) | ((low ^ (low >> 14)) & 3) << 14 | low >> 2;
}

/* All planes' bytes at plane offset `offset`, which wraps at the end of display memory. */
static inline uint8_t *vga_plane_bytes(struct vga *vga, uint32_t offset)
{
    return vga->vram + (size_t)vga_cell(offset & (uint32_t)(vga->vram_size / 4 - 1)) * 4;
}

static inline bool vga_dispi_enabled(const struct vga *vga)
{
    return (vga->dispi.reg[DISPI_ENABLE] & DISPI_ENABLED) != 0;
}

static inline bool vga_dispi_planar(const struct vga *vga)
{
    return vga_dispi_enabled(vga) && vga->dispi.reg[DISPI_BPP] == 4;
}

static inline bool vga_crtc_running(const struct vga *vga)
{
    return (vga->crtc[CRTC_MODE_CONTROL] & 0x80) != 0;
}

/* Character clocks of a whole line. */
static inline uint32_t vga_horizontal_total(const struct vga *vga)
{
    return vga->crtc[CRTC_HORIZONTAL_TOTAL] + 5u;
}

/* Character clocks with display enabled. */
static inline uint32_t vga_horizontal_display(const struct vga *vga)
{
    return vga->crtc[CRTC_HORIZONTAL_DISPLAY_END] + 1u;
}

/* Scan lines for one step of the vertical counter: the CRTC may clock it with every second line. */
static inline uint32_t vga_vertical_scale(const struct vga *vga)
{
    return (vga->crtc[CRTC_MODE_CONTROL] & 0x04) != 0 ? 2 : 1;
}

/* The 10-bit vertical values in steps of the vertical counter: the low byte of register `index` with bit 8 in
 * bit `bit8` and bit 9 in bit `bit9` of the overflow register. */
static inline uint32_t vga_vertical_value(const struct vga *vga, unsigned index, unsigned bit8, unsigned bit9)
{
    uint32_t overflow = vga->crtc[CRTC_OVERFLOW];
    return vga->crtc[index] | (overflow >> bit8 & 1) << 8 | (overflow >> bit9 & 1) << 9;
}

static inline uint32_t vga_vertical_total(const struct vga *vga)
{
    return vga_vertical_value(vga, CRTC_VERTICAL_TOTAL, 0, 5) + 2;
}

static inline uint32_t vga_vertical_display(const struct vga *vga)
{
    return vga_vertical_value(vga, CRTC_VERTICAL_DISPLAY_END, 1, 6) + 1;
}

static inline uint32_t vga_vertical_retrace_start(const struct vga *vga)
{
    return vga_vertical_value(vga, CRTC_VERTICAL_RETRACE_START, 2, 7);
}

static inline uint32_t vga_vertical_blank_start(const struct vga *vga)
{
    uint32_t bit9 = vga->crtc[CRTC_MAXIMUM_SCAN_LINE] >> 5 & 1u;
    return vga->crtc[CRTC_VERTICAL_BLANK_START] | (vga->crtc[CRTC_OVERFLOW] >> 3 & 1u) << 8 | bit9 << 9;
}

static inline uint32_t vga_line_compare(const struct vga *vga)
{
    uint32_t bit9 = vga->crtc[CRTC_MAXIMUM_SCAN_LINE] >> 6 & 1u;
    return vga->crtc[CRTC_LINE_COMPARE] | (vga->crtc[CRTC_OVERFLOW] >> 4 & 1u) << 8 | bit9 << 9;
}

static inline uint32_t vga_programmed_start(const struct vga *vga)
{
    return (uint32_t)vga->crtc[CRTC_START_HIGH] << 8 | vga->crtc[CRTC_START_LOW];
}

static inline uint32_t vga_cursor_address(const struct vga *vga)
{
    return (uint32_t)vga->crtc[CRTC_CURSOR_HIGH] << 8 | vga->crtc[CRTC_CURSOR_LOW];
}

/* vga_ports.c: registers. `port` is 3C0h-3DFh. */
uint8_t vga_register_read(struct vga *vga, unsigned port);
void vga_register_write(struct vga *vga, unsigned port, uint8_t value);
struct status vga_ports_claim(struct vga *vga) STATUS_MUST_CHECK;
void vga_ports_release(struct vga *vga);
void vga_registers_reset(struct vga *vga);

/* vga_dac.c */
uint8_t vga_dac_read(struct vga_dac *dac, unsigned port);
void vga_dac_write(struct vga_dac *dac, unsigned port, uint8_t value);
void vga_dac_set_width(struct vga_dac *dac, bool eight_bit);

/* vga_memory.c: offsets are relative to A0000h. */
void vga_window_update(struct vga *vga);
uint64_t vga_memory_read(void *opaque, uint64_t offset, unsigned width);
void vga_memory_write(void *opaque, uint64_t offset, unsigned width, uint64_t value);

/* vga_direct.c */
void vga_direct_create(struct vga *vga);
void vga_direct_destroy(struct vga *vga);
/* The registers have changed: vga->window is up to date. */
void vga_direct_update(struct vga *vga);
/* The adapter was reset. */
void vga_direct_reset(struct vga *vga);
/* The adapter has made a load or a store that the window could make without it. */
void vga_direct_count(struct vga *vga);
/* Whether display memory may have been changed through the window without being seen. */
bool vga_direct_is_open(const struct vga *vga);
/* Display memory has been drawn: the next stores to the window are to be seen. */
void vga_direct_watch(struct vga *vga);

/* vga_vbe.c */
void vga_dispi_reset(struct vga *vga);
uint16_t vga_dispi_read(struct vga *vga, unsigned index);
void vga_dispi_write(struct vga *vga, unsigned index, uint16_t value);
/* Bits of display memory per pixel of the present DISPI mode. */
uint32_t vga_dispi_pixel_bits(const struct vga *vga);

/* vga_timing.c */
void vga_timing_create(struct vga *vga);
void vga_timing_destroy(struct vga *vga);
/* Registers that matter to the timing changed. */
void vga_timing_update(struct vga *vga);
/* The start address was written: it takes effect at the next vertical retrace. */
void vga_timing_start_written(struct vga *vga);
/* CRTC register 11h was written. */
void vga_timing_interrupt_written(struct vga *vga);
/* Bits 0 and 3 of input status 1. */
uint8_t vga_timing_status(struct vga *vga);
/* Whole frames since power-on as the present timing counts them. */
uint64_t vga_timing_frames(struct vga *vga);

/* vga_lfb.c */

void vga_lfb_unmap(struct vga *vga);

/* Whether what `picture` shows may have been changed through the linear framebuffer without being seen. */
bool vga_lfb_is_open(const struct vga *vga, const struct vga_picture *picture);

/* `picture` has been drawn: the next stores to what it shows are to be seen. */
void vga_lfb_watch(struct vga *vga, const struct vga_picture *picture);

/* vga_render.c */
void vga_picture_get(const struct vga *vga, struct vga_picture *picture);
void vga_render(void *opaque, struct display_frame *frame, bool force);
void vga_read_text(void *opaque, struct display_frame *frame);

/* Where the CRTC is when it begins a scan line. */
struct vga_scan {
    uint32_t address;  /* the memory address counter */
    uint32_t row_scan; /* 0..31 */
    uint32_t panning;  /* dots */
};

struct vga_colours {
    uint32_t attribute[16]; /* after plane enable, palette, colour select and DAC */
    uint32_t pixel[256];    /* of eight-bit pixels that come through the attribute controller */
    bool blink_on;          /* blinking characters show */
    bool cursor_on;
};

struct vga_text_cell {
    uint8_t character, attribute;
    uint8_t foreground, background; /* indices of vga_colours.attribute */
};

/* vga_scanline.c: each vga_scan_ function draws one line of the active area in vga->line and returns its
 * first pixel. */
void vga_colours_get(const struct vga *vga, struct vga_colours *colours);
/* The CRTC's memory address counter as a plane offset. */
uint32_t vga_crtc_offset(const struct vga *vga, uint32_t counter, uint32_t row_scan);
/* The character that the CRTC fetches in character clock `column` of a line. */
struct vga_text_cell vga_text_cell_get(struct vga *vga, const struct vga_scan *scan, uint32_t column);
/* Whether the text cursor is in that cell, whatever its shape. */
bool vga_cursor_is_at(const struct vga *vga, const struct vga_scan *scan, uint32_t column);
uint32_t *vga_scan_text(struct vga *vga, const struct vga_picture *picture, const struct vga_scan *scan,
                        const struct vga_colours *colours);
uint32_t *vga_scan_graphics(struct vga *vga, const struct vga_picture *picture, const struct vga_scan *scan,
                            const struct vga_colours *colours);
uint32_t *vga_scan_dispi(struct vga *vga, const struct vga_picture *picture, uint32_t row,
                         const struct vga_colours *colours);

/* vga_describe.c */
void vga_describe(struct device *device, FILE *out);

#endif
