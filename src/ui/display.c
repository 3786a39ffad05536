/* Frame memory and the text screen as UTF-8; see display.h. */
#include "ui/display.h"

#include <stdlib.h>
#include <string.h>

#include "ui/utf8.h"

bool display_frame_resize(struct display_frame *frame, uint32_t width, uint32_t height)
{
    uint64_t wanted = (uint64_t)width * height;
    if (wanted > frame->capacity) {
        if (wanted > SIZE_MAX / sizeof *frame->pixels) {
            return false;
        }
        uint32_t *pixels = realloc(frame->pixels, (size_t)wanted * sizeof *pixels);
        if (!pixels) {
            return false;
        }
        frame->pixels = pixels;
        frame->capacity = wanted;
    }
    frame->width = width;
    frame->height = height;
    frame->stride = width;
    return true;
}

void display_frame_release(struct display_frame *frame)
{
    free(frame->pixels);
    *frame = (struct display_frame){0};
}

static void copy_text(struct display_text *to, const struct display_text *from)
{
    to->active = from->active;
    to->columns = from->columns;
    to->rows = from->rows;
    to->cursor_visible = from->cursor_visible;
    to->cursor_column = from->cursor_column;
    to->cursor_row = from->cursor_row;
    for (unsigned row = 0; from->active && row < from->rows; row++) {
        memcpy(to->cells[row], from->cells[row], from->columns * sizeof *to->cells[row]);
    }
}

bool display_frame_copy(struct display_frame *to, const struct display_frame *from)
{
    if (!display_frame_resize(to, from->width, from->height)) {
        return false;
    }
    for (uint32_t y = 0; y < from->height; y++) {
        memcpy(to->pixels + (size_t)y * to->stride, from->pixels + (size_t)y * from->stride,
               from->width * sizeof *to->pixels);
    }
    to->aspect_width = from->aspect_width;
    to->aspect_height = from->aspect_height;
    to->generation = from->generation;
    copy_text(&to->text, &from->text);
    return true;
}

/* The IBM PC character generator's glyphs as Unicode, after Unicode's own mapping files:
 * VENDORS/MICSFT/PC/CP437.TXT for 80h-FFh, VENDORS/MISC/IBMGRAPH.TXT for the pictures below 20h and at 7Fh.
 */
static const uint16_t cp437_controls[32] = {
    ' ',    0x263A, 0x263B, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25D8, 0x25CB, 0x25D9,
    0x2642, 0x2640, 0x266A, 0x266B, 0x263C, 0x25BA, 0x25C4, 0x2195, 0x203C, 0x00B6, 0x00A7,
    0x25AC, 0x21A8, 0x2191, 0x2193, 0x2192, 0x2190, 0x221F, 0x2194, 0x25B2, 0x25BC,
};

static const uint16_t cp437_high[128] = {
    0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7, 0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE,
    0x00EC, 0x00C4, 0x00C5, 0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9, 0x00FF, 0x00D6,
    0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192, 0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA,
    0x00BA, 0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510, 0x2514,
    0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F, 0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256C, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B, 0x256A, 0x2518, 0x250C,
    0x2588, 0x2584, 0x258C, 0x2590, 0x2580, 0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4,
    0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6, 0x03B5, 0x2229, 0x2261, 0x00B1, 0x2265, 0x2264, 0x2320,
    0x2321, 0x00F7, 0x2248, 0x00B0, 0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x00A0,
};

uint32_t display_cp437_to_unicode(uint8_t character)
{
    if (character < 0x20) {
        return cp437_controls[character];
    }
    if (character == 0x7F) {
        return 0x2302;
    }
    if (character == 0xFF) {
        return ' '; /* no-break space: a plain one compares and trims better */
    }
    return character < 0x80 ? character : cp437_high[character - 0x80];
}

static bool is_blank(uint8_t character)
{
    return display_cp437_to_unicode(character) == ' ';
}

/* Output that counts what did not fit, as snprintf does; only whole characters are stored. */
struct text_writer {
    char *to;
    size_t size;   /* with the terminator */
    size_t stored; /* bytes in `to` */
    size_t needed;
    bool full;
};

static void text_writer_put(struct text_writer *writer, uint32_t codepoint)
{
    char bytes[UTF8_MAX];
    size_t length = utf8_encode(codepoint, bytes);
    writer->needed += length;
    writer->full = writer->full || writer->stored + length >= writer->size;
    if (!writer->full) {
        memcpy(writer->to + writer->stored, bytes, length);
        writer->stored += length;
    }
}

size_t display_text_to_utf8(const struct display_text *text, char *to, size_t size)
{
    struct text_writer writer = {.to = to, .size = size};
    for (unsigned row = 0; text->active && row < text->rows; row++) {
        const struct display_cell *cells = text->cells[row];
        unsigned end = text->columns;
        while (end > 0 && is_blank(cells[end - 1].character)) {
            end--;
        }
        for (unsigned column = 0; column < end; column++) {
            text_writer_put(&writer, display_cp437_to_unicode(cells[column].character));
        }
        text_writer_put(&writer, '\n');
    }
    to[writer.stored] = '\0';
    return writer.needed;
}
