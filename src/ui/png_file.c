/* Screens as PNG files through libpng's simplified interface (libpng manual, chapter "The simplified API");
 * see png_file.h. */
#include "ui/png_file.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SAME_SECOND_MAX 1000

static png_byte *frame_to_rgb(const struct display_frame *frame)
{
    png_byte *rgb = malloc((size_t)frame->width * frame->height * 3);
    if (!rgb) {
        return NULL;
    }
    png_byte *to = rgb;
    for (uint32_t y = 0; y < frame->height; y++) {
        const uint32_t *row = frame->pixels + (size_t)y * frame->stride;
        for (uint32_t x = 0; x < frame->width; x++) {
            *to++ = (png_byte)(row[x] >> 16);
            *to++ = (png_byte)(row[x] >> 8);
            *to++ = (png_byte)row[x];
        }
    }
    return rgb;
}

static struct status check_frame(const struct display_frame *frame)
{
    if (frame->width == 0 || frame->height == 0) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "the guest's screen is off: there is no picture to save");
    }
    return status_ok();
}

static bool is_regular(FILE *file)
{
    struct stat information;
    return fstat(fileno(file), &information) == 0 && S_ISREG(information.st_mode);
}

/* Writes to `file` and closes it. `path` is for messages, and removed on failure unless it is a device. */
static struct status write_and_close(FILE *file, const char *path, const struct display_frame *frame)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = frame->width,
                       .height = frame->height,
                       .format = PNG_FORMAT_RGB};
    bool removable = is_regular(file);
    struct status status = status_ok();
    png_byte *rgb = frame_to_rgb(frame);
    if (!rgb) {
        status = status_error(STATUS_NO_MEMORY, "out of memory for '%.160s'", path);
    } else if (!png_image_write_to_stdio(&image, file, 0, rgb, 0, NULL)) {
        status = status_error(STATUS_IO_ERROR, "cannot write '%.160s': %s", path, image.message);
    }
    free(rgb);
    if (fclose(file) != 0 && status_is_ok(&status)) {
        status = status_from_errno(errno, "cannot write '%.160s'", path);
    }
    if (!status_is_ok(&status) && removable) {
        (void)unlink(path);
    }
    return status;
}

struct status png_file_write(const char *path, const struct display_frame *frame)
{
    struct status status = check_frame(frame);
    if (!status_is_ok(&status)) {
        return status;
    }
    FILE *file = fopen(path, "wb");
    if (!file) {
        return status_from_errno(errno, "cannot create '%.160s'", path);
    }
    return write_and_close(file, path, frame);
}

struct status png_file_write_screenshot(const struct display_frame *frame, char name[SCREENSHOT_NAME_MAX])
{
    struct status status = check_frame(frame);
    if (!status_is_ok(&status)) {
        return status;
    }
    time_t now = time(NULL);
    struct tm local;
    char stamp[32];
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    snprintf(name, SCREENSHOT_NAME_MAX, "doppel-%s.png", stamp);
    FILE *file = fopen(name, "wbx");
    for (unsigned n = 2; !file && errno == EEXIST && n < SAME_SECOND_MAX; n++) {
        snprintf(name, SCREENSHOT_NAME_MAX, "doppel-%s-%u.png", stamp, n);
        file = fopen(name, "wbx");
    }
    if (!file) {
        return status_from_errno(errno, "cannot create '%s'", name);
    }
    return write_and_close(file, name, frame);
}
