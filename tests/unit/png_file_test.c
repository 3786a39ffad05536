/* Screens as PNG files, read back with libpng. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <png.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ui/png_file.h"

static struct display_frame *test_picture(void)
{
    struct display_frame *frame = calloc(1, sizeof *frame);
    assert_non_null(frame);
    assert_true(display_frame_resize(frame, 40, 25));
    frame->width = 37; /* stride 40: the last columns are not part of the picture */
    for (uint32_t i = 0; i < 40 * 25; i++) {
        frame->pixels[i] = i * 0x010307 & 0xFFFFFF;
    }
    return frame;
}

static void free_picture(struct display_frame *frame)
{
    display_frame_release(frame);
    free(frame);
}

static void assert_file_shows(const char *path, const struct display_frame *frame)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_int_equal(image.width, frame->width);
    assert_int_equal(image.height, frame->height);
    image.format = PNG_FORMAT_RGB;
    png_byte *rgb = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    for (uint32_t y = 0; y < frame->height; y++) {
        for (uint32_t x = 0; x < frame->width; x++) {
            const png_byte *pixel = rgb + ((size_t)y * frame->width + x) * 3;
            uint32_t got = (uint32_t)pixel[0] << 16 | (uint32_t)pixel[1] << 8 | pixel[2];
            if (got != frame->pixels[y * frame->stride + x]) {
                fail_msg("pixel (%u, %u): %06X instead of %06X", x, y, got,
                         frame->pixels[y * frame->stride + x]);
            }
        }
    }
    free(rgb);
}

static void a_written_picture_reads_back_pixel_by_pixel(void **state)
{
    (void)state;
    char path[] = "/tmp/doppel-png-XXXXXX";
    close(mkstemp(path));
    struct display_frame *frame = test_picture();
    struct status status = png_file_write(path, frame);
    assert_int_equal(status.code, STATUS_OK);
    assert_file_shows(path, frame);
    free_picture(frame);
    unlink(path);
}

static void a_screen_that_is_off_is_an_error(void **state)
{
    (void)state;
    struct display_frame *frame = calloc(1, sizeof *frame);
    struct status status = png_file_write("/tmp/doppel-never-written.png", frame);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "off"));
    assert_int_equal(access("/tmp/doppel-never-written.png", F_OK), -1);
    free(frame);
}

static void a_directory_that_does_not_exist_is_named(void **state)
{
    (void)state;
    struct display_frame *frame = test_picture();
    struct status status = png_file_write("/nonexistent/a.png", frame);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_non_null(strstr(status.message, "/nonexistent/a.png"));
    free_picture(frame);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    struct display_frame *frame = test_picture();
    struct status status = png_file_write("/dev/full", frame);
    assert_int_equal(status.code, STATUS_IO_ERROR);
    assert_non_null(strstr(status.message, "/dev/full"));
    assert_int_equal(access("/dev/full", W_OK), 0); /* a device is not a partial file */
    free_picture(frame);
}

static void a_file_that_cannot_be_finished_is_removed(void **state)
{
    (void)state;
    char path[] = "/tmp/doppel-png-XXXXXX";
    close(mkstemp(path));
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 100;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct display_frame *frame = test_picture();
    struct status status = png_file_write(path, frame);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status.code, STATUS_IO_ERROR);
    assert_int_equal(access(path, F_OK), -1);
    free_picture(frame);
}

static void screenshots_never_overwrite_each_other(void **state)
{
    (void)state;
    char directory[] = "/tmp/doppel-shots-XXXXXX", before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    struct display_frame *frame = test_picture();
    char names[3][SCREENSHOT_NAME_MAX];
    for (unsigned i = 0; i < 3; i++) {
        struct status status = png_file_write_screenshot(frame, names[i]);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(strncmp(names[i], "doppel-20", 9), 0);
        for (unsigned earlier = 0; earlier < i; earlier++) {
            assert_string_not_equal(names[i], names[earlier]);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_file_shows(names[i], frame);
        assert_int_equal(unlink(names[i]), 0);
    }
    free_picture(frame);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_picture_reads_back_pixel_by_pixel),
        cmocka_unit_test(a_screen_that_is_off_is_an_error),
        cmocka_unit_test(a_directory_that_does_not_exist_is_named),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(a_file_that_cannot_be_finished_is_removed),
        cmocka_unit_test(screenshots_never_overwrite_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
