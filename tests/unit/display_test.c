/* Frames and the text screen as UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ui/display.h"

static struct display_frame *frame_with_text(uint16_t columns, uint16_t rows)
{
    struct display_frame *frame = calloc(1, sizeof *frame);
    assert_non_null(frame);
    frame->text.active = true;
    frame->text.columns = columns;
    frame->text.rows = rows;
    return frame;
}

static void put_row(struct display_frame *frame, unsigned row, const char *characters)
{
    for (unsigned column = 0; characters[column] != '\0'; column++) {
        frame->text.cells[row][column].character = (uint8_t)characters[column];
    }
}

static void free_frame(struct display_frame *frame)
{
    display_frame_release(frame);
    free(frame);
}

static void a_resized_frame_has_room_for_every_pixel(void **state)
{
    (void)state;
    struct display_frame frame = {0};
    assert_true(display_frame_resize(&frame, 720, 400));
    assert_true(frame.capacity >= 720 * 400);
    memset(frame.pixels, 0x55, (size_t)720 * 400 * sizeof *frame.pixels);
    assert_true(display_frame_resize(&frame, 320, 200));
    assert_int_equal(frame.width, 320);
    assert_int_equal(frame.height, 200);
    assert_int_equal(frame.stride, 320);
    display_frame_release(&frame);
    assert_null(frame.pixels);
    assert_int_equal(frame.width, 0);
}

static void a_resize_that_cannot_be_keeps_the_old_size(void **state)
{
    (void)state;
    struct display_frame frame = {0};
    assert_true(display_frame_resize(&frame, 4, 3));
    assert_false(display_frame_resize(&frame, UINT32_MAX, UINT32_MAX));
    assert_int_equal(frame.width, 4);
    assert_int_equal(frame.height, 3);
    assert_non_null(frame.pixels);
    display_frame_release(&frame);
}

static void a_copy_shows_the_same_with_any_stride(void **state)
{
    (void)state;
    struct display_frame *from = frame_with_text(3, 2);
    struct display_frame *to = calloc(1, sizeof *to);
    assert_non_null(to);
    assert_true(display_frame_resize(from, 4, 2));
    from->width = 3; /* the stride stays 4 */
    for (uint32_t i = 0; i < 8; i++) {
        from->pixels[i] = i;
    }
    from->generation = 7;
    from->aspect_width = 4;
    from->aspect_height = 3;
    put_row(from, 1, "abc");
    assert_true(display_frame_copy(to, from));
    assert_int_equal(to->stride, 3);
    assert_int_equal(to->pixels[2], 2);
    assert_int_equal(to->pixels[3], 4);
    assert_int_equal(to->generation, 7);
    assert_int_equal(to->aspect_width, 4);
    assert_int_equal(to->text.cells[1][2].character, 'c');
    free_frame(from);
    free_frame(to);
}

static void code_page_437_maps_to_the_glyphs_ibm_drew(void **state)
{
    (void)state;
    for (unsigned character = ' '; character < 0x7F; character++) {
        assert_int_equal(display_cp437_to_unicode((uint8_t)character), character);
    }
    assert_int_equal(display_cp437_to_unicode(0x00), ' ');
    assert_int_equal(display_cp437_to_unicode(0x01), 0x263A); /* white smiling face */
    assert_int_equal(display_cp437_to_unicode(0x1F), 0x25BC); /* down-pointing triangle */
    assert_int_equal(display_cp437_to_unicode(0x7F), 0x2302); /* house */
    assert_int_equal(display_cp437_to_unicode(0x80), 0x00C7); /* C cedilla */
    assert_int_equal(display_cp437_to_unicode(0x9B), 0x00A2); /* cent */
    assert_int_equal(display_cp437_to_unicode(0xB0), 0x2591); /* light shade */
    assert_int_equal(display_cp437_to_unicode(0xC9), 0x2554); /* double down and right */
    assert_int_equal(display_cp437_to_unicode(0xDB), 0x2588); /* full block */
    assert_int_equal(display_cp437_to_unicode(0xE1), 0x00DF); /* sharp s */
    assert_int_equal(display_cp437_to_unicode(0xFE), 0x25A0); /* black square */
    assert_int_equal(display_cp437_to_unicode(0xFF), ' ');
}

static void no_two_glyphs_share_a_code_point(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 0xFF; a++) {
        for (unsigned b = a + 1; b < 0xFF; b++) {
            if (display_cp437_to_unicode((uint8_t)a) == display_cp437_to_unicode((uint8_t)b)) {
                fail_msg("%02X and %02X look the same", a, b);
            }
        }
    }
}

static void text_is_trimmed_rows_in_utf8(void **state)
{
    (void)state;
    struct display_frame *frame = frame_with_text(8, 4);
    put_row(frame, 0, "A:\\>dir ");
    put_row(frame, 2, "\xC9\xCD");
    char text[64];
    const char *expected = "A:\\>dir\n\n\u2554\u2550\n\n";
    assert_int_equal(display_text_to_utf8(&frame->text, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    free_frame(frame);
}

static void text_that_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    struct display_frame *frame = frame_with_text(8, 1);
    put_row(frame, 0,
            "a\xC9"
            "b");
    char text[64];
    memset(text, 'x', sizeof text);
    assert_int_equal(display_text_to_utf8(&frame->text, text, 4), 6);
    assert_string_equal(text, "a");
    assert_int_equal(text[2], 'x');
    assert_int_equal(display_text_to_utf8(&frame->text, text, 5), 6);
    assert_string_equal(text, "a\u2554");
    assert_int_equal(display_text_to_utf8(&frame->text, text, 1), 6);
    assert_string_equal(text, "");
    free_frame(frame);
}

static void a_graphics_screen_has_no_text(void **state)
{
    (void)state;
    struct display_frame *frame = frame_with_text(8, 1);
    put_row(frame, 0, "stale");
    frame->text.active = false;
    char text[8] = "before";
    assert_int_equal(display_text_to_utf8(&frame->text, text, sizeof text), 0);
    assert_string_equal(text, "");
    free_frame(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resized_frame_has_room_for_every_pixel),
        cmocka_unit_test(a_resize_that_cannot_be_keeps_the_old_size),
        cmocka_unit_test(a_copy_shows_the_same_with_any_stride),
        cmocka_unit_test(code_page_437_maps_to_the_glyphs_ibm_drew),
        cmocka_unit_test(no_two_glyphs_share_a_code_point),
        cmocka_unit_test(text_is_trimmed_rows_in_utf8),
        cmocka_unit_test(text_that_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(a_graphics_screen_has_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
