/* A machine with nothing but a display adapter, for the tests of the adapter.
 *
 * Everything goes through the buses as a guest's accesses would. Time is counted: it moves only with
 * vga_bench_advance(). */
#ifndef DOPPEL_TESTS_DEVICES_VGA_BENCH_H
#define DOPPEL_TESTS_DEVICES_VGA_BENCH_H

#include "devices/vga.h"

struct vga_bench {
    struct log log;
    struct counters counters;
    struct memory_bus *memory;
    struct port_bus *ports;
    uint64_t retired; /* virtual ns */
    struct event_clock *clock;
    struct vga *vga;
    struct display_source display;
    struct display_frame *frame;
    bool irq_level;
    unsigned irq_edges;
};

/* What a mode set programs: IBM's video parameter tables. */
struct vga_mode {
    const char *name;
    uint32_t width, height;
    bool text;
    uint8_t misc;
    uint8_t sequencer[4]; /* registers 1-4 */
    uint8_t crtc[25];
    uint8_t attribute[20];
    uint8_t graphics[9];
};

enum vga_mode_index {
    MODE_1,
    MODE_3,
    MODE_4,
    MODE_6,
    MODE_7,
    MODE_D,
    MODE_E,
    MODE_F,
    MODE_10,
    MODE_11,
    MODE_12,
    MODE_13,
    MODE_X,       /* 320x240 unchained */
    MODE_360X480, /* unchained */
    MODE_COUNT
};

extern const struct vga_mode vga_modes[MODE_COUNT];

/* cmocka set-up and tear-down; *state is a struct vga_bench with the default configuration. */
int vga_bench_setup(void **state);
int vga_bench_setup_with_border(void **state);
int vga_bench_teardown(void **state);

void vga_bench_out(struct vga_bench *bench, uint16_t port, uint8_t value);
uint8_t vga_bench_in(struct vga_bench *bench, uint16_t port);

/* Indexed registers; the CRTC at the address that misc output selects. Attribute writes leave the display on.
 */
void vga_bench_sequencer(struct vga_bench *bench, uint8_t index, uint8_t value);
void vga_bench_graphics(struct vga_bench *bench, uint8_t index, uint8_t value);
void vga_bench_crtc(struct vga_bench *bench, uint8_t index, uint8_t value);
uint8_t vga_bench_crtc_read(struct vga_bench *bench, uint8_t index);
void vga_bench_attribute(struct vga_bench *bench, uint8_t index, uint8_t value);
uint8_t vga_bench_attribute_read(struct vga_bench *bench, uint8_t index);
void vga_bench_dac(struct vga_bench *bench, uint8_t index, uint8_t red, uint8_t green, uint8_t blue);

/* DISPI registers. */
void vga_bench_dispi(struct vga_bench *bench, uint16_t index, uint16_t value);
uint16_t vga_bench_dispi_read(struct vga_bench *bench, uint16_t index);

/* Sets a mode, clears display memory, and gives DAC entry n the colour vga_bench_colour(n). */
void vga_bench_set_mode(struct vga_bench *bench, enum vga_mode_index mode);
uint32_t vga_bench_colour(uint8_t index);

void vga_bench_poke(struct vga_bench *bench, uint32_t phys, uint8_t value);
uint8_t vga_bench_peek(struct vga_bench *bench, uint32_t phys);

/* Stores 32 bytes of font `map` (0..7 in the order of 8 KiB blocks), as a BIOS does it. Text modes only. */
void vga_bench_load_glyph(struct vga_bench *bench, unsigned map, uint8_t character, const uint8_t rows[32]);

/* Lets `ns` pass and runs what is due. */
void vga_bench_advance(struct vga_bench *bench, uint64_t ns);

/* Renders, and fails unless the frame has this size. */
void vga_bench_render(struct vga_bench *bench);
uint32_t vga_bench_pixel(struct vga_bench *bench, uint32_t x, uint32_t y);
void vga_bench_expect_size(struct vga_bench *bench, uint32_t width, uint32_t height);

/* Fails with the place when pixel (x, y) is not `colour`. */
#define vga_bench_expect_pixel(bench, x, y, colour) expect_pixel_at(bench, x, y, colour, __FILE__, __LINE__)
void expect_pixel_at(struct vga_bench *bench, uint32_t x, uint32_t y, uint32_t colour, const char *file,
                     int line);

#endif
