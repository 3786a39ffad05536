/* See tui_canvas.h. Colours are those of the VGA's text modes, so that terminals with 16 of them, or with 8
 * for backgrounds, have them all. What a colour says, a character says too, for terminals without. */
#include "debugger/tui_canvas.h"

#include <string.h>

#define BLACK  0x000000u
#define RED    0xAA0000u
#define GREEN  0x00AA00u
#define BLUE   0x0000AAu
#define CYAN   0x00AAAAu
#define GREY   0xAAAAAAu
#define DARK   0x555555u
#define PINK   0xFF55FFu
#define YELLOW 0xFFFF55u
#define WHITE  0xFFFFFFu

#define BOX_HORIZONTAL 0xC4
#define BOX_VERTICAL   0xB3

static const struct {
    uint32_t foreground, background;
    uint8_t attribute;
} styles[TUI_STYLE_COUNT] = {
    [TUI_PLAIN] = {GREY, BLACK, 0x07},          [TUI_DIM] = {DARK, BLACK, 0x08},
    [TUI_STRONG] = {WHITE, BLACK, 0x0F},        [TUI_TITLE] = {GREY, BLUE, 0x17},
    [TUI_TITLE_OF_FOCUS] = {BLACK, CYAN, 0x30}, [TUI_HERE] = {BLACK, GREEN, 0x20},
    [TUI_CURSOR] = {BLACK, GREY, 0x70},         [TUI_BREAKPOINT] = {WHITE, RED, 0x4F},
    [TUI_CHANGED] = {YELLOW, BLACK, 0x0E},      [TUI_SENSITIVE] = {PINK, BLACK, 0x0D},
};

static void set_style(struct display_cell *cell, enum tui_style style)
{
    cell->attribute = styles[style].attribute;
    cell->foreground = styles[style].foreground;
    cell->background = styles[style].background;
}

static void put_character(struct display_text *text, unsigned column, unsigned row, enum tui_style style,
                          uint8_t character)
{
    if (column < text->columns && row < text->rows) {
        struct display_cell *cell = &text->cells[row][column];
        cell->character = character;
        set_style(cell, style);
    }
}

void tui_canvas_clear(struct display_text *text, unsigned columns, unsigned rows)
{
    text->active = true;
    text->columns = (uint16_t)(columns > DISPLAY_MAX_COLUMNS ? DISPLAY_MAX_COLUMNS : columns);
    text->rows = (uint16_t)(rows > DISPLAY_MAX_ROWS ? DISPLAY_MAX_ROWS : rows);
    text->cursor_visible = false;
    for (unsigned row = 0; row < text->rows; row++) {
        for (unsigned column = 0; column < text->columns; column++) {
            put_character(text, column, row, TUI_PLAIN, ' ');
        }
    }
}

void tui_canvas_put(struct display_text *text, unsigned column, unsigned row, unsigned columns,
                    enum tui_style style, const char *string)
{
    for (unsigned i = 0; i < columns; i++) {
        put_character(text, column + i, row, style, *string != '\0' ? (uint8_t)*string++ : ' ');
    }
}

void tui_canvas_restyle(struct display_text *text, unsigned column, unsigned row, unsigned columns,
                        enum tui_style style)
{
    for (unsigned i = 0; i < columns && column + i < text->columns && row < text->rows; i++) {
        set_style(&text->cells[row][column + i], style);
    }
}

void tui_canvas_frame(struct display_text *text, const struct tui_area *area, bool focus, const char *title)
{
    enum tui_style style = focus ? TUI_TITLE_OF_FOCUS : TUI_TITLE;
    unsigned length = (unsigned)strlen(title);
    for (unsigned i = 0; i < area->columns; i++) {
        put_character(text, area->column + i, area->row, style, BOX_HORIZONTAL);
    }
    if (area->columns >= 4) {
        unsigned room = area->columns - 3;
        length = length < room ? length : room;
        put_character(text, area->column + 1, area->row, style, focus ? '[' : ' ');
        tui_canvas_put(text, area->column + 2, area->row, length, style, title);
        put_character(text, area->column + 2 + length, area->row, style, focus ? ']' : ' ');
    }
    for (unsigned i = 0; area->column > 0 && i < area->rows; i++) {
        put_character(text, area->column - 1, area->row + i, i == 0 ? TUI_TITLE : TUI_DIM,
                      i == 0 ? BOX_HORIZONTAL : BOX_VERTICAL);
    }
}
