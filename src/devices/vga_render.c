/* The picture, line by line as the CRTC scans it; see vga.h for what is approximated.
 *
 * Every line is drawn in a scratch buffer and compared with the frame, so that the frame's generation changes
 * only with its contents. Nothing at all is drawn while no register and no display memory was written
 * (`dirty`) and no blinking is due.
 *
 * Blanking: the comparators act one count after the programmed value (IBM's mode tables and the VESA timings
 * of the same modes agree only that way), so that "blank start" 50h leaves characters 0-50h visible. */
#include <string.h>

#include "devices/vga_internal.h"

#define MAX_BORDER_CHARACTERS 8u
#define MAX_BORDER_LINES      128u

#define CURSOR_BLINK_SHIFT 3 /* the cursor changes every 8 frames, characters and pixels every 16 */

/* A range of counts that is blanked; empty when first >= end. */
struct blanking {
    uint32_t first, end;
};

static struct blanking horizontal_blanking(const struct vga *vga)
{
    uint32_t start = vga->crtc[CRTC_HORIZONTAL_BLANK_START];
    uint32_t last = (vga->crtc[CRTC_HORIZONTAL_BLANK_END] & 0x1fu) |
                    (vga->crtc[CRTC_HORIZONTAL_RETRACE_END] >> 7 & 1u) << 5;
    uint32_t length = (last - start) & 0x3f;
    return (struct blanking){.first = start + 1, .end = start + 1 + (length == 0 ? 0x40 : length)};
}

/* In scan lines. */
static struct blanking vertical_blanking(const struct vga *vga)
{
    uint32_t scale = vga_vertical_scale(vga);
    uint32_t start = vga_vertical_blank_start(vga);
    uint32_t length = (vga->crtc[CRTC_VERTICAL_BLANK_END] - start) & 0xff;
    return (struct blanking){.first = (start + 1) * scale,
                             .end = (start + 1 + (length == 0 ? 0x100 : length)) * scale};
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t distance(uint32_t from, uint32_t to)
{
    return to > from ? to - from : 0;
}

static void picture_border(const struct vga *vga, struct vga_picture *picture)
{
    uint32_t character = picture->eight_bit ? picture->dots / 2 : picture->dots;
    struct blanking horizontal = horizontal_blanking(vga);
    struct blanking vertical = vertical_blanking(vga);
    uint32_t columns = vga_horizontal_total(vga);
    uint32_t lines = vga_vertical_total(vga) * vga_vertical_scale(vga);
    uint32_t right = distance(picture->columns, least(horizontal.first, columns));
    uint32_t left = distance(horizontal.end, columns);
    uint32_t bottom = distance(picture->lines, least(vertical.first, lines));
    uint32_t top = distance(vertical.end, lines);
    picture->border_left = least(left, MAX_BORDER_CHARACTERS) * character;
    picture->border_right = least(right, MAX_BORDER_CHARACTERS) * character;
    picture->border_top = least(top, MAX_BORDER_LINES) / picture->repeat;
    picture->border_bottom = least(bottom, MAX_BORDER_LINES) / picture->repeat;
}

/* Scan lines that show the same: double scanning, and character rows of graphics modes unless the row scan
 * counter takes part in addressing. */
static uint32_t line_repetition(const struct vga *vga, bool text)
{
    uint32_t maximum_scan = vga->crtc[CRTC_MAXIMUM_SCAN_LINE];
    uint32_t repeat = (maximum_scan & 0x80) != 0 ? 2 : 1;
    bool addresses_by_row_scan = (vga->crtc[CRTC_MODE_CONTROL] & 0x03) != 0x03;
    if (!text && !addresses_by_row_scan) {
        repeat *= (maximum_scan & 0x1f) + 1;
    }
    return repeat;
}

static bool picture_is_blank(const struct vga *vga)
{
    return (vga->attribute_index & 0x20) == 0 || (vga->sequencer[SEQUENCER_CLOCKING] & 0x20) != 0;
}

void vga_picture_get(const struct vga *vga, struct vga_picture *picture)
{
    *picture = (struct vga_picture){.kind = PICTURE_OFF, .repeat = 1};
    if (vga_dispi_enabled(vga)) {
        picture->kind = picture_is_blank(vga) ? PICTURE_BLANK : PICTURE_DISPI;
        picture->width = vga->dispi.reg[DISPI_XRES];
        picture->height = vga->dispi.reg[DISPI_YRES];
        picture->lines = picture->height;
        return;
    }
    if (!vga_crtc_running(vga)) {
        return;
    }
    bool text = (vga->graphics[GRAPHICS_MISC] & 0x01) == 0;
    picture->kind = picture_is_blank(vga) ? PICTURE_BLANK : text ? PICTURE_TEXT : PICTURE_GRAPHICS;
    picture->columns = vga_horizontal_display(vga);
    picture->dots = (vga->sequencer[SEQUENCER_CLOCKING] & 0x01) != 0 ? 8 : 9;
    picture->lines = vga_vertical_display(vga) * vga_vertical_scale(vga);
    picture->repeat = line_repetition(vga, text);
    picture->eight_bit = !text && (vga->attribute[ATTRIBUTE_MODE] & 0x40) != 0;
    picture->width = picture->columns * picture->dots / (picture->eight_bit ? 2 : 1);
    picture->height = (picture->lines + picture->repeat - 1) / picture->repeat;
    if (vga->show_border) {
        picture_border(vga, picture);
    }
}

/* The frame being drawn. */
struct canvas {
    struct display_frame *frame;
    bool fresh;     /* its pixels are undefined */
    bool text_only; /* and are not to be drawn */
    bool changed;
};

static void put_pixels(struct canvas *canvas, uint32_t x, uint32_t y, const uint32_t *pixels, uint32_t count)
{
    uint32_t *to = canvas->frame->pixels + (size_t)y * canvas->frame->stride + x;
    if (canvas->fresh || memcmp(to, pixels, count * sizeof *to) != 0) {
        memcpy(to, pixels, count * sizeof *to);
        canvas->changed = true;
    }
}

static void put_colour(struct canvas *canvas, uint32_t x, uint32_t y, uint32_t colour, uint32_t count)
{
    uint32_t *to = canvas->frame->pixels + (size_t)y * canvas->frame->stride + x;
    for (uint32_t i = 0; i < count; i++) {
        canvas->changed |= canvas->fresh || to[i] != colour;
        to[i] = colour;
    }
}

static uint32_t border_colour(const struct vga *vga)
{
    return vga->dac.rgb[vga->attribute[ATTRIBUTE_OVERSCAN] & vga->dac.pel_mask];
}

static void draw_border(const struct vga *vga, const struct vga_picture *picture, struct canvas *canvas)
{
    const struct display_frame *frame = canvas->frame;
    uint32_t colour = border_colour(vga);
    for (uint32_t y = 0; y < frame->height; y++) {
        bool beside_picture = y >= picture->border_top && y - picture->border_top < picture->height;
        if (!beside_picture) {
            put_colour(canvas, 0, y, colour, frame->width);
        } else {
            put_colour(canvas, 0, y, colour, picture->border_left);
            put_colour(canvas, frame->width - picture->border_right, y, colour, picture->border_right);
        }
    }
}

static void draw_blank(const struct vga *vga, struct canvas *canvas)
{
    bool screen_off = (vga->sequencer[SEQUENCER_CLOCKING] & 0x20) != 0;
    for (uint32_t y = 0; y < canvas->frame->height; y++) {
        put_colour(canvas, 0, y, screen_off ? 0 : border_colour(vga), canvas->frame->width);
    }
}

/* Writes one row of cells of the text screen. */
static void put_text_row(struct vga *vga, const struct vga_picture *picture, const struct vga_scan *scan,
                         const struct vga_colours *colours, struct canvas *canvas)
{
    struct display_text *text = &canvas->frame->text;
    if (text->rows == DISPLAY_MAX_ROWS) {
        return;
    }
    uint16_t row = text->rows++;
    for (uint16_t column = 0; column < picture->columns; column++) {
        struct vga_text_cell cell = vga_text_cell_get(vga, scan, column);
        struct display_cell *to = &text->cells[row][column];
        uint32_t foreground = colours->attribute[cell.foreground];
        uint32_t background = colours->attribute[cell.background];
        canvas->changed |= to->character != cell.character || to->attribute != cell.attribute ||
                           to->foreground != foreground || to->background != background;
        to->character = cell.character;
        to->attribute = cell.attribute;
        to->foreground = foreground;
        to->background = background;
        if (vga_cursor_is_at(vga, scan, column)) {
            text->cursor_column = column;
            text->cursor_row = row;
            text->cursor_visible = true;
        }
    }
}

/* A cursor that would show in no line of a character is none. */
static bool cursor_has_shape(const struct vga *vga)
{
    unsigned start = vga->crtc[CRTC_CURSOR_START];
    unsigned end = vga->crtc[CRTC_CURSOR_END] & 0x1fu;
    return (start & 0x20) == 0 && (start & 0x1f) <= end &&
           (start & 0x1f) <= (vga->crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x1fu);
}

static uint32_t panning_dots(const struct vga *vga, const struct vga_picture *picture)
{
    uint32_t panning = vga->attribute[ATTRIBUTE_PANNING];
    if (picture->dots == 9) {
        return panning >= 8 ? 0 : panning + 1;
    }
    return panning >= 8 ? 0 : panning;
}

/* The CRTC's vertical state. */
struct beam {
    struct vga_scan scan;
    bool second_scan; /* of a double-scanned line */
    bool row_begins;  /* a character row begins with this line */
};

static void beam_next_line(const struct vga *vga, struct beam *beam, bool compare_matches)
{
    uint32_t maximum_scan = vga->crtc[CRTC_MAXIMUM_SCAN_LINE];
    beam->row_begins = false;
    if (compare_matches) {
        beam->scan.address = 0;
        beam->scan.row_scan = 0;
        beam->second_scan = false;
        beam->row_begins = true;
        if ((vga->attribute[ATTRIBUTE_MODE] & 0x20) != 0) {
            beam->scan.panning = 0;
        }
        return;
    }
    if ((maximum_scan & 0x80) != 0 && !beam->second_scan) {
        beam->second_scan = true;
        return;
    }
    beam->second_scan = false;
    if (beam->scan.row_scan == (maximum_scan & 0x1f)) {
        beam->scan.row_scan = 0;
        beam->scan.address += vga->crtc[CRTC_OFFSET] * 2u;
        beam->row_begins = true;
    } else {
        beam->scan.row_scan = (beam->scan.row_scan + 1) & 0x1f;
    }
}

static void blank_part_of_line(uint32_t *line, const struct vga_picture *picture,
                               const struct blanking *blanking)
{
    uint32_t character = picture->dots;
    uint32_t divisor = picture->eight_bit ? 2 : 1;
    uint32_t first = least(blanking->first * character / divisor, picture->width);
    uint32_t end = least(blanking->end * character / divisor, picture->width);
    for (uint32_t x = first; x < end; x++) {
        line[x] = 0;
    }
}

static void draw_legacy(struct vga *vga, const struct vga_picture *picture, const struct vga_colours *colours,
                        struct canvas *canvas)
{
    struct blanking horizontal = horizontal_blanking(vga);
    struct blanking vertical = vertical_blanking(vga);
    uint32_t scale = vga_vertical_scale(vga);
    uint32_t compare_line = vga_line_compare(vga) * scale + scale - 1;
    unsigned preset = vga->crtc[CRTC_PRESET_ROW_SCAN];
    struct beam beam = {
        .scan = {.address = vga->start_address + (preset >> 5 & 3), .row_scan = preset & 0x1f},
        .row_begins = true,
    };
    beam.scan.panning = panning_dots(vga, picture);
    for (uint32_t line = 0; line < picture->lines; line++) {
        if (beam.row_begins && picture->kind == PICTURE_TEXT) {
            put_text_row(vga, picture, &beam.scan, colours, canvas);
        }
        if (line % picture->repeat == 0 && !canvas->text_only) {
            uint32_t *pixels = picture->kind == PICTURE_TEXT
                                   ? vga_scan_text(vga, picture, &beam.scan, colours)
                                   : vga_scan_graphics(vga, picture, &beam.scan, colours);
            blank_part_of_line(pixels, picture, &horizontal);
            if (line >= vertical.first && line < vertical.end) {
                memset(pixels, 0, picture->width * sizeof *pixels);
            }
            put_pixels(canvas, picture->border_left, picture->border_top + line / picture->repeat, pixels,
                       picture->width);
        }
        beam_next_line(vga, &beam, line == compare_line);
    }
}

static void draw_dispi(struct vga *vga, const struct vga_picture *picture, const struct vga_colours *colours,
                       struct canvas *canvas)
{
    for (uint32_t y = 0; y < picture->height; y++) {
        put_pixels(canvas, 0, y, vga_scan_dispi(vga, picture, y, colours), picture->width);
    }
}

static void draw_text(struct vga *vga, const struct vga_picture *picture, const struct vga_colours *colours,
                      struct canvas *canvas)
{
    struct display_text *text = &canvas->frame->text;
    bool was_active = text->active, was_visible = text->cursor_visible;
    uint16_t columns = text->columns, rows = text->rows;
    uint16_t cursor_column = text->cursor_column, cursor_row = text->cursor_row;
    text->active = true;
    text->columns = (uint16_t)picture->columns;
    text->rows = 0;
    text->cursor_visible = false;
    draw_legacy(vga, picture, colours, canvas);
    text->cursor_visible = text->cursor_visible && cursor_has_shape(vga);
    canvas->changed |= !was_active || was_visible != text->cursor_visible || columns != text->columns ||
                       rows != text->rows || cursor_column != text->cursor_column ||
                       cursor_row != text->cursor_row;
}

/* What blinking changes, as a number that differs from phase to phase. */
static uint64_t blink_phase(struct vga *vga, const struct vga_picture *picture, struct vga_colours *colours)
{
    uint64_t phase = vga_timing_frames(vga) >> CURSOR_BLINK_SHIFT;
    colours->cursor_on = (phase & 1) == 0;
    colours->blink_on = (phase & 2) == 0;
    bool graphics_blink = (vga->attribute[ATTRIBUTE_MODE] & 0x08) != 0;
    if (picture->kind == PICTURE_TEXT) {
        return phase;
    }
    return graphics_blink ? phase >> 1 : 0;
}

static bool frame_is_current(const struct vga *vga, const struct display_frame *frame,
                             const struct vga_picture *picture, uint64_t phase)
{
    return !vga->dirty && !vga_lfb_is_open(vga, picture) && !vga_direct_is_open(vga) &&
           frame == vga->drawn_frame && frame->generation == vga->drawn_generation &&
           phase == vga->drawn_blink_phase;
}

/* Monitors show the standard timings 4:3, whatever the number of pixels; larger modes have square pixels. */
static void set_aspect(const struct vga *vga, const struct vga_picture *picture, struct display_frame *frame)
{
    bool square = vga_dispi_enabled(vga) && (picture->width > 720 || picture->height > 480);
    frame->aspect_width = square ? picture->width : 4;
    frame->aspect_height = square ? picture->height : 3;
}

static void draw(struct vga *vga, const struct vga_picture *picture, struct vga_colours *colours,
                 struct canvas *canvas)
{
    vga_colours_get(vga, colours);
    if (picture->kind != PICTURE_TEXT) {
        canvas->changed |= canvas->frame->text.active;
        canvas->frame->text.active = false;
    }
    switch (picture->kind) {
    case PICTURE_OFF: break;
    case PICTURE_BLANK: draw_blank(vga, canvas); return;
    case PICTURE_TEXT: draw_text(vga, picture, colours, canvas); break;
    case PICTURE_GRAPHICS: draw_legacy(vga, picture, colours, canvas); break;
    case PICTURE_DISPI: draw_dispi(vga, picture, colours, canvas); break;
    }
    if (vga->show_border) {
        draw_border(vga, picture, canvas);
    }
}

void vga_read_text(void *opaque, struct display_frame *frame)
{
    struct vga *vga = opaque;
    struct vga_picture picture;
    struct vga_colours colours;
    vga_picture_get(vga, &picture);
    if (picture.kind != PICTURE_TEXT) {
        frame->text.active = false;
        return;
    }
    struct canvas canvas = {.frame = frame, .text_only = true};
    vga_colours_get(vga, &colours);
    draw_text(vga, &picture, &colours, &canvas);
}

void vga_render(void *opaque, struct display_frame *frame, bool force)
{
    struct vga *vga = opaque;
    struct vga_picture picture;
    struct vga_colours colours;
    vga_picture_get(vga, &picture);
    uint64_t phase = blink_phase(vga, &picture, &colours);
    if (!force && frame_is_current(vga, frame, &picture, phase)) {
        return;
    }
    uint32_t width = picture.border_left + picture.width + picture.border_right;
    uint32_t height = picture.border_top + picture.height + picture.border_bottom;
    struct canvas canvas = {.frame = frame, .fresh = force};
    if (frame->width != width || frame->height != height) {
        if (!display_frame_resize(frame, width, height)) {
            return;
        }
        canvas.fresh = true;
        canvas.changed = true;
    }
    set_aspect(vga, &picture, frame);
    draw(vga, &picture, &colours, &canvas);
    if (canvas.changed) {
        frame->generation++;
    }
    vga->dirty = false;
    vga_lfb_watch(vga, &picture);
    vga_direct_watch(vga);
    vga->drawn_frame = frame;
    vga->drawn_generation = frame->generation;
    vga->drawn_blink_phase = phase;
}
