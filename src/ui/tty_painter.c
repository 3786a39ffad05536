/* Terminal drawing by difference; see tty_painter.h. */
#include "ui/tty_painter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/picture_fit.h"
#include "ui/utf8.h"

#define SIZE_LIMIT 1000

#define STATUS_FOREGROUND 0x000000
#define STATUS_BACKGROUND 0xAAAAAA

#define UPPER_HALF_BLOCK 0x2580

#define COLOUR_UNKNOWN UINT32_MAX

/* Colours are terminal colours: an index, or 0x00RRGGBB when the terminal takes those. */
struct tty_cell {
    uint32_t codepoint; /* 0: unknown, to be drawn */
    uint32_t foreground, background;
};

struct tty_painter {
    enum tty_colours colours;
    unsigned columns, rows; /* of the terminal */
    struct tty_cell *shown, *wanted;
    unsigned origin_column, origin_row; /* first cell of the guest's screen that is shown */
    /* Where the terminal is, as far as known. */
    bool position_known;
    unsigned column, row;
    uint32_t foreground, background;
    bool cursor_known, cursor_shown;
};

enum tty_colours tty_colours_from_environment(const char *colorterm, const char *term)
{
    if (colorterm && (strcmp(colorterm, "truecolor") == 0 || strcmp(colorterm, "24bit") == 0)) {
        return TTY_COLOURS_TRUE;
    }
    if (term && strstr(term, "direct")) {
        return TTY_COLOURS_TRUE;
    }
    return term && strstr(term, "256color") ? TTY_COLOURS_256 : TTY_COLOURS_16;
}

struct tty_painter *tty_painter_create(enum tty_colours colours)
{
    struct tty_painter *painter = calloc(1, sizeof *painter);
    if (painter) {
        painter->colours = colours;
        tty_painter_invalidate(painter);
    }
    return painter;
}

void tty_painter_destroy(struct tty_painter *painter)
{
    if (painter) {
        free(painter->shown);
        free(painter->wanted);
        free(painter);
    }
}

static unsigned clamp_size(unsigned size)
{
    return size < 1 ? 1 : size > SIZE_LIMIT ? SIZE_LIMIT : size;
}

bool tty_painter_resize(struct tty_painter *painter, unsigned columns, unsigned rows)
{
    columns = clamp_size(columns);
    rows = clamp_size(rows);
    struct tty_cell *shown = calloc((size_t)columns * rows, sizeof *shown);
    struct tty_cell *wanted = calloc((size_t)columns * rows, sizeof *wanted);
    if (!shown || !wanted) {
        free(shown);
        free(wanted);
        return false;
    }
    free(painter->shown);
    free(painter->wanted);
    painter->shown = shown;
    painter->wanted = wanted;
    painter->columns = columns;
    painter->rows = rows;
    tty_painter_invalidate(painter);
    return true;
}

void tty_painter_invalidate(struct tty_painter *painter)
{
    if (painter->shown) {
        memset(painter->shown, 0, (size_t)painter->columns * painter->rows * sizeof *painter->shown);
    }
    painter->position_known = false;
    painter->cursor_known = false;
    painter->foreground = COLOUR_UNKNOWN;
    painter->background = COLOUR_UNKNOWN;
}

/* Colours */

static unsigned distance(uint32_t a, uint32_t b)
{
    int red = (int)(a >> 16 & 0xFF) - (int)(b >> 16 & 0xFF);
    int green = (int)(a >> 8 & 0xFF) - (int)(b >> 8 & 0xFF);
    int blue = (int)(a & 0xFF) - (int)(b & 0xFF);
    return (unsigned)(red * red + green * green + blue * blue);
}

/* The nearest of the 16 colours, taken to be the VGA's, in ANSI order. */
static uint32_t colour_of_16(uint32_t rgb)
{
    static const uint32_t palette[16] = {
        0x000000, 0xAA0000, 0x00AA00, 0xAA5500, 0x0000AA, 0xAA00AA, 0x00AAAA, 0xAAAAAA,
        0x555555, 0xFF5555, 0x55FF55, 0xFFFF55, 0x5555FF, 0xFF55FF, 0x55FFFF, 0xFFFFFF,
    };
    uint32_t best = 0;
    for (uint32_t i = 1; i < 16; i++) {
        if (distance(rgb, palette[i]) < distance(rgb, palette[best])) {
            best = i;
        }
    }
    return best;
}

/* The nearest of xterm's 6x6x6 cube (16..231) and grey ramp (232..255). */
static uint32_t colour_of_256(uint32_t rgb)
{
    static const uint8_t levels[6] = {0, 95, 135, 175, 215, 255};
    uint32_t cube = 0, cube_rgb = 0, sum = 0;
    for (unsigned shift = 24; shift > 0;) {
        shift -= 8;
        uint32_t value = rgb >> shift & 0xFF;
        uint32_t level = 0;
        while (level < 5 && value > (levels[level] + levels[level + 1]) / 2u) {
            level++;
        }
        cube = cube * 6 + level;
        cube_rgb = cube_rgb << 8 | levels[level];
        sum += value;
    }
    uint32_t average = sum / 3;
    uint32_t grey = average < 8 ? 0 : (average - 3) / 10;
    grey = grey > 23 ? 23 : grey;
    uint32_t grey_value = 8 + 10 * grey;
    uint32_t grey_rgb = grey_value << 16 | grey_value << 8 | grey_value;
    return distance(rgb, grey_rgb) < distance(rgb, cube_rgb) ? 232 + grey : 16 + cube;
}

static uint32_t terminal_colour(const struct tty_painter *painter, uint32_t rgb)
{
    switch (painter->colours) {
    case TTY_COLOURS_TRUE: return rgb & 0xFFFFFF;
    case TTY_COLOURS_256: return colour_of_256(rgb);
    default: return colour_of_16(rgb);
    }
}

/* Composing the wanted cells */

static struct tty_cell *wanted_cell(struct tty_painter *painter, unsigned column, unsigned row)
{
    return &painter->wanted[(size_t)row * painter->columns + column];
}

static void set_cell(struct tty_painter *painter, unsigned column, unsigned row, uint32_t codepoint,
                     uint32_t foreground_rgb, uint32_t background_rgb)
{
    struct tty_cell *cell = wanted_cell(painter, column, row);
    cell->codepoint = codepoint;
    cell->background = terminal_colour(painter, background_rgb);
    /* A blank looks the same in every colour: fewer changes. */
    cell->foreground = codepoint == ' ' ? cell->background : terminal_colour(painter, foreground_rgb);
}

/* Rows of the terminal that show the guest. */
static unsigned guest_rows(const struct tty_painter *painter)
{
    return painter->rows - 1;
}

static void clear_area(struct tty_painter *painter)
{
    for (unsigned row = 0; row < guest_rows(painter); row++) {
        for (unsigned column = 0; column < painter->columns; column++) {
            set_cell(painter, column, row, ' ', 0, 0);
        }
    }
}

/* Moves an origin as little as needed for `position` to be seen through a window of `visible` out of `total`.
 */
static unsigned follow(unsigned origin, unsigned position, unsigned visible, unsigned total)
{
    if (visible >= total) {
        return 0;
    }
    if (position < origin) {
        origin = position;
    } else if (position >= origin + visible) {
        origin = position - visible + 1;
    }
    return origin > total - visible ? total - visible : origin;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void compose_text(struct tty_painter *painter, const struct display_text *text)
{
    unsigned visible_columns = smaller(painter->columns, text->columns);
    unsigned visible_rows = smaller(guest_rows(painter), text->rows);
    bool follows =
        text->cursor_visible && text->cursor_column < text->columns && text->cursor_row < text->rows;
    painter->origin_column =
        follow(painter->origin_column, follows ? text->cursor_column : painter->origin_column,
               visible_columns, text->columns);
    painter->origin_row = follow(painter->origin_row, follows ? text->cursor_row : painter->origin_row,
                                 visible_rows, text->rows);
    for (unsigned row = 0; row < visible_rows; row++) {
        const struct display_cell *cells = text->cells[painter->origin_row + row] + painter->origin_column;
        for (unsigned column = 0; column < visible_columns; column++) {
            set_cell(painter, column, row, display_cp437_to_unicode(cells[column].character),
                     cells[column].foreground, cells[column].background);
        }
    }
}

/* The average colour of the pixels that fall into dot (x, y) of a picture of width x height dots. */
static uint32_t average_dot(const struct display_frame *frame, struct picture_size size, uint32_t x,
                            uint32_t y)
{
    uint32_t left = (uint32_t)((uint64_t)x * frame->width / size.width);
    uint32_t right = (uint32_t)((uint64_t)(x + 1) * frame->width / size.width);
    uint32_t top = (uint32_t)((uint64_t)y * frame->height / size.height);
    uint32_t bottom = (uint32_t)((uint64_t)(y + 1) * frame->height / size.height);
    right = right > left ? right : left + 1;
    bottom = bottom > top ? bottom : top + 1;
    uint64_t red = 0, green = 0, blue = 0;
    for (uint32_t py = top; py < bottom; py++) {
        const uint32_t *row = frame->pixels + (size_t)py * frame->stride;
        for (uint32_t px = left; px < right; px++) {
            red += row[px] >> 16 & 0xFF;
            green += row[px] >> 8 & 0xFF;
            blue += row[px] & 0xFF;
        }
    }
    uint64_t count = (uint64_t)(right - left) * (bottom - top);
    return (uint32_t)(red / count << 16 | green / count << 8 | blue / count);
}

static void compose_picture(struct tty_painter *painter, const struct display_frame *frame)
{
    /* A cell is about twice as high as wide, so half of one is about square. */
    struct picture_size size = picture_fit(frame, painter->columns, 2 * guest_rows(painter));
    for (uint32_t row = 0; row < (size.height + 1) / 2; row++) {
        for (uint32_t column = 0; column < size.width; column++) {
            uint32_t upper = average_dot(frame, size, column, 2 * row);
            uint32_t lower = 2 * row + 1 < size.height ? average_dot(frame, size, column, 2 * row + 1) : 0;
            bool plain = terminal_colour(painter, upper) == terminal_colour(painter, lower);
            set_cell(painter, column, row, plain ? ' ' : UPPER_HALF_BLOCK, upper, lower);
        }
    }
}

/* "rows 3-25 of 25"; nothing when all is shown. */
static void describe_part(char *to, size_t size, const char *what, unsigned origin, unsigned visible,
                          unsigned total)
{
    to[0] = '\0';
    if (visible < total) {
        snprintf(to, size, "%s %u-%u of %u", what, origin + 1, origin + visible, total);
    }
}

static void describe_view(const struct tty_painter *painter, const struct display_frame *frame, char *to,
                          size_t size)
{
    const struct display_text *text = &frame->text;
    if (!text->active && (frame->width == 0 || frame->height == 0)) {
        snprintf(to, size, "screen off");
    } else if (!text->active) {
        snprintf(to, size, "%ux%u graphics", frame->width, frame->height);
    } else if (text->columns > painter->columns || text->rows > guest_rows(painter)) {
        char rows[32], columns[36];
        describe_part(rows, sizeof rows, "rows", painter->origin_row, guest_rows(painter), text->rows);
        describe_part(columns, sizeof columns, "columns", painter->origin_column, painter->columns,
                      text->columns);
        snprintf(to, size, "%s%s%s", rows, rows[0] && columns[0] ? ", " : "", columns);
    } else {
        snprintf(to, size, "%ux%u", text->columns, text->rows);
    }
}

static void compose_status(struct tty_painter *painter, const struct display_frame *frame, const char *status)
{
    char view[96];
    describe_view(painter, frame, view, sizeof view);
    unsigned last = painter->rows - 1;
    unsigned status_length = (unsigned)strlen(status), view_length = (unsigned)strlen(view);
    /* " status   view "; the view is left out when there is no room for both. */
    unsigned view_start = painter->columns > view_length + 1 ? painter->columns - view_length - 1 : 0;
    bool has_view = status_length + 3 <= view_start || status_length == 0;
    for (unsigned column = 0; column < painter->columns; column++) {
        char character = ' ';
        if (column >= 1 && column - 1 < status_length) {
            character = status[column - 1];
        } else if (has_view && column >= view_start && column - view_start < view_length) {
            character = view[column - view_start];
        }
        set_cell(painter, column, last, (uint8_t)character, STATUS_FOREGROUND, STATUS_BACKGROUND);
    }
}

/* Sending what differs */

static void send_colour(const struct tty_painter *painter, struct tty_output *output, uint32_t colour,
                        bool background)
{
    switch (painter->colours) {
    case TTY_COLOURS_TRUE:
        tty_output_print(output, "\x1b[%d;2;%u;%u;%um", background ? 48 : 38, (unsigned)(colour >> 16 & 0xFF),
                         (unsigned)(colour >> 8 & 0xFF), (unsigned)(colour & 0xFF));
        break;
    case TTY_COLOURS_256:
        tty_output_print(output, "\x1b[%d;5;%um", background ? 48 : 38, (unsigned)colour);
        break;
    default:
        tty_output_print(output, "\x1b[%um",
                         (unsigned)((background ? 10 : 0) + (colour < 8 ? 30 + colour : 90 + colour - 8)));
        break;
    }
}

/* Glyphs that every terminal draws one cell wide. Others (arrows, card suits) may be wider somewhere, after
 * which the position has to be said again. */
static bool has_certain_width(uint32_t codepoint)
{
    return codepoint < 0x80 || (codepoint >= 0x2500 && codepoint < 0x25A0);
}

static void send_position(struct tty_painter *painter, struct tty_output *output, unsigned column,
                          unsigned row)
{
    if (!painter->position_known || painter->column != column || painter->row != row) {
        tty_output_print(output, "\x1b[%u;%uH", row + 1, column + 1);
        painter->position_known = true;
        painter->column = column;
        painter->row = row;
    }
}

static void send_cell(struct tty_painter *painter, struct tty_output *output, unsigned column, unsigned row)
{
    const struct tty_cell *cell = wanted_cell(painter, column, row);
    send_position(painter, output, column, row);
    if (cell->codepoint != ' ' && painter->foreground != cell->foreground) {
        send_colour(painter, output, cell->foreground, false);
        painter->foreground = cell->foreground;
    }
    if (painter->background != cell->background) {
        send_colour(painter, output, cell->background, true);
        painter->background = cell->background;
    }
    char bytes[UTF8_MAX];
    tty_output_put(output, bytes, utf8_encode(cell->codepoint, bytes));
    painter->column++;
    painter->position_known = has_certain_width(cell->codepoint) && painter->column < painter->columns;
}

static void send_cursor(struct tty_painter *painter, const struct display_text *text,
                        struct tty_output *output)
{
    unsigned column = text->cursor_column - painter->origin_column;
    unsigned row = text->cursor_row - painter->origin_row;
    bool visible = text->active && text->cursor_visible && text->cursor_column < text->columns &&
                   text->cursor_row < text->rows && column < painter->columns && row < guest_rows(painter);
    if (visible) {
        send_position(painter, output, column, row);
    }
    if (!painter->cursor_known || painter->cursor_shown != visible) {
        tty_output_print(output, "\x1b[?25%c", visible ? 'h' : 'l');
        painter->cursor_known = true;
        painter->cursor_shown = visible;
    }
}

void tty_painter_draw(struct tty_painter *painter, const struct display_frame *frame, const char *status,
                      struct tty_output *output)
{
    if (!painter->shown) {
        return;
    }
    clear_area(painter);
    if (frame->text.active && guest_rows(painter) > 0) {
        compose_text(painter, &frame->text);
    } else if (frame->width != 0 && frame->height != 0 && guest_rows(painter) > 0) {
        compose_picture(painter, frame);
    }
    compose_status(painter, frame, status);
    for (unsigned row = 0; row < painter->rows; row++) {
        for (unsigned column = 0; column < painter->columns; column++) {
            size_t index = (size_t)row * painter->columns + column;
            if (memcmp(&painter->shown[index], &painter->wanted[index], sizeof *painter->shown) != 0) {
                send_cell(painter, output, column, row);
                painter->shown[index] = painter->wanted[index];
            }
        }
    }
    send_cursor(painter, &frame->text, output);
}
