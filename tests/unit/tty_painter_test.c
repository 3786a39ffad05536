/* Terminal drawing, judged by what a terminal shows after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fake_terminal.h"
#include "ui/tty_painter.h"

struct fixture {
    struct tty_painter *painter;
    struct fake_terminal terminal;
    struct display_frame frame;
    struct tty_output output;
};

static struct fixture *set_up(enum tty_colours colours, unsigned columns, unsigned rows)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->painter = tty_painter_create(colours);
    assert_true(tty_painter_resize(fixture->painter, columns, rows));
    fake_terminal_init(&fixture->terminal, columns, rows);
    return fixture;
}

static void tear_down(struct fixture *fixture)
{
    tty_painter_destroy(fixture->painter);
    tty_output_release(&fixture->output);
    display_frame_release(&fixture->frame);
    free(fixture);
}

static void show_text(struct fixture *fixture, uint16_t columns, uint16_t rows)
{
    assert_true(display_frame_resize(&fixture->frame, columns * 9u, rows * 16u));
    struct display_text *text = &fixture->frame.text;
    text->active = true;
    text->columns = columns;
    text->rows = rows;
    text->cursor_visible = true;
    for (unsigned row = 0; row < rows; row++) {
        for (unsigned column = 0; column < columns; column++) {
            text->cells[row][column] = (struct display_cell){
                .character = (uint8_t)('a' + (row + column) % 26), .foreground = 0xAAAAAA, .background = 0};
        }
    }
}

/* Draws and returns how many bytes that took. */
static size_t draw(struct fixture *fixture, const char *status)
{
    tty_painter_draw(fixture->painter, &fixture->frame, status, &fixture->output);
    assert_false(fixture->output.failed);
    size_t length = fixture->output.length;
    fixture->terminal.cells_written = 0;
    assert_true(fake_terminal_feed(&fixture->terminal, fixture->output.bytes, length));
    tty_output_consume(&fixture->output, length);
    return length;
}

static const struct fake_cell *cell_at(const struct fixture *fixture, unsigned column, unsigned row)
{
    return &fixture->terminal.cells[row][column];
}

static void a_text_screen_is_shown_with_its_cursor(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 100, 30);
    show_text(fixture, 80, 25);
    fixture->frame.text.cells[24][79].character = 0xB0;
    fixture->frame.text.cells[3][5].foreground = 0x123456;
    fixture->frame.text.cells[3][5].background = 0x0000AA;
    fixture->frame.text.cursor_column = 7;
    fixture->frame.text.cursor_row = 2;
    draw(fixture, "doppel");
    for (unsigned row = 0; row < 25; row++) {
        for (unsigned column = 0; column < 80; column++) {
            uint32_t expected = row == 24 && column == 79 ? 0x2591 : 'a' + (row + column) % 26;
            assert_int_equal(cell_at(fixture, column, row)->codepoint, expected);
        }
    }
    assert_int_equal(cell_at(fixture, 5, 3)->foreground, 0x01123456);
    assert_int_equal(cell_at(fixture, 5, 3)->background, 0x010000AA);
    assert_int_equal(cell_at(fixture, 6, 3)->foreground, 0x01AAAAAA);
    assert_int_equal(cell_at(fixture, 80, 3)->codepoint, ' ');
    assert_true(fixture->terminal.cursor_shown);
    assert_int_equal(fixture->terminal.column, 7);
    assert_int_equal(fixture->terminal.row, 2);
    tear_down(fixture);
}

static void the_last_line_is_the_status_line(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_16, 90, 26);
    char row[FAKE_COLUMNS_MAX + 1];
    show_text(fixture, 80, 25);
    draw(fixture, "doppel  Ctrl+] h help");
    assert_string_equal(
        fake_terminal_row(&fixture->terminal, 25, row),
        " doppel  Ctrl+] h help                                                              80x25");
    assert_int_equal(cell_at(fixture, 1, 25)->background, 7);
    assert_int_equal(cell_at(fixture, 1, 25)->foreground, 0);
    fixture->frame.text.active = false;
    draw(fixture, "doppel");
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 25, row), "720x400 graphics"));
    assert_true(display_frame_resize(&fixture->frame, 0, 0));
    draw(fixture, "doppel");
    assert_non_null(strstr(fake_terminal_row(&fixture->terminal, 25, row), "screen off"));
    assert_string_equal(fake_terminal_row(&fixture->terminal, 0, row), "");
    tear_down(fixture);
}

static void only_changed_cells_are_sent(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 80, 26);
    show_text(fixture, 80, 25);
    draw(fixture, "doppel");
    assert_int_equal(draw(fixture, "doppel"), 0);
    fixture->frame.text.cells[10][20].character = '#';
    fixture->frame.text.cells[10][21].character = '#';
    assert_true(draw(fixture, "doppel") < 80);
    assert_int_equal(fixture->terminal.cells_written, 2);
    assert_int_equal(cell_at(fixture, 20, 10)->codepoint, '#');
    assert_int_equal(cell_at(fixture, 21, 10)->codepoint, '#');
    fixture->frame.text.cursor_visible = false;
    draw(fixture, "doppel");
    assert_int_equal(fixture->terminal.cells_written, 0);
    assert_false(fixture->terminal.cursor_shown);
    tear_down(fixture);
}

static void an_invalidated_screen_is_sent_whole(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 80, 26);
    show_text(fixture, 80, 25);
    draw(fixture, "doppel");
    fake_terminal_init(&fixture->terminal, 80, 26);
    tty_painter_invalidate(fixture->painter);
    draw(fixture, "doppel");
    assert_int_equal(fixture->terminal.cells_written, 80 * 26);
    assert_int_equal(cell_at(fixture, 79, 24)->codepoint, 'a' + (24 + 79) % 26);
    tear_down(fixture);
}

static void a_small_terminal_shows_the_part_around_the_cursor(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 60, 24);
    char row[FAKE_COLUMNS_MAX + 1];
    show_text(fixture, 80, 25);
    fixture->frame.text.cursor_column = 0;
    fixture->frame.text.cursor_row = 24;
    draw(fixture, "doppel");
    assert_int_equal(cell_at(fixture, 0, 0)->codepoint, 'a' + 2);
    assert_int_equal(cell_at(fixture, 0, 22)->codepoint, 'a' + 24);
    assert_int_equal(fixture->terminal.row, 22);
    assert_non_null(
        strstr(fake_terminal_row(&fixture->terminal, 23, row), "rows 3-25 of 25, columns 1-60 of 80"));

    fixture->frame.text.cursor_column = 79;
    draw(fixture, "doppel");
    assert_int_equal(cell_at(fixture, 0, 0)->codepoint, 'a' + 2 + 20);
    assert_int_equal(fixture->terminal.column, 59);

    fixture->frame.text.cursor_row = 10; /* still in view: nothing moves */
    draw(fixture, "doppel");
    assert_int_equal(cell_at(fixture, 0, 0)->codepoint, 'a' + 2 + 20);

    fixture->frame.text.cursor_row = 0;
    fixture->frame.text.cursor_column = 0;
    draw(fixture, "doppel");
    assert_int_equal(cell_at(fixture, 0, 0)->codepoint, 'a');
    tear_down(fixture);
}

static void absurd_sizes_and_cursors_do_no_harm(void **state)
{
    (void)state;
    static const unsigned sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 3}, {200, 100}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fixture *fixture = set_up(TTY_COLOURS_256, sizes[i][0], sizes[i][1]);
        draw(fixture, "doppel");
        show_text(fixture, 132, 60);
        fixture->frame.text.cursor_column = 65535;
        fixture->frame.text.cursor_row = 65535;
        draw(fixture, "doppel");
        assert_false(fixture->terminal.cursor_shown);
        show_text(fixture, DISPLAY_MAX_COLUMNS, DISPLAY_MAX_ROWS);
        fixture->frame.text.cursor_column = DISPLAY_MAX_COLUMNS - 1;
        fixture->frame.text.cursor_row = DISPLAY_MAX_ROWS - 1;
        draw(fixture, "");
        show_text(fixture, 40, 25);
        draw(fixture, "");
        fixture->frame.text.active = false;
        draw(fixture, "a status that is much longer than a terminal line of this size could ever be");
        assert_true(display_frame_resize(&fixture->frame, 1, 1));
        fixture->frame.pixels[0] = 0xFFFFFF;
        draw(fixture, "doppel");
        tear_down(fixture);
    }
}

static void glyphs_of_uncertain_width_do_not_shift_what_follows(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 80, 26);
    show_text(fixture, 80, 25);
    fixture->frame.text.cells[0][10].character = 0x03; /* a heart */
    fixture->frame.text.cells[0][11].character = 'x';
    draw(fixture, "doppel");
    assert_int_equal(cell_at(fixture, 10, 0)->codepoint, 0x2665);
    assert_int_equal(cell_at(fixture, 11, 0)->codepoint, 'x');
    assert_int_equal(cell_at(fixture, 12, 0)->codepoint, 'a' + 12);
    tear_down(fixture);
}

static void the_16_vga_colours_are_the_terminals_16(void **state)
{
    (void)state;
    static const uint32_t vga[16] = {0x000000, 0x0000AA, 0x00AA00, 0x00AAAA, 0xAA0000, 0xAA00AA,
                                     0xAA5500, 0xAAAAAA, 0x555555, 0x5555FF, 0x55FF55, 0x55FFFF,
                                     0xFF5555, 0xFF55FF, 0xFFFF55, 0xFFFFFF};
    static const uint32_t ansi[16] = {0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15};
    struct fixture *fixture = set_up(TTY_COLOURS_16, 80, 26);
    show_text(fixture, 80, 25);
    for (unsigned i = 0; i < 16; i++) {
        fixture->frame.text.cells[1][i].foreground = vga[i];
        fixture->frame.text.cells[1][i].background = vga[15 - i];
    }
    draw(fixture, "doppel");
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(cell_at(fixture, i, 1)->foreground, ansi[i]);
        assert_int_equal(cell_at(fixture, i, 1)->background, ansi[15 - i]);
    }
    tear_down(fixture);
}

static void the_256_colours_come_close(void **state)
{
    (void)state;
    static const struct {
        uint32_t rgb, index;
    } samples[] = {{0x000000, 16}, {0xFFFFFF, 231}, {0xFF0000, 196}, {0x0000FF, 21},
                   {0x5F87AF, 67}, {0x808080, 244}, {0x121212, 233}, {0xAAAAAA, 248}};
    struct fixture *fixture = set_up(TTY_COLOURS_256, 80, 26);
    show_text(fixture, 80, 25);
    size_t count = sizeof samples / sizeof samples[0];
    for (size_t i = 0; i < count; i++) {
        fixture->frame.text.cells[0][i].foreground = samples[i].rgb;
    }
    draw(fixture, "doppel");
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(cell_at(fixture, i, 0)->foreground, samples[i].index);
    }
    tear_down(fixture);
}

static void colours_are_chosen_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(tty_colours_from_environment("truecolor", "xterm"), TTY_COLOURS_TRUE);
    assert_int_equal(tty_colours_from_environment("24bit", NULL), TTY_COLOURS_TRUE);
    assert_int_equal(tty_colours_from_environment(NULL, "xterm-direct"), TTY_COLOURS_TRUE);
    assert_int_equal(tty_colours_from_environment("", "screen-256color"), TTY_COLOURS_256);
    assert_int_equal(tty_colours_from_environment(NULL, "linux"), TTY_COLOURS_16);
    assert_int_equal(tty_colours_from_environment(NULL, NULL), TTY_COLOURS_16);
}

static void graphics_are_half_blocks_two_pixels_a_cell(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 8, 4); /* 8 x 6 dots for the picture */
    assert_true(display_frame_resize(&fixture->frame, 8, 6));
    fixture->frame.aspect_width = 4;
    fixture->frame.aspect_height = 3;
    for (uint32_t i = 0; i < 48; i++) {
        fixture->frame.pixels[i] = i * 0x040404;
    }
    draw(fixture, "");
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned column = 0; column < 8; column++) {
            uint32_t upper = (2 * row * 8 + column) * 0x040404,
                     lower = ((2 * row + 1) * 8 + column) * 0x040404;
            assert_int_equal(cell_at(fixture, column, row)->codepoint, 0x2580);
            assert_int_equal(cell_at(fixture, column, row)->foreground, 0x01000000 | upper);
            assert_int_equal(cell_at(fixture, column, row)->background, 0x01000000 | lower);
        }
    }
    assert_false(fixture->terminal.cursor_shown);
    tear_down(fixture);
}

static void large_pictures_are_averaged_down(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 80, 31);
    assert_true(display_frame_resize(&fixture->frame, 640, 480));
    fixture->frame.aspect_width = 4;
    fixture->frame.aspect_height = 3;
    for (uint32_t y = 0; y < 480; y++) {
        for (uint32_t x = 0; x < 640; x++) {
            fixture->frame.pixels[y * 640 + x] = (x ^ y) & 1 ? 0xFFFFFF : 0; /* a fine grey grid */
        }
    }
    draw(fixture, "");
    for (unsigned row = 0; row < 30; row++) {
        for (unsigned column = 0; column < 80; column++) {
            assert_int_equal(cell_at(fixture, column, row)->codepoint, ' '); /* both halves alike */
            assert_int_equal(cell_at(fixture, column, row)->background, 0x017F7F7F);
        }
    }
    tear_down(fixture);
}

static void a_picture_keeps_its_shape(void **state)
{
    (void)state;
    struct fixture *fixture = set_up(TTY_COLOURS_TRUE, 100, 13); /* 100 x 24 dots */
    assert_true(display_frame_resize(&fixture->frame, 320, 200));
    fixture->frame.aspect_width = 4;
    fixture->frame.aspect_height = 3;
    for (uint32_t i = 0; i < 320 * 200; i++) {
        fixture->frame.pixels[i] = 0x00AA00;
    }
    draw(fixture, "");
    assert_int_equal(cell_at(fixture, 31, 11)->background, 0x0100AA00);
    assert_int_equal(cell_at(fixture, 32, 0)->background, 0x01000000);
    tear_down(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_screen_is_shown_with_its_cursor),
        cmocka_unit_test(the_last_line_is_the_status_line),
        cmocka_unit_test(only_changed_cells_are_sent),
        cmocka_unit_test(an_invalidated_screen_is_sent_whole),
        cmocka_unit_test(a_small_terminal_shows_the_part_around_the_cursor),
        cmocka_unit_test(absurd_sizes_and_cursors_do_no_harm),
        cmocka_unit_test(glyphs_of_uncertain_width_do_not_shift_what_follows),
        cmocka_unit_test(the_16_vga_colours_are_the_terminals_16),
        cmocka_unit_test(the_256_colours_come_close),
        cmocka_unit_test(colours_are_chosen_from_the_environment),
        cmocka_unit_test(graphics_are_half_blocks_two_pixels_a_cell),
        cmocka_unit_test(large_pictures_are_averaged_down),
        cmocka_unit_test(a_picture_keeps_its_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
