/* The code pane: instructions from an address on, as many as fit, with a cursor.
 *
 * x86 code cannot be read backwards. What is above the first line is found by decoding from some way before
 * and looking which instruction ends there: nearly always the right one, since decoding falls into step
 * after a few instructions. */
#include <string.h>

#include "debugger/monitor_internal.h"
#include "debugger/tui_internal.h"

#define LOOK_BACK     40u
#define BYTES_SHOWN   7u
#define ADDRESS_WIDTH 12u /* marks and address */
#define TEXT_WIDTH    28u

static uint32_t length_at(struct tui *tui, uint32_t address)
{
    unsigned length = code_listing_length(tui->monitor, address);
    return length > 0 ? length : 1;
}

static uint32_t instruction_before(struct tui *tui, uint32_t address)
{
    for (uint32_t back = LOOK_BACK; back > 0; back--) {
        uint32_t at = address - back, last = at;
        while (address - at <= LOOK_BACK && at != address) {
            last = at;
            at += length_at(tui, at);
        }
        if (at == address) {
            return last;
        }
    }
    return address - 1;
}

/* Finds out what is on which line. */
static void fill_rows(struct tui *tui, unsigned rows)
{
    uint32_t address = tui->code_top;
    tui->code_row_count = 0;
    while (tui->code_row_count < rows && tui->code_row_count < TUI_ROWS_MAX) {
        const struct symbol *symbol = symbols_find_address(tui->monitor->symbols, address);
        bool labelled = symbol != NULL && symbol->address == address;
        if (labelled && tui->code_row_count + 1 < rows && tui->code_row_count + 1 < TUI_ROWS_MAX) {
            tui->code_rows[tui->code_row_count++] = (struct tui_code_row){address, true};
        }
        tui->code_rows[tui->code_row_count++] = (struct tui_code_row){address, false};
        address += length_at(tui, address);
    }
}

static bool is_shown(const struct tui *tui, uint32_t address)
{
    for (unsigned i = 0; i < tui->code_row_count; i++) {
        if (!tui->code_rows[i].label && tui->code_rows[i].address == address) {
            return true;
        }
    }
    return false;
}

void tui_code_go(struct tui *tui, uint32_t address)
{
    tui->code_cursor = address;
    fill_rows(tui, tui_pane_rows(tui, TUI_CODE));
    if (!is_shown(tui, address)) {
        tui->code_top = address;
    }
}

void tui_code_move(struct tui *tui, int rows)
{
    for (; rows > 0; rows--) {
        tui->code_cursor += length_at(tui, tui->code_cursor);
        fill_rows(tui, tui_pane_rows(tui, TUI_CODE));
        while (!is_shown(tui, tui->code_cursor) && tui->code_row_count > 0 &&
               tui->code_cursor - tui->code_top < 0x10000) {
            tui->code_top += length_at(tui, tui->code_top);
            fill_rows(tui, tui_pane_rows(tui, TUI_CODE));
        }
    }
    for (; rows < 0; rows++) {
        bool is_first = tui->code_cursor == tui->code_top;
        tui->code_cursor = instruction_before(tui, tui->code_cursor);
        if (is_first || !is_shown(tui, tui->code_cursor)) {
            tui->code_top = tui->code_cursor;
        }
        fill_rows(tui, tui_pane_rows(tui, TUI_CODE));
    }
}

/* The instruction's text in `columns`, its comment behind it if there is room. */
static void compose(char *to, size_t size, const struct code_line *line, unsigned columns)
{
    unsigned bytes =
        columns > ADDRESS_WIDTH + TEXT_WIDTH + 3 ? (columns - ADDRESS_WIDTH - TEXT_WIDTH) / 3 : 0;
    bytes = bytes > BYTES_SHOWN ? BYTES_SHOWN : bytes < 4 ? 0 : bytes;
    size_t at = (size_t)snprintf(to, size, "%c%c%-10s ", line->here ? '>' : ' ', line->breakpoint ? '*' : ' ',
                                 line->address);
    if (line->length == 0) {
        snprintf(to + at, size - at, "??");
        return;
    }
    for (unsigned i = 0; i < bytes; i++) {
        if (i < line->length) {
            at += (size_t)snprintf(to + at, size - at, "%02x%c", line->bytes[i],
                                   i + 1 == bytes && line->length > bytes ? '+' : ' ');
        } else {
            at += (size_t)snprintf(to + at, size - at, "   ");
        }
    }
    snprintf(to + at, size - at, "%s%s%s%s", line->text, line->sensitive ? " !" : "",
             line->symbol[0] != '\0' ? " ; " : "", line->symbol);
}

static enum tui_style style_of(const struct tui *tui, const struct code_line *line, uint32_t address)
{
    if (tui->focus == TUI_CODE && address == tui->code_cursor && !line->here) {
        return TUI_CURSOR;
    }
    return line->here         ? TUI_HERE
           : line->breakpoint ? TUI_BREAKPOINT
           : line->sensitive  ? TUI_SENSITIVE
                              : TUI_PLAIN;
}

/* The CPU has moved: the pane goes along. */
static void follow(struct tui *tui)
{
    uint32_t here = (uint32_t)code_listing_here(tui->monitor);
    if (!tui->code_known || here != tui->last_here) {
        tui->code_top = tui->code_known ? tui->code_top : here;
        tui->code_known = true;
        tui->last_here = here;
        tui_code_go(tui, here);
    }
}

void tui_draw_code(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_CODE];
    follow(tui);
    if (area->rows == 0) {
        return;
    }
    const struct cpu_state *cpu = machine_cpu(tui->machine);
    static const char *const modes[] = {
        [CPU_MODE_REAL] = "real", [CPU_MODE_V86] = "virtual-8086", [CPU_MODE_PROTECTED] = "protected"};
    char title[80];
    snprintf(title, sizeof title, "Code  %u-bit, %s mode, ring %u%s", cpu->code_size * 8u, modes[cpu->mode],
             cpu->cpl, machine_is_paused(tui->machine) ? "" : "  running");
    tui_canvas_frame(text, area, tui->focus == TUI_CODE, title);
    fill_rows(tui, area->rows - 1);
    for (unsigned i = 0; i < tui->code_row_count; i++) {
        const struct tui_code_row *row = &tui->code_rows[i];
        struct code_line line;
        char composed[400];
        code_listing_describe(tui->monitor, GUEST_LINEAR, row->address, 0, &line);
        if (row->label) {
            snprintf(composed, sizeof composed, "%s:", line.label);
            tui_canvas_put(text, area->column, area->row + 1 + i, area->columns, TUI_STRONG, composed);
            continue;
        }
        compose(composed, sizeof composed, &line, area->columns);
        enum tui_style style = style_of(tui, &line, row->address);
        tui_canvas_put(text, area->column, area->row + 1 + i, area->columns, style, composed);
        if (line.breakpoint) {
            tui_canvas_restyle(text, area->column + 1, area->row + 1 + i, 1, TUI_BREAKPOINT);
        }
        if (tui->focus == TUI_CODE && row->address == tui->code_cursor) {
            text->cursor_visible = true;
            text->cursor_column = (uint16_t)area->column;
            text->cursor_row = (uint16_t)(area->row + 1 + i);
        }
    }
}
