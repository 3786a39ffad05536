/* Graphics modes: from stores of the CPU to pixels, and the registers that move the picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vga_bench.h"

#define SCREEN     0xa0000u
#define CGA_SCREEN 0xb8000u

/* A colour number for each pixel: no two neighbours alike, every row different. */
static unsigned pattern(unsigned x, unsigned y, unsigned colours)
{
    return (x * 7 + y * 3 + x / 16 + y / 8) % colours;
}

/* Where the palette and DAC lead a 4-bit pixel in a mode of the table. */
static uint32_t planar_colour(enum vga_mode_index mode, unsigned pixel)
{
    const uint8_t *attribute = vga_modes[mode].attribute;
    return vga_bench_colour(attribute[pixel & attribute[0x12]]);
}

/* Plane by plane through the map mask, the slow and simple way. */
static void draw_planar_pixel(struct vga_bench *bench, unsigned x, unsigned y, unsigned bytes_per_line,
                              unsigned pixel)
{
    uint32_t at = SCREEN + y * bytes_per_line + x / 8;
    uint8_t bit = (uint8_t)(0x80 >> x % 8);
    for (uint8_t plane = 0; plane < 4; plane++) {
        vga_bench_sequencer(bench, 2, (uint8_t)(1 << plane));
        vga_bench_graphics(bench, 4, plane);
        uint8_t old = vga_bench_peek(bench, at);
        uint8_t set = (pixel >> plane & 1) != 0 ? bit : 0;
        vga_bench_poke(bench, at, (uint8_t)((old & ~bit) | set));
    }
    vga_bench_sequencer(bench, 2, 0x0f);
}

static void draw_unchained_pixel(struct vga_bench *bench, unsigned x, unsigned y, unsigned bytes_per_line,
                                 uint8_t pixel)
{
    vga_bench_sequencer(bench, 2, (uint8_t)(1 << (x & 3)));
    vga_bench_poke(bench, SCREEN + y * bytes_per_line + x / 4, pixel);
}

static void standard_graphics_modes_have_their_dimensions(void **state)
{
    struct vga_bench *bench = *state;
    for (unsigned i = 0; i < MODE_COUNT; i++) {
        const struct vga_mode *mode = &vga_modes[i];
        vga_bench_set_mode(bench, (enum vga_mode_index)i);
        vga_bench_render(bench);
        const struct display_frame *frame = bench->frame;
        if (frame->width != mode->width || frame->height != mode->height ||
            frame->text.active != mode->text) {
            fail_msg("mode %s is %ux%u, text %d; expected %ux%u, text %d", mode->name, frame->width,
                     frame->height, frame->text.active, mode->width, mode->height, mode->text);
        }
        assert_int_equal(bench->frame->aspect_width * 3, bench->frame->aspect_height * 4);
    }
}

static void planar_modes_show_what_was_drawn(void **state)
{
    struct vga_bench *bench = *state;
    static const enum vga_mode_index modes[] = {MODE_D, MODE_E, MODE_F, MODE_10, MODE_11, MODE_12};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        const struct vga_mode *mode = &vga_modes[modes[i]];
        vga_bench_set_mode(bench, modes[i]);
        if (modes[i] == MODE_F) {
            vga_bench_attribute(bench, 0x10, 0x03); /* no blinking */
        }
        unsigned first_row = mode->height - 24;
        for (unsigned y = first_row; y < mode->height; y++) {
            for (unsigned x = 0; x < mode->width; x++) {
                draw_planar_pixel(bench, x, y, mode->width / 8, pattern(x, y, 16));
            }
        }
        vga_bench_render(bench);
        for (unsigned y = first_row; y < mode->height; y++) {
            for (unsigned x = 0; x < mode->width; x++) {
                vga_bench_expect_pixel(bench, x, y, planar_colour(modes[i], pattern(x, y, 16)));
            }
        }
        vga_bench_expect_pixel(bench, 0, 0, planar_colour(modes[i], 0));
    }
}

static void cga_modes_interleave_even_and_odd_rows(void **state)
{
    struct vga_bench *bench = *state;
    static const struct {
        enum vga_mode_index mode;
        unsigned bits;
    } modes[] = {{MODE_4, 2}, {MODE_6, 1}};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        const struct vga_mode *mode = &vga_modes[modes[i].mode];
        unsigned bits = modes[i].bits, per_byte = 8 / bits;
        vga_bench_set_mode(bench, modes[i].mode);
        for (unsigned y = 0; y < 200; y++) {
            for (unsigned byte = 0; byte < 80; byte++) {
                unsigned value = 0;
                for (unsigned x = 0; x < per_byte; x++) {
                    value = value << bits | pattern(byte * per_byte + x, y, 1u << bits);
                }
                vga_bench_poke(bench, CGA_SCREEN + (y & 1) * 0x2000 + y / 2 * 80 + byte, (uint8_t)value);
            }
        }
        vga_bench_render(bench);
        for (unsigned y = 0; y < 200; y++) {
            for (unsigned x = 0; x < mode->width; x++) {
                vga_bench_expect_pixel(bench, x, y, planar_colour(modes[i].mode, pattern(x, y, 1u << bits)));
            }
        }
    }
}

static void mode_13h_is_a_byte_per_pixel(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13);
    for (unsigned i = 0; i < 320 * 200; i += 4) {
        uint32_t value = 0;
        for (unsigned j = 0; j < 4; j++) {
            value |= pattern((i + j) % 320, i / 320, 256) << j * 8;
        }
        memory_bus_write(bench->memory, SCREEN + i, 4, value);
    }
    vga_bench_render(bench);
    for (unsigned y = 0; y < 200; y++) {
        for (unsigned x = 0; x < 320; x++) {
            vga_bench_expect_pixel(bench, x, y, vga_bench_colour((uint8_t)pattern(x, y, 256)));
        }
    }
    vga_bench_poke(bench, SCREEN + 63999, 0xfe);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 319, 199, vga_bench_colour(0xfe));
    assert_int_equal(vga_bench_peek(bench, SCREEN + 63999), 0xfe);
}

static void unchained_modes_show_what_was_drawn(void **state)
{
    struct vga_bench *bench = *state;
    static const enum vga_mode_index modes[] = {MODE_X, MODE_360X480};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        const struct vga_mode *mode = &vga_modes[modes[i]];
        vga_bench_set_mode(bench, modes[i]);
        for (unsigned y = 0; y < mode->height; y++) {
            for (unsigned x = 0; x < mode->width; x++) {
                draw_unchained_pixel(bench, x, y, mode->width / 4, (uint8_t)pattern(x, y, 256));
            }
        }
        vga_bench_render(bench);
        for (unsigned y = 0; y < mode->height; y++) {
            for (unsigned x = 0; x < mode->width; x++) {
                vga_bench_expect_pixel(bench, x, y, vga_bench_colour((uint8_t)pattern(x, y, 256)));
            }
        }
    }
}

static void panning_moves_pixels_to_the_left(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    for (unsigned x = 0; x < 648; x++) {
        draw_planar_pixel(bench, x, 0, 80, pattern(x, 0, 16));
    }
    for (uint8_t panning = 0; panning < 8; panning++) {
        vga_bench_attribute(bench, 0x13, panning);
        vga_bench_render(bench);
        for (unsigned x = 0; x < 640; x++) {
            vga_bench_expect_pixel(bench, x, 0, planar_colour(MODE_12, pattern(x + panning, 0, 16)));
        }
    }
    vga_bench_set_mode(bench, MODE_X);
    for (unsigned x = 0; x < 324; x++) {
        draw_unchained_pixel(bench, x, 0, 80, (uint8_t)pattern(x, 0, 256));
    }
    for (uint8_t pixels = 0; pixels < 4; pixels++) {
        vga_bench_attribute(bench, 0x13, (uint8_t)(pixels * 2));
        vga_bench_render(bench);
        for (unsigned x = 0; x < 320; x++) {
            vga_bench_expect_pixel(bench, x, 0, vga_bench_colour((uint8_t)pattern(x + pixels, 0, 256)));
        }
    }
}

static void split_screen_restarts_at_address_0_and_may_stop_panning(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    draw_planar_pixel(bench, 3, 0, 80, 5);   /* the split part begins here */
    draw_planar_pixel(bench, 8, 300, 80, 9); /* the top shows from line 300 */
    vga_bench_crtc(bench, 0x0c, (300 * 80) >> 8);
    vga_bench_crtc(bench, 0x0d, (300 * 80) & 0xff);
    vga_bench_advance(bench, NS_PER_SECOND / 50);
    vga_bench_crtc(bench, 0x18, 99);
    vga_bench_crtc(bench, 0x07, 0x2e);
    vga_bench_crtc(bench, 0x09, 0x00);
    vga_bench_attribute(bench, 0x13, 3);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 5, 0, planar_colour(MODE_12, 9));
    vga_bench_expect_pixel(bench, 0, 99, planar_colour(MODE_12, 0));
    vga_bench_expect_pixel(bench, 0, 100, planar_colour(MODE_12, 5));
    vga_bench_attribute(bench, 0x10, 0x21);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 5, 0, planar_colour(MODE_12, 9));
    vga_bench_expect_pixel(bench, 3, 100, planar_colour(MODE_12, 5));
}

static void start_address_takes_effect_at_the_vertical_retrace(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_X);
    draw_unchained_pixel(bench, 0, 10, 80, 77);
    while ((vga_bench_in(bench, 0x3da) & 8) == 0) {
        vga_bench_advance(bench, NS_PER_MICROSECOND);
    }
    while ((vga_bench_in(bench, 0x3da) & 8) != 0) {
        vga_bench_advance(bench, NS_PER_MICROSECOND);
    }
    vga_bench_crtc(bench, 0x0c, 800 >> 8);
    vga_bench_crtc(bench, 0x0d, 800 & 0xff);
    vga_bench_advance(bench, NS_PER_MILLISECOND);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(0));
    while ((vga_bench_in(bench, 0x3da) & 8) == 0) {
        vga_bench_advance(bench, NS_PER_MICROSECOND);
    }
    vga_bench_advance(bench, 2 * NS_PER_MICROSECOND);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(77));
}

static void offset_register_makes_a_wider_virtual_screen(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_X);
    vga_bench_crtc(bench, 0x13, 100); /* 200 addresses: 800 pixels */
    draw_unchained_pixel(bench, 4, 2, 200, 33);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 4, 2, vga_bench_colour(33));
}

static void addresses_wrap_in_64_kib_planes(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_X);
    draw_unchained_pixel(bench, 0, 0, 80, 44);
    vga_bench_crtc(bench, 0x0c, 0xff);
    vga_bench_crtc(bench, 0x0d, 0xb0);
    vga_bench_advance(bench, NS_PER_SECOND / 50);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 1, vga_bench_colour(44));
}

static void colour_select_extends_the_palette(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    draw_planar_pixel(bench, 0, 0, 80, 9);
    vga_bench_attribute(bench, 0x14, 0x0e);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(0x39 | 0xc0));
    vga_bench_attribute(bench, 0x10, 0x81);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(0x09 | 0x20 | 0xc0));
    vga_bench_out(bench, 0x3c6, 0x0f);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(0x09));
}

static void plane_enable_hides_planes(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    draw_planar_pixel(bench, 0, 0, 80, 0xf);
    vga_bench_attribute(bench, 0x12, 0x0a);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, planar_colour(MODE_12, 0xa));
}

static void graphics_blink_inverts_colour_bit_3(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_F);
    draw_planar_pixel(bench, 0, 0, 80, 4); /* blinking in mode 0Fh */
    draw_planar_pixel(bench, 1, 0, 80, 1); /* steady */
    unsigned shown = 0, frames = 64;
    for (unsigned frame = 0; frame < frames; frame++) {
        vga_bench_advance(bench, NS_PER_SECOND / 70);
        vga_bench_render(bench);
        shown += vga_bench_pixel(bench, 0, 0) == vga_bench_colour(0x18);
        vga_bench_expect_pixel(bench, 1, 0, vga_bench_colour(0x08));
    }
    assert_in_range(shown, frames / 2 - 2, frames / 2 + 2);
}

static void blanking_inside_the_picture_is_black(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    vga_bench_crtc(bench, 0x11, 0x0c);
    vga_bench_crtc(bench, 0x02, 39);         /* after character 39 */
    vga_bench_crtc(bench, 0x15, 399 & 0xff); /* after line 399 */
    vga_bench_crtc(bench, 0x07, 0x3e & ~0x08);
    vga_bench_crtc(bench, 0x09, 0x40);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 640, 480);
    uint32_t background = planar_colour(MODE_12, 0);
    vga_bench_expect_pixel(bench, 40 * 8 - 1, 0, background);
    vga_bench_expect_pixel(bench, 40 * 8, 0, 0);
    vga_bench_expect_pixel(bench, 0, 143, background); /* 18Fh without bit 8 */
    vga_bench_expect_pixel(bench, 0, 144, 0);
}

static void double_scan_and_row_height_make_one_row(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13);
    for (unsigned y = 0; y < 200; y++) {
        vga_bench_poke(bench, SCREEN + y * 320, (uint8_t)(y + 1));
    }
    vga_bench_crtc(bench, 0x09, 0x43); /* four lines a row: 100 rows */
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 320, 100);
    vga_bench_expect_pixel(bench, 0, 99, vga_bench_colour(100));
    vga_bench_crtc(bench, 0x09, 0xc1); /* the same by double scanning */
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 320, 100);
    vga_bench_expect_pixel(bench, 0, 99, vga_bench_colour(100));
    vga_bench_crtc(bench, 0x09, 0xc0);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 320, 200);
    vga_bench_crtc(bench, 0x09, 0x40);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 320, 400);
}

static void chain_4_and_unchained_share_the_planes(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13);
    vga_bench_poke(bench, SCREEN + 4 * 100 + 2, 0x66);
    vga_bench_sequencer(bench, 4, 0x06);
    vga_bench_graphics(bench, 4, 2);
    assert_int_equal(vga_bench_peek(bench, SCREEN + 400), 0x66); /* every fourth offset */
    vga_bench_crtc(bench, 0x14, 0x00);
    vga_bench_crtc(bench, 0x17, 0xe3);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 400 % 80 * 4 + 2, 400 / 80, vga_bench_colour(0x66));
}

#define VGA_TEST(function) cmocka_unit_test_setup_teardown(function, vga_bench_setup, vga_bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VGA_TEST(standard_graphics_modes_have_their_dimensions),
        VGA_TEST(planar_modes_show_what_was_drawn),
        VGA_TEST(cga_modes_interleave_even_and_odd_rows),
        VGA_TEST(mode_13h_is_a_byte_per_pixel),
        VGA_TEST(unchained_modes_show_what_was_drawn),
        VGA_TEST(panning_moves_pixels_to_the_left),
        VGA_TEST(split_screen_restarts_at_address_0_and_may_stop_panning),
        VGA_TEST(start_address_takes_effect_at_the_vertical_retrace),
        VGA_TEST(offset_register_makes_a_wider_virtual_screen),
        VGA_TEST(addresses_wrap_in_64_kib_planes),
        VGA_TEST(colour_select_extends_the_palette),
        VGA_TEST(plane_enable_hides_planes),
        VGA_TEST(graphics_blink_inverts_colour_bit_3),
        VGA_TEST(blanking_inside_the_picture_is_black),
        VGA_TEST(double_scan_and_row_height_make_one_row),
        VGA_TEST(chain_4_and_unchained_share_the_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
