/* The panes beside the code: registers, stack, memory, breakpoints, the guest's screen, the console. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/monitor_internal.h"
#include "debugger/registers.h"
#include "debugger/tui_internal.h"

/* ---- registers */

/* A register in the pane: three of them in a row. */
struct register_cell {
    const char *name;
    unsigned digits;
};

#define REGISTER_COLUMNS 3u

static const struct register_cell register_cells[][REGISTER_COLUMNS] = {
    {{"eax", 8}, {"esi", 8}, {"cs", 4}},    {{"ebx", 8}, {"edi", 8}, {"ss", 4}},
    {{"ecx", 8}, {"ebp", 8}, {"ds", 4}},    {{"edx", 8}, {"esp", 8}, {"es", 4}},
    {{"eip", 8}, {"eflags", 8}, {"fs", 4}},
};

/* What fits below, when there is room. */
static const struct register_cell more_cells[][REGISTER_COLUMNS] = {
    {{"cr0", 8}, {"cr3", 8}, {"gs", 4}},
    {{"cr2", 8}, {"cr4", 8}, {"ldtr", 4}},
    {{"gdtr.base", 8}, {"gdtr.limit", 4}, {NULL, 0}},
    {{"idtr.base", 8}, {"idtr.limit", 4}, {"tr", 4}},
    {{"cs.base", 8}, {"cs.limit", 8}, {NULL, 0}},
    {{"ss.base", 8}, {"ss.limit", 8}, {NULL, 0}},
    {{"ds.base", 8}, {"ds.limit", 8}, {NULL, 0}},
    {{"es.base", 8}, {"es.limit", 8}, {NULL, 0}},
    {{"dr0", 8}, {"dr1", 8}, {NULL, 0}},
    {{"dr2", 8}, {"dr3", 8}, {NULL, 0}},
    {{"dr6", 8}, {"dr7", 8}, {NULL, 0}},
};

static uint64_t read_by_name(struct tui *tui, const char *name)
{
    struct register_ref found;
    return register_find(name, strlen(name), &found) ? register_read(machine_cpu(tui->machine), found) : 0;
}

static void read_registers(struct tui *tui)
{
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_COUNT(register_cells) + ARRAY_COUNT(more_cells); i++) {
        const struct register_cell *row =
            i < ARRAY_COUNT(register_cells) ? register_cells[i] : more_cells[i - ARRAY_COUNT(register_cells)];
        for (unsigned column = 0; column < REGISTER_COLUMNS; column++, n++) {
            tui->registers_now[n] = row[column].name != NULL ? read_by_name(tui, row[column].name) : 0;
        }
    }
}

/* Changes are seen against what was at the stop before. */
static void note_registers(struct tui *tui)
{
    uint64_t retired = machine_retired(tui->machine);
    read_registers(tui);
    if (!machine_is_paused(tui->machine)) {
        return;
    }
    if (!tui->registers_known) {
        memcpy(tui->registers_before, tui->registers_now, sizeof tui->registers_now);
    } else if (retired != tui->registers_at) {
        memcpy(tui->registers_before, tui->registers_stopped, sizeof tui->registers_stopped);
    }
    memcpy(tui->registers_stopped, tui->registers_now, sizeof tui->registers_now);
    tui->registers_known = true;
    tui->registers_at = retired;
}

static bool has_changed(const struct tui *tui, unsigned n)
{
    return tui->registers_known && machine_is_paused(tui->machine) &&
           tui->registers_now[n] != tui->registers_before[n];
}

/* Short names for long ones, so that all are in line. */
static const char *shown_name(const char *name)
{
    static const char *const names[][2] = {
        {"eflags", "efl"},     {"gdtr.base", "gdt"}, {"gdtr.limit", "lim"}, {"idtr.base", "idt"},
        {"idtr.limit", "lim"}, {"cs.base", "csb"},   {"cs.limit", "lim"},   {"ss.base", "ssb"},
        {"ss.limit", "lim"},   {"ds.base", "dsb"},   {"ds.limit", "lim"},   {"es.base", "esb"},
        {"es.limit", "lim"},   {"ldtr", "ld"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(names[i][0], name) == 0) {
            return names[i][1];
        }
    }
    return name;
}

static void draw_register_row(struct tui *tui, struct display_text *text, const struct tui_area *area,
                              unsigned line, const struct register_cell *cells, unsigned first)
{
    static const unsigned columns[REGISTER_COLUMNS] = {0, 13, 26};
    for (unsigned i = 0; i < REGISTER_COLUMNS; i++) {
        if (cells[i].name == NULL) {
            continue;
        }
        bool changed = has_changed(tui, first + i);
        char composed[40];
        int width = i == 2 ? 2 : 3;
        snprintf(composed, sizeof composed, "%-*s%c%0*llx", width, shown_name(cells[i].name),
                 changed ? '*' : ' ', (int)cells[i].digits,
                 (unsigned long long)tui->registers_now[first + i]);
        unsigned column = columns[i];
        if (column < area->columns) {
            unsigned room = area->columns - column;
            unsigned length = (unsigned)strlen(composed);
            tui_canvas_put(text, area->column + column, area->row + line, room < length ? room : length,
                           changed ? TUI_CHANGED : TUI_PLAIN, composed);
        }
    }
}

/* The flags as letters, capital ones being set. */
static void draw_flags(const struct tui *tui, struct display_text *text, const struct tui_area *area,
                       unsigned line, unsigned n)
{
    const uint64_t flags = tui->registers_now[n];
    const uint64_t before = has_changed(tui, n) ? tui->registers_before[n] : flags;
    static const struct {
        char letters[3];
        unsigned bit;
    } shown[] = {{"of", 11}, {"df", 10}, {"if", 9}, {"tf", 8}, {"sf", 7},
                 {"zf", 6},  {"af", 4},  {"pf", 2}, {"cf", 0}};
    for (unsigned i = 0; i < ARRAY_COUNT(shown); i++) {
        char composed[3] = {shown[i].letters[0], shown[i].letters[1], '\0'};
        bool set = (flags >> shown[i].bit & 1) != 0;
        bool changed = ((flags ^ before) >> shown[i].bit & 1) != 0;
        if (set) {
            composed[0] = (char)toupper((unsigned char)composed[0]);
            composed[1] = (char)toupper((unsigned char)composed[1]);
        }
        if (3 * i + 2 <= area->columns) {
            tui_canvas_put(text, area->column + 3 * i, area->row + line, 2,
                           changed ? TUI_CHANGED
                           : set   ? TUI_STRONG
                                   : TUI_DIM,
                           composed);
        }
    }
    char iopl[16];
    snprintf(iopl, sizeof iopl, "iopl%u", (unsigned)(flags >> 12 & 3));
    if (area->columns >= 33) {
        tui_canvas_put(text, area->column + 28, area->row + line, 5, TUI_DIM, iopl);
    }
}

static void draw_registers(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_REGISTERS];
    const unsigned flags = 4 * REGISTER_COLUMNS + 1;
    note_registers(tui);
    if (area->rows == 0) {
        return;
    }
    tui_canvas_frame(text, area, tui->focus == TUI_REGISTERS, "Registers");
    unsigned line = 1, n = 0;
    for (size_t i = 0; i < ARRAY_COUNT(register_cells) && line < area->rows; i++, n += REGISTER_COLUMNS) {
        draw_register_row(tui, text, area, line++, register_cells[i], n);
    }
    if (line < area->rows) {
        draw_flags(tui, text, area, line++, flags);
    }
    for (size_t i = 0; i < ARRAY_COUNT(more_cells) && line < area->rows; i++, n += REGISTER_COLUMNS) {
        draw_register_row(tui, text, area, line++, more_cells[i], n);
    }
}

/* ---- stack */

static void draw_stack(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_STACK];
    const struct cpu_state *cpu = machine_cpu(tui->machine);
    if (area->rows == 0) {
        return;
    }
    const unsigned width = cpu->code_size == 2 && cpu->stack_size == 2 ? 2 : 4;
    const uint64_t top = cpu->gpr[CPU_SP].q & cpu->stack_mask, frame = cpu->gpr[CPU_BP].q & cpu->stack_mask;
    char title[40];
    snprintf(title, sizeof title, "Stack  ss:%ssp%s", cpu->stack_size == 2 ? "" : "e",
             tui->stack_first > 0 ? "  (scrolled)" : "");
    tui_canvas_frame(text, area, tui->focus == TUI_STACK, title);
    for (unsigned i = 0; i + 1 < area->rows; i++) {
        const uint64_t offset = (top + (uint64_t)(tui->stack_first + i) * width) & cpu->stack_mask;
        const uint64_t linear = (cpu->segment[CPU_SS].base + offset) & UINT32_MAX;
        uint64_t value = 0;
        char composed[200], name[120] = "", shown[24] = "??";
        struct status status = guest_memory_load(tui->machine, GUEST_LINEAR, linear, width, &value);
        if (status_is_ok(&status)) {
            snprintf(shown, sizeof shown, "%0*llx", (int)width * 2, (unsigned long long)value);
            uint64_t base = width == 2 ? cpu->segment[CPU_CS].base : 0;
            symbols_describe(tui->monitor->symbols, (base + value) & UINT32_MAX, name, sizeof name);
        }
        const char *mark = offset == top ? "<sp" : offset == frame ? "<bp" : "";
        snprintf(composed, sizeof composed, "%04x:%0*llx  %s %-3s %s", cpu->segment[CPU_SS].selector,
                 cpu->stack_size * 2, (unsigned long long)offset, shown, mark, name);
        tui_canvas_put(text, area->column, area->row + 1 + i, area->columns,
                       offset == top ? TUI_STRONG : TUI_PLAIN, composed);
    }
}

/* ---- memory */

#define MEMORY_ADDRESS_WIDTH 10u

unsigned tui_memory_columns(const struct tui *tui)
{
    unsigned columns = tui->layout.areas[TUI_MEMORY].columns;
    return columns >= MEMORY_ADDRESS_WIDTH + 16 * 4 + 1 ? 16 : 8;
}

void tui_memory_go(struct tui *tui, const char *expression, uint32_t address)
{
    snprintf(tui->memory_place, sizeof tui->memory_place, "%s", expression);
    tui->memory_placed_at = machine_retired(tui->machine);
    tui->memory_top = address;
    tui->memory_cursor = address;
    tui->memory_low_digit = false;
}

void tui_memory_move(struct tui *tui, int64_t bytes)
{
    unsigned columns = tui_memory_columns(tui);
    unsigned rows = tui_pane_rows(tui, TUI_MEMORY);
    tui->memory_place[0] = '\0'; /* it does not follow any more */
    tui->memory_low_digit = false;
    tui->memory_cursor = (uint32_t)(tui->memory_cursor + bytes);
    while (rows > 0 && tui->memory_cursor - tui->memory_top >= columns * rows) {
        int32_t distance = (int32_t)(tui->memory_cursor - tui->memory_top);
        if (distance >= 0 && (uint32_t)distance < 2 * columns * rows) {
            tui->memory_top += columns;
        } else if (distance < 0 && (uint32_t)-distance <= columns * rows) {
            tui->memory_top -= columns;
        } else {
            tui->memory_top = tui->memory_cursor;
        }
    }
}

/* The expression may mean another place now. */
static void follow_memory(struct tui *tui)
{
    uint64_t address, retired = machine_retired(tui->machine);
    if (tui->memory_place[0] == '\0' || retired == tui->memory_placed_at || tui->memory_edits) {
        return;
    }
    struct status status = monitor_evaluate(tui->monitor, tui->memory_place, &address);
    if (status_is_ok(&status)) {
        tui->memory_top = (uint32_t)address;
        tui->memory_cursor = (uint32_t)address;
    }
    tui->memory_placed_at = retired;
}

static void draw_memory_row(struct tui *tui, struct display_text *text, const struct tui_area *area,
                            unsigned line, uint32_t address, unsigned columns)
{
    uint8_t bytes[16];
    char composed[100];
    bool has_cursor = tui->focus == TUI_MEMORY && tui->memory_cursor - address < columns;
    size_t at = (size_t)snprintf(composed, sizeof composed, "%08x  ", (unsigned)address);
    for (unsigned i = 0; i < columns; i++) {
        bool known =
            guest_memory_read(tui->machine, GUEST_LINEAR, (uint32_t)(address + i), bytes + i, 1) == 1;
        char hex[4] = "??";
        if (known) {
            snprintf(hex, sizeof hex, "%02x", bytes[i]);
        } else {
            bytes[i] = ' ';
        }
        at += (size_t)snprintf(composed + at, sizeof composed - at, "%s%s", hex, i % 8 == 7 ? "  " : " ");
    }
    at -= 1;
    for (unsigned i = 0; i < columns; i++) {
        composed[at++] = (char)(bytes[i] != '\0' && bytes[i] != 0xFF ? bytes[i] : '.');
    }
    composed[at] = '\0';
    tui_canvas_put(text, area->column, area->row + line, area->columns, TUI_PLAIN, composed);
    if (has_cursor) {
        unsigned offset = tui->memory_cursor - address;
        unsigned column = MEMORY_ADDRESS_WIDTH + 3 * offset + offset / 8;
        tui_canvas_restyle(text, area->column + column, area->row + line, 2, TUI_CURSOR);
        text->cursor_visible = true;
        text->cursor_column = (uint16_t)(area->column + column + (tui->memory_low_digit ? 1 : 0));
        text->cursor_row = (uint16_t)(area->row + line);
    }
}

static void draw_memory(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_MEMORY];
    const unsigned columns = tui_memory_columns(tui);
    char title[120], name[120];
    follow_memory(tui);
    if (area->rows == 0) {
        return;
    }
    symbols_describe(tui->monitor->symbols, tui->memory_cursor, name, sizeof name);
    snprintf(title, sizeof title, "Memory  %.40s%s%.40s%s", tui->memory_place,
             tui->memory_place[0] != '\0' && name[0] != '\0' ? "  " : "", name,
             tui->memory_edits ? "  editing" : "");
    size_t length = strlen(title);
    while (length > 0 && title[length - 1] == ' ') {
        title[--length] = '\0';
    }
    tui_canvas_frame(text, area, tui->focus == TUI_MEMORY, title);
    for (unsigned i = 0; i + 1 < area->rows; i++) {
        draw_memory_row(tui, text, area, i + 1, tui->memory_top + i * columns, columns);
    }
}

/* ---- what is watched */

static void draw_watches(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_WATCHES];
    struct displays *displays = tui->monitor->displays;
    const size_t count = displays_count(displays);
    tui->watch_cursor = tui->watch_cursor < count ? tui->watch_cursor : count > 0 ? count - 1 : 0;
    for (size_t i = 0; i < count; i++) {
        (void)displays_evaluate(displays, i); /* what is not shown has values at this stop, too */
    }
    if (area->rows == 0) {
        return;
    }
    const unsigned rows = area->rows - 1;
    const size_t first = tui->watch_cursor >= rows ? tui->watch_cursor - rows + 1 : 0;
    char title[64] = "Watches";
    if (count > rows) {
        snprintf(title, sizeof title, "Watches  %zu to %zu of %zu", first + 1, first + rows, count);
    }
    tui_canvas_frame(text, area, tui->focus == TUI_WATCHES, title);
    for (size_t i = 0; i < rows && first + i < count; i++) {
        const struct display_value value = displays_evaluate(displays, first + i);
        const bool cursor = tui->focus == TUI_WATCHES && first + i == tui->watch_cursor;
        char composed[256];
        displays_describe(&value, composed, sizeof composed);
        tui_canvas_put(text, area->column, area->row + 1 + (unsigned)i, area->columns,
                       cursor             ? TUI_CURSOR
                       : value.is_changed ? TUI_CHANGED
                                          : TUI_PLAIN,
                       composed);
        if (cursor) {
            text->cursor_visible = true;
            text->cursor_column = (uint16_t)area->column;
            text->cursor_row = (uint16_t)(area->row + 1 + i);
        }
    }
}

/* ---- breakpoints */

struct breakpoint *tui_breakpoint(struct tui *tui, size_t n)
{
    struct breakpoint *breakpoint;
    for (size_t i = 0; (breakpoint = debugger_breakpoint(tui->debugger, i)) != NULL; i++) {
        if (!breakpoint->spec.hidden && n-- == 0) {
            return breakpoint;
        }
    }
    return NULL;
}

/* The first line of what `info breakpoints` says of one. */
static void describe_breakpoint(struct tui *tui, const struct breakpoint *breakpoint, char *to, size_t size)
{
    char *bytes = NULL;
    size_t length = 0;
    to[0] = '\0';
    FILE *out = open_memstream(&bytes, &length);
    if (out != NULL) {
        breakpoint_print(tui->monitor, breakpoint, out);
        fclose(out);
        snprintf(to, size, "%.*s", (int)strcspn(bytes, "\n"), bytes);
        free(bytes);
    }
}

static void draw_breakpoints(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_BREAKPOINTS];
    const struct debugger_stop *stop = debugger_last_stop(tui->debugger);
    struct breakpoint *breakpoint;
    if (area->rows == 0) {
        return;
    }
    tui_canvas_frame(text, area, tui->focus == TUI_BREAKPOINTS, "Breakpoints");
    while (tui->breakpoint_cursor > 0 && tui_breakpoint(tui, tui->breakpoint_cursor) == NULL) {
        tui->breakpoint_cursor--;
    }
    unsigned rows = area->rows - 1;
    size_t first = rows > 0 && tui->breakpoint_cursor >= rows ? tui->breakpoint_cursor - rows + 1 : 0;
    if (tui_breakpoint(tui, 0) == NULL && rows > 0) {
        tui_canvas_put(text, area->column, area->row + 1, area->columns, TUI_DIM,
                       "none: F2, break, watch, catch");
    }
    for (size_t i = 0; i < rows && (breakpoint = tui_breakpoint(tui, first + i)) != NULL; i++) {
        char composed[256];
        describe_breakpoint(tui, breakpoint, composed, sizeof composed);
        bool met =
            stop != NULL && stop->reason == STOPPED_BREAKPOINT && stop->breakpoint == breakpoint->number;
        bool cursor = tui->focus == TUI_BREAKPOINTS && first + i == tui->breakpoint_cursor;
        tui_canvas_put(text, area->column, area->row + 1 + (unsigned)i, area->columns,
                       cursor                ? TUI_CURSOR
                       : met                 ? TUI_HERE
                       : breakpoint->enabled ? TUI_PLAIN
                                             : TUI_DIM,
                       composed);
        if (cursor) {
            text->cursor_visible = true;
            text->cursor_column = (uint16_t)area->column;
            text->cursor_row = (uint16_t)(area->row + 1 + i);
        }
    }
}

/* ---- the guest's screen */

static void draw_screen(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_SCREEN];
    const struct display_source *display = machine_display(tui->machine);
    if (area->rows == 0) {
        return;
    }
    display->read_text(display->opaque, &tui->guest);
    const struct display_text *guest = &tui->guest.text;
    tui_canvas_frame(text, area, false,
                     guest->active ? "Screen  F5 shows it alone" : "Screen  no text mode: F5");
    if (!guest->active) {
        return;
    }
    for (unsigned row = 0; row + 1 < area->rows && row < guest->rows; row++) {
        for (unsigned column = 0; column < area->columns && column < guest->columns; column++) {
            unsigned to_row = area->row + 1 + row, to_column = area->column + column;
            if (to_row < text->rows && to_column < text->columns) {
                text->cells[to_row][to_column] = guest->cells[row][column];
            }
        }
    }
}

/* ---- the console */

static void draw_input(struct tui *tui, struct display_text *text, const struct tui_area *area)
{
    const struct tui_line *line = tui->asks ? &tui->question : &tui->line;
    const char *prompt = tui->asks ? "go to: " : "(doppel) ";
    unsigned row = area->row + area->rows - 1, start = (unsigned)strlen(prompt);
    if (area->columns <= start + 1) {
        return;
    }
    unsigned room = area->columns - start;
    size_t first = line->cursor >= room ? line->cursor - room + 1 : 0;
    bool has_focus = tui->asks || tui->focus == TUI_CONSOLE;
    tui_canvas_put(text, area->column, row, start, has_focus ? TUI_STRONG : TUI_DIM, prompt);
    tui_canvas_put(text, area->column + start, row, room, TUI_STRONG, line->text + first);
    if (has_focus) {
        text->cursor_visible = true;
        text->cursor_column = (uint16_t)(area->column + start + line->cursor - first);
        text->cursor_row = (uint16_t)row;
    }
}

static void draw_console(struct tui *tui, struct display_text *text)
{
    const struct tui_area *area = &tui->layout.areas[TUI_CONSOLE];
    struct tui_console *console = &tui->console;
    if (area->rows < 2) {
        return;
    }
    char title[120];
    snprintf(title, sizeof title, "Console  %s after %llu instructions%s",
             machine_is_paused(tui->machine) ? "stopped" : "running",
             (unsigned long long)machine_retired(tui->machine), console->scrolled > 0 ? "  (scrolled)" : "");
    tui_canvas_frame(text, area, tui->focus == TUI_CONSOLE, title);
    size_t rows = area->rows - 2, count = tui_console_count(console);
    size_t most = count > rows ? count - rows : 0;
    console->scrolled = console->scrolled < most ? console->scrolled : most;
    size_t first = most - console->scrolled;
    for (size_t i = 0; i < rows; i++) {
        tui_canvas_put(text, area->column, area->row + 1 + (unsigned)i, area->columns, TUI_PLAIN,
                       tui_console_line(console, first + i));
    }
    draw_input(tui, text, area);
}

void tui_draw_panes(struct tui *tui, struct display_text *text)
{
    draw_registers(tui, text);
    draw_stack(tui, text);
    draw_memory(tui, text);
    draw_watches(tui, text);
    draw_breakpoints(tui, text);
    draw_screen(tui, text);
    draw_console(tui, text);
}
