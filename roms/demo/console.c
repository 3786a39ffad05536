/*
 * See console.h. The serial line gets plain text: no colours, new lines as CR LF, and for editing only what
 * any terminal understands (backspace).
 *
 * From the serial line, "ESC [" sequences of a VT100 become keys; an Esc alone is told from them by the pause
 * after it.
 */
#include "console.h"

#include "screen.h"
#include "serial.h"
#include "text.h"
#include "timer.h"
#include "x86.h"

#define TAB_WIDTH          8
#define ESCAPE_PAUSE_TICKS 5
#define ASCII_DELETE       127
#define LINE_MAX           VGA_COLUMNS

static struct {
    unsigned row; /* below the header, from 0 */
    unsigned column;
    unsigned serial_column;
    uint8_t attribute;
    int waiting_key; /* read by console_poll_break, not wanted by it */
    /* The line being edited: where it begins, and what the serial line shows of it. */
    unsigned line_column;
    char shown[LINE_MAX + 1];
    unsigned shown_cursor;
} console;

void console_init(void)
{
    console_reset_color();
    vga_fill(SCREEN_BODY_ROW, SCREEN_BODY_ROWS, console.attribute);
    vga_set_cursor(SCREEN_BODY_ROW, 0);
}

void console_set_color(enum vga_color foreground, enum vga_color background)
{
    console.attribute = vga_attribute(foreground, background);
}

void console_reset_color(void)
{
    console_set_color(VGA_LIGHT_GRAY, VGA_BLACK);
}

static void serial_put(char character)
{
    if (character == '\n') {
        serial_write('\r');
        console.serial_column = 0;
    } else {
        console.serial_column++;
    }
    serial_write(character);
}

static void show_cursor(void)
{
    unsigned column = console.column < VGA_COLUMNS ? console.column : VGA_COLUMNS - 1;
    vga_set_cursor(SCREEN_BODY_ROW + console.row, column);
}

void console_clear(void)
{
    vga_fill(SCREEN_BODY_ROW, SCREEN_BODY_ROWS, console.attribute);
    console.row = 0;
    console.column = 0;
    vga_set_cursor(SCREEN_BODY_ROW, 0);
    if (console.serial_column != 0)
        serial_put('\n');
}

void console_save_view(struct console_view *view)
{
    vga_save_cells(view->cells);
    view->row = console.row;
    view->column = console.column;
    view->attribute = console.attribute;
}

void console_restore_view(const struct console_view *view)
{
    vga_restore_cells(view->cells);
    console.row = view->row;
    console.column = view->column;
    console.attribute = view->attribute;
    show_cursor();
    if (console.serial_column != 0)
        serial_put('\n');
}

static void next_row(void)
{
    console.column = 0;
    if (console.row + 1 < SCREEN_BODY_ROWS)
        console.row++;
    else
        vga_scroll(SCREEN_BODY_ROW, SCREEN_BODY_ROWS, console.attribute);
}

static void screen_put(char character)
{
    if (character == '\n') {
        next_row();
    } else {
        /* Wrapping waits for the next character, so that a line of 80 is one row. */
        if (console.column == VGA_COLUMNS)
            next_row();
        vga_put(SCREEN_BODY_ROW + console.row, console.column++, character, console.attribute);
    }
}

static void put(void *opaque, char character)
{
    (void)opaque;
    if (character == '\t') {
        do {
            screen_put(' ');
            serial_put(' ');
        } while (console.column % TAB_WIDTH != 0);
        return;
    }
    screen_put(character);
    serial_put(character);
}

void console_put(char character)
{
    put(NULL, character);
    show_cursor();
}

void console_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_format(put, NULL, format, arguments);
    va_end(arguments);
    show_cursor();
}

void console_print_in(enum vga_color foreground, const char *format, ...)
{
    uint8_t attribute = console.attribute;
    console_set_color(foreground, VGA_BLACK);
    va_list arguments;
    va_start(arguments, format);
    text_format(put, NULL, format, arguments);
    va_end(arguments);
    console.attribute = attribute;
    show_cursor();
}

void console_fresh_line(void)
{
    if (console.column != 0)
        console_put('\n');
}

static bool input_is_waiting(void)
{
    return keyboard_has_data() || serial_has_data();
}

void console_wait_for_input(uint32_t ticks)
{
    uint32_t start = timer_ticks();
    for (;;) {
        screen_update_status();
        (void)interrupts_save();
        if (input_is_waiting() || (ticks != CONSOLE_FOREVER && timer_ticks() - start >= ticks))
            break;
        cpu_sleep();
    }
    interrupts_restore(eflags_read() | EFLAGS_IF);
}

static bool serial_next(uint8_t *byte)
{
    uint32_t start = timer_ticks();
    while (!serial_has_data() && timer_ticks() - start < ESCAPE_PAUSE_TICKS) {
        (void)interrupts_save();
        if (!serial_has_data())
            cpu_sleep();
        interrupts_restore(eflags_read() | EFLAGS_IF);
    }
    return serial_read(byte);
}

/* After ESC: a letter, or a number and '~'. */
static int read_escape_sequence(void)
{
    uint8_t byte;
    if (!serial_next(&byte) || (byte != '[' && byte != 'O'))
        return KEY_ESCAPE;
    unsigned number = 0;
    while (serial_next(&byte)) {
        switch (byte) {
        case 'A': return KEY_UP;
        case 'B': return KEY_DOWN;
        case 'C': return KEY_RIGHT;
        case 'D': return KEY_LEFT;
        case 'H': return KEY_HOME;
        case 'F': return KEY_END;
        case '~': return number == 1 ? KEY_HOME : number == 3 ? KEY_DELETE : number == 4 ? KEY_END : KEY_NONE;
        default: break;
        }
        if (byte < '0' || byte > '9')
            break;
        number = (number * 10 + byte - '0') % 100;
    }
    return KEY_NONE;
}

static int serial_key(uint8_t byte)
{
    if (byte == KEY_ESCAPE)
        return read_escape_sequence();
    if (byte == '\r')
        return KEY_ENTER;
    if (byte == ASCII_DELETE)
        return KEY_BACKSPACE;
    return byte < ASCII_DELETE ? byte : KEY_NONE;
}

/* KEY_NONE if nothing arrived that is a key. */
static int take_key(void)
{
    int key = console.waiting_key;
    console.waiting_key = KEY_NONE;
    struct key_event event;
    while (key == KEY_NONE && keyboard_read_event(&event)) {
        if (event.is_pressed)
            key = event.key;
    }
    uint8_t byte;
    while (key == KEY_NONE && serial_read(&byte))
        key = serial_key(byte);
    return key;
}

int console_read_key(uint32_t ticks)
{
    uint32_t start = timer_ticks();
    for (;;) {
        int key = take_key();
        if (key != KEY_NONE)
            return key;
        uint32_t elapsed = timer_ticks() - start;
        if (ticks != CONSOLE_FOREVER && elapsed >= ticks)
            return KEY_NONE;
        console_wait_for_input(ticks == CONSOLE_FOREVER ? CONSOLE_FOREVER : ticks - elapsed);
    }
}

bool console_poll_break(void)
{
    int key = take_key();
    if (key == KEY_ESCAPE || key == KEY_CONTROL('C'))
        return true;
    console.waiting_key = key;
    return false;
}

void console_begin_line(void)
{
    console.line_column = console.column;
    console.shown[0] = '\0';
    console.shown_cursor = 0;
}

void console_show_line(const char *text, unsigned cursor)
{
    unsigned column = console.line_column;
    unsigned length = (unsigned)text_length(text);
    for (unsigned i = 0; column + i < VGA_COLUMNS; i++)
        vga_put(SCREEN_BODY_ROW + console.row, column + i, i < length ? text[i] : ' ', console.attribute);
    console.column = column + length;
    vga_set_cursor(SCREEN_BODY_ROW + console.row, column + cursor);

    /* The serial line: back to the first difference, the rest of the new text, blanks over the old, and back.
     */
    unsigned shown_length = (unsigned)text_length(console.shown);
    unsigned same = 0;
    while (same < length && same < console.shown_cursor && console.shown[same] == text[same])
        same++;
    unsigned at = console.shown_cursor;
    for (; at > same; at--)
        serial_write('\b');
    for (; at < length; at++)
        serial_write(text[at]);
    for (; at < shown_length; at++)
        serial_write(' ');
    for (; at > cursor; at--)
        serial_write('\b');
    text_format_buffer(console.shown, sizeof(console.shown), "%s", text);
    console.shown_cursor = cursor;
    console.serial_column = column + length;
}
