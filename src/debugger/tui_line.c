/* See tui_line.h. */
#include "debugger/tui_line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tui_line_set(struct tui_line *line, const char *text)
{
    snprintf(line->text, sizeof line->text, "%s", text);
    line->length = strlen(line->text);
    line->cursor = line->length;
}

void tui_line_insert(struct tui_line *line, const char *text)
{
    size_t length = strlen(text), room = TUI_LINE_MAX - 1 - line->length;
    length = length < room ? length : room;
    memmove(line->text + line->cursor + length, line->text + line->cursor, line->length - line->cursor + 1);
    memcpy(line->text + line->cursor, text, length);
    line->length += length;
    line->cursor += length;
}

/* Removes what is between `from` and `to` <= length. */
static void cut(struct tui_line *line, size_t from, size_t to)
{
    memmove(line->text + from, line->text + to, line->length - to + 1);
    line->length -= to - from;
    line->cursor = from;
}

static size_t start_of_word(const struct tui_line *line)
{
    size_t at = line->cursor;
    while (at > 0 && isspace((unsigned char)line->text[at - 1])) {
        at--;
    }
    while (at > 0 && !isspace((unsigned char)line->text[at - 1])) {
        at--;
    }
    return at;
}

static void show_history(struct tui_line *line, size_t position)
{
    if (line->position == line->count) {
        memcpy(line->draft, line->text, line->length + 1);
    }
    line->position = position;
    tui_line_set(line, position == line->count ? line->draft : line->history[position]);
}

static bool control_key(struct tui_line *line, enum key key)
{
    switch (key) {
    case KEY_A: line->cursor = 0; return true;
    case KEY_E: line->cursor = line->length; return true;
    case KEY_K: cut(line, line->cursor, line->length); return true;
    case KEY_U: cut(line, 0, line->cursor); return true;
    case KEY_W: cut(line, start_of_word(line), line->cursor); return true;
    case KEY_LEFT: line->cursor = start_of_word(line); return true;
    default: return false;
    }
}

bool tui_line_key(struct tui_line *line, enum key key, bool ctrl)
{
    if (ctrl) {
        return control_key(line, key);
    }
    switch (key) {
    case KEY_LEFT: line->cursor -= line->cursor > 0; return true;
    case KEY_RIGHT: line->cursor += line->cursor < line->length; return true;
    case KEY_HOME: line->cursor = 0; return true;
    case KEY_END: line->cursor = line->length; return true;
    case KEY_BACKSPACE:
        if (line->cursor > 0) {
            cut(line, line->cursor - 1, line->cursor);
        }
        return true;
    case KEY_DELETE:
        if (line->cursor < line->length) {
            cut(line, line->cursor, line->cursor + 1);
        }
        return true;
    case KEY_UP:
        if (line->position > 0) {
            show_history(line, line->position - 1);
        }
        return true;
    case KEY_DOWN:
        if (line->position < line->count) {
            show_history(line, line->position + 1);
        }
        return true;
    default: return false;
    }
}

static void remember(struct tui_line *line, const char *text)
{
    bool again = line->count > 0 && strcmp(line->history[line->count - 1], text) == 0;
    char *copy = text[0] == '\0' || again ? NULL : strdup(text);
    if (copy == NULL) {
        return;
    }
    if (line->count == TUI_HISTORY_MAX) {
        free(line->history[0]);
        line->count--;
        memmove(line->history, line->history + 1, line->count * sizeof line->history[0]);
    }
    line->history[line->count++] = copy;
}

void tui_line_accept(struct tui_line *line, char text[TUI_LINE_MAX])
{
    memcpy(text, line->text, line->length + 1);
    remember(line, text);
    line->position = line->count;
    tui_line_set(line, "");
}

void tui_line_release(struct tui_line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        free(line->history[i]);
    }
    line->count = 0;
}
