/* See tui_console.h. */
#include "debugger/tui_console.h"

#include <stdlib.h>
#include <string.h>

#include "ui/display.h"

#define TAB_WIDTH 8u

static const char prompt[] = "(doppel) ";

static char to_cp437(uint32_t codepoint)
{
    if (codepoint >= 0x20 && codepoint < 0x7F) {
        return (char)codepoint;
    }
    for (unsigned i = 1; i < 256; i++) {
        if (display_cp437_to_unicode((uint8_t)i) == codepoint) {
            return (char)i;
        }
    }
    return '?';
}

static void end_line(struct tui_console *console)
{
    console->partial[console->length] = '\0';
    char *line = strdup(console->partial);
    console->length = 0;
    if (line == NULL) {
        return;
    }
    size_t at = (console->first + console->count) % TUI_CONSOLE_LINES;
    if (console->count == TUI_CONSOLE_LINES) {
        free(console->lines[at]);
        console->first = (console->first + 1) % TUI_CONSOLE_LINES;
    } else {
        console->count++;
    }
    console->lines[at] = line;
}

static void put_character(struct tui_console *console, char character)
{
    if (console->length == TUI_CONSOLE_COLUMNS) {
        end_line(console);
    }
    console->partial[console->length++] = character;
}

/* Whether the line is nothing but a prompt. */
static bool is_prompt(const struct tui_console *console)
{
    return console->length == sizeof prompt - 1 && memcmp(console->partial, prompt, sizeof prompt - 1) == 0;
}

static void put_codepoint(struct tui_console *console, uint32_t codepoint)
{
    switch (codepoint) {
    case '\n':
        if (is_prompt(console)) {
            console->length = 0;
        } else {
            end_line(console);
        }
        return;
    case '\r': return;
    case '\t': do { put_character(console, ' ');
        } while (console->length % TAB_WIDTH != 0);
        return;
    default:
        if (is_prompt(console)) {
            console->length = 0;
        }
        put_character(console, to_cp437(codepoint));
    }
}

void tui_console_write(struct tui_console *console, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)bytes[i];
        if (console->missing > 0 && (byte & 0xC0) == 0x80) {
            console->codepoint = console->codepoint << 6 | (byte & 0x3F);
            if (--console->missing == 0) {
                put_codepoint(console, console->codepoint);
            }
        } else if (byte >= 0xC0) {
            console->missing = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
            console->codepoint = byte & (0x3Fu >> console->missing);
        } else {
            console->missing = 0;
            put_codepoint(console, byte);
        }
    }
}

size_t tui_console_count(const struct tui_console *console)
{
    return console->count;
}

const char *tui_console_line(const struct tui_console *console, size_t n)
{
    return n < console->count ? console->lines[(console->first + n) % TUI_CONSOLE_LINES] : "";
}

void tui_console_scroll(struct tui_console *console, int lines)
{
    if (lines < 0) {
        size_t down = (size_t)-lines;
        console->scrolled = console->scrolled > down ? console->scrolled - down : 0;
    } else {
        console->scrolled += (size_t)lines;
        console->scrolled = console->scrolled < console->count ? console->scrolled : console->count;
    }
}

void tui_console_release(struct tui_console *console)
{
    for (size_t i = 0; i < console->count; i++) {
        free(console->lines[(console->first + i) % TUI_CONSOLE_LINES]);
    }
    console->count = 0;
}
