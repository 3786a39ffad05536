/* Text modes: characters, attributes, fonts, cursor, scrolling registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vga_bench.h"

#define COLOUR_SCREEN 0xb8000u
#define MONO_SCREEN   0xb0000u

/* A glyph whose every line tells its number and its left from its right. */
static const uint8_t test_glyph[32] = {0x81, 0x42, 0x24, 0x18, 0xf0, 0x0f, 0xaa, 0x55,
                                       0xc3, 0x3c, 0x99, 0x66, 0xe7, 0x7e, 0xbd, 0xdb};
static const uint8_t full_glyph[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void put_char(struct vga_bench *bench, unsigned column, unsigned row, uint8_t character,
                     uint8_t attribute)
{
    uint32_t at = COLOUR_SCREEN + (row * 80 + column) * 2;
    vga_bench_poke(bench, at, character);
    vga_bench_poke(bench, at + 1, attribute);
}

/* The colour text palette register `index` leads to in IBM's table for colour text. */
static uint32_t text_colour(unsigned index)
{
    return vga_bench_colour(vga_modes[MODE_3].attribute[index]);
}

static void no_cursor(struct vga_bench *bench)
{
    vga_bench_crtc(bench, 0x0a, 0x20);
}

static void standard_text_modes_have_their_dimensions(void **state)
{
    struct vga_bench *bench = *state;
    static const struct {
        enum vga_mode_index mode;
        unsigned columns;
    } modes[] = {{MODE_1, 40}, {MODE_3, 80}, {MODE_7, 80}};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        const struct vga_mode *mode = &vga_modes[modes[i].mode];
        vga_bench_set_mode(bench, modes[i].mode);
        vga_bench_render(bench);
        vga_bench_expect_size(bench, mode->width, mode->height);
        assert_true(bench->frame->text.active);
        assert_int_equal(bench->frame->text.columns, modes[i].columns);
        assert_int_equal(bench->frame->text.rows, 25);
        assert_int_equal(bench->frame->aspect_width * 3, bench->frame->aspect_height * 4);
    }
}

static void characters_are_drawn_from_plane_2_in_the_attribute_s_colours(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    vga_bench_load_glyph(bench, 0, 'A', test_glyph);
    put_char(bench, 3, 2, 'A', 0x4e);
    vga_bench_render(bench);
    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 9; x++) {
            bool set = x < 8 && (test_glyph[y] >> (7 - x) & 1) != 0;
            vga_bench_expect_pixel(bench, 27 + x, 32 + y, text_colour(set ? 0xe : 0x4));
        }
    }
    const struct display_cell *cell = &bench->frame->text.cells[2][3];
    assert_int_equal(cell->character, 'A');
    assert_int_equal(cell->attribute, 0x4e);
    assert_int_equal(cell->foreground, text_colour(0xe));
    assert_int_equal(cell->background, text_colour(0x4));
}

static void ninth_dot_is_repeated_for_line_graphics_characters_only(void **state)
{
    struct vga_bench *bench = *state;
    static const struct {
        uint8_t character;
        bool repeated;
    } cases[] = {{0xbf, false}, {0xc0, true}, {0xdf, true}, {0xe0, false}};
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    for (uint8_t i = 0; i < 4; i++) {
        vga_bench_load_glyph(bench, 0, cases[i].character, full_glyph);
        put_char(bench, i, 0, cases[i].character, 0x07);
    }
    vga_bench_render(bench);
    for (uint8_t i = 0; i < 4; i++) {
        vga_bench_expect_pixel(bench, i * 9u + 7, 0, text_colour(7));
        vga_bench_expect_pixel(bench, i * 9u + 8, 0, text_colour(cases[i].repeated ? 7 : 0));
    }
    vga_bench_attribute(bench, 0x10, 0x08); /* line graphics off */
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 1 * 9 + 8, 0, text_colour(0));
}

static void eight_dot_characters_make_640_pixels(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    vga_bench_sequencer(bench, 1, 0x01);
    vga_bench_load_glyph(bench, 0, 'B', test_glyph);
    put_char(bench, 1, 0, 'B', 0x07);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 640, 400);
    vga_bench_expect_pixel(bench, 8, 0, text_colour(7));
    vga_bench_expect_pixel(bench, 9, 0, text_colour(0));
    vga_bench_expect_pixel(bench, 15, 0, text_colour(7));
}

static void attribute_bit_7_blinks_or_brightens_the_background(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    vga_bench_load_glyph(bench, 0, 'C', full_glyph);
    put_char(bench, 0, 0, 'C', 0x9a);
    unsigned on = 0, off = 0;
    for (unsigned frame = 0; frame < 64; frame++) {
        vga_bench_advance(bench, NS_PER_SECOND / 70);
        vga_bench_render(bench);
        uint32_t colour = vga_bench_pixel(bench, 0, 0);
        assert_true(colour == text_colour(0xa) || colour == text_colour(0x1));
        on += colour == text_colour(0xa);
        off += colour == text_colour(0x1);
        vga_bench_expect_pixel(bench, 8, 0, text_colour(1));
    }
    assert_in_range(on, 31, 33);
    assert_in_range(off, 31, 33);
    assert_int_equal(bench->frame->text.cells[0][0].background, text_colour(1));

    vga_bench_attribute(bench, 0x10, 0x04);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, text_colour(0xa));
    vga_bench_expect_pixel(bench, 8, 0, text_colour(9));
    assert_int_equal(bench->frame->text.cells[0][0].background, text_colour(9));
}

static void underline_shows_in_monochrome_text(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_7);
    no_cursor(bench);
    for (unsigned i = 0; i < 3; i++) {
        static const uint8_t attributes[3] = {0x01, 0x07, 0x09};
        vga_bench_poke(bench, MONO_SCREEN + 2 * i, ' ');
        vga_bench_poke(bench, MONO_SCREEN + 2 * i + 1, attributes[i]);
    }
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 12, vga_bench_colour(0x00));
    vga_bench_expect_pixel(bench, 0, 13, vga_bench_colour(0x08));
    vga_bench_expect_pixel(bench, 8, 13, vga_bench_colour(0x08));
    vga_bench_expect_pixel(bench, 9, 13, vga_bench_colour(0x00));
    vga_bench_expect_pixel(bench, 18, 13, vga_bench_colour(0x18));
    vga_bench_expect_pixel(bench, 0, 14, vga_bench_colour(0x00));

    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    vga_bench_crtc(bench, 0x14, 13);
    put_char(bench, 0, 0, ' ', 0x01);
    put_char(bench, 1, 0, ' ', 0x21); /* only on background 0 */
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 13, text_colour(1));
    vga_bench_expect_pixel(bench, 9, 13, text_colour(2));
}

static void word_mode_rotates_bit_13_or_15_into_the_address(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_sequencer(bench, 2, 0x01);
    vga_bench_sequencer(bench, 4, 0x06);
    vga_bench_graphics(bench, 5, 0x00);
    vga_bench_graphics(bench, 6, 0x04);
    vga_bench_poke(bench, 0xa4000, 'v');
    vga_bench_poke(bench, 0xa4001, 'w');
    vga_bench_poke(bench, 0xa0001, 'x');
    vga_bench_crtc(bench, 0x0c, 0x20);
    vga_bench_advance(bench, NS_PER_SECOND / 60);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].character, 'v');
    vga_bench_crtc(bench, 0x17, 0x83);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].character, 'w');
    vga_bench_crtc(bench, 0x17, 0xa3);
    vga_bench_crtc(bench, 0x0c, 0x80);
    vga_bench_advance(bench, NS_PER_SECOND / 60);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].character, 'x');
}

static void attribute_bit_3_chooses_the_second_font(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    /* 8 KiB blocks by map number: 0, 2, 4, 6, 1, 3, 5, 7. */
    static const uint8_t map_a[8] = {0x00, 0x04, 0x08, 0x0c, 0x20, 0x24, 0x28, 0x2c};
    static const uint8_t map_b[8] = {0x00, 0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x13};
    static const uint8_t block[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    put_char(bench, 0, 0, 'D', 0x07);
    put_char(bench, 1, 0, 'D', 0x0f);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t glyph[32] = {(uint8_t)(0x80 >> i)};
        vga_bench_load_glyph(bench, block[i], 'D', glyph);
    }
    for (unsigned a = 0; a < 8; a++) {
        unsigned b = 7 - a;
        vga_bench_sequencer(bench, 3, map_a[a] | map_b[b]);
        vga_bench_render(bench);
        for (unsigned x = 0; x < 8; x++) {
            vga_bench_expect_pixel(bench, x, 0, text_colour(x == b ? 7 : 0));
            vga_bench_expect_pixel(bench, 9 + x, 0, text_colour(x == a ? 15 : 0));
        }
    }
}

static void cursor_has_its_place_shape_and_blinking(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    put_char(bench, 5, 1, ' ', 0x1e);
    vga_bench_crtc(bench, 0x0e, 0);
    vga_bench_crtc(bench, 0x0f, 85);
    vga_bench_crtc(bench, 0x0a, 3);
    vga_bench_crtc(bench, 0x0b, 6);
    unsigned shown = 0;
    for (unsigned frame = 0; frame < 32; frame++) {
        vga_bench_advance(bench, NS_PER_SECOND / 70);
        vga_bench_render(bench);
        bool on = vga_bench_pixel(bench, 45, 16 + 3) == text_colour(0xe);
        shown += on;
        for (unsigned y = 0; y < 16; y++) {
            uint32_t expected = text_colour(on && y >= 3 && y <= 6 ? 0xe : 0x1);
            vga_bench_expect_pixel(bench, 45, 16 + y, expected);
            vga_bench_expect_pixel(bench, 53, 16 + y, expected);
        }
        assert_true(bench->frame->text.cursor_visible);
    }
    assert_in_range(shown, 15, 17);
    assert_int_equal(bench->frame->text.cursor_column, 5);
    assert_int_equal(bench->frame->text.cursor_row, 1);

    vga_bench_crtc(bench, 0x0b, 6 | 0x20); /* skewed by one character */
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cursor_column, 6);
    vga_bench_crtc(bench, 0x0b, 2); /* ends before it starts */
    vga_bench_render(bench);
    assert_false(bench->frame->text.cursor_visible);
    vga_bench_crtc(bench, 0x0b, 6);
    vga_bench_crtc(bench, 0x0a, 0x23); /* disabled */
    vga_bench_render(bench);
    assert_false(bench->frame->text.cursor_visible);
    vga_bench_crtc(bench, 0x0a, 0x03);
    vga_bench_crtc(bench, 0x0e, 0x20); /* not on the screen */
    vga_bench_render(bench);
    assert_false(bench->frame->text.cursor_visible);
}

static void start_address_scrolls_by_characters_after_the_retrace(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    put_char(bench, 2, 1, 'x', 0x07);
    vga_bench_crtc(bench, 0x0d, 82);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[1][2].character, 'x');
    vga_bench_advance(bench, NS_PER_SECOND / 60);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].character, 'x');
    vga_bench_crtc(bench, 0x08, 0x20); /* byte panning: one character more */
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].character, 0);
}

static void preset_row_scan_and_panning_scroll_smoothly(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    vga_bench_load_glyph(bench, 0, 'E', test_glyph);
    put_char(bench, 0, 0, 'E', 0x07);
    put_char(bench, 0, 1, 'E', 0x07);
    vga_bench_crtc(bench, 0x08, 5);
    vga_bench_attribute(bench, 0x13, 2); /* 9 dots: three to the left */
    vga_bench_render(bench);
    for (unsigned y = 0; y < 11; y++) {
        for (unsigned x = 0; x < 5; x++) {
            bool set = (test_glyph[y + 5] >> (7 - (x + 3)) & 1) != 0;
            vga_bench_expect_pixel(bench, x, y, text_colour(set ? 7 : 0));
        }
    }
    vga_bench_expect_pixel(bench, 4, 11, text_colour((test_glyph[0] & 1) != 0 ? 7 : 0));
    vga_bench_attribute(bench, 0x13, 8);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 11, text_colour(7));
}

static void line_compare_shows_a_status_line_from_address_0(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    put_char(bench, 0, 0, 's', 0x17);
    put_char(bench, 0, 10, 'm', 0x27);
    vga_bench_crtc(bench, 0x0c, 800 >> 8);
    vga_bench_crtc(bench, 0x0d, 800 & 0xff);
    vga_bench_advance(bench, NS_PER_SECOND / 60);
    unsigned compare = 16 * 20 - 1;
    vga_bench_crtc(bench, 0x11, 0x0e);
    vga_bench_crtc(bench, 0x18, compare & 0xff);
    vga_bench_crtc(bench, 0x07, (uint8_t)(0x0f | (compare >> 8) << 4));
    vga_bench_crtc(bench, 0x09, 0x0f);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].character, 'm');
    assert_int_equal(bench->frame->text.cells[20][0].character, 's');
    vga_bench_expect_pixel(bench, 0, 16 * 20 - 1, text_colour(0));
    vga_bench_expect_pixel(bench, 0, 16 * 20, text_colour(1));
}

static void plane_enable_masks_attribute_bits(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    put_char(bench, 0, 0, ' ', 0x7f);
    vga_bench_attribute(bench, 0x12, 0x05);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[0][0].foreground, text_colour(5));
    assert_int_equal(bench->frame->text.cells[0][0].background, text_colour(5));
}

static void generation_changes_with_the_picture_and_only_then(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    no_cursor(bench);
    vga_bench_render(bench);
    uint64_t generation = bench->frame->generation;
    vga_bench_render(bench);
    assert_int_equal(bench->frame->generation, generation);
    put_char(bench, 40, 12, 0, 0);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->generation, generation);
    put_char(bench, 40, 12, 'q', 0x07);
    vga_bench_render(bench);
    assert_int_not_equal(bench->frame->generation, generation);
    static struct display_frame other;
    bench->display.render(bench->display.opaque, &other, false);
    assert_int_equal(other.text.cells[12][40].character, 'q');
    put_char(bench, 40, 12, 'r', 0x07);
    bench->display.render(bench->display.opaque, &other, false);
    vga_bench_render(bench);
    assert_int_equal(bench->frame->text.cells[12][40].character, 'r');
    display_frame_release(&other);
}

static void text_is_read_without_drawing(void **state)
{
    struct vga_bench *bench = *state;
    static struct display_frame other;
    vga_bench_set_mode(bench, MODE_3);
    put_char(bench, 40, 12, 'q', 0x17);
    vga_bench_crtc(bench, 0x0e, (12 * 80 + 41) >> 8);
    vga_bench_crtc(bench, 0x0f, (12 * 80 + 41) & 0xff);
    bench->display.read_text(bench->display.opaque, &other);
    assert_int_equal(other.width, 0);
    vga_bench_render(bench);
    const struct display_text *drawn = &bench->frame->text;
    assert_true(other.text.active && drawn->cursor_visible && other.text.cursor_visible);
    assert_int_equal(other.text.columns, drawn->columns);
    assert_int_equal(other.text.rows, drawn->rows);
    assert_int_equal(other.text.cursor_column, 41);
    assert_int_equal(other.text.cursor_row, 12);
    assert_int_equal(other.text.cells[12][40].character, 'q');
    assert_int_equal(other.text.cells[12][40].background, drawn->cells[12][40].background);
    vga_bench_set_mode(bench, MODE_13);
    bench->display.read_text(bench->display.opaque, &other);
    assert_false(other.text.active);
}

static void screen_is_blank_while_off_or_palette_is_open(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    put_char(bench, 0, 0, ' ', 0x77);
    vga_bench_attribute(bench, 0x11, 9);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, text_colour(7));
    vga_bench_sequencer(bench, 1, 0x20);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 720, 400);
    vga_bench_expect_pixel(bench, 0, 0, 0);
    assert_false(bench->frame->text.active);
    vga_bench_sequencer(bench, 1, 0x00);
    vga_bench_in(bench, 0x3da);
    vga_bench_out(bench, 0x3c0, 0x00);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(9));
    vga_bench_in(bench, 0x3da);
    vga_bench_out(bench, 0x3c0, 0x20);
    vga_bench_crtc(bench, 0x17, 0x23); /* no sync: no signal */
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 0, 0);
}

static void reset_turns_the_display_off(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 0, 0);
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 720, 400);
    struct device *device = vga_device(bench->vga);
    device->class->reset(device);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 0, 0);
    assert_false(bench->frame->text.active);
}

static void border_frames_the_picture_when_asked_for(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_attribute(bench, 0x11, 0x21);
    vga_bench_render(bench);
    /* VESA's 720x400: one character left and right; lines as IBM's table gives them. */
    uint32_t top = 0x1c1 - (0x1b9 + 1), bottom = 0x196 + 1 - 400;
    vga_bench_expect_size(bench, 9 + 720 + 9, top + 400 + bottom);
    vga_bench_expect_pixel(bench, 0, 0, vga_bench_colour(0x21));
    vga_bench_expect_pixel(bench, 8, top, vga_bench_colour(0x21));
    vga_bench_expect_pixel(bench, 9, top, text_colour(0));
    vga_bench_expect_pixel(bench, 9 + 719, top + 399, text_colour(0));
    vga_bench_expect_pixel(bench, 9 + 720, top + 399, vga_bench_colour(0x21));
    vga_bench_expect_pixel(bench, 9, top + 400, vga_bench_colour(0x21));
}

#define VGA_TEST(function) cmocka_unit_test_setup_teardown(function, vga_bench_setup, vga_bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VGA_TEST(standard_text_modes_have_their_dimensions),
        VGA_TEST(characters_are_drawn_from_plane_2_in_the_attribute_s_colours),
        VGA_TEST(ninth_dot_is_repeated_for_line_graphics_characters_only),
        VGA_TEST(eight_dot_characters_make_640_pixels),
        VGA_TEST(attribute_bit_7_blinks_or_brightens_the_background),
        VGA_TEST(underline_shows_in_monochrome_text),
        VGA_TEST(word_mode_rotates_bit_13_or_15_into_the_address),
        VGA_TEST(attribute_bit_3_chooses_the_second_font),
        VGA_TEST(cursor_has_its_place_shape_and_blinking),
        VGA_TEST(start_address_scrolls_by_characters_after_the_retrace),
        VGA_TEST(preset_row_scan_and_panning_scroll_smoothly),
        VGA_TEST(line_compare_shows_a_status_line_from_address_0),
        VGA_TEST(plane_enable_masks_attribute_bits),
        VGA_TEST(generation_changes_with_the_picture_and_only_then),
        VGA_TEST(text_is_read_without_drawing),
        VGA_TEST(screen_is_blank_while_off_or_palette_is_open),
        VGA_TEST(reset_turns_the_display_off),
        cmocka_unit_test_setup_teardown(border_frames_the_picture_when_asked_for, vga_bench_setup_with_border,
                                        vga_bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
