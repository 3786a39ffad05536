/* How large a picture of a given shape can be shown in an area: the same question for windows and terminals.
 */
#ifndef DOPPEL_UI_PICTURE_FIT_H
#define DOPPEL_UI_PICTURE_FIT_H

#include <stdint.h>

#include "ui/display.h"

struct picture_size {
    uint32_t width, height;
};

/* The largest size of the frame's shape (aspect_width:aspect_height, or its pixels' when those are 0) that
 * fits into width x height square dots; at least 1 x 1. */
static inline struct picture_size picture_fit(const struct display_frame *frame, uint32_t width,
                                              uint32_t height)
{
    bool has_aspect = frame->aspect_width != 0 && frame->aspect_height != 0;
    uint64_t shape_width = has_aspect ? frame->aspect_width : frame->width ? frame->width : 1;
    uint64_t shape_height = has_aspect ? frame->aspect_height : frame->height ? frame->height : 1;
    uint64_t fit_width = width, fit_height = height;
    if (width * shape_height > height * shape_width) {
        fit_width = (height * shape_width + shape_height / 2) / shape_height;
    } else {
        fit_height = (width * shape_height + shape_width / 2) / shape_width;
    }
    return (struct picture_size){
        .width = fit_width ? (uint32_t)fit_width : 1,
        .height = fit_height ? (uint32_t)fit_height : 1,
    };
}

#endif
